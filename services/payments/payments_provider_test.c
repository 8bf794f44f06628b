/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * payments_provider_test.c - what the provider tells late, twice, in any order or only when it is asked: webhooks and reconciliation. */
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

static uid order_no(int n)
{
        return (uid){ { 2, [15] = (uint8_t)n } };
}

struct asking { int order; const char *card; int code; bool done; };

static int charge_fiber(struct ctx *c, void *arg)
{
        struct asking *a = arg;
        struct charge in = { order_no(a->order), who_id("alice"), 1, { 1999, "EUR" }, str_of(a->card), false };

        c->unit = NULL;
        a->code = payment_authorise_call(c, &in, &(struct authorisation){ 0 });
        a->done = true;
        return 0;
}

/* Charges while a fake clock goes on. */
static int charge(struct ctx *c, int order, const char *card)
{
        struct asking a = { order, card, 0, false };

        GROUP(g, c);
        CHECK_OK(group_go(g, charge_fiber, &a));
        for (int turns = 0; !a.done && turns < 3000; turns++) {
                turn();
                clock_advance(10);
        }
        CHECK_OK(group_wait(g));
        return a.code;
}

static int64_t state(struct world *w, int order)
{
        char sql[200];
        snprintf(sql, sizeof sql, "select state from intent where order_id = '02000000-0000-0000-0000-0000000000%02x' and attempt = 1", order);
        return number(w, "payments", sql);
}

static int64_t provider_state(struct world *w, int order)
{
        char sql[200];
        snprintf(sql, sizeof sql, "select coalesce(max(state), 0)::int8 from provider_state where order_id = '02000000-0000-0000-0000-0000000000%02x'", order);
        return number(w, "payments", sql);
}

static int tell(struct world *w, const char *id, enum webhook_kind kind, int order, uid settlement, struct webhook_receipt *out)
{
        struct webhook in = { str_of(id), (int32_t)kind, order_no(order), 1, settlement, clock_now() };
        return webhook_call(as(w, "service"), &in, out);
}
#define TELL(w, id, kind, order) CHECK_OK(tell(w, id, kind, order, (uid){ { 0 } }, &heard))

/* ---- webhooks ------------------------------------------------------------------------------------------------------------- */

static int told(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct webhook_receipt heard;

        clock_fake(clock_now());
        CHECK_EQ(charge(c, 1, SILENT), -DEADLINE_EXCEEDED);
        CHECK_EQ(charge(c, 2, SILENT), -DEADLINE_EXCEEDED);
        TELL(w, "evt_1", SAYS_AUTHORISED, 1);
        CHECK(!heard.repeated);
        settle(w);
        CHECK_EQ(state(w, 1), VOIDED);                                          /* its order was told that it failed */
        CHECK_EQ(events(w, "orders", "order.rejected"), 1);
        TELL(w, "evt_2", SAYS_DECLINED, 2);
        CHECK_EQ(state(w, 2), DECLINED);
        CHECK_EQ(events(w, "payments", "payment.declined"), 1);
        CHECK_EQ(rows(w, "payments", "webhook_event where applied"), 2);
        TELL(w, "evt_3", SAYS_DECLINED, 2);                                     /* the same news under another id */
        CHECK_EQ(events(w, "payments", "payment.declined"), 1);
        clock_real();
        return 0;
}

TEST(what_the_provider_tells_of_an_unanswered_attempt_settles_it) { CHECK_OK(run_main(told, NULL)); }

static int repeats(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct webhook in = { STR("evt_1"), SAYS_CAPTURED, order_no(1), 1, { { 0 } }, clock_now() };
        struct webhook_receipt heard;

        CHECK_OK(webhook_call(as(w, "service"), &in, &heard));
        CHECK(!heard.repeated);
        for (int i = 0; i < 3; i++) {
                CHECK_OK(webhook_call(as(w, "service"), &in, &heard));
                CHECK(heard.repeated);
        }
        CHECK_EQ(rows(w, "payments", "webhook_event"), 1);
        in.type = SAYS_VOIDED;
        CHECK_FAILS(w, ALREADY_EXISTS, "event_differs", webhook_call(as(w, "service"), &in, &heard));
        CHECK_EQ(provider_state(w, 1), SAYS_CAPTURED);
        return 0;
}

