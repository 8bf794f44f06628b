/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * plan.c - where a statement's parameters lie in `in` and its columns in `out`: found once, by name, then only offsets.
 *
 * A plan is made at a query's first use and lives as long as the program (queries are static); so do the shapes of rows it has seen,
 * of which there is one unless schemas differ between databases. What cannot be is told with the statement's name. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "oids.h"
#include "pg_internal.h"

enum { SHAPES_MAX = 16 };

static pthread_mutex_t plans_lock = PTHREAD_MUTEX_INITIALIZER;
static struct plan *_Atomic plans;              /* newest first */

/* ---- parameters: from a path to an offset ----------------------------------------------------------------------------- */

static Oid oid_of(const struct field *f, enum part part)
{
        if (part == MINOR) return OID_INT8;
        if (part == CUR || part == WORD) return OID_TEXT;
        switch (f->kind) {
        case K_BOOL:  return OID_BOOL;
        case K_I32:   return OID_INT4;
        case K_I64:   return OID_INT8;
        case K_F64:   return OID_FLOAT8;
        case K_STR:   return OID_TEXT;
        case K_BYTES: return OID_BYTEA;
        case K_UID:   return OID_UUID;
        case K_WHEN:  return OID_TIMESTAMPTZ;
        case K_MSG: case K_LIST: return OID_JSONB;
        case K_MONEY: break;
        }
        return 0;
}

static const struct { Oid element, array; } arrays[] = {
        { OID_BOOL, 1000 }, { OID_INT4, OID_INT4_ARRAY }, { OID_INT8, OID_INT8_ARRAY }, { OID_FLOAT8, 1022 }, { OID_TEXT, OID_TEXT_ARRAY },
        { OID_BYTEA, 1001 }, { OID_UUID, OID_UUID_ARRAY }, { OID_TIMESTAMPTZ, 1185 }, { OID_JSONB, 3807 },
};

static Oid array_of(Oid element)
{
        for (size_t i = 0; i < COUNT(arrays); i++)
                if (arrays[i].element == element) return arrays[i].array;
        return 0;
}

static bool part_of(const struct field *f, str word, enum part *out)
{
        if (f->kind == K_MONEY && str_eq(word, STR("minor"))) *out = MINOR;
        else if (f->kind == K_MONEY && str_eq(word, STR("cur"))) *out = CUR;
        else if (f->kind == K_I32 && f->names && str_eq(word, STR("word"))) *out = WORD;
        else return false;
        return true;
}

static void list_enter(struct param *p, const struct field *f)
{
        p->source = FROM_LIST;
        p->list_at = p->base + f->offset;
        p->stride = f->of->size;
        p->base = 0;
        p->gate = NULL;
}

/* Steps from member f into what the rest of the path names. returns the type to go on in; NULL: no such step */
static const struct type *step(struct param *p, const struct field *f)
{
        if (f->kind == K_LIST && p->source == FROM_MEMBER && !f->of->scalar) {
                list_enter(p, f);
                return f->of;
        }
        if (f->kind != K_MSG) return NULL;
        if (f->optional) {
                p->gate = f;
                p->gate_base = p->base;
        }
        p->base += f->offset;
        return f->of;
}

static void leaf(struct param *p, const struct field *f)
{
        if (f->kind == K_LIST && f->of->scalar && p->source == FROM_MEMBER && p->part == WHOLE) {
                list_enter(p, f);
                p->null_if_empty = f->optional;
                f = f->of->scalar;
        }
        p->f = f;
        p->element = oid_of(f, p->part);
        p->oid = p->source == FROM_LIST ? array_of(p->element) : p->element;
}

static bool builtin(struct param *p, const char *path)
{
        static const struct { const char *name; enum source source; Oid oid; } list[] = {
                { ":caller", FROM_CALLER, OID_UUID }, { ":caller_roles", FROM_ROLES, OID_INT4 }, { ":now", FROM_NOW, OID_TIMESTAMPTZ },
        };
        for (size_t i = 0; i < COUNT(list); i++)
                if (!strcmp(path, list[i].name)) {
                        *p = (struct param){ .source = list[i].source, .oid = list[i].oid, .element = list[i].oid };
                        return true;
                }
        return false;
}

static int param_find(struct ctx *c, const struct query *q, const char *path, struct param *p)
{
        *p = (struct param){ .source = FROM_MEMBER };
        if (builtin(p, path)) return 0;
        const struct type *t = q->in;
        for (str rest = str_of(path);;) {
                str name = str_split(&rest, '.');
                const struct field *f = t ? type_field(t, name) : NULL;
                if (!f) return fail(c, INTERNAL, "statement", "%s: :%s names no member of %s", q->name, path, q->in->name);
                if (!rest.p) {
                        if (f->kind == K_MONEY) return fail(c, INTERNAL, "statement", "%s: :%s is money: write :%s.minor and :%s.cur",
                                                            q->name, path, path, path);
                        leaf(p, f);
                        return 0;
                }
                if (part_of(f, rest, &p->part)) {
                        leaf(p, f);
                        return 0;
                }
                t = step(p, f);
        }
}

