/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * config.c - settings from flags, environment, secret files and a file; the strongest source wins, equals at odds end the start.
 *
 * Each setting keeps the rank of the source that gave its value; reading the sources from strong to weak then needs no merging. The
 * environment is searched for SOUK_* names that no table has, so that a misspelt one is told, not ignored. */
#include "config.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "args.h"
#include "engine.h"

enum { TABLES_MAX = 40, SETTINGS_MAX = 256, FILE_MAX_BYTES = 256 * 1024 };
enum rank { FROM_NOWHERE, FROM_FILE, FROM_ENVIRONMENT, FROM_FLAG };

struct value { const struct setting *s; const char *heading; char *text; enum rank rank; char from[96]; int64_t number; };
struct config { struct value v[SETTINGS_MAX]; size_t n; struct flag flags[SETTINGS_MAX + 1]; };

extern char **environ;

struct config *config_new(void)
{
        struct config *k = calloc(1, sizeof *k);
        if (!k) abort();
        return k;
}

void config_free(struct config **kp)
{
        struct config *k = *kp;
        if (!k) return;
        for (size_t i = 0; i < k->n; i++) free(k->v[i].text);
        free(k);
        *kp = NULL;
}

/* ---- values ----------------------------------------------------------------------------------------------------------- */

struct unit_name { const char *name; int64_t times; };

/* A whole number and one of the units. */
static int with_unit(str text, const struct unit_name *units, int64_t *out)
{
        size_t digits = 0;
        while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') digits++;
        int64_t n;
        if (int_parse(str_cut(text, 0, digits), &n) < 0) return -INVALID_ARGUMENT;
        for (; units->name; units++)
                if (str_eq(str_cut(text, digits, text.n), str_of(units->name))) return __builtin_mul_overflow(n, units->times, out) ? -OUT_OF_RANGE : 0;
        return -INVALID_ARGUMENT;
}

static const struct unit_name durations[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { 0 } };
static const struct unit_name sizes[] = { { "B", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { 0 } };

static int bool_parse(str text, int64_t *out)
{
        static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };
        for (size_t i = 0; i < COUNT(words); i++) {
                if (!str_eq_nocase(text, str_of(words[i]))) continue;
                *out = i & 1;
                return 0;
        }
        return -INVALID_ARGUMENT;
}

static const char *const wants[] = { [SET_STR] = "a text", [SET_INT] = "a whole number", [SET_BOOL] = "true or false",
                                     [SET_MS] = "a duration like 250ms, 10s, 5m, 1h", [SET_SIZE] = "a size like 64KiB or 1MiB" };

static int number_of(const struct setting *s, str text, int64_t *out)
{
        switch (s->kind) {
        case SET_INT:  return int_parse(text, out);
        case SET_BOOL: return bool_parse(text, out);
        case SET_MS:   return with_unit(text, durations, out);
        case SET_SIZE: return with_unit(text, sizes, out);
        case SET_STR:  *out = 0; return 0;
        }
        return -INTERNAL;
}

static void shown(const struct setting *s, int64_t v, char out[40])
{
        const struct unit_name *units = s->kind == SET_MS ? durations : s->kind == SET_SIZE ? sizes : NULL, *best = units;
        for (; units && units->name; units++)
                if (v % units->times == 0 && v) best = units;
        snprintf(out, 40, "%lld%s", (long long)(best ? v / best->times : v), best ? best->name : "");
}

static int set(struct ctx *c, struct value *v, str text, enum rank rank, const char *from)
{
        const struct setting *s = v->s;
        char low[40], high[40];
        int64_t number = 0;
        const char *said = s->secret ? "***" : NULL;
        if (v->rank > rank) return 0;
        if (v->rank == rank && rank != FROM_NOWHERE) {
                if (str_eq(text, str_of(v->text))) return 0;
                return fail(c, INVALID_ARGUMENT, "bad_setting", "%s is set twice, by %s and by %s", s->name, v->from, from);
        }
        if (memchr(text.p ? text.p : "", 0, text.n)) return fail(c, INVALID_ARGUMENT, "bad_setting", "%s (%s) has a NUL in it", s->name, from);
        bool limited = s->kind != SET_STR && s->kind != SET_BOOL && (s->min || s->max);
        int r = number_of(s, text, &number);
        if (r < 0 && r != -OUT_OF_RANGE)
                return fail(c, INVALID_ARGUMENT, "bad_setting", "%s (%s) wants %s, not \"%.*s\"", s->name, from, wants[s->kind],
                            said ? 3 : (int)MIN(text.n, 100u), said ? said : text.p);
        if (r < 0 || (limited && (number < s->min || number > s->max))) {
                shown(s, s->min, low);
                shown(s, s->max, high);
                return fail(c, INVALID_ARGUMENT, "bad_setting", "%s (%s) is " STR_FMT ", which is not within %s and %s", s->name, from, STR_ARG(text), low, high);
        }
        free(v->text);
        if (!(v->text = strndup(text.n ? text.p : "", text.n))) abort();
        v->number = number;
        v->rank = rank;
        snprintf(v->from, sizeof v->from, "%s", from);
        return 0;
}

