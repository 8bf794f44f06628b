/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * jwt.c - access tokens signed and checked (RFC 7515, 7517, 7518, 7638, 9068), the cryptography by cjose.
 *
 * A token is held against its header's rules before any key is touched: the header names a key, never what to do with it. Every refusal is
 * `invalid_token`; its message says why, and never repeats the token. */
#include "jwt.h"
#include <cjose/cjose.h>
#include <openssl/bn.h>
#include <pthread.h>
#include <stdlib.h>
#include "hash.h"
#include "json.h"
#include "pool.h"
#include "text.h"

enum { TOKEN_MAX = 4096, LEEWAY_S = 60, KID_MAX = 128, CHECK_BYTES = 16 * 1024, KEPT_MAX = 16 };
enum alg { RS256, ES256 };
static const char *const alg_names[] = { "RS256", "ES256" };

struct jwk { cjose_jwk_t *key; enum alg alg; unsigned refs; size_t signature_bytes; char kid[KID_MAX + 1]; };

const char *const role_names[] = { "customer", "vendor", "staff", "admin", "service", NULL };

/* ---- keys ------------------------------------------------------------------------------------------------------------- */

struct jwk *jwk_ref(struct jwk *k)
{
        k->refs++;
        return k;
}

void jwk_free(struct jwk **kp)
{
        struct jwk *k = *kp;
        *kp = NULL;
        if (!k || --k->refs) return;
        cjose_jwk_release(k->key);
        free(k);
}

str jwk_kid(const struct jwk *k)        { return str_of(k->kid); }

static void free_text(char **text)      { free(*text); }

/* RFC 7638: the required members in the order of their names, without blanks. */
static void thumbprint(const char *json, enum alg alg, char kid[KID_MAX + 1])
{
        static const char *const members[2][4] = { [RS256] = { "e", "kty", "n" }, [ES256] = { "crv", "kty", "x", "y" } };
        struct buf b AUTO(buf_done) = BUF_INIT(8192), name AUTO(buf_done) = BUF_INIT(100);
        for (size_t i = 0; i < 4 && members[alg][i]; i++) {
                buf_printf(&b, "%c\"%s\":", i ? ',' : '{', members[alg][i]);
                buf_add(&b, json_member(str_of(json), members[alg][i]));
        }
        buf_char(&b, '}');
        struct digest d = sha256(buf_str(&b));
        base64url_write(&name, (str){ (const char *)d.b, sizeof d.b });
        memcpy(kid, buf_str(&name).p, name.n);
        kid[name.n] = 0;
}

/* RFC 7518, sections 3.3 and 3.4: as long as the modulus, or two numbers of 32 bytes. */
static size_t signature_bytes(enum alg alg, size_t bits)        { return alg == RS256 ? (bits + 7) / 8 : 64; }

static int jwk_make(cjose_jwk_t *made, enum alg alg, struct jwk **out)
{
        cjose_err err;
        char *json AUTO(free_text) = made ? cjose_jwk_to_json(made, false, &err) : NULL;
        struct jwk *k = json ? calloc(1, sizeof *k) : NULL;
        if (!k) {
                if (made) cjose_jwk_release(made);
                return -INTERNAL;
        }
        *k = (struct jwk){ .key = made, .alg = alg, .refs = 1, .signature_bytes = signature_bytes(alg, cjose_jwk_get_keysize(made, &err)) };
        thumbprint(json, alg, k->kid);
        cjose_jwk_set_kid(made, k->kid, strlen(k->kid), &err);
        *out = k;
        return 0;
}

static int rs256_new(struct jwk **out)
{
        cjose_err err;
        return jwk_make(cjose_jwk_create_RSA_random(2048, (const uint8_t *)"\1\0\1", 3, &err), RS256, out);
}

static struct { pthread_mutex_t lock; bool on; size_t n, next; struct jwk *keys[KEPT_MAX]; } again = { .lock = PTHREAD_MUTEX_INITIALIZER };

