/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * rows_fuzz.c - whatever a server sends as a row is read into the struct or refused; nothing is read beyond a value's end.
 *
 * The first bytes choose the columns, each with a type that db_check would accept; the rest are the values. */
#include <libpq-fe.h>
#include <stdlib.h>
#include "db_internal.h"
#include "oids.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const colours[] = { "none", "red", NULL };
struct leaf { str name; };
DECLARE_LIST(leaf);
struct tree {
        bool yes; int32_t small, colour; int64_t large; double ratio; str text; bytes raw; uid id; when at; money total;
        struct leaf leaf; struct leaf_list leaves; struct uid_list ids; struct str_list words; struct i64_list numbers;
};
DECLARE_LIST(tree);
MESSAGE(leaf, "a leaf", F(leaf, 1, name));
MESSAGE(tree, "a tree", F(tree, 1, yes), F(tree, 2, small), F(tree, 3, colour, .names = colours), F(tree, 4, large), F(tree, 5, ratio), F(tree, 6, text),
        F(tree, 7, raw), F(tree, 8, id), F(tree, 9, at), F(tree, 10, total), F_MSG(tree, 11, leaf, leaf), F_LIST(tree, 12, leaves, leaf),
        F_LIST(tree, 13, ids, uid), F_LIST(tree, 14, words, str), F_LIST(tree, 15, numbers, i64));

static const struct { const char *name; Oid oid; } columns[] = {
        { "yes", OID_BOOL }, { "small", OID_INT4 }, { "small", OID_INT8 }, { "colour", OID_TEXT }, { "colour", OID_INT2 }, { "large", OID_INT8 },
        { "ratio", OID_FLOAT8 }, { "ratio", OID_FLOAT4 }, { "text", OID_TEXT }, { "text", OID_JSONB }, { "raw", OID_BYTEA }, { "id", OID_UUID },
        { "at", OID_TIMESTAMPTZ }, { "total_minor", OID_INT8 }, { "total_cur", OID_BPCHAR }, { "leaf", OID_JSONB }, { "leaves", OID_JSON },
        { "ids", OID_UUID_ARRAY }, { "words", OID_TEXT_ARRAY }, { "numbers", OID_INT8_ARRAY }, { "numbers", OID_JSONB }, { "large", OID_XID8 },
};

/* The next value: a length of one byte, then so many bytes; in memory of exactly that size. */
static void value(PGresult *r, int column, const uint8_t **data, size_t *n)
{
        size_t length = *n ? MIN(**data, *n - 1) : 0;
        if (*n) PQsetvalue(r, 0, column, (char *)*data + 1, **data == 255 ? -1 : (int)length);
        *data += MIN(*n, length + 1);
        *n -= MIN(*n, length + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct query_plan query_plan;
        static const struct query query = { .name = "fuzz", .sql = "", .in = &nothing_type, .out = &tree_type, .rows = ROWS_MANY, .plan = &query_plan };
        PGresAttDesc attributes[2];
        int n_columns = 0;
        for (; n && n_columns < 2; data++, n--, n_columns++) {
                size_t i = *data % COUNT(columns);
                attributes[n_columns] = (PGresAttDesc){ .name = (char *)columns[i].name, .typid = columns[i].oid, .format = 1 };
        }
        struct plan *plan = calloc(1, sizeof *plan);
        plan->q = &query;
        PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
        PQsetResultAttrs(r, n_columns, attributes);
        for (int i = 0; i < n_columns; i++)
                value(r, i, &data, &n);
        struct ctx c = { .arena = arena_new(1 << 20) };
        struct tree_list out = { 0 };
        int code = rows_read(&c, plan, r, NULL, &out);
        assert(code == PQntuples(r) || code == -INTERNAL || code == -RESOURCE_EXHAUSTED);
        while (plan->rows) {
                struct row_plan *rows = plan->rows;
                plan->rows = rows->older;
                for (size_t i = 0; i < rows->n; i++) free((char *)rows->v[i].name);
                free(rows);
        }
        free(plan);
        PQclear(r);
        arena_free(c.arena);
        return 0;
}
