/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * upload.c - the body of a request: read when the handler asks, else settled without it.
 *
 * A body that came whole with its head is a slice of desk->in. Otherwise it goes to desk->upload, because desk->in must not move while
 * the handler holds texts of the head. By length it is read straight to its place and not a byte further; chunks are read into a
 * piece of the arena, and what came behind them is kept in k->rest. */
#include "clock.h"
#include "bound.h"
#include "conn.h"
#include "fiber.h"

void upload_start(struct conn *k, const struct http1_head *head)
{
        http1_body_start(&k->reader, head, &k->server->o.limits);
}

/* The end of desk->in that no head and no body has taken. */
static str there(const struct conn *k)
{
        str in = buf_str(&k->desk->in);
        return str_cut(in, k->eaten, in.n);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* One wait of an upload: what it may take, and why it failed. */
struct pace { int64_t start_us; bool limited_by_caller; };

/* By now + body_timeout_ms a body of no bytes must be there; each byte that came buys time at the least rate. */
static struct ctx *paced(struct conn *k, const struct ctx *c, struct pace *p)
{
        struct ctx *io = conn_io(k, 0);
        const struct server_options *o = &k->server->o;
        if (!p->start_us) p->start_us = clock_us();
        io->deadline_us = p->start_us + (int64_t)o->body_timeout_ms * 1000;
        if (o->body_min_bytes_per_s > 0) io->deadline_us += (int64_t)k->reader.total * 1000000 / o->body_min_bytes_per_s;
        patience_spend(k);
        p->limited_by_caller = c && c->deadline_us && c->deadline_us < io->deadline_us;
        if (p->limited_by_caller) io->deadline_us = c->deadline_us;
        return io;
}

/* What a read that did not bring bytes means for the handler. */
static int read_failed(struct conn *k, struct ctx *c, const struct pace *p, ptrdiff_t n)
{
        k->lost = true;
        if (n == -DEADLINE_EXCEEDED && !p->limited_by_caller) {
                bound_reached(BOUND_HTTP_BODY_TIME);
                return fail_http(c, 408, INVALID_ARGUMENT, "too_slow", "the request's body took too long");
        }
        if (n == -DEADLINE_EXCEEDED) return fail(c, DEADLINE_EXCEEDED, "deadline_exceeded", "the deadline passed while the body was read");
        if (n == -CANCELLED) return fail(c, CANCELLED, "cancelled", "cancelled while the body was read");
        if (n < 0) k->gone = true;
        return fail(c, UNAVAILABLE, "client_gone", "the client left before its request was whole");
}

static int no_memory(struct conn *k, struct ctx *c)
{
        k->lost = true;
        return fail_http(c, 413, INVALID_ARGUMENT, "body_too_large", "there is no memory for this body");
}

/* Tells a client that waits to be asked. Answers before this one go out with it. */
static int invite(struct conn *k, struct ctx *c, const struct exchange *x)
{
        if (!x->head.expects_continue || there(k).n) return 0;
        k->continued = true;
        if (conn_send(k, STR("HTTP/1.1 100 Continue\r\n\r\n"), STR("")) == 0) return 0;
        return fail(c, UNAVAILABLE, "client_gone", "the client left before its request was whole");
}

static int read_length(struct conn *k, struct ctx *c)
{
        struct buf *to = &k->desk->upload;
        struct http1_body *b = &k->reader;
        struct pace pace = { 0 };
        str came = there(k);
        buf_add(to, came);
        k->eaten += came.n;
        b->total += came.n;
        b->left -= (int64_t)came.n;
        while (b->left > 0) {
                size_t want = (size_t)MIN(b->left, (int64_t)FLUSH_BYTES);
                char *room = buf_room(to, want);
                if (!room) return no_memory(k, c);
                ptrdiff_t n = sock_read(paced(k, c, &pace), k->sock, room, want);
                if (n <= 0) return read_failed(k, c, &pace, n);
                buf_added(to, (size_t)n);
                b->total += (size_t)n;
                b->left -= n;
                k->server->stats.bytes_in += (size_t)n;
        }
        if (buf_error(to) < 0) return no_memory(k, c);
        b->done = true;
        k->body_text = buf_str(to);
        return 0;
}

/* Decodes as much of `in` as there is. returns bytes eaten; all, unless the body ended within */
static ptrdiff_t decode(struct conn *k, struct ctx *c, str in)
{
        size_t at = 0;
        while (at < in.n && !k->reader.done) {
                str piece;
                const char *why = NULL;
                ptrdiff_t n = http1_body_next(&k->reader, str_cut(in, at, in.n), &piece, &why);
                if (n < 0) {
                        k->lost = true;
                        if (n == -413) bound_reached(BOUND_HTTP_BODY);
                        return fail_http(c, (int)-n, INVALID_ARGUMENT, n == -413 ? "body_too_large" : "malformed", "%s", why);
                }
                buf_add(&k->desk->upload, piece);
                at += (size_t)n;
        }
        return (ptrdiff_t)at;
}

static int read_chunks(struct conn *k, struct ctx *c)
{
        struct pace pace = { 0 };
        ptrdiff_t n = decode(k, c, there(k));
        if (n < 0) return (int)n;
        k->eaten += (size_t)n;
        char *stage = k->reader.done ? NULL : arena_alloc(c->arena, READ_BYTES);
        if (!k->reader.done && !stage) return no_memory(k, c);
        while (!k->reader.done) {
                ptrdiff_t came = sock_read(paced(k, c, &pace), k->sock, stage, READ_BYTES);
                if (came <= 0) return read_failed(k, c, &pace, came);
                k->server->stats.bytes_in += (size_t)came;
                n = decode(k, c, (str){ stage, (size_t)came });
                if (n < 0) return (int)n;
                k->rest = (str){ stage + n, (size_t)(came - n) };
        }
        if (buf_error(&k->desk->upload) < 0) return no_memory(k, c);
        k->body_text = buf_str(&k->desk->upload);
        return 0;
}

static int read_body(struct conn *k, struct ctx *c, struct exchange *x)
{
        str came = there(k);
        if (k->reader.done) {
                k->body_text = STR("");
                return 0;
        }
        if (!k->reader.chunked && came.n >= (size_t)k->reader.left) {
                k->body_text = str_cut(came, 0, (size_t)k->reader.left);
                k->eaten += (size_t)k->reader.left;
                k->reader.done = true;
                return 0;
        }
        if (!k->reader.chunked && (uint64_t)k->reader.left > k->reader.max) {
                k->lost = true;
                bound_reached(BOUND_HTTP_BODY);
                return fail_http(c, 413, INVALID_ARGUMENT, "body_too_large", "the body is larger than this takes");
        }
        buf_clear(&k->desk->upload);
        TRY(invite(k, c, x));
        return k->reader.chunked ? read_chunks(k, c) : read_length(k, c);
}

int exchange_body(struct ctx *c, struct exchange *x, size_t max, str *out)
{
        struct conn *k = x->conn;
        if (!k->body_known) {
                if (max) k->reader.max = MIN(k->reader.max, max);
                k->body_known = true;
                k->body_result = read_body(k, c, x);
                patience_end(k);
        } else if (k->body_result < 0) {
                return fail(c, UNAVAILABLE, "body_unreadable", "the request's body could not be read");
        }
        if (k->body_result == 0) *out = k->body_text;
        return k->body_result;
}

/* ---- not reading -------------------------------------------------------------------------------------------------- */

/* Chunks are skipped only when their end has come already. */
static void settle_chunks(struct conn *k)
{
        while (!k->reader.done && there(k).n) {
                str piece;
                const char *why;
                ptrdiff_t n = http1_body_next(&k->reader, there(k), &piece, &why);
                if (n < 0) break;
                k->eaten += (size_t)n;
        }
        k->lost = !k->reader.done;
}

void upload_settle(struct conn *k, struct exchange *x)
{
        if (k->reader.done || k->lost) return;
        if (x->head.expects_continue && !k->continued && !there(k).n) {
                k->lost = true;                 /* whether the body will come is the client's choice: nobody could tell it from a request */
        } else if (k->reader.chunked) {
                settle_chunks(k);
        } else {
                size_t left = (size_t)k->reader.left, now = MIN(left, there(k).n);
                k->lost = left - now > SKIP_BYTES;
                k->eaten += now;
                k->skip = left - now;
        }
}

int upload_skip(struct conn *k)
{
        struct pace pace = { 0 };
        while (k->skip) {
                ptrdiff_t n = sock_read(paced(k, NULL, &pace), k->sock, k->first, MIN(k->skip, sizeof k->first));
                if (n <= 0) return -UNAVAILABLE;        /* the end of the connection ends its patience too */
                k->skip -= (size_t)n;
                k->server->stats.bytes_in += (size_t)n;
        }
        patience_end(k);
        return 0;
}
