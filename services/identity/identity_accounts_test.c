/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity_accounts_test.c - one's own account on a real PostgreSQL, through the ways in: changed, given a new password, left, taken along. */
#include "visitors.h"

static int renamed(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct http_answer a = ask(&ada, GET, "/v1/me", NULL);
        const char *first = etag_of(&ada, a);

        CHECK_STR(member(a, "version"), "1");
        CHECK(says(ask(&ada, PATCH, "/v1/me", "{\"name\":\"Ada\"}"), 428, "precondition_required"));
        a = ask_with(&ada, PATCH, "/v1/me", first, NULL, "{\"name\":\"Ada King\"}");
        CHECK_EQ(a.status, 200);
        CHECK_STR(text(a, "name"), "Ada King");
        CHECK_STR(text(a, "email"), "ada@example.org");
        CHECK_STR(member(a, "version"), "2");
        CHECK(says(ask_with(&ada, PATCH, "/v1/me", first, NULL, "{\"name\":\"Lost\"}"), 412, "stale"));
        CHECK(says_of(change(&ada, PATCH, "/v1/me", "{\"name\":\"\"}"), 400, "invalid", "/name"));
        CHECK(says_of(change(&ada, PATCH, "/v1/me", "{\"name\":null}"), 400, "invalid", "/name"));
        CHECK(says_of(change(&ada, PATCH, "/v1/me", "{\"role\":\"admin\"}"), 400, "invalid", "/role"));
        CHECK_STR(text(ask(&ada, GET, "/v1/me", NULL), "name"), "Ada King");
        CHECK_EQ(events(w, "identity", "user.registered"), 1);
        CHECK_EQ(events(w, "identity", "user.changed"), 1);
        return 0;
}

TEST(a_name_is_changed_by_who_has_read_the_account_and_by_nobody_who_is_late) { CHECK_OK(run_main(renamed, NULL)); }

static int moved(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "Ada@Example.org");
        struct visitor bob = visitor(w, c, "bob@example.org");

        CHECK(says_of(change(&ada, PATCH, "/v1/me", "{\"email\":\"king@example.org\"}"), 400, "invalid", "/password"));
        CHECK(says_of(change(&ada, PATCH, "/v1/me", "{\"email\":\"king@example.org\",\"password\":\"wrong horse\"}"), 403, "wrong_password", "/password"));
        CHECK(says_of(change(&ada, PATCH, "/v1/me", "{\"email\":\"BOB@example.org\",\"password\":\"correct horse\"}"), 409, "email_taken", "/email"));
        CHECK(says_of(change(&ada, PATCH, "/v1/me", "{\"email\":\"no address\",\"password\":\"correct horse\"}"), 400, "invalid", "/email"));
        CHECK_EQ(events(w, "identity", "user.changed"), 0);

        CHECK_EQ(change(&ada, PATCH, "/v1/me", "{\"email\":\"ada@example.ORG\"}").status, 200);         /* the same address, written otherwise */
        CHECK_EQ(change(&ada, PATCH, "/v1/me", "{\"email\":\"king@example.org\",\"password\":\"correct horse\"}").status, 200);
        CHECK(says(log_in(&ada), 401, "wrong_credentials"));
        ada.email = "King@example.org";
        CHECK_EQ(log_in(&ada).status, 201);
        CHECK_EQ(log_in(&bob).status, 201);
        CHECK_EQ(events(w, "identity", "user.changed"), 2);
        return 0;
}

TEST(another_email_address_needs_the_password_and_is_then_the_one_to_log_in_with) { CHECK_OK(run_main(moved, NULL)); }

