/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * net/talk.h - a server with a handler for every occasion, and a client that says and hears bytes: for the tests of the server.
 *
 * Both sides run on one loop. SERVER_TEST(sentence) { ... } has `c`, a context with a deadline, and `shop`, the server. */
#ifndef TALK_H
#define TALK_H
#include "test.h"
#include "clock.h"
#include "fiber.h"
#include "io.h"
#include "loop.h"
#include "server.h"

/* ---- the server's side -------------------------------------------------------------------------------------------- */

struct shop { struct server *s; int port; int asked; struct fiber *blocked; int body_result, body_http; size_t body_max; bool body_first; };

static void answer_text(struct exchange *x, const char *text) { buf_lit(x->body, text); }

static void on_body(struct ctx *c, struct exchange *x, struct shop *shop)
{
        str body;
        shop->body_result = exchange_body(c, x, shop->body_max, &body);
        shop->body_http = c->fault.http;
        if (shop->body_result < 0) {
                x->status = c->fault.http ? c->fault.http : code_http(shop->body_result);
                buf_add(x->body, c->fault.message);
                return;
        }
        str again;
        CHECK_OK(exchange_body(c, x, 0, &again));
        CHECK(str_eq(body, again));
        buf_add(x->body, body);
}

static void on_stream(struct ctx *c, struct exchange *x, bool whole)
{
        res_header(c, x, "content-type", STR("text/plain"));
        if (res_open(c, x) < 0) return;
        if (res_chunk(c, x, STR("first ")) < 0 || res_chunk(c, x, STR("")) < 0 || res_chunk(c, x, STR("0123456789abcdef")) < 0) return;
        if (whole) res_end(c, x);
}

static void handle(struct ctx *c, struct exchange *x, void *arg)
{
        struct shop *shop = arg;
        shop->asked++;
        str p = x->head.path;
        if (str_eq(p, STR("/echo"))) return on_body(c, x, shop);
        if (str_eq(p, STR("/stream"))) return on_stream(c, x, true);
        if (str_eq(p, STR("/half"))) return on_stream(c, x, false);
        if (str_eq(p, STR("/none"))) return;
        if (str_eq(p, STR("/yield"))) fiber_yield();
        if (str_eq(p, STR("/big"))) {
                for (int i = 0; i < 25000; i++) buf_lit(x->body, "big ");
                return;
        }
        if (str_eq(p, STR("/huge"))) {
                for (int i = 0; i < 100; i++) buf_printf(x->body, "%04000d", i);
                return;
        }
        if (str_eq(p, STR("/many"))) for (int i = 0; i < 30; i++) res_header(c, x, "x-many", STR("value"));
        if (str_eq(p, STR("/full"))) for (int i = 0; i < 10000; i++) res_header(c, x, "x-full", STR("a value that takes some room in the arena"));
        if (str_eq(p, STR("/close"))) x->close = true;
        if (str_eq(p, STR("/gone"))) x->status = 410;
        if (str_eq(p, STR("/same"))) x->status = 304;
        if (str_eq(p, STR("/block"))) {
                shop->blocked = fiber_self();
                int r = fiber_park(c, "test");
                shop->blocked = NULL;
                answer_text(x, r < 0 ? "cancelled " : "woken ");
        }
        buf_printf(x->body, "%s " STR_FMT, method_name(x->head.method), STR_ARG(p));
}

static struct server_options quick(void)
{
        struct server_options o = server_defaults;
        o.port = 0;
        o.head_timeout_ms = o.body_timeout_ms = o.write_timeout_ms = 60000;
        o.idle_timeout_ms = 60000;
        o.arena_max = 200000;
        return o;
}

typedef void test_fn(struct ctx *c, struct shop *shop);
struct plan { struct server_options o; test_fn *fn; };

static int run_plan(struct ctx *c, void *arg)
{
        struct plan *p = arg;
        struct shop shop = { 0 };
        ctx_limit(c, 120000);
        CHECK_OK(server_open(c, &p->o, handle, &shop, &shop.s));
        shop.port = server_port(shop.s);
        p->fn(c, &shop);
        if (shop.s) server_drain(c, shop.s, 0);
        server_close(&shop.s);
        return 0;
}

static void with_server(struct server_options o, test_fn *fn)
{
        struct plan p = { o, fn };
        watchdog_limit(0);
        CHECK_OK(run_main(run_plan, &p));
}

#define SERVER_TEST_WITH(name_, options_) \
        static void name_##_body(struct ctx *c, struct shop *shop); \
        TEST(name_) { struct server_options o = quick(); options_; with_server(o, name_##_body); } \
        static void name_##_body(struct ctx *c, struct shop *shop)
#define SERVER_TEST(name_) SERVER_TEST_WITH(name_, (void)0)

/* ---- the client's side -------------------------------------------------------------------------------------------- */

static inline struct sock *dial(struct ctx *c, struct shop *shop)
{
        struct sock *s = NULL;
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), shop->port, &s));
        return s;
}

static inline void say(struct ctx *c, struct sock *s, const char *text) { CHECK_OK(sock_write_str(c, s, str_of(text))); }

/* Reads until the text ends with `end`; NULL: until the server closes. returns a C string in the arena */
static inline const char *hear(struct ctx *c, struct sock *s, const char *end)
{
        struct buf b AUTO(buf_done) = BUF_INIT(4 << 20);
        for (;;) {
                if (end && str_ends(buf_str(&b), str_of(end))) break;
                ptrdiff_t n = sock_read(c, s, buf_room(&b, 65536), 65536);
                if (n == -DEADLINE_EXCEEDED) cm_fail_msg("waited too long after: %.*s", STR_ARG(buf_str(&b)));
                if (n < 0) buf_lit(&b, "(reset)");
                if (n <= 0) break;
                buf_added(&b, (size_t)n);
        }
        char *z = arena_z(c->arena, buf_str(&b));
        CHECK(z != NULL);
        return z;
}

/* A whole conversation: says all, ends its side, hears all. */
static inline const char *talk(struct ctx *c, struct shop *shop, const char *text)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, text);
        sock_end(s);
        return hear(c, s, NULL);
}

static inline int count_of(const char *text, const char *part)
{
        int n = 0;
        for (; (text = strstr(text, part)); text += strlen(part)) n++;
        return n;
}
#define HAS(text, part) do { const char *t_ = (text), *p_ = (part); if (!strstr(t_, p_)) cm_fail_msg("no \"%s\" in:\n%s", p_, t_); } while (0)
#define LACKS(text, part) do { const char *t_ = (text), *p_ = (part); if (strstr(t_, p_)) cm_fail_msg("\"%s\" in:\n%s", p_, t_); } while (0)
#define GETS(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#endif
