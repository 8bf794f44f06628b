/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_scan.c - tokens of JSON, the place of each, and the set of names that finds a member given twice.
 *
 * Strings are scanned eight bytes at a time. The set of names holds members that no field covers (fields have a bit mask);
 * it is keyed by the object's number, so one set serves the whole text, and hashed with this process's secret key, so nobody
 * can choose names that collide. */
#include "json_scan.h"
#include "bound.h"
#include <stdio.h>
#include "hash.h"
#include "json_run.h"
#include "text.h"

/* ---- flaws ---------------------------------------------------------------------------------------------------------- */

int scan_full(struct scan *s)
{
        return fail_http(s->c, 413, RESOURCE_EXHAUSTED, "too_large", "the input is too large to be read");
}

static size_t pointer_size(const struct scan *s)
{
        size_t n = 0;
        for (size_t i = 0; i < s->n_path; i++) n += 1 + (s->path[i].name ? 2 * s->path[i].n : 20);
        return n;
}

/* RFC 6901: ~ is ~0 and / is ~1 */
static char *pointer_name(char *p, const struct step *step)
{
        for (size_t i = 0; i < step->n; i++) {
                char ch = step->name[i];
                if (ch == '~' || ch == '/') *p++ = '~';
                *p++ = ch == '~' ? '0' : ch == '/' ? '1' : ch;
        }
        return p;
}

static str scan_pointer(const struct scan *s)
{
        char *out = arena_alloc(s->c->arena, pointer_size(s) + 1), *p = out;
        if (!out) return STR("");
        for (size_t i = 0; i < s->n_path; i++) {
                const struct step *step = &s->path[i];
                *p++ = '/';
                if (step->name) {
                        p = pointer_name(p, step);
                } else {
                        char t[24], *d = t + sizeof t;
                        size_t v = step->n;
                        do *--d = (char)('0' + v % 10); while (v /= 10);
                        p = mempcpy(p, d, (size_t)(t + sizeof t - d));
                }
        }
        return (str){ out, (size_t)(p - out) };
}

void scan_flaw(struct scan *s, const char *slug, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        str detail = arena_vprintf(s->c->arena, fmt, ap);
        va_end(ap);
        flaw_add(s->c, scan_pointer(s), slug, STR_FMT, STR_ARG(detail));
}

/* What stands at p, for people. */
static str found(const struct scan *s, char t[16])
{
        if (s->p >= s->end) return STR("the end");
        uint8_t ch = (uint8_t)*s->p;
        bool shows = ch > ' ' && ch < 127;
        int n = snprintf(t, 16, shows ? "'%c'" : "byte 0x%02x", ch);
        return (str){ t, (size_t)n };
}

int scan_wrong(struct scan *s, const char *want)
{
        char t[16];
        size_t line = 1, column = 1;
        str what = found(s, t);
        for (const char *p = s->start; p < s->p; p++) {
                if (*p == '\n') line++, column = 1;
                else if (((uint8_t)*p & 0xc0) != 0x80) column++;
        }
        scan_flaw(s, "syntax", "line %zu, column %zu: expected %s, found " STR_FMT, line, column, want, STR_ARG(what));
        return -INVALID_ARGUMENT;
}

/* ---- strings -------------------------------------------------------------------------------------------------------- */

static int hex4(const char *p, const char *end)
{
        int v = 0;
        if (end - p < 4) return -1;
        for (int i = 0; i < 4; i++) {
                char ch = p[i];
                int d = ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) >= 'a' && (ch | 32) <= 'f' ? (ch | 32) - 'a' + 10 : -1;
                if (d < 0) return -1;
                v = v << 4 | d;
        }
        return v;
}

static bool is_high(int u) { return u >= 0xd800 && u < 0xdc00; }
static bool is_low(int u)  { return u >= 0xdc00 && u < 0xe000; }

/* At a backslash. Consumes the escape, a surrogate pair whole. */
static int scan_escape(struct scan *s, struct text *t)
{
        char ch = s->end - s->p >= 2 ? s->p[1] : '\0';
        t->escaped = true;
        if (ch != 'u') {
                s->p++;
                if (!ch || !strchr("\"\\/bfnrt", ch)) return scan_wrong(s, "an escape");
                s->p++;
                return 0;
        }
        int u = hex4(s->p + 2, s->end);
        s->p += 2;
        if (u < 0) return scan_wrong(s, "four hexadecimal digits");
        s->p += 4;
        if (is_high(u) && s->end - s->p >= 6 && s->p[0] == '\\' && s->p[1] == 'u' && is_low(hex4(s->p + 2, s->end))) s->p += 6;
        else if (is_high(u) || is_low(u)) t->wrong = "has half of a surrogate pair";
        return 0;
}

