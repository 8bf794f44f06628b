/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * write.c - drafts become products. The skus of a batch are locked in order, each draft is told new, changed or the same by a hash of all it
 * says, and only what differs is written, set-based. Categories (tree.c) and brands that are missing are made on the way. */
#include <stdlib.h>
#include "catalog_sql.h"
#include "tree.h"
#include "write.h"

enum { FIELD_MAX_BYTES = 4 << 20, ROWS_A_TURN = 50, TRIES = 4 };

struct product_row    { uid id; str sku, name, description, brand, category; int64_t price; str cur; int32_t vat_bp, version; int64_t content;
                        str images, attributes, tags, more; uid owner; when created_at; };          /* created_at: of what is written: the product, its change, its price */
DECLARE_LIST(product_row);
struct product_batch  { struct product_row_list rows; };
struct known_row      { uid id; str sku; int32_t version, revision; int64_t content, price; str cur; uid owner; bool in_stock; when created_at, updated_at; };
DECLARE_LIST(known_row);
struct brand_row      { str name; uid id; };
DECLARE_LIST(brand_row);
struct brand_batch    { struct brand_row_list rows; };

MESSAGE(product_row, "a row of product",
        F(product_row, 1, id), F(product_row, 2, sku), F(product_row, 3, name), F(product_row, 4, description), F(product_row, 5, brand),
        F(product_row, 6, category, .optional = true), F(product_row, 7, price), F(product_row, 8, cur), F(product_row, 9, vat_bp),
        F(product_row, 10, version), F(product_row, 11, content), F(product_row, 12, images), F(product_row, 13, attributes),
        F(product_row, 14, tags), F(product_row, 15, more), F(product_row, 16, owner, .optional = true), F(product_row, 17, created_at));
MESSAGE(product_batch, "products to be written", F_LIST(product_batch, 1, rows, product_row));
MESSAGE(known_row, "a product that is there",
        F(known_row, 1, id), F(known_row, 2, sku), F(known_row, 3, version), F(known_row, 4, revision), F(known_row, 5, content), F(known_row, 6, price),
        F(known_row, 7, cur), F(known_row, 8, owner, .optional = true), F(known_row, 9, in_stock, .optional = true),
        F(known_row, 10, created_at, .optional = true), F(known_row, 11, updated_at, .optional = true));
MESSAGE(brand_row, "a brand", F(brand_row, 1, name), F(brand_row, 2, id));
MESSAGE(brand_batch, "brands to be there", F_LIST(brand_batch, 1, rows, brand_row));
MESSAGE(note, "a product as events tell of it", F(note, 1, id), F(note, 2, sku), F(note, 3, name), F(note, 4, price));

MESSAGE(price_change, "a price that moved",
        F(price_change, 1, id), F(price_change, 2, sku), F(price_change, 3, was, .doc = "What it was."), F(price_change, 4, price, .doc = "What it is."),
        F(price_change, 5, version, .doc = "Of the price."));

const struct event product_created = { "product.created", &note_type, "id", "A product is new in the catalogue." };
const struct event product_changed = { "product.changed", &note_type, "id", "A product says something else than before." };
const struct event product_price_changed = { "product.price_changed", &price_change_type, "id", "A product costs something else than before; product.changed tells the rest." };

static int no_room(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
}

/* ---- drafts ----------------------------------------------------------------------------------------------------------------- */

void draft_check(struct ctx *c, const struct product_draft *d)
{
        if (d->category.n && !category_is_path(d->category))
                flaw_add(c, STR("/category"), "bad_format", "must be 1 to %d names with \" > \" between them", CATEGORY_DEPTH_MAX);
        for (size_t i = 0; i < d->categories.n; i++)
                if (!category_is_path(d->categories.v[i]))
                        flaw_add(c, arena_printf(c->arena, "/categories/%zu", i), "bad_format", "must be 1 to %d names with \" > \" between them", CATEGORY_DEPTH_MAX);
}