static struct plan *plan_make(struct ctx *c, const struct query *q)
{
        size_t n = 0;
        while (q->params && q->params[n]) n++;
        if (n > SQL_PARAMS_MAX) {
                (void)!fail(c, INTERNAL, "statement", "%s: more than %d parameters", q->name, SQL_PARAMS_MAX);
                return NULL;
        }
        struct plan *plan = alloc_should_fail() ? NULL : calloc(1, sizeof *plan + n * sizeof plan->v[0]);
        if (!plan) {
                (void)!fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a statement");
                return NULL;
        }
        plan->q = q;
        plan->keeps = q->in == q->out;
        plan->n = n;
        for (size_t i = 0; i < n; i++)
                if (param_find(c, q, q->params[i], &plan->v[i]) < 0) {
                        free(plan);
                        return NULL;
                }
        return plan;
}

static struct plan *plan_first(struct ctx *c, const struct query *q)
{
        pthread_mutex_lock(&plans_lock);
        struct plan *plan = q->plan->made;
        uint32_t id = plans ? plans->id + 1 : ID_PLANS;
        if (!plan && id >= PLANS_MAX)
                (void)!fail(c, INTERNAL, "statement", "%s: more than %d statements", q->name, PLANS_MAX);
        else if (!plan && (plan = plan_make(c, q)) != NULL) {
                plan->id = id;
                plan->older = plans;
                plans = plan;
                q->plan->made = plan;
        }
        pthread_mutex_unlock(&plans_lock);
        return plan;
}

struct plan *plan_of(struct ctx *c, const struct query *q)
{
        struct plan *plan = q->plan->made;
        return LIKELY(plan != NULL) ? plan : plan_first(c, q);
}

void query_stats_each(void (*fn)(const struct query_stats *s, void *arg), void *arg)
{
        for (struct plan *p = plans; p; p = p->older)
                fn(&(struct query_stats){ .name = p->q->name, .runs = p->runs, .failures = p->failures, .us = p->us }, arg);
}

/* ---- columns: from a name to a member ------------------------------------------------------------------------------------ */

static bool is_int(Oid oid)  { return oid == OID_INT2 || oid == OID_INT4 || oid == OID_INT8; }
static bool is_text(Oid oid) { return oid == OID_TEXT || oid == OID_VARCHAR || oid == OID_BPCHAR || oid == OID_NAME; }
static bool is_json(Oid oid) { return oid == OID_JSON || oid == OID_JSONB; }

static bool fits(const struct field *f, enum part part, Oid oid)
{
        if (part == MINOR) return is_int(oid);
        if (part == CUR) return is_text(oid);
        switch (f->kind) {
        case K_BOOL:  return oid == OID_BOOL;
        case K_I32:   return is_int(oid) || (f->names && is_text(oid));
        case K_I64:   return is_int(oid) || oid == OID_XID8 || oid == OID_OID;
        case K_F64:   return oid == OID_FLOAT4 || oid == OID_FLOAT8 || is_int(oid);
        case K_STR:   return is_text(oid) || is_json(oid);
        case K_BYTES: return oid == OID_BYTEA;
        case K_UID:   return oid == OID_UUID;
        case K_WHEN:  return oid == OID_TIMESTAMPTZ;
        case K_MSG:   return is_json(oid);
        case K_MONEY: return false;
        case K_LIST:  break;
        }
        if (is_json(oid)) return true;
        if (!f->of->scalar) return false;
        enum kind k = f->of->scalar->kind;
        return (k == K_STR && oid == OID_TEXT_ARRAY) || (k == K_UID && oid == OID_UUID_ARRAY) || (k == K_I64 && (oid == OID_INT8_ARRAY || oid == OID_INT4_ARRAY));
}

static const struct field *money_column(const struct type *t, str name, enum part *part)
{
        str minor = STR("_minor"), cur = STR("_cur");
        bool is_minor = str_ends(name, minor);
        if (!is_minor && !str_ends(name, cur)) return NULL;
        name.n -= is_minor ? minor.n : cur.n;
        const struct field *f = type_field(t, name);
        *part = is_minor ? MINOR : CUR;
        return f && f->kind == K_MONEY ? f : NULL;
}

