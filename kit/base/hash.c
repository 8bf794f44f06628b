/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * hash.c - SHA-256 of OpenSSL, boxes and random bytes of libsodium; SipHash-1-3 and xoshiro256** written out.
 *
 * SHA-256 is OpenSSL's because it uses the processor's own instructions where there are some (a fifth of libsodium's time); by its older
 * functions, which need no object from the heap for a digest of some hundred bytes. SipHash is here because libsodium has only the 2-4
 * rounds, which cost twice as much for every lookup of a table. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hash.h"
#include <endian.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool    started;
static uint8_t        table_key[16];            /* written once, before `started` is set */

static void start(void)
{
        if (sodium_init() < 0) {
                fputs("no cryptography: libsodium did not start\n", stderr);
                abort();
        }
        randombytes_buf(table_key, sizeof table_key);
        atomic_store_explicit(&started, true, memory_order_release);
}

void crypto_start(void)
{
        pthread_once(&once, start);
}

/* ---- digests --------------------------------------------------------------------------------------------------- */

struct digest sha256(str data)
{
        struct digest d;
        SHA256((const uint8_t *)data.p, data.n, d.b);
        return d;
}

struct digest sha256_parts(const str *parts, size_t n)
{
        struct digest d;
        SHA256_CTX s;
        SHA256_Init(&s);
        for (size_t i = 0; i < n; i++) {
                uint64_t length = htobe64(parts[i].n);
                SHA256_Update(&s, &length, sizeof length);
                SHA256_Update(&s, parts[i].p, parts[i].n);
        }
        SHA256_Final(d.b, &s);
        return d;
}

struct digest hmac_sha256(str key, str data)
{
        struct digest d;
        crypto_auth_hmacsha256_state s;
        crypto_auth_hmacsha256_init(&s, (const uint8_t *)key.p, key.n);
        crypto_auth_hmacsha256_update(&s, (const uint8_t *)data.p, data.n);
        crypto_auth_hmacsha256_final(&s, d.b);
        return d;
}

bool digest_eq(const void *a, const void *b, size_t n)
{
        return sodium_memcmp(a, b, n) == 0;
}

/* ---- random ------------------------------------------------------------------------------------------------------ */

void random_bytes(void *out, size_t n)
{
        randombytes_buf(out, n);
}

uint32_t random_below(uint32_t bound)
{
        return randombytes_uniform(bound);
}

/* ---- SipHash-1-3 ---------------------------------------------------------------------------------------------------- */

static inline uint64_t rotl(uint64_t x, int n) { return x << n | x >> (64 - n); }

static inline void sip_round(uint64_t v[4])
{
        v[0] += v[1]; v[2] += v[3];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] = rotl(v[0], 32);
        v[2] += v[1]; v[0] += v[3];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] = rotl(v[2], 32);
}

static inline uint64_t word_at(const void *p)
{
        uint64_t w;
        memcpy(&w, p, 8);
        return le64toh(w);
}

uint64_t siphash13(const uint8_t key[16], str data)
{
        uint64_t k0 = word_at(key), k1 = word_at(key + 8), last = (uint64_t)data.n << 56;
        uint64_t v[4] = { k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull, k0 ^ 0x6c7967656e657261ull, k1 ^ 0x7465646279746573ull };
        size_t i = 0;
        for (; i + 8 <= data.n; i += 8) {
                uint64_t m = word_at(data.p + i);
                v[3] ^= m;
                sip_round(v);
                v[0] ^= m;
        }
        for (int shift = 0; i < data.n; i++, shift += 8) last |= (uint64_t)(uint8_t)data.p[i] << shift;
        v[3] ^= last;
        sip_round(v);
        v[0] ^= last;
        v[2] ^= 0xff;
        for (int r = 0; r < 3; r++) sip_round(v);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_quick(str data)
{
        if (UNLIKELY(!atomic_load_explicit(&started, memory_order_acquire))) crypto_start();
        return siphash13(table_key, data);
}

/* ---- boxes ---------------------------------------------------------------------------------------------------------- */

enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES };

