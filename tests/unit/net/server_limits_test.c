/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * server_limits_test.c - what the server does not put up with, and how it ends: refusals, time limits, clients that leave, draining. */
#include "net/talk.h"

/* ---- refusals ----------------------------------------------------------------------------------------------------- */

SERVER_TEST(what_is_not_a_request_gets_a_problem_and_the_end_of_the_connection)
{
        COUNTING(HTTP_BODY);
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
                CHECK_EQ(count_of(got, "\"type\":\"/docs#"), 1);
        }
        CHECK_EQ(shop->asked, 0);
        CHECK_EQ(server_stats(shop->s).refused, COUNT(bad));
        REACHED(HTTP_BODY);
}

SERVER_TEST(lines_and_headers_too_large_are_refused_before_they_end)
{
        COUNTING(HTTP_LINE);
        COUNTING(HTTP_HEADERS);
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
        REACHED(HTTP_LINE);
        REACHED(HTTP_HEADERS);
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
        COUNTING(HTTP_HEAD_TIME);
        struct sock *s AUTO(sock_close) = dial(c, shop);
        int64_t start_us = clock_us();
        for (int i = 0; i < 6000 && server_stats(shop->s).refused == 0; i++) {
                say(c, s, "G");
                CHECK_OK(fiber_sleep(c, 10));
        }
        HAS(hear(c, s, NULL), "408 Request Timeout");
        CHECK(clock_us() - start_us < 50000000);
        REACHED(HTTP_HEAD_TIME);
}

SERVER_TEST_WITH(an_idle_connection_is_closed_without_a_word, o.idle_timeout_ms = 500)
{
        COUNTING(HTTP_IDLE_TIME);
        struct sock *s AUTO(sock_close) = dial(c, shop);
        assert_string_equal(hear(c, s, NULL), "");
        struct sock *s2 AUTO(sock_close) = dial(c, shop);
        say(c, s2, GETS("/a"));
        HAS(hear(c, s2, NULL), "GET /a");
        REACHED(HTTP_IDLE_TIME);
}

SERVER_TEST_WITH(an_empty_line_after_a_body_does_not_start_the_heads_clock, (o.head_timeout_ms = 1, o.idle_timeout_ms = 40))
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        say(c, s, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\r\n");
        LACKS(hear(c, s, NULL), "408");
}

SERVER_TEST(a_refused_head_request_gets_no_body)
{
        static const char *const bad[] = { "HEAD / HTTP/1.1\r\n\r\n", "\r\nHEAD / HTTP/1.1\r\nHost: h\r\nX : y\r\n\r\n",
                                           "HEAD /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD / HTTP/1." };
        for (size_t i = 0; i < COUNT(bad); i++) {
                const char *got = talk(c, shop, bad[i]);
                HAS(got, "HTTP/1.1 400 Bad Request\r\n");
                LACKS(got, "content-length: 0\r\n");
                CHECK(str_ends(str_of(got), STR("\r\n\r\n")));
        }
}

SERVER_TEST(two_empty_lines_before_a_request_are_refused_wherever_they_are_cut)
{
        static const char *const pieces[][3] = { { "\r\n\r\n" GETS("/a"), "", "" }, { "\r\n", "\r\n" GETS("/a"), "" }, { "\r\n", "\r", "\n" GETS("/a") } };
        for (size_t i = 0; i < COUNT(pieces); i++) {
                struct sock *s AUTO(sock_close) = dial(c, shop);
                for (size_t k = 0; k < 3; k++) {
                        size_t before = server_stats(shop->s).bytes_in;
                        say(c, s, pieces[i][k]);
                        while (k < 2 && server_stats(shop->s).bytes_in < before + strlen(pieces[i][k])) fiber_yield();
                }
                HAS(hear(c, s, NULL), "400 Bad Request");
        }
        CHECK_EQ(shop->asked, 0);
        struct sock *s AUTO(sock_close) = dial(c, shop);
        for (int i = 0; i < 3; i++) {                           /* one is one each time */
                say(c, s, "\r\n");
                say(c, s, GETS("/a"));
                hear(c, s, "GET /a");
        }
}

