/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * events_test.c - outbox.h on a real PostgreSQL: what is committed is applied once, in order, by whoever and however many at once. */
#define DATABASES "events_test"
#include "events_world.h"
#include "pool.h"

/* ---- the straight way ---------------------------------------------------------------------------------------------- */
IN_WORLD(events_are_applied_once_and_in_order)
{
        struct subscription s = subscription();

        CHECK_OK(make_notes(&w.a, &noted, 1, 10, 5));           /* before the bus runs */
        start(c, &s);
        CHECK_OK(make_notes(&w.a, &noted, 11, 200, 5));
        CHECK_OK(make_notes(&w.a, &noted, 211, 1, 5));
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 211);
        CHECK_EQ(distinct_effects(), 211);
        CHECK_EQ(out_of_order(), 0);
        CHECK(fn.largest > 1);
        CHECK(fn.largest <= 64);
        CHECK_EQ(db_count(db(&w.b), "select count(*) from effect where txt = e'a \"quoted\" text\\n'"), 211);
        CHECK_EQ(db_count(db(&w.b), "select count(*) from souk_position where consumer = 'b.effects' and source = 'events_a'"), 1);
}

IN_WORLD(a_rolled_back_change_emits_nothing)
{
        struct subscription s = subscription();

        start(c, &s);
        {
                TX(tx, &w.a);
                CHECK_OK(emit(tx, &noted, &(struct note){ key_of(1), 1, { 0 } }));
        }
        CHECK_OK(make_notes(&w.a, &noted, 2, 1, 1));
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 1);
        CHECK_EQ(db_count(db(&w.a), "select count(*) from souk_outbox"), 1);
}

IN_WORLD(a_transaction_of_many_events_is_one_row_unless_it_is_large)
{
        struct subscription s = subscription();
        char text[1000];

        memset(text, 'x', sizeof text);
        CHECK_OK(make_notes(&w.a, &noted, 1, 500, 7));
        CHECK_EQ(db_count(db(&w.a), "select count(*) from souk_outbox"), 1);
        {
                TX(tx, &w.a);
                for (int n = 501; n <= 1100; n++)
                        CHECK_OK(emit(tx, &noted, &(struct note){ key_of(n), n, { text, sizeof text } }));
                CHECK_OK(tx_commit(tx));
        }
        CHECK_EQ(db_count(db(&w.a), "select count(*) from souk_outbox"), 4);
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 1100);
        CHECK_EQ(distinct_effects(), 1100);
        CHECK_EQ(out_of_order(), 0);
}

IN_WORLD(more_events_than_a_transaction_may_hold_fail_it)
{
        static char text[100000];
        int code = 0, n = 0;

        COUNTING(OUTBOX_EVENTS);
        memset(text, 'x', sizeof text);
        {
                TX(tx, &w.a);
                while (code == 0 && ++n < 1000)
                        code = emit(tx, &noted, &(struct note){ key_of(n), n, { text, sizeof text } });
                CHECK_EQ(code, -RESOURCE_EXHAUSTED);
                assert_string_equal(w.a.fault.slug, "too_much");
                CHECK_EQ(tx_commit(tx), -RESOURCE_EXHAUSTED);
        }
        CHECK(n > 160 && n < 170);                              /* 16 MiB */
        REACHED(OUTBOX_EVENTS);
        CHECK_EQ(db_count(db(&w.a), "select count(*) from souk_outbox"), 0);
}

IN_WORLD(a_batch_is_of_one_topic_and_uninteresting_ones_are_passed_over)
{
        static const char *const both[] = { "note.made", "note.followed", NULL };
        static const struct event *const of[] = { &noted, &followed, NULL };
        struct subscription s = subscription();

        s.topics = both;
        s.events = of;
        for (int i = 0; i < 30; i++)                            /* made, struck (nobody hears it), made, followed ... */
                CHECK_OK(make_notes(&w.a, i % 2 ? &struck : i % 4 ? &noted : &followed, i * 10, 10, 3));
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 150);
        CHECK_EQ(out_of_order(), 0);
        CHECK_EQ(fn.largest, 10);
}

IN_WORLD(settle_waits_for_what_events_bring_about_too)
{
        static const char *const topics_2[] = { "note.followed", NULL };
        static const struct event *const events_2[] = { &followed, NULL };
        struct subscription s = subscription(), s2 = subscription();

        s2.consumer = "b.second";
        s2.source = "events_b";
        s2.topics = topics_2;
        s2.events = events_2;
        fn.follows = true;                                      /* the second consumer emits too; nobody hears that on b but itself ... */
        w.bus = bus_of(&s);
        CHECK_OK(bus_start(c, w.bus));
        CHECK_OK(make_notes(&w.a, &noted, 1, 20, 5));
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(db_count(db(&w.b), "select count(*) from souk_outbox") > 0, 1);
        bus_stop(c, w.bus);
        bus_close(&w.bus);

        fn.follows = false;
        w.bus = bus_of(&s);
        bus_subscribe(w.bus, &s2);
        CHECK_OK(bus_start(c, w.bus));
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 40);                                /* ... until now: each note once by each consumer */
}

