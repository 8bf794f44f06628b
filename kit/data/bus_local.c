/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * bus_local.c - the relays and consumers of this process: made, started, stopped, settled, looked at.
 *
 * The registry below is the only thing here that threads share: bus_wake() posts to the loop of the relay of that name, once until
 * the relay has looked. Its places are never given back, so that a post under way always finds one. */
#include <pthread.h>
#include "bus_inside.h"
#include "clock.h"

enum { BUS_ARENA = 1 << 20, NAME_MAX_BYTES = 64 };

/* ---- who is woken by a commit --------------------------------------------------------------------------------------- */
struct place_of_source {
        char          name[NAME_MAX_BYTES];
        struct relay *relay;            /* NULL: none runs now                                    */
        struct loop  *home;
        bool          posted;           /* and not yet looked                                     */
};
static struct {
        pthread_mutex_t lock;
        struct place_of_source v[256];
        size_t n;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct place_of_source *find_source(const char *name)
{
        for (size_t i = 0; i < registry.n; i++)
                if (!strcmp(registry.v[i].name, name))
                        return &registry.v[i];
        return NULL;
}

void registry_set(struct relay *r)
{
        pthread_mutex_lock(&registry.lock);
        struct place_of_source *p = find_source(r->source);
        if (!p && registry.n < COUNT(registry.v)) {
                p = &registry.v[registry.n++];
                memcpy(p->name, r->source, strlen(r->source) + 1);
        }
        if (p) {                                        /* else polling must do */
                p->relay = r;
                p->home = loop_self();
                p->posted = false;
        }
        pthread_mutex_unlock(&registry.lock);
}

void registry_clear(struct relay *r)
{
        pthread_mutex_lock(&registry.lock);
        struct place_of_source *p = find_source(r->source);
        if (p && p->relay == r)
                p->relay = NULL;
        pthread_mutex_unlock(&registry.lock);
}

void registry_looked(struct relay *r)
{
        pthread_mutex_lock(&registry.lock);
        struct place_of_source *p = find_source(r->source);
        if (p && p->relay == r)
                p->posted = false;
        pthread_mutex_unlock(&registry.lock);
}

static void wake_posted(void *arg)
{
        struct place_of_source *p = arg;

        pthread_mutex_lock(&registry.lock);
        struct relay *r = p->home == loop_self() ? p->relay : NULL;
        pthread_mutex_unlock(&registry.lock);
        if (r)                                          /* it lives on this loop, so it cannot end under us */
                relay_wake(r);
}

void bus_wake(const char *source)
{
        pthread_mutex_lock(&registry.lock);
        struct place_of_source *p = find_source(source);
        if (p && p->relay && !p->posted)
                p->posted = loop_post(p->home, wake_posted, p) == 0;
        pthread_mutex_unlock(&registry.lock);
}

/* ---- making ---------------------------------------------------------------------------------------------------------- */
struct bus *bus_open(void)
{
        struct arena *a = arena_new(BUS_ARENA);
        struct bus *b = arena_one(a, struct bus);

