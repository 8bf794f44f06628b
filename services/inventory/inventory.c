/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * inventory.c - warehouses, the stock of products in them, and the ledger of every unit that came, went or was counted anew.
 *
 * For every product: on hand + held + sold = received + adjusted, at every moment an outsider can look; nothing is ever negative. Read this
 * file for the ways in; holds.c is the batched half that sells. */
#include "inventory/inventory.h"
#include "catalog/catalog.h"
#include "holds.h"
#include "inventory_sql.h"

/* ---- messages --------------------------------------------------------------------------------------------------------- */

struct warehouse     { int32_t no; uid id; str code, name, country; bool is_default; when created_at; };
DECLARE_LIST(warehouse);
struct warehouses    { struct warehouse_list items; };
struct warehouse_new { str code, name, country; };
struct product_ref   { uid product_id; };
struct level_row     { uid warehouse_id; str code; int32_t quantity; };
DECLARE_LIST(level_row);
struct product_stock { uid product_id; int64_t available, held; struct level_row_list warehouses; };
struct held_sum      { int64_t held; };
struct balance       { uid product_id; int64_t on_hand, held, sold, received, adjusted; };
struct adjustment    { uid product_id, warehouse_id; int32_t delta; str reason; };
struct arrival       { uid product_id, warehouse_id; int32_t quantity; str note; };
struct adjusted      { uid id, product_id, warehouse_id; int32_t delta, quantity; str reason; when at; };
struct change        { uid id, product_id; int32_t warehouse_no, delta, kind; when at; str reason; uid by_user; };
struct changed       { int32_t quantity; };
struct receive_row   { uid id, product_id; int32_t quantity; };
DECLARE_LIST(receive_row);
struct receiving     { int32_t warehouse_no; struct receive_row_list rows; };
struct movement_filter { uid product_id; PAGE_MEMBERS; };
struct movement      { uid id; int32_t line; int64_t no; uid product_id, warehouse_id; int32_t delta, kind; when at; str reason; };
DECLARE_LIST(movement);
struct movement_page { struct movement_list items; PAGE_LINKS; };

static const char *const kind_names[] = { "", "received", "adjusted", "sold", NULL };
enum { RECEIVED = 1, ADJUSTED = 2 };

MESSAGE(stock_level, "how much of a product is free to be sold", F(stock_level, 1, product_id), F(stock_level, 2, available));
MESSAGE(warehouse, "a warehouse",
        F(warehouse, 1, no, .internal = true, .optional = true),
        F(warehouse, 2, id),
        F(warehouse, 3, code),
        F(warehouse, 4, name),
        F(warehouse, 5, country),
        F(warehouse, 6, is_default),
        F(warehouse, 7, created_at));
MESSAGE(warehouses, "all warehouses", F_LIST(warehouses, 1, items, warehouse));
MESSAGE(warehouse_new, "a warehouse to be opened",
        F(warehouse_new, 1, code, .min = 1, .max = 40, .format = &format_slug),
        F(warehouse_new, 2, name, .min = 1, .max = 200),
        F(warehouse_new, 3, country, .format = &format_country));
MESSAGE(product_ref, "a product", F(product_ref, 1, product_id));
MESSAGE(level_row, "stock in a warehouse",
        F(level_row, 1, warehouse_id),
        F(level_row, 2, code),
        F(level_row, 3, quantity));
MESSAGE(product_stock, "the stock of a product",
        F(product_stock, 1, product_id),
        F(product_stock, 2, available, .doc = "Free to be sold, in all warehouses."),
        F(product_stock, 3, held, .doc = "Held for orders that are being placed."),
        F_LIST(product_stock, 4, warehouses, level_row));
MESSAGE(held_sum, "what is held", F(held_sum, 1, held));
MESSAGE(balance, "every unit of a product: on_hand + held + sold = received + adjusted",
        F(balance, 1, product_id),
        F(balance, 2, on_hand),
        F(balance, 3, held),
        F(balance, 4, sold),
        F(balance, 5, received),
        F(balance, 6, adjusted));
MESSAGE(adjustment, "stock that was counted anew, lost or found",
        F(adjustment, 1, product_id),
        F(adjustment, 2, warehouse_id, .optional = true, .doc = "The default warehouse unless said."),
        F(adjustment, 3, delta, .min = -1000000, .max = 1000000, .doc = "Units more, or less when negative; not 0."),
        F(adjustment, 4, reason, .min = 1, .max = 200));
