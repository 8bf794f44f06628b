/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pages.c - what every program answers about itself: a front page, health, metrics, fibers, its API as OpenAPI and to read. */
#include "engine.h"
#include <pthread.h>
#include <stdlib.h>
#include "json.h"
#include "text.h"

enum { PING_MS = 1000 };

static void send_type(struct ctx *c, struct exchange *x, const char *type)
{
        res_header(c, x, "content-type", str_of(type));
}

static void send_html(struct ctx *c, struct exchange *x, str policy)
{
        send_type(c, x, "text/html; charset=utf-8");
        res_header(c, x, "content-security-policy", policy);
        res_header(c, x, "x-content-type-options", STR("nosniff"));
}

/* ---- all workers --------------------------------------------------------------------------------------------------------- */

struct round {                          /* shared by the asking fiber and the posts; the last one frees it */
        atomic_int   refs;
        struct chan *done;
        void       (*fn)(struct worker *w, void *arg);
        void        *arg;
        pthread_mutex_t lock;           /* of given_up, held while fn runs                        */
        bool         given_up;          /* the asker has gone, and arg with it                    */
};

static void round_unref(struct round *r)
{
        if (atomic_fetch_sub(&r->refs, 1) > 1) return;
        chan_free(r->done);
        pthread_mutex_destroy(&r->lock);
        free(r);
}

static void visit(void *arg)
{
        struct round *r = arg;
        struct worker *w = worker_here();
        char one = 1;
        pthread_mutex_lock(&r->lock);
        if (w && !r->given_up) r->fn(w, r->arg);
        pthread_mutex_unlock(&r->lock);
        (void)chan_try_send(r->done, &one);
        round_unref(r);
}

/* The others are asked one after another, so fn may fill what all share; a worker that ends meanwhile costs a second. */
static int ask(struct ctx *c, struct round *r, int index)
{
        char one;
        struct ctx limited = *c;
        atomic_fetch_add(&r->refs, 1);
        if (loop_post(loop_at(index), visit, r) < 0) {
                round_unref(r);
                return fail(c, RESOURCE_EXHAUSTED, "busy", "a worker has too much to do");
        }
        ctx_limit(&limited, PING_MS);
        return chan_recv(&limited, r->done, &one);
}

int each_worker(struct ctx *c, void (*fn)(struct worker *w, void *arg), void *arg)
{
        struct worker *w = worker_here();
        struct app *a = w->app;
        fn(w, arg);
        if (a->n_workers == 1 || a->draining) return 0;
        struct round *r = alloc_should_fail() ? NULL : calloc(1, sizeof *r);
        if (!r) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no memory");
        *r = (struct round){ .refs = 1, .done = chan_new(WORKERS_MAX, 1), .fn = fn, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER };
        int failed = 0;
        for (int i = 0; i < a->n_workers && failed == 0; i++)
                if (i != w->index) failed = ask(c, r, i);
        pthread_mutex_lock(&r->lock);
        r->given_up = true;
        pthread_mutex_unlock(&r->lock);
        round_unref(r);
        return failed;
}

/* ---- health ---------------------------------------------------------------------------------------------------------------- */

static void healthz(struct ctx *c, struct exchange *x)
{
        send_type(c, x, "application/json");
        buf_lit(x->body, "{\"status\":\"ok\"}");
}

static void check(struct jw *w, const char *name, bool ok, bool *all)
{
        jw_object(w);
        jw_key(w, "name");
        jw_z(w, name);
        jw_key(w, "ok");
        jw_bool(w, ok);
        jw_object_end(w);
        *all = *all && ok;
}

static void readyz(struct ctx *c, struct exchange *x)
{
        struct worker *w = worker_here();
        struct jw out = { .b = x->body };
        bool all = true;
        send_type(c, x, "application/json");
        jw_object(&out);
        jw_key(&out, "checks");
        jw_array(&out);
        check(&out, "started", w->app->ready, &all);
        check(&out, "not draining", !w->app->draining, &all);
        for (size_t i = 0; i < w->n_units; i++) {
                struct unit *u = &w->units[i];
                struct ctx own = *c;
                if (!u->pg) continue;
                ctx_limit(&own, PING_MS);
                check(&out, arena_z(c->arena, arena_printf(c->arena, "database of %s", u->service->name)), pg_ping(&own, u->pg) >= 0, &all);
                if (pg_is_read_only(u->pg)) check(&out, arena_z(c->arena, arena_printf(c->arena, "%s takes writes", u->service->name)), false, &all);
        }
        jw_array_end(&out);
        jw_key(&out, "ready");
        jw_bool(&out, all);
        jw_object_end(&out);
        if (!all) x->status = 503;
}

