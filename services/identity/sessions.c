/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sessions.c - logging in, the tokens that say so, and the sessions they come from.
 *
 *     log in --> access token (RFC 9068, 5 minutes) + refresh token (30 days)
 *     refresh --> both anew; the refresh token shown is then spent. Showing a spent one ends the session: somebody has a copy.
 *
 * A refresh token is (session, number, HMAC over both): forging one needs the program's secret, and nothing in the database can be replayed. An unknown
 * e-mail and a wrong password are told apart by nobody: same work, same answer. A session that has ended gets no more tokens; the access token
 * it gave last lives out its minutes. */
#include "inside.h"

static const int64_t session_us = 30LL * 24 * HOURS(1) * 1000;

struct credentials { str email, password; };
struct refresh     { str refresh_token; };
struct tokens      { str access_token, token_type; int32_t expires_in; str refresh_token, scope; };
struct session_page { struct session_list items; PAGE_LINKS; };
struct session_ref { uid id; };

MESSAGE(credentials, "who logs in",
        F(credentials, 1, email, .max = 254, .example = "\"ada@example.org\""),
        F(credentials, 2, password, .max = 128, .secret = true, .example = "\"correct horse battery\""));
MESSAGE(refresh, "a refresh token",
        F(refresh, 1, refresh_token, .max = 200, .secret = true));
MESSAGE(tokens, "tokens of a session (RFC 6749 section 5.1)",
        F(tokens, 1, access_token, .max = 4096),
        F(tokens, 2, token_type, .example = "\"Bearer\""),
        F(tokens, 3, expires_in, .doc = "Seconds the access token lives."),
        F(tokens, 4, refresh_token, .doc = "Good once: each refresh gives another."),
        F(tokens, 5, scope));
MESSAGE(session_row, "a row of session",
        F(session_row, 1, id),
        F(session_row, 2, user_id),
        F(session_row, 3, refresh_no),
        F(session_row, 4, created_at),
        F(session_row, 5, expires_at));
MESSAGE(session_start, "a session that begins",
        F(session_start, 1, id),
        F(session_start, 2, user_id),
        F(session_start, 3, password, .optional = true, .secret = true),
        F(session_start, 4, address, .optional = true),
        F(session_start, 5, expires_at));
MESSAGE(rotation, "a refresh token, taken apart", F(rotation, 1, id), F(rotation, 2, refresh_no), F(rotation, 3, address, .optional = true));
MESSAGE(session_ending, "a session that ends", F(session_ending, 1, id, .optional = true), F(session_ending, 2, user_id), F(session_ending, 3, why));
MESSAGE(session_key, "a session", F(session_key, 1, id), F(session_key, 2, current, .optional = true));
MESSAGE(session_ref, "a session", F(session_ref, 1, id));
MESSAGE(session, "a session: from its log-in to its end",
        F(session, 1, id),
        F(session, 2, created_at),
        F(session, 3, last_used_at, .doc = "When it last drew tokens."),
        F(session, 4, expires_at),
        F(session, 5, address, .optional = true, .example = "\"192.0.2.7\"", .doc = "Of the client that drew them."),
        F(session, 6, current, .doc = "The one this request belongs to."));
MESSAGE(session_filter, "which sessions", F(session_filter, 1, current, .internal = true, .optional = true), PAGE_FIELDS(session_filter, 2));
MESSAGE(session_page, "sessions, a page", F_LIST(session_page, 1, items, session), PAGE_LINK_FIELDS(session_page, 2));

/* What each role may do; a route names the scope it needs. */
#define BUYS  "orders:read orders:write payments:read"
#define SELLS BUYS " catalog:write inventory:read"
#define SERVES SELLS " inventory:write payments:write orders:manage orders:import users:read users:write"
#define ADMINISTERS SERVES " keys:write debug:read"
static const char *const role_scopes[] = { BUYS, SELLS, SERVES, ADMINISTERS };
const char all_scopes[] = ADMINISTERS;

/* ---- passwords ---------------------------------------------------------------------------------------------------------------------- */

static int too_many(struct ctx *c, int wait_ms)
{
        int r = fail(c, RESOURCE_EXHAUSTED, "too_many_attempts", "too many failed attempts; try again in %d s", (wait_ms + 999) / 1000);
        c->fault.retry_after_ms = wait_ms;
        return r;
}

