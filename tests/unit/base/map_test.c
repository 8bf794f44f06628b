/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * map_test.c - a hash map against a plain array as its model; ages, drops, refusals. */
#include "test.h"
#include "arena.h"
#include "hash.h"
#include "map.h"

static int dropped, last_dropped;
static void drop(void *value) { dropped++; last_dropped = *(int *)value; }

static str key_of(char t[16], int i) { return (str){ t, (size_t)snprintf(t, 16, "key-%d", i) }; }

TEST(it_agrees_with_an_array_after_many_random_changes)
{
        enum { KEYS = 500 };
        static int numbers[KEYS];
        int *model[KEYS] = { 0 };
        size_t count = 0;
        struct map *m = map_new(KEYS, MAP_REFUSES, NULL);
        struct rand r;
        rand_seed(&r, 6);
        for (int i = 0; i < 100000; i++) {
                int k = (int)rand_below(&r, KEYS);
                char t[16];
                str key = key_of(t, k);
                switch (rand_below(&r, 4)) {
                case 0: case 1:
                        CHECK_OK(map_put(m, key, &numbers[i % KEYS]));
                        count += !model[k];
                        model[k] = &numbers[i % KEYS];
                        break;
                case 2:
                        CHECK(map_take(m, key) == model[k]);
                        count -= model[k] != NULL;
                        model[k] = NULL;
                        break;
                default:
                        CHECK(map_get(m, key) == model[k]);
                }
                CHECK_EQ(map_count(m), count);
        }
        for (int k = 0; k < KEYS; k++) {
                char t[16];
                CHECK(map_get(m, key_of(t, k)) == model[k]);
        }
        CHECK(map_free(m) == NULL);
        CHECK(map_free(NULL) == NULL);
}

TEST(keys_are_bytes_and_are_copied)
{
        int a = 1, b = 2, c = 3;
        struct map *m = map_new(10, MAP_REFUSES, NULL);
        char key[] = "k";
        CHECK_OK(map_put(m, str_of(key), &a));
        key[0] = 'x';
        CHECK_OK(map_put(m, STR("k\0z"), &b));
        CHECK_OK(map_put(m, (str){ NULL, 0 }, &c));
        CHECK(map_get(m, STR("k")) == &a && map_get(m, STR("k\0z")) == &b && map_get(m, STR("")) == &c);
        CHECK(map_get(m, STR("x")) == NULL);
        uid id = { { 9 } };
        CHECK_OK(map_put(m, uid_key(&id), &b));
        CHECK(map_get(m, (str){ (const char *)(uid){ { 9 } }.b, 16 }) == &b);
        map_free(m);
}

TEST(a_replaced_value_is_dropped_and_the_same_value_is_not)
{
        int a = 1, b = 2;
        struct map *m = map_new(10, MAP_REFUSES, drop);
        dropped = 0;
        CHECK_OK(map_put(m, STR("k"), &a));
        CHECK_OK(map_put(m, STR("k"), &a));
        CHECK_EQ(dropped, 0);
        CHECK_OK(map_put(m, STR("k"), &b));
        CHECK(dropped == 1 && last_dropped == 1);
        CHECK(map_take(m, STR("k")) == &b);
        CHECK_EQ(dropped, 1);
        CHECK_OK(map_put(m, STR("k"), &a));
        map_free(m);
        CHECK(dropped == 2 && last_dropped == 1);
}

TEST(a_full_map_refuses_new_keys_and_takes_old_ones)
{
        int v[4] = { 0, 1, 2, 3 };
        struct map *m = map_new(2, MAP_REFUSES, drop);
        dropped = 0;
        CHECK_OK(map_put(m, STR("a"), &v[0]));
        CHECK_OK(map_put(m, STR("b"), &v[1]));
        CHECK_EQ(map_put(m, STR("c"), &v[2]), -RESOURCE_EXHAUSTED);
        CHECK(dropped == 0 && map_count(m) == 2 && map_get(m, STR("c")) == NULL);
        CHECK_OK(map_put(m, STR("a"), &v[3]));
        CHECK(map_get(m, STR("a")) == &v[3]);
        CHECK(map_take(m, STR("b")) == &v[1]);
        CHECK_OK(map_put(m, STR("c"), &v[2]));
        map_free(m);
}

