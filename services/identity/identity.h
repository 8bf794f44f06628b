/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity.h - what identity promises to others: who somebody is, where they live, and the keys that tokens are checked with. */
#ifndef IDENTITY_H
#define IDENTITY_H
#include "auth.h"
#include "kit.h"

struct user_ref { uid id; };
struct user     { uid id; str email, name; int32_t role; bool blocked; int32_t version; when created_at, updated_at; };       /* role: a word of role_names */
struct account  { str email, password, name; int32_t role; };                  /* for the accounts of a fresh marketplace */
struct user_gone { uid id; when deleted_at; };

struct address_ref { uid user, id; };                                          /* id zero: the user's default */
struct address  { uid id; str name, line1, line2, postal_code, city, region, country, phone; };       /* country: ISO 3166-1, two letters */

extern const struct type user_ref_type, user_type, account_type, user_gone_type, address_ref_type, address_type;
extern const struct event user_registered, user_changed, user_deleted;         /* keyed by the user's id: user, user, user_gone */
extern const struct service identity_service;

CONTRACT(identity_keys,   nothing,  jwks)               /* the public keys, newest first                             */
CONTRACT(identity_user,   user_ref, user)               /* no_such_user                                              */
CONTRACT(identity_ensure, account,  user)               /* makes the account unless the e-mail is known, or was made so before (then id zero); SERVICE only */
CONTRACT(identity_address, address_ref, address)        /* no_such_address; whoever asks says whose it must be       */
#endif
