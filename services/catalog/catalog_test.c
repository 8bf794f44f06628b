/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * catalog_test.c - products, lists, quotes, imports and the made-up shop, on a real PostgreSQL, through the ways in. */
#include "test.h"
#include "catalog_sql.h"
#include "catalog_try.h"
#include "fiber.h"

static int made_and_read(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        struct http_answer a = post(c, w, "staff", "/v1/products", draft(c, "A-1", 1999, "Halden"));
        const char *path;
        str first;

        expect(a, 201, "\"Home > Kitchen\"");
        first = a.body;
        path = arena_z(c->arena, header_get(&a.headers, "location"));
        a = http(w, NULL, GET, path, NULL);
        expect(a, 200, "\"price\":{\"amount\":1999,\"currency\":\"EUR\"}");
        expect(a, 200, "\"colour\"");
        CHECK(str_eq(a.body, first));                           /* what was told of it is what it is */
        CHECK(str_eq(http(w, NULL, GET, path, NULL).body, first));
        CHECK_STR(header_get(&a.headers, "cache-control"), "public, max-age=1");
        expect(post(c, w, "staff", "/v1/products", draft(c, "A-1", 1999, "Halden")), 409, "\"pointer\":\"/sku\",\"slug\":\"sku_taken\"");
        expect(http(w, NULL, GET, "/v1/products/0197f3a0-0000-7000-8000-00000000dead", NULL), 404, "no_such_product");
        expect(http(w, NULL, GET, "/v1/products/17", NULL), 400, "id");
        expect(http(w, NULL, GET, "/v1/brands", NULL), 200, "Halden");
        expect(http(w, NULL, GET, "/v1/categories", NULL), 200, "\"path\":\"Home > Kitchen\"");
        CHECK_EQ(events(w, "catalog", "product.created"), 1);
        return 0;
}

TEST(a_product_is_made_with_its_category_and_brand_and_read_by_anybody) { RUN(made_and_read); }

static int dear(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        struct http_answer a = post(c, w, "vendor", "/v1/products", draft(c, "A-1", 1000000001, "Halden"));

        expect(a, 400, "/price/amount");
        expect(a, 400, "too_large");
        expect(post(c, w, "vendor", "/v1/products", draft(c, "A-2", 9000000000000000000, "Halden")), 400, "too_large");
        CHECK_EQ(rows(w, "catalog", "product"), 0);
        expect(post(c, w, "vendor", "/v1/products", draft(c, "A-3", 1000000000, "Halden")), 201, "1000000000");
        return 0;
}

TEST(a_price_has_a_most_so_that_no_order_and_no_ledger_overflows) { RUN(dear); }

/* A good product with one member more. */
static const char *with(struct ctx *c, const char *member)
{
        return arena_z(c->arena, arena_printf(c->arena, "{\"sku\":\"A\",\"name\":\"B\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},%s}", member));
}

static const char *large(struct ctx *c, size_t n)
{
        char *body = arena_alloc(c->arena, n + 1);
        memset(body, ' ', n);
        return body;
}

/* An import of n rows that are none. */
static const char *numbers(struct ctx *c, int n)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        for (int i = 0; i < n; i++) buf_lit(&b, i ? ",0" : "{\"products\":[0");
        buf_lit(&b, "]}");
        return arena_z(c->arena, buf_str(&b));
}

