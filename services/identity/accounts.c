/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * accounts.c - one's own account: made, read, changed, given a new password, left.
 *
 * What would let a thief of an access token take the account over - another e-mail address, another password, its end - needs the password
 * again, throttled like a log-in. What was judged on a row is written only while that row is still so. An account that has gone leaves its id behind, because orders
 * and ledgers name it, and nothing of its person. */
#include "inside.h"

struct user_new        { str email, password, name; int32_t role; };
struct me_draft        { str name, email, password; IF_MATCH_MEMBER; };
struct password_change { str current_password, new_password; };
struct farewell        { str password; };
struct elsewhere       { str what, path; };
DECLARE_LIST(elsewhere);
struct account_export  { when exported_at; struct user user; struct address_entry_list addresses; struct session_list sessions; struct elsewhere_list elsewhere; };

const char *const account_roles[] = { "customer", "vendor", "staff", "admin", NULL };

MESSAGE(user_ref, "a user", F(user_ref, 1, id));
MESSAGE(user, "a user",
        F(user, 1, id),
        F(user, 2, email, .example = "\"ada@example.org\""),
        F(user, 3, name, .example = "\"Ada Lovelace\""),
        F(user, 4, role, .names = role_names),
        F(user, 5, blocked, .example = "false", .doc = "May not log in."),
        F(user, 6, version, .doc = "Each change makes a new one."),
        F(user, 7, created_at),
        F(user, 8, updated_at));
MESSAGE(user_gone, "a user who has left", F(user_gone, 1, id), F(user_gone, 2, deleted_at));
MESSAGE(account, "an account to be there",
        F(account, 1, email),
        F(account, 2, password, .secret = true),
        F(account, 3, name),
        F(account, 4, role, .names = role_names));
MESSAGE(user_new, "a new account",
        F(user_new, 1, email, .max = 254, .format = &format_email, .example = "\"ada@example.org\""),
        F(user_new, 2, password, .optional = true, .min = 8, .max = 128, .secret = true, .example = "\"correct horse battery\"",
          .doc = "Required, but for who has the scope users:write: an account without one cannot log in until it gets one."),
        F(user_new, 3, name, .min = 1, .max = 100, .example = "\"Ada Lovelace\""),
        F(user_new, 4, role, .optional = true, .names = account_roles, .doc = "customer unless said; with users:write vendor as well, and administrators give any."));
MESSAGE(me_draft, "an own account as it should be",
        F(me_draft, 1, name, .min = 1, .max = 100, .example = "\"Ada King\""),
        F(me_draft, 2, email, .max = 254, .format = &format_email, .example = "\"ada@example.org\""),
        F(me_draft, 3, password, .optional = true, .max = 128, .secret = true, .doc = "The current one; needed for another e-mail address."),
        IF_MATCH_FIELD(me_draft, 4));
MESSAGE(password_change, "a new password",
        F(password_change, 1, current_password, .max = 128, .secret = true, .example = "\"correct horse battery\""),
        F(password_change, 2, new_password, .min = 8, .max = 128, .secret = true, .example = "\"staple wrong donkey\""));
MESSAGE(farewell, "the end of an account", F(farewell, 1, password, .max = 128, .secret = true, .example = "\"correct horse battery\"", .doc = "The current one."));
MESSAGE(elsewhere, "data that another service keeps", F(elsewhere, 1, what), F(elsewhere, 2, path, .doc = "Where its owner reads it."));
MESSAGE(account_export, "what is kept of somebody",
        F(account_export, 1, exported_at),
        F_MSG(account_export, 2, user, user),
        F_LIST(account_export, 3, addresses, address_entry),
        F_LIST(account_export, 4, sessions, session, .doc = "The living ones."),
        F_LIST(account_export, 5, elsewhere, elsewhere, .doc = "Other services' part of it."));
MESSAGE(user_row, "a row of users",
        F(user_row, 1, id),
        F(user_row, 2, email),
        F(user_row, 3, email_key),
        F(user_row, 4, name),
        F(user_row, 5, role),
        F(user_row, 6, password, .optional = true, .secret = true),
        F(user_row, 7, blocked),
        F(user_row, 8, version),
        F(user_row, 9, created_at),
        F(user_row, 10, updated_at));
