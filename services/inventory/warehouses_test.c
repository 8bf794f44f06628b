/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * warehouses_test.c - warehouses opened, changed and closed, and thresholds, through the edge on a real PostgreSQL. */
#include "test.h"
#include "shop.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/orders.h"
#include "payments/payments.h"

#define MAIN_ID "019ab4f0-0000-7000-8000-000000000001"

static const char *opened(struct shop *s, const char *code, const char *country)
{
        struct http_answer a = http(s->w, say(s, "admin#open-%s-%s", code, country), POST, "/v1/warehouses",
                                    say(s, "{\"code\":\"%s\",\"name\":\"The %s one\",\"country\":\"%s\"}", code, code, country));

        CHECK_EQ(a.status, 201);
        return say(s, STR_FMT, STR_ARG(text_of(a, "id")));
}

static void receive(struct shop *s, const char *warehouse, int product, int quantity)
{
        static const char fmt[] = "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}],\"warehouse_id\":\"%s\"}";

        CHECK_EQ(http(s->w, say(s, "staff#in-%s-%d-%d", warehouse, product, quantity), POST, "/v1/inventory/receipts",
                      say(s, fmt, id_of(s, product), quantity, warehouse)).status, 201);
}

static int adjust(struct shop *s, const char *key, const char *warehouse, int product, int delta)
{
        return http(s->w, say(s, "staff#%s", key), POST, "/v1/inventory/adjustments",
                    say(s, "{\"product_id\":\"%s\",\"warehouse_id\":\"%s\",\"delta\":%d,\"reason\":\"count\"}", id_of(s, product), warehouse, delta)).status;
}

static int hold(struct shop *s, int order, int product, int quantity)
{
        struct item item = { s->products[product], quantity };
        struct hold_request in = { { { 1, [15] = (uint8_t)order } }, 1, { &item, 1 }, { 0 } };

        return inventory_hold_call(as(s->w, "service"), &in, &(struct hold){ 0 });
}

static void forget(struct shop *s)      /* what is remembered of warehouses for a second is read anew */
{
        run_job(s->w, "inventory", "tell-openings");
}

/* ---- warehouses ----------------------------------------------------------------------------------------------------------- */

static int changing(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *id = opened(&s, "north", "SE"), *path = say(&s, "/v1/warehouses/%s", id), *put = say(&s, "PUT %s", path), *patch = say(&s, "PATCH %s", path);
        const char *whole = "{\"code\":\"nord\",\"name\":\"Norr\",\"country\":\"NO\",\"active\":true,\"is_default\":false}";
        struct http_answer a = http(w, "staff", GET, path, NULL);
        const char *first = etag_of(&s, a);

        CHECK_EQ(a.status, 200);
        CHECK_EQ(int_of(a, "version"), 1);
        CHECK(str_eq(json_member(a.body, "active"), STR("true")) && str_eq(json_member(a.body, "is_default"), STR("false")));
        CHECK(says(change(&s, "admin", put, NULL, whole), 428, "precondition_required"));
        CHECK_EQ(change(&s, "staff", put, first, whole).status, 403);
        a = change(&s, "admin", put, first, whole);
        CHECK_EQ(a.status, 200);
        CHECK_STR(text_of(a, "country"), "NO");
        CHECK_EQ(int_of(a, "version"), 2);
        CHECK(says(change(&s, "admin", put, first, whole), 412, "stale"));
        CHECK(says(change(&s, "admin", patch, first, "{\"name\":\"X\"}"), 412, "stale"));
        a = change(&s, "admin", patch, etag_of(&s, a), "{\"name\":\"Oslo\"}");
        CHECK_EQ(a.status, 200);
        CHECK_STR(text_of(a, "name"), "Oslo");
        CHECK_STR(text_of(a, "code"), "nord");
        CHECK(blames(change(&s, "admin", patch, "*", "{\"country\":\"Norway\"}"), "/country", "bad_format"));
        CHECK(blames(change(&s, "admin", put, "*", "{\"code\":\"x\",\"name\":\"\",\"country\":\"NO\",\"active\":true}"), "/is_default", "required"));
        CHECK(says(change(&s, "admin", patch, "*", "{\"code\":\"main\"}"), 409, "warehouse_exists"));
        CHECK(says(change(&s, "admin", "PUT /v1/warehouses/019ab4f0-0000-7000-8000-000000000009", "*", whole), 404, "no_such_warehouse"));
        CHECK(says(change(&s, "admin", "PATCH /v1/warehouses/019ab4f0-0000-7000-8000-000000000009", "*", "{}"), 404, "no_such_warehouse"));
        CHECK(says(http(w, "staff", GET, "/v1/warehouses/019ab4f0-0000-7000-8000-000000000009", NULL), 404, "no_such_warehouse"));
        CHECK_EQ(int_of(http(w, "staff", GET, path, NULL), "version"), 3);
        return 0;
}

