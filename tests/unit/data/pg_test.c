/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_test.c - connections that are slow, cancelled, killed, refused, or not there at all. */
#include "test.h"
#include "kinds.h"
#include "migrate.h"
#include "pg_scratch.h"
#include "pool.h"

QUERY(sleep_ms, &number_type, &number_type, ROWS_ONE, "select $1 as n from pg_sleep($1 / 1000.0)", "n");
QUERY(backend, &nothing_type, &number_type, ROWS_ONE, "select pg_backend_pid()::int8 as n");
QUERY(kill_it, &number_type, &number_type, ROWS_ONE, "select pg_terminate_backend($1::int4)::int4::int8 as n", "n");
QUERY(lock_row, &number_type, &number_type, ROWS_ONE, "select n from rows_of_numbers where n = $1 for update", "n");
QUERY(set_row, &number_type, NULL, ROWS_NONE, "update rows_of_numbers set n = n where n = $1", "n");
QUERY(add_row, &number_type, NULL, ROWS_NONE, "insert into rows_of_numbers values ($1)", "n");

static void table(struct ctx *c)
{
        OK(c, db_exec(db(c), "drop table if exists rows_of_numbers; create table rows_of_numbers (n int8 primary key); insert into rows_of_numbers values (1), (2)"));
}

static int64_t backend_of(struct ctx *c, struct db *d)
{
        struct number pid = { 0 };
        OK(c, db_run(d, &backend, NULL, &pid));
        return pid.n;
}

/* A ctx of its own, as an operation of its own has. */
static struct ctx other(struct ctx *c, int timeout_ms)
{
        return (struct ctx){ .arena = arena_new(1 << 20), .pg = c->pg, .op = "other", .deadline_us = deadline_in(timeout_ms) };
}

/* ---- leaving early ----------------------------------------------------------------------------------------------------- */

PG_TEST(a_deadline_leaves_the_shared_connection_whole_and_cancels_at_the_server)
{
        int64_t pid = backend_of(c, db(c)), began = clock_us();
        struct ctx late = other(c, 50);
        struct number n;
        CHECK_EQ(db_run(db(&late), &sleep_ms, &(struct number){ 60000 }, &n), -DEADLINE_EXCEEDED);
        CHECK_EQ(backend_of(c, db(c)), pid);            /* stands behind the sleep until that is cancelled */
        CHECK(clock_us() - began < SECONDS(50) * 1000LL);
        CHECK_EQ(pg_stats(c->pg).in_flight, 0);
        arena_free(late.arena);
}

static int sleeper(struct ctx *c, void *arg)
{
        struct number n;
        int code = db_run(db(c), &sleep_ms, arg, &n);
        CHECK(code == -CANCELLED || code == 1);
        return 0;
}

PG_TEST(cancelling_a_waiting_fiber_leaves_the_connection_usable)
{
        int64_t pid = backend_of(c, db(c));
        struct number ms = { 10000 };
        {
                GROUP(g, c);
                OK(c, group_go(g, sleeper, &ms));
                OK(c, fiber_sleep(c, 30));
        }
        CHECK_EQ(backend_of(c, db(c)), pid);
}

static int neighbour(struct ctx *c, void *arg)
{
        struct number n;
        int code = db_run(db(c), &sleep_ms, &(struct number){ 3 }, &n);
        if (code == 1) ++*(int *)arg;
        else printf("neighbour: %d: %.*s\n", code, STR_ARG(c->fault.message));
        return 0;
}

static int hurried(struct ctx *c, void *arg)
{
        struct number n;
        (void)arg;
        ctx_limit(c, 20);
        CHECK_EQ(db_run(db(c), &sleep_ms, &(struct number){ 10000 }, &n), -DEADLINE_EXCEEDED);
        return 0;
}

PG_TEST(neighbours_of_a_cancelled_statement_get_their_answers)
{
        int answered = 0;
        GROUP(g, c);
        for (int i = 0; i < 60; i++)
                OK(c, group_go(g, i % 15 ? neighbour : hurried, &answered));
        OK(c, group_wait(g));
        CHECK_EQ(answered, 56);
}

