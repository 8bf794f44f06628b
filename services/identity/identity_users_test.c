/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity_users_test.c - others' accounts on a real PostgreSQL: read by staff, changed by administrators, of whom there is always one. */
#include "visitors.h"

static const char *user_path(struct visitor *v, const struct visitor *whom)
{
        return path_of(v, "/v1/users", str_of(whom->id));
}

/* How many items a page has. */
static int items(struct http_answer a)
{
        struct json_walk walk = json_open(member(a, "items"));
        str item;
        int n = 0;

        CHECK_EQ(a.status, 200);
        while (json_next_element(&walk, &item)) n++;
        return n;
}

static int listed(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor root = visitor_as(w, c, "root@example.org", 3), sam = visitor_as(w, c, "sam@example.org", 2);
        struct visitor vera = visitor_as(w, c, "Vera@example.org", 1), carl = visitor(w, c, "carl_50%@example.org");

        CHECK_EQ(items(ask(&sam, GET, "/v1/users", NULL)), 4);
        CHECK_EQ(items(ask(&root, GET, "/v1/users?role=customer", NULL)), 1);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?role=vendor", NULL)), 1);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?email=VERA@example.ORG", NULL)), 1);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?q=vER", NULL)), 1);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?q=example", NULL)), 4);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?q=50%25", NULL)), 1);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?q=%25", NULL)), 1);            /* a text, not a pattern */
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?q='%20or%20true%20--", NULL)), 0);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?blocked=true", NULL)), 0);
        CHECK_EQ(change(&root, PATCH, user_path(&root, &vera), "{\"blocked\":true}").status, 200);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?blocked=true", NULL)), 1);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users?blocked=false&role=vendor", NULL)), 0);
        CHECK_EQ(ask(&carl, POST, "/v1/me/deletion", "{\"password\":\"correct horse\"}").status, 204);
        CHECK_EQ(items(ask(&sam, GET, "/v1/users", NULL)), 3);                  /* who has left is not there */
        CHECK(says_of(ask(&sam, GET, "/v1/users?role=king", NULL), 400, "invalid", "role"));
        CHECK(says_of(ask(&sam, GET, "/v1/users?sort=password", NULL), 400, "invalid", "sort"));
        CHECK(says_of(ask(&sam, GET, "/v1/users?colour=red", NULL), 400, "invalid", "colour"));
        CHECK(says(ask(&vera, GET, "/v1/users", NULL), 403, "forbidden"));
        CHECK(says(ask(&carl, GET, "/v1/users", NULL), 403, "forbidden"));
        return 0;
}

TEST(staff_finds_users_by_role_block_address_and_text) { CHECK_OK(run_main(listed, NULL)); }

/* Every user once, in order, whatever the size of the pages. */
static void walk(struct visitor *v, const char *sort, const char *first)
{
        char path[700];
        int seen = 0;

        snprintf(path, sizeof path, "/v1/users?limit=3&sort=%s", sort);
        for (;;) {
                struct http_answer a = ask(v, GET, path, NULL);
                str next = text(a, "next"), items_text = member(a, "items"), one;
                struct json_walk walk = json_open(items_text);
                if (seen == 0 && json_next_element(&walk, &one)) CHECK_STR(json_member(one, "email"), first);
                seen += items(a);
                if (!next.p) break;
                if (*next.p == '/') snprintf(path, sizeof path, STR_FMT, STR_ARG(next));
                else snprintf(path, sizeof path, "/v1/users?limit=3&sort=%s&cursor=" STR_FMT, sort, STR_ARG(next));
        }
        CHECK_EQ(seen, 8);
}

static int walked(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor sam = visitor_as(w, c, "Sam@example.org", 2);
        char body[200];

        for (int i = 0; i < 7; i++) {
                snprintf(body, sizeof body, "{\"email\":\"%c%d@example.org\",\"name\":\"Made\"}", i % 2 ? 'U' : 'u', i);
                CHECK_EQ(http(w, "staff", POST, "/v1/users", body).status, 201);
        }
        walk(&sam, "email", "\"Sam@example.org\"");
        walk(&sam, "-email", "\"u6@example.org\"");
        walk(&sam, "created_at", "\"Sam@example.org\"");
        walk(&sam, "-created_at", "\"u6@example.org\"");
        return 0;
}

TEST(every_user_is_on_exactly_one_page) { CHECK_OK(run_main(walked, NULL)); }

