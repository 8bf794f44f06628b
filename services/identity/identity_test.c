/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity_test.c - accounts, sessions and keys, on a real PostgreSQL, through the ways in. */
#include "test.h"
#include "world.h"
#include "identity/identity.h"
#include "json.h"
#include "loop.h"
#include "pool.h"
#include <semaphore.h>

static struct http_answer post(struct world *w, const char *path, const char *body)
{
        return http(w, NULL, POST, path, body);
}

static str member(struct http_answer a, const char *name)
{
        return json_member(a.body, name);
}

static bool says(struct http_answer a, int status, const char *slug)
{
        str s = member(a, "slug");
        bool right = a.status == status && s.n == strlen(slug) + 2 && !memcmp(s.p + 1, slug, strlen(slug));
        if (!right) print_error("%d " STR_FMT "\n", a.status, STR_ARG(a.body));
        return right;
}

static const char *ada = "{\"email\":\"Ada@Example.org\",\"password\":\"correct horse\",\"name\":\"Ada\"}";
static const char *ada_logs_in = "{\"email\":\"ada@example.ORG\",\"password\":\"correct horse\"}";

static int account_and_session(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct http_answer a = post(w, "/v1/users", ada);

        CHECK_EQ(a.status, 201);
        CHECK(header_get(&a.headers, "location").n > 0);
        CHECK(!memmem(a.body.p, a.body.n, "correct horse", 13));
        CHECK(says(post(w, "/v1/users", ada), 409, "email_taken"));
        CHECK_EQ(rows(w, "identity", "users"), 1);
        CHECK_EQ(number(w, "identity", "select count(*) from users where password like '$argon2id$%'"), 1);

        a = post(w, "/v1/sessions", ada_logs_in);
        CHECK_EQ(a.status, 201);
        CHECK(member(a, "access_token").n > 100);
        CHECK_EQ(rows(w, "identity", "session"), 1);
        CHECK(says(post(w, "/v1/sessions", "{\"email\":\"ada@example.org\",\"password\":\"wrong horse\"}"), 401, "wrong_credentials"));
        CHECK(says(post(w, "/v1/sessions", "{\"email\":\"nobody@example.org\",\"password\":\"correct horse\"}"), 401, "wrong_credentials"));
        CHECK_EQ(rows(w, "identity", "session"), 1);
        return 0;
}

TEST(an_account_is_made_once_and_logs_in_whatever_the_case_of_its_address) { CHECK_OK(run_main(account_and_session, NULL)); }

static int64_t cpu_of(struct world *w, const char *body)
{
        int64_t before = clock_cpu_us();
        CHECK_EQ(post(w, "/v1/sessions", body).status, 401);
        return clock_cpu_us() - before;
}

static int same_work(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        int64_t wrong, nobody;

        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        wrong  = cpu_of(w, "{\"email\":\"ada@example.org\",\"password\":\"wrong horse\"}");
        nobody = cpu_of(w, "{\"email\":\"nobody@example.org\",\"password\":\"wrong horse\"}");
        CHECK(nobody > wrong / 2 && nobody < wrong * 2);
        return 0;
}

TEST(a_name_that_nobody_has_costs_as_much_as_a_wrong_password) { CHECK_OK(run_main(same_work, NULL)); }

/* {"refresh_token":"..."} of an answer, for the next question. */
static const char *refresh_of(struct ctx *c, struct http_answer a)
{
        return arena_z(c->arena, arena_printf(c->arena, "{\"refresh_token\":" STR_FMT "}", STR_ARG(member(a, "refresh_token"))));
}

static int rotation(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct http_answer first, second;
        const char *old;

        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        first = post(w, "/v1/sessions", ada_logs_in);
        old = refresh_of(c, first);
        second = post(w, "/v1/sessions/refresh", old);
        CHECK_EQ(second.status, 200);
        CHECK(says(post(w, "/v1/sessions/refresh", old), 401, "invalid_refresh_token"));
        CHECK(says(post(w, "/v1/sessions/refresh", refresh_of(c, second)), 401, "invalid_refresh_token"));   /* the whole family went */
        CHECK_EQ(rows(w, "identity", "session where revoked_why = 'refresh token reused'"), 1);
        CHECK(says(post(w, "/v1/sessions/refresh", "{\"refresh_token\":\"AAAA\"}"), 401, "invalid_refresh_token"));
        return 0;
}

