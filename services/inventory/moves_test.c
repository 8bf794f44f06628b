/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * moves_test.c - receipts, transfers and the ledger on a real PostgreSQL: what each refuses, and long random sequences held against a model. */
#include "test.h"
#include "shop.h"
#include "hash.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/orders.h"
#include "payments/payments.h"

#define MAIN_ID "019ab4f0-0000-7000-8000-000000000001"
#define NOBODYS "019ab4f0-0000-7000-8000-000000000009"
enum { PLACES = 4, GOODS = 3, STEPS = 250 };

static const char *opened(struct shop *s, const char *code)
{
        struct http_answer a = http(s->w, say(s, "admin#open-%s", code), POST, "/v1/warehouses", say(s, "{\"code\":\"%s\",\"name\":\"%s\",\"country\":\"SE\"}", code, code));

        CHECK_EQ(a.status, 201);
        return say(s, STR_FMT, STR_ARG(text_of(a, "id")));
}

static const char *transfer(struct shop *s, const char *from, const char *to, int product, int quantity)
{
        return say(s, "{\"from_warehouse_id\":\"%s\",\"to_warehouse_id\":\"%s\",\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}]}", from, to, id_of(s, product), quantity);
}

static int64_t lies(struct shop *s, const char *warehouse, int product)
{
        return number(s->w, "inventory", say(s, "select coalesce(sum(quantity), 0)::int8 from stock s join warehouse w on w.no = s.warehouse_no"
                                                " where w.id = '%s' and s.product_id = '%s'", warehouse, id_of(s, product)));
}

/* ---- receipts --------------------------------------------------------------------------------------------------------------- */

static int receipts(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *lorry = say(&s, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":4},{\"product_id\":\"%s\",\"quantity\":2},"
                                    "{\"product_id\":\"%s\",\"quantity\":3}],\"note\":\"a lorry\"}",
                                id_of(&s, 0), id_of(&s, 1), id_of(&s, 0));
        struct http_answer a = http(w, "staff#r1", POST, "/v1/inventory/receipts", lorry), b;
        const char *path = say(&s, STR_FMT, STR_ARG(header_get(&a.headers, "location")));

        CHECK_EQ(a.status, 201);
        CHECK(same(http(w, "staff#r1", POST, "/v1/inventory/receipts", lorry), a));
        CHECK_EQ(lies(&s, MAIN_ID, 0), 7);
        CHECK_EQ(lies(&s, MAIN_ID, 1), 2);
        CHECK_EQ(rows(w, "inventory", "movement where kind = 1 and reason = 'a lorry'"), 3);
        CHECK_EQ(events(w, "inventory", "stock.changed"), 2);           /* one a product */
        b = http(w, "staff", GET, path, NULL);
        CHECK_EQ(b.status, 200);
        CHECK(str_eq(a.body, b.body));
        CHECK_EQ(http(w, "alice", GET, path, NULL).status, 403);
        CHECK(says(http(w, "staff", GET, "/v1/inventory/receipts/" NOBODYS, NULL), 404, "no_such_receipt"));
        CHECK(says(http(w, "staff", GET, say(&s, "/v1/inventory/transfers/" STR_FMT, STR_ARG(text_of(a, "id"))), NULL), 404, "no_such_transfer"));

        lorry = say(&s, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":4},{\"product_id\":\"" NOBODYS "\",\"quantity\":2}]}", id_of(&s, 0));
        CHECK(blames(http(w, "staff#r2", POST, "/v1/inventory/receipts", lorry), "/items/1/product_id", "no_such_product"));
        lorry = say(&s, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":4}],\"warehouse_id\":\"" NOBODYS "\"}", id_of(&s, 0));
        CHECK(blames(http(w, "staff#r2", POST, "/v1/inventory/receipts", lorry), "/warehouse_id", "no_such_warehouse"));
        CHECK(blames(http(w, "staff#r2", POST, "/v1/inventory/receipts", "{\"items\":[]}"), "/items", "too_few"));
        CHECK_EQ(execute(w, "inventory", "update stock set quantity = 999999999"), 2);
        lorry = say(&s, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":1},{\"product_id\":\"%s\",\"quantity\":2}]}", id_of(&s, 0), id_of(&s, 1));
        a = http(w, "staff#r2", POST, "/v1/inventory/receipts", lorry);
        CHECK(says(a, 409, "too_much_stock"));
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(a.body)), "/items/1/quantity"));
        CHECK_EQ(lies(&s, MAIN_ID, 0), 999999999);
        CHECK_EQ(http(w, "alice#r2", POST, "/v1/inventory/receipts", lorry).status, 403);
        CHECK_EQ(http_message(w, NULL, "GET /v1/inventory/receipts/" NOBODYS " HTTP/1.1\r\nhost: x\r\n\r\n").status, 401);
        return 0;
}