MESSAGE(arrival, "goods that came in",
        F(arrival, 1, product_id),
        F(arrival, 2, warehouse_id, .optional = true, .doc = "The default warehouse unless said."),
        F(arrival, 3, quantity, .min = 1, .max = 1000000),
        F(arrival, 4, note, .optional = true, .max = 200));
MESSAGE(adjusted, "a movement, and what is in that warehouse after it",
        F(adjusted, 1, id),
        F(adjusted, 2, product_id),
        F(adjusted, 3, warehouse_id),
        F(adjusted, 4, delta),
        F(adjusted, 5, quantity),
        F(adjusted, 6, reason),
        F(adjusted, 7, at));
MESSAGE(change, "a row of movement",
        F(change, 1, id), F(change, 2, product_id), F(change, 3, warehouse_no), F(change, 4, delta), F(change, 5, kind), F(change, 6, at),
        F(change, 7, reason), F(change, 8, by_user, .optional = true));
MESSAGE(changed, "stock after a change", F(changed, 1, quantity));
MESSAGE(receipt, "some of a product that came in", F(receipt, 1, product_id), F(receipt, 2, quantity, .min = 1, .max = 1000000));
MESSAGE(delivery_note, "a delivery into the default warehouse", F_LIST(delivery_note, 1, receipts, receipt, .min = 1, .max = 20000));
MESSAGE(receive_row, "a row of a delivery", F(receive_row, 1, id), F(receive_row, 2, product_id), F(receive_row, 3, quantity));
MESSAGE(receiving, "a delivery's rows", F(receiving, 1, warehouse_no), F_LIST(receiving, 2, rows, receive_row));
MESSAGE(movement_filter, "which movements", F(movement_filter, 1, product_id), PAGE_FIELDS(movement_filter, 2));
MESSAGE(movement, "a movement of stock",
        F(movement, 1, id, .doc = "The order of a sale, else the movement's own."),
        F(movement, 2, line),
        F(movement, 9, no, .internal = true),
        F(movement, 3, product_id),
        F(movement, 4, warehouse_id),
        F(movement, 5, delta),
        F(movement, 6, kind, .names = kind_names),
        F(movement, 7, at),
        F(movement, 8, reason, .optional = true));
MESSAGE(movement_page, "movements, a page", F_LIST(movement_page, 1, items, movement), PAGE_LINK_FIELDS(movement_page, 2));

const struct event stock_changed = { "stock.changed", &stock_level_type, "product_id", "A product ran out, came back, or was received or adjusted." };

/* ---- warehouses --------------------------------------------------------------------------------------------------------- */

struct state { struct cache *warehouses; };             /* the whole list under one key, for a second */

static int warehouses_load(struct ctx *c, const void *arg, void *out)
{
        (void)arg;
        return warehouses_all(db(c), &(struct nothing){ 0 }, &((struct warehouses *)out)->items);
}

static int warehouses_get(struct ctx *c, const struct nothing *in, struct warehouses *out)
{
        (void)in;
        return cache_once(c, ((struct state *)unit_state(c))->warehouses, STR("all"), warehouses_load, NULL, out);
}

static int warehouse_find(struct ctx *c, uid id, struct warehouse *out)
{
        struct warehouses all;

        TRY(warehouses_get(c, &(struct nothing){ 0 }, &all));
        for (size_t i = 0; i < all.items.n; i++)
                if (uid_is_zero(id) ? all.items.v[i].is_default : uid_eq(all.items.v[i].id, id))
                        return *out = all.items.v[i], 0;
        flaw_add(c, STR("/warehouse_id"), "no_such_warehouse", "there is no such warehouse");
        return flaws_fail(c);
}

static int warehouse_open(struct ctx *c, const struct warehouse_new *in, struct warehouse *out)
{
        when now = clock_now();
        struct warehouse w = { .id = uid_v7(now), .code = in->code, .name = in->name, .country = in->country, .created_at = now };
        int r;

        TX(tx, c);
        r = warehouse_insert(tx, &w, out);
        if (r == -ALREADY_EXISTS)
                return fail(c, ALREADY_EXISTS, "warehouse_exists", "there is a warehouse with code " STR_FMT, STR_ARG(in->code));
        TRY(r);
        TRY(tx_commit(tx));
        cache_drop(((struct state *)unit_state(c))->warehouses, STR("all"));
        return 0;
}

/* ---- stock -------------------------------------------------------------------------------------------------------------- */

