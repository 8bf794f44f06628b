/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * outbox_line_test.c - the lines of an outbox, read without a database: what emit() writes, and everything that is not quite that. */
#include "test.h"
#include "bus_inside.h"

static const char whole[] = "{\"topic\":\"order.confirmed\",\"key\":\"k-1\",\"at\":\"2026-11-24T08:09:27.5Z\","
                            "\"trace\":\"00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01\",\"data\":{\"id\":\"k-1\"}}";

static struct ctx context(void) { return (struct ctx){ .arena = arena_new(1 << 16) }; }

TEST(a_line_is_read_into_its_parts)
{
        struct ctx c = context();
        struct line l;

        CHECK_OK(line_read(&c, str_of(whole), &l));
        CHECK_STR(l.topic, "order.confirmed");
        CHECK_STR(l.key, "k-1");
        CHECK_STR(l.data, "{\"id\":\"k-1\"}");
        CHECK_EQ(l.at.us, 1795507767500000);
        CHECK_EQ(l.trace.trace_id[15], 16);
        CHECK_EQ(l.trace.span_id[0], 0x11);
        CHECK(l.trace.sampled);
        arena_free(c.arena);
}

TEST(a_key_with_escapes_is_unescaped_and_a_trace_may_be_missing)
{
        struct ctx c = context();
        struct line l;

        CHECK_OK(line_read(&c, STR("{\"topic\":\"t\",\"key\":\"a\\\"b\\u00e9\\\\\",\"at\":\"2026-11-24T08:09:27Z\",\"data\":{}}"), &l));
        CHECK_STR(l.key, "a\"b\xc3\xa9\\");
        CHECK_STR(l.data, "{}");
        CHECK_EQ(l.trace.trace_id[0], 0);
        arena_free(c.arena);
}

TEST(a_line_cut_anywhere_is_refused)
{
        struct ctx c = context();
        struct line l;

        for (size_t n = 0; n < sizeof whole - 1; n++) {
                char *cut = malloc(n + 1);                      /* exactly n: a sanitizer sees a read beyond */
                memcpy(cut, whole, n);
                if (n != sizeof whole - 2)                      /* without its last brace the data's own ends the line */
                        CHECK_EQ(line_read(&c, (str){ cut, n }, &l), -DATA_LOSS);
                free(cut);
        }
        arena_free(c.arena);
}

TEST(lines_of_another_shape_are_refused)
{
        static const char *const bad[] = {
                "", "{}", "[]", "null",
                "{\"key\":\"k\",\"topic\":\"t\",\"at\":\"2026-11-24T08:09:27Z\",\"data\":{}}",
                "{\"topic\":\"t\",\"key\":7,\"at\":\"2026-11-24T08:09:27Z\",\"data\":{}}",
                "{\"topic\":\"t\",\"key\":\"k\",\"at\":\"yesterday\",\"data\":{}}",
                "{\"topic\":\"t\",\"key\":\"k\",\"at\":\"2026-11-24T08:09:27Z\",\"trace\":\"00-xx\",\"data\":{}}",
                "{\"topic\":\"t\\\\u0041\",\"key\":\"k\",\"at\":\"2026-11-24T08:09:27Z\",\"data\":{}}",
                "{\"topic\":\"t\",\"key\":\"k\",\"at\":\"2026-11-24T08:09:27Z\",\"data\":{}} ",
        };
        struct ctx c = context();
        struct line l;
        str topic;

        for (size_t i = 0; i < COUNT(bad); i++) {
                fault_clear(&c);
                if (line_read(&c, str_of(bad[i]), &l) != -DATA_LOSS)
                        cm_fail_msg("%s was read", bad[i]);
                assert_string_equal(c.fault.slug, "broken_event");
        }
        CHECK(line_topic(str_of(whole), &topic));
        CHECK_STR(topic, "order.confirmed");
        CHECK(!line_topic(STR("{\"key\":1}"), &topic));
        arena_free(c.arena);
}

TEST(places_are_ordered_by_transaction_then_row_then_event)
{
        struct place a = { 5, 0, 3 };

        CHECK_EQ(place_cmp(a, a), 0);
        CHECK(place_cmp(a, (struct place){ 5, 0, 4 }) < 0);
        CHECK(place_cmp(a, (struct place){ 5, 1, 0 }) < 0);
        CHECK(place_cmp(a, (struct place){ 4, 9, 9 }) > 0);
}

TEST_MAIN
