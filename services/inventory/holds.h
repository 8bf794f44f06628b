/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * holds.h - the batched half of inventory: keys of many orders, and the locks of what they hold. Private. */
#ifndef HOLDS_H
#define HOLDS_H
#include "stock.h"

void products_sort(struct product_id_list *l);  /* by id, each once */
/* Locks the stock of k's products and behind the holds of its orders, then reads the holds again: with its stock locked a hold is given back by
 * nobody else. One that came in between may lie on stock that is not locked; plan_give_back() sees that. Waits. */
int  holds_lock(struct db *tx, struct hold_keys *k, struct stock_row_list *stock, struct hold_row_list *held);
#endif