void jwk_make_again(void)
{
        pthread_mutex_lock(&again.lock);
        again.on = true;
        again.next = 0;
        pthread_mutex_unlock(&again.lock);
}

int jwk_make_rs256(struct jwk **out)
{
        int r = 0;
        pthread_mutex_lock(&again.lock);
        bool one_of_those = again.on && again.next < KEPT_MAX;
        if (one_of_those) {
                if (again.next == again.n && (r = rs256_new(&again.keys[again.n])) == 0) again.n++;
                if (r == 0) *out = jwk_ref(again.keys[again.next++]);
        }
        pthread_mutex_unlock(&again.lock);
        return one_of_those ? r : rs256_new(out);
}

int jwk_make_es256(struct jwk **out)
{
        cjose_err err;
        return jwk_make(cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err), ES256, out);
}

static int text_member(struct ctx *c, str object, const char *name, str *out)
{
        str raw = json_member(object, name);
        *out = (str){ NULL, 0 };
        return raw.p ? json_text(c, raw, out) : 0;
}

static int bad_key(struct ctx *c, const char *why)      { return fail(c, INVALID_ARGUMENT, "invalid_key", "the key %s", why); }

/* What the JSON says must be one of the two shapes this program signs and checks with. */
static int check_key(struct ctx *c, str json, enum alg *alg, str *kid)
{
        str name, kty, use, crv;
        TRY(json_validate(c, json));
        if (json_kind_of(json) != JSON_OBJECT) return bad_key(c, "is no object");
        TRY(text_member(c, json, "alg", &name));
        TRY(text_member(c, json, "kty", &kty));
        TRY(text_member(c, json, "use", &use));
        TRY(text_member(c, json, "crv", &crv));
        TRY(text_member(c, json, "kid", kid));
        if (!kid->n || kid->n > KID_MAX) return bad_key(c, "has no kid of 1 to 128 bytes");
        if (use.p && !str_eq(use, STR("sig"))) return bad_key(c, "is not for signatures");
        if (str_eq(name, STR("RS256")) && str_eq(kty, STR("RSA"))) *alg = RS256;
        else if (str_eq(name, STR("ES256")) && str_eq(kty, STR("EC")) && str_eq(crv, STR("P-256"))) *alg = ES256;
        else return bad_key(c, "is not RS256 on RSA or ES256 on P-256");
        return 0;
}

/* The numbers a key is made of. The library reads what stands before a '=' and takes it for the whole, so each is read here before it sees one. */
enum { N, E, D, P, Q, DP, DQ, QI, NUMBERS, X = 0, Y };
static const struct number { const char *name; size_t least, most; bool secret, odd; } numbers[2][NUMBERS] = {
        [RS256] = { [N] = { "n", 256, 512, .odd = true }, [E] = { "e", 3, 8, .odd = true }, [D] = { "d", 1, 512, .secret = true },
                    [P] = { "p", 128, 256, .secret = true, .odd = true }, [Q] = { "q", 128, 256, .secret = true, .odd = true },
                    [DP] = { "dp", 1, 256, .secret = true }, [DQ] = { "dq", 1, 256, .secret = true }, [QI] = { "qi", 1, 256, .secret = true } },
        [ES256] = { [X] = { "x", 32, 32 }, [Y] = { "y", 32, 32 }, [D] = { "d", 32, 32, .secret = true } } };

static int bad_number(struct ctx *c, const char *name, const char *why)
{
        return fail(c, INVALID_ARGUMENT, "invalid_key", "the key's member %s %s", name, why);
}

