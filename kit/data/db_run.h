/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * db_run.h - between db.c and tx.c, for nobody else. */
#ifndef DB_RUN_H
#define DB_RUN_H
#include "pg_internal.h"

struct db *db_none(struct ctx *c);
struct db_stats *db_count_in(void);                     /* of this thread                                       */
int64_t db_limit(struct ctx *c, const struct pg *pg);   /* gives c a deadline when it has none; returns what it had */
struct job *db_job(struct ctx *c);                      /* for the running fiber; NULL with c's fault           */
/* Text on a connection that has nothing in flight. returns 0 with a job that succeeded, or a failure. Waits. */
int   db_text(struct ctx *c, struct conn *k, const char *sql, struct job **out);
int   tx_run(struct db *tx, const struct query *q, const void *in, void *out);
int   tx_text(struct db *tx, const char *sql, struct job **out);
#endif
