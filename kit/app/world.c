/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * world.c - a whole program for a test: the same binding, units, bus and edge, without sockets, signals and workers beyond this one. */
#include "world.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "engine.h"
#include "fiber.h"
#include "hash.h"
#include "jwt.h"
#include "mould.h"
#include "pool.h"

enum { REQUEST_ARENA = 64 << 20, UNIT_ARENA = 8 << 20, SKIPPED = 77, LOOK_MS = 2000, STILL_MAX = 3 };

struct visitor { struct visitor *older; struct ctx c; };       /* a ctx that as() made */
struct world {
        struct app     app;
        struct worker  worker;
        struct ctx    *c;               /* of the test                                            */
        struct visitor *last;
        char           prefix[40];
        struct loop   *loop;
        pthread_t      keeper;
        int            end_fd;          /* eventfd: written once, the keeper ends                 */
        uint64_t       seen;            /* statements at its last look                            */
        int            still;           /* looks since then without another                       */
};

void world_wrong(const char *file, int line, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        fprintf(stderr, "%s:%d: ", file, line);
        vfprintf(stderr, fmt, ap);
        fputc('\n', stderr);
        va_end(ap);
        fflush(NULL);
        _exit(1);
}

static void must(struct world *w, const struct ctx *c, int r, const char *what)
{
        (void)w;
        if (r < 0) world_wrong("world", 0, "%s: %s (%s: " STR_FMT ")", what, code_name(r), c->fault.slug ? c->fault.slug : "", STR_ARG(c->fault.message));
}

/* ---- visitors -------------------------------------------------------------------------------------------------------- */

uid who_id(const char *who)
{
        uid id;
        str rest = str_of(who), name = str_split(&rest, '#');
        struct digest d = sha256(name);
        memcpy(id.b, d.b, sizeof id.b);
        id.b[6] = (uint8_t)((id.b[6] & 0x0f) | 0x40);   /* a version 4 UUID in form */
        id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80);
        return id;
}

static unsigned roles_of(str name)
{
        static const struct { const char *name; unsigned role; } known[] = {
                { "admin", ROLE_ADMIN }, { "staff", ROLE_STAFF }, { "vendor", ROLE_VENDOR }, { "service", ROLE_SERVICE } };
        for (size_t i = 0; i < COUNT(known); i++)
                if (str_starts(name, str_of(known[i].name))) return known[i].role;
        return ROLE_CUSTOMER;
}

/* Every scope that a route or an operation asks for. */
static str all_scopes(struct world *w, struct arena *a)
{
        str all = STR("");
        for (size_t i = 0; i < w->app.n_endpoints; i++) {
                const char *scope = w->app.endpoints[i].route->scope;
                if (scope) all = arena_printf(a, STR_FMT " %s", STR_ARG(all), scope);
        }
        for (size_t i = 0; i < w->app.n_services; i++) {
                const char *scopes = w->app.services[i]->scopes;
                if (scopes) all = arena_printf(a, STR_FMT " %s", STR_ARG(all), scopes);
        }
        return all;
}

static struct caller caller_of(struct world *w, const char *who, struct arena *a)
{
        str rest = str_of(who), name = str_split(&rest, '#');
        if (!name.n) return (struct caller){ 0 };
        return (struct caller){ .id = who_id(who), .roles = roles_of(name), .scope = all_scopes(w, a), .address = STR("192.0.2.1") };
}

static struct ctx *visit(struct world *w, const char *who)
{
        struct visitor *v = calloc(1, sizeof *v);
        if (!v) abort();
        str key = str_of(who);
        (void)str_split(&key, '#');
        v->older = w->last;
        w->last = v;
        v->c = (struct ctx){ .arena = arena_new(REQUEST_ARENA), .op = "test", .idempotency_key = key, .deadline_us = deadline_in(TIMEOUT_MS) };
        v->c.caller = caller_of(w, who, v->c.arena);
        v->c.trace.request_id = STR("test");
        return &v->c;
}

struct ctx *as(struct world *w, const char *who)        { return visit(w, who); }

