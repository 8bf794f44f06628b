/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * holds_test.c - what only PostgreSQL knows of holds: which plan it makes, and who came in between a look and a change. */
#include "test.h"
#include "shop.h"
#include "inventory/holds.h"
#include "inventory_sql.h"
#include "loop.h"
#include "orders/orders.h"
#include "payments/payments.h"
#include "identity/identity.h"

#define SHOP(s, w, c) \
        WORLD(w, c, &identity_service, &catalog_service, &inventory_service, &payments_service, &orders_service); \
        struct shop s; \
        shop_open(&s, w)

/* As sessions of transactions plan: for any parameters, by index alone. */
#define PLAN_OF \
        "create function plan_of(statement text, types text[]) returns text language plpgsql as $$ declare line text; plan text := ''; begin" \
        "  perform set_config('enable_' || what, 'off', true) from unnest(array['hashjoin', 'mergejoin', 'seqscan', 'bitmapscan']) what;" \
        "  perform set_config('plan_cache_mode', 'force_generic_plan', true);" \
        "  execute 'prepare asked (' || array_to_string(types, ',') || ') as ' || statement;" \
        "  for line in execute 'explain execute asked (null' || repeat(', null', cardinality(types) - 1) || ')' loop plan := plan || line || E'\\n'; end loop;" \
        "  execute 'deallocate asked'; return plan; end $$"

static int seen_empty(struct ctx *c, void *arg)
{
        static const struct { const struct query *query; const char *types; } all[] = {
                { &holds_of_query, "uuid[]" }, { &holds_remove_query, "uuid[],int4[],int4[]" },
                { &holds_commit_query, "uuid[],timestamptz" }, { &holds_commit_unsold_query, "uuid[],timestamptz" },
        };
        (void)arg;
        SHOP(s, w, c);

        execute(w, "inventory", PLAN_OF);
        execute(w, "inventory", "vacuum analyze hold");
        CHECK_EQ(number(w, "inventory", "select reltuples::int8 from pg_class where relname = 'hold'"), 0);
        for (size_t i = 0; i < COUNT(all); i++) {
                char sql[2000];
                snprintf(sql, sizeof sql, "select (plan_of($q$%s$q$, '{%s}') ~ 'Index Scan using hold_pkey on hold[^\n]*\n *Index Cond: ')::int::int8",
                         all[i].query->sql, all[i].types);
                if (number(w, "inventory", sql) != 1) cm_fail_msg("%s reads the whole table", all[i].query->name);
        }
        return 0;
}

TEST(holds_are_found_by_their_orders_though_the_planner_last_saw_none) { CHECK_OK(run_main(seen_empty, NULL)); }

/* Takes 4 of product 0 as another replica would, and commits when the gate opens. */
static int take_behind_the_gate(struct ctx *c, void *arg)
{
        struct shop *s = arg;
        (void)c;
        execute(s->w, "inventory", "update stock set quantity = quantity - 4 where quantity = 5; select pg_advisory_xact_lock(7)");
        return 0;
}

struct job_hold { struct shop *s; int order, quantity, code; };

static int hold_fiber(struct ctx *c, void *arg)
{
        struct job_hold *j = arg;
        struct item item = { j->s->products[0], j->quantity };
        struct hold_request in = { { { 1, [15] = (uint8_t)j->order } }, 1, { &item, 1 } };

        c->unit = NULL;
        j->code = inventory_hold_call(c, &in, &(struct hold){ 0 });
        return 0;
}

static int moved_meanwhile(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct job_hold two = { &s, 1, 2, -1 }, one = { &s, 2, 1, -1 };

        stock(&s, 0, 5);
        GROUP(g, c);
        CHECK_EQ(number(w, "inventory", "select count(pg_advisory_lock(7))"), 1);
        CHECK_OK(group_go(g, take_behind_the_gate, &s));
        while (!rows(w, "inventory", "pg_locks where locktype = 'advisory' and not granted")) { }
        CHECK_OK(group_go(g, hold_fiber, &two));                        /* reads 5, and waits for the row to change it */
        while (!rows(w, "inventory", "pg_locks where locktype = 'transactionid' and not granted")) { }
        CHECK_EQ(number(w, "inventory", "select pg_advisory_unlock(7)::int::int8"), 1);
        CHECK_OK(group_wait(g));
        CHECK_EQ(two.code, -FAILED_PRECONDITION);
        CHECK_EQ(free_units(&s, 0), 1);
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        CHECK_OK(hold_fiber(c, &one));
        CHECK_OK(one.code);
        CHECK_EQ(free_units(&s, 0), 0);
        return 0;
}

TEST(a_row_that_changed_between_look_and_take_is_looked_at_again_under_its_lock) { CHECK_OK(run_main(moved_meanwhile, NULL)); }

TEST_MAIN
