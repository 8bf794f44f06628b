/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * db.h - statements of PostgreSQL as typed calls; transactions as scopes.
 *
 * Statements live in <service>.sql; tools/sql2h makes of each "-- name: in -> out" a typed function:
 *
 *     -- order_by_id: order_ref -> order          int order_by_id(struct db *, const struct order_ref *, struct order *);   NOT_FOUND when no row
 *     -- order_peek:  order_ref -> order ?        ... the same; returns 1 when there was a row, 0 (out untouched) when not
 *     -- orders_of:   buyer_page -> order *       int orders_of(struct db *, const struct buyer_page *, struct order_list *ret);
 *     -- order_seen:  order_ref                   int order_seen(struct db *, const struct order_ref *);                    returns rows affected
 *     and for every statement in a transaction    int order_seen_later(struct db *tx, const struct order_ref *);            queued, see below
 *
 * A statement ends with ; and `in` may be `nothing` (then NULL is passed). `-- mine: fragment` names a text that statements below say as {mine}. Parameters, by kind of member:
 *
 *     :id             boolean, int4, int8, float8, text, bytea, uuid, timestamptz; a word of .names travels as its number (int4) ...
 *     :status.word    ... and so as the word itself (text)
 *     :total.minor    int8, and :total.cur text: money has no form of its own
 *     :ship_to.city   a member of a message member
 *     :items          a message or a list of messages as JSON (jsonb); a list of plain values as an array (= any(:ids))
 *     :rows.quantity  one member of each element, as an array for unnest(); .word, .minor, .cur and messages (jsonb[]) too
 *     :caller :now :caller_roles      the caller's id (NULL when nobody), the clock's instant, the set of enum role as int4
 *
 * Optional absent members are NULL. Columns go to members of `out` by name: numbers (range checked; a number or a word for
 * .names), text, json as text; money from <name>_minor and <name>_cur; lists and messages from json, lists of plain values
 * from arrays too. NULL is absent. Members without a column become absent, except when `in` and `out` are the same struct. What does not fit
 * stops the program when it starts (db_check): a column without a member, a plain required member without a column (unless in
 * and out are one type), kinds that differ. Parameters and rows travel in binary. Planner: see pg.h.
 *
 *     TX(tx, c);                                  begins lazily: nothing is sent yet
 *     TRY(stock_lock(tx, &want, &stock));         sends BEGIN and this, waits for the rows
 *     TRY(stock_take_later(tx, &taken));          queued; errors stick to the transaction
 *     return tx_commit(tx);                       sends the rest and COMMIT in one go, waits for the flush
 *
 * Errors: the statement's deadline is the ctx's; -DEADLINE_EXCEEDED, -CANCELLED (the connection stays whole: the answer is
 * read later, the statement cancelled at the server), -UNAVAILABLE no database (Retry-After), -ABORTED deadlock or serialization,
 * -ALREADY_EXISTS unique violation, -FAILED_PRECONDITION foreign key or check, -INVALID_ARGUMENT data the server refused,
 * -INTERNAL else. The fault's slug is the constraint's name for violations (a literal of the program's life), else "database".
 * Threads: one fiber. */
#ifndef DB_H
#define DB_H
#include "ctx.h"
#include "type.h"

/* What a violated constraint (or unique index) is called to a caller: a table a service, ends with name NULL. Without a row the name is the slug. */
struct constraint { const char *name, *slug, *say; };

struct db;                                              /* a way to run statements: alone, or inside one transaction */
struct db *db(struct ctx *c);                           /* each statement by itself, on the worker's shared pipelined connection */
struct db *tx_begin(struct ctx *c);                     /* never NULL: a failed begin makes every later call fail   */
int   tx_commit(struct db *tx) MUST_USE;                /* Waits. After an error: rolls back and returns that error */
void  tx_abandon(struct db **tx);                       /* rolls back unless committed; the scope's end             */
#define TX(name, c) struct db *name __attribute__((cleanup(tx_abandon))) = tx_begin(c)

enum rows { ROWS_NONE, ROWS_ONE, ROWS_MAYBE, ROWS_MANY };
struct query {                                          /* what sql2h makes of a statement                          */
        const char *name, *sql;                         /* with $1, $2 ...                                          */
        const struct type *in, *out;                    /* out NULL: no rows                                        */
        enum rows   rows;
        const char *const *params;                      /* path of each: "id", "rows.quantity", "total.minor", ":caller", ":now"; NULL-terminated */
        struct query_plan *plan;                        /* one a query, static, all zero at first                   */
};
struct query_plan {                                     /* filled at first use or by db_check(); shared by all threads; db's own business */
        struct plan *_Atomic made;
};
/* What the typed functions call. out: struct Out *, struct Out_list * for ROWS_MANY, NULL for none; rows lie in the ctx's arena.
 * Waits. returns rows (>= 0), or as above */
int   db_run(struct db *d, const struct query *q, const void *in, void *out);
/* Only in a transaction: queues without waiting; `in` must live until the next waiting call. Rows are dropped. returns 0, or the sticky error */
int   db_later(struct db *tx, const struct query *q, const void *in);
/* Free-form, for kit, migrations and tests: text SQL, no parameters, no rows wanted. Waits. returns rows affected */
int   db_exec(struct db *d, const char *sql);
int64_t db_count(struct db *d, const char *sql);        /* the first column of the first row as a number; -code on failure */

/* Prepares each query on the database and holds its parameters and columns against the C structs. Waits.
 *   returns  0, or -INTERNAL naming the statement and the column */
int   db_check(struct ctx *c, const struct query *const *queries);

/* What the next transaction of this ctx must also do: move a consumer's position, record an idempotency key. Set by the edge. */
struct rider {
        int (*at_begin)(struct db *tx, struct rider *r);        /* queues statements; may be NULL           */
        int (*at_commit)(struct db *tx, struct rider *r);       /* queues statements; may be NULL           */
        bool rode;                                              /* a transaction committed with it          */
};
struct ctx *db_ctx(struct db *d);
struct db_stats { uint64_t statements, transactions, failures, round_trips; };   /* of this thread, for budget tests */
struct db_stats db_stats(void);
/* Each statement used so far, of all threads since the start. Later ones have no time of their own. Threads: any. */
struct query_stats { const char *name; uint64_t runs, failures, us; };
void query_stats_each(void (*fn)(const struct query_stats *s, void *arg), void *arg);
#endif