TEST(an_event_told_again_does_nothing_and_one_that_changed_is_refused) { CHECK_OK(run_main(repeats, NULL)); }

static int out_of_order(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        static const enum webhook_kind orders[][3] = { { SAYS_AUTHORISED, SAYS_CAPTURED, SAYS_REFUNDED }, { SAYS_REFUNDED, SAYS_CAPTURED, SAYS_AUTHORISED },
                                                       { SAYS_CAPTURED, SAYS_REFUNDED, SAYS_AUTHORISED } };
        struct webhook_receipt heard;
        char id[20];

        for (int i = 0; i < 3; i++) {
                for (int k = 0; k < 3; k++) {
                        snprintf(id, sizeof id, "evt_%d_%d", i, k);
                        TELL(w, id, orders[i][k], i + 1);
                }
                CHECK_EQ(provider_state(w, i + 1), SAYS_REFUNDED);
        }
        return 0;
}

TEST(of_what_an_attempt_is_at_the_provider_the_furthest_wins_in_any_order) { CHECK_OK(run_main(out_of_order, NULL)); }

static int nobodys(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct webhook_receipt heard;

        clock_fake(clock_now());
        TELL(w, "evt_1", SAYS_AUTHORISED, 7);                                   /* nobody here wrote that down, or not yet */
        CHECK_EQ(rows(w, "payments", "webhook_event where not applied"), 1);
        run_job(w, "payments", "reconcile");
        CHECK_EQ(events(w, "orders", "order.rejected"), 0);
        clock_advance(SECONDS(61));
        run_job(w, "payments", "reconcile");
        settle(w);
        CHECK_EQ(events(w, "orders", "order.rejected"), 1);                      /* whoever asked for it is too late now */
        CHECK_EQ(rows(w, "payments", "webhook_event where not applied"), 0);
        clock_real();
        return 0;
}

TEST(money_nobody_wrote_down_is_kept_and_asked_about_after_a_minute) { CHECK_OK(run_main(nobodys, NULL)); }

static const char *signed_by(struct ctx *c, const char *field, const char *body)
{
        return arena_z(c->arena, arena_printf(c->arena, "POST /v1/webhooks/payments HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n%scontent-length: %zu\r\n\r\n%s",
                                              field, strlen(body), body));
}

static int strangers(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        static const char *const unreadable[] = { "", "souk-signature: \r\n", "souk-signature: v1=00\r\n", "souk-signature: t=1\r\n", "souk-signature: t=x,v1=00\r\n",
                                                  "souk-signature: t=1,t=2,v1=00\r\n", "souk-signature: t=1,v1=00\r\nsouk-signature: t=1,v1=00\r\n" };
        static const char *const wrong[] = { "souk-signature: t=1,v1=00\r\n", "souk-signature: t=1,v1=zz,v1=00,v2=1\r\n",
                "souk-signature: t=1,v1=0000000000000000000000000000000000000000000000000000000000000000\r\n" };

        for (size_t i = 0; i < COUNT(unreadable); i++) {
                struct http_answer a = http_message(w, NULL, signed_by(c, unreadable[i], "{}"));
                CHECK(says(a, 400, "signature_missing"));
                CHECK(memmem(a.body.p, a.body.n, "Souk-Signature", 14) != NULL);
        }
        for (size_t i = 0; i < COUNT(wrong); i++)
                CHECK(says(http_message(w, NULL, signed_by(c, wrong[i], "{}")), 403, "wrong_signature"));
        CHECK_EQ(rows(w, "payments", "webhook_event"), 0);
        return 0;
}

TEST(what_is_not_signed_is_not_heard) { CHECK_OK(run_main(strangers, NULL)); }

/* ---- reconciliation ------------------------------------------------------------------------------------------------------- */