static int column_find(struct ctx *c, const struct plan *plan, const char *name, Oid oid, struct column *col)
{
        const struct query *q = plan->q;
        *col = (struct column){ .f = type_field(q->out, str_of(name)), .oid = oid, .name = name };
        if (!col->f) col->f = money_column(q->out, str_of(name), &col->part);
        if (!col->f) return fail(c, INTERNAL, "statement", "%s: %s has no member for column %s", q->name, q->out->name, name);
        if (fits(col->f, col->part, oid)) return 0;
        const char *type = oid == OID_NUMERIC ? "numeric (cast it to int8)" : oid == OID_TIMESTAMP ? "timestamp (make it timestamptz)" :
                           oid == OID_UNKNOWN ? "of no type (cast it)" : col->f->kind == K_MONEY && col->part == WHOLE ? "one column (it takes two: _minor and _cur)" : NULL;
        if (type) return fail(c, INTERNAL, "statement", "%s: column %s is %s, which does not fit %s.%s", q->name, name, type,
                              q->out->name, col->f->name);
        return fail(c, INTERNAL, "statement", "%s: column %s has a type (oid %u) that does not fit %s.%s", q->name, name, oid,
                    q->out->name, col->f->name);
}

static bool is_shape(const struct row_plan *rows, const PGresult *r)
{
        if (rows->n != (size_t)PQnfields(r)) return false;
        for (size_t i = 0; i < rows->n; i++)
                if (rows->v[i].oid != PQftype(r, (int)i) || strcmp(rows->v[i].name, PQfname(r, (int)i)) != 0) return false;
        return true;
}

static struct row_plan *row_plan_free(struct row_plan *rows)
{
        for (size_t i = 0; rows && i < rows->n; i++)
                free((char *)rows->v[i].name);
        free(rows);
        return NULL;
}

static void *no_room(struct ctx *c)
{
        (void)!fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a statement");
        return NULL;
}

static struct row_plan *row_plan_make(struct ctx *c, const struct plan *plan, const PGresult *r)
{
        size_t n = (size_t)PQnfields(r);
        struct row_plan *rows = alloc_should_fail() ? NULL : calloc(1, sizeof *rows + n * sizeof rows->v[0]);
        if (!rows) return no_room(c);
        for (size_t i = 0; i < n; i++) {
                struct column col;
                if (column_find(c, plan, PQfname(r, (int)i), PQftype(r, (int)i), &col) < 0) return row_plan_free(rows);
                for (size_t before = 0; before < i; before++)
                        if (rows->v[before].f == col.f && rows->v[before].part == col.part) {
                                (void)!fail(c, INTERNAL, "statement", "%s: column %s comes twice", plan->q->name, col.name);
                                return row_plan_free(rows);
                        }
                rows->v[i] = col;
                rows->v[i].name = alloc_should_fail() ? NULL : strdup(col.name);
                rows->n = i + 1;
                if (!rows->v[i].name) {
                        row_plan_free(rows);
                        return no_room(c);
                }
        }
        return rows;
}

const struct row_plan *plan_rows(struct ctx *c, struct plan *plan, const PGresult *r)
{
        size_t shapes = 0;
        for (struct row_plan *rows = plan->rows; rows; rows = rows->older, shapes++)
                if (is_shape(rows, r)) return rows;
        if (shapes >= SHAPES_MAX) {
                (void)!fail(c, INTERNAL, "statement", "%s: its rows have come in more than %d shapes", plan->q->name, SHAPES_MAX);
                return NULL;
        }
        struct row_plan *rows = row_plan_make(c, plan, r);
        if (!rows) return NULL;
        rows->older = plan->rows;
        while (!atomic_compare_exchange_weak(&plan->rows, &rows->older, rows)) {}
        return rows;
}

static bool has_column(const struct row_plan *rows, const struct field *f, enum part part)
{
        for (size_t i = 0; i < rows->n; i++)
                if (rows->v[i].f == f && rows->v[i].part == part) return true;
        return false;
}

int plan_check_cover(struct ctx *c, const struct plan *plan, const struct row_plan *rows)
{
        const struct type *t = plan->q->out;
        for (size_t i = 0; i < t->n && !plan->keeps; i++) {
                const struct field *f = &t->fields[i];
                bool money = f->kind == K_MONEY;
                if (f->kind == K_LIST || f->kind == K_MSG) continue;
                bool some = has_column(rows, f, money ? MINOR : WHOLE), all = some && (!money || has_column(rows, f, CUR));
                if (all || (f->optional && !some && !(money && has_column(rows, f, CUR)))) continue;
                return fail(c, INTERNAL, "statement", "%s: %s.%s has no column%s", plan->q->name, t->name, f->name,
                            money ? " (_minor and _cur)" : "");
        }
        return 0;
}
