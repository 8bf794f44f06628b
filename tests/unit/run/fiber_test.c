/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * fiber_test.c - fibers, their waits and their clocks: who runs when, and what ends a wait. */
#include "test.h"
#include <pthread.h>
#include <stdatomic.h>
#include "clock.h"
#include "fiber.h"
#include "loop.h"

static int in_fiber(int (*fn)(struct ctx *c, void *arg), void *arg)
{
        return run_main(fn, arg);
}

/* ---- order ------------------------------------------------------------------------------------------------------------ */
static char order[64];

static void say_name(void *arg)
{
        strcat(order, arg);
}

static void say_twice(void *arg)
{
        strcat(order, arg);
        fiber_yield();
        strcat(order, arg);
}

static int start_three(struct ctx *c, void *arg)
{
        (void)c, (void)arg;
        CHECK_OK(fiber_start("a", say_twice, "a"));
        CHECK_OK(fiber_start("b", say_twice, "b"));
        CHECK_OK(fiber_start("c", say_name, "c"));
        strcat(order, "0");
        fiber_yield();
        strcat(order, "1");
        return 0;
}

TEST(fibers_run_in_the_order_they_became_ready)
{
        order[0] = 0;
        CHECK_OK(in_fiber(start_three, NULL));
        assert_string_equal(order, "0abc1ab");
}

static int code_of_start(struct ctx *c, void *arg)
{
        (void)c;
        return *(int *)arg;
}

TEST(the_code_of_the_first_function_is_the_code_of_the_run)
{
        int code = -NOT_FOUND;
        CHECK_EQ(in_fiber(code_of_start, &code), -NOT_FOUND);
        code = 0;
        CHECK_EQ(in_fiber(code_of_start, &code), 0);
}

/* ---- parking ------------------------------------------------------------------------------------------------------------ */
static struct fiber *parked;
static int park_result;

static void park_forever(void *arg)
{
        parked = fiber_self();
        park_result = fiber_park(arg, "test");
        parked = NULL;
}

static int wake_once(struct ctx *c, void *arg)
{
        (void)arg;
        park_result = 99;
        CHECK_OK(fiber_start("p", park_forever, c));
        fiber_yield();
        CHECK(parked != NULL);
        fiber_wake(parked);
        CHECK_EQ(park_result, 99);
        fiber_yield();
        CHECK_EQ(park_result, 0);
        return 0;
}

TEST(a_wake_ends_a_park_when_the_fiber_gets_its_turn)           { CHECK_OK(in_fiber(wake_once, NULL)); }

static int wake_before_park(struct ctx *c, void *arg)
{
        (void)arg;
        fiber_wake(fiber_self());
        CHECK_EQ(fiber_park(c, "test"), 0);
        ctx_limit(c, 1);
        CHECK_EQ(fiber_park(c, "test"), -DEADLINE_EXCEEDED);    /* the wake was used up */
        return 0;
}

TEST(a_wake_before_the_park_is_remembered_once)                 { CHECK_OK(in_fiber(wake_before_park, NULL)); }

static int late(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1000 });
        int64_t before = clock_us();
        ctx_limit(c, SECONDS(60));
        CHECK_OK(fiber_start("p", park_forever, c));
        fiber_yield();
        park_result = 99;
        clock_advance(SECONDS(59));
        fiber_yield();
        CHECK_EQ(park_result, 99);
        CHECK_EQ(ctx_left_ms(c), 1000);
        clock_advance(SECONDS(1));
        fiber_yield();
        CHECK_EQ(park_result, -DEADLINE_EXCEEDED);
        CHECK_EQ(c->fault.code, DEADLINE_EXCEEDED);
        assert_string_equal(c->fault.slug, "deadline_exceeded");
        CHECK(ctx_is_late(c));
        CHECK_EQ(clock_us() - before, 60000000);
        CHECK_EQ(clock_now().us, 60001000);
        clock_real();
        return 0;
}

