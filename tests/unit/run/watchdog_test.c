/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * watchdog_test.c - fibers that misbehave are told by name: one that holds its loop, one that runs out of stack. */
#include "test.h"
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "clock.h"
#include "context.h"
#include "fiber.h"
#include "log.h"
#include "loop.h"
#include "sanitizer.h"

/* Runs fn in a child process and returns what it wrote to standard error. */
static char *errors_of(int (*fn)(struct ctx *c, void *arg), void *arg, int *ret_status)
{
        static char text[16384];
        int pipe_ends[2];
        CHECK_EQ(pipe(pipe_ends), 0);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                dup2(pipe_ends[1], STDERR_FILENO);
                close(pipe_ends[0]);
                for (int i = 1; i < 32; i++) signal(i, SIG_DFL);        /* cmocka's handlers are not ours */
                log_setup(INFO, LOG_JSON, false, STDERR_FILENO);
                _exit(run_main(fn, arg) == 0 ? 0 : 1);
        }
        close(pipe_ends[1]);
        size_t n = 0;
        for (ssize_t r; n < sizeof text - 1 && (r = read(pipe_ends[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)r;
        text[n] = 0;
        close(pipe_ends[0]);
        CHECK_EQ(waitpid(pid, ret_status, 0), pid);
        return text;
}

static volatile int sink, depth_max = INT_MAX;

static int dig(int depth)
{
        volatile char some[512];
        some[depth % 512] = (char)depth;
        int deeper = depth < depth_max ? dig(depth + 1) : 0;
        return deeper + some[depth % 512];
}

static void overflow(void *arg)
{
        (void)arg;
        sink = dig(1);
}

static int start_overflow(struct ctx *c, void *arg)
{
        (void)arg;
        TRY(fiber_start("greedy recursion", overflow, NULL));
        return fiber_sleep(c, 1000);
}

TEST(running_out_of_stack_names_the_fiber)
{
        int status;
        const char *text = errors_of(start_overflow, NULL, &status);
        CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
        if (!strstr(text, "fiber \"greedy recursion\" ran past the end of its stack")) cm_fail_msg("standard error was: %s", text);
}

static int64_t computed_us(void)
{
        struct timespec t;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Computes. Other threads get their turn each millisecond: valgrind runs one at a time and takes the turn from nobody. */
static void compute(int ms)
{
        for (int i = 0; i < ms; i++) {
                for (int64_t until = computed_us() + 1000; computed_us() < until;) continue;
                sched_yield();
        }
}

/* Holds the loop until that is told, and some time more. Whether it is told is for alarm() to say: no machine is too slow. */
static void hold(void *arg)
{
        fiber_rename("greedy loop");
        for (uint64_t before = watchdog_reports(); watchdog_reports() == before;) {
                if (arg) (void)poll(NULL, 0, 1);
                else compute(1);
        }
        if (!arg) compute(100);
        else (void)poll(NULL, 0, 100);
}

static int hold_twice(struct ctx *c, void *arg)
{
        alarm(120);
        watchdog_limit(20);
        for (int i = 0; i < 2; i++) {
                TRY(fiber_start("hold", hold, arg));
                fiber_yield();
                TRY(fiber_sleep(c, 1));
        }
        return 0;
}

static size_t count(const char *text, const char *what)
{
        size_t n = 0;
        for (const char *p = text; (p = strstr(p, what)); p++) n++;
        return n;
}

static void told_twice(void *arg)
{
        int status;
        const char *text = errors_of(hold_twice, arg, &status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) cm_fail_msg("status %d: %s", status, text);
        CHECK_EQ(count(text, "\"greedy loop\""), 2);
        CHECK(count(text, "loop_held") >= 2);
}

TEST(a_fiber_that_holds_its_loop_is_reported_once_a_hold)       { told_twice(NULL); }
TEST(a_fiber_that_sleeps_in_a_system_call_holds_its_loop_too)   { told_twice("sleeps"); }

/* ---- a machine that has no core for it -------------------------------------------------------------------------------- */
static atomic_bool enough;

static void *burn(void *arg)
{
        while (!enough) continue;
        return arg;
}

/* The loop's thread shares one core with another that computes and goes before it: much time passes, little is computed. */
static int descheduled(struct ctx *c, void *arg)
{
        cpu_set_t one;
        pthread_t other;
        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        (void)arg;
        watchdog_limit(20);
        if (pthread_create(&other, NULL, burn, NULL) != 0) return -UNKNOWN;
        bool shared = pthread_setaffinity_np(other, sizeof one, &one) == 0 && pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0
                   && pthread_setschedparam(pthread_self(), SCHED_IDLE, &(struct sched_param){ 0 }) == 0;
        for (int64_t from_us = clock_us(), used_us = computed_us(); shared && clock_us() - from_us < 300000 && computed_us() - used_us < 10000;) continue;
        uint64_t told = watchdog_reports();
        enough = true;
        pthread_join(other, NULL);              /* which is a hold, should it last */
        return told ? -ABORTED : fiber_sleep(c, 1);
}

TEST(a_fiber_that_gets_no_core_holds_nothing)
{
        if (san_on_valgrind()) skip();          /* its threads wait for each other, not for a core */
        int status;
        const char *text = errors_of(descheduled, NULL, &status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) cm_fail_msg("status %d: %s", status, text);
}

static int quiet(struct ctx *c, void *arg)
{
        (void)arg;
        watchdog_limit(0);
        for (int64_t since = clock_us(); clock_us() - since < 50000;) continue;
        CHECK_EQ(watchdog_reports(), 0);
        return fiber_sleep(c, 1);
}

TEST(the_watchdog_can_be_told_to_look_away)
{
        int status;
        const char *text = errors_of(quiet, NULL, &status);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK_EQ(count(text, "loop_held"), 0);
}

/* ---- running out of memory for stacks ------------------------------------------------------------------------------------ */
static bool go_on;

static void linger(void *arg)
{
        while (!go_on) fiber_yield();
        ++*(int *)arg;
}

static int nothing(struct ctx *c, void *arg)
{
        (void)c, (void)arg;
        return 0;
}

static int start_too_many(struct ctx *c, void *arg)
{
        struct rlimit room;
        long pages = 0;
        int n = 0, done = 0, r;
        FILE *f = fopen("/proc/self/statm", "r");
        if (!f || fscanf(f, "%ld", &pages) != 1) return -UNKNOWN;
        fclose(f);
        room.rlim_cur = room.rlim_max = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + 8 * 1024 * 1024;
        if (setrlimit(RLIMIT_AS, &room) < 0) return -UNKNOWN;
        (void)arg;
        while ((r = fiber_start("linger", linger, &done)) == 0) n++;
        if (r != -RESOURCE_EXHAUSTED || n < 10 || n > 1000) return -INTERNAL;
        {
                GROUP(g, c);
                if (group_go(g, nothing, NULL) != -RESOURCE_EXHAUSTED || group_wait(g) != -RESOURCE_EXHAUSTED) return -DATA_LOSS;
                if (strcmp(c->fault.slug, "too_many_fibers") != 0) return -DATA_LOSS;
        }
        go_on = true;
        while (fiber_stats(0).live > 1) fiber_yield();
        return done == n && fiber_start("linger", linger, &done) == 0 ? 0 : -ABORTED;
}

TEST(a_fiber_without_memory_for_its_stack_is_refused_and_the_others_go_on)
{
        if (SAN_ADDRESS || SAN_THREAD || san_on_valgrind()) skip();     /* they map memory as they please */
        int status;
        const char *text = errors_of(start_too_many, NULL, &status);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) cm_fail_msg("status %d: %s", status, text);
}

/* ---- from outside ------------------------------------------------------------------------------------------------------------ */
static int show_up(struct ctx *c, void *arg)
{
        (void)arg;
        ssize_t n = write(STDERR_FILENO, "here\n", 5);
        return n == 5 ? fiber_sleep(c, 20000) : -UNKNOWN;
}

TEST(gdb_lists_the_fibers_of_a_process)
{
        if (san_on_valgrind()) skip();          /* gdb would see valgrind */
        int ends[2];
        char script[512], command[1024];
        snprintf(script, sizeof script, "%.*s/../../../tools/gdb/fibers.py", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
        CHECK_EQ(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
                dup2(ends[1], STDERR_FILENO);
                _exit(run_main(show_up, NULL) == 0 ? 0 : 1);
        }
        char hello[5];
        CHECK_EQ(read(ends[0], hello, 5), 5);
        snprintf(command, sizeof command, "gdb -q -nx -batch -p %d -x '%s' -ex 'fibers bt' 2>&1", (int)pid, script);
        FILE *f = popen(command, "r");
        static char text[65536];
        size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
        text[n] = 0;
        if (f) pclose(f);
        kill(pid, SIGKILL);
        CHECK_EQ(waitpid(pid, &(int){ 0 }, 0), pid);
        close(ends[0]);
        close(ends[1]);
        if (strstr(text, "not found") || strstr(text, "ptrace:") || strstr(text, "Could not attach")) skip();
        if (!strstr(text, "fiber_sleep") || (CONTEXT_IS_SP && !strstr(text, "main_start at"))) cm_fail_msg("gdb said: %s", text);
}

TEST_MAIN
