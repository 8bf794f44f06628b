/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * trouble_test.c - a failure that lasts is told when it begins, now and then, and when it is over. */
#include "test.h"
#include "trouble.h"

TEST(a_failure_is_told_at_once_then_once_a_minute_and_its_end_with_the_count)
{
        struct trouble t = { 0 }, was;
        int told = 0;
        CHECK(!trouble_over(&t, &was));
        for (int64_t ms = 5000; ms < 5000 + 150000; ms += 500) told += trouble_again(&t, -UNAVAILABLE, ms * 1000);
        CHECK_EQ(told, 3);                      /* at 0, 60 and 120 seconds */
        CHECK_EQ(t.failures, 300);
        CHECK(trouble_over(&t, &was));
        CHECK_EQ(was.failures, 300);
        CHECK_EQ(was.since_us, 5000000);
        CHECK(!trouble_over(&t, &was));
        CHECK(trouble_again(&t, -UNAVAILABLE, 156000000));      /* a new one, told however soon */
}

TEST(another_failure_is_another_story)
{
        struct trouble t = { 0 };
        CHECK(trouble_again(&t, -UNAVAILABLE, 1));
        CHECK(!trouble_again(&t, -UNAVAILABLE, 2));
        CHECK(trouble_again(&t, -INTERNAL, 3));
        CHECK(!trouble_again(&t, -INTERNAL, 4));
        CHECK(trouble_again(&t, -UNAVAILABLE, 5));
        CHECK_EQ(t.failures, 5);
}

TEST_MAIN
