/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * toyshop.h - a tiny service for tests of app/: a message of every place it can come from, a list, an idempotent effect, a batched operation,
 * an event with a consumer, a job, keys for tokens, and a thing that several may change (game). */
#ifndef TOYSHOP_H
#define TOYSHOP_H
#include <unistd.h>
#include "auth.h"
#include "jwt.h"
#include "kit.h"
#include "server.h"

struct toy { uid id; str name; money price; int64_t stock; when made_at; };
struct toy_draft { str name; money price; int64_t stock; str note; };
struct toy_ref { uid id; };
struct toy_change { uid id; int64_t delta; };
struct toy_filter { str q; PAGE_MEMBERS; };
DECLARE_LIST(toy);
struct toy_page { struct toy_list items; PAGE_LINKS; };
MESSAGE(toy, "a toy", F(toy, 1, id), F(toy, 2, name), F(toy, 3, price), F(toy, 4, stock), F(toy, 5, made_at));
MESSAGE(toy_draft, "a toy to be", F(toy_draft, 1, name, .min = 1, .max = 40, .example = "\"duck\""), F(toy_draft, 2, price), F(toy_draft, 3, stock, .max = 1000),
        F(toy_draft, 4, note, .optional = true, .secret = true));
MESSAGE(toy_ref, "which toy", F(toy_ref, 1, id));
MESSAGE(toy_change, "more or fewer of one toy", F(toy_change, 1, id), F(toy_change, 2, delta, .min = -1000, .max = 1000));
MESSAGE(toy_filter, "which toys", F(toy_filter, 1, q, .optional = true), PAGE_FIELDS(toy_filter, 20));
MESSAGE(toy_page, "some toys", F_LIST(toy_page, 1, items, toy), PAGE_LINK_FIELDS(toy_page, 2));

#define QUERY_(id_, sql_, In, out_, rows_, ...) static const struct query id_ = { .name = #id_, .sql = sql_, .in = &In##_type, .out = out_, .rows = rows_, \
        .params = (const char *const[]){ __VA_ARGS__, NULL }, .plan = &(struct query_plan){ NULL } }
#define TOY_COLUMNS "id, name, price_minor, price_cur, stock, made_at"
QUERY_(toy_insert, "insert into toy (id, name, price_minor, price_cur, stock, made_at) values ($1, $2, $3, $4, $5, $6)", toy, NULL, ROWS_NONE,
       "id", "name", "price.minor", "price.cur", "stock", "made_at");
QUERY_(toy_by_id, "select " TOY_COLUMNS " from toy where id = $1", toy_ref, &toy_type, ROWS_ONE, "id");
QUERY_(toy_add, "update toy set stock = stock + $2 where id = $1 returning " TOY_COLUMNS, toy_change, &toy_type, ROWS_ONE, "id", "delta");
/* Both ways through each order but that by stock. */
#define TOYS_WHERE "select " TOY_COLUMNS " from toy where ($4::text is null or name like $4 || '%') and ($1::uuid is null or "
#define UP(key)   key ", id limit $3"
#define DOWN(key) key " desc, id desc limit $3"
QUERY_(toys_by_name, TOYS_WHERE "(name, id) > ($2, $1)) order by " UP("name"), toy_filter, &toy_type, ROWS_MANY, "after_id", "after_text", "take", "q");
QUERY_(toys_by_name_down, TOYS_WHERE "(name, id) < ($2, $1)) order by " DOWN("name"), toy_filter, &toy_type, ROWS_MANY, "after_id", "after_text", "take", "q");
QUERY_(toys_by_price, TOYS_WHERE "(price_minor, id) > ($2::int8, $1)) order by " UP("price_minor"), toy_filter, &toy_type, ROWS_MANY, "after_id", "after_int", "take", "q");
QUERY_(toys_by_price_down, TOYS_WHERE "(price_minor, id) < ($2::int8, $1)) order by " DOWN("price_minor"), toy_filter, &toy_type, ROWS_MANY,
       "after_id", "after_int", "take", "q");
#define TOY_TIME "(timestamptz 'epoch' + $2::int8 * interval '1 microsecond', $1)) order by "
QUERY_(toys_by_time, TOYS_WHERE "(made_at, id) < " TOY_TIME DOWN("made_at"), toy_filter, &toy_type, ROWS_MANY, "after_id", "after_int", "take", "q");
QUERY_(toys_by_time_up, TOYS_WHERE "(made_at, id) > " TOY_TIME UP("made_at"), toy_filter, &toy_type, ROWS_MANY, "after_id", "after_int", "take", "q");
QUERY_(toys_by_stock, TOYS_WHERE "(stock, id) > ($2::int8, $1)) order by " UP("stock"), toy_filter, &toy_type, ROWS_MANY, "after_id", "after_int", "take", "q");

