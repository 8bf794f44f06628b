/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * load.c - souk load: requests that arrive whether or not earlier ones are answered, as buyers do.
 *
 * Arrivals are a Poisson process at the rate asked for, fixed before the first is sent; each is taken by the next free of C clients, and its
 * latency counts from the moment it was meant to be sent, so a server that stalls is charged for everybody who then stands in line (Schroeder,
 * Wierman, Harchol-Balter: Open Versus Closed, 2006). CPU is read when the marketplace has come to rest, so the events behind the answers
 * are in it. */
#include "load.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "clock.h"
#include "fiber.h"
#include "text.h"
#include "usage.h"

enum { LOOK_MS = 250, REST_MS = 30000, CHART_ROWS = 7, SPIN_BELOW_RATE = 300, ORDERS_IN_MIXED = 10, LISTS_IN_BROWSE = 25 };

const struct flag load_flags[] = {
        { "rate", 'r', "R", "arrivals a second", .fallback = "1000", .number = true, .min = 1, .max = 1000000 },
        { "seconds", 's', "S", "how long they arrive", .fallback = "10", .number = true, .min = 1, .max = 3600 },
        { "connections", 'c', "C", "clients, each with a connection: at most so many wait for an answer", .fallback = "256", .number = true, .min = 1, .max = 10000 },
        { "products", 'p', "N", "over the first N products of the catalogue, baskets of 1 to 3; 1 for orders: a new product", .fallback = "1",
          .number = true, .min = 1, .max = 100000 },
        { "stock", 0, "N", "units of each product laid in; else more than can be asked for", .number = true, .min = 0, .max = 1000000000 },
        { "seed", 0, "N", "of the moments and choices", .fallback = "1", .number = true, .min = 0, .max = INT64_MAX },
        { "history", 0, "FILE", "a line of JSON for each operation on stock, for a checker of linearizability" },
        SHOP_FLAGS,
        JSON_FLAG,
        { 0 } };
const char *const load_examples[] = {
        "souk load orders --rate 5000 --seconds 30", "everybody wants one product",
        "souk load orders --rate 3000 --products 10000", "baskets of 1 to 3 lines over the catalogue",
        "souk load mixed --rate 8000 --json", "nine reads an order; the last line is for a program",
        NULL };

/* ---- one request -------------------------------------------------------------------------------------------------------- */

static void oddity_count(struct load *l, const char *what)
{
        l->errors++;
        for (size_t i = 0; i < LOAD_ODDITIES; i++) {
                struct oddity *o = &l->oddities[i];
                if (!o->n || i == LOAD_ODDITIES - 1) snprintf(o->what, sizeof o->what, "%s", i == LOAD_ODDITIES - 1 ? "others" : what);
                if (strcmp(o->what, what) != 0 && i < LOAD_ODDITIES - 1) continue;
                o->n++;
                return;
        }
}

static void judge(struct ctx *c, struct load *l, int r, const struct answer *a)
{
        char what[48];
        str slug = r == 0 && a->status >= 400 ? text_at(c, a->body, "slug") : (str){ 0 };
        if (r == 0 && a->status == 201) l->confirmed++;
        else if (r == 0 && a->status == 200) l->reads++;
        else if (r == 0 && str_eq(slug, STR("out_of_stock"))) l->out_of_stock++;
        else {
                if (r < 0) snprintf(what, sizeof what, "%s", code_name(r));
                else snprintf(what, sizeof what, "%d %.*s", a->status, (int)MIN(slug.n, 32u), slug.n ? slug.p : "");
                oddity_count(l, what);
        }
}

