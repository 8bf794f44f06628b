/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * engine.h - the insides of app/, shared by its files and nobody else: the program, its workers, the services on them, a request.
 *
 *     app            one a program: the tables, bound together once; read-only after start but for atomics
 *       worker       one a loop: thread-local worker_here()
 *         unit       a service on a worker: its state, its database, its batchers
 *       endpoint     a route with what is worked out from it once
 *     request        one exchange on its way through the middleware (on the fiber's stack)
 */
#ifndef ENGINE_H
#define ENGINE_H
#include <stdatomic.h>
#include <stdio.h>
#include "app.h"
#include "auth.h"
#include "chan.h"
#include "clock.h"
#include "coding.h"
#include "config.h"
#include "fiber.h"
#include "hash.h"
#include "kept.h"
#include "limit.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "op.h"
#include "page.h"
#include "pg.h"
#include "server.h"
#include "sync.h"

enum { SERVICES_MAX = 32, ENDPOINTS_MAX = 400, BATCHERS_MAX = 64, PATH_VARS_MAX = 6, SEGMENTS_MAX = 16, STATUS_SLOTS = 28, TIMEOUT_MS = 10000, BODY_MAX = 1 << 20 };

/* ---- the program --------------------------------------------------------------------------------------------------- */
/* proxy.c: whose X-Forwarded-For is believed */
enum { PROXIES_MAX = 32 };
struct network { uint8_t at[16]; int bits; };           /* IPv4 as ::ffff:0:0/96                  */
struct proxies { struct network v[PROXIES_MAX]; size_t n; };
/* Adds the addresses and networks of the setting. returns 0, -INVALID_ARGUMENT with a sentence */
int proxies_read(struct ctx *c, str setting, struct proxies *out);
/* Who asks: peer, or when that is a trusted proxy, the rightmost address of the field that is none. returns peer, or a text in a */
const char *proxies_client(struct arena *a, const struct proxies *p, const char *peer, const struct headers *h);

enum access_log { ACCESS_ALL, ACCESS_ERRORS, ACCESS_NONE };

struct endpoint {                       /* a route at run time                                    */
        const struct route *route;
        const struct service *service; size_t service_no;       /* its place in app.services      */
        const char  *name;              /* "GET /v1/orders/{id}"; never goes                      */
        const struct field *vars[PATH_VARS_MAX];
        const char  *var_names[PATH_VARS_MAX + 1];      /* NULL-terminated; owned                 */
        size_t       n_vars;
        struct type  body;              /* the op's `in` with path variables taken off the wire   */
        struct field *body_fields;      /* owned                                                  */
        bool         reads_body;        /* POST, PUT, PATCH                                       */
        bool         takes_body;        /* ... with members beyond the path's                     */
        bool         needs_body;        /* ... one of which is not optional                       */
        const struct field *if_match;   /* in's member; NULL: it has none                         */
        bool         shows;             /* see shows_resource()                                   */
        int          per_minute;        /* 0: no limit (rate.c)                                   */
        const struct field *next, *prev;        /* out's members, of a page                       */
        const struct type *choice;      /* whose members `fields` may name: out, or a page's row; NULL: none */
        struct metric *latency;
        _Atomic(struct metric *) counts[STATUS_SLOTS];  /* found when first counted               */
};

struct app {
        const struct service *services[SERVICES_MAX + 1];       /* that run here, pages included  */
        size_t       n_services;
        struct endpoint *endpoints; size_t n_endpoints;         /* owned                          */
        struct router *router;
        const struct op *batched[BATCHERS_MAX]; size_t n_batched;       /* numbered by op_slot.batcher */
        struct config *config;
        uint8_t      secret[32], tag_key[16];           /* tag_key: of entity tags (condition.c)   */
        enum access_log access_log;
        bool         compress;
        str          cors_origins;                      /* the setting; empty: none               */
        struct proxies proxies;                         /* trusted-proxies                        */
        const struct app_options *options;              /* NULL in a test's world                 */
        const char  *db_prefix;                         /* "souk_"                                */
        str          admin_url;
        int          pg_transactions;
        size_t       batch_waiting;             /* 0: as batch.h says                                  */
        struct worker *workers[WORKERS_MAX]; int n_workers;
        struct bus  *bus;                               /* of worker 0                            */
        atomic_bool  ready, draining;
        struct chan *gate;                              /* closed when worker 0 has the databases and the port */
        struct chan *up;                                /* a byte from each worker that is up     */
        atomic_bool  gate_open;
        atomic_int   failed;                            /* the first negative code                */
        int          port;                              /* worker 0 writes it before the gate opens */
        when         started;
};

struct unit {                           /* a service on a worker; ctx.unit                        */
        const struct service *service;
        struct worker *worker;
        void        *state;                             /* owned                                  */
        struct pg   *pg;
        bool         started;
        uint64_t     writes;                            /* counts kept_forget()                */
};

/* Pages of the program's own that never change: made, hashed and coded when first asked for (pages.c, condition.c, compress.c). */
enum kept_page { KEPT_OPENAPI, KEPT_DOCS, KEPT_PAGES };

struct worker {
        struct app  *app;
        int          index;
        struct unit  units[SERVICES_MAX]; size_t n_units;
        struct batcher *batchers[BATCHERS_MAX];         /* NULL: its service does not run here    */
        struct auth *auth;
        struct limiter *limiter;                        /* rate.c                                 */
        struct kept *kept[KEPT_PAGES];                  /* NULL: nobody asked for it yet          */
        struct answers *answers;
        struct server *server;
        struct rand  rand;                              /* trace ids                              */
        struct buf   access;                            /* lines not yet written                  */
        struct fiber *flusher;                          /* sleeps until they are; NULL: none      */
        struct fiber *jobs[SERVICES_MAX];               /* of worker 0, one a unit; NULL: none    */
        struct event_flag jobs_ended;
        size_t       n_up;                              /* modules that are started (module.c)    */
        struct chan *news;                              /* enum news, to the worker's first fiber */
};
struct worker *worker_here(void);                       /* of this thread; NULL: none             */
void worker_enter(struct worker *w);                    /* makes it this thread's                 */

/* Binds the tables together: slots, endpoints, router.
 *   returns  0, or -INVALID_ARGUMENT with a sentence in c's fault: a table is wrong (the program must not start) */
int  app_bind(struct ctx *c, struct app *a, const struct service *const *services, const char *target);
void app_unbind(struct app *a);

/* units.c: everything of the services on this worker. Wait. */
int  databases_prepare(struct ctx *c, struct app *a);   /* ensure, migrate, check statements: all services at once */
int  units_start(struct ctx *c, struct worker *w);
void units_stop(struct ctx *c, struct worker *w);
struct ctx unit_model(struct unit *u);                  /* a ctx without arena for bus, batchers  */
int  bus_bind(struct ctx *c, struct worker *w);         /* opens the bus and subscribes every consumer; not started */

/* op.c */
struct unit *unit_of(struct worker *w, const struct op *op);    /* NULL: its service does not run here */
struct unit *unit_named(struct worker *w, const char *service);
/* Runs op in its unit on c itself (unit, pg and op are set). Waits. */
int  op_run(struct ctx *c, struct unit *u, const struct op *op, const void *in, void *out) MUST_USE;

/* jobs.c: on worker 0 */
int  jobs_start(struct ctx *c, struct worker *w);
void jobs_stop(struct ctx *c, struct worker *w);

/* module.c: what a worker starts in order and stops in reverse. Wait. */
struct module { const char *name; bool first_only; int (*start)(struct ctx *c, struct worker *w); void (*stop)(struct ctx *c, struct worker *w); };
int  modules_start(struct ctx *c, struct worker *w, const struct module *table);        /* stops at the first failure; what is up stays up */
void modules_stop(struct ctx *c, struct worker *w, const struct module *table);

/* ---- routing ------------------------------------------------------------------------------------------------------- */
struct router;
struct match { const struct endpoint *endpoint; unsigned allowed; str values[PATH_VARS_MAX]; };    /* allowed: bits 1 << method; 0: no such path */
struct router *router_new(void);
struct router *router_free(struct router *r);
int  router_add(struct router *r, const struct endpoint *e, char err[256]);     /* -INVALID_ARGUMENT with a sentence */
void router_find(const struct router *r, enum method m, str path, struct match *out);   /* no allocation            */
int  endpoint_init(struct endpoint *e, const struct service *s, const struct route *r, char err[256]);
void endpoint_done(struct endpoint *e);

/* ---- a request ------------------------------------------------------------------------------------------------------ */
struct in_hand { const struct caller *caller; str body; };      /* a test's request: who asks (NULL: a token says) and the body are known */

struct idem {                           /* an Idempotency-Key at work (idem.c)                    */
        struct rider rider;
        struct request *q;
        str          flight;            /* its name in the set of those at work; p NULL: not there */
        str          fingerprint;
};

struct request {
        struct ctx  *c;
        struct exchange *x;
        struct worker *w;
        const struct endpoint *endpoint;                /* NULL until routed                      */
        struct match match;
        const struct in_hand *hand;                     /* NULL: from a socket                    */
        int64_t      started_us;
        int          code;                              /* how it ended: 0 or a negative code     */
        bool         traced;                            /* it brought a traceparent               */
        bool         has_body; str body;                /* read already                           */
        const void  *out;                               /* the operation's answer, being filled or full; NULL: none */
        uint64_t     members;                           /* of the endpoint's choice that are wanted, a bit each; 0: all */
        int64_t      if_match;                          /* the version that If-Match names; -1: one that never stands; 0: any */
        struct allowance allowance;                     /* of its client, once counted            */
        struct idem  idem;
        struct kept *kept;                              /* what the body is a copy of, held; NULL: of nothing */
};

/* before: 0 go on; 1 answered, go no further; negative: refused, the fault says why. May wait. after: in reverse order, for each
 * whose before ran, once the answer stands. Either may be NULL. */
struct middleware { const char *name; int (*before)(struct request *q); void (*after)(struct request *q); };
extern const struct middleware middlewares[];           /* middleware.c; ends with name NULL      */

void edge_handle(struct ctx *c, struct exchange *x, void *worker);      /* a server_handler       */
void edge_answer(struct ctx *c, struct exchange *x, struct worker *w, const struct in_hand *hand);
int  request_body(struct request *q, str *out);         /* read once; checks type and size. Waits. */
/* A 4xx that a header field brought on: one flaw with its name. returns -INVALID_ARGUMENT */
int  header_refused(struct ctx *c, int http, const char *slug, const char *header, const char *why);
int  answer_status(const struct endpoint *e);
int  location_write(struct ctx *c, const char *pattern, const struct type *t, const void *msg, str *out);
enum { METHOD_LIST_MAX = 80 };
str  methods_write(unsigned allowed, char out[METHOD_LIST_MAX]);        /* "GET, HEAD" of bits 1 << method */
void allow_write(struct request *q);                      /* Allow: the methods of the path, and Accept-Patch where one is PATCH */
/* Writes c's fault as problem+json (RFC 9457) and sets status and headers that go with it. */
int  answer_unfit(struct request *q);                   /* fails for the body that did not fit: over its maximum, or no memory */
void problem_write(struct request *q, int code);
const char *problem_slug(const struct ctx *c, int code);

/* trace.c: W3C Trace Context, level 1 */
void trace_begin(struct request *q);                    /* fills c->trace                         */
bool traceparent_read(str header, struct trace *out);
void traceparent_write(const struct trace *t, char out[56]);

/* idem.c */
int  idem_before(struct request *q);
void idem_after(struct request *q);
void idem_limit(size_t max);                            /* keys at work at once, while none is; 0: 20,000           */
extern const struct query *const idem_queries[];
int  idem_tidy(struct ctx *c);                          /* of c's database: forgets what is older than 24 h. Waits. returns rows */

/* condition.c */
void condition_key(struct app *a);                       /* once, when the secret is there            */
int  condition_before(struct request *q);
void condition_after(struct request *q);
void resources_find(struct endpoint *all, size_t n);    /* once, when all are there: then shows_resource() knows */
bool shows_resource(const struct endpoint *e);          /* the answer to a change is the resource itself: a tag and a preference have a meaning */
/* rate.c */
struct limiter *rate_open(void);
int  rate_of(const struct config *k, const struct route *r);
int  rate_before(struct request *q);
void rate_after(struct request *q);

/* cors.c */
int  cors_check(struct ctx *c, str origins);            /* -INVALID_ARGUMENT with a sentence: a word of the setting is no origin */
void cors_after(struct request *q);
void vary_on(struct request *q, const char *field);     /* the answer depends on this field of the request: one more word in Vary */

/* fields.c: takes `fields` off *query into q->members; flaws are added. */
int  fields_take(struct request *q, str *query);
/* links.c: makes links of a page's cursors, in `out` and in a Link field */
int  links_write(struct request *q, void *out);
/* compress.c */
int  compress_before(struct request *q);
void compress_after(struct request *q);

/* access.c */
void access_line(struct request *q);
void access_flush(struct worker *w);
void access_stop(struct worker *w);

/* stats.c */
void stats_count(struct request *q);
void stats_coded(const char *coding);                    /* an answer was compressed                  */
void stats_limited(const struct endpoint *e);            /* a request of one client too many */
void stats_endpoint(struct endpoint *e);                /* makes its series                       */
extern const struct metric_family *const stats_families[];      /* families.def; ends with NULL */
void stats_job(const char *service, const char *job, bool ok);
void stats_gauges(struct worker *w);                    /* sets this worker's gauges; at a scrape */

/* pages.c */
/* Runs fn on the loop of every worker, outside fibers, and waits for all. Waits. */
int  each_worker(struct ctx *c, void (*fn)(struct worker *w, void *arg), void *arg);
void kept_done(struct worker *w);                       /* the worker ends                        */

/* docs.c */
void docs_page(struct buf *out, const struct app *a);   /* /docs, HTML                            */
void docs_policy(struct buf *out);                      /* its Content-Security-Policy            */
/* errors.c: the refusals of kit itself; ends with name NULL */
extern const struct slug kit_slugs[];
#endif
