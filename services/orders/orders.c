/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * orders.c - takes an order: prices it, holds the stock, has the money authorised, confirms it with an invoice number.
 *
 * Read from the top: messages, the way of an order, tables. What is asked for is judged and priced in draft.c; the batched half that writes (confirm,
 * abandon, look up) is book.c; read.c reads, after.c cancels and takes back, invoice.c makes invoices and credit notes.
 * The id of an order is made from (buyer, Idempotency-Key), so every retry, by anyone, at any replica and after any crash, names the same order, the
 * same hold and the same payment. A refusal is not stored; what it held is given up under the order's tombstone, which also
 * stops any slow twin of this attempt. */
#include "after.h"
#include "app.h"
#include "breaks.h"
#include "cart.h"
#include "draft.h"
#include "inventory/inventory.h"
#include "identity/identity.h"
#include "orders_sql.h"
#include "payments/payments.h"
#include "read.h"

/* ---- messages ------------------------------------------------------------------------------------------------------- */

const char *const order_state_names[] = { "confirmed", "rejected", "expired", "cancelled", "returned", "partly_returned", NULL };

MESSAGE(order_ref, "an order",
        F(order_ref, 1, id, .doc = "The order."));
MESSAGE(order_line, "one line of an order, as it was quoted",
        F(order_line, 1, product_id),
        F(order_line, 2, name),
        F(order_line, 3, quantity),
        F(order_line, 4, price, .doc = "Of one, VAT included."),
        F(order_line, 5, total),
        F(order_line, 6, vat_bp, .doc = "The VAT rate in hundredths of a percent: 1900 is 19 %."),
        F(order_line, 7, credited, .optional = true, .doc = "How many of them were cancelled or came back."));
MESSAGE(order_change, "one change of state",
        F(order_change, 1, state, .names = order_state_names),
        F(order_change, 2, at),
        F(order_change, 3, note, .optional = true),
        F(order_change, 4, credit_note_number, .optional = true));
MESSAGE(order, "an order",
        F(order, 1, id),
        F(order, 2, buyer),
        F(order, 3, state, .names = order_state_names),
        F(order, 4, invoice_number, .doc = "Gap-free in its series and year.", .example = "\"SK-2026-00000042\""),
        F(order, 5, total),
        F(order, 6, placed_at),
        F_LIST(order, 7, items, order_line),
        F_LIST(order, 8, history, order_change),
        F(order, 9, note, .optional = true, .doc = "The buyer's words to the seller."),
        F_MSG(order, 10, ship_to, postal_address, .optional = true, .doc = "Where it goes, as it was said then."));
MESSAGE(order_confirmation, "an order stands",
        F(order_confirmation, 1, id),
        F(order_confirmation, 2, buyer),
        F(order_confirmation, 3, attempt),
        F(order_confirmation, 4, invoice_number),
        F(order_confirmation, 5, total),
        F(order_confirmation, 6, placed_at),
        F_LIST(order_confirmation, 7, items, order_line));
MESSAGE(order_rejection, "an attempt of an order was given up",
        F(order_rejection, 1, id),
        F(order_rejection, 2, attempt),
        F(order_rejection, 3, reason));
MESSAGE(order_cancellation, "an order was cancelled",
        F(order_cancellation, 1, id),
        F(order_cancellation, 2, buyer),
        F(order_cancellation, 3, attempt),
        F(order_cancellation, 4, reason),
        F(order_cancellation, 5, total),
        F(order_cancellation, 6, cancelled_at),
        F_LIST(order_cancellation, 7, items, item));
MESSAGE(order_return_note, "items of an order came back",
        F(order_return_note, 1, id),
        F(order_return_note, 2, return_id),
        F(order_return_note, 3, buyer),
        F(order_return_note, 4, attempt),
        F(order_return_note, 5, credit_note_number),
        F(order_return_note, 6, total),
        F(order_return_note, 7, restock),
        F(order_return_note, 8, returned_at),
        F_LIST(order_return_note, 9, items, item));
const struct event order_confirmed = { "order.confirmed", &order_confirmation_type, "id", "An order stands: commit its hold, capture its payment." };
const struct event order_rejected  = { "order.rejected",  &order_rejection_type,    "id", "An attempt was given up: release its hold, void its payment." };
const struct event order_cancelled = { "order.cancelled", &order_cancellation_type, "id", "A confirmed order was cancelled: take its stock back, refund what was paid." };
const struct event order_returned  = { "order.returned",  &order_return_note_type,  "id", "Items of a confirmed order came back: restock them when said so, refund their total." };

/* ---- the way of an order -------------------------------------------------------------------------------------------- */

