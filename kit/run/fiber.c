/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * fiber.c - starting, parking and waking fibers.
 *
 * A fiber that waits switches straight to the next ready one, and to the loop's own stack only when none is ready or the
 * budget of this turn is spent; so sockets and timers are looked at after at most RUN_BUDGET fibers. A fiber's timer stays in
 * the heap when its wait ends well: the next wait, mostly with the same deadline, finds it there and pays nothing. */
#include <stdlib.h>
#include "bound.h"
#include "clock.h"
#include "inside.h"

struct fiber *fiber_self(void)
{
        return loop_here ? loop_here->current : NULL;
}

/* ---- switching ---------------------------------------------------------------------------------------------------------- */
static void runs_now(struct loop *l, struct fiber *f)
{
        l->current = f;
        l->streak = 0;
        if (f) f->state = FIBER_RUNNING;
        OWN_SET(l->switches, l->switches + 1);
        OWN_SET(l->running, f ? f->name : NULL);
}

/* NULL stands for the loop's own stack. Returns when somebody switches back to `from`. */
static void switch_to(struct loop *l, struct fiber *from, struct fiber *to)
{
        san_leave(from ? &from->san : &l->san, to ? &to->san : &l->san);
        context_switch(from ? &from->context : &l->main, to ? &to->context : &l->main);
        san_arrive(from ? &from->san : &l->san);
        runs_now(l, from);
}

static struct fiber *next_ready(struct loop *l)
{
        if (l->budget <= 0) return NULL;
        struct link *e = list_pop(&l->ready);
        if (!e) return NULL;
        l->budget--;
        return CONTAINER(e, struct fiber, link);
}

static void leave(struct loop *l, struct fiber *f)
{
        struct fiber *next = next_ready(l);
        if (next != f)
                switch_to(l, f, next);
        else
                runs_now(l, f);         /* yielded, and nobody else is ready */
}

