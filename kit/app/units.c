/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * units.c - services come to life: their databases once a program, their state and batchers once a worker.
 *
 * Databases are made, migrated and checked all at the same time, so that starting takes as long as the slowest service, not as all. */
#include "engine.h"
#include <stdlib.h>

enum { UNIT_ARENA_MAX = 16 << 20, PREPARE_MS = 60000 };

/* ---- databases -------------------------------------------------------------------------------------------------------- */

static void progress(const struct app *a, struct ctx *c, const char *what, const char *service)
{
        if (!a->options || !a->options->progress) return;
        char *text = arena_z(c->arena, arena_printf(c->arena, "%s %s", what, service));
        if (text) a->options->progress(text, a->options->arg);
}

static struct pg *database_open(struct ctx *c, const struct app *a, const struct service *s, int transactions)
{
        str url;
        char *name = arena_z(c->arena, arena_printf(c->arena, "%s%s", a->db_prefix, s->name));
        if (!name || pg_url_with(c, a->admin_url, name, NULL, &url) < 0) return NULL;
        return pg_open(&(struct pg_options){ .url = url, .transactions_max = transactions, .name = s->name, .role = name, .constraints = s->constraints });
}

/* A row about a constraint that is not there would never be met. */
static int check_constraints(struct ctx *c, const struct service *s)
{
        for (const struct constraint *k = s->constraints; k && k->name; k++) {
                str sql = arena_printf(c->arena, "select count(*) from (select conname from pg_constraint union all select relname from pg_class) as t where conname = '%s'%c",
                                       k->name, 0);
                int64_t n = sql.p ? db_count(db(c), sql.p) : 0;
                if (n < 0) return (int)n;
                if (n == 0) return fail(c, INVALID_ARGUMENT, "bad_table", "%s: there is no constraint %s", s->name, k->name);
        }
        return 0;
}

/* An event's payload could name a service twice, a statement could not match: found here, before anything is served. */
static int bring_forward(struct ctx *c, const struct app *a, const struct service *s)
{
        TRY(migrate(c, "kit", kit_migrations));
        if (s->migrations) TRY(migrate(c, s->name, s->migrations));
        progress(a, c, "checking the statements of", s->name);
        TRY(db_check(c, idem_queries));
        TRY(outbox_check(c));
        TRY(check_constraints(c, s));
        return s->queries ? db_check(c, s->queries) : 0;
}

struct preparation { struct app *app; const struct service *service; };

static int prepare_one(struct ctx *c, void *arg)
{
        const struct preparation *p = arg;
        const struct service *s = p->service;
        char *name = arena_z(c->arena, arena_printf(c->arena, "%s%s", p->app->db_prefix, s->name));
        if (!name) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a name");
        c->op = s->name;
        progress(p->app, c, "preparing the database of", s->name);
        TRY(pg_ensure_database(c, p->app->admin_url, name));
        struct pg *pg AUTO(pg_close) = database_open(c, p->app, s, 1);
        if (!pg) return -INVALID_ARGUMENT;
        c->pg = pg;
        int r = bring_forward(c, p->app, s);
        c->pg = NULL;
        return r;
}

int databases_prepare(struct ctx *c, struct app *a)
{
        struct preparation all[SERVICES_MAX];
        ctx_limit(c, PREPARE_MS);
        GROUP(g, c);
        for (size_t i = 0; i < a->n_services; i++) {
                all[i] = (struct preparation){ a, a->services[i] };
                if (a->services[i]->has_db) TRY(group_go(g, prepare_one, &all[i]));
        }
        return group_wait(g);
}

/* ---- units ------------------------------------------------------------------------------------------------------------ */

struct ctx unit_model(struct unit *u)
{
        return (struct ctx){ .unit = u, .pg = u->pg, .op = u->service->name };
}

