/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * route_test.c - the router's tree, the checks of a route's row, W3C traceparent, and the order of the middleware. */
#include "test.h"
#include "engine.h"

struct thing_ref { uid id; str name; int32_t limit; };
MESSAGE(thing_ref, "which", F(thing_ref, 1, id), F(thing_ref, 2, name, .optional = true), F(thing_ref, 3, limit, .optional = true));
struct change { uid id; str name; IF_MATCH_MEMBER; };
struct shown { uid id; int32_t version, hidden; str name; };
MESSAGE(change, "a change", F(change, 1, id), F(change, 2, name), IF_MATCH_FIELD(change, 3));
MESSAGE(shown, "what is shown", F(shown, 1, id), F(shown, 2, version), F(shown, 3, hidden, .internal = true), F(shown, 4, name));
static int changed(struct ctx *c, const struct change *in, struct shown *out) { (void)c; (void)in; (void)out; return 0; }
static int brought(struct ctx *c, const struct change *in, struct change *out) { (void)c; (void)in; (void)out; return 0; }
OP(changed, change, shown);
OP(brought, change, change);
static int thing(struct ctx *c, const struct thing_ref *in, struct nothing *out) { (void)c; (void)in; (void)out; return 0; }
OP(thing, thing_ref, nothing);
static void raw(struct ctx *c, struct exchange *x) { (void)c; (void)x; }

static const struct service shop = { .name = "shop" };
static const struct route table[] = {
        RAW(GET, "/", raw, .who = ANYONE),
        GET("/v1/things", thing, .who = ANYONE),
        POST("/v1/things", thing, .who = USER),
        GET("/v1/things/{id}", thing, .who = ANYONE),
        DELETE("/v1/things/{id}", thing, .who = ADMIN),
        GET("/v1/things/{id}/{name}", thing, .who = ANYONE),
        GET("/v1/things/latest/all", thing, .who = ANYONE),
        GET("/v1/things/latest", thing, .who = ANYONE),
        POST("/v1/{name}/latest", thing, .who = USER),
};

static struct router *tree;
static struct endpoint all[COUNT(table)];

static void plant(void)
{
        char err[256] = "";
        tree = router_new();
        for (size_t i = 0; i < COUNT(table); i++) {
                if (endpoint_init(&all[i], &shop, &table[i], err) < 0 || router_add(tree, &all[i], err) < 0) cm_fail_msg("%s", err);
        }
}

static void fell(void)
{
        tree = router_free(tree);
        for (size_t i = 0; i < COUNT(table); i++) endpoint_done(&all[i]);
}

static const char *found(enum method m, const char *path, struct match *out)
{
        router_find(tree, m, str_of(path), out);
        return out->endpoint ? out->endpoint->name : "none";
}
#define FOUND(m, path, want)  do { struct match m_; CHECK_STR(str_of(found(m, path, &m_)), want); } while (0)

TEST(a_path_finds_its_route_by_method)
{
        plant();
        FOUND(GET, "/", "GET /");
        FOUND(GET, "/v1/things", "GET /v1/things");
        FOUND(HEAD, "/v1/things", "GET /v1/things");
        FOUND(POST, "/v1/things", "POST /v1/things");
        FOUND(GET, "/v1/things/7", "GET /v1/things/{id}");
        FOUND(DELETE, "/v1/things/7", "DELETE /v1/things/{id}");
        FOUND(PUT, "/v1/things/7", "none");
        FOUND(GET, "/v1/things/", "none");
        FOUND(GET, "/v1", "none");
        FOUND(GET, "/v1/things/7/x/y", "none");
        FOUND(GET, "v1/things", "none");
        FOUND(GET, "", "none");
        FOUND(GET, "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s", "none");
        fell();
}

