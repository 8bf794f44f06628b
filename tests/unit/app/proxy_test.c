/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * proxy_test.c - who is believed about who asks: peers, fields and networks of both families. */
#include "test.h"
#include "engine.h"

static struct arena *arena;

/* fields: NULL, or one X-Forwarded-For a line */
static const char *client(const char *trusted, const char *peer, const char *fields)
{
        struct ctx c = { .arena = arena };
        struct proxies p = { .n = 0 };
        struct header v[8];
        struct headers h = { .v = v };
        CHECK_OK(proxies_read(&c, str_of(trusted), &p));
        if (fields)
                for (str rest = str_of(fields), one; rest.p && (one = str_split(&rest, '\n'), true);) v[h.n++] = (struct header){ STR("x-forwarded-for"), one };
        return proxies_client(arena, &p, peer, &h);
}

TEST(the_rightmost_address_that_is_no_trusted_proxy_asks)
{
        static const struct { const char *trusted, *peer, *fields, *want; } rows[] = {
                { "",                       "10.0.0.1", "192.0.2.7",                        "10.0.0.1" },
                { "10.0.0.0/8",             "10.0.0.1", NULL,                               "10.0.0.1" },
                { "10.0.0.0/8",             "10.0.0.1", "192.0.2.7",                        "192.0.2.7" },
                { "10.0.0.0/8",             "192.0.2.1", "192.0.2.7",                       "192.0.2.1" },
                { "10.0.0.0/8",             "10.0.0.1", "1.1.1.1, 192.0.2.7",               "192.0.2.7" },
                { "10.0.0.0/8",             "10.0.0.1", "192.0.2.7 ,10.9.9.9,\t10.0.0.2",   "192.0.2.7" },
                { "10.0.0.0/8",             "10.0.0.1", "192.0.2.7\n10.9.9.9",              "192.0.2.7" },
                { "10.0.0.0/8",             "10.0.0.1", "192.0.2.7\n192.0.2.8",             "192.0.2.8" },
                { "10.0.0.0/8",             "10.0.0.1", "10.0.0.3, 10.0.0.2",               "10.0.0.3" },
                { "10.0.0.0/8",             "10.0.0.1", "192.0.2.7, unknown, 10.0.0.2",     "10.0.0.2" },
                { "10.0.0.0/8",             "10.0.0.1", "192.0.2.7,",                       "10.0.0.1" },
                { "10.0.0.0/8",             "10.0.0.1", "",                                 "10.0.0.1" },
                { "10.0.0.0/8",             "10.0.0.1", "192.0.2.7:4711",                   "192.0.2.7" },
                { "10.0.0.0/8",             "10.0.0.1", "[2001:db8::7]:4711",               "2001:db8::7" },
                { "10.0.0.0/8",             "10.0.0.1", "[2001:db8::7",                     "10.0.0.1" },
                { "10.0.0.0/8",             "10.0.0.1", "2001:DB8:0::7",                    "2001:db8::7" },
                { "::1, 2001:db8::/33",     "::1",      "192.0.2.7, 2001:db8:7fff::1",      "192.0.2.7" },
                { "::1, 2001:db8::/33",     "::1",      "192.0.2.7, 2001:db8:8000::1",      "2001:db8:8000::1" },
                { "10.0.0.0/8",             "::ffff:10.0.0.1", "192.0.2.7",                 "192.0.2.7" },
                { "192.0.2.128/25",         "192.0.2.200", "192.0.2.127",                   "192.0.2.127" },
                { "0.0.0.0/0",              "10.0.0.1", "1.1.1.1, 2.2.2.2",                 "1.1.1.1" },
        };
        arena = arena_new(1 << 20);
        for (size_t i = 0; i < COUNT(rows); i++) {
                const char *got = client(rows[i].trusted, rows[i].peer, rows[i].fields);
                if (strcmp(got, rows[i].want)) cm_fail_msg("row %zu: %s, want %s", i, got, rows[i].want);
        }
        arena_free(arena);
}

TEST(a_setting_that_is_no_network_is_told)
{
        static const char *const bad[] = { "10.0.0.0/33", "10.0.0", "::1/129", "x", "10.0.0.1,,10.0.0.2", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8" };
        arena = arena_new(1 << 20);
        struct buf many AUTO(buf_done) = BUF_INIT(1000);
        for (int i = 0; i < 33; i++) buf_printf(&many, "%s10.0.0.%d", i ? "," : "", i);
        for (size_t i = 0; i <= COUNT(bad); i++) {
                struct ctx c = { .arena = arena };
                struct proxies p = { .n = 0 };
                str setting = i < COUNT(bad) ? str_of(bad[i]) : buf_str(&many);
                if (proxies_read(&c, setting, &p) != -INVALID_ARGUMENT) cm_fail_msg("taken: " STR_FMT, STR_ARG(setting));
                assert_string_equal(c.fault.slug, "bad_setting");
        }
        arena_free(arena);
}

TEST(without_memory_the_peer_is_who_asks)
{
        arena = arena_new(1 << 20);
        struct ctx c = { .arena = arena };
        struct proxies p = { .n = 0 };
        struct header field = { STR("x-forwarded-for"), STR("192.0.2.7") };
        CHECK_OK(proxies_read(&c, STR("10.0.0.0/8"), &p));
        alloc_fail_after(1);
        assert_string_equal(proxies_client(arena, &p, "10.0.0.1", &(struct headers){ .v = &field, .n = 1 }), "10.0.0.1");
        alloc_fail_after(0);
        arena_free(arena);
}
TEST_MAIN
