/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * uid.c - UUIDs (RFC 9562): version 7 made, any version read and written.
 *
 * Each thread keeps the last id it made: 48 bits of milliseconds and 74 random bits. Within a millisecond (or while the
 * clock stands or runs backwards) the 74 bits rise by a random step, section 6.2 method 2, so a thread's ids strictly
 * rise; between threads and processes they differ because each millisecond begins at a fresh random point.
 * Random bytes are fetched by the half kilobyte: a system call an id would cost more than the rest of it. */
#include <endian.h>
#include <pthread.h>
#include <sodium.h>
#include "base.h"

#define LOW_BITS   62
#define LOW_MASK   ((1ull << LOW_BITS) - 1)
#define HIGH_MASK  0xfffull
#define MS_MASK    ((1ull << 48) - 1)

static __thread struct {
        uint64_t ms, high, low;         /* of the last id: 48, 12 and 62 bits       */
        size_t   left;                  /* unused bytes at the end of pool          */
        uint8_t  pool[512];
} mine;

static pthread_once_t fork_watched = PTHREAD_ONCE_INIT;

/* A forked child must not draw what its parent draws. Only the forking thread lives on in the child, so its own is all there is. */
static void forget(void)        { memset(&mine, 0, sizeof mine); }
static void watch_fork(void)    { pthread_atfork(NULL, NULL, forget); }

static uint64_t draw(size_t n)
{
        uint64_t v = 0;
        if (UNLIKELY(mine.left < n)) {
                pthread_once(&fork_watched, watch_fork);
                randombytes_buf(mine.pool, sizeof mine.pool);
                mine.left = sizeof mine.pool;
        }
        memcpy(&v, mine.pool + sizeof mine.pool - mine.left, n);
        mine.left -= n;
        return v;
}

static void begin_ms(uint64_t ms)
{
        mine.ms = ms & MS_MASK;
        mine.high = draw(2) & HIGH_MASK;
        mine.low = draw(8) & LOW_MASK;
}

uid uid_v7(when now)
{
        uint64_t ms = now.us > 0 ? (uint64_t)now.us / 1000 : 0;
        if (ms > mine.ms) {
                begin_ms(ms);
        } else {
                mine.low += 1 + draw(4);
                mine.high += mine.low >> LOW_BITS;
                mine.low &= LOW_MASK;
                if (UNLIKELY(mine.high > HIGH_MASK)) begin_ms(mine.ms + 1);
        }
        uint64_t head = htobe64(mine.ms << 16 | 0x7000 | mine.high), tail = htobe64(0x8000000000000000ull | mine.low);
        uid id;
        memcpy(id.b, &head, 8);
        memcpy(id.b + 8, &tail, 8);
        return id;
}

when uid_time(uid id)
{
        uint64_t head;
        if (id.b[6] >> 4 != 7 || id.b[8] >> 6 != 2) return (when){ 0 };
        memcpy(&head, id.b, 8);
        return (when){ (int64_t)(be64toh(head) >> 16) * 1000 };
}

static const char at_byte[16] = { 0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34 };  /* where a byte's two digits stand */

static int nibble(char ch)
{
        if (ch >= '0' && ch <= '9') return ch - '0';
        ch |= 32;
        return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

int uid_parse(str s, uid *out)
{
        uid id;
        if (s.n != 36 || s.p[8] != '-' || s.p[13] != '-' || s.p[18] != '-' || s.p[23] != '-') return -INVALID_ARGUMENT;
        for (size_t i = 0; i < 16; i++) {
                int both = nibble(s.p[(int)at_byte[i]]) * 16 | nibble(s.p[at_byte[i] + 1]);
                if (both < 0) return -INVALID_ARGUMENT;
                id.b[i] = (uint8_t)both;
        }
        *out = id;
        return 0;
}

/* The sixteen digits of eight bytes, all at once: spread nibbles into bytes, then 0-9 and a-f by arithmetic on each byte. */
static inline void hex_8(const uint8_t in[8], char out[16])
{
        for (int half = 0; half < 2; half++) {
                uint32_t raw;
                memcpy(&raw, in + 4 * half, 4);
                uint64_t x = be32toh(raw);
                x = (x | x << 16) & 0x0000ffff0000ffffull;
                x = (x | x << 8)  & 0x00ff00ff00ff00ffull;
                x = (x | x << 4)  & 0x0f0f0f0f0f0f0f0full;
                uint64_t letters = ((x + 0x0606060606060606ull) >> 4) & 0x0101010101010101ull;
                x = htobe64(x + 0x3030303030303030ull + letters * ('a' - '0' - 10));
                memcpy(out + 8 * half, &x, 8);
        }
}

void uid_format(uid id, char out[37])
{
        char hex[32];
        hex_8(id.b, hex);
        hex_8(id.b + 8, hex + 16);
        memcpy(out, hex, 8);
        memcpy(out + 9, hex + 8, 4);
        memcpy(out + 14, hex + 12, 4);
        memcpy(out + 19, hex + 16, 4);
        memcpy(out + 24, hex + 20, 12);
        out[8] = out[13] = out[18] = out[23] = '-';
        out[36] = '\0';
}
