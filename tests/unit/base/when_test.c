/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * when_test.c - instants against the C library's calendar, and RFC 3339's grammar to the letter. */
#include "test.h"
#include <time.h>
#include "base.h"
#include "hash.h"

static void parses(const char *z, const char *utc)
{
        when t = { 4711 };
        char text[32];
        int r = when_parse(str_of(z), &t);
        if (r < 0) cm_fail_msg("when_parse(\"%s\") = %s", z, code_name(r));
        when_format(t, text);
        if (strcmp(text, utc) != 0) cm_fail_msg("\"%s\" is \"%s\", want \"%s\"", z, text, utc);
}

static void refuses(str s, int code)
{
        when t = { 4711 };
        int r = when_parse(s, &t);
        if (r != -code || t.us != 4711) cm_fail_msg("when_parse(\"" STR_FMT "\") = %s", STR_ARG(s), code_name(r));
}

TEST(the_examples_of_rfc_3339_are_read)
{
        parses("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z");
        parses("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z");
        parses("1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z");
        parses("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z");
        parses("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000Z");
}

TEST(offsets_fractions_and_small_letters_are_read)
{
        parses("2026-11-24t08:09:27z", "2026-11-24T08:09:27Z");
        parses("2026-11-24T08:09:27-00:00", "2026-11-24T08:09:27Z");
        parses("2026-11-24T08:09:27+23:59", "2026-11-23T08:10:27Z");
        parses("2026-11-24T08:09:27.1Z", "2026-11-24T08:09:27.100000Z");
        parses("2026-11-24T08:09:27.000001Z", "2026-11-24T08:09:27.000001Z");
        parses("2026-11-24T08:09:27.000000+01:00", "2026-11-24T07:09:27Z");
        parses("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z");
        parses("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z");
        parses("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z");
        parses("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000Z");
}

TEST(dates_and_times_that_do_not_exist_are_refused)
{
        static const char *const wrong[] = {
                "2026-02-29T00:00:00Z", "2026-02-30T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z",
                "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
                "2026-01-01T00:00:61Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60", "2026-01-01T23:59:60Z",
                "2026-12-31T23:59:60+01:00", "2026-12-31T22:59:60Z",
        };
        for (size_t i = 0; i < COUNT(wrong); i++) refuses(str_of(wrong[i]), INVALID_ARGUMENT);
        parses("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z");
        parses("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z");
}

TEST(what_is_not_of_the_grammar_is_refused)
{
        static const char *const wrong[] = {
                "", "2026", "2026-11-24", "08:09:27Z", "2026-11-24T08:09:27", "2026-11-24 08:09:27Z", "2026-11-24T08:09Z", "2026-11-24T08:09:27.Z",
                "2026-11-24T08:09:27.1234567Z", "2026-11-24T08:09:27,5Z", "2026-11-24T08:09:27+0100", "2026-11-24T08:09:27+01", "2026-11-24T08:09:27+1:00",
                "20261124T080927Z", "+2026-11-24T08:09:27Z", "2026-11-24T08:09:27ZZ", "2026-11-24T08:09:27Z ", " 2026-11-24T08:09:27Z",
                "2026-11-24T08:09:27.5", "2026-11-24T08:09:27+01:00Z", "2026-1-24T08:09:27.0Z", "-026-11-24T08:09:27Z", "2026-11-24T08:09:2\xd9\xa3Z",
                "2026-11-24T+8:09:27Z", "2026-11-24T08:09:27.+5Z", "2026-11-24T08:09:27~01:00",
        };
        for (size_t i = 0; i < COUNT(wrong); i++) refuses(str_of(wrong[i]), INVALID_ARGUMENT);
        refuses((str){ NULL, 0 }, INVALID_ARGUMENT);
}

