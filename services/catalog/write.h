/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * write.h - drafts into the catalogue, many in one transaction: new ones made, changed ones changed, the same ones left alone. Private. */
#ifndef WRITE_H
#define WRITE_H
#include "product.h"

enum written { WRITTEN_CREATED, WRITTEN_CHANGED, WRITTEN_UNCHANGED, WRITTEN_NOT_YOURS, WRITTEN_REPEATED };
struct note { uid id; str sku, name; money price; };            /* product.created, product.changed */
extern const struct type note_type;

/* Writes drafts by sku in a transaction of its own. Waits.
 *   ids      of each draft when it is new; NULL: drawn here. On return the id of each as it is in the catalogue.
 *   what     becomes of each: *_NOT_YOURS the sku belongs to another vendor, *_REPEATED a draft before it in this list has the sku
 *   category_id  NULL, or of one draft that must be new: receives its category's. A known sku is then a failure: -ALREADY_EXISTS slug sku_taken
 *   returns  0, or what the database said: then nothing was written */
int products_write(struct ctx *c, const struct product_draft *drafts, size_t n, uid *ids, enum written *what, uid *category_id);
str category_slug(struct ctx *c, str name);              /* "men-s-shoes", in c's arena */
/* What a table cannot say: the price is above zero, the category is a path. Adds flaws. */
void draft_check(struct ctx *c, const struct product_draft *d);
#endif
