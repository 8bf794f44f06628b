/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * payments_money_test.c - money after an order stood: parts, refunds, cancellations, returns, a provider that says no or nothing; and all of it at random. */
#include "test.h"
#include "shop.h"
#include <stdio.h>
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/money.h"

#define SHOP(s, w, c) \
        WORLD(w, c, &identity_service, &catalog_service, &inventory_service, &payments_service, &orders_service); \
        struct shop s; \
        shop_open(&s, w)
#define ID(n)  "02000000-0000-0000-0000-0000000000" n
#define PATH(n, what) "/v1/payments/" ID(n) what

static uid order_no(int n)
{
        return (uid){ { 2, [15] = (uint8_t)n } };
}

static int charge(struct world *w, int order, int64_t cents, bool in_parts)
{
        struct charge in = { order_no(order), who_id("alice"), 1, { cents, "EUR" }, STR(PAYS), in_parts };
        return payment_authorise_call(as(w, "service"), &in, &(struct authorisation){ 0 });
}

static int confirm(struct world *w, int order, int64_t cents)
{
        struct order_line line = { uid_v7(clock_now()), STR("Thing"), 1, { cents, "EUR" }, { cents, "EUR" }, 1900 };
        struct confirm in = { .id = order_no(order), .buyer = who_id("alice"), .attempt = 1, .fingerprint = 1, .total = { cents, "EUR" }, .lines = { &line, 1 } };

        return order_confirm_call(as(w, "service"), &in, &(struct confirmed){ 0 });
}

static void bought(struct world *w, int order, int64_t cents)
{
        CHECK_OK(charge(w, order, cents, false));
        CHECK_OK(confirm(w, order, cents));
        settle(w);
}

/* As orders says it: a row of its outbox with these lines. */
static void hear(struct world *w, const char *lines)
{
        struct ctx *c = as(w, "");
        str sql = arena_printf(c->arena, "insert into souk_outbox (id, payload) values (1, convert_to('%s', 'UTF8'))", lines);

        execute(w, "orders", arena_z(c->arena, sql));
}

static const char *cancelled(struct world *w, int order, int64_t cents)
{
        struct ctx *c = as(w, "");
        return arena_z(c->arena, arena_printf(c->arena, "{\"topic\":\"order.cancelled\",\"key\":\"" ID("%02x") "\",\"at\":\"2026-11-24T10:00:00Z\",\"data\":"
                       "{\"id\":\"" ID("%02x") "\",\"buyer\":\"" ID("ff") "\",\"attempt\":1,\"reason\":\"changed my mind\",\"total\":{\"amount\":%lld,\"currency\":\"EUR\"},"
                       "\"cancelled_at\":\"2026-11-24T10:00:00Z\",\"items\":[]}}", order, order, (long long)cents));
}

static const char *returned(struct world *w, int order, int no, int64_t cents)
{
        struct ctx *c = as(w, "");
        return arena_z(c->arena, arena_printf(c->arena, "{\"topic\":\"order.returned\",\"key\":\"" ID("%02x") "\",\"at\":\"2026-11-24T10:00:00Z\",\"data\":"
                       "{\"id\":\"" ID("%02x") "\",\"return_id\":\"03000000-0000-0000-0000-%012x\",\"buyer\":\"" ID("ff") "\",\"attempt\":1,"
                       "\"credit_note_number\":\"CN-2026-%08d\","
                       "\"total\":{\"amount\":%lld,\"currency\":\"EUR\"},\"restock\":true,\"returned_at\":\"2026-11-24T10:00:00Z\",\"items\":[]}}",
                       order, order, (unsigned)no, no, (long long)cents));
}

static int64_t sum(struct world *w, int order, int kind)
{
        char sql[200];
        snprintf(sql, sizeof sql, "select coalesce(sum(amount_minor), 0)::int8 from transfer where order_id = '" ID("%02x") "' and kind = %d", order, kind);
        return number(w, "payments", sql);
}

