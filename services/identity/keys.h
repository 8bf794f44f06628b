/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * keys.h - the keys that tokens are signed with: one signs, those it replaced still verify for an hour. Private to identity.
 *
 * Private halves lie in the database sealed (XChaCha20-Poly1305) with a key derived from the program's secret. Each worker keeps what it read for 5 s. */
#ifndef KEYS_H
#define KEYS_H
#include "identity/identity.h"

enum { KEY_RIPENS, KEY_SIGNS, KEY_VERIFIES };           /* words: key_states */
struct signing_key { str kid; int32_t state; when created_at, retired_at; };
DECLARE_LIST(signing_key);

struct keyring { struct jwk *signs; int64_t read_us; struct arena *arena; struct mutex reading; str jwks, newest; };       /* newest: the kid of it */

int  keyring_start(struct ctx *c, struct keyring *k);           /* makes the first key of a fresh database. Waits. */
void keyring_stop(struct keyring *k);
int  keyring_refresh(struct ctx *c, struct keyring *k, bool now);       /* reads again what is older than 5 s. Waits. */
int  keyring_rotate(struct ctx *c, struct keyring *k);          /* a new key is published, and signs when it is 75 s old. Waits. */
int  keyring_rotate_when_older(struct ctx *c, struct keyring *k, int64_t us);    /* ... unless the newest is younger. Waits. */
int  keyring_list(struct ctx *c, struct signing_key_list *out); /* those that are published, newest first. Waits. */
int  keyring_sign(struct ctx *c, struct keyring *k, const struct claims *claims, str *out);     /* Waits. */
#endif
