/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * list.h - a doubly linked ring whose links lie inside the things it links. Never allocates. Threads: one at a time. */
#ifndef LIST_H
#define LIST_H
#include "base.h"

struct link { struct link *next, *prev; };

static inline void list_init(struct link *l)                    { l->next = l->prev = l; }
static inline bool list_is_empty(const struct link *l)          { return l->next == l; }
static inline bool link_is_in(const struct link *l)             { return l->next && l->next != l; }
static inline void list_push(struct link *l, struct link *e)    { e->prev = l->prev; e->next = l; l->prev->next = e; l->prev = e; }
static inline void list_push_front(struct link *l, struct link *e) { list_push(l->next, e); }
static inline void link_remove(struct link *e)                  { if (e->next) { e->prev->next = e->next; e->next->prev = e->prev; e->next = e->prev = NULL; } }
static inline struct link *list_pop(struct link *l)             /* the first, or NULL */
{
        struct link *e = l->next;
        if (e == l) return NULL;
        link_remove(e);
        return e;
}
#define LIST_EACH(e, l)  for (struct link *e = (l)->next, *e##_next = e->next; e != (l); e = e##_next, e##_next = e->next)
#endif
