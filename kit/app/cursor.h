/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cursor.h - a place in a list as a word that only this program can make. Private to kit/app; services see page.h.
 *
 *     cursor = base64url( kind and direction, 8 bytes of number or the text, 16 bytes of id, 16 bytes of HMAC )
 *
 * A list is an operation, a sort and a filter. They are in the HMAC and not in the cursor, so a cursor fits the list that gave it and no other:
 * a client that goes on with another filter, and so would skip what it never saw, is told. A place is not stale: what is beyond it is looked
 * up anew, however old the cursor is. */
#ifndef CURSOR_H
#define CURSOR_H
#include "hash.h"
#include "page.h"

enum place_by { BY_ID, BY_INT, BY_TEXT };
struct place { enum place_by by; bool back; int64_t number; str text; uid id; };        /* back: the way goes up the list */

/* Names a list. filter: what else it was asked by, in one spelling. */
struct digest cursor_list(str operation, str sort, str filter);
/* *out is in the arena. -INTERNAL: the text is too long for CURSOR_MAX; -RESOURCE_EXHAUSTED */
int  cursor_write(struct ctx *c, const struct digest *list, const struct place *p, str *out);
/* The text of the place lies in the arena.
 *   returns  0, -INVALID_ARGUMENT naming `cursor`: none of ours, or of another list; -RESOURCE_EXHAUSTED; *out is then as it was */
int  cursor_read(struct ctx *c, const struct digest *list, str cursor, struct place *out);
#endif
