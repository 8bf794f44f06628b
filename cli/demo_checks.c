/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * demo_checks.c - what must be true after a flash sale, looked at from outside: the invariants of an order, one by one.
 *
 * Sales must equal stock, everybody else must have been told so, and what was promised must be readable. Captures and stock
 * follow by events, so these are asked until they are right, at most 30 s. Invoices and the ledger are of the whole marketplace, not
 * of this sale only. */
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "demo.h"
#include "fiber.h"
#include "hash.h"
#include "text.h"

enum { SETTLE_MS = 30000, LOOK_EVERY_MS = 50, REPEATS_MAX = 200, CHECKS_AT_ONCE = 32 };

struct looking {                        /* at every confirmed order                                   */
        struct sale *s;
        int64_t      until_us;
        int          orders_wrong, captures_wrong, repeats_wrong, repeated;
        char         first_wrong[200];
};

static void wrong(struct looking *l, int *count, const struct attempt *a, const char *what)
{
        if (!(*count)++ && !l->first_wrong[0]) snprintf(l->first_wrong, sizeof l->first_wrong, "order %s: %s", a->id, what);
}

/* ---- orders ------------------------------------------------------------------------------------------------------------ */

static int look_at_order(struct ctx *c, struct looking *l, int i)
{
        struct attempt *a = &l->s->attempts[i];
        struct answer answer;
        str path = arena_printf(c->arena, "/v1/orders/%s", a->id);
        TRY(shop_ask(c, &l->s->stage.shop, &(struct ask){ GET, path, .as = buyer_of(l->s, i) }, &answer));
        if (answer.status != 200) wrong(l, &l->orders_wrong, a, "cannot be read by its buyer");
        else if (!str_eq(text_at(c, answer.body, "state"), STR("confirmed"))) wrong(l, &l->orders_wrong, a, "is not confirmed any more");
        else if (!a->invoice[0] || !str_eq(text_at(c, answer.body, "invoice_number"), str_of(a->invoice)))
                wrong(l, &l->orders_wrong, a, "has another invoice number than it was told");
        return 0;
}

static int look_at_payment(struct ctx *c, struct looking *l, int i)
{
        struct attempt *a = &l->s->attempts[i];
        struct answer answer;
        str path = arena_printf(c->arena, "/v1/payments/%s", a->id);
        for (;;) {
                TRY(shop_ask(c, &l->s->stage.shop, &(struct ask){ GET, path, .as = &l->s->stage.staff }, &answer));
                bool captured = answer.status == 200 && str_eq(text_at(c, answer.body, "state"), STR("captured"));
                if (captured && int_at(answer.body, "captures", -1) == 1) return 0;
                if (captured || clock_us() > l->until_us) break;
                TRY(fiber_sleep(c, LOOK_EVERY_MS));
        }
        wrong(l, &l->captures_wrong, a, "has not exactly one capture");
        return 0;
}

static int look_at_repeat(struct ctx *c, struct looking *l, int i)
{
        struct attempt *a = &l->s->attempts[i];
        struct answer answer;
        if (l->repeated++ >= REPEATS_MAX) return 0;
        TRY(sale_order(c, l->s, i, &answer));
        if (answer.status != a->status || hash_quick(answer.body) != a->answer) wrong(l, &l->repeats_wrong, a, "asked for again with its key, gets another answer");
        return 0;
}

static int look_at(struct ctx *c, int i, void *arg)
{
        struct looking *l = arg;
        if (!is_confirmed(&l->s->attempts[i])) return 0;
        TRY(look_at_order(c, l, i));
        TRY(look_at_payment(c, l, i));
        return look_at_repeat(c, l, i);
}

static int check_orders(struct ctx *c, struct sale *s, struct report *r)
{
        struct progress p;
        struct looking l = { .s = s, .until_us = deadline_in(SETTLE_MS) };
        progress_open(&p, "checking orders", "orders", s->n);
        TRY(spread(c, s->n, CHECKS_AT_ONCE, look_at, &l, &p));
        progress_close(&p);
        report_check(r, l.orders_wrong == 0, "every confirmed order is readable, with its invoice number", "%d of %d%s%s", s->sold - l.orders_wrong, s->sold,
                     l.orders_wrong ? "; " : "", l.orders_wrong ? l.first_wrong : "");
        report_check(r, l.captures_wrong == 0, "every confirmed order has one capture", "%d of %d%s%s", s->sold - l.captures_wrong, s->sold,
                     l.captures_wrong ? "; " : "", l.captures_wrong ? l.first_wrong : "");
        int repeats = MIN(l.repeated, REPEATS_MAX);
        report_check(r, l.repeats_wrong == 0, "a repeat with the same key gets the first answer", "%d of %d repeats%s%s", repeats - l.repeats_wrong, repeats,
                     l.repeats_wrong ? "; " : "", l.repeats_wrong ? l.first_wrong : "");
        return 0;
}

