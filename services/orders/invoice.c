/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * invoice.c - invoices and credit notes, made from the rows they stand for whenever they are asked for.
 *
 * Both are the same document (EN 16931): who sold what to whom, at which net, with which VAT by rate. Prices include VAT and were paid, so the net
 * is worked out from the gross (vat.h), and the parts always add up to what was paid or given back. What makes one is never changed: lines and
 * address are copies in the order, who sold and who bought is as it was then (parties.c), and a mistake is put right by a credit note. */
#include "after.h"
#include "orders_sql.h"
#include "vat.h"

/* ---- messages ------------------------------------------------------------------------------------------------------- */

static const char *const bill_kinds[] = { "invoice", "credit_note", NULL };

struct bill_ref       { str number; };
struct bill_number    { str series; int32_t year; int64_t no; };
struct invoice_filter { int32_t year; PAGE_MEMBERS; };
struct invoice_entry  { uid id; str number; int64_t no; uid order_id; when issued_at; money total; };
DECLARE_LIST(invoice_entry);
struct invoice_page   { struct invoice_entry_list items; PAGE_LINKS; };

MESSAGE(bill_line, "a line of an invoice or a credit note",
        F(bill_line, 1, line, .doc = "Its place in the order, from 1."),
        F(bill_line, 2, product_id),
        F(bill_line, 3, name),
        F(bill_line, 4, quantity),
        F(bill_line, 5, price, .doc = "Of one, VAT included."),
        F(bill_line, 6, total, .doc = "VAT included."),
        F(bill_line, 7, net, .doc = "Without VAT."),
        F(bill_line, 8, vat_bp, .doc = "The VAT rate in hundredths of a percent: 1900 is 19 %."));
MESSAGE(bill_rate, "the sums of one VAT rate",
        F(bill_rate, 1, category, .doc = "S: the standard or a reduced rate; Z: none.", .example = "\"S\""),
        F(bill_rate, 2, vat_bp, .doc = "In hundredths of a percent."),
        F(bill_rate, 3, net),
        F(bill_rate, 4, vat, .doc = "The net times the rate, rounded half up."),
        F(bill_rate, 5, gross));
MESSAGE(party, "who sells or buys",
        F(party, 1, id, .optional = true),
        F(party, 2, name, .optional = true),
        F(party, 3, email, .optional = true),
        F(party, 4, vat_id, .optional = true),
        F_MSG(party, 5, address, postal_address, .optional = true));
MESSAGE(invoice, "an invoice, or a credit note against one; sums as EN 16931 wants them",
        F(invoice, 1, kind, .names = bill_kinds),
        F(invoice, 2, number, .example = "\"SK-2026-00000042\"", .doc = "Gap-free in its series and year."),
        F(invoice, 3, credits, .optional = true, .doc = "Of a credit note: the number of the invoice it stands against."),
        F(invoice, 4, reason, .optional = true),
        F(invoice, 5, order_id),
        F(invoice, 6, issued_at),
        F_MSG(invoice, 7, seller, party),
        F_MSG(invoice, 8, buyer, party),
        F_LIST(invoice, 9, lines, bill_line),
        F_LIST(invoice, 10, vat, bill_rate, .doc = "By rate."),
        F(invoice, 11, lines_net, .doc = "The sum of the lines' nets."),
        F(invoice, 12, rounding, .doc = "A charge without VAT that makes the gross what was paid: at most one minor unit a rate, mostly none."),
        F(invoice, 13, net, .doc = "lines_net and rounding."),
        F(invoice, 14, vat_total, .doc = "The sum of VAT by rate."),
        F(invoice, 15, gross, .doc = "net and vat_total: exactly what was paid, or given back."));
MESSAGE(bill_row, "what an invoice or a credit note is made of",
        F(bill_row, 1, order_id),
        F(bill_row, 2, buyer),
        F(bill_row, 3, kind),
        F(bill_row, 4, number),
        F(bill_row, 5, credits, .optional = true),
        F(bill_row, 6, reason, .optional = true),
        F(bill_row, 7, issued_at),
        F(bill_row, 8, total),
        F_MSG(bill_row, 9, ship_to, postal_address, .optional = true),
        F_LIST(bill_row, 10, lines, bill_line));
