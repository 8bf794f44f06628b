/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * jobs.c - operations that a clock calls: one fiber a service, on worker 0 of the one replica that holds the service's lock.
 *
 *     lead -> sleep until the next is due -> run it -> ... until the lock is lost -> lead again
 *
 * Jobs of one service run one after another. A run that fails is told (trouble.h) and tried again at its next time; the times of a job that ran late do
 * not pile up. Every service with a database also tidies what kit keeps there. */
#include "engine.h"
#include "outbox.h"
#include "trouble.h"

enum { JOBS_MAX = 32, RUN_ARENA = 16 << 20, RUN_MS_MIN = 30000, TIDY_MS = 3600000, REPLAY_MS = 5000, OWN_JOBS = 3 };

struct due { const char *name; const struct job *job; int (*own)(struct ctx *c); int every_ms; int64_t at_us; struct trouble trouble; };
struct clock_work { struct unit *unit; struct due v[JOBS_MAX + OWN_JOBS]; size_t n; struct ctx c; };

static int tidy_outbox(struct ctx *c)
{
        struct app *a = c->unit->worker->app;
        int keep = (int)config_int(a->config, "outbox-keep");
        return c->unit->service->emits ? outbox_trim(c, a->bus, c->unit->service->name, keep) : 0;
}

static int replay_parked(struct ctx *c)
{
        return parked_replay_marked(c, c->unit->worker->app->bus);
}

static void add(struct clock_work *k, struct due d)
{
        assert(k->n < COUNT(k->v));
        d.at_us = clock_us() + (int64_t)d.every_ms * 1000;
        k->v[k->n++] = d;
}

static void collect(struct clock_work *k)
{
        const struct config *set = k->unit->worker->app->config;
        for (const struct job *j = k->unit->service->jobs; j && j->name; j++)
                add(k, (struct due){ .name = j->name, .job = j, .every_ms = j->every ? (int)config_int(set, j->every) : j->every_ms });
        if (!k->unit->pg) return;
        add(k, (struct due){ .name = "tidy idempotency keys", .own = idem_tidy, .every_ms = TIDY_MS });
        if (k->unit->service->consumers) add(k, (struct due){ .name = "replay parked events", .own = replay_parked, .every_ms = REPLAY_MS });
        add(k, (struct due){ .name = "tidy outbox", .own = tidy_outbox, .every_ms = TIDY_MS });
}

static struct due *next(struct clock_work *k)
{
        struct due *first = &k->v[0];
        for (size_t i = 1; i < k->n; i++)
                if (k->v[i].at_us < first->at_us) first = &k->v[i];
        return first;
}

/* A ctx for the next run, as caller the service itself. */
static struct ctx *fresh(struct clock_work *k, const char *op, int timeout_ms)
{
        struct arena *a = k->c.arena;
        arena_reset(a);
        k->c = unit_model(k->unit);
        k->c.arena = a;
        k->c.op = op;
        k->c.caller.roles = ROLE_SERVICE;
        if (timeout_ms) k->c.deadline_us = deadline_in(timeout_ms);
        for (size_t i = 0; i < sizeof k->c.trace.trace_id; i += 8) {
                uint64_t v = rand_next(&k->unit->worker->rand);
                memcpy(k->c.trace.trace_id + i, &v, 8);
        }
        return &k->c;
}

static void tell(const struct clock_work *k, struct due *d, int r)
{
        const struct fault *f = &k->c.fault;
        struct trouble was;
        if (r >= 0) {
                if (trouble_over(&d->trouble, &was))
                        log_say(INFO, "a job works again", L_Z("service", k->unit->service->name), L_Z("job", d->name), L_INT("failures", (int64_t)was.failures),
                                L_MS("after_ms", clock_us() - was.since_us));
        } else if (r != -CANCELLED && trouble_again(&d->trouble, r, clock_us())) {
                log_say(code_level(r) == ERROR ? ERROR : WARN, "a job failed", L_Z("service", k->unit->service->name), L_Z("job", d->name),
                        L_Z("code", code_name(r)), L_Z("slug", f->slug), L_STR("why", f->message), L_INT("failures", (int64_t)d->trouble.failures));
        }
}

static void run(struct clock_work *k, struct due *d)
{
        struct ctx *c = fresh(k, d->name, MAX(d->every_ms, RUN_MS_MIN));
        struct nothing in = { 0 }, out;
        int r = d->own ? d->own(c) : op_run(c, unit_of(k->unit->worker, d->job->op), d->job->op, &in, &out);
        stats_job(k->unit->service->name, d->name, r >= 0);
        tell(k, d, r);
        d->at_us = MAX(d->at_us + (int64_t)d->every_ms * 1000, clock_us());
}

/* returns when the lock is lost or the fiber is cancelled */
static void work(struct clock_work *k, struct pg_leader *leader)
{
        while (!fiber_is_cancelled() && !(leader && pg_leader_is_lost(leader))) {
                struct due *d = next(k);
                int64_t wait_us = d->at_us - clock_us();
                if (wait_us > 0 && fiber_sleep(fresh(k, d->name, 0), (int)MIN((wait_us + 999) / 1000, 1000)) < 0) return;
                if (clock_us() >= d->at_us) run(k, d);
        }
}

static void jobs_fiber(void *arg)
{
        struct unit *u = arg;
        struct worker *w = u->worker;
        size_t place = (size_t)(u - w->units);
        struct clock_work k = { .unit = u, .c = { .arena = arena_new(RUN_ARENA) } };
        w->jobs[place] = fiber_self();
        collect(&k);
        while (k.n && !fiber_is_cancelled()) {
                struct pg_leader *leader = NULL;
                if (u->pg && pg_lead(fresh(&k, "lead", 0), u->pg, "jobs", &leader) < 0) continue;
                work(&k, leader);
                if (leader) pg_leader_end(&leader);
        }
        arena_free(k.c.arena);
        w->jobs[place] = NULL;
        event_flag_signal(&w->jobs_ended);
}

int jobs_start(struct ctx *c, struct worker *w)
{
        event_flag_init(&w->jobs_ended);
        for (size_t i = 0; i < w->n_units; i++) {
                if (!w->units[i].pg && !w->units[i].service->jobs) continue;
                if (fiber_start("jobs", jobs_fiber, &w->units[i]) < 0) return fail(c, RESOURCE_EXHAUSTED, "fibers", "no fiber for jobs");
        }
        fiber_yield();                  /* each notes itself in w->jobs */
        return 0;
}

static bool any(const struct worker *w)
{
        for (size_t i = 0; i < SERVICES_MAX; i++)
                if (w->jobs[i]) return true;
        return false;
}

void jobs_stop(struct ctx *c, struct worker *w)
{
        for (size_t i = 0; i < SERVICES_MAX; i++)
                if (w->jobs[i]) fiber_cancel(w->jobs[i]);
        while (any(w))
                if (event_flag_wait(c, &w->jobs_ended) < 0) break;
}