/* ---- too many, too slow ---------------------------------------------------------------------------------------------- */

SERVER_TEST_WITH(connections_beyond_the_maximum_get_503_when_none_is_idle, o.connections_max = 1)
{
        COUNTING(HTTP_CONNECTIONS);
        struct sock *first AUTO(sock_close) = dial(c, shop);
        say(c, first, GETS("/block"));
        while (!shop->blocked) fiber_yield();
        struct sock *second AUTO(sock_close) = dial(c, shop);
        const char *got = hear(c, second, NULL);
        HAS(got, "503 Service Unavailable");
        HAS(got, "retry-after: 1\r\n");
        fiber_wake(shop->blocked);
        hear(c, first, "woken GET /block");
        sock_close(&first);
        while (server_stats(shop->s).open) fiber_yield();
        HAS(talk(c, shop, GETS("/c")), "GET /c");
        CHECK_EQ(server_stats(shop->s).refused, 1);
        REACHED(HTTP_CONNECTIONS);
}

SERVER_TEST_WITH(connections_far_beyond_the_maximum_are_closed_without_a_word, o.connections_max = 1)
{
        enum { TOLD = 64 };             /* REFUSALS_MAX */
        struct sock *s[TOLD + 2] = { NULL };
        COUNTING(HTTP_REFUSALS);
        for (int i = 0; i < TOLD + 2; i++) {
                s[i] = dial(c, shop);
                if (i == 0) say(c, s[i], GETS("/block"));
                while (server_stats(shop->s).accepted <= (uint64_t)i || !shop->blocked) fiber_yield();
        }
        const char *got = hear(c, s[TOLD + 1], NULL);
        CHECK(!*got || strcmp(got, "(reset)") == 0);
        REACHED(HTTP_REFUSALS);
        for (int i = 0; i < TOLD + 2; i++) sock_close(&s[i]);
}

SERVER_TEST(more_desks_than_are_kept_are_given_back)
{
        enum { MANY = 70 };             /* DESKS_KEPT is 64 */
        struct sock *s[MANY] = { NULL };
        COUNTING(HTTP_DESKS);
        for (int i = 0; i < MANY; i++) {
                s[i] = dial(c, shop);
                say(c, s[i], "GET");    /* half a request line: a desk is at work on it */
        }
        while (server_stats(shop->s).bytes_in < 3 * MANY) fiber_yield();
        for (int i = 0; i < MANY; i++) sock_close(&s[i]);
        while (server_stats(shop->s).open) fiber_yield();
        REACHED(HTTP_DESKS);
}

SERVER_TEST_WITH(a_client_that_does_not_read_is_given_up, (o.write_timeout_ms = 40, o.arena_max = 64 << 20))
{
        struct sock *s AUTO(sock_close) = dial(c, shop);
        COUNTING(HTTP_WRITE_TIME);
        for (int i = 0; server_stats(shop->s).open && i < 400; i++)     /* 0.4 MB each, until the sockets' buffers are full */
                if (sock_write_str(c, s, STR(GETS("/huge"))) < 0) break;
        while (server_stats(shop->s).open) CHECK_OK(fiber_sleep(c, 5));
        REACHED(HTTP_WRITE_TIME);
}

