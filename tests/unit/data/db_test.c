/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * db_test.c - statements and transactions on a real PostgreSQL: every kind there and back, drift, violations, rollback. */
#include "test.h"
#include "kinds.h"
#include "pg_scratch.h"

static uid id_of(uint8_t n) { return (uid){ { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, n } }; }

static struct kinds sample(void)
{
        static uid ids[2];
        static str words[] = { STR("a"), STR(""), STR("\"quoted\", {braces} \\ and ünïcode") };
        static int64_t numbers[] = { -1, 0, INT64_MAX };
        static struct part parts[2];
        ids[0] = id_of(1);
        ids[1] = id_of(2);
        parts[0] = (struct part){ id_of(3), STR("wheel"), 4, 2, { 1999, "EUR" }, { INT64_C(1700000000123456) } };
        parts[1] = (struct part){ .id = id_of(4), .quantity = -7 };
        return (struct kinds){
                .yes = true, .small = INT32_MIN, .colour = 1, .large = INT64_MIN, .ratio = -0.1,
                .text = STR("it's; :not $1 a 'parameter'\n"),
                .raw = { (const uint8_t *)"\0\1\xff", 3 }, .id = id_of(9), .at = { INT64_C(-5) }, .total = { -5, "JPY" },
                .home = { STR("Bonn"), { 0 } }, .parts = { parts, 2 }, .ids = { ids, 2 }, .words = { words, 3 }, .numbers = { numbers, 3 },
        };
}

/* ---- there and back --------------------------------------------------------------------------------------------------- */

QUERY(echo, &kinds_type, &kinds_type, ROWS_ONE,
      "select $1::bool as yes, $2::int4 as small, $3::text as colour, $4::int8 as large, $5::float8 as ratio, $6::text as text, $7::bytea as raw, $8::uuid as id,"
      " $9::timestamptz as at, $10::int8 as total_minor, $11::text as total_cur, $12::jsonb as home, $13::jsonb as parts, $14::uuid[] as ids, $15::text[] as words,"
      " $16::int8[] as numbers, $17::text as maybe_text, $18::uuid as maybe_id, $19::timestamptz as maybe_at, $20::int4 as maybe_small, $21::jsonb as maybe_home",
      "yes", "small", "colour.word", "large", "ratio", "text", "raw", "id", "at", "total.minor", "total.cur", "home", "parts", "ids",
      "words", "numbers",
      "maybe_text", "maybe_id", "maybe_at", "maybe_small", "maybe_home");

PG_TEST(every_kind_comes_back_as_it_went)
{
        struct kinds in = sample(), out = { .maybe_small = 5 };
        CHECK_EQ(db_run(db(c), &echo, &in, &out), 1);
        CHECK_EQ(out.yes, true);
        CHECK_EQ(out.small, INT32_MIN);
        CHECK_EQ(out.colour, 1);
        CHECK(out.large == INT64_MIN && out.ratio == -0.1);
        CHECK(str_eq(out.text, in.text));
        CHECK(out.raw.n == 3 && !memcmp(out.raw.p, in.raw.p, 3));
        CHECK(uid_eq(out.id, in.id) && out.at.us == -5);
        CHECK(out.total.minor == -5 && !strcmp(out.total.cur, "JPY"));
        CHECK_STR(out.home.city, "Bonn");
        CHECK(out.home.street.p == NULL);
        CHECK_EQ(out.parts.n, 2);
        CHECK(out.parts.v[0].colour == 2 && out.parts.v[0].price.minor == 1999 && out.parts.v[0].due.us == INT64_C(1700000000123456));
        CHECK(out.parts.v[1].quantity == -7 && out.parts.v[1].name.p == NULL);
        CHECK(out.ids.n == 2 && uid_eq(out.ids.v[1], id_of(2)));
        CHECK(out.words.n == 3 && str_eq(out.words.v[2], in.words.v[2]) && out.words.v[1].n == 0);
        CHECK(out.numbers.n == 3 && out.numbers.v[0] == -1 && out.numbers.v[2] == INT64_MAX);
        CHECK(!out.maybe_text.p && uid_is_zero(out.maybe_id) && !out.maybe_at.us && !out.maybe_small && !out.maybe_home.city.p);
}

