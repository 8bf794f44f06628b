/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * users.c - others' accounts: staff reads them; administrators change, block and end them.
 *
 * Somebody always administers: whatever would take the last administrator's role, or block or end that account, is refused. Such changes
 * take turns at one lock, so two of the last two cannot take each other's. A block ends the account's sessions and refuses log-in; an access token that was
 * given before lives out its five minutes, but not here. A new role comes with the next token. */
#include "inside.h"

struct user_filter { str q, email, email_key; int32_t role, blocked; PAGE_MEMBERS; };
DECLARE_LIST(user);
struct user_page   { struct user_list items; PAGE_LINKS; };
struct user_draft  { uid id; str email, name; int32_t role; bool blocked; IF_MATCH_MEMBER; };
struct user_key    { uid id; IF_MATCH_MEMBER; };
struct user_password { uid id; str password; };

/* Word 0 is what is absent, so that asking for customers is not asking for all. */
static const char *const role_filter[] = { "any", "customer", "vendor", "staff", "admin", NULL };
static const char *const yes_no_filter[] = { "any", "true", "false", NULL };

MESSAGE(user_filter, "which users",
        F(user_filter, 1, q, .optional = true, .min = 1, .max = 100, .doc = "A part of the name or the e-mail address, whatever the case."),
        F(user_filter, 2, email, .optional = true, .max = 254, .doc = "The whole address."),
        F(user_filter, 3, email_key, .internal = true, .optional = true),
        F(user_filter, 4, role, .optional = true, .names = role_filter),
        F(user_filter, 5, blocked, .optional = true, .names = yes_no_filter),
        PAGE_FIELDS(user_filter, 6));
MESSAGE(user_page, "users, a page", F_LIST(user_page, 1, items, user), PAGE_LINK_FIELDS(user_page, 2));
MESSAGE(user_draft, "an account as it should be",
        F(user_draft, 1, id),
        F(user_draft, 2, email, .max = 254, .format = &format_email, .example = "\"ada@example.org\""),
        F(user_draft, 3, name, .min = 1, .max = 100, .example = "\"Ada Lovelace\""),
        F(user_draft, 4, role, .names = account_roles, .example = "\"vendor\"", .doc = "In effect with the next token."),
        F(user_draft, 5, blocked, .example = "false", .doc = "Ends the sessions and refuses log-in."),
        IF_MATCH_FIELD(user_draft, 6));
MESSAGE(user_key, "a user", F(user_key, 1, id), IF_MATCH_FIELD(user_key, 2));
MESSAGE(user_password, "a password for somebody",
        F(user_password, 1, id),
        F(user_password, 2, password, .min = 8, .max = 128, .secret = true, .example = "\"correct horse battery\""));

/* ---- reading ------------------------------------------------------------------------------------------------------------------------- */

const struct paging users_paging = PAGING(user_filter, user,
        { "-created_at", &users_newest_query,        "created_at" },
        { "created_at",  &users_oldest_query,        "created_at" },
        { "email",       &users_by_email_query,      "email" },
        { "-email",      &users_by_email_down_query, "email" });

static const struct paging email_paging = PAGING(user_filter, user,
        { "-created_at", &user_of_email_query, "created_at" },
        { "created_at",  &user_of_email_query, "created_at" },
        { "email",       &user_of_email_query, "email" },
        { "-email",      &user_of_email_query, "email" });

static int users_list(struct ctx *c, const struct user_filter *in, struct user_page *out)
{
        struct user_filter f = *in;

        if (f.email.p)
                f.email_key = email_key_of(c, f.email);
        return page_query(c, f.email.p ? &email_paging : &users_paging, &f, &out->items, &out->next, &out->prev);
}

/* One's own, or anybody's for who may read users; for the others it is not there. */
static int user_get(struct ctx *c, const struct user_key *in, struct user *out)
{
        bool reads_all = caller_has_role(c, ROLE_STAFF | ROLE_ADMIN) && caller_has_scope(c, "users:read");

        if (!reads_all && !uid_eq(in->id, caller_id(c)))
                return no_such_user(c);
        return identity_user_call(c, &(struct user_ref){ in->id }, out);
}

/* ---- changing ------------------------------------------------------------------------------------------------------------------------ */

static int held(struct db *tx, uid id, struct user_row *out)
{
        int found;

        TRY(admins_lock(tx, &(struct nothing){ 0 }));
        TRY(found = user_lock(tx, &(struct user_ref){ id }, out));
        return found ? 0 : no_such_user(db_ctx(tx));
}

static int user_now(struct ctx *c, const struct user_draft *in, struct user_draft *out)
{
        struct user u;

        TRY(identity_user_call(c, &(struct user_ref){ in->id }, &u));
        *out = (struct user_draft){ u.id, u.email, u.name, u.role, u.blocked, u.version };
        return 0;
}

static int user_change(struct ctx *c, const struct user_draft *in, struct user *out)
{
        struct user_row row, written;
        bool blocks;
        int r;

        TX(tx, c);
        TRY(held(tx, in->id, &row));
        if (in->if_match && in->if_match != row.version)
                return stale(c);
        blocks = in->blocked && !row.blocked;
        if (blocks || in->role != ADMINISTRATOR)
                TRY(not_the_last(tx, &row));
        row.email = in->email;
        row.email_key = email_key_of(c, in->email);
        row.name = in->name;
        row.role = in->role;
        row.blocked = in->blocked;
        r = user_write(tx, &row, &written);
        if (r == -ALREADY_EXISTS)
                return member_refused(c, ALREADY_EXISTS, "/email", "email_taken", "there is an account with this e-mail address");
        TRY(r);
        if (blocks)
                TRY(sessions_end(tx, &(struct session_ending){ .user_id = row.id, .why = STR("blocked") }));
        *out = user_of(&written);
        TRY(emit(tx, &user_changed, out));
        return tx_commit(tx);
}

static int user_password(struct ctx *c, const struct user_password *in, struct nothing *out)
{
        struct password_row change = { .id = in->id };
        int changed;

        (void)out;
        TRY(password_hash(c, in->password, &change.new_password));
        TX(tx, c);
        TRY(changed = password_set(tx, &change));
        if (!changed)
                return no_such_user(c);
        TRY(sessions_end(tx, &(struct session_ending){ .user_id = in->id, .why = STR("new password") }));
        return tx_commit(tx);
}

static int user_delete(struct ctx *c, const struct user_key *in, struct nothing *out)
{
        struct user_row row;

        (void)out;
        TX(tx, c);
        TRY(held(tx, in->id, &row));
        if (in->if_match && in->if_match != row.version)
                return stale(c);
        TRY(account_forget(tx, &row));
        return tx_commit(tx);
}

static int user_sessions_end(struct ctx *c, const struct user_key *in, struct nothing *out)
{
        struct user u;

        (void)out;
        TRY(identity_user_call(c, &(struct user_ref){ in->id }, &u));
        TRY(sessions_end(db(c), &(struct session_ending){ .user_id = u.id, .why = STR("ended by an administrator") }));
        return 0;
}

/*  operation          takes          gives      */
OP( users_list,        user_filter,   user_page  );
OP( user_get,          user_key,      user       );
OP( user_now,          user_draft,    user_draft );
OP( user_change,       user_draft,    user       );
OP( user_password,     user_password, nothing    );
OP( user_delete,       user_key,      nothing    );
OP( user_sessions_end, user_key,      nothing    );
