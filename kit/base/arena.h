/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * arena.h - memory that goes all at once.
 *
 * One arena a request, event or job; everything an operation makes comes from it, and nobody frees single things.
 * An arena is born with a maximum. Blocks come from a small per-thread store, so a request costs no malloc when warm.
 * Under AddressSanitizer the unused rest of each block is poisoned. Threads: an arena belongs to one fiber at a time. */
#ifndef ARENA_H
#define ARENA_H
#include <stdarg.h>
#include "base.h"

struct arena;

struct arena *arena_new(size_t max_bytes);              /* never NULL: out of memory at birth ends the process      */
struct arena *arena_try(size_t max_bytes);              /* the same for what can be refused: NULL when there is no memory */
struct arena *arena_free(struct arena *a);              /* takes NULL, returns NULL                                 */
static inline void arena_end(struct arena **a)          { *a = arena_free(*a); }        /* struct arena *a AUTO(arena_end) = ...; */
void   arena_reset(struct arena *a);                    /* all memory back, the first block kept                    */
size_t arena_used(const struct arena *a);               /* bytes handed out since birth or reset                    */

/* Zeroed memory, aligned for any type. Borrowed until the arena goes or is reset.
 *   returns  NULL when the maximum is passed; arena_is_exhausted() is then true until reset */
void  *arena_alloc(struct arena *a, size_t bytes);
bool   arena_is_exhausted(const struct arena *a);
#define arena_one(a, T)      ((T *)arena_alloc((a), sizeof(T)))
#define arena_many(a, T, n)  ((T *)arena_array((a), (n), sizeof(T)))
void  *arena_array(struct arena *a, size_t n, size_t size);   /* NULL too when n * size overflows                   */
void  *arena_grow(struct arena *a, void *p, size_t old_bytes, size_t new_bytes);   /* in place when p is the last thing made */
str    arena_str(struct arena *a, str s);               /* a copy, NUL after it; p NULL when the maximum is passed  */
char  *arena_z(struct arena *a, str s);                 /* the same as a C string                                   */
str    arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
str    arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF(2, 0);

/* For tests of every module: the n-th allocation from now on (of any arena, buf or map of this thread) fails; 0 ends it. */
void   alloc_fail_after(long n);
bool   alloc_failed(void);                              /* it has come to that since                                */
bool   alloc_should_fail(void);
#endif
