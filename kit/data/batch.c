/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * batch.c - see batch.h.
 *
 * A waiter lies on its caller's stack: queued until the runner takes it, then running until the runner has written its verdict. One
 * runner fiber lives while calls wait; it takes all that came meanwhile (up to max), runs them, wakes them, and ends when none is left.
 *
 *     QUEUED --runner takes it--> RUNNING --batch over--> DONE (woken)
 *        `----- deadline, cancelled: unlinks itself and leaves
 *
 * Batches of one worker take turns: the callers of the one under way are the likeliest callers of the next, so letting it end first makes
 * that one larger. Of those that wait, the one whose callers have come the least far goes first, so that they catch up with those ahead
 * of them and share the rest of their way (ADR 22). A batch goes without its turn when 128 callers wait or TURN_MAX_MS have passed: one that
 * is slow, or that waits for another, holds up nobody for longer. */
#include <stdlib.h>
#include "batch.h"
#include "bound.h"
#include "clock.h"
#include "fiber.h"
#include "list.h"

/* ---- running one batch --------------------------------------------------------------------------------------- */

bool batch_is_nobodys_fault(int code)
{
        return code == -UNAVAILABLE || code == -DEADLINE_EXCEEDED || code == -CANCELLED || code == -RESOURCE_EXHAUSTED;
}

static int run_once(struct ctx *c, batch_fn fn, struct batch b, size_t *runs)
{
        arena_reset(c->arena);
        fault_clear(c);
        EACH_CALL(v, &b) {
                v->verdict = 0;
                fault_clear(v->c);
        }
        ++*runs;
        return fn(c, &b);
}

/* Depth: log2 of the batch. */
static void run_range(struct ctx *c, batch_fn fn, struct batch b, size_t *runs)
{
        int code = run_once(c, fn, b, runs);

        if (code < 0 && !b.again && !batch_is_nobodys_fault(code)) {
                b.again = true;
                code = run_once(c, fn, b, runs);
        }
        if (code >= 0)
                return;
        if (b.n == 1 || (batch_is_nobodys_fault(code) && code != -RESOURCE_EXHAUSTED)) {
                EACH_CALL(v, &b) {
                        v->verdict = code;
                        fault_copy(v->c, c);
                }
                return;
        }
        run_range(c, fn, (struct batch){ .v = b.v, .n = b.n / 2, .again = true }, runs);
        run_range(c, fn, (struct batch){ .v = b.v + b.n / 2, .n = b.n - b.n / 2, .again = true }, runs);
}

size_t batch_run(struct ctx *c, batch_fn fn, struct call *v, size_t n)
{
        size_t runs = 0;

        if (n > 0)
                run_range(c, fn, (struct batch){ .v = v, .n = n }, &runs);
        return runs;
}

enum { ENOUGH = 128, TURN_MAX_MS = 5 };

/* ---- gathering ----------------------------------------------------------------------------------------------- */

struct batcher {
        struct batcher_options o;
        struct ctx   c;                 /* of the running batch                                   */
        struct ctx   model;
        struct link  queue;             /* of struct waiter, first come first                     */
        struct call *calls;             /* of the running batch                                   */
        struct waiter **waiters;        /* the same order                                         */
        bool         is_running;        /* the runner fiber lives                                 */
        struct fiber *runner;           /* it, once it has begun                                  */
        struct link  turn;              /* in turns.waiting, while the runner waits for its turn  */
        int          steps;             /* of its first caller, then                              */
        struct batch_stats stats;
};

static _Thread_local struct { size_t under_way; struct link waiting; } turns;   /* waiting: of struct batcher, least far first, then first come */

struct waiter {
        struct link   link;
        struct call   call;
        struct fiber *fiber;
        enum { QUEUED, RUNNING, DONE } state;
};

struct batcher *batcher_open(const struct ctx *model, const struct batcher_options *o)
{
        struct batcher *b = calloc(1, sizeof *b);
        assert(b && "no memory for a batcher");

        b->o = *o;
        if (!b->o.max)
                b->o.max = 512;
        if (!b->o.waiting_max)
                b->o.waiting_max = 8192;
        if (!b->o.timeout_ms)
                b->o.timeout_ms = SECONDS(5);
        if (!b->o.arena_max)
                b->o.arena_max = (size_t)8 << 20;
        b->model = (struct ctx){ .arena = arena_new(b->o.arena_max), .op = o->name, .caller = model->caller,
                                 .unit = model->unit, .pg = model->pg };
        b->calls = calloc(b->o.max, sizeof *b->calls);
        b->waiters = calloc(b->o.max, sizeof *b->waiters);
        assert(b->calls && b->waiters && "no memory for a batcher");
        list_init(&b->queue);
        b->stats.name = o->name;
        return b;
}

void batcher_close(struct batcher **pb)
{
        struct batcher *b = pb ? take(pb) : NULL;

        if (!b)
                return;
        assert(!b->is_running && list_is_empty(&b->queue));
        arena_free(b->model.arena);
        free(b->calls);
        free(b->waiters);
        free(b);
}

static size_t gather(struct batcher *b)
{
        size_t n = 0;

        for (struct link *l; n < b->o.max && (l = list_pop(&b->queue)); n++) {
                struct waiter *w = CONTAINER(l, struct waiter, link);
                w->state = RUNNING;
                b->waiters[n] = w;
                b->calls[n] = w->call;
        }
        b->stats.waiting -= n;
        if (b->stats.waiting)
                bound_reached(BOUND_BATCH_CALLS);
        return n;
}

static bool is_first(const struct batcher *b)
{
        return turns.under_way == 0 && turns.waiting.next == &b->turn;
}

static void turn_queue(struct batcher *b)
{
        struct link *after = turns.waiting.prev;

        b->steps = list_is_empty(&b->queue) ? 0 : CONTAINER(b->queue.next, struct waiter, link)->call.c->steps;
        while (after != &turns.waiting && CONTAINER(after, struct batcher, turn)->steps > b->steps)
                after = after->prev;
        list_push(after->next, &b->turn);
}

static void turn_begin(struct batcher *b)
{
        struct ctx limit = b->model;

        limit.deadline_us = deadline_in(TURN_MAX_MS);
        if (!turns.waiting.next)
                list_init(&turns.waiting);
        turn_queue(b);
        while (!is_first(b) && b->stats.waiting < ENOUGH && fiber_park(&limit, "batch, its turn") >= 0)
                ;
        link_remove(&b->turn);
        turns.under_way++;
}

/* After the callers of the ended batch were woken: what they call next is then part of the batch that follows. */
static void turn_end(void)
{
        turns.under_way--;
        if (turns.under_way == 0 && !list_is_empty(&turns.waiting))
                fiber_wake(CONTAINER(turns.waiting.next, struct batcher, turn)->runner);
}

static void runner(void *arg)
{
        struct batcher *b = arg;

        b->runner = fiber_self();
        while (b->stats.waiting > 0) {
                turn_begin(b);
                size_t n = gather(b);

                if (n == 0) {                           /* they left meanwhile */
                        turn_end();
                        continue;
                }
                b->c = b->model;
                b->c.deadline_us = deadline_in(b->o.timeout_ms);
                b->c.trace = b->calls[0].c->trace;
                b->stats.batches++;
                b->stats.calls += n;
                b->stats.largest = MAX(b->stats.largest, n);
                b->stats.reruns += batch_run(&b->c, b->o.fn, b->calls, n) - 1;
                assert(!b->c.tx && "a batch left its transaction open");
                for (size_t i = 0; i < n; i++) {
                        b->waiters[i]->call.verdict = b->calls[i].verdict;
                        b->waiters[i]->state = DONE;
                        fiber_wake(b->waiters[i]->fiber);
                }
                turn_end();
        }
        b->is_running = false;
}

/* Waits for w's end, or leaves the queue. Parks on a copy of c: a deadline that passes after the call began to run must not write
 * over the story that the function tells c. */
static int wait_for(struct ctx *c, struct batcher *b, struct waiter *w)
{
        struct ctx mine = *c;

        fault_clear(&mine);
        while (w->state == QUEUED) {
                int code = fiber_park(&mine, "batch_call");
                if (code < 0 && w->state == QUEUED) {
                        link_remove(&w->link);
                        b->stats.waiting--;
                        fault_copy(c, &mine);
                        return code;
                }
        }
        while (w->state == RUNNING)
                fiber_park_firmly("batch_call, running");
        return w->call.verdict;
}

int batch_call(struct ctx *c, struct batcher *b, const void *in, void *out)
{
        struct waiter w = { .call = { .c = c, .in = in, .out = out }, .fiber = fiber_self() };

        assert(w.fiber && "batch_call waits: call it from a fiber");
        assert(!c->tx && "no batched call inside an open transaction: it could wait for itself");
        if (b->stats.waiting >= b->o.waiting_max) {
                bound_reached(BOUND_BATCH_WAITING);
                int code = fail(c, RESOURCE_EXHAUSTED, "busy", "%zu callers of %s wait already", b->stats.waiting, b->o.name);
                c->fault.retry_after_ms = SECONDS(1);
                return code;
        }
        if (ctx_is_late(c))
                return fail(c, DEADLINE_EXCEEDED, "deadline_exceeded", "the deadline passed before %s began", b->o.name);
        if (!b->is_running) {
                if (fiber_start(b->o.name, runner, b) < 0)
                        return fail(c, RESOURCE_EXHAUSTED, "busy", "no fiber for %s", b->o.name);
                b->is_running = true;
        }
        list_push(&b->queue, &w.link);
        c->steps++;
        if (++b->stats.waiting == ENOUGH && link_is_in(&b->turn))
                fiber_wake(b->runner);
        return wait_for(c, b, &w);
}

struct batch_stats batch_stats(const struct batcher *b)
{
        return b->stats;
}
