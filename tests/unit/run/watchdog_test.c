/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * watchdog_test.c - fibers that misbehave are told by name: one that holds its loop, one that runs out of stack. */
#include "test.h"
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"
#include "fiber.h"
#include "log.h"
#include "loop.h"

/* Runs fn in a child process and returns what it wrote to standard error. */
static char *errors_of(int (*fn)(struct ctx *c, void *arg), int *ret_status)
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
                _exit(run_main(fn, NULL) == 0 ? 0 : 1);
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
        const char *text = errors_of(start_overflow, &status);
        CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
        if (!strstr(text, "fiber \"greedy recursion\" ran past the end of its stack")) cm_fail_msg("standard error was: %s", text);
}

static void hold(void *arg)
{
        (void)arg;
        fiber_rename("greedy loop");
        uint64_t before = watchdog_reports();
        for (int64_t since = clock_us(); watchdog_reports() == before && clock_us() - since < 5000000;) continue;
        for (int64_t since = clock_us(); clock_us() - since < 50000;) continue;
}

static int hold_twice(struct ctx *c, void *arg)
{
        (void)arg;
        watchdog_limit(20);
        for (int i = 0; i < 2; i++) {
                TRY(fiber_start("hold", hold, NULL));
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

TEST(a_fiber_that_holds_its_loop_is_reported_once_a_hold)
{
        int status;
        const char *text = errors_of(hold_twice, &status);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK_EQ(count(text, "\"greedy loop\""), 2);
        CHECK(count(text, "loop_held") >= 2);
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
        const char *text = errors_of(quiet, &status);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK_EQ(count(text, "loop_held"), 0);
}

TEST_MAIN
