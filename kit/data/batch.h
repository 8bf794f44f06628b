/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * batch.h - many callers, one commit. The commit in flight is the clock.
 *
 * A caller's fiber hands in its call and sleeps. Calls that arrive while one batch runs form the next; it runs set-based in
 * one transaction, each call gets its own verdict, and all are answered after one flush. No timer, no tuning: alone, a call costs
 * one ordinary transaction. A batch that fails as a whole for a reason one call may have brought (anything but -UNAVAILABLE,
 * -DEADLINE_EXCEEDED, -CANCELLED, -RESOURCE_EXHAUSTED) is run again in halves until that call stands alone with its failure; `again` is
 * then true, so that the function may look before it writes. Threads: a batcher belongs to its loop. */
#ifndef BATCH_H
#define BATCH_H
#include "ctx.h"

struct call  { struct ctx *c; const void *in; void *out; int verdict; };        /* one waiting caller; failures: return fail(v->c, ...) into verdict */
struct batch { struct call *v; size_t n; bool again; };
typedef int (*batch_fn)(struct ctx *c, struct batch *b);
#define EACH_CALL(v_, b) for (struct call *v_ = (b)->v; v_ < (b)->v + (b)->n; v_++)

/* Runs fn over calls, halving as said. c: the batch's own context (arena reset for each run). Waits.
 *   before   told of each run's range first (a consumer sets its rider there); may be NULL
 *   after    each call's verdict is final: 0, its own, or the code its lone run failed with (fault copied to call->c) */
void batch_run(struct ctx *c, batch_fn fn, struct call *v, size_t n, void (*before)(struct ctx *c, struct call *v, size_t n, void *arg), void *arg);

struct batcher;
struct batcher_options { const char *name; batch_fn fn; size_t max; size_t waiting_max; int timeout_ms; size_t arena_max; };  /* 512, 8,192, 5 s, 8 MiB */
struct batcher *batcher_open(const struct ctx *model, const struct batcher_options *o);  /* model: unit and pg of the service  */
void batcher_close(struct batcher **b);                 /* nobody may wait in it                                    */
/* Waits for the verdict. `out` belongs to the batch until then: a caller whose deadline passes while its batch runs is told at once and
 * the batch writes to a copy nobody reads; its effect may stand, and a retry finds it by its id.
 *   out_type_size  bytes of *out. Texts in it lie in the caller's arena (the function uses v->c's arena for them).
 *   returns  the verdict, -RESOURCE_EXHAUSTED too many wait (slug "busy"), -DEADLINE_EXCEEDED, -CANCELLED */
int  batch_call(struct ctx *c, struct batcher *b, const void *in, void *out, size_t out_bytes);
struct batch_stats { const char *name; uint64_t batches, calls, halvings; size_t waiting, largest; };
struct batch_stats batch_stats(const struct batcher *b);
#endif
