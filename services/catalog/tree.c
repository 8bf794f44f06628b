/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * tree.c - categories: made by staff or on the way by whoever names them, renamed and moved with all that is below, deleted when empty.
 *
 * A row knows its parent and its whole path. Every change has the tree for itself (an advisory lock), looks at it and writes: so it stays a tree
 * whatever is moved at the same time, and a path always is the names from the root down. */
#include <stdlib.h>
#include "tree.h"
#include "catalog_sql.h"
#include "text.h"

enum { CATEGORY_NAME_MAX = 100, CATEGORY_NAME_MAX_BYTES = 400 };

struct category_ref    { uid id; };
struct category        { uid id, parent_id; str slug, name, path; int32_t version; when created_at; };
DECLARE_LIST(category);
struct category_new    { uid parent_id; str name; };
struct category_edit   { uid id, parent_id; str name; IF_MATCH_MEMBER; };
struct category_gone   { uid id; IF_MATCH_MEMBER; };
struct category_filter { uid parent; PAGE_MEMBERS; };
struct category_page   { struct category_list items; PAGE_LINKS; };
struct transplant      { str was, path; };
struct reach           { int32_t depth, length; };
struct category_use    { bool has_children, has_products; };

#define PARENT_DOC "Below which; a root unless said."
MESSAGE(category_ref, "a category", F(category_ref, 1, id));
MESSAGE(category, "a category",
        F(category, 1, id),
        F(category, 2, parent_id, .optional = true),
        F(category, 3, slug),
        F(category, 4, name),
        F(category, 5, path, .doc = "Names from the root down."),
        F(category, 6, version, .doc = "Raised by each change."),
        F(category, 7, created_at));
MESSAGE(category_new, "a category to be made",
        F(category_new, 1, parent_id, .optional = true, .doc = PARENT_DOC),
        F(category_new, 2, name, .min = 1, .max = CATEGORY_NAME_MAX, .doc = "Without \">\".", .example = "\"Laptops\""));
MESSAGE(category_edit, "a category as it should be",
        F(category_edit, 1, id),
        F(category_edit, 2, parent_id, .optional = true, .doc = PARENT_DOC),
        F(category_edit, 3, name, .min = 1, .max = CATEGORY_NAME_MAX, .doc = "Without \">\".", .example = "\"Laptops\""),
        IF_MATCH_FIELD(category_edit, 4));
MESSAGE(category_gone, "a category that is to go", F(category_gone, 1, id), IF_MATCH_FIELD(category_gone, 2));
MESSAGE(category_filter, "which categories", F(category_filter, 1, parent, .optional = true, .doc = "Right below this one."), PAGE_FIELDS(category_filter, 2));
MESSAGE(category_page, "categories, a page", F_LIST(category_page, 1, items, category), PAGE_LINK_FIELDS(category_page, 2));
MESSAGE(transplant, "what was below one path and is below another", F(transplant, 1, was), F(transplant, 2, path, .optional = true));
MESSAGE(reach, "how far a part of the tree goes", F(reach, 1, depth), F(reach, 2, length));
MESSAGE(category_use, "what a category is used for", F(category_use, 1, has_children), F(category_use, 2, has_products));
MESSAGE(category_row, "a row of category",
        F(category_row, 1, id, .optional = true), F(category_row, 2, parent, .optional = true), F(category_row, 3, slug, .optional = true),
        F(category_row, 4, name, .optional = true), F(category_row, 5, path));
MESSAGE(category_batch, "categories to be there", F_LIST(category_batch, 1, rows, category_row));

/* ---- paths ------------------------------------------------------------------------------------------------------------------ */

static bool is_border(str path, size_t at)              { return at + 3 <= path.n && !memcmp(path.p + at, " > ", 3); }

