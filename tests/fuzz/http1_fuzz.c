/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1_fuzz.c - any bytes as requests or answers: no split of them may change what the parser sees, it may read no byte too many, and where
 * it says that a request ends, every server that can be fooled (net/http1_readers.h) must end it too.
 *
 * The first byte chooses: requests, answers, answers to HEAD, and small limits; the second where the stream is cut. */
#include <stdio.h>
#include "net/http1_readers.h"
#include "net/http1_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAM_MAX = 4096 };

static void compare(const struct buf *whole, const struct buf *other, const char *how)
{
        if (str_eq(buf_str(whole), buf_str(other))) return;
        fprintf(stderr, "%s gives:\n%.*s\ninstead of:\n%.*s\n", how, STR_ARG(buf_str(other)), STR_ARG(buf_str(whole)));
        abort();
}

/* The bytes up to the end of the first request: what a replay of it alone has eaten when it is whole. */
static void ends_alike(struct replay r, str stream)
{
        while (!r.ended && !r.messages && replay_step(&r, str_cut(stream, r.at, stream.n)))
                ;
        for (int reader = 0; r.messages && reader < READERS; reader++) {
                size_t end = reader_end(reader, stream);
                if (end == r.at) continue;
                fprintf(stderr, "taken to byte %zu, but reader %d goes to %zu\n", r.at, reader, end);
                abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct arena *arena;
        static struct buf whole = BUF_INIT(1 << 22), other = BUF_INIT(1 << 22);
        static const struct http1_limits small = { .line_max = 40, .headers_max_bytes = 80, .headers_max = 3, .body_max = 10 };
        if (size < 2 || size > STREAM_MAX) return 0;
        if (!arena) arena = arena_new(1 << 20);
        const struct replay start = { .answer = data[0] & 1, .method = data[0] & 2 ? HEAD : GET, .limits = data[0] & 4 ? small : http1_defaults, .arena = arena };
        str stream = { (const char *)data + 2, size - 2 };
        size_t cut = stream.n * data[1] / 256;

        buf_clear(&whole);
        struct replay r = start;
        r.out = &whole;
        replay_feed(&r, stream, stream.n);
        replay_end(&r);

        buf_clear(&other);
        r = start;
        r.out = &other;
        replay_feed(&r, stream, cut);
        replay_feed(&r, stream, stream.n);
        replay_end(&r);
        compare(&whole, &other, "a cut");

        buf_clear(&other);
        r = start;
        r.out = &other;
        for (size_t i = 1; i <= stream.n; i++) replay_feed(&r, stream, i);
        replay_end(&r);
        compare(&whole, &other, "a byte at a time");

        buf_clear(&other);
        r = start;
        r.out = &other;
        if (!r.answer) ends_alike(r, stream);
        return 0;
}
