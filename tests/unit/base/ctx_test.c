/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * ctx_test.c - the story of a failure: told, replaced, collected, copied, and told even without memory. */
#include "test.h"
#include "ctx.h"

static struct ctx make(size_t max) { return (struct ctx){ .arena = arena_new(max) }; }

TEST(a_failure_keeps_its_slug_message_place_and_status)
{
        struct ctx c = make(65536);
        int line = __LINE__ + 1;
        int r = fail_http(&c, 410, NOT_FOUND, "order_gone", "order %d of %s", 7, "Ada");
        CHECK_EQ(r, -NOT_FOUND);
        CHECK_EQ(c.fault.code, NOT_FOUND);
        CHECK_EQ(c.fault.http, 410);
        assert_string_equal(c.fault.slug, "order_gone");
        CHECK_STR(c.fault.message, "order 7 of Ada");
        CHECK(strstr(c.fault.file, "ctx_test.c") != NULL);
        CHECK_EQ(c.fault.line, line);
        arena_free(c.arena);
}

TEST(a_new_failure_replaces_the_old_story_with_its_flaws)
{
        struct ctx c = make(65536);
        flaw_add(&c, STR("/a"), "missing", "is missing");
        CHECK_EQ(flaws_fail(&c), -INVALID_ARGUMENT);
        c.fault.retry_after_ms = 5;
        CHECK_EQ(fail(&c, UNAVAILABLE, "down", "after: " STR_FMT, STR_ARG(c.fault.message)), -UNAVAILABLE);
        CHECK_STR(c.fault.message, "after: /a: is missing");
        CHECK(c.fault.flaws == NULL && c.fault.n_flaws == 0 && c.fault.retry_after_ms == 0 && c.fault.http == 0);
        fault_clear(&c);
        CHECK(c.fault.code == OK && c.fault.slug == NULL && c.fault.message.p == NULL);
        arena_free(c.arena);
}

TEST(without_flaws_nothing_fails)
{
        struct ctx c = make(65536);
        CHECK_EQ(flaws_fail(&c), 0);
        CHECK_EQ(c.fault.code, OK);
        arena_free(c.arena);
}

TEST(flaws_are_kept_in_order_and_the_message_names_the_first)
{
        struct ctx c = make(65536);
        char pointer[] = "/items/0/quantity";
        flaw_add(&c, str_of(pointer), "too_large", "at most %d", 999);
        pointer[1] = 'X';                               /* it was copied */
        flaw_add(&c, STR("/sku"), "missing", "is missing");
        CHECK_EQ(flaws_fail(&c), -INVALID_ARGUMENT);
        assert_string_equal(c.fault.slug, "invalid");
        CHECK_STR(c.fault.message, "/items/0/quantity: at most 999 (and 1 more)");
        CHECK_EQ(c.fault.n_flaws, 2);
        const struct flaw *f = c.fault.flaws;
        CHECK_STR(f->pointer, "/items/0/quantity");
        assert_string_equal(f->slug, "too_large");
        CHECK_STR(f->detail, "at most 999");
        CHECK_STR(f->next->pointer, "/sku");
        CHECK(f->next->next == NULL);
        arena_free(c.arena);
}

TEST(a_flaw_of_the_whole_input_has_no_pointer_to_name)
{
        struct ctx c = make(65536);
        flaw_add(&c, STR(""), "not_json", "is not JSON");
        CHECK_EQ(flaws_fail(&c), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.message, "is not JSON");
        arena_free(c.arena);
}

TEST(more_flaws_than_the_most_are_counted_not_kept)
{
        COUNTING(FLAWS);
        struct ctx c = make(65536);
        size_t kept = 0, used = 0;
        for (int i = 0; i < 1000; i++) {
                flaw_add(&c, STR("/a"), "wrong", "number %d", i);
                if (i == FLAWS_MAX) used = arena_used(c.arena);
        }
        CHECK_EQ(arena_used(c.arena), used);
        for (const struct flaw *f = c.fault.flaws; f; f = f->next) kept++;
        CHECK_EQ(kept, FLAWS_MAX);
        CHECK_EQ(c.fault.n_flaws, 1000);
        CHECK_EQ(flaws_fail(&c), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.message, "/a: number 0 (and 999 more)");
        arena_free(c.arena);
        REACHED(FLAWS);
}

