/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * identity_addresses_test.c - addresses on a real PostgreSQL: one's own, at most twenty, and always exactly one default. */
#include "visitors.h"

static const char *body_of(struct visitor *v, const char *line1, bool is_default)
{
        return z(v, arena_printf(v->c->arena,
                                 "{\"name\":\"Ada\",\"line1\":\"%s\",\"city\":\"London\",\"country\":\"GB\",\"is_default\":%s}", line1, is_default ? "true" : "false"));
}

/* A new one; its path. */
static const char *add(struct visitor *v, const char *line1, bool is_default)
{
        struct http_answer a = ask_with(v, POST, "/v1/me/addresses", NULL, line1, body_of(v, line1, is_default));

        CHECK_EQ(a.status, 201);
        CHECK_STR(header_get(&a.headers, "location"), path_of(v, "/v1/me/addresses", text(a, "id")));
        return path_of(v, "/v1/me/addresses", text(a, "id"));
}

static bool is_default(struct visitor *v, const char *path)
{
        return str_eq(member(ask(v, GET, path, NULL), "is_default"), STR("true"));
}

static int life(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        const char *home = add(&ada, "home", false), *work = add(&ada, "work", false), *old = etag_of(&ada, ask(&ada, GET, home, NULL));
        struct http_answer a;

        CHECK(is_default(&ada, home));                                          /* the first, whatever it says */
        CHECK(!is_default(&ada, work));
        CHECK(says(ask(&ada, PUT, home, body_of(&ada, "moved", true)), 428, "precondition_required"));
        CHECK(says(ask(&ada, DELETE, home, NULL), 428, "precondition_required"));
        a = ask_with(&ada, PUT, home, old, NULL, body_of(&ada, "moved", true));
        CHECK_EQ(a.status, 200);
        CHECK_STR(text(a, "line1"), "moved");
        CHECK_STR(member(a, "version"), "2");
        CHECK(says(ask_with(&ada, PUT, home, old, NULL, body_of(&ada, "lost", true)), 412, "stale"));
        CHECK(says(ask_with(&ada, PATCH, home, old, NULL, "{\"line1\":\"lost\"}"), 412, "stale"));
        CHECK(says(ask_with(&ada, DELETE, home, old, NULL, NULL), 412, "stale"));
        a = change(&ada, PATCH, home, "{\"line2\":\"Flat 7\",\"phone\":\"+44 20 7946 0000\"}");
        CHECK_STR(text(a, "line2"), "Flat 7");
        CHECK_STR(text(a, "line1"), "moved");
        CHECK(!member(change(&ada, PATCH, home, "{\"line2\":null}"), "line2").p);
        CHECK_EQ(change(&ada, DELETE, work, NULL).status, 204);
        CHECK(says(ask(&ada, GET, work, NULL), 404, "no_such_address"));
        CHECK_EQ(rows(w, "identity", "address"), 1);
        return 0;
}

TEST(an_address_is_made_read_replaced_patched_and_deleted) { CHECK_OK(run_main(life, NULL)); }

static int moves(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        const char *one = add(&ada, "one", false), *two = add(&ada, "two", true), *three = add(&ada, "three", false);
        struct user_ref id;
        struct address a;

        CHECK(!is_default(&ada, one) && is_default(&ada, two) && !is_default(&ada, three));
        CHECK(says_of(change(&ada, PATCH, two, "{\"is_default\":false}"), 409, "default_address_needed", "/is_default"));
        CHECK_EQ(change(&ada, PATCH, one, "{\"is_default\":true}").status, 200);
        CHECK(is_default(&ada, one) && !is_default(&ada, two) && !is_default(&ada, three));
        CHECK_EQ(change(&ada, DELETE, one, NULL).status, 204);
        CHECK(!is_default(&ada, two) && is_default(&ada, three));               /* the newest inherits */
        CHECK_OK(uid_parse(str_of(ada.id), &id.id));
        CHECK_OK(identity_address_call(as(w, "service"), &(struct address_ref){ .user = id.id }, &a));
        CHECK_STR(a.line1, "three");
        CHECK_EQ(change(&ada, DELETE, two, NULL).status, 204);
        CHECK(is_default(&ada, three));
        CHECK_EQ(change(&ada, DELETE, three, NULL).status, 204);
        CHECK_FAILS(w, NOT_FOUND, "no_such_address", identity_address_call(as(w, "service"), &(struct address_ref){ .user = id.id }, &a));
        CHECK(is_default(&ada, add(&ada, "four", false)));
        return 0;
}

