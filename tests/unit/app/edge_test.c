/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * edge_test.c - a request's whole way through a tiny service on a real PostgreSQL, without sockets. */
#include "test.h"
#include <libpq-fe.h>
#include "app.h"
#include "engine.h"
#include "visits.h"

WORLD_TEST(a_thing_is_made_read_changed_and_gone)
{
        char path[100];
        str at = made(w, "staff#k1", DUCK);
        CHECK_EQ(at.n, 9 + 36);
        settle(w);                      /* its event adds one */
        struct http_answer a = http(w, "", GET, at.p, NULL);
        CHECK_EQ(a.status, 200);
        HAS(a.body, "\"name\":\"duck\"");
        CHECK_STR(header_of(&a, "content-type"), "application/json");
        CHECK_STR(header_of(&a, "cache-control"), "max-age=60");
        snprintf(path, sizeof path, STR_FMT "/stock", STR_ARG(at));
        a = http(w, "alice", PATCH, path, "{\"delta\":-2}");
        HAS(a.body, "\"stock\":4");
        CHECK_EQ(http(w, "admin", DELETE, at.p, NULL).status, 204);
        CHECK_EQ(http(w, "", HEAD, at.p, NULL).status, 200);
}

WORLD_TEST(who_may_is_asked_before_anything_else)
{
        struct http_answer a = refused(http(w, "", POST, "/v1/toys", DUCK), 401, "missing_token");
        CHECK_STR(header_of(&a, "www-authenticate"), "Bearer realm=\"souk\"");
        refused(http(w, "alice#k", POST, "/v1/toys", DUCK), 403, "forbidden");
        refused(http(w, "vendor#k", POST, "/v1/toys", "not json"), 403, "forbidden");
        refused(http(w, "staff", DELETE, "/v1/toys/00000000-0000-4000-8000-000000000000", NULL), 403, "forbidden");
        CHECK_EQ(rows(w, "toyshop", "toy"), 0);
}

WORLD_TEST(every_flaw_is_told_at_once_and_nothing_changes)
{
        struct http_answer a = refused(http(w, "staff#k1", POST, "/v1/toys", "{\"name\":\"\",\"price\":{\"amount\":1,\"currency\":\"XYZ\"},\"stock\":1001,\"colour\":1}"),
                                       400, "invalid");
        HAS(a.body, "\"pointer\":\"/name\"");
        HAS(a.body, "\"pointer\":\"/price/currency\"");
        HAS(a.body, "\"pointer\":\"/stock\"");
        HAS(a.body, "\"pointer\":\"/colour\"");
        HAS(a.body, "\"type\":\"/docs#invalid\"");
        HAS(a.body, "\"title\":\"Bad Request\"");
        HAS(a.body, "\"instance\":\"/v1/toys\"");
        refused(http(w, "staff#k2", POST, "/v1/toys", "{\"name\":"), 400, "invalid");
        refused(http(w, "staff#k3", POST, "/v1/toys", "{}"), 400, "invalid");
        a = refused(http(w, "staff#k4", POST, "/v1/toys", NULL), 411, "length_required");
        HAS(a.body, "\"pointer\":\"Content-Length\"");
        a = refused(http(w, "staff#k4", POST, "/v1/toys", ""), 400, "invalid");
        HAS(a.body, "a JSON object is expected");
        a = refused(http(w, "alice", PATCH, "/v1/toys/not-a-uuid/stock", "{\"delta\":5000}"), 400, "invalid");
        HAS(a.body, "\"pointer\":\"id\"");
        HAS(a.body, "\"pointer\":\"/delta\"");
        a = refused(http(w, "alice", PATCH, "/v1/toys/00000000-0000-4000-8000-000000000000/stock",
                         "{\"delta\":5,\"id\":\"00000000-0000-4000-8000-000000000001\"}"), 400, "invalid");
        HAS(a.body, "\"pointer\":\"/id\"");
        a = refused(http(w, "alice", PATCH, "/v1/toys/00000000-0000-4000-8000-000000000000/stock?delta=7", "{\"delta\":5}"), 400, "invalid");
        HAS(a.body, "\"pointer\":\"delta\"");
        a = refused(http(w, "", GET, "/v1/toys?limit=101&colour=red&take=9", NULL), 400, "invalid");
        HAS(a.body, "\"pointer\":\"limit\"");
        HAS(a.body, "\"pointer\":\"colour\"");
        HAS(a.body, "\"pointer\":\"take\"");
        CHECK_EQ(rows(w, "toyshop", "toy"), 0);
}

