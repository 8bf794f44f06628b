/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * moves.c - units that come in, are counted anew, or go from one warehouse to another: each a row of movement, each change of stock in the same
 * transaction.
 *
 * All rows of stock that are touched are there and locked, in one order, before anything is decided; so no update is lost, no refusal is a guess, and a
 * transfer that takes here and puts there is one change that happens or does not. */
#include <stdlib.h>
#include "catalog/catalog.h"
#include "stock.h"
#include "inventory_sql.h"

enum { ITEMS_A_BOOKING = 1000, QUOTED_AT_ONCE = 100 };

struct adjustment    { uid product_id, warehouse_id; int32_t delta; str reason; };
struct adjusted      { uid id, product_id, warehouse_id; int32_t delta, quantity; str reason; when at; };
struct arrival       { uid warehouse_id; str note; struct receipt_list items; };
struct receipt_note  { uid id, warehouse_id; str note; when at; struct receipt_list items; };
struct stock_transfer_new  { uid from_warehouse_id, to_warehouse_id; str note; struct receipt_list items; };
struct stock_transfer      { uid id, from_warehouse_id, to_warehouse_id; str note; when at; struct receipt_list items; };
struct adjustment_note { uid id, product_id, warehouse_id; int32_t delta; str reason; when at; };        /* what lay there then is not kept */
struct booking_ref   { uid id; };

MESSAGE(adjustment, "stock that was counted anew, lost or found",
        F(adjustment, 1, product_id),
        F(adjustment, 2, warehouse_id, .optional = true, .doc = "The default warehouse unless said."),
        F(adjustment, 3, delta, .min = -1000000, .max = 1000000, .doc = "Units more, or less when negative; not 0."),
        F(adjustment, 4, reason, .min = 1, .max = 200));
MESSAGE(adjusted, "a movement, and what is in that warehouse after it",
        F(adjusted, 1, id),
        F(adjusted, 2, product_id),
        F(adjusted, 3, warehouse_id),
        F(adjusted, 4, delta),
        F(adjusted, 5, quantity, .doc = "What is free in that warehouse right after it."),
        F(adjusted, 6, reason),
        F(adjusted, 7, at));
MESSAGE(receipt, "some of a product that came in", F(receipt, 1, product_id), F(receipt, 2, quantity, .min = 1, .max = 1000000));
MESSAGE(delivery_note, "a delivery into the default warehouse", F_LIST(delivery_note, 1, receipts, receipt, .min = 1, .max = 20000),
        F(delivery_note, 2, id, .optional = true));
MESSAGE(arrival, "goods that came in",
        F(arrival, 1, warehouse_id, .optional = true, .doc = "The default warehouse unless said."),
        F(arrival, 2, note, .optional = true, .max = 200),
        F_LIST(arrival, 3, items, receipt, .min = 1, .max = ITEMS_A_BOOKING, .doc = "What came in; a movement each."));
MESSAGE(receipt_note, "goods that came in, and where to",
        F(receipt_note, 1, id),
        F(receipt_note, 2, warehouse_id),
        F(receipt_note, 3, note, .optional = true),
        F(receipt_note, 4, at),
        F_LIST(receipt_note, 5, items, receipt));
MESSAGE(stock_transfer_new, "units that go from one warehouse to another",
        F(stock_transfer_new, 1, from_warehouse_id),
        F(stock_transfer_new, 2, to_warehouse_id),
        F(stock_transfer_new, 3, note, .optional = true, .max = 200),
        F_LIST(stock_transfer_new, 4, items, receipt, .min = 1, .max = ITEMS_A_BOOKING, .doc = "What goes; two movements each. All of it or nothing."));
MESSAGE(stock_transfer, "units that went from one warehouse to another",
        F(stock_transfer, 1, id),
        F(stock_transfer, 2, from_warehouse_id),
        F(stock_transfer, 3, to_warehouse_id),
        F(stock_transfer, 4, note, .optional = true),
        F(stock_transfer, 5, at),
        F_LIST(stock_transfer, 6, items, receipt));
MESSAGE(adjustment_note, "stock that was counted anew",
        F(adjustment_note, 1, id),
        F(adjustment_note, 2, product_id),
        F(adjustment_note, 3, warehouse_id),
        F(adjustment_note, 4, delta),
        F(adjustment_note, 5, reason),
        F(adjustment_note, 6, at));
MESSAGE(booking_ref, "an adjustment, a receipt or a transfer", F(booking_ref, 1, id));
MESSAGE(stock_move, "a row of movement",
        F(stock_move, 1, ref), F(stock_move, 2, line), F(stock_move, 3, product_id), F(stock_move, 4, warehouse_no), F(stock_move, 5, delta), F(stock_move, 6, kind),
        F(stock_move, 7, order_id, .optional = true), F(stock_move, 8, reason, .optional = true), F(stock_move, 9, by_user, .optional = true));
MESSAGE(stock_moves, "rows of movement", F_LIST(stock_moves, 1, rows, stock_move), F(stock_moves, 2, at));

/* ---- for all that moves ----------------------------------------------------------------------------------------------------- */

