/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * storm.c - what goes wrong, when, and for how long: all of it drawn from the seed before the first order is placed.
 *
 * The same seed draws the same schedule; how far each process had come at that moment is its own. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "clock.h"
#include "fiber.h"
#include "prove.h"
#include "usage.h"

enum { BACKENDS_MAX = 256 };
enum trouble {
        KILL_SERVER, PAUSE_SERVER, STOP_DATABASE, CROWD_AT_ONCE, KILL_BACKEND, PAUSE_BACKEND, CUT_DATABASE, DELAY_DATABASE, STALL_DATABASE, CUT_CLIENTS, DELAY_CLIENTS,
        STALL_CLIENTS, KINDS };
_Static_assert((int)KINDS == (int)STORM_KINDS, "prove.h counts them");
enum { CERTAIN = 3 };                                   /* the first so many happen every time                      */

/* Lengths in ms; a weight is how often it is drawn again once each was. */
static const struct { const char *what; int weight, from_ms, to_ms; } kinds[KINDS] = {
        [KILL_SERVER]    = { "kill -9 of a server", 5, 50, 900 },
        [PAUSE_SERVER]   = { "pause of a server past every expiry (SIGSTOP, SIGCONT)", 3, PAUSE_MIN_MS, PAUSE_MIN_MS + 1000 },
        [STOP_DATABASE]  = { "immediate stop of PostgreSQL", 2, 0, 0 },
        [CROWD_AT_ONCE]  = { "crowd that comes at once and fills the queues", 2, 20, 50 },
        [KILL_BACKEND]   = { "kill -9 of a backend of PostgreSQL", 2, 0, 0 },
        [PAUSE_BACKEND]  = { "pause of a backend of PostgreSQL (SIGSTOP, SIGCONT)", 2, 300, PAUSE_MIN_MS },
        [CUT_DATABASE]   = { "cut of the wire to PostgreSQL", 3, 20, 800 },
        [DELAY_DATABASE] = { "slow wire to PostgreSQL", 2, 300, 1500 },
        [STALL_DATABASE] = { "silent wire to PostgreSQL", 2, 300, 2500 },
        [CUT_CLIENTS]    = { "cut of the wire to clients", 3, 20, 500 },
        [DELAY_CLIENTS]  = { "slow wire to clients", 2, 300, 1500 },
        [STALL_CLIENTS]  = { "silent wire to clients", 2, 300, 2500 } };

static int kind_draw(struct rand *r)
{
        int sum = 0, kind = 0;
        for (int i = 0; i < KINDS; i++) sum += kinds[i].weight;
        for (int left = (int)rand_below(r, (uint32_t)sum); left >= kinds[kind].weight; kind++) left -= kinds[kind].weight;
        return kind;
}

static int by_time(const void *a, const void *b)
{
        const struct disturbance *x = a, *y = b;
        return x->at_ms - y->at_ms;
}

/* The certain ones first, then each of the others once, in an order that is drawn, then any. */
static void kinds_draw(struct storm *s)
{
        int left[KINDS], n = KINDS - CERTAIN;
        for (int i = 0; i < n; i++) left[i] = CERTAIN + i;
        for (int i = 0; i < s->n; i++) {
                if (i < CERTAIN) s->all[i].kind = i;
                else if (!n) s->all[i].kind = kind_draw(&s->rand);
                else {
                        int drawn = (int)rand_below(&s->rand, (uint32_t)n);
                        s->all[i].kind = left[drawn];
                        left[drawn] = left[--n];
                }
        }
}

void storm_draw(struct storm *s, uint64_t seed, int n, int seconds)
{
        rand_seed(&s->rand, seed);
        s->n = MIN(n, DISTURBANCES_MAX);
        kinds_draw(s);
        for (int i = 0; i < s->n; i++) {
                struct disturbance *d = &s->all[i];
                d->at_ms = 300 + (int)rand_below(&s->rand, (uint32_t)MAX(seconds * 1000 - 600, 1));
                d->server = (int)rand_below(&s->rand, SERVERS);
                d->ms = kinds[d->kind].from_ms + (int)rand_below(&s->rand, (uint32_t)(kinds[d->kind].to_ms - kinds[d->kind].from_ms + 1));
        }
        qsort(s->all, (size_t)s->n, sizeof *s->all, by_time);
}

/* Does it serve a connection to one of the marketplace's databases? */
static bool is_backend(int pid)
{
        char path[64], text[600] = "";
        snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
        FILE *f = fopen(path, "re");
        if (f) text[fread(text, 1, sizeof text - 1, f)] = 0;
        if (f) fclose(f);
        return strstr(text, " souk_");
}

static int backend_draw(struct storm *s)                /* 0: there is none just now */
{
        int pids[BACKENDS_MAX], found = 0, n = children_of(cluster_pid(s->copy->cluster), pids, BACKENDS_MAX);
        for (int i = 0; i < n; i++)
                if (is_backend(pids[i])) pids[found++] = pids[i];
        return found ? pids[rand_below(&s->rand, (uint32_t)found)] : 0;
}