/* RFC 7518, section 2: as few bytes as it takes for RSA, the curve's 32 for EC (section 6.2), and no padding. */
static int number_read(struct ctx *c, str json, enum alg alg, const struct number *m, str *out)
{
        str raw = json_member(json, m->name), text;
        bool whole = json_member(json, "d").p;
        if (!raw.p) return !m->secret || whole ? bad_number(c, m->name, "is missing") : 0;
        if (m->secret && !whole) return bad_number(c, m->name, "is there without d");
        if (json_kind_of(raw) != JSON_STRING) return bad_number(c, m->name, "is no text");
        TRY(json_text(c, raw, &text));
        int r = base64url_read(c->arena, text, out);
        if (r == -RESOURCE_EXHAUSTED) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a key");
        if (r < 0) return bad_number(c, m->name, "is not base64url without padding");
        if (out->n < m->least || out->n > m->most) return bad_number(c, m->name, "is too short or too long");
        if (alg == RS256 && !out->p[0]) return bad_number(c, m->name, "begins with zeros");
        return m->odd && !(out->p[out->n - 1] & 1) ? bad_number(c, m->name, "is even") : 0;
}

static bool is_inverse(const BIGNUM *a, const BIGNUM *b, const BIGNUM *modulus, BN_CTX *scratch)
{
        BIGNUM *product = BN_CTX_get(scratch);
        return product && BN_mod_mul(product, a, b, modulus, scratch) && BN_is_one(product);
}

/* RFC 8017, section 3.2, for one of the primes: its exponent is d modulo one less, and undoes e there. */
static bool prime_agrees(BIGNUM *const v[NUMBERS], int prime, int exponent, BN_CTX *scratch)
{
        BIGNUM *less = BN_CTX_get(scratch), *rest = BN_CTX_get(scratch);
        return rest && BN_sub(less, v[prime], BN_value_one()) && BN_mod(rest, v[D], less, scratch) && BN_cmp(rest, v[exponent]) == 0 &&
               is_inverse(v[E], v[exponent], less, scratch);
}

/* Whether p and q are primes is not looked at: that takes too long for a loop, and such a key only signs what nobody takes. */
static bool private_agrees(const str read[NUMBERS])
{
        BIGNUM *v[NUMBERS], *product;
        bool good = true;
        BN_CTX *scratch = BN_CTX_new();         /* wipes what was in it */
        if (!scratch) return false;
        BN_CTX_start(scratch);
        for (int i = 0; i < NUMBERS; i++) {
                v[i] = BN_CTX_get(scratch);
                good = good && v[i] && BN_bin2bn((const uint8_t *)read[i].p, (int)read[i].n, v[i]);
        }
        product = BN_CTX_get(scratch);
        good = good && product && BN_mul(product, v[P], v[Q], scratch) && BN_cmp(product, v[N]) == 0 && BN_cmp(v[D], v[N]) < 0 && BN_cmp(v[QI], v[P]) < 0 &&
               prime_agrees(v, P, DP, scratch) && prime_agrees(v, Q, DQ, scratch) && is_inverse(v[QI], v[Q], v[P], scratch);
        BN_CTX_end(scratch);
        BN_CTX_free(scratch);
        return good;
}

static int check_numbers(struct ctx *c, str json, enum alg alg)
{
        str read[NUMBERS] = { 0 };
        int r = 0;
        if (json_member(json, "oth").p) return bad_number(c, "oth", "is not taken: more than two primes");
        for (int i = 0; r == 0 && i < NUMBERS; i++)
                if (numbers[alg][i].name) r = number_read(c, json, alg, &numbers[alg][i], &read[i]);
        if (r == 0 && alg == RS256 && !((uint8_t)read[N].p[0] >> 7) && read[N].n == 256) r = bad_key(c, "is under 2048 bits");
        if (r == 0 && alg == RS256 && read[D].p && !private_agrees(read)) r = bad_key(c, "has a private part that does not belong to its public one");
        for (int i = D; i < NUMBERS; i++)
                if (read[i].p) explicit_bzero((char *)read[i].p, read[i].n);
        return r;
}

/* The library makes the point of d when there is one, whatever x and y say, and takes x and y modulo the field's prime. */
static bool reads_back(struct ctx *c, str json, cjose_jwk_t *key, enum alg alg)
{
        cjose_err err;
        str given, kept;
        char *made AUTO(free_text) = cjose_jwk_to_json(key, false, &err);
        for (int i = 0; made && i < D; i++)
                if (text_member(c, json, numbers[alg][i].name, &given) < 0 || text_member(c, str_of(made), numbers[alg][i].name, &kept) < 0 || !str_eq(given, kept)) return false;
        return made;
}

