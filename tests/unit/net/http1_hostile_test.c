/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1_hostile_test.c - requests made to be read twice: every byte at every place, and streams drawn from what has fooled servers before.
 *
 * The rule behind all of it: what the parser takes, every reader of net/http1_readers.h must end at the same byte. */
#include "test.h"
#include "http1.h"
#include "net/http1_readers.h"

static struct arena *arena;

/* The first request of the stream. returns where it ends, 0 when it does not, or minus the status of its refusal */
static ptrdiff_t first_end(str in, struct http1_head *h, const char **why)
{
        struct http1_body b;
        size_t from = 0, at = 0;
        if (!arena) arena = arena_new(1 << 20);
        arena_reset(arena);
        ptrdiff_t n = http1_request(arena, &http1_defaults, in, &from, h, why);
        if (n <= 0) return n;
        http1_body_start(&b, h, &http1_defaults);
        for (at = (size_t)n; !b.done; at += (size_t)n) {
                str piece;
                n = http1_body_next(&b, str_cut(in, at, in.n), &piece, why);
                if (n < 0) return n;
                if (n == 0 && !b.done) return 0;
        }
        return (ptrdiff_t)at;
}

/* returns as first_end() does; fails the test when a reader ends it elsewhere */
static ptrdiff_t judge(str in)
{
        struct http1_head h;
        const char *why = NULL;
        ptrdiff_t end = first_end(in, &h, &why);
        for (int reader = 0; end > 0 && reader < READERS; reader++) {
                size_t theirs = reader_end(reader, in);
                if (theirs != (size_t)end) cm_fail_msg("taken to byte %td, but reader %d goes to %zu:\n" STR_FMT, end, reader, theirs, STR_ARG(in));
        }
        return end;
}

static bool is_taken(const char *head, unsigned char byte, const char *rest)
{
        struct buf b AUTO(buf_done) = BUF_INIT(4096);
        buf_lit(&b, head);
        buf_char(&b, (char)byte);
        buf_lit(&b, rest);
        return judge(buf_str(&b)) > 0;
}

/* ---- every byte ------------------------------------------------------------------------------------------------------- */

static bool is_tchar(int b) { return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b && strchr("!#$%&'*+-.^_`|~", b)); }
static bool is_vchar(int b) { return b > 0x20 && b < 0x7f; }

TEST(of_256_bytes_each_place_takes_those_of_its_grammar)
{
        static const char rest[] = " HTTP/1.1\r\nHost: h\r\n\r\n";
        for (int b = 0; b < 256; b++) {
                unsigned char byte = (unsigned char)b;
                bool in_value = is_vchar(b) || b >= 0x80 || b == ' ' || b == '\t';
                CHECK_EQ(is_taken("GET /", byte, rest), is_vchar(b) && b != '#' && b != '\\');
                CHECK_EQ(is_taken("GET / HTTP/1.1\r\nHost: h\r\nX", byte, "Y: z\r\n\r\n"), is_tchar(b) || b == ':');
                CHECK_EQ(is_taken("GET / HTTP/1.1\r\nHost: h\r\nX:", byte, "z\r\n\r\n"), in_value);
                CHECK_EQ(is_taken("GET / HTTP/1.1\r\nHost: h\r\nX: a", byte, "z\r\n\r\n"), in_value);
                CHECK_EQ(is_taken("GET / HTTP/1.1\r\nHost: h\r\nX: z", byte, "\r\n\r\n"), in_value);
                CHECK_EQ(is_taken("GET / HTTP/1.1\r\nHost: h", byte, "\n\r\n"), b == '\r');
                CHECK_EQ(is_taken("GET / HTTP/1.1\r\nHost: h\r", byte, "\r\n"), b == '\n');
                CHECK_EQ(is_taken("GET / HTTP/1.1\r\nHost: h\r\nX", byte, " z\r\n\r\n"), b == ':');
                CHECK_EQ(is_taken("GET", byte, "/ HTTP/1.1\r\nHost: h\r\n\r\n"), b == ' ');
                CHECK_EQ(is_taken("GET / HTTP/1", byte, "1\r\nHost: h\r\n\r\n"), b == '.');
                CHECK_EQ(is_taken("GET / HTTP/1.", byte, "\r\nHost: h\r\n\r\n"), b >= '0' && b <= '9');
        }
}

