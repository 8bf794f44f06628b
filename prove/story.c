/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * story.c - everything that is known of one order: what was asked and told, its rows in every database, and its events. */
#include <stdio.h>
#include <string.h>
#include "clock.h"
#include "prove.h"

struct about { str id; };
struct line  { str text; };
struct line_list { struct line *v; size_t n; };
MESSAGE(about, "an order", F(about, 1, id));
MESSAGE(line, "a line", F(line, 1, text, .max = 1 << 20));

static const struct { int book; const char *what, *sql; } chapters[] = {
        { BOOK_ORDERS,    "orders.orders",       "select to_jsonb(t)::text as text from orders t where id = $1::text::uuid" },
        { BOOK_ORDERS,    "orders.order_item",   "select to_jsonb(t)::text as text from order_item t where order_id = $1::text::uuid order by line" },
        { BOOK_ORDERS,    "orders.order_change", "select to_jsonb(t)::text as text from order_change t where order_id = $1::text::uuid" },
        { BOOK_ORDERS,    "orders.credit_note",  "select to_jsonb(t)::text as text from credit_note t where order_id = $1::text::uuid" },
        { BOOK_INVENTORY, "inventory.hold",      "select to_jsonb(t)::text as text from hold t where order_id = $1::text::uuid order by line" },
        { BOOK_INVENTORY, "inventory.movement",  "select to_jsonb(t)::text as text from movement t where $1::text::uuid in (ref, order_id) order by no" },
        { BOOK_INVENTORY, "inventory.stock",     "select to_jsonb(t)::text as text from stock t where product_id in ("
                                                 " select product_id from movement where $1::text::uuid in (ref, order_id)"
                                                 " union select product_id from hold where order_id = $1::text::uuid)" },
        { BOOK_PAYMENTS,  "payments.intent",     "select to_jsonb(t)::text as text from intent t where order_id = $1::text::uuid order by attempt" },
        { BOOK_PAYMENTS,  "payments.transfer",   "select to_jsonb(t)::text as text from transfer t where order_id = $1::text::uuid order by no" },
        { BOOK_PAYMENTS,  "payments.settlement", "select to_jsonb(t)::text as text from settlement t where order_id = $1::text::uuid" },
        { BOOK_ORDERS,    "events of orders",    "select format('(%s, %s) %s', tx, id, line) as text from souk_outbox,"
                                                 " regexp_split_to_table(convert_from(payload, 'UTF8'), E'\\n') line where position($1 in line) > 0 order by tx, id" },
        { BOOK_PAYMENTS,  "events of payments",  "select format('(%s, %s) %s', tx, id, line) as text from souk_outbox,"
                                                 " regexp_split_to_table(convert_from(payload, 'UTF8'), E'\\n') line where position($1 in line) > 0 order by tx, id" },
        { BOOK_INVENTORY, "parked by inventory", "select to_jsonb(t)::text as text from souk_parked t where key = $1" },
        { BOOK_PAYMENTS,  "parked by payments",  "select to_jsonb(t)::text as text from souk_parked t where key = $1" },
};

enum { TIME_OF_UUID = 13 };                             /* hex digits of a UUIDv7's time, and a hyphen             */

/* order may be a purchase's key. Of an order that nobody was told of, the keys that may have made it: their time is its own. */
static bool is_its(const struct purchase *p, const char *order, size_t n)
{
        return p->id[0] ? !strcmp(p->id, order) : !strncmp(p->key, order, n);
}

static size_t key_length(const struct crowd *w, const char *order)
{
        for (int i = 0; i < w->n; i++)
                if (!strcmp(w->all[i].key, order)) return strlen(order);
        return TIME_OF_UUID;
}

static void asked_and_told(const struct crowd *w, const char *order)
{
        size_t n = key_length(w, order);
        for (int i = 0; i < w->n; i++) {
                const struct purchase *p = &w->all[i];
                if (!is_its(p, order, n)) continue;
                printf("  purchase %d of buyer %d, key %s, card %s:", p->no, p->buyer, p->key, p->card ? p->card : "(none)");
                for (int l = 0; l < p->n_lines; l++) printf(" %d x %s", p->lines[l].quantity, w->copy->products[p->lines[l].product]);
                printf("\n");
                for (int t = 0; t < p->n_told; t++)
                        printf("    at %.3f s, server %c, after %.1f ms: %d " STR_FMT "\n", (double)(p->told[t].at_us - w->begun_us) / 1e6, 'a' + p->told[t].server,
                               (double)p->told[t].took_us / 1e3, p->told[t].status, STR_ARG(p->told[t].text));
        }
}

int story_print(struct ctx *c, struct copy *k, const struct crowd *w, const char *order)
{
        static const char *const params[] = { "id", NULL };
        printf("\nThe story of %s:\n", order);
        asked_and_told(w, order);
        for (size_t i = 0; i < COUNT(chapters); i++) {
                struct ctx own = { .arena = c->arena, .op = "prove", .pg = k->books[chapters[i].book], .deadline_us = deadline_in(10000) };
                struct query_plan plan = { NULL };
                struct query q = { .name = "story", .sql = chapters[i].sql, .in = &about_type, .out = &line_type, .rows = ROWS_MANY, .params = params, .plan = &plan };
                struct line_list l = { 0 };
                if (db_run(db(&own), &q, &(struct about){ str_of(order) }, &l) < 0) {
                        printf("  %s: " STR_FMT "\n", chapters[i].what, STR_ARG(own.fault.message));
                        continue;
                }
                for (size_t n = 0; n < l.n; n++) printf("  %s: " STR_FMT "\n", chapters[i].what, STR_ARG(l.v[n].text));
        }
        fflush(stdout);
        return 0;
}
