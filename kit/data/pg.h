/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg.h - the connections of one worker to one PostgreSQL database (libpq 15, pipeline mode).
 *
 * One shared connection carries every single statement, pipelined: each has its own Sync, so a failure does not touch its neighbours,
 * and is written when the loop has no other ready fiber, so statements of one turn share a packet. A small pool of exclusive ones
 * carries transactions. A fiber whose deadline passes leaves; the statement is cancelled at the server, its answer discarded when it comes, the
 * connection goes on. Lost connections are reopened with backoff (50 ms doubling to 5 s, jittered); meanwhile callers get
 * -UNAVAILABLE with Retry-After at once. Threads: a pg belongs to its loop. */
#ifndef PG_H
#define PG_H
#include "db.h"

struct pg;
struct pg_options {
        str  url;                       /* libpq connection string or URI                         */
        int  transactions_max;          /* exclusive connections; 8                               */
        int  pipeline_max;              /* statements in flight on the shared one; 1,024: beyond it callers wait */
        int  statement_timeout_ms;      /* when the ctx has no deadline; 10 s                     */
        const char *name;               /* application_name, metrics                              */
};
/* Nothing is connected yet; the first use does. Waits not. options are copied. */
struct pg *pg_open(const struct pg_options *o);
void  pg_close(struct pg **p);                          /* waits for what is in flight up to 2 s. Waits.            */
int   pg_ping(struct ctx *c, struct pg *p);             /* select 1 on the shared connection. Waits.                */
bool  pg_is_up(const struct pg *p);                     /* as far as known, without asking                          */

/* Text of a libpq connection string `url` with the database (and user, when not NULL) replaced. In the arena. -INVALID_ARGUMENT */
int   pg_url_with(struct ctx *c, str url, const char *dbname, const char *user, str *out);
/* Creates role and database when missing (over a connection to `admin_url`). Waits. */
int   pg_ensure_database(struct ctx *c, str admin_url, const char *dbname);

/* A session advisory lock on a connection of its own: leadership. Waits until got, lost connection included (then tries again).
 *   returns 0 leader now; -CANCELLED. pg_leader_lost() says when it was lost. */
struct pg_leader;
int   pg_lead(struct ctx *c, struct pg *p, const char *what, struct pg_leader **out);
bool  pg_leader_is_lost(const struct pg_leader *l);
void  pg_leader_end(struct pg_leader **l);

struct pg_stats { int open, busy, transactions_max, in_flight, waiting; uint64_t statements, failures, reconnects; bool up; };
struct pg_stats pg_stats(const struct pg *p);
#endif