int jwk_read(struct ctx *c, str json, struct jwk **out)
{
        enum alg alg;
        str kid;
        cjose_err err;
        TRY(check_key(c, json, &alg, &kid));
        TRY(check_numbers(c, json, alg));
        cjose_jwk_t *key = cjose_jwk_import(json.p, json.n, &err);
        if (!key) return bad_key(c, "does not read");
        struct jwk *k = reads_back(c, json, key, alg) ? calloc(1, sizeof *k) : NULL;
        if (!k) {
                cjose_jwk_release(key);
                return bad_key(c, "is no point of the curve, or another than its private part makes");
        }
        *k = (struct jwk){ .key = key, .alg = alg, .refs = 1, .signature_bytes = signature_bytes(alg, cjose_jwk_get_keysize(key, &err)) };
        memcpy(k->kid, kid.p, kid.n);
        *out = k;
        return 0;
}

int jwk_write(struct ctx *c, const struct jwk *k, bool with_private, str *out)
{
        cjose_err err;
        char *json AUTO(free_text) = cjose_jwk_to_json(k->key, with_private, &err);
        struct buf b AUTO(buf_done) = BUF_INIT(16384);
        struct jw w = { .b = &b };
        str name, value;
        if (!json) return fail(c, INTERNAL, "invalid_key", "the key cannot be written: %s", err.message);
        jw_object(&w);
        jw_key(&w, "kid");
        jw_z(&w, k->kid);
        jw_key(&w, "use");
        jw_z(&w, "sig");
        jw_key(&w, "alg");
        jw_z(&w, alg_names[k->alg]);
        for (struct json_walk walk = json_open(str_of(json)); json_next_member(c, &walk, &name, &value);) {
                if (str_eq(name, STR("kid"))) continue;
                jw_key_str(&w, name);
                jw_raw(&w, value);
        }
        jw_object_end(&w);
        *out = arena_str(c->arena, buf_str(&b));
        explicit_bzero(json, strlen(json));
        return buf_error(&b) || !out->p ? fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a key") : 0;
}

/* The libraries fail alike for want of memory and for what is wrong, and whoever is told that a token is wrong logs in anew: is there any? */
static bool is_starved(void)
{
        void *volatile some = alloc_should_fail() ? NULL : malloc(CHECK_BYTES);
        free(some);
        return !some;
}

/* ---- signing ------------------------------------------------------------------------------------------------------------ */

struct signing { const struct jwk *key; str payload; char *compact; };

static int sign_on_pool(void *arg)
{
        struct signing *s = arg;
        cjose_err err;
        const char *text = NULL;
        cjose_header_t *h = cjose_header_new(&err);
        cjose_jws_t *jws = NULL;
        bool ready = h && cjose_header_set(h, CJOSE_HDR_ALG, alg_names[s->key->alg], &err) && cjose_header_set(h, CJOSE_HDR_KID, s->key->kid, &err) &&
                     cjose_header_set(h, "typ", "at+jwt", &err);
        if (ready) jws = cjose_jws_sign(s->key->key, h, (const uint8_t *)s->payload.p, s->payload.n, &err);
        if (jws && cjose_jws_export(jws, &text, &err)) s->compact = strdup(text);
        cjose_jws_release(jws);
        if (h) cjose_header_release(h);
        return s->compact ? 0 : is_starved() ? -RESOURCE_EXHAUSTED : -INTERNAL;
}

static void put_text(struct jw *w, const char *name, str s)
{
        if (!s.p) return;
        jw_key(w, name);
        jw_str(w, s);
}

static void put_id(struct jw *w, const char *name, uid id)
{
        char text[37];
        if (uid_is_zero(id)) return;
        uid_format(id, text);
        put_text(w, name, str_of(text));
}

