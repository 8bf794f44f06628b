/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * back_test.c - stock that comes back from cancelled orders and returns, on a real PostgreSQL; the events are put into orders' outbox by hand, so
 * that they can be in any order. */
#include "test.h"
#include "shop.h"
#include "hash.h"
#include "identity/identity.h"
#include "loop.h"
#include "inventory/stock.h"
#include "orders/book.h"
#include "payments/payments.h"

#define SHOP(s, w, c) \
        WORLD(w, c, &identity_service, &catalog_service, &inventory_service, &payments_service, &orders_service); \
        struct shop s; \
        shop_open(&s, w)
#define ITEMS(...) ((struct item_list){ (struct item[]){ __VA_ARGS__ }, COUNT(((struct item[]){ __VA_ARGS__ })) })

static uid order_no(int n)
{
        return (uid){ { 1, [15] = (uint8_t)n } };
}

static uid return_no(int n)
{
        return (uid){ { 2, [15] = (uint8_t)n } };
}

static void cancel(struct world *w, int order, struct item_list items)
{
        tell_event(w, "orders", &order_cancelled, &(struct order_cancellation){ order_no(order), who_id("alice"), 1, STR("changed_mind"), { 0, "EUR" }, clock_now(), items });
}

static void send_back(struct world *w, int order, int no, bool restock, struct item_list items)
{
        tell_event(w, "orders", &order_returned, &(struct order_return_note){ order_no(order), return_no(no), who_id("alice"), 1, STR("CN-2026-00000001"), { 0, "EUR" }, restock,
                                                             clock_now(), items });
}

static void hold(struct world *w, int order, struct item_list items, const char *country)
{
        struct hold_request in = { order_no(order), 1, items, country ? str_of(country) : (str){ 0 } };

        CHECK_OK(inventory_hold_call(as(w, "service"), &in, &(struct hold){ 0 }));
}

static void confirm(struct world *w, int order, struct item_list items)
{
        struct order_line lines[8] = { 0 };
        struct confirm in = { .id = order_no(order), .buyer = who_id("alice"), .attempt = 1, .fingerprint = 1, .total = { 0, "EUR" }, .lines = { lines, items.n } };

        for (size_t i = 0; i < items.n; i++)
                lines[i] = (struct order_line){ items.v[i].product_id, STR("Thing"), items.v[i].quantity, { 0, "EUR" }, { 0, "EUR" }, 1900 };
        CHECK_OK(payment_authorise_call(as(w, "service"), &(struct charge){ order_no(order), who_id("alice"), 1, { 0, "EUR" }, STR(PAYS) }, &(struct authorisation){ 0 }));
        CHECK_OK(order_confirm_call(as(w, "service"), &in, &(struct confirmed){ 0 }));
}

/* A second warehouse with n units of the first product. */
static void north(struct shop *s, int n)
{
        struct http_answer a = http(s->w, "admin#north", POST, "/v1/warehouses", "{\"code\":\"north\",\"name\":\"North\",\"country\":\"SE\"}");
        char body[300], product[37];

        CHECK_EQ(a.status, 201);
        uid_format(s->products[0], product);
        snprintf(body, sizeof body, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}],\"warehouse_id\":\"" STR_FMT "\"}", product, n, STR_ARG(text_of(a, "id")));
        CHECK_EQ(http(s->w, "staff#north", POST, "/v1/inventory/receipts", body).status, 201);
}

static int64_t in(struct world *w, const char *code)
{
        char sql[300];

        snprintf(sql, sizeof sql, "select coalesce(sum(quantity), 0)::int8 from stock s join warehouse w on w.no = s.warehouse_no where w.code = '%s'", code);
        return number(w, "inventory", sql);
}

/* ---- cancelled ----------------------------------------------------------------------------------------------------------- */

