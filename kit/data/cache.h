/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cache.h - messages kept in memory for a while, of one worker: bounded, least recently used goes first, one load at a time a key.
 *
 * Threads: a cache belongs to its loop. */
#ifndef CACHE_H
#define CACHE_H
#include "ctx.h"
#include "type.h"

struct cache;
struct cache *cache_open(const char *name, const struct type *of, size_t entries_max, int ttl_ms);      /* name: a literal; never NULL */
void cache_close(struct cache **k);                             /* nobody may wait in cache_once; takes NULL and pointers to NULL */
/* The message under `key`: borrowed, valid until this fiber next waits or changes the cache (copy with msg_copy to keep). NULL: absent or too old. */
const void *cache_get(struct cache *k, str key);
int  cache_put(struct cache *k, str key, const void *msg);      /* deep copy, one block of memory; -RESOURCE_EXHAUSTED (not told) */
void cache_drop(struct cache *k, str key);                      /* a load of the key under way is not kept either   */
/* Fetches through: callers that miss the same key wait for one load (singleflight), of the first that came, with its ctx. *out is a copy in
 * c's arena. When that first one's own time is up or it is cancelled, the next one loads. Waits.
 *   load     fills *out; texts and lists in it may lie in its c's arena or anywhere that lives as long
 *   returns  0, or what load returned, fault and all (failures are not kept); -DEADLINE_EXCEEDED, -CANCELLED, -RESOURCE_EXHAUSTED */
int  cache_once(struct ctx *c, struct cache *k, str key, int (*load)(struct ctx *c, const void *arg, void *out),
                const void *arg, void *out);
struct cache_stats { const char *name; uint64_t hits, misses; size_t entries, entries_max; };
struct cache_stats cache_stats(const struct cache *k);
void caches_each(void (*fn)(const struct cache_stats *s, void *arg), void *arg);       /* those that this thread opened  */
#endif
