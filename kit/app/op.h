/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * op.h - typed operations and the tables that bind them to the world: the heart of the vocabulary.
 *
 * An operation is an ordinary function `int order_place(struct ctx *c, const struct order_draft *in, struct order *out)`. It does not know
 * whether REST, an event, a timer, another service or a test called it. The tables are const data; routing, decoding, checks,
 * authorisation, deadlines, metrics, OpenAPI and docs come from them.
 *
 * How an operation is called, whatever the way in:
 *     edge makes a ctx -> in is decoded and checked -> op runs on the fiber -> out is encoded, or the fault is told -> arena goes */
#ifndef OP_H
#define OP_H
#include "batch.h"
#include "ctx.h"
#include "db.h"
#include "http.h"
#include "migrate.h"
#include "outbox.h"
#include "type.h"

struct op {
        const char *name;                               /* "order_place"                                            */
        const struct type *in, *out;
        int (*run)(struct ctx *c, const void *in, void *out);           /* one caller ...                           */
        batch_fn batch;                                 /* ... or many: exactly one of the two is set               */
        struct op_slot *slot;                           /* which service it belongs to; filled once at start        */
};
struct op_slot { int service, batcher; };               /* numbered from 1; 0: not registered                       */

/* CONTRACT, in a service's header: what others may call, in this process or (later) over the wire. */
#define CONTRACT(fn, In, Out) \
        extern const struct op fn##_op; \
        static inline int fn##_call(struct ctx *c, const struct In *in, struct Out *out) { return call_(c, &fn##_op, in, out); }
/* OP, in a service's source: makes a typed function callable from any table; a wrong type does not compile. */
#define OP(fn, In, Out) \
        static int fn##_run(struct ctx *c, const void *in, void *out) { return fn(c, (const struct In *)in, (struct Out *)out); } \
        static struct op_slot fn##_slot; \
        const struct op fn##_op = { #fn, &In##_type, &Out##_type, fn##_run, NULL, &fn##_slot }
/* BATCHED: int fn(struct ctx *c, struct batch *b) runs for many callers in one transaction; fn_in(v) and fn_out(v) are typed. Stands before fn. */
#define BATCHED(fn, In, Out) \
        static inline __attribute__((unused)) const struct In *fn##_in(const struct call *v) { return v->in; } \
        static inline __attribute__((unused)) struct Out *fn##_out(const struct call *v) { return v->out; } \
        static int fn(struct ctx *c, struct batch *b); \
        static struct op_slot fn##_slot; \
        const struct op fn##_op = { #fn, &In##_type, &Out##_type, NULL, fn, &fn##_slot }

/* Runs op in the service it belongs to, for c: a child ctx with the same arena, deadline, trace and caller; its fault becomes c's.
 * A batched op gathers callers of this worker. Asserts that c has no open transaction. Waits.
 *   returns  what the op returned; -UNAVAILABLE when its service does not run here */
int call_(struct ctx *c, const struct op *op, const void *in, void *out) MUST_USE;
/* Nothing is shared by accident: with SOUK_LOOPBACK=wire each call's messages go through JSON and back. */
void call_through_wire(bool on);

/* ---- who may ------------------------------------------------------------------------------------------------------ */
enum who { WHO_UNSAID, ANYONE, USER, VENDORS, STAFF, ADMIN };   /* each includes those after it; a route that leaves it unsaid stops the program */

/* ---- preconditions --------------------------------------------------------------------------------------------------- */
enum precondition { NO_IF_MATCH, MAY_IF_MATCH, NEEDS_IF_MATCH };        /* needs: 428 without                        */
/* A member of `in`, last: the version that If-Match names; 0: none named, or "*"; -1: one that never stands (a weak or a foreign tag). A statement says
 * `(:if_match = 0 or version = :if_match)`; finding nothing it tells stale() from what is not there. A statement that brings `in` for a patch gives
 * `version as if_match`, so that a patch without If-Match is of what it was laid over. */
#define IF_MATCH_MEMBER int64_t if_match
#define IF_MATCH_FIELD(T, tag) F(T, (tag), if_match, .internal = true)
/* For an op whose statement found another version: 412. returns -ABORTED */
int  stale(struct ctx *c) MUST_USE;

