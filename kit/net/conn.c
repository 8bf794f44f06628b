/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * conn.c - one connection: heads in, handler, answers out, until either side has had enough.
 *
 * Answers collect in desk->out and are sent when there is nothing more to read without waiting, so pipelined requests are answered in
 * one write. After an answer that leaves bytes of the client unread, the write side is shut and the rest read away for a moment
 * (lingering): closing at once would make TCP throw away the answer before the client read it. RFC 9112 section 9.6 */
#include "clock.h"
#include "bound.h"
#include "conn.h"
#include "fiber.h"

/* ---- sending and receiving ---------------------------------------------------------------------------------------- */

struct ctx *conn_io(struct conn *k, int timeout_ms)
{
        k->io.deadline_us = deadline_in(timeout_ms);
        if (k->desk) {
                k->io.arena = k->desk->arena;
        } else {
                arena_reset(k->server->scratch);
                k->io.arena = k->server->scratch;
        }
        return &k->io;
}

static struct iovec part(str s) { return (struct iovec){ .iov_base = (void *)(uintptr_t)s.p, .iov_len = s.n }; }

int conn_send(struct conn *k, str more, str end)
{
        struct buf *out = &k->desk->out;
        size_t n = out->n + more.n + end.n;
        if (k->gone) return -UNAVAILABLE;
        if (n == 0) return 0;
        struct iovec v[] = { part(buf_str(out)), part(more), part(end) };
        k->sending = true;
        patience_spend(k);
        int r = sock_write(conn_io(k, k->server->o.write_timeout_ms), k->sock, v, COUNT(v));
        patience_end(k);
        k->sending = false;
        if (r < 0) {
                if (r == -DEADLINE_EXCEEDED) bound_reached(BOUND_HTTP_WRITE_TIME);
                k->gone = true;
                return r;
        }
        k->server->stats.bytes_out += n;
        buf_clear(out);
        return 0;
}

/* Reads what is there into desk->in, waiting for the first byte. returns bytes, 0 the client ended its side, <0 */
static ptrdiff_t read_more(struct conn *k, struct ctx *io)
{
        char *to = buf_room(&k->desk->in, READ_BYTES);
        if (!to) return -RESOURCE_EXHAUSTED;
        ptrdiff_t n = sock_read(io, k->sock, to, READ_BYTES);
        if (n <= 0) return n;
        buf_added(&k->desk->in, (size_t)n);
        k->server->stats.bytes_in += (size_t)n;
        return n;
}

/* Nothing is left to do: sends the answers, gives the desk back, waits for the next request. returns false when there is none */
static bool wait_for_bytes(struct conn *k)
{
        struct server *s = k->server;
        if (k->desk) {
                if (conn_flush(k) < 0) return false;
                desk_put(s, take(&k->desk));
        }
        list_push(&s->idle, &k->idle);
        fiber_rename("http idle");
        ptrdiff_t n = s->draining ? sock_try_read(k->sock, k->first, sizeof k->first)
                                  : sock_read(conn_io(k, s->o.idle_timeout_ms), k->sock, k->first, sizeof k->first);
        fiber_rename("http");
        link_remove(&k->idle);
        if (n == -DEADLINE_EXCEEDED) bound_reached(BOUND_HTTP_IDLE_TIME);
        if (n <= 0) return false;
        s->stats.bytes_in += (size_t)n;
        k->desk = desk_get(s);
        if (!k->desk) return false;
        struct buf *in = &k->desk->in;
        buf_add(in, (str){ k->first, (size_t)n });
        if ((size_t)n == sizeof k->first) {                     /* probably not all: the rest can be had without waiting */
                char *to = buf_room(in, READ_BYTES);
                n = to ? sock_try_read(k->sock, to, READ_BYTES) : 0;
                if (n > 0) {
                        buf_added(in, (size_t)n);
                        s->stats.bytes_in += (size_t)n;
                }
        }
        return buf_error(in) == 0;
}

static void linger(struct conn *k)
{
        if (k->gone) return;
        sock_end(k->sock);
        desk_put(k->server, take(&k->desk));
        list_push(&k->server->idle, &k->idle);
        struct ctx *io = conn_io(k, LINGER_MS);
        size_t dropped = 0;
        for (ptrdiff_t n; dropped < LINGER_BYTES && (n = sock_read(io, k->sock, k->first, sizeof k->first)) > 0;)
                dropped += (size_t)n;
        link_remove(&k->idle);
}

/* ---- answers that must not wait for a handler ---------------------------------------------------------------------- */

/* Sends what collected on k as far as that goes without waiting. */
static void send_behind(struct conn *k)
{
        struct buf *out = &k->desk->out;
        ptrdiff_t n = k->sending || k->gone || !out->n ? 0 : sock_try_write(k->sock, buf_str(out));
        if (n == -UNAVAILABLE) k->gone = true;
        if (n <= 0) return;
        k->server->stats.bytes_out += (size_t)n;
        buf_eat(out, (size_t)n);
}

/* A fiber that runs as soon as somebody waits; whose handler did not wait is no longer in the list by then. */
static void flush_main(void *arg)
{
        struct server *s = arg;
        for (struct link *e; (e = list_pop(&s->behind));) send_behind(CONTAINER(e, struct conn, behind));
        s->flushing = false;
        if (s->drainer) fiber_wake(s->drainer);
}

static void call_handler(struct conn *k, struct ctx *c, struct exchange *x)
{
        struct server *s = k->server;
        if (k->desk->out.n) {                                   /* a pipeline: if this handler waits, the answers before it must not */
                list_push(&s->behind, &k->behind);
                if (!s->flushing) s->flushing = fiber_start("http flush", flush_main, s) == 0;
        }
        s->stats.requests++;
        s->stats.busy++;
        s->handler(c, x, s->arg);
        s->stats.busy--;
        link_remove(&k->behind);
}

