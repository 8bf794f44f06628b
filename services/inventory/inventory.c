/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * inventory.c - warehouses, the stock of products in them, and the ledger of every unit that came, went or was counted anew.
 *
 * For every product and warehouse: on hand + held + sold = received + adjusted + transferred + cancelled + returned, at every moment an outsider can
 * look; nothing is ever negative. This file has the ways in; stock.h says which file is behind which. */
#include "cache.h"
#include "config.h"
#include "orders/orders.h"
#include "stock.h"
#include "inventory_sql.h"

MESSAGE(stock_level, "how much of a product is free to be sold", F(stock_level, 1, product_id), F(stock_level, 2, available));
MESSAGE(stock_warning, "little of a product is left",
        F(stock_warning, 1, product_id),
        F(stock_warning, 2, available),
        F(stock_warning, 3, low, .doc = "Its threshold."));

const struct event stock_changed = { "stock.changed", &stock_level_type,   "product_id", "A product ran out, came back, or was received, adjusted or taken back." };
const struct event stock_low     = { "stock.low",     &stock_warning_type, "product_id", "What is available of a product went down to its threshold; once each time." };
const struct event stock_out     = { "stock.out",     &stock_level_type,   "product_id", "The last unit of a product is held or gone; once each time." };

static const struct setting inventory_settings[] = {
        { "inventory.hold-time", SET_MS, "15m", SECONDS(1), HOURS(24), false, "How long stock is held for an order before orders is asked to abandon it." },
        { "inventory.sweep-every", SET_MS, "5s", 100, HOURS(1), false, "How often it is looked for holds that have run out." },
        { "inventory.allocation", SET_STR, "nearest", .doc = "Which warehouse an order is filled from: nearest (to the country it is sent to, then the fullest) or fullest." },
        { "inventory.low-stock", SET_INT, "5", 0, STOCK_MAX, false, "With so many units available, or fewer, a product is low, unless it has a threshold of its own; 0: none is." },
        { 0 },
};

static int start(struct ctx *c, void *state)
{
        struct state *s = state;
        str policy = config_str(config(c), "inventory.allocation");

        if (str_eq(policy, STR("nearest"))) s->allocation = NEAREST;
        else if (str_eq(policy, STR("fullest"))) s->allocation = FULLEST;
        else return fail(c, INVALID_ARGUMENT, "bad_setting", "inventory.allocation must be nearest or fullest, not \"" STR_FMT "\"", STR_ARG(policy));
        s->low = (int32_t)config_int(config(c), "inventory.low-stock");
        s->sites = cache_open("warehouses", &sites_type, 1, SECONDS(1));
        return 0;
}

static void stop(struct ctx *c, void *state)
{
        (void)c;
        cache_close(&((struct state *)state)->sites);
}

/* ---- tables --------------------------------------------------------------------------------------------------------------- */

#define REFUSES(...) .slugs = (const char *const[]){ __VA_ARGS__, NULL }
#define READS        .who = STAFF, .scope = "inventory:read"
#define WRITES       .who = STAFF, .scope = "inventory:write"
#define MANAGES      .who = ADMIN, .scope = "inventory:write"

