/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * edit.c - one product by hand: made, written anew, patched, deleted; and what it has cost.
 *
 * Whose product it is stands in the statements: another vendor's is as one that is not there. A change names the revision that it was made from;
 * the price has a version of its own, because a quote must not grow old for a comma in a description. */
#include "catalog_sql.h"
#include "write.h"

struct product_gone  { uid id; IF_MATCH_MEMBER; };
struct price_filter  { uid product_id; PAGE_MEMBERS; };
struct product_price { uid id; int32_t version; money price; when since; };
DECLARE_LIST(product_price);
struct price_page    { struct product_price_list items; PAGE_LINKS; };

#define TEXT_OF_ITS_OWN(name_, max_, format_) \
        static const struct field name_##_scalar = { .name = #name_, .size = sizeof(str), .align = _Alignof(str), .kind = K_STR, .min = 1, .max = (max_), .format = (format_) }; \
        static const struct type name_##_type = { #name_, "a text", sizeof(str), _Alignof(str), NULL, 0, &name_##_scalar }
TEXT_OF_ITS_OWN(image_url, 1000, &format_url);
TEXT_OF_ITS_OWN(category_path, CATEGORY_PATH_MAX, NULL);
TEXT_OF_ITS_OWN(tag, 50, NULL);

MESSAGE(attribute, "a property of a product",
        F(attribute, 1, name, .min = 1, .max = 100),
        F(attribute, 2, value, .max = 2000));

#define DRAFT_FIELDS(T, tag_) \
        F(T, (tag_),     sku, .min = 1, .max = 64, .example = "\"HAL-SWT-00421\"", .doc = "The seller's own number; unique."), \
        F(T, (tag_) + 1, name, .min = 1, .max = 300, .example = "\"Halden Merino Crew Sweater\""), \
        F(T, (tag_) + 2, description, .optional = true, .max = 20000), \
        F(T, (tag_) + 3, brand, .optional = true, .max = 100), \
        F(T, (tag_) + 4, category, .optional = true, .max = CATEGORY_PATH_MAX, .example = "\"Clothing > Sweaters\"", \
          .doc = "Where it stands first: names from the root down; made when it is not there."), \
        F_LIST(T, (tag_) + 5, categories, category_path, .optional = true, .max = CATEGORIES_MAX, .doc = "Where it stands as well.", \
               .example = "[\"Gifts\"]"), \
        F_LIST(T, (tag_) + 6, tags, tag, .optional = true, .max = TAGS_MAX, .example = "[\"wool\",\"winter\"]"), \
        F(T, (tag_) + 7, price, .min = 1, .max = PRICE_MAX, .doc = "Of one, VAT included."), \
        F(T, (tag_) + 8, vat_bp, .optional = true, .min = 0, .max = 10000, .fallback = VAT_BP, \
          .doc = "The VAT rate in hundredths of a percent: 1900 is 19 %, and 0 is none."), \
        F_LIST(T, (tag_) + 9, images, image_url, .optional = true, .max = IMAGES_MAX, .doc = "URLs."), \
        F_LIST(T, (tag_) + 10, attributes, attribute, .optional = true, .max = ATTRIBUTES_MAX)
MESSAGE(product_draft, "a product as it should be", DRAFT_FIELDS(product_draft, 1));
MESSAGE(product_edit, "a product that is there, as it should be", F(product_edit, 20, id), DRAFT_FIELDS(product_edit, 1), IF_MATCH_FIELD(product_edit, 21));
MESSAGE(product_gone, "a product that is to go", F(product_gone, 1, id), IF_MATCH_FIELD(product_gone, 2));
MESSAGE(price_filter, "which product's prices", F(price_filter, 1, product_id), PAGE_FIELDS(price_filter, 2));
MESSAGE(product_price, "what a product has cost from then on",
        F(product_price, 1, id, .internal = true),
        F(product_price, 2, version, .doc = "Of the price: 1 is the first."),
        F(product_price, 3, price),
        F(product_price, 4, since));
MESSAGE(price_page, "prices of a product, a page", F_LIST(price_page, 1, items, product_price), PAGE_LINK_FIELDS(price_page, 2));

const struct event product_deleted = { "product.deleted", &note_type, "id", "A product is gone from the catalogue; orders keep what they copied." };

static str or_empty(str s)                              { return s.p ? s : STR(""); }

static int product_create(struct ctx *c, const struct product_draft *in, struct product *out)
{
        uid id = uid_v7(clock_now());
        enum written what;

        draft_check(c, in);
        TRY(flaws_fail(c));
        *out = (struct product){ .id = id, .sku = in->sku, .name = in->name, .description = or_empty(in->description), .brand = or_empty(in->brand),
                .category = in->category.n ? in->category : (str){ 0 }, .categories = in->categories, .tags = in->tags, .price = in->price,
                .vat_bp = in->vat_bp, .version = 1, .revision = 1, .owner = caller_has_role(c, ROLE_VENDOR) ? caller_id(c) : (uid){ { 0 } },
                .images = in->images, .attributes = in->attributes, .created_at = uid_time(id), .updated_at = uid_time(id) };
        return products_write(c, &(struct writing){ .drafts = in, .n = 1, .ids = &id, .what = &what, .category_id = &out->category_id });
}

static int product_stands(struct ctx *c, const struct product_edit *in, struct product_edit *out)
{
        int r = product_now(db(c), in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_product", "there is no such product, or it is another vendor's") : r;
}

static int product_replace(struct ctx *c, const struct product_edit *in, struct product *out)
{
        draft_check(c, &in->draft);
        TRY(flaws_fail(c));
        TRY(product_rewrite(c, in, out));
        product_forget(c, in->id);
        return 0;
}

static int product_remove(struct ctx *c, const struct product_gone *in, struct nothing *out)
{
        struct product_edit there;
        struct note gone;
        int r;

        (void)out;
        {
                TX(tx, c);
                TRY(r = product_delete(tx, in, &gone));
                if (r > 0) {
                        TRY(emit(tx, &product_deleted, &gone));
                        TRY(catalog_commit(tx));
                        product_forget(c, in->id);
                        return 0;
                }
        }
        TRY(product_stands(c, &(struct product_edit){ .id = in->id }, &there));
        return stale(c);
}

const struct paging prices_paging = PAGING(price_filter, product_price,
        { "-version", &prices_newest_query, "version" }, { "version", &prices_oldest_query, "version" });

static int prices_list(struct ctx *c, const struct price_filter *in, struct price_page *out)
{
        struct price_filter f = *in;

        TRY(page_query(c, &prices_paging, &f, &out->items, &out->next, &out->prev));
        if (out->items.n || in->cursor.p) return 0;
        return fail(c, NOT_FOUND, "no_such_product", "there is no such product");       /* one that is there has a price */
}

/*  operation        takes          gives        */
OP( product_create,  product_draft, product      );
OP( product_stands,  product_edit,  product_edit );
OP( product_replace, product_edit,  product      );
OP( product_remove,  product_gone,  nothing      );
OP( prices_list,     price_filter,  price_page   );
