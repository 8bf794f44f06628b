/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_shared.c - the shared connection of a worker: who waits for it, and what happens while there is none.
 *
 *            first use                connected
 *     NEW ------------> TRYING ------------------> UP
 *                         |  ^                      | lost
 *                  failed |  `----------------------'              callers wait while TRYING,
 *                         v                                        and get -UNAVAILABLE at once while DOWN
 *                       DOWN --- tries again, backing off ---> UP
 *
 * One fiber, the keeper, lives while there is no connection. */
#include "pg_internal.h"
#include "bound.h"
#include <stdio.h>
#include "clock.h"
#include "hash.h"

void pg_changed(struct pg *pg)
{
        event_flag_signal(&pg->changed);
}

bool pg_helper(struct pg *pg, const char *name, void (*fn)(void *arg), void *arg)
{
        if (fiber_start(name, fn, arg) < 0) return false;
        pg->helpers++;
        return true;
}

void pg_helper_ends(struct pg *pg)
{
        pg->helpers--;
        pg_changed(pg);
}

void pg_bury(struct pg *pg)
{
        struct link *e;
        while ((e = list_pop(&pg->dead)) != NULL)
                conn_close(CONTAINER(e, struct conn, link));
}

static void state_set(struct pg *pg, enum pg_state state)
{
        pg->state = state;
        pg_changed(pg);
}

/* ---- the keeper ------------------------------------------------------------------------------------------------------ */

static int attempt(struct ctx *c, struct pg *pg)
{
        struct conn *k;
        arena_reset(c->arena);
        fault_clear(c);
        int code = conn_open(c, pg, CONN_SHARED, &k);
        if (code == 0) {
                pg->shared = k;
                state_set(pg, PG_UP);
        } else {
                snprintf(pg->why, sizeof pg->why, STR_FMT, STR_ARG(c->fault.message));
        }
        return code;
}

static void keeper_main(void *arg)
{
        struct pg *pg = arg;
        struct ctx c = { .arena = arena_try(256 * 1024), .op = "db_connect", .pg = pg };
        int backoff_ms = BACKOFF_MIN_MS;
        pg->keeper = fiber_self();
        pg_bury(pg);
        while (c.arena && !pg->closing && attempt(&c, pg) < 0 && !fiber_is_cancelled()) {
                int ms = backoff_ms / 2 + (int)random_below((uint32_t)backoff_ms / 2 + 1);
                pg->next_try_us = deadline_in(ms);
                state_set(pg, PG_DOWN);
                if (fiber_sleep(&c, ms) < 0) break;
                pg->reconnects++;
                backoff_ms = MIN(backoff_ms * 2, (int)BACKOFF_MAX_MS);
        }
        pg->keeper = NULL;
        pg->keeping = false;
        arena_free(c.arena);
        pg_helper_ends(pg);
}

/* Fails only for want of memory: then the next caller tries again. */
static void keep(struct pg *pg)
{
        if (pg->keeping || pg->closing || pg->state == PG_UP) return;
        pg->keeping = pg_helper(pg, "db_connect", keeper_main, pg);
}

/* ---- for callers ------------------------------------------------------------------------------------------------------- */

static int down(struct ctx *c, const struct pg *pg)
{
        int64_t left_us = pg->next_try_us - clock_us();
        return fail_down(c, (int)MAX(left_us / 1000, 1), pg->closing ? "it is being closed" : pg->why);
}

/* What has no time left is not sent: then it certainly did not happen. */
int pg_in_time(struct ctx *c)
{
        if (fiber_is_cancelled()) return fail(c, CANCELLED, "cancelled", "cancelled before the database was asked");
        if (ctx_is_late(c)) return fail(c, DEADLINE_EXCEEDED, "deadline_exceeded", "the deadline passed before the database was asked");
        return 0;
}

int pg_up(struct ctx *c, struct pg *pg)
{
        TRY(pg_in_time(c));
        while (pg->state != PG_UP || pg->closing) {
                if (pg->closing) return down(c, pg);
                if (pg->state == PG_NEW) pg->state = PG_TRYING;
                keep(pg);
                if (pg->state == PG_DOWN || !pg->keeping) return down(c, pg);
                TRY(event_flag_wait(c, &pg->changed));
        }
        return 0;
}

int pg_share(struct ctx *c, struct pg *pg, struct conn **out)
{
        for (;;) {
                TRY(pg_up(c, pg));
                if (!sem_try(&pg->slots)) {
                        bound_reached(BOUND_DB_PIPELINE);
                        pg->waiting++;
                        int code = sem_take(c, &pg->slots);
                        pg->waiting--;
                        TRY(code);
                }
                if (pg->shared) break;
                sem_give(&pg->slots);
        }
        *out = pg->shared;
        return 0;
}

void pg_lost(struct conn *k)
{
        struct pg *pg = k->pg;
        if (k->kind == CONN_SHARED && pg->shared == k) {
                pg->shared = NULL;
                list_push(&pg->dead, &k->link);
                snprintf(pg->why, sizeof pg->why, "%s", k->why);
                state_set(pg, PG_TRYING);
                keep(pg);
        } else if (k->kind == CONN_EXCLUSIVE && link_is_in(&k->link)) {         /* nobody uses it */
                link_remove(&k->link);
                pg->n_idle--;
                pg->open--;
                list_push(&pg->dead, &k->link);
                pg_changed(pg);
        }
}