/* Bytes before the next quote, backslash or control character; sets *high when any of them is not ASCII. */
static size_t plain_run(const char *p, size_t n, uint64_t *high)
{
        size_t i = 0;
        for (; i + 8 <= n; i += 8) {
                uint64_t w = run_load(p + i), specials = run_specials(w);
                if (specials) {
                        *high |= w & TOP_BITS & ((specials & -specials) - 1);
                        return i + run_first(specials);
                }
                *high |= w & TOP_BITS;
        }
        for (; i < n && !run_is_special(p[i]); i++) *high |= (uint8_t)p[i] & 0x80;
        return i;
}

int scan_string(struct scan *s, struct text *t)
{
        const char *from = ++s->p;
        uint64_t high = 0;
        t->escaped = false;
        t->wrong = NULL;
        for (;;) {
                s->p += plain_run(s->p, (size_t)(s->end - s->p), &high);
                if (s->p < s->end && *s->p == '"') break;
                if (s->p >= s->end || *s->p != '\\') return scan_wrong(s, "a closing quote");
                TRY(scan_escape(s, t));
        }
        t->raw = (str){ from, (size_t)(s->p - from) };
        s->p++;
        if (high && !utf8_is_valid(t->raw)) t->wrong = "is not valid UTF-8";
        return 0;
}

static size_t utf8_put(char out[4], int u)
{
        if (u < 0x80)    { out[0] = (char)u; return 1; }
        if (u < 0x800)   { out[0] = (char)(0xc0 | u >> 6);  out[1] = (char)(0x80 | (u & 63)); return 2; }
        if (u < 0x10000) {
                out[0] = (char)(0xe0 | u >> 12);
                out[1] = (char)(0x80 | (u >> 6 & 63));
                out[2] = (char)(0x80 | (u & 63));
                return 3;
        }
        out[0] = (char)(0xf0 | u >> 18);
        out[1] = (char)(0x80 | (u >> 12 & 63));
        out[2] = (char)(0x80 | (u >> 6 & 63));
        out[3] = (char)(0x80 | (u & 63));
        return 4;
}

size_t scan_unit(const char **p, const char *end, char out[4])
{
        static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
        const char *at = *p;
        if (*at != '\\' || end - at < 2) { *p = at + 1; out[0] = *at; return 1; }
        *p = at + 2;
        if (at[1] != 'u') {
                const char *known = strchr(from, at[1]);
                out[0] = known && *known ? to[known - from] : at[1];
                return 1;
        }
        int u = hex4(at + 2, end), low;
        if (u < 0) { out[0] = 'u'; return 1; }
        *p = at + 6;
        if (is_high(u) && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' && is_low(low = hex4(*p + 2, end))) {
                *p += 6;
                u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
        }
        return utf8_put(out, is_high(u) || is_low(u) ? 0xfffd : u);
}

int scan_text(struct scan *s, const struct text *t, str *out)
{
        if (!t->escaped) {
                *out = t->raw;
                return 0;
        }
        /* what is written is never longer than what is read: an escape of six bytes makes three at most, a pair of twelve four */
        char *to = arena_alloc(s->c->arena, t->raw.n + 1), *q = to;
        if (!to) return scan_full(s);
        for (const char *p = t->raw.p, *end = p + t->raw.n; p < end;) {
                char unit[4];
                q = mempcpy(q, unit, scan_unit(&p, end, unit));
        }
        *out = (str){ to, (size_t)(q - to) };
        return 0;
}

/* ---- numbers and words ---------------------------------------------------------------------------------------------- */

static bool at_digit(const struct scan *s) { return s->p < s->end && (uint8_t)(*s->p - '0') < 10; }

static int scan_digits(struct scan *s)
{
        if (!at_digit(s)) return scan_wrong(s, "a digit");
        while (at_digit(s)) s->p++;
        return 0;
}

int scan_number(struct scan *s, str *number, bool *whole)
{
        const char *from = s->p;
        *whole = true;
        if (*s->p == '-') s->p++;
        if (s->p < s->end && *s->p == '0') s->p++;
        else TRY(scan_digits(s));
        if (at_digit(s)) return scan_wrong(s, "no digit after a leading zero");
        if (s->p < s->end && *s->p == '.') {
                *whole = false;
                s->p++;
                TRY(scan_digits(s));
        }
        if (s->p < s->end && (*s->p | 32) == 'e') {
                *whole = false;
                s->p++;
                if (s->p < s->end && (*s->p == '+' || *s->p == '-')) s->p++;
                TRY(scan_digits(s));
        }
        *number = (str){ from, (size_t)(s->p - from) };
        return 0;
}

int scan_word(struct scan *s, const char *word, size_t n)
{
        if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n)) return scan_wrong(s, "a value");
        s->p += n;
        return 0;
}

/* ---- objects and arrays ----------------------------------------------------------------------------------------------- */

int scan_enter(struct scan *s)
{
        if (s->depth == DEPTH_MAX) {
                bound_reached(BOUND_JSON_DEPTH);
                scan_flaw(s, "too_deep", "is nested more than %d deep", DEPTH_MAX);
                return -INVALID_ARGUMENT;
        }
        s->depth++;
        s->p++;
        return 0;
}

