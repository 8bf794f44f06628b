/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * form.c - text into fields: query strings, form bodies, path variables, cells of a CSV file.
 *
 * Percent escapes are undone before a list is cut at its commas, so a comma written %2C cuts too; one of an element's own is `\,`. */
#include "form.h"
#include "bound.h"
#include "check.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "text.h"

enum { PAIRS_MAX = 100 };

struct reader { struct ctx *c; str pointer; };

static bool flawed(struct reader *r, const char *slug, const char *detail)
{
        flaw_add(r->c, r->pointer, slug, "%s", detail);
        return false;
}

static bool read_int(struct reader *r, str text, int64_t least, int64_t most, int64_t *out)
{
        int64_t v;
        int code = int_parse(text, &v);
        if (code == -INVALID_ARGUMENT) return flawed(r, "wrong_type", "must be a whole number");
        if (code == 0 && v >= least && v <= most) {
                *out = v;
                return true;
        }
        if (text.p[0] == '-') flaw_add(r->c, r->pointer, "too_small", "must be at least %" PRId64, least);
        else                  flaw_add(r->c, r->pointer, "too_large", "must be at most %" PRId64, most);
        return false;
}

static bool read_word(struct reader *r, const struct field *f, str text, int32_t *out)
{
        char say[160];
        int word = field_word(f, text);
        if (word >= 0) {
                *out = word;
                return true;
        }
        field_say_words(f, say);
        return flawed(r, "not_a_word", say);
}

static bool read_i32(struct reader *r, const struct field *f, str text, int32_t *out)
{
        int64_t v;
        if (f->names) return read_word(r, f, text, out);
        if (!read_int(r, text, INT32_MIN, INT32_MAX, &v)) return false;
        *out = (int32_t)v;
        return true;
}

/* Decimal only: strtod alone would take hexadecimal, "inf" and leading blanks. */
static bool read_double(struct reader *r, str text, double *out)
{
        char t[64], *end;
        size_t n = 0;
        while (n < text.n && n < sizeof t && text.p[n] && strchr("0123456789+-.eE", text.p[n])) n++;
        if (!n || n < text.n || n == sizeof t) return flawed(r, "wrong_type", "must be a number");
        memcpy(t, text.p, n);
        t[n] = '\0';
        double v = strtod(t, &end);
        if (*end) return flawed(r, "wrong_type", "must be a number");
        if (!isfinite(v)) return t[0] == '-' ? flawed(r, "too_small", "is below every number that can be kept")
                                             : flawed(r, "too_large", "is above every number that can be kept");
        *out = v;
        return true;
}

static bool read_bool(struct reader *r, str text, bool *out)
{
        if (!str_eq(text, STR("true")) && !str_eq(text, STR("false"))) return flawed(r, "wrong_type", "must be true or false");
        *out = text.p[0] == 't';
        return true;
}

static bool read_money(struct reader *r, str text, money *out)
{
        ptrdiff_t space = str_find(text, ' ');
        char cur[4] = { 0 };
        if (space > 0 && text.n - (size_t)space == 4) {
                memcpy(cur, text.p + space + 1, 3);
                if (!money_is_currency(str_of(cur))) return flawed(r, "bad_format", "must end in an ISO 4217 currency code");
                int code = money_parse(str_cut(text, 0, (size_t)space), cur, out);
                if (code == 0) return true;
                if (code == -OUT_OF_RANGE) return flawed(r, "too_large", "is too large an amount");
        }
        return flawed(r, "bad_format", "must be an amount and a currency, like 19.99 EUR");
}

static bool read_bytes(struct reader *r, str text, bytes *out)
{
        str raw;
        int code = base64url_read(r->c->arena, text, &raw);
        if (code == -INVALID_ARGUMENT) return flawed(r, "bad_format", "must be base64url without padding");
        if (code == 0) *out = (bytes){ (const uint8_t *)raw.p, raw.n };
        return code == 0;
}

static bool read_when(struct reader *r, str text, when *out)
{
        return when_parse(text, out) == 0 || flawed(r, "bad_format", "must be an RFC 3339 time, like 2026-11-24T08:09:27Z");
}

static bool read_plain(struct reader *r, const struct field *f, str text, void *p)
{
        switch (f->kind) {
        case K_BOOL:  return read_bool(r, text, p);
        case K_I32:   return read_i32(r, f, text, p);
        case K_I64:   return read_int(r, text, INT64_MIN, INT64_MAX, p);
        case K_F64:   return read_double(r, text, p);
        case K_STR:   *(str *)p = text; return true;
        case K_BYTES: return read_bytes(r, text, p);
        case K_UID:   return uid_parse(text, p) == 0 || flawed(r, "bad_format", "must be a UUID");
        case K_WHEN:  return read_when(r, text, p);
        case K_MONEY: return read_money(r, text, p);
        case K_MSG: case K_LIST: break;
        }
        return flawed(r, "wrong_type", "cannot be given as text");
}

