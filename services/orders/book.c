/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * book.c - the order book: looked up, confirmed and abandoned in batches, each one transaction.
 *
 *      (never seen) --confirm--> confirmed
 *           |                        ^
 *        abandon                 confirm of a later attempt
 *           v                        |
 *        rejected -------------------'          rejected --abandon "expired"--> expired (for good)
 *
 * What becomes of a confirmed order later (after.c) is nothing to this file: it stays confirmed here.
 * Numbers are taken from the counter's row, locked to the commit, for exactly the orders that the same transaction writes: none is missing, none
 * is used twice. An order's row is its only lock: who would write it looks first when there may be one, and otherwise meets the primary key. */
#include <stdlib.h>
#include "book.h"
#include "breaks.h"
#include "orders_sql.h"

/* ---- messages and rows of statements -------------------------------------------------------------------------------- */

DECLARE_LIST(order_ref);
DECLARE_LIST(order_seen);
struct order_keys    { struct order_ref_list keys; };
struct confirm_row   { uid id, buyer; int32_t attempt; int64_t fingerprint, total; str cur; int64_t invoice_no; when placed_at; int32_t year;
                       str note; struct postal_address ship_to; };
struct line_row      { uid order_id; int32_t line; uid product_id; int32_t quantity; int64_t price; int32_t vat_bp; str name; };
DECLARE_LIST(confirm_row);
DECLARE_LIST(line_row);
struct bought        { uid cart_id, product_id; int32_t quantity; };
DECLARE_LIST(bought);
struct confirm_batch { str series; struct confirm_row_list rows, revived; struct line_row_list lines; struct bought_list bought; };
struct tombstone     { uid id; int32_t state, attempt; str reason; };
DECLARE_LIST(tombstone);
struct abandon_batch { when at; struct tombstone_list rows; };

MESSAGE(order_keys, "orders to look up",
        F_LIST(order_keys, 1, keys, order_ref));
MESSAGE(order_seen, "what the book says of an order",
        F(order_seen, 1, id),
        F(order_seen, 2, buyer),
        F(order_seen, 3, state),
        F(order_seen, 4, attempt),
        F(order_seen, 5, fingerprint));
MESSAGE(confirm, "an order to be confirmed",
        F(confirm, 1, id),
        F(confirm, 2, buyer),
        F(confirm, 3, attempt),
        F(confirm, 4, fingerprint),
        F(confirm, 5, total),
        F_LIST(confirm, 6, lines, order_line),
        F(confirm, 7, placed_at, .optional = true),
        F(confirm, 8, note, .optional = true),
        F_MSG(confirm, 9, ship_to, postal_address, .optional = true),
        F(confirm, 10, cart_id, .optional = true));
MESSAGE(confirmed, "what became of it",
        F(confirmed, 1, was_there),
        F(confirmed, 2, invoice_number),
        F(confirmed, 3, placed_at));
MESSAGE(number_block, "numbers taken of a series and year",
        F(number_block, 1, series),
        F(number_block, 2, year),
        F(number_block, 3, taken, .optional = true),
        F(number_block, 4, last_no));
MESSAGE(number_blocks, "numbers taken for a transaction",
        F_LIST(number_blocks, 1, blocks, number_block));
MESSAGE(confirm_row, "a row of orders",
        F(confirm_row, 1, id),
        F(confirm_row, 2, buyer),
        F(confirm_row, 3, attempt),
        F(confirm_row, 4, fingerprint),
        F(confirm_row, 5, total),
        F(confirm_row, 6, cur),
        F(confirm_row, 7, invoice_no),
        F(confirm_row, 8, placed_at),
        F(confirm_row, 9, year),
        F(confirm_row, 10, note, .optional = true),
        F_MSG(confirm_row, 11, ship_to, postal_address, .optional = true));
MESSAGE(line_row, "a row of order_item",
        F(line_row, 1, order_id),
        F(line_row, 2, line),
        F(line_row, 3, product_id),
        F(line_row, 4, quantity),
        F(line_row, 5, price),
        F(line_row, 6, vat_bp),
        F(line_row, 7, name));
MESSAGE(bought, "what leaves a cart",
        F(bought, 1, cart_id),
        F(bought, 2, product_id),
        F(bought, 3, quantity));
