/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * buf.h - bytes that grow at the end and are eaten at the front.
 *
 * A buf is born with a maximum and carries a sticky error: append a hundred times, check once. After a failed append
 * it is unchanged and every later append fails too, until buf_clear() or buf_done(). Memory is malloc's and is owned by
 * the buf. Threads: one at a time. */
#ifndef BUF_H
#define BUF_H
#include <stdarg.h>
#include "base.h"

struct buf {
        char  *p;               /* owned; the live bytes are p[start .. start+n)      */
        size_t start, n, cap;
        size_t max;             /* live bytes never pass this                         */
        bool   failed, starved; /* sticky: the maximum was passed or memory ran out; the latter */
};
#define BUF_INIT(max_bytes) { .max = (max_bytes) }

void  buf_init(struct buf *b, size_t max_bytes);
void  buf_done(struct buf *b);                          /* frees; the buf may be used again                         */
void  buf_clear(struct buf *b);                         /* n = 0, error gone, memory kept                           */
static inline str buf_str(const struct buf *b)          { return (str){ b->p ? b->p + b->start : "", b->n }; }
int   buf_error(const struct buf *b);                   /* 0 or -RESOURCE_EXHAUSTED                                 */
static inline bool buf_is_starved(const struct buf *b)  { return b->starved; }  /* it was not the maximum: there is no memory */

/* Room for at least `want` more bytes, to be filled by the caller and then counted with buf_added(). NULL on failure. */
char *buf_room_slow(struct buf *b, size_t want);        /* when it is not there yet; use buf_room()                 */
static inline char *buf_room(struct buf *b, size_t want)
{
        size_t at = b->start + b->n;
        bool fits = b->p && !b->failed && want <= b->cap - at && want <= b->max - b->n;
        return LIKELY(fits) ? b->p + at : buf_room_slow(b, want);
}
void  buf_added(struct buf *b, size_t n);

static inline void buf_add(struct buf *b, str s)        /* s must not lie in b                                      */
{
        char *to = buf_room(b, s.n);
        if (!to || !s.n) return;
        memcpy(to, s.p, s.n);
        b->n += s.n;
}
static inline void buf_char(struct buf *b, char ch)
{
        char *to = buf_room(b, 1);
        if (!to) return;
        *to = ch;
        b->n++;
}
/* What was written to part has come into b in some shape: its error becomes b's. */
static inline void buf_heed(struct buf *b, const struct buf *part)
{
        b->failed |= part->failed;
        b->starved |= part->starved;
}
void  buf_lit(struct buf *b, const char *z);
void  buf_int(struct buf *b, int64_t v);                /* decimal                                                  */
void  buf_uid(struct buf *b, uid id);
void  buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void  buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
void  buf_u32(struct buf *b, uint32_t v);               /* big-endian                                               */
void  buf_u64(struct buf *b, uint64_t v);

void  buf_eat(struct buf *b, size_t n);                 /* drops n bytes from the front; O(1) amortised             */
void  buf_trim(struct buf *b, size_t keep_cap);         /* gives memory back when more than keep_cap is held        */
#endif
