/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * after.h - what comes after an order stands: its invoice, its end, what comes back, and the credit notes of both. Private. */
#ifndef AFTER_H
#define AFTER_H
#include "book.h"

/* first: as it was when it was confirmed; buyer zero: anybody's */
struct order_key  { uid id, buyer; bool first; };
struct credit_key { str series; int32_t year; int64_t no; uid buyer; };
struct party      { uid id; str name, email, vat_id; struct postal_address address; };
struct bill_line  { int32_t line; uid product_id; str name; int32_t quantity; money price, total, net; int32_t vat_bp; };
struct bill_rate  { str category; int32_t vat_bp; money net, vat, gross; };
DECLARE_LIST(bill_line);
DECLARE_LIST(bill_rate);
struct invoice    { int32_t kind; str number, credits, reason; uid order_id; when issued_at; struct party seller, buyer; struct bill_line_list lines;
                    struct bill_rate_list vat; money lines_net, rounding, net, vat_total, gross; };
struct bill_row   { uid order_id, buyer; int32_t kind; str number, credits, reason; when issued_at; money total; struct postal_address ship_to;
                    struct bill_line_list lines; };
extern const struct type order_key_type, bill_line_type, invoice_type, bill_row_type;
enum { BILL_INVOICE, BILL_CREDIT_NOTE };

/* Staff may read everybody's. */
uid  buyer_or_anybody(const struct ctx *c);
int  order_load(struct ctx *c, const struct order_key *key, struct order *out) MUST_USE;        /* no_such_order. Waits. */

/* The rows of an order's invoice. Waits. no_such_order */
int  bill_of_order(struct ctx *c, uid order, uid buyer, struct bill_row *out) MUST_USE;
/* Fills seller and buyer, as they were at row's issued_at. Waits; may ask identity, so not in a transaction. */
int  bill_parties(struct ctx *c, const struct bill_row *row, struct invoice *out) MUST_USE;
/* Fills the rest; also total and net of the row's lines. */
int  bill_sums(struct ctx *c, const struct bill_row *row, struct invoice *out) MUST_USE;

/* Writes down what the configuration says of the seller, when it is news. Waits. */
int  seller_note(struct ctx *c) MUST_USE;

extern const struct op buyer_came_op, buyer_changed_op, buyer_left_op;
extern const struct op order_cancel_op, order_return_op, invoice_get_op, invoice_by_number_op, invoices_list_op, credit_note_get_op, credit_notes_list_op;
extern const struct paging invoices_paging, credit_notes_paging;
#endif
