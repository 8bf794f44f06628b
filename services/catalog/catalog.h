/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * catalog.h - what catalog promises to others: what a basket costs now, and the products of a fresh marketplace. */
#ifndef CATALOG_H
#define CATALOG_H
#include "item.h"

struct basket     { struct item_list items; };
struct quote_line { uid product_id; str name; int32_t quantity; money price, total; int32_t vat_bp, version; };
                                                        /* price: of one, VAT included; vat_bp: 2000 is 20 %; version: of the price */
DECLARE_LIST(quote_line);
struct quote      { struct quote_line_list lines; money total; };

struct seeding    { int32_t count; int64_t seed; };
struct seeded     { struct uid_list ids; };             /* in the order they were made; empty when there is nothing to be done */

extern const struct type basket_type, quote_line_type, quote_type, seeding_type, seeded_type;
extern const struct event product_created, product_changed, product_price_changed, product_deleted;
extern const struct service catalog_service;

CONTRACT(catalog_quote, basket, quote)                  /* no_such_product, mixed_currencies; prices at most a second old */
/* Fills an empty catalogue, the same for the same seed, and goes on with one that was begun: until catalog_seed_done says that what else belongs to
 * the shop (its stock) is there, each call gives all ids again. */
CONTRACT(catalog_seed,      seeding, seeded)
CONTRACT(catalog_seed_done, nothing, nothing)
#endif
