/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * consumer.c - takes events of one topic off its queue, and applies them with the position in the same transaction.
 *
 *     gather: a run of events of one topic ---> apply ---> all up to `known`? next batch
 *                                                 |
 *          the first event beyond `known` says why: nobody's fault ---> wait, again, with half as many
 *                                                   its own, alone ---> wait, again alone; after `retries`: park it
 *                                                   the position had moved ---> what is before it was applied: go on
 *
 * `known` alone says what is applied: never a verdict. It moves when a transaction with the move in it committed, or when the database
 * says so (position.c). After any other end `sure` is false and the next run first reads the position. */
#include <stdlib.h>
#include "breaks.h"
#include "bound.h"
#include "bus_inside.h"
#include "clock.h"
#include "json.h"
#include "log.h"

static const struct place nowhere = { 0, 0, -1 };

/* ---- life -------------------------------------------------------------------------------------------------------- */
void consumer_init(struct consumer *k, struct bus *b, const struct subscription *s)
{
        k->bus = b;
        k->s = *s;
        k->c = s->model;
        k->c.arena = arena_new(RUN_ARENA);
        k->c.op = s->consumer;
        k->events = arena_new(EVENTS_ARENA);
        rest_init(&k->rest, s->consumer);
        mutex_init(&k->lock);
        event_flag_init(&k->changed);
        k->known = k->passed = nowhere;
        k->items = calloc(s->max, sizeof *k->items);
        k->calls = calloc(s->max, sizeof *k->calls);
        assert(k->items && k->calls && "no memory for a consumer");
        k->parked_keys = map_new(PARKED_MAX, MAP_REFUSES, NULL);
        k->stats.consumer = s->consumer;
        k->stats.source = s->source;
}

static void queue_drop(struct consumer *k)
{
        struct chunk *chunk = k->queue[k->head];

        k->passed = (struct place){ chunk->tx, chunk->id, 0 };
        k->rows_since++;
        k->queue_bytes -= chunk->n;
        k->head = (k->head + 1) % QUEUE_CHUNKS;
        k->n_queue--;
        k->at_byte = 0;
        k->at_index = 0;
        chunk_unref(chunk);
}

void consumer_done(struct consumer *k)
{
        while (k->n_queue > 0)
                queue_drop(k);
        arena_free(k->c.arena);
        arena_free(k->events);
        rest_done(&k->rest);
        free(k->items);
        free(k->calls);
        map_free(k->parked_keys);
}

int consumer_load(struct ctx *c, struct consumer *k)
{
        struct ctx mine = *c;

        mine.pg = k->s.model.pg;
        mine.unit = k->s.model.unit;
        int code = position_load(&mine, k, &k->known);
        if (code >= 0)
                code = parked_load(&mine, k);
        if (code < 0) {
                fault_copy(c, &mine);
                return code;
        }
        k->sure = true;
        k->passed = (struct place){ k->known.tx, k->known.id - 1, 0 };         /* its row may be half applied: it is read again */
        return 0;
}

void consumer_reset(struct consumer *k, const struct trace *t)
{
        arena_reset(k->c.arena);
        fault_clear(&k->c);
        k->c.deadline_us = deadline_in(BATCH_TIMEOUT_MS);
        k->c.trace = *t;
        k->c.rider = NULL;
}

const struct event *consumer_event(const struct consumer *k, str topic)
{
        for (size_t i = 0; k->s.topics[i]; i++)
                if (str_eq(topic, str_of(k->s.topics[i])))
                        return k->s.events[i];
        return NULL;
}

int consumer_decode(struct ctx *c, const struct event *e, str data, const void **msg)
{
        void *out = arena_alloc(c->arena, e->of->size);

        if (!out)
                return fail(c, RESOURCE_EXHAUSTED, "event_too_large", "no room for an event");
        TRY(json_read(c, e->of, data, out, JSON_LENIENT | JSON_NO_CHECK));
        *msg = out;
        return 0;
}

/* ---- gathering --------------------------------------------------------------------------------------------------- */
/* Where gather() reads: chunk from the head, byte and number of the line in it. */
struct reader { size_t chunk, byte; int32_t index; };

static bool next_line(struct consumer *k, struct reader *r, str *text, struct place *place)
{
        for (; r->chunk < k->n_queue; *r = (struct reader){ r->chunk + 1, 0, 0 }) {
                struct chunk *chunk = k->queue[(k->head + r->chunk) % QUEUE_CHUNKS];
                if (r->byte >= chunk->n)
                        continue;
                const char *from = chunk->p + r->byte, *end = memchr(from, '\n', chunk->n - r->byte);
                size_t n = end ? (size_t)(end - from) : chunk->n - r->byte;
                *text = (str){ from, n };
                *place = (struct place){ chunk->tx, chunk->id, r->index };
                r->byte += n + 1;
                r->index++;
                return true;
        }
        return false;
}

