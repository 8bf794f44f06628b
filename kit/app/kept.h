/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * kept.h - answers kept whole: the bytes, fields, tag and codings of what was answered lately, for whoever asks the same.
 *
 * A route that says `keep_ms` promises what Cache-Control: public promises every cache on the way: its answer depends on the target alone, not on
 * who asks. So the key is the target as it was asked; filters, cursors and `fields` are all in it. Who comes while an answer is being made waits for it.
 * kept_forget() (op.h) ends all of a service; the others end by their time, by the number or by the bytes of all, the one used longest ago first.
 * A request holds on to what it copies from, so what goes meanwhile stays until its answer is out. Threads: of one worker. */
#ifndef KEPT_H
#define KEPT_H
#include "buf.h"
#include "cache.h"
#include "coding.h"
#include "sync.h"

struct answers;                                         /* all that a worker keeps                                  */
struct request;
enum { TAG_BYTES = 48 };

struct kept {
        unsigned    refs;                               /* the map's, of each request that copies from it, of each that waits */
        bool        over, whole;                        /* it is no longer being made; and it is all here                     */
        struct answers *among;                          /* whose bytes it counts in; NULL: it was put out, or was never in    */
        uint64_t    writes;                             /* of its service, when it was begun                                  */
        int64_t     until_us;
        size_t      bytes;                              /* counted so far                                                     */
        struct event_flag made;
        struct header *fields; size_t n_fields;         /* one block with their values; owned                                 */
        struct buf  plain, coded[CODING_IDENTITY];      /* coded: empty until somebody wanted it                              */
        char        tag[TAG_BYTES]; size_t tag_n;       /* 0: nobody asked for it yet (condition.c)                           */
};
struct kept *kept_new(size_t max_bytes);                /* of a body; one reference. NULL: no memory                          */
struct kept *kept_hold(struct kept *k);
void kept_release(struct kept **k);                     /* takes NULL and pointers to NULL                                    */
void kept_code(struct kept *k, enum coding how, str coded);     /* keeps a coding too; without room for it, it is made again   */

struct answers *answers_open(void);
void answers_close(struct answers **a);                 /* no request is at work any more                                     */
/* The answer of q's endpoint: from memory, or as `make` makes it, which is then kept if the route says so and it is a whole 200. Waits.
 *   returns  0 with q->kept set when it is (or was just) kept; or what make returned */
int  kept_answer(struct request *q, int (*make)(struct request *q));
struct cache_stats answers_stats(const struct answers *a);
size_t answers_bytes(const struct answers *a);
#endif
