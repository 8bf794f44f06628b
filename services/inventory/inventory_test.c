/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * inventory_test.c - stock held, committed, released and counted, on a real PostgreSQL: never a unit too many, never one lost. */
#include "test.h"
#include "shop.h"
#include "inventory/holds.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/payments.h"
#include "identity/identity.h"

#define SHOP(s, w, c) \
        WORLD(w, c, &identity_service, &catalog_service, &inventory_service, &payments_service, &orders_service); \
        struct shop s; \
        shop_open(&s, w)

static uid order_no(int n)
{
        return (uid){ { 1, [15] = (uint8_t)n } };
}

static int hold_as(struct world *w, struct ctx *c, int order, int attempt, struct item_list items)
{
        (void)w;
        return inventory_hold_call(c, &(struct hold_request){ order_no(order), attempt, items }, &(struct hold){ 0 });
}
#define ITEMS(...) ((struct item_list){ (struct item[]){ __VA_ARGS__ }, COUNT(((struct item[]){ __VA_ARGS__ })) })
#define HOLD(order, attempt, ...) hold_as(w, as(w, "service"), (order), (attempt), ITEMS(__VA_ARGS__))

static int fate_of(struct world *w, int order, int attempt, const char *reason, struct fate *fate)
{
        return order_abandon_call(as(w, "service"), &(struct abandonment){ order_no(order), attempt, str_of(reason) }, fate);
}

/* An order for what is held, of things that cost nothing. */
static int confirm_unpaid(struct world *w, int order, int attempt, struct item_list items)
{
        struct order_line lines[8] = { 0 };
        struct confirm in = { order_no(order), who_id("alice"), attempt, 1, { 0, "EUR" }, { lines, items.n } };

        for (size_t i = 0; i < items.n; i++)
                lines[i] = (struct order_line){ items.v[i].product_id, STR("Thing"), items.v[i].quantity, { 0, "EUR" }, { 0, "EUR" }, 1900 };
        return order_confirm_call(as(w, "service"), &in, &(struct confirmed){ 0 });
}

static int confirm_as(struct world *w, int order, int attempt, struct item_list items)
{
        TRY(payment_authorise_call(as(w, "service"), &(struct charge){ order_no(order), who_id("alice"), attempt, { 0, "EUR" }, STR(PAYS) }, &(struct authorisation){ 0 }));
        return confirm_unpaid(w, order, attempt, items);
}

/* ---- holding ----------------------------------------------------------------------------------------------------------- */

static int all_or_none(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        stock(&s, 0, 5);
        stock(&s, 1, 2);
        CHECK_FAILS(w, FAILED_PRECONDITION, "out_of_stock", HOLD(1, 1, { s.products[0], 3 }, { s.products[1], 3 }));
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        CHECK_EQ(free_units(&s, 0), 5);
        CHECK_OK(HOLD(1, 1, { s.products[0], 3 }, { s.products[1], 2 }));
        CHECK_EQ(free_units(&s, 0), 2);
        CHECK_EQ(free_units(&s, 1), 0);
        CHECK_FAILS(w, FAILED_PRECONDITION, "out_of_stock", HOLD(2, 1, { s.products[0], 3 }));
        CHECK_FAILS(w, FAILED_PRECONDITION, "out_of_stock", HOLD(3, 1, { s.products[2], 1 }));        /* never stocked */
        CHECK_FAILS(w, INVALID_ARGUMENT, "repeated", HOLD(4, 1, { s.products[0], 1 }, { s.products[0], 1 }));
        CHECK_FAILS(w, INVALID_ARGUMENT, "too_small", HOLD(5, 1, { s.products[0], 0 }));
        CHECK_EQ(free_units(&s, 0), 2);
        AUDIT(&s);
        return 0;
}

TEST(a_hold_takes_all_lines_or_none) { CHECK_OK(run_main(all_or_none, NULL)); }

