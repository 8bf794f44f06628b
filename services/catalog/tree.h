/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * tree.h - the tree of categories, as writers of products see it. Private to catalog.
 *
 * A path is the names from the root down with " > " between them. Who writes products that name categories shares the tree until the end of the
 * transaction; who adds to it or changes it has it alone. Either lock is the first thing of its transaction, so that nobody waits in a circle. */
#ifndef TREE_H
#define TREE_H
#include "product.h"

struct category_row   { uid id; str parent, slug, name, path; };
DECLARE_LIST(category_row);
struct category_batch { struct category_row_list rows; };
extern const struct type category_row_type, category_batch_type;

bool category_is_path(str path);                        /* names with nothing odd around or in them, not too deep   */
bool drafts_name_categories(const struct product_draft *drafts, size_t n);
/* Makes the categories that drafts name and that are not there; the tree is locked, alone when `alone`. Waits.
 *   returns  0, 1 some are missing and the tree is only shared, what db says */
int categories_ensure(struct db *tx, const struct product_draft *drafts, size_t n, bool alone);
int category_id_of(struct db *tx, str path, uid *out);  /* zero: there is none. Waits. */
#endif
