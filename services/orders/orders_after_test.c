/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * orders_after_test.c - what comes after an order stands: it is cancelled, some of it comes back; credit notes, refunds and stock agree. */
#include <stdlib.h>
#include "test.h"
#include "shop.h"
#include "hash.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/payments.h"

static const char *const why = "{\"reason\":\"Ordered by mistake\"}";

static struct http_answer cancel(struct shop *s, const char *who, str id)
{
        return post(s, who, "/v1/orders/", id, "/cancel", why);
}

/* Some of a product comes back; more: further members, or "". */
static struct http_answer give_back(struct shop *s, const char *who, str id, int product, int quantity, const char *more)
{
        return post(s, who, "/v1/orders/", id, "/returns", say(s, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}],\"reason\":\"Wrong size\"%s}",
                                                               id_of(s, product), quantity, more));
}

static bool has(str text, const char *word) { return memmem(text.p, text.n, word, strlen(word)) != NULL; }

/* ---- cancel ---------------------------------------------------------------------------------------------------------- */

static int cancelled(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer first, a, again, note;
        str id;

        stock(&s, 0, 5);
        stock(&s, 1, 5);
        first = buy(&s, "alice#k", basket_of_two(&s, 0, 2, 1, 3));
        id = text_of(first, "id");
        a = cancel(&s, "alice", id);
        CHECK_EQ(a.status, 200);
        CHECK_STR(text_of(a, "state"), "cancelled");
        CHECK(str_eq(text_of(a, "invoice_number"), text_of(first, "invoice_number")));
        CHECK(has(json_member(a.body, "history"), "Ordered by mistake") && has(json_member(a.body, "history"), "CN-"));
        CHECK(has(json_member(a.body, "items"), "\"credited\":3"));
        again = post(&s, "alice", "/v1/orders/", id, "/cancel", "{\"reason\":\"Another\"}");
        CHECK(same(a, again));
        CHECK(same(first, buy(&s, "alice#k", basket_of_two(&s, 0, 2, 1, 3))));   /* the key still gets the first answer */
        CHECK(str_eq(get(&s, "alice", "/v1/orders/", id, "").body, a.body));
        CHECK_EQ(events(w, "orders", "order.cancelled"), 1);
        settle(w);
        AUDIT_QUIET(&s);
        AUDIT_CREDITS(&s);
        CHECK_EQ(free_units(&s, 0), 5);
        CHECK_EQ(free_units(&s, 1), 5);

        note = http(w, "staff", GET, "/v1/credit-notes", NULL);
        CHECK_EQ(note.status, 200);
        CHECK(has(note.body, "\"no\":1"));
        note = get(&s, "alice", "/v1/credit-notes/CN-", str_cut(text_of(first, "invoice_number"), 3, 7), "-00000001");
        CHECK_EQ(note.status, 200);
        CHECK_STR(text_of(note, "kind"), "credit_note");
        CHECK(str_eq(text_of(note, "credits"), text_of(first, "invoice_number")));
        struct http_answer invoice = get(&s, "alice", "/v1/orders/", id, "/invoice");
        static const char *const sums[] = { "lines", "vat", "lines_net", "rounding", "net", "vat_total", "gross", "seller", "buyer" };
        for (size_t i = 0; i < COUNT(sums); i++) CHECK(str_eq(json_member(invoice.body, sums[i]), json_member(note.body, sums[i])));
        CHECK(says(get(&s, "bob", "/v1/credit-notes/CN-", str_cut(text_of(first, "invoice_number"), 3, 7), "-00000001"), 404, "no_such_invoice"));
        CHECK(says(get(&s, "staff", "/v1/credit-notes/", text_of(first, "invoice_number"), ""), 404, "no_such_invoice"));
        CHECK_EQ(http(w, "alice", GET, "/v1/credit-notes", NULL).status, 403);
        return 0;
}

TEST(a_cancelled_order_gives_all_back_keeps_its_invoice_and_has_one_credit_note) { CHECK_OK(run_main(cancelled, NULL)); }

