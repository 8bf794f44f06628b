/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * capture.c - what becomes of an authorisation: order.confirmed captures it, order.rejected voids it, and orders is asked about the rest.
 *
 * The capture is transfer number 1 of its order, so its primary key is all that guards it and nothing is read on the way. Whoever wants order.confirmed
 * to think twice (a charge in parts, a cancellation that was heard first) takes that number before; the batch then fails, runs again and looks. */
#include "breaks.h"
#include "money.h"
#include "payments_sql.h"

struct first_seen   { uid order_id; int32_t kind, attempt; };
DECLARE_LIST(first_seen);

MESSAGE(attempt_ref, "an attempt of an order", F(attempt_ref, 1, order_id), F(attempt_ref, 2, attempt));
MESSAGE(capture_row, "a row of transfer", F(capture_row, 1, order_id), F(capture_row, 2, attempt), F(capture_row, 3, amount), F(capture_row, 4, cur));
MESSAGE(capture_batch, "captures of a batch", F(capture_batch, 1, at), F_LIST(capture_batch, 2, rows, capture_row));
MESSAGE(void_batch, "attempts to be voided", F_LIST(void_batch, 1, rows, attempt_ref));
MESSAGE(sweep, "a sweep", F(sweep, 1, upto));
MESSAGE(sweep_row, "an authorisation nobody captured", F(sweep_row, 1, order_id), F(sweep_row, 2, attempt), F(sweep_row, 3, created_at));
MESSAGE(attempt_state, "the state of an attempt", F(attempt_state, 1, state));
MESSAGE(first_seen, "the first transfer of an order", F(first_seen, 1, order_id), F(first_seen, 2, kind), F(first_seen, 3, attempt));

/* ---- order.confirmed ------------------------------------------------------------------------------------------------------- */

BATCHED(payment_capture, order_confirmation, nothing);

static int too_large(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
}

enum { TAKE = 0, TAKE_LATER, LEAVE_OPEN, LEAVE_VOIDED, LEAVE };

/* Number 1 of an order is taken: by a repeat of this capture, by a charge in parts, or by a cancellation that was heard before. */
static int capture_judge(const struct order_confirmation *in, const struct first_seen *first, const struct order_money *m)
{
        if (!first) return TAKE;
        if (first->kind != CLOSED || !m || m->captures) return LEAVE;
        if (m->state == VOIDED) return LEAVE_VOIDED;
        if (m->state != AUTHORISED) return LEAVE;
        return first->attempt == in->attempt ? LEAVE_OPEN : TAKE_LATER;         /* later: an attempt in parts came to nothing before */
}

/* What each order of the batch already has. */
static int captures_look(struct db *d, struct batch *b, const struct order_money_list *money, const struct money_keys *keys, int *judged)
{
        struct first_seen_list firsts;

        TRY(transfers_first(d, keys, &firsts));
        for (size_t i = 0; i < b->n; i++) {
                const struct order_confirmation *in = payment_capture_in(&b->v[i]);
                const struct first_seen *first = NULL;
                for (size_t k = 0; k < firsts.n && !first; k++)
                        if (uid_eq(firsts.v[k].order_id, in->id)) first = &firsts.v[k];
                judged[i] = capture_judge(in, first, money_of(money, in->id));
        }
        return 0;
}

static int captures_emit(struct db *tx, const struct order_confirmation *in, int judged)
{
        struct payment_note note = { in->id, in->attempt, in->total, { { 0 } } };

        if (judged == LEAVE || judged == LEAVE_VOIDED) return 0;
        TRY(emit(tx, &payment_authorised, &note));
        return judged == LEAVE_OPEN ? 0 : emit(tx, &payment_captured, &note);
}

/* The provider first. What was voided meanwhile it is told to give back: the run before this one may have had it captured. */
static int captures_ask(struct ctx *c, struct batch *b, const int *judged)
{
        for (size_t i = 0; i < b->n; i++) {
                const struct order_confirmation *in = payment_capture_in(&b->v[i]);
                if (judged[i] == TAKE || judged[i] == TAKE_LATER) TRY(provider->capture(c, in->id, in->attempt, in->total));
                if (judged[i] == LEAVE_VOIDED) TRY(provider->cancel(c, in->id, in->attempt));
        }
        return 0;
}

static int captures_write(struct db *tx, struct batch *b, const int *judged)
{
        struct ctx *c = db_ctx(tx);
        struct capture_batch *w = arena_many(c->arena, struct capture_batch, 2);
        struct void_batch *open = arena_one(c->arena, struct void_batch);

        if (!w || !open) return too_large(c);
        for (int i = 0; i < 2; i++)
                w[i] = (struct capture_batch){ clock_now(), { arena_many(c->arena, struct capture_row, b->n), 0 } };
        open->rows.v = arena_many(c->arena, struct attempt_ref, b->n);
        if (arena_is_exhausted(c->arena)) return too_large(c);
        for (size_t i = 0; i < b->n; i++) {
                const struct order_confirmation *in = payment_capture_in(&b->v[i]);
                struct capture_row_list *to = &w[judged[i] == TAKE_LATER].rows;
                if (judged[i] == TAKE || judged[i] == TAKE_LATER)
                        to->v[to->n++] = (struct capture_row){ in->id, in->attempt, in->total.minor - broken(BREAK_WRONG_AMOUNT), str_of(in->total.cur) };
                if (judged[i] == LEAVE_OPEN) open->rows.v[open->rows.n++] = (struct attempt_ref){ in->id, in->attempt };
        }
        if (w[0].rows.n) TRY(transfers_capture_later(tx, &w[0]));
        if (broken(BREAK_DOUBLE_CAPTURE))
                TRY(db_exec(tx, "insert into transfer (order_id, no, kind, attempt, debit, credit, amount_minor, amount_cur, at) select order_id, no + 1000, kind, attempt, debit,"
                                " credit, amount_minor, amount_cur, at from transfer where kind = 1 and xmin = pg_current_xact_id()::xid"));
        if (w[1].rows.n) TRY(transfers_capture_late_later(tx, &w[1]));
        if (open->rows.n) TRY(intents_open_up_later(tx, open));
        for (size_t i = 0; i < b->n; i++)
                TRY(captures_emit(tx, payment_capture_in(&b->v[i]), judged[i]));
        return 0;
}