/* Names the order: the key's own time when it is a UUIDv7 (its row then lies at the right edge of every index), the rest a hash. */
static uid order_id_of(uid buyer, str key)
{
        struct digest d = sha256_parts((const str[]){ STR("souk order"), uid_key(&buyer), key }, 3);
        uid k, id;

        memcpy(id.b, d.b, sizeof id.b);
        if (uid_parse(key, &k) == 0 && k.b[6] >> 4 == 7) {
                memcpy(id.b, k.b, 6);
                id.b[6] = 0x70 | (id.b[6] & 0x0f);
        } else {
                id.b[6] = 0x80 | (id.b[6] & 0x0f);
        }
        id.b[8] = 0x80 | (id.b[8] & 0x3f);
        if (broken(BREAK_KEY_IGNORED)) random_bytes(id.b + 9, 7);
        return id;
}

static int key_reused(struct ctx *c)
{
        return fail_about(c, "Idempotency-Key",
                          fail_http(c, 422, INVALID_ARGUMENT, "idempotency_key_reused", "this Idempotency-Key was used for another order"));
}

/* The order is there already: the same request gets the first answer, another one a refusal. */
static int order_again(struct ctx *c, const struct confirm *a, const struct order_seen *seen, struct order *out)
{
        fault_clear(c);                                         /* of a refusal that is not true after all */
        if (seen->fingerprint != a->fingerprint)
                return key_reused(c);
        c->replayed = true;
        TRY(order_load(c, &(struct order_key){ a->id, a->buyer, true }, out));
        out->total.minor += broken(BREAK_ANSWER_DIFFERS);
        return 0;
}

/* Before a refusal that held nothing is told: a twin of this request may have been confirmed meanwhile, and its answer is the true one. */
static int order_refuse(struct ctx *c, const struct confirm *a, int refusal, struct order *out)
{
        struct ctx look = *c;
        struct order_seen seen = { 0 };

        if (order_find_call(&look, &(struct order_ref){ a->id }, &seen) == 0 && seen.attempt && seen.state == ORDER_CONFIRMED)
                return order_again(c, a, &seen, out);
        return refusal;
}

struct last_word { struct abandonment said; struct fate fate; };

static int give_up(struct ctx *c, void *arg)
{
        struct last_word *l = arg;

        return order_abandon_call(c, &l->said, &l->fate);
}

/* Gives this attempt up under the order's tombstone; order.rejected then releases the hold and voids the payment. If that cannot be done
 * now, both run out and their sweepers ask for the same. On a fiber of its own: this one may be cancelled already, because the buyer's time is up
 * or the program is told to stop, and what it holds should not wait for a sweeper. */
static int order_give_up(struct ctx *c, const struct confirm *a, int refusal, struct order *out)
{
        struct ctx late = *c;
        struct last_word last = { .said = { a->id, a->attempt, str_of(c->fault.slug ? c->fault.slug : "failed") } };

        late.deadline_us = deadline_in(SECONDS(5));             /* the buyer's own may have passed */
        GROUP(g, &late);
        if (group_go(g, give_up, &last) == 0 && group_finish(g) == 0 && last.fate.state == ORDER_CONFIRMED)
                return order_refuse(c, a, refusal, out);
        return refusal;
}

enum { ATTEMPTS_MAX = 100 };            /* an order keeps the story of each */

static int order_judge_seen(struct ctx *c, struct confirm *a, const struct order_seen *seen)
{
        if (seen->attempt >= ATTEMPTS_MAX)
                return fail_about(c, "Idempotency-Key",
                                  fail(c, FAILED_PRECONDITION, "attempts_spent", "this order was refused %d times; order anew with a new Idempotency-Key", ATTEMPTS_MAX));
        if (seen->state == ORDER_EXPIRED)
                return fail_about(c, "Idempotency-Key",
                                  fail(c, FAILED_PRECONDITION, "order_expired", "this order ran out before it was confirmed; order anew with a new Idempotency-Key"));
        a->attempt = seen->attempt + 1;
        return 0;
}

static void order_answer(const struct confirm *a, const struct confirmed *done, struct order *out, struct order_change *first)
{
        *first = (struct order_change){ ORDER_CONFIRMED, done->placed_at, { 0 }, { 0 } };
        *out = (struct order){ .id = a->id, .buyer = a->buyer, .state = ORDER_CONFIRMED, .invoice_number = done->invoice_number, .total = a->total,
                               .placed_at = done->placed_at, .items = a->lines, .history = { first, 1 }, .note = a->note, .ship_to = a->ship_to };
}

