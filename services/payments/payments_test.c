/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * payments_test.c - money authorised, captured once, voided when it must not stand; a provider that behaves badly; the ledger. */
#include "test.h"
#include "shop.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "loop.h"
#include "orders/book.h"
#include "payments/payments.h"

#define SHOP(s, w, c) \
        WORLD(w, c, &identity_service, &catalog_service, &inventory_service, &payments_service, &orders_service); \
        struct shop s; \
        shop_open(&s, w)

static uid order_no(int n)
{
        return (uid){ { 2, [15] = (uint8_t)n } };
}

static int charge(struct world *w, int order, int attempt, int64_t cents, const char *card)
{
        struct charge in = { order_no(order), who_id("alice"), attempt, { cents, "EUR" }, card ? str_of(card) : (str){ NULL, 0 } };
        struct authorisation out = { 0 };
        int r = payment_authorise_call(as(w, "service"), &in, &out);

        if (r == 0) CHECK(out.attempt == attempt && out.amount.minor == cents);
        return r;
}

/* An order of nothing in stock but of this sum: for payments that is all the same. */
static int confirm(struct world *w, int order, int attempt, int64_t cents)
{
        struct order_line line = { uid_v7(clock_now()), STR("Thing"), 1, { cents, "EUR" }, { cents, "EUR" }, 1900 };
        struct confirm in = { order_no(order), who_id("alice"), attempt, 1, { cents, "EUR" }, { &line, 1 } };

        return order_confirm_call(as(w, "service"), &in, &(struct confirmed){ 0 });
}

static void give_up(struct world *w, int order, int attempt)
{
        struct fate fate;
        CHECK_OK(order_abandon_call(as(w, "service"), &(struct abandonment){ order_no(order), attempt, STR("test") }, &fate));
}

static int64_t state(struct world *w, int order, int attempt)
{
        char sql[200];
        snprintf(sql, sizeof sql, "select state from intent where order_id = '02000000-0000-0000-0000-0000000000%02x' and attempt = %d", order, attempt);
        return number(w, "payments", sql);
}
enum { AUTHORISED, DECLINED, UNANSWERED, VOIDED };

/* ---- the way of money ---------------------------------------------------------------------------------------------------- */

static int captured(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct http_answer a;

        CHECK_OK(charge(w, 1, 1, 1999, PAYS));
        CHECK_OK(charge(w, 1, 1, 1999, PAYS));                                  /* again: the same */
        CHECK_OK(charge(w, 2, 1, 500, NULL));
        CHECK_EQ(rows(w, "payments", "intent"), 2);
        a = http(w, "alice", GET, "/v1/payments/02000000-0000-0000-0000-000000000001", NULL);
        CHECK_EQ(a.status, 200);
        CHECK_STR(text_of(a, "state"), "authorised");
        CHECK_OK(confirm(w, 1, 1, 1999));
        CHECK_OK(confirm(w, 2, 1, 500));
        settle(w);
        a = http(w, "alice", GET, "/v1/payments/02000000-0000-0000-0000-000000000001", NULL);
        CHECK_STR(text_of(a, "state"), "captured");
        CHECK_STR(text_of(a, "card_last4"), "4242");
        CHECK_EQ(int_of(a, "captures"), 1);
        CHECK(!memmem(a.body.p, a.body.n, PAYS, strlen(PAYS)));
        CHECK_EQ(http(w, "bob", GET, "/v1/payments/02000000-0000-0000-0000-000000000001", NULL).status, 404);
        CHECK_EQ(http(w, "staff", GET, "/v1/payments/02000000-0000-0000-0000-000000000001", NULL).status, 200);
        CHECK_EQ(rows(w, "payments", "transfer"), 2);
        CHECK_EQ(events(w, "payments", "payment.captured"), 2);

        a = http(w, "staff", GET, "/v1/ledger/trial-balance", NULL);
        CHECK_EQ(a.status, 200);
        CHECK_EQ(int_of(a, "sum"), 0);
        CHECK(memmem(a.body.p, a.body.n, "\"debit\":2499", 12) && memmem(a.body.p, a.body.n, "\"credit\":2499", 13));
        CHECK_EQ(execute(w, "payments", "update transfer set amount_cur = 'GBP' where amount_minor = 500"), 1);
        CHECK_STR(json_member(http(w, "staff", GET, "/v1/ledger/trial-balance", NULL).body, "currencies"),
                  "[{\"currency\":\"EUR\",\"debit\":1999,\"credit\":1999,\"balance\":0},{\"currency\":\"GBP\",\"debit\":500,\"credit\":500,\"balance\":0}]");
        CHECK_EQ(execute(w, "payments", "update transfer set amount_cur = 'EUR' where amount_minor = 500"), 1);
        CHECK_EQ(number(w, "payments", "select count(*) from intent where card_last4 like '%" PAYS "%'"), 0);
        AUDIT(&s);
        return 0;
}

