/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * invoice.c - an order's invoice: a view of the order, with the VAT worked out by rate.
 *
 * Prices include VAT. Net and VAT are worked out a rate at a time from the gross sum of that rate, rounded half up, so the parts
 * always add up to the gross that was paid. */
#include "book.h"
#include "orders_sql.h"

struct vat_sum        { int32_t vat_bp; money net, vat, gross; };
DECLARE_LIST(vat_sum);
struct invoice        { str number; uid order_id, buyer; when issued_at; struct order_line_list lines; struct vat_sum_list vat; money net, vat_total, gross; };
struct invoice_filter { int32_t year; PAGE_MEMBERS; };
struct invoice_entry  { uid id; str number; int64_t no; uid order_id; when issued_at; money total; };
DECLARE_LIST(invoice_entry);
struct invoice_page   { struct invoice_entry_list items; PAGE_LINKS; };

MESSAGE(vat_sum, "the sums of one VAT rate",
        F(vat_sum, 1, vat_bp, .doc = "In hundredths of a percent."),
        F(vat_sum, 2, net),
        F(vat_sum, 3, vat),
        F(vat_sum, 4, gross));
MESSAGE(invoice, "the invoice of an order",
        F(invoice, 1, number),
        F(invoice, 2, order_id),
        F(invoice, 3, buyer),
        F(invoice, 4, issued_at),
        F_LIST(invoice, 5, lines, order_line),
        F_LIST(invoice, 6, vat, vat_sum),
        F(invoice, 7, net),
        F(invoice, 8, vat_total),
        F(invoice, 9, gross));
MESSAGE(invoice_filter, "which invoices",
        F(invoice_filter, 1, year, .optional = true, .min = 2000, .max = 9999, .doc = "Of which year; this one unless said."),
        PAGE_FIELDS(invoice_filter, 2));
MESSAGE(invoice_entry, "an invoice in a list",
        F(invoice_entry, 1, id),
        F(invoice_entry, 2, number),
        F(invoice_entry, 3, no, .doc = "Its number in the series and year; there is no gap."),
        F(invoice_entry, 4, order_id),
        F(invoice_entry, 5, issued_at),
        F(invoice_entry, 6, total));
MESSAGE(invoice_page, "invoices, a page",
        F_LIST(invoice_page, 1, items, invoice_entry),
        PAGE_LINK_FIELDS(invoice_page, 2));

str invoice_number(struct ctx *c, str series, int32_t year, int64_t no)
{
        return arena_printf(c->arena, STR_FMT "-%d-%08lld", STR_ARG(series), (int)year, (long long)no);
}

static struct vat_sum *sum_of(struct vat_sum_list *l, int32_t vat_bp, const money *like)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->v[i].vat_bp == vat_bp) return &l->v[i];
        l->v[l->n] = (struct vat_sum){ .vat_bp = vat_bp, .net = *like, .vat = *like, .gross = *like };
        l->v[l->n].net.minor = l->v[l->n].vat.minor = l->v[l->n].gross.minor = 0;
        return &l->v[l->n++];
}

static int invoice_get(struct ctx *c, const struct order_ref *in, struct invoice *out)
{
        struct order o;

        TRY(order_get_op.run(c, in, &o));
        *out = (struct invoice){ .number = o.invoice_number, .order_id = o.id, .buyer = o.buyer, .issued_at = o.placed_at, .lines = o.items,
                                 .vat = { arena_many(c->arena, struct vat_sum, o.items.n), 0 }, .net = o.total, .vat_total = o.total, .gross = o.total };
        out->net.minor = out->vat_total.minor = 0;
        for (size_t i = 0; i < o.items.n; i++)
                sum_of(&out->vat, o.items.v[i].vat_bp, &o.total)->gross.minor += o.items.v[i].total.minor;
        for (size_t i = 0; i < out->vat.n; i++) {
                struct vat_sum *s = &out->vat.v[i];
                int64_t per = 10000 + s->vat_bp;
                s->net.minor = (s->gross.minor * 10000 + per / 2) / per;
                s->vat.minor = s->gross.minor - s->net.minor;
                out->net.minor += s->net.minor;
                out->vat_total.minor += s->vat.minor;
        }
        return 0;
}

const struct paging invoices_paging = PAGING(invoice_filter, invoice_entry,
        { "no", &invoices_in_order_query, "no" });

static int invoices_list(struct ctx *c, const struct invoice_filter *in, struct invoice_page *out)
{
        struct invoice_filter f = *in;

        if (!f.year) f.year = when_year(clock_now());
        return page_query(c, &invoices_paging, &f, &out->items, &out->next, &out->prev);
}

/*  operation      takes           gives        */
OP( invoice_get,   order_ref,      invoice      );
OP( invoices_list, invoice_filter, invoice_page );
