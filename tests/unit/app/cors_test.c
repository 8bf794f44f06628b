/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cors_test.c - pages of other origins: what a preflight and a request are told, and what they are not. */
#include "test.h"
#include "app.h"
#include "toyshop.h"
#include "loop.h"
#include "world.h"
#include "engine.h"

#define WORLD_TEST(name) \
        static void name##_in(struct world *w); \
        static int name##_run(struct ctx *c, void *arg) { (void)arg; WORLD(w, c, &toyshop_service); name##_in(w); return 0; } \
        TEST(name) { CHECK_OK(run_main(name##_run, NULL)); } \
        static void name##_in(struct world *w)

static void allow(const char *origins)          { worker_here()->app->cors_origins = str_of(origins); }
#define PAGE "host: x\r\norigin: https://shop.example\r\n"
#define IS(a, name, text) CHECK_STR(header_get(&(a).headers, (name)), (text))
#define NONE(a, name)     CHECK(!header_get(&(a).headers, (name)).p)

WORLD_TEST(unless_configured_nothing_is_said)
{
        struct http_answer a = http_message(w, "", "GET /v1/toys HTTP/1.1\r\n" PAGE "\r\n");
        CHECK_EQ(a.status, 200);
        NONE(a, "access-control-allow-origin");
        NONE(a, "vary");
        a = http_message(w, "", "OPTIONS /v1/toys HTTP/1.1\r\n" PAGE "access-control-request-method: GET\r\n\r\n");
        CHECK_EQ(a.status, 204);
        NONE(a, "access-control-allow-methods");
}

WORLD_TEST(a_named_origin_may_ask_and_read_and_others_may_not)
{
        allow("https://other.example, https://shop.example");
        struct http_answer a = http_message(w, "", "GET /v1/toys HTTP/1.1\r\n" PAGE "\r\n");
        IS(a, "access-control-allow-origin", "https://shop.example");
        IS(a, "vary", "origin");
        CHECK(memmem(header_get(&a.headers, "access-control-expose-headers").p, 20, "content-location", 16) != NULL);
        NONE(a, "access-control-allow-credentials");
        a = http_message(w, "", "GET /v1/toys HTTP/1.1\r\nhost: x\r\norigin: https://shop.example.evil\r\n\r\n");
        CHECK_EQ(a.status, 200);
        NONE(a, "access-control-allow-origin");
        IS(a, "vary", "origin");
        a = http_message(w, "", "GET /v1/toys HTTP/1.1\r\nhost: x\r\norigin: null\r\n\r\n");
        NONE(a, "access-control-allow-origin");
        a = http_message(w, "", "GET /v1/toys HTTP/1.1\r\nhost: x\r\n\r\n");          /* a cache must not give this to a page */
        NONE(a, "access-control-allow-origin");
        IS(a, "vary", "origin");
}

WORLD_TEST(a_preflight_lists_the_methods_of_the_path)
{
        allow("https://shop.example");
        struct http_answer a = http_message(w, "", "OPTIONS /v1/toys/1 HTTP/1.1\r\n" PAGE "access-control-request-method: DELETE\r\n"
                                                   "access-control-request-headers: authorization,idempotency-key\r\n\r\n");
        CHECK_EQ(a.status, 204);
        IS(a, "access-control-allow-origin", "https://shop.example");
        IS(a, "access-control-allow-methods", "GET, HEAD, DELETE, OPTIONS");
        IS(a, "access-control-max-age", "3600");
        str names = header_get(&a.headers, "access-control-allow-headers");
        CHECK(memmem(names.p, names.n, "authorization", 13) && memmem(names.p, names.n, "idempotency-key", 15) && memmem(names.p, names.n, "if-match", 8));
        NONE(a, "access-control-expose-headers");
        a = http_message(w, "", "OPTIONS /v1/toys/1 HTTP/1.1\r\n" PAGE "\r\n");     /* no preflight */
        NONE(a, "access-control-allow-methods");
        a = http_message(w, "", "OPTIONS /nowhere HTTP/1.1\r\n" PAGE "access-control-request-method: GET\r\n\r\n");
        CHECK_EQ(a.status, 404);
        NONE(a, "access-control-allow-methods");
}

WORLD_TEST(a_page_can_read_a_refusal)
{
        allow("https://shop.example");
        struct http_answer a = http_message(w, NULL, "DELETE /v1/toys/1 HTTP/1.1\r\n" PAGE "\r\n");
        CHECK_EQ(a.status, 401);
        IS(a, "access-control-allow-origin", "https://shop.example");
        a = http_message(w, "", "GET /nowhere HTTP/1.1\r\n" PAGE "\r\n");
        CHECK_EQ(a.status, 404);
        IS(a, "access-control-allow-origin", "https://shop.example");
}

WORLD_TEST(a_star_is_everybody_without_credentials)
{
        allow("*");
        struct http_answer a = http_message(w, "", "GET /v1/toys HTTP/1.1\r\n" PAGE "\r\n");
        IS(a, "access-control-allow-origin", "*");
        NONE(a, "access-control-allow-credentials");
        NONE(a, "vary");
        a = http_message(w, "", "GET /v1/toys HTTP/1.1\r\nhost: x\r\n\r\n");
        NONE(a, "access-control-allow-origin");
}

static int words(struct ctx *c, void *arg)
{
        static const char *const good[] = { "", "*", "https://a.example", "http://localhost:5173, https://a.example", "capacitor://localhost", "http://[::1]:3000" };
        static const char *const bad[] = { "shop.example", "https://", "https://a.example/", "https://*.example", "https://a b", "http//x", "null", "a.example,*", "://x", "," };
        (void)arg;
        for (size_t i = 0; i < COUNT(good); i++) CHECK_OK(cors_check(c, str_of(good[i])));
        for (size_t i = 0; i < COUNT(bad); i++) {
                if (cors_check(c, str_of(bad[i])) != -INVALID_ARGUMENT) cm_fail_msg("%s passed", bad[i]);
                CHECK(strcmp(c->fault.slug, "bad_setting") == 0);
        }
        return 0;
}

TEST(a_setting_that_is_no_origin_stops_the_program)     { CHECK_OK(run_main(words, NULL)); }

TEST_MAIN
