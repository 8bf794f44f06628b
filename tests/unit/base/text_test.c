/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * text_test.c - encodings of text, against definitions of their own and libsodium's encoders. */
#include "test.h"
#include <ctype.h>
#include <sodium.h>
#include "hash.h"
#include "text.h"

/* A code point as UTF-8, straight from the table of RFC 3629 section 3. */
static size_t encode(uint32_t c, char *p)
{
        if (c < 0x80) { p[0] = (char)c; return 1; }
        if (c < 0x800) { p[0] = (char)(0xc0 | c >> 6); p[1] = (char)(0x80 | (c & 63)); return 2; }
        if (c < 0x10000) { p[0] = (char)(0xe0 | c >> 12); p[1] = (char)(0x80 | (c >> 6 & 63)); p[2] = (char)(0x80 | (c & 63)); return 3; }
        p[0] = (char)(0xf0 | c >> 18); p[1] = (char)(0x80 | (c >> 12 & 63)); p[2] = (char)(0x80 | (c >> 6 & 63)); p[3] = (char)(0x80 | (c & 63));
        return 4;
}

static bool is_scalar(uint32_t c) { return c < 0x110000 && (c < 0xd800 || c > 0xdfff); }

TEST(every_code_point_is_valid_and_no_surrogate_is)
{
        for (uint32_t c = 0; c < 0x120000; c++) {
                char t[4];
                str s = { t, encode(c, t) };
                if (utf8_is_valid(s) != is_scalar(c)) cm_fail_msg("U+%04X", c);
                if (is_scalar(c) && (utf8_sequence(s) != s.n || utf8_length(s) != 1)) cm_fail_msg("U+%04X", c);
        }
}

/* All sequences of up to three bytes: valid exactly when encoding what they would mean gives them back. */
TEST(every_short_sequence_is_judged_as_its_own_encoding)
{
        static uint8_t known[1 << 24 >> 3];
        memset(known, 0, sizeof known);
        for (uint32_t c = 0x800; c < 0x10000; c++) {
                char t[4];
                encode(c, t);
                uint32_t i = (uint32_t)(uint8_t)t[0] << 16 | (uint32_t)(uint8_t)t[1] << 8 | (uint8_t)t[2];
                if (is_scalar(c)) known[i >> 3] |= (uint8_t)(1 << (i & 7));
        }
        for (uint32_t i = 0; i < 1 << 24; i++) {
                char t[3] = { (char)(i >> 16), (char)(i >> 8), (char)i };
                if ((uint8_t)t[0] < 0xe0) continue;     /* shorter ones stand in other tests */
                bool want = known[i >> 3] >> (i & 7) & 1;
                if (utf8_is_valid((str){ t, 3 }) != want) cm_fail_msg("%06x", i);
        }
        for (int a = 0x80; a < 0x100; a++) {
                for (int b = 0; b < 0x100; b++) {
                        bool want = a >= 0xc2 && a < 0xe0 && b >= 0x80 && b < 0xc0;
                        CHECK_EQ(utf8_is_valid((str){ (char[]){ (char)a, (char)b }, 2 }), want);
                }
                CHECK(!utf8_is_valid((str){ (char[]){ (char)a }, 1 }));
        }
}

TEST(a_wrong_byte_is_found_wherever_it_stands_in_a_long_text)
{
        for (size_t n = 1; n < 70; n++) {
                char *t = malloc(n);                    /* exactly, so that the sanitizer sees a read past the end */
                for (size_t at = 0; at < n; at++) {
                        memset(t, 'a', n);
                        CHECK(utf8_is_valid((str){ t, n }));
                        t[at] = (char)0xff;
                        CHECK(!utf8_is_valid((str){ t, n }));
                        t[at] = (char)0xe2;             /* the beginning of one that has no end */
                        CHECK(!utf8_is_valid((str){ t, n }));
                        if (at + 3 <= n) {
                                memcpy(t + at, "\xe2\x82\xac", 3);
                                CHECK(utf8_is_valid((str){ t, n }));
                                CHECK_EQ(utf8_length((str){ t, n }), n - 2);
                        }
                }
                free(t);
        }
        CHECK(utf8_is_valid((str){ NULL, 0 }) && utf8_is_valid(STR("a\0b")));
        CHECK_EQ(utf8_sequence((str){ NULL, 0 }), 0);
}

