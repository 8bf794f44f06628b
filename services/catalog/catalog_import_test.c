/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * catalog_import_test.c - an import in parts: each part counts once, whatever dies in between; every bad row is in its report; whose it is. */
#include "test.h"
#include "catalog_try.h"
#include "fiber.h"

enum { ROWS = 60, A_PART = 25 };

static const char *begun(struct ctx *c, struct world *w, const char *who)
{
        return path_of(c, post(c, w, who, "/v1/imports", "{\"source\":\"shop.jsonl\",\"digest\":\"sha256:abc\"}"));
}

static struct http_answer part(struct ctx *c, struct world *w, const char *who, const char *import, int64_t from, const char *rows, bool last)
{
        return http(w, who, POST, texts(c, "%s/rows", import), texts(c, "{\"from\":%lld,\"rows\":[%s]%s}", (long long)from, rows, last ? ",\"last\":true" : ""));
}

/* Rows from..to-1; every tenth is bad. Its line is one more than its row: there was a header. */
static const char *rows_of(struct ctx *c, int from, int to)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        for (int i = from; i < to; i++)
                buf_printf(&b, "%s{\"line\":%d,\"product\":%s}", i > from ? "," : "", i + 2,
                           i % 10 ? draft(c, texts(c, "SKU-%d", i), 100 + i, "B") : texts(c, "{\"sku\":\"SKU-%d\",\"name\":7,\"price\":{\"amount\":0,\"currency\":\"EUR\"}}", i));
        return arena_z(c->arena, buf_str(&b));
}

static int in_parts(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *import = begun(c, w, "staff"), *again;

        expect(http(w, "staff", GET, import, NULL), 200, "\"state\":\"running\",\"rows_done\":0");
        expect(part(c, w, "staff", import, 0, rows_of(c, 0, A_PART), false), 200, "\"rows_done\":25,\"created\":22,\"changed\":0,\"unchanged\":0,\"failed\":3");
        expect(part(c, w, "staff", import, 0, rows_of(c, 0, A_PART), false), 200, "\"rows_done\":25,\"created\":22,\"changed\":0,\"unchanged\":0,\"failed\":3");
        expect(part(c, w, "staff", import, 10, rows_of(c, 10, 15), false), 200, "\"rows_done\":25");
        expect(part(c, w, "staff", import, 10, rows_of(c, 10, 30), false), 409, "import_elsewhere");
        expect(part(c, w, "staff", import, 30, rows_of(c, 30, 40), false), 409, "goes on from row 25");
        expect(part(c, w, "staff", import, 25, rows_of(c, 25, 50), false), 200, "\"state\":\"running\",\"rows_done\":50");
        expect(part(c, w, "staff", import, 50, rows_of(c, 50, ROWS), true), 200, "\"state\":\"done\",\"rows_done\":60,\"created\":54,\"changed\":0,\"unchanged\":0,\"failed\":6");
        expect(part(c, w, "staff", import, 50, rows_of(c, 50, ROWS), true), 200, "\"state\":\"done\",\"rows_done\":60");
        expect(part(c, w, "staff", import, 60, "", true), 200, "\"state\":\"done\"");
        expect(part(c, w, "staff", import, 60, rows_of(c, 1, 2), false), 409, "import_done");
        expect(http(w, "staff", GET, import, NULL), 200, "\"done_at\":");
        again = begun(c, w, "staff");
        for (int from = 0; from < ROWS; from += 20)
                expect(part(c, w, "staff", again, from, rows_of(c, from, from + 20), from == 40), 200, "\"created\":0,\"changed\":0");
        expect(http(w, "staff", GET, again, NULL), 200, "\"unchanged\":54,\"failed\":6");
        CHECK_EQ(rows(w, "catalog", "product where revision = 1"), 54);
        CHECK_EQ(events(w, "catalog", "product.created"), 54);
        CHECK_EQ(events(w, "catalog", "product.changed"), 0);
        return 0;
}

TEST(an_import_comes_in_parts_and_each_counts_once) { RUN(in_parts); }

