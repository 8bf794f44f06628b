/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * load.h - the open loop of `souk load`: what load_stage.c lays out, load.c then asks for, and load_history.c writes down. Private to cli/. */
#ifndef LOAD_H
#define LOAD_H
#include <stdio.h>
#include "chart.h"
#include "cli.h"
#include "hash.h"
#include "history.h"
#include "latency.h"

enum load_kind { LOAD_ORDERS, LOAD_BROWSE, LOAD_MIXED };
enum { LOAD_BUYERS = 16, LOAD_LINES_MAX = 3, LOAD_ODDITIES = 16, LOAD_ANSWER_MS = 10000 };     /* how long an answer is waited for */

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
        int64_t      begun_us, end_us, ended_us;        /* of arrivals; of the last answer                    */
        double       next_us;                           /* when the next arrives, from begun_us               */
        int          running, clients;

        struct latency all, window;                     /* from the intended moment to the answer's last byte */
        int64_t      arrived, answered, confirmed, out_of_stock, reads, errors, late_us_max;  /* late: sent after its moment, at most */
        struct oddity oddities[LOAD_ODDITIES];
        struct curve rates, p99s;
};

/* Products, their stock, accounts of buyers. Waits. */
int  load_stage(struct ctx *c, struct load *l, int n_products, int64_t stock);

/* ---- load_history.c: only with --history, but for load_put ------------------------------------------------------------------ */
int     load_history_begin(struct ctx *c, struct load *l, int i);       /* says what there is of product i. Waits.    */
int     load_put(struct ctx *c, struct load *l, int i, int64_t n);      /* lays in n of it. Waits.                    */
int64_t load_kept_back(const struct load *l, int i);                    /* of its stock, for the clerk                */
int     load_clerk(struct ctx *c, void *load);                          /* reads and delivers while others order. Waits. */
#endif
