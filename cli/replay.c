/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * replay.c - souk replay retail: a real shop's year through the API, as staff who import it.
 *
 *     products (import) -> customers (accounts without a password) -> stock (receipts) -> orders with their days and prices -> sums -> returns -> sums
 *
 * The server is the memory: products go by their code, customers by their address, stock by what was received, orders by a key made from the invoice, returns by their order and
 * instant. So it may be stopped in any way at any moment; the next run asks what is there and goes on, and one after the last changes nothing. */
#include "replay.h"
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "fiber.h"
#include "hash.h"
#include "text.h"

enum { PRODUCTS_A_BATCH = 250, ITEMS_A_RECEIPT = 500, BODY_MAX_BYTES = 2 << 20, TRIES = 10, PAUSE_MAX_MS = 4000, PAGE_ARENA = 8 << 20 };
#define BRAND  "UCI Online Retail"
#define DOMAIN "online-retail.example"

const struct flag replay_retail_flags[] = {
        { "limit", 'n', "N", "only the first N orders of the file, for a quick look", .number = true, .min = 1, .max = 10000000 },
        { "no-returns", 0, NULL, "leave the cancellations out" },
        SHOP_FLAGS,
        JSON_FLAG,
        { 0 } };
const char *const replay_retail_examples[] = {
        "souk replay retail OnlineRetail.csv", "the whole year; stopped, the next run goes on where it was",
        "souk replay retail OnlineRetail.csv --limit 200", "its first days",
        "souk replay retail OnlineRetail.csv --json | tail -n 1", "for a program",
        NULL };

/* ---- asking ------------------------------------------------------------------------------------------------------------------ */

static bool is_worth_another(struct ctx *c, int r, const struct answer *a)
{
        static const char *const slugs[] = { "idempotency_in_flight", "try_again", "order_rejected", "attempt_is_over", "conflict" };
        str slug;

        if (r < 0) return r == -UNAVAILABLE;
        if (a->status == 429 || a->status == 503 || a->status == 504) return true;
        slug = a->status == 409 ? text_at(c, a->body, "slug") : (str){ 0 };
        for (size_t i = 0; slug.p && i < COUNT(slugs); i++)
                if (str_eq(slug, str_of(slugs[i]))) return true;
        return false;
}

int replay_ask(struct ctx *c, struct replay *r, const struct ask *q, int also, struct answer *out)
{
        for (int i = 1, pause = 50;; i++, pause = MIN(2 * pause, PAUSE_MAX_MS)) {
                int code = shop_ask(c, &r->shop, q, out);
                if (code == 0 && (out->status < 300 || out->status == also)) return 0;
                if (i == TRIES || !is_worth_another(c, code, out))
                        return code < 0 ? code : fail(c, FAILED_PRECONDITION, "refused", "%s " STR_FMT ": " STR_FMT, method_name(q->method), STR_ARG(q->path),
                                                      STR_ARG(problem_of(c, out)));
                TRY(fiber_sleep(c, pause));
        }
}

int replay_walk(struct ctx *c, struct replay *r, str path, int (*fn)(struct ctx *c, struct replay *r, str item, void *arg), void *arg)
{
        char at[2100];
        int result = 0;

        snprintf(at, sizeof at, STR_FMT, STR_ARG(path));
        while (result == 0 && at[0]) {
                struct ctx page = { .arena = arena_new(PAGE_ARENA), .op = c->op, .deadline_us = deadline_in(SECONDS(60)) };
                struct answer a;
                str item;
                result = replay_ask(&page, r, &(struct ask){ GET, str_of(at), .as = &r->staff }, 0, &a);
                struct json_walk w = json_open(result == 0 && member_at(a.body, "items").p ? member_at(a.body, "items") : STR("[]"));
                while (result == 0 && json_next_element(&w, &item)) result = fn(&page, r, item, arg);
                if (result == 0) {
                        str next = text_at(&page, a.body, "next");
                        snprintf(at, sizeof at, STR_FMT, STR_ARG(next));
                } else {
                        fault_copy(c, &page);
                }
                arena_free(page.arena);
        }
        return result;
}

