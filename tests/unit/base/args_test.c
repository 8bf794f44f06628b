/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * args_test.c - command lines, good and bad, and the help text. */
#include "test.h"
#include "args.h"

static int ran;
static int run_it(struct args *a)       { ran += a->n_operands + 1; return 7; }

static const char *const sizes[] = { "small", "large", NULL };
static const struct flag demo_flags[] = {
        { "scale", 's', "N", "how large", .fallback = "1", .number = true, .min = 1, .max = 100 },
        { "size", 0, "SIZE", "small or large", .words = sizes },
        { "json", .doc = "one JSON object as the last line" },
        { 0 } };
static const struct flag settings[] = { { "port", 0, "N", "where it listens", "8080" }, { "loopback", 0, "YES", "calls", .bare = true }, { 0 } };
static const struct flag *more(void)    { return settings; }
static const char *const examples[] = { "shop demo orders --scale 100", "a hundred times as much", NULL };
static const struct command commands[] = {
        { "run", "runs the shop", .more = more, .run = run_it },
        { "demo orders", "sells what there is", .operands = "[NAME]", .operands_max = 1, .flags = demo_flags, .examples = examples, .run = run_it },
        { "import", "brings products", .operands = "FILE", .operands_min = 1, .operands_max = 1, .run = run_it },
        { 0 } };
static const char *const seasons[] = { "summer", "winter", NULL };
static const struct command seasonal[] = {
        { "sale", "sells in a season; isn't it", .operands = "SEASON", .operands_max = 1, .operand_words = seasons, .flags = demo_flags, .run = run_it },
        { 0 } };
static const struct program season = { "shop", "a shop", "1.0", seasonal };
static const struct program shop = { "shop", "a shop", "1.0", commands };

#define PARSE(a, ...)  args_parse(a, &shop, (int)COUNT(((char *[]){ "shop", __VA_ARGS__ })), (char *[]){ "shop", __VA_ARGS__ })
#define REFUSED(why, ...)  do { struct args a_; CHECK_EQ(PARSE(&a_, __VA_ARGS__), -INVALID_ARGUMENT); CHECK_STR(str_of(a_.error), why); } while (0)

static bool str_has(str s, const char *z)      { return memmem(s.p, s.n, z, strlen(z)) != NULL; }

TEST(flags_come_in_every_spelling)
{
        struct args a;
        CHECK_OK(PARSE(&a, "demo", "orders", "--scale", "5", "x"));
        CHECK_EQ(args_number(&a, "scale"), 5);
        CHECK_EQ(a.n_operands, 1);
        CHECK_OK(PARSE(&a, "demo", "orders", "--scale=6", "--json"));
        CHECK_EQ(args_number(&a, "scale"), 6);
        CHECK(args_has(&a, "json"));
        CHECK_OK(PARSE(&a, "demo", "orders", "-s7", "-s", "8"));
        CHECK_EQ(args_number(&a, "scale"), 8);
        CHECK_OK(PARSE(&a, "demo", "orders", "--size", "large"));
        CHECK_STR(str_of(args_text(&a, "size")), "large");
}

TEST(what_is_not_given_falls_back)
{
        struct args a;
        CHECK_OK(PARSE(&a, "demo", "orders"));
        CHECK_EQ(args_number(&a, "scale"), 1);
        CHECK(!args_has(&a, "scale"));
        CHECK(args_text(&a, "size") == NULL);
}

TEST(flags_of_the_other_table_are_handed_on)
{
        struct args a;
        CHECK_OK(PARSE(&a, "run", "--port", "9000", "--loopback"));
        CHECK_EQ(a.more_n, 3);
        CHECK_STR(str_of(a.more_v[0]), "--port");
        CHECK_STR(str_of(a.more_v[1]), "9000");
        CHECK_STR(str_of(a.more_v[2]), "--loopback");
}

TEST(wrong_lines_are_told_by_name)
{
        REFUSED("there is no flag --scael; did you mean --scale?", "demo", "orders", "--scael", "5");
        REFUSED("there is no flag --zzzzzzzzz", "demo", "orders", "--zzzzzzzzz");
        REFUSED("there is no flag -x", "demo", "orders", "-x");
        REFUSED("--scale wants a value: --scale N", "demo", "orders", "--scale");
        REFUSED("--scale wants a number, not \"five\"", "demo", "orders", "--scale", "five");
        REFUSED("--scale is 1 to 100, not 101", "demo", "orders", "--scale", "101");
        REFUSED("--size is one of small, large, not \"huge\"", "demo", "orders", "--size=huge");
        REFUSED("--json takes no value", "demo", "orders", "--json=yes");
        REFUSED("there is no command \"rum\"; did you mean shop run?", "rum");
        REFUSED("shop import wants FILE", "import");
        REFUSED("\"b\" is more than shop import takes", "import", "a", "b");
}