/* Is there such a product? Its price is of no interest here. */
static int product_must_exist(struct ctx *c, uid id)
{
        struct quote q;
        int r = catalog_quote_call(c, &(struct basket){ { &(struct item){ id, 1 }, 1 } }, &q);

        if (r != -INVALID_ARGUMENT)
                return r < 0 ? r : 0;
        fault_clear(c);
        flaw_add(c, STR("/product_id"), "no_such_product", "there is no such product");
        return flaws_fail(c);
}

enum { STOCK_MAX = 1000000000 };        /* of a product in a warehouse */

/* All stock of the product is locked, so what is said of it is what the next one finds. */
static int stock_move(struct ctx *c, const struct change *move, const struct warehouse *w, struct adjusted *out)
{
        struct product_id product = { move->product_id };
        struct stock_row_list rows;
        struct changed after = { 0 };
        int64_t available = 0, here = 0;

        TX(tx, c);
        TRY(stock_lock(tx, &(struct hold_keys){ .products = { &product, 1 } }, &rows));
        for (size_t i = 0; i < rows.n; i++) {
                available += rows.v[i].quantity;
                if (rows.v[i].warehouse_no == w->no) here = rows.v[i].quantity;
        }
        if (here + move->delta < 0)
                return fail(c, FAILED_PRECONDITION, "not_enough_stock", "fewer than %d are free in warehouse " STR_FMT, -move->delta, STR_ARG(w->code));
        if (here + move->delta > STOCK_MAX)
                return fail(c, FAILED_PRECONDITION, "too_much_stock", "a warehouse takes %d units of a product at most", STOCK_MAX);
        TRY(stock_add(tx, move, &after));
        *out = (struct adjusted){ move->id, move->product_id, w->id, move->delta, after.quantity, move->reason, move->at };
        TRY(movement_insert_later(tx, move));
        TRY(emit(tx, &stock_changed, &(struct stock_level){ move->product_id, available + after.quantity - here }));
        return tx_commit(tx);
}

static int stock_adjust(struct ctx *c, const struct adjustment *in, struct adjusted *out)
{
        when now = clock_now();
        struct warehouse w;

        if (in->delta == 0) {
                flaw_add(c, STR("/delta"), "too_small", "must not be 0");
                return flaws_fail(c);
        }
        TRY(product_must_exist(c, in->product_id));
        TRY(warehouse_find(c, in->warehouse_id, &w));
        return stock_move(c, &(struct change){ uid_v7(now), in->product_id, w.no, in->delta, ADJUSTED, now, in->reason, caller_id(c) }, &w, out);
}

static int stock_arrive(struct ctx *c, const struct arrival *in, struct adjusted *out)
{
        when now = clock_now();
        str note = in->note.p ? in->note : STR("receipt");
        struct warehouse w;

        TRY(product_must_exist(c, in->product_id));
        TRY(warehouse_find(c, in->warehouse_id, &w));
        return stock_move(c, &(struct change){ uid_v7(now), in->product_id, w.no, in->quantity, RECEIVED, now, note, caller_id(c) }, &w, out);
}

static int inventory_receive(struct ctx *c, const struct delivery_note *in, struct nothing *out)
{
        struct receiving r = { .rows = { arena_many(c->arena, struct receive_row, in->receipts.n), in->receipts.n } };
        struct hold_keys k = { .products = { arena_many(c->arena, struct product_id, in->receipts.n), in->receipts.n } };
        struct stock_row_list locked;
        struct stock_level_list levels;
        struct warehouse w;
        when now = clock_now();

        (void)out;
        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the delivery note is too long");
        TRY(warehouse_find(c, (uid){ { 0 } }, &w));
        r.warehouse_no = w.no;
        for (size_t i = 0; i < in->receipts.n; i++) {
                r.rows.v[i] = (struct receive_row){ uid_v7(now), in->receipts.v[i].product_id, in->receipts.v[i].quantity };
                k.products.v[i].id = in->receipts.v[i].product_id;
        }
        TX(tx, c);
        TRY(stock_lock(tx, &k, &locked));
        TRY(stock_receive_later(tx, &r));
        TRY(movements_receive_later(tx, &r));
        TRY(levels_of(tx, &k, &levels));
        for (size_t i = 0; i < levels.n; i++)
                TRY(emit(tx, &stock_changed, &levels.v[i]));
        return tx_commit(tx);
}

static int stock_get(struct ctx *c, const struct product_ref *in, struct product_stock *out)
{
        struct held_sum held;

        *out = (struct product_stock){ .product_id = in->product_id };
        TRY(stock_of(db(c), in, &out->warehouses));
        if (out->warehouses.n == 0) {
                int r = product_must_exist(c, in->product_id);
                if (r == -INVALID_ARGUMENT)
                        return fail(c, NOT_FOUND, "no_such_product", "there is no such product");
                TRY(r);
        }
        TRY(held_of(db(c), in, &held));
        for (size_t i = 0; i < out->warehouses.n; i++)
                out->available += out->warehouses.v[i].quantity;
        out->held = held.held;
        return 0;
}

