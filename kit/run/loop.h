/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * loop.h - one event loop a worker thread (libuv), sharing nothing with its neighbours.
 *
 * A loop owns its fibers, timers, sockets and pooled stacks. Only loop_post() and what is built on it cross threads.
 * `run_workers` is how a program starts: it makes the loops, runs `start` as the first fiber of each, and returns when all
 * have ended. The watchdog is a thread that reports any fiber that has held its loop for over 10 ms, by name, once a hold. */
#ifndef LOOP_H
#define LOOP_H
#include <uv.h>
#include "base.h"

struct loop;
enum { WORKERS_MAX = 64 };

struct loop *loop_self(void);                           /* of this thread; NULL on a thread without one             */
int    loop_index(const struct loop *l);                /* 0 .. workers-1                                           */
uv_loop_t *loop_uv(struct loop *l);                     /* for run/ and for gluing libraries that bring their own sockets */

/* Runs fn(arg) on l's thread, outside any fiber, soon. The only function here that any thread may call.
 *   returns  -RESOURCE_EXHAUSTED when 65,536 posts wait; fn will not run */
int    loop_post(struct loop *l, void (*fn)(void *arg), void *arg);

/* Runs start(arg, index) as the first fiber of each of n loops (loop 0 on the calling thread) and returns when every fiber of
 * every loop has ended. SIGPIPE is ignored from here on.
 *   returns  0, or the first negative code that a start returned */
int    run_workers(int n, int (*start)(void *arg, int index), void *arg);
/* The same for one loop and one function: tests and small programs. Gives fn a ctx with an arena of 16 MiB, no deadline. */
struct ctx;
int    run_main(int (*fn)(struct ctx *c, void *arg), void *arg);
int    loop_count(void);                                /* loops of the running program                             */
struct loop *loop_at(int index);

/* on_signal(SIGTERM, fn, arg): fn(arg) on loop 0 in a new fiber each time the signal comes. Loop 0 only. Does not keep the loop alive. */
int    on_signal(int signo, void (*fn)(void *arg), void *arg);

/* Watchdog: on unless told otherwise. limit_ms 0 turns it off; tests under valgrind or a debugger do. */
void   watchdog_limit(int limit_ms);
uint64_t watchdog_reports(void);                        /* so far, all loops                                        */
#endif
