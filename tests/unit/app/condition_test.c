/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * condition_test.c - entity tags, preconditions and merge patches through the edge, on a resource with a version and on one without. */
#include "test.h"
#include "visits.h"

#define CHESS "{\"title\":\"chess\",\"maker\":\"anon\",\"players\":2,\"labels\":[\"old\",\"board\"]}"

/* A request with one more header field; media NULL: no body. */
static struct http_answer ask(struct world *w, const char *who, const char *line, const char *field, const char *media, const char *body)
{
        struct ctx *c = as(w, "");
        const char *key = strchr(who, '#') ? strchr(who, '#') + 1 : "k";
        str head = arena_printf(c->arena, "%s HTTP/1.1\r\nhost: x\r\nidempotency-key: %s\r\n%s%s", line, key, field, *field ? "\r\n" : "");
        if (media) head = arena_printf(c->arena, STR_FMT "content-type: %s\r\ncontent-length: %zu\r\n", STR_ARG(head), media, strlen(body));
        return http_message(w, who, arena_z(c->arena, arena_printf(c->arena, STR_FMT "\r\n%s", STR_ARG(head), body ? body : "")));
}

static const char *line_of(struct world *w, const char *method, str path)
{
        return arena_z(as(w, "")->arena, arena_printf(last(w)->arena, "%s " STR_FMT, method, STR_ARG(path)));
}

static const char *field_of(struct world *w, const char *name, str value)
{
        return arena_z(as(w, "")->arena, arena_printf(last(w)->arena, "%s: " STR_FMT, name, STR_ARG(value)));
}

#define JSON  "application/json"
#define MERGE "application/merge-patch+json"

static struct http_answer chess(struct world *w)
{
        struct http_answer a = http(w, "staff#chess", POST, "/v1/games", CHESS);
        if (a.status != 201) cm_fail_msg("%d " STR_FMT, a.status, STR_ARG(a.body));
        return a;
}

WORLD_TEST(what_is_read_has_a_tag_of_its_version_and_its_bytes)
{
        struct http_answer made = chess(w);
        str at = header_of(&made, "location"), tag = header_of(&made, "etag");
        CHECK_EQ(tag.n, 2 + 2 + 16);
        CHECK(str_starts(tag, STR("\"1-")));
        CHECK_STR(header_of(&made, "content-location"), arena_z(as(w, "")->arena, at));
        struct http_answer a = http(w, "", GET, at.p, NULL), head = http(w, "", HEAD, at.p, NULL);
        CHECK_EQ(a.status, 200);
        CHECK(str_eq(header_of(&a, "etag"), tag));              /* the same bytes, the same tag */
        CHECK(str_eq(header_of(&head, "etag"), tag));
        CHECK(!header_of(&a, "content-location").p);
        struct http_answer toys = http(w, "", GET, "/v1/toys", NULL);
        CHECK_EQ(header_of(&toys, "etag").n, 2 + 16);
        struct http_answer raw = http(w, "", GET, "/v1/raw", NULL);
        CHECK(!header_of(&raw, "etag").p);
        refused(a = http(w, "", GET, "/v1/games/00000000-0000-4000-8000-000000000000", NULL), 404, "not_found");
        CHECK(!header_of(&a, "etag").p);
}

WORLD_TEST(what_the_client_has_is_not_sent_again)
{
        struct http_answer made = chess(w);
        str at = header_of(&made, "location"), tag = header_of(&made, "etag");
        const char *line = line_of(w, "GET", at);
        struct ctx *c = as(w, "");
        str forms[] = { tag, STR("*"), arena_printf(c->arena, "W/" STR_FMT, STR_ARG(tag)), arena_printf(c->arena, "\"a,b\", ,W/\"x\",\t" STR_FMT, STR_ARG(tag)),
                        arena_printf(c->arena, "\"a\"\r\nif-none-match: " STR_FMT, STR_ARG(tag)) };
        for (size_t i = 0; i < COUNT(forms); i++) {
                struct http_answer a = ask(w, "", line, field_of(w, "if-none-match", forms[i]), NULL, NULL);
                if (a.status != 304) cm_fail_msg("%d for " STR_FMT, a.status, STR_ARG(forms[i]));
                CHECK_EQ(a.body.n, 0);
                CHECK(str_eq(header_of(&a, "etag"), tag));
                CHECK_STR(header_of(&a, "cache-control"), "max-age=60");
                CHECK(!header_of(&a, "content-type").p);
        }
        CHECK_EQ(ask(w, "", line_of(w, "HEAD", at), field_of(w, "if-none-match", tag), NULL, NULL).status, 304);
        str others[] = { STR("\"1-0000000000000000\""), STR("1-0000000000000000"), STR("\"\""), STR(""), STR("\"open"), str_cut(tag, 1, tag.n), STR("**") };
        for (size_t i = 0; i < COUNT(others); i++) CHECK_EQ(ask(w, "", line, field_of(w, "if-none-match", others[i]), NULL, NULL).status, 200);
        /* a coding's tag is another tag of the same state, and comes back as it was sent */
        str coded = arena_printf(c->arena, STR_FMT "-gzip\"", STR_ARG(str_cut(tag, 0, tag.n - 1)));
        struct http_answer a = ask(w, "", line, field_of(w, "if-none-match", coded), NULL, NULL);
        CHECK_EQ(a.status, 304);
        CHECK(str_eq(header_of(&a, "etag"), coded));
}

