/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * item.h - the one word that catalog, inventory and orders share: some of a product. */
#ifndef ITEM_H
#define ITEM_H
#include "kit.h"

/* The dearest order is 10^14 minor units: what is worked out of it, and the sum of a ledger of thousands of such, fits 64 bits. */
enum { ITEMS_MAX = 100, QUANTITY_MAX = 999, PRICE_MAX = 1000000000 };

struct item { uid product_id; int32_t quantity; };
DECLARE_LIST(item);
extern const struct type item_type;                     /* catalog.c */
#endif
