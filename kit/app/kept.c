/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * kept.c - see kept.h.
 *
 * An entry is in the map from the moment somebody begins to make its answer, so that there is one who makes and all others wait. When that one
 * fails they do not wait for the next: each makes its own, as if nothing were kept. */
#include "engine.h"
#include <stdlib.h>
#include "bound.h"
#include "map.h"

enum { ANSWERS_MAX = 256, ANSWERS_BYTES = 4 << 20, ANSWER_BYTES = 64 << 10, TARGET_MAX = 1024 };

struct answers { struct map *map; size_t bytes; uint64_t hits, misses; };

/* ---- one -------------------------------------------------------------------------------------------------------------------- */

struct kept *kept_new(size_t max_bytes)
{
        struct kept *k = alloc_should_fail() ? NULL : calloc(1, sizeof *k);
        if (!k) return NULL;
        k->refs = 1;
        event_flag_init(&k->made);
        buf_init(&k->plain, max_bytes);
        for (size_t i = 0; i < COUNT(k->coded); i++) buf_init(&k->coded[i], max_bytes);
        return k;
}

struct kept *kept_hold(struct kept *k)
{
        k->refs++;
        return k;
}

void kept_release(struct kept **k)
{
        struct kept *gone = k ? take(k) : NULL;
        if (!gone || --gone->refs) return;
        buf_done(&gone->plain);
        for (size_t i = 0; i < COUNT(gone->coded); i++) buf_done(&gone->coded[i]);
        free(gone->fields);
        free(gone);
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------- */

static void put_out(void *value)
{
        struct kept *k = value;
        if (k->among) k->among->bytes -= k->bytes;
        k->among = NULL;
        kept_release(&k);
}

struct answers *answers_open(void)
{
        struct answers *a = calloc(1, sizeof *a);
        if (!a) abort();
        a->map = map_new(ANSWERS_MAX, MAP_EVICTS, put_out);
        return a;
}

void answers_close(struct answers **a)
{
        if (!a || !*a) return;
        map_free((*a)->map);
        free(take(a));
}

struct cache_stats answers_stats(const struct answers *a)
{
        return (struct cache_stats){ "answers", a->hits, a->misses, map_count(a->map), ANSWERS_MAX };
}

size_t answers_bytes(const struct answers *a) { return a->bytes; }

void kept_forget(struct ctx *c) { c->unit->writes++; }

/* The new bytes of an entry, and with them room for them: never its own, which was used last. */
static void count(struct kept *k, size_t bytes)
{
        struct answers *a = k->among;
        if (!a) return;
        k->bytes += bytes;
        a->bytes += bytes;
        while (a->bytes > ANSWERS_BYTES) {
                bound_reached(BOUND_ANSWERS_BYTES);
                put_out(map_take_oldest(a->map));
        }
}

void kept_code(struct kept *k, enum coding how, str coded)
{
        struct buf *b = &k->coded[how];
        if (b->n) return;               /* another fiber was first */
        buf_add(b, coded);
        if (buf_error(b) < 0) buf_done(b);
        else count(k, b->cap);
}

/* ---- from one request to the next ------------------------------------------------------------------------------------------------ */

/* What was asked, as it was asked; empty: too long to be kept. */
static str target_of(const struct request *q)
{
        str path = q->x->head.path, query = q->x->head.query;
        if (path.n + query.n >= TARGET_MAX) return (str){ 0 };
        if (!query.n) return path;
        char *text = arena_alloc(q->c->arena, path.n + 1 + query.n);
        if (!text) return (str){ 0 };
        memcpy(text, path.p, path.n);
        text[path.n] = '?';
        memcpy(text + path.n + 1, query.p, query.n);
        return (str){ text, path.n + 1 + query.n };
}

static struct unit *unit_at(const struct request *q) { return &q->w->units[q->endpoint->service_no]; }

/* What there is under the key that may still be told, or is being made. */
static struct kept *standing(const struct request *q, str key)
{
        struct map *m = q->w->answers->map;
        struct kept *k = map_get(m, key);
        if (!k || (k->writes == unit_at(q)->writes && (!k->over || k->until_us > q->started_us))) return k;
        put_out(map_take(m, key));
        return NULL;
}

/* Every field the answer has got by now is the operation's own: those of the request are written when it goes out. */
static bool fields_take_in(struct kept *k, const struct headers *h)
{
        size_t size = h->n * sizeof *h->v;
        for (size_t i = 0; i < h->n; i++) size += h->v[i].value.n;
        k->fields = alloc_should_fail() ? NULL : malloc(size);
        if (!k->fields) return false;
        char *at = (char *)(k->fields + h->n);
        for (size_t i = 0; i < h->n; i++) {
                str value = h->v[i].value;
                if (value.n) memcpy(at, value.p, value.n);
                k->fields[k->n_fields++] = (struct header){ h->v[i].name, { at, value.n } };
                at += value.n;
        }
        count(k, sizeof *k + size);
        return true;
}

static bool take_in(struct kept *k, struct request *q)
{
        const struct exchange *x = q->x;
        if (x->status != 200 || x->no_memory || buf_error(x->body) < 0 || arena_is_exhausted(q->c->arena)) return false;
        buf_add(&k->plain, buf_str(x->body));
        if (buf_error(&k->plain) < 0 || !fields_take_in(k, &x->out)) return false;
        count(k, k->plain.cap);
        return true;
}

static int make_to_keep(struct request *q, str key, int (*make)(struct request *q))
{
        struct answers *a = q->w->answers;
        struct kept *k = kept_new(ANSWER_BYTES);
        if (!k) return make(q);
        if (map_count(a->map) >= ANSWERS_MAX) bound_reached(BOUND_CACHE_ENTRIES);
        if (map_put(a->map, key, k) < 0) {
                kept_release(&k);
                return make(q);
        }
        k->among = a;
        k->writes = unit_at(q)->writes;
        k->until_us = q->started_us + (int64_t)q->endpoint->route->keep_ms * 1000;
        kept_hold(k);
        a->misses++;
        int r = make(q);
        k->whole = r == 0 && take_in(k, q);
        k->over = true;
        event_flag_signal(&k->made);
        if (k->whole) {
                q->kept = k;
                return 0;
        }
        if (k->among && map_get(a->map, key) == k) put_out(map_take(a->map, key));
        kept_release(&k);
        return r;
}

static int say(struct request *q, struct kept *k)
{
        struct exchange *x = q->x;
        x->status = 200;
        for (size_t i = 0; i < k->n_fields; i++) res_header(q->c, x, k->fields[i].name.p, k->fields[i].value);
        buf_add(x->body, buf_str(&k->plain));
        q->w->answers->hits++;
        q->kept = k;
        return buf_error(x->body) < 0 ? fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the answer") : 0;
}

int kept_answer(struct request *q, int (*make)(struct request *q))
{
        str key = q->endpoint->route->keep_ms ? target_of(q) : (str){ 0 };
        struct kept *k = key.n ? standing(q, key) : NULL;
        int r = 0;
        if (!key.n) return make(q);
        if (!k) return make_to_keep(q, key, make);
        kept_hold(k);
        while (!k->over && r == 0) r = event_flag_wait(q->c, &k->made);
        if (r == 0 && k->whole) return say(q, k);
        kept_release(&k);
        return r < 0 ? r : make(q);
}
