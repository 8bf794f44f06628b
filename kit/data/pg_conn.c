/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_conn.c - one connection: what is sent, what comes back, in order, and what becomes of it when the connection is lost.
 *
 * libpq is nonblocking here. Its socket is watched by the loop; what can be read is read at once and handed to the jobs it belongs to, on
 * the loop's own stack; fibers only sleep and wake. Nothing in this file waits but conn_wait(). Opening lies in
 * pg_open.c.
 *
 *     sent:      PREPARE QUERY SYNC | QUERY SYNC | QUERY QUERY SYNC ...         one ring, oldest first
 *     a failure: that entry gets it; libpq marks the rest up to its SYNC as aborted; the next job is untouched       */
#include "pg_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "loop.h"
#include "pool.h"

static const char *const words[] = { [ID_BEGIN] = "begin", [ID_COMMIT] = "commit", [ID_ROLLBACK] = "rollback" };

/* ---- jobs --------------------------------------------------------------------------------------------------------- */

struct job *job_new(void)
{
        return alloc_should_fail() ? NULL : calloc(1, sizeof(struct job));
}

struct job *job_free(struct job *j)
{
        if (!j) return NULL;
        PQclear(j->rows);
        PQclear(j->error);
        free(j);
        return NULL;
}

static void job_end(struct conn *k, struct job *j, bool lost)
{
        k->ended++;
        j->done = true;
        j->lost = lost;
        if (j->slot) sem_give(j->slot);
        if (j->fiber) fiber_wake(j->fiber);
        else job_free(j);
}

int conn_wait(struct ctx *c, struct job **j, const char *where)
{
        while (!(*j)->done) {
                int code = fiber_park(c, where);
                if (code < 0 && !(*j)->done) {
                        (*j)->fiber = NULL;
                        *j = NULL;
                        return code;
                }
        }
        return 0;
}

int job_verdict(struct ctx *c, const struct job *j, const char *what)
{
        if (j->error) return sqlstate_fail(c, j->error_of ? j->error_of->q->name : what, j->error);
        if (j->lost) return fail_down(c, BACKOFF_MIN_MS, "the connection was lost");
        return 0;
}

/* ---- the ring of what will be answered ------------------------------------------------------------------------------ */

static struct entry *ring_at(const struct conn *k, uint32_t i) { return &k->fifo[(k->head + i) & (k->cap - 1)]; }

static bool ring_push(struct conn *k, struct entry e)
{
        if (k->n == k->cap) {
                uint32_t cap = k->cap ? k->cap * 2 : 64;
                struct entry *fifo = alloc_should_fail() ? NULL : malloc(cap * sizeof *fifo);
                if (!fifo) return false;
                for (uint32_t i = 0; i < k->n; i++)
                        fifo[i] = *ring_at(k, i);
                free(k->fifo);
                k->fifo = fifo;
                k->head = 0;
                k->cap = cap;
        }
        k->n++;
        *ring_at(k, k->n - 1) = e;
        return true;
}

static void ring_pop(struct conn *k)
{
        k->head = (k->head + 1) & (k->cap - 1);
        k->n--;
}

static bool is_in(const uint64_t *set, uint32_t id)     { return set[id / 64] >> (id % 64) & 1; }
static void set_add(uint64_t *set, uint32_t id)         { set[id / 64] |= UINT64_C(1) << (id % 64); }
static void set_drop(uint64_t *set, uint32_t id)        { set[id / 64] &= ~(UINT64_C(1) << (id % 64)); }

/* ---- losing it ------------------------------------------------------------------------------------------------------ */

static void poll_closed(uv_handle_t *h)
{
        struct pg *pg = h->data;
        free(h);
        pg->handles--;
        pg_changed(pg);
}

static void unwatch(struct conn *k)
{
        if (!k->poll) return;
        k->poll->data = k->pg;
        uv_close((uv_handle_t *)take(&k->poll), poll_closed);
}

void conn_lose(struct conn *k, const char *why)
{
        if (k->lost) return;
        k->lost = true;
        snprintf(k->why, sizeof k->why, "%.*s", (int)strcspn(why, "\n"), why);
        unwatch(k);
        while (k->n) {
                struct entry e = *ring_at(k, 0);
                ring_pop(k);
                if (e.kind == ENTRY_SYNC || e.kind == ENTRY_TEXT) job_end(k, e.job, true);
        }
        event_flag_signal(&k->quiet);
        pg_lost(k);
}