MESSAGE(me_row, "what its owner changes of a row of users",
        F(me_row, 1, email),
        F(me_row, 2, email_key),
        F(me_row, 3, name),
        F(me_row, 4, password, .optional = true, .secret = true, .doc = "As it was when the change was judged."),
        IF_MATCH_FIELD(me_row, 5));
MESSAGE(login_key, "an e-mail address to look for", F(login_key, 1, email_key));
MESSAGE(password_row, "one password for another",
        F(password_row, 1, id),
        F(password_row, 2, old_password, .optional = true, .secret = true),
        F(password_row, 3, new_password, .secret = true));
MESSAGE(admin_count, "how many administer", F(admin_count, 1, n));

const struct event user_registered = { "user.registered", &user_type, "id", "Somebody made an account." };
const struct event user_changed = { "user.changed", &user_type, "id", "A user's name, e-mail address or role changed, or was blocked or let in again." };
const struct event user_deleted = { "user.deleted", &user_gone_type, "id", "A user has left; whoever keeps data of the person lets it go." };

/* ---- rows ------------------------------------------------------------------------------------------------------------------------- */

str email_key_of(struct ctx *c, str s)
{
        char *p = arena_z(c->arena, s);

        for (size_t i = 0; p && i < s.n; i++)
                if (p[i] >= 'A' && p[i] <= 'Z') p[i] += 'a' - 'A';
        return (str){ p, s.n };
}

struct user user_of(const struct user_row *r)
{
        return (struct user){ r->id, r->email, r->name, r->role, r->blocked, r->version, r->created_at, r->updated_at };
}

int member_refused(struct ctx *c, enum code code, const char *pointer, const char *slug, const char *why)
{
        int r;

        fault_clear(c);
        flaw_add(c, str_of(pointer), slug, "%s", why);
        r = flaws_fail(c);
        if (code == INVALID_ARGUMENT)
                return r;
        c->fault.code = code;
        c->fault.slug = slug;
        return -(int)code;
}

int no_such_user(struct ctx *c)
{
        return fail(c, NOT_FOUND, "no_such_user", "there is no such user");
}

static int email_taken(struct ctx *c)
{
        return member_refused(c, ALREADY_EXISTS, "/email", "email_taken", "there is an account with this e-mail address");
}

static int own(struct ctx *c, int found, const struct user_row *row)
{
        TRY(found);
        if (!found)
                return no_such_user(c);
        return row->blocked ? fail(c, PERMISSION_DENIED, "account_blocked", "this account is blocked") : 0;
}

int own_row(struct ctx *c, struct user_row *out)
{
        return own(c, user_row_by_id(db(c), &(struct user_ref){ caller_id(c) }, out), out);
}

int own_lock(struct db *tx, struct user_row *out)
{
        struct ctx *c = db_ctx(tx);
        return own(c, user_lock(tx, &(struct user_ref){ caller_id(c) }, out), out);
}

/* ---- making ------------------------------------------------------------------------------------------------------------------------ */

static int user_row_make(struct ctx *c, str email, str password, str name, int32_t role, struct user_row *out)
{
        when now = clock_now();

        *out = (struct user_row){ .id = uid_v7(now), .email = email, .email_key = email_key_of(c, email), .name = name, .role = role, .version = 1,
                                  .created_at = now, .updated_at = now };
        return password.p ? password_hash(c, password, &out->password) : 0;
}

/* Who brings users over from elsewhere leaves their passwords out; roles are given by those who may have given them anyway. */
static int may_make(struct ctx *c, const struct user_new *in)
{
        bool trusted = caller_has_role(c, ROLE_STAFF | ROLE_ADMIN) && caller_has_scope(c, "users:write");
        int32_t highest = !trusted ? CUSTOMER : caller_has_role(c, ROLE_ADMIN) ? ADMINISTRATOR : VENDOR;

        if (!trusted && !in->password.p)
                return member_refused(c, INVALID_ARGUMENT, "/password", "required", "is required");
        if (in->role > highest)
                return member_refused(c, PERMISSION_DENIED, "/role", "role_not_yours_to_give", "is more than you may give");
        return 0;
}

