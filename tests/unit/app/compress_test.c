/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * compress_test.c - compressed answers through the edge: which are, what their fields say, what a cache and If-None-Match make of them. */
#include "test.h"
#include "app.h"
#include "toyshop.h"
#include "loop.h"
#include "world.h"

#define WORLD_TEST(name) \
        static void name##_in(struct world *w); \
        static int name##_run(struct ctx *c, void *arg) { (void)arg; WORLD(w, c, &toyshop_service); name##_in(w); return 0; } \
        TEST(name) { CHECK_OK(run_main(name##_run, NULL)); } \
        static void name##_in(struct world *w)
#define IS(a, name, text) CHECK_STR(header_get(&(a).headers, (name)), (text))
#define NONE(a, name)     CHECK(!header_get(&(a).headers, (name)).p)

static struct http_answer ask(struct world *w, const char *method, const char *target, const char *accept)
{
        char text[600];
        snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nhost: x\r\naccept-encoding: %s\r\n\r\n", method, target, accept);
        return http_message(w, "", text);
}

static void make_toys(struct world *w, int n)
{
        char key[40], body[200];
        for (int i = 0; i < n; i++) {
                snprintf(key, sizeof key, "staff#k%d", i);
                snprintf(body, sizeof body, "{\"name\":\"duck %d\",\"price\":{\"amount\":199,\"currency\":\"EUR\"},\"stock\":5}", i);
                CHECK_EQ(http(w, key, POST, "/v1/toys", body).status, 201);
        }
        settle(w);                      /* their events change them: answers are compared */
}

WORLD_TEST(a_large_answer_is_coded_and_says_so_and_head_says_the_same)
{
        make_toys(w, 15);
        struct http_answer plain = http(w, "", GET, "/v1/toys", NULL), gz = ask(w, "GET", "/v1/toys", "gzip"), br = ask(w, "GET", "/v1/toys", "gzip, br");
        CHECK(plain.body.n > 1024);
        NONE(plain, "content-encoding");
        IS(gz, "content-encoding", "gzip");
        IS(gz, "vary", "accept-encoding");
        IS(gz, "content-type", "application/json");
        CHECK(gz.body.n < plain.body.n / 2);
        CHECK(gz.body.n > 2 && (uint8_t)gz.body.p[0] == 0x1f && (uint8_t)gz.body.p[1] == 0x8b);
        IS(br, "content-encoding", "br");
        CHECK(br.body.n < plain.body.n / 2);
        struct http_answer head = ask(w, "HEAD", "/v1/toys", "gzip");
        IS(head, "content-encoding", "gzip");
        CHECK_EQ(head.body.n, gz.body.n);               /* the server sends its length and not the body */
        CHECK(str_eq(header_get(&head.headers, "etag"), header_get(&gz.headers, "etag")));
}

WORLD_TEST(each_coding_has_a_tag_of_its_own_and_any_of_them_is_known_again)
{
        make_toys(w, 15);
        struct http_answer plain = http(w, "", GET, "/v1/toys", NULL), gz = ask(w, "GET", "/v1/toys", "gzip"), br = ask(w, "GET", "/v1/toys", "br");
        str tag = header_get(&plain.headers, "etag"), gz_tag = header_get(&gz.headers, "etag"), br_tag = header_get(&br.headers, "etag");
        CHECK(str_ends(gz_tag, STR("-gzip\"")) && str_ends(br_tag, STR("-br\"")));
        CHECK(str_eq(str_cut(gz_tag, 0, gz_tag.n - 6), str_cut(tag, 0, tag.n - 1)));
        char text[600];
        snprintf(text, sizeof text, "GET /v1/toys HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\nif-none-match: " STR_FMT "\r\n\r\n", STR_ARG(gz_tag));
        struct http_answer a = http_message(w, "", text);
        CHECK_EQ(a.status, 304);
        CHECK_EQ(a.body.n, 0);
        CHECK(str_eq(header_get(&a.headers, "etag"), gz_tag));
        NONE(a, "content-encoding");
}

WORLD_TEST(small_answers_stay_as_they_are_unless_the_client_refuses_them_so)
{
        make_toys(w, 1);
        struct http_answer a = ask(w, "GET", "/v1/toys", "gzip");
        CHECK_EQ(a.status, 200);
        NONE(a, "content-encoding");
        a = ask(w, "GET", "/v1/toys", "gzip, identity;q=0");
        IS(a, "content-encoding", "gzip");
        a = ask(w, "GET", "/v1/raw", "*;q=0, br");
        IS(a, "content-encoding", "br");
        a = ask(w, "GET", "/v1/nothing", "gzip");
        CHECK_EQ(a.status, 404);
}

WORLD_TEST(a_client_that_takes_nothing_is_refused_before_anything_happens)
{
        struct http_answer a = http_message(w, "staff#k", "POST /v1/toys HTTP/1.1\r\nhost: x\r\naccept-encoding: identity;q=0\r\nidempotency-key: k\r\n"
                                            "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}");
        CHECK_EQ(a.status, 406);
        CHECK(memmem(a.body.p, a.body.n, "\"pointer\":\"Accept-Encoding\"", 27) != NULL);
        CHECK_EQ(rows(w, "toyshop", "toy"), 0);
        CHECK_EQ(ask(w, "GET", "/v1/toys", "*;q=0").status, 406);
}

WORLD_TEST(caches_are_told_that_a_kept_answer_depends_on_it)
{
        struct http_answer made = http(w, "staff#k", POST, "/v1/toys", "{\"name\":\"duck\",\"price\":{\"amount\":199,\"currency\":\"EUR\"},\"stock\":5}");
        char path[100];
        snprintf(path, sizeof path, STR_FMT, STR_ARG(header_get(&made.headers, "location")));
        struct http_answer a = http(w, "", GET, path, NULL);
        IS(a, "cache-control", "max-age=60");
        IS(a, "vary", "accept-encoding");
        NONE(made, "vary");
}

WORLD_TEST(large_bodies_are_coded_on_the_pool)
{
        struct http_answer plain = http(w, "", GET, "/openapi.json", NULL), gz = ask(w, "GET", "/openapi.json", "gzip"), br = ask(w, "GET", "/docs", "br");
        CHECK(plain.body.n > 16384);
        IS(gz, "content-encoding", "gzip");
        CHECK(gz.body.n < plain.body.n / 4);
        IS(br, "content-encoding", "br");
        IS(br, "content-type", "text/html; charset=utf-8");
}

WORLD_TEST(what_the_program_says_of_itself_is_made_and_coded_once_and_comes_out_the_same)
{
        static const char *const paths[] = { "/openapi.json", "/docs" }, *const codings[] = { "identity", "gzip", "br" };
        for (size_t i = 0; i < COUNT(paths) * COUNT(codings); i++) {
                const char *path = paths[i / COUNT(codings)], *coding = codings[i % COUNT(codings)];
                struct http_answer first = ask(w, "GET", path, coding);
                uint64_t slow = pool_stats().done;
                struct http_answer second = ask(w, "GET", path, coding);
                CHECK_EQ(second.status, 200);
                CHECK(first.body.n && str_eq(first.body, second.body));
                CHECK(str_eq(header_get(&first.headers, "etag"), header_get(&second.headers, "etag")) && header_get(&first.headers, "etag").n);
                CHECK(str_eq(header_get(&first.headers, "content-encoding"), header_get(&second.headers, "content-encoding")));
                CHECK_EQ(pool_stats().done, slow);
        }
}

TEST_MAIN
