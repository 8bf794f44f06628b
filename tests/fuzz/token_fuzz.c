/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * token_fuzz.c - no bytes are a token unless our key signed them, and of what it signed only an access token with the right claims is taken.
 *
 * The first byte chooses: the bytes are a token; or a header and a payload (behind the first NUL) that are signed here with the
 * example key of RFC 7515 appendix A.3; or a key. What is taken is taken in one spelling only, and says what the payload says. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include "hash.h"
#include "json.h"
#include "jwt.h"
#include "text.h"

enum { R_BYTES = 32, MEMORY = 1 << 20 };
#define PUBLIC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define PRIVATE "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
static const when now = { 1800000000000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
        if (!holds) abort();
}

static struct jwk *key;
static EVP_PKEY *signer;

static const struct jwk *find(void *arg, str kid)
{
        (void)arg;
        return str_eq(kid, jwk_kid(key)) ? key : NULL;
}

static void start(void)
{
        struct ctx c = { .arena = arena_new(MEMORY) };
        uint8_t point[65] = { 4 };
        str x, y, d;
        crypto_start();
        must(jwk_read(&c, STR("{" PUBLIC ",\"alg\":\"ES256\",\"kid\":\"k\"}"), &key) == 0);
        must(json_text(&c, json_member(STR("{" PUBLIC "}"), "x"), &x) == 0 && json_text(&c, json_member(STR("{" PUBLIC "}"), "y"), &y) == 0);
        must(base64url_read(c.arena, x, &x) == 0 && base64url_read(c.arena, y, &y) == 0 && base64url_read(c.arena, STR(PRIVATE), &d) == 0);
        memcpy(point + 1, x.p, 32);
        memcpy(point + 33, y.p, 32);
        for (size_t i = 0; i < 16; i++) {               /* OpenSSL takes numbers in the machine's own order */
                char low = d.p[i];
                ((char *)d.p)[i] = d.p[31 - i];
                ((char *)d.p)[31 - i] = low;
        }
        OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"prime256v1", 0),
                                OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point), OSSL_PARAM_BN(OSSL_PKEY_PARAM_PRIV_KEY, (void *)d.p, 32), OSSL_PARAM_END };
        EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        must(from && EVP_PKEY_fromdata_init(from) == 1 && EVP_PKEY_fromdata(from, &signer, EVP_PKEY_KEYPAIR, params) == 1);
        EVP_PKEY_CTX_free(from);
        arena_free(c.arena);
}

/* header.payload.signature, as RFC 7518 section 3.4 has it. */
static str signed_token(struct arena *a, str header, str payload)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 16);
        uint8_t der[128], raw[2 * R_BYTES] = { 0 };
        size_t n = sizeof der;
        base64url_write(&b, header);
        buf_char(&b, '.');
        base64url_write(&b, payload);
        EVP_MD_CTX *m = EVP_MD_CTX_new();
        must(m && EVP_DigestSignInit(m, NULL, EVP_sha256(), NULL, signer) == 1 && EVP_DigestSign(m, der, &n, (const uint8_t *)buf_str(&b).p, b.n) == 1);
        EVP_MD_CTX_free(m);
        const uint8_t *at = der;
        ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)n);
        must(s && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, R_BYTES) == R_BYTES && BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + R_BYTES, R_BYTES) == R_BYTES);
        ECDSA_SIG_free(s);
        buf_char(&b, '.');
        base64url_write(&b, (str){ (const char *)raw, sizeof raw });
        return arena_str(a, buf_str(&b));
}

static bool verifies(struct ctx *c, str token, struct claims *m)
{
        int r = jwt_verify(c, token, find, NULL, STR("souk"), STR("api"), now, m);
        must(r == 0 || (r == -RESOURCE_EXHAUSTED && arena_is_exhausted(c->arena)) ||
             (r == -UNAUTHENTICATED && str_eq(str_of(c->fault.slug), STR("invalid_token")) && c->fault.message.n));
        fault_clear(c);
        return r == 0;
}

