/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * idem.c - the same Idempotency-Key never has two effects (draft-ietf-httpapi-idempotency-key-header).
 *
 *     no key 400 ---- the same key is at work 409 ---- known, other request 422 ---- known, same request: the first answer again
 *        else the operation runs; a rider writes the answer in the very transaction of the effect, so both stand or neither does
 *
 * An operation of an `idempotent` route therefore fills its `out` before it commits. A refusal changes nothing and is not kept.
 * Two replicas with one key at once: the primary key lets one commit; the other is told to ask again. Keys at work are a set of
 * the process, bounded. Routes marked `keyed` need a key that is not at work; their operation makes it part of the resource's id, which
 * is the record. */
#include "engine.h"
#include "bound.h"
#include <pthread.h>
#include <stdlib.h>
#include "json.h"
#include "map.h"

enum { KEY_MAX = 255, FLIGHTS_MAX = 20000, TIDY_STEP = 1000 };

static struct { pthread_mutex_t lock; struct map *set; size_t max; } flights = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- what is kept ---------------------------------------------------------------------------------------------------- */

struct first_answer { uid caller; str route, key; bytes fingerprint; int32_t status; str location, body; };
MESSAGE(first_answer, "the first answer given to a key",
        F(first_answer, 1, caller), F(first_answer, 2, route), F(first_answer, 3, key), F(first_answer, 4, fingerprint),
        F(first_answer, 5, status), F(first_answer, 6, location, .optional = true), F(first_answer, 7, body, .max = 16 << 20));

static const struct query known = {
        .name = "idempotency_known", .in = &first_answer_type, .out = &first_answer_type, .rows = ROWS_MAYBE,
        .sql = "select caller, route, key, fingerprint, status, location, body from souk_idempotency where caller = $1 and key = $2 and route = $3",
        .params = (const char *const[]){ "caller", "key", "route", NULL }, .plan = &(struct query_plan){ NULL } };
static const struct query keep = {
        .name = "idempotency_keep", .in = &first_answer_type, .rows = ROWS_NONE,
        .sql = "insert into souk_idempotency (caller, route, key, fingerprint, status, location, body, at) values ($1, $2, $3, $4, $5, $6, $7, $8)",
        .params = (const char *const[]){ "caller", "route", "key", "fingerprint", "status", "location", "body", ":now", NULL },
        .plan = &(struct query_plan){ NULL } };
static const struct query forget = {
        .name = "idempotency_forget", .in = &nothing_type, .rows = ROWS_NONE,
        .sql = "delete from souk_idempotency where ctid = any (array(select ctid from souk_idempotency where at < $1 - interval '24 hours' limit 1000))",
        .params = (const char *const[]){ ":now", NULL }, .plan = &(struct query_plan){ NULL } };
const struct query *const idem_queries[] = { &known, &keep, &forget, NULL };

int idem_tidy(struct ctx *c)
{
        int all = 0, rows;
        do {
                TRY(rows = db_run(db(c), &forget, &(struct nothing){ 0 }, NULL));
                all += rows;
        } while (rows == TIDY_STEP);
        return all;
}

static struct first_answer row_of(const struct request *q)
{
        return (struct first_answer){ .caller = q->c->caller.id, .route = str_of(q->endpoint->name), .key = q->c->idempotency_key,
                                      .fingerprint = { (const uint8_t *)q->idem.fingerprint.p, q->idem.fingerprint.n } };
}

/* ---- the key --------------------------------------------------------------------------------------------------------- */

/* A token or a quoted string (the draft's structured field); its text, without quotes. */
static bool key_read(str value, str *out)
{
        value = str_trim(value, " \t");
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') value = str_cut(value, 1, value.n - 1);
        for (size_t i = 0; i < value.n; i++)
                if (value.p[i] < 0x21 || value.p[i] > 0x7e || value.p[i] == '"' || value.p[i] == '\\') return false;
        *out = value;
        return value.n > 0 && value.n <= KEY_MAX;
}

static int read_key(struct request *q)
{
        const struct headers *h = &q->x->head.headers;
        str value = header_get(h, "idempotency-key");
        if (!value.p) return header_refused(q->c, 400, "idempotency_key_missing", "Idempotency-Key", "is required: a text of your own that is new for each thing you want");
        if (header_count(h, "idempotency-key") > 1 || !key_read(value, &q->c->idempotency_key))
                return header_refused(q->c, 400, "idempotency_key_invalid", "Idempotency-Key", "must be one text of 1 to 255 visible ASCII characters");
        return 0;
}

/* ---- at work ---------------------------------------------------------------------------------------------------------- */

void idem_limit(size_t max)              { flights.max = max; }

/* Who, where, and under which key. */
static str flight_of(const struct request *q)
{
        str key = q->c->idempotency_key;
        char *p = arena_alloc(q->c->arena, sizeof q->c->caller.id + sizeof q->endpoint + key.n);
        if (!p) return (str){ NULL, 0 };
        memcpy(p, &q->c->caller.id, sizeof q->c->caller.id);
        memcpy(p + sizeof q->c->caller.id, &q->endpoint, sizeof q->endpoint);
        memcpy(p + sizeof q->c->caller.id + sizeof q->endpoint, key.p, key.n);
        return (str){ p, sizeof q->c->caller.id + sizeof q->endpoint + key.n };
}

