/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * client.c - an HTTP/1.1 client: a bounded pool of kept-alive connections to one origin.
 *
 * A kept connection is asked once, without waiting, whether the server has closed it in the meantime; so a second try is rare. The
 * newest is used first, and the oldest run out at the server. A connection goes back to the pool only after a whole answer that
 * said another may follow, with nothing behind it. */
#include "client.h"
#include <stdlib.h>
#include "clock.h"
#include "fiber.h"
#include "io.h"
#include "list.h"
#include "sync.h"

enum { READ_BYTES = 16384, KEEP_BYTES = 65536, HEADERS_OUT_MAX = 32768, INFORMATIONAL_MAX = 16 };

struct line {                           /* a connection                                           */
        struct link  link;              /* among the client's idle ones                           */
        struct sock *sock;
        struct buf   in, out;
};

struct client {
        char       *host, *base, *agent;        /* base: the url's path without its last slash    */
        char       *host_field;
        int         port;
        struct http1_limits limits;
        int         connect_timeout_ms;
        struct sem  free;               /* connections that may still be used or made             */
        struct link idle;
};

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static char *copy_z(str s)
{
        char *z = malloc(s.n + 1);
        assert(z);
        if (s.n) memcpy(z, s.p, s.n);
        z[s.n] = 0;
        return z;
}

static char *host_field(const struct url *u)
{
        struct buf b = BUF_INIT(4096);
        bool v6 = str_find(u->host, ':') >= 0;
        buf_printf(&b, v6 ? "[%.*s]" : "%.*s", STR_ARG(u->host));
        if (u->port != 80) buf_printf(&b, ":%d", u->port);
        char *z = copy_z(buf_str(&b));
        buf_done(&b);
        return z;
}

int client_open(struct ctx *c, const struct client_options *o, struct client **out)
{
        struct url u;
        int r = url_parse(o->url, &u);
        if (r == -UNIMPLEMENTED) return fail(c, INVALID_ARGUMENT, "bad_url", "https is not spoken here: " STR_FMT, STR_ARG(o->url));
        if (r < 0 || u.host.n > 255 || str_find(u.path, '?') >= 0)
                return fail(c, INVALID_ARGUMENT, "bad_url", "not a URL like http://host:port/path: " STR_FMT, STR_ARG(o->url));
        struct client *cl = calloc(1, sizeof *cl);
        assert(cl);
        while (u.path.n && u.path.p[u.path.n - 1] == '/') u.path.n--;
        cl->host = copy_z(u.host);
        cl->base = copy_z(u.path);
        cl->host_field = host_field(&u);
        cl->agent = copy_z(str_of(o->agent ? o->agent : "souk"));
        cl->port = u.port;
        cl->limits = http1_defaults;
        cl->limits.body_max = o->body_max ? o->body_max : 8 * 1024 * 1024;
        cl->connect_timeout_ms = o->connect_timeout_ms ? o->connect_timeout_ms : SECONDS(5);
        sem_setup(&cl->free, o->connections_max > 0 ? o->connections_max : 8);
        list_init(&cl->idle);
        *out = cl;
        return 0;
}

static void line_free(struct line **lp)
{
        if (!*lp) return;
        struct line *l = take(lp);
        sock_close(&l->sock);
        buf_done(&l->in);
        buf_done(&l->out);
        free(l);
}

void client_close(struct client **clp)
{
        if (!clp || !*clp) return;
        struct client *cl = take(clp);
        for (struct link *e; (e = list_pop(&cl->idle));) {
                struct line *l = CONTAINER(e, struct line, link);
                line_free(&l);
        }
        free(cl->host);
        free(cl->base);
        free(cl->host_field);
        free(cl->agent);
        free(cl);
}

/* ---- lines -------------------------------------------------------------------------------------------------------- */

/* An idle connection that the server has not closed, or NULL. */
static struct line *line_kept(struct client *cl)
{
        for (struct link *e; (e = list_pop(&cl->idle));) {
                struct line *l = CONTAINER(e, struct line, link);
                char unasked;
                if (sock_try_read(l->sock, &unasked, 1) == -ABORTED) return l;
                line_free(&l);
        }
        return NULL;
}

