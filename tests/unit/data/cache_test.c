/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cache_test.c - what is kept, for how long, and that a key is loaded once. */
#include "test.h"
#include "cache.h"
#include "clock.h"
#include "fiber.h"
#include "loop.h"

struct leaf { str name; };
DECLARE_LIST(leaf);
struct tree { int64_t n; str name; bytes raw; struct leaf best; struct leaf_list leaves; struct str_list words; };
MESSAGE(leaf, "a leaf", F(leaf, 1, name));
MESSAGE(tree, "a tree", F(tree, 1, n), F(tree, 2, name), F(tree, 3, raw), F_MSG(tree, 4, best, leaf), F_LIST(tree, 5, leaves, leaf),
        F_LIST(tree, 6, words, str));

static int in_fiber(int (*fn)(struct ctx *c, void *arg))
{
        return run_main(fn, NULL);
}

static int deep_copy(struct ctx *c, void *arg)
{
        (void)arg;
        char name[] = "oak", first[] = "one", word[] = "w";
        struct leaf leaves[2] = { { { first, 3 } }, { { NULL, 0 } } };
        str words[] = { { word, 1 }, STR("") };
        struct tree in = { 5, { name, 3 }, { (uint8_t *)name, 2 }, { { first, 3 } }, { leaves, 2 }, { words, 2 } };
        struct cache *k = cache_open("trees", &tree_type, 4, SECONDS(1));
        CHECK_OK(cache_put(k, STR("a"), &in));
        memset(name, 'x', 3);
        memset(first, 'x', 3);
        memset(leaves, 0, sizeof leaves);
        const struct tree *t = cache_get(k, STR("a"));
        CHECK(t && t->n == 5);
        CHECK_STR(t->name, "oak");
        CHECK(t->raw.n == 2 && t->raw.p[0] == 'o' && t->leaves.n == 2 && t->words.n == 2 && t->words.v[1].n == 0 && t->words.v[1].p);
        CHECK_STR(t->best.name, "one");
        CHECK_STR(t->leaves.v[0].name, "one");
        CHECK(t->leaves.v[1].name.p == NULL);
        CHECK(cache_get(k, STR("b")) == NULL);
        CHECK_EQ(cache_stats(k).hits, 1);
        CHECK_EQ(cache_stats(k).misses, 1);
        cache_close(&k);
        CHECK(k == NULL);
        (void)c;
        return 0;
}

TEST(what_is_kept_is_a_deep_copy)
{
        CHECK_OK(in_fiber(deep_copy));
}

static int bounds(struct ctx *c, void *arg)
{
        (void)c, (void)arg;
        struct cache *k = cache_open("leaves", &leaf_type, 2, MILLIS(100));
        clock_fake((when){ 1 });
        CHECK_OK(cache_put(k, STR("a"), &(struct leaf){ STR("1") }));
        CHECK_OK(cache_put(k, STR("b"), &(struct leaf){ STR("2") }));
        CHECK(cache_get(k, STR("a")));
        CHECK_OK(cache_put(k, STR("c"), &(struct leaf){ STR("3") }));
        CHECK(cache_get(k, STR("a")) && cache_get(k, STR("c")) && !cache_get(k, STR("b")));
        clock_advance(99);
        CHECK(cache_get(k, STR("a")));
        clock_advance(1);
        CHECK(!cache_get(k, STR("a")) && !cache_get(k, STR("c")));
        CHECK_EQ(cache_stats(k).entries, 0);
        CHECK_OK(cache_put(k, STR("a"), &(struct leaf){ STR("1") }));
        cache_drop(k, STR("a"));
        CHECK(!cache_get(k, STR("a")));
        alloc_fail_after(1);
        CHECK_EQ(cache_put(k, STR("a"), &(struct leaf){ STR("1") }), -RESOURCE_EXHAUSTED);
        alloc_fail_after(0);
        clock_real();
        cache_close(&k);
        return 0;
}

TEST(entries_go_by_age_of_use_and_by_time)
{
        COUNTING(CACHE_ENTRIES);
        CHECK_OK(in_fiber(bounds));
        REACHED(CACHE_ENTRIES);
}

/* ---- one load a key -------------------------------------------------------------------------------------------------- */