void config_table(struct config *k, const char *heading, const struct setting *table)
{
        struct ctx c = { .arena = arena_new(65536) };
        for (const struct setting *s = table; s && s->name; s++) {
                assert(k->n < SETTINGS_MAX);
                struct value *v = &k->v[k->n++];
                *v = (struct value){ .s = s, .heading = heading };
                if (!s->fallback) v->text = strdup("");
                else if (set(&c, v, str_of(s->fallback), FROM_NOWHERE, "default") < 0) {
                        fprintf(stderr, "config: " STR_FMT "\n", STR_ARG(c.fault.message));
                        abort();        /* a table that does not hold to itself is a programming error */
                }
                snprintf(v->from, sizeof v->from, "default");
        }
        c.arena = arena_free(c.arena);
}

static struct value *find(const struct config *k, str name)
{
        for (size_t i = 0; i < k->n; i++)
                if (str_eq(name, str_of(k->v[i].s->name))) return (struct value *)&k->v[i];
        return NULL;
}

static int no_such(struct ctx *c, const struct config *k, str name, const char *where)
{
        const char *names[SETTINGS_MAX], *near;
        char text[64];
        for (size_t i = 0; i < k->n; i++) names[i] = k->v[i].s->name;
        snprintf(text, sizeof text, STR_FMT, STR_ARG(name));
        near = nearest_word(text, names, k->n);
        return fail(c, INVALID_ARGUMENT, "no_such_setting", "%s: there is no setting " STR_FMT "%s%s%s", where, STR_ARG(name), near ? "; did you mean " : "",
                    near ? near : "", near ? "?" : "");
}

/* ---- sources, strong to weak -------------------------------------------------------------------------------------------- */

static int read_flags(struct ctx *c, struct config *k, int argc, char **argv)
{
        for (int i = 0; i < argc && !strncmp(argv[i], "--", 2) && argv[i][2]; i++) {
                str rest = str_of(argv[i] + 2), name = str_split(&rest, '=');
                struct value *v = find(k, name);
                char *from = arena_z(c->arena, arena_printf(c->arena, "--" STR_FMT, STR_ARG(name)));
                if (!v || !from) return no_such(c, k, name, "flags");
                if (!rest.p && v->s->kind == SET_BOOL) rest = STR("true");
                if (!rest.p && i + 1 == argc) return fail(c, INVALID_ARGUMENT, "bad_setting", "%s wants a value", from);
                if (!rest.p) rest = str_of(argv[++i]);
                TRY(set(c, v, rest, FROM_FLAG, from));
        }
        return 0;
}

static int read_whole(struct ctx *c, const char *path, const char *for_what, str *out)
{
        char *text = arena_alloc(c->arena, FILE_MAX_BYTES + 1);
        FILE *f = fopen(path, "re");
        if (!f || !text) {
                if (f) fclose(f);
                return fail(c, INVALID_ARGUMENT, "bad_setting", "%s: %s cannot be read: %m", for_what, path);
        }
        size_t n = fread(text, 1, FILE_MAX_BYTES + 1, f);
        fclose(f);
        if (n > FILE_MAX_BYTES) return fail(c, INVALID_ARGUMENT, "bad_setting", "%s: %s is over %d KiB", for_what, path, FILE_MAX_BYTES / 1024);
        *out = (str){ text, n };
        return 0;
}

/* port -> SOUK_PORT, orders.hold-minutes -> SOUK_ORDERS_HOLD_MINUTES */
static void environment_name(const char *setting, char out[128])
{
        size_t n = (size_t)snprintf(out, 128, "SOUK_%s", setting);
        for (size_t i = 0; i < n && i < 127; i++) out[i] = (char)(out[i] == '-' || out[i] == '.' ? '_' : toupper((unsigned char)out[i]));
}

static int read_variable(struct ctx *c, struct config *k, str name, const char *value)
{
        char own[128], from[96];
        snprintf(from, sizeof from, STR_FMT, STR_ARG(name));
        for (size_t i = 0; i < k->n; i++) {
                environment_name(k->v[i].s->name, own);
                if (str_eq(name, str_of(own))) return set(c, &k->v[i], str_of(value), FROM_ENVIRONMENT, from);
        }
        for (size_t i = 0; i < k->n && str_ends(name, STR("_FILE")); i++) {
                str text;
                environment_name(k->v[i].s->name, own);
                if (!str_eq(str_cut(name, 0, name.n - 5), str_of(own))) continue;
                TRY(read_whole(c, value, from, &text));
                return set(c, &k->v[i], str_trim(text, " \t\r\n"), FROM_ENVIRONMENT, from);
        }
        return fail(c, INVALID_ARGUMENT, "no_such_setting", "the environment has " STR_FMT ", which is no setting", STR_ARG(name));
}