WORLD_TEST(refusals_of_the_service_pass_and_faults_of_ours_are_hidden)
{
        struct http_answer a = refused(http(w, "staff#k1", POST, "/v1/toys", "{\"name\":\"gun\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},\"stock\":1}"), 409, "no_weapons");
        HAS(a.body, "this shop sells no gun");
        a = refused(http(w, "staff#k2", POST, "/v1/toys", "{\"name\":\"bug\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},\"stock\":1}"), 500, "internal");
        LACKS(a.body, "1234");
        LACKS(a.body, "oops");
        refused(http(w, "", GET, "/v1/toys/00000000-0000-4000-8000-000000000000", NULL), 404, "not_found");
        a = refused(http(w, "admin", DELETE, "/v1/toys/00000000-0000-4000-8000-000000000000", NULL), 404, "no_such_toy");
        a = refused(http(w, "", GET, "/v1/raw?x", NULL), 503, "away");
        CHECK_STR(header_of(&a, "retry-after"), "1");
        HAS(http(w, "", GET, "/v1/raw", NULL).body, "raw");
}

WORLD_TEST(a_violated_constraint_is_told_by_the_name_the_service_gave_it)
{
        char path[100];
        str at = made(w, "staff#k1", DUCK);
        snprintf(path, sizeof path, STR_FMT "/stock", STR_ARG(at));
        struct http_answer a = refused(http(w, "alice", PATCH, path, "{\"delta\":-1000}"), 409, "too_few");
        HAS(a.body, "there are fewer of it");
        LACKS(a.body, "toy_stock_check");
}

WORLD_TEST(paths_and_methods_answer_as_http_wants)
{
        struct http_answer a = refused(http(w, "", GET, "/v1/nothing", NULL), 404, "no_such_path");
        a = refused(http(w, "", PUT, "/v1/toys", "{}"), 405, "method_not_allowed");
        CHECK_STR(header_of(&a, "allow"), "GET, HEAD, POST, OPTIONS");
        a = http(w, "", OPTIONS, "/v1/toys/1", NULL);
        CHECK_EQ(a.status, 204);
        CHECK_STR(header_of(&a, "allow"), "GET, HEAD, DELETE, OPTIONS");
        CHECK_EQ(http(w, "", OPTIONS, "*", NULL).status, 204);
        refused(http_message(w, "", "GET /v1/toys HTTP/1.1\r\nhost: x\r\naccept: text/html\r\n\r\n"), 406, "not_acceptable");
        CHECK_EQ(http_message(w, "", "GET /v1/toys HTTP/1.1\r\nhost: x\r\naccept: text/html, application/*;q=0.5\r\n\r\n").status, 200);
        a = refused(http_message(w, "staff", "POST /v1/toys HTTP/1.1\r\nhost: x\r\nidempotency-key: 1\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}"), 415,
                    "unsupported_media_type");
        HAS(a.body, "\"pointer\":\"Content-Type\"");
        refused(http_message(w, "staff", "POST /v1/toys HTTP/1.1\r\nhost: x\r\nidempotency-key: 1\r\ncontent-type: application/json\r\n"
                             "content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}"), 415, "unsupported_encoding");
        refused(http_message(w, "staff", "POST /v1/toys HTTP/1.1\r\nhost: x\r\nidempotency-key: 1\r\ncontent-type: application/json; charset=utf-8\r\n"
                             "content-length: 4001\r\n\r\n{}"), 413, "body_too_large");
}

