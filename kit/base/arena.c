/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * arena.c - memory that goes all at once.
 *
 * An arena is a chain of blocks, newest first, and a bump pointer into the newest; the arena itself lies at the start of its
 * first block. Blocks double from 8 to 64 KiB and come from a store of this thread, so that a warm request makes no malloc.
 * What is too big for that gets a block of its own behind the newest. `end` is the end of the newest block or of what the
 * maximum still allows, whichever comes first, so the usual allocation is one comparison. */
#include "arena.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "bound.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(WITH_ASAN)
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum {
        ALIGN       = 16,
        SIZE_LEAST  = 8192,             /* of a block, with its head */
        SIZES       = 4,                /* 8, 16, 32 and 64 KiB */
        SIZE_MOST   = SIZE_LEAST << (SIZES - 1),
        KEEP_BYTES  = 512 * 1024,       /* of each size, by a thread */
};

struct block {
        struct block *older;
        size_t        size;             /* with this head */
};

struct arena {
        char         *at, *end;         /* free memory of the newest block that the maximum allows */
        char         *from;             /* where the newest block's memory begins                  */
        struct block *newest, *first;
        size_t        before;           /* bytes handed out of other blocks than the newest        */
        size_t        max;
        bool          exhausted;
};

#define ROUND(n) (((n) + ALIGN - 1) & ~(size_t)(ALIGN - 1))
#define BLOCK_HEAD ROUND(sizeof(struct block))
#define ARENA_HEAD ROUND(sizeof(struct arena))

/* ---- failing on purpose ------------------------------------------------------------------------------------------ */

static __thread long fail_countdown;
static __thread bool has_failed;

void alloc_fail_after(long n)
{
        fail_countdown = n;
        has_failed = false;
}

bool alloc_failed(void)       { return has_failed; }
bool alloc_should_fail(void)  { return UNLIKELY(fail_countdown > 0) && --fail_countdown == 0 && (has_failed = true); }

/* ---- the thread's store of blocks --------------------------------------------------------------------------------- */

static __thread struct { struct block *top[SIZES]; unsigned n[SIZES]; bool watched; } store;
static pthread_key_t  store_key;
static pthread_once_t store_once = PTHREAD_ONCE_INIT;

static int size_class(size_t size)
{
        for (int i = 0; i < SIZES; i++)
                if (size == (size_t)SIZE_LEAST << i) return i;
        return -1;
}

static void store_empty(void *unused)
{
        (void)unused;
        for (int i = 0; i < SIZES; i++) {
                while (store.top[i]) {
                        struct block *b = store.top[i];
                        UNPOISON(b, b->size);
                        store.top[i] = b->older;
                        free(b);
                }
                store.n[i] = 0;
        }
}

static void store_key_make(void)
{
        if (pthread_key_create(&store_key, store_empty) != 0) abort();
}

/* A thread that ends gives its store back: the key's destructor runs then. */
static void store_watch(void)
{
        pthread_once(&store_once, store_key_make);
        store.watched = pthread_setspecific(store_key, &store) == 0;
}

static struct block *block_get(size_t size)
{
        int i = size_class(size);
        struct block *b = i >= 0 ? store.top[i] : NULL;
        if (b) {
                store.top[i] = b->older;
                store.n[i]--;
        } else {
                b = malloc(size);
                if (!b) return NULL;
                b->size = size;
        }
        POISON((char *)b + BLOCK_HEAD, size - BLOCK_HEAD);
        return b;
}

static void block_put(struct block *b)
{
        int i = size_class(b->size);
        if (UNLIKELY(!store.watched)) store_watch();
        bool full = i >= 0 && store.n[i] >= (unsigned)KEEP_BYTES / b->size;
        if (full) bound_reached(BOUND_ARENA_STORE);
        if (i < 0 || !store.watched || full) {
                UNPOISON(b, b->size);
                free(b);
                return;
        }
        b->older = store.top[i];
        store.top[i] = b;
        store.n[i]++;
        POISON((char *)b + BLOCK_HEAD, b->size - BLOCK_HEAD);   /* the head stays open: the leak checker follows it */
}

/* ---- arenas --------------------------------------------------------------------------------------------------------- */

/* Makes b the block to hand out of. */
static void block_use(struct arena *a, struct block *b, char *from)
{
        size_t left = a->max - a->before, there = (size_t)((char *)b + b->size - from);
        a->newest = b;
        a->from = a->at = from;
        a->end = from + MIN(left, there);
}

static struct arena *arena_make(size_t max_bytes)
{
        struct block *b = block_get(SIZE_LEAST);
        if (!b) return NULL;
        b->older = NULL;
        struct arena *a = (struct arena *)((char *)b + BLOCK_HEAD);
        UNPOISON(a, ARENA_HEAD);
        *a = (struct arena){ .first = b, .max = max_bytes };
        block_use(a, b, (char *)a + ARENA_HEAD);
        return a;
}

struct arena *arena_try(size_t max_bytes)
{
        return alloc_should_fail() ? NULL : arena_make(max_bytes);
}

