/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * plan_test.c - allocation without a database: thousands of random shelves and orders, each held against what the policy says. */
#include "test.h"
#include "hash.h"
#include "inventory/stock.h"

enum { WAREHOUSES = 7, GOODS = 3, ROUNDS = 4000 };

static const char *const countries[] = { "DE", "FR", "PL", "ES", "US", "CA", "JP", "ZZ" };

TEST(a_country_is_near_itself_then_its_region_then_its_continent)
{
        static const struct { const char *a, *b; enum nearness near; } want[] = {
                { "DE", "DE", SAME_COUNTRY }, { "DE", "FR", SAME_REGION }, { "DE", "PL", SAME_CONTINENT }, { "DE", "US", ELSEWHERE }, { "US", "CA", SAME_REGION },
                { "US", "MX", SAME_CONTINENT }, { "JP", "KR", SAME_REGION }, { "JP", "IN", SAME_CONTINENT }, { "AU", "NZ", SAME_REGION }, { "EG", "KE", SAME_CONTINENT },
                { "QQ", "QQ", SAME_COUNTRY }, { "QQ", "DE", ELSEWHERE }, { "QQ", "QR", ELSEWHERE }, { "", "", ELSEWHERE }, { "de", "DE", ELSEWHERE }, { "DEU", "DE", ELSEWHERE },
        };

        for (size_t i = 0; i < COUNT(want); i++) {
                CHECK_EQ(near_is(str_of(want[i].a), str_of(want[i].b)), want[i].near);
                CHECK_EQ(near_is(str_of(want[i].b), str_of(want[i].a)), want[i].near);
        }
}

struct stage {                          /* some shelves, and what was on them */
        struct ctx c;
        struct state state;
        struct site sites[WAREHOUSES];
        struct stock_row rows[WAREHOUSES * GOODS];
        int32_t before[WAREHOUSES * GOODS];
        struct plan plan;
};

static uid product(int i)
{
        return (uid){ { 7, [15] = (uint8_t)i } };
}

static void stage_open(struct stage *s, struct rand *dice)
{
        size_t n = 0;

        *s = (struct stage){ .c = { .arena = arena_new(1 << 20), .op = "test" }, .state = { .allocation = rand_below(dice, 2) ? NEAREST : FULLEST } };
        for (int32_t w = 0; w < WAREHOUSES; w++)
                s->sites[w] = (struct site){ w + 1, rand_below(dice, 5) > 0, str_of(countries[rand_below(dice, COUNT(countries))]), w == 0 };
        for (int p = 0; p < GOODS; p++)
                for (int32_t w = 0; w < WAREHOUSES; w++)
                        if (rand_below(dice, 3)) {
                                s->before[n] = (int32_t)rand_below(dice, 12);
                                s->rows[n] = (struct stock_row){ product(p), w + 1, s->before[n], -1 };
                                n++;
                        }
        CHECK_OK(plan_init(&s->c, &s->plan, (struct stock_row_list){ s->rows, n }, &(struct sites){ { s->sites, WAREHOUSES } }, &s->state));
}

static int64_t there(const struct stage *s, uid p)
{
        int64_t sum = 0;

        for (size_t r = 0; r < s->plan.rows.n; r++)
                if (uid_eq(s->rows[r].product_id, p) && s->sites[s->rows[r].warehouse_no - 1].active) sum += s->rows[r].quantity;
        return sum;
}

static enum nearness rank(const struct stage *s, size_t row, str country)
{
        return s->state.allocation == NEAREST && country.n ? near_is(country, s->sites[s->rows[row].warehouse_no - 1].country) : ELSEWHERE;
}

/* What was taken of a product is from open warehouses, and none that would have been better still has a unit. */
static void best_was_taken(const struct stage *s, const struct item *item, const int32_t *was, str country)
{
        int64_t taken = 0;

        for (size_t r = 0; r < s->plan.rows.n; r++) {
                int32_t n = was[r] - s->rows[r].quantity;
                if (!uid_eq(s->rows[r].product_id, item->product_id)) continue;
                CHECK(n >= 0 && s->rows[r].quantity >= 0);
                CHECK(n == 0 || s->sites[s->rows[r].warehouse_no - 1].active);
                taken += n;
                for (size_t o = 0; n > 0 && o < s->plan.rows.n; o++) {
                        bool better = uid_eq(s->rows[o].product_id, item->product_id) && s->sites[s->rows[o].warehouse_no - 1].active &&
                                      (rank(s, o, country) < rank(s, r, country) || (rank(s, o, country) == rank(s, r, country) && was[o] > was[r]));
                        CHECK(!better || s->rows[o].quantity == 0);
                }
        }
        CHECK_EQ(taken, item->quantity);
}

static void an_order(struct stage *s, struct rand *dice, int no)
{
        struct item items[GOODS];
        int32_t was[WAREHOUSES * GOODS];
        struct hold_request in = { product(100 + no), 1, { items, 1 + rand_below(dice, GOODS) }, str_of(countries[rand_below(dice, COUNT(countries))]) };
        struct ctx caller = { .arena = s->c.arena, .op = "test" };
        struct call v = { .c = &caller, .in = &in };
        bool can = true;
        size_t held = s->plan.write.holds.n;

        if (rand_below(dice, 4) == 0) in.country = (str){ 0 };
        for (size_t i = 0; i < in.items.n; i++) {
                items[i] = (struct item){ product((int)i), 1 + (int32_t)rand_below(dice, 15) };
                can = can && there(s, items[i].product_id) >= items[i].quantity;
        }
        for (size_t r = 0; r < s->plan.rows.n; r++) was[r] = s->rows[r].quantity;
        CHECK_OK(plan_take(&s->c, &s->plan, &v, &in));
        CHECK_EQ(v.verdict, can ? 0 : -FAILED_PRECONDITION);
        if (!can) {
                for (size_t r = 0; r < s->plan.rows.n; r++) CHECK_EQ(s->rows[r].quantity, was[r]);
                CHECK_EQ(s->plan.write.holds.n, held);
                return;
        }
        for (size_t i = 0; i < in.items.n; i++) best_was_taken(s, &items[i], was, in.country);
}

/* What is held and what is left is what was there, shelf by shelf; and all of it can be given back. */
static void nothing_is_lost(struct stage *s)
{
        struct hold_row_list holds = s->plan.write.holds;
        int64_t held[WAREHOUSES * GOODS] = { 0 };

        for (size_t h = 0; h < holds.n; h++)
                held[plan_row(&s->plan, holds.v[h].product_id, holds.v[h].warehouse_no) - s->rows] += holds.v[h].quantity;
        for (size_t r = 0; r < s->plan.rows.n; r++) CHECK_EQ(s->rows[r].quantity + held[r], s->before[r]);
        for (size_t h = 0; h < holds.n; h++) CHECK_OK(plan_give_back(&s->c, &s->plan, &holds.v[h]));
        for (size_t r = 0; r < s->plan.rows.n; r++) CHECK_EQ(s->rows[r].quantity, s->before[r]);
}

TEST(every_order_is_filled_from_the_best_shelves_or_not_at_all_and_no_unit_is_lost)
{
        struct rand dice;

        rand_seed(&dice, 5);
        for (int i = 0; i < ROUNDS; i++) {
                struct stage s;
                stage_open(&s, &dice);
                for (int no = 0; no < 5; no++) an_order(&s, &dice, no);
                nothing_is_lost(&s);
                arena_free(s.c.arena);
        }
}

TEST_MAIN