struct ctx *last(struct world *w)
{
        assert(w->last && "nobody came yet");
        return &w->last->c;
}

/* ---- a clock that stands still while everybody waits for it ------------------------------------------------------------- */

/* On the loop. A connection that a leap of the clock broke is opened again after a pause; a test that waits for it lets no time go by. So when
 * nothing has been asked of a database for seconds, a second of the fake clock passes. */
static void look_on(void *arg)
{
        struct world *w = arg;
        uint64_t now = db_stats().statements;
        w->still = now == w->seen ? w->still + 1 : 0;
        w->seen = now;
        if (w->still >= STILL_MAX && clock_is_fake()) clock_advance(1000);
}

static void *keep_looking(void *arg)
{
        struct world *w = arg;
        struct pollfd end = { .fd = w->end_fd, .events = POLLIN };
        while (poll(&end, 1, LOOK_MS) == 0) (void)loop_post(w->loop, look_on, w);
        return NULL;
}

static void keeper_open(struct world *w)
{
        w->loop = loop_self();
        w->end_fd = eventfd(0, EFD_CLOEXEC);
        if (w->end_fd < 0 || pthread_create(&w->keeper, NULL, keep_looking, w) != 0) abort();
}

static void last_look(void *arg)
{
        struct fiber **waits = arg;
        fiber_wake(take(waits));
}

