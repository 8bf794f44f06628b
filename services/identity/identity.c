/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity.c - who somebody is: accounts, sessions, and the tokens that say so.
 *
 *     log in --> access token (RFC 9068, 5 minutes) + refresh token (30 days)
 *     refresh --> both anew; the refresh token shown is then spent. Showing a spent one ends the session: somebody has a copy.
 *
 * A refresh token is (session, number, HMAC over both): forging one needs the program's secret, and nothing in the database can be replayed. An unknown
 * e-mail and a wrong password are told apart by nobody: same work, same answer. */
#include "identity/identity.h"
#include "app.h"
#include "identity_sql.h"
#include "keys.h"
#include "password.h"
#include "server.h"

/* ---- messages --------------------------------------------------------------------------------------------------------------- */

enum { ACCESS_MS = MINUTES(5) };
static const int64_t session_us = 30LL * 24 * HOURS(1) * 1000;

struct user_new    { str email, password, name; };
struct credentials { str email, password; };
struct refresh     { str refresh_token; };
struct tokens      { str access_token, token_type; int32_t expires_in; str refresh_token, scope; };
struct user_row    { uid id; str email, email_key, name; int32_t role; str password; when created_at; };
struct login_key   { str email_key; };
struct session_row { uid id, user_id; int32_t refresh_no; when created_at, expires_at; };
struct rotation    { uid id; int32_t refresh_no; };
struct key_made    { str kid; };

MESSAGE(user_ref, "a user", F(user_ref, 1, id));
MESSAGE(user, "a user",
        F(user, 1, id),
        F(user, 2, email),
        F(user, 3, name),
        F(user, 4, role, .names = role_names),
        F(user, 5, created_at));
MESSAGE(account, "an account to be there",
        F(account, 1, email),
        F(account, 2, password, .secret = true),
        F(account, 3, name),
        F(account, 4, role, .names = role_names));
MESSAGE(address_ref, "an address of somebody",
        F(address_ref, 1, user),
        F(address_ref, 2, id, .optional = true));
MESSAGE(address, "where something is to be sent",
        F(address, 1, id, .optional = true),
        F(address, 2, name, .min = 1, .max = 100, .example = "\"Ada Lovelace\"", .doc = "Who receives it."),
        F(address, 3, line1, .min = 1, .max = 200, .example = "\"12 St James's Square\""),
        F(address, 4, line2, .optional = true, .max = 200),
        F(address, 5, postal_code, .optional = true, .max = 20, .example = "\"SW1Y 4JH\""),
        F(address, 6, city, .min = 1, .max = 100, .example = "\"London\""),
        F(address, 7, region, .optional = true, .max = 100),
        F(address, 8, country, .format = &format_country, .example = "\"GB\"", .doc = "ISO 3166-1, two letters."),
        F(address, 9, phone, .optional = true, .max = 40, .example = "\"+44 20 7946 0000\""));
MESSAGE(user_new, "a new customer",
        F(user_new, 1, email, .max = 254, .format = &format_email, .example = "\"ada@example.org\""),
        F(user_new, 2, password, .min = 8, .max = 128, .secret = true, .example = "\"correct horse battery\""),
        F(user_new, 3, name, .min = 1, .max = 100, .example = "\"Ada Lovelace\""));
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
MESSAGE(user_row, "a row of users",
        F(user_row, 1, id),
        F(user_row, 2, email),
        F(user_row, 3, email_key),
        F(user_row, 4, name),
        F(user_row, 5, role),
        F(user_row, 6, password, .secret = true),
        F(user_row, 7, created_at));
MESSAGE(login_key, "an e-mail address to look for", F(login_key, 1, email_key));
MESSAGE(session_row, "a row of session",
        F(session_row, 1, id),
        F(session_row, 2, user_id),
        F(session_row, 3, refresh_no),
        F(session_row, 4, created_at),
        F(session_row, 5, expires_at));
MESSAGE(rotation, "a refresh token, taken apart", F(rotation, 1, id), F(rotation, 2, refresh_no));
MESSAGE(key_made, "a new signing key", F(key_made, 1, kid));

const struct event user_registered = { "user.registered", &user_type, "id", "Somebody made an account." };

/* What each role may do; a route names the scope it needs. */
#define BUYS  "orders:read orders:write payments:read"
#define SELLS BUYS " catalog:write products:write inventory:read"
#define SERVES SELLS " inventory:write payments:write orders:manage orders:import users:read users:write"
static const char *const role_scopes[] = {
        BUYS,
        SELLS,
        SERVES,
        SERVES " keys:write debug:read",
};

struct state { struct keyring keys; struct throttle names, addresses; };

/* ---- accounts ----------------------------------------------------------------------------------------------------------------- */

static str lower(struct ctx *c, str s)
{
        char *p = arena_z(c->arena, s);
        for (size_t i = 0; p && i < s.n; i++)
                if (p[i] >= 'A' && p[i] <= 'Z') p[i] += 'a' - 'A';
        return (str){ p, s.n };
}