static int refused(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);

        expect(http(w, "staff", POST, "/v1/products", draft(c, "A-1", 1, "B")), 400, "Idempotency-Key");
        expect(post(c, w, "alice", "/v1/products", draft(c, "A-1", 1, "B")), 403, "slug");
        expect(http(w, NULL, POST, "/v1/products", draft(c, "A-1", 1, "B")), 401, "slug");
        expect(post(c, w, "staff", "/v1/products", draft(c, "A-1", 0, "B")), 400, "/price/amount");
        struct http_answer a = post(c, w, "staff", "/v1/products", "{\"sku\":\"\",\"name\":\"n\",\"price\":{\"amount\":-1,\"currency\":\"EUR\"},\"nam\":1}");
        expect(a, 400, "\"/sku\"");
        expect(a, 400, "\"/price/amount\"");
        expect(a, 400, "\"/nam\"");
        expect(post(c, w, "staff", "/v1/products", draft(c, "A-1", -5, "B")), 400, "/price/amount");
        expect(post(c, w, "staff", "/v1/products", draft(c, "", 5, "B")), 400, "/sku");
        expect(post(c, w, "staff", "/v1/products", "{\"sku\":\"A\",\"name\":\"B\",\"price\":{\"amount\":1,\"currency\":\"ZZZ\"}}"), 400, "/price");
        expect(post(c, w, "staff", "/v1/products", "{\"sku\":\"A\",\"name\":\"B\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},\"cost\":1}"), 400, "/cost");
        expect(post(c, w, "staff", "/v1/products", "[]"), 400, "slug");
        expect(post(c, w, "staff", "/v1/products", "{\"sku\":\"A\",\"name\":\"B\",\"price\":{\"amount\":1,"), 400, "syntax");
        expect(post(c, w, "staff", "/v1/products", "{\"sku\":7,\"name\":\"B\",\"price\":{\"amount\":1,\"currency\":\"EUR\"}}"), 400,
               "\"pointer\":\"/sku\",\"slug\":\"wrong_type\"");
        expect(post(c, w, "staff", "/v1/products", "{\"name\":\"B\",\"price\":{\"amount\":1,\"currency\":\"EUR\"}}"), 400, "\"pointer\":\"/sku\",\"slug\":\"required\"");
        expect(post(c, w, "staff", "/v1/products", with(c, "\"vat_bp\":-1")), 400, "/vat_bp");
        expect(post(c, w, "staff", "/v1/products", with(c, "\"vat_bp\":10001")), 400, "/vat_bp");
        expect(post(c, w, "staff", "/v1/products", with(c, "\"categories\":[\"A\",\"B>C\"]")), 400, "/categories/1");
        expect(post(c, w, "staff", "/v1/products", with(c, "\"tags\":[\"\"]")), 400, "/tags/0");
        expect(post(c, w, "staff", "/v1/products", with(c, "\"images\":[\"https://images.example/1.jpg\",\"javascript:alert(1)\"]")), 400, "/images/1");
        expect(post(c, w, "staff", "/v1/products", with(c, "\"category\":\"Home >  > Kitchen\"")), 400, "/category");
        expect(post(c, w, "staff", "/v1/products", with(c, "\"category\":\"Home>Kitchen\"")), 400, "/category");
        expect(post(c, w, "staff", "/v1/products", with(c, "\"category\":\"1 > 2 > 3 > 4 > 5 > 6 > 7 > 8 > 9\"")), 400, "/category");
        expect(post(c, w, "staff", "/v1/products", large(c, (1 << 20) + 1)), 413, "body_too_large");
        expect(http(w, "staff", POST, "/v1/products/import", large(c, (8 << 20) + 1)), 413, "body_too_large");
        expect(http(w, "staff", POST, "/v1/products/import", numbers(c, 1001)), 400, "\"pointer\":\"/products\",\"slug\":\"too_many\"");
        expect(http(w, NULL, GET, "/v1/products?colour=red", NULL), 400, "colour");
        expect(http(w, NULL, GET, "/v1/products?limit=101", NULL), 400, "limit");
        expect(http(w, NULL, GET, "/v1/products?sort=sku", NULL), 400, "sort");
        expect(http(w, NULL, GET, "/v1/products?cursor=abc", NULL), 400, "cursor");
        expect(http(w, NULL, GET, "/v1/products?price_min=cheap", NULL), 400, "price_min");
        CHECK_EQ(rows(w, "catalog", "product"), 0);
        CHECK_EQ(rows(w, "catalog", "category"), 0);
        return 0;
}