TEST(a_receipt_books_all_its_lines_or_none_and_can_be_read_again) { CHECK_OK(run_main(receipts, NULL)); }

/* ---- transfers -------------------------------------------------------------------------------------------------------------- */

static int transfers(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *north = opened(&s, "north"), *post = "/v1/inventory/transfers", *body = transfer(&s, MAIN_ID, north, 0, 3);
        struct http_answer a, b;
        int64_t changed;

        stock(&s, 0, 5);
        changed = events(w, "inventory", "stock.changed");
        a = http(w, "staff#t1", POST, post, body);
        CHECK_EQ(a.status, 201);
        CHECK(same(http(w, "staff#t1", POST, post, body), a));
        CHECK_EQ(lies(&s, MAIN_ID, 0), 2);
        CHECK_EQ(lies(&s, north, 0), 3);
        CHECK_EQ(number(w, "inventory", "select sum(delta)::int8 from movement where kind = 4"), 0);
        CHECK_EQ(rows(w, "inventory", "movement where kind = 4"), 2);
        CHECK_EQ(events(w, "inventory", "stock.changed"), changed);     /* as many are free as before */
        b = http(w, "staff", GET, say(&s, STR_FMT, STR_ARG(header_get(&a.headers, "location"))), NULL);
        CHECK_EQ(b.status, 200);
        CHECK(str_eq(a.body, b.body));

        a = http(w, "staff#t2", POST, post, say(&s, "{\"from_warehouse_id\":\"" MAIN_ID "\",\"to_warehouse_id\":\"%s\",\"items\":[{\"product_id\":\"%s\",\"quantity\":1},"
                                                    "{\"product_id\":\"%s\",\"quantity\":2}]}", north, id_of(&s, 0), id_of(&s, 0)));
        CHECK(says(a, 409, "not_enough_stock"));                        /* the second line finds one unit less */
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(a.body)), "/items/1/quantity"));
        CHECK(says(http(w, "staff#t2", POST, post, transfer(&s, MAIN_ID, north, 1, 1)), 409, "not_enough_stock"));
        CHECK(blames(http(w, "staff#t2", POST, post, transfer(&s, MAIN_ID, MAIN_ID, 0, 1)), "/to_warehouse_id", "same_warehouse"));
        CHECK(blames(http(w, "staff#t2", POST, post, transfer(&s, NOBODYS, MAIN_ID, 0, 1)), "/from_warehouse_id", "no_such_warehouse"));
        CHECK(blames(http(w, "staff#t2", POST, post, transfer(&s, MAIN_ID, NOBODYS, 0, 1)), "/to_warehouse_id", "no_such_warehouse"));
        CHECK(blames(http(w, "staff#t2", POST, post, transfer(&s, MAIN_ID, north, 0, 0)), "/items/0/quantity", "too_small"));
        CHECK(says(http(w, "staff", POST, post, body), 400, "idempotency_key_missing"));
        CHECK_EQ(http(w, "vendor#t2", POST, post, body).status, 403);
        CHECK_EQ(http_message(w, NULL, "GET /v1/inventory/transfers/" NOBODYS " HTTP/1.1\r\nhost: x\r\n\r\n").status, 401);
        CHECK(says(http(w, "staff", GET, "/v1/inventory/transfers/" NOBODYS, NULL), 404, "no_such_transfer"));
        CHECK_EQ(lies(&s, MAIN_ID, 0), 2);
        CHECK_EQ(rows(w, "inventory", "stock where product_id not in (select product_id from movement)"), 0);
        AUDIT(&s);
        return 0;
}

TEST(a_transfer_takes_here_and_puts_there_or_does_nothing) { CHECK_OK(run_main(transfers, NULL)); }

/* ---- against a model -------------------------------------------------------------------------------------------------------- */

struct model { struct shop *s; const char *place[PLACES]; int64_t here[PLACES][GOODS], came[PLACES][GOODS]; struct rand dice; int no; };