static int user_row_make(struct ctx *c, str email, str password, str name, int32_t role, struct user_row *out)
{
        when now = clock_now();

        *out = (struct user_row){ uid_v7(now), email, lower(c, email), name, role, { 0 }, now };
        return password_hash(c, password, &out->password);
}

static int user_create(struct ctx *c, const struct user_new *in, struct user *out)
{
        struct user_row row;
        int r;

        TRY(user_row_make(c, in->email, in->password, in->name, 0, &row));
        *out = (struct user){ row.id, row.email, row.name, row.role, row.created_at };
        TX(tx, c);
        r = user_insert(tx, &row);
        if (r == -ALREADY_EXISTS)
                return fail(c, ALREADY_EXISTS, "email_taken", "there is an account with this e-mail address");
        TRY(r);
        TRY(emit(tx, &user_registered, out));
        return tx_commit(tx);
}

static int identity_ensure(struct ctx *c, const struct account *in, struct user *out)
{
        struct user_row row;
        int found;

        if (!caller_has_role(c, ROLE_SERVICE))
                return fail(c, PERMISSION_DENIED, "forbidden", "only the program itself makes such accounts");
        TRY(found = user_by_email(db(c), &(struct login_key){ lower(c, in->email) }, &row));
        if (!found) {
                TRY(user_row_make(c, in->email, in->password, in->name, in->role, &row));
                TRY(user_insert_if_new(db(c), &row));
                TRY(user_by_email(db(c), &(struct login_key){ row.email_key }, &row));
        }
        *out = (struct user){ row.id, row.email, row.name, row.role, row.created_at };
        return 0;
}