TEST(what_is_wrong_is_refused_by_name_and_nothing_is_written) { RUN(refused); }

static int64_t in_list(struct ctx *c, struct world *w, const char *query)
{
        struct http_answer a = http(w, NULL, GET, arena_z(c->arena, arena_printf(c->arena, "/v1/products?limit=100&%s", query)), NULL);
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
        char query[120], id[37];
        struct http_answer a;

        for (int i = 0; i < 6; i++)
                CHECK_EQ(post(c, w, "staff", "/v1/products", draft(c, (const char *[]){ "A", "B", "C", "D", "E", "100%" }[i], 100 * (i + 1), i % 2 ? "Odd" : "Even")).status, 201);
        CHECK_EQ(in_list(c, w, "brand=Odd"), 3);
        CHECK_EQ(in_list(c, w, "brand=Odd,Even"), 6);
        CHECK_EQ(in_list(c, w, "price_min=200&price_max=400"), 3);
        CHECK_EQ(in_list(c, w, "q=thing%20a"), 1);
        CHECK_EQ(in_list(c, w, "q=%25"), 1);                                    /* a percent sign is a percent sign */
        CHECK_EQ(in_list(c, w, "q='%20or%201=1%20--"), 0);
        CHECK_EQ(in_list(c, w, "sku=B"), 1);
        a = http(w, NULL, GET, "/v1/categories", NULL);
        a.body = str_cut(member(a, "items"), 1, member(a, "items").n - 1);      /* the first is Home, above Kitchen */
        uid_format(id_of(a), id);
        snprintf(query, sizeof query, "category=%s", id);
        CHECK_EQ(in_list(c, w, query), 6);
        return 0;
}

TEST(lists_are_filtered_by_brand_price_name_sku_and_category_with_all_below_it) { RUN(filtered); }

static int paged(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        static const char *const sorts[] = { "-created_at", "created_at", "price", "-price", "name", "-name" };
        struct seeded made;

        CHECK_OK(catalog_seed_call(as(w, "service"), &(struct seeding){ 137, 7 }, &made));
        CHECK_EQ(made.ids.n, 137);
        for (size_t s = 0; s < COUNT(sorts); s++) {
                struct map *seen = map_new(1000, MAP_REFUSES, NULL);
                str next = arena_printf(c->arena, "/v1/products?limit=25&sort=%s", sorts[s]);
                do {
                        struct http_answer a = http(w, NULL, GET, arena_z(c->arena, next), NULL);
                        struct json_walk walk = json_open(member(a, "items"));
                        CHECK_EQ(a.status, 200);
                        for (str one; json_next_element(&walk, &one);) {
                                CHECK(map_get(seen, json_member(one, "id")) == NULL);
                                CHECK_OK(map_put(seen, json_member(one, "id"), w));
                        }
                        next = member(a, "next");
                        if (next.n) next = str_cut(next, 1, next.n - 1);
                        if (map_count(seen) == 50)                              /* in the middle something new comes in */
                                CHECK_EQ(post(c, w, "staff", "/v1/products", draft(c, sorts[s], 5, "New")).status, 201);
                } while (next.n);
                CHECK(map_count(seen) >= 137 + s);
                map_free(seen);
        }
        return 0;
}

TEST(every_order_is_walked_through_without_a_repeat_while_products_come_in) { RUN(paged); }

/* Plans q as the program's connections do, once for all values. Ends the test unless it starts in an index where the page before ended. */
static void walks_an_index(struct ctx *c, struct world *w, const struct query *q)
{
        str nulls = STR("null");
        for (size_t i = 1; q->params[i]; i++) nulls = arena_printf(c->arena, STR_FMT ", null", STR_ARG(nulls));
        execute(w, "catalog", arena_z(c->arena, arena_printf(c->arena,
                "do $do$ declare line text; plan text := ''; begin execute $sql$prepare walk as %s$sql$;"
                " for line in execute 'explain execute walk(" STR_FMT ")' loop"
                "   plan := plan || line;"
                " end loop; execute 'deallocate walk';"
                " if plan !~ 'Index Cond: [^:]*(ROW.|sku = )' or plan ~ 'Seq Scan on product' then raise exception '%s: %%', plan; end if;"
                " end $do$", q->sql, STR_ARG(nulls), q->name)));
}