        assert(b && "no memory for a bus");
        b->arena = a;
        event_flag_init(&b->progress);
        return b;
}

void bus_close(struct bus **pb)
{
        struct bus *b = pb ? take(pb) : NULL;

        if (!b)
                return;
        assert(b->live == 0 && "stop a bus before closing it");
        for (size_t i = 0; i < b->n_consumers; i++)
                consumer_done(b->consumers[i]);
        for (size_t i = 0; i < b->n_relays; i++)
                relay_done(&b->relays[i]);
        arena_free(b->arena);
}

struct relay *bus_relay(struct bus *b, const char *source)
{
        for (size_t i = 0; i < b->n_relays; i++)
                if (!strcmp(b->relays[i].source, source))
                        return &b->relays[i];
        return NULL;
}

void bus_source(struct bus *b, const char *source, const struct ctx *model)
{
        assert(b->n_relays < COUNT(b->relays) && strlen(source) < NAME_MAX_BYTES && !bus_relay(b, source));
        relay_init(&b->relays[b->n_relays++], b, arena_z(b->arena, str_of(source)), model);
}

/* The arena of a bus holds names and consumers of one program; it does not run out. */
static const void *kept(const void *p)
{
        assert(p && "too many subscriptions");
        return p;
}

void bus_subscribe(struct bus *b, const struct subscription *s)
{
        struct subscription mine = *s;
        struct consumer *k = arena_one(b->arena, struct consumer);
        size_t n = 0;

        while (s->topics[n])
                n++;
        const char **topics = arena_array(b->arena, n + 1, sizeof *topics);
        const struct event **events = arena_array(b->arena, n + 1, sizeof *events);
        assert(k && topics && events && b->n_consumers < COUNT(b->consumers) && "too many subscriptions");
        for (size_t i = 0; i < n; i++) {
                topics[i] = kept(arena_z(b->arena, str_of(s->topics[i])));
                events[i] = s->events[i];
        }
        mine.consumer = kept(arena_z(b->arena, str_of(s->consumer)));
        mine.source = kept(arena_z(b->arena, str_of(s->source)));
        mine.model = (struct ctx){ .caller = s->model.caller, .unit = s->model.unit, .pg = s->model.pg };
        mine.topics = topics;
        mine.events = events;
        mine.max = s->max ? s->max : 512;
        mine.retries = s->retries ? s->retries : 8;
        mine.backoff_ms = s->backoff_ms ? s->backoff_ms : 250;
        consumer_init(k, b, &mine);
        b->consumers[b->n_consumers++] = k;
}

/* ---- starting and stopping ------------------------------------------------------------------------------------------- */
static int join_sources(struct ctx *c, struct bus *b)
{
        for (size_t i = 0; i < b->n_consumers; i++) {
                struct consumer *k = b->consumers[i];
                struct relay *r = bus_relay(b, k->s.source);
                if (!r)
                        return fail(c, FAILED_PRECONDITION, "no_such_source", "%s hears %s, which has no outbox here", k->s.consumer, k->s.source);
                if (r->n == COUNT(r->consumers))
                        return fail(c, RESOURCE_EXHAUSTED, "too_many_consumers", "%s has over %zu consumers", k->s.source, r->n);
                k->from = r;
                r->consumers[r->n++] = k;
                TRY(consumer_load(c, k));
        }
        return 0;
}

static int start_fiber(struct ctx *c, struct bus *b, const char *name, void (*fn)(void *arg), void *arg)
{
        if (fiber_start(name, fn, arg) < 0)
                return fail(c, RESOURCE_EXHAUSTED, "no_fiber", "no fiber for %s", name);
        b->live++;
        return 0;
}

static int start_all(struct ctx *c, struct bus *b)
{
        TRY(join_sources(c, b));
        for (size_t i = 0; i < b->n_consumers; i++)
                TRY(start_fiber(c, b, b->consumers[i]->s.consumer, consumer_fiber, b->consumers[i]));
        for (size_t i = 0; i < b->n_relays; i++) {
                if (b->relays[i].n == 0)                /* nobody hears it */
                        continue;
                TRY(start_fiber(c, b, "relay", relay_fiber, &b->relays[i]));
                registry_set(&b->relays[i]);
        }
        return 0;
}

int bus_start(struct ctx *c, struct bus *b)
{
        int code = start_all(c, b);

        if (code < 0)
                bus_stop(c, b);
        return code;
}

void bus_fiber_ended(struct bus *b)
{
        b->live--;
        event_flag_signal(&b->progress);
}

void bus_stop(struct ctx *c, struct bus *b)
{
        struct rest rest;

        b->stopping = true;
        for (size_t i = 0; i < b->n_relays; i++) {
                struct relay *r = &b->relays[i];
                registry_clear(r);
                if (r->fiber)
                        fiber_cancel(r->fiber);         /* it only reads */
        }
        for (size_t i = 0; i < b->n_consumers; i++)
                event_flag_signal(&b->consumers[i]->changed);
        rest_init(&rest, c->op);
        while (b->live > 0 && rest_on(&rest, &b->progress, 0) == 0) { }
        rest_done(&rest);
}

/* ---- settling -------------------------------------------------------------------------------------------------------- */
static bool is_behind(const struct relay *r, struct place target)
{
        for (size_t i = 0; i < r->n; i++)
                if (place_cmp(r->consumers[i]->passed, target) < 0)
                        return true;
        return false;
}

/* Waits until what each source has now is passed. returns 1 when something had to be waited for, 0, or a failure */
static int settle_once(struct ctx *c, struct bus *b)
{
        int waited = 0;

        for (size_t i = 0; i < b->n_relays; i++) {
                struct relay *r = &b->relays[i];
                struct place target;
                int found = r->n > 0 ? relay_last(c, r, &target) : 0;
                TRY(found);
                for (; found > 0 && is_behind(r, target); waited = 1) {
                        relay_wake(r);
                        TRY(event_flag_wait(c, &b->progress));
                }
        }
        return waited;
}

int bus_settle(struct ctx *c, struct bus *b)
{
        int code;

        b->settling++;
        for (size_t i = 0; i < b->n_consumers; i++)
                event_flag_signal(&b->consumers[i]->changed);
        do code = settle_once(c, b);
        while (code > 0);
        b->settling--;
        return code;
}

int outbox_check(struct ctx *c)
{
        TRY(db_check(c, outbox_queries));
        TRY(db_check(c, relay_queries));
        TRY(db_check(c, position_queries));
        return db_check(c, parked_queries);
}

/* ---- looking --------------------------------------------------------------------------------------------------------- */
void bus_each(struct bus *b, void (*fn)(const struct consumer_stats *s, void *arg), void *arg)
{
        for (size_t i = 0; i < b->n_consumers; i++) {
                struct consumer *k = b->consumers[i];
                k->stats.queued = k->n_queue;
                k->stats.lag_us = k->n_queue ? MAX(clock_now().us - k->queue[k->head]->at.us, (int64_t)0) : 0;
                fn(&k->stats, arg);
        }
}

void bus_each_relay(struct bus *b, void (*fn)(const struct relay_stats *s, void *arg), void *arg)
{
        for (size_t i = 0; i < b->n_relays; i++)
                fn(&b->relays[i].stats, arg);
}
