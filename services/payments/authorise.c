/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * authorise.c - money asked for while an order is placed: the provider first, then one row an attempt, for many callers at once.
 *
 * What the provider said is written even when the caller's time is up. An attempt has one row for good; asked again it gets what stands. A charge in
 * parts also takes transfer number 1, so that order.confirmed meets it and looks before it captures. */
#include "money.h"
#include "payments_sql.h"

struct intent_row   { uid order_id; int32_t attempt; uid buyer; int64_t amount; str cur; int32_t state; str card_last4; bool in_parts; };
DECLARE_LIST(intent_row);
struct intent_batch { when at; struct intent_row_list rows; };
struct verdict      { int32_t state; };

MESSAGE(charge, "money asked for an attempt of an order",
        F(charge, 1, order_id),
        F(charge, 2, buyer),
        F(charge, 3, attempt, .min = 1, .max = INT32_MAX),
        F(charge, 4, amount),
        F(charge, 5, card, .optional = true, .secret = true, .max = 19),
        F(charge, 6, in_parts, .optional = true));
MESSAGE(authorisation, "money authorised",
        F(authorisation, 1, order_id),
        F(authorisation, 2, attempt),
        F(authorisation, 3, amount),
        F(authorisation, 4, card_last4));
MESSAGE(intent_row, "a row of intent",
        F(intent_row, 1, order_id),
        F(intent_row, 2, attempt),
        F(intent_row, 3, buyer),
        F(intent_row, 4, amount),
        F(intent_row, 5, cur),
        F(intent_row, 6, state),
        F(intent_row, 7, card_last4),
        F(intent_row, 8, in_parts, .optional = true));
MESSAGE(intent_batch, "what the provider said, of a batch", F(intent_batch, 1, at, .optional = true), F_LIST(intent_batch, 2, rows, intent_row));
MESSAGE(verdict, "what stands for an attempt", F(verdict, 1, state));

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

static int decline_emit(struct db *tx, const struct intent_row *in)
{
        struct payment_note note = { in->order_id, in->attempt, { in->amount, "" }, { { 0 } } };

        memcpy(note.amount.cur, in->cur.p, MIN(in->cur.n, sizeof note.amount.cur - 1));
        return emit(tx, &payment_declined, &note);
}

static int intent_record(struct ctx *c, struct batch *b)
{
        struct intent_batch w = { clock_now(), { arena_many(c->arena, struct intent_row, b->n), 0 } };
        struct capture_batch closed = { w.at, { NULL, 0 } };

        if (!w.rows.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        TX(tx, c);
        if (b->again) TRY(intents_look(tx, b, &w));
        EACH_CALL(v, b) {
                const struct intent_row *in = intent_record_in(v);
                if (b->again && intent_record_out(v)->state >= 0) continue;
                intent_record_out(v)->state = in->state;
                w.rows.v[w.rows.n++] = *in;
                if (in->state == DECLINED) TRY(decline_emit(tx, in));
                if (!in->in_parts || in->state != AUTHORISED) continue;
                if (!closed.rows.v) closed.rows.v = arena_many(c->arena, struct capture_row, b->n);
                if (!closed.rows.v) return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
                closed.rows.v[closed.rows.n++] = (struct capture_row){ in->order_id, in->attempt, 0, in->cur };
        }
        if (w.rows.n == 0)
                return 0;
        TRY(intents_insert_later(tx, &w));
        if (closed.rows.n) TRY(transfers_close_later(tx, &closed));
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
        struct intent_row row = { in->order_id, in->attempt, in->buyer, in->amount.minor, str_of(in->amount.cur), AUTHORISED, last4(in->card), in->in_parts };
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

OP(payment_authorise, charge, authorisation);
