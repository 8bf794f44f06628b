/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * events_world.h - what the tests of events share: two databases with outboxes (a, b), and a table `effect` in b, into which the
 * consumer writes one row an event. DATABASES, set by the includer, names the databases of its program. */
#ifndef EVENTS_WORLD_H
#define EVENTS_WORLD_H
#include "test.h"
#include "clock.h"
#include "fiber.h"
#include "loop.h"
#include "migrate.h"
#include "outbox.h"
#include "pg.h"
#include "sync.h"

struct note { uid id; int32_t n; str text; };
MESSAGE(note, "something that happened", F(note, 1, id), F(note, 2, n), F(note, 3, text, .optional = true));

static const struct event noted = { "note.made", &note_type, "id", "a note was made" };
static const struct event struck = { "note.struck", &note_type, "id", "a note was struck out" };
static const struct event followed = { "note.followed", &note_type, "id", "a note had a consequence" };

static struct query_plan effect_insert_plan;
static const struct query effect_insert = {
        .name = "effect_insert", .sql = "insert into effect (n, key, txt) values ($1, $2, $3)", .in = &note_type,
        .params = (const char *const[]){ "n", "id", "text", NULL }, .plan = &effect_insert_plan,
};

/* ---- the world --------------------------------------------------------------------------------------------------- */
static struct world {
        struct ctx a, b, admin;                 /* on each database                                       */
        struct pg *pg_a, *pg_b, *pg_admin;
        struct bus *bus;
} w;

/* How the consumer's function behaves; all zero: well. */
static struct {
        int  poison;                            /* fails at this n while set                              */
        int  refuse;                            /* gives this n a negative verdict                        */
        int  lies;                              /* commits, then says that the database went away, so many times */
        size_t at_most;                         /* more events than this in a run are too many for it     */
        int  dies;                              /* its backend is terminated before the commit, so many times    */
        bool no_transaction, follows;
        bool gate_shut;
        struct event_flag gate, at_gate;
        size_t runs, largest;
        int  seen[4096]; size_t n_seen;         /* without a transaction                                  */
} fn;

static int die(struct ctx *c, struct db *tx)
{
        char sql[80];
        struct ctx other = *c;

        other.tx = NULL;
        other.rider = NULL;
        int64_t pid = db_count(tx, "select pg_backend_pid()");
        TRY((int)MIN(pid, 0));
        snprintf(sql, sizeof sql, "select pg_terminate_backend(%lld, 5000)::int", (long long)pid);
        return db_count(db(&other), sql) < 0 ? -1 : 0;
}

static int consume(struct ctx *c, struct batch *b)
{
        fn.runs++;
        fn.largest = MAX(fn.largest, b->n);
        if (fn.gate_shut) {
                event_flag_signal(&fn.at_gate);
                TRY(event_flag_wait(c, &fn.gate));
        }
        if (fn.no_transaction) {
                EACH_CALL(v, b)
                        fn.seen[fn.n_seen++] = ((const struct note *)v->in)->n;
                return 0;
        }
        if (fn.at_most && b->n > fn.at_most)
                return fail(c, RESOURCE_EXHAUSTED, "memory", "%zu events are too many", b->n);
        TX(tx, c);
        EACH_CALL(v, b) {
                const struct note *in = v->in;
                if (fn.poison && in->n == fn.poison)
                        return fail(c, FAILED_PRECONDITION, "poison", "note %d is poison", in->n);
                if (fn.refuse && in->n == fn.refuse) {
                        v->verdict = fail(v->c, NOT_FOUND, "refused", "note %d is refused", in->n);
                        continue;
                }
                TRY(db_later(tx, &effect_insert, in));
                if (fn.follows)
                        TRY(emit(tx, &followed, in));
        }
        if (fn.dies > 0 && fn.dies--)
                TRY(die(c, tx));
        TRY(tx_commit(tx));
        if (fn.lies > 0 && fn.lies--)
                return fail(c, UNAVAILABLE, "database", "the answer was lost");
        return 0;
}

static void database(struct ctx *c, const char *name, const char *dbname, struct pg **pg, struct ctx *out)
{
        str url;

        CHECK_OK(pg_url_with(c, str_of(getenv("SOUK_TEST_DATABASE_URL")), dbname, NULL, &url));
        *pg = pg_open(&(struct pg_options){ .url = url, .name = name, .transactions_max = 8 });
        *out = *c;
        out->pg = *pg;
}

