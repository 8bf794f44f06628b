/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * replay_checks.c - what the shop says after a replay, read back through its API: orders, invoices, captures, credit notes and refunds, to the penny. */
#include <stdio.h>
#include "clock.h"
#include "fiber.h"
#include "replay.h"

enum { PAUSE_MS = 250 };

struct tally { int64_t n, sum, wrong; };

/* ---- lists --------------------------------------------------------------------------------------------------------------------- */

/* A list that names the order by `id` or, of invoices, by `order_id`. */
static int total_add(struct ctx *c, struct replay *r, str item, struct tally *t, const char *member)
{
        const struct retail_order *o = replay_order(c, r, item, member);

        if (!o) return 0;
        t->n++;
        t->sum += int_at(item, "total.amount", 0);
        t->wrong += int_at(item, "total.amount", -1) != o->total || !str_eq(text_at(c, item, "total.currency"), STR("GBP"));
        return 0;
}

static int order_add(struct ctx *c, struct replay *r, str item, void *arg)      { return total_add(c, r, item, arg, "id"); }
static int invoice_add(struct ctx *c, struct replay *r, str item, void *arg)    { return total_add(c, r, item, arg, "order_id"); }

static int entry_add(struct ctx *c, struct replay *r, str item, void *arg)
{
        struct tally *t = arg;

        if (!replay_order(c, r, item, "order_id")) return 0;
        t->n++;
        t->sum += int_at(item, "amount.amount", 0);
        t->wrong += !str_eq(text_at(c, item, "amount.currency"), STR("GBP"));
        return 0;
}

static int credit_note_add(struct ctx *c, struct replay *r, str item, void *arg)
{
        struct tally *t = arg;
        struct retail_order *o = replay_order(c, r, item, "order_id");
        when at;

        if (!o || when_parse(text_at(c, item, "issued_at"), &at) < 0) return 0;
        t->n++;
        t->sum += int_at(item, "total.amount", 0);
        t->wrong++;
        for (int32_t i = o->last_return; i >= 0; i = r->file.returns[i].before) {
                struct retail_return *back = &r->file.returns[i];
                if (back->at.us != at.us) continue;
                back->was_there = true;
                t->wrong -= back->total == int_at(item, "total.amount", -1);
        }
        return 0;
}

/* All orders of the days of the file. */
static int orders_walk(struct ctx *c, struct replay *r, struct tally *t)
{
        when first = { INT64_MAX }, last = { 0 };
        char from[32], to[32];

        for (int i = 0; i < r->file.n_orders; i++) {
                first.us = MIN(first.us, r->file.orders[i].at.us);
                last.us = MAX(last.us, r->file.orders[i].at.us + 1000000);
        }
        if (r->file.n_orders == 0) return 0;
        when_format(first, from);
        when_format(last, to);
        return replay_walk(c, r, arena_printf(c->arena, "/v1/orders?limit=100&placed_from=%s&placed_to=%s", from, to), order_add, t);
}

/* Captures and refunds follow their orders by events: asked again until there are n, or nothing more comes. */
static int entries_wait(struct ctx *c, struct replay *r, const char *kind, int64_t n, struct tally *t)
{
        int64_t end = clock_us() + WAIT_MAX_S * 1000000LL;

        for (;;) {
                *t = (struct tally){ 0 };
                TRY(replay_walk(c, r, arena_printf(c->arena, "/v1/ledger/entries?kind=%s&limit=100&sort=order_id", kind), entry_add, t));
                if (t->n >= n || clock_us() > end) return 0;
                TRY(fiber_sleep(c, PAUSE_MS));
        }
}

static int ledger_check(struct ctx *c, struct replay *r, const char *when_)
{
        struct answer a;

        TRY(replay_ask(c, r, &(struct ask){ GET, STR("/v1/ledger/trial-balance"), .as = &r->staff }, 0, &a));
        report_check(r->report, int_at(a.body, "sum", -1) == 0, arena_z(c->arena, arena_printf(c->arena, "the ledger's trial balance is zero, %s", when_)), "%lld",
                     (long long)int_at(a.body, "sum", -1));
        return 0;
}

static void sums_check(struct replay *r, const char *name, const struct tally *t, int64_t n, int64_t sum)
{
        char is[40], must[40];

        money_format((money){ t->sum, "GBP" }, is);
        money_format((money){ sum, "GBP" }, must);
        report_check(r->report, t->n == n && t->sum == sum && t->wrong == 0, name, "%lld of %lld, %s of %s", (long long)t->n, (long long)n, is, must);
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------------- */

int replay_check_orders(struct ctx *c, struct replay *r)
{
        struct tally orders = { 0 }, invoices = { 0 }, captures = { 0 };

        fprintf(stderr, "reading back\n");
        TRY(orders_walk(c, r, &orders));
        TRY(replay_years(c, r, "invoices", invoice_add, &invoices));
        TRY(entries_wait(c, r, "capture", r->file.n_orders, &captures));
        sums_check(r, "orders read back are the file's, to the penny", &orders, r->file.n_orders, r->file.total);
        sums_check(r, "so are their invoices", &invoices, r->file.n_orders, r->file.total);
        sums_check(r, "so are their captures in the ledger", &captures, r->file.n_orders, r->file.total);
        return ledger_check(c, r, "after the orders");
}

int replay_known_returns(struct ctx *c, struct replay *r)
{
        struct tally t = { 0 };
        return replay_years(c, r, "credit-notes", credit_note_add, &t);
}

int replay_check_returns(struct ctx *c, struct replay *r)
{
        struct tally notes = { 0 }, refunds = { 0 };

        TRY(replay_years(c, r, "credit-notes", credit_note_add, &notes));
        TRY(entries_wait(c, r, "refund", r->file.n_returns, &refunds));
        sums_check(r, "credit notes are the returns of the file", &notes, r->file.n_returns, r->file.returned);
        sums_check(r, "refunds in the ledger are the credit notes", &refunds, notes.n, notes.sum);
        return ledger_check(c, r, "after the returns");
}
