/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * clock.h - the two clocks: a monotonic one for deadlines, the wall clock for people and records.
 *
 * Nothing else in the program asks the system for time. Tests put a fake in place of both; then time moves only when they
 * say so, and timers of every loop fire as it passes them. Threads: safe anywhere. */
#ifndef CLOCK_H
#define CLOCK_H
#include "ctx.h"

int64_t clock_us(void);                                 /* monotonic microseconds; never 0                          */
when    clock_now(void);                                /* wall clock                                               */
int64_t clock_cpu_us(void);                             /* CPU of this process so far, user and system              */

void clock_fake(when now);                              /* from here on both stand still, at `now`                  */
void clock_advance(int ms);                             /* moves the fakes on and wakes every loop whose timers are due */
void clock_real(void);
bool clock_is_fake(void);

/* Deadlines. A ctx's deadline only ever shrinks on the way down. */
static inline int64_t deadline_in(int ms)               { return clock_us() + (int64_t)ms * 1000; }
void ctx_limit(struct ctx *c, int timeout_ms);          /* the earlier of its own deadline and timeout_ms from now; 0 changes nothing */
int  ctx_left_ms(const struct ctx *c);                  /* >= 0, rounded up; INT_MAX when there is no deadline      */
bool ctx_is_late(const struct ctx *c);
#endif