TEST(a_refresh_token_is_good_once_and_showing_it_again_ends_the_session) { CHECK_OK(run_main(rotation, NULL)); }

static int tidied(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        const char *living;

        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        CHECK_EQ(post(w, "/v1/sessions", ada_logs_in).status, 201);
        CHECK_OK(execute(w, "identity", "update session set expires_at = now() - interval '1 second'"));
        living = refresh_of(c, post(w, "/v1/sessions", ada_logs_in));
        CHECK_EQ(rows(w, "identity", "session"), 2);
        run_job(w, "identity", "tidy-sessions");
        CHECK_EQ(rows(w, "identity", "session"), 1);
        CHECK_EQ(post(w, "/v1/sessions/refresh", living).status, 200);
        return 0;
}

TEST(sessions_that_have_run_out_are_forgotten) { CHECK_OK(run_main(tidied, NULL)); }

static int forged(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        char body[200];
        str token;

        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        token = member(post(w, "/v1/sessions", ada_logs_in), "refresh_token");
        snprintf(body, sizeof body, "{\"refresh_token\":" STR_FMT "}", STR_ARG(token));
        body[strlen("{\"refresh_token\":\"") + 24] ^= 1;                        /* its number: one that was never given */
        CHECK(says(post(w, "/v1/sessions/refresh", body), 401, "invalid_refresh_token"));
        CHECK_EQ(rows(w, "identity", "session where revoked_at is not null"), 0);
        return 0;
}

TEST(a_forged_refresh_token_does_not_end_the_session_it_names) { CHECK_OK(run_main(forged, NULL)); }

static int throttled(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct http_answer a = { 0 };
        int tries = 0;

        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        while (tries++ < 20 && (a = post(w, "/v1/sessions", "{\"email\":\"ada@example.org\",\"password\":\"guess\"}")).status == 401);
        CHECK_EQ(tries, 11);
        CHECK(says(a, 429, "too_many_attempts"));
        CHECK(header_get(&a.headers, "retry-after").n > 0);
        CHECK(says(post(w, "/v1/sessions", ada_logs_in), 429, "too_many_attempts"));
        return 0;
}

TEST(ten_wrong_passwords_make_a_name_wait) { CHECK_OK(run_main(throttled, NULL)); }

static int unjudged(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);

        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        CHECK_OK(execute(w, "identity", "alter table users rename to users_away"));
        for (int i = 0; i < 12; i++) CHECK(post(w, "/v1/sessions", ada_logs_in).status >= 500);
        CHECK_OK(execute(w, "identity", "alter table users_away rename to users"));
        CHECK_EQ(post(w, "/v1/sessions", ada_logs_in).status, 201);
        return 0;
}

TEST(an_attempt_that_could_not_be_judged_does_not_count) { CHECK_OK(run_main(unjudged, NULL)); }

struct guess { struct world *w; int status; };

static int guess(struct ctx *c, void *arg)
{
        struct guess *g = arg;
        (void)c;
        g->status = post(g->w, "/v1/sessions", "{\"email\":\"ada@example.org\",\"password\":\"guess\"}").status;
        return 0;
}

static int burst(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct guess all[30];
        int judged = 0;

        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        GROUP(g, c);
        for (size_t i = 0; i < COUNT(all); i++) {
                all[i] = (struct guess){ w, 0 };
                CHECK_OK(group_go(g, guess, &all[i]));
        }
        CHECK_OK(group_wait(g));
        for (size_t i = 0; i < COUNT(all); i++) judged += all[i].status == 401;
        CHECK_EQ(judged, 10);
        return 0;
}

TEST(thirty_guesses_at_once_are_ten) { CHECK_OK(run_main(burst, NULL)); }

