/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * payments.c - money for orders: authorised while an order is placed, captured when it is confirmed, voided or given back when it does not stand.
 *
 *     authorise --approved--> authorised --order.confirmed--> captured (a transfer) --refund, order.cancelled, order.returned--> refunded (transfers)
 *         |                       |------order.confirmed, in parts--> open --captures of staff--> captured
 *         |                       `------order.rejected, order.cancelled--> voided
 *         |--declined--> declined
 *         `--no answer in time--> unanswered --order.rejected, a late answer, or asked for by reconcile.c--> voided, declined
 *
 * The tables that bind it together; money.h says which file does what. The provider is never asked inside a transaction. The ledger is double
 * entry in one row a transfer, so its sum is zero by construction. */
#include "money.h"
#include "payments_sql.h"

MESSAGE(payment_note, "money of an order",
        F(payment_note, 1, order_id),
        F(payment_note, 2, attempt),
        F(payment_note, 3, amount),
        F(payment_note, 4, settlement, .optional = true));

const struct event payment_authorised = { "payment.authorised", &payment_note_type, "order_id", "The money of an order that stands was reserved." };
const struct event payment_captured   = { "payment.captured",   &payment_note_type, "order_id", "An order's money was captured: all of it, or a part." };
const struct event payment_declined   = { "payment.declined",   &payment_note_type, "order_id", "The provider declined an attempt." };
const struct event payment_refunded   = { "payment.refunded",   &payment_note_type, "order_id", "Money was given back." };

const struct provider *const provider = &test_provider;

static const struct setting payments_settings[] = {
        { "payments.provider-timeout", SET_MS, "3s", 100, MINUTES(1), false, "How long the payment provider may take to answer." },
        { "payments.sweep-after", SET_MS, "30m", SECONDS(1), HOURS(24), false, "After how long orders is asked about an authorisation that nobody captured." },
        { "payments.sweep-every", SET_MS, "1m", 100, HOURS(1), false, "How often it is looked for such authorisations." },
        { "payments.reconcile-after", SET_MS, "1m", SECONDS(1), HOURS(24), false, "After how long the provider is asked for an answer that never came." },
        { "payments.reconcile-every", SET_MS, "30s", 100, HOURS(1), false, "How often it is looked for such answers." },
        { "payments.webhook-secrets", SET_STR, NULL, 0, 0, true,
          "Secrets the provider signs its webhooks with, at least 16 characters each, with commas: the new one beside the old one while they change. None: webhooks are refused." },
        { 0 },
};

#define REFUSES(...) .slugs = (const char *const[]){ __VA_ARGS__, NULL }

static const struct route_header signature_header = {
        "Souk-Signature", "When it was signed, in seconds of Unix time, and the HMAC-SHA-256 of `SECONDS.BODY` with a secret that both know, in hex.",
        "t=1795507767,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd"
};

const struct service payments_service = {
        .name = "payments",
        .doc  = "Has money authorised, captures it, voids it, gives it back, and keeps the ledger.",
        .has_db = true,
        ROUTES(
                GET( "/v1/payments", payments_list, .who = USER, .scope = "payments:read", .page = &payments_paging,
                     .doc = "Payments by the time of their orders: one's own, or everybody's for staff.", REFUSES("forbidden")),
                GET( "/v1/payments/{order_id}", payment_get, .who = USER, .scope = "payments:read", .doc = "The payment of an order: one's own, or anybody's for staff.",
                     REFUSES("no_such_payment")),
                POST("/v1/payments/{order_id}/captures", part_capture, .who = STAFF, .scope = "payments:write", .keyed = true, .status = 201,
                     .location = "/v1/payments/{order_id}/settlements/{id}", .doc = "Captures a part of a payment that is captured in parts.",
                     REFUSES("no_such_payment", "not_open", "over_authorised", "idempotency_key_reused")),
                POST("/v1/payments/{order_id}/refunds", refund_make, .who = STAFF, .scope = "payments:write", .keyed = true, .status = 201,
                     .location = "/v1/payments/{order_id}/settlements/{id}", .doc = "Gives money back, up to what was captured.",
                     REFUSES("no_such_payment", "nothing_captured", "over_captured", "idempotency_key_reused")),
                GET( "/v1/payments/{order_id}/settlements/{id}", settlement_get, .who = STAFF, .scope = "payments:read", .doc = "A capture of a part, or a refund.",
                     REFUSES("no_such_settlement")),
                GET( "/v1/ledger/trial-balance", balance_read, .who = STAFF, .scope = "payments:read", .doc = "The trial balance of the ledger."),
                GET( "/v1/ledger/entries", entries_list, .who = STAFF, .scope = "payments:read", .page = &entries_paging, .doc = "The entries of the ledger."),
                POST("/v1/webhooks/payments", webhook, .raw = webhook_receive, .header = &signature_header, .who = ANYONE, .body_max = 64 * 1024,
                     .doc = "What the payment provider tells of its own accord, signed in Souk-Signature.",
                     REFUSES("signature_missing", "wrong_signature", "webhook_too_old", "event_differs"))),
        CALLS(&payment_authorise_op, &intent_record_op),
        CONSUMES(
                ON(order_confirmed, payment_capture),
                ON(order_rejected,  payment_undo),
                ON(order_cancelled, payment_cancelled),
                ON(order_returned,  payment_returned),
                ON(payment_settle_asked, payment_settle)),
        JOBS(
                EVERY_AS("payments.sweep-every", "sweep-authorisations", authorisations_sweep),
                EVERY_AS("payments.reconcile-every", "reconcile",        reconcile),
                EVERY(SECONDS(1), "test-answers", test_answers_deliver)),
        EMITS(&payment_authorised, &payment_captured, &payment_declined, &payment_refunded, &payment_settle_asked),
        SLUGS({ "payment_declined",   402, "The provider declined the charge; nothing was ordered." },
              { "payment_timed_out",  504, "The provider did not answer in time; nothing was ordered, and what it may have authorised is voided." },
              { "attempt_is_over",    409, "The attempt of the order was charged otherwise or voided before; the next one may go." },
              { "no_such_payment",    404, "There is no payment for that order, or it is not yours." },
              { "no_such_settlement", 404, "There is no such capture or refund of that order." },
              { "not_open",           409, "The payment is not captured in parts, or its order does not stand, or does since a moment ago (then with Retry-After)." },
              { "over_authorised",    409, "More would be captured than was authorised." },
              { "nothing_captured",   409, "Nothing of the payment is captured, so nothing can be given back." },
              { "over_captured",      409, "More would be given back than was captured and is not given back yet." },
              { "signature_missing",  400, "A webhook needs one Souk-Signature field: t=SECONDS,v1=HEX." },
              { "wrong_signature",    403, "The webhook is signed with none of the secrets." },
              { "webhook_too_old",    403, "The webhook was signed over five minutes ago, or for the future." },
              { "event_differs",      409, "An event of that id came before and said something else." }),
        .migrations = payments_migrations,
        .queries    = payments_queries,
        .settings   = payments_settings,
};
