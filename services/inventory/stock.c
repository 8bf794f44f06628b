/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * stock.c - what lies where, as it is read: of a product, of a warehouse, of an order; the ledger; and the thresholds below which a product is low.
 *
 * On hand are units on the shelf that nobody holds; held are those set aside for orders that are being placed; available are those on hand where the
 * warehouse sells. So on hand + held + sold = received + adjusted + transferred + cancelled + returned, in every warehouse, and the transfers of
 * all warehouses are 0. */
#include "stock.h"
#include "inventory_sql.h"

struct level_row     { uid warehouse_id; str code, country; bool active; int64_t on_hand, held, available; };
DECLARE_LIST(level_row);
struct product_stock { uid product_id; int64_t available, on_hand, held; struct level_row_list warehouses; };
struct shelf         { uid id, product_id; int64_t on_hand, held; };
DECLARE_LIST(shelf);
struct shelf_filter  { uid id; PAGE_MEMBERS; };
struct shelf_page    { struct shelf_list items; PAGE_LINKS; };
struct stock_total         { uid id, product_id; int64_t on_hand, available; int32_t low; };
DECLARE_LIST(stock_total);
struct level_filter  { int32_t level, low; PAGE_MEMBERS; };
struct level_page    { struct stock_total_list items; PAGE_LINKS; };
struct balance_row   { uid warehouse_id; str code; int64_t on_hand, held, sold, received, adjusted, transferred, cancelled, returned; };
DECLARE_LIST(balance_row);
struct balance       { uid product_id; int64_t on_hand, held, sold, received, adjusted, transferred, cancelled, returned; struct balance_row_list warehouses; };
struct sale_part          { uid product_id, warehouse_id; str code; int32_t quantity, state, taken_back; };
DECLARE_LIST(sale_part);
struct sale_parts         { uid order_id; struct sale_part_list items; };
struct sale_ref     { uid order_id; };
struct movement_filter { uid product_id, warehouse_id; int32_t kind; PAGE_MEMBERS; };
struct movement      { uid id; int32_t line; int64_t no; uid product_id, warehouse_id; int32_t delta, kind; when at; uid order_id; str reason; };
DECLARE_LIST(movement);
struct movement_page { struct movement_list items; PAGE_LINKS; };
struct threshold     { uid product_id; int32_t low; bool is_default; int32_t version; };
struct threshold_row { int32_t low, version; };
struct threshold_new { uid product_id; int32_t low; IF_MATCH_MEMBER; };
struct threshold_key { uid product_id; IF_MATCH_MEMBER; };

const char *const move_kind_names[] = { "any", "received", "adjusted", "sold", "transferred", "cancelled", "returned", NULL };
static const char *const level_names[] = { "any", "low", "out", NULL };
static const char *const part_states[] = { "held", "sold", NULL };

MESSAGE(product_ref, "a product", F(product_ref, 1, product_id));
MESSAGE(level_row, "stock in a warehouse",
        F(level_row, 1, warehouse_id),
        F(level_row, 2, code),
        F(level_row, 3, country),
        F(level_row, 4, active),
        F(level_row, 5, on_hand, .doc = "On the shelf and held by nobody."),
        F(level_row, 6, held, .doc = "Set aside for orders that are being placed."),
        F(level_row, 7, available, .doc = "Free to be sold: on hand, if the warehouse is active."));
MESSAGE(product_stock, "the stock of a product",
        F(product_stock, 1, product_id),
        F(product_stock, 2, available, .doc = "Free to be sold, in all warehouses."),
        F(product_stock, 3, on_hand, .doc = "On the shelves and held by nobody, in all warehouses."),
        F(product_stock, 4, held, .doc = "Held for orders that are being placed."),
        F_LIST(product_stock, 5, warehouses, level_row));
MESSAGE(shelf, "how much of a product lies in a warehouse",
        F(shelf, 1, id, .internal = true),
        F(shelf, 2, product_id),
        F(shelf, 3, on_hand),
        F(shelf, 4, held));