TEST(a_warehouse_is_replaced_and_patched_when_it_is_what_the_caller_thinks_it_is) { CHECK_OK(run_main(changing, NULL)); }

static int the_default(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *north = say(&s, "PATCH /v1/warehouses/%s", opened(&s, "north", "SE"));
        struct http_answer a;

        CHECK(says(change(&s, "admin", "PATCH /v1/warehouses/" MAIN_ID, "*", "{\"is_default\":false}"), 409, "default_warehouse"));
        CHECK(says(change(&s, "admin", "PATCH /v1/warehouses/" MAIN_ID, "*", "{\"active\":false}"), 409, "default_warehouse"));
        CHECK(says(change(&s, "admin", "DELETE /v1/warehouses/" MAIN_ID, "*", NULL), 409, "default_warehouse"));
        a = change(&s, "admin", north, "*", "{\"is_default\":true}");
        CHECK_EQ(a.status, 200);
        a = http(w, "staff", GET, "/v1/warehouses/" MAIN_ID, NULL);
        CHECK(str_eq(json_member(a.body, "is_default"), STR("false")));
        CHECK_EQ(int_of(a, "version"), 2);                              /* it changed as well */
        stock(&s, 0, 4);
        CHECK_EQ(number(w, "inventory", "select sum(quantity)::int8 from stock s join warehouse w on w.no = s.warehouse_no where code = 'north'"), 4);
        CHECK_EQ(rows(w, "inventory", "warehouse where is_default"), 1);
        CHECK_EQ(change(&s, "admin", "DELETE /v1/warehouses/" MAIN_ID, "*", NULL).status, 204);
        return 0;
}

TEST(there_is_always_one_default_and_it_is_active) { CHECK_OK(run_main(the_default, NULL)); }

static int closing(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *id = opened(&s, "north", "SE"), *line = say(&s, "DELETE /v1/warehouses/%s", id), *path = say(&s, "/v1/warehouses/%s", id);
        const char *etag = etag_of(&s, http(w, "staff", GET, path, NULL));

        receive(&s, id, 0, 3);
        CHECK(says(change(&s, "admin", line, etag, NULL), 409, "warehouse_not_empty"));
        CHECK_OK(hold(&s, 1, 0, 3));                                    /* the shelf is empty, but not the hold */
        CHECK(says(change(&s, "admin", line, etag, NULL), 409, "warehouse_not_empty"));
        CHECK_OK(order_abandon_call(as(w, "service"), &(struct abandonment){ { { 1, [15] = 1 } }, 1, STR("declined") }, &(struct fate){ 0 }));
        settle(w);
        CHECK_EQ(adjust(&s, "out", id, 0, -3), 201);
        CHECK(says(change(&s, "admin", line, NULL, NULL), 428, "precondition_required"));
        CHECK(says(change(&s, "admin", line, "\"7-0000000000000000\"", NULL), 412, "stale"));
        CHECK_EQ(change(&s, "staff", line, etag, NULL).status, 403);
        CHECK_EQ(change(&s, "admin", line, etag, NULL).status, 204);
        CHECK(says(change(&s, "admin", line, etag, NULL), 404, "no_such_warehouse"));
        CHECK(says(http(w, "staff", GET, path, NULL), 404, "no_such_warehouse"));
        CHECK(says(http(w, "staff", GET, say(&s, "%s/stock", path), NULL), 404, "no_such_warehouse"));
        CHECK_EQ(adjust(&s, "in", id, 0, 3), 400);                      /* nothing comes in any more */
        CHECK_EQ(rows(w, "inventory", "movement m join warehouse w on w.no = m.warehouse_no where code = 'north'"), 2);
        opened(&s, "north", "FI");                                      /* its code is free again */
        AUDIT(&s);
        return 0;
}

