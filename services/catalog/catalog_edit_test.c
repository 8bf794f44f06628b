/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * catalog_edit_test.c - a product by hand: written anew, patched, deleted, by whom and from which version; its prices; what lists find of it; its stock. */
#include "test.h"
#include "catalog_try.h"
#include "inventory/inventory.h"

#define BARE "\"name\":\"B\",\"price\":{\"amount\":5,\"currency\":\"EUR\"}"

static int replaced(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *path = path_of(c, post(c, w, "vendor-one", "/v1/products", draft(c, "A", 250, "Halden")));
        const char *tag = tag_of(c, w, path);
        struct http_answer a = change(c, w, "vendor-one", "PUT", path, tag,
                "{\"sku\":\"A-2\",\"name\":\"Lamp\",\"price\":{\"amount\":300,\"currency\":\"EUR\"},\"vat_bp\":0,\"category\":\"Light > Lamps\","
                "\"categories\":[\"Gifts\",\"Home > Kitchen\"],\"tags\":[\"new\",\"warm\"]}");

        expect(a, 200, "\"sku\":\"A-2\"");
        expect(a, 200, "\"vat_bp\":0,\"version\":2,\"revision\":2");
        expect(a, 200, "\"category\":\"Light > Lamps\",\"categories\":[\"Gifts\",\"Home > Kitchen\"],\"tags\":[\"new\",\"warm\"]");
        CHECK(str_eq(http(w, NULL, GET, path, NULL).body, a.body));             /* what was told of it is what it is */
        expect(a, 200, "\"images\":[]");                                       /* what is not said is not there any more */
        expect(change(c, w, "vendor-one", "PUT", path, tag, draft(c, "A", 1, "B")), 412, "stale");
        expect(change(c, w, "staff", "PUT", path, tag_of(c, w, path), draft(c, "A-2", 300, "Halden")), 200, "\"version\":2,\"revision\":3");
        CHECK_EQ(rows(w, "catalog", "product where owner is not null"), 1);     /* staff changes it, the vendor keeps it */
        CHECK_EQ(events(w, "catalog", "product.changed"), 2);
        CHECK_EQ(events(w, "catalog", "product.price_changed"), 1);
        a = http(w, NULL, GET, path, NULL);
        tag = tag_of(c, w, path);
        expect(change(c, w, "staff", "PUT", path, tag, draft(c, "A-2", 300, "Halden")), 200, "\"revision\":3");
        CHECK_STR(str_of(tag_of(c, w, path)), tag);                             /* the same again changes nothing */
        CHECK_EQ(events(w, "catalog", "product.changed"), 2);
        return 0;
}

TEST(a_product_is_written_anew_from_the_version_that_was_read) { RUN(replaced); }

static int patched(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *path = path_of(c, post(c, w, "staff", "/v1/products", draft(c, "A", 250, "Halden")));

        expect(change(c, w, "staff", "PATCH", path, tag_of(c, w, path), "{\"price\":{\"amount\":199}}"), 200, "\"price\":{\"amount\":199,\"currency\":\"EUR\"}");
        expect(change(c, w, "staff", "PATCH", path, "*", "{\"vat_bp\":0,\"brand\":null,\"tags\":[\"x\"]}"), 200, "\"brand\":\"\"");
        expect(http(w, NULL, GET, path, NULL), 200, "\"vat_bp\":0");
        expect(http(w, NULL, GET, path, NULL), 200, "\"attributes\":[{\"name\":\"colour\",\"value\":\"red\"}]");
        expect(change(c, w, "staff", "PATCH", path, "*", "{\"vat_bp\":null}"), 200, "\"vat_bp\":1900");
        expect(change(c, w, "staff", "PATCH", path, "*", "{\"name\":null}"), 400, "/name");
        expect(change(c, w, "staff", "PATCH", path, "*", "{\"revision\":9}"), 400, "/revision");
        expect(change(c, w, "staff", "PATCH", path, "*", "{\"price\":{\"amount\":0}}"), 400, "/price/amount");
        expect(change(c, w, "staff", "PATCH", path, "*", "{\"category\":\"A>B\"}"), 400, "/category");
        CHECK_EQ(rows(w, "catalog", "product where revision = 4 and version = 2"), 1);
        CHECK_EQ(rows(w, "catalog", "category where path like 'A%'"), 0);
        return 0;
}