WORLD_TEST(the_programs_own_documents_are_asked_for_by_their_tags)
{
        static const char *const paths[] = { "/docs", "/openapi.json" };
        for (size_t i = 0; i < COUNT(paths); i++) {
                struct http_answer a = http(w, "", GET, paths[i], NULL);
                CHECK_STR(header_of(&a, "cache-control"), "no-cache");
                struct http_answer same = ask(w, "", line_of(w, "GET", str_of(paths[i])), field_of(w, "if-none-match", header_of(&a, "etag")), NULL, NULL);
                CHECK_EQ(same.status, 304);
                CHECK_STR(header_of(&same, "cache-control"), "no-cache");
        }
        struct http_answer a = http(w, "", GET, "/healthz", NULL);
        CHECK(!header_of(&a, "etag").p);                        /* what nobody keeps needs none */
}

WORLD_TEST(a_read_may_insist_on_what_it_knows)
{
        struct http_answer made = chess(w);
        str at = header_of(&made, "location"), tag = header_of(&made, "etag");
        const char *line = line_of(w, "GET", at);
        CHECK_EQ(ask(w, "", line, field_of(w, "if-match", tag), NULL, NULL).status, 200);
        CHECK_EQ(ask(w, "", line, "if-match: *", NULL, NULL).status, 200);
        refused(ask(w, "", line, "if-match: \"1-0000000000000000\"", NULL, NULL), 412, "stale");
        struct http_answer a = refused(ask(w, "", line, field_of(w, "if-match", arena_printf(as(w, "")->arena, "W/" STR_FMT, STR_ARG(tag))), NULL, NULL), 412, "stale");
        CHECK(!header_of(&a, "etag").p);
}

WORLD_TEST(a_change_says_which_version_it_is_of)
{
        struct http_answer made = chess(w);
        str at = header_of(&made, "location"), tag = header_of(&made, "etag");
        const char *put = line_of(w, "PUT", at), *body = "{\"title\":\"go\",\"players\":2}";
        struct http_answer a = refused(ask(w, "alice", put, "", JSON, body), 428, "precondition_required");
        HAS(a.body, "\"pointer\":\"If-Match\"");
        a = ask(w, "alice", put, field_of(w, "if-match", tag), JSON, body);
        CHECK_EQ(a.status, 200);
        HAS(a.body, "\"title\":\"go\"");
        LACKS(a.body, "maker");
        LACKS(a.body, "old");
        CHECK(str_starts(header_of(&a, "etag"), STR("\"2-")));
        CHECK(str_eq(header_of(&a, "content-location"), at));
        refused(ask(w, "alice", put, field_of(w, "if-match", tag), JSON, body), 412, "stale");
        refused(ask(w, "alice", put, "if-match: W/\"2-0000000000000000\"", JSON, body), 412, "stale");
        refused(ask(w, "alice", put, "if-match: \"somebody-else's-tag\"", JSON, body), 412, "stale");
        refused(ask(w, "alice", put, "if-match: \"2\"", JSON, body), 412, "stale");
        static const char *const bad[] = { "if-match: 2", "if-match:", "if-match: \"2-0", "if-match: *, *", "if-match: \"2-0000000000000000\" x" };
        for (size_t i = 0; i < COUNT(bad); i++) HAS(refused(ask(w, "alice", put, bad[i], JSON, body), 400, "precondition_invalid").body, "\"pointer\":\"If-Match\"");
        refused(ask(w, "alice", put, "if-match: \"1-0000000000000000\", \"2-0000000000000000\"", JSON, body), 400, "precondition_invalid");
        refused(ask(w, "alice", put, "if-none-match: *", JSON, body), 400, "precondition_unsupported");
        refused(ask(w, "alice", put, "if-match: \"2-0000000000000000\"", JSON, "{\"title\":\"\",\"players\":2}"), 400, "invalid");
        CHECK_EQ(number(w, "toyshop", "select version from game"), 2);
        /* two representations of one version are one precondition, and * is any */
        CHECK_EQ(ask(w, "alice", put, "if-match: \"2-0000000000000000\", \"2-000000000000000f-gzip\"", JSON, body).status, 200);
        CHECK_EQ(ask(w, "alice", put, "if-match: *", JSON, body).status, 200);
        CHECK_EQ(number(w, "toyshop", "select version from game"), 4);
        refused(ask(w, "alice", "PUT /v1/games/00000000-0000-4000-8000-000000000000", "if-match: \"2-0000000000000000\"", JSON, body), 404, "not_found");
        refused(ask(w, "alice", "PUT /v1/games/00000000-0000-4000-8000-000000000000", "if-match: W/\"2\"", JSON, body), 404, "not_found");
        refused(ask(w, "", put, "", JSON, body), 401, "missing_token");
}

