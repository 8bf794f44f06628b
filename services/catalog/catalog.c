/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * catalog.c - products as they are read and quoted, and the service's tables.
 *
 * Read far more often than written: each worker keeps products it was asked for in memory for at most a second, so a price that is quoted is at most a second old, and
 * reading a popular product costs no database. list.c lists, edit.c writes one by hand, tree.c is the tree of categories, write.c writes many,
 * import.c takes many at once, fresh.c and seed.c make some up. */
#include "catalog/catalog.h"
#include "catalog_sql.h"
#include "config.h"
#include "import.h"
#include "inventory/inventory.h"
#include "product.h"

/* ---- messages ------------------------------------------------------------------------------------------------------------------- */

struct product_key      { uid id; };
DECLARE_LIST(product_key);
struct product_keys     { struct product_key_list keys; };
/* What an order needs to know of a product. */
struct offer            { uid id; str name; money price; int32_t vat_bp, version; };
DECLARE_LIST(offer);
struct heard            { uid id; int64_t available; };
DECLARE_LIST(heard);
struct hearsay          { struct heard_list rows; };

MESSAGE(item, "some of a product",
        F(item, 1, product_id),
        F(item, 2, quantity, .min = 1, .max = IMPORT_QUANTITY_MAX));
MESSAGE(product_key, "a product", F(product_key, 1, id));
MESSAGE(product_keys, "products", F_LIST(product_keys, 1, keys, product_key));
MESSAGE(offer, "what an order needs to know of a product", F(offer, 1, id), F(offer, 2, name), F(offer, 3, price), F(offer, 4, vat_bp), F(offer, 5, version));
MESSAGE(product, "a product",
        F(product, 1, id),
        F(product, 2, sku),
        F(product, 3, name),
        F(product, 4, description, .max = 20000),
        F(product, 5, brand),
        F(product, 6, category_id, .optional = true),
        F(product, 7, category, .optional = true, .doc = "Names from the root down."),
        F_LIST(product, 15, categories, str, .doc = "Where it stands as well."),
        F_LIST(product, 16, tags, str),
        F(product, 8, price, .doc = "Of one, VAT included."),
        F(product, 9, vat_bp, .doc = "The VAT rate in hundredths of a percent."),
        F(product, 10, version, .doc = "Of the price: each change makes a new one."),
        F(product, 17, revision, .doc = "Of all but in_stock: each change makes a new one."),
        F(product, 18, in_stock, .doc = "Whether some of it is to be had; a moment behind the warehouses."),
        F(product, 19, owner, .optional = true, .doc = "The vendor whose product it is; absent: the house's own."),
        F_LIST(product, 11, images, str),
        F_LIST(product, 12, attributes, attribute),
        F(product, 13, created_at),
        F(product, 14, updated_at));
MESSAGE(basket, "what somebody wants to know the price of", F_LIST(basket, 1, items, item, .min = 1, .max = IMPORT_ITEMS_MAX));
MESSAGE(quote_line, "the price of a line",
        F(quote_line, 1, product_id),
        F(quote_line, 2, name),
        F(quote_line, 3, quantity),
        F(quote_line, 4, price),
        F(quote_line, 5, total),
        F(quote_line, 6, vat_bp),
        F(quote_line, 7, version));
MESSAGE(quote, "the price of a basket", F_LIST(quote, 1, lines, quote_line), F(quote, 2, total));
MESSAGE(heard, "stock as inventory tells of it", F(heard, 1, id), F(heard, 2, available));
MESSAGE(hearsay, "what was heard", F_LIST(hearsay, 1, rows, heard));

static const struct setting catalog_settings[] = {
        { "catalog.currency", SET_STR, "EUR", .doc = "The shop's own currency (ISO 4217): what lists are filtered and sorted by price in when nothing else is said." },
        { 0 },
};

/* ---- products -------------------------------------------------------------------------------------------------------------------- */

void product_forget(struct ctx *c, uid id)
{
        cache_drop(shelf(c)->products, uid_key(&id));
        cache_drop(shelf(c)->offers, uid_key(&id));
}

int catalog_commit(struct db *tx)
{
        struct ctx *c = db_ctx(tx);
        int r = tx_commit(tx);

        kept_forget(c);                              /* also after a failure: it may have committed */
        return r;
}

static int product_load(struct ctx *c, const void *arg, void *out)
{
        return product_by_id(db(c), arg, out);
}

