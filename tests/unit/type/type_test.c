/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * type_test.c - tables that lie are found at start; absence, words and copies. */
#include "test.h"
#include "sample.h"

SAMPLE_TYPES;

struct broken { int32_t a; int64_t missed; int32_t b; };
MESSAGE(broken, "a member without a field", F(broken, 1, a), F(broken, 2, b));
struct tail { int32_t a; int64_t missed; };
MESSAGE(tail, "no field for the last member", F(tail, 1, a));
struct pair { int32_t a, b; };
struct texts { str a; };

static void lies(const struct type *t, const char *what)
{
        char err[256] = "";
        CHECK_EQ(type_check(t, err), -INTERNAL);
        if (!strstr(err, what)) cm_fail_msg("\"%s\" does not say \"%s\"", err, what);
}
#define LIES(T, what, ...) do { \
        static const struct field fields_[] = { __VA_ARGS__ }; \
        static const struct type t_ = { #T, "", sizeof(struct T), _Alignof(struct T), fields_, COUNT(fields_), NULL }; \
        lies(&t_, (what)); } while (0)

TEST(tables_that_tell_the_truth_pass)
{
        const struct type *good[] = { &part_type, &tree_type, &sample_type, &loose_type, &account_type, &nothing_type, &str_type,
                &money_type };
        char err[256] = "";
        for (size_t i = 0; i < COUNT(good); i++)
                if (type_check(good[i], err) < 0) cm_fail_msg("%s", err);
}

TEST(a_member_without_a_field_is_found)
{
        lies(&broken_type, "broken.b: a member before this one has no field");
        lies(&tail_type, "tail: a member at the end has no field");
}

TEST(a_lie_deep_below_is_found)
{
        struct outer { struct broken b; };
        LIES(outer, "broken.b", F_MSG(outer, 1, b, broken));
        struct holder { struct any_list l; };
        LIES(holder, "broken.b", F_LIST(holder, 1, l, broken));
}

TEST(tags_and_names_are_unique_and_good)
{
        LIES(pair, "pair.b: its tag is taken", F(pair, 1, a), F(pair, 1, b));
        LIES(pair, "pair.a: a tag is 1 or more", F(pair, 0, a), F(pair, 1, b));
        LIES(pair, "pair.a: its name is taken", F(pair, 1, a), { .name = "a", .key = "\"a\":", .name_n = 1, .tag = 2, .offset = 4,
                .size = 4, .align = 4, .kind = K_I32 });
        LIES(pair, "pair.A: a name is snake_case", { .name = "A", .key = "\"A\":", .name_n = 1, .tag = 1, .size = 4, .align = 4,
                .kind = K_I32 }, F(pair, 2, b));
        LIES(pair, "pair.a: a name is snake_case", { .name = "a", .key = "\"b\":", .name_n = 1, .tag = 1, .size = 4, .align = 4,
                .kind = K_I32 }, F(pair, 2, b));
        LIES(pair, "pair.b: a member before this one has no field", F(pair, 2, b), F(pair, 1, a));
        LIES(pair, "pair.c: fields are not in the order", F(pair, 1, a), { .name = "c", .key = "\"c\":", .name_n = 1, .tag = 2,
                .size = 4, .align = 4, .kind = K_I32 });
}

TEST(rules_make_sense)
{
        static const char *const none[] = { NULL };
        static const char *const some[] = { "x", NULL };
        LIES(pair, "pair.a: min lies beyond max", F(pair, 1, a, .min = 2, .max = 1), F(pair, 2, b));
        LIES(pair, "pair.a: min lies beyond max", F(pair, 1, a, .min = 1), F(pair, 2, b));
        LIES(pair, "pair.a: there are no words", F(pair, 1, a, .names = none), F(pair, 2, b));
        LIES(pair, "pair.a: only a text has a format", F(pair, 1, a, .format = &format_slug), F(pair, 2, b));
        LIES(texts, "texts.a: min lies beyond max", F(texts, 1, a, .min = 1001));
        LIES(texts, "texts.a: min lies beyond max", F(texts, 1, a, .min = -1, .max = 5));
        LIES(texts, "texts.a: only an int32_t or an enum", F(texts, 1, a, .names = some));
        LIES(texts, "texts.a: messages and lists", F_(texts, 1, a, .kind = K_LIST));
        LIES(texts, "texts.a: the size is not", F_(texts, 1, a, .kind = K_I32));
        LIES(pair, "pair.a: only an optional whole number has a fallback", F(pair, 1, a, .fallback = 3), F(pair, 2, b));
        LIES(pair, "pair.a: the fallback is out of range", F(pair, 1, a, .optional = true, .max = 2, .fallback = 3), F(pair, 2, b));
        LIES(texts, "texts.a: only an optional whole number has a fallback", F(texts, 1, a, .optional = true, .fallback = 3));
        LIES(pair, "pair.a: only an optional whole number without a fallback has a mark", F(pair, 1, a, .max = 2, .absent = -1));
        LIES(pair, "pair.a: only an optional whole number without a fallback has a mark", F(pair, 1, a, .optional = true, .max = 2, .fallback = 1, .absent = -1));
        LIES(pair, "pair.a: the mark for absence could be said", F(pair, 1, a, .optional = true, .max = 2, .absent = 2));
        LIES(pair, "pair.a: a number with a mark for absence has a range", F(pair, 1, a, .optional = true, .absent = -1));
        struct trip { struct pair there; };
        static const struct field mute[] = { F(pair, 1, a, .optional = true, .max = 20, .fallback = 19), F(pair, 2, b, .optional = true) };
        static const struct field marked[] = { F(pair, 1, a, .optional = true, .max = 20, .absent = -1), F(pair, 2, b, .optional = true) };
        static const struct field plain_ones[] = { F(pair, 1, a, .optional = true), F(pair, 2, b, .optional = true) };
        static const struct field told[] = { F(pair, 1, a, .optional = true, .max = 20, .fallback = 19), F(pair, 2, b) };
        static const struct { const struct field *fields; bool lies; } shapes[] = { { mute, true }, { marked, true }, { plain_ones, false }, { told, false } };
        for (size_t i = 0; i < COUNT(shapes); i++) {
                const struct type inner = { "pair", "", sizeof(struct pair), _Alignof(struct pair), shapes[i].fields, 2, NULL };
                const struct field outer[] = { F_(trip, 1, there, .kind = K_MSG, .of = &inner, .optional = true) };
                const struct type trip = { "trip", "", sizeof(struct trip), _Alignof(struct trip), outer, 1, NULL };
                char err[256] = "";
                CHECK_EQ(type_check(&trip, err), shapes[i].lies ? -INTERNAL : 0);
                CHECK_EQ(strstr(err, "trip.there: when it is absent nothing in it tells") != NULL, shapes[i].lies);
        }
        struct plain { str s; };
        LIES(plain, "plain.s: a plain value is not a message", F_MSG(plain, 1, s, str));
}