int replay_years(struct ctx *c, struct replay *r, const char *list, int (*fn)(struct ctx *c, struct replay *r, str item, void *arg), void *arg)
{
        int first = 9999, last = 0;

        for (int i = 0; i < r->file.n_orders; i++) {
                first = MIN(first, when_year(r->file.orders[i].at));
                last = MAX(last, when_year(r->file.orders[i].at));
        }
        for (int i = 0; i < r->file.n_returns; i++) last = MAX(last, when_year(r->file.returns[i].at));
        for (int year = first; year <= last; year++)
                TRY(replay_walk(c, r, arena_printf(c->arena, "/v1/%s?year=%d&limit=100", list, year), fn, arg));
        return 0;
}

struct retail_order *replay_order(struct ctx *c, struct replay *r, str item, const char *member)
{
        uid id;
        return uid_parse(text_at(c, item, member), &id) == 0 ? map_get(r->by_id, uid_key(&id)) : NULL;
}

/* ---- products ------------------------------------------------------------------------------------------------------------------ */

static const char *product_name(const struct retail_product *p)         { return p->name[0] ? p->name : p->sku; }

static void product_json(const struct retail_product *p, struct jw *w)
{
        jw_object(w);
        jw_key(w, "sku");      jw_z(w, p->sku);
        jw_key(w, "name");     jw_z(w, product_name(p));
        jw_key(w, "brand");    jw_z(w, BRAND);
        jw_key(w, "category"); jw_z(w, "Gifts > Online Retail");
        jw_key(w, "price");
        jw_object(w);
        jw_key(w, "amount");   jw_int(w, p->price);
        jw_key(w, "currency"); jw_z(w, "GBP");
        jw_object_end(w);
        jw_object_end(w);
}

static int products_send(struct ctx *c, int batch, void *arg)
{
        struct replay *r = arg;
        struct buf body AUTO(buf_done) = BUF_INIT(BODY_MAX_BYTES);
        struct jw w = { .b = &body };
        struct answer a;

        jw_object(&w);
        jw_key(&w, "products");
        jw_array(&w);
        for (int i = batch * PRODUCTS_A_BATCH; i < MIN((batch + 1) * PRODUCTS_A_BATCH, r->file.n_products); i++) product_json(&r->file.products[i], &w);
        jw_array_end(&w);
        jw_object_end(&w);
        TRY(replay_ask(c, r, &(struct ask){ POST, STR("/v1/products/import"), buf_str(&body), fresh_key(c), &r->staff }, 0, &a));
        if (int_at(a.body, "failed", 0)) return fail(c, FAILED_PRECONDITION, "bad_products", "the catalogue refuses products: " STR_FMT, STR_ARG(member_at(a.body, "errors")));
        return 0;
}

static int product_seen(struct ctx *c, struct replay *r, str item, void *arg)
{
        struct retail_product *p = map_get(arg, text_at(c, item, "sku"));

        (void)r;
        if (p && uid_parse(text_at(c, item, "id"), &p->id) == 0) p->is_there = true;
        return 0;
}

static int products_find(struct ctx *c, struct replay *r)
{
        struct map *by_sku = map_new((size_t)r->file.n_products + 1, MAP_REFUSES, NULL);
        int result = 0;

        for (int i = 0; i < r->file.n_products && result == 0; i++)
                result = map_put(by_sku, str_of(r->file.products[i].sku), &r->file.products[i]);
        if (result == 0) result = replay_walk(c, r, STR("/v1/products?brand=UCI%20Online%20Retail&limit=100"), product_seen, by_sku);
        map_free(by_sku);
        for (int i = 0; i < r->file.n_products && result == 0; i++)
                if (!r->file.products[i].is_there) result = fail(c, NOT_FOUND, "no_product", "product %s is not in the catalogue", r->file.products[i].sku);
        return result;
}