static int refuse(struct ctx *c, const char *slug, size_t item, size_t an_item, str why)
{
        int r = fail(c, FAILED_PRECONDITION, slug, "item %zu: " STR_FMT, item + 1, STR_ARG(why));

        flaw_add(c, an_item ? arena_printf(c->arena, "/items/%zu/quantity", item) : STR("/delta"), slug, STR_FMT, STR_ARG(why));
        return r;
}

static int move_plan(struct ctx *c, const struct stock_move *m, size_t i, size_t an_item, struct plan *p)
{
        struct stock_row *row = plan_row(p, m->product_id, m->warehouse_no);
        size_t item = an_item ? i / an_item : 0;

        assert(row);                                            /* opened and locked */
        if (row->quantity + m->delta < 0)
                return refuse(c, "not_enough_stock", item, an_item, arena_printf(c->arena, "%d of the %d that are to go are free there", row->quantity, -m->delta));
        if (row->quantity + m->delta > STOCK_MAX)
                return refuse(c, "too_much_stock", item, an_item, arena_printf(c->arena, "a warehouse takes %d units of a product at most", STOCK_MAX));
        row->quantity += m->delta;
        return 0;
}

int moves_write(struct db *tx, const struct sites *sites, const struct stock_moves *m, size_t an_item, struct plan *p)
{
        struct ctx *c = db_ctx(tx);
        struct stock_row_list locked;

        TRY(stock_open_later(tx, m));
        TRY(stock_lock_moved(tx, m, &locked));
        TRY(plan_init(c, p, locked, sites, unit_state(c)));
        p->tells = true;
        for (size_t i = 0; i < m->rows.n; i++)
                TRY(move_plan(c, &m->rows.v[i], i, an_item, p));
        TRY(plan_finish(p, tx));
        if (p->write.takes.n) TRY(stock_take_later(tx, &p->write));
        return movements_insert_later(tx, m);
}

static int moves_init(struct ctx *c, struct stock_moves *m, size_t n, when at)
{
        *m = (struct stock_moves){ { arena_many(c->arena, struct stock_move, n), 0 }, at };
        return m->rows.v ? 0 : fail(c, RESOURCE_EXHAUSTED, "too_large", "there are too many items");
}

/* ---- products that a request names ------------------------------------------------------------------------------------------- */

/* Which of the first of these the catalogue does not have, by place. Prices are of no interest here, nor whether they add up. */
static int some_must_exist(struct ctx *c, const struct receipt *items, size_t n, size_t from, const char *pointer)
{
        struct ctx look = *c;
        struct item asked[QUOTED_AT_ONCE];
        struct quote q;
        int r;

        for (size_t i = 0; i < n; i++) asked[i] = (struct item){ items[i].product_id, 1 };
        r = catalog_quote_call(&look, &(struct basket){ { asked, n } }, &q);
        if (r != -INVALID_ARGUMENT)
                return r < 0 ? fault_copy(c, &look), r : 0;
        for (const struct flaw *f = look.fault.flaws; f; f = f->next) {
                size_t at = from;
                if (strcmp(f->slug, "no_such_product") != 0) continue;
                if (str_starts(f->pointer, STR("/items/"))) at += (size_t)strtoul(arena_z(c->arena, str_cut(f->pointer, 7, f->pointer.n)), NULL, 10);
                flaw_add(c, pointer ? str_of(pointer) : arena_printf(c->arena, "/items/%zu/product_id", at), "no_such_product", "there is no such product");
        }
        return 0;
}

/* A flaw for each item whose product there is not, at its own place or at `pointer`. */
static int named_must_exist(struct ctx *c, const struct receipt_list *items, const char *pointer)
{
        for (size_t i = 0; i < items->n; i += QUOTED_AT_ONCE)
                TRY(some_must_exist(c, items->v + i, MIN(items->n - i, (size_t)QUOTED_AT_ONCE), i, pointer));
        return flaws_fail(c);
}

/* ---- adjustments -------------------------------------------------------------------------------------------------------------- */

static int stock_adjust(struct ctx *c, const struct adjustment *in, struct adjusted *out)
{
        struct stock_move row = { uid_v7(clock_now()), 1, in->product_id, 0, in->delta, MOVE_ADJUSTED, { { 0 } }, in->reason, caller_id(c) };
        struct stock_moves moves = { { &row, 1 }, uid_time(row.ref) };
        struct warehouse w;
        struct sites sites;
        struct plan plan;

        if (in->delta == 0) {
                flaw_add(c, STR("/delta"), "too_small", "must not be 0");
                return flaws_fail(c);
        }
        if (in->delta > 0)                              /* what lies there may be counted out though the catalogue has it no more */
                TRY(named_must_exist(c, &(struct receipt_list){ &(struct receipt){ in->product_id, 1 }, 1 }, "/product_id"));
        TRY(sites_get(c, &sites));
        TX(tx, c);
        TRY(warehouse_use(tx, in->warehouse_id, "/warehouse_id", &w));
        row.warehouse_no = w.no;
        TRY(moves_write(tx, &sites, &moves, 0, &plan));
        *out = (struct adjusted){ row.ref, in->product_id, w.id, in->delta, plan_row(&plan, in->product_id, w.no)->quantity, in->reason, moves.at };
        return tx_commit(tx);
}

