/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * toyshop.h - a tiny service for tests of app/: a message of every place it can come from, a list, an idempotent effect, a batched operation,
 * an event with a consumer, a job, and keys for tokens. */
#ifndef TOYSHOP_H
#define TOYSHOP_H
#include <unistd.h>
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
QUERY_(toys_by_name, "select " TOY_COLUMNS " from toy where ($1::uuid is null or (name, id) > ($2, $1)) order by name, id limit $3", toy_filter, &toy_type,
       ROWS_MANY, "after_id", "after_text", "take");
QUERY_(toys_by_price, "select " TOY_COLUMNS " from toy where ($1::uuid is null or (price_minor, id) > ($2::int8, $1)) order by price_minor, id limit $3",
       toy_filter, &toy_type, ROWS_MANY, "after_id", "after_int", "take");
QUERY_(toys_by_time, "select " TOY_COLUMNS " from toy where ($1::uuid is null or (made_at, id) < (timestamptz 'epoch' + $2::int8 * interval '1 microsecond', $1)) "
       "order by made_at desc, id desc limit $3", toy_filter, &toy_type, ROWS_MANY, "after_id", "after_int", "take");

static const struct event toy_made = { "toy.made", &toy_type, "id", "a toy was made" };
static const struct paging toys_paging = PAGING(toy_filter, toy, { "name", &toys_by_name, "name" }, { "price", &toys_by_price, "price" },
                                                { "-made_at", &toys_by_time, "made_at" });

static int toy_make(struct ctx *c, const struct toy_draft *in, struct toy *out)
{
        if (str_eq(in->name, STR("gun"))) return fail(c, FAILED_PRECONDITION, "no_weapons", "this shop sells no " STR_FMT, STR_ARG(in->name));
        if (str_eq(in->name, STR("bug"))) return fail(c, INTERNAL, "oops", "the password is 1234");
        *out = (struct toy){ uid_v7(clock_now()), in->note.p ? in->note : in->name, in->price, in->stock, clock_now() };
        TX(tx, c);
        TRY(db_run(tx, &toy_insert, out, NULL));
        TRY(emit(tx, &toy_made, out));
        return tx_commit(tx);
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

/* ---- keys: made at start, kept in the service's state -------------------------------------------------------------------------- */
struct toyshop { struct jwk *key; int asked; bool hide; };
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

static void toy_raw(struct ctx *c, struct exchange *x)
{
        res_header(c, x, "content-type", STR("text/plain"));
        if (!x->head.query.p) buf_lit(x->body, "raw");
        else (void)!fail(c, UNAVAILABLE, "away", "come again");
}

static const struct migration toyshop_migrations[] = {
        { 1, "toys", "create table toy (id uuid primary key, name text not null, price_minor int8 not null, price_cur text not null, "
                     "stock int8 not null check (stock >= 0), made_at timestamptz not null)" },
        { 0 } };
static const struct query *const toyshop_queries[] = { &toy_insert, &toy_by_id, &toy_add, &toys_by_name, &toys_by_price, &toys_by_time, NULL };

static const struct service toyshop_service = {
        .name = "toyshop", .doc = "Toys.", .has_db = true,
        ROUTES(
                POST("/v1/toys", toy_make, .who = STAFF, .scope = "toys:write", .idempotent = true, .status = 201, .location = "/v1/toys/{id}",
                     .body_max = 4000, .doc = "Makes a toy.", .slugs = (const char *const[]){ "no_weapons", NULL }),
                GET("/v1/toys", toy_list_some, .who = ANYONE, .page = &toys_paging, .doc = "Toys, a page at a time."),
                GET("/v1/toys/{id}", toy_get, .who = ANYONE, .cache_control = "max-age=60", .doc = "One toy."),
                PATCH("/v1/toys/{id}/stock", toy_change_stock, .who = USER, .doc = "More or fewer."),
                DELETE("/v1/toys/{id}", toy_break, .who = ADMIN, .doc = "Breaks it."),
                POST("/v1/keyed", toy_keyed, .who = USER, .keyed = true, .doc = "An id from a key."),
                RAW(GET, "/v1/raw", toy_raw, .who = ANYONE, .doc = "Text.")),
        CALLS(&toy_get_op, &toy_keys_op, &toy_count_made_op, &toy_make_op),
        CONSUMES(ON(toy_made, toy_count_made)),
        JOBS(EVERY(1000, "tick", toy_tick)),
        EMITS(&toy_made),
        SLUGS({ "no_weapons", 409, "Weapons are not sold." }),
        .migrations = toyshop_migrations, .queries = toyshop_queries,
        .state_bytes = sizeof(struct toyshop), .start = shop_start, .stop = shop_stop,
};
#endif