static void claims_write(struct buf *b, const struct claims *m)
{
        struct jw w = { .b = b };
        jw_object(&w);
        put_text(&w, "iss", m->iss);
        put_id(&w, "sub", m->sub);
        put_text(&w, "aud", m->aud);
        jw_key(&w, "exp");
        jw_int(&w, m->exp.us / 1000000);
        jw_key(&w, "iat");
        jw_int(&w, m->iat.us / 1000000);
        put_text(&w, "jti", m->jti);
        put_text(&w, "client_id", m->client_id);
        put_text(&w, "scope", m->scope);
        put_id(&w, "sid", m->sid);
        jw_key(&w, "roles");
        jw_array(&w);
        for (unsigned i = 0; role_names[i]; i++)
                if (m->roles & 1u << i) jw_z(&w, role_names[i]);
        jw_array_end(&w);
        jw_object_end(&w);
}

int jwt_sign(struct ctx *c, const struct jwk *k, const struct claims *claims, str *out)
{
        struct buf b AUTO(buf_done) = BUF_INIT(TOKEN_MAX);
        claims_write(&b, claims);
        if (buf_error(&b)) return fail(c, INVALID_ARGUMENT, "too_large", "the claims are over %d bytes", TOKEN_MAX);
        struct signing s = { .key = k, .payload = buf_str(&b) };
        int r = pool_run(c, sign_on_pool, &s);
        if (r == -INTERNAL) return fail(c, INTERNAL, "signing", "the token could not be signed");
        if (r == -RESOURCE_EXHAUSTED) return fail(c, RESOURCE_EXHAUSTED, "busy", "there is no thread or no memory to sign a token with");
        TRY(r);
        *out = arena_str(c->arena, str_of(s.compact));
        free(s.compact);
        if (!out->p) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a token");
        return out->n <= TOKEN_MAX ? 0 : fail(c, INVALID_ARGUMENT, "too_large", "the token is over %d bytes", TOKEN_MAX);
}

/* ---- checking ------------------------------------------------------------------------------------------------------------ */

static int bad(struct ctx *c, const char *why)
{
        fault_clear(c);
        if (arena_is_exhausted(c->arena) || is_starved()) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "there is no memory to check a token with");
        return fail(c, UNAUTHENTICATED, "invalid_token", "the token %s", why);
}

static int part_read(struct ctx *c, str part, str *out)
{
        if (!part.n || base64url_read(c->arena, part, out) < 0 || json_validate(c, *out) < 0 || json_kind_of(*out) != JSON_OBJECT)
                return bad(c, "is not a signed JSON token");
        return 0;
}

/* RFC 8725: what could make the checker do something else than check with its own key is refused outright. */
static int check_header(struct ctx *c, str header, str *kid, str *alg)
{
        static const char *const never[] = { "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc" };
        str typ;
        for (size_t i = 0; i < COUNT(never); i++)
                if (json_member(header, never[i]).p) return bad(c, "has a header member that is not taken here");
        if (text_member(c, header, "typ", &typ) < 0 || text_member(c, header, "kid", kid) < 0 || text_member(c, header, "alg", alg) < 0)
                return bad(c, "has a header member that is no text");
        if (!str_eq_nocase(typ, STR("at+jwt")) && !str_eq_nocase(typ, STR("application/at+jwt"))) return bad(c, "is no access token (typ at+jwt)");
        return kid->n ? 0 : bad(c, "names no key");
}

/* The library reads padding (=) too, which RFC 7515 section 2 leaves out, and an ES256 signature with a byte more: a token has one spelling. */
static int check_signature(struct ctx *c, str token, str signature, const struct jwk *key)
{
        cjose_err err;
        str raw;
        if (base64url_read(c->arena, signature, &raw) < 0 || raw.n != key->signature_bytes) return bad(c, "has a wrong signature");
        cjose_jws_t *jws = cjose_jws_import(token.p, token.n, &err);
        bool good = jws && cjose_jws_verify(jws, key->key, &err);
        cjose_jws_release(jws);
        return good ? 0 : bad(c, "has a wrong signature");
}

