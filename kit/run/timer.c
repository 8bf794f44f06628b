/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * timer.c - a binary heap of timers that know their slot, so that removing one costs no search.
 *
 * Slots run from 1; slot k has children 2k and 2k+1 (Williams, Algorithm 232). Threads: one loop. */
#include <stdlib.h>
#include "inside.h"

static void put(struct timers *h, uint32_t slot, struct timer *t)
{
        h->v[slot] = t;
        t->slot = slot;
}

static void rise(struct timers *h, struct timer *t, uint32_t slot)
{
        for (; slot > 1 && h->v[slot / 2]->at_us > t->at_us; slot /= 2)
                put(h, slot, h->v[slot / 2]);
        put(h, slot, t);
}

static void sink(struct timers *h, struct timer *t, uint32_t slot)
{
        for (uint32_t child; (child = slot * 2) <= h->n; slot = child) {
                if (child < h->n && h->v[child + 1]->at_us < h->v[child]->at_us) child++;
                if (h->v[child]->at_us >= t->at_us) break;
                put(h, slot, h->v[child]);
        }
        put(h, slot, t);
}

bool timers_reserve(struct timers *h, uint32_t n)
{
        if (n < h->cap) return true;
        uint32_t cap = MAX(64u, h->cap * 2);
        while (cap <= n) cap *= 2;
        struct timer **v = alloc_should_fail() ? NULL : realloc(h->v, cap * sizeof *v);
        if (!v) return false;
        h->v = v;
        h->cap = cap;
        return true;
}

void timers_push(struct timers *h, struct timer *t)
{
        assert(t->slot == 0 && h->n + 1 < h->cap);
        rise(h, t, ++h->n);
}

void timers_remove(struct timers *h, struct timer *t)
{
        uint32_t slot = t->slot;
        if (slot == 0) return;
        t->slot = 0;
        struct timer *last = h->v[h->n--];
        if (last == t) return;
        if (slot > 1 && h->v[slot / 2]->at_us > last->at_us)
                rise(h, last, slot);
        else
                sink(h, last, slot);
}

void timers_move(struct timers *h, struct timer *t, int64_t at_us)
{
        timers_remove(h, t);
        t->at_us = at_us;
        timers_push(h, t);
}

void timers_done(struct timers *h)
{
        free(h->v);
        *h = (struct timers){ 0 };
}