static int new_password(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org"), elsewhere = ada;

        CHECK_EQ(log_in(&elsewhere).status, 201);
        CHECK(says_of(ask(&ada, PUT, "/v1/me/password", "{\"current_password\":\"correct horse\",\"new_password\":\"short\"}"), 400, "invalid", "/new_password"));
        CHECK(says_of(ask(&ada, PUT, "/v1/me/password", "{\"new_password\":\"long enough\"}"), 400, "invalid", "/current_password"));
        CHECK(says_of(ask(&ada, PUT, "/v1/me/password", "{\"current_password\":\"wrong horse\",\"new_password\":\"long enough\"}"), 403, "wrong_password", "/current_password"));
        CHECK_EQ(renew_session(&elsewhere), 200);
        CHECK_EQ(ask(&ada, PUT, "/v1/me/password", "{\"current_password\":\"correct horse\",\"new_password\":\"staple wrong donkey\"}").status, 204);
        CHECK_EQ(renew_session(&elsewhere), 401);
        CHECK_EQ(renew_session(&ada), 200);
        CHECK(says(log_in(&elsewhere), 401, "wrong_credentials"));
        elsewhere.password = "staple wrong donkey";
        CHECK_EQ(log_in(&elsewhere).status, 201);
        return 0;
}

TEST(a_new_password_ends_every_other_session_and_the_old_password) { CHECK_OK(run_main(new_password, NULL)); }

static int guessed(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct http_answer a = { 0 };
        int tries = 0;

        while (tries++ < 20 && (a = ask(&ada, PUT, "/v1/me/password", "{\"current_password\":\"guess\",\"new_password\":\"long enough\"}")).status == 403);
        CHECK_EQ(tries, 11);
        CHECK(says(a, 429, "too_many_attempts"));
        CHECK(header_get(&a.headers, "retry-after").n > 0);
        CHECK(says(ask(&ada, POST, "/v1/me/deletion", "{\"password\":\"correct horse\"}"), 429, "too_many_attempts"));
        CHECK(says(change(&ada, PATCH, "/v1/me", "{\"email\":\"x@example.org\",\"password\":\"correct horse\"}"), 429, "too_many_attempts"));
        CHECK(says(log_in(&ada), 429, "too_many_attempts"));
        return 0;
}

TEST(a_stolen_access_token_is_no_way_around_the_throttle_of_passwords) { CHECK_OK(run_main(guessed, NULL)); }

static const char *home = "{\"name\":\"Ada\",\"line1\":\"1 Home Street\",\"city\":\"London\",\"country\":\"GB\"}";

static int left(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct visitor bob = visitor(w, c, "bob@example.org");

        CHECK_EQ(ask_with(&ada, POST, "/v1/me/addresses", NULL, "first", home).status, 201);
        CHECK_EQ(ask_with(&bob, POST, "/v1/me/addresses", NULL, "first", home).status, 201);
        CHECK(says_of(ask(&ada, POST, "/v1/me/deletion", "{\"password\":\"wrong horse\"}"), 403, "wrong_password", "/password"));
        CHECK(says_of(ask(&ada, POST, "/v1/me/deletion", "{}"), 400, "invalid", "/password"));
        CHECK_EQ(rows(w, "identity", "users where deleted_at is null"), 2);
        CHECK_EQ(ask(&ada, POST, "/v1/me/deletion", "{\"password\":\"correct horse\"}").status, 204);

        CHECK(says(ask(&ada, GET, "/v1/me", NULL), 404, "no_such_user"));
        CHECK(says(ask_with(&ada, POST, "/v1/me/addresses", NULL, "second", home), 404, "no_such_user"));
        CHECK(says(log_in(&ada), 401, "wrong_credentials"));
        CHECK_EQ(renew_session(&ada), 401);
        CHECK_EQ(rows(w, "identity", "users where deleted_at is not null and email = '' and name = '' and password is null"), 1);
        CHECK_EQ(rows(w, "identity", "address"), 1);
        CHECK_EQ(rows(w, "identity", "session"), 1);
        CHECK_EQ(rows(w, "identity", "souk_idempotency"), 1);
        CHECK_EQ(events(w, "identity", "user.deleted"), 1);
        CHECK_EQ(ask(&bob, GET, "/v1/me", NULL).status, 200);
        (void)visitor(w, c, "ada@example.org");                                 /* the address is free again */
        return 0;
}

TEST(who_leaves_leaves_nothing_of_the_person) { CHECK_OK(run_main(left, NULL)); }

