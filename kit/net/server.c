/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * server.c - listening, admitting, draining: the life of a server around its connections (conn.c).
 *
 * One fiber accepts. A connection too many takes the place of the longest idle one. When none is idle, or when it took the last
 * descriptor, it is told 503 by a fiber of its own, so that a slow reader of that answer holds nobody up; too many of those are closed
 * without a word. Draining cancels the idle and waits for the busy. */
#include <stdlib.h>
#include "clock.h"
#include "bound.h"
#include "conn.h"
#include "fiber.h"

const struct server_options server_defaults = {
        .address = { "127.0.0.1", 9 }, .port = 8080, .backlog = 1024,
        .limits = { .line_max = 8192, .headers_max_bytes = 32768, .headers_max = 100, .body_max = 1048576 },
        .connections_max = 10000,
        .head_timeout_ms = SECONDS(10), .body_timeout_ms = SECONDS(30), .idle_timeout_ms = SECONDS(75), .write_timeout_ms = SECONDS(30),
        .body_min_bytes_per_s = 1024,
        .arena_max = 8 * 1024 * 1024, .waiting_max = 64 * 1024 * 1024,
};

/* ---- desks -------------------------------------------------------------------------------------------------------- */

static void desk_free(struct desk *d)
{
        arena_free(d->arena);
        buf_done(&d->in);
        buf_done(&d->out);
        buf_done(&d->body);
        buf_done(&d->upload);
        free(d);
}

struct desk *desk_get(struct server *s)
{
        struct link *e = list_pop(&s->desks);
        if (LIKELY(e)) {
                s->desks_free--;
                return CONTAINER(e, struct desk, link);
        }
        struct desk *d = alloc_should_fail() ? NULL : calloc(1, sizeof *d);
        if (!d) return NULL;
        d->arena = arena_try(s->o.arena_max);
        if (!d->arena) {
                free(d);
                return NULL;
        }
        /* The parser decides before `in` is full: a head that does not end within these is refused. */
        buf_init(&d->in, s->o.limits.line_max + s->o.limits.headers_max_bytes + 64 + READ_BYTES);
        buf_init(&d->out, s->o.arena_max + FLUSH_BYTES + INLINE_BYTES + 4096);
        buf_init(&d->body, s->o.arena_max);
        buf_init(&d->upload, s->o.limits.body_max);
        return d;
}

static void desk_clear(struct buf *b)
{
        buf_clear(b);
        buf_trim(b, KEEP_BYTES);
}

void desk_put(struct server *s, struct desk *d)
{
        if (s->desks_free >= DESKS_KEPT) {
                bound_reached(BOUND_HTTP_DESKS);
                desk_free(d);
                return;
        }
        arena_reset(d->arena);
        desk_clear(&d->in);
        desk_clear(&d->out);
        desk_clear(&d->body);
        desk_clear(&d->upload);
        list_push_front(&s->desks, &d->link);           /* the warmest is taken first */
        s->desks_free++;
}

/* ---- admitting ---------------------------------------------------------------------------------------------------- */

void server_conn_ended(struct server *s, struct conn *k)
{
        link_remove(&k->link);
        s->leaving -= k->leaving;
        if (k->refused) s->refusing--;
        else s->stats.open--;
        free(k);
        if (s->drainer) fiber_wake(s->drainer);
}

static void admit(struct server *s, struct sock *sock)
{
        bool full = s->stats.open - s->leaving >= s->stats.connections_max;
        bool refused = (full && !patience_make_room(s)) || listen_is_short(s->listener);
        s->stats.accepted++;
        s->stats.refused += refused;
        if (refused) bound_reached(s->refusing >= REFUSALS_MAX ? BOUND_HTTP_REFUSALS : BOUND_HTTP_CONNECTIONS);
        struct conn *k = (refused && s->refusing >= REFUSALS_MAX) || alloc_should_fail() ? NULL : calloc(1, sizeof *k);
        if (!k) {
                sock_close(&sock);
                return;
        }
        k->server = s;
        k->sock = sock;
        k->refused = refused;
        list_push(&s->conns, &k->link);
        if (refused) s->refusing++;
        else s->stats.open++;
        if (fiber_start("http", conn_main, k) == 0) return;
        sock_close(&k->sock);
        server_conn_ended(s, k);
}

static void accept_main(void *arg)
{
        struct server *s = arg;
        struct ctx c = { .arena = arena_new(65536), .op = "http accept" };
        struct sock *sock = NULL;
        while (s->listener && listen_accept(&c, s->listener, &sock) == 0) {
                admit(s, sock);
                arena_reset(c.arena);
        }
        arena_free(c.arena);
        s->accepting = false;
        if (s->drainer) fiber_wake(s->drainer);
}

int server_open(struct ctx *c, const struct server_options *o, server_handler handler, void *arg, struct server **out)
{
        struct listener *l = NULL;
        TRY(listen_open(c, o->address, o->port, o->backlog, &l));
        struct server *s = calloc(1, sizeof *s);
        assert(s);
        *s = (struct server){ .o = *o, .handler = handler, .arg = arg, .listener = l, .port = listen_port(l), .accepting = true };
        s->stats.connections_max = (uint32_t)o->connections_max;
        s->scratch = arena_new(65536);
        list_init(&s->conns);
        list_init(&s->desks);
        list_init(&s->behind);
        list_init(&s->idle);
        list_init(&s->slow);
        int r = fiber_start("http accept", accept_main, s);
        if (r < 0) {
                s->accepting = false;
                listen_close(&s->listener);
                server_close(&s);
                return fail(c, RESOURCE_EXHAUSTED, "no_fiber", "no fiber is left to accept connections");
        }
        *out = s;
        return 0;
}

int server_port(const struct server *s) { return s->port; }

struct server_stats server_stats(const struct server *s) { return s->stats; }

/* ---- ending ------------------------------------------------------------------------------------------------------- */

/* A request that has come but was not read yet will be: its connection is not idle. */
static bool is_idle(const struct conn *k) { return link_is_in(&k->idle) && !sock_has_input(k->sock); }

static void cancel_some(struct server *s, bool only_idle)
{
        LIST_EACH(e, &s->conns) {
                struct conn *k = CONTAINER(e, struct conn, link);
                if (k->fiber && (!only_idle || is_idle(k))) fiber_cancel(k->fiber);
        }
}

static bool is_over(const struct server *s) { return !s->accepting && !s->flushing && list_is_empty(&s->conns); }

void server_drain(struct ctx *c, struct server *s, int grace_ms)
{
        struct ctx wait = *c;
        wait.deadline_us = deadline_in(grace_ms);
        s->draining = true;
        s->drainer = fiber_self();
        if (s->listener) listen_close(&s->listener);
        cancel_some(s, true);
        while (!is_over(s) && fiber_park(&wait, "server_drain") == 0)
                ;
        if (!is_over(s)) cancel_some(s, false);
        while (!is_over(s)) fiber_park_firmly("server_drain");
        s->drainer = NULL;
}

void server_close(struct server **sp)
{
        if (!*sp) return;
        struct server *s = take(sp);
        assert(is_over(s));
        for (struct link *e; (e = list_pop(&s->desks));) desk_free(CONTAINER(e, struct desk, link));
        arena_free(s->scratch);
        free(s);
}