PG_TEST(optional_members_that_are_there_come_back_too)
{
        struct kinds in = sample(), out;
        in.maybe_text = STR("");
        in.maybe_id = id_of(7);
        in.maybe_at = (when){ 1 };
        in.maybe_small = -1;
        in.maybe_home = (struct place_of){ STR("Kiel"), STR("Hafen") };
        in.words.n = in.ids.n = in.parts.n = 0;
        OK(c, db_run(db(c), &echo, &in, &out));
        CHECK(out.maybe_text.p && out.maybe_text.n == 0 && uid_eq(out.maybe_id, id_of(7)) && out.maybe_at.us == 1 && out.maybe_small == -1);
        CHECK_STR(out.maybe_home.street, "Hafen");
        CHECK(out.words.n == 0 && out.ids.n == 0 && out.parts.n == 0);
}

QUERY(builtins, &nothing_type, &kinds_type, ROWS_ONE, "select $1::uuid as maybe_id, $2 as maybe_at, $3 as maybe_small", ":caller",
      ":now", ":caller_roles");

PG_TEST(the_caller_and_the_clock_are_parameters)
{
        struct kinds out;
        clock_fake((when){ INT64_C(1800000000000001) });
        OK(c, db_run(db(c), &builtins, NULL, &out));
        CHECK(uid_is_zero(out.maybe_id) && out.maybe_at.us == INT64_C(1800000000000001) && out.maybe_small == 0);
        c->caller = (struct caller){ .id = id_of(5), .roles = ROLE_STAFF | ROLE_ADMIN };
        OK(c, db_run(db(c), &builtins, NULL, &out));
        CHECK(uid_eq(out.maybe_id, id_of(5)) && out.maybe_small == (ROLE_STAFF | ROLE_ADMIN));
        clock_real();
}

QUERY(types, &nothing_type, &kinds_type, ROWS_ONE,
      "select 7::int2 as small, 2::int2 as colour, 8::int4 as large, 1.5::float4 as ratio, 'x'::varchar(9) as text, 'ab'::name as maybe_text,"
      " 5::int4 as total_minor, 'EUR'::bpchar(3) as total_cur, '[1,2]'::json as numbers, null::jsonb as parts, 'null'::jsonb as home, '{}'::uuid[] as ids,"
      " array['p', null] as words");

PG_TEST(narrower_types_and_nulls_fit)
{
        struct kinds out;
        OK(c, db_run(db(c), &types, NULL, &out));
        CHECK(out.small == 7 && out.colour == 2 && out.large == 8 && out.ratio == 1.5);
        CHECK_STR(out.text, "x");
        CHECK_STR(out.maybe_text, "ab");
        CHECK(out.total.minor == 5 && !strcmp(out.total.cur, "EUR"));
        CHECK(out.numbers.n == 2 && out.numbers.v[1] == 2 && out.parts.n == 0 && out.ids.n == 0);
        CHECK(out.words.n == 2 && out.words.v[1].p == NULL);
        CHECK(out.large == 8 && !out.yes);
}

QUERY(too_wide, &nothing_type, &kinds_type, ROWS_ONE, "select 3000000000::int8 as small");
QUERY(no_word, &nothing_type, &kinds_type, ROWS_ONE, "select 'blue'::text as colour");
QUERY(odd_json, &nothing_type, &kinds_type, ROWS_ONE, "select '{\"city\":5}'::jsonb as home");
QUERY(forever, &nothing_type, &kinds_type, ROWS_ONE, "select 'infinity'::timestamptz as at");

PG_TEST(values_that_do_not_fit_are_told)
{
        struct kinds out;
        FAILS(c, INTERNAL, "database", db_run(db(c), &too_wide, NULL, &out));
        SAYS(c, "small");
        FAILS(c, INTERNAL, "database", db_run(db(c), &no_word, NULL, &out));
        SAYS(c, "\"blue\"");
        FAILS(c, INTERNAL, "database", db_run(db(c), &odd_json, NULL, &out));
        SAYS(c, "/city");
        FAILS(c, INTERNAL, "database", db_run(db(c), &forever, NULL, &out));
        FAILS(c, INVALID_ARGUMENT, "invalid", db_run(db(c), &echo, &(struct kinds){ .colour = 9 }, &out));
        FAILS(c, INVALID_ARGUMENT, "database", db_run(db(c), &echo, &(struct kinds){ .text = STR("\xff") }, &out));
}