static int walked(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        static const struct query *const lists[] = { &products_newest_query, &products_oldest_query, &products_cheapest_query, &products_dearest_query,
                                                     &products_named_query, &products_named_back_query, &products_by_sku_query };
        struct seeded made;

        CHECK_OK(catalog_seed_call(as(w, "service"), &(struct seeding){ 3000, 7 }, &made));
        CHECK_OK(execute(w, "catalog", "analyze product"));
        for (size_t i = 0; i < COUNT(lists); i++) walks_an_index(c, w, lists[i]);
        return 0;
}

TEST(a_page_is_found_by_walking_an_index_and_not_by_reading_every_product) { RUN(walked); }

static int quoted(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        uid a = id_of(post(c, w, "staff", "/v1/products", draft(c, "A", 250, "B")));
        uid b = id_of(post(c, w, "staff", "/v1/products", draft(c, "B", 1000, "B")));
        uid yen = id_of(post(c, w, "staff", "/v1/products", "{\"sku\":\"Y\",\"name\":\"Y\",\"price\":{\"amount\":5,\"currency\":\"JPY\"}}"));
        struct item items[] = { { a, 3 }, { b, 1 } }, unknown[] = { { a, 1 }, { who_id("nobody"), 1 } }, mixed[] = { { a, 1 }, { yen, 1 } };
        struct quote q;

        CHECK_OK(catalog_quote_call(as(w, "alice"), &(struct basket){ { items, 2 } }, &q));
        CHECK_EQ(q.total.minor, 1750);
        CHECK_EQ(q.lines.v[0].total.minor, 750);
        CHECK_EQ(q.lines.v[0].version, 1);
        CHECK_FAILS(w, INVALID_ARGUMENT, "invalid", catalog_quote_call(as(w, "alice"), &(struct basket){ { unknown, 2 } }, &q));
        CHECK_STR(last(w)->fault.flaws->pointer, "/items/1/product_id");
        CHECK_FAILS(w, INVALID_ARGUMENT, "invalid", catalog_quote_call(as(w, "alice"), &(struct basket){ { mixed, 2 } }, &q));
        return 0;
}

TEST(a_basket_is_priced_from_the_catalogue_and_says_which_line_is_wrong) { RUN(quoted); }

static int read_warm(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1790000000LL * 1000000 });
        WORLD(w, c, &catalog_service);
        struct http_answer a = post(c, w, "staff", "/v1/products", draft(c, "A", 250, "B"));
        const char *path = arena_z(c->arena, header_get(&a.headers, "location"));
        struct item items[] = { { id_of(a), 2 } };
        struct quote q;
        uint64_t statements = 0;

        for (int i = 0; i < 10; i++) {
                if (i == 1) statements = db_stats().statements;
                CHECK_EQ(http(w, NULL, GET, path, NULL).status, 200);
                CHECK_EQ(http(w, NULL, GET, "/v1/products?sort=name", NULL).status, 200);
                CHECK_OK(catalog_quote_call(as(w, "alice"), &(struct basket){ { items, 1 } }, &q));
        }
        CHECK_EQ(db_stats().statements, statements);
        clock_advance(1001);
        CHECK_EQ(http(w, NULL, GET, path, NULL).status, 200);
        CHECK_EQ(http(w, NULL, GET, "/v1/products?sort=name", NULL).status, 200);
        CHECK_OK(catalog_quote_call(as(w, "alice"), &(struct basket){ { items, 1 } }, &q));
        CHECK_EQ(db_stats().statements, statements + 3);
        clock_real();
        return 0;
}

