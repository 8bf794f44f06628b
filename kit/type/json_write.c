/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_write.c - structs to compact JSON by their tables.
 *
 * `out` is a window into the buf: the writers fill it without asking, and room() moves it on when what comes next might not
 * fit. A window of a failed buf is empty and stays so, and the error sticks to the buf as everywhere. Keys are ready-made in
 * the tables; strings are looked over eight bytes at a time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "digits.h"
#include "json.h"
#include "json_run.h"
#include "text.h"

enum { WINDOW = 1024, SCALAR_MAX = 64 };        /* no number, time or id takes more than SCALAR_MAX bytes with its quotes */

struct out { struct buf *b; char *from, *p, *end; bool secrets; const struct type *some; uint64_t members; };    /* of `some` only these members */

static void out_close(struct out *o)
{
        if (o->p != o->from) buf_added(o->b, (size_t)(o->p - o->from));
        o->from = o->p = o->end = NULL;
}

static bool room_slow(struct out *o, size_t n)
{
        out_close(o);
        size_t left = o->b->max - o->b->n;
        size_t want = MAX(n, MIN((size_t)WINDOW, left));
        o->from = o->p = buf_room(o->b, want);
        o->end = o->p ? o->p + want : NULL;
        return o->p != NULL;
}

/* Makes sure of n bytes at p. */
static inline bool room(struct out *o, size_t n)
{
        return LIKELY((size_t)(o->end - o->p) >= n && o->p) || room_slow(o, n);
}

static inline void put(struct out *o, const char *p, size_t n)
{
        if (!n || !room(o, n)) return;
        memcpy(o->p, p, n);
        o->p += n;
}

static inline void put_char(struct out *o, char ch)
{
        if (room(o, 1)) *o->p++ = ch;
}

/* ---- strings ---------------------------------------------------------------------------------------------------------- */

/* Bytes that go out as they are: printable ASCII but the quote and the backslash, and with `high` everything above ASCII. */
static size_t clean_run(const char *p, size_t n, bool high)
{
        uint64_t above = high ? 0 : TOP_BITS;
        size_t i = 0;
        for (; i + 8 <= n; i += 8) {
                uint64_t w = run_load(p + i), specials = run_specials(w) | (w & above);
                if (specials) return i + run_first(specials);
        }
        if (i < n && n >= 8) {                          /* the last eight; those seen before are clean */
                uint64_t w = run_load(p + n - 8), specials = run_specials(w) | (w & above);
                return specials ? n - 8 + run_first(specials) : n;
        }
        while (i < n && !run_is_special(p[i]) && (high || (uint8_t)p[i] < 0x80)) i++;
        return i;
}

static void put_escape(struct out *o, uint8_t ch)
{
        static const char hex[] = "0123456789abcdef", from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
        const char *known = ch ? strchr(from, ch) : NULL;
        if (!room(o, 6)) return;
        *o->p++ = '\\';
        if (known) {
                *o->p++ = to[known - from];
                return;
        }
        o->p = mempcpy(o->p, "u00", 3);
        *o->p++ = hex[ch >> 4];
        *o->p++ = hex[ch & 15];
}

/* Text that is not UTF-8: each byte that fits nothing becomes U+FFFD. */
static void put_broken(struct out *o, str s)
{
        for (size_t i = 0; i < s.n;) {
                str rest = str_cut(s, i, s.n);
                size_t n = utf8_sequence(rest);
                if (!n)                                                     put(o, "\xef\xbf\xbd", 3);
                else if (n == 1 && !clean_run(rest.p, 1, true))             put_escape(o, (uint8_t)*rest.p);
                else                                                        put(o, rest.p, n);
                i += MAX(n, (size_t)1);
        }
}

/* From byte i on, where the first that is not clean stands. */
static void put_rest(struct out *o, str s, size_t i)
{
        if (!utf8_is_valid(str_cut(s, i, s.n))) {
                put_broken(o, str_cut(s, i, s.n));
                return;
        }
        while (i < s.n) {
                size_t n = clean_run(s.p + i, s.n - i, true);
                put(o, s.p + i, n);
                i += n;
                if (i < s.n) put_escape(o, (uint8_t)s.p[i++]);
        }
}

static void put_str(struct out *o, str s)
{
        size_t clean = clean_run(s.p, s.n, false);
        if (!room(o, clean + 2)) return;
        *o->p++ = '"';
        if (clean) o->p = mempcpy(o->p, s.p, clean);
        if (clean < s.n) put_rest(o, s, clean);
        put_char(o, '"');
}

/* ---- values ------------------------------------------------------------------------------------------------------------ */

static void out_msg(struct out *o, const struct type *t, const char *msg);

static inline void out_int(struct out *o, int64_t v)
{
        if (room(o, DIGITS_MAX)) o->p += put_i64(o->p, v);
}

/* The shortest decimal that reads back as the same double; whole numbers without an exponent. */
static size_t double_format(char t[SCALAR_MAX], double v)
{
        if (!isfinite(v)) return (size_t)snprintf(t, SCALAR_MAX, "null");
        if (v == (double)(int64_t)(fabs(v) < 1e15 ? v : 0) && !(v == 0 && signbit(v))) return put_i64(t, (int64_t)v);
        for (int digits = 15; ; digits++) {
                int n = snprintf(t, SCALAR_MAX, "%.*g", digits, v);
                if (digits == 17 || strtod(t, NULL) == v) return (size_t)n;
        }
}

