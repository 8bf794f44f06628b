/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * hash_test.c - digests and streams against published vectors; boxes; random bytes. */
#include "test.h"
#include <sys/resource.h>
#include "buf.h"
#include "hash.h"
#include "text.h"

static void hex_is(const void *p, size_t n, const char *want)
{
        struct buf b = BUF_INIT(1000);
        hex_write(&b, (str){ p, n });
        CHECK_STR(buf_str(&b), want);
        buf_done(&b);
}

TEST(sha256_is_that_of_fips_180_4)
{
        hex_is(sha256(STR("")).b, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        hex_is(sha256(STR("abc")).b, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        hex_is(sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).b, 32,
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
        hex_is(sha256((str){ NULL, 0 }).b, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(hmac_sha256_is_that_of_rfc_4231)
{
        char key[131];
        memset(key, 0xaa, sizeof key);
        hex_is(hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?")).b, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        hex_is(hmac_sha256((str){ key, 131 }, STR("Test Using Larger Than Block-Size Key - Hash Key First")).b, 32,
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(parts_cannot_run_together)
{
        str ab_c[] = { STR("ab"), STR("c") }, a_bc[] = { STR("a"), STR("bc") }, abc[] = { STR("abc") }, abc_[] = { STR("abc"), STR("") };
        struct digest d[] = { sha256_parts(ab_c, 2), sha256_parts(a_bc, 2), sha256_parts(abc, 1), sha256_parts(abc_, 2), sha256(STR("abc")) };
        for (size_t i = 0; i < COUNT(d); i++)
                for (size_t k = 0; k < i; k++) CHECK(!digest_eq(&d[i], &d[k], sizeof d[i]));
        struct digest plain = sha256(STR("\0\0\0\0\0\0\0\2ab\0\0\0\0\0\0\0\1c"));
        CHECK(digest_eq(&plain, &d[0], sizeof plain));
}

TEST(siphash_1_3_has_the_published_values)
{
        uint8_t key[16], none[16] = { 0 };
        for (int i = 0; i < 16; i++) key[i] = (uint8_t)i;
        CHECK_EQ(siphash13(key, STR("")), 0xabac0158050fc4dcull);
        CHECK_EQ(siphash13(key, STR("\0")), 0xc9f49bf37d57ca93ull);
        CHECK_EQ(siphash13(none, STR("a")), 0x407448d2b89b1813ull);            /* as CPython's with PYTHONHASHSEED=0 */
        CHECK_EQ(siphash13(none, STR("abcdefg")), 0x6db12aae9070f506ull);
        CHECK_EQ(siphash13(none, STR("abcdefgh")), 0x3f7b849c0b8e35eaull);
        CHECK_EQ(siphash13(none, STR("orders:read orders:write")), 0x7a1db5ef4fd09392ull);
}

TEST(the_quick_hash_is_the_same_within_a_process)
{
        crypto_start();
        crypto_start();
        CHECK(hash_quick(STR("a")) == hash_quick(STR("a")) && hash_quick(STR("a")) != hash_quick(STR("b")));
        CHECK(hash_quick((str){ NULL, 0 }) == hash_quick(STR("")));
}

TEST(a_box_opens_with_its_key_only_and_whole)
{
        struct arena *a = arena_new(1 << 20);
        uint8_t key[32], other[32];
        random_bytes(key, 32);
        memcpy(other, key, 32);
        other[31] ^= 1;
        str box, again, out = STR("untouched");
        CHECK_OK(box_seal(a, key, STR("secret"), &box));
        CHECK_OK(box_seal(a, key, STR("secret"), &again));
        CHECK(!str_eq(box, again));                     /* a fresh nonce each time */
        CHECK_EQ(box_open(a, other, box, &out), -INVALID_ARGUMENT);
        for (size_t n = 0; n < box.n; n++) CHECK_EQ(box_open(a, key, (str){ box.p, n }, &out), -INVALID_ARGUMENT);
        for (size_t i = 0; i < box.n; i++) {
                char *bent = arena_z(a, box);
                bent[i] ^= 0x10;
                CHECK_EQ(box_open(a, key, (str){ bent, box.n }, &out), -INVALID_ARGUMENT);
        }
        CHECK_STR(out, "untouched");
        CHECK_OK(box_open(a, key, box, &out));
        CHECK_STR(out, "secret");
        CHECK_OK(box_seal(a, key, (str){ NULL, 0 }, &box));
        CHECK_OK(box_open(a, key, box, &out));
        CHECK_EQ(out.n, 0);
        arena_free(a);
}

TEST(a_box_without_memory_says_so)
{
        struct arena *a = arena_new(60);
        uint8_t key[32] = { 0 };
        str box, out;
        CHECK_EQ(box_seal(a, key, STR("much too long for an arena of sixty"), &box), -RESOURCE_EXHAUSTED);
        CHECK_OK(box_seal(a, key, STR("short"), &box));
        CHECK_EQ(box_open(a, key, (str){ arena_z(a, box), 0 }, &out), -INVALID_ARGUMENT);
        alloc_fail_after(1);
        CHECK_EQ(box_open(a, key, box, &out), -RESOURCE_EXHAUSTED);
        arena_free(a);
}

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1                     /* they map memory as they please */
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

TEST(a_password_is_right_wrong_or_cannot_be_checked_now)
{
        char hash[ARGON2ID_MAX];
        struct rlimit before, none;
        crypto_start();
        CHECK_OK(argon2id_make(STR("correct horse"), hash));
        CHECK_EQ(argon2id_check(STR("correct horse"), hash), 1);
        CHECK_EQ(argon2id_check(STR("wrong horse"), hash), 0);
        CHECK_EQ(argon2id_check(STR("correct horse"), "no hash"), 0);
        if (SANITIZED) skip();
        CHECK_EQ(getrlimit(RLIMIT_AS, &before), 0);
        none = (struct rlimit){ .rlim_cur = 1 << 20, .rlim_max = before.rlim_max };     /* less than there is: no mapping is granted */
        CHECK_EQ(setrlimit(RLIMIT_AS, &none), 0);
        int checked = argon2id_check(STR("correct horse"), hash), made = argon2id_make(STR("correct horse"), hash);
        CHECK_EQ(setrlimit(RLIMIT_AS, &before), 0);
        CHECK_EQ(checked, -RESOURCE_EXHAUSTED);
        CHECK_EQ(made, -RESOURCE_EXHAUSTED);
}

TEST(random_numbers_stay_below_their_bound)
{
        bool seen[7] = { false };
        uint8_t a[32] = { 0 }, b[32] = { 0 };
        for (int i = 0; i < 1000; i++) {
                uint32_t v = random_below(7);
                CHECK(v < 7);
                seen[v] = true;
        }
        for (int i = 0; i < 7; i++) CHECK(seen[i]);
        random_bytes(a, 32);
        random_bytes(b, 32);
        CHECK(memcmp(a, b, 32) != 0);
}

TEST(the_stream_is_xoshiro256_seeded_by_splitmix64)
{
        static const uint64_t want[] = { 11520, 0, 1509978240, 1215971899390074240ull, 1216172134540287360ull, 607988272756665600ull,
                16172922978634559625ull, 8476171486693032832ull, 10595114339597558777ull, 2904607092377533576ull };
        struct rand r = { { 1, 2, 3, 4 } };
        for (size_t i = 0; i < COUNT(want); i++) CHECK(rand_next(&r) == want[i]);
        rand_seed(&r, 1234567);
        CHECK(r.s[0] == 6457827717110365317ull && r.s[1] == 3203168211198807973ull && r.s[2] == 9817491932198370423ull && r.s[3] == 4593380528125082431ull);
}

TEST(the_stream_is_even_below_any_bound)
{
        struct rand r;
        rand_seed(&r, 9);
        int n[3] = { 0 };
        double sum = 0;
        for (int i = 0; i < 30000; i++) n[rand_below(&r, 3)]++;
        for (int i = 0; i < 3; i++) CHECK(n[i] > 9500 && n[i] < 10500);
        for (int i = 0; i < 10000; i++) {
                uint32_t v = rand_below(&r, 0xc0000000);
                double u = rand_unit(&r);
                CHECK(v < 0xc0000000 && u >= 0 && u < 1);
                sum += u;
        }
        CHECK(sum > 4850 && sum < 5150);
        CHECK_EQ(rand_below(&r, 0), 0);
        CHECK_EQ(rand_below(&r, 1), 0);
}

TEST_MAIN
