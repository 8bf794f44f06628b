/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * limit.c - GCRA over a table of fixed size.
 *
 *     gap = 60 s / q       what one request costs, in time
 *     whole                the instant at which nothing is owed; each request moves it a gap further
 *     granted              while whole, after the move, lies no further than 60 s ahead
 *
 * Time counts in nanoseconds, so that a million requests a second still have a gap of their own. */
#include "limit.h"
#include "bound.h"
#include <stdlib.h>

enum { WAYS = 4 };

struct place { uint64_t who; int64_t whole_ns; };       /* who 0: free */
struct limiter { struct place *places; uint64_t mask; };       /* mask: of buckets */

struct limiter *limiter_new(size_t places)
{
        size_t buckets = 1;
        while (buckets * WAYS < places) buckets *= 2;
        struct limiter *l = malloc(sizeof *l);
        struct place *p = calloc(buckets * WAYS, sizeof *p);
        if (!l || !p) abort();
        *l = (struct limiter){ p, buckets - 1 };
        return l;
}

struct limiter *limiter_free(struct limiter *l)
{
        if (!l) return NULL;
        free(l->places);
        free(l);
        return NULL;
}

struct allowance gcra(int64_t *whole_ns, int64_t now_ns, int64_t per_minute)
{
        const int64_t window = LIMIT_WINDOW_S * 1000000000LL, gap = window / per_minute;
        int64_t owed = MAX(*whole_ns - now_ns, 0), after = owed + gap;
        if (after > window)
                return (struct allowance){ .refused = true, .whole_us = (owed + 999) / 1000, .wait_us = (after - window + 999) / 1000 };
        *whole_ns = now_ns + after;
        return (struct allowance){ .left = (window - after) / gap, .whole_us = (after + 999) / 1000 };
}

struct allowance limiter_take(struct limiter *l, uint64_t who, int64_t now_us, int64_t per_minute)
{
        struct place *bucket = &l->places[(who & l->mask) * WAYS], *p = bucket;
        who |= 1;                       /* never 0; the lowest bits chose the bucket */
        for (int i = 0; i < WAYS; i++) {
                if (bucket[i].who == who) {
                        p = &bucket[i];
                        break;
                }
                if (bucket[i].whole_ns < p->whole_ns) p = &bucket[i];
        }
        if (p->who != who && p->whole_ns > now_us * 1000) bound_reached(BOUND_RATE_PLACES);     /* forgotten while it still owed */
        if (p->who != who) *p = (struct place){ .who = who };
        return gcra(&p->whole_ns, now_us * 1000, per_minute);
}