static int user_create(struct ctx *c, const struct user_new *in, struct user *out)
{
        struct user_row row;
        int r;

        TRY(may_make(c, in));
        TRY(user_row_make(c, in->email, in->password, in->name, in->role, &row));
        *out = user_of(&row);
        TX(tx, c);
        r = user_insert(tx, &row);
        if (r == -ALREADY_EXISTS)
                return email_taken(c);
        TRY(r);
        TRY(emit(tx, &user_registered, out));
        return tx_commit(tx);
}

static int ensure_once(struct ctx *c, const struct account *in, const struct login_key *key, struct user *out)
{
        struct user_row row;
        int first;

        TRY(user_row_make(c, in->email, in->password, in->name, in->role, &row));
        TX(tx, c);
        TRY(first = ensured_insert(tx, key));
        if (!first)
                return 0;
        TRY(user_insert(tx, &row));
        *out = user_of(&row);
        TRY(emit(tx, &user_registered, out));
        return tx_commit(tx);
}

static int identity_ensure(struct ctx *c, const struct account *in, struct user *out)
{
        struct login_key key = { email_key_of(c, in->email) };
        struct user_row row;
        int found, r;

        *out = (struct user){ 0 };
        if (!caller_has_role(c, ROLE_SERVICE))
                return fail(c, PERMISSION_DENIED, "forbidden", "only the program itself makes such accounts");
        for (int again = 0;; again++) {
                TRY(found = user_by_email(db(c), &key, &row));
                if (found)
                        *out = user_of(&row);
                if (found || again)
                        return 0;
                r = ensure_once(c, in, &key, out);
                if (r != -ALREADY_EXISTS && (r < 0 || !uid_is_zero(out->id)))
                        return r;
                fault_clear(c);                         /* made before: it has gone, or another replica was faster; then it is found now */
        }
}

static int identity_user(struct ctx *c, const struct user_ref *in, struct user *out)
{
        int r = user_by_id(db(c), in, out);
        return r == -NOT_FOUND ? no_such_user(c) : r;
}

/* ---- reading and changing ------------------------------------------------------------------------------------------------------------- */

static int me_get(struct ctx *c, const struct nothing *in, struct user *out)
{
        struct user_row row;

        (void)in;
        TRY(own_row(c, &row));
        *out = user_of(&row);
        return 0;
}

static int me_now(struct ctx *c, const struct me_draft *in, struct me_draft *out)
{
        struct user_row row;

        (void)in;
        TRY(own_row(c, &row));
        *out = (struct me_draft){ .name = row.name, .email = row.email, .if_match = row.version };
        return 0;
}

static int me_change(struct ctx *c, const struct me_draft *in, struct user *out)
{
        struct user_row row, written;
        struct me_row change = { in->email, email_key_of(c, in->email), in->name, .if_match = in->if_match };
        int r;

        TRY(own_row(c, &row));
        if (in->if_match && in->if_match != row.version)
                return stale(c);
        if (!str_eq(change.email_key, row.email_key)) {
                if (!in->password.p)
                        return member_refused(c, INVALID_ARGUMENT, "/password", "required", "is required for another e-mail address");
                TRY(password_prove(c, &row, in->password, "/password"));
        }
        change.password = row.password;
        TX(tx, c);
        r = me_write(tx, &change, &written);
        if (r == -ALREADY_EXISTS)
                return email_taken(c);
        TRY(r);
        if (r == 0)
                return stale(c);
        *out = user_of(&written);
        TRY(emit(tx, &user_changed, out));
        return tx_commit(tx);
}

static int me_password(struct ctx *c, const struct password_change *in, struct nothing *out)
{
        struct user_row row;
        struct password_row change = { .id = caller_id(c) };
        struct session_ending ending = { c->caller.session, caller_id(c), STR("new password") };
        int changed;

        (void)out;
        TRY(own_row(c, &row));
        TRY(password_prove(c, &row, in->current_password, "/current_password"));
        change.old_password = row.password;
        TRY(password_hash(c, in->new_password, &change.new_password));
        TX(tx, c);
        TRY(changed = password_replace(tx, &change));
        if (!changed)
                return fail(c, ABORTED, "conflict", "the account changed meanwhile; try again");
        TRY(sessions_end_later(tx, &ending));
        return tx_commit(tx);
}

