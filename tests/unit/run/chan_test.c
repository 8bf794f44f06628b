/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * chan_test.c - channels and select: order, bounds, closing, deadlines, and many producers on several loops. */
#include "test.h"
#include <stdatomic.h>
#include "chan.h"
#include "clock.h"
#include "fiber.h"
#include "loop.h"

static char story[256];
static void tell(const char *fmt, ...) PRINTF(1, 2);
static void tell(const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(story + strlen(story), sizeof story - strlen(story), fmt, ap);
        va_end(ap);
}

static void send_five(void *arg)
{
        for (int i = 0; i < 5; i++) {
                if (chan_send(NULL, arg, &i) < 0) return;
                tell("s%d ", i);
        }
        chan_close(arg);
}

static int drain(struct ctx *c, void *arg)
{
        struct chan *ch = chan_new((size_t)(intptr_t)arg, sizeof(int));
        story[0] = 0;
        CHECK_OK(fiber_start("send", send_five, ch));
        for (int x, want = 0;; want++) {
                int r = chan_recv(c, ch, &x);
                if (r == -OUT_OF_RANGE) break;
                CHECK_OK(r);
                CHECK_EQ(x, want);
                tell("r%d ", x);
                fiber_yield();
        }
        CHECK_EQ(chan_send(c, ch, &(int){ 1 }), -FAILED_PRECONDITION);
        CHECK_EQ(chan_try_send(ch, &(int){ 1 }), -FAILED_PRECONDITION);
        CHECK_EQ(chan_try_recv(ch, &(int){ 1 }), -OUT_OF_RANGE);
        chan_free(ch);
        return 0;
}

TEST(a_buffered_channel_is_a_queue_and_drains_after_closing)
{
        CHECK_OK(run_main(drain, (void *)2));
        assert_string_equal(story, "s0 s1 s2 r0 r1 s3 r2 s4 r3 r4 ");
}

TEST(without_a_buffer_sender_and_receiver_meet)
{
        CHECK_OK(run_main(drain, (void *)0));
        assert_string_equal(story, "s0 r0 r1 s1 r2 s2 r3 s3 r4 s4 ");
}

static int bounds(struct ctx *c, void *arg)
{
        (void)arg;
        struct chan *ch = chan_new(2, sizeof(int));
        int x = 7;
        CHECK_EQ(chan_try_recv(ch, &x), -NOT_FOUND);
        CHECK_OK(chan_try_send(ch, &x));
        CHECK_OK(chan_try_send(ch, &x));
        CHECK_EQ(chan_try_send(ch, &x), -RESOURCE_EXHAUSTED);
        CHECK_EQ(chan_count(ch), 2);
        ctx_limit(c, 2);
        CHECK_EQ(chan_send(c, ch, &x), -DEADLINE_EXCEEDED);
        assert_string_equal(c->fault.slug, "deadline_exceeded");
        CHECK_EQ(chan_count(ch), 2);
        CHECK_OK(chan_try_recv(ch, &x));
        CHECK_OK(chan_try_recv(ch, &x));
        CHECK_EQ(chan_recv(c, ch, &x), -DEADLINE_EXCEEDED);
        struct chan *meet = chan_new(0, sizeof(int));
        CHECK_EQ(chan_try_send(meet, &x), -RESOURCE_EXHAUSTED);
        CHECK_EQ(chan_send(c, meet, &x), -DEADLINE_EXCEEDED);
        CHECK_EQ(chan_try_recv(meet, &x), -NOT_FOUND);          /* the sender that gave up left nothing behind */
        chan_free(meet);
        chan_free(ch);
        return 0;
}

TEST(a_full_or_empty_channel_refuses_waits_and_gives_up)        { CHECK_OK(run_main(bounds, NULL)); }

/* ---- several loops ------------------------------------------------------------------------------------------------------- */
enum { LOOPS = 3, PRODUCERS = 8, ITEMS = 500 };
static struct chan *work_q;
static atomic_int n_sent, n_received;
static _Atomic long sum;
static atomic_int out_of_order;

static int produce(struct ctx *c, void *arg)
{
        for (int i = 0; i < ITEMS; i++) TRY(chan_send(c, work_q, &(int[2]){ (int)(intptr_t)arg, i }));
        if (atomic_fetch_add(&n_sent, 1) + 1 == PRODUCERS * (LOOPS - 1)) chan_close(work_q);
        return 0;
}

