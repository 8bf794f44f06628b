/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * provider.h - what a payment provider must be able to do, and the test provider. Private to payments.
 *
 * Every call names (order, attempt) or a settlement: the provider's idempotency key. A provider may answer late or twice; such answers come to
 * payment_answered(), which knows what to do with them, and one that never came is asked for by reconcile.c. No call is made inside a transaction. */
#ifndef PROVIDER_H
#define PROVIDER_H
#include "payments/payments.h"

enum provider_says { PROVIDER_APPROVES, PROVIDER_DECLINES };
enum provider_knows { PROVIDER_KNOWS_NOTHING, PROVIDER_IS_AT_WORK, PROVIDER_APPROVED, PROVIDER_DECLINED };

struct provider {
        const char *name;
        /* Waits. returns 0 with *says; -DEADLINE_EXCEEDED no answer in time (it may come later); -UNAVAILABLE */
        int (*authorise)(struct ctx *c, const struct charge *charge, enum provider_says *says);
        int (*capture)(struct ctx *c, uid order_id, int32_t attempt, money amount);
        int (*cancel)(struct ctx *c, uid order_id, int32_t attempt);            /* of an authorisation, known to it or not; one captured meanwhile is given back; idempotent */
        int (*capture_part)(struct ctx *c, uid settlement, const struct attempt_ref *of, money amount, enum provider_says *says);
        int (*refund)(struct ctx *c, uid settlement, const struct attempt_ref *of, money amount, enum provider_says *says);
        int (*status)(struct ctx *c, uid order_id, int32_t attempt, enum provider_knows *knows);       /* of an authorisation */
};
extern const struct provider test_provider;
extern const struct op test_answers_deliver_op;         /* a job: answers that were on their way */

/* An approval that nobody waits for: after we gave up, or a second time. What must not stand is cancelled, once orders has said so. Waits.
 *   returns  0; -NOT_FOUND the attempt is not written down (yet), and was asked for less than a minute ago: tell again later */
int payment_answered(struct ctx *c, uid order_id, int32_t attempt, when asked_at);

/* The test provider's cards, and amounts that do the same for any card, for parts and for refunds (minor units, any currency):
 *   4242424242424242             pays                          4000000000000044   40200044   never answers; a part or refund: not the first time
 *   4000000000000002   40200002  declines                      4000000000000051   40200051   answers twice
 *                                                              4000000000000069   40200069   answers 5 s after we stopped waiting */
#endif
