/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_fuzz.c - any bytes as JSON: the readers may refuse, never break; what they accept they write and read again the same.
 *
 * The first byte picks the mode. Promises held: a refusal has a flaw; json_read() accepts nothing that json_validate()
 * refuses; a message written is read back and written the same; schema-less walking stays inside the text. */
#include <stdlib.h>
#include "json.h"

static const char *const words[] = { "none", "some", "all", NULL };
enum word { NONE, SOME, ALL };
struct leaf { str name; int64_t n; money price; };
struct node {
        bool yes; int32_t small; enum word word; double ratio; str text; bytes blob; uid id; when at;
        struct leaf leaf;
        struct node_list { struct node *v; size_t n; } nodes;
        struct str_list tags;
        struct i64_list numbers;
};
extern const struct type leaf_type, node_type;
MESSAGE(leaf, "", F(leaf, 1, name, .optional = true), F(leaf, 2, n, .optional = true), F(leaf, 3, price, .optional = true));
MESSAGE(node, "", F(node, 1, yes, .optional = true), F(node, 2, small, .optional = true, .min = -5, .max = 500),
        F(node, 3, word, .names = words, .optional = true), F(node, 4, ratio, .optional = true), F(node, 5, text, .optional = true, .max = 20),
        F(node, 6, blob, .optional = true), F(node, 7, id, .optional = true), F(node, 8, at, .optional = true), F_MSG(node, 9, leaf, leaf, .optional = true),
        F_LIST(node, 10, nodes, node, .optional = true), F_LIST(node, 11, tags, str, .optional = true), F_LIST(node, 12, numbers, i64, .optional = true));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
        if (!holds) abort();
}

static void read_and_write(struct arena *a, str text, unsigned mode)
{
        struct ctx c = { .arena = a }, again = { .arena = a };
        struct node v, w;
        struct buf first AUTO(buf_done) = BUF_INIT(1 << 22), second AUTO(buf_done) = BUF_INIT(1 << 22);
        int r = json_read(&c, &node_type, text, &v, mode);
        must(r == 0 || c.fault.slug);
        must(r != -INVALID_ARGUMENT || c.fault.n_flaws);
        if (r < 0) return;
        must(json_validate(&c, text) != -INVALID_ARGUMENT);
        json_write(&first, &node_type, &v);
        must(!buf_error(&first));
        r = json_read(&again, &node_type, buf_str(&first), &w, mode);
        if (r == -RESOURCE_EXHAUSTED) return;
        must(r == 0);
        json_write(&second, &node_type, &w);
        must(str_eq(buf_str(&first), buf_str(&second)));
}

static void walk(struct ctx *c, str value, int depth)
{
        struct json_walk members = json_open(value), elements = members;
        str name, inner, text;
        int64_t i;
        json_text(c, value, &text);
        json_int(value, &i);
        json_member(value, "text");
        if (depth > DEPTH_MAX) return;
        while (json_next_member(c, &members, &name, &inner)) walk(c, inner, depth + 1);
        while (json_next_element(&elements, &inner)) walk(c, inner, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct arena *a = arena_new(1 << 20);
        struct ctx c = { .arena = a };
        if (n && n < 100000) {
                str text = { (const char *)data + 1, n - 1 };
                read_and_write(a, text, data[0] & (JSON_LENIENT | JSON_NO_CHECK));
                arena_reset(a);
                if (n < 300) walk(&c, text, 0);
        }
        arena_free(a);
        return 0;
}
