/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * payments.c - money for orders: authorised while an order is placed, captured when it is confirmed, voided when it is rejected.
 *
 *     authorise --approved--> authorised --order.confirmed--> captured (a transfer)
 *         |                       `-------order.rejected----> voided
 *         |--declined--> declined
 *         `--no answer in time--> unanswered --order.rejected, or a late answer--> voided
 *
 * The provider is always asked before a transaction begins; what it said is written for many callers at once. The ledger is double entry in
 * one row a transfer, so its sum is zero by construction. */
#include "payments/payments.h"
#include "orders/orders.h"
#include "payments_sql.h"
#include "provider.h"

/* ---- messages ----------------------------------------------------------------------------------------------------------- */

enum intent_state { AUTHORISED, DECLINED, UNANSWERED, VOIDED };

struct intent_row      { uid order_id; int32_t attempt; uid buyer; int64_t amount; str cur; int32_t state; str card_last4; };
DECLARE_LIST(intent_row);
struct intent_batch    { when at; struct intent_row_list rows; };
struct verdict         { int32_t state; };
struct capture_row     { uid order_id; int32_t attempt; int64_t amount; str cur; };
DECLARE_LIST(capture_row);
struct capture_batch   { when at; struct capture_row_list rows; };
DECLARE_LIST(attempt_ref);
struct void_batch      { struct attempt_ref_list rows; };
struct payment_ref     { uid order_id; };
struct payment_key     { uid order_id, buyer; };
struct payment         { uid order_id, buyer; int32_t attempt; str state; money amount; str card_last4; int32_t captures; when created_at, captured_at; };
struct account_balance { int32_t no; str name, currency; int64_t debit, credit, balance; };
DECLARE_LIST(account_balance);
struct trial_balance   { struct account_balance_list accounts; int64_t sum; };
struct sweep           { when upto; };
struct sweep_row       { uid order_id; int32_t attempt; when created_at; };
DECLARE_LIST(sweep_row);
struct capture_note    { uid order_id; int32_t attempt; money amount; };

MESSAGE(charge, "money asked for an attempt of an order",
        F(charge, 1, order_id),
        F(charge, 2, buyer),
        F(charge, 3, attempt, .min = 1, .max = INT32_MAX),
        F(charge, 4, amount),
        F(charge, 5, card, .optional = true, .secret = true, .max = 19));
MESSAGE(authorisation, "money authorised",
        F(authorisation, 1, order_id),
        F(authorisation, 2, attempt),
        F(authorisation, 3, amount),
        F(authorisation, 4, card_last4));
MESSAGE(attempt_ref, "an attempt of an order", F(attempt_ref, 1, order_id), F(attempt_ref, 2, attempt));
MESSAGE(intent_row, "a row of intent",
        F(intent_row, 1, order_id),
        F(intent_row, 2, attempt),
        F(intent_row, 3, buyer),
        F(intent_row, 4, amount),
        F(intent_row, 5, cur),
        F(intent_row, 6, state),
        F(intent_row, 7, card_last4));
MESSAGE(intent_batch, "what the provider said, of a batch", F(intent_batch, 1, at, .optional = true), F_LIST(intent_batch, 2, rows, intent_row));
MESSAGE(verdict, "what stands for an attempt", F(verdict, 1, state));
MESSAGE(capture_row, "a row of transfer", F(capture_row, 1, order_id), F(capture_row, 2, attempt), F(capture_row, 3, amount), F(capture_row, 4, cur));
MESSAGE(capture_batch, "captures of a batch", F(capture_batch, 1, at), F_LIST(capture_batch, 2, rows, capture_row));
MESSAGE(void_batch, "attempts to be voided", F_LIST(void_batch, 1, rows, attempt_ref));
MESSAGE(payment_ref, "the payment of an order", F(payment_ref, 1, order_id));
MESSAGE(payment_key, "the payment of a buyer's order", F(payment_key, 1, order_id), F(payment_key, 2, buyer, .optional = true));
MESSAGE(payment, "the payment of an order",
        F(payment, 1, order_id),
        F(payment, 2, buyer),
        F(payment, 3, attempt, .doc = "Which attempt of the order this belongs to."),
        F(payment, 4, state, .doc = "authorised, captured, declined, unanswered or voided."),
        F(payment, 5, amount),
        F(payment, 6, card_last4, .doc = "The last digits of the card; no more of it is kept."),
        F(payment, 7, captures, .doc = "How many captures are booked: 0 or 1."),
        F(payment, 8, created_at),
        F(payment, 9, captured_at, .optional = true));
