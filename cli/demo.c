/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * demo.c - souk demo orders: a flash sale over HTTP, 50 buyers for 30 units times the scale, all at once.
 *
 * It only does what a client may do, with the demo account of staff to lay in stock. The buyers share at most 100 accounts, since hashing
 * thousands of passwords would show nothing about orders; each order has an Idempotency-Key of its own. An answer
 * that says nothing about the order is asked for again with the same key (demo_stage.c), as a good client does. */
#include "demo.h"
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "fiber.h"
#include "hash.h"
#include "text.h"

const struct flag demo_orders_flags[] = {
        { "scale", 's', "N", "times 50 buyers and stock for 30", .fallback = "1", .number = true, .min = 1, .max = 1000 },
        { "product", 'p', "ID", "sell this product (an id or a SKU) instead of a new one; its stock is set to the demo's" },
        SHOP_FLAGS,
        JSON_FLAG,
        { 0 } };
const char *const demo_orders_examples[] = {
        "souk demo orders", "50 buyers want 30 units, at once",
        "souk demo orders --scale 100", "5,000 buyers, 3,000 units",
        "souk demo orders --product icecat-3920564", "sell a product that was imported",
        NULL };

/* ---- the stage --------------------------------------------------------------------------------------------------------- */

/* By id, or by SKU. */
static int product_find(struct ctx *c, struct sale *s, const char *which)
{
        struct answer answer;
        struct buf path AUTO(buf_done) = BUF_INIT(1000);
        uid id;
        bool is_id = uid_parse(str_of(which), &id) == 0;
        buf_lit(&path, is_id ? "/v1/products/" : "/v1/products?sku=");
        percent_write(&path, str_of(which));
        TRY(shop_must(c, &s->stage.shop, &(struct ask){ GET, buf_str(&path) }, &answer));
        str product = answer.body;
        struct json_walk w = json_open(is_id ? STR("[]") : member_at(answer.body, "items"));
        if (!is_id && !json_next_element(&w, &product)) return fail(c, NOT_FOUND, "no_such_product", "there is no product with SKU %s", which);
        snprintf(s->stage.product, sizeof s->stage.product, STR_FMT, STR_ARG(text_at(c, product, "id")));
        snprintf(s->stage.sku, sizeof s->stage.sku, STR_FMT, STR_ARG(text_at(c, product, "sku")));
        return 0;
}

static int adjust(struct ctx *c, struct sale *s, str warehouse, int64_t delta)
{
        struct answer answer;
        if (delta == 0) return 0;
        str where = warehouse.p ? arena_printf(c->arena, "\"warehouse_id\":\"" STR_FMT "\",", STR_ARG(warehouse)) : STR("");
        str body = arena_printf(c->arena, "{\"product_id\":\"%s\"," STR_FMT "\"delta\":%lld,\"reason\":\"flash sale\"}", s->stage.product, STR_ARG(where), (long long)delta);
        return shop_must(c, &s->stage.shop, &(struct ask){ POST, STR("/v1/inventory/adjustments"), body, fresh_key(c), &s->stage.staff }, &answer);
}

/* Whatever lay in whichever warehouse goes, then the sale's stock is laid in. */
static int stock_set(struct ctx *c, struct sale *s)
{
        struct answer answer;
        str level;
        str path = arena_printf(c->arena, "/v1/inventory/%s", s->stage.product);
        TRY(shop_must(c, &s->stage.shop, &(struct ask){ GET, path, .as = &s->stage.staff }, &answer));
        if (int_at(answer.body, "held", 0) > 0)
                return fail(c, FAILED_PRECONDITION, "product_is_busy", "%s is being sold to somebody else just now; try again in a moment", s->stage.sku);
        struct json_walk w = json_open(member_at(answer.body, "warehouses").p ? member_at(answer.body, "warehouses") : STR("[]"));
        while (json_next_element(&w, &level)) TRY(adjust(c, s, text_at(c, level, "warehouse_id"), -int_at(level, "on_hand", 0)));
        return adjust(c, s, (str){ 0 }, s->stock);
}

/* ---- the sale ----------------------------------------------------------------------------------------------------------- */

static str order_body(struct ctx *c, const struct sale *s)
{
        return arena_printf(c->arena, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":1}]}", s->stage.product);
}

