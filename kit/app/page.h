/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * page.h - lists a page at a time, forwards and back: sorts declared in a table, opaque signed cursors that survive inserts.
 *
 *     struct product_filter { str q; ...; PAGE_MEMBERS; };            MESSAGE(product_filter, "...", ..., PAGE_FIELDS(product_filter, 20));
 *     static const struct paging products_paging = PAGING(product_filter, product,
 *             { "-created_at", &products_newest_query, "id" },          the first is the default
 *             { "price",       &products_cheapest_query, "price" },
             { "-price",      &products_dearest_query, "price" });       the way back through "price"; without it there is no `prev`
 *     struct product_filter f = *in;
 *     TRY(page_query(c, &products_paging, &f, &out->items, &out->next, &out->prev));
 *
 * A statement gets :take (limit + 1), :after_id (absent on the first page) and :after_int or :after_text, the sort member of the last row seen:
 *
 *     where (:after_id is null or (price_minor, id) > (:after_int, :after_id)) order by price_minor, id limit :take
 *     ... (created_at, id) < (timestamptz 'epoch' + :after_int * interval '1 microsecond', :after_id)         an instant is its microseconds
 *
 * Ties are broken by the id, in the direction of the sort. A page before is read by the sort of the opposite name and turned round.
 * The edge makes links of the two cursors: all that the caller asked by, with another cursor (links.c).
 *
 * A cursor is a place, signed (HMAC-SHA-256) with the program's key together with the operation, the sort and the filter: changed, or in another list, order or
 * filter it is a 400 (cursor.h). A filter's members must therefore say the same on each page; what is made anew for each (a time) is `internal`. */
#ifndef PAGE_H
#define PAGE_H
#include "db.h"

enum { CURSOR_MAX = 3000, LINK_MAX = 16000 };       /* a place may be a category's path: 500 characters of four bytes */

/* The first has the strictest alignment, so they lie alike whatever stands before them. */
#define PAGE_MEMBERS  str cursor, sort; int32_t limit, take; int64_t after_int; str after_text; uid after_id
#define PAGE_FIELDS(T, tag) \
        F(T, (tag),     cursor, .optional = true, .max = CURSOR_MAX, .doc = "a place in the list, from the `next` or `prev` of a page"), \
        F(T, (tag) + 1, sort,   .optional = true, .max = 40, .doc = "the order"), \
        F(T, (tag) + 2, limit,  .optional = true, .min = 1, .max = 100, .doc = "how many at most; 20 unless said"), \
        F(T, (tag) + 3, take,   .internal = true, .optional = true), F(T, (tag) + 4, after_int, .internal = true, .optional = true), \
        F(T, (tag) + 5, after_text, .internal = true, .optional = true), F(T, (tag) + 6, after_id, .internal = true, .optional = true)

struct sort   { const char *name; const struct query *query; const char *key; };        /* key: a member of the row: int64, money (its minor), when, str or id */
struct paging { const struct type *filter, *row; const struct sort *sorts; size_t members_at; };   /* sorts end with name NULL; members_at: offset of PAGE_MEMBERS */
#define PAGING(Filter, Row, ...) { &Filter##_type, &Row##_type, (const struct sort[]){ __VA_ARGS__, { 0 } }, offsetof(struct Filter, cursor) }

/* The end of a page's message: struct product_page { struct product_list items; PAGE_LINKS; }; */
#define PAGE_LINKS str next, prev
#define PAGE_LINK_FIELDS(T, tag) \
        F(T, (tag), next, .optional = true, .max = LINK_MAX, .doc = "Where the next page is; absent on the last."), \
        F(T, (tag) + 1, prev, .optional = true, .max = LINK_MAX, .doc = "Where the page before is; absent on the first.")

/* Adds a flaw when `sort` is none of the list's, so that it is told together with what else is wrong. page_query() asks by itself. */
void page_check(struct ctx *c, const struct paging *p, const void *filter);

/* Waits. items: struct Row_list *; next, prev: cursors of the pages around it, p NULL where there is none.
 *   returns  0, -INVALID_ARGUMENT naming `cursor` or `sort`, or what the statement returned */
int page_query(struct ctx *c, const struct paging *p, void *filter, void *items, str *next, str *prev);
void page_key(const uint8_t key[32]);                   /* once at start                                            */
#endif