static int identity_user(struct ctx *c, const struct user_ref *in, struct user *out)
{
        int r = user_by_id(db(c), in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_user", "there is no such user") : r;
}

static int identity_address(struct ctx *c, const struct address_ref *in, struct address *out)
{
        int r = address_by_ref(db(c), in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_address", "there is no such address") : r;
}

static int me_get(struct ctx *c, const struct nothing *in, struct user *out)
{
        (void)in;
        return identity_user(c, &(struct user_ref){ caller_id(c) }, out);
}

/* ---- sessions ------------------------------------------------------------------------------------------------------------------- */

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
        struct claims claims = { .iss = config_str(config(c), "issuer"), .aud = config_str(config(c), "audience"), .client_id = STR("souk"),
                                 .scope = str_of(role_scopes[role]), .sub = s->user_id, .sid = s->id, .roles = 1u << role,
                                 .iat = now, .exp = { now.us + ACCESS_MS * 1000LL } };

        uid_format(jti, id);
        claims.jti = arena_str(c->arena, str_of(id));
        *out = (struct tokens){ .token_type = STR("Bearer"), .expires_in = ACCESS_MS / 1000, .scope = claims.scope };
        out->refresh_token = refresh_token_make(c, s->id, s->refresh_no);
        return keyring_sign(c, &state->keys, &claims, &out->access_token);
}

static int too_many(struct ctx *c, int wait_ms)
{
        int r = fail(c, RESOURCE_EXHAUSTED, "too_many_attempts", "too many failed attempts; try again in %d s", (wait_ms + 999) / 1000);
        c->fault.retry_after_ms = wait_ms;
        return r;
}

static int session_open(struct ctx *c, const struct credentials *in, struct tokens *out)
{
        struct state *s = unit_state(c);
        struct user_row user = { 0 };
        str key = lower(c, in->email);
        when now = clock_now();
        struct session_row session = { .id = uid_v7(now), .refresh_no = 1, .created_at = now, .expires_at = { now.us + session_us } };
        int wait_ms = MAX(throttle_wait_ms(&s->names, key), throttle_wait_ms(&s->addresses, c->caller.address)), right;

        if (wait_ms > 0)
                return too_many(c, wait_ms);
        throttle_attempt(&s->names, key);
        throttle_attempt(&s->addresses, c->caller.address);
        TRY(user_by_email(db(c), &(struct login_key){ key }, &user));
        TRY(right = password_check(c, in->password, user.password));
        if (!right)
                return fail(c, UNAUTHENTICATED, "wrong_credentials", "the e-mail address or the password is wrong");
        throttle_forget(&s->names, key);
        throttle_give_back(&s->addresses, c->caller.address);
        session.user_id = user.id;
        TRY(session_insert(db(c), &session));
        return tokens_make(c, &session, user.role, out);
}

static int session_refresh(struct ctx *c, const struct refresh *in, struct tokens *out)
{
        struct rotation r = { 0 };
        struct session_row session;
        struct user user;
        int found;

        if (!refresh_token_read(c, in->refresh_token, &r))
                return fail(c, UNAUTHENTICATED, "invalid_refresh_token", "this refresh token is not good");
        TRY(found = session_rotate(db(c), &r, &session));
        if (!found) {
                TRY(session_revoke_reused(db(c), &r));
                return fail(c, UNAUTHENTICATED, "invalid_refresh_token", "this refresh token is not good");
        }
        TRY(user_by_id(db(c), &(struct user_ref){ session.user_id }, &user));
        return tokens_make(c, &session, user.role, out);
}

static int session_close(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        (void)in, (void)out;
        return session_end(db(c), &(struct user_ref){ c->caller.session });
}

static int sessions_tidy(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        int gone;

        (void)out;
        do TRY(gone = sessions_forget(db(c), in));
        while (gone == 1000);
        return 0;
}

/* ---- keys ------------------------------------------------------------------------------------------------------------------------- */

static int identity_keys(struct ctx *c, const struct nothing *in, struct jwks *out)
{
        struct state *s = unit_state(c);

        (void)in;
        TRY(keyring_refresh(c, &s->keys, false));
        out->keys = arena_str(c->arena, s->keys.jwks);
        return 0;
}

static int key_rotate(struct ctx *c, const struct nothing *in, struct key_made *out)
{
        struct state *s = unit_state(c);

        (void)in;
        TRY(keyring_rotate(c, &s->keys));
        out->kid = arena_str(c->arena, s->keys.newest);
        return 0;
}

/* A JWKS is JSON already. */
static void jwks_page(struct ctx *c, struct exchange *x)
{
        struct jwks keys;

        if (identity_keys_call(c, &(struct nothing){ 0 }, &keys) < 0)
                return;                                 /* the edge tells the fault */
        res_header(c, x, "content-type", STR("application/jwk-set+json"));
        buf_add(x->body, keys.keys);
}

static int start(struct ctx *c, void *state)
{
        struct state *s = state;

        throttle_start(&s->names, 10, SECONDS(10));
        throttle_start(&s->addresses, 100, SECONDS(1));
        return keyring_start(c, &s->keys);
}

static void stop(struct ctx *c, void *state)
{
        struct state *s = state;

        (void)c;
        keyring_stop(&s->keys);
        throttle_stop(&s->names);
        throttle_stop(&s->addresses);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------------------- */

/*  operation        takes        gives    */
OP( user_create,     user_new,    user     );
OP( me_get,          nothing,     user     );
OP( session_open,    credentials, tokens   );
OP( session_refresh, refresh,     tokens   );
OP( session_close,   nothing,     nothing  );
OP( sessions_tidy,   nothing,     nothing  );
OP( key_rotate,      nothing,     key_made );
OP( identity_keys,   nothing,     jwks     );
OP( identity_user,   user_ref,    user     );
OP( identity_ensure, account,     user     );
OP( identity_address, address_ref, address );

#define REFUSES(...) .slugs = (const char *const[]){ __VA_ARGS__, NULL }

const struct service identity_service = {
        .name = "identity",
        .doc  = "Knows who somebody is, and signs the tokens that say so.",
        .has_db = true,
        ROUTES(
                POST("/v1/users", user_create, .who = ANYONE, .status = 201, .location = "/v1/me",
                     .doc = "Makes a customer's account.", REFUSES("email_taken")),
                POST("/v1/sessions", session_open, .who = ANYONE, .status = 201, .location = "/v1/sessions/current",
                     .doc = "Logs in.", REFUSES("wrong_credentials", "too_many_attempts")),
                POST("/v1/sessions/refresh", session_refresh, .who = ANYONE,
                     .doc = "New tokens for a refresh token, which is then spent.", REFUSES("invalid_refresh_token")),
                DELETE("/v1/sessions/current", session_close, .who = USER,
                     .doc = "Logs out: the session's refresh tokens end; its access token lives out its minutes."),
                GET("/v1/me", me_get, .who = USER, .doc = "Who the token says you are.", REFUSES("no_such_user")),
                POST("/v1/keys", key_rotate, .who = ADMIN, .scope = "keys:write", .status = 201, .location = "/oauth2/jwks",
                     .doc = "A new signing key: it signs from 75 s on, when everybody knows it; the old one verifies for an hour more."),
                { .method = GET, .path = "/oauth2/jwks", .raw = jwks_page, .media = "application/jwk-set+json", .who = ANYONE,
                  .cache_control = "public, max-age=60", .doc = "The public keys (RFC 7517)." }),
        CALLS(&identity_keys_op, &identity_user_op, &identity_ensure_op, &identity_address_op),
        JOBS(EVERY(MINUTES(15), "tidy-sessions", sessions_tidy)),
        EMITS(&user_registered),
        SLUGS({ "email_taken",           409, "There is an account with this e-mail address." },
              { "wrong_credentials",     401, "The e-mail address or the password is wrong; which of them is not said." },
              { "too_many_attempts",     429, "Too many failed log-ins for this name or from this address." },
              { "invalid_refresh_token", 401, "The refresh token is spent, expired, revoked or not ours." },
              { "no_such_user",          404, "There is no such user." },
              { "no_such_address",       404, "There is no such address, or it is somebody else's." }),
        .migrations  = identity_migrations,
        .queries     = identity_queries,
        .state_bytes = sizeof(struct state),
        .start       = start,
        .stop        = stop,
};