/* Looks before it asks the provider, and under the lock whether that still holds. */
static int captures_again(struct ctx *c, struct batch *b)
{
        int *judged = arena_many(c->arena, int, b->n), *now = arena_many(c->arena, int, b->n);
        struct money_keys keys = { { arena_many(c->arena, struct order_ref, b->n), b->n } };
        struct order_money_list money;

        if (arena_is_exhausted(c->arena)) return too_large(c);
        for (size_t i = 0; i < b->n; i++)
                keys.orders.v[i].id = payment_capture_in(&b->v[i])->id;
        TRY(orders_money(db(c), &keys, &money));
        TRY(captures_look(db(c), b, &money, &keys, judged));
        TRY(captures_ask(c, b, judged));
        TX(tx, c);
        TRY(money_lock(tx, &keys, &money));
        TRY(captures_look(tx, b, &money, &keys, now));
        if (memcmp(judged, now, b->n * sizeof *now))
                return fail(c, ABORTED, "try_again", "the order was changed meanwhile");
        TRY(captures_write(tx, b, judged));
        return tx_commit(tx);
}

static int payment_capture(struct ctx *c, struct batch *b)
{
        int *all_new = arena_many(c->arena, int, b->n);

        if (!all_new) return too_large(c);
        if (b->again) return captures_again(c, b);
        TRY(captures_ask(c, b, all_new));
        TX(tx, c);
        TRY(captures_write(tx, b, all_new));
        return tx_commit(tx);
}

/* ---- order.rejected ---------------------------------------------------------------------------------------------------------- */

/* These attempts and those before them. The provider is told of each one named, whether we know of it or not: its answer may have been lost. */
static int attempts_void(struct ctx *c, const struct void_batch *w)
{
        struct attempt_ref_list earlier = { 0 };
        bool has_earlier = false;

        for (size_t i = 0; i < w->rows.n; i++) {
                TRY(provider->cancel(c, w->rows.v[i].order_id, w->rows.v[i].attempt));
                has_earlier |= w->rows.v[i].attempt > 1;
        }
        if (has_earlier) TRY(intents_open(db(c), w, &earlier));
        for (size_t i = 0; i < earlier.n; i++)
                TRY(provider->cancel(c, earlier.v[i].order_id, earlier.v[i].attempt));
        TX(tx, c);
        TRY(intents_void_later(tx, w));
        return tx_commit(tx);
}

BATCHED(payment_undo, order_rejection, nothing);

static int payment_undo(struct ctx *c, struct batch *b)
{
        struct void_batch w = { { arena_many(c->arena, struct attempt_ref, b->n), 0 } };

        if (!w.rows.v) return too_large(c);
        EACH_CALL(v, b)
                w.rows.v[w.rows.n++] = (struct attempt_ref){ payment_undo_in(v)->id, payment_undo_in(v)->attempt };
        return attempts_void(c, &w);
}

/* ---- money that nobody has captured -------------------------------------------------------------------------------------------- */

/* Orders decides. Given up: the order.rejected that the question brings voids it. Confirmed at this attempt: order.confirmed will capture it.
 * Confirmed at a later one: a slow twin asked for this money after its attempt was over. */
int attempt_ask(struct ctx *c, uid order_id, int32_t attempt, const char *reason)
{
        struct attempt_ref one = { order_id, attempt };
        struct fate fate;

        TRY(order_abandon_call(c, &(struct abandonment){ order_id, attempt, str_of(reason) }, &fate));
        return fate.state == ORDER_CONFIRMED && fate.attempt > attempt ? attempts_void(c, &(struct void_batch){ { &one, 1 } }) : 0;
}

int payment_answered(struct ctx *c, uid order_id, int32_t attempt, when asked_at)
{
        struct attempt_ref one = { order_id, attempt };
        struct attempt_state have = { .state = -1 };

        TRY(intent_state_of(db(c), &one, &have));
        if (have.state < 0 && clock_now().us - asked_at.us < 60 * 1000000)
                return fail(c, NOT_FOUND, "not_yet", "the attempt is not written down yet");
        if (have.state == AUTHORISED || have.state == OPEN)
                return 0;                               /* told twice */
        if (have.state == VOIDED)
                return attempts_void(c, &(struct void_batch){ { &one, 1 } });
        return attempt_ask(c, order_id, attempt, "payment_answered_late");
}

static int authorisation_ask(struct ctx *c, void *arg)
{
        const struct sweep_row *a = arg;
        return attempt_ask(c, a->order_id, a->attempt, "expired");
}

static int authorisations_sweep(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        struct sweep s = { { clock_now().us - config_int(config(c), "payments.sweep-after") * 1000 } };
        struct sweep_row_list l;

        (void)in, (void)out;
        TRY(sweep_list(db(c), &s, &l));
        GROUP(g, c);
        for (size_t i = 0; i < l.n; i++)
                TRY(group_go(g, authorisation_ask, &l.v[i]));
        TRY(group_wait(g));
        if (l.n >= 500)
                s.upto = l.v[l.n - 1].created_at;       /* the rest next time */
        return sweep_move(db(c), &s);
}

OP(authorisations_sweep, nothing, nothing);
