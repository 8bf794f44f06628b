/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg.c - a worker's way to one database: open, close, look at; and making databases. */
#include "pg_internal.h"
#include <stdlib.h>
#include "clock.h"

enum { CLOSE_MS = 2000 };

static char *copy(str s)
{
        char *z = strndup(s.p ? s.p : "", s.n);
        if (!z) abort();
        return z;
}

struct pg *pg_open(const struct pg_options *o)
{
        struct pg *pg = calloc(1, sizeof *pg);
        if (!pg) abort();
        *pg = (struct pg){
                .url = copy(o->url), .name = copy(str_of(o->name ? o->name : "souk")),
                .role = o->role ? copy(str_of(o->role)) : NULL,
                .constraints = o->constraints,
                .transactions_max = o->transactions_max > 0 ? o->transactions_max : 8,
                .pipeline_max = o->pipeline_max > 0 ? o->pipeline_max : 1024,
                .statement_timeout_ms = o->statement_timeout_ms > 0 ? o->statement_timeout_ms : SECONDS(10),
                .scratch = BUF_INIT(PARAMS_MAX_BYTES),
        };
        event_flag_init(&pg->changed);
        sem_setup(&pg->slots, pg->pipeline_max);
        sem_setup(&pg->room, pg->transactions_max);
        list_init(&pg->idle);
        list_init(&pg->dead);
        return pg;
}

static bool is_working(const struct pg *pg)
{
        return pg->busy || pg->helpers || (pg->shared && pg->shared->n);
}

/* Waits on a ctx of its own: what is closed must not depend on who closes it. */
static void settle(struct pg *pg, int ms, bool (*goes_on)(const struct pg *pg))
{
        int64_t end = deadline_in(ms);
        while (goes_on(pg) && clock_us() < end) {
                struct arena *a = arena_new(4096);
                struct ctx c = { .arena = a, .op = "db_close", .deadline_us = MIN(end, deadline_in(20)) };
                if (event_flag_wait(&c, &pg->changed) == -CANCELLED) fiber_yield();
                arena_free(a);
        }
}

static bool has_handles(const struct pg *pg)
{
        return pg->handles || pg->helpers;
}

void pg_close(struct pg **p)
{
        if (!p || !*p) return;
        struct pg *pg = take(p);
        pg->closing = true;
        if (pg->keeper) fiber_cancel(pg->keeper);
        if (pg->watcher) fiber_cancel(pg->watcher);
        pg_changed(pg);
        settle(pg, CLOSE_MS, is_working);
        assert(!pg->busy && !pg->leaders);      /* a transaction, or an advisory lock, that outlives its pg */
        if (pg->shared) conn_lose(pg->shared, "closed");
        struct link *e;
        while ((e = list_pop(&pg->idle)) != NULL)
                conn_close(CONTAINER(e, struct conn, link));
        pg_bury(pg);
        settle(pg, DRAIN_MS + CLOSE_MS, has_handles);
        if (has_handles(pg)) return;    /* a request to cancel hangs in connect() and will look at pg: then it is left */
        buf_done(&pg->scratch);
        free(pg->url);
        free(pg->name);
        free(pg->role);
        free(pg);
}

bool pg_is_up(const struct pg *pg)
{
        return pg->state == PG_UP;
}

struct pg_stats pg_stats(const struct pg *pg)
{
        return (struct pg_stats){
                .open = pg->open, .busy = pg->busy, .transactions_max = pg->transactions_max,
                .in_flight = pg->pipeline_max - pg->slots.free, .waiting = pg->waiting,
                .statements = pg->statements, .failures = pg->failures, .reconnects = pg->reconnects, .up = pg_is_up(pg), .read_only = pg_is_read_only(pg),
        };
}

/* ---- making databases ---------------------------------------------------------------------------------------------------- */

static bool is_plain_name(const char *name)
{
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
        return n && n < 64 && !name[n] && (name[0] < '0' || name[0] > '9');
}

/* Runs `make` unless `count` counts something. Another may make it at the same time. */
static int ensure(struct ctx *c, str count, str make)
{
        if (!count.p || !make.p) return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a statement");
        int64_t n = db_count(db(c), count.p);
        if (n) return n < 0 ? (int)n : 0;
        int code = db_exec(db(c), make.p);
        if (code == -ALREADY_EXISTS) fault_clear(c);
        return code == -ALREADY_EXISTS ? 0 : MIN(code, 0);
}

static int ensure_all(struct ctx *c, const char *name)
{
        struct arena *a = c->arena;
        TRY(ensure(c, arena_printf(a, "select count(*) from pg_roles where rolname = '%s'", name),
                   arena_printf(a, "create role %s login", name)));
        TRY(ensure(c, arena_printf(a, "select pg_has_role(current_user, '%s', 'member')::int", name),
                   arena_printf(a, "grant %s to current_user", name)));
        return ensure(c, arena_printf(a, "select count(*) from pg_database where datname = '%s'", name),
                      arena_printf(a, "create database %s owner %s", name, name));
}

int pg_ensure_database(struct ctx *c, str admin_url, const char *dbname)
{
        if (!is_plain_name(dbname)) return fail(c, INVALID_ARGUMENT, "database_name", "%.80s is not a plain name for a database", dbname);
        struct pg *pg AUTO(pg_close) = pg_open(&(struct pg_options){ .url = admin_url, .transactions_max = 1, .name = "souk setup" });
        struct pg *before = c->pg;
        c->pg = pg;
        int code = ensure_all(c, dbname);
        c->pg = before;
        return code;
}