static int who_cancels(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;
        str id, other;

        stock(&s, 0, 9);
        id = text_of(buy(&s, "alice#k", basket(&s, 0, 2, NULL)), "id");
        other = text_of(buy(&s, "alice#l", basket(&s, 0, 2, NULL)), "id");
        a = http_message(w, NULL, say(&s, "POST /v1/orders/" STR_FMT "/cancel HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}", STR_ARG(id)));
        CHECK_EQ(a.status, 401);
        CHECK(says(cancel(&s, "bob", id), 404, "no_such_order"));
        CHECK(says(cancel(&s, "vendor", id), 404, "no_such_order"));
        CHECK(says(cancel(&s, "staff", STR("019ab4f0-0000-7000-8000-000000000009")), 404, "no_such_order"));
        CHECK(blames(post(&s, "alice", "/v1/orders/", id, "/cancel", "{}"), "/reason", "required"));
        CHECK(blames(post(&s, "alice", "/v1/orders/", id, "/cancel", "{\"reason\":\"\"}"), "/reason", "too_short"));
        CHECK_EQ(rows(w, "orders", "credit_note"), 0);
        CHECK_EQ(cancel(&s, "staff", id).status, 200);
        CHECK_EQ(give_back(&s, "alice#r", other, 0, 1, "").status, 201);
        CHECK(says(cancel(&s, "alice", other), 409, "already_returned"));
        CHECK(says(give_back(&s, "alice#r2", id, 0, 1, ""), 409, "order_cancelled"));
        CHECK_EQ(rows(w, "orders", "credit_note"), 2);
        settle(w);
        AUDIT_QUIET(&s);
        AUDIT_CREDITS(&s);
        return 0;
}

TEST(the_buyer_and_staff_cancel_nobody_else) { CHECK_OK(run_main(who_cancels, NULL)); }

/* A sweeper or a slow twin that asks after the end is told what it was told before: the attempt was confirmed. */
static int fate_of_cancelled(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct fate fate;
        uid id;

        stock(&s, 0, 9);
        struct http_answer a = buy(&s, "alice#k", basket(&s, 0, 2, NULL));
        CHECK_OK(uid_parse(text_of(a, "id"), &id));
        CHECK_EQ(cancel(&s, "alice", text_of(a, "id")).status, 200);
        CHECK_OK(order_abandon_call(as(w, "service"), &(struct abandonment){ id, 1, STR("expired") }, &fate));
        CHECK_EQ(fate.state, ORDER_CONFIRMED);
        CHECK_EQ(fate.attempt, 1);
        CHECK_STR(text_of(get(&s, "alice", "/v1/orders/", text_of(a, "id"), ""), "state"), "cancelled");
        CHECK_EQ(events(w, "orders", "order.rejected"), 0);
        settle(w);
        sweep(&s);
        AUDIT(&s);
        return 0;
}

TEST(a_cancelled_order_is_not_given_up_a_second_time) { CHECK_OK(run_main(fate_of_cancelled, NULL)); }

/* ---- returns ----------------------------------------------------------------------------------------------------------- */

static int returned(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer o, a, b, read;
        str id;

        stock(&s, 0, 5);
        stock(&s, 1, 5);
        o = buy(&s, "alice#k", basket_of_two(&s, 0, 2, 1, 3));
        id = text_of(o, "id");
        a = give_back(&s, "alice#r1", id, 1, 2, "");
        CHECK_EQ(a.status, 201);
        CHECK(str_ends(header_get(&a.headers, "location"), text_of(a, "number")));
        CHECK(str_eq(text_of(a, "credits"), text_of(o, "invoice_number")));
        read = get(&s, "alice", "/v1/orders/", id, "");
        CHECK_STR(text_of(read, "state"), "partly_returned");
        CHECK(has(json_member(read.body, "items"), "\"credited\":2"));
        CHECK(same(a, give_back(&s, "alice#r1", id, 1, 2, "")));                  /* the key's first answer */
        CHECK(says(give_back(&s, "alice#r1", id, 1, 1, ""), 422, "idempotency_key_reused"));
        read = get(&s, "alice", "/v1/credit-notes/", text_of(a, "number"), "");
        CHECK(str_eq(read.body, a.body));
        CHECK(says(give_back(&s, "alice#r2", id, 1, 2, ""), 409, "more_than_left"));
        settle(w);
        CHECK_EQ(free_units(&s, 1), 2);                                         /* nobody has seen the goods */
        b = give_back(&s, "staff#r3", id, 1, 1, ",\"restock\":true");
        CHECK_EQ(b.status, 201);
        CHECK_EQ(give_back(&s, "staff#r4", id, 0, 2, ",\"restock\":true").status, 201);
        CHECK_STR(text_of(get(&s, "alice", "/v1/orders/", id, ""), "state"), "returned");
        CHECK(same(o, buy(&s, "alice#k", basket_of_two(&s, 0, 2, 1, 3))));
        CHECK(says(give_back(&s, "staff#r5", id, 0, 1, ""), 409, "more_than_left"));
        CHECK_EQ(number(w, "orders", "select sum(total_minor)::int8 from credit_note"), minor_of(json_member(o.body, "total")));
        settle(w);
        CHECK_EQ(free_units(&s, 0), 5);
        CHECK_EQ(free_units(&s, 1), 3);
        AUDIT(&s);
        return 0;
}

