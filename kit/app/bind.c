/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * bind.c - holds the tables of all services against each other once, before anything is served.
 *
 * Numbers each operation's service (contracts first, so that a route may name another service's operation), makes the endpoints and
 * the router. Whatever is wrong in a table ends the start with a sentence that names the row. */
#include "engine.h"
#include <stdlib.h>

static bool is_wanted(const char *target, const char *name)
{
        if (!target || !*target) return true;
        for (str rest = str_of(target), word; rest.p && (word = str_split(&rest, ','), true);) {
                word = str_trim(word, " ");
                if (str_eq(word, STR("all")) || str_eq(word, str_of(name))) return true;
        }
        return false;
}

/* A name that is no service is told before anything starts. */
static int check_target(struct ctx *c, const struct service *const *services, const char *target)
{
        for (str rest = str_of(target ? target : ""), word; rest.p && (word = str_split(&rest, ','), true);) {
                bool found = false;
                word = str_trim(word, " ");
                if (!word.n || str_eq(word, STR("all"))) continue;
                for (const struct service *const *s = services; *s; s++)
                        if (str_eq(str_of((*s)->name), word)) found = true;
                if (!found) return fail(c, INVALID_ARGUMENT, "no_such_target", "there is no target \"" STR_FMT "\"", STR_ARG(word));
        }
        return 0;
}

/* ---- which service an operation belongs to --------------------------------------------------------------------------- */

/* called: somebody waits for its verdict. A consumer's operation that nobody calls gets no batcher: the bus makes its batches. */
static int number(struct ctx *c, struct app *a, int service, const struct op *op, bool called)
{
        if (!op) return 0;
        if (!op->run == !op->batch) return fail(c, INVALID_ARGUMENT, "bad_table", "%s: exactly one of run and batch", op->name);
        if (!op->slot->service) *op->slot = (struct op_slot){ .service = service + 1 };
        if (!op->batch || !called || op->slot->batcher) return 0;
        if (a->n_batched == BATCHERS_MAX) return fail(c, INVALID_ARGUMENT, "bad_table", "over %d batched operations", BATCHERS_MAX);
        a->batched[a->n_batched++] = op;
        op->slot->batcher = (int)a->n_batched;
        return 0;
}

static int number_ways_in(struct ctx *c, struct app *a, int i)
{
        const struct service *s = a->services[i];
        for (const struct route *r = s->routes; r && r->path; r++) {
                TRY(number(c, a, i, r->op, true));
                TRY(number(c, a, i, r->patches, true));
        }
        for (const struct consumer_row *r = s->consumers; r && r->event; r++) TRY(number(c, a, i, r->op, false));
        for (const struct job *j = s->jobs; j && j->name; j++) TRY(number(c, a, i, j->op, true));
        return 0;
}

static int number_all(struct ctx *c, struct app *a)
{
        for (size_t i = 0; i < a->n_services; i++)
                for (const struct op *const *op = a->services[i]->calls; op && *op; op++) TRY(number(c, a, (int)i, *op, true));
        for (size_t i = 0; i < a->n_services; i++) TRY(number_ways_in(c, a, (int)i));
        return 0;
}

static void forget(const struct op *op)
{
        if (op) *op->slot = (struct op_slot){ 0 };
}

static void forget_all(const struct service *s)
{
        for (const struct op *const *op = s->calls; op && *op; op++) forget(*op);
        for (const struct route *r = s->routes; r && r->path; r++) {
                forget(r->op);
                forget(r->patches);
        }
        for (const struct consumer_row *r = s->consumers; r && r->event; r++) forget(r->op);
        for (const struct job *j = s->jobs; j && j->name; j++) forget(j->op);
}

/* ---- routes ---------------------------------------------------------------------------------------------------------- */

static int check_messages(struct ctx *c, const struct service *s)
{
        char err[256];
        for (const struct event *const *e = s->emits; e && *e; e++) {
                if (type_check((*e)->of, err) < 0) return fail(c, INVALID_ARGUMENT, "bad_table", "event %s: %s", (*e)->topic, err);
                if (!type_field((*e)->of, str_of((*e)->key_field)))
                        return fail(c, INVALID_ARGUMENT, "bad_table", "event %s: no member %s", (*e)->topic, (*e)->key_field);
        }
        for (const struct consumer_row *r = s->consumers; r && r->event; r++)
                if (!r->op->batch || r->op->in != r->event->of)
                        return fail(c, INVALID_ARGUMENT, "bad_table", "%s consumes %s: the operation must be batched and take %s", s->name,
                                    r->event->topic, r->event->of->name);
        return 0;
}