/* What it has posted runs before the world goes: posts run in their order, and this one is the last. */
static void keeper_close(struct world *w)
{
        struct fiber *self = fiber_self();
        (void)!write(w->end_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
        pthread_join(w->keeper, NULL);
        close(w->end_fd);
        if (loop_post(w->loop, last_look, &self) < 0) abort();
        while (self) fiber_park_firmly("world, last look");
}

/* ---- open and close ----------------------------------------------------------------------------------------------------- */

static bool wants_database(const struct service *const *services)
{
        for (; *services; services++)
                if ((*services)->has_db) return true;
        return false;
}

static struct config *default_config(const struct service *const *services)
{
        struct config *k = config_new();
        config_table(k, "program", app_settings);
        for (; *services; services++)
                if ((*services)->settings) config_table(k, (*services)->name, (*services)->settings);
        return k;
}

static void world_start(struct world *w, const struct service *const *services)
{
        struct ctx c = *w->c;
        must(w, &c, app_bind(&c, &w->app, services, "all"), "the tables");
        must(w, &c, databases_cast(&c, &w->app), "the databases");
        c.deadline_us = 0;
        must(w, &c, units_start(&c, &w->worker), "the services");
        must(w, &c, bus_bind(&c, &w->worker), "the bus");
        must(w, &c, bus_start(&c, w->app.bus), "the bus");
}

struct world *world_open(struct ctx *c, const struct service *const *services)
{
        static int number;
        const char *url = getenv("SOUK_TEST_DATABASE_URL");
        struct world *w = calloc(1, sizeof *w);
        if (!w) abort();
        if (wants_database(services) && !url) {
                fprintf(stderr, "skipped: SOUK_TEST_DATABASE_URL names no PostgreSQL to make scratch databases in\n");
                _exit(SKIPPED);
        }
        const char *loopback = getenv("SOUK_LOOPBACK");
        call_through_wire(loopback && !strcmp(loopback, "wire"));
        crypto_start();
        jwk_make_again();
        snprintf(w->prefix, sizeof w->prefix, "world_%d_%d_", (int)getpid(), ++number);
        w->c = c;
        w->app = (struct app){ .config = default_config(services), .access_log = ACCESS_NONE, .db_prefix = w->prefix, .pg_transactions = 4,
                               .admin_url = str_of(url), .n_workers = 1, .started = clock_now() };
        memset(w->app.secret, 7, sizeof w->app.secret);
        page_key(w->app.secret);
        condition_key(&w->app);
        w->app.workers[0] = &w->worker;
        w->worker = (struct worker){ .app = &w->app, .access = BUF_INIT(1 << 20), .limiter = rate_open(), .answers = answers_open() };
        rand_seed(&w->worker.rand, 1);
        worker_enter(&w->worker);
        w->worker.auth = auth_open(&(struct auth_options){ .issuer = config_str(w->app.config, "issuer"), .audience = config_str(w->app.config, "audience") });
        keeper_open(w);
        world_start(w, services);
        w->app.ready = true;
        return w;
}

void keys_of(struct world *w, const struct op *keys)
{
        auth_close(&w->worker.auth);
        w->worker.auth = auth_open(&(struct auth_options){ .issuer = config_str(w->app.config, "issuer"), .audience = config_str(w->app.config, "audience"), .keys = keys });
}

void world_close(struct world **wp)
{
        struct world *w = *wp;
        if (!w) return;
        struct ctx c = *w->c;
        if (w->app.bus) events_stop(w);
        keeper_close(w);
        units_stop(&c, &w->worker);
        auth_close(&w->worker.auth);
        access_stop(&w->worker);
        worker_enter(NULL);
        databases_drop(&c, &w->app);
        app_unbind(&w->app);
        config_free(&w->app.config);
        buf_done(&w->worker.access);
        limiter_free(w->worker.limiter);
        kept_done(&w->worker);
        for (struct visitor *v = w->last, *older; v; v = older) {
                older = v->older;
                arena_free(v->c.arena);
                free(v);
        }
        free(w);
        *wp = NULL;
}

/* ---- looking in ----------------------------------------------------------------------------------------------------------- */

static struct ctx *inside(struct world *w, const char *service)
{
        struct unit *u = unit_named(&w->worker, service);
        if (!u) world_wrong("world", 0, "there is no service %s", service);
        struct ctx *c = visit(w, "");
        c->unit = u;
        c->pg = u->pg;
        return c;
}

int64_t number(struct world *w, const char *service, const char *sql)
{
        struct ctx *c = inside(w, service);
        int64_t n = db_count(db(c), sql);
        if (c->fault.code) must(w, c, -(int)c->fault.code, sql);
        return n;
}

int64_t rows(struct world *w, const char *service, const char *from_where)
{
        char sql[2000];
        snprintf(sql, sizeof sql, "select count(*) from %s", from_where);
        return number(w, service, sql);
}

int execute(struct world *w, const char *service, const char *sql)
{
        struct ctx *c = inside(w, service);
        int r = db_exec(db(c), sql);
        must(w, c, r, sql);
        return r;
}

int64_t events(struct world *w, const char *service, const char *topic)
{
        char sql[600];
        snprintf(sql, sizeof sql, "select count(*) from souk_outbox, regexp_split_to_table(convert_from(payload, 'UTF8'), E'\\n') line "
                 "where starts_with(line, '{\"topic\":\"%s\",')", topic);
        return number(w, service, sql);
}

/* ---- coming to rest: under a fake clock time goes on meanwhile, a millisecond for about a millisecond of work, or whoever waits a moment
 * (a consumer that was late, a statement that was cancelled) would wait for ever ------------------------------------------------ */

struct settling { struct world *w; int code; bool done; };

static int settle_fiber(struct ctx *c, void *arg)
{
        struct settling *s = arg;
        s->code = bus_settle(c, s->w->app.bus);
        s->done = true;
        return s->code;
}

/* About half a millisecond of this machine's time, however busy it is. */
static int some_work(void *arg)
{
        char zeros[32768] = { 0 };
        for (int i = 0; i < 8; i++) *(struct digest *)arg = sha256((str){ zeros, sizeof zeros });
        return 0;
}

void turn(void)
{
        struct ctx c = { .arena = arena_new(1 << 16), .op = "turn" };
        struct digest unused;
        must(NULL, &c, pool_run(&c, some_work, &unused), "a turn");
        arena_free(c.arena);
}

static int settle_once(struct world *w, struct ctx *c)
{
        struct settling s = { w, 0, false };
        GROUP(g, c);
        must(w, c, group_go(g, settle_fiber, &s), "settling");
        while (!s.done && clock_is_fake()) {
                turn();
                clock_advance(1);
        }
        return group_wait(g);
}

/* A clock that leapt while the relay's statement was under way makes its connection look dead; it is opened again, so asking again helps. */
void settle(struct world *w)
{
        struct ctx *c = visit(w, "");
        int r = settle_once(w, c);
        for (int again = 0; r == -UNAVAILABLE && again < 20; again++) {
                c = visit(w, "");
                r = settle_once(w, c);
        }
        must(w, c, r, "settling");
}

int try_job(struct world *w, const char *service, const char *job)
{
        struct ctx *c = inside(w, service);
        struct nothing in = { 0 }, out;
        for (const struct job *j = c->unit->service->jobs; j && j->name; j++)
                if (strcmp(j->name, job) == 0) return op_run(c, c->unit, j->op, &in, &out);
        world_wrong("world", 0, "%s has no job %s", service, job);
        return 0;
}

void run_job(struct world *w, const char *service, const char *job)
{
        int r = try_job(w, service, job);
        must(w, last(w), r, job);
}

int elsewhere(struct world *w, struct ctx *c, const struct op *op, const void *in, void *out)
{
        struct ctx own = unit_model(unit_of(&w->worker, op));
        struct call v = { .c = c, .in = in, .out = out };
        own.arena = arena_new(UNIT_ARENA);
        own.deadline_us = deadline_in(TIMEOUT_MS);
        batch_run(&own, op->batch, &v, 1);
        arena_free(own.arena);
        return v.verdict;
}

void events_stop(struct world *w)
{
        struct ctx c = *w->c;
        bus_stop(&c, w->app.bus);
        bus_close(&w->app.bus);
}

void events_start(struct world *w)
{
        struct ctx c = *w->c;
        c.deadline_us = 0;
        must(w, &c, bus_bind(&c, &w->worker), "the bus");
        must(w, &c, bus_start(&c, w->app.bus), "the bus");
}

/* ---- requests -------------------------------------------------------------------------------------------------------------- */

struct http_answer http_message(struct world *w, const char *who, const char *message)
{
        struct ctx *c = visit(w, who ? who : "");
        struct caller caller = c->caller;
        struct buf body AUTO(buf_done) = BUF_INIT(64 << 20);
        struct exchange x = { .peer = "192.0.2.1", .body = &body };
        const char *why = NULL;
        size_t from = 0;
        struct http1_limits limits = http1_defaults;
        str text = arena_str(c->arena, str_of(message));
        limits.body_max = 64 << 20;                     /* so that the route's own limit is met */
        ptrdiff_t eaten = http1_request(c->arena, &limits, text, &from, &x.head, &why);
        if (eaten <= 0) return (struct http_answer){ 0 };
        c->deadline_us = 0;
        edge_answer(c, &x, &w->worker, &(struct in_hand){ .caller = who ? &caller : NULL, .body = str_cut(text, (size_t)eaten, text.n) });
        if (x.no_memory || buf_error(&body) < 0) return (struct http_answer){ .status = x.no_memory || buf_is_starved(&body) ? 429 : 500 };     /* as the server does */
        return (struct http_answer){ x.status ? x.status : body.n ? 200 : 204, arena_str(c->arena, buf_str(&body)), x.out };
}

struct http_answer http(struct world *w, const char *who, enum method m, const char *target, const char *body)
{
        struct buf b AUTO(buf_done) = BUF_INIT(64 << 20);
        str key = str_of(who ? who : "");
        (void)str_split(&key, '#');
        buf_printf(&b, "%s %s HTTP/1.1\r\nhost: souk.test\r\n", method_name(m), target);
        if (key.p) buf_printf(&b, "idempotency-key: " STR_FMT "\r\n", STR_ARG(key));
        if (body) buf_printf(&b, "content-type: application/json\r\ncontent-length: %zu\r\n", strlen(body));
        buf_printf(&b, "\r\n%s%c", body ? body : "", 0);
        return http_message(w, who ? who : "", buf_str(&b).p);
}