/* Counted before it is judged, and before anything else is done for it. */
static int attempt(struct ctx *c, str email_key)
{
        struct state *s = unit_state(c);
        int wait_ms = MAX(throttle_wait_ms(&s->names, email_key), throttle_wait_ms(&s->addresses, c->caller.address));

        if (wait_ms > 0)
                return too_many(c, wait_ms);
        throttle_attempt(&s->names, email_key);
        throttle_attempt(&s->addresses, c->caller.address);
        return 0;
}

/* One that could not be judged was none: a database that is away, or a client that hangs up, locks no account. */
static int attempt_undo(struct ctx *c, str email_key, int why)
{
        struct state *s = unit_state(c);

        throttle_give_back(&s->names, email_key);
        throttle_give_back(&s->addresses, c->caller.address);
        return why;
}

static int attempt_judge(struct ctx *c, str email_key, str password, str hash)
{
        struct state *s = unit_state(c);
        int right = password_check(c, password, hash);

        if (right < 0)
                return attempt_undo(c, email_key, right);
        if (right) {
                throttle_forget(&s->names, email_key);
                throttle_give_back(&s->addresses, c->caller.address);
        }
        return right;
}

int password_prove(struct ctx *c, const struct user_row *row, str password, const char *pointer)
{
        int right;

        TRY(attempt(c, row->email_key));
        TRY(right = attempt_judge(c, row->email_key, password, row->password));
        return right ? 0 : member_refused(c, PERMISSION_DENIED, pointer, "wrong_password", "is not the account's password");
}

/* ---- tokens ------------------------------------------------------------------------------------------------------------------------- */

enum { REFRESH_BYTES = 16 + 4 + 32 };

static struct digest refresh_mac(struct ctx *c, str session_and_no)
{
        struct digest key = app_secret(c, "identity refresh tokens");
        return hmac_sha256((str){ (const char *)key.b, sizeof key.b }, session_and_no);
}

static str refresh_token_make(struct ctx *c, uid session, int32_t no)
{
        struct buf raw AUTO(buf_done) = BUF_INIT(64), text AUTO(buf_done) = BUF_INIT(128);
        struct digest mac;

        buf_add(&raw, uid_key(&session));
        buf_u32(&raw, (uint32_t)no);
        mac = refresh_mac(c, buf_str(&raw));
        buf_add(&raw, (str){ (const char *)mac.b, sizeof mac.b });
        base64url_write(&text, buf_str(&raw));
        return arena_str(c->arena, buf_str(&text));
}

static bool refresh_token_read(struct ctx *c, str token, struct rotation *out)
{
        struct digest mac;
        str raw;

        if (base64url_read(c->arena, token, &raw) < 0 || raw.n != REFRESH_BYTES)
                return false;
        mac = refresh_mac(c, str_cut(raw, 0, 20));
        if (!digest_eq(mac.b, raw.p + 20, sizeof mac.b))
                return false;
        memcpy(out->id.b, raw.p, 16);
        out->refresh_no = 0;
        for (int i = 16; i < 20; i++)
                out->refresh_no = out->refresh_no << 8 | (uint8_t)raw.p[i];
        return true;
}

static int tokens_make(struct ctx *c, const struct session_row *s, int32_t role, struct tokens *out)
{
        struct state *state = unit_state(c);
        when now = clock_now();
        uid jti = uid_v7(now);
        char id[37];
        int64_t access_ms = config_int(config(c), "identity.access-time");
        struct claims claims = { .iss = config_str(config(c), "issuer"), .aud = config_str(config(c), "audience"), .client_id = STR("souk"),
                                 .scope = str_of(role_scopes[role]), .sub = s->user_id, .sid = s->id, .roles = 1u << role,
                                 .iat = now, .exp = { now.us + access_ms * 1000 } };

        uid_format(jti, id);
        claims.jti = arena_str(c->arena, str_of(id));
        *out = (struct tokens){ .token_type = STR("Bearer"), .expires_in = (int32_t)(access_ms / 1000), .scope = claims.scope };
        out->refresh_token = refresh_token_make(c, s->id, s->refresh_no);
        return keyring_sign(c, &state->keys, &claims, &out->access_token);
}

/* ---- logging in and staying so ----------------------------------------------------------------------------------------------------------- */