static int slow_in_tx(struct ctx *c, int timeout_ms)
{
        struct number n;
        TX(tx, c);
        TRY(db_run(tx, &add_row, &(struct number){ 7 }, NULL));
        ctx_limit(c, timeout_ms);
        TRY(db_run(tx, &sleep_ms, &(struct number){ 10000 }, &n));
        return tx_commit(tx);
}

PG_TEST(a_deadline_in_a_transaction_rolls_it_back_and_frees_its_connection)
{
        table(c);
        for (int i = 0; i < 6; i++) {           /* more than there are connections */
                struct ctx late = other(c, 5000);
                CHECK_EQ(slow_in_tx(&late, 30), -DEADLINE_EXCEEDED);
                CHECK(late.tx == NULL);
                arena_free(late.arena);
        }
        while (pg_stats(c->pg).busy) OK(c, fiber_sleep(c, 5));
        CHECK(pg_stats(c->pg).open <= 4);
        CHECK_EQ(db_count(db(c), "select count(*) from rows_of_numbers where n = 7"), 0);
        CHECK_EQ(db_count(db(c), "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"), 0);
}

static int blocked_commit(struct ctx *c)
{
        static const struct number one = { 1 };
        TX(tx, c);
        TRY(db_later(tx, &set_row, &one));
        return tx_commit(tx);
}

PG_TEST(a_commit_behind_a_lock_ends_with_its_deadline)
{
        table(c);
        struct number n;
        struct ctx holder = other(c, 10000), late = other(c, 50);
        {
                TX(tx, &holder);
                OK(&holder, db_run(tx, &lock_row, &(struct number){ 1 }, &n));
                CHECK_EQ(blocked_commit(&late), -DEADLINE_EXCEEDED);
                OK(&holder, tx_commit(tx));
        }
        arena_free(late.arena);
        arena_free(holder.arena);
        OK(c, blocked_commit(c));
}

static int late_commit(struct ctx *c, int64_t *in_flight)
{
        static const struct number seven = { 7 };
        TX(tx, c);
        TRY(db_run(tx, &add_row, &seven, NULL));
        c->deadline_us = clock_us() - 1;
        int code = tx_commit(tx);
        *in_flight = (int64_t)db_stats().round_trips;
        return code;
}

PG_TEST(what_has_no_time_left_is_not_sent)
{
        table(c);
        struct ctx late = other(c, 1000);
        int64_t before = (int64_t)db_stats().round_trips, after;
        CHECK_EQ(late_commit(&late, &after), -DEADLINE_EXCEEDED);
        CHECK_EQ(after - before, 1);
        struct number n;
        CHECK_EQ(db_run(db(&late), &backend, NULL, &n), -DEADLINE_EXCEEDED);
        CHECK_EQ((int64_t)db_stats().round_trips - before, 1);
        CHECK_EQ(db_count(db(c), "select count(*) from rows_of_numbers"), 2);
        arena_free(late.arena);
}

/* ---- the pool ------------------------------------------------------------------------------------------------------------ */

struct turn { int *order, *n, me; };

static int take_turn(struct ctx *c, void *arg)
{
        struct turn *t = arg;
        struct number n;
        TX(tx, c);
        TRY(db_run(tx, &sleep_ms, &(struct number){ 2 }, &n));
        t->order[(*t->n)++] = t->me;
        return tx_commit(tx);
}

static void take_turns(struct ctx *c, int order[32])
{
        struct turn turns[32];
        int n = 0;
        GROUP(g, c);
        for (int i = 0; i < 32; i++) {
                turns[i] = (struct turn){ order, &n, i };
                OK(c, group_go(g, take_turn, &turns[i]));
        }
        OK(c, group_wait(g));
        CHECK_EQ(n, 32);
        while (pg_stats(c->pg).busy) OK(c, fiber_sleep(c, 1));
}