/* A field of any pieces of tags, in any order. */
static const char *some_field(struct world *w, struct rand *r, const char *name, str tag)
{
        static const char *const pieces[] = { "\"", "W/", ",", "*", " ", "\t", "-", "1", "\"1-0000000000000000\"", "\"x\"", "W/\"1-0000000000000000-br\"", "\x7f", "\xe9", "" };
        struct buf b AUTO(buf_done) = BUF_INIT(4000);
        buf_printf(&b, "%s: ", name);
        for (uint32_t n = rand_below(r, 6); n; n--) {
                uint32_t i = rand_below(r, COUNT(pieces) + 1);
                if (i == COUNT(pieces)) buf_add(&b, tag);
                else buf_lit(&b, pieces[i]);
        }
        return arena_z(as(w, "")->arena, buf_str(&b));
}

WORLD_TEST(no_field_of_tags_confuses_anybody)
{
        struct http_answer made = chess(w);
        str at = header_of(&made, "location"), tag = header_of(&made, "etag");
        const char *get = line_of(w, "GET", at), *gone = line_of(w, "DELETE", STR("/v1/games/00000000-0000-4000-8000-000000000000"));
        struct rand r;
        rand_seed(&r, 20261124);
        for (int i = 0; i < 300; i++) {
                const char *field = some_field(w, &r, "if-none-match", tag);
                struct http_answer a = ask(w, "", get, field, NULL, NULL);
                if (a.status != 200 && a.status != 304 && a.status != 0) cm_fail_msg("%d for %s", a.status, field);      /* 0: no HTTP at all */
                if (a.status == 304 && !memmem(field, strlen(field), tag.p, tag.n) && !strchr(field, '*')) cm_fail_msg("304 for %s", field);
                field = some_field(w, &r, "if-match", tag);
                a = ask(w, "alice", gone, field, NULL, NULL);
                if (a.status != 404 && a.status != 400 && a.status != 0) cm_fail_msg("%d for %s", a.status, field);
        }
}

WORLD_TEST(what_goes_away_is_the_version_that_was_seen)
{
        struct http_answer made = chess(w);
        str at = header_of(&made, "location"), tag = header_of(&made, "etag");
        const char *gone = line_of(w, "DELETE", at);
        refused(ask(w, "alice", gone, "", NULL, NULL), 428, "precondition_required");
        refused(ask(w, "alice", gone, "if-match: \"7-0000000000000000\"", NULL, NULL), 412, "stale");
        CHECK_EQ(rows(w, "toyshop", "game"), 1);
        CHECK_EQ(ask(w, "alice", gone, field_of(w, "if-match", tag), NULL, NULL).status, 204);
        CHECK_EQ(rows(w, "toyshop", "game"), 0);
        refused(ask(w, "alice", gone, field_of(w, "if-match", tag), NULL, NULL), 404, "not_found");
        made = http(w, "staff#1", POST, "/v1/toys", "{\"name\":\"duck\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},\"stock\":1}");
        struct http_answer a = refused(ask(w, "admin", line_of(w, "DELETE", header_of(&made, "location")), "if-match: *", NULL, NULL), 400, "precondition_unsupported");
        HAS(a.body, "\"pointer\":\"If-Match\"");
}