/* ---- lists as arrays ----------------------------------------------------------------------------------------------------- */

QUERY(parts_insert, &kinds_type, NULL, ROWS_NONE,
      "insert into part_rows select * from unnest($1, $2, $3, $4, $5, $6, $7)",
      "parts.id", "parts.name", "parts.quantity", "parts.colour.word", "parts.price.minor", "parts.price.cur", "parts.due");
QUERY(parts_all, &nothing_type, &part_type, ROWS_MANY,
      "select id, name, quantity, colour, price_minor, price_cur, due from part_rows order by quantity, id");
QUERY(parts_of, &kinds_type, &part_type, ROWS_MANY,
      "select id, name, quantity, colour, price_minor, price_cur, due from part_rows where $1::uuid[] is null or id = any($1)", "ids");

static void part_table(struct ctx *c)
{
        OK(c, db_exec(db(c), "drop table if exists part_rows; create table part_rows (id uuid primary key, name text, quantity int4 not null constraint "
                             "quantity_is_sane check (quantity >= -10), colour text, price_minor int8, price_cur text, due timestamptz)"));
}

PG_TEST(five_hundred_and_twelve_rows_travel_as_arrays)
{
        part_table(c);
        struct part *v = arena_many(c->arena, struct part, 512);
        for (int i = 0; i < 512; i++) {
                v[i] = (struct part){ .id = id_of(0), .quantity = i, .colour = i % 3 };
                v[i].id.b[0] = (uint8_t)(i >> 8);
                v[i].id.b[1] = (uint8_t)i;
                if (i % 2) {
                        v[i].name = arena_printf(c->arena, "part %d", i);
                        v[i].price = (money){ i * 100, "EUR" };
                }
        }
        CHECK_EQ(db_run(db(c), &parts_insert, &(struct kinds){ .parts = { v, 512 } }, NULL), 512);
        CHECK_EQ(db_run(db(c), &parts_insert, &(struct kinds){ .parts = { NULL, 0 } }, NULL), 0);
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows where name is null and price_cur is null and due is null"), 256);
        struct part_list all;
        CHECK_EQ(db_run(db(c), &parts_all, NULL, &all), 512);
        CHECK(all.n == 512 && all.v[511].quantity == 511 && all.v[511].price.minor == 51100 && all.v[511].colour == 1 && !all.v[510].name.p);
        CHECK_STR(all.v[511].name, "part 511");
        CHECK_EQ(db_run(db(c), &parts_of, &(struct kinds){ .ids = { &v[5].id, 1 } }, &all), 1);
        CHECK_EQ(db_run(db(c), &parts_of, &(struct kinds){ 0 }, &all), 0);      /* not optional: empty, not NULL */
}

/* ---- how many rows --------------------------------------------------------------------------------------------------------- */

QUERY(number_one, &number_type, &number_type, ROWS_ONE, "select n from generate_series(1, $1) n", "n");
QUERY(number_maybe, &number_type, &number_type, ROWS_MAYBE, "select n from generate_series(1, $1) n", "n");

PG_TEST(one_maybe_and_many)
{
        struct number out = { 77 };
        FAILS(c, NOT_FOUND, "not_found", db_run(db(c), &number_one, &(struct number){ 0 }, &out));
        CHECK_EQ(db_run(db(c), &number_maybe, &(struct number){ 0 }, &out), 0);
        CHECK_EQ(out.n, 77);
        CHECK_EQ(db_run(db(c), &number_maybe, &(struct number){ 1 }, &out), 1);
        CHECK_EQ(out.n, 1);
        FAILS(c, INTERNAL, "database", db_run(db(c), &number_one, &(struct number){ 2 }, &out));
}

QUERY(small_only, &kinds_type, &kinds_type, ROWS_ONE, "select $1 + 1 as small", "small");

