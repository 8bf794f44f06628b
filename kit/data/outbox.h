/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * outbox.h - events that happen exactly when their change commits, and are applied exactly once.
 *
 *   emit() ---> outbox row of the same transaction: all its events packed, JSON lines {"topic","key","at","trace"?,"data"}
 *                relay: one leader a source reads forward below pg_snapshot_xmin, so a slow commit is never skipped; woken by commits of this
 *                process, at most every 40 ms, polling each 500 ms as a safety net
 *                  ---> bus: local (bounded queues to the consumers of this process; the relay waits for the slowest) | Kafka later
 *                         ---> consumer: a run of events of one topic in one transaction that also moves its position (consumer, source, tx, id,
 *                              index); the move guards itself against a repeat, so an effect happens once whatever is delivered twice
 *
 * What becomes of a failure of a consumer's function:
 *     nobody's fault (batch.h)    the batch is tried again for ever, backing off to 5 s, smaller each time; nothing is parked
 *     one event's                 halving isolates it; those before it stand, it is retried alone with backoff, then parked with its error.
 *                                 Later events with its key are parked behind it, in order, until parked_replay() has applied them all
 *     a negative verdict          the same: the transaction is given up at tx_commit() (a consumer's verdicts are final by then)
 * More than 10,000 parked events of one consumer are an outage, not poison: it then retries instead of parking.
 *
 * Positions are places in the outbox of one database cluster: after restoring a source from a dump they must be set anew.
 * Threads: emit in any transaction; relays and consumers run on one worker. */
#ifndef OUTBOX_H
#define OUTBOX_H
#include "batch.h"
#include "db.h"

struct event { const char *topic; const struct type *of; const char *key_field; const char *doc; };   /* "order.confirmed", &order_type, "id" */

/* Adds to the transaction's events; written at commit. Encodes now: msg may go.
 *   returns  0, or the transaction's sticky error; -RESOURCE_EXHAUSTED over 16 MiB of events in one transaction (slug "too_much") */
int  emit(struct db *tx, const struct event *e, const void *msg) MUST_USE;

int  outbox_check(struct ctx *c);                       /* holds kit's own statements against c's database (db_check). Waits. */

struct place { int64_t tx, id; int32_t index; };        /* where an event stands in its source's outbox             */

struct subscription {                                   /* one consumer of one source                               */
        const char *consumer, *source;                  /* "inventory.commit_hold", "orders"; both part of the position's key */
        const char *const *topics;                      /* NULL-terminated                                          */
        const struct event *const *events;              /* the same order                                           */
        struct ctx  model;                              /* unit and pg of the consuming service                     */
        batch_fn    fn;                                 /* in: the event's message, out: NULL. Exactly one TX, or none: then the
                                                           position moves after it, and a crash between repeats it */
        size_t      max;                                /* events a batch; 512                                      */
        int         retries, backoff_ms;                /* 8, 250 (doubling to 30 s)                                */
};

struct bus;                                             /* the local bus: all relays and consumers of this process  */
struct bus *bus_open(void);
/* A service with an outbox. model: its unit and pg. source: also the pg's name (pg_options.name), by which commits wake the relay. */
void bus_source(struct bus *b, const char *source, const struct ctx *model);
void bus_subscribe(struct bus *b, const struct subscription *s);                 /* before bus_start; copied       */
int  bus_start(struct ctx *c, struct bus *b);           /* starts the fibers on this loop. Waits (reads positions)  */
void bus_stop(struct ctx *c, struct bus *b);            /* finishes running batches. Waits.                         */
void bus_close(struct bus **b);
/* Waits until everything committed before the call, and what its consumers then emitted, is applied or parked. For tests and drains:
 * while somebody settles, an event that fails is retried without backoff.
 *   returns  0, -DEADLINE_EXCEEDED, what db says */
int  bus_settle(struct ctx *c, struct bus *b);
/* After a commit with events: wakes the relay of `source`. From any thread; harmless when none runs here. */
void bus_wake(const char *source);

struct parked { int64_t no; str consumer, source, topic, key, payload, error; int32_t attempts; when at; };
DECLARE_LIST(parked);
extern const struct type parked_type;
/* Of c's database, the oldest 200, for people: payload and error are cut to 4,000 characters. Waits. */
int  parked_list(struct ctx *c, struct parked_list *out);
/* Applies the parked events of one key in order; stops at the first that fails again (its attempts and error are renewed). Waits.
 *   returns  events applied; -NOT_FOUND no such consumer here (slug "no_such_consumer"), what db says */
int  parked_replay(struct ctx *c, struct bus *b, str consumer, str key);

/* For whoever operates the program, from any process: marks the parked events of one key; the program that runs the consumer replays them at its
 * next turn (parked_replay_marked). On c's database. Waits. returns events marked */
int  parked_mark(struct ctx *c, str consumer, str key);
/* Replays each key that is marked in c's database, once: one that fails again is marked no more. Waits. returns events applied, what db says */
int  parked_replay_marked(struct ctx *c, struct bus *b);

struct consumer_stats { const char *consumer, *source; uint64_t events, batches, retries, parked; int64_t lag_us; size_t queued; };
void bus_each(struct bus *b, void (*fn)(const struct consumer_stats *s, void *arg), void *arg);
struct relay_stats { const char *source; uint64_t rows, events; int64_t lag_us; };
void bus_each_relay(struct bus *b, void (*fn)(const struct relay_stats *s, void *arg), void *arg);
/* Deletes rows that every consumer has passed and that are older than keep_ms, in bounded steps. Waits. returns rows */
int  outbox_trim(struct ctx *c, struct bus *b, const char *source, int keep_ms);
#endif