static int session_open(struct ctx *c, const struct credentials *in, struct tokens *out)
{
        struct user_row user = { 0 };
        str key = email_key_of(c, in->email);
        when now = clock_now();
        struct session_row session = { .id = uid_v7(now), .refresh_no = 1, .created_at = now, .expires_at = { now.us + session_us } };
        struct session_start start = { .id = session.id, .address = c->caller.address, .expires_at = session.expires_at };
        struct user_ref whose;
        int r, right, began;

        TRY(attempt(c, key));
        if ((r = user_by_email(db(c), &(struct login_key){ key }, &user)) < 0)
                return attempt_undo(c, key, r);
        TRY(right = attempt_judge(c, key, in->password, user.password));
        if (!right)
                return fail(c, UNAUTHENTICATED, "wrong_credentials", "the e-mail address or the password is wrong");
        if (user.blocked)                               /* told to nobody who does not know the password */
                return fail(c, PERMISSION_DENIED, "account_blocked", "this account is blocked");
        session.user_id = start.user_id = whose.id = user.id;
        start.password = user.password;
        TX(tx, c);
        TRY(began = session_insert(tx, &start));
        if (!began)
                return fail(c, UNAUTHENTICATED, "wrong_credentials", "the account changed meanwhile; log in again");
        TRY(sessions_cap_later(tx, &whose));
        TRY(tx_commit(tx));
        return tokens_make(c, &session, user.role, out);
}

static int bad_refresh_token(struct ctx *c)
{
        return fail(c, UNAUTHENTICATED, "invalid_refresh_token", "this refresh token is not good");
}

/* The role is read anew, so a new one takes effect here at the latest. */
static int session_refresh(struct ctx *c, const struct refresh *in, struct tokens *out)
{
        struct rotation r = { .address = c->caller.address };
        struct session_row session;
        struct user_row user;
        int found;

        if (!refresh_token_read(c, in->refresh_token, &r))
                return bad_refresh_token(c);
        TRY(found = session_rotate(db(c), &r, &session));
        if (!found) {
                TRY(session_revoke_reused(db(c), &r));
                return bad_refresh_token(c);
        }
        TRY(found = user_row_by_id(db(c), &(struct user_ref){ session.user_id }, &user));
        return found && !user.blocked ? tokens_make(c, &session, user.role, out) : bad_refresh_token(c);
}

/* ---- living sessions ------------------------------------------------------------------------------------------------------------------- */

static int no_such_session(struct ctx *c)
{
        return fail(c, NOT_FOUND, "no_such_session", "there is no such session, or it has ended");
}

static int session_get(struct ctx *c, const struct nothing *in, struct session *out)
{
        int r = session_own(db(c), &(struct session_key){ c->caller.session, c->caller.session }, out);

        (void)in;
        return r == -NOT_FOUND ? no_such_session(c) : r;
}

static int session_drop(struct ctx *c, const struct session_ref *in, struct nothing *out)
{
        int ended;

        (void)out;
        TRY(ended = session_end(db(c), &(struct session_ending){ in->id, caller_id(c), STR("ended by its owner") }));
        return ended ? 0 : no_such_session(c);
}

/* Logging out twice is no mistake. */
static int session_close(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        (void)in, (void)out;
        TRY(session_end(db(c), &(struct session_ending){ c->caller.session, caller_id(c), STR("logged out") }));
        return 0;
}

static int sessions_others(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        (void)in, (void)out;
        TRY(sessions_end(db(c), &(struct session_ending){ c->caller.session, caller_id(c), STR("ended by its owner") }));
        return 0;
}

const struct paging sessions_paging = PAGING(session_filter, session,
        { "-created_at", &sessions_newest_query, "created_at" },
        { "created_at",  &sessions_oldest_query, "created_at" });

static int sessions_list(struct ctx *c, const struct session_filter *in, struct session_page *out)
{
        struct session_filter f = *in;

        f.current = c->caller.session;
        return page_query(c, &sessions_paging, &f, &out->items, &out->next, &out->prev);
}

static int sessions_tidy(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        int gone;

        (void)out;
        do TRY(gone = sessions_forget(db(c), in));
        while (gone == 1000);
        return 0;
}

/*  operation        takes           gives        */
OP( session_open,    credentials,    tokens       );
OP( session_refresh, refresh,        tokens       );
OP( session_get,     nothing,        session      );
OP( session_close,   nothing,        nothing      );
OP( session_drop,    session_ref,    nothing      );
OP( sessions_others, nothing,        nothing      );
OP( sessions_list,   session_filter, session_page );
OP( sessions_tidy,   nothing,        nothing      );
