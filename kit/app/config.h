/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * config.h - settings in tables: from flags, environment, secret files and a file, in that order of strength; documented by themselves.
 *
 * A setting "port" is --port, SOUK_PORT, SOUK_PORT_FILE (the file's content, for secrets) and `port = ` in the config file (--config, or DIR/souk.conf).
 * An unknown key, a bad value or two sources at odds within one level end the program with a sentence that names it.
 * docs/CONFIGURATION.md is made from the tables. Threads: read-only after start. */
#ifndef CONFIG_H
#define CONFIG_H
#include "ctx.h"

enum setting_kind { SET_STR, SET_INT, SET_BOOL, SET_MS, SET_SIZE };     /* SET_MS: 250ms 10s 5m 1h; SET_SIZE: 64KiB 1MiB */
struct setting {
        const char *name;               /* "port", "orders.hold-minutes": dots and dashes become _ in the environment */
        enum setting_kind kind;
        const char *fallback;           /* as text; NULL: empty                                   */
        int64_t min, max;
        bool secret;
        const char *doc;
};                                      /* tables end with name NULL                              */
struct config;
struct config *config_new(void);
void config_free(struct config **k);
void config_table(struct config *k, const char *heading, const struct setting *table);
/* Flags first (args: "--port", "9000" or "--port=9000"; stops at the first that is no flag), then environment, then file.
 *   returns  0, or -INVALID_ARGUMENT with a sentence in c's fault */
int  config_read(struct ctx *c, struct config *k, int argc, char **argv, const char *file);
str  config_str(const struct config *k, const char *name);      /* asserts that the name is in a table              */
int64_t config_int(const struct config *k, const char *name);   /* also ms and bytes                                */
bool config_bool(const struct config *k, const char *name);
/* name, value (secrets as ***), where it came from */
void config_each(const struct config *k, void (*fn)(const struct setting *s, const char *heading, str value, const char *from, void *arg), void *arg);
const struct config *config(const struct ctx *c);               /* of the running program                           */
/* The tables as flags for a command's `more` (args.h): borrowed until the next table is added. */
struct flag;
const struct flag *config_flags(struct config *k);
#endif
