/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sync.c - a mutex, a semaphore and an event. One idea: whoever gives hands over directly to the first who waits, so nobody
 * can slip in between; a waiter that was served is served, even when its deadline passed in the same moment. */
#include "inside.h"
#include "sync.h"

static int wait_in(struct ctx *c, struct link *waiters, const char *where)
{
        struct fiber *f = fiber_self();
        int verdict = 0;
        f->served = false;
        list_push(waiters, &f->line);
        while (!f->served && verdict == 0) verdict = fiber_wait(c, where);
        link_remove(&f->line);          /* whoever served it has done so already */
        return f->served ? 0 : wait_fault(c, verdict, where);
}

static bool serve_first(struct link *waiters)
{
        struct link *e = list_pop(waiters);
        if (!e) return false;
        struct fiber *f = CONTAINER(e, struct fiber, line);
        f->served = true;
        fiber_wake(f);
        return true;
}

void mutex_init(struct mutex *m)
{
        m->held = false;
        list_init(&m->waiters);
}

int mutex_lock(struct ctx *c, struct mutex *m)
{
        if (m->held) return wait_in(c, &m->waiters, "mutex_lock");
        m->held = true;
        return 0;
}

void mutex_unlock(struct mutex *m)
{
        assert(m->held);
        if (!serve_first(&m->waiters)) m->held = false;
}

void sem_setup(struct sem *s, int free)
{
        s->free = free;
        list_init(&s->waiters);
}

int sem_take(struct ctx *c, struct sem *s)
{
        return sem_try(s) ? 0 : wait_in(c, &s->waiters, "sem_take");
}

bool sem_try(struct sem *s)
{
        if (s->free <= 0) return false;
        s->free--;
        return true;
}

void sem_give(struct sem *s)
{
        if (!serve_first(&s->waiters)) s->free++;
}

void event_flag_init(struct event_flag *e)
{
        list_init(&e->waiters);
}

int event_flag_wait(struct ctx *c, struct event_flag *e)
{
        return wait_in(c, &e->waiters, "event_flag_wait");
}

void event_flag_signal(struct event_flag *e)
{
        while (serve_first(&e->waiters)) continue;
}
