/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * timer_test.c - the heap of timers against a plain search, through random pushes, moves and removals. */
#include "test.h"
#include "hash.h"
#include "inside.h"

enum { N = 300 };

static const struct timer *earliest(const struct timer *v)
{
        const struct timer *best = NULL;
        for (int i = 0; i < N; i++)
                if (v[i].slot && (!best || v[i].at_us < best->at_us)) best = &v[i];
        return best;
}

TEST(the_first_timer_is_the_earliest_whatever_was_pushed_moved_or_removed)
{
        static struct timer v[N];
        struct timers h = { 0 };
        struct rand r;
        rand_seed(&r, 7);
        CHECK(timers_reserve(&h, N + 1));
        for (int step = 0; step < 20000; step++) {
                struct timer *t = &v[rand_below(&r, N)];
                int64_t at_us = rand_below(&r, 1000);
                if (rand_below(&r, 3) == 0) {
                        timers_remove(&h, t);
                        CHECK_EQ(t->slot, 0);
                } else {
                        timers_move(&h, t, at_us);
                        CHECK(h.v[t->slot] == t);
                }
                const struct timer *want = earliest(v), *got = timers_first(&h);
                CHECK((want == NULL) == (got == NULL));
                if (want) CHECK_EQ(got->at_us, want->at_us);
        }
        int64_t last = -1;
        for (struct timer *t; (t = timers_first(&h)); last = t->at_us) {
                CHECK(t->at_us >= last);
                timers_remove(&h, t);
        }
        timers_done(&h);
}

TEST_MAIN
