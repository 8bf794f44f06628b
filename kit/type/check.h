/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * check.h - holds a message against its table: presence, ranges, lengths, words, formats. All flaws, not the first. */
#ifndef CHECK_H
#define CHECK_H
#include "ctx.h"
#include "type.h"

/* Adds a flaw to c for each violation. A number or bool that is not optional may be zero: only a reader knows whether it came.
 * Internal fields are the program's business and are not looked at.
 *   at       JSON Pointer of msg (STR("") for a whole body); p NULL: fields are named plainly, as parameters are. Never waits. */
void check_msg(struct ctx *c, const struct type *t, const void *msg, str at);
void check_field(struct ctx *c, const struct field *f, const void *msg, str pointer);

/* What is wrong with one value that is there, not looking into messages and elements: the slug, NULL when nothing is. */
struct verdict { const char *slug; char detail[200]; };
const char *check_value(const struct field *f, const void *msg, struct verdict *v);
#endif
