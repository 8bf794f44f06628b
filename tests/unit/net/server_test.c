/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * server_test.c - the server over loopback: what a client sends byte for byte, and what it gets back. One loop holds both sides.
 *
 * writev() is this program's own, so that tests can count how many writes carried answers. */
#include "test.h"
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "clock.h"
#include "fiber.h"
#include "io.h"
#include "loop.h"
#include "server.h"

static int answer_writes;

ssize_t writev(int fd, const struct iovec *v, int n)
{
        for (int i = 0; i < n; i++) {
                if (!v[i].iov_len) continue;
                answer_writes += v[i].iov_len >= 5 && !memcmp(v[i].iov_base, "HTTP/", 5);
                break;
        }
        return syscall(SYS_writev, fd, v, n);
}

/* ---- the server's side -------------------------------------------------------------------------------------------- */

struct shop { struct server *s; int port; int asked; struct fiber *blocked; int body_result, body_http; bool body_first; };

static void answer_text(struct exchange *x, const char *text) { buf_lit(x->body, text); }

static void on_body(struct ctx *c, struct exchange *x, struct shop *shop)
{
        str body;
        shop->body_result = exchange_body(c, x, &body);
        shop->body_http = c->fault.http;
        if (shop->body_result < 0) {
                x->status = c->fault.http ? c->fault.http : code_http(shop->body_result);
                buf_add(x->body, c->fault.message);
                return;
        }
        str again;
        CHECK_OK(exchange_body(c, x, &again));
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
        o.head_timeout_ms = o.body_timeout_ms = o.write_timeout_ms = 5000;
        o.idle_timeout_ms = 20000;
        o.arena_max = 200000;
        return o;
}

typedef void test_fn(struct ctx *c, struct shop *shop);
struct plan { struct server_options o; test_fn *fn; };

static int run_plan(struct ctx *c, void *arg)
{
        struct plan *p = arg;
        struct shop shop = { 0 };
        ctx_limit(c, 20000);
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

static struct sock *dial(struct ctx *c, struct shop *shop)
{
        struct sock *s = NULL;
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), shop->port, &s));
        return s;
}

static void say(struct ctx *c, struct sock *s, const char *text) { CHECK_OK(sock_write_str(c, s, str_of(text))); }

/* Reads until the text ends with `end`; NULL: until the server closes. returns a C string in the arena */
static const char *hear(struct ctx *c, struct sock *s, const char *end)
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
static const char *talk(struct ctx *c, struct shop *shop, const char *text)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, text);
        sock_end(s);
        return hear(c, s, NULL);
}

static int count_of(const char *text, const char *part)
{
        int n = 0;
        for (; (text = strstr(text, part)); text += strlen(part)) n++;
        return n;
}
#define HAS(text, part) do { const char *t_ = (text), *p_ = (part); if (!strstr(t_, p_)) cm_fail_msg("no \"%s\" in:\n%s", p_, t_); } while (0)
#define LACKS(text, part) do { const char *t_ = (text), *p_ = (part); if (strstr(t_, p_)) cm_fail_msg("\"%s\" in:\n%s", p_, t_); } while (0)
#define GETS(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"

/* ---- answers ------------------------------------------------------------------------------------------------------ */

SERVER_TEST(a_get_is_answered_with_date_and_length_and_the_connection_stays)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        for (int i = 0; i < 3; i++) {
                say(c, s, GETS("/a"));
                const char *got = hear(c, s, "GET /a");
                CHECK(!strncmp(got, "HTTP/1.1 200 OK\r\ndate: ", 23));
                HAS(got, " GMT\r\ncontent-length: 6\r\n\r\nGET /a");
                LACKS(got, "connection:");
        }
        CHECK_EQ(server_stats(shop->s).requests, 3);
        CHECK_EQ(server_stats(shop->s).open, 1);
}

SERVER_TEST(an_empty_answer_is_204_without_a_length)
{
        const char *got = talk(c, shop, GETS("/none"));
        HAS(got, "HTTP/1.1 204 No Content\r\n");
        LACKS(got, "content-length");
        got = talk(c, shop, GETS("/same"));
        HAS(got, "HTTP/1.1 304 Not Modified\r\n");
        LACKS(got, "GET /same");
        HAS(talk(c, shop, GETS("/gone")), "HTTP/1.1 410 Gone\r\n");
}

