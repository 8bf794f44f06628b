/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * params.c - members of a struct as PostgreSQL's binary parameters.
 *
 * All values of a statement lie one after the other in a buffer; pointers into it are made last, since it moves while it grows.
 * Source: the send and recv functions of PostgreSQL 15 (src/backend/utils/adt); integers are big-endian, an array is
 * dimensions, has-nulls, element type, then length and lower bound of each dimension, then elements with their lengths. */
#include "db_internal.h"
#include "clock.h"
#include "json.h"
#include "oids.h"

enum { JSONB_VERSION = 1 };

static bool is_gated(const struct param *p, const char *in)
{
        return p->gate && field_is_absent(p->gate, in + p->gate_base);
}

static bool is_null(const struct param *p, const char *in)
{
        if (is_gated(p, in)) return true;
        return p->f->optional && field_is_absent(p->f, in + p->base);
}

static int word(struct ctx *c, struct buf *b, const struct field *f, int32_t v)
{
        int n = 0;
        while (f->names[n]) n++;
        if (v < 0 || v >= n) return fail(c, INVALID_ARGUMENT, "invalid", "%s has no word for %d", f->name, v);
        buf_lit(b, f->names[v]);
        return 0;
}

/* One value at `in` (the parameters' struct, or an element). */
static int value(struct ctx *c, struct buf *b, const struct param *p, const char *in)
{
        const struct field *f = p->f;
        const void *msg = in + p->base, *at = field_at(f, msg);
        switch (f->kind) {
        case K_BOOL:
                buf_char(b, *(const bool *)at);
                break;
        case K_I32:
                if (p->part == WORD) return word(c, b, f, *(const int32_t *)at);
                buf_u32(b, (uint32_t)*(const int32_t *)at);
                break;
        case K_I64:
                buf_u64(b, (uint64_t)*(const int64_t *)at);
                break;
        case K_F64: {
                uint64_t bits;
                memcpy(&bits, at, sizeof bits);
                buf_u64(b, bits);
                break;
        }
        case K_STR:
                buf_add(b, *(const str *)at);
                break;
        case K_BYTES:
                buf_add(b, (str){ (const char *)((const bytes *)at)->p, ((const bytes *)at)->n });
                break;
        case K_UID:
                buf_add(b, (str){ (const char *)((const uid *)at)->b, 16 });
                break;
        case K_WHEN:
                buf_u64(b, (uint64_t)(((const when *)at)->us - PG_EPOCH_US));
                break;
        case K_MONEY:
                if (p->part == MINOR) buf_u64(b, (uint64_t)((const money *)at)->minor);
                else buf_add(b, (str){ ((const money *)at)->cur, strnlen(((const money *)at)->cur, 4) });
                break;
        case K_MSG: case K_LIST:
                buf_char(b, JSONB_VERSION);
                json_write_field(b, f, msg);
                break;
        }
        return 0;
}

static void u32_at(struct buf *b, size_t at, uint32_t v)
{
        uint8_t bytes[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
        if (!b->failed) memcpy(b->p + b->start + at, bytes, 4);
}

static int array(struct ctx *c, struct buf *b, const struct param *p, const struct any_list *list)
{
        size_t nulls_at = b->n + 4;
        bool nulls = false;
        buf_u32(b, list->n ? 1 : 0);
        buf_u32(b, 0);
        buf_u32(b, p->element);
        if (list->n) {
                buf_u32(b, (uint32_t)list->n);
                buf_u32(b, 1);
        }
        for (size_t i = 0; i < list->n; i++) {
                const char *element = list->v + i * p->stride;
                bool null = is_null(p, element);
                size_t at = b->n;
                buf_u32(b, UINT32_MAX);
                if (!null) {
                        TRY(value(c, b, p, element));
                        u32_at(b, at, (uint32_t)(b->n - at - 4));
                }
                nulls |= null;
        }
        if (nulls) u32_at(b, nulls_at, 1);
        return 0;
}

/* returns 1 when the parameter is NULL */
static int param(struct ctx *c, struct buf *b, const struct param *p, const char *in)
{
        switch (p->source) {
        case FROM_CALLER:
                if (uid_is_zero(c->caller.id)) return 1;
                buf_add(b, (str){ (const char *)c->caller.id.b, 16 });
                return 0;
        case FROM_ROLES:
                buf_u32(b, c->caller.roles);
                return 0;
        case FROM_NOW:
                buf_u64(b, (uint64_t)(clock_now().us - PG_EPOCH_US));
                return 0;
        case FROM_LIST: {
                const struct any_list *list = (const void *)(in + p->list_at);
                if (p->null_if_empty && !list->n) return 1;
                return array(c, b, p, list);
        }
        case FROM_MEMBER:
                break;
        }
        return is_null(p, in) ? 1 : value(c, b, p, in);
}

int params_write(struct ctx *c, const struct plan *plan, const void *in, struct buf *b, const char **values, int *lengths, int *formats)
{
        size_t from[SQL_PARAMS_MAX];
        for (size_t i = 0; i < plan->n; i++) {
                from[i] = b->n;
                int null = param(c, b, &plan->v[i], in);
                if (null < 0) return null;
                if (buf_error(b) < 0) return fail(c, RESOURCE_EXHAUSTED, "too_large", "%s: its parameters are too large", plan->q->name);
                lengths[i] = null ? -1 : (int)(b->n - from[i]);
                formats[i] = 1;
        }
        for (size_t i = 0; i < plan->n; i++)
                values[i] = lengths[i] < 0 ? NULL : buf_str(b).p + from[i];
        return 0;
}
