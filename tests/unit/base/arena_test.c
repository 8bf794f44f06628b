/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * arena_test.c - memory that goes all at once: zeroed, aligned, bounded, reused, and never shared by mistake. */
#include "test.h"
#include <pthread.h>
#include "arena.h"
#include "hash.h"

static bool is_zero(const void *p, size_t n)
{
        const uint8_t *b = p;
        for (size_t i = 0; i < n; i++)
                if (b[i]) return false;
        return true;
}

TEST(memory_is_zeroed_and_aligned_whatever_came_before)
{
        struct arena *a = arena_new(1 << 20);
        for (int round = 0; round < 3; round++) {
                for (size_t n = 0; n < 300; n++) {
                        uint8_t *p = arena_alloc(a, n);
                        CHECK(p != NULL);
                        CHECK_EQ((uintptr_t)p % 16, 0);
                        CHECK(is_zero(p, n));
                        memset(p, 0xa5, n);
                        if (n % 7 == 0) CHECK(arena_str(a, STR("x")).p != NULL);
                }
                arena_reset(a);
        }
        arena_free(a);
        a = arena_new(1 << 20);                         /* the store's blocks are dirty now */
        for (int i = 0; i < 100; i++) CHECK(is_zero(arena_alloc(a, 1000), 1000));
        arena_free(a);
}

TEST(things_made_of_one_arena_do_not_overlap)
{
        enum { N = 3000 };
        struct arena *a = arena_new(64 << 20);
        uint8_t **p = arena_many(a, uint8_t *, N);
        size_t *n = arena_many(a, size_t, N);
        struct rand r;
        rand_seed(&r, 3);
        for (int i = 0; i < N; i++) {
                n[i] = rand_below(&r, i % 50 == 0 ? 100000 : i % 10 == 0 ? 9000 : 200);
                p[i] = arena_alloc(a, n[i]);
                CHECK(p[i] != NULL);
                memset(p[i], i & 0xff, n[i]);
        }
        for (int i = 0; i < N; i++)
                for (size_t k = 0; k < n[i]; k++)
                        if (p[i][k] != (i & 0xff)) cm_fail_msg("thing %d was overwritten", i);
        arena_free(a);
}

TEST(the_maximum_holds_to_the_byte)
{
        static const size_t sizes[] = { 1, 16, 100, 4096, 16000, 17000, 70000, 1000000 };
        for (size_t i = 0; i < COUNT(sizes); i++) {
                struct arena *a = arena_new(sizes[i]);
                CHECK(arena_alloc(a, sizes[i] + 1) == NULL);
                CHECK(arena_is_exhausted(a));
                CHECK_EQ(arena_used(a), 0);
                CHECK(arena_alloc(a, sizes[i]) != NULL);
                CHECK_EQ(arena_used(a), sizes[i]);
                CHECK(arena_alloc(a, 1) == NULL);
                arena_reset(a);
                CHECK(!arena_is_exhausted(a));
                CHECK_EQ(arena_used(a), 0);
                CHECK(arena_alloc(a, sizes[i]) != NULL);
                arena_free(a);
        }
}

TEST(many_small_things_never_pass_the_maximum_and_reach_nearly_all_of_it)
{
        struct arena *a = arena_new(300000);
        size_t n = 0;
        while (arena_alloc(a, 48)) n++;
        CHECK(arena_used(a) <= 300000 && n * 48 >= 295000);
        CHECK(arena_is_exhausted(a));
        CHECK(arena_free(a) == NULL);
        CHECK(arena_free(NULL) == NULL);
}

TEST(a_big_thing_counts_against_the_maximum_and_leaves_the_small_block_in_use)
{
        struct arena *a = arena_new(200000);
        char *first = arena_alloc(a, 32), *big = arena_alloc(a, 150000), *next = arena_alloc(a, 32);
        CHECK(big != NULL && next == first + 32);
        CHECK(arena_used(a) == 150064);
        CHECK(arena_alloc(a, 50000) == NULL);
        CHECK(arena_alloc(a, 49936) != NULL);
        CHECK(arena_alloc(a, 1) == NULL);
        arena_free(a);
}

TEST(an_exhausted_arena_still_gives_what_fits)
{
        struct arena *a = arena_new(100);
        CHECK(arena_alloc(a, 101) == NULL);
        CHECK_STR(arena_printf(a, "still %s", "here"), "still here");
        CHECK(arena_is_exhausted(a));
        arena_free(a);
}

TEST(an_array_whose_size_overflows_is_refused)
{
        struct arena *a = arena_new(SIZE_MAX);
        CHECK(arena_array(a, SIZE_MAX / 2, 4) == NULL);
        CHECK(arena_is_exhausted(a));
        CHECK(arena_alloc(a, SIZE_MAX - 8) == NULL);
        CHECK(arena_array(a, 0, 4) != NULL);
        int *v = arena_many(a, int, 3);
        CHECK(v && v[0] == 0 && v[2] == 0);
        arena_free(a);
}

TEST(the_last_thing_grows_in_place_and_others_move)
{
        struct arena *a = arena_new(1 << 20);
        char *p = arena_alloc(a, 10);
        memcpy(p, "0123456789", 10);
        char *q = arena_grow(a, p, 10, 1000);
        CHECK(q == p && is_zero(p + 10, 990));
        CHECK(arena_grow(a, p, 1000, 500) == p);
        arena_alloc(a, 1);
        q = arena_grow(a, p, 1000, 2000);
        CHECK(q != p && !memcmp(q, "0123456789", 10) && is_zero(q + 10, 1990));
        CHECK(arena_grow(a, NULL, 0, 100) != NULL);
        arena_free(a);
}

