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
struct cache *cache_open(const char *name, const struct type *of, size_t entries_max, int ttl_ms);
void cache_close(struct cache **k);
/* The message under `key`: borrowed, valid until this fiber next waits (copy with msg_copy to keep). NULL: absent or too old. */
const void *cache_get(struct cache *k, str key);
int  cache_put(struct cache *k, str key, const void *msg);      /* deep copy; -RESOURCE_EXHAUSTED                   */
void cache_drop(struct cache *k, str key);
/* Fetches through: callers that miss the same key wait for one load (singleflight). *out is a copy in c's arena. Waits.
 *   returns  0, or what load returned (failures are not kept) */
int  cache_once(struct ctx *c, struct cache *k, str key, int (*load)(struct ctx *c, const void *arg, void *out), const void *arg, void *out);
struct cache_stats { const char *name; uint64_t hits, misses; size_t entries, entries_max; };
struct cache_stats cache_stats(const struct cache *k);
#endif
