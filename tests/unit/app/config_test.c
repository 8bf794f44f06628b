/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * config_test.c - which source of a setting wins, and how wrong ones are told. */
#include "test.h"
#include <unistd.h>
#include "args.h"
#include "buf.h"
#include "config.h"

static const struct setting table[] = {
        { "port", SET_INT, "8080", 1, 65535, .doc = "where" },
        { "grace", SET_MS, "10s", 0, 3600000, .doc = "how long" },
        { "body", SET_SIZE, "1MiB", 1024, 1 << 30, .doc = "how much" },
        { "loud", SET_BOOL, "false", .doc = "whether" },
        { "orders.hold-minutes", SET_INT, "15", 1, 60, .doc = "how long" },
        { "password", SET_STR, NULL, .secret = true, .doc = "what" },
        { 0 } };

static struct ctx c;
static struct config *fresh(void)
{
        struct config *k = config_new();
        c = (struct ctx){ .arena = arena_new(4 << 20) };
        config_table(k, "things", table);
        return k;
}
static void gone(struct config *k)
{
        config_free(&k);
        arena_free(c.arena);
}

static char path[] = "/tmp/config_test_XXXXXX";
static const char *file_of(const char *text)
{
        strcpy(path + sizeof path - 7, "XXXXXX");
        int fd = mkstemp(path);
        CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
        close(fd);
        return path;
}

#define READ(k, file, ...)  config_read(&c, k, (int)COUNT(((char *[]){ __VA_ARGS__ })), (char *[]){ __VA_ARGS__ }, file)

TEST(a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default)
{
        struct config *k = fresh();
        setenv("SOUK_PORT", "2", 1);
        setenv("SOUK_GRACE", "2s", 1);
        CHECK_OK(READ(k, file_of("port = 3\ngrace=3s\n# a note\n\nbody = 3KiB\n"), "--port", "1"));
        CHECK_EQ(config_int(k, "port"), 1);
        CHECK_EQ(config_int(k, "grace"), 2000);
        CHECK_EQ(config_int(k, "body"), 3072);
        CHECK_EQ(config_int(k, "orders.hold-minutes"), 15);
        CHECK(!config_bool(k, "loud"));
        CHECK_STR(config_str(k, "password"), "");
        unsetenv("SOUK_PORT");
        unsetenv("SOUK_GRACE");
        unlink(path);
        gone(k);
}

TEST(names_become_variables_and_secrets_come_from_files)
{
        struct config *k = fresh();
        setenv("SOUK_ORDERS_HOLD_MINUTES", "20", 1);
        setenv("SOUK_PASSWORD_FILE", file_of("sesame\n"), 1);
        CHECK_OK(READ(k, NULL, "--loud"));
        CHECK_EQ(config_int(k, "orders.hold-minutes"), 20);
        CHECK_STR(config_str(k, "password"), "sesame");
        CHECK(config_bool(k, "loud"));
        unsetenv("SOUK_ORDERS_HOLD_MINUTES");
        unsetenv("SOUK_PASSWORD_FILE");
        unlink(path);
        gone(k);
}

static void refused(const char *file, const char *variable, const char *value, char *flag, const char *why)
{
        struct config *k = fresh();
        if (variable) setenv(variable, value, 1);
        CHECK_EQ(READ(k, file ? file_of(file) : NULL, flag), -INVALID_ARGUMENT);
        CHECK_STR(c.fault.message, why);
        if (variable) unsetenv(variable);
        if (file) unlink(path);
        gone(k);
}

TEST(wrong_settings_are_told_by_name_and_place)
{
        refused(NULL, NULL, NULL, "--port=http", "port (--port) wants a whole number, not \"http\"");
        refused(NULL, NULL, NULL, "--port=65536", "port (--port) is 65536, which is not within 1 and 65535");
        refused(NULL, NULL, NULL, "--port", "--port wants a value");
        refused(NULL, NULL, NULL, "--prot=1", "flags: there is no setting prot; did you mean port?");
        refused(NULL, "SOUK_GRACE", "10", "--port=1", "grace (SOUK_GRACE) wants a duration like 250ms, 10s, 5m, 1h, not \"10\"");
        refused(NULL, "SOUK_GRACE", "9h", "--port=1", "grace (SOUK_GRACE) is 9h, which is not within 0ms and 1h");
        refused(NULL, "SOUK_BODY", "5GB", "--port=1", "body (SOUK_BODY) wants a size like 64KiB or 1MiB, not \"5GB\"");
        refused(NULL, "SOUK_LOUD", "maybe", "--port=1", "loud (SOUK_LOUD) wants true or false, not \"maybe\"");
        refused(NULL, "SOUK_PRT", "1", "--port=1", "the environment has SOUK_PRT, which is no setting");
}

/* Each @ of the pattern is the file's path. */
static void fill(char *to, size_t max, const char *pattern)
{
        size_t n = 0;
        for (; *pattern; pattern++) n += (size_t)snprintf(to + n, max - n, *pattern == '@' ? "%s" : "%.1s", *pattern == '@' ? path : pattern);
}

static void file_refused(const char *text, const char *why)
{
        char want[300];
        struct config *k = fresh();
        CHECK_EQ(READ(k, file_of(text), "--loud"), -INVALID_ARGUMENT);
        fill(want, sizeof want, why);
        CHECK_STR(c.fault.message, want);
        unlink(path);
        gone(k);
}

TEST(a_wrong_line_of_the_file_is_told_by_its_number)
{
        file_refused("# hello\nport 8080\n", "@:2: a line is `name = value`");
        file_refused("port = 1\nport = 2\n", "port is set twice, by @:1 and by @:2");
        file_refused("bdoy = 1KiB\n", "@:1: there is no setting bdoy; did you mean body?");
}

TEST(two_variables_at_odds_are_told)
{
        struct config *k = fresh();
        setenv("SOUK_PASSWORD", "one", 1);
        setenv("SOUK_PASSWORD_FILE", file_of("two"), 1);
        CHECK_EQ(READ(k, NULL, "--loud"), -INVALID_ARGUMENT);
        CHECK(str_starts(c.fault.message, STR("password is set twice")));
        CHECK(!memmem(c.fault.message.p, c.fault.message.n, "two", 3) || !memmem(c.fault.message.p, c.fault.message.n, "one", 3));
        unsetenv("SOUK_PASSWORD");
        unsetenv("SOUK_PASSWORD_FILE");
        unlink(path);
        gone(k);
}

static void look(const struct setting *s, const char *heading, str value, const char *from, void *arg)
{
        (void)heading;
        if (!strcmp(s->name, "password")) CHECK_STR(value, "***");
        if (!strcmp(s->name, "port")) CHECK_STR(str_of(from), "--port");
        ++*(int *)arg;
}

TEST(secrets_are_not_shown)
{
        struct config *k = fresh();
        int seen = 0;
        CHECK_OK(READ(k, NULL, "--port=5", "--password", "sesame"));
        config_each(k, look, &seen);
        CHECK_EQ(seen, 6);
        gone(k);
}

TEST(tables_become_flags)
{
        struct config *k = fresh();
        const struct flag *f = config_flags(k);
        CHECK_STR(str_of(f[0].name), "port");
        CHECK(f[3].bare);
        CHECK(f[6].name == NULL);
        gone(k);
}

TEST_MAIN
