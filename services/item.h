/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * item.h - the one word that catalog, inventory and orders share: some of a product. */
#ifndef ITEM_H
#define ITEM_H
#include "kit.h"

enum { ITEMS_MAX = 100, QUANTITY_MAX = 999 };

struct item { uid product_id; int32_t quantity; };
DECLARE_LIST(item);
extern const struct type item_type;                     /* catalog.c */
#endif