static int keys_turn(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct jwks before, after;
        struct http_answer tokens, me;
        const char *bearer;

        keys_of(w, &identity_keys_op);
        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        tokens = post(w, "/v1/sessions", ada_logs_in);
        bearer = arena_z(c->arena, arena_printf(c->arena, "GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " STR_FMT "\r\n\r\n",
                         STR_ARG(str_cut(member(tokens, "access_token"), 1, member(tokens, "access_token").n - 1))));
        me = http_message(w, NULL, bearer);
        CHECK_EQ(me.status, 200);
        me = http(w, NULL, GET, "/oauth2/jwks", NULL);
        CHECK_STR(header_get(&me.headers, "cache-control"), "public, max-age=60");
        CHECK_EQ(header_count(&me.headers, "cache-control"), 1);
        CHECK_OK(identity_keys_call(as(w, "service"), &(struct nothing){ 0 }, &before));
        CHECK_EQ(http(w, "admin", POST, "/v1/keys", "{}").status, 201);
        CHECK_EQ(http(w, "alice", POST, "/v1/keys", "{}").status, 403);
        CHECK_OK(identity_keys_call(as(w, "service"), &(struct nothing){ 0 }, &after));
        CHECK(after.keys.n > before.keys.n);                                    /* the old one is still there */
        CHECK_EQ(http_message(w, NULL, bearer).status, 200);
        CHECK_EQ(rows(w, "identity", "signing_key where retired_at is null"), 1);
        CHECK_EQ(rows(w, "identity", "signing_key where position('\"d\"' in encode(sealed_jwk, 'escape')) > 0 or public_jwk like '%\"d\"%'"), 0);
        return 0;
}

TEST(a_new_signing_key_logs_nobody_out) { CHECK_OK(run_main(keys_turn, NULL)); }

static struct http_answer me(struct ctx *c, struct world *w, struct http_answer tokens)
{
        str token = member(tokens, "access_token");
        return http_message(w, NULL, arena_z(c->arena, arena_printf(c->arena, "GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " STR_FMT "\r\n\r\n",
                            STR_ARG(str_cut(token, 1, token.n - 1)))));
}

/* It names the key, and nothing else of it changes. */
static str token_header(struct http_answer tokens)
{
        str rest = member(tokens, "access_token");
        return str_split(&rest, '.');
}

static int key_ripens(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1790000000LL * 1000000 });
        WORLD(w, c, &identity_service);
        struct http_answer before, after;

        keys_of(w, &identity_keys_op);
        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        before = post(w, "/v1/sessions", ada_logs_in);
        CHECK_EQ(me(c, w, before).status, 200);                                 /* the keys are known here, and not asked for again at once */
        CHECK_EQ(http(w, "admin", POST, "/v1/keys", "{}").status, 201);
        after = post(w, "/v1/sessions", ada_logs_in);
        CHECK_EQ(me(c, w, after).status, 200);
        CHECK(str_eq(token_header(before), token_header(after)));
        clock_advance(80000);
        after = post(w, "/v1/sessions", ada_logs_in);
        CHECK(!str_eq(token_header(before), token_header(after)));
        CHECK_EQ(me(c, w, after).status, 200);
        CHECK_EQ(me(c, w, before).status, 200);
        clock_real();
        return 0;
}

TEST(a_new_key_signs_only_when_everybody_may_know_it) { CHECK_OK(run_main(key_ripens, NULL)); }

struct renewal { struct world *w; const char *body; sem_t go; struct http_answer answer; };

static int renew(struct ctx *c, void *arg)
{
        struct renewal *r = arg;
        (void)c;
        r->answer = post(r->w, "/v1/sessions/refresh", r->body);
        return 0;
}

static int hold_thread(void *arg)
{
        return sem_wait(arg);
}

static int hold_pool(struct ctx *c, void *arg)
{
        return pool_run(c, hold_thread, &((struct renewal *)arg)->go);
}

enum { POOL_THREADS = 2 };

