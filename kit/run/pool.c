/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pool.c - a few threads and a bounded queue.
 *
 * A job is in the queue, running, or done; the lock is held for the moves only. Jobs of pool_run() lie on the stack of the
 * fiber, which stays until its job has left the queue or has run. Jobs that ask another machine, which nothing can interrupt, have
 * a lane of their own: they lie in the heap, are freed by whichever side comes last, and at the end of the program those that still
 * have no answer are left behind. */
#include <stdlib.h>
#include "fiber.h"
#include "inside.h"
#include "pool.h"
#include "pool_inside.h"

enum { THREADS_MAX = 64, QUEUE_MAX = 256 };

struct lane {
        pthread_mutex_t lock;
        pthread_cond_t  filled, left;
        struct link     queue;
        bool            stop;
        bool            leaves;         /* the end does not wait for what runs                      */
        struct pool_stats stats;
};

#define LANE(i) { .lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .left = PTHREAD_COND_INITIALIZER, \
                  .queue = { &lanes[i].queue, &lanes[i].queue }, .leaves = (i) == LANE_ASK }
static struct lane lanes[] = { [LANE_WORK] = LANE(LANE_WORK), [LANE_ASK] = LANE(LANE_ASK) };

static void *work(void *arg)
{
        struct lane *p = arg;
        pthread_mutex_lock(&p->lock);
        for (;;) {
                while (list_is_empty(&p->queue) && !p->stop) pthread_cond_wait(&p->filled, &p->lock);
                struct link *e = list_pop(&p->queue);
                if (!e) break;
                struct job *j = CONTAINER(e, struct job, link);
                p->stats.queued--;
                p->stats.busy++;
                j->state = JOB_RUNS;
                pthread_mutex_unlock(&p->lock);
                int result = j->fn(j->arg);
                pthread_mutex_lock(&p->lock);
                p->stats.busy--;
                p->stats.done++;
                j->result = result;
                j->state = JOB_DONE;
                if (j->fiber) fiber_wake_from_anywhere(j->fiber, j->home);
                else j->drop(j->arg);
        }
        p->stats.threads--;
        pthread_cond_signal(&p->left);
        pthread_mutex_unlock(&p->lock);
        return NULL;
}

static void start_locked(struct lane *p, int threads, int queue_max)
{
        pthread_attr_t detached;
        pthread_t t;
        p->stop = false;
        p->stats = (struct pool_stats){ .threads = p->stats.threads, .busy = p->stats.busy, .queue_max = queue_max };
        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        for (; p->stats.threads < threads; p->stats.threads++)
                if (pthread_create(&t, &detached, work, p) != 0) break;
        pthread_attr_destroy(&detached);
        assert(p->stats.threads > 0 && "no thread can be started: no memory, or too many processes");
}

void pool_start(int threads, int queue_max)
{
        struct lane *p = &lanes[LANE_WORK];
        assert(threads >= 1 && threads <= THREADS_MAX && queue_max >= 1);
        pthread_mutex_lock(&p->lock);
        assert(p->stats.threads == 0);
        start_locked(p, threads, queue_max);
        pthread_mutex_unlock(&p->lock);
}

static void stop(struct lane *p)
{
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_broadcast(&p->filled);
        while (p->stats.threads > (p->leaves ? p->stats.busy : 0)) pthread_cond_wait(&p->left, &p->lock);
        pthread_mutex_unlock(&p->lock);
}

void pool_stop(void)
{
        for (size_t i = 0; i < COUNT(lanes); i++) stop(&lanes[i]);
}

static struct pool_stats stats_of(struct lane *p)
{
        pthread_mutex_lock(&p->lock);
        struct pool_stats s = p->stats;
        pthread_mutex_unlock(&p->lock);
        return s;
}

struct pool_stats pool_stats(void)              { return stats_of(&lanes[LANE_WORK]); }
struct pool_stats pool_ask_stats(void)          { return stats_of(&lanes[LANE_ASK]); }

static bool enqueue(struct job *j)
{
        struct lane *p = &lanes[j->lane];
        pthread_mutex_lock(&p->lock);
        if (p->stats.threads == 0 || p->stop) start_locked(p, j->lane == LANE_ASK ? POOL_ASKERS : 2, QUEUE_MAX);
        bool room = p->stats.queued < p->stats.queue_max;
        if (room) {
                list_push(&p->queue, &j->link);
                p->stats.queued++;
                pthread_cond_signal(&p->filled);
        } else {
                p->stats.refused++;
        }
        pthread_mutex_unlock(&p->lock);
        return room;
}

/* The state of the job now; one that still waits for a thread is taken back when the fiber gives up. */
static enum job_state look(struct job *j, bool gives_up)
{
        struct lane *p = &lanes[j->lane];
        pthread_mutex_lock(&p->lock);
        enum job_state state = j->state;
        if (gives_up && state == JOB_QUEUED) {
                link_remove(&j->link);
                p->stats.queued--;
        } else if (gives_up && j->drop && state == JOB_RUNS) {
                j->fiber = NULL;
        }
        pthread_mutex_unlock(&p->lock);
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

/* ---- asking others ----------------------------------------------------------------------------------------------------- */

struct errand { struct job job; int (*fn)(void *arg); void *arg; void (*drop)(void *arg); };

static int errand_run(void *arg)
{
        struct errand *e = arg;
        return e->fn(e->arg);
}

static void errand_drop(void *arg)
{
        struct errand *e = arg;
        e->drop(e->arg);
        free(e);
}

int pool_ask(struct ctx *c, int (*fn)(void *arg), void *arg, void (*drop)(void *arg))
{
        struct errand *e = calloc(1, sizeof *e);
        if (!e) {
                drop(arg);
                return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory to ask another machine");
        }
        *e = (struct errand){ { .lane = LANE_ASK, .fn = errand_run, .arg = e, .drop = errand_drop }, fn, arg, drop };
        int r = job_run(c, &e->job, "pool_ask");
        if (!pool_dropped(r)) free(e);
        return r;
}
