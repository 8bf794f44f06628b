/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * str.c - borrowed bytes: compare, search, trim, split; decimal numbers in and out.
 *
 * Everything here takes an absent str (p NULL) for an empty one. Pure; no allocation. */
#include "digits.h"

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

bool str_eq_nocase(str a, str b)
{
        if (a.n != b.n) return false;
        for (size_t i = 0; i < a.n; i++)
                if (a.p[i] != b.p[i] && lower(a.p[i]) != lower(b.p[i])) return false;
        return true;
}

bool str_starts(str s, str prefix)
{
        return s.n >= prefix.n && (prefix.n == 0 || !memcmp(s.p, prefix.p, prefix.n));
}

bool str_ends(str s, str suffix)
{
        return s.n >= suffix.n && (suffix.n == 0 || !memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n));
}

int str_cmp(str a, str b)
{
        size_t n = MIN(a.n, b.n);
        int order = n ? memcmp(a.p, b.p, n) : 0;
        return order ? order : (a.n > b.n) - (a.n < b.n);
}

ptrdiff_t str_find(str s, char ch)
{
        const char *at = s.n ? memchr(s.p, ch, s.n) : NULL;
        return at ? at - s.p : -1;
}

str str_trim(str s, const char *chars)
{
        /* strchr finds the terminator too, so a NUL in s is no member of chars by mistake */
        while (s.n && s.p[0] && strchr(chars, s.p[0])) { s.p++; s.n--; }
        while (s.n && s.p[s.n - 1] && strchr(chars, s.p[s.n - 1])) s.n--;
        return s;
}

str str_split(str *rest, char sep)
{
        ptrdiff_t at = str_find(*rest, sep);
        str part = *rest;
        if (at < 0) {
                *rest = (str){ NULL, 0 };
        } else {
                part.n = (size_t)at;
                *rest = str_cut(*rest, part.n + 1, rest->n);
        }
        return part;
}

int int_parse(str s, int64_t *out)
{
        bool negative = s.n && s.p[0] == '-';
        size_t i = negative;
        uint64_t v = 0, limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
        bool over = false;
        if (i == s.n) return -INVALID_ARGUMENT;
        for (; i < s.n; i++) {
                unsigned d = (unsigned char)s.p[i] - (unsigned)'0';
                if (d > 9) return -INVALID_ARGUMENT;
                if (v > (limit - d) / 10) over = true;          /* go on: a wrong character further on is the graver fault */
                else v = v * 10 + d;
        }
        if (over) return -OUT_OF_RANGE;
        *out = negative ? (int64_t)(0 - v) : (int64_t)v;
        return 0;
}

const char digit_pairs[201] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051"
        "525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

size_t put_u64(char *p, uint64_t v)
{
        char t[DIGITS_MAX], *at = t + DIGITS_MAX;
        while (v >= 100) {
                at -= 2;
                put_2(at, (unsigned)(v % 100));
                v /= 100;
        }
        if (v >= 10) put_2(at -= 2, (unsigned)v);
        else *--at = (char)('0' + v);
        size_t n = (size_t)(t + DIGITS_MAX - at);
        memcpy(p, at, n);
        return n;
}

size_t put_i64(char *p, int64_t v)
{
        if (v >= 0) return put_u64(p, (uint64_t)v);
        *p = '-';
        return 1 + put_u64(p + 1, magnitude(v));
}
