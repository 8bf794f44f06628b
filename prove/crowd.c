/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * crowd.c - customers as they are: they come whether or not others were served, give up, ask again with the same key at another server, pay with cards that
 * decline, hang or answer twice, and cancel. Each is a fiber, so nobody waits for a place in line.
 *
 * Each keeps what it asked and what it was told, for books.c. Who buys what, with which card and how patiently is drawn from the seed when the purchase
 * is made, so the same seed brings the same crowd. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "fiber.h"
#include "prove.h"

enum { HERE_MAX = 6000, PATIENCE_MS = 4000, HASTE_MS = 60, TRIES = 9, BURST = 60, TOKEN_WAIT_MS = 3000, TOKEN_LOOK_MS = 50 };

static bool one_in(struct rand *r, uint32_t n)          { return rand_below(r, n) == 0; }

static const char *card_draw(struct rand *r)
{
        uint32_t d = rand_below(r, 100);
        return d < 84 ? NULL : d < 89 ? "4000000000000002" : d < 92 ? "4000000000000044" : d < 96 ? "4000000000000051" : "4000000000000069";
}

static struct purchase *purchase_draw(struct crowd *w)
{
        if (w->n == w->max) return NULL;
        struct purchase *p = &w->all[w->n];
        uint8_t noise[16];
        uint64_t a = rand_next(&w->rand);
        bool hot = rand_below(&w->rand, 10) < 8;
        *p = (struct purchase){ .no = w->n++, .buyer = (int)rand_below(&w->rand, BUYERS), .card = card_draw(&w->rand), .crowd = w };
        p->n_lines = hot ? 1 + (int)one_in(&w->rand, 5) : 1 + (int)rand_below(&w->rand, LINES_MAX);
        int first = hot ? (int)rand_below(&w->rand, HOT) : HOT + (int)rand_below(&w->rand, COOL);
        for (int i = 0; i < p->n_lines; i++) {
                p->lines[i].product = i == 0 ? first : HOT + (first + 7 * i) % COOL;
                if (i && p->lines[i].product == p->lines[i - 1].product) p->lines[i].product = HOT + (p->lines[i].product - HOT + 1) % COOL;
                p->lines[i].quantity = 1 + (int)one_in(&w->rand, 4);
        }
        memcpy(noise, &a, 8);
        a = rand_next(&w->rand);
        memcpy(noise + 8, &a, 8);
        uid key = uid_v7(clock_now());
        memcpy(key.b + 8, noise + 8, 8);
        key.b[8] = 0x80 | (key.b[8] & 0x3f);
        uid_format(key, p->key);
        p->manner = (struct manner){ one_in(&w->rand, 6), one_in(&w->rand, 10), one_in(&w->rand, 6), one_in(&w->rand, 15) };
        return p;
}

/* ---- one request ------------------------------------------------------------------------------------------------------------------- */

static str body_of(struct ctx *c, const struct crowd *w, const struct purchase *p)
{
        struct buf b AUTO(buf_done) = BUF_INIT(2000);
        buf_lit(&b, "{\"items\":[");
        for (int i = 0; i < p->n_lines; i++)
                buf_printf(&b, "%s{\"product_id\":\"%s\",\"quantity\":%d}", i ? "," : "", w->copy->products[p->lines[i].product], p->lines[i].quantity);
        buf_lit(&b, "]");
        if (p->card) buf_printf(&b, ",\"payment\":{\"card\":\"%s\"}", p->card);
        buf_lit(&b, "}");
        return arena_str(c->arena, buf_str(&b));
}

static void keep(struct crowd *w, struct purchase *p, int server, int64_t begun, int status, str text)
{
        if (p->n_told == TOLD_MAX) return;
        p->told[p->n_told++] = (struct told){ begun, clock_us() - begun, server, status, arena_str(w->memory, text) };
}

/* What an answer to an order says; anything but ORDER_UNKNOWN is certain. */
static enum order_outcome outcome_of(struct ctx *c, struct crowd *w, int r, const struct answer *a)
{
        enum order_outcome said = order_outcome(c, r, a);
        str slug = r == 0 ? text_at(c, a->body, "slug") : (str){ 0 };
        w->requests++;
        w->busy += str_eq(slug, STR("busy"));
        w->gave_up += r == -DEADLINE_EXCEEDED;
        w->unheard += said == ORDER_UNKNOWN;
        w->logged_out += r == 0 && a->status == 401;
        w->odd += said == ORDER_DID_NOTHING && a->status != 401;
        return said;
}

