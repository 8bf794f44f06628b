/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * settle.c - parts captured, money given back, authorisations let go after an order stood: settlements.
 *
 *     asked for --written down under the lock of the order's money--> pending --the provider approves--> succeeded (a transfer)
 *                                                                        `------- declines ------------> failed
 *
 * Pending counts against what is left, so whoever comes at once is judged in turn and never more is given back than was captured. The
 * row says payment.settle_asked in its own transaction; whoever hears it, the request that made it, or reconcile.c after a crash asks the provider, under the
 * settlement's id, and books what it says once. */
#include "breaks.h"
#include "hash.h"
#include "money.h"
#include "payments_sql.h"

struct settlement_batch { when at; struct settlement_list rows; };

const char *const settlement_kind_names[]  = { "none", "capture", "refund", "void", NULL };
const char *const settlement_state_names[] = { "pending", "succeeded", "failed", NULL };
const char *const cause_names[]            = { "staff", "order_cancelled", "order_returned", NULL };

MESSAGE(settlement, "what the provider is asked for",
        F(settlement, 1, id),
        F(settlement, 2, order_id),
        F(settlement, 3, attempt),
        F(settlement, 4, kind),
        F(settlement, 5, amount),
        F(settlement, 6, state),
        F(settlement, 7, cause),
        F(settlement, 8, reason, .max = 300),
        F(settlement, 9, fingerprint),
        F(settlement, 10, asked_at),
        F(settlement, 11, settled_at, .optional = true));
MESSAGE(settlement_view, "a part captured, or money given back",
        F(settlement_view, 1, id),
        F(settlement_view, 2, order_id),
        F(settlement_view, 3, kind, .names = settlement_kind_names),
        F(settlement_view, 4, amount),
        F(settlement_view, 5, state, .names = settlement_state_names, .doc = "Pending until the provider has answered."),
        F(settlement_view, 6, cause, .names = cause_names),
        F(settlement_view, 7, reason),
        F(settlement_view, 8, asked_at),
        F(settlement_view, 9, settled_at, .optional = true));
MESSAGE(settlement_ref, "a settlement of an order", F(settlement_ref, 1, id), F(settlement_ref, 2, order_id));
MESSAGE(uids, "ids", F_LIST(uids, 1, ids, uid));
MESSAGE(settlement_batch, "settlements", F(settlement_batch, 1, at, .optional = true), F_LIST(settlement_batch, 2, rows, settlement));
MESSAGE(money_keys, "orders", F_LIST(money_keys, 1, orders, order_ref));
MESSAGE(order_money, "the money of an order",
        F(order_money, 1, order_id),
        F(order_money, 2, buyer),
        F(order_money, 3, attempt),
        F(order_money, 4, state),
        F(order_money, 5, amount),
        F(order_money, 6, cur),
        F(order_money, 7, last_no),
        F(order_money, 8, captures),
        F(order_money, 9, captured),
        F(order_money, 10, refunded),
        F(order_money, 11, capturing),
        F(order_money, 12, refunding));
MESSAGE(money_ask, "money of an order to be captured or given back",
        F(money_ask, 1, order_id),
        F(money_ask, 2, amount, .optional = true, .min = 1, .max = 100000000000000, .doc = "All that is left unless said."),
        F(money_ask, 3, reason, .optional = true, .min = 1, .max = 200, .doc = "Why, for the books.", .example = "\"scratched\""));

const struct event payment_settle_asked = { "payment.settle_asked", &settlement_ref_type, "order_id", "Money is to be captured, given back or let go: for payments itself." };

/* ---- the money of orders ---------------------------------------------------------------------------------------------------- */

int money_lock(struct db *tx, const struct money_keys *k, struct order_money_list *out)
{
        TRY(intents_lock_later(tx, k));
        return orders_money(tx, k, out);                /* a statement of its own: it sees what was committed while the lock was waited for */
}

const struct order_money *money_of(const struct order_money_list *l, uid order_id)
{
        for (size_t i = 0; i < l->n; i++)
                if (uid_eq(l->v[i].order_id, order_id)) return &l->v[i];
        return NULL;
}

static int64_t rest_of(const struct order_money *m)     { return m->captured - m->refunded - m->refunding; }

static uid settlement_id(const char *what, uid of, uid by, str key)
{
        struct digest d = sha256_parts((const str[]){ str_of(what), { (const char *)of.b, sizeof of.b }, { (const char *)by.b, sizeof by.b }, key }, 4);
        uid id;

        memcpy(id.b, d.b, sizeof id.b);
        id.b[6] = 0x80 | (id.b[6] & 0x0f);
        id.b[8] = 0x80 | (id.b[8] & 0x3f);
        return id;
}

static int too_large(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
}

static money money_in(const struct order_money *m, int64_t minor)
{
        money out = { minor, "" };
        memcpy(out.cur, m->cur.p, MIN(m->cur.n, sizeof out.cur - 1));
        return out;
}

static int settlements_write(struct db *tx, const struct settlement_batch *w)
{
        TRY(settlements_insert_later(tx, w));
        for (size_t i = 0; i < w->rows.n; i++)
                TRY(emit(tx, &payment_settle_asked, &(struct settlement_ref){ w->rows.v[i].id, w->rows.v[i].order_id }));
        return 0;
}

/* ---- the provider is asked, its word is booked -------------------------------------------------------------------------------- */

static int provider_settle(struct ctx *c, const struct settlement *s, enum provider_says *says)
{
        struct attempt_ref of = { s->order_id, s->attempt };
        struct ctx ask = *c;
        int r;

        *says = PROVIDER_APPROVES;
        ctx_limit(&ask, (int)config_int(config(c), "payments.provider-timeout"));
        r = s->kind == SETTLES_CAPTURE ? provider->capture_part(&ask, s->id, &of, s->amount, says)
          : s->kind == SETTLES_REFUND ? provider->refund(&ask, s->id, &of, s->amount, says)
          : provider->cancel(&ask, s->order_id, s->attempt);
        if (r < 0) fault_copy(c, &ask);
        return r;
}

static int settled_emit(struct db *tx, const struct settlement *s)
{
        struct payment_note note = { s->order_id, s->attempt, s->amount, s->id };

        if (s->state != SUCCEEDED || s->kind == SETTLES_VOID) return 0;
        return emit(tx, s->kind == SETTLES_CAPTURE ? &payment_captured : &payment_refunded, &note);
}

/* A part that was captured while its order was being cancelled goes back at once. */
static int captured_too_late(struct db *tx, const struct settlement_list *done, const struct order_money_list *money)
{
        struct ctx *c = db_ctx(tx);
        struct settlement_batch *w = arena_one(c->arena, struct settlement_batch);

        if (!w || !(w->rows.v = arena_many(c->arena, struct settlement, done->n + 1))) return too_large(c);
        for (size_t i = 0; i < done->n; i++) {
                const struct settlement *s = &done->v[i];
                const struct order_money *m = money_of(money, s->order_id);
                if (s->kind != SETTLES_CAPTURE || s->state != SUCCEEDED || (m && m->state == OPEN)) continue;
                w->rows.v[w->rows.n++] = (struct settlement){ settlement_id("captured too late", s->id, s->order_id, STR("")), s->order_id, s->attempt, SETTLES_REFUND,
                                                             s->amount, PENDING, BY_CANCELLATION, STR("the order was cancelled"), 0, clock_now(), { 0 } };
        }
        return w->rows.n ? settlements_write(tx, w) : 0;
}

int settle_as_told(struct ctx *c, const struct settlement_list *told)
{
        struct settlement_batch w = { clock_now(), *told }, booked;
        struct money_keys keys = { { arena_many(c->arena, struct order_ref, told->n), told->n } };
        struct order_money_list money;
        struct settlement_list done;

        if (told->n == 0) return 0;
        if (!keys.orders.v) return too_large(c);
        for (size_t i = 0; i < told->n; i++)
                keys.orders.v[i].id = told->v[i].order_id;
        TX(tx, c);
        TRY(money_lock(tx, &keys, &money));
        TRY(settlements_done(tx, &w, &done));           /* those that were pending still */
        booked = (struct settlement_batch){ w.at, done };
        TRY(transfers_add_later(tx, &booked));
        for (size_t i = 0; i < done.n; i++)
                TRY(settled_emit(tx, &done.v[i]));
        TRY(captured_too_late(tx, &done, &money));
        return tx_commit(tx);
}

int settle_all(struct ctx *c, const struct settlement_list *l)
{
        struct settlement_list told = { arena_many(c->arena, struct settlement, l->n + 1), 0 };
        enum provider_says says;
        bool silent = false;

        if (!told.v) return too_large(c);
        for (size_t i = 0; i < l->n; i++) {
                int r = provider_settle(c, &l->v[i], &says);
                silent |= r == -DEADLINE_EXCEEDED;
                if (r == -DEADLINE_EXCEEDED) continue;
                TRY(r);
                told.v[told.n] = l->v[i];
                told.v[told.n++].state = says == PROVIDER_APPROVES ? SUCCEEDED : FAILED;
        }
        TRY(settle_as_told(c, &told));
        return silent ? fail(c, DEADLINE_EXCEEDED, "payment_timed_out", "the payment provider did not answer in time; it is asked again") : 0;
}

BATCHED(payment_settle, settlement_ref, nothing);

/* One that gets no answer is left to reconcile.c: those behind it need not wait. */
static int payment_settle(struct ctx *c, struct batch *b)
{
        struct uids ids = { { arena_many(c->arena, uid, b->n), b->n } };
        struct settlement_list pending;
        int r;

        if (!ids.ids.v) return too_large(c);
        for (size_t i = 0; i < b->n; i++)
                ids.ids.v[i] = payment_settle_in(&b->v[i])->id;
        TRY(settlements_pending_of(db(c), &ids, &pending));
        r = settle_all(c, &pending);
        if (r == -DEADLINE_EXCEEDED) fault_clear(c);
        return r == -DEADLINE_EXCEEDED ? 0 : r;
}

/* ---- what staff asks for ----------------------------------------------------------------------------------------------------------- */

static int64_t fingerprint_of(const struct money_ask *in)
{
        struct digest d = sha256_parts((const str[]){ { (const char *)&in->amount.minor, sizeof in->amount.minor }, str_of(in->amount.cur), in->reason }, 3);
        int64_t f;

        memcpy(&f, d.b, sizeof f);
        return f;
}

static int capture_judge(struct ctx *c, const struct order_money *m, int64_t *left)
{
        *left = m->amount - m->captured - m->capturing;
        if (m->state == AUTHORISED && !m->captures) {   /* it is for order.confirmed to open it, or to capture it whole */
                int r = fail(c, FAILED_PRECONDITION, "not_open", "that its order is confirmed has not been heard here yet; ask again in a moment");
                c->fault.retry_after_ms = 1000;
                return r;
        }
        if (m->state != OPEN)
                return fail(c, FAILED_PRECONDITION, "not_open", "this payment is not captured in parts, or its order does not stand");
        return *left > 0 ? 0 : fail(c, FAILED_PRECONDITION, "over_authorised", "all that was authorised is captured");
}

static int refund_judge(struct ctx *c, const struct order_money *m, int64_t *left)
{
        *left = rest_of(m);
        if (m->captured == 0) return fail(c, FAILED_PRECONDITION, "nothing_captured", "nothing of this payment is captured");
        return *left > 0 ? 0 : fail(c, FAILED_PRECONDITION, "over_captured", "all that was captured is given back already");
}

/* Under the lock of the order's money: may it be, and how much? */
static int ask_judge(struct ctx *c, const struct money_ask *in, const struct order_money *m, struct settlement *s)
{
        int64_t left;

        if (!m) return fail(c, NOT_FOUND, "no_such_payment", "there is no payment for this order");
        if (in->amount.cur[0] && !str_eq(str_of(in->amount.cur), m->cur)) {
                flaw_add(c, STR("/amount/currency"), "other_currency", "must be " STR_FMT ", as the payment is", STR_ARG(m->cur));
                return flaws_fail(c);
        }
        TRY(s->kind == SETTLES_CAPTURE ? capture_judge(c, m, &left) : refund_judge(c, m, &left));
        s->attempt = m->attempt;
        s->amount = money_in(m, in->amount.cur[0] ? in->amount.minor : left);
        if (s->amount.minor <= left) return 0;
        return fail_about(c, "/amount",
                          fail(c, FAILED_PRECONDITION, s->kind == SETTLES_CAPTURE ? "over_authorised" : "over_captured", "only %lld " STR_FMT " (minor units) are left",
                               (long long)left, STR_ARG(m->cur)));
}

static int ask_write(struct ctx *c, const struct money_ask *in, struct settlement *s)
{
        struct order_ref order = { in->order_id };
        struct settlement_batch w = { .rows = { s, 1 } };
        struct order_money_list money;

        TX(tx, c);
        TRY(money_lock(tx, &(struct money_keys){ { &order, 1 } }, &money));
        TRY(ask_judge(c, in, money_of(&money, in->order_id), s));
        TRY(settlements_write(tx, &w));
        return tx_commit(tx);
}

static int settlement_ask(struct ctx *c, const struct money_ask *in, enum settlement_kind kind, struct settlement_view *out)
{
        struct settlement s = { .id = settlement_id(settlement_kind_names[kind], in->order_id, caller_id(c), c->idempotency_key), .order_id = in->order_id, .kind = (int32_t)kind,
                                .cause = BY_STAFF, .reason = in->reason.p ? in->reason : STR(""), .fingerprint = fingerprint_of(in), .asked_at = clock_now() };
        struct settlement there = { 0 };
        int r = settlement_by_id(db(c), &(struct settlement_ref){ s.id, s.order_id }, &there);

        TRY(r);
        if (r == 0) {
                r = ask_write(c, in, &s);
                if (r == -ALREADY_EXISTS) {             /* a twin at another replica */
                        fault_clear(c);
                        TRY(settlement_by_id(db(c), &(struct settlement_ref){ s.id, s.order_id }, &there));
                } else {
                        TRY(r);
                        there = s;
                }
        } else {
                c->replayed = true;
        }
        if (there.fingerprint != s.fingerprint)
                return fail_about(c, "Idempotency-Key",
                                  fail_http(c, 422, INVALID_ARGUMENT, "idempotency_key_reused", "this Idempotency-Key was used for another amount or reason"));
        if (there.state == PENDING && settle_all(c, &(struct settlement_list){ &there, 1 }) < 0)
                fault_clear(c);                         /* it stands, and is settled by whoever hears of it */
        TRY(settlement_view_by_id(db(c), &(struct settlement_ref){ s.id, s.order_id }, out));
        return 0;
}

static int part_capture(struct ctx *c, const struct money_ask *in, struct settlement_view *out)
{
        return settlement_ask(c, in, SETTLES_CAPTURE, out);
}

static int refund_make(struct ctx *c, const struct money_ask *in, struct settlement_view *out)
{
        return settlement_ask(c, in, SETTLES_REFUND, out);
}

static int settlement_get(struct ctx *c, const struct settlement_ref *in, struct settlement_view *out)
{
        int r = settlement_view_by_id(db(c), in, out);
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_settlement", "there is no such capture or refund of this order") : r;
}

/* ---- what orders says ---------------------------------------------------------------------------------------------------------------- */

BATCHED(payment_cancelled, order_cancellation, nothing);

/* order.confirmed may have booked its capture since the money was read, for it takes no lock: then number 1 is a capture, and this is done again. */
static int all_close(struct db *tx, const struct capture_batch *w)
{
        int n;

        TRY(n = transfers_close(tx, w));
        return (size_t)n == w->rows.n ? 0 : fail(db_ctx(tx), ABORTED, "try_again", "the order was captured meanwhile");
}

/* Not captured yet: number 1 is taken so that order.confirmed, should it come later, finds it voided. Else what is left goes back. */
static int payment_cancelled(struct ctx *c, struct batch *b)
{
        struct money_keys keys = { { arena_many(c->arena, struct order_ref, b->n), b->n } };
        struct settlement_batch w = { .rows = { arena_many(c->arena, struct settlement, b->n), 0 } };
        struct void_batch voids = { { arena_many(c->arena, struct attempt_ref, b->n), 0 } };
        struct capture_batch closed = { clock_now(), { arena_many(c->arena, struct capture_row, b->n), 0 } };
        struct order_money_list money;

        if (arena_is_exhausted(c->arena)) return too_large(c);
        for (size_t i = 0; i < b->n; i++)
                keys.orders.v[i].id = payment_cancelled_in(&b->v[i])->id;
        if (broken(BREAK_REFUND_FORGOTTEN)) return 0;
        TX(tx, c);
        TRY(money_lock(tx, &keys, &money));
        EACH_CALL(v, b) {
                const struct order_cancellation *in = payment_cancelled_in(v);
                const struct order_money *m = money_of(&money, in->id);
                if (!m) continue;                       /* an order of before there were payments */
                bool is_captured = m->captures > 0;
                if (is_captured && rest_of(m) <= 0 && m->state != OPEN) continue;
                if (!is_captured && m->last_no == 0) closed.rows.v[closed.rows.n++] = (struct capture_row){ in->id, m->attempt, 0, m->cur };
                if (!is_captured || m->state == OPEN) voids.rows.v[voids.rows.n++] = (struct attempt_ref){ in->id, m->attempt };
                if (is_captured && rest_of(m) <= 0) continue;
                w.rows.v[w.rows.n++] = (struct settlement){ settlement_id("order cancelled", in->id, in->id, STR("")), in->id, m->attempt,
                        is_captured ? SETTLES_REFUND : SETTLES_VOID, money_in(m, is_captured ? rest_of(m) : 0), PENDING, BY_CANCELLATION, in->reason, 0, closed.at, { 0 } };
        }
        if (closed.rows.n) TRY(all_close(tx, &closed));
        if (voids.rows.n) TRY(intents_cancel_later(tx, &voids));
        if (w.rows.n) TRY(settlements_write(tx, &w));
        return tx_commit(tx);
}

BATCHED(payment_returned, order_return_note, nothing);

/* Items came back before order.confirmed was heard here: the order stands, so its capture is booked now and order.confirmed will find it. */
static int returns_capture(struct ctx *c, const struct money_keys *keys, struct capture_batch *out)
{
        struct order_money_list money;

        TRY(orders_money(db(c), keys, &money));
        out->rows = (struct capture_row_list){ arena_many(c->arena, struct capture_row, money.n + 1), 0 };
        if (!out->rows.v) return too_large(c);
        for (size_t i = 0; i < money.n; i++) {
                const struct order_money *m = &money.v[i];
                if (m->last_no > 0 || m->state != AUTHORISED) continue;
                TRY(provider->capture(c, m->order_id, m->attempt, money_in(m, m->amount)));
                out->rows.v[out->rows.n++] = (struct capture_row){ m->order_id, m->attempt, m->amount, m->cur };
        }
        return 0;
}

static int captures_book(struct db *tx, const struct capture_batch *w)
{
        if (w->rows.n == 0) return 0;
        TRY(transfers_capture_later(tx, w));
        for (size_t i = 0; i < w->rows.n; i++) {
                const struct capture_row *r = &w->rows.v[i];
                struct payment_note note = { r->order_id, r->attempt, { r->amount, "" }, { { 0 } } };
                memcpy(note.amount.cur, r->cur.p, MIN(r->cur.n, sizeof note.amount.cur - 1));
                TRY(emit(tx, &payment_authorised, &note));
                TRY(emit(tx, &payment_captured, &note));
        }
        return 0;
}

static int payment_returned(struct ctx *c, struct batch *b)
{
        struct money_keys keys = { { arena_many(c->arena, struct order_ref, b->n), b->n } };
        struct settlement_batch w = { .rows = { arena_many(c->arena, struct settlement, b->n), 0 } };
        struct capture_batch early = { .at = clock_now() };
        struct order_money_list money;

        if (arena_is_exhausted(c->arena)) return too_large(c);
        for (size_t i = 0; i < b->n; i++)
                keys.orders.v[i].id = payment_returned_in(&b->v[i])->id;
        TRY(returns_capture(c, &keys, &early));
        TX(tx, c);
        TRY(captures_book(tx, &early));
        TRY(money_lock(tx, &keys, &money));
        EACH_CALL(v, b) {
                const struct order_return_note *in = payment_returned_in(v);
                struct order_money *m = (struct order_money *)money_of(&money, in->id);
                int64_t back = m ? MIN(in->total.minor, rest_of(m)) : 0;        /* less when staff gave some back before */
                if (back <= 0) continue;
                w.rows.v[w.rows.n++] = (struct settlement){ in->return_id, in->id, m->attempt, SETTLES_REFUND, money_in(m, back), PENDING, BY_RETURN,
                                                           in->credit_note_number, 0, early.at, { 0 } };
                m->refunding += back;                   /* the order may have another return in this batch */
        }
        if (w.rows.n) TRY(settlements_write(tx, &w));
        return tx_commit(tx);
}

/*  operation         takes           gives           */
OP( part_capture,     money_ask,      settlement_view );
OP( refund_make,      money_ask,      settlement_view );
OP( settlement_get,   settlement_ref, settlement_view );
