/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * jwt_test.c - access tokens against what tokens are forged with, keys against RFC 7638 and the JOSE cookbook (when the vectors are there). */
#include "test.h"
#include <cjose/cjose.h>
#include "clock.h"
#include "hash.h"
#include "json.h"
#include "jwt.h"
#include "loop.h"
#include "text.h"

static struct jwk *rsa, *ec;
static const when now = { 1800000000000000 };
static const struct claims good = {
        .iss = { "https://souk.test", 17 }, .aud = { "souk", 4 }, .client_id = { "web", 3 }, .jti = { "j1", 2 }, .scope = { "orders:read orders:write", 24 },
        .sub = { { 1, 2, 3, 4, 5, 6, 0x47, 8, 0x89 } }, .sid = { { 9 } }, .roles = ROLE_CUSTOMER | ROLE_ADMIN, .iat = { 1800000000000000 }, .exp = { 1800000900000000 } };

static const struct jwk *find(void *arg, str kid)
{
        (void)arg;
        if (str_eq(kid, jwk_kid(rsa))) return rsa;
        return str_eq(kid, jwk_kid(ec)) ? ec : NULL;
}

static int verify(struct ctx *c, str token, struct claims *m)
{
        return jwt_verify(c, token, find, NULL, STR("https://souk.test"), STR("souk"), now, m);
}

/* A token of any header and payload, signed by cjose itself as its key asks. */
static str forge(struct ctx *c, struct jwk *k, const char *alg, const char *typ, const char *extra, const char *payload)
{
        cjose_err err;
        const char *text;
        str json;
        CHECK_OK(jwk_write(c, k, true, &json));
        cjose_jwk_t *key = cjose_jwk_import(json.p, json.n, &err);
        cjose_header_t *h = cjose_header_new(&err);
        CHECK(cjose_header_set(h, "alg", alg, &err) && cjose_header_set(h, "kid", jwk_kid(k).p, &err));
        if (typ) CHECK(cjose_header_set(h, "typ", typ, &err));
        if (extra) CHECK(cjose_header_set_raw(h, extra, "[\"exp\"]", &err));
        cjose_jws_t *jws = cjose_jws_sign(key, h, (const uint8_t *)payload, strlen(payload), &err);
        CHECK(jws && cjose_jws_export(jws, &text, &err));
        str out = arena_str(c->arena, str_of(text));
        cjose_jws_release(jws);
        cjose_header_release(h);
        cjose_jwk_release(key);
        return out;
}

static void refused(struct ctx *c, str token, const char *why)
{
        struct claims m = { .roles = 77 };
        CHECK_EQ(verify(c, token, &m), -UNAUTHENTICATED);
        CHECK_STR(str_of(c->fault.slug), "invalid_token");
        CHECK_STR(c->fault.message, why);
}

#define CLAIMS(iss, aud, exp, rest) "{\"iss\":\"" iss "\",\"aud\":" aud ",\"exp\":" exp ",\"iat\":1800000000,\"sub\":\"01020304-0506-4708-8900-000000000000\"" rest "}"
#define GOOD CLAIMS("https://souk.test", "\"souk\"", "1800000900", "")

static void both_keys(struct ctx *c, struct jwk *k)
{
        struct claims m;
        str token;
        CHECK_OK(jwt_sign(c, k, &good, &token));
        CHECK(token.n < 1000);
        CHECK_OK(verify(c, token, &m));
        refused(c, arena_printf(c->arena, STR_FMT "==", STR_ARG(token)), "the token has a wrong signature");
        CHECK(uid_eq(m.sub, good.sub) && uid_eq(m.sid, good.sid));
        CHECK_STR(m.scope, "orders:read orders:write");
        CHECK_EQ(m.roles, ROLE_CUSTOMER | ROLE_ADMIN);
        CHECK_EQ(m.exp.us, good.exp.us);
        CHECK_OK(verify(c, forge(c, k, k == rsa ? "RS256" : "ES256", "application/at+jwt", NULL, GOOD), &m));
        CHECK_OK(verify(c, forge(c, k, k == rsa ? "RS256" : "ES256", "at+jwt", NULL, CLAIMS("https://souk.test", "[\"a\",\"souk\"]", "1800000900", "")), &m));
}