/* Once a run of this program; each test then begins with empty tables. */
static void databases_make(void)
{
        static bool made;

        if (!made) {
                CHECK_OK(db_exec(db(&w.admin), "drop database if exists " DATABASES "_a with (force)"));
                CHECK_OK(db_exec(db(&w.admin), "drop database if exists " DATABASES "_b with (force)"));
                CHECK_OK(db_exec(db(&w.admin), "create database " DATABASES "_a"));
                CHECK_OK(db_exec(db(&w.admin), "create database " DATABASES "_b"));
                CHECK_OK(migrate(&w.a, "kit", kit_migrations));
                CHECK_OK(migrate(&w.b, "kit", kit_migrations));
                CHECK_OK(db_exec(db(&w.a), "create table slow (n int)"));
                CHECK_OK(db_exec(db(&w.b), "create table effect (seq bigint generated always as identity, n int not null, key text, txt text)"));
        }
        made = true;
        CHECK_OK(db_exec(db(&w.a), "truncate souk_outbox, souk_position, souk_parked"));
        CHECK_OK(db_exec(db(&w.b), "truncate souk_outbox, souk_position, souk_parked, effect"));
}

static void world_open(struct ctx *c)
{
        memset(&fn, 0, sizeof fn);
        event_flag_init(&fn.gate);
        event_flag_init(&fn.at_gate);
        w.pg_admin = pg_open(&(struct pg_options){ .url = str_of(getenv("SOUK_TEST_DATABASE_URL")), .name = "events_admin" });
        w.admin = *c;
        w.admin.pg = w.pg_admin;
        database(c, "events_a", DATABASES "_a", &w.pg_a, &w.a);
        database(c, "events_b", DATABASES "_b", &w.pg_b, &w.b);
        databases_make();
}

static void world_close(struct ctx *c)
{
        if (w.bus)
                bus_stop(c, w.bus);
        bus_close(&w.bus);
        pg_close(&w.pg_a);
        pg_close(&w.pg_b);
        pg_close(&w.pg_admin);
}

static const char *const topics[] = { "note.made", NULL };
static const struct event *const events[] = { &noted, NULL };

static struct subscription subscription(void)
{
        return (struct subscription){ .consumer = "b.effects", .source = "events_a", .topics = topics, .events = events, .model = w.b,
                                      .fn = consume, .max = 64, .retries = 1, .backoff_ms = 1 };
}

static struct bus *bus_of(const struct subscription *s)
{
        struct bus *bus = bus_open();

        bus_source(bus, "events_a", &w.a);
        bus_source(bus, "events_b", &w.b);
        bus_subscribe(bus, s);
        return bus;
}

static inline void start(struct ctx *c, const struct subscription *s)
{
        w.bus = bus_of(s);
        CHECK_OK(bus_start(c, w.bus));
}

static uid key_of(int k)
{
        return (uid){ { 1, 2, 3, [14] = (uint8_t)(k >> 8), [15] = (uint8_t)k } };
}

/* One transaction of notes from .. from+count-1; the key of note n is n modulo keys. */
static int make_notes(struct ctx *c, const struct event *e, int from, int count, int keys)
{
        TX(tx, c);
        for (int n = from; n < from + count; n++)
                TRY(emit(tx, e, &(struct note){ key_of(n % keys), n, STR("a \"quoted\" text\n") }));
        return tx_commit(tx);
}

static inline int settle(struct ctx *c, int timeout_ms)
{
        struct ctx mine = *c;

        ctx_limit(&mine, timeout_ms);
        return bus_settle(&mine, w.bus);
}

static inline int64_t effects(void)            { return db_count(db(&w.b), "select count(*) from effect"); }
static inline int64_t distinct_effects(void)   { return db_count(db(&w.b), "select count(distinct n) from effect"); }
static inline int64_t out_of_order(void)
{
        return db_count(db(&w.b), "select count(*) from (select n < lag(n) over (order by seq) as bad from effect) s where bad");
}
static inline int64_t parked_rows(void)        { return db_count(db(&w.b), "select count(*) from souk_parked"); }

static void need_postgres(void)
{
        if (getenv("SOUK_TEST_DATABASE_URL"))
                return;
        puts("skipped: SOUK_TEST_DATABASE_URL names no PostgreSQL to make scratch databases in");
        exit(77);
}

#define IN_WORLD(name) \
        static void name##_body(struct ctx *c); \
        static int name##_fiber(struct ctx *c, void *arg __attribute__((unused))) \
                { world_open(c); name##_body(c); world_close(c); return 0; } \
        TEST(name) { need_postgres(); CHECK_OK(run_main(name##_fiber, NULL)); } \
        static void name##_body(struct ctx *c __attribute__((unused)))
#endif
