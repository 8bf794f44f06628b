/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * batch.h - many callers, one commit. The commit in flight is the clock.
 *
 * A caller's fiber hands in its call and sleeps. Calls that arrive while one batch runs form the next; it runs set-based in
 * one transaction, each call gets its own verdict, and all are answered after one flush. No tuning: alone, a call costs one ordinary
 * transaction. Batches of one worker, of whatever operation, take turns unless 128 callers wait or 5 ms have passed (batch.c says why).
 *
 *     run ---> 0: each call has its verdict
 *      |----> -UNAVAILABLE, -DEADLINE_EXCEEDED, -CANCELLED: nobody's fault; every call gets it
 *      |----> -RESOURCE_EXHAUSTED: too much for one transaction, and nobody's fault: in halves until it goes
 *      `----> anything else: one call may have brought it. The whole runs once more with `again` true, so that the function may look before
 *             it writes (a repeat, a lost race); when that fails too, in halves until the culprit stands alone with its failure
 *
 * Threads: a batcher belongs to its loop. */
#ifndef BATCH_H
#define BATCH_H
#include "ctx.h"

struct call  { struct ctx *c; const void *in; void *out; int verdict; };        /* one waiting caller; failures: return fail(v->c, ...) into verdict */
struct batch { struct call *v; size_t n; bool again; };
/* Applies all calls in one transaction. c: the batch's own context; v->c: the caller's, whose arena takes the texts of `out`.
 *   returns  0 when it committed (verdicts count), else the failure of the whole: nothing stands. Verdicts are final before tx_commit():
 *            a consumer's transaction is given up when one is negative, and that event is isolated, retried and parked (outbox.h) */
typedef int (*batch_fn)(struct ctx *c, struct batch *b);
#define EACH_CALL(v_, b) for (struct call *v_ = (b)->v; v_ < (b)->v + (b)->n; v_++)

/* Runs fn over calls as the picture says, in order. c: the batch's own context; its arena is reset and its fault cleared for each run. Waits.
 *   after    each call's verdict is final: 0, its own, or the code of its last run (the fault is copied to call->c)
 *   returns  runs of fn */
size_t batch_run(struct ctx *c, batch_fn fn, struct call *v, size_t n);
bool batch_is_nobodys_fault(int code);                  /* one of the first four codes above                        */

struct batcher;
struct batcher_options {
        const char *name;               /* literal: the op of the batch's ctx, the name of its fiber  */
        batch_fn fn;
        size_t max;                     /* calls a batch; 512                                     */
        size_t waiting_max;             /* callers beyond the running batch; 8,192                */
        int    timeout_ms;              /* of a batch with all its runs; 5,000                    */
        size_t arena_max;               /* bytes of a run's arena; 8 MiB                          */
};
struct batcher *batcher_open(const struct ctx *model, const struct batcher_options *o);  /* model: unit and pg of the service; never NULL */
void batcher_close(struct batcher **b);                 /* nobody may wait in it; takes NULL and pointers to NULL   */
/* Waits for the verdict. A call that has not started leaves at its deadline or cancellation. One that runs waits firmly for the end of its batch
 * (at most timeout_ms) and gets its true verdict: better than a guess, and `in` and `out` stay the caller's own memory.
 *   out      written by the function; texts in it lie in c's arena
 *   returns  the verdict, -RESOURCE_EXHAUSTED too many wait (slug "busy"), -DEADLINE_EXCEEDED, -CANCELLED. After -DEADLINE_EXCEEDED or
 *            -UNAVAILABLE the effect may stand (a commit whose answer was lost): a retry finds it by its id */
int  batch_call(struct ctx *c, struct batcher *b, const void *in, void *out);
struct batch_stats { const char *name; uint64_t batches, calls, reruns; size_t waiting, largest; };   /* reruns: runs beyond a batch's first */
struct batch_stats batch_stats(const struct batcher *b);
#endif