TEST(a_patch_changes_what_it_names_and_leaves_the_rest) { RUN(patched); }

static int whose(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        static const char *const methods[] = { "PUT", "PATCH", "DELETE" };
        const char *path = path_of(c, post(c, w, "vendor-one", "/v1/products", draft(c, "A", 250, "B")));
        const char *tag = tag_of(c, w, path);

        CHECK_EQ(post(c, w, "staff", "/v1/products", draft(c, "TAKEN", 250, "B")).status, 201);
        for (size_t i = 0; i < COUNT(methods); i++) {
                const char *body = i < 2 ? draft(c, "A", 1, "B") : NULL;
                expect(change(c, w, "vendor-two", methods[i], path, tag, body), 404, "no_such_product");
                expect(change(c, w, "alice", methods[i], path, tag, body), 403, "slug");
                CHECK_EQ(change(c, w, NULL, methods[i], path, tag, body).status, 401);
                expect(change(c, w, "vendor-one", methods[i], path, NULL, body), 428, "precondition_required");
                expect(change(c, w, "vendor-one", methods[i], path, "\"7-0000000000000000\"", body), 412, "stale");
                expect(change(c, w, "vendor-one", methods[i], "/v1/products/" NOBODYS, "*", body), 404, "no_such_product");
                expect(change(c, w, "vendor-one", methods[i], "/v1/products/17", "*", body), 400, "id");
                if (body) expect(change(c, w, "vendor-one", methods[i], path, tag, draft(c, "TAKEN", 1, "B")), 409, "sku_taken");
        }
        expect(change(c, w, "vendor-one", "PUT", path, tag, "{" BARE "}"), 400, "/sku");
        expect(change(c, w, "vendor-one", "PUT", path, tag, "{\"sku\":\"A\"," BARE ",\"owner\":\"" NOBODYS "\"}"), 400, "/owner");
        CHECK_EQ(rows(w, "catalog", "product where revision = 1"), 2);
        CHECK_STR(str_of(tag_of(c, w, path)), tag);
        return 0;
}

TEST(nobody_changes_anothers_product_or_one_that_was_changed_meanwhile) { RUN(whose); }

static int removed(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *path = path_of(c, post(c, w, "vendor-one", "/v1/products", draft(c, "A", 250, "B")));
        struct item items[] = { { id_of(http(w, NULL, GET, path, NULL)), 1 } };
        struct quote q;

        CHECK_OK(catalog_quote_call(as(w, "alice"), &(struct basket){ { items, 1 } }, &q));
        CHECK_EQ(change(c, w, "vendor-one", "DELETE", path, tag_of(c, w, path), NULL).status, 204);
        expect(http(w, NULL, GET, path, NULL), 404, "no_such_product");
        expect(http(w, NULL, GET, texts(c, "%s/prices", path), NULL), 404, "no_such_product");
        expect(change(c, w, "vendor-one", "DELETE", path, "*", NULL), 404, "no_such_product");
        CHECK_FAILS(w, INVALID_ARGUMENT, "invalid", catalog_quote_call(as(w, "alice"), &(struct basket){ { items, 1 } }, &q));
        CHECK_EQ(events(w, "catalog", "product.deleted"), 1);
        CHECK_EQ(post(c, w, "vendor-two", "/v1/products", draft(c, "A", 250, "B")).status, 201);        /* its sku is free again */
        return 0;
}

TEST(a_deleted_product_is_gone_and_its_sku_is_free) { RUN(removed); }

