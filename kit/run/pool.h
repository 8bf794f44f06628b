/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pool.h - run a slow function on another thread and wait for it here.
 *
 * For CPU-heavy or blocking work only (hashing, DNS, PDF). The fiber sleeps, its loop goes on. One bounded pool a process; what asks another
 * machine has threads of its own, so that a resolver or a server that does not answer holds up no work, and no end of the program.
 * Threads: callable from any fiber; `fn` runs on a pool thread and must not touch ctx, fibers or the loop. */
#ifndef POOL_H
#define POOL_H
#include "ctx.h"

void pool_start(int threads, int queue_max);            /* once, before the workers; else 2 threads, 256 queued     */
void pool_stop(void);                                   /* finishes what runs; leaves behind whom nobody answers    */

/* Runs fn(arg) on a pool thread. Waits.
 *   arg      borrowed until the call returns, even if the deadline passes first
 *   returns  what fn returned, or
 *            -RESOURCE_EXHAUSTED  the queue is full; fn will not run
 *            -DEADLINE_EXCEEDED, -CANCELLED   fn had not started; it will not run */
int  pool_run(struct ctx *c, int (*fn)(void *arg), void *arg);

/* Runs fn(arg) on one of the POOL_ASKERS threads of those who ask another machine and cannot be interrupted. Waits, but never longer than c allows.
 *   arg      lent until the call returns, unless pool_dropped(what it returns): then it is drop()ped, now or when fn has returned
 *   fn       returns 0 or a failure other than the three of pool_run(), which this returns as well */
int  pool_ask(struct ctx *c, int (*fn)(void *arg), void *arg, void (*drop)(void *arg));
enum { POOL_ASKERS = 4 };
static inline bool pool_dropped(int code) { return code == -RESOURCE_EXHAUSTED || code == -DEADLINE_EXCEEDED || code == -CANCELLED; }

struct pool_stats { int threads, busy, queued, queue_max; uint64_t done, refused; };
struct pool_stats pool_stats(void);
struct pool_stats pool_ask_stats(void);                 /* of those who ask                                         */
#endif
