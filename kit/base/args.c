/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * args.c - command lines read by their tables.
 *
 * The same walk serves a command's own flags and its `more` table; the first are kept as (flag, value), the second are handed on
 * untouched, because config.c reads them with the environment and the file. */
#include "args.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { HELP_MAX_BYTES = 256 * 1024, WIDTH = 100, DOC_COLUMN = 34 };

bool colour_is_wanted(int fd)
{
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
        return !(no && *no) && term && strcmp(term, "dumb") != 0 && isatty(fd);
}

/* ---- near words ---------------------------------------------------------------------------------------------------- */

/* Levenshtein's distance; words over 40 bytes are never near. */
static size_t distance(const char *a, const char *b)
{
        size_t n = strlen(b), row[41];
        if (n > 40 || strlen(a) > 40) return 99;
        for (size_t j = 0; j <= n; j++) row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t change = diagonal + (a[i - 1] != b[j - 1]);
                        diagonal = row[j];
                        row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
                }
        }
        return row[n];
}

const char *nearest_word(const char *word, const char *const *names, size_t n)
{
        const char *best = NULL;
        size_t least = strlen(word) / 3 + 1;
        for (size_t i = 0; i < n; i++) {
                size_t d = distance(word, names[i]);
                if (d > least || (best && d == least)) continue;
                least = d;
                best = names[i];
        }
        return best;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static int wrong(struct args *a, const char *fmt, ...) PRINTF(2, 3);
static int wrong(struct args *a, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(a->error, sizeof a->error, fmt, ap);
        va_end(ap);
        return -INVALID_ARGUMENT;
}

static const struct flag *flag_in(const struct flag *table, str name)
{
        for (const struct flag *f = table; f && f->name; f++)
                if (str_eq(str_of(f->name), name)) return f;
        return NULL;
}

static const struct flag *flag_of_letter(const struct flag *table, char letter)
{
        for (const struct flag *f = table; f && f->name; f++)
                if (f->letter && f->letter == letter) return f;
        return NULL;
}

static const struct flag *more_of(const struct command *cmd)    { return cmd->more ? cmd->more() : NULL; }

static int unknown_flag(struct args *a, str name)
{
        const char *names[ARGS_MAX], *near;
        char given[41];
        size_t n = 0;
        for (const struct flag *f = a->command->flags; f && f->name && n < COUNT(names); f++) names[n++] = f->name;
        for (const struct flag *f = more_of(a->command); f && f->name && n < COUNT(names); f++) names[n++] = f->name;
        snprintf(given, sizeof given, STR_FMT, STR_ARG(name));
        near = nearest_word(given, names, n);
        if (near) return wrong(a, "there is no flag --" STR_FMT "; did you mean --%s?", STR_ARG(name), near);
        return wrong(a, "there is no flag --" STR_FMT, STR_ARG(name));
}

static int check_words(struct args *a, const struct flag *f, const char *value)
{
        char list[160] = "";
        size_t n = 0;
        for (const char *const *w = f->words; *w; w++) {
                if (!strcmp(*w, value)) return 0;
                if (n < sizeof list) n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", *w);
        }
        return wrong(a, "--%s is one of %s, not \"%s\"", f->name, list, value);
}

static int check_number(struct args *a, const struct flag *f, const char *value)
{
        int64_t v;
        int r = int_parse(str_of(value), &v);
        if (r == -INVALID_ARGUMENT) return wrong(a, "--%s wants a number, not \"%s\"", f->name, value);
        if (r < 0 || v < f->min || (f->max && v > f->max))
                return wrong(a, "--%s is %lld to %lld, not %s", f->name, (long long)f->min, (long long)(f->max ? f->max : INT64_MAX), value);
        return 0;
}

static int keep(struct args *a, const struct flag *f, const char *value)
{
        if (a->n_given == ARGS_MAX) return wrong(a, "over %d flags", ARGS_MAX);
        if (value && f->words) TRY(check_words(a, f, value));
        if (value && f->number) TRY(check_number(a, f, value));
        a->given[a->n_given].flag = f;
        a->given[a->n_given++].value = value;
        return 0;
}

static int hand_on(struct args *a, char *word)
{
        if (a->more_n == ARGS_MAX) return wrong(a, "over %d settings", ARGS_MAX);
        a->more_v[a->more_n++] = word;
        return 0;
}

/* One flag at argv[0]. returns the words it took, or a failure */
static int read_flag(struct args *a, int argc, char **argv)
{
        const char *word = argv[0];
        bool is_long = word[1] == '-';
        const char *eq = is_long ? strchr(word, '=') : NULL;
        str name = is_long ? (str){ word + 2, eq ? (size_t)(eq - word - 2) : strlen(word + 2) } : str_of(word + 1);
        const struct flag *own = is_long ? flag_in(a->command->flags, name) : flag_of_letter(a->command->flags, word[1]);
        const struct flag *f = own ? own : is_long ? flag_in(more_of(a->command), name) : NULL;
        const char *value = eq ? eq + 1 : NULL;
        int took = 1;
        if (!is_long && word[1] && word[2]) value = word + 2;
        if (!f) return is_long ? unknown_flag(a, name) : wrong(a, "there is no flag %s", word);
        if (!f->arg && value) return wrong(a, "--%s takes no value", f->name);
        if (f->arg && !value && f->bare) value = "true";
        else if (f->arg && !value) {
                if (argc < 2) return wrong(a, "--%s wants a value: --%s %s", f->name, f->name, f->arg);
                value = argv[1];
                took = 2;
        }
        if (own) TRY(keep(a, own, value));
        for (int i = 0; !own && i < took; i++) TRY(hand_on(a, argv[i]));
        return took;
}

static int check_operands(struct args *a)
{
        const char *const *words = a->command->operand_words;
        for (int i = 0; words && i < a->n_operands; i++) {
                size_t n = 0;
                while (words[n] && strcmp(words[n], a->operands[i]) != 0) n++;
                if (words[n]) continue;
                char list[160] = "";
                for (size_t k = 0, at = 0; words[k] && at < sizeof list; k++) at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", k ? ", " : "", words[k]);
                return wrong(a, "%s is one of %s, not \"%s\"", a->command->operands, list, a->operands[i]);
        }
        return 0;
}

static int read_words(struct args *a, int argc, char **argv)
{
        bool only_operands = false;
        for (int i = 0; i < argc && !only_operands; i++) {
                if (!strcmp(argv[i], "--")) break;
                if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) a->help = true;
        }
        if (a->help) return 0;
        for (int i = 0; i < argc;) {
                int took = 1;
                if (!only_operands && !strcmp(argv[i], "--")) only_operands = true;
                else if (!only_operands && argv[i][0] == '-' && argv[i][1]) TRY(took = read_flag(a, argc - i, argv + i));
                else if (a->n_operands == a->command->operands_max || a->n_operands == ARGS_MAX)
                        return wrong(a, "\"%s\" is more than %s %s takes", argv[i], a->program->name, a->command->name);
                else a->operands[a->n_operands++] = argv[i];
                i += took;
        }
        if (a->n_operands < a->command->operands_min)
                return wrong(a, "%s %s wants %s", a->program->name, a->command->name, a->command->operands);
        return check_operands(a);
}

