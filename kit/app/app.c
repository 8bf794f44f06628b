/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * app.c - a program from its first line to its last: workers, modules, signals, the drain.
 *
 *     each worker's first fiber:   start modules (a child fiber) ---> up ---> wait for news ---> cancel what still starts ---> stop modules
 *                                        worker 0 opens a gate for the others when databases and port are there
 *     SIGTERM, SIGINT, app_stop(), any failure  ---> news to every worker      a second signal ends the process at once
 *
 * Draining comes first: /readyz says no, listeners close, requests end within the grace time; then jobs, consumers, services. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "args.h"
#include "engine.h"
#include "outbox.h"
#include "pool.h"

enum { FIRST_ARENA = 16 << 20, DESCRIPTORS_KEPT = 64 };
enum news { NEWS_UP = 1, NEWS_STOP };

const struct setting app_settings[] = {
        { "port", SET_INT, "8080", 0, 65535, .doc = "where HTTP is served; 0 picks a free one" },
        { "address", SET_STR, "127.0.0.1", .doc = "the address it is served on; 0.0.0.0 for all" },
        { "workers", SET_INT, "0", 0, WORKERS_MAX, .doc = "threads that serve, each with a loop of its own; 0: one for every two cores" },
        { "connections", SET_INT, "10000", 1, 1000000,
          .doc = "open connections of clients, at most, a worker; fewer when the system grants too few descriptors; a newcomer takes the place of the "
                 "longest idle, or gets 503" },
        { "request-memory", SET_SIZE, "16MiB", 64 << 10, 1 << 30,
          .doc = "memory of one request, at most; never less than twice the largest body that a route takes, which for an import is 8 MiB" },
        { "waiting-memory", SET_SIZE, "64MiB", 1 << 20, 1 << 30,
          .doc = "memory of requests half come and answers half gone, at most, a worker; beyond it the clients that take longest are cut off" },
        { "head-timeout", SET_MS, "10s", 100, 3600000, .doc = "time a client has to send a request's head" },
        { "body-timeout", SET_MS, "30s", 100, 3600000, .doc = "time a client has to send its body" },
        { "idle-timeout", SET_MS, "75s", 100, 3600000, .doc = "how long a connection may wait for the next request" },
        { "write-timeout", SET_MS, "30s", 100, 3600000, .doc = "time a client has to take an answer" },
        { "rate-limit-reads", SET_INT, "12000000", 0, 1000000000, .doc = "GETs a minute of a client to a route, in each worker; 0: any. Unless set, only the absurd is stopped" },
        { "rate-limit-writes", SET_INT, "3000000", 0, 1000000000, .doc = "the same for POST, PUT, PATCH and DELETE" },
        { "trusted-proxies", SET_STR, "", .doc = "proxies whose X-Forwarded-For says who asks: addresses and networks such as 10.0.0.0/8, separated by commas; empty: none" },
        { "compress", SET_BOOL, "true", .doc = "answers of 1 KiB and more go out as gzip or br to clients that take it; false when a proxy in front does that" },
        { "cors-origins", SET_STR, "", .doc = "origins of web pages that may use the API, such as https://shop.example, separated by commas; * for all; empty: none" },
        { "grace", SET_MS, "10s", 0, 3600000, .doc = "time that requests have to end when the program is told to stop" },
        { "log-level", SET_STR, "info", .doc = "debug, info, warn or error" },
        { "log-format", SET_STR, "human", .doc = "human or json" },
        { "access-log", SET_STR, "", .doc = "which requests get a line: all, errors (500 and over, and warnings) or none; unless said, all with json and errors with human" },
        { "database-url", SET_STR, "", .secret = true, .doc = "a PostgreSQL server (libpq URI) whose user may create databases; empty: a private one" },
        { "database-transactions", SET_INT, "8", 1, 1000, .doc = "connections for transactions, at most, of a worker to a service's database" },
        { "batch-waiting", SET_INT, "8192", 1, 1000000, .doc = "callers of an operation that may wait for its next batch, at most, a worker; others are told that it is busy" },
        { "pool-threads", SET_INT, "2", 1, 64, .doc = "threads for hashing, signing and other slow work" },
        { "issuer", SET_STR, "https://souk.local", .doc = "who signs access tokens (iss)" },
        { "audience", SET_STR, "souk", .doc = "whom they are for (aud)" },
        { "loopback", SET_STR, "direct", .doc = "direct, or wire: calls between services in this process go through JSON, as a test" },
        { "outbox-keep", SET_MS, "72h", 60000, 2000000000, .doc = "how long events that every consumer has seen are kept" },
        { 0 } };

