/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * form_test.c - query strings into structs: every kind, every fault of escaping, and the bounds. */
#include "test.h"
#include "sample.h"

SAMPLE_TYPES;

static const char *refused(const char *query)
{
        static char kept[8192];
        CTX(c);
        struct sample s = { 0 };
        CHECK_OK(form_read(&c, &sample_type, str_of(query), &s, NULL));
        return strcpy(kept, flaws(&c));
}
#define REFUSES(query, want) assert_string_equal(refused(query), (want))

TEST(every_plain_kind_is_read)
{
        CTX(c);
        struct sample s = { 0 };
        CHECK_OK(form_read(&c, &sample_type, STR("yes=true&small=-7&colour=green&big=9223372036854775807&ratio=-2.5e1&name=a+b%26%C3%A4%3D&blob=AP-_&"
                "id=01234567-89AB-7def-8123-456789abcdef&at=2026-11-24T08:09:27%2B01:00&price=19.99+EUR&tags=x,,z&numbers=1,-2"),
                        &s, NULL));
        assert_string_equal(flaws(&c), "");
        CHECK(s.yes);
        CHECK_EQ(s.small, -7);
        CHECK_EQ(s.colour, GREEN);
        CHECK_EQ(s.big, INT64_MAX);
        CHECK(s.ratio == -25);
        CHECK_STR(s.name, "a b&\xc3\xa4=");
        CHECK_EQ(s.blob.n, 3);
        CHECK_EQ(s.id.b[4], 0x89);
        char at[32];
        when_format(s.at, at);
        assert_string_equal(at, "2026-11-24T07:09:27Z");
        CHECK_EQ(s.price.minor, 1999);
        assert_string_equal(s.price.cur, "EUR");
        CHECK_EQ(s.tags.n, 3);
        CHECK_STR(s.tags.v[2], "z");
        CHECK(!s.tags.v[1].n);
        CHECK_EQ(s.numbers.v[1], -2);
}

TEST(lists_are_comma_separated_or_repeated)
{
        CTX(c);
        struct sample s = { 0 };
        CHECK_OK(form_read(&c, &sample_type, STR("numbers=1,2&tags=a&numbers=3&&tags=b%2Cc&"), &s, NULL));
        assert_string_equal(flaws(&c), "");
        CHECK_EQ(s.numbers.n, 3);
        CHECK_EQ(s.numbers.v[2], 3);
        CHECK_EQ(s.tags.n, 3);
        CHECK_STR(s.tags.v[2], "c");
}

TEST(a_comma_of_a_values_own_has_a_backslash_before_it)
{
        CTX(c);
        struct sample s = { 0 };
        CHECK_OK(form_read(&c, &sample_type, STR("tags=a%5C%2Cb,c%5C,%5C,d%5C%5C%2C&tags=e\\"), &s, NULL));
        assert_string_equal(flaws(&c), "");
        CHECK_EQ(s.tags.n, 3);
        CHECK_STR(s.tags.v[0], "a,b");
        CHECK_STR(s.tags.v[1], "c,,d\\,");
        CHECK_STR(s.tags.v[2], "e\\");
}

struct window { int32_t limit; int64_t from; };
MESSAGE(window, "a part of a list", F(window, 1, limit, .optional = true, .min = 1, .max = 100), F(window, 2, from, .optional = true, .min = 0, .max = 9));

TEST(an_optional_zero_that_was_given_is_held_against_its_range)
{
        CTX(c);
        struct window w = { 0 };
        CHECK_OK(form_read(&c, &window_type, STR("limit=0&from=0"), &w, NULL));
        assert_string_equal(flaws(&c), "limit too_small\n");
}

TEST(what_was_there_before_stays)
{
        CTX(c);
        struct sample s = { .small = 5, .name = STR("path") };
        CHECK_OK(form_read(&c, &sample_type, STR("big=1"), &s, (const char *const[]){ "name", NULL }));
        CHECK_EQ(s.small, 5);
        CHECK_STR(s.name, "path");
        CHECK_OK(form_read(&c, &sample_type, STR("name=query"), &s, (const char *const[]){ "name", NULL }));
        assert_string_equal(flaws(&c), "name unknown\n");
        CHECK_STR(s.name, "path");
}

TEST(nothing_is_an_empty_query)
{
        CTX(c);
        struct sample s = { 0 };
        CHECK_OK(form_read(&c, &sample_type, STR(""), &s, NULL));
        CHECK_OK(form_read(&c, &sample_type, (str){ NULL, 0 }, &s, NULL));
        CHECK_OK(form_read(&c, &sample_type, STR("&&&"), &s, NULL));
        assert_string_equal(flaws(&c), "");
}