static const struct event toy_made = { "toy.made", &toy_type, "id", "a toy was made" };
static const struct paging toys_paging = PAGING(toy_filter, toy, { "name", &toys_by_name, "name" }, { "-name", &toys_by_name_down, "name" },
                                                { "price", &toys_by_price, "price" }, { "-price", &toys_by_price_down, "price" },
                                                { "-made_at", &toys_by_time, "made_at" }, { "made_at", &toys_by_time_up, "made_at" },
                                                { "stock", &toys_by_stock, "stock" });

static int toy_make(struct ctx *c, const struct toy_draft *in, struct toy *out)
{
        if (str_eq(in->name, STR("gun"))) return fail(c, FAILED_PRECONDITION, "no_weapons", "this shop sells no " STR_FMT, STR_ARG(in->name));
        if (str_eq(in->name, STR("bug"))) return fail(c, INTERNAL, "oops", "the password is 1234");
        *out = (struct toy){ uid_v7(clock_now()), in->note.p ? in->note : in->name, in->price, in->stock, clock_now() };
        TX(tx, c);
        TRY(db_run(tx, &toy_insert, out, NULL));
        TRY(emit(tx, &toy_made, out));
        TRY(tx_commit(tx));
        kept_forget(c);
        return 0;
}
OP(toy_make, toy_draft, toy);

static int toy_get(struct ctx *c, const struct toy_ref *in, struct toy *out) { return db_run(db(c), &toy_by_id, in, out); }
OP(toy_get, toy_ref, toy);
static int toy_change_stock(struct ctx *c, const struct toy_change *in, struct toy *out) { return db_run(db(c), &toy_add, in, out); }
OP(toy_change_stock, toy_change, toy);
static int toy_list_some(struct ctx *c, const struct toy_filter *in, struct toy_page *out)
{
        struct toy_filter f = *in;
        return page_query(c, &toys_paging, &f, &out->items, &out->next, &out->prev);
}
OP(toy_list_some, toy_filter, toy_page);
static int toy_break(struct ctx *c, const struct toy_ref *in, struct nothing *out)
{
        (void)out;
        return db_run(db(c), &toy_by_id, in, arena_one(c->arena, struct toy)) < 0 ? fail(c, NOT_FOUND, "no_such_toy", "there is no such toy") : 0;
}
OP(toy_break, toy_ref, nothing);
static int toy_keyed(struct ctx *c, const struct nothing *in, struct toy_ref *out)
{
        (void)in;
        struct digest d = sha256(c->idempotency_key);
        memcpy(out->id.b, d.b, 16);
        return MIN(db_exec(db(c), "select 1"), 0);      /* a wait, so that a twin may come meanwhile */
}
OP(toy_keyed, nothing, toy_ref);

BATCHED(toy_count_made, toy, nothing);
static int toy_count_made(struct ctx *c, struct batch *b)
{
        TX(tx, c);
        EACH_CALL(v, b) {
                struct toy_change more = { .id = toy_count_made_in(v)->id, .delta = 1 };
                struct toy after;
                v->verdict = MIN(db_run(tx, &toy_add, &more, &after), 0);
        }
        return tx_commit(tx);
}

static int toy_tick(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        (void)in;
        (void)out;
        return MIN(db_exec(db(c), "update toy set stock = 0"), 0);
}
OP(toy_tick, nothing, nothing);

/* ---- a resource with a version: replaced, patched and dropped by whoever knows how it stands ------------------------------------------ */
struct game { uid id; str title, maker; int64_t players; struct str_list labels; int32_t version; };
struct game_new { str title, maker; int64_t players; struct str_list labels; };
struct game_draft { uid id; str title, maker; int64_t players; struct str_list labels; IF_MATCH_MEMBER; };
struct game_ref { uid id; IF_MATCH_MEMBER; };
#define GAME_FIELDS(T) \
        F(T, 2, title, .min = 1, .max = 40), F(T, 3, maker, .optional = true, .max = 40), F(T, 4, players, .min = 1, .max = 99), \
        F_LIST(T, 5, labels, str, .optional = true, .max = 5)
