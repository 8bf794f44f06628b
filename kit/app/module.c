/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * module.c - starts a worker's modules in the order of a table and stops them in reverse, however far it came. */
#include "engine.h"

static bool is_mine(const struct worker *w, const struct module *m)     { return w->index == 0 || !m->first_only; }

int modules_start(struct ctx *c, struct worker *w, const struct module *table)
{
        for (w->n_up = 0; table[w->n_up].name; w->n_up++) {
                const struct module *m = &table[w->n_up];
                if (m->start && is_mine(w, m)) TRY(m->start(c, w));
        }
        return 0;
}

void modules_stop(struct ctx *c, struct worker *w, const struct module *table)
{
        while (w->n_up > 0) {
                const struct module *m = &table[--w->n_up];
                if (m->stop && is_mine(w, m)) m->stop(c, w);
        }
}
