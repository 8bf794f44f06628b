/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * code_test.c - the canonical codes: names, HTTP statuses, levels, retries. */
#include "test.h"
#include "base.h"
#include "log.h"

TEST(every_code_has_its_number_in_grpc)
{
        static const char *const names[] = { "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
                "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
                "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED" };
        for (int i = 0; i < (int)COUNT(names); i++) {
                assert_string_equal(code_name(i), names[i]);
                assert_string_equal(code_name(-i), names[i]);
        }
}

TEST(a_number_that_is_no_code_is_unknown)
{
        static const int wrong[] = { 17, -17, 1000, INT32_MAX, INT32_MIN };
        for (size_t i = 0; i < COUNT(wrong); i++) {
                assert_string_equal(code_name(wrong[i]), "UNKNOWN");
                CHECK_EQ(code_http(wrong[i]), 500);
                CHECK(!code_may_retry(wrong[i]));
        }
}

TEST(codes_map_to_http_levels_and_retries)
{
        CHECK_EQ(code_http(OK), 200);
        CHECK_EQ(code_http(-NOT_FOUND), 404);
        CHECK_EQ(code_http(-UNAUTHENTICATED), 401);
        CHECK_EQ(code_http(-RESOURCE_EXHAUSTED), 429);
        CHECK(code_may_retry(-UNAVAILABLE) && code_may_retry(-ABORTED) && !code_may_retry(-NOT_FOUND) && !code_may_retry(-INTERNAL));
        CHECK_EQ(code_level(-INTERNAL), ERROR);
        CHECK_EQ(code_level(-UNAVAILABLE), WARN);
        CHECK_EQ(code_level(-NOT_FOUND), INFO);
}

TEST_MAIN
