/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * text.c - encodings of text: UTF-8, base64url, hex, percent, HTML escapes.
 *
 * Writers reserve room once and fill it; readers are strict and leave *out untouched when they refuse. Pure. */
#include "text.h"
#include <endian.h>

/* ---- UTF-8 ----------------------------------------------------------------------------------------------------- */

#define HIGH_BITS 0x8080808080808080ull

static inline uint64_t high_bits(const char *p)
{
        uint64_t w;
        memcpy(&w, p, 8);
        return le64toh(w) & HIGH_BITS;
}

/* Where the first byte that is not ASCII may stand, at or after i: exactly, unless under eight bytes are left. */
static inline size_t skip_ascii(str s, size_t i)
{
        for (; i + 16 <= s.n; i += 16)
                if (high_bits(s.p + i) | high_bits(s.p + i + 8)) break;
        for (; i + 8 <= s.n; i += 8) {
                uint64_t high = high_bits(s.p + i);
                if (high) return i + (size_t)__builtin_ctzll(high) / 8;
        }
        return i;
}

static bool is_tail(uint8_t b) { return (b & 0xc0) == 0x80; }

/* The length of the well-formed sequence at p (Unicode table 3-7), or 0. */
static inline size_t sequence(const uint8_t *p, size_t n)
{
        uint8_t lead = p[0];
        if (lead < 0x80) return 1;
        if (lead < 0xc2 || lead > 0xf4) return 0;
        if (lead < 0xe0) return n >= 2 && is_tail(p[1]) ? 2 : 0;
        if (lead < 0xf0) {
                uint8_t low = lead == 0xe0 ? 0xa0 : 0x80, high = lead == 0xed ? 0x9f : 0xbf;
                return n >= 3 && p[1] >= low && p[1] <= high && is_tail(p[2]) ? 3 : 0;
        }
        uint8_t low = lead == 0xf0 ? 0x90 : 0x80, high = lead == 0xf4 ? 0x8f : 0xbf;
        return n >= 4 && p[1] >= low && p[1] <= high && is_tail(p[2]) && is_tail(p[3]) ? 4 : 0;
}

bool utf8_is_valid(str s)
{
        for (size_t i = skip_ascii(s, 0); i < s.n;) {
                size_t n = sequence((const uint8_t *)s.p + i, s.n - i);
                if (!n) return false;
                i += n;
                if (i < s.n && !(s.p[i] & 0x80)) i = skip_ascii(s, i);
        }
        return true;
}

size_t utf8_sequence(str s)
{
        return s.n ? sequence((const uint8_t *)s.p, s.n) : 0;
}

size_t utf8_length(str s)
{
        size_t n = 0;
        for (size_t i = 0; i < s.n; i++) n += !is_tail((uint8_t)s.p[i]);
        return n;
}

/* ---- base64url ------------------------------------------------------------------------------------------------- */

