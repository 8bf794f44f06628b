/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * testprovider.c - a provider that behaves as well or as badly as the card's number or the amount says. No money moves.
 *
 * Answers that come later lie in a table, so they survive a crash of ours as a real provider's would. */
#include "money.h"
#include "payments_sql.h"

enum manner { PAYS, DECLINES, NEVER, TWICE, LATE };

struct test_answer { int64_t no; uid order_id; int32_t attempt; when asked_at, due_at; };
DECLARE_LIST(test_answer);

MESSAGE(test_answer, "an answer on its way",
        F(test_answer, 1, no),
        F(test_answer, 2, order_id),
        F(test_answer, 3, attempt),
        F(test_answer, 4, asked_at),
        F(test_answer, 5, due_at));

static const struct { const char *card; int64_t amount; enum manner manner; } manners[] = {
        { "4000000000000002", 40200002, DECLINES },
        { "4000000000000044", 40200044, NEVER },
        { "4000000000000051", 40200051, TWICE },
        { "4000000000000069", 40200069, LATE },
};

static enum manner manner_of(const struct charge *charge)
{
        for (size_t i = 0; i < COUNT(manners); i++)
                if (str_eq(charge->card, str_of(manners[i].card)) || charge->amount.minor == manners[i].amount)
                        return manners[i].manner;
        return PAYS;
}

static int answer_after(struct ctx *c, const struct charge *charge, int ms)
{
        when now = clock_now();
        return test_answer_later(db(c), &(struct test_answer){ 0, charge->order_id, charge->attempt, now, { now.us + (int64_t)ms * 1000 } });
}

static int authorise(struct ctx *c, const struct charge *charge, enum provider_says *says)
{
        *says = PROVIDER_APPROVES;
        switch (manner_of(charge)) {
        case PAYS:
                return 0;
        case DECLINES:
                *says = PROVIDER_DECLINES;
                return 0;
        case TWICE:
                return answer_after(c, charge, 0);
        case LATE:
                TRY(answer_after(c, charge, ctx_left_ms(c) + SECONDS(5)));
                break;
        case NEVER:
                break;
        }
        return fiber_sleep(c, HOURS(1));                /* the deadline ends it */
}

static int capture(struct ctx *c, uid order_id, int32_t attempt, money amount)
{
        (void)c, (void)order_id, (void)attempt, (void)amount;
        return 0;
}

static int cancel(struct ctx *c, uid order_id, int32_t attempt)
{
        (void)c, (void)order_id, (void)attempt;
        return 0;
}

/* By the amount alone, for a card is not told again. One that never answers does so once: the second time it is asked it says yes. */
static int settle(struct ctx *c, uid settlement, money amount, enum provider_says *says)
{
        struct charge as_charge = { .amount = amount };
        enum manner manner = manner_of(&as_charge);

        *says = manner == DECLINES ? PROVIDER_DECLINES : PROVIDER_APPROVES;
        if (manner != NEVER && manner != LATE) return 0;
        int asked_first = test_asked(db(c), &(struct uids){ { &settlement, 1 } });
        TRY(asked_first);
        return asked_first ? fiber_sleep(c, HOURS(1)) : 0;
}

static int capture_part(struct ctx *c, uid settlement, const struct attempt_ref *of, money amount, enum provider_says *says)
{
        (void)of;
        return settle(c, settlement, amount, says);
}

static int refund(struct ctx *c, uid settlement, const struct attempt_ref *of, money amount, enum provider_says *says)
{
        (void)of;
        return settle(c, settlement, amount, says);
}

/* It remembers only what is on its way. */
static int status(struct ctx *c, uid order_id, int32_t attempt, enum provider_knows *knows)
{
        struct test_answer a;
        int r = test_answer_of(db(c), &(struct attempt_ref){ order_id, attempt }, &a);

        TRY(r);
        *knows = r == 0 ? PROVIDER_KNOWS_NOTHING : a.due_at.us > clock_now().us ? PROVIDER_IS_AT_WORK : PROVIDER_APPROVED;
        return 0;
}

const struct provider test_provider = { "test", authorise, capture, cancel, capture_part, refund, status };

/* A provider tells again until it is heard. */
static int deliver(struct ctx *c, struct test_answer *a)
{
        int r = payment_answered(c, a->order_id, a->attempt, a->asked_at);

        if (r == -NOT_FOUND) {
                fault_clear(c);
                a->due_at.us = clock_now().us + 5000000;
                return test_answer_again(db(c), a);
        }
        TRY(r);
        return test_answer_done(db(c), a);
}

static int test_answers_deliver(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        struct test_answer_list due;

        (void)out;
        TRY(test_answers_due(db(c), in, &due));
        for (size_t i = 0; i < due.n; i++)
                TRY(deliver(c, &due.v[i]));
        return 0;
}

OP(test_answers_deliver, nothing, nothing);
