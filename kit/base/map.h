/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * map.h - a hash map from bytes to pointers, with a maximum and, if wanted, the least recently used entry going first.
 *
 * Open addressing, SipHash-1-3 under a per-process key (so a client cannot choose collisions). Keys are copied. Values
 * are borrowed; `drop` is told when an entry goes. Threads: one at a time. */
#ifndef MAP_H
#define MAP_H
#include "base.h"

struct map;
enum map_full { MAP_REFUSES, MAP_EVICTS };              /* when max is reached */

struct map *map_new(size_t max, enum map_full full, void (*drop)(void *value));   /* drop may be NULL; never NULL   */
struct map *map_try(size_t max, enum map_full full, void (*drop)(void *value));   /* NULL when there is no memory   */
struct map *map_free(struct map *m);                    /* takes NULL, returns NULL; drops every value              */
size_t map_count(const struct map *m);
void  *map_get(struct map *m, str key);                 /* NULL when absent; refreshes its age                      */
/* Puts or replaces (an old value that is another is dropped). -RESOURCE_EXHAUSTED when full and refusing or out of memory:
 * the map is then unchanged and `value` still the caller's. */
int    map_put(struct map *m, str key, void *value);
void  *map_take(struct map *m, str key);                /* removes without dropping; NULL when absent               */
void  *map_take_oldest(struct map *m);                 /* the same of the one used (refusing: put) longest ago; NULL when empty */
void   map_each(struct map *m, void (*fn)(str key, void *value, void *arg), void *arg);   /* oldest first; fn must not change the map */
static inline str uid_key(const uid *id)                { return (str){ (const char *)id->b, 16 }; }
#endif
