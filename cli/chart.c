/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * chart.c - curves of blocks. */
#include "chart.h"

static void merge_pairs(struct curve *l)
{
        for (size_t i = 0; i < l->n / 2; i++) l->v[i] = MAX(l->v[2 * i], l->v[2 * i + 1]);
        l->n /= 2;
        l->each *= 2;
}

void curve_add(struct curve *l, double value)
{
        if (!l->each) l->each = 1;
        l->merged = MAX(l->merged, value);
        if (++l->pending < l->each) return;
        if (l->n == CHART_POINTS) merge_pairs(l);
        l->v[l->n++] = l->merged;
        l->merged = 0;
        l->pending = 0;
}

static double height_of(const struct curve *l, size_t from, size_t to)
{
        double v = 0;
        for (size_t i = from; i < to; i++) v = MAX(v, l->v[i]);
        return v;
}

void curve_draw(const struct curve *l, struct buf *out, int columns, int rows)
{
        static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
        double top = MAX(height_of(l, 0, l->n), 1e-9);
        size_t wide = MIN((size_t)MAX(columns, 1), MAX(l->n, 1));
        buf_printf(out, "%s: %.*f %s now, %.*f at most\n", l->title, l->n && l->v[l->n - 1] < 100, l->n ? l->v[l->n - 1] : 0.0, l->unit, top < 100, l->n ? top : 0.0);
        for (int row = rows - 2; row >= 0; row--) {
                for (size_t x = 0; x < wide && l->n; x++) {
                        double v = height_of(l, x * l->n / wide, MAX((x + 1) * l->n / wide, x * l->n / wide + 1));
                        int eighths = (int)(v / top * 8 * (rows - 1) + 0.5) - 8 * row;
                        buf_lit(out, blocks[MAX(0, MIN(eighths, 8))]);
                }
                buf_char(out, '\n');
        }
}