IN_WORLD(a_consumer_without_a_transaction_still_moves_on)
{
        struct subscription s = subscription();

        fn.no_transaction = true;
        CHECK_OK(make_notes(&w.a, &noted, 1, 100, 5));
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(fn.n_seen, 100);
        bus_stop(c, w.bus);
        bus_close(&w.bus);
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(fn.n_seen, 100);
}

IN_WORLD(a_commit_wakes_the_relay_long_before_it_would_poll)
{
        struct subscription s = subscription();

        bool at_once = false;

        start(c, &s);
        for (int i = 1; !at_once && i <= 20; i++) {             /* a machine may be busy; a relay that only polls is late every time */
                CHECK_OK(settle(c, 60000));
                int64_t from = clock_us();
                fn.gate_shut = true;                            /* no settle() here: it would wake the relay itself */
                CHECK_OK(make_notes(&w.a, &noted, i, 1, 1));
                CHECK_OK(event_flag_wait(c, &fn.at_gate));
                at_once = clock_us() - from < 450000;
                fn.gate_shut = false;
                event_flag_signal(&fn.gate);
        }
        CHECK(at_once);
        CHECK_OK(settle(c, 60000));
}

/* ---- several at once ------------------------------------------------------------------------------------------------ */
struct producer { struct ctx *on; int from; };

static int produce(struct ctx *c, void *arg)
{
        struct producer *p = arg;
        struct ctx mine = *c;

        mine.pg = p->on->pg;
        for (int i = 0; i < 20; i++)
                TRY(make_notes(&mine, &noted, p->from + i * 5, 5, 7));
        return 0;
}

IN_WORLD(commits_of_another_process_are_soon_looked_for_more_often)
{
        struct subscription s = subscription();
        struct pg *other = NULL;
        struct ctx elsewhere;
        bool soon = false;

        database(c, "another process", DATABASES "_a", &other, &elsewhere);    /* its commits wake nobody here */
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        for (int i = 1; !soon && i <= 21; i++) {                /* a machine may be busy; a look each half second is late every time */
                int64_t from = clock_us();
                fn.gate_shut = true;
                CHECK_OK(make_notes(&elsewhere, &noted, i, 1, 1));
                CHECK_OK(event_flag_wait(c, &fn.at_gate));
                soon = i > 1 && clock_us() - from < 400000;
                fn.gate_shut = false;
                event_flag_signal(&fn.gate);
                while (effects() < i)
                        fiber_yield();
        }
        CHECK(soon);
        CHECK_OK(settle(c, 60000));
        pg_close(&other);
}

IN_WORLD(many_producers_on_two_databases_lose_nothing)
{
        struct subscription s = subscription(), s2 = subscription();
        struct producer p[16];

        s2.source = "events_b";
        w.bus = bus_of(&s);
        bus_subscribe(w.bus, &s2);
        CHECK_OK(bus_start(c, w.bus));
        {
                GROUP(g, c);
                for (int i = 0; i < 16; i++) {
                        p[i] = (struct producer){ i % 2 ? &w.a : &w.b, i * 100 };
                        CHECK_OK(group_go(g, produce, &p[i]));
                }
                CHECK_OK(group_wait(g));
        }
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 1600);
        CHECK_EQ(distinct_effects(), 1600);
        CHECK_EQ(db_count(db(&w.b), "select count(*) from (select n < lag(n) over (partition by n / 100 order by seq) as bad from effect) s where bad"), 0);
}

IN_WORLD(a_second_process_with_the_same_consumer_repeats_nothing)
{
        struct subscription s = subscription();

        fn.gate_shut = true;
        CHECK_OK(make_notes(&w.a, &noted, 1, 200, 5));
        start(c, &s);
        CHECK_OK(event_flag_wait(c, &fn.at_gate));              /* the first has read all and is about to write */
        fn.gate_shut = false;

        struct bus *second = bus_of(&s);
        CHECK_OK(bus_start(c, second));
        CHECK(db_count(db(&w.a), "select count(pg_terminate_backend(pid, 5000)) from pg_locks where locktype = 'advisory' and granted"
                                 " and pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())") > 0);
        struct bus *first = w.bus;
        w.bus = second;
        CHECK_OK(settle(c, 20000));                             /* the second leads now, and has applied everything */
        CHECK_EQ(effects(), 200);
        event_flag_signal(&fn.gate);                            /* now the first goes on with what it has read */
        bus_stop(c, first);
        bus_close(&first);
        CHECK_OK(make_notes(&w.a, &noted, 201, 20, 5));
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 220);
        CHECK_EQ(distinct_effects(), 220);
        CHECK_EQ(out_of_order(), 0);
}

static void count_queued(const struct consumer_stats *k, void *arg)     { *(size_t *)arg += k->queued; }

