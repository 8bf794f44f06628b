/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * after.c - an order is cancelled, or some of it comes back.
 *
 *      confirmed --cancel--> cancelled
 *          |
 *          +--return--> partly_returned --return--> ... --the last unit--> returned
 *
 * Each is one transaction under the lock of the order's row: a credit note with the next number of its series, the lines it is for, the order's new state,
 * and the event by which inventory takes stock back and payments give money back. So at every moment what was credited is never more than what was
 * sold, and every refund has its credit note. The invoice stays as it is. */
#include "after.h"
#include "orders_sql.h"

/* ---- messages ------------------------------------------------------------------------------------------------------- */

struct order_locked   { uid id, buyer; int32_t state, attempt; money total; when placed_at; };
struct line_left      { int32_t line; uid product_id; str name; money price; int32_t vat_bp, quantity; };
DECLARE_LIST(line_left);
struct credit_row     { uid id, order_id; int32_t state; str reason; bool restock; money total; when issued_at; str series; int32_t year; int64_t no;
                        struct bill_line_list lines; };
struct cancel_request { uid id; str reason; };
struct return_item    { uid product_id; int32_t line, quantity; };
DECLARE_LIST(return_item);
struct return_request { uid id; struct return_item_list items; str reason; bool restock; when returned_at; };

MESSAGE(order_locked, "an order under its lock",
        F(order_locked, 1, id),
        F(order_locked, 2, buyer),
        F(order_locked, 3, state),
        F(order_locked, 4, attempt),
        F(order_locked, 5, total),
        F(order_locked, 6, placed_at));
MESSAGE(line_left, "what has not come back of a line",
        F(line_left, 1, line),
        F(line_left, 2, product_id),
        F(line_left, 3, name),
        F(line_left, 4, price),
        F(line_left, 5, vat_bp),
        F(line_left, 6, quantity));
MESSAGE(credit_row, "a row of credit_note with its lines",
        F(credit_row, 1, id),
        F(credit_row, 2, order_id),
        F(credit_row, 3, state),
        F(credit_row, 4, reason),
        F(credit_row, 5, restock),
        F(credit_row, 6, total),
        F(credit_row, 7, issued_at),
        F(credit_row, 8, series),
        F(credit_row, 9, year),
        F(credit_row, 10, no),
        F_LIST(credit_row, 11, lines, bill_line));
MESSAGE(cancel_request, "an order is not wanted any more",
        F(cancel_request, 1, id),
        F(cancel_request, 2, reason, .min = 1, .max = 500, .example = "\"Ordered by mistake\""));
MESSAGE(return_item, "some of an order that came back: of a product, or of a line when the product is on several",
        F(return_item, 1, product_id, .optional = true),
        F(return_item, 2, line, .optional = true, .min = 1, .max = IMPORT_ITEMS_MAX, .doc = "Its place in the order's items, from 1."),
        F(return_item, 3, quantity, .min = 1, .max = IMPORT_QUANTITY_MAX));
MESSAGE(return_request, "some of an order came back",
        F(return_request, 1, id),
        F_LIST(return_request, 2, items, return_item, .min = 1, .max = IMPORT_ITEMS_MAX, .doc = "No more than has not come back yet."),
        F(return_request, 3, reason, .min = 1, .max = 500, .example = "\"Wrong size\""),
        F(return_request, 4, restock, .optional = true, .doc = "By staff who have seen the goods: they can be sold again."),
        F(return_request, 5, returned_at, .optional = true, .doc = "In an import: when; the credit note is numbered in that year. Now, unless said."));

/* ---- the common half: a credit note ------------------------------------------------------------------------------------- */

/* Locks the order, if it is the caller's or the caller is staff who may act on others'. */
static int order_take(struct db *tx, uid id, uid buyer, struct order_locked *out)
{
        int r = order_lock(tx, &(struct order_key){ .id = id, .buyer = buyer }, out);
        return r == -NOT_FOUND ? fail(db_ctx(tx), NOT_FOUND, "no_such_order", "no such order") : r;
}

static uid buyer_or_managed(const struct ctx *c)
{
        return staff_may(c, "orders:manage") ? (uid){ { 0 } } : caller_id(c);
}

/* The next number, and all rows. k->lines are the order's lines with the quantities that are credited. */
static int credit_write(struct db *tx, struct credit_row *k)
{
        struct number_block block;

        k->series = STR(CREDIT_SERIES);
        k->year = when_year(k->issued_at);
        TRY(number_take(tx, k->series, k->year, &block));
        k->no = block.last_no;
        TRY(credit_note_insert_later(tx, k));
        TRY(credit_note_lines_insert_later(tx, k));
        return order_state_set_later(tx, k);
}

