/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * tx.c - transactions as scopes.
 *
 *     tx_begin                 nothing is sent
 *     db_later                 queued
 *     db_run                   BEGIN (once), what is queued, the statement; one packet, one wait
 *     tx_commit                BEGIN (if not yet), what is queued, COMMIT; one packet, one wait
 *     the end of the scope     ROLLBACK when it was begun and not committed; nobody waits for it
 *
 * The first failure sticks: later calls return it, COMMIT becomes ROLLBACK. Not finding a row is no failure. The connection is
 * borrowed with the first packet and given back at the end; when a fiber left a statement or a COMMIT behind, the pool cancels it
 * and waits. */
#include <stdlib.h>
#include "clock.h"
#include "bound.h"
#include "db_run.h"
#include "outbox_inside.h"

/* ---- failures stick ---------------------------------------------------------------------------------------------------- */

static int stick(struct db *tx, int code)
{
        if (code < 0 && !tx->error) {
                tx->error = code;
                tx->fault = tx->c->fault;
        }
        return code;
}

/* The sticky failure, told again. */
static int told(struct db *tx)
{
        tx->c->fault = tx->fault;
        return tx->error;
}

int db_fail(struct db *tx, int code)
{
        stick(tx, code);
        return tx->error;
}

struct outbox_pack **db_outbox(struct db *tx)
{
        return &tx->pack;
}

/* ---- begin, queue -------------------------------------------------------------------------------------------------------- */

struct db *tx_begin(struct ctx *c)
{
        assert(c->pg);
        assert(!c->tx);                 /* one transaction at a time */
        struct db *tx = arena_one(c->arena, struct db);
        if (!tx) return db_none(c);
        *tx = (struct db){ .c = c, .pg = c->pg, .is_tx = true };
        c->tx = tx;
        struct rider *r = c->rider;
        if (r && !r->rode && r->at_begin) stick(tx, r->at_begin(tx, r));
        return tx;
}