TEST(what_is_authorised_is_captured_once_and_the_ledger_sums_to_zero) { CHECK_OK(run_main(captured, NULL)); }

static int voided(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        CHECK_OK(charge(w, 1, 1, 1999, PAYS));
        give_up(w, 1, 1);
        settle(w);
        CHECK_EQ(state(w, 1, 1), VOIDED);
        CHECK_FAILS(w, ABORTED, "attempt_is_over", charge(w, 1, 1, 1999, PAYS));
        CHECK_OK(charge(w, 1, 2, 1999, PAYS));
        CHECK_OK(confirm(w, 1, 2, 1999));
        give_up(w, 1, 2);                                                       /* it stands: nothing is said */
        settle(w);
        CHECK_EQ(state(w, 1, 2), AUTHORISED);
        CHECK_EQ(number(w, "payments", "select attempt from transfer"), 2);
        CHECK_EQ(rows(w, "payments", "transfer"), 1);
        AUDIT(&s);
        return 0;
}

TEST(a_rejected_attempt_is_voided_and_a_later_one_captured) { CHECK_OK(run_main(voided, NULL)); }

static int declined(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        CHECK_FAILS(w, FAILED_PRECONDITION, "payment_declined", charge(w, 1, 1, 1999, DECLINES));
        CHECK_EQ(last(w)->fault.http, 402);
        CHECK_EQ(state(w, 1, 1), DECLINED);
        CHECK_FAILS(w, FAILED_PRECONDITION, "payment_declined", charge(w, 2, 1, 40200002, PAYS));       /* by its amount */
        CHECK_EQ(events(w, "payments", "payment.declined"), 2);
        CHECK_FAILS(w, FAILED_PRECONDITION, "payment_declined", charge(w, 1, 1, 1999, DECLINES));
        CHECK_EQ(events(w, "payments", "payment.declined"), 2);
        CHECK_FAILS(w, ABORTED, "attempt_is_over", charge(w, 1, 1, 1999, PAYS));                        /* another card is another attempt */
        CHECK_FAILS(w, ABORTED, "attempt_is_over", charge(w, 1, 1, 2000, DECLINES));
        CHECK_OK(charge(w, 1, 2, 1999, PAYS));
        AUDIT(&s);
        return 0;
}

TEST(a_declined_attempt_stays_declined_and_the_next_one_may_pay) { CHECK_OK(run_main(declined, NULL)); }

/* ---- a provider that behaves badly ------------------------------------------------------------------------------------------ */

struct slow { struct world *w; int order, code; const char *card; bool done; };

static int slow_charge(struct ctx *c, void *arg)
{
        struct slow *t = arg;
        struct charge in = { order_no(t->order), who_id("alice"), 1, { 1999, "EUR" }, str_of(t->card) };

        c->unit = NULL;
        t->code = payment_authorise_call(c, &in, &(struct authorisation){ 0 });
        t->done = true;
        return 0;
}

/* Charges with a fake clock that moves on until the answer is there. */
static int charge_while_time_passes(struct ctx *c, struct world *w, int order, const char *card)
{
        struct slow t = { w, order, 0, card, false };

        GROUP(g, c);
        CHECK_OK(group_go(g, slow_charge, &t));
        for (int turns = 0; !t.done && turns < 1000; turns++) {
                turn();
                clock_advance(10);
        }
        CHECK_OK(group_wait(g));
        return t.code;
}