WORLD_TEST(a_request_keeps_its_id_and_its_trace)
{
        struct http_answer a = http_message(w, "", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-request-id: abc-1\r\n"
                                            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n");
        CHECK_STR(header_of(&a, "x-request-id"), "abc-1");
        str parent = header_of(&a, "traceparent");
        CHECK(str_starts(parent, STR("00-0af7651916cd43dd8448eb211c80319c-")) && str_ends(parent, STR("-01")));
        LACKS(parent, "b7ad6b7169203331");
        a = http_message(w, "", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-request-id: a b\"c\r\n\r\n");
        CHECK_EQ(header_of(&a, "x-request-id").n, 32);
        CHECK(!header_of(&a, "traceparent").p);
}

WORLD_TEST(a_repeat_with_the_same_key_gets_the_first_answer)
{
        struct http_answer first = http(w, "staff#k1", POST, "/v1/toys", DUCK), again = http(w, "staff#k1", POST, "/v1/toys", DUCK);
        CHECK_EQ(first.status, 201);
        CHECK_EQ(again.status, 201);
        CHECK(str_eq(first.body, again.body));
        CHECK(str_eq(header_of(&first, "location"), header_of(&again, "location")));
        CHECK(!header_of(&first, "idempotency-replayed").p);
        CHECK_STR(header_of(&again, "idempotency-replayed"), "true");
        CHECK_EQ(rows(w, "toyshop", "toy"), 1);
        CHECK_EQ(events(w, "toyshop", "toy.made"), 1);
        struct http_answer a = refused(http(w, "staff#k1", POST, "/v1/toys", "{}"), 422, "idempotency_key_reused");
        HAS(a.body, "\"pointer\":\"Idempotency-Key\"");
        CHECK_EQ(http(w, "staff2#k1", POST, "/v1/toys", DUCK).status, 201);
        CHECK_EQ(rows(w, "toyshop", "toy"), 2);
}

WORLD_TEST(a_key_must_be_there_and_be_one)
{
        refused(http(w, "staff", POST, "/v1/toys", DUCK), 400, "idempotency_key_missing");
        refused(http_message(w, "staff", "POST /v1/keyed HTTP/1.1\r\nhost: x\r\nidempotency-key: a b\r\n\r\n"), 400, "idempotency_key_invalid");
        refused(http_message(w, "staff", "POST /v1/keyed HTTP/1.1\r\nhost: x\r\nidempotency-key: a\r\nidempotency-key: b\r\n\r\n"), 400, "idempotency_key_invalid");
        struct http_answer bare = http_message(w, "al", "POST /v1/keyed HTTP/1.1\r\nhost: x\r\nidempotency-key: abc\r\n\r\n"),
                           quoted = http_message(w, "al", "POST /v1/keyed HTTP/1.1\r\nhost: x\r\nidempotency-key: \"abc\"\r\n\r\n");
        CHECK_EQ(bare.status, 200);
        CHECK(str_eq(bare.body, quoted.body));
}

WORLD_TEST(a_refusal_is_not_kept_for_its_key)
{
        refused(http(w, "staff#k1", POST, "/v1/toys", "{\"name\":\"gun\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},\"stock\":1}"), 409, "no_weapons");
        CHECK_EQ(rows(w, "toyshop", "souk_idempotency"), 0);
        CHECK_EQ(http(w, "staff#k1", POST, "/v1/toys", DUCK).status, 201);
        CHECK_EQ(execute(w, "toyshop", "update souk_idempotency set at = at - interval '25 hours'"), 1);
}

struct twin { struct world *w; struct http_answer a; size_t no; };
static int send_one(struct ctx *c, void *arg)
{
        (void)c;
        struct twin *t = arg;
        t->a = http(t->w, "staff#same", POST, "/v1/toys", DUCK);
        return 0;
}

static int send_ten(struct ctx *c, void *arg)
{
        WORLD(w, c, &toyshop_service);
        struct twin t[10];
        int *counts = arg;
        GROUP(g, c);
        for (size_t i = 0; i < COUNT(t); i++) {
                t[i] = (struct twin){ .w = w };
                TRY(group_go(g, send_one, &t[i]));
        }
        TRY(group_wait(g));
        for (size_t i = 0; i < COUNT(t); i++) counts[t[i].a.status == 201 ? 0 : t[i].a.status == 409 ? 1 : 2]++;
        counts[3] = (int)rows(w, "toyshop", "toy");
        return 0;
}

TEST(of_ten_at_once_with_one_key_one_has_the_effect)
{
        int counts[4] = { 0 };          /* 201, 409, others, rows */
        CHECK_OK(run_main(send_ten, counts));
        CHECK(counts[0] >= 1);
        CHECK_EQ(counts[0] + counts[1], 10);
        CHECK_EQ(counts[3], 1);
}

static int send_keyed(struct ctx *c, void *arg)
{
        (void)c;
        struct twin *t = arg;
        t->a = http(t->w, "al#same", POST, "/v1/keyed", NULL);
        return 0;
}

static int send_in_turn(struct ctx *c, void *arg)
{
        (void)c;
        struct twin *t = arg;
        char who[20];
        snprintf(who, sizeof who, "al#k%zu", t->no);
        t->a = http(t->w, who, POST, "/v1/keyed", NULL);
        return 0;
}

static int send_with_four_keys(struct ctx *c, void *arg)
{
        WORLD(w, c, &toyshop_service);
        struct twin t[4];
        (void)arg;
        COUNTING(KEYS_AT_WORK);
        GROUP(g, c);
        for (size_t i = 0; i < COUNT(t); i++) {
                t[i] = (struct twin){ .w = w, .no = i };
                TRY(group_go(g, send_in_turn, &t[i]));
        }
        TRY(group_wait(g));
        for (size_t i = 0; i < 3; i++) CHECK_EQ(t[i].a.status, 200);
        refused(t[3].a, 429, "busy");
        REACHED(KEYS_AT_WORK);
        CHECK_EQ(http(w, "al#k3", POST, "/v1/keyed", NULL).status, 200);
        return 0;
}

TEST(only_so_many_keys_are_at_work_at_once)
{
        idem_limit(3);
        CHECK_OK(run_main(send_with_four_keys, NULL));
        idem_limit(0);
}

static int send_three(struct ctx *c, void *arg)
{
        WORLD(w, c, &toyshop_service);
        struct twin t[3];
        (void)arg;
        GROUP(g, c);
        for (size_t i = 0; i < COUNT(t); i++) {
                t[i] = (struct twin){ .w = w };
                TRY(group_go(g, send_keyed, &t[i]));
        }
        TRY(group_wait(g));
        CHECK_EQ(t[0].a.status, 200);
        for (size_t i = 1; i < COUNT(t); i++) {
                refused(t[i].a, 409, "idempotency_in_flight");
                CHECK_STR(header_of(&t[i].a, "retry-after"), "1");
        }
        CHECK(str_eq(http(w, "al#same", POST, "/v1/keyed", NULL).body, t[0].a.body));
        return 0;
}

TEST(a_key_of_a_keyed_route_is_at_work_once_and_free_again_after_it)    { CHECK_OK(run_main(send_three, NULL)); }

WORLD_TEST(events_reach_their_consumer_and_jobs_run)
{
        str at = made(w, "staff#1", DUCK);
        settle(w);
        HAS(http(w, "", GET, at.p, NULL).body, "\"stock\":6");
        CHECK_EQ(events(w, "toyshop", "toy.made"), 1);
        run_job(w, "toyshop", "tick");
        CHECK_EQ(number(w, "toyshop", "select stock from toy"), 0);
}

WORLD_TEST(an_operation_is_called_the_same_over_the_wire)
{
        struct toy_draft draft = { .name = STR("kite"), .price = { 5, "EUR" }, .stock = 1 };
        struct toy toy, again;
        call_through_wire(true);
        CHECK_OK(call_(as(w, "staff"), &toy_make_op, &draft, &toy));
        CHECK_OK(call_(as(w, "alice"), &toy_get_op, &(struct toy_ref){ toy.id }, &again));
        call_through_wire(false);
        CHECK_STR(again.name, "kite");
        draft.note = STR("a secret crosses too");
        call_through_wire(true);
        CHECK_OK(call_(as(w, "staff"), &toy_make_op, &draft, &toy));
        call_through_wire(false);
        CHECK_STR(toy.name, "a secret crosses too");
        CHECK(again.name.p != draft.name.p);
        CHECK_FAILS(w, NOT_FOUND, "not_found", call_(as(w, "alice"), &toy_get_op, &(struct toy_ref){ who_id("x") }, &again));
}

WORLD_TEST(the_pages_are_made_of_the_tables)
{
        made(w, "staff#1", DUCK);
        struct http_answer a = http(w, "", GET, "/openapi.json", NULL);
        HAS(a.body, "\"openapi\": \"3.1.0\"");
        HAS(a.body, "\"/v1/toys/{id}/stock\"");
        HAS(a.body, "\"operationId\": \"toy_make\"");
        HAS(a.body, "\"id\": \"$response.body#/id\"");
        HAS(a.body, "`no_weapons`: Weapons are not sold.");
        LACKS(a.body, "after_text");
        CHECK_OK(json_validate(as(w, ""), a.body));
        a = http(w, "", GET, "/docs", NULL);
        HAS(a.body, "id=\"no_weapons\"");
        HAS(a.body, "id=\"m-toy\"");
        HAS(a.body, "<pre class=curl>curl \"$SOUK/v1/toys\"");
        HAS(a.body, "-d '{&quot;name&quot;:&quot;duck&quot;");
        HAS(http(w, "", GET, "/", NULL).body, "<a href=\"/docs#toyshop\">");
        HAS(http(w, "", GET, "/readyz", NULL).body, "\"ready\":true");
        a = http(w, "", GET, "/metrics", NULL);
        HAS(a.body, "souk_http_requests_total{method=\"POST\",route=\"/v1/toys\",status=\"201\"}");
        HAS(a.body, "souk_db_statements_total{service=\"toyshop\",result=\"ok\"}");
        refused(http(w, "alice", GET, "/debug/fibers", NULL), 403, "forbidden");
        a = http(w, "admin", GET, "/debug/fibers", NULL);
        CHECK_OK(json_validate(as(w, ""), a.body));
        HAS(a.body, "\"fibers\":[{");
}

/* The database goes away under the program and comes back. */
static void outside(const char *fmt, ...) PRINTF(1, 2);
static void outside(const char *fmt, ...)
{
        char sql[300];
        va_list ap;
        PGconn *pq = PQconnectdb(getenv("SOUK_TEST_DATABASE_URL"));
        va_start(ap, fmt);
        vsnprintf(sql, sizeof sql, fmt, ap);
        va_end(ap);
        PGresult *r = PQexec(pq, sql);
        if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) cm_fail_msg("%s: %s", sql, PQerrorMessage(pq));
        PQclear(r);
        PQfinish(pq);
}