#define POSTS "POST / HTTP/1.1\r\nHost: h\r\n"
#define CHUNKED POSTS "Transfer-Encoding: chunked\r\n\r\n"

TEST(of_256_bytes_each_place_around_a_body_takes_those_of_its_grammar)
{
        for (int b = 0; b < 256; b++) {
                unsigned char byte = (unsigned char)b;
                bool digit = b >= '0' && b <= '9', blank = b == ' ' || b == '\t';
                CHECK_EQ(is_taken(POSTS "Content-Length: ", byte, "\r\n\r\n123456789"), digit);
                CHECK_EQ(is_taken(POSTS "Content-Length: ", byte, "1\r\n\r\n" "0123456789012345678901234567890123456789012345678901234567890123456789"
                                  "0123456789012345678901234567890123456789"), digit || blank);
                CHECK_EQ(is_taken(POSTS "Content-Length: 1", byte, "\r\n\r\n" "0123456789012345678901234567890123456789"), digit || blank);
                CHECK_EQ(is_taken(POSTS "Content-Length", byte, "1\r\n\r\nx"), b == ':');
                CHECK_EQ(is_taken(POSTS "Transfer-Encoding: ", byte, "chunked\r\n\r\n0\r\n\r\n"), blank);
                CHECK_EQ(is_taken(POSTS "Transfer-Encoding: chunked", byte, "\r\n\r\n0\r\n\r\n"), blank);
                CHECK_EQ(is_taken(CHUNKED "1", byte, "\na\r\n0\r\n\r\n"), b == '\r');
                CHECK_EQ(is_taken(CHUNKED "1\r", byte, "a\r\n0\r\n\r\n"), b == '\n');
                CHECK_EQ(is_taken(CHUNKED, byte, "1\r\nx\r\n0\r\n\r\n"), b == '0');
                CHECK_EQ(is_taken(CHUNKED "1", byte, "\r\nx\r\n0\r\n\r\n"), false);
                CHECK_EQ(is_taken(CHUNKED "1\r\n", byte, "\r\n0\r\n\r\n"), true);       /* data is data */
                CHECK_EQ(is_taken(CHUNKED "1\r\nx", byte, "\n0\r\n\r\n"), b == '\r');
                CHECK_EQ(is_taken(CHUNKED "1\r\nx\r", byte, "0\r\n\r\n"), b == '\n');
                CHECK_EQ(is_taken(CHUNKED "1;", byte, "\r\nx\r\n0\r\n\r\n"), is_tchar(b));
                CHECK_EQ(is_taken(CHUNKED "1;a=\"", byte, "\"\r\nx\r\n0\r\n\r\n"), (is_vchar(b) && b != '"' && b != '\\') || b == ' ' || b == '\t' || b >= 0x80);
                CHECK_EQ(is_taken(CHUNKED "0\r\nX", byte, "y\r\n\r\n"), b == ':');
                CHECK_EQ(is_taken(CHUNKED "0\r", byte, "\r\n"), b == '\n');
                CHECK_EQ(is_taken(CHUNKED "0\r\n\r", byte, ""), b == '\n');
        }
}

/* ---- known shapes ------------------------------------------------------------------------------------------------------ */