MESSAGE(account_balance, "an account in one currency, in minor units",
        F(account_balance, 1, no),
        F(account_balance, 2, name),
        F(account_balance, 3, currency),
        F(account_balance, 4, debit),
        F(account_balance, 5, credit),
        F(account_balance, 6, balance));
MESSAGE(trial_balance, "the ledger's accounts; the sum of their balances is always zero",
        F_LIST(trial_balance, 1, accounts, account_balance),
        F(trial_balance, 2, sum));
MESSAGE(sweep, "a sweep", F(sweep, 1, upto));
MESSAGE(sweep_row, "an authorisation nobody captured", F(sweep_row, 1, order_id), F(sweep_row, 2, attempt), F(sweep_row, 3, created_at));
MESSAGE(capture_note, "money of an attempt",
        F(capture_note, 1, order_id),
        F(capture_note, 2, attempt),
        F(capture_note, 3, amount));

const struct event payment_captured = { "payment.captured", &capture_note_type, "order_id", "An order's money was captured." };
const struct event payment_declined = { "payment.declined", &capture_note_type, "order_id", "The provider declined an attempt." };

static const struct provider *const provider = &test_provider;

static const struct setting payments_settings[] = {
        { "payments.provider-timeout", SET_MS, "3s", 100, MINUTES(1), false, "How long the payment provider may take to answer." },
        { "payments.sweep-after", SET_MS, "30m", MINUTES(1), HOURS(24), false, "After how long orders is asked about an authorisation that nobody captured." },
        { 0 },
};

/* ---- authorise ------------------------------------------------------------------------------------------------------------ */

CONTRACT(intent_record, intent_row, verdict)
BATCHED(intent_record, intent_row, verdict);

/* After a failed run, or a repeat: what an attempt already has stands. */
static int intents_look(struct db *tx, struct batch *b, struct intent_batch *w)
{
        struct intent_row_list have;

        for (size_t i = 0; i < b->n; i++)
                w->rows.v[w->rows.n++] = *intent_record_in(&b->v[i]);
        TRY(intents_of(tx, w, &have));
        w->rows.n = 0;
        EACH_CALL(v, b) {
                const struct intent_row *in = intent_record_in(v);
                intent_record_out(v)->state = -1;
                for (size_t i = 0; i < have.n; i++) {
                        const struct intent_row *h = &have.v[i];
                        if (!uid_eq(h->order_id, in->order_id) || h->attempt != in->attempt) continue;
                        if (h->amount != in->amount || !str_eq(h->cur, in->cur) || !str_eq(h->card_last4, in->card_last4))
                                v->verdict = fail(v->c, ABORTED, "attempt_is_over", "this attempt was charged otherwise; send the request again");
                        intent_record_out(v)->state = h->state;
                }
        }
        return 0;
}