static _Atomic(struct app *) running;   /* for app_stop(): at most one at a time */

/* ---- stopping ------------------------------------------------------------------------------------------------------------ */

static void stop_all(struct app *a, int why)
{
        int none = 0, news = NEWS_STOP;
        if (why < 0) atomic_compare_exchange_strong(&a->failed, &none, why);
        if (atomic_exchange(&a->draining, true)) return;
        chan_close(a->gate);
        chan_close(a->up);
        for (int i = 0; i < a->n_workers; i++) (void)chan_try_send(a->workers[i]->news, &news);
}

static void stop_fiber(void *arg)       { stop_all(arg, 0); }
static void stop_here(void *arg)        { (void)fiber_start("stop", stop_fiber, arg); }

void app_stop(void)
{
        struct app *a = running;
        if (a) (void)loop_post(loop_at(0), stop_here, a);
}

static void on_stop_signal(void *arg)
{
        struct app *a = arg;
        if (a->draining) _exit(130);
        if (!a->options || !a->options->progress) log_say(INFO, "stopping");
        else a->options->progress("stopping", a->options->arg);
        stop_all(a, 0);
}

/* ---- modules ------------------------------------------------------------------------------------------------------------- */

static int databases_start(struct ctx *c, struct worker *w)
{
        struct ctx own = *c;
        int r = databases_prepare(&own, w->app);
        c->fault = own.fault;
        return r;
}

static int auth_start(struct ctx *c, struct worker *w)
{
        const struct config *k = w->app->config;
        (void)c;
        w->auth = auth_open(&(struct auth_options){ config_str(k, "issuer"), config_str(k, "audience"), w->app->options->keys });
        return 0;
}

static void auth_stop(struct ctx *c, struct worker *w)
{
        (void)c;
        auth_close(&w->auth);
}

static int bus_up(struct ctx *c, struct worker *w)
{
        int r = bus_bind(c, w);
        if (r == 0) r = bus_start(c, w->app->bus);
        if (r < 0) bus_close(&w->app->bus);
        return r;
}

static void bus_down(struct ctx *c, struct worker *w)
{
        bus_stop(c, w->app->bus);
        bus_close(&w->app->bus);
}

static size_t largest_body(const struct app *a)
{
        size_t max = BODY_MAX;
        for (size_t i = 0; i < a->n_endpoints; i++) max = MAX(max, (size_t)a->endpoints[i].route->body_max);
        return max;
}

/* What is set, but enough for the largest body and what is read from it. */
static size_t request_memory(const struct worker *w, size_t body_max)
{
        int64_t wanted = config_int(w->app->config, "request-memory"), least = 2 * (int64_t)body_max;
        if (wanted < least && w->index == 0) log_say(WARN, "request_memory_raised", L_INT("wanted", wanted), L_INT("bytes", least), L_INT("largest_body", (int64_t)body_max));
        return (size_t)MAX(wanted, least);
}

/* Connections of clients, for one worker: what is set, but never the descriptors that the databases and the rest need to go on. */
static int connections_max(const struct app *a)
{
        struct rlimit l;
        int wanted = (int)config_int(a->config, "connections");
        if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == RLIM_INFINITY) return wanted;
        int64_t all = (int64_t)l.rlim_cur / a->n_workers, ours = DESCRIPTORS_KEPT + (int64_t)a->n_services * (a->pg_transactions + 3);
        int64_t room = MAX(all - ours, MAX(all / 4, 1));
        if (room >= wanted) return wanted;
        log_say(WARN, "connections_limited", L_INT("wanted", wanted), L_INT("each_worker", room), L_INT("descriptors", (int64_t)l.rlim_cur));
        return (int)room;
}

static int http_start(struct ctx *c, struct worker *w)
{
        struct app *a = w->app;
        const struct config *k = a->config;
        struct server_options o = server_defaults;
        o.address = config_str(k, "address");
        o.port = w->index ? a->port : (int)config_int(k, "port");
        o.limits.body_max = largest_body(a);
        o.connections_max = connections_max(a);
        fd_room(a->n_workers * (o.connections_max + DESCRIPTORS_KEPT));
        o.head_timeout_ms = (int)config_int(k, "head-timeout");
        o.body_timeout_ms = (int)config_int(k, "body-timeout");
        o.idle_timeout_ms = (int)config_int(k, "idle-timeout");
        o.write_timeout_ms = (int)config_int(k, "write-timeout");
        o.waiting_max = (size_t)config_int(k, "waiting-memory");
        o.arena_max = request_memory(w, o.limits.body_max);
        TRY(server_open(c, &o, edge_handle, w, &w->server));
        if (w->index == 0) a->port = server_port(w->server);
        return 0;
}