MESSAGE(confirm_batch, "a batch of confirmations",
        F(confirm_batch, 1, series),
        F_LIST(confirm_batch, 2, rows, confirm_row),
        F_LIST(confirm_batch, 3, revived, confirm_row),
        F_LIST(confirm_batch, 4, lines, line_row),
        F_LIST(confirm_batch, 5, bought, bought));
MESSAGE(tombstone, "an attempt to be given up",
        F(tombstone, 1, id),
        F(tombstone, 2, state),
        F(tombstone, 3, attempt),
        F(tombstone, 4, reason));
MESSAGE(abandon_batch, "a batch of tombstones",
        F(abandon_batch, 1, at),
        F_LIST(abandon_batch, 2, rows, tombstone));
MESSAGE(abandonment, "an attempt that somebody asks to be given up",
        F(abandonment, 1, id),
        F(abandonment, 2, attempt),
        F(abandonment, 3, reason));
MESSAGE(fate, "what orders has decided",
        F(fate, 1, state, .names = order_state_names),
        F(fate, 2, attempt));

/* ---- look up -------------------------------------------------------------------------------------------------------- */

static int seen_cmp(const void *a, const void *b)
{
        return uid_cmp(((const struct order_seen *)a)->id, ((const struct order_seen *)b)->id);
}

static void seen_sort(struct order_seen_list *l)
{
        if (l->n) qsort(l->v, l->n, sizeof *l->v, seen_cmp);
}

static const struct order_seen *seen_of(const struct order_seen_list *l, uid id)
{
        struct order_seen key = { .id = id };
        return l->n ? bsearch(&key, l->v, l->n, sizeof key, seen_cmp) : NULL;
}

static int too_large(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
}

BATCHED(order_find, order_ref, order_seen);

static int order_find(struct ctx *c, struct batch *b)
{
        struct order_keys keys = { { arena_many(c->arena, struct order_ref, b->n), b->n } };
        struct order_seen_list found;

        if (!keys.keys.v)
                return too_large(c);
        for (size_t i = 0; i < b->n; i++)
                keys.keys.v[i] = *order_find_in(&b->v[i]);
        TRY(orders_seen(db(c), &keys, &found));
        seen_sort(&found);
        EACH_CALL(v, b) {
                const struct order_seen *seen = seen_of(&found, order_find_in(v)->id);
                if (seen) *order_find_out(v) = *seen;
        }
        return 0;
}

/* ---- confirm -------------------------------------------------------------------------------------------------------- */

BATCHED(order_confirm, confirm, confirmed);

/* One call against what the book already says of its order. Decides into v->verdict and *out; returns whether a row is to be written. */
static bool confirm_may_write(struct call *v, const struct order_seen *seen)
{
        const struct confirm *in = order_confirm_in(v);

        if (!seen)
                return true;
        if (seen->state == ORDER_CONFIRMED) {
                order_confirm_out(v)->was_there = true;
                return false;
        }
        if (seen->state == ORDER_EXPIRED)
                v->verdict = fail(v->c, FAILED_PRECONDITION, "order_expired", "this order ran out before it was confirmed; order anew with a new Idempotency-Key");
        else if (seen->attempt >= in->attempt)
                v->verdict = fail(v->c, ABORTED, "order_rejected", "this attempt was given up; send the request again");
        return v->verdict == 0;
}

static void row_add(struct confirm_row_list *l, const struct confirm *in, when now)
{
        when at = in->placed_at.us ? in->placed_at : now;
        l->v[l->n++] = (struct confirm_row){ in->id, in->buyer, in->attempt, in->fingerprint, in->total.minor, str_of(in->total.cur), 0, at, when_year(at),
                                             in->note, in->ship_to };
}

static void lines_add(struct line_row_list *l, const struct confirm *in)
{
        for (size_t i = 0; i < in->lines.n; i++) {
                const struct order_line *o = &in->lines.v[i];
                l->v[l->n++] = (struct line_row){ in->id, (int32_t)i + 1, o->product_id, o->quantity, o->price.minor, o->vat_bp, o->name };
        }
}

static void bought_add(struct bought_list *l, const struct confirm *in)
{
        for (size_t i = 0; i < in->lines.n && !uid_is_zero(in->cart_id); i++)
                l->v[l->n++] = (struct bought){ in->cart_id, in->lines.v[i].product_id, in->lines.v[i].quantity };
}

