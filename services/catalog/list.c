/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * list.c - products by filter, a page at a time, and brands.
 *
 * An order is a statement that walks an index; the filters are the same in all of them (catalog.sql: {matching}). Prices are only compared in
 * one currency: who filters or sorts by price and names none means the shop's own. Answers are kept whole for a second
 * (keep_ms in the table of routes). */
#include "app.h"
#include "buf.h"
#include "catalog_sql.h"
#include "config.h"
#include "json.h"
#include "product.h"

enum { HAVING_MAX = 10, HAVING_MAX_BYTES = 64 << 10 };

static const char *const stock_words[] = { "any", "true", "false", NULL };

struct product_summary { uid id; str sku, name, brand, category; money price; str image; bool in_stock; when created_at; };
DECLARE_LIST(product_summary);
struct product_filter  { str q; struct str_list brand; uid category; struct str_list tag, attribute; int32_t in_stock; uid owner; str currency;
                         int64_t price_min, price_max; str sku, having; PAGE_MEMBERS; };
struct product_page    { struct product_summary_list items; PAGE_LINKS; };
struct brand           { uid id; str name; when created_at; };
DECLARE_LIST(brand);
struct brand_filter    { PAGE_MEMBERS; };
struct brand_page      { struct brand_list items; PAGE_LINKS; };

MESSAGE(product_summary, "a product in a list",
        F(product_summary, 1, id),
        F(product_summary, 2, sku),
        F(product_summary, 3, name),
        F(product_summary, 4, brand),
        F(product_summary, 5, category, .optional = true),
        F(product_summary, 6, price),
        F(product_summary, 7, image, .optional = true),
        F(product_summary, 8, in_stock),
        F(product_summary, 9, created_at));
static bool is_pair(str s)
{
        str value = s, name = str_split(&value, ':');
        return name.n && value.p;
}

static const struct format format_pair = { "pair", is_pair, "^[^:,]+:[^,]*$", "must be a name, a colon and a value, like colour:red", "colour:red" };
static const struct field pair_scalar = { .name = "pair", .size = sizeof(str), .align = _Alignof(str), .kind = K_STR, .format = &format_pair };
static const struct type pair_type = { "pair", "a property", sizeof(str), _Alignof(str), NULL, 0, &pair_scalar };

MESSAGE(product_filter, "which products",
        F(product_filter, 1, q, .optional = true, .max = 200, .doc = "A part of the name."),
        F_LIST(product_filter, 2, brand, str, .optional = true, .max = 50, .doc = "Any of these."),
        F(product_filter, 3, category, .optional = true, .doc = "In this category or any below it."),
        F_LIST(product_filter, 4, tag, str, .optional = true, .max = 10, .doc = "With all of these."),
        F_LIST(product_filter, 5, attribute, pair, .optional = true, .max = HAVING_MAX, .doc = "With all of these, each a name, a colon and a value: `colour:red`."),
        F(product_filter, 6, in_stock, .optional = true, .names = stock_words, .doc = "Whether some of it is to be had."),
        F(product_filter, 7, owner, .optional = true, .doc = "Of this vendor."),
        F(product_filter, 8, currency, .optional = true, .format = &format_currency,
          .doc = "Sold in this currency (ISO 4217). Prices are compared in one only: with price_min, price_max or a sort by price it is the shop's own unless said."),
        F(product_filter, 9, price_min, .optional = true, .min = 0, .max = INT64_MAX, .doc = "In minor units of the currency."),
        F(product_filter, 10, price_max, .optional = true, .min = 0, .max = INT64_MAX, .doc = "In minor units of the currency."),
        F(product_filter, 11, sku, .optional = true, .max = 64),
        F(product_filter, 12, having, .optional = true, .internal = true),
        PAGE_FIELDS(product_filter, 13));
MESSAGE(product_page, "products, a page", F_LIST(product_page, 1, items, product_summary), PAGE_LINK_FIELDS(product_page, 2));
MESSAGE(brand, "a brand", F(brand, 1, id), F(brand, 2, name), F(brand, 3, created_at));
MESSAGE(brand_filter, "which brands", PAGE_FIELDS(brand_filter, 1));
MESSAGE(brand_page, "brands, a page", F_LIST(brand_page, 1, items, brand), PAGE_LINK_FIELDS(brand_page, 2));

const struct paging products_paging = PAGING(product_filter, product_summary,
        { "-created_at", &products_newest_query,     "created_at" },
        { "created_at",  &products_oldest_query,     "created_at" },
        { "price",       &products_cheapest_query,   "price" },
        { "-price",      &products_dearest_query,    "price" },
        { "name",        &products_named_query,      "name" },
        { "-name",       &products_named_back_query, "name" });

/* A sku leads to one product at most, so there is nothing to walk. */
static const struct paging sku_paging = PAGING(product_filter, product_summary,
        { "-created_at", &products_by_sku_query, "created_at" },
        { "created_at",  &products_by_sku_query, "created_at" },
        { "price",       &products_by_sku_query, "price" },
        { "-price",      &products_by_sku_query, "price" },
        { "name",        &products_by_sku_query, "name" },
        { "-name",       &products_by_sku_query, "name" });

/* colour:red -> {"name":"colour","value":"red"}, all of them in a list, which a product's attributes must contain. */
static int having_of(struct ctx *c, const struct str_list *pairs, str *out)
{
        struct buf b AUTO(buf_done) = BUF_INIT(HAVING_MAX_BYTES);
        struct jw w = { .b = &b };

        if (!pairs->n) return 0;
        jw_array(&w);
        for (size_t i = 0; i < pairs->n; i++) {
                str value = pairs->v[i], name = str_split(&value, ':');
                jw_object(&w);
                jw_key(&w, "name");
                jw_str(&w, name);
                jw_key(&w, "value");
                jw_str(&w, value);
                jw_object_end(&w);
        }
        jw_array_end(&w);
        *out = arena_str(c->arena, buf_str(&b));
        return buf_error(&b) || !out->p ? fail(c, RESOURCE_EXHAUSTED, "too_large", "the filter is too large") : 0;
}

static int products_list(struct ctx *c, const struct product_filter *in, struct product_page *out)
{
        struct product_filter f = *in;
        bool by_price = str_eq(f.sort, STR("price")) || str_eq(f.sort, STR("-price"));

        if (!f.currency.p && (f.price_min || f.price_max || by_price)) f.currency = config_str(config(c), "catalog.currency");
        TRY(having_of(c, &f.attribute, &f.having));
        return page_query(c, f.sku.p ? &sku_paging : &products_paging, &f, &out->items, &out->next, &out->prev);
}

const struct paging brands_paging = PAGING(brand_filter, brand, { "name", &brands_all_query, "name" }, { "-name", &brands_back_query, "name" });

static int brands_list(struct ctx *c, const struct brand_filter *in, struct brand_page *out)
{
        struct brand_filter f = *in;
        return page_query(c, &brands_paging, &f, &out->items, &out->next, &out->prev);
}

/*  operation      takes           gives        */
OP( products_list, product_filter, product_page );
OP( brands_list,   brand_filter,   brand_page   );
