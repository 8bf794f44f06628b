/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * demo.h - the flash sale of `souk demo orders`: what demo.c stages and demo_checks.c then looks at from outside. Private to cli/. */
#ifndef DEMO_H
#define DEMO_H
#include "cli.h"

enum { BUYERS_AT_SCALE_1 = 50, STOCK_AT_SCALE_1 = 30, ACCOUNTS_MAX = 100, AT_ONCE_MAX = 256 };

struct attempt {                        /* one buyer's order, as the buyer saw it                   */
        char    key[37], id[37], invoice[40], slug[40];
        int     status, tries;
        int64_t us;                     /* from the first byte sent to the last of the answer       */
        uint64_t answer;                /* a hash of it                                             */
};
struct sale {
        struct shop   shop;
        struct login  staff, buyers[ACCOUNTS_MAX];
        int           n_buyers, n, stock;
        char          product[37], sku[64];
        struct attempt *attempts;       /* n of them; owned                                         */
        int           sold;
};

static inline bool is_confirmed(const struct attempt *a)                        { return a->status == 201; }
static inline struct login *buyer_of(struct sale *s, int i)                     { return &s->buyers[i % s->n_buyers]; }

/* Sends attempt i's order once more with its key. Waits. */
int  sale_order(struct ctx *c, struct sale *s, int i, struct answer *out);
/* Everything that must hold after the sale; a line each. Waits until captures and stock have settled, at most 30 s. */
int  sale_check(struct ctx *c, struct sale *s, struct report *r);
#endif