static int confirmation_emit(struct db *tx, const struct call *v)
{
        const struct confirm *in = order_confirm_in(v);
        const struct confirmed *out = order_confirm_out(v);
        struct order_confirmation said = { in->id, in->buyer, in->attempt, out->invoice_number, in->total, out->placed_at, in->lines };

        if (broken(BREAK_EVENT_SAID_TWICE)) TRY(emit(tx, &order_confirmed, &said));
        return emit(tx, &order_confirmed, &said);
}

/* Sorts the calls into new orders, later attempts and refusals. Looks into the book only when it may matter: after a failed run, or for a
 * later attempt. `write` says of each call whether it is written. */
static int confirm_sort(struct db *tx, struct batch *b, bool *write, struct confirm_batch *w)
{
        when now = clock_now();
        struct ctx *c = db_ctx(tx);
        struct order_keys keys = { { arena_many(c->arena, struct order_ref, b->n), b->n } };
        struct order_seen_list seen = { 0 };
        bool look = b->again;
        size_t n_lines = 0, n_bought = 0;

        if (arena_is_exhausted(c->arena))
                return too_large(c);
        for (size_t i = 0; i < b->n; i++) {
                const struct confirm *in = order_confirm_in(&b->v[i]);
                keys.keys.v[i] = (struct order_ref){ in->id };
                look |= in->attempt > 1;
                n_lines += in->lines.n;
                n_bought += uid_is_zero(in->cart_id) ? 0 : in->lines.n;
        }
        if (look) {
                TRY(orders_seen_lock(tx, &keys, &seen));
                seen_sort(&seen);
        }
        w->rows.v    = arena_many(c->arena, struct confirm_row, b->n);
        w->revived.v = arena_many(c->arena, struct confirm_row, b->n);
        w->lines.v   = arena_many(c->arena, struct line_row, n_lines);
        w->bought.v  = arena_many(c->arena, struct bought, n_bought);
        if (arena_is_exhausted(c->arena))
                return too_large(c);
        for (size_t i = 0; i < b->n; i++) {
                const struct order_seen *s = seen_of(&seen, keys.keys.v[i].id);
                write[i] = confirm_may_write(&b->v[i], s);
                if (!write[i]) continue;
                row_add(s ? &w->revived : &w->rows, order_confirm_in(&b->v[i]), now);
                lines_add(&w->lines, order_confirm_in(&b->v[i]));
                bought_add(&w->bought, order_confirm_in(&b->v[i]));
        }
        return 0;
}

int number_take(struct db *tx, str series, int32_t year, struct number_block *out)
{
        struct number_block want = { series, year, 1, 0 };
        struct number_block_list taken;

        TRY(numbers_take(tx, &(struct number_blocks){ { &want, 1 } }, &taken));
        *out = taken.v[0];                              /* an upsert returns its row */
        return 0;
}

/* One more number of that series and year. */
static void block_count(struct number_block_list *l, str series, int32_t year)
{
        size_t i = 0;
        while (i < l->n && l->v[i].year != year) i++;
        if (i == l->n) l->v[l->n++] = (struct number_block){ .series = series, .year = year };
        l->v[i].taken += 1 + broken(BREAK_NUMBER_GAP);
}

/* Takes as many numbers as there are rows, of each year that is among them: one statement, however many. Afterwards last_no of a block is the number
 * before its first. */
static int numbers_of(struct db *tx, const struct confirm_batch *w, struct number_blocks *out)
{
        struct ctx *c = db_ctx(tx);
        struct number_block_list taken;

        out->blocks = (struct number_block_list){ arena_many(c->arena, struct number_block, w->rows.n + w->revived.n), 0 };
        if (!out->blocks.v)
                return too_large(c);
        for (size_t i = 0; i < w->rows.n; i++) block_count(&out->blocks, w->series, w->rows.v[i].year);
        for (size_t i = 0; i < w->revived.n; i++) block_count(&out->blocks, w->series, w->revived.v[i].year);
        TRY(numbers_take(tx, out, &taken));
        for (size_t i = 0; i < taken.n; i++)
                for (size_t k = 0; k < out->blocks.n; k++)
                        if (out->blocks.v[k].year == taken.v[i].year) out->blocks.v[k].last_no = taken.v[i].last_no - out->blocks.v[k].taken;
        return 0;
}

static int64_t number_next(struct number_blocks *n, int32_t year)
{
        size_t i = 0;
        while (n->blocks.v[i].year != year) i++;                                /* there is one: it was counted */
        return ++n->blocks.v[i].last_no;
}