static int order_send(struct ctx *c, struct load *l, int client, struct answer *out)
{
        struct buf body AUTO(buf_done) = BUF_INIT(1000);
        int lines = l->n_products == 1 ? 1 : 1 + (int)rand_below(&l->rand, (uint32_t)MIN(LOAD_LINES_MAX, l->n_products));
        int first = (int)rand_below(&l->rand, (uint32_t)l->n_products);
        struct login *buyer = &l->buyers[rand_below(&l->rand, LOAD_BUYERS)];
        buf_lit(&body, "{\"items\":[");
        for (int i = 0; i < lines; i++)
                buf_printf(&body, "%s{\"product_id\":\"%s\",\"quantity\":1}", i ? "," : "", l->products[(first + i) % l->n_products]);
        buf_lit(&body, "]}");
        struct order_asked asked = { .client = client, .n = lines, .start_us = clock_us() };
        int r = shop_ask(c, &l->shop, &(struct ask){ POST, STR("/v1/orders"), buf_str(&body), fresh_key(c), buyer }, out);
        for (int i = 0; i < lines; i++) asked.lines[i] = (struct line_asked){ l->products[(first + i) % l->n_products], 1 };
        history_order(l->history, c, &asked, order_outcome(c, r, out), out);
        return r;
}

static int read_send(struct ctx *c, struct load *l, struct answer *out)
{
        struct login *buyer = &l->buyers[rand_below(&l->rand, LOAD_BUYERS)];
        const char *product = l->products[rand_below(&l->rand, (uint32_t)l->n_products)];
        str path = rand_below(&l->rand, 100) < LISTS_IN_BROWSE ? STR("/v1/products?limit=20") : arena_printf(c->arena, "/v1/products/%s", product);
        return shop_ask(c, &l->shop, &(struct ask){ GET, path, .as = buyer }, out);
}

static void send_one(struct ctx *c, struct load *l, int client, int64_t meant_us)
{
        struct answer answer = { 0 };
        bool is_order = l->kind == LOAD_ORDERS || (l->kind == LOAD_MIXED && rand_below(&l->rand, 100) < ORDERS_IN_MIXED);
        c->deadline_us = deadline_in(LOAD_ANSWER_MS);
        l->late_us_max = MAX(l->late_us_max, clock_us() - meant_us);
        int r = is_order ? order_send(c, l, client, &answer) : read_send(c, l, &answer);
        int64_t us = clock_us() - meant_us;
        latency_add(&l->all, us);
        latency_add(&l->window, us);
        l->answered++;
        judge(c, l, r, &answer);
}

/* ---- arrivals ----------------------------------------------------------------------------------------------------------- */

/* The moment of the next arrival; 0 when there are no more. */
static int64_t arrival(struct load *l)
{
        int64_t at = l->begun_us + (int64_t)l->next_us;
        if (at >= l->end_us) return 0;
        l->next_us += -log(1.0 - rand_unit(&l->moments)) * 1e6 / l->rate;
        l->arrived++;
        return at;
}

/* Timers are of whole milliseconds. At a low rate the rest is spent looking at the clock, at a high one the load would starve what it measures. */
static int wait_for(struct ctx *c, const struct load *l, int64_t at_us)
{
        int64_t left = at_us - clock_us();
        if (left > 1000) TRY(fiber_sleep(c, (int)(left / 1000)));
        if (l->rate >= SPIN_BELOW_RATE) return clock_us() < at_us ? fiber_sleep(c, 1) : 0;
        while (clock_us() < at_us) fiber_yield();
        return 0;
}

static int client_run(struct ctx *c, void *arg)
{
        struct load *l = arg;
        struct ctx own = { .arena = arena_new(24 << 20), .op = c->op };
        int no = ++l->clients, r = 0;
        l->running++;
        for (int64_t at; r == 0 && (at = arrival(l));) {
                own.deadline_us = 0;
                r = wait_for(&own, l, at);
                if (r == 0) send_one(&own, l, no, at);
                fault_clear(&own);
                arena_reset(own.arena);
        }
        if (--l->running == 0) l->ended_us = clock_us();
        arena_free(own.arena);
        return r;
}

/* ---- what is seen meanwhile --------------------------------------------------------------------------------------------- */

