/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * buf_test.c - bytes that grow at the end and are eaten at the front; the sticky error. */
#include "test.h"
#include "arena.h"
#include "buf.h"
#include "hash.h"

TEST(appends_of_every_kind_stand_in_order)
{
        struct buf b = BUF_INIT(1000);
        uid id = { { 0x01, 0x9e, 0xab, 0xcd, 0xef, 0x00, 0x7a, 0xff, 0x80, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde } };
        buf_add(&b, STR("a"));
        buf_lit(&b, "b");
        buf_char(&b, 'c');
        buf_int(&b, -1234567890123);
        buf_char(&b, ' ');
        buf_int(&b, INT64_MIN);
        buf_char(&b, ' ');
        buf_uid(&b, id);
        buf_printf(&b, " %d%%", 7);
        buf_add(&b, (str){ NULL, 0 });
        buf_lit(&b, NULL);
        CHECK_EQ(buf_error(&b), 0);
        CHECK_STR(buf_str(&b), "abc-1234567890123 -9223372036854775808 019eabcd-ef00-7aff-8012-3456789abcde 7%");
        buf_done(&b);
}

TEST(integers_agree_with_printf)
{
        struct buf b = BUF_INIT(1000);
        struct rand r;
        rand_seed(&r, 4);
        for (int i = 0; i < 20000; i++) {
                int64_t v = (int64_t)(rand_next(&r) >> rand_below(&r, 64));
                char want[32];
                if (i % 2) v = (int64_t)(0 - (uint64_t)v);
                snprintf(want, sizeof want, "%lld", (long long)v);
                buf_clear(&b);
                buf_int(&b, v);
                CHECK_STR(buf_str(&b), want);
        }
        buf_done(&b);
}

