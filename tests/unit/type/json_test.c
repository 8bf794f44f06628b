/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_test.c - JSON into structs: every kind there and back, every refusal, every place to run out of memory. */
#include "test.h"
#include <math.h>
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

TEST(whole_numbers_are_written_whole_and_fit)
{
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":1.0}", "/quantity wrong_type\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":1e0}", "/quantity wrong_type\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":\"1\"}", "/quantity wrong_type\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":-0}", "/quantity too_small\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":-2147483649}", "/quantity too_small\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":99999999999999999999999}", "/quantity too_large\n");
        REFUSES(loose, "{\"big\":9223372036854775808}", "/big too_large\n");
        REFUSES(loose, "{\"big\":-9223372036854775809}", "/big too_small\n");
        REFUSES(loose, "{\"big\":01}", "/big syntax\n");
        REFUSES(loose, "{\"big\":+1}", "/big syntax\n");
        REFUSES(loose, "{\"big\":-}", "/big syntax\n");
        REFUSES(loose, "{\"big\":0x10}", " syntax\n");
        CTX(c);
        struct loose l;
        accepts(&loose_type, "{\"big\":-0}", &l, JSON_STRICT, &c);
        CHECK_EQ(l.big, 0);
}

TEST(doubles_that_overflow_are_refused_and_tiny_ones_become_zero)
{
        CTX(c);
        struct loose l;
        REFUSES(loose, "{\"ratio\":1e400}", "/ratio too_large\n");
        REFUSES(loose, "{\"ratio\":-1e400}", "/ratio too_small\n");
        REFUSES(loose, "{\"ratio\":NaN}", "/ratio syntax\n");
        REFUSES(loose, "{\"ratio\":1.}", "/ratio syntax\n");
        REFUSES(loose, "{\"ratio\":.5}", "/ratio syntax\n");
        accepts(&loose_type, "{\"ratio\":1e-400}", &l, JSON_STRICT, &c);
        CHECK(l.ratio == 0);
        accepts(&loose_type, "{\"ratio\":-0}", &l, JSON_STRICT, &c);
        CHECK(l.ratio == 0 && signbit(l.ratio));
        accepts(&loose_type, "{\"ratio\":-1.5E+2}", &l, JSON_STRICT, &c);
        CHECK(l.ratio == -150);
        accepts(&loose_type, "{\"ratio\":0.00000000000000000000000000000000000000000000000000000000000000000000000000001}", &l,
                JSON_STRICT, &c);
        CHECK(l.ratio == 1e-77);
}

TEST(a_member_given_twice_is_refused_however_it_is_spelled)
{
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":1,\"sku\":\"b\"}", "/sku repeated\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":1,\"s\\u006bu\":\"b\"}", "/sku repeated\n");
        REFUSES(part, "{\"\\u0073ku\":\"a\",\"quantity\":1,\"sku\":\"b\"}", "/sku repeated\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":1,\"x\":1,\"\\u0078\":2}", "/x unknown\n/x repeated\n");
        assert_string_equal(refused(&part_type, "{\"sku\":\"a\",\"quantity\":1,\"x\":1,\"\\u0078\":2}", JSON_LENIENT),
                "/x repeated\n");
        assert_string_equal(refused(&part_type, "{\"sku\":\"a\",\"quantity\":1,\"x\":{\"y\":1,\"y\":2}}", JSON_LENIENT),
                "/x/y repeated\n");
        CTX(c);
        struct part p;
        accepts(&part_type, "{\"sku\":\"a\",\"quantity\":1,\"x\":{\"y\":1},\"y\":[{\"y\":1},{\"y\":1}]}", &p, JSON_LENIENT, &c);
}

TEST(unknown_members_are_flaws_unless_the_reader_is_lenient)
{
        CTX(c);
        struct part p;
        const char text[] = "{\"a\":[1,{\"b\":null}],\"sku\":\"a\",\"~/\":\"\",\"quantity\":1,\"\":0}";
        REFUSES(part, text, "/a unknown\n/~0~1 unknown\n/ unknown\n");
        accepts(&part_type, text, &p, JSON_LENIENT, &c);
        CHECK_STR(p.sku, "a");
        CHECK_EQ(p.quantity, 1);
        REFUSES(nothing, "{\"a\":1}", "/a unknown\n");
}

