/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * check.h - holds a message against its table: presence, ranges, lengths, words, formats. All flaws, not the first. */
#ifndef CHECK_H
#define CHECK_H
#include "ctx.h"
#include "type.h"

/* Adds a flaw to c for each violation, with JSON Pointers below `at` ("" for the body itself). Never waits. */
void check_msg(struct ctx *c, const struct type *t, const void *msg, str at);
void check_field(struct ctx *c, const struct field *f, const void *msg, str pointer);
#endif