TEST(an_order_comes_back_in_parts_each_with_a_credit_note) { CHECK_OK(run_main(returned, NULL)); }

static int return_refusals(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;
        str id;

        stock(&s, 0, 9);
        id = text_of(buy(&s, "alice#k", basket(&s, 0, 3, NULL)), "id");
        CHECK_EQ(give_back(&s, "alice", id, 0, 1, "").status, 400);              /* no key */
        CHECK(says(give_back(&s, "bob#r", id, 0, 1, ""), 404, "no_such_order"));
        CHECK(says(give_back(&s, "vendor#r", id, 0, 1, ""), 404, "no_such_order"));
        a = give_back(&s, "alice#r", id, 0, 1, ",\"restock\":true");
        CHECK(says(a, 403, "staff_only"));
        CHECK(has(json_member(a.body, "errors"), "/restock"));
        a = give_back(&s, "alice#r", id, 0, 1, ",\"returned_at\":\"2020-01-01T00:00:00Z\"");
        CHECK(says(a, 403, "import_only"));
        CHECK(has(json_member(a.body, "errors"), "/returned_at"));
        CHECK(blames(give_back(&s, "staff#r", id, 0, 1, ",\"returned_at\":\"2020-01-01T00:00:00Z\""), "/returned_at", "too_small"));
        CHECK(blames(give_back(&s, "staff#r", id, 0, 1, ",\"returned_at\":\"2999-01-01T00:00:00Z\""), "/returned_at", "too_large"));
        CHECK(blames(give_back(&s, "alice#r", id, 1, 1, ""), "/items/0/product_id", "not_in_order"));
        CHECK(blames(give_back(&s, "alice#r", id, 0, 0, ""), "/items/0/quantity", "too_small"));
        a = give_back(&s, "alice#r", id, 0, 4, "");
        CHECK(says(a, 409, "more_than_left"));
        CHECK(has(json_member(a.body, "errors"), "/items/0/quantity"));
        a = post(&s, "alice#r", "/v1/orders/", id, "/returns", "{\"items\":[{\"quantity\":1}],\"reason\":\"x\"}");
        CHECK(blames(a, "/items/0/product_id", "required"));
        a = post(&s, "alice#r", "/v1/orders/", id, "/returns", "{\"items\":[{\"line\":2,\"quantity\":1}],\"reason\":\"x\"}");
        CHECK(blames(a, "/items/0/line", "not_in_order"));
        CHECK(blames(post(&s, "alice#r", "/v1/orders/", id, "/returns", "{\"items\":[],\"reason\":\"x\"}"), "/items", "too_few"));
        CHECK(blames(post(&s, "alice#r", "/v1/orders/", id, "/returns", "{\"items\":[{\"line\":1,\"quantity\":1}]}"), "/reason", "required"));
        CHECK_EQ(rows(w, "orders", "credit_note"), 0);
        CHECK_EQ(post(&s, "alice#r", "/v1/orders/", id, "/returns", "{\"items\":[{\"line\":1,\"quantity\":1}],\"reason\":\"x\"}").status, 201);
        settle(w);
        AUDIT_QUIET(&s);
        AUDIT_CREDITS(&s);
        return 0;
}

TEST(bad_returns_are_refused_by_field_and_change_nothing) { CHECK_OK(run_main(return_refusals, NULL)); }

