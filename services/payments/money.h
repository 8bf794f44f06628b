/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * money.h - the words the files of payments share: states, kinds, the money of an order, settlements. Private.
 *
 *     authorise.c   asks the provider while an order is placed, writes intents
 *     capture.c     order.confirmed captures, order.rejected voids; what nobody captured is asked about
 *     settle.c      parts, refunds, cancellations, returns: written down as settlements first, then asked of the provider, then booked
 *     ledger.c      what is read: payments, entries, the trial balance
 *     webhook.c     what the provider tells of its own accord
 *     reconcile.c   answers that never came */
#ifndef MONEY_H
#define MONEY_H
#include "payments/payments.h"
#include "orders/orders.h"
#include "provider.h"

enum intent_state     { AUTHORISED, DECLINED, UNANSWERED, VOIDED, OPEN };        /* open: its order stands, and it is captured in parts */
enum transfer_kind    { CLOSED, CAPTURE, REFUND };                              /* see 0002_settlements.sql */
enum settlement_kind  { SETTLES_CAPTURE = CAPTURE, SETTLES_REFUND = REFUND, SETTLES_VOID };
enum settlement_state { PENDING, SUCCEEDED, FAILED };
enum cause            { BY_STAFF, BY_CANCELLATION, BY_RETURN };

DECLARE_LIST(attempt_ref);
struct settlement     { uid id, order_id; int32_t attempt, kind; money amount; int32_t state, cause; str reason; int64_t fingerprint; when asked_at, settled_at; };
DECLARE_LIST(settlement);
struct attempt_state  { int32_t state; };
struct sweep          { when upto; };
struct sweep_row      { uid order_id; int32_t attempt; when created_at; };
DECLARE_LIST(sweep_row);
struct settlement_ref { uid id, order_id; };
struct uids           { struct uid_list ids; };
DECLARE_LIST(settlement_ref);
struct money_ask      { uid order_id; money amount; str reason; };              /* amount absent: all that is left */
struct settlement_view { uid id, order_id; int32_t kind; money amount; int32_t state, cause; str reason; when asked_at, settled_at; };
/* What an order's money is now: of the attempt that was captured, else of the one that may be. */
struct order_money    { uid order_id, buyer; int32_t attempt, state; int64_t amount; str cur; int32_t last_no; int64_t captures, captured, refunded, capturing, refunding; };
DECLARE_LIST(order_money);
DECLARE_LIST(order_ref);
struct money_keys     { struct order_ref_list orders; };
struct void_batch     { struct attempt_ref_list rows; };
struct capture_row    { uid order_id; int32_t attempt; int64_t amount; str cur; };
DECLARE_LIST(capture_row);
struct capture_batch  { when at; struct capture_row_list rows; };

/* What the provider tells; of the states of an attempt the later word outranks the earlier one. */
enum webhook_kind { SAYS_NOTHING, SAYS_AUTHORISED, SAYS_DECLINED, SAYS_VOIDED, SAYS_CAPTURED, SAYS_REFUNDED, SAYS_SETTLED, SAYS_REFUSED };
struct webhook         { str id; int32_t type; uid order_id; int32_t attempt; uid settlement_id; when created_at; };
struct webhook_receipt { str id; bool repeated; };

extern const struct type webhook_type, webhook_receipt_type, money_ask_type, settlement_view_type, attempt_ref_type, attempt_state_type, sweep_type,
        sweep_row_type, uids_type, settlement_type, settlement_ref_type, order_money_type, money_keys_type, void_batch_type, capture_row_type, capture_batch_type;
extern const char *const settlement_kind_names[], *const settlement_state_names[], *const cause_names[];
extern const struct provider *const provider;
extern const struct event payment_settle_asked;

/* Locks an order's money (its intents) in a transaction, in the order of ids, and says what it is. Waits. */
int  money_lock(struct db *tx, const struct money_keys *k, struct order_money_list *out);
const struct order_money *money_of(const struct order_money_list *l, uid order_id);         /* NULL: no payment */

/* Asks orders about money that nobody has captured: given up, the order.rejected that the question brings voids it. Waits. */
int  attempt_ask(struct ctx *c, uid order_id, int32_t attempt, const char *reason);
/* The provider declined what it had not answered: nothing when the attempt has an end already. Waits. */
int  attempt_declined(struct ctx *c, uid order_id, int32_t attempt);
/* Asks the provider for settlements that are pending and books what it says. One that it does not answer stays pending. Waits.
 *   returns  0, -DEADLINE_EXCEEDED when one has no answer yet, or what a statement said */
int  settle_all(struct ctx *c, const struct settlement_list *l);
/* The provider's word on settlements, whoever asked: booked once. Waits. */
int  settle_as_told(struct ctx *c, const struct settlement_list *told);

extern const struct op payment_authorise_op, intent_record_op;                                                          /* authorise.c */
extern const struct op payment_capture_op, payment_undo_op, authorisations_sweep_op;                                    /* capture.c */
CONTRACT(part_capture, money_ask, settlement_view)                                                                      /* settle.c */
CONTRACT(refund_make,  money_ask, settlement_view)
extern const struct op payment_cancelled_op, payment_returned_op, payment_settle_op, settlement_get_op;
extern const struct op payment_get_op, payments_list_op, balance_read_op, entries_list_op;                              /* ledger.c */
extern const struct paging payments_paging, entries_paging;
CONTRACT(webhook, webhook, webhook_receipt)                                                                              /* webhook.c */
void webhook_receive(struct ctx *c, struct exchange *x);
int  webhooks_apply(struct ctx *c);                     /* those that wait. Waits. */
extern const struct op reconcile_op;                                                                                     /* reconcile.c */
#endif