TEST(random_bytes_as_base64url_agree_with_libsodium_and_come_back)
{
        struct buf b = BUF_INIT(10000);
        struct rand r;
        rand_seed(&r, 7);
        for (int i = 0; i < 3000; i++) {
                uint8_t raw[100];
                char want[200];
                size_t n = i < 300 ? (size_t)i % 100 : rand_below(&r, 100);
                for (size_t k = 0; k < n; k++) raw[k] = (uint8_t)rand_next(&r);
                sodium_bin2base64(want, sizeof want, raw, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
                buf_clear(&b);
                base64url_write(&b, (str){ (const char *)raw, n });
                CHECK_STR(buf_str(&b), want);
                struct arena *a = arena_new(1000);
                str out;
                CHECK_OK(base64url_read(a, buf_str(&b), &out));
                CHECK_EQ(out.n, n);
                CHECK(memcmp(out.p, raw, n) == 0);
                arena_free(a);
        }
        buf_done(&b);
}

static int base64url(str text)
{
        struct arena *a = arena_new(1000);
        str out = STR("untouched");
        int r = base64url_read(a, text, &out);
        if (r < 0) CHECK_STR(out, "untouched");
        arena_free(a);
        return r;
}

TEST(base64url_refuses_padding_other_alphabets_and_stray_bits)
{
        CHECK_EQ(base64url(STR("")), 0);
        CHECK_EQ(base64url(STR("Zg")), 0);
        static const char *const wrong[] = { "Z", "Zg==", "Zg=", "Zh", "Zm9=", "Zm8=", "Zm9", "Zm9vY", "+A", "/A", "Z g", "Zg\n", "Zm9v*A", "A", "\xc3\xa4" };
        for (size_t i = 0; i < COUNT(wrong); i++)
                if (base64url(str_of(wrong[i])) != -INVALID_ARGUMENT) cm_fail_msg("%s", wrong[i]);
        for (int ch = 0; ch < 256; ch++)
                CHECK_EQ(base64url((str){ (char[]){ 'A', 'A', (char)ch, 'A' }, 4 }) == 0, (ch < 128 && isalnum(ch)) || ch == '-' || ch == '_');
}

TEST(two_texts_never_mean_one_value_in_base64url)
{
        for (int i = 0; i < 65536; i++) {               /* every text of two characters that is read is what would be written */
                char t[2] = { (char)(i >> 8), (char)i };
                struct arena *a = arena_new(1000);
                struct buf b = BUF_INIT(100);
                str out;
                if (base64url_read(a, (str){ t, 2 }, &out) == 0) {
                        base64url_write(&b, out);
                        CHECK(str_eq(buf_str(&b), (str){ t, 2 }));
                }
                buf_done(&b);
                arena_free(a);
        }
}

TEST(hex_comes_back_and_anything_else_is_refused)
{
        struct buf b = BUF_INIT(1000);
        uint8_t raw[256], back[256] = { 0 };
        for (int i = 0; i < 256; i++) raw[i] = (uint8_t)i;
        hex_write(&b, (str){ (const char *)raw, 256 });
        char want[513];
        sodium_bin2hex(want, sizeof want, raw, 256);
        CHECK_STR(buf_str(&b), want);
        CHECK_OK(hex_read(buf_str(&b), back, 256));
        CHECK(memcmp(raw, back, 256) == 0);
        buf_done(&b);
        uint8_t two[2] = { 7, 7 };
        static const char *const wrong[] = { "", "a", "abc", "abcde", "abcdef", "AB12", "ab1g", "g1ab", " ab1", "0x12" };
        for (size_t i = 0; i < COUNT(wrong); i++) CHECK_EQ(hex_read(str_of(wrong[i]), two, 2), -INVALID_ARGUMENT);
        CHECK(two[0] == 7 && two[1] == 7);
        CHECK_OK(hex_read((str){ NULL, 0 }, two, 0));
}

static void percent(const char *z, bool plus, const char *want)
{
        struct arena *a = arena_new(1000);
        str out = STR("untouched");
        int r = percent_read(a, str_of(z), plus, &out);
        if (want ? r != 0 : r != -INVALID_ARGUMENT) cm_fail_msg("\"%s\": %d", z, r);
        CHECK_STR(out, want ? want : "untouched");
        arena_free(a);
}

TEST(percent_escapes_are_read_strictly)
{
        percent("", false, "");
        percent("a%20b", false, "a b");
        percent("a+b", false, "a+b");
        percent("a+b%2B", true, "a b+");
        percent("%e2%82%AC", false, "\xe2\x82\xac");
        percent("100%25", false, "100%");
        static const char *const wrong[] = { "%", "%2", "a%", "a%4", "%zz", "%4z", "%z4", "%%41", "%00", "a%00b", "%ff", "%c3", "%ed%a0%80", "\xff", "%-1", "% 1" };
        for (size_t i = 0; i < COUNT(wrong); i++) percent(wrong[i], true, NULL);
        struct arena *a = arena_new(1000);
        str out;
        CHECK_EQ(percent_read(a, STR("a\0b"), false, &out), -INVALID_ARGUMENT);
        arena_free(a);
}

TEST(text_in_percent_escapes_comes_back_and_only_unreserved_stand_for_themselves)
{
        struct buf b = BUF_INIT(10000);
        struct rand r;
        rand_seed(&r, 8);
        for (int i = 0; i < 3000; i++) {
                char raw[80];
                size_t n = 0;
                while (n < 60) {
                        uint32_t c = 1 + rand_below(&r, i % 2 ? 127 : 0x10fffe);
                        if (is_scalar(c)) n += encode(c, raw + n);
                }
                buf_clear(&b);
                percent_write(&b, (str){ raw, n });
                str text = buf_str(&b), out;
                for (size_t k = 0; k < text.n; k++) CHECK(isalnum((unsigned char)text.p[k]) || strchr("-._~%", text.p[k]));
                struct arena *a = arena_new(1000);
                CHECK_OK(percent_read(a, text, i % 3 == 0, &out));
                CHECK(str_eq(out, (str){ raw, n }));
                arena_free(a);
        }
        buf_clear(&b);
        percent_write(&b, STR("A-z.0_9~ /?&\xc3\xa4"));
        CHECK_STR(buf_str(&b), "A-z.0_9~%20%2F%3F%26%C3%A4");
        buf_done(&b);
}

TEST(html_escapes_what_could_end_text_or_an_attribute)
{
        struct buf b = BUF_INIT(1000);
        html_write(&b, STR("<a href=\"x\" b='y'>&</a> plain"));
        CHECK_STR(buf_str(&b), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;&lt;/a&gt; plain");
        buf_clear(&b);
        html_write(&b, (str){ NULL, 0 });
        CHECK_EQ(buf_str(&b).n, 0);
        buf_done(&b);
}

TEST(readers_without_memory_say_so)
{
        struct arena *a = arena_new(4);
        str out = STR("untouched");
        CHECK_EQ(base64url_read(a, STR("AAAAAAAA"), &out), -RESOURCE_EXHAUSTED);
        CHECK_EQ(percent_read(a, STR("abcdefg"), false, &out), -RESOURCE_EXHAUSTED);
        CHECK_STR(out, "untouched");
        arena_free(a);
}

TEST(writers_without_room_leave_the_buf_as_it_was)
{
        static void (*const writers[])(struct buf *, str) = { base64url_write, hex_write };
        for (size_t i = 0; i < COUNT(writers); i++) {
                struct buf b = BUF_INIT(10);
                buf_lit(&b, "kept");
                writers[i](&b, STR("too long for it"));
                CHECK_EQ(buf_error(&b), -RESOURCE_EXHAUSTED);
                CHECK_STR(buf_str(&b), "kept");
                buf_done(&b);
        }
}

TEST_MAIN
