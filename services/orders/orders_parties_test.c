/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * orders_parties_test.c - an invoice names who sold and who bought as they were when it was issued. */
#include "test.h"
#include "shop.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/payments.h"

static void named(struct world *w, const struct event *e, const char *who, const char *name, int after_s)
{
        when at = { clock_now().us + after_s * 1000000LL };
        tell_event(w, "identity", e, &(struct user){ who_id(who), STR("x@shop.example"), str_of(name), 0, false, 1, at, at });
        settle(w);
}

static str party(struct http_answer invoice, const char *which)
{
        return text_of((struct http_answer){ .body = json_member(invoice.body, which) }, "name");
}

static struct http_answer bought(struct shop *s, const char *who)
{
        struct http_answer a = buy(s, who, basket(s, 0, 1, NULL));
        CHECK_EQ(a.status, 201);
        settle(s->w);
        return a;
}
#define BILL(a) get(&s, "staff", "/v1/orders/", text_of((a), "id"), "/invoice")

static int renamed(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer first, second, note;

        clock_fake(clock_now());
        stock(&s, 0, 50);
        first = bought(&s, "alice#1");
        CHECK(!party(BILL(first), "buyer").p);                                          /* nobody told who that is, and identity knows her not */
        named(w, &user_registered, "alice", "Alice Liddell", -60);
        named(w, &user_registered, "bob", "Bob", -60);
        CHECK_STR(party(BILL(first), "buyer"), "Alice Liddell");
        clock_advance(60000);
        named(w, &user_changed, "alice", "Alice Between", 0);                           /* nothing was bought under that name */
        named(w, &user_changed, "alice", "Alice Hargreaves", 10);
        named(w, &user_changed, "alice", "Alice Hargreaves", 20);                       /* another role, say */
        clock_advance(60000);
        second = bought(&s, "alice#2");
        CHECK_STR(party(BILL(first), "buyer"), "Alice Liddell");
        CHECK_STR(party(BILL(second), "buyer"), "Alice Hargreaves");
        CHECK_EQ(rows(w, "orders", "buyer_was where name like 'Alice%'"), 2);
        note = post(&s, "alice#3", "/v1/orders/", text_of(first, "id"), "/cancel", "{\"reason\":\"too late\"}");
        CHECK_EQ(note.status, 200);
        CHECK_STR(party(http(w, "staff", GET, "/v1/credit-notes/CN-2026-00000001", NULL), "buyer"), "Alice Hargreaves");
        named(w, &user_changed, "alice", "Late", -1000);                                /* told late: it held before any order of hers */
        CHECK_EQ(rows(w, "orders", "buyer_was where name = 'Late'"), 0);

        tell_event(w, "identity", &user_deleted, &(struct user_gone){ who_id("alice"), clock_now() });
        tell_event(w, "identity", &user_deleted, &(struct user_gone){ who_id("bob"), clock_now() });
        settle(w);
        CHECK_STR(party(BILL(first), "buyer"), "Alice Liddell");
        CHECK_STR(party(BILL(second), "buyer"), "Alice Hargreaves");
        CHECK_EQ(rows(w, "orders", "buyer_was where name = 'Bob'"), 0);                 /* nothing names him */
        CHECK_EQ(rows(w, "orders", "souk_parked"), 0);
        return 0;
}

TEST(an_invoice_names_its_buyer_as_they_were_called_when_it_was_issued_and_after_they_have_gone) { CHECK_OK(run_main(renamed, NULL)); }

static int sold_on(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer first, second;

        clock_fake(clock_now());
        stock(&s, 0, 50);
        CHECK_EQ(rows(w, "orders", "seller_was"), 1);                                   /* said at the start */
        first = bought(&s, "alice#1");
        CHECK_EQ(execute(w, "orders", "insert into seller_was select max(since) + interval '1 hour', 'Souk Limited', 'DE1', 's', '1', 'Bonn', 'DE' from seller_was"), 1);
        clock_advance(2 * 3600 * 1000);
        second = bought(&s, "alice#2");
        CHECK_STR(party(BILL(first), "seller"), "Souk Marketplace");
        CHECK_STR(party(BILL(second), "seller"), "Souk Limited");
        CHECK(memmem(BILL(second).body.p, BILL(second).body.n, "\"vat_id\":\"DE1\"", 14));
        return 0;
}

TEST(an_invoice_names_the_seller_of_its_day) { CHECK_OK(run_main(sold_on, NULL)); }

TEST_MAIN
