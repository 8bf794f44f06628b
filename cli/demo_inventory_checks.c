/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * demo_inventory_checks.c - what must be true of ten warehouses that changed one product at once: answers, ledger and shelves say the same.
 *
 * Three tellings are held against each other, warehouse by warehouse: what the answers to each change said, what the ledger says
 * movement by movement, and what is said to lie there in the end. */
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "demo_inventory.h"
#include "fiber.h"
#include "hash.h"

enum { SETTLE_MS = 30000, LOOK_EVERY_MS = 50, REPEATS_MAX = 100, CHECKS_AT_ONCE = 32 };

struct looking { struct depots *d; int64_t until_us; int repeated, repeats_wrong, orders_wrong; char first_wrong[200]; };

static struct depot *depot_of(struct depots *d, str id)
{
        for (int i = 0; i < DEPOTS; i++)
                if (str_eq(id, str_of(d->depot[i].id))) return &d->depot[i];
        return NULL;
}

static void wrong(struct looking *l, int *count, const struct update *u, const char *what)
{
        if (!(*count)++ && !l->first_wrong[0]) snprintf(l->first_wrong, sizeof l->first_wrong, "; %s: %s", u->id[0] ? u->id : u->key, what);
}

/* ---- answers ------------------------------------------------------------------------------------------------------------- */

static void check_answers(const struct depots *d, struct report *r)
{
        int done = 0, refused = 0;
        const struct update *odd = NULL;
        for (int i = 0; i < d->n; i++) {
                const struct update *u = &d->updates[i];
                if (is_done(u)) done++;
                else if (u->status == 409 && (!strcmp(u->slug, "not_enough_stock") || !strcmp(u->slug, "out_of_stock"))) refused++;
                else if (!odd) odd = u;
        }
        report_check(r, !odd && done + refused == d->n, "every change was made, or refused for want of stock", odd ? "%d made, %d refused of %d; one got %d %s" :
                     "%d made, %d refused of %d", done, refused, d->n, odd ? odd->status : 0, odd ? odd->slug : "");
}

static int look_at_repeat(struct ctx *c, int i, void *arg)
{
        struct looking *l = arg;
        struct update *u = &l->d->updates[i];
        struct answer answer;
        int tries = 0;
        if (!is_done(u) || u->cancelled || l->repeated >= REPEATS_MAX) return 0;        /* a cancelled order says so */
        l->repeated++;
        TRY(update_ask(c, l->d, i, &answer, &tries));
        if (answer.status != u->status || hash_quick(answer.body) != u->answer) wrong(l, &l->repeats_wrong, u, "asked for again with its key, gets another answer");
        return 0;
}

/* Changes nothing, as the checks after it will see. */
static int check_repeats(struct ctx *c, struct depots *d, struct report *r)
{
        struct looking l = { .d = d };
        TRY(spread(c, d->n, CHECKS_AT_ONCE, look_at_repeat, &l, NULL));
        report_check(r, l.repeats_wrong == 0, "a repeat with the same key gets the first answer", "%d of %d%s", l.repeated - l.repeats_wrong, l.repeated, l.first_wrong);
        return 0;
}

/* ---- orders -------------------------------------------------------------------------------------------------------------- */

/* Adds up which warehouses say they filled it. returns whether all of it is sold, not held, and is back if it was cancelled */
static bool parts_read(struct ctx *c, struct depots *d, const struct update *u, str parts, int64_t sold[DEPOTS])
{
        int64_t units = 0;
        str one;
        for (struct json_walk w = json_open(parts); json_next_element(&w, &one);) {
                struct depot *from = depot_of(d, text_at(c, one, "warehouse_id"));
                int64_t quantity = int_at(one, "quantity", 0);
                if (!from || !str_eq(text_at(c, one, "state"), STR("sold")) || int_at(one, "taken_back", -1) != (u->cancelled ? quantity : 0)) return false;
                units += quantity;
                sold[from - d->depot] += quantity;
        }
        return units == u->units;
}

static int look_at_order(struct ctx *c, int i, void *arg)
{
        struct looking *l = arg;
        struct update *u = &l->d->updates[i];
        struct answer answer;
        if (u->kind != AN_ORDER || !is_done(u)) return 0;
        str path = arena_printf(c->arena, "/v1/inventory/allocations/%s", u->id);
        for (bool late = false;; late = clock_us() > l->until_us) {
                int64_t sold[DEPOTS] = { 0 };
                TRY(shop_ask(c, &l->d->stage.shop, &(struct ask){ GET, path, .as = &l->d->stage.staff }, &answer));
                if (parts_read(c, l->d, u, answer.status == 200 ? member_at(answer.body, "items") : STR("[]"), sold)) {
                        for (int k = 0; k < DEPOTS; k++) l->d->depot[k].told_sold += sold[k];
                        for (int k = 0; k < DEPOTS && u->cancelled; k++) l->d->depot[k].told_back += sold[k];
                        return 0;
                }
                if (late) return wrong(l, &l->orders_wrong, u, "is not filled by warehouses of the demo, unit by unit, or did not come back"), 0;
                TRY(fiber_sleep(c, LOOK_EVERY_MS));
        }
}

