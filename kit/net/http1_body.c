/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1_body.c - bodies of HTTP/1.1 messages: by length, chunked, to the end of the connection (RFC 9112 sections 6 and 7).
 *
 * The bytes between pieces go through one table-like machine, a byte at a time, so that every split of the input gives the same
 * body and the same errors. Chunk extensions and trailers are checked and dropped; `line` bounds them over the whole body, so
 * that one byte of body cannot be paid for with a megabyte of extensions.
 *
 *      SIZE -> DIGITS -+-------------------------------> SIZE_LF -+-> DATA -> DATA_CR -> DATA_LF -> SIZE ...
 *                      `-; EXT -> EXT_NAME -> (= value) -^        `-> 0: TRAILER -> NAME -> VALUE -> TRAILER_LF -> TRAILER ...
 *                                                                           `-> END_LF -> done */
#include "http1.h"
#include "http1_chars.h"

enum { OVERHEAD_MAX = 8192, SIZE_DIGITS_MAX = 16 };

enum state { SIZE, DIGITS, EXT, EXT_NAME, EXT_VALUE, EXT_TOKEN, EXT_QUOTED, EXT_ESCAPED, EXT_AFTER, SIZE_LF,
             DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_NAME, TRAILER_VALUE, TRAILER_LF, END_LF };

void http1_body_start(struct http1_body *b, const struct http1_head *head, const struct http1_limits *limits)
{
        *b = (struct http1_body){ .state = SIZE, .chunked = head->chunked, .to_the_end = head->to_the_end, .max = limits->body_max };
        b->left = head->chunked || head->to_the_end ? 0 : head->length;
        b->done = !head->chunked && !head->to_the_end && head->length == 0;
}

static int wrong(const char **why, int status, const char *sentence)
{
        *why = sentence;
        return -status;
}

static int hex_digit(unsigned char ch)
{
        if (ch >= '0' && ch <= '9') return ch - '0';
        ch |= 0x20;
        return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* One byte of a chunk's size or its extensions. */
static int size_byte(struct http1_body *b, unsigned char ch, const char **why)
{
        int digit = hex_digit(ch);
        if (digit >= 0) {
                if (++b->digits > SIZE_DIGITS_MAX) return wrong(why, 400, "a chunk size has too many digits");
                b->left = b->left * 16 + digit;
                if ((uint64_t)b->left > b->max - b->total || b->left > INT64_MAX / 32) return wrong(why, 413, "the body is larger than this server takes");
                b->state = DIGITS;
                return 0;
        }
        if (b->state == SIZE) return wrong(why, 400, "a chunk must begin with its size in hexadecimal digits");
        if (ch == ';') b->state = EXT;
        else if (ch == '\r') b->state = SIZE_LF;
        else return wrong(why, 400, "a chunk size holds something that is not a hexadecimal digit");
        return 0;
}

/* One byte of chunk-ext = *( ";" name [ "=" ( token / quoted-string ) ] ); blanks around ; and = are refused (no sender needs them). */
static int ext_byte(struct http1_body *b, unsigned char ch, const char **why)
{
        const char *bad = "a chunk extension is malformed";
        if (++b->line > OVERHEAD_MAX) return wrong(why, 400, "the chunk extensions are too long");
        switch ((enum state)b->state) {
        case EXT:
                if (!http1_token[ch]) return wrong(why, 400, bad);
                b->state = EXT_NAME;
                return 0;
        case EXT_VALUE:
                if (ch == '"') b->state = EXT_QUOTED;
                else if (http1_token[ch]) b->state = EXT_TOKEN;
                else return wrong(why, 400, bad);
                return 0;
        case EXT_QUOTED:
                if (!http1_is_text(ch)) return wrong(why, 400, bad);
                if (ch == '"') b->state = EXT_AFTER;
                else if (ch == '\\') b->state = EXT_ESCAPED;
                return 0;
        case EXT_ESCAPED:
                if (!http1_is_text(ch)) return wrong(why, 400, bad);
                b->state = EXT_QUOTED;
                return 0;
        default:                                                /* EXT_NAME, EXT_TOKEN, EXT_AFTER */
                if (ch == ';') b->state = EXT;
                else if (ch == '\r') b->state = SIZE_LF;
                else if (ch == '=' && b->state == EXT_NAME) b->state = EXT_VALUE;
                else if (b->state == EXT_AFTER || !http1_token[ch]) return wrong(why, 400, bad);
                return 0;
        }
}

/* One byte of the trailer section, which ends with an empty line. */
static int trailer_byte(struct http1_body *b, unsigned char ch, const char **why)
{
        if (++b->line > OVERHEAD_MAX) return wrong(why, 431, "the trailer fields are too large");
        switch ((enum state)b->state) {
        case TRAILER:
                if (ch == '\r') b->state = END_LF;
                else if (http1_token[ch]) b->state = TRAILER_NAME;
                else return wrong(why, 400, "a trailer field's name is malformed");
                return 0;
        case TRAILER_NAME:
                if (ch == ':') b->state = TRAILER_VALUE;
                else if (!http1_token[ch]) return wrong(why, 400, "a trailer field's name is malformed");
                return 0;
        default:                                                /* TRAILER_VALUE */
                if (ch == '\r') b->state = TRAILER_LF;
                else if (!http1_is_text(ch)) return wrong(why, 400, "a trailer field's value holds a control character");
                return 0;
        }
}

/* One byte that is not data. */
static int frame_byte(struct http1_body *b, unsigned char ch, const char **why)
{
        switch ((enum state)b->state) {
        case SIZE:
        case DIGITS:
                return size_byte(b, ch, why);
        case SIZE_LF:
                if (ch != '\n') return wrong(why, 400, "a chunk size must end with CR LF");
                b->state = b->left ? DATA : TRAILER;
                b->digits = 0;
                return 0;
        case DATA_CR:
                if (ch != '\r') return wrong(why, 400, "a chunk is longer than its size");
                b->state = DATA_LF;
                return 0;
        case DATA_LF:
                if (ch != '\n') return wrong(why, 400, "a chunk must end with CR LF");
                b->state = SIZE;
                return 0;
        case TRAILER_LF:
                if (ch != '\n') return wrong(why, 400, "a trailer line must end with CR LF");
                b->state = TRAILER;
                return 0;
        case END_LF:
                if (ch != '\n') return wrong(why, 400, "the trailer section must end with CR LF");
                b->done = true;
                return 0;
        case TRAILER:
        case TRAILER_NAME:
        case TRAILER_VALUE:
                return trailer_byte(b, ch, why);
        default:
                return ext_byte(b, ch, why);
        }
}

static ptrdiff_t chunked_next(struct http1_body *b, str in, str *piece, const char **why)
{
        size_t i = 0;
        for (; i < in.n && b->state != DATA && !b->done; i++) {
                int r = frame_byte(b, (unsigned char)in.p[i], why);
                if (r < 0) return r;
        }
        if (b->done || i == in.n) return (ptrdiff_t)i;
        *piece = (str){ in.p + i, (size_t)MIN((uint64_t)b->left, in.n - i) };
        b->left -= (int64_t)piece->n;
        b->total += piece->n;
        if (b->left == 0) b->state = DATA_CR;
        return (ptrdiff_t)(i + piece->n);
}

ptrdiff_t http1_body_next(struct http1_body *b, str in, str *piece, const char **why)
{
        *piece = (str){ in.p, 0 };
        if (b->done) return 0;
        if (b->chunked) return chunked_next(b, in, piece, why);
        size_t n = b->to_the_end ? in.n : (size_t)MIN((uint64_t)b->left, in.n);
        if (n && b->total == b->max) return wrong(why, 413, "the body is larger than this server takes");
        n = MIN(n, b->max - b->total);          /* what still fits comes first, so that a split changes nothing */
        piece->n = n;
        b->total += n;
        if (!b->to_the_end) {
                b->left -= (int64_t)n;
                b->done = b->left == 0;
        }
        return (ptrdiff_t)n;
}