PG_TEST(in_and_out_may_be_one_struct_and_other_members_stay)
{
        struct kinds k = sample(), other;
        k.small = 1;
        OK(c, db_run(db(c), &small_only, &k, &k));
        CHECK(k.small == 2 && k.large == INT64_MIN && k.text.n);
        memset(&other, 0xaa, sizeof other);
        OK(c, db_run(db(c), &small_only, &k, &other));
        CHECK(other.small == 3 && other.large == 0 && other.text.p == NULL);
}

/* ---- drift ------------------------------------------------------------------------------------------------------------------ */

QUERY(good, &number_type, &part_type, ROWS_MANY, "select id, name, quantity, 0 as colour from part_rows where quantity = $1::int8", "n");
QUERY(no_table, &number_type, NULL, ROWS_NONE, "delete from no_such_table where n = $1", "n");
QUERY(extra_column, &nothing_type, &number_type, ROWS_ONE, "select 1::int8 as n, 2 as extra");
QUERY(missing_column, &nothing_type, &part_type, ROWS_ONE, "select id, name, quantity from part_rows");
QUERY(half_money, &nothing_type, &part_type, ROWS_ONE, "select id, 0 as colour, quantity, price_minor from part_rows");
QUERY(wrong_type, &nothing_type, &number_type, ROWS_ONE, "select 'x'::text as n");
QUERY(sum_is_numeric, &nothing_type, &number_type, ROWS_ONE, "select sum(n) as n from (values (1::int8)) v (n)");
QUERY(no_member, &number_type, NULL, ROWS_NONE, "select $1", "m");
QUERY(no_form, &kinds_type, NULL, ROWS_NONE, "select $1", "total");
QUERY(no_such_word, &kinds_type, NULL, ROWS_NONE, "select $1", "small.word");
QUERY(word_for_number, &kinds_type, NULL, ROWS_NONE, "update part_rows set quantity = 1 where colour = $1", "colour");
QUERY(no_rows, &nothing_type, &number_type, ROWS_ONE, "delete from part_rows");
QUERY(too_many, &number_type, NULL, ROWS_NONE, "select $1::int8, $2::int8", "n");

static void check_drift(struct ctx *c, const struct query *q, const char *words)
{
        CHECK_EQ(db_check(c, (const struct query *const[]){ q, NULL }), -INTERNAL);
        SAYS(c, q->name);
        SAYS(c, words);
}

PG_TEST(drift_between_sql_and_structs_stops_the_program_with_a_name)
{
        part_table(c);
        OK(c, db_check(c, (const struct query *const[]){ &good, &echo, &parts_insert, &parts_all, NULL }));
        check_drift(c, &no_table, "no_such_table");
        check_drift(c, &extra_column, "number has no member for column extra");
        check_drift(c, &missing_column, "part.colour has no column");
        check_drift(c, &half_money, "part.price has no column (_minor and _cur)");
        check_drift(c, &wrong_type, "does not fit number.n");
        check_drift(c, &sum_is_numeric, "cast it to int8");
        check_drift(c, &no_member, ":m names no member of number");
        check_drift(c, &no_form, ":total.minor");
        check_drift(c, &no_such_word, ":small.word names no member of kinds");
        check_drift(c, &word_for_number, "text = integer");
        check_drift(c, &no_rows, "it gives no rows");
        check_drift(c, &too_many, "2 parameters where 1 are given");
        struct part_list out;
        CHECK_EQ(db_run(db(c), &good, &(struct number){ 5 }, &out), 0);
}

/* ---- violations -------------------------------------------------------------------------------------------------------------- */

QUERY(part_add, &part_type, NULL, ROWS_NONE, "insert into part_rows (id, quantity) values ($1, $2)", "id", "quantity");

PG_TEST(violations_have_codes_and_the_constraints_name)
{
        part_table(c);
        struct part p = { .id = id_of(1), .quantity = 1 };
        CHECK_EQ(db_run(db(c), &part_add, &p, NULL), 1);
        FAILS(c, ALREADY_EXISTS, "part_rows_pkey", db_run(db(c), &part_add, &p, NULL));
        p = (struct part){ .id = id_of(2), .quantity = -11 };
        FAILS(c, FAILED_PRECONDITION, "quantity_is_sane", db_run(db(c), &part_add, &p, NULL));
        FAILS(c, FAILED_PRECONDITION, "part_rows_quantity_not_null",
              db_exec(db(c), "insert into part_rows (id) values (gen_random_uuid())"));
        FAILS(c, FAILED_PRECONDITION, "database", db_exec(db(c), "do $$ begin raise exception 'not so'; end $$"));
        SAYS(c, "not so");
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 1);
}

