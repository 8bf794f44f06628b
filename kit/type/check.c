/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * check.c - the rules of a table, held against values; and the named formats.
 *
 * check_value() judges one value and is what the JSON reader calls while it reads; check_msg() walks a whole message with it
 * and adds presence, as far as memory shows it. Details never repeat the value: it may be a secret. */
#include "check.h"
#include <inttypes.h>
#include <stdio.h>
#include "text.h"

static const char *wrong(struct verdict *v, const char *slug, const char *fmt, ...) PRINTF(3, 4);
static const char *wrong(struct verdict *v, const char *slug, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(v->detail, sizeof v->detail, fmt, ap);
        va_end(ap);
        return v->slug = slug;
}

static const char *number_check(const struct field *f, int64_t i, struct verdict *v)
{
        if (!f->min && !f->max) return NULL;
        if (i < f->min) return wrong(v, "too_small", "must be at least %" PRId64, f->min);
        if (i > f->max) return wrong(v, "too_large", "must be at most %" PRId64, f->max);
        return NULL;
}

static const char *double_check(const struct field *f, double d, struct verdict *v)
{
        if (!f->min && !f->max) return NULL;
        if (d < (double)f->min) return wrong(v, "too_small", "must be at least %" PRId64, f->min);
        if (d > (double)f->max) return wrong(v, "too_large", "must be at most %" PRId64, f->max);
        return NULL;
}

static const char *word_check(const struct field *f, int32_t i, struct verdict *v)
{
        int32_t n = 0;
        char say[160];
        while (f->names[n]) n++;
        if (i >= 0 && i < n) return NULL;
        field_say_words(f, say);
        return wrong(v, "not_a_word", "%s", say);
}

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }

static const char *size_check(const struct field *f, size_t n, const char *unit, struct verdict *v)
{
        int64_t max = field_max(f);
        if (n < (uint64_t)f->min) return wrong(v, "too_short", "must have at least %" PRId64 " %s%s", f->min, unit, plural(f->min));
        if (n > (uint64_t)max)    return wrong(v, "too_long",  "must have at most %" PRId64 " %s%s", max, unit, plural(max));
        return NULL;
}

static const char *str_check(const struct field *f, str s, struct verdict *v)
{
        /* code points are at most as many as bytes and at least a quarter: most texts need no counting */
        bool sure = s.n <= (uint64_t)field_max(f) && s.n / 4 >= (uint64_t)f->min;
        const char *slug = sure ? NULL : size_check(f, utf8_length(s), "character", v);
        if (slug) return slug;
        if (f->format && !f->format->is_valid(s)) return wrong(v, "bad_format", "%s", f->format->say);
        return NULL;
}

static const char *list_check(const struct field *f, size_t n, struct verdict *v)
{
        int64_t max = field_max(f);
        if (n < (uint64_t)f->min) return wrong(v, "too_few",  "must have at least %" PRId64 " element%s", f->min, plural(f->min));
        if (n > (uint64_t)max)    return wrong(v, "too_many", "must have at most %" PRId64 " element%s", max, plural(max));
        return NULL;
}

/* Of these kinds the zero value is no value, so even a reader that saw one must refuse it. */
static bool is_missing(const struct field *f, const void *msg)
{
        switch (f->kind) {
        case K_STR: case K_BYTES: case K_UID: case K_WHEN: case K_MONEY: return field_is_absent(f, msg);
        default: return false;
        }
}

const char *check_value(const struct field *f, const void *msg, struct verdict *v)
{
        const void *p = field_at(f, msg);
        if (is_missing(f, msg)) return f->optional ? NULL : wrong(v, "required", "is required");
        switch (f->kind) {
        case K_I32:   return f->names ? word_check(f, *(const int32_t *)p, v) : number_check(f, *(const int32_t *)p, v);
        case K_I64:   return number_check(f, *(const int64_t *)p, v);
        case K_F64:   return double_check(f, *(const double *)p, v);
        case K_STR:   return str_check(f, *(const str *)p, v);
        case K_BYTES: return size_check(f, ((const bytes *)p)->n, "byte", v);
        case K_LIST:  return list_check(f, ((const struct any_list *)p)->n, v);
        case K_MONEY: return number_check(f, ((const money *)p)->minor, v);
        case K_BOOL: case K_UID: case K_WHEN: case K_MSG: break;
        }
        return NULL;
}

/* ---- whole messages ------------------------------------------------------------------------------------------------ */

static void elements_check(struct ctx *c, const struct field *f, const struct any_list *list, str pointer)
{
        size_t n = MIN(list->n, (size_t)field_max(f));
        for (size_t i = 0; i < n; i++) {
                const char *element = list->v + i * f->of->size;
                str at = arena_printf(c->arena, STR_FMT "/%zu", STR_ARG(pointer), i);
                if (!at.p) return;
                if (f->of->scalar) check_field(c, f->of->scalar, element, at);
                else check_msg(c, f->of, element, at);
        }
}

void check_field(struct ctx *c, const struct field *f, const void *msg, str pointer)
{
        struct verdict v;
        if (f->optional && field_is_absent(f, msg)) return;
        if (f->kind == K_MSG && field_is_absent(f, msg) && f->of->n) {
                flaw_add(c, pointer, "required", "is required");
                return;
        }
        if (check_value(f, msg, &v)) {
                bool amount = f->kind == K_MONEY && !field_is_absent(f, msg);
                flaw_add(c, amount ? arena_printf(c->arena, STR_FMT "/amount", STR_ARG(pointer)) : pointer, v.slug, "%s", v.detail);
        }
        if (f->kind == K_MSG) check_msg(c, f->of, field_at(f, msg), pointer);
        if (f->kind == K_LIST) elements_check(c, f, field_at(f, msg), pointer);
}

void check_msg(struct ctx *c, const struct type *t, const void *msg, str at)
{
        for (size_t i = 0; i < t->n; i++) {
                const struct field *f = &t->fields[i];
                if (f->internal) continue;
                str pointer = { f->name, f->name_n };
                if (at.p) pointer = arena_printf(c->arena, STR_FMT "/%s", STR_ARG(at), f->name);
                if (!pointer.p) return;
                check_field(c, f, msg, pointer);
        }
}
