/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * rows_test.c - files of products read row by row: the names people use, prices, Icecat's shape, CSV with all it may hold, and bad rows
 * told by line and field while the rest goes on. */
#include "test.h"
#include <unistd.h>
#include "rows.h"

struct reading { struct arena *a; struct ctx c; struct feed *rows; struct buf out; struct row row; char path[64]; };

static void reading_done(struct reading *r)
{
        rows_close(&r->rows);
        buf_done(&r->out);
        arena_free(r->a);
        if (r->path[0]) unlink(r->path);
}

static void reading_init(struct reading *r)
{
        r->a = arena_new(64 << 20);
        r->c = (struct ctx){ .arena = r->a };
        r->out = (struct buf)BUF_INIT(4 << 20);
}

static int begin(struct reading *r, const char *text, const char *suffix)
{
        reading_init(r);
        snprintf(r->path, sizeof r->path, "/tmp/souk-rows.XXXXXX%s", suffix);
        int fd = mkstemps(r->path, (int)strlen(suffix));
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
        return rows_open(&r->c, &(struct rows_options){ .path = r->path, .currency = STR("EUR") }, &r->rows);
}
#define READING(r, text, suffix) struct reading r AUTO(reading_done) = { 0 }; CHECK_OK(begin(&r, text, suffix))

static int next(struct reading *r)
{
        buf_clear(&r->out);
        return rows_next(&r->c, r->rows, &r->out, &r->row);
}

static void gives(struct reading *r, const char *json)
{
        CHECK_EQ(next(r), 1);
        CHECK_STR(buf_str(&r->out), json);
}

static void refuses(struct reading *r, int line, const char *field, const char *why)
{
        CHECK_EQ(next(r), -INVALID_ARGUMENT);
        CHECK_EQ(r->row.line, line);
        if (!memmem(r->row.detail.p, r->row.detail.n, why, strlen(why))) cm_fail_msg("%.*s", STR_ARG(r->row.detail));
        CHECK(str_eq(r->row.pointer, str_of(field)));
        CHECK_EQ(r->out.n, 0);
}

TEST(a_row_of_json_becomes_a_product)
{
        READING(r, "{\"sku\":\"a1\",\"name\":\" Lamp \",\"description\":\"d\",\"brand\":\"B\",\"category\":\"lamps\",\"price\":1999,\"currency\":\"USD\","
                   "\"images\":[\"http://x/1\",\"http://x/2\"],\"attributes\":{\"colour\":\"red\",\"watts\":\"40\",\"none\":null}}\n", ".jsonl");
        gives(&r, "{\"sku\":\"a1\",\"name\":\"Lamp\",\"description\":\"d\",\"brand\":\"B\",\"category\":\"lamps\",\"price\":{\"amount\":1999,\"currency\":\"USD\"},"
                  "\"images\":[\"http://x/1\",\"http://x/2\"],\"attributes\":[{\"name\":\"colour\",\"value\":\"red\"},{\"name\":\"watts\",\"value\":\"40\"}]}");
        CHECK_EQ(next(&r), 0);
}

TEST(a_price_may_be_minor_units_a_decimal_or_an_object)
{
        READING(r, "{\"sku\":\"1\",\"name\":\"n\",\"price\":5}\n{\"sku\":\"2\",\"name\":\"n\",\"price\":19.9}\n{\"sku\":\"3\",\"name\":\"n\",\"price\":\"7\"}\n"
                   "{\"sku\":\"4\",\"name\":\"n\",\"price\":\"500 JPY\"}\n{\"sku\":\"5\",\"name\":\"n\",\"price\":{\"amount\":1,\"currency\":\"CHF\"}}\n"
                   "{\"sku\":\"6\",\"name\":\"n\",\"price_minor\":1234}\n", ".json");
        gives(&r, "{\"sku\":\"1\",\"name\":\"n\",\"price\":{\"amount\":5,\"currency\":\"EUR\"}}");
        gives(&r, "{\"sku\":\"2\",\"name\":\"n\",\"price\":{\"amount\":1990,\"currency\":\"EUR\"}}");
        gives(&r, "{\"sku\":\"3\",\"name\":\"n\",\"price\":{\"amount\":700,\"currency\":\"EUR\"}}");
        gives(&r, "{\"sku\":\"4\",\"name\":\"n\",\"price\":{\"amount\":500,\"currency\":\"JPY\"}}");
        gives(&r, "{\"sku\":\"5\",\"name\":\"n\",\"price\":{\"amount\":1,\"currency\":\"CHF\"}}");
        gives(&r, "{\"sku\":\"6\",\"name\":\"n\",\"price\":{\"amount\":1234,\"currency\":\"EUR\"}}");
}

