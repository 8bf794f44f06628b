/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * loop.c - loops, from their birth together to their end together.
 *
 * One turn of a loop:   timers -> (prepare) ready fibers -> poll -> (check) ready fibers -> again
 *
 * Callbacks of libuv, posts and timers only make fibers ready; fibers run in prepare and check. When the budget of a turn
 * leaves some over, an idle handle keeps the poll from waiting. The loops end when nothing is left that could start work:
 * `work` counts loops with a living fiber and posts that wait, and the one who brings it to zero stops all loops. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "bound.h"
#include "clock.h"
#include "inside.h"
#include "log.h"

_Thread_local struct loop *loop_here;

struct signal_hook {
        struct signal_hook *next;
        uv_signal_t         uv;
        void              (*fn)(void *arg);
        void               *arg;
};

/* The running program's loops: set up before any thread of theirs starts and torn down after all have ended. */
static struct loop *loops[WORKERS_MAX];
static int          n_loops;
static atomic_int   work;
static atomic_bool  stopped;
static atomic_int   verdict;            /* the first negative code that a start returned */

struct loop *loop_self(void)                    { return loop_here; }
int loop_index(const struct loop *l)            { return l->index; }
uv_loop_t *loop_uv(struct loop *l)              { return &l->uv; }
int loop_count(void)                            { return n_loops; }
struct loop *loop_at(int index)                 { return index >= 0 && index < n_loops ? loops[index] : NULL; }

void loop_wake_all(void)
{
        for (int i = 0; i < n_loops; i++) uv_async_send(&loops[i]->async);
}

void loop_work_began(void)
{
        atomic_fetch_add(&work, 1);
}

void loop_work_ended(void)
{
        if (atomic_fetch_sub(&work, 1) > 1) return;
        atomic_store(&stopped, true);
        loop_wake_all();
}

/* ---- timers ---------------------------------------------------------------------------------------------------------------- */
static void on_alarm(uv_timer_t *h)
{
        loop_timers(CONTAINER(h, struct loop, alarm));
}

/* The alarm is moved only when it would ring too late; one that rings too early finds nothing due and is set again. */
void loop_alarm(struct loop *l)
{
        const struct timer *t = timers_first(&l->timers);
        if (!t || clock_is_fake()) return;
        int64_t at_ms = (t->at_us - clock_ahead_us() + 999) / 1000, now_ms = (int64_t)uv_now(&l->uv);       /* the same clock, uv_now() of this turn */
        if (at_ms >= l->alarm_ms) return;
        l->alarm_ms = at_ms;
        uv_timer_start(&l->alarm, on_alarm, (uint64_t)MAX(at_ms - now_ms, 0), 0);
}

void loop_timers(struct loop *l)
{
        int64_t now_us = clock_us();
        for (struct timer *t; (t = timers_first(&l->timers)) && t->at_us <= now_us;) {
                timers_remove(&l->timers, t);
                t->fire(t);
        }
        l->alarm_ms = INT64_MAX;
        loop_alarm(l);
}

/* ---- posts ------------------------------------------------------------------------------------------------------------------- */
int loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
        pthread_mutex_lock(&l->lock);
        bool first = list_is_empty(&l->remote) && l->n_posts == 0, room = l->n_posts < POSTS_MAX;
        if (!room) bound_reached(BOUND_POSTS);
        if (room && l->n_posts == l->cap_posts) {
                size_t cap = MAX((size_t)64, l->cap_posts * 2);
                struct post *p = alloc_should_fail() ? NULL : realloc(l->posts, cap * sizeof *p);
                room = p != NULL;
                if (p) {
                        l->posts = p;
                        l->cap_posts = cap;
                }
        }
        if (room) {
                loop_work_began();
                l->posts[l->n_posts++] = (struct post){ fn, arg };
                if (first) uv_async_send(&l->async);
        }
        pthread_mutex_unlock(&l->lock);
        return room ? 0 : -RESOURCE_EXHAUSTED;
}

static void take_posts(struct loop *l)
{
        pthread_mutex_lock(&l->lock);
        for (struct link *e; (e = list_pop(&l->remote));) {
                struct fiber *f = CONTAINER(e, struct fiber, remote);
                atomic_store_explicit(&f->has_remote, false, memory_order_relaxed);
                fiber_wake(f);
        }
        struct post *posts = l->posts;
        size_t n = l->n_posts, cap = l->cap_posts;
        l->posts = l->posts_spare;
        l->cap_posts = l->cap_spare;
        l->n_posts = 0;
        pthread_mutex_unlock(&l->lock);
        l->posts_spare = posts;
        l->cap_spare = cap;
        if (n == 0) return;
        OWN_SET(l->running, "loop_post");
        for (size_t i = 0; i < n; i++) {
                OWN_SET(l->switches, l->switches + 1);
                posts[i].fn(posts[i].arg);
                loop_work_ended();
        }
        OWN_SET(l->running, NULL);
}

static void on_async(uv_async_t *h)
{
        struct loop *l = CONTAINER(h, struct loop, async);
        take_posts(l);
        loop_timers(l);                 /* the fake clock may have moved */
        if (atomic_load(&stopped)) uv_stop(&l->uv);
}

/* ---- turns ----------------------------------------------------------------------------------------------------------------- */
static void on_prepare(uv_prepare_t *h)         { fibers_run(CONTAINER(h, struct loop, prepare)); }

static void on_check(uv_check_t *h)
{
        struct loop *l = CONTAINER(h, struct loop, check);
        l->now_us = clock_us();
        fibers_run(l);
}

static void on_idle(uv_idle_t *h)               { (void)h; }

