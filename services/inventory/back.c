/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * back.c - what was sold comes back: all of an order that was cancelled, or some of it that was returned and can be sold again.
 *
 *     sold --order.cancelled--> a movement, cancelled      each unit into the warehouse that had sold it; into the default one when that is gone,
 *       `----order.returned---> a movement, returned       or when more comes back than was sold
 *
 * These events are heard by consumers of their own and may be here before the order's order.confirmed. Then its hold is committed first, here, and
 * taken back after that; so the ledger tells the same whoever was faster, and the late event finds the sale booked. What has come back is kept
 * by order, product and warehouse (taken_back), read while the stock is locked: nothing comes back twice. */
#include "breaks.h"
#include "holds.h"
#include "inventory_sql.h"
#include "orders/orders.h"

struct sale_left { uid order_id, product_id; int32_t warehouse_no, quantity; bool is_there; };
DECLARE_LIST(sale_left);
struct sale_share     { uid order_id, product_id; int32_t warehouse_no, quantity; };
DECLARE_LIST(sale_share);
struct take_back { struct sale_share_list shares; };

MESSAGE(sale_left, "what is sold and has not come back",
        F(sale_left, 1, order_id), F(sale_left, 2, product_id), F(sale_left, 3, warehouse_no), F(sale_left, 4, quantity), F(sale_left, 5, is_there));
MESSAGE(sale_share, "what comes back of a sale",
        F(sale_share, 1, order_id), F(sale_share, 2, product_id), F(sale_share, 3, warehouse_no), F(sale_share, 4, quantity));
MESSAGE(take_back, "what comes back", F_LIST(take_back, 1, shares, sale_share));

struct claim {                          /* of one event                                             */
        uid order, ref;                 /* ref: what the movements are booked under                 */
        enum kind_of_move kind;         /* MOVE_CANCELLED: all that is left of the order; MOVE_RETURNED: the items */
        const struct item_list *items;
        str reason;
};
struct backing {                        /* one batch                                                */
        const struct claim *claims;
        size_t n;
        struct sale_left_list left;
        int32_t default_no, line;
        struct stock_moves moves;
        struct take_back back;
};

static int too_large(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
}

static void move_add(struct backing *b, const struct claim *k, uid product, int32_t warehouse_no, int32_t quantity)
{
        b->line += k->kind == MOVE_CANCELLED ? -1 : 1;
        b->moves.rows.v[b->moves.rows.n++] = (struct stock_move){ .ref = k->ref, .line = b->line, .product_id = product, .warehouse_no = warehouse_no, .delta = quantity,
                                                            .kind = (int32_t)k->kind, .order_id = k->order, .reason = k->reason };
}

/* At most `quantity` units of a sale. returns how many */
static int32_t share_add(struct backing *b, const struct claim *k, struct sale_left *l, int32_t quantity)
{
        int32_t n = MIN(quantity, l->quantity);

        if (n <= 0)
                return 0;
        l->quantity -= n;
        b->back.shares.v[b->back.shares.n++] = (struct sale_share){ l->order_id, l->product_id, l->warehouse_no, n };
        move_add(b, k, l->product_id, l->is_there ? l->warehouse_no : b->default_no, n);
        return n;
}

static void claim_all(struct backing *b, const struct claim *k)
{
        for (size_t i = 0; i < b->left.n; i++)
                if (uid_eq(b->left.v[i].order_id, k->order)) share_add(b, k, &b->left.v[i], INT32_MAX);
}

static void claim_items(struct backing *b, const struct claim *k)
{
        for (size_t i = 0; i < k->items->n; i++) {
                const struct item *item = &k->items->v[i];
                int32_t need = item->quantity;
                for (size_t l = 0; l < b->left.n && need > 0; l++)
                        if (uid_eq(b->left.v[l].order_id, k->order) && uid_eq(b->left.v[l].product_id, item->product_id))
                                need -= share_add(b, k, &b->left.v[l], need);
                if (need > 0) move_add(b, k, item->product_id, b->default_no, need);
        }
}

static int keys_init(struct ctx *c, const struct backing *b, struct hold_keys *k)
{
        size_t n_items = 0;

        for (size_t i = 0; i < b->n; i++) n_items += b->claims[i].items->n;
        *k = (struct hold_keys){ { arena_many(c->arena, struct product_id, n_items), 0 }, { arena_many(c->arena, struct order_at, b->n), 0 } };
        if (arena_is_exhausted(c->arena))
                return too_large(c);
        for (size_t i = 0; i < b->n; i++) {
                k->orders.v[k->orders.n++].id = b->claims[i].order;
                for (size_t j = 0; j < b->claims[i].items->n; j++)
                        k->products.v[k->products.n++].id = b->claims[i].items->v[j].product_id;
        }
        products_sort(&k->products);
        return 0;
}

/* Reads what can come back, with the stock and the warehouses locked: the lot of it, each row at most once a claim, and a rest of each item. */
static int sales_read(struct db *tx, struct backing *b, struct hold_keys *k)
{
        struct ctx *c = db_ctx(tx);
        struct stock_row_list stock;
        struct hold_row_list held;
        struct site_list warehouses;
        size_t room;

        TRY(holds_lock(tx, k, &stock, &held));
        if (held.n) TRY(holds_commit_unsold(tx, k));
        TRY(warehouses_share(tx, &(struct nothing){ 0 }, &warehouses));
        for (size_t i = 0; i < warehouses.n; i++)
                if (warehouses.v[i].is_default) b->default_no = warehouses.v[i].no;
        TRY(sales_left(tx, k, &b->left));
        room = b->left.n;
        for (size_t i = 0; i < b->n; i++) room += 2 * b->claims[i].items->n + b->left.n;
        b->moves.rows.v  = arena_many(c->arena, struct stock_move, room);
        b->back.shares.v = arena_many(c->arena, struct sale_share, room);
        return arena_is_exhausted(c->arena) ? too_large(c) : 0;
}

static int take_back(struct ctx *c, const struct claim *claims, size_t n)
{
        struct backing b = { .claims = claims, .n = n, .moves.at = clock_now() };
        struct hold_keys keys;
        struct sites sites;
        struct plan plan;

        TRY(keys_init(c, &b, &keys));
        TRY(sites_get(c, &sites));
        TX(tx, c);
        TRY(sales_read(tx, &b, &keys));
        for (size_t i = 0; i < n; i++) {
                b.line = 0;
                if (claims[i].kind == MOVE_CANCELLED) claim_all(&b, &claims[i]);
                else claim_items(&b, &claims[i]);
        }
        if (b.moves.rows.n) TRY(moves_write(tx, &sites, &b.moves, 1, &plan));
        if (b.back.shares.n) TRY(taken_back_add_later(tx, &b.back));
        return tx_commit(tx);
}

/* ---- what orders says ------------------------------------------------------------------------------------------------------------ */

BATCHED(order_take_back, order_cancellation, nothing);

static int order_take_back(struct ctx *c, struct batch *b)
{
        struct claim *claims = arena_many(c->arena, struct claim, b->n);
        size_t n = 0;

        if (!claims)
                return too_large(c);
        if (broken(BREAK_CANCEL_KEEPS_STOCK)) return 0;
        EACH_CALL(v, b) {
                const struct order_cancellation *in = order_take_back_in(v);
                claims[n++] = (struct claim){ in->id, in->id, MOVE_CANCELLED, &in->items, in->reason };
        }
        return take_back(c, claims, n);
}

BATCHED(return_take_back, order_return_note, nothing);

static int return_take_back(struct ctx *c, struct batch *b)
{
        struct claim *claims = arena_many(c->arena, struct claim, b->n);
        size_t n = 0;

        if (!claims)
                return too_large(c);
        EACH_CALL(v, b) {                               /* what cannot be sold again is not stock */
                const struct order_return_note *in = return_take_back_in(v);
                if (in->restock) claims[n++] = (struct claim){ in->id, in->return_id, MOVE_RETURNED, &in->items, in->credit_note_number };
        }
        return n ? take_back(c, claims, n) : 0;
}