void fibers_run(struct loop *l)
{
        l->budget = RUN_BUDGET;
        for (struct fiber *f; (f = next_ready(l));)
                switch_to(l, NULL, f);
        bool more = !list_is_empty(&l->ready);
        if (more != l->idling) loop_idle(l, more);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */
static void make_ready(struct fiber *f, int verdict)
{
        struct loop *l = f->loop;
        if (f->state == FIBER_WAITING) OWN_SET(l->waiting, l->waiting - 1);
        f->state = FIBER_READY;
        f->verdict = verdict;
        list_push(&l->ready, &f->link);
}

/* A timer left over from an earlier wait fires early for this one, and is set again. */
static void timed_out(struct timer *t)
{
        struct fiber *f = CONTAINER(t, struct fiber, timer);
        if (f->state != FIBER_WAITING || f->deadline_us == 0) return;
        if (f->deadline_us > t->at_us) {
                t->at_us = f->deadline_us;
                timers_push(&f->loop->timers, t);
        } else {
                make_ready(f, -DEADLINE_EXCEEDED);
        }
}

static void end(struct loop *l, struct fiber *f)
{
        if (atomic_load_explicit(&f->has_remote, memory_order_acquire)) {
                pthread_mutex_lock(&l->lock);
                link_remove(&f->remote);
                atomic_store(&f->has_remote, false);
                pthread_mutex_unlock(&l->lock);
        }
        timers_remove(&l->timers, &f->timer);
        link_remove(&f->all);
        f->state = FIBER_POOLED;
        list_push_front(&l->pool, &f->link);
        OWN_SET(l->pooled, l->pooled + 1);
        if (l->pooled > STACKS_KEPT && l->tick.slot == 0) {
                l->tick.at_us = l->now_us + STACKS_TICK_MS * 1000;
                l->pool_low = l->pooled;
                timers_push(&l->timers, &l->tick);
                loop_alarm(l);
        }
        OWN_SET(l->live, l->live - 1);
        if (l->live == 0) loop_work_ended();
        leave(l, f);                    /* until the stack is given new work */
}

static void fiber_main(void *arg)
{
        struct fiber *f = arg;
        struct loop *l = f->loop;
        san_arrive(&f->san);
        runs_now(l, f);
        for (;;) {
                f->fn(f->arg);
                end(l, f);
        }
}

static uint32_t fibers_max = FIBERS_MAX;

void fibers_limit(uint32_t max)
{
        assert(max >= 1 && max <= FIBERS_MAX);
        fibers_max = max;
}

static struct fiber *stack_take(struct loop *l)
{
        struct link *e = list_pop(&l->pool);
        if (e) {
                OWN_SET(l->pooled, l->pooled - 1);
                if (l->pooled < l->pool_low) l->pool_low = l->pooled;
                return CONTAINER(e, struct fiber, link);
        }
        struct fiber *f = stack_map();
        if (!f) return NULL;
        f->loop = l;
        f->timer.fire = timed_out;
        context_make(&f->context, (void *)(uintptr_t)f->san.low, f->san.n_bytes, fiber_main, f);
        return f;
}

int fiber_start(const char *name, void (*fn)(void *arg), void *arg)
{
        struct loop *l = loop_here;
        assert(l);
        if (l->live >= fibers_max) bound_reached(BOUND_FIBERS);
        if (l->live >= fibers_max || !timers_reserve(&l->timers, l->live + 8)) return -RESOURCE_EXHAUSTED;
        struct fiber *f = stack_take(l);
        if (!f) return -RESOURCE_EXHAUSTED;
        f->fn = fn;
        f->arg = arg;
        f->name = name;
        f->where = "ready";
        f->permit = f->cancelled = f->firm = false;
        f->deadline_us = 0;
        f->born_us = f->parked_us = l->now_us;
        list_push(&l->all, &f->all);
        if (l->live == 0) loop_work_began();
        OWN_SET(l->live, l->live + 1);
        OWN_SET(l->started, l->started + 1);
        make_ready(f, 0);
        return 0;
}

void fiber_rename(const char *name)
{
        struct loop *l = loop_here;
        l->current->name = name;
        OWN_SET(l->running, name);
}

static void drop_stacks(struct loop *l, uint32_t n)
{
        for (; n > 0; n--) {
                struct link *e = l->pool.prev;          /* the coldest */
                link_remove(e);
                stack_unmap(CONTAINER(e, struct fiber, link));
                OWN_SET(l->pooled, l->pooled - 1);
        }
}

void fibers_trim(struct loop *l)
{
        drop_stacks(l, l->pooled);
}

/* What lay in the pool through the whole tick was not needed by any burst of it. */
void fibers_tick(struct timer *t)
{
        struct loop *l = CONTAINER(t, struct loop, tick);
        uint32_t spare = MIN(l->pool_low, l->pooled);
        if (spare > STACKS_KEPT) drop_stacks(l, spare - STACKS_KEPT);
        l->pool_low = l->pooled;
        if (l->pooled <= STACKS_KEPT) return;
        t->at_us = clock_us() + STACKS_TICK_MS * 1000;
        timers_push(&l->timers, t);
}

/* ---- waiting ---------------------------------------------------------------------------------------------------------------- */
static void wait_until(struct loop *l, struct fiber *f, int64_t deadline_us, const char *where)
{
        f->deadline_us = deadline_us;
        if (deadline_us != 0 && (f->timer.slot == 0 || f->timer.at_us > deadline_us)) {
                timers_move(&l->timers, &f->timer, deadline_us);
                loop_alarm(l);
        }
        f->where = where;
        f->parked_us = l->now_us;
        f->state = FIBER_WAITING;
        OWN_SET(l->waiting, l->waiting + 1);
        leave(l, f);
}

int fiber_wait(const struct ctx *c, const char *where)
{
        struct loop *l = loop_here;
        struct fiber *f = l->current;
        assert(f);
        if (UNLIKELY(f->cancelled)) return -CANCELLED;
        if (!f->permit) {
                wait_until(l, f, c ? c->deadline_us : 0, where);
                return f->verdict;
        }
        f->permit = false;
        return 0;
}

int wait_fault(struct ctx *c, int verdict, const char *where)
{
        if (verdict >= 0 || !c) return verdict;
        if (verdict == -CANCELLED) return fail(c, CANCELLED, "cancelled", "cancelled while waiting in %s", where);
        if (verdict == -DEADLINE_EXCEEDED) return fail(c, DEADLINE_EXCEEDED, "deadline_exceeded", "the deadline passed while waiting in %s", where);
        return verdict;
}

int fiber_park(struct ctx *c, const char *where)
{
        int verdict = fiber_wait(c, where);
        return LIKELY(verdict == 0) ? 0 : wait_fault(c, verdict, where);
}

void fiber_park_firmly(const char *where)
{
        struct loop *l = loop_here;
        struct fiber *f = l->current;
        if (!f->permit) {
                f->firm = true;
                wait_until(l, f, 0, where);
                f->firm = false;
        }
        f->permit = false;
}

void fiber_wake(struct fiber *f)
{
        if (f->state == FIBER_WAITING)
                make_ready(f, 0);
        else
                f->permit = true;
}

void fiber_wake_from_anywhere(struct fiber *f, struct loop *home)
{
        if (home == loop_here) {
                fiber_wake(f);
                return;
        }
        pthread_mutex_lock(&home->lock);
        bool first = list_is_empty(&home->remote) && home->n_posts == 0;
        if (!atomic_load_explicit(&f->has_remote, memory_order_relaxed)) {
                atomic_store_explicit(&f->has_remote, true, memory_order_release);
                list_push(&home->remote, &f->remote);
        }
        if (first) uv_async_send(&home->async);         /* under the lock: the loop cannot end before it is let go */
        pthread_mutex_unlock(&home->lock);
}

void fiber_cancel(struct fiber *f)
{
        f->cancelled = true;
        if (f->state == FIBER_WAITING && !f->firm) make_ready(f, -CANCELLED);
}

bool fiber_is_cancelled(void)
{
        return loop_here->current->cancelled;
}

void fiber_yield(void)
{
        struct loop *l = loop_here;
        struct fiber *f = l->current;
        f->where = "fiber_yield";
        make_ready(f, 0);
        leave(l, f);
}

int fiber_breathe(struct ctx *c, const char *where)
{
        if (LIKELY(++loop_here->streak <= STREAK_MAX)) return 0;
        fiber_yield();
        if (fiber_is_cancelled()) return wait_fault(c, -CANCELLED, where);
        return c && ctx_is_late(c) ? wait_fault(c, -DEADLINE_EXCEEDED, where) : 0;
}

int fiber_sleep(struct ctx *c, int ms)
{
        struct ctx until = { .deadline_us = deadline_in(MAX(ms, 0)) };
        bool cut = c && c->deadline_us != 0 && c->deadline_us < until.deadline_us;
        if (cut) until.deadline_us = c->deadline_us;
        int verdict;
        do verdict = fiber_wait(&until, "fiber_sleep"); while (verdict == 0);
        return verdict == -DEADLINE_EXCEEDED && !cut ? 0 : wait_fault(c, verdict, "fiber_sleep");
}

/* ---- looking at them ------------------------------------------------------------------------------------------------------- */
void fibers_each(void (*fn)(const struct fiber_info *info, void *arg), void *arg)
{
        struct loop *l = loop_here;
        int64_t now_us = clock_us();
        LIST_EACH(e, &l->all) {
                const struct fiber *f = CONTAINER(e, struct fiber, all);
                bool waits = f->state == FIBER_WAITING;
                struct fiber_info info = {
                        .name = f->name, .loop = l->index, .age_us = now_us - f->born_us,
                        .where = waits ? f->where : f->state == FIBER_RUNNING ? "running" : "ready",
                        .waiting_us = waits ? now_us - f->parked_us : 0,
                };
#if CONTEXT_IS_SP
                const char *sp = f->state == FIBER_RUNNING ? __builtin_frame_address(0) : f->context.sp;
                info.stack_used = (size_t)((const char *)f->san.low + f->san.n_bytes - sp);
#endif
                fn(&info, arg);
        }
}

struct fiber_stats fiber_stats(int loop)
{
        struct loop *l = loop_at(loop);
        if (!l) return (struct fiber_stats){ 0 };
        return (struct fiber_stats){
                .started = OWN_GET(l->started), .switches = OWN_GET(l->switches),
                .live = OWN_GET(l->live), .waiting = OWN_GET(l->waiting), .pooled = OWN_GET(l->pooled),
        };
}