TEST(a_story_is_told_even_when_the_arena_is_full)
{
        struct ctx c = make(0);
        CHECK_EQ(fail(&c, NOT_FOUND, "no_such_order", "no order %d", 7), -NOT_FOUND);
        CHECK_STR(c.fault.message, "no_such_order");
        fault_clear(&c);
        flaw_add(&c, STR("/a"), "missing", "is missing");
        CHECK_EQ(flaws_fail(&c), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.message, "the input is not valid");
        CHECK(c.fault.flaws == NULL && c.fault.n_flaws == 1);
        arena_free(c.arena);
}

TEST(each_allocation_may_fail_and_the_flaws_stay_whole)
{
        for (long n = 1; n <= 9; n++) {
                struct ctx c = make(65536);
                alloc_fail_after(n);
                flaw_add(&c, STR("/a"), "missing", "is missing");
                flaw_add(&c, STR("/b"), "missing", "is missing");
                CHECK_EQ(flaws_fail(&c), -INVALID_ARGUMENT);
                alloc_fail_after(0);
                CHECK_EQ(c.fault.n_flaws, 2);
                CHECK(c.fault.message.p && c.fault.message.n);
                for (const struct flaw *f = c.fault.flaws; f; f = f->next) CHECK(f->pointer.p && f->detail.p && f->slug);
                arena_free(c.arena);
        }
}

TEST(a_copied_story_outlives_its_source)
{
        struct ctx from = make(65536), to = make(65536);
        for (int i = 0; i < 70; i++) flaw_add(&from, STR("/a"), "wrong", "number %d", i);
        CHECK_EQ(flaws_fail(&from), -INVALID_ARGUMENT);
        from.fault.retry_after_ms = 1500;
        fault_copy(&to, &from);
        from.arena = arena_free(from.arena);
        CHECK_EQ(to.fault.code, INVALID_ARGUMENT);
        CHECK_EQ(to.fault.retry_after_ms, 1500);
        CHECK_EQ(to.fault.n_flaws, 70);
        CHECK_STR(to.fault.message, "/a: number 0 (and 69 more)");
        CHECK_STR(to.fault.flaws->next->detail, "number 1");
        flaw_add(&to, STR("/b"), "wrong", "one more");
        CHECK_EQ(to.fault.n_flaws, 71);
        arena_free(to.arena);
}

TEST(a_story_copied_to_itself_or_from_nothing_is_unharmed)
{
        struct ctx c = make(65536), empty = { .arena = c.arena };
        CHECK_EQ(fail(&c, ABORTED, "again", "try again"), -ABORTED);
        fault_copy(&c, &c);
        CHECK_STR(c.fault.message, "try again");
        fault_copy(&c, &empty);
        CHECK(c.fault.code == OK && c.fault.message.p == NULL);
        arena_free(c.arena);
}

TEST(scopes_are_whole_words)
{
        struct ctx c = { .caller.scope = STR("orders:read  orders:write") };
        CHECK(caller_has_scope(&c, "orders:read") && caller_has_scope(&c, "orders:write"));
        CHECK(!caller_has_scope(&c, "orders") && !caller_has_scope(&c, "orders:write:all") && !caller_has_scope(&c, "read"));
        CHECK(!caller_has_scope(&c, "") && !caller_has_scope(&c, "orders:read orders:write") && !caller_has_scope(&c, "ORDERS:READ"));
        c.caller.scope = (str){ NULL, 0 };
        CHECK(!caller_has_scope(&c, "orders:read"));
}

TEST(roles_are_a_set)
{
        struct ctx c = { .caller = { .id = { { 1 } }, .roles = ROLE_CUSTOMER | ROLE_VENDOR } };
        CHECK(caller_has_role(&c, ROLE_VENDOR) && caller_has_role(&c, ROLE_ADMIN | ROLE_CUSTOMER) && !caller_has_role(&c, ROLE_ADMIN));
        CHECK_EQ(caller_id(&c).b[0], 1);
}

TEST_MAIN
