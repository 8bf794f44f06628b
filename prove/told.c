/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * told.c - what customers and clerks were told, held against the orders in the books.
 *
 * Everybody in doubt was asked again before, with the first key, so each order in the books is one that exactly one purchase was told of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "prove.h"

enum { STANDS = 0, TAKEN_BACK = 3 };                      /* orders' own numbers of its states */

struct known { char id[37], invoice[40]; int64_t state, total; const struct purchase *purchase; };
struct known_list { struct known *v; size_t n; };

static int by_id(const void *a, const void *b)          { return strcmp(a, b); }

static int known_read(struct ctx *c, str orders, struct known_list *out)
{
        str one;
        struct json_walk w = json_open(orders);
        size_t max = orders.n / 40 + 1;
        *out = (struct known_list){ arena_many(c->arena, struct known, max), 0 };
        if (!out->v) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory for the orders");
        while (out->n < max && json_next_element(&w, &one)) {
                struct known *k = &out->v[out->n++];
                snprintf(k->id, sizeof k->id, STR_FMT, STR_ARG(text_at(c, one, "id")));
                snprintf(k->invoice, sizeof k->invoice, STR_FMT, STR_ARG(text_at(c, one, "invoice")));
                k->state = int_at(one, "state", -1);
                k->total = int_at(one, "total", -1);
        }
        qsort(out->v, out->n, sizeof *out->v, by_id);
        return 0;
}

/* ---- orders --------------------------------------------------------------------------------------------------------------------- */

struct tally { int n; char first[60]; struct breach *breach; };

static void count(struct tally *t, bool wrong, const char *order)
{
        if (!wrong) return;
        if (!t->n++) snprintf(t->first, sizeof t->first, "; order %s", order);
        breach_note(t->breach, str_of(order));
}

static void told_one(struct report *r, const struct tally *t, int of, const char *what)
{
        report_check(r, t->n == 0, what, "%d of %d%s", of - t->n, of, t->first);
}

/* Purchases and orders belong together one by one; an order nobody was told of was made by a key that was told of another, or of none. */
static void keys_check(const struct crowd *w, const struct known_list *orders, struct report *r, struct breach *b)
{
        struct tally twice = { .breach = b }, unknown = twice, unheard = twice;
        int standing = 0;
        for (int i = 0; i < w->n; i++) {
                const struct purchase *p = &w->all[i];
                struct known *k = p->confirmed ? bsearch(p->id, orders->v, orders->n, sizeof *orders->v, by_id) : NULL;
                count(&twice, k && k->purchase, p->id);
                count(&unheard, p->unheard, p->id[0] ? p->id : p->key);
                if (k) k->purchase = p;
        }
        for (size_t i = 0; i < orders->n; i++) {
                standing += orders->v[i].invoice[0] != 0;
                count(&unknown, orders->v[i].invoice[0] && !orders->v[i].purchase, orders->v[i].id);
        }
        told_one(r, &unheard, w->n, "everybody who asked again was told in the end");
        told_one(r, &twice, w->confirmed, "no two keys were told of one order");
        told_one(r, &unknown, standing, "no key made an order that its customer was not told of");
}

static void orders_check(const struct crowd *w, const struct known_list *orders, struct report *r, struct breach *b)
{
        struct tally lost = { .breach = b }, changed = lost, differing = lost, uncancelled = lost;
        int internal = 0, cancelled = 0;
        for (int i = 0; i < w->n; i++) {
                const struct purchase *p = &w->all[i];
                for (int t = 0; t < p->n_told; t++) internal += p->told[t].status == 500;
                if (!p->confirmed) continue;
                const struct known *k = bsearch(p->id, orders->v, orders->n, sizeof *orders->v, by_id);
                cancelled += p->cancelled;
                count(&lost, !k || (k->state != STANDS && !(k->state == TAKEN_BACK && p->cancel_us)), p->id);
                count(&changed, k && (strcmp(k->invoice, p->invoice) != 0 || k->total != p->total), p->id);
                count(&uncancelled, k && p->cancelled && k->state != TAKEN_BACK, p->id);
                count(&differing, p->differed, p->id);
        }
        told_one(r, &lost, w->confirmed, "every confirmation that a client was given still stands");
        told_one(r, &changed, w->confirmed, "every order has the invoice number and the total its client was told");
        told_one(r, &differing, w->repeats, "every repeat got the first answer");
        told_one(r, &uncancelled, cancelled, "every cancellation that a client was told stands");
        report_check(r, internal == 0, "no answer was a fault of the server's own (500)", "%d of %d", internal, w->requests);
        report_check(r, w->odd == 0, "nobody was refused without a reason", "%d of %d had status 400, 403, 404 or 422", w->odd, w->requests);
}

/* ---- stock ---------------------------------------------------------------------------------------------------------------------- */

/* What was laid in, less what is there, is what customers were told they have; of any product where it is not, the last order is named. */
static void stock_check(const struct crowd *w, struct report *r, struct breach *b)
{
        const struct clerks *k = w->clerks;
        struct tally t = { .breach = b };
        int64_t has[PRODUCTS] = { 0 };
        const char *last[PRODUCTS] = { 0 };
        char first[200] = "";
        for (int i = 0; i < w->n; i++) {
                const struct purchase *p = &w->all[i];
                for (int l = 0; p->confirmed && !p->cancelled && l < p->n_lines; l++) {
                        has[p->lines[l].product] += p->lines[l].quantity;
                        last[p->lines[l].product] = p->id;
                }
        }
        for (int i = 0; i < PRODUCTS; i++) {
                if (k->counted[i] >= 0 && k->laid_in[i] - k->counted[i] == has[i]) continue;
                if (!t.n) snprintf(first, sizeof first, "; of %s %lld were laid in, %lld are there, customers have %lld", w->copy->products[i], (long long)k->laid_in[i],
                                   (long long)k->counted[i], (long long)has[i]);
                count(&t, true, last[i] ? last[i] : "");
        }
        report_check(r, t.n == 0, "what clerks laid in is there, or with customers, product by product", "%d of %d%s", PRODUCTS - t.n, PRODUCTS, first);
        report_check(r, k->below_zero == 0, "nobody saw less than nothing", "%d of %d reads", k->below_zero, k->reads);
}

int told_check(struct ctx *c, const struct crowd *w, str orders, struct report *r, struct breach *b)
{
        struct known_list known;
        TRY(known_read(c, orders, &known));
        orders_check(w, &known, r, b);
        keys_check(w, &known, r, b);
        stock_check(w, r, b);
        return 0;
}
