/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * product.h - a product: as somebody writes it, as the catalogue has it, and the operations of catalog's files, which catalog.c puts into tables. Private. */
#ifndef PRODUCT_H
#define PRODUCT_H
#include "app.h"
#include "cache.h"
#include "catalog/catalog.h"
#include "map.h"

enum { IMAGES_MAX = 20, ATTRIBUTES_MAX = 200, CATEGORIES_MAX = 10, TAGS_MAX = 50, VAT_BP = 1900, CATEGORY_DEPTH_MAX = 8, CATEGORY_PATH_MAX = 500 };

struct attribute     { str name, value; };
DECLARE_LIST(attribute);
/* category, categories: paths, "Computers > Laptops", made when they are not there; price: of one, VAT included; images: URLs */
#define DRAFT_MEMBERS \
        str   sku, name, description, brand, category; \
        struct str_list categories, tags; \
        money price; \
        int32_t vat_bp; \
        struct str_list images; \
        struct attribute_list attributes
struct product_draft { DRAFT_MEMBERS; };
/* A product that is there, as it should be: the draft under both names. */
struct product_edit  { uid id; union { struct product_draft draft; struct { DRAFT_MEMBERS; }; }; IF_MATCH_MEMBER; };

struct product       { uid id; str sku, name, description, brand; uid category_id; str category; struct str_list categories, tags; money price;
                       int32_t vat_bp, version, revision; bool in_stock; uid owner; struct str_list images; struct attribute_list attributes;
                       when created_at, updated_at; };
extern const struct type attribute_type, product_draft_type, product_edit_type, product_type;
extern const struct paging products_paging, prices_paging, categories_paging, brands_paging;

/*                      list.c             edit.c                                                                      tree.c */
extern const struct op products_list_op, product_create_op, product_replace_op, product_stands_op, product_remove_op, prices_list_op,
                       brands_list_op,   categories_list_op, category_get_op, category_create_op, category_replace_op, category_stands_op,
                       category_remove_op;

static inline void map_end(struct map **m)              { *m = map_free(*m); }

/* What this worker keeps in memory for a second: products, and what orders need of them. */
struct shelf { struct cache *products, *offers; };
static inline struct shelf *shelf(struct ctx *c)        { return unit_state(c); }
void product_forget(struct ctx *c, uid id);             /* drops it from this worker's memory                       */
/* tx_commit() of something that lists show: those this worker keeps are made anew, those of others are a second old at most. */
int catalog_commit(struct db *tx) MUST_USE;
#endif
