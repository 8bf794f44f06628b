/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * ledger.c - what is read of payments: one, a list, the entries of the ledger, and its trial balance.
 *
 * The ledger is double entry with a transfer a row, so what is debited is credited. Lists go by the order's id, which has the time of the buyer's key in it:
 * the primary keys that an order's way needs anyhow are the only indexes they take. */
#include "money.h"
#include "payments_sql.h"

static const char *const payment_state_names[] = { "authorised", "declined", "unanswered", "voided", "open", "captured", "partially_captured",
                                                   "partially_refunded", "refunded", NULL };
static const char *const payment_filter_names[] = { "any", "authorised", "declined", "unanswered", "voided", "open", "captured", "partially_captured",
                                                    "partially_refunded", "refunded", NULL };
static const char *const entry_kind_names[] = { "any", "capture", "refund", NULL };
static const char *const provider_state_names[] = { "unknown", "authorised", "declined", "voided", "captured", "refunded", NULL };

struct payment_ref     { uid order_id; };
struct payment_key     { uid order_id, buyer; };
struct transfer_view   { int32_t no, kind; money amount; when at; uid settlement_id; str reason; };
DECLARE_LIST(transfer_view);
struct payment         { uid order_id, buyer; int32_t attempt, state; money amount; str card_last4; int32_t captures; when created_at, captured_at; money captured, refunded;
                         struct transfer_view_list transfers; int32_t provider_state; };
struct payment_summary { uid id, order_id, buyer; int32_t attempt, state; money amount, captured, refunded; when created_at; };
DECLARE_LIST(payment_summary);
struct payment_filter  { int32_t state; when from, to; uid buyer; PAGE_MEMBERS; };
struct payment_page    { struct payment_summary_list items; PAGE_LINKS; };
struct account_balance { int32_t no; str name, currency; int64_t debit, credit, balance; };
DECLARE_LIST(account_balance);
struct currency_sum    { str currency; int64_t debit, credit, balance; };
DECLARE_LIST(currency_sum);
struct trial_balance   { struct account_balance_list accounts; struct currency_sum_list currencies; int64_t sum; };
struct ledger_entry    { uid id, order_id; int32_t no, attempt, kind; str debit, credit; money amount; when at; uid settlement_id; };
DECLARE_LIST(ledger_entry);
struct entry_filter    { uid order_id; int32_t kind; when from, to; PAGE_MEMBERS; };
struct entry_page      { struct ledger_entry_list items; PAGE_LINKS; };

#define STATES_DOC "authorised; declined; unanswered by the provider; voided; open: to be captured in parts; captured, all or partially; refunded, all or partially."

MESSAGE(payment_ref, "the payment of an order", F(payment_ref, 1, order_id));
MESSAGE(payment_key, "the payment of a buyer's order", F(payment_key, 1, order_id), F(payment_key, 2, buyer, .optional = true));
MESSAGE(transfer_view, "money that moved",
        F(transfer_view, 1, no),
        F(transfer_view, 2, kind, .names = entry_kind_names),
        F(transfer_view, 3, amount),
        F(transfer_view, 4, at),
        F(transfer_view, 5, settlement_id, .optional = true, .doc = "Of a part or a refund; absent: the order's own capture."),
        F(transfer_view, 6, reason, .optional = true));
MESSAGE(payment, "the payment of an order",
        F(payment, 1, order_id),
        F(payment, 2, buyer),
        F(payment, 3, attempt, .doc = "Which attempt of the order this belongs to."),
        F(payment, 4, state, .names = payment_state_names, .doc = STATES_DOC),
        F(payment, 5, amount, .doc = "What was authorised."),
        F(payment, 6, card_last4, .doc = "The last digits of the card; no more of it is kept."),
        F(payment, 7, captures, .doc = "How many captures are booked."),
        F(payment, 8, created_at),
        F(payment, 9, captured_at, .optional = true, .doc = "When the first capture was."),
        F(payment, 10, captured),
        F(payment, 11, refunded),
        F_LIST(payment, 12, transfers, transfer_view, .optional = true, .doc = "The first 1,000."),
        F(payment, 13, provider_state, .names = provider_state_names, .doc = "The furthest that the provider told of by itself; unknown when it did not."));
MESSAGE(payment_summary, "a payment in a list",
        F(payment_summary, 1, id, .internal = true),
        F(payment_summary, 2, order_id),
        F(payment_summary, 3, buyer),
        F(payment_summary, 4, attempt),
        F(payment_summary, 5, state, .names = payment_state_names, .doc = STATES_DOC),
        F(payment_summary, 6, amount),
        F(payment_summary, 7, captured),
        F(payment_summary, 8, refunded),
        F(payment_summary, 9, created_at));
MESSAGE(payment_filter, "which payments",
        F(payment_filter, 1, state, .names = payment_filter_names, .optional = true, .doc = "Those in this state."),
        F(payment_filter, 2, from, .optional = true, .doc = "Asked for at this instant or later."),
        F(payment_filter, 3, to, .optional = true, .doc = "Asked for before this instant."),
        F(payment_filter, 4, buyer, .optional = true, .doc = "Of this buyer: for staff."),
        PAGE_FIELDS(payment_filter, 5));
MESSAGE(payment_page, "payments, a page",
        F_LIST(payment_page, 1, items, payment_summary),
        PAGE_LINK_FIELDS(payment_page, 2));
