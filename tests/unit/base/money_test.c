/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * money_test.c - amounts: exact, checked, and in the decimals of their currency. */
#include "test.h"
#include "base.h"
#include "hash.h"

static const char *const some[] = { "EUR", "JPY", "KWD", "CLF", "USD", "UYW", "AED", "ZWG" };

TEST(currencies_have_their_decimals)
{
        static const struct { const char *cur; int decimals; } want[] = {
                { "EUR", 2 }, { "USD", 2 }, { "JPY", 0 }, { "KRW", 0 }, { "VND", 0 }, { "ISK", 0 }, { "CLP", 0 }, { "XAF", 0 }, { "UGX", 0 },
                { "KWD", 3 }, { "BHD", 3 }, { "TND", 3 }, { "IQD", 3 }, { "JOD", 3 }, { "LYD", 3 }, { "OMR", 3 }, { "CLF", 4 }, { "UYW", 4 }, { "UYI", 0 },
                { "AED", 2 }, { "ZWG", 2 }, { "XCG", 2 }, { "SLE", 2 }, { "VED", 2 }, { "MRU", 2 }, { "MGA", 2 }, { "HUF", 2 },
        };
        for (size_t i = 0; i < COUNT(want); i++) {
                if (money_decimals(want[i].cur) != want[i].decimals) cm_fail_msg("%s", want[i].cur);
                CHECK(money_is_currency(str_of(want[i].cur)));
        }
}

TEST(what_is_no_current_currency_with_a_minor_unit_is_none)
{
        static const char *const wrong[] = { "DEM", "ANG", "BGN", "HRK", "ZWL", "XAU", "XTS", "XDR", "eur", "AAA", "ZZZ", "EU", "EURO", "", "\xff\xff\xff" };
        for (size_t i = 0; i < COUNT(wrong); i++)
                if (money_is_currency(str_of(wrong[i]))) cm_fail_msg("%s", wrong[i]);
        CHECK(!money_is_currency((str){ NULL, 0 }));
        CHECK_EQ(money_decimals((const char[4]){ "" }), -1);
}

TEST(there_are_as_many_currencies_as_the_standard_lists)
{
        int n = 0;
        for (char a = 'A'; a <= 'Z'; a++)
                for (char b = 'A'; b <= 'Z'; b++)
                        for (char c = 'A'; c <= 'Z'; c++) n += money_is_currency((str){ (char[]){ a, b, c }, 3 });
        CHECK_EQ(n, 165);
}

TEST(sums_are_checked)
{
        money a = { 1999, "EUR" }, b = { 1, "EUR" }, sum = { 7, "CHF" };
        CHECK_OK(money_add(a, b, &sum));
        CHECK_EQ(sum.minor, 2000);
        assert_string_equal(sum.cur, "EUR");
        sum = (money){ 7, "CHF" };
        CHECK_EQ(money_add(a, (money){ 1, "USD" }, &sum), -INVALID_ARGUMENT);
        CHECK_EQ(money_add((money){ INT64_MAX, "EUR" }, b, &sum), -OUT_OF_RANGE);
        CHECK_EQ(money_add((money){ INT64_MIN, "EUR" }, (money){ -1, "EUR" }, &sum), -OUT_OF_RANGE);
        CHECK_EQ(sum.minor, 7);
        CHECK_OK(money_add((money){ 0 }, a, &sum));
        CHECK_EQ(sum.minor, 1999);
        assert_string_equal(sum.cur, "EUR");
        CHECK_OK(money_add(a, (money){ 0 }, &sum));
        assert_string_equal(sum.cur, "EUR");
        CHECK_OK(money_add(a, b, &a));                  /* out may be an operand */
        CHECK_EQ(a.minor, 2000);
}

TEST(products_are_checked)
{
        money out = { 7, "CHF" };
        CHECK_OK(money_times((money){ 1999, "EUR" }, 3, &out));
        CHECK_EQ(out.minor, 5997);
        CHECK_EQ(money_times((money){ INT64_MAX / 2 + 1, "EUR" }, 2, &out), -OUT_OF_RANGE);
        CHECK_EQ(money_times((money){ INT64_MIN, "EUR" }, -1, &out), -OUT_OF_RANGE);
        CHECK_EQ(out.minor, 5997);
}