TEST(the_default_moves_and_is_inherited_and_never_taken_away) { CHECK_OK(run_main(moves, NULL)); }

/* Whatever is done, in whatever order. */
static int any_order(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        const char *paths[8];
        size_t n = 0;
        struct rand r;

        rand_seed(&r, 20261124);
        for (int step = 0; step < 120; step++) {
                size_t at = n ? rand_below(&r, (uint32_t)n) : 0;
                char line[20];
                snprintf(line, sizeof line, "step-%d", step);
                switch (n == 0 ? 0 : n == COUNT(paths) ? 1 + rand_below(&r, 3) : rand_below(&r, 4)) {
                case 0: paths[n++] = add(&ada, line, rand_below(&r, 2)); break;
                case 1: CHECK_EQ(change(&ada, PATCH, paths[at], "{\"is_default\":true}").status, 200); break;
                case 2: (void)change(&ada, PUT, paths[at], body_of(&ada, line, rand_below(&r, 2))); break;
                default:
                        CHECK_EQ(change(&ada, DELETE, paths[at], NULL).status, 204);
                        paths[at] = paths[--n];
                }
                CHECK_EQ(rows(w, "identity", "address"), (int64_t)n);
                CHECK_EQ(rows(w, "identity", "address where is_default"), n ? 1 : 0);
        }
        return 0;
}

TEST(whatever_is_done_who_has_addresses_has_one_default) { CHECK_OK(run_main(any_order, NULL)); }

struct mover { struct visitor *v; const char *path; int status; };

static int move(struct ctx *c, void *arg)
{
        struct mover *m = arg;
        (void)c;
        m->status = ask_with(m->v, PATCH, m->path, "*", NULL, "{\"is_default\":true}").status;
        return 0;
}

static int at_once(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct mover all[6];
        char line[20];

        for (size_t i = 0; i < COUNT(all); i++) {
                snprintf(line, sizeof line, "place-%zu", i);
                all[i] = (struct mover){ &ada, add(&ada, line, false), 0 };
        }
        GROUP(g, c);
        for (size_t i = 0; i < COUNT(all); i++)
                CHECK_OK(group_go(g, move, &all[i]));
        CHECK_OK(group_wait(g));
        for (size_t i = 0; i < COUNT(all); i++)
                CHECK(all[i].status == 200 || all[i].status == 409);            /* 409: overtaken again and again */
        CHECK_EQ(rows(w, "identity", "address where is_default"), 1);
        return 0;
}

TEST(six_that_want_to_be_the_default_at_once_are_one) { CHECK_OK(run_main(at_once, NULL)); }

static int twenty(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct http_answer a;
        const char *next;
        char line[20];

        for (int i = 0; i < 20; i++) {
                snprintf(line, sizeof line, "place-%d", i);
                (void)add(&ada, line, false);
        }
        CHECK(says(ask_with(&ada, POST, "/v1/me/addresses", NULL, "more", body_of(&ada, "more", true)), 409, "too_many_addresses"));
        CHECK_EQ(rows(w, "identity", "address"), 20);
        CHECK_EQ(rows(w, "identity", "address where is_default and line1 = 'place-0'"), 1);     /* what was refused changed nothing */
        a = ask(&ada, GET, "/v1/me/addresses?limit=15", NULL);
        CHECK_EQ(a.status, 200);
        CHECK(memmem(a.body.p, a.body.n, "place-19", 8) != NULL);
        next = text(a, "next").p ? z(&ada, text(a, "next")) : NULL;
        CHECK(next != NULL);
        return 0;
}

TEST(there_are_twenty_addresses_at_most) { CHECK_OK(run_main(twenty, NULL)); }

static int repeated(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct http_answer first, second;

        CHECK(says_of(ask(&ada, POST, "/v1/me/addresses", body_of(&ada, "home", false)), 400, "idempotency_key_missing", "Idempotency-Key"));
        first = ask_with(&ada, POST, "/v1/me/addresses", NULL, "k", body_of(&ada, "home", false));
        second = ask_with(&ada, POST, "/v1/me/addresses", NULL, "k", body_of(&ada, "home", false));
        CHECK_EQ(second.status, 201);
        CHECK(str_eq(first.body, second.body));
        CHECK_STR(header_get(&second.headers, "idempotency-replayed"), "true");
        CHECK(says_of(ask_with(&ada, POST, "/v1/me/addresses", NULL, "k", body_of(&ada, "work", false)), 422, "idempotency_key_reused", "Idempotency-Key"));
        CHECK_EQ(rows(w, "identity", "address"), 1);
        return 0;
}