/* "demo orders" takes two words of argv. returns how many match, 0 none */
static int matches(const struct command *cmd, int argc, char **argv)
{
        int n = 0;
        for (str rest = str_of(cmd->name), word; rest.p && (word = str_split(&rest, ' '), true); n++)
                if (n >= argc || !str_eq(word, str_of(argv[n]))) return 0;
        return n;
}

static bool is_of_group(const struct command *cmd, str word)
{
        str name = str_of(cmd->name);
        return str_starts(name, word) && name.n > word.n && name.p[word.n] == ' ';
}

static bool is_group(const struct program *p, const char *word)
{
        for (const struct command *cmd = p->commands; cmd->name; cmd++)
                if (!cmd->hidden && is_of_group(cmd, str_of(word))) return true;
        return false;
}

static bool is_help(const char *word)                   { return !strcmp(word, "--help") || !strcmp(word, "-h"); }

static int no_such_command(struct args *a, const char *word)
{
        const char *names[ARGS_MAX] = { 0 }, *near;
        size_t n = 0;
        for (const struct command *cmd = a->program->commands; cmd->name && n < COUNT(names); cmd++) names[n++] = cmd->name;
        near = nearest_word(word, names, n);
        if (near) return wrong(a, "there is no command \"%s\"; did you mean %s %s?", word, a->program->name, near);
        return wrong(a, "there is no command \"%s\"", word);
}

