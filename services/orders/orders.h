/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * orders.h - what orders says and promises: it alone decides whether an order stands.
 *
 * order.confirmed commits holds and captures authorisations; order.rejected undoes both, of that attempt and earlier ones. What was
 * confirmed may come back: order.cancelled the whole of it, order.returned some lines, each with a credit note. Whoever hears several of these hears
 * each topic for itself, so a cancellation may be heard before the confirmation. */
#ifndef ORDERS_H
#define ORDERS_H
#include "item.h"

enum order_state { ORDER_CONFIRMED, ORDER_REJECTED, ORDER_EXPIRED, ORDER_CANCELLED, ORDER_RETURNED, ORDER_PARTLY_RETURNED };
/* confirmed  stands, has an invoice number, keeps both whatever comes later
 * rejected   a tombstone of an attempt that was refused after it held something; a later attempt may still be confirmed
 * expired    a tombstone for good: its hold ran out before anybody confirmed it
 * cancelled  was confirmed; all of it was taken back at once, for good
 * returned   was confirmed; return by return all of it came back
 * partly_returned  some of it did */

struct order_ref     { uid id; };
struct postal_address { str name, line1, line2, postal_code, city, region, country, phone; };   /* copied into the order */
struct order_line    { uid product_id; str name; int32_t quantity; money price, total; int32_t vat_bp, credited; };  /* credited: how many came back */
DECLARE_LIST(order_line);
struct order_change  { int32_t state; when at; str note, credit_note_number; }; /* one entry of its history */
DECLARE_LIST(order_change);
struct order         { uid id, buyer; int32_t state; str invoice_number; money total; when placed_at; struct order_line_list items; struct order_change_list history;
                       str note; struct postal_address ship_to; };

struct order_confirmation { uid id, buyer; int32_t attempt; str invoice_number; money total; when placed_at; struct order_line_list items; };
struct order_rejection    { uid id; int32_t attempt; str reason; };             /* "payment_declined", "expired" ... */

/* Takes back what the attempt that was confirmed did: all items of the order, and what was paid. */
struct order_cancellation { uid id, buyer; int32_t attempt; str reason; money total; when cancelled_at; struct item_list items; };
/* Some items came back: `total` is theirs, to be refunded; restock says whether they can be sold again. One a return_id. */
struct order_return_note  { uid id, return_id, buyer; int32_t attempt; str credit_note_number; money total; bool restock; when returned_at; struct item_list items; };

struct abandonment   { uid id; int32_t attempt; str reason; };                  /* reason "expired" is for good */
struct fate          { int32_t state; int32_t attempt; };                       /* confirmed (also when cancelled or returned since), rejected, expired; the
                                                                                   attempt that was confirmed, or the last given up */

extern const struct type order_ref_type, order_line_type, order_type, order_confirmation_type, order_rejection_type, abandonment_type, fate_type;
extern const struct type postal_address_type, order_cancellation_type, order_return_note_type;
extern const struct event order_confirmed, order_rejected, order_cancelled, order_returned;
extern const struct service orders_service;

/* Asks that an attempt and those before it be given up: writes a tombstone unless the order is confirmed. The answer is final for that attempt.
 * Says order.rejected (again, when asked again). Batched. */
CONTRACT(order_abandon, abandonment, fate)
#endif
