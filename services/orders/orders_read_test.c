/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * orders_read_test.c - orders and invoices are listed and read; what staff note about them; an invoice's sums. */
#include <stdlib.h>
#include "test.h"
#include "shop.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/payments.h"

static int lists(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        char path[500] = "/v1/orders?limit=2", who[40];
        int seen = 0, turns = 0, no = 0;

        clock_fake(clock_now());
        stock(&s, 0, 50);
        for (int i = 0; i < 5; i++) {
                snprintf(who, sizeof who, "alice#k%d", i);
                CHECK_EQ(buy(&s, who, basket(&s, 0, i + 1, NULL)).status, 201);
                clock_advance(1000);
        }
        CHECK_EQ(buy(&s, "bob#k", basket(&s, 0, 1, NULL)).status, 201);
        for (str next = STR("first"), newest = { NULL, 0 }; next.p; turns++) {
                struct http_answer a = http(w, "alice", GET, path, NULL);
                str one;
                CHECK_EQ(a.status, 200);
                for (struct json_walk walk = json_open(json_member(a.body, "items")); json_next_element(&walk, &one); seen++) {
                        str at = json_member(one, "placed_at");
                        CHECK(!newest.p || str_cmp(at, newest) < 0);
                        newest = at;
                }
                next = text_of(a, "next");
                snprintf(path, sizeof path, STR_FMT, STR_ARG(next));
        }
        CHECK_EQ(seen, 5);
        CHECK_EQ(turns, 3);
        CHECK_EQ(http(w, "alice", GET, "/v1/orders?sort=placed_at", NULL).status, 200);
        CHECK_EQ(http(w, "alice", GET, "/v1/orders?sort=total", NULL).status, 400);
        CHECK_EQ(http(w, "alice", GET, "/v1/orders?limit=101", NULL).status, 400);
        CHECK_EQ(http(w, "alice", GET, "/v1/orders?cursor=AAAA", NULL).status, 400);
        CHECK_EQ(http(w, "alice", GET, "/v1/orders?buyer=bob", NULL).status, 400);

        CHECK_EQ(http(w, "alice", GET, "/v1/orders?sort=number", NULL).status, 400);
        CHECK(says(http(w, "alice", GET, say(&s, "/v1/orders?buyer=%s", id_of(&s, 0)), NULL), 403, "staff_only"));

        strcpy(path, "/v1/invoices?limit=4");
        for (str next = STR("first"); next.p;) {
                struct http_answer a = http(w, "staff", GET, path, NULL);
                str one;
                CHECK_EQ(a.status, 200);
                for (struct json_walk walk = json_open(json_member(a.body, "items")); json_next_element(&walk, &one);) {
                        int64_t n;
                        CHECK_OK(json_int(json_member(one, "no"), &n));
                        CHECK_EQ(n, ++no);
                }
                next = text_of(a, "next");
                snprintf(path, sizeof path, STR_FMT, STR_ARG(next));
        }
        CHECK_EQ(no, 6);
        CHECK_EQ(http(w, "alice", GET, "/v1/invoices", NULL).status, 403);
        clock_real();
        return 0;
}

TEST(own_orders_and_all_invoices_come_in_pages) { CHECK_OK(run_main(lists, NULL)); }

/* How many orders a list has in all, walked to its end a page at a time; by_time: each placed no later than the one before. */
static int walk(struct shop *s, const char *who, const char *first, bool by_time)
{
        const char *path = first;
        str before = { NULL, 0 }, one;
        int n = 0;

        while (path) {
                struct http_answer a = http(s->w, who, GET, path, NULL);
                CHECK_EQ(a.status, 200);
                for (struct json_walk w = json_open(json_member(a.body, "items")); json_next_element(&w, &one); n++) {
                        str at = json_member(one, "placed_at");
                        CHECK(!by_time || !before.p || str_cmp(at, before) <= 0);
                        before = at;
                }
                str next = text_of(a, "next");
                path = next.p ? say(s, STR_FMT, STR_ARG(next)) : NULL;
        }
        return n;
}

