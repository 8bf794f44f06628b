/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * load.h - the open loop of `souk load`: what load_stage.c lays out and load.c then asks for. Private to cli/. */
#ifndef LOAD_H
#define LOAD_H
#include <stdio.h>
#include "chart.h"
#include "cli.h"
#include "hash.h"
#include "latency.h"

enum load_kind { LOAD_ORDERS, LOAD_BROWSE, LOAD_MIXED };
enum { LOAD_BUYERS = 16, LOAD_LINES_MAX = 3, LOAD_ODDITIES = 16 };

struct oddity { char what[48]; int64_t n; };            /* an answer that is neither an order nor a refusal for want of stock */

struct load {
        enum load_kind kind;
        struct shop  shop;
        struct login staff, buyers[LOAD_BUYERS];
        char       (*products)[37]; int n_products;     /* owned                                              */
        int64_t      stock;                             /* laid in for each product                           */
        FILE        *history;                           /* a line for each operation on stock; NULL: none     */

        double       rate;                              /* arrivals a second                                  */
        struct rand  moments, rand;                     /* when they arrive; what each asks for               */
        int64_t      begun_us, end_us;
        double       next_us;                           /* when the next arrives, from begun_us               */
        int          running, clients;

        struct latency all, window;                     /* from the intended moment to the answer's last byte */
        int64_t      arrived, answered, confirmed, out_of_stock, reads, errors, late_us_max;
        struct oddity oddities[LOAD_ODDITIES];
        struct curve rates, p99s;
};

/* Products, their stock, accounts of buyers. Waits. */
int  load_stage(struct ctx *c, struct load *l, int n_products, int64_t stock);
void load_history(const struct load *l, int client, const char *op, const char *product, int64_t quantity, int ok, int64_t start_us, int64_t end_us);     /* ok -1: not known */
#endif
