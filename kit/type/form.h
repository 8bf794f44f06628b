/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * form.h - query strings and application/x-www-form-urlencoded (WHATWG URL, section 5) into structs by their tables.
 *
 * Lists are comma-separated (a comma of a value's own is `\,`) or repeated. A parameter no field has, a repeated plain one, a broken escape or a bad value is a
 * flaw that names it. Threads: pure. */
#ifndef FORM_H
#define FORM_H
#include "ctx.h"
#include "type.h"

/* Reads pairs into *out (not zeroed: path variables may be there). Ranges are not checked, but for a zero that
 * an optional member was given, which check_msg() cannot tell from none; call that after.
 *   query    borrowed; texts without escapes point into it
 *   skip     names that are not the query's business (path variables), refused in it; NULL-terminated, may be NULL
 *   returns  0; flaws are added to c; -RESOURCE_EXHAUSTED when the arena is full or over 100 pairs came */
int  form_read(struct ctx *c, const struct type *t, str query, void *out, const char *const *skip);
/* One value from text (a path variable, a header, a CSV cell) into its field of the message *out; money is "19.99 EUR", a list is
 * comma-separated and adds to what is there. A flaw with `pointer` when it does not read; a full arena
 * shows in arena_is_exhausted(). Texts point into `text`. */
void form_value(struct ctx *c, const struct field *f, str text, void *out, str pointer);
#endif