/* May the stock be held although the answer is a failure? It is when the cart holds other items now than at an earlier try of this attempt. */
static bool is_in_doubt(const struct ctx *c, int code)
{
        return code == -UNAVAILABLE || code == -DEADLINE_EXCEEDED || code == -CANCELLED || (code == -ABORTED && !strcmp(c->fault.slug, "cart_changed"));
}

/* Of an order that has a product on several lines: what is short is named where it stands first. */
static void flaws_point(struct ctx *c, const struct holding *h)
{
        for (struct flaw *f = h->at ? c->fault.flaws : NULL; f; f = f->next) {
                str rest = f->pointer;
                int64_t i;
                for (int k = 0; k < 2; k++) (void)str_split(&rest, '/');        /* "", "items" */
                if (int_parse(str_split(&rest, '/'), &i) == 0 && i >= 0 && (size_t)i < h->items.n)
                        f->pointer = arena_printf(c->arena, "/items/%zu/" STR_FMT, h->at[i], STR_ARG(rest));
        }
}

static int order_hold(struct ctx *c, const struct confirm *a, const struct holding *h)
{
        int r = inventory_hold_call(c, &(struct hold_request){ a->id, a->attempt, h->items, a->ship_to.country }, &(struct hold){ 0 });

        if (r < 0) flaws_point(c, h);
        if (r != -FAILED_PRECONDITION || strcmp(c->fault.slug, "hold_differs") != 0)
                return r;
        return uid_is_zero(a->cart_id) ? key_reused(c) : fail(c, ABORTED, "cart_changed", "the cart changed after this order was tried; send the request again");
}

/* A cart's items are not the client's words: what is wrong with one is not a bad request. */
static int lines_refused(struct ctx *c, const struct confirm *a, int r)
{
        if (r != -INVALID_ARGUMENT || uid_is_zero(a->cart_id))
                return r;
        c->fault.code = FAILED_PRECONDITION;
        c->fault.slug = "cart_not_orderable";
        c->fault.message = STR("some of the cart cannot be ordered any more, or not with the rest; errors names it by its place in the cart");
        return -FAILED_PRECONDITION;
}

/* One attempt: ask the others first, write last; no call is made while a transaction is open. */
static int order_attempt(struct ctx *c, const struct order_draft *in, struct confirm *a, struct order *out)
{
        struct draft_item_list items = in->items;
        struct order_seen seen = { 0 };
        struct holding holding;
        struct confirmed done = { 0 };
        int r;

        TRY(order_find_call(c, &(struct order_ref){ a->id }, &seen));
        if (seen.attempt && seen.state == ORDER_CONFIRMED)
                return order_again(c, a, &seen, out);
        if (seen.attempt)
                TRY(order_judge_seen(c, a, &seen));

        if (!uid_is_zero(in->cart_id))
                TRY(cart_items_for_order(c, &a->cart_id, in->cart_secret, &items));
        TRY(draft_holding(c, &items, &holding));
        TRY(draft_ship_to(c, in, a->buyer, &a->ship_to));
        r = draft_lines(c, &items, &holding, &a->lines, &a->total);
        if (r < 0)
                return lines_refused(c, a, r);

        r = broken(BREAK_NO_HOLD) ? 0 : order_hold(c, a, &holding);
        if (r < 0)
                return is_in_doubt(c, r) ? order_give_up(c, a, r, out) : order_refuse(c, a, r, out);
        r = payment_authorise_call(c, &(struct charge){ a->id, a->buyer, a->attempt, a->total, in->payment.card, in->payment.in_parts }, &(struct authorisation){ 0 });
        if (r < 0)
                return order_give_up(c, a, r, out);
        r = order_confirm_call(c, a, &done);
        if (r < 0)
                return order_give_up(c, a, r, out);
        if (done.was_there)
                return fail(c, ABORTED, "try_again", "a twin of this request was faster; send this one again");
        if (a->attempt > 1)
                return order_load(c, &(struct order_key){ a->id, a->buyer, true }, out);        /* it has a history */
        order_answer(a, &done, out, arena_one(c->arena, struct order_change));
        return 0;
}

enum { TRIES = 3 };

/* What is ABORTED met a twin, a sweeper or what a crash had left behind: that attempt is over, and the next one may go. */
static int order_place(struct ctx *c, const struct order_draft *in, struct order *out)
{
        struct confirm a = { .id = order_id_of(caller_id(c), c->idempotency_key), .buyer = uid_is_zero(in->buyer) ? caller_id(c) : in->buyer, .attempt = 1,
                             .fingerprint = draft_fingerprint(c, in), .placed_at = in->placed_at, .note = in->note,
                             .cart_id = in->cart_id };
        int r = -ABORTED;

        TRY(order_draft_check(c, in));
        for (int tries = 0; r == -ABORTED && tries < TRIES; tries++) {
                fault_clear(c);
                r = order_attempt(c, in, &a, out);
        }
        return r;
}

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