static int seen(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org"), bob = visitor(w, c, "bob@example.org"), sam = visitor_as(w, c, "sam@example.org", 2);

        CHECK_EQ(ask(&ada, GET, user_path(&ada, &ada), NULL).status, 200);
        CHECK(says(ask(&ada, GET, user_path(&ada, &bob), NULL), 404, "no_such_user"));
        CHECK(says(ask(&ada, GET, "/v1/users/019ab4f0-0000-7000-8000-000000000001", NULL), 404, "no_such_user"));
        CHECK_EQ(ask(&sam, GET, user_path(&sam, &bob), NULL).status, 200);
        CHECK(says(ask(&sam, GET, "/v1/users/019ab4f0-0000-7000-8000-000000000001", NULL), 404, "no_such_user"));
        CHECK(says(ask_with(&ada, PATCH, user_path(&ada, &ada), "*", NULL, "{\"role\":\"admin\"}"), 403, "forbidden"));
        CHECK(says(ask_with(&sam, PATCH, user_path(&sam, &sam), "*", NULL, "{\"role\":\"admin\"}"), 403, "forbidden"));
        CHECK_EQ(rows(w, "identity", "users where role = 3"), 0);
        return 0;
}

TEST(a_user_sees_itself_and_staff_sees_all) { CHECK_OK(run_main(seen, NULL)); }

static int promoted(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor root = visitor_as(w, c, "root@example.org", 3), ada = visitor(w, c, "ada@example.org"), bob = visitor(w, c, "bob@example.org");
        const char *path = user_path(&root, &ada), *old = etag_of(&root, ask(&root, GET, path, NULL));
        struct http_answer a;

        CHECK(says(ask(&root, PATCH, path, "{\"role\":\"staff\"}"), 428, "precondition_required"));
        CHECK(says_of(change(&root, PATCH, path, "{\"role\":\"service\"}"), 400, "invalid", "/role"));
        CHECK(says_of(change(&root, PATCH, path, "{\"role\":null}"), 400, "invalid", "/role"));
        CHECK(says_of(change(&root, PATCH, path, "{\"password\":\"abcdefgh\"}"), 400, "invalid", "/password"));
        a = change(&root, PATCH, path, "{\"role\":\"staff\"}");
        CHECK_EQ(a.status, 200);
        CHECK_STR(text(a, "role"), "staff");
        CHECK(says(ask_with(&root, PATCH, path, old, NULL, "{\"role\":\"customer\"}"), 412, "stale"));
        CHECK(says(ask(&ada, GET, "/v1/users", NULL), 403, "forbidden"));       /* her token is the old one */
        CHECK_EQ(renew_session(&ada), 200);
        CHECK_EQ(ask(&ada, GET, "/v1/users", NULL).status, 200);
        CHECK(says_of(change(&root, PATCH, path, "{\"email\":\"BOB@example.org\"}"), 409, "email_taken", "/email"));
        CHECK_EQ(change(&root, PATCH, path, "{\"email\":\"king@example.org\",\"name\":\"Ada King\"}").status, 200);
        ada.email = "king@example.org";
        CHECK_EQ(log_in(&ada).status, 201);
        CHECK(says(ask_with(&root, PATCH, "/v1/users/019ab4f0-0000-7000-8000-000000000001", "*", NULL, "{\"name\":\"N\"}"), 404, "no_such_user"));
        CHECK_EQ(events(w, "identity", "user.changed"), 2);
        CHECK_EQ(log_in(&bob).status, 201);
        return 0;
}

TEST(a_new_role_comes_with_the_next_token) { CHECK_OK(run_main(promoted, NULL)); }

static int last_one(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor root = visitor_as(w, c, "root@example.org", 3), ada = visitor(w, c, "ada@example.org");
        const char *self = user_path(&root, &root);

        CHECK(says(change(&root, PATCH, self, "{\"role\":\"staff\"}"), 409, "last_admin"));
        CHECK(says(change(&root, PATCH, self, "{\"blocked\":true}"), 409, "last_admin"));
        CHECK(says(change(&root, DELETE, self, NULL), 409, "last_admin"));
        CHECK(says(ask(&root, POST, "/v1/me/deletion", "{\"password\":\"correct horse\"}"), 409, "last_admin"));
        CHECK_EQ(http(w, "admin", POST, "/v1/users", "{\"email\":\"mute@example.org\",\"name\":\"Mute\",\"role\":\"admin\"}").status, 201);
        CHECK(says(change(&root, PATCH, self, "{\"role\":\"staff\"}"), 409, "last_admin"));     /* who cannot log in administers nothing */
        CHECK_EQ(change(&root, PATCH, self, "{\"name\":\"Root\"}").status, 200);
        CHECK_EQ(change(&root, PATCH, user_path(&root, &ada), "{\"role\":\"admin\",\"blocked\":true}").status, 200);
        CHECK(says(change(&root, PATCH, self, "{\"role\":\"staff\"}"), 409, "last_admin"));     /* nor who is blocked */
        CHECK_EQ(change(&root, PATCH, user_path(&root, &ada), "{\"blocked\":false}").status, 200);
        CHECK_EQ(change(&root, PATCH, self, "{\"role\":\"staff\"}").status, 200);
        CHECK_EQ(rows(w, "identity", "users where role = 3 and password is not null"), 1);
        return 0;
}