static bool audience_has(struct ctx *c, str aud, str want)
{
        str one, element;
        if (json_kind_of(aud) == JSON_STRING) return json_text(c, aud, &one) == 0 && str_eq(one, want);
        if (json_kind_of(aud) != JSON_ARRAY) return false;
        for (struct json_walk w = json_open(aud); json_next_element(&w, &element);)
                if (json_kind_of(element) == JSON_STRING && json_text(c, element, &one) == 0 && str_eq(one, want)) return true;
        return false;
}

static int read_roles(struct ctx *c, str roles, unsigned *out)
{
        str element, word;
        *out = 0;
        if (!roles.p) return 0;
        if (json_kind_of(roles) != JSON_ARRAY) return -INVALID_ARGUMENT;
        for (struct json_walk w = json_open(roles); json_next_element(&w, &element);) {
                TRY(json_text(c, element, &word));
                for (unsigned i = 0; role_names[i]; i++)
                        if (str_eq(word, str_of(role_names[i]))) *out |= 1u << i;
        }
        return 0;
}

static int read_id(struct ctx *c, str claims, const char *name, uid *out)
{
        str text;
        TRY(text_member(c, claims, name, &text));
        return text.p ? uid_parse(text, out) : 0;
}

static int read_time(str claims, const char *name, when *out)
{
        int64_t s;
        str raw = json_member(claims, name);
        out->us = 0;
        if (!raw.p) return 0;
        if (json_kind_of(raw) != JSON_NUMBER || json_int(raw, &s) < 0 || s <= 0 || s > INT64_MAX / 1000000) return -INVALID_ARGUMENT;
        out->us = s * 1000000;
        return 0;
}

static int claims_read(struct ctx *c, str text, struct claims *m, when *nbf)
{
        *m = (struct claims){ 0 };
        TRY(text_member(c, text, "iss", &m->iss));
        TRY(text_member(c, text, "client_id", &m->client_id));
        TRY(text_member(c, text, "jti", &m->jti));
        TRY(text_member(c, text, "scope", &m->scope));
        TRY(read_id(c, text, "sub", &m->sub));
        TRY(read_id(c, text, "sid", &m->sid));
        TRY(read_time(text, "iat", &m->iat));
        TRY(read_time(text, "exp", &m->exp));
        TRY(read_time(text, "nbf", nbf));
        return read_roles(c, json_member(text, "roles"), &m->roles);
}

static int check_claims(struct ctx *c, str text, str iss, str aud, when now, struct claims *m)
{
        when nbf;
        int64_t soon = now.us + LEEWAY_S * 1000000LL;
        if (claims_read(c, text, m, &nbf) < 0) return bad(c, "has a claim of the wrong kind");
        if (uid_is_zero(m->sub) || !m->exp.us || !m->iat.us) return bad(c, "lacks sub, exp or iat");
        if (!str_eq(m->iss, iss)) return bad(c, "comes from another issuer");
        if (!audience_has(c, json_member(text, "aud"), aud)) return bad(c, "is for another audience");
        if (m->exp.us <= now.us) return bad(c, "has expired");
        if (m->iat.us > soon || nbf.us > soon) return bad(c, "is not valid yet");
        m->aud = aud;
        return 0;
}

int jwt_verify(struct ctx *c, str token, jwk_find find, void *arg, str iss, str aud, when now, struct claims *out)
{
        str header, payload, kid, alg;
        if (token.n > TOKEN_MAX) return bad(c, "is over 4 KiB");
        str signature = token, first = str_split(&signature, '.'), second = str_split(&signature, '.');
        if (!signature.n || str_find(signature, '.') >= 0) return bad(c, "is not three parts with dots");
        TRY(part_read(c, first, &header));
        TRY(check_header(c, header, &kid, &alg));
        const struct jwk *key = find(arg, kid);
        if (!key) return bad(c, "was signed with a key that is not known");
        if (!str_eq(alg, str_of(alg_names[key->alg]))) return bad(c, "names another algorithm than its key's");
        TRY(check_signature(c, token, signature, key));
        TRY(part_read(c, second, &payload));
        return check_claims(c, payload, iss, aud, now, out);
}