/* Words of the environment that belong to tests and tools, not to the program. */
static bool is_foreign(str name)
{
        static const char *const foreign[] = { "SOUK_SHARED", "SOUK_TEST_", "SOUK_SOURCE", "SOUK_BENCH_", "SOUK_SANITIZE", "SOUK_NO_INSTALL" };
        for (size_t i = 0; i < COUNT(foreign); i++)
                if (str_starts(name, str_of(foreign[i]))) return true;
        return false;
}

static int read_environment(struct ctx *c, struct config *k)
{
        for (char **e = environ; *e; e++) {
                str rest = str_of(*e), name = str_split(&rest, '=');
                if (str_starts(name, STR("SOUK_")) && rest.p && !is_foreign(name)) TRY(read_variable(c, k, name, rest.p));
        }
        return 0;
}

static int read_file(struct ctx *c, struct config *k, const char *path)
{
        str text;
        int line = 0;
        TRY(read_whole(c, path, "the config file", &text));
        for (str rest = text, row; rest.p && (row = str_split(&rest, '\n'), true);) {
                char where[96];
                snprintf(where, sizeof where, "%.70s:%d", path, ++line);
                row = str_trim(row, " \t\r");
                if (!row.n || row.p[0] == '#') continue;
                str value = row, name = str_trim(str_split(&value, '='), " \t");
                if (!value.p) return fail(c, INVALID_ARGUMENT, "bad_setting", "%s: a line is `name = value`", where);
                struct value *v = find(k, name);
                if (!v) return no_such(c, k, name, where);
                TRY(set(c, v, str_trim(value, " \t"), FROM_FILE, where));
        }
        return 0;
}

int config_read(struct ctx *c, struct config *k, int argc, char **argv, const char *file)
{
        TRY(read_flags(c, k, argc, argv));
        TRY(read_environment(c, k));
        return file ? read_file(c, k, file) : 0;
}

/* ---- asking ------------------------------------------------------------------------------------------------------------- */

static const struct value *known(const struct config *k, const char *name)
{
        const struct value *v = find(k, str_of(name));
        assert(v && "no table has such a setting");
        return v;
}

str config_str(const struct config *k, const char *name)        { return str_of(known(k, name)->text); }
int64_t config_int(const struct config *k, const char *name)    { return known(k, name)->number; }
bool config_bool(const struct config *k, const char *name)      { return known(k, name)->number != 0; }

void config_each(const struct config *k, void (*fn)(const struct setting *s, const char *heading, str value, const char *from, void *arg), void *arg)
{
        for (size_t i = 0; i < k->n; i++) {
                const struct value *v = &k->v[i];
                fn(v->s, v->heading, v->s->secret && *v->text ? STR("***") : str_of(v->text), v->from, arg);
        }
}

const struct flag *config_flags(struct config *k)
{
        static const char *const placeholders[] = { [SET_STR] = "TEXT", [SET_INT] = "N", [SET_BOOL] = "YES", [SET_MS] = "TIME", [SET_SIZE] = "SIZE" };
        for (size_t i = 0; i < k->n; i++) {
                const struct setting *s = k->v[i].s;
                k->flags[i] = (struct flag){ .name = s->name, .arg = placeholders[s->kind], .doc = s->doc, .fallback = s->fallback, .bare = s->kind == SET_BOOL };
        }
        k->flags[k->n] = (struct flag){ 0 };
        return k->flags;
}

static void docs_row(const struct setting *s, const char *heading, str value, const char *from, void *arg)
{
        struct { struct buf *out; const char *heading; } *at = arg;
        char variable[128], low[40], high[40];
        (void)value;
        (void)from;
        if (at->heading != heading) buf_printf(at->out, "\n## %s\n\n| setting | environment | default | meaning |\n|---|---|---|---|\n", heading);
        at->heading = heading;
        environment_name(s->name, variable);
        buf_printf(at->out, "| `%s` | `%s` | %s%s%s | %s", s->name, variable, s->fallback && *s->fallback ? "`" : "", s->fallback ? s->fallback : "",
                   s->fallback && *s->fallback ? "`" : "", s->doc);
        shown(s, s->min, low);
        shown(s, s->max, high);
        if (s->kind != SET_STR && s->kind != SET_BOOL && (s->min || s->max)) buf_printf(at->out, " (%s to %s)", low, high);
        buf_printf(at->out, "%s |\n", s->secret ? " *secret*" : "");
}

void config_docs(struct buf *out, const struct config *k)
{
        struct { struct buf *out; const char *heading; } at = { out, NULL };
        buf_lit(out, "# Configuration\n\nMade from the tables by `make docs`. `souk config` prints what holds and where it came from.\n\n"
                     "A setting `port` is, from strong to weak: the flag `--port 9000`, the variable `SOUK_PORT` (or `SOUK_PORT_FILE`, a file with the\n"
                     "value, for secrets), the line `port = 9000` of the config file (`--config FILE`, else `souk.conf` in the data directory), the default. "
                     "An\nunknown name, a bad value or two values at odds in one of these end the program with a sentence that names it. Durations are `250ms`,\n"
                     "`10s`, `5m`, `1h`; sizes `64KiB`, `1MiB`.\n");
        config_each(k, docs_row, &at);
}