static int field_text(struct ctx *c, const struct product_draft *d, const char *name, str *out)
{
        struct buf b AUTO(buf_done) = BUF_INIT(FIELD_MAX_BYTES);

        json_write_field(&b, type_field(&product_draft_type, str_of(name)), d);
        if (buf_error(&b) < 0 || !(*out = arena_str(c->arena, buf_str(&b))).p)
                return no_room(c);
        return 0;
}

static int row_make(struct ctx *c, const struct product_draft *d, uid id, struct product_row *out)
{
        struct digest digest;

        *out = (struct product_row){ .id = id, .sku = d->sku, .name = d->name, .description = d->description.p ? d->description : STR(""),
                .brand = d->brand.p ? d->brand : STR(""), .category = d->category.n ? d->category : (str){ 0 }, .price = d->price.minor,
                .cur = arena_str(c->arena, str_of(d->price.cur)), .vat_bp = d->vat_bp, .version = 1,
                .created_at = uid_time(id), .owner = caller_has_role(c, ROLE_VENDOR) ? caller_id(c) : (uid){ { 0 } } };
        TRY(field_text(c, d, "images", &out->images));
        TRY(field_text(c, d, "attributes", &out->attributes));
        TRY(field_text(c, d, "tags", &out->tags));
        TRY(field_text(c, d, "categories", &out->more));
        digest = sha256_parts((const str[]){ out->name, out->description, out->brand, out->category, { (const char *)&out->price, sizeof out->price },
                                             out->cur, { (const char *)&d->vat_bp, sizeof d->vat_bp }, out->images, out->attributes, out->tags, out->more },
                              d->tags.n || d->categories.n ? 11 : 9);   /* rows written before there were tags keep their hash */
        memcpy(&out->content, digest.b, sizeof out->content);
        return 0;
}

/* ---- brands on the way ---------------------------------------------------------------------------------------------------- */

static int brand_cmp(const void *a, const void *b)
{
        return str_cmp(((const struct brand_row *)a)->name, ((const struct brand_row *)b)->name);
}

static int brands_ensure(struct db *tx, const struct product_row_list *rows)
{
        struct ctx *c = db_ctx(tx);
        struct brand_batch *b = arena_one(c->arena, struct brand_batch);
        size_t kept = 0;

        if (!b || !(b->rows.v = arena_many(c->arena, struct brand_row, rows->n))) return no_room(c);
        for (size_t i = 0; i < rows->n; i++)
                if (rows->v[i].brand.n) b->rows.v[b->rows.n++].name = rows->v[i].brand;
        if (b->rows.n == 0) return 0;
        if (b->rows.n) qsort(b->rows.v, b->rows.n, sizeof *b->rows.v, brand_cmp);
        for (size_t i = 0; i < b->rows.n; i++)
                if (kept == 0 || !str_eq(b->rows.v[kept - 1].name, b->rows.v[i].name))
                        b->rows.v[kept++] = (struct brand_row){ b->rows.v[i].name, uid_v7(clock_now()) };
        b->rows.n = kept;
        return brands_add_later(tx, b);
}

/* ---- the batch ------------------------------------------------------------------------------------------------------------------- */

static int known_cmp(const void *a, const void *b)
{
        return str_cmp(((const struct known_row *)a)->sku, ((const struct known_row *)b)->sku);
}

static enum written judge(struct ctx *c, const struct product_row *row, const struct known_row *k)
{
        if (!k)
                return WRITTEN_CREATED;
        if (caller_has_role(c, ROLE_VENDOR) && !uid_eq(k->owner, caller_id(c)))
                return WRITTEN_NOT_YOURS;
        return k->content == row->content ? WRITTEN_UNCHANGED : WRITTEN_CHANGED;
}

static money money_of(int64_t minor, str cur)
{
        money m = { minor, "" };
        memcpy(m.cur, cur.p, MIN(cur.n, sizeof m.cur - 1));
        return m;
}