TEST(growing_byte_by_byte_keeps_what_is_there)
{
        struct arena *a = arena_new(64 << 20);
        uint8_t *p = NULL;
        for (size_t n = 0; n < 40000; n += 1 + n / 8) {
                size_t more = n + 1 + n / 8;
                p = arena_grow(a, p, n, more);
                CHECK(p != NULL);
                CHECK(is_zero(p + n, more - n));
                for (size_t i = n; i < more; i++) p[i] = (uint8_t)(i * 7 + 1);
                for (size_t i = 0; i < more; i++)
                        if (p[i] != (uint8_t)(i * 7 + 1)) cm_fail_msg("byte %zu of %zu was lost", i, more);
        }
        CHECK(arena_grow(a, p, 40000, SIZE_MAX / 2) == NULL);
        arena_free(a);
}

TEST(strings_are_copied_with_a_nul_behind)
{
        struct arena *a = arena_new(1 << 20);
        char source[] = "souk";
        str s = arena_str(a, str_of(source));
        source[0] = 'x';
        CHECK_STR(s, "souk");
        CHECK_EQ(s.p[4], 0);
        CHECK(arena_str(a, (str){ NULL, 0 }).p != NULL);
        assert_string_equal(arena_z(a, STR("zeta")), "zeta");
        arena_free(a);
}

TEST(printing_works_at_every_length_around_the_buffer)
{
        struct arena *a = arena_new(4 << 20);
        char want[2001];
        for (int n = 0; n < 2000; n++) {
                str s = arena_printf(a, "%*s|", n, "");
                memset(want, ' ', (size_t)n);
                strcpy(want + n, "|");
                CHECK_STR(s, want);
                CHECK_EQ(s.p[s.n], 0);
        }
        arena_free(a);
        a = arena_new(100);
        CHECK(arena_printf(a, "%200s", "").p == NULL);
        CHECK(arena_printf(a, "%400s", "").p == NULL);
        CHECK(arena_is_exhausted(a));
        arena_free(a);
}

TEST(the_nth_allocation_fails_on_demand_and_no_other)
{
        struct arena *a = arena_new(1 << 20);
        for (long n = 1; n <= 5; n++) {
                alloc_fail_after(n);
                for (long i = 1; i <= 6; i++) CHECK_EQ(arena_alloc(a, 8) == NULL, i == n);
                CHECK(arena_is_exhausted(a));
                arena_reset(a);
        }
        alloc_fail_after(3);
        alloc_fail_after(0);
        for (int i = 0; i < 5; i++) CHECK(arena_alloc(a, 8) != NULL);
        char *p = arena_alloc(a, 8);
        alloc_fail_after(1);
        CHECK(arena_grow(a, p, 8, 16) == NULL);
        alloc_fail_after(1);
        CHECK(arena_str(a, STR("x")).p == NULL);
        alloc_fail_after(1);
        CHECK(arena_try(100) == NULL);
        struct arena *other = arena_try(100);
        CHECK(arena_alloc(other, 100) != NULL && arena_alloc(other, 1) == NULL);
        arena_free(other);
        arena_free(a);
}

static void *use_and_end(void *arg)
{
        struct arena *mine = arena_new(1 << 20);
        for (int i = 0; i < 200; i++) memset(arena_alloc(mine, 1000), 1, 1000);
        arena_free(arg);                                /* made by another thread */
        return arena_free(mine);
}

TEST(an_arena_may_end_on_another_thread_and_a_thread_leaves_nothing_behind)
{
        for (int i = 0; i < 8; i++) {                   /* the leak checker looks at the end of the program */
                struct arena *theirs = arena_new(1 << 20);
                arena_alloc(theirs, 50000);
                pthread_t t;
                CHECK_EQ(pthread_create(&t, NULL, use_and_end, theirs), 0);
                CHECK_EQ(pthread_join(t, NULL), 0);
        }
}

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
TEST(under_the_address_sanitizer_what_was_not_handed_out_is_poisoned)
{
        struct arena *a = arena_new(1 << 20);
        char *p = arena_alloc(a, 40);
        CHECK(!__asan_address_is_poisoned(p + 39) && __asan_address_is_poisoned(p + 40));
        char *big = arena_alloc(a, 50000);
        CHECK(!__asan_address_is_poisoned(big + 49999) && __asan_address_is_poisoned(big + 50000));
        arena_reset(a);
        CHECK(__asan_address_is_poisoned(p));
        p = arena_alloc(a, 40);
        arena_free(a);
        CHECK(__asan_address_is_poisoned(p));
}
#endif

TEST(more_arenas_than_the_store_keeps_come_and_go)
{
        COUNTING(ARENA_STORE);
        enum { N = 200 };
        struct arena *all[N];
        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < N; i++) {
                        all[i] = arena_new(1 << 20);
                        for (int k = 0; k < 20; k++) memset(arena_alloc(all[i], 700), i, 700);
                }
                for (int i = 0; i < N; i++) arena_free(all[i]);
        }
        REACHED(ARENA_STORE);
}

TEST_MAIN