static void parses(const char *z, const char *cur, int code, int64_t minor)
{
        money m = { 4711, "CHF" };
        int r = money_parse(str_of(z), (const char[4]){ cur[0], cur[1], cur[2], 0 }, &m);
        if (r != code || m.minor != (code ? 4711 : minor)) cm_fail_msg("money_parse(\"%s\", %s) = %d, %lld", z, cur, r, (long long)m.minor);
        if (!code) assert_string_equal(m.cur, cur);
}

TEST(decimals_are_read_strictly)
{
        parses("19.99", "EUR", 0, 1999);
        parses("19.9", "EUR", 0, 1990);
        parses("19", "EUR", 0, 1900);
        parses("0.01", "EUR", 0, 1);
        parses("-0.01", "EUR", 0, -1);
        parses("-0.5", "EUR", 0, -50);
        parses("-19.99", "EUR", 0, -1999);
        parses("1999", "JPY", 0, 1999);
        parses("1.234", "KWD", 0, 1234);
        parses("1.2345", "CLF", 0, 12345);
        parses("92233720368547758.07", "EUR", 0, INT64_MAX);
        parses("-92233720368547758.08", "EUR", 0, INT64_MIN);
        parses("92233720368547758.08", "EUR", -OUT_OF_RANGE, 0);
        parses("-92233720368547758.09", "EUR", -OUT_OF_RANGE, 0);
        parses("92233720368547759", "EUR", -OUT_OF_RANGE, 0);
        parses("99999999999999999999", "EUR", -OUT_OF_RANGE, 0);
        parses("99999999999999999999.x", "EUR", -INVALID_ARGUMENT, 0);
        parses("19.99", "DEM", -INVALID_ARGUMENT, 0);
        static const char *const wrong[] = { "", ".", "-", "-.", "19.", ".99", "19.999", "19,99", "+19.99", " 19.99", "19.99 ", "1e3", "19.-9", "19.9.9", "--1",
                "1.2-", "\xd9\xa3", "1 000", "0x1", "19.9x" };
        for (size_t i = 0; i < COUNT(wrong); i++) parses(wrong[i], "EUR", -INVALID_ARGUMENT, 0);
        parses("1999.0", "JPY", -INVALID_ARGUMENT, 0);
        parses("1999.", "JPY", -INVALID_ARGUMENT, 0);
}

static void formats(int64_t minor, const char *cur, const char *want)
{
        money m = { minor, { 0 } };
        char text[40];
        memcpy(m.cur, cur, strlen(cur));
        CHECK_EQ(money_format(m, text), strlen(want));
        assert_string_equal(text, want);
}

TEST(amounts_are_written_with_the_decimals_of_their_currency)
{
        formats(1999, "EUR", "19.99 EUR");
        formats(5, "EUR", "0.05 EUR");
        formats(0, "EUR", "0.00 EUR");
        formats(-5, "EUR", "-0.05 EUR");
        formats(1999, "JPY", "1999 JPY");
        formats(1, "KWD", "0.001 KWD");
        formats(INT64_MIN, "EUR", "-92233720368547758.08 EUR");
        formats(INT64_MIN, "CLF", "-922337203685477.5808 CLF");
        formats(INT64_MAX, "JPY", "9223372036854775807 JPY");
        formats(0, "", "0");
        formats(7, "DEM", "7 DEM");
}

TEST(what_is_written_is_read_back)
{
        struct rand r;
        rand_seed(&r, 2);
        for (int i = 0; i < 20000; i++) {
                money m = { (int64_t)(rand_next(&r) >> rand_below(&r, 64)) * (i % 2 ? 1 : -1), { 0 } }, back;
                char text[40];
                memcpy(m.cur, some[rand_below(&r, COUNT(some))], 3);
                size_t n = money_format(m, text);
                CHECK_OK(money_parse((str){ text, n - 4 }, m.cur, &back));
                CHECK_EQ(back.minor, m.minor);
                assert_string_equal(back.cur, m.cur);
        }
}

TEST_MAIN
