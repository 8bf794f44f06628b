/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * events_failure_test.c - outbox.h when things go wrong between commit and effect: lost answers, dead backends, restarts, late commits,
 * poison. Nothing is lost, nothing is repeated, the order of a key stands. */
#define DATABASES "events_failure_test"
#include "events_world.h"

/* ---- failures ------------------------------------------------------------------------------------------------------ */
IN_WORLD(a_batch_that_committed_while_its_answer_was_lost_is_not_applied_again)
{
        struct subscription s = subscription();

        fn.lies = 3;
        CHECK_OK(make_notes(&w.a, &noted, 1, 200, 5));
        start(c, &s);
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 200);
        CHECK_EQ(distinct_effects(), 200);
        CHECK_EQ(out_of_order(), 0);
        CHECK_EQ(parked_rows(), 0);
}

IN_WORLD(a_batch_whose_backend_died_is_applied_by_the_next_try)
{
        struct subscription s = subscription();

        fn.dies = 2;
        CHECK_OK(make_notes(&w.a, &noted, 1, 200, 5));
        start(c, &s);
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 200);
        CHECK_EQ(distinct_effects(), 200);
        CHECK_EQ(out_of_order(), 0);
        CHECK_EQ(parked_rows(), 0);
}

IN_WORLD(a_restart_in_the_middle_loses_and_repeats_nothing)
{
        struct subscription s = subscription();

        s.max = 16;
        CHECK_OK(make_notes(&w.a, &noted, 1, 300, 5));
        CHECK_OK(make_notes(&w.a, &noted, 301, 10, 5));
        for (int round = 0; round < 4; round++) {
                fn.gate_shut = true;
                start(c, &s);
                CHECK_OK(event_flag_wait(c, &fn.at_gate));      /* a batch is under way */
                fn.gate_shut = false;
                event_flag_signal(&fn.gate);
                bus_stop(c, w.bus);                             /* which ends it, in the middle of a row */
                bus_close(&w.bus);
                CHECK_EQ(effects(), (round + 1) * 16);
        }
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 310);
        CHECK_EQ(distinct_effects(), 310);
        CHECK_EQ(out_of_order(), 0);
}

IN_WORLD(a_transaction_that_commits_late_is_not_skipped)
{
        struct subscription s = subscription();

        start(c, &s);
        {
                TX(slow, &w.a);
                CHECK_OK(db_exec(slow, "insert into slow values (1)"));         /* has its number now */
                struct ctx other = w.a;
                other.tx = NULL;
                CHECK_OK(make_notes(&other, &noted, 100, 10, 5));               /* higher numbers, committed before it */
                CHECK_EQ(settle(c, 100), -DEADLINE_EXCEEDED);
                CHECK_EQ(effects(), 0);
                CHECK_OK(emit(slow, &noted, &(struct note){ key_of(1), 1, { 0 } }));
                CHECK_OK(tx_commit(slow));
        }
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 11);
        CHECK_EQ(out_of_order(), 0);                            /* the late one has the lower place */
}

IN_WORLD(a_poison_event_is_parked_with_those_of_its_key_behind_it_and_replayed)
{
        COUNTING(CONSUMER_RETRIES);
        struct subscription s = subscription();
        struct parked_list parked = { 0 };
        char key[37];

        fn.poison = 13;
        CHECK_OK(make_notes(&w.a, &noted, 1, 40, 5));           /* key of 13: 3, 8, 13, 18 ... 38 */
        start(c, &s);
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 34);
        CHECK_EQ(db_count(db(&w.b), "select count(*) from effect where n % 5 = 3 and n >= 13"), 0);
        CHECK_OK(parked_list(&w.b, &parked));
        CHECK_EQ(parked.n, 6);
        CHECK_STR(parked.v[0].error, "FAILED_PRECONDITION poison: note 13 is poison");
        CHECK_EQ(parked.v[0].attempts, 2);
        CHECK_STR(parked.v[0].topic, "note.made");
        CHECK_EQ(parked.v[5].attempts, 0);

        uid_format(key_of(3), key);
        CHECK_STR(parked.v[0].key, key);
        CHECK_EQ(parked_replay(c, w.bus, STR("b.effects"), str_of(key)), 0);    /* still poison: none goes, and none passes it */
        CHECK_EQ(parked_rows(), 6);
        CHECK_EQ(db_count(db(&w.b), "select attempts from souk_parked order by no limit 1"), 3);
        CHECK_EQ(parked_replay(c, w.bus, STR("nobody"), str_of(key)), -NOT_FOUND);

        bus_stop(c, w.bus);                                     /* what is parked outlives the process */
        bus_close(&w.bus);
        start(c, &s);
        CHECK_OK(make_notes(&w.a, &noted, 43, 1, 5));
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(parked_rows(), 7);
        fn.poison = 0;
        CHECK_EQ(parked_replay(c, w.bus, STR("b.effects"), str_of(key)), 7);
        CHECK_EQ(parked_rows(), 0);
        CHECK_EQ(distinct_effects(), 41);
        CHECK_EQ(effects(), 41);
        CHECK_EQ(db_count(db(&w.b), "select count(*) from (select n < lag(n) over (partition by n % 5 order by seq) as bad from effect) s where bad"), 0);
        CHECK_OK(make_notes(&w.a, &noted, 48, 1, 5));           /* the key is free again */
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 42);
        REACHED(CONSUMER_RETRIES);
}