static void claims_refused(struct ctx *c)
{
        static const struct { const char *payload, *why; } bad[] = {
                { CLAIMS("https://other.test", "\"souk\"", "1800000900", ""), "the token comes from another issuer" },
                { CLAIMS("https://souk.test", "\"other\"", "1800000900", ""), "the token is for another audience" },
                { CLAIMS("https://souk.test", "[\"other\",1]", "1800000900", ""), "the token is for another audience" },
                { CLAIMS("https://souk.test", "\"souk\"", "1800000000", ""), "the token has expired" },
                { CLAIMS("https://souk.test", "\"souk\"", "\"1800000900\"", ""), "the token has a claim of the wrong kind" },
                { CLAIMS("https://souk.test", "\"souk\"", "1800000900", ",\"nbf\":1800000061"), "the token is not valid yet" },
                { CLAIMS("https://souk.test", "\"souk\"", "1800000900", ",\"roles\":\"admin\""), "the token has a claim of the wrong kind" },
                { CLAIMS("https://souk.test", "\"souk\"", "1800000900", ",\"sid\":\"x\""), "the token has a claim of the wrong kind" },
                { "{\"iss\":\"https://souk.test\",\"aud\":\"souk\"}", "the token lacks sub, exp or iat" },
                { "[1]", "the token is not a signed JSON token" },
                { "{\"iss\":1,\"iss\":2}", "the token is not a signed JSON token" },
        };
        for (size_t i = 0; i < COUNT(bad); i++) refused(c, forge(c, ec, "ES256", "at+jwt", NULL, bad[i].payload), bad[i].why);
}

static void headers_refused(struct ctx *c)
{
        static const char *const never[] = { "crit", "b64", "jwk", "jku", "x5u", "x5c" };
        for (size_t i = 0; i < COUNT(never); i++)
                refused(c, forge(c, rsa, "RS256", "at+jwt", never[i], GOOD), "the token has a header member that is not taken here");
        refused(c, forge(c, rsa, "RS256", "JWT", NULL, GOOD), "the token is no access token (typ at+jwt)");
        refused(c, forge(c, rsa, "RS256", NULL, NULL, GOOD), "the token is no access token (typ at+jwt)");
        refused(c, forge(c, rsa, "RS384", "at+jwt", NULL, GOOD), "the token names another algorithm than its key's");
        refused(c, forge(c, rsa, "PS256", "at+jwt", NULL, GOOD), "the token names another algorithm than its key's");
}

static str with_parts(struct ctx *c, const char *header, str token)
{
        struct buf b AUTO(buf_done) = BUF_INIT(8192);
        str rest = token;
        (void)str_split(&rest, '.');
        base64url_write(&b, str_of(header));
        buf_char(&b, '.');
        buf_add(&b, rest);
        return arena_str(c->arena, buf_str(&b));
}

/* The classic games: no algorithm, the public key as an HMAC secret, a signature of something else, a bit changed. */
static void games_refused(struct ctx *c)
{
        char header[200];
        struct jwk *stranger;
        str token = forge(c, rsa, "RS256", "at+jwt", NULL, GOOD);
        snprintf(header, sizeof header, "{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", jwk_kid(rsa).p);
        refused(c, with_parts(c, header, token), "the token names another algorithm than its key's");
        snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", jwk_kid(rsa).p);
        refused(c, with_parts(c, header, token), "the token names another algorithm than its key's");
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", jwk_kid(ec).p);
        refused(c, with_parts(c, header, token), "the token has a wrong signature");
        refused(c, with_parts(c, "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", token), "the token names no key");
        refused(c, with_parts(c, "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"x\"}", token), "the token was signed with a key that is not known");
        for (size_t at = token.n - 300; at < token.n - 1; at += 37) {
                char *copy = arena_z(c->arena, token);
                copy[at] = copy[at] == 'A' ? 'B' : 'A';
                struct claims m;
                if (verify(c, str_of(copy), &m) == 0) cm_fail_msg("byte %zu does not matter", at);
        }
        CHECK_OK(jwk_make_es256(&stranger));
        refused(c, forge(c, stranger, "ES256", "at+jwt", NULL, GOOD), "the token was signed with a key that is not known");
        jwk_free(&stranger);
}

