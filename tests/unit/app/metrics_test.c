/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * metrics_test.c - the page as Prometheus reads it, and that counts of several threads add up. */
#include "test.h"
#include <pthread.h>
#include "arena.h"
#include "metrics.h"

static const struct metric_family hits = { "test_hits_total", "Hits, by \"way\".\nAnd more.", METRIC_COUNTER, { "way", "status" } };
static const struct metric_family level = { "test_level", "A level.", METRIC_GAUGE, { 0 } };
static const struct metric_family took = { "test_took_seconds", "Time.", METRIC_HISTOGRAM, { "way" } };
static const struct metric_family many = { "test_many_total", "Many.", METRIC_COUNTER, { "n" } };

#define OF(f, ...) metric_of(&(f), (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL })

static char *page(struct buf *b)
{
        metrics_write(b);
        buf_char(b, 0);
        CHECK_OK(buf_error(b));
        return b->p + b->start;
}

#define SHOWS(text, line)  do { if (!strstr(text, line)) cm_fail_msg("no \"%s\" in\n%s", line, text); } while (0)

TEST(series_are_written_in_prometheus_text_format)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        metric_add(OF(hits, "b", "200"), 2);
        metric_add(OF(hits, "a\"\\\n", "200"), 1);
        metric_add(OF(hits, "b", "200"), 3);
        metric_set(OF(level), -7);
        char *text = page(&b);
        SHOWS(text, "# HELP test_hits_total Hits, by \"way\".\\nAnd more.\n# TYPE test_hits_total counter\n");
        SHOWS(text, "test_hits_total{way=\"a\\\"\\\\\\n\",status=\"200\"} 1\ntest_hits_total{way=\"b\",status=\"200\"} 5\n");
        SHOWS(text, "# TYPE test_level gauge\ntest_level -7\n");
}

TEST(a_histogram_counts_what_is_at_or_below_each_bound)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        struct metric *m = OF(took, "x");
        metric_observe(m, 100);
        metric_observe(m, 101);
        metric_observe(m, 20000000);
        char *text = page(&b);
        SHOWS(text, "test_took_seconds_bucket{way=\"x\",le=\"0.0001\"} 1\n");
        SHOWS(text, "test_took_seconds_bucket{way=\"x\",le=\"0.00025\"} 2\n");
        SHOWS(text, "test_took_seconds_bucket{way=\"x\",le=\"10\"} 2\n");
        SHOWS(text, "test_took_seconds_bucket{way=\"x\",le=\"+Inf\"} 3\n");
        SHOWS(text, "test_took_seconds_sum{way=\"x\"} 20.000201\n");
        SHOWS(text, "test_took_seconds_count{way=\"x\"} 3\n");
}

TEST(series_of_a_family_are_bounded)
{
        COUNTING(METRIC_SERIES);
        char n[20];
        struct metric *last = NULL;
        for (int i = 0; i < 1500; i++) {
                snprintf(n, sizeof n, "%d", i);
                last = OF(many, n);
                metric_add(last, 1);
        }
        CHECK(last == OF(many, "one more"));
        CHECK(last != OF(many, "5"));
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        SHOWS(page(&b), "test_many_total{n=\"other\"} 500\n");
        REACHED(METRIC_SERIES);
}

TEST(what_finds_no_memory_to_be_counted_in_is_not_counted)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        for (long n = 1; n <= 2; n++) {
                alloc_fail_after(n);
                struct metric *m = OF(hits, "starved", "1");
                CHECK(alloc_failed() && !m);
                alloc_fail_after(0);
                metric_add(m, 1);
                metric_set(m, 1);
                metric_observe(m, 1);
        }
        metric_add(OF(hits, "starved", "1"), 1);
        SHOWS(page(&b), "test_hits_total{way=\"starved\",status=\"1\"} 1\n");
}

static void *count(void *arg)
{
        for (int i = 0; i < 10000; i++) metric_add(arg, 1);
        return NULL;
}

TEST(threads_without_a_loop_count_together)
{
        pthread_t t[4];
        struct metric *m = OF(hits, "threads", "1");
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        for (int i = 0; i < 4; i++) CHECK_EQ(pthread_create(&t[i], NULL, count, m), 0);
        for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
        SHOWS(page(&b), "test_hits_total{way=\"threads\",status=\"1\"} 40000\n");
}

TEST_MAIN