static bool has_slug(const struct slug *slugs, const char *name)
{
        for (; slugs && slugs->name; slugs++)
                if (!strcmp(slugs->name, name)) return true;
        return false;
}

static int check_constraints(struct ctx *c, const struct service *s)
{
        for (const struct constraint *k = s->constraints; k && k->name; k++)
                if (!k->say || !k->slug || (!has_slug(s->slugs, k->slug) && !has_slug(kit_slugs, k->slug)))
                        return fail(c, INVALID_ARGUMENT, "bad_table", "%s: the constraint %s wants a sentence and one of the slugs", s->name, k->name);
        return 0;
}

/* Whoever must say a version reads it first, at the same path. */
static int check_readable(struct ctx *c, const struct app *a, const struct endpoint *e)
{
        const struct endpoint *get = NULL;
        if (e->route->if_match != NEEDS_IF_MATCH || e->route->method == POST) return 0;
        for (size_t i = 0; i < a->n_endpoints && !get; i++)
                if (a->endpoints[i].route->method == GET && !strcmp(a->endpoints[i].route->path, e->route->path)) get = &a->endpoints[i];
        if (get && get->route->version) return 0;
        return fail(c, INVALID_ARGUMENT, "bad_table", "%s: it needs If-Match, but no GET of its path says a version", e->name);
}

static int make_endpoints(struct ctx *c, struct app *a)
{
        size_t n = 0;
        char err[256];
        for (size_t i = 0; i < a->n_services; i++)
                for (const struct route *r = a->services[i]->routes; r && r->path; r++) n++;
        a->endpoints = calloc(n + 1, sizeof *a->endpoints);
        if (!a->endpoints) abort();
        a->router = router_new();
        for (size_t i = 0; i < a->n_services; i++) {
                TRY(check_messages(c, a->services[i]));
                TRY(check_constraints(c, a->services[i]));
                for (const struct route *r = a->services[i]->routes; r && r->path; r++) {
                        struct endpoint *e = &a->endpoints[a->n_endpoints++];
                        if (endpoint_init(e, a->services[i], r, err) < 0 || router_add(a->router, e, err) < 0)
                                return fail(c, INVALID_ARGUMENT, "bad_table", "%s: %s", a->services[i]->name, err);
                        e->service_no = i;
                        e->per_minute = rate_of(a->config, r);
                        stats_endpoint(e);
                }
        }
        resources_find(a->endpoints, a->n_endpoints);
        for (size_t i = 0; i < a->n_endpoints; i++) TRY(check_readable(c, a, &a->endpoints[i]));
        return 0;
}

int app_bind(struct ctx *c, struct app *a, const struct service *const *services, const char *target)
{
        TRY(check_target(c, services, target));
        a->compress = config_bool(a->config, "compress");
        a->cors_origins = config_str(a->config, "cors-origins");
        TRY(cors_check(c, a->cors_origins));
        a->proxies.n = 0;
        TRY(proxies_read(c, config_str(a->config, "trusted-proxies"), &a->proxies));
        a->services[a->n_services++] = &pages_service;
        for (const struct service *const *s = services; *s; s++) {
                if (!is_wanted(target, (*s)->name)) continue;
                if (a->n_services == SERVICES_MAX) return fail(c, INVALID_ARGUMENT, "bad_table", "over %d services", SERVICES_MAX);
                a->services[a->n_services++] = *s;
        }
        TRY(number_all(c, a));
        return make_endpoints(c, a);
}

void app_unbind(struct app *a)
{
        for (size_t i = 0; i < a->n_services; i++) forget_all(a->services[i]);
        for (size_t i = 0; i < a->n_endpoints; i++) endpoint_done(&a->endpoints[i]);
        free(a->endpoints);
        a->endpoints = NULL;
        a->router = router_free(a->router);
        a->n_services = a->n_endpoints = a->n_batched = 0;
}
