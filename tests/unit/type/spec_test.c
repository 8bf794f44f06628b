/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * spec_test.c - schemas are valid JSON and say what the readers enforce. */
#include "test.h"
#include "sample.h"

SAMPLE_TYPES;

static str schema_of(struct buf *b, const struct type *t, bool pretty)
{
        CTX(c);
        struct jw w = { .b = b, .pretty = pretty };
        buf_clear(b);
        spec_schema(&w, t);
        CHECK_OK(buf_error(b));
        CHECK_OK(json_validate(&c, buf_str(b)));
        return buf_str(b);
}

TEST(a_schema_names_every_field_with_its_rules)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        CHECK_STR(schema_of(&b, &part_type, false),
                  "{\"type\":\"object\",\"description\":\"a part of a sample\",\"properties\":{\"sku\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":8},"
                  "\"quantity\":{\"type\":\"integer\",\"format\":\"int32\",\"minimum\":1,\"maximum\":99}},\"required\":[\"sku\",\"quantity\"],\"additionalProperties\":false}");
        CHECK_STR(schema_of(&b, &nothing_type, false),
                "{\"type\":\"object\",\"description\":\"an empty object\",\"properties\":{},\"additionalProperties\":false}");
}

TEST(every_kind_has_a_schema)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        str s = json_member(schema_of(&b, &sample_type, true), "properties");
        static const char *const types[][2] = { { "yes", "\"boolean\"" }, { "small", "\"integer\"" }, { "colour", "\"string\"" },
                { "big", "\"integer\"" },
                { "ratio", "\"number\"" }, { "name", "\"string\"" }, { "blob", "\"string\"" }, { "id", "\"string\"" }, { "at",
                        "\"string\"" },
                { "parts", "\"array\"" }, { "tags", "\"array\"" } };
        for (size_t i = 0; i < COUNT(types); i++) CHECK_STR(json_member(json_member(s, types[i][0]), "type"), types[i][1]);
        CHECK_STR(json_member(json_member(s, "price"), "$ref"), "\"#/components/schemas/money\"");
        CHECK_STR(json_member(json_member(s, "part"), "$ref"), "\"#/components/schemas/part\"");
        CHECK_STR(json_member(json_member(json_member(s, "parts"), "items"), "$ref"), "\"#/components/schemas/part\"");
        CHECK_STR(json_member(json_member(json_member(s, "ids"), "items"), "format"), "\"uuid\"");
        CHECK_STR(json_member(json_member(s, "parts"), "minItems"), "1");
        CHECK_STR(json_member(json_member(s, "parts"), "maxItems"), "3");
        CHECK_STR(json_member(json_member(s, "at"), "format"), "\"date-time\"");
        CHECK_STR(json_member(json_member(s, "small"), "description"), "\"a small number\"");
        CHECK(json_member(json_member(s, "small"), "examples").p);
        CHECK_STR(json_member(json_member(s, "small"), "minimum"), "-2147483648");
        CHECK_STR(json_member(json_member(s, "big"), "maximum"), "9223372036854775807");
        CHECK(!json_member(json_member(s, "ratio"), "maximum").p);
        CHECK(json_member(json_member(s, "colour"), "enum").p);
}

TEST(formats_secrets_and_optional_fields_are_told)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        str all = schema_of(&b, &account_type, false), s = json_member(all, "properties");
        CHECK_STR(json_member(json_member(s, "email"), "format"), "\"email\"");
        CHECK_STR(json_member(json_member(s, "country"), "pattern"), "\"^[A-Z]{2}$\"");
        CHECK_STR(json_member(json_member(s, "password"), "writeOnly"), "true");
        CHECK_STR(json_member(all, "required"), "[\"email\",\"password\"]");
        CHECK(!json_member(schema_of(&b, &loose_type, false), "required").p);
        CHECK_STR(json_member(json_member(json_member(buf_str(&b), "properties"), "blob"), "minLength"), "3");
        CHECK_STR(json_member(json_member(json_member(buf_str(&b), "properties"), "blob"), "maxLength"), "6");
}

TEST(a_field_of_the_programs_own_is_in_no_schema)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        struct spec_seen seen = { .n = 0 };
        str s = schema_of(&b, &inner_type, false);
        CHECK_STR(json_member(s, "required"), "[\"shown\"]");
        CHECK(!json_member(json_member(s, "properties"), "hidden").p);
        spec_walk(&seen, &inner_type);
        CHECK_EQ(seen.n, 1);
}

TEST(a_walk_finds_every_message_below_once)
{
        struct spec_seen seen = { .n = 0 };
        spec_walk(&seen, &sample_type);
        spec_walk(&seen, &loose_type);
        spec_walk(&seen, &tree_type);
        spec_walk(&seen, &uid_type);
        CHECK_EQ(seen.n, 5);
        CHECK(seen.v[0] == &sample_type && seen.v[1] == &money_type && seen.v[2] == &part_type && seen.v[3] == &loose_type
                && seen.v[4] == &tree_type);
}

TEST(an_example_is_taken_by_the_reader_of_its_message)
{
        static const struct type *const types[] = { &part_type, &tree_type, &sample_type, &loose_type, &account_type, &inner_type, &money_type, &nothing_type };
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        for (size_t i = 0; i < COUNT(types); i++) {
                CTX(c);
                struct jw w = { .b = &b };
                buf_clear(&b);
                spec_example(&w, types[i], SPEC_REQUEST);
                void *out = arena_alloc(c.arena, types[i]->size);
                if (json_read(&c, types[i], buf_str(&b), out, JSON_STRICT) < 0) cm_fail_msg("%s: %s", types[i]->name, flaws(&c));
        }
}

TEST(an_example_says_what_the_table_says_and_no_secret_in_an_answer)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        struct jw w = { .b = &b };
        spec_example(&w, &account_type, SPEC_REQUEST);
        CHECK_STR(buf_str(&b), "{\"email\":\"ada@example.org\",\"password\":\"correct horse battery\",\"country\":\"DE\"}");
        buf_clear(&b);
        w = (struct jw){ .b = &b };
        spec_example(&w, &account_type, SPEC_ANSWER);
        CHECK_STR(buf_str(&b), "{\"email\":\"ada@example.org\",\"country\":\"DE\"}");
        buf_clear(&b);
        w = (struct jw){ .b = &b };
        spec_example(&w, &sample_type, SPEC_ANSWER);
        CHECK_STR(json_member(buf_str(&b), "small"), "7");
        CHECK_STR(json_member(buf_str(&b), "colour"), "\"red\"");
        buf_clear(&b);
        w = (struct jw){ .b = &b };
        spec_example_field(&w, &loose_type, type_field(&loose_type, STR("name")));
        CHECK_STR(buf_str(&b), "\"Halde\"");
}

TEST_MAIN
