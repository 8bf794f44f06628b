/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_scratch.h - tests on a real PostgreSQL: PG_TEST(a_sentence) { ... } runs in a fiber, with ctx `c` on a database of this program's own.
 *
 * The server is SOUK_TEST_DATABASE_URL's (a superuser's; `tools/with-postgres ctest ...` brings one); without it these tests are skipped.
 * The database is made at the first test and dropped when the program ends. A failed check ends the program: fibers cannot be unwound. */
#ifndef PG_SCRATCH_H
#define PG_SCRATCH_H
#include <libpq-fe.h>
#include <unistd.h>
#include "clock.h"
#include "db.h"
#include "fiber.h"
#include "loop.h"
#include "pg.h"

static char scratch_url[1024], scratch_name[64];

static void scratch_run(const char *sql, bool must)
{
        PGconn *pq = PQconnectdb(getenv("SOUK_TEST_DATABASE_URL"));
        PGresult *r = PQexec(pq, sql);
        if (must && PQresultStatus(r) != PGRES_COMMAND_OK) {
                fprintf(stderr, "%s: %s", sql, PQerrorMessage(pq));
                exit(1);
        }
        PQclear(r);
        PQfinish(pq);
}

static void scratch_drop(void)
{
        char sql[128];
        snprintf(sql, sizeof sql, "drop database if exists %s with (force)", scratch_name);
        scratch_run(sql, false);
}

static void scratch_make(void)
{
        char sql[128];
        if (scratch_name[0]) return;
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        snprintf(scratch_name, sizeof scratch_name, "souk_test_%d", (int)getpid());
        snprintf(sql, sizeof sql, "create database %s", scratch_name);
        scratch_run(sql, true);
        atexit(scratch_drop);
        struct arena *a = arena_new(1 << 20);
        struct ctx c = { .arena = a };
        str url;
        CHECK_OK(pg_url_with(&c, str_of(getenv("SOUK_TEST_DATABASE_URL")), scratch_name, NULL, &url));
        snprintf(scratch_url, sizeof scratch_url, "%.*s", (int)url.n, url.p);
        arena_free(a);
}

static int scratch_main(struct ctx *c, void *arg)
{
        void (*const *body)(struct ctx *) = arg;
        c->pg = pg_open(&(struct pg_options){ .url = str_of(scratch_url), .name = "test", .transactions_max = 4 });
        c->deadline_us = deadline_in(SECONDS(20));
        (*body)(c);
        pg_close(&c->pg);
        return 0;
}

static void scratch_test(void (*body)(struct ctx *c))
{
        if (!getenv("SOUK_TEST_DATABASE_URL")) skip();
        scratch_make();
        CHECK_OK(run_main(scratch_main, &body));
}

#define PG_TEST(name_) \
        static void name_##_body(struct ctx *c); \
        TEST(name_) { scratch_test(name_##_body); } \
        static void name_##_body(struct ctx *c)

/* CHECK_OK that tells the story. */
#define OK(c, e) do { int ok_ = (e); if (ok_ < 0) cm_fail_msg("%s = %d: %s: %.*s", #e, ok_, (c)->fault.slug ? (c)->fault.slug : "", STR_ARG((c)->fault.message)); } while (0)
#define FAILS(c, code_, slug_, e) do { CHECK_EQ((e), -(code_)); assert_string_equal((c)->fault.slug, (slug_)); } while (0)
#define SAYS(c, words) do { if (!strstr((c)->fault.message.p, (words))) cm_fail_msg("\"%.*s\" does not say \"%s\"", STR_ARG((c)->fault.message), (words)); } while (0)
#endif