/* A byte more or fewer, and each of the text's bits (of every step-th character: checking an RSA signature is slow under sanitizers). */
static void spellings_refused(struct ctx *c, struct jwk *k, size_t step)
{
        str token, other;
        struct claims m;
        CHECK_OK(jwt_sign(c, k, &good, &token));
        static const char *const more[] = { "A", "AA", "AAA", "AAAA", "AAAAAAAA", "=", "==", ".", "\n", " " };
        for (size_t i = 0; i < COUNT(more); i++) {
                other = arena_printf(c->arena, STR_FMT "%s", STR_ARG(token), more[i]);
                if (verify(c, other, &m) == 0) cm_fail_msg("taken with %s behind", more[i]);
        }
        for (size_t n = 0; n < token.n; n += step)
                if (verify(c, str_cut(token, 0, n), &m) == 0) cm_fail_msg("%zu bytes of it are taken", n);
        for (size_t n = 1; n < 12; n++)
                if (verify(c, str_cut(token, 0, token.n - n), &m) == 0) cm_fail_msg("%zu bytes fewer are taken", n);
        char *copy = arena_z(c->arena, token);
        struct arena *a = arena_new(1 << 20);
        struct ctx own = { .arena = a };
        for (size_t at = 0; at < token.n; at += step)
                for (int bit = 0; bit < 8; bit++, arena_reset(a)) {
                        copy[at] ^= (char)(1 << bit);
                        if (verify(&own, (str){ copy, token.n }, &m) == 0) cm_fail_msg("bit %d of byte %zu does not matter", bit, at);
                        copy[at] ^= (char)(1 << bit);
                }
        arena_free(a);
}

static void shapes_refused(struct ctx *c)
{
        char *long_one = arena_alloc(c->arena, 5000);
        memset(long_one, 'a', 4097);
        refused(c, STR(""), "the token is not three parts with dots");
        refused(c, STR("a.b"), "the token is not three parts with dots");
        refused(c, STR("a.b.c.d"), "the token is not three parts with dots");
        refused(c, STR("a.b."), "the token is not three parts with dots");
        refused(c, STR("!.b.c"), "the token is not a signed JSON token");
        refused(c, str_of(long_one), "the token is over 4 KiB");
}

/* Whoever is told that a token is wrong logs in anew: for want of memory nobody is. */
static void starved(struct ctx *c, struct jwk *k)
{
        struct claims m;
        str token;
        bool failed = true;
        long n = 0;
        while (failed) {
                arena_reset(c->arena);
                fault_clear(c);
                CHECK_OK(jwt_sign(c, k, &good, &token));
                alloc_fail_after(++n);
                int r = verify(c, token, &m);
                failed = alloc_failed();
                alloc_fail_after(0);
                CHECK_EQ(r, failed ? -RESOURCE_EXHAUSTED : 0);
                if (failed) CHECK_STR(str_of(c->fault.slug), "out_of_memory");
        }
        CHECK(n > 3);
}

static int all_of_it(struct ctx *c, void *arg)
{
        (void)arg;
        CHECK_OK(jwk_make_rs256(&rsa));
        CHECK_OK(jwk_make_es256(&ec));
        both_keys(c, rsa);
        both_keys(c, ec);
        claims_refused(c);
        headers_refused(c);
        games_refused(c);
        spellings_refused(c, rsa, 3);
        spellings_refused(c, ec, 5);
        shapes_refused(c);
        starved(c, ec);
        jwk_free(&rsa);
        jwk_free(&ec);
        return 0;
}

