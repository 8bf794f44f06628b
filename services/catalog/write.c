/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * write.c - drafts become products. The skus of a batch are locked in order, each draft is told new, changed or the same by a hash of all it
 * says, and only what differs is written, set-based. Categories and brands that are missing are made on the way. */
#include <stdlib.h>
#include "write.h"
#include "catalog_sql.h"

enum { CATEGORY_DEPTH_MAX = 8, CATEGORY_NAME_MAX_BYTES = 400, FIELD_MAX_BYTES = 4 << 20, ROWS_A_TURN = 50, TRIES = 3 };

struct product_row    { uid id; str sku, name, description, brand, category; int64_t price; str cur; int32_t vat_bp, version; int64_t content;
                        str images, attributes; uid owner; when created_at; };
DECLARE_LIST(product_row);
struct product_batch  { struct product_row_list rows; };
struct known_row      { uid id; str sku; int32_t version; int64_t content, price; str cur; uid owner; };
DECLARE_LIST(known_row);
struct brand_row      { str name; uid id; };
DECLARE_LIST(brand_row);
struct brand_batch    { struct brand_row_list rows; };
struct category_row   { uid id; str parent, slug, name, path; };
DECLARE_LIST(category_row);
struct category_batch { struct category_row_list rows; };

MESSAGE(product_row, "a row of product",
        F(product_row, 1, id), F(product_row, 2, sku), F(product_row, 3, name), F(product_row, 4, description), F(product_row, 5, brand),
        F(product_row, 6, category, .optional = true), F(product_row, 7, price), F(product_row, 8, cur), F(product_row, 9, vat_bp),
        F(product_row, 10, version), F(product_row, 11, content), F(product_row, 12, images), F(product_row, 13, attributes),
        F(product_row, 14, owner, .optional = true), F(product_row, 15, created_at));
MESSAGE(product_batch, "products to be written", F_LIST(product_batch, 1, rows, product_row));
MESSAGE(known_row, "a product that is there",
        F(known_row, 1, id), F(known_row, 2, sku), F(known_row, 3, version), F(known_row, 4, content), F(known_row, 5, price), F(known_row, 6, cur),
        F(known_row, 7, owner, .optional = true));
MESSAGE(brand_row, "a brand", F(brand_row, 1, name), F(brand_row, 2, id));
MESSAGE(brand_batch, "brands to be there", F_LIST(brand_batch, 1, rows, brand_row));
MESSAGE(category_row, "a category by its path",
        F(category_row, 1, id, .optional = true), F(category_row, 2, parent, .optional = true), F(category_row, 3, slug, .optional = true),
        F(category_row, 4, name, .optional = true), F(category_row, 5, path));
MESSAGE(category_batch, "categories to be there", F_LIST(category_batch, 1, rows, category_row));
MESSAGE(note, "a product as events tell of it", F(note, 1, id), F(note, 2, sku), F(note, 3, name), F(note, 4, price));

const struct event product_created = { "product.created", &note_type, "id", "A product is new in the catalogue." };
const struct event product_changed = { "product.changed", &note_type, "id", "A product says something else than before." };

static int no_room(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
}

/* ---- drafts ----------------------------------------------------------------------------------------------------------------- */

/* "Computers > Laptops": names with nothing odd around or in them, not too deep. */
static bool is_path(str path)
{
        int depth = 0;

        for (size_t from = 0, at = 0; at <= path.n; at++) {
                bool border = at + 3 <= path.n && !memcmp(path.p + at, " > ", 3);
                if (at < path.n && !border) {
                        if (path.p[at] == '>') return false;
                        continue;
                }
                str name = str_cut(path, from, at);
                if (!name.n || name.n > CATEGORY_NAME_MAX_BYTES || name.p[0] == ' ' || name.p[name.n - 1] == ' ' || ++depth > CATEGORY_DEPTH_MAX) return false;
                if (border) at += 2;
                from = at + 1;
        }
        return true;
}

