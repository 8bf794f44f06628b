/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * group.c - fibers that end before the scope that started them.
 *
 * The first child that fails keeps its ctx until the group is joined, for its story goes to the parent only there: the parent
 * may be telling one of its own just now. All others give theirs back when they end. Threads: one loop. */
#include <stdlib.h>
#include "inside.h"

enum { CHILD_ARENA_BYTES = 1024 * 1024 };

struct child {
        struct link   link;             /* in the group, while it runs                              */
        struct group *group;
        struct fiber *fiber;            /* NULL until it runs                                       */
        struct ctx    c;
        int         (*fn)(struct ctx *c, void *arg);
        void         *arg;
};

struct group {
        struct ctx   *c;                /* the parent's                                             */
        struct link   running;
        struct fiber *joiner;
        struct child *failed;           /* the first that did; ended                                */
        int           result;           /* of the first failure                                     */
        bool          cancelled;
};

struct group *group_open(struct ctx *c)
{
        struct group *g = calloc(1, sizeof *g);
        assert(g);
        g->c = c;
        list_init(&g->running);
        return g;
}

static void cancel(struct group *g)
{
        g->cancelled = true;
        LIST_EACH(e, &g->running) {
                struct child *ch = CONTAINER(e, struct child, link);
                if (ch->fiber) fiber_cancel(ch->fiber);
        }
}

static struct child *child_free(struct child *ch)
{
        if (!ch) return NULL;
        arena_free(ch->c.arena);
        free(ch);
        return NULL;
}

static void run_child(void *arg)
{
        struct child *ch = arg;
        struct group *g = ch->group;
        ch->fiber = fiber_self();
        if (g->cancelled) fiber_cancel(ch->fiber);
        int r = ch->fn(&ch->c, ch->arg);
        link_remove(&ch->link);
        if (r < 0 && g->result == 0) {
                g->result = r;
                g->failed = ch;
                cancel(g);
        } else {
                child_free(ch);
        }
        if (g->joiner && (list_is_empty(&g->running) || g->result < 0)) fiber_wake(g->joiner);
}

int group_go(struct group *g, int (*fn)(struct ctx *c, void *arg), void *arg)
{
        struct child *ch = alloc_should_fail() ? NULL : calloc(1, sizeof *ch);
        struct arena *arena = ch ? arena_try(CHILD_ARENA_BYTES) : NULL;
        const struct ctx *p = g->c;
        if (!arena) ch = child_free(ch);
        if (ch) {
                ch->group = g;
                ch->fn = fn;
                ch->arg = arg;
                ch->c = (struct ctx){
                        .arena = arena, .deadline_us = p->deadline_us, .op = p->op, .caller = p->caller,
                        .trace = p->trace, .idempotency_key = p->idempotency_key, .unit = p->unit, .pg = p->pg,
                };
                list_push(&g->running, &ch->link);
                if (fiber_start(p->op ? p->op : "group", run_child, ch) == 0) return 0;
                link_remove(&ch->link);
                child_free(ch);
        }
        if (g->result == 0) {
                g->result = fail(g->c, RESOURCE_EXHAUSTED, "too_many_fibers", "no room for another fiber");
                cancel(g);
        }
        return -RESOURCE_EXHAUSTED;
}

static void join(struct group *g)
{
        g->joiner = fiber_self();
        while (!list_is_empty(&g->running)) fiber_park_firmly("group_wait");
        g->joiner = NULL;
}

int group_finish(struct group *g)
{
        join(g);
        if (g->failed) fault_copy(g->c, &g->failed->c);
        g->failed = child_free(g->failed);
        return g->result;
}

int group_wait(struct group *g)
{
        int verdict = 0;
        g->joiner = fiber_self();
        while (!list_is_empty(&g->running) && g->result == 0 && verdict == 0) verdict = fiber_wait(g->c, "group_wait");
        g->joiner = NULL;
        if (verdict < 0) cancel(g);
        int result = group_finish(g);
        return result < 0 ? result : wait_fault(g->c, verdict, "group_wait");
}

void group_close(struct group **gp)
{
        struct group *g = *gp;
        if (!g) return;
        *gp = NULL;
        if (!list_is_empty(&g->running)) cancel(g);
        join(g);
        child_free(g->failed);
        free(g);
}