/* ---- the ledger ---------------------------------------------------------------------------------------------------------- */

static int movements_page(struct ctx *c, struct depots *d, char next[1000], int64_t *n)
{
        struct answer page;
        str one;
        TRY(shop_must(c, &d->stage.shop, &(struct ask){ GET, str_of(next), .as = &d->stage.staff }, &page));
        for (struct json_walk w = json_open(member_at(page.body, "items")); json_next_element(&w, &one); ++*n) {
                struct depot *at = depot_of(d, text_at(c, one, "warehouse_id"));
                int64_t delta = int_at(one, "delta", 0);
                if (!at) return fail(c, DATA_LOSS, "strange_movement", "the product moved in a warehouse that is not the demo's");
                at->summed += delta;
                at->lowest = MIN(at->lowest, at->summed);
                if (str_eq(text_at(c, one, "kind"), STR("transferred"))) at->moved += delta;
                if (str_eq(text_at(c, one, "kind"), STR("sold"))) at->sold -= delta;
                if (str_eq(text_at(c, one, "kind"), STR("cancelled"))) at->back += delta;
        }
        snprintf(next, 1000, STR_FMT, STR_ARG(text_at(c, page.body, "next")));
        return 0;
}

static int movements_read(struct ctx *c, struct depots *d, int64_t *n)
{
        char next[1000];
        snprintf(next, sizeof next, "/v1/inventory/movements/%s?limit=100&sort=at", d->stage.product);
        while (next[0]) {
                struct ctx own = { .arena = arena_new(8 << 20), .op = c->op, .deadline_us = deadline_in(60000) };
                int r = movements_page(&own, d, next, n);
                if (r < 0) fault_copy(c, &own);
                arena_free(own.arena);
                TRY(r);
        }
        return 0;
}

static int shelves_read(struct ctx *c, struct depots *d)
{
        struct answer answer;
        str one, path = arena_printf(c->arena, "/v1/inventory/%s", d->stage.product);
        TRY(shop_must(c, &d->stage.shop, &(struct ask){ GET, path }, &answer));
        for (struct json_walk w = json_open(member_at(answer.body, "warehouses")); json_next_element(&w, &one);) {
                struct depot *at = depot_of(d, text_at(c, one, "warehouse_id"));
                if (!at) continue;
                at->on_hand = int_at(one, "on_hand", -1);
                at->held = int_at(one, "held", -1);
        }
        return 0;
}

static void check_shelves(const struct depots *d, struct report *r, int64_t n)
{
        int64_t wanted = DEPOTS, on_hand = 0, moved = 0, told_sold = 0, told_back = 0, lowest = 0;
        int lost = 0, off = 0, carried = 0, filled = 0;
        for (int k = 0; k < DEPOTS; k++) {
                const struct depot *w = &d->depot[k];
                lost += w->on_hand != w->told + w->told_moved - w->told_sold + w->told_back || w->held != 0;
                off += w->summed != w->on_hand;
                carried += w->moved != w->told_moved;
                filled += w->sold != w->told_sold || w->back != w->told_back;
                on_hand += w->on_hand;
                moved += w->moved;
                told_sold += w->told_sold;
                told_back += w->told_back;
                lowest = MIN(lowest, MIN(w->lowest, w->on_hand));
        }
        wanted += d->done[A_RECEIPT] + d->done[AN_ADJUSTMENT] + 2 * (int64_t)d->done[A_TRANSFER];
        report_check(r, lost == 0, "no update is lost", "what lies in %d of %d warehouses is what the answers add up to; %lld units", DEPOTS - lost, DEPOTS, (long long)on_hand);
        report_check(r, lowest >= 0, "nothing is ever negative", "after none of %lld movements, in no warehouse", (long long)n);
        report_check(r, off == 0 && n >= wanted, "movements sum to stock", "%lld movements, in %d of %d warehouses", (long long)n, DEPOTS - off, DEPOTS);
        report_check(r, moved == 0 && carried == 0, "transfers neither lose nor make a unit", "%d transfers sum to %lld", d->done[A_TRANSFER], (long long)moved);
        report_check(r, filled == 0, "warehouses sold, and took back, what the orders say they did", "%lld and %lld units, in %d of %d warehouses",
                     (long long)told_sold, (long long)told_back, DEPOTS - filled, DEPOTS);
}

int depots_check(struct ctx *c, struct depots *d, struct report *r)
{
        struct looking l = { .d = d, .until_us = deadline_in(SETTLE_MS) };
        struct progress p;
        int64_t n = 0;
        check_answers(d, r);
        TRY(check_repeats(c, d, r));
        progress_open(&p, "checking orders", "changes", d->n);
        TRY(spread(c, d->n, CHECKS_AT_ONCE, look_at_order, &l, &p));
        progress_close(&p);
        report_check(r, l.orders_wrong == 0, "each order is filled from the warehouses it says", "%d of %d%s",
                     d->done[AN_ORDER] - l.orders_wrong, d->done[AN_ORDER], l.first_wrong);
        TRY(movements_read(c, d, &n));
        TRY(shelves_read(c, d));
        check_shelves(d, r, n);
        return stage_balance(c, &d->stage, r);
}