/* ---- one request -------------------------------------------------------------------------------------------------- */

static void exchange_forget(struct conn *k)
{
        k->eaten = k->skip = 0;
        k->body_known = k->continued = k->lost = false;
        k->body_text = k->rest = (str){ 0 };
        k->stream = STREAM_NONE;
}

/* Answers what never became a request, and is done with this connection. */
static void refuse(struct conn *k, int status, const char *detail)
{
        struct exchange x = { .conn = k, .body = &k->desk->body, .peer = sock_peer(k->sock) };
        str in = buf_str(&k->desk->in);
        if (str_starts(in, STR("HEAD ")) || str_starts(in, STR("\r\nHEAD "))) x.head.method = HEAD;   /* however wrong the rest of it is */
        exchange_forget(k);
        buf_clear(x.body);
        if (status == 414) bound_reached(BOUND_HTTP_LINE);
        else if (status == 431) bound_reached(BOUND_HTTP_HEADERS);
        else if (status == 413) bound_reached(BOUND_HTTP_BODY);
        else if (status == 408) bound_reached(BOUND_HTTP_HEAD_TIME);
        answer_problem(&x, status, detail);
        if (!k->refused) k->server->stats.refused++;
        if (answer_write(k, &x, true) < 0 || conn_flush(k) < 0) return;
        linger(k);
}

/* Finds a whole head in desk->in, reading more as it must. The whole head has one deadline.
 *   returns  its bytes; 0 when the connection is over; an empty line alone leaves *ret_nothing set */
static size_t read_head(struct conn *k, struct http1_head *head, bool *ret_nothing)
{
        struct desk *d = k->desk;
        struct server *s = k->server;
        int64_t deadline_us = 0;
        size_t from = 0;
        for (;;) {
                const char *why = NULL;
                ptrdiff_t n = http1_request(d->arena, &s->o.limits, buf_str(&d->in), &from, head, &why);
                if (UNLIKELY(k->skipped_line) && n >= 0 && str_starts(buf_str(&d->in), STR("\r"))) {
                        n = -400;
                        why = "two empty lines stand before the request";
                }
                if (LIKELY(n > 0)) {
                        k->skipped_line = false;
                        return (size_t)n;
                }
                if (n < 0) {
                        refuse(k, (int)-n, why);
                        return 0;
                }
                if (str_eq(buf_str(&d->in), STR("\r\n"))) {     /* one too many after the last body: not the start of anything */
                        k->skipped_line = true;
                        buf_clear(&d->in);
                        *ret_nothing = true;
                        return 0;
                }
                if (conn_flush(k) < 0) return 0;    /* answers must not wait for a client that waits for them */
                struct ctx *io = conn_io(k, s->o.head_timeout_ms);
                if (deadline_us) io->deadline_us = deadline_us;
                else deadline_us = io->deadline_us;
                patience_spend(k);
                n = read_more(k, io);
                if (n == -DEADLINE_EXCEEDED) refuse(k, 408, "the request's head took too long");
                else if (n == 0) refuse(k, 400, "the request ended within its head");
                if (n <= 0) return 0;
        }
}

/* What the connection must do after the handler returned. returns false when it is over */
static bool conclude(struct conn *k, struct exchange *x)
{
        struct desk *d = k->desk;
        bool close;
        if (k->gone) return false;
        if (k->stream == STREAM_NONE) {
                upload_settle(k, x);
                close = x->close || !x->head.keep_alive || k->lost || k->server->draining;
                if (answer_write(k, x, close) < 0) return false;
        } else {
                if (k->stream != STREAM_ENDED) return false;    /* cut off: the client sees that the end is missing */
                close = x->close;
        }
        if (close) {
                if (conn_flush(k) == 0 && (k->lost || k->eaten < d->in.n || k->skip || sock_has_input(k->sock))) linger(k);
                return false;
        }
        if (k->skip && (conn_flush(k) < 0 || upload_skip(k) < 0)) return false;
        buf_eat(&d->in, k->eaten);
        if (k->rest.n) buf_add(&d->in, k->rest);
        arena_reset(d->arena);
        return d->out.n < FLUSH_BYTES || conn_flush(k) == 0;
}

/* returns false when the connection is over */
static bool serve_one(struct conn *k)
{
        struct desk *d = k->desk;
        struct exchange x = { .peer = sock_peer(k->sock), .body = &d->body, .conn = k };
        bool nothing = false;
        exchange_forget(k);
        size_t n = read_head(k, &x.head, &nothing);
        patience_end(k);
        if (n == 0) return nothing;
        k->eaten = n;
        upload_start(k, &x.head);
        buf_clear(&d->body);
        struct ctx c = { .arena = d->arena, .op = "http", .caller.address = str_of(x.peer) };
        call_handler(k, &c, &x);
        return conclude(k, &x);
}

static void conn_run(struct conn *k)
{
        if (k->refused) {
                k->desk = desk_get(k->server);
                if (k->desk) refuse(k, 503, "too many connections");
                return;
        }
        while ((k->desk && k->desk->in.n) || wait_for_bytes(k))
                if (!serve_one(k)) return;
}

void conn_main(void *arg)
{
        struct conn *k = arg;
        struct server *s = k->server;
        k->fiber = fiber_self();
        k->io.op = "http";
        conn_run(k);
        patience_end(k);
        if (k->desk) desk_put(s, take(&k->desk));
        sock_close(&k->sock);
        server_conn_ended(s, k);
}
