/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * holds.c - holds for many orders in one transaction; committed and released by what orders says; swept when they run out.
 *
 *     (none) --inventory_hold--> held --order.confirmed--> a movement, sold
 *                                  `----order.rejected---> back in stock
 *
 * A hold that has run out is not released: the sweeper asks orders to abandon the order, and the answer comes as order.rejected like any
 * other, or the order is confirmed after all. So no clock and no pause, however long, sells a unit twice. */
#include <stdlib.h>
#include "breaks.h"
#include "config.h"
#include "holds.h"
#include "inventory_sql.h"
#include "orders/orders.h"

enum { WARY = 256 };     /* batches that lock what they sell at once, after one that had to after all */

struct expired_hold { uid order_id; int32_t attempt; };
DECLARE_LIST(expired_hold);
struct extension    { uid order_id; when expires_at; };
struct sale_seen    { bool sold; };
struct sales_lacking      { int64_t n; };

MESSAGE(product_id, "a product", F(product_id, 1, id));
MESSAGE(order_at, "an attempt of an order", F(order_at, 1, id), F(order_at, 2, attempt));
MESSAGE(stock_row, "a row of stock", F(stock_row, 1, product_id), F(stock_row, 2, warehouse_no), F(stock_row, 3, quantity), F(stock_row, 4, low));
MESSAGE(taking, "what is taken from a row of stock",
        F(taking, 1, product_id),
        F(taking, 2, warehouse_no),
        F(taking, 3, quantity),
        F(taking, 4, was),
        F(taking, 5, low));
MESSAGE(hold_row, "a row of hold",
        F(hold_row, 1, order_id),
        F(hold_row, 2, line),
        F(hold_row, 3, attempt),
        F(hold_row, 4, product_id),
        F(hold_row, 5, warehouse_no),
        F(hold_row, 6, quantity),
        F(hold_row, 7, expires_at, .optional = true));
MESSAGE(hold_keys, "what a batch looks for", F_LIST(hold_keys, 1, products, product_id), F_LIST(hold_keys, 2, orders, order_at));
MESSAGE(hold_write, "what a batch writes",
        F_LIST(hold_write, 1, takes, taking),
        F_LIST(hold_write, 2, gone, hold_row),
        F_LIST(hold_write, 3, holds, hold_row),
        F(hold_write, 4, expires_at, .optional = true));
MESSAGE(expired_hold, "a hold that has run out", F(expired_hold, 1, order_id), F(expired_hold, 2, attempt));
MESSAGE(extension, "more time for a hold", F(extension, 1, order_id), F(extension, 2, expires_at, .optional = true));
MESSAGE(sale_seen, "is there a sale", F(sale_seen, 1, sold));
MESSAGE(sales_lacking, "orders without a sale", F(sales_lacking, 1, n));
MESSAGE(hold_request, "stock asked for, all of it or none",
        F(hold_request, 1, order_id),
        F(hold_request, 2, attempt, .min = 1, .max = INT32_MAX),
        F_LIST(hold_request, 3, items, item, .min = 1, .max = IMPORT_ITEMS_MAX),
        F(hold_request, 4, country, .optional = true, .max = 2));
MESSAGE(hold, "stock held",
        F(hold, 1, order_id),
        F(hold, 2, expires_at));

static when expiry(struct ctx *c)
{
        return (when){ clock_now().us + config_int(config(c), "inventory.hold-time") * 1000 };
}

/* ---- keys of a batch: sorted, each once ------------------------------------------------------------------------------ */

static int id_cmp(const void *a, const void *b)
{
        return memcmp(a, b, sizeof(uid));               /* every key begins with its id */
}

static void products_add(struct product_id_list *l, uid id)
{
        l->v[l->n++].id = id;
}

void products_sort(struct product_id_list *l)
{
        size_t kept = 0;

        if (l->n) qsort(l->v, l->n, sizeof *l->v, id_cmp);
        for (size_t i = 0; i < l->n; i++)
                if (kept == 0 || !uid_eq(l->v[kept - 1].id, l->v[i].id))
                        l->v[kept++] = l->v[i];
        l->n = kept;
}

static const struct hold_row *holds_first(const struct hold_row_list *l, uid order)
{
        for (size_t lo = 0, hi = l->n; lo < hi;) {
                size_t mid = lo + (hi - lo) / 2;
                int at = uid_cmp(l->v[mid].order_id, order);
                if (at == 0) {
                        while (mid > 0 && uid_eq(l->v[mid - 1].order_id, order)) mid--;
                        return &l->v[mid];
                }
                if (at < 0) lo = mid + 1;
                else hi = mid;
        }
        return NULL;
}
#define EACH_HOLD(h, list, order) \
        for (const struct hold_row *h = holds_first((list), (order)); h && h < (list)->v + (list)->n && uid_eq(h->order_id, (order)); h++)

int holds_lock(struct db *tx, struct hold_keys *k, struct stock_row_list *stock, struct hold_row_list *held)
{
        struct ctx *c = db_ctx(tx);
        struct hold_row_list first;
        struct product_id_list all;

        TRY(holds_of(tx, k, &first));
        all = (struct product_id_list){ arena_many(c->arena, struct product_id, k->products.n + first.n), 0 };
        if (!all.v && k->products.n + first.n)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        for (size_t i = 0; i < k->products.n; i++) products_add(&all, k->products.v[i].id);
        for (size_t i = 0; i < first.n; i++) products_add(&all, first.v[i].product_id);
        k->products = all;
        products_sort(&k->products);
        TRY(stock_lock(tx, k, stock));
        return holds_of(tx, k, held);
}

/* Writes what was planned and commits. What is given back must go exactly as it was read: a row that is missing, or was given back for two calls of
 * the batch, would make units out of nothing. */
static int plan_write(struct plan *p, struct db *tx)
{
        int gone;

        TRY(plan_finish(p, tx));
        if (p->write.holds.n && broken(BREAK_LOST_UPDATE)) p->write.takes.n = 0;
        if (p->write.takes.n) TRY(stock_take_later(tx, &p->write));
        if (p->write.gone.n) {
                TRY(gone = holds_remove(tx, &p->write));
                if ((size_t)gone != p->write.gone.n)
                        return fail(db_ctx(tx), ABORTED, "hold_moved", "a hold changed in between");
        }
        if (p->write.holds.n) TRY(holds_insert_later(tx, &p->write));
        return tx_commit(tx);
}

/* ---- hold ------------------------------------------------------------------------------------------------------------ */

BATCHED(inventory_hold, hold_request, hold);

static bool holds_the_same(const struct hold_row_list *held, const struct hold_request *in)
{
        int64_t wanted = 0, have = 0;

        for (size_t i = 0; i < in->items.n; i++) {
                int64_t n = 0;
                EACH_HOLD(h, held, in->order_id)
                        if (uid_eq(h->product_id, in->items.v[i].product_id)) n += h->quantity;
                if (n != in->items.v[i].quantity) return false;
                wanted += n;
        }
        EACH_HOLD(h, held, in->order_id) have += h->quantity;
        return have == wanted;
}

/* What an earlier call of this batch takes for the same order: a twin. Its rows lie together. */
static struct hold_row_list planned_for(const struct plan *p, uid order)
{
        const struct hold_row_list *l = &p->write.holds;
        size_t from = 0, to;

        while (from < l->n && !uid_eq(l->v[from].order_id, order)) from++;
        for (to = from; to < l->n && uid_eq(l->v[to].order_id, order);) to++;
        return (struct hold_row_list){ l->v + from, to - from };
}

/* One call against a hold its order already has, in the book or in the plan. `take`: go on and take; the old one, of an attempt that is over, is
 * given back.
 *   returns  0 with v->verdict, or the failure of the whole batch */
static int hold_judge(struct ctx *c, struct call *v, struct plan *p, const struct hold_row_list *held, bool again, bool *take)
{
        const struct hold_request *in = inventory_hold_in(v);
        struct hold_row_list mine = again ? planned_for(p, in->order_id) : (struct hold_row_list){ NULL, 0 };
        const struct hold_row_list *have = mine.n ? &mine : held;
        const struct hold_row *old = holds_first(have, in->order_id);

        *take = !old || old->attempt < in->attempt;
        if (!old)
                return 0;
        if (*take && mine.n)
                return fail(c, ABORTED, "hold_moved", "two attempts of an order in one batch");
        if (*take)
                EACH_HOLD(h, held, in->order_id) TRY(plan_give_back(c, p, h));
        else if (old->attempt > in->attempt)
                v->verdict = fail(v->c, ABORTED, "attempt_is_over", "a later attempt of this order holds its stock");
        else if (!holds_the_same(have, in))
                v->verdict = fail(v->c, FAILED_PRECONDITION, "hold_differs", "this order holds other items already");
        else
                *inventory_hold_out(v) = (struct hold){ in->order_id, mine.n ? p->write.expires_at : old->expires_at };
        return 0;
}

static int hold_keys_init(struct ctx *c, struct batch *b, struct hold_keys *k, bool *look, size_t *n_items)
{
        *look = b->again;
        EACH_CALL(v, b) {
                *n_items += inventory_hold_in(v)->items.n;
                *look |= inventory_hold_in(v)->attempt > 1;
        }
        k->products.v = arena_many(c->arena, struct product_id, *n_items);
        k->orders.v   = arena_many(c->arena, struct order_at, b->n);
        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        EACH_CALL(v, b) {
                const struct hold_request *in = inventory_hold_in(v);
                k->orders.v[k->orders.n++] = (struct order_at){ in->order_id, in->attempt };
                for (size_t i = 0; i < in->items.n; i++)
                        products_add(&k->products, in->items.v[i].product_id);
        }
        products_sort(&k->products);
        return 0;
}

/* A refusal is only true when the order does not hold already what it asks for: a repeat of the request for the last unit. Then the whole is done again,
 * with a look at what is held. */
static int refusals_doubt(struct db *tx, struct batch *b, const struct plan *p)
{
        struct ctx *c = db_ctx(tx);
        struct hold_keys k = { .orders = { arena_many(c->arena, struct order_at, b->n), 0 } };
        struct hold_row_list held = { 0 };
        bool twins = false;

        if (!k.orders.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        EACH_CALL(v, b) {
                if (v->verdict != -FAILED_PRECONDITION) continue;
                k.orders.v[k.orders.n++] = (struct order_at){ inventory_hold_in(v)->order_id, 0 };
                twins |= planned_for(p, inventory_hold_in(v)->order_id).n > 0;
        }
        if (k.orders.n && !twins) TRY(holds_of(tx, &k, &held));
        return twins || held.n ? fail(c, ABORTED, "held_already", "an order asked for what it holds") : 0;
}

/* Rows are read, and must be so still when they change (stock_take); a lock costs as much as the change. Locked are products that lie in several
 * warehouses, whose sum is told; and for a while all of them, without a look, when that was so or a batch had to be done again: somebody else sells the same. */
static int stock_see(struct db *tx, const struct hold_keys *k, struct stock_row_list *stock)
{
        struct state *s = unit_state(db_ctx(tx));
        bool several = false;

        if (s->wary > 0) {
                s->wary--;
                return stock_lock(tx, k, stock);
        }
        TRY(stock_read(tx, k, stock));
        for (size_t i = 1; i < stock->n; i++) several |= uid_eq(stock->v[i - 1].product_id, stock->v[i].product_id);
        if (several) s->wary = WARY;
        return several ? stock_lock(tx, k, stock) : 0;
}

static int inventory_hold(struct ctx *c, struct batch *b)
{
        struct hold_keys k = { 0 };
        struct stock_row_list stock;
        struct hold_row_list held = { 0 };
        struct sites sites;
        struct plan plan;
        bool look, take;
        size_t n_items = 0;

        if (b->again) ((struct state *)unit_state(c))->wary = WARY;
        TRY(hold_keys_init(c, b, &k, &look, &n_items));
        TRY(sites_get(c, &sites));
        TX(tx, c);
        if (look) TRY(holds_lock(tx, &k, &stock, &held));
        else      TRY(stock_see(tx, &k, &stock));
        TRY(plan_init(c, &plan, stock, &sites, unit_state(c)));
        plan.write.expires_at = expiry(c);
        EACH_CALL(v, b) {
                TRY(hold_judge(c, v, &plan, &held, b->again, &take));
                if (!take) continue;
                TRY(plan_take(c, &plan, v, inventory_hold_in(v)));
                *inventory_hold_out(v) = (struct hold){ inventory_hold_in(v)->order_id, plan.write.expires_at };
        }
        if (!b->again) TRY(refusals_doubt(tx, b, &plan));
        if (plan.write.holds.n + plan.write.gone.n == 0)
                return 0;                                                       /* nobody got anything: nothing to write */
        return plan_write(&plan, tx);
}

/* ---- what orders says ------------------------------------------------------------------------------------------------- */

BATCHED(hold_commit, order_confirmation, nothing);
static int holds_give_back(struct ctx *c, struct hold_keys *k);

/* A product is held once, on however many lines it stands. */
static int64_t products_of(const struct order_line_list *l)
{
        int64_t n = 0;

        for (size_t i = 0; i < l->n; i++) {
                size_t k = 0;
                while (k < i && !uid_eq(l->v[k].product_id, l->v[i].product_id)) k++;
                n += k == i;
        }
        return n;
}

/* An order that was cancelled may have had its sale booked by that (back.c), and a slow twin may hold for it since: only a batch that is run again
 * looks, for the sale's place is taken then. */
static int hold_commit(struct ctx *c, struct batch *b)
{
        struct hold_keys k = { .orders = { arena_many(c->arena, struct order_at, b->n), 0 } };
        struct sales_lacking missing = { 0 };
        int64_t lines = 0;
        int moved;

        EACH_CALL(v, b) {
                k.orders.v[k.orders.n++] = (struct order_at){ hold_commit_in(v)->id, hold_commit_in(v)->attempt };
                lines += products_of(&hold_commit_in(v)->items);
        }
        if (broken(BREAK_HOLD_RELEASED))
                return holds_give_back(c, &k);
        TX(tx, c);
        TRY(moved = b->again ? holds_commit_unsold(tx, &k) : holds_commit(tx, &k));
        if (moved < lines)
                TRY(sales_missing(tx, &k, &missing));
        if (missing.n)
                log_say(ERROR, "hold_missing", L_UID("first_order", k.orders.v[0].id), L_INT("lines", lines), L_INT("moved", moved));
        if (broken(BREAK_EVENT_APPLIED_TWICE))
                TRY(db_exec(tx, "insert into movement (ref, line, product_id, warehouse_no, delta, kind, at) select ref, line + 1000, product_id, warehouse_no, delta, kind, at"
                                " from movement where kind = 3 and xmin = pg_current_xact_id()::xid"));
        return tx_commit(tx);
}

/* Gives back what these attempts and earlier ones hold. */
static int holds_give_back(struct ctx *c, struct hold_keys *k)
{
        struct stock_row_list stock;
        struct hold_row_list held;
        struct sites sites;
        struct plan plan;

        TRY(sites_get(c, &sites));
        TX(tx, c);
        TRY(holds_lock(tx, k, &stock, &held));
        TRY(plan_init(c, &plan, stock, &sites, unit_state(c)));
        for (size_t i = 0; i < k->orders.n; i++)
                EACH_HOLD(h, &held, k->orders.v[i].id)
                        if (h->attempt <= k->orders.v[i].attempt) TRY(plan_give_back(c, &plan, h));
        return plan_write(&plan, tx);
}

BATCHED(hold_release, order_rejection, nothing);

static int hold_release(struct ctx *c, struct batch *b)
{
        struct hold_keys k = { .orders = { arena_many(c->arena, struct order_at, b->n), 0 } };

        EACH_CALL(v, b) {                               /* an order rejected twice in one batch: once, its latest attempt */
                const struct order_rejection *in = hold_release_in(v);
                size_t i = 0;
                while (i < k.orders.n && !uid_eq(k.orders.v[i].id, in->id)) i++;
                if (i == k.orders.n) k.orders.v[k.orders.n++] = (struct order_at){ in->id, in->attempt };
                else k.orders.v[i].attempt = MAX(k.orders.v[i].attempt, in->attempt);
        }
        return holds_give_back(c, &k);
}

/* ---- the sweeper -------------------------------------------------------------------------------------------------------- */

struct question { const struct expired_hold *hold; int code; };

/* Orders decides. Given up: order.rejected will release the hold. Confirmed: order.confirmed will commit it; unless the sale is booked already: then a
 * slow twin of the request took this hold after it, and nobody will come for it. Until the event is here the hold gets more time, so that
 * orders is not asked at every sweep. */
static int hold_ask(struct ctx *c, const struct expired_hold *h)
{
        struct fate fate;
        struct sale_seen seen;
        struct order_at at = { h->order_id, h->attempt };

        TRY(order_abandon_call(c, &(struct abandonment){ h->order_id, h->attempt, STR("expired") }, &fate));
        if (fate.state != ORDER_REJECTED && fate.state != ORDER_EXPIRED) {
                TRY(sale_exists(db(c), &(struct extension){ h->order_id, { 0 } }, &seen));
                if (seen.sold)
                        return holds_give_back(c, &(struct hold_keys){ .orders = { &at, 1 } });
        }
        return hold_extend(db(c), &(struct extension){ h->order_id, expiry(c) });
}

static int hold_ask_alone(struct ctx *c, void *arg)
{
        struct question *q = arg;

        q->code = hold_ask(c, q->hold);
        return 0;                                       /* one that fails must not keep the others waiting */
}

static int holds_sweep(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        struct expired_hold_list l;
        struct question *all;
        int code = 0, failed = 0;

        (void)out;
        TRY(holds_expired(db(c), in, &l));
        all = arena_many(c->arena, struct question, l.n);
        if (!all)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "no room for %zu holds", l.n);
        GROUP(g, c);
        for (size_t i = 0; i < l.n; i++) {
                all[i].hold = &l.v[i];
                TRY(group_go(g, hold_ask_alone, &all[i]));
        }
        TRY(group_wait(g));
        for (size_t i = 0; i < l.n; i++)
                if (all[i].code < 0) failed++, code = all[i].code;
        return code < 0 ? fail(c, (enum code)-code, "sweep_failed", "%d of %zu holds that ran out could not be settled", failed, l.n) : 0;
}

OP(holds_sweep, nothing, nothing);