TEST(numbers_on_the_wire_are_big_endian)
{
        struct buf b = BUF_INIT(1000);
        buf_u32(&b, 0x01020304);
        buf_u64(&b, 0x05060708090a0b0cull);
        CHECK_STR(buf_str(&b), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c");
        buf_done(&b);
}

TEST(an_empty_buf_owns_nothing_and_reads_as_empty)
{
        struct buf b = BUF_INIT(10);
        CHECK(b.p == NULL && buf_str(&b).p != NULL && buf_str(&b).n == 0);
        buf_eat(&b, 0);
        buf_trim(&b, 0);
        buf_clear(&b);
        buf_done(&b);
}

TEST(the_maximum_holds_to_the_byte_and_the_error_sticks)
{
        struct buf b = BUF_INIT(5);
        buf_lit(&b, "12345");
        CHECK_EQ(buf_error(&b), 0);
        buf_add(&b, STR(""));
        CHECK_EQ(buf_error(&b), 0);
        buf_char(&b, '6');
        CHECK_EQ(buf_error(&b), -RESOURCE_EXHAUSTED);
        CHECK_STR(buf_str(&b), "12345");
        buf_eat(&b, 5);
        buf_char(&b, '6');                              /* there is room now, but the error stands */
        CHECK(buf_room(&b, 0) == NULL && buf_room(&b, 1) == NULL);
        CHECK_EQ(buf_str(&b).n, 0);
        buf_clear(&b);
        buf_lit(&b, "6");
        CHECK_EQ(buf_error(&b), 0);
        CHECK_STR(buf_str(&b), "6");
        buf_printf(&b, "%300d", 1);
        CHECK_EQ(buf_error(&b), -RESOURCE_EXHAUSTED);
        buf_done(&b);
        CHECK_EQ(buf_error(&b), 0);
        buf_lit(&b, "123456");
        CHECK_EQ(buf_error(&b), -RESOURCE_EXHAUSTED);
        buf_done(&b);
}

TEST(a_huge_wish_is_refused)
{
        struct buf b = BUF_INIT(SIZE_MAX);
        buf_lit(&b, "x");
        CHECK(buf_room(&b, SIZE_MAX) == NULL);
        CHECK_EQ(buf_error(&b), -RESOURCE_EXHAUSTED);
        buf_done(&b);
}

TEST(room_is_filled_by_the_caller)
{
        struct buf b = BUF_INIT(100000);
        buf_lit(&b, "head ");
        char *p = buf_room(&b, 5000);
        memset(p, 'x', 5000);
        memcpy(p, "tail", 4);
        buf_added(&b, 4);
        CHECK_STR(buf_str(&b), "head tail");
        buf_done(&b);
}

TEST(formatted_text_works_at_every_length)
{
        struct buf b = BUF_INIT(5000);
        char want[602];
        for (int n = 0; n < 600; n++) {
                buf_clear(&b);
                buf_printf(&b, "%*s|", n, "");
                memset(want, ' ', (size_t)n);
                strcpy(want + n, "|");
                CHECK_STR(buf_str(&b), want);
        }
        buf_done(&b);
}

/* A model: the live bytes are always the running numbers that were added and not yet eaten. */
TEST(adding_and_eating_at_random_loses_no_byte)
{
        struct buf b = BUF_INIT(10000);
        struct rand r;
        size_t added = 0, eaten = 0;
        rand_seed(&r, 5);
        for (int i = 0; i < 20000; i++) {
                size_t n = rand_below(&r, i % 100 < 50 ? 400 : 20);
                if (rand_below(&r, 2)) {
                        char bytes_[400];
                        bool fits = added - eaten + n <= 10000;
                        for (size_t k = 0; k < n; k++) bytes_[k] = (char)((added + k) * 31);
                        buf_add(&b, (str){ bytes_, n });
                        CHECK_EQ(buf_error(&b) == 0, fits);
                        if (fits) added += n;
                        else b.failed = false;
                } else {
                        n = MIN(n, added - eaten);
                        buf_eat(&b, n);
                        eaten += n;
                }
                if (i % 500 == 0) buf_trim(&b, rand_below(&r, 300));
                str live = buf_str(&b);
                CHECK_EQ(live.n, added - eaten);
                CHECK(b.cap <= 20000);
                for (size_t k = 0; k < live.n; k += 1 + live.n / 16) CHECK(live.p[k] == (char)((eaten + k) * 31));
        }
        buf_done(&b);
}

TEST(a_nearly_full_buf_moves_few_bytes_when_it_is_fed_and_eaten_bit_by_bit)
{
        struct buf b = BUF_INIT(1 << 20);
        memset(buf_room(&b, (1 << 20) - 10), 'x', (1 << 20) - 10);
        buf_added(&b, (1 << 20) - 10);
        size_t moves = 0;
        for (int i = 0; i < 1000000; i++) {
                size_t start = b.start;
                const char *p = b.p;
                buf_eat(&b, 1);
                buf_char(&b, 'y');
                moves += b.start < start || b.p != p;
        }
        CHECK_EQ(buf_error(&b), 0);
        CHECK(moves <= 4);
        buf_done(&b);
}

TEST(trimming_gives_memory_back_and_keeps_the_bytes)
{
        struct buf b = BUF_INIT(1 << 20);
        memset(buf_room(&b, 100000), 'x', 100000);
        buf_added(&b, 100000);
        buf_eat(&b, 99990);
        buf_trim(&b, 64);
        CHECK_EQ(b.cap, 64);
        CHECK_STR(buf_str(&b), "xxxxxxxxxx");
        buf_trim(&b, 4);
        CHECK_EQ(b.cap, 10);
        CHECK_STR(buf_str(&b), "xxxxxxxxxx");
        buf_eat(&b, 10);
        buf_trim(&b, 0);
        CHECK(b.p == NULL && b.cap == 0);
        buf_lit(&b, "again");
        CHECK_STR(buf_str(&b), "again");
        buf_done(&b);
}

TEST(memory_that_runs_out_leaves_the_buf_unchanged)
{
        struct buf b = BUF_INIT(100000);
        alloc_fail_after(1);
        buf_lit(&b, "x");
        CHECK_EQ(buf_error(&b), -RESOURCE_EXHAUSTED);
        CHECK(buf_is_starved(&b));
        buf_clear(&b);
        CHECK(!buf_is_starved(&b));
        buf_lit(&b, "kept");
        CHECK(buf_room(&b, 100000) == NULL && buf_error(&b) == -RESOURCE_EXHAUSTED && !buf_is_starved(&b));     /* more than it may hold */
        buf_clear(&b);
        buf_lit(&b, "kept");
        alloc_fail_after(1);
        CHECK(buf_room(&b, 1000) == NULL);
        CHECK_EQ(buf_error(&b), -RESOURCE_EXHAUSTED);
        CHECK_STR(buf_str(&b), "kept");
        buf_clear(&b);
        alloc_fail_after(1);
        buf_printf(&b, "%300d", 1);
        CHECK_EQ(buf_error(&b), -RESOURCE_EXHAUSTED);
        CHECK(buf_is_starved(&b));
        struct buf whole = BUF_INIT(10);
        buf_heed(&whole, &b);                           /* what it was made of did not come whole, and why */
        CHECK(buf_error(&whole) == -RESOURCE_EXHAUSTED && buf_is_starved(&whole));
        CHECK_EQ(buf_str(&b).n, 0);
        alloc_fail_after(0);
        buf_done(&b);
}

TEST_MAIN