static int balance_get(struct ctx *c, const struct product_ref *in, struct balance *out)
{
        return balance_of(db(c), in, out);
}

static const struct paging movements_paging = PAGING(movement_filter, movement, { "-at", &movements_newest_query, "no" });

static int movements_list(struct ctx *c, const struct movement_filter *in, struct movement_page *out)
{
        struct movement_filter f = *in;
        return page_query(c, &movements_paging, &f, &out->items, &out->next, &out->prev);
}

static int start(struct ctx *c, void *state)
{
        (void)c;
        ((struct state *)state)->warehouses = cache_open("warehouses", &warehouses_type, 1, SECONDS(1));
        return 0;
}

static void stop(struct ctx *c, void *state)
{
        (void)c;
        cache_close(&((struct state *)state)->warehouses);
}

/* ---- tables --------------------------------------------------------------------------------------------------------------- */

/*  operation          takes            gives         */
OP( warehouses_get,    nothing,         warehouses    );
OP( warehouse_open,    warehouse_new,   warehouse     );
OP( stock_get,         product_ref,     product_stock );
OP( balance_get,       product_ref,     balance       );
OP( stock_adjust,      adjustment,      adjusted      );
OP( stock_arrive,      arrival,         adjusted      );
OP( movements_list,    movement_filter, movement_page );
OP( inventory_receive, delivery_note,   nothing       );

#define REFUSES(...) .slugs = (const char *const[]){ __VA_ARGS__, NULL }

const struct service inventory_service = {
        .name = "inventory",
        .doc  = "Knows what lies in which warehouse, holds it for orders, and keeps the ledger of every unit.",
        .has_db = true,
        ROUTES(
                GET( "/v1/inventory/{product_id}", stock_get, .who = ANYONE, .doc = "The stock of a product, by warehouse.", REFUSES("no_such_product")),
                GET( "/v1/inventory/{product_id}/balance", balance_get, .who = STAFF, .scope = "inventory:read",
                     .doc = "Every unit of a product: where it came from and where it is."),
                GET( "/v1/inventory/{product_id}/movements", movements_list, .who = STAFF, .scope = "inventory:read", .page = &movements_paging,
                     .doc = "The ledger of a product, newest first."),
                POST("/v1/inventory/adjustments", stock_adjust, .who = STAFF, .scope = "inventory:write", .idempotent = true, .status = 201,
                     .doc = "Counts stock anew: more or fewer units, with the reason.", REFUSES("no_such_product", "no_such_warehouse", "not_enough_stock", "too_much_stock")),
                POST("/v1/inventory/receipts", stock_arrive, .who = STAFF, .scope = "inventory:write", .idempotent = true, .status = 201,
                     .doc = "Books goods that came in.", REFUSES("no_such_product", "no_such_warehouse", "too_much_stock")),
                GET( "/v1/warehouses", warehouses_get, .who = STAFF, .scope = "inventory:read", .doc = "All warehouses."),
                POST("/v1/warehouses", warehouse_open, .who = ADMIN, .scope = "inventory:write", .idempotent = true, .status = 201,
                     .doc = "Opens a warehouse.", REFUSES("warehouse_exists"))),
        CALLS(&inventory_hold_op, &inventory_receive_op),
        CONSUMES(
                ON(order_confirmed, hold_commit),
                ON(order_rejected,  hold_release)),
        JOBS(EVERY(SECONDS(5), "sweep-holds", holds_sweep)),
        EMITS(&stock_changed),
        SLUGS({ "out_of_stock",      409, "Fewer units are free than were asked for; nothing was taken." },
              { "not_enough_stock",  409, "An adjustment would take more than is free in that warehouse." },
              { "too_much_stock",    409, "A warehouse takes a thousand million units of a product at most." },
              { "hold_differs",      409, "The order already holds other items under this attempt." },
              { "attempt_is_over",   409, "A later attempt of the order holds its stock." },
              { "no_such_warehouse", 400, "There is no warehouse with that id." },
              { "warehouse_exists",  409, "There is a warehouse with that code." }),
        .migrations  = inventory_migrations,
        .queries     = inventory_queries,
        .settings    = inventory_settings,
        .state_bytes = sizeof(struct state),
        .start       = start,
        .stop        = stop,
};