SERVER_TEST_WITH(a_newcomer_takes_the_place_of_the_longest_idle, o.connections_max = 3)
{
        COUNTING(HTTP_PLACES);
        struct sock *oldest AUTO(sock_close) = dial(c, shop), *busy AUTO(sock_close) = dial(c, shop), *newer AUTO(sock_close) = dial(c, shop);
        say(c, busy, GETS("/block"));
        while (!shop->blocked) fiber_yield();
        say(c, oldest, GETS("/a"));
        hear(c, oldest, "GET /a");
        say(c, newer, GETS("/b"));
        hear(c, newer, "GET /b");
        struct sock *newcomer AUTO(sock_close) = dial(c, shop);
        say(c, newcomer, GETS("/c"));
        hear(c, newcomer, "GET /c");
        assert_string_equal(hear(c, oldest, NULL), "");
        say(c, newer, GETS("/d"));
        hear(c, newer, "GET /d");
        fiber_wake(shop->blocked);
        hear(c, busy, "woken GET /block");
        REACHED(HTTP_PLACES);
        CHECK_EQ(server_stats(shop->s).refused, 0);
        CHECK_EQ(server_stats(shop->s).open, 3);
}

SERVER_TEST_WITH(idle_connections_without_end_do_not_lock_others_out, o.connections_max = 5)
{
        struct sock *idle[200] = { 0 };
        for (size_t i = 0; i < COUNT(idle); i++) {
                idle[i] = dial(c, shop);
                if (i % 20 == 19) HAS(talk(c, shop, GETS("/a")), "GET /a");
                CHECK(server_stats(shop->s).open <= 6);         /* one may still be on its way out */
        }
        for (size_t i = 0; i < COUNT(idle); i++) sock_close(&idle[i]);
        CHECK_EQ(server_stats(shop->s).refused, 0);
}

enum { CROWD = 24 };

/* Whoever is cut off sees an end or a reset and no answer. returns how many of the crowd that were */
static int count_cut_off(struct ctx *c, struct sock **crowd, int n)
{
        int cut = 0;
        for (int i = 0; i < n; i++) {
                const char *got = hear(c, crowd[i], NULL);
                cut += !*got || !strcmp(got, "(reset)");
                sock_close(&crowd[i]);
        }
        return cut;
}

SERVER_TEST_WITH(slow_heads_hold_no_more_than_the_maximum_and_the_longest_waiting_go, o.waiting_max = 300000)
{
        COUNTING(HTTP_WAITING);
        struct sock *crowd[CROWD] = { 0 };
        static char part[20001];
        memset(part, 'a', sizeof part - 1);
        for (int i = 0; i < CROWD; i++) {
                size_t before = server_stats(shop->s).bytes_in;
                crowd[i] = dial(c, shop);
                say(c, crowd[i], "GET / HTTP/1.1\r\nHost: h\r\n");
                for (int k = 0; k < 3; k++) {
                        say(c, crowd[i], "X: ");
                        CHECK_OK(sock_write_str(c, crowd[i], (str){ part, 6000 }));
                        say(c, crowd[i], "\r\n");
                }
                while (server_stats(shop->s).bytes_in < before + 18000) fiber_yield();
                CHECK(server_stats(shop->s).waiting_bytes <= 300000);
        }
        REACHED(HTTP_WAITING);
        CHECK(server_stats(shop->s).open < CROWD - CROWD / 3);
        say(c, crowd[CROWD - 1], "\r\n");                       /* the last one was not yet the longest */
        hear(c, crowd[CROWD - 1], "GET /");
        HAS(talk(c, shop, GETS("/a")), "GET /a");
        CHECK_EQ(count_cut_off(c, crowd, 3), 3);
        for (int i = 3; i < CROWD; i++) sock_close(&crowd[i]);
        while (server_stats(shop->s).open) fiber_yield();
        CHECK_EQ(server_stats(shop->s).waiting_bytes, 0);
}

