/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg.h - the connections of one worker to one PostgreSQL database (libpq 15, pipeline mode).
 *
 * One shared connection carries every single statement, pipelined: each has its own Sync, so a failure does not touch its
 * neighbours (libpq 15 writes at each Sync; a transaction's statements leave together). A small pool of exclusive ones carries
 * transactions and texts, first come, first served. A fiber whose deadline passes leaves; when its statement's turn comes it is
 * cancelled at the server, its answer discarded, and the connection goes on; a neighbour that the cancellation hits by mistake is
 * sent again. A server that does not answer that in 5 s is given up.
 *
 * A lost connection fails what is in flight (-UNAVAILABLE: it may have been done). The first attempt to connect anew begins at
 * once and callers wait for it; after that they get -UNAVAILABLE with Retry-After at once, while attempts go on with backoff (50
 * ms doubling to 5 s, jittered).
 *
 * Sessions: UTF-8, generic plans only (plan_cache_mode), no JIT, statement_timeout of a minute as a backstop,
 * idle_in_transaction_session_timeout 5 s; exclusive ones also with hash and merge joins, sequential and bitmap scans off: a plan
 * made while a table was empty must not scan it when it is full. Threads: a pg belongs to its loop. */
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
        const struct constraint *constraints;   /* what violations are called (db.h); borrowed; NULL: by their names */
        const char *role;               /* sessions act as this role (the url's user must be a member); NULL: as the url's user */
};
/* Nothing is connected yet; the first use does. Waits not. options are copied. Never NULL. */
struct pg *pg_open(const struct pg_options *o);
void  pg_close(struct pg **p);                          /* waits for what is in flight up to 2 s; transactions must have ended. Waits. */
int   pg_ping(struct ctx *c, struct pg *p);             /* asks on the shared connection whether it takes writes; 0 also when not. Waits. */
bool  pg_is_up(const struct pg *p);                     /* as far as known, without asking                          */
bool  pg_is_read_only(const struct pg *p);              /* the same                                                 */

/* Text of a libpq connection string `url` with the database (and user, when not NULL) replaced. In the arena. -INVALID_ARGUMENT */
int   pg_url_with(struct ctx *c, str url, const char *dbname, const char *user, str *out);
/* Makes the database and a role of the same name that owns it and may log in, when they are missing (over a connection to `admin_url`). Waits.
 *   dbname   a-z, 0-9 and _, at most 63     returns 0, -INVALID_ARGUMENT, what db says */
int   pg_ensure_database(struct ctx *c, str admin_url, const char *dbname);

/* A session advisory lock on a connection of its own: leadership. Waits until got (asking each 500 ms), over lost connections too.
 *   returns 0 leader now; -CANCELLED, -DEADLINE_EXCEEDED. End it before pg_close(). pg_leader_is_lost() says when it was lost. */
struct pg_leader;
int   pg_lead(struct ctx *c, struct pg *p, const char *what, struct pg_leader **out);
bool  pg_leader_is_lost(const struct pg_leader *l);
void  pg_leader_end(struct pg_leader **l);

struct pg_stats { int open, busy, transactions_max, in_flight, waiting; uint64_t statements, failures, reconnects; bool up, read_only; };
struct pg_stats pg_stats(const struct pg *p);
#endif
