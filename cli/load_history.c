/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * load_history.c - what `souk load --history` writes down, and the clerk who makes it worth checking: while customers order, it reads the stock of the
 * first products and lays in what was kept back of theirs; when they have gone, it reads each once more. Without --history there is no clerk. */
#include "clock.h"
#include "fiber.h"
#include "load.h"

enum { CLERK = 0, EACH_MS = 20, WATCHED_MAX = 50, DELIVERIES = 4, KEPT_BACK = 4 };      /* a quarter is kept back, and comes in four deliveries */

static int watched(const struct load *l)                { return MIN(l->n_products, WATCHED_MAX); }

int64_t load_kept_back(const struct load *l, int i)
{
        return l->history && i < watched(l) ? l->stock / KEPT_BACK / DELIVERIES * DELIVERIES : 0;
}

static void note(const struct load *l, const char *op, int i, int64_t quantity, enum outcome ok, int64_t start_us)
{
        history_line(l->history, &(struct stock_op){ CLERK, op, l->products[i], quantity, ok, start_us, clock_us() });
}

static int stock_read(struct ctx *c, struct load *l, int i, const char *op)
{
        struct answer answer;
        str path = arena_printf(c->arena, "/v1/inventory/%s", l->products[i]);
        int64_t start = clock_us();
        TRY(shop_must(c, &l->shop, &(struct ask){ GET, path }, &answer));
        note(l, op, i, int_at(answer.body, "available", -1), OUTCOME_YES, start);
        return 0;
}

int load_history_begin(struct ctx *c, struct load *l, int i)
{
        return l->history ? stock_read(c, l, i, "init") : 0;
}

int load_put(struct ctx *c, struct load *l, int i, int64_t n)
{
        int64_t start = clock_us();
        TRY(goods_stock_add(c, &l->shop, &l->staff, l->products[i], n, "load"));
        note(l, "put", i, n, OUTCOME_YES, start);
        return 0;
}

/* With as long for the next answer as any customer has. */
static struct ctx *patient(struct ctx *c)
{
        c->deadline_us = deadline_in(LOAD_ANSWER_MS);
        return c;
}

/* Deliveries are spread over the first half. */
static int deliver(struct ctx *c, struct load *l, int *done, int64_t now_us)
{
        int all = l->stock ? watched(l) * DELIVERIES : 0;
        double due = (double)all * 2 * (double)(now_us - l->begun_us) / (double)MAX(l->end_us - l->begun_us, 1);
        for (; *done < all && *done < due; ++*done) {
                int i = *done % watched(l);
                if (load_kept_back(l, i)) TRY(load_put(patient(c), l, i, load_kept_back(l, i) / DELIVERIES));
        }
        return 0;
}

int load_clerk(struct ctx *c, void *arg)
{
        struct load *l = arg;
        struct ctx own = { .arena = arena_new(1 << 20), .op = c->op };
        int r = 0, done = 0;
        for (int i = 0; l->history && r == 0 && l->running > 0; i = (i + 1) % watched(l)) {
                r = stock_read(patient(&own), l, i, "read");
                if (r == 0) r = deliver(&own, l, &done, clock_us());
                if (r == 0) r = fiber_sleep(&own, EACH_MS);
                arena_reset(own.arena);
        }
        if (l->history && r == 0) r = deliver(&own, l, &done, INT64_MAX / 4);
        for (int i = 0; l->history && r == 0 && i < watched(l); i++) r = stock_read(patient(&own), l, i, "read");
        if (r < 0) fault_copy(c, &own);
        arena_free(own.arena);
        return r;
}
