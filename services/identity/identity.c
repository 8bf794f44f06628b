/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity.c - the tables of identity, its state, and what it says about itself: the public keys, and discovery.
 *
 * What the operations do is in accounts.c, users.c, sessions.c and addresses.c; inside.h has the map. */
#include "inside.h"

struct key_made { str kid; };

struct signing_keys { struct signing_key_list items; };

static const char *const key_states[] = { "ripens", "signs", "verifies", NULL };

MESSAGE(key_made, "a new signing key", F(key_made, 1, kid));
MESSAGE(signing_key, "a signing key",
        F(signing_key, 1, kid),
        F(signing_key, 2, state, .names = key_states, .doc = "Each ripens until everybody knows it, signs, then verifies what it signed for an hour."),
        F(signing_key, 3, created_at),
        F(signing_key, 4, retired_at, .optional = true, .doc = "When another one was made."));
MESSAGE(signing_keys, "the signing keys that are published", F_LIST(signing_keys, 1, items, signing_key));

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

static int keys_list(struct ctx *c, const struct nothing *in, struct signing_keys *out)
{
        (void)in;
        return keyring_list(c, &out->items);
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

/* A key signs as long as the setting says. Another replica, or somebody by hand, may have been faster. */
static int keys_turn(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        struct state *s = unit_state(c);
        int64_t days = config_int(config(c), "identity.key-days");

        (void)in, (void)out;
        return days ? keyring_rotate_when_older(c, &s->keys, days * 24 * HOURS(1) * 1000) : 0;
}

/* ---- discovery ------------------------------------------------------------------------------------------------------------------------ */

/* OpenID Connect Discovery 1.0 and RFC 8414, as far as it is true: there is no authorization or token endpoint, and no grant, so no member
 * speaks of one, and none stands empty. */
static void discovery_page(struct ctx *c, struct exchange *x)
{
        str issuer = config_str(config(c), "issuer");
        struct jw w = { .b = x->body };

        while (str_ends(issuer, STR("/")))
                issuer.n--;
        res_header(c, x, "content-type", STR("application/json"));
        jw_object(&w);
        jw_key(&w, "issuer");
        jw_str(&w, config_str(config(c), "issuer"));
        jw_key(&w, "jwks_uri");
        jw_str(&w, arena_printf(c->arena, STR_FMT "/oauth2/jwks", STR_ARG(issuer)));
        jw_key(&w, "scopes_supported");
        jw_array(&w);
        for (str rest = str_of(all_scopes), scope; rest.p && (scope = str_split(&rest, ' '), true);)
                jw_str(&w, scope);
        jw_array_end(&w);
        jw_key(&w, "subject_types_supported");
        jw_raw(&w, STR("[\"public\"]"));
        jw_key(&w, "service_documentation");
        jw_str(&w, arena_printf(c->arena, STR_FMT "/docs", STR_ARG(issuer)));
        jw_object_end(&w);
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

/*  operation        takes        gives         */
OP( key_rotate,      nothing,     key_made     );
OP( keys_list,       nothing,     signing_keys );
OP( keys_turn,       nothing,     nothing      );
OP( identity_keys,   nothing,     jwks         );

static const struct setting settings[] = {
        { "identity.access-time", SET_MS, "5m", SECONDS(1), HOURS(24),
          .doc = "how long an access token is good for; an account that is blocked or changed is so everywhere after that time" },
        { "identity.key-days", SET_INT, "30", 0, 3650, .doc = "a new signing key when the newest is older than so many days; 0: only by hand" },
        { 0 } };

#define REFUSES(...) .slugs = (const char *const[]){ __VA_ARGS__, NULL }
#define OWN          "no_such_user", "account_blocked"

const struct service identity_service = {
        .name = "identity",
        .doc  = "Knows who somebody is, and signs the tokens that say so.",
        .has_db = true,
        ROUTES(
                /* accounts.c */
                POST("/v1/users", user_create, .who = ANYONE, .status = 201, .location = "/v1/users/{id}", .version = "version",
                     .doc = "Makes an account: one's own, or with users:write somebody else's.", REFUSES("email_taken", "role_not_yours_to_give")),
                GET("/v1/me", me_get, .who = USER, .version = "version", .doc = "Who the token says you are.", REFUSES(OWN)),
                PATCH("/v1/me", me_change, .who = USER, .version = "version", .if_match = NEEDS_IF_MATCH, .patches = &me_now_op,
                      .doc = "Changes one's name, or with the password one's e-mail address.", REFUSES(OWN, "email_taken", "wrong_password", "too_many_attempts")),
                PUT("/v1/me/password", me_password, .who = USER,
                    .doc = "A new password, for the old one; ends all other sessions.", REFUSES(OWN, "wrong_password", "too_many_attempts", "conflict")),
                POST("/v1/me/deletion", me_delete, .who = USER,
                     .doc = "Ends one's account: what is kept of the person goes.", REFUSES(OWN, "wrong_password", "too_many_attempts", "last_admin", "conflict")),
                { .method = GET, .path = "/v1/me/export", .raw = export_page, .op = &me_export_op, .who = USER,
                  .doc = "All that is kept of oneself here, as a download, and where the rest is.", REFUSES(OWN) },
                /* addresses.c */
                GET("/v1/me/addresses", addresses_list, .who = USER, .page = &addresses_paging, .doc = "One's own addresses."),
                POST("/v1/me/addresses", address_create, .who = USER, .idempotent = true, .status = 201, .location = "/v1/me/addresses/{id}", .version = "version",
                     .doc = "Another address; 20 at most, and the first is the default.", REFUSES(OWN, "too_many_addresses")),
                GET("/v1/me/addresses/{id}", address_get, .who = USER, .version = "version", .doc = "An own address.", REFUSES("no_such_address")),
                PUT("/v1/me/addresses/{id}", address_replace, .who = USER, .version = "version", .if_match = NEEDS_IF_MATCH,
                    .doc = "Replaces an own address.", REFUSES(OWN, "no_such_address", "default_address_needed")),
                PATCH("/v1/me/addresses/{id}", address_replace, .who = USER, .version = "version", .if_match = NEEDS_IF_MATCH, .patches = &address_now_op,
                      .doc = "Changes an own address.", REFUSES(OWN, "no_such_address", "default_address_needed")),
                DELETE("/v1/me/addresses/{id}", address_delete, .who = USER, .if_match = NEEDS_IF_MATCH,
                       .doc = "Deletes an own address; the newest one left becomes the default when this was it.", REFUSES(OWN, "no_such_address")),
                /* sessions.c */
                POST("/v1/sessions", session_open, .who = ANYONE, .status = 201, .location = "/v1/sessions/current",
                     .doc = "Logs in.", REFUSES("wrong_credentials", "account_blocked", "too_many_attempts")),
                POST("/v1/sessions/refresh", session_refresh, .who = ANYONE,
                     .doc = "New tokens for a refresh token, which is then spent.", REFUSES("invalid_refresh_token")),
                GET("/v1/sessions", sessions_list, .who = USER, .page = &sessions_paging, .doc = "One's own living sessions."),
                GET("/v1/sessions/current", session_get, .who = USER, .doc = "The session that the token is of.", REFUSES("no_such_session")),
                DELETE("/v1/sessions/current", session_close, .who = USER,
                       .doc = "Logs out: the session's refresh tokens end; its access token lives out its minutes."),
                DELETE("/v1/sessions/others", sessions_others, .who = USER, .doc = "Logs out everywhere but here."),
                DELETE("/v1/sessions/{id}", session_drop, .who = USER, .doc = "Ends an own session.", REFUSES("no_such_session")),
                /* users.c */
                GET("/v1/users", users_list, .who = STAFF, .scope = "users:read", .page = &users_paging, .doc = "Users, newest first."),
                GET("/v1/users/{id}", user_get, .who = USER, .version = "version", .doc = "A user: oneself, or with users:read anybody.", REFUSES("no_such_user")),
                PATCH("/v1/users/{id}", user_change, .who = ADMIN, .scope = "users:write", .version = "version", .if_match = NEEDS_IF_MATCH, .patches = &user_now_op,
                      .doc = "Changes a user's name, e-mail address or role, or blocks the account.", REFUSES("no_such_user", "email_taken", "last_admin")),
                DELETE("/v1/users/{id}", user_delete, .who = ADMIN, .scope = "users:write", .if_match = NEEDS_IF_MATCH,
                       .doc = "Ends a user's account.", REFUSES("no_such_user", "last_admin")),
                PUT("/v1/users/{id}/password", user_password, .who = ADMIN, .scope = "users:write",
                    .doc = "Gives a user a password, and ends the sessions there were.", REFUSES("no_such_user")),
                DELETE("/v1/users/{id}/sessions", user_sessions_end, .who = ADMIN, .scope = "users:write",
                       .doc = "Ends all sessions of a user.", REFUSES("no_such_user")),
                /* keys and discovery */
                POST("/v1/keys", key_rotate, .who = ADMIN, .scope = "keys:write", .status = 201, .location = "/v1/keys",
                     .doc = "A new signing key: it signs from 75 s on, when everybody knows it; the old one verifies for an hour more.", REFUSES("too_many_keys")),
                GET("/v1/keys", keys_list, .who = ADMIN, .scope = "keys:write", .doc = "The signing keys that are published, newest first; never their private halves."),
                { .method = GET, .path = "/oauth2/jwks", .raw = jwks_page, .media = "application/jwk-set+json", .who = ANYONE,
                  .cache_control = "public, max-age=60", .doc = "The public keys (RFC 7517)." },
                { .method = GET, .path = "/.well-known/openid-configuration", .raw = discovery_page, .who = ANYONE, .cache_control = "public, max-age=3600",
                  .doc = "Where the keys are and which scopes there are (OpenID Connect Discovery, RFC 8414)." }),
        CALLS(&identity_keys_op, &identity_user_op, &identity_ensure_op, &identity_address_op),
        JOBS(EVERY(MINUTES(15), "tidy-sessions", sessions_tidy), EVERY(HOURS(1), "rotate-keys", keys_turn)),
        EMITS(&user_registered, &user_changed, &user_deleted),
        CONSTRAINTS({ "one_account_an_email", "email_taken", "there is an account with this e-mail address" },
                    { "one_default_address",  "conflict",    "another change of the addresses came first; try again" }),
        SLUGS({ "email_taken",            409, "There is an account with this e-mail address." },
              { "wrong_credentials",      401, "The e-mail address or the password is wrong; which of them is not said." },
              { "wrong_password",         403, "The account's current password is something else." },
              { "too_many_attempts",      429, "Too many failed attempts at a password for this name or from this address." },
              { "invalid_refresh_token",  401, "The refresh token is spent, expired, revoked or not ours." },
              { "account_blocked",        403, "The account is blocked. An administrator may let it in again." },
              { "role_not_yours_to_give", 403, "A new account may get the role customer; with users:write vendor too, and administrators give any." },
              { "last_admin",             409, "Somebody must be left who administers." },
              { "no_such_user",           404, "There is no such user, or it is not yours to see." },
              { "no_such_session",        404, "There is no such session of yours, or it has ended." },
              { "no_such_address",        404, "There is no such address, or it is somebody else's." },
              { "too_many_keys",          409, "There are 12 living keys already." },
              { "too_many_addresses",     409, "There are 20 addresses already." },
              { "default_address_needed", 409, "The default stays the default until another address becomes it." }),
        .migrations  = identity_migrations,
        .queries     = identity_queries,
        .settings    = settings,
        .state_bytes = sizeof(struct state),
        .start       = start,
        .stop        = stop,
};