TEST(texts_must_be_utf8_and_whole)
{
        REFUSES(loose, "{\"name\":\"\xff\"}", "/name bad_utf8\n");
        REFUSES(loose, "{\"name\":\"\xc0\xaf\"}", "/name bad_utf8\n");
        REFUSES(loose, "{\"name\":\"\xed\xa0\x80\"}", "/name bad_utf8\n");
        REFUSES(loose, "{\"name\":\"\\ud800\"}", "/name bad_utf8\n");
        REFUSES(loose, "{\"name\":\"\\udc00\"}", "/name bad_utf8\n");
        REFUSES(loose, "{\"name\":\"\\ud800\\u0041\"}", "/name bad_utf8\n");
        REFUSES(loose, "{\"name\":\"\\u0000\"}", "/name bad_format\n");
        REFUSES(loose, "{\"name\":\"\\u00g0\"}", "/name syntax\n");
        REFUSES(loose, "{\"name\":\"\\x\"}", "/name syntax\n");
        REFUSES(loose, "{\"name\":\"a\nb\"}", "/name syntax\n");
        REFUSES(loose, "{\"\xff\":1,\"name\":\"123456\"}", " bad_utf8\n/name too_long\n");
        CTX(c);
        struct loose l;
        accepts(&loose_type, "{\"name\":\"\\ud83d\\ude00\\u00e9\\u20ac\\/\\t\"}", &l, JSON_STRICT, &c);
        CHECK_STR(l.name, "\xf0\x9f\x98\x80\xc3\xa9\xe2\x82\xac/\t");
}

TEST(lengths_of_texts_are_counted_in_code_points)
{
        CTX(c);
        struct loose l;
        accepts(&loose_type, "{\"name\":\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\"}", &l, JSON_STRICT, &c);
        REFUSES(loose, "{\"name\":\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xacx\"}", "/name too_long\n");
        REFUSES(account, "{\"email\":\"a@b.cd\",\"password\":\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\"}",
                "/password too_short\n");
}

TEST(null_is_absence)
{
        CTX(c);
        struct loose l;
        accepts(&loose_type, "{\"yes\":null,\"name\":null,\"part\":null,\"parts\":null,\"price\":null,\"at\":null}", &l,
                JSON_STRICT, &c);
        CHECK(!l.name.p && !l.parts.n);
        REFUSES(part, "{\"sku\":null,\"quantity\":null}", "/sku required\n/quantity required\n");
        REFUSES(loose, "{\"name\":nul}", "/name syntax\n");
}

TEST(an_optional_value_that_is_given_must_still_be_in_range)
{
        REFUSES(loose, "{\"small\":0}", "/small too_small\n");
        REFUSES(loose, "{\"small\":10}", "/small too_large\n");
        REFUSES(loose, "{\"blob\":\"AA\"}", "/blob too_short\n");
        REFUSES(loose, "{\"price\":{\"amount\":0,\"currency\":\"EUR\"}}", "/price/amount too_small\n");
        REFUSES(loose, "{\"price\":{\"amount\":5}}", "/price/currency required\n");
        REFUSES(loose, "{\"price\":5}", "/price wrong_type\n");
        REFUSES(loose, "{\"part\":{}}", "/part/sku required\n/part/quantity required\n");
}