PG_TEST(transactions_beyond_the_pool_wait_their_turn)
{
        COUNTING(DB_TRANSACTIONS);
        int order[32];
        struct pg *before = c->pg;
        struct pg *narrow = pg_open(&(struct pg_options){ .url = str_of(getenv("SOUK_TEST_DATABASE_URL")), .transactions_max = 1, .name = "narrow" });
        take_turns(c, order);
        CHECK_EQ(pg_stats(c->pg).open, 4);
        c->pg = narrow;
        take_turns(c, order);
        c->pg = before;
        pg_close(&narrow);
        for (int i = 0; i < 32; i++)
                CHECK_EQ(order[i], i);                  /* one at a time: first come, first served */
        REACHED(DB_TRANSACTIONS);
}

static int waits_in_vain(struct ctx *c, void *arg)
{
        struct number n;
        (void)arg;
        ctx_limit(c, 30);
        TX(tx, c);
        CHECK_EQ(db_run(tx, &backend, NULL, &n), -DEADLINE_EXCEEDED);
        return 0;
}

PG_TEST(waiting_for_a_connection_obeys_the_deadline)
{
        struct ctx holders[4];
        struct db *tx[4];
        for (int i = 0; i < 4; i++) {
                holders[i] = other(c, 10000);
                tx[i] = tx_begin(&holders[i]);
                backend_of(&holders[i], tx[i]);
        }
        struct ctx late = other(c, 10000);
        OK(&late, waits_in_vain(&late, NULL));
        for (int i = 0; i < 4; i++) {
                OK(&holders[i], tx_commit(tx[i]));
                arena_free(holders[i].arena);
        }
        arena_free(late.arena);
        CHECK(backend_of(c, db(c)) > 0);
}

PG_TEST(statements_beyond_the_pipelines_maximum_wait)
{
        COUNTING(DB_PIPELINE);
        int answered = 0;
        struct pg *before = c->pg;
        c->pg = pg_open(&(struct pg_options){ .url = str_of(scratch_url), .name = "narrow", .pipeline_max = 2 });
        {
                GROUP(g, c);
                for (int i = 0; i < 20; i++) OK(c, group_go(g, neighbour, &answered));
                while (pg_stats(c->pg).in_flight < 2) fiber_yield();
                CHECK(pg_stats(c->pg).in_flight == 2 && pg_stats(c->pg).waiting > 10);
                OK(c, group_wait(g));
        }
        CHECK_EQ(answered, 20);
        CHECK_EQ(pg_stats(c->pg).in_flight, 0);
        pg_close(&c->pg);
        c->pg = before;
        REACHED(DB_PIPELINE);
}

QUERY(text_back, &kinds_type, &kinds_type, ROWS_ONE, "select $1 as maybe_text", "text");
QUERY(text_length, &kinds_type, &kinds_type, ROWS_ONE, "select octet_length($1)::int8 as large, right($1, 2) as maybe_text", "text");

static int send_much(struct ctx *c, void *arg)
{
        struct kinds out, in = { .text = *(str *)arg };
        TRY(db_run(db(c), &text_length, &in, &out));
        return out.large == (int64_t)in.text.n && str_eq(out.maybe_text, STR("xy")) ? 0 : -DATA_LOSS;
}

PG_TEST(what_the_kernel_does_not_take_at_once_follows)
{
        enum { BIG = 3 << 20 };
        str big = { malloc(BIG), BIG };
        memset((char *)big.p, 'x', BIG);
        ((char *)big.p)[BIG - 1] = 'y';
        struct kinds out;
        OK(c, db_run(db(c), &text_back, &(struct kinds){ .text = big }, &out));
        CHECK(str_eq(out.maybe_text, big));
        GROUP(g, c);
        for (int i = 0; i < 3; i++) OK(c, group_go(g, send_much, &big));
        OK(c, group_wait(g));
        free((char *)big.p);
}

static int lock_both(struct ctx *c, void *arg)
{
        int64_t first = *(int64_t *)arg, second = 3 - first;
        struct number n;
        TX(tx, c);
        TRY(db_run(tx, &lock_row, &(struct number){ first }, &n));
        TRY(fiber_sleep(c, 50));
        TRY(db_run(tx, &lock_row, &(struct number){ second }, &n));
        return tx_commit(tx);
}