SERVER_TEST(head_gets_the_head_of_a_get_and_no_body)
{
        const char *got = talk(c, shop, "HEAD /hi HTTP/1.1\r\nHost: h\r\n\r\n" GETS("/b"));
        HAS(got, "content-length: 8\r\n\r\nHTTP/1.1 200 OK");
        LACKS(got, "HEAD /hi");
}

SERVER_TEST(version_and_connection_decide_what_follows)
{
        const char *got = talk(c, shop, "GET /1 HTTP/1.0\r\n\r\n" GETS("/2"));
        HAS(got, "connection: close\r\n");
        LACKS(got, "/2");
        got = talk(c, shop, "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GETS("/2"));
        HAS(got, "connection: keep-alive\r\n");
        HAS(got, "GET /2");
        got = talk(c, shop, "GET /1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GETS("/2"));
        HAS(got, "connection: close\r\n");
        LACKS(got, "/2");
        got = talk(c, shop, GETS("/close") GETS("/2"));
        HAS(got, "connection: close\r\n");
        LACKS(got, "/2");
}

SERVER_TEST(sixteen_pipelined_requests_are_answered_in_order_by_one_write)
{
        struct buf ask AUTO(buf_done) = BUF_INIT(65536);
        for (int i = 0; i < 16; i++) buf_printf(&ask, "GET /%d HTTP/1.1\r\nHost: h\r\nX-Padding: %0200d\r\n\r\n", i, i);
        struct sock *s AUTO(sock_close) = dial(c, shop);
        answer_writes = 0;
        CHECK_OK(sock_write_str(c, s, buf_str(&ask)));
        const char *got = hear(c, s, "GET /15");
        CHECK_EQ(answer_writes, 1);
        for (int i = 0; i < 16; i++) {
                char want[20];
                snprintf(want, sizeof want, "\r\n\r\nGET /%d", i);
                got = strstr(got, want);
                CHECK(got != NULL);
        }
}

SERVER_TEST(many_pipelined_requests_do_not_collect_answers_without_end)
{
        struct buf ask AUTO(buf_done) = BUF_INIT(1 << 20);
        for (int i = 0; i < 3000; i++) buf_lit(&ask, GETS("/x"));
        struct sock *s AUTO(sock_close) = dial(c, shop);
        answer_writes = 0;
        CHECK_OK(sock_write_str(c, s, buf_str(&ask)));
        sock_end(s);
        CHECK_EQ(count_of(hear(c, s, NULL), "HTTP/1.1 200 OK"), 3000);
        CHECK(answer_writes > 3 && answer_writes < 100);
}

SERVER_TEST(a_request_in_single_bytes_is_a_request)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        const char *text = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
        for (const char *p = text; *p; p++) {
                CHECK_OK(sock_write_str(c, s, (str){ p, 1 }));
                fiber_yield();
        }
        HAS(hear(c, s, "hello"), "200 OK");
}

SERVER_TEST(large_answers_and_many_headers_arrive_whole)
{
        const char *got = talk(c, shop, GETS("/a") GETS("/big") GETS("/b"));
        HAS(got, "content-length: 100000\r\n");
        CHECK_EQ(count_of(got, "big "), 25000);
        HAS(got, "GET /b");
        got = talk(c, shop, GETS("/many"));
        CHECK_EQ(count_of(got, "x-many: value\r\n"), 30);
}

SERVER_TEST(an_answer_beyond_the_limit_becomes_500)
{
        HAS(talk(c, shop, GETS("/huge")), "HTTP/1.1 500 Internal Server Error\r\n");
        const char *got = talk(c, shop, GETS("/full") GETS("/a"));
        HAS(got, "HTTP/1.1 500 Internal Server Error\r\n");
        LACKS(got, "x-full");
        HAS(got, "GET /a");
}

/* ---- request bodies ----------------------------------------------------------------------------------------------- */

SERVER_TEST(bodies_by_length_and_chunks_reach_the_handler)
{
        const char *got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" GETS("/a"));
        HAS(got, "content-length: 5\r\n\r\nhelloHTTP/1.1");
        HAS(got, "GET /a");
        got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n" GETS("/a"));
        HAS(got, "content-length: 11\r\n\r\nhello worldHTTP/1.1");
        HAS(got, "GET /a");
        HAS(talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"), "204 No Content");
        HAS(talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\n\r\n"), "204 No Content");
}

SERVER_TEST(a_body_that_comes_late_is_waited_for_and_what_follows_it_is_kept)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhel");
        while (!shop->asked) fiber_yield();
        say(c, s, "lo worl");
        HAS(hear(c, s, "hello worl"), "200 OK");
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel");
        while (shop->asked < 2) fiber_yield();
        say(c, s, "\r\n2\r\nlo\r\n0\r\n\r\n" GETS("/next"));
        HAS(hear(c, s, "GET /next"), "\r\n\r\nhelloHTTP/1.1 200 OK");
}

SERVER_TEST(a_large_body_is_read_whole)
{
        struct buf ask AUTO(buf_done) = BUF_INIT(1 << 20);
        buf_lit(&ask, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 150000\r\n\r\n");
        for (int i = 0; i < 15000; i++) buf_printf(&ask, "%09d\n", i);
        buf_lit(&ask, GETS("/after"));
        struct sock *s AUTO(sock_close) = dial(c, shop);
        CHECK_OK(sock_write_str(c, s, buf_str(&ask)));
        const char *got = hear(c, s, "GET /after");
        HAS(got, "content-length: 150000\r\n\r\n000000000\n000000001\n");
        HAS(got, "000014999\nHTTP/1.1");
}

SERVER_TEST(expect_100_is_answered_when_the_handler_asks_for_the_body)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        assert_string_equal(hear(c, s, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        say(c, s, "ok" GETS("/a"));
        HAS(hear(c, s, "GET /a"), "200 OK");
}

SERVER_TEST(a_handler_that_does_not_want_an_expected_body_costs_no_upload)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n");
        const char *got = hear(c, s, NULL);
        LACKS(got, "100 Continue");
        HAS(got, "connection: close\r\n");
        HAS(got, "POST /no");
}

SERVER_TEST(an_expected_body_that_came_anyway_needs_no_invitation)
{
        const char *got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok");
        LACKS(got, "100 Continue");
        HAS(got, "200 OK");
}

SERVER_TEST(a_small_unread_body_is_skipped_and_the_connection_stays)
{
        const char *got = talk(c, shop, "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" GETS("/a")
                                        "POST /no HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" GETS("/b"));
        CHECK_EQ(count_of(got, "200 OK"), 4);
        LACKS(got, "connection: close");
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
        HAS(hear(c, s, "POST /no"), "200 OK");
        char rest[5001] = { 0 };
        memset(rest, 'x', 5000);
        say(c, s, rest);
        say(c, s, GETS("/c"));
        HAS(hear(c, s, "GET /c"), "200 OK");
}

SERVER_TEST(a_large_unread_body_closes_the_connection_and_the_answer_is_still_read)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        struct buf ask AUTO(buf_done) = BUF_INIT(1 << 20);
        buf_lit(&ask, "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
        for (int i = 0; i < 15000; i++) buf_lit(&ask, "0123456789");
        CHECK_OK(sock_write_str(c, s, buf_str(&ask)));
        const char *got = hear(c, s, NULL);
        HAS(got, "connection: close\r\n");
        HAS(got, "POST /no");
        LACKS(got, "(reset)");
}

SERVER_TEST(broken_and_oversized_chunked_bodies_fail_the_read_and_close)
{
        const char *got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" GETS("/a"));
        HAS(got, "HTTP/1.1 400 Bad Request\r\n");
        HAS(got, "connection: close\r\n");
        LACKS(got, "GET /a");
        CHECK_EQ(shop->body_result, -INVALID_ARGUMENT);
        got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" GETS("/a"));
        HAS(got, "HTTP/1.1 413 Content Too Large\r\n");
        LACKS(got, "GET /a");
}

SERVER_TEST(a_client_that_ends_within_its_body_is_told_or_gone)
{
        const char *got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
        HAS(got, "connection: close\r\n");
        CHECK_EQ(shop->body_result, -UNAVAILABLE);
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
        while (shop->asked < 2) fiber_yield();
        sock_close(&s);
        while (server_stats(shop->s).open) fiber_yield();
        CHECK_EQ(shop->body_result, -UNAVAILABLE);
}

SERVER_TEST_WITH(a_slow_body_gets_408, o.body_timeout_ms = 40)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
        const char *got = hear(c, s, NULL);
        HAS(got, "HTTP/1.1 408 Request Timeout\r\n");
        HAS(got, "connection: close\r\n");
        CHECK_EQ(shop->body_result, -INVALID_ARGUMENT);
        CHECK_EQ(shop->body_http, 408);
}

SERVER_TEST_WITH(bytes_buy_time_at_the_least_rate_only, (o.body_timeout_ms = 60, o.body_min_bytes_per_s = 1000000))
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        int64_t start_us = clock_us();
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; shop->body_result == 0 && i < 500; i++) {       /* a drip that would go on for five seconds */
                say(c, s, "1\r\nx\r\n");
                CHECK_OK(fiber_sleep(c, 10));
        }
        HAS(hear(c, s, NULL), "HTTP/1.1 408 Request Timeout\r\n");
        CHECK(clock_us() - start_us < 3000000);
}