MESSAGE(game, "a game", F(game, 1, id), GAME_FIELDS(game), F(game, 6, version));
MESSAGE(game_new, "a game to be", GAME_FIELDS(game_new));
MESSAGE(game_draft, "a game as it should be", F(game_draft, 1, id), GAME_FIELDS(game_draft), IF_MATCH_FIELD(game_draft, 6));
MESSAGE(game_ref, "which game", F(game_ref, 1, id), IF_MATCH_FIELD(game_ref, 2));
#define GAME_COLUMNS "id, title, maker, players, labels, version"
QUERY_(game_insert, "insert into game (id, title, maker, players, labels) values ($1, $2, $3, $4, coalesce($5::text[], '{}'))", game, NULL, ROWS_NONE,
       "id", "title", "maker", "players", "labels");
QUERY_(game_by_id, "select " GAME_COLUMNS " from game where id = $1", game_ref, &game_type, ROWS_ONE, "id");
QUERY_(game_to_patch, "select id, title, maker, players, labels, version::int8 as if_match from game where id = $1", game_draft, &game_draft_type, ROWS_ONE, "id");
QUERY_(game_update, "update game set title = $2, maker = $3, players = $4, labels = coalesce($5::text[], '{}'), version = version + 1 "
       "where id = $1 and ($6::int8 = 0 or version = $6) returning " GAME_COLUMNS, game_draft, &game_type, ROWS_MAYBE, "id", "title", "maker", "players", "labels", "if_match");
QUERY_(game_delete, "delete from game where id = $1 and ($2::int8 = 0 or version = $2)", game_ref, NULL, ROWS_NONE, "id", "if_match");

static int game_make(struct ctx *c, const struct game_new *in, struct game *out)
{
        *out = (struct game){ uid_v7(clock_now()), in->title, in->maker, in->players, in->labels, 1 };
        TX(tx, c);
        TRY(db_run(tx, &game_insert, out, NULL));
        return tx_commit(tx);
}
OP(game_make, game_new, game);
static int game_get(struct ctx *c, const struct game_ref *in, struct game *out) { return db_run(db(c), &game_by_id, in, out); }
OP(game_get, game_ref, game);
static int games_overtaken(struct ctx *c);
/* What a patch is laid over; somebody else may be quicker than the patch, as often as the test says. */
static int game_bring(struct ctx *c, const struct game_draft *in, struct game_draft *out)
{
        TRY(db_run(db(c), &game_to_patch, in, out));
        return games_overtaken(c);
}
OP(game_bring, game_draft, game_draft);
static int game_replace(struct ctx *c, const struct game_draft *in, struct game *out)
{
        int found = db_run(db(c), &game_update, in, out);
        if (found != 0) return MIN(found, 0);
        return game_get(c, &(struct game_ref){ in->id, 0 }, out) < 0 ? -NOT_FOUND : stale(c);
}
OP(game_replace, game_draft, game);
static int game_drop(struct ctx *c, const struct game_ref *in, struct nothing *out)
{
        struct game still;
        int gone = db_run(db(c), &game_delete, in, NULL);
        (void)out;
        if (gone != 0) return MIN(gone, 0);
        return game_get(c, in, &still) < 0 ? -NOT_FOUND : stale(c);
}
OP(game_drop, game_ref, nothing);

/* ---- keys: made at start, kept in the service's state -------------------------------------------------------------------------- */
struct toyshop { struct jwk *key; int asked; bool hide; int contests; };
static int toy_keys(struct ctx *c, const struct nothing *in, struct jwks *out)
{
        (void)in;
        struct toyshop *s = unit_state(c);
        str key;
        s->asked++;
        if (s->hide) return fail(c, UNAVAILABLE, "hidden", "no keys now");
        TRY(jwk_write(c, s->key, false, &key));
        out->keys = arena_printf(c->arena, "{\"keys\":[" STR_FMT ",{\"kty\":\"odd\"}]}", STR_ARG(key));
        return 0;
}
OP(toy_keys, nothing, jwks);

static struct toyshop *shop_here;       /* of the world that is open */
static int shop_start(struct ctx *c, void *state)
{
        (void)c;
        shop_here = state;
        return jwk_make_es256(&shop_here->key);
}
static void shop_stop(struct ctx *c, void *state)
{
        (void)c;
        jwk_free(&((struct toyshop *)state)->key);
}