MESSAGE(shelf_filter, "what lies in a warehouse", F(shelf_filter, 1, id), PAGE_FIELDS(shelf_filter, 2));
MESSAGE(shelf_page, "what lies in a warehouse, a page", F_LIST(shelf_page, 1, items, shelf), PAGE_LINK_FIELDS(shelf_page, 2));
MESSAGE(stock_total, "how much of a product is left",
        F(stock_total, 1, id, .internal = true),
        F(stock_total, 2, product_id),
        F(stock_total, 3, on_hand),
        F(stock_total, 4, available),
        F(stock_total, 5, low, .doc = "With so many available, or fewer, it is low."));
MESSAGE(level_filter, "which products",
        F(level_filter, 1, level, .optional = true, .names = level_names, .doc = "low: as many available as the threshold or fewer; out: none."),
        F(level_filter, 2, low, .internal = true, .optional = true),
        PAGE_FIELDS(level_filter, 3));
MESSAGE(level_page, "products and how much is left, a page", F_LIST(level_page, 1, items, stock_total), PAGE_LINK_FIELDS(level_page, 2));
MESSAGE(balance_row, "every unit of a product in a warehouse",
        F(balance_row, 1, warehouse_id),
        F(balance_row, 2, code),
        F(balance_row, 3, on_hand),
        F(balance_row, 4, held),
        F(balance_row, 5, sold),
        F(balance_row, 6, received),
        F(balance_row, 7, adjusted),
        F(balance_row, 8, transferred, .doc = "Came from other warehouses, less what went to others."),
        F(balance_row, 9, cancelled, .doc = "Sold, and taken back when the order was cancelled."),
        F(balance_row, 10, returned));
MESSAGE(balance, "every unit of a product: on_hand + held + sold = received + adjusted + transferred + cancelled + returned, in each warehouse and in all",
        F(balance, 1, product_id),
        F(balance, 2, on_hand),
        F(balance, 3, held),
        F(balance, 4, sold),
        F(balance, 5, received),
        F(balance, 6, adjusted),
        F(balance, 7, transferred, .doc = "Always 0: a transfer neither makes nor loses a unit."),
        F(balance, 8, cancelled),
        F(balance, 9, returned),
        F_LIST(balance, 10, warehouses, balance_row));
MESSAGE(sale_part, "units of an order from one warehouse",
        F(sale_part, 1, product_id),
        F(sale_part, 2, warehouse_id),
        F(sale_part, 3, code),
        F(sale_part, 4, quantity),
        F(sale_part, 5, state, .names = part_states, .doc = "held while the order is being placed, then sold."),
        F(sale_part, 6, taken_back, .doc = "How many of them came back, because the order was cancelled or they were returned."));
MESSAGE(sale_parts, "where an order's units come from", F(sale_parts, 1, order_id), F_LIST(sale_parts, 2, items, sale_part));
MESSAGE(sale_ref, "an order", F(sale_ref, 1, order_id));
MESSAGE(movement_filter, "which movements",
        F(movement_filter, 1, product_id),
        F(movement_filter, 2, warehouse_id, .optional = true, .doc = "Only those of this warehouse."),
        F(movement_filter, 3, kind, .optional = true, .names = move_kind_names, .doc = "Only those of this kind."),
        PAGE_FIELDS(movement_filter, 4));
MESSAGE(movement, "a movement of stock",
        F(movement, 1, id, .doc = "The order of a sale or of its cancellation, the return, the receipt or the transfer, else the movement's own."),
        F(movement, 2, line, .doc = "Counts down from -1 for what was taken back when an order was cancelled."),
        F(movement, 9, no, .internal = true),
        F(movement, 3, product_id),
        F(movement, 4, warehouse_id),
        F(movement, 5, delta),
        F(movement, 6, kind, .names = move_kind_names),
        F(movement, 7, at),
        F(movement, 10, order_id, .optional = true, .doc = "Of what was sold, cancelled or returned."),
        F(movement, 8, reason, .optional = true));
