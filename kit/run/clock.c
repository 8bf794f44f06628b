/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * clock.c - the two clocks, real or fake. The fake lies in two atomics, for any thread may ask. */
#include <limits.h>
#include <stdatomic.h>
#include <time.h>
#include "clock.h"
#include "inside.h"

static struct {
        atomic_bool      on;
        _Atomic int64_t  mono_us, wall_us;
        _Atomic int64_t  ahead_us;      /* of the system's clock, once a fake had run ahead: the monotonic clock does not go back */
} fake;

static int64_t ask(clockid_t id)
{
        struct timespec t;
        clock_gettime(id, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_real_us(void)     { return ask(CLOCK_MONOTONIC); }
bool    clock_is_fake(void)     { return atomic_load_explicit(&fake.on, memory_order_acquire); }
int64_t clock_cpu_us(void)      { return ask(CLOCK_PROCESS_CPUTIME_ID); }

int64_t clock_ahead_us(void)    { return atomic_load_explicit(&fake.ahead_us, memory_order_relaxed); }

int64_t clock_us(void)
{
        int64_t t = UNLIKELY(clock_is_fake()) ? atomic_load(&fake.mono_us) : ask(CLOCK_MONOTONIC) + clock_ahead_us();
        return t ? t : 1;
}

when clock_now(void)
{
        return (when){ UNLIKELY(clock_is_fake()) ? atomic_load(&fake.wall_us) : ask(CLOCK_REALTIME) };
}

void clock_fake(when now)
{
        if (!clock_is_fake()) atomic_store(&fake.mono_us, ask(CLOCK_MONOTONIC) + clock_ahead_us());
        atomic_store(&fake.wall_us, now.us);
        atomic_store(&fake.on, true);
}

void clock_advance(int ms)
{
        assert(clock_is_fake() && ms >= 0);
        atomic_fetch_add(&fake.mono_us, (int64_t)ms * 1000);
        atomic_fetch_add(&fake.wall_us, (int64_t)ms * 1000);
        if (loop_here) loop_timers(loop_here);
        loop_wake_all();
}

void clock_real(void)
{
        if (clock_is_fake()) atomic_store(&fake.ahead_us, MAX(clock_ahead_us(), atomic_load(&fake.mono_us) - ask(CLOCK_MONOTONIC)));
        atomic_store(&fake.on, false);
        loop_wake_all();
}

void ctx_limit(struct ctx *c, int timeout_ms)
{
        if (timeout_ms <= 0) return;
        int64_t at = deadline_in(timeout_ms);
        if (c->deadline_us == 0 || at < c->deadline_us) c->deadline_us = at;
}

int ctx_left_ms(const struct ctx *c)
{
        if (c->deadline_us == 0) return INT_MAX;
        int64_t left_us = c->deadline_us - clock_us();
        return left_us <= 0 ? 0 : (int)MIN((left_us + 999) / 1000, (int64_t)INT_MAX);
}

bool ctx_is_late(const struct ctx *c)
{
        return c->deadline_us != 0 && clock_us() >= c->deadline_us;
}
