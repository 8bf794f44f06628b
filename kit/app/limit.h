/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * limit.h - how often somebody may: GCRA, the generic cell rate algorithm (ITU-T I.371), as a meter of whole minutes.
 *
 * A client of q requests a minute may send all q at once; from then on each 60 s / q brings one more. All that is kept of it is one instant, the
 * time at which its quota is whole again. A limiter has a fixed number of places, four to a hash bucket: when a bucket is full, the client
 * whose quota is whole soonest is forgotten, which is the one that loses least by it. Memory never grows, whoever comes. Pure; threads: one
 * limiter a worker. */
#ifndef LIMIT_H
#define LIMIT_H
#include "base.h"

enum { LIMIT_WINDOW_S = 60 };
struct limiter;
struct limiter *limiter_new(size_t places);             /* rounded up to a power of two, 16 bytes each; pages nobody came to cost nothing */
struct limiter *limiter_free(struct limiter *l);        /* takes NULL, returns NULL                                 */

struct allowance {
        bool    refused;
        int64_t left;                                   /* requests that would be granted now, after this one       */
        int64_t whole_us;                               /* from now until the quota is whole again                  */
        int64_t wait_us;                                /* refused: from now until one is granted                   */
};
/* Takes one request out of who's quota. who: a hash, 64 good bits. now_us: monotonic. per_minute: 1 to 1,000,000,000. */
struct allowance limiter_take(struct limiter *l, uint64_t who, int64_t now_us, int64_t per_minute);
/* The algorithm alone. *whole_ns is the instant at which the quota is whole; it moves unless the request is refused. */
struct allowance gcra(int64_t *whole_ns, int64_t now_ns, int64_t per_minute);
#endif
