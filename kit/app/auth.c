/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * auth.c - bearer tokens to callers: a checked token costs one look into a map until it expires.
 *
 * The map is keyed by a token's last characters, which are of its signature and as good as random, since hashing all of it would be the
 * dearest part of a request that reads; the whole text is compared, so nothing that was not checked can be found. Fetching keys is for one fiber at a time; the others wait
 * for what it brings. When a key has gone, every remembered token goes: they are checked anew in 20 us each. */
#include "auth.h"
#include "bound.h"
#include <stdlib.h>
#include "clock.h"
#include "json.h"
#include "map.h"
#include "sync.h"

enum { TOKENS_MAX = 8192, KEYS_MAX = 16, ASK_AGAIN_US = 5000000, ASK_SOONER_US = 500000, TOKEN_MAX = 4096, TAIL = 32 };

struct known { struct caller caller; when exp; str token; char text[]; };       /* caller.scope and token point to text */
struct auth {
        str          issuer, audience;  /* owned                                                  */
        const struct op *ask;
        struct jwk  *keys[KEYS_MAX]; size_t n_keys;
        struct map  *tokens; size_t tokens_max;
        struct mutex asking;
        int64_t      asked_us;          /* clock_us() when keys were last asked for; 0: not yet   */
        bool         missed;            /* a kid was not found: set by find_key()                 */
};

MESSAGE(jwks, "public keys (RFC 7517 section 5)", F(jwks, 1, keys, .max = 65536, .doc = "the set as JSON text"));

struct auth *auth_open(const struct auth_options *o)
{
        struct auth *a = calloc(1, sizeof *a);
        if (!a) abort();
        a->issuer = (str){ strndup(o->issuer.n ? o->issuer.p : "", o->issuer.n), o->issuer.n };
        a->audience = (str){ strndup(o->audience.n ? o->audience.p : "", o->audience.n), o->audience.n };
        a->ask = o->keys;
        a->tokens_max = o->tokens_max ? o->tokens_max : TOKENS_MAX;
        a->tokens = map_new(a->tokens_max, MAP_EVICTS, free);
        mutex_init(&a->asking);
        return a;
}

static void keys_free(struct jwk **keys, size_t n)
{
        for (size_t i = 0; i < n; i++) jwk_free(&keys[i]);
}

void auth_close(struct auth **ap)
{
        struct auth *a = *ap;
        if (!a) return;
        keys_free(a->keys, a->n_keys);
        map_free(a->tokens);
        free((char *)a->issuer.p);
        free((char *)a->audience.p);
        free(a);
        *ap = NULL;
}

/* ---- keys -------------------------------------------------------------------------------------------------------------- */

static const struct jwk *find_key(void *arg, str kid)
{
        struct auth *a = arg;
        for (size_t i = 0; i < a->n_keys; i++)
                if (str_eq(jwk_kid(a->keys[i]), kid)) return a->keys[i];
        a->missed = true;
        return NULL;
}

/* Keys that do not read are left out: one odd key must not lock everybody out. */
static size_t read_keys(struct ctx *c, str text, struct jwk **keys)
{
        size_t n = 0;
        str element;
        if (json_validate(c, text) < 0) return 0;
        str list = json_kind_of(text) == JSON_OBJECT ? json_member(text, "keys") : text;
        if (!list.p || json_kind_of(list) != JSON_ARRAY) return 0;
        for (struct json_walk w = json_open(list); n < KEYS_MAX && json_next_element(&w, &element);)
                if (jwk_read(c, element, &keys[n]) == 0) n++;
        return n;
}

static bool has_kid(struct jwk *const *keys, size_t n, str kid)
{
        for (size_t i = 0; i < n; i++)
                if (str_eq(jwk_kid(keys[i]), kid)) return true;
        return false;
}

static void take_keys(struct auth *a, struct jwk **keys, size_t n)
{
        bool lost = false;
        for (size_t i = 0; i < a->n_keys; i++) lost |= !has_kid(keys, n, jwk_kid(a->keys[i]));
        keys_free(a->keys, a->n_keys);
        memcpy(a->keys, keys, n * sizeof *keys);
        a->n_keys = n;
        if (!lost) return;
        map_free(a->tokens);
        a->tokens = map_new(a->tokens_max, MAP_EVICTS, free);
}

static int ask(struct ctx *c, struct auth *a)
{
        struct jwks set = { 0 };
        struct jwk *keys[KEYS_MAX];
        a->asked_us = clock_us();
        int r = a->ask ? call_(c, a->ask, &(struct nothing){ 0 }, &set) : fail(c, UNAVAILABLE, "no_keys", "nobody here knows keys");
        if (r == 0) {
                size_t n = read_keys(c, set.keys, keys);
                if (n) {
                        take_keys(a, keys, n);
                        fault_clear(c);
                        return 0;
                }
        }
        if (r == -DEADLINE_EXCEEDED || r == -CANCELLED) return r;
        return a->n_keys ? 0 : fail(c, UNAVAILABLE, "no_keys", "the keys that tokens are checked with cannot be had");
}

