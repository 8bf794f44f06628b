/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * app_db_test.c - a whole program with a database: made at the first start, found at the second; tokens, events and jobs on two workers. */
#include "test.h"
#include <libpq-fe.h>
#include <stdatomic.h>
#include "program.h"
#include "toyshop.h"

static void server(const char *sql)
{
        PGconn *pq = PQconnectdb(getenv("SOUK_TEST_DATABASE_URL"));
        PGresult *r = PQexec(pq, sql);
        if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) cm_fail_msg("%s: %s", sql, PQerrorMessage(pq));
        PQclear(r);
        PQfinish(pq);
}

/* Each worker has a toyshop with a key of its own; a token of any is good at all only if they share it. */
static struct jwk *shared_key;
static char token[2000];
static int keys_of_all(struct ctx *c, const struct nothing *in, struct jwks *out)
{
        str key;
        (void)in;
        TRY(jwk_write(c, shared_key, false, &key));
        out->keys = arena_printf(c->arena, "{\"keys\":[" STR_FMT "]}", STR_ARG(key));
        return 0;
}
OP(keys_of_all, nothing, jwks);
static int sign(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        str text;
        when now = clock_now();
        struct claims m = { .iss = STR("https://souk.local"), .aud = STR("souk"), .client_id = STR("t"), .jti = STR("1"), .scope = STR("toys:write"),
                            .sub = { { 1 } }, .roles = ROLE_STAFF, .iat = now, .exp = { now.us + 900000000 } };
        (void)in;
        (void)out;
        TRY(jwt_sign(c, shared_key, &m, &text));
        snprintf(token, sizeof token, STR_FMT, STR_ARG(text));
        return 0;
}
OP(sign, nothing, nothing);
static const struct service keyring = { .name = "keyring", CALLS(&keys_of_all_op),
                                        ROUTES(POST("/sign", sign, .who = ANYONE)) };

static void find(const char *answer, const char *before, char *out, size_t n)
{
        const char *at = strstr(answer, before);
        MUST(at, "no %s in %s\n", before, answer);
        snprintf(out, n, "%s", at + strlen(before));
}

/* Makes a toy with the token, waits until its event was applied (stock 5 + 1) and until the job set it to 0. */
static void buy_and_wait(struct run *r)
{
        static char a[65536];
        char request[4000], id[37];
        static const char body[] = "{\"name\":\"duck\",\"price\":{\"amount\":199,\"currency\":\"EUR\"},\"stock\":5}";
        ask(r->port, "POST /sign HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", a);
        WANT(a, "204 No Content");
        snprintf(request, sizeof request, "POST /v1/toys HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\nidempotency-key: k\r\n"
                 "content-type: application/json\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n%s", token, sizeof body - 1, body);
        for (int i = 0; i < 6; i++) {
                ask(r->port, request, a);
                WANT(a, "HTTP/1.1 201 Created");
                if (i) WANT(a, "idempotency-replayed: true");
        }
        find(a, "location: /v1/toys/", id, sizeof id);
        snprintf(request, sizeof request, "GET /v1/toys/%.36s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", id);
        int64_t began = clock_us();
        do ask(r->port, request, a); while (!strstr(a, "\"stock\":0") && clock_us() - began < 20000000);
        WANT(a, "\"stock\":0");
        ask(r->port, GET_("/metrics"), a);
        WANT(a, "souk_job_runs_total{service=\"toyshop\",job=\"tick\",result=\"ok\"}");
        WANT(a, "souk_consumer_events_total{consumer=\"toyshop.toy_count_made\",source=\"toyshop\"}");
        WANT(a, "souk_db_statement_runs_total{statement=\"toy_by_id\"}");
        app_stop();
}

static void just_stop(struct run *r)
{
        (void)r;
        app_stop();
}

TEST(a_program_makes_its_database_and_finds_it_again)
{
        static struct run r;
        if (!getenv("SOUK_TEST_DATABASE_URL")) skip();
        crypto_start();
        CHECK_OK(jwk_make_es256(&shared_key));
        server("drop database if exists souk_toyshop with (force)");
        r = (struct run){ .services = { &toyshop_service, &keyring }, .url = getenv("SOUK_TEST_DATABASE_URL"), .keys = &keys_of_all_op, .client = buy_and_wait };
        if (RUN(&r, "--workers=2", "--log-level=warn") != 0) cm_fail_msg("%s", r.log);
        int64_t began = clock_us();
        r.client = just_stop;
        if (RUN(&r, "--workers=2", "--log-level=warn") != 0) cm_fail_msg("%s", r.log);
        CHECK(clock_us() - began < 5000000);
        server("drop database souk_toyshop");
        jwk_free(&shared_key);
}

TEST_MAIN