static int products_make(struct ctx *c, struct replay *r)
{
        int batches = (r->file.n_products + PRODUCTS_A_BATCH - 1) / PRODUCTS_A_BATCH;

        progress_open(&r->progress, "products", "batches", batches);
        TRY(spread(c, batches, 4, products_send, r, &r->progress));
        progress_close(&r->progress);
        return products_find(c, r);
}

/* ---- customers ----------------------------------------------------------------------------------------------------------------- */

static int customer_seen(struct ctx *c, struct replay *r, str item, void *arg)
{
        struct retail_customer *k = map_get(arg, text_at(c, item, "email"));

        (void)r;
        if (k && uid_parse(text_at(c, item, "id"), &k->id) == 0) k->is_there = true;
        return 0;
}

static str email_of(struct ctx *c, const struct retail_customer *k)
{
        return arena_printf(c->arena, "customer-%s@" DOMAIN, k->number);
}

static int customer_make(struct ctx *c, int i, void *arg)
{
        struct replay *r = arg;
        struct retail_customer *k = &r->file.customers[i];
        struct buf body AUTO(buf_done) = BUF_INIT(4096), name AUTO(buf_done) = BUF_INIT(200);
        struct jw w = { .b = &body };
        struct answer a;

        if (k->is_there) return 0;
        buf_printf(&name, "Customer %s, %s", k->number, k->country[0] ? k->country : "of no country");
        jw_object(&w);
        jw_key(&w, "email"); jw_str(&w, email_of(c, k));
        jw_key(&w, "name");  jw_str(&w, buf_str(&name));
        jw_object_end(&w);
        TRY(replay_ask(c, r, &(struct ask){ POST, STR("/v1/users"), buf_str(&body), fresh_key(c), &r->staff }, 409, &a));
        str user = a.body;
        if (a.status == 409) {                          /* the answer of a first try was lost */
                struct json_walk items;
                TRY(replay_ask(c, r, &(struct ask){ GET, arena_printf(c->arena, "/v1/users?email=" STR_FMT, STR_ARG(email_of(c, k))), .as = &r->staff }, 0, &a));
                items = json_open(member_at(a.body, "items").p ? member_at(a.body, "items") : STR("[]"));
                if (!json_next_element(&items, &user)) user = STR("{}");
        }
        if (uid_parse(text_at(c, user, "id"), &k->id) < 0) return fail(c, DATA_LOSS, "no_customer", "customer %s has no account", k->number);
        return 0;
}

static int customers_make(struct ctx *c, struct replay *r)
{
        struct map *by_email = map_new((size_t)r->file.n_customers + 1, MAP_REFUSES, NULL);
        int result = 0;

        for (int i = 0; i < r->file.n_customers && result == 0; i++)
                result = map_put(by_email, email_of(c, &r->file.customers[i]), &r->file.customers[i]);
        if (result == 0) result = replay_walk(c, r, STR("/v1/users?q=%40" DOMAIN "&limit=100"), customer_seen, by_email);
        map_free(by_email);
        TRY(result);
        progress_open(&r->progress, "customers", "customers", r->file.n_customers);
        TRY(spread(c, r->file.n_customers, READS_AT_ONCE, customer_make, r, &r->progress));
        progress_close(&r->progress);
        return 0;
}

/* ---- stock --------------------------------------------------------------------------------------------------------------------- */

/* What is still to be received of a product for all its orders. */
static int stock_look(struct ctx *c, int i, void *arg)
{
        struct replay *r = arg;
        struct retail_product *p = &r->file.products[i];
        struct answer a;
        char id[37];

        uid_format(p->id, id);
        TRY(replay_ask(c, r, &(struct ask){ GET, arena_printf(c->arena, "/v1/inventory/balances/%s", id), .as = &r->staff }, 0, &a));
        p->units = MAX(p->units - int_at(a.body, "received", 0), 0);
        return 0;
}