static int priced(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *path = path_of(c, post(c, w, "staff", "/v1/products", draft(c, "A", 100, "B"))), *prices = texts(c, "%s/prices", path);

        for (int i = 1; i <= 4; i++)
                CHECK_EQ(change(c, w, "staff", "PATCH", path, "*", texts(c, "{\"price\":{\"amount\":%d}}", 100 + i)).status, 200);
        CHECK_EQ(change(c, w, "staff", "PATCH", path, "*", "{\"name\":\"Another\"}").status, 200);
        CHECK_EQ(http(w, "staff", POST, "/v1/products/import", texts(c, "{\"products\":[%s]}", draft(c, "A", 900, "B"))).status, 200);
        expect(http(w, NULL, GET, prices, NULL), 200, "{\"items\":[{\"version\":6,\"price\":{\"amount\":900,\"currency\":\"EUR\"},\"since\":");
        expect(http(w, NULL, GET, texts(c, "%s?sort=version&limit=1", prices), NULL), 200, "{\"items\":[{\"version\":1,\"price\":{\"amount\":100,");
        expect(http(w, NULL, GET, texts(c, "%s?limit=3", prices), NULL), 200, "\"next\":");
        expect(http(w, NULL, GET, "/v1/products/" NOBODYS "/prices", NULL), 404, "no_such_product");
        CHECK_EQ(rows(w, "catalog", "price join product on id = product_id where price.version = product.version and price.price_minor = product.price_minor"), 1);
        CHECK_EQ(rows(w, "catalog", "price"), 6);
        CHECK_EQ(events(w, "catalog", "product.price_changed"), 5);
        return 0;
}

TEST(every_price_a_product_has_had_is_kept) { RUN(priced); }

static int64_t found(struct ctx *c, struct world *w, const char *query)
{
        struct http_answer a = http(w, NULL, GET, texts(c, "/v1/products?limit=100&%s", query), NULL);
        struct json_walk walk = json_open(member(a, "items"));
        int64_t n = 0;

        if (a.status != 200) cm_fail_msg("%s: %d " STR_FMT, query, a.status, STR_ARG(a.body));
        for (str one; json_next_element(&walk, &one);) n++;
        return n;
}

static int filtered(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        char id[37];

        CHECK_EQ(post(c, w, "vendor", "/v1/products", "{\"sku\":\"1\"," BARE ",\"tags\":[\"a\",\"b\"],\"category\":\"Home > Lamps\",\"categories\":[\"Gifts > Small\"],"
                      "\"attributes\":[{\"name\":\"colour\",\"value\":\"red\"},{\"name\":\"size\",\"value\":\"S: small\"}]}").status, 201);
        CHECK_EQ(post(c, w, "staff", "/v1/products", "{\"sku\":\"2\"," BARE ",\"tags\":[\"b\"],\"category\":\"Gifts\","
                      "\"attributes\":[{\"name\":\"size\",\"value\":\"red\"}]}").status, 201);
        CHECK_EQ(post(c, w, "staff", "/v1/products", "{\"sku\":\"3\",\"name\":\"C\",\"price\":{\"amount\":7,\"currency\":\"GBP\"}}").status, 201);
        CHECK_EQ(found(c, w, "tag=b"), 2);
        CHECK_EQ(found(c, w, "tag=a,b"), 1);
        CHECK_EQ(found(c, w, "tag=c"), 0);
        CHECK_EQ(found(c, w, "attribute=colour:red"), 1);
        CHECK_EQ(found(c, w, "attribute=colour:red&attribute=size:S:%20small"), 1);
        CHECK_EQ(found(c, w, "attribute=size:red"), 1);
        CHECK_EQ(found(c, w, "attribute=colour:re"), 0);
        CHECK_EQ(found(c, w, "attribute=col%22our:%5D%22"), 0);
        CHECK_EQ(found(c, w, "currency=GBP"), 1);
        CHECK_EQ(found(c, w, "price_min=1"), 2);                                /* of the shop's own currency, euro */
        CHECK_EQ(found(c, w, "price_min=1&currency=GBP"), 1);
        CHECK_EQ(found(c, w, "sort=price"), 2);
        CHECK_EQ(found(c, w, "sort=-price&currency=GBP"), 1);
        uid_format(who_id("vendor"), id);
        CHECK_EQ(found(c, w, texts(c, "owner=%s", id)), 1);
        uid_format((uid){ { 0 } }, id);
        CHECK_OK(execute(w, "catalog", "update category set id = '0197f3a0-0000-7000-8000-0000000000aa' where path = 'Gifts > Small';"
                                       "update product set more_categories = array['0197f3a0-0000-7000-8000-0000000000aa'::uuid] where sku = '1'"));
        CHECK_EQ(found(c, w, "category=0197f3a0-0000-7000-8000-0000000000aa"), 1);
        CHECK_EQ(found(c, w, "category=" NOBODYS), 0);
        expect(http(w, NULL, GET, "/v1/products?attribute=red", NULL), 400, "\"pointer\":\"attribute/0\"");
        expect(http(w, NULL, GET, "/v1/products?attribute=:red", NULL), 400, "\"pointer\":\"attribute/0\"");
        expect(http(w, NULL, GET, "/v1/products?currency=ZZZ", NULL), 400, "\"pointer\":\"currency\"");
        expect(http(w, NULL, GET, "/v1/products?in_stock=maybe", NULL), 400, "\"pointer\":\"in_stock\"");
        expect(http(w, NULL, GET, "/v1/products?owner=me", NULL), 400, "\"pointer\":\"owner\"");
        return 0;
}