static void http_stop(struct ctx *c, struct worker *w)
{
        server_drain(c, w->server, (int)config_int(w->app->config, "grace"));
        server_close(&w->server);
        access_stop(w);
}

/* Worker 0 opens it by closing the channel; the others wait there. */
static int gate(struct ctx *c, struct worker *w)
{
        char none;
        if (w->index == 0) {
                w->app->gate_open = true;
                chan_close(w->app->gate);
                return 0;
        }
        int r = chan_recv(c, w->app->gate, &none);
        if (r != -OUT_OF_RANGE) return r;
        return w->app->gate_open ? 0 : -CANCELLED;
}

static const struct module modules[] = {
        { "databases", true,  databases_start, NULL       },
        { "services",  true,  units_start,     units_stop },
        { "keys",      true,  auth_start,      auth_stop  },
        { "events",    true,  bus_up,          bus_down   },
        { "jobs",      true,  jobs_start,      jobs_stop  },
        { "http",      true,  http_start,      http_stop  },
        { "gate",      false, gate,            NULL       },
        { 0 } };
/* ... and of the workers beside it, which need the databases and the port */
static const struct module more_modules[] = {
        { "gate",      false, gate,            NULL       },
        { "services",  false, units_start,     units_stop },
        { "keys",      false, auth_start,      auth_stop  },
        { "http",      false, http_start,      http_stop  },
        { 0 } };

static const struct module *table_of(const struct worker *w)    { return w->index ? more_modules : modules; }

/* ---- a worker ------------------------------------------------------------------------------------------------------------- */

static int everybody_is_up(struct ctx *c, struct app *a)
{
        char one;
        for (int i = 0; i < a->n_workers; i++) {
                int r = chan_recv(c, a->up, &one);
                if (r < 0) return r == -OUT_OF_RANGE ? -CANCELLED : r;
        }
        if (a->options->ready) TRY(a->options->ready(c, a->port, a->options->arg));
        a->ready = true;
        return 0;
}

static int start_worker(struct ctx *c, void *arg)
{
        struct worker *w = arg;
        struct app *a = w->app;
        char one = 1;
        int r = modules_start(c, w, table_of(w));
        if (r == 0 && chan_try_send(a->up, &one) < 0) r = -CANCELLED;
        if (r == 0 && w->index == 0) r = everybody_is_up(c, a);
        if (r < 0 && !a->draining)
                fprintf(stderr, "souk: cannot start: " STR_FMT "\n", STR_ARG(c->fault.message.p ? c->fault.message : str_of(code_name(r))));
        if (r < 0) stop_all(a, r);
        return r;
}

static int worker_main(void *arg, int index)
{
        struct app *a = arg;
        struct worker *w = a->workers[index];
        struct ctx c = { .arena = arena_new(FIRST_ARENA), .op = "worker" };
        int news = 0;
        worker_enter(w);
        if (index == 0) {
                TRY(on_signal(SIGTERM, on_stop_signal, a));
                TRY(on_signal(SIGINT, on_stop_signal, a));
        }
        {
                GROUP(g, &c);
                if (group_go(g, start_worker, w) < 0) stop_all(a, -RESOURCE_EXHAUSTED);
                while (news != NEWS_STOP && chan_recv(&c, w->news, &news) == 0) {}
        }
        fault_clear(&c);
        modules_stop(&c, w, table_of(w));
        worker_enter(NULL);
        c.arena = arena_free(c.arena);
        return 0;
}

/* ---- the program ----------------------------------------------------------------------------------------------------------- */

static int word_of(struct ctx *c, const struct config *k, const char *setting, const char *const *words)
{
        str value = config_str(k, setting);
        struct buf list AUTO(buf_done) = BUF_INIT(400);
        for (int i = 0; words[i]; i++) {
                if (str_eq(value, str_of(words[i]))) return i;
                buf_printf(&list, "%s%s", i ? ", " : "", words[i]);
        }
        return fail(c, INVALID_ARGUMENT, "bad_setting", "%s is one of " STR_FMT ", not \"" STR_FMT "\"", setting, STR_ARG(buf_str(&list)), STR_ARG(value));
}

