/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * import.h - the bulk route of the catalogue. Private. */
#ifndef IMPORT_H
#define IMPORT_H
#include "kit.h"

extern const struct op products_import_op;
void products_import_page(struct ctx *c, struct exchange *x);
#endif
