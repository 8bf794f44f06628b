/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * clerks.c - staff in bad weather: one delivers hot products, one counts what there is, one logs everybody in again before their tokens end. What is delivered
 * is remembered as the answers say it, so that the books can be held against it. */
#include <stdio.h>
#include "clock.h"
#include "fiber.h"
#include "prove.h"

enum { DELIVER_MS = 250, COUNT_MS = 40, RENEW_MS = TOKEN_MS / 2, PATIENCE_MS = 4000, TRIES = 20, PAUSE_MS = 100, UNITS_MAX = 5, RENEW_LOOK_MS = 100, LOGIN_MS = 1500 };

struct keeping { struct clerks *clerks; struct login *login; };

static struct shop shop_drawn(struct clerks *k)
{
        return (struct shop){ .client = k->crowd->copy->servers[rand_below(&k->rand, SERVERS)].client };
}

/* Asks once, patiently for a while, and forgets why it failed. */
static int ask(struct ctx *c, struct clerks *k, const struct ask *q, struct answer *out)
{
        struct shop shop = shop_drawn(k);
        c->deadline_us = deadline_in(PATIENCE_MS);
        int r = shop_ask(c, &shop, q, out);
        c->deadline_us = 0;
        fault_clear(c);
        return r;
}

/* ---- deliveries ---------------------------------------------------------------------------------------------------------------- */

/* Until an answer says what became of it, or the clerk is tired of asking. */
static int deliver(struct ctx *c, struct clerks *k, struct delivery *d)
{
        struct copy *copy = k->crowd->copy;
        struct ask q = { POST, STR("/v1/inventory/adjustments"), goods_stock_body(c, copy->products[d->product], d->n, "delivered"), str_of(d->key), &copy->staff };
        for (int try = 0; try < TRIES && !d->known; try++) {
                struct answer a = { 0 };
                if (try) TRY(fiber_sleep(c, PAUSE_MS));
                int r = ask(c, k, &q, &a);
                d->known = r == 0 && a.status == 201;
        }
        if (!d->known || d->counted) return 0;
        d->counted = true;
        k->laid_in[d->product] += d->n;
        history_line(k->crowd->history, &(struct stock_op){ 0, "put", copy->products[d->product], d->n, OUTCOME_YES, d->start_us, clock_us() });
        return 0;
}

static int delivering(struct ctx *c, void *arg)
{
        struct clerks *k = arg;
        while (clock_us() < k->crowd->end_us && k->n < DELIVERIES_MAX) {
                struct delivery *d = &k->all[k->n++];
                *d = (struct delivery){ .product = (int)rand_below(&k->rand, HOT), .n = 1 + (int)rand_below(&k->rand, UNITS_MAX), .start_us = clock_us() };
                snprintf(d->key, sizeof d->key, STR_FMT, STR_ARG(fresh_key(c)));
                TRY(deliver(c, k, d));
                arena_reset(c->arena);
                TRY(fiber_sleep(c, DELIVER_MS));
        }
        return 0;
}

int clerks_ask_again(struct ctx *c, struct clerks *k)
{
        for (int i = 0; i < k->n; i++) TRY(deliver(c, k, &k->all[i]));
        return 0;
}

/* ---- counting ------------------------------------------------------------------------------------------------------------------- */

static int64_t count(struct ctx *c, struct clerks *k, int i)
{
        struct answer a = { 0 };
        const char *product = k->crowd->copy->products[i];
        int64_t start = clock_us();
        int r = ask(c, k, &(struct ask){ GET, arena_printf(c->arena, "/v1/inventory/%s", product) }, &a);
        if (r < 0 || a.status != 200) return -1;
        int64_t n = int_at(a.body, "available", -1);
        k->reads++;
        k->below_zero += n < 0 || int_at(a.body, "on_hand", -1) < 0 || int_at(a.body, "held", -1) < 0;
        history_line(k->crowd->history, &(struct stock_op){ 0, "read", product, n, OUTCOME_YES, start, clock_us() });
        return n;
}

static int counting(struct ctx *c, void *arg)
{
        struct clerks *k = arg;
        while (clock_us() < k->crowd->end_us) {
                (void)count(c, k, (int)rand_below(&k->rand, rand_below(&k->rand, 4) ? HOT : PRODUCTS));
                arena_reset(c->arena);
                TRY(fiber_sleep(c, COUNT_MS));
        }
        return 0;
}

int clerks_count(struct ctx *c, struct clerks *k)
{
        for (int i = 0; i < PRODUCTS; i++) {
                k->counted[i] = -1;
                for (int try = 0; try < TRIES && k->counted[i] < 0; try++) {
                        if (try) TRY(fiber_sleep(c, PAUSE_MS));
                        k->counted[i] = count(c, k, i);
                }
        }
        return 0;
}

/* ---- tokens ----------------------------------------------------------------------------------------------------------------------- */

/* With a copy, so that nobody has half a token; a customer whose token ended before meets a 401 and comes again. */
static int keep_token(struct ctx *c, void *arg)
{
        struct keeping *of = arg;
        struct clerks *k = of->clerks;
        while (k->at_work) {
                struct login anew = { .email = of->login->email, .password = of->login->password };
                struct shop shop = shop_drawn(k);
                int64_t next = clock_us() + RENEW_MS * 1000;
                c->deadline_us = deadline_in(LOGIN_MS);
                int r = shop_login(c, &shop, &anew);
                c->deadline_us = 0;
                fault_clear(c);
                arena_reset(c->arena);
                if (r == 0) memcpy(of->login->token, anew.token, sizeof anew.token);
                do TRY(fiber_sleep(c, RENEW_LOOK_MS)); while (r == 0 && k->at_work && clock_us() < next);
        }
        return 0;
}

int clerks_keep_tokens(struct ctx *c, void *arg)
{
        struct clerks *k = arg;
        struct copy *copy = k->crowd->copy;
        struct keeping all[BUYERS + 1];
        GROUP(g, c);
        k->at_work = true;
        for (int i = 0; i <= BUYERS; i++) {
                all[i] = (struct keeping){ k, i < BUYERS ? &copy->buyers[i] : &copy->staff };
                all[i].login->until_us = INT64_MAX;     /* nobody else logs in */
                TRY(group_go(g, keep_token, &all[i]));
        }
        return group_wait(g);
}

int clerks_run(struct ctx *c, struct clerks *k)
{
        GROUP(g, c);
        TRY(group_go(g, delivering, k));
        TRY(group_go(g, counting, k));
        return group_wait(g);
}
