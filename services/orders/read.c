/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * read.c - orders one at a time and in lists: a buyer's own, everybody's for staff. */
#include "read.h"
#include "after.h"
#include "orders_sql.h"

struct order_summary { uid id; int32_t state; str invoice_number; money total; when placed_at; };
DECLARE_LIST(order_summary);
struct order_filter  { PAGE_MEMBERS; };
struct order_page    { struct order_summary_list items; PAGE_LINKS; };

MESSAGE(order_summary, "an order in a list",
        F(order_summary, 1, id),
        F(order_summary, 2, state, .names = order_state_names),
        F(order_summary, 3, invoice_number),
        F(order_summary, 4, total),
        F(order_summary, 5, placed_at));
MESSAGE(order_filter, "which orders",
        PAGE_FIELDS(order_filter, 1));
MESSAGE(order_page, "orders, a page",
        F_LIST(order_page, 1, items, order_summary),
        PAGE_LINK_FIELDS(order_page, 2));
MESSAGE(order_key, "an order of a buyer",
        F(order_key, 1, id),
        F(order_key, 2, buyer, .optional = true),
        F(order_key, 3, first));

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

const struct paging orders_paging = PAGING(order_filter, order_summary,
        { "-placed_at", &orders_newest_query, "placed_at" },
        { "placed_at",  &orders_oldest_query, "placed_at" });

static int orders_list(struct ctx *c, const struct order_filter *in, struct order_page *out)
{
        struct order_filter f = *in;
        return page_query(c, &orders_paging, &f, &out->items, &out->next, &out->prev);
}

/*  operation    takes         gives      */
OP( order_get,   order_ref,    order      );
OP( orders_list, order_filter, order_page );
