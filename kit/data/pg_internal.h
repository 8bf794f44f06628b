/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_internal.h - connections, what is in flight on them, and who waits for it. For the files of kit/data only.
 *
 * A connection is in pipeline mode all its life. What a fiber sends up to one Sync is a **job**; the connection keeps a queue of
 * what libpq will answer, in order, each with its job. A job is done when the answer to its Sync came, since nothing is committed
 * before. Its fiber may have left by then: the answer is read all the same, and the job goes.
 *
 *     pg_conn.c    one connection: opening, sending, reading, losing it
 *     pg_shared.c  the shared one: who waits for it, reconnecting       pg_pool.c  the exclusive ones: borrowing, giving back, draining
 *     pg.c         open, close, stats, making databases                 pg_lead.c  advisory locks
 *     pg_open.c    how a connection comes to stand, names               pg_ping.c  is it there, does it take writes */
#ifndef PG_INTERNAL_H
#define PG_INTERNAL_H
#include <libpq-fe.h>
#include <uv.h>
#include "buf.h"
#include "db_internal.h"
#include "fiber.h"
#include "list.h"
#include "pg.h"
#include "sync.h"
#include "trouble.h"

enum {
        ID_BEGIN, ID_COMMIT, ID_ROLLBACK,               /* statements every connection knows; those of plans follow */
        ID_PLANS,
        PLANS_MAX = 4096,
        PARAMS_MAX_BYTES = 256 << 20,                   /* of one statement                                     */
        CONNECT_MS = 5000,                              /* to open a connection                                 */
        DRAIN_MS = 5000,                                /* for the answer to what a fiber left behind           */
        CANCEL_AGAIN_MS = 100,
        BACKSTOP_MS = 60000,                            /* statement_timeout of the sessions: we cancel earlier */
        IDLE_IN_TRANSACTION_MS = 5000,
        ADDRESSES_MAX = 4, ADDRESS_MAX = 64,            /* of the server's name, and characters of one          */
        BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 5000,
};

struct job {
        struct fiber *fiber;            /* waits for it; NULL: left, the connection frees the job               */
        bool      done;                 /* the answer to its Sync came, or never will                           */
        bool      lost;                 /* the connection was lost first                                        */
        bool      again;                /* failed for no reason of its own and changed nothing: may be sent anew */
        PGresult *rows;                 /* of the statement marked `keep`; owned                                */
        PGresult *error;                /* the first failure; owned                                             */
        struct plan *error_of;          /* whose; NULL: BEGIN, COMMIT, text                                     */
        struct sem *slot;               /* given back when done; may be NULL                                    */
        unsigned  cancels;              /* of the connection, when this was sent                                */
};

enum entry_kind { ENTRY_PREPARE, ENTRY_DESCRIBE, ENTRY_QUERY, ENTRY_TEXT, ENTRY_SYNC };
struct entry {                          /* one thing libpq will answer                                          */
        enum entry_kind kind;
        bool         keep;              /* its result goes to job->rows                                         */
        bool         answered;          /* its result came, the NULL after it not yet                           */
        uint32_t     id;                /* of the statement                                                     */
        struct plan *plan;              /* NULL: none                                                           */
        struct job  *job;
};

enum conn_kind { CONN_SHARED, CONN_EXCLUSIVE, CONN_LEADER, CONN_GONE };

struct cancel {                         /* a request to the server to cancel what runs on a connection          */
        struct pg   *pg;
        struct conn *conn;              /* NULL: closed meanwhile                                               */
        PGcancel    *pq;                /* owned; NULL: whom nobody answered has it                             */
        struct fiber *fiber;            /* asks; NULL: not yet                                                  */
};

struct conn {
        struct link  link;              /* in pg->idle                                                          */
        struct pg   *pg;
        enum conn_kind kind;
        PGconn      *pq;
        uv_poll_t   *poll;              /* freed when libuv has closed it                                       */
        int          armed;             /* events the poll listens to                                           */
        struct entry *fifo;             /* ring of cap (a power of two)                                         */
        uint32_t     head, n, cap;
        uint64_t     known[PLANS_MAX / 64];     /* statements prepared, or on their way to be                   */
        uint64_t     stale[PLANS_MAX / 64];     /* prepared, but their tables have changed since                */
        unsigned     cancels;           /* requests sent to cancel what ran here                                */
        struct cancel *cancel;          /* those under way; NULL: none                                          */
        uint64_t     ended;             /* jobs                                                                 */
        bool         lost;
        struct event_flag quiet;        /* signalled when nothing is in flight any more, or it is lost          */
        char         why[200];          /* when lost                                                            */
};

enum pg_state { PG_NEW, PG_TRYING, PG_UP, PG_DOWN };

