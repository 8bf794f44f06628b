/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * orders_test.c - the way of an order through five services on a real PostgreSQL: what it answers, and what is left when it goes wrong. */
#include "test.h"
#include "shop.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/payments.h"

/* ---- the good way ---------------------------------------------------------------------------------------------------------- */

static int happy(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a, read, invoice, payment, list;
        char location[80];

        stock(&s, 0, 5);
        stock(&s, 1, 5);
        a = buy(&s, "alice#k1", basket_of_two(&s, 0, 2, 1, 3));
        CHECK_EQ(a.status, 201);
        snprintf(location, sizeof location, "/v1/orders/" STR_FMT, STR_ARG(text_of(a, "id")));
        CHECK(str_eq(header_get(&a.headers, "location"), str_of(location)));
        CHECK_STR(text_of(a, "state"), "confirmed");
        CHECK(str_ends(text_of(a, "invoice_number"), STR("-00000001")));
        read = http(w, "alice", GET, location, NULL);
        CHECK_EQ(read.status, 200);
        CHECK(str_eq(read.body, a.body));
        CHECK(same(a, buy(&s, "alice#k1", basket_of_two(&s, 0, 2, 1, 3))));
        AUDIT(&s);

        settle(w);
        AUDIT_QUIET(&s);
        CHECK_EQ(rows(w, "inventory", "movement where kind = 3"), 2);
        CHECK_EQ(free_units(&s, 0), 3);
        CHECK_EQ(free_units(&s, 1), 2);
        CHECK_EQ(rows(w, "payments", "transfer"), 1);
        payment = get(&s, "alice", "/v1/payments/", text_of(a, "id"), "");
        CHECK_STR(text_of(payment, "state"), "captured");
        CHECK(str_eq(json_member(payment.body, "amount"), json_member(a.body, "total")));
        invoice = get(&s, "alice", "/v1/orders/", text_of(a, "id"), "/invoice");
        CHECK_EQ(invoice.status, 200);
        CHECK(str_eq(text_of(invoice, "number"), text_of(a, "invoice_number")));
        CHECK(str_eq(json_member(invoice.body, "gross"), json_member(a.body, "total")));
        list = http(w, "alice", GET, "/v1/orders", NULL);
        CHECK_EQ(list.status, 200);
        CHECK(memmem(list.body.p, list.body.n, text_of(a, "id").p, 36) != NULL);
        return 0;
}

TEST(an_order_is_confirmed_numbered_captured_and_booked) { CHECK_OK(run_main(happy, NULL)); }