IN_WORLD(what_an_operator_marks_is_replayed_once_at_the_next_turn)
{
        struct subscription s = subscription();
        char key[37];

        fn.poison = 13;
        CHECK_OK(make_notes(&w.a, &noted, 1, 40, 5));
        start(c, &s);
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(parked_rows(), 6);
        uid_format(key_of(3), key);
        CHECK_EQ(parked_replay_marked(&w.b, w.bus), 0);         /* nothing is marked */
        CHECK_EQ(parked_mark(&w.b, STR("b.effects"), STR("another")), 0);

        CHECK_EQ(parked_mark(&w.b, STR("b.effects"), str_of(key)), 6);
        CHECK_EQ(parked_replay_marked(&w.b, w.bus), 0);         /* fails again, and is marked no more */
        CHECK_EQ(db_count(db(&w.b), "select count(*) from souk_parked where replay"), 0);
        CHECK_EQ(db_count(db(&w.b), "select attempts from souk_parked order by no limit 1"), 3);
        fn.poison = 0;
        CHECK_EQ(parked_replay_marked(&w.b, w.bus), 0);
        CHECK_EQ(parked_mark(&w.b, STR("b.effects"), str_of(key)), 6);
        CHECK_EQ(parked_replay_marked(&w.b, w.bus), 6);
        CHECK_EQ(parked_rows(), 0);
        CHECK_EQ(effects(), 40);
        CHECK_EQ(distinct_effects(), 40);
}

IN_WORLD(a_negative_verdict_parks_its_event_and_lets_the_others_stand)
{
        struct subscription s = subscription();
        struct parked_list parked = { 0 };

        fn.refuse = 7;
        s.retries = 3;
        s.backoff_ms = 60000;                                   /* which nobody keeps while somebody settles */
        CHECK_OK(make_notes(&w.a, &noted, 1, 20, 20));
        start(c, &s);
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 19);
        CHECK_EQ(distinct_effects(), 19);
        CHECK_OK(parked_list(&w.b, &parked));
        CHECK_EQ(parked.n, 1);
        CHECK_STR(parked.v[0].error, "NOT_FOUND refused: note 7 is refused");
}

IN_WORLD(a_line_that_cannot_be_read_is_parked_at_once)
{
        struct subscription s = subscription();
        struct parked_list parked = { 0 };

        CHECK_OK(db_exec(db(&w.a), "insert into souk_outbox (id, payload) values (0, "
                 "'{\"topic\":\"note.made\",\"key\":\"k\",\"at\":\"2026-01-02T03:04:05Z\",\"data\":{\"id\":7}}\n')"));
        CHECK_OK(make_notes(&w.a, &noted, 1, 3, 3));
        start(c, &s);
        CHECK_OK(settle(c, 60000));
        CHECK_EQ(effects(), 3);
        CHECK_OK(parked_list(&w.b, &parked));
        CHECK_EQ(parked.n, 1);
        CHECK_STR(parked.v[0].key, "k");
        CHECK_EQ(parked.v[0].attempts, 0);
        CHECK(str_starts(parked.v[0].error, STR("INVALID_ARGUMENT")));
}

IN_WORLD(a_batch_too_large_for_its_function_is_made_smaller)
{
        struct subscription s = subscription();

        fn.at_most = 9;
        CHECK_OK(make_notes(&w.a, &noted, 1, 150, 5));
        start(c, &s);
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 150);
        CHECK_EQ(distinct_effects(), 150);
        CHECK_EQ(out_of_order(), 0);
        CHECK_EQ(parked_rows(), 0);
}

IN_WORLD(a_flood_of_failures_is_not_parked_but_waited_out)
{
        struct subscription s = subscription();

        COUNTING(PARKED);
        CHECK_OK(db_exec(db(&w.b), "insert into souk_parked (consumer, source, topic, key, payload, error, attempts)"
                                   " select 'b.effects', 'events_a', 'note.made', 'k' || i, '{}', 'x', 9 from generate_series(1, 10000) i"));
        fn.poison = 3;
        CHECK_OK(make_notes(&w.a, &noted, 1, 10, 10));
        start(c, &s);
        for (int turn = 0; effects() < 2 && turn < 100; turn++) CHECK_EQ(settle(c, 300), -DEADLINE_EXCEEDED);
        CHECK_EQ(settle(c, 300), -DEADLINE_EXCEEDED);
        CHECK_EQ(parked_rows(), 10000);
        REACHED(PARKED);
        CHECK_EQ(effects(), 2);                                 /* nothing after it either */
        fn.poison = 0;
        CHECK_OK(settle(c, 20000));
        CHECK_EQ(effects(), 10);
        CHECK_EQ(parked_rows(), 10000);
}

TEST_MAIN