int box_seal(struct arena *a, const uint8_t key[32], str plain, str *out)
{
        size_t n;
        uint8_t *box = __builtin_add_overflow(plain.n, NONCE + TAG, &n) ? NULL : arena_alloc(a, n);
        if (!box) return -RESOURCE_EXHAUSTED;
        randombytes_buf(box, NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, NULL, (const uint8_t *)plain.p, plain.n, NULL, 0, NULL, box, key);
        *out = (str){ (const char *)box, n };
        return 0;
}

int box_open(struct arena *a, const uint8_t key[32], str box, str *out)
{
        const uint8_t *nonce = (const uint8_t *)box.p;
        if (box.n < NONCE + TAG) return -INVALID_ARGUMENT;
        size_t n = box.n - NONCE - TAG;
        uint8_t *plain = arena_alloc(a, n + 1);
        if (!plain) return -RESOURCE_EXHAUSTED;
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, nonce + NONCE, box.n - NONCE, NULL, 0, nonce, key) != 0)
                return -INVALID_ARGUMENT;
        *out = (str){ (const char *)plain, n };
        return 0;
}

/* ---- passwords ------------------------------------------------------------------------------------------------------- */

_Static_assert(ARGON2ID_MAX == crypto_pwhash_STRBYTES, "as long as libsodium writes them");
enum { ARGON2ID_PASSES = 2, ARGON2ID_BYTES = 19 * 1024 * 1024 };

int argon2id_make(str password, char out[ARGON2ID_MAX])
{
        return crypto_pwhash_str_alg(out, password.p, password.n, ARGON2ID_PASSES, ARGON2ID_BYTES, crypto_pwhash_ALG_ARGON2ID13) == 0
               ? 0 : -RESOURCE_EXHAUSTED;
}

/* Base64 without padding up to `end`. returns what follows it, NULL unless it is exactly n bytes */
static const char *part_read(const char *z, char end, uint8_t *out, size_t n)
{
        const char *rest = z;
        size_t got = 0;
        if (sodium_base642bin(out, n, z, strlen(z), NULL, &got, &rest, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0) return NULL;
        return got == n && *rest == end ? rest + (end != 0) : NULL;
}

/* Not crypto_pwhash_str_verify(), to which a password is wrong when there is no memory to look at it. */
int argon2id_check(str password, const char *hash)
{
        uint8_t salt[crypto_pwhash_SALTBYTES], want[32], got[32];
        unsigned long long passes = 0;
        size_t kib = 0;
        int at = 0;
        sscanf(hash, "$argon2id$v=19$m=%8zu,t=%4llu,p=1$%n", &kib, &passes, &at);
        if (!at || passes < 1 || kib < crypto_pwhash_MEMLIMIT_MIN / 1024) return 0;
        const char *rest = part_read(hash + at, '$', salt, sizeof salt);
        if (!rest || !part_read(rest, 0, want, sizeof want)) return 0;
        if (crypto_pwhash(got, sizeof got, password.p, password.n, salt, passes, kib * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0) return -RESOURCE_EXHAUSTED;
        return sodium_memcmp(got, want, sizeof got) == 0;
}

/* ---- a repeatable stream ------------------------------------------------------------------------------------------------ */

void rand_seed(struct rand *r, uint64_t seed)
{
        for (size_t i = 0; i < 4; i++) {
                uint64_t z = seed += 0x9e3779b97f4a7c15ull;
                z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
                z = (z ^ z >> 27) * 0x94d049bb133111ebull;
                r->s[i] = z ^ z >> 31;
        }
}

uint64_t rand_next(struct rand *r)
{
        uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotl(s[3], 45);
        return result;
}

/* Unbiased: a product in the short first part of its stretch is drawn again (Lemire 2019). */
uint32_t rand_below(struct rand *r, uint32_t bound)
{
        if (bound == 0) return 0;
        uint64_t product = (rand_next(r) >> 32) * bound;
        if ((uint32_t)product < bound)
                for (uint32_t short_of = -bound % bound; (uint32_t)product < short_of;) product = (rand_next(r) >> 32) * bound;
        return (uint32_t)(product >> 32);
}

double rand_unit(struct rand *r)
{
        return (double)(rand_next(r) >> 11) * 0x1p-53;
}