/* Adds an event to the batch in hand. returns false: no room for it now. */
static bool add_item(struct consumer *k, const struct event *e, str text, struct place place)
{
        struct item *it = &k->items[k->n];
        const void *msg = NULL;

        *it = (struct item){ .place = place, .c = k->s.model };
        it->c.arena = k->events;
        it->c.op = k->s.consumer;
        int code = line_read(&it->c, text, &it->line);
        if (code >= 0) {
                it->c.trace = it->line.trace;
                code = consumer_decode(&it->c, e, it->line.data, &msg);
        }
        if (code == -RESOURCE_EXHAUSTED && k->n > 0)
                return false;
        it->broken = MIN(code, 0);
        k->calls[k->n++] = (struct call){ .c = &it->c, .in = msg };
        return true;
}

/* Fills the batch in hand from the queue: consecutive events of one topic, those of no interest passed over. Never waits. */
static void gather(struct consumer *k)
{
        struct reader r = { 0, k->at_byte, k->at_index }, before = r;
        const struct event *of = NULL;
        struct place place;
        str text, topic;

        arena_reset(k->events);
        k->n = 0;
        for (; next_line(k, &r, &text, &place); before = r) {
                if (place_cmp(place, k->known) <= 0)
                        continue;
                const struct event *e = line_topic(text, &topic) ? consumer_event(k, topic) : NULL;
                if (!e)
                        continue;
                if ((of && e != of) || k->n == k->s.max || !add_item(k, e, text, place)) {
                        r = before;
                        break;
                }
                of = e;
        }
        k->ends_chunk = r.chunk;
        k->ends_byte = r.byte;
        k->ends_index = r.index;
}

/* The batch in hand is done: what it was made of goes. */
static void drop_taken(struct consumer *k)
{
        for (; k->ends_chunk > 0; k->ends_chunk--)
                queue_drop(k);
        k->at_byte = k->ends_byte;
        k->at_index = k->ends_index;
        if (k->n_queue > 0 && k->at_byte >= k->queue[k->head]->n)
                queue_drop(k);
        event_flag_signal(&k->changed);
        event_flag_signal(&k->bus->progress);
}

/* ---- running ----------------------------------------------------------------------------------------------------- */
/* A failing verdict is the whole run's failure. */
static int worst_verdict(struct ctx *c, const struct batch *b)
{
        EACH_CALL(v, b)
                if (v->verdict < 0) {
                        fault_copy(c, v->c);
                        return v->verdict;
                }
        return 0;
}

static int ride_commit(struct db *tx, struct rider *r)
{
        return worst_verdict(db_ctx(tx), &CONTAINER(r, struct consumer, rider)->range);
}

int consumer_ride(struct consumer *k, struct ctx *c, struct batch *b, int (*at_begin)(struct db *tx, struct rider *r))
{
        k->range = *b;
        k->rider = (struct rider){ .at_begin = at_begin, .at_commit = ride_commit };
        c->rider = &k->rider;
        struct batch heard = *b;
        heard.n -= broken(BREAK_EVENT_SKIPPED);
        int code = heard.n ? k->s.fn(c, &heard) : 0;
        c->rider = NULL;
        assert(!c->tx && "a consumer left its transaction open");
        if (code < 0)
                return code;
        if (k->rider.rode) {
                if (worst_verdict(c, b) < 0)
                        log_say(ERROR, "verdict_after_commit", L_Z("consumer", k->s.consumer));
                return 0;
        }
        TRY(worst_verdict(c, b));
        TX(tx, c);
        TRY(at_begin(tx, &k->rider));
        return tx_commit(tx);
}

static int ride_begin(struct db *tx, struct rider *r)
{
        struct consumer *k = CONTAINER(r, struct consumer, rider);
        const struct call *last = &k->range.v[k->range.n - 1];

        return position_later(tx, k, k->items[last - k->calls].place);
}

/* What batch_run runs: the function over one range, unless an earlier event is not done or somebody else moved on. */
static int apply(struct ctx *c, struct batch *b)
{
        struct consumer *k = CONTAINER(c, struct consumer, c);

        if (k->halted)
                return -CANCELLED;
        if (!k->sure) {
                int moved = position_confirm(c, k);
                k->halted = moved != 0;
                if (moved)
                        return moved < 0 ? moved : -CANCELLED;
        }
        k->sure = false;
        int code = consumer_ride(k, c, b, ride_begin);
        if (code >= 0) {
                position_moved(k, k->items[&b->v[b->n - 1] - k->calls].place);
                k->stats.batches++;
                k->stats.events += b->n;
                return 0;
        }
        if (batch_is_nobodys_fault(code) || (b->n == 1 && b->again))
                k->halted = true;
        return code;
}

/* ---- one batch to its end ---------------------------------------------------------------------------------------- */
struct course {                         /* of the batch in hand                                   */
        size_t  i;                      /* the first event that is not done                       */
        size_t  limit;                  /* events a run; halved while nothing goes                */
        int     attempts;               /* how often event i failed by itself                     */
        int     waits;                  /* since the last progress                                */
        bool    park;                   /* event i has had its attempts                           */
        int64_t pause_ms;               /* before the next step                                   */
};

static int64_t backoff(int base_ms, int times, int max_ms)
{
        return MIN((int64_t)base_ms << MIN(times, 20), (int64_t)max_ms);
}

