/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * group_test.c - groups: joining, the first failure, cancellation that reaches every kind of wait. */
#include "test.h"
#include <sys/socket.h>
#include <unistd.h>
#include "chan.h"
#include "clock.h"
#include "fiber.h"
#include "io.h"
#include "loop.h"
#include "pool.h"
#include "sync.h"

static int n_ran;

static int add_one(struct ctx *c, void *arg)
{
        fiber_yield();
        n_ran++;
        *(int *)arg += 1;
        return arena_alloc(c->arena, 1000) ? 0 : -INTERNAL;
}

static int join_all(struct ctx *c, void *arg)
{
        (void)arg;
        int v[10] = { 0 };
        n_ran = 0;
        GROUP(g, c);
        for (int i = 0; i < 10; i++) CHECK_OK(group_go(g, add_one, &v[i]));
        CHECK_EQ(n_ran, 0);
        CHECK_OK(group_wait(g));
        CHECK_EQ(n_ran, 10);
        for (int i = 0; i < 10; i++) CHECK_EQ(v[i], 1);
        CHECK_OK(group_go(g, add_one, &v[0]));          /* a joined group can go on */
        CHECK_OK(group_wait(g));
        CHECK_EQ(v[0], 2);
        return 0;
}

TEST(a_group_joins_all_it_started)                              { CHECK_OK(run_main(join_all, NULL)); }

static int inherits(struct ctx *c, void *arg)
{
        const struct ctx *p = arg;
        CHECK(c != p && c->arena != p->arena);
        CHECK_EQ(c->deadline_us, p->deadline_us);
        CHECK(uid_eq(c->caller.id, p->caller.id));
        CHECK_STR(c->trace.request_id, "req-1");
        CHECK_STR(c->idempotency_key, "key-1");
        CHECK(c->tx == NULL);
        return 0;
}

static int inherit(struct ctx *c, void *arg)
{
        (void)arg;
        ctx_limit(c, 5000);
        c->caller.id.b[3] = 7;
        c->trace.request_id = STR("req-1");
        c->idempotency_key = STR("key-1");
        c->tx = (struct db *)c;         /* never looked into */
        GROUP(g, c);
        CHECK_OK(group_go(g, inherits, c));
        return group_wait(g);
}

TEST(a_child_inherits_who_asks_and_until_when_but_no_transaction)       { CHECK_OK(run_main(inherit, NULL)); }

static int fail_soon(struct ctx *c, void *arg)
{
        fiber_yield();
        return fail(c, NOT_FOUND, "no_such_thing", "no %s", (const char *)arg);
}

static int seen_code;

static int sleep_long(struct ctx *c, void *arg)
{
        (void)arg;
        seen_code = fiber_sleep(c, MINUTES(10));
        return seen_code;
}

static int first_failure(struct ctx *c, void *arg)
{
        (void)arg;
        GROUP(g, c);
        CHECK_OK(group_go(g, sleep_long, NULL));
        CHECK_OK(group_go(g, fail_soon, "bread"));
        CHECK_OK(group_go(g, fail_soon, "milk"));
        CHECK_EQ(group_wait(g), -NOT_FOUND);
        CHECK_EQ(seen_code, -CANCELLED);
        CHECK_EQ(c->fault.code, NOT_FOUND);
        assert_string_equal(c->fault.slug, "no_such_thing");
        CHECK_STR(c->fault.message, "no bread");
        return 0;
}

TEST(the_first_failure_cancels_the_others_and_tells_its_story)  { CHECK_OK(run_main(first_failure, NULL)); }

static int leave_early(struct ctx *c)
{
        GROUP(g, c);
        TRY(group_go(g, sleep_long, NULL));
        fiber_yield();
        return 5;
}

static int early(struct ctx *c, void *arg)
{
        (void)arg;
        seen_code = 0;
        CHECK_EQ(leave_early(c), 5);
        CHECK_EQ(seen_code, -CANCELLED);
        CHECK_EQ(fiber_stats(0).live, 1);
        return 0;
}

