/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * migrate_test.c - forward once, by whoever comes first, and never over a change. */
#include "test.h"
#include "migrate.h"
#include "pg_scratch.h"

static const struct migration two[] = {
        { 1, "first", "create table m1 (n int8);\ncreate function f1() returns int8 language sql as $$ select 5::int8; $$;\n-- the end" },
        { 2, "second", "insert into m1 values (f1()); create index on m1 (n);" },
        { 0 },
};
static const struct migration three[] = {
        { 1, "first", "create table m1 (n int8);\ncreate function f1() returns int8 language sql as $$ select 5::int8; $$;\n-- the end" },
        { 2, "second", "insert into m1 values (f1()); create index on m1 (n);" },
        { 3, "third", "insert into m1 values (6);" },
        { 0 },
};

static void clean(struct ctx *c)
{
        OK(c, db_exec(db(c), "drop table if exists m1, souk_migrations; drop function if exists f1"));
}

PG_TEST(what_is_missing_is_applied_once_and_in_order)
{
        clean(c);
        CHECK_EQ(migrate(c, "shop", two), 2);
        CHECK_EQ(migrate(c, "shop", two), 0);
        CHECK_EQ(migrate(c, "shop", three), 1);
        CHECK_EQ(db_count(db(c), "select sum(n) from m1"), 11);
        CHECK_EQ(db_count(db(c), "select count(*) from souk_migrations where set = 'shop' and octet_length(sha256) = 32"), 3);
}

PG_TEST(sets_count_by_themselves)
{
        static const struct migration own[] = { { 1, "own", "create table m2 (n int8)" }, { 0 } };
        clean(c);
        CHECK_EQ(migrate(c, "shop", two), 2);
        CHECK_EQ(migrate(c, "other", own), 1);
        OK(c, db_exec(db(c), "drop table m2"));
}

PG_TEST(a_changed_or_unknown_migration_stops_the_program)
{
        static const struct migration changed[] = { { 1, "first", "create table m1 (n int4)" }, { 2, "second", "select 1" }, { 0 } };
        clean(c);
        CHECK_EQ(migrate(c, "shop", three), 3);
        FAILS(c, FAILED_PRECONDITION, "migration_unknown", migrate(c, "shop", two));
        SAYS(c, "migration 3 (third)");
        FAILS(c, FAILED_PRECONDITION, "migration_changed", migrate(c, "shop", changed));
        SAYS(c, "migration 1 (first)");
}

PG_TEST(a_migration_that_fails_leaves_nothing_and_those_before_it)
{
        static const struct migration bad[] = {
                { 1, "good", "create table m1 (n int8)" }, { 2, "bad", "create table m3 (n int8); select nonsense" }, { 0 },
        };
        clean(c);
        CHECK_EQ(migrate(c, "shop", bad), -INTERNAL);
        SAYS(c, "shop: migration 2 (bad)");
        SAYS(c, "nonsense");
        CHECK_EQ(db_count(db(c), "select count(*) from souk_migrations"), 1);
        CHECK_EQ(db_count(db(c), "select count(*) from pg_class where relname = 'm3'"), 0);
}

static int run_one(struct ctx *c, void *arg)
{
        *(int *)arg = migrate(c, "shop", three);
        return 0;
}

PG_TEST(programs_that_start_together_apply_each_once)
{
        int applied[4];
        clean(c);
        GROUP(g, c);
        for (int i = 0; i < 4; i++) OK(c, group_go(g, run_one, &applied[i]));
        OK(c, group_wait(g));
        int sum = 0;
        for (int i = 0; i < 4; i++) {
                CHECK(applied[i] >= 0);
                sum += applied[i];
        }
        CHECK_EQ(sum, 3);
        CHECK_EQ(db_count(db(c), "select sum(n) from m1"), 11);
}

PG_TEST(the_kits_own_tables_are_made)
{
        CHECK(migrate(c, "kit", kit_migrations) > 0);
        CHECK_EQ(migrate(c, "kit", kit_migrations), 0);
        CHECK_EQ(db_count(db(c), "select count(*) from souk_outbox"), 0);
}

TEST_MAIN