TEST(tokens_are_signed_checked_and_forged_in_vain)
{
        crypto_start();
        CHECK_OK(run_main(all_of_it, NULL));
}

TEST(a_key_survives_its_json_and_keeps_its_private_part_to_itself)
{
        struct ctx c = { .arena = arena_new(1 << 20) };
        struct jwk *k, *back;
        str json;
        CHECK_OK(jwk_make_es256(&k));
        CHECK_OK(jwk_write(&c, k, false, &json));
        CHECK(!json_member(json, "d").p);
        CHECK_STR(json_member(json, "alg"), "\"ES256\"");
        CHECK_OK(jwk_write(&c, k, true, &json));
        CHECK(json_member(json, "d").p != NULL);
        CHECK_OK(jwk_read(&c, json, &back));
        CHECK(str_eq(jwk_kid(k), jwk_kid(back)));
        CHECK_EQ(jwk_kid(k).n, 43);
        jwk_free(&k);
        jwk_free(&back);
        arena_free(c.arena);
}

TEST(keys_of_other_kinds_are_refused)
{
        struct ctx c = { .arena = arena_new(1 << 20) };
        struct jwk *k;
        static const char *const bad[] = {
                "[]", "{}", "{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"k\":\"AAAA\"}", "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
                "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"a\",\"n\":\"AQABAQABAQABAQAB\",\"e\":\"AQAB\"}",
                "{\"kty\":\"EC\",\"alg\":\"ES256\",\"kid\":\"a\",\"crv\":\"P-521\",\"x\":\"AA\",\"y\":\"AA\"}",
                "{\"kty\":\"RSA\",\"use\":\"enc\",\"alg\":\"RS256\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"}" };
        for (size_t i = 0; i < COUNT(bad); i++) {
                fault_clear(&c);
                if (jwk_read(&c, str_of(bad[i]), &k) != -INVALID_ARGUMENT) cm_fail_msg("taken: %s", bad[i]);
        }
        arena_free(c.arena);
}

/* ---- an oracle that tells nothing -------------------------------------------------------------------------------------------- */

/* What stands in a header decides nothing but which key is taken: kids are looked up as they are, whatever they look like. */
static str asked_for;
static const struct jwk *find_and_tell(void *arg, str kid)
{
        (void)arg;
        asked_for = kid;
        return NULL;
}