TEST(a_literal_goes_before_a_variable_and_gives_way_when_it_leads_to_no_path)
{
        struct match m;
        plant();
        FOUND(GET, "/v1/things/latest", "GET /v1/things/latest");
        FOUND(GET, "/v1/things/latest/all", "GET /v1/things/latest/all");
        CHECK_STR(str_of(found(GET, "/v1/things/latest/x", &m)), "GET /v1/things/{id}/{name}");
        CHECK_STR(m.values[0], "latest");
        CHECK_STR(m.values[1], "x");
        CHECK_STR(str_of(found(DELETE, "/v1/things/latest", &m)), "none");
        CHECK_EQ(m.allowed, 1u << GET | 1u << HEAD | 1u << OPTIONS);
        CHECK_STR(str_of(found(POST, "/v1/things/latest", &m)), "none");
        CHECK_STR(str_of(found(POST, "/v1/words/latest", &m)), "POST /v1/{name}/latest");
        CHECK_STR(m.values[0], "words");
        fell();
}

TEST(the_methods_of_a_path_are_known_when_none_fits)
{
        struct match m;
        plant();
        router_find(tree, PUT, STR("/v1/things/7"), &m);
        CHECK_EQ(m.allowed, 1u << GET | 1u << HEAD | 1u << DELETE | 1u << OPTIONS);
        router_find(tree, GET, STR("/nowhere"), &m);
        CHECK_EQ(m.allowed, 0);
        fell();
}

static void refused(const struct route *r, const char *why)
{
        struct endpoint e;
        char err[256] = "";
        CHECK_EQ(endpoint_init(&e, &shop, r, err), -INVALID_ARGUMENT);
        if (!strstr(err, why)) cm_fail_msg("\"%s\" lacks \"%s\"", err, why);
        endpoint_done(&e);
}

TEST(a_wrong_row_is_told_before_anything_is_served)
{
        refused(&(struct route)GET("/x", thing), "does not say who may");
        refused(&(struct route)GET("/x/{nobody}", thing, .who = ANYONE), "{nobody} is no member of thing_ref");
        refused(&(struct route)GET("/x", thing, .who = ANYONE, .scope = "a"), "wants a scope of anyone");
        refused(&(struct route)POST("/x", thing, .who = ANYONE, .keyed = true), "a key belongs to somebody");
        refused(&(struct route)POST("/x", thing, .who = USER, .keyed = true, .idempotent = true), "not both");
        refused(&(struct route)GET("/x", thing, .who = USER, .keep_ms = 1000, .cache_control = "public"), "keeps answers, which are of operations that anyone GETs");
        refused(&(struct route)GET("/x", thing, .who = ANYONE, .keep_ms = 1000, .cache_control = "private"), "keeps answers that are not public");
        refused(&(struct route)GET("x", thing, .who = ANYONE), "not a route");
        refused(&(struct route){ .method = GET, .path = "/x", .who = ANYONE }, "has neither an operation nor a raw handler");
}

TEST(what_a_row_says_of_versions_and_conditions_is_held_against_its_messages)
{
        char err[256] = "";
        struct endpoint e;
        static const struct route good = PATCH("/x/{id}", changed, .who = USER, .version = "version", .if_match = NEEDS_IF_MATCH, .patches = &brought_op);
        CHECK_OK(endpoint_init(&e, &shop, &good, err));
        CHECK(e.if_match != NULL);
        CHECK(e.needs_body);
        endpoint_done(&e);
        refused(&(struct route)GET("/x/{id}", changed, .who = ANYONE, .version = "age"), "no whole number of the answer");
        refused(&(struct route)GET("/x/{id}", changed, .who = ANYONE, .version = "name"), "no whole number of the answer");
        refused(&(struct route)GET("/x/{id}", changed, .who = ANYONE, .version = "hidden"), "for all to see");
        refused(&(struct route)GET("/x/{id}", changed, .who = ANYONE, .if_match = MAY_IF_MATCH), "a GET needs no If-Match");
        refused(&(struct route)PUT("/x/{id}", thing, .who = ANYONE, .if_match = NEEDS_IF_MATCH), "no place in its input");
        refused(&(struct route)PUT("/x/{id}", changed, .who = ANYONE, .patches = &brought_op), "only a PATCH patches");
        refused(&(struct route)PATCH("/x/{id}", changed, .who = ANYONE, .patches = &changed_op), "takes and gives that");
        refused(&(struct route)PATCH("/x/{id}/{name}", changed, .who = ANYONE, .patches = &brought_op), "nothing to patch");
        refused(&(struct route)RAW(PUT, "/x", raw, .who = ANYONE, .if_match = NEEDS_IF_MATCH), "has a raw handler");
}