/* k: what was known of it; NULL: it is new. */
static int tell(struct db *tx, const struct product_row *r, const struct known_row *k)
{
        struct note note = { r->id, r->sku, r->name, money_of(r->price, r->cur) };

        TRY(emit(tx, k ? &product_changed : &product_created, &note));
        if (!k || k->version == r->version) return 0;
        return emit(tx, &product_price_changed, &(struct price_change){ r->id, r->sku, money_of(k->price, k->cur), note.price, r->version });
}

static int32_t price_version(const struct product_row *r, const struct known_row *k)
{
        return k->version + (k->price != r->price || !str_eq(k->cur, r->cur));
}

struct sorted { struct product_batch insert, update, priced; };         /* what is to be made, to be changed, and has a new price */

static int rows_sort(struct db *tx, const struct writing *w, struct product_batch *all, struct sorted *out)
{
        struct ctx *c = db_ctx(tx);
        struct map *seen AUTO(map_end) = map_new(all->rows.n + 1, MAP_REFUSES, NULL);
        struct known_row_list known;

        TRY(skus_lock(tx, all, &known));
        if (known.n) qsort(known.v, known.n, sizeof *known.v, known_cmp);
        for (size_t i = 0; i < all->rows.n; i++) {
                struct product_row *r = &all->rows.v[i];
                struct known_row key = { .sku = r->sku };
                const struct known_row *k = known.n ? bsearch(&key, known.v, known.n, sizeof key, known_cmp) : NULL;

                if (k && w->category_id)
                        return -ALREADY_EXISTS;
                w->what[i] = map_get(seen, r->sku) ? WRITTEN_REPEATED : judge(c, r, k);
                (void)map_put(seen, r->sku, r);
                r->version = 1;
                if (k) {
                        w->ids[i] = r->id = k->id;
                        r->version = price_version(r, k);
                }
                if (w->what[i] > WRITTEN_CHANGED) continue;
                struct product_row_list *to = k ? &out->update.rows : &out->insert.rows;
                to->v[to->n++] = *r;
                if (!k || r->version != k->version) out->priced.rows.v[out->priced.rows.n++] = *r;
                TRY(tell(tx, r, k));
        }
        return 0;
}

static int sorted_write(struct db *tx, const struct sorted *s)
{
        if (s->insert.rows.n) TRY(products_insert_later(tx, &s->insert));
        if (s->update.rows.n) TRY(products_update_later(tx, &s->update));
        if (s->priced.rows.n) TRY(prices_add_later(tx, &s->priced));
        return 0;
}

static int tree_take(struct db *tx, const struct product_draft *drafts, size_t n, bool alone)
{
        if (!drafts_name_categories(drafts, n)) return 0;
        return alone ? tree_lock_later(tx, &(struct nothing){ 0 }) : tree_share_later(tx, &(struct nothing){ 0 });
}

/* returns 0, 1: the tree must be locked alone, since categories are missing; nothing was written */
static int write_once(struct ctx *c, const struct writing *w, struct product_batch *all, bool alone)
{
        size_t n = all->rows.n;
        struct sorted *s = arena_one(c->arena, struct sorted);
        int r;

        if (s) s->insert.rows.v = arena_many(c->arena, struct product_row, n + 1);
        if (s) s->update.rows.v = arena_many(c->arena, struct product_row, n + 1);
        if (s) s->priced.rows.v = arena_many(c->arena, struct product_row, n + 1);
        if (arena_is_exhausted(c->arena)) return no_room(c);
        TX(tx, c);
        if (w->begin) {
                TRY(r = w->begin(tx, w->arg));
                if (r) return 0;
        }
        TRY(tree_take(tx, w->drafts, n, alone));
        if (n) TRY(rows_sort(tx, w, all, s));
        if (s->insert.rows.n + s->update.rows.n > 0) {
                TRY(r = categories_ensure(tx, w->drafts, n, alone));
                if (r) return r;
                if (w->category_id && w->drafts->category.n) TRY(category_id_of(tx, w->drafts->category, w->category_id));
                TRY(brands_ensure(tx, &all->rows));
                TRY(sorted_write(tx, s));
        } else if (!w->end) {
                return 0;
        }
        if (w->end) TRY(w->end(tx, w->arg));
        return catalog_commit(tx);
}

