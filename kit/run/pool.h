/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pool.h - run a slow function on another thread and wait for it here.
 *
 * For CPU-heavy or blocking work only (hashing, DNS, PDF). The fiber sleeps, its loop goes on. One bounded pool a process.
 * Threads: callable from any fiber; `fn` runs on a pool thread and must not touch ctx, fibers or the loop. */
#ifndef POOL_H
#define POOL_H
#include "ctx.h"

void pool_start(int threads, int queue_max);            /* once, before the workers; else 2 threads, 256 queued     */
void pool_stop(void);                                   /* finishes what runs, joins                                */

/* Runs fn(arg) on a pool thread. Waits.
 *   arg      borrowed until the call returns, even if the deadline passes first
 *   returns  what fn returned, or
 *            -RESOURCE_EXHAUSTED  the queue is full; fn will not run
 *            -DEADLINE_EXCEEDED, -CANCELLED   fn had not started; it will not run */
int  pool_run(struct ctx *c, int (*fn)(void *arg), void *arg);

struct pool_stats { int threads, busy, queued, queue_max; uint64_t done, refused; };
struct pool_stats pool_stats(void);
#endif