static int again(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        stock(&s, 0, 5);
        CHECK_OK(HOLD(1, 1, { s.products[0], 3 }));
        CHECK_OK(HOLD(1, 1, { s.products[0], 3 }));                     /* the same: nothing more is taken */
        CHECK_EQ(free_units(&s, 0), 2);
        CHECK_FAILS(w, FAILED_PRECONDITION, "hold_differs", HOLD(1, 1, { s.products[0], 2 }));
        CHECK_OK(HOLD(1, 2, { s.products[0], 4 }));                     /* a later attempt: the old one is over */
        CHECK_EQ(free_units(&s, 0), 1);
        CHECK_FAILS(w, ABORTED, "attempt_is_over", HOLD(1, 1, { s.products[0], 3 }));
        CHECK_FAILS(w, FAILED_PRECONDITION, "out_of_stock", HOLD(1, 3, { s.products[0], 6 }));
        CHECK_EQ(free_units(&s, 0), 5);                                 /* attempt 2 is over all the same */
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        AUDIT(&s);
        return 0;
}

TEST(a_hold_asked_for_again_is_the_same_hold_and_a_later_attempt_replaces_it) { CHECK_OK(run_main(again, NULL)); }

struct job_hold { struct shop *s; int order, attempt, quantity, code; bool elsewhere; };

static int hold_fiber(struct ctx *c, void *arg)
{
        struct job_hold *j = arg;
        struct item item = { j->s->products[0], j->quantity };
        struct hold_request in = { order_no(j->order), j->attempt, { &item, 1 } };
        struct hold out = { 0 };

        c->unit = NULL;
        j->code = j->elsewhere ? elsewhere(j->s->w, c, &inventory_hold_op, &in, &out) : inventory_hold_call(c, &in, &out);
        return 0;
}

static int rush(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct job_hold jobs[60];
        int held = 0;

        stock(&s, 0, 25);
        GROUP(g, c);
        for (int i = 0; i < 60; i++) {                                  /* a third in batches of their own, as on other replicas */
                jobs[i] = (struct job_hold){ &s, i + 1, 1, 1, -1, i % 3 == 0 };
                CHECK_OK(group_go(g, hold_fiber, &jobs[i]));
        }
        CHECK_OK(group_wait(g));
        for (int i = 0; i < 60; i++) {
                CHECK(jobs[i].code == 0 || jobs[i].code == -FAILED_PRECONDITION);
                held += jobs[i].code == 0;
        }
        CHECK_EQ(held, 25);
        CHECK_EQ(free_units(&s, 0), 0);
        CHECK_EQ(number(w, "inventory", "select sum(quantity) from hold"), 25);
        AUDIT(&s);
        return 0;
}

TEST(sixty_at_once_on_two_replicas_hold_exactly_what_is_there) { CHECK_OK(run_main(rush, NULL)); }

/* Two requests of one key in one batch, both replacing the hold of an attempt that is over; one asks for too much. Giving the old hold back for both would make
 * five units out of nothing. */
static int replaced_twice(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct job_hold before = { &s, 9, 1, 1, -1, false }, first = { &s, 1, 2, 5, -1, false }, second = { &s, 1, 2, 999, -1, false },
                        third = { &s, 1, 2, 5, -1, true };

        stock(&s, 0, 5);
        CHECK_OK(HOLD(1, 1, { s.products[0], 5 }));
        GROUP(g, c);
        CHECK_OK(group_go(g, hold_fiber, &before));                             /* while this batch runs the next one gathers */
        CHECK_OK(group_go(g, hold_fiber, &first));
        CHECK_OK(group_go(g, hold_fiber, &second));
        CHECK_OK(group_go(g, hold_fiber, &third));
        CHECK_OK(group_wait(g));
        CHECK_EQ(number(w, "inventory", "select coalesce(sum(quantity), 0) from hold") + free_units(&s, 0), 5);
        CHECK(second.code < 0);
        AUDIT(&s);
        return 0;
}