static int log_start(struct ctx *c, struct app *a)
{
        static const char *const levels[] = { "debug", "info", "warn", "error", NULL }, *const formats[] = { "human", "json", NULL };
        static const char *const accesses[] = { "all", "errors", "none", NULL };
        int level, format, access;
        TRY(level = word_of(c, a->config, "log-level", levels));
        TRY(format = word_of(c, a->config, "log-format", formats));
        access = format == LOG_JSON ? ACCESS_ALL : ACCESS_ERRORS;
        if (config_str(a->config, "access-log").n) TRY(access = word_of(c, a->config, "access-log", accesses));
        a->access_log = (enum access_log)access;
        log_setup((enum level)level, (enum log_format)format, colour_is_wanted(STDERR_FILENO), STDERR_FILENO);
        return 0;
}

static int check_port(struct ctx *c, const struct config *k)
{
        int port = (int)config_int(k, "port");
        str address = config_str(k, "address");
        if (!port || !port_is_taken(address, port)) return 0;
        return fail(c, ALREADY_EXISTS, "port_taken", "port %d of " STR_FMT " is taken by another program; choose another with --port", port, STR_ARG(address));
}

/* As many descriptors as the system lets us have: connections need them. */
static void raise_limits(void)
{
        struct rlimit l;
        if (getrlimit(RLIMIT_NOFILE, &l) < 0) return;
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
}

static int prepare(struct ctx *c, struct app *a)
{
        static const char *const loopbacks[] = { "direct", "wire", NULL };
        int wire;
        TRY(log_start(c, a));
        TRY(wire = word_of(c, a->config, "loopback", loopbacks));
        call_through_wire(wire);
        TRY(check_port(c, a->config));
        return app_bind(c, a, a->options->services, a->options->target);
}

static struct worker *worker_new(struct app *a, int index)
{
        uint64_t seed;
        struct worker *w = calloc(1, sizeof *w);
        if (!w) abort();
        *w = (struct worker){ .app = a, .index = index, .access = BUF_INIT(1 << 20), .news = chan_new(8, sizeof(int)), .limiter = rate_open(),
                              .answers = answers_open() };
        random_bytes(&seed, sizeof seed);
        rand_seed(&w->rand, seed);
        return w;
}

static int run(struct app *a)
{
        a->gate = chan_new(1, 1);
        a->up = chan_new(WORKERS_MAX, 1);
        for (int i = 0; i < a->n_workers; i++) a->workers[i] = worker_new(a, i);
        running = a;
        int r = run_workers(a->n_workers, worker_main, a);
        running = NULL;
        for (int i = 0; i < a->n_workers; i++) {
                chan_free(a->workers[i]->news);
                buf_done(&a->workers[i]->access);
                limiter_free(a->workers[i]->limiter);
                kept_done(a->workers[i]);
                free(a->workers[i]);
        }
        chan_free(a->gate);
        chan_free(a->up);
        return r < 0 ? r : a->failed;
}

int app_run(const struct app_options *o)
{
        struct app a = { .config = o->config, .options = o, .db_prefix = "souk_", .admin_url = o->admin_url, .started = clock_now() };
        struct ctx c = { .arena = arena_new(FIRST_ARENA), .op = "start" };
        crypto_start();
        raise_limits();
        memcpy(a.secret, o->secret, sizeof a.secret);
        page_key(a.secret);
        condition_key(&a);
        int r = prepare(&c, &a);
        if (r < 0) fprintf(stderr, "souk: cannot start: " STR_FMT "\n", STR_ARG(c.fault.message));
        if (r == 0) {
                long cores = sysconf(_SC_NPROCESSORS_ONLN), wanted = (long)config_int(a.config, "workers");
                a.n_workers = (int)MIN(wanted ? wanted : MAX(cores / 2, 1), WORKERS_MAX);
                a.pg_transactions = (int)config_int(a.config, "database-transactions");
                a.batch_waiting = (size_t)config_int(a.config, "batch-waiting");
                pool_start((int)config_int(a.config, "pool-threads"), 256);
                r = run(&a);
                pool_stop();
        }
        app_unbind(&a);
        arena_free(c.arena);
        return r;
}
