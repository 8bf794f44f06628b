/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * answer.c - answers to bytes: whole ones into desk->out, streamed ones straight to the socket. RFC 9110, RFC 9112.
 *
 * A head is measured, room is taken once, and the parts are copied. The server writes date, content-length, transfer-encoding and
 * connection; the handler writes the rest. Problems that the server finds itself are application/problem+json (RFC 9457). */
#include "clock.h"
#include "bound.h"
#include "conn.h"
#include "digits.h"

enum { HEAD_BYTES = 320 };              /* more than the lines this file writes itself, the reason included */

/* ---- header fields ------------------------------------------------------------------------------------------------ */

void res_header(struct ctx *c, struct exchange *x, const char *name, str value)
{
        struct headers *h = &x->out;
        assert(is_field_value(value));
        if (h->n == h->cap) {
                size_t cap = h->cap ? h->cap * 2 : 8;
                struct header *v = arena_grow(c->arena, h->v, h->cap * sizeof *v, cap * sizeof *v);
                if (!v) {
                        x->no_memory = true;
                        return;
                }
                h->v = v;
                h->cap = cap;
        }
        str copy = value.n ? arena_str(c->arena, value) : STR("");
        if (!copy.p) {
                x->no_memory = true;
                return;
        }
        h->v[h->n++] = (struct header){ str_of(name), copy };
}

/* ---- heads -------------------------------------------------------------------------------------------------------- */

/* How the body goes out, which the head must say. */
enum framing { BY_LENGTH, BY_CHUNKS, BY_CLOSE, NO_BODY };

static char *put(char *p, str s)
{
        memcpy(p, s.p, s.n);
        return p + s.n;
}
#define PUT(p, lit) put((p), STR(lit))

static size_t fields_bytes(const struct headers *h)
{
        size_t n = 0;
        for (size_t i = 0; i < h->n; i++) n += h->v[i].name.n + h->v[i].value.n + 4;
        return n;
}

/* Writes a head at p, where HEAD_BYTES and the fields' bytes are free. returns its end */
static char *head_put(char *p, const struct exchange *x, int status, enum framing framing, size_t length, bool close)
{
        p = PUT(p, "HTTP/1.1 ");
        p += put_u64(p, (uint64_t)status);
        *p++ = ' ';
        p = put(p, str_of(status_reason(status)));
        p = PUT(p, "\r\ndate: ");
        p = put(p, http_date(clock_now()));
        if (framing == BY_LENGTH) {
                p = PUT(p, "\r\ncontent-length: ");
                p += put_u64(p, length);
        } else if (framing == BY_CHUNKS) {
                p = PUT(p, "\r\ntransfer-encoding: chunked");
        }
        if (close) p = PUT(p, "\r\nconnection: close");
        else if (x->head.version == 10) p = PUT(p, "\r\nconnection: keep-alive");
        for (size_t i = 0; i < x->out.n; i++) {
                p = PUT(p, "\r\n");
                p = put(p, x->out.v[i].name);
                p = PUT(p, ": ");
                p = put(p, x->out.v[i].value);
        }
        return PUT(p, "\r\n\r\n");
}

static bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

/* The words of docs/ERRORS.md (kit/app/errors.c) for what a server finds by itself. */
static const char *slug_of(int status)
{
        static const struct { int status; const char *slug; } slugs[] = {
                { 408, "too_slow" }, { 411, "length_required" }, { 413, "body_too_large" }, { 414, "target_too_long" }, { 417, "unknown_expectation" },
                { 429, "out_of_memory" },
                { 431, "headers_too_large" }, { 500, "internal" }, { 501, "unimplemented" }, { 503, "too_many_connections" }, { 505, "unknown_version" } };
        for (size_t i = 0; i < COUNT(slugs); i++)
                if (slugs[i].status == status) return slugs[i].slug;
        return "malformed";
}

void answer_problem(struct exchange *x, int status, const char *detail)
{
        static const struct header fields[] = { { { "content-type", 12 }, { "application/problem+json", 24 } }, { { "retry-after", 11 }, { "1", 1 } } };
        size_t n = status == 429 || status == 503 ? 2 : 1;
        x->status = status;
        x->out = (struct headers){ .v = (struct header *)(uintptr_t)fields, .n = n, .cap = n }; /* full: one more moves it to the arena */
        buf_clear(x->body);
        buf_printf(x->body, "{\"type\":\"/docs#%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\",\"slug\":\"%s\"}", slug_of(status), status_reason(status),
                   status, detail, slug_of(status));
}

