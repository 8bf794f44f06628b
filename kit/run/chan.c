/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * chan.c - bounded queues between fibers of any loops.
 *
 * A waiter is a ticket and, for each channel it waits on, a seat in that channel's line. Whoever can serve a seat claims its
 * ticket once and for all (several channels may try), copies the item straight to or from the sleeping fiber's memory and
 * wakes it, all under the channel's lock; the owner leaves its seats under the same locks, so by then nobody touches them.
 * A select holds the locks of all its channels, taken in order of address, while it looks and while it sits down.
 *
 * Invariants: receivers wait only while the buffer is empty, senders only while it is full. */
#include <stdlib.h>
#include "chan.h"
#include "inside.h"

enum { SELECT_MAX = 16 };

struct ticket {
        struct fiber *fiber;
        struct loop  *home;
        atomic_int    won;              /* the case that was served; -1: none yet                   */
        int           result;
};

struct seat {
        struct link    link;
        struct ticket *ticket;
        int            index;           /* of the case                                              */
        const void    *send;            /* one of the two                                           */
        void          *recv;
};

struct chan {
        pthread_mutex_t lock;
        size_t          item_bytes, cap, first, n;
        bool            closed;
        struct link     senders, receivers;
        char            items[];
};

struct chan *chan_new(size_t capacity, size_t item_bytes)
{
        assert(item_bytes == 0 || capacity <= SIZE_MAX / 2 / item_bytes);
        struct chan *ch = calloc(1, sizeof *ch + capacity * item_bytes);
        assert(ch);
        pthread_mutex_init(&ch->lock, NULL);
        ch->item_bytes = item_bytes;
        ch->cap = capacity;
        list_init(&ch->senders);
        list_init(&ch->receivers);
        return ch;
}

struct chan *chan_free(struct chan *ch)
{
        if (!ch) return NULL;
        assert(list_is_empty(&ch->senders) && list_is_empty(&ch->receivers));
        pthread_mutex_destroy(&ch->lock);
        free(ch);
        return NULL;
}

/* ---- under the lock ------------------------------------------------------------------------------------------------------- */
static void copy(const struct chan *ch, void *to, const void *from)
{
        if (ch->item_bytes) memcpy(to, from, ch->item_bytes);
}

static char *slot(struct chan *ch, size_t i)
{
        return ch->items + (ch->first + i) % ch->cap * ch->item_bytes;
}

/* The first in line whose ticket nobody has claimed elsewhere, now claimed; NULL: none. */
static struct seat *claim_first(struct link *line)
{
        for (struct link *e; (e = list_pop(line));) {
                struct seat *s = CONTAINER(e, struct seat, link);
                int none = -1;
                if (atomic_compare_exchange_strong(&s->ticket->won, &none, s->index)) return s;
        }
        return NULL;
}

static void served(struct seat *s, int result)
{
        s->ticket->result = result;
        fiber_wake_from_anywhere(s->ticket->fiber, s->ticket->home);
}

/* 0, -FAILED_PRECONDITION closed, -RESOURCE_EXHAUSTED full */
static int send_now(struct chan *ch, const void *item)
{
        if (ch->closed) return -FAILED_PRECONDITION;
        struct seat *r = claim_first(&ch->receivers);
        if (r) {
                copy(ch, r->recv, item);
                served(r, 0);
                return 0;
        }
        if (ch->n == ch->cap) return -RESOURCE_EXHAUSTED;
        copy(ch, slot(ch, ch->n++), item);
        return 0;
}

/* 0, -OUT_OF_RANGE closed and drained, -NOT_FOUND empty */
static int recv_now(struct chan *ch, void *item)
{
        if (ch->n == 0) {
                struct seat *s = claim_first(&ch->senders);     /* of a channel without a buffer */
                if (!s) return ch->closed ? -OUT_OF_RANGE : -NOT_FOUND;
                copy(ch, item, s->send);
                served(s, 0);
                return 0;
        }
        copy(ch, item, slot(ch, 0));
        ch->first = (ch->first + 1) % ch->cap;
        ch->n--;
        struct seat *s = claim_first(&ch->senders);
        if (s) {
                copy(ch, slot(ch, ch->n++), s->send);
                served(s, 0);
        }
        return 0;
}

/* ---- without waiting ------------------------------------------------------------------------------------------------------ */
int chan_try_send(struct chan *ch, const void *item)
{
        pthread_mutex_lock(&ch->lock);
        int r = send_now(ch, item);
        pthread_mutex_unlock(&ch->lock);
        return r;
}

int chan_try_recv(struct chan *ch, void *item)
{
        pthread_mutex_lock(&ch->lock);
        int r = recv_now(ch, item);
        pthread_mutex_unlock(&ch->lock);
        return r;
}

