/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * map.c - a hash map from bytes to pointers.
 *
 * Slots hold a hash and an entry, probed linearly, at most three quarters full; a removal shifts what follows back, so there are
 * no tombstones and a lookup ends at the first empty slot. Entries lie on a ring from the least to the most recently used
 * (in order of insertion when the map refuses). */
#include "map.h"
#include <stdio.h>
#include <stdlib.h>
#include "arena.h"
#include "hash.h"
#include "list.h"

enum { SLOTS_FIRST = 16 };              /* a power of two, as all sizes */

struct entry {
        struct link age;
        uint64_t    hash;
        void       *value;
        size_t      n;
        char        key[];
};

struct slot { uint64_t hash; struct entry *e; };        /* e NULL: empty */

struct map {
        struct slot *slots;
        size_t       mask, n, max;
        enum map_full full;
        void       (*drop)(void *value);
        struct link  ages;              /* oldest first */
};

static struct map *map_make(size_t max, enum map_full full, void (*drop)(void *value))
{
        assert(max > 0);
        struct map *m = calloc(1, sizeof *m);
        struct slot *slots = calloc(SLOTS_FIRST, sizeof *slots);
        if (!m || !slots) {
                free(m);
                free(slots);
                return NULL;
        }
        *m = (struct map){ .slots = slots, .mask = SLOTS_FIRST - 1, .max = max, .full = full, .drop = drop };
        list_init(&m->ages);
        return m;
}

struct map *map_try(size_t max, enum map_full full, void (*drop)(void *value))
{
        return alloc_should_fail() ? NULL : map_make(max, full, drop);
}

struct map *map_new(size_t max, enum map_full full, void (*drop)(void *value))
{
        struct map *m = map_make(max, full, drop);
        if (m) return m;
        fputs("out of memory\n", stderr);
        abort();
}

static void drop(const struct map *m, void *value)
{
        if (m->drop) m->drop(value);
}

struct map *map_free(struct map *m)
{
        if (!m) return NULL;
        LIST_EACH(link, &m->ages) {
                struct entry *e = CONTAINER(link, struct entry, age);
                drop(m, e->value);
                free(e);
        }
        free(m->slots);
        free(m);
        return NULL;
}

size_t map_count(const struct map *m)
{
        return m->n;
}

/* The slot of the key, or the empty one where it would go. */
static struct slot *find(const struct map *m, str key, uint64_t hash)
{
        for (size_t i = hash & m->mask;; i = (i + 1) & m->mask) {
                struct slot *s = &m->slots[i];
                if (!s->e) return s;
                if (s->hash == hash && s->e->n == key.n && (!key.n || !memcmp(s->e->key, key.p, key.n))) return s;
        }
}

static void touch(struct map *m, struct entry *e)
{
        if (m->full != MAP_EVICTS || m->ages.prev == &e->age) return;
        link_remove(&e->age);
        list_push(&m->ages, &e->age);
}

void *map_get(struct map *m, str key)
{
        struct entry *e = find(m, key, hash_quick(key))->e;
        if (!e) return NULL;
        touch(m, e);
        return e->value;
}

/* Empties a slot: each follower that may lie nearer to its home moves into the gap. */
static void *empty_slot(struct map *m, struct slot *s)
{
        struct entry *e = s->e;
        void *value = e->value;
        size_t gap = (size_t)(s - m->slots);
        link_remove(&e->age);
        free(e);
        m->n--;
        for (size_t i = (gap + 1) & m->mask; m->slots[i].e; i = (i + 1) & m->mask) {
                size_t from_home = (i - m->slots[i].hash) & m->mask, from_gap = (i - gap) & m->mask;
                if (from_home < from_gap) continue;
                m->slots[gap] = m->slots[i];
                gap = i;
        }
        m->slots[gap] = (struct slot){ 0 };
        return value;
}

static int widen(struct map *m)
{
        size_t n = (m->mask + 1) * 2;
        struct slot *wide = alloc_should_fail() ? NULL : calloc(n, sizeof *wide);
        if (!wide) return -RESOURCE_EXHAUSTED;
        LIST_EACH(link, &m->ages) {
                struct entry *e = CONTAINER(link, struct entry, age);
                size_t i = e->hash & (n - 1);
                while (wide[i].e) i = (i + 1) & (n - 1);
                wide[i] = (struct slot){ e->hash, e };
        }
        free(m->slots);
        m->slots = wide;
        m->mask = n - 1;
        return 0;
}

static struct entry *entry_new(str key, uint64_t hash, void *value)
{
        struct entry *e = alloc_should_fail() ? NULL : malloc(sizeof *e + key.n);
        if (!e) return NULL;
        *e = (struct entry){ .hash = hash, .value = value, .n = key.n };
        if (key.n) memcpy(e->key, key.p, key.n);
        return e;
}

void *map_take_oldest(struct map *m)
{
        if (list_is_empty(&m->ages)) return NULL;
        struct entry *oldest = CONTAINER(m->ages.next, struct entry, age);
        return empty_slot(m, find(m, (str){ oldest->key, oldest->n }, oldest->hash));
}

int map_put(struct map *m, str key, void *value)
{
        uint64_t hash = hash_quick(key);
        struct entry *there = find(m, key, hash)->e;
        if (there) {
                void *old = there->value;
                there->value = value;
                touch(m, there);
                if (old != value) drop(m, old);
                return 0;
        }
        if (m->n >= m->max && m->full == MAP_REFUSES) return -RESOURCE_EXHAUSTED;
        if (m->n < m->max && (m->n + 1) * 4 > (m->mask + 1) * 3) TRY(widen(m));
        struct entry *e = entry_new(key, hash, value);
        if (!e) return -RESOURCE_EXHAUSTED;
        void *evicted = NULL;
        bool evicts = m->n >= m->max;
        if (evicts) evicted = map_take_oldest(m);
        *find(m, key, hash) = (struct slot){ hash, e };
        list_push(&m->ages, &e->age);
        m->n++;
        if (evicts) drop(m, evicted);
        return 0;
}

void *map_take(struct map *m, str key)
{
        struct slot *s = find(m, key, hash_quick(key));
        return s->e ? empty_slot(m, s) : NULL;
}

void map_each(struct map *m, void (*fn)(str key, void *value, void *arg), void *arg)
{
        LIST_EACH(link, &m->ages) {
                struct entry *e = CONTAINER(link, struct entry, age);
                fn((str){ e->key, e->n }, e->value, arg);
        }
}
