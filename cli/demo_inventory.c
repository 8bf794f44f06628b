/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * demo_inventory.c - souk demo inventory: ten warehouses change the stock of one product at once, over HTTP.
 *
 * Each warehouse takes in goods, counts anew, sends units to another and fills orders, of which every fourth is cancelled at once; 160 changes times
 * the scale, 64 of them at a time, and all on the same ten rows. What they are is drawn from a fixed seed; some ask for more than there is and must be
 * refused. The warehouses are the demo's own (demo-0 to demo-9) and are used again by the next run; the product is new each time. */
#include "demo_inventory.h"
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "hash.h"

enum { UPDATES_AT_ONCE = 64, SEED = 4, DEMO_BUYERS = 20, CANCELLED_OF = 4 };

const struct flag demo_inventory_flags[] = {
        { "scale", 's', "N", "times 160 changes of stock", .fallback = "1", .number = true, .min = 1, .max = 1000 },
        SHOP_FLAGS,
        JSON_FLAG,
        { 0 } };
const char *const demo_inventory_examples[] = {
        "souk demo inventory", "10 warehouses, 160 changes of one product at once",
        "souk demo inventory --scale 100", "16,000 changes",
        NULL };

static const char *const countries[DEPOTS] = { "DE", "FR", "PL", "SE", "ES", "IT", "GB", "US", "CA", "JP" };

/* ---- the stage ---------------------------------------------------------------------------------------------------------- */

/* Opens it, or finds the one of an earlier run. */
static int depot_open(struct ctx *c, struct depots *d, int i)
{
        struct depot *w = &d->depot[i];
        struct answer answer;
        str one;
        snprintf(w->code, sizeof w->code, "demo-%d", i);
        w->country = countries[i];
        str path = arena_printf(c->arena, "/v1/warehouses?limit=100&country=%s", w->country);
        TRY(shop_must(c, &d->stage.shop, &(struct ask){ GET, path, .as = &d->admin }, &answer));
        for (struct json_walk walk = json_open(member_at(answer.body, "items")); json_next_element(&walk, &one);)
                if (str_eq(text_at(c, one, "code"), str_of(w->code))) snprintf(w->id, sizeof w->id, STR_FMT, STR_ARG(text_at(c, one, "id")));
        if (w->id[0]) return 0;
        str body = arena_printf(c->arena, "{\"code\":\"%s\",\"name\":\"Demo warehouse %d\",\"country\":\"%s\"}", w->code, i, w->country);
        TRY(shop_must(c, &d->stage.shop, &(struct ask){ POST, STR("/v1/warehouses"), body, fresh_key(c), &d->admin }, &answer));
        snprintf(w->id, sizeof w->id, STR_FMT, STR_ARG(text_at(c, answer.body, "id")));
        return 0;
}

static int depot_fill(struct ctx *c, struct depots *d, int i)
{
        struct answer answer;
        str body = arena_printf(c->arena, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}],\"warehouse_id\":\"%s\",\"note\":\"demo\"}", d->stage.product, FIRST_STOCK,
                                d->depot[i].id);
        d->depot[i].told = FIRST_STOCK;
        return shop_must(c, &d->stage.shop, &(struct ask){ POST, STR("/v1/inventory/receipts"), body, fresh_key(c), &d->stage.staff }, &answer);
}

/* Less comes in than is asked for, so that refusals come too. */
static void updates_draw(struct depots *d)
{
        struct rand dice;
        rand_seed(&dice, SEED);
        for (int i = 0; i < d->n; i++) {
                struct update *u = &d->updates[i];
                u->kind = (enum update_kind)((i / DEPOTS) % UPDATE_KINDS);
                u->from = i % DEPOTS;
                u->to = (u->from + 1 + (int)rand_below(&dice, DEPOTS - 1)) % DEPOTS;
                u->units = 1 + (int)rand_below(&dice, u->kind == A_TRANSFER ? 12 : 4);
                if (u->kind == AN_ADJUSTMENT && rand_below(&dice, 2)) u->units = -4 * u->units;
                uid_format(uid_v7(clock_now()), u->key);
        }
}

/* ---- the changes --------------------------------------------------------------------------------------------------------- */

static const char *const paths[UPDATE_KINDS] = { "/v1/inventory/receipts", "/v1/inventory/adjustments", "/v1/inventory/transfers", "/v1/orders" };

static str update_body(struct ctx *c, const struct depots *d, const struct update *u)
{
        const struct depot *from = &d->depot[u->from];
        const char *product = d->stage.product;
        switch (u->kind) {
        case A_RECEIPT:
                return arena_printf(c->arena, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}],\"warehouse_id\":\"%s\"}", product, u->units, from->id);
        case AN_ADJUSTMENT:
                return arena_printf(c->arena, "{\"product_id\":\"%s\",\"warehouse_id\":\"%s\",\"delta\":%d,\"reason\":\"counted\"}", product, from->id, u->units);
        case A_TRANSFER:
                return arena_printf(c->arena, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}],\"from_warehouse_id\":\"%s\",\"to_warehouse_id\":\"%s\"}", product, u->units,
                                    from->id, d->depot[u->to].id);
        default:
                return arena_printf(c->arena, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}],\"ship_to\":{\"name\":\"Demo buyer\",\"line1\":\"1 Main St\","
                                    "\"city\":\"Demoville\",\"country\":\"%s\"}}", product, u->units, from->country);
        }
}

static struct login *buyer_of_update(struct depots *d, int i)
{
        return &d->stage.buyers[i % d->stage.n_buyers];
}