int args_parse(struct args *a, const struct program *p, int argc, char **argv)
{
        int best = 0;
        *a = (struct args){ .program = p };
        for (const struct command *cmd = p->commands; cmd->name; cmd++) {
                int n = matches(cmd, argc - 1, argv + 1);
                if (n <= best) continue;
                best = n;
                a->command = cmd;
        }
        if (a->command) return read_words(a, argc - 1 - best, argv + 1 + best);
        if (argc < 2) return -NOT_FOUND;
        a->group = is_group(p, argv[1]) ? argv[1] : NULL;
        a->help = is_help(argv[1]) || (a->group && argc > 2 && is_help(argv[2]));
        if (a->help) return 0;
        if (a->group && argc < 3) return wrong(a, "%s %s wants a command", p->name, a->group);
        if (a->group) {
                char words[80];
                snprintf(words, sizeof words, "%s %s", a->group, argv[2]);
                return no_such_command(a, words);
        }
        return no_such_command(a, argv[1]);
}

static int index_of(const struct args *a, const char *name, const struct flag **flag)
{
        *flag = flag_in(a->command->flags, str_of(name));
        assert(*flag && "the command has no such flag");
        for (int i = a->n_given - 1; i >= 0; i--)
                if (a->given[i].flag == *flag) return i;
        return -1;
}

const char *args_text(const struct args *a, const char *name)
{
        const struct flag *f;
        int i = index_of(a, name, &f);
        return i >= 0 ? a->given[i].value : f->fallback;
}

int64_t args_number(const struct args *a, const char *name)
{
        const char *text = args_text(a, name);
        int64_t v = 0;
        return text && int_parse(str_of(text), &v) == 0 ? v : 0;
}

bool args_has(const struct args *a, const char *name)
{
        const struct flag *f;
        return index_of(a, name, &f) >= 0;
}

/* ---- help ---------------------------------------------------------------------------------------------------------- */

/* Words of `text` from column `at` on, broken at WIDTH and indented to `at`. */
static void wrapped(struct buf *out, const char *text, size_t at)
{
        size_t column = at;
        for (str rest = str_of(text), word; rest.p && (word = str_split(&rest, ' '), true);) {
                if (column + word.n + 1 > WIDTH && column > at) {
                        buf_printf(out, "\n%*s", (int)at, "");
                        column = at;
                }
                if (column > at) buf_char(out, ' ');
                buf_add(out, word);
                column += word.n + (column > at);
        }
}

static void flag_line(struct buf *out, const struct flag *f)
{
        char left[80], doc[700];
        int n = snprintf(left, sizeof left, f->letter ? "  -%c, " : "      ", f->letter);
        n += snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s%s", f->name, !f->arg ? "" : f->bare ? "[=" : " ", f->arg ? f->arg : "",
                      f->arg && f->bare ? "]" : "");
        buf_printf(out, "%-*s", DOC_COLUMN - 2, left);
        if (n > DOC_COLUMN - 3) buf_printf(out, "\n%*s", DOC_COLUMN, "");
        else buf_lit(out, "  ");
        n = snprintf(doc, sizeof doc, "%s", f->doc ? f->doc : "");
        if (f->fallback && *f->fallback && n < (int)sizeof doc) snprintf(doc + n, sizeof doc - (size_t)n, " (default: %s)", f->fallback);
        wrapped(out, doc, DOC_COLUMN);
        buf_char(out, '\n');
}