bool category_is_path(str path)
{
        int depth = 0;

        for (size_t from = 0, at = 0; at <= path.n; at++) {
                bool border = is_border(path, at);
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

static int depth_of(str path)
{
        int depth = 1;
        for (size_t at = 0; at < path.n; at++) depth += is_border(path, at);
        return depth;
}

static str slug_of(struct ctx *c, str name)             /* "men-s-shoes" */
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

/* ---- on the way of products -------------------------------------------------------------------------------------------------- */

static int no_room(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
}

static int path_cmp(const void *a, const void *b)
{
        return str_cmp(((const struct category_row *)a)->path, ((const struct category_row *)b)->path);
}

/* The category and all above it: a path sorts after its parent's. */
static void path_add(struct category_row_list *l, size_t max, str path)
{
        for (size_t at = 0, from = 0; at <= path.n && l->n < max; at++) {
                if (at < path.n && !is_border(path, at)) continue;
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

        for (int depth = 1; depth <= CATEGORY_DEPTH_MAX; depth++) {
                struct category_batch level = { { arena_many(c->arena, struct category_row, missing->n), 0 } };
                if (!level.rows.v) return no_room(c);
                for (size_t i = 0; i < missing->n; i++) {
                        if (depth_of(missing->v[i].path) != depth) continue;
                        level.rows.v[level.rows.n] = missing->v[i];
                        level.rows.v[level.rows.n].id = uid_v7(now);
                        level.rows.v[level.rows.n++].slug = slug_of(c, missing->v[i].name);
                }
                if (level.rows.n) TRY(categories_add(tx, &level));
        }
        return 0;
}

bool drafts_name_categories(const struct product_draft *drafts, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (drafts[i].category.n || drafts[i].categories.n) return true;
        return false;
}

int categories_ensure(struct db *tx, const struct product_draft *drafts, size_t n, bool alone)
{
        struct ctx *c = db_ctx(tx);
        size_t max = 0;
        struct category_batch all = { { NULL, 0 } };
        struct category_row_list known, missing;

        for (size_t i = 0; i < n; i++) max += (1 + drafts[i].categories.n) * CATEGORY_DEPTH_MAX;
        all.rows.v = arena_many(c->arena, struct category_row, max);
        if (!all.rows.v) return no_room(c);
        for (size_t i = 0; i < n; i++) {
                if (drafts[i].category.n) path_add(&all.rows, max, drafts[i].category);
                for (size_t k = 0; k < drafts[i].categories.n; k++) path_add(&all.rows, max, drafts[i].categories.v[k]);
        }
        if (all.rows.n == 0) return 0;
        paths_sort(&all.rows);
        TRY(categories_known(tx, &all, &known));
        if (known.n == all.rows.n) return 0;
        if (!alone) return 1;
        if (known.n) qsort(known.v, known.n, sizeof *known.v, path_cmp);
        missing = (struct category_row_list){ arena_many(c->arena, struct category_row, all.rows.n), 0 };
        if (!missing.v) return no_room(c);
        for (size_t i = 0; i < all.rows.n; i++)
                if (!known.n || !bsearch(&all.rows.v[i], known.v, known.n, sizeof *known.v, path_cmp))
                        missing.v[missing.n++] = all.rows.v[i];
        return categories_make(tx, &missing);
}

int category_id_of(struct db *tx, str path, uid *out)
{
        struct category_row row = { .path = path };
        struct category_row_list found;

        *out = (uid){ { 0 } };
        TRY(categories_known(tx, &(struct category_batch){ { &row, 1 } }, &found));
        if (found.n) *out = found.v[0].id;
        return 0;
}

/* ---- by hand ------------------------------------------------------------------------------------------------------------------ */

static int no_such_category(struct ctx *c)
{
        return fail(c, NOT_FOUND, "no_such_category", "there is no such category");
}

static int category_get(struct ctx *c, const struct category_ref *in, struct category *out)
{
        int r = category_by_id(db(c), in, out);
        return r == -NOT_FOUND ? no_such_category(c) : r;
}

const struct paging categories_paging = PAGING(category_filter, category,
        { "path", &categories_all_query, "path" }, { "-path", &categories_back_query, "path" });

static int categories_list(struct ctx *c, const struct category_filter *in, struct category_page *out)
{
        struct category_filter f = *in;
        return page_query(c, &categories_paging, &f, &out->items, &out->next, &out->prev);
}

/* Fills what follows from parent and name: slug and path. In the transaction that has the tree. Adds flaws. */
static int place(struct db *tx, struct category *k)
{
        struct ctx *c = db_ctx(tx);
        struct category above = { 0 };
        int r = uid_is_zero(k->parent_id) ? 0 : category_by_id(tx, &(struct category_ref){ k->parent_id }, &above);

        if (r == -NOT_FOUND) {
                fault_clear(c);
                flaw_add(c, STR("/parent_id"), "no_such_category", "there is no such category");
        } else {
                TRY(r);
        }
        if (str_find(k->name, '>') >= 0 || k->name.p[0] == ' ' || k->name.p[k->name.n - 1] == ' ')
                flaw_add(c, STR("/name"), "bad_format", "must not have > in it, nor begin or end with a blank");
        k->slug = slug_of(c, k->name);
        k->path = above.path.n ? arena_printf(c->arena, STR_FMT " > " STR_FMT, STR_ARG(above.path), STR_ARG(k->name)) : k->name;
        return k->path.p && k->slug.p ? 0 : no_room(c);
}

static void check_reach(struct ctx *c, int depth, int64_t length)
{
        if (depth > CATEGORY_DEPTH_MAX) flaw_add(c, STR("/parent_id"), "too_deep", "there may be %d levels at most", CATEGORY_DEPTH_MAX);
        if (length > CATEGORY_PATH_MAX) flaw_add(c, STR("/name"), "too_long", "a path of names may have %d characters at most", CATEGORY_PATH_MAX);
}

static int exists_already(struct ctx *c, str path)
{
        return fail_about(c, "/name", fail(c, ALREADY_EXISTS, "category_exists", "there is a category " STR_FMT, STR_ARG(path)));
}

static int category_create(struct ctx *c, const struct category_new *in, struct category *out)
{
        when now = clock_now();
        int r;

        *out = (struct category){ uid_v7(now), in->parent_id, { 0 }, in->name, { 0 }, 1, now };
        TX(tx, c);
        TRY(tree_lock_later(tx, &(struct nothing){ 0 }));
        TRY(place(tx, out));
        check_reach(c, depth_of(out->path), (int64_t)utf8_length(out->path));
        TRY(flaws_fail(c));
        r = category_insert(tx, out);
        if (r == -ALREADY_EXISTS) return exists_already(c, out->path);
        TRY(r);
        return catalog_commit(tx);
}

static int category_stands(struct ctx *c, const struct category_edit *in, struct category_edit *out)
{
        int r = category_now(db(c), in, out);
        return r == -NOT_FOUND ? no_such_category(c) : r;
}

/* Rename and move are one: a new path for it and for all below. */
static int category_replace(struct ctx *c, const struct category_edit *in, struct category *out)
{
        struct category was;
        struct reach reach;
        int r;

        TX(tx, c);
        TRY(tree_lock_later(tx, &(struct nothing){ 0 }));
        r = category_by_id(tx, &(struct category_ref){ in->id }, &was);
        if (r == -NOT_FOUND) return no_such_category(c);
        TRY(r);
        if (in->if_match && in->if_match != was.version) return stale(c);
        *out = was;
        out->parent_id = in->parent_id;
        out->name = in->name;
        TRY(place(tx, out));
        str inside = arena_printf(c->arena, STR_FMT " > ", STR_ARG(was.path));
        if (uid_eq(in->id, in->parent_id) || str_starts(out->path, inside))
                flaw_add(c, STR("/parent_id"), "category_cycle", "is the category itself or below it");
        TRY(flaws_fail(c));
        if (str_eq(out->path, was.path)) return 0;
        TRY(below_reach(tx, &(struct transplant){ was.path, { 0 } }, &reach));
        check_reach(c, reach.depth - depth_of(was.path) + depth_of(out->path),
                    reach.length - (int64_t)utf8_length(was.path) + (int64_t)utf8_length(out->path));
        TRY(flaws_fail(c));
        out->version++;
        r = category_update(tx, out);
        if (r == -ALREADY_EXISTS) return exists_already(c, out->path);
        TRY(r);
        TRY(below_move(tx, &(struct transplant){ was.path, out->path }));
        return catalog_commit(tx);
}

static int category_remove(struct ctx *c, const struct category_gone *in, struct nothing *out)
{
        struct category_ref ref = { in->id };
        struct category_use use;
        struct category k;
        int r;

        (void)out;
        TX(tx, c);
        TRY(tree_lock_later(tx, &(struct nothing){ 0 }));
        r = category_by_id(tx, &ref, &k);
        if (r == -NOT_FOUND) return no_such_category(c);
        TRY(r);
        if (in->if_match && in->if_match != k.version) return stale(c);
        TRY(category_use(tx, &ref, &use));
        if (use.has_children || use.has_products)
                return fail(c, FAILED_PRECONDITION, "category_not_empty", STR_FMT " still has %s in it", STR_ARG(k.path), use.has_products ? "products" : "categories");
        TRY(category_delete_later(tx, &ref));
        return catalog_commit(tx);
}

/*  operation         takes            gives          */
OP( category_get,     category_ref,    category       );
OP( categories_list,  category_filter, category_page  );
OP( category_create,  category_new,    category       );
OP( category_replace, category_edit,   category       );
OP( category_stands,  category_edit,   category_edit  );
OP( category_remove,  category_gone,   nothing        );