TEST(two_calls_of_a_batch_that_replace_one_hold_give_it_back_once) { CHECK_OK(run_main(replaced_twice, NULL)); }

static int poison(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct job_hold jobs[20];

        stock(&s, 0, 100);
        execute(w, "inventory", "alter table hold add constraint poison check (quantity <> 7)");
        GROUP(g, c);
        for (int i = 0; i < 20; i++) {
                jobs[i] = (struct job_hold){ &s, i + 1, 1, i == 11 ? 7 : 1, -1, false };
                CHECK_OK(group_go(g, hold_fiber, &jobs[i]));
        }
        CHECK_OK(group_wait(g));
        for (int i = 0; i < 20; i++)
                CHECK_EQ(jobs[i].code, i == 11 ? -FAILED_PRECONDITION : 0);
        CHECK_EQ(free_units(&s, 0), 81);
        AUDIT(&s);
        return 0;
}

TEST(one_poisoned_call_in_a_batch_fails_alone) { CHECK_OK(run_main(poison, NULL)); }

static int warehouses(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a = http(w, "admin#w1", POST, "/v1/warehouses", "{\"code\":\"north\",\"name\":\"North\",\"country\":\"SE\"}");
        char body[300], product[37];

        CHECK_EQ(a.status, 201);
        uid_format(s.products[0], product);
        stock(&s, 0, 3);
        snprintf(body, sizeof body, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":4}],\"warehouse_id\":\"" STR_FMT "\",\"note\":\"from Malmö\"}", product,
                 STR_ARG(text_of(a, "id")));
        a = http(w, "staff#r1", POST, "/v1/inventory/receipts", body);
        CHECK_EQ(a.status, 201);
        CHECK_FAILS(w, FAILED_PRECONDITION, "out_of_stock", HOLD(1, 1, { s.products[0], 8 }));
        CHECK_OK(HOLD(1, 1, { s.products[0], 5 }));
        CHECK_EQ(rows(w, "inventory", "hold"), 2);
        CHECK_EQ(free_units(&s, 0), 2);
        CHECK_OK(HOLD(1, 1, { s.products[0], 5 }));
        CHECK_OK(confirm_as(w, 1, 1, ITEMS({ s.products[0], 5 })));
        settle(w);
        CHECK_EQ(rows(w, "inventory", "movement where kind = 3"), 2);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 3"), -5);
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        AUDIT(&s);
        return 0;
}

TEST(a_line_is_filled_from_several_warehouses) { CHECK_OK(run_main(warehouses, NULL)); }

/* ---- what orders says, and the sweeper ----------------------------------------------------------------------------------- */

