/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * coding_test.c - Accept-Encoding read as RFC 9110 says, and bodies that come back from gzip as they went in. */
#include "test.h"
#include <zlib.h>
#include "buf.h"
#include "coding.h"
#include "hash.h"

static const char *best(const char *accept)
{
        struct header one = { STR("accept-encoding"), str_of(accept) };
        struct headers h = { .v = &one, .n = accept ? 1 : 0 };
        struct codings w = codings_wanted(&h);
        enum coding c = coding_best(&w);
        return c == CODINGS ? "none" : coding_names[c];
}

TEST(the_coding_with_the_highest_quality_is_taken)
{
        static const struct { const char *accept, *want; } rows[] = {
                { NULL, "identity" }, { "", "identity" }, { "identity", "identity" }, { "gzip", "gzip" }, { "br", "br" }, { "x-gzip", "gzip" }, { "GZip", "gzip" },
                { "gzip, br", "br" }, { "gzip, deflate, br, zstd", "br" }, { "br;q=0.5, gzip", "gzip" }, { "br;q=0.5,gzip;q=0.501", "gzip" },
                { "gzip;q=0", "identity" }, { "gzip;q=0.001", "gzip" }, { "gzip;q=0.5, identity", "identity" }, { "identity;q=0.5, gzip;q=0.4", "identity" },
                { "*", "br" }, { "*;q=0.1, gzip", "gzip" }, { "br;q=0, *", "gzip" }, { "gzip;q=0, br;q=0, *", "identity" }, { "deflate", "identity" },
                { "identity;q=0", "none" }, { "*;q=0", "none" }, { "identity;q=0, deflate", "none" }, { "*;q=0, gzip", "gzip" }, { "*;q=0, identity;q=0.2", "identity" },
                { "identity;q=0, gzip;q=0.1", "gzip" }, { " gzip ;q=1.000 , ", "gzip" }, { "gzip;Q=0", "identity" }, { "gzip;q=abc", "gzip" }, { ";q=1,,", "identity" },
        };
        for (size_t i = 0; i < COUNT(rows); i++)
                if (strcmp(best(rows[i].accept), rows[i].want) != 0) cm_fail_msg("%s: %s, want %s", rows[i].accept, best(rows[i].accept), rows[i].want);
}

TEST(several_fields_are_one_list)
{
        struct header two[] = { { STR("accept-encoding"), STR("br;q=0") }, { STR("accept-encoding"), STR("gzip") } };
        struct codings w = codings_wanted(&(struct headers){ .v = two, .n = 2 });
        CHECK_EQ(coding_best(&w), CODING_GZIP);
}

static void gunzips_to(const struct buf *b, str want)
{
        z_stream z = { .next_in = (Bytef *)(uintptr_t)buf_str(b).p, .avail_in = (uInt)b->n };
        uint8_t *back = malloc(want.n + 1);
        z.next_out = back;
        z.avail_out = (uInt)want.n + 1;
        CHECK_EQ(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
        CHECK_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
        CHECK_EQ(z.total_out, want.n);
        CHECK(!memcmp(back, want.p, want.n));
        inflateEnd(&z);
        free(back);
}

TEST(bodies_of_any_size_come_back_and_the_same_body_gives_the_same_bytes)
{
        static char text[300000];
        struct rand r;
        rand_seed(&r, 7);
        for (size_t i = 0; i < sizeof text; i++) text[i] = "{\"price\": 0123456789abc}, "[rand_below(&r, 26)];
        static const size_t sizes[] = { 1, 2, 255, 256, 257, 511, 512, 513, 1023, 1024, 4096, 16383, 16384, 16385, 32767, 32768, 32769, 65536, 300000 };
        for (size_t i = 0; i < COUNT(sizes); i++) {
                str body = { text, sizes[i] };
                for (int how = CODING_BR; how <= CODING_GZIP; how++) {
                        struct buf once = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
                        CHECK_OK(coding_encode((enum coding)how, body, &once));
                        CHECK_OK(coding_encode((enum coding)how, body, &again));
                        CHECK(str_eq(buf_str(&once), buf_str(&again)));
                        if (sizes[i] >= 1024) CHECK(once.n < sizes[i]);
                        if (how == CODING_GZIP) gunzips_to(&once, body);
                        buf_done(&once);
                        buf_done(&again);
                }
        }
}

TEST(a_body_that_does_not_fit_is_refused)
{
        char noise[5000];
        struct rand r;
        rand_seed(&r, 7);
        for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)rand_next(&r);
        for (int how = CODING_BR; how <= CODING_GZIP; how++) {
                struct buf b = BUF_INIT(1000);
                CHECK_EQ(coding_encode((enum coding)how, (str){ noise, sizeof noise }, &b), -RESOURCE_EXHAUSTED);
                buf_done(&b);
        }
}

TEST_MAIN