static bool is_text(struct ctx *c, str object, const char *name, const char *want)
{
        str raw = json_member(object, name), text;
        return raw.p && json_text(c, raw, &text) == 0 && str_eq_nocase(text, str_of(want));
}

/* A token that was taken: was it right to? And no other spelling of it is. */
static void must_be_right(struct ctx *c, str header, str payload, str token, const struct claims *m)
{
        static const char *const never[] = { "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc" };
        struct claims other;
        must(json_validate(c, header) == 0 && json_validate(c, payload) == 0);
        for (size_t i = 0; i < COUNT(never); i++) must(!json_member(header, never[i]).p);
        must(is_text(c, header, "alg", "ES256") && is_text(c, header, "kid", "k"));
        must(is_text(c, header, "typ", "at+jwt") || is_text(c, header, "typ", "application/at+jwt"));
        must(is_text(c, payload, "iss", "souk") && json_member(payload, "aud").p && str_eq(m->iss, STR("souk")));
        must(m->exp.us > now.us && m->iat.us > 0 && m->iat.us <= now.us + 60000000 && !uid_is_zero(m->sub));
        must(m->roles < 1u << 5 && (!m->roles || json_member(payload, "roles").p));
        for (size_t i = 0; i < token.n; i++) {
                char *copy = arena_z(c->arena, token);
                if (!copy || i % 7) continue;           /* signatures are not for nothing */
                copy[i] ^= 1;
                must(!verifies(c, (str){ copy, token.n }, &other));
        }
        must(!verifies(c, str_cut(token, 0, token.n - 1), &other));
        must(!verifies(c, arena_printf(c->arena, STR_FMT "=", STR_ARG(token)), &other));
        must(!verifies(c, arena_printf(c->arena, STR_FMT "A", STR_ARG(token)), &other));
}

/* What was read is what is written, number for number; the open half has no secret. */
static void any_key(struct ctx *c, str text)
{
        static const char *const all[] = { "n", "e", "x", "y", "d", "p", "q", "dp", "dq", "qi" };
        struct jwk *k = NULL, *back = NULL;
        str json, given, kept;
        int r = jwk_read(c, text, &k);
        must(r == -INVALID_ARGUMENT || r == -RESOURCE_EXHAUSTED || (r == 0 && jwk_kid(k).n));
        if (r < 0) return;
        must(jwk_write(c, k, true, &json) == 0);
        for (size_t i = 0; i < COUNT(all); i++)
                if (json_member(json, all[i]).p)
                        must(json_text(c, json_member(json, all[i]), &kept) == 0 && json_text(c, json_member(text, all[i]), &given) == 0 && str_eq(given, kept));
        must(jwk_read(c, json, &back) == 0 && str_eq(jwk_kid(k), jwk_kid(back)));
        jwk_free(&back);
        must(jwk_write(c, k, false, &json) == 0 && !json_member(json, "d").p && !json_member(json, "p").p);
        must(jwk_read(c, json, &back) == 0 && str_eq(jwk_kid(k), jwk_kid(back)));
        jwk_free(&k);
        jwk_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct arena *a;
        if (!n) return 0;
        if (!a) {
                a = arena_new(MEMORY);
                start();
        }
        arena_reset(a);
        struct ctx c = { .arena = a };
        struct claims m;
        str text = { (const char *)data + 1, n - 1 };
        if (data[0] % 4 == 0) {
                must(!verifies(&c, text, &m));
        } else if (data[0] % 4 == 1) {
                any_key(&c, text);
        } else {
                str payload = text, header = str_split(&payload, '\0');
                if (!payload.p || text.n > 2500) return 0;
                str token = signed_token(a, header, payload);
                if (verifies(&c, token, &m)) must_be_right(&c, header, payload, token, &m);
        }
        return 0;
}