TEST(the_least_recently_used_goes_first)
{
        int v[5] = { 0, 1, 2, 3, 4 };
        struct map *m = map_new(3, MAP_EVICTS, drop);
        dropped = 0;
        CHECK_OK(map_put(m, STR("a"), &v[0]));
        CHECK_OK(map_put(m, STR("b"), &v[1]));
        CHECK_OK(map_put(m, STR("c"), &v[2]));
        CHECK(map_get(m, STR("a")) == &v[0]);           /* b is now the oldest */
        CHECK_OK(map_put(m, STR("d"), &v[3]));
        CHECK(dropped == 1 && last_dropped == 1 && map_get(m, STR("b")) == NULL && map_count(m) == 3);
        CHECK_OK(map_put(m, STR("c"), &v[2]));          /* putting refreshes too: a is the oldest */
        CHECK_OK(map_put(m, STR("e"), &v[4]));
        CHECK(dropped == 2 && last_dropped == 0 && map_get(m, STR("a")) == NULL);
        map_free(m);
        CHECK_EQ(dropped, 5);
}

TEST(a_small_cache_under_many_keys_keeps_exactly_the_newest)
{
        enum { MANY = 20000, KEPT = 100 };
        static int v[MANY];
        struct map *m = map_new(KEPT, MAP_EVICTS, NULL);
        char t[16];
        for (int i = 0; i < MANY; i++) CHECK_OK(map_put(m, key_of(t, i), &v[i]));
        CHECK_EQ(map_count(m), KEPT);
        for (int i = MANY - 2 * KEPT; i < MANY; i++) CHECK(map_get(m, key_of(t, i)) == (i >= MANY - KEPT ? &v[i] : NULL));
        map_free(m);
}

static void collect(str key, void *value, void *arg)
{
        (void)key;
        int *order = arg;
        *order = *order * 10 + *(int *)value;
}

TEST(each_visits_the_oldest_first)
{
        int v[4] = { 0, 1, 2, 3 }, order = 0;
        struct map *m = map_new(10, MAP_EVICTS, NULL);
        CHECK_OK(map_put(m, STR("a"), &v[1]));
        CHECK_OK(map_put(m, STR("b"), &v[2]));
        CHECK_OK(map_put(m, STR("c"), &v[3]));
        map_get(m, STR("a"));
        map_each(m, collect, &order);
        CHECK_EQ(order, 231);
        map_free(m);
}

TEST(a_put_without_memory_changes_nothing)
{
        static int v[100];
        char t[16];
        struct map *m = map_new(100, MAP_REFUSES, NULL);
        for (int i = 0; i < 12; i++) CHECK_OK(map_put(m, key_of(t, i), &v[i]));
        for (long n = 1; n <= 2; n++) {                 /* the thirteenth widens the table, then makes its entry */
                alloc_fail_after(n);
                CHECK_EQ(map_put(m, key_of(t, 12), &v[12]), -RESOURCE_EXHAUSTED);
                alloc_fail_after(0);
                CHECK_EQ(map_count(m), 12);
                for (int i = 0; i < 12; i++) CHECK(map_get(m, key_of(t, i)) == &v[i]);
                if (n == 1) continue;
                CHECK(map_get(m, key_of(t, 12)) == NULL);
        }
        CHECK_OK(map_put(m, key_of(t, 12), &v[12]));
        map_free(m);
        alloc_fail_after(1);
        CHECK(map_try(100, MAP_REFUSES, NULL) == NULL);
        m = map_try(100, MAP_REFUSES, NULL);
        CHECK_OK(map_put(m, key_of(t, 12), &v[12]));
        map_free(m);
}

TEST_MAIN