static int intent_record(struct ctx *c, struct batch *b)
{
        struct intent_batch w = { clock_now(), { arena_many(c->arena, struct intent_row, b->n), 0 } };

        if (!w.rows.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        TX(tx, c);
        if (b->again) TRY(intents_look(tx, b, &w));
        EACH_CALL(v, b) {
                const struct intent_row *in = intent_record_in(v);
                if (b->again && intent_record_out(v)->state >= 0) continue;
                intent_record_out(v)->state = in->state;
                w.rows.v[w.rows.n++] = *in;
                if (in->state == DECLINED) {
                        struct capture_note note = { in->order_id, in->attempt, { in->amount, "" } };
                        memcpy(note.amount.cur, in->cur.p, MIN(in->cur.n, sizeof note.amount.cur - 1));
                        TRY(emit(tx, &payment_declined, &note));
                }
        }
        if (w.rows.n == 0)
                return 0;
        TRY(intents_insert_later(tx, &w));
        return tx_commit(tx);
}

static str last4(str card)
{
        return card.n >= 4 ? str_cut(card, card.n - 4, card.n) : STR("4242");
}

/* The provider's answer within its time, which may be less than the caller's. */
static int provider_ask(struct ctx *c, const struct charge *in, int32_t *state)
{
        struct ctx ask = *c;
        enum provider_says says;
        int r;

        ctx_limit(&ask, (int)config_int(config(c), "payments.provider-timeout"));
        r = provider->authorise(&ask, in, &says);
        if (r == -DEADLINE_EXCEEDED) {
                *state = UNANSWERED;
                return 0;
        }
        if (r < 0) {
                fault_copy(c, &ask);
                return r;
        }
        *state = says == PROVIDER_DECLINES ? DECLINED : AUTHORISED;
        return 0;
}

static int payment_authorise(struct ctx *c, const struct charge *in, struct authorisation *out)
{
        struct intent_row row = { in->order_id, in->attempt, in->buyer, in->amount.minor, str_of(in->amount.cur), AUTHORISED, last4(in->card) };
        struct ctx late = *c;
        struct verdict said;

        TRY(provider_ask(c, in, &row.state));
        late.deadline_us = deadline_in(SECONDS(5));     /* what the provider said must be written even when the caller's time is up */
        if (intent_record_call(&late, &row, &said) < 0) {
                fault_copy(c, &late);
                return -(int)c->fault.code;
        }
        if (said.state != AUTHORISED && said.state != row.state)        /* what stands is of an earlier request, and its end */
                return fail(c, ABORTED, "attempt_is_over", "this attempt of the order is over; send the request again");
        if (said.state == DECLINED)
                return fail_http(c, 402, FAILED_PRECONDITION, "payment_declined", "the card was declined");
        if (said.state == UNANSWERED)
                return fail(c, DEADLINE_EXCEEDED, "payment_timed_out", "the payment provider did not answer in time; nothing was charged");
        *out = (struct authorisation){ in->order_id, in->attempt, in->amount, row.card_last4 };
        return 0;
}

/* ---- capture and void ------------------------------------------------------------------------------------------------------ */

BATCHED(payment_capture, order_confirmation, nothing);

static int payment_capture(struct ctx *c, struct batch *b)
{
        struct capture_batch w = { clock_now(), { arena_many(c->arena, struct capture_row, b->n), 0 } };

        if (!w.rows.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        EACH_CALL(v, b) {
                const struct order_confirmation *in = payment_capture_in(v);
                TRY(provider->capture(c, in->id, in->attempt, in->total));
                w.rows.v[w.rows.n++] = (struct capture_row){ in->id, in->attempt, in->total.minor, str_of(in->total.cur) };
        }
        TX(tx, c);
        TRY(transfers_capture_later(tx, &w));
        EACH_CALL(v, b) {
                const struct order_confirmation *in = payment_capture_in(v);
                TRY(emit(tx, &payment_captured, &(struct capture_note){ in->id, in->attempt, in->total }));
        }
        return tx_commit(tx);
}

/* These attempts and those before them. The provider is told of each one named, whether we know of it or not: its answer may have been lost. */
static int attempts_void(struct ctx *c, const struct void_batch *w)
{
        struct attempt_ref_list earlier = { 0 };
        bool has_earlier = false;

        for (size_t i = 0; i < w->rows.n; i++) {
                TRY(provider->cancel(c, w->rows.v[i].order_id, w->rows.v[i].attempt));
                has_earlier |= w->rows.v[i].attempt > 1;
        }
        if (has_earlier) TRY(intents_open(db(c), w, &earlier));
        for (size_t i = 0; i < earlier.n; i++)
                TRY(provider->cancel(c, earlier.v[i].order_id, earlier.v[i].attempt));
        TX(tx, c);
        TRY(intents_void_later(tx, w));
        return tx_commit(tx);
}

BATCHED(payment_undo, order_rejection, nothing);

static int payment_undo(struct ctx *c, struct batch *b)
{
        struct void_batch w = { { arena_many(c->arena, struct attempt_ref, b->n), 0 } };

        if (!w.rows.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        EACH_CALL(v, b)
                w.rows.v[w.rows.n++] = (struct attempt_ref){ payment_undo_in(v)->id, payment_undo_in(v)->attempt };
        return attempts_void(c, &w);
}

/* Money that nobody has captured: orders decides. Given up: the order.rejected that the question brings voids it. Confirmed at this attempt:
 * order.confirmed will capture it. Confirmed at a later one: a slow twin asked for this money after its attempt was over. */
static int attempt_ask(struct ctx *c, uid order_id, int32_t attempt, const char *reason)
{
        struct attempt_ref one = { order_id, attempt };
        struct fate fate;

        TRY(order_abandon_call(c, &(struct abandonment){ order_id, attempt, str_of(reason) }, &fate));
        return fate.state == ORDER_CONFIRMED && fate.attempt > attempt ? attempts_void(c, &(struct void_batch){ { &one, 1 } }) : 0;
}

int payment_answered(struct ctx *c, uid order_id, int32_t attempt, when asked_at)
{
        struct intent_row key = { .order_id = order_id, .attempt = attempt };
        struct intent_row_list have;
        struct attempt_ref one = { order_id, attempt };

        TRY(intents_of(db(c), &(struct intent_batch){ .rows = { &key, 1 } }, &have));
        if (have.n == 0 && clock_now().us - asked_at.us < 60 * 1000000)
                return fail(c, NOT_FOUND, "not_yet", "the attempt is not written down yet");
        if (have.n && have.v[0].state == AUTHORISED)
                return 0;                               /* told twice */
        if (have.n && have.v[0].state == VOIDED)
                return attempts_void(c, &(struct void_batch){ { &one, 1 } });
        return attempt_ask(c, order_id, attempt, "payment_answered_late");
}

static int authorisation_ask(struct ctx *c, void *arg)
{
        const struct sweep_row *a = arg;
        return attempt_ask(c, a->order_id, a->attempt, "expired");
}

static int authorisations_sweep(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        struct sweep s = { { clock_now().us - config_int(config(c), "payments.sweep-after") * 1000 } };
        struct sweep_row_list l;

        (void)in, (void)out;
        TRY(sweep_list(db(c), &s, &l));
        GROUP(g, c);
        for (size_t i = 0; i < l.n; i++)
                TRY(group_go(g, authorisation_ask, &l.v[i]));
        TRY(group_wait(g));
        if (l.n >= 500)
                s.upto = l.v[l.n - 1].created_at;       /* the rest next time */
        return sweep_move(db(c), &s);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------------- */

static int payment_get(struct ctx *c, const struct payment_ref *in, struct payment *out)
{
        uid buyer = caller_has_role(c, ROLE_STAFF | ROLE_ADMIN | ROLE_SERVICE) ? (uid){ { 0 } } : caller_id(c);
        int r = payment_by_order(db(c), &(struct payment_key){ in->order_id, buyer }, out);

        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_payment", "there is no payment for this order") : r;
}

static int balance_read(struct ctx *c, const struct nothing *in, struct trial_balance *out)
{
        TRY(accounts_balance(db(c), in, &out->accounts));
        for (size_t i = 0; i < out->accounts.n; i++)
                out->sum += out->accounts.v[i].balance;
        return 0;
}

/* ---- tables -------------------------------------------------------------------------------------------------------------------- */

/*  operation             takes        gives         */
OP( payment_authorise,    charge,      authorisation );
OP( payment_get,          payment_ref, payment       );
OP( balance_read,         nothing,     trial_balance );
OP( authorisations_sweep, nothing,     nothing       );

const struct service payments_service = {
        .name = "payments",
        .doc  = "Has money authorised, captures it, voids it, and keeps the ledger.",
        .has_db = true,
        ROUTES(
                GET("/v1/payments/balance", balance_read, .who = STAFF, .scope = "payments:read", .doc = "The trial balance of the ledger."),
                GET("/v1/payments/{order_id}", payment_get, .who = USER, .scope = "payments:read", .doc = "The payment of an order: one's own, or anybody's for staff.",
                    .slugs = (const char *const[]){ "no_such_payment", NULL })),
        CALLS(&payment_authorise_op, &intent_record_op),
        CONSUMES(
                ON(order_confirmed, payment_capture),
                ON(order_rejected,  payment_undo)),
        JOBS(
                EVERY(SECONDS(60), "sweep-authorisations", authorisations_sweep),
                EVERY(SECONDS(1),  "test-answers",         test_answers_deliver)),
        EMITS(&payment_captured, &payment_declined),
        SLUGS({ "payment_declined",  402, "The provider declined the charge; nothing was ordered." },
              { "payment_timed_out", 504, "The provider did not answer in time; nothing was ordered, and what it may have authorised is voided." },
              { "attempt_is_over",   409, "The attempt of the order was charged otherwise or voided before; the next one may go." },
              { "no_such_payment",   404, "There is no payment for that order, or it is not yours." }),
        .migrations = payments_migrations,
        .queries    = payments_queries,
        .settings   = payments_settings,
};
