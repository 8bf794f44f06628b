/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * bound.c - one counter for each row of bounds.def.
 *
 * All threads share it: a maximum is reached seldom, and who reaches it often is being refused, which may cost a locked addition. */
#include "bound.h"
#include <stdatomic.h>

static atomic_uint_least64_t times[BOUNDS];

void bound_reached(enum bound b)        { atomic_fetch_add_explicit(&times[b], 1, memory_order_relaxed); }
uint64_t bound_times(enum bound b)      { return atomic_load_explicit(&times[b], memory_order_relaxed); }

const char *bound_label(enum bound b)
{
        static const char *const labels[] = {
#define BOUND(id, label) label,
#include "bounds.def"
#undef BOUND
        };
        return labels[b];
}