static int columns_of_terminal(void)
{
        struct winsize w;
        return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? MIN(w.ws_col - 1, 200) : 79;
}

static void show(struct load *l, bool live, bool first)
{
        struct buf out AUTO(buf_done) = BUF_INIT(64 * 1024);
        if (live) {
                if (!first) buf_printf(&out, "\033[%dA\033[J", 2 * CHART_ROWS);
                curve_draw(&l->rates, &out, columns_of_terminal(), CHART_ROWS);
                curve_draw(&l->p99s, &out, columns_of_terminal(), CHART_ROWS);
        } else {
                buf_printf(&out, "%.0f s: %.0f answers/s, p99 %.1f ms, %lld errors\n", (double)(clock_us() - l->begun_us) / 1e6, l->rates.n ? l->rates.v[l->rates.n - 1] : 0.0,
                           l->p99s.n ? l->p99s.v[l->p99s.n - 1] : 0.0, (long long)l->errors);
        }
        fwrite(buf_str(&out).p, 1, buf_str(&out).n, stderr);
        fflush(stderr);
}

static int watch(struct ctx *c, void *arg)
{
        struct load *l = arg;
        const char *term = getenv("TERM");
        bool live = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
        int64_t answered = 0, since = clock_us();
        for (int i = 0; l->running > 0; i++) {
                TRY(fiber_sleep(c, LOOK_MS));
                int64_t now = clock_us();
                curve_add(&l->rates, (double)(l->answered - answered) * 1e6 / (double)MAX(now - since, 1));
                curve_add(&l->p99s, latency_ms(&l->window, 0.99));
                answered = l->answered;
                since = now;
                memset(&l->window, 0, sizeof l->window);
                if (live || i % 8 == 7) show(l, live, i == 0);
        }
        return 0;
}

static int drive(struct ctx *c, struct load *l, int connections, int seconds)
{
        GROUP(g, c);
        l->rates = (struct curve){ .title = "answers", .unit = "a second" };
        l->p99s = (struct curve){ .title = "p99", .unit = "ms" };
        l->begun_us = clock_us() + 2000;
        l->end_us = l->begun_us + (int64_t)seconds * 1000000;
        for (int i = 0; i < connections; i++) TRY(group_go(g, client_run, l));
        fiber_yield();
        TRY(group_go(g, watch, l));
        TRY(group_go(g, load_clerk, l));
        return group_wait(g);
}

/* ---- what came of it ---------------------------------------------------------------------------------------------------- */

/* Until neither has run for half a second: the events behind the last answers are applied. */
static int rest(struct ctx *c, const struct costs *of, struct usage *out)
{
        struct usage last = usage_now(of);
        int64_t until = deadline_in(REST_MS), since = clock_us();
        while (of->server_pid && clock_us() < until && clock_us() - since < 500000) {
                TRY(fiber_sleep(c, 100));
                *out = usage_now(of);
                if (out->server_us + out->database_us - last.server_us - last.database_us <= 20000) continue;
                last = *out;
                since = clock_us();
        }
        *out = usage_now(of);
        return 0;
}

static void each_us(struct report *r, const char *name, int64_t before, int64_t after, int64_t n)
{
        if (before < 0 || after < 0 || n == 0) report_null(r, name);
        else report_num(r, name, (double)(after - before) / (double)n, 1);
}