static int rows_make(struct ctx *c, const struct writing *w, struct product_batch *all)
{
        when now = clock_now();

        *all = (struct product_batch){ { arena_many(c->arena, struct product_row, w->n + 1), w->n } };
        if (!all->rows.v) return no_room(c);
        for (size_t i = 0; i < w->n; i++) {
                if (uid_is_zero(w->ids[i])) w->ids[i] = uid_v7(now);
                TRY(row_make(c, &w->drafts[i], w->ids[i], &all->rows.v[i]));
                if (i % ROWS_A_TURN == ROWS_A_TURN - 1) fiber_yield();
        }
        return 0;
}

/* Somebody may bring a sku that is new here too, and commit first: then it is there at the second look. */
int products_write(struct ctx *c, const struct writing *w)
{
        struct product_batch all;
        bool alone = false;

        TRY(rows_make(c, w, &all));
        for (int tries = 1;; tries++) {
                int r = write_once(c, w, &all, alone);
                if (r == 1) alone = true;
                else if (r == -ALREADY_EXISTS && w->category_id)
                        return fail_about(c, "/sku", fail(c, ALREADY_EXISTS, "sku_taken", "there is a product with sku " STR_FMT, STR_ARG(w->drafts->sku)));
                else if (r != -ALREADY_EXISTS || tries == TRIES) return r;
                fault_clear(c);
        }
}

/* ---- one product, under its id ------------------------------------------------------------------------------------------------- */

static void describe(const struct product_edit *in, const struct product_row *r, const struct known_row *k, struct product *out)
{
        *out = (struct product){ .id = k->id, .sku = r->sku, .name = r->name, .description = r->description, .brand = r->brand, .category = r->category,
                .categories = in->categories, .tags = in->tags, .price = in->price, .vat_bp = r->vat_bp, .version = r->version, .revision = k->revision,
                .in_stock = k->in_stock, .owner = k->owner, .images = in->images, .attributes = in->attributes, .created_at = k->created_at,
                .updated_at = k->updated_at };
}

/* returns 0, 1: the tree must be locked alone */
static int rewrite_once(struct ctx *c, const struct product_edit *in, struct product_row *row, bool alone, struct product *out)
{
        struct sorted s = { .update.rows = { row, 1 } };
        struct known_row k;
        int r, ensured;

        TX(tx, c);
        TRY(tree_take(tx, &in->draft, 1, alone));
        TRY(r = product_lock(tx, in, &k));
        if (r == 0) return fail(c, NOT_FOUND, "no_such_product", "there is no such product, or it is another vendor's");
        if (in->if_match && in->if_match != k.revision) return stale(c);
        row->id = k.id;
        row->version = price_version(row, &k);
        row->created_at = clock_now();
        if (row->version != k.version) s.priced.rows = s.update.rows;
        TRY(ensured = categories_ensure(tx, &in->draft, 1, alone));
        if (ensured) return ensured;
        describe(in, row, &k, out);
        if (in->category.n) TRY(category_id_of(tx, in->category, &out->category_id));
        if (k.content == row->content && str_eq(k.sku, row->sku)) return 0;
        out->revision++;
        out->updated_at = row->created_at;
        TRY(brands_ensure(tx, &s.update.rows));
        TRY(sorted_write(tx, &s));
        TRY(tell(tx, row, &k));
        return catalog_commit(tx);
}

int product_rewrite(struct ctx *c, const struct product_edit *in, struct product *out)
{
        struct product_row row;
        bool alone = false;

        TRY(row_make(c, &in->draft, in->id, &row));
        for (;;) {
                int r = rewrite_once(c, in, &row, alone, out);
                if (r == -ALREADY_EXISTS) return fail_about(c, "/sku", fail(c, ALREADY_EXISTS, "sku_taken", "there is a product with sku " STR_FMT, STR_ARG(in->sku)));
                if (r != 1) return r;
                alone = true;
        }
}
