/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sync.h - a mutex, a counting semaphore and an event for fibers of one loop. Fair: first come, first served.
 *
 * Between processes use rows of the database; between loops use a chan. Threads: one loop. */
#ifndef SYNC_H
#define SYNC_H
#include "ctx.h"
#include "list.h"

struct mutex { bool held; struct link waiters; };
void mutex_init(struct mutex *m);
int  mutex_lock(struct ctx *c, struct mutex *m);        /* Waits. 0, -DEADLINE_EXCEEDED, -CANCELLED                 */
void mutex_unlock(struct mutex *m);

struct sem { int free; struct link waiters; };
void sem_setup(struct sem *s, int free);
int  sem_take(struct ctx *c, struct sem *s);            /* Waits. 0, -DEADLINE_EXCEEDED, -CANCELLED                 */
bool sem_try(struct sem *s);
void sem_give(struct sem *s);

/* Something to wait for again and again: signal wakes all who wait now. */
struct event_flag { struct link waiters; };
void event_flag_init(struct event_flag *e);
int  event_flag_wait(struct ctx *c, struct event_flag *e);      /* Waits. 0, -DEADLINE_EXCEEDED, -CANCELLED         */
void event_flag_signal(struct event_flag *e);
#endif