MESSAGE(bill_ref, "an invoice or a credit note",
        F(bill_ref, 1, number, .max = 40, .example = "\"SK-2026-00000042\""));
MESSAGE(bill_number, "a number taken apart",
        F(bill_number, 1, series),
        F(bill_number, 2, year),
        F(bill_number, 3, no));
MESSAGE(credit_key, "a credit note of a buyer",
        F(credit_key, 1, series),
        F(credit_key, 2, year),
        F(credit_key, 3, no),
        F(credit_key, 4, buyer, .optional = true));
MESSAGE(invoice_filter, "which invoices",
        F(invoice_filter, 1, year, .optional = true, .min = 2000, .max = 9999, .doc = "Of which year; this one unless said."),
        PAGE_FIELDS(invoice_filter, 2));
MESSAGE(invoice_entry, "an invoice or a credit note in a list",
        F(invoice_entry, 1, id),
        F(invoice_entry, 2, number),
        F(invoice_entry, 3, no, .doc = "Its number in the series and year; there is no gap."),
        F(invoice_entry, 4, order_id),
        F(invoice_entry, 5, issued_at),
        F(invoice_entry, 6, total));
MESSAGE(invoice_page, "invoices or credit notes, a page",
        F_LIST(invoice_page, 1, items, invoice_entry),
        PAGE_LINK_FIELDS(invoice_page, 2));

/* ---- numbers --------------------------------------------------------------------------------------------------------- */

str invoice_number(struct ctx *c, str series, int32_t year, int64_t no)
{
        return arena_printf(c->arena, STR_FMT "-%d-%08lld", STR_ARG(series), (int)year, (long long)no);
}

/* "SK-2026-00000042" as invoice_number() writes it; false for anything else. */
static bool number_parse(struct ctx *c, str text, const char *series, struct bill_number *out)
{
        str rest = text;
        int64_t year, no;

        if (!str_eq(str_split(&rest, '-'), str_of(series)) || !rest.p || int_parse(str_split(&rest, '-'), &year) < 0 || !rest.p || int_parse(rest, &no) < 0)
                return false;
        if (year < 0 || year > 9999)
                return false;
        *out = (struct bill_number){ str_of(series), (int32_t)year, no };
        return str_eq(text, invoice_number(c, out->series, out->year, no));
}

/* ---- a document from its rows ---------------------------------------------------------------------------------------- */

static money like(money m, int64_t minor)
{
        m.minor = minor;
        return m;
}

int bill_sums(struct ctx *c, const struct bill_row *row, struct invoice *out)
{
        size_t n = row->lines.n;
        struct vat_line *lines = arena_many(c->arena, struct vat_line, n);
        struct vat_rate *rates = arena_many(c->arena, struct vat_rate, n + 1);
        struct bill_rate *vat = arena_many(c->arena, struct bill_rate, n + 1);
        struct vat_found f;

        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the invoice is too large");
        for (size_t i = 0; i < n; i++) {
                const struct bill_line *l = &row->lines.v[i];
                lines[i] = (struct vat_line){ l->price.minor * l->quantity, l->vat_bp, 0 };
        }
        f = vat_find(lines, n, rates);
        for (size_t i = 0; i < n; i++) {
                row->lines.v[i].total = like(row->lines.v[i].price, lines[i].gross);
                row->lines.v[i].net = like(row->lines.v[i].price, lines[i].net);
        }
        for (size_t i = 0; i < f.n; i++)
                vat[i] = (struct bill_rate){ rates[i].vat_bp ? STR("S") : STR("Z"), rates[i].vat_bp, like(row->total, rates[i].net), like(row->total, rates[i].vat),
                                             like(row->total, rates[i].net + rates[i].vat) };
        out->kind = row->kind;
        out->number = row->number;
        out->credits = row->credits;
        out->reason = row->reason;
        out->order_id = row->order_id;
        out->issued_at = row->issued_at;
        out->lines = row->lines;
        out->vat = (struct bill_rate_list){ vat, f.n };
        out->lines_net = like(row->total, f.lines_net);
        out->rounding = like(row->total, f.rounding);
        out->net = like(row->total, f.net);
        out->vat_total = like(row->total, f.vat);
        out->gross = like(row->total, f.gross);
        return 0;
}