TEST(a_warehouse_is_closed_only_when_nothing_lies_in_it_or_is_held_there) { CHECK_OK(run_main(closing, NULL)); }

static int inactive(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *id = opened(&s, "north", "SE"), *line = say(&s, "PATCH /v1/warehouses/%s", id), *path = say(&s, "/v1/inventory/%s", id_of(&s, 0));
        int64_t changed, low;
        struct http_answer a;

        stock(&s, 0, 2);
        receive(&s, id, 0, 8);
        changed = events(w, "inventory", "stock.changed");
        low = events(w, "inventory", "stock.low");
        CHECK_EQ(change(&s, "admin", line, "*", "{\"active\":false}").status, 200);
        forget(&s);
        CHECK_EQ(events(w, "inventory", "stock.changed"), changed + 1);
        CHECK_EQ(events(w, "inventory", "stock.low"), low + 1);         /* 10 before, 2 now */
        CHECK_EQ(rows(w, "inventory", "opening"), 0);
        a = http(w, NULL, GET, path, NULL);
        CHECK_EQ(int_of(a, "available"), 2);
        CHECK_EQ(int_of(a, "on_hand"), 10);
        CHECK_FAILS(w, FAILED_PRECONDITION, "out_of_stock", hold(&s, 1, 0, 3));
        CHECK_OK(hold(&s, 2, 0, 2));
        receive(&s, id, 0, 1);                                          /* goods still come in */
        CHECK_EQ(change(&s, "admin", line, "*", "{\"active\":true}").status, 200);
        forget(&s);
        CHECK_OK(hold(&s, 3, 0, 9));
        CHECK_EQ(free_units(&s, 0), 0);
        AUDIT(&s);
        return 0;
}

TEST(a_warehouse_that_is_not_active_keeps_its_stock_and_sells_none_of_it) { CHECK_OK(run_main(inactive, NULL)); }

static int lists(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *north = opened(&s, "north", "SE");
        struct http_answer a, b;

        opened(&s, "east", "PL");
        CHECK_EQ(change(&s, "admin", say(&s, "PATCH /v1/warehouses/%s", opened(&s, "west", "PL")), "*", "{\"active\":false}").status, 200);
        a = http(w, "staff", GET, "/v1/warehouses?limit=3", NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(a.body)), "east") && !strstr(say(&s, STR_FMT, STR_ARG(a.body)), "west"));
        b = http(w, "staff", GET, say(&s, STR_FMT, STR_ARG(text_of(a, "next"))), NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(b.body)), "west"));
        b = http(w, "staff", GET, say(&s, STR_FMT, STR_ARG(text_of(b, "prev"))), NULL);
        CHECK(str_eq(json_member(a.body, "items"), json_member(b.body, "items")));
        a = http(w, "staff", GET, "/v1/warehouses?country=PL&active=false", NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(a.body)), "west") && !strstr(say(&s, STR_FMT, STR_ARG(a.body)), "east"));
        CHECK(blames(http(w, "staff", GET, "/v1/warehouses?active=perhaps", NULL), "active", "not_a_word"));
        for (int p = 0; p < 5; p++) receive(&s, north, p, p + 1);
        CHECK_OK(hold(&s, 1, 4, 2));
        a = http(w, "staff", GET, say(&s, "/v1/warehouses/%s/stock?limit=3&sort=-product_id", north), NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(a.body)), say(&s, "{\"product_id\":\"%s\",\"on_hand\":3,\"held\":2}", id_of(&s, 4))));
        b = http(w, "staff", GET, say(&s, STR_FMT, STR_ARG(text_of(a, "next"))), NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(b.body)), say(&s, "{\"product_id\":\"%s\",\"on_hand\":1,\"held\":0}", id_of(&s, 0))));
        b = http(w, "staff", GET, say(&s, STR_FMT, STR_ARG(text_of(b, "prev"))), NULL);
        CHECK(str_eq(json_member(a.body, "items"), json_member(b.body, "items")));
        CHECK_EQ(http(w, "alice", GET, say(&s, "/v1/warehouses/%s/stock", north), NULL).status, 403);
        return 0;
}

