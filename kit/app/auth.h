/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * auth.h - who asks: bearer tokens (RFC 6750) to callers, checked once and remembered until they expire.
 *
 * Keys come from the operation that answers with a JWKS; an unknown kid asks it again, at most once in 5 s. Remembered tokens (by their whole text, at most 8,192 a
 * worker) are dropped when they expire or their key goes. Threads: one auth a worker. */
#ifndef AUTH_H
#define AUTH_H
#include "jwt.h"
#include "op.h"

struct jwks { str keys; };                              /* {"keys":[...]}: the raw JSON of RFC 7517 section 5       */
extern const struct type jwks_type;
struct auth;
struct auth_options { str issuer, audience; const struct op *keys; size_t tokens_max; };        /* keys: nothing -> jwks; tokens_max 0: 8,192 */
struct auth *auth_open(const struct auth_options *o);
void auth_close(struct auth **a);
/* Waits only when keys must be fetched. header: the Authorization field's value.
 *   returns  0 with c->caller filled, -UNAUTHENTICATED (invalid_token, or missing_token when p NULL), -UNAVAILABLE keys cannot be had */
int  auth_caller(struct ctx *c, struct auth *a, str header);
/* 0, or -PERMISSION_DENIED: role (slug "forbidden") or scope (slug "insufficient_scope") */
int  auth_allows(struct ctx *c, enum who who, const char *scope);
#endif
