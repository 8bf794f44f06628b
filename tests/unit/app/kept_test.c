/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * kept_test.c - answers kept whole: for whom, under what, until when, how many, and what never is. */
#include "test.h"
#include "app.h"
#include "engine.h"
#include "visits.h"

#define SHOWN "/v1/shown"

static uint64_t statements(void) { return db_stats().statements; }

static void make_ducks(struct world *w, int n)
{
        char who[40];
        for (int i = 0; i < n; i++) {
                snprintf(who, sizeof who, "staff#%d", i);
                made(w, who, "{\"name\":\"toytoytoytoytoytoytoytoytoytoytoytoytoy\",\"price\":{\"amount\":199,\"currency\":\"EUR\"},\"stock\":5}");
        }
        settle(w);
        events_stop(w);                 /* statements are counted */
}

/* The clock stands while answers are asked for again, or a slow machine would find them too old. */
#define KEPT_TEST(name) \
        static void name##_in(struct world *w); \
        static int name##_run(struct ctx *c, void *arg) \
        { \
                (void)arg; \
                WORLD(w, c, &toyshop_service); \
                clock_fake((when){ 1790000000LL * 1000000 }); \
                name##_in(w); \
                clock_real(); \
                return 0; \
        } \
        TEST(name) { CHECK_OK(run_main(name##_run, NULL)); } \
        static void name##_in(struct world *w)

/* The same target again, with fields of its own. */
static struct http_answer again(struct world *w, const char *method, const char *target, const char *fields)
{
        char text[1400];
        snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nhost: x\r\n%s\r\n", method, target, fields);
        return http_message(w, "bob", text);
}

static struct http_answer shown(struct world *w, const char *target) { return again(w, "GET", target, ""); }

static void changed(void)
{
        for (size_t i = 0; i < worker_here()->n_units; i++) worker_here()->units[i].writes++;
}

KEPT_TEST(an_answer_is_kept_for_all_who_ask_the_same_until_its_time_is_over)
{
        make_ducks(w, 3);
        struct http_answer first = shown(w, SHOWN);
        uint64_t before = statements();
        struct cache_stats s = answers_stats(worker_here()->answers);
        CHECK(s.entries == 1 && answers_bytes(worker_here()->answers) > first.body.n);
        clock_advance(999);
        struct http_answer other = http(w, "staff", GET, SHOWN, NULL);
        CHECK_EQ(other.status, 200);
        CHECK_EQ(statements(), before);
        CHECK(first.body.n && str_eq(first.body, other.body) && str_eq(header_of(&first, "etag"), header_of(&other, "etag")));
        CHECK_STR(header_of(&other, "content-type"), "application/json");
        CHECK_STR(header_of(&other, "cache-control"), "public, max-age=1");
        CHECK(!str_eq(header_of(&first, "x-request-id"), header_of(&other, "x-request-id")));
        CHECK_EQ(answers_stats(worker_here()->answers).hits, s.hits + 1);
        clock_advance(1);
        CHECK(str_eq(shown(w, SHOWN).body, first.body));
        CHECK_EQ(statements(), before + 1);
}

KEPT_TEST(a_kept_answer_is_whatever_the_first_was_in_every_shape)
{
        make_ducks(w, 15);
        for (int way = 0; way < 2; way++) {             /* made, then kept */
                uint64_t before = statements();
                struct http_answer plain = shown(w, SHOWN), gz, br, few, page;
                char text[200];
                gz = again(w, "GET", SHOWN, "accept-encoding: gzip\r\n");
                br = again(w, "GET", SHOWN, "accept-encoding: br\r\n");
                CHECK(plain.body.n > 1024 && gz.body.n < plain.body.n && br.body.n < plain.body.n);
                CHECK_STR(header_of(&gz, "content-encoding"), "gzip");
                CHECK_STR(header_of(&br, "content-encoding"), "br");
                CHECK(has(header_of(&gz, "etag"), "-gzip\"") && has(header_of(&br, "etag"), "-br\""));
                CHECK_STR(header_of(&plain, "vary"), "accept-encoding");
                CHECK(str_eq(again(w, "GET", SHOWN, "accept-encoding: gzip\r\n").body, gz.body));
                struct http_answer head = again(w, "HEAD", SHOWN, "");
                CHECK(head.status == 200 && head.body.n == plain.body.n && str_eq(header_of(&head, "etag"), header_of(&plain, "etag")));
                snprintf(text, sizeof text, "if-none-match: " STR_FMT "\r\n", STR_ARG(header_of(&plain, "etag")));
                struct http_answer known = again(w, "GET", SHOWN, text);
                CHECK(known.status == 304 && !known.body.n && str_eq(header_of(&known, "etag"), header_of(&plain, "etag")));
                few = shown(w, SHOWN "?fields=name");
                HAS(few.body, "name");
                LACKS(few.body, "stock");
                CHECK(!str_eq(header_of(&few, "etag"), header_of(&plain, "etag")));
                page = shown(w, SHOWN "?limit=2&sort=price");
                HAS(header_of(&page, "link"), "limit=2&sort=price&cursor=");
                refused(again(w, "GET", SHOWN, "accept: text/html\r\n"), 406, "not_acceptable");
                refused(shown(w, SHOWN "?sort=odd"), 400, "invalid");
                refused(shown(w, SHOWN "?fields=odd"), 400, "invalid");
                CHECK_EQ(statements(), before + (way ? 0 : 3));
        }
}

KEPT_TEST(a_kept_resource_has_its_version_in_its_tag)
{
        char path[100], from[100], text[100];
        struct http_answer a = http(w, "staff#1", POST, "/v1/games", "{\"title\":\"chess\",\"players\":2}");
        str at = header_of(&a, "location");
        snprintf(from, sizeof from, STR_FMT, STR_ARG(at));
        snprintf(path, sizeof path, "/v1/shown/games/%s?fields=title", strrchr(from, '/') + 1);
        for (int i = 0; i < 3; i++) {
                struct http_answer kept = shown(w, path);
                CHECK_STR(kept.body, "{\"title\":\"chess\"}");
                CHECK(str_starts(header_of(&kept, "etag"), STR("\"1-")));
                snprintf(text, sizeof text, STR_FMT, STR_ARG(header_of(&kept, "etag")));
        }
        CHECK(strlen(text) > 5);
}

KEPT_TEST(what_an_operation_changed_is_told_at_once)
{
        make_ducks(w, 1);
        struct http_answer one = shown(w, SHOWN);
        made(w, "staff#more", DUCK);                    /* its operation forgets what is shown */
        LACKS(one.body, "duck");
        HAS(shown(w, SHOWN).body, "duck");
}

struct asker { struct world *w; struct http_answer a; };
static int ask_once(struct ctx *c, void *arg)
{
        struct asker *k = arg;
        (void)c;
        k->a = shown(k->w, SHOWN);
        return 0;
}

static int ask_together(struct ctx *c, void *arg)
{
        struct asker *k = arg;
        WORLD(w, c, &toyshop_service);
        clock_fake((when){ 1790000000LL * 1000000 });
        make_ducks(w, 2);
        for (int way = 0; way < 3; way++) {             /* it succeeds; what it shows is written meanwhile; it fails */
                changed();
                if (way == 2) CHECK_OK(execute(w, "toyshop", "alter table toy rename to lost"));
                uint64_t before = statements();
                GROUP(g, c);
                for (int i = 0; i < 6; i++) {
                        k[i] = (struct asker){ .w = w };
                        CHECK_OK(group_go(g, ask_once, &k[i]));
                        if (i != 2 || way != 1) continue;
                        fiber_yield();                  /* three are there, one makes it */
                        changed();
                }
                CHECK_OK(group_wait(g));
                for (int i = 0; i < 6; i++) CHECK(way == 2 ? k[i].a.status >= 500 : k[i].a.status == 200 && str_eq(k[i].a.body, k[0].a.body));
                CHECK_EQ(statements() - before, way == 0 ? 1 : way == 1 ? 2 : 6);
        }
        CHECK_OK(execute(w, "toyshop", "alter table lost rename to toy"));
        CHECK_EQ(shown(w, SHOWN).status, 200);
        clock_real();
        return 0;
}

TEST(who_comes_while_an_answer_is_made_waits_for_it_and_makes_its_own_when_that_failed)
{
        struct asker k[6];
        CHECK_OK(run_main(ask_together, k));
}

/* Targets that ask the same in many spellings: the n-th writes the letters of its bits as escapes. */
static const char *spelled(char text[200], const char *rest, unsigned n)
{
        static const char word[] = "toytoytoy";
        char *at = text + sprintf(text, SHOWN "?%s&q=", rest);
        for (size_t i = 0; word[i]; i++) at += n >> i & 1 ? sprintf(at, "%%%02x", word[i]) : sprintf(at, "%c", word[i]);
        return text;
}

KEPT_TEST(only_so_many_answers_are_kept)
{
        COUNTING(CACHE_ENTRIES);
        char text[200];
        make_ducks(w, 1);
        for (unsigned i = 0; i < 300; i++) CHECK_EQ(shown(w, spelled(text, "limit=1", i)).status, 200);
        struct cache_stats s = answers_stats(worker_here()->answers);
        REACHED(CACHE_ENTRIES);
        CHECK(s.entries == s.entries_max && s.entries_max == 256);
        uint64_t before = statements();
        shown(w, spelled(text, "limit=1", 299));
        CHECK_EQ(statements(), before);
        shown(w, spelled(text, "limit=1", 0));          /* the oldest went */
        CHECK_EQ(statements(), before + 1);
}

KEPT_TEST(kept_answers_have_so_many_bytes_altogether)
{
        COUNTING(ANSWERS_BYTES);
        char text[200];
        make_ducks(w, 1);
        CHECK_OK(execute(w, "toyshop", "insert into toy values (gen_random_uuid(), 'toytoytoy' || repeat('x', 30000), 1, 'EUR', 1, now())"));
        for (unsigned i = 0; i < 150; i++) CHECK_EQ(shown(w, spelled(text, "limit=2", i)).status, 200);
        REACHED(ANSWERS_BYTES);
        size_t most = answers_bytes(worker_here()->answers), n = answers_stats(worker_here()->answers).entries;
        CHECK(most <= 4 << 20 && most > 3 << 20 && n < 150);
        again(w, "GET", spelled(text, "limit=2", 149), "accept-encoding: br\r\n");
        CHECK(answers_bytes(worker_here()->answers) <= 4 << 20);
}

KEPT_TEST(what_is_long_to_ask_or_large_to_answer_is_not_kept)
{
        char text[1300] = SHOWN "?limit=1&sort=price&fields=name&q=";
        memset(text + strlen(text), 'x', 990);
        make_ducks(w, 1);
        CHECK_OK(execute(w, "toyshop", "insert into toy values (gen_random_uuid(), repeat('x', 70000), 1, 'EUR', 1, now())"));
        for (int i = 0; i < 4; i++) {
                uint64_t before = statements();
                CHECK_EQ(shown(w, i < 2 ? text : SHOWN).status, 200);
                CHECK_EQ(statements(), before + 1);
        }
        CHECK_EQ(answers_stats(worker_here()->answers).entries, 0);
        CHECK_EQ(answers_bytes(worker_here()->answers), 0);
}

TEST_MAIN