static int again(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer first, reused;

        stock(&s, 0, 5);
        stock(&s, 1, 5);
        first = buy(&s, "alice#k1", basket(&s, 0, 2, PAYS));
        CHECK_EQ(first.status, 201);
        reused = buy(&s, "alice#k1", basket(&s, 0, 3, PAYS));
        CHECK(says(reused, 422, "idempotency_key_reused"));
        CHECK(memmem(reused.body.p, reused.body.n, "\"pointer\":\"Idempotency-Key\"", 27) != NULL);
        CHECK(says(buy(&s, "alice#k1", basket(&s, 1, 2, PAYS)), 422, "idempotency_key_reused"));
        CHECK(says(buy(&s, "alice#k1", basket(&s, 0, 2, TWICE)), 422, "idempotency_key_reused"));
        CHECK(same(first, buy(&s, "alice#k1", basket(&s, 0, 2, PAYS))));
        CHECK_EQ(buy(&s, "bob#k1", basket(&s, 0, 1, PAYS)).status, 201);         /* his key is another key */
        CHECK_EQ(buy(&s, "alice#k2", basket(&s, 0, 2, PAYS)).status, 201);
        CHECK(same(first, buy(&s, "alice#k1", basket(&s, 0, 2, PAYS))));         /* sold out: it is answered all the same */
        settle(w);
        CHECK_EQ(rows(w, "orders", "orders"), 3);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(the_same_key_gets_the_first_answer_and_another_body_a_refusal) { CHECK_OK(run_main(again, NULL)); }

static int uuid_keys(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;
        uid id;

        stock(&s, 0, 5);
        a = buy(&s, "alice#019ab4f0-1234-7abc-8def-0123456789ab", basket(&s, 0, 1, NULL));
        CHECK_EQ(a.status, 201);
        CHECK_OK(uid_parse(text_of(a, "id"), &id));
        CHECK_EQ(uid_time(id).us / 1000, 0x019ab4f01234);                       /* the key's own time: rows lie in its order */
        a = buy(&s, "alice#any-key-at-all", basket(&s, 0, 1, NULL));
        CHECK_EQ(a.status, 201);
        CHECK_OK(uid_parse(text_of(a, "id"), &id));
        CHECK_EQ(id.b[6] >> 4, 8);
        return 0;
}

TEST(an_order_is_named_after_buyer_and_key) { CHECK_OK(run_main(uuid_keys, NULL)); }

/* ---- many at once ------------------------------------------------------------------------------------------------------------- */

struct buyer { struct shop *s; char who[40]; const char *body; struct http_answer a; };

static int buy_fiber(struct ctx *c, void *arg)
{
        struct buyer *b = arg;

        (void)c;
        b->a = buy(b->s, b->who, b->body);
        return 0;
}

static int flash_sale(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct buyer all[50];
        bool numbers[31] = { false };
        int sold = 0;

        stock(&s, 0, 30);
        GROUP(g, c);
        for (int i = 0; i < 50; i++) {
                all[i] = (struct buyer){ &s, "", basket(&s, 0, 1, NULL), { 0 } };
                snprintf(all[i].who, sizeof all[i].who, "buyer%d#k", i);
                CHECK_OK(group_go(g, buy_fiber, &all[i]));
        }
        CHECK_OK(group_wait(g));
        for (int i = 0; i < 50; i++) {
                if (all[i].a.status != 201) {
                        CHECK(says(all[i].a, 409, "out_of_stock"));
                        continue;
                }
                str number = text_of(all[i].a, "invoice_number");
                long no = strtol(number.p + number.n - 8, NULL, 10);
                CHECK(no >= 1 && no <= 30 && !numbers[no]);
                numbers[no] = true;
                sold++;
        }
        CHECK_EQ(sold, 30);
        settle(w);
        CHECK_EQ(free_units(&s, 0), 0);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(fifty_buyers_and_stock_for_thirty_make_thirty_orders) { CHECK_OK(run_main(flash_sale, NULL)); }

extern const struct op order_place_op;

/* The operation itself: past the edge, as a twin at another replica is, and with any deadline. The answer as JSON. */
static int place(struct shop *s, const char *who, const char *body, int64_t deadline_us, struct buf *answer)
{
        struct ctx *c = as(s->w, who);
        void *in = arena_alloc(c->arena, order_place_op.in->size), *out = arena_alloc(c->arena, order_place_op.out->size);

        CHECK_OK(json_read(c, order_place_op.in, str_of(body), in, 0));
        c->deadline_us = deadline_us;
        int r = call_(c, &order_place_op, in, out);
        if (r >= 0 && answer) json_write(answer, order_place_op.out, out);
        return r;
}

struct twin { struct shop *s; const char *body; bool at_edge; int code; struct buf answer; };

static int twin_fiber(struct ctx *c, void *arg)
{
        struct twin *t = arg;

        (void)c;
        if (!t->at_edge) {
                t->code = place(t->s, "alice#k", t->body, 0, &t->answer);
                return 0;
        }
        struct http_answer a = buy(t->s, "alice#k", t->body);
        t->code = a.status == 201 || says(a, 409, "idempotency_in_flight") ? 0 : -1;
        buf_add(&t->answer, a.status == 201 ? a.body : STR(""));
        return 0;
}

static int twins(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct twin all[12];
        struct buf after AUTO(buf_done) = BUF_INIT(1 << 16);

        stock(&s, 0, 1);                                                        /* the last unit: no twin may be told that it is gone */
        GROUP(g, c);
        for (int i = 0; i < 12; i++) {                                          /* some meet at the edge, some are at other replicas */
                all[i] = (struct twin){ &s, basket(&s, 0, 1, NULL), i >= 8, 0, BUF_INIT(1 << 16) };
                CHECK_OK(group_go(g, twin_fiber, &all[i]));
        }
        CHECK_OK(group_wait(g));
        CHECK_OK(place(&s, "alice#k", basket(&s, 0, 1, NULL), 0, &after));
        for (int i = 0; i < 12; i++) {
                str answer = buf_str(&all[i].answer);
                CHECK_EQ(all[i].code, 0);
                CHECK(str_eq(answer, buf_str(&after)) || (all[i].at_edge && answer.n == 0));
                buf_done(&all[i].answer);
        }
        settle(w);
        CHECK_EQ(rows(w, "orders", "orders"), 1);
        AUDIT(&s);
        return 0;
}

TEST(twelve_twins_at_once_make_one_order_and_get_one_answer) { CHECK_OK(run_main(twins, NULL)); }

/* ---- refusals that change nothing, or are undone --------------------------------------------------------------------------------- */

static int out_of_stock(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        stock(&s, 0, 2);
        stock(&s, 1, 9);
        struct http_answer short_of = buy(&s, "alice#k1", basket_of_two(&s, 1, 2, 0, 3));
        CHECK(says(short_of, 409, "out_of_stock"));
        CHECK(memmem(short_of.body.p, short_of.body.n, "\"pointer\":\"/items/", 18) != NULL);
        CHECK_EQ(rows(w, "orders", "orders"), 0);
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        CHECK_EQ(rows(w, "payments", "intent"), 0);
        CHECK_EQ(events(w, "orders", "order.rejected"), 0);
        stock(&s, 0, 1);
        CHECK_EQ(buy(&s, "alice#k1", basket_of_two(&s, 1, 2, 0, 3)).status, 201);        /* a refusal is judged anew */
        settle(w);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(out_of_stock_changes_nothing_and_is_judged_anew) { CHECK_OK(run_main(out_of_stock, NULL)); }

static int declined(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a, read;

        stock(&s, 0, 2);
        CHECK(says(buy(&s, "alice#k1", basket(&s, 0, 2, DECLINES)), 402, "payment_declined"));
        settle(w);
        CHECK_EQ(free_units(&s, 0), 2);
        AUDIT_QUIET(&s);
        CHECK(says(buy(&s, "alice#k1", basket(&s, 0, 2, DECLINES)), 402, "payment_declined"));
        a = buy(&s, "alice#k1", basket(&s, 0, 2, PAYS));                         /* without settling: its hold takes the old one over */
        CHECK_EQ(a.status, 201);
        settle(w);
        CHECK_EQ(number(w, "orders", "select attempt from orders"), 3);
        CHECK_EQ(rows(w, "payments", "transfer"), 1);
        read = get(&s, "alice", "/v1/orders/", text_of(a, "id"), "");
        CHECK(str_eq(read.body, a.body));
        CHECK(memmem(a.body.p, a.body.n, "payment_declined", 16) != NULL);      /* its history */
        CHECK(same(a, buy(&s, "alice#k1", basket(&s, 0, 2, PAYS))));
        stock(&s, 1, 2);
        CHECK(says(buy(&s, "alice#k2", basket(&s, 1, 1, DECLINES)), 402, "payment_declined"));
        execute(w, "orders", "update orders set attempt = 100 where state = 1");
        CHECK(says(buy(&s, "alice#k2", basket(&s, 1, 1, PAYS)), 409, "attempts_spent"));
        settle(w);
        CHECK(says(buy(&s, "alice#k1", basket(&s, 0, 2, DECLINES)), 422, "idempotency_key_reused"));
        CHECK(memmem(http(w, "alice", GET, "/v1/orders", NULL).body.p, 20, "items", 5) != NULL);
        CHECK_EQ(int_of(http(w, "staff", GET, "/v1/ledger/trial-balance", NULL), "sum"), 0);
        AUDIT_QUIET(&s);
        return 0;
}

TEST(a_declined_card_gives_everything_back_and_a_good_one_is_a_later_attempt) { CHECK_OK(run_main(declined, NULL)); }

/* Runs a request with a fake clock that moves on until the answer is there. */
struct timed { struct buyer b; bool done; };

static int timed_fiber(struct ctx *c, void *arg)
{
        struct timed *t = arg;

        (void)c;
        t->b.a = buy(t->b.s, t->b.who, t->b.body);
        t->done = true;
        return 0;
}

static struct http_answer buy_while_time_passes(struct ctx *c, struct shop *s, const char *who, const char *body)
{
        struct timed t = { { s, "", body, { 0 } }, false };

        snprintf(t.b.who, sizeof t.b.who, "%s", who);
        GROUP(g, c);
        CHECK_OK(group_go(g, timed_fiber, &t));
        for (int turns = 0; !t.done && turns < 2000; turns++) {
                turn();
                clock_advance(10);
        }
        CHECK_OK(group_wait(g));
        return t.b.a;
}

static int silent(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        stock(&s, 0, 2);
        CHECK(says(buy_while_time_passes(c, &s, "alice#k1", basket(&s, 0, 2, SILENT)), 504, "payment_timed_out"));
        settle(w);
        CHECK_EQ(free_units(&s, 0), 2);
        CHECK_EQ(rows(w, "payments", "intent where state = 3"), 1);
        AUDIT_QUIET(&s);
        CHECK(says(buy_while_time_passes(c, &s, "alice#k1", basket(&s, 0, 2, LATE)), 504, "payment_timed_out"));
        settle(w);                                                               /* nothing of ours may be under way when time leaps */
        clock_advance(SECONDS(10));
        run_job(w, "payments", "test-answers");
        settle(w);
        CHECK_EQ(rows(w, "payments", "intent where state = 3"), 2);
        CHECK_EQ(rows(w, "payments", "test_answer"), 0);
        AUDIT_QUIET(&s);
        CHECK_EQ(buy(&s, "alice#k1", basket(&s, 0, 2, TWICE)).status, 201);
        settle(w);
        run_job(w, "payments", "test-answers");
        settle(w);
        CHECK_EQ(rows(w, "payments", "transfer"), 1);
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(a_silent_provider_is_a_504_that_leaves_nothing_and_a_doubled_answer_is_one_capture) { CHECK_OK(run_main(silent, NULL)); }

static int hurried(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        int in_time = 0, late = 0;
        char who[20];

        stock(&s, 0, 40);
        for (int i = 0; i < 24; i++) {                                          /* the deadline passes at another place each time */
                snprintf(who, sizeof who, "alice#k%d", i);
                int r = place(&s, who, basket(&s, 0, 1, NULL), clock_us() + 1 + i * 300, NULL);
                if (r == 0) in_time++;
                else if (r == -DEADLINE_EXCEEDED) late++;
                else world_wrong(__FILE__, __LINE__, "%s: %d %s", who, r, last(w)->fault.slug);
        }
        CHECK(late > 0);
        clock_fake(clock_now());
        settle(w);
        clock_advance(MINUTES(16));
        sweep(&s);
        clock_advance(MINUTES(16));
        sweep(&s);
        CHECK(rows(w, "orders", "orders where state = 0") >= in_time);          /* one may stand whose answer came too late */
        AUDIT_QUIET(&s);
        for (int i = 0; i < 24; i++) {                                          /* and each has one true answer */
                snprintf(who, sizeof who, "alice#k%d", i);
                int r = place(&s, who, basket(&s, 0, 1, NULL), 0, NULL);
                if (r < 0 && strcmp(last(w)->fault.slug, "order_expired"))
                        world_wrong(__FILE__, __LINE__, "%s: %d %s " STR_FMT, who, r, last(w)->fault.slug, STR_ARG(last(w)->fault.message));
        }
        settle(w);
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(a_deadline_that_passes_anywhere_leaves_nothing_behind) { CHECK_OK(run_main(hurried, NULL)); }

/* ---- who and what ------------------------------------------------------------------------------------------------------------------------- */

static int somebody_else(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;
        str id;

        stock(&s, 0, 9);
        a = buy(&s, "alice#k", basket(&s, 0, 1, NULL));
        id = text_of(a, "id");
        CHECK_EQ(get(&s, "alice", "/v1/orders/", id, "").status, 200);
        CHECK(says(get(&s, "bob", "/v1/orders/", id, ""), 404, "no_such_order"));
        CHECK(says(get(&s, "bob", "/v1/orders/", id, "/invoice"), 404, "no_such_order"));
        CHECK(says(get(&s, "bob", "/v1/payments/", id, ""), 404, "no_such_payment"));
        CHECK(says(get(&s, "vendor", "/v1/orders/", id, ""), 404, "no_such_order"));
        CHECK_EQ(get(&s, "staff", "/v1/orders/", id, "").status, 200);
        CHECK_EQ(get(&s, "staff", "/v1/orders/", id, "/invoice").status, 200);
        a = http(w, "bob", GET, "/v1/orders", NULL);
        CHECK_STR(json_member(a.body, "items"), "[]");
        return 0;
}

TEST(somebody_elses_order_is_not_there) { CHECK_OK(run_main(somebody_else, NULL)); }

static int refusals(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        static const char *const paths[] = { "/v1/orders", "/v1/orders/019ab4f0-0000-7000-8000-000000000009",
                "/v1/orders/019ab4f0-0000-7000-8000-000000000009/invoice", "/v1/invoices" };
        struct http_answer a;
        char body[400], product[37];

        stock(&s, 0, 9);
        uid_format(s.products[0], product);
        for (size_t i = 0; i < COUNT(paths); i++) {
                a = http_message(w, NULL, arena_z(c->arena, arena_printf(c->arena, "GET %s HTTP/1.1\r\nhost: x\r\n\r\n", paths[i])));
                CHECK_EQ(a.status, 401);
                CHECK(header_get(&a.headers, "www-authenticate").n > 0);
        }
        a = http_message(w, NULL, "POST /v1/orders HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}");
        CHECK_EQ(a.status, 401);
        CHECK(header_get(&a.headers, "www-authenticate").n > 0);

        CHECK_EQ(buy(&s, "alice", basket(&s, 0, 1, NULL)).status, 400);          /* no Idempotency-Key */
        CHECK(says(buy(&s, "alice#k", "{"), 400, "invalid"));
        CHECK(blames(buy(&s, "alice#k", "{}"), "/items", "required"));
        CHECK(blames(buy(&s, "alice#k", "{\"items\":[]}"), "/items", "required"));
        CHECK(blames(buy(&s, "alice#k", "{\"items\":{}}"), "/items", "wrong_type"));
        CHECK(blames(buy(&s, "alice#k", "{\"items\":[{\"product_id\":\"x\",\"quantity\":1}]}"), "/items/0/product_id", "bad_format"));
        CHECK(blames(buy(&s, "alice#k", "{\"items\":[{\"quantity\":1}]}"), "/items/0/product_id", "required"));
        snprintf(body, sizeof body, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":0}]}", product);
        CHECK(blames(buy(&s, "alice#k", body), "/items/0/quantity", "too_small"));
        snprintf(body, sizeof body, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":1000}]}", product);
        CHECK(blames(buy(&s, "alice#k", body), "/items/0/quantity", "too_large"));
        snprintf(body, sizeof body, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":\"1\"}]}", product);
        CHECK(blames(buy(&s, "alice#k", body), "/items/0/quantity", "wrong_type"));
        snprintf(body, sizeof body, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":1,\"price\":1}]}", product);
        CHECK(blames(buy(&s, "alice#k", body), "/items/0/price", "wrong_type"));
        CHECK(blames(buy(&s, "alice#k", basket_of_two(&s, 0, 1, 0, 1)), "/items/1/product_id", "repeated"));
        CHECK(blames(buy(&s, "alice#k", basket(&s, 0, 1, "4242 4242 4242 42")), "/payment/card", "bad_format"));
        CHECK(blames(buy(&s, "alice#k", basket(&s, 0, 1, "'; drop table orders; --")), "/payment/card", "too_long"));
        CHECK(blames(buy(&s, "alice#k", "{\"items\":[{\"product_id\":\"019ab4f0-0000-7000-8000-000000000009\",\"quantity\":1}]}"), "/items/0/product_id", "no_such_product"));
        CHECK_EQ(http(w, "alice", GET, "/v1/orders/nonsense", NULL).status, 400);
        CHECK(says(http(w, "alice", GET, paths[1], NULL), 404, "no_such_order"));
        CHECK_EQ(http(w, "alice", DELETE, paths[1], NULL).status, 405);

        struct buf many AUTO(buf_done) = BUF_INIT(1 << 16);
        buf_printf(&many, "{\"items\":[");
        for (int i = 0; i < 101; i++) buf_printf(&many, "%s{\"product_id\":\"019ab4f0-0000-7000-8000-%012d\",\"quantity\":1}", i ? "," : "", i);
        buf_printf(&many, "]}%c", 0);
        CHECK(blames(buy(&s, "alice#k", buf_str(&many).p), "/items", "too_many"));
        char *huge = arena_alloc(c->arena, (2 << 20) + 1);
        memset(huge, ' ', 2 << 20);
        CHECK_EQ(buy(&s, "alice#k", huge).status, 413);
        CHECK_EQ(rows(w, "orders", "orders"), 0);
        CHECK_EQ(rows(w, "inventory", "hold"), 0);
        CHECK_EQ(rows(w, "payments", "intent"), 0);
        CHECK_EQ(buy(&s, "alice#';drop-table-orders;--", basket(&s, 0, 1, NULL)).status, 201);
        CHECK_EQ(rows(w, "orders", "orders"), 1);
        return 0;
}

TEST(bad_orders_are_refused_by_field_and_change_nothing) { CHECK_OK(run_main(refusals, NULL)); }

TEST_MAIN
