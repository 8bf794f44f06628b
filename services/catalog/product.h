/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * product.h - a product as somebody writes it, before the catalogue has it. Private to catalog. */
#ifndef PRODUCT_H
#define PRODUCT_H
#include "catalog/catalog.h"

enum { IMAGES_MAX = 20, ATTRIBUTES_MAX = 200 };

struct attribute     { str name, value; };
DECLARE_LIST(attribute);
struct product_draft {
        str   sku, name, description, brand;
        str   category;                                 /* a path: "Computers > Laptops"; made when it is not there */
        money price;                                    /* of one, VAT included                                     */
        int32_t vat_bp;                                 /* 0: 1900                                                  */
        struct str_list images;                         /* URLs                                                     */
        struct attribute_list attributes;
};
extern const struct type attribute_type, product_draft_type;
#endif
