/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_pool.c - exclusive connections: borrowed for a transaction, given back when they are out of it.
 *
 * At most transactions_max at once; who comes first is served first; the connection used last is the next to be used. One that is
 * given back in the middle of something (a fiber left, a rollback is on its way) is watched by a fiber until it is quiet; its
 * place is free only then. */
#include "pg_internal.h"
#include "bound.h"
#include "clock.h"

/* The caller's k is gone after this. */
static void discard(struct conn *k)
{
        struct pg *pg = k->pg;
        conn_close(k);
        pg->open--;
        pg->busy--;
        sem_give(&pg->room);
        pg_changed(pg);
}

static bool is_fit(const struct conn *k)
{
        return !k->lost && !k->n && !k->cancel && PQtransactionStatus(k->pq) == PQTRANS_IDLE;
}

static void keep(struct conn *k)
{
        struct pg *pg = k->pg;
        list_push_front(&pg->idle, &k->link);
        pg->n_idle++;
        pg->busy--;
        sem_give(&pg->room);
        pg_changed(pg);
}

static void put(struct conn *k)
{
        if (is_fit(k) && !k->pg->closing) keep(k);
        else discard(k);
}

static void drain_main(void *arg)
{
        struct conn *k = arg;
        struct pg *pg = k->pg;
        struct ctx c = { .arena = arena_try(16 * 1024), .op = "db_drain", .pg = pg, .deadline_us = deadline_in(DRAIN_MS) };
        while (c.arena && !k->lost && (k->n || k->cancel))
                if (event_flag_wait(&c, &k->quiet) < 0) break;
        put(k);
        arena_free(c.arena);
        pg_helper_ends(pg);
}

void pg_return(struct conn *k, bool cancel)
{
        if (is_fit(k) || k->lost) return put(k);
        if (cancel) conn_cancel(k);
        if (!pg_helper(k->pg, "db_drain", drain_main, k)) discard(k);
}

static struct conn *idle_one(struct pg *pg)
{
        struct link *e = list_pop(&pg->idle);
        pg->n_idle -= e != NULL;
        return e ? CONTAINER(e, struct conn, link) : NULL;
}

/* A server that has no connection left for us may have given us some before: then one of those does, when its turn comes. */
static int open_another(struct ctx *c, struct pg *pg, struct conn **out)
{
        int code = conn_open(c, pg, CONN_EXCLUSIVE, out), waited = 0;
        if (code == 0) pg->open++;
        if (code != -UNAVAILABLE) return code;
        pg->waiting++;
        while (!(*out = idle_one(pg)) && pg->open && !pg->closing && waited == 0) waited = event_flag_wait(c, &pg->changed);
        pg->waiting--;
        if (*out) fault_clear(c);
        return *out ? 0 : waited < 0 ? waited : code;
}

int pg_borrow(struct ctx *c, struct pg *pg, struct conn **out)
{
        TRY(pg_up(c, pg));
        pg_bury(pg);
        if (!sem_try(&pg->room)) {
                bound_reached(BOUND_DB_TRANSACTIONS);
                pg->waiting++;
                int code = sem_take(c, &pg->room);
                pg->waiting--;
                TRY(code);
        }
        pg->busy++;
        *out = idle_one(pg);
        int code = *out ? 0 : open_another(c, pg, out);
        if (code < 0) {
                pg->busy--;
                sem_give(&pg->room);
                pg_changed(pg);
        }
        return code;
}
