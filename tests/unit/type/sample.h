/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sample.h - messages with a field of every kind, and a context, for the tests of kit/type. */
#ifndef SAMPLE_H
#define SAMPLE_H
#include "check.h"
#include "ctx.h"
#include "form.h"
#include "json.h"
#include "spec.h"
#include "type.h"

enum colour { RED, GREEN, BLUE };
struct part { str sku; int32_t quantity; };
DECLARE_LIST(part);
struct tree { str name; struct tree_list { struct tree *v; size_t n; } kids; };
struct sample {
        bool yes;
        int32_t small;
        enum colour colour;
        int64_t big;
        double ratio;
        str name;
        bytes blob;
        uid id;
        when at;
        money price;
        struct part part;
        struct part_list parts;
        struct str_list tags;
        struct uid_list ids;
        struct i64_list numbers;
};
/* The same kinds, all optional. */
struct loose {
        bool yes;
        int32_t small;
        enum colour colour;
        int64_t big;
        double ratio;
        str name;
        bytes blob;
        uid id;
        when at;
        money price;
        struct part part;
        struct part_list parts;
};
struct account { str email, password; str country; };
struct inner { int32_t shown, hidden; money cost; };    /* hidden and cost are the program's own */

extern const struct type part_type, tree_type, sample_type, loose_type, account_type, inner_type;

#define SAMPLE_TYPES \
        static const char *const colours[] = { "red", "green", "blue", NULL }; \
        MESSAGE(part, "a part of a sample", F(part, 1, sku, .min = 1, .max = 8), F(part, 2, quantity, .min = 1, .max = 99)); \
        MESSAGE(tree, "a tree of names", F(tree, 1, name), F_LIST(tree, 2, kids, tree, .optional = true)); \
        MESSAGE(sample, "one of every kind", \
                F(sample, 1, yes), F(sample, 2, small, .doc = "a small number", .example = "7"), F(sample, 3, colour, .names = colours), \
                F(sample, 4, big), F(sample, 5, ratio), F(sample, 6, name), F(sample, 7, blob), F(sample, 8, id), F(sample, 9, at), \
                F(sample, 10, price), F_MSG(sample, 11, part, part), F_LIST(sample, 12, parts, part, .min = 1, .max = 3), \
                F_LIST(sample, 13, tags, str), F_LIST(sample, 14, ids, uid), F_LIST(sample, 15, numbers, i64)); \
        MESSAGE(loose, "everything may be left out", \
                F(loose, 1, yes, .optional = true), F(loose, 2, small, .optional = true, .min = 5, .max = 9), \
                F(loose, 3, colour, .names = colours, .optional = true), F(loose, 4, big, .optional = true), F(loose, 5, ratio, .optional = true), \
                F(loose, 6, name, .optional = true, .max = 5), F(loose, 7, blob, .optional = true, .min = 2, .max = 4), F(loose, 8, id, .optional = true), \
                F(loose, 9, at, .optional = true), F(loose, 10, price, .optional = true, .min = 1, .max = 100000), \
                F_MSG(loose, 11, part, part, .optional = true), F_LIST(loose, 12, parts, part, .optional = true)); \
        MESSAGE(account, "who logs in", F(account, 1, email, .format = &format_email), \
                F(account, 2, password, .min = 8, .secret = true), F(account, 3, country, .format = &format_country, .optional = true)); \
        MESSAGE(inner, "what the world sees of it is less", F(inner, 1, shown), F(inner, 2, hidden, .internal = true, .min = 1, .max = 2), \
                F(inner, 3, cost, .internal = true))

static const char sample_text[] =
        "{\"yes\":true,\"small\":-7,\"colour\":\"blue\",\"big\":9007199254740993,\"ratio\":0.1,\"name\":\"K\xc3\xa4se \\\"\\\\\\n\\u0001\","
        "\"blob\":\"AP-_\",\"id\":\"01234567-89ab-7def-8123-456789abcdef\",\"at\":\"2026-11-24T08:09:27.123456Z\","
        "\"price\":{\"amount\":1999,\"currency\":\"EUR\"},\"part\":{\"sku\":\"a\",\"quantity\":1},"
        "\"parts\":[{\"sku\":\"b\",\"quantity\":2},{\"sku\":\"c\",\"quantity\":3}],\"tags\":[\"x\",\"\"],"
        "\"ids\":[\"01234567-89ab-7def-8123-456789abcdef\"],\"numbers\":[0,-9223372036854775808,9223372036854775807]}";

/* Every flaw on a line: "pointer slug\n". Borrowed until the next call. */
static inline const char *flaws(const struct ctx *c)
{
        static char t[8192];
        size_t n = 0;
        t[0] = '\0';
        for (const struct flaw *f = c->fault.flaws; f && n < sizeof t - 300; f = f->next)
                n += (size_t)snprintf(t + n, sizeof t - n, STR_FMT " %s\n", STR_ARG(f->pointer), f->slug);
        return t;
}
/* A context with an arena of its own, until the test ends. */
static inline void sample_done(struct ctx *c) { c->arena = arena_free(c->arena); }
#define CTX(c) struct ctx c AUTO(sample_done) = { .arena = arena_new(1 << 22) }
#endif