int answer_write(struct conn *k, struct exchange *x, bool close)
{
        struct buf *out = &k->desk->out;
        if (x->no_memory || buf_error(x->body) < 0) {
                bool too_large = !x->no_memory && !buf_is_starved(x->body);
                if (too_large) bound_reached(BOUND_HTTP_ANSWER);
                answer_problem(x, too_large ? 500 : 429, too_large ? "the answer is larger than this server sends" : "there is no memory for the answer");
        }
        int status = x->status ? x->status : x->body->n ? 200 : 204;
        bool silent = has_no_body(status), show = !silent && x->head.method != HEAD;
        str body = show ? buf_str(x->body) : (str){ "", 0 };
        bool inlined = body.n <= INLINE_BYTES;
        size_t fields = fields_bytes(&x->out);
        char *at = buf_room(out, HEAD_BYTES + fields + (inlined ? body.n : 0));
        if (!at) {
                k->gone = true;
                return -RESOURCE_EXHAUSTED;
        }
        char *p = head_put(at, x, status, silent ? NO_BODY : BY_LENGTH, x->body->n, close);
        if (inlined) p = put(p, body);
        buf_added(out, (size_t)(p - at));
        return inlined ? 0 : conn_send(k, body, STR(""));
}

/* ---- streams ------------------------------------------------------------------------------------------------------ */

static int client_gone(struct ctx *c, int code)
{
        if (code == -DEADLINE_EXCEEDED) return fail(c, DEADLINE_EXCEEDED, "client_too_slow", "the client did not take the answer in time");
        if (code == -CANCELLED) return fail(c, CANCELLED, "cancelled", "cancelled while the answer was sent");
        return fail(c, UNAVAILABLE, "client_gone", "the client left before the answer was whole");
}

int res_open(struct ctx *c, struct exchange *x)
{
        struct conn *k = x->conn;
        assert(k->stream == STREAM_NONE);
        upload_settle(k, x);
        int status = x->status ? x->status : 200;
        bool silent = has_no_body(status);
        bool chunked = x->head.version == 11;
        x->close |= !x->head.keep_alive || k->lost || k->server->draining || !chunked;
        k->stream = silent || x->head.method == HEAD ? STREAM_SILENT : chunked ? STREAM_CHUNKED : STREAM_TO_THE_END;
        char *at = x->no_memory ? NULL : buf_room(&k->desk->out, HEAD_BYTES + fields_bytes(&x->out));
        if (!at) {
                k->gone = true;
                return fail(c, UNAVAILABLE, "no_memory", "there is no memory for the answer's head");
        }
        char *p = head_put(at, x, status, silent ? NO_BODY : chunked ? BY_CHUNKS : BY_CLOSE, 0, x->close);
        buf_added(&k->desk->out, (size_t)(p - at));
        int r = conn_flush(k);
        return r < 0 ? client_gone(c, r) : 0;
}

int res_chunk(struct ctx *c, struct exchange *x, str piece)
{
        struct conn *k = x->conn;
        assert(k->stream != STREAM_NONE && k->stream != STREAM_ENDED);
        if (k->gone) return client_gone(c, -UNAVAILABLE);
        if (k->stream == STREAM_SILENT || piece.n == 0) return 0;
        bool chunked = k->stream == STREAM_CHUNKED;
        if (chunked) buf_printf(&k->desk->out, "%zx\r\n", piece.n);
        int r = conn_send(k, piece, chunked ? STR("\r\n") : STR(""));
        return r < 0 ? client_gone(c, r) : 0;
}

int res_end(struct ctx *c, struct exchange *x)
{
        struct conn *k = x->conn;
        assert(k->stream != STREAM_NONE && k->stream != STREAM_ENDED);
        if (k->stream == STREAM_CHUNKED) buf_lit(&k->desk->out, "0\r\n\r\n");
        k->stream = STREAM_ENDED;
        int r = conn_flush(k);
        return r < 0 ? client_gone(c, r) : 0;
}
