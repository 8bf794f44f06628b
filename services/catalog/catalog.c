/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * catalog.c - products, what they cost, and where they stand in the tree of categories.
 *
 * Read far more often than written: each worker keeps products it was asked for in memory for at most a second, so a price that is quoted is at most a second old, and
 * reading a popular product costs no database. write.c writes, import.c takes many at once, seed.c makes some up. */
#include "catalog/catalog.h"
#include "catalog_sql.h"
#include "import.h"
#include "seed.h"
#include "write.h"

/* ---- messages ------------------------------------------------------------------------------------------------------------------- */

struct product_key      { uid id; };
DECLARE_LIST(product_key);
struct product_keys     { struct product_key_list keys; };
struct product          { uid id; str sku, name, description, brand; uid category_id; str category; money price; int32_t vat_bp, version;
                          struct str_list images; struct attribute_list attributes; when created_at, updated_at; };
DECLARE_LIST(product);
struct product_summary  { uid id; str sku, name, brand, category; money price; str image; when created_at; };
DECLARE_LIST(product_summary);
struct product_filter   { str q; struct str_list brand; uid category; int64_t price_min, price_max; str sku; PAGE_MEMBERS; };
struct product_page     { struct product_summary_list items; PAGE_LINKS; };
struct emptiness        { bool empty; };
struct category_ref     { uid id; };
struct category         { uid id, parent_id; str slug, name, path; when created_at; };
DECLARE_LIST(category);
struct category_new     { uid parent_id; str name; };
struct category_filter  { uid parent; PAGE_MEMBERS; };
struct category_page    { struct category_list items; PAGE_LINKS; };
struct brand            { uid id; str name; when created_at; };
DECLARE_LIST(brand);
struct brand_filter     { PAGE_MEMBERS; };
struct brand_page       { struct brand_list items; PAGE_LINKS; };


static const struct field image_url_scalar = { .name = "image", .size = sizeof(str), .align = _Alignof(str), .kind = K_STR, .min = 1, .max = 1000, .format = &format_url };
static const struct type image_url_type = { "image_url", "the address of a picture", sizeof(str), _Alignof(str), NULL, 0, &image_url_scalar };

MESSAGE(item, "some of a product",
        F(item, 1, product_id),
        F(item, 2, quantity, .min = 1, .max = IMPORT_QUANTITY_MAX));
MESSAGE(attribute, "a property of a product",
        F(attribute, 1, name, .min = 1, .max = 100),
        F(attribute, 2, value, .max = 2000));
MESSAGE(product_draft, "a product as it should be",
        F(product_draft, 1, sku, .min = 1, .max = 64, .example = "\"HAL-SWT-00421\"", .doc = "The seller's own number; unique."),
        F(product_draft, 2, name, .min = 1, .max = 300, .example = "\"Halden Merino Crew Sweater\""),
        F(product_draft, 3, description, .optional = true, .max = 20000),
        F(product_draft, 4, brand, .optional = true, .max = 100),
        F(product_draft, 5, category, .optional = true, .max = 500, .example = "\"Clothing > Sweaters\"", .doc = "Names from the root down; made when it is not there."),
        F(product_draft, 6, price, .doc = "Of one, VAT included; above 0, and 1,000,000,000 minor units at most."),
        F(product_draft, 7, vat_bp, .optional = true, .min = 1, .max = 10000, .doc = "The VAT rate in hundredths of a percent; 1900 unless said."),
        F_LIST(product_draft, 8, images, image_url, .optional = true, .max = IMAGES_MAX, .doc = "URLs."),
        F_LIST(product_draft, 9, attributes, attribute, .optional = true, .max = ATTRIBUTES_MAX));
MESSAGE(product_key, "a product", F(product_key, 1, id));
MESSAGE(product_keys, "products", F_LIST(product_keys, 1, keys, product_key));
MESSAGE(product, "a product",
        F(product, 1, id),
        F(product, 2, sku),
        F(product, 3, name),
        F(product, 4, description, .max = 20000),
        F(product, 5, brand),
        F(product, 6, category_id, .optional = true),
        F(product, 7, category, .optional = true, .doc = "Names from the root down."),
        F(product, 8, price, .doc = "Of one, VAT included."),
        F(product, 9, vat_bp, .doc = "The VAT rate in hundredths of a percent."),
        F(product, 10, version, .doc = "Of the price: each change makes a new one."),
        F_LIST(product, 11, images, str),
        F_LIST(product, 12, attributes, attribute),
        F(product, 13, created_at),
        F(product, 14, updated_at));
