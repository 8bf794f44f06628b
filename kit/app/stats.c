/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * stats.c - what the program counts about itself: requests as they end, and gauges of everything else when somebody looks.
 *
 * An endpoint keeps the pointers of its series, so counting a request is two additions. */
#include "engine.h"
#include <sys/resource.h>
#include "batch.h"
#include "bound.h"
#include "cache.h"
#include "outbox.h"
#include "pool.h"

#define FAMILY(id, kind_, name_, doc_, ...) static const struct metric_family id = { name_, doc_, kind_, { __VA_ARGS__ } };
#include "families.def"
#undef FAMILY
#define FAMILY(id, ...) &id,
const struct metric_family *const stats_families[] = {
#include "families.def"
        NULL };
#undef FAMILY

/* The statuses this program answers; anything else shares the last slot. */
static const int statuses[STATUS_SLOTS - 1] = { 200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 415, 417,
                                                422, 429, 499, 500, 501, 502, 503, 504 };

static size_t slot_of(int status)
{
        size_t i = 0;
        while (i < COUNT(statuses) && statuses[i] != status) i++;
        return i;
}

static const char *slot_name(size_t slot, char text[8])
{
        if (slot == COUNT(statuses)) return "other";
        snprintf(text, 8, "%d", statuses[slot]);
        return text;
}

void stats_endpoint(struct endpoint *e)
{
        e->latency = metric_of(&latency, (const char *const[]){ method_name(e->route->method), e->route->path, NULL });
}

void stats_coded(const char *coding)
{
        metric_add(metric_of(&compressed, (const char *const[]){ coding, NULL }), 1);
}

void stats_limited(const struct endpoint *e)
{
        metric_add(metric_of(&rate_limited, (const char *const[]){ method_name(e->route->method), e->route->path, NULL }), 1);
}

void stats_count(struct request *q)
{
        char text[8];
        size_t slot = slot_of(q->x->status ? q->x->status : 200);
        struct endpoint *e = (struct endpoint *)q->endpoint;    /* only its counters are written */
        if (!e) {
                metric_add(metric_of(&strays, (const char *const[]){ slot_name(slot, text), NULL }), 1);
                return;
        }
        struct metric *m = atomic_load_explicit(&e->counts[slot], memory_order_relaxed);
        if (!m) {
                m = metric_of(&requests, (const char *const[]){ method_name(e->route->method), e->route->path, slot_name(slot, text), NULL });
                atomic_store_explicit(&e->counts[slot], m, memory_order_relaxed);
        }
        metric_add(m, 1);
        metric_observe(e->latency, clock_us() - q->started_us);
}

void stats_job(const char *service, const char *job, bool ok)
{
        metric_add(metric_of(&job_runs, (const char *const[]){ service, job, ok ? "ok" : "failed", NULL }), 1);
}

/* ---- gauges: set by each worker for itself, so that a scrape's sum is the program's ----------------------------------- */

#define SET(family, value, ...) metric_set(metric_of(&(family), (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL }), (int64_t)(value))

static void database_gauges(const struct unit *u)
{
        struct pg_stats s = pg_stats(u->pg);
        const char *name = u->service->name;
        SET(pg_connections, s.busy, name, "busy");
        SET(pg_connections, s.open - s.busy, name, "idle");
        SET(pg_waiting, s.waiting, name);
        SET(pg_flight, s.in_flight, name);
        SET(pg_statements, s.statements - s.failures, name, "ok");
        SET(pg_statements, s.failures, name, "failed");
        SET(pg_reconnects, s.reconnects, name);
        SET(pg_up, s.up, name);
        SET(pg_read_only, s.read_only, name);
}

static void batch_gauges(struct worker *w)
{
        for (size_t i = 0; i < w->app->n_batched; i++) {
                if (!w->batchers[i]) continue;
                struct batch_stats s = batch_stats(w->batchers[i]);
                SET(batch_calls, s.calls, s.name);
                SET(batch_runs, s.batches, s.name);
                SET(batch_reruns, s.reruns, s.name);
                SET(batch_waiting, s.waiting, s.name);
        }
}

static void consumer_gauges(const struct consumer_stats *s, void *arg)
{
        (void)arg;
        SET(consumed, s->events, s->consumer, s->source);
        SET(consumer_batches, s->batches, s->consumer, s->source);
        SET(consumer_retries, s->retries, s->consumer, s->source);
        SET(consumer_parked, s->parked, s->consumer, s->source);
        SET(consumer_lag, s->lag_us, s->consumer, s->source);
}

static void relay_gauges(const struct relay_stats *s, void *arg)
{
        (void)arg;
        SET(relayed, s->events, s->source);
        SET(relay_lag, s->lag_us, s->source);
}

static void statement_gauges(const struct query_stats *q, void *arg)
{
        (void)arg;
        SET(statement_runs, q->runs, q->name);
        SET(statement_failures, q->failures, q->name);
        SET(statement_us, q->us, q->name);
}

static int64_t resident_peak_bytes(void)
{
        struct rusage u;
        return getrusage(RUSAGE_SELF, &u) == 0 ? (int64_t)u.ru_maxrss * 1024 : 0;
}

static void process_gauges(struct worker *w)
{
        struct pool_stats p = pool_stats(), asks = pool_ask_stats();
        SET(pool_gauge, p.threads, "threads");
        SET(pool_gauge, p.busy, "busy");
        SET(pool_gauge, p.queued, "queued");
        SET(pool_gauge, asks.busy, "asking");
        SET(pool_gauge, asks.queued, "asking_queued");
        SET(pool_jobs, p.done, "done");
        SET(pool_jobs, p.refused, "refused");
        SET(holds, watchdog_reports());
        for (enum bound b = 0; b < BOUNDS; b++) SET(bound_counts, bound_times(b), bound_label(b));
        SET(cpu, clock_cpu_us());
        SET(resident_peak, resident_peak_bytes());
        query_stats_each(statement_gauges, NULL);
        if (!w->app->bus) return;
        bus_each(w->app->bus, consumer_gauges, NULL);
        bus_each_relay(w->app->bus, relay_gauges, NULL);
}

static void cache_gauges(const struct cache_stats *s, void *arg)
{
        (void)arg;
        SET(cache_entries, s->entries, s->name);
        SET(cache_reads, s->hits, s->name, "hit");
        SET(cache_reads, s->misses, s->name, "miss");
}

void stats_gauges(struct worker *w)
{
        struct fiber_stats f = fiber_stats(w->index);
        SET(fibers, f.live - f.waiting, "ready");
        SET(fibers, f.waiting, "waiting");
        SET(fibers, f.pooled, "pooled");
        SET(switches, f.switches);
        if (w->server) {
                struct server_stats s = server_stats(w->server);
                SET(connections, s.busy, "busy");
                SET(connections, s.open - s.busy, "idle");
                SET(http_bytes, s.bytes_in, "in");
                SET(http_bytes, s.bytes_out, "out");
                SET(http_refused, s.refused);
                SET(http_waiting, s.waiting_bytes);
        }
        for (size_t i = 0; i < w->n_units; i++)
                if (w->units[i].pg) database_gauges(&w->units[i]);
        batch_gauges(w);
        caches_each(cache_gauges, NULL);
        struct cache_stats answers = answers_stats(w->answers);
        cache_gauges(&answers, NULL);
        SET(answers_held, answers_bytes(w->answers));
        if (w->index == 0) process_gauges(w);
}
