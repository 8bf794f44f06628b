/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * payments.h - what payments promises to others: money authorised for an order, captured when it is confirmed.
 *
 * An authorisation belongs to an attempt of an order, as a hold does. order.confirmed captures it, order.rejected voids it; one whose
 * order never came is voided after orders has been asked. order.cancelled voids it or gives back what is left of it, order.returned gives
 * back the sum of the return. The number of a card is never stored: its last four digits are. */
#ifndef PAYMENTS_H
#define PAYMENTS_H
#include "kit.h"

/* card: digits; absent: the test provider's card that always pays. in_parts: order.confirmed captures nothing, staff captures parts of the amount later,
 * which may then be more than the order's total. */
struct charge        { uid order_id, buyer; int32_t attempt; money amount; str card; bool in_parts; };
struct authorisation { uid order_id; int32_t attempt; money amount; str card_last4; };
struct attempt_ref   { uid order_id; int32_t attempt; };
struct payment_note  { uid order_id; int32_t attempt; money amount; uid settlement; };  /* settlement: of a refund or a part; absent: the order's own capture */

extern const struct type charge_type, authorisation_type, attempt_ref_type, payment_note_type;
extern const struct event payment_authorised, payment_captured, payment_declined, payment_refunded;
extern const struct service payments_service;

/* Idempotent for the same attempt, amount and card. payment_declined (402), payment_timed_out (the provider has not answered; it will be voided),
 * attempt_is_over (ABORTED: another charge stands for this attempt, or it was voided). There is no way to void: order.rejected does. */
CONTRACT(payment_authorise, charge, authorisation)
#endif