/* ---- metrics and fibers ----------------------------------------------------------------------------------------------------- */

static void gauges(struct worker *w, void *arg)
{
        (void)arg;
        stats_gauges(w);
}

static void metrics(struct ctx *c, struct exchange *x)
{
        if (each_worker(c, gauges, NULL) < 0) fault_clear(c);   /* what is known is worth showing */
        send_type(c, x, "text/plain; version=0.0.4; charset=utf-8");
        metrics_write(x->body);
}

static void one_fiber(const struct fiber_info *f, void *arg)
{
        struct jw *w = arg;
        jw_object(w);
        jw_key(w, "loop");
        jw_int(w, f->loop);
        jw_key(w, "name");
        jw_z(w, f->name);
        jw_key(w, "where");
        jw_z(w, f->where ? f->where : "running");
        jw_key(w, "age_ms");
        jw_int(w, f->age_us / 1000);
        jw_key(w, "waiting_ms");
        jw_int(w, f->waiting_us / 1000);
        jw_key(w, "stack_bytes");
        jw_int(w, (int64_t)f->stack_used);
        jw_object_end(w);
}

static void fibers_of(struct worker *w, void *arg)
{
        (void)w;
        fibers_each(one_fiber, arg);
}

static void debug_fibers(struct ctx *c, struct exchange *x)
{
        struct jw w = { .b = x->body };
        send_type(c, x, "application/json");
        jw_object(&w);
        jw_key(&w, "fibers");
        jw_array(&w);
        if (each_worker(c, fibers_of, &w) < 0) return;
        jw_array_end(&w);
        jw_object_end(&w);
}

/* ---- parked events ----------------------------------------------------------------------------------------------------------- */

struct parked_all      { struct parked_list items; };
struct replay_request  { str consumer, key; };
struct replay_answer   { int32_t marked; };
MESSAGE(parked_all, "events that their consumers could not apply", F_LIST(parked_all, 1, items, parked, .doc = "Of all services here, each's oldest first."));
MESSAGE(replay_request, "the parked events of one key",
        F(replay_request, 1, consumer, .min = 1, .max = 200, .example = "\"inventory.hold_commit\""),
        F(replay_request, 2, key, .min = 1, .max = 1000));
MESSAGE(replay_answer, "what will be tried again", F(replay_answer, 1, marked, .doc = "How many events."));

static int parked_append(struct ctx *c, struct parked_list *all, const struct parked_list *more)
{
        if (!more->n) return 0;
        struct parked *v = arena_grow(c->arena, all->v, all->n * sizeof *v, (all->n + more->n) * sizeof *v);
        if (!v) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the parked events");
        memcpy(v + all->n, more->v, more->n * sizeof *v);
        *all = (struct parked_list){ v, all->n + more->n };
        return 0;
}

static int parked_show(struct ctx *c, const struct nothing *in, struct parked_all *out)
{
        struct worker *w = worker_here();
        (void)in;
        for (size_t i = 0; i < w->n_units; i++) {
                struct unit *u = &w->units[i];
                struct parked_list some;
                if (!u->pg || !u->service->consumers) continue;
                c->unit = u;
                c->pg = u->pg;
                TRY(parked_list(c, &some));
                TRY(parked_append(c, &out->items, &some));
        }
        return 0;
}

/* Applied by the consumer's own process at its next turn, whichever worker or replica that is. */
static int parked_again(struct ctx *c, const struct replay_request *in, struct replay_answer *out)
{
        str rest = in->consumer, service = str_split(&rest, '.');
        struct unit *u = unit_named(worker_here(), arena_z(c->arena, service));
        if (!u || !u->pg) return fail(c, NOT_FOUND, "no_such_consumer", "no consumer " STR_FMT " runs here", STR_ARG(in->consumer));
        c->unit = u;
        c->pg = u->pg;
        TRY(out->marked = parked_mark(c, in->consumer, in->key));
        return out->marked ? 0 : fail(c, NOT_FOUND, "nothing_parked", "nothing of that key is parked for " STR_FMT, STR_ARG(in->consumer));
}

OP(parked_show, nothing, parked_all);
OP(parked_again, replay_request, replay_answer);

/* ---- the API ----------------------------------------------------------------------------------------------------------------- */

enum { KEPT_MAX_BYTES = 4 << 20 };

/* Sends the page, which is made when a worker is asked for it first. What finds no memory to stay is made for this request. */
static void send_kept(struct exchange *x, enum kept_page page, void (*make)(struct buf *out, const struct app *a))
{
        struct request *q = x->app;
        struct kept **k = &q->w->kept[page];
        if (!*k && (*k = kept_new(KEPT_MAX_BYTES))) make(&(*k)->plain, q->w->app);
        if (*k && buf_error(&(*k)->plain) < 0) kept_release(k);
        if (!*k) {
                make(x->body, q->w->app);
                return;
        }
        buf_add(x->body, buf_str(&(*k)->plain));
        q->kept = kept_hold(*k);
}