TEST(a_kid_is_a_name_and_nothing_else)
{
        struct ctx c = { .arena = arena_new(1 << 20) };
        struct claims m;
        static const char *const kids[] = { "../../../../dev/null", "' or 1=1 --", "/etc/passwd\\u0000.pem", "%s%s%n", "http://evil.example/jwks", "|id", "\\ud83d\\udd11",
                                            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
        for (size_t i = 0; i < COUNT(kids); i++) {
                str header = arena_printf(c.arena, "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", kids[i]), want;
                CHECK_OK(json_text(&c, arena_printf(c.arena, "\"%s\"", kids[i]), &want));
                CHECK_EQ(jwt_verify(&c, with_parts(&c, header.p, STR("x.e30.AAAA")), find_and_tell, NULL, STR("a"), STR("b"), now, &m), -UNAUTHENTICATED);
                CHECK(str_eq(asked_for, want));
        }
        static const char *const never[] = { "null", "1", "[]", "{}", "\"\"", "[\"x\"]", "true", "\"\\ud800\"" };
        asked_for = (str){ NULL, 0 };
        for (size_t i = 0; i < COUNT(never); i++) {
                str header = arena_printf(c.arena, "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":%s}", never[i]);
                CHECK_EQ(jwt_verify(&c, with_parts(&c, header.p, STR("x.e30.AAAA")), find_and_tell, NULL, STR("a"), STR("b"), now, &m), -UNAUTHENTICATED);
                CHECK(!asked_for.p);
        }
        arena_free(c.arena);
}

/* ---- the cookbook, RFC 7520 ------------------------------------------------------------------------------------------------- */

static str file(struct ctx *c, const char *name)
{
        char path[500];
        const char *shared = getenv("SOUK_SHARED");
        snprintf(path, sizeof path, "%s/data/jose-cookbook/%s", shared ? shared : SOUK_SOURCE_DIR "/../shared", name);
        FILE *f = fopen(path, "r");
        if (!f) return (str){ NULL, 0 };
        char *text = arena_alloc(c->arena, 65536);
        size_t n = fread(text, 1, 65536, f);
        fclose(f);
        return (str){ text, n };
}

static const struct jwk *bilbo;
static const struct jwk *find_bilbo(void *arg, str kid)
{
        (void)arg;
        return str_eq(kid, STR("bilbo.baggins@hobbiton.example")) ? bilbo : NULL;
}

TEST(the_cookbook_key_reads_and_its_signature_holds)
{
        struct ctx c = { .arena = arena_new(4 << 20) };
        struct jwk *k;
        cjose_err err;
        str vector = file(&c, "jws/4_1.rsa_v15_signature.json"), compact;
        struct claims m;
        if (!vector.p) {
                arena_free(c.arena);
                skip();
        }
        str key = json_member(json_member(vector, "input"), "key");
        key = arena_printf(c.arena, "{\"alg\":\"RS256\"," STR_FMT, STR_ARG(str_cut(key, 1, key.n)));      /* the book says it beside the key */
        CHECK_OK(jwk_read(&c, key, &k));
        CHECK_STR(jwk_kid(k), "bilbo.baggins@hobbiton.example");
        CHECK_OK(json_text(&c, json_member(json_member(vector, "output"), "compact"), &compact));
        cjose_jwk_t *raw = cjose_jwk_import(key.p, key.n, &err);
        cjose_jws_t *jws = cjose_jws_import(compact.p, compact.n, &err);
        CHECK(jws && cjose_jws_verify(jws, raw, &err));
        cjose_jws_release(jws);
        cjose_jwk_release(raw);
        /* a good signature, and still no access token: it has no typ and its payload is prose */
        bilbo = k;
        CHECK_EQ(jwt_verify(&c, compact, find_bilbo, NULL, STR("a"), STR("b"), now, &m), -UNAUTHENTICATED);
        CHECK_STR(c.fault.message, "the token is no access token (typ at+jwt)");
        jwk_free(&k);
        arena_free(c.arena);
}

TEST(cookbook_keys_of_kinds_not_used_here_are_refused)
{
        struct ctx c = { .arena = arena_new(4 << 20) };
        struct jwk *k = NULL;
        static const char *const names[] = { "jwk/3_1.ec_public_key.json", "jwk/3_5.symmetric_key_mac_computation.json" };
        for (size_t i = 0; i < COUNT(names); i++) {
                str key = file(&c, names[i]);
                if (!key.p) {
                        arena_free(c.arena);
                        skip();
                }
                CHECK_EQ(jwk_read(&c, key, &k), -INVALID_ARGUMENT);
                fault_clear(&c);
        }
        arena_free(c.arena);
}

static const struct jwk *find_any(void *arg, str kid)
{
        (void)arg;
        (void)kid;
        return bilbo;
}

/* Whatever the book signs, encrypts and leaves out, with whichever key we are made to check it. */
TEST(no_vector_of_the_cookbook_is_an_access_token)
{
        struct ctx c = { .arena = arena_new(8 << 20) };
        struct jwk *k;
        struct claims m;
        str compact;
        size_t n = 0;
        static const char *const vectors[] = {
                "jws/4_1.rsa_v15_signature.json", "jws/4_2.rsa-pss_signature.json", "jws/4_3.ecdsa_signature.json", "jws/4_4.hmac-sha2_integrity_protection.json",
                "jws/4_5.signature_with_detached_content.json", "jwe/5_1.key_encryption_using_rsa_v15_and_aes-hmac-sha2.json",
                "jwe/5_6.direct_encryption_using_aes-gcm.json", "jwe/5_9.compressed_content.json", "curve25519/jws.json", "rfc7797/hmac-sha2_b64_false.json" };
        str key = file(&c, "jwk/3_3.rsa_public_key.json");
        if (!key.p) {
                arena_free(c.arena);
                skip();
        }
        CHECK_OK(jwk_read(&c, arena_printf(c.arena, "{\"alg\":\"RS256\"," STR_FMT, STR_ARG(str_cut(str_trim(key, " \n\r"), 1, str_trim(key, " \n\r").n))), &k));
        bilbo = k;
        for (size_t i = 0; i < COUNT(vectors); i++) {
                str output = json_member(file(&c, vectors[i]), "output"), raw = json_member(output, "compact");
                if (!raw.p) raw = json_member(output, "compact_detached");
                if (!raw.p || json_text(&c, raw, &compact) < 0) continue;
                CHECK_EQ(jwt_verify(&c, compact, find_any, NULL, STR("a"), STR("b"), now, &m), -UNAUTHENTICATED);
                n++;
        }
        CHECK_EQ(n, COUNT(vectors));
        jwk_free(&k);
        arena_free(c.arena);
}

TEST(keys_of_the_cookbook_read_when_they_are_of_our_kinds)
{
        struct ctx c = { .arena = arena_new(8 << 20) };
        static const struct { const char *name; bool taken; } keys[] = {
                { "jwk/3_1.ec_public_key.json", false }, { "jwk/3_2.ec_private_key.json", false }, { "jwk/3_3.rsa_public_key.json", true },
                { "jwk/3_4.rsa_private_key.json", true }, { "jwk/3_5.symmetric_key_mac_computation.json", false }, { "jwk/3_6.symmetric_key_encryption.json", false } };
        static const char *const algs[] = { "RS256", "ES256", "HS256", "none", "RS384" };
        for (size_t i = 0; i < COUNT(keys); i++) {
                str key = file(&c, keys[i].name);
                if (!key.p) {
                        arena_free(c.arena);
                        skip();
                }
                str members = str_trim(key, " \r\n");
                for (size_t a = 0; a < COUNT(algs); a++) {
                        struct jwk *k = NULL;
                        bool want = keys[i].taken && a == 0;
                        int r = jwk_read(&c, arena_printf(c.arena, "{\"alg\":\"%s\"," STR_FMT, algs[a], STR_ARG(str_cut(members, 1, members.n))), &k);
                        if ((r == 0) != want) cm_fail_msg("%s as %s: %d", keys[i].name, algs[a], r);
                        jwk_free(&k);
                        fault_clear(&c);
                }
        }
        arena_free(c.arena);
}

TEST(keys_are_each_another_until_a_test_asks_for_the_same_again)
{
        struct jwk *keys[5];
        CHECK_OK(jwk_make_rs256(&keys[0]));
        jwk_make_again();
        CHECK_OK(jwk_make_rs256(&keys[1]));
        CHECK_OK(jwk_make_rs256(&keys[2]));
        jwk_make_again();
        CHECK_OK(jwk_make_rs256(&keys[3]));
        CHECK_OK(jwk_make_rs256(&keys[4]));
        CHECK(!str_eq(jwk_kid(keys[0]), jwk_kid(keys[1])) && !str_eq(jwk_kid(keys[1]), jwk_kid(keys[2])));
        CHECK(str_eq(jwk_kid(keys[1]), jwk_kid(keys[3])) && str_eq(jwk_kid(keys[2]), jwk_kid(keys[4])));
        for (size_t i = 0; i < COUNT(keys); i++) jwk_free(&keys[i]);
}

TEST_MAIN