TEST(leaving_the_scope_cancels_and_joins)                       { CHECK_OK(run_main(early, NULL)); }

/* A fiber that is cancelled has a last word all the same. */
struct last { bool cancelled, said; };

static int say_last(struct ctx *c, void *arg)
{
        CHECK_OK(fiber_sleep(c, 1));
        ((struct last *)arg)->said = true;
        return 0;
}

static int cut_off(struct ctx *c, void *arg)
{
        struct last *l = arg;
        l->cancelled = fiber_sleep(c, 60000) == -CANCELLED;
        GROUP(g, c);
        CHECK_OK(group_go(g, say_last, l));
        CHECK_OK(group_finish(g));
        CHECK(l->said);
        CHECK_EQ(fiber_sleep(c, 1), -CANCELLED);        /* it is still cancelled */
        return 0;
}

static int last_word(struct ctx *c, void *arg)
{
        struct last l = { 0 };
        (void)arg;
        {
                GROUP(g, c);
                CHECK_OK(group_go(g, cut_off, &l));
                fiber_yield();
        }
        CHECK(l.cancelled && l.said);
        return 0;
}

TEST(what_is_finished_is_not_cut_short_by_the_callers_cancellation)     { CHECK_OK(run_main(last_word, NULL)); }

static int deadline(struct ctx *c, void *arg)
{
        (void)arg;
        ctx_limit(c, 5);
        GROUP(g, c);
        CHECK_OK(group_go(g, sleep_long, NULL));
        CHECK_EQ(group_wait(g), -DEADLINE_EXCEEDED);
        CHECK_EQ(seen_code, -DEADLINE_EXCEEDED);
        CHECK_EQ(fiber_stats(0).live, 1);
        return 0;
}

TEST(the_deadline_of_the_parent_is_that_of_its_children)        { CHECK_OK(run_main(deadline, NULL)); }

/* ---- every kind of wait ------------------------------------------------------------------------------------------------- */
static struct waits {
        struct chan *empty, *full, *meet;
        struct mutex held;
        struct sem none;
        struct event_flag flag;
        struct sock *quiet;
        struct listener *l;
        int pair[2];
        struct fd_watch *w;
} on;

static int in_recv(struct ctx *c, void *arg)    { (void)arg; return chan_recv(c, on.empty, &(int){ 0 }); }
static int in_send(struct ctx *c, void *arg)    { (void)arg; return chan_send(c, on.full, &(int){ 0 }); }
static int in_mutex(struct ctx *c, void *arg)   { (void)arg; return mutex_lock(c, &on.held); }
static int in_sem(struct ctx *c, void *arg)     { (void)arg; return sem_take(c, &on.none); }
static int in_flag(struct ctx *c, void *arg)    { (void)arg; return event_flag_wait(c, &on.flag); }
static int in_sleep(struct ctx *c, void *arg)   { (void)arg; return fiber_sleep(c, HOURS(1)); }
static int in_park(struct ctx *c, void *arg)    { (void)arg; return fiber_park(c, "test"); }
static int in_accept(struct ctx *c, void *arg)  { (void)arg; struct sock *s; return listen_accept(c, on.l, &s); }
static int in_fd(struct ctx *c, void *arg)      { (void)arg; return fd_wait(c, on.w, 1); }
static int in_read(struct ctx *c, void *arg)    { (void)arg; char b; return (int)sock_read(c, on.quiet, &b, 1); }

static int in_select(struct ctx *c, void *arg)
{
        (void)arg;
        int x;
        struct chan_case v[2] = { { .ch = on.empty, .recv = &x }, { .ch = on.meet, .send = &x } };
        return chan_select(c, v, 2);
}

static int in_write(struct ctx *c, void *arg)
{
        (void)arg;
        static char much[65536];
        for (;;) TRY(sock_write_str(c, on.quiet, (str){ much, sizeof much }));
}

static int in_group(struct ctx *c, void *arg)
{
        GROUP(g, c);
        TRY(group_go(g, in_sleep, arg));
        return group_wait(g);
}