TEST(what_was_just_asked_for_is_read_listed_and_quoted_without_the_database) { RUN(read_warm); }

static int listed_at_once(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);

        for (int i = 1; i <= 3; i++) {
                struct http_answer a = post(c, w, "staff", "/v1/products", draft(c, arena_z(c->arena, arena_printf(c->arena, "S%d", i)), 250, "B"));
                CHECK_EQ(a.status, 201);
                str list = http(w, NULL, GET, "/v1/products?sort=name", NULL).body;
                size_t n = 0;
                for (size_t at = 0; at + 6 <= list.n; at++) n += !memcmp(list.p + at, "\"sku\":", 6);
                CHECK_EQ(n, i);
        }
        return 0;
}

TEST(a_page_that_is_kept_in_memory_is_not_shown_after_a_write) { RUN(listed_at_once); }

static int owned(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *dearer = arena_z(c->arena, arena_printf(c->arena, "{\"products\":[%s]}", draft(c, "A", 300, "B")));
        const char *cheaper = arena_z(c->arena, arena_printf(c->arena, "{\"products\":[%s]}", draft(c, "A", 1, "B")));

        CHECK_EQ(post(c, w, "vendor-one", "/v1/products", draft(c, "A", 250, "B")).status, 201);
        expect(http(w, "vendor-two", POST, "/v1/products/import", cheaper), 200, "\"failed\":1,\"errors\":[{\"row\":0,\"sku\":\"A\",\"pointer\":\"/sku\",\"slug\":\"sku_taken\"");
        expect(post(c, w, "vendor-two", "/v1/products", draft(c, "A", 1, "B")), 409, "sku_taken");
        CHECK_EQ(rows(w, "catalog", "product where price_minor = 250 and version = 1"), 1);
        expect(http(w, "vendor-one", POST, "/v1/products/import", dearer), 200, "\"changed\":1");
        CHECK_EQ(rows(w, "catalog", "product where price_minor = 300 and version = 2"), 1);
        expect(http(w, "staff", POST, "/v1/products/import", dearer), 200, "\"unchanged\":1");
        return 0;
}

TEST(a_vendor_changes_its_own_products_and_nobody_elses) { RUN(owned); }

static int price_moves(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1790000000LL * 1000000 });
        WORLD(w, c, &catalog_service);
        uid a = id_of(post(c, w, "staff", "/v1/products", draft(c, "A", 250, "B")));
        struct item items[] = { { a, 1 } };
        struct quote q;

        CHECK_OK(catalog_quote_call(as(w, "alice"), &(struct basket){ { items, 1 } }, &q));
        CHECK_OK(execute(w, "catalog", "update product set price_minor = 300, version = 2"));
        clock_advance(1001);
        CHECK_OK(catalog_quote_call(as(w, "alice"), &(struct basket){ { items, 1 } }, &q));
        CHECK_EQ(q.total.minor, 300);
        CHECK_EQ(q.lines.v[0].version, 2);
        clock_real();
        return 0;
}

TEST(a_quoted_price_is_at_most_a_second_old) { RUN(price_moves); }

struct quoting { struct world *w; struct item *items; int code; struct quote quote; bool unlocked; };

static int quote_both(struct ctx *c, void *arg)
{
        struct quoting *q = arg;
        (void)c;
        q->code = catalog_quote_call(as(q->w, "alice"), &(struct basket){ { q->items, 2 } }, &q->quote);
        return 0;
}

static int lock_products(struct ctx *c, void *arg)
{
        struct quoting *q = arg;
        (void)c;
        CHECK_OK(execute(q->w, "catalog", "lock table product in access exclusive mode; select pg_sleep(0.5)"));
        q->unlocked = true;
        return 0;
}

