/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * rate_test.c - rate limits as a client meets them, through the edge, under a fake clock. */
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

static void allows(const struct http_answer *a, int status, const char *left)
{
        CHECK_EQ(a->status, status);
        CHECK_STR(header_get(&a->headers, "ratelimit-policy"), "\"default\";q=2;w=60");
        CHECK_STR(header_get(&a->headers, "ratelimit"), left);
}

WORLD_TEST(too_many_requests_of_one_client_to_one_route_get_429_until_its_time_comes)
{
        clock_fake((when){ 1700000000000000 });
        struct http_answer a = http(w, "alice", GET, "/v1/rare", NULL);
        allows(&a, 200, "\"default\";r=1;t=30");
        a = http(w, "alice", HEAD, "/v1/rare", NULL);                   /* the same route */
        allows(&a, 200, "\"default\";r=0;t=60");
        clock_advance(10000);
        a = http(w, "alice", GET, "/v1/rare", NULL);
        allows(&a, 429, "\"default\";r=0;t=50");
        CHECK_STR(header_get(&a.headers, "retry-after"), "20");
        CHECK_STR(header_get(&a.headers, "content-type"), "application/problem+json");
        CHECK(memmem(a.body.p, a.body.n, "\"slug\":\"rate_limited\"", 21) != NULL);
        a = http(w, "bob", GET, "/v1/rare", NULL);                      /* another client */
        allows(&a, 200, "\"default\";r=1;t=30");
        CHECK_EQ(http(w, "alice", GET, "/v1/raw", NULL).status, 200);   /* another route */
        clock_advance(19999);
        CHECK_EQ(http(w, "alice", GET, "/v1/rare", NULL).status, 429);
        clock_advance(1);
        a = http(w, "alice", GET, "/v1/rare", NULL);
        allows(&a, 200, "\"default\";r=0;t=60");
        clock_real();
}

WORLD_TEST(who_has_no_token_is_counted_by_address)
{
        clock_fake((when){ 1700000000000000 });
        CHECK_EQ(http(w, "", GET, "/v1/rare", NULL).status, 200);
        CHECK_EQ(http(w, "", GET, "/v1/rare", NULL).status, 200);
        CHECK_EQ(http(w, "", GET, "/v1/rare", NULL).status, 429);
        CHECK_EQ(http(w, "alice", GET, "/v1/rare", NULL).status, 200);
        clock_real();
}

WORLD_TEST(probes_are_never_limited_and_other_routes_by_the_configuration)
{
        struct http_answer a = http(w, "", GET, "/healthz", NULL);
        CHECK(!header_get(&a.headers, "ratelimit").p);
        a = http(w, "", GET, "/v1/toys", NULL);
        CHECK_STR(header_get(&a.headers, "ratelimit-policy"), "\"default\";q=12000000;w=60");
        a = http(w, "alice", PATCH, "/v1/toys/00000000-0000-4000-8000-000000000000/stock", "{}");
        CHECK_EQ(a.status, 400);
        CHECK_STR(header_get(&a.headers, "ratelimit-policy"), "\"default\";q=3000000;w=60");
        a = http(w, "", GET, "/v1/nothing", NULL);
        CHECK(!header_get(&a.headers, "ratelimit").p);
}

TEST_MAIN
