/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * read.h - orders are read, listed and annotated. Private. */
#ifndef READ_H
#define READ_H
#include "op.h"

extern const struct op order_get_op, orders_list_op, order_note_add_op, order_notes_list_op;
extern const struct paging orders_paging;
#endif