IN_WORLD(a_relay_waits_for_a_slow_consumer)
{
        COUNTING(CONSUMER_QUEUE);
        struct subscription s = subscription();
        size_t queued = 0;

        fn.gate_shut = true;
        for (int n = 1; n <= 400; n++)                          /* a row each */
                CHECK_OK(make_notes(&w.a, &noted, n, 1, 5));
        start(c, &s);
        for (int turn = 0; queued < 256 && turn < 100; turn++) {
                CHECK_EQ(settle(c, 300), -DEADLINE_EXCEEDED);
                queued = 0;
                bus_each(w.bus, count_queued, &queued);
        }
        CHECK_EQ(queued, 256);
        fn.gate_shut = false;
        event_flag_signal(&fn.gate);
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 400);
        CHECK_EQ(distinct_effects(), 400);
        CHECK_EQ(out_of_order(), 0);
        REACHED(CONSUMER_QUEUE);
}

IN_WORLD(a_long_stretch_of_no_interest_moves_the_position_too)
{
        struct subscription s = subscription();

        CHECK_OK(db_exec(db(&w.a), "insert into souk_outbox (id, payload) select i, '{\"topic\":\"note.struck\"}' from generate_series(0, 1100) i"));
        start(c, &s);
        CHECK_OK(settle(c, 20000));
        bus_stop(c, w.bus);
        bus_close(&w.bus);
        CHECK_EQ(fn.runs, 0);
        CHECK(db_count(db(&w.b), "select id from souk_position where consumer = 'b.effects'") >= 999);
        CHECK_OK(make_notes(&w.a, &noted, 1, 1, 1));
        start(c, &s);
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 1);
}

static int wake_often(void *arg)
{
        for (int i = 0; i < 1000; i++) {
                bus_wake("events_a");
                bus_wake("no such source");
        }
        return *(int *)arg;
}

static int wake_from_pool(struct ctx *c, void *arg)     { return pool_run(c, wake_often, arg); }

IN_WORLD(a_wake_may_come_from_any_thread)
{
        struct subscription s = subscription();
        int zero = 0;

        start(c, &s);
        {
                GROUP(g, c);
                CHECK_OK(group_go(g, wake_from_pool, &zero));
                CHECK_OK(group_go(g, wake_from_pool, &zero));
                for (int n = 1; n <= 50; n++)
                        CHECK_OK(make_notes(&w.a, &noted, n, 1, 1));
                CHECK_OK(group_wait(g));
        }
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 50);
        bus_stop(c, w.bus);
        CHECK_OK(pool_run(c, wake_often, &zero));               /* harmless after the end, too */
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */
struct sums { uint64_t events, parked, relayed; };
static void add_consumer(const struct consumer_stats *k, void *arg)     { ((struct sums *)arg)->events += k->events; }
static void add_relay(const struct relay_stats *r, void *arg)           { ((struct sums *)arg)->relayed += r->events; }

IN_WORLD(rows_that_all_have_passed_are_trimmed_and_counted)
{
        struct subscription s = subscription();
        struct sums sums = { 0 };

        for (int i = 0; i < 5; i++)
                CHECK_OK(make_notes(&w.a, i % 2 ? &struck : &noted, i * 10, 10, 5));
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(outbox_trim(c, w.bus, "events_a", 3600000), 0);
        CHECK_EQ(outbox_trim(c, w.bus, "events_a", -3600000), 5);
        CHECK_EQ(db_count(db(&w.a), "select count(*) from souk_outbox"), 0);
        CHECK_EQ(outbox_trim(c, w.bus, "nowhere", 0), -NOT_FOUND);
        bus_each(w.bus, add_consumer, &sums);
        bus_each_relay(w.bus, add_relay, &sums);
        CHECK_EQ(sums.events, 30);
        CHECK_EQ(sums.relayed, 50);
        CHECK_OK(make_notes(&w.a, &noted, 100, 1, 5));
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 31);
}

IN_WORLD(who_does_not_lead_trims_what_the_positions_have_passed)
{
        struct subscription s = subscription();

        CHECK_OK(make_notes(&w.a, &noted, 1, 10, 5));
        CHECK_OK(make_notes(&w.a, &noted, 11, 10, 5));
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        struct bus *second = bus_of(&s);
        CHECK_OK(bus_start(c, second));
        CHECK(db_exec(db(&w.b), "create table kept as select * from souk_position; update souk_position set tx = 0, id = 0, index = -1") >= 0);
        CHECK_EQ(outbox_trim(c, second, "events_a", -3600000), 0);
        CHECK(db_exec(db(&w.b), "update souk_position p set tx = k.tx, id = k.id, index = k.index from kept k where p.source = k.source; drop table kept") >= 0);
        CHECK_EQ(outbox_trim(c, second, "events_a", -3600000), 1);      /* the last row may be half applied, for all it knows */
        bus_stop(c, second);
        bus_close(&second);
}

IN_WORLD(the_statements_of_kit_fit_the_tables_of_kit)
{
        CHECK_OK(outbox_check(&w.a));
}

IN_WORLD(a_subscription_to_a_source_that_is_not_here_does_not_start)
{
        struct subscription s = subscription();

        s.source = "elsewhere";
        w.bus = bus_of(&s);
        CHECK_EQ(bus_start(c, w.bus), -FAILED_PRECONDITION);
        assert_string_equal(c->fault.slug, "no_such_source");
}

TEST_MAIN
