/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * parked.c - events set aside: the one that would not go, and those of its key behind it.
 *
 * Parking moves the position in the same transaction, replaying deletes the row in the same transaction as the effect; each statement
 * must hit its one row or it takes the transaction down (as in position.c). So an event is either ahead of the position,
 * or parked, or applied, and never two of these. The keys that have something parked are also kept in memory, loaded at start; a
 * consumer's lock keeps a replay and its own batches apart. */
#include "bus_inside.h"
#include "json.h"
#include "log.h"

MESSAGE(parked, "an event that was set aside",
        F(parked, 1, no, .doc = "order in which events were set aside"),
        F(parked, 2, consumer), F(parked, 3, source), F(parked, 4, topic), F(parked, 5, key),
        F(parked, 6, payload, .max = 16 << 20, .doc = "the event's data"),
        F(parked, 7, error, .max = 4000, .doc = "why its last attempt failed"),
        F(parked, 8, attempts), F(parked, 9, at));

struct parked_of { str consumer, source, key; };
MESSAGE(parked_of, "a key of a consumer", F(parked_of, 1, consumer), F(parked_of, 2, source), F(parked_of, 3, key, .optional = true));
DECLARE_LIST(parked_of);
struct parked_key { str key; int64_t n; };
DECLARE_LIST(parked_key);
MESSAGE(parked_key, "a key with events set aside", F(parked_key, 1, key), F(parked_key, 2, n));

QUERY(parked_all, NULL, &parked_type, ROWS_MANY,
      "select no, consumer, source, topic, key, left(payload, 4000) as payload, left(error, 4000) as error, attempts, at"
      " from souk_parked order by no limit 200",
      NULL);
QUERY(parked_keys, &parked_of_type, &parked_key_type, ROWS_MANY,
      "select key, count(*) as n from souk_parked where consumer = $1 and source = $2 group by key limit 10000",
      "consumer", "source", NULL);
QUERY(parked_first, &parked_of_type, &parked_type, ROWS_MAYBE,
      "select no, consumer, source, topic, key, payload, error, attempts, at from souk_parked"
      " where consumer = $1 and source = $2 and key = $3 order by no limit 1",
      "consumer", "source", "key", NULL);
QUERY(parked_insert, &parked_type, NULL, ROWS_NONE,
      "insert into souk_parked (consumer, source, topic, key, payload, error, attempts) values ($1, $2, $3, $4, $5, $6, $7)",
      "consumer", "source", "topic", "key", "payload", "error", "attempts", NULL);
QUERY(parked_delete, &parked_type, NULL, ROWS_NONE,
      "with gone as (delete from souk_parked where no = $1 returning 1) select 1 / count(*) as one from gone",
      "no", NULL);
QUERY(parked_failed, &parked_type, NULL, ROWS_NONE,
      "update souk_parked set attempts = attempts + 1, error = $2 where no = $1",
      "no", "error", NULL);
QUERY(parked_mark_key, &parked_of_type, NULL, ROWS_NONE,
      "update souk_parked set replay = true where consumer = $1 and key = $2",
      "consumer", "key", NULL);
QUERY(parked_unmark_key, &parked_of_type, NULL, ROWS_NONE,
      "update souk_parked set replay = false where consumer = $1 and key = $2 and replay",
      "consumer", "key", NULL);
QUERY(parked_marked, NULL, &parked_of_type, ROWS_MANY,
      "select consumer, min(source) as source, key from souk_parked where replay group by consumer, key order by min(no) limit 100",
      NULL);
const struct query *const parked_queries[] = { &parked_all, &parked_keys, &parked_first, &parked_insert, &parked_delete, &parked_failed,
                                               &parked_mark_key, &parked_unmark_key, &parked_marked, NULL };

/* ---- keys in memory ------------------------------------------------------------------------------------------------ */
bool parked_has(struct consumer *k, str key)
{
        return map_count(k->parked_keys) > 0 && map_get(k->parked_keys, key);
}

int parked_load(struct ctx *c, struct consumer *k)
{
        struct parked_of of = { str_of(k->s.consumer), str_of(k->s.source), { 0 } };
        struct parked_key_list keys = { 0 };

        TRY(db_run(db(c), &parked_keys, &of, &keys));
        map_free(k->parked_keys);
        k->parked_keys = map_new(PARKED_MAX, MAP_REFUSES, NULL);
        k->parked_rows = 0;
        for (size_t i = 0; i < keys.n; i++) {
                TRY(map_put(k->parked_keys, keys.v[i].key, k));
                k->parked_rows += keys.v[i].n;
        }
        return 0;
}

/* ---- setting aside ------------------------------------------------------------------------------------------------- */
static str error_text(struct ctx *c, int code, const struct fault *f)
{
        str text = arena_printf(c->arena, "%s %s: " STR_FMT, code_name(code), f->slug ? f->slug : "-", STR_ARG(f->message));

        return text.n > 4000 ? str_cut(text, 0, 4000) : text;
}

