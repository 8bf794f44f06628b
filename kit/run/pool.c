/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pool.c - a few threads and a bounded queue.
 *
 * A job is in the queue, running, or done; the lock is held for the moves only. Jobs of pool_run() lie on the stack of the
 * fiber, which stays until its job has left the queue or has run. Detached jobs (names being resolved, which nothing can
 * interrupt) lie in the heap and are freed by whichever side comes last. */
#include <stdlib.h>
#include "fiber.h"
#include "inside.h"
#include "pool.h"
#include "pool_inside.h"

enum { THREADS_MAX = 64 };

static struct {
        pthread_mutex_t lock;
        pthread_cond_t  filled;
        struct link     queue;
        pthread_t       threads[THREADS_MAX];
        bool            stop;
        struct pool_stats stats;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .queue = { &pool.queue, &pool.queue } };

static void *work(void *arg)
{
        (void)arg;
        pthread_mutex_lock(&pool.lock);
        for (;;) {
                while (list_is_empty(&pool.queue) && !pool.stop) pthread_cond_wait(&pool.filled, &pool.lock);
                struct link *e = list_pop(&pool.queue);
                if (!e) break;
                struct job *j = CONTAINER(e, struct job, link);
                pool.stats.queued--;
                pool.stats.busy++;
                j->state = JOB_RUNS;
                pthread_mutex_unlock(&pool.lock);
                int result = j->fn(j->arg);
                pthread_mutex_lock(&pool.lock);
                pool.stats.busy--;
                pool.stats.done++;
                j->result = result;
                j->state = JOB_DONE;
                if (j->fiber) fiber_wake_from_anywhere(j->fiber, j->home);
                else j->drop(j->arg);
        }
        pthread_mutex_unlock(&pool.lock);
        return NULL;
}

static void start_locked(int threads, int queue_max)
{
        pool.stop = false;
        pool.stats = (struct pool_stats){ .queue_max = queue_max };
        for (; pool.stats.threads < threads; pool.stats.threads++)
                if (pthread_create(&pool.threads[pool.stats.threads], NULL, work, NULL) != 0) break;
        assert(pool.stats.threads > 0);
}

void pool_start(int threads, int queue_max)
{
        assert(threads >= 1 && threads <= THREADS_MAX && queue_max >= 1);
        pthread_mutex_lock(&pool.lock);
        assert(pool.stats.threads == 0);
        start_locked(threads, queue_max);
        pthread_mutex_unlock(&pool.lock);
}

void pool_stop(void)
{
        pthread_mutex_lock(&pool.lock);
        int n = pool.stats.threads;
        pool.stop = true;
        pthread_cond_broadcast(&pool.filled);
        pthread_mutex_unlock(&pool.lock);
        for (int i = 0; i < n; i++) pthread_join(pool.threads[i], NULL);
        pthread_mutex_lock(&pool.lock);
        pool.stats.threads = 0;
        pthread_mutex_unlock(&pool.lock);
}

struct pool_stats pool_stats(void)
{
        pthread_mutex_lock(&pool.lock);
        struct pool_stats s = pool.stats;
        pthread_mutex_unlock(&pool.lock);
        return s;
}

static bool enqueue(struct job *j)
{
        pthread_mutex_lock(&pool.lock);
        if (pool.stats.threads == 0) start_locked(2, 256);
        bool room = pool.stats.queued < pool.stats.queue_max;
        if (room) {
                list_push(&pool.queue, &j->link);
                pool.stats.queued++;
                pthread_cond_signal(&pool.filled);
        } else {
                pool.stats.refused++;
        }
        pthread_mutex_unlock(&pool.lock);
        return room;
}

/* The state of the job now; one that still waits for a thread is taken back when the fiber gives up. */
static enum job_state look(struct job *j, bool gives_up)
{
        pthread_mutex_lock(&pool.lock);
        enum job_state state = j->state;
        if (gives_up && state == JOB_QUEUED) {
                link_remove(&j->link);
                pool.stats.queued--;
        } else if (gives_up && j->drop && state == JOB_RUNS) {
                j->fiber = NULL;
        }
        pthread_mutex_unlock(&pool.lock);
        return state;
}

int job_run(struct ctx *c, struct job *j, const char *where)
{
        j->fiber = fiber_self();
        j->home = loop_here;
        j->state = JOB_QUEUED;
        if (!enqueue(j)) {
                if (j->drop) j->drop(j->arg);
                return fail(c, RESOURCE_EXHAUSTED, "pool_full", "too much slow work is waiting");
        }
        for (;;) {
                int verdict = fiber_wait(c, where);
                enum job_state state = look(j, verdict < 0);
                if (state == JOB_DONE) return j->result;
                if (verdict == 0) continue;
                if (state == JOB_RUNS && !j->drop) {
                        do fiber_park_firmly(where); while (look(j, false) != JOB_DONE);
                        return j->result;
                }
                if (state == JOB_QUEUED && j->drop) j->drop(j->arg);
                return wait_fault(c, verdict, where);
        }
}

int pool_run(struct ctx *c, int (*fn)(void *arg), void *arg)
{
        struct job j = { .fn = fn, .arg = arg };
        return job_run(c, &j, "pool_run");
}