/* ---- tables --------------------------------------------------------------------------------------------------------- */
struct exchange;
struct paging;
struct route_header { const char *name, *doc, *example; };
/* An array of them, ended by NULLs. Without an example a media type is taken but not in OpenAPI, whose tools know few: the route's doc names it. */
struct route_text { const char *media, *example; };
struct route {
        enum method method; const char *path;           /* "/v1/orders/{id}": {name} is a member of the op's `in`   */
        const struct op *op;
        /* The rare handler that needs HTTP itself; it runs in its service. An op beside it says which messages the body and the answer
         * are (docs), and is the handler's to call. */
        void (*raw)(struct ctx *c, struct exchange *x);
        enum who who; const char *scope;                /* "orders:write": the token must have it as well           */
        bool idempotent;                                /* needs Idempotency-Key; the first answer is kept 24 h in the effect's transaction */
        bool keyed;                                     /* needs Idempotency-Key, and the op makes it part of the resource's id itself */
        int status;                                     /* 0: 200, or 204 when out is nothing; 201 adds Location    */
        const char *location;                           /* "/v1/orders/{id}": from members of `out`                 */
        const struct paging *page;                      /* sorts and cursor of a list                               */
        /* Conditional requests (RFC 9110, 13; condition.c). Every 200 of a GET has a strong ETag. A resource that is changed by several names its version
         * in GET, POST, PUT and PATCH: a member of `out` (int32_t or int64_t, from 1; all see it) that each change raises. If-Match then compares
         * versions, in the statement that writes. */
        const char *version;
        enum precondition if_match;                     /* what a change needs; the version lands in in's if_match (see IF_MATCH_FIELD) */
        const struct op *patches;                       /* PATCH: in = out = op's in. Fills it, its path variables set, with what stands now (internal
                                                         * members too); the merge patch (RFC 7396) is laid over it, then op runs as for a PUT */
        int per_minute;                                 /* how often a client may; 0: what the configuration says; -1: as often as it likes */
        int timeout_ms;                                 /* 0: 10 s                                                  */
        int body_max;                                   /* 0: 1 MiB                                                 */
        const char *cache_control;                      /* NULL: no-store                                           */
        int keep_ms;                                    /* of a public answer: how long each worker keeps it whole for all who ask the same (kept.h); 0: not */
        const char *doc;                                /* one sentence; OpenAPI's summary                          */
        const struct route_text *text;                  /* the body a raw handler takes is this and no JSON; the members of its op's `in` stand in the query */
        const char *media;                              /* what a raw handler answers with, for the docs: "text/html" */
        const struct route_header *header;              /* a header field a raw handler must have, for the docs     */
        const char *const *slugs;                       /* refusals worth documenting, NULL-terminated: "out_of_stock" */
};
struct consumer_row { const struct event *event; const struct op *op; int retries, backoff_ms; };      /* op: batched, in = the event's message, out = nothing */
/* in = out = nothing; on one replica at a time. every: the setting that says how often; NULL: every_ms does. */
struct job      { const char *name; const struct op *op; int every_ms; const char *every; };
struct slug     { const char *name; int http; const char *doc; };               /* for docs/ERRORS.md */

#define ROUTE(m, p, fn, ...)  { .method = (m), .path = (p), .op = &fn##_op, __VA_ARGS__ }
#define GET(p, fn, ...)       ROUTE(GET,    p, fn, __VA_ARGS__)
#define POST(p, fn, ...)      ROUTE(POST,   p, fn, __VA_ARGS__)
#define PUT(p, fn, ...)       ROUTE(PUT,    p, fn, __VA_ARGS__)
#define PATCH(p, fn, ...)     ROUTE(PATCH,  p, fn, __VA_ARGS__)
#define DELETE(p, fn, ...)    ROUTE(DELETE, p, fn, __VA_ARGS__)
#define RAW(m, p, fn, ...)    { .method = (m), .path = (p), .raw = (fn), __VA_ARGS__ }
#define ON(e, fn, ...)        { .event = &(e), .op = &fn##_op, __VA_ARGS__ }
#define EVERY(ms, n, fn)      { .name = (n), .op = &fn##_op, .every_ms = (ms) }
#define EVERY_AS(set, n, fn)  { .name = (n), .op = &fn##_op, .every = (set) }
#define ROUTES(...)    .routes    = (const struct route[])        { __VA_ARGS__, { 0 } }
#define CALLS(...)     .calls     = (const struct op *const[])    { __VA_ARGS__, NULL }
#define CONSUMES(...)  .consumers = (const struct consumer_row[]) { __VA_ARGS__, { 0 } }
#define JOBS(...)      .jobs      = (const struct job[])          { __VA_ARGS__, { 0 } }
#define EMITS(...)     .emits     = (const struct event *const[]) { __VA_ARGS__, NULL }
#define CONSTRAINTS(...) .constraints = (const struct constraint[]) { __VA_ARGS__, { 0 } }
#define SLUGS(...)     .slugs     = (const struct slug[])         { __VA_ARGS__, { 0 } }

struct service {
        const char *name, *doc;
        bool        has_db;
        const struct route *routes;
        const struct op *const *calls;                  /* what its contract header offers                          */
        const struct consumer_row *consumers;
        const struct job *jobs;
        const struct event *const *emits;
        const struct slug *slugs;
        const struct constraint *constraints;           /* of its tables: the refusal that a violation is   */
        const struct migration *migrations;
        const struct query *const *queries;             /* <name>_queries of sql2h                                  */
        const struct setting *settings;                 /* its part of the configuration (config.h)                 */
        const char *scopes;                             /* that its operations look for, beside those of its routes: "orders:import"; NULL: none */
        /* Long-lived state, one a worker, zeroed before start; reached with unit_state(c). start may wait; all may be NULL. */
        size_t      state_bytes;
        int         (*start)(struct ctx *c, void *state);
        void        (*stop)(struct ctx *c, void *state);
};
void *unit_state(struct ctx *c);                        /* of the service this ctx runs in, on this worker          */
const struct service *unit_service(const struct ctx *c);
/* Answers of this service that this worker keeps whole (keep_ms) are told no more: what they showed has changed, or may have. */
void kept_forget(struct ctx *c);
/* For a raw handler: the request's body, of Content-Type application/json (or the route's) and within the route's body_max, until it returns. Waits.
 *   returns  0, -INVALID_ARGUMENT (400, 408, 413, 415 in c's fault), -UNAVAILABLE the client went */
int  raw_body(struct ctx *c, struct exchange *x, str *out);
/* The same of a route with `text`: the body, its media type (one of the route's), and path and query in `in`, a message of the op beside it. */
int  raw_text(struct ctx *c, struct exchange *x, void *in, str *out, const char **media);
/* The path's variables into the members of `in`, a message of the op beside it. returns 0, -INVALID_ARGUMENT with each flaw */
int  raw_path(struct ctx *c, struct exchange *x, void *in);
#endif