static int line_new(struct ctx *c, struct client *cl, struct line **out)
{
        struct sock *sock = NULL;
        int64_t own = c->deadline_us;
        ctx_limit(c, cl->connect_timeout_ms);
        int r = sock_connect(c, str_of(cl->host), cl->port, &sock);
        bool ours = r == -DEADLINE_EXCEEDED && c->deadline_us != own;
        c->deadline_us = own;
        if (ours) return fail(c, UNAVAILABLE, "connect_timeout", "%s did not accept a connection within %d ms", cl->host_field, cl->connect_timeout_ms);
        TRY(r);
        struct line *l = calloc(1, sizeof *l);
        assert(l);
        l->sock = sock;
        buf_init(&l->in, cl->limits.line_max + cl->limits.headers_max_bytes + 64 + READ_BYTES);
        buf_init(&l->out, cl->limits.line_max + HEADERS_OUT_MAX + 4096);
        *out = l;
        return 0;
}

static void line_keep(struct client *cl, struct line **lp)
{
        struct line *l = take(lp);
        buf_clear(&l->in);
        buf_clear(&l->out);
        buf_trim(&l->in, KEEP_BYTES);
        buf_trim(&l->out, KEEP_BYTES);
        list_push_front(&cl->idle, &l->link);
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

static bool has_upload(const struct client_request *q)
{
        return q->body.n || q->method == POST || q->method == PUT || q->method == PATCH;
}

static int request_write(struct ctx *c, const struct client *cl, struct line *l, const struct client_request *q)
{
        struct buf *b = &l->out;
        assert(q->method != METHOD_OTHER && q->method < METHODS && is_field_value(q->content_type));
        for (size_t i = 0; i < q->path.n; i++)
                if ((unsigned char)q->path.p[i] <= ' ' || (unsigned char)q->path.p[i] >= 0x7f || q->path.p[i] == '#')
                        return fail(c, INVALID_ARGUMENT, "bad_path", "the path holds a character that must be percent-encoded");
        buf_clear(b);
        buf_printf(b, "%s %s" STR_FMT " HTTP/1.1\r\nhost: %s\r\nuser-agent: %s\r\n", method_name(q->method), cl->base,
                   STR_ARG(q->path.n ? q->path : STR("/")), cl->host_field, cl->agent);
        if (has_upload(q)) buf_printf(b, "content-length: %zu\r\n", q->body.n);
        if (q->content_type.n) buf_printf(b, "content-type: " STR_FMT "\r\n", STR_ARG(q->content_type));
        for (size_t i = 0; i < COUNT(q->headers) && q->headers[i].name.n; i++) {
                assert(is_token(q->headers[i].name) && is_field_value(q->headers[i].value));
                buf_add(b, q->headers[i].name);
                buf_lit(b, ": ");
                buf_add(b, q->headers[i].value);
                buf_lit(b, "\r\n");
        }
        buf_lit(b, "\r\n");
        if (buf_error(b) < 0) return fail(c, INVALID_ARGUMENT, "request_too_large", "the request's head is too large");
        str head = buf_str(b);
        struct iovec v[2] = { { (void *)(uintptr_t)head.p, head.n }, { (void *)(uintptr_t)q->body.p, q->body.n } };
        return sock_write(c, l->sock, v, 2);
}

/* ---- answers ------------------------------------------------------------------------------------------------------ */

static ptrdiff_t read_more(struct ctx *c, struct line *l)
{
        char *to = buf_room(&l->in, READ_BYTES);
        if (!to) return fail(c, UNAVAILABLE, "no_memory", "there is no memory for the answer");
        ptrdiff_t n = sock_read(c, l->sock, to, READ_BYTES);
        if (n > 0) buf_added(&l->in, (size_t)n);
        return n;
}

static int cut_off(struct ctx *c, const struct client *cl)
{
        return fail(c, UNAVAILABLE, "cut_off", "%s ended the connection before its answer was whole", cl->host_field);
}

static int not_http(struct ctx *c, const struct client *cl, const char *why)
{
        return fail(c, DATA_LOSS, "not_http", "%s: %s", cl->host_field, why);
}

/* The head's texts point into the line's buffer, which will move: gives them a home in the arena. */
static bool head_settle(struct arena *a, str raw, struct http1_head *h)
{
        str copy = arena_str(a, raw);
        if (!copy.p) return false;
        for (size_t i = 0; i < h->headers.n; i++) h->headers.v[i].value.p = copy.p + (h->headers.v[i].value.p - raw.p);
        return true;
}

/* Reads heads until one is final. ret_began is set once a byte of it was there. Waits. */
static int head_read(struct ctx *c, struct client *cl, struct line *l, enum method method, struct http1_head *out, bool *ret_began)
{
        const char *why = NULL;
        for (int i = 0; i < INFORMATIONAL_MAX; i++) {
                size_t from = 0;
                ptrdiff_t n;
                while ((n = http1_response(c->arena, &cl->limits, method, buf_str(&l->in), &from, out, &why)) == 0) {
                        n = read_more(c, l);
                        if (n == 0) return cut_off(c, cl);
                        if (n < 0) return (int)n;
                        *ret_began = true;
                }
                if (n < 0) return not_http(c, cl, why);
                if (out->status >= 200 && !head_settle(c->arena, str_cut(buf_str(&l->in), 0, (size_t)n), out))
                        return fail(c, UNAVAILABLE, "no_memory", "there is no memory for the answer");
                buf_eat(&l->in, (size_t)n);
                if (out->status >= 200) return 0;
                if (out->status == 101) break;
        }
        return not_http(c, cl, "it never gave a final answer");
}

/* Body pieces collect in `to`. Waits. */
static int body_read(struct ctx *c, struct client *cl, struct line *l, const struct http1_head *head, struct buf *to)
{
        struct http1_body b;
        http1_body_start(&b, head, &cl->limits);
        while (!b.done) {
                if (l->in.n == 0) {
                        ptrdiff_t n = read_more(c, l);
                        if (n < 0) return (int)n;
                        if (n == 0 && b.to_the_end) break;
                        if (n == 0) return cut_off(c, cl);
                }
                str piece;
                const char *why = NULL;
                ptrdiff_t n = http1_body_next(&b, buf_str(&l->in), &piece, &why);
                if (n < 0) return not_http(c, cl, why);
                buf_add(to, piece);
                buf_eat(&l->in, (size_t)n);
        }
        return buf_error(to) < 0 ? fail(c, UNAVAILABLE, "no_memory", "there is no memory for the answer") : 0;
}

static int answer_read(struct ctx *c, struct client *cl, struct line *l, enum method method, struct client_response *out, bool *ret_began, bool *ret_keep)
{
        struct http1_head head;
        TRY(head_read(c, cl, l, method, &head, ret_began));
        struct buf body AUTO(buf_done) = BUF_INIT(cl->limits.body_max);
        TRY(body_read(c, cl, l, &head, &body));
        str kept = body.n ? arena_str(c->arena, buf_str(&body)) : STR("");
        if (!kept.p) return fail(c, UNAVAILABLE, "no_memory", "there is no memory for the answer");
        *out = (struct client_response){ .status = head.status, .headers = head.headers, .body = kept };
        /* A length or a coding on an answer that cannot have a body: what follows it may be anything. RFC 9110 section 8.6 */
        bool odd = (head.status == 204 || head.status == 205) && (header_get(&head.headers, "content-length").n || header_get(&head.headers, "transfer-encoding").n);
        *ret_keep = head.keep_alive && l->in.n == 0 && !odd;
        return 0;
}

/* ---- sending ------------------------------------------------------------------------------------------------------ */

/* May it be sent twice: RFC 9110 section 9.2.2 says of which methods, the caller of others. */
static bool may_repeat(const struct client_request *q)
{
        return q->may_repeat || (q->method != POST && q->method != PATCH);
}

/* On one connection, kept or new. *ret_again: nothing of an answer came, and the connection was a kept one. */
static int send_once(struct ctx *c, struct client *cl, const struct client_request *q, bool may_keep, struct client_response *out, bool *ret_again)
{
        struct line *l AUTO(line_free) = may_keep ? line_kept(cl) : NULL;
        bool kept = l != NULL, began = false, keep = false;
        *ret_again = false;
        if (!l) TRY(line_new(c, cl, &l));
        int r = request_write(c, cl, l, q);
        /* A server may answer and close without reading all: its answer is there to be read although the write failed. */
        if (r == 0 || (r == -UNAVAILABLE && q->body.n)) {
                int wrote = r;
                r = answer_read(c, cl, l, q->method, out, &began, &keep);
                keep = keep && wrote == 0;
        }
        *ret_again = kept && !began && r == -UNAVAILABLE;
        if (r == 0 && keep) line_keep(cl, &l);
        return r;
}

int client_send(struct ctx *c, struct client *cl, const struct client_request *q, struct client_response *out)
{
        bool again = false;
        TRY(sem_take(c, &cl->free));
        int r = send_once(c, cl, q, true, out, &again);
        if (again && may_repeat(q)) r = send_once(c, cl, q, false, out, &again);
        sem_give(&cl->free);
        return r;
}
