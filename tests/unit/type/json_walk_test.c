/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_walk_test.c - JSON without a table, and the whole of JSONTestSuite.
 *
 * The suite has three kinds of files. y_ must be accepted: we do, but for the two with a repeated member, which we refuse on
 * purpose. n_ must be refused: we do. i_ is left to the implementation: a table says of each what we do and why. */
#include "test.h"
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sample.h"

static int validate(str text)
{
        CTX(c);
        int r = json_validate(&c, text);
        CHECK(r == 0 || (r == -INVALID_ARGUMENT && c.fault.n_flaws));
        return r;
}

static const char *refused(const char *text)
{
        static char kept[8192];
        CTX(c);
        CHECK_EQ(json_validate(&c, str_of(text)), -INVALID_ARGUMENT);
        return strcpy(kept, flaws(&c));
}

TEST(any_value_may_stand_alone)
{
        static const char *const good[] = { "0", "-0", "1e400", "\"\"", "null", "true", " false ", "[]", "{}", "[[],{}]",
                "\"\\u0000\"" };
        for (size_t i = 0; i < COUNT(good); i++) CHECK_OK(validate(str_of(good[i])));
}

TEST(what_is_wrong_is_told_with_its_place)
{
        assert_string_equal(refused("{\"a\":[1,{\"b/c\":tru}]}"), "/a/1/b~1c syntax\n");
        assert_string_equal(refused("{\"a\":1,\"\\u0061\":2}"), "/a repeated\n");
        assert_string_equal(refused("[\"\xff\",{\"\xff\":1}]"), "/0 bad_utf8\n/1 bad_utf8\n");
        CTX(c);
        CHECK_EQ(json_validate(&c, STR("[\n1,\n x]")), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.flaws->detail, "line 3, column 2: expected a value, found 'x'");
        fault_clear(&c);
        CHECK_EQ(json_validate(&c, STR("[1")), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.flaws->detail, "line 1, column 3: expected ',' or ']', found the end");
        fault_clear(&c);
        CHECK_EQ(json_validate(&c, STR("[\x01]")), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.flaws->detail, "line 1, column 2: expected a value, found byte 0x01");
}

TEST(thirty_two_levels_are_valid_and_thirty_three_are_not)
{
        char text[70];
        for (int n = 32; n <= 33; n++) {
                memset(text, '[', (size_t)n);
                memset(text + n, ']', (size_t)n);
                CHECK_EQ(validate((str){ text, 2 * (size_t)n }), n == 32 ? 0 : -INVALID_ARGUMENT);
        }
}

TEST(many_members_are_told_apart)
{
        CTX(c);
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);
        for (int i = 0; i < 5000; i++) buf_printf(&b, "%c\"name%d\":{\"name%d\":0}", i ? ',' : '{', i, i);
        size_t n = b.n;
        buf_lit(&b, "}");
        CHECK_OK(json_validate(&c, buf_str(&b)));
        b.n = n;
        buf_lit(&b, ",\"name2500\":0}");
        CHECK_EQ(json_validate(&c, buf_str(&b)), -INVALID_ARGUMENT);
        CHECK(strstr(flaws(&c), "too_many") || strstr(flaws(&c), "/name2500 repeated\n"));
}

TEST(validating_without_memory_fails_and_says_so)
{
        const char text[] = "{\"a\\n\":{\"b\":1,\"c\":[\"\\n\"]},\"d\":{\"e\\n\":1}}";
        long n = 1;
        for (int r = -1; r < 0; n++) {
                CTX(c);
                alloc_fail_after(n);
                r = json_validate(&c, str_of(text));
                alloc_fail_after(0);
                CHECK(r == 0 || r == -RESOURCE_EXHAUSTED);
        }
        CHECK(n > 3);
}

/* ---- walking ---------------------------------------------------------------------------------------------------------- */

static const char document[] =
        " { \"name\" : \"a \\\"b\\\" }\" , \"n\\u0075mber\": -12 ,\"list\":[ 1 , [2,\"]\"] , {\"x\":null} ],\"deep\":{\"list\":[]},\"no\":false, \"\":1.5e3 } ";