int update_ask(struct ctx *c, struct depots *d, int i, struct answer *out, int *tries)
{
        struct update *u = &d->updates[i];
        struct login *as = u->kind == AN_ORDER ? buyer_of_update(d, i) : &d->stage.staff;
        return stage_insist(c, &d->stage, &(struct ask){ POST, str_of(paths[u->kind]), update_body(c, d, u), str_of(u->key), as }, out, tries);
}

/* Its sale may not be booked yet: whoever is faster, the units come back to where they were. */
static int order_cancel(struct ctx *c, struct depots *d, int i)
{
        struct update *u = &d->updates[i];
        struct answer answer = { 0 };
        int tries = 0;
        str path = arena_printf(c->arena, "/v1/orders/%s/cancel", u->id);
        TRY(stage_insist(c, &d->stage, &(struct ask){ POST, path, STR("{\"reason\":\"Changed my mind\"}"), .as = buyer_of_update(d, i) }, &answer, &tries));
        if (answer.status != 200) return fail(c, FAILED_PRECONDITION, "not_cancelled", "an order could not be cancelled: " STR_FMT, STR_ARG(problem_of(c, &answer)));
        u->cancelled = true;
        d->cancelled++;
        return 0;
}

static int update_one(struct ctx *c, int i, void *arg)
{
        struct depots *d = arg;
        struct update *u = &d->updates[i];
        struct answer answer = { 0 };
        int64_t begun = clock_us();
        TRY(update_ask(c, d, i, &answer, &u->tries));
        u->us = clock_us() - begun;
        u->status = answer.status;
        u->answer = hash_quick(answer.body);
        snprintf(u->slug, sizeof u->slug, STR_FMT, STR_ARG(text_at(c, answer.body, "slug")));
        snprintf(u->id, sizeof u->id, STR_FMT, STR_ARG(text_at(c, answer.body, "id")));
        if (!is_done(u)) return 0;
        d->done[u->kind]++;
        if (u->kind == A_RECEIPT || u->kind == AN_ADJUSTMENT) d->depot[u->from].told += u->units;
        if (u->kind == AN_ORDER) return i / (DEPOTS * UPDATE_KINDS) % CANCELLED_OF == 0 ? order_cancel(c, d, i) : 0;
        if (u->kind != A_TRANSFER) return 0;
        d->depot[u->from].told_moved -= u->units;
        d->depot[u->to].told_moved += u->units;
        return 0;
}

static void figures(struct ctx *c, const struct depots *d, struct report *r, int64_t took_us)
{
        static const char *const names[UPDATE_KINDS] = { "receipts", "adjustments", "transfers", "orders" };
        int64_t *us = arena_many(c->arena, int64_t, d->n);
        int64_t tries = 0, done = 0;
        for (int i = 0; i < d->n; i++) {
                us[i] = d->updates[i].us;
                tries += d->updates[i].tries;
        }
        report_int(r, "changes", d->n);
        for (int k = 0; k < UPDATE_KINDS; k++) {
                report_int(r, names[k], d->done[k]);
                done += d->done[k];
        }
        report_int(r, "cancelled", d->cancelled);
        report_int(r, "refused", d->n - done);
        report_int(r, "repeats", tries - d->n);
        report_num(r, "seconds", (double)took_us / 1e6, 3);
        report_num(r, "changes_per_second", (double)d->n * 1e6 / (double)MAX(took_us, 1), 0);
        stage_times(r, us, d->n);
        report_text(r, "product", str_of(d->stage.product));
}

static int stage(struct ctx *c, struct job_of_command *j)
{
        struct depots *d = j->arg;
        struct stage *s = &d->stage;
        struct progress p;
        d->n = (int)(DEPOTS * UPDATES_A_DEPOT * args_number(j->args, "scale"));
        d->updates = calloc((size_t)d->n, sizeof *d->updates);
        if (!d->updates) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory for %d changes", d->n);
        TRY(shop_open(c, j->args, UPDATES_AT_ONCE, &s->shop));
        TRY(shop_account(c, &s->shop, "staff", &s->staff));
        TRY(shop_account(c, &s->shop, "admin", &d->admin));
        TRY(stage_product(c, s, "Lucky lamp of ten warehouses"));
        for (int i = 0; i < DEPOTS; i++) TRY(depot_open(c, d, i));
        for (int i = 0; i < DEPOTS; i++) TRY(depot_fill(c, d, i));
        TRY(stage_buyers(c, s, DEMO_BUYERS));
        updates_draw(d);
        fprintf(stderr, "%d warehouses change the stock of %s, %d times, at " STR_FMT "\n", DEPOTS, s->sku, d->n, STR_ARG(s->shop.url));
        progress_open(&p, "changing", "changes", d->n);
        int64_t begun = clock_us();
        TRY(spread(c, d->n, UPDATES_AT_ONCE, update_one, d, &p));
        int64_t took_us = clock_us() - begun;
        progress_close(&p);
        TRY(depots_check(c, d, &j->report));
        figures(c, d, &j->report, took_us);
        return 0;
}

static int run(struct ctx *c, struct job_of_command *j)
{
        int r = stage(c, j);
        shop_close(&((struct depots *)j->arg)->stage.shop);
        return r;
}

int demo_inventory_command(struct args *a)
{
        struct depots *d = calloc(1, sizeof *d);        /* a login holds a token: too large for a stack */
        if (!d) return 1;
        int status = command_run(a, run, d);
        free(d->updates);
        free(d);
        return status;
}