static int lock_both_either_way(struct ctx *c, void *arg)
{
        int code = lock_both(c, arg);
        *(int64_t *)arg = code;
        return 0;
}

PG_TEST(of_a_deadlock_one_is_aborted)
{
        table(c);
        OK(c, db_exec(db(c), "do $$ begin execute format('alter database %I set deadlock_timeout = ''100ms''', current_database()); end $$"));
        int64_t a = 1, b = 2;
        struct pg *shared = c->pg;
        c->pg = pg_open(&(struct pg_options){ .url = str_of(scratch_url), .name = "deadlock" });
        {
                GROUP(g, c);
                OK(c, group_go(g, lock_both_either_way, &a));
                OK(c, group_go(g, lock_both_either_way, &b));
                OK(c, group_wait(g));
        }
        pg_close(&c->pg);
        c->pg = shared;
        CHECK((a == 0 && b == -ABORTED) || (a == -ABORTED && b == 0));
}

/* ---- losing it ------------------------------------------------------------------------------------------------------------- */

static int waits_for_end(struct ctx *c, void *arg)
{
        struct number n;
        int code = db_run(db(c), &sleep_ms, &(struct number){ 10000 }, &n);
        *(int *)arg = code;
        CHECK(c->fault.retry_after_ms > 0);
        return 0;
}

PG_TEST(a_killed_session_fails_what_is_in_flight_and_is_replaced)
{
        int64_t pid = backend_of(c, db(c));
        int codes[5];
        struct ctx admin = other(c, 5000);
        struct number killed;
        {
                GROUP(g, c);
                for (int i = 0; i < 5; i++) OK(c, group_go(g, waits_for_end, &codes[i]));
                OK(c, fiber_sleep(c, 20));
                TX(tx, &admin);
                OK(&admin, db_run(tx, &kill_it, &(struct number){ pid }, &killed));
                OK(c, group_wait(g));
        }
        for (int i = 0; i < 5; i++) CHECK_EQ(codes[i], -UNAVAILABLE);
        int64_t again = backend_of(c, db(c));
        CHECK(again > 0 && again != pid);
        CHECK(pg_is_up(c->pg));
        arena_free(admin.arena);
}

static int killed_in_tx(struct ctx *c, struct ctx *admin)
{
        struct number killed;
        TX(tx, c);
        TRY(db_run(tx, &add_row, &(struct number){ 8 }, NULL));
        OK(admin, db_run(db(admin), &kill_it, &(struct number){ backend_of(c, tx) }, &killed));
        return tx_commit(tx);
}

PG_TEST(a_session_killed_in_a_transaction_is_unavailable_once)
{
        table(c);
        struct ctx admin = other(c, 5000);
        CHECK_EQ(killed_in_tx(c, &admin), -UNAVAILABLE);
        CHECK_EQ(db_count(db(c), "select count(*) from rows_of_numbers"), 2);
        arena_free(admin.arena);
}

PG_TEST(idle_connections_killed_behind_our_back_are_not_handed_out)
{
        struct ctx admin = other(c, 5000);
        struct number killed;
        CHECK_EQ(db_count(db(c), "select 5"), 5);
        int64_t pid = db_count(db(c), "select pg_backend_pid()");
        CHECK_EQ(pg_stats(c->pg).open, 1);
        OK(&admin, db_run(db(&admin), &kill_it, &(struct number){ pid }, &killed));
        while (pg_stats(c->pg).open) OK(c, fiber_sleep(c, 2));
        CHECK_EQ(db_count(db(c), "select 6"), 6);
        arena_free(admin.arena);
}

PG_TEST(without_a_server_callers_are_told_at_once_and_when_to_come_again)
{
        struct pg *before = c->pg, *nowhere = pg_open(&(struct pg_options){ .url = STR("host=/nonexistent dbname=x"), .name = "nowhere" });
        c->pg = nowhere;
        CHECK_EQ(pg_ping(c, nowhere), -UNAVAILABLE);
        CHECK(!pg_is_up(nowhere));
        int64_t began = clock_us();
        for (int i = 0; i < 50; i++) {
                CHECK_EQ(pg_ping(c, nowhere), -UNAVAILABLE);
                CHECK(c->fault.retry_after_ms > 0);
        }
        CHECK_EQ(db_exec(db(c), "select 1"), -UNAVAILABLE);
        SAYS(c, "/nonexistent");
        CHECK(clock_us() - began < SECONDS(20) * 1000LL);
        c->pg = before;
        pg_close(&nowhere);
        CHECK(nowhere == NULL);
}