static int (*const kinds[])(struct ctx *, void *) = {
        in_recv, in_send, in_mutex, in_sem, in_flag, in_sleep, in_park, in_accept, in_fd, in_select, in_write, in_group, in_read,
};

struct one { int (*fn)(struct ctx *c, void *arg); int result; };

static int run_one(struct ctx *c, void *arg)
{
        struct one *o = arg;
        o->result = o->fn(c, NULL);
        return 0;
}

static int every_kind(struct ctx *c, void *arg)
{
        bool by_deadline = *(bool *)arg;
        struct one ones[COUNT(kinds)];
        on.empty = chan_new(1, sizeof(int));
        on.meet = chan_new(0, sizeof(int));
        on.full = chan_new(1, sizeof(int));
        CHECK_OK(chan_try_send(on.full, &(int){ 1 }));
        mutex_init(&on.held);
        CHECK_OK(mutex_lock(c, &on.held));
        sem_setup(&on.none, 0);
        event_flag_init(&on.flag);
        CHECK_OK(listen_open(c, STR("127.0.0.1"), 0, 4, &on.l));
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), listen_port(on.l), &on.quiet));
        struct sock *other AUTO(sock_close) = NULL;
        CHECK_OK(listen_accept(c, on.l, &other));
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, on.pair), 0);
        on.w = fd_watch_open(on.pair[0]);
        {
                struct ctx brief = *c;
                clock_fake((when){ 1 });
                if (by_deadline) ctx_limit(&brief, 20);
                GROUP(g, &brief);
                for (size_t i = 0; i < COUNT(kinds); i++) {
                        ones[i] = (struct one){ kinds[i], 99 };
                        CHECK_OK(group_go(g, run_one, &ones[i]));
                }
                while (fiber_stats(0).waiting < fiber_stats(0).live - 1) fiber_yield();
                clock_advance(19);
                fiber_yield();
                for (size_t i = 0; i < COUNT(kinds); i++) CHECK_EQ(ones[i].result, 99);
                if (by_deadline) clock_advance(1);
                if (by_deadline) CHECK_OK(group_wait(g));
                clock_real();
        }
        for (size_t i = 0; i < COUNT(kinds); i++) CHECK_EQ(ones[i].result, by_deadline ? -DEADLINE_EXCEEDED : -CANCELLED);
        chan_free(on.empty);
        chan_free(on.full);
        chan_free(on.meet);
        sock_close(&on.quiet);
        listen_close(&on.l);
        fd_watch_close(&on.w);
        close(on.pair[0]);
        close(on.pair[1]);
        return 0;
}

TEST(cancellation_reaches_every_kind_of_wait)                   { CHECK_OK(run_main(every_kind, &(bool){ false })); }
TEST(a_deadline_reaches_every_kind_of_wait)                     { CHECK_OK(run_main(every_kind, &(bool){ true })); }

static int adds_one(struct ctx *c, void *arg)
{
        char *text = arena_printf(c->arena, "%d", *(int *)arg).p ? arena_alloc(c->arena, 100) : NULL;
        if (!text) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no memory for a child");
        ++*(int *)arg;
        return 0;
}

static int three_children(struct ctx *c, int *done)
{
        GROUP(g, c);
        for (int i = 0; i < 3; i++) TRY(group_go(g, adds_one, done));
        return group_wait(g);
}

static int with_less_memory(struct ctx *c, void *arg)
{
        long n = 0;
        int r, done;
        (void)arg;
        do {
                done = 0;
                fault_clear(c);
                alloc_fail_after(++n);
                r = three_children(c, &done);
                CHECK_EQ(r, alloc_failed() ? -RESOURCE_EXHAUSTED : 0);
                CHECK(alloc_failed() || done == 3);
                alloc_fail_after(0);
                CHECK_EQ(fiber_stats(0).live, 1);
        } while (r < 0);
        CHECK(n > 6);
        return 0;
}

TEST(a_group_whose_children_find_no_memory_fails_whole_and_leaves_none_behind) { CHECK_OK(run_main(with_less_memory, NULL)); }

TEST_MAIN
