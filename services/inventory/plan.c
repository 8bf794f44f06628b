/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * plan.c - who gets what, and from where, while the rows are locked: first come, first served; all items of an order or none of them.
 *
 * Pure: the rows were read before, what changed is written after. An order may be filled from several warehouses; the next unit comes from the
 * nearest to where it is sent (near.c) and among those from the fullest, or from the fullest wherever it is. A warehouse that is not active
 * keeps its stock and sells none of it. */
#include "stock.h"

static const struct site *site_of(const struct sites *s, int32_t no)
{
        for (size_t lo = 0, hi = s->items.n; lo < hi;) {
                size_t mid = lo + (hi - lo) / 2;
                if (s->items.v[mid].no == no) return &s->items.v[mid];
                if (s->items.v[mid].no < no) lo = mid + 1;
                else hi = mid;
        }
        return NULL;
}

int plan_init(struct ctx *c, struct plan *p, struct stock_row_list locked, const struct sites *sites, const struct state *state)
{
        *p = (struct plan){ .rows = locked, .before = arena_many(c->arena, int32_t, locked.n), .site = arena_many(c->arena, const struct site *, locked.n),
                            .allocation = state->allocation, .low = state->low };
        p->write.takes.v = arena_many(c->arena, struct taking, locked.n);
        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
        for (size_t i = 0; i < locked.n; i++) {
                p->before[i] = locked.v[i].quantity;
                p->site[i] = site_of(sites, locked.v[i].warehouse_no);
        }
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

static bool is_open(const struct plan *p, size_t r)
{
        return !p->site[r] || p->site[r]->active;
}

int64_t plan_available(const struct plan *p, uid product)
{
        int64_t sum = 0;

        for (size_t r = rows_of(p, product); r < p->rows.n && uid_eq(p->rows.v[r].product_id, product); r++)
                if (is_open(p, r)) sum += p->rows.v[r].quantity;
        return sum;
}

int32_t plan_low(const struct plan *p, uid product)
{
        int32_t low = -1;

        for (size_t r = rows_of(p, product); r < p->rows.n && uid_eq(p->rows.v[r].product_id, product); r++)
                low = MAX(low, p->rows.v[r].low);
        return low < 0 ? p->low : low;
}

/* Where the next unit of the product whose rows begin at `first` comes from: among equals, the warehouse that has been there longest. */
static size_t best_row(const struct plan *p, size_t first, str country)
{
        size_t best = p->rows.n;
        enum nearness best_near = ELSEWHERE;

        for (size_t r = first; r < p->rows.n && uid_eq(p->rows.v[r].product_id, p->rows.v[first].product_id); r++) {
                enum nearness near = ELSEWHERE;
                if (p->rows.v[r].quantity == 0 || !is_open(p, r)) continue;
                if (p->allocation == NEAREST && country.n && p->site[r]) near = near_is(country, p->site[r]->country);
                if (best == p->rows.n || near < best_near || (near == best_near && p->rows.v[r].quantity > p->rows.v[best].quantity)) {
                        best = r;
                        best_near = near;
                }
        }
        return best;
}

/* Why these items cannot be had, every one that is short by its place; 0 when they can. */
static int refuse(const struct plan *p, struct ctx *caller, const struct hold_request *in)
{
        int short_of = 0;

        for (size_t i = 0; i < in->items.n; i++) {
                const struct item *want = &in->items.v[i];
                int64_t left = plan_available(p, want->product_id);
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
                size_t first = rows_of(p, want->product_id);
                for (int32_t need = want->quantity, n; need > 0; need -= n) {
                        struct stock_row *row = &p->rows.v[best_row(p, first, in->country)];
                        n = MIN(need, row->quantity);
                        row->quantity -= n;
                        TRY(hold_push(c, &p->write.holds, &p->holds_max,
                                      (struct hold_row){ in->order_id, ++line, in->attempt, want->product_id, row->warehouse_no, n, { 0 } }));
                }
        }
        return 0;
}

struct stock_row *plan_row(struct plan *p, uid product, int32_t warehouse_no)
{
        for (size_t r = rows_of(p, product); r < p->rows.n && uid_eq(p->rows.v[r].product_id, product); r++)
                if (p->rows.v[r].warehouse_no == warehouse_no) return &p->rows.v[r];
        return NULL;
}

int plan_give_back(struct ctx *c, struct plan *p, const struct hold_row *h)
{
        struct stock_row *row = plan_row(p, h->product_id, h->warehouse_no);

        if (!row)
                return fail(c, ABORTED, "hold_moved", "a hold came in between");
        row->quantity += h->quantity;
        return hold_push(c, &p->write.gone, &p->gone_max, *h);
}

/* A threshold of 0 warns of nothing: running out is told anyway. */
int crossings_tell(struct db *tx, uid product, int64_t was, int64_t is, int32_t low_was, int32_t low_is)
{
        if (low_is > 0 && is <= low_is && was > low_was)
                TRY(emit(tx, &stock_low, &(struct stock_warning){ product, is, low_is }));
        if (is == 0 && was > 0)
                TRY(emit(tx, &stock_out, &(struct stock_level){ product, 0 }));
        return 0;
}

/* Rows i up to next are one product's. */
static int product_tell(struct plan *p, struct db *tx, size_t i, size_t next)
{
        int64_t was = 0, is = 0;
        uid product = p->rows.v[i].product_id;
        int32_t low;

        for (size_t r = i; r < next; r++) {
                if (!is_open(p, r)) continue;
                was += p->before[r];
                is += p->rows.v[r].quantity;
        }
        if (p->tells ? was != is : (was == 0) != (is == 0))
                TRY(emit(tx, &stock_changed, &(struct stock_level){ product, is }));
        if (was == is)
                return 0;
        low = plan_low(p, product);
        return crossings_tell(tx, product, was, is, low, low);
}

int plan_finish(struct plan *p, struct db *tx)
{
        for (size_t i = 0, next; i < p->rows.n; i = next) {
                for (next = i; next < p->rows.n && uid_eq(p->rows.v[next].product_id, p->rows.v[i].product_id); next++) {
                        const struct stock_row *r = &p->rows.v[next];
                        if (p->before[next] != r->quantity)
                                p->write.takes.v[p->write.takes.n++] = (struct taking){ r->product_id, r->warehouse_no, p->before[next] - r->quantity, p->before[next], r->low };
                }
                TRY(product_tell(p, tx, i, next));
        }
        return 0;
}
