/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * latency.h - how long things took: a histogram of a fixed size whose percentiles are at most 1.6 % too high, never too low.
 *
 * Below 64 us every microsecond has a slot; above, every power of two has 64 of them (Tene's HdrHistogram). Times over a minute count
 * as a minute; the maximum is exact. Threads: pure. */
#ifndef LATENCY_H
#define LATENCY_H
#include "base.h"

enum { LATENCY_STEPS = 64, LATENCY_SLOTS = LATENCY_STEPS * 22 };
struct latency { uint64_t slots[LATENCY_SLOTS], n; int64_t max_us; };          /* all zero: empty                     */

void   latency_add(struct latency *l, int64_t us);
double latency_ms(const struct latency *l, double share);       /* what `share` of them (0..1) stay at or below; 0 of none; 1: the maximum */
#endif
