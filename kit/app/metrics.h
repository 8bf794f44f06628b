/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * metrics.h - numbers for Prometheus (text exposition format 0.0.4 and OpenMetrics 1.0 names).
 *
 * A family is declared once, as a table row; series are made by label values and are bounded (1,000 a family, then "other").
 * Counting is a relaxed add on this worker's own copy; a scrape sums. What finds no memory to be counted in is not counted: numbers end no
 * program. Threads: count anywhere; families before the workers start. */
#ifndef METRICS_H
#define METRICS_H
#include "buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
struct metric_family { const char *name, *doc; enum metric_kind kind; const char *labels[4]; };   /* "souk_http_requests_total"; labels end at NULL */
struct metric;                                          /* one series; lives as long as the program                 */
struct metric *metric_of(const struct metric_family *f, const char *const *values);     /* finds or makes. Any thread; locks: keep the pointer. NULL: no memory */
void metric_add(struct metric *m, int64_t n);           /* these take NULL                                          */
void metric_set(struct metric *m, int64_t v);
void metric_observe(struct metric *m, int64_t us);      /* histograms: microseconds; buckets 0.1 ms to 10 s         */
/* Called at each scrape before writing: modules set their gauges there. */
void metrics_on_scrape(void (*fn)(void *arg), void *arg);
void metrics_write(struct buf *out);                    /* the page                                                 */
void metrics_docs(struct buf *out);                     /* docs/METRICS.md                                          */
#endif