/* The units of each product once, as inventory books them. -RESOURCE_EXHAUSTED when the arena is full. */
static int items_of(struct ctx *c, const struct bill_line_list *lines, struct item_list *out)
{
        *out = (struct item_list){ arena_many(c->arena, struct item, lines->n), 0 };
        if (!out->v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the order is too large");
        for (size_t i = 0; i < lines->n; i++) {
                size_t k = 0;
                while (k < out->n && !uid_eq(out->v[k].product_id, lines->v[i].product_id)) k++;
                if (k == out->n) out->v[out->n++] = (struct item){ lines->v[i].product_id, 0 };
                out->v[k].quantity += lines->v[i].quantity;
        }
        return 0;
}

static void line_credit(struct credit_row *k, const struct line_left *l, int32_t quantity)
{
        k->lines.v[k->lines.n++] = (struct bill_line){ l->line, l->product_id, l->name, quantity, l->price, { 0 }, { 0 }, l->vat_bp };
        k->total.minor += l->price.minor * quantity;
}

/* ---- cancel --------------------------------------------------------------------------------------------------------------- */

static int cancel_write(struct db *tx, const struct order_locked *o, const struct cancel_request *in)
{
        struct ctx *c = db_ctx(tx);
        struct credit_row k = { .id = uid_v7(clock_now()), .order_id = o->id, .state = ORDER_CANCELLED, .reason = in->reason, .restock = true, .total = o->total,
                                .issued_at = clock_now() };
        struct line_left_list left;
        struct item_list items;

        TRY(lines_left(tx, &(struct order_key){ .id = o->id }, &left));
        k.lines.v = arena_many(c->arena, struct bill_line, left.n);
        if (!k.lines.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the order is too large");
        k.total.minor = 0;
        for (size_t i = 0; i < left.n; i++) line_credit(&k, &left.v[i], left.v[i].quantity);
        TRY(items_of(c, &k.lines, &items));
        TRY(credit_write(tx, &k));
        TRY(emit(tx, &order_cancelled, &(struct order_cancellation){ o->id, o->buyer, o->attempt, in->reason, k.total, k.issued_at, items }));
        return tx_commit(tx);
}

/* Under the order's lock; an order that is cancelled stays as it is. */
static int cancel_once(struct ctx *c, const struct cancel_request *in, uid buyer)
{
        struct order_locked o;
        TX(tx, c);

        TRY(order_take(tx, in->id, buyer, &o));
        if (o.state == ORDER_RETURNED || o.state == ORDER_PARTLY_RETURNED)
                return fail(c, FAILED_PRECONDITION, "already_returned", "some of this order came back already; return the rest");
        return o.state == ORDER_CANCELLED ? 0 : cancel_write(tx, &o, in);
}

static int order_cancel(struct ctx *c, const struct cancel_request *in, struct order *out)
{
        uid buyer = buyer_or_managed(c);

        TRY(cancel_once(c, in, buyer));
        return order_load(c, &(struct order_key){ .id = in->id, .buyer = buyer }, out);
}

/* ---- returns --------------------------------------------------------------------------------------------------------------- */

static void flaw_item(struct ctx *c, size_t i, const char *member, const char *slug, const char *what)
{
        flaw_add(c, arena_printf(c->arena, "/items/%zu/%s", i, member), slug, "%s", what);
}

/* What only some may say, refused by name. */
static int return_check(struct ctx *c, const struct return_request *in)
{
        int r = 0;

        if (in->restock && !staff_may(c, "orders:manage")) {
                r = fail(c, PERMISSION_DENIED, "staff_only", "whether goods can be sold again is said by staff who have seen them");
                flaw_add(c, STR("/restock"), "staff_only", "is for staff with the scope orders:manage");
        } else if (in->returned_at.us && !staff_may(c, "orders:import")) {
                r = fail(c, PERMISSION_DENIED, "import_only", "returned_at is for staff with the scope orders:import");
                flaw_add(c, STR("/returned_at"), "import_only", "is for staff who import orders (scope orders:import)");
        }
        if (r < 0)
                return r;
        if (in->returned_at.us > clock_now().us)
                flaw_add(c, STR("/returned_at"), "too_large", "must not lie in the future");
        for (size_t i = 0; i < in->items.n; i++)
                if (uid_is_zero(in->items.v[i].product_id) && !in->items.v[i].line) flaw_item(c, i, "product_id", "required", "is required when there is no line");
        return flaws_fail(c);
}

static bool is_meant(const struct return_item *it, const struct line_left *l)
{
        return (!it->line || it->line == l->line) && (uid_is_zero(it->product_id) || uid_eq(it->product_id, l->product_id));
}

/* Takes the quantity from the lines that are meant, the first one first. `left` shrinks; taken: of each line. */
static void item_take(struct ctx *c, size_t i, const struct return_item *it, struct line_left_list *left, int32_t *taken)
{
        int32_t want = it->quantity, had = 0;
        bool known = false;

        for (size_t k = 0; k < left->n; k++) {
                struct line_left *l = &left->v[k];
                if (!is_meant(it, l)) continue;
                int32_t n = MIN(want, l->quantity);
                known = true;
                l->quantity -= n;
                taken[k] += n;
                want -= n;
                had += n;
        }
        if (!known)
                flaw_item(c, i, it->line ? "line" : "product_id", "not_in_order", "is not in this order");
        else if (want)
                flaw_add(c, arena_printf(c->arena, "/items/%zu/quantity", i), "more_than_left", "only %d of it have not come back", had);
}

/* Which lines come back, into k; left is what then remains of each. */
static int return_lines(struct ctx *c, const struct return_request *in, struct line_left_list *left, struct credit_row *k)
{
        int32_t *taken = arena_many(c->arena, int32_t, left->n);

        k->lines.v = arena_many(c->arena, struct bill_line, left->n);
        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the order is too large");
        for (size_t i = 0; i < in->items.n; i++)
                item_take(c, i, &in->items.v[i], left, taken);
        for (const struct flaw *f = c->fault.flaws; f; f = f->next)
                if (!strcmp(f->slug, "more_than_left")) {
                        struct fault flaws = c->fault;
                        int r = fail(c, FAILED_PRECONDITION, "more_than_left", "more than has not come back yet");
                        c->fault.flaws = flaws.flaws;
                        c->fault.n_flaws = flaws.n_flaws;
                        return r;
                }
        TRY(flaws_fail(c));
        k->state = ORDER_RETURNED;
        for (size_t i = 0; i < left->n; i++) {
                if (left->v[i].quantity) k->state = ORDER_PARTLY_RETURNED;
                if (taken[i]) line_credit(k, &left->v[i], taken[i]);
        }
        return 0;
}

static int return_write(struct db *tx, const struct return_request *in, const struct order_locked *o, struct credit_row *k, struct bill_row *row, struct invoice *out)
{
        struct ctx *c = db_ctx(tx);
        struct line_left_list left;
        struct item_list items;

        TRY(lines_left(tx, &(struct order_key){ .id = o->id }, &left));
        TRY(return_lines(c, in, &left, k));
        TRY(items_of(c, &k->lines, &items));
        TRY(credit_write(tx, k));
        *row = (struct bill_row){ .order_id = o->id, .buyer = o->buyer, .kind = BILL_CREDIT_NOTE, .number = invoice_number(c, k->series, k->year, k->no),
                                  .credits = row->number, .reason = in->reason, .issued_at = k->issued_at, .total = k->total, .lines = k->lines };
        TRY(bill_sums(c, row, out));
        TRY(emit(tx, &order_returned, &(struct order_return_note){ o->id, k->id, o->buyer, o->attempt, row->number, k->total, in->restock, k->issued_at, items }));
        return tx_commit(tx);
}

/* The answer is whole before the commit: the key's first answer is kept with it. */
static int order_return(struct ctx *c, const struct return_request *in, struct invoice *out)
{
        uid buyer = buyer_or_managed(c);
        when at = in->returned_at.us ? in->returned_at : clock_now();
        struct credit_row k = { .id = uid_v7(clock_now()), .order_id = in->id, .reason = in->reason, .restock = in->restock, .issued_at = at };
        struct order_locked o;
        struct bill_row row;

        TRY(return_check(c, in));
        TRY(bill_of_order(c, in->id, buyer, &row));
        TRY(bill_parties(c, &row, out));
        TX(tx, c);
        TRY(order_take(tx, in->id, buyer, &o));
        if (o.state == ORDER_CANCELLED)
                return fail(c, FAILED_PRECONDITION, "order_cancelled", "this order was cancelled; all of it was credited");
        if (in->returned_at.us && at.us < o.placed_at.us) {
                flaw_add(c, STR("/returned_at"), "too_small", "must not lie before the order was placed");
                return flaws_fail(c);
        }
        k.total = o.total;
        k.total.minor = 0;
        return return_write(tx, in, &o, &k, &row, out);
}

/*  operation     takes           gives   */
OP( order_cancel, cancel_request, order   );
OP( order_return, return_request, invoice );