static int staff_lists(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        char bob[37];
        str id = { NULL, 0 };

        stock(&s, 0, 50);
        uid_format(who_id("bob"), bob);
        for (int i = 0; i < 7; i++) {                                           /* of five years, not in their order */
                const char *body = say(&s, "{\"placed_at\":\"%d-0%d-01T00:00:00Z\",\"items\":[{\"product_id\":\"%s\",\"quantity\":1}]}", 2010 + i * 3 % 5, 1 + i, id_of(&s, 0));
                CHECK_EQ(buy(&s, say(&s, "staff#k%d", i), body).status, 201);
        }
        for (int i = 0; i < 3; i++) id = text_of(buy(&s, say(&s, "bob#k%d", i), basket(&s, 0, 1, NULL)), "id");
        CHECK_EQ(post(&s, "bob", "/v1/orders/", id, "/cancel", "{\"reason\":\"x\"}").status, 200);
        CHECK_EQ(walk(&s, "staff", "/v1/orders?limit=2", false), 10);
        CHECK_EQ(walk(&s, "staff", "/v1/orders?limit=3&sort=number", false), 10);
        CHECK_EQ(walk(&s, "staff", "/v1/orders?state=cancelled", false), 1);
        CHECK_EQ(walk(&s, "staff", "/v1/orders?state=confirmed&limit=2", false), 9);
        CHECK_EQ(walk(&s, "staff", say(&s, "/v1/orders?limit=1&buyer=%s", bob), true), 3);
        CHECK_EQ(walk(&s, "staff", "/v1/orders?limit=2&placed_from=2010-01-01T00:00:00Z&placed_to=2015-01-01T00:00:00Z", true), 7);
        CHECK_EQ(walk(&s, "staff", "/v1/orders?limit=1&placed_from=2011-01-01T00:00:00Z&placed_to=2012-01-01T00:00:00Z", true), 1);
        CHECK_EQ(walk(&s, "staff", "/v1/orders?placed_to=2012-01-01T00:00:00Z&sort=-number", false), 3);
        CHECK_EQ(walk(&s, "bob", "/v1/orders?limit=1&state=confirmed", true), 2);
        CHECK_EQ(walk(&s, "bob", say(&s, "/v1/orders?buyer=%s", bob), true), 3);
        CHECK_EQ(walk(&s, "bob", "/v1/orders?placed_to=2015-01-01T00:00:00Z", true), 0);
        CHECK_EQ(walk(&s, "alice", "/v1/orders", true), 0);
        CHECK_EQ(http(w, "staff", GET, "/v1/orders?sort=placed_at", NULL).status, 400);
        CHECK_EQ(http(w, "staff", GET, "/v1/orders?state=lost", NULL).status, 400);
        CHECK_EQ(http(w, "staff", GET, "/v1/orders?placed_from=yesterday", NULL).status, 400);

        CHECK_EQ(post(&s, "staff#n1", "/v1/orders/", id, "/notes", "{\"text\":\"Called.\"}").status, 201);
        CHECK_EQ(post(&s, "admin#n2", "/v1/orders/", id, "/notes", "{\"text\":\"Is patient.\"}").status, 201);
        struct http_answer notes = get(&s, "staff", "/v1/orders/", id, "/notes");
        const char *called = memmem(notes.body.p, notes.body.n, "Called.", 7);
        CHECK(called && memmem(called, (size_t)(notes.body.p + notes.body.n - called), "Is patient.", 11));
        CHECK_EQ(get(&s, "bob", "/v1/orders/", id, "/notes").status, 403);
        CHECK_EQ(post(&s, "bob#n", "/v1/orders/", id, "/notes", "{\"text\":\"x\"}").status, 403);
        CHECK(blames(post(&s, "staff#n3", "/v1/orders/", id, "/notes", "{}"), "/text", "required"));
        CHECK(says(post(&s, "staff#n3", "/v1/orders/", STR("019ab4f0-0000-7000-8000-000000000009"), "/notes", "{\"text\":\"x\"}"), 404, "no_such_order"));
        CHECK(says(get(&s, "staff", "/v1/orders/", STR("019ab4f0-0000-7000-8000-000000000009"), "/notes"), 404, "no_such_order"));
        execute(w, "orders", "insert into order_note select gen_random_uuid(), order_id, author, text, at from order_note, generate_series(1, 198) limit 198");
        CHECK(says(post(&s, "staff#n3", "/v1/orders/", id, "/notes", "{\"text\":\"x\"}"), 409, "too_many_notes"));
        return 0;
}

