/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * server_test.c - what the server answers: whole and streamed answers, pipelines, bodies of requests. Refusals are in server_limits_test.c.
 *
 * writev() and send() are this program's own, so that tests can count how many writes carried answers. */
#include "net/talk.h"
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int answer_writes;

static bool is_answer(const void *p, size_t n) { return n >= 5 && !memcmp(p, "HTTP/", 5); }

ssize_t send(int fd, const void *p, size_t n, int flags)
{
        answer_writes += is_answer(p, n);
        return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
        for (int i = 0; i < n; i++) {
                if (!v[i].iov_len) continue;
                answer_writes += is_answer(v[i].iov_base, v[i].iov_len);
                break;
        }
        return syscall(SYS_writev, fd, v, n);
}

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

SERVER_TEST(answers_before_a_request_whose_handler_waits_do_not_wait_with_it)
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        answer_writes = 0;
        say(c, s, GETS("/1") GETS("/2") GETS("/block") GETS("/3"));
        HAS(hear(c, s, "GET /2"), "GET /1");
        CHECK(shop->blocked != NULL);
        fiber_wake(shop->blocked);
        HAS(hear(c, s, "GET /3"), "woken GET /block");
        say(c, s, GETS("/1") GETS("/stream"));                  /* a handler that writes by itself */
        HAS(hear(c, s, "\r\n0\r\n\r\n"), "GET /1HTTP/1.1 200 OK");
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

SERVER_TEST(an_answer_beyond_the_limit_becomes_500_and_beyond_the_memory_429)
{
        COUNTING(HTTP_ANSWER);
        HAS(talk(c, shop, GETS("/huge")), "HTTP/1.1 500 Internal Server Error\r\n");
        REACHED(HTTP_ANSWER);
        const char *got = talk(c, shop, GETS("/full") GETS("/a"));      /* its fields alone are more than a request's memory */
        HAS(got, "HTTP/1.1 429 Too Many Requests\r\n");
        HAS(got, "retry-after: 1\r\n");
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

SERVER_TEST(a_body_over_what_the_handler_takes_is_refused_before_it_is_read)
{
        COUNTING(HTTP_BODY);
        shop->body_max = 10;
        const char *got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n3\r\n");        /* nothing of the 3 came */
        HAS(got, "HTTP/1.1 413 Content Too Large\r\n");
        HAS(got, "connection: close\r\n");
        got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n1");
        HAS(got, "HTTP/1.1 413 Content Too Large\r\n");
        got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n2\r\n90\r\n0\r\n\r\n" GETS("/a"));
        HAS(got, "1234567890");
        HAS(got, "GET /a");
        REACHED(HTTP_BODY);
}

SERVER_TEST(broken_and_oversized_chunked_bodies_fail_the_read_and_close)
{
        COUNTING(HTTP_BODY);
        const char *got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" GETS("/a"));
        HAS(got, "HTTP/1.1 400 Bad Request\r\n");
        HAS(got, "connection: close\r\n");
        LACKS(got, "GET /a");
        CHECK_EQ(shop->body_result, -INVALID_ARGUMENT);
        got = talk(c, shop, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" GETS("/a"));
        HAS(got, "HTTP/1.1 413 Content Too Large\r\n");
        LACKS(got, "GET /a");
        REACHED(HTTP_BODY);
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
        COUNTING(HTTP_BODY_TIME);
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
        const char *got = hear(c, s, NULL);
        HAS(got, "HTTP/1.1 408 Request Timeout\r\n");
        HAS(got, "connection: close\r\n");
        CHECK_EQ(shop->body_result, -INVALID_ARGUMENT);
        CHECK_EQ(shop->body_http, 408);
        REACHED(HTTP_BODY_TIME);
}

SERVER_TEST_WITH(bytes_buy_time_at_the_least_rate_only, (o.body_timeout_ms = 60, o.body_min_bytes_per_s = 1000000))
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        int64_t start_us = clock_us();
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; shop->body_result == 0 && i < 6000; i++) {      /* a drip that would go on for a minute */
                say(c, s, "1\r\nx\r\n");
                CHECK_OK(fiber_sleep(c, 10));
        }
        HAS(hear(c, s, NULL), "HTTP/1.1 408 Request Timeout\r\n");
        CHECK(clock_us() - start_us < 50000000);
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
TEST_MAIN