static int unit_start(struct ctx *parent, struct unit *u)
{
        const struct service *s = u->service;
        struct ctx c = unit_model(u);
        c.arena = parent->arena;
        c.deadline_us = parent->deadline_us;
        if (s->state_bytes && !(u->state = calloc(1, s->state_bytes))) abort();
        if (s->has_db && !(u->pg = database_open(parent, u->worker->app, s, u->worker->app->pg_transactions))) return -INVALID_ARGUMENT;
        c.pg = u->pg;
        int r = s->start ? s->start(&c, u->state) : 0;
        if (r < 0) {
                fault_copy(parent, &c);
                parent->fault = c.fault;
        }
        u->started = r == 0;
        return r;
}

static void unit_stop(struct ctx *parent, struct unit *u)
{
        struct ctx c = unit_model(u);
        c.arena = parent->arena;
        if (u->started && u->service->stop) u->service->stop(&c, u->state);
        u->started = false;
        pg_close(&u->pg);
        free(u->state);
        u->state = NULL;
}

static void batchers_open(struct worker *w)
{
        for (size_t i = 0; i < w->app->n_batched; i++) {
                const struct op *op = w->app->batched[i];
                struct ctx model = unit_model(unit_of(w, op));
                w->batchers[i] = batcher_open(&model, &(struct batcher_options){ .name = op->name, .fn = op->batch, .waiting_max = w->app->batch_waiting });
        }
}

int units_start(struct ctx *c, struct worker *w)
{
        w->n_units = w->app->n_services;
        for (size_t i = 0; i < w->n_units; i++) w->units[i] = (struct unit){ .service = w->app->services[i], .worker = w };
        for (size_t i = 0; i < w->n_units; i++) {
                int r = unit_start(c, &w->units[i]);
                if (r < 0) {
                        units_stop(c, w);
                        return r;
                }
        }
        batchers_open(w);
        return 0;
}

void units_stop(struct ctx *c, struct worker *w)
{
        for (size_t i = 0; i < BATCHERS_MAX; i++)
                if (w->batchers[i]) batcher_close(&w->batchers[i]);
        while (w->n_units) unit_stop(c, &w->units[--w->n_units]);
}

/* ---- events ------------------------------------------------------------------------------------------------------------ */

static const struct service *source_of(const struct app *a, const struct event *e)
{
        for (size_t i = 0; i < a->n_services; i++)
                for (const struct event *const *m = a->services[i]->emits; m && *m; m++)
                        if (!strcmp((*m)->topic, e->topic)) return a->services[i];
        return NULL;
}

/* The rows of one service that share an operation and a source are one consumer with one position. */
static int subscribe(struct ctx *c, struct unit *u, const struct consumer_row *row)
{
        const struct service *source = source_of(u->worker->app, row->event);
        const char *topics[32 + 1] = { NULL };
        const struct event *events[32] = { NULL };
        size_t n = 0;
        if (!source) return 0;          /* does not run here: its events do not come this way */
        for (const struct consumer_row *r = u->service->consumers; r->event; r++) {
                if (r->op != row->op || source_of(u->worker->app, r->event) != source) continue;
                if (r < row) return 0;  /* an earlier row took this one along */
                if (n == COUNT(events)) return fail(c, INVALID_ARGUMENT, "bad_table", "%s: over %zu events", r->op->name, COUNT(events));
                topics[n] = r->event->topic;
                events[n++] = r->event;
        }
        char *name = arena_z(c->arena, arena_printf(c->arena, "%s.%s", u->service->name, row->op->name));
        if (!name) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a name");
        bus_subscribe(u->worker->app->bus, &(struct subscription){
                .consumer = name, .source = source->name, .topics = topics, .events = events, .model = unit_model(u), .fn = row->op->batch,
                .max = 512, .retries = row->retries ? row->retries : 8, .backoff_ms = row->backoff_ms ? row->backoff_ms : 250 });
        return 0;
}

int bus_bind(struct ctx *c, struct worker *w)
{
        w->app->bus = bus_open();
        for (size_t i = 0; i < w->n_units; i++) {
                struct ctx model = unit_model(&w->units[i]);
                if (w->units[i].pg && w->units[i].service->emits) bus_source(w->app->bus, w->units[i].service->name, &model);
        }
        for (size_t i = 0; i < w->n_units; i++)
                for (const struct consumer_row *r = w->units[i].service->consumers; r && r->event; r++) TRY(subscribe(c, &w->units[i], r));
        return 0;
}
