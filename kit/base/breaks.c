/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * breaks.c - which fault is planted, and when it is due: not each time, or the program would not get far enough to be wrong. */
#include "breaks.h"
#include <stdatomic.h>
#include <string.h>

const struct break_row breaks[] = {
#define BREAK(ID, name, doc) { name, doc },
#include "breaks.def"
#undef BREAK
        { 0 } };

enum planted break_planted;
static atomic_uint passed;

int break_plant(const char *name)
{
        for (int i = 0; breaks[i].name; i++)
                if (!strcmp(breaks[i].name, name)) {
                        break_planted = (enum planted)(i + 1);
                        return 0;
                }
        return -NOT_FOUND;
}

bool break_is_due(void)                                 { return atomic_fetch_add(&passed, 1) % 3 == 2; }
