/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_read.c - JSON straight into a struct, in one pass, led by its table.
 *
 * A member is first compared with the field after the last one, so text in the order of the table needs no lookup. Texts
 * without escapes point into the input. A value of the wrong kind is read over and the reading goes on, so all flaws come
 * together; only broken syntax, too much depth and a full arena end it. read_x() return 1 when a value was stored, 0 when a
 * flaw was added in its place, or a negative code that ends the reading. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "json.h"
#include "json_scan.h"
#include "text.h"

static int read_object(struct scan *s, const struct type *t, char *out, bool patch);
static int read_value(struct scan *s, const struct field *f, void *msg, bool patch);

static int flawed(struct scan *s, const char *slug, const char *detail)
{
        scan_flaw(s, slug, "%s", detail);
        return 0;
}

/* Reads over what stands there first: if it is no JSON at all, that is what is told. */
static int wrong_type(struct scan *s, const char *must)
{
        TRY(scan_skip(s));
        return flawed(s, "wrong_type", must);
}

/* ---- values of one token ------------------------------------------------------------------------------------------ */

static int read_bool(struct scan *s, bool *out)
{
        char ch = scan_peek(s);
        if (ch != 't' && ch != 'f') return wrong_type(s, "must be true or false");
        TRY(ch == 't' ? scan_word(s, "true", 4) : scan_word(s, "false", 5));
        *out = ch == 't';
        return 1;
}

static bool starts_number(char ch) { return ch == '-' || (ch >= '0' && ch <= '9'); }

static int read_int(struct scan *s, int64_t least, int64_t most, int64_t *out)
{
        str number;
        bool whole, over = false;
        int64_t v = 0;
        if (!starts_number(scan_peek(s))) return wrong_type(s, "must be a whole number");
        TRY(scan_number(s, &number, &whole));
        if (!whole) return flawed(s, "wrong_type", "must be a whole number, without fraction or exponent");
        bool minus = number.p[0] == '-';
        for (size_t i = minus; i < number.n && !over; i++) {
                int64_t digit = number.p[i] - '0';
                over = __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, minus ? -digit : digit, &v);
        }
        if (over || v < least || v > most) {
                if (minus) scan_flaw(s, "too_small", "must be at least %" PRId64, least);
                else       scan_flaw(s, "too_large", "must be at most %" PRId64, most);
                return 0;
        }
        *out = v;
        return 1;
}

static int read_i32(struct scan *s, int32_t *out)
{
        int64_t v;
        int r = read_int(s, INT32_MIN, INT32_MAX, &v);
        if (r > 0) *out = (int32_t)v;
        return r;
}

static int read_double(struct scan *s, double *out)
{
        char few[64], *z = few;
        str number;
        bool whole;
        if (!starts_number(scan_peek(s))) return wrong_type(s, "must be a number");
        TRY(scan_number(s, &number, &whole));
        if (number.n < sizeof few) *(char *)mempcpy(few, number.p, number.n) = '\0';
        else if (!(z = arena_z(s->c->arena, number))) return scan_full(s);
        double v = strtod(z, NULL);
        if (!isfinite(v)) return number.p[0] == '-' ? flawed(s, "too_small", "is below every number that can be kept")
                                                    : flawed(s, "too_large", "is above every number that can be kept");
        *out = v;
        return 1;
}

static int read_text(struct scan *s, const char *must, str *out)
{
        struct text t;
        if (scan_peek(s) != '"') return wrong_type(s, must);
        TRY(scan_string(s, &t));
        if (t.wrong) return flawed(s, "bad_utf8", t.wrong);
        TRY(scan_text(s, &t, out));
        if (t.escaped && memchr(out->p, 0, out->n)) return flawed(s, "bad_format", "must not contain U+0000");
        return 1;
}

static int read_word(struct scan *s, const struct field *f, int32_t *out)
{
        str word;
        char say[160];
        int r = read_text(s, "must be a string", &word);
        if (r <= 0) return r;
        r = field_word(f, word);
        if (r >= 0) {
                *out = r;
                return 1;
        }
        field_say_words(f, say);
        return flawed(s, "not_a_word", say);
}

static int read_uid(struct scan *s, uid *out)
{
        str text;
        int r = read_text(s, "must be a string", &text);
        if (r <= 0) return r;
        return uid_parse(text, out) < 0 ? flawed(s, "bad_format", "must be a UUID") : 1;
}

static int read_when(struct scan *s, when *out)
{
        str text;
        int r = read_text(s, "must be a string", &text);
        if (r <= 0) return r;
        return when_parse(text, out) < 0 ? flawed(s, "bad_format", "must be an RFC 3339 time, like 2026-11-24T08:09:27Z") : 1;
}