/* ---- one at a time, each for its length ----------------------------------------------------------------------------------------- */

struct event_ { struct storm *storm; const struct disturbance *d; };

static int server_down(struct ctx *c, struct storm *s, const struct disturbance *d)
{
        struct server *v = &s->copy->servers[d->server];
        if (!v->pid) return 0;                          /* it lies already */
        server_kill(s->copy, d->server);
        s->done[d->kind]++;
        TRY(fiber_sleep(c, d->ms));
        return v->pid ? 0 : server_ready(c, s->copy, d->server);
}

static int server_pause(struct ctx *c, struct storm *s, const struct disturbance *d)
{
        int pid = s->copy->servers[d->server].pid;
        if (!pid) return 0;
        kill(pid, SIGSTOP);
        s->done[d->kind]++;
        TRY(fiber_sleep(c, d->ms));
        if (s->copy->servers[d->server].pid == pid) kill(pid, SIGCONT);
        return 0;
}

static int backend_pause(struct ctx *c, struct storm *s, const struct disturbance *d)
{
        int pid = backend_draw(s);
        if (!pid || kill(pid, SIGSTOP) < 0) return 0;
        s->done[d->kind]++;
        TRY(fiber_sleep(c, d->ms));
        if (is_backend(pid)) kill(pid, SIGCONT);
        return 0;
}

static int wire(struct ctx *c, struct storm *s, const struct disturbance *d, struct proxy *p)
{
        s->done[d->kind]++;
        if (d->kind == CUT_DATABASE || d->kind == CUT_CLIENTS) {
                proxy_cut(p, true);
                TRY(fiber_sleep(c, d->ms));
                proxy_cut(p, false);
        } else if (d->kind == STALL_DATABASE || d->kind == STALL_CLIENTS) {
                proxy_stall(p, true);
                TRY(fiber_sleep(c, d->ms));
                proxy_stall(p, false);
        } else {
                proxy_delay(p, 5 + d->ms % 60);
                TRY(fiber_sleep(c, d->ms));
                proxy_delay(p, 0);
        }
        return 0;
}

static int disturb(struct ctx *c, void *arg)
{
        struct event_ *e = arg;
        struct storm *s = e->storm;
        const struct disturbance *d = e->d;
        int64_t left = s->begun_us + (int64_t)d->at_ms * 1000 - clock_us();
        int pid = 0;
        if (left > 0) TRY(fiber_sleep(c, (int)(left / 1000)));
        switch ((enum trouble)d->kind) {
        case KILL_SERVER:   return server_down(c, s, d);
        case PAUSE_SERVER:  return server_pause(c, s, d);
        case STOP_DATABASE:
                if ((pid = cluster_pid(s->copy->cluster)) > 0 && kill(pid, SIGQUIT) == 0) s->done[d->kind]++;
                return 0;
        case KILL_BACKEND:
                if ((pid = backend_draw(s)) > 0 && kill(pid, SIGKILL) == 0) s->done[d->kind]++;
                return 0;
        case PAUSE_BACKEND: return backend_pause(c, s, d);
        case CUT_CLIENTS:
        case DELAY_CLIENTS:
        case STALL_CLIENTS: return wire(c, s, d, s->copy->servers[d->server].proxy);
        case CROWD_AT_ONCE:
                s->crowd->burst = true;
                s->done[d->kind]++;
                TRY(fiber_sleep(c, d->ms));
                s->crowd->burst = false;
                return 0;
        default:            return wire(c, s, d, s->copy->wire);
        }
}

int storm_run(struct ctx *c, struct storm *s)
{
        struct event_ *all = arena_many(c->arena, struct event_, (size_t)MAX(s->n, 1));
        GROUP(g, c);
        if (!all) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory for the storm");
        s->begun_us = clock_us();
        for (int i = 0; i < s->n; i++) {
                all[i] = (struct event_){ s, &s->all[i] };
                TRY(group_go(g, disturb, &all[i]));
        }
        return group_wait(g);
}

int storm_calm(struct ctx *c, struct storm *s)
{
        proxy_cut(s->copy->wire, false);
        proxy_stall(s->copy->wire, false);
        proxy_delay(s->copy->wire, 0);
        for (int i = 0; i < SERVERS; i++) {
                struct server *v = &s->copy->servers[i];
                proxy_cut(v->proxy, false);
                proxy_stall(v->proxy, false);
                proxy_delay(v->proxy, 0);
                if (v->pid) kill(v->pid, SIGCONT);
        }
        for (int i = 0; i < SERVERS; i++) TRY(server_ready(c, s->copy, i));
        return 0;
}

void storm_tell(const struct storm *s, struct buf *out)
{
        bool first = true;
        for (int i = 0; i < KINDS; i++) {
                if (!s->done[i]) continue;
                buf_printf(out, "%s%d x %s", first ? "" : ", ", s->done[i], kinds[i].what);
                first = false;
        }
        if (first) buf_lit(out, "nothing");
}