bool says_nothing(int r, const struct answer *a, str slug)
{
        return r < 0 || a->status >= 500 || a->status == 429 || a->status == 408 || a->status == 401 || str_eq(slug, STR("idempotency_in_flight")) ||
               str_eq(slug, STR("conflict")) || str_eq(slug, STR("try_again"));
}

/* An order that was confirmed is a take from the first request in doubt on: which of them it was is not told. */
static void history(struct ctx *c, struct crowd *w, struct purchase *p, int64_t begun, enum order_outcome said, const struct answer *a)
{
        struct order_asked o = { .client = p->no + 1, .n = p->n_lines, .start_us = begun };
        if (said == ORDER_TOOK || said == ORDER_PUT_BACK) o.start_us = p->doubt_us ? p->doubt_us : begun;
        o.comes_back_later = said == ORDER_PUT_BACK && p->n_back < TOLD_MAX;
        if (o.comes_back_later) p->back_us[p->n_back++] = o.start_us;
        for (int i = 0; i < p->n_lines; i++) o.lines[i] = (struct line_asked){ w->copy->products[p->lines[i].product], p->lines[i].quantity };
        history_order(w->history, c, &o, said, a);
}

static void confirmed(struct ctx *c, struct crowd *w, struct purchase *p, const struct answer *a)
{
        uint64_t hash = hash_quick(a->body);
        if (p->confirmed) {
                p->differed |= hash != p->answer;
                w->repeats++;
                return;
        }
        p->confirmed = true;
        p->answer = hash;
        w->confirmed++;
        p->total = int_at(a->body, "total.amount", -1);
        snprintf(p->id, sizeof p->id, STR_FMT, STR_ARG(text_at(c, a->body, "id")));
        snprintf(p->invoice, sizeof p->invoice, STR_FMT, STR_ARG(text_at(c, a->body, "invoice_number")));
}

/* Asks once. returns whether the answer says what became of it */
static bool ask_once(struct ctx *c, struct crowd *w, struct purchase *p, int patience_ms)
{
        int server = (int)rand_below(&w->dice, SERVERS);
        struct shop shop = { .client = w->copy->servers[server].client };
        struct answer a = { 0 };
        int64_t begun = clock_us();
        uint64_t token = hash_quick(str_of(w->copy->buyers[p->buyer].token));
        c->deadline_us = deadline_in(patience_ms);
        int r = shop_ask(c, &shop, &(struct ask){ POST, STR("/v1/orders"), body_of(c, w, p), str_of(p->key), &w->copy->buyers[p->buyer] }, &a);
        c->deadline_us = 0;
        fault_clear(c);
        enum order_outcome said = outcome_of(c, w, r, &a);
        keep(w, p, server, begun, r < 0 ? r : a.status, r < 0 ? str_of(code_name(r)) : a.body);
        if (!p->confirmed) history(c, w, p, begun, said, &a);
        if (said == ORDER_TOOK) confirmed(c, w, p, &a);
        else if (said != ORDER_UNKNOWN) w->refused[said]++;
        if (said == ORDER_UNKNOWN && !p->doubt_us) p->doubt_us = begun;
        p->token = r == 0 && a.status == 401 ? token : 0;
        p->unheard = said == ORDER_UNKNOWN ? says_nothing(r, &a, r == 0 ? text_at(c, a.body, "slug") : (str){ 0 }) : p->token != 0;
        return !p->unheard;
}

static void cancel(struct ctx *c, struct crowd *w, struct purchase *p)
{
        int server = (int)rand_below(&w->dice, SERVERS);
        struct shop shop = { .client = w->copy->servers[server].client };
        struct answer a = { 0 };
        int64_t begun = clock_us();
        str path = arena_printf(c->arena, "/v1/orders/%s/cancel", p->id), key = arena_printf(c->arena, "cancel-%s", p->key);
        if (!p->cancel_us) {
                p->cancel_us = begun;
                w->cancels++;
        }
        c->deadline_us = deadline_in(PATIENCE_MS);
        int r = shop_ask(c, &shop, &(struct ask){ POST, path, STR("{\"reason\":\"changed my mind\"}"), key, &w->copy->buyers[p->buyer] }, &a);
        c->deadline_us = 0;
        fault_clear(c);
        keep(w, p, server, begun, r < 0 ? r : a.status, r < 0 ? str_of(code_name(r)) : a.body);
        p->cancelled = r == 0 && a.status == 200;
}

