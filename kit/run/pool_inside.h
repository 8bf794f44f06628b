/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pool_inside.h - jobs of the pool that their fiber may leave behind; private to run/. */
#ifndef POOL_INSIDE_H
#define POOL_INSIDE_H
#include "ctx.h"
#include "list.h"

enum lane_of_job { LANE_WORK, LANE_ASK };       /* ask: another machine; such a job has a drop */
enum job_state { JOB_QUEUED, JOB_RUNS, JOB_DONE };

struct job {
        int           (*fn)(void *arg);
        void           *arg;
        void          (*drop)(void *arg);       /* NULL: the fiber waits for a running fn whatever happens;
                                                   else it may leave, and drop(arg) frees arg (with the job in it) */
        enum lane_of_job lane;
        enum job_state  state;
        int             result;
        struct link     link;
        struct fiber   *fiber;                  /* NULL: left behind                                */
        struct loop    *home;
};

/* Runs j->fn(j->arg) on the pool. Waits. Unless it returns what fn returned, a job with a drop is no longer the caller's.
 *   returns  what fn returned (never -CANCELLED or -DEADLINE_EXCEEDED), or as pool_run() */
int job_run(struct ctx *c, struct job *j, const char *where);
#endif
