/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1_test.c - the parser on messages good and bad: each whole, a byte at a time, and cut at every place, always with one result.
 *
 * The vectors of ../shared/data are in http1_vectors_test.c. */
#include "test.h"
#include "net/http1_replay.h"

static struct arena *arena;
static struct buf whole = BUF_INIT(1 << 20), other = BUF_INIT(1 << 20);

static struct replay replay_of(bool answer, enum method method, const struct http1_limits *limits, struct buf *out)
{
        if (!arena) arena = arena_new(1 << 20);
        buf_clear(out);
        return (struct replay){ .answer = answer, .method = method, .limits = *limits, .arena = arena, .out = out };
}

static void same(str stream, const char *how, size_t cut)
{
        CHECK_OK(buf_error(&other));
        if (!str_eq(buf_str(&whole), buf_str(&other)))
                cm_fail_msg("%s (%zu) of:\n%.*s\ngives:\n%.*s\ninstead of:\n%.*s", how, cut, STR_ARG(stream), STR_ARG(buf_str(&other)), STR_ARG(buf_str(&whole)));
}

/* Reads the stream in every way; the transcript of reading it whole is left in `whole`. returns the error's status or 0 */
static int read_every_way(str stream, bool answer, enum method method, const struct http1_limits *limits)
{
        struct replay r = replay_of(answer, method, limits, &whole);
        replay_feed(&r, stream, stream.n);
        replay_end(&r);
        int status = r.status;
        r = replay_of(answer, method, limits, &other);
        for (size_t i = 1; i <= stream.n; i++) replay_feed(&r, stream, i);
        replay_end(&r);
        same(stream, "a byte at a time", 0);
        for (size_t cut = 1; cut < stream.n; cut += stream.n > 2000 ? 97 : 1) {
                r = replay_of(answer, method, limits, &other);
                replay_feed(&r, stream, cut);
                replay_feed(&r, stream, stream.n);
                replay_end(&r);
                same(stream, "cut", cut);
        }
        return status;
}

static int request(const char *stream) { return read_every_way(str_of(stream), false, GET, &http1_defaults); }
static int answer_to(enum method m, const char *stream) { return read_every_way(str_of(stream), true, m, &http1_defaults); }
static int answer(const char *stream) { return answer_to(GET, stream); }

static bool saw(const char *text)
{
        buf_char(&whole, 0);
        bool there = strstr(whole.p + whole.start, text) != NULL;
        whole.n--;
        return there;
}
#define SAW(text) do { if (!saw(text)) cm_fail_msg("not in the transcript: %s\n%.*s", text, STR_ARG(buf_str(&whole))); } while (0)

/* ---- requests ------------------------------------------------------------------------------------------------------ */

TEST(a_plain_get_is_read)
{
        CHECK_EQ(request("GET /a/b?c=d&e HTTP/1.1\r\nHost: shop.example:8080\r\nAccept:\t*/* \r\nX-Empty:\r\n\r\n"), 0);
        SAW("0 GET [/a/b?c=d&e] path=/a/b query=c=d&e host=shop.example:8080 v=11 keep=1 expect=0 chunked=0 length=0 end=0\n");
        SAW("accept: */*\nx-empty: \n");
        SAW("whole");
}