static int take_off(struct request *q)
{
        str key = flight_of(q);
        if (!key.p) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the key");
        pthread_mutex_lock(&flights.lock);
        if (!flights.set) flights.set = map_try(flights.max ? flights.max : FLIGHTS_MAX, MAP_REFUSES, NULL);
        bool busy = flights.set && map_get(flights.set, key) != NULL;
        int r = busy ? 0 : flights.set ? map_put(flights.set, key, q) : -RESOURCE_EXHAUSTED;
        pthread_mutex_unlock(&flights.lock);
        if (r < 0) {
                bound_reached(BOUND_KEYS_AT_WORK);
                (void)!fail(q->c, RESOURCE_EXHAUSTED, "busy", "too many requests with keys are at work");
                q->c->fault.retry_after_ms = 1000;
                return r;
        }
        if (!busy) {
                q->idem.flight = key;
                return 0;
        }
        r = fail(q->c, ABORTED, "idempotency_in_flight", "a request with this Idempotency-Key is at work");
        q->c->fault.retry_after_ms = 1000;
        return r;
}

static void land(struct request *q)
{
        if (!q->idem.flight.p) return;
        pthread_mutex_lock(&flights.lock);
        map_take(flights.set, q->idem.flight);
        if (!map_count(flights.set)) flights.set = map_free(flights.set);
        pthread_mutex_unlock(&flights.lock);
        q->idem.flight = (str){ NULL, 0 };
}

/* ---- the first answer, kept and given again ------------------------------------------------------------------------------ */

static int fill(struct request *q, struct first_answer *row)
{
        const struct route *r = q->endpoint->route;
        struct buf b AUTO(buf_done) = BUF_INIT(16 << 20);
        *row = row_of(q);
        row->status = answer_status(q->endpoint);
        row->body = STR("");
        if (r->location) TRY(location_write(q->c, r->location, r->op->out, q->out, &row->location));
        if (row->status == 204) return 0;
        json_write(&b, r->op->out, q->out);
        row->body = arena_str(q->c->arena, buf_str(&b));
        if (buf_error(&b) || !row->body.p) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the answer");
        return 0;
}

static int ride(struct db *tx, struct rider *r)
{
        struct request *q = CONTAINER(r, struct idem, rider)->q;
        struct first_answer *row = arena_one(q->c->arena, struct first_answer);
        if (!row) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the answer");
        TRY(fill(q, row));
        return db_later(tx, &keep, row);
}

static int say_again(struct request *q, const struct first_answer *first)
{
        q->x->status = first->status;
        if (first->location.p) res_header(q->c, q->x, "location", first->location);
        if (first->status != 204) res_header(q->c, q->x, "content-type", STR("application/json"));
        res_header(q->c, q->x, "idempotency-replayed", STR("true"));
        buf_add(q->x->body, first->body);
        return buf_error(q->x->body) ? answer_unfit(q) : 1;
}

int idem_before(struct request *q)
{
        const struct route *r = q->endpoint->route;
        struct first_answer first = { 0 };
        str body;
        if (!r->keyed && !r->idempotent) return 0;
        TRY(read_key(q));
        if (r->keyed) return take_off(q);
        TRY(request_body(q, &body));
        struct digest *print = arena_one(q->c->arena, struct digest);
        struct unit *u = unit_of(q->w, r->op);
        if (!print) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the request");
        if (!u) return fail(q->c, UNAVAILABLE, "not_here", "%s does not run here", r->op->name);
        *print = sha256_parts((const str[]){ q->x->head.path, body }, 2);
        q->idem.fingerprint = (str){ (const char *)print->b, sizeof print->b };
        TRY(take_off(q));
        q->c->unit = u;
        q->c->pg = u->pg;
        struct first_answer asked = row_of(q);
        int found = db_run(db(q->c), &known, &asked, &first);
        TRY(found);
        if (found && !str_eq((str){ (const char *)first.fingerprint.p, first.fingerprint.n }, q->idem.fingerprint))
                return header_refused(q->c, 422, "idempotency_key_reused", "Idempotency-Key", "was used for another request");
        if (found) return say_again(q, &first);
        q->idem.q = q;
        q->idem.rider = (struct rider){ .at_commit = ride };
        q->c->rider = &q->idem.rider;
        return 0;
}

/* An effect without a transaction of its own still has its answer kept. */
static void keep_after(struct request *q)
{
        struct first_answer row;
        q->c->rider = NULL;
        if (fill(q, &row) < 0 || db_run(db(q->c), &keep, &row, NULL) < 0)
                log_say(WARN, "an answer was not kept for its idempotency key", L_STR("why", q->c->fault.message));
}

void idem_after(struct request *q)
{
        bool ran = q->idem.q != NULL;
        if (ran && q->code == -ALREADY_EXISTS && q->c->fault.slug && !strcmp(q->c->fault.slug, "souk_idempotency_pkey")) {
                /* another replica had the same key and was first; its answer stands there for the next try */
                q->code = fail(q->c, ABORTED, "idempotency_in_flight", "a request with this Idempotency-Key is at work");
                q->c->fault.retry_after_ms = 1000;
                problem_write(q, q->code);
        }
        if (ran && q->code == 0 && !q->idem.rider.rode && q->out) keep_after(q);
        if (q->c->replayed && q->code == 0) res_header(q->c, q->x, "idempotency-replayed", STR("true"));
        q->c->rider = NULL;
        land(q);
}