static uint64_t first_of(const struct digest *d)
{
        uint64_t n;

        memcpy(&n, d->b, sizeof n);
        return n;
}

static int receipt_send(struct ctx *c, struct replay *r, int *from)
{
        struct buf body AUTO(buf_done) = BUF_INIT(BODY_MAX_BYTES);
        struct answer a;
        int n = 0;

        buf_lit(&body, "{\"note\":\"" BRAND "\",\"items\":[");
        for (; *from < r->file.n_products && n < ITEMS_A_RECEIPT; (*from)++) {
                const struct retail_product *p = &r->file.products[*from];
                if (p->units == 0) continue;
                buf_lit(&body, n++ ? ",{\"product_id\":\"" : "{\"product_id\":\"");
                buf_uid(&body, p->id);
                buf_printf(&body, "\",\"quantity\":%lld}", (long long)p->units);
        }
        buf_lit(&body, "]}");
        /* a key of the content: sent twice, it is one receipt */
        struct digest d = sha256(buf_str(&body));
        return n ? replay_ask(c, r, &(struct ask){ POST, STR("/v1/inventory/receipts"), buf_str(&body),
                              arena_printf(c->arena, "retail-%016llx", (unsigned long long)first_of(&d)), &r->staff, .minimal = true }, 0, &a) : 0;
}

static int stock_lay_in(struct ctx *c, struct replay *r)
{
        progress_open(&r->progress, "stock", "products", r->file.n_products);
        TRY(spread(c, r->file.n_products, READS_AT_ONCE, stock_look, r, &r->progress));
        progress_close(&r->progress);
        for (int from = 0; from < r->file.n_products;) TRY(receipt_send(c, r, &from));
        return 0;
}

struct seen_key { int64_t at_us, total; };
static str seen_key(const struct seen_key *k)           { return (str){ (const char *)k, sizeof *k }; }

/* ---- orders -------------------------------------------------------------------------------------------------------------------- */

/* The standard rate of the United Kingdom rose on 4 January 2011. */
static int vat_bp_at(when at)
{
        when rose;
        return when_parse(STR("2011-01-04T00:00:00Z"), &rose) == 0 && at.us >= rose.us ? 2000 : 1750;
}

/* All that an import may say of a line is said, so that the catalogue need not be asked for it. */
static void order_body(const struct replay *r, const struct retail_order *o, struct buf *body)
{
        int vat_bp = vat_bp_at(o->at);
        char at[32];

        when_format(o->at, at);
        buf_lit(body, "{\"buyer\":\"");
        buf_uid(body, r->file.customers[o->customer].id);
        buf_printf(body, "\",\"placed_at\":\"%s\",\"items\":[", at);
        for (int32_t i = o->first; i >= 0; i = r->file.lines[i].next) {
                const struct retail_line *l = &r->file.lines[i];
                buf_lit(body, i == o->first ? "{\"product_id\":\"" : ",{\"product_id\":\"");
                buf_uid(body, r->file.products[l->product].id);
                buf_lit(body, "\",\"quantity\":");
                buf_int(body, l->quantity);
                buf_lit(body, ",\"price\":{\"amount\":");
                buf_int(body, l->price);
                buf_printf(body, ",\"currency\":\"GBP\"},\"vat_bp\":%d,\"name\":", vat_bp);
                json_write_str(body, str_of(product_name(&r->file.products[l->product])));
                buf_lit(body, "}");
        }
        buf_lit(body, "]}");
}