MESSAGE(movement_page, "movements, a page", F_LIST(movement_page, 1, items, movement), PAGE_LINK_FIELDS(movement_page, 2));
MESSAGE(threshold, "when a product is low",
        F(threshold, 1, product_id),
        F(threshold, 2, low, .doc = "With so many available, or fewer, stock.low is said, once each time it gets there. 0: never."),
        F(threshold, 3, is_default, .doc = "Nobody set it for this product."),
        F(threshold, 4, version, .doc = "Goes up with every change."));
MESSAGE(threshold_row, "a row of threshold", F(threshold_row, 1, low), F(threshold_row, 2, version));
MESSAGE(threshold_new, "when a product shall be low",
        F(threshold_new, 1, product_id),
        F(threshold_new, 2, low, .max = STOCK_MAX, .doc = "With so many available, or fewer, it is low. 0: never."),
        IF_MATCH_FIELD(threshold_new, 3));
MESSAGE(threshold_key, "a product's threshold", F(threshold_key, 1, product_id), IF_MATCH_FIELD(threshold_key, 2));

/* ---- products ----------------------------------------------------------------------------------------------------------------- */

static int stock_get(struct ctx *c, const struct product_ref *in, struct product_stock *out)
{
        *out = (struct product_stock){ .product_id = in->product_id };
        TRY(stock_of(db(c), in, &out->warehouses));
        if (out->warehouses.n == 0) TRY(product_must_exist(c, in->product_id));
        for (size_t i = 0; i < out->warehouses.n; i++) {
                out->on_hand += out->warehouses.v[i].on_hand;
                out->held += out->warehouses.v[i].held;
                out->available += out->warehouses.v[i].available;
        }
        return 0;
}

static int balance_get(struct ctx *c, const struct product_ref *in, struct balance *out)
{
        *out = (struct balance){ .product_id = in->product_id };
        TRY(balances_of(db(c), in, &out->warehouses));
        for (size_t i = 0; i < out->warehouses.n; i++) {
                const struct balance_row *w = &out->warehouses.v[i];
                out->on_hand += w->on_hand;
                out->held += w->held;
                out->sold += w->sold;
                out->received += w->received;
                out->adjusted += w->adjusted;
                out->transferred += w->transferred;
                out->cancelled += w->cancelled;
                out->returned += w->returned;
        }
        return 0;
}

const struct paging movements_paging = PAGING(movement_filter, movement,
        { "-at", &movements_newest_query, "no" },
        { "at",  &movements_oldest_query, "no" });

static int movements_list(struct ctx *c, const struct movement_filter *in, struct movement_page *out)
{
        struct movement_filter f = *in;
        return page_query(c, &movements_paging, &f, &out->items, &out->next, &out->prev);
}

const struct paging levels_paging = PAGING(level_filter, stock_total,
        { "product_id",  &levels_up_query,   "id" },
        { "-product_id", &levels_down_query, "id" });

static int levels_list(struct ctx *c, const struct level_filter *in, struct level_page *out)
{
        struct level_filter f = *in;
        f.low = ((struct state *)unit_state(c))->low;
        return page_query(c, &levels_paging, &f, &out->items, &out->next, &out->prev);
}

/* ---- warehouses and orders ---------------------------------------------------------------------------------------------------- */

const struct paging shelves_paging = PAGING(shelf_filter, shelf,
        { "product_id",  &shelves_up_query,   "id" },
        { "-product_id", &shelves_down_query, "id" });

