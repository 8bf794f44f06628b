/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * crowd.c - clients as they are: they come whether or not others were served, give up, ask again with the same key at another server, pay with cards that
 * decline, hang or answer twice, and cancel.
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

enum { CLIENTS = 160, PATIENCE_MS = 4000, HASTE_MS = 60, TRIES = 9, ONE_MAX_BYTES = 4 << 20, BURST = 12 };

/* What a purchase will do, drawn with it. */
struct manner { bool hasty, asks_twice, insists, cancels; };

static bool one_in(struct rand *r, uint32_t n)          { return rand_below(r, n) == 0; }

static const char *card_draw(struct rand *r)
{
        uint32_t d = rand_below(r, 100);
        return d < 84 ? NULL : d < 89 ? "4000000000000002" : d < 92 ? "4000000000000044" : d < 96 ? "4000000000000051" : "4000000000000069";
}

static struct purchase *purchase_draw(struct crowd *w, struct manner *m)
{
        if (w->n == w->max) return NULL;
        struct purchase *p = &w->all[w->n];
        uint8_t noise[16];
        uint64_t a = rand_next(&w->rand);
        bool hot = rand_below(&w->rand, 10) < 8;
        *p = (struct purchase){ .no = w->n++, .buyer = (int)rand_below(&w->rand, BUYERS), .card = card_draw(&w->rand) };
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
        *m = (struct manner){ one_in(&w->rand, 6), one_in(&w->rand, 10), one_in(&w->rand, 6), one_in(&w->rand, 15) };
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

static void history(const struct crowd *w, const struct purchase *p, int64_t begun, const char *ok)
{
        for (int i = 0; w->history && i < p->n_lines; i++)
                fprintf(w->history, "{\"client\":%d,\"op\":\"take\",\"product\":\"%s\",\"quantity\":%d,\"ok\":%s,\"start_ns\":%lld,\"end_ns\":%lld}\n", p->no + 1,
                        w->copy->products[p->lines[i].product], p->lines[i].quantity, ok, (long long)begun * 1000, (long long)clock_us() * 1000);
}

static bool says_nothing(int r, const struct answer *a, str slug)
{
        return r < 0 || a->status >= 500 || a->status == 429 || a->status == 408 || str_eq(slug, STR("idempotency_in_flight")) || str_eq(slug, STR("conflict"));
}

static void confirmed(struct ctx *c, struct crowd *w, struct purchase *p, const struct answer *a)
{
        uint64_t hash = hash_quick(a->body);
        p->unknown = false;
        if (p->confirmed) {
                p->differed |= hash != p->answer;
                w->repeats++;
                return;
        }
        p->confirmed = true;
        p->answer = hash;
        w->confirmed++;
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
        bool was_confirmed = p->confirmed;
        c->deadline_us = deadline_in(patience_ms);
        int r = shop_ask(c, &shop, &(struct ask){ POST, STR("/v1/orders"), body_of(c, w, p), str_of(p->key), &w->copy->buyers[p->buyer] }, &a);
        str slug = r == 0 ? text_at(c, a.body, "slug") : (str){ 0 };
        c->deadline_us = 0;
        fault_clear(c);
        w->requests++;
        keep(w, p, server, begun, r < 0 ? r : a.status, r < 0 ? str_of(code_name(r)) : a.body);
        if (r == 0 && a.status == 201) {
                confirmed(c, w, p, &a);
                if (!was_confirmed) history(w, p, begun, "true");
                return true;
        }
        if (says_nothing(r, &a, slug)) {
                w->unanswered++;
                p->unknown = true;
                if (!was_confirmed) history(w, p, begun, "null");
                return false;
        }
        w->refused++;
        if (!was_confirmed) history(w, p, begun, p->unknown ? "null" : "false");
        return true;
}

static int cancel(struct ctx *c, struct crowd *w, struct purchase *p)
{
        struct shop shop = { .client = w->copy->servers[rand_below(&w->dice, SERVERS)].client };
        struct answer a = { 0 };
        int64_t begun = clock_us();
        str path = arena_printf(c->arena, "/v1/orders/%s/cancel", p->id), key = arena_printf(c->arena, "cancel-%s", p->key);
        p->cancel_asked = true;
        w->cancels++;
        c->deadline_us = deadline_in(PATIENCE_MS);
        int r = shop_ask(c, &shop, &(struct ask){ POST, path, STR("{\"reason\":\"changed my mind\"}"), key, &w->copy->buyers[p->buyer] }, &a);
        c->deadline_us = 0;
        fault_clear(c);
        keep(w, p, 0, begun, r < 0 ? r : a.status, r < 0 ? str_of(code_name(r)) : a.body);
        p->cancelled = r == 0 && a.status == 200;
        return 0;
}

/* ---- a purchase from its first request to the last ------------------------------------------------------------------------------- */

static int buy(struct ctx *c, struct crowd *w, struct purchase *p, const struct manner *m)
{
        bool known = false;
        for (int try = 0; try < TRIES && !known; try++) {
                if (try) TRY(fiber_sleep(c, 40 * try + (int)rand_below(&w->dice, 60)));
                known = ask_once(c, w, p, m->hasty && try < 2 ? HASTE_MS : PATIENCE_MS);
        }
        if (p->confirmed ? m->asks_twice : m->insists) (void)ask_once(c, w, p, PATIENCE_MS);
        return p->confirmed && m->cancels ? cancel(c, w, p) : 0;
}

static int64_t arrival(struct crowd *w)
{
        int64_t at = w->begun_us + (int64_t)w->next_us;
        if (at >= w->end_us) return 0;
        w->next_us += -log(1.0 - rand_unit(&w->rand)) * 1e6 / (w->burst ? BURST * w->rate : w->rate);
        return at;
}

static int client_run(struct ctx *c, void *arg)
{
        struct crowd *w = arg;
        struct ctx own = { .arena = arena_new(ONE_MAX_BYTES), .op = c->op };
        int r = 0;
        w->busy++;
        for (int64_t at; r == 0 && (at = arrival(w));) {
                struct manner m;
                struct purchase *p = purchase_draw(w, &m);
                if (!p) break;
                int64_t left = at - clock_us();
                if (left > 0) r = fiber_sleep(&own, (int)((left + 999) / 1000));
                if (r == 0) r = buy(&own, w, p, &m);
                arena_reset(own.arena);
        }
        if (r < 0) fault_copy(c, &own);
        w->busy--;
        arena_free(own.arena);
        return r;
}

int crowd_run(struct ctx *c, struct crowd *w)
{
        GROUP(g, c);
        for (int i = 0; i < CLIENTS; i++) TRY(group_go(g, client_run, w));
        return group_wait(g);
}

/* ---- afterwards ---------------------------------------------------------------------------------------------------------------------- */

static int once_more(struct ctx *c, int i, void *arg)
{
        struct crowd *w = arg;
        struct purchase *p = &w->all[i];
        if (!p->confirmed) return 0;
        for (int try = 0; try < 3 && !ask_once(c, w, p, PATIENCE_MS); try++) TRY(fiber_sleep(c, 50));
        return 0;
}

int crowd_ask_again(struct ctx *c, struct crowd *w, struct progress *p)
{
        return spread(c, w->n, 16, once_more, w, p);
}