static int add_in_group(struct ctx *c, void *arg)
{
        int *n = arg;
        struct part p = { .id = id_of((uint8_t)*n), .quantity = *n };
        int code = db_run(db(c), &part_add, &p, NULL);
        *n = code;
        return 0;
}

PG_TEST(a_failure_does_not_touch_its_neighbours_in_the_pipeline)
{
        part_table(c);
        int n[40];
        GROUP(g, c);
        for (int i = 0; i < 40; i++) {
                n[i] = i / 2;           /* every one twice */
                OK(c, group_go(g, add_in_group, &n[i]));
        }
        OK(c, group_wait(g));
        for (int i = 0; i < 40; i++)
                CHECK_EQ(n[i], i % 2 ? -ALREADY_EXISTS : 1);
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 20);
}

/* ---- transactions -------------------------------------------------------------------------------------------------------------- */

static int add_and_leave(struct ctx *c)
{
        TX(tx, c);
        TRY(db_run(tx, &part_add, &(struct part){ .id = id_of(1), .quantity = 1 }, NULL));
        return db_count(tx, "select count(*) from part_rows") == 1 ? -NOT_FOUND : 0;
}

PG_TEST(leaving_the_scope_rolls_back)
{
        part_table(c);
        CHECK_EQ(add_and_leave(c), -NOT_FOUND);
        CHECK(c->tx == NULL);
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 0);
}

static int commit_two(struct ctx *c, bool twice)
{
        struct part one = { .id = id_of(1), .quantity = 1 }, two = { .id = id_of(2), .quantity = 2 };
        TX(tx, c);
        TRY(db_later(tx, &part_add, &one));
        TRY(db_later(tx, &part_add, twice ? &one : &two));
        return tx_commit(tx);
}

PG_TEST(a_commit_of_queued_statements_is_one_round_trip)
{
        part_table(c);
        struct db_stats before = db_stats();
        OK(c, commit_two(c, false));
        struct db_stats after = db_stats();
        CHECK_EQ(after.round_trips - before.round_trips, 1);
        CHECK_EQ(after.statements - before.statements, 2);
        CHECK_EQ(after.transactions - before.transactions, 1);
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 2);
}

PG_TEST(a_queued_failure_fails_the_commit_and_nothing_stands)
{
        part_table(c);
        FAILS(c, ALREADY_EXISTS, "part_rows_pkey", commit_two(c, true));
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 0);
}

static int errors_stick(struct ctx *c)
{
        struct part p = { .id = id_of(1), .quantity = 1 };
        struct number n;
        TX(tx, c);
        CHECK_EQ(db_run(tx, &number_one, &(struct number){ 0 }, &n), -NOT_FOUND);       /* an outcome, no failure */
        CHECK_EQ(db_run(tx, &part_add, &p, NULL), 1);
        CHECK_EQ(db_run(tx, &part_add, &p, NULL), -ALREADY_EXISTS);
        fault_clear(c);
        CHECK_EQ(db_run(tx, &number_one, &(struct number){ 1 }, &n), -ALREADY_EXISTS);
        CHECK_EQ(db_later(tx, &part_add, &p), -ALREADY_EXISTS);
        CHECK_EQ(db_exec(tx, "select 1"), -ALREADY_EXISTS);
        fault_clear(c);
        return tx_commit(tx);
}

PG_TEST(errors_stick_to_the_transaction)
{
        part_table(c);
        FAILS(c, ALREADY_EXISTS, "part_rows_pkey", errors_stick(c));
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 0);
        OK(c, commit_two(c, false));
}

static int queue_too_many(struct ctx *c)
{
        struct number one = { 1 };
        TX(tx, c);
        for (int i = 0; i < 10000; i++) CHECK_OK(db_later(tx, &number_one, &one));
        return db_later(tx, &number_one, &one);
}

