/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * bound.h - how often each maximum was reached.
 *
 * Whatever can grow from outside has a maximum, and a maximum that is reached is something an operator wants to see: souk_bound_reached_total
 * has a series for each row of bounds.def. Those that refuse with a status, or have a gauge of their own, need no row. docs/bounds.md names them
 * all, with the test that reaches each. Threads: any. */
#ifndef BOUND_H
#define BOUND_H
#include "base.h"

enum bound {
#define BOUND(id, label) BOUND_##id,
#include "bounds.def"
#undef BOUND
        BOUNDS
};
void bound_reached(enum bound b);
uint64_t bound_times(enum bound b);                     /* since the program began                                  */
const char *bound_label(enum bound b);
#endif
