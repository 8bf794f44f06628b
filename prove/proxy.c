/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * proxy.c - a TCP proxy whose wire can be cut, delayed and stalled while it is in use.
 *
 * Two fibers a connection, one a direction. A cut resets both ends, as a pulled cable and an impatient kernel would. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fiber.h"
#include "io.h"
#include "prove.h"

struct link_ { struct proxy *proxy; struct sock *ends[2]; int pumps; struct link_ *next; };
struct pump  { struct link_ *link; int from; };

struct proxy {
        char   host[200]; int port;
        struct listener *listener;
        struct link_ *links;
        bool   cut, stalled, closing, accepting;
        int    delay_ms, open;
};

static void link_abort(struct link_ *l)
{
        for (int i = 0; i < 2; i++)
                if (l->ends[i]) sock_abort(l->ends[i]);
}

static void link_free(struct link_ *l)
{
        struct link_ **at = &l->proxy->links;
        while (*at != l) at = &(*at)->next;
        *at = l->next;
        l->proxy->open--;
        sock_close(&l->ends[0]);
        sock_close(&l->ends[1]);
        free(l);
}

static bool hold_back(struct proxy *p)
{
        if (p->delay_ms && fiber_sleep(NULL, p->delay_ms) < 0) return false;
        while (p->stalled && !p->cut && !p->closing)
                if (fiber_sleep(NULL, 5) < 0) return false;
        return !p->cut && !p->closing;
}

static void pump_run(void *arg)
{
        struct pump *u = arg;
        struct link_ *l = u->link;
        struct sock *from = l->ends[u->from], *to = l->ends[!u->from];
        char *bytes = malloc(65536);
        for (ptrdiff_t n; bytes && (n = sock_read(NULL, from, bytes, 65536)) > 0;)
                if (!hold_back(l->proxy) || sock_write_str(NULL, to, (str){ bytes, (size_t)n }) < 0) {
                        link_abort(l);
                        break;
                }
        sock_end(to);
        free(bytes);
        free(u);
        if (--l->pumps == 0) link_free(l);
}

static void pump_start(struct link_ *l, int from)
{
        struct pump *u = calloc(1, sizeof *u);
        if (!u) abort();
        *u = (struct pump){ l, from };
        l->pumps++;
        if (fiber_start("proxy", pump_run, u) < 0) abort();
}

static void link_run(void *arg)
{
        struct link_ *l = arg;
        struct arena *a = arena_new(64 * 1024);
        struct ctx c = { .arena = a };
        int r = l->proxy->cut ? -UNAVAILABLE : sock_connect(&c, str_of(l->proxy->host), l->proxy->port, &l->ends[1]);
        arena_free(a);
        if (r < 0 || l->proxy->cut || l->proxy->closing) {
                link_free(l);
                return;
        }
        l->pumps = 1;                                   /* held while both are started */
        pump_start(l, 0);
        pump_start(l, 1);
        if (--l->pumps == 0) link_free(l);
}

static void accept_run(void *arg)
{
        struct proxy *p = arg;
        struct arena *a = arena_new(64 * 1024);
        struct ctx c = { .arena = a };
        for (struct sock *s; listen_accept(&c, p->listener, &s) == 0;) {
                struct link_ *l = calloc(1, sizeof *l);
                if (!l) abort();
                *l = (struct link_){ .proxy = p, .ends = { s, NULL }, .next = p->links };
                p->links = l;
                p->open++;
                if (fiber_start("proxy", link_run, l) < 0) link_free(l);
        }
        arena_free(a);
        p->accepting = false;
}

int proxy_open(struct ctx *c, const char *host, int port, struct proxy **out)
{
        struct proxy *p = calloc(1, sizeof *p);
        if (!p) abort();
        p->port = port;
        snprintf(p->host, sizeof p->host, "%s", host);
        int r = listen_open(c, STR("127.0.0.1"), 0, 1024, &p->listener);
        if (r == 0) r = fiber_start("proxy", accept_run, p);
        if (r < 0) {
                free(p);
                return r;
        }
        p->accepting = true;
        *out = p;
        return 0;
}

static void abort_all(struct proxy *p)
{
        for (struct link_ *l = p->links; l; l = l->next) link_abort(l);
}

void proxy_close(struct proxy **pp)
{
        struct proxy *p = *pp;
        if (!p) return;
        p->closing = true;
        listen_close(&p->listener);
        while (p->accepting || p->open) {
                abort_all(p);
                if (fiber_sleep(NULL, 2) < 0) break;
        }
        free(p);
        *pp = NULL;
}

int  proxy_port(const struct proxy *p)                  { return listen_port(p->listener); }
void proxy_delay(struct proxy *p, int ms)               { p->delay_ms = ms; }
void proxy_stall(struct proxy *p, bool on)              { p->stalled = on; }

void proxy_cut(struct proxy *p, bool on)
{
        p->cut = on;
        if (on) abort_all(p);
}