static int read_bytes(struct scan *s, bytes *out)
{
        str text, raw;
        int r = read_text(s, "must be a string", &text);
        if (r <= 0) return r;
        r = base64url_read(s->c->arena, text, &raw);
        if (r == -RESOURCE_EXHAUSTED) return scan_full(s);
        if (r < 0) return flawed(s, "bad_format", "must be base64url without padding");
        *out = (bytes){ (const uint8_t *)raw.p, raw.n };
        return 1;
}

/* ---- values of many tokens ------------------------------------------------------------------------------------------ */

/* With JSON_PARTS the rest of it may stand already: what came is held against its range as if it did. */
static int read_money(struct scan *s, money *out, bool patch)
{
        bool part = s->mode & JSON_PARTS;
        struct money_wire wire = { .amount = part ? INT64_MIN : 0 };
        size_t flaws = s->c->fault.n_flaws;
        if (scan_peek(s) != '{') return wrong_type(s, "must be an object of amount and currency");
        if (patch && out->cur[0]) wire = (struct money_wire){ out->minor, { out->cur, strnlen(out->cur, 3) } };
        TRY(read_object(s, &money_type, (char *)&wire, patch));
        if (s->c->fault.n_flaws > flaws || (part && wire.amount == INT64_MIN)) return 0;
        if (part && !wire.currency.p) wire.currency = STR("EUR");
        if (wire.currency.n != 3) return flawed(s, "bad_format", "the currency must be three letters");
        money m = { .minor = wire.amount };
        memcpy(m.cur, wire.currency.p, 3);
        *out = m;
        return 1;
}

static int list_grow(struct scan *s, struct any_list *list, size_t *cap, size_t size)
{
        size_t new_cap = *cap ? *cap * 2 : 4;
        char *v = arena_grow(s->c->arena, list->v, *cap * size, new_cap * size);
        if (!v) return scan_full(s);
        list->v = v;
        *cap = new_cap;
        return 0;
}

static int read_element(struct scan *s, const struct type *of, char *slot)
{
        if (of->scalar) return read_value(s, of->scalar, slot, false);
        if (scan_peek(s) != '{') return wrong_type(s, "must be an object");
        return read_object(s, of, slot, false);
}

/* Elements over the maximum are read over and counted. */
static int read_list(struct scan *s, const struct type *of, int64_t max, struct any_list *out)
{
        struct any_list list = { NULL, 0 };
        size_t cap = 0, n = 0, keep = s->mode & JSON_NO_CHECK ? SIZE_MAX : (size_t)max;
        bool first = true;
        int more;
        if (scan_peek(s) != '[') return wrong_type(s, "must be an array");
        TRY(scan_enter(s));
        for (; (more = scan_next(s, ']', &first)) > 0; n++) {
                scan_down(s, NULL, n);
                if (n < keep) {
                        if (n == cap) TRY(list_grow(s, &list, &cap, of->size));
                        TRY(read_element(s, of, list.v + n * of->size));
                        list.n++;
                } else {
                        TRY(scan_skip(s));
                }
                scan_up(s);
        }
        TRY(more);
        *out = list;
        if (n > keep) {
                scan_flaw(s, "too_many", "must have at most %zu element%s", keep, keep == 1 ? "" : "s");
                return 0;
        }
        return 1;
}

/* Is an object that comes laid over one that is there, so that it need not be whole? */
static bool is_part(const struct scan *s, const struct field *f, const void *msg, bool patch)
{
        return patch && (s->mode & JSON_PARTS || !field_is_absent(f, msg));
}

static int read_msg(struct scan *s, const struct field *f, void *msg, bool patch)
{
        if (scan_peek(s) != '{') return wrong_type(s, "must be an object");
        TRY(read_object(s, f->of, (char *)msg + f->offset, is_part(s, f, msg, patch)));
        return 1;
}

static int read_kind(struct scan *s, const struct field *f, void *msg, bool patch)
{
        void *p = (char *)msg + f->offset;
        switch (f->kind) {
        case K_BOOL:  return read_bool(s, p);
        case K_I32:   return f->names ? read_word(s, f, p) : read_i32(s, p);
        case K_I64:   return read_int(s, INT64_MIN, INT64_MAX, p);
        case K_F64:   return read_double(s, p);
        case K_STR:   return read_text(s, "must be a string", p);
        case K_BYTES: return read_bytes(s, p);
        case K_UID:   return read_uid(s, p);
        case K_WHEN:  return read_when(s, p);
        case K_MONEY: return read_money(s, p, is_part(s, f, msg, patch));
        case K_MSG:   return read_msg(s, f, msg, patch);
        case K_LIST:  return read_list(s, f->of, field_max(f), p);
        }
        return -INTERNAL;
}

/* What an optional member is when the text says nothing of it. */
static void make_absent(const struct field *f, void *msg)
{
        char *p = (char *)msg + f->offset;
        int64_t n = f->fallback ? f->fallback : f->absent;
        memset(p, 0, f->size);
        if (n && f->kind == K_I32) *(int32_t *)p = (int32_t)n;
        if (n && f->kind == K_I64) *(int64_t *)p = n;
}

