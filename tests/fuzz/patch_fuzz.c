/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * patch_fuzz.c - a merge patch read onto a struct gives what RFC 7396's own words give on the text.
 *
 * The input is what stands, a NUL, and the patch. Promises held: a patch that is taken gives the struct that the merged text gives;
 * once more it changes nothing; what no standing value could make right is refused before one is known; {} changes nothing. */
#include <stdlib.h>
#include "json.h"

enum { TEXT_MAX = 20000, WRITTEN_MAX = 1 << 20 };
static const char *const words[] = { "none", "some", "all", NULL };
enum word { NONE, SOME, ALL };
struct leaf { str name; int64_t n; money price; };
struct tree {
        str sku; int32_t small; enum word word; money price; when at; uid id; bool yes; double ratio;
        struct leaf leaf, other;
        struct leaf_list { struct leaf *v; size_t n; } leaves;
        struct str_list tags;
};
extern const struct type leaf_type, tree_type;
MESSAGE(leaf, "", F(leaf, 1, name, .min = 1, .max = 9), F(leaf, 2, n, .optional = true, .min = -9, .max = 99), F(leaf, 3, price, .optional = true));
MESSAGE(tree, "", F(tree, 1, sku, .min = 1), F(tree, 2, small, .optional = true, .max = 50), F(tree, 3, word, .names = words, .optional = true), F(tree, 4, price),
        F(tree, 5, at, .optional = true), F(tree, 6, id, .optional = true), F(tree, 7, yes, .optional = true), F(tree, 8, ratio, .optional = true),
        F_MSG(tree, 9, leaf, leaf), F_MSG(tree, 10, other, leaf, .optional = true), F_LIST(tree, 11, leaves, leaf, .optional = true, .max = 4),
        F_LIST(tree, 12, tags, str, .optional = true, .max = 3));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
        if (!holds) abort();
}

/* Section 2 of RFC 7396, a line a line. target p NULL: there is none, or no object. Both are valid JSON. */
static void merge(struct ctx *c, struct buf *out, str target, str patch)
{
        str name, value, inner;
        struct jw w = { .b = out };
        if (json_kind_of(patch) != JSON_OBJECT) {
                buf_add(out, patch);
                return;
        }
        if (!target.p || json_kind_of(target) != JSON_OBJECT) target = STR("{}");
        jw_object(&w);
        for (struct json_walk t = json_open(target); json_next_member(c, &t, &name, &value);) {
                char *z = arena_z(c->arena, name);
                inner = z && !memchr(name.p, 0, name.n) ? json_member(patch, z) : (str){ NULL, 0 };
                if (inner.p && json_kind_of(inner) == JSON_NULL) continue;
                jw_key_str(&w, name);
                if (inner.p) merge(c, out, value, inner);
                else buf_add(out, value);
                w.comma = true;
                w.keyed = false;
        }
        for (struct json_walk p = json_open(patch); json_next_member(c, &p, &name, &value);) {
                char *z = arena_z(c->arena, name);
                if (json_kind_of(value) == JSON_NULL || !z || json_member(target, z).p) continue;
                jw_key_str(&w, name);
                merge(c, out, (str){ NULL, 0 }, value);
                w.comma = true;
                w.keyed = false;
        }
        jw_object_end(&w);
}

static bool is_full(const struct ctx *c)        { return arena_is_exhausted(c->arena); }

static void patched(struct arena *a, const struct tree *was, str before, str patch)
{
        struct ctx c = { .arena = a }, d = { .arena = a }, e = { .arena = a };
        struct buf merged AUTO(buf_done) = BUF_INIT(WRITTEN_MAX), one AUTO(buf_done) = BUF_INIT(WRITTEN_MAX), two AUTO(buf_done) = BUF_INIT(WRITTEN_MAX);
        struct tree now = *was, other, nothing = { 0 };
        int r = json_read(&c, &tree_type, patch, &now, JSON_PATCH);
        must(r == 0 || c.fault.slug);
        if (r < 0) return;
        must(json_read(&e, &tree_type, patch, &nothing, JSON_PATCH | JSON_PARTS) == 0 || is_full(&e));
        json_write(&one, &tree_type, &now);
        merge(&d, &merged, before, patch);
        r = json_read(&d, &tree_type, buf_str(&merged), &other, JSON_STRICT);
        if (is_full(&d)) return;
        must(r == 0);
        json_write(&two, &tree_type, &other);
        must(str_eq(buf_str(&one), buf_str(&two)));
        must(json_read(&c, &tree_type, patch, &now, JSON_PATCH) == 0 || is_full(&c));
        buf_clear(&two);
        json_write(&two, &tree_type, &now);
        must(is_full(&c) || str_eq(buf_str(&one), buf_str(&two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct arena *a;
        if (!a) a = arena_new(4 << 20);
        arena_reset(a);
        struct ctx c = { .arena = a };
        struct tree was, same;
        struct buf before AUTO(buf_done) = BUF_INIT(WRITTEN_MAX), after AUTO(buf_done) = BUF_INIT(WRITTEN_MAX);
        str patch = { (const char *)data, n }, stands = str_split(&patch, '\0');
        if (n > TEXT_MAX || !patch.p || json_read(&c, &tree_type, stands, &was, JSON_STRICT) < 0) return 0;
        json_write(&before, &tree_type, &was);
        same = was;
        must(json_read(&c, &tree_type, STR("{}"), &same, JSON_PATCH) == 0);
        json_write(&after, &tree_type, &same);
        must(str_eq(buf_str(&before), buf_str(&after)));
        patched(a, &was, buf_str(&before), patch);
        return 0;
}