TEST(codings_and_lengths_in_disguise_are_refused_or_mean_nothing)
{
        static const struct { const char *field; int status; } all[] = {
                { "Transfer-Encoding: chunk", 400 },                    { "Transfer-Encoding: chunked, identity", 400 },
                { "Transfer-Encoding: identity, chunked", 501 },        { "Transfer-Encoding: , chunked", 501 },
                { "Transfer-Encoding: chunked,,", 400 },                { "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", 501 },
                { "Transfer-Encoding: chunked\r\nTransfer-encoding: cow", 400 }, { "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400 },
                { "Transfer-Encoding: 'chunked'", 400 },                { "Transfer-Encoding: chunked\x0c", 400 },
                { "Transfer-Encoding: \xa0" "chunked", 400 },           { "Transfer-Encoding: chun ked", 400 },
                { "Transfer-Encoding: chunked; q=0", 400 },             { "Transfer-Encoding: chunked\r\n , identity", 400 },
                { "Transfer-Encoding:\r\n chunked", 400 },              { "Transfer-Encoding: chunKed\r\nContent-Length: 0", 400 },
                { "\x0bTransfer-Encoding: chunked", 400 },              { "Transfer-Encoding\xa0: chunked", 400 },
                { "Content-Length: 0\r\nTransfer-Encoding: gzip", 400 }, { "Content-Length: 3\r\nContent-length: 3", 400 },
                { "Content-Length: 3\r\nCONTENT-LENGTH: 0", 400 },      { "Content-Length: 3,", 400 },
                { "Content-Length: ,3", 400 },                          { "Content-Length: 3.0", 400 },
                { "Content-Length: 3e0", 400 },                         { "Content-Length: \"3\"", 400 },
                { "Content-Length: 3;q=1", 400 },                       { "Content-Length: 03x", 400 },
                { "Content-Length: \xef\xbc\x93", 400 },                { "Content-Length: 3\x0b", 400 },
                { "Content-Length: 3\r\n 0", 400 },                     { "Content-Length: -0", 400 },
                { "Content-Length: 9223372036854775807", 413 },         { "Content-Length: 9223372036854775808", 413 },
                { "Content-Length: 4294967299", 413 },                  { "Content-Length: 18446744073709551619", 413 },
        };
        for (size_t i = 0; i < COUNT(all); i++) {
                struct buf b AUTO(buf_done) = BUF_INIT(4096);
                buf_printf(&b, POSTS "%s\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n", all[i].field);
                ptrdiff_t end = judge(buf_str(&b));
                if (end != -all[i].status) cm_fail_msg("%s gives %td", all[i].field, end);
        }
        /* other fields, whatever they look like: no body, and the next request begins right behind the head */
        static const char *const others[] = { "Content_Length: 3", "Content-Lengths: 3", "Transfer_Encoding: chunked", "TE: chunked", "X-Content-Length: 3",
                                              "Trailer: Content-Length", "Content-Encoding: chunked" };
        for (size_t i = 0; i < COUNT(others); i++) {
                struct buf b AUTO(buf_done) = BUF_INIT(4096);
                buf_printf(&b, POSTS "%s\r\n\r\n", others[i]);
                size_t head = b.n;
                buf_lit(&b, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
                CHECK_EQ(judge(buf_str(&b)), head);
        }
}

TEST(trailers_that_would_frame_or_route_the_message_change_nothing)
{
        static const char *const trailers[] = { "Content-Length: 99", "Transfer-Encoding: chunked", "Host: other", "Connection: close", "Expect: 100-continue",
                                                "Content-Length: 1\r\nContent-Length: 2" };
        for (size_t i = 0; i < COUNT(trailers); i++) {
                struct buf b AUTO(buf_done) = BUF_INIT(4096);
                struct http1_head h;
                const char *why = NULL;
                buf_printf(&b, CHUNKED "3\r\nabc\r\n0\r\n%s\r\n\r\n", trailers[i]);
                size_t whole = b.n;
                buf_lit(&b, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
                CHECK_EQ(judge(buf_str(&b)), whole);
                CHECK_EQ(first_end(buf_str(&b), &h, &why), whole);
                CHECK(h.keep_alive && !h.expects_continue && h.headers.n == 2);
                CHECK_STR(h.host, "h");
        }
}

TEST(chunk_sizes_that_wrap_around_are_too_large_wherever_they_wrap)
{
        static const char *const sizes[] = { "80000000", "100000000", "7fffffffffffffff", "8000000000000000", "fffffffffffffffe", "ffffffffffffffff" };
        for (size_t i = 0; i < COUNT(sizes); i++) {
                struct buf b AUTO(buf_done) = BUF_INIT(4096);
                buf_printf(&b, CHUNKED "3\r\nabc\r\n%s\r\n", sizes[i]);
                CHECK_EQ(judge(buf_str(&b)), -413);
        }
        CHECK(judge(STR(CHUNKED "0000000000000003\r\nabc\r\n0\r\n\r\n")) > 0);
        CHECK_EQ(judge(STR(CHUNKED "00000000000000003\r\nabc\r\n0\r\n\r\n")), -400);
        CHECK_EQ(judge(STR(CHUNKED "10000000000000003\r\nabc\r\n0\r\n\r\n")), -413);
}

TEST(extensions_and_trailers_may_have_8_kib_and_not_a_byte_more)
{
        for (int more = 0; more < 2; more++) {
                struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
                buf_lit(&b, CHUNKED "1;");
                for (int i = 0; i < 8190 + more; i++) buf_char(&b, 'e');        /* the line's CR and the trailers' count too */
                buf_lit(&b, "\r\nx\r\n0\r\n\r\n");
                ptrdiff_t end = judge(buf_str(&b));
                CHECK(more ? end == -431 : end > 0);
        }
}

TEST(what_a_head_may_cost_in_memory_is_bounded_by_its_own_limits)
{
        static const char *const lines[] = { "a:\r\n", "a: b\r\n", "a-name-that-is-longer-than-any-that-somebody-would-ever-give-to-a-field-of-a-request:\r\n" };
        for (size_t k = 0; k < COUNT(lines); k++) {
                struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
                struct http1_head h;
                const char *why = NULL;
                buf_lit(&b, "GET / HTTP/1.1\r\nHost: h\r\n");
                for (int i = 0; i < 99; i++) buf_lit(&b, lines[k]);
                buf_lit(&b, "\r\n");
                CHECK(first_end(buf_str(&b), &h, &why) > 0);
                CHECK(arena_used(arena) < b.n + 2 * 128 * sizeof(struct header) + 1024);
        }
}

/* ---- streams drawn from pieces ------------------------------------------------------------------------------------------- */

static uint64_t drawn = 88172645463325252u;
static size_t draw(size_t n)
{
        drawn ^= drawn << 13;
        drawn ^= drawn >> 7;
        drawn ^= drawn << 17;
        return (size_t)(drawn % n);
}
#define PICK(list) list[draw(COUNT(list))]

static const char *const first_lines[] = { "POST / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n", "POST / HTTP/1.0\r\n", "\r\nPUT /a HTTP/1.1\r\n", "POST http://h/ HTTP/1.1\r\n" };
static const char *const names[] = { "Content-Length", "content-length", "Transfer-Encoding", "TRANSFER-ENCODING", "X", "Connection", "Content-Length ", " Content-Length",
                                     "Transfer-Encoding\t", "Transfer_Encoding" };
static const char *const colons[] = { ": ", ":", ":\t", " : ", ":\r\n ", ": \x0b" };
static const char *const field_values[] = { "0", "3", "5", "005", "+5", "5, 5", "0x5", "chunked", "Chunked", "chunked, chunked", "gzip, chunked", "xchunked", "chunked ",
                                            "identity", "close", "" };
static const char *const ends[] = { "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n ", "\r\r\n" };
static const char *const bodies[] = { "abcde", "0\r\n\r\n", "5\r\nabcde\r\n0\r\n\r\n", "5\nabcde\n0\n\n", "5;a=\"\r\nabcde\r\n0\r\n\r\n", "5 \r\nabcde\r\n0\r\n\r\n",
                                      "0x5\r\nabcde\r\n0\r\n\r\n", "5;a=b\r\nabcde\r\n0\r\nX: y\r\n\r\n", "5\r\nabcde0\r\n\r\n", "3\r\nabcde\r\n0\r\n\r\n", "" };

static void draw_stream(struct buf *b)
{
        buf_clear(b);
        buf_lit(b, PICK(first_lines));
        buf_lit(b, "Host: h\r\n");
        for (size_t n = draw(4); n > 0; n--) {
                buf_lit(b, PICK(names));
                buf_lit(b, draw(3) ? ": " : PICK(colons));
                buf_lit(b, PICK(field_values));
                buf_lit(b, draw(3) ? "\r\n" : PICK(ends));
        }
        buf_lit(b, "\r\n");
        buf_lit(b, PICK(bodies));
        buf_lit(b, "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
        if (draw(4) == 0) b->p[b->start + draw(b->n)] = (char)draw(256);
}

TEST(no_drawn_stream_that_is_taken_ends_elsewhere_for_another_reader)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        int taken = 0, refused = 0;
        for (int i = 0; i < 40000; i++) {
                draw_stream(&b);
                ptrdiff_t end = judge(buf_str(&b));
                taken += end > 0;
                refused += end < 0;
        }
        CHECK(taken > 2000 && refused > 10000);
}
TEST_MAIN
