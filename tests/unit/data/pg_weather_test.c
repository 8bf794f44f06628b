/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_weather_test.c - a server that has few connections for us, and one that takes no writes. */
#include "test.h"
#include "kinds.h"
#include "pg_scratch.h"

QUERY(backend, &nothing_type, &number_type, ROWS_ONE, "select pg_backend_pid()::int8 as n");

/* A pg whose user may have `most` connections. */
static struct pg *narrow_open(struct ctx *c, int most, char role[64])
{
        str url;
        snprintf(role, 64, "souk_narrow_%d", (int)getpid());
        OK(c, db_exec(db(c), arena_printf(c->arena, "create role %s login connection limit %d", role, most).p));
        OK(c, pg_url_with(c, str_of(scratch_url), scratch_name, role, &url));
        return pg_open(&(struct pg_options){ .url = url, .transactions_max = 4, .name = "narrow" });
}

static void narrow_close(struct ctx *c, struct pg *narrow, const char *role)
{
        pg_close(&narrow);
        for (int64_t n = 1; n > 0;) {
                OK(c, n = db_count(db(c), arena_printf(c->arena, "select count(*) from pg_stat_activity where usename = '%s'", role).p));
                OK(c, fiber_sleep(c, 5));
        }
        OK(c, db_exec(db(c), arena_printf(c->arena, "drop role %s", role).p));
}

struct turn { struct pg *pg; int result; int64_t pid; };

static void take_turn(void *arg)
{
        struct turn *t = arg;
        struct ctx c = { .arena = arena_new(1 << 20), .pg = t->pg, .op = "turn", .deadline_us = deadline_in(SECONDS(20)) };
        struct number n = { 0 };
        {
                TX(tx, &c);
                t->result = db_run(tx, &backend, NULL, &n);
                if (t->result >= 0) t->result = tx_commit(tx);
        }
        t->pid = n.n;
        t->pg = NULL;
        arena_free(c.arena);
}

PG_TEST(a_server_with_no_connection_left_makes_transactions_take_turns_on_those_we_have)
{
        char role[64];
        struct pg *narrow = narrow_open(c, 2, role);            /* the shared one, and one for transactions */
        struct ctx own = { .arena = arena_new(1 << 20), .pg = narrow, .op = "first", .deadline_us = deadline_in(SECONDS(20)) };
        struct turn later[3] = { { narrow, 1, 0 }, { narrow, 1, 0 }, { narrow, 1, 0 } };
        struct number first;
        {
                TX(tx, &own);
                OK(&own, db_run(tx, &backend, NULL, &first));
                for (size_t i = 0; i < COUNT(later); i++) CHECK_OK(fiber_start("turn", take_turn, &later[i]));
                while (pg_stats(narrow).waiting < (int)COUNT(later)) OK(c, fiber_sleep(c, 1));
                CHECK_EQ(pg_stats(narrow).open, 1);
                OK(&own, tx_commit(tx));
        }
        for (size_t i = 0; i < COUNT(later); i++) {
                while (later[i].pg) OK(c, fiber_sleep(c, 1));
                CHECK_EQ(later[i].result, 0);
                CHECK_EQ(later[i].pid, first.n);
        }
        arena_free(own.arena);
        narrow_close(c, narrow, role);
}

PG_TEST(a_server_with_no_connection_for_a_transaction_is_told_at_once)
{
        char role[64];
        struct pg *narrow = narrow_open(c, 1, role);
        struct ctx own = { .arena = arena_new(1 << 20), .pg = narrow, .op = "only", .deadline_us = deadline_in(SECONDS(20)) };
        struct number n;
        OK(&own, db_run(db(&own), &backend, NULL, &n));
        {
                TX(tx, &own);
                FAILS(&own, UNAVAILABLE, "database", db_run(tx, &backend, NULL, &n));
                SAYS(&own, "too many connections");
        }
        CHECK(own.fault.retry_after_ms > 0);
        CHECK_EQ(pg_stats(narrow).open, 0);
        arena_free(own.arena);
        narrow_close(c, narrow, role);
}

PG_TEST(a_session_that_takes_no_writes_is_noticed_and_asked_until_it_does)
{
        OK(c, db_exec(db(c), "set default_transaction_read_only = on"));
        CHECK(!pg_is_read_only(c->pg));
        FAILS(c, UNAVAILABLE, "database", (int)db_exec(db(c), "create table unwritten ()"));
        CHECK(pg_is_read_only(c->pg));
        OK(c, pg_ping(c, c->pg));                       /* it is there, after all */
        OK(c, db_exec(db(c), "set default_transaction_read_only = off"));
        while (pg_is_read_only(c->pg)) OK(c, fiber_sleep(c, 10));
        OK(c, db_exec(db(c), "set default_transaction_read_only = on"));
        FAILS(c, UNAVAILABLE, "database", (int)db_exec(db(c), "create table unwritten ()"));
        CHECK(pg_is_read_only(c->pg));                  /* closing does not wait for better times */
}

TEST_MAIN
