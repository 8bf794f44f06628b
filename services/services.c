/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * services.c - the list: one line a service, in the order their tables are bound; and all settings, the program's and theirs. */
#include "services.h"
#include <stdlib.h>
#include <unistd.h>
#include "app.h"

#define SERVICES(EACH) \
        EACH(identity)  \
        EACH(catalog)   \
        EACH(inventory) \
        EACH(orders)    \
        EACH(payments)  \

#define DECLARE(name) extern const struct service name##_service;
SERVICES(DECLARE)
#define ADDRESS(name) &name##_service,
const struct service *const services[] = { SERVICES(ADDRESS) NULL };

static const struct setting run_settings[] = {
        { "data", SET_STR, ".souk", .doc = "where everything is kept: the private database, its log, the demo accounts, the secret" },
        { "target", SET_STR, "all", .doc = "which services run here: all, or names with commas" },
        { "secret", SET_STR, "", .secret = true, .doc = "what cursors, refresh tokens and signing keys are protected with: 64 hex digits, or any text of 32 "
          "characters and more; unless said, DIR/secret, drawn at the first start" },
        { "config", SET_STR, "", .doc = "a file of settings, `name = value` a line; unless said, DIR/souk.conf when it is there" },
        { 0 } };

struct config *all_settings(void)
{
        static struct config *k;
        if (k) return k;
        k = config_new();
        config_table(k, "The program", run_settings);
        config_table(k, "Serving", app_settings);
        for (const struct service *const *s = services; *s; s++)
                if ((*s)->settings) config_table(k, (*s)->name, (*s)->settings);
        return k;
}

const struct flag *setting_flags(void)                  { return config_flags(all_settings()); }

/* The data directory is a setting that says where the file of settings is, so what is stronger than a file is read first. */
int settings_read(struct ctx *c, const struct args *a)
{
        struct config *k = all_settings();
        TRY(config_read(c, k, a->more_n, (char **)a->more_v, NULL));
        str file = config_str(k, "config");
        if (!file.n) {
                file = arena_printf(c->arena, STR_FMT "/souk.conf", STR_ARG(config_str(k, "data")));
                if (access(file.p, F_OK) < 0) return 0;
        }
        return config_read(c, k, a->more_n, (char **)a->more_v, arena_z(c->arena, file));
}
