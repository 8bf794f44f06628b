/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * fiber.h - functions that may wait without holding up their thread.
 *
 * A fiber is a stack (64 KiB of address space with a guard page below, about 5 KB resident while it waits, pooled) and a name.
 * It runs on the loop that started it until it waits; then others run. The switch is a dozen instructions (switch.S: System V
 * x86-64 and AAPCS64; ucontext elsewhere). Address and thread sanitizers and valgrind are told of every switch and stack.
 * Running past the end of a stack ends the process with the fiber's name on standard error.
 *
 *              fiber_start            fiber_park               fiber_wake, deadline, fiber_cancel
 *     (none) ------------> ready ----------------> waiting ------------------------------------> ready ...
 *                            `-- function returns --> ended: stack back to the pool
 *
 * Threads: a fiber never leaves its loop. Except where said, call from a fiber or callback of that loop. */
#ifndef FIBER_H
#define FIBER_H
#include "ctx.h"
#include "list.h"

struct fiber;
struct loop;
enum { FIBERS_MAX = 100000 };                           /* of a loop                                                */

/* Starts fn(arg) soon on this loop. `name` is a literal, or lives as long as the program (the watchdog may read it late).
 *   returns  0, -RESOURCE_EXHAUSTED (FIBERS_MAX, or no memory for a stack) */
int  fiber_start(const char *name, void (*fn)(void *arg), void *arg);
struct fiber *fiber_self(void);                         /* NULL outside any                                         */
void fiber_rename(const char *name);                    /* of the running fiber: what it works on now; as long-lived as its first */
void fibers_limit(uint32_t max);                        /* before the loops start: fibers of a loop, else FIBERS_MAX */
void fiber_stacks(size_t bytes);                        /* before the loops start: else 64 KiB, 256 KiB under sanitizers */

/* Sleeps until fiber_wake(), c's deadline or cancellation. A wake that came since the last park returns at once; so a wake may
 * be meant for an earlier wait: call it in a loop around the condition that is waited for.
 *   c        NULL: no deadline
 *   where    a literal for /debug/fibers: "chan_recv"
 *   returns  0 woken, -DEADLINE_EXCEEDED, -CANCELLED. Both failures are also told to c's fault. Waits. */
int  fiber_park(struct ctx *c, const char *where);
/* The same without deadline or cancellation, for waits that must see their end (a commit in flight). Waits. */
void fiber_park_firmly(const char *where);
void fiber_wake(struct fiber *f);                       /* from f's own loop; harmless when f is not parked         */
/* From any thread. Never fails and may be repeated. The caller holds what keeps f from ending meanwhile (the lock under which f
 * learns that it was served). */
void fiber_wake_from_anywhere(struct fiber *f, struct loop *home);
void fiber_cancel(struct fiber *f);                     /* its present and all later parks return -CANCELLED        */
bool fiber_is_cancelled(void);                          /* of the running fiber                                     */
void fiber_yield(void);                                 /* lets every ready fiber run first. Waits.                 */
/* Sleeps ms, or until the deadline or cancellation. Waits. returns 0, -DEADLINE_EXCEEDED, -CANCELLED */
int  fiber_sleep(struct ctx *c, int ms);

/* ---- groups: nothing started in a scope outlives it ------------------------------------------------------------ */
/* GROUP(g, c); group_go(g, fetch, &x); TRY(group_wait(g));  - leaving the scope early cancels and joins. */
struct group;
struct group *group_open(struct ctx *c);
/* Runs fn(child, arg) on a new fiber. The child has its own arena, c's deadline, caller and trace.
 *   returns  0, -RESOURCE_EXHAUSTED (also remembered: group_wait returns it) */
int  group_go(struct group *g, int (*fn)(struct ctx *c, void *arg), void *arg);
/* Joins all. The first failure cancels the others; its fault is copied to c. Waits.
 *   returns  0, or that failure */
int  group_wait(struct group *g);
/* The same, but neither c's deadline nor the cancellation of the caller ends it: for a last word that must be said, such as giving up what was begun.
 * The children have c's deadline. Waits. */
int  group_finish(struct group *g);
void group_close(struct group **g);                     /* cancels what still runs and joins it. Waits.             */
#define GROUP(name, c) struct group *name __attribute__((cleanup(group_close))) = group_open(c)

/* ---- looking at them -------------------------------------------------------------------------------------------- */
struct fiber_info {
        const char *name, *where;       /* where it waits, or "ready", "running"                    */
        int64_t     age_us, waiting_us;
        int         loop;
        size_t      stack_used;         /* bytes now; 0 where ucontext hides them                   */
};
/* Calls fn for every fiber of this loop. fn must not wait. */
void fibers_each(void (*fn)(const struct fiber_info *info, void *arg), void *arg);
struct fiber_stats { uint64_t started, switches; uint32_t live, waiting, pooled; };
struct fiber_stats fiber_stats(int loop);               /* any thread; a snapshot                                   */
#endif
