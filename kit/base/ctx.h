/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * ctx.h - what travels with a piece of work: its memory, its deadline, who asks, and the story of what went wrong.
 *
 * Every function that may wait or fail with a story takes one. A ctx belongs to one fiber; work started for it (a group,
 * a call to another service) gets a child. It lies in the lowest layer because every layer needs it; the pointers to
 * higher things are opaque here. Threads: one at a time. */
#ifndef CTX_H
#define CTX_H
#include "arena.h"
#include "base.h"

enum role { ROLE_CUSTOMER = 1, ROLE_VENDOR = 2, ROLE_STAFF = 4, ROLE_ADMIN = 8, ROLE_SERVICE = 16 };   /* bits of a set */

struct caller {                 /* who asks; all zero: nobody said                                */
        uid      id;            /* the user (token's sub)                                         */
        unsigned roles;         /* set of enum role                                               */
        str      scope;         /* "orders:read orders:write", RFC 6749 section 3.3               */
        uid      session;       /* the session the token came from                                */
        str      address;       /* of the client, for throttles and logs                          */
};

struct trace {                  /* W3C Trace Context; all zero: none                              */
        uint8_t  trace_id[16], span_id[8];
        bool     sampled;
        str      request_id;
};

struct flaw {                   /* one thing wrong with the input                                 */
        str         pointer;    /* RFC 6901 JSON Pointer into the body ("/items/0/quantity"), or the name of a parameter or header */
        const char *slug;       /* "too_large"                                                    */
        str         detail;     /* for people                                                     */
        struct flaw *next;
};
enum { FLAWS_MAX = 64 };        /* more are counted, not kept                                     */

struct fault {                  /* the story of the last failure                                  */
        enum code   code;       /* OK: none                                                       */
        int         http;       /* a status that says it better than the code's own; 0: the code's */
        const char *slug;       /* for programs: "out_of_stock"; a literal; documented in docs/ERRORS.md */
        str         message;    /* for people; in the arena                                       */
        const char *file; int line;     /* for the log                                            */
        int         retry_after_ms;     /* 0: none; becomes Retry-After                           */
        struct flaw *flaws, **flaws_end; size_t n_flaws;
};

struct ctx {
        struct arena  *arena;           /* owned by whoever made the ctx                          */
        int64_t        deadline_us;     /* monotonic, clock_us(); 0: none                         */
        const char    *op;              /* what runs, for logs and /debug/fibers; a literal       */
        struct caller  caller;
        struct trace   trace;
        str            idempotency_key; /* p NULL: none                                           */
        bool           replayed;        /* set by an operation that found its key's effect done before */
        struct fault   fault;
        struct unit   *unit;            /* the service this runs in, on this worker (app)         */
        struct pg     *pg;              /* that service's database on this worker (data)          */
        struct db     *tx;              /* the open transaction; no call leaves the service while there is one */
        struct rider  *rider;           /* what the next transaction must also write (data)       */
        int            steps;           /* batched operations it has entered: how far along its way it is (data) */
};

/* Ends an operation with a story: `return fail(c, NOT_FOUND, "no_such_order", "no order %s", id);`
 * Keeps the first story when one is there for the same failure being passed up (TRY never touches it); a new fail() replaces it.
 *   slug     a literal, snake_case     returns  -code */
#define fail(c, code, slug, ...)        fail_at((c), (code), 0, (slug), __FILE__, __LINE__, __VA_ARGS__)
#define fail_http(c, http, code, slug, ...)  fail_at((c), (code), (http), (slug), __FILE__, __LINE__, __VA_ARGS__)
int  fail_at(struct ctx *c, enum code code, int http, const char *slug, const char *file, int line, const char *fmt, ...)
        PRINTF(7, 8) MUST_USE;
/* Names the member, parameter or header that a failure is about: `return fail_about(c, "/sku", fail(c, ALREADY_EXISTS, "sku_taken", ...));`
 *   returns  code */
int  fail_about(struct ctx *c, const char *pointer, int code) MUST_USE;

/* Adds one flaw of the input; end with flaws_fail(). pointer is copied to the arena. */
void flaw_add(struct ctx *c, str pointer, const char *slug, const char *fmt, ...) PRINTF(4, 5);
/* 0 when no flaw was added; else -INVALID_ARGUMENT, slug "invalid", the message naming the first. */
int  flaws_fail(struct ctx *c) MUST_USE;
void fault_clear(struct ctx *c);
void fault_copy(struct ctx *to, const struct ctx *from);        /* strings are copied to to's arena */

static inline uid  caller_id(const struct ctx *c)               { return c->caller.id; }
static inline bool caller_has_role(const struct ctx *c, unsigned roles) { return (c->caller.roles & roles) != 0; }
bool caller_has_scope(const struct ctx *c, const char *scope);
#endif