static void tell(struct load *l, struct report *r, const struct usage *before, const struct usage *after, int64_t took_us)
{
        static const struct { const char *name; double share; } points[] = {
                { "p50_ms", 0.5 }, { "p90_ms", 0.9 }, { "p99_ms", 0.99 }, { "p99.9_ms", 0.999 }, { "max_ms", 1 } };
        struct buf odd AUTO(buf_done) = BUF_INIT(2000);
        for (size_t i = 0; i < LOAD_ODDITIES && l->oddities[i].n; i++) buf_printf(&odd, "%s%lld %s", i ? ", " : "", (long long)l->oddities[i].n, l->oddities[i].what);
        report_check(r, l->errors == 0 && l->answered == l->arrived, "every arrival got an answer that says what came of it", "%lld of %lld%s" STR_FMT,
                     (long long)(l->answered - l->errors), (long long)l->arrived, l->errors ? "; " : "", STR_ARG(buf_str(&odd)));
        report_num(r, "rate", (double)l->answered * 1e6 / (double)MAX(took_us, 1), 1);
        report_num(r, "rate_asked", l->rate, 0);
        report_int(r, "answers", l->answered);
        report_int(r, "confirmed", l->confirmed);
        report_int(r, "out_of_stock", l->out_of_stock);
        report_int(r, "reads", l->reads);
        report_int(r, "errors", l->errors);
        for (size_t i = 0; i < COUNT(points); i++) report_num(r, points[i].name, latency_ms(&l->all, points[i].share), 2);
        report_num(r, "sent_late_ms", (double)l->late_us_max / 1e3, 2);
        each_us(r, "server_cpu_us", before->server_us, after->server_us, l->answered);
        each_us(r, "database_cpu_us", before->database_us, after->database_us, l->answered);
        if (after->resident_mib < 0) report_null(r, "resident_mib");
        else report_num(r, "resident_mib", after->resident_mib, 1);
}

static int measure(struct ctx *c, struct job_of_command *j, struct load *l)
{
        struct usage before, after;
        struct costs of = costs_of(c, &l->shop);
        TRY(rest(c, &of, &before));
        TRY(drive(c, l, (int)args_number(j->args, "connections"), (int)args_number(j->args, "seconds")));
        TRY(rest(c, &of, &after));
        tell(l, &j->report, &before, &after, l->ended_us - l->begun_us);
        return 0;
}

static int64_t ample(const struct load *l, int64_t seconds, int64_t n_products)
{
        return (int64_t)(l->rate * (double)seconds * 1.5 * LOAD_LINES_MAX / (double)n_products) + 1000;
}

static int run(struct ctx *c, struct job_of_command *j)
{
        struct load *l = j->arg;
        const struct args *a = j->args;
        const char *history = args_text(a, "history");
        int products = (int)args_number(a, "products");
        if (l->kind != LOAD_ORDERS && !args_has(a, "products")) products = 1000;
        l->rate = (double)args_number(a, "rate");
        rand_seed(&l->moments, (uint64_t)args_number(a, "seed"));
        rand_seed(&l->rand, ~(uint64_t)args_number(a, "seed"));
        if (history && !(l->history = fopen(history, "we"))) return fail(c, INVALID_ARGUMENT, "no_file", "cannot write %s", history);
        TRY(shop_open(c, a, (int)args_number(a, "connections"), &l->shop));
        TRY(load_stage(c, l, products, args_has(a, "stock") ? args_number(a, "stock") : ample(l, args_number(a, "seconds"), products)));
        return measure(c, j, l);
}

static int run_and_close(struct ctx *c, struct job_of_command *j)
{
        struct load *l = j->arg;
        int r = run(c, j);
        shop_close(&l->shop);
        free(l->products);
        if (l->history && fclose(l->history) != 0 && r == 0) return fail(c, DATA_LOSS, "no_room", "the history could not be written whole");
        return r;
}

static int load_command(struct args *a, enum load_kind kind)
{
        struct load *l = calloc(1, sizeof *l);
        if (!l) abort();
        l->kind = kind;
        int status = command_run(a, run_and_close, l);
        free(l);
        return status;
}

int load_orders_command(struct args *a)                 { return load_command(a, LOAD_ORDERS); }
int load_browse_command(struct args *a)                 { return load_command(a, LOAD_BROWSE); }
int load_mixed_command(struct args *a)                  { return load_command(a, LOAD_MIXED); }