/* ---- refusals ----------------------------------------------------------------------------------------------------- */

SERVER_TEST(what_is_not_a_request_gets_a_problem_and_the_end_of_the_connection)
{
        static const struct { const char *text; const char *status; } bad[] = {
                { "GET / HTTP/1.1\r\n\r\n",                                                     "400 Bad Request" },
                { "GET / HTTP/1.1\nHost: h\n\n",                                                "400 Bad Request" },
                { "\x16\x03\x01\x02\x00",                                                       "400 Bad Request" },
                { "GET / HT",                                                                   "400 Bad Request" },
                { "POST / HTTP/1.0\r\n\r\n",                                                    "411 Length Required" },
                { "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n",             "413 Content Too Large" },
                { "POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\nContent-Length: 1\r\n\r\n",       "417 Expectation Failed" },
                { "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",     "501 Not Implemented" },
                { "BREW / HTTP/1.1\r\nHost: h\r\n\r\n",                                         "501 Not Implemented" },
                { "GET / HTTP/3.0\r\nHost: h\r\n\r\n",                                          "505 HTTP Version Not Supported" },
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
                const char *got = talk(c, shop, bad[i].text);
                HAS(got, bad[i].status);
                HAS(got, "content-type: application/problem+json\r\n");
                HAS(got, "connection: close\r\n");
                char want[60];
                snprintf(want, sizeof want, "\"status\":%.3s,\"detail\":\"", bad[i].status);
                HAS(got, want);
                CHECK_EQ(count_of(got, "about:blank"), 1);
        }
        CHECK_EQ(shop->asked, 0);
        CHECK_EQ(server_stats(shop->s).refused, COUNT(bad));
}

