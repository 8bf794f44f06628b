/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * keys.c - making, sealing, rotating and publishing signing keys. Nobody is logged out by a rotation: the old key stays in the JWKS
 * twelve times as long as its last token lives. */
#include "keys.h"
#include "app.h"
#include "identity_sql.h"

struct key_row { str kid; when created_at; str public_jwk; bytes sealed_jwk; when retired_at; };
DECLARE_LIST(key_row);

MESSAGE(key_row, "a row of signing_key",
        F(key_row, 1, kid),
        F(key_row, 2, created_at),
        F(key_row, 3, public_jwk, .max = 10000),
        F(key_row, 4, sealed_jwk, .secret = true, .max = 10000),
        F(key_row, 5, retired_at, .optional = true));

static struct digest seal_key(struct ctx *c)
{
        return app_secret(c, "identity signing keys");
}

static int key_make(void *arg)
{
        return jwk_make_rs256((struct jwk **)arg);
}

enum { LIVING_MAX = 12 };               /* fewer than keys_living reads, so that each is published for its hour */

/* In the caller's transaction: the others retire, a new one is written. */
static int key_write(struct ctx *c, struct db *tx, const struct jwk *k)
{
        struct digest seal = seal_key(c);
        struct key_row row = { .kid = jwk_kid(k), .created_at = clock_now() };
        str whole, box;

        TRY(jwk_write(c, k, false, &row.public_jwk));
        TRY(jwk_write(c, k, true, &whole));
        TRY(box_seal(c->arena, seal.b, whole, &box));
        row.sealed_jwk = (bytes){ (const uint8_t *)box.p, box.n };
        TRY(keys_retire(tx, &(struct nothing){ 0 }));
        TRY(key_insert(tx, &row));
        return 0;
}

static const int64_t any_age = INT64_MIN / 2, never_old = INT64_MAX / 2;

static bool has_younger(const struct key_row_list *living, int64_t us)
{
        return living->n && living->v[0].retired_at.us == 0 && living->v[0].created_at.us > clock_now().us - us;
}

/* older_us: leave it when the newest is not that old: somebody else was faster. The key is made before the lock is taken: it takes a while. */
static int key_add(struct ctx *c, int64_t older_us)
{
        struct jwk *made AUTO(jwk_free) = NULL;
        struct key_row_list living;

        TRY(pool_run(c, key_make, &made));
        TX(tx, c);
        TRY(keys_lock(tx, &(struct nothing){ 0 }));
        TRY(keys_living(tx, &(struct nothing){ 0 }, &living));
        if (has_younger(&living, older_us))
                return 0;
        if (living.n >= LIVING_MAX)
                return fail(c, FAILED_PRECONDITION, "too_many_keys", "there are %d keys already; the oldest goes within the hour", LIVING_MAX);
        TRY(key_write(c, tx, made));
        return tx_commit(tx);
}

/* A key signs only when everybody may know it: what a worker read is up to 5 s old, who checks tokens asks anew once in 5 s, and the JWKS may be
 * kept for 60 s. */
enum { RIPE_MS = SECONDS(75) };

/* The newest that is ripe; in a fresh database the first. The newest row comes first. */
static const struct key_row *signer_of(const struct key_row_list *living)
{
        size_t i = 0;

        while (i + 1 < living->n && living->v[i].created_at.us > clock_now().us - RIPE_MS * 1000LL) i++;
        return &living->v[i];
}

static int keyring_open(struct ctx *c, struct keyring *k, const struct key_row *row)
{
        struct digest seal = seal_key(c);
        struct jwk *opened;
        str whole;

        if (k->signs && str_eq(jwk_kid(k->signs), row->kid))
                return 0;
        if (box_open(c->arena, seal.b, (str){ (const char *)row->sealed_jwk.p, row->sealed_jwk.n }, &whole) < 0)
                return fail(c, FAILED_PRECONDITION, "wrong_secret", "the signing keys in the database were sealed with another secret; start with that one (SOUK_SECRET)");
        TRY(jwk_read(c, whole, &opened));
        jwk_free(&k->signs);
        k->signs = opened;
        return 0;
}

