/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * relay.c - reads the outbox of one source forward and hands its rows to the consumers of this process.
 *
 *     wait for leadership -> begin at the lowest position of the consumers -> read 32 rows -> queues -> rest -> read ...
 *
 * Nothing is skipped: a row is taken only when its transaction is older than every one that still runs (pg_snapshot_xmin), so that whatever
 * commits later has a higher place. A row that is there but must wait makes the next rest short. The cursor lives in memory: if
 * leadership is lost and won again, rows that another process handed out meanwhile are handed out once more, and the consumers'
 * positions tell that they are done.
 *
 * Rest: at least ROUND_MS between two reads, so that under load rows travel together. A commit of this process wakes the relay. Commits of
 * other processes are found by looking: each POLL_MS, and each NEAR_MS for as long as looking has brought something lately (ADR 38). */
#include <stdlib.h>
#include "bound.h"
#include "bus_inside.h"
#include "clock.h"
#include "log.h"

enum { ROUND_MS = 40, POLL_MS = 500, NEAR_MS = 40, LATELY_US = 5000000, ROWS = 32, READ_TIMEOUT_MS = SECONDS(10), RELAY_ARENA = 64 << 20, TRIM_ROWS = 1000, TRIM_STEPS = 100 };

struct outbox_read { int64_t tx, id; when at; bytes payload; };
DECLARE_LIST(outbox_read);
MESSAGE(outbox_read, "a row of an outbox; without payload: its transaction is too young",
        F(outbox_read, 1, tx), F(outbox_read, 2, id), F(outbox_read, 3, at), F(outbox_read, 4, payload, .max = 32 << 20, .optional = true));
struct outbox_age { int64_t tx, id; when before; };
MESSAGE(outbox_age, "which rows may go", F(outbox_age, 1, tx), F(outbox_age, 2, id), F(outbox_age, 3, before));

QUERY(relay_read, &place_type, &outbox_read_type, ROWS_MANY,
      "select tx, id, at, case when tx < (select pg_snapshot_xmin(pg_current_snapshot())::text::int8) then payload end as payload"
      " from souk_outbox where (tx, id) > ($1, $2) order by tx, id limit 32",
      "tx", "id", NULL);
QUERY(relay_newest, NULL, &place_type, ROWS_MAYBE,
      "select tx, id, 0 as index from souk_outbox order by tx desc, id desc limit 1",
      NULL);
QUERY(relay_trim, &outbox_age_type, NULL, ROWS_NONE,
      "delete from souk_outbox where (tx, id) in (select tx, id from souk_outbox where (tx, id) <= ($1, $2) and at < $3"
      " order by tx, id limit 1000)",
      "tx", "id", "before", NULL);
const struct query *const relay_queries[] = { &relay_read, &relay_newest, &relay_trim, NULL };

/* ---- chunks and rests ---------------------------------------------------------------------------------------------- */
static struct chunk *chunk_new(const struct outbox_read *row)
{
        struct chunk *k = alloc_should_fail() ? NULL : malloc(sizeof *k + row->payload.n);

        if (!k)
                return NULL;
        *k = (struct chunk){ .refs = 1, .tx = row->tx, .id = row->id, .at = row->at, .n = row->payload.n };
        memcpy(k->p, row->payload.p, row->payload.n);
        return k;
}

void chunk_unref(struct chunk *k)
{
        if (--k->refs == 0)
                free(k);
}

void rest_init(struct rest *r, const char *op)
{
        r->c = (struct ctx){ .arena = arena_new(WAIT_ARENA), .op = op };
}

void rest_done(struct rest *r)
{
        arena_free(r->c.arena);
}