TEST(a_deadline_ends_a_park_when_the_fake_clock_passes_it)      { CHECK_OK(in_fiber(late, NULL)); }

static int cancel_now_and_later(struct ctx *c, void *arg)
{
        (void)arg;
        CHECK_OK(fiber_start("p", park_forever, c));
        fiber_yield();
        fiber_cancel(parked);
        fiber_yield();
        CHECK_EQ(park_result, -CANCELLED);
        assert_string_equal(c->fault.slug, "cancelled");
        fiber_cancel(fiber_self());
        CHECK(fiber_is_cancelled());
        CHECK_EQ(fiber_park(c, "test"), -CANCELLED);
        CHECK_EQ(fiber_sleep(c, 1000), -CANCELLED);
        return 0;
}

TEST(a_cancelled_fiber_cannot_wait_any_more)                    { CHECK_OK(in_fiber(cancel_now_and_later, NULL)); }

static void park_firm(void *arg)
{
        parked = fiber_self();
        fiber_park_firmly("test");
        *(int *)arg = 1;
}

static int firm(struct ctx *c, void *arg)
{
        (void)c, (void)arg;
        int done = 0;
        CHECK_OK(fiber_start("p", park_firm, &done));
        fiber_yield();
        fiber_cancel(parked);
        fiber_yield();
        CHECK_EQ(done, 0);
        fiber_wake(parked);
        fiber_yield();
        CHECK_EQ(done, 1);
        return 0;
}

TEST(a_firm_park_hears_only_a_wake)                             { CHECK_OK(in_fiber(firm, NULL)); }

/* ---- sleeping --------------------------------------------------------------------------------------------------------- */
static void sleeper(void *arg)
{
        int ms = *(int *)arg;
        if (fiber_sleep(NULL, ms) == 0) snprintf(order + strlen(order), 16, "%d ", ms);
}

static int sleep_all(struct ctx *c, void *arg)
{
        (void)arg;
        static int ms[] = { 30, 10, 20, 10000, 5 };
        clock_fake((when){ 1 });
        order[0] = 0;
        for (size_t i = 0; i < COUNT(ms); i++) CHECK_OK(fiber_start("s", sleeper, &ms[i]));
        fiber_yield();
        clock_advance(4);
        fiber_yield();
        assert_string_equal(order, "");
        clock_advance(26);
        fiber_yield();
        assert_string_equal(order, "5 10 20 30 ");
        clock_advance(10000);
        fiber_yield();
        assert_string_equal(order, "5 10 20 30 10000 ");
        clock_real();
        ctx_limit(c, 10);
        CHECK_EQ(fiber_sleep(c, 60000), -DEADLINE_EXCEEDED);
        return 0;
}

TEST(sleepers_wake_in_order_of_time_and_deadlines_cut_them)     { CHECK_OK(in_fiber(sleep_all, NULL)); }

static int real_sleep(struct ctx *c, void *arg)
{
        (void)arg;
        int64_t before = clock_us();
        for (int i = 0; i < 5; i++) CHECK_EQ(fiber_sleep(c, 3), 0);
        int64_t took = clock_us() - before;
        CHECK(took >= 15000);
        CHECK(took < 60000000);
        return 0;
}

TEST(a_real_sleep_is_never_short)                               { CHECK_OK(in_fiber(real_sleep, NULL)); }

/* A timer stays in the heap after its wait; a later wait with another deadline must still be ended by its own. */
static int deadlines_after_deadlines(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1 });
        struct ctx first = { .arena = c->arena, .deadline_us = deadline_in(100) };
        fiber_wake(fiber_self());
        CHECK_EQ(fiber_park(&first, "test"), 0);
        struct ctx long_one = { .arena = c->arena, .deadline_us = deadline_in(500) };
        CHECK_OK(fiber_start("p", park_forever, &long_one));
        fiber_yield();
        fiber_wake(parked);
        fiber_yield();
        CHECK_EQ(park_result, 0);
        struct ctx short_one = { .arena = c->arena, .deadline_us = deadline_in(50) };
        CHECK_OK(fiber_start("p", park_forever, &short_one));
        fiber_yield();
        park_result = 99;
        clock_advance(49);
        fiber_yield();
        CHECK_EQ(park_result, 99);
        clock_advance(1);
        fiber_yield();
        CHECK_EQ(park_result, -DEADLINE_EXCEEDED);
        clock_real();
        return 0;
}