int parked_add(struct ctx *c, struct consumer *k, const struct item *it, int attempts, int verdict)
{
        struct parked row = { .consumer = str_of(k->s.consumer), .source = str_of(k->s.source), .topic = it->line.topic,
                              .key = it->line.key, .payload = it->line.data, .attempts = attempts };

        if (!it->broken && !attempts)
                row.error = STR("ABORTED behind: an earlier event of this key is parked");
        else
                row.error = error_text(c, it->broken ? it->broken : it->c.fault.code ? -(int)it->c.fault.code : verdict, &it->c.fault);
        TX(tx, c);
        k->sure = false;
        TRY(position_later(tx, k, it->place));
        TRY(db_later(tx, &parked_insert, &row));
        TRY(tx_commit(tx));
        position_moved(k, it->place);
        k->parked_rows++;
        k->stats.parked++;
        if (map_put(k->parked_keys, it->line.key, k) < 0)
                log_say(ERROR, "parked_key_not_kept", L_Z("consumer", k->s.consumer), L_STR("key", it->line.key));
        log_say(WARN, "event_parked", L_Z("consumer", k->s.consumer), L_STR("topic", row.topic), L_STR("key", row.key), L_STR("error", row.error));
        return 0;
}

/* ---- looking and replaying ----------------------------------------------------------------------------------------- */
int parked_list(struct ctx *c, struct parked_list *out)
{
        TRY(db_run(db(c), &parked_all, NULL, out));
        return 0;
}

static int replay_begin(struct db *tx, struct rider *r)
{
        struct consumer *k = CONTAINER(r, struct consumer, rider);

        return db_later(tx, &parked_delete, &k->replayed);
}

static int apply_replayed(struct ctx *c, struct batch *b)
{
        return consumer_ride(CONTAINER(c, struct consumer, c), c, b, replay_begin);
}

/* Applies one parked event. c: the caller's, on the consumer's database. returns 1 applied, 2 another process has
 * done it, 0 it failed again, or a failure that is nobody's fault */
static int replay_row(struct ctx *c, struct consumer *k, const struct parked *row)
{
        const struct event *e = consumer_event(k, row->topic);
        struct ctx mine = k->s.model;
        const void *msg = NULL;
        int code;

        mine.arena = c->arena;
        mine.op = k->s.consumer;
        code = e ? consumer_decode(&mine, e, row->payload, &msg)
                 : fail(&mine, UNIMPLEMENTED, "no_such_topic", "%s does not hear " STR_FMT, k->s.consumer, STR_ARG(row->topic));
        if (code >= 0) {
                struct call v = { .c = &mine, .in = msg };
                consumer_reset(k, &c->trace);
                k->replayed = *row;
                batch_run(&k->c, apply_replayed, &v, 1);
                code = v.verdict;
        }
        if (code >= 0)
                return 1;
        if (batch_is_nobodys_fault(code)) {
                fault_copy(c, &mine);
                return code;
        }
        struct parked again = { .no = row->no, .error = error_text(c, code, &mine.fault) };
        int rows = db_run(db(c), &parked_failed, &again, NULL);
        return rows == 0 ? 2 : MIN(rows, 0);
}

/* One step under the consumer's lock. returns as replay_row(), 0 too when nothing is left */
static int replay_step(struct ctx *c, struct consumer *k, str key)
{
        struct parked_of of = { str_of(k->s.consumer), str_of(k->s.source), key };
        struct parked row;
        int found = db_run(db(c), &parked_first, &of, &row);

        if (found == 0)
                map_take(k->parked_keys, key);
        return found <= 0 ? found : replay_row(c, k, &row);
}

static int replay_key(struct ctx *c, struct consumer *k, str key)
{
        int applied = 0, code;
        struct ctx mine = *c;

        mine.pg = k->s.model.pg;
        mine.unit = k->s.model.unit;
        do {
                TRY(mutex_lock(c, &k->lock));
                code = replay_step(&mine, k, key);
                mutex_unlock(&k->lock);
                applied += code == 1;
                k->parked_rows -= code > 0;
        } while (code > 0);
        if (code < 0)
                fault_copy(c, &mine);
        return code < 0 && !applied ? code : applied;
}

int parked_replay(struct ctx *c, struct bus *b, str consumer, str key)
{
        bool known = false;
        int applied = 0;

        for (size_t i = 0; i < b->n_consumers; i++) {
                if (!str_eq(consumer, str_of(b->consumers[i]->s.consumer)))
                        continue;
                known = true;
                int n = replay_key(c, b->consumers[i], key);
                TRY(n);
                applied += n;
        }
        if (!known)
                return fail(c, NOT_FOUND, "no_such_consumer", "no consumer " STR_FMT " runs here", STR_ARG(consumer));
        return applied;
}

/* ---- at an operator's word ------------------------------------------------------------------------------------------ */
int parked_mark(struct ctx *c, str consumer, str key)
{
        return db_run(db(c), &parked_mark_key, &(struct parked_of){ .consumer = consumer, .key = key }, NULL);
}

int parked_replay_marked(struct ctx *c, struct bus *b)
{
        struct parked_of_list marked;
        int all = 0, applied;

        TRY(db_run(db(c), &parked_marked, NULL, &marked));
        for (size_t i = 0; i < marked.n; i++) {
                const struct parked_of *of = &marked.v[i];
                applied = parked_replay(c, b, of->consumer, of->key);
                if (batch_is_nobodys_fault(applied))
                        return applied;                 /* still marked: the next turn goes on */
                TRY(db_run(db(c), &parked_unmark_key, of, NULL));
                log_say(applied > 0 ? INFO : WARN, "parked_events_replayed", L_STR("consumer", of->consumer), L_STR("key", of->key),
                        L_INT("applied", MAX(applied, 0)));
                all += MAX(applied, 0);
        }
        return all;
}