TEST(an_address_sent_twice_with_one_key_is_one) { CHECK_OK(run_main(repeated, NULL)); }

static int others(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        struct visitor people[] = { visitor(w, c, "bob@example.org"), visitor_as(w, c, "staff@example.org", 2), visitor_as(w, c, "admin@example.org", 3) };
        const char *path = add(&ada, "home", false);

        for (size_t i = 0; i < COUNT(people); i++) {
                struct visitor *v = &people[i];
                CHECK(says(ask(v, GET, path, NULL), 404, "no_such_address"));
                CHECK(says(ask_with(v, PUT, path, "*", NULL, body_of(v, "stolen", true)), 404, "no_such_address"));
                CHECK(says(ask_with(v, PATCH, path, "*", NULL, "{\"line1\":\"stolen\"}"), 404, "no_such_address"));
                CHECK(says(ask_with(v, DELETE, path, "*", NULL, NULL), 404, "no_such_address"));
                CHECK_STR(member(ask(v, GET, "/v1/me/addresses", NULL), "items"), "[]");
        }
        CHECK_EQ(rows(w, "identity", "address where line1 = 'home' and version = 1"), 1);
        return 0;
}

TEST(somebody_elses_address_is_not_there) { CHECK_OK(run_main(others, NULL)); }

static int bad(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &identity_service);
        keys_of(w, &identity_keys_op);
        struct visitor ada = visitor(w, c, "ada@example.org");
        static const struct { const char *body, *pointer; } wrong[] = {
                { "{\"line1\":\"1\",\"city\":\"L\",\"country\":\"GB\"}",                                    "/name" },
                { "{\"name\":\"\",\"line1\":\"1\",\"city\":\"L\",\"country\":\"GB\"}",                      "/name" },
                { "{\"name\":\"A\",\"city\":\"L\",\"country\":\"GB\"}",                                     "/line1" },
                { "{\"name\":\"A\",\"line1\":\"1\",\"country\":\"GB\"}",                                    "/city" },
                { "{\"name\":\"A\",\"line1\":\"1\",\"city\":\"L\"}",                                        "/country" },
                { "{\"name\":\"A\",\"line1\":\"1\",\"city\":\"L\",\"country\":\"gb\"}",                     "/country" },
                { "{\"name\":\"A\",\"line1\":\"1\",\"city\":\"L\",\"country\":\"XX\"}",                     "/country" },
                { "{\"name\":\"A\",\"line1\":1,\"city\":\"L\",\"country\":\"GB\"}",                         "/line1" },
                { "{\"name\":\"A\",\"line1\":\"1\",\"city\":\"L\",\"country\":\"GB\",\"id\":\"019ab4f0-0000-7000-8000-000000000001\"}", "/id" },
                { "{\"name\":\"A\",\"line1\":\"1\",\"city\":\"L\",\"country\":\"GB\",\"user_id\":\"x\"}",   "/user_id" },
                { "{\"name\":\"A\",\"line1\":\"1\",\"city\":\"L\",\"country\":\"GB\",\"is_default\":\"yes\"}", "/is_default" },
                { "{\"name\":\"A\",\"line1\":\"1\",\"city\":\"L\",\"country\":\"GB\",\"postal_code\":\"123456789012345678901\"}", "/postal_code" },
        };

        for (size_t i = 0; i < COUNT(wrong); i++)
                CHECK(says_of(ask_with(&ada, POST, "/v1/me/addresses", NULL, "k", wrong[i].body), 400, "invalid", wrong[i].pointer));
        CHECK(says_of(ask(&ada, GET, "/v1/me/addresses/no-id", NULL), 400, "invalid", "id"));
        /* what is wrong whatever stands is told whatever stands */
        CHECK(says_of(ask_with(&ada, PATCH, "/v1/me/addresses/019ab4f0-0000-7000-8000-000000000001", "*", NULL, "{\"country\":\"XX\"}"), 400, "invalid", "/country"));
        CHECK(says(ask_with(&ada, PATCH, "/v1/me/addresses/019ab4f0-0000-7000-8000-000000000001", "*", NULL, "{\"country\":\"GB\"}"), 404, "no_such_address"));
        CHECK_EQ(rows(w, "identity", "address"), 0);
        return 0;
}

TEST(a_bad_address_is_refused_by_field) { CHECK_OK(run_main(bad, NULL)); }

TEST_MAIN