void draft_check(struct ctx *c, const struct product_draft *d)
{
        if (d->price.minor <= 0)
                flaw_add(c, STR("/price/amount"), "too_small", "must be above 0");
        if (d->price.minor > PRICE_MAX)
                flaw_add(c, STR("/price/amount"), "too_large", "must be at most %d minor units", PRICE_MAX);
        if (d->category.n && !is_path(d->category))
                flaw_add(c, STR("/category"), "bad_format", "must be 1 to %d names with \" > \" between them", CATEGORY_DEPTH_MAX);
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
        int32_t vat_bp = d->vat_bp ? d->vat_bp : 1900;

        *out = (struct product_row){ .id = id, .sku = d->sku, .name = d->name, .description = d->description.p ? d->description : STR(""),
                .brand = d->brand.p ? d->brand : STR(""), .category = d->category, .price = d->price.minor,
                .cur = arena_str(c->arena, str_of(d->price.cur)), .vat_bp = vat_bp, .version = 1,
                .created_at = uid_time(id), .owner = caller_has_role(c, ROLE_VENDOR) ? caller_id(c) : (uid){ { 0 } } };
        TRY(field_text(c, d, "images", &out->images));
        TRY(field_text(c, d, "attributes", &out->attributes));
        digest = sha256_parts((const str[]){ out->name, out->description, out->brand, out->category, { (const char *)&out->price, sizeof out->price },
                                             out->cur, { (const char *)&vat_bp, sizeof vat_bp }, out->images, out->attributes }, 9);
        memcpy(&out->content, digest.b, sizeof out->content);
        return 0;
}

/* ---- categories and brands on the way ------------------------------------------------------------------------------------------ */

static int path_cmp(const void *a, const void *b)
{
        return str_cmp(((const struct category_row *)a)->path, ((const struct category_row *)b)->path);
}

str category_slug(struct ctx *c, str name)
{
        char *p = arena_z(c->arena, name);
        size_t n = 0;

        for (size_t i = 0; p && i < name.n; i++) {
                char ch = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
                bool plain = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
                if (plain) p[n++] = ch;
                else if (n && p[n - 1] != '-') p[n++] = '-';
        }
        while (n && p[n - 1] == '-') n--;
        return n ? (str){ p, n } : STR("category");
}

/* The category and all above it: a path sorts after its parent's. */
static void path_add(struct category_row_list *l, size_t max, str path)
{
        for (size_t at = 0, from = 0; at <= path.n && l->n < max; at++) {
                bool border = at + 3 <= path.n && !memcmp(path.p + at, " > ", 3);
                if (at < path.n && !border) continue;
                str name = str_cut(path, from, at);
                l->v[l->n++] = (struct category_row){ .parent = from ? str_cut(path, 0, from - 3) : (str){ 0 }, .name = name, .path = str_cut(path, 0, at) };
                from = at + 3;
        }
}

static void paths_sort(struct category_row_list *l)
{
        size_t kept = 0;

        if (l->n) qsort(l->v, l->n, sizeof *l->v, path_cmp);
        for (size_t i = 0; i < l->n; i++)
                if (kept == 0 || !str_eq(l->v[kept - 1].path, l->v[i].path))
                        l->v[kept++] = l->v[i];
        l->n = kept;
}

/* A level at a time: a statement does not see the parents it makes itself. */
static int categories_make(struct db *tx, const struct category_row_list *missing)
{
        struct ctx *c = db_ctx(tx);
        when now = clock_now();

        for (int depth = 0; depth < CATEGORY_DEPTH_MAX; depth++) {
                struct category_batch level = { { arena_many(c->arena, struct category_row, missing->n), 0 } };
                if (!level.rows.v) return no_room(c);
                for (size_t i = 0; i < missing->n; i++) {
                        int above = 0;
                        for (size_t k = 0; k + 3 <= missing->v[i].path.n; k++)
                                above += !memcmp(missing->v[i].path.p + k, " > ", 3);
                        if (above != depth) continue;
                        level.rows.v[level.rows.n] = missing->v[i];
                        level.rows.v[level.rows.n].id = uid_v7(now);
                        level.rows.v[level.rows.n++].slug = category_slug(c, missing->v[i].name);
                }
                if (level.rows.n) TRY(categories_add(tx, &level));
        }
        return 0;
}