TEST(staff_list_everybodys_orders_and_note_what_they_know) { CHECK_OK(run_main(staff_lists, NULL)); }

static int vat(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a, invoice;
        int64_t gross = 0, net = 0, tax = 0;
        str one;

        stock(&s, 0, 9);
        stock(&s, 1, 9);
        a = buy(&s, "alice#k", basket_of_two(&s, 0, 3, 1, 7));
        CHECK_EQ(a.status, 201);
        invoice = get(&s, "alice", "/v1/orders/", text_of(a, "id"), "/invoice");
        for (struct json_walk walk = json_open(json_member(invoice.body, "vat")); json_next_element(&walk, &one);) {
                int64_t bp, g = minor_of(json_member(one, "gross")), n = minor_of(json_member(one, "net")), v = minor_of(json_member(one, "vat"));
                CHECK_OK(json_int(json_member(one, "vat_bp"), &bp));
                CHECK_EQ(n + v, g);
                CHECK_EQ((n * bp + 5000) / 10000, v);
                gross += g, net += n, tax += v;
        }
        CHECK_EQ(gross, minor_of(json_member(a.body, "total")));
        CHECK_EQ(net, minor_of(json_member(invoice.body, "net")));
        CHECK_EQ(tax, minor_of(json_member(invoice.body, "vat_total")));
        CHECK_EQ(net + tax, minor_of(json_member(invoice.body, "gross")));
        int64_t lines = 0, line_nets = 0;
        for (struct json_walk walk = json_open(json_member(invoice.body, "lines")); json_next_element(&walk, &one);) {
                int64_t quantity;
                CHECK_OK(json_int(json_member(one, "quantity"), &quantity));
                CHECK_EQ(minor_of(json_member(one, "price")) * quantity, minor_of(json_member(one, "total")));
                lines += minor_of(json_member(one, "total"));
                line_nets += minor_of(json_member(one, "net"));
        }
        CHECK_EQ(lines, gross);
        CHECK_EQ(line_nets, minor_of(json_member(invoice.body, "lines_net")));
        CHECK_EQ(line_nets + minor_of(json_member(invoice.body, "rounding")), net);
        CHECK_STR(text_of((struct http_answer){ .body = json_member(invoice.body, "seller") }, "name"), "Souk Marketplace");
        CHECK(str_eq(text_of((struct http_answer){ .body = json_member(invoice.body, "buyer") }, "id"), text_of(a, "buyer")));
        CHECK(str_eq(get(&s, "alice", "/v1/invoices/", text_of(invoice, "number"), "").body, invoice.body));
        CHECK_EQ(get(&s, "staff", "/v1/invoices/", text_of(invoice, "number"), "").status, 200);
        CHECK(says(get(&s, "bob", "/v1/invoices/", text_of(invoice, "number"), ""), 404, "no_such_invoice"));
        static const char *const none[] = { "SK-2026-1", "SK-2026-00000099999", "CN-2026-00000001", "SK-26-00000001", "x", "SK--2026-00000001", "SK-2026-+0000001" };
        for (size_t i = 0; i < COUNT(none); i++) CHECK(says(get(&s, "staff", "/v1/invoices/", str_of(none[i]), ""), 404, "no_such_invoice"));
        return 0;
}

TEST(the_vat_of_an_invoice_adds_up_by_rate_and_in_all) { CHECK_OK(run_main(vat, NULL)); }

TEST_MAIN
