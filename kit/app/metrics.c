/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * metrics.c - numbers counted by each worker in memory of its own, summed when somebody looks.
 *
 * Families register themselves with their first series. A series has a cell for each worker, made when that worker first counts, so that
 * counting never shares a cache line with another; threads without a loop (the pool) share the last cell, with atomic additions. */
#include "metrics.h"
#include "bound.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "engine.h"
#include "map.h"

enum { SERIES_MAX = 1000, FAMILIES_MAX = 256, LABELS_MAX = 4, LABEL_MAX_BYTES = 200, HOOKS_MAX = 16, BUCKETS = 16, SHARED = WORKERS_MAX };

/* upper bounds, microseconds */
static const int64_t bounds[BUCKETS] = { 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 };
static const char *const bound_names[BUCKETS] = { "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                                  "0.5", "1", "2.5", "5", "10" };

struct cell { _Alignas(64) atomic_int_least64_t value; atomic_int_least64_t sum, buckets[]; };       /* value: or the histogram's count */
struct metric {
        const struct metric_family *family;
        char        *labels[LABELS_MAX];
        struct metric *next;            /* of its family, by labels                               */
        _Atomic(struct cell *) cells[WORKERS_MAX + 1];
};
struct family { const struct metric_family *of; struct map *by_labels; struct metric *first; size_t n; };

static struct {
        pthread_mutex_t lock;           /* of all but the cells                                   */
        struct family families[FAMILIES_MAX]; size_t n;
        struct { void (*fn)(void *arg); void *arg; } hooks[HOOKS_MAX]; size_t n_hooks;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- series -------------------------------------------------------------------------------------------------------- */

static struct family *family_of(const struct metric_family *f)
{
        for (size_t i = 0; i < all.n; i++)
                if (all.families[i].of == f) return &all.families[i];
        assert(all.n < FAMILIES_MAX);
        struct map *by_labels = map_try(SERIES_MAX + 1, MAP_REFUSES, NULL);
        if (!by_labels) return NULL;
        all.families[all.n] = (struct family){ .of = f, .by_labels = by_labels };
        return &all.families[all.n++];
}

static size_t n_labels(const struct metric_family *f)
{
        size_t n = 0;
        while (n < LABELS_MAX && f->labels[n]) n++;
        return n;
}

static int labels_cmp(const struct metric *a, const struct metric *b)
{
        for (size_t i = 0; i < n_labels(a->family); i++) {
                int d = strcmp(a->labels[i], b->labels[i]);
                if (d) return d;
        }
        return 0;
}

static struct metric *series_free(struct metric *m)
{
        for (size_t i = 0; m && i < LABELS_MAX; i++) free(m->labels[i]);
        free(m);
        return NULL;
}

static struct metric *series_new(struct family *f, const char *const *values, str key)
{
        struct metric *m = alloc_should_fail() ? NULL : calloc(1, sizeof *m), **at = &f->first;
        bool made = m;
        for (size_t i = 0; made && i < n_labels(f->of); i++) made = (m->labels[i] = strndup(values[i], LABEL_MAX_BYTES)) != NULL;
        if (!made || map_put(f->by_labels, key, m) < 0) return series_free(m);
        m->family = f->of;
        while (*at && labels_cmp(*at, m) < 0) at = &(*at)->next;
        m->next = *at;
        *at = m;
        f->n++;
        return m;
}

static struct metric *series_of(struct family *f, const char *const *values, str key)
{
        static const char *const other[] = { "other", "other", "other", "other" };
        static const char others[] = "other\nother\nother\nother\n";
        struct metric *m = map_get(f->by_labels, key);
        if (m || f->n < SERIES_MAX) return m ? m : series_new(f, values, key);
        bound_reached(BOUND_METRIC_SERIES);
        m = map_get(f->by_labels, STR(others));
        return m ? m : series_new(f, other, STR(others));
}

struct metric *metric_of(const struct metric_family *family, const char *const *values)
{
        char text[LABELS_MAX * (LABEL_MAX_BYTES + 1)];
        str key = { text, 0 };
        size_t n = n_labels(family);
        for (size_t i = 0; i < n; i++) key.n += (size_t)snprintf(text + key.n, LABEL_MAX_BYTES + 1, "%.*s\n", LABEL_MAX_BYTES - 1, values[i]);
        pthread_mutex_lock(&all.lock);
        struct family *f = family_of(family);
        struct metric *m = f ? series_of(f, values, key) : NULL;
        pthread_mutex_unlock(&all.lock);
        return m;
}

/* ---- counting ------------------------------------------------------------------------------------------------------ */

static int cell_index(void)
{
        struct loop *l = loop_self();
        return l ? loop_index(l) : SHARED;
}

static struct cell *cell_new(struct metric *m, int index)
{
        size_t buckets = m->family->kind == METRIC_HISTOGRAM ? BUCKETS : 0, bytes = sizeof(struct cell) + buckets * sizeof(atomic_int_least64_t);
        struct cell *new = aligned_alloc(64, (bytes + 63) / 64 * 64), *old = NULL;
        if (!new) return NULL;
        memset((void *)new, 0, (bytes + 63) / 64 * 64);
        if (atomic_compare_exchange_strong(&m->cells[index], &old, new)) return new;
        free(new);                      /* the shared cell: another thread was first */
        return old;
}

static struct cell *cell_of(struct metric *m, int index)
{
        if (UNLIKELY(!m)) return NULL;
        struct cell *cell = atomic_load_explicit(&m->cells[index], memory_order_acquire);
        return LIKELY(cell) ? cell : cell_new(m, index);
}

/* A worker's cell has one writer, which needs no locked instruction. */
static void add(atomic_int_least64_t *v, int64_t n, int index)
{
        if (index == SHARED) atomic_fetch_add_explicit(v, n, memory_order_relaxed);
        else atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

void metric_add(struct metric *m, int64_t n)
{
        int i = cell_index();
        struct cell *cell = cell_of(m, i);
        if (cell) add(&cell->value, n, i);
}

void metric_set(struct metric *m, int64_t v)
{
        struct cell *cell = cell_of(m, cell_index());
        if (cell) atomic_store_explicit(&cell->value, v, memory_order_relaxed);
}

void metric_observe(struct metric *m, int64_t us)
{
        int i = cell_index();
        size_t b = 0;
        struct cell *cell = cell_of(m, i);
        if (!cell) return;
        while (b < BUCKETS && us > bounds[b]) b++;
        add(&cell->value, 1, i);
        add(&cell->sum, us, i);
        if (b < BUCKETS) add(&cell->buckets[b], 1, i);
}

/* ---- the page ------------------------------------------------------------------------------------------------------ */

void metrics_on_scrape(void (*fn)(void *arg), void *arg)
{
        pthread_mutex_lock(&all.lock);
        assert(all.n_hooks < HOOKS_MAX);
        all.hooks[all.n_hooks].fn = fn;
        all.hooks[all.n_hooks++].arg = arg;
        pthread_mutex_unlock(&all.lock);
}

static void write_doc(struct buf *out, const char *doc)
{
        for (; *doc; doc++) {
                if (*doc == '\\') buf_lit(out, "\\\\");
                else if (*doc == '\n') buf_lit(out, "\\n");
                else buf_char(out, *doc);
        }
}

static void write_label(struct buf *out, const char *name, const char *value, char before)
{
        buf_char(out, before);
        buf_lit(out, name);
        buf_lit(out, "=\"");
        for (; *value; value++) {
                if (*value == '"') buf_lit(out, "\\\"");
                else if (*value == '\\') buf_lit(out, "\\\\");
                else if (*value == '\n') buf_lit(out, "\\n");
                else buf_char(out, *value);
        }
        buf_char(out, '"');
}

static void write_name(struct buf *out, const struct metric *m, const char *suffix, const char *le)
{
        size_t n = n_labels(m->family);
        buf_lit(out, m->family->name);
        buf_lit(out, suffix);
        for (size_t i = 0; i < n; i++) write_label(out, m->family->labels[i], m->labels[i], i ? ',' : '{');
        if (le) write_label(out, "le", le, n ? ',' : '{');
        if (n || le) buf_char(out, '}');
        buf_char(out, ' ');
}

struct sums { int64_t value, sum, buckets[BUCKETS]; };

static void sum_up(struct metric *m, struct sums *s)
{
        *s = (struct sums){ 0 };
        for (size_t i = 0; i <= WORKERS_MAX; i++) {
                struct cell *cell = atomic_load_explicit(&m->cells[i], memory_order_acquire);
                if (!cell) continue;
                s->value += atomic_load_explicit(&cell->value, memory_order_relaxed);
                s->sum += atomic_load_explicit(&cell->sum, memory_order_relaxed);
                for (size_t b = 0; m->family->kind == METRIC_HISTOGRAM && b < BUCKETS; b++)
                        s->buckets[b] += atomic_load_explicit(&cell->buckets[b], memory_order_relaxed);
        }
}

static void write_histogram(struct buf *out, const struct metric *m, const struct sums *s)
{
        int64_t below = 0;
        for (size_t b = 0; b < BUCKETS; b++) {
                write_name(out, m, "_bucket", bound_names[b]);
                buf_int(out, below += s->buckets[b]);
                buf_char(out, '\n');
        }
        write_name(out, m, "_bucket", "+Inf");
        buf_int(out, MAX(s->value, below));             /* counted while we read: never less than a bucket below */
        buf_char(out, '\n');
        write_name(out, m, "_sum", NULL);
        buf_printf(out, "%lld.%06lld\n", (long long)(s->sum / 1000000), (long long)(s->sum % 1000000));
        write_name(out, m, "_count", NULL);
        buf_int(out, MAX(s->value, below));
        buf_char(out, '\n');
}

static void write_series(struct buf *out, struct metric *m)
{
        struct sums s;
        sum_up(m, &s);
        if (m->family->kind == METRIC_HISTOGRAM) {
                write_histogram(out, m, &s);
                return;
        }
        write_name(out, m, "", NULL);
        buf_int(out, s.value);
        buf_char(out, '\n');
}

static int by_name(const void *a, const void *b)
{
        const struct family *const *fa = a, *const *fb = b;
        return strcmp((*fa)->of->name, (*fb)->of->name);
}

/* Those of the program itself, used yet or not. */
static void know_all(void)
{
        for (const struct metric_family *const *f = stats_families; *f; f++) family_of(*f);
}

static size_t sorted(const struct family **list)
{
        for (size_t i = 0; i < all.n; i++) list[i] = &all.families[i];
        qsort(list, all.n, sizeof *list, by_name);
        return all.n;
}

static const char *const kinds[] = { "counter", "gauge", "histogram" };

void metrics_write(struct buf *out)
{
        const struct family *list[FAMILIES_MAX];
        for (size_t i = 0; i < all.n_hooks; i++) all.hooks[i].fn(all.hooks[i].arg);
        pthread_mutex_lock(&all.lock);
        size_t n = sorted(list);
        for (size_t i = 0; i < n; i++) {
                const struct metric_family *f = list[i]->of;
                buf_printf(out, "# HELP %s ", f->name);
                write_doc(out, f->doc);
                buf_printf(out, "\n# TYPE %s %s\n", f->name, kinds[f->kind]);
                for (struct metric *m = list[i]->first; m; m = m->next) write_series(out, m);
        }
        pthread_mutex_unlock(&all.lock);
}

void metrics_docs(struct buf *out)
{
        const struct family *list[FAMILIES_MAX];
        buf_lit(out, "# Metrics\n\nMade from the tables by `make docs`. `/metrics` answers in Prometheus' text format.\n\n"
                     "| name | kind | labels | meaning |\n|---|---|---|---|\n");
        pthread_mutex_lock(&all.lock);
        know_all();
        size_t n = sorted(list);
        for (size_t i = 0; i < n; i++) {
                const struct metric_family *f = list[i]->of;
                buf_printf(out, "| `%s` | %s |", f->name, kinds[f->kind]);
                for (size_t k = 0; k < n_labels(f); k++) buf_printf(out, "%s `%s`", k ? "," : "", f->labels[k]);
                buf_printf(out, " | %s |\n", f->doc);
        }
        pthread_mutex_unlock(&all.lock);
}
