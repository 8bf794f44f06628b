/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * check_test.c - rules of tables against messages in memory, and the named formats. */
#include "test.h"
#include "sample.h"

SAMPLE_TYPES;

static const char *wrongs(const struct type *t, const void *msg, str at)
{
        static char kept[8192];
        CTX(c);
        check_msg(&c, t, msg, at);
        return strcpy(kept, flaws(&c));
}

static const struct sample good = {
        .name = { "", 0 }, .blob = { (const uint8_t *)"", 0 }, .id = { { 1 } }, .at = { 1 }, .price = { 1, "EUR" },
                .part = { { "a", 1 }, 1 },
        .parts = { (struct part[]){ { { "b", 1 }, 2 } }, 1 },
};

TEST(a_good_message_has_no_flaw)
{
        assert_string_equal(wrongs(&sample_type, &good, STR("")), "");
        assert_string_equal(wrongs(&loose_type, &(struct loose){ 0 }, STR("")), "");
}

TEST(what_is_required_is_missed_where_memory_shows_it)
{
        assert_string_equal(wrongs(&sample_type, &(struct sample){ 0 }, STR("")),
                            "/name required\n/blob required\n/id required\n/at required\n/price required\n/part required\n/parts too_few\n");
}

TEST(every_rule_is_held_against_every_value)
{
        struct loose l = { .small = 4, .colour = 3, .name = STR("123456"), .blob = { (const uint8_t *)"12345", 5 },
                .price = { 100001, "EUR" },
                           .part = { STR(""), 100 }, .parts = { (struct part[]){ { STR("a"), 1 }, { STR("123456789"), 0 } },
                                   2 } };
        assert_string_equal(wrongs(&loose_type, &l, STR("")),
                            "/small too_small\n/colour not_a_word\n/name too_long\n/blob too_long\n/price/amount too_large\n/part/sku too_short\n/part/quantity too_large\n"
                            "/parts/1/sku too_long\n/parts/1/quantity too_small\n");
        struct sample s = good;
        s.parts = (struct part_list){ (struct part[]){ { STR("a"), 1 }, { STR("a"), 1 }, { STR("a"), 1 }, { STR("a"), 0 } }, 4 };
        assert_string_equal(wrongs(&sample_type, &s, STR("")), "/parts too_many\n");
}

TEST(a_field_of_the_programs_own_is_not_judged)
{
        assert_string_equal(wrongs(&inner_type, &(struct inner){ .hidden = 9 }, STR("")), "");
}

TEST(places_are_named_below_where_the_message_is)
{
        struct part p = { { 0 }, 1 };
        assert_string_equal(wrongs(&part_type, &p, STR("/items/3")), "/items/3/sku required\n");
        assert_string_equal(wrongs(&part_type, &p, (str){ NULL, 0 }), "sku required\n");
}

TEST(details_are_sentences_without_the_value)
{
        CTX(c);
        struct account a = { .email = STR("nobody"), .password = STR("geheim") };
        check_msg(&c, &account_type, &a, STR(""));
        CHECK_STR(c.fault.flaws->detail, "must be an e-mail address");
        CHECK_STR(c.fault.flaws->next->detail, "must have at least 8 characters");
}

TEST(checking_without_memory_does_not_crash)
{
        for (long n = 1; n < 30; n++) {
                CTX(c);
                alloc_fail_after(n);
                check_msg(&c, &sample_type, &(struct sample){ 0 }, STR(""));
                alloc_fail_after(0);
                CHECK(c.fault.n_flaws || arena_is_exhausted(c.arena));
        }
}

/* ---- formats ----------------------------------------------------------------------------------------------------------- */

static void takes(const struct format *f, const char *text, bool want)
{
        if (f->is_valid(str_of(text)) != want) cm_fail_msg("%s: \"%s\" is %s", f->name, text, want ? "refused" : "taken");
}
#define TAKES(f, ...)   do { const char *t_[] = { __VA_ARGS__ }; for (size_t i_ = 0; i_ < COUNT(t_); i_++) takes(&format_##f, t_[i_], true); } while (0)
#define REFUSES(f, ...) do { const char *t_[] = { __VA_ARGS__ }; for (size_t i_ = 0; i_ < COUNT(t_); i_++) takes(&format_##f, t_[i_], false); } while (0)

TEST(e_mail_addresses)
{
        char label[80] = "a@", local[80] = "";
        memset(label + 2, 'b', 63);
        strcpy(label + 65, ".cd");
        memset(local, 'a', 64);
        strcpy(local + 64, "@b.cd");
        TAKES(email, "a@b.cd", "ann.o'neil+shop@mail.example.org", "x_y-z@a-b.example", label, local);
        memmove(label + 3, label + 2, strlen(label + 2) + 1);
        memmove(local + 1, local, strlen(local) + 1);
        REFUSES(email, "", "a", "@b.cd", "a@", "a@b", "a@b.", "a@.cd", "a@b..cd", ".a@b.cd", "a.@b.cd", "a..b@b.cd", "a b@b.cd",
                "a@b@c.de", "a@-b.cd", "a@b-.cd",
                "a@b_c.de", "\"a\"@b.cd", "\xc3\xa4@b.cd", "a@b.cd\n", label, local);
        CHECK(!format_email.is_valid((str){ "a\0@b.cd", 7 }));
}

TEST(urls)
{
        TAKES(url, "http://a", "https://shop.example.org:8443/p/1?q=a%20b&c=[d]#x", "https://a/", "http://a?x",
                "http://127.0.0.1:1");
        REFUSES(url, "", "http://", "https:///x", "ftp://a", "//a", "javascript:alert(1)", "http://a b", "http://a\"",
                "http://a/<x>", "http://a/%2", "http://a/%zz",
                "http://u:p@a", "http://a:0", "http://a:65536", "http://a:", "http://a:1x", "http://a_b", "HTTP://a",
                        "http://\xc3\xa4", "http://a\n");
}

TEST(slugs_currencies_and_countries)
{
        TAKES(slug, "a", "red-shoes-2", "0");
        REFUSES(slug, "", "-a", "a-", "a--b", "A", "a b", "a_b", "\xc3\xa4");
        TAKES(currency, "EUR", "JPY", "USD");
        REFUSES(currency, "", "eur", "EU", "EURO", "ZZZ");
        TAKES(country, "DE", "ZW", "AD", "SE", "GB");
        REFUSES(country, "", "de", "D", "DEU", "UK", "ZZ", "EA");
}

TEST_MAIN