static void step_adjust(struct model *m, int at, int p, int n)
{
        int delta = rand_below(&m->dice, 2) ? n : -n;
        int status = http(m->s->w, say(m->s, "staff#%d", m->no), POST, "/v1/inventory/adjustments",
                          say(m->s, "{\"product_id\":\"%s\",\"warehouse_id\":\"%s\",\"delta\":%d,\"reason\":\"count\"}", id_of(m->s, p), m->place[at], delta)).status;

        CHECK_EQ(status, m->here[at][p] + delta >= 0 ? 201 : 409);
        if (status != 201) return;
        m->here[at][p] += delta;
        m->came[at][p] += delta;
}

static void step_receive(struct model *m, int at, int p, int n)
{
        CHECK_EQ(http(m->s->w, say(m->s, "staff#%d", m->no), POST, "/v1/inventory/receipts",
                      say(m->s, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}],\"warehouse_id\":\"%s\"}", id_of(m->s, p), n, m->place[at])).status, 201);
        m->here[at][p] += n;
        m->came[at][p] += n;
}

static void step_transfer(struct model *m, int at, int p, int n)
{
        int to = (at + 1 + (int)rand_below(&m->dice, PLACES - 1)) % PLACES, other = (p + 1) % GOODS, k = 1 + (int)rand_below(&m->dice, 6);
        bool can = m->here[at][p] >= n && m->here[at][other] >= k;
        int status = http(m->s->w, say(m->s, "staff#%d", m->no), POST, "/v1/inventory/transfers",
                          say(m->s, "{\"from_warehouse_id\":\"%s\",\"to_warehouse_id\":\"%s\",\"items\":[{\"product_id\":\"%s\",\"quantity\":%d},"
                                    "{\"product_id\":\"%s\",\"quantity\":%d}]}",
                              m->place[at], m->place[to], id_of(m->s, p), n, id_of(m->s, other), k)).status;

        CHECK_EQ(status, can ? 201 : 409);
        if (!can) return;
        m->here[at][p] -= n;
        m->here[to][p] += n;
        m->here[at][other] -= k;
        m->here[to][other] += k;
}

static int64_t held(struct model *m, int p)
{
        return number(m->s->w, "inventory", say(m->s, "select coalesce(sum(quantity), 0)::int8 from hold where product_id = '%s'", id_of(m->s, p)));
}

/* Where the units come from is plan_test's; here only how many, and then the model looks where they are. */
static void step_hold(struct model *m, int p, int n)
{
        struct item item = { m->s->products[p], n };
        struct hold_request in = { { { 1, [14] = (uint8_t)(m->no >> 8), [15] = (uint8_t)m->no } }, 1, { &item, 1 }, STR("SE") };
        int64_t all = 0, before = held(m, p);

        for (int at = 0; at < PLACES; at++) all += m->here[at][p];
        CHECK_EQ(inventory_hold_call(as(m->s->w, "service"), &in, &(struct hold){ 0 }), all >= n ? 0 : -FAILED_PRECONDITION);
        CHECK_EQ(held(m, p) - before, all >= n ? n : 0);
        for (int at = 0; at < PLACES; at++) m->here[at][p] = lies(m->s, m->place[at], p);
}

static int model(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct model m = { .s = &s, .place = { MAIN_ID, opened(&s, "a"), opened(&s, "b"), opened(&s, "c") } };

        rand_seed(&m.dice, 7);
        for (m.no = 1; m.no <= STEPS; m.no++) {
                int at = (int)rand_below(&m.dice, PLACES), p = (int)rand_below(&m.dice, GOODS), n = 1 + (int)rand_below(&m.dice, 12);
                switch (rand_below(&m.dice, 5)) {
                case 0:  step_receive(&m, at, p, n); break;
                case 1:  step_adjust(&m, at, p, n); break;
                case 2:  step_hold(&m, p, n); break;
                default: step_transfer(&m, at, p, n); break;
                }
                if (m.no % 25 == 0) AUDIT(&s);
        }
        for (int p = 0; p < GOODS; p++) {
                struct http_answer a = http(w, "staff", GET, say(&s, "/v1/inventory/balances/%s", id_of(&s, p)), NULL);
                int64_t here = 0, came = 0;
                for (int at = 0; at < PLACES; at++) {
                        CHECK_EQ(lies(&s, m.place[at], p), m.here[at][p]);
                        here += m.here[at][p];
                        came += m.came[at][p];
                }
                CHECK_EQ(int_of(a, "on_hand"), here);
                CHECK_EQ(int_of(a, "received") + int_of(a, "adjusted"), came);
                CHECK_EQ(int_of(a, "transferred"), 0);
                CHECK_EQ(int_of(a, "on_hand") + int_of(a, "held"), came);
        }
        return 0;
}