TEST(somebody_always_administers) { CHECK_OK(run_main(last_one, NULL)); }

struct coup { struct visitor *by; const char *path; int status; };

static int depose(struct ctx *c, void *arg)
{
        struct coup *p = arg;
        (void)c;
        p->status = ask_with(p->by, PATCH, p->path, "*", NULL, "{\"role\":\"customer\"}").status;
        return 0;
}

static int coups(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor admins[4];
        struct coup all[4];
        int deposed = 0;

        for (size_t i = 0; i < 4; i++)
                admins[i] = visitor_as(w, c, z(&(struct visitor){ .c = c }, arena_printf(c->arena, "admin%zu@example.org", i)), 3);
        GROUP(g, c);
        for (size_t i = 0; i < 4; i++) {
                all[i] = (struct coup){ &admins[i], user_path(&admins[i], &admins[(i + 1) % 4]), 0 };
                CHECK_OK(group_go(g, depose, &all[i]));
        }
        CHECK_OK(group_wait(g));
        for (size_t i = 0; i < 4; i++) deposed += all[i].status == 200;
        CHECK_EQ(deposed, 3);
        CHECK_EQ(rows(w, "identity", "users where role = 3"), 1);
        return 0;
}

TEST(four_administrators_who_depose_each_other_at_once_leave_one) { CHECK_OK(run_main(coups, NULL)); }

static int blocked(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor root = visitor_as(w, c, "root@example.org", 3), ada = visitor(w, c, "ada@example.org");
        const char *path = user_path(&root, &ada);
        struct http_answer a = change(&root, PATCH, path, "{\"blocked\":true}");

        CHECK_EQ(a.status, 200);
        CHECK_STR(member(a, "blocked"), "true");
        CHECK_EQ(renew_session(&ada), 401);
        CHECK(says(log_in(&ada), 403, "account_blocked"));
        CHECK(says(ask(&ada, GET, "/v1/me", NULL), 403, "account_blocked"));    /* though the token lives */
        CHECK_EQ(rows(w, "identity", "session where revoked_why = 'blocked'"), 1);
        CHECK_EQ(change(&root, PATCH, path, "{\"blocked\":false}").status, 200);
        CHECK_EQ(renew_session(&ada), 401);                                     /* what has ended stays so */
        CHECK_EQ(log_in(&ada).status, 201);
        CHECK_EQ(ask(&ada, GET, "/v1/me", NULL).status, 200);
        return 0;
}

TEST(a_block_ends_the_sessions_and_refuses_log_in_until_it_is_lifted) { CHECK_OK(run_main(blocked, NULL)); }

static int ended(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor root = visitor_as(w, c, "root@example.org", 3), ada = visitor(w, c, "ada@example.org");
        const char *path = user_path(&root, &ada), *sessions = z(&root, arena_printf(c->arena, "%s/sessions", path));

        CHECK_EQ(ask(&root, DELETE, sessions, NULL).status, 204);
        CHECK_EQ(renew_session(&ada), 401);
        CHECK_EQ(renew_session(&root), 200);
        CHECK_EQ(log_in(&ada).status, 201);
        CHECK_EQ(ask(&root, PUT, z(&root, arena_printf(c->arena, "%s/password", path)), "{\"password\":\"another one\"}").status, 204);
        CHECK_EQ(renew_session(&ada), 401);
        CHECK(says_of(ask(&root, PUT, z(&root, arena_printf(c->arena, "%s/password", path)), "{\"password\":\"short\"}"), 400, "invalid", "/password"));
        CHECK(says(ask(&root, DELETE, path, NULL), 428, "precondition_required"));
        CHECK_EQ(change(&root, DELETE, path, NULL).status, 204);
        CHECK(says(ask(&root, GET, path, NULL), 404, "no_such_user"));
        CHECK(says(ask_with(&root, DELETE, path, "*", NULL, NULL), 404, "no_such_user"));
        CHECK(says(ask(&root, DELETE, sessions, NULL), 404, "no_such_user"));
        CHECK(says(ask(&root, PUT, z(&root, arena_printf(c->arena, "%s/password", path)), "{\"password\":\"long enough\"}"), 404, "no_such_user"));
        CHECK_EQ(events(w, "identity", "user.deleted"), 1);
        return 0;
}

TEST(an_administrator_ends_sessions_and_accounts) { CHECK_OK(run_main(ended, NULL)); }

TEST_MAIN