TEST(lists_are_filtered_by_tag_attribute_currency_vendor_and_further_categories) { RUN(filtered); }

static int stocked(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1790000000LL * 1000000 });
        WORLD(w, c, &catalog_service, &inventory_service);
        const char *path = path_of(c, post(c, w, "staff", "/v1/products", draft(c, "A", 100, "B"))), *empty = tag_of(c, w, path);
        uid id = id_of(http(w, NULL, GET, path, NULL));
        struct receipt one = { id, 5 };
        char text[37];

        CHECK_EQ(post(c, w, "staff", "/v1/products", draft(c, "B", 100, "B")).status, 201);
        expect(http(w, NULL, GET, path, NULL), 200, "\"revision\":1,\"in_stock\":false");
        CHECK_OK(inventory_receive_call(as(w, "service"), &(struct delivery_note){ { &one, 1 }, { { 0 } } }, &(struct nothing){ 0 }));
        settle(w);
        clock_advance(1001);
        expect(http(w, NULL, GET, path, NULL), 200, "\"revision\":1,\"in_stock\":true");
        CHECK(strcmp(tag_of(c, w, path), empty) != 0);
        CHECK_EQ(change(c, w, "staff", "PATCH", path, empty, "{\"name\":\"Still the same revision\"}").status, 200);
        CHECK_EQ(found(c, w, "in_stock=true"), 1);
        CHECK_EQ(found(c, w, "in_stock=false"), 1);
        CHECK_EQ(found(c, w, "in_stock=any"), 2);
        uid_format(id, text);
        CHECK_EQ(post(c, w, "staff", "/v1/inventory/adjustments", texts(c, "{\"product_id\":\"%s\",\"delta\":-5,\"reason\":\"lost\"}", text)).status, 201);
        settle(w);
        CHECK_EQ(found(c, w, "in_stock=true"), 0);
        clock_real();
        return 0;
}

TEST(whether_a_product_is_to_be_had_follows_inventory) { RUN(stocked); }

static int laid_in_once(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service, &inventory_service);
        struct receipt two[] = { { who_id("a"), 5 }, { who_id("b"), 6 } };
        struct delivery_note note = { { two, 2 }, who_id("a") };

        CHECK_OK(inventory_receive_call(as(w, "service"), &note, &(struct nothing){ 0 }));
        CHECK_EQ(inventory_receive_call(as(w, "service"), &note, &(struct nothing){ 0 }), -ALREADY_EXISTS);
        CHECK_EQ(number(w, "inventory", "select sum(quantity) from stock"), 11);
        return 0;
}

TEST(a_delivery_that_says_what_it_is_comes_in_once) { RUN(laid_in_once); }

TEST_MAIN