static int shut_out(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct http_answer me = ask(&ada, GET, "/v1/me", NULL);

        CHECK_OK(execute(w, "identity", "update users set blocked_at = now()"));
        CHECK(says(ask(&ada, GET, "/v1/me", NULL), 403, "account_blocked"));
        CHECK(says(ask(&ada, GET, "/v1/me/export", NULL), 403, "account_blocked"));
        CHECK(says(ask_with(&ada, PATCH, "/v1/me", etag_of(&ada, me), NULL, "{\"name\":\"B\"}"), 403, "account_blocked"));
        CHECK(says(ask(&ada, PUT, "/v1/me/password", "{\"current_password\":\"correct horse\",\"new_password\":\"long enough\"}"), 403, "account_blocked"));
        CHECK(says(ask(&ada, POST, "/v1/me/deletion", "{\"password\":\"correct horse\"}"), 403, "account_blocked"));
        CHECK(says(ask_with(&ada, POST, "/v1/me/addresses", NULL, "k", home), 403, "account_blocked"));
        CHECK_EQ(renew_session(&ada), 401);
        CHECK(says(log_in(&ada), 403, "account_blocked"));
        ada.password = "wrong horse";
        CHECK(says(log_in(&ada), 401, "wrong_credentials"));
        return 0;
}

TEST(a_blocked_account_is_refused_here_at_once_and_only_its_owner_is_told_why) { CHECK_OK(run_main(shut_out, NULL)); }

static int exported(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct visitor bob = visitor(w, c, "bob@example.org");
        struct http_answer a;

        CHECK_EQ(ask_with(&ada, POST, "/v1/me/addresses", NULL, "first", home).status, 201);
        a = ask(&ada, GET, "/v1/me/export", NULL);
        CHECK_EQ(a.status, 200);
        CHECK_STR(header_get(&a.headers, "content-disposition"), "attachment; filename=\"account.json\"");
        CHECK_STR(header_get(&a.headers, "cache-control"), "no-store");
        CHECK_STR(json_member(member(a, "user"), "email"), "\"ada@example.org\"");
        CHECK(memmem(a.body.p, a.body.n, "1 Home Street", 13) != NULL);
        CHECK(memmem(a.body.p, a.body.n, "192.0.2.1", 9) != NULL);
        CHECK(memmem(a.body.p, a.body.n, "/v1/orders", 10) != NULL);
        CHECK(memmem(a.body.p, a.body.n, "argon2", 6) == NULL);
        a = ask(&bob, GET, "/v1/me/export", NULL);
        CHECK_STR(member(a, "addresses"), "[]");
        CHECK(memmem(a.body.p, a.body.n, "ada@", 4) == NULL);
        return 0;
}

TEST(an_export_has_all_of_ones_own_and_nothing_of_others) { CHECK_OK(run_main(exported, NULL)); }

static int ensured(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        struct account root = { STR("Root@souk.example"), STR("a long password"), STR("Root"), 3 };
        struct user first, again;

        CHECK_FAILS(w, PERMISSION_DENIED, "forbidden", identity_ensure_call(as(w, "admin"), &root, &first));
        CHECK_OK(identity_ensure_call(as(w, "service"), &root, &first));
        CHECK_EQ(first.role, 3);
        CHECK_OK(identity_ensure_call(as(w, "service"), &root, &again));
        CHECK(uid_eq(first.id, again.id));
        CHECK_OK(execute(w, "identity", "update users set email = 'new@souk.example', email_key = 'new@souk.example'"));
        CHECK_OK(identity_ensure_call(as(w, "service"), &root, &again));
        CHECK(uid_is_zero(again.id));
        CHECK_EQ(rows(w, "identity", "users"), 1);
        return 0;
}

TEST(an_account_that_the_program_made_and_somebody_renamed_does_not_come_back) { CHECK_OK(run_main(ensured, NULL)); }

/* ---- who may make what ------------------------------------------------------------------------------------------------------------------ */

static struct http_answer make(struct world *w, const char *who, const char *rest)
{
        char body[400];
        static int n;
        snprintf(body, sizeof body, "{\"email\":\"made%d@example.org\",\"name\":\"Made\"%s}", ++n, rest);
        return http(w, who, POST, "/v1/users", body);
}