static int shelves_list(struct ctx *c, const struct shelf_filter *in, struct shelf_page *out)
{
        struct shelf_filter f = *in;
        struct warehouse w;
        int r = warehouse_by_id(db(c), &(struct warehouse_key){ in->id, 0 }, &w);

        if (r == -NOT_FOUND)
                return fail(c, NOT_FOUND, "no_such_warehouse", "there is no such warehouse");
        TRY(r);
        return page_query(c, &shelves_paging, &f, &out->items, &out->next, &out->prev);
}

static int parts_get(struct ctx *c, const struct sale_ref *in, struct sale_parts *out)
{
        *out = (struct sale_parts){ .order_id = in->order_id };
        TRY(parts_of(db(c), &(struct order_at){ in->order_id, 0 }, &out->items));
        return out->items.n ? 0 : fail(c, NOT_FOUND, "no_such_order", "nothing is held or sold for such an order");
}

/* ---- thresholds --------------------------------------------------------------------------------------------------------------- */

/* A threshold that nobody set yet is version 1. */
static int threshold_read(struct ctx *c, struct db *d, uid product, struct threshold *out)
{
        struct threshold_row row = { -1, 1 };

        TRY(threshold_of(d, &(struct product_ref){ product }, &row));
        *out = (struct threshold){ product, row.low < 0 ? ((struct state *)unit_state(c))->low : row.low, row.low < 0, row.version };
        return 0;
}

static int threshold_get(struct ctx *c, const struct product_ref *in, struct threshold *out)
{
        TRY(product_must_exist(c, in->product_id));
        return threshold_read(c, db(c), in->product_id, out);
}

/* low -1: the default again. A row of stock is made when there is none, so that whoever brings the first unit finds the threshold or waits for it. */
static int threshold_put(struct ctx *c, uid product, int32_t low, int64_t if_match, struct threshold *out)
{
        struct stock_move zero = { .product_id = product };
        struct stock_moves rows = { { &zero, 1 }, { 0 } };
        struct threshold next, was;
        struct stock_row_list locked;
        struct warehouse w;
        struct sites sites;
        struct plan plan;

        TRY(product_must_exist(c, product));
        TRY(sites_get(c, &sites));
        TX(tx, c);
        TRY(warehouse_use(tx, (uid){ { 0 } }, "/product_id", &w));
        zero.warehouse_no = w.no;
        TRY(stock_open_later(tx, &rows));
        TRY(stock_lock_moved(tx, &rows, &locked));
        TRY(threshold_read(c, tx, product, &was));
        if (if_match && if_match != was.version)
                return stale(c);
        next = (struct threshold){ product, low, low < 0, was.version + 1 };
        TRY(threshold_write_later(tx, &next));
        TRY(threshold_spread_later(tx, &next));
        TRY(plan_init(c, &plan, locked, &sites, unit_state(c)));
        int64_t left = plan_available(&plan, product);
        int32_t low_is = low < 0 ? ((struct state *)unit_state(c))->low : low;
        TRY(crossings_tell(tx, product, left, left, was.low, low_is));
        *out = (struct threshold){ product, low_is, low < 0, next.version };
        return tx_commit(tx);
}

static int threshold_set(struct ctx *c, const struct threshold_new *in, struct threshold *out)
{
        return threshold_put(c, in->product_id, in->low, in->if_match, out);
}

static int threshold_reset(struct ctx *c, const struct threshold_key *in, struct nothing *out)
{
        struct threshold t;

        (void)out;
        return threshold_put(c, in->product_id, -1, in->if_match, &t);
}

/*  operation        takes            gives         */
OP( stock_get,       product_ref,     product_stock );
OP( balance_get,     product_ref,     balance       );
OP( movements_list,  movement_filter, movement_page );
OP( levels_list,     level_filter,    level_page    );
OP( shelves_list,    shelf_filter,    shelf_page    );
OP( parts_get,       sale_ref,        sale_parts    );
OP( threshold_get,   product_ref,     threshold     );
OP( threshold_set,   threshold_new,   threshold     );
OP( threshold_reset, threshold_key,   nothing       );