void kept_done(struct worker *w)
{
        for (size_t i = 0; i < COUNT(w->kept); i++) kept_release(&w->kept[i]);
        answers_close(&w->answers);
}

static void make_openapi(struct buf *out, const struct app *a) { openapi_write(out, a->services); }

static void openapi(struct ctx *c, struct exchange *x)
{
        send_type(c, x, "application/json");
        send_kept(x, KEPT_OPENAPI, make_openapi);
}

static void docs(struct ctx *c, struct exchange *x)
{
        struct buf policy AUTO(buf_done) = BUF_INIT(1000);
        docs_policy(&policy);
        send_html(c, x, arena_str(c->arena, buf_str(&policy)));
        send_kept(x, KEPT_DOCS, docs_page);
}

static void front_row(struct buf *b, const struct unit *u)
{
        size_t routes = 0;
        for (const struct route *r = u->service->routes; r && r->path; r++) routes++;
        buf_lit(b, "<tr><td><a href=\"/docs#");
        html_write(b, str_of(u->service->name));
        buf_lit(b, "\">");
        html_write(b, str_of(u->service->name));
        buf_lit(b, "</a></td><td>");
        html_write(b, str_of(u->service->doc ? u->service->doc : ""));
        buf_printf(b, "</td><td class=n>%zu</td><td>%s</td></tr>\n", routes, !u->pg ? "" : pg_is_up(u->pg) ? "up" : "down");
}

static void front(struct ctx *c, struct exchange *x)
{
        struct worker *w = worker_here();
        struct buf *b = x->body;
        int64_t up_s = (clock_now().us - w->app->started.us) / 1000000;
        send_html(c, x, STR("default-src 'none'; style-src 'unsafe-inline'"));
        buf_lit(b, "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Souk</title><style>"
                   "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}"
                   "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}.n{text-align:right}"
                   "nav a{margin-right:1rem}a{color:#06c}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a{color:#6af}td,th{border-color:#444}}"
                   "</style><h1>Souk</h1><p>A marketplace back end. This program has run for ");
        buf_printf(b, "%lld h %lld min on %d worker%s.</p>\n", (long long)up_s / 3600, (long long)up_s / 60 % 60, w->app->n_workers, w->app->n_workers == 1 ? "" : "s");
        buf_lit(b, "<nav><a href=/docs>API reference</a><a href=/openapi.json>OpenAPI</a><a href=/healthz>healthz</a><a href=/readyz>readyz</a>"
                   "<a href=/metrics>metrics</a></nav>\n<h2>What runs here</h2><table><tr><th>service<th><th class=n>routes<th>database</tr>\n");
        for (size_t i = 0; i < w->n_units; i++)
                if (w->units[i].service != &pages_service) front_row(b, &w->units[i]);
        buf_lit(b, "</table></html>\n");
}

const struct service pages_service = {
        .name = "program", .doc = "The program about itself: health, metrics, documentation.",
        ROUTES(
                RAW(GET, "/",              front,        .who = ANYONE, .media = "text/html", .doc = "What runs here, as a page."),
                RAW(GET, "/docs",          docs,         .who = ANYONE, .cache_control = "no-cache", .media = "text/html", .doc = "The API, to read."),
                RAW(GET, "/openapi.json",  openapi,      .who = ANYONE, .cache_control = "no-cache", .media = "application/json", .doc = "The API as OpenAPI 3.1."),
                RAW(GET, "/healthz",       healthz,      .who = ANYONE, .per_minute = -1, .media = "application/json", .doc = "The process is alive."),
                RAW(GET, "/readyz",        readyz,       .who = ANYONE, .per_minute = -1, .media = "application/json", .doc = "Everything it needs is there; 503 when not."),
                RAW(GET, "/metrics",       metrics,      .who = ANYONE, .per_minute = -1, .media = "text/plain", .doc = "Numbers in Prometheus' text format."),
                RAW(GET, "/debug/fibers",  debug_fibers, .who = ADMIN, .media = "application/json",  .doc = "Every fiber: what it works on, where it waits."),
                GET("/debug/parked", parked_show,            .who = ADMIN,  .doc = "Events that could not be applied, and why."),
                POST("/debug/parked/replay", parked_again,   .who = ADMIN,  .status = 202, .doc = "The parked events of one key are tried again within seconds.",
                     .slugs = (const char *const[]){ "no_such_consumer", "nothing_parked", NULL })),
};