static int reported(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *import = begun(c, w, "vendor-one"), *errors = texts(c, "%s/errors", import);
        struct http_answer a;

        CHECK_EQ(post(c, w, "vendor-two", "/v1/products", draft(c, "THEIRS", 5, "B")).status, 201);
        CHECK_EQ(part(c, w, "vendor-one", import, 0, rows_of(c, 0, 21), false).status, 200);
        expect(part(c, w, "vendor-one", import, 21, texts(c, "{\"line\":40,\"sku\":\"X\",\"pointer\":\"/price\",\"detail\":\"\\\"9,99\\\" is no amount\"},"
                    "{\"line\":41,\"product\":7},{\"line\":42,\"product\":%s},{\"line\":43,\"product\":%s},{\"product\":%s}", draft(c, "THEIRS", 1, "B"), draft(c, "NEW", 1, "B"),
                    draft(c, "NEW", 2, "B")), true), 200, "\"rows_done\":26,\"created\":19,\"changed\":0,\"unchanged\":0,\"failed\":7");
        a = http(w, "vendor-one", GET, texts(c, "%s?limit=100", errors), NULL);
        expect(a, 200, "{\"row\":0,\"line\":2,\"sku\":\"SKU-0\",\"pointer\":\"/name\",\"slug\":\"wrong_type\"");
        expect(a, 200, "{\"row\":20,\"line\":22,\"sku\":\"SKU-20\"");
        expect(a, 200, "{\"row\":21,\"line\":40,\"sku\":\"X\",\"pointer\":\"/price\",\"slug\":\"unreadable\",\"detail\":\"\\\"9,99\\\" is no amount\"}");
        expect(a, 200, "{\"row\":22,\"line\":41,\"pointer\":\"\",\"slug\":\"wrong_type\"");
        expect(a, 200, "{\"row\":23,\"line\":42,\"sku\":\"THEIRS\",\"pointer\":\"/sku\",\"slug\":\"sku_taken\"");
        expect(a, 200, "{\"row\":25,\"sku\":\"NEW\",\"pointer\":\"/sku\",\"slug\":\"repeated\"");
        expect(http(w, "vendor-one", GET, texts(c, "%s?limit=1&sort=-row", errors), NULL), 200, "{\"items\":[{\"row\":25");
        int64_t n = 0;
        for (str next = str_of(texts(c, "%s?limit=2", errors)), one; next.n; next = (a.body = member(a, "next")).n ? str_cut(a.body, 1, a.body.n - 1) : (str){ 0 }) {
                a = http(w, "vendor-one", GET, arena_z(c->arena, next), NULL);
                CHECK_EQ(a.status, 200);
                for (struct json_walk walk = json_open(member(a, "items")); json_next_element(&walk, &one);) n++;
        }
        CHECK_EQ(n, rows(w, "catalog", "import_fault"));
        CHECK(n >= 7);
        CHECK_EQ(rows(w, "catalog", "product where price_minor = 5 and sku = 'THEIRS'"), 1);
        return 0;
}

TEST(every_bad_row_is_reported_with_its_line_its_member_and_why) { RUN(reported); }