static void command_help(struct buf *out, const struct program *p, const struct command *cmd)
{
        buf_printf(out, "usage: %s %s%s%s%s\n\n  ", p->name, cmd->name, cmd->flags || cmd->more ? " [FLAGS]" : "", cmd->operands ? " " : "",
                   cmd->operands ? cmd->operands : "");
        wrapped(out, cmd->summary, 2);
        buf_lit(out, "\n\nflags:\n");
        for (const struct flag *f = cmd->flags; f && f->name; f++) flag_line(out, f);
        flag_line(out, &(struct flag){ "help", 'h', NULL, "this text" });
        if (cmd->more) buf_lit(out, "\nsettings (also SOUK_NAME in the environment, or the config file):\n");
        for (const struct flag *f = more_of(cmd); f && f->name; f++) flag_line(out, f);
        if (cmd->examples) buf_lit(out, "\nexamples:\n");
        for (const char *const *e = cmd->examples; e && *e; e += 2) buf_printf(out, "  %-48s  # %s\n", e[0], e[1]);
}

void args_help(struct buf *out, const struct program *p, const struct command *cmd)
{
        if (cmd) {
                command_help(out, p, cmd);
                return;
        }
        buf_printf(out, "%s - %s\n\nusage: %s COMMAND [FLAGS]\n\ncommands:\n", p->name, p->summary, p->name);
        for (cmd = p->commands; cmd->name; cmd++) {
                if (cmd->hidden) continue;
                buf_printf(out, "  %-20s  ", cmd->name);
                wrapped(out, cmd->summary, 24);
                buf_char(out, '\n');
        }
        buf_printf(out, "\n%s COMMAND --help shows a command's flags and examples.\n", p->name);
        if (p->epilogue) buf_printf(out, "%s\n", p->epilogue);
}

void args_group_help(struct buf *out, const struct program *p, const char *group)
{
        buf_printf(out, "usage: %s %s COMMAND [FLAGS]\n\ncommands:\n", p->name, group);
        for (const struct command *cmd = p->commands; cmd->name; cmd++) {
                if (cmd->hidden || !is_of_group(cmd, str_of(group))) continue;
                buf_printf(out, "  %-20s  ", cmd->name);
                wrapped(out, cmd->summary, 24);
                buf_char(out, '\n');
        }
        buf_printf(out, "\n%s %s COMMAND --help shows a command's flags and examples.\n", p->name, group);
}

static int print_help(FILE *to, const struct program *p, const struct command *cmd, const char *group)
{
        struct buf out AUTO(buf_done) = BUF_INIT(HELP_MAX_BYTES);
        if (group) args_group_help(&out, p, group);
        else args_help(&out, p, cmd);
        fwrite(buf_str(&out).p, 1, buf_str(&out).n, to);
        return fflush(to) == 0 && !buf_error(&out) ? 0 : 1;
}

int args_main(const struct program *p, int argc, char **argv)
{
        static const char *const version_words[] = { "--version", "-V" };
        struct args a;
        for (size_t i = 0; argc == 2 && i < COUNT(version_words); i++)
                if (!strcmp(argv[1], version_words[i])) return printf("%s %s\n", p->name, p->version) < 0;
        if (argc >= 2 && !strcmp(argv[1], "help")) {            /* "souk help run" is "souk run --help" */
                char *words[4] = { argv[0], argc > 2 ? argv[2] : "--help", argc > 3 ? argv[3] : "--help", "--help" };
                return args_main(p, argc > 3 ? 4 : 3, words);
        }
        int r = args_parse(&a, p, argc, argv);
        if (r == -NOT_FOUND) return print_help(stderr, p, NULL, NULL), 2;
        if (r < 0) {
                const char *of = a.command ? a.command->name : a.group ? a.group : "";
                fprintf(stderr, "%s: %s\n%s %s%s--help tells more.\n", p->name, a.error, p->name, of, *of ? " " : "");
                return 2;
        }
        if (a.help) return print_help(stdout, p, a.command, a.group);
        return a.command->run(&a);
}
