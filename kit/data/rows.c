/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * rows.c - rows in PostgreSQL's binary form into structs, by their columns' names.
 *
 * Which column goes where, and that its type fits, was settled once (plan.c). Texts are copied into the ctx's arena: the answer goes
 * when the call returns. Lengths are checked all the same: what comes over a wire is not trusted. */
#include "db_internal.h"
#include <stdlib.h>
#include "json.h"
#include "oids.h"

struct cell { const char *p; size_t n; const struct column *col; };

static int odd(struct ctx *c, const struct cell *v)
{
        return fail(c, INTERNAL, "database", "column %s: a value that does not fit %s", v->col->name, v->col->f->name);
}

static int no_room(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "memory", "the rows need more memory than there is");
}

static uint32_t u32(const char *p)
{
        const uint8_t *b = (const uint8_t *)p;
        return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint64_t u64(const char *p)
{
        return (uint64_t)u32(p) << 32 | u32(p + 4);
}

static bool integer(const char *p, size_t n, int64_t *out)
{
        if (n == 2) *out = (int16_t)(u32((const char[4]){ 0, 0, p[0], p[1] }));
        else if (n == 4) *out = (int32_t)u32(p);
        else if (n == 8) *out = (int64_t)u64(p);
        else return false;
        return true;
}

static int cell_integer(struct ctx *c, const struct cell *v, int64_t *out)
{
        if (v->col->oid == OID_OID && v->n == 4) *out = u32(v->p);
        else if (!integer(v->p, v->n, out)) return odd(c, v);
        return 0;
}

static int cell_i32(struct ctx *c, const struct cell *v, int32_t *out)
{
        const struct field *f = v->col->f;
        int64_t i;
        bool is_word = v->col->oid != OID_INT2 && v->col->oid != OID_INT4 && v->col->oid != OID_INT8;
        if (is_word) {
                int word = field_word(f, str_trim((str){ v->p, v->n }, " "));
                if (word < 0) return fail(c, INTERNAL, "database", "column %s: %s has no word \"%.*s\"", v->col->name, f->name,
                                          (int)MIN(v->n, (size_t)40), v->p);
                *out = word;
                return 0;
        }
        TRY(cell_integer(c, v, &i));
        if (i < INT32_MIN || i > INT32_MAX) return odd(c, v);
        *out = (int32_t)i;
        return 0;
}

static int cell_double(struct ctx *c, const struct cell *v, double *out)
{
        uint64_t bits8;
        uint32_t bits4;
        float small;
        int64_t i;
        if (v->col->oid == OID_FLOAT8 && v->n == 8) {
                bits8 = u64(v->p);
                memcpy(out, &bits8, 8);
        } else if (v->col->oid == OID_FLOAT4 && v->n == 4) {
                bits4 = u32(v->p);
                memcpy(&small, &bits4, 4);
                *out = (double)small;
        } else {
                TRY(cell_integer(c, v, &i));
                *out = (double)i;
        }
        return 0;
}

/* Text as it is; jsonb without its version byte. */
static str cell_raw(const struct cell *v)
{
        bool versioned = v->col->oid == OID_JSONB && v->n;
        return (str){ v->p + versioned, v->n - versioned };
}

static int cell_str(struct ctx *c, const struct cell *v, str *out)
{
        *out = arena_str(c->arena, cell_raw(v));
        return out->p ? 0 : no_room(c);
}

static int cell_currency(struct ctx *c, const struct cell *v, char cur[4])
{
        if (v->n > 3) return odd(c, v);
        memcpy(cur, v->p, v->n);
        memset(cur + v->n, 0, 4 - v->n);
        return 0;
}

/* Our own JSON: lenient about members, unchecked. A flaw in it is the database's, not the caller's. */
static int cell_json(struct ctx *c, const struct cell *v, void *out)
{
        const struct field *f = v->col->f;
        str text;
        TRY(cell_str(c, v, &text));
        if (str_eq(text, STR("null"))) {
                memset(out, 0, f->size);
                return 0;
        }
        int code = f->kind == K_MSG ? json_read(c, f->of, text, out, JSON_LENIENT | JSON_NO_CHECK)
                                    : json_read_list(c, f->of, text, out, JSON_LENIENT | JSON_NO_CHECK);
        if (code != -INVALID_ARGUMENT) return code;
        const struct flaw *flaw = c->fault.flaws;
        return fail(c, INTERNAL, "database", "column %s: its JSON does not fit %s: " STR_FMT " " STR_FMT, v->col->name, f->of->name,
                    STR_ARG(flaw ? flaw->pointer : STR("")), STR_ARG(flaw ? flaw->detail : STR("")));
}

static int element(struct ctx *c, const struct cell *v, enum kind kind, str data, void *out)
{
        if (kind == K_STR) {
                *(str *)out = arena_str(c->arena, data);
                return ((str *)out)->p ? 0 : no_room(c);
        }
        if (kind == K_UID && data.n == 16) {
                memcpy(((uid *)out)->b, data.p, 16);
                return 0;
        }
        return kind == K_I64 && integer(data.p, data.n, out) ? 0 : odd(c, v);
}

/* An array of one dimension; NULL elements are absent. */
static int cell_array(struct ctx *c, const struct cell *v, struct any_list *out)
{
        const struct field *scalar = v->col->f->of->scalar;
        if (v->n < 12) return odd(c, v);
        uint32_t dimensions = u32(v->p);
        *out = (struct any_list){ NULL, 0 };
        if (dimensions == 0) return 0;
        if (dimensions != 1 || v->n < 20) return odd(c, v);
        size_t n = u32(v->p + 12), at = 20;
        if (n > (v->n - at) / 4) return odd(c, v);
        out->v = arena_array(c->arena, n, scalar->size);
        if (!out->v) return no_room(c);
        for (size_t i = 0; i < n; i++) {
                if (v->n - at < 4) return odd(c, v);
                uint32_t length = u32(v->p + at);
                at += 4;
                if (length == UINT32_MAX) continue;
                if (v->n - at < length) return odd(c, v);
                TRY(element(c, v, scalar->kind, (str){ v->p + at, length }, out->v + i * scalar->size));
                at += length;
        }
        out->n = n;
        return 0;
}

static int cell_read(struct ctx *c, const struct cell *v, void *msg)
{
        const struct field *f = v->col->f;
        void *out = (char *)msg + f->offset;
        switch (f->kind) {
        case K_BOOL:
                if (v->n != 1) return odd(c, v);
                *(bool *)out = v->p[0] != 0;
                return 0;
        case K_I32:  return cell_i32(c, v, out);
        case K_I64:  return cell_integer(c, v, out);
        case K_F64:  return cell_double(c, v, out);
        case K_STR:  return cell_str(c, v, out);
        case K_BYTES: {
                str copy;
                TRY(cell_str(c, v, &copy));
                *(bytes *)out = (bytes){ (const uint8_t *)copy.p, copy.n };
                return 0;
        }
        case K_UID:
                if (v->n != 16) return odd(c, v);
                memcpy(((uid *)out)->b, v->p, 16);
                return 0;
        case K_WHEN:
                if (v->n != 8) return odd(c, v);
                if (__builtin_add_overflow((int64_t)u64(v->p), PG_EPOCH_US, &((when *)out)->us)) return odd(c, v);      /* infinity */
                return 0;
        case K_MONEY:
                if (v->col->part == MINOR) return cell_integer(c, v, &((money *)out)->minor);
                return cell_currency(c, v, ((money *)out)->cur);
        case K_MSG:  return cell_json(c, v, out);
        case K_LIST: return v->col->oid == OID_JSON || v->col->oid == OID_JSONB ? cell_json(c, v, out) : cell_array(c, v, out);
        }
        return 0;
}

static int row_read(struct ctx *c, const struct row_plan *rows, const PGresult *r, int row, void *out)
{
        for (size_t i = 0; i < rows->n; i++) {
                const struct field *f = rows->v[i].f;
                if (PQgetisnull(r, row, (int)i)) {
                        if (rows->v[i].part == MINOR) ((money *)((char *)out + f->offset))->minor = 0;
                        else if (rows->v[i].part == CUR) memset(((money *)((char *)out + f->offset))->cur, 0, 4);
                        else memset((char *)out + f->offset, 0, f->size);
                        continue;
                }
                struct cell v = { PQgetvalue(r, row, (int)i), (size_t)PQgetlength(r, row, (int)i), &rows->v[i] };
                TRY(cell_read(c, &v, out));
        }
        return 0;
}

static int rows_many(struct ctx *c, const struct type *t, const struct row_plan *rows, const PGresult *r, struct any_list *out)
{
        int n = PQntuples(r);
        char *v = n ? arena_array(c->arena, (size_t)n, t->size) : NULL;
        if (n && !v) return no_room(c);
        for (int i = 0; i < n; i++)
                TRY(row_read(c, rows, r, i, v + (size_t)i * t->size));
        *out = (struct any_list){ v, (size_t)n };
        return n;
}

int rows_read(struct ctx *c, struct plan *plan, const PGresult *r, const void *in, void *out)
{
        const struct query *q = plan->q;
        if (!q->out) return (int)MIN(strtoll(PQcmdTuples((PGresult *)r), NULL, 10), INT32_MAX);
        const struct row_plan *rows = plan_rows(c, plan, r);
        int n = PQntuples(r);
        if (!rows) return -(int)c->fault.code;
        if (q->rows == ROWS_MANY) return rows_many(c, q->out, rows, r, out);
        if (n > 1) return fail(c, INTERNAL, "database", "%s: %d rows where one was asked for", q->name, n);
        if (n == 0) return q->rows == ROWS_MAYBE ? 0 : fail(c, NOT_FOUND, "not_found", "no such thing (%s)", q->name);
        if (out != in) memset(out, 0, q->out->size);
        TRY(row_read(c, rows, r, 0, out));
        return 1;
}