static int makers(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        static const char *const nobodies[] = { NULL, "alice", "vendor" };

        for (size_t i = 0; i < COUNT(nobodies); i++) {
                CHECK(says_of(make(w, nobodies[i], ""), 400, "invalid", "/password"));
                CHECK(says_of(make(w, nobodies[i], ",\"password\":\"long enough\",\"role\":\"vendor\""), 403, "role_not_yours_to_give", "/role"));
                CHECK_EQ(make(w, nobodies[i], ",\"password\":\"long enough\",\"role\":\"customer\"").status, 201);
        }
        CHECK_EQ(make(w, "staff", "").status, 201);
        CHECK_EQ(make(w, "staff", ",\"role\":\"vendor\"").status, 201);
        CHECK(says_of(make(w, "staff", ",\"role\":\"staff\""), 403, "role_not_yours_to_give", "/role"));
        CHECK(says_of(make(w, "staff", ",\"role\":\"admin\""), 403, "role_not_yours_to_give", "/role"));
        CHECK_EQ(make(w, "admin", ",\"role\":\"staff\"").status, 201);
        CHECK_EQ(make(w, "admin", ",\"role\":\"admin\"").status, 201);
        CHECK(says_of(make(w, "admin", ",\"role\":\"service\""), 400, "invalid", "/role"));
        CHECK_EQ(rows(w, "identity", "users where password is null"), 4);
        CHECK_EQ(rows(w, "identity", "users where role = 1"), 1);
        return 0;
}

TEST(staff_brings_customers_and_vendors_over_and_administrators_give_any_role) { CHECK_OK(run_main(makers, NULL)); }

static int brought_over(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor eve = { .w = w, .c = c, .email = "eve@example.org", .password = "" };
        struct http_answer a = http(w, "staff", POST, "/v1/users", "{\"email\":\"eve@example.org\",\"name\":\"Eve\"}");
        const char *path = z(&eve, arena_printf(c->arena, "/v1/users/" STR_FMT "/password", STR_ARG(text(a, "id"))));

        CHECK_EQ(a.status, 201);
        CHECK(says(log_in(&eve), 401, "wrong_credentials"));
        eve.password = "a new password";
        CHECK(says(log_in(&eve), 401, "wrong_credentials"));
        CHECK(says(http(w, "staff", PUT, path, "{\"password\":\"a new password\"}"), 403, "forbidden"));
        CHECK_EQ(http(w, "admin", PUT, path, "{\"password\":\"a new password\"}").status, 204);
        CHECK_EQ(log_in(&eve).status, 201);
        return 0;
}

TEST(an_account_without_a_password_logs_in_once_an_administrator_gave_it_one) { CHECK_OK(run_main(brought_over, NULL)); }

/* ---- hostile texts ------------------------------------------------------------------------------------------------------------------------ */

static int names(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        static const char *const kept[] = {
                "'; drop table users; --", "$1", ":caller", "%s%n", "../../etc/passwd", "<script>alert(1)</script>", "{{7*7}}", "null", "\xc3\x85ngstr\xc3\xb6m",
                "\xe5\xb1\xb1\xe7\x94\xb0\xe5\xa4\xaa\xe9\x83\x8e", "\xd8\xa7\xd9\x84\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a\xd8\xa9",
                "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80", "Z\xcc\xb7\xcc\x9b \xcc\xb4lgo", "a\xef\xbf\xbdz",
        };
        static const char *const refused[] = { "\\u0000", "\\ud800", "\xff", "\xc0\xaf", "\xed\xa0\x80" };
        char body[2000];

        for (size_t i = 0; i < COUNT(kept); i++) {
                snprintf(body, sizeof body, "{\"name\":\"%s\"}", kept[i]);
                CHECK_STR(text(change(&ada, PATCH, "/v1/me", body), "name"), kept[i]);
                CHECK_STR(text(ask(&ada, GET, "/v1/me", NULL), "name"), kept[i]);
        }
        for (size_t i = 0; i < COUNT(refused); i++) {
                snprintf(body, sizeof body, "{\"name\":\"%s\"}", refused[i]);
                CHECK(says(change(&ada, PATCH, "/v1/me", body), 400, "invalid"));
        }
        snprintf(body, sizeof body, "{\"name\":\"%0100d\"}", 0);
        CHECK_EQ(change(&ada, PATCH, "/v1/me", body).status, 200);
        snprintf(body, sizeof body, "{\"name\":\"%0101d\"}", 0);
        CHECK(says_of(change(&ada, PATCH, "/v1/me", body), 400, "invalid", "/name"));
        CHECK_EQ(rows(w, "identity", "users"), 1);
        return 0;
}