static bool is_locked(struct world *w, const char *granted)
{
        char sql[200];
        snprintf(sql, sizeof sql, "pg_locks where relation = 'product'::regclass and %s", granted);
        return rows(w, "catalog", sql) > 0;
}

static int price_goes_meanwhile(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1790000000LL * 1000000 });
        WORLD(w, c, &catalog_service);
        uid a = id_of(post(c, w, "staff", "/v1/products", draft(c, "A", 250, "B")));
        uid b = id_of(post(c, w, "staff", "/v1/products", draft(c, "B", 1000, "B")));
        struct item items[] = { { a, 1 }, { b, 1 } };
        struct quoting q = { .w = w, .items = items };
        struct quote one;

        CHECK_OK(catalog_quote_call(as(w, "alice"), &(struct basket){ { items, 1 } }, &one));
        GROUP(g, c);
        CHECK_OK(group_go(g, lock_products, &q));
        while (!is_locked(w, "mode = 'AccessExclusiveLock' and granted")) CHECK(!q.unlocked);
        CHECK_OK(group_go(g, quote_both, &q));
        while (!is_locked(w, "not granted")) CHECK(!q.unlocked);
        clock_advance(1001);
        CHECK_OK(group_wait(g));
        CHECK_OK(q.code);
        CHECK_EQ(q.quote.total.minor, 1250);
        clock_real();
        return 0;
}

TEST(a_price_in_memory_that_grows_too_old_while_another_is_fetched_is_no_missing_product) { RUN(price_goes_meanwhile); }

static int imported(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *body = arena_z(c->arena, arena_printf(c->arena, "{\"products\":[%s,%s,{\"sku\":\"BAD\",\"name\":\"\",\"price\":{\"amount\":0,\"currency\":\"EUR\"}},7,%s]}",
                                   draft(c, "A", 100, "B"), draft(c, "B", 200, "B"), draft(c, "A", 300, "B")));
        struct http_answer a = http(w, "staff", POST, "/v1/products/import", body);

        expect(a, 200, "\"created\":2,\"changed\":0,\"unchanged\":0,\"failed\":3");
        expect(a, 200, "\"row\":2,\"sku\":\"BAD\"");
        expect(a, 200, "\"row\":3");
        expect(a, 200, "\"row\":4,\"sku\":\"A\",\"pointer\":\"/sku\",\"slug\":\"repeated\"");
        expect(http(w, "staff", POST, "/v1/products/import", body), 200, "\"created\":0,\"changed\":0,\"unchanged\":2,\"failed\":3");
        CHECK_EQ(rows(w, "catalog", "product where version = 1"), 2);
        expect(http(w, "staff", POST, "/v1/products/import", arena_z(c->arena, arena_printf(c->arena, "{\"products\":[%s]}", draft(c, "A", 101, "B")))), 200, "\"changed\":1");
        CHECK_EQ(rows(w, "catalog", "product where sku = 'A' and version = 2 and price_minor = 101"), 1);
        CHECK_EQ(events(w, "catalog", "product.changed"), 1);
        expect(http(w, "vendor", POST, "/v1/products/import", arena_z(c->arena, arena_printf(c->arena, "{\"products\":[%s]}", draft(c, "A", 1, "B")))), 200, "sku_taken");
        CHECK_EQ(rows(w, "catalog", "product where price_minor = 1"), 0);
        expect(http(w, "staff", POST, "/v1/products/import", "{\"products\":[]}"), 400, "/products");
        expect(http(w, "staff", POST, "/v1/products/import", "{\"products\":[],\"more\":1}"), 400, "/more");
        expect(http(w, "staff", POST, "/v1/products/import", "{\"products\":["), 400, "syntax");
        expect(http(w, "alice", POST, "/v1/products/import", "{\"products\":[]}"), 403, "slug");
        expect(http(w, NULL, POST, "/v1/products/import", "{\"products\":[]}"), 401, "slug");
        return 0;
}

TEST(an_import_takes_the_good_rows_names_the_bad_ones_and_changes_nothing_the_second_time) { RUN(imported); }

