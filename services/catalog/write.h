/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * write.h - drafts into the catalogue, many in one transaction: new ones made, changed ones changed, the same ones left alone. Private. */
#ifndef WRITE_H
#define WRITE_H
#include "product.h"

enum written { WRITTEN_CREATED, WRITTEN_CHANGED, WRITTEN_UNCHANGED, WRITTEN_NOT_YOURS, WRITTEN_REPEATED };
struct note         { uid id; str sku, name; money price; };                    /* product.created, .changed, .deleted */
struct price_change { uid id; str sku; money was, price; int32_t version; };    /* product.price_changed            */
extern const struct type note_type, price_change_type;

struct writing {
        const struct product_draft *drafts;
        size_t n;
        uid *ids;                                       /* of each draft when it is new; zero: drawn here. Then of each as it is in the catalogue */
        enum written *what;                             /* became of each: *_NOT_YOURS the sku belongs to another vendor, *_REPEATED a draft before
                                                         * it in this list has the sku */
        uid *category_id;                               /* NULL, or of one draft that must be new: receives its category's. A known sku is then a
                                                         * failure: -ALREADY_EXISTS slug sku_taken */
        /* More for the same transaction, when not NULL: before the first statement, which may say 1 to have nothing written, and after the last. */
        int (*begin)(struct db *tx, void *arg);
        int (*end)(struct db *tx, void *arg);
        void *arg;
};
/* Writes drafts by sku in a transaction of its own. Waits.
 *   returns  0, or what the database or begin or end said: then nothing was written */
int products_write(struct ctx *c, const struct writing *w);

/* Writes one product anew, under its id, and fills out. Waits.
 *   returns  0, -NOT_FOUND no_such_product (or another vendor's), -ABORTED stale, -ALREADY_EXISTS sku_taken */
int product_rewrite(struct ctx *c, const struct product_edit *in, struct product *out);

/* What a table cannot say: categories are paths. Adds flaws. */
void draft_check(struct ctx *c, const struct product_draft *d);
#endif