static int refused(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *import = begun(c, w, "vendor-one"), *ways[] = { import, texts(c, "%s/errors", import) }, *nobodys = "/v1/imports/" NOBODYS;

        for (size_t i = 0; i < COUNT(ways); i++) {
                expect(http(w, "vendor-two", GET, ways[i], NULL), 404, "no_such_import");
                expect(http(w, "alice", GET, ways[i], NULL), 403, "slug");
                CHECK_EQ(http(w, NULL, GET, ways[i], NULL).status, 401);
                CHECK_EQ(http(w, "staff", GET, ways[i], NULL).status, 200);
        }
        expect(http(w, "staff", GET, nobodys, NULL), 404, "no_such_import");
        expect(http(w, "staff", GET, "/v1/imports/7", NULL), 400, "id");
        expect(part(c, w, "vendor-two", import, 0, rows_of(c, 0, 5), false), 404, "no_such_import");
        expect(part(c, w, "alice", import, 0, rows_of(c, 0, 5), false), 403, "slug");
        CHECK_EQ(part(c, w, NULL, import, 0, rows_of(c, 0, 5), false).status, 401);
        expect(http(w, "staff", POST, "/v1/imports", "{\"source\":\"x\"}"), 400, "Idempotency-Key");
        expect(post(c, w, "staff", "/v1/imports", "{}"), 400, "/source");
        expect(post(c, w, "staff", "/v1/imports", "{\"source\":\"x\",\"state\":\"done\"}"), 400, "/state");
        expect(part(c, w, "vendor-one", import, -1, "", false), 400, "/from");
        expect(part(c, w, "vendor-one", import, 0, "{\"line\":1}", false), 400, "\"pointer\":\"/rows/0\",\"slug\":\"required\"");
        expect(part(c, w, "vendor-one", import, 0, "{\"line\":1,\"product\":{},\"detail\":\"x\"}", false), 400, "\"pointer\":\"/rows/0\"");
        expect(part(c, w, "vendor-one", import, 0, "{\"line\":\"1\",\"product\":{}}", false), 400, "\"pointer\":\"/rows/0/line\"");
        expect(part(c, w, "vendor-one", import, 0, "7", false), 400, "\"pointer\":\"/rows/0\"");
        expect(part(c, w, "vendor-one", import, 0, "{\"line\":1,\"products\":[]}", false), 400, "/rows/0/products");
        expect(http(w, "vendor-one", POST, texts(c, "%s/rows", import), "{\"from\":0,\"rows\":{}}"), 400, "/rows");
        expect(http(w, "vendor-one", POST, texts(c, "%s/rows", import), "{\"rows\":[]}"), 400, "/from");
        expect(http(w, "vendor-one", POST, texts(c, "%s/rows", import), "{\"from\":0,\"rows\":[],\"to\":1}"), 400, "/to");
        expect(http(w, "vendor-one", POST, texts(c, "%s/rows", import), "{\"from\":0,\"rows\":["), 400, "syntax");
        struct buf many AUTO(buf_done) = BUF_INIT(1 << 20);
        for (int i = 0; i < 1001; i++) buf_lit(&many, i ? ",{\"detail\":\"x\"}" : "{\"detail\":\"x\"}");
        expect(part(c, w, "vendor-one", import, 0, arena_z(c->arena, buf_str(&many)), false), 400, "\"pointer\":\"/rows\",\"slug\":\"too_many\"");
        expect(http(w, "vendor-one", GET, import, NULL), 200, "\"rows_done\":0");
        CHECK_EQ(rows(w, "catalog", "product"), 0);
        CHECK_EQ(rows(w, "catalog", "import_fault"), 0);
        expect(http(w, "vendor-two", DELETE, import, NULL), 404, "no_such_import");
        CHECK_EQ(http(w, "vendor-one", DELETE, import, NULL).status, 204);
        expect(http(w, "vendor-one", GET, import, NULL), 404, "no_such_import");
        return 0;
}

TEST(a_part_that_is_not_as_it_must_be_changes_nothing_and_an_import_is_its_makers) { RUN(refused); }

/* A piece of a file as it is. */
static struct http_answer piece(struct ctx *c, struct world *w, const char *who, const char *import, const char *query, const char *media, const char *text)
{
        return http_message(w, who, texts(c, "POST %s/file%s HTTP/1.1\r\nhost: souk.test\r\ncontent-type: %s\r\ncontent-length: %zu\r\n\r\n%s", import, query, media,
                                          strlen(text), text));
}

#define HEADER "sku;name;price;currency;vat_bp;tags;categories;attributes.colour\n"