const struct service inventory_service = {
        .name = "inventory",
        .doc  = "Knows what lies in which warehouse, holds it for orders, and keeps the ledger of every unit.",
        .has_db = true,
        ROUTES(
                GET(   "/v1/inventory", levels_list, READS, .page = &levels_paging, .doc = "How much is left of each product; those that are low or out, if asked."),
                GET(   "/v1/inventory/{product_id}", stock_get, .who = ANYONE, .doc = "The stock of a product, by warehouse.", REFUSES("no_such_product")),
                GET(   "/v1/inventory/balances/{product_id}", balance_get, READS, .doc = "Every unit of a product: where it came from and where it is."),
                GET(   "/v1/inventory/movements/{product_id}", movements_list, READS, .page = &movements_paging, .doc = "The ledger of a product, newest first."),
                GET(   "/v1/inventory/thresholds/{product_id}", threshold_get, READS, .version = "version", .doc = "When a product is low.", REFUSES("no_such_product")),
                PUT(   "/v1/inventory/thresholds/{product_id}", threshold_set, WRITES, .version = "version", .if_match = NEEDS_IF_MATCH,
                       .doc = "Sets when a product is low.", REFUSES("no_such_product")),
                DELETE("/v1/inventory/thresholds/{product_id}", threshold_reset, WRITES, .if_match = NEEDS_IF_MATCH,
                       .doc = "The default threshold applies to a product again.", REFUSES("no_such_product")),
                GET(   "/v1/inventory/allocations/{order_id}", parts_get, READS, .doc = "Which warehouses fill an order.", REFUSES("no_such_order")),
                POST(  "/v1/inventory/adjustments", stock_adjust, WRITES, .idempotent = true, .status = 201, .location = "/v1/inventory/adjustments/{id}",
                       .doc = "Counts stock anew: more or fewer units, with the reason.", REFUSES("no_such_product", "no_such_warehouse", "not_enough_stock", "too_much_stock")),
                GET(   "/v1/inventory/adjustments/{id}", adjustment_get, READS, .doc = "Stock that was counted anew.", REFUSES("no_such_adjustment")),
                POST(  "/v1/inventory/receipts", goods_receive, WRITES, .idempotent = true, .status = 201, .location = "/v1/inventory/receipts/{id}",
                       .doc = "Books goods that came in.", REFUSES("no_such_product", "no_such_warehouse", "too_much_stock")),
                GET(   "/v1/inventory/receipts/{id}", receipt_get, READS, .doc = "Goods that came in.", REFUSES("no_such_receipt")),
                POST(  "/v1/inventory/transfers", goods_transfer, WRITES, .idempotent = true, .status = 201, .location = "/v1/inventory/transfers/{id}",
                       .doc = "Moves units from one warehouse to another: all of them or none.",
                       REFUSES("no_such_warehouse", "same_warehouse", "not_enough_stock", "too_much_stock")),
                GET(   "/v1/inventory/transfers/{id}", transfer_get, READS, .doc = "Units that went from one warehouse to another.", REFUSES("no_such_transfer")),
                GET(   "/v1/warehouses", warehouses_list, READS, .page = &warehouses_paging, .doc = "Warehouses by code."),
                POST(  "/v1/warehouses", warehouse_open, MANAGES, .idempotent = true, .status = 201, .location = "/v1/warehouses/{id}", .version = "version",
                       .doc = "Opens a warehouse.", REFUSES("warehouse_exists", "too_many_warehouses")),
                GET(   "/v1/warehouses/{id}", warehouse_get, READS, .version = "version", .doc = "A warehouse.", REFUSES("no_such_warehouse")),
                PUT(   "/v1/warehouses/{id}", warehouse_replace, MANAGES, .version = "version", .if_match = NEEDS_IF_MATCH,
                       .doc = "Says anew what a warehouse is.", REFUSES("no_such_warehouse", "warehouse_exists", "default_warehouse")),
                PATCH( "/v1/warehouses/{id}", warehouse_replace, MANAGES, .version = "version", .if_match = NEEDS_IF_MATCH, .patches = &warehouse_stands_op,
                       .doc = "Changes something of a warehouse.", REFUSES("no_such_warehouse", "warehouse_exists", "default_warehouse")),
                DELETE("/v1/warehouses/{id}", warehouse_close, MANAGES, .if_match = NEEDS_IF_MATCH,
                       .doc = "Closes a warehouse for good; it must be empty.", REFUSES("no_such_warehouse", "warehouse_not_empty", "default_warehouse")),
                GET(   "/v1/warehouses/{id}/stock", shelves_list, READS, .page = &shelves_paging, .doc = "What lies in a warehouse.", REFUSES("no_such_warehouse"))),
        CALLS(&inventory_hold_op, &inventory_receive_op),
        CONSUMES(
                ON(order_confirmed, hold_commit),
                ON(order_rejected,  hold_release),
                ON(order_cancelled, order_take_back),
                ON(order_returned,  return_take_back)),
        JOBS(EVERY_AS("inventory.sweep-every", "sweep-holds", holds_sweep), EVERY(SECONDS(5), "tell-openings", openings_tell)),
        EMITS(&stock_changed, &stock_low, &stock_out),
        CONSTRAINTS({ "warehouse_exists",      "warehouse_exists", "there is a warehouse with this code" },
                    { "one_default_warehouse", "conflict",         "another change of the warehouses came first; try again" }),
        SLUGS({ "out_of_stock",        409, "Fewer units are free than were asked for; nothing was taken." },
              { "not_enough_stock",    409, "An adjustment or transfer would take more than is free in that warehouse." },
              { "too_much_stock",      409, "A warehouse takes a thousand million units of a product at most." },
              { "hold_differs",        409, "The order already holds other items under this attempt." },
              { "attempt_is_over",     409, "A later attempt of the order holds its stock." },
              { "no_such_warehouse",   404, "There is no warehouse with that id (400 when it is named in a body)." },
              { "no_such_adjustment",  404, "There is no adjustment with that id." },
              { "no_such_receipt",     404, "There is no receipt with that id." },
              { "no_such_transfer",    404, "There is no transfer with that id." },
              { "same_warehouse",      400, "A transfer goes from one warehouse to another." },
              { "warehouse_exists",    409, "There is a warehouse with that code." },
              { "warehouse_not_empty", 409, "A warehouse can be deleted only when nothing lies in it and nothing is held there." },
              { "default_warehouse",   409, "The default warehouse stays, and stays active, until another one is made the default." },
              { "too_many_warehouses", 409, "There may be 1,000 warehouses at most." }),
        .migrations  = inventory_migrations,
        .queries     = inventory_queries,
        .settings    = inventory_settings,
        .state_bytes = sizeof(struct state),
        .start       = start,
        .stop        = stop,
};