TEST(a_member_is_found_by_name_whatever_lies_around_it)
{
        str d = str_of(document);
        CHECK_STR(json_member(d, "name"), "\"a \\\"b\\\" }\"");
        CHECK_STR(json_member(d, "number"), "-12");
        CHECK_STR(json_member(d, "list"), "[ 1 , [2,\"]\"] , {\"x\":null} ]");
        CHECK_STR(json_member(json_member(d, "deep"), "list"), "[]");
        CHECK_STR(json_member(d, "no"), "false");
        CHECK_STR(json_member(d, ""), "1.5e3");
        CHECK(!json_member(d, "x").p);
        CHECK(!json_member(d, "nam").p);
        CHECK(!json_member(d, "names").p);
        CHECK(!json_member(STR("[1]"), "x").p);
        CHECK(!json_member(STR(""), "x").p);
        CHECK(!json_member((str){ NULL, 0 }, "x").p);
}

TEST(members_and_elements_are_walked_in_order)
{
        CTX(c);
        static const char *const names[] = { "name", "number", "list", "deep", "no", "" };
        static const char *const elements[] = { "1", "[2,\"]\"]", "{\"x\":null}" };
        struct json_walk w = json_open(str_of(document));
        str name, value;
        size_t n = 0;
        for (; json_next_member(&c, &w, &name, &value); n++) CHECK_STR(name, names[n]);
        CHECK_EQ(n, COUNT(names));
        w = json_open(json_member(str_of(document), "list"));
        for (n = 0; json_next_element(&w, &value); n++) CHECK_STR(value, elements[n]);
        CHECK_EQ(n, COUNT(elements));
        w = json_open(STR("[]"));
        CHECK(!json_next_element(&w, &value));
        w = json_open(STR("{}"));
        CHECK(!json_next_member(&c, &w, &name, &value));
        w = json_open(STR("7"));
        CHECK(!json_next_element(&w, &value));
}

TEST(kinds_texts_and_numbers_are_told)
{
        CTX(c);
        int64_t i;
        str s;
        CHECK_EQ(json_kind_of(STR(" null")), JSON_NULL);
        CHECK_EQ(json_kind_of(STR("true")), JSON_BOOL);
        CHECK_EQ(json_kind_of(STR("-1")), JSON_NUMBER);
        CHECK_EQ(json_kind_of(STR("\"\"")), JSON_STRING);
        CHECK_EQ(json_kind_of(STR("[")), JSON_ARRAY);
        CHECK_EQ(json_kind_of(STR("{")), JSON_OBJECT);
        CHECK_EQ(json_kind_of(STR("")), JSON_END);
        CHECK_OK(json_text(&c, STR("\"\\u00e4\\ud83d\\ude00\""), &s));
        CHECK_STR(s, "\xc3\xa4\xf0\x9f\x98\x80");
        CHECK_EQ(json_text(&c, STR("5"), &s), -INVALID_ARGUMENT);
        CHECK_EQ(json_text(&c, STR("\"a"), &s), -INVALID_ARGUMENT);
        CHECK_EQ(json_text(&c, STR("\"\\ud800\""), &s), -INVALID_ARGUMENT);
        CHECK_OK(json_int(STR(" -9223372036854775808 "), &i));
        CHECK_EQ(i, INT64_MIN);
        CHECK_EQ(json_int(STR("9223372036854775808"), &i), -OUT_OF_RANGE);
        CHECK_EQ(json_int(STR("1.0"), &i), -INVALID_ARGUMENT);
        CHECK_EQ(json_int(STR("01"), &i), -INVALID_ARGUMENT);
        CHECK_EQ(json_int(STR("\"1\""), &i), -INVALID_ARGUMENT);
        CHECK_EQ(json_int(STR(""), &i), -INVALID_ARGUMENT);
}

static void walk_all(struct ctx *c, str value, int depth)
{
        struct json_walk w = json_open(value);
        str name, inner;
        if (depth > 40) return;
        if (json_kind_of(value) == JSON_OBJECT) while (json_next_member(c, &w, &name, &inner)) walk_all(c, inner, depth + 1);
        else while (json_next_element(&w, &inner)) walk_all(c, inner, depth + 1);
        json_member(value, "list");
}

TEST(walking_a_text_that_nobody_checked_stays_inside_it)
{
        for (size_t n = 0; n < sizeof document; n++) {
                CTX(c);
                char *exact = malloc(n + !n);
                memcpy(exact, document, n);
                walk_all(&c, (str){ exact, n }, 0);
                free(exact);
        }
}

/* ---- JSONTestSuite ------------------------------------------------------------------------------------------------------ */

static str file_read(const char *dir, const char *name)
{
        char path[1200];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        FILE *f = fopen(path, "rb");
        CHECK(f && fstat(fileno(f), &st) == 0);
        char *p = malloc((size_t)st.st_size + !st.st_size);
        CHECK_EQ(fread(p, 1, (size_t)st.st_size, f), st.st_size);
        fclose(f);
        return (str){ p, (size_t)st.st_size };
}