TEST(absence_is_the_zero_value)
{
        struct loose l = { 0 };
        for (size_t i = 0; i < loose_type.n; i++) CHECK(field_is_absent(&loose_type.fields[i], &l));
        l = (struct loose){ .yes = true, .small = 1, .colour = GREEN, .big = 1, .ratio = -1, .name = STR(""),
                .blob = { (const uint8_t *)"", 0 },
                            .id = { { [15] = 1 } }, .at = { 1 }, .price = { 0, "EUR" }, .part = { .quantity = 1 },
                                    .parts = { &l.part, 1 } };
        for (size_t i = 0; i < loose_type.n; i++) CHECK(!field_is_absent(&loose_type.fields[i], &l));
}

TEST(fields_and_words_are_found_by_name)
{
        CHECK(type_field(&part_type, STR("quantity")) == &part_type.fields[1]);
        CHECK(!type_field(&part_type, STR("quantit")));
        CHECK(!type_field(&part_type, STR("")));
        CHECK_EQ(field_word(type_field(&sample_type, STR("colour")), STR("blue")), BLUE);
        CHECK_EQ(field_word(type_field(&sample_type, STR("colour")), STR("BLUE")), -NOT_FOUND);
        CHECK_EQ(field_word(type_field(&sample_type, STR("big")), STR("blue")), -NOT_FOUND);
        CHECK_EQ(field_max(type_field(&sample_type, STR("parts"))), 3);
        CHECK_EQ(field_max(type_field(&sample_type, STR("tags"))), LIST_MAX_DEFAULT);
        CHECK_EQ(field_max(type_field(&sample_type, STR("name"))), STR_MAX_DEFAULT);
}

TEST(words_are_listed_for_people_as_far_as_there_is_room)
{
        static const char *const many[] = { "a_word_of_thirty_letters_or_more_", "a_word_of_thirty_letters_or_more_", "a_word_of_thirty_letters_or_more_",
                "a_word_of_thirty_letters_or_more_", "a_word_of_thirty_letters_or_more_", "a_word_of_thirty_letters_or_more_", NULL };
        struct field f = { .names = many };
        char say[160];
        field_say_words(type_field(&sample_type, STR("colour")), say);
        assert_string_equal(say, "must be one of red, green, blue");
        field_say_words(&f, say);
        CHECK_EQ(strlen(say), 159);
}

TEST(a_copy_outlives_what_it_was_copied_from)
{
        CTX(c);
        struct sample s, copy;
        struct buf b AUTO(buf_done) = BUF_INIT(4096);
        struct arena *first = arena_new(1 << 16);
        struct ctx r = { .arena = first };
        char *text = strdup(sample_text);
        CHECK_OK(json_read(&r, &sample_type, str_of(text), &s, JSON_STRICT));
        CHECK_OK(msg_copy(c.arena, &sample_type, &s, &copy));
        memset(text, 'x', sizeof sample_text - 1);
        free(text);
        arena_free(first);
        json_write(&b, &sample_type, &copy);
        CHECK_STR(buf_str(&b), sample_text);
}

TEST(copying_keeps_what_is_absent_absent_and_what_is_empty_empty)
{
        CTX(c);
        struct loose l = { .blob = { (const uint8_t *)"", 0 } }, copy;
        CHECK_OK(msg_copy(c.arena, &loose_type, &l, &copy));
        CHECK(!copy.name.p);
        CHECK(copy.blob.p && !copy.blob.n);
        CHECK(!copy.parts.v && !copy.parts.n);
}

TEST(copying_without_memory_fails)
{
        CTX(r);
        struct sample s, copy;
        long n = 1;
        CHECK_OK(json_read(&r, &sample_type, str_of(sample_text), &s, JSON_STRICT));
        for (int code = -1; code < 0; n++) {
                CTX(c);
                alloc_fail_after(n);
                code = msg_copy(c.arena, &sample_type, &s, &copy);
                alloc_fail_after(0);
                CHECK(code == 0 || code == -RESOURCE_EXHAUSTED);
        }
        CHECK(n > 8);
}

TEST_MAIN