TEST(warehouses_and_what_lies_in_them_come_a_page_at_a_time_both_ways) { CHECK_OK(run_main(lists, NULL)); }

/* ---- thresholds ------------------------------------------------------------------------------------------------------------- */

static int crossings(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *path = say(&s, "/v1/inventory/thresholds/%s", id_of(&s, 0)), *put = say(&s, "PUT %s", path);
        struct http_answer a = http(w, "staff", GET, path, NULL);

        CHECK_EQ(int_of(a, "low"), 5);
        CHECK(str_eq(json_member(a.body, "is_default"), STR("true")));
        CHECK(says(change(&s, "staff", put, NULL, "{\"low\":3}"), 428, "precondition_required"));
        a = change(&s, "staff", put, etag_of(&s, a), "{\"low\":3}");
        CHECK_EQ(a.status, 200);
        CHECK_EQ(int_of(a, "low"), 3);
        stock(&s, 0, 10);
        stock(&s, 1, 10);
        CHECK_OK(hold(&s, 1, 0, 6));                                    /* 4 left */
        CHECK_OK(hold(&s, 2, 1, 6));                                    /* 4 left: low by default */
        CHECK_EQ(events(w, "inventory", "stock.low"), 1);
        CHECK_OK(hold(&s, 3, 0, 1));                                    /* 3 left */
        CHECK_OK(hold(&s, 4, 0, 1));                                    /* 2 left: told before */
        CHECK_EQ(events(w, "inventory", "stock.low"), 2);
        CHECK_EQ(events(w, "inventory", "stock.out"), 0);
        CHECK_OK(hold(&s, 5, 0, 2));
        CHECK_EQ(events(w, "inventory", "stock.out"), 1);
        stock(&s, 0, 4);
        CHECK_OK(hold(&s, 6, 0, 4));                                    /* over both at once */
        CHECK_EQ(events(w, "inventory", "stock.low"), 3);
        CHECK_EQ(events(w, "inventory", "stock.out"), 2);
        stock(&s, 0, 8);
        a = change(&s, "staff", put, "*", "{\"low\":8}");               /* the threshold comes to meet it */
        CHECK_EQ(a.status, 200);
        CHECK_EQ(events(w, "inventory", "stock.low"), 4);
        CHECK_EQ(change(&s, "staff", say(&s, "DELETE %s", path), "\"1-0000000000000000\"", NULL).status, 412);
        CHECK_EQ(change(&s, "staff", say(&s, "DELETE %s", path), etag_of(&s, a), NULL).status, 204);
        a = http(w, "staff", GET, path, NULL);
        CHECK_EQ(int_of(a, "low"), 5);
        CHECK_EQ(int_of(a, "version"), 4);
        a = http(w, "staff", GET, "/v1/inventory?level=low", NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(a.body)), id_of(&s, 1)) && !strstr(say(&s, STR_FMT, STR_ARG(a.body)), id_of(&s, 0)));
        a = http(w, "staff", GET, "/v1/inventory?level=out", NULL);
        CHECK(str_eq(json_member(a.body, "items"), STR("[]")));
        CHECK_EQ(change(&s, "alice", put, "*", "{\"low\":8}").status, 403);
        CHECK(blames(change(&s, "staff", put, "*", "{\"low\":-1}"), "/low", "too_small"));
        CHECK(says(change(&s, "staff", "PUT /v1/inventory/thresholds/019ab4f0-0000-7000-8000-000000000009", "*", "{\"low\":1}"), 404, "no_such_product"));
        AUDIT(&s);
        return 0;
}

TEST(low_and_out_are_told_once_for_each_time_they_are_reached) { CHECK_OK(run_main(crossings, NULL)); }

TEST_MAIN