static int files(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *import = begun(c, w, "vendor-one"), *other = begun(c, w, "vendor-one");
        const char *first = HEADER "A;\"Lamp; \"\"bright\"\"\";19,99;EUR;0;;;\n"
                            "A-1;Lamp;19.99;EUR;0;home|light;Home > Lamps|Sale;red\n" "\n" "A-2;Two\n" "A-3;\"of two\nlines\";5;JPY;;;;\n";
        struct http_answer a;

        expect(piece(c, w, "vendor-one", import, "?from=0", "text/csv; charset=utf-8", first), 200, "\"rows_done\":4,\"created\":2,\"changed\":0,\"unchanged\":0,\"failed\":2");
        expect(piece(c, w, "vendor-one", import, "?from=0", "text/csv", first), 200, "\"rows_done\":4,\"created\":2");       /* sent again, it does nothing */
        expect(piece(c, w, "vendor-one", import, "?from=3", "text/csv", first), 409, "import_elsewhere");
        expect(piece(c, w, "vendor-one", import, "?from=4&line=8", "text/csv", HEADER "A-4;;1;EUR;;;;\nA-5;Five;5;EUR;;;;\n"), 200, "\"rows_done\":6,\"created\":3");
        expect(piece(c, w, "vendor-one", import, "?from=6&line=10&currency=USD&last=true", "application/x-ndjson",
                     "{\"sku\":\"A-6\",\"name\":\"Six\",\"price\":6.5,\"tags\":[\"a\"]}\n\nnot json\n"
                     "{\"sku\":\"A-7\",\"name\":\"Seven\",\"price\":{\"amount\":0,\"currency\":\"EUR\"}}"), 200,
               "\"state\":\"done\",\"rows_done\":9,\"created\":4,\"changed\":0,\"unchanged\":0,\"failed\":5");
        a = http(w, "vendor-one", GET, texts(c, "%s/errors", import), NULL);
        expect(a, 200, "{\"row\":0,\"line\":2,\"sku\":\"A\",\"pointer\":\"/price\",\"slug\":\"unreadable\",\"detail\":\"\\\"19,99\\\" is not an amount");
        expect(a, 200, "{\"row\":2,\"line\":5,\"slug\":\"unreadable\",\"detail\":\"has 2 fields, the header has 8\"}");
        expect(a, 200, "{\"row\":4,\"line\":8,\"sku\":\"A-4\",\"pointer\":\"/name\"");
        expect(a, 200, "{\"row\":7,\"line\":12,");
        expect(a, 200, "{\"row\":8,\"line\":13,\"sku\":\"A-7\",\"pointer\":\"/price/amount\",\"slug\":\"too_small\"");
        a = http(w, "", GET, "/v1/products?sku=A-1&fields=id", NULL);
        CHECK_EQ(a.status, 200);
        a = http(w, "", GET, texts(c, "/v1/products/%.36s", strstr(arena_z(c->arena, a.body), "\"id\":\"") + 6), NULL);
        expect(a, 200, "\"tags\":[\"home\",\"light\"]");
        expect(a, 200, "\"attributes\":[{\"name\":\"colour\",\"value\":\"red\"}]");
        expect(a, 200, "\"vat_bp\":0");
        expect(a, 200, "Sale");
        expect(http(w, "", GET, "/v1/products?sku=A-6", NULL), 200, "{\"amount\":650,\"currency\":\"USD\"}");

        expect(piece(c, w, "vendor-one", other, "?from=-1", "text/csv", first), 400, "\"pointer\":\"from\"");
        expect(piece(c, w, "vendor-one", other, "?from=0&form=1", "text/csv", first), 400, "\"pointer\":\"form\"");
        expect(piece(c, w, "vendor-one", other, "?from=0&line=0&currency=euro", "text/csv", first), 400, "\"pointer\":\"currency\"");
        expect(piece(c, w, "vendor-one", other, "?from=0", "application/json", "{}"), 415, "text/csv");
        expect(piece(c, w, "vendor-one", other, "?from=0", "text/csv", "sku,na\"me\nx,y\n"), 400, "bad_csv");
        expect(piece(c, w, "vendor-one", other, "?from=0", "text/csv", "SKU,name\nx,y\n"), 400, "the body has no column sku; its header has: SKU, name");
        expect(piece(c, w, "vendor-two", other, "?from=0", "text/csv", first), 404, "no_such_import");
        expect(piece(c, w, "alice", other, "?from=0", "text/csv", first), 403, "forbidden");
        expect(piece(c, w, "", other, "?from=0", "text/csv", first), 401, "missing_token");
        expect(http(w, "vendor-one", GET, other, NULL), 200, "\"rows_done\":0");
        expect(piece(c, w, "vendor-one", other, "?from=0&last=true", "text/csv", ""), 200, "\"state\":\"done\",\"rows_done\":0");
        return 0;
}

TEST(a_piece_of_a_file_is_a_part) { RUN(files); }

static int too_many_rows(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *import = begun(c, w, "staff");
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);

        buf_lit(&b, "sku,name,price\n");
        for (int i = 0; i < 1000; i++) buf_printf(&b, "S-%d,Thing %d,1.00\n", i, i);
        const char *right = arena_z(c->arena, buf_str(&b)), *one_more = texts(c, "%sS-1000,one more,1\n", right);
        expect(piece(c, w, "staff", import, "?from=0", "text/csv", one_more), 400, "too_many");
        expect(piece(c, w, "staff", import, "?from=0", "text/csv", right), 200, "\"rows_done\":1000,\"created\":1000");
        CHECK_EQ(rows(w, "catalog", "product"), 1000);
        return 0;
}

TEST(a_piece_has_a_thousand_rows_at_most) { RUN(too_many_rows); }