TEST(each_wait_has_its_own_deadline)                            { CHECK_OK(in_fiber(deadlines_after_deadlines, NULL)); }

/* ---- many ------------------------------------------------------------------------------------------------------------- */
static int n_done;

static void count_one(void *arg)
{
        volatile char deep[2000];
        memset((char *)deep, (int)(intptr_t)arg, sizeof deep);
        fiber_yield();
        if (deep[1999] == (char)(intptr_t)arg) n_done++;
}

static int many(struct ctx *c, void *arg)
{
        (void)c, (void)arg;
        n_done = 0;
        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 2000; i++) CHECK_OK(fiber_start("n", count_one, (void *)(intptr_t)i));
                while (fiber_stats(0).live > 1) fiber_yield();
        }
        CHECK_EQ(n_done, 6000);
        CHECK_EQ(fiber_stats(0).started, 6001);
        CHECK_EQ(fiber_stats(0).pooled, 2000);
        return 0;
}

TEST(stacks_are_used_again_and_keep_fibers_apart)               { CHECK_OK(in_fiber(many, NULL)); }

static int trim(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1 });
        for (int i = 0; i < 500; i++) CHECK_OK(fiber_start("n", count_one, NULL));
        while (fiber_stats(0).live > 1) fiber_yield();
        CHECK_EQ(fiber_stats(0).pooled, 500);
        for (int i = 0; i < 3; i++) {
                clock_advance(1100);
                fiber_yield();
        }
        CHECK(fiber_stats(0).pooled <= 64);
        clock_real();
        return fiber_sleep(c, 1);
}

TEST(stacks_nobody_needed_for_a_while_are_given_back)           { CHECK_OK(in_fiber(trim, NULL)); }

/* ---- looking ---------------------------------------------------------------------------------------------------------- */
static int n_seen;

static void see(const struct fiber_info *info, void *arg)
{
        n_seen++;
        if (!strcmp(info->name, "p")) *(struct fiber_info *)arg = *info;
}

static int look(struct ctx *c, void *arg)
{
        (void)arg;
        CHECK_OK(fiber_start("p", park_forever, c));
        fiber_yield();
        struct fiber_info info = { 0 };
        n_seen = 0;
        fibers_each(see, &info);
        CHECK_EQ(n_seen, 2);
        assert_string_equal(info.where, "test");
#if defined(__x86_64__) && !defined(SOUK_UCONTEXT)
        CHECK(info.stack_used > 0 && info.stack_used < 65536);
#endif
        CHECK_EQ(fiber_stats(0).live, 2);
        CHECK_EQ(fiber_stats(0).waiting, 1);
        fiber_wake(parked);
        fiber_yield();
        CHECK_EQ(fiber_stats(0).waiting, 0);
        return 0;
}

TEST(every_fiber_can_be_seen_with_its_name_and_wait)            { CHECK_OK(in_fiber(look, NULL)); }

/* ---- several loops ------------------------------------------------------------------------------------------------------ */
static atomic_int posted, ran_at[4];

static void on_post(void *arg)
{
        assert(loop_self() == loop_at((int)(intptr_t)arg));
        assert(fiber_self() == NULL);
        atomic_fetch_add(&posted, 1);
}