/* Numbers in the order of the callers; the rows of either list stand in that order too. */
static int confirm_number(struct db *tx, struct batch *b, const bool *write, struct confirm_batch *w)
{
        struct number_blocks numbers;
        size_t row = 0, revived = 0;

        TRY(numbers_of(tx, w, &numbers));
        for (size_t i = 0; i < b->n; i++) {
                struct call *v = &b->v[i];
                if (!write[i]) continue;
                bool is_row = row < w->rows.n && uid_eq(w->rows.v[row].id, order_confirm_in(v)->id);
                struct confirm_row *r = is_row ? &w->rows.v[row++] : &w->revived.v[revived++];
                r->invoice_no = number_next(&numbers, r->year);
                *order_confirm_out(v) = (struct confirmed){ false, invoice_number(v->c, w->series, r->year, r->invoice_no), r->placed_at };
                TRY(confirmation_emit(tx, v));
        }
        return 0;
}

static int order_confirm(struct ctx *c, struct batch *b)
{
        struct confirm_batch w = { .series = STR(INVOICE_SERIES) };
        bool *write = arena_many(c->arena, bool, b->n);

        TX(tx, c);
        TRY(confirm_sort(tx, b, write, &w));
        if (w.rows.n + w.revived.n == 0)
                return 0;
        TRY(confirm_number(tx, b, write, &w));
        if (w.rows.n)
                TRY(orders_insert_later(tx, &w));
        if (w.revived.n)
                TRY(orders_revive_later(tx, &w));
        w.lines.n -= broken(BREAK_LINE_LOST);
        TRY(order_items_insert_later(tx, &w));
        if (w.bought.n)
                TRY(carts_take_out_later(tx, &w));
        return broken(BREAK_ANSWER_BEFORE_COMMIT) ? 0 : tx_commit(tx);
}

/* ---- abandon -------------------------------------------------------------------------------------------------------- */

BATCHED(order_abandon, abandonment, fate);

/* The confirmed ones among the orders of a batch, when there are any: tombstones_write does not return them. */
static int confirmed_of(struct db *tx, const struct abandon_batch *asked, size_t n_dead, struct order_seen_list *out)
{
        struct ctx *c = db_ctx(tx);
        struct order_keys keys = { { arena_many(c->arena, struct order_ref, asked->rows.n), asked->rows.n } };

        if (n_dead >= asked->rows.n)
                return 0;
        if (!keys.keys.v)
                return too_large(c);
        for (size_t i = 0; i < keys.keys.n; i++)
                keys.keys.v[i].id = asked->rows.v[i].id;
        TRY(orders_seen(tx, &keys, out));
        seen_sort(out);
        return 0;
}

static int order_abandon(struct ctx *c, struct batch *b)
{
        struct abandon_batch w = { .at = clock_now(), .rows = { arena_many(c->arena, struct tombstone, b->n), b->n } };
        struct abandon_batch written = { .at = w.at, .rows = { arena_many(c->arena, struct tombstone, b->n), 0 } };
        struct order_seen_list dead, alive = { 0 };

        if (arena_is_exhausted(c->arena))
                return too_large(c);
        for (size_t i = 0; i < b->n; i++) {
                const struct abandonment *in = order_abandon_in(&b->v[i]);
                w.rows.v[i] = (struct tombstone){ in->id, str_eq(in->reason, STR("expired")) ? ORDER_EXPIRED : ORDER_REJECTED, in->attempt, in->reason };
        }
        TX(tx, c);
        TRY(tombstones_write(tx, &w, &dead));
        seen_sort(&dead);
        TRY(confirmed_of(tx, &w, dead.n, &alive));
        EACH_CALL(v, b) {
                const struct abandonment *in = order_abandon_in(v);
                const struct order_seen *s = seen_of(&dead, in->id), *stands = s ? s : seen_of(&alive, in->id);
                *order_abandon_out(v) = (struct fate){ stands->state, stands->attempt };
                if (!s) continue;                               /* confirmed: nothing was written */
                written.rows.v[written.rows.n++] = w.rows.v[v - b->v];
                TRY(emit(tx, &order_rejected, &(struct order_rejection){ in->id, s->attempt, in->reason }));
        }
        if (written.rows.n)
                TRY(order_changes_insert_later(tx, &written));
        return tx_commit(tx);
}