/* What the suite leaves to us, file by file. */
enum reason {
        NUMBER,                         /* taken: a number is its text, and who reads it says whether it fits (json_int, a field's kind)        */
        HALF,                           /* refused: half of a surrogate pair is no character, and nothing that UTF-8 or PostgreSQL could keep   */
        NO_UTF_8,                       /* refused: RFC 8259 section 8.1 wants UTF-8; replacing what is wrong would change what was said         */
        UTF_16,                         /* refused: likewise                                                                                    */
        BOM,                            /* refused: section 8.1 lets a reader, and a second reader would see other text                         */
        DEEP,                           /* refused: 32 levels are more than any message has                                                     */
};
static const struct { const char *name; enum reason why; } ours[] = {
        { "i_number_double_huge_neg_exp.json", NUMBER },
        { "i_number_huge_exp.json", NUMBER },
        { "i_number_neg_int_huge_exp.json", NUMBER },
        { "i_number_pos_double_huge_exp.json", NUMBER },
        { "i_number_real_neg_overflow.json", NUMBER },
        { "i_number_real_pos_overflow.json", NUMBER },
        { "i_number_real_underflow.json", NUMBER },
        { "i_number_too_big_neg_int.json", NUMBER },
        { "i_number_too_big_pos_int.json", NUMBER },
        { "i_number_very_big_negative_int.json", NUMBER },
        { "i_object_key_lone_2nd_surrogate.json", HALF },
        { "i_string_1st_surrogate_but_2nd_missing.json", HALF },
        { "i_string_1st_valid_surrogate_2nd_invalid.json", HALF },
        { "i_string_UTF-16LE_with_BOM.json", UTF_16 },
        { "i_string_UTF-8_invalid_sequence.json", NO_UTF_8 },
        { "i_string_UTF8_surrogate_U+D800.json", NO_UTF_8 },
        { "i_string_incomplete_surrogate_and_escape_valid.json", HALF },
        { "i_string_incomplete_surrogate_pair.json", HALF },
        { "i_string_incomplete_surrogates_escape_valid.json", HALF },
        { "i_string_invalid_lonely_surrogate.json", HALF },
        { "i_string_invalid_surrogate.json", HALF },
        { "i_string_invalid_utf-8.json", NO_UTF_8 },
        { "i_string_inverted_surrogates_U+1D11E.json", HALF },
        { "i_string_iso_latin_1.json", NO_UTF_8 },
        { "i_string_lone_second_surrogate.json", HALF },
        { "i_string_lone_utf8_continuation_byte.json", NO_UTF_8 },
        { "i_string_not_in_unicode_range.json", NO_UTF_8 },
        { "i_string_overlong_sequence_2_bytes.json", NO_UTF_8 },
        { "i_string_overlong_sequence_6_bytes.json", NO_UTF_8 },
        { "i_string_overlong_sequence_6_bytes_null.json", NO_UTF_8 },
        { "i_string_truncated-utf-8.json", NO_UTF_8 },
        { "i_string_utf16BE_no_BOM.json", UTF_16 },
        { "i_string_utf16LE_no_BOM.json", UTF_16 },
        { "i_structure_500_nested_arrays.json", DEEP },
        { "i_structure_UTF-8_BOM_empty_object.json", BOM },
};

static bool is_wanted(const char *name)
{
        if (!strcmp(name, "y_object_duplicated_key.json") || !strcmp(name, "y_object_duplicated_key_and_value.json")) return false;
        if (name[0] != 'i') return name[0] == 'y';
        for (size_t i = 0; i < COUNT(ours); i++)
                if (!strcmp(name, ours[i].name)) return ours[i].why == NUMBER;
        cm_fail_msg("%s is new: what shall become of it?", name);
        return false;
}

static const char *suite(char dir[900], const char *folder)
{
        const char *shared = getenv("SOUK_SHARED");
        snprintf(dir, 900, "%s/data/json-test-suite/%s", shared ? shared : SOUK_SOURCE_DIR "/../shared", folder);
        return dir;
}

TEST(json_test_suite_is_judged_as_it_should_be)
{
        char dir[900];
        DIR *d = opendir(suite(dir, "test_parsing"));
        if (!d) {
                print_message("JSONTestSuite is not there: %s\n", dir);
                skip();
        }
        size_t n = 0, left_to_us = 0;
        for (struct dirent *e; (e = readdir(d));) {
                if (e->d_name[0] == '.') continue;
                str text = file_read(dir, e->d_name);
                if ((validate(text) == 0) != is_wanted(e->d_name)) cm_fail_msg("%s is %s", e->d_name,
                        is_wanted(e->d_name) ? "refused" : "accepted");
                free((char *)text.p);
                n++;
                left_to_us += e->d_name[0] == 'i';
        }
        closedir(d);
        CHECK_EQ(n, 318);
        CHECK_EQ(left_to_us, COUNT(ours));
}

