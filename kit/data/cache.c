/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cache.c - see cache.h.
 *
 * An entry is one block of memory: its head, the message, then every text and list of it, so that it is freed at once and takes what it
 * needs and no more. Loads under way lie in a list (there are few); those who wait for one sleep on its flag and copy what it found. */
#include "cache.h"
#include "bound.h"
#include <stdlib.h>
#include "clock.h"
#include "fiber.h"
#include "map.h"
#include "sync.h"

struct entry { int64_t until_us; max_align_t msg[]; };

struct cache {
        const char  *name;
        const struct type *of;
        size_t       entries_max;
        int          ttl_ms;
        struct map  *map;
        struct link  all;               /* among this thread's caches                               */
        struct link  loads;
        uint64_t     hits, misses;
};

struct load {                           /* on the stack of the fiber that loads; those who wait are counted */
        struct link  link;
        str          key;
        bool         over, dropped;
        int          code;
        const struct ctx *c;            /* of who loads: its fault                                  */
        const void  *out;
        size_t       waiters;
        struct event_flag ended, left;
};

/* ---- a message in one block -------------------------------------------------------------------------------------------- */

enum { ALIGN = _Alignof(max_align_t) };
static size_t rounded(size_t n) { return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1); }

/* Calls itself for what lies below. Counts only while at is NULL; else puts everything at `at` and mends the pointers. returns bytes */
static size_t flatten(const struct type *t, void *msg, char *at);

static size_t flatten_value(const struct field *f, void *value, char *at)
{
        str *s = value;                 /* bytes lie in memory as a str does */
        struct any_list *list = value;
        size_t used = 0;
        switch (f->kind) {
        case K_STR: case K_BYTES:
                if (!s->p) return 0;
                if (at) {
                        if (s->n) memcpy(at, s->p, s->n);
                        at[s->n] = '\0';
                        s->p = at;
                }
                return rounded(s->n + 1);
        case K_MSG:
                return flatten(f->of, value, at);
        case K_LIST:
                used = rounded(list->n * f->of->size);
                if (at && list->n) memcpy(at, list->v, list->n * f->of->size);
                if (at) list->v = at;
                for (size_t i = 0; i < list->n; i++) {
                        void *element = list->v + i * f->of->size;
                        used += f->of->scalar ? flatten_value(f->of->scalar, element, at ? at + used : NULL)
                                              : flatten(f->of, element, at ? at + used : NULL);
                }
                return used;
        default:
                return 0;
        }
}

static size_t flatten(const struct type *t, void *msg, char *at)
{
        size_t used = 0;
        for (size_t i = 0; i < t->n; i++)
                used += flatten_value(&t->fields[i], (char *)msg + t->fields[i].offset, at ? at + used : NULL);
        return used;
}

static struct entry *entry_make(const struct cache *k, const void *msg)
{
        size_t size = rounded(k->of->size), more = flatten(k->of, (void *)msg, NULL);   /* only counts */
        struct entry *e = alloc_should_fail() ? NULL : malloc(sizeof *e + size + more);
        if (!e) return NULL;
        e->until_us = deadline_in(k->ttl_ms);
        memcpy(e->msg, msg, k->of->size);
        flatten(k->of, e->msg, (char *)e->msg + size);
        return e;
}

static _Thread_local struct link caches;

/* ---- put and get -------------------------------------------------------------------------------------------------------- */

struct cache *cache_open(const char *name, const struct type *of, size_t entries_max, int ttl_ms)
{
        struct cache *k = calloc(1, sizeof *k);
        if (!k) abort();
        *k = (struct cache){ .name = name, .of = of, .entries_max = entries_max, .ttl_ms = ttl_ms, .map = map_new(entries_max, MAP_EVICTS, free) };
        list_init(&k->loads);
        if (!caches.next) list_init(&caches);
        list_push(&caches, &k->all);
        return k;
}

void cache_close(struct cache **k)
{
        if (!k || !*k) return;
        assert(list_is_empty(&(*k)->loads));
        map_free((*k)->map);
        link_remove(&(*k)->all);
        free(take(k));
}