struct conn *conn_close(struct conn *k)
{
        if (!k) return NULL;
        k->kind = CONN_GONE;
        conn_lose(k, "closed");
        if (k->cancel) {
                k->cancel->conn = NULL;
                if (k->cancel->fiber) fiber_cancel(k->cancel->fiber);
        }
        PQfinish(k->pq);
        free(k->fifo);
        free(k);
        return NULL;
}

/* ---- what comes back ------------------------------------------------------------------------------------------------ */

static void answer_failed(struct conn *k, struct entry *e, PGresult *r)
{
        struct job *j = e->job;
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
        bool unknown = state && !strcmp(state, "26000");
        bool stale = state && !strcmp(state, "0A000") && e->kind == ENTRY_QUERY && e->plan;      /* "cached plan must not change result type" */
        bool cancelled = state && !strcmp(state, "57014") && k->cancels != j->cancels;
        if (e->kind == ENTRY_PREPARE || unknown) set_drop(k->known, e->id);
        if (stale) {
                set_drop(k->known, e->id);
                set_add(k->stale, e->id);
        }
        if (j->error) {
                PQclear(r);
                return;
        }
        j->error = r;
        j->error_of = e->plan;
        j->again = k->kind == CONN_SHARED && j->fiber && (unknown || stale || cancelled);
        if (e->plan) e->plan->failures++;
}

static void answer(struct conn *k, struct entry *e, PGresult *r)
{
        switch (PQresultStatus(r)) {
        case PGRES_PIPELINE_SYNC: {
                struct job *j = e->job;
                PQclear(r);
                if (e->kind != ENTRY_SYNC) return conn_lose(k, "answers and statements do not match");
                ring_pop(k);
                return job_end(k, j, false);
        }
        case PGRES_COMMAND_OK: case PGRES_TUPLES_OK: case PGRES_EMPTY_QUERY:
                if (e->keep) {
                        PQclear(e->job->rows);
                        e->job->rows = r;
                } else PQclear(r);
                break;
        case PGRES_PIPELINE_ABORTED:
                if (e->kind == ENTRY_PREPARE) set_drop(k->known, e->id);
                PQclear(r);
                break;
        case PGRES_FATAL_ERROR: case PGRES_BAD_RESPONSE:
                answer_failed(k, e, r);
                break;
        default:
                PQclear(r);
                return conn_lose(k, "an answer of a kind that was not asked for (COPY)");
        }
        e->answered = true;
}

/* The NULL after an entry's result. false: it belongs to nothing here. */
static bool answer_ends(struct conn *k, struct entry *e)
{
        if (e->kind == ENTRY_TEXT) {
                struct job *j = e->job;
                ring_pop(k);
                if (PQenterPipelineMode(k->pq) != 1) conn_lose(k, "it cannot enter pipeline mode");
                job_end(k, j, k->lost);
                return true;
        }
        if (!e->answered) return false;
        if (e->kind == ENTRY_SYNC) e->answered = false;         /* a failure at commit; its Sync is still to come */
        else ring_pop(k);
        return true;
}

static bool is_left(const struct conn *k)
{
        return !k->lost && k->n && !ring_at(k, 0)->job->fiber;
}

void conn_left(struct conn *k)
{
        if (is_left(k)) conn_cancel(k);
}

static void deliver(struct conn *k)
{
        int nulls = 0;
        while (k->n && !k->lost && !PQisBusy(k->pq)) {
                struct entry *e = ring_at(k, 0);
                PGresult *r = PQgetResult(k->pq);
                if (r) answer(k, e, r);
                else if (!answer_ends(k, e) && ++nulls > 2) return conn_lose(k, "answers and statements do not match");
        }
        if (!k->n) event_flag_signal(&k->quiet);
        else if (k->kind == CONN_SHARED) conn_left(k);
}

static void on_ready(uv_poll_t *h, int status, int events);

static void listen_to(struct conn *k, int events)
{
        if (k->armed == events || k->lost) return;
        k->armed = events;
        if (uv_poll_start(k->poll, events, on_ready) != 0) conn_lose(k, "its socket cannot be watched");
}