static int returned_import(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *one = id_of(&s, 0);
        struct http_answer o, a;

        stock(&s, 0, 20);
        o = buy(&s, "staff#k", say(&s, "{\"placed_at\":\"2010-12-01T08:26:00Z\",\"items\":[{\"product_id\":\"%s\",\"quantity\":4,\"price\":{\"amount\":100,\"currency\":\"EUR\"}},"
                                   "{\"product_id\":\"%s\",\"quantity\":5,\"price\":{\"amount\":90,\"currency\":\"EUR\"}}]}", one, one));
        CHECK_EQ(o.status, 201);
        a = post(&s, "staff#r", "/v1/orders/", text_of(o, "id"), "/returns",
                 "{\"items\":[{\"line\":2,\"quantity\":1}],\"reason\":\"C1\",\"returned_at\":\"2011-01-09T10:00:00Z\"}");
        CHECK_EQ(a.status, 201);
        CHECK_STR(text_of(a, "number"), "CN-2011-00000001");
        CHECK_STR(text_of(a, "issued_at"), "2011-01-09T10:00:00Z");
        CHECK_EQ(minor_of(json_member(a.body, "gross")), 90);
        a = give_back(&s, "staff#r2", text_of(o, "id"), 0, 6, "");               /* of whichever line has some left, the first one first */
        CHECK_EQ(a.status, 201);
        CHECK_EQ(minor_of(json_member(a.body, "gross")), 4 * 100 + 2 * 90);
        CHECK(says(give_back(&s, "staff#r3", text_of(o, "id"), 0, 3, ""), 409, "more_than_left"));
        settle(w);
        AUDIT_QUIET(&s);
        AUDIT_CREDITS(&s);
        return 0;
}

TEST(a_return_of_an_import_has_its_own_day_and_finds_its_lines) { CHECK_OK(run_main(returned_import, NULL)); }

/* ---- at once --------------------------------------------------------------------------------------------------------------- */

struct taker { struct shop *s; str id; char who[40]; int kind, quantity; struct http_answer a; };

static int taker_fiber(struct ctx *c, void *arg)
{
        struct taker *t = arg;

        (void)c;
        t->a = t->kind == 0 ? cancel(t->s, t->who, t->id) : give_back(t->s, t->who, t->id, t->kind - 1, t->quantity, "");
        return 0;
}

/* Random cancellations and returns of a few orders, all at once: whatever wins, no unit and no cent comes back twice. */
static int takers(struct ctx *c, void *arg)
{
        uint64_t seed = *(const uint64_t *)arg;
        SHOP(s, w, c);
        struct rand rand;
        struct taker all[48];
        str ids[6];

        print_message("seed %llu\n", (unsigned long long)seed);
        rand_seed(&rand, seed);
        stock(&s, 0, 100);
        stock(&s, 1, 100);
        for (int i = 0; i < 6; i++) {
                char who[40];
                snprintf(who, sizeof who, "alice#k%d", i);
                ids[i] = text_of(buy(&s, who, basket_of_two(&s, 0, 4, 1, 5)), "id");
        }
        GROUP(g, c);
        for (int i = 0; i < 48; i++) {
                all[i] = (struct taker){ &s, ids[rand_below(&rand, 6)], "", rand_below(&rand, 8) ? 1 + (int)rand_below(&rand, 2) : 0, 1 + (int)rand_below(&rand, 3), { 0 } };
                snprintf(all[i].who, sizeof all[i].who, "%s#t%d", rand_below(&rand, 2) ? "alice" : "staff", i);
                CHECK_OK(group_go(g, taker_fiber, &all[i]));
        }
        CHECK_OK(group_wait(g));
        int64_t credited = 0;
        for (int i = 0; i < 48; i++) {
                if (all[i].a.status == 201) credited += minor_of(json_member(all[i].a.body, "gross"));
                else CHECK(all[i].a.status == 200 || all[i].a.status == 409);
        }
        CHECK_EQ(number(w, "orders", "select coalesce(sum(total_minor), 0)::int8 from credit_note where state <> 3"), credited);
        settle(w);
        AUDIT_QUIET(&s);
        AUDIT_CREDITS(&s);
        return 0;
}

TEST(whatever_comes_back_at_once_comes_back_once)
{
        const char *given = getenv("SOUK_SEED");
        uint64_t from = given ? strtoull(given, NULL, 10) : 1, to = given ? from : 3;

        for (uint64_t seed = from; seed <= to; seed++) CHECK_OK(run_main(takers, &seed));
}

TEST_MAIN
