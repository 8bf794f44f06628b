/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * kinds.h - a message with every kind of member, and QUERY: a statement without a .sql file. */
#ifndef KINDS_H
#define KINDS_H
#include "db.h"

static const char *const colour_names[] = { "none", "red", "green", NULL };

struct part { uid id; str name; int32_t quantity, colour; money price; when due; };
DECLARE_LIST(part);
struct place_of { str city, street; };
struct kinds {
        bool     yes;
        int32_t  small, colour;
        int64_t  large;
        double   ratio;
        str      text;
        bytes    raw;
        uid      id;
        when     at;
        money    total;
        struct place_of home;
        struct part_list parts;
        struct uid_list ids;
        struct str_list words;
        struct i64_list numbers;
        str      maybe_text;
        uid      maybe_id;
        when     maybe_at;
        int32_t  maybe_small;
        struct place_of maybe_home;
};
DECLARE_LIST(kinds);

MESSAGE(part, "a part", F(part, 1, id), F(part, 2, name, .optional = true), F(part, 3, quantity), F(part, 4, colour, .names = colour_names),
        F(part, 5, price, .optional = true), F(part, 6, due, .optional = true));
MESSAGE(place_of, "a place", F(place_of, 1, city), F(place_of, 2, street, .optional = true));
MESSAGE(kinds, "all kinds", F(kinds, 1, yes), F(kinds, 2, small), F(kinds, 3, colour, .names = colour_names), F(kinds, 4, large), F(kinds, 5, ratio),
        F(kinds, 6, text), F(kinds, 7, raw), F(kinds, 8, id), F(kinds, 9, at), F(kinds, 10, total), F_MSG(kinds, 11, home, place_of),
        F_LIST(kinds, 12, parts, part), F_LIST(kinds, 13, ids, uid), F_LIST(kinds, 14, words, str), F_LIST(kinds, 15, numbers, i64),
        F(kinds, 16, maybe_text, .optional = true), F(kinds, 17, maybe_id, .optional = true), F(kinds, 18, maybe_at, .optional = true),
        F(kinds, 19, maybe_small, .optional = true), F_MSG(kinds, 20, maybe_home, place_of, .optional = true));

struct number { int64_t n; };
DECLARE_LIST(number);
MESSAGE(number, "a number", F(number, 1, n));

#define PARAMS(...) .params = (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL }
#define QUERY(name_, in_, out_, rows_, sql_, ...) \
        static struct query_plan name_##_plan; \
        static const struct query name_ = { .name = #name_, .sql = (sql_), .in = (in_), .out = (out_), .rows = (rows_), .plan = &name_##_plan, PARAMS(__VA_ARGS__) }
#endif