WORLD_TEST(admins_see_parked_events_and_have_them_tried_again)
{
        struct http_answer a = http(w, "staff#d", POST, "/v1/toys", DUCK);
        CHECK_EQ(a.status, 201);
        str id;
        CHECK_OK(json_text(last(w), json_member(a.body, "id"), &id));
        char *again = arena_z(as(w, "")->arena, arena_printf(last(w)->arena, "{\"consumer\":\"toyshop.toy_count_made\",\"key\":\"" STR_FMT "\"}", STR_ARG(id)));
        execute(w, "toyshop", "delete from toy");               /* so that its event cannot be applied */
        settle(w);
        refused(http(w, "staff", GET, "/debug/parked", NULL), 403, "forbidden");
        a = http(w, "admin", GET, "/debug/parked", NULL);
        HAS(a.body, "\"consumer\":\"toyshop.toy_count_made\"");
        HAS(a.body, "\"topic\":\"toy.made\"");
        HAS(a.body, "\"error\":\"NOT_FOUND");
        refused(http(w, "staff", POST, "/debug/parked/replay", again), 403, "forbidden");
        refused(http(w, "admin", POST, "/debug/parked/replay", "{\"consumer\":\"nobody.here\",\"key\":\"x\"}"), 404, "no_such_consumer");
        refused(http(w, "admin", POST, "/debug/parked/replay", "{\"consumer\":\"toyshop.toy_count_made\",\"key\":\"x\"}"), 404, "nothing_parked");
        a = http(w, "admin", POST, "/debug/parked/replay", again);
        CHECK_EQ(a.status, 202);
        CHECK_STR(a.body, "{\"marked\":1}");
        CHECK_EQ(rows(w, "toyshop", "souk_parked where replay"), 1);
}

