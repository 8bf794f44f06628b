/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * demo_stage.c - what every demo needs: a product of its own, buyers with accounts, a client that insists on an answer, and the one equation of stock.
 *
 * The buyers share at most 100 accounts, since hashing thousands of passwords would show nothing. */
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "demo.h"
#include "fiber.h"

enum { TRIES = 20, PRICE = 1999 };

int stage_product(struct ctx *c, struct stage *s, const char *name)
{
        snprintf(s->sku, sizeof s->sku, "demo-" STR_FMT, STR_ARG(fresh_key(c)));
        return goods_product(c, &s->shop, &s->staff, &(struct goods){ s->sku, name, "What souk demo sells.", PRICE }, s->product);
}

int stage_buyers(struct ctx *c, struct stage *s, int n)
{
        s->n_buyers = MIN(n, ACCOUNTS_MAX);
        return goods_buyers(c, &s->shop, "demo", s->buyers, s->n_buyers);
}

static bool says_nothing(int result, const struct answer *a, str slug)
{
        return result < 0 || a->status >= 500 || a->status == 429 || str_eq(slug, STR("try_again")) || str_eq(slug, STR("idempotency_in_flight"));
}

int stage_insist(struct ctx *c, struct stage *s, const struct ask *q, struct answer *out, int *tries)
{
        for (int pause = 20;; pause = MIN(2 * pause, 2000)) {
                int r = shop_ask(c, &s->shop, q, out);
                ++*tries;
                if (!says_nothing(r, out, r == 0 ? text_at(c, out->body, "slug") : (str){ 0 })) return 0;
                if (*tries == TRIES) {
                        TRY(r);
                        return fail(c, UNAVAILABLE, "no_answer", STR_FMT " got no answer in %d tries: " STR_FMT, STR_ARG(q->path), TRIES, STR_ARG(problem_of(c, out)));
                }
                fault_clear(c);
                TRY(fiber_sleep(c, pause));
        }
}

/* A balance, or one warehouse of it. */
static bool adds_up(str of)
{
        int64_t gone = int_at(of, "on_hand", -1) + int_at(of, "held", -1) + int_at(of, "sold", -1);
        return gone == int_at(of, "received", -1) + int_at(of, "adjusted", -1) + int_at(of, "transferred", -1) + int_at(of, "cancelled", -1) + int_at(of, "returned", -1);
}

int stage_balance(struct ctx *c, struct stage *s, struct report *r)
{
        struct answer a;
        str one, path = arena_printf(c->arena, "/v1/inventory/balances/%s", s->product);
        int n = 0, wrong = 0;
        TRY(shop_must(c, &s->shop, &(struct ask){ GET, path, .as = &s->staff }, &a));
        struct json_walk w = json_open(member_at(a.body, "warehouses").p ? member_at(a.body, "warehouses") : STR("[]"));
        for (; json_next_element(&w, &one); n++) wrong += !adds_up(one);
        report_check(r, adds_up(a.body) && wrong == 0 && n > 0, "on hand + held + sold = received + adjusted + transferred + cancelled + returned",
                     "%lld + %lld + %lld in %d of %d warehouses", (long long)int_at(a.body, "on_hand", -1), (long long)int_at(a.body, "held", -1),
                     (long long)int_at(a.body, "sold", -1), n - wrong, n);
        return 0;
}

static int by_time(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

void stage_times(struct report *r, int64_t *us, int n)
{
        qsort(us, (size_t)n, sizeof *us, by_time);
        report_num(r, "p50_ms", (double)us[n / 2] / 1e3, 2);
        report_num(r, "p99_ms", (double)us[MIN((int64_t)n * 99 / 100, n - 1)] / 1e3, 2);
}