/* Lets the pause pass, or less when the bus stops. An event's own pauses are not kept while somebody settles: it shall be applied or
 * parked then, and a test's clock may stand still. */
static void pause_for(struct consumer *k, const struct course *a)
{
        int64_t until = clock_us() + a->pause_ms * 1000, left;

        k->stats.retries++;
        while (!k->bus->stopping && !(a->attempts && k->bus->settling) && (left = until - clock_us()) > 0)
                rest_on(&k->rest, &k->changed, (int)((left + 999) / 1000));
}

static bool must_park(struct consumer *k, size_t i)
{
        return k->items[i].broken < 0 || parked_has(k, k->items[i].line.key);
}

/* Everything up to `known` is done. returns progress was made */
static bool advance(struct consumer *k, struct course *a)
{
        size_t from = a->i;

        while (a->i < k->n && place_cmp(k->items[a->i].place, k->known) <= 0)
                a->i++;
        if (a->i == from)
                return false;
        a->waits = a->attempts = 0;
        a->park = false;
        a->limit = MIN(a->limit * 2, k->n);
        return true;
}

static void park_one(struct consumer *k, struct course *a)
{
        struct item *it = &k->items[a->i];

        if (k->parked_rows >= PARKED_MAX) {
                bound_reached(BOUND_PARKED);
                log_say(ERROR, "too_many_parked", L_Z("consumer", k->s.consumer), L_INT("parked", k->parked_rows));
                a->pause_ms = backoff(SECONDS(1), a->waits++, SECONDS(30));
                a->park = false;                /* perhaps it goes now */
                return;
        }
        consumer_reset(k, &it->line.trace);
        int code = parked_add(&k->c, k, it, a->attempts, k->calls[a->i].verdict);
        if (!advance(k, a) && code < 0)
                a->pause_ms = backoff(100, a->waits++, SECONDS(5));
}

/* Something may have happened unseen: nothing is decided before the database has been asked. */
static void ask_position(struct consumer *k, struct course *a)
{
        consumer_reset(k, &k->items[a->i].line.trace);
        int code = position_confirm(&k->c, k);
        if (!advance(k, a) && code < 0)
                a->pause_ms = backoff(100, a->waits++, SECONDS(5));
}

static void run_some(struct consumer *k, struct course *a)
{
        size_t m = 1;

        if (!a->attempts)                       /* else event i alone */
                while (m < a->limit && a->i + m < k->n && !must_park(k, a->i + m))
                        m++;
        size_t end = a->i + m;
        consumer_reset(k, &k->items[a->i].line.trace);
        k->halted = false;
        batch_run(&k->c, apply, k->calls + a->i, m);
        advance(k, a);
        if (a->i >= end)
                return;
        int code = k->calls[a->i].verdict;
        if (code == -CANCELLED && k->sure)      /* the position had moved, and is known again */
                return;
        if (!batch_is_nobodys_fault(code) || (code == -RESOURCE_EXHAUSTED && m == 1)) {
                a->park = ++a->attempts > k->s.retries;
                if (a->park)
                        bound_reached(BOUND_CONSUMER_RETRIES);
                a->pause_ms = a->park ? 0 : backoff(k->s.backoff_ms, a->attempts - 1, SECONDS(30));
                return;
        }
        a->limit = MAX(m / 2, (size_t)1);
        a->pause_ms = backoff(100, a->waits++, SECONDS(5));
}

/* Until every event in hand is applied or parked. returns false: the bus stops before */
static bool process(struct consumer *k)
{
        struct course a = { .limit = k->n };

        while (a.i < k->n && !k->bus->stopping && mutex_lock(&k->rest.c, &k->lock) == 0) {
                a.pause_ms = 0;
                if (!k->sure)
                        ask_position(k, &a);
                else if (a.park || must_park(k, a.i))
                        park_one(k, &a);
                else
                        run_some(k, &a);
                mutex_unlock(&k->lock);
                if (a.pause_ms > 0)
                        pause_for(k, &a);
        }
        return a.i == k->n;
}

/* A long stretch of rows that hold nothing for this consumer: so that a restart need not read them again. */
static void move_over_nothing(struct consumer *k)
{
        if (k->rows_since < IDLE_ROWS || mutex_lock(&k->rest.c, &k->lock) < 0)
                return;
        consumer_reset(k, &(struct trace){ 0 });
        if ((k->sure ? 0 : position_confirm(&k->c, k)) == 0)
                position_move(&k->c, k, (struct place){ k->passed.tx, k->passed.id, INT32_MAX });
        k->rows_since = 0;                      /* a failure is not worth a retry: nothing was lost */
        mutex_unlock(&k->lock);
}

void consumer_fiber(void *arg)
{
        struct consumer *k = arg;

        while (!k->bus->stopping) {
                gather(k);
                if (k->n > 0 && !process(k))
                        break;
                drop_taken(k);
                if (k->n_queue == 0)
                        move_over_nothing(k);
                if (k->n_queue == 0 && !k->bus->stopping)
                        rest_on(&k->rest, &k->changed, 0);
        }
        bus_fiber_ended(k->bus);
}