/* What readers make different things of: no number is rounded, no member is dropped, no character is replaced. */
TEST(what_the_suite_sees_changed_elsewhere_is_kept_or_refused_here)
{
        enum { KEPT, NO_JSON, NOT_WHOLE, TOO_LARGE };
        static const struct { const char *name; int what; int64_t number; } files[] = {
                { "number_-9223372036854775808.json", KEPT, INT64_MIN }, { "number_-9223372036854775809.json", TOO_LARGE, 0 }, { "number_1.0.json", NOT_WHOLE, 0 },
                { "number_1.000000000000000005.json", NOT_WHOLE, 0 }, { "number_1000000000000000.json", KEPT, 1000000000000000 },
                { "number_10000000000000000999.json", TOO_LARGE, 0 }, { "number_1e-999.json", NOT_WHOLE, 0 }, { "number_1e6.json", NOT_WHOLE, 0 },
                { "number_9223372036854775807.json", KEPT, INT64_MAX }, { "number_9223372036854775808.json", TOO_LARGE, 0 },
                { "object_same_key_different_values.json", NO_JSON, 0 }, { "object_same_key_same_value.json", NO_JSON, 0 },
                { "object_same_key_unclear_values.json", NO_JSON, 0 }, { "string_1_escaped_invalid_codepoint.json", NO_JSON, 0 },
                { "string_1_invalid_codepoint.json", NO_JSON, 0 }, { "string_2_escaped_invalid_codepoints.json", NO_JSON, 0 },
                { "string_2_invalid_codepoints.json", NO_JSON, 0 }, { "string_3_escaped_invalid_codepoints.json", NO_JSON, 0 },
                { "string_3_invalid_codepoints.json", NO_JSON, 0 } };
        char dir[900];
        if (access(suite(dir, "test_transform"), R_OK) < 0) skip();
        for (size_t i = 0; i < COUNT(files); i++) {
                str text = file_read(dir, files[i].name), element = { NULL, 0 };
                int64_t v = 0;
                struct json_walk w = json_open(text);
                CHECK_EQ(validate(text), files[i].what == NO_JSON ? -INVALID_ARGUMENT : 0);
                if (files[i].what != NO_JSON) {
                        CHECK(json_next_element(&w, &element));
                        CHECK_EQ(json_int(element, &v), files[i].what == KEPT ? 0 : files[i].what == NOT_WHOLE ? -INVALID_ARGUMENT : -OUT_OF_RANGE);
                        CHECK_EQ(v, files[i].number);
                }
                free((char *)text.p);
        }
        CTX(c);
        str nul = file_read(dir, "string_with_escaped_NULL.json"), two = file_read(dir, "object_key_nfc_nfd.json"), s;
        CHECK_OK(json_text(&c, str_cut(nul, 1, 11), &s));
        CHECK(s.n == 3 && !memcmp(s.p, "A\0B", 3));
        CHECK_OK(validate(two));                        /* two spellings of a letter are two names */
        CHECK_STR(json_member(two, "\xc3\xa9"), "\"NFC\"");
        CHECK_STR(json_member(two, "e\xcc\x81"), "\"NFD\"");
        free((char *)nul.p);
        free((char *)two.p);
}

TEST(names_are_remembered_while_their_object_is_open_and_no_longer)
{
        struct arena *a = arena_new(4 << 20);
        struct ctx c = { .arena = a };
        struct buf b AUTO(buf_done) = BUF_INIT(4 << 20);

        buf_lit(&b, "[");
        for (int i = 0; i < 20000; i++) buf_printf(&b, "%s{\"a\":{\"x\":1,\"y\":[{\"x\":2}]},\"b\":%d,\"c%d\":0}", i ? "," : "", i, i);
        buf_lit(&b, "]");
        CHECK_OK(json_validate(&c, buf_str(&b)));
        CHECK(json_validate(&c, STR("{\"a\":1,\"b\":{\"p\":1,\"q\":2,\"r\":{\"p\":3}},\"c\":[{\"a\":1},{\"a\":2}],\"a\":2}")) < 0);
        CHECK_STR(c.fault.flaws->pointer, "/a");
        arena_free(a);
}

TEST_MAIN