MESSAGE(product_summary, "a product in a list",
        F(product_summary, 1, id),
        F(product_summary, 2, sku),
        F(product_summary, 3, name),
        F(product_summary, 4, brand),
        F(product_summary, 5, category, .optional = true),
        F(product_summary, 6, price),
        F(product_summary, 7, image, .optional = true),
        F(product_summary, 8, created_at));
MESSAGE(product_filter, "which products",
        F(product_filter, 1, q, .optional = true, .max = 200, .doc = "A part of the name."),
        F_LIST(product_filter, 2, brand, str, .optional = true, .max = 50, .doc = "Any of these."),
        F(product_filter, 3, category, .optional = true, .doc = "This category and all below it."),
        F(product_filter, 4, price_min, .optional = true, .min = 0, .max = INT64_MAX, .doc = "In minor units."),
        F(product_filter, 5, price_max, .optional = true, .min = 0, .max = INT64_MAX, .doc = "In minor units."),
        F(product_filter, 6, sku, .optional = true, .max = 64),
        PAGE_FIELDS(product_filter, 7));
MESSAGE(product_page, "products, a page", F_LIST(product_page, 1, items, product_summary), PAGE_LINK_FIELDS(product_page, 2));
MESSAGE(emptiness, "is there nothing", F(emptiness, 1, empty));
MESSAGE(category_ref, "a category", F(category_ref, 1, id));
MESSAGE(category, "a category",
        F(category, 1, id),
        F(category, 2, parent_id, .optional = true),
        F(category, 3, slug),
        F(category, 4, name),
        F(category, 5, path),
        F(category, 6, created_at));
MESSAGE(category_new, "a category to be made",
        F(category_new, 1, parent_id, .optional = true, .doc = "Below which; a root unless said."),
        F(category_new, 2, name, .min = 1, .max = 100, .doc = "Without \" > \"."));
MESSAGE(category_filter, "which categories", F(category_filter, 1, parent, .optional = true, .doc = "Right below this one."), PAGE_FIELDS(category_filter, 2));
MESSAGE(category_page, "categories, a page", F_LIST(category_page, 1, items, category), PAGE_LINK_FIELDS(category_page, 2));
MESSAGE(brand, "a brand", F(brand, 1, id), F(brand, 2, name), F(brand, 3, created_at));
MESSAGE(brand_filter, "which brands", PAGE_FIELDS(brand_filter, 1));
MESSAGE(brand_page, "brands, a page", F_LIST(brand_page, 1, items, brand), PAGE_LINK_FIELDS(brand_page, 2));
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
MESSAGE(seeding, "products to be made up", F(seeding, 1, count, .min = 1, .max = 1000000), F(seeding, 2, seed));
MESSAGE(seeded, "products made up", F_LIST(seeded, 1, ids, uid, .max = 1000000));

struct state { struct cache *products; };

/* ---- products -------------------------------------------------------------------------------------------------------------------- */

static struct cache *products(struct ctx *c)
{
        return ((struct state *)unit_state(c))->products;
}

static int product_load(struct ctx *c, const void *arg, void *out)
{
        return product_by_id(db(c), arg, out);
}