static const char sextets[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_write(struct buf *b, str raw)
{
        const uint8_t *p = (const uint8_t *)raw.p;
        size_t whole = raw.n / 3, rest = raw.n % 3, n = whole * 4 + (rest ? rest + 1 : 0);
        char *to = buf_room(b, n);
        if (!to) return;
        for (size_t i = 0; i < whole; i++, p += 3, to += 4) {
                uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
                to[0] = sextets[v >> 18];
                to[1] = sextets[v >> 12 & 63];
                to[2] = sextets[v >> 6 & 63];
                to[3] = sextets[v & 63];
        }
        if (rest) {
                uint32_t v = (uint32_t)p[0] << 16 | (rest == 2 ? (uint32_t)p[1] << 8 : 0);
                to[0] = sextets[v >> 18];
                to[1] = sextets[v >> 12 & 63];
                if (rest == 2) to[2] = sextets[v >> 6 & 63];
        }
        buf_added(b, n);
}

static int sextet(char ch)
{
        if (ch >= 'A' && ch <= 'Z') return ch - 'A';
        if (ch >= 'a' && ch <= 'z') return ch - 'a' + 26;
        if (ch >= '0' && ch <= '9') return ch - '0' + 52;
        return ch == '-' ? 62 : ch == '_' ? 63 : -1;
}

int base64url_read(struct arena *a, str text, str *out)
{
        size_t rest = text.n % 4, n = text.n / 4 * 3 + (rest ? rest - 1 : 0);
        if (rest == 1) return -INVALID_ARGUMENT;
        char *raw = arena_alloc(a, n + 1);
        if (!raw) return -RESOURCE_EXHAUSTED;
        uint32_t v = 0;
        unsigned bits = 0;
        size_t at = 0;
        for (size_t i = 0; i < text.n; i++) {
                int six = sextet(text.p[i]);
                if (six < 0) return -INVALID_ARGUMENT;
                v = v << 6 | (uint32_t)six;
                bits += 6;
                if (bits >= 8) {
                        bits -= 8;
                        raw[at++] = (char)(v >> bits);
                        v &= (1u << bits) - 1;
                }
        }
        if (v) return -INVALID_ARGUMENT;                /* bits that no encoder sets: two texts would mean one value */
        *out = (str){ raw, n };
        return 0;
}

/* ---- hex --------------------------------------------------------------------------------------------------------- */

static const char hex_lower[17] = "0123456789abcdef", hex_upper[17] = "0123456789ABCDEF";

static int nibble(char ch, bool either_case)
{
        if (ch >= '0' && ch <= '9') return ch - '0';
        if (ch >= 'a' && ch <= 'f') return ch - 'a' + 10;
        return either_case && ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

int hex_read(str text, uint8_t *out, size_t n)
{
        if (text.n % 2 || text.n / 2 != n) return -INVALID_ARGUMENT;
        for (size_t i = 0; i < text.n; i++)
                if (nibble(text.p[i], false) < 0) return -INVALID_ARGUMENT;
        for (size_t i = 0; i < n; i++)
                out[i] = (uint8_t)(nibble(text.p[2 * i], false) << 4 | nibble(text.p[2 * i + 1], false));
        return 0;
}

void hex_write(struct buf *b, str raw)
{
        char *to = raw.n <= SIZE_MAX / 2 ? buf_room(b, raw.n * 2) : buf_room(b, SIZE_MAX);
        if (!to) return;
        for (size_t i = 0; i < raw.n; i++) {
                uint8_t v = (uint8_t)raw.p[i];
                to[2 * i] = hex_lower[v >> 4];
                to[2 * i + 1] = hex_lower[v & 15];
        }
        buf_added(b, raw.n * 2);
}

/* ---- percent ----------------------------------------------------------------------------------------------------- */

int percent_read(struct arena *a, str text, bool plus, str *out)
{
        char *to = arena_alloc(a, text.n + 1);
        if (!to) return -RESOURCE_EXHAUSTED;
        size_t n = 0;
        for (size_t i = 0; i < text.n; i++) {
                char ch = text.p[i];
                if (ch == '%') {
                        int high = i + 1 < text.n ? nibble(text.p[i + 1], true) : -1;
                        int low  = i + 2 < text.n ? nibble(text.p[i + 2], true) : -1;
                        if (high < 0 || low < 0) return -INVALID_ARGUMENT;
                        ch = (char)(high << 4 | low);
                        i += 2;
                } else if (ch == '+' && plus) {
                        ch = ' ';
                }
                if (!ch) return -INVALID_ARGUMENT;
                to[n++] = ch;
        }
        if (!utf8_is_valid((str){ to, n })) return -INVALID_ARGUMENT;
        *out = (str){ to, n };
        return 0;
}

static bool is_unreserved(char ch)
{
        return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
               ch == '-' || ch == '.' || ch == '_' || ch == '~';
}

void percent_write(struct buf *b, str raw)
{
        for (size_t i = 0; i < raw.n; i++) {
                uint8_t v = (uint8_t)raw.p[i];
                if (is_unreserved(raw.p[i])) buf_char(b, raw.p[i]);
                else buf_add(b, (str){ (char[]){ '%', hex_upper[v >> 4], hex_upper[v & 15] }, 3 });
        }
}

/* ---- HTML ---------------------------------------------------------------------------------------------------------- */

static str html_escape(char ch)
{
        switch (ch) {
        case '&':  return STR("&amp;");
        case '<':  return STR("&lt;");
        case '>':  return STR("&gt;");
        case '"':  return STR("&quot;");
        case '\'': return STR("&#39;");
        default:   return (str){ NULL, 0 };
        }
}

void html_write(struct buf *b, str raw)
{
        size_t plain = 0;               /* where the run of characters that stand for themselves began */
        for (size_t i = 0; i < raw.n; i++) {
                str escape = html_escape(raw.p[i]);
                if (!escape.p) continue;
                buf_add(b, str_cut(raw, plain, i));
                buf_add(b, escape);
                plain = i + 1;
        }
        if (raw.n) buf_add(b, str_cut(raw, plain, raw.n));
}