/* Sends what the kernel takes; the rest goes when it takes more. */
static void push(struct conn *k)
{
        if (k->lost) return;
        int left = PQflush(k->pq);
        if (left < 0 || PQstatus(k->pq) != CONNECTION_OK) return conn_lose(k, PQerrorMessage(k->pq));
        listen_to(k, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
        if (left) deliver(k);           /* libpq reads while it cannot write */
}

static void on_ready(uv_poll_t *h, int status, int events)
{
        struct conn *k = h->data;
        if (status < 0) return conn_lose(k, uv_strerror(status));
        bool open = !(events & UV_READABLE) || PQconsumeInput(k->pq);
        deliver(k);
        if (!open || PQstatus(k->pq) != CONNECTION_OK) return conn_lose(k, PQerrorMessage(k->pq));
        if (events & UV_WRITABLE) push(k);
}

/* ---- what is sent --------------------------------------------------------------------------------------------------- */

/* ok: libpq took it. A connection that cannot keep count of its answers is of no more use. */
static bool sent(struct conn *k, int ok, struct entry e)
{
        if (ok && ring_push(k, e)) return true;
        conn_lose(k, ok ? "out of memory" : PQerrorMessage(k->pq));
        return false;
}

static bool prepare(struct conn *k, struct job *j, struct plan *plan, const char *name)
{
        if (is_in(k->known, plan->id)) return true;
        Oid types[SQL_PARAMS_MAX];
        for (size_t i = 0; i < plan->n; i++)
                types[i] = plan->v[i].oid;
        if (is_in(k->stale, plan->id)) {
                char drop[32];
                snprintf(drop, sizeof drop, "deallocate %s", name);
                set_drop(k->stale, plan->id);
                struct entry e = { .kind = ENTRY_QUERY, .id = plan->id, .job = j };
                if (!sent(k, PQsendQueryParams(k->pq, drop, 0, NULL, NULL, NULL, NULL, 1), e)) return false;
        }
        int ok = PQsendPrepare(k->pq, name, plan->q->sql, (int)plan->n, types);
        set_add(k->known, plan->id);
        return sent(k, ok, (struct entry){ .kind = ENTRY_PREPARE, .id = plan->id, .plan = plan, .job = j });
}

int conn_query(struct ctx *c, struct conn *k, struct job *j, struct plan *plan, const void *in, bool keep)
{
        const char *values[SQL_PARAMS_MAX];
        int lengths[SQL_PARAMS_MAX], formats[SQL_PARAMS_MAX];
        char name[16];
        if (k->lost) return 0;
        buf_clear(&k->pg->scratch);
        TRY(params_write(c, plan, in, &k->pg->scratch, values, lengths, formats));
        snprintf(name, sizeof name, "s%u", plan->id);
        if (prepare(k, j, plan, name))
                sent(k, PQsendQueryPrepared(k->pq, name, (int)plan->n, values, lengths, formats, 1),
                     (struct entry){ .kind = ENTRY_QUERY, .keep = keep, .id = plan->id, .plan = plan, .job = j });
        plan->runs++;
        k->pg->statements++;
        buf_trim(&k->pg->scratch, 64 * 1024);
        return 0;
}

void conn_word(struct conn *k, struct job *j, unsigned id, bool keep)
{
        if (!k->lost && !is_in(k->known, id)) {
                set_add(k->known, id);
                sent(k, PQsendPrepare(k->pq, words[id], words[id], 0, NULL), (struct entry){ .kind = ENTRY_PREPARE, .id = id, .job = j });
        }
        if (!k->lost)
                sent(k, PQsendQueryPrepared(k->pq, words[id], 0, NULL, NULL, NULL, 1),
                     (struct entry){ .kind = ENTRY_QUERY, .keep = keep, .id = id, .job = j });
}

void conn_describe(struct conn *k, struct job *j, struct plan *plan)
{
        char name[16];
        struct entry e = { .kind = ENTRY_DESCRIBE, .keep = true, .id = plan->id, .plan = plan, .job = j };
        snprintf(name, sizeof name, "s%u", plan->id);
        if (!k->lost && prepare(k, j, plan, name)) sent(k, PQsendDescribePrepared(k->pq, name), e);
}

/* A job of a connection that was lost meanwhile is done here; one whose fiber never waits is freed. */
static void job_sent(struct conn *k, struct job *j, bool ok)
{
        if (!ok) job_end(k, j, true);
        else push(k);
}

void conn_sync(struct conn *k, struct job *j)
{
        j->cancels = k->cancels - (k->cancel ? 1 : 0);
        struct entry e = { .kind = ENTRY_SYNC, .job = j };
        job_sent(k, j, !k->lost && sent(k, PQpipelineSync(k->pq), e));
}

void conn_text(struct conn *k, struct job *j, const char *sql)
{
        assert(k->lost || !k->n);
        j->cancels = k->cancels - (k->cancel ? 1 : 0);
        struct entry e = { .kind = ENTRY_TEXT, .keep = true, .job = j };
        job_sent(k, j, !k->lost && sent(k, PQexitPipelineMode(k->pq) && PQsendQuery(k->pq, sql), e));
}

/* ---- cancelling at the server ------------------------------------------------------------------------------------------ */

static int ask(void *arg)
{
        char err[256];
        return PQcancel(arg, err, sizeof err) ? 0 : -UNAVAILABLE;
}

static void forget(void *arg)
{
        PQfreeCancel(arg);
}

/* Asks again while what was left behind still runs: a request that comes too early is forgotten by the server. */
static void cancel_main(void *arg)
{
        struct cancel *cancel = arg;
        struct pg *pg = cancel->pg;
        struct ctx c = { .arena = arena_try(64 * 1024), .op = "db_cancel", .pg = pg, .deadline_us = deadline_in(DRAIN_MS) };
        uint64_t ended = cancel->conn ? cancel->conn->ended : 0;
        int code = 0;
        cancel->fiber = fiber_self();
        while (c.arena && code == 0 && cancel->conn && is_left(cancel->conn)) {         /* no memory: the connection is given up */
                if (cancel->conn->ended != ended) c.deadline_us = deadline_in(DRAIN_MS);        /* it is another's turn */
                ended = cancel->conn->ended;
                cancel->conn->cancels++;
                code = pool_ask(&c, ask, cancel->pq, forget);
                if (pool_dropped(code)) cancel->pq = NULL;
                else code = fiber_sleep(&c, CANCEL_AGAIN_MS);
        }
        if (cancel->conn) {
                struct conn *k = cancel->conn;
                k->cancel = NULL;
                if (is_left(k) && k->ended == ended && !pg->closing) conn_lose(k, "the server does not answer");
                event_flag_signal(&k->quiet);
        }
        forget(cancel->pq);
        free(cancel);
        arena_free(c.arena);
        pg_helper_ends(pg);
}

void conn_cancel(struct conn *k)
{
        if (k->cancel || k->lost || k->pg->closing) return;
        struct cancel *cancel = alloc_should_fail() ? NULL : calloc(1, sizeof *cancel);
        if (!cancel) return;
        *cancel = (struct cancel){ .pg = k->pg, .conn = k, .pq = PQgetCancel(k->pq) };
        if (!cancel->pq || !pg_helper(k->pg, "db_cancel", cancel_main, cancel)) {
                forget(cancel->pq);
                free(cancel);
                return;
        }
        k->cancel = cancel;
        k->cancels++;
}

/* ---- made and watched -------------------------------------------------------------------------------------------------- */

struct conn *conn_new(struct pg *pg, enum conn_kind kind, PGconn *pq)
{
        struct conn *k = alloc_should_fail() ? NULL : calloc(1, sizeof *k);
        uv_poll_t *poll = calloc(1, sizeof *poll);
        if (!k || !poll || PQsetnonblocking(pq, 1) != 0 || PQenterPipelineMode(pq) != 1 ||
            uv_poll_init(loop_uv(loop_self()), poll, PQsocket(pq)) != 0) {
                free(k);
                free(poll);
                return NULL;
        }
        *k = (struct conn){ .pg = pg, .kind = kind, .pq = pq, .poll = poll };
        event_flag_init(&k->quiet);
        poll->data = k;
        pg->handles++;
        listen_to(k, UV_READABLE);
        return k;
}