static struct cache *shared;
static int loads, refuse;

static int slow_load(struct ctx *c, const void *arg, void *out)
{
        (void)arg;
        loads++;
        for (int i = 0; i < 5; i++) fiber_yield();
        if (refuse) return fail(c, NOT_FOUND, "no_leaf", "no such leaf");
        *(struct leaf *)out = (struct leaf){ arena_printf(c->arena, "load %d", loads) };
        return 0;
}

static int fetch(struct ctx *c, void *arg)
{
        struct leaf got = { 0 };
        int code = cache_once(c, shared, STR("key"), slow_load, NULL, &got);
        if (code == 0) CHECK_STR(got.name, "load 1");
        else CHECK(code == -NOT_FOUND && !strcmp(c->fault.slug, "no_leaf"));
        ++*(int *)arg;
        return 0;
}

static int many(struct ctx *c, void *arg)
{
        (void)arg;
        int done = 0;
        shared = cache_open("shared", &leaf_type, 2, SECONDS(10));
        loads = 0;
        GROUP(g, c);
        for (int i = 0; i < 20; i++) CHECK_OK(group_go(g, fetch, &done));
        CHECK_OK(group_wait(g));
        CHECK_EQ(done, 20);
        CHECK_EQ(loads, 1);
        CHECK_EQ(cache_stats(shared).entries, refuse ? 0 : 1);
        cache_close(&shared);
        return 0;
}

TEST(twenty_callers_of_a_key_load_once)
{
        CHECK_OK(in_fiber(many));
}

TEST(twenty_callers_share_a_failure_and_nothing_is_kept)
{
        refuse = 1;
        CHECK_OK(in_fiber(many));
        refuse = 0;
}

static int first_leaves(struct ctx *c, const void *arg, void *out)
{
        (void)out, (void)arg;
        loads++;
        if (loads == 1) return fiber_sleep(c, SECONDS(10));
        *(struct leaf *)out = (struct leaf){ STR("second") };
        return 0;
}

static int impatient(struct ctx *c, void *arg)
{
        struct leaf got;
        ctx_limit(c, 20);
        *(int *)arg = cache_once(c, shared, STR("key"), first_leaves, NULL, &got);
        return 0;
}

static int patient(struct ctx *c, void *arg)
{
        struct leaf got = { 0 };
        int code = cache_once(c, shared, STR("key"), first_leaves, NULL, &got);
        CHECK_STR(got.name, "second");
        *(int *)arg = code;
        return 0;
}

static int the_first_gives_up(struct ctx *c, void *arg)
{
        (void)arg;
        int codes[3] = { 1, 1, 1 };
        shared = cache_open("shared", &leaf_type, 2, SECONDS(10));
        loads = 0;
        GROUP(g, c);
        CHECK_OK(group_go(g, impatient, &codes[0]));
        CHECK_OK(group_go(g, patient, &codes[1]));
        CHECK_OK(group_go(g, patient, &codes[2]));
        CHECK_OK(group_wait(g));
        CHECK_EQ(codes[0], -DEADLINE_EXCEEDED);
        CHECK_EQ(codes[1], 0);
        CHECK_EQ(codes[2], 0);
        CHECK_EQ(loads, 2);
        cache_close(&shared);
        return 0;
}

TEST(when_the_first_caller_gives_up_the_next_one_loads)
{
        CHECK_OK(in_fiber(the_first_gives_up));
}

static int dropping_load(struct ctx *c, const void *arg, void *out)
{
        (void)c, (void)arg;
        cache_drop(shared, STR("key"));
        *(struct leaf *)out = (struct leaf){ STR("old") };
        return 0;
}

static int dropped_meanwhile(struct ctx *c, void *arg)
{
        (void)arg;
        struct leaf got;
        shared = cache_open("shared", &leaf_type, 2, SECONDS(10));
        CHECK_OK(cache_once(c, shared, STR("key"), dropping_load, NULL, &got));
        CHECK_STR(got.name, "old");
        CHECK(!cache_get(shared, STR("key")));
        cache_close(&shared);
        return 0;
}

TEST(a_load_that_was_dropped_meanwhile_is_not_kept)
{
        CHECK_OK(in_fiber(dropped_meanwhile));
}

TEST_MAIN
