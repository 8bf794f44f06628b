/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * retail.h - the UCI Online Retail file as orders and returns, for replay.c. Private to cli/.
 *
 * A row of an invoice with a customer, a positive quantity and a positive price is a line of an order. A row of a cancellation ("C536379") is an item of a return when
 * it matches: the latest order of the same customer, placed at or before it, that has enough left of the same product at the same price. All other rows are
 * left out, each for one reason. Prices are rounded half up to a penny (the file has four of a tenth of one). What becomes of the file depends on nothing else, so a
 * second reading tells the same. Indices are of the arrays here; -1 ends a chain. Threads: one. */
#ifndef RETAIL_H
#define RETAIL_H
#include "cli.h"

enum left_out { BAD_ROW, WITHOUT_CUSTOMER, WITHOUT_QUANTITY, WITHOUT_PRICE, BEYOND_LIMIT, CANCELS_WITHOUT_CUSTOMER, CANCELS_NO_ORDER, LEFT_OUT };
extern const char *const left_out_names[LEFT_OUT];

struct retail_product  { char sku[24], name[80]; int64_t price, units; uid id; bool is_there; };
struct retail_customer { char number[16], country[40]; int32_t last_order; uid id; bool is_there; };
struct retail_line     { int32_t product, quantity, left, next; int64_t price; };
struct retail_order    { char invoice[16], key[37]; int32_t customer, first, last, n, before, last_return; when at; int64_t total; uid id; bool was_there, seen_twice; };
struct retail_item     { int32_t line, quantity, next; };                               /* line: from 1 */
struct retail_return   { char invoice[16]; int32_t order, first, last, n, before; when at; int64_t total; bool was_there; };

struct retail {
        struct retail_product  *products;  int32_t n_products;
        struct retail_customer *customers; int32_t n_customers;
        struct retail_line     *lines;     int32_t n_lines;
        struct retail_order    *orders;    int32_t n_orders;
        struct retail_item     *items;     int32_t n_items;
        struct retail_return   *returns;   int32_t n_returns;
        int64_t rows, returned_rows, total, returned, units, left_out[LEFT_OUT];
};

/* limit: orders taken at most; 0: all. Blocks for the file.
 *   returns  0, -NOT_FOUND no file, -INVALID_ARGUMENT not the file's columns */
int  retail_read(struct ctx *c, const char *path, int64_t limit, struct retail *out);
void retail_done(struct retail *r);
#endif