struct arena *arena_new(size_t max_bytes)
{
        struct arena *a = arena_make(max_bytes);
        if (a) return a;
        fputs("out of memory\n", stderr);
        abort();
}

/* Gives all blocks back but `keep`, which may be NULL. */
static void blocks_put(struct block *b, const struct block *keep)
{
        while (b) {
                struct block *older = b->older;
                if (b != keep) block_put(b);
                b = older;
        }
}

struct arena *arena_free(struct arena *a)
{
        if (a) blocks_put(a->newest, NULL);
        return NULL;
}

void arena_reset(struct arena *a)
{
        char *from = (char *)a + ARENA_HEAD;
        blocks_put(a->newest, a->first);
        a->first->older = NULL;
        POISON(from, (size_t)((char *)a->first + a->first->size - from));
        a->before = 0;
        a->exhausted = false;
        block_use(a, a->first, from);
}

size_t arena_used(const struct arena *a)
{
        return a->before + (size_t)(a->at - a->from);
}

static void *exhaust(struct arena *a)
{
        a->exhausted = true;
        return NULL;
}

static void *bump(struct arena *a, char *p, size_t n)
{
        a->at = p + n;
        UNPOISON(p, n);
        return p;
}

/* A block of its own behind the newest, which goes on being used. */
static void *alone(struct arena *a, size_t n)
{
        if (n > SIZE_MAX - BLOCK_HEAD) return exhaust(a);
        struct block *b = block_get(BLOCK_HEAD + n);
        if (!b) return exhaust(a);
        b->older = a->newest->older;
        a->newest->older = b;
        a->before += n;
        a->end = a->at + MIN((size_t)(a->end - a->at), a->max - arena_used(a));
        UNPOISON((char *)b + BLOCK_HEAD, n);
        return (char *)b + BLOCK_HEAD;
}

/* The newest block is too full, or the maximum too near. */
static void *take_slow(struct arena *a, size_t n)
{
        size_t used = arena_used(a);
        if (n > a->max - used) return exhaust(a);
        if (n > SIZE_MOST / 4) return alone(a, n);
        size_t size = MIN(a->newest->size * 2, (size_t)SIZE_MOST);
        while (size - BLOCK_HEAD < n) size *= 2;
        struct block *b = block_get(MAX(size, (size_t)SIZE_LEAST));
        if (!b) return exhaust(a);
        b->older = a->newest;
        a->before = used;
        block_use(a, b, (char *)b + BLOCK_HEAD);
        return bump(a, a->at, n);
}

/* Memory as it comes: not zeroed, at any address when align is 1. */
static inline void *take_bytes(struct arena *a, size_t n, size_t align)
{
        size_t pad = -(uintptr_t)a->at & (align - 1), left = (size_t)(a->end - a->at);
        if (UNLIKELY(alloc_should_fail())) return exhaust(a);
        if (LIKELY(pad <= left && n <= left - pad)) return bump(a, a->at + pad, n);
        return take_slow(a, n);
}

void *arena_alloc(struct arena *a, size_t bytes)
{
        void *p = take_bytes(a, bytes, ALIGN);
        return LIKELY(p != NULL) ? memset(p, 0, bytes) : NULL;
}

bool arena_is_exhausted(const struct arena *a)
{
        return a->exhausted;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
        size_t bytes;
        return __builtin_mul_overflow(n, size, &bytes) ? exhaust(a) : arena_alloc(a, bytes);
}

void *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes)
{
        if (new_bytes <= old_bytes && p) return p;
        size_t more = new_bytes - old_bytes;
        if (p && (char *)p + old_bytes == a->at && more <= (size_t)(a->end - a->at)) {
                if (alloc_should_fail()) return exhaust(a);
                memset(bump(a, a->at, more), 0, more);
                return p;
        }
        char *q = take_bytes(a, new_bytes, ALIGN);
        if (!q) return NULL;
        if (old_bytes) memcpy(q, p, old_bytes);
        memset(q + old_bytes, 0, more);
        return q;
}

str arena_str(struct arena *a, str s)
{
        char *p = take_bytes(a, s.n + 1, 1);
        if (!p) return (str){ NULL, 0 };
        if (s.n) memcpy(p, s.p, s.n);
        p[s.n] = '\0';
        return (str){ p, s.n };
}

char *arena_z(struct arena *a, str s)
{
        return (char *)arena_str(a, s).p;
}

str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
        char t[256];
        va_list again;
        va_copy(again, ap);
        int n = vsnprintf(t, sizeof t, fmt, ap);
        str s = { NULL, 0 };
        if (n < 0) {
                exhaust(a);
        } else if ((size_t)n < sizeof t) {
                s = arena_str(a, (str){ t, (size_t)n });
        } else {
                char *p = take_bytes(a, (size_t)n + 1, 1);
                if (p && vsnprintf(p, (size_t)n + 1, fmt, again) == n) s = (str){ p, (size_t)n };
        }
        va_end(again);
        return s;
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        str s = arena_vprintf(a, fmt, ap);
        va_end(ap);
        return s;
}
