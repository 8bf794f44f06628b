/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * hash.h - digests, keyed digests, random bytes and sealed boxes, all of libsodium, behind the shapes used here.
 *
 * SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104), XChaCha20-Poly1305 boxes, SipHash for tables. Threads: safe anywhere
 * after crypto_start(). */
#ifndef HASH_H
#define HASH_H
#include "arena.h"
#include "base.h"

struct digest { uint8_t b[32]; };

void   crypto_start(void);                              /* before threads; again does nothing; no entropy: abort()  */
struct digest sha256(str data);
struct digest sha256_parts(const str *parts, size_t n); /* each part preceded by its length, so parts cannot run together */
struct digest hmac_sha256(str key, str data);
bool   digest_eq(const void *a, const void *b, size_t n);        /* constant time                                   */
void   random_bytes(void *out, size_t n);
uint32_t random_below(uint32_t bound);
uint64_t siphash13(const uint8_t key[16], str data);    /* SipHash-1-3 (Aumasson and Bernstein 2012, fewer rounds)  */
uint64_t hash_quick(str data);                          /* siphash13 under this process's key; for tables only      */
/* A box only the holder of the 32-byte key opens; the nonce is inside. *out is in the arena.
 *   returns  -INVALID_ARGUMENT when it was tampered with, -RESOURCE_EXHAUSTED when the arena is full */
int    box_seal(struct arena *a, const uint8_t key[32], str plain, str *out);
int    box_open(struct arena *a, const uint8_t key[32], str box, str *out);

/* Passwords: argon2id (RFC 9106) with 19 MiB and two passes, as OWASP advises; about 18 ms on purpose, so run them on the pool.
 *   argon2id_make   0, or -RESOURCE_EXHAUSTED no 19 MiB now; out is NUL-terminated and names its own costs
 *   argon2id_check  1 when `hash` was made of this password, 0 when not, at once when it is no hash; -RESOURCE_EXHAUSTED no 19 MiB now */
enum { ARGON2ID_MAX = 128 };
int    argon2id_make(str password, char out[ARGON2ID_MAX]) MUST_USE;
int    argon2id_check(str password, const char *hash) MUST_USE;

/* A repeatable stream for seeds and schedules (xoshiro256**, seeded by splitmix64); not for secrets. */
struct rand { uint64_t s[4]; };
void     rand_seed(struct rand *r, uint64_t seed);
uint64_t rand_next(struct rand *r);
uint32_t rand_below(struct rand *r, uint32_t bound);
double   rand_unit(struct rand *r);                     /* 0 <= x < 1 */
#endif
