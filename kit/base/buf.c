/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * buf.c - bytes that grow at the end and are eaten at the front.
 *
 * Eating moves `start`. Live bytes are moved to the front only when at least as many have been eaten as live, so each byte
 * is moved at most once for a byte eaten; for that the memory may be twice the maximum of live bytes. */
#include "buf.h"
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include "arena.h"
#include "digits.h"

enum { FIRST_CAP = 256 };

void buf_init(struct buf *b, size_t max_bytes)
{
        *b = (struct buf)BUF_INIT(max_bytes);
}

void buf_done(struct buf *b)
{
        free(b->p);
        buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
        b->start = b->n = 0;
        b->failed = b->starved = false;
}

int buf_error(const struct buf *b)
{
        return b->failed ? -RESOURCE_EXHAUSTED : 0;
}

static void compact(struct buf *b)
{
        if (b->start && b->n) memmove(b->p, b->p + b->start, b->n);
        b->start = 0;
}

static bool resize(struct buf *b, size_t cap)
{
        char *p = alloc_should_fail() ? NULL : malloc(cap);
        if (!p) return false;
        if (b->n) memcpy(p, b->p + b->start, b->n);
        free(b->p);
        b->p = p;
        b->start = 0;
        b->cap = cap;
        return true;
}

char *buf_room_slow(struct buf *b, size_t want)
{
        if (b->failed || want > b->max - b->n) {
                b->failed = true;
                return NULL;
        }
        size_t need = b->n + want;
        if (b->p && b->start >= b->n && need <= b->cap) {
                compact(b);
                return b->p + b->n;
        }
        size_t most = b->max > SIZE_MAX / 2 ? SIZE_MAX : MAX(b->max * 2, (size_t)FIRST_CAP);
        size_t doubled = b->cap > most / 2 ? most : b->cap * 2;
        if (!resize(b, MAX(MAX(doubled, need), (size_t)FIRST_CAP))) {
                b->failed = b->starved = true;
                return NULL;
        }
        return b->p + b->n;
}

void buf_added(struct buf *b, size_t n)
{
        assert(n <= b->cap - b->start - b->n && n <= b->max - b->n);
        b->n += n;
}

void buf_eat(struct buf *b, size_t n)
{
        assert(n <= b->n);
        b->n -= n;
        b->start = b->n ? b->start + n : 0;
}

void buf_trim(struct buf *b, size_t keep_cap)
{
        if (b->cap <= keep_cap) return;
        size_t cap = MAX(b->n, keep_cap);
        if (cap == 0) {
                free(b->p);
                b->p = NULL;
                b->start = b->cap = 0;
        } else if (cap < b->cap) {
                compact(b);
                char *p = realloc(b->p, cap);           /* shrinking; when it fails the old memory stands */
                if (!p) return;
                b->p = p;
                b->cap = cap;
        }
}

void buf_lit(struct buf *b, const char *z)
{
        buf_add(b, str_of(z));
}

void buf_int(struct buf *b, int64_t v)
{
        char t[DIGITS_MAX];
        buf_add(b, (str){ t, put_i64(t, v) });
}

void buf_uid(struct buf *b, uid id)
{
        char t[37];
        uid_format(id, t);
        buf_add(b, (str){ t, 36 });
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
        char t[256];
        va_list again;
        va_copy(again, ap);
        int n = vsnprintf(t, sizeof t, fmt, ap);
        if (n < 0) {
                b->failed = true;
        } else if ((size_t)n < sizeof t) {
                buf_add(b, (str){ t, (size_t)n });
        } else {
                /* vsnprintf wants a byte for the NUL, which is not ours to keep and may not fit under the maximum */
                char *tail = alloc_should_fail() ? NULL : malloc((size_t)n + 1);
                if (tail && vsnprintf(tail, (size_t)n + 1, fmt, again) == n) buf_add(b, (str){ tail, (size_t)n });
                else b->failed = b->starved = true;             /* whatever it was, there was no memory for it */
                free(tail);
        }
        va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        buf_vprintf(b, fmt, ap);
        va_end(ap);
}

void buf_u32(struct buf *b, uint32_t v)
{
        v = htobe32(v);
        buf_add(b, (str){ (const char *)&v, sizeof v });
}

void buf_u64(struct buf *b, uint64_t v)
{
        v = htobe64(v);
        buf_add(b, (str){ (const char *)&v, sizeof v });
}
