/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * orders_cart_test.c - carts, one's own and guests': what is in them, what it costs now, merging, ordering; and long random runs against a model. */
#include <stdlib.h>
#include "test.h"
#include "shop.h"
#include "hash.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/payments.h"

struct guest { char id[37], secret[65]; };

static struct guest guest_open(struct shop *s)
{
        struct http_answer a = http(s->w, "", POST, "/v1/carts", NULL);
        struct guest g;

        CHECK_EQ(a.status, 201);
        snprintf(g.id, sizeof g.id, STR_FMT, STR_ARG(text_of(a, "id")));
        snprintf(g.secret, sizeof g.secret, STR_FMT, STR_ARG(text_of(a, "secret")));
        return g;
}

static struct http_answer put(struct shop *s, const char *who, int product, int quantity)
{
        return http(s->w, who, PUT, say(s, "/v1/cart/items/%s", id_of(s, product)), say(s, "{\"quantity\":%d}", quantity));
}

static struct http_answer guest_put(struct shop *s, const struct guest *g, int product, int quantity)
{
        return http(s->w, "", PUT, say(s, "/v1/carts/%s/items/%s", g->id, id_of(s, product)), say(s, "{\"secret\":\"%s\",\"quantity\":%d}", g->secret, quantity));
}

static struct http_answer guest_get(struct shop *s, const struct guest *g)
{
        return http(s->w, "", GET, say(s, "/v1/carts/%s?secret=%s", g->id, g->secret), NULL);
}

static struct http_answer merge(struct shop *s, const char *who, const struct guest *g)
{
        return http(s->w, who, POST, "/v1/cart/merge", say(s, "{\"id\":\"%s\",\"secret\":\"%s\"}", g->id, g->secret));
}

static struct http_answer order_cart(struct shop *s, const char *who, str cart)
{
        return buy(s, who, say(s, "{\"cart_id\":\"" STR_FMT "\"}", STR_ARG(cart)));
}

/* How many of a product are in the cart of an answer. */
static int64_t in_cart(struct shop *s, struct http_answer cart, int product)
{
        str one;

        for (struct json_walk walk = json_open(json_member(cart.body, "items")); json_next_element(&walk, &one);)
                if (str_eq(text_of((struct http_answer){ .body = one }, "product_id"), str_of(id_of(s, product))))
                        return int_of((struct http_answer){ .body = one }, "quantity");
        return 0;
}

static bool has(str text, const char *word) { return memmem(text.p, text.n, word, strlen(word)) != NULL; }

/* ---- one's own --------------------------------------------------------------------------------------------------------- */