TEST(random_receipts_adjustments_transfers_and_holds_do_what_a_model_does) { CHECK_OK(run_main(model, NULL)); }

/* ---- at once ------------------------------------------------------------------------------------------------------------------ */

struct carrier { struct shop *s; const char *from, *to; int no, moved; };

static int carry(struct ctx *c, void *arg)
{
        struct carrier *k = arg;

        (void)c;
        for (int i = 0; i < 6; i++) {
                const char *who = say(k->s, "staff#c%d-%d", k->no, i);
                int status = http(k->s->w, who, POST, "/v1/inventory/transfers", transfer(k->s, k->from, k->to, 0, 1 + i % 3)).status;
                CHECK(status == 201 || status == 409);
                k->moved += status == 201 ? 1 + i % 3 : 0;
        }
        return 0;
}

static int at_once(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *place[3] = { MAIN_ID, opened(&s, "a"), opened(&s, "b") };
        struct carrier carriers[12];
        int64_t want[3] = { 9, 0, 0 };

        stock(&s, 0, 9);
        GROUP(g, c);
        for (int i = 0; i < 12; i++) {                                  /* round and round, in both directions, over rows that come into being meanwhile */
                carriers[i] = (struct carrier){ &s, place[i % 3], place[(i + (i % 2 ? 1 : 2)) % 3], i, 0 };
                CHECK_OK(group_go(g, carry, &carriers[i]));
        }
        CHECK_OK(group_wait(g));
        for (int i = 0; i < 12; i++) {
                want[i % 3] -= carriers[i].moved;
                want[(i + (i % 2 ? 1 : 2)) % 3] += carriers[i].moved;
        }
        for (int i = 0; i < 3; i++) CHECK_EQ(lies(&s, place[i], 0), want[i]);
        CHECK_EQ(free_units(&s, 0), 9);
        AUDIT(&s);
        return 0;
}

TEST(transfers_in_a_ring_at_once_neither_lose_nor_make_a_unit_nor_lock_each_other_out) { CHECK_OK(run_main(at_once, NULL)); }

/* ---- the ledger --------------------------------------------------------------------------------------------------------------- */

static int ledger(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *north = opened(&s, "north"), *path = say(&s, "/v1/inventory/movements/%s", id_of(&s, 0));
        struct http_answer a, b;

        for (int i = 1; i <= 5; i++) stock(&s, 0, i);
        CHECK_EQ(http(w, "staff#t", POST, "/v1/inventory/transfers", transfer(&s, MAIN_ID, north, 0, 2)).status, 201);
        a = http(w, "staff", GET, say(&s, "%s?limit=4&sort=at", path), NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(a.body)), "\"delta\":1,"));
        b = http(w, "staff", GET, say(&s, STR_FMT, STR_ARG(text_of(a, "next"))), NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(b.body)), "\"delta\":5,") && strstr(say(&s, STR_FMT, STR_ARG(b.body)), "\"delta\":-2,"));
        b = http(w, "staff", GET, say(&s, STR_FMT, STR_ARG(text_of(b, "prev"))), NULL);
        CHECK(str_eq(json_member(a.body, "items"), json_member(b.body, "items")));
        a = http(w, "staff", GET, say(&s, "%s?kind=transferred&warehouse_id=%s", path, north), NULL);
        CHECK(strstr(say(&s, STR_FMT, STR_ARG(a.body)), "\"delta\":2,") && !strstr(say(&s, STR_FMT, STR_ARG(a.body)), "\"delta\":-2,"));
        CHECK(blames(http(w, "staff", GET, say(&s, "%s?kind=stolen", path), NULL), "kind", "not_a_word"));
        CHECK(blames(http(w, "staff", GET, say(&s, "%s?sort=delta", path), NULL), "sort", "not_a_word"));
        return 0;
}

TEST(the_ledger_is_read_both_ways_and_by_kind_and_warehouse) { CHECK_OK(run_main(ledger, NULL)); }

TEST_MAIN
