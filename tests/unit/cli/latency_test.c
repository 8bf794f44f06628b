/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * latency_test.c - percentiles of a histogram against those of the sorted times; curves that hold all they were given. */
#include "test.h"
#include "chart.h"
#include "hash.h"
#include "latency.h"

static int by_size(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

TEST(percentiles_are_never_too_low_and_at_most_a_64th_too_high)
{
        enum { N = 20000 };
        static struct latency l;
        static int64_t us[N];
        struct rand r;
        rand_seed(&r, 7);
        for (size_t i = 0; i < N; i++) {
                us[i] = (int64_t)(rand_next(&r) >> (38 + rand_below(&r, 26)));          /* from microseconds to a minute */
                latency_add(&l, us[i]);
        }
        qsort(us, N, sizeof *us, by_size);
        const double shares[] = { 0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1 };
        for (size_t i = 0; i < COUNT(shares); i++) {
                size_t rank = (size_t)(shares[i] * N + 0.999999);
                double want = (double)us[rank ? rank - 1 : 0] / 1e3, got = latency_ms(&l, shares[i]);
                if (got < want - 1e-9 || got > want * (1 + 1.0 / 64) + 0.001) cm_fail_msg("share %g: %g ms, want %g", shares[i], got, want);
        }
}

TEST(an_empty_histogram_has_no_times_and_one_of_one_has_that_one)
{
        static struct latency none, one;
        CHECK(latency_ms(&none, 0.5) == 0 && latency_ms(&none, 1) == 0);
        latency_add(&one, 1234567);
        CHECK(latency_ms(&one, 0.001) == 1234.567 && latency_ms(&one, 1) == 1234.567);
}

TEST(times_beyond_every_slot_are_kept_as_the_maximum)
{
        static struct latency l;
        latency_add(&l, INT64_C(3600) * 1000000);
        latency_add(&l, -5);
        CHECK(latency_ms(&l, 1) == 3600000.0);
        CHECK(latency_ms(&l, 0.5) == 0);
}

TEST(a_curve_of_any_length_keeps_its_highest_point)
{
        static struct curve l = { .title = "rate", .unit = "a second" };
        struct buf out AUTO(buf_done) = BUF_INIT(64 * 1024);
        for (int i = 0; i < 100000; i++) curve_add(&l, i == 31337 ? 500.0 : 1.0);
        CHECK(l.n <= CHART_POINTS && l.n > CHART_POINTS / 4);
        double top = 0;
        for (size_t i = 0; i < l.n; i++) top = MAX(top, l.v[i]);
        CHECK(top == 500.0);
        curve_draw(&l, &out, 60, 5);
        str text = buf_str(&out);
        size_t lines = 0;
        for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
        CHECK_EQ(lines, 5);
        CHECK(memmem(text.p, text.n, "500 at most", 11));
}

TEST(a_curve_of_nothing_is_drawn_too)
{
        struct curve l = { .title = "rate", .unit = "a second" };
        struct buf out AUTO(buf_done) = BUF_INIT(4096);
        curve_draw(&l, &out, 60, 4);
        CHECK(buf_str(&out).n > 0);
}

TEST_MAIN