static int start(struct ctx *c, void *state)
{
        struct orders_state *s = state;
        s->buyers = cache_open("buyers", &user_type, 20000, MINUTES(1));
        s->fingerprints = app_secret(c, "order fingerprints");
        return seller_note(c);
}

static void stop(struct ctx *c, void *state)
{
        (void)c;
        cache_close(&((struct orders_state *)state)->buyers);
}

static const struct setting orders_settings[] = {
        { "orders.seller-name", SET_STR, "Souk Marketplace", 0, 200, false, "Who sells, on invoices." },
        { "orders.seller-vat-id", SET_STR, "DE000000000", 0, 20, false, "The seller's VAT identifier, on invoices." },
        { "orders.seller-street", SET_STR, "1 Market Square", 0, 200, false, "The seller's street and house, on invoices." },
        { "orders.seller-postal-code", SET_STR, "10115", 0, 20, false, "The seller's postal code, on invoices." },
        { "orders.seller-city", SET_STR, "Berlin", 0, 100, false, "The seller's city, on invoices." },
        { "orders.seller-country", SET_STR, "DE", 2, 2, false, "The seller's country, on invoices: ISO 3166-1, two letters." },
        { "orders.guest-cart-age", SET_MS, "720h", MINUTES(1), HOURS(24) * 3650LL, false, "After how long a guest's cart that nobody touches is forgotten." },
        { 0 },
};

/*  operation    takes        gives */
OP( order_place, order_draft, order );

#define REFUSES(...) .slugs = (const char *const[]){ __VA_ARGS__, NULL }

