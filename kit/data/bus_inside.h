/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * bus_inside.h - what the files of the local bus share. Nobody else includes it.
 *
 *     outbox.c    writes lines, reads lines
 *     relay.c     outbox rows -> chunks -> queues of the consumers of that source
 *     consumer.c  queue -> batch of one topic -> the function, with the position in its transaction
 *     position.c  where a consumer is, in its own database
 *     parked.c    events set aside: park, list, replay
 *     bus_local.c makes, starts, stops and settles all of them
 *
 * All on one loop, so that between two waits nothing changes; only the registry behind bus_wake() is shared by threads. */
#ifndef BUS_INSIDE_H
#define BUS_INSIDE_H
#include "fiber.h"
#include "loop.h"
#include "map.h"
#include "outbox.h"
#include "trouble.h"
#include "pg.h"
#include "sync.h"

enum {
        QUEUE_CHUNKS = 256, QUEUE_BYTES = 4 << 20,      /* of a consumer: the relay waits beyond either             */
        PARKED_MAX = 10000,                             /* of a consumer                                            */
        BATCH_TIMEOUT_MS = SECONDS(10),
        IDLE_ROWS = 1000,                               /* without interest, after which a position moves by itself */
        EVENTS_ARENA = 32 << 20, RUN_ARENA = 8 << 20, WAIT_ARENA = 64 << 10,
};