static int read_value(struct scan *s, const struct field *f, void *msg, bool patch)
{
        struct verdict *v = &s->verdict;
        if (scan_peek(s) == 'n') {
                TRY(scan_word(s, "null", 4));
                make_absent(f, msg);
                return f->optional ? 1 : flawed(s, "required", "is required");
        }
        int r = read_kind(s, f, msg, patch);
        if (r <= 0 || s->mode & JSON_NO_CHECK || !check_value(f, msg, v)) return r;
        if (f->kind != K_MONEY) return flawed(s, v->slug, v->detail);
        scan_down(s, "amount", 6);      /* the range is the amount's */
        (void)flawed(s, v->slug, v->detail);
        scan_up(s);
        return 0;
}

/* ---- objects --------------------------------------------------------------------------------------------------------- */

struct members {                        /* of the object being read */
        const struct type *t;
        uint64_t seen;                  /* bit i: fields[i] came */
        size_t   expect;                /* the field after the last one */
        uint32_t object;
};

static bool is_expected(struct scan *s, const struct members *m)
{
        if (m->expect >= m->t->n) return false;
        const struct field *f = &m->t->fields[m->expect];
        size_t n = f->name_n + (size_t)2;               /* "name" with its quotes */
        if (f->internal || (size_t)(s->end - s->p) < n || memcmp(s->p, f->key, n)) return false;
        s->p += n;
        return true;
}

static int read_unknown(struct scan *s, const struct members *m, str name)
{
        if (!name.p) return scan_skip(s);
        scan_down(s, name.p, name.n);
        int is_new = scan_remember(s, m->object, name);
        if (is_new < 0) return is_new;
        if (!is_new) flawed(s, "repeated", "is given more than once");
        else if (!(s->mode & JSON_LENIENT)) flawed(s, "unknown", "unknown member");
        TRY(scan_skip(s));
        scan_up(s);
        return 0;
}

static int read_member(struct scan *s, struct members *m, char *out, bool patch)
{
        const struct field *f;
        if (is_expected(s, m)) {
                f = &m->t->fields[m->expect];
                TRY(scan_colon(s));
        } else {
                str name;
                TRY(scan_name(s, &name));
                f = name.p ? type_field(m->t, name) : NULL;
                if (!f || f->internal) return read_unknown(s, m, name);
        }
        size_t i = (size_t)(f - m->t->fields);
        uint64_t bit = (uint64_t)1 << i;
        scan_down(s, f->name, f->name_n);
        if (m->seen & bit) flawed(s, "repeated", "is given more than once");
        m->seen |= bit;
        m->expect = i + 1;
        TRY(read_value(s, f, out, patch));
        scan_up(s);
        return 0;
}

static void missing(struct scan *s, const struct members *m, void *msg)
{
        for (size_t i = 0; i < m->t->n; i++) {
                const struct field *f = &m->t->fields[i];
                if ((f->fallback || f->absent) && !(m->seen >> i & 1)) make_absent(f, msg);
                if (f->optional || f->internal || m->seen >> i & 1) continue;
                scan_down(s, f->name, f->name_n);
                flawed(s, "required", "is required");
                scan_up(s);
        }
}

/* At the opening brace; `out` is zero, or when patching what was there before. */
static int read_object(struct scan *s, const struct type *t, char *out, bool patch)
{
        struct members m = { .t = t, .object = s->objects++ };
        size_t mark = s->n_names;
        bool first = true;
        int more;
        assert(t->n <= FIELDS_MAX);
        TRY(scan_enter(s));
        while ((more = scan_next(s, '}', &first)) > 0)
                TRY(read_member(s, &m, out, patch));
        TRY(more);
        scan_forget(s, mark);
        if (!patch) missing(s, &m, out);
        return 1;
}

/* ---- ways in ----------------------------------------------------------------------------------------------------------- */

static int read_end(struct scan *s, int result)
{
        if (result >= 0) result = scan_finish(s);
        if (result == -RESOURCE_EXHAUSTED || arena_is_exhausted(s->c->arena)) return scan_full(s);
        return flaws_fail(s->c);
}

int json_read(struct ctx *c, const struct type *t, str text, void *out, unsigned mode)
{
        struct scan s = scan_of(c, text, mode);
        bool patch = mode & JSON_PATCH;
        if (!patch) memset(out, 0, t->size);
        return read_end(&s, scan_peek(&s) == '{' ? read_object(&s, t, out, patch) : wrong_type(&s, "must be an object"));
}

int json_read_list(struct ctx *c, const struct type *t, str text, struct any_list *out, unsigned mode)
{
        struct scan s = scan_of(c, text, mode);
        return read_end(&s, read_list(&s, t, LIST_MAX_DEFAULT, out));
}