static int bill_make(struct ctx *c, const struct bill_row *row, struct invoice *out)
{
        TRY(bill_parties(c, row, out));
        return bill_sums(c, row, out);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

int bill_of_order(struct ctx *c, uid order, uid buyer, struct bill_row *out)
{
        int r = invoice_of_order(db(c), &(struct order_key){ .id = order, .buyer = buyer }, out);
        if (r == -NOT_FOUND)
                return fail(c, NOT_FOUND, "no_such_order", "no such order");
        return MIN(r, 0);
}

static int invoice_get(struct ctx *c, const struct order_ref *in, struct invoice *out)
{
        struct bill_row row;

        TRY(bill_of_order(c, in->id, buyer_or_anybody(c), &row));
        return bill_make(c, &row, out);
}

static int no_such_invoice(struct ctx *c)
{
        return fail(c, NOT_FOUND, "no_such_invoice", "there is no such number, or it is somebody else's");
}

static int invoice_by_number(struct ctx *c, const struct bill_ref *in, struct invoice *out)
{
        struct bill_number number;
        struct order_ref order;
        struct bill_row row;
        int r;

        if (!number_parse(c, in->number, INVOICE_SERIES, &number))
                return no_such_invoice(c);
        r = invoice_of_number(db(c), &number, &order);
        if (r >= 0)
                r = invoice_of_order(db(c), &(struct order_key){ .id = order.id, .buyer = buyer_or_anybody(c) }, &row);
        if (r == -NOT_FOUND)
                return no_such_invoice(c);
        TRY(r);
        return bill_make(c, &row, out);
}

static int credit_note_get(struct ctx *c, const struct bill_ref *in, struct invoice *out)
{
        struct bill_number number;
        struct credit_key key;
        struct bill_row row;
        int r;

        if (!number_parse(c, in->number, CREDIT_SERIES, &number))
                return no_such_invoice(c);
        key = (struct credit_key){ number.series, number.year, number.no, buyer_or_anybody(c) };
        r = credit_note_of_number(db(c), &key, &row);
        if (r == -NOT_FOUND)
                return no_such_invoice(c);
        TRY(r);
        return bill_make(c, &row, out);
}

const struct paging invoices_paging = PAGING(invoice_filter, invoice_entry,
        { "no",  &invoices_in_order_query, "no" },
        { "-no", &invoices_back_query,     "no" });
const struct paging credit_notes_paging = PAGING(invoice_filter, invoice_entry,
        { "no",  &credit_notes_in_order_query, "no" },
        { "-no", &credit_notes_back_query,     "no" });

static int invoices_list(struct ctx *c, const struct invoice_filter *in, struct invoice_page *out)
{
        struct invoice_filter f = *in;

        if (!f.year) f.year = when_year(clock_now());
        return page_query(c, &invoices_paging, &f, &out->items, &out->next, &out->prev);
}

static int credit_notes_list(struct ctx *c, const struct invoice_filter *in, struct invoice_page *out)
{
        struct invoice_filter f = *in;

        if (!f.year) f.year = when_year(clock_now());
        return page_query(c, &credit_notes_paging, &f, &out->items, &out->next, &out->prev);
}

/*  operation          takes           gives        */
OP( invoice_get,       order_ref,      invoice      );
OP( invoice_by_number, bill_ref,       invoice      );
OP( credit_note_get,   bill_ref,       invoice      );
OP( invoices_list,     invoice_filter, invoice_page );
OP( credit_notes_list, invoice_filter, invoice_page );