/* What is in memory is lent: the answer is written before this fiber waits again. */
static int product_get(struct ctx *c, const struct product_key *in, struct product *out)
{
        const struct product *p = cache_get(shelf(c)->products, uid_key(&in->id));
        int r;

        if (p)
                return *out = *p, 0;
        r = cache_once(c, shelf(c)->products, uid_key(&in->id), product_load, in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_product", "there is no such product") : r;
}

/* ---- quotes ----------------------------------------------------------------------------------------------------------------------- */

/* Brings offers into memory, for all who miss some at that moment in one statement. */
CONTRACT(offers_fetch, product_keys, nothing)
BATCHED(offers_fetch, product_keys, nothing);
static int offers_fetch(struct ctx *c, struct batch *b)
{
        struct product_keys keys = { 0 };
        struct offer_list found;
        size_t n = 0;

        EACH_CALL(v, b) n += offers_fetch_in(v)->keys.n;
        struct map *asked AUTO(map_end) = map_new(n + 1, MAP_REFUSES, NULL);
        keys.keys.v = arena_many(c->arena, struct product_key, n);
        if (!keys.keys.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        EACH_CALL(v, b)
                for (size_t i = 0; i < offers_fetch_in(v)->keys.n; i++) {
                        const struct product_key *k = &offers_fetch_in(v)->keys.v[i];
                        if (map_get(asked, uid_key(&k->id))) continue;
                        TRY(map_put(asked, uid_key(&k->id), (void *)k));
                        keys.keys.v[keys.keys.n++] = *k;
                }
        TRY(offers_by_ids(db(c), &keys, &found));
        for (size_t i = 0; i < found.n; i++)
                (void)cache_put(shelf(c)->offers, uid_key(&found.v[i].id), &found.v[i]);      /* without room it is fetched again next time */
        return 0;
}

/* Those that are in memory; the others are NULL and listed in *missing. */
static void offers_look(struct ctx *c, const struct basket *in, const struct offer **of, struct product_keys *missing)
{
        missing->keys.n = 0;
        for (size_t i = 0; i < in->items.n; i++) {
                of[i] = cache_get(shelf(c)->offers, uid_key(&in->items.v[i].product_id));
                if (!of[i]) missing->keys.v[missing->keys.n++].id = in->items.v[i].product_id;
        }
}

/* Each item's offer, NULL where there is none: all from memory or all in one statement, since what is in memory may go while the database is
 * waited for. Good until the next wait. */
static int offers_bring(struct ctx *c, const struct basket *in, const struct offer **of)
{
        struct product_keys keys = { { arena_many(c->arena, struct product_key, in->items.n), 0 } };
        struct offer_list all;

        if (!keys.keys.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the basket is too large");
        offers_look(c, in, of, &keys);
        if (!keys.keys.n)
                return 0;
        TRY(offers_fetch_call(c, &keys, &(struct nothing){ 0 }));
        offers_look(c, in, of, &keys);
        if (!keys.keys.n)
                return 0;
        for (size_t i = 0; i < in->items.n; i++) keys.keys.v[i].id = in->items.v[i].product_id;
        keys.keys.n = in->items.n;
        TRY(offers_by_ids(db(c), &keys, &all));               /* some do not exist, or memory had no room for all */
        for (size_t i = 0; i < in->items.n; i++) {
                of[i] = NULL;
                for (size_t k = 0; k < all.n && !of[i]; k++)
                        if (uid_eq(all.v[k].id, keys.keys.v[i].id)) of[i] = &all.v[k];
        }
        return 0;
}

static void quote_add(struct ctx *c, struct quote *q, size_t i, const struct item *item, const struct offer *p)
{
        struct quote_line *line = &q->lines.v[q->lines.n];

        if (!p) {
                flaw_add(c, arena_printf(c->arena, "/items/%zu/product_id", i), "no_such_product", "there is no such product");
                return;
        }
        *line = (struct quote_line){ item->product_id, arena_str(c->arena, p->name), item->quantity, p->price, p->price, p->vat_bp, p->version };
        if (money_times(p->price, item->quantity, &line->total) < 0)
                flaw_add(c, arena_printf(c->arena, "/items/%zu/quantity", i), "too_large", "costs more than can be counted");
        else if (money_add(q->total, line->total, &q->total) < 0)
                flaw_add(c, arena_printf(c->arena, "/items/%zu/product_id", i), "mixed_currencies", "is not sold in %s, as the items before it are", q->total.cur);
        q->lines.n++;
}

static int catalog_quote(struct ctx *c, const struct basket *in, struct quote *out)
{
        const struct offer **of = arena_many(c->arena, const struct offer *, in->items.n);

        if (!of)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the basket is too large");
        TRY(offers_bring(c, in, of));
        *out = (struct quote){ .lines = { arena_many(c->arena, struct quote_line, in->items.n), 0 } };
        if (!out->lines.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the basket is too large");
        for (size_t i = 0; i < in->items.n; i++)
                quote_add(c, out, i, &in->items.v[i], of[i]);
        return flaws_fail(c);
}

/* ---- stock --------------------------------------------------------------------------------------------------------------------------- */

/* What inventory said last of each product. Its events come in order; a statement that met a product twice would take either. */
BATCHED(stock_heard, stock_level, nothing);
static int stock_heard(struct ctx *c, struct batch *b)
{
        struct hearsay l = { { arena_many(c->arena, struct heard, b->n), 0 } };
        struct map *seen AUTO(map_end) = map_new(b->n + 1, MAP_REFUSES, NULL);

        if (!l.rows.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        EACH_CALL(v, b) {
                const struct stock_level *in = stock_heard_in(v);
                struct heard *there = map_get(seen, uid_key(&in->product_id));
                if (!there) TRY(map_put(seen, uid_key(&in->product_id), there = &l.rows.v[l.rows.n++]));
                *there = (struct heard){ in->product_id, in->available };
        }
        TX(tx, c);
        TRY(in_stock_set_later(tx, &l));
        return catalog_commit(tx);
}

static int start(struct ctx *c, void *state)
{
        str currency = config_str(config(c), "catalog.currency");

        if (!money_is_currency(currency))
                return fail(c, INVALID_ARGUMENT, "bad_setting", "catalog.currency: \"" STR_FMT "\" is not a currency of ISO 4217", STR_ARG(currency));
        *(struct shelf *)state = (struct shelf){ .products = cache_open("products", &product_type, 10000, SECONDS(1)),
                                                 .offers = cache_open("offers", &offer_type, 20000, SECONDS(1)) };
        return 0;
}

static void stop(struct ctx *c, void *state)
{
        (void)c;
        cache_close(&((struct shelf *)state)->products);
        cache_close(&((struct shelf *)state)->offers);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------------------------- */

/*  operation      takes        gives   */
OP( product_get,   product_key, product );
OP( catalog_quote, basket,      quote   );

#define REFUSES(...) .slugs = (const char *const[]){ __VA_ARGS__, NULL }
#define FRESH        .cache_control = "public, max-age=1"
#define WRITERS      .who = VENDORS, .scope = "catalog:write"
#define KEEPERS      .who = STAFF, .scope = "catalog:write"

const struct service catalog_service = {
        .name = "catalog",
        .doc  = "Knows the products, what they cost, and the tree of categories.",
        .has_db = true,
        ROUTES(
                GET( "/v1/products", products_list, .who = ANYONE, .page = &products_paging, FRESH, .keep_ms = SECONDS(1), .doc = "Products by filter, a page at a time."),
                POST("/v1/products", product_create, WRITERS, .idempotent = true, .status = 201, .location = "/v1/products/{id}", .version = "revision",
                     .doc = "A new product.", REFUSES("sku_taken")),
                RAW( POST, "/v1/products/import", products_import_page, .op = &products_import_op, WRITERS, .body_max = IMPORT_BODY_MAX, .timeout_ms = SECONDS(60),
                     .doc = "Up to 1,000 products by sku: new, changed, unchanged; bad rows are reported and the rest goes in."),
                POST("/v1/imports", import_begin, WRITERS, .idempotent = true, .status = 201, .location = "/v1/imports/{id}",
                     .doc = "Begins an import of any number of products."),
                GET( "/v1/imports", imports_list, WRITERS, .page = &imports_paging, .doc = "Own imports, the newest first; staff see all."),
                GET( "/v1/imports/{id}", import_get, WRITERS, .doc = "How far an import is.", REFUSES("no_such_import")),
                DELETE("/v1/imports/{id}", import_remove, WRITERS, .doc = "Forgets an import and its report; its products stay.", REFUSES("no_such_import")),
                RAW( POST, "/v1/imports/{id}/rows", import_part_page, .op = &import_part_op, WRITERS, .body_max = IMPORT_BODY_MAX, .timeout_ms = SECONDS(60),
                     .doc = "The next rows of an import, from where it is: bad ones are reported, the rest goes in; a part sent again does nothing.",
                     REFUSES("no_such_import", "import_elsewhere", "import_done", "import_too_long")),
                RAW( POST, "/v1/imports/{id}/file", import_piece_page, .op = &import_piece_op, WRITERS, .text = import_texts, .body_max = IMPORT_BODY_MAX,
                     .timeout_ms = SECONDS(60),
                     .doc = "The next rows of an import as a piece of its file: CSV, each piece with the header, or JSON Lines (application/x-ndjson, application/jsonl).",
                     REFUSES("no_such_import", "import_elsewhere", "import_done", "import_too_long", "bad_csv")),
                GET( "/v1/imports/{id}/errors", import_report, WRITERS, .page = &faults_paging, .doc = "What was wrong with which row.", REFUSES("no_such_import")),
                GET( "/v1/products/{id}", product_get, .who = ANYONE, .version = "revision", FRESH, .doc = "A product.", REFUSES("no_such_product")),
                PUT( "/v1/products/{id}", product_replace, WRITERS, .version = "revision", .if_match = NEEDS_IF_MATCH,
                     .doc = "Writes an own product anew; staff any.", REFUSES("no_such_product", "sku_taken")),
                PATCH("/v1/products/{id}", product_replace, WRITERS, .version = "revision", .if_match = NEEDS_IF_MATCH, .patches = &product_stands_op,
                     .doc = "Changes some of an own product; staff any.", REFUSES("no_such_product", "sku_taken")),
                DELETE("/v1/products/{id}", product_remove, WRITERS, .if_match = NEEDS_IF_MATCH, .doc = "Deletes an own product; staff any.", REFUSES("no_such_product")),
                GET( "/v1/products/{product_id}/prices", prices_list, .who = ANYONE, .page = &prices_paging, FRESH,
                     .doc = "What a product has cost, the newest price first.", REFUSES("no_such_product")),
                GET( "/v1/categories", categories_list, .who = ANYONE, .page = &categories_paging, FRESH, .doc = "Categories by path."),
                POST("/v1/categories", category_create, KEEPERS, .idempotent = true, .status = 201, .location = "/v1/categories/{id}", .version = "version",
                     .doc = "A new category.", REFUSES("category_exists", "no_such_category")),
                GET( "/v1/categories/{id}", category_get, .who = ANYONE, .version = "version", FRESH, .doc = "A category.", REFUSES("no_such_category")),
                PUT( "/v1/categories/{id}", category_replace, KEEPERS, .version = "version", .if_match = NEEDS_IF_MATCH,
                     .doc = "Renames or moves a category with all below it.", REFUSES("category_exists", "no_such_category")),
                PATCH("/v1/categories/{id}", category_replace, KEEPERS, .version = "version", .if_match = NEEDS_IF_MATCH, .patches = &category_stands_op,
                     .doc = "Renames or moves a category with all below it.", REFUSES("category_exists", "no_such_category")),
                DELETE("/v1/categories/{id}", category_remove, KEEPERS, .if_match = NEEDS_IF_MATCH, .doc = "Deletes an empty category.",
                     REFUSES("category_not_empty", "no_such_category")),
                GET( "/v1/brands", brands_list, .who = ANYONE, .page = &brands_paging, FRESH, .doc = "Brands by name.")),
        CALLS(&catalog_quote_op, &offers_fetch_op, &catalog_seed_op, &catalog_seed_done_op),
        CONSUMES(ON(stock_changed, stock_heard)),
        JOBS(EVERY(HOURS(1), "trim-imports", imports_trim)),
        EMITS(&product_created, &product_changed, &product_price_changed, &product_deleted),
        CONSTRAINTS({ "one_product_a_sku",   "sku_taken",       "there is a product with this sku" },
                    { "one_category_a_path", "category_exists", "there is such a category" }),
        SLUGS({ "no_such_product",    404, "There is no product with that id, or it is another vendor's and not the caller's to change (400 when it is named in a body)." },
              { "no_such_category",   404, "There is no category with that id (400 when it is named in a body)." },
              { "sku_taken",          409, "There is a product with that sku, or it belongs to another vendor." },
              { "category_exists",    409, "There is a category with that path." },
              { "category_not_empty", 409, "There are categories or products in it." },
              { "category_cycle",     400, "A category cannot be moved to below itself." },
              { "no_such_import",     404, "There is no import with that id, or it is somebody else's." },
              { "import_elsewhere",   409, "The import goes on from another row than the part does." },
              { "import_done",        409, "The import has had its last part." },
              { "import_too_long",    409, "An import has ten million rows at most." },
              { "bad_csv",            400, "The piece of a file is no CSV with a header." },
              { "mixed_currencies",   400, "The products of a basket are not all sold in one currency." }),
        .migrations  = catalog_migrations,
        .queries     = catalog_queries,
        .settings    = catalog_settings,
        .state_bytes = sizeof(struct shelf),
        .start       = start,
        .stop        = stop,
};
