/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * item.h - the one word that catalog, inventory and orders share: some of a product. */
#ifndef ITEM_H
#define ITEM_H
#include "kit.h"

/* Of an ordinary basket, and of an order that staff import. */
enum { ITEMS_MAX = 100, QUANTITY_MAX = 999, PRICE_MAX = 1000000000, IMPORT_ITEMS_MAX = 1000, IMPORT_QUANTITY_MAX = 1000000 };
/* The dearest order, in minor units: what is worked out of it, and the sum of a ledger of thousands of such, fits 64 bits. */
#define TOTAL_MAX ((int64_t)ITEMS_MAX * QUANTITY_MAX * PRICE_MAX)

struct item { uid product_id; int32_t quantity; };
DECLARE_LIST(item);
extern const struct type item_type;                     /* catalog.c */
#endif
