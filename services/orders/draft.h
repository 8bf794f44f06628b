/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * draft.h - what somebody asks for before it is an order: its message, what it must satisfy, and its lines with their prices. Private. */
#ifndef DRAFT_H
#define DRAFT_H
#include "book.h"

enum { VAT_UNSAID = -1 };               /* the catalogue's rate; 0 is 0 % */
struct draft_item  { uid product_id; int32_t quantity; money price; str name; int32_t vat_bp; };        /* the last three by staff only */
DECLARE_LIST(draft_item);
struct means       { str card; bool in_parts; };
struct order_draft { struct draft_item_list items; struct means payment; str note; struct postal_address ship_to; uid address_id, buyer;
                     when placed_at; uid cart_id; str cart_secret; };
extern const struct type order_draft_type;

/* Everything that is wrong with it at once. Waits only when a buyer is named.
 *   returns  0, -INVALID_ARGUMENT, -PERMISSION_DENIED "import_only" naming the members that only an import may have */
int order_draft_check(struct ctx *c, const struct order_draft *in) MUST_USE;

/* What makes two requests the same: everything but the letters of the JSON. Keyed, since a card's number could be guessed from a plain hash. Never 0. */
int64_t draft_fingerprint(struct ctx *c, const struct order_draft *in);

/* What is to be held: each product once. at: of each, its first item in the draft; NULL when each item is a product of its own. */
struct holding { struct item_list items; const size_t *at; };
int draft_holding(struct ctx *c, const struct draft_item_list *items, struct holding *out) MUST_USE;

/* The lines of the order and their sum, by the catalogue and what staff say. Waits.
 *   returns  0, or -INVALID_ARGUMENT naming items: no_such_product, mixed_currencies, too_large */
int draft_lines(struct ctx *c, const struct draft_item_list *items, const struct holding *h, struct order_line_list *lines, money *total) MUST_USE;

/* Where it goes, copied: what the draft says, or the buyer's address that it names. Waits when one is named. -INVALID_ARGUMENT no_such_address */
int draft_ship_to(struct ctx *c, const struct order_draft *in, uid buyer, struct postal_address *out) MUST_USE;
#endif