static int games_overtaken(struct ctx *c)
{
        struct toyshop *s = unit_state(c);
        if (s->contests == 0) return 0;
        s->contests--;
        return MIN(db_exec(db(c), "update game set version = version + 1, players = players + 1"), 0);
}

static void toy_raw(struct ctx *c, struct exchange *x)
{
        res_header(c, x, "content-type", STR("text/plain"));
        if (!x->head.query.p) buf_lit(x->body, "raw");
        else (void)!fail(c, UNAVAILABLE, "away", "come again");
}

static const struct migration toyshop_migrations[] = {
        { 1, "toys", "create table toy (id uuid primary key, name text not null, price_minor int8 not null, price_cur text not null, "
                     "stock int8 not null check (stock >= 0), made_at timestamptz not null)" },
        { 2, "games", "create table game (id uuid primary key, title text not null, maker text, players int8 not null, labels text[] not null, "
                      "version int4 not null default 1)" },
        { 0 } };
static const struct query *const toyshop_queries[] = { &toy_insert, &toy_by_id, &toy_add, &toys_by_name, &toys_by_name_down,
                                                       &toys_by_price, &toys_by_price_down, &toys_by_time, &toys_by_time_up, &toys_by_stock,
                                                       &game_insert, &game_by_id, &game_to_patch, &game_update, &game_delete, NULL };

static const struct service toyshop_service = {
        .name = "toyshop", .doc = "Toys.", .has_db = true,
        ROUTES(
                POST("/v1/toys", toy_make, .who = STAFF, .scope = "toys:write", .idempotent = true, .status = 201, .location = "/v1/toys/{id}",
                     .body_max = 4000, .doc = "Makes a toy.", .slugs = (const char *const[]){ "no_weapons", NULL }),
                GET("/v1/toys", toy_list_some, .who = ANYONE, .page = &toys_paging, .doc = "Toys, a page at a time."),
                GET("/v1/shown", toy_list_some, .who = ANYONE, .page = &toys_paging, .cache_control = "public, max-age=1", .keep_ms = 1000, .doc = "Toys, kept."),
                GET("/v1/shown/games/{id}", game_get, .who = ANYONE, .version = "version", .cache_control = "public, max-age=1", .keep_ms = 1000, .doc = "A game, kept."),
                GET("/v1/toys/{id}", toy_get, .who = ANYONE, .cache_control = "max-age=60", .doc = "One toy."),
                PATCH("/v1/toys/{id}/stock", toy_change_stock, .who = USER, .doc = "More or fewer."),
                DELETE("/v1/toys/{id}", toy_break, .who = ADMIN, .doc = "Breaks it."),
                POST("/v1/keyed", toy_keyed, .who = USER, .keyed = true, .doc = "An id from a key."),
                POST("/v1/games", game_make, .who = STAFF, .idempotent = true, .status = 201, .location = "/v1/games/{id}", .version = "version", .doc = "Makes a game."),
                GET("/v1/games/{id}", game_get, .who = ANYONE, .version = "version", .cache_control = "max-age=60", .doc = "One game."),
                PUT("/v1/games/{id}", game_replace, .who = USER, .version = "version", .if_match = NEEDS_IF_MATCH, .doc = "Replaces it."),
                PATCH("/v1/games/{id}", game_replace, .who = USER, .version = "version", .if_match = MAY_IF_MATCH, .patches = &game_bring_op, .doc = "Changes it."),
                DELETE("/v1/games/{id}", game_drop, .who = USER, .if_match = NEEDS_IF_MATCH, .doc = "Drops it."),
                RAW(GET, "/v1/rare", toy_raw, .who = ANYONE, .per_minute = 2, .doc = "Text, twice a minute."),
                RAW(GET, "/v1/raw", toy_raw, .who = ANYONE, .doc = "Text.")),
        CALLS(&toy_get_op, &toy_keys_op, &toy_count_made_op, &toy_make_op),
        CONSUMES(ON(toy_made, toy_count_made)),
        JOBS(EVERY(1000, "tick", toy_tick)),
        EMITS(&toy_made),
        CONSTRAINTS({ "toy_stock_check", "too_few", "there are fewer of it" }),
        SLUGS({ "no_weapons", 409, "Weapons are not sold." }, { "too_few", 409, "There are fewer." }),
        .migrations = toyshop_migrations, .queries = toyshop_queries,
        .state_bytes = sizeof(struct toyshop), .start = shop_start, .stop = shop_stop,
};
#endif