const struct service orders_service = {
        .name = "orders",
        .doc  = "Takes orders, numbers their invoices, and alone decides whether an order stands.",
        .has_db = true,
        ROUTES(
                POST("/v1/orders", order_place, .who = USER, .scope = "orders:write", .keyed = true, .status = 201, .location = "/v1/orders/{id}",
                     .doc = "Places an order: all of it or nothing.",
                     REFUSES("out_of_stock", "payment_declined", "payment_timed_out", "no_such_product", "order_expired", "idempotency_key_reused", "import_only",
                             "cart_empty", "cart_not_orderable")),
                GET( "/v1/orders", orders_list, .who = USER, .scope = "orders:read", .page = &orders_paging,
                     .doc = "Own orders, by time; for staff with orders:manage a buyer's, or everybody's: by number, and by time when days are named.", REFUSES("staff_only")),
                GET( "/v1/orders/{id}", order_get, .who = USER, .scope = "orders:read", .doc = "An order: one's own, or anybody's for staff.",
                     REFUSES("no_such_order")),
                POST("/v1/orders/{id}/cancel", order_cancel, .who = USER, .scope = "orders:write",
                     .doc = "Cancels an order, all of it: stock goes back, money too, and a credit note is issued. Again: the same answer.",
                     REFUSES("no_such_order", "already_returned")),
                POST("/v1/orders/{id}/returns", order_return, .who = USER, .scope = "orders:write", .idempotent = true, .status = 201,
                     .location = "/v1/credit-notes/{number}", .doc = "Some of an order came back: its money goes back, and a credit note is issued.",
                     REFUSES("no_such_order", "more_than_left", "order_cancelled", "staff_only", "import_only")),
                GET( "/v1/orders/{id}/notes", order_notes_list, .who = STAFF, .scope = "orders:manage", .doc = "What staff noted about an order.", REFUSES("no_such_order")),
                POST("/v1/orders/{id}/notes", order_note_add, .who = STAFF, .scope = "orders:manage", .idempotent = true, .status = 201,
                     .doc = "Notes something about an order, for staff only.", REFUSES("no_such_order", "too_many_notes")),
                GET( "/v1/orders/{id}/invoice", invoice_get, .who = USER, .scope = "orders:read", .doc = "The invoice of an order.", REFUSES("no_such_order")),
                GET( "/v1/cart", cart_get, .who = USER, .scope = "orders:read", .doc = "One's cart, priced anew.", REFUSES("try_again")),
                DELETE("/v1/cart", cart_clear, .who = USER, .scope = "orders:write", .doc = "Empties one's cart."),
                PUT( "/v1/cart/items/{product_id}", cart_put, .who = USER, .scope = "orders:write", .doc = "Puts a product into one's cart, so many of it.",
                     REFUSES("no_such_product", "cart_full")),
                DELETE("/v1/cart/items/{product_id}", cart_remove, .who = USER, .scope = "orders:write", .doc = "Takes a product out of one's cart; what is left."),
                POST("/v1/cart/merge", cart_merge, .who = USER, .scope = "orders:write",
                     .doc = "Adds what is in a guest's cart to one's own, 999 of a product at most; the guest's is over. Again: the same answer.",
                     REFUSES("no_such_cart", "cart_full")),
                POST("/v1/carts", guest_cart_open, .who = ANYONE, .status = 201, .location = "/v1/carts/{id}",
                     .doc = "A cart for a guest. Nothing is kept of it until there is something in it."),
                GET( "/v1/carts/{id}", guest_cart_get, .who = ANYONE, .doc = "A guest's cart, priced anew.", REFUSES("no_such_cart")),
                DELETE("/v1/carts/{id}", guest_cart_clear, .who = ANYONE, .doc = "Empties a guest's cart.", REFUSES("no_such_cart")),
                PUT( "/v1/carts/{id}/items/{product_id}", guest_cart_put, .who = ANYONE, .doc = "Puts a product into a guest's cart, so many of it.",
                     REFUSES("no_such_cart", "no_such_product", "cart_full")),
                DELETE("/v1/carts/{id}/items/{product_id}", guest_cart_remove, .who = ANYONE, .doc = "Takes a product out of a guest's cart; what is left.",
                     REFUSES("no_such_cart")),
                GET( "/v1/invoices", invoices_list, .who = STAFF, .scope = "orders:read", .page = &invoices_paging, .doc = "All invoices of a year, by number."),
                GET( "/v1/invoices/{number}", invoice_by_number, .who = USER, .scope = "orders:read", .doc = "An invoice by its number.", REFUSES("no_such_invoice")),
                GET( "/v1/credit-notes", credit_notes_list, .who = STAFF, .scope = "orders:read", .page = &credit_notes_paging,
                     .doc = "All credit notes of a year, by number."),
                GET( "/v1/credit-notes/{number}", credit_note_get, .who = USER, .scope = "orders:read", .doc = "A credit note by its number.",
                     REFUSES("no_such_invoice"))),
        CALLS(&order_abandon_op, &order_find_op, &order_confirm_op),
        CONSUMES(
                ON(user_registered, buyer_came),
                ON(user_changed,    buyer_changed),
                ON(user_deleted,    buyer_left)),
        JOBS(EVERY(MINUTES(10), "expire-carts", carts_expire)),
        EMITS(&order_confirmed, &order_rejected, &order_cancelled, &order_returned),
        SLUGS({ "no_such_order",          404, "There is no such order, or it is not yours." },
              { "order_expired",          409, "The order's hold ran out before it was confirmed; this key can never be confirmed. Order anew with a new key." },
              { "idempotency_key_reused", 422, "The Idempotency-Key was used with another request." },
              { "attempts_spent",         409, "The order was refused a hundred times under this key. Order anew with a new key." },
              { "order_rejected",         409, "This attempt was given up meanwhile; sending the request again starts a new one." },
              { "import_only",            403, "A member that only an import may have; errors names each. It takes a member of staff and the scope orders:import." },
              { "already_returned",       409, "Some of the order came back already, so it cannot be cancelled as a whole. Return the rest." },
              { "order_cancelled",        409, "The order was cancelled: all of it was credited." },
              { "more_than_left",         409, "More came back than was sold, or than has not come back yet; errors names each item." },
              { "staff_only",             403, "A member that only staff with the scope orders:manage may have; errors names it." },
              { "too_many_notes",         409, "An order has at most 200 notes of staff." },
              { "no_such_invoice",        404, "There is no invoice or credit note with that number, or it is not yours." },
              { "no_such_cart",           404, "There is no such cart, it is not yours, or that is not its secret (400 when it is named in a body)." },
              { "cart_full",              409, "A cart has at most 100 products." },
              { "cart_empty",             409, "There is nothing in the cart to be ordered." },
              { "cart_not_orderable",     409, "A product in the cart is gone, or is not sold in the currency of the rest; take it out." },
              { "cart_changed",           409, "The cart changed after this order was tried under its key; sending it again orders what is in it now." },
              { "try_again",              409, "A twin of this request was faster; sending it again gets its answer." }),
        .scopes      = "orders:import",
        .migrations  = orders_migrations,
        .queries     = orders_queries,
        .settings    = orders_settings,
        .state_bytes = sizeof(struct orders_state),
        .start       = start,
        .stop        = stop,
};
