/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * book.h - the written half of orders: look up, confirm and abandon, each for many callers in one transaction; and numbers. Private. */
#ifndef BOOK_H
#define BOOK_H
#include "hash.h"
#include "catalog/catalog.h"
#include "orders/orders.h"

struct order_seen { uid id, buyer; int32_t state, attempt; int64_t fingerprint; };     /* attempt 0: never seen */
/* state: confirmed also when it was cancelled or came back since; then look at the order itself */
struct confirm    { uid id, buyer; int32_t attempt; int64_t fingerprint; money total; struct order_line_list lines;
                    when placed_at; str note; struct postal_address ship_to; uid cart_id; };    /* placed_at absent: now; cart_id: what they leave */
struct confirmed  { bool was_there; str invoice_number; when placed_at; };              /* was_there: a twin confirmed it first */

extern const char *const order_state_names[];
extern const struct type order_seen_type, confirm_type, confirmed_type;
CONTRACT(order_find,    order_ref, order_seen)          /* attempt 0 when never seen. Batched */
CONTRACT(order_confirm, confirm,   confirmed)           /* order_expired, order_rejected. Batched */

struct orders_state { struct cache *buyers; struct digest fingerprints; };       /* of a worker: whom identity knows; the key of draft_fingerprint() */

/* Staff act on others' orders, or import some, with a scope of their own: the role alone is not enough, nor is the scope in a customer's token. */
static inline bool staff_may(const struct ctx *c, const char *scope)
{
        return caller_has_role(c, ROLE_STAFF | ROLE_ADMIN | ROLE_SERVICE) && caller_has_scope(c, scope);
}

/* Numbers of a series and year are taken from the counter's row, locked to the commit: last_no is the last that was taken. */
#define INVOICE_SERIES "SK"
#define CREDIT_SERIES  "CN"
struct number_block { str series; int32_t year; int64_t taken, last_no; };
DECLARE_LIST(number_block);
struct number_blocks { struct number_block_list blocks; };
extern const struct type number_block_type, number_blocks_type;
int number_take(struct db *tx, str series, int32_t year, struct number_block *out) MUST_USE;       /* one */
str invoice_number(struct ctx *c, str series, int32_t year, int64_t no);        /* "SK-2026-00000042", in c's arena */
#endif