static int categories_ensure(struct db *tx, const struct product_draft *drafts, size_t n)
{
        struct ctx *c = db_ctx(tx);
        struct category_batch all = { { arena_many(c->arena, struct category_row, n * CATEGORY_DEPTH_MAX), 0 } };
        struct category_row_list known, missing;

        if (!all.rows.v) return no_room(c);
        for (size_t i = 0; i < n; i++)
                if (drafts[i].category.n) path_add(&all.rows, n * CATEGORY_DEPTH_MAX, drafts[i].category);
        if (all.rows.n == 0) return 0;
        paths_sort(&all.rows);
        TRY(categories_known(tx, &all, &known));
        if (known.n == all.rows.n) return 0;
        if (known.n) qsort(known.v, known.n, sizeof *known.v, path_cmp);
        missing = (struct category_row_list){ arena_many(c->arena, struct category_row, all.rows.n), 0 };
        if (!missing.v) return no_room(c);
        for (size_t i = 0; i < all.rows.n; i++)
                if (!known.n || !bsearch(&all.rows.v[i], known.v, known.n, sizeof *known.v, path_cmp))
                        missing.v[missing.n++] = all.rows.v[i];
        return categories_make(tx, &missing);
}

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

static int tell(struct db *tx, const struct product_row *r, enum written what)
{
        struct note note = { r->id, r->sku, r->name, { r->price, "" } };

        memcpy(note.price.cur, r->cur.p, MIN(r->cur.n, sizeof note.price.cur - 1));
        return emit(tx, what == WRITTEN_CREATED ? &product_created : &product_changed, &note);
}

static void map_end(struct map **m)
{
        *m = map_free(*m);
}

/* Sorts the rows of `all` into what is to be inserted and what is to be updated. */
static int rows_sort(struct db *tx, struct product_batch *all, uid *ids, enum written *what, bool create,
                     struct product_batch *insert, struct product_batch *update)
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

                if (k && create)
                        return -ALREADY_EXISTS;
                what[i] = map_get(seen, r->sku) ? WRITTEN_REPEATED : judge(c, r, k);
                (void)map_put(seen, r->sku, r);
                if (k) {
                        ids[i] = r->id = k->id;
                        r->version = k->version + (k->price != r->price || !str_eq(k->cur, r->cur));
                }
                if (what[i] > WRITTEN_CHANGED) continue;
                struct product_row_list *to = what[i] == WRITTEN_CREATED ? &insert->rows : &update->rows;
                to->v[to->n++] = *r;
                TRY(tell(tx, r, what[i]));
        }
        return 0;
}

/* Of a category that is there. */
static int category_id_of(struct db *tx, str path, uid *out)
{
        struct category_row row = { .path = path };
        struct category_row_list found;

        TRY(categories_known(tx, &(struct category_batch){ { &row, 1 } }, &found));
        if (found.n) *out = found.v[0].id;
        return 0;
}

static int write_once(struct ctx *c, const struct product_draft *drafts, struct product_batch *all, uid *ids, enum written *what, uid *category_id)
{
        size_t n = all->rows.n;
        struct product_batch insert = { { arena_many(c->arena, struct product_row, n), 0 } };
        struct product_batch update = { { arena_many(c->arena, struct product_row, n), 0 } };

        if (arena_is_exhausted(c->arena)) return no_room(c);
        TX(tx, c);
        TRY(rows_sort(tx, all, ids, what, category_id != NULL, &insert, &update));
        if (insert.rows.n + update.rows.n == 0)
                return 0;
        TRY(categories_ensure(tx, drafts, n));
        if (category_id && drafts->category.n) TRY(category_id_of(tx, drafts->category, category_id));
        TRY(brands_ensure(tx, &all->rows));
        if (insert.rows.n) TRY(products_insert_later(tx, &insert));
        if (update.rows.n) TRY(products_update_later(tx, &update));
        return tx_commit(tx);
}

/* Somebody may bring a sku that is new here too, and commit first: then it is there at the second look. */
int products_write(struct ctx *c, const struct product_draft *drafts, size_t n, uid *ids, enum written *what, uid *category_id)
{
        struct product_batch all = { { arena_many(c->arena, struct product_row, n), n } };
        when now = clock_now();

        if (!all.rows.v) return no_room(c);
        for (size_t i = 0; i < n; i++) {
                if (uid_is_zero(ids[i])) ids[i] = uid_v7(now);
                TRY(row_make(c, &drafts[i], ids[i], &all.rows.v[i]));
                if (i % ROWS_A_TURN == ROWS_A_TURN - 1) fiber_yield();
        }
        for (int tries = 1;; tries++) {
                int r = write_once(c, drafts, &all, ids, what, category_id);
                if (r == -ALREADY_EXISTS && category_id)
                        return fail(c, ALREADY_EXISTS, "sku_taken", "there is a product with sku " STR_FMT, STR_ARG(drafts->sku));
                if (r != -ALREADY_EXISTS || tries == TRIES) return r;
                fault_clear(c);
        }
}