static int cancelled(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct item_list items = ITEMS({ s.products[0], 9 }, { s.products[1], 2 });

        stock(&s, 0, 5);
        stock(&s, 1, 4);
        north(&s, 6);
        hold(w, 1, items, "SE");
        CHECK_EQ(in(w, "north"), 0);                                    /* the nearest first, then the other */
        CHECK_EQ(in(w, "main"), 2 + 2);
        confirm(w, 1, items);
        settle(w);
        CHECK_EQ(number(w, "inventory", "select -sum(delta) from movement where kind = 3"), 11);
        cancel(w, 1, items);
        settle(w);
        CHECK_EQ(in(w, "north"), 6);                                    /* each unit is where it was */
        CHECK_EQ(in(w, "main"), 5 + 4);
        CHECK_EQ(rows(w, "inventory", "movement where kind = 5 and reason = 'changed_mind' and line < 0"), 3);
        CHECK_EQ(number(w, "inventory", "select sum(quantity)::int8 from taken_back"), 11);
        cancel(w, 1, items);                                            /* said twice, done once */
        settle(w);
        CHECK_EQ(in(w, "north") + in(w, "main"), 15);
        AUDIT_STOCK(&s);
        return 0;
}

TEST(a_cancelled_order_goes_back_to_the_warehouses_it_came_from) { CHECK_OK(run_main(cancelled, NULL)); }

/* The consumer of order.confirmed cannot work; that of order.cancelled can. */
static int cancelled_first(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct item_list items = ITEMS({ s.products[0], 3 });

        stock(&s, 0, 5);
        hold(w, 1, items, NULL);
        CHECK_EQ(free_units(&s, 0), 2);
        cancel(w, 1, items);
        settle(w);
        CHECK_EQ(free_units(&s, 0), 5);
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        confirm(w, 1, items);                                           /* its event comes after the cancellation's */
        settle(w);
        CHECK_EQ(free_units(&s, 0), 5);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 3"), -3);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 5"), 3);
        AUDIT_STOCK_QUIET(&s);
        return 0;
}

TEST(a_cancellation_that_is_faster_than_the_confirmation_leaves_the_same_ledger) { CHECK_OK(run_main(cancelled_first, NULL)); }

static int cancelled_and_twin(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct item_list items = ITEMS({ s.products[0], 3 });

        clock_fake(clock_now());
        stock(&s, 0, 9);
        hold(w, 1, items, NULL);
        cancel(w, 1, items);
        settle(w);
        hold(w, 1, items, NULL);                                        /* a slow twin of the request */
        confirm(w, 1, items);
        settle(w);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 3"), -3);
        CHECK_EQ(rows(w, "inventory", "hold"), 1);
        clock_advance(MINUTES(16));
        sweep(&s);
        CHECK_EQ(free_units(&s, 0), 9);
        AUDIT_STOCK_QUIET(&s);
        clock_real();
        return 0;
}

TEST(the_hold_of_a_twin_is_not_sold_a_second_time_for_a_cancelled_order) { CHECK_OK(run_main(cancelled_and_twin, NULL)); }

/* ---- returned ------------------------------------------------------------------------------------------------------------ */

static int returned(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct item_list items = ITEMS({ s.products[0], 9 }, { s.products[1], 2 });

        stock(&s, 0, 5);
        stock(&s, 1, 2);
        north(&s, 6);
        hold(w, 1, items, "SE");
        confirm(w, 1, items);
        settle(w);
        CHECK_EQ(in(w, "north") + in(w, "main"), 2);
        send_back(w, 1, 1, false, ITEMS({ s.products[0], 4 }));         /* broken: not stock */
        settle(w);
        CHECK_EQ(in(w, "north") + in(w, "main"), 2);
        send_back(w, 1, 2, true, ITEMS({ s.products[0], 4 }, { s.products[1], 1 }));
        settle(w);
        CHECK_EQ(in(w, "north"), 4);                                    /* most was sold from there */
        CHECK_EQ(in(w, "main"), 2 + 1);
        CHECK_EQ(rows(w, "inventory", "movement where kind = 6 and ref = '02000000-0000-0000-0000-000000000002' and reason = 'CN-2026-00000001'"), 2);
        send_back(w, 1, 3, true, ITEMS({ s.products[0], 5 }));
        settle(w);
        CHECK_EQ(in(w, "north"), 6);
        CHECK_EQ(in(w, "main"), 5 + 1);
        cancel(w, 1, items);                                            /* only what has not come back yet */
        settle(w);
        CHECK_EQ(in(w, "main"), 5 + 2);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 5"), 1);
        AUDIT_STOCK(&s);
        return 0;
}

