/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * history.h - what clients did to stock, for a checker of linearizability outside this program.
 *
 * A product's stock is a number. init says what it is; put adds, take takes if there is enough, read tells it. Each has a moment between start and
 * end at which it happened, ok false: at which there was not enough, ok null: or at any time after start, or never. An order is a take of each of its
 * lines. One whose payment is declined takes, and puts back: so does, perhaps (null), one that was given up without an answer; the put has the take's
 * client. A line that was not what an order was refused for is not in the history. Times are of one clock. */
#ifndef HISTORY_H
#define HISTORY_H
#include <stdio.h>
#include "cli.h"

enum outcome { OUTCOME_UNKNOWN = -1, OUTCOME_NO, OUTCOME_YES };
struct stock_op { int client; const char *op, *product; int64_t quantity; enum outcome ok; int64_t start_us, end_us; };

/* What an answer says became of an order's stock. */
enum order_outcome {
        ORDER_TOOK, ORDER_LACKED,
        ORDER_PUT_BACK,                         /* it was held, and the payment did not go                          */
        ORDER_DID_NOTHING,
        ORDER_UNKNOWN };
enum { ORDER_LINES_MAX = 3 };
struct line_asked  { const char *product; int quantity; };
struct order_asked { int client, n; struct line_asked lines[ORDER_LINES_MAX]; int64_t start_us; bool comes_back_later; };      /* comes_back_later: the caller writes the put */

/* r: of shop_ask(), whose answer counts when it is 0. */
enum order_outcome order_outcome(struct ctx *c, int r, const struct answer *a);
/* The takes of an order that was answered just now, and what comes back without being asked for. */
void history_order(FILE *f, struct ctx *c, const struct order_asked *o, enum order_outcome said, const struct answer *a);
void history_line(FILE *f, const struct stock_op *o);   /* f NULL: none is kept */
#endif