/* A statement of kit's own, at the top of a file: QUERY(name, &in_type, &out_type or NULL, ROWS_, "sql", "param", ..., NULL) */
#define QUERY(name_, in_, out_, rows_, sql_, ...) \
        static struct query_plan name_##_plan; \
        static const struct query name_ = { .name = #name_, .sql = (sql_), .in = (in_), .out = (out_), .rows = (rows_), \
                                            .params = (const char *const[]){ __VA_ARGS__ }, .plan = &name_##_plan }

extern const struct query *const outbox_queries[], *const relay_queries[], *const position_queries[], *const parked_queries[];

/* ---- lines (outbox.c) ------------------------------------------------------------------------------------------- */
struct line { str topic, key, data; when at; struct trace trace; };     /* points into the text, but for a key with escapes */
bool line_topic(str text, str *topic);                  /* false: not a line of an outbox                           */
int  line_read(struct ctx *c, str text, struct line *out);              /* -DATA_LOSS; text without its newline     */

/* ---- chunks: one row of an outbox on its way to several consumers (relay.c) -------------------------------------- */
struct chunk { int refs; int64_t tx, id; when at; size_t n; char p[]; };
void chunk_unref(struct chunk *k);

/* ---- waits of a fiber with no request behind it ------------------------------------------------------------------ */
struct rest { struct ctx c; };                          /* c has no deadline between waits                          */
void rest_init(struct rest *r, const char *op);
void rest_done(struct rest *r);
/* Waits for f at most ms (0: until it comes). returns 0 signalled, -DEADLINE_EXCEEDED, -CANCELLED */
int  rest_on(struct rest *r, struct event_flag *f, int ms);

static inline int place_cmp(struct place a, struct place b)
{
        if (a.tx != b.tx) return a.tx < b.tx ? -1 : 1;
        if (a.id != b.id) return a.id < b.id ? -1 : 1;
        return (a.index > b.index) - (a.index < b.index);
}

/* ---- consumers --------------------------------------------------------------------------------------------------- */
struct item {                           /* an event of the batch in hand                                             */
        struct place place;
        struct line  line;
        struct ctx   c;                 /* the call's: its verdict's story, its trace                               */
        int          broken;            /* it could not be decoded: parked without a try; the story is in c         */
};
struct position_step {                  /* parameters of the position's update                                       */
        str consumer, source;
        int64_t old_tx, old_id, tx, id;
        int32_t old_index, index;
};
struct consumer {
        struct bus   *bus;
        struct relay *from;
        struct subscription s;          /* strings and tables in the bus's arena                                     */
        struct ctx    c;                /* of runs: its arena is reset for each                                      */
        struct rest   rest;
        struct arena *events;           /* the decoded batch in hand                                                 */
        struct mutex  lock;             /* one at a time: a run, a park, a replay                                    */

        struct chunk *queue[QUEUE_CHUNKS];              /* a ring                                                    */
        size_t        head, n_queue, queue_bytes;
        struct event_flag changed;      /* the queue grew or shrank                                                  */

        struct place  known;            /* the position as far as known; what is up to it is applied or parked       */
        bool          sure;             /* nothing happened since that could have moved it unseen                    */
        struct place  passed;           /* the last row that is wholly done with; in memory, may be ahead of known   */
        int           rows_since;       /* passed since the position last moved                                      */

        struct item  *items;            /* the batch in hand: s.max of them, calls in the same order                 */
        struct call  *calls;
        size_t        n;
        size_t        at_byte;          /* how far the first chunk of the queue is taken ...                         */
        int32_t       at_index;
        size_t        ends_chunk, ends_byte;            /* ... and where the batch in hand ends: chunk from the head, byte */
        int32_t       ends_index;
        bool          halted;           /* this batch_run: nothing more may run, an earlier event is not done        */

        struct rider  rider;            /* of the run                                                                */
        struct batch  range;            /* of the run                                                                */
        struct position_step move;
        struct parked replayed;         /* the parked event in hand of parked_replay()                               */

        struct map   *parked_keys;
        int64_t       parked_rows;
        struct consumer_stats stats;
};
void consumer_init(struct consumer *k, struct bus *b, const struct subscription *s);
void consumer_done(struct consumer *k);
int  consumer_load(struct ctx *c, struct consumer *k);  /* position and parked keys; before anything is queued. Waits. */
void consumer_fiber(void *arg);
/* Runs the function over b in its one transaction with `at_begin` riding, or moves by `at_begin` alone after it when it opened none. Waits. */
int  consumer_ride(struct consumer *k, struct ctx *c, struct batch *b, int (*at_begin)(struct db *tx, struct rider *r));
void consumer_reset(struct consumer *k, const struct trace *t);         /* k->c for the next piece of work          */
const struct event *consumer_event(const struct consumer *k, str topic);        /* NULL: not one of its topics      */
/* msg of the event's type from `data`, in c's arena. returns 0, -INVALID_ARGUMENT, -RESOURCE_EXHAUSTED */
int  consumer_decode(struct ctx *c, const struct event *e, str data, const void **msg);

extern const struct type place_type;                    /* position.c */

/* ---- position.c ---------------------------------------------------------------------------------------------------- */
int  position_load(struct ctx *c, struct consumer *k, struct place *out);       /* makes the row at first. Waits.   */
/* The position may have moved unseen (a lost answer, another process): reads it again into known, and the parked keys. Waits.
 *   returns  1 it had moved, 0, or a failure */
int  position_confirm(struct ctx *c, struct consumer *k);
int  position_later(struct db *tx, struct consumer *k, struct place to);        /* queues the guarded move          */
void position_moved(struct consumer *k, struct place to);               /* the transaction with the move committed  */
int  position_move(struct ctx *c, struct consumer *k, struct place to);         /* in a transaction of its own. Waits. */

/* ---- parked.c ------------------------------------------------------------------------------------------------------ */
bool parked_has(struct consumer *k, str key);
int  parked_load(struct ctx *c, struct consumer *k);                            /* Waits. */
/* Sets item aside and moves the position past it in one transaction. verdict: its last, told when it has no story. c: consumer's, lock held. Waits. */
int  parked_add(struct ctx *c, struct consumer *k, const struct item *item, int attempts, int verdict);

/* ---- relays -------------------------------------------------------------------------------------------------------- */
struct relay {
        struct bus   *bus;
        const char   *source;
        struct ctx    c;                /* model, arena reset each round                                             */
        struct rest   rest;
        struct consumer *consumers[64];
        size_t        n;
        struct place  cursor;           /* rows up to it are with the consumers                                      */
        bool          is_leader, began; /* began: consumers' positions were read as leader once                      */
        struct fiber *fiber;
        struct event_flag wake;
        bool          woken;
        int64_t       read_us;          /* when the last read began                                                  */
        bool          unasked;          /* the next read is a look: nobody woke us                                   */
        int64_t       others_us;        /* when a look brought rows, which another process committed; 0: never       */
        struct trouble trouble;
        struct relay_stats stats;
};
void relay_init(struct relay *r, struct bus *b, const char *source, const struct ctx *model);
void relay_done(struct relay *r);
void relay_fiber(void *arg);
void relay_wake(struct relay *r);                       /* from its own loop                                        */
/* The last row committed now. returns 1 there is one, 0 none, or a failure. c: any; runs on r's database. Waits. */
int  relay_last(struct ctx *c, struct relay *r, struct place *out);

/* ---- the bus --------------------------------------------------------------------------------------------------------- */
struct bus {
        struct arena *arena;
        struct relay  relays[64];
        struct consumer *consumers[256];
        size_t        n_relays, n_consumers;
        int           live;             /* fibers                                                                   */
        int           settling;         /* callers of bus_settle(): relays do not pace themselves                   */
        bool          stopping;
        struct event_flag progress;     /* a consumer passed something, or a fiber ended                            */
};
struct relay *bus_relay(struct bus *b, const char *source);             /* NULL: none                               */
void bus_fiber_ended(struct bus *b);
void registry_set(struct relay *r);                     /* bus_wake() finds it from now on                          */
void registry_clear(struct relay *r);
void registry_looked(struct relay *r);                  /* it reads now: the next wake posts again                  */
#endif