static int listed(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *one = begun(c, w, "vendor-one"), *id = strrchr(one, '/') + 1;

        (void)begun(c, w, "vendor-two");
        CHECK_EQ(post(c, w, "vendor-one", "/v1/imports", "{\"source\":\"other\"}").status, 201);
        CHECK_EQ(part(c, w, "vendor-one", one, 0, rows_of(c, 1, 3), false).status, 200);
        expect(http(w, "vendor-one", GET, "/v1/imports?state=running&digest=sha256:abc", NULL), 200, texts(c, "{\"items\":[{\"id\":\"%s\",\"source\":\"shop.jsonl\"", id));
        expect(http(w, "vendor-one", GET, "/v1/imports?state=done", NULL), 200, "{\"items\":[]}");
        CHECK_EQ(part(c, w, "vendor-one", one, 2, "", true).status, 200);
        expect(http(w, "vendor-one", GET, "/v1/imports?state=done", NULL), 200, id);
        expect(http(w, "vendor-one", GET, "/v1/imports?state=running&digest=sha256:abc", NULL), 200, "{\"items\":[]}");
        expect(http(w, "vendor-one", GET, "/v1/imports?sort=begun_at&limit=1", NULL), 200, id);
        expect(http(w, "vendor-one", GET, "/v1/imports?state=gone", NULL), 400, "state");
        CHECK_EQ(number(w, "catalog", "select count(*) from import"), 3);
        return 0;
}

TEST(an_import_is_found_again_by_what_it_is_of) { RUN(listed); }

struct sender { struct world *w; const char *import, *rows; int status; };

static int send_it(struct ctx *c, void *arg)
{
        struct sender *s = arg;
        s->status = part(c, s->w, "staff", s->import, 0, s->rows, false).status;
        return 0;
}

static int stopped(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *import = begun(c, w, "staff"), *first = rows_of(c, 0, A_PART);
        struct sender s[3];

        /* the program dies with the part's products written, before it commits */
        CHECK_OK(execute(w, "catalog", "create function die() returns trigger language plpgsql as $$ begin raise exception 'killed'; end $$;"
                                       "create trigger dies before update on import for each row execute function die()"));
        CHECK(part(c, w, "staff", import, 0, first, false).status >= 400);
        CHECK_EQ(rows(w, "catalog", "product"), 0);
        CHECK_EQ(rows(w, "catalog", "import_fault"), 0);
        CHECK_OK(execute(w, "catalog", "drop trigger dies on import"));
        expect(http(w, "staff", GET, import, NULL), 200, "\"rows_done\":0");
        /* its sender does not know whether it died, and sends it again and again */
        GROUP(g, c);
        for (size_t i = 0; i < COUNT(s); i++) {
                s[i] = (struct sender){ w, import, first, 0 };
                CHECK_OK(group_go(g, send_it, &s[i]));
        }
        CHECK_OK(group_wait(g));
        for (size_t i = 0; i < COUNT(s); i++) CHECK_EQ(s[i].status, 200);
        expect(http(w, "staff", GET, import, NULL), 200, "\"rows_done\":25,\"created\":22,\"changed\":0,\"unchanged\":0,\"failed\":3");
        CHECK_EQ(events(w, "catalog", "product.created"), 22);
        CHECK_EQ(rows(w, "catalog", "(select distinct row from import_fault) as bad"), 3);
        return 0;
}

TEST(a_part_that_dies_leaves_nothing_and_one_sent_three_times_at_once_counts_once) { RUN(stopped); }

static int forgotten(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *import = begun(c, w, "staff"), *young = begun(c, w, "staff");

        CHECK_EQ(part(c, w, "staff", import, 0, rows_of(c, 0, 5), true).status, 200);
        CHECK_OK(execute(w, "catalog", texts(c, "update import set updated_at = now() - interval '31 days' where id = '%s'", strrchr(import, '/') + 1)));
        run_job(w, "catalog", "trim-imports");
        CHECK_EQ(http(w, "staff", GET, import, NULL).status, 404);
        CHECK_EQ(http(w, "staff", GET, young, NULL).status, 200);
        CHECK_EQ(rows(w, "catalog", "import_fault"), 0);
        CHECK_EQ(rows(w, "catalog", "product"), 4);
        return 0;
}

TEST(an_import_is_forgotten_after_a_month) { RUN(forgotten); }

TEST_MAIN