struct pg {
        char *url, *name, *role;        /* role may be NULL                                                     */
        const struct constraint *constraints;   /* may be NULL                                                  */
        int   transactions_max, pipeline_max, statement_timeout_ms;
        enum pg_state state;
        bool  closing;
        struct conn  *shared;           /* NULL unless PG_UP                                                    */
        struct fiber *keeper;           /* connects the shared one; NULL: does not run                          */
        bool  keeping;                  /* it was started                                                       */
        bool  read_only;                /* takes no writes, as far as known; the watcher asks when it does again */
        struct fiber *watcher;
        int   helpers;                  /* fibers of ours: keeper, drains, cancels                              */
        int   handles;                  /* polls libuv has not closed yet                                       */
        int64_t next_try_us;
        struct event_flag changed;      /* state, helpers, handles                                              */
        struct sem    slots;            /* statements in flight on the shared one                               */
        struct sem    room;             /* exclusive connections                                                */
        struct link   idle;             /* exclusive connections nobody uses, last used first                   */
        int   n_idle, open, busy, waiting, leaders;
        uint64_t statements, failures, reconnects;
        struct link   dead;             /* lost connections that nobody holds                                   */
        struct buf    scratch;          /* parameters on their way to libpq                                     */
        char  why[200];                 /* it is down                                                           */
        char  addresses[ADDRESSES_MAX][ADDRESS_MAX];    /* what the server's name last resolved to              */
        int   n_addresses;
        struct trouble nameless;        /* its name gives no address: we go on with those                       */
};

/* ---- pg_conn.c ------------------------------------------------------------------------------------------------ */

/* Opens a connection. Waits, CONNECT_MS at most. returns 0, -UNAVAILABLE (the fault says why), -DEADLINE_EXCEEDED, -CANCELLED */
int   conn_open(struct ctx *c, struct pg *pg, enum conn_kind kind, struct conn **out);      /* pg_open.c */
struct conn *conn_new(struct pg *pg, enum conn_kind kind, PGconn *pq);          /* watches pq, open by now; NULL: cannot */
struct conn *conn_close(struct conn *k);                /* what is in flight is lost. Takes NULL, returns NULL  */
void  conn_lose(struct conn *k, const char *why);       /* wakes everybody who waits on it; close it later      */

struct job *job_new(void);                              /* NULL: no memory                                      */
struct job *job_free(struct job *j);                    /* done or never sent. Takes NULL, returns NULL         */
/* Send pieces of a job; a connection that breaks under it becomes lost, and the job with it: look at conn->lost once, at conn_sync().
 * conn_query prepares the statement first when the connection does not know it. in may go at once.
 *   returns  0, or a failure of the parameters: then nothing was sent */
int   conn_query(struct ctx *c, struct conn *k, struct job *j, struct plan *plan, const void *in, bool keep);
void  conn_word(struct conn *k, struct job *j, unsigned id, bool keep);         /* ID_BEGIN, ID_COMMIT, ID_ROLLBACK */
void  conn_describe(struct conn *k, struct job *j, struct plan *plan);          /* rows: the description        */
void  conn_sync(struct conn *k, struct job *j);         /* ends the job and sends it off                        */
/* The same as simple query: any number of statements, text rows (the last result is kept). Nothing else may be in flight. Ends the job. */
void  conn_text(struct conn *k, struct job *j, const char *sql);

/* Waits for a job. On failure the fiber has left it (the connection frees it) and *j is NULL.
 *   returns  0 done (it may have failed or be lost: job_verdict), -DEADLINE_EXCEEDED, -CANCELLED */
int   conn_wait(struct ctx *c, struct job **j, const char *where);
void  conn_left(struct conn *k);                        /* after that failure: cancels what is left, when it is its turn */
/* What became of a done job. returns 0, or the code of its failure, told to c */
int   job_verdict(struct ctx *c, const struct job *j, const char *what);
/* Asks the server to cancel what runs on k now, until what was left behind is through, on a fiber of its own. Waits not. */
void  conn_cancel(struct conn *k);

/* ---- pg_shared.c, pg_pool.c --------------------------------------------------------------------------------------- */

int   pg_in_time(struct ctx *c);                        /* 0, -DEADLINE_EXCEEDED, -CANCELLED. Waits not. */
/* There is a connection, and c has time left. Waits for the first attempt to connect. returns 0, -UNAVAILABLE, -DEADLINE_EXCEEDED, -CANCELLED */
int   pg_up(struct ctx *c, struct pg *pg);
/* The shared connection, with a slot taken. Waits. */
int   pg_share(struct ctx *c, struct pg *pg, struct conn **out);
void  pg_lost(struct conn *k);                          /* told by conn_lose                                    */
int   pg_borrow(struct ctx *c, struct pg *pg, struct conn **out);       /* an exclusive one. Waits.             */
/* Gives it back when it is out of any transaction and quiet; until then a fiber of its own watches, and closes it after DRAIN_MS.
 *   cancel   what runs on it is to be cancelled at the server */
void  pg_return(struct conn *k, bool cancel);
void  pg_bury(struct pg *pg);                           /* closes what was lost while nobody held it            */
void  pg_refused_write(struct pg *pg);                  /* told by whoever saw it (pg_ping.c). Waits not.       */
void  pg_changed(struct pg *pg);                        /* wakes who waits for a state or an end               */
/* Starts a fiber that counts as a helper of pg; it calls pg_helper_ends() last. returns false: could not be started */
bool  pg_helper(struct pg *pg, const char *name, void (*fn)(void *arg), void *arg);
void  pg_helper_ends(struct pg *pg);
#endif