TEST(after_two_dashes_all_is_operand)
{
        struct args a;
        CHECK_OK(PARSE(&a, "import", "--", "--help"));
        CHECK(!a.help);
        CHECK_STR(str_of(a.operands[0]), "--help");
        CHECK_OK(PARSE(&a, "import", "-"));
        CHECK_STR(str_of(a.operands[0]), "-");
}

TEST(help_shows_flags_defaults_settings_and_examples)
{
        struct buf out AUTO(buf_done) = BUF_INIT(65536);
        struct args a;
        CHECK_OK(PARSE(&a, "demo", "orders", "--bogus", "--help"));
        CHECK(a.help);
        args_help(&out, &shop, a.command);
        buf_char(&out, 0);
        CHECK(strstr(buf_str(&out).p, "usage: shop demo orders [FLAGS] [NAME]\n"));
        CHECK(strstr(buf_str(&out).p, "  -s, --scale N                   how large (default: 1)\n"));
        CHECK(strstr(buf_str(&out).p, "  shop demo orders --scale 100                      # a hundred times as much\n"));
        buf_clear(&out);
        args_help(&out, &shop, &commands[0]);
        buf_char(&out, 0);
        CHECK(strstr(buf_str(&out).p, "      --port N                    where it listens (default: 8080)\n"));
        CHECK(strstr(buf_str(&out).p, "--loopback[=YES]"));
}

TEST(the_first_word_of_two_has_help_of_its_own)
{
        struct buf out AUTO(buf_done) = BUF_INIT(65536);
        struct args a;
        CHECK_OK(PARSE(&a, "demo", "--help"));
        CHECK(a.help && !a.command);
        CHECK_STR(str_of(a.group), "demo");
        args_group_help(&out, &shop, a.group);
        buf_char(&out, 0);
        CHECK(strstr(buf_str(&out).p, "  demo orders           sells what there is\n"));
        CHECK(!strstr(buf_str(&out).p, "import"));
        CHECK_EQ(args_main(&shop, 3, (char *[]){ "shop", "demo", "-h" }), 0);
        CHECK_EQ(args_main(&shop, 3, (char *[]){ "shop", "help", "demo" }), 0);
        CHECK_EQ(args_main(&shop, 2, (char *[]){ "shop", "demo" }), 2);
        REFUSED("shop demo wants a command", "demo");
        REFUSED("there is no command \"demo orderz\"; did you mean shop demo orders?", "demo", "orderz");
        REFUSED("there is no command \"demo xyzzy\"", "demo", "xyzzy");
        REFUSED("there is no command \"dem\"", "dem", "--help");
}

TEST(a_command_is_run_and_its_status_returned)
{
        ran = 0;
        CHECK_EQ(args_main(&shop, 3, (char *[]){ "shop", "import", "f" }), 7);
        CHECK_EQ(ran, 2);
        CHECK_EQ(args_main(&shop, 2, (char *[]){ "shop", "nonsense" }), 2);
}

TEST(no_color_is_obeyed)
{
        setenv("NO_COLOR", "1", 1);
        CHECK(!colour_is_wanted(2));
        unsetenv("NO_COLOR");
        setenv("TERM", "dumb", 1);
        CHECK(!colour_is_wanted(2));
}

TEST(operands_with_words_take_no_others)
{
        struct args a;
        CHECK_OK(args_parse(&a, &season, 3, (char *[]){ "shop", "sale", "winter" }));
        CHECK_EQ(args_parse(&a, &season, 3, (char *[]){ "shop", "sale", "spring" }), -INVALID_ARGUMENT);
        CHECK_STR(str_of(a.error), "SEASON is one of summer, winter, not \"spring\"");
}

TEST(completions_and_pages_come_from_the_tables)
{
        static const char *const shells[] = { "bash", "zsh", "fish" };
        for (size_t i = 0; i < COUNT(shells); i++) {
                struct buf out AUTO(buf_done) = BUF_INIT(1 << 16);
                CHECK_OK(args_completion(&out, &season, shells[i]));
                CHECK(str_has(buf_str(&out), "small large") && str_has(buf_str(&out), "summer winter") && str_has(buf_str(&out), "scale"));
        }
        struct buf out AUTO(buf_done) = BUF_INIT(1 << 16);
        char name[80];
        CHECK_EQ(args_completion(&out, &season, "tcsh"), -NOT_FOUND);
        args_man(&out, &shop, &commands[1]);
        CHECK(str_has(buf_str(&out), ".TH SHOP-DEMO-ORDERS 1") && str_has(buf_str(&out), "\\-\\-scale") && str_has(buf_str(&out), "1 to 100"));
        args_man_name(&shop, &commands[1], name);
        CHECK_STR(str_of(name), "shop-demo-orders");
}

TEST_MAIN
