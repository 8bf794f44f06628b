/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * world.h - services in a test: scratch databases, one worker, no sockets; the clock may be faked.
 *
 *     WORLD(w, &catalog_service, &inventory_service, &orders_service);
 *     CHECK_OK(order_place_call(as(w, "alice"), &draft, &order));
 *     CHECK_FAILS(w, FAILED_PRECONDITION, "out_of_stock", order_place_call(as(w, "bob"), &draft, &order));
 *     settle(w);
 *
 * Runs inside run_main. With SOUK_LOOPBACK=wire every call between services goes through JSON. Databases are made at SOUK_TEST_DATABASE_URL, as copies of
 * moulds that stay there (mould.h), and are dropped at the end. Signing keys are made once a program (jwk_make_again). */
#ifndef WORLD_H
#define WORLD_H
#include "kit.h"

#define CHECK_FAILS(w, code_, slug_, e) do { \
        int r_ = (e); \
        const struct fault *f_ = &last(w)->fault; \
        if (r_ != -(code_) || !f_->slug || strcmp(f_->slug, (slug_)) != 0) \
                world_wrong(__FILE__, __LINE__, "%s is %d (%s: %.*s), want %s", #e, r_, f_->slug ? f_->slug : "no story", STR_ARG(f_->message), slug_); \
} while (0)

struct world;
/* services NULL-terminated. A failure ends the test program: status 1, or 77 (skipped) without SOUK_TEST_DATABASE_URL when a service has a database. Waits. */
struct world *world_open(struct ctx *c, const struct service *const *services);
void world_close(struct world **w);
#define WORLD(name, c, ...) struct world *name __attribute__((cleanup(world_close))) = \
        world_open(c, (const struct service *const[]){ __VA_ARGS__, NULL })
/* A fresh request's ctx for a named person: the id is made from the name; "admin", "staff", "vendor" have that role, "service" is a service, others are customers.
 * "alice#key1" also sets the idempotency key. All scopes. Deadline 10 s. Lives until the world closes. */
struct ctx *as(struct world *w, const char *who);
uid  who_id(const char *who);
void world_wrong(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);       /* ends the test program     */
struct ctx *last(struct world *w);                      /* the ctx as() made last: its fault                        */
int64_t rows(struct world *w, const char *service, const char *from_where);     /* select count(*) from ...         */
int64_t number(struct world *w, const char *service, const char *sql);          /* one number                       */
int  execute(struct world *w, const char *service, const char *sql);
int64_t events(struct world *w, const char *service, const char *topic);        /* emitted so far                   */
void settle(struct world *w);                           /* everything committed is relayed and applied or parked    */
void turn(void);                                        /* others run and answers come in, for a moment: so that a fake clock does not outrun them. Waits. */
void run_job(struct world *w, const char *service, const char *job);            /* a job's operation, now           */
int  try_job(struct world *w, const char *service, const char *job);            /* the same; returns its code, the fault is last()'s */
/* A batched operation as another replica would run it: alone, in a transaction of its own, beside the batches of this worker. Waits. returns the verdict */
int  elsewhere(struct world *w, struct ctx *c, const struct op *op, const void *in, void *out);
/* The bus stops between two batches, as in a restart; later it starts anew from the positions in the database. Wait. */
void events_stop(struct world *w);
void events_start(struct world *w);
/* A request through routing, auth, decoding and encoding, without a socket: status and body. caller as in as(). */
struct http_answer { int status; str body; struct headers headers; };
struct http_answer http(struct world *w, const char *who, enum method m, const char *target, const char *body);
/* The same from a whole message, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"; who NULL: only its Authorization field says. status 0: not HTTP */
struct http_answer http_message(struct world *w, const char *who, const char *message);
void keys_of(struct world *w, const struct op *keys);   /* the JWKS that tokens of http_message() are checked with; issuer and audience as configured */
#endif
