/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * base_test.c - a first look at every module of kit/base: that each does its one thing. */
#include "test.h"
#include <unistd.h>
#include "arena.h"
#include "buf.h"
#include "ctx.h"
#include "hash.h"
#include "log.h"
#include "map.h"
#include "text.h"

TEST(an_id_survives_its_text)
{
        char t[37];
        uid id = uid_v7((when){ 1795852800123456 }), back;
        uid_format(id, t);
        CHECK_OK(uid_parse(str_of(t), &back));
        CHECK(uid_eq(id, back));
        CHECK_EQ(uid_time(id).us, 1795852800123000);
}

TEST(a_time_survives_its_text)
{
        when t;
        char text[32];
        CHECK_OK(when_parse(STR("2026-11-24T10:09:27.123456+02:00"), &t));
        CHECK_EQ(when_format(t, text), 27);
        CHECK_STR(str_of(text), "2026-11-24T08:09:27.123456Z");
        CHECK_EQ(when_parse(STR("2026-02-30T00:00:00Z"), &t), -INVALID_ARGUMENT);
}

TEST(an_amount_survives_its_text)
{
        money m;
        char text[40];
        CHECK_OK(money_parse(STR("19.99"), "EUR", &m));
        CHECK_EQ(m.minor, 1999);
        money_format(m, text);
        CHECK_STR(str_of(text), "19.99 EUR");
}

TEST(an_arena_gives_zeroed_memory_up_to_its_maximum)
{
        struct arena *a = arena_new(100000);
        for (int i = 0; i < 1000; i++) CHECK(arena_alloc(a, 90) != NULL);
        CHECK(!arena_is_exhausted(a));
        CHECK(arena_alloc(a, 50000) == NULL);
        CHECK(arena_is_exhausted(a));
        arena_reset(a);
        CHECK(arena_alloc(a, 50000) != NULL);
        CHECK_STR(arena_printf(a, "%d %s", 7, "seas"), "7 seas");
        arena_free(a);
}

TEST(a_failure_tells_its_story)
{
        struct ctx c = { .arena = arena_new(65536) };
        CHECK_EQ(fail(&c, NOT_FOUND, "no_such_order", "no order %d", 7), -NOT_FOUND);
        CHECK_STR(c.fault.message, "no order 7");
        fault_clear(&c);
        flaw_add(&c, STR("/quantity"), "too_large", "at most %d", 9);
        CHECK_EQ(flaws_fail(&c), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.message, "/quantity: at most 9");
        c.caller.scope = STR("orders:read orders:write");
        CHECK(caller_has_scope(&c, "orders:write"));
        CHECK(!caller_has_scope(&c, "orders"));
        arena_free(c.arena);
}

TEST(a_map_finds_what_was_put)
{
        struct map *m = map_new(100, MAP_REFUSES, NULL);
        int value = 7;
        CHECK_OK(map_put(m, STR("a"), &value));
        CHECK(map_get(m, STR("a")) == &value);
        CHECK(map_get(m, STR("b")) == NULL);
        map_free(m);
}

TEST(text_is_encoded_and_read_back)
{
        struct buf b = BUF_INIT(1000);
        struct arena *a = arena_new(1000);
        str out;
        base64url_write(&b, STR("f\xff"));
        CHECK_STR(buf_str(&b), "Zv8");
        CHECK_OK(base64url_read(a, buf_str(&b), &out));
        CHECK_STR(out, "f\xff");
        CHECK(utf8_is_valid(STR("na\xc3\xafve")));
        CHECK(!utf8_is_valid(STR("na\xefve")));
        CHECK_OK(percent_read(a, STR("a%20b+c"), true, &out));
        CHECK_STR(out, "a b c");
        buf_done(&b);
        arena_free(a);
}

TEST(digests_are_the_published_ones)
{
        struct buf b = BUF_INIT(1000);
        struct digest d = sha256(STR("abc"));
        hex_write(&b, (str){ (const char *)d.b, 32 });
        CHECK_STR(buf_str(&b), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        buf_done(&b);
}

TEST(a_line_is_logged)
{
        int ends[2];
        char line[1000];
        CHECK_OK(pipe(ends));
        log_setup(INFO, LOG_JSON, false, ends[1]);
        log_say(INFO, "listening", L_INT("port", 8080), L_MS("took", 1500), L_Z("none", NULL));
        ssize_t n = read(ends[0], line, sizeof line);
        CHECK(n > 0 && str_ends((str){ line, (size_t)n }, STR("\"level\":\"info\",\"event\":\"listening\",\"port\":8080,\"took\":1.500}\n")));
        close(ends[0]);
        close(ends[1]);
}

TEST_MAIN