static const struct entry *fresh(struct cache *k, str key)
{
        const struct entry *e = map_get(k->map, key);
        if (e && e->until_us <= clock_us()) {
                free(map_take(k->map, key));
                e = NULL;
        }
        return e;
}

const void *cache_get(struct cache *k, str key)
{
        const struct entry *e = fresh(k, key);
        if (e) k->hits++;
        else k->misses++;
        return e ? e->msg : NULL;
}

int cache_put(struct cache *k, str key, const void *msg)
{
        struct entry *e = entry_make(k, msg);
        if (map_count(k->map) >= k->entries_max && !map_get(k->map, key)) bound_reached(BOUND_CACHE_ENTRIES);
        if (!e || map_put(k->map, key, e) < 0) {
                free(e);
                return -RESOURCE_EXHAUSTED;
        }
        return 0;
}

void cache_drop(struct cache *k, str key)
{
        LIST_EACH(at, &k->loads) {
                struct load *l = CONTAINER(at, struct load, link);
                if (str_eq(l->key, key)) l->dropped = true;
        }
        free(map_take(k->map, key));
}

struct cache_stats cache_stats(const struct cache *k)
{
        return (struct cache_stats){ k->name, k->hits, k->misses, map_count(k->map), k->entries_max };
}

void caches_each(void (*fn)(const struct cache_stats *s, void *arg), void *arg)
{
        if (!caches.next) return;
        LIST_EACH(at, &caches) {
                struct cache_stats s = cache_stats(CONTAINER(at, struct cache, all));
                fn(&s, arg);
        }
}

/* ---- fetching through ------------------------------------------------------------------------------------------------------ */

static int copy_out(struct ctx *c, const struct cache *k, const void *msg, void *out)
{
        if (msg_copy(c->arena, k->of, msg, out) == 0) return 0;
        return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for what is kept in %s", k->name);
}

/* A load that is still wanted: after cache_drop() a new one must be made. */
static struct load *under_way(const struct cache *k, str key)
{
        LIST_EACH(at, &k->loads) {
                struct load *l = CONTAINER(at, struct load, link);
                if (str_eq(l->key, key) && !l->dropped) return l;
        }
        return NULL;
}

/* returns what the load returned; -ABORTED: it ended for a reason of its own fiber, try again */
static int wait_for(struct ctx *c, const struct cache *k, struct load *l, void *out)
{
        int code = 0;
        l->waiters++;
        while (!l->over && code == 0)
                code = event_flag_wait(c, &l->ended);
        if (l->over) {
                code = l->code;
                if (code == 0) code = copy_out(c, k, l->out, out);
                else if (code == -DEADLINE_EXCEEDED || code == -CANCELLED) code = -ABORTED;
                else fault_copy(c, l->c);
        }
        if (--l->waiters == 0) event_flag_signal(&l->left);
        return code;
}

/* Loads for everybody; leaves only when all who waited have their copy, since they copy from this stack. */
static int load_for_all(struct ctx *c, struct cache *k, str key, int (*load)(struct ctx *c, const void *arg, void *out),
                        const void *arg, void *out)
{
        struct load l = { .key = key, .c = c, .out = out };
        event_flag_init(&l.ended);
        event_flag_init(&l.left);
        list_push(&k->loads, &l.link);
        int code = load(c, arg, out);
        l.code = MIN(code, 0);
        link_remove(&l.link);
        l.over = true;
        if (l.code == 0 && !l.dropped) (void)!cache_put(k, key, out);   /* no room: then it is not kept */
        event_flag_signal(&l.ended);
        struct ctx firm = { .arena = c->arena };
        while (l.waiters && event_flag_wait(&firm, &l.left) == 0) {}
        while (l.waiters) fiber_yield();        /* cancelled: they are awake and about to leave */
        return l.code;
}

int cache_once(struct ctx *c, struct cache *k, str key, int (*load)(struct ctx *c, const void *arg, void *out), const void *arg, void *out)
{
        for (;;) {
                const void *msg = cache_get(k, key);
                if (msg) return copy_out(c, k, msg, out);
                struct load *l = under_way(k, key);
                if (!l) return load_for_all(c, k, key, load, arg, out);
                int code = wait_for(c, k, l, out);
                if (code != -ABORTED) return code;
        }
}
