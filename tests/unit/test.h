/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * test.h - the words unit tests are written in, over cmocka: TEST(a_sentence_about_the_module) { ... }, and TEST_MAIN last.
 *
 * Tests register themselves in order of their lines. An argument runs only the tests whose names contain it. */
#ifndef TEST_H
#define TEST_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bound.h"
#undef fail                     /* ctx.h has its own; include this file first */
#define cm_fail_msg(...)    do { print_error(__VA_ARGS__); print_error("\n"); _fail(__FILE__, __LINE__); } while (0)

extern const struct CMUnitTest __start_tests[], __stop_tests[];

#ifdef __clang__
#define IN_ORDER                /* as it does anyway */
#else
#define IN_ORDER            __attribute__((no_reorder))
#endif
#define TEST(name_) \
        static void name_(void **state_); \
        static const struct CMUnitTest name_##_test IN_ORDER __attribute__((section("tests"), used, aligned(8))) = \
                { #name_, name_, NULL, NULL, NULL }; \
        static void name_(void **state_ __attribute__((unused)))

#define CHECK(e)            assert_true(e)
#define CHECK_EQ(a, b)      assert_int_equal((long long)(a), (long long)(b))
#define CHECK_OK(e)         do { int r_ = (e); if (r_ < 0) { print_error("%s = %d\n", #e, r_); cm_fail_msg("%s", #e); } } while (0)
#define CHECK_STR(s, z)     do { str s_ = (s); const char *z_ = (z); \
                                 if (s_.n != strlen(z_) || memcmp(s_.p, z_, s_.n)) cm_fail_msg("%s is \"%.*s\", want \"%s\"", #s, (int)s_.n, s_.p, z_); } while (0)
/* COUNTING(ID) before and REACHED(ID) after: the maximum of that row of bounds.def was reached in between. */
#define COUNTING(id)        uint64_t id##_before_ = bound_times(BOUND_##id)
#define REACHED(id)         CHECK(bound_times(BOUND_##id) > id##_before_)
#define TEST_MAIN \
        int main(int argc, char **argv) \
        { \
                char pattern[256]; \
                snprintf(pattern, sizeof pattern, "*%s*", argc > 1 ? argv[1] : ""); \
                cmocka_set_test_filter(pattern); \
                return _cmocka_run_group_tests(argv[0], __start_tests, (size_t)(__stop_tests - __start_tests), NULL, NULL); \
        }
#endif