int scan_next(struct scan *s, char closing, bool *first)
{
        char ch = scan_peek(s);
        if (ch == closing) {
                s->p++;
                s->depth--;
                return 0;
        }
        if (*first) {
                *first = false;
        } else {
                if (ch != ',') return scan_wrong(s, closing == '}' ? "',' or '}'" : "',' or ']'");
                s->p++;
                ch = scan_peek(s);
        }
        if (closing == '}' && ch != '"') return scan_wrong(s, "a member's name in quotes");
        return 1;
}

int scan_colon(struct scan *s)
{
        if (scan_peek(s) != ':') return scan_wrong(s, "':'");
        s->p++;
        return 0;
}

int scan_name(struct scan *s, str *name)
{
        struct text t;
        TRY(scan_string(s, &t));
        *name = (str){ NULL, 0 };
        if (t.wrong) scan_flaw(s, "bad_utf8", "the name of a member %s", t.wrong);
        else TRY(scan_text(s, &t, name));
        return scan_colon(s);
}

/* ---- names met ---------------------------------------------------------------------------------------------------------- */

/* The place of a name in the table: its own, or the free one it would get. */
static uint32_t *slot_of(const struct scan *s, const struct name_met *want)
{
        size_t i = want->hash & (s->cap_slots - 1);
        for (; s->slots[i]; i = (i + 1) & (s->cap_slots - 1)) {
                const struct name_met *met = &s->names[s->slots[i] - 1];
                if (met->hash == want->hash && met->object == want->object && str_eq(met->name, want->name)) break;
        }
        return &s->slots[i];
}

/* Put back in the order in which they came, so that forgetting the latest first leaves every other findable. */
static int names_grow(struct scan *s)
{
        size_t cap = s->cap_slots ? s->cap_slots * 2 : 32;
        struct name_met *names = arena_many(s->c->arena, struct name_met, cap / 2);
        uint32_t *slots = arena_many(s->c->arena, uint32_t, cap);
        if (!names || !slots) return scan_full(s);
        if (s->n_names) memcpy(names, s->names, s->n_names * sizeof *names);
        s->names = names;
        s->slots = slots;
        s->cap_slots = cap;
        for (size_t i = 0; i < s->n_names; i++) *slot_of(s, &names[i]) = (uint32_t)i + 1;
        return 0;
}

int scan_remember(struct scan *s, uint32_t object, str name)
{
        struct name_met met = { object, (uint32_t)hash_quick(name) + object * 0x9e3779b9u, name };
        if (s->n_names >= NAMES_MAX) {
                bound_reached(BOUND_JSON_NAMES);
                scan_flaw(s, "too_many", "there are more than %d names", NAMES_MAX);
                return -INVALID_ARGUMENT;
        }
        if (s->n_names * 2 >= s->cap_slots) TRY(names_grow(s));
        uint32_t *slot = slot_of(s, &met);
        if (*slot) return 0;
        s->names[s->n_names++] = met;
        *slot = (uint32_t)s->n_names;
        return 1;
}

void scan_forget(struct scan *s, size_t mark)
{
        for (; s->n_names > mark; s->n_names--) *slot_of(s, &s->names[s->n_names - 1]) = 0;
}

/* ---- reading over --------------------------------------------------------------------------------------------------------- */

static int skip_object(struct scan *s)
{
        bool first = true;
        uint32_t object = s->objects++;
        size_t mark = s->n_names;
        int more;
        TRY(scan_enter(s));
        while ((more = scan_next(s, '}', &first)) > 0) {
                str name;
                TRY(scan_name(s, &name));
                if (name.p) {
                        scan_down(s, name.p, name.n);
                        int is_new = scan_remember(s, object, name);
                        if (is_new < 0) return is_new;
                        if (!is_new) scan_flaw(s, "repeated", "is given more than once");
                }
                TRY(scan_skip(s));
                if (name.p) scan_up(s);
        }
        scan_forget(s, mark);
        return more;
}

static int skip_array(struct scan *s)
{
        bool first = true;
        int more;
        TRY(scan_enter(s));
        for (size_t i = 0; (more = scan_next(s, ']', &first)) > 0; i++) {
                scan_down(s, NULL, i);
                TRY(scan_skip(s));
                scan_up(s);
        }
        return more;
}

int scan_skip(struct scan *s)
{
        struct text t;
        str number;
        bool whole;
        switch (scan_peek(s)) {
        case '{': return skip_object(s);
        case '[': return skip_array(s);
        case 't': return scan_word(s, "true", 4);
        case 'f': return scan_word(s, "false", 5);
        case 'n': return scan_word(s, "null", 4);
        case '"':
                TRY(scan_string(s, &t));
                if (t.wrong) scan_flaw(s, "bad_utf8", "%s", t.wrong);
                return 0;
        case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
                return scan_number(s, &number, &whole);
        default:
                return scan_wrong(s, "a value");
        }
}

int scan_finish(struct scan *s)
{
        scan_peek(s);
        return s->p < s->end ? scan_wrong(s, "nothing more") : 0;
}