static int silent(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        CHECK_EQ(charge(c, 1, SILENT), -DEADLINE_EXCEEDED);
        run_job(w, "payments", "reconcile");
        settle(w);
        CHECK_EQ(state(w, 1), UNANSWERED);                                      /* not a minute old: its order may be about to give it up */
        clock_advance(SECONDS(61));
        run_job(w, "payments", "reconcile");
        settle(w);
        CHECK_EQ(state(w, 1), VOIDED);
        CHECK_EQ(events(w, "orders", "order.rejected"), 1);
        run_job(w, "payments", "reconcile");
        settle(w);
        CHECK_EQ(events(w, "orders", "order.rejected"), 1);
        clock_real();
        return 0;
}

TEST(an_attempt_the_provider_never_heard_of_is_voided_after_orders_was_asked) { CHECK_OK(run_main(silent, NULL)); }

static int late(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);

        clock_fake(clock_now());
        CHECK_EQ(charge(c, 1, LATE), -DEADLINE_EXCEEDED);
        execute(w, "payments", "update test_answer set due_at = due_at + interval '1 hour'");   /* the provider is slower than slow */
        clock_advance(MINUTES(2));
        run_job(w, "payments", "reconcile");
        settle(w);
        CHECK_EQ(state(w, 1), UNANSWERED);                                      /* it is at work: nothing is decided */
        clock_advance(MINUTES(61));
        run_job(w, "payments", "reconcile");                                    /* it approved, and nobody told us */
        settle(w);
        CHECK_EQ(state(w, 1), VOIDED);
        CHECK_EQ(rows(w, "payments", "transfer"), 0);
        run_job(w, "payments", "test-answers");                                 /* and now it tells: no more than a cancellation */
        settle(w);
        CHECK_EQ(state(w, 1), VOIDED);
        CHECK_EQ(rows(w, "payments", "test_answer"), 0);
        CHECK_EQ(rows(w, "payments", "souk_parked"), 0);
        clock_real();
        return 0;
}

TEST(a_provider_still_at_work_is_waited_for_and_its_late_approval_voided) { CHECK_OK(run_main(late, NULL)); }

static int settlement_told(struct ctx *c, void *arg)
{
        (void)arg;
        SHOP(s, w, c);
        struct webhook_receipt heard;
        uid one = { { 3, [15] = 1 } }, two = { { 3, [15] = 2 } };

        execute(w, "payments", "insert into intent values ('02000000-0000-0000-0000-000000000001', 1, '01000000-0000-0000-0000-000000000001', 1000, 'EUR', 0, '4242', now());"
                               "insert into transfer (order_id, no, kind, attempt, debit, credit, amount_minor, amount_cur, at)"
                               " values ('02000000-0000-0000-0000-000000000001', 1, 1, 1, 1, 2, 1000, 'EUR', now());"
                               "insert into settlement (id, order_id, attempt, kind, amount_minor, amount_cur, state, cause, reason, fingerprint, asked_at)"
                               " select ('03000000-0000-0000-0000-00000000000' || n)::uuid, '02000000-0000-0000-0000-000000000001', 1, 2, 300, 'EUR', 0, 0, '', 0, now()"
                               " from generate_series(1, 2) n");
        CHECK_OK(tell(w, "evt_1", SAYS_SETTLED, 1, one, &heard));
        CHECK_OK(tell(w, "evt_2", SAYS_REFUSED, 1, two, &heard));
        CHECK_OK(tell(w, "evt_3", SAYS_SETTLED, 1, two, &heard));               /* it had failed: that is its end */
        CHECK_OK(tell(w, "evt_4", SAYS_SETTLED, 1, one, &heard));
        CHECK_EQ(number(w, "payments", "select sum(amount_minor)::int8 from transfer where kind = 2"), 300);
        CHECK_EQ(events(w, "payments", "payment.refunded"), 1);
        CHECK_FAILS(w, INVALID_ARGUMENT, "invalid", tell(w, "evt_5", SAYS_SETTLED, 1, (uid){ { 0 } }, &heard));
        CHECK_FAILS(w, INVALID_ARGUMENT, "invalid", tell(w, "evt_6", SAYS_NOTHING, 1, one, &heard));
        CHECK_EQ(rows(w, "payments", "webhook_event"), 4);
        return 0;
}

TEST(a_pending_refund_is_settled_by_what_the_provider_tells_of_it) { CHECK_OK(run_main(settlement_told, NULL)); }

TEST_MAIN
