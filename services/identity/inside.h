/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * inside.h - what the files of identity share, and nobody else sees.
 *
 *     identity.c   the service's tables, its state, keys and discovery
 *     accounts.c   an own account: making, reading, changing, its password, leaving, taking one's data along
 *     users.c      others' accounts, for staff and administrators
 *     sessions.c   logging in, tokens, refresh, living sessions
 *     addresses.c  where somebody wants things sent
 *     keys.c       signing keys        password.c   hashing and throttles
 *
 * All run on the loop of the worker that asked. */
#ifndef IDENTITY_INSIDE_H
#define IDENTITY_INSIDE_H
#include "app.h"
#include "identity/identity.h"
#include "identity_sql.h"
#include "keys.h"
#include "password.h"
#include "server.h"

enum { CUSTOMER, VENDOR, STAFF_MEMBER, ADMINISTRATOR };         /* users.role; the words are account_roles */
extern const char *const account_roles[];

struct state { struct keyring keys; struct throttle names, addresses; };

/* ---- messages that several files send to the database ----------------------------------------------------------------------------- */

struct user_row     { uid id; str email, email_key, name; int32_t role; str password; bool blocked; int32_t version; when created_at, updated_at; };
struct me_row       { str email, email_key, name, password; IF_MATCH_MEMBER; };
struct login_key    { str email_key; };
struct password_row { uid id; str old_password, new_password; };
struct admin_count  { int64_t n; };
struct session_row  { uid id, user_id; int32_t refresh_no; when created_at, expires_at; };
struct session_start { uid id, user_id; str password, address; when expires_at; };
struct rotation     { uid id; int32_t refresh_no; str address; };
struct session_ending { uid id, user_id; str why; };
struct session_key  { uid id, current; };
struct session      { uid id; when created_at, last_used_at, expires_at; str address; bool current; };
DECLARE_LIST(session);
struct session_filter { uid current; PAGE_MEMBERS; };
struct address_entry { uid id; str name, line1, line2, postal_code, city, region, country, phone; bool is_default; int32_t version; when created_at, updated_at; };
DECLARE_LIST(address_entry);
struct address_filter { PAGE_MEMBERS; };
extern const struct type user_row_type, me_row_type, login_key_type, password_row_type, admin_count_type, session_row_type, session_start_type, rotation_type, session_ending_type,
        session_key_type, session_type, session_filter_type, address_entry_type, address_filter_type;

/* ---- accounts.c -------------------------------------------------------------------------------------------------------------------- */

str  email_key_of(struct ctx *c, str email);            /* whose address it is: ASCII as the format has it, in lower case */
struct user user_of(const struct user_row *row);
/* A refusal that names one member of the body. returns -code */
int  member_refused(struct ctx *c, enum code code, const char *pointer, const char *slug, const char *why) MUST_USE;
int  no_such_user(struct ctx *c) MUST_USE;
/* The caller's account. Waits. -NOT_FOUND it has gone; -PERMISSION_DENIED it is blocked: that is seen here at once, while its access token still lives */
int  own_row(struct ctx *c, struct user_row *out);
/* In a transaction: the caller's row, held until it ends; the rest as own_row(). */
int  own_lock(struct db *tx, struct user_row *out);
/* In a transaction that holds admins_lock(): -FAILED_PRECONDITION when nobody but `row` administers. Waits. */
int  not_the_last(struct db *tx, const struct user_row *row);
/* In such a transaction: the account goes, and tells so. Waits. */
int  account_forget(struct db *tx, const struct user_row *row);

/* ---- sessions.c -------------------------------------------------------------------------------------------------------------------- */

/* The caller's own password, asked for again; throttled as a log-in is. Waits. 0; -PERMISSION_DENIED naming `pointer`; -RESOURCE_EXHAUSTED */
int  password_prove(struct ctx *c, const struct user_row *row, str password, const char *pointer);
extern const char all_scopes[];                         /* space-separated: everything a role may have */

/* ---- operations, for the tables ------------------------------------------------------------------------------------------------------- */

extern const struct op user_create_op, me_get_op, me_now_op, me_change_op, me_password_op, me_delete_op, me_export_op;
extern const struct op users_list_op, user_get_op, user_now_op, user_change_op, user_password_op, user_delete_op, user_sessions_end_op;
extern const struct op session_open_op, session_refresh_op, session_get_op, session_close_op, session_drop_op, sessions_others_op, sessions_list_op, sessions_tidy_op;
extern const struct op addresses_list_op, address_get_op, address_create_op, address_now_op, address_replace_op, address_delete_op;
extern const struct paging users_paging, sessions_paging, addresses_paging;
void export_page(struct ctx *c, struct exchange *x);    /* me_export as a download */
#endif