/* n products, all new to the catalogue when the first of two imports comes. */
static const char *rows_of(struct ctx *c, int n)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        for (int i = 0; i < n; i++) {
                char sku[16];
                snprintf(sku, sizeof sku, "SKU-%d", i);
                buf_printf(&b, "%s%s", i ? "," : "{\"products\":[", draft(c, sku, 100 + i, "Twice"));
        }
        buf_lit(&b, "]}");
        return arena_z(c->arena, buf_str(&b));
}

struct sending { struct world *w; const char *body; struct http_answer answer; };

static int send_it(struct ctx *c, void *arg)
{
        struct sending *s = arg;
        (void)c;
        s->answer = http(s->w, "staff", POST, "/v1/products/import", s->body);
        return 0;
}

static int at_once(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        struct sending s[3];
        int64_t created = 0, unchanged = 0, n;

        GROUP(g, c);
        for (size_t i = 0; i < COUNT(s); i++) {
                s[i] = (struct sending){ .w = w, .body = rows_of(c, 120) };
                CHECK_OK(group_go(g, send_it, &s[i]));
        }
        CHECK_OK(group_wait(g));
        for (size_t i = 0; i < COUNT(s); i++) {
                expect(s[i].answer, 200, "\"changed\":0");
                CHECK_OK(json_int(member(s[i].answer, "created"), &n));
                created += n;
                CHECK_OK(json_int(member(s[i].answer, "unchanged"), &n));
                unchanged += n;
        }
        CHECK_EQ(created, 120);
        CHECK_EQ(unchanged, 240);
        CHECK_EQ(events(w, "catalog", "product.created"), 120);
        CHECK_EQ(rows(w, "catalog", "brand"), 1);
        return 0;
}

TEST(the_same_import_sent_three_times_at_once_makes_each_product_once) { RUN(at_once); }

/* The shared data's first lines as rows: what stands under other names there is named as here. */
static const char *icecat_rows(struct ctx *c, FILE *f, int n)
{
        struct buf b AUTO(buf_done) = BUF_INIT(8 << 20);
        static char line[1 << 16];
        struct jw w = { .b = &b };

        jw_object(&w);
        jw_key(&w, "products");
        jw_array(&w);
        for (int i = 0; i < n && fgets(line, sizeof line, f); i++) {
                str row = str_of(line), text, image = json_member(row, "img_500x500");
                jw_object(&w);
                jw_key(&w, "sku");      jw_raw(&w, json_member(row, "id"));
                CHECK_OK(json_text(c, json_member(row, "title"), &text));
                jw_key(&w, "name");     jw_str(&w, str_cut(text, 0, MIN(text.n, (size_t)280)));
                jw_key(&w, "brand");    jw_raw(&w, json_member(row, "supplier"));
                jw_key(&w, "category"); jw_z(&w, "Electronics");
                jw_key(&w, "price");    jw_object(&w);
                jw_key(&w, "amount");   jw_raw(&w, json_member(row, "price"));
                jw_key(&w, "currency"); jw_z(&w, "EUR");
                jw_object_end(&w);
                if (image.p) {
                        jw_key(&w, "images");
                        jw_array(&w);
                        jw_raw(&w, image);
                        jw_array_end(&w);
                }
                jw_object_end(&w);
        }
        jw_array_end(&w);
        jw_object_end(&w);
        CHECK_OK(buf_error(&b));
        return arena_z(c->arena, buf_str(&b));
}

static FILE *icecat(void)
{
        const char *shared = getenv("SOUK_SHARED");
        char path[1024];
        snprintf(path, sizeof path, "%s/data/icecat/icecat-products-19k.jsonl", shared ? shared : SOUK_SOURCE_DIR "/../shared");
        return fopen(path, "r");
}

