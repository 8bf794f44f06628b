/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * prove.c - souk prove, from the first process to the last check. */
#include <stdio.h>
#include <stdlib.h>
#include "breaks.h"
#include "clock.h"
#include "fiber.h"
#include "loop.h"
#include "prove.h"
#include "proof.h"

enum { RATE = 120, STOCK_OF_COOL = 100000, PURCHASES_MAX = 200000, MEMORY_BYTES = 1 << 30, SETTLE_MS = 90000, SETTLE_BROKEN_MS = 7000, SETTLE_AGAIN_MS = 2000 };

const struct flag prove_flags[] = {
        { "seed", 0, "N", "of the crowd and of what goes wrong", .fallback = "1", .number = true, .min = 0, .max = INT64_MAX },
        { "kills", 'k', "K", "how many things go wrong", .fallback = "12", .number = true, .min = 0, .max = DISTURBANCES_MAX },
        { "seconds", 's', "S", "how long customers come", .fallback = "15", .number = true, .min = 2, .max = 3600 },
        { "history", 0, "FILE", "a line of JSON for each operation on stock, for a checker of linearizability" },
        { "break", 'b', "NAME", "plant a fault in the servers, which must then be found" },
        { "list-breaks", 0, NULL, "name the faults that can be planted, and stop" },
        { "keep", 0, NULL, "keep the folder with databases and logs" },
        JSON_FLAG,
        { 0 } };
const char *const prove_examples[] = {
        "souk prove", "under a minute",
        "souk prove --break lost_update", "a proof that finds what is broken: exit status 1",
        "souk prove --seed 42 --kills 30 --seconds 30", "worse weather, from another seed",
        NULL };

struct proof {
        struct copy  copy;
        struct crowd crowd;
        struct storm storm;
        struct clerks clerks;
        uint64_t     seed;
        int          seconds, kills;
        str          unsettled;                        /* what did not come to rest; p NULL: all did                */
};

static int weather(struct ctx *c, void *arg)
{
        struct proof *f = arg;
        return storm_run(c, &f->storm);
}

static int customers(struct ctx *c, void *arg)
{
        struct proof *f = arg;
        return crowd_run(c, &f->crowd);
}

static int staff(struct ctx *c, void *arg)
{
        struct proof *f = arg;
        return clerks_run(c, &f->clerks);
}

static int watch(struct ctx *c, void *arg)
{
        struct proof *f = arg;
        struct progress p;
        progress_open(&p, "orders in bad weather", "orders", 0);
        while (clock_us() < f->crowd.end_us) {
                TRY(fiber_sleep(c, 100));
                p.share = (double)(clock_us() - f->crowd.begun_us) / 1e6 / f->seconds;
                progress_step(&p, f->crowd.n - p.done);
        }
        progress_close(&p);
        return 0;
}

static int storm_and_crowd(struct ctx *c, struct proof *f)
{
        GROUP(g, c);
        storm_draw(&f->storm, f->seed, f->kills, f->seconds);
        f->storm.copy = &f->copy;
        f->storm.crowd = &f->crowd;
        rand_seed(&f->crowd.rand, f->seed ^ 0x9e3779b97f4a7c15);
        rand_seed(&f->crowd.dice, ~f->seed);
        rand_seed(&f->clerks.rand, f->seed + 1);
        f->crowd.rate = RATE;
        f->crowd.max = MIN(RATE * 12 * f->seconds, PURCHASES_MAX);
        f->crowd.all = calloc((size_t)f->crowd.max, sizeof *f->crowd.all);
        f->crowd.memory = arena_new(MEMORY_BYTES);
        if (!f->crowd.all) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory for %d purchases", f->crowd.max);
        f->crowd.begun_us = clock_us();
        f->crowd.end_us = f->crowd.begun_us + (int64_t)f->seconds * 1000000;
        TRY(group_go(g, customers, f));
        TRY(group_go(g, staff, f));
        TRY(group_go(g, weather, f));
        TRY(group_go(g, watch, f));
        return group_wait(g);
}

/* Waits until it has come to rest, and says so if it has not. */
static bool settles(struct ctx *c, struct proof *f, int timeout_ms)
{
        int r = books_settle(c, &f->copy, timeout_ms);
        f->unsettled = r < 0 ? arena_str(c->arena, c->fault.message) : f->unsettled;
        fault_clear(c);
        return r == 0;
}

/* Asking again may change what is: what was in doubt is ordered now, and what was to be cancelled is. */
static int ask_again(struct ctx *c, struct proof *f, bool *rests)
{
        struct progress p;
        int wait_ms = f->copy.breaks ? SETTLE_BROKEN_MS : SETTLE_MS;
        *rests = settles(c, f, wait_ms);
        progress_open(&p, "asking again", "purchases", f->crowd.n);
        TRY(clerks_ask_again(c, &f->clerks));
        TRY(crowd_ask_again(c, &f->crowd, &p));
        progress_close(&p);
        *rests = settles(c, f, *rests ? wait_ms : SETTLE_AGAIN_MS) && *rests;   /* what never rested still has what was asked just now to do */
        TRY(clerks_count(c, &f->clerks));
        crowd_history_end(&f->crowd, *rests);
        return 0;
}