static int adjustment_get(struct ctx *c, const struct booking_ref *in, struct adjustment_note *out)
{
        int r = adjustment_by_id(db(c), in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_adjustment", "there is no such adjustment") : r;
}

/* ---- receipts ------------------------------------------------------------------------------------------------------------------ */

static void arrivals_add(struct stock_moves *m, uid ref, const struct receipt_list *items, int32_t warehouse_no, str reason, uid by)
{
        for (size_t i = 0; i < items->n; i++)
                m->rows.v[m->rows.n++] = (struct stock_move){ .ref = ref, .line = (int32_t)i + 1, .product_id = items->v[i].product_id, .warehouse_no = warehouse_no,
                                                              .delta = items->v[i].quantity, .kind = MOVE_RECEIVED, .reason = reason, .by_user = by };
}

static int goods_receive(struct ctx *c, const struct arrival *in, struct receipt_note *out)
{
        uid id = uid_v7(clock_now());
        struct stock_moves moves;
        struct warehouse w;
        struct sites sites;
        struct plan plan;

        TRY(named_must_exist(c, &in->items, NULL));
        TRY(moves_init(c, &moves, in->items.n, uid_time(id)));
        TRY(sites_get(c, &sites));
        TX(tx, c);
        TRY(warehouse_use(tx, in->warehouse_id, "/warehouse_id", &w));
        arrivals_add(&moves, id, &in->items, w.no, in->note, caller_id(c));
        TRY(moves_write(tx, &sites, &moves, 1, &plan));
        *out = (struct receipt_note){ id, w.id, in->note, moves.at, in->items };
        return tx_commit(tx);
}

static int receipt_get(struct ctx *c, const struct booking_ref *in, struct receipt_note *out)
{
        int r = receipt_by_id(db(c), in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_receipt", "there is no such receipt") : r;
}

static int inventory_receive(struct ctx *c, const struct delivery_note *in, struct nothing *out)
{
        when now = clock_now();
        uid id = uid_is_zero(in->id) ? uid_v7(now) : in->id;
        struct stock_moves moves;
        struct warehouse w;
        struct sites sites;
        struct plan plan;

        (void)out;
        TRY(moves_init(c, &moves, in->receipts.n, now));
        TRY(sites_get(c, &sites));
        TX(tx, c);
        TRY(warehouse_use(tx, (uid){ { 0 } }, "/warehouse_id", &w));
        arrivals_add(&moves, id, &in->receipts, w.no, STR("delivery"), caller_id(c));
        TRY(moves_write(tx, &sites, &moves, 1, &plan));
        return tx_commit(tx);
}

/* ---- transfers ------------------------------------------------------------------------------------------------------------------ */

static int goods_transfer(struct ctx *c, const struct stock_transfer_new *in, struct stock_transfer *out)
{
        uid id = uid_v7(clock_now()), none = { { 0 } };
        struct stock_moves moves;
        struct warehouse from, to;
        struct sites sites;
        struct plan plan;
        int32_t line = 0;

        if (uid_eq(in->from_warehouse_id, in->to_warehouse_id)) {
                flaw_add(c, STR("/to_warehouse_id"), "same_warehouse", "must not be the one that it comes from");
                return flaws_fail(c);
        }
        TRY(moves_init(c, &moves, 2 * in->items.n, uid_time(id)));
        TRY(sites_get(c, &sites));
        TX(tx, c);
        TRY(warehouse_use(tx, in->from_warehouse_id, "/from_warehouse_id", &from));
        TRY(warehouse_use(tx, in->to_warehouse_id, "/to_warehouse_id", &to));
        for (size_t i = 0; i < in->items.n; i++) {
                const struct receipt *r = &in->items.v[i];
                moves.rows.v[moves.rows.n++] = (struct stock_move){ id, ++line, r->product_id, from.no, -r->quantity, MOVE_TRANSFERRED, none, in->note, caller_id(c) };
                moves.rows.v[moves.rows.n++] = (struct stock_move){ id, ++line, r->product_id, to.no, r->quantity, MOVE_TRANSFERRED, none, in->note, caller_id(c) };
        }
        TRY(moves_write(tx, &sites, &moves, 2, &plan));
        *out = (struct stock_transfer){ id, from.id, to.id, in->note, moves.at, in->items };
        return tx_commit(tx);
}

static int transfer_get(struct ctx *c, const struct booking_ref *in, struct stock_transfer *out)
{
        int r = goods_transfer_by_id(db(c), in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_transfer", "there is no such transfer") : r;
}

/*  operation          takes          gives         */
OP( stock_adjust,      adjustment,    adjusted      );
OP( adjustment_get,    booking_ref,   adjustment_note );
OP( goods_receive,     arrival,       receipt_note  );
OP( receipt_get,       booking_ref,   receipt_note  );
OP( inventory_receive, delivery_note, nothing       );
OP( goods_transfer,    stock_transfer_new, stock_transfer );
OP( transfer_get,      booking_ref,   stock_transfer );