static int produce_or_consume(void *arg, int index)
{
        (void)arg;
        struct ctx c = { .arena = arena_new(1024 * 1024), .op = "work" };
        struct arena *a = c.arena;
        int r = 0;
        if (index > 0) {
                GROUP(g, &c);
                for (int i = 0; i < PRODUCERS; i++) CHECK_OK(group_go(g, produce, (void *)(intptr_t)(index * PRODUCERS + i)));
                r = group_wait(g);
        } else {
                static int last[LOOPS * PRODUCERS];
                memset(last, -1, sizeof last);
                for (int x[2]; (r = chan_recv(&c, work_q, x)) == 0;) {
                        if (x[1] != last[x[0]] + 1) atomic_fetch_add(&out_of_order, 1);
                        last[x[0]] = x[1];
                        atomic_fetch_add(&n_received, 1);
                        sum += x[1];
                }
                if (r == -OUT_OF_RANGE) r = 0;
        }
        arena_free(a);
        return r;
}

static void many_producers(size_t capacity)
{
        work_q = chan_new(capacity, sizeof(int[2]));
        atomic_store(&n_sent, 0);
        atomic_store(&n_received, 0);
        atomic_store(&sum, 0);
        CHECK_OK(run_workers(LOOPS, produce_or_consume, NULL));
        CHECK_EQ(atomic_load(&n_received), PRODUCERS * (LOOPS - 1) * ITEMS);
        CHECK_EQ(atomic_load(&sum), (long)PRODUCERS * (LOOPS - 1) * ITEMS * (ITEMS - 1) / 2);
        CHECK_EQ(atomic_load(&out_of_order), 0);
        work_q = chan_free(work_q);
}

TEST(many_producers_on_two_loops_and_one_consumer_on_a_third_lose_nothing)      { many_producers(16); }
TEST(the_same_without_a_buffer)                                                  { many_producers(0); }

/* Two loops that select on two channels at once: each item is taken by exactly one. */
static struct chan *left, *right, *stop;
static atomic_int taken[2000];

static int select_both(void *arg, int index)
{
        (void)arg, (void)index;
        if (index == 0) {
                for (int i = 0; i < 2000; i++) {
                        struct chan_case to[2] = { { .ch = left, .send = &i }, { .ch = right, .send = &i } };
                        TRY(chan_select(NULL, to, 2));
                }
                chan_close(stop);
                return 0;
        }
        for (int x, none;;) {
                struct chan_case from[3] = { { .ch = left, .recv = &x }, { .ch = right, .recv = &x }, { .ch = stop, .recv = &none } };
                int i = chan_select(NULL, from, 3);
                TRY(i);
                if (i == 2) return from[2].result == -OUT_OF_RANGE ? 0 : -INTERNAL;
                TRY(from[i].result);
                atomic_fetch_add(&taken[x], 1);
        }
}

TEST(selects_of_several_loops_meet_without_a_buffer)
{
        left = chan_new(0, sizeof(int));
        right = chan_new(0, sizeof(int));
        stop = chan_new(0, sizeof(int));
        CHECK_OK(run_workers(3, select_both, NULL));
        for (int i = 0; i < 2000; i++) CHECK_EQ(atomic_load(&taken[i]), 1);
        chan_free(left);
        chan_free(right);
        chan_free(stop);
}

/* ---- select --------------------------------------------------------------------------------------------------------------- */
static int select_ways(struct ctx *c, void *arg)
{
        (void)arg;
        struct chan *a = chan_new(1, sizeof(int)), *b = chan_new(1, sizeof(int));
        int x = 0, y = 0, first[2] = { 0, 0 };
        struct chan_case both[2] = { { .ch = a, .recv = &x }, { .ch = b, .recv = &y } };
        for (int i = 0; i < 200; i++) {
                CHECK_OK(chan_try_send(a, &(int){ 1 }));
                CHECK_OK(chan_try_send(b, &(int){ 2 }));
                int k = chan_select(c, both, 2);
                CHECK(k == 0 || k == 1);
                first[k]++;
                CHECK_OK(chan_try_recv(k == 0 ? b : a, &x));
        }
        CHECK(first[0] > 40 && first[1] > 40);

        ctx_limit(c, 2);
        CHECK_EQ(chan_select(c, both, 2), -DEADLINE_EXCEEDED);
        c->deadline_us = 0;
        struct chan_case same[2] = { { .ch = a, .recv = &x }, { .ch = a, .send = &(int){ 9 } } };
        CHECK_EQ(chan_select(c, same, 2), 1);
        CHECK_EQ(chan_select(c, same, 2), 0);
        CHECK_EQ(x, 9);
        chan_close(b);
        CHECK_EQ(chan_select(c, both, 2), 1);
        CHECK_EQ(both[1].result, -OUT_OF_RANGE);
        chan_free(a);
        chan_free(b);
        return 0;
}

TEST(select_takes_what_can_go_on_in_no_fixed_order)             { CHECK_OK(run_main(select_ways, NULL)); }

TEST_MAIN
