/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * breaks.h - faults that can be planted in a running program, so that a proof of its promises is itself put to the proof.
 *
 *     if (broken(BREAK_LOST_UPDATE)) p->write.takes.n = 0;
 *
 * Each is named in breaks.def and stands where the code would be wrong. None is planted unless the program is told so when it starts; then a comparison
 * that is never true is all they cost. Threads: planted before the loops start; broken() from any. */
#ifndef BREAKS_H
#define BREAKS_H
#include "base.h"

enum planted {
        BREAK_NONE,
#define BREAK(ID, name, doc) BREAK_##ID,
#include "breaks.def"
#undef BREAK
};
struct break_row { const char *name, *doc; };
extern const struct break_row breaks[];                 /* ends with name NULL                                      */
extern enum planted break_planted;                      /* process-wide: of this program                            */

int  break_plant(const char *name);                     /* 0, -NOT_FOUND                                            */
bool break_is_due(void);                                /* every third time                                         */
static inline bool broken(enum planted which)           { return __builtin_expect(break_planted == which, 0) && break_is_due(); }
#endif