void loop_idle(struct loop *l, bool on)
{
        if (on) uv_idle_start(&l->idle, on_idle);
        else    uv_idle_stop(&l->idle);
        l->idling = on;
}

static struct loop *loop_new(int index, int (*start)(void *arg, int index), void *arg)
{
        struct loop *l = calloc(1, sizeof *l);
        assert(l);
        l->index = index;
        l->start = start;
        l->start_arg = arg;
        l->alarm_ms = INT64_MAX;
        l->dice = 2463534242u + (uint32_t)index;
        l->tick.fire = fibers_tick;
        list_init(&l->ready);
        list_init(&l->pool);
        list_init(&l->all);
        list_init(&l->remote);
        pthread_mutex_init(&l->lock, NULL);
        int made = uv_loop_init(&l->uv);
        assert(made == 0);              /* no descriptors at start: nothing can run */
        uv_prepare_init(&l->uv, &l->prepare);
        uv_prepare_start(&l->prepare, on_prepare);
        uv_check_init(&l->uv, &l->check);
        uv_check_start(&l->check, on_check);
        uv_idle_init(&l->uv, &l->idle);
        uv_timer_init(&l->uv, &l->alarm);
        made = uv_async_init(&l->uv, &l->async, on_async);
        assert(made == 0);
        return l;
}

static void close_handle(uv_handle_t *h, void *arg)
{
        (void)arg;
        if (!uv_is_closing(h)) uv_close(h, NULL);
}

static void loop_free(struct loop *l)
{
        uv_walk(&l->uv, close_handle, NULL);
        uv_run(&l->uv, UV_RUN_DEFAULT);
        int closed = uv_loop_close(&l->uv);
        assert(closed == 0);
        for (struct signal_hook *s = l->signals, *next; s; s = next) {
                next = s->next;
                free(s);
        }
        fibers_trim(l);
        timers_done(&l->timers);
        pthread_mutex_destroy(&l->lock);
        free(l->posts);
        free(l->posts_spare);
        free(l);
}

static void first_fiber(void *arg)
{
        struct loop *l = arg;
        int r = l->start(l->start_arg, l->index), none = 0;
        if (r < 0) atomic_compare_exchange_strong(&verdict, &none, r);
}

static void *loop_thread(void *arg)
{
        struct loop *l = arg;
        struct alternate alternate;
        pthread_attr_t attr;
        void *low = NULL;
        size_t n_bytes = 0;
        if (pthread_getattr_np(pthread_self(), &attr) == 0) {
                pthread_attr_getstack(&attr, &low, &n_bytes);
                pthread_attr_destroy(&attr);
        }
        loop_here = l;
        OWN_SET(l->tid, (int)syscall(SYS_gettid));
        san_init(&l->san, low, n_bytes, false);
        alternate_init(&alternate);
        uv_update_time(&l->uv);
        l->now_us = clock_us();
        int started = fiber_start("start", first_fiber, l);
        assert(started == 0);
        loop_work_ended();              /* run_workers() held the place of this fiber */
        uv_run(&l->uv, UV_RUN_DEFAULT);
        alternate_done(&alternate);
        loop_here = NULL;
        return NULL;
}

int run_workers(int n, int (*start)(void *arg, int index), void *arg)
{
        assert(n >= 1 && n <= WORKERS_MAX && n_loops == 0 && !loop_here);
        signal(SIGPIPE, SIG_IGN);
        for (int i = 0; i < n; i++) loops[i] = loop_new(i, start, arg);
        atomic_store(&work, n);
        atomic_store(&stopped, false);
        atomic_store(&verdict, 0);
        n_loops = n;
        stack_watch_start();
        loops[0]->thread = pthread_self();
        for (int i = 1; i < n; i++) {
                int made = pthread_create(&loops[i]->thread, NULL, loop_thread, loops[i]);
                assert(made == 0);      /* at start; the program cannot do what it was asked */
        }
        watchdog_start();
        loop_thread(loops[0]);
        for (int i = 1; i < n; i++) pthread_join(loops[i]->thread, NULL);
        watchdog_stop();
        stack_watch_stop();
        n_loops = 0;
        for (int i = 0; i < n; i++) {
                loop_free(loops[i]);
                loops[i] = NULL;
        }
        return atomic_load(&verdict);
}

struct main_call { int (*fn)(struct ctx *c, void *arg); void *arg; };

static int main_start(void *arg, int index)
{
        struct main_call *call = arg;
        struct ctx c = { .arena = arena_new(16 * 1024 * 1024), .op = "main" };
        int r = call->fn(&c, call->arg);
        (void)index;
        arena_free(c.arena);
        return r;
}

int run_main(int (*fn)(struct ctx *c, void *arg), void *arg)
{
        return run_workers(1, main_start, &(struct main_call){ fn, arg });
}

/* ---- signals --------------------------------------------------------------------------------------------------------------- */
static void on_uv_signal(uv_signal_t *h, int signo)
{
        struct signal_hook *s = CONTAINER(h, struct signal_hook, uv);
        if (fiber_start("signal", s->fn, s->arg) < 0) log_say(ERROR, "signal_lost", L_INT("signal", signo));
}

int on_signal(int signo, void (*fn)(void *arg), void *arg)
{
        struct loop *l = loop_here;
        assert(l && l->index == 0);
        struct signal_hook *s = calloc(1, sizeof *s);
        if (!s) return -RESOURCE_EXHAUSTED;
        s->fn = fn;
        s->arg = arg;
        s->next = l->signals;
        l->signals = s;
        uv_signal_init(&l->uv, &s->uv);
        uv_unref((uv_handle_t *)&s->uv);
        return uv_signal_start(&s->uv, on_uv_signal, signo) == 0 ? 0 : -INVALID_ARGUMENT;
}