static bool is_state(struct world *w, const char *path, const char *state)
{
        struct http_answer a = http(w, "alice", GET, path, NULL);
        bool same = a.status == 200 && str_eq(text_of(a, "state"), str_of(state));

        if (!same) fprintf(stderr, "wanted %s, got %d " STR_FMT "\n", state, a.status, STR_ARG(a.body));
        return same;
}

static void balanced(struct world *w)
{
        struct http_answer a = http(w, "staff", GET, "/v1/ledger/trial-balance", NULL);

        CHECK_EQ(a.status, 200);
        CHECK_EQ(int_of(a, "sum"), 0);
        CHECK_EQ(number(w, "payments", "select count(*) from (select from ledger group by amount_cur having sum(amount_minor) <> 0) t"), 0);
        CHECK_EQ(rows(w, "payments", "souk_parked"), 0);
}

/* ---- refunds ------------------------------------------------------------------------------------------------------------ */

static int refunds(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a, b;

        bought(w, 1, 1000);
        a = http(w, "staff#r1", POST, PATH("01", "/refunds"), "{\"amount\":{\"amount\":300,\"currency\":\"EUR\"},\"reason\":\"scratched\"}");
        CHECK_EQ(a.status, 201);
        CHECK_STR(text_of(a, "state"), "succeeded");
        CHECK_STR(text_of(a, "kind"), "refund");
        b = http(w, "staff", GET, arena_z(c->arena, header_get(&a.headers, "location")), NULL);
        CHECK_EQ(b.status, 200);
        CHECK_STR(text_of(b, "reason"), "scratched");
        CHECK(is_state(w, PATH("01", ""), "partially_refunded"));
        b = http(w, "staff#r1", POST, PATH("01", "/refunds"), "{\"amount\":{\"amount\":300,\"currency\":\"EUR\"},\"reason\":\"scratched\"}");
        CHECK_EQ(b.status, 201);
        CHECK_STR(text_of(b, "id"), arena_z(c->arena, text_of(a, "id")));
        CHECK_STR(header_get(&b.headers, "idempotency-replayed"), "true");
        CHECK_EQ(sum(w, 1, REFUND), 300);
        CHECK(says(http(w, "staff#r1", POST, PATH("01", "/refunds"), "{}"), 422, "idempotency_key_reused"));
        CHECK(says(http(w, "staff#r2", POST, PATH("01", "/refunds"), "{\"amount\":{\"amount\":701,\"currency\":\"EUR\"}}"), 409, "over_captured"));
        CHECK(blames(http(w, "staff#r2", POST, PATH("01", "/refunds"), "{\"amount\":{\"amount\":1,\"currency\":\"GBP\"}}"), "/amount/currency", "other_currency"));
        a = http(w, "staff#r2", POST, PATH("01", "/refunds"), "{}");                    /* the rest */
        CHECK_EQ(a.status, 201);
        CHECK_EQ(sum(w, 1, REFUND), 1000);
        CHECK(is_state(w, PATH("01", ""), "refunded"));
        CHECK(says(http(w, "staff#r3", POST, PATH("01", "/refunds"), "{}"), 409, "over_captured"));
        settle(w);
        CHECK_EQ(sum(w, 1, REFUND), 1000);
        CHECK_EQ(events(w, "payments", "payment.refunded"), 2);
        CHECK_EQ(number(w, "payments", "select balance from (select account, sum(amount_minor)::int8 as balance from ledger group by 1) t where account = 1"), 0);
        balanced(w);
        AUDIT(&s);
        return 0;
}

TEST(money_is_given_back_up_to_what_was_captured_and_once_a_key) { CHECK_OK(run_main(refunds, NULL)); }

