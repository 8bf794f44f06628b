/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sync_test.c - mutex, semaphore, event: who is served, in what order, and what a late or cancelled waiter leaves behind. */
#include "test.h"
#include "clock.h"
#include "fiber.h"
#include "loop.h"
#include "sync.h"

static char story[128];
static struct mutex m;
static struct sem s;
static struct event_flag flag;

struct user { const char *name; int limit_ms; struct fiber *f; int result; };

static void lock_once(void *arg)
{
        struct user *u = arg;
        struct ctx c = { .arena = arena_new(65536) };
        u->f = fiber_self();
        ctx_limit(&c, u->limit_ms);
        u->result = mutex_lock(&c, &m);
        if (u->result == 0) {
                strcat(story, u->name);
                fiber_yield();
                mutex_unlock(&m);
        }
        arena_free(c.arena);
}

static int mutex_is_fair(struct ctx *c, void *arg)
{
        (void)arg;
        struct user u[4] = { { "a", 0, NULL, 9 }, { "b", 5, NULL, 9 }, { "c", 0, NULL, 9 }, { "d", 0, NULL, 9 } };
        clock_fake((when){ 1 });
        mutex_init(&m);
        CHECK_OK(mutex_lock(c, &m));
        for (int i = 0; i < 4; i++) CHECK_OK(fiber_start("user", lock_once, &u[i]));
        fiber_yield();
        clock_advance(10);
        fiber_cancel(u[2].f);
        fiber_yield();
        CHECK_EQ(u[1].result, -DEADLINE_EXCEEDED);
        CHECK_EQ(u[2].result, -CANCELLED);
        mutex_unlock(&m);
        CHECK_OK(mutex_lock(c, &m));            /* comes after those who waited */
        assert_string_equal(story, "ad");
        mutex_unlock(&m);
        CHECK(!m.held);
        clock_real();
        return 0;
}

TEST(a_mutex_serves_in_order_and_forgets_who_gave_up)           { CHECK_OK(run_main(mutex_is_fair, NULL)); }

/* The lock is handed over in the very moment the waiter's deadline passes: it must not be lost. */
static int handed_over_late(struct ctx *c, void *arg)
{
        (void)arg;
        struct user u = { "a", 5, NULL, 9 };
        clock_fake((when){ 1 });
        story[0] = 0;
        mutex_init(&m);
        CHECK_OK(mutex_lock(c, &m));
        CHECK_OK(fiber_start("user", lock_once, &u));
        fiber_yield();
        clock_advance(5);               /* the waiter is ready now, with -DEADLINE_EXCEEDED */
        mutex_unlock(&m);               /* and is served before it runs */
        fiber_yield();
        CHECK_EQ(u.result, 0);
        CHECK_OK(mutex_lock(c, &m));
        clock_real();
        return 0;
}

TEST(a_lock_handed_over_at_the_deadline_is_held)                { CHECK_OK(run_main(handed_over_late, NULL)); }

static int n_inside, n_most;

static void take_seat(void *arg)
{
        if (sem_take(NULL, arg) < 0) return;
        n_inside++;
        n_most = MAX(n_most, n_inside);
        fiber_yield();
        n_inside--;
        sem_give(arg);
}

static int semaphore(struct ctx *c, void *arg)
{
        (void)arg;
        sem_setup(&s, 3);
        for (int i = 0; i < 20; i++) CHECK_OK(fiber_start("seat", take_seat, &s));
        while (fiber_stats(0).live > 1) fiber_yield();
        CHECK_EQ(n_most, 3);
        CHECK_EQ(s.free, 3);
        for (int i = 0; i < 3; i++) CHECK(sem_try(&s));
        CHECK(!sem_try(&s));
        ctx_limit(c, 2);
        CHECK_EQ(sem_take(c, &s), -DEADLINE_EXCEEDED);
        sem_give(&s);
        CHECK(sem_try(&s));
        return 0;
}

TEST(a_semaphore_lets_so_many_in)                               { CHECK_OK(run_main(semaphore, NULL)); }

static int n_woken;

static void wait_flag(void *arg)
{
        (void)arg;
        for (int i = 0; i < 2; i++)
                if (event_flag_wait(NULL, &flag) == 0) n_woken++;
}

static int event(struct ctx *c, void *arg)
{
        (void)arg;
        event_flag_init(&flag);
        event_flag_signal(&flag);
        for (int i = 0; i < 3; i++) CHECK_OK(fiber_start("flag", wait_flag, NULL));
        fiber_yield();
        CHECK_EQ(n_woken, 0);
        event_flag_signal(&flag);
        fiber_yield();
        CHECK_EQ(n_woken, 3);
        event_flag_signal(&flag);
        fiber_yield();
        CHECK_EQ(n_woken, 6);
        ctx_limit(c, 1);
        CHECK_EQ(event_flag_wait(c, &flag), -DEADLINE_EXCEEDED);
        return 0;
}

TEST(an_event_wakes_all_who_wait_now)                           { CHECK_OK(run_main(event, NULL)); }

TEST_MAIN