WORLD_TEST(a_database_that_is_away_is_a_503_and_comes_back_by_itself)
{
        char name[100];
        struct http_answer a;
        snprintf(name, sizeof name, "world_%d_%lld_toyshop", (int)getpid(), (long long)number(w, "toyshop", "select split_part(current_database(), '_', 3)::int8"));
        str at = made(w, "staff#1", DUCK);
        outside("alter database %s with allow_connections false", name);
        outside("select pg_terminate_backend(pid) from pg_stat_activity where datname = '%s'", name);
        do a = http(w, "", GET, at.p, NULL); while (a.status == 200);
        a = refused(a, 503, "database");
        CHECK(header_of(&a, "retry-after").p != NULL);
        refused(http(w, "staff#2", POST, "/v1/toys", DUCK), 503, "database");
        a = http(w, "", GET, "/readyz", NULL);
        CHECK_EQ(a.status, 503);
        HAS(a.body, "{\"name\":\"database of toyshop\",\"ok\":false}");
        CHECK_EQ(http(w, "", GET, "/healthz", NULL).status, 200);
        outside("alter database %s with allow_connections true", name);
        int64_t began = clock_us();
        do a = http(w, "", GET, at.p, NULL); while (a.status == 503 && clock_us() - began < 10000000 && (fiber_yield(), true));
        CHECK_EQ(a.status, 200);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------------- */

static str token_for(struct world *w, const char *scope, unsigned roles, int seconds)
{
        struct ctx *c = as(w, "");
        str token;
        when now = clock_now();
        struct claims m = { .iss = STR("https://souk.local"), .aud = STR("souk"), .client_id = STR("t"), .jti = STR("1"), .scope = str_of(scope), .sub = who_id("alice"),
                            .roles = roles, .iat = now, .exp = { now.us + seconds * 1000000LL } };
        CHECK_OK(jwt_sign(c, shop_here->key, &m, &token));
        return token;
}

static struct http_answer with_token(struct world *w, const char *line, str token)
{
        struct ctx *c = as(w, "");
        return http_message(w, NULL, arena_z(c->arena, arena_printf(c->arena, "%s HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\nauthorization: Bearer " STR_FMT "\r\n\r\n", line,
                                                                    STR_ARG(token))));
}

WORLD_TEST(a_token_is_checked_once_and_remembered_until_it_expires)
{
        keys_of(w, &toy_keys_op);
        str token = token_for(w, "toys:read", ROLE_CUSTOMER, 900);
        CHECK_EQ(with_token(w, "POST /v1/keyed", token).status, 200);
        CHECK_EQ(with_token(w, "POST /v1/keyed", token).status, 200);
        CHECK_EQ(shop_here->asked, 1);
        struct http_answer a = refused(with_token(w, "DELETE /v1/toys/00000000-0000-4000-8000-000000000000", token), 403, "forbidden");
        a = refused(with_token(w, "POST /v1/toys", token_for(w, "toys:read", ROLE_STAFF, 900)), 403, "insufficient_scope");
        CHECK_STR(header_of(&a, "www-authenticate"), "Bearer realm=\"souk\", error=\"insufficient_scope\", scope=\"toys:write\"");
        clock_fake((when){ clock_now().us + 901000000 });
        a = with_token(w, "POST /v1/keyed", token);
        clock_real();
        refused(a, 401, "invalid_token");
        CHECK_STR(header_of(&a, "www-authenticate"), "Bearer realm=\"souk\", error=\"invalid_token\"");
}

WORLD_TEST(a_forged_token_that_ends_like_a_remembered_one_is_none_and_does_not_take_its_place)
{
        keys_of(w, &toy_keys_op);
        str token = token_for(w, "toys:read", ROLE_CUSTOMER, 900);
        CHECK_EQ(with_token(w, "POST /v1/keyed", token).status, 200);
        for (size_t i = 0; i < token.n - 40; i += 7) {
                char *forged = memcpy(arena_alloc(last(w)->arena, token.n), token.p, token.n);
                forged[i] = forged[i] == 'A' ? 'B' : 'A';
                refused(with_token(w, "POST /v1/keyed", (str){ forged, token.n }), 401, "invalid_token");
                CHECK_EQ(with_token(w, "POST /v1/keyed", token).status, 200);
        }
}

WORLD_TEST(only_so_many_tokens_are_remembered_and_the_others_are_checked_again)
{
        struct auth *a = auth_open(&(struct auth_options){ STR("https://souk.local"), STR("souk"), &toy_keys_op, .tokens_max = 2 });
        COUNTING(TOKENS);
        for (int i = 0; i < 6; i++) {
                str token = token_for(w, "", ROLE_CUSTOMER, 900 + i);
                struct ctx *c = as(w, "");
                CHECK_OK(auth_caller(c, a, arena_printf(c->arena, "Bearer " STR_FMT, STR_ARG(token))));
                CHECK(uid_eq(c->caller.id, who_id("alice")));
        }
        REACHED(TOKENS);
        auth_close(&a);
}

WORLD_TEST(a_token_of_nobody_known_is_refused_and_keys_are_not_asked_for_each)
{
        struct jwk *stranger, *ours;
        keys_of(w, &toy_keys_op);
        CHECK_EQ(with_token(w, "POST /v1/keyed", token_for(w, "", ROLE_CUSTOMER, 900)).status, 200);
        CHECK_OK(jwk_make_es256(&stranger));
        ours = shop_here->key;
        shop_here->key = stranger;
        str forged = token_for(w, "", ROLE_ADMIN, 900);
        shop_here->key = ours;
        for (int i = 0; i < 5; i++) refused(with_token(w, "POST /v1/keyed", forged), 401, "invalid_token");
        CHECK_EQ(shop_here->asked, 1);
        refused(with_token(w, "GET /v1/toys", forged), 401, "invalid_token");
        refused(with_token(w, "POST /v1/keyed", STR("abc")), 401, "invalid_token");
        refused(http_message(w, NULL, "POST /v1/keyed HTTP/1.1\r\nhost: x\r\nauthorization: Basic YTpi\r\n\r\n"), 401, "missing_token");
        refused(http_message(w, NULL, "POST /v1/keyed HTTP/1.1\r\nhost: x\r\n\r\n"), 401, "missing_token");
        jwk_free(&stranger);
}

WORLD_TEST(without_keys_tokens_are_answered_with_503_and_the_public_is_served)
{
        keys_of(w, &toy_keys_op);
        shop_here->hide = true;
        str token = token_for(w, "", ROLE_CUSTOMER, 900);
        struct http_answer a = refused(with_token(w, "POST /v1/keyed", token), 503, "no_keys");
        CHECK(header_of(&a, "retry-after").p != NULL);
        CHECK_EQ(http_message(w, NULL, "GET /v1/toys HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
}

TEST_MAIN
