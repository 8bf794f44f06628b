/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * coding.c - Accept-Encoding, gzip (RFC 1952), brotli (RFC 7932).
 *
 * A window larger than the body finds nothing more and costs its making: with zlib's own choice 50 us before the first byte, more than a
 * page of products takes altogether. So the window is just as large as the body, up to 32 KiB and 1 MiB. */
#include "coding.h"
#include <brotli/encode.h>
#include <zlib.h>

enum { GZIP_LEVEL = 6, GZIP_WINDOW_MAX = 15, BR_WINDOW_MAX = 20, SMALL = 16384 };

const char *const coding_names[CODINGS] = { "br", "gzip", "identity" };

/* ---- what is wanted ------------------------------------------------------------------------------------------------ */

static int named(str name)
{
        for (int i = 0; i < CODINGS; i++)
                if (str_eq_nocase(name, str_of(coding_names[i]))) return i;
        return str_eq_nocase(name, STR("x-gzip")) ? (int)CODING_GZIP : -1;      /* RFC 9110 section 8.4.1.3 */
}

static int quality_of(str params)
{
        int q = 1000;
        for (str one; params.p && (one = str_trim(str_split(&params, ';'), " \t"), true);)
                if (one.n > 2 && (one.p[0] | 0x20) == 'q' && one.p[1] == '=') q = qvalue(str_cut(one, 2, one.n));
        return q;
}

struct codings codings_wanted(const struct headers *h)
{
        struct codings w = { .q = { -1, -1, -1 } };
        int star = -1;
        bool said = false;
        for (size_t i = 0; i < h->n; i++) {
                if (!str_eq(h->v[i].name, STR("accept-encoding"))) continue;
                said = true;
                for (str rest = h->v[i].value, part; rest.p && (part = str_split(&rest, ','), true);) {
                        str name = str_trim(str_split(&part, ';'), " \t");
                        int which = named(name), q = quality_of(part);
                        if (which >= 0) w.q[which] = q;
                        else if (str_eq(name, STR("*"))) star = q;
                }
        }
        for (int i = 0; i < CODING_IDENTITY; i++)
                if (w.q[i] < 0) w.q[i] = MAX(star, 0);
        if (w.q[CODING_IDENTITY] < 0) w.q[CODING_IDENTITY] = !said ? 1000 : star == 0 ? 0 : 1;
        return w;
}

enum coding coding_best(const struct codings *w)
{
        int best = CODINGS, q = 0;
        for (int i = 0; i < CODINGS; i++)
                if (w->q[i] > q) best = i, q = w->q[i];
        return (enum coding)best;
}

/* ---- encoding ------------------------------------------------------------------------------------------------------ */

static int window_bits(size_t n, int least, int most)
{
        int bits = least;
        while (bits < most && (1u << bits) < n) bits++;
        return bits;
}

static int gzip(str body, struct buf *out)
{
        int bits = window_bits(body.n, 9, GZIP_WINDOW_MAX), memory = MIN(MAX(bits - 7, 4), 8);
        z_stream z = { 0 };
        if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, bits + 16, memory, Z_DEFAULT_STRATEGY) != Z_OK) return -RESOURCE_EXHAUSTED;
        size_t room = deflateBound(&z, body.n);
        char *at = buf_room(out, room);
        int r = Z_MEM_ERROR;
        if (at) {
                z.next_in = (Bytef *)(uintptr_t)body.p;
                z.avail_in = (uInt)body.n;
                z.next_out = (Bytef *)at;
                z.avail_out = (uInt)room;
                r = deflate(&z, Z_FINISH);
                if (r == Z_STREAM_END) buf_added(out, z.total_out);
        }
        deflateEnd(&z);
        return r == Z_STREAM_END ? 0 : -RESOURCE_EXHAUSTED;
}

static int brotli(str body, struct buf *out)
{
        size_t n = BrotliEncoderMaxCompressedSize(body.n);
        char *at = buf_room(out, n);
        int quality = body.n <= SMALL ? 3 : 5;
        if (!at || !BrotliEncoderCompress(quality, window_bits(body.n + 16, BROTLI_MIN_WINDOW_BITS, BR_WINDOW_MAX), BROTLI_MODE_TEXT, body.n,
                                          (const uint8_t *)body.p, &n, (uint8_t *)at))
                return -RESOURCE_EXHAUSTED;
        buf_added(out, n);
        return 0;
}

int coding_encode(enum coding how, str body, struct buf *out)
{
        assert(how < CODINGS && body.n < 1u << 31);
        if (how == CODING_BR) return brotli(body, out);
        if (how == CODING_GZIP) return gzip(body, out);
        buf_add(out, body);
        return buf_error(out);
}