/* However many tokens come with keys that nobody knows, keys are asked for once in 5 s; while there are none at all, twice a second. */
static int refresh(struct ctx *c, struct auth *a)
{
        TRY(mutex_lock(c, &a->asking));
        int64_t age = clock_us() - a->asked_us;         /* another fiber may have asked while this one waited */
        bool due = !a->asked_us || age >= (a->n_keys ? ASK_AGAIN_US : ASK_SOONER_US);
        int r = due ? ask(c, a) : 0;
        mutex_unlock(&a->asking);
        if (r == 0 && !a->n_keys) return fail(c, UNAVAILABLE, "no_keys", "the keys that tokens are checked with cannot be had");
        return r;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------ */

static str tail_of(str token) { return str_cut(token, token.n > TAIL ? token.n - TAIL : 0, token.n); }

static void remember(struct auth *a, str token, const struct claims *m)
{
        struct known *k = alloc_should_fail() ? NULL : malloc(sizeof *k + m->scope.n + token.n);
        if (!k) return;
        *k = (struct known){ .caller = { .id = m->sub, .roles = m->roles, .session = m->sid }, .exp = m->exp };
        if (m->scope.n) memcpy(k->text, m->scope.p, m->scope.n);
        memcpy(k->text + m->scope.n, token.p, token.n);
        k->caller.scope = (str){ k->text, m->scope.n };
        k->token = (str){ k->text + m->scope.n, token.n };
        if (map_count(a->tokens) >= a->tokens_max) bound_reached(BOUND_TOKENS);    /* the one used longest ago goes */
        if (map_put(a->tokens, tail_of(token), k) < 0) free(k);
}

/* The scope is copied: the remembered one may go while the request waits. */
static int fill(struct ctx *c, const struct caller *from)
{
        str scope = arena_str(c->arena, from->scope);
        if (!scope.p) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the request");
        c->caller = *from;
        c->caller.scope = scope;
        return 0;
}

static int check(struct ctx *c, struct auth *a, str token)
{
        struct claims m;
        if (!a->n_keys) TRY(refresh(c, a));
        a->missed = false;
        int r = jwt_verify(c, token, find_key, a, a->issuer, a->audience, clock_now(), &m);
        if (r < 0 && a->missed) {
                TRY(refresh(c, a));
                r = jwt_verify(c, token, find_key, a, a->issuer, a->audience, clock_now(), &m);
        }
        TRY(r);
        fault_clear(c);
        remember(a, token, &m);
        return fill(c, &(struct caller){ .id = m.sub, .roles = m.roles, .session = m.sid, .scope = m.scope.p ? m.scope : STR("") });
}

int auth_caller(struct ctx *c, struct auth *a, str header)
{
        if (!header.p) return fail(c, UNAUTHENTICATED, "missing_token", "a bearer token is needed: Authorization: Bearer ...");
        if (header.n < 8 || !str_eq_nocase(str_cut(header, 0, 7), STR("Bearer ")))
                return fail(c, UNAUTHENTICATED, "missing_token", "the Authorization field has no bearer token");
        str token = str_trim(str_cut(header, 7, header.n), " ");
        struct known *k = token.n <= TOKEN_MAX ? map_get(a->tokens, tail_of(token)) : NULL;
        if (!k || !str_eq(k->token, token)) return check(c, a, token);
        if (k->exp.us > clock_now().us) return fill(c, &k->caller);
        free(map_take(a->tokens, tail_of(token)));
        return fail(c, UNAUTHENTICATED, "invalid_token", "the token has expired");
}

int auth_allows(struct ctx *c, enum who who, const char *scope)
{
        static const unsigned roles[] = { [VENDORS] = ROLE_VENDOR | ROLE_STAFF | ROLE_ADMIN, [STAFF] = ROLE_STAFF | ROLE_ADMIN, [ADMIN] = ROLE_ADMIN };
        if (who == ANYONE) return 0;
        if (uid_is_zero(c->caller.id)) return fail(c, UNAUTHENTICATED, "missing_token", "a bearer token is needed: Authorization: Bearer ...");
        if (who != USER && !caller_has_role(c, roles[who])) return fail(c, PERMISSION_DENIED, "forbidden", "this is not for your role");
        if (scope && !caller_has_scope(c, scope)) return fail(c, PERMISSION_DENIED, "insufficient_scope", "the token lacks the scope %s", scope);
        return 0;
}
