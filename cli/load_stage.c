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
        struct answer answer;
        str key = fresh_key(c);
        str body = arena_printf(c->arena, "{\"sku\":\"load-" STR_FMT "\",\"name\":\"Lantern that everybody wants\",\"description\":\"What souk load orders.\","
                                "\"price\":{\"amount\":1999,\"currency\":\"EUR\"}}", STR_ARG(key));
        TRY(shop_must(c, &l->shop, &(struct ask){ POST, STR("/v1/products"), body, key, &l->staff }, &answer));
        snprintf(l->products[l->n_products++], sizeof *l->products, STR_FMT, STR_ARG(text_at(c, answer.body, "id")));
        return 0;
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
        struct answer answer;
        for (int64_t left = l->stock; left > 0; left -= ADJUST_MAX) {
                str body = arena_printf(c->arena, "{\"product_id\":\"%s\",\"delta\":%lld,\"reason\":\"load\"}", l->products[i], (long long)MIN(left, ADJUST_MAX));
                int64_t start = clock_us();
                TRY(shop_must(c, &l->shop, &(struct ask){ POST, STR("/v1/inventory/adjustments"), body, fresh_key(c), &l->staff }, &answer));
                load_history(l, 0, l->n_products == 1 ? "init" : "put", l->products[i], MIN(left, ADJUST_MAX), 1, start, clock_us());
        }
        return 0;
}

static int buyer_make(struct ctx *c, int i, void *arg)
{
        struct load *l = arg;
        struct login *buyer = &l->buyers[i];
        struct answer answer;
        str body = arena_printf(c->arena, "{\"email\":\"" STR_FMT "\",\"password\":\"" STR_FMT "\",\"name\":\"Load buyer %d\"}",
                            STR_ARG(buyer->email), STR_ARG(buyer->password), i + 1);
        TRY(shop_must(c, &l->shop, &(struct ask){ POST, STR("/v1/users"), body, fresh_key(c) }, &answer));
        return shop_login(c, &l->shop, buyer);
}

static int in_bulk(struct ctx *c, struct load *l, const char *what, const char *unit, int n, int (*fn)(struct ctx *c, int i, void *arg))
{
        struct progress p;
        progress_open(&p, what, unit, n);
        TRY(spread(c, n, AT_ONCE, fn, l, &p));
        progress_close(&p);
        return 0;
}

int load_stage(struct ctx *c, struct load *l, int n_products, int64_t stock)
{
        l->products = calloc((size_t)n_products, sizeof *l->products);
        if (!l->products) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory for %d products", n_products);
        for (int i = 0; i < LOAD_BUYERS; i++) {
                l->buyers[i].email = arena_printf(c->arena, "load-" STR_FMT "@souk.example", STR_ARG(fresh_key(c)));
                l->buyers[i].password = fresh_key(c);
        }
        if (l->kind != LOAD_BROWSE) TRY(shop_account(c, &l->shop, "staff", &l->staff));
        TRY(n_products == 1 && l->kind == LOAD_ORDERS ? product_new(c, l) : products_take(c, l, n_products));
        l->stock = stock;
        if (l->kind != LOAD_BROWSE) TRY(in_bulk(c, l, "laying in stock", "products", l->n_products, stock_one));
        return in_bulk(c, l, "making accounts", "accounts", LOAD_BUYERS, buyer_make);
}
