/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * watchdog.c - a thread that tells who holds a loop.
 *
 * It looks at each loop's count of switches twice a limit: a count that stood still for the limit while a fiber was running is
 * a hold, told once, if the fiber computed that long or sleeps in a system call. A thread that is ready and has had less CPU time
 * was given no core by a busy machine, which is nobody's hold. It looks at the real clock, whatever a test has put in place of it. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "inside.h"
#include "log.h"

static struct {
        atomic_int       limit_ms;              /* -1: nobody said: 10, or off under valgrind       */
        atomic_uint_fast64_t reports;
        pthread_t        thread;
        pthread_mutex_t  lock;
        pthread_cond_t   changed;               /* limit_ms or stop                                 */
        bool             runs, stop;
} dog = { .limit_ms = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

struct sample { uint64_t switches; int64_t since_us, cpu_us; bool told; int stat; };

static int limit_now(void)
{
        int ms = atomic_load(&dog.limit_ms);
        return ms >= 0 ? ms : san_on_valgrind() ? 0 : 10;
}

void watchdog_limit(int limit_ms)
{
        atomic_store(&dog.limit_ms, MAX(limit_ms, 0));
        pthread_mutex_lock(&dog.lock);
        if (dog.runs) pthread_cond_signal(&dog.changed);
        pthread_mutex_unlock(&dog.lock);
}

uint64_t watchdog_reports(void)
{
        return atomic_load(&dog.reports);
}

static int64_t cpu_us(const struct loop *l)
{
        clockid_t id;
        struct timespec t = { 0 };
        if (pthread_getcpuclockid(l->thread, &id) == 0) clock_gettime(id, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Does the thread run or wait for a core? "R" after the name in brackets in /proc/self/task/<tid>/stat (proc(5)), which s keeps open. */
static bool is_ready(const struct loop *l, struct sample *s)
{
        char text[512];
        int tid = OWN_GET(l->tid);
        if (s->stat == 0 && tid != 0) {
                snprintf(text, sizeof text, "/proc/self/task/%d/stat", tid);
                s->stat = open(text, O_RDONLY | O_CLOEXEC);
        }
        ssize_t n = s->stat > 0 ? pread(s->stat, text, sizeof text - 1, 0) : -1;
        if (n <= 0) return false;
        text[n] = 0;
        const char *state = strrchr(text, ')');
        return state && state[1] == ' ' && state[2] == 'R';
}

static void look(struct loop *l, struct sample *s, int limit_ms)
{
        uint64_t switches = OWN_GET(l->switches);
        const char *name = OWN_GET(l->running);
        int64_t now_us = clock_real_us();
        if (!name || switches != s->switches) {
                s->switches = switches;
                s->told = false;
                if (!name) return;
                s->since_us = now_us;
                s->cpu_us = cpu_us(l);
                return;
        }
        int64_t held_us = now_us - s->since_us;
        if (s->told || held_us < limit_ms * 1000) return;
        int64_t used_us = cpu_us(l) - s->cpu_us;
        if (used_us < limit_ms * 1000 && is_ready(l, s)) return;
        s->told = true;
        atomic_fetch_add(&dog.reports, 1);
        log_say(WARN, "loop_held", L_Z("fiber", name), L_INT("loop", l->index), L_MS("held_ms", held_us), L_MS("cpu_ms", used_us));
}

/* Waits half the limit, or for a change of it when it is 0. */
static void pause_for(int limit_ms)
{
        if (limit_ms == 0) {
                pthread_cond_wait(&dog.changed, &dog.lock);
                return;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += (long)MIN(limit_ms, 1000) * 500000;
        if (until.tv_nsec >= 1000000000) {
                until.tv_nsec -= 1000000000;
                until.tv_sec++;
        }
        pthread_cond_timedwait(&dog.changed, &dog.lock, &until);
}

static void *watch(void *arg)
{
        (void)arg;
        struct sample samples[WORKERS_MAX] = { 0 };
        pthread_mutex_lock(&dog.lock);
        while (!dog.stop) {
                int limit_ms = limit_now();
                pause_for(limit_ms);
                for (int i = 0; limit_ms > 0 && !dog.stop && i < loop_count(); i++) look(loop_at(i), &samples[i], limit_ms);
        }
        pthread_mutex_unlock(&dog.lock);
        for (int i = 0; i < WORKERS_MAX; i++)
                if (samples[i].stat > 0) close(samples[i].stat);
        return NULL;
}

void watchdog_start(void)
{
        pthread_condattr_t a;
        pthread_condattr_init(&a);
        pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
        pthread_cond_init(&dog.changed, &a);
        pthread_condattr_destroy(&a);
        dog.stop = false;
        dog.runs = true;
        int made = pthread_create(&dog.thread, NULL, watch, NULL);
        assert(made == 0);
}

void watchdog_stop(void)
{
        pthread_mutex_lock(&dog.lock);
        dog.runs = false;
        dog.stop = true;
        pthread_cond_signal(&dog.changed);
        pthread_mutex_unlock(&dog.lock);
        pthread_join(dog.thread, NULL);
        pthread_cond_destroy(&dog.changed);
}