/* What is in memory is lent: the answer is written before this fiber waits again. */
static int product_get(struct ctx *c, const struct product_key *in, struct product *out)
{
        const struct product *p = cache_get(products(c), uid_key(&in->id));
        int r;

        if (p)
                return *out = *p, 0;
        r = cache_once(c, products(c), uid_key(&in->id), product_load, in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_product", "there is no such product") : r;
}

static int product_create(struct ctx *c, const struct product_draft *in, struct product *out)
{
        uid id = { { 0 } };
        enum written what;

        draft_check(c, in);
        TRY(flaws_fail(c));
        id = uid_v7(clock_now());
        *out = (struct product){ .id = id, .sku = in->sku, .name = in->name, .description = in->description.p ? in->description : STR(""),
                .brand = in->brand.p ? in->brand : STR(""), .category = in->category, .price = in->price, .vat_bp = in->vat_bp ? in->vat_bp : 1900,
                .version = 1, .images = in->images, .attributes = in->attributes, .created_at = uid_time(id), .updated_at = uid_time(id) };
        return products_write(c, in, 1, &id, &what, &out->category_id);
}

static const struct paging products_paging = PAGING(product_filter, product_summary,
        { "-created_at", &products_newest_query,   "created_at" },
        { "created_at",  &products_oldest_query,   "created_at" },
        { "price",       &products_cheapest_query, "price" },
        { "-price",      &products_dearest_query,  "price" },
        { "name",        &products_named_query,    "name" });

/* A sku leads to one product at most, so there is nothing to walk. */
static const struct paging sku_paging = PAGING(product_filter, product_summary,
        { "-created_at", &products_by_sku_query, "created_at" },
        { "created_at",  &products_by_sku_query, "created_at" },
        { "price",       &products_by_sku_query, "price" },
        { "-price",      &products_by_sku_query, "price" },
        { "name",        &products_by_sku_query, "name" });

static int products_list(struct ctx *c, const struct product_filter *in, struct product_page *out)
{
        struct product_filter f = *in;
        return page_query(c, f.sku.p ? &sku_paging : &products_paging, &f, &out->items, &out->next, &out->prev);
}

/* ---- quotes ----------------------------------------------------------------------------------------------------------------------- */

/* Each item's product, NULL where there is none: all from memory or all in one statement, since what is in memory may go while the database is
 * waited for. Good until the next wait. */
static int products_bring(struct ctx *c, const struct basket *in, const struct product **of)
{
        struct product_keys keys = { { arena_many(c->arena, struct product_key, in->items.n), in->items.n } };
        struct product_list fetched;
        bool missing = false;

        if (!keys.keys.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the basket is too large");
        for (size_t i = 0; i < in->items.n; i++) {
                keys.keys.v[i].id = in->items.v[i].product_id;
                of[i] = cache_get(products(c), uid_key(&keys.keys.v[i].id));
                missing |= !of[i];
        }
        if (!missing)
                return 0;
        TRY(products_by_ids(db(c), &keys, &fetched));
        for (size_t i = 0; i < in->items.n; i++) {
                of[i] = NULL;
                for (size_t k = 0; k < fetched.n && !of[i]; k++)
                        if (uid_eq(fetched.v[k].id, keys.keys.v[i].id)) of[i] = &fetched.v[k];
        }
        for (size_t k = 0; k < fetched.n; k++)
                (void)cache_put(products(c), uid_key(&fetched.v[k].id), &fetched.v[k]);        /* without room it is fetched again next time */
        return 0;
}

static void quote_add(struct ctx *c, struct quote *q, size_t i, const struct item *item, const struct product *p)
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
        const struct product **of = arena_many(c->arena, const struct product *, in->items.n);

        if (!of)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the basket is too large");
        TRY(products_bring(c, in, of));
        *out = (struct quote){ .lines = { arena_many(c->arena, struct quote_line, in->items.n), 0 } };
        if (!out->lines.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the basket is too large");
        for (size_t i = 0; i < in->items.n; i++)
                quote_add(c, out, i, &in->items.v[i], of[i]);
        return flaws_fail(c);
}

/* ---- categories and brands ---------------------------------------------------------------------------------------------------------- */

static int category_get(struct ctx *c, const struct category_ref *in, struct category *out)
{
        int r = category_by_id(db(c), in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_category", "there is no such category") : r;
}

static int category_create(struct ctx *c, const struct category_new *in, struct category *out)
{
        when now = clock_now();
        struct category above = { 0 };
        int r = uid_is_zero(in->parent_id) ? 0 : category_by_id(db(c), &(struct category_ref){ in->parent_id }, &above);

        if (r == -NOT_FOUND) {
                fault_clear(c);
                flaw_add(c, STR("/parent_id"), "no_such_category", "there is no such category");
        } else {
                TRY(r);
        }
        if (str_find(in->name, '>') >= 0)
                flaw_add(c, STR("/name"), "bad_format", "must not have > in it");
        TRY(flaws_fail(c));
        *out = (struct category){ uid_v7(now), in->parent_id, category_slug(c, in->name), in->name, in->name, now };
        if (above.path.n)
                out->path = arena_printf(c->arena, STR_FMT " > " STR_FMT, STR_ARG(above.path), STR_ARG(in->name));
        TX(tx, c);
        r = category_insert(tx, out);
        if (r == -ALREADY_EXISTS)
                return fail(c, ALREADY_EXISTS, "category_exists", "there is a category " STR_FMT, STR_ARG(out->path));
        TRY(r);
        return tx_commit(tx);
}

static const struct paging categories_paging = PAGING(category_filter, category, { "path", &categories_all_query, "path" });
static const struct paging brands_paging     = PAGING(brand_filter, brand, { "name", &brands_all_query, "name" });

static int categories_list(struct ctx *c, const struct category_filter *in, struct category_page *out)
{
        struct category_filter f = *in;
        return page_query(c, &categories_paging, &f, &out->items, &out->next, &out->prev);
}

static int brands_list(struct ctx *c, const struct brand_filter *in, struct brand_page *out)
{
        struct brand_filter f = *in;
        return page_query(c, &brands_paging, &f, &out->items, &out->next, &out->prev);
}

/* ---- a fresh marketplace --------------------------------------------------------------------------------------------------------------- */

enum { SEED_STEP = 500 };

/* A batch's memory goes with it: a child of the seeding's context with an arena of its own. */
static int seed_some(struct ctx *c, const struct seeding *in, int32_t from, int32_t n, uid *ids)
{
        struct arena *arena = arena_new(32 * 1024 * 1024);
        struct ctx step = *c;
        struct product_draft *drafts = arena_many(arena, struct product_draft, (size_t)n);
        enum written *what = arena_many(arena, enum written, (size_t)n);
        int r;

        step.arena = arena;
        for (int32_t i = 0; i < n; i++)
                seed_product(arena, in->seed, from + i, &ids[i], &drafts[i]);
        r = products_write(&step, drafts, (size_t)n, ids, what, NULL);
        if (r < 0) fault_copy(c, &step);
        arena_free(arena);
        return r;
}

static int catalog_seed(struct ctx *c, const struct seeding *in, struct seeded *out)
{
        struct emptiness e;

        TRY(catalog_is_empty(db(c), &(struct nothing){ 0 }, &e));
        if (!e.empty)
                return 0;
        out->ids = (struct uid_list){ arena_many(c->arena, uid, (size_t)in->count), (size_t)in->count };
        if (!out->ids.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "so many products do not fit in memory");
        for (int32_t from = 0; from < in->count; from += SEED_STEP)
                TRY(seed_some(c, in, from, MIN(SEED_STEP, in->count - from), out->ids.v + from));
        return 0;
}

static int start(struct ctx *c, void *state)
{
        (void)c;
        ((struct state *)state)->products = cache_open("products", &product_type, 20000, SECONDS(1));
        return 0;
}

static void stop(struct ctx *c, void *state)
{
        (void)c;
        cache_close(&((struct state *)state)->products);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------------------------- */

/*  operation        takes            gives         */
OP( product_get,     product_key,     product       );
OP( product_create,  product_draft,   product       );
OP( products_list,   product_filter,  product_page  );
OP( category_get,    category_ref,    category      );
OP( category_create, category_new,    category      );
OP( categories_list, category_filter, category_page );
OP( brands_list,     brand_filter,    brand_page    );
OP( catalog_quote,   basket,          quote         );
OP( catalog_seed,    seeding,         seeded        );

#define REFUSES(...) .slugs = (const char *const[]){ __VA_ARGS__, NULL }
#define FRESH        .cache_control = "public, max-age=1"

const struct service catalog_service = {
        .name = "catalog",
        .doc  = "Knows the products, what they cost, and the tree of categories.",
        .has_db = true,
        ROUTES(
                GET( "/v1/products", products_list, .who = ANYONE, .page = &products_paging, FRESH, .doc = "Products by filter, a page at a time."),
                POST("/v1/products", product_create, .who = VENDORS, .scope = "catalog:write", .idempotent = true, .status = 201,
                     .location = "/v1/products/{id}", .doc = "A new product.", REFUSES("sku_taken")),
                RAW( POST, "/v1/products/import", products_import_page, .op = &products_import_op, .who = VENDORS, .scope = "catalog:write",
                     .body_max = 8 * 1024 * 1024, .timeout_ms = SECONDS(60),
                     .doc = "Up to 1,000 products by sku: new, changed, unchanged; bad rows are reported and the rest goes in."),
                GET( "/v1/products/{id}", product_get, .who = ANYONE, FRESH, .doc = "A product.", REFUSES("no_such_product")),
                GET( "/v1/categories", categories_list, .who = ANYONE, .page = &categories_paging, FRESH, .doc = "Categories by path."),
                POST("/v1/categories", category_create, .who = STAFF, .scope = "catalog:write", .idempotent = true, .status = 201,
                     .location = "/v1/categories/{id}", .doc = "A new category.", REFUSES("category_exists", "no_such_category")),
                GET( "/v1/categories/{id}", category_get, .who = ANYONE, FRESH, .doc = "A category.", REFUSES("no_such_category")),
                GET( "/v1/brands", brands_list, .who = ANYONE, .page = &brands_paging, FRESH, .doc = "Brands by name.")),
        CALLS(&catalog_quote_op, &catalog_seed_op),
        EMITS(&product_created, &product_changed),
        SLUGS({ "no_such_product",  404, "There is no product with that id (400 when it is named in a body)." },
              { "no_such_category", 404, "There is no category with that id (400 when it is named in a body)." },
              { "sku_taken",        409, "There is a product with that sku, or it belongs to another vendor." },
              { "category_exists",  409, "There is a category with that path." },
              { "mixed_currencies", 400, "The products of a basket are not all sold in one currency." }),
        .migrations  = catalog_migrations,
        .queries     = catalog_queries,
        .state_bytes = sizeof(struct state),
        .start       = start,
        .stop        = stop,
};
