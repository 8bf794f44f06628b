/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity_sessions_test.c - living sessions, keys that turn by themselves, and discovery, on a real PostgreSQL. */
#include "visitors.h"

/* The id of the first item of a list whose `current` is this. */
static const char *session_of(struct visitor *v, struct http_answer a, const char *current)
{
        struct json_walk walk = json_open(member(a, "items"));
        str item;

        while (json_next_element(&walk, &item)) {
                str id = json_member(item, "id");
                if (str_eq(json_member(item, "current"), str_of(current))) return z(v, str_cut(id, 1, id.n - 1));
        }
        return NULL;
}

static int lives(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org"), phone = ada, tablet = ada, bob = visitor(w, c, "bob@example.org");
        struct http_answer a;
        const char *other;

        CHECK_EQ(log_in(&phone).status, 201);
        CHECK_EQ(log_in(&tablet).status, 201);
        a = ask(&phone, GET, "/v1/sessions", NULL);
        CHECK_EQ(a.status, 200);
        CHECK(memmem(a.body.p, a.body.n, "192.0.2.1", 9) != NULL);
        CHECK_STR(text(ask(&phone, GET, "/v1/sessions/current", NULL), "id"), session_of(&phone, a, "true"));
        other = session_of(&phone, a, "false");                                 /* the newest other: the tablet's */
        CHECK(other != NULL);
        CHECK(says(ask(&bob, DELETE, path_of(&bob, "/v1/sessions", str_of(other)), NULL), 404, "no_such_session"));
        CHECK_EQ(renew_session(&tablet), 200);
        CHECK_EQ(ask(&phone, DELETE, path_of(&phone, "/v1/sessions", str_of(other)), NULL).status, 204);
        CHECK_EQ(renew_session(&tablet), 401);
        CHECK(says(ask(&phone, DELETE, path_of(&phone, "/v1/sessions", str_of(other)), NULL), 404, "no_such_session"));
        CHECK(says_of(ask(&phone, DELETE, "/v1/sessions/no-id", NULL), 400, "invalid", "id"));
        CHECK_EQ(ask(&phone, DELETE, "/v1/sessions/others", NULL).status, 204);
        CHECK_EQ(renew_session(&ada), 401);
        CHECK_EQ(renew_session(&phone), 200);
        CHECK_EQ(renew_session(&bob), 200);
        CHECK_EQ(ask(&phone, DELETE, "/v1/sessions/current", NULL).status, 204);
        CHECK_EQ(renew_session(&phone), 401);
        CHECK(says(ask(&phone, GET, "/v1/sessions/current", NULL), 404, "no_such_session"));
        CHECK_EQ(ask(&phone, DELETE, "/v1/sessions/current", NULL).status, 204);        /* twice is no mistake */
        CHECK_STR(member(ask(&phone, GET, "/v1/sessions", NULL), "items"), "[]");
        return 0;
}

TEST(sessions_are_listed_and_ended_by_their_owner_only) { CHECK_OK(run_main(lives, NULL)); }

static int capped(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org"), bob = visitor(w, c, "bob@example.org"), first = ada;

        CHECK_OK(execute(w, "identity", "insert into session (id, user_id, refresh_no, created_at, expires_at, last_used_at) "
                         "select gen_random_uuid(), id, 1, now(), now() + interval '1 day', now() from users, generate_series(1, 150)"));
        CHECK_EQ(log_in(&ada).status, 201);
        CHECK_EQ(number(w, "identity", z(&ada, arena_printf(c->arena, "select count(*) from session where revoked_at is null and user_id = '%s'", ada.id))), 100);
        CHECK_EQ(renew_session(&ada), 200);
        CHECK_EQ(renew_session(&first), 401);
        CHECK_EQ(renew_session(&bob), 200);
        return 0;
}

TEST(the_hundred_newest_sessions_of_a_user_live) { CHECK_OK(run_main(capped, NULL)); }

static int keys_turn(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);

        run_job(w, "identity", "rotate-keys");
        CHECK_EQ(rows(w, "identity", "signing_key"), 1);
        CHECK_OK(execute(w, "identity", "update signing_key set created_at = now() - interval '29 days'"));
        run_job(w, "identity", "rotate-keys");
        CHECK_EQ(rows(w, "identity", "signing_key"), 1);
        CHECK_OK(execute(w, "identity", "update signing_key set created_at = now() - interval '31 days'"));
        run_job(w, "identity", "rotate-keys");
        run_job(w, "identity", "rotate-keys");
        CHECK_EQ(rows(w, "identity", "signing_key where retired_at is null"), 1);
        CHECK_EQ(rows(w, "identity", "signing_key where retired_at is not null"), 1);
        return 0;
}

TEST(a_key_that_is_a_month_old_is_replaced_once) { CHECK_OK(run_main(keys_turn, NULL)); }

static int keys_shown(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct http_answer a;
        int made = 1;

        CHECK_EQ(http(w, "admin", POST, "/v1/keys", NULL).status, 201);
        a = http(w, "admin", GET, "/v1/keys", NULL);
        CHECK_EQ(a.status, 200);
        CHECK(memmem(a.body.p, a.body.n, "\"state\":\"ripens\"", 16) != NULL);
        CHECK(memmem(a.body.p, a.body.n, "\"state\":\"signs\"", 15) != NULL);
        CHECK(memmem(a.body.p, a.body.n, "\"d\":", 4) == NULL);
        CHECK_OK(execute(w, "identity", "update signing_key set created_at = created_at - interval '2 minutes'"));
        a = http(w, "admin", GET, "/v1/keys", NULL);
        CHECK(memmem(a.body.p, a.body.n, "\"state\":\"ripens\"", 16) == NULL);
        CHECK(memmem(a.body.p, a.body.n, "\"state\":\"verifies\"", 18) != NULL);
        while (made++ < 20 && (a = http(w, "admin", POST, "/v1/keys", NULL)).status == 201);
        CHECK(says(a, 409, "too_many_keys"));
        CHECK_EQ(rows(w, "identity", "signing_key"), 12);
        CHECK_OK(execute(w, "identity", "update signing_key set retired_at = now() - interval '2 days' where retired_at is not null"));
        run_job(w, "identity", "rotate-keys");
        CHECK_EQ(rows(w, "identity", "signing_key"), 1);
        return 0;
}

TEST(keys_are_shown_without_their_private_halves_bounded_and_forgotten) { CHECK_OK(run_main(keys_shown, NULL)); }

static int told(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct http_answer a = http(w, NULL, GET, "/.well-known/openid-configuration", NULL);

        CHECK_EQ(a.status, 200);
        CHECK_STR(header_get(&a.headers, "content-type"), "application/json");
        CHECK_STR(text(a, "issuer"), "https://souk.local");
        CHECK_STR(text(a, "jwks_uri"), "https://souk.local/oauth2/jwks");
        CHECK_STR(member(a, "subject_types_supported"), "[\"public\"]");
        CHECK(memmem(a.body.p, a.body.n, "\"orders:write\"", 14) != NULL);
        CHECK(!member(a, "token_endpoint").p && !member(a, "authorization_endpoint").p && !member(a, "response_types_supported").p);
        return 0;
}

TEST(discovery_says_what_is_there_and_nothing_that_is_not) { CHECK_OK(run_main(told, NULL)); }

TEST_MAIN