static int order_send(struct ctx *c, int i, void *arg)
{
        struct replay *r = arg;
        struct retail_order *o = &r->file.orders[i];
        struct buf body AUTO(buf_done) = BUF_INIT(BODY_MAX_BYTES);
        struct answer a;

        if (o->was_there) return 0;
        r->orders_sent++;
        order_body(r, o, &body);
        int code = replay_ask(c, r, &(struct ask){ POST, STR("/v1/orders"), buf_str(&body), str_of(o->key), &r->staff, .minimal = true }, 0, &a);
        if (code == -FAILED_PRECONDITION) {
                str why = c->fault.message;
                return fail(c, FAILED_PRECONDITION, "refused", "invoice %s: " STR_FMT, o->invoice, STR_ARG(why));
        }
        TRY(code);
        str id = a.location.n > 36 ? str_cut(a.location, a.location.n - 36, a.location.n) : STR("");
        if (uid_parse(id, &o->id) < 0) return fail(c, DATA_LOSS, "no_order", "the answer to invoice %s names no order", o->invoice);
        o->was_there = a.replayed;
        r->orders_new += !a.replayed;
        return 0;
}

/* Orders that are there need not be sent again to learn their ids. The shop tells no keys, but an id begins with its key's milliseconds: an invoice of that time and
 * sum is ours when no other order of the file has both. The others are sent, and get their first answer. */
static int order_seen(struct ctx *c, struct replay *r, str item, void *arg)
{
        struct retail_order *o;
        struct seen_key key = { .total = int_at(item, "total.amount", -1) };
        uid id;

        (void)r;
        if (uid_parse(text_at(c, item, "order_id"), &id) < 0) return 0;
        key.at_us = uid_time(id).us;
        o = map_get(arg, seen_key(&key));
        if (!o || o->seen_twice) return 0;
        o->id = id;
        o->was_there = true;
        return 0;
}

static int orders_seen(struct ctx *c, struct replay *r)
{
        struct map *by_seen = map_new((size_t)r->file.n_orders + 1, MAP_REFUSES, NULL);
        int result = 0;

        for (int i = 0; i < r->file.n_orders && result == 0; i++) {
                struct retail_order *o = &r->file.orders[i];
                struct seen_key key = { o->at.us, o->total };
                struct retail_order *twin = map_get(by_seen, seen_key(&key));
                if (twin) twin->seen_twice = true;
                else result = map_put(by_seen, seen_key(&key), o);
        }
        if (result == 0) result = replay_years(c, r, "invoices", order_seen, by_seen);
        map_free(by_seen);
        return result;
}

static int orders_send(struct ctx *c, struct replay *r)
{
        TRY(orders_seen(c, r));
        int64_t begun = clock_us();

        progress_open(&r->progress, "orders", "orders", r->file.n_orders);
        TRY(spread(c, r->file.n_orders, ORDERS_AT_ONCE, order_send, r, &r->progress));
        double seconds = (double)(clock_us() - begun) / 1e6;
        progress_close(&r->progress);
        report_num(r->report, "orders_seconds", seconds, 2);
        report_num(r->report, "orders_per_second", (double)r->orders_sent / MAX(seconds, 1e-6), 0);
        r->by_id = map_new((size_t)r->file.n_orders + 1, MAP_REFUSES, NULL);
        for (int i = 0; i < r->file.n_orders; i++) TRY(map_put(r->by_id, uid_key(&r->file.orders[i].id), &r->file.orders[i]));
        return 0;
}

/* ---- returns ------------------------------------------------------------------------------------------------------------------- */

static int return_send(struct ctx *c, int i, void *arg)
{
        struct replay *r = arg;
        struct retail_return *t = &r->file.returns[i];
        struct buf body AUTO(buf_done) = BUF_INIT(BODY_MAX_BYTES);
        struct answer a;
        char order[37], at[32];

        if (t->was_there) return 0;
        uid_format(r->file.orders[t->order].id, order);
        when_format(t->at, at);
        buf_printf(&body, "{\"reason\":\"cancelled by %s\",\"restock\":true,\"returned_at\":\"%s\",\"items\":[", t->invoice, at);
        for (int32_t k = t->first; k >= 0; k = r->file.items[k].next)
                buf_printf(&body, "%s{\"line\":%d,\"quantity\":%d}", k == t->first ? "" : ",", r->file.items[k].line, r->file.items[k].quantity);
        buf_lit(&body, "]}");
        TRY(replay_ask(c, r, &(struct ask){ POST, arena_printf(c->arena, "/v1/orders/%s/returns", order), buf_str(&body),
                                            arena_printf(c->arena, "retail-%lld-%s", (long long)t->at.us, order), &r->staff, .minimal = true }, 0, &a));
        r->returns_new += !a.replayed;
        return 0;
}