void chan_close(struct chan *ch)
{
        pthread_mutex_lock(&ch->lock);
        ch->closed = true;
        for (struct seat *s; (s = claim_first(&ch->receivers));) served(s, -OUT_OF_RANGE);
        for (struct seat *s; (s = claim_first(&ch->senders));) served(s, -FAILED_PRECONDITION);
        pthread_mutex_unlock(&ch->lock);
}

size_t chan_count(struct chan *ch)
{
        pthread_mutex_lock(&ch->lock);
        size_t n = ch->n;
        pthread_mutex_unlock(&ch->lock);
        return n;
}

/* ---- waiting -------------------------------------------------------------------------------------------------------------- */
/* The channels of a select by address, each once: the order in which everybody takes locks. */
static size_t by_address(const struct chan_case *cases, size_t n, struct chan **out)
{
        size_t n_out = 0;
        for (size_t i = 0; i < n; i++) {
                size_t at = 0;
                while (at < n_out && (uintptr_t)out[at] < (uintptr_t)cases[i].ch) at++;
                if (at < n_out && out[at] == cases[i].ch) continue;
                memmove(&out[at + 1], &out[at], (n_out - at) * sizeof *out);
                out[at] = cases[i].ch;
                n_out++;
        }
        return n_out;
}

static void lock_all(struct chan **v, size_t n)
{
        for (size_t i = 0; i < n; i++) pthread_mutex_lock(&v[i]->lock);
}

static void unlock_all(struct chan **v, size_t n)
{
        for (size_t i = 0; i < n; i++) pthread_mutex_unlock(&v[i]->lock);
}

/* Tries each case once, from `first` on; its index, or -1 when none can go on. */
static int try_cases(struct chan_case *cases, size_t n, size_t first)
{
        for (size_t k = 0; k < n; k++) {
                struct chan_case *x = &cases[(first + k) % n];
                int r = x->send ? send_now(x->ch, x->send) : recv_now(x->ch, x->recv);
                if (r == -RESOURCE_EXHAUSTED || r == -NOT_FOUND) continue;
                x->result = r;
                return (int)((first + k) % n);
        }
        return -1;
}

static void sit_down(struct chan_case *cases, size_t n, struct seat *seats, struct ticket *t)
{
        for (size_t i = 0; i < n; i++) {
                struct chan_case *x = &cases[i];
                seats[i] = (struct seat){ .ticket = t, .index = (int)i, .send = x->send, .recv = x->recv };
                list_push(x->send ? &x->ch->senders : &x->ch->receivers, &seats[i].link);
        }
}

/* Which case is looked at first: xorshift32 (Marsaglia 2003), so that no case starves. */
static size_t any_of(size_t n)
{
        uint32_t x = loop_here->dice;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        loop_here->dice = x;
        return x % n;
}

static int select_of(struct ctx *c, struct chan_case *cases, size_t n, const char *where)
{
        struct chan *locks[SELECT_MAX];
        struct seat seats[SELECT_MAX];
        assert(n >= 1 && n <= SELECT_MAX);
        TRY(fiber_breathe(c, where));
        size_t n_locks = by_address(cases, n, locks);
        lock_all(locks, n_locks);
        int i = try_cases(cases, n, n > 1 ? any_of(n) : 0);
        if (i >= 0) {
                unlock_all(locks, n_locks);
                return i;
        }
        struct ticket t = { .fiber = fiber_self(), .home = loop_here };
        atomic_init(&t.won, -1);
        sit_down(cases, n, seats, &t);
        unlock_all(locks, n_locks);

        int verdict = 0;
        while (verdict == 0 && (i = atomic_load(&t.won)) < 0) verdict = fiber_wait(c, where);

        lock_all(locks, n_locks);
        for (size_t k = 0; k < n; k++) link_remove(&seats[k].link);
        unlock_all(locks, n_locks);
        i = atomic_load(&t.won);        /* final now, and the copy is done */
        if (i < 0) return wait_fault(c, verdict, where);
        cases[i].result = t.result;
        return i;
}

int chan_select(struct ctx *c, struct chan_case *cases, size_t n)
{
        return select_of(c, cases, n, "chan_select");
}

int chan_send(struct ctx *c, struct chan *ch, const void *item)
{
        struct chan_case x = { .ch = ch, .send = item ? item : "" };
        TRY(select_of(c, &x, 1, "chan_send"));
        return x.result;
}

int chan_recv(struct ctx *c, struct chan *ch, void *item)
{
        struct chan_case x = { .ch = ch, .recv = item };
        TRY(select_of(c, &x, 1, "chan_recv"));
        return x.result;
}
