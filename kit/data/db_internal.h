/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * db_internal.h - what the files of kit/data share about statements and transactions. Nobody else includes it.
 *
 *     db.c        runs statements: alone, or inside a transaction; makes stories of failures
 *     plan.c      paths and columns -> offsets, kinds and OIDs, once a query
 *     params.c    members -> binary parameters        rows.c      binary columns -> members
 *     sqlstate.c  the server's codes -> ours          pg_*.c      connections (pg_internal.h) */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H
#include <libpq-fe.h>
#include "buf.h"
#include "db.h"

/* ---- transactions --------------------------------------------------------------------------------------------- */

struct later { const struct query *q; const void *in; };

struct db {
        struct ctx       *c;
        struct pg        *pg;
        bool              is_tx;
        bool              is_none;      /* there was no memory for the real one                                 */
        /* the rest is a transaction's */
        struct conn      *conn;         /* borrowed once something had to be sent; NULL before and after        */
        bool              begun;        /* BEGIN was sent                                                       */
        bool              ended;        /* committed, or rolled back                                            */
        bool              left;         /* something was left running on conn: cancel it                        */
        bool              broken;       /* conn is no more use (a text was left)                                */
        int               error;        /* sticky; 0: none                                                      */
        struct fault      fault;        /* its story, in c's arena                                              */
        struct later     *queue;        /* not yet sent; in c's arena                                           */
        size_t            n_queue, cap_queue;
        struct outbox_pack *pack;       /* its events (outbox_inside.h); NULL: none emitted                     */
};
enum { LATER_MAX = 10000, SQL_PARAMS_MAX = 100 };       /* statements queued at once; parameters of one */


/* ---- plans ------------------------------------------------------------------------------------------------------ */

enum source { FROM_MEMBER, FROM_LIST, FROM_CALLER, FROM_ROLES, FROM_NOW };
enum part   { WHOLE, MINOR, CUR, WORD };

struct param {
        enum source source;
        enum part   part;
        const struct field *f;          /* the member that is sent                                              */
        size_t      base;               /* where the struct that has it begins, in `in` or in the list's element */
        const struct field *gate;       /* the nearest optional message around it; NULL: none                   */
        size_t      gate_base;
        size_t      list_at, stride;    /* FROM_LIST: offset of the list in `in`, size of an element            */
        bool        null_if_empty;      /* FROM_LIST: a list of plain values that is optional                   */
        Oid         oid, element;       /* element: of the array's, when it is one; else as oid                 */
};

struct column {
        const struct field *f;
        enum part   part;               /* MINOR, CUR: of money                                                 */
        Oid         oid;
        const char *name;               /* as the server said it; owned                                         */
};
struct row_plan {                       /* how one shape of answer becomes a struct                             */
        struct row_plan *older;
        size_t      n;
        struct column v[];
};

struct plan {
        const struct query *q;
        struct plan *older;             /* all plans, for query_stats_each                                      */
        uint32_t    id;                 /* from 3 (see pg_internal.h); the statement's name on the server is "s<id>" */
        bool        keeps;              /* in and out are one type: `out` may be `in`                           */
        struct row_plan *_Atomic rows;  /* shapes seen, newest first                                            */
        _Atomic uint64_t runs, failures, us;
        size_t      n;
        struct param v[];
};

/* The plan of q, made at first use. returns NULL with c's fault (INTERNAL, names statement and parameter) */
struct plan *plan_of(struct ctx *c, const struct query *q);
/* The columns of an answer or a description. returns NULL with c's fault (INTERNAL, names statement and column) */
const struct row_plan *plan_rows(struct ctx *c, struct plan *plan, const PGresult *r);
/* Every plain required member of out has a column. 0, -INTERNAL */
int   plan_check_cover(struct ctx *c, const struct plan *plan, const struct row_plan *rows);

/* Encodes all parameters into b. values, lengths and formats have plan->n places.
 *   returns 0, -RESOURCE_EXHAUSTED, -INVALID_ARGUMENT (a number that is no word) */
int   params_write(struct ctx *c, const struct plan *plan, const void *in, struct buf *b, const char **values, int *lengths, int *formats);
/* Decodes rows of r as q->rows says. returns rows, or -INTERNAL, -RESOURCE_EXHAUSTED, -NOT_FOUND */
int   rows_read(struct ctx *c, struct plan *plan, const PGresult *r, const void *in, void *out);

/* ---- the server's codes ------------------------------------------------------------------------------------------- */

/* Tells c the story of a failed result. returns -code */
int   sqlstate_fail(struct ctx *c, const char *what, const PGresult *r);
int   sqlstate_code(const char *sqlstate);              /* -code */
/* c is told that there is no database now. returns -UNAVAILABLE */
int   fail_down(struct ctx *c, int retry_after_ms, const char *why);
#endif