SERVER_TEST_WITH(slow_uploads_hold_no_more_than_the_maximum, o.waiting_max = 1000000)
{
        struct sock *crowd[CROWD] = { 0 };
        static char part[100000];
        for (int i = 0; i < CROWD; i++) {
                size_t before = server_stats(shop->s).bytes_in;
                crowd[i] = dial(c, shop);
                say(c, crowd[i], "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 150000\r\n\r\n");
                CHECK_OK(sock_write_str(c, crowd[i], (str){ part, sizeof part }));
                while (server_stats(shop->s).bytes_in < before + sizeof part) fiber_yield();
                CHECK(server_stats(shop->s).waiting_bytes <= 1000000);
        }
        CHECK(server_stats(shop->s).open < CROWD - CROWD / 3);
        CHECK_EQ(count_cut_off(c, crowd, 3), 3);
        CHECK_OK(sock_write_str(c, crowd[CROWD - 1], (str){ part, 50000 }));
        char begin[16] = { 0 };
        CHECK(sock_read(c, crowd[CROWD - 1], begin, 15) > 0);
        CHECK(!strncmp(begin, "HTTP/1.1 200 OK", 15));
        for (int i = 3; i < CROWD; i++) sock_close(&crowd[i]);
        while (server_stats(shop->s).open) fiber_yield();
        CHECK_EQ(server_stats(shop->s).waiting_bytes, 0);
}

SERVER_TEST_WITH(answers_that_nobody_reads_hold_no_more_than_the_maximum, (o.waiting_max = 2000000, o.connections_max = CROWD + 4))
{
        struct sock *crowd[CROWD] = { 0 };
        struct buf ask AUTO(buf_done) = BUF_INIT(1 << 20);
        for (int i = 0; i < 200; i++) buf_lit(&ask, GETS("/big"));             /* 20 MB of answers, more than the kernel keeps */
        for (int i = 0; i < CROWD; i++) {
                uint64_t before = server_stats(shop->s).bytes_out;
                crowd[i] = dial(c, shop);
                CHECK_OK(sock_write_str(c, crowd[i], buf_str(&ask)));
                while (server_stats(shop->s).bytes_out == before) fiber_yield();
                for (uint64_t last = 0; last != server_stats(shop->s).bytes_out;) {     /* until it is stuck */
                        last = server_stats(shop->s).bytes_out;
                        for (int k = 0; k < 20; k++) fiber_yield();
                }
                CHECK(server_stats(shop->s).waiting_bytes <= 2000000);
                HAS(talk(c, shop, GETS("/a")), "GET /a");
        }
        CHECK(server_stats(shop->s).open < CROWD);
        for (int i = 0; i < CROWD; i++) sock_close(&crowd[i]);
        while (server_stats(shop->s).open) fiber_yield();
        CHECK_EQ(server_stats(shop->s).waiting_bytes, 0);
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

/* Both sides share the thread: what is missing may be the client's, who then is refused, or the server's, whose answer is whole or none. */
SERVER_TEST(the_want_of_any_piece_of_memory_costs_one_connection_at_most)
{
        static const char asks[] = "GET /many HTTP/1.1\r\nHost: h\r\n\r\n"
                                   "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        int whole = 0, cut = 0;
        for (long n = 1; whole == 0 || n < 60; n++) {
                struct sock *s AUTO(sock_close) = NULL;
                struct buf got AUTO(buf_done) = BUF_INIT(1 << 20);
                char piece[4096];
                arena_reset(c->arena);
                fault_clear(c);
                alloc_fail_after(n);
                ptrdiff_t r = sock_connect(c, STR("127.0.0.1"), shop->port, &s);
                if (r == 0) r = sock_write_str(c, s, STR(asks));
                while (r >= 0 && (r = sock_read(c, s, piece, sizeof piece)) > 0) {
                        bool failed = alloc_failed();
                        if (failed) alloc_fail_after(0);
                        buf_add(&got, (str){ piece, (size_t)r });
                }
                alloc_fail_after(0);
                CHECK(r != -DEADLINE_EXCEEDED);
                bool all = str_ends(buf_str(&got), STR("hello"));
                whole += all;
                cut += !all;
                sock_close(&s);
                while (server_stats(shop->s).open) fiber_yield();
        }
        CHECK(cut > 3);
        CHECK_EQ(server_stats(shop->s).busy, 0);
        HAS(talk(c, shop, GETS("/after")), "GET /after");
}
TEST_MAIN