/* ---- leaving -------------------------------------------------------------------------------------------------------------------------- */

int not_the_last(struct db *tx, const struct user_row *row)
{
        struct ctx *c = db_ctx(tx);
        struct admin_count others;

        if (row->role != ADMINISTRATOR || row->blocked)
                return 0;
        TRY(admins_beside(tx, &(struct user_ref){ row->id }, &others));
        return others.n ? 0 : fail(c, FAILED_PRECONDITION, "last_admin", "nobody would be left to administer: make somebody else an administrator first");
}

int account_forget(struct db *tx, const struct user_row *row)
{
        struct user_ref *id = arena_one(db_ctx(tx)->arena, struct user_ref);

        if (!id)
                return fail(db_ctx(tx), RESOURCE_EXHAUSTED, "too_large", "out of memory for this request");
        *id = (struct user_ref){ row->id };
        TRY(not_the_last(tx, row));
        TRY(addresses_forget_later(tx, id));
        TRY(sessions_delete_later(tx, id));
        TRY(answers_forget_later(tx, id));
        TRY(user_forget_later(tx, id));
        return emit(tx, &user_deleted, &(struct user_gone){ row->id, clock_now() });
}

static int me_delete(struct ctx *c, const struct farewell *in, struct nothing *out)
{
        struct user_row row, held;

        (void)out;
        TRY(own_row(c, &row));
        TRY(password_prove(c, &row, in->password, "/password"));
        TX(tx, c);
        TRY(admins_lock(tx, &(struct nothing){ 0 }));
        TRY(own_lock(tx, &held));
        if (!str_eq(held.password, row.password))
                return fail(c, ABORTED, "conflict", "the account changed meanwhile; try again");
        TRY(account_forget(tx, &held));
        return tx_commit(tx);
}

/* ---- taking one's data along ---------------------------------------------------------------------------------------------------------- */

/* The other services keep theirs under the caller's id and show it page by page. */
static const char *const others_keep[][2] = {
        { "orders", "/v1/orders" },
        { "the invoice of an order", "/v1/orders/{id}/invoice" },
        { "the payment of an order", "/v1/payments/{id}" },
};

static int me_export(struct ctx *c, const struct nothing *in, struct account_export *out)
{
        struct address_filter addresses = { .take = 100 };
        struct session_filter sessions = { .take = 100, .current = c->caller.session };

        *out = (struct account_export){ .exported_at = clock_now(), .elsewhere = { arena_many(c->arena, struct elsewhere, COUNT(others_keep)), COUNT(others_keep) } };
        if (!out->elsewhere.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "out of memory for this request");
        for (size_t i = 0; i < COUNT(others_keep); i++)
                out->elsewhere.v[i] = (struct elsewhere){ str_of(others_keep[i][0]), str_of(others_keep[i][1]) };
        TRY(me_get(c, in, &out->user));
        TRY(addresses_oldest(db(c), &addresses, &out->addresses));
        return sessions_oldest(db(c), &sessions, &out->sessions);
}

/*  operation         takes            gives          */
OP( user_create,      user_new,        user           );
OP( me_get,           nothing,         user           );
OP( me_now,           me_draft,        me_draft       );
OP( me_change,        me_draft,        user           );
OP( me_password,      password_change, nothing        );
OP( me_delete,        farewell,        nothing        );
OP( me_export,        nothing,         account_export );
OP( identity_user,    user_ref,        user           );
OP( identity_ensure,  account,         user           );

void export_page(struct ctx *c, struct exchange *x)
{
        struct account_export all;

        if (call_(c, &me_export_op, &(struct nothing){ 0 }, &all) < 0)
                return;                                 /* the edge tells the fault */
        res_header(c, x, "content-type", STR("application/json"));
        res_header(c, x, "content-disposition", STR("attachment; filename=\"account.json\""));
        json_write(x->body, &account_export_type, &all);
}
