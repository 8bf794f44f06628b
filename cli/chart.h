/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * chart.h - a curve in a terminal, of blocks of an eighth of a line: the whole of it so far, however long. Threads: pure. */
#ifndef CHART_H
#define CHART_H
#include "buf.h"

enum { CHART_POINTS = 400 };
/* Values over even steps of time. When it is full, neighbours are merged into the larger of both, and each point stands for twice the time. */
struct curve { const char *title, *unit; double v[CHART_POINTS]; size_t n, each, pending; double merged; };

void curve_add(struct curve *l, double value);          /* value >= 0 */
/* `rows` lines of at most `columns` columns, each ended by a newline: title and scale first, the curve below. */
void curve_draw(const struct curve *l, struct buf *out, int columns, int rows);
#endif