int rest_on(struct rest *r, struct event_flag *f, int ms)
{
        arena_reset(r->c.arena);
        fault_clear(&r->c);
        r->c.deadline_us = ms ? deadline_in(ms) : 0;
        int code = event_flag_wait(&r->c, f);
        r->c.deadline_us = 0;
        return code;
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */
void relay_init(struct relay *r, struct bus *b, const char *source, const struct ctx *model)
{
        r->bus = b;
        r->source = source;
        r->c = (struct ctx){ .arena = arena_new(RELAY_ARENA), .op = "relay", .caller = model->caller, .unit = model->unit, .pg = model->pg };
        rest_init(&r->rest, "relay");
        event_flag_init(&r->wake);
        r->stats.source = source;
}

void relay_done(struct relay *r)
{
        arena_free(r->c.arena);
        rest_done(&r->rest);
}

void relay_wake(struct relay *r)
{
        r->woken = true;
        event_flag_signal(&r->wake);
}

static void relay_reset(struct relay *r)
{
        arena_reset(r->c.arena);
        fault_clear(&r->c);
        r->c.deadline_us = deadline_in(READ_TIMEOUT_MS);
}

/* ---- rounds --------------------------------------------------------------------------------------------------------- */
static bool is_full(const struct consumer *k)
{
        return k->n_queue == QUEUE_CHUNKS || k->queue_bytes >= QUEUE_BYTES;
}

/* Hands one row to every consumer; takes chunk. Waits while the slowest is full. returns false: the bus stops */
static bool hand_out(struct relay *r, const struct outbox_read *row, struct chunk *chunk)
{
        for (size_t i = 0; i < r->n && !r->bus->stopping; i++) {
                struct consumer *k = r->consumers[i];
                if (is_full(k))
                        bound_reached(BOUND_CONSUMER_QUEUE);
                while (is_full(k) && !r->bus->stopping)
                        rest_on(&r->rest, &k->changed, 0);
                if (r->bus->stopping || place_cmp((struct place){ row->tx, row->id, 0 }, k->passed) <= 0)
                        continue;
                k->queue[(k->head + k->n_queue++) % QUEUE_CHUNKS] = chunk;
                k->queue_bytes += chunk->n;
                chunk->refs++;
                event_flag_signal(&k->changed);
        }
        chunk_unref(chunk);
        return !r->bus->stopping;
}

static uint64_t lines_in(bytes payload)
{
        uint64_t n = 0;

        for (const uint8_t *p = payload.p, *end = p + payload.n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
                n++;
        return n;
}

enum round { ROUND_FAILED = -1, ROUND_DONE, ROUND_MORE, ROUND_YOUNG };  /* more: read on at once; young: a row must wait  */

static enum round relay_round(struct relay *r)
{
        struct place from = r->cursor;
        struct outbox_read_list rows = { 0 };

        relay_reset(r);
        registry_looked(r);
        r->woken = false;
        if (r->n == 0)
                return ROUND_DONE;                      /* nobody here wants to hear of it                    */
        if (db_run(db(&r->c), &relay_read, &from, &rows) < 0)
                return ROUND_FAILED;
        if (rows.n && r->unasked)
                r->others_us = clock_us();
        for (size_t i = 0; i < rows.n; i++) {
                const struct outbox_read *row = &rows.v[i];
                if (!row->payload.p)
                        return ROUND_YOUNG;
                struct chunk *chunk = chunk_new(row);
                if (!chunk) {
                        (void)!fail(&r->c, RESOURCE_EXHAUSTED, "out_of_memory", "no memory for events");
                        return ROUND_FAILED;            /* the cursor stands: they are read again */
                }
                if (!hand_out(r, row, chunk))
                        return ROUND_DONE;
                r->cursor = (struct place){ row->tx, row->id, 0 };
                r->stats.rows++;
                r->stats.events += lines_in(row->payload);
                r->stats.lag_us = MAX(clock_now().us - row->at.us, (int64_t)0);  /* clocks are set back */
        }
        return rows.n == ROWS ? ROUND_MORE : ROUND_DONE;
}

static int poll_ms(const struct relay *r)
{
        return r->others_us && clock_us() - r->others_us < LATELY_US ? NEAR_MS : POLL_MS;
}

/* Until the next read is due. */
static void relay_rest(struct relay *r, enum round last)
{
        struct bus *b = r->bus;

        r->unasked = false;
        if (last == ROUND_MORE)
                return;
        if (last == ROUND_DONE) {
                r->stats.lag_us = 0;
                if (!r->woken && !b->stopping)
                        r->unasked = rest_on(&r->rest, &r->wake, poll_ms(r)) == -DEADLINE_EXCEEDED;
        }
        int round_ms = last == ROUND_FAILED ? POLL_MS : ROUND_MS;
        for (int64_t left; !b->stopping && (!b->settling || last == ROUND_FAILED) && (left = r->read_us + round_ms * 1000 - clock_us()) > 0;)
                rest_on(&r->rest, &r->wake, (int)((left + 999) / 1000));
        if (b->settling)
                fiber_yield();
}

/* As a new leader: another process may have moved the positions since bus_start(). */
static int relay_begin(struct relay *r)
{
        for (size_t i = 0; i < r->n; i++) {
                relay_reset(r);
                TRY(consumer_load(&r->c, r->consumers[i]));
                if (i == 0 || place_cmp(r->consumers[i]->passed, r->cursor) < 0)
                        r->cursor = r->consumers[i]->passed;
        }
        r->began = true;
        return 0;
}

static void relay_tell(struct relay *r, enum round last)
{
        struct trouble was;

        if (r->bus->stopping)
                return;
        if (last != ROUND_FAILED) {
                if (trouble_over(&r->trouble, &was))
                        log_say(INFO, "relay_goes_on", L_Z("source", r->source), L_INT("failures", (int64_t)was.failures), L_MS("after_ms", clock_us() - was.since_us));
        } else if (trouble_again(&r->trouble, (int)r->c.fault.code, clock_us())) {
                log_say(WARN, "relay_failed", L_Z("source", r->source), L_STR("error", r->c.fault.message), L_INT("failures", (int64_t)r->trouble.failures));
        }
}

static void relay_lead(struct relay *r)
{
        enum round last = ROUND_MORE;
        struct pg_leader *leader = NULL;
        char what[128];

        snprintf(what, sizeof what, "outbox:%s", r->source);
        relay_reset(r);
        r->c.deadline_us = 0;
        if (pg_lead(&r->c, r->c.pg, what, &leader) < 0)
                return;
        r->is_leader = true;
        for (size_t i = 0; i < r->n; i++)
                r->consumers[i]->sure = false;          /* another process may have led since */
        while (!r->bus->stopping && !pg_leader_is_lost(leader)) {
                r->read_us = clock_us();
                if (!r->began && relay_begin(r) < 0)
                        last = ROUND_FAILED;
                else
                        last = relay_round(r);
                relay_tell(r, last);
                relay_rest(r, last);
        }
        r->is_leader = false;
        pg_leader_end(&leader);
}

void relay_fiber(void *arg)
{
        struct relay *r = arg;

        r->fiber = fiber_self();
        while (!r->bus->stopping) {
                relay_lead(r);
                if (!r->bus->stopping)                  /* no leader any more, or never: not at once again */
                        rest_on(&r->rest, &r->wake, POLL_MS);
        }
        r->fiber = NULL;
        bus_fiber_ended(r->bus);
}

/* ---- looking and tidying -------------------------------------------------------------------------------------------- */
int relay_last(struct ctx *c, struct relay *r, struct place *out)
{
        struct ctx mine = *c;

        mine.pg = r->c.pg;
        mine.unit = r->c.unit;
        int found = db_run(db(&mine), &relay_newest, NULL, out);
        if (found < 0)
                fault_copy(c, &mine);
        return found;
}

/* How far a consumer has come: as the leader knows, or as the database says when another process hands out. */
static int passed_of(struct ctx *c, const struct relay *r, struct consumer *k, struct place *out)
{
        struct ctx there = *c;

        *out = k->passed;
        if (r->is_leader && r->began)
                return 0;
        there.pg = k->s.model.pg;
        there.unit = k->s.model.unit;
        int code = position_load(&there, k, out);
        if (code < 0)
                fault_copy(c, &there);
        out->id--;                                      /* its row may be half applied */
        return code;
}

int outbox_trim(struct ctx *c, struct bus *b, const char *source, int keep_ms)
{
        struct relay *r = bus_relay(b, source);
        struct ctx mine = *c;
        int gone = 0, step;

        if (!r)
                return fail(c, NOT_FOUND, "no_such_source", "no relay of %s runs here", source);
        struct outbox_age t = { INT64_MAX, 0, { clock_now().us - (int64_t)keep_ms * 1000 } };
        for (size_t i = 0; i < r->n; i++) {
                struct place p;
                TRY(passed_of(c, r, r->consumers[i], &p));
                if (place_cmp(p, (struct place){ t.tx, t.id, 0 }) < 0)
                        t = (struct outbox_age){ p.tx, p.id, t.before };
        }
        mine.pg = r->c.pg;
        mine.unit = r->c.unit;
        for (int i = 0; i < TRIM_STEPS; i++) {
                step = db_run(db(&mine), &relay_trim, &t, NULL);
                if (step < 0) {
                        fault_copy(c, &mine);
                        return gone ? gone : step;
                }
                gone += step;
                if (step < TRIM_ROWS)
                        break;
        }
        return gone;
}
