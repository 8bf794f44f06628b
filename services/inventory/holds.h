/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * holds.h - the batched half of inventory: stock held, committed and released for many orders at once, and the sweeper. Private. */
#ifndef HOLDS_H
#define HOLDS_H
#include "inventory/inventory.h"

struct product_id { uid id; };
struct order_at   { uid id; int32_t attempt; };
struct stock_row  { uid product_id; int32_t warehouse_no, quantity; };
struct hold_row   { uid order_id; int32_t line, attempt; uid product_id; int32_t warehouse_no, quantity; when expires_at; };
DECLARE_LIST(product_id);
DECLARE_LIST(order_at);
DECLARE_LIST(stock_row);
DECLARE_LIST(hold_row);
struct hold_keys  { struct product_id_list products; struct order_at_list orders; };
struct hold_write { struct stock_row_list takes; struct hold_row_list gone, holds; when expires_at; };

/* ---- plan.c: the stock of a batch, decided in memory while its rows are locked --------------------------------------- */
struct plan {
        struct stock_row_list rows;             /* as locked, by product and warehouse; quantity: what is left       */
        int32_t *before;                        /* of each row, as it was                                            */
        struct hold_write write;                /* takes: rows that changed; gone: holds given back; holds: new ones */
        size_t gone_max, holds_max;             /* room in the last two                                              */
};
/* What is locked becomes the plan. -RESOURCE_EXHAUSTED when the arena is full. */
int  plan_init(struct ctx *c, struct plan *p, struct stock_row_list locked);
/* All items or none, from the first warehouse that has any on; v->verdict says which (out_of_stock, repeated, too_small).
 *   returns  0, or the failure of the whole batch: -RESOURCE_EXHAUSTED */
int  plan_take(struct ctx *c, struct plan *p, struct call *v, const struct hold_request *in);
/* returns  0; -ABORTED the stock behind this hold is not locked: it came in between; -RESOURCE_EXHAUSTED */
int  plan_give_back(struct ctx *c, struct plan *p, const struct hold_row *h);
/* Fills write.takes with the rows that changed and says stock.changed where a product ran out or came back. */
int  plan_finish(struct plan *p, struct db *tx);

extern const struct event order_confirmed, order_rejected;
extern const struct op hold_commit_op, hold_release_op, holds_sweep_op;
extern const struct setting inventory_settings[];
#endif