WORLD_TEST(a_merge_patch_changes_what_it_names)
{
        struct http_answer made = chess(w);
        str at = header_of(&made, "location"), tag = header_of(&made, "etag");
        const char *patch = line_of(w, "PATCH", at);
        struct http_answer a = ask(w, "alice", patch, field_of(w, "if-match", tag), MERGE, "{\"players\":4}");
        CHECK_EQ(a.status, 200);
        CHECK(str_starts(a.body, STR("{\"id\":")));
        HAS(a.body, "\"title\":\"chess\",\"maker\":\"anon\",\"players\":4,\"labels\":[\"old\",\"board\"],\"version\":2}");
        CHECK(str_starts(header_of(&a, "etag"), STR("\"2-")));
        a = ask(w, "alice", patch, "", JSON, "{\"maker\":null,\"labels\":[\"new\"]}");
        HAS(a.body, "\"title\":\"chess\",\"players\":4,\"labels\":[\"new\"],\"version\":3}");
        HAS(ask(w, "alice", patch, "", MERGE "; charset=utf-8", "{}").body, "\"version\":4}");
        refused(ask(w, "alice", patch, field_of(w, "if-match", tag), MERGE, "{\"players\":5}"), 412, "stale");
        a = refused(ask(w, "alice", patch, "", MERGE, "{\"title\":null,\"players\":0,\"colour\":1,\"id\":\"00000000-0000-4000-8000-000000000000\","
                        "\"if_match\":1}"), 400, "invalid");
        HAS(a.body, "{\"pointer\":\"/title\",\"slug\":\"required\"");
        HAS(a.body, "{\"pointer\":\"/players\",\"slug\":\"too_small\"");
        HAS(a.body, "{\"pointer\":\"/colour\",\"slug\":\"unknown\"");
        HAS(a.body, "{\"pointer\":\"/id\",\"slug\":\"unknown\"");
        HAS(a.body, "{\"pointer\":\"/if_match\",\"slug\":\"unknown\"");
        HAS(refused(ask(w, "alice", patch, "", MERGE, "[1]"), 400, "invalid").body, "must be an object");
        HAS(refused(ask(w, "alice", patch, "", MERGE, ""), 400, "invalid").body, "must be an object");
        refused(ask(w, "alice", line_of(w, "PATCH", arena_printf(as(w, "")->arena, STR_FMT "?x=1", STR_ARG(at))), "", MERGE, "{}"), 400, "invalid");
        refused(ask(w, "alice", "PATCH /v1/games/00000000-0000-4000-8000-000000000000", "", MERGE, "{}"), 404, "not_found");
        refused(ask(w, "alice", "PATCH /v1/games/00000000-0000-4000-8000-000000000000", "", MERGE, "{\"unheard_of\":1}"), 400, "invalid");    /* whatever stands */
        refused(ask(w, "alice", "PATCH /v1/games/x", "", MERGE, "{}"), 400, "invalid");
        CHECK_EQ(number(w, "toyshop", "select version from game"), 4);
}