int sale_order(struct ctx *c, struct sale *s, int i, struct answer *out)
{
        return shop_ask(c, &s->stage.shop, &(struct ask){ POST, STR("/v1/orders"), order_body(c, s), str_of(s->attempts[i].key), buyer_of(s, i) }, out);
}

static int order_one(struct ctx *c, int i, void *arg)
{
        struct sale *s = arg;
        struct attempt *a = &s->attempts[i];
        struct answer answer = { 0 };
        TRY(shop_login(c, &s->stage.shop, buyer_of(s, i)));           /* renewed if need be, before the clock starts */
        int64_t begun = clock_us();
        TRY(stage_insist(c, &s->stage, &(struct ask){ POST, STR("/v1/orders"), order_body(c, s), str_of(a->key), buyer_of(s, i) }, &answer, &a->tries));
        a->us = clock_us() - begun;
        a->status = answer.status;
        a->answer = hash_quick(answer.body);
        snprintf(a->slug, sizeof a->slug, STR_FMT, STR_ARG(text_at(c, answer.body, "slug")));
        snprintf(a->id, sizeof a->id, STR_FMT, STR_ARG(text_at(c, answer.body, "id")));
        snprintf(a->invoice, sizeof a->invoice, STR_FMT, STR_ARG(text_at(c, answer.body, "invoice_number")));
        s->sold += is_confirmed(a);
        return 0;
}

static void figures(struct ctx *c, const struct sale *s, struct report *r, int64_t took_us)
{
        int64_t *us = arena_many(c->arena, int64_t, s->n);
        int64_t tries = 0;
        for (int i = 0; i < s->n; i++) {
                us[i] = s->attempts[i].us;
                tries += s->attempts[i].tries;
        }
        report_int(r, "orders", s->n);
        report_int(r, "confirmed", s->sold);
        report_int(r, "accounts", s->stage.n_buyers);
        report_int(r, "repeats", tries - s->n);
        report_num(r, "seconds", (double)took_us / 1e6, 3);
        report_num(r, "orders_per_second", (double)s->n * 1e6 / (double)MAX(took_us, 1), 0);
        stage_times(r, us, s->n);
        report_text(r, "product", str_of(s->stage.product));
}

static int sell(struct ctx *c, struct sale *s, struct report *r)
{
        struct progress p;
        for (int i = 0; i < s->n; i++) uid_format(uid_v7(clock_now()), s->attempts[i].key);
        progress_open(&p, "ordering", "orders", s->n);
        int64_t begun = clock_us();
        TRY(spread(c, s->n, AT_ONCE_MAX, order_one, s, &p));
        int64_t took_us = clock_us() - begun;
        progress_close(&p);
        TRY(sale_check(c, s, r));
        figures(c, s, r, took_us);
        return 0;
}

static int stage(struct ctx *c, struct job_of_command *j)
{
        struct sale *s = j->arg;
        const char *which = args_text(j->args, "product");
        int64_t scale = args_number(j->args, "scale");
        s->n = (int)(BUYERS_AT_SCALE_1 * scale);
        s->stock = (int)(STOCK_AT_SCALE_1 * scale);
        s->attempts = calloc((size_t)s->n, sizeof *s->attempts);
        if (!s->attempts) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory for %d orders", s->n);
        TRY(shop_open(c, j->args, AT_ONCE_MAX, &s->stage.shop));
        TRY(shop_account(c, &s->stage.shop, "staff", &s->stage.staff));
        TRY(which ? product_find(c, s, which) : stage_product(c, &s->stage, "Lucky lamp of the flash sale"));
        TRY(stock_set(c, s));
        TRY(stage_buyers(c, &s->stage, MIN(s->n, ACCOUNTS_MAX)));
        fprintf(stderr, "%d buyers (%d accounts) order %s, stock %d, at " STR_FMT "\n", s->n, s->stage.n_buyers, s->stage.sku, s->stock, STR_ARG(s->stage.shop.url));
        return sell(c, s, &j->report);
}

static int run(struct ctx *c, struct job_of_command *j)
{
        int r = stage(c, j);
        shop_close(&((struct sale *)j->arg)->stage.shop);
        return r;
}

int demo_orders_command(struct args *a)
{
        struct sale s = { 0 };
        int status = command_run(a, run, &s);
        free(s.attempts);
        return status;
}