static int returns_send(struct ctx *c, struct replay *r)
{
        TRY(replay_known_returns(c, r));
        progress_open(&r->progress, "returns", "returns", r->file.n_returns);
        TRY(spread(c, r->file.n_returns, READS_AT_ONCE, return_send, r, &r->progress));
        progress_close(&r->progress);
        return 0;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------------- */

static void money_figure(struct report *report, const char *name, int64_t amount)
{
        char text[40];

        money_format((money){ amount, "GBP" }, text);
        report_text(report, name, str_of(text));
}

static void figures(struct replay *r)
{
        const struct retail *f = &r->file;
        struct jw *w = &r->report->figures_w;
        int64_t left_out = 0;

        report_int(r->report, "orders", f->n_orders);
        report_int(r->report, "lines", f->n_lines);
        report_int(r->report, "new_orders", r->orders_new);
        report_int(r->report, "products", f->n_products);
        report_int(r->report, "customers", f->n_customers);
        report_int(r->report, "units", f->units);
        report_int(r->report, "rows", f->rows);
        for (int i = 0; i < LEFT_OUT; i++) left_out += f->left_out[i];
        report_int(r->report, "left_out", left_out);
        jw_key(w, "left_out_why");
        jw_object(w);
        for (int i = 0; i < LEFT_OUT; i++) {
                if (f->left_out[i]) printf("    %-32s %lld\n", left_out_names[i], (long long)f->left_out[i]);
                jw_key(w, left_out_names[i]);
                jw_int(w, f->left_out[i]);
        }
        jw_object_end(w);
        report_int(r->report, "returned_rows", f->returned_rows);
        report_int(r->report, "returns", f->n_returns);
        report_int(r->report, "new_returns", r->returns_new);
        money_figure(r->report, "sold", f->total);
        money_figure(r->report, "returned", f->returned);
        jw_key(w, "total");
        jw_object(w);
        jw_key(w, "amount");
        jw_int(w, f->total);
        jw_key(w, "currency");
        jw_z(w, "GBP");
        jw_object_end(w);
        report_check(r->report, f->n_lines + f->returned_rows + left_out == f->rows, "every row is accounted for", "%d lines, %lld returned, %lld left out of %lld rows",
                     f->n_lines, (long long)f->returned_rows, (long long)left_out, (long long)f->rows);
}

static int replay(struct ctx *c, struct replay *r, const struct args *a)
{
        bool returns = !args_has(a, "no-returns");

        TRY(retail_read(c, a->operands[0], args_has(a, "limit") ? args_number(a, "limit") : 0, &r->file));
        TRY(shop_open(c, a, ORDERS_AT_ONCE, &r->shop));
        TRY(shop_account(c, &r->shop, "staff", &r->staff));
        TRY(shop_login(c, &r->shop, &r->staff));
        TRY(products_make(c, r));
        TRY(customers_make(c, r));
        TRY(stock_lay_in(c, r));
        TRY(orders_send(c, r));
        TRY(replay_check_orders(c, r));
        if (returns) TRY(returns_send(c, r));
        if (returns) TRY(replay_check_returns(c, r));
        figures(r);
        return 0;
}

static int run(struct ctx *c, struct job_of_command *j)
{
        struct replay r = { .report = &j->report };
        int result = replay(c, &r, j->args);

        map_free(r.by_id);
        retail_done(&r.file);
        shop_close(&r.shop);
        return result;
}

int replay_retail_command(struct args *a)               { return command_run(a, run, NULL); }