PG_TEST(a_name_that_leads_nowhere_is_told)
{
        struct pg *nowhere = pg_open(&(struct pg_options){ .url = STR("postgresql://no-such-host.invalid/x"), .name = "nowhere" });
        CHECK_EQ(pg_ping(c, nowhere), -UNAVAILABLE);
        SAYS(c, "no-such-host.invalid");
        pg_close(&nowhere);
}

/* ---- prepared statements --------------------------------------------------------------------------------------------------- */

QUERY(all_of_it, &nothing_type, &kinds_type, ROWS_MANY, "select * from changing order by small");

PG_TEST(a_table_that_changed_under_a_prepared_statement_is_read_anew)
{
        struct kinds_list out;
        OK(c, db_exec(db(c), "drop table if exists changing; create table changing (small int4, text text); insert into changing values (1, 'a')"));
        CHECK_EQ(db_run(db(c), &all_of_it, NULL, &out), 1);
        OK(c, db_exec(db(c), "alter table changing add large int8 default 9, drop text"));
        CHECK_EQ(db_run(db(c), &all_of_it, NULL, &out), 1);
        CHECK(out.v[0].large == 9 && out.v[0].small == 1 && !out.v[0].text.p);
        OK(c, db_exec(db(c), "alter table changing alter small type int8"));
        CHECK_EQ(db_run(db(c), &all_of_it, NULL, &out), 1);
        CHECK_EQ(out.v[0].small, 1);
}

QUERY(from_late, &nothing_type, &number_type, ROWS_ONE, "select n from made_late");

PG_TEST(a_statement_that_could_not_be_prepared_is_prepared_again)
{
        struct number n;
        OK(c, db_exec(db(c), "drop table if exists made_late"));
        CHECK_EQ(db_run(db(c), &from_late, NULL, &n), -INTERNAL);
        SAYS(c, "made_late");
        OK(c, db_exec(db(c), "create table made_late (n int8); insert into made_late values (3)"));
        CHECK_EQ(db_run(db(c), &from_late, NULL, &n), 1);
        CHECK_EQ(n.n, 3);
}

/* ---- databases, strings, leaders ------------------------------------------------------------------------------------------------ */

PG_TEST(a_database_and_its_role_are_made_once)
{
        str url, admin = str_of(getenv("SOUK_TEST_DATABASE_URL"));
        char name[64];
        snprintf(name, sizeof name, "souk_made_%d", (int)getpid());
        OK(c, pg_ensure_database(c, admin, name));
        OK(c, pg_ensure_database(c, admin, name));
        OK(c, pg_url_with(c, admin, name, name, &url));
        struct pg *before = c->pg, *made = pg_open(&(struct pg_options){ .url = url, .name = "made" });
        c->pg = made;
        OK(c, pg_ping(c, made));
        OK(c, db_exec(db(c), "create table mine (n int8)"));
        pg_close(&made);
        OK(c, pg_url_with(c, admin, name, NULL, &url));
        made = pg_open(&(struct pg_options){ .url = url, .name = "acts", .role = name });       /* logs in as the admin, acts as the role */
        c->pg = made;
        CHECK_EQ(db_count(db(c), arena_printf(c->arena, "select count(*) from mine where current_user = '%s'", name).p), 0);
        CHECK_EQ(db_count(db(c), arena_printf(c->arena, "select (current_user = '%s' and session_user <> '%s')::int", name, name).p), 1);
        CHECK(db_exec(db(c), "create role x") < 0);
        c->pg = before;
        pg_close(&made);
        OK(c, db_exec(db(c), arena_printf(c->arena, "drop database %s", name).p));
        OK(c, db_exec(db(c), arena_printf(c->arena, "drop role %s", name).p));
        FAILS(c, INVALID_ARGUMENT, "database_name", pg_ensure_database(c, admin, "x; drop database y"));
}

