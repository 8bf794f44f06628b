/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * jwt.h - signed access tokens (RFC 9068: JWS compact, typ at+jwt) on cjose, and the keys they are signed with (RFC 7517).
 *
 * The algorithm is a property of the key (RS256 or ES256), never read from a header; a header that names another is refused, as are
 * crit, b64, jwk, jku, x5u, and tokens over 4 KiB. Threads: keys are immutable and shared; signing and making keys belong on the pool. */
#ifndef JWT_H
#define JWT_H
#include "ctx.h"

struct jwk;
int  jwk_make_rs256(struct jwk **out);                  /* 2048 bits; about 100 ms: on the pool. -INTERNAL          */
int  jwk_make_es256(struct jwk **out);
void jwk_make_again(void);      /* for tests, which want keys and not secrets: from here on those made since the first call are given out again, in their order, then new ones */
int  jwk_read(struct ctx *c, str json, struct jwk **out);       /* private or public; alg and kid must be there. -INVALID_ARGUMENT invalid_key */
int  jwk_write(struct ctx *c, const struct jwk *k, bool with_private, str *out);        /* JSON in the arena        */
str  jwk_kid(const struct jwk *k);                      /* RFC 7638 thumbprint                                      */
struct jwk *jwk_ref(struct jwk *k);                     /* another reference, for who waits with it. Threads: of one loop */
void jwk_free(struct jwk **k);                          /* gives one back; the key goes with the last. Takes pointers to NULL */

struct claims {                 /* of an access token, RFC 9068 section 2.2                       */
        str iss, aud, client_id, jti, scope;
        uid sub, sid;
        unsigned roles;
        when iat, exp;
};
extern const char *const role_names[];                  /* "customer", "vendor", "staff", "admin", "service"        */
int  jwt_sign(struct ctx *c, const struct jwk *k, const struct claims *claims, str *out);       /* on the pool; k is borrowed meanwhile. Waits. */
/* Checks signature, typ, iss, aud, exp and iat against `now` (60 s of leeway for iat/nbf only).
 *   find   the key for a kid; NULL: none       returns  0, -UNAUTHENTICATED slug invalid_token with the reason in the message, -RESOURCE_EXHAUSTED */
typedef const struct jwk *(*jwk_find)(void *arg, str kid);
int  jwt_verify(struct ctx *c, str token, jwk_find find, void *arg, str iss, str aud, when now, struct claims *out);
#endif
