/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * plan.c - who gets what, while the rows are locked: first come, first served; all items of an order or none of them.
 *
 * Pure: the rows were read before, what changed is written after. An order may be filled from several warehouses, in their order. */
#include "holds.h"

int plan_init(struct ctx *c, struct plan *p, struct stock_row_list locked)
{
        *p = (struct plan){ .rows = locked, .before = arena_many(c->arena, int32_t, locked.n) };
        p->write.takes.v = arena_many(c->arena, struct stock_row, locked.n);
        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        for (size_t i = 0; i < locked.n; i++)
                p->before[i] = locked.v[i].quantity;
        return 0;
}

static int hold_push(struct ctx *c, struct hold_row_list *l, size_t *room, struct hold_row row)
{
        if (l->n == *room) {
                size_t more = *room ? *room * 2 : 64;
                struct hold_row *v = arena_grow(c->arena, l->v, *room * sizeof row, more * sizeof row);
                if (!v)
                        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
                l->v = v;
                *room = more;
        }
        l->v[l->n++] = row;
        return 0;
}

/* The first row of a product; rows.n when there is none. */
static size_t rows_of(const struct plan *p, uid product)
{
        size_t lo = 0, hi = p->rows.n;

        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                if (uid_cmp(p->rows.v[mid].product_id, product) < 0) lo = mid + 1;
                else hi = mid;
        }
        return lo < p->rows.n && uid_eq(p->rows.v[lo].product_id, product) ? lo : p->rows.n;
}

static int64_t available(const struct plan *p, uid product)
{
        int64_t sum = 0;

        for (size_t i = rows_of(p, product); i < p->rows.n && uid_eq(p->rows.v[i].product_id, product); i++)
                sum += p->rows.v[i].quantity;
        return sum;
}

/* Why these items cannot be had, every one that is short by its place; 0 when they can. */
static int refuse(const struct plan *p, struct ctx *caller, const struct hold_request *in)
{
        int short_of = 0;

        for (size_t i = 0; i < in->items.n; i++) {
                const struct item *want = &in->items.v[i];
                int64_t left = available(p, want->product_id);
                for (size_t k = 0; k < i; k++)
                        if (uid_eq(in->items.v[k].product_id, want->product_id))
                                return fail(caller, INVALID_ARGUMENT, "repeated", "item %zu: the product is item %zu already", i + 1, k + 1);
                if (want->quantity < 1)
                        return fail(caller, INVALID_ARGUMENT, "too_small", "item %zu: a quantity must be at least 1", i + 1);
                if (left >= want->quantity)
                        continue;
                if (short_of == 0)
                        short_of = fail(caller, FAILED_PRECONDITION, "out_of_stock", "item %zu: %lld left of the %d that were asked for",
                                        i + 1, (long long)left, want->quantity);
                flaw_add(caller, arena_printf(caller->arena, "/items/%zu/quantity", i), "out_of_stock", "%lld left", (long long)left);
        }
        return short_of;
}

int plan_take(struct ctx *c, struct plan *p, struct call *v, const struct hold_request *in)
{
        int32_t line = 0;

        v->verdict = refuse(p, v->c, in);
        for (size_t i = 0; i < in->items.n && v->verdict == 0; i++) {
                const struct item *want = &in->items.v[i];
                int32_t need = want->quantity;
                for (size_t r = rows_of(p, want->product_id); need > 0; r++) {
                        struct stock_row *row = &p->rows.v[r];
                        int32_t n = MIN(need, row->quantity);
                        if (n == 0) continue;
                        row->quantity -= n;
                        need -= n;
                        TRY(hold_push(c, &p->write.holds, &p->holds_max,
                                      (struct hold_row){ in->order_id, ++line, in->attempt, want->product_id, row->warehouse_no, n, { 0 } }));
                }
        }
        return 0;
}

int plan_give_back(struct ctx *c, struct plan *p, const struct hold_row *h)
{
        size_t r = rows_of(p, h->product_id);

        while (r < p->rows.n && uid_eq(p->rows.v[r].product_id, h->product_id) && p->rows.v[r].warehouse_no != h->warehouse_no) r++;
        if (r == p->rows.n || !uid_eq(p->rows.v[r].product_id, h->product_id))
                return fail(c, ABORTED, "hold_moved", "a hold came in between");
        p->rows.v[r].quantity += h->quantity;
        return hold_push(c, &p->write.gone, &p->gone_max, *h);
}

int plan_finish(struct plan *p, struct db *tx)
{
        for (size_t i = 0, next; i < p->rows.n; i = next) {
                int64_t was = 0, is = 0;
                for (next = i; next < p->rows.n && uid_eq(p->rows.v[next].product_id, p->rows.v[i].product_id); next++) {
                        const struct stock_row *r = &p->rows.v[next];
                        was += p->before[next];
                        is += r->quantity;
                        if (p->before[next] != r->quantity)
                                p->write.takes.v[p->write.takes.n++] = (struct stock_row){ r->product_id, r->warehouse_no, p->before[next] - r->quantity };
                }
                if ((was == 0) != (is == 0))
                        TRY(emit(tx, &stock_changed, &(struct stock_level){ p->rows.v[i].product_id, is }));
        }
        return 0;
}
