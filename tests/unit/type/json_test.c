/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_test.c - JSON in and out of structs: every kind, every refusal, every place to run out of memory. */
#include "test.h"
#include <float.h>
#include <limits.h>
#include "sample.h"

SAMPLE_TYPES;

/* Reads a text that must be refused; what is wrong, as flaws() lists it. */
static const char *refused(const struct type *t, const char *text, unsigned mode)
{
        static char kept[8192];
        union { struct sample s; struct loose l; struct part p; struct account a; struct tree t; struct nothing n; } out;
        CTX(c);
        CHECK(sizeof out >= t->size);
        CHECK_EQ(json_read(&c, t, str_of(text), &out, mode), -INVALID_ARGUMENT);
        CHECK_EQ(c.fault.code, INVALID_ARGUMENT);
        CHECK(c.fault.n_flaws > 0);
        return strcpy(kept, flaws(&c));
}
#define REFUSES(T, text, want)          assert_string_equal(refused(&T##_type, (text), JSON_STRICT), (want))

static void accepts(const struct type *t, const char *text, void *out, unsigned mode, struct ctx *c)
{
        int r = json_read(c, t, str_of(text), out, mode);
        if (r < 0) cm_fail_msg("%s: %d %s", text, r, flaws(c));
}

static void writes(const struct type *t, const void *msg, const char *want)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        json_write(&b, t, msg);
        CHECK_OK(buf_error(&b));
        CHECK_STR(buf_str(&b), want);
}

/* ---- there and back ------------------------------------------------------------------------------------------------ */

TEST(every_kind_is_read_and_written_as_it_was)
{
        CTX(c);
        struct sample s;
        accepts(&sample_type, sample_text, &s, JSON_STRICT, &c);
        CHECK(s.yes);
        CHECK_EQ(s.small, -7);
        CHECK_EQ(s.colour, BLUE);
        CHECK_EQ(s.big, 9007199254740993);
        CHECK(s.ratio == 0.1);
        CHECK_STR(s.name, "K\xc3\xa4se \"\\\n\x01");
        CHECK_EQ(s.blob.n, 3);
        CHECK(!memcmp(s.blob.p, "\x00\xff\xbf", 3));
        CHECK_EQ(s.id.b[15], 0xef);
        CHECK_EQ(s.price.minor, 1999);
        assert_string_equal(s.price.cur, "EUR");
        CHECK_EQ(s.part.quantity, 1);
        CHECK_EQ(s.parts.n, 2);
        CHECK_STR(s.parts.v[1].sku, "c");
        CHECK_EQ(s.tags.n, 2);
        CHECK(s.tags.v[1].p && !s.tags.v[1].n);
        CHECK(uid_eq(s.ids.v[0], s.id));
        CHECK_EQ(s.numbers.v[1], INT64_MIN);
        CHECK_EQ(s.numbers.v[2], INT64_MAX);
        writes(&sample_type, &s, sample_text);
}

TEST(a_zero_message_writes_all_that_is_required_and_nothing_optional)
{
        struct part p = { 0 };
        struct loose l = { 0 };
        writes(&part_type, &p, "{\"sku\":\"\",\"quantity\":0}");
        writes(&loose_type, &l, "{}");
        writes(&nothing_type, &(struct nothing){ 0 }, "{}");
}

TEST(texts_without_escapes_point_into_the_input)
{
        CTX(c);
        struct part p;
        const char text[] = "{\"sku\":\"abc\",\"quantity\":1}";
        accepts(&part_type, text, &p, JSON_STRICT, &c);
        CHECK(p.sku.p == text + 8);
}

/* ---- refusals ------------------------------------------------------------------------------------------------------- */

TEST(all_flaws_are_reported_together_with_their_pointers)
{
        REFUSES(sample,
                "{\"yes\":1,\"small\":2147483648,\"colour\":\"pink\",\"big\":1.0,\"name\":5,\"blob\":\"=\",\"id\":\"x\",\"at\":\"noon\","
                "\"price\":{\"amount\":\"1\",\"currency\":\"eur\",\"tip\":1},\"part\":{\"sku\":\"\",\"quantity\":100},"
                "\"parts\":[{\"sku\":\"123456789\",\"quantity\":0},7,{}],\"a/b~c\":{\"x\":1,\"x\":2},\"tags\":[1,\"ok\",null],\"ids\":{},\"yes\":true}",
                "/yes wrong_type\n/small too_large\n/colour not_a_word\n/big wrong_type\n/name wrong_type\n/blob bad_format\n/id bad_format\n"
                "/at bad_format\n/price/amount wrong_type\n/price/currency bad_format\n/price/tip unknown\n/part/sku too_short\n/part/quantity too_large\n"
                "/parts/0/sku too_long\n/parts/0/quantity too_small\n/parts/1 wrong_type\n/parts/2/sku required\n/parts/2/quantity required\n"
                "/a~1b~0c unknown\n/a~1b~0c/x repeated\n/tags/0 wrong_type\n/tags/2 required\n/ids wrong_type\n/yes repeated\n"
                "/ratio required\n/numbers required\n");
}

TEST_MAIN