SERVER_TEST(lines_and_headers_too_large_are_refused_before_they_end)
{
        struct buf ask AUTO(buf_done) = BUF_INIT(1 << 20);
        buf_lit(&ask, "GET /");
        for (int i = 0; i < 10000; i++) buf_char(&ask, 'a');
        struct sock *s AUTO(sock_close) = dial(c, shop);
        CHECK_OK(sock_write_str(c, s, buf_str(&ask)));
        HAS(hear(c, s, NULL), "414 URI Too Long");
        buf_clear(&ask);
        buf_lit(&ask, "GET / HTTP/1.1\r\nHost: h\r\n");
        for (int i = 0; i < 400; i++) buf_printf(&ask, "X-%d: %0100d\r\n", i, i);
        struct sock *s2 AUTO(sock_close) = dial(c, shop);
        CHECK_OK(sock_write_str(c, s2, buf_str(&ask)));
        HAS(hear(c, s2, NULL), "431 Request Header Fields Too Large");
}

SERVER_TEST(answers_before_a_bad_request_are_sent_with_its_refusal)
{
        const char *got = talk(c, shop, GETS("/1") GETS("/2") "GET / HTTP/1.1\r\n\r\n");
        HAS(got, "GET /1");
        HAS(got, "GET /2");
        HAS(got, "400 Bad Request");
}

SERVER_TEST_WITH(a_slow_head_gets_408_counted_from_its_first_byte, o.head_timeout_ms = 60)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        int64_t start_us = clock_us();
        for (int i = 0; i < 500 && server_stats(shop->s).refused == 0; i++) {
                say(c, s, "G");
                CHECK_OK(fiber_sleep(c, 10));
        }
        HAS(hear(c, s, NULL), "408 Request Timeout");
        CHECK(clock_us() - start_us < 3000000);
}

SERVER_TEST_WITH(an_idle_connection_is_closed_without_a_word, o.idle_timeout_ms = 30)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        assert_string_equal(hear(c, s, NULL), "");
        struct sock *s2 AUTO(sock_close) = dial(c, shop);
        say(c, s2, GETS("/a"));
        HAS(hear(c, s2, NULL), "GET /a");
}