MESSAGE(account_balance, "an account in one currency, in minor units",
        F(account_balance, 1, no),
        F(account_balance, 2, name),
        F(account_balance, 3, currency),
        F(account_balance, 4, debit),
        F(account_balance, 5, credit),
        F(account_balance, 6, balance));
MESSAGE(currency_sum, "all accounts of one currency, in minor units",
        F(currency_sum, 1, currency),
        F(currency_sum, 2, debit),
        F(currency_sum, 3, credit),
        F(currency_sum, 4, balance, .doc = "Always 0."));
MESSAGE(trial_balance, "the ledger's accounts; the sum of their balances is always zero, in each currency",
        F_LIST(trial_balance, 1, accounts, account_balance),
        F_LIST(trial_balance, 3, currencies, currency_sum, .doc = "Each currency by itself: one cannot make up for another."),
        F(trial_balance, 2, sum, .doc = "Of what is out of balance in each currency, whichever way; always 0."));
MESSAGE(ledger_entry, "a transfer: what one account is debited, the other is credited",
        F(ledger_entry, 1, id, .internal = true),
        F(ledger_entry, 2, order_id),
        F(ledger_entry, 3, no, .doc = "Its number among the order's."),
        F(ledger_entry, 4, attempt),
        F(ledger_entry, 5, kind, .names = entry_kind_names),
        F(ledger_entry, 6, debit, .doc = "The account."),
        F(ledger_entry, 7, credit, .doc = "The account."),
        F(ledger_entry, 8, amount),
        F(ledger_entry, 9, at),
        F(ledger_entry, 10, settlement_id, .optional = true));
MESSAGE(entry_filter, "which entries",
        F(entry_filter, 1, order_id, .optional = true),
        F(entry_filter, 2, kind, .names = entry_kind_names, .optional = true),
        F(entry_filter, 3, from, .optional = true, .doc = "Booked at this instant or later."),
        F(entry_filter, 4, to, .optional = true, .doc = "Booked before this instant."),
        PAGE_FIELDS(entry_filter, 5));
MESSAGE(entry_page, "entries of the ledger, a page",
        F_LIST(entry_page, 1, items, ledger_entry),
        PAGE_LINK_FIELDS(entry_page, 2));

static bool sees_all(const struct ctx *c)               { return caller_has_role(c, ROLE_STAFF | ROLE_ADMIN | ROLE_SERVICE); }

static int payment_get(struct ctx *c, const struct payment_ref *in, struct payment *out)
{
        int r = payment_by_order(db(c), &(struct payment_key){ in->order_id, sees_all(c) ? (uid){ { 0 } } : caller_id(c) }, out);

        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_payment", "there is no payment for this order") : r;
}

const struct paging payments_paging = PAGING(payment_filter, payment_summary,
        { "-order_id", &payments_newest_query, "attempt" },
        { "order_id",  &payments_oldest_query, "attempt" });
static const struct paging own_paging = PAGING(payment_filter, payment_summary,
        { "-order_id", &payments_own_newest_query, "attempt" },
        { "order_id",  &payments_own_oldest_query, "attempt" });

static int payments_list(struct ctx *c, const struct payment_filter *in, struct payment_page *out)
{
        struct payment_filter f = *in;

        if (!sees_all(c) && !uid_is_zero(f.buyer) && !uid_eq(f.buyer, caller_id(c)))
                return fail(c, PERMISSION_DENIED, "forbidden", "only staff sees the payments of others");
        return page_query(c, sees_all(c) ? &payments_paging : &own_paging, &f, &out->items, &out->next, &out->prev);
}

static struct currency_sum *sum_of(struct currency_sum_list *sums, str currency)
{
        for (size_t i = 0; i < sums->n; i++)
                if (str_eq(sums->v[i].currency, currency)) return &sums->v[i];
        sums->v[sums->n] = (struct currency_sum){ .currency = currency };
        return &sums->v[sums->n++];
}

static int balance_read(struct ctx *c, const struct nothing *in, struct trial_balance *out)
{
        TRY(accounts_balance(db(c), in, &out->accounts));
        out->currencies.v = arena_many(c->arena, struct currency_sum, out->accounts.n);
        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the ledger has too many accounts");
        for (size_t i = 0; i < out->accounts.n; i++) {
                const struct account_balance *a = &out->accounts.v[i];
                struct currency_sum *s = sum_of(&out->currencies, a->currency);
                s->debit += a->debit;
                s->credit += a->credit;
                s->balance += a->balance;
        }
        for (size_t i = 0; i < out->currencies.n; i++)
                out->sum += out->currencies.v[i].balance < 0 ? -out->currencies.v[i].balance : out->currencies.v[i].balance;
        return 0;
}

const struct paging entries_paging = PAGING(entry_filter, ledger_entry,
        { "-order_id", &entries_newest_query, "no" },
        { "order_id",  &entries_oldest_query, "no" });

static int entries_list(struct ctx *c, const struct entry_filter *in, struct entry_page *out)
{
        struct entry_filter f = *in;
        return page_query(c, &entries_paging, &f, &out->items, &out->next, &out->prev);
}

/*  operation       takes           gives         */
OP( payment_get,    payment_ref,    payment       );
OP( payments_list,  payment_filter, payment_page  );
OP( balance_read,   nothing,        trial_balance );
OP( entries_list,   entry_filter,   entry_page    );