TEST(bad_values_are_flaws_that_name_the_parameter)
{
        REFUSES("yes=1&small=2147483648&colour=pink&big=1.0&ratio=inf&blob=A&id=7&at=noon&price=19.999+EUR&part=x&parts=x&ids=1",
                "yes wrong_type\nsmall too_large\ncolour not_a_word\nbig wrong_type\nratio wrong_type\nblob bad_format\nid bad_format\nat bad_format\n"
                "price bad_format\npart wrong_type\nparts wrong_type\nids bad_format\n");
        REFUSES("small=&big&yes=", "small wrong_type\nbig wrong_type\nyes wrong_type\n");
        REFUSES("big=-9223372036854775809", "big too_small\n");
        REFUSES("ratio=1e999", "ratio too_large\n");
        REFUSES("ratio=-1e999", "ratio too_small\n");
        REFUSES("ratio=0x10", "ratio wrong_type\n");
        REFUSES("ratio=1.2.3", "ratio wrong_type\n");
        REFUSES("ratio=", "ratio wrong_type\n");
        REFUSES("price=1+ZZZ", "price bad_format\n");
        REFUSES("price=1+EUROS", "price bad_format\n");
        REFUSES("price=99999999999999999999+EUR", "price too_large\n");
        REFUSES("price=EUR", "price bad_format\n");
}

TEST(unknown_and_repeated_parameters_are_flaws)
{
        REFUSES("nam=x&names=y&=z", "nam unknown\nnames unknown\n unknown\n");
        REFUSES("name=x&n%61me=y", "name repeated\n");
}

TEST(a_field_of_the_programs_own_is_no_parameter)
{
        CTX(c);
        struct inner i = { 0 };
        CHECK_OK(form_read(&c, &inner_type, STR("shown=1&hidden=2"), &i, NULL));
        assert_string_equal(flaws(&c), "hidden unknown\n");
        CHECK_EQ(i.hidden, 0);
}

TEST(percent_faults_are_flaws)
{
        REFUSES("name=%", "name bad_format\n");
        REFUSES("name=%4", "name bad_format\n");
        REFUSES("name=%zz", "name bad_format\n");
        REFUSES("name=%00", "name bad_format\n");
        REFUSES("name=%ff", "name bad_format\n");
        REFUSES("name=\xff", "name bad_utf8\n");
        REFUSES("n%me=1", " bad_format\n");
        REFUSES("\xff=1", " bad_format\n");
}

TEST(a_hundred_pairs_are_read_and_one_more_is_refused)
{
        COUNTING(PARAMETERS);
        char text[1000], *p = text;
        for (int i = 0; i < 100; i++) p += sprintf(p, "tags=%d&", i);
        CTX(c);
        struct sample s = { 0 };
        CHECK_OK(form_read(&c, &sample_type, str_of(text), &s, NULL));
        CHECK_EQ(s.tags.n, 100);
        strcpy(p, "big=1");
        s = (struct sample){ 0 };
        CHECK_EQ(form_read(&c, &sample_type, str_of(text), &s, NULL), -RESOURCE_EXHAUSTED);
        REACHED(PARAMETERS);
}

TEST(a_list_keeps_one_element_over_its_maximum_for_the_check)
{
        CTX(c);
        struct sample s = { 0 };
        struct buf b AUTO(buf_done) = BUF_INIT(100000);
        buf_lit(&b, "numbers=1");
        for (int i = 0; i < 5000; i++) buf_lit(&b, ",1");
        CHECK_OK(form_read(&c, &sample_type, buf_str(&b), &s, NULL));
        CHECK_EQ(s.numbers.n, LIST_MAX_DEFAULT + 1);
        check_field(&c, type_field(&sample_type, STR("numbers")), &s, STR("numbers"));
        assert_string_equal(flaws(&c), "numbers too_many\n");
}

TEST(one_value_is_read_from_a_path_a_header_or_a_cell)
{
        CTX(c);
        struct sample s = { 0 };
        form_value(&c, type_field(&sample_type, STR("small")), STR("12"), &s, STR("small"));
        form_value(&c, type_field(&sample_type, STR("name")), STR("a+b%"), &s, STR("name"));
        assert_string_equal(flaws(&c), "");
        CHECK_EQ(s.small, 12);
        CHECK_STR(s.name, "a+b%");
        form_value(&c, type_field(&sample_type, STR("name")), STR("\xc3"), &s, STR("X-Name"));
        form_value(&c, type_field(&sample_type, STR("name")), (str){ "a\0b", 3 }, &s, STR("X-Name"));
        form_value(&c, type_field(&sample_type, STR("id")), (str){ NULL, 0 }, &s, STR("id"));
        assert_string_equal(flaws(&c), "X-Name bad_utf8\nX-Name bad_format\nid bad_format\n");
}

TEST(reading_without_memory_fails_and_says_so)
{
        long n = 1;
        for (int r = -1; r < 0; n++) {
                CTX(c);
                struct sample s = { 0 };
                alloc_fail_after(n);
                r = form_read(&c, &sample_type, STR("name=%61&tags=a,b&numbers=1&blob=AAAA&n%61me=x&zzz=1"), &s, NULL);
                alloc_fail_after(0);
                CHECK(r == 0 || r == -RESOURCE_EXHAUSTED);
        }
        CHECK(n > 5);
}

TEST_MAIN
