/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * latency.c - the histogram: which slot a time belongs to, and the last time a slot stands for. */
#include "latency.h"
#include <math.h>

static size_t slot_of(int64_t us)
{
        if (us < LATENCY_STEPS) return (size_t)MAX(us, 0);
        int power = 63 - __builtin_clzll((unsigned long long)us);               /* 6 for 64..127 */
        size_t slot = (size_t)(power - 5) * LATENCY_STEPS + (size_t)(us >> (power - 6)) - LATENCY_STEPS;
        return MIN(slot, (size_t)LATENCY_SLOTS - 1);
}

static int64_t last_of(size_t slot)
{
        size_t power = slot / LATENCY_STEPS, step = slot % LATENCY_STEPS;
        if (power == 0) return (int64_t)slot;
        return ((int64_t)(LATENCY_STEPS + step + 1) << (power - 1)) - 1;
}

void latency_add(struct latency *l, int64_t us)
{
        l->slots[slot_of(us)]++;
        l->n++;
        l->max_us = MAX(l->max_us, us);
}

double latency_ms(const struct latency *l, double share)
{
        uint64_t below = 0, want = (uint64_t)ceil(share * (double)l->n);
        if (l->n == 0) return 0;
        for (size_t i = 0; i < LATENCY_SLOTS; i++) {
                below += l->slots[i];
                if (below >= MAX(want, 1u) && i < LATENCY_SLOTS - 1) return (double)MIN(last_of(i), l->max_us) / 1e3;
        }
        return (double)l->max_us / 1e3;
}