SERVER_TEST_WITH(an_empty_line_after_a_body_does_not_start_the_heads_clock, (o.head_timeout_ms = 1, o.idle_timeout_ms = 40))
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\r\n");
        LACKS(hear(c, s, NULL), "408");
}

SERVER_TEST_WITH(connections_beyond_the_maximum_get_503, o.connections_max = 1)
{
        struct sock *first AUTO(sock_close) = dial(c, shop);
        say(c, first, GETS("/a"));
        hear(c, first, "GET /a");
        struct sock *second AUTO(sock_close) = dial(c, shop);
        const char *got = hear(c, second, NULL);
        HAS(got, "503 Service Unavailable");
        HAS(got, "retry-after: 1\r\n");
        say(c, first, GETS("/b"));
        hear(c, first, "GET /b");
        sock_close(&first);
        while (server_stats(shop->s).open) fiber_yield();
        HAS(talk(c, shop, GETS("/c")), "GET /c");
        CHECK_EQ(server_stats(shop->s).refused, 1);
}

/* ---- streams ------------------------------------------------------------------------------------------------------ */

SERVER_TEST(streams_are_chunked_and_the_connection_stays)
{
        const char *got = talk(c, shop, GETS("/stream") GETS("/a"));
        HAS(got, "transfer-encoding: chunked\r\ncontent-type: text/plain\r\n\r\n6\r\nfirst \r\n10\r\n0123456789abcdef\r\n0\r\n\r\nHTTP/1.1 200 OK");
        LACKS(got, "content-length: 0");
        HAS(got, "GET /a");
}

SERVER_TEST(streams_to_1_0_clients_end_with_the_connection)
{
        const char *got = talk(c, shop, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        HAS(got, "connection: close\r\ncontent-type: text/plain\r\n\r\nfirst 0123456789abcdef");
        LACKS(got, "transfer-encoding");
}

SERVER_TEST(streams_to_head_have_no_body_and_the_next_request_is_answered)
{
        const char *got = talk(c, shop, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n" GETS("/a"));
        LACKS(got, "first");
        HAS(got, "GET /a");
}

SERVER_TEST(a_stream_that_is_not_ended_is_cut_off)
{
        const char *got = talk(c, shop, GETS("/half") GETS("/a"));
        HAS(got, "first ");
        LACKS(got, "\r\n0\r\n");
        LACKS(got, "GET /a");
}

/* ---- leaving ------------------------------------------------------------------------------------------------------ */

SERVER_TEST(a_client_that_left_does_not_hold_its_connection)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, GETS("/block"));
        while (!shop->blocked) fiber_yield();
        sock_close(&s);
        fiber_wake(shop->blocked);
        while (server_stats(shop->s).open) fiber_yield();
        CHECK_EQ(server_stats(shop->s).busy, 0);
}

SERVER_TEST(draining_closes_the_idle_and_waits_for_the_busy)
{
        struct sock *idle AUTO(sock_close) = dial(c, shop), *busy AUTO(sock_close) = dial(c, shop);
        say(c, idle, GETS("/a"));
        hear(c, idle, "GET /a");
        say(c, busy, GETS("/yield"));                           /* come, but not read when the drain begins */
        server_drain(c, shop->s, 5000);
        assert_string_equal(hear(c, idle, NULL), "");
        const char *got = hear(c, busy, NULL);
        HAS(got, "GET /yield");
        HAS(got, "connection: close\r\n");
        CHECK_EQ(server_stats(shop->s).open, 0);
        struct sock *late = NULL;
        CHECK_EQ(sock_connect(c, STR("127.0.0.1"), shop->port, &late), -UNAVAILABLE);
}

static void wake_blocked(void *arg)
{
        struct shop *shop = arg;
        fiber_yield();
        fiber_wake(shop->blocked);
}

SERVER_TEST(a_request_under_way_is_answered_during_a_drain)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, GETS("/block"));
        while (!shop->blocked) fiber_yield();
        CHECK_OK(fiber_start("waker", wake_blocked, shop));
        server_drain(c, shop->s, 5000);
        const char *got = hear(c, s, NULL);
        HAS(got, "woken GET /block");
        HAS(got, "connection: close\r\n");
}

SERVER_TEST(what_outlasts_the_grace_is_cancelled)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, GETS("/block"));
        while (!shop->blocked) fiber_yield();
        server_drain(c, shop->s, 20);
        HAS(hear(c, s, NULL), "cancelled GET /block");
        CHECK_EQ(server_stats(shop->s).open, 0);
}
TEST_MAIN