static int own(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a, o;

        a = http(w, "alice", GET, "/v1/cart", NULL);
        CHECK_EQ(a.status, 200);
        CHECK_STR(json_member(a.body, "items"), "[]");
        CHECK_EQ(rows(w, "orders", "cart"), 0);                                 /* looking makes nothing */
        CHECK_EQ(put(&s, "alice", 0, 2).status, 200);
        CHECK_EQ(put(&s, "alice", 1, 1).status, 200);
        a = put(&s, "alice", 0, 3);
        CHECK_EQ(in_cart(&s, a, 0), 3);
        CHECK_EQ(int_of(a, "units"), 4);
        CHECK(str_eq(http(w, "alice", GET, "/v1/cart", NULL).body, a.body));
        CHECK_STR(json_member(http(w, "bob", GET, "/v1/cart", NULL).body, "items"), "[]");
        CHECK(says(order_cart(&s, "alice#k", text_of(a, "id")), 409, "out_of_stock"));   /* nothing was held, nothing left the cart */
        CHECK(str_eq(http(w, "alice", GET, "/v1/cart", NULL).body, a.body));

        stock(&s, 0, 5);
        stock(&s, 1, 5);
        CHECK(blames(order_cart(&s, "bob#k", text_of(a, "id")), "/cart_id", "no_such_cart"));
        o = order_cart(&s, "alice#k", text_of(a, "id"));
        CHECK_EQ(o.status, 201);
        CHECK(str_eq(json_member(o.body, "total"), json_member(a.body, "total")));
        CHECK_STR(json_member(http(w, "alice", GET, "/v1/cart", NULL).body, "items"), "[]");
        CHECK(same(o, order_cart(&s, "alice#k", text_of(a, "id"))));             /* its cart is empty, the answer is there */
        CHECK(says(buy(&s, "alice#k", basket_of_two(&s, 0, 3, 1, 1)), 422, "idempotency_key_reused"));
        CHECK(says(order_cart(&s, "alice#k2", text_of(a, "id")), 409, "cart_empty"));
        CHECK(blames(buy(&s, "alice#k2", say(&s, "{\"cart_id\":\"" STR_FMT "\",\"items\":[{\"product_id\":\"%s\",\"quantity\":1}]}", STR_ARG(text_of(a, "id")), id_of(&s, 0))),
                     "/cart_id", "repeated"));
        settle(w);
        CHECK_EQ(rows(w, "orders", "orders"), 1);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(a_cart_holds_nothing_until_it_is_ordered_and_is_empty_after_it) { CHECK_OK(run_main(own, NULL)); }

static int declined_cart(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        const char *body;
        struct http_answer a;

        stock(&s, 0, 9);
        stock(&s, 1, 9);
        a = put(&s, "alice", 0, 2);
        body = say(&s, "{\"cart_id\":\"" STR_FMT "\",\"payment\":{\"card\":\"" DECLINES "\"}}", STR_ARG(text_of(a, "id")));
        CHECK(says(buy(&s, "alice#k", body), 402, "payment_declined"));
        CHECK_EQ(in_cart(&s, http(w, "alice", GET, "/v1/cart", NULL), 0), 2);
        CHECK_EQ(put(&s, "alice", 1, 4).status, 200);                            /* the next try is of another basket */
        CHECK_EQ(order_cart(&s, "alice#k", text_of(a, "id")).status, 201);
        CHECK_STR(json_member(http(w, "alice", GET, "/v1/cart", NULL).body, "items"), "[]");
        settle(w);
        CHECK_EQ(free_units(&s, 1), 5);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(a_refused_order_leaves_the_cart_as_it_is) { CHECK_OK(run_main(declined_cart, NULL)); }

extern const struct op inventory_hold_op;

/* The program died after the stock was held; then the cart was changed, then the client asked again. */
static int crashed_cart(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;
        uid id, alice = who_id("alice");
        struct item item = { s.products[0], 1 };
        struct digest d = sha256_parts((const str[]){ STR("souk order"), uid_key(&alice), STR("k") }, 3);

        memcpy(id.b, d.b, sizeof id.b);
        id.b[6] = 0x80 | (id.b[6] & 0x0f);
        id.b[8] = 0x80 | (id.b[8] & 0x3f);
        stock(&s, 0, 3);
        CHECK_OK(inventory_hold_call(as(w, "service"), &(struct hold_request){ .order_id = id, .attempt = 1, .items = { &item, 1 } }, &(struct hold){ 0 }));
        a = put(&s, "alice", 0, 2);
        CHECK_EQ(order_cart(&s, "alice#k", text_of(a, "id")).status, 201);
        CHECK_EQ(number(w, "orders", "select attempt from orders"), 2);
        settle(w);
        CHECK_EQ(free_units(&s, 0), 1);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(a_cart_that_changed_after_a_crash_is_ordered_as_it_is_now) { CHECK_OK(run_main(crashed_cart, NULL)); }

static int prices(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;

        clock_fake(clock_now());
        stock(&s, 0, 9);
        stock(&s, 1, 9);
        CHECK_EQ(put(&s, "alice", 0, 2).status, 200);
        CHECK_EQ(put(&s, "alice", 1, 1).status, 200);
        a = put(&s, "alice", 2, 1);
        CHECK(!has(a.body, "note"));
        execute(w, "catalog", say(&s, "update product set price_minor = 77700 where id = '%s'", id_of(&s, 0)));
        execute(w, "catalog", say(&s, "delete from product where id = '%s'", id_of(&s, 1)));
        execute(w, "catalog", say(&s, "update product set price_cur = 'CHF' where id = '%s'", id_of(&s, 2)));
        clock_advance(SECONDS(2));                                              /* what the catalogue remembers is too old now */
        a = http(w, "alice", GET, "/v1/cart", NULL);
        CHECK_EQ(a.status, 200);
        CHECK(has(a.body, "\"note\":\"price_changed\"") && has(a.body, "\"note\":\"gone\"") && has(a.body, "\"note\":\"other_currency\""));
        CHECK_EQ(minor_of(json_member(a.body, "total")), 2 * 77700);
        CHECK_EQ(int_of(a, "units"), 2);
        CHECK(says(order_cart(&s, "alice#k", text_of(a, "id")), 409, "cart_not_orderable"));
        CHECK_EQ(http(w, "alice", DELETE, say(&s, "/v1/cart/items/%s", id_of(&s, 1)), NULL).status, 200);
        CHECK_EQ(http(w, "alice", DELETE, say(&s, "/v1/cart/items/%s", id_of(&s, 2)), NULL).status, 200);
        a = put(&s, "alice", 0, 2);                                              /* whoever says it again has seen the price */
        CHECK(!has(a.body, "note"));
        CHECK_EQ(minor_of(json_member(order_cart(&s, "alice#k", text_of(a, "id")).body, "total")), 2 * 77700);
        CHECK_EQ(http(w, "alice", DELETE, "/v1/cart", NULL).status, 204);
        clock_real();
        return 0;
}

TEST(a_cart_tells_what_changed_since_it_was_filled) { CHECK_OK(run_main(prices, NULL)); }

/* ---- guests ------------------------------------------------------------------------------------------------------------ */

static int guests(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct guest g = guest_open(&s), other = guest_open(&s), forged = g;
        struct http_answer a;

        CHECK_EQ(rows(w, "orders", "cart"), 0);
        CHECK_EQ(guest_get(&s, &g).status, 200);
        CHECK_EQ(guest_put(&s, &g, 0, 2).status, 200);
        CHECK_EQ(guest_put(&s, &g, 1, 998).status, 200);
        memcpy(forged.secret, other.secret, sizeof forged.secret);
        CHECK(says(guest_get(&s, &forged), 404, "no_such_cart"));
        CHECK(says(guest_put(&s, &forged, 0, 1), 404, "no_such_cart"));
        CHECK(says(merge(&s, "alice", &forged), 404, "no_such_cart"));
        CHECK(says(http(w, "", DELETE, say(&s, "/v1/carts/%s?secret=%s", g.id, other.secret), NULL), 404, "no_such_cart"));
        CHECK(says(http(w, "", DELETE, say(&s, "/v1/carts/%s/items/%s?secret=x", g.id, id_of(&s, 0)), NULL), 404, "no_such_cart"));
        CHECK(blames(http(w, "", GET, say(&s, "/v1/carts/%s", g.id), NULL), "secret", "required"));

        CHECK_EQ(put(&s, "alice", 1, 5).status, 200);
        CHECK_EQ(put(&s, "alice", 2, 1).status, 200);
        a = merge(&s, "alice", &g);
        CHECK_EQ(a.status, 200);
        CHECK_EQ(in_cart(&s, a, 0), 2);
        CHECK_EQ(in_cart(&s, a, 1), 999);                                       /* up to the maximum */
        CHECK_EQ(in_cart(&s, a, 2), 1);
        CHECK(same(a, merge(&s, "alice", &g)));                                  /* a lost answer is asked for again */
        CHECK(says(merge(&s, "bob", &g), 404, "no_such_cart"));
        CHECK(says(guest_put(&s, &g, 0, 1), 404, "no_such_cart"));
        CHECK_STR(json_member(guest_get(&s, &g).body, "items"), "[]");
        CHECK_EQ(merge(&s, "bob", &other).status, 200);                          /* there never was anything in it */
        CHECK_EQ(rows(w, "orders", "cart"), 2);
        return 0;
}

TEST(a_guests_cart_needs_its_secret_and_is_merged_once) { CHECK_OK(run_main(guests, NULL)); }

/* Who fills a cart as a guest and logs in to pay need not merge first. */
static int guest_orders(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct guest g = guest_open(&s);
        const char *body = say(&s, "{\"cart_id\":\"%s\",\"cart_secret\":\"%s\"}", g.id, g.secret);
        struct http_answer a;

        stock(&s, 0, 9);
        stock(&s, 1, 9);
        CHECK_EQ(guest_put(&s, &g, 0, 2).status, 200);
        CHECK_EQ(put(&s, "alice", 0, 1).status, 200);
        CHECK_EQ(put(&s, "alice", 1, 4).status, 200);
        CHECK(blames(buy(&s, "alice#k", say(&s, "{\"cart_id\":\"%s\",\"cart_secret\":\"guessed\"}", g.id)), "/cart_id", "no_such_cart"));
        CHECK(blames(buy(&s, "alice#k", say(&s, "{\"cart_id\":\"%s\"}", g.id)), "/cart_id", "no_such_cart"));
        CHECK(blames(buy(&s, "alice#k", say(&s, "{\"cart_secret\":\"%s\"}", g.secret)), "/cart_id", "required"));
        CHECK_EQ(in_cart(&s, guest_get(&s, &g), 0), 2);
        a = buy(&s, "alice#k", body);
        CHECK_EQ(a.status, 201);
        CHECK(has(a.body, "\"quantity\":3") && has(a.body, "\"quantity\":4"));
        CHECK(same(a, buy(&s, "alice#k", body)));
        CHECK_STR(json_member(http(w, "alice", GET, "/v1/cart", NULL).body, "items"), "[]");
        CHECK_STR(json_member(guest_get(&s, &g).body, "items"), "[]");
        CHECK(blames(buy(&s, "bob#k", body), "/cart_id", "no_such_cart"));
        settle(w);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(a_guests_cart_is_ordered_by_whoever_logs_in_with_its_secret) { CHECK_OK(run_main(guest_orders, NULL)); }

static int expiry(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct guest old = guest_open(&s), fresh = guest_open(&s);

        clock_fake(clock_now());
        CHECK_EQ(guest_put(&s, &old, 0, 1).status, 200);
        CHECK_EQ(put(&s, "alice", 0, 1).status, 200);
        clock_advance(SECONDS(1));
        run_job(w, "orders", "expire-carts");
        CHECK_EQ(rows(w, "orders", "cart_item"), 2);
        execute(w, "orders", "update cart set touched_at = touched_at - interval '31 days'");
        CHECK_EQ(guest_put(&s, &fresh, 0, 1).status, 200);
        run_job(w, "orders", "expire-carts");
        CHECK_EQ(rows(w, "orders", "cart_item"), 2);                            /* one's own stays, however old */
        CHECK_EQ(rows(w, "orders", "cart"), 2);
        CHECK_STR(json_member(guest_get(&s, &old).body, "items"), "[]");
        clock_real();
        return 0;
}

TEST(a_guests_cart_that_nobody_touches_is_forgotten) { CHECK_OK(run_main(expiry, NULL)); }

static int cart_refusals(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct guest g = guest_open(&s);

        CHECK_EQ(http_message(w, NULL, "GET /v1/cart HTTP/1.1\r\nhost: x\r\n\r\n").status, 401);
        CHECK_EQ(http_message(w, NULL, "DELETE /v1/cart HTTP/1.1\r\nhost: x\r\n\r\n").status, 401);
        CHECK(blames(put(&s, "alice", 0, 0), "/quantity", "too_small"));
        CHECK(blames(put(&s, "alice", 0, 1000), "/quantity", "too_large"));
        CHECK(blames(guest_put(&s, &g, 0, 1000), "/quantity", "too_large"));
        CHECK(says(http(w, "alice", PUT, "/v1/cart/items/019ab4f0-0000-7000-8000-000000000009", "{\"quantity\":1}"), 404, "no_such_product"));
        CHECK(blames(http(w, "alice", POST, "/v1/cart/merge", "{}"), "/id", "required"));
        CHECK_EQ(rows(w, "orders", "cart"), 0);
        CHECK_EQ(put(&s, "alice", 0, 1).status, 200);
        execute(w, "orders", "insert into cart_item select cart_id, gen_random_uuid(), 1, name, price_minor, price_cur, added_at from cart_item, generate_series(1, 99)");
        CHECK(says(put(&s, "alice", 1, 1), 409, "cart_full"));
        CHECK_EQ(put(&s, "alice", 0, 7).status, 200);                            /* it is in there: that is no new product */
        CHECK_EQ(guest_put(&s, &g, 1, 1).status, 200);
        CHECK(says(merge(&s, "alice", &g), 409, "cart_full"));
        CHECK_EQ(in_cart(&s, guest_get(&s, &g), 1), 1);                          /* and nothing was changed */
        return 0;
}

TEST(bad_carts_are_refused_by_field_and_change_nothing) { CHECK_OK(run_main(cart_refusals, NULL)); }

/* ---- against a model ------------------------------------------------------------------------------------------------------ */

enum { OWNERS = 2, GUESTS = 3, STEPS = 120 };
struct model { int own[OWNERS][PRODUCTS], guest[GUESTS][PRODUCTS], ordered[PRODUCTS]; struct guest keys[GUESTS]; };

static void model_merge(struct shop *s, struct model *m, int owner, int guest)
{
        CHECK_EQ(merge(s, owner ? "bob" : "alice", &m->keys[guest]).status, 200);
        for (int p = 0; p < PRODUCTS; p++) {
                m->own[owner][p] = MIN(999, m->own[owner][p] + m->guest[guest][p]);
                m->guest[guest][p] = 0;
        }
        m->keys[guest] = guest_open(s);                                         /* the next guest */
}

static void model_order(struct shop *s, struct model *m, int owner, int step)
{
        struct http_answer cart = http(s->w, owner ? "bob" : "alice", GET, "/v1/cart", NULL), a;
        int units = 0;

        for (int p = 0; p < PRODUCTS; p++) units += m->own[owner][p];
        a = order_cart(s, say(s, "%s#%d", owner ? "bob" : "alice", step), text_of(cart, "id"));
        CHECK_EQ(a.status, units ? 201 : 409);
        for (int p = 0; p < PRODUCTS; p++) {
                m->ordered[p] += m->own[owner][p];
                m->own[owner][p] = 0;
        }
}

static int against_model(struct ctx *c, void *arg)
{
        uint64_t seed = *(const uint64_t *)arg;
        SHOP(s, w, c);
        struct model m = { 0 };
        struct rand rand;

        print_message("seed %llu\n", (unsigned long long)seed);
        rand_seed(&rand, seed);
        for (int p = 0; p < PRODUCTS; p++) stock(&s, p, 1000000);
        for (int g = 0; g < GUESTS; g++) m.keys[g] = guest_open(&s);
        for (int i = 0; i < STEPS; i++) {
                int p = (int)rand_below(&rand, PRODUCTS), owner = (int)rand_below(&rand, OWNERS), guest = (int)rand_below(&rand, GUESTS), n = 1 + (int)rand_below(&rand, 700);
                const char *who = owner ? "bob" : "alice";
                switch (rand_below(&rand, 8)) {
                case 0: case 1: CHECK_EQ(put(&s, who, p, n).status, 200); m.own[owner][p] = n; break;
                case 2: case 3: case 4: CHECK_EQ(guest_put(&s, &m.keys[guest], p, n).status, 200); m.guest[guest][p] = n; break;
                case 5: CHECK_EQ(http(w, who, DELETE, say(&s, "/v1/cart/items/%s", id_of(&s, p)), NULL).status, 200); m.own[owner][p] = 0; break;
                case 6: model_merge(&s, &m, owner, guest); break;
                default: model_order(&s, &m, owner, i);
                }
                struct http_answer a = http(w, who, GET, "/v1/cart", NULL), g = guest_get(&s, &m.keys[guest]);
                for (int k = 0; k < PRODUCTS; k++) {
                        CHECK_EQ(in_cart(&s, a, k), m.own[owner][k]);
                        CHECK_EQ(in_cart(&s, g, k), m.guest[guest][k]);
                }
        }
        settle(w);
        for (int p = 0; p < PRODUCTS; p++) CHECK_EQ(free_units(&s, p), 1000000 - m.ordered[p]);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(whatever_is_done_to_carts_they_hold_what_was_put_in)
{
        const char *given = getenv("SOUK_SEED");
        uint64_t from = given ? strtoull(given, NULL, 10) : 1, to = given ? from : 3;

        for (uint64_t seed = from; seed <= to; seed++) CHECK_OK(run_main(against_model, &seed));
}

/* ---- at once ---------------------------------------------------------------------------------------------------------------- */

struct twin { struct shop *s; const struct guest *g; int kind, i; int status; };

static int twin_fiber(struct ctx *c, void *arg)
{
        struct twin *t = arg;

        (void)c;
        t->status = t->kind == 0 ? merge(t->s, "alice", t->g).status : put(t->s, "alice", 1 + t->i % 5, 1 + t->i).status;
        return 0;
}

static int at_once(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct guest g = guest_open(&s);
        struct twin all[24];

        CHECK_EQ(guest_put(&s, &g, 0, 7).status, 200);
        GROUP(gr, c);
        for (int i = 0; i < 24; i++) {
                all[i] = (struct twin){ &s, &g, i % 3, i, 0 };
                CHECK_OK(group_go(gr, twin_fiber, &all[i]));
        }
        CHECK_OK(group_wait(gr));
        for (int i = 0; i < 24; i++) CHECK_EQ(all[i].status, 200);
        CHECK_EQ(in_cart(&s, http(w, "alice", GET, "/v1/cart", NULL), 0), 7);    /* merged eight times, once */
        return 0;
}

TEST(a_cart_merged_by_many_at_once_is_merged_once) { CHECK_OK(run_main(at_once, NULL)); }

TEST_MAIN
