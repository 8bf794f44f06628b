/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity.h - what identity promises to others: who somebody is, and the keys that tokens are checked with. */
#ifndef IDENTITY_H
#define IDENTITY_H
#include "auth.h"
#include "kit.h"

struct user_ref { uid id; };
struct user     { uid id; str email, name; int32_t role; when created_at; };   /* role: a word of role_names */
struct account  { str email, password, name; int32_t role; };                  /* for the accounts of a fresh marketplace */

extern const struct type user_ref_type, user_type, account_type;
extern const struct event user_registered;
extern const struct service identity_service;

CONTRACT(identity_keys,   nothing,  jwks)               /* the public keys, newest first                             */
CONTRACT(identity_user,   user_ref, user)               /* no_such_user                                              */
CONTRACT(identity_ensure, account,  user)               /* makes the account unless the e-mail is known; SERVICE only */
#endif
