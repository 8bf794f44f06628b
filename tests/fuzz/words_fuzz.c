/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * words_fuzz.c - the small grammars under everything: instants, amounts, ids, numbers, encodings. What is read is written as one text, which is read as the same.
 *
 * The first byte chooses. Where the C library or a second way can say what is right, it is asked. */
#include <errno.h>
#include <stdlib.h>
#include "text.h"

enum { ARENA = 1 << 20 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
        if (!holds) abort();
}

static void instants(str s)
{
        when t, u;
        char text[32];
        if (when_parse(s, &t) < 0) return;
        size_t n = when_format(t, text);
        must(n == strlen(text) && when_parse((str){ text, n }, &u) == 0 && t.us == u.us);
        must(when_year(t) == atoi(text));
}

static void amounts(str s)
{
        static const char *const currencies[] = { "EUR", "JPY", "KWD", "CLF" };
        for (size_t i = 0; i < COUNT(currencies); i++) {
                money m, back, sum;
                char text[40];
                if (money_parse(s, currencies[i], &m) < 0) continue;
                size_t n = money_format(m, text);
                must(n == strlen(text) && n > 4 && !strcmp(text + n - 3, currencies[i]));
                must(money_parse((str){ text, n - 4 }, currencies[i], &back) == 0 && back.minor == m.minor);
                if (money_times(m, 3, &sum) == 0) {
                        must(money_add(m, m, &back) == 0 && money_add(back, m, &back) == 0 && back.minor == sum.minor);
                } else {
                        must(m.minor > INT64_MAX / 3 || m.minor < INT64_MIN / 3);
                }
        }
        must(!money_is_currency(s) || s.n == 3);
}

static void ids(str s)
{
        uid id, back;
        char text[37];
        if (uid_parse(s, &id) < 0) return;
        uid_format(id, text);
        must(str_eq_nocase(s, str_of(text)) && uid_parse(str_of(text), &back) == 0 && uid_eq(id, back));
        must(uid_time(id).us >= 0);
}

static void numbers(struct arena *a, str s)
{
        int64_t v = 0;
        int r = int_parse(s, &v);
        bool digits = s.n > (s.n && s.p[0] == '-');
        for (size_t i = s.n && s.p[0] == '-'; i < s.n; i++) digits &= s.p[i] >= '0' && s.p[i] <= '9';
        must((r == -INVALID_ARGUMENT) == !digits);
        if (!digits) return;
        errno = 0;
        long long want = strtoll(arena_z(a, s), NULL, 10);
        must(errno == ERANGE ? r == -OUT_OF_RANGE : r == 0 && v == want);
}

static void base64url(struct arena *a, str s)
{
        struct buf b AUTO(buf_done) = BUF_INIT(ARENA);
        str raw;
        if (base64url_read(a, s, &raw) == 0) {
                base64url_write(&b, raw);
                must(str_eq(buf_str(&b), s));           /* one text a value */
        }
        buf_clear(&b);
        base64url_write(&b, s);
        must(base64url_read(a, buf_str(&b), &raw) == 0 && str_eq(raw, s));
}

static void percents(struct arena *a, str s)
{
        struct buf b AUTO(buf_done) = BUF_INIT(ARENA);
        str plain, again;
        if (percent_read(a, s, false, &plain) == 0) {
                must(utf8_is_valid(plain) && !memchr(plain.p, 0, plain.n) && plain.n <= s.n);
                percent_write(&b, plain);
                must(percent_read(a, buf_str(&b), true, &again) == 0 && str_eq(plain, again));
        }
        buf_clear(&b);
        percent_write(&b, s);
        bool good = utf8_is_valid(s) && (!s.n || !memchr(s.p, 0, s.n));
        must((percent_read(a, buf_str(&b), false, &again) == 0) == good && (!good || str_eq(again, s)));
}

/* Unicode's table 3-7, a code point at a time. */
static size_t utf8_of(uint32_t cp, char out[4])
{
        if (cp < 0x80) return out[0] = (char)cp, 1;
        if (cp < 0x800) return out[0] = (char)(0xc0 | cp >> 6), out[1] = (char)(0x80 | (cp & 63)), 2;
        if (cp < 0x10000) return out[0] = (char)(0xe0 | cp >> 12), out[1] = (char)(0x80 | (cp >> 6 & 63)), out[2] = (char)(0x80 | (cp & 63)), 3;
        out[0] = (char)(0xf0 | cp >> 18), out[1] = (char)(0x80 | (cp >> 12 & 63)), out[2] = (char)(0x80 | (cp >> 6 & 63)), out[3] = (char)(0x80 | (cp & 63));
        return 4;
}

static void utf8(str s)
{
        size_t points = 0, at = 0, step;
        while (at < s.n && (step = utf8_sequence(str_cut(s, at, s.n))) > 0) at += step, points++;
        must(utf8_is_valid(s) == (at == s.n) && (at < s.n || utf8_length(s) == points));
        for (size_t i = 0; i + 3 <= s.n; i += 3) {
                char text[4];
                uint32_t cp = ((uint32_t)(uint8_t)s.p[i] << 16 | (uint32_t)(uint8_t)s.p[i + 1] << 8 | (uint8_t)s.p[i + 2]) % 0x120000;
                size_t n = utf8_of(cp, text);
                must(utf8_is_valid((str){ text, n }) == (cp <= 0x10ffff && (cp < 0xd800 || cp > 0xdfff)));
        }
}

static void escapes(str s)
{
        struct buf b AUTO(buf_done) = BUF_INIT(ARENA);
        uint8_t raw[64];
        html_write(&b, s);
        str out = buf_str(&b);
        for (size_t i = 0; i < out.n; i++) must(!strchr("<>\"'", out.p[i] ? out.p[i] : 'a'));
        buf_clear(&b);
        hex_write(&b, str_cut(s, 0, MIN(s.n, sizeof raw)));
        must(hex_read(buf_str(&b), raw, MIN(s.n, sizeof raw)) == 0 && (!s.n || !memcmp(raw, s.p, MIN(s.n, sizeof raw))));
        if (hex_read(s, raw, s.n / 2 <= sizeof raw ? s.n / 2 : 0) < 0 || !s.n) return;
        buf_clear(&b);
        hex_write(&b, (str){ (const char *)raw, s.n / 2 });
        must(str_eq(buf_str(&b), s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct arena *a;
        if (!n || n > 8192) return 0;
        if (!a) a = arena_new(ARENA);
        arena_reset(a);
        str s = { (const char *)data + 1, n - 1 };
        switch (data[0] % 8) {
        case 0: instants(s); break;
        case 1: amounts(s); break;
        case 2: ids(s); break;
        case 3: numbers(a, s); break;
        case 4: base64url(a, s); break;
        case 5: percents(a, s); break;
        case 6: utf8(s); break;
        default: escapes(s);
        }
        return 0;
}
