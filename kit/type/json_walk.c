/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_walk.c - JSON without a table: check a text once, then walk it by cutting values out of it.
 *
 * Values are views of the checked text, so nothing is built. The cutting trusts the syntax but never the bounds: over text
 * that nobody checked it may give nonsense, and stays inside. */
#include "json.h"
#include "json_scan.h"

int json_validate(struct ctx *c, str text)
{
        struct scan s = scan_of(c, text, 0);
        int r = scan_skip(&s);
        if (r >= 0) r = scan_finish(&s);
        if (r == -RESOURCE_EXHAUSTED || arena_is_exhausted(c->arena)) return scan_full(&s);
        return flaws_fail(c);
}

/* ---- cutting ----------------------------------------------------------------------------------------------------------- */

static bool is_space(char ch) { return ch == ' ' || ch == '\n' || ch == '\r' || ch == '\t'; }

static str skip_space(str s)
{
        while (s.n && is_space(*s.p)) s = str_cut(s, 1, s.n);
        return s;
}

/* Length of the string token at the front, quotes and all. */
static size_t string_size(str s)
{
        size_t i = 1;
        while (i < s.n && s.p[i] != '"') i += s.p[i] == '\\' ? 2 : 1;
        return MIN(i + 1, s.n);
}

static size_t container_size(str s)
{
        size_t i = 0, depth = 0;
        while (i < s.n) {
                char ch = s.p[i];
                if (ch == '"') {
                        i += string_size(str_cut(s, i, s.n));
                        continue;
                }
                i++;
                if (ch == '{' || ch == '[') depth++;
                else if ((ch == '}' || ch == ']') && --depth == 0) break;
        }
        return i;
}

static size_t value_size(str s)
{
        if (!s.n) return 0;
        if (*s.p == '"') return string_size(s);
        if (*s.p == '{' || *s.p == '[') return container_size(s);
        size_t i = 0;
        while (i < s.n && !is_space(s.p[i]) && s.p[i] != ',' && s.p[i] != '}' && s.p[i] != ']') i++;
        return i;
}

/* Cuts the value at the front off *rest. False when none is there. */
static bool value_cut(str *rest, str *value)
{
        str s = skip_space(*rest);
        size_t n = value_size(s);
        *rest = s;
        if (!n) return false;
        *rest = str_cut(s, n, s.n);
        *value = str_cut(s, 0, n);
        return true;
}

/* Moves past `ch` when it is next. */
static bool eat(str *rest, char ch)
{
        str s = skip_space(*rest);
        bool there = s.n && *s.p == ch;
        *rest = there ? str_cut(s, 1, s.n) : s;
        return there;
}

enum json_kind json_kind_of(str json)
{
        str s = skip_space(json);
        if (!s.n) return JSON_END;
        switch (*s.p) {
        case 'n': return JSON_NULL;
        case 't': case 'f': return JSON_BOOL;
        case '"': return JSON_STRING;
        case '[': return JSON_ARRAY;
        case '{': return JSON_OBJECT;
        default:  return *s.p == '-' || (*s.p >= '0' && *s.p <= '9') ? JSON_NUMBER : JSON_END;
        }
}

/* ---- walking ------------------------------------------------------------------------------------------------------------ */

struct json_walk json_open(str container)
{
        str s = skip_space(container);
        bool opens = s.n && (*s.p == '{' || *s.p == '[');
        return (struct json_walk){ opens ? str_cut(s, 1, s.n) : (str){ "", 0 } };
}

bool json_next_element(struct json_walk *w, str *value)
{
        eat(&w->rest, ',');
        return value_cut(&w->rest, value);
}

/* The name still quoted and escaped. */
static bool next_pair(struct json_walk *w, str *quoted, str *value)
{
        eat(&w->rest, ',');
        str s = skip_space(w->rest);
        if (!s.n || *s.p != '"') return false;
        return value_cut(&w->rest, quoted) && eat(&w->rest, ':') && value_cut(&w->rest, value);
}

bool json_next_member(struct ctx *c, struct json_walk *w, str *name, str *value)
{
        str quoted;
        return next_pair(w, &quoted, value) && json_text(c, quoted, name) == 0;
}

static bool name_is(str quoted, str name)
{
        if (quoted.n < 2) return false;
        const char *p = quoted.p + 1, *end = quoted.p + quoted.n - 1;
        size_t at = 0;
        while (p < end) {
                char unit[4];
                size_t n = scan_unit(&p, end, unit);
                if (name.n - at < n || memcmp(name.p + at, unit, n)) return false;
                at += n;
        }
        return at == name.n;
}

str json_member(str object, const char *name)
{
        struct json_walk w = json_open(object);
        str quoted, value, want = str_of(name);
        if (json_kind_of(object) != JSON_OBJECT) return (str){ NULL, 0 };
        while (next_pair(&w, &quoted, &value))
                if (name_is(quoted, want)) return value;
        return (str){ NULL, 0 };
}

int json_text(struct ctx *c, str json, str *out)
{
        struct scan s = scan_of(c, json, 0);
        struct text t;
        if (scan_peek(&s) != '"') return fail(c, INVALID_ARGUMENT, "wrong_type", "a string is wanted");
        if (scan_string(&s, &t) < 0 || t.wrong) return fail(c, INVALID_ARGUMENT, "syntax", "a string is broken");
        return scan_text(&s, &t, out);
}

int json_int(str json, int64_t *out)
{
        str s = str_trim(json, " \n\r\t");
        size_t sign = s.n && *s.p == '-';
        if (s.n > sign + 1 && s.p[sign] == '0') return -INVALID_ARGUMENT;
        return int_parse(s, out);
}