WORLD_TEST(which_patches_a_path_takes_is_said)
{
        struct http_answer made = chess(w);
        str at = header_of(&made, "location");
        struct http_answer a = refused(ask(w, "alice", line_of(w, "PATCH", at), "", "application/json-patch+json", "[]"), 415, "unsupported_media_type");
        HAS(a.body, "application/merge-patch+json");
        CHECK_STR(header_of(&a, "accept-patch"), "application/merge-patch+json, application/json");
        a = http(w, "", OPTIONS, at.p, NULL);
        CHECK_STR(header_of(&a, "allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
        CHECK_STR(header_of(&a, "accept-patch"), "application/merge-patch+json, application/json");
        a = refused(ask(w, "alice", line_of(w, "PUT", at), "if-match: *", MERGE, "{}"), 415, "unsupported_media_type");
        CHECK(!header_of(&a, "accept-patch").p);
        a = http(w, "", OPTIONS, "/v1/toys", NULL);
        CHECK(!header_of(&a, "accept-patch").p);
}

WORLD_TEST(a_patch_of_whatever_stands_loses_nothing_that_came_meanwhile)
{
        COUNTING(PATCH_TRIES);
        struct http_answer made = chess(w);
        str at = header_of(&made, "location");
        const char *patch = line_of(w, "PATCH", at);
        shop_here->contests = 2;                /* twice somebody else adds a player between reading and writing */
        struct http_answer a = ask(w, "alice", patch, "", MERGE, "{\"title\":\"whist\"}");
        CHECK_EQ(a.status, 200);
        HAS(a.body, "\"title\":\"whist\",\"maker\":\"anon\",\"players\":4,");
        HAS(a.body, "\"version\":4}");
        shop_here->contests = 1000;
        refused(ask(w, "alice", patch, "if-match: *", MERGE, "{\"title\":\"bridge\"}"), 409, "conflict");
        CHECK_EQ(shop_here->contests, 996);     /* it does not go on for ever */
        shop_here->contests = 1;                /* who names a version is told at once */
        str named = arena_printf(as(w, "")->arena, "\"%lld-0000000000000000\"", (long long)number(w, "toyshop", "select version from game"));
        refused(ask(w, "alice", patch, field_of(w, "if-match", named), MERGE, "{\"title\":\"bridge\"}"), 412, "stale");
        CHECK_EQ(number(w, "toyshop", "select count(*) from game where title = 'whist'"), 1);
        REACHED(PATCH_TRIES);
}

WORLD_TEST(a_client_that_needs_no_body_gets_none)
{
        struct http_answer a = ask(w, "staff#m", "POST /v1/games", "prefer: respond-async, return=minimal; foo=bar", JSON, CHESS);
        CHECK_EQ(a.status, 201);
        CHECK_EQ(a.body.n, 0);
        str at = header_of(&a, "location"), tag = header_of(&a, "etag");
        CHECK(at.n > 0 && str_starts(tag, STR("\"1-")));
        CHECK_STR(header_of(&a, "preference-applied"), "return=minimal");
        CHECK(!header_of(&a, "content-type").p && !header_of(&a, "content-location").p);
        a = http(w, "", GET, at.p, NULL);
        CHECK(str_eq(header_of(&a, "etag"), tag));
        a = ask(w, "staff#m", "POST /v1/games", "", JSON, CHESS);       /* the first answer again, this time whole */
        CHECK_STR(header_of(&a, "idempotency-replayed"), "true");
        CHECK(str_eq(header_of(&a, "location"), at) && str_eq(header_of(&a, "etag"), tag));
        HAS(a.body, "\"title\":\"chess\"");
        a = ask(w, "alice", line_of(w, "PATCH", at), "prefer: return=\"minimal\"", MERGE, "{\"players\":3}");
        CHECK_EQ(a.status, 204);
        CHECK_EQ(a.body.n, 0);
        CHECK(str_starts(header_of(&a, "etag"), STR("\"2-")));
        CHECK_STR(header_of(&a, "preference-applied"), "return=minimal");
        a = ask(w, "alice", line_of(w, "PATCH", at), "prefer: return=representation, return=minimal", MERGE, "{\"players\":4}");
        CHECK_EQ(a.status, 200);
        CHECK(!header_of(&a, "preference-applied").p);
        a = ask(w, "", line_of(w, "GET", at), "prefer: return=minimal", NULL, NULL);
        CHECK_EQ(a.status, 200);
        CHECK(a.body.n > 0);
        a = ask(w, "al#k", "POST /v1/keyed", "prefer: return=minimal", NULL, NULL);     /* an answer that is no resource is the point of asking */
        CHECK_EQ(a.status, 200);
        CHECK(a.body.n > 0);
        CHECK(!header_of(&a, "etag").p);
        refused(ask(w, "alice", line_of(w, "PATCH", at), "prefer: return=minimal", MERGE, "{\"players\":0}"), 400, "invalid");
}

WORLD_TEST(a_client_says_which_members_it_wants)
{
        struct http_answer made = chess(w), a;
        struct ctx *c = as(w, "");
        str at = header_of(&made, "location"), whole = header_of(&made, "etag");
        const char *some = arena_z(c->arena, arena_printf(c->arena, STR_FMT "?fields=title,version", STR_ARG(at)));
        a = http(w, "", GET, some, NULL);
        CHECK_STR(a.body, "{\"title\":\"chess\",\"version\":1}");
        str tag = header_of(&a, "etag");
        CHECK(!str_eq(tag, whole));                             /* another representation ... */
        CHECK(str_starts(tag, STR("\"1-")));                     /* ... of the same state */
        CHECK_EQ(ask(w, "", line_of(w, "GET", str_of(some)), field_of(w, "if-none-match", tag), NULL, NULL).status, 304);
        CHECK_EQ(ask(w, "", line_of(w, "GET", str_of(some)), field_of(w, "if-none-match", whole), NULL, NULL).status, 200);
        a = http(w, "", GET, arena_z(c->arena, arena_printf(c->arena, STR_FMT "?fields=players", STR_ARG(at))), NULL);
        CHECK_STR(a.body, "{\"players\":2}");
        CHECK(str_starts(header_of(&a, "etag"), STR("\"1-")));   /* the version need not be shown */
        CHECK_EQ(ask(w, "alice", line_of(w, "PATCH", at), field_of(w, "if-match", header_of(&a, "etag")), MERGE, "{\"players\":3}").status, 200);
        a = http(w, "", GET, arena_z(c->arena, arena_printf(c->arena, STR_FMT "?&fields=t%%69tle%%2Cplayers&fields=labels", STR_ARG(at))), NULL);
        CHECK_STR(a.body, "{\"title\":\"chess\",\"players\":3,\"labels\":[\"old\",\"board\"]}");
        static const char *const bad[] = { "fields=colour", "fields=", "fields", "fields=title,,id", "fields=title;id", "fields=%zz", "fields=if_match" };
        for (size_t i = 0; i < COUNT(bad); i++) {
                a = refused(http(w, "", GET, arena_z(c->arena, arena_printf(c->arena, STR_FMT "?%s", STR_ARG(at), bad[i])), NULL), 400, "invalid");
                HAS(a.body, "\"pointer\":\"fields\"");
        }
        a = refused(http(w, "", GET, "/v1/toys?fields=colour,next&limit=0&color=1", NULL), 400, "invalid");
        HAS(a.body, "no member \\\"colour\\\" of toy");
        HAS(a.body, "no member \\\"next\\\" of toy");
        HAS(a.body, "\"pointer\":\"limit\"");
        HAS(a.body, "\"pointer\":\"color\"");
        CHECK_EQ(http(w, "staff#t", POST, "/v1/toys", "{\"name\":\"duck\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},\"stock\":1}").status, 201);
        CHECK_EQ(http(w, "staff#u", POST, "/v1/toys", "{\"name\":\"goat\",\"price\":{\"amount\":2,\"currency\":\"EUR\"},\"stock\":1}").status, 201);
        a = http(w, "", GET, "/v1/toys?fields=price,name&limit=1", NULL);
        CHECK(str_starts(a.body, STR("{\"items\":[{\"name\":\"duck\",\"price\":{\"amount\":1,\"currency\":\"EUR\"}}],\"next\":\"/v1/toys?fields=price,name&limit=1&cursor=")));
        refused(http(w, "admin", DELETE, "/v1/toys/00000000-0000-4000-8000-000000000000?fields=id", NULL), 400, "invalid");
        str doc = http(w, "", GET, "/openapi.json", NULL).body;
        HAS(json_member(json_member(json_member(doc, "paths"), "/v1/toys"), "get"), "\"fields\"");
        HAS(json_member(json_member(doc, "components"), "schemas"), "\"some_of_toy\"");
        LACKS(json_member(json_member(json_member(doc, "paths"), "/v1/games"), "post"), "\"fields\"");
}

WORLD_TEST(the_document_says_what_conditions_there_are)
{
        str doc = http(w, "", GET, "/openapi.json", NULL).body;
        str games = json_member(json_member(doc, "paths"), "/v1/games/{id}"), put = json_member(games, "put"), patch = json_member(games, "patch");
        HAS(json_member(put, "parameters"), "\"If-Match\"");
        HAS(json_member(put, "responses"), "\"412\"");
        HAS(json_member(put, "responses"), "\"428\"");
        HAS(json_member(put, "responses"), "\"ETag\"");
        LACKS(json_member(patch, "responses"), "\"428\"");
        HAS(json_member(patch, "requestBody"), MERGE);
        HAS(json_member(json_member(games, "delete"), "responses"), "\"428\"");
        HAS(json_member(json_member(games, "get"), "responses"), "\"304\"");
        HAS(json_member(json_member(games, "get"), "parameters"), "\"If-None-Match\"");
        LACKS(doc, "if_match");
}

TEST_MAIN