TEST(every_cut_of_a_good_text_is_refused_and_read_within_its_bounds)
{
        const char good[] = "2026-11-24T08:09:27.123456+02:00";
        for (size_t n = 0; n < sizeof good - 1; n++) {
                char *exact = malloc(n + 1);            /* so that the sanitizer sees a read past the end */
                char *fits = realloc(exact, n ? n : 1);
                memcpy(fits, good, n);
                refuses((str){ fits, n }, INVALID_ARGUMENT);
                free(fits);
        }
        parses(good, "2026-11-24T06:09:27.123456Z");
}

TEST(any_other_byte_at_any_place_never_reads_as_the_same_instant)
{
        const char good[] = "2026-11-24T08:09:27.123456Z";
        when right, t;
        CHECK_OK(when_parse(STR("2026-11-24T08:09:27.123456Z"), &right));
        for (size_t at = 0; at < sizeof good - 1; at++) {
                for (int ch = 0; ch < 256; ch++) {
                        char text[sizeof good];
                        memcpy(text, good, sizeof good);
                        if (ch == good[at] || (strchr("TZ", good[at]) && (ch | 32) == (good[at] | 32))) continue;
                        text[at] = (char)ch;
                        if (when_parse((str){ text, sizeof good - 1 }, &t) == 0) CHECK(t.us != right.us && ch >= '0' && ch <= '9');
                }
        }
}

TEST(an_offset_must_not_leave_the_four_digits)
{
        refuses(STR("0000-01-01T00:00:00+00:01"), OUT_OF_RANGE);
        refuses(STR("9999-12-31T23:59:59-00:01"), OUT_OF_RANGE);
        refuses(STR("9999-12-31T23:59:60Z"), OUT_OF_RANGE);
}

TEST(the_calendar_agrees_with_the_c_library_over_twelve_thousand_years)
{
        struct rand r;
        rand_seed(&r, 1);
        for (int i = 0; i < 100000; i++) {
                int64_t s = (int64_t)(rand_next(&r) % 378683424000ull) - 62167219200ll;         /* years -0 to 11999 */
                when t = { s * 1000000 + (int64_t)rand_below(&r, 1000000) * (i % 2) };
                time_t seconds = s;
                struct tm tm;
                char text[32], want[64];
                gmtime_r(&seconds, &tm);
                size_t n = when_format(t, text);
                CHECK_EQ(n, strlen(text));
                CHECK_EQ(when_year(t), tm.tm_year + 1900);
                int w = snprintf(want, sizeof want, tm.tm_year + 1900 > 9999 ? "+%06d-%02d-%02dT%02d:%02d:%02d" : "%04d-%02d-%02dT%02d:%02d:%02d",
                                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
                if (t.us % 1000000) snprintf(want + w, sizeof want - (size_t)w, ".%06dZ", (int)((t.us % 1000000 + 1000000) % 1000000));
                else strcpy(want + w, "Z");
                assert_string_equal(text, want);
                when back = { 0 };
                CHECK_EQ(when_parse(str_of(text), &back), tm.tm_year + 1900 > 9999 ? -INVALID_ARGUMENT : 0);
                CHECK(tm.tm_year + 1900 > 9999 || back.us == t.us);
        }
}

TEST(every_day_of_four_centuries_follows_the_one_before)
{
        for (int64_t day = -25567; day < -25567 + 146097; day++) {
                time_t seconds = day * 86400;
                struct tm tm;
                char text[32], want[64];
                gmtime_r(&seconds, &tm);
                when_format((when){ seconds * 1000000 }, text);
                strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm);
                assert_string_equal(text, want);
        }
}

TEST(the_ends_of_time_fit_their_buffer)
{
        char text[32];
        CHECK_EQ(when_format((when){ INT64_MAX }, text), 30);
        assert_string_equal(text, "+294247-01-10T04:00:54.775807Z");
        CHECK_EQ(when_format((when){ INT64_MIN }, text), 30);
        assert_string_equal(text, "-290308-12-21T19:59:05.224192Z");
        CHECK_EQ(when_year((when){ INT64_MIN }), -290308);
        CHECK_EQ(when_year((when){ INT64_MAX }), 294247);
}

TEST_MAIN