static int icecat_imported(struct ctx *c, void *f)
{
        WORLD(w, c, &catalog_service);
        const char *body = icecat_rows(c, f, 1000);
        struct http_answer a = http(w, "vendor", POST, "/v1/products/import", body);
        int64_t created, failed;

        expect(a, 200, "\"changed\":0,\"unchanged\":0");
        CHECK_OK(json_int(member(a, "created"), &created));
        CHECK_OK(json_int(member(a, "failed"), &failed));
        if (created < 990) cm_fail_msg("%lld failed: " STR_FMT, (long long)failed, (int)MIN(a.body.n, (size_t)2000), a.body.p);
        CHECK_EQ(created + failed, 1000);
        CHECK_EQ(rows(w, "catalog", "product"), created);
        a = http(w, "vendor", POST, "/v1/products/import", body);
        expect(a, 200, "\"created\":0,\"changed\":0");
        expect(http(w, "vendor-two", POST, "/v1/products/import", body), 200, "\"created\":0,\"changed\":0,\"unchanged\":0");    /* somebody else's */
        return 0;
}

TEST(a_thousand_real_products_come_in_once)
{
        FILE *f = icecat();
        if (!f) skip();
        CHECK_OK(run_main(icecat_imported, f));
        fclose(f);
}

static int seeded_twice(struct ctx *c, void *arg)
{
        (void)arg;
        struct seeded one, two;
        int64_t sum;
        {
                WORLD(w, c, &catalog_service);
                CHECK_OK(catalog_seed_call(as(w, "service"), &(struct seeding){ 1200, 42 }, &one));
                CHECK_EQ(one.ids.n, 1200);
                one.ids.v = memcpy(arena_many(c->arena, uid, one.ids.n), one.ids.v, one.ids.n * sizeof(uid));
                sum = number(w, "catalog", "select sum(price_minor) from product");
                CHECK_OK(catalog_seed_done_call(as(w, "service"), &(struct nothing){ 0 }, &(struct nothing){ 0 }));
                CHECK_OK(catalog_seed_call(as(w, "service"), &(struct seeding){ 1200, 42 }, &two));
                CHECK_EQ(two.ids.n, 0);                                         /* not empty any more */
                CHECK(rows(w, "catalog", "category") > 20);
        }
        WORLD(w, c, &catalog_service);
        CHECK_OK(catalog_seed_call(as(w, "service"), &(struct seeding){ 1200, 42 }, &two));
        CHECK_EQ(memcmp(one.ids.v, two.ids.v, two.ids.n * sizeof(uid)), 0);
        CHECK_EQ(number(w, "catalog", "select sum(price_minor) from product"), sum);
        return 0;
}

TEST(the_made_up_shop_is_the_same_for_the_same_seed) { RUN(seeded_twice); }

static int seeding_resumed(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        struct seeded one, two, three;

        CHECK_OK(catalog_seed_call(as(w, "service"), &(struct seeding){ 1200, 42 }, &one));
        CHECK_OK(execute(w, "catalog", "delete from product where id in (select id from product order by id offset 700)"));     /* so far it came */
        CHECK_OK(catalog_seed_call(as(w, "service"), &(struct seeding){ 3, 7 }, &two));
        CHECK_EQ(two.ids.n, 1200);
        CHECK_EQ(memcmp(one.ids.v, two.ids.v, 1200 * sizeof(uid)), 0);
        CHECK_EQ(rows(w, "catalog", "product where revision = 1"), 1200);
        CHECK_EQ(events(w, "catalog", "product.changed"), 0);
        CHECK_OK(catalog_seed_done_call(as(w, "service"), &(struct nothing){ 0 }, &(struct nothing){ 0 }));
        CHECK_OK(catalog_seed_call(as(w, "service"), &(struct seeding){ 1200, 42 }, &three));
        CHECK_EQ(three.ids.n, 0);
        return 0;
}

TEST(a_shop_that_was_half_made_up_is_finished_as_it_was_begun) { RUN(seeding_resumed); }

TEST_MAIN