static int refusals(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        static const char *const paths[] = { PATH("01", "/refunds"), PATH("01", "/captures") };
        static const char *const bad[][3] = {
                { "{\"amount\":{\"amount\":0,\"currency\":\"EUR\"}}", "/amount/amount", "too_small" },
                { "{\"amount\":{\"amount\":1,\"currency\":\"EUR\"},\"reason\":\"\"}", "/reason", "too_short" },
                { "{\"amount\":12}", "/amount", "wrong_type" },
                { "{\"amount\":{\"amount\":5,\"currency\":\"XYZ\"}}", "/amount/currency", "bad_format" },
                { "{\"sum\":1}", "/sum", "unknown" } };

        bought(w, 1, 1000);
        CHECK_OK(charge(w, 2, 500, false));
        for (size_t i = 0; i < COUNT(paths); i++) {
                struct http_answer a = http_message(w, NULL, arena_z(c->arena, arena_printf(c->arena, "POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                                                    "idempotency-key: k\r\ncontent-length: 2\r\n\r\n{}", paths[i])));
                CHECK_EQ(a.status, 401);
                CHECK(says(http(w, "alice#k", POST, paths[i], "{}"), 403, "forbidden"));
                CHECK(says(http(w, "vendor#k", POST, paths[i], "{}"), 403, "forbidden"));
                CHECK(says(http(w, "staff", POST, paths[i], "{}"), 400, "idempotency_key_missing"));
                for (size_t k = 0; k < COUNT(bad); k++)
                        CHECK(blames(http(w, "staff#k", POST, paths[i], bad[k][0]), bad[k][1], bad[k][2]));
        }
        CHECK(says(http(w, "staff#k", POST, PATH("09", "/refunds"), "{}"), 404, "no_such_payment"));
        CHECK(says(http(w, "staff#k", POST, PATH("09", "/captures"), "{}"), 404, "no_such_payment"));
        CHECK(says(http(w, "staff#k", POST, PATH("02", "/refunds"), "{}"), 409, "nothing_captured"));
        CHECK(says(http(w, "staff#k", POST, PATH("01", "/captures"), "{}"), 409, "not_open"));
        CHECK(says(http(w, "staff#k", POST, PATH("02", "/captures"), "{}"), 409, "not_open"));
        CHECK(says(http(w, "staff", GET, PATH("01", "/settlements/" ID("01")), NULL), 404, "no_such_settlement"));
        CHECK_EQ(http(w, "alice", GET, PATH("01", "/settlements/" ID("01")), NULL).status, 403);
        CHECK_EQ(http(w, "alice", GET, "/v1/ledger/entries", NULL).status, 403);
        CHECK_EQ(rows(w, "payments", "settlement"), 0);
        CHECK_EQ(http(w, "admin#k", POST, PATH("01", "/refunds"), "{}").status, 201);
        balanced(w);
        return 0;
}

TEST(only_staff_moves_money_and_a_refusal_names_what_is_wrong) { CHECK_OK(run_main(refusals, NULL)); }

struct one { int order, key, code; int64_t cents; };

static int refund_fiber(struct ctx *c, void *arg)
{
        struct one *o = arg;

        c->unit = NULL;
        c->idempotency_key = arena_printf(c->arena, "key %d", o->key);
        o->code = refund_make_call(c, &(struct money_ask){ order_no(o->order), { o->cents, "EUR" }, STR("many at once") }, &(struct settlement_view){ 0 });
        return 0;
}

static int rush(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct one all[40];
        int good = 0;

        bought(w, 1, 1000);
        GROUP(g, c);
        for (int i = 0; i < 40; i++) {
                all[i] = (struct one){ 1, i, 0, 90 };
                CHECK_OK(group_go(g, refund_fiber, &all[i]));
        }
        CHECK_OK(group_wait(g));
        settle(w);
        for (int i = 0; i < 40; i++) {
                if (all[i].code != 0) CHECK_EQ(all[i].code, -FAILED_PRECONDITION);
                good += all[i].code == 0;
        }
        CHECK_EQ(good, 11);
        CHECK_EQ(sum(w, 1, REFUND), 990);
        balanced(w);
        AUDIT(&s);
        return 0;
}

TEST(forty_refunds_at_once_never_give_back_more_than_was_captured) { CHECK_OK(run_main(rush, NULL)); }

/* ---- parts --------------------------------------------------------------------------------------------------------------- */

static int parts(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        CHECK_OK(charge(w, 1, 1500, true));                                     /* more than the order's total */
        struct http_answer early = http(w, "staff#c1", POST, PATH("01", "/captures"), "{}");
        CHECK(says(early, 409, "not_open"));
        CHECK_STR(header_get(&early.headers, "retry-after"), "1");
        CHECK_OK(confirm(w, 1, 1000));
        bought(w, 2, 700);                                                      /* in the same batch or not: captured as ever */
        settle(w);
        CHECK(is_state(w, PATH("01", ""), "open"));
        CHECK(is_state(w, PATH("02", ""), "captured"));
        CHECK_EQ(sum(w, 1, CAPTURE), 0);
        CHECK_EQ(http(w, "staff#c1", POST, PATH("01", "/captures"), "{\"amount\":{\"amount\":400,\"currency\":\"EUR\"},\"reason\":\"first parcel\"}").status, 201);
        CHECK(is_state(w, PATH("01", ""), "partially_captured"));
        CHECK(says(http(w, "staff#c2", POST, PATH("01", "/captures"), "{\"amount\":{\"amount\":1101,\"currency\":\"EUR\"}}"), 409, "over_authorised"));
        CHECK_EQ(http(w, "staff#c2", POST, PATH("01", "/captures"), "{}").status, 201);
        CHECK(is_state(w, PATH("01", ""), "captured"));
        CHECK_EQ(sum(w, 1, CAPTURE), 1500);
        CHECK(says(http(w, "staff#c3", POST, PATH("01", "/captures"), "{}"), 409, "over_authorised"));
        CHECK_EQ(http(w, "staff#r1", POST, PATH("01", "/refunds"), "{\"amount\":{\"amount\":500,\"currency\":\"EUR\"}}").status, 201);
        settle(w);
        CHECK_EQ(events(w, "payments", "payment.captured"), 3);
        CHECK_EQ(events(w, "payments", "payment.authorised"), 2);
        struct http_answer a = http(w, "alice", GET, PATH("01", ""), NULL);
        CHECK_EQ(int_of(a, "captures"), 2);
        CHECK(memmem(a.body.p, a.body.n, "first parcel", 12) != NULL);
        balanced(w);
        return 0;
}

TEST(what_is_authorised_in_parts_is_captured_in_parts) { CHECK_OK(run_main(parts, NULL)); }

static int parts_asked(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;

        stock(&s, 0, 5);
        const char *body = arena_z(c->arena, arena_printf(c->arena, STR_FMT ",\"payment\":{\"in_parts\":true}}", (int)strlen(basket(&s, 0, 2, NULL)) - 1, basket(&s, 0, 2, NULL)));
        a = buy(&s, "alice#k", body);
        CHECK(says(a, 403, "import_only"));
        CHECK(memmem(a.body.p, a.body.n, "/payment/in_parts", 17) != NULL);
        a = buy(&s, "staff#k", body);
        CHECK_EQ(a.status, 201);
        settle(w);
        const char *order = arena_z(c->arena, text_of(a, "id"));
        CHECK(says(buy(&s, "staff#k", basket(&s, 0, 2, NULL)), 422, "idempotency_key_reused"));
        a = http(w, "staff", GET, arena_z(c->arena, arena_printf(c->arena, "/v1/payments/%s", order)), NULL);
        CHECK_STR(text_of(a, "state"), "open");
        CHECK_EQ(int_of(a, "captures"), 0);
        a = http(w, "staff#c", POST, arena_z(c->arena, arena_printf(c->arena, "/v1/payments/%s/captures", order)), "{\"reason\":\"sent\"}");
        CHECK_EQ(a.status, 201);
        a = http(w, "staff", GET, arena_z(c->arena, arena_printf(c->arena, "/v1/payments/%s", order)), NULL);
        CHECK_STR(text_of(a, "state"), "captured");
        balanced(w);
        AUDIT(&s);
        return 0;
}

TEST(an_imported_order_may_be_paid_in_parts) { CHECK_OK(run_main(parts_asked, NULL)); }

static int parts_twice(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct fate fate;
        struct charge again = { order_no(1), who_id("alice"), 2, { 1000, "EUR" }, STR(PAYS), false };
        struct order_line line = { uid_v7(clock_now()), STR("Thing"), 1, { 1000, "EUR" }, { 1000, "EUR" }, 1900 };
        struct confirm stands = { .id = order_no(1), .buyer = who_id("alice"), .attempt = 2, .fingerprint = 1, .total = { 1000, "EUR" }, .lines = { &line, 1 } };

        CHECK_OK(charge(w, 1, 1000, true));                                     /* number 1 is taken, and the attempt comes to nothing */
        CHECK_OK(order_abandon_call(as(w, "service"), &(struct abandonment){ order_no(1), 1, STR("test") }, &fate));
        settle(w);
        CHECK_OK(payment_authorise_call(as(w, "service"), &again, &(struct authorisation){ 0 }));
        CHECK_OK(order_confirm_call(as(w, "service"), &stands, &(struct confirmed){ 0 }));
        settle(w);
        CHECK_EQ(sum(w, 1, CAPTURE), 1000);
        CHECK(is_state(w, PATH("01", ""), "captured"));
        balanced(w);
        AUDIT(&s);
        return 0;
}

TEST(an_attempt_in_parts_that_came_to_nothing_does_not_stop_the_next_capture) { CHECK_OK(run_main(parts_twice, NULL)); }

/* ---- cancelled, returned ---------------------------------------------------------------------------------------------------- */

static int cancels(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        bought(w, 1, 1000);
        bought(w, 2, 800);
        CHECK_EQ(http(w, "staff#r", POST, PATH("02", "/refunds"), "{\"amount\":{\"amount\":300,\"currency\":\"EUR\"}}").status, 201);
        hear(w, cancelled(w, 1, 1000));
        hear(w, cancelled(w, 2, 800));
        settle(w);
        CHECK_EQ(sum(w, 1, REFUND), 1000);
        CHECK_EQ(sum(w, 2, REFUND), 800);
        CHECK(is_state(w, PATH("01", ""), "refunded"));

        CHECK_OK(charge(w, 3, 500, false));                                     /* heard before order.confirmed: two consumers keep no order between them */
        hear(w, cancelled(w, 3, 500));
        settle(w);
        CHECK(is_state(w, PATH("03", ""), "voided"));
        CHECK_OK(confirm(w, 3, 500));
        bought(w, 4, 100);
        CHECK(is_state(w, PATH("03", ""), "voided"));
        CHECK_EQ(sum(w, 3, CAPTURE), 0);
        CHECK_EQ(sum(w, 4, CAPTURE), 100);

        CHECK_OK(charge(w, 5, 900, true));
        CHECK_OK(confirm(w, 5, 900));
        settle(w);
        CHECK_EQ(http(w, "staff#c", POST, PATH("05", "/captures"), "{\"amount\":{\"amount\":400,\"currency\":\"EUR\"}}").status, 201);
        hear(w, cancelled(w, 5, 900));
        settle(w);
        CHECK_EQ(sum(w, 5, REFUND), 400);
        CHECK(says(http(w, "staff#c2", POST, PATH("05", "/captures"), "{}"), 409, "not_open"));
        hear(w, cancelled(w, 77, 1));                                           /* of no payment */
        settle(w);
        balanced(w);
        return 0;
}

TEST(a_cancelled_order_is_voided_or_given_back_whatever_is_heard_first) { CHECK_OK(run_main(cancels, NULL)); }

/* The consumers of order.confirmed and order.cancelled at work on one order at once, at two replicas. */
struct half { struct world *w; int order; bool cancels; int code; };

static int half_run(struct ctx *c, void *arg)
{
        struct half *h = arg;
        struct order_line line = { uid_v7(clock_now()), STR("Thing"), 1, { 100, "EUR" }, { 100, "EUR" }, 1900 };
        struct order_confirmation yes = { order_no(h->order), who_id("alice"), 1, STR("SK-2026-00000001"), { 100, "EUR" }, clock_now(), { &line, 1 } };
        struct order_cancellation no = { .id = order_no(h->order), .buyer = who_id("alice"), .attempt = 1, .reason = STR("test"), .total = { 100, "EUR" },
                                         .cancelled_at = clock_now() };

        h->code = h->cancels ? elsewhere(h->w, c, &payment_cancelled_op, &no, NULL) : elsewhere(h->w, c, &payment_capture_op, &yes, NULL);
        return 0;
}

static int capture_meets_cancel(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        for (int i = 1; i <= 40; i++) {
                struct half halves[2] = { { w, i, i % 2, 0 }, { w, i, !(i % 2), 0 } };
                CHECK_OK(charge(w, i, 100, false));
                GROUP(g, c);
                CHECK_OK(group_go(g, half_run, &halves[0]));
                CHECK_OK(group_go(g, half_run, &halves[1]));
                CHECK_OK(group_wait(g));
                CHECK_OK(halves[0].code);
                CHECK_OK(halves[1].code);
        }
        settle(w);
        for (int i = 1; i <= 40; i++) CHECK_EQ(sum(w, i, CAPTURE), sum(w, i, REFUND));
        balanced(w);
        return 0;
}

TEST(nothing_is_kept_of_an_order_whose_cancellation_meets_its_capture) { CHECK_OK(run_main(capture_meets_cancel, NULL)); }

static int returns(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        bought(w, 1, 1000);
        hear(w, arena_z(c->arena, arena_printf(c->arena, "%s\n%s", returned(w, 1, 1, 250), returned(w, 1, 2, 350))));   /* two in one batch */
        settle(w);
        CHECK_EQ(sum(w, 1, REFUND), 600);
        CHECK_EQ(http(w, "staff#r", POST, PATH("01", "/refunds"), "{\"amount\":{\"amount\":300,\"currency\":\"EUR\"},\"reason\":\"goodwill\"}").status, 201);
        hear(w, returned(w, 1, 3, 400));                                        /* only 100 are left */
        settle(w);
        CHECK_EQ(sum(w, 1, REFUND), 1000);
        CHECK_EQ(rows(w, "payments", "settlement where cause = 2 and reason like 'CN-2026-%'"), 3);

        CHECK_OK(charge(w, 2, 700, false));                                     /* heard before order.confirmed */
        hear(w, returned(w, 2, 4, 200));
        settle(w);
        CHECK_EQ(sum(w, 2, CAPTURE), 700);
        CHECK_EQ(sum(w, 2, REFUND), 200);
        CHECK_OK(confirm(w, 2, 700));
        settle(w);
        CHECK_EQ(sum(w, 2, CAPTURE), 700);
        CHECK_EQ(events(w, "payments", "payment.captured"), 2);
        balanced(w);
        AUDIT(&s);
        return 0;
}

TEST(what_comes_back_is_refunded_with_the_number_of_its_credit_note) { CHECK_OK(run_main(returns, NULL)); }

/* ---- a provider that says no, or nothing ---------------------------------------------------------------------------------------- */

struct slow { struct world *w; int64_t cents; int32_t state; bool done; };

static int slow_refund(struct ctx *c, void *arg)
{
        struct slow *t = arg;
        struct settlement_view out = { .state = -1 };

        c->unit = NULL;
        c->idempotency_key = STR("slow");
        CHECK_OK(refund_make_call(c, &(struct money_ask){ order_no(1), { t->cents, "EUR" }, STR("slow") }, &out));
        t->state = out.state;
        t->done = true;
        return 0;
}

static int troubles(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct slow t = { w, 40200044, -1, false };

        clock_fake(clock_now());
        bought(w, 1, 99000000);
        struct http_answer a = http(w, "staff#no", POST, PATH("01", "/refunds"), "{\"amount\":{\"amount\":40200002,\"currency\":\"EUR\"}}");
        CHECK_EQ(a.status, 201);
        CHECK_STR(text_of(a, "state"), "failed");
        CHECK_EQ(sum(w, 1, REFUND), 0);                                         /* and the sum is free again */
        GROUP(g, c);
        CHECK_OK(group_go(g, slow_refund, &t));
        for (int turns = 0; !t.done && turns < 3000; turns++) {
                turn();
                clock_advance(10);
        }
        CHECK_OK(group_wait(g));
        CHECK_EQ(sum(w, 1, REFUND) == 0 || sum(w, 1, REFUND) == 40200044, 1);   /* whoever heard payment.settle_asked may have asked the second time */
        CHECK(says(http(w, "staff#more", POST, PATH("01", "/refunds"), "{\"amount\":{\"amount\":60000000,\"currency\":\"EUR\"}}"), 409, "over_captured"));
        clock_advance(MINUTES(2));
        run_job(w, "payments", "reconcile");
        settle(w);
        CHECK_EQ(sum(w, 1, REFUND), 40200044);
        run_job(w, "payments", "reconcile");
        CHECK_EQ(sum(w, 1, REFUND), 40200044);
        CHECK_EQ(rows(w, "payments", "settlement where state = 0"), 0);
        balanced(w);
        clock_real();
        return 0;
}

TEST(a_declined_refund_frees_its_sum_and_a_silent_one_is_asked_for_again) { CHECK_OK(run_main(troubles, NULL)); }

/* ---- lists ---------------------------------------------------------------------------------------------------------------------- */

static int64_t items_in(struct http_answer a)
{
        str one;
        int64_t n = 0;

        for (struct json_walk walk = json_open(json_member(a.body, "items")); json_next_element(&walk, &one);) n++;
        return n;
}

static int lists(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;

        for (int i = 1; i <= 5; i++) bought(w, i, 100 * i);
        CHECK_OK(charge(w, 6, 600, false));
        CHECK_EQ(http(w, "staff#r", POST, PATH("02", "/refunds"), "{}").status, 201);
        a = http(w, "staff", GET, "/v1/payments", NULL);
        CHECK_EQ(a.status, 200);
        CHECK_EQ(items_in(a), 6);
        CHECK_EQ(items_in(http(w, "alice", GET, "/v1/payments", NULL)), 6);
        CHECK_EQ(items_in(http(w, "bob", GET, "/v1/payments", NULL)), 0);
        CHECK_EQ(items_in(http(w, "staff", GET, "/v1/payments?state=captured", NULL)), 4);
        CHECK_EQ(items_in(http(w, "alice", GET, "/v1/payments?state=refunded", NULL)), 1);
        CHECK_EQ(items_in(http(w, "staff", GET, "/v1/payments?state=authorised&sort=order_id", NULL)), 1);
        CHECK_EQ(items_in(http(w, "staff", GET, "/v1/payments?to=2020-01-01T00:00:00Z", NULL)), 0);
        CHECK_EQ(items_in(http(w, "staff", GET, "/v1/payments?from=2020-01-01T00:00:00Z", NULL)), 6);
        CHECK_EQ(items_in(http(w, "staff", GET, "/v1/payments?buyer=" ID("09"), NULL)), 0);
        CHECK(says(http(w, "alice", GET, "/v1/payments?buyer=" ID("09"), NULL), 403, "forbidden"));
        CHECK(blames(http(w, "staff", GET, "/v1/payments?state=sold", NULL), "state", "not_a_word"));
        CHECK(blames(http(w, "staff", GET, "/v1/payments?sort=amount", NULL), "sort", "not_a_word"));
        CHECK(blames(http(w, "staff", GET, "/v1/payments?colour=red", NULL), "colour", "unknown"));
        a = http(w, "staff", GET, "/v1/ledger/entries?limit=4&sort=order_id", NULL);
        CHECK_EQ(items_in(a), 4);
        str next = text_of(a, "next");
        CHECK(next.n > 0);
        ptrdiff_t at = -1;
        for (size_t i = 0; i + 7 < next.n; i++)
                if (!memcmp(next.p + i, "cursor=", 7)) at = (ptrdiff_t)i + 7;
        str cursor = at < 0 ? next : str_cut(next, (size_t)at, next.n);
        for (size_t i = 0; i < cursor.n; i++)
                if (cursor.p[i] == '&' || cursor.p[i] == '\\') cursor.n = i;
        a = http(w, "staff", GET, arena_z(c->arena, arena_printf(c->arena, "/v1/ledger/entries?limit=4&sort=order_id&cursor=" STR_FMT, STR_ARG(cursor))), NULL);
        CHECK_EQ(items_in(a), 2);
        CHECK_EQ(items_in(http(w, "staff", GET, "/v1/ledger/entries?kind=refund", NULL)), 1);
        CHECK_EQ(items_in(http(w, "staff", GET, "/v1/ledger/entries?order_id=" ID("02"), NULL)), 2);
        CHECK_EQ(items_in(http(w, "staff", GET, "/v1/ledger/entries?to=2020-01-01T00:00:00Z", NULL)), 0);
        return 0;
}

TEST(payments_and_entries_are_listed_filtered_and_paged) { CHECK_OK(run_main(lists, NULL)); }

/* ---- at random -------------------------------------------------------------------------------------------------------------------- */

enum { ORDERS = 8, STEPS = 60 };

static void step(struct world *w, struct rand *r, int n, bool *is_bought)
{
        int order = 1 + (int)rand_below(r, ORDERS);
        int64_t cents = 1 + rand_below(r, 700);
        struct ctx *c = as(w, "service");
        struct money_ask ask = { order_no(order), { cents, "EUR" }, STR("at random") };

        c->idempotency_key = arena_printf(c->arena, "step %d", rand_below(r, 4) ? n : n / 2);   /* some keys twice */
        switch (rand_below(r, 6)) {
        case 0:
                if (!is_bought[order]) {
                        CHECK_OK(charge(w, order, 1000, order % 2));
                        CHECK_OK(confirm(w, order, 1000));
                        is_bought[order] = true;
                }
                break;
        case 1: hear(w, returned(w, order, n, cents)); break;
        case 2: if (rand_below(r, 4) == 0) hear(w, cancelled(w, order, 1000)); break;
        case 3: (void)!part_capture_call(c, &ask, &(struct settlement_view){ 0 }); break;
        default: (void)!refund_make_call(c, &ask, &(struct settlement_view){ 0 }); break;
        }
}

static int property(struct ctx *c, void *arg)
{
        (void)arg;
        for (uint64_t seed = 1; seed <= 3; seed++) {
                SHOP(s, w, c);
                bool is_bought[ORDERS + 1] = { false };
                struct rand r;

                rand_seed(&r, seed);
                for (int n = 0; n < STEPS; n++) {
                        step(w, &r, n, is_bought);
                        if (rand_below(&r, 3) == 0) settle(w);
                        CHECK_EQ(number(w, "payments", "select coalesce(sum(amount_minor), 0)::int8 from ledger"), 0);
                        CHECK_EQ(rows(w, "payments", "(select from transfer group by order_id having coalesce(sum(amount_minor) filter (where kind = 2), 0)"
                                                     " > coalesce(sum(amount_minor) filter (where kind = 1), 0)) t"), 0);
                }
                settle(w);
                run_job(w, "payments", "reconcile");
                CHECK_EQ(rows(w, "payments", "settlement where state = 0 and asked_at < now() - interval '1 minute'"), 0);
                CHECK_EQ(rows(w, "payments", "settlement s where state = 1 and kind < 3 and (select count(*) from transfer t where t.settlement = s.id) <> 1"), 0);
                CHECK_EQ(rows(w, "payments", "settlement"), number(w, "payments", "select count(distinct id) from settlement"));
                CHECK_EQ(events(w, "payments", "payment.refunded"), rows(w, "payments", "transfer where kind = 2"));
                balanced(w);
                AUDIT(&s);
        }
        return 0;
}

TEST(whatever_comes_in_whatever_order_the_ledger_is_zero_and_refunds_stay_within_captures) { CHECK_OK(run_main(property, NULL)); }

TEST_MAIN