static int post_around(void *arg, int index)
{
        (void)arg;
        ran_at[index]++;
        for (int i = 0; i < 1000; i++) {
                int to = i % loop_count();
                while (loop_post(loop_at(to), on_post, (void *)(intptr_t)to) == -RESOURCE_EXHAUSTED) fiber_yield();
        }
        return 0;
}

TEST(posts_run_on_the_loop_they_were_sent_to_and_none_is_lost)
{
        atomic_store(&posted, 0);
        CHECK_OK(run_workers(3, post_around, NULL));
        CHECK_EQ(atomic_load(&posted), 3000);
        for (int i = 0; i < 3; i++) CHECK_EQ(ran_at[i], 1);
}

static struct { pthread_mutex_t lock; struct fiber *fiber; struct loop *home; int turn; } baton;

static int pass_baton(void *arg, int index)
{
        (void)arg;
        for (int i = 0; i < 2000; i++) {
                for (;;) {
                        pthread_mutex_lock(&baton.lock);
                        bool mine = baton.turn % 2 == index;
                        if (mine) {
                                baton.turn++;
                                if (baton.fiber) fiber_wake_from_anywhere(baton.fiber, baton.home);
                                baton.fiber = NULL;
                        } else {
                                baton.fiber = fiber_self();
                                baton.home = loop_self();
                        }
                        pthread_mutex_unlock(&baton.lock);
                        if (mine) break;
                        TRY(fiber_park(NULL, "baton"));
                }
        }
        return 0;
}

static int arrived;

static void count_post(void *arg)
{
        (void)arg;
        arrived++;
}

static void count_end(void *arg) { ++*(int *)arg; }

static int post_too_many(struct ctx *c, void *arg)
{
        (void)arg;
        arrived = 0;
        COUNTING(POSTS);
        for (int i = 0; i < 65536; i++) CHECK_OK(loop_post(loop_self(), count_post, NULL));
        CHECK_EQ(loop_post(loop_self(), count_post, NULL), -RESOURCE_EXHAUSTED);
        REACHED(POSTS);
        while (arrived < 65536) CHECK_OK(fiber_sleep(c, 1));
        return loop_post(loop_self(), count_post, NULL);
}

TEST(a_loop_that_is_sent_too_many_posts_refuses_them)
{
        watchdog_limit(0);
        CHECK_OK(run_main(post_too_many, NULL));
        CHECK_EQ(arrived, 65537);
}

static int start_up_to_the_most(struct ctx *c, void *arg)
{
        int *ended = arg;
        COUNTING(FIBERS);
        for (int i = 1; i < 50; i++) CHECK_OK(fiber_start("one of many", count_end, ended));
        CHECK_EQ(fiber_start("one too many", count_end, ended), -RESOURCE_EXHAUSTED);
        REACHED(FIBERS);
        while (*ended < 49) CHECK_OK(fiber_sleep(c, 1));
        return fiber_start("one again", count_end, ended);
}

TEST(a_loop_has_a_most_of_fibers)
{
        int ended = 0;
        fibers_limit(50);
        CHECK_OK(run_main(start_up_to_the_most, &ended));
        fibers_limit(FIBERS_MAX);
        CHECK_EQ(ended, 50);
}

TEST(fibers_of_two_loops_wake_each_other)
{
        memset(&baton, 0, sizeof baton);
        pthread_mutex_init(&baton.lock, NULL);
        CHECK_OK(run_workers(2, pass_baton, NULL));
        CHECK_EQ(baton.turn, 4000);
}

static void got_signal(void *arg)
{
        fiber_wake(arg);
}

static int wait_signal(struct ctx *c, void *arg)
{
        (void)arg;
        ctx_limit(c, 60000);
        CHECK_OK(on_signal(SIGUSR1, got_signal, fiber_self()));
        raise(SIGUSR1);
        CHECK_OK(fiber_park(c, "signal"));
        return 0;
}

TEST(a_signal_starts_a_fiber)                                   { CHECK_OK(in_fiber(wait_signal, NULL)); }

TEST_MAIN
