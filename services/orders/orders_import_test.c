/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * orders_import_test.c - orders taken over from elsewhere, with their own buyers, days, prices and numbers of lines; and what an ordinary order may
 * say beside its items: a note, and where it goes. */
#include "test.h"
#include "shop.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/payments.h"

/* An account of identity's, as the text of its id. */
static const char *account(struct shop *s, const char *email)
{
        struct user u;
        char *text = arena_alloc(as(s->w, "")->arena, 37);

        CHECK_OK(identity_ensure_call(as(s->w, "service"), &(struct account){ str_of(email), STR("correct horse battery"), STR("Old Customer"), 0 }, &u));
        uid_format(u.id, text);
        return text;
}

/* An item as JSON; more: further members, or "". */
static const char *item(struct shop *s, int product, int quantity, const char *more)
{
        return say(s, "{\"product_id\":\"%s\",\"quantity\":%d%s}", id_of(s, product), quantity, more);
}

/* An order of items with further members before them, or "". */
static struct http_answer order(struct shop *s, const char *who, const char *more, const char *items)
{
        return buy(s, who, say(s, "{%s\"items\":[%s]}", more, items));
}

#define EUR(n) ",\"price\":{\"amount\":" #n ",\"currency\":\"EUR\"}"

static int imported(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *buyer = account(&s, "old@shop.example"), *one = id_of(&s, 0), *two = id_of(&s, 1), *body;
        struct http_answer a, read;

        stock(&s, 0, 5000);
        stock(&s, 1, 10);
        body = say(&s, "{\"buyer\":\"%s\",\"placed_at\":\"2010-12-01T08:26:00Z\",\"items\":["
                   "{\"product_id\":\"%s\",\"quantity\":4000,\"price\":{\"amount\":255,\"currency\":\"GBP\"},\"name\":\"WHITE LANTERN\",\"vat_bp\":2000},"
                   "{\"product_id\":\"%s\",\"quantity\":2,\"price\":{\"amount\":0,\"currency\":\"GBP\"}},"
                   "{\"product_id\":\"%s\",\"quantity\":3,\"price\":{\"amount\":199,\"currency\":\"GBP\"}}]}", buyer, one, two, one);
        a = buy(&s, "staff#536365", body);
        CHECK_EQ(a.status, 201);
        CHECK_STR(text_of(a, "buyer"), buyer);
        CHECK_STR(text_of(a, "placed_at"), "2010-12-01T08:26:00Z");
        CHECK_STR(text_of(a, "invoice_number"), "SK-2010-00000001");
        CHECK_EQ(minor_of(json_member(a.body, "total")), 4000 * 255 + 3 * 199);
        CHECK(memmem(a.body.p, a.body.n, "WHITE LANTERN", 13) != NULL);
        CHECK(same(a, buy(&s, "staff#536365", body)));
        read = get(&s, "staff", "/v1/orders/", text_of(a, "id"), "");
        CHECK(str_eq(read.body, a.body));
        CHECK(says(get(&s, "alice", "/v1/orders/", text_of(a, "id"), ""), 404, "no_such_order"));

        a = buy(&s, "staff#2", say(&s, "{\"placed_at\":\"2011-01-04T10:00:00Z\",\"items\":[{\"product_id\":\"%s\",\"quantity\":1}]}", one));
        CHECK_EQ(a.status, 201);                                                /* the catalogue's price, on another day */
        CHECK_STR(text_of(a, "invoice_number"), "SK-2011-00000001");
        CHECK_EQ(buy(&s, "alice#k", basket(&s, 1, 1, NULL)).status, 201);        /* this year's numbers begin at 1 */
        settle(w);
        CHECK_EQ(rows(w, "orders", "invoice_counter where last_no = 1"), 3);
        CHECK_EQ(free_units(&s, 0), 5000 - 4003 - 1);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(an_import_sets_buyer_date_and_prices_and_is_numbered_in_its_own_year) { CHECK_OK(run_main(imported, NULL)); }

static int no_vat(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a, bill, said;

        for (int i = 0; i < 3; i++) stock(&s, i, 9);
        a = order(&s, "staff#0", "", say(&s, "%s,%s,%s", item(&s, 0, 2, EUR(1000) ",\"name\":\"A book\",\"vat_bp\":0"), item(&s, 1, 1, EUR(1190) ",\"vat_bp\":1900"),
                                         item(&s, 2, 1, EUR(700))));
        CHECK_EQ(a.status, 201);
        CHECK(memmem(a.body.p, a.body.n, "\"vat_bp\":0", 10) != NULL);
        bill = get(&s, "staff", "/v1/orders/", text_of(a, "id"), "/invoice");
        CHECK(memmem(bill.body.p, bill.body.n, "\"category\":\"Z\"", 14) != NULL && memmem(bill.body.p, bill.body.n, "\"category\":\"S\"", 14) != NULL);
        said = order(&s, "staff#1", "", item(&s, 2, 1, EUR(700)));              /* nothing said of VAT: the catalogue's rate, which is not 0 */
        CHECK_EQ(said.status, 201);
        CHECK(memmem(said.body.p, said.body.n, "\"vat_bp\":0", 10) == NULL);
        a = order(&s, "alice#k", "", item(&s, 0, 1, ",\"vat_bp\":0"));          /* and it is said, also when it is 0 */
        CHECK(says(a, 403, "import_only"));
        CHECK(memmem(a.body.p, a.body.n, "\"/items/0/vat_bp\"", 17) != NULL);
        CHECK(blames(order(&s, "staff#2", "", item(&s, 0, 1, ",\"vat_bp\":-1")), "/items/0/vat_bp", "too_small"));
        settle(w);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(an_import_can_say_that_there_is_no_vat) { CHECK_OK(run_main(no_vat, NULL)); }

static int thousand_lines(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct buf body AUTO(buf_done) = BUF_INIT(1 << 20);
        struct http_answer a;

        for (int i = 0; i < 3; i++) stock(&s, i, 1000);
        for (int n = 1000; n <= 1001; n++) {
                buf_clear(&body);
                buf_printf(&body, "{\"items\":[");
                for (int i = 0; i < n; i++)
                        buf_printf(&body, "%s%s", i ? "," : "", item(&s, i % 3, 1, say(&s, ",\"price\":{\"amount\":%d,\"currency\":\"EUR\"}", 1 + i)));
                buf_printf(&body, "]}%c", 0);
                a = buy(&s, n == 1000 ? "staff#k" : "staff#l", buf_str(&body).p);
                if (n == 1001) CHECK(blames(a, "/items", "too_many"));
                else           CHECK_EQ(a.status, 201);
                if (n == 1000) CHECK_EQ(minor_of(json_member(a.body, "total")), 1000 * 1001 / 2);
        }
        settle(w);
        CHECK_EQ(rows(w, "orders", "order_item"), 1000);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(an_import_has_up_to_a_thousand_lines) { CHECK_OK(run_main(thousand_lines, NULL)); }

static int import_refusals(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *who[] = { "alice#k", "vendor#k" };
        struct http_answer a;
        str errors;

        stock(&s, 0, 9);
        for (size_t i = 0; i < COUNT(who); i++) {
                a = order(&s, who[i], say(&s, "\"buyer\":\"%s\",\"placed_at\":\"2020-01-01T00:00:00Z\",", id_of(&s, 0)), item(&s, 0, 1, EUR(1) ",\"name\":\"x\",\"vat_bp\":1"));
                CHECK(says(a, 403, "import_only"));
                errors = json_member(a.body, "errors");
                const char *const named[] = { "\"/buyer\"", "\"/placed_at\"", "\"/items/0/price\"", "\"/items/0/name\"", "\"/items/0/vat_bp\"" };
                for (size_t k = 0; k < COUNT(named); k++) CHECK(memmem(errors.p, errors.n, named[k], strlen(named[k])) != NULL);
        }
        CHECK(blames(order(&s, "staff#k", say(&s, "\"buyer\":\"%s\",", id_of(&s, 0)), item(&s, 0, 1, "")), "/buyer", "no_such_user"));
        CHECK(blames(order(&s, "staff#k", "\"placed_at\":\"2999-01-01T00:00:00Z\",", item(&s, 0, 1, "")), "/placed_at", "too_large"));
        CHECK(blames(order(&s, "staff#k", "\"placed_at\":\"1999-12-31T23:59:59Z\",", item(&s, 0, 1, "")), "/placed_at", "too_small"));
        CHECK(blames(order(&s, "staff#k", "", item(&s, 0, 1, EUR(-1))), "/items/0/price/amount", "too_small"));
        a = order(&s, "staff#k", "", say(&s, "%s,%s", item(&s, 0, 1, EUR(1)), item(&s, 1, 1, ",\"price\":{\"amount\":1,\"currency\":\"USD\"}")));
        CHECK(blames(a, "/items/1/price", "mixed_currencies"));
        CHECK(blames(order(&s, "staff#k", "", item(&s, 0, 1000000, EUR(1000000000))), "/items/0/quantity", "too_large"));
        a = order(&s, "staff#k", "", "{\"product_id\":\"019ab4f0-0000-7000-8000-000000000009\",\"quantity\":1}");
        CHECK(blames(a, "/items/0/product_id", "no_such_product"));
        a = order(&s, "staff#k", "", say(&s, "%s,%s,%s", item(&s, 0, 5, ""), item(&s, 0, 5, ""), item(&s, 1, 1, "")));
        CHECK(says(a, 409, "out_of_stock"));
        errors = json_member(a.body, "errors");
        CHECK(memmem(errors.p, errors.n, "/items/0/quantity", 17) != NULL && memmem(errors.p, errors.n, "/items/2/quantity", 17) != NULL);
        CHECK_EQ(rows(w, "orders", "orders"), 0);
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        return 0;
}

TEST(what_only_an_import_may_say_is_refused_by_name) { CHECK_OK(run_main(import_refusals, NULL)); }

struct importer { struct shop *s; char who[40]; const char *body; struct http_answer a; };

static int import_fiber(struct ctx *c, void *arg)
{
        struct importer *b = arg;

        (void)c;
        b->a = buy(b->s, b->who, b->body);
        return 0;
}

static int many_years(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct importer all[40];

        stock(&s, 0, 40);
        GROUP(g, c);
        for (int i = 0; i < 40; i++) {                                          /* in the same batches, of four years */
                all[i] = (struct importer){ &s, "", say(&s, "{\"placed_at\":\"%d-03-01T00:00:00Z\",\"items\":[%s]}", 2010 + i % 4, item(&s, 0, 1, "")), { 0 } };
                snprintf(all[i].who, sizeof all[i].who, "staff#k%d", i);
                CHECK_OK(group_go(g, import_fiber, &all[i]));
        }
        CHECK_OK(group_wait(g));
        for (int i = 0; i < 40; i++) CHECK_EQ(all[i].a.status, 201);
        CHECK_EQ(rows(w, "orders", "invoice_counter where last_no = 10 and year between 2010 and 2013"), 4);
        settle(w);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(imports_of_several_years_at_once_leave_no_gap_in_any) { CHECK_OK(run_main(many_years, NULL)); }

#define ADA(country) "\"ship_to\":{\"name\":\"Ada\",\"line1\":\"1 High St\",\"city\":\"London\",\"country\":\"" country "\",\"postal_code\":\"E1 6AN\"},"

static int addressed(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *one = item(&s, 0, 1, "");
        struct http_answer a;

        stock(&s, 0, 9);
        a = order(&s, "alice#k", "\"note\":\"Leave it at the door.\"," ADA("GB"), one);
        CHECK_EQ(a.status, 201);
        CHECK_STR(text_of(a, "note"), "Leave it at the door.");
        CHECK(memmem(a.body.p, a.body.n, "\"country\":\"GB\"", 14) != NULL);
        CHECK(str_eq(get(&s, "alice", "/v1/orders/", text_of(a, "id"), "").body, a.body));
        CHECK(says(order(&s, "alice#k", "\"note\":\"Ring twice.\"," ADA("GB"), one), 422, "idempotency_key_reused"));
        CHECK(says(buy(&s, "alice#k", basket(&s, 0, 1, NULL)), 422, "idempotency_key_reused"));

        CHECK(blames(order(&s, "alice#l", ADA("Britain"), one), "/ship_to/country", "bad_format"));
        CHECK(blames(order(&s, "alice#l", "\"ship_to\":{\"name\":\"Ada\",\"country\":\"GB\"},", one), "/ship_to/line1", "required"));
        CHECK(blames(order(&s, "alice#l", say(&s, "\"address_id\":\"%s\",", id_of(&s, 0)), one), "/address_id", "no_such_address"));
        CHECK(blames(order(&s, "alice#l", say(&s, "\"address_id\":\"%s\"," ADA("GB"), id_of(&s, 0)), one), "/address_id", "repeated"));
        CHECK_EQ(rows(w, "orders", "orders"), 1);
        settle(w);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(an_order_keeps_its_note_and_a_copy_of_where_it_goes) { CHECK_OK(run_main(addressed, NULL)); }

TEST_MAIN