TEST(connection_strings_are_read_and_written_again)
{
        struct ctx c = { .arena = arena_new(1 << 20) };
        str out;
        OK(&c, pg_url_with(&c, STR("postgresql://me:p%27%5Cw@db.example:5433/x?sslmode=require"), "y", NULL, &out));
        CHECK_STR(out, "user='me' password='p\\'\\\\w' dbname='y' host='db.example' port='5433' sslmode='require'");
        OK(&c, pg_url_with(&c, STR("host=/run/pg user=a"), "b", "c", &out));
        CHECK(strstr(out.p, "user='c'") && strstr(out.p, "dbname='b'") && strstr(out.p, "host='/run/pg'"));
        FAILS(&c, INVALID_ARGUMENT, "database_url", pg_url_with(&c, STR("nonsense"), "b", NULL, &out));
        arena_free(c.arena);
}

static int lead_second(struct ctx *c, void *arg)
{
        struct pg_leader *l;
        TRY(pg_lead(c, c->pg, "test", &l));
        *(bool *)arg = true;
        pg_leader_end(&l);
        CHECK(l == NULL);
        return 0;
}

PG_TEST(one_leads_at_a_time)
{
        struct pg_leader *first;
        bool second = false;
        OK(c, pg_lead(c, c->pg, "test", &first));
        GROUP(g, c);
        OK(c, group_go(g, lead_second, &second));
        OK(c, fiber_sleep(c, 50));
        CHECK(!second && !pg_leader_is_lost(first));
        OK(c, db_exec(db(c), "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database "
                             "where datname = current_database())"));
        while (!pg_leader_is_lost(first)) OK(c, fiber_sleep(c, 5));
        pg_leader_end(&first);
        OK(c, group_wait(g));
        CHECK(second);
}

static int lead_nowhere(struct ctx *c, void *arg)
{
        struct pg_leader *l = NULL;
        struct ctx own = { .arena = arena_new(16 * 1024), .op = "lead_nowhere", .deadline_us = deadline_in(SECONDS(30)) };
        (void)c;
        CHECK_EQ(pg_lead(&own, arg, "test", &l), -DEADLINE_EXCEEDED);
        CHECK(!l && arena_used(own.arena) < 2000);
        arena_free(own.arena);
        return 0;
}

PG_TEST(waiting_to_lead_while_there_is_no_database_fills_no_memory)
{
        struct pg *nowhere = pg_open(&(struct pg_options){ .url = STR("postgresql:///x?host=/nowhere/at/all"), .name = "nowhere" });
        clock_fake(clock_now());
        {
                GROUP(g, c);
                OK(c, group_go(g, lead_nowhere, nowhere));
                for (int i = 0; i < 100; i++) {
                        for (int k = 0; k < 10; k++) fiber_yield();
                        clock_advance(500);
                }
                clock_real();
                OK(c, group_wait(g));
        }
        pg_close(&nowhere);
}

/* ---- many workers ---------------------------------------------------------------------------------------------------------------- */

static int worker(void *arg, int index)
{
        (void)arg, (void)index;
        struct ctx c = { .arena = arena_new(1 << 20), .op = "worker", .deadline_us = deadline_in(SECONDS(20)) };
        c.pg = pg_open(&(struct pg_options){ .url = str_of(scratch_url), .name = "worker" });
        for (int i = 0; i < 100; i++) {
                backend_of(&c, db(&c));
                OK(&c, blocked_commit(&c));
                CHECK_EQ(db_run(db(&c), &add_row, &(struct number){ 1 }, NULL), -ALREADY_EXISTS);
                arena_reset(c.arena);
        }
        pg_close(&c.pg);
        arena_free(c.arena);
        return 0;
}

PG_TEST(there_is_a_table_for_the_workers)
{
        table(c);
}

TEST(workers_share_statements_and_nothing_else)
{
        if (!getenv("SOUK_TEST_DATABASE_URL")) skip();
        CHECK_OK(run_workers(2, worker, NULL));
}

TEST_MAIN
