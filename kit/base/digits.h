/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * digits.h - writing decimal numbers fast; for the kit, not for services.
 *
 * Two digits a step from a table of pairs: times, amounts and log lines are written for every request. Pure. */
#ifndef DIGITS_H
#define DIGITS_H
#include "base.h"

extern const char digit_pairs[201];                     /* "000102...99"                                            */
enum { DIGITS_MAX = 20 };                               /* of any uint64_t; an int64_t needs as many with its sign  */

static inline void   put_2(char *p, unsigned v)         { memcpy(p, digit_pairs + 2 * v, 2); }      /* v < 100 */
static inline void   put_4(char *p, unsigned v)         { put_2(p, v / 100); put_2(p + 2, v % 100); } /* v < 10000 */
size_t put_u64(char *p, uint64_t v);                    /* its length; no NUL; needs DIGITS_MAX bytes               */
size_t put_i64(char *p, int64_t v);
static inline uint64_t magnitude(int64_t v)             { return v < 0 ? 0 - (uint64_t)v : (uint64_t)v; }
#endif
