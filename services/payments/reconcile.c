/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * reconcile.c - answers that never came: the provider is asked, and what it knows is settled here.
 *
 *     an attempt without an answer    at work: later | declined: declined | approved, or never heard of: orders is asked, and order.rejected voids it
 *     a settlement still pending      asked for again under its id: the provider does it once
 *     a webhook that waits            tried again
 *
 * Nothing is captured that orders did not confirm: an approval that comes to light here is of an order that was told it failed. */
#include "money.h"
#include "payments_sql.h"

struct declined { uid order_id; int32_t attempt; money amount; };

MESSAGE(declined, "an attempt that was declined after all", F(declined, 1, order_id), F(declined, 2, attempt), F(declined, 3, amount));

int attempt_declined(struct ctx *c, uid order_id, int32_t attempt)
{
        struct attempt_ref one = { order_id, attempt };
        struct declined d;
        int r;

        TX(tx, c);
        TRY(r = intent_declined(tx, &one, &d));
        if (r == 0) return 0;                           /* it has another end already */
        TRY(emit(tx, &payment_declined, &(struct payment_note){ d.order_id, d.attempt, d.amount, { { 0 } } }));
        return tx_commit(tx);
}

static int attempt_reconcile(struct ctx *c, void *arg)
{
        const struct sweep_row *a = arg;
        enum provider_knows knows;

        TRY(provider->status(c, a->order_id, a->attempt, &knows));
        if (knows == PROVIDER_IS_AT_WORK) return 0;
        if (knows == PROVIDER_DECLINED) return attempt_declined(c, a->order_id, a->attempt);
        return attempt_ask(c, a->order_id, a->attempt, "payment_unanswered");
}

static int reconcile(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        struct sweep s = { { clock_now().us - config_int(config(c), "payments.reconcile-after") * 1000 } };
        struct sweep_row_list silent;
        struct settlement_list pending;
        int r;

        (void)in, (void)out;
        TRY(unanswered_late(db(c), &s, &silent));
        GROUP(g, c);
        for (size_t i = 0; i < silent.n; i++)
                TRY(group_go(g, attempt_reconcile, &silent.v[i]));
        TRY(group_wait(g));
        TRY(settlements_late(db(c), &s, &pending));
        r = settle_all(c, &pending);
        if (r == -DEADLINE_EXCEEDED) fault_clear(c);    /* silent again: the next time */
        else TRY(r);
        return webhooks_apply(c);
}

OP(reconcile, nothing, nothing);
