/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * services.h - the services there are, and the commands that need to see them: run, routes, targets, config, docs.
 *
 * The list in services.c is the only place that knows all services: adding one is a line there and one in CMakeLists.txt. main.c is the
 * caller. Threads: one. */
#ifndef SERVICES_H
#define SERVICES_H
#include "args.h"
#include "kit.h"

extern const struct service *const services[];          /* NULL-terminated                                          */

int run_command(struct args *a);                /* run.c      */
int routes_command(struct args *a);             /* commands.c */
int targets_command(struct args *a);
int config_command(struct args *a);
int docs_command(struct args *a);
extern const struct flag run_flags[], config_command_flags[], json_flags[];
extern const char *const run_examples[], *const routes_examples[], *const targets_examples[], *const config_examples[], *const docs_examples[];

/* Every setting there is, the program's and the services'; made at the first call, lives as long as the program. */
struct config *all_settings(void);
const struct flag *setting_flags(void);                 /* the same, for a command's `more`                         */
/* Reads them from the command line, environment and file (--config, else DIR/souk.conf when it is there).
 *   returns 0, or -INVALID_ARGUMENT with a sentence in c's fault */
int  settings_read(struct ctx *c, const struct args *a);
#endif