TEST(an_id_of_zeros_is_no_id)
{
        CTX(c);
        struct sample s;
        char text[sizeof sample_text];
        strcpy(text, sample_text);
        memcpy(strstr(text, "01234567-89ab"), "00000000-0000-0000-0000-000000000000", 36);
        CHECK_EQ(json_read(&c, &sample_type, str_of(text), &s, JSON_STRICT), -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/id required\n");
}

TEST(lists_have_a_least_and_a_most_number_of_elements)
{
        CTX(c);
        char text[sizeof sample_text + 100], *at;
        struct sample s;
        strcpy(text, sample_text);
        at = strstr(text, "\"parts\":[") + 9;
        memmove(at + 52, at, strlen(at) + 1);
        memcpy(at, "{\"sku\":\"b\",\"quantity\":2},{\"sku\":\"b\",\"quantity\":2},   ", 52);
        CHECK_EQ(json_read(&c, &sample_type, str_of(text), &s, JSON_STRICT), -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/parts too_many\n");
        fault_clear(&c);
        CHECK_OK(json_read(&c, &sample_type, str_of(text), &s, JSON_NO_CHECK));
        CHECK_EQ(s.parts.n, 4);
        fault_clear(&c);
        strcpy(text, sample_text);
        at = strstr(text, "\"parts\":[") + 9;
        memset(at, ' ', (size_t)(strchr(at, ']') - at));
        CHECK_EQ(json_read(&c, &sample_type, str_of(text), &s, JSON_STRICT), -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/parts too_few\n");
}

TEST(thirty_two_levels_are_read_and_thirty_three_refused)
{
        COUNTING(JSON_DEPTH);
        CTX(c);
        char text[200];
        for (int arrays = 31; arrays <= 32; arrays++) {
                struct loose l;
                char *p = text + sprintf(text, "{\"x\":");
                for (int i = 0; i < arrays; i++) *p++ = '[';
                for (int i = 0; i < arrays; i++) *p++ = ']';
                strcpy(p, "}");
                if (arrays == 31) accepts(&loose_type, text, &l, JSON_LENIENT, &c);
                else CHECK(strstr(refused(&loose_type, text, JSON_LENIENT),
                        "/x/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0 too_deep\n"));
        }
        REACHED(JSON_DEPTH);
}

TEST(a_message_that_holds_itself_is_bounded_by_depth)
{
        CTX(c);
        char text[2000], *p = text;
        struct tree t;
        for (int i = 0; i < 16; i++) p += sprintf(p, "{\"name\":\"%d\",\"kids\":[", i);
        for (int i = 0; i < 16; i++) p += sprintf(p, "]}");
        accepts(&tree_type, text, &t, JSON_STRICT, &c);
        CHECK_STR(t.kids.v[0].kids.v[0].name, "2");
        p = text;
        for (int i = 0; i < 17; i++) p += sprintf(p, "{\"name\":\"%d\",\"kids\":[", i);
        for (int i = 0; i < 17; i++) p += sprintf(p, "]}");
        CHECK(strstr(refused(&tree_type, text, JSON_STRICT), "/kids/0 too_deep\n"));
}

TEST(broken_syntax_ends_the_reading_and_says_where)
{
        CTX(c);
        struct part p;
        CHECK_EQ(json_read(&c, &part_type, STR("{\n  \"sku\": \"\xc3\xa4\",\n  \"quantity\" 1}"), &p, JSON_STRICT),
                -INVALID_ARGUMENT);
        CHECK_STR(c.fault.flaws->detail, "line 3, column 14: expected ':', found '1'");
        CHECK_EQ(c.fault.n_flaws, 1);
        REFUSES(part, "", " syntax\n");
        REFUSES(part, "   ", " syntax\n");
        REFUSES(part, "[]", " wrong_type\n");
        REFUSES(part, "null", " wrong_type\n");
        REFUSES(part, "nonsense", " syntax\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":1}}", " syntax\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":1} {}", " syntax\n");
        REFUSES(part, "{\"sku\":\"a\",\"quantity\":1,}", " syntax\n");
        REFUSES(part, "{\"sku\":\"a\" \"quantity\":1}", " syntax\n");
        REFUSES(part, "{'sku':\"a\"}", " syntax\n");
        REFUSES(part, "\xef\xbb\xbf{}", " syntax\n");
        REFUSES(part, "/**/{}", " syntax\n");
        REFUSES(loose, "{\"x\":[1,]}", "/x unknown\n/x/1 syntax\n");
        fault_clear(&c);
        CHECK_EQ(json_read(&c, &part_type, (str){ NULL, 0 }, &p, JSON_STRICT), -INVALID_ARGUMENT);
        fault_clear(&c);
        CHECK_EQ(json_read(&c, &part_type, (str){ "{}\0", 3 }, &p, JSON_STRICT), -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/sku required\n/quantity required\n syntax\n");
}

TEST(members_may_come_in_any_order)
{
        CTX(c);
        struct part p;
        accepts(&part_type, " {\t\"quantity\" : 3 ,\r\n\"sku\" :\"z\" } ", &p, JSON_STRICT, &c);
        CHECK_EQ(p.quantity, 3);
        CHECK_STR(p.sku, "z");
}

TEST(a_secret_is_read_and_never_written)
{
        CTX(c);
        struct account a;
        accepts(&account_type, "{\"email\":\"ann@example.org\",\"password\":\"correct horse\",\"country\":\"DE\"}", &a,
                JSON_STRICT, &c);
        CHECK_STR(a.password, "correct horse");
        writes(&account_type, &a, "{\"email\":\"ann@example.org\",\"country\":\"DE\"}");
}

TEST(a_field_of_the_programs_own_is_neither_read_nor_written)
{
        CTX(c);
        struct inner i;
        accepts(&inner_type, "{\"shown\":1}", &i, JSON_STRICT, &c);
        REFUSES(inner, "{\"shown\":1,\"hidden\":2,\"hidden\":2}", "/hidden unknown\n/hidden repeated\n");
        accepts(&inner_type, "{\"shown\":1,\"hidden\":2}", &i, JSON_LENIENT, &c);
        CHECK_EQ(i.hidden, 0);
        i.hidden = 7;
        writes(&inner_type, &i, "{\"shown\":1}");
}

TEST(flaws_beyond_the_most_that_is_kept_are_counted)
{
        CTX(c);
        char text[4000], *p = text + sprintf(text, "[");
        struct any_list out;
        for (int i = 0; i < 100; i++) p += sprintf(p, "%s{\"sku\":%d,\"quantity\":1}", i ? "," : "", i);
        strcpy(p, "]");
        CHECK_EQ(json_read_list(&c, &part_type, str_of(text), &out, JSON_STRICT), -INVALID_ARGUMENT);
        CHECK_EQ(c.fault.n_flaws, 100);
        CHECK(!strncmp(flaws(&c), "/0/sku wrong_type\n/1/sku", 24));
}

TEST(too_many_names_that_nobody_knows_end_the_reading)
{
        COUNTING(JSON_NAMES);
        CTX(c);
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        struct loose l;
        for (int i = 0; i <= 10000; i++) buf_printf(&b, "%c\"n%d\":0", i ? ',' : '{', i);
        buf_lit(&b, "}");
        CHECK_EQ(json_read(&c, &loose_type, buf_str(&b), &l, JSON_LENIENT), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.flaws->detail, "there are more than 10000 names");
        REACHED(JSON_NAMES);
}

/* ---- lists, patches, modes -------------------------------------------------------------------------------------------- */

TEST(a_list_of_messages_is_read_and_written)
{
        CTX(c);
        struct any_list out;
        struct buf b AUTO(buf_done) = BUF_INIT(1000);
        const char text[] = "[{\"sku\":\"a\",\"quantity\":1},{\"sku\":\"b\",\"quantity\":2}]";
        CHECK_OK(json_read_list(&c, &part_type, str_of(text), &out, JSON_STRICT));
        CHECK_EQ(out.n, 2);
        CHECK_EQ(((struct part *)(void *)out.v)[1].quantity, 2);
        json_write_list(&b, &part_type, &out);
        CHECK_STR(buf_str(&b), text);
        CHECK_EQ(json_read_list(&c, &part_type, STR("[{\"sku\":\"a\",\"quantity\":1},{\"sku\":\"\"}]"), &out, JSON_STRICT),
                -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/1/sku too_short\n/1/quantity required\n");
        fault_clear(&c);
        CHECK_EQ(json_read_list(&c, &part_type, STR("{}"), &out, JSON_STRICT), -INVALID_ARGUMENT);
        fault_clear(&c);
        CHECK_OK(json_read_list(&c, &uid_type, STR("[\"01234567-89ab-7def-8123-456789abcdef\"]"), &out, JSON_STRICT));
        CHECK_EQ(((uid *)(void *)out.v)->b[0], 1);
        CHECK_OK(json_read_list(&c, &part_type, STR("[]"), &out, JSON_STRICT));
        CHECK_EQ(out.n, 0);
}

TEST(a_patch_changes_what_it_names_and_null_clears)
{
        CTX(c);
        struct loose l;
        accepts(&loose_type, "{\"small\":5,\"name\":\"old\",\"price\":{\"amount\":5,\"currency\":\"EUR\"},\"part\":{\"sku\":\"a\",\"quantity\":1},"
                "\"parts\":[{\"sku\":\"x\",\"quantity\":1}]}", &l, JSON_STRICT, &c);
        accepts(&loose_type, "{\"name\":null,\"price\":{\"amount\":7},\"part\":{\"quantity\":9},\"parts\":[]}", &l, JSON_PATCH,
                &c);
        writes(&loose_type, &l, "{\"small\":5,\"price\":{\"amount\":7,\"currency\":\"EUR\"},\"part\":{\"sku\":\"a\",\"quantity\":9}}");
}

struct ware { money price; };
MESSAGE(ware, "what costs nothing or something", F(ware, 1, price, .min = 0, .max = 1000));

TEST(a_patch_is_checked_like_everything_else)
{
        CTX(c);
        struct part p = { STR("a"), 1 };
        struct loose l = { 0 };
        CHECK_OK(json_read(&c, &part_type, STR("{}"), &p, JSON_PATCH));
        CHECK_EQ(json_read(&c, &part_type, STR("{\"sku\":null,\"quantity\":100,\"x\":1}"), &p, JSON_PATCH), -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/sku required\n/quantity too_large\n/x unknown\n");
        fault_clear(&c);
        /* a message that was not there must come whole */
        CHECK_EQ(json_read(&c, &loose_type, STR("{\"part\":{\"quantity\":1},\"price\":{\"amount\":1}}"), &l, JSON_PATCH),
                -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/part/sku required\n/price/currency required\n");
        fault_clear(&c);
        /* ... but before one knows what is there, it may be a part */
        l = (struct loose){ 0 };
        CHECK_OK(json_read(&c, &loose_type, STR("{\"part\":{\"quantity\":1},\"price\":{\"amount\":1}}"), &l, JSON_PATCH | JSON_PARTS));
        CHECK_EQ(json_read(&c, &loose_type, STR("{\"part\":{\"x\":1},\"price\":{\"currency\":\"E\"}}"), &l, JSON_PATCH | JSON_PARTS), -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/part/x unknown\n/price/currency bad_format\n");
        fault_clear(&c);
        /* ... and what came of it is measured at once */
        struct ware one = { { 0 } };
        CHECK_OK(json_read(&c, &ware_type, STR("{\"price\":{\"amount\":0}}"), &one, JSON_PATCH | JSON_PARTS));
        CHECK_OK(json_read(&c, &ware_type, STR("{\"price\":{\"currency\":\"JPY\"}}"), &one, JSON_PATCH | JSON_PARTS));
        CHECK_EQ(json_read(&c, &ware_type, STR("{\"colour\":1,\"price\":{\"amount\":-1}}"), &one, JSON_PATCH | JSON_PARTS), -INVALID_ARGUMENT);
        assert_string_equal(flaws(&c), "/colour unknown\n/price/amount too_small\n");
}

TEST(data_that_we_wrote_is_not_measured_again)
{
        CTX(c);
        struct part p;
        accepts(&part_type, "{\"sku\":\"much too long for a part\",\"quantity\":-5}", &p, JSON_NO_CHECK, &c);
        CHECK_EQ(p.quantity, -5);
        assert_string_equal(refused(&part_type, "{\"sku\":\"a\"}", JSON_NO_CHECK), "/quantity required\n");
}

/* ---- hostile circumstances --------------------------------------------------------------------------------------------- */

TEST(a_text_cut_short_anywhere_is_refused)
{
        for (size_t n = 0; n < sizeof sample_text - 1; n++) {
                CTX(c);
                struct sample s;
                char *exact = malloc(n + !n);           /* so that the sanitizer sees a read past the end */
                memcpy(exact, sample_text, n);
                CHECK_EQ(json_read(&c, &sample_type, (str){ exact, n }, &s, JSON_STRICT), -INVALID_ARGUMENT);
                CHECK(strstr(flaws(&c), "syntax"));
                free(exact);
        }
}

TEST(a_text_with_any_byte_changed_is_read_or_refused_but_never_breaks_the_reader)
{
        static const char changes[] = "\"\\{}[],:0e-n\x80\xff ";
        char *text = malloc(sizeof sample_text - 1);
        struct arena *arena = arena_new(1 << 20);
        for (size_t i = 0; i < (sizeof sample_text - 1) * (sizeof changes); i++) {
                struct ctx c = { .arena = arena };
                struct sample s;
                memcpy(text, sample_text, sizeof sample_text - 1);
                text[i / sizeof changes] = changes[i % sizeof changes];
                int r = json_read(&c, &sample_type, (str){ text, sizeof sample_text - 1 }, &s, JSON_STRICT);
                CHECK(r == 0 || (r == -INVALID_ARGUMENT && c.fault.flaws));
                arena_reset(arena);
        }
        arena_free(arena);
        free(text);
}

TEST(reading_without_memory_fails_and_says_so)
{
        const char odd[] = "{\"a\\u0062\":{\"c\":1},\"name\":\"\\t\",\"parts\":[{\"sku\":\"\\u0061\",\"quantity\":1}],\"blob\":\"AAAA\",\"ratio\":"
                "0.1000000000000000000000000000000000000000000000000000000000000000000000000000}";
        for (int which = 0; which < 2; which++) {
                long n = 1;
                for (int r = -1; r < 0; n++) {
                        CTX(c);
                        union { struct sample s; struct loose l; } out;
                        alloc_fail_after(n);
                        r = which ? json_read(&c, &loose_type, str_of(odd), &out, JSON_LENIENT)
                                  : json_read(&c, &sample_type, str_of(sample_text), &out, JSON_STRICT);
                        alloc_fail_after(0);
                        CHECK(r == 0 || r == -RESOURCE_EXHAUSTED);
                        if (r) CHECK_EQ(c.fault.http, 413);
                }
                CHECK(n > 5);
        }
}

struct rates { int32_t low; int64_t high; str name; };
MESSAGE(rates, "numbers that are something when nothing is said",
        F(rates, 1, low, .optional = true, .min = 0, .max = 100, .fallback = 19), F(rates, 2, high, .optional = true, .fallback = -7),
        F(rates, 3, name, .optional = true));

TEST(an_optional_number_with_a_fallback_can_be_zero_and_comes_back_when_it_is_left_out)
{
        static const struct { const char *text; unsigned mode; int32_t low; int64_t high; } ways[] = {
                { "{}", JSON_STRICT, 19, -7 }, { "{\"low\":0,\"high\":0}", JSON_STRICT, 0, 0 }, { "{\"high\":null}", JSON_STRICT, 19, -7 },
                { "{\"low\":null}", JSON_PATCH, 19, 2 }, { "{\"low\":0}", JSON_PATCH, 0, 2 }, { "{}", JSON_PATCH, 1, 2 } };
        for (size_t i = 0; i < COUNT(ways); i++) {
                CTX(c);
                struct rates r = { 1, 2, { 0 } };
                struct buf b AUTO(buf_done) = BUF_INIT(1000);
                CHECK_OK(json_read(&c, &rates_type, str_of(ways[i].text), &r, ways[i].mode));
                CHECK_EQ(r.low, ways[i].low);
                CHECK_EQ(r.high, ways[i].high);
                json_write(&b, &rates_type, &r);
                CHECK_STR(buf_str(&b), arena_z(c.arena, arena_printf(c.arena, "{\"low\":%d,\"high\":%lld}", ways[i].low, (long long)ways[i].high)));
        }
        CTX(c);
        CHECK_EQ(json_read(&c, &rates_type, STR("{\"low\":101}"), &(struct rates){ 0 }, JSON_STRICT), -INVALID_ARGUMENT);
}

struct priced { int64_t vat; str name; };
MESSAGE(priced, "a thing with its rate", F(priced, 1, vat, .optional = true, .min = 0, .max = 100, .fallback = 19), F(priced, 2, name));
struct boxed { int32_t no; struct priced in; };
MESSAGE(boxed, "a box with a thing or none", F(boxed, 1, no), F_MSG(boxed, 2, in, priced, .optional = true));

TEST(an_optional_message_is_left_out_when_absent_though_a_number_in_it_has_a_fallback)
{
        static const struct { const char *text, *again; } ways[] = {
                { "{\"no\":7}", NULL }, { "{\"no\":7,\"in\":null}", "{\"no\":7}" }, { "{\"no\":7,\"in\":{\"vat\":0,\"name\":\"x\"}}", NULL },
                { "{\"no\":7,\"in\":{\"name\":\"x\"}}", "{\"no\":7,\"in\":{\"vat\":19,\"name\":\"x\"}}" } };
        for (size_t i = 0; i < COUNT(ways); i++) {
                CTX(c);
                struct boxed r = { 0 };
                struct buf b AUTO(buf_done) = BUF_INIT(1000);
                CHECK_OK(json_read(&c, &boxed_type, str_of(ways[i].text), &r, JSON_STRICT));
                json_write(&b, &boxed_type, &r);
                CHECK_STR(buf_str(&b), ways[i].again ? ways[i].again : ways[i].text);
        }
}

struct rated { int32_t rate; int64_t times; };
MESSAGE(rated, "numbers for which 0 can be said and nothing too",
        F(rated, 1, rate, .optional = true, .min = 0, .max = 100, .absent = -1), F(rated, 2, times, .optional = true, .min = 0, .max = 9, .absent = 10));

TEST(a_number_with_a_mark_for_absence_can_be_zero_and_can_be_left_out)
{
        static const struct { const char *text; unsigned mode; int32_t rate; int64_t times; const char *again; } ways[] = {
                { "{}", JSON_STRICT, -1, 10, "{}" }, { "{\"rate\":0}", JSON_STRICT, 0, 10, "{\"rate\":0}" },
                { "{\"rate\":null,\"times\":0}", JSON_STRICT, -1, 0, "{\"times\":0}" }, { "{\"rate\":0}", JSON_PATCH, 0, 2, "{\"rate\":0,\"times\":2}" },
                { "{\"times\":null}", JSON_PATCH, 1, 10, "{\"rate\":1}" } };
        for (size_t i = 0; i < COUNT(ways); i++) {
                CTX(c);
                struct rated r = { ways[i].mode == JSON_PATCH ? 1 : 0, ways[i].mode == JSON_PATCH ? 2 : 0 };
                struct buf b AUTO(buf_done) = BUF_INIT(1000);
                CHECK_OK(json_read(&c, &rated_type, str_of(ways[i].text), &r, ways[i].mode));
                CHECK_EQ(r.rate, ways[i].rate);
                CHECK_EQ(r.times, ways[i].times);
                CHECK_EQ(field_is_absent(&rated_type.fields[0], &r), ways[i].rate < 0);
                json_write(&b, &rated_type, &r);
                CHECK_STR(buf_str(&b), ways[i].again);
        }
        CTX(c);
        CHECK_EQ(json_read(&c, &rated_type, STR("{\"rate\":-1}"), &(struct rated){ 0 }, JSON_STRICT), -INVALID_ARGUMENT);    /* the mark cannot be said */
}

TEST(refusing_without_memory_still_refuses)
{
        for (long n = 1; n < 40; n++) {
                CTX(c);
                struct part p;
                alloc_fail_after(n);
                int r = json_read(&c, &part_type, STR("{\"x\\u0000y/z\":1,\"sku\":7,\"quantity\":-1}"), &p, JSON_STRICT);
                alloc_fail_after(0);
                CHECK(r == -INVALID_ARGUMENT || r == -RESOURCE_EXHAUSTED);
                CHECK(c.fault.message.p != NULL);
        }
}

TEST(an_arena_that_is_too_small_is_too_small_and_not_a_crash)
{
        for (size_t max = 0; max < 2000; max += 16) {
                struct ctx c = { .arena = arena_new(max) };
                struct sample s;
                int r = json_read(&c, &sample_type, str_of(sample_text), &s, JSON_STRICT);
                CHECK(r == 0 || r == -RESOURCE_EXHAUSTED);
                arena_free(c.arena);
        }
}

TEST_MAIN
