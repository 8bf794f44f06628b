/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * outbox.h - events that happen exactly when their change commits, and are applied exactly once.
 *
 *   emit() ---> outbox row of the same transaction (one row a transaction, all its events packed; JSON lines)
 *               relay: reads forward below pg_snapshot_xmin, so a slow commit is never skipped; woken by commits of this process, at most every
 *               20 ms, polling each 500 ms as a safety net
 *                 ---> bus: local (queues to the consumers of this process) | Kafka later
 *                        ---> consumer: a batch of events in one transaction that also moves its position (consumer, source, tx, id, index);
 *                             the update guards itself against a repeat or a gap
 *
 * A failing event is retried with backoff, then parked with its error, and later events with its key behind it; replay applies parked events of a key
 * in order. Threads: emit in any transaction; relays and consumers run on one worker. */
#ifndef OUTBOX_H
#define OUTBOX_H
#include "batch.h"
#include "db.h"

struct event { const char *topic; const struct type *of; const char *key_field; const char *doc; };   /* "order.confirmed", &order_type, "id" */

/* Adds to the transaction's events; written at commit. Encodes now: msg may go. returns 0, or the sticky error */
int  emit(struct db *tx, const struct event *e, const void *msg) MUST_USE;

struct place { int64_t tx, id; int32_t index; };        /* where an event stands in its source's outbox             */

struct subscription {                                   /* one consumer of one source                               */
        const char *consumer, *source;                  /* "inventory.commit_hold", "orders"; both part of the position's key */
        const char *const *topics;                      /* NULL-terminated                                          */
        const struct event *const *events;              /* the same order                                           */
        struct ctx  model;                              /* unit and pg of the consuming service                     */
        batch_fn    fn;                                 /* runs a batch of one topic in one transaction (exactly one TX) */
        size_t      max;                                /* events a batch; 512                                      */
        int         retries, backoff_ms;                /* 8, 250 (doubling to 30 s)                                */
};

struct bus;                                             /* the local bus: all relays and consumers of this process  */
struct bus *bus_open(void);
void bus_source(struct bus *b, const char *source, const struct ctx *model);     /* a service with an outbox       */
void bus_subscribe(struct bus *b, const struct subscription *s);                 /* before bus_start; copied       */
int  bus_start(struct ctx *c, struct bus *b);           /* starts the fibers on this loop. Waits (reads positions)  */
void bus_stop(struct ctx *c, struct bus *b);            /* finishes running batches. Waits.                         */
void bus_close(struct bus **b);
/* Waits until everything committed before the call is applied or parked. returns 0, -DEADLINE_EXCEEDED. For tests and drains. */
int  bus_settle(struct ctx *c, struct bus *b);
void bus_wake(const char *source);                      /* after a commit with events: from any thread              */

struct parked { int64_t no; str consumer, source, topic, key, payload, error; int32_t attempts; when at; };
DECLARE_LIST(parked);
extern const struct type parked_type;
int  parked_list(struct ctx *c, struct parked_list *out);                       /* of c's database, oldest first, at most 1,000. Waits */
/* Applies the parked events of one key in order; stops at the first that fails again. Waits. returns events applied */
int  parked_replay(struct ctx *c, struct bus *b, str consumer, str key);

struct consumer_stats { const char *consumer, *source; uint64_t events, batches, retries, parked; int64_t lag_us; size_t queued; };
void bus_each(struct bus *b, void (*fn)(const struct consumer_stats *s, void *arg), void *arg);
struct relay_stats { const char *source; uint64_t rows, events; int64_t lag_us; };
void bus_each_relay(struct bus *b, void (*fn)(const struct relay_stats *s, void *arg), void *arg);
/* Deletes rows that every consumer has passed and that are older than keep_ms, in bounded steps. Waits. returns rows */
int  outbox_trim(struct ctx *c, struct bus *b, const char *source, int keep_ms);
#endif
