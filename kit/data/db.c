/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * db.c - statements by themselves: on the worker's shared connection; checked; and what is common to all of them.
 *
 * A statement that failed for no reason of its own and changed nothing (it met another's cancellation, or its preparation was lost) is
 * sent again: each statement here is a transaction of its own. Transactions lie in tx.c. */
#include <stdlib.h>
#include "clock.h"
#include "db_run.h"

enum { TRIES = 3 };

static _Thread_local struct db_stats stats;

struct db_stats db_stats(void)
{
        return stats;
}

struct db_stats *db_count_in(void)
{
        return &stats;
}

/* What is given out when there is no memory for the real thing: every call on it fails. */
struct db *db_none(struct ctx *c)
{
        static _Thread_local struct db none;
        none = (struct db){ .c = c, .is_tx = true, .is_none = true, .error = -RESOURCE_EXHAUSTED,
                            .fault = { .code = RESOURCE_EXHAUSTED, .slug = "memory", .message = STR("no memory for a statement") } };
        return &none;
}

struct db *db(struct ctx *c)
{
        assert(c->pg);
        struct db *d = arena_one(c->arena, struct db);
        if (!d) return db_none(c);
        d->c = c;
        d->pg = c->pg;
        return d;
}

struct ctx *db_ctx(struct db *d)
{
        return d->c;
}

int64_t db_limit(struct ctx *c, const struct pg *pg)
{
        int64_t before = c->deadline_us;
        if (!before) c->deadline_us = deadline_in(pg->statement_timeout_ms);
        return before;
}

/* ---- one statement ---------------------------------------------------------------------------------------------------- */

struct job *db_job(struct ctx *c)
{
        struct job *j = job_new();
        if (j) j->fiber = fiber_self();
        else (void)!fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a statement");
        return j;
}

static int send_query(struct ctx *c, struct conn *k, struct job *j, struct plan *plan, const void *in)
{
        return conn_query(c, k, j, plan, in, true);
}

static int send_describe(struct ctx *c, struct conn *k, struct job *j, struct plan *plan, const void *in)
{
        (void)c;
        (void)in;
        conn_describe(k, j, plan);
        return 0;
}

typedef int (*send_fn)(struct ctx *c, struct conn *k, struct job *j, struct plan *plan, const void *in);

/* One round trip on the shared connection. returns 0 with a done job in *out, or a failure */
static int trip(struct ctx *c, struct pg *pg, struct plan *plan, const void *in, send_fn send, struct job **out)
{
        struct conn *k;
        TRY(pg_share(c, pg, &k));
        struct job *j = db_job(c);
        int code = j ? send(c, k, j, plan, in) : -RESOURCE_EXHAUSTED;
        if (code < 0) {
                job_free(j);
                sem_give(&pg->slots);
                return code;
        }
        j->slot = &pg->slots;
        conn_sync(k, j);
        stats.round_trips++;
        code = conn_wait(c, &j, plan->q->name);
        if (code < 0) conn_left(k);
        *out = j;
        return code;
}

/* A trip, again when its failure was not its own. returns 0 with a job that succeeded, or a failure */
static int trips(struct ctx *c, struct pg *pg, struct plan *plan, const void *in, send_fn send, struct job **out)
{
        for (int tries = 1;; tries++) {
                struct job *j;
                TRY(trip(c, pg, plan, in, send, &j));
                if (j->error && j->again && tries < TRIES) {
                        job_free(j);
                        continue;
                }
                int code = job_verdict(c, j, plan->q->name);
                if (code == 0) *out = j;
                else job_free(j);
                return code;
        }
}

static int run_alone(struct db *d, const struct query *q, const void *in, void *out)
{
        struct ctx *c = d->c;
        struct plan *plan = plan_of(c, q);
        struct job *j = NULL;
        if (!plan) return -(int)c->fault.code;
        int64_t before = db_limit(c, d->pg), began = clock_us();
        int code = trips(c, d->pg, plan, in, send_query, &j);
        if (code == 0) code = rows_read(c, plan, j->rows, in, out);
        job_free(j);
        plan->us += (uint64_t)(clock_us() - began);
        c->deadline_us = before;
        return code;
}

int db_run(struct db *d, const struct query *q, const void *in, void *out)
{
        stats.statements++;
        int code = d->is_tx ? tx_run(d, q, in, out) : run_alone(d, q, in, out);
        if (code < 0 && code != -NOT_FOUND) {
                stats.failures++;
                if (d->pg) d->pg->failures++;
        }
        return code;
}

/* ---- text --------------------------------------------------------------------------------------------------------------- */

/* Outside a transaction text takes an exclusive connection: many statements in one text are one implicit transaction. */
static int text_alone(struct db *d, const char *sql, struct job **out)
{
        struct ctx *c = d->c;
        struct conn *k;
        TRY(pg_borrow(c, d->pg, &k));
        int code = db_text(c, k, sql, out);
        pg_return(k, code < 0);
        return code;
}

int db_text(struct ctx *c, struct conn *k, const char *sql, struct job **out)
{
        struct job *j = db_job(c);
        if (!j) return -RESOURCE_EXHAUSTED;
        conn_text(k, j, sql);
        stats.round_trips++;
        TRY(conn_wait(c, &j, "text"));
        int code = job_verdict(c, j, "text");
        if (code == 0) *out = j;
        else job_free(j);
        return code;
}

static int64_t text(struct db *d, const char *sql, int64_t (*read)(struct ctx *c, PGresult *r))
{
        struct ctx *c = d->c;
        struct job *j = NULL;
        stats.statements++;
        int64_t before = d->is_none ? 0 : db_limit(c, d->pg);
        int64_t code = d->is_tx ? tx_text(d, sql, &j) : text_alone(d, sql, &j);
        if (code == 0) code = read(c, j->rows);
        else stats.failures++;
        job_free(j);
        if (!d->is_none) c->deadline_us = before;
        return code;
}

static int64_t read_affected(struct ctx *c, PGresult *r)
{
        (void)c;
        return r ? MIN(strtoll(PQcmdTuples(r), NULL, 10), INT32_MAX) : 0;
}

static int64_t read_number(struct ctx *c, PGresult *r)
{
        int64_t n;
        if (!r || PQntuples(r) < 1 || PQnfields(r) < 1) return fail(c, NOT_FOUND, "not_found", "no row");
        if (PQgetisnull(r, 0, 0)) return 0;
        const char *text = PQgetvalue(r, 0, 0);
        return int_parse(str_of(text), &n) < 0 ? fail(c, INTERNAL, "database", "not a number: %.40s", text) : n;
}

int db_exec(struct db *d, const char *sql)
{
        return (int)text(d, sql, read_affected);
}

int64_t db_count(struct db *d, const char *sql)
{
        return text(d, sql, read_number);
}

/* ---- checking ------------------------------------------------------------------------------------------------------------ */

static int check_shape(struct ctx *c, struct plan *plan, const PGresult *r)
{
        const struct query *q = plan->q;
        if ((size_t)PQnparams(r) != plan->n)
                return fail(c, INTERNAL, "statement", "%s: %d parameters where %zu are given", q->name, PQnparams(r), plan->n);
        if (!q->out) return 0;
        if (!PQnfields(r)) return fail(c, INTERNAL, "statement", "%s: it gives no rows, %s is asked for", q->name, q->out->name);
        const struct row_plan *rows = plan_rows(c, plan, r);
        return rows ? plan_check_cover(c, plan, rows) : -(int)c->fault.code;
}

static int check_one(struct ctx *c, const struct query *q)
{
        struct plan *plan = plan_of(c, q);
        struct job *j = NULL;
        if (!plan) return -(int)c->fault.code;
        TRY(trips(c, c->pg, plan, NULL, send_describe, &j));
        int code = check_shape(c, plan, j->rows);
        job_free(j);
        return code;
}

int db_check(struct ctx *c, const struct query *const *queries)
{
        assert(c->pg);
        int64_t before = db_limit(c, c->pg);
        int code = 0;
        for (size_t i = 0; queries[i] && code == 0; i++)
                code = check_one(c, queries[i]);
        c->deadline_us = before;
        return code;
}
