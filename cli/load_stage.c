/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * load_stage.c - what a load needs before it begins: one new product that all want, or the first of the catalogue, stock, and buyers. */
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "load.h"

enum { AT_ONCE = 32, ADJUST_MAX = 1000000, PAGE = 100 };

static int product_new(struct ctx *c, struct load *l)
{
        char sku[64];
        snprintf(sku, sizeof sku, "load-" STR_FMT, STR_ARG(fresh_key(c)));
        return goods_product(c, &l->shop, &l->staff, &(struct goods){ sku, "Lantern that everybody wants", "What souk load orders.", 1999 }, l->products[l->n_products++]);
}

/* One page of the catalogue; *path becomes the next one's, p NULL after the last. Products of one currency only: an order has one. */
static int products_page(struct ctx *c, struct load *l, int n, str *path)
{
        struct answer answer;
        str one;
        TRY(shop_must(c, &l->shop, &(struct ask){ GET, *path }, &answer));
        struct json_walk w = json_open(member_at(answer.body, "items").p ? member_at(answer.body, "items") : STR("[]"));
        while (l->n_products < n && json_next_element(&w, &one))
                if (str_eq(text_at(c, one, "price.currency"), STR("EUR")))
                        snprintf(l->products[l->n_products++], sizeof *l->products, STR_FMT, STR_ARG(text_at(c, one, "id")));
        *path = text_at(c, answer.body, "next");
        return 0;
}

static int products_take(struct ctx *c, struct load *l, int n)
{
        char next[2048];
        snprintf(next, sizeof next, "/v1/products?limit=%d", PAGE);
        while (next[0] && l->n_products < n) {
                struct ctx page = { .arena = arena_new(8 << 20), .op = c->op, .deadline_us = deadline_in(30000) };
                str path = str_of(next);
                int r = products_page(&page, l, n, &path);
                if (r < 0) fault_copy(c, &page);
                if (r == 0) snprintf(next, sizeof next, STR_FMT, STR_ARG(path));
                arena_free(page.arena);
                TRY(r);
        }
        if (l->n_products < n)
                return fail(c, FAILED_PRECONDITION, "too_few_products", "the catalogue has %d products priced in EUR, not %d; say --products %d",
                            l->n_products, n, MAX(l->n_products, 1));
        return 0;
}

static int stock_one(struct ctx *c, int i, void *arg)
{
        struct load *l = arg;
        TRY(load_history_begin(c, l, i));
        for (int64_t left = l->stock - load_kept_back(l, i), n; left > 0; left -= n) {
                n = MIN(left, ADJUST_MAX);
                TRY(load_put(c, l, i, n));
        }
        return 0;
}

int load_stage(struct ctx *c, struct load *l, int n_products, int64_t stock)
{
        struct progress p;
        l->products = calloc((size_t)n_products, sizeof *l->products);
        if (!l->products) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory for %d products", n_products);
        if (l->kind != LOAD_BROWSE) TRY(shop_account(c, &l->shop, "staff", &l->staff));
        TRY(n_products == 1 && l->kind == LOAD_ORDERS ? product_new(c, l) : products_take(c, l, n_products));
        if (l->kind != LOAD_BROWSE) TRY(shop_login(c, &l->shop, &l->staff));   /* once, before many need it */
        l->stock = l->kind == LOAD_BROWSE ? 0 : stock;
        progress_open(&p, "laying in stock", "products", l->n_products);
        if (l->stock || l->history) TRY(spread(c, l->n_products, AT_ONCE, stock_one, l, &p));
        progress_close(&p);
        return goods_buyers(c, &l->shop, "load", l->buyers, LOAD_BUYERS);
}