TEST(a_query_may_be_absent_or_empty)
{
        request("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
        SAW("path=/a query=- ");
        request("GET /a? HTTP/1.1\r\nHost: h\r\n\r\n");
        SAW("path=/a query= ");
        request("GET /a?b?c HTTP/1.1\r\nHost: h\r\n\r\n");
        SAW("path=/a query=b?c ");
}

TEST(pipelined_requests_follow_each_other)
{
        CHECK_EQ(request("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
                         "PUT /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n0\r\n\r\nDELETE /4 HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
        SAW("POST [/1]");
        SAW("body=abc\nwhole\n0 GET [/2]");
        SAW("body=foo\nwhole\n0 DELETE [/4]");
}

TEST(one_empty_line_before_a_request_is_skipped_and_two_are_not)
{
        CHECK_EQ(request("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
        SAW("whole");
        CHECK_EQ(request("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
}

TEST(a_head_that_is_not_whole_asks_for_more)
{
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: h\r\n"), 0);
        SAW("more");
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabc"), 0);
        SAW("body=abc\nmore of the body");
}

TEST(whether_another_message_follows_depends_on_version_and_connection)
{
        request("GET / HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\n");
        SAW("keep=0");
        request("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, keep-alive , CLOSE\r\n\r\n");
        SAW("keep=0");
        request("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n");
        SAW("keep=0");
        request("GET / HTTP/1.0\r\n\r\n");
        SAW("v=10 keep=0");
        request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        SAW("v=10 keep=1");
        request("GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n");
        SAW("keep=1");
}

TEST(a_higher_minor_version_is_read_as_1_1_and_another_major_is_refused)
{
        CHECK_EQ(request("GET / HTTP/1.7\r\nHost: h\r\n\r\n"), 0);
        SAW("v=11");
        CHECK_EQ(request("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
        CHECK_EQ(request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
        CHECK_EQ(request("GET / HTTP/0.9\r\n\r\n"), 505);
        CHECK_EQ(request("GET / http/1.1\r\nHost: h\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1\r\nHost: h\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.10\r\nHost: h\r\n\r\n"), 400);
        CHECK_EQ(request("GET /\r\nHost: h\r\n\r\n"), 400);
}

TEST(request_lines_are_three_words_with_one_blank_between)
{
        static const char *bad[] = { "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET / x HTTP/1.1",
                                     "GET", "GET ", "GET HTTP/1.1", "G@T / HTTP/1.1", "GET / HTTP/1.1\rX", "\x16\x03\x01\x02" };
        for (size_t i = 0; i < COUNT(bad); i++) {
                char text[100];
                snprintf(text, sizeof text, "%s\r\nHost: h\r\n\r\n", bad[i]);
                int status = request(text);
                if (status != 400) cm_fail_msg("%s gives %d", bad[i], status);
        }
}

TEST(bytes_that_cannot_begin_a_request_are_refused_before_a_line_is_there)
{
        CHECK_EQ(request("\x16\x03\x01"), 400);
        CHECK_EQ(request("\n"), 400);
        CHECK_EQ(request("\rG"), 400);
}

TEST(unknown_methods_get_501_once_the_message_is_sound)
{
        CHECK_EQ(request("BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n"), 501);
        CHECK_EQ(request("get / HTTP/1.1\r\nHost: h\r\n\r\n"), 501);
        CHECK_EQ(request("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"), 501);
        CHECK_EQ(request("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n"), 501);
        CHECK_EQ(request("BREW /pot HTTP/1.1\r\n\r\n"), 400);
}

TEST(targets_are_a_path_a_star_for_options_or_an_http_url)
{
        CHECK_EQ(request("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
        SAW("path=* ");
        CHECK_EQ(request("GET * HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
        CHECK_EQ(request("GET HTTP://Shop.example/x?y HTTP/1.1\r\nHost: shop.example\r\n\r\n"), 0);
        SAW("path=/x query=y host=Shop.example ");
        CHECK_EQ(request("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
        SAW("path=/ query=q ");
        CHECK_EQ(request("GET http://h HTTP/1.0\r\n\r\n"), 0);
        SAW("path=/ query=- host=h ");
        static const char *bad[] = { "x", "ftp://h/", "http://", "http:///x", "//h", "http://u@h/", "/a#b", "/a\\b", "/\x80", "/\x7f", "h:80" };
        for (size_t i = 0; i < COUNT(bad); i++) {
                char text[100];
                snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", bad[i]);
                int status = request(text);
                if (strcmp(bad[i], "//h") ? status != 400 : status != 0) cm_fail_msg("%s gives %d", bad[i], status);
        }
}

TEST(host_is_needed_once_and_must_agree_with_the_target)
{
        CHECK_EQ(request("GET / HTTP/1.1\r\nX: y\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: a:x\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), 0);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"), 400);
        CHECK_EQ(request("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), 400);
        CHECK_EQ(request("GET http://a/ HTTP/1.1\r\n\r\n"), 400);
        CHECK_EQ(request("GET / HTTP/1.0\r\n\r\n"), 0);
}

/* ---- what smuggles --------------------------------------------------------------------------------------------------- */

TEST(shapes_that_two_servers_may_read_differently_are_refused)
{
        static const char *bad[] = {
                "Content-Length: 3\r\nContent-Length: 3",       "Content-Length: 3\r\nContent-Length: 4",
                "Content-Length: 3, 3",                         "Content-Length: +3",
                "Content-Length: -3",                           "Content-Length: 0x3",
                "Content-Length: 3 3",                          "Content-Length:",
                "Content-Length: 3\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3",
                "Transfer-Encoding: chunked, chunked",          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: chunked, gzip",             "Transfer-Encoding: gzip",
                "Transfer-Encoding: identity",                  "Transfer-Encoding: xchunked",
                "Transfer-Encoding: chunkedx",                  "Transfer-Encoding: chunked;q=1",
                "Transfer-Encoding: \"chunked\"",               "Transfer-Encoding:",
                "Transfer-Encoding: chunked,",                  ("Transfer-Encoding:\x0b" "chunked"),
                "Transfer-Encoding : chunked",                  "Transfer-Encoding\t: chunked",
                "Transfer-Encoding\r\n: chunked",               "X: y\r\n Transfer-Encoding: chunked",
                "X: y\r\n\tz",                                  "X: y\nContent-Length: 3",
                "X: y\rContent-Length: 3",                      "X: \x01",
                "X: \x7f",                                      ": y",
                "X y",                                          "X",
                "X(: y",                                        "X\x80: y",
                "\rX: y",                                       "Content Length: 3",
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
                char text[200];
                snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\nabc", bad[i]);
                int status = request(text);
                if (status != 400) cm_fail_msg("%s gives %d", bad[i], status);
                CHECK(!saw("whole"));
        }
}

TEST(a_nul_anywhere_in_the_head_is_refused)
{
        CHECK_EQ(read_every_way(STR("GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"), false, GET, &http1_defaults), 400);
        CHECK_EQ(read_every_way(STR("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"), false, GET, &http1_defaults), 400);
        CHECK_EQ(read_every_way(STR("GET / HTTP/1.1\r\nHost: h\r\nX\0: a\r\n\r\n"), false, GET, &http1_defaults), 400);
        CHECK_EQ(read_every_way(STR("GET / HTTP/1.1\r\nHost: [:\0:]\r\n\r\n"), false, GET, &http1_defaults), 400);
}

TEST(a_bare_lf_is_refused_as_soon_as_it_is_seen)
{
        CHECK_EQ(request("GET / HTTP/1.1\nHost"), 400);
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: h\r\n\n"), 400);
}

TEST(values_keep_their_inner_blanks_tabs_and_bytes_above_ascii)
{
        CHECK_EQ(request("GET / HTTP/1.1\r\nHost: h\r\nX:  a\tb  c\xc3\xa4\xff 12345678\t9 \t\r\n\r\n"), 0);
        SAW("x: a\tb  c\xc3\xa4\xff 12345678\t9\n");
}

TEST(a_transfer_coding_beside_chunked_gets_501_and_any_in_1_0_gets_400)
{
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501);
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
        CHECK_EQ(request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"), 0);
        SAW("chunked=1 length=-1");
        SAW("whole");
}

TEST(a_1_0_upload_without_a_length_gets_411_and_a_1_1_request_without_one_has_no_body)
{
        CHECK_EQ(request("POST / HTTP/1.0\r\n\r\n"), 411);
        CHECK_EQ(request("PUT / HTTP/1.0\r\n\r\n"), 411);
        CHECK_EQ(request("POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n"), 0);
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
        SAW("length=0 end=0\nhost: h\nbody=\nwhole\n0 GET");
}

TEST(expectations_other_than_100_continue_get_417)
{
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n"), 0);
        SAW("expect=1");
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"), 0);
        SAW("expect=0");
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n"), 417);
        CHECK_EQ(request("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), 0);
        SAW("expect=0");
}

/* ---- limits ------------------------------------------------------------------------------------------------------------ */

static const struct http1_limits small = { .line_max = 40, .headers_max_bytes = 60, .headers_max = 3, .body_max = 10 };

static int limited(const char *stream) { return read_every_way(str_of(stream), false, GET, &small); }

TEST(a_request_line_of_the_limit_passes_and_one_more_gets_414)
{
        CHECK_EQ(limited("GET /00000000000000000000000000 HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
        CHECK_EQ(limited("GET /000000000000000000000000000 HTTP/1.1\r\nHost: h\r\n\r\n"), 414);
        CHECK_EQ(limited("GET /000000000000000000000000000000000000"), 0);
        CHECK_EQ(limited("GET /0000000000000000000000000000000000000"), 414);
        CHECK_EQ(limited("GET /000000000000000000000000000000000000\n"), 400);
}

TEST(header_lines_bytes_and_numbers_beyond_the_limits_get_431)
{
        CHECK_EQ(limited("GET / HTTP/1.1\r\nHost: h\r\nX: 0000000000000000000000000000000000000\r\n\r\n"), 0);
        CHECK_EQ(limited("GET / HTTP/1.1\r\nHost: h\r\nX: 00000000000000000000000000000000000000\r\n\r\n"), 431);
        CHECK_EQ(limited("GET / HTTP/1.1\r\nHost: h\r\nX: 0000000000000000000000\r\nX: 00000000000000000\r\n\r\n"), 0);
        CHECK_EQ(limited("GET / HTTP/1.1\r\nHost: h\r\nX: 0000000000000000000000\r\nX: 000000000000000000\r\n\r\n"), 431);
        CHECK_EQ(limited("GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\nX: 2\r\n\r\n"), 0);
        CHECK_EQ(limited("GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\nX: 2\r\nX: 3\r\n\r\n"), 431);
}

TEST(a_length_beyond_the_limit_gets_413_however_large)
{
        CHECK_EQ(limited("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789"), 0);
        CHECK_EQ(limited("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"), 413);
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999999999999\r\n\r\n"), 413);
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551617\r\n\r\n"), 413);
        CHECK_EQ(request("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0000000000000000000003\r\n\r\nabc"), 0);
        SAW("body=abc\nwhole");
}

TEST(a_default_head_may_be_large_but_not_larger)
{
        static char text[60000];
        int n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\n");
        for (int i = 0; i < 60; i++) n += snprintf(text + n, sizeof text - (size_t)n, "X-Field-%02d: %0500d\r\n", i, i);
        snprintf(text + n, sizeof text - (size_t)n, "\r\n");
        CHECK_EQ(request(text), 0);
        SAW("whole");
        snprintf(text + n, sizeof text - (size_t)n, "Y: %02000d\r\n\r\n", 1);
        CHECK_EQ(request(text), 431);
}

TEST(running_out_of_memory_is_an_answer_not_a_crash)
{
        struct http1_head head;
        const char *why = NULL;
        str in = STR("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n");
        struct arena *a = arena_new(1 << 16);
        for (long n = 1; n <= 2; n++) {
                size_t from = 0;
                alloc_fail_after(n);
                CHECK_EQ(http1_request(a, &http1_defaults, in, &from, &head, &why), -431);
                arena_reset(a);
        }
        alloc_fail_after(0);
        size_t from = 0;
        CHECK_EQ(http1_request(a, &http1_defaults, in, &from, &head, &why), in.n);
        arena_free(a);
}

/* ---- chunks -------------------------------------------------------------------------------------------------------------- */

#define CHUNKED "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

TEST(chunks_extensions_and_trailers_are_read)
{
        CHECK_EQ(request(CHUNKED "5\r\nhello\r\n6;a;b=c;d=\"e \\\" \xc3\xa4\"\r\n world\r\n000\r\nVary: *\r\nX:\r\n\r\n"), 0);
        SAW("body=hello world\nwhole");
        CHECK_EQ(request(CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0;x\r\n\r\n"), 0);
        SAW("body=01234567890123456789\nwhole");
        CHECK_EQ(request(CHUNKED "5\r\nhel"), 0);
        SAW("body=hel\nmore of the body");
}

TEST(malformed_chunks_are_refused)
{
        static const char *bad[] = {
                "\r\n", "g\r\n", "-1\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 \r\na\r\n", "1\na\r\n", "1\r\nab\r\n", "1\r\na\n", "1\r\na\rb",
                "1;\r\na\r\n", "1; a\r\na\r\n", "1;a =b\r\na\r\n", "1;a=\r\n", "1;a=\"b\r\n", "1;a=\"b\"c\r\n", "1;a=\"\x01\"\r\n", "1;=b\r\n", "1;a==\r\n",
                "1\rx", "0\r\nX\r\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\nX: \x01\r\n\r\n", "0\r\nX: y\n\r\n", "0\r\n\n", "0\r\nX: y\r\n\rz", "0\r\nX: y\rz",
                "00000000000000001\r\na\r\n", "3\r\nfoo\r\n\r\n",
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
                char text[200];
                snprintf(text, sizeof text, CHUNKED "%s", bad[i]);
                int status = request(text);
                if (status != 400) cm_fail_msg("%s gives %d", bad[i], status);
                CHECK(!saw("whole"));
        }
}

TEST(chunks_beyond_the_bodys_limit_get_413)
{
        struct http1_limits l = http1_defaults;
        l.body_max = 10;
        CHECK_EQ(read_every_way(STR(CHUNKED "5\r\n12345\r\n5\r\n67890\r\n0\r\n\r\n"), false, GET, &l), 0);
        CHECK_EQ(read_every_way(STR(CHUNKED "5\r\n12345\r\n6\r\n67890"), false, GET, &l), 413);
        CHECK_EQ(read_every_way(STR(CHUNKED "b\r\n"), false, GET, &l), 413);
        CHECK_EQ(request(CHUNKED "ffffffffffffffff\r\n"), 413);
        l.body_max = SIZE_MAX;
        CHECK_EQ(read_every_way(STR(CHUNKED "ffffffffffffffff\r\n"), false, GET, &l), 413);
        CHECK_EQ(read_every_way(STR(CHUNKED "7fffffffffffffff\r\n"), false, GET, &l), 413);
}

TEST(extensions_and_trailers_are_bounded_over_the_whole_body)
{
        static char text[40000];
        int n = snprintf(text, sizeof text, CHUNKED);
        for (int i = 0; i < 300; i++) n += snprintf(text + n, sizeof text - (size_t)n, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n");
        snprintf(text + n, sizeof text - (size_t)n, "0\r\n\r\n");
        CHECK_EQ(request(text), 400);
        n = snprintf(text, sizeof text, CHUNKED "0\r\n");
        for (int i = 0; i < 300; i++) n += snprintf(text + n, sizeof text - (size_t)n, "aaaaaaaaaaaaaaaaaaa: bbbbbbbbbbbbbbbbbbb\r\n");
        snprintf(text + n, sizeof text - (size_t)n, "\r\n");
        CHECK_EQ(request(text), 431);
}

/* ---- answers --------------------------------------------------------------------------------------------------------------- */

TEST(answers_end_by_length_chunks_or_the_connection)
{
        CHECK_EQ(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), 0);
        SAW("200  []");
        SAW("body=hi\nwhole\n404");
        CHECK_EQ(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), 0);
        SAW("body=hi\nwhole");
        CHECK_EQ(answer("HTTP/1.0 200 OK\r\n\r\nhi there"), 0);
        SAW("keep=0 expect=0 chunked=0 length=-1 end=1");
        SAW("body=hi there\nmore of the body");
}

TEST(answers_without_a_body_are_known_by_status_and_method)
{
        CHECK_EQ(answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"), 0);
        SAW("100");
        SAW("204");
        SAW("304");
        CHECK_EQ(answer_to(HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), 0);
        SAW("length=0");
        SAW("whole");
}

TEST(an_answer_to_the_end_of_the_connection_is_bounded)
{
        struct http1_limits l = http1_defaults;
        l.body_max = 5;
        CHECK_EQ(read_every_way(STR("HTTP/1.1 200 OK\r\n\r\n12345"), true, GET, &l), 0);
        CHECK_EQ(read_every_way(STR("HTTP/1.1 200 OK\r\n\r\n123456"), true, GET, &l), 413);
}

TEST(a_reason_may_be_absent_or_hold_anything_printable)
{
        CHECK_EQ(answer("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 0);
        CHECK_EQ(answer("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), 0);
        CHECK_EQ(answer("HTTP/1.1 200 Gr\xc3\xbc\xc3\x9f\x65!\r\nContent-Length: 0\r\n\r\n"), 0);
        SAW("whole");
}

TEST(malformed_answers_are_all_502)
{
        static const char *bad[] = {
                "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1\r\n\r\n",
                "ICY 200 OK\r\n\r\n", "HTTP/1.1 200 O\rK\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "x",
        };
        for (size_t i = 0; i < COUNT(bad); i++) {
                int status = answer(bad[i]);
                if (status != 502) cm_fail_msg("%s gives %d", bad[i], status);
        }
}
TEST_MAIN
