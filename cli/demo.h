/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * demo.h - the demos: what all of them stage (demo_stage.c), the flash sale of `souk demo orders` (demo.c, demo_checks.c), and the ten warehouses of
 * `souk demo inventory` (demo_inventory.c, demo_inventory_checks.c). Private to cli/. */
#ifndef DEMO_H
#define DEMO_H
#include "cli.h"

enum { BUYERS_AT_SCALE_1 = 50, STOCK_AT_SCALE_1 = 30, ACCOUNTS_MAX = 100, AT_ONCE_MAX = 256 };

/* ---- demo_stage.c: a product that nobody else sells, and buyers ---------------------------------------------------------- */

struct stage {
        struct shop   shop;
        struct login  staff, buyers[ACCOUNTS_MAX];
        int           n_buyers;
        char          product[37], sku[64];
};
/* Makes a new product. Waits. */
int  stage_product(struct ctx *c, struct stage *s, const char *name);
/* Makes n accounts, at most ACCOUNTS_MAX, and logs them in. Waits. */
int  stage_buyers(struct ctx *c, struct stage *s, int n);
/* Asks until the answer says what became of it: an answer that says nothing (503, 429, a key still at work, a cut connection) is asked for again with the same
 * key, 20 times at most, which *tries counts. Waits. */
int  stage_insist(struct ctx *c, struct stage *s, const struct ask *q, struct answer *out, int *tries);
/* Every unit of the product is accounted for, in every warehouse and in all. Waits. */
int  stage_balance(struct ctx *c, struct stage *s, struct report *r);
void stage_times(struct report *r, int64_t *us, int n);         /* p50_ms, p99_ms; sorts us */

/* ---- souk demo orders ------------------------------------------------------------------------------------------------------- */

struct attempt {                        /* one buyer's order, as the buyer saw it                   */
        char    key[37], id[37], invoice[40], slug[40];
        int     status, tries;
        int64_t us;                     /* from the first byte sent to the last of the answer       */
        uint64_t answer;                /* a hash of it                                             */
};
struct sale {
        struct stage  stage;
        int           n, stock;
        struct attempt *attempts;       /* n of them; owned                                         */
        int           sold;
};

static inline bool is_confirmed(const struct attempt *a)                        { return a->status == 201; }
static inline struct login *buyer_of(struct sale *s, int i)                     { return &s->stage.buyers[i % s->stage.n_buyers]; }

/* Sends attempt i's order once more with its key. Waits. */
int  sale_order(struct ctx *c, struct sale *s, int i, struct answer *out);
/* Everything that must hold after the sale; a line each. Waits until captures and stock have settled, at most 30 s. */
int  sale_check(struct ctx *c, struct sale *s, struct report *r);
#endif