TEST(returns_go_back_where_they_came_from_part_by_part_and_what_is_broken_does_not) { CHECK_OK(run_main(returned, NULL)); }

static int where_it_came_from_is_gone(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct item_list items = ITEMS({ s.products[0], 6 });

        north(&s, 6);
        hold(w, 1, items, "SE");
        confirm(w, 1, items);
        settle(w);
        CHECK_OK(execute(w, "inventory", "update warehouse set deleted_at = now(), active = false where code = 'north'"));
        send_back(w, 1, 1, true, ITEMS({ s.products[0], 2 }));
        send_back(w, 7, 2, true, ITEMS({ s.products[1], 3 }));          /* of an order that was never sold from here */
        settle(w);
        CHECK_EQ(in(w, "north"), 0);
        CHECK_EQ(in(w, "main"), 2 + 3);
        AUDIT_STOCK(&s);
        return 0;
}

TEST(what_comes_back_to_a_warehouse_that_is_gone_goes_to_the_default) { CHECK_OK(run_main(where_it_came_from_is_gone, NULL)); }

/* Restarts between any two events, all kinds of them: each is applied once. */
static int restarts(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct item_list two = ITEMS({ s.products[0], 2 }), one = ITEMS({ s.products[0], 1 });

        stock(&s, 0, 100);
        for (int i = 1; i <= 12; i++) {
                hold(w, i, two, NULL);
                if (i % 3 == 0) events_stop(w);
                confirm(w, i, two);
                if (i % 4 == 0) cancel(w, i, two);
                if (i % 4 == 1) send_back(w, i, i, true, one);
                if (i % 3 == 0) events_start(w);
        }
        events_stop(w);
        events_start(w);
        settle(w);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 3"), -24);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 5"), 6);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 6"), 3);
        CHECK_EQ(free_units(&s, 0), 100 - 24 + 6 + 3);
        AUDIT_STOCK_QUIET(&s);
        return 0;
}

TEST(what_comes_back_is_counted_once_across_restarts_of_the_bus) { CHECK_OK(run_main(restarts, NULL)); }

/* Random orders, each confirmed and then left alone, cancelled, or sent back in parts; the events in any order, the bus stopped now and then. */
enum { GOODS = 3, ORDERS = 50 };

struct fate_of_order { int64_t *free; struct rand *dice; int no; };

static void live_on(struct shop *s, const struct fate_of_order *f, struct item_list items)
{
        struct world *w = s->w;
        uint64_t what = rand_below(f->dice, 4);

        if (what == 0) cancel(w, f->no, items);                         /* before the confirmation */
        confirm(w, f->no, items);
        if (what == 1) cancel(w, f->no, items);
        if (what == 2) {
                for (size_t i = 0; i < items.n; i++) {
                        int32_t n = 1 + (int32_t)rand_below(f->dice, (uint64_t)items.v[i].quantity);
                        bool restock = rand_below(f->dice, 3) > 0;
                        send_back(w, f->no, 10 * f->no + (int)i, restock, ITEMS({ items.v[i].product_id, n }));
                        for (int p = 0; p < GOODS; p++)
                                if (restock && uid_eq(s->products[p], items.v[i].product_id)) f->free[p] += n;
                }
        }
        for (size_t i = 0; i < items.n && what < 2; i++)
                for (int p = 0; p < GOODS; p++)
                        if (uid_eq(s->products[p], items.v[i].product_id)) f->free[p] += items.v[i].quantity;
}