static void check_answers(struct sale *s, struct report *r)
{
        int refused = 0, other = 0;
        const struct attempt *odd = NULL;
        for (int i = 0; i < s->n; i++) {
                const struct attempt *a = &s->attempts[i];
                if (is_confirmed(a)) continue;
                if (a->status == 409 && !strcmp(a->slug, "out_of_stock")) refused++;
                else if (!other++) odd = a;
        }
        report_check(r, s->sold == s->stock, "exactly the stock is sold", "%d confirmed, stock was %d", s->sold, s->stock);
        report_check(r, other == 0 && refused == s->n - s->sold, "the rest got out_of_stock", odd ? "%d of %d; another got %d %s" : "%d of %d",
                     refused, s->n - s->sold, odd ? odd->status : 0, odd ? odd->slug : "");
}

/* ---- stock --------------------------------------------------------------------------------------------------------------- */

static int check_stock(struct ctx *c, struct sale *s, struct report *r)
{
        int64_t until = deadline_in(SETTLE_MS), available, held;
        struct answer stock;
        str path = arena_printf(c->arena, "/v1/inventory/%s", s->stage.product);
        for (bool late = false;; late = clock_us() > until) {
                TRY(shop_must(c, &s->stage.shop, &(struct ask){ GET, path, .as = &s->stage.staff }, &stock));
                available = int_at(stock.body, "available", -1);
                held = int_at(stock.body, "held", -1);
                if ((available == s->stock - s->sold && held == 0) || late) break;
                TRY(fiber_sleep(c, LOOK_EVERY_MS));
        }
        report_check(r, available == s->stock - s->sold && held == 0, "stock and holds are what is left", "%lld available, %lld held", (long long)available, (long long)held);
        return stage_balance(c, &s->stage, r);
}

/* ---- invoices ------------------------------------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

struct numbers { int64_t *v; size_t n, cap; };
static void numbers_done(struct numbers *l)             { free(l->v); }

enum { LINK_BYTES = 1000 };

/* link: of the page to read; then of the next one, empty when there is none */
static int numbers_page(struct ctx *c, struct sale *s, struct numbers *out, char link[LINK_BYTES])
{
        struct answer page;
        str one, next;
        TRY(shop_must(c, &s->stage.shop, &(struct ask){ GET, str_of(link), .as = &s->stage.staff }, &page));
        struct json_walk w = json_open(member_at(page.body, "items").p ? member_at(page.body, "items") : STR("[]"));
        while (json_next_element(&w, &one)) {
                if (out->n == out->cap) {
                        out->cap = out->cap ? 2 * out->cap : 1024;
                        out->v = realloc(out->v, out->cap * sizeof *out->v);
                        if (!out->v) abort();
                }
                out->v[out->n++] = int_at(one, "no", -1);
        }
        next = text_at(c, page.body, "next");
        snprintf(link, LINK_BYTES, STR_FMT, STR_ARG(next));
        return 0;
}

/* This year's numbers must be 1, 2, 3 ... whatever order they come in. */
static int check_invoices(struct ctx *c, struct sale *s, struct report *r)
{
        struct numbers all AUTO(numbers_done) = { 0 };
        char link[LINK_BYTES] = "/v1/invoices?limit=100";
        size_t wrong_at = 0;
        do {
                struct ctx own = { .arena = arena_new(16 << 20), .deadline_us = deadline_in(60000) };
                int result = numbers_page(&own, s, &all, link);
                if (result < 0) fault_copy(c, &own);
                arena_free(own.arena);
                TRY(result);
        } while (link[0]);
        if (all.n) qsort(all.v, all.n, sizeof *all.v, by_number);
        for (size_t i = 0; i < all.n && !wrong_at; i++)
                if (all.v[i] != (int64_t)i + 1) wrong_at = i + 1;
        if (wrong_at)
                report_check(r, false, "invoice numbers have no gap and no repeat", "%zu of this year; where %zu should be is %lld", all.n, wrong_at,
                             (long long)all.v[wrong_at - 1]);
        else
                report_check(r, (int)all.n >= s->sold, "invoice numbers have no gap and no repeat", "1 to %zu of this year", all.n);
        return 0;
}

static int check_ledger(struct ctx *c, struct sale *s, struct report *r)
{
        struct answer answer;
        TRY(shop_must(c, &s->stage.shop, &(struct ask){ GET, STR("/v1/ledger/trial-balance"), .as = &s->stage.staff }, &answer));
        int64_t sum = int_at(answer.body, "sum", -1);
        report_check(r, sum == 0, "the ledger's sum is zero", "%lld", (long long)sum);
        return 0;
}

int sale_check(struct ctx *c, struct sale *s, struct report *r)
{
        check_answers(s, r);
        TRY(check_orders(c, s, r));
        TRY(check_stock(c, s, r));
        TRY(check_invoices(c, s, r));
        return check_ledger(c, s, r);
}