TEST(a_category_may_be_a_path_and_vat_a_rate)
{
        READING(r, "{\"sku\":\"1\",\"name\":\"n\",\"price\":5,\"category\":[\"Computers\",\"Laptops\"],\"vat_bp\":700}\n"
                   "{\"sku\":\"1\",\"name\":\"n\",\"price\":5,\"vat_bp\":\"seven\"}\n", ".jsonl");
        gives(&r, "{\"sku\":\"1\",\"name\":\"n\",\"category\":\"Computers > Laptops\",\"price\":{\"amount\":5,\"currency\":\"EUR\"},\"vat_bp\":700}");
        refuses(&r, 2, "/vat_bp", "hundredths");
}

TEST(bad_rows_are_told_by_line_and_field_and_the_rest_goes_on)
{
        READING(r, "\n{\"name\":\"n\",\"price\":1}\n{\"sku\":\"x\",\"price\":1}\n{\"sku\":\"x\",\"name\":\"n\"}\n{\"sku\":\"x\",\"name\":\"n\",\"price\":\"1.999\"}\n"
                   "{\"sku\":\"x\",\"name\":\"n\",\"price\":1,\"currency\":\"XAU\"}\n{broken\n{\"sku\":\"x\",\"sku\":\"y\"}\n[1]\n{\"sku\":\"x\",\"name\":[],\"price\":1}\n"
                   "{\"sku\":\"ok\",\"name\":\"n\",\"price\":1}", ".jsonl");
        refuses(&r, 2, "/sku", "missing");
        refuses(&r, 3, "/name", "missing");
        refuses(&r, 4, "/price", "missing");
        refuses(&r, 5, "/price", "2 decimals");
        refuses(&r, 6, "/currency", "XAU");
        refuses(&r, 7, "", "is not JSON: column");
        refuses(&r, 8, "", "is not JSON: /sku is given more than once");
        refuses(&r, 9, "", "not a JSON object");
        refuses(&r, 10, "/name", "text");
        CHECK_EQ(next(&r), 1);
        CHECK_EQ(r.row.line, 11);
        CHECK_EQ(next(&r), 0);
}

TEST(a_value_of_another_kind_is_refused_as_the_catalogue_would_and_not_made_one)
{
        static const struct { const char *member, *field; } wrong[] = {
                { "\"sku\":7", "/sku" }, { "\"sku\":true", "/sku" }, { "\"description\":1.5", "/description" }, { "\"brand\":[\"B\"]", "/brand" },
                { "\"category\":7", "/category" }, { "\"category\":[\"A\",7]", "/category" }, { "\"price\":true", "/price" }, { "\"price\":[1]", "/price" },
                { "\"price_minor\":\"12\"", "/price_minor" }, { "\"currency\":978", "/currency" }, { "\"vat_bp\":\"700\"", "/vat_bp" },
                { "\"vat_bp\":7.5", "/vat_bp" }, { "\"images\":[7]", "/images" }, { "\"images\":7", "/images" }, { "\"attributes\":{\"watts\":40}", "/attributes/0" },
                { "\"attributes\":[{\"name\":\"a\",\"value\":\"b\"},{\"name\":7,\"value\":\"x\"}]", "/attributes/1" }, { "\"attributes\":\"red\"", "/attributes" } };
        for (size_t i = 0; i < COUNT(wrong); i++) {
                char text[500];
                snprintf(text, sizeof text, "{%s%s,\"name\":\"n\"%s}\n", wrong[i].member, strstr(wrong[i].member, "sku") ? "" : ",\"sku\":\"1\"",
                         strstr(wrong[i].member, "\"price") ? "" : ",\"price\":1");
                READING(r, text, ".jsonl");
                refuses(&r, 1, wrong[i].field, "");
        }
        READING(r, "{\"sku\":\"1\",\"name\":\"n\",\"price\":1,\"vat_bp\":0}\n", ".jsonl");
        gives(&r, "{\"sku\":\"1\",\"name\":\"n\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},\"vat_bp\":0}");
}

TEST(icecats_shape_is_known)
{
        READING(r, "{\"id\":\"39\",\"name\":\"006R\",\"title\":\"Xerox toner\",\"ean\":[\"01\",\"02\"],\"short_description\":\"Toner\",\"img_high\":\"http://i/h.jpg\","
                   "\"img_low\":\"http://i/l.jpg\",\"supplier\":\"Xerox\",\"price\":4995,\"attr_t_product_type\":\"Toner\",\"attr_n_quantity__per_pack_\":6.0,"
                   "\"attr_b_new\":false}\n", ".jsonl");
        gives(&r, "{\"sku\":\"icecat-39\",\"name\":\"Xerox toner\",\"description\":\"Toner\",\"brand\":\"Xerox\",\"category\":\"Toner\","
                  "\"price\":{\"amount\":4995,\"currency\":\"EUR\"},\"images\":[\"http://i/h.jpg\"],\"attributes\":[{\"name\":\"model\",\"value\":\"006R\"},"
                  "{\"name\":\"ean\",\"value\":\"01, 02\"},{\"name\":\"product type\",\"value\":\"Toner\"},{\"name\":\"quantity per pack\",\"value\":\"6\"},"
                  "{\"name\":\"new\",\"value\":\"no\"}]}");
}