PG_TEST(more_statements_than_may_be_queued_are_refused)
{
        COUNTING(DB_QUEUED);
        FAILS(c, RESOURCE_EXHAUSTED, "too_many", queue_too_many(c));
        REACHED(DB_QUEUED);
        OK(c, db_exec(db(c), "select 1"));
}

static int bad_parameter(struct ctx *c)
{
        struct part good_one = { .id = id_of(1), .quantity = 1 };
        struct kinds bad = { .parts = { &(struct part){ .colour = 7 }, 1 } };
        TX(tx, c);
        TRY(db_later(tx, &part_add, &good_one));
        TRY(db_later(tx, &parts_insert, &bad));
        return tx_commit(tx);
}

PG_TEST(a_bad_parameter_of_a_queued_statement_undoes_all)
{
        part_table(c);
        FAILS(c, INVALID_ARGUMENT, "invalid", bad_parameter(c));
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 0);
        OK(c, commit_two(c, false));
}

static int empty(struct ctx *c)
{
        TX(tx, c);
        return tx_commit(tx);
}

PG_TEST(an_empty_transaction_sends_nothing)
{
        struct db_stats before = db_stats();
        OK(c, empty(c));
        CHECK_EQ(db_stats().round_trips, before.round_trips);
}

/* ---- riders ------------------------------------------------------------------------------------------------------------------------ */

static struct part at_begin = { .quantity = 100 }, at_commit = { .quantity = 101 };
static int ride_begin(struct db *tx, struct rider *r)   { (void)r; at_begin.id = id_of(100); return db_later(tx, &part_add, &at_begin); }
static int ride_commit(struct db *tx, struct rider *r)  { (void)r; at_commit.id = id_of(101); return db_later(tx, &part_add, &at_commit); }

PG_TEST(a_rider_commits_once_with_the_next_transaction)
{
        part_table(c);
        struct rider r = { .at_begin = ride_begin, .at_commit = ride_commit };
        c->rider = &r;
        CHECK_EQ(commit_two(c, true), -ALREADY_EXISTS);
        CHECK(!r.rode);
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 0);
        OK(c, commit_two(c, false));
        CHECK(r.rode);
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 4);
        CHECK_EQ(commit_two(c, false), -ALREADY_EXISTS);
        SAYS(c, "part_add");
        CHECK_EQ(db_count(db(c), "select count(*) from part_rows"), 4);
}

/* ---- want of memory ------------------------------------------------------------------------------------------------------------------ */

static int some_work(struct ctx *c)
{
        struct kinds in = sample(), out;
        struct part p = { .id = id_of(200), .quantity = 1 };
        struct part_list all;
        TRY(db_run(db(c), &echo, &in, &out));
        TX(tx, c);
        TRY(db_run(tx, &parts_all, NULL, &all));
        TRY(db_later(tx, &part_add, &p));
        return tx_commit(tx);
}

PG_TEST(want_of_memory_anywhere_is_a_failure_and_no_more)
{
        part_table(c);
        OK(c, some_work(c));
        long n = 1;
        for (int code = -1; code < 0; n++) {
                OK(c, db_exec(db(c), "delete from part_rows where quantity = 1"));
                struct ctx poor = { .arena = arena_new(1 << 20), .pg = c->pg, .deadline_us = c->deadline_us };
                alloc_fail_after(n);
                code = some_work(&poor);
                alloc_fail_after(0);
                CHECK(code == 0 || code == -RESOURCE_EXHAUSTED);
                CHECK(poor.tx == NULL);
                arena_free(poor.arena);
        }
        CHECK(n > 10);
        CHECK_EQ(pg_stats(c->pg).in_flight, 0);
}

static void find_stats(const struct query_stats *s, void *arg)
{
        if (!strcmp(s->name, "part_add")) *(struct query_stats *)arg = *s;
}

TEST(statements_are_counted_by_name)
{
        if (!getenv("SOUK_TEST_DATABASE_URL")) skip();
        struct query_stats s = { 0 };
        query_stats_each(find_stats, &s);
        CHECK(s.runs > 60 && s.failures > 20 && s.us > 0);
}

TEST_MAIN
