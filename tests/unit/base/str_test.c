/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * str_test.c - borrowed bytes: compare, search, trim, split; decimal numbers. */
#include "test.h"
#include "base.h"

static const str ABSENT = { NULL, 0 };

TEST(an_absent_str_is_an_empty_one)
{
        CHECK(str_eq(ABSENT, STR("")));
        CHECK(str_is_empty(ABSENT));
        CHECK(str_eq_nocase(ABSENT, ABSENT));
        CHECK(str_starts(ABSENT, ABSENT) && str_starts(STR("a"), ABSENT) && !str_starts(ABSENT, STR("a")));
        CHECK(str_ends(ABSENT, ABSENT) && str_ends(STR("a"), ABSENT) && !str_ends(ABSENT, STR("a")));
        CHECK_EQ(str_cmp(ABSENT, STR("")), 0);
        CHECK_EQ(str_find(ABSENT, 'a'), -1);
        CHECK_EQ(str_trim(ABSENT, " ").n, 0);
        CHECK(str_eq(str_of(NULL), ABSENT) && str_of(NULL).p == NULL);
}

TEST(equality_ignores_the_case_of_ascii_letters_only)
{
        CHECK(str_eq_nocase(STR("Content-Length"), STR("cONTENT-lENGTH")));
        CHECK(!str_eq_nocase(STR("Content-Length"), STR("Content-Lengt")));
        CHECK(!str_eq_nocase(STR("@"), STR("`")));              /* the neighbours of A and Z differ by 32 too */
        CHECK(!str_eq_nocase(STR("["), STR("{")));
        CHECK(!str_eq_nocase(STR("\xc4"), STR("\xe4")));
}

TEST(order_is_bytewise_and_a_prefix_comes_first)
{
        CHECK(str_cmp(STR("a"), STR("b")) < 0);
        CHECK(str_cmp(STR("b"), STR("a")) > 0);
        CHECK(str_cmp(STR("a"), STR("ab")) < 0);
        CHECK(str_cmp(STR("ab"), STR("a")) > 0);
        CHECK(str_cmp(STR("z"), STR("\xc3")) < 0);
        CHECK_EQ(str_cmp(STR("a\0b"), STR("a\0b")), 0);
        CHECK(str_cmp(STR("a\0b"), STR("a\0c")) < 0);
}

TEST(beginnings_and_ends_are_found)
{
        CHECK(str_starts(STR("/v1/orders"), STR("/v1/")) && !str_starts(STR("/v2/orders"), STR("/v1/")));
        CHECK(str_ends(STR("a.sql"), STR(".sql")) && !str_ends(STR("sql"), STR(".sql")) && !str_ends(STR("a.sqm"), STR(".sql")));
        CHECK_EQ(str_find(STR("a=b=c"), '='), 1);
        CHECK_EQ(str_find(STR("abc"), '='), -1);
}

TEST(trimming_takes_both_ends_and_no_nul)
{
        CHECK_STR(str_trim(STR(" \t a b \t"), " \t"), "a b");
        CHECK_EQ(str_trim(STR(" \t "), " \t").n, 0);
        CHECK_EQ(str_trim(STR("\0a\0"), " ").n, 3);
}

TEST(splitting_walks_every_part_the_empty_ones_too)
{
        const char *want[] = { "a", "", "b", "" };
        size_t n = 0;
        for (str rest = STR("a,,b,"), part; rest.p && (part = str_split(&rest, ','), true); n++) {
                CHECK(n < COUNT(want));
                CHECK_STR(part, want[n]);
        }
        CHECK_EQ(n, 4);
        str rest = STR("whole");
        CHECK_STR(str_split(&rest, ','), "whole");
        CHECK(rest.p == NULL && rest.n == 0);
}

static void parses(const char *z, int code, int64_t want)
{
        int64_t v = 4711;
        int r = int_parse(str_of(z), &v);
        if (r != code || v != (code ? 4711 : want)) cm_fail_msg("int_parse(\"%s\") = %d, %lld", z, r, (long long)v);
}

TEST(integers_are_read_strictly)
{
        parses("0", 0, 0);
        parses("-0", 0, 0);
        parses("007", 0, 7);
        parses("-42", 0, -42);
        parses("9223372036854775807", 0, INT64_MAX);
        parses("-9223372036854775808", 0, INT64_MIN);
        parses("9223372036854775808", -OUT_OF_RANGE, 0);
        parses("-9223372036854775809", -OUT_OF_RANGE, 0);
        parses("18446744073709551617", -OUT_OF_RANGE, 0);
        parses("99999999999999999999999999", -OUT_OF_RANGE, 0);
        parses("99999999999999999999999999x", -INVALID_ARGUMENT, 0);
        static const char *const wrong[] = { "", "-", "+1", "--1", " 1", "1 ", "1.0", "1e3", "0x10", "1-", "\xd9\xa3" };
        for (size_t i = 0; i < COUNT(wrong); i++) parses(wrong[i], -INVALID_ARGUMENT, 0);
        int64_t v;
        CHECK_EQ(int_parse(ABSENT, &v), -INVALID_ARGUMENT);
        CHECK_EQ(int_parse(STR("1\0"), &v), -INVALID_ARGUMENT);
}

static int scopes_left;
static void leave(const int *unused) { (void)unused; scopes_left++; }

static int try_twice(int first, int *ended)
{
        AUTO(leave) int scope __attribute__((unused)) = 0;
        TRY(first);
        *ended = 1;
        return 7;
}

TEST(try_returns_a_failure_and_passes_the_rest)
{
        int ended = 0;
        CHECK_EQ(try_twice(-NOT_FOUND, &ended), -NOT_FOUND);
        CHECK_EQ(ended, 0);
        CHECK_EQ(scopes_left, 1);
        CHECK_EQ(try_twice(3, &ended), 7);
        CHECK_EQ(ended, 1);
        CHECK_EQ(scopes_left, 2);
}

TEST(take_moves_a_pointer_out)
{
        int v = 1, *p = &v;
        int *q = take(&p);
        CHECK(q == &v && p == NULL);
}

TEST_MAIN