static int released(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct fate fate;

        stock(&s, 0, 5);
        CHECK_OK(HOLD(1, 2, { s.products[0], 3 }));
        CHECK_OK(fate_of(w, 1, 1, "payment_declined", &fate));          /* an earlier attempt: nothing of this hold */
        CHECK_EQ(fate.state, ORDER_REJECTED);
        settle(w);
        CHECK_EQ(free_units(&s, 0), 2);
        CHECK_OK(fate_of(w, 1, 2, "payment_declined", &fate));
        CHECK_OK(fate_of(w, 1, 2, "payment_declined", &fate));          /* asked twice, released once */
        settle(w);
        CHECK_EQ(free_units(&s, 0), 5);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(a_rejected_attempt_gives_back_what_it_held_once_and_nothing_of_a_later_one) { CHECK_OK(run_main(released, NULL)); }

static int ran_out(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct fate fate;

        clock_fake(clock_now());
        stock(&s, 0, 5);
        CHECK_OK(HOLD(1, 1, { s.products[0], 3 }));
        clock_advance(MINUTES(14));
        sweep(&s);
        CHECK_EQ(free_units(&s, 0), 2);                                 /* not yet */
        clock_advance(MINUTES(2));
        sweep(&s);
        CHECK_EQ(free_units(&s, 0), 5);
        CHECK_OK(fate_of(w, 1, 1, "expired", &fate));
        CHECK_EQ(fate.state, ORDER_EXPIRED);
        CHECK_EQ(confirm_unpaid(w, 1, 1, ITEMS({ s.products[0], 3 })), -FAILED_PRECONDITION);       /* it wakes up after an hour */
        CHECK_EQ(confirm_unpaid(w, 1, 2, ITEMS({ s.products[0], 3 })), -FAILED_PRECONDITION);
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(a_hold_that_ran_out_goes_back_and_its_order_can_never_be_confirmed) { CHECK_OK(run_main(ran_out, NULL)); }

static int not_yet_heard(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        stock(&s, 0, 5);
        CHECK_OK(HOLD(1, 1, { s.products[0], 3 }));
        events_stop(w);                                                 /* the event is in the outbox, and stays there */
        CHECK_OK(confirm_as(w, 1, 1, ITEMS({ s.products[0], 3 })));
        clock_advance(MINUTES(16));
        run_job(w, "inventory", "sweep-holds");
        CHECK_EQ(free_units(&s, 0), 2);
        CHECK_EQ(number(w, "inventory", "select sum(quantity) from hold"), 3);
        run_job(w, "inventory", "sweep-holds");
        CHECK_EQ(events(w, "orders", "order.rejected"), 0);
        events_start(w);
        settle(w);
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 3"), -3);
        CHECK_EQ(free_units(&s, 0), 2);
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(a_confirmed_order_keeps_its_hold_however_late_its_event_is) { CHECK_OK(run_main(not_yet_heard, NULL)); }

static int stray(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        stock(&s, 0, 9);
        CHECK_OK(HOLD(1, 1, { s.products[0], 3 }));
        CHECK_OK(confirm_as(w, 1, 1, ITEMS({ s.products[0], 3 })));
        settle(w);
        CHECK_OK(HOLD(1, 1, { s.products[0], 3 }));                     /* the slow twin */
        CHECK_EQ(free_units(&s, 0), 3);
        clock_advance(MINUTES(16));
        sweep(&s);
        CHECK_EQ(free_units(&s, 0), 6);
        CHECK_EQ(rows(w, "inventory", "movement where kind = 3"), 1);
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(the_hold_of_a_twin_that_came_after_the_sale_goes_back) { CHECK_OK(run_main(stray, NULL)); }

static int one_fails(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        stock(&s, 0, 20);
        for (int i = 1; i <= 6; i++)
                CHECK_OK(HOLD(i, 1, { s.products[0], 2 }));
        execute(w, "orders", "alter table orders add constraint poison check (id <> '01000000-0000-0000-0000-000000000003')");
        clock_advance(MINUTES(16));
        CHECK_EQ(try_job(w, "inventory", "sweep-holds"), -FAILED_PRECONDITION);
        settle(w);
        CHECK_EQ(free_units(&s, 0), 18);                                /* all but the third */
        execute(w, "orders", "alter table orders drop constraint poison");
        run_job(w, "inventory", "sweep-holds");
        settle(w);
        CHECK_EQ(free_units(&s, 0), 20);
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(a_hold_that_cannot_be_settled_does_not_keep_others_waiting) { CHECK_OK(run_main(one_fails, NULL)); }

static int restart(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        stock(&s, 0, 100);
        for (int i = 1; i <= 12; i++) {
                CHECK_OK(HOLD(i, 1, { s.products[0], 2 }));
                if (i % 4 == 0) events_stop(w);
                CHECK_OK(confirm_as(w, i, 1, ITEMS({ s.products[0], 2 })));
                if (i % 4 == 0) events_start(w);
        }
        events_stop(w);
        events_start(w);
        settle(w);
        CHECK_EQ(rows(w, "inventory", "movement where kind = 3"), 12);
        CHECK_EQ(free_units(&s, 0), 76);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(events_are_applied_once_across_restarts_of_the_bus) { CHECK_OK(run_main(restart, NULL)); }

/* ---- counting ------------------------------------------------------------------------------------------------------------ */

static int ledger(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        char product[37], path[120], body[300];
        struct http_answer a, first;

        uid_format(s.products[0], product);
        stock(&s, 0, 10);
        snprintf(body, sizeof body, "{\"product_id\":\"%s\",\"delta\":-4,\"reason\":\"water damage\"}", product);
        first = http(w, "staff#a1", POST, "/v1/inventory/adjustments", body);
        CHECK_EQ(first.status, 201);
        CHECK_EQ(int_of(first, "quantity"), 6);
        a = http(w, "staff#a1", POST, "/v1/inventory/adjustments", body);
        CHECK_EQ(a.status, 201);
        CHECK(str_eq(a.body, first.body));                              /* said twice, done once */
        CHECK_EQ(free_units(&s, 0), 6);
        CHECK(says(http(w, "staff#a1", POST, "/v1/inventory/adjustments",
                        "{\"product_id\":\"00000000-0000-7000-8000-000000000001\",\"delta\":1,\"reason\":\"x\"}"), 422, "idempotency_key_reused"));
        snprintf(body, sizeof body, "{\"product_id\":\"%s\",\"delta\":-7,\"reason\":\"theft\"}", product);
        CHECK(says(http(w, "staff#a2", POST, "/v1/inventory/adjustments", body), 409, "not_enough_stock"));
        CHECK_EQ(free_units(&s, 0), 6);
        CHECK_OK(HOLD(1, 1, { s.products[0], 2 }));
        CHECK_OK(confirm_as(w, 1, 1, ITEMS({ s.products[0], 2 })));
        CHECK_OK(HOLD(2, 1, { s.products[0], 1 }));
        settle(w);

        snprintf(path, sizeof path, "/v1/inventory/balances/%s", product);
        a = http(w, "staff", GET, path, NULL);
        CHECK_EQ(a.status, 200);
        CHECK_EQ(int_of(a, "on_hand"), 3);
        CHECK_EQ(int_of(a, "held"), 1);
        CHECK_EQ(int_of(a, "sold"), 2);
        CHECK_EQ(int_of(a, "received"), 10);
        CHECK_EQ(int_of(a, "adjusted"), -4);
        snprintf(path, sizeof path, "/v1/inventory/%s", product);
        a = http(w, NULL, GET, path, NULL);
        CHECK_EQ(int_of(a, "available"), 3);
        CHECK_EQ(int_of(a, "held"), 1);
        CHECK(events(w, "inventory", "stock.changed") >= 2);
        AUDIT(&s);
        return 0;
}

TEST(every_unit_is_in_the_balance_and_an_adjustment_said_twice_counts_once) { CHECK_OK(run_main(ledger, NULL)); }

static int pages(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        char product[37], path[400];
        struct http_answer a;
        int seen = 0, turns = 0;
        int64_t last_delta = INT64_MAX;

        uid_format(s.products[0], product);
        for (int i = 1; i <= 7; i++) stock(&s, 0, i);
        snprintf(path, sizeof path, "/v1/inventory/movements/%s?limit=3", product);
        for (str next = STR("first"); next.p; turns++) {
                str one, items;
                a = http(w, "staff", GET, path, NULL);
                CHECK_EQ(a.status, 200);
                items = json_member(a.body, "items");
                for (struct json_walk walk = json_open(items); json_next_element(&walk, &one); seen++) {
                        int64_t delta = strtoll(json_member(one, "delta").p, NULL, 10);
                        CHECK_EQ(delta, last_delta == INT64_MAX ? 7 : last_delta - 1);  /* newest first */
                        last_delta = delta;
                        CHECK(!json_member(one, "no").p);
                }
                next = text_of(a, "next");
                snprintf(path, sizeof path, STR_FMT, STR_ARG(next));
                stock(&s, 0, 50);                                       /* what comes meanwhile does not show */
        }
        CHECK_EQ(seen, 7);
        CHECK_EQ(turns, 3);
        return 0;
}

TEST(movements_come_newest_first_a_page_at_a_time) { CHECK_OK(run_main(pages, NULL)); }

static int adjust_fiber(struct ctx *c, void *arg)
{
        const char **request = arg;
        struct world *w = (struct world *)request[0];

        (void)c;
        return http(w, request[1], POST, "/v1/inventory/adjustments", request[2]).status == 201 ? 0 : -INTERNAL;
}

static int no_lost_update(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        char body[300], product[37], who[40][16];
        const char *requests[40][3];

        uid_format(s.products[0], product);
        snprintf(body, sizeof body, "{\"product_id\":\"%s\",\"delta\":3,\"reason\":\"found\"}", product);
        GROUP(g, c);
        for (int i = 0; i < 40; i++) {
                snprintf(who[i], sizeof who[i], "staff#k%d", i);
                memcpy(requests[i], (const char *[]){ (const char *)w, who[i], body }, sizeof requests[i]);
                CHECK_OK(group_go(g, adjust_fiber, requests[i]));
        }
        CHECK_OK(group_wait(g));
        CHECK_EQ(free_units(&s, 0), 120);
        CHECK_EQ(number(w, "inventory", "select sum(delta) from movement where kind = 2"), 120);
        AUDIT(&s);
        return 0;
}

TEST(forty_adjustments_at_once_lose_nothing) { CHECK_OK(run_main(no_lost_update, NULL)); }

/* ---- refusals -------------------------------------------------------------------------------------------------------------- */

static int refusals(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        static const char *const staff_only[] = { "/v1/warehouses", "/v1/inventory/balances/019ab4f0-0000-7000-8000-000000000009",
                                                  "/v1/inventory/movements/019ab4f0-0000-7000-8000-000000000009" };
        const char *path = "/v1/inventory/adjustments";
        char good[400], product[37], at[100];
        struct http_answer a, b;

        for (size_t i = 0; i < COUNT(staff_only); i++) {
                a = http_message(w, NULL, as(w, "")->arena ? arena_z(c->arena, arena_printf(c->arena, "GET %s HTTP/1.1\r\nhost: x\r\n\r\n", staff_only[i])) : "");
                CHECK_EQ(a.status, 401);
                CHECK(header_get(&a.headers, "www-authenticate").n > 0);
                CHECK_EQ(http(w, "alice", GET, staff_only[i], NULL).status, 403);
        }
        uid_format(s.products[0], product);
        snprintf(good, sizeof good, "{\"product_id\":\"%s\",\"delta\":3,\"reason\":\"'; drop table stock; --\"}", product);
        CHECK_EQ(http(w, "alice#k", POST, path, good).status, 403);
        CHECK_EQ(http(w, "vendor#k", POST, path, good).status, 403);
        CHECK_EQ(http(w, "staff#k", POST, "/v1/warehouses", "{\"code\":\"x\",\"name\":\"X\",\"country\":\"DE\"}").status, 403);
        CHECK_EQ(http(w, "staff", POST, path, good).status, 400);                               /* no Idempotency-Key */
        CHECK(says(http(w, "staff#k", POST, path, "{"), 400, "invalid"));
        CHECK(blames(http(w, "staff#k", POST, path, "{\"delta\":1,\"reason\":\"x\"}"), "/product_id", "required"));
        CHECK(blames(http(w, "staff#k", POST, path, "{\"product_id\":7,\"delta\":1,\"reason\":\"x\"}"), "/product_id", "wrong_type"));
        CHECK(blames(http(w, "staff#k", POST, path, "{\"product_id\":\"7\",\"delta\":1,\"reason\":\"x\"}"), "/product_id", "bad_format"));
        CHECK(blames(http(w, "staff#k", POST, path, "{\"product_id\":\"019ab4f0-0000-7000-8000-000000000009\",\"delta\":1,\"reason\":\"x\"}"), "/product_id", "no_such_product"));
        snprintf(good, sizeof good, "{\"product_id\":\"%s\",\"delta\":0,\"reason\":\"x\"}", product);
        CHECK(blames(http(w, "staff#k", POST, path, good), "/delta", "too_small"));
        snprintf(good, sizeof good, "{\"product_id\":\"%s\",\"delta\":1000001,\"reason\":\"x\",\"by\":1}", product);
        a = http(w, "staff#k", POST, path, good);
        CHECK(blames(a, "/delta", "too_large") && blames(a, "/by", "unknown"));
        snprintf(good, sizeof good, "{\"product_id\":\"%s\",\"warehouse_id\":\"019ab4f0-0000-7000-8000-000000000009\",\"delta\":1,\"reason\":\"x\"}", product);
        CHECK(blames(http(w, "staff#k", POST, path, good), "/warehouse_id", "no_such_warehouse"));
        CHECK_EQ(http(w, NULL, GET, "/v1/inventory/019ab4f0-0000-7000-8000-000000000009", NULL).status, 404);
        CHECK_EQ(http(w, NULL, GET, "/v1/inventory/nonsense", NULL).status, 400);
        CHECK_EQ(rows(w, "inventory", "movement"), 0);
        CHECK_EQ(rows(w, "inventory", "stock"), 0);

        snprintf(good, sizeof good, "{\"product_id\":\"%s\",\"delta\":3,\"reason\":\"'; drop table stock; --\"}", product);
        b = http(w, "staff#k", POST, path, good);
        CHECK_EQ(b.status, 201);
        CHECK_EQ(int_of(b, "quantity"), 3);
        CHECK_EQ(rows(w, "inventory", "movement where reason = '''; drop table stock; --'"), 1);
        snprintf(at, sizeof at, "%.*s", (int)header_get(&b.headers, "location").n, header_get(&b.headers, "location").p);
        a = http(w, "staff", GET, at, NULL);
        CHECK_EQ(a.status, 200);
        CHECK(str_eq(text_of(a, "id"), text_of(b, "id")) && str_eq(text_of(a, "reason"), text_of(b, "reason")));
        CHECK_EQ(int_of(a, "delta"), 3);
        CHECK(!memmem(a.body.p, a.body.n, "quantity", 8));                                      /* what lay there then is not kept */
        CHECK(!header_get(&b.headers, "content-location").p && !header_get(&b.headers, "etag").p);      /* so the answer is another document */
        CHECK_EQ(http(w, "alice", GET, at, NULL).status, 403);
        CHECK(says(http(w, "staff", GET, "/v1/inventory/adjustments/019ab4f0-0000-7000-8000-000000000009", NULL), 404, "no_such_adjustment"));
        a = http(w, "staff", GET, "/v1/inventory?level=few", NULL);
        CHECK(blames(a, "level", "not_a_word") && memmem(a.body.p, a.body.n, "must be one of any, low, out", 28));
        CHECK_EQ(http(w, "admin#w1", POST, "/v1/warehouses", "{\"code\":\"x\",\"name\":\"'); --\",\"country\":\"DE\"}").status, 201);
        CHECK(says(http(w, "admin#w2", POST, "/v1/warehouses", "{\"code\":\"x\",\"name\":\"X\",\"country\":\"DE\"}"), 409, "warehouse_exists"));
        CHECK(blames(http(w, "admin#w3", POST, "/v1/warehouses", "{\"code\":\"No Good\",\"name\":\"X\",\"country\":\"Germany\"}"), "/country", "bad_format"));
        a = http(w, "staff", GET, "/v1/warehouses", NULL);
        CHECK_EQ(a.status, 200);
        AUDIT(&s);
        return 0;
}

TEST(bad_requests_are_refused_by_field_and_change_nothing) { CHECK_OK(run_main(refusals, NULL)); }

TEST_MAIN
