/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_write_test.c - writing: whole or failed at every size of buf, escapes at every place of a word, numbers, free-form JSON. */
#include "test.h"
#include <float.h>
#include <math.h>
#include "sample.h"

SAMPLE_TYPES;

TEST(writing_into_a_buf_of_any_maximum_succeeds_whole_or_fails)
{
        CTX(c);
        struct sample s;
        CHECK_OK(json_read(&c, &sample_type, str_of(sample_text), &s, JSON_STRICT));
        for (size_t max = 0; max < sizeof sample_text + 40; max++) {
                struct buf b AUTO(buf_done) = BUF_INIT(max);
                json_write(&b, &sample_type, &s);
                CHECK(b.n <= max);
                if (!buf_error(&b)) CHECK_STR(buf_str(&b), sample_text);
                else CHECK(max < sizeof sample_text + 20);      /* room is asked for a little more than is used */
        }
        for (long n = 1; n < 4; n++) {
                struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
                alloc_fail_after(n);
                json_write(&b, &sample_type, &s);
                alloc_fail_after(0);
                CHECK(n > 1 || buf_error(&b));
                CHECK(n < 3 || !buf_error(&b));
                if (!buf_error(&b)) CHECK_STR(buf_str(&b), sample_text);
        }
}

TEST(writing_goes_on_after_what_the_buf_held)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        struct part p = { STR("a"), 1 };
        for (int i = 0; i < 100; i++) {
                buf_lit(&b, "xx");
                json_write(&b, &part_type, &p);
                buf_eat(&b, 2);
                CHECK_STR(buf_str(&b), "{\"sku\":\"a\",\"quantity\":1}");
                buf_eat(&b, b.n);
        }
        json_write_field(&b, &part_type.fields[1], &p);
        CHECK_STR(buf_str(&b), "1");
}

/* ---- strings, numbers and free-form writing ------------------------------------------------------------------------------ */

static void writes_str(str s, const char *want)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1000);
        json_write_str(&b, s);
        CHECK_STR(buf_str(&b), want);
}

TEST(strings_are_escaped_as_little_as_must_be)
{
        writes_str(STR(""), "\"\"");
        writes_str((str){ NULL, 0 }, "\"\"");
        writes_str(STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
        writes_str(STR("\b\f\n\r\t\x1f\x7f"), "\"\\b\\f\\n\\r\\t\\u001f\x7f\"");
        writes_str((str){ "a\0b", 3 }, "\"a\\u0000b\"");
        writes_str(STR("\xe2\x82\xac and a longer text \xf0\x9f\x98\x80\n"),
                "\"\xe2\x82\xac and a longer text \xf0\x9f\x98\x80\\n\"");
}

TEST(what_is_not_utf8_goes_out_as_the_replacement_character)
{
        writes_str(STR("a\xff" "b\n\xc3\xa4\xed\xa0\x80"),
                "\"a\xef\xbf\xbd" "b\\n\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
        writes_str(STR("\xc3"), "\"\xef\xbf\xbd\"");
}

TEST(a_special_byte_is_found_at_every_place_of_a_word)
{
        static const struct { char raw; const char *out; } specials[] = { { '"', "\\\"" }, { '\\', "\\\\" }, { 1, "\\u0001" },
                { 31, "\\u001f" } };
        for (size_t which = 0; which < COUNT(specials); which++)
                for (size_t n = 1; n < 40; n++)
                        for (size_t at = 0; at < n; at++) {
                                CTX(c);
                                char raw[40], want[128], text[128];
                                memset(raw, 'x', sizeof raw);
                                raw[at] = specials[which].raw;
                                static const char xs[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
                                snprintf(want, sizeof want, "\"%.*s%s%.*s\"", (int)at, xs, specials[which].out, (int)(n - at - 1),
                                        xs);
                                writes_str((str){ raw, n }, want);
                                str back;
                                CHECK_OK(json_text(&c, str_of(want), &back));
                                CHECK(back.n == n && !memcmp(back.p, raw, n));
                                /* unescaped, none of these is a string of n bytes */
                                snprintf(text, sizeof text, "\"%.*s\"", (int)n, raw);
                                CHECK(json_text(&c, str_of(text), &back) < 0 || back.n != n);
                        }
}

static const char *number_text(struct buf *b, double v)
{
        buf_clear(b);
        json_write_num(b, v);
        buf_add(b, (str){ "", 1 });
        return buf_str(b).p;
}

TEST(numbers_are_the_shortest_that_read_back)
{
        struct buf b AUTO(buf_done) = BUF_INIT(100);
        static const double values[] = { 0.1, 1.0 / 3, 1e-7, 123456.789, 1e22, 1e300, DBL_MIN, DBL_MAX, 5e-324, -2.5,
                9007199254740993.0, 1e15, 1e16 };
        for (size_t i = 0; i < COUNT(values); i++) CHECK(strtod(number_text(&b, values[i]), NULL) == values[i]);
        assert_string_equal(number_text(&b, 0.1), "0.1");
        assert_string_equal(number_text(&b, 100), "100");
        assert_string_equal(number_text(&b, -3), "-3");
        assert_string_equal(number_text(&b, -0.0), "-0");
        assert_string_equal(number_text(&b, HUGE_VAL), "null");
        assert_string_equal(number_text(&b, -HUGE_VAL), "null");
}

static void write_something(struct jw *w)
{
        jw_object(w);
        jw_key(w, "a");
        jw_array(w);
        jw_int(w, -1);
        jw_num(w, 0.5);
        jw_z(w, "x\"");
        jw_object(w);
        jw_object_end(w);
        jw_array_end(w);
        jw_key(w, "b\n");
        jw_null(w);
        jw_key_str(w, STR("c"));
        jw_bool(w, true);
        jw_key(w, "d");
        jw_raw(w, STR("[1,2]"));
        jw_key(w, "e");
        jw_array(w);
        jw_array_end(w);
        jw_object_end(w);
}

TEST(free_form_json_puts_its_own_commas)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1000);
        struct jw w = { .b = &b };
        write_something(&w);
        CHECK_STR(buf_str(&b), "{\"a\":[-1,0.5,\"x\\\"\",{}],\"b\\n\":null,\"c\":true,\"d\":[1,2],\"e\":[]}");
}

TEST(free_form_json_can_be_pretty)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1000);
        struct jw w = { .b = &b, .pretty = true };
        write_something(&w);
        CHECK_STR(buf_str(&b), "{\n  \"a\": [\n    -1,\n    0.5,\n    \"x\\\"\",\n    {}\n  ],\n  \"b\\n\": null,\n  \"c\": true,\n  \"d\": [1,2],\n  \"e\": []\n}");
}

TEST_MAIN
