/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * bind_test.c - tables held against each other: which operations gather callers, and which the bus alone runs. */
#include "test.h"
#include "engine.h"
#include "kit.h"

struct thing { uid id; };
MESSAGE(thing, "a thing", F(thing, 1, id));
BATCHED(thing_called, thing, nothing);
static int thing_called(struct ctx *c, struct batch *b) { (void)c; (void)b; return 0; }
BATCHED(thing_heard, thing, nothing);
static int thing_heard(struct ctx *c, struct batch *b) { (void)c; (void)b; return 0; }
BATCHED(thing_both, thing, nothing);
static int thing_both(struct ctx *c, struct batch *b) { (void)c; (void)b; return 0; }
static const struct event thing_made = { "thing.made", &thing_type, "id", "a thing was made" };
static const struct service hears = { .name = "hears", .doc = "Hears.", EMITS(&thing_made),
        CALLS(&thing_called_op), CONSUMES(ON(thing_made, thing_heard), ON(thing_made, thing_both)) };
static const struct service routes = { .name = "routes", .doc = "Routes.", ROUTES(POST("/v1/both", thing_both, .who = USER, .keyed = true, .doc = "Both.")) };

struct sign { uid id; IF_MATCH_MEMBER; };
struct sign_now { uid id; int32_t version; };
MESSAGE(sign, "a sign", F(sign, 1, id), IF_MATCH_FIELD(sign, 2));
MESSAGE(sign_now, "a sign as it is", F(sign_now, 1, id), F(sign_now, 2, version));
static int sign_get(struct ctx *c, const struct sign *in, struct sign_now *out) { (void)c; (void)in; (void)out; return 0; }
OP(sign_get, sign, sign_now);
#define SIGN "/v1/signs/{id}"
static const struct service blind = { .name = "blind", .doc = "Blind.", ROUTES(GET(SIGN, sign_get, .who = ANYONE, .doc = "Reads."),
        DELETE(SIGN, sign_get, .who = ANYONE, .if_match = NEEDS_IF_MATCH, .doc = "Drops.")) };
static const struct service seeing = { .name = "seeing", .doc = "Seeing.", ROUTES(GET(SIGN, sign_get, .who = ANYONE, .version = "version", .doc = "Reads."),
        DELETE(SIGN, sign_get, .who = ANYONE, .if_match = NEEDS_IF_MATCH, .doc = "Drops.")) };

static int bound(const struct service *s, const char *why)
{
        struct app a = { .config = config_new() };
        struct ctx c = { .arena = arena_new(1 << 20) };
        const struct service *all[] = { s, NULL };
        config_table(a.config, "program", app_settings);
        int r = app_bind(&c, &a, all, NULL);
        if (r < 0) CHECK(memmem(c.fault.message.p, c.fault.message.n, why, strlen(why)) != NULL);
        app_unbind(&a);
        config_free(&a.config);
        arena_free(c.arena);
        return r;
}

TEST(what_needs_if_match_can_be_read_with_its_version)
{
        CHECK_EQ(bound(&blind, "DELETE " SIGN ": it needs If-Match, but no GET"), -INVALID_ARGUMENT);
        CHECK_OK(bound(&seeing, ""));
}

static bool gathers(const struct app *a, const struct op *op)
{
        for (size_t i = 0; i < a->n_batched; i++)
                if (a->batched[i] == op) return op->slot->batcher == (int)i + 1;
        return false;
}

TEST(an_operation_that_nobody_calls_has_no_batcher)
{
        struct app a = { .config = config_new() };
        struct ctx c = { .arena = arena_new(1 << 20) };
        const struct service *both[] = { &hears, &routes, NULL };
        config_table(a.config, "program", app_settings);
        if (app_bind(&c, &a, both, NULL) < 0) cm_fail_msg("%.*s", STR_ARG(c.fault.message));
        CHECK_EQ(a.n_batched, 2);
        CHECK(gathers(&a, &thing_called_op));
        CHECK(gathers(&a, &thing_both_op));     /* heard by one service, reached by a route of the next */
        CHECK(!gathers(&a, &thing_heard_op));
        CHECK_EQ(thing_heard_op.slot->batcher, 0);
        CHECK(thing_heard_op.slot->service > 0);
        app_unbind(&a);
        CHECK_EQ(thing_both_op.slot->batcher, 0);
        config_free(&a.config);
        arena_free(c.arena);
}

static int bind_one(const struct service *s, str *ret_why)
{
        static char why[300];
        struct app a = { .config = config_new() };
        struct ctx c = { .arena = arena_new(1 << 20) };
        config_table(a.config, "program", app_settings);
        int r = app_bind(&c, &a, (const struct service *const[]){ s, NULL }, NULL);
        snprintf(why, sizeof why, STR_FMT, STR_ARG(c.fault.message));
        *ret_why = str_of(why);
        app_unbind(&a);
        config_free(&a.config);
        arena_free(c.arena);
        return r;
}

static const struct service good = { .name = "good", .doc = "Good.", CONSTRAINTS({ "a", "mine", "says" }, { "b", "conflict", "says" }), SLUGS({ "mine", 409, "Mine." }) };
static const struct service unknown = { .name = "unknown", .doc = "Bad.", CONSTRAINTS({ "a", "nobodys", "says" }), SLUGS({ "mine", 409, "Mine." }) };
static const struct service mute = { .name = "mute", .doc = "Bad.", CONSTRAINTS({ "a", "mine" }), SLUGS({ "mine", 409, "Mine." }) };

TEST(a_constraint_is_called_by_a_slug_that_is_documented)
{
        str why;
        CHECK_OK(bind_one(&good, &why));
        CHECK_EQ(bind_one(&unknown, &why), -INVALID_ARGUMENT);
        CHECK_STR(why, "unknown: the constraint a wants a sentence and one of the slugs");
        CHECK_EQ(bind_one(&mute, &why), -INVALID_ARGUMENT);
}

TEST_MAIN
