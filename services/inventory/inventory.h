/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * inventory.h - what inventory promises to others: stock held for an order, all lines or none.
 *
 * A hold belongs to an attempt of an order (1, 2, ...: a refused order may be tried again under its id). Only orders decides its fate: it
 * is committed by order.confirmed, released by order.rejected, and by nothing else, however long it has run out. What was committed comes back
 * by order.cancelled and order.returned. */
#ifndef INVENTORY_H
#define INVENTORY_H
#include "item.h"

/* country: where it is sent (ISO 3166 alpha-2), for warehouses nearby; p NULL: not known */
struct hold_request { uid order_id; int32_t attempt; struct item_list items; str country; };
struct hold         { uid order_id; when expires_at; };
struct receipt      { uid product_id; int32_t quantity; };
DECLARE_LIST(receipt);
struct delivery_note { struct receipt_list receipts; uid id; };        /* into the default warehouse; id: the delivery's own, drawn when zero */

struct stock_level   { uid product_id; int64_t available; };   /* stock.changed, stock.out: in all warehouses that sell */
struct stock_warning { uid product_id; int64_t available; int32_t low; };       /* stock.low: as many as the threshold `low`, or fewer */

extern const struct type hold_request_type, hold_type, receipt_type, delivery_note_type, stock_level_type, stock_warning_type;
extern const struct event stock_changed, stock_low, stock_out;
extern const struct service inventory_service;

/* Idempotent for the same attempt and items. out_of_stock; hold_differs: the attempt holds other items; attempt_is_over: a later one holds. Batched. */
CONTRACT(inventory_hold,    hold_request, hold)
CONTRACT(inventory_receive, delivery_note, nothing)     /* goods that came in; a movement each; -ALREADY_EXISTS: a delivery of that id did */
#endif