struct chooser { str fields; };
MESSAGE(chooser, "an input that takes the edge's word", F(chooser, 1, fields, .optional = true));
static int choosing(struct ctx *c, const struct chooser *in, struct shown *out) { (void)c; (void)in; (void)out; return 0; }
OP(choosing, chooser, shown);

TEST(what_members_a_client_may_choose_is_worked_out_once)
{
        char err[256] = "";
        struct endpoint e;
        static const struct route reads = GET("/x/{id}", changed, .who = ANYONE), says_nothing = GET("/x", thing, .who = ANYONE),
                                  writes = PUT("/x/{id}", changed, .who = ANYONE);
        CHECK_OK(endpoint_init(&e, &shop, &reads, err));
        CHECK(e.choice == &shown_type);
        endpoint_done(&e);
        CHECK_OK(endpoint_init(&e, &shop, &says_nothing, err));
        CHECK(e.choice == NULL);
        endpoint_done(&e);
        CHECK_OK(endpoint_init(&e, &shop, &writes, err));
        CHECK(e.choice == NULL);
        endpoint_done(&e);
        refused(&(struct route)GET("/x", choosing, .who = ANYONE), "the edge's own parameter");
}

TEST(two_rows_of_one_path_and_method_are_refused)
{
        char err[256] = "";
        struct endpoint twin;
        static const struct route row = GET("/v1/things/{name}", thing, .who = ANYONE);
        plant();
        CHECK_OK(endpoint_init(&twin, &shop, &row, err));
        CHECK_EQ(router_add(tree, &twin, err), -INVALID_ARGUMENT);
        CHECK(strstr(err, "two routes") != NULL);
        endpoint_done(&twin);
        fell();
}

TEST(what_the_path_says_is_no_part_of_the_body)
{
        char err[256] = "";
        struct endpoint e;
        static const struct route row = PATCH("/v1/things/{id}", thing, .who = USER);
        CHECK_OK(endpoint_init(&e, &shop, &row, err));
        CHECK(e.takes_body);
        CHECK(!e.needs_body);
        CHECK(type_field(&e.body, STR("id"))->internal);
        endpoint_done(&e);
}

TEST(a_traceparent_is_read_as_the_recommendation_says)
{
        static const char *const bad[] = {
                "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
                "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x" };
        struct trace t;
        char text[56];
        CHECK(traceparent_read(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), &t));
        CHECK(t.sampled);
        traceparent_write(&t, text);
        CHECK_STR(str_of(text), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        CHECK(traceparent_read(STR("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-later"), &t));
        CHECK(!t.sampled);
        for (size_t i = 0; i < COUNT(bad); i++)
                if (traceparent_read(str_of(bad[i]), &t)) cm_fail_msg("taken: %s", bad[i]);
}

static int place(const char *name)
{
        for (int i = 0; middlewares[i].name; i++)
                if (!strcmp(middlewares[i].name, name)) return i;
        return -1;
}

TEST(the_order_of_the_middleware_is_the_one_that_is_safe)
{
        CHECK_EQ(place("identity of the request"), 0);
        CHECK(place("routing") < place("authentication"));
        CHECK(place("authentication") < place("authorisation"));
        CHECK(place("authorisation") < place("idempotency"));
        CHECK(place("authorisation") < place("conditional requests"));
        CHECK(place("conditional requests") < place("idempotency"));   /* so that tags are of kept answers as well */
        CHECK(place("access line") < place("metrics"));
}

TEST_MAIN