static void tell(struct proof *f, struct report *r)
{
        const struct crowd *w = &f->crowd;
        struct buf done AUTO(buf_done) = BUF_INIT(4000);
        int hard = 0;
        for (int i = 0; i < w->n; i++) hard += w->all[i].card != NULL;
        storm_tell(&f->storm, &done);
        fprintf(stderr, "what went wrong meanwhile: " STR_FMT "\n", STR_ARG(buf_str(&done)));
        fprintf(stderr, "%d customers made %d requests, %d at most at once: %d were confirmed, %d were told it is sold out, %d that the payment did not go.\n"
                "%d had cards that decline, hang, or answer twice or late; %d cancelled. Clerks delivered %d times and counted %d times.\n"
                "%d requests got no answer that says what came of them (%d gave up waiting, %d met a full queue), %d came with a token that had run out.\n",
                w->n, w->requests, w->here_max, w->confirmed, w->refused[ORDER_LACKED], w->refused[ORDER_PUT_BACK], hard, w->cancels, f->clerks.n, f->clerks.reads,
                w->unheard, w->gave_up, w->busy, w->logged_out);
        const struct { const char *name; int n; } figures[] = {
                { "purchases", w->n }, { "requests", w->requests }, { "at_once", w->here_max }, { "confirmed", w->confirmed }, { "out_of_stock", w->refused[ORDER_LACKED] },
                { "declined", w->refused[ORDER_PUT_BACK] }, { "bad_cards", hard }, { "cancels", w->cancels }, { "repeats", w->repeats }, { "unanswered", w->unheard },
                { "gave_up", w->gave_up }, { "busy", w->busy }, { "token_ended", w->logged_out }, { "turned_away", w->turned_away }, { "deliveries", f->clerks.n },
                { "reads", f->clerks.reads } };
        report_int(r, "seed", (int64_t)f->seed);
        for (size_t i = 0; i < COUNT(figures); i++) report_int(r, figures[i].name, figures[i].n);
        report_text(r, "disturbances", buf_str(&done));
}

/* So much of each hot product that it is sold out before the end. */
static int64_t stock_of_hot(const struct proof *f)      { return MAX(RATE * f->seconds / 6, 10); }

static int prove(struct ctx *c, struct job_of_command *j)
{
        struct proof *f = j->arg;
        struct breach breach = { 0 };
        bool rests;
        f->clerks.crowd = &f->crowd;
        f->crowd.clerks = &f->clerks;
        f->crowd.copy = &f->copy;
        TRY(copy_open(c, &f->copy, &f->clerks, stock_of_hot(f), STOCK_OF_COOL));
        GROUP(g, c);
        TRY(group_go(g, clerks_keep_tokens, &f->clerks));
        TRY(storm_and_crowd(c, f));
        TRY(storm_calm(c, &f->storm));
        TRY(ask_again(c, f, &rests));
        f->clerks.at_work = false;
        TRY(group_wait(g));
        report_check(&j->report, rests, "it comes to rest by itself", STR_FMT, STR_ARG(rests ? STR("stock, money and orders agree") : f->unsettled));
        TRY(books_check(c, &f->copy, &f->crowd, &j->report, &breach));
        tell(f, &j->report);
        if (breach.order[0]) TRY(story_print(c, &f->copy, &f->crowd, breach.order));
        if (j->report.failed)
                printf("\nThe same schedule again: souk prove --seed %llu --kills %d --seconds %d%s%s --keep\n", (unsigned long long)f->seed, f->kills, f->seconds,
                       f->copy.breaks ? " --break " : "", f->copy.breaks ? f->copy.breaks : "");
        return 0;
}

static int prove_and_close(struct ctx *c, struct job_of_command *j)
{
        struct proof *f = j->arg;
        int r = prove(c, j);
        copy_close(&f->copy);
        return r;
}

static int list_breaks(const struct args *a)
{
        if (args_has(a, "json")) printf("{\"ok\":true,\"breaks\":[");
        for (const struct break_row *b = breaks; b->name; b++)
                if (args_has(a, "json")) printf("%s{\"name\":\"%s\",\"doc\":\"%s\"}", b == breaks ? "" : ",", b->name, b->doc);
                else printf("%-22s %s\n", b->name, b->doc);
        if (args_has(a, "json")) printf("]}\n");
        return 0;
}

static bool is_break(const char *name)
{
        for (const struct break_row *b = breaks; b->name; b++)
                if (!strcmp(b->name, name)) return true;
        fprintf(stderr, "souk prove: there is no fault named \"%s\"; --list-breaks names them\n", name);
        return false;
}

int prove_command(struct args *a)
{
        if (args_has(a, "list-breaks")) return list_breaks(a);
        if (args_has(a, "break") && !is_break(args_text(a, "break"))) return 2;
        struct proof *f = calloc(1, sizeof *f);
        struct ctx c = { .arena = arena_new(8 << 20), .op = "prove" };
        int status = 1;
        if (!f) abort();
        f->copy.breaks = args_text(a, "break");
        f->seed = (uint64_t)args_number(a, "seed");
        f->seconds = (int)args_number(a, "seconds");
        f->kills = (int)args_number(a, "kills");
        const char *history = args_text(a, "history");
        if (history && !(f->crowd.history = fopen(history, "we"))) fprintf(stderr, "souk prove: cannot write %s\n", history);
        else if (copy_make(&c, &f->copy) < 0) fprintf(stderr, "souk prove: " STR_FMT "\n", STR_ARG(c.fault.message));
        else status = command_run(a, prove_and_close, f);
        if (args_has(a, "keep")) fprintf(stderr, "kept: %s\n", f->copy.dir);
        copy_remove(&f->copy, args_has(a, "keep"));
        if (f->crowd.history) fclose(f->crowd.history);
        if (f->crowd.memory) arena_free(f->crowd.memory);
        free(f->crowd.all);
        free(f);
        arena_free(c.arena);
        return status;
}