static int keyring_read(struct ctx *c, struct keyring *k)
{
        struct key_row_list living;
        struct buf out AUTO(buf_done) = BUF_INIT(64 * 1024);
        struct jw w = { .b = &out };

        TRY(keys_living(db(c), &(struct nothing){ 0 }, &living));
        if (living.n == 0 || living.v[0].retired_at.us)
                return fail(c, INTERNAL, "no_signing_key", "there is no signing key");
        TRY(keyring_open(c, k, signer_of(&living)));
        jw_object(&w);
        jw_key(&w, "keys");
        jw_array(&w);
        for (size_t i = 0; i < living.n; i++)
                jw_raw(&w, living.v[i].public_jwk);
        jw_array_end(&w);
        jw_object_end(&w);
        TRY(buf_error(&out));
        arena_reset(k->arena);
        k->jwks = arena_str(k->arena, buf_str(&out));
        k->newest = arena_str(k->arena, living.v[0].kid);
        k->read_us = clock_us();
        return 0;
}

int keyring_refresh(struct ctx *c, struct keyring *k, bool now)
{
        int r = 0;

        if (!now && k->read_us && clock_us() - k->read_us < SECONDS(5) * 1000LL)
                return 0;
        TRY(mutex_lock(c, &k->reading));
        if (now || !k->read_us || clock_us() - k->read_us >= SECONDS(5) * 1000LL)
                r = keyring_read(c, k);
        mutex_unlock(&k->reading);
        return r;
}

int keyring_start(struct ctx *c, struct keyring *k)
{
        struct key_row_list living;

        k->arena = arena_new(128 * 1024);
        mutex_init(&k->reading);
        TRY(keys_living(db(c), &(struct nothing){ 0 }, &living));
        if (!has_younger(&living, never_old))
                TRY(key_add(c, never_old));
        return keyring_refresh(c, k, true);
}

void keyring_stop(struct keyring *k)
{
        jwk_free(&k->signs);
        k->arena = arena_free(k->arena);
}

int keyring_rotate(struct ctx *c, struct keyring *k)
{
        TRY(key_add(c, any_age));
        return keyring_refresh(c, k, true);
}

int keyring_rotate_when_older(struct ctx *c, struct keyring *k, int64_t us)
{
        struct key_row_list living;

        TRY(keys_living(db(c), &(struct nothing){ 0 }, &living));
        TRY(keys_forget(db(c), &(struct nothing){ 0 }));
        if (has_younger(&living, us))
                return 0;
        TRY(key_add(c, us));
        return keyring_refresh(c, k, true);
}

int keyring_list(struct ctx *c, struct signing_key_list *out)
{
        struct key_row_list living;
        const struct key_row *signer;

        TRY(keys_living(db(c), &(struct nothing){ 0 }, &living));
        *out = (struct signing_key_list){ arena_many(c->arena, struct signing_key, living.n), living.n };
        if (living.n && !out->v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "out of memory for this request");
        signer = living.n ? signer_of(&living) : NULL;
        for (size_t i = 0; i < living.n; i++)
                out->v[i] = (struct signing_key){ living.v[i].kid, &living.v[i] == signer ? KEY_SIGNS : &living.v[i] < signer ? KEY_RIPENS : KEY_VERIFIES,
                                                  living.v[i].created_at, living.v[i].retired_at };
        return 0;
}

int keyring_sign(struct ctx *c, struct keyring *k, const struct claims *claims, str *out)
{
        struct jwk *key AUTO(jwk_free) = NULL;          /* another may take over while this one waits for a thread */

        TRY(keyring_refresh(c, k, false));
        key = jwk_ref(k->signs);
        return jwt_sign(c, key, claims, out);
}
