/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pool_test.c - slow work elsewhere: its result comes back, its queue has an end, and giving up is safe. */
#include "test.h"
#include <pthread.h>
#include <semaphore.h>
#include "clock.h"
#include "fiber.h"
#include "loop.h"
#include "pool.h"

static sem_t gate, entered;

static int square(void *arg)
{
        int *x = arg;
        *x *= *x;
        return *x > 50 ? -OUT_OF_RANGE : 0;
}

static int wait_gate(void *arg)
{
        sem_post(&entered);
        while (sem_wait(&gate) < 0) continue;
        *(int *)arg = 1;
        return 0;
}

static int results(struct ctx *c, void *arg)
{
        (void)arg;
        int x = 3, y = 9;
        CHECK_EQ(pool_run(c, square, &x), 0);
        CHECK_EQ(x, 9);
        CHECK_EQ(pool_run(c, square, &y), -OUT_OF_RANGE);
        CHECK_EQ(y, 81);
        CHECK_EQ(pool_stats().done, 2);
        return 0;
}

TEST(the_result_of_the_function_comes_back)
{
        pool_start(2, 4);
        CHECK_OK(run_main(results, NULL));
        pool_stop();
}

struct slow { struct fiber *f; int limit_ms, done, result; };

static void run_slow(void *arg)
{
        struct slow *s = arg;
        struct ctx c = { .arena = arena_new(65536) };
        s->f = fiber_self();
        ctx_limit(&c, s->limit_ms);
        s->result = pool_run(&c, wait_gate, &s->done);
        s->f = NULL;
        arena_free(c.arena);
}

static int limits(struct ctx *c, void *arg)
{
        (void)arg;
        struct slow s[4] = { { .limit_ms = 200, .result = 99 }, { .result = 99 }, { .limit_ms = 200, .result = 99 }, { .result = 99 } };
        CHECK_OK(fiber_start("slow", run_slow, &s[0]));
        fiber_yield();
        while (sem_wait(&entered) < 0) continue;        /* the only thread is taken */
        for (int i = 1; i < 4; i++) CHECK_OK(fiber_start("slow", run_slow, &s[i]));
        fiber_yield();
        CHECK_EQ(s[3].result, -RESOURCE_EXHAUSTED);     /* two wait, the third is one too many */
        CHECK_EQ(pool_stats().queued, 2);
        CHECK_EQ(pool_stats().refused, 1);
        while (s[2].result == 99) CHECK_OK(fiber_sleep(c, 1));
        CHECK_EQ(s[2].result, -DEADLINE_EXCEEDED);      /* had not started */
        CHECK_EQ(s[0].result, 99);                      /* has: its memory must stay */
        fiber_cancel(s[1].f);
        fiber_yield();
        CHECK_EQ(s[1].result, -CANCELLED);
        CHECK_EQ(pool_stats().queued, 0);
        sem_post(&gate);
        while (s[0].result == 99) CHECK_OK(fiber_sleep(c, 1));
        CHECK_EQ(s[0].result, 0);
        CHECK_EQ(s[0].done, 1);
        CHECK_EQ(s[1].done + s[2].done + s[3].done, 0);
        return 0;
}

TEST(the_queue_has_an_end_and_what_has_not_started_can_be_taken_back)
{
        sem_init(&gate, 0, 0);
        sem_init(&entered, 0, 0);
        pool_start(1, 2);
        CHECK_OK(run_main(limits, NULL));
        pool_stop();
}

static int from_all(void *arg, int index)
{
        (void)arg, (void)index;
        struct ctx c = { .arena = arena_new(65536) };
        for (int i = 0, r; i < 200; i++) {
                int x = 2;
                do r = pool_run(&c, square, &x); while (r == -RESOURCE_EXHAUSTED);
                assert(r == 0 && x == 4);
        }
        arena_free(c.arena);
        return 0;
}

TEST(several_loops_share_one_pool)
{
        pool_start(3, 8);
        CHECK_OK(run_workers(3, from_all, NULL));
        CHECK_EQ(pool_stats().done, 600);
        pool_stop();
}

/* ---- those who ask ---------------------------------------------------------------------------------------------------- */

static void count(void *arg)    { sem_post(arg); }

static int never(void *arg)
{
        (void)arg;
        sem_post(&entered);
        while (sem_wait(&gate) < 0) continue;
        return 0;
}

static int unanswered(struct ctx *c, void *arg)
{
        sem_t *dropped = arg;
        int x = 3;
        for (int i = 0; i < POOL_ASKERS; i++) {
                c->deadline_us = deadline_in(100);
                CHECK_EQ(pool_ask(c, never, dropped, count), -DEADLINE_EXCEEDED);
        }
        for (int i = 0; i < POOL_ASKERS; i++) while (sem_wait(&entered) < 0) continue;
        CHECK_EQ(pool_ask_stats().busy, POOL_ASKERS);
        CHECK_EQ(sem_trywait(dropped), -1);             /* they still run: what they were lent stays */
        c->deadline_us = deadline_in(100);
        CHECK_EQ(pool_ask(c, never, dropped, count), -DEADLINE_EXCEEDED);
        CHECK_EQ(sem_trywait(dropped), 0);              /* had not started */
        c->deadline_us = 0;
        CHECK_EQ(pool_run(c, square, &x), 0);           /* work goes on */
        return 0;
}

TEST(who_gets_no_answer_holds_up_neither_work_nor_the_end)
{
        sem_t dropped;
        sem_init(&gate, 0, 0);
        sem_init(&entered, 0, 0);
        sem_init(&dropped, 0, 0);
        CHECK_OK(run_main(unanswered, &dropped));
        pool_stop();                                    /* leaves them behind */
        CHECK_EQ(sem_trywait(&dropped), -1);
        for (int i = 0; i < POOL_ASKERS; i++) sem_post(&gate);
        for (int i = 0; i < POOL_ASKERS; i++) while (sem_wait(&dropped) < 0) continue;
}

TEST_MAIN
