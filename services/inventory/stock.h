/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * stock.h - what the files of inventory share: warehouses, rows of stock, the plan of a transaction that has locked some, and movements. Private.
 *
 *     holds.c  back.c  moves.c      lock rows, make a plan, write it with its movements
 *         plan.c  near.c            what becomes of the rows, in memory; pure
 *     warehouses.c  stock.c         where units lie; what is read
 *
 * Whoever changes a quantity has locked every row of that product, so what is said of it (stock.changed, stock.low, stock.out) is exact. A hold may
 * only have read the one row there is: then the row changes as it was read, or the transaction fails. */
#ifndef STOCK_H
#define STOCK_H
#include "inventory/inventory.h"

struct product_id  { uid id; };
struct order_at    { uid id; int32_t attempt; };
struct stock_row   { uid product_id; int32_t warehouse_no, quantity, low; };       /* low: -1: the default */
struct hold_row    { uid order_id; int32_t line, attempt; uid product_id; int32_t warehouse_no, quantity; when expires_at; };
struct taking      { uid product_id; int32_t warehouse_no, quantity, was, low; };  /* what goes from a row, and how it was read */
DECLARE_LIST(taking);
DECLARE_LIST(product_id);
DECLARE_LIST(order_at);
DECLARE_LIST(stock_row);
DECLARE_LIST(hold_row);
struct hold_keys   { struct product_id_list products; struct order_at_list orders; };
struct hold_write  { struct taking_list takes; struct hold_row_list gone, holds; when expires_at; };

/* ---- warehouses.c: where units may lie -------------------------------------------------------------------------------- */
struct site        { int32_t no; bool active; str country; bool is_default; };
DECLARE_LIST(site);
struct sites       { struct site_list items; };
struct warehouse   { int32_t no; uid id; str code, name, country; bool active, is_default; int32_t version; when created_at, updated_at; };
DECLARE_LIST(warehouse);
struct warehouse_key { uid id; IF_MATCH_MEMBER; };
struct product_ref { uid product_id; };
enum allocation    { NEAREST, FULLEST };
struct state       { struct cache *sites; enum allocation allocation; int32_t low; int wary; };    /* of the service, one a worker; wary: see stock_see() */

/* All warehouses, at most a second old: where one sells from. Not in a transaction. Waits. */
int  sites_get(struct ctx *c, struct sites *out);
/* A warehouse by its id, zero: the default; it stays until the transaction ends. Waits.
 *   returns  0, -INVALID_ARGUMENT with a flaw at `pointer` (no_such_warehouse) */
int  warehouse_use(struct db *tx, uid id, const char *pointer, struct warehouse *out);
/* 404 when the catalogue has no such product. Waits. */
int  product_must_exist(struct ctx *c, uid id);

/* ---- near.c ------------------------------------------------------------------------------------------------------------- */
enum nearness      { SAME_COUNTRY, SAME_REGION, SAME_CONTINENT, ELSEWHERE };
enum nearness near_is(str a, str b);    /* ISO 3166 alpha-2; what is not known is elsewhere     */

/* ---- plan.c: the stock of a transaction, decided in memory while its rows are locked, or are as they were when it commits - */
enum { STOCK_MAX = 1000000000 };        /* of a product in a warehouse                            */
struct plan {
        struct stock_row_list rows;             /* as locked, by product and warehouse; quantity: what is left       */
        int32_t *before;                        /* of each row, as it was                                            */
        const struct site **site;               /* of each row; NULL: opened a moment ago, or gone and empty         */
        enum allocation allocation;
        int32_t low;                            /* the default threshold                                             */
        bool tells;                             /* stock.changed whatever changed, not only when it ran out or came back */
        struct hold_write write;                /* takes: rows that changed; gone: holds given back; holds: new ones */
        size_t gone_max, holds_max;             /* room in the last two                                              */
};
/* What is locked becomes the plan. sites and state are borrowed. -RESOURCE_EXHAUSTED when the arena is full. */
int  plan_init(struct ctx *c, struct plan *p, struct stock_row_list locked, const struct sites *sites, const struct state *state);
/* All items or none, from warehouses that are open, by policy; v->verdict says which (out_of_stock, repeated, too_small).
 *   returns  0, or the failure of the whole batch: -RESOURCE_EXHAUSTED */
int  plan_take(struct ctx *c, struct plan *p, struct call *v, const struct hold_request *in);
/* returns  0; -ABORTED the stock behind this hold is not locked: it came in between; -RESOURCE_EXHAUSTED */
int  plan_give_back(struct ctx *c, struct plan *p, const struct hold_row *h);
/* The row of a product in a warehouse; NULL: it is not locked. */
struct stock_row *plan_row(struct plan *p, uid product, int32_t warehouse_no);
int64_t plan_available(const struct plan *p, uid product);      /* where one may sell from */
int32_t plan_low(const struct plan *p, uid product);            /* its threshold */
/* Fills write.takes with the rows that changed, and says stock.changed, stock.low and stock.out of products that need it. */
int  plan_finish(struct plan *p, struct db *tx);
/* Says stock.low and stock.out where a product's sum went from `was` to `is` across its threshold (which may have changed too). */
int  crossings_tell(struct db *tx, uid product, int64_t was, int64_t is, int32_t low_was, int32_t low_is);

/* ---- moves.c: every unit that comes, goes or moves other than by a hold ------------------------------------------------ */
enum kind_of_move  { MOVE_RECEIVED = 1, MOVE_ADJUSTED, MOVE_SOLD, MOVE_TRANSFERRED, MOVE_CANCELLED, MOVE_RETURNED };
extern const char *const move_kind_names[];
struct stock_move        { uid ref; int32_t line; uid product_id; int32_t warehouse_no, delta, kind; uid order_id; str reason; uid by_user; };
DECLARE_LIST(stock_move);
struct stock_moves       { struct stock_move_list rows; when at; };
/* Locks what they touch, plans it into *p and queues it with its movements; the caller commits, and keeps both until then. Waits.
 *   an_item  how many rows belong to an item of the request, for the pointer of a refusal; 0: the request has but one
 *   returns  0, -FAILED_PRECONDITION not_enough_stock, too_much_stock, or what db says */
int  moves_write(struct db *tx, const struct sites *sites, const struct stock_moves *m, size_t an_item, struct plan *p);

extern const struct type sites_type, warehouse_type;
extern const struct event order_confirmed, order_rejected, order_cancelled, order_returned;
extern const struct op hold_commit_op, hold_release_op, holds_sweep_op, order_take_back_op, return_take_back_op;
extern const struct op warehouses_list_op, warehouse_get_op, warehouse_open_op, warehouse_replace_op, warehouse_stands_op, warehouse_close_op, openings_tell_op;
extern const struct op stock_adjust_op, adjustment_get_op, goods_receive_op, receipt_get_op, goods_transfer_op, transfer_get_op;
extern const struct op stock_get_op, shelves_list_op, levels_list_op, balance_get_op, parts_get_op, movements_list_op;
extern const struct op threshold_get_op, threshold_set_op, threshold_reset_op;
extern const struct paging warehouses_paging, shelves_paging, levels_paging, movements_paging;
#endif