static int key_goes_while_it_signs(struct ctx *c, void *arg)
{
        (void)arg;
        clock_fake((when){ 1790000000LL * 1000000 });
        WORLD(w, c, &identity_service);
        struct renewal r = { .w = w };
        struct jwks keys;

        keys_of(w, &identity_keys_op);
        CHECK_EQ(sem_init(&r.go, 0, 0), 0);
        CHECK_EQ(post(w, "/v1/users", ada).status, 201);
        r.body = refresh_of(c, post(w, "/v1/sessions", ada_logs_in));
        CHECK_EQ(http(w, "admin", POST, "/v1/keys", "{}").status, 201);
        clock_advance(74000);
        CHECK_OK(identity_keys_call(as(w, "service"), &(struct nothing){ 0 }, &keys));
        GROUP(g, c);
        for (int i = 0; i < POOL_THREADS; i++)
                CHECK_OK(group_go(g, hold_pool, &r));
        CHECK_OK(group_go(g, renew, &r));
        while (rows(w, "identity", "session where refresh_no = 2") == 0) { }
        for (int i = 0; i < 10; i++) fiber_yield();                             /* its signature waits for a thread */
        clock_advance(6000);
        CHECK_OK(identity_keys_call(as(w, "service"), &(struct nothing){ 0 }, &keys));   /* the new key takes over */
        for (int i = 0; i < POOL_THREADS; i++) sem_post(&r.go);
        CHECK_OK(group_wait(g));
        CHECK_EQ(r.answer.status, 200);
        CHECK_EQ(me(c, w, r.answer).status, 200);
        sem_destroy(&r.go);
        clock_real();
        return 0;
}

TEST(a_token_that_waits_to_be_signed_keeps_its_key) { CHECK_OK(run_main(key_goes_while_it_signs, NULL)); }

static int refusals(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);

        CHECK(says(post(w, "/v1/users", "{\"email\":\"no\",\"password\":\"short\",\"name\":\"\"}"), 400, "invalid"));
        CHECK(says(post(w, "/v1/users", "{\"email\":\"a@example.org\",\"password\":\"long enough\",\"name\":\"A\",\"role\":\"admin\"}"), 403, "role_not_yours_to_give"));
        CHECK(says(post(w, "/v1/users", "{\"email\":1}"), 400, "invalid"));
        CHECK(says(post(w, "/v1/users", "{"), 400, "invalid"));
        CHECK_EQ(http(w, NULL, GET, "/v1/me", NULL).status, 401);
        CHECK_EQ(http(w, NULL, DELETE, "/v1/sessions/current", NULL).status, 401);
        CHECK_EQ(http(w, NULL, POST, "/v1/keys", "{}").status, 401);
        CHECK_EQ(post(w, "/v1/users", "{\"email\":\"o'neill@example.org\",\"password\":\"'; drop table users; --\",\"name\":\"'); delete from users; --\"}").status, 201);
        CHECK_EQ(rows(w, "identity", "users"), 1);
        return 0;
}

TEST(bad_accounts_are_refused_by_field_and_sql_in_a_name_is_a_name) { CHECK_OK(run_main(refusals, NULL)); }

static int addresses_by_ref(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct user u;
        struct address a;

        CHECK_OK(identity_ensure_call(as(w, "service"), &(struct account){ STR("ada@example.org"), STR("correct horse"), STR("Ada"), 0 }, &u));
        CHECK_FAILS(w, NOT_FOUND, "no_such_address", identity_address_call(as(w, "service"), &(struct address_ref){ .user = u.id }, &a));
        CHECK_OK(execute(w, "identity", "insert into address (id, user_id, name, line1, city, country, is_default, created_at, updated_at) "
                 "select gen_random_uuid(), id, 'Ada', v.line1, 'London', 'GB', v.line1 = 'home', now(), now() from users, (values ('home'), ('work')) v (line1)"));
        CHECK_OK(identity_address_call(as(w, "service"), &(struct address_ref){ .user = u.id }, &a));
        CHECK_STR(a.line1, "home");
        CHECK_STR(a.country, "GB");
        CHECK(!a.phone.p);
        CHECK_OK(identity_address_call(as(w, "service"), &(struct address_ref){ .user = u.id, .id = a.id }, &a));
        CHECK_FAILS(w, NOT_FOUND, "no_such_address", identity_address_call(as(w, "service"), &(struct address_ref){ .user = who_id("bob"), .id = a.id }, &a));
        return 0;
}

TEST(an_address_is_found_by_its_owner_and_id_or_as_the_default) { CHECK_OK(run_main(addresses_by_ref, NULL)); }

TEST_MAIN