static int any_order(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct rand dice;
        int64_t left[GOODS] = { 60 + 60, 90, 90 };

        rand_seed(&dice, 11);
        north(&s, 60);
        for (int p = 0; p < GOODS; p++) stock(&s, p, p ? 90 : 60);
        for (int no = 1; no <= ORDERS; no++) {
                struct item v[GOODS];
                struct item_list items = { v, 0 };
                struct hold_request in = { order_no(no), 1, { v, 0 }, rand_below(&dice, 2) ? STR("SE") : STR("DE") };
                for (int p = 0; p < GOODS; p++)
                        if (rand_below(&dice, 2)) v[items.n++] = (struct item){ s.products[p], 1 + (int32_t)rand_below(&dice, 6) };
                in.items.n = items.n;
                if (items.n == 0 || inventory_hold_call(as(w, "service"), &in, &(struct hold){ 0 }) < 0) continue;
                for (size_t i = 0; i < items.n; i++)
                        for (int p = 0; p < GOODS; p++)
                                if (uid_eq(s.products[p], v[i].product_id)) left[p] -= v[i].quantity;
                if (no % 7 == 3) events_stop(w);
                live_on(&s, &(struct fate_of_order){ left, &dice, no }, items);
                if (no % 7 == 3) events_start(w);
                if (no % 10 == 0) AUDIT_STOCK(&s);
        }
        settle(w);
        for (int p = 0; p < GOODS; p++) CHECK_EQ(free_units(&s, p), left[p]);
        CHECK_EQ(number(w, "inventory", "select count(*) from taken_back t where quantity > (select -sum(delta) from movement m where m.kind = 3 and m.ref = t.order_id"
                                        " and m.product_id = t.product_id and m.warehouse_no = t.warehouse_no)"), 0);
        CHECK_EQ(number(w, "inventory", "select (select coalesce(sum(quantity), 0) from taken_back) - (select sum(delta) from movement where kind in (5, 6))"), 0);
        AUDIT_STOCK_QUIET(&s);
        return 0;
}

TEST(random_orders_cancelled_or_sent_back_in_any_order_leave_what_a_model_says) { CHECK_OK(run_main(any_order, NULL)); }

static int parts(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct item_list items = ITEMS({ s.products[0], 7 });
        const char *path = "/v1/inventory/allocations/01000000-0000-0000-0000-000000000001";
        struct http_answer a;

        stock(&s, 0, 5);
        north(&s, 6);
        CHECK(says(http(w, "staff", GET, path, NULL), 404, "no_such_order"));
        hold(w, 1, items, "SE");
        a = http(w, "staff", GET, path, NULL);
        CHECK_EQ(a.status, 200);
        CHECK(strstr(arena_z(c->arena, a.body), "\"code\":\"main\",\"quantity\":1,\"state\":\"held\",\"taken_back\":0") != NULL);
        confirm(w, 1, items);
        settle(w);
        send_back(w, 1, 1, true, ITEMS({ s.products[0], 2 }));
        settle(w);
        a = http(w, "staff", GET, path, NULL);
        CHECK(strstr(arena_z(c->arena, a.body), "\"code\":\"main\",\"quantity\":1,\"state\":\"sold\",\"taken_back\":0") != NULL);
        CHECK(strstr(arena_z(c->arena, a.body), "\"code\":\"north\",\"quantity\":6,\"state\":\"sold\",\"taken_back\":2") != NULL);
        CHECK_EQ(http(w, "alice", GET, path, NULL).status, 403);
        return 0;
}

TEST(an_order_says_which_warehouses_fill_it_and_what_came_back) { CHECK_OK(run_main(parts, NULL)); }

TEST_MAIN
