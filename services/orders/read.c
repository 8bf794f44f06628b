/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * read.c - orders one at a time and in lists: a buyer's own, everybody's for staff; and what staff note about them.
 *
 * A buyer's orders have an index by time. Everybody's have none: an order would pay for it each time. They are walked by invoice number, which orders have
 * anyway, or, when days are named, found through a summary of the table (BRIN) and sorted. */
#include "read.h"
#include "after.h"
#include "orders_sql.h"

enum { NOTES_MAX = 200 };               /* of an order */

/* Word 0 is what an absent one means; the rest stand for the states of orders that have an invoice. */
static const char *const state_filters[] = { "any", "confirmed", "cancelled", "returned", "partly_returned", NULL };

struct order_summary { uid id, buyer; int32_t state; str invoice_number; money total; when placed_at; int64_t seq; };  /* seq: year and number as one */
DECLARE_LIST(order_summary);
struct order_filter  { int32_t state; uid buyer; when placed_from, placed_to; PAGE_MEMBERS; };
struct order_page    { struct order_summary_list items; PAGE_LINKS; };
struct note_draft    { uid id; str text; };
struct order_note    { uid id, author; str text; when at; };
DECLARE_LIST(order_note);
struct order_notes   { struct order_note_list items; };
struct note_row      { uid id, order_id; str text; when at; };

MESSAGE(order_summary, "an order in a list",
        F(order_summary, 1, id),
        F(order_summary, 2, buyer),
        F(order_summary, 3, state, .names = order_state_names),
        F(order_summary, 4, invoice_number),
        F(order_summary, 5, total),
        F(order_summary, 6, placed_at),
        F(order_summary, 7, seq, .internal = true));
MESSAGE(order_filter, "which orders",
        F(order_filter, 1, state, .names = state_filters, .optional = true, .doc = "In which state they are now."),
        F(order_filter, 2, buyer, .optional = true, .doc = "Whose; for staff, who see everybody's unless said."),
        F(order_filter, 3, placed_from, .optional = true, .doc = "Placed then or later."),
        F(order_filter, 4, placed_to, .optional = true, .doc = "Placed before."),
        PAGE_FIELDS(order_filter, 5));
MESSAGE(order_page, "orders, a page",
        F_LIST(order_page, 1, items, order_summary),
        PAGE_LINK_FIELDS(order_page, 2));
MESSAGE(order_key, "an order of a buyer",
        F(order_key, 1, id),
        F(order_key, 2, buyer, .optional = true),
        F(order_key, 3, first));
MESSAGE(note_draft, "what staff want to note about an order",
        F(note_draft, 1, id),
        F(note_draft, 2, text, .min = 1, .max = 2000, .example = "\"Called about the parcel; is patient.\""));
MESSAGE(order_note, "what staff noted about an order",
        F(order_note, 1, id),
        F(order_note, 2, author),
        F(order_note, 3, text, .max = 2000),
        F(order_note, 4, at));
MESSAGE(order_notes, "what staff noted about an order, the oldest first",
        F_LIST(order_notes, 1, items, order_note, .max = NOTES_MAX));
MESSAGE(note_row, "a row of order_note",
        F(note_row, 1, id),
        F(note_row, 2, order_id),
        F(note_row, 3, text),
        F(note_row, 4, at));

/* ---- one ---------------------------------------------------------------------------------------------------------------- */

uid buyer_or_anybody(const struct ctx *c)
{
        return caller_has_role(c, ROLE_STAFF | ROLE_ADMIN | ROLE_SERVICE) ? (uid){ { 0 } } : caller_id(c);
}

int order_load(struct ctx *c, const struct order_key *key, struct order *out)
{
        int r = order_by_id(db(c), key, out);
        if (r == -NOT_FOUND)
                return fail(c, NOT_FOUND, "no_such_order", "no such order");
        return MIN(r, 0);
}

static int order_get(struct ctx *c, const struct order_ref *in, struct order *out)
{
        return order_load(c, &(struct order_key){ .id = in->id, .buyer = buyer_or_anybody(c) }, out);
}

/* ---- many --------------------------------------------------------------------------------------------------------------- */

/* What the route documents: all there are. Which of them a request may use depends on whose orders it asks for. */
const struct paging orders_paging = PAGING(order_filter, order_summary,
        { "-placed_at", &orders_newest_query,       "placed_at" },
        { "placed_at",  &orders_oldest_query,       "placed_at" },
        { "-number",    &orders_last_numbers_query, "seq" },
        { "number",     &orders_by_number_query,    "seq" });
static const struct paging of_buyer = PAGING(order_filter, order_summary,
        { "-placed_at", &orders_newest_query, "placed_at" },
        { "placed_at",  &orders_oldest_query, "placed_at" });
static const struct paging of_everybody = PAGING(order_filter, order_summary,
        { "-number", &orders_last_numbers_query, "seq" },
        { "number",  &orders_by_number_query,    "seq" });
static const struct paging of_days = PAGING(order_filter, order_summary,
        { "-placed_at", &orders_of_days_back_query, "placed_at" },
        { "placed_at",  &orders_of_days_query,      "placed_at" },
        { "-number",    &orders_last_numbers_query, "seq" },
        { "number",     &orders_by_number_query,    "seq" });

static int orders_list(struct ctx *c, const struct order_filter *in, struct order_page *out)
{
        struct order_filter f = *in;
        bool everybody = staff_may(c, "orders:manage");

        if (!everybody && !uid_is_zero(f.buyer) && !uid_eq(f.buyer, caller_id(c))) {
                int r = fail(c, PERMISSION_DENIED, "staff_only", "others' orders are for staff with the scope orders:manage");
                flaw_add(c, STR("buyer"), "staff_only", "is for staff with the scope orders:manage");
                return r;
        }
        if (!everybody)
                f.buyer = caller_id(c);
        return page_query(c, !uid_is_zero(f.buyer) ? &of_buyer : f.placed_from.us || f.placed_to.us ? &of_days : &of_everybody, &f, &out->items, &out->next, &out->prev);
}

/* ---- notes of staff --------------------------------------------------------------------------------------------------------- */

static int order_note_add(struct ctx *c, const struct note_draft *in, struct order_note *out)
{
        when now = clock_now();
        struct note_row row = { uid_v7(now), in->id, in->text, now };
        int r;

        *out = (struct order_note){ row.id, caller_id(c), in->text, now };
        TX(tx, c);
        r = order_exists(tx, &(struct order_key){ .id = in->id });
        if (r == 0)
                return fail(c, NOT_FOUND, "no_such_order", "no such order");
        TRY(r);
        r = order_note_insert(tx, &row);
        if (r == 0)
                return fail(c, FAILED_PRECONDITION, "too_many_notes", "an order has at most %d notes", NOTES_MAX);
        TRY(r);
        return tx_commit(tx);
}

static int order_notes_list(struct ctx *c, const struct order_ref *in, struct order_notes *out)
{
        int r = order_exists(db(c), &(struct order_key){ .id = in->id });

        if (r == 0)
                return fail(c, NOT_FOUND, "no_such_order", "no such order");
        TRY(r);
        return MIN(order_notes_of(db(c), in, &out->items), 0);
}

/*  operation         takes         gives       */
OP( order_get,        order_ref,    order       );
OP( orders_list,      order_filter, order_page  );
OP( order_note_add,   note_draft,   order_note  );
OP( order_notes_list, order_ref,    order_notes );
