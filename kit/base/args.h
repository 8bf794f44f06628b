/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * args.h - a command line as tables: commands and their flags; parsing, --help, completions and man pages come from them.
 *
 *     static const struct flag run_flags[] = {
 *             { "data", 'd', "DIR", "where everything is kept", .fallback = ".souk" },
 *             { "no-seed", .doc = "leave an empty catalogue empty" },
 *             { 0 } };
 *
 * A flag is --name VALUE, --name=VALUE, -n VALUE, or alone when its table has no `arg`. After "--" all is positional. Flags of a command's `more`
 * table (the settings of a program) are recognised, shown, and handed on as they stand in more_v. Source: GNU argument conventions; NO_COLOR
 * (no-color.org). Threads: only args_main() prints; all else is pure. */
#ifndef ARGS_H
#define ARGS_H
#include "buf.h"

struct flag {
        const char *name;               /* "data": --data; tables end with NULL                   */
        char        letter;             /* 'd': -d; 0: none                                       */
        const char *arg;                /* placeholder of its value, "DIR"; NULL: it takes none   */
        const char *doc;                /* a phrase for --help                                    */
        const char *fallback;           /* what holds without it; shown                           */
        const char *const *words;       /* the only values allowed, NULL-terminated; NULL: any    */
        bool        number;             /* a decimal number within min..max                       */
        int64_t     min, max;
        bool        bare;               /* has an arg, but may stand alone (then its value is "true"); the value needs a '=' */
};

struct args;
struct command {
        const char *name;               /* "demo orders": may be two words; tables end with NULL  */
        const char *summary;            /* one line                                               */
        const char *operands;           /* "FILE..." as shown in the usage; NULL: none            */
        int         operands_min, operands_max;
        const char *const *operand_words;       /* the only operands allowed, NULL-terminated; NULL: any  */
        const struct flag *flags;       /* may be NULL                                            */
        const struct flag *(*more)(void);       /* another table, made at the first call: settings; may be NULL */
        const char *const *examples;    /* pairs "souk run --port 9000", "on another port"; NULL-terminated */
        int       (*run)(struct args *a);       /* returns the exit status                        */
        bool        hidden;             /* not in the overview                                    */
};
struct program {
        const char *name, *summary, *version;
        const struct command *commands;
        const char *epilogue;           /* last lines of the overview; may be NULL                */
};

enum { ARGS_MAX = 256 };
struct args {                           /* what came; pointers into argv                          */
        const struct program *program;
        const struct command *command;
        const char *group;              /* "demo", when --help follows the first word of two        */
        struct { const struct flag *flag; const char *value; } given[ARGS_MAX];
        int    n_given;
        char  *more_v[ARGS_MAX];        /* flags of the `more` table, as they stood               */
        int    more_n;
        const char *operands[ARGS_MAX];
        int    n_operands;
        bool   help;                    /* --help or -h was there: nothing else was checked       */
        char   error[256];              /* a sentence when parsing failed                         */
};

/* Finds the command in argv[1..] and reads what follows. a: filled; borrows argv.
 *   returns  0; -NOT_FOUND no command was named; -INVALID_ARGUMENT with a->error */
int  args_parse(struct args *a, const struct program *p, int argc, char **argv);
/* Parses, runs, and prints help (standard output, status 0) or what is wrong (standard error, status 2). returns the exit status */
int  args_main(const struct program *p, int argc, char **argv);
void args_help(struct buf *out, const struct program *p, const struct command *cmd);    /* cmd NULL: the overview  */
void args_group_help(struct buf *out, const struct program *p, const char *group);      /* commands that begin with that word */

/* A script that teaches "bash", "zsh" or "fish" the program's commands, flags and words. returns 0, or -NOT_FOUND another shell */
int  args_completion(struct buf *out, const struct program *p, const char *shell);
/* A manual page (man(7)) of a command, or of the program when cmd is NULL; and its name: "souk-demo-orders". */
void args_man(struct buf *out, const struct program *p, const struct command *cmd);
void args_man_name(const struct program *p, const struct command *cmd, char out[80]);

/* Values; an asking for a flag that is not in the command's table is a programming error. */
const char *args_text(const struct args *a, const char *name);  /* the last given, else the fallback, else NULL     */
int64_t args_number(const struct args *a, const char *name);    /* 0 when absent                                    */
bool args_has(const struct args *a, const char *name);          /* it was given                                     */

/* Whether fd wants colours: a terminal that is not dumb, and NO_COLOR unset or empty. */
bool colour_is_wanted(int fd);
/* The nearest of the names, for "did you mean"; NULL when none is near. */
const char *nearest_word(const char *word, const char *const *names, size_t n);
#endif
