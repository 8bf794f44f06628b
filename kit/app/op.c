/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * op.c - calls operations, whoever asks: an edge, another service, a job, a test.
 *
 * A call to another service is a function call with a child ctx: the same arena, deadline, trace and caller, but that service's state
 * and database, and no transaction and no rider, because those belong to one database. With the wire on, messages are copied through
 * JSON both ways, so that nobody comes to depend on shared memory. */
#include "engine.h"
#include "json.h"

static _Thread_local struct worker *here;
static atomic_bool through_wire;

struct worker *worker_here(void)                { return here; }
void worker_enter(struct worker *w)             { here = w; }
void call_through_wire(bool on)                 { through_wire = on; }

void *unit_state(struct ctx *c)                         { return c->unit->state; }
const struct service *unit_service(const struct ctx *c) { return c->unit ? c->unit->service : NULL; }
const struct config *config(const struct ctx *c)        { return c->unit->worker->app->config; }

struct digest app_secret(const struct ctx *c, const char *purpose)
{
        const struct app *a = c->unit ? c->unit->worker->app : here->app;
        return hmac_sha256((str){ (const char *)a->secret, sizeof a->secret }, str_of(purpose));
}

struct unit *unit_of(struct worker *w, const struct op *op)
{
        int n = op->slot->service;
        return w && n > 0 && (size_t)n <= w->n_units ? &w->units[n - 1] : NULL;
}

struct unit *unit_named(struct worker *w, const char *service)
{
        for (size_t i = 0; i < w->n_units; i++)
                if (!strcmp(w->units[i].service->name, service)) return &w->units[i];
        return NULL;
}

int op_run(struct ctx *c, struct unit *u, const struct op *op, const void *in, void *out)
{
        c->unit = u;
        c->pg = u->pg;
        c->op = op->name;
        if (op->run) return op->run(c, in, out);
        assert(op->slot->batcher && "a consumer's operation is the bus's to run");
        return batch_call(c, u->worker->batchers[op->slot->batcher - 1], in, out);
}

/* A message as it would be after a journey: written and read again. */
static int over_the_wire(struct ctx *c, const struct type *t, const void *from, void *to)
{
        struct buf b AUTO(buf_done) = BUF_INIT(16 << 20);
        json_write_secrets(&b, t, from);
        if (buf_error(&b)) return fail(c, RESOURCE_EXHAUSTED, "too_large", "a %s is over 16 MiB of JSON", t->name);
        str text = arena_str(c->arena, buf_str(&b));
        if (!text.p) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a %s", t->name);
        return json_read(c, t, text, to, JSON_LENIENT | JSON_NO_CHECK);
}

static int run_over_wire(struct ctx *c, struct unit *u, const struct op *op, const void *in, void *out)
{
        void *in_there = arena_alloc(c->arena, op->in->size), *out_there = arena_alloc(c->arena, op->out->size);
        if (!in_there || !out_there) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a call to %s", op->name);
        TRY(over_the_wire(c, op->in, in, in_there));
        TRY(op_run(c, u, op, in_there, out_there));
        return over_the_wire(c, op->out, out_there, out);
}

int call_(struct ctx *c, const struct op *op, const void *in, void *out)
{
        assert(!c->tx && "no call leaves a service while a transaction is open");
        struct unit *u = unit_of(c->unit ? c->unit->worker : here, op);
        if (!u) return fail(c, UNAVAILABLE, "not_here", "%s does not run here", op->name);
        struct ctx child = *c;
        child.fault = (struct fault){ 0 };
        child.rider = NULL;
        int r = atomic_load_explicit(&through_wire, memory_order_relaxed) ? run_over_wire(&child, u, op, in, out) : op_run(&child, u, op, in, out);
        c->steps = child.steps;
        if (r < 0) c->fault = child.fault;              /* the same arena, so a copy of pointers */
        return r;
}
