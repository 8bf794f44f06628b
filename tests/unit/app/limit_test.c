/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * limit_test.c - GCRA: what it grants, what it promises, and what a full table forgets. */
#include "test.h"
#include "hash.h"
#include "limit.h"

#define MINUTE_US 60000000LL

TEST(a_new_client_may_send_its_whole_minute_at_once_and_not_one_more)
{
        int64_t whole = 0;
        for (int i = 1; i <= 100; i++) {
                struct allowance a = gcra(&whole, 5, 100);
                CHECK(!a.refused);
                CHECK_EQ(a.left, 100 - i);
        }
        struct allowance a = gcra(&whole, 5, 100);
        CHECK(a.refused);
        CHECK_EQ(a.left, 0);
        CHECK_EQ(a.wait_us, 600000);            /* 60 s / 100 */
        CHECK_EQ(a.whole_us, MINUTE_US);
}

TEST(a_minute_of_rest_brings_everything_back_and_no_more)
{
        int64_t whole = 0, hours_later = 7 * 3600 * 1000000000LL;
        for (int i = 0; i < 3; i++) CHECK(!gcra(&whole, 0, 3).refused);
        CHECK(gcra(&whole, 0, 3).refused);
        for (int i = 0; i < 3; i++) CHECK(!gcra(&whole, hours_later, 3).refused);
        CHECK(gcra(&whole, hours_later, 3).refused);
}

TEST(the_smallest_and_the_largest_limit_are_limits)
{
        int64_t one = 0, huge = 0;
        CHECK(!gcra(&one, 0, 1).refused);
        CHECK_EQ(gcra(&one, 1000000000, 1).wait_us, MINUTE_US - 1000000);
        CHECK(!gcra(&one, 60000000000, 1).refused);
        CHECK_EQ(gcra(&huge, 0, 1000000000).left, 999999999);
        CHECK_EQ(gcra(&huge, 0, 1000000000).whole_us, 1);
}

/* Whatever a client does: in any stretch of time no more than a quota and what the time brings; never refused while it keeps the pace; what
 * a refusal says of the time to wait is exact; what an answer says of what is left holds. */
TEST(for_any_behaviour_the_promises_hold)
{
        enum { MOST = 4000 };
        static int64_t granted[MOST];
        struct rand r;
        rand_seed(&r, 42);
        for (int round = 0; round < 300; round++) {
                int64_t q = 1 + rand_below(&r, 200), gap = 60000000000 / q, now = 1000, whole = 0;
                uint32_t pause = 1 + (uint32_t)(gap / 1000 * rand_below(&r, 4) / 2);
                size_t n = 0;
                for (int i = 0; i < 600 && n < MOST; i++) {
                        int64_t before = whole, left = 0;
                        struct allowance a = gcra(&whole, now, q);
                        if (!a.refused) granted[n++] = now;
                        else {
                                int64_t again = before, early = before;
                                CHECK_EQ(whole, before);                                        /* a refusal costs nothing */
                                CHECK(!gcra(&again, now + a.wait_us * 1000, q).refused);        /* then it is granted ... */
                                CHECK(gcra(&early, now + (a.wait_us - 2) * 1000, q).refused);   /* ... and not sooner */
                        }
                        for (int64_t copy = whole; !gcra(&copy, now, q).refused;) left++;
                        CHECK_EQ(a.left, left);
                        now += (int64_t)rand_below(&r, pause) * 1000;
                }
                for (size_t i = 0, from = 0; i < n; i++) {
                        while (granted[i] - granted[from] > 2 * 60000000000) from++;
                        for (size_t k = from; k <= i; k++) CHECK((int64_t)(i - k + 1) <= q + (granted[i] - granted[k]) / gap);
                }
                for (int64_t i = 0, steady = 0, at = now; i < 3 * q; i++, at += gap) CHECK(!gcra(&steady, at, q).refused);
        }
}

TEST(clients_are_counted_apart)
{
        struct limiter *l = limiter_new(1 << 16);       /* so that no five of them meet in a bucket, whatever the hash is keyed with */
        for (uint64_t who = 1; who <= 100; who++) {
                CHECK(!limiter_take(l, hash_quick((str){ (const char *)&who, 8 }), 1, 2).refused);
                CHECK(!limiter_take(l, hash_quick((str){ (const char *)&who, 8 }), 1, 2).refused);
        }
        for (uint64_t who = 1; who <= 100; who++) CHECK(limiter_take(l, hash_quick((str){ (const char *)&who, 8 }), 1, 2).refused);
        limiter_free(l);
}

TEST(a_full_table_forgets_who_owes_least)
{
        COUNTING(RATE_PLACES);
        struct limiter *l = limiter_new(4);     /* one bucket */
        for (uint64_t who = 2; who <= 8; who += 2)
                for (uint64_t i = 0; i < who; i++) CHECK(!limiter_take(l, who, 1, 10).refused);         /* 2, 4, 6 and 8 of 10 */
        CHECK_EQ(limiter_take(l, 100, 1, 10).left, 9);          /* a fifth comes: 2 goes */
        CHECK_EQ(limiter_take(l, 8, 1, 10).left, 1);
        CHECK_EQ(limiter_take(l, 6, 1, 10).left, 3);
        CHECK_EQ(limiter_take(l, 4, 1, 10).left, 5);
        CHECK_EQ(limiter_take(l, 2, 1, 10).left, 9);            /* as if it had never come; 100 went for it */
        limiter_free(l);
        CHECK(limiter_free(NULL) == NULL);
        REACHED(RATE_PLACES);
}

TEST_MAIN
