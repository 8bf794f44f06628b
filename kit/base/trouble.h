/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * trouble.h - what fails again and again is told when it begins, once a minute while it lasts, and when it is over.
 *
 * For loops that try something twice a second for as long as a database is away: the log shall say that, and not only that.
 *
 *     well --failure: told--> in trouble --again: counted, told once a minute; another code: told--> --success: told--> well
 *
 * Pure; one fiber a trouble. Time is monotonic microseconds. */
#ifndef TROUBLE_H
#define TROUBLE_H
#include "base.h"

enum { TROUBLE_TOLD_EVERY_US = 60000000 };
struct trouble { int code; uint64_t failures; int64_t since_us, told_us; };    /* zeroed: well; failures: in a row */

/* One more failure, of this code. returns whether to tell it now */
static inline bool trouble_again(struct trouble *t, int code, int64_t now_us)
{
        if (!t->failures++) t->since_us = now_us;
        if (t->code == code && now_us - t->told_us < TROUBLE_TOLD_EVERY_US) return false;
        t->code = code;
        t->told_us = now_us;
        return true;
}

/* It went well. returns whether to tell that something is over; *ret is what was */
static inline bool trouble_over(struct trouble *t, struct trouble *ret)
{
        *ret = *t;
        *t = (struct trouble){ 0 };
        return ret->failures > 0;
}
#endif