static void out_double(struct out *o, double v)
{
        if (room(o, SCALAR_MAX)) o->p += double_format(o->p, v);
}

static void out_uid(struct out *o, uid id)
{
        if (!room(o, SCALAR_MAX)) return;
        *o->p = '"';
        uid_format(id, o->p + 1);
        o->p[37] = '"';
        o->p += 38;
}

static void out_when(struct out *o, when t)
{
        if (!room(o, SCALAR_MAX)) return;
        *o->p = '"';
        size_t n = when_format(t, o->p + 1);
        o->p[n + 1] = '"';
        o->p += n + 2;
}

static void out_money(struct out *o, const money *m)
{
        put(o, "{\"amount\":", 10);
        out_int(o, m->minor);
        put(o, ",\"currency\":", 12);
        put_str(o, (str){ m->cur, strnlen(m->cur, 3) });
        put_char(o, '}');
}

static void out_word(struct out *o, const struct field *f, int32_t v)
{
        for (int32_t i = 0; i <= v; i++) assert(f->names[i]);
        assert(v >= 0);
        put_str(o, str_of(f->names[v]));
}

/* base64url has its own writer, which writes to the buf itself. */
static void out_bytes(struct out *o, bytes raw)
{
        put_char(o, '"');
        out_close(o);
        base64url_write(o->b, (str){ (const char *)raw.p, raw.n });
        put_char(o, '"');
}

static void out_value(struct out *o, const struct field *f, const void *msg);

static void out_list(struct out *o, const struct type *of, const struct any_list *list)
{
        put_char(o, '[');
        for (size_t i = 0; i < list->n && !o->b->failed; i++) {
                const char *element = list->v + i * of->size;
                if (i) put_char(o, ',');
                if (of->scalar) out_value(o, of->scalar, element);
                else out_msg(o, of, element);
        }
        put_char(o, ']');
}

static void out_value(struct out *o, const struct field *f, const void *msg)
{
        const void *p = field_at(f, msg);
        switch (f->kind) {
        case K_BOOL:  if (*(const bool *)p) put(o, "true", 4); else put(o, "false", 5); break;
        case K_I32:   if (f->names) out_word(o, f, *(const int32_t *)p); else out_int(o, *(const int32_t *)p); break;
        case K_I64:   out_int(o, *(const int64_t *)p); break;
        case K_F64:   out_double(o, *(const double *)p); break;
        case K_STR:   put_str(o, *(const str *)p); break;
        case K_BYTES: out_bytes(o, *(const bytes *)p); break;
        case K_UID:   out_uid(o, *(const uid *)p); break;
        case K_WHEN:  out_when(o, *(const when *)p); break;
        case K_MONEY: out_money(o, p); break;
        case K_MSG:   out_msg(o, f->of, p); break;
        case K_LIST:  out_list(o, f->of, p); break;
        }
}

static void out_msg(struct out *o, const struct type *t, const char *msg)
{
        bool any = false;
        uint64_t members = t == o->some ? o->members : UINT64_MAX;
        put_char(o, '{');
        for (const struct field *f = t->fields, *end = f + t->n; f < end; f++) {
                if ((f->secret && !o->secrets) || f->internal || (f->optional && field_is_absent(f, msg))) continue;
                if (!(members >> (f - t->fields) & 1)) continue;
                size_t key_n = f->name_n + (size_t)3;
                if (!room(o, key_n + 1)) return;
                if (any) *o->p++ = ',';
                any = true;
                o->p = mempcpy(o->p, f->key, key_n);
                out_value(o, f, msg);
        }
        put_char(o, '}');
}

void json_write(struct buf *b, const struct type *t, const void *msg)
{
        struct out o = { .b = b };
        out_msg(&o, t, msg);
        out_close(&o);
}

void json_write_secrets(struct buf *b, const struct type *t, const void *msg)
{
        struct out o = { .b = b, .secrets = true };
        out_msg(&o, t, msg);
        out_close(&o);
}

void json_write_some(struct buf *b, const struct type *t, const void *msg, const struct type *of, uint64_t members)
{
        struct out o = { .b = b, .some = of, .members = members };
        out_msg(&o, t, msg);
        out_close(&o);
}

void json_write_list(struct buf *b, const struct type *t, const struct any_list *list)
{
        struct out o = { .b = b };
        out_list(&o, t, list);
        out_close(&o);
}

void json_write_field(struct buf *b, const struct field *f, const void *msg)
{
        struct out o = { .b = b };
        out_value(&o, f, msg);
        out_close(&o);
}

void json_write_str(struct buf *b, str s)
{
        struct out o = { .b = b };
        put_str(&o, s);
        out_close(&o);
}

void json_write_num(struct buf *b, double v)
{
        char t[SCALAR_MAX];
        buf_add(b, (str){ t, double_format(t, v) });
}
