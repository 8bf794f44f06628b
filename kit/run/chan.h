/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * chan.h - bounded queues between fibers, of this loop or of several.
 *
 * Values are copied in and out. First come, first served among waiters of a side. Closing lets receivers drain what is left.
 * Threads: every function from any fiber of any loop; a mutex is held for the copy only. */
#ifndef CHAN_H
#define CHAN_H
#include "ctx.h"

struct chan;
struct chan *chan_new(size_t capacity, size_t item_bytes);      /* capacity 0: sender and receiver meet            */
struct chan *chan_free(struct chan *ch);                        /* nobody may wait on it; takes NULL               */
/* Waits while full. returns 0, -FAILED_PRECONDITION closed, -DEADLINE_EXCEEDED, -CANCELLED */
int  chan_send(struct ctx *c, struct chan *ch, const void *item);
int  chan_try_send(struct chan *ch, const void *item);          /* -RESOURCE_EXHAUSTED full, -FAILED_PRECONDITION closed */
/* Waits while empty. returns 0, -OUT_OF_RANGE closed and drained, -DEADLINE_EXCEEDED, -CANCELLED */
int  chan_recv(struct ctx *c, struct chan *ch, void *item);
int  chan_try_recv(struct chan *ch, void *item);                /* -NOT_FOUND nothing now, -OUT_OF_RANGE closed and drained */
void chan_close(struct chan *ch);
size_t chan_count(struct chan *ch);

/* One of several: the first that can go on, ties in random order. returns its index, or what chan_send/chan_recv would.
 * (a closed case counts as able to go on: its own result is in .result) Waits. */
struct chan_case { struct chan *ch; const void *send; void *recv; int result; };
int  chan_select(struct ctx *c, struct chan_case *cases, size_t n);
#endif
