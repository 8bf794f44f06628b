/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * goods.c - what a command sells and to whom: products of its own, their stock, and accounts of buyers. */
#include <stdio.h>
#include "cli.h"

enum { BUYERS_AT_ONCE = 16 };

int goods_product(struct ctx *c, struct shop *s, struct login *staff, const struct goods *g, char id[37])
{
        struct answer answer;
        str body = arena_printf(c->arena, "{\"sku\":\"%s\",\"name\":\"%s\",\"description\":\"%s\",\"price\":{\"amount\":%lld,\"currency\":\"EUR\"}}",
                                g->sku, g->name, g->description, (long long)g->price_minor);
        TRY(shop_must(c, s, &(struct ask){ POST, STR("/v1/products"), body, fresh_key(c), staff }, &answer));
        snprintf(id, 37, STR_FMT, STR_ARG(text_at(c, answer.body, "id")));
        return 0;
}

str goods_stock_body(struct ctx *c, const char *product, int64_t n, const char *reason)
{
        return arena_printf(c->arena, "{\"product_id\":\"%s\",\"delta\":%lld,\"reason\":\"%s\"}", product, (long long)n, reason);
}

int goods_stock_add(struct ctx *c, struct shop *s, struct login *staff, const char *product, int64_t n, const char *reason)
{
        struct answer answer;
        return shop_must(c, s, &(struct ask){ POST, STR("/v1/inventory/adjustments"), goods_stock_body(c, product, n, reason), fresh_key(c), staff }, &answer);
}

struct buyers_work { struct shop *shop; struct login *v; const char *who; };

static int buyer_make(struct ctx *c, int i, void *arg)
{
        struct buyers_work *w = arg;
        struct answer answer;
        str body = arena_printf(c->arena, "{\"email\":\"" STR_FMT "\",\"password\":\"" STR_FMT "\",\"name\":\"%s buyer %d\"}", STR_ARG(w->v[i].email), STR_ARG(w->v[i].password),
                                w->who, i + 1);
        TRY(shop_must(c, w->shop, &(struct ask){ POST, STR("/v1/users"), body, fresh_key(c) }, &answer));
        return shop_login(c, w->shop, &w->v[i]);
}

int goods_buyers(struct ctx *c, struct shop *s, const char *who, struct login *v, int n)
{
        struct progress p;
        struct buyers_work w = { s, v, who };
        for (int i = 0; i < n; i++)
                v[i] = (struct login){ .email = arena_printf(c->arena, "%s-" STR_FMT "@souk.example", who, STR_ARG(fresh_key(c))), .password = fresh_key(c) };
        progress_open(&p, "making accounts", "accounts", n);
        TRY(spread(c, n, BUYERS_AT_ONCE, buyer_make, &w, &p));
        progress_close(&p);
        return 0;
}