static int never(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        CHECK_EQ(charge_while_time_passes(c, w, 1, SILENT), -DEADLINE_EXCEEDED);
        CHECK_EQ(state(w, 1, 1), UNANSWERED);
        clock_advance(MINUTES(31));
        sweep(&s);                                                              /* nobody gave it up: the sweeper asks */
        CHECK_EQ(state(w, 1, 1), VOIDED);
        CHECK_EQ(confirm(w, 1, 1, 1999), -FAILED_PRECONDITION);
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(a_provider_that_never_answers_is_voided) { CHECK_OK(run_main(never, NULL)); }

static int late(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        CHECK_EQ(charge_while_time_passes(c, w, 1, LATE), -DEADLINE_EXCEEDED);
        CHECK_EQ(rows(w, "payments", "test_answer"), 1);
        run_job(w, "payments", "test-answers");
        CHECK_EQ(rows(w, "payments", "test_answer"), 1);                         /* not due */
        clock_advance(SECONDS(6));
        run_job(w, "payments", "test-answers");                                 /* approved, for an attempt that nobody gave up yet */
        settle(w);
        CHECK_EQ(rows(w, "payments", "test_answer"), 0);
        CHECK_EQ(state(w, 1, 1), VOIDED);
        CHECK_EQ(confirm(w, 1, 1, 1999), -ABORTED);
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(an_answer_that_comes_late_is_voided_once_orders_has_said_so) { CHECK_OK(run_main(late, NULL)); }

static int twice(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        CHECK_OK(charge(w, 1, 1, 1999, TWICE));
        run_job(w, "payments", "test-answers");
        CHECK_EQ(state(w, 1, 1), AUTHORISED);
        CHECK_OK(confirm(w, 1, 1, 1999));
        CHECK_OK(charge(w, 1, 1, 1999, TWICE));
        settle(w);
        run_job(w, "payments", "test-answers");
        settle(w);
        CHECK_EQ(rows(w, "payments", "transfer"), 1);
        CHECK_EQ(events(w, "orders", "order.rejected"), 0);
        CHECK_EQ(rows(w, "payments", "test_answer"), 0);
        AUDIT(&s);
        return 0;
}

TEST(an_answer_that_comes_twice_is_one_capture) { CHECK_OK(run_main(twice, NULL)); }

/* The second answer is here before the first was written down: the program that asked may be about to write it, or dead. */
static int unknown(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        CHECK_OK(charge(w, 1, 1, 1999, TWICE));
        execute(w, "payments", "delete from intent");                           /* as if it crashed before writing */
        run_job(w, "payments", "test-answers");
        settle(w);
        CHECK_EQ(rows(w, "payments", "test_answer"), 1);                         /* it will be told again */
        CHECK_EQ(events(w, "orders", "order.rejected"), 0);
        clock_advance(SECONDS(61));
        run_job(w, "payments", "test-answers");
        settle(w);
        CHECK_EQ(rows(w, "payments", "test_answer"), 0);
        CHECK_EQ(events(w, "orders", "order.rejected"), 1);
        CHECK_EQ(confirm(w, 1, 1, 1999), -ABORTED);                             /* it was only paused: too late */
        AUDIT_QUIET(&s);
        clock_real();
        return 0;
}

TEST(money_nobody_wrote_down_is_given_up_after_a_minute_not_before) { CHECK_OK(run_main(unknown, NULL)); }

static int slow_twin(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        give_up(w, 1, 1);
        settle(w);
        CHECK_OK(charge(w, 1, 1, 1999, PAYS));                                  /* after its attempt was over */
        CHECK_OK(charge(w, 1, 2, 1999, PAYS));
        CHECK_OK(confirm(w, 1, 2, 1999));
        settle(w);
        CHECK_EQ(state(w, 1, 1), AUTHORISED);
        clock_advance(MINUTES(31));
        sweep(&s);
        CHECK_EQ(state(w, 1, 1), VOIDED);
        CHECK_EQ(state(w, 1, 2), AUTHORISED);                                   /* and captured */
        CHECK_EQ(rows(w, "payments", "transfer where attempt = 2"), 1);
        CHECK_EQ(rows(w, "payments", "transfer"), 1);
        AUDIT(&s);
        clock_real();
        return 0;
}

TEST(money_of_a_twin_that_came_too_late_is_voided_beside_the_captured_one) { CHECK_OK(run_main(slow_twin, NULL)); }

static int crashed(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        for (int i = 1; i <= 5; i++)
                CHECK_OK(charge(w, i, 1, 100 * i, PAYS));
        CHECK_OK(confirm(w, 3, 1, 300));
        clock_advance(MINUTES(29));
        sweep(&s);
        CHECK_EQ(rows(w, "payments", "intent where state = 3"), 0);
        clock_advance(MINUTES(2));
        sweep(&s);
        CHECK_EQ(rows(w, "payments", "intent where state = 3"), 4);
        CHECK_EQ(rows(w, "payments", "transfer"), 1);
        run_job(w, "payments", "sweep-authorisations");
        settle(w);
        CHECK_EQ(events(w, "orders", "order.rejected"), 4);                      /* asked once */
        clock_real();
        return 0;
}

TEST(authorisations_whose_orders_never_came_are_voided) { CHECK_OK(run_main(crashed, NULL)); }

/* ---- many at once, restarts --------------------------------------------------------------------------------------------------- */

struct one_of_many { struct world *w; int order; int64_t cents; int code; bool elsewhere; };

static int charge_fiber(struct ctx *c, void *arg)
{
        struct one_of_many *o = arg;
        struct charge in = { order_no(o->order), who_id("alice"), 1, { o->cents, "EUR" }, STR(PAYS) };

        c->unit = NULL;
        o->code = payment_authorise_call(c, &in, &(struct authorisation){ 0 });
        return 0;
}

static int rush(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct one_of_many all[60];

        execute(w, "payments", "alter table intent add constraint poison check (amount_minor <> 666)");
        GROUP(g, c);
        for (int i = 0; i < 60; i++) {                                          /* every order twice, one of them poisoned */
                all[i] = (struct one_of_many){ w, i / 2 + 1, i / 2 == 7 ? 666 : 100 + i / 2, 0, false };
                CHECK_OK(group_go(g, charge_fiber, &all[i]));
        }
        CHECK_OK(group_wait(g));
        for (int i = 0; i < 60; i++)
                CHECK_EQ(all[i].code, i / 2 == 7 ? -FAILED_PRECONDITION : 0);
        CHECK_EQ(rows(w, "payments", "intent"), 29);
        return 0;
}

TEST(twins_in_one_batch_authorise_once_and_a_poisoned_one_fails_alone) { CHECK_OK(run_main(rush, NULL)); }

static int restarts(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        for (int i = 1; i <= 9; i++) {
                CHECK_OK(charge(w, i, 1, 100, PAYS));
                events_stop(w);
                CHECK_OK(confirm(w, i, 1, 100));
                events_start(w);
        }
        settle(w);
        CHECK_EQ(rows(w, "payments", "transfer"), 9);
        CHECK_EQ(number(w, "payments", "select sum(amount_minor) from transfer"), 900);
        CHECK_EQ(events(w, "payments", "payment.captured"), 9);
        AUDIT(&s);
        return 0;
}

TEST(each_order_is_captured_once_across_restarts_of_the_bus) { CHECK_OK(run_main(restarts, NULL)); }

static int refusals(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        static const char *const paths[] = { "/v1/ledger/trial-balance", "/v1/payments/02000000-0000-0000-0000-000000000001" };
        struct http_answer a;

        for (size_t i = 0; i < COUNT(paths); i++) {
                a = http_message(w, NULL, arena_z(c->arena, arena_printf(c->arena, "GET %s HTTP/1.1\r\nhost: x\r\n\r\n", paths[i])));
                CHECK_EQ(a.status, 401);
                CHECK(header_get(&a.headers, "www-authenticate").n > 0);
        }
        CHECK_EQ(http(w, "alice", GET, "/v1/ledger/trial-balance", NULL).status, 403);
        CHECK_EQ(http(w, "alice", GET, "/v1/payments/nonsense", NULL).status, 400);
        CHECK_EQ(http(w, "alice", GET, "/v1/payments/'%20or%201=1--", NULL).status, 400);
        CHECK(says(http(w, "alice", GET, "/v1/payments/02000000-0000-0000-0000-000000000001", NULL), 404, "no_such_payment"));
        CHECK_EQ(http(w, "alice", POST, "/v1/ledger/trial-balance", "{}").status, 405);
        a = http(w, "staff", GET, "/v1/ledger/trial-balance", NULL);
        CHECK_EQ(a.status, 200);
        CHECK_EQ(int_of(a, "sum"), 0);
        return 0;
}

TEST(payments_are_shown_to_their_buyer_and_to_staff_only) { CHECK_OK(run_main(refusals, NULL)); }

TEST_MAIN
