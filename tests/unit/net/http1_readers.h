/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * net/http1_readers.h - servers that can be fooled: where would they say that a request ends?
 *
 * A request is smuggled when two servers see its end at different places. So each of these readers forgives something that real ones have
 * forgiven: bare LF or CR as the end of a line, blanks before a colon, folded lines, the first or the last of two lengths, a length beside
 * a coding, codings that merely contain "chunked", sizes as strtoull() takes them. What our parser takes, all of them must read alike.
 * Deliberately written otherwise than the parser: line by line, with the C library. */
#ifndef HTTP1_READERS_H
#define HTTP1_READERS_H
#include "base.h"
#include <stdio.h>
#include <stdlib.h>

enum { READ_LF = 1, READ_CR = 2, READ_BLANK_COLON = 4, READ_FOLDS = 8, READ_LAST_LENGTH = 16, READ_LENGTH_WINS = 32, READ_CODING_CONTAINS = 64, READERS = 128 };

/* The next line of in at *at, without its end. returns false when it has none yet */
static bool reader_line(int reader, str in, size_t *at, str *line)
{
        for (size_t i = *at; i < in.n; i++) {
                bool crlf = in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n';
                bool lone = (in.p[i] == '\n' && reader & READ_LF) || (in.p[i] == '\r' && reader & READ_CR);
                if (!crlf && !lone) continue;
                *line = (str){ in.p + *at, i - *at };
                *at = i + (crlf ? 2 : 1);
                return true;
        }
        return false;
}

/* A number as the C library sees it: blanks, signs, 0x and what follows it are forgiven. */
static unsigned long long reader_number(str s, int base)
{
        char z[9000];                                   /* a line and more: zeros may stand before it */
        snprintf(z, sizeof z, "%.*s", (int)MIN(s.n, sizeof z - 1), s.p);
        return strtoull(z, NULL, base);
}

static bool reader_contains(str s, const char *word)
{
        str w = str_of(word);
        for (size_t i = 0; i + w.n <= s.n; i++)
                if (str_eq_nocase(str_cut(s, i, i + w.n), w)) return true;
        return false;
}

/* returns where the chunks from `at` end, 0 when they do not */
static size_t reader_chunks(int reader, str in, size_t at)
{
        str line;
        while (reader_line(reader, in, &at, &line)) {
                unsigned long long size = reader_number(line, 16);
                if (size == 0) {
                        while (reader_line(reader, in, &at, &line))
                                if (line.n == 0) return at;
                        return 0;
                }
                if (size > in.n - at) return 0;
                at += (size_t)size;
                if (at < in.n && in.p[at] == '\r') at++;
                if (at < in.n && in.p[at] == '\n') at++;
        }
        return 0;
}

/* returns where the first request of the stream ends, 0 when it does not */
static size_t reader_end(int reader, str in)
{
        size_t at = 0;
        str line;
        bool chunked = false, has_length = false;
        unsigned long long length = 0;
        if (!reader_line(reader, in, &at, &line) || (line.n == 0 && !reader_line(reader, in, &at, &line))) return 0;
        while (reader_line(reader, in, &at, &line)) {
                if (line.n == 0) {
                        if (chunked && !(has_length && reader & READ_LENGTH_WINS)) return reader_chunks(reader, in, at);
                        return length <= in.n - at ? at + (size_t)length : 0;
                }
                bool folded = line.p[0] == ' ' || line.p[0] == '\t';
                if (folded && reader & READ_FOLDS) continue;
                str value = line, name = str_split(&value, ':');
                if (reader & READ_BLANK_COLON) name = str_trim(name, " \t");
                value = str_trim(value, " \t");
                if (str_eq_nocase(name, STR("content-length")) && (!has_length || reader & READ_LAST_LENGTH)) {
                        has_length = true;
                        length = reader_number(value, 10);
                } else if (str_eq_nocase(name, STR("transfer-encoding"))) {
                        chunked |= reader & READ_CODING_CONTAINS ? reader_contains(value, "chunked") : str_eq_nocase(value, STR("chunked"));
                }
        }
        return 0;
}
#endif
