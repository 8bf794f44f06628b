/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cart.h - carts, of people who have logged in and of guests. Private. */
#ifndef CART_H
#define CART_H
#include "draft.h"

/* The items of the caller's cart, for an order; a guest's, named with its secret, becomes part of it first. Waits.
 *   cart     which one the client named; afterwards the caller's own
 *   returns  0, -INVALID_ARGUMENT /cart_id no_such_cart, -FAILED_PRECONDITION cart_empty, cart_full */
int cart_items_for_order(struct ctx *c, uid *cart, str secret, struct draft_item_list *out) MUST_USE;

extern const struct op cart_get_op, cart_put_op, cart_remove_op, cart_clear_op, cart_merge_op, carts_expire_op;
extern const struct op guest_cart_open_op, guest_cart_get_op, guest_cart_put_op, guest_cart_remove_op, guest_cart_clear_op;
#endif