int db_later(struct db *tx, const struct query *q, const void *in)
{
        assert(tx->is_tx && !tx->ended);
        struct ctx *c = tx->c;
        if (tx->error) return told(tx);
        if (tx->n_queue == LATER_MAX) {
                bound_reached(BOUND_DB_QUEUED);
                return stick(tx, fail(c, RESOURCE_EXHAUSTED, "too_many", "more than %d statements queued", LATER_MAX));
        }
        if (tx->n_queue == tx->cap_queue) {
                size_t cap = tx->cap_queue ? tx->cap_queue * 2 : 8;
                struct later *queue = arena_grow(c->arena, tx->queue, tx->cap_queue * sizeof *queue, cap * sizeof *queue);
                if (!queue) return stick(tx, fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a statement"));
                tx->queue = queue;
                tx->cap_queue = cap;
        }
        tx->queue[tx->n_queue++] = (struct later){ q, in };
        db_count_in()->statements++;
        return 0;
}

/* ---- packets --------------------------------------------------------------------------------------------------------------- */

static int packet_open(struct db *tx, struct job **j)
{
        if (tx->conn) TRY(pg_in_time(tx->c));
        else TRY(pg_borrow(tx->c, tx->pg, &tx->conn));
        *j = db_job(tx->c);
        return *j ? 0 : -RESOURCE_EXHAUSTED;
}

/* BEGIN when it was not sent, and what is queued. */
static int packet_fill(struct db *tx, struct job *j)
{
        if (!tx->begun) conn_word(tx->conn, j, ID_BEGIN, false);
        tx->begun = true;
        for (size_t i = 0; i < tx->n_queue; i++) {
                struct plan *plan = plan_of(tx->c, tx->queue[i].q);
                if (!plan) return -(int)tx->c->fault.code;
                TRY(conn_query(tx->c, tx->conn, j, plan, tx->queue[i].in, false));
        }
        tx->n_queue = 0;
        return 0;
}

/* What was sent of a packet that could not be finished: its answers are read, nobody waits. */
static void packet_drop(struct db *tx, struct job *j)
{
        j->fiber = NULL;
        conn_sync(tx->conn, j);
}

/* Sends it off and waits for its end. returns 0 with *j done and well, or a failure with *j gone */
static int packet_send(struct db *tx, struct job **j, const char *where)
{
        struct ctx *c = tx->c;
        conn_sync(tx->conn, *j);
        db_count_in()->round_trips++;
        int code = conn_wait(c, j, where);
        if (code < 0) {
                tx->left = true;
                return code;
        }
        code = job_verdict(c, *j, where);
        if (code < 0) *j = job_free(*j);
        return code;
}

/* ---- statements in it ----------------------------------------------------------------------------------------------------- */

static int run(struct db *tx, struct plan *plan, const void *in, void *out)
{
        struct ctx *c = tx->c;
        struct job *j;
        TRY(packet_open(tx, &j));
        int code = packet_fill(tx, j);
        if (code == 0) code = conn_query(c, tx->conn, j, plan, in, true);
        if (code < 0) {
                packet_drop(tx, j);
                return code;
        }
        TRY(packet_send(tx, &j, plan->q->name));
        code = rows_read(c, plan, j->rows, in, out);
        job_free(j);
        return code;
}

int tx_run(struct db *tx, const struct query *q, const void *in, void *out)
{
        struct ctx *c = tx->c;
        assert(!tx->ended);
        if (tx->error) return told(tx);
        struct plan *plan = plan_of(c, q);
        if (!plan) return stick(tx, -(int)c->fault.code);
        int64_t before = db_limit(c, tx->pg), began = clock_us();
        int code = run(tx, plan, in, out);
        plan->us += (uint64_t)(clock_us() - began);
        c->deadline_us = before;
        return code == -NOT_FOUND ? code : stick(tx, code);
}

static int text(struct db *tx, const char *sql, struct job **out)
{
        struct job *j;
        if (!tx->begun || tx->n_queue) {
                TRY(packet_open(tx, &j));
                int code = packet_fill(tx, j);
                if (code < 0) {
                        packet_drop(tx, j);
                        return code;
                }
                TRY(packet_send(tx, &j, "begin"));
                job_free(j);
        }
        int code = db_text(tx->c, tx->conn, sql, out);
        if (code == -DEADLINE_EXCEEDED || code == -CANCELLED) tx->left = tx->broken = true;
        return code;
}

int tx_text(struct db *tx, const char *sql, struct job **out)
{
        assert(!tx->ended);
        return tx->error ? told(tx) : stick(tx, text(tx, sql, out));
}

/* ---- the end ----------------------------------------------------------------------------------------------------------------- */

static void give_back(struct db *tx)
{
        if (tx->conn) pg_return(tx->conn, tx->left);
        tx->conn = NULL;
}

static void end(struct db *tx, bool committed)
{
        tx->ended = true;
        if (tx->c->tx == tx) tx->c->tx = NULL;
        if (tx->pack) outbox_end(tx, committed);
        tx->pack = NULL;
        if (committed && tx->c->rider) tx->c->rider->rode = true;
        give_back(tx);
}

/* A connection that cannot be told to roll back is closed by the pool, and the server rolls back. */
static void roll_back(struct db *tx)
{
        struct job *j = tx->conn && tx->begun && !tx->broken && !tx->conn->lost ? job_new() : NULL;
        if (j) {
                conn_word(tx->conn, j, ID_ROLLBACK, false);
                conn_sync(tx->conn, j);
        }
        end(tx, false);
}

static int before_commit(struct db *tx)
{
        struct rider *r = tx->c->rider;
        if (r && !r->rode && r->at_commit) TRY(r->at_commit(tx, r));
        if (tx->error) return tx->error;
        return tx->pack ? outbox_write(tx) : 0;
}

static int commit(struct db *tx)
{
        struct ctx *c = tx->c;
        struct job *j;
        TRY(packet_open(tx, &j));
        int code = packet_fill(tx, j);
        if (code < 0) {
                packet_drop(tx, j);
                return code;
        }
        conn_word(tx->conn, j, ID_COMMIT, true);
        TRY(packet_send(tx, &j, "commit"));
        bool stands = j->rows && !strcmp(PQcmdStatus(j->rows), "COMMIT");
        job_free(j);
        return stands ? 0 : fail(c, ABORTED, "database", "the database rolled back");
}

int tx_commit(struct db *tx)
{
        struct ctx *c = tx->c;
        assert(!tx->ended);
        if (tx->is_none) return told(tx);
        if (!tx->error) stick(tx, before_commit(tx));
        if (!tx->error && (tx->begun || tx->n_queue)) {
                int64_t before = db_limit(c, tx->pg);
                stick(tx, commit(tx));
                c->deadline_us = before;
                db_count_in()->transactions++;
        }
        if (tx->error) {
                roll_back(tx);
                return told(tx);
        }
        end(tx, true);
        return 0;
}

void tx_abandon(struct db **tx)
{
        if (!*tx || (*tx)->is_none || (*tx)->ended) return;
        roll_back(*tx);
}