/* Up to the next comma that has no backslash before it; `\,` is a comma of the value's own. */
static str element_next(struct reader *r, str *rest)
{
        size_t n = 0, marks = 0, to = 0;
        while (n < rest->n && (rest->p[n] != ',' || (n && rest->p[n - 1] == '\\'))) marks += rest->p[n++] == ',';
        str part = str_cut(*rest, 0, n);
        *rest = n < rest->n ? str_cut(*rest, n + 1, rest->n) : (str){ 0 };
        char *out = marks ? arena_alloc(r->c->arena, n) : NULL;
        if (!out) return marks ? (str){ 0 } : part;
        for (size_t i = 0; i < n; i++)
                if (part.p[i] != '\\' || i + 1 == n || part.p[i + 1] != ',') out[to++] = part.p[i];
        return (str){ out, to };
}

/* Adds to the list. It is grown an element at a time, in place: nothing else is made in between for the usual kinds. One element
 * over the maximum is kept, for the check to see. */
static void read_list(struct reader *r, const struct field *f, str text, struct any_list *list)
{
        const struct type *of = f->of;
        if (!of->scalar) {
                flawed(r, "wrong_type", "cannot be given as text");
                return;
        }
        for (str rest = text, part; rest.p && (part = element_next(r, &rest)).p;) {
                if (list->n > (size_t)field_max(f)) return;
                char *v = arena_grow(r->c->arena, list->v, list->n * of->size, (list->n + 1) * of->size);
                if (!v) return;
                list->v = v;
                if (read_plain(r, of->scalar, part, v + list->n * of->size)) list->n++;
        }
}

void form_value(struct ctx *c, const struct field *f, str text, void *out, str pointer)
{
        struct reader r = { c, pointer };
        char *p = (char *)out + f->offset;
        if (!text.p) text = STR("");
        if (!utf8_is_valid(text)) flawed(&r, "bad_utf8", "is not valid UTF-8");
        else if (memchr(text.p, 0, text.n)) flawed(&r, "bad_format", "must not contain U+0000");
        else if (f->kind == K_LIST) read_list(&r, f, text, (struct any_list *)p);
        else read_plain(&r, f, text, p);
}

/* ---- queries ----------------------------------------------------------------------------------------------------------- */

static bool is_in(str name, const char *const *names)
{
        for (; names && *names; names++)
                if (str_eq(name, str_of(*names))) return true;
        return false;
}

static str decoded(struct ctx *c, str text, bool *broken)
{
        str out = text;
        bool plain = true;
        for (size_t i = 0; i < text.n; i++) plain &= text.p[i] != '%' && text.p[i] != '+';
        if (!plain && percent_read(c->arena, text, true, &out) < 0) *broken = true;
        return out;
}

/* A zero that came looks to check_msg() as if it had not: it is held against its range here. */
static void value_read(struct ctx *c, const struct field *f, str value, void *out, str name)
{
        struct verdict v;
        size_t flaws = c->fault.n_flaws;
        form_value(c, f, value, out, name);
        if (flaws == c->fault.n_flaws && f->optional && field_is_absent(f, out) && check_value(f, out, &v)) flaw_add(c, name, v.slug, "%s", v.detail);
}

static void read_pair(struct ctx *c, const struct type *t, str pair, void *out, const char *const *skip, uint64_t *seen)
{
        bool bad_name = false, bad_value = false;
        str value = pair, raw_name = str_split(&value, '=');
        str name = decoded(c, raw_name, &bad_name);
        if (bad_name || !utf8_is_valid(name)) {
                flaw_add(c, STR(""), "bad_format", "a parameter's name has a broken escape");
                return;
        }
        const struct field *f = is_in(name, skip) ? NULL : type_field(t, name);
        if (!f || f->internal) {
                flaw_add(c, name, "unknown", "unknown parameter");
                return;
        }
        uint64_t bit = (uint64_t)1 << (f - t->fields);
        if (*seen & bit && f->kind != K_LIST) {
                flaw_add(c, name, "repeated", "is given more than once");
                return;
        }
        *seen |= bit;
        value = decoded(c, value.p ? value : STR(""), &bad_value);
        if (bad_value) flaw_add(c, name, "bad_format", "has a broken escape");
        else value_read(c, f, value, out, name);
}

int form_read(struct ctx *c, const struct type *t, str query, void *out, const char *const *skip)
{
        uint64_t seen = 0;
        size_t n = 0;
        assert(t->n <= FIELDS_MAX);
        for (str rest = query, pair; rest.p && (pair = str_split(&rest, '&'), true);) {
                if (!pair.n) continue;
                if (++n > PAIRS_MAX) {
                        bound_reached(BOUND_PARAMETERS);
                        return fail_http(c, 400, RESOURCE_EXHAUSTED, "too_many", "there are more than %d parameters", PAIRS_MAX);
                }
                read_pair(c, t, pair, out, skip, &seen);
        }
        if (arena_is_exhausted(c->arena))
                return fail_http(c, 413, RESOURCE_EXHAUSTED, "too_large", "the input is too large to be read");
        return 0;
}