TEST(csv_has_quotes_newlines_a_mark_and_any_usual_delimiter)
{
        READING(r, "\xef\xbb\xbfsku;name;price;images;attributes.colour;ignored\r\n\r\na;\"Two\nlines; \"\"quoted\"\"\";19,99;x;y;z\r\n"
                   "b;B;\"20\";http://1 | http://2;red;\r\nc;C;5 USD;;;", ".csv");
        refuses(&r, 3, "/price", "19,99");
        gives(&r, "{\"sku\":\"b\",\"name\":\"B\",\"price\":{\"amount\":2000,\"currency\":\"EUR\"},\"images\":[\"http://1\",\"http://2\"],"
                  "\"attributes\":[{\"name\":\"colour\",\"value\":\"red\"}]}");
        CHECK_EQ(r.row.line, 5);
        gives(&r, "{\"sku\":\"c\",\"name\":\"C\",\"price\":{\"amount\":500,\"currency\":\"USD\"}}");
        CHECK_EQ(next(&r), 0);
}

TEST(a_broken_record_costs_only_itself)
{
        READING(r, "sku,name,price\na,\"x\"y,1\nb,B,2\nc,C\nd,\xff,4\ne,E,5\nf,\"open,6\n", ".csv");
        refuses(&r, 2, "", "quote");
        CHECK_EQ(next(&r), 1);
        refuses(&r, 4, "", "2 fields");
        refuses(&r, 5, "", "UTF-8");
        CHECK_EQ(next(&r), 1);
        refuses(&r, 7, "", "before the file does");
        CHECK_EQ(next(&r), 0);
}

TEST(a_character_cut_by_a_border_of_cells_is_no_character)
{
        READING(r, "sku,name,brand,price,currency\n1,x\xe4\xb8,\xad y,1,EUR\n2,n,\xe4\xb8\xad,1,EUR\n", ".csv");
        refuses(&r, 2, "", "is not UTF-8");
        CHECK_EQ(next(&r), 1);
        CHECK_EQ(next(&r), 0);
}

TEST(long_values_of_icecats_are_cut_between_characters)
{
        static char text[4000];
        int n = snprintf(text, sizeof text, "{\"id\":\"a\",\"title\":\"n\",\"supplier\":\"s\",\"price\":1,\"attr_t_long\":\"x");
        while (n < 3000) n += snprintf(text + n, sizeof text - (size_t)n, "é");
        snprintf(text + n, sizeof text - (size_t)n, "\"}\n");
        READING(r, text, ".jsonl");
        CHECK_EQ(next(&r), 1);
        CHECK(r.out.n < 1200);
        CHECK_OK(json_validate(&r.c, buf_str(&r.out)));
}

TEST(files_that_are_none_are_refused)
{
        struct reading r AUTO(reading_done) = { 0 }, empty AUTO(reading_done) = { 0 };
        reading_init(&r);
        CHECK_EQ(rows_open(&r.c, &(struct rows_options){ .path = "/nowhere/x.csv", .currency = STR("EUR") }, &r.rows), -NOT_FOUND);
        CHECK_EQ(rows_open(&r.c, &(struct rows_options){ .path = "/tmp", .currency = STR("EUR") }, &r.rows), -INVALID_ARGUMENT);
        assert_null(r.rows);
        CHECK_EQ(begin(&empty, "", ".csv"), -INVALID_ARGUMENT);
}

TEST(every_product_of_icecat_reads)
{
        const char *shared = getenv("SOUK_SHARED");
        char path[4096];
        int n = 0, result;
        struct reading r AUTO(reading_done) = { 0 };
        snprintf(path, sizeof path, "%s/data/icecat/icecat-products-19k.jsonl", shared ? shared : SOUK_SOURCE_DIR "/../shared");
        if (access(path, R_OK) < 0) skip();
        reading_init(&r);
        CHECK_OK(rows_open(&r.c, &(struct rows_options){ .path = path, .currency = STR("EUR") }, &r.rows));
        while ((result = next(&r)) != 0) {
                if (result < 0) cm_fail_msg("line %lld: %.*s %.*s", (long long)r.row.line, STR_ARG(r.row.pointer), STR_ARG(r.row.detail));
                n++;
                arena_reset(r.a);
        }
        CHECK_EQ(n, 19406);
}

TEST_MAIN