TEST(a_name_is_any_text_and_comes_back_as_it_was) { CHECK_OK(run_main(names, NULL)); }

static int emails(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        static const char *const refused[] = {
                "", "@", "a@", "@b.org", "a@b", "a b@example.org", "a@exa mple.org", "a@@example.org", "a@example..org", ".a@example.org", "a.@example.org", "a..b@example.org",
                "a@-example.org", "a@example-.org", "a\\n@example.org", "a@example.org\\r\\nBcc: all@example.org", "<a@example.org>", "Ada <a@example.org>", "a@[127.0.0.1]",
                "\\\"a b\\\"@example.org", "a\\u0000@example.org",
                "\xc3\xa4@example.org", "a@ex\xc3\xa4mple.org", "\xef\xbd\x81@example.org", "\xe2\x80\xae@example.org", "a@example.org'--",
        };
        static const char *const kept[] = { "o'neill@example.org", "a+tag@example.org", "a_b-c.d@sub.example.org", "a@xn--exmple-cua.org", "x'or'1'='1@example.org" };
        char body[800];

        for (size_t i = 0; i < COUNT(refused); i++) {
                snprintf(body, sizeof body, "{\"email\":\"%s\",\"password\":\"long enough\",\"name\":\"A\"}", refused[i]);
                CHECK(says_of(post(w, "/v1/users", body), 400, "invalid", "/email"));
                snprintf(body, sizeof body, "{\"email\":\"%s\",\"password\":\"long enough\"}", refused[i]);
                CHECK(post(w, "/v1/sessions", body).status != 201);
        }
        for (size_t i = 0; i < COUNT(kept); i++) {
                snprintf(body, sizeof body, "{\"email\":\"%s\",\"name\":\"A\"}", kept[i]);
                CHECK_EQ(http(w, "staff", POST, "/v1/users", body).status, 201);
                for (char *p = body; *p; p++)
                        if (p > body + 9 && *p >= 'a' && *p <= 'z' && p < strchr(body, '@')) *p -= 'a' - 'A';
                CHECK(says_of(http(w, "staff", POST, "/v1/users", body), 409, "email_taken", "/email"));
        }
        CHECK_EQ(rows(w, "identity", "users"), (int64_t)COUNT(kept));
        snprintf(body, sizeof body, "{\"email\":\"%0245d@example.org\",\"password\":\"long enough\",\"name\":\"A\"}", 0);
        CHECK(says_of(post(w, "/v1/users", body), 400, "invalid", "/email"));
        return 0;
}

TEST(an_address_is_ascii_and_one_whatever_its_case) { CHECK_OK(run_main(emails, NULL)); }

static int nobody(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        int asked = 0;

        for (const struct route *r = identity_service.routes; r->path; r++) {
                char path[200];
                const char *var = strstr(r->path, "{id}");
                bool body = r->method == POST || r->method == PUT || r->method == PATCH;

                if (r->who == ANYONE) continue;
                if (var) snprintf(path, sizeof path, "%.*s019ab4f0-0000-7000-8000-000000000001%s", (int)(var - r->path), r->path, var + 4);
                else snprintf(path, sizeof path, "%s", r->path);
                struct http_answer a = http(w, NULL, r->method, path, body ? "{}" : NULL);
                CHECK(says(a, 401, "missing_token"));
                CHECK(header_get(&a.headers, "www-authenticate").n > 0);
                if (r->who == ADMIN) {
                        CHECK(says(http(w, "alice", r->method, path, body ? "{}" : NULL), 403, "forbidden"));
                        CHECK(says(http(w, "vendor", r->method, path, body ? "{}" : NULL), 403, "forbidden"));
                        CHECK(says(http(w, "staff", r->method, path, body ? "{}" : NULL), 403, "forbidden"));
                }
                asked++;
        }
        CHECK(asked >= 20);
        return 0;
}

TEST(every_way_in_that_is_not_for_anyone_wants_a_token_and_the_role) { CHECK_OK(run_main(nobody, NULL)); }

TEST_MAIN