/* Before it is asked again. Whose token had ended waits for a new one. */
static int wait_a_while(struct ctx *c, const struct crowd *w, const struct purchase *p, int ms)
{
        const struct login *l = &w->copy->buyers[p->buyer];
        for (int64_t until = deadline_in(TOKEN_WAIT_MS); p->token && hash_quick(str_of(l->token)) == p->token && clock_us() < until;)
                TRY(fiber_sleep(c, TOKEN_LOOK_MS));
        return fiber_sleep(c, ms);
}

/* ---- a purchase from its first request to the last ------------------------------------------------------------------------------- */

static int buy(struct ctx *c, void *arg)
{
        struct purchase *p = arg;
        struct crowd *w = p->crowd;
        const struct manner *m = &p->manner;
        bool known = false;
        w->here++;
        w->here_max = MAX(w->here_max, w->here);
        for (int try = 0; try < TRIES && !known; try++) {
                if (try) TRY(wait_a_while(c, w, p, 40 * try + (int)rand_below(&w->dice, 60)));
                known = ask_once(c, w, p, m->hasty && try < 2 ? HASTE_MS : PATIENCE_MS);
                if (!known) arena_reset(c->arena);
        }
        if (p->confirmed ? m->asks_twice : m->insists) (void)ask_once(c, w, p, PATIENCE_MS);
        if (p->confirmed && m->cancels) cancel(c, w, p);
        w->here--;
        return 0;
}

static int64_t arrival(struct crowd *w)
{
        int64_t at = w->begun_us + (int64_t)w->next_us;
        if (at >= w->end_us) return 0;
        w->next_us += -log(1.0 - rand_unit(&w->rand)) * 1e6 / (w->burst ? BURST * w->rate : w->rate);
        return at;
}

int crowd_run(struct ctx *c, struct crowd *w)
{
        GROUP(g, c);
        for (int64_t at; (at = arrival(w));) {
                int64_t left = at - clock_us();
                if (left > 0) TRY(fiber_sleep(c, (int)((left + 999) / 1000)));
                struct purchase *p = w->here < HERE_MAX ? purchase_draw(w) : NULL;
                if (p) TRY(group_go(g, buy, p));
                else w->turned_away++;
        }
        return group_wait(g);
}

/* ---- afterwards ---------------------------------------------------------------------------------------------------------------------- */

enum { AGAIN = 16, AGAIN_TRIES = 20, AGAIN_PAUSE_MS = 100 };

static int once_more(struct ctx *c, int i, void *arg)
{
        struct crowd *w = arg;
        struct purchase *p = &w->all[i];
        bool known = !p->confirmed && !p->doubt_us && !p->unheard;      /* a refusal without any doubt */
        for (int try = 0; try < AGAIN_TRIES && !known; try++) {
                if (try) TRY(wait_a_while(c, w, p, AGAIN_PAUSE_MS));
                known = ask_once(c, w, p, PATIENCE_MS);
        }
        for (int try = 0; try < AGAIN_TRIES && p->cancel_us && !p->cancelled; try++) {
                if (try) TRY(fiber_sleep(c, AGAIN_PAUSE_MS));
                cancel(c, w, p);
        }
        return 0;
}

int crowd_ask_again(struct ctx *c, struct crowd *w, struct progress *p)
{
        return spread(c, w->n, AGAIN, once_more, w, p);
}

static void puts_note(const struct crowd *w, const struct purchase *p, int64_t since_us, enum outcome ok)
{
        for (int i = 0; i < p->n_lines; i++)
                history_line(w->history, &(struct stock_op){ p->no + 1, "put", w->copy->products[p->lines[i].product], p->lines[i].quantity, ok, since_us, clock_us() });
}

void crowd_history_end(struct crowd *w, bool at_rest)
{
        for (int i = 0; i < w->n; i++) {
                const struct purchase *p = &w->all[i];
                for (int b = 0; b < p->n_back; b++) puts_note(w, p, p->back_us[b], at_rest ? OUTCOME_YES : OUTCOME_UNKNOWN);
                if (p->cancel_us) puts_note(w, p, p->cancel_us, at_rest && p->cancelled ? OUTCOME_YES : OUTCOME_UNKNOWN);
        }
}
