/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * batch_test.c - batch.h without a database: the batched function is a recorder that can be held at a gate and told what to do by its calls. */
#include "test.h"
#include "batch.h"
#include "clock.h"
#include "fiber.h"
#include "loop.h"
#include "sync.h"

enum does { ANSWERS, REFUSES, POISONS, POISONS_FIRST_RUN, NO_DATABASE };
struct ask { int no; enum does does; };
struct told { int no; };

static struct {                         /* what the recorder saw since begin()                    */
        size_t runs, sizes[64];
        bool   again[64];
        int    order[256]; size_t n_order;      /* numbers of the calls of successful runs        */
        bool   gate_shut;               /* the function waits here                                */
        struct event_flag gate, at_gate;
        struct ctx seen;
        size_t arena_used_at_start;
} rec;

static int record(struct ctx *c, struct batch *b)
{
        rec.sizes[rec.runs] = b->n;
        rec.again[rec.runs++] = b->again;
        rec.seen = *c;
        rec.arena_used_at_start = arena_used(c->arena);
        arena_alloc(c->arena, 1000);
        if (rec.gate_shut) {
                event_flag_signal(&rec.at_gate);
                TRY(event_flag_wait(c, &rec.gate));
        }
        EACH_CALL(v, b) {
                const struct ask *in = v->in;
                if (in->does == POISONS || (in->does == POISONS_FIRST_RUN && !b->again))
                        return fail(c, ALREADY_EXISTS, "poison", "number %d", in->no);
                if (in->does == NO_DATABASE)
                        return fail(c, UNAVAILABLE, "database", "gone");
        }
        EACH_CALL(v, b) {
                const struct ask *in = v->in;
                if (in->does == REFUSES)
                        v->verdict = fail(v->c, FAILED_PRECONDITION, "out_of_stock", "not number %d", in->no);
                else
                        *(struct told *)v->out = (struct told){ in->no };
                if (in->no >= 0)                        /* not the one that only held the gate */
                        rec.order[rec.n_order++] = in->no;
        }
        return 0;
}

static void begin(void)
{
        memset(&rec, 0, sizeof rec);
        event_flag_init(&rec.gate);
        event_flag_init(&rec.at_gate);
}

static struct batcher *batcher_of(struct ctx *c, size_t max, size_t waiting_max)
{
        begin();
        return batcher_open(c, &(struct batcher_options){ .name = "record", .fn = record, .max = max, .waiting_max = waiting_max,
                                                          .timeout_ms = 1000, .arena_max = 1 << 20 });
}

struct caller_of { struct batcher *b; struct ask in; struct told out; int result, timeout_ms, steps; const char *slug; char message[64]; bool done; };

static int call_it(struct ctx *c, void *arg)
{
        struct caller_of *k = arg;

        ctx_limit(c, k->timeout_ms);
        c->steps = k->steps;
        k->result = batch_call(c, k->b, &k->in, &k->out);
        k->slug = c->fault.slug;
        snprintf(k->message, sizeof k->message, STR_FMT, STR_ARG(c->fault.message));
        k->done = true;
        return 0;
}

/* Starts one call that stops at the gate, so that what is called after it gathers. */
static void hold_gate(struct ctx *c, struct group *g, struct caller_of *first)
{
        rec.gate_shut = true;
        CHECK_OK(group_go(g, call_it, first));
        CHECK_OK(event_flag_wait(c, &rec.at_gate));
}

static void open_gate(void)
{
        rec.gate_shut = false;
        event_flag_signal(&rec.gate);
}

#define IN_FIBER(name) \
        static int name##_body(struct ctx *c, void *arg); \
        TEST(name) { CHECK_OK(run_main(name##_body, NULL)); } \
        static int name##_body(struct ctx *c, void *arg __attribute__((unused)))

IN_FIBER(a_lone_call_runs_at_once_and_alone)
{
        struct batcher *b = batcher_of(c, 8, 8);
        struct told out = { 0 };

        CHECK_OK(batch_call(c, b, &(struct ask){ 7, ANSWERS }, &out));
        CHECK_EQ(out.no, 7);
        CHECK_EQ(rec.runs, 1);
        CHECK_EQ(rec.sizes[0], 1);
        CHECK(!rec.again[0]);
        CHECK_EQ(batch_stats(b).batches, 1);
        batcher_close(&b);
        CHECK(!b);
        return 0;
}

IN_FIBER(calls_that_come_while_a_batch_runs_form_the_next)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of k[6];

        {
                GROUP(g, c);
                for (int i = 0; i < 6; i++)
                        k[i] = (struct caller_of){ .b = b, .in = { i, ANSWERS } };
                hold_gate(c, g, &k[0]);
                for (int i = 1; i < 6; i++)
                        CHECK_OK(group_go(g, call_it, &k[i]));
                fiber_yield();
                CHECK_EQ(batch_stats(b).waiting, 5);
                CHECK_EQ(rec.runs, 1);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        CHECK_EQ(rec.runs, 2);
        CHECK_EQ(rec.sizes[1], 5);
        for (int i = 0; i < 6; i++) {
                CHECK_EQ(k[i].result, 0);
                CHECK_EQ(k[i].out.no, i);
                CHECK_EQ(rec.order[i], i);
        }
        struct batch_stats s = batch_stats(b);
        CHECK_EQ(s.batches, 2);
        CHECK_EQ(s.calls, 6);
        CHECK_EQ(s.largest, 5);
        CHECK_EQ(s.waiting, 0);
        CHECK_EQ(s.reruns, 0);
        batcher_close(&b);
        return 0;
}

IN_FIBER(a_batch_is_never_larger_than_its_maximum)
{
        COUNTING(BATCH_CALLS);
        struct batcher *b = batcher_of(c, 4, 100);
        struct caller_of k[10];

        {
                GROUP(g, c);
                for (int i = 0; i < 10; i++)
                        k[i] = (struct caller_of){ .b = b, .in = { i, ANSWERS } };
                for (int i = 0; i < 10; i++)
                        CHECK_OK(group_go(g, call_it, &k[i]));
                CHECK_OK(group_wait(g));
        }
        CHECK_EQ(batch_stats(b).largest, 4);
        for (int i = 0; i < 10; i++)
                CHECK_EQ(rec.order[i], i);
        batcher_close(&b);
        REACHED(BATCH_CALLS);
        return 0;
}

/* Calls n asks at once, behind a first one that holds the gate: they run as one batch. */
static void call_together(struct ctx *c, struct batcher *b, struct caller_of *k, int n, const struct ask *asks)
{
        struct caller_of first = { .b = b, .in = { -1, ANSWERS } };
        GROUP(g, c);

        hold_gate(c, g, &first);
        for (int i = 0; i < n; i++) {
                k[i] = (struct caller_of){ .b = b, .in = asks[i] };
                CHECK_OK(group_go(g, call_it, &k[i]));
        }
        fiber_yield();
        rec.runs = rec.n_order = 0;
        open_gate();
        CHECK_OK(group_wait(g));
}

IN_FIBER(each_call_gets_its_own_verdict_and_story)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of k[3];

        call_together(c, b, k, 3, (struct ask[]){ { 0, ANSWERS }, { 1, REFUSES }, { 2, ANSWERS } });
        CHECK_EQ(rec.runs, 1);
        CHECK_EQ(k[0].result, 0);
        CHECK_EQ(k[1].result, -FAILED_PRECONDITION);
        assert_string_equal(k[1].slug, "out_of_stock");
        assert_string_equal(k[1].message, "not number 1");
        CHECK_EQ(k[2].result, 0);
        CHECK(!k[2].slug);
        batcher_close(&b);
        return 0;
}

IN_FIBER(a_poisonous_call_ends_alone_with_its_failure_and_the_others_succeed)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of k[8];
        struct ask asks[8];

        for (int i = 0; i < 8; i++)
                asks[i] = (struct ask){ i, i == 5 ? POISONS : ANSWERS };
        call_together(c, b, k, 8, asks);
        for (int i = 0; i < 8; i++)
                CHECK_EQ(k[i].result, i == 5 ? -ALREADY_EXISTS : 0);
        assert_string_equal(k[5].slug, "poison");
        assert_string_equal(k[5].message, "number 5");
        CHECK_EQ(rec.n_order, 7);
        /* 8, 8 again, 4 (0-3), 4 (4-7), 2 (4,5), 1, 1, 2 (6,7) */
        static const size_t sizes[] = { 8, 8, 4, 4, 2, 1, 1, 2 };
        CHECK_EQ(rec.runs, 8);
        for (size_t i = 0; i < 8; i++) {
                CHECK_EQ(rec.sizes[i], sizes[i]);
                CHECK_EQ(rec.again[i], i > 0);
        }
        CHECK_EQ(batch_stats(b).reruns, 7);
        batcher_close(&b);
        return 0;
}

IN_FIBER(a_failed_batch_runs_once_more_as_a_whole_before_it_is_halved)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of k[3];
        struct told out;

        call_together(c, b, k, 3, (struct ask[]){ { 0, ANSWERS }, { 1, POISONS_FIRST_RUN }, { 2, ANSWERS } });
        CHECK_EQ(rec.runs, 2);
        CHECK_EQ(rec.sizes[1], 3);
        for (int i = 0; i < 3; i++) {
                CHECK_EQ(k[i].result, 0);
                CHECK(!k[i].slug);
        }
        rec.runs = 0;
        CHECK_OK(batch_call(c, b, &(struct ask){ 9, POISONS_FIRST_RUN }, &out));        /* a lone one too */
        CHECK_EQ(rec.runs, 2);
        batcher_close(&b);
        return 0;
}

IN_FIBER(a_failure_that_is_nobodys_fault_goes_to_all_after_one_run)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of k[3];

        call_together(c, b, k, 3, (struct ask[]){ { 0, ANSWERS }, { 1, NO_DATABASE }, { 2, ANSWERS } });
        CHECK_EQ(rec.runs, 1);
        for (int i = 0; i < 3; i++) {
                CHECK_EQ(k[i].result, -UNAVAILABLE);
                assert_string_equal(k[i].slug, "database");
        }
        batcher_close(&b);
        return 0;
}

/* Another operation, whose batches only count. */
static size_t other_sizes[8], other_runs;
static int count(struct ctx *c, struct batch *b)
{
        (void)c;
        other_sizes[other_runs++] = b->n;
        EACH_CALL(v, b)
                *(struct told *)v->out = (struct told){ ((const struct ask *)v->in)->no };
        return 0;
}

static struct batcher *other_of(struct ctx *c)
{
        other_runs = 0;
        return batcher_open(c, &(struct batcher_options){ .name = "count", .fn = count, .max = 128 });
}

IN_FIBER(a_batch_lets_one_of_another_operation_end_first)
{
        struct batcher *b = batcher_of(c, 8, 100), *other = other_of(c);
        struct caller_of first = { .b = b, .in = { 0, ANSWERS } }, k[5];

        clock_fake((when){ 1700000000000000 });
        {
                GROUP(g, c);
                hold_gate(c, g, &first);
                for (int i = 0; i < 5; i++) {
                        k[i] = (struct caller_of){ .b = other, .in = { i, ANSWERS } };
                        CHECK_OK(group_go(g, call_it, &k[i]));
                        for (int n = 0; n < 5; n++) fiber_yield();
                        CHECK_EQ(other_runs, 0);
                }
                open_gate();
                CHECK_OK(group_wait(g));
        }
        clock_real();
        CHECK_EQ(other_runs, 1);
        CHECK_EQ(other_sizes[0], 5);
        batcher_close(&b);
        batcher_close(&other);
        return 0;
}

IN_FIBER(callers_that_came_less_far_go_first_and_so_catch_up)
{
        struct batcher *b = batcher_of(c, 8, 100), *confirm = other_of(c), *hold = other_of(c);
        struct caller_of first = { .b = b, .in = { 0, ANSWERS } }, ahead[3], behind[2];

        clock_fake((when){ 1700000000000000 });
        {
                GROUP(g, c);
                hold_gate(c, g, &first);
                for (int i = 0; i < 3; i++) {
                        ahead[i] = (struct caller_of){ .b = confirm, .in = { i, ANSWERS }, .steps = 2 };
                        CHECK_OK(group_go(g, call_it, &ahead[i]));
                }
                for (int n = 0; n < 5; n++) fiber_yield();
                for (int i = 0; i < 2; i++) {
                        behind[i] = (struct caller_of){ .b = hold, .in = { i, ANSWERS }, .steps = 1 };
                        CHECK_OK(group_go(g, call_it, &behind[i]));
                }
                for (int n = 0; n < 5; n++) fiber_yield();
                CHECK_EQ(other_runs, 0);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        clock_real();
        CHECK_EQ(other_runs, 2);
        CHECK_EQ(other_sizes[0], 2);
        CHECK_EQ(other_sizes[1], 3);
        batcher_close(&b);
        batcher_close(&confirm);
        batcher_close(&hold);
        return 0;
}

IN_FIBER(a_batch_waits_no_more_than_five_milliseconds_for_its_turn)
{
        struct batcher *b = batcher_of(c, 8, 100), *other = other_of(c);
        struct caller_of first = { .b = b, .in = { 0, ANSWERS } }, k = { .b = other, .in = { 1, ANSWERS } };

        clock_fake((when){ 1700000000000000 });
        {
                GROUP(g, c);
                hold_gate(c, g, &first);
                CHECK_OK(group_go(g, call_it, &k));
                for (int n = 0; n < 5; n++) fiber_yield();
                CHECK(!k.done);
                clock_advance(4);
                for (int n = 0; n < 5; n++) fiber_yield();
                CHECK(!k.done);
                clock_advance(2);
                while (!k.done) fiber_yield();
                CHECK_EQ(k.result, 0);
                CHECK(!first.done);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        clock_real();
        batcher_close(&b);
        batcher_close(&other);
        return 0;
}

IN_FIBER(a_batch_of_enough_callers_does_not_wait_for_its_turn)
{
        struct batcher *b = batcher_of(c, 8, 100), *other = other_of(c);
        struct caller_of first = { .b = b, .in = { 0, ANSWERS } }, k[128];

        clock_fake((when){ 1700000000000000 });
        {
                GROUP(g, c);
                hold_gate(c, g, &first);
                for (int i = 0; i < 128; i++) {
                        CHECK_EQ(other_runs, 0);
                        k[i] = (struct caller_of){ .b = other, .in = { i, ANSWERS } };
                        CHECK_OK(group_go(g, call_it, &k[i]));
                        fiber_yield();
                }
                for (int n = 0; n < 5; n++) fiber_yield();
                CHECK_EQ(other_runs, 1);
                CHECK_EQ(other_sizes[0], 128);
                CHECK(!first.done);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        clock_real();
        batcher_close(&b);
        batcher_close(&other);
        return 0;
}

IN_FIBER(a_batch_whose_callers_all_left_before_its_turn_does_not_run)
{
        struct batcher *b = batcher_of(c, 8, 100), *other = other_of(c);
        struct caller_of first = { .b = b, .in = { 0, ANSWERS } }, k = { .b = other, .in = { 1, ANSWERS }, .timeout_ms = 1 };

        clock_fake((when){ 1700000000000000 });
        {
                GROUP(g, c);
                hold_gate(c, g, &first);
                CHECK_OK(group_go(g, call_it, &k));
                fiber_yield();
                clock_advance(1);
                while (!k.done) fiber_yield();
                CHECK_EQ(k.result, -DEADLINE_EXCEEDED);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        clock_real();
        CHECK_EQ(other_runs, 0);
        k.timeout_ms = 0;
        k.done = false;
        call_it(c, &k);
        CHECK_EQ(k.result, 0);
        batcher_close(&b);
        batcher_close(&other);
        return 0;
}

IN_FIBER(a_call_that_has_not_started_leaves_at_its_deadline)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of first = { .b = b, .in = { 0, ANSWERS } }, late = { .b = b, .in = { 1, ANSWERS }, .timeout_ms = 100 };

        clock_fake((when){ 1700000000000000 });
        {
                GROUP(g, c);
                hold_gate(c, g, &first);
                CHECK_OK(group_go(g, call_it, &late));
                fiber_yield();
                clock_advance(101);
                while (!late.done)
                        fiber_yield();
                CHECK_EQ(late.result, -DEADLINE_EXCEEDED);
                CHECK_EQ(batch_stats(b).waiting, 0);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        clock_real();
        CHECK_EQ(rec.runs, 1);
        CHECK_EQ(first.result, 0);
        batcher_close(&b);
        return 0;
}

IN_FIBER(a_call_that_runs_waits_past_its_deadline_for_its_true_verdict)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of k = { .b = b, .in = { 3, ANSWERS }, .timeout_ms = 100 };
        struct caller_of r = { .b = b, .in = { 4, REFUSES }, .timeout_ms = 100 };

        clock_fake((when){ 1700000000000000 });
        {
                GROUP(g, c);
                rec.gate_shut = true;
                CHECK_OK(group_go(g, call_it, &k));
                CHECK_OK(group_go(g, call_it, &r));
                CHECK_OK(event_flag_wait(c, &rec.at_gate));
                clock_advance(500);
                for (int i = 0; i < 10; i++)
                        fiber_yield();
                CHECK(!k.done);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        clock_real();
        CHECK_EQ(k.result, 0);
        CHECK_EQ(k.out.no, 3);
        CHECK(!k.slug);
        CHECK_EQ(r.result, -FAILED_PRECONDITION);
        assert_string_equal(r.slug, "out_of_stock");
        batcher_close(&b);
        return 0;
}

IN_FIBER(a_batch_ends_at_its_own_timeout)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of k = { .b = b, .in = { 3, ANSWERS } };

        clock_fake((when){ 1700000000000000 });
        {
                GROUP(g, c);
                hold_gate(c, g, &k);
                clock_advance(1001);
                CHECK_OK(group_wait(g));
        }
        clock_real();
        CHECK_EQ(k.result, -DEADLINE_EXCEEDED);
        batcher_close(&b);
        return 0;
}

IN_FIBER(a_caller_too_many_is_told_busy_at_once)
{
        COUNTING(BATCH_WAITING);
        struct batcher *b = batcher_of(c, 8, 2);
        struct caller_of k[3];
        struct told out;

        {
                GROUP(g, c);
                for (int i = 0; i < 3; i++)
                        k[i] = (struct caller_of){ .b = b, .in = { i, ANSWERS } };
                hold_gate(c, g, &k[0]);
                CHECK_OK(group_go(g, call_it, &k[1]));
                CHECK_OK(group_go(g, call_it, &k[2]));
                fiber_yield();
                CHECK_EQ(batch_call(c, b, &(struct ask){ 9, ANSWERS }, &out), -RESOURCE_EXHAUSTED);
                assert_string_equal(c->fault.slug, "busy");
                CHECK(c->fault.retry_after_ms > 0);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        CHECK_EQ(k[2].result, 0);
        batcher_close(&b);
        REACHED(BATCH_WAITING);
        return 0;
}

IN_FIBER(a_cancelled_caller_leaves_the_queue)
{
        struct batcher *b = batcher_of(c, 8, 100);
        struct caller_of first = { .b = b, .in = { 0, ANSWERS } }, gone = { .b = b, .in = { 1, ANSWERS } };

        {
                GROUP(g, c);
                hold_gate(c, g, &first);
                {
                        GROUP(inner, c);
                        CHECK_OK(group_go(inner, call_it, &gone));
                        fiber_yield();
                        CHECK_EQ(batch_stats(b).waiting, 1);
                }                                               /* the scope cancels and joins */
                CHECK_EQ(gone.result, -CANCELLED);
                CHECK_EQ(batch_stats(b).waiting, 0);
                open_gate();
                CHECK_OK(group_wait(g));
        }
        CHECK_EQ(rec.n_order, 1);
        batcher_close(&b);
        return 0;
}

IN_FIBER(a_batch_runs_in_a_context_of_its_own)
{
        struct unit *unit = (struct unit *)&rec;
        struct pg *pg = (struct pg *)&rec.runs;
        struct ctx model = *c;
        struct told out;

        model.unit = unit;
        model.pg = pg;
        struct batcher *b = batcher_of(&model, 8, 100);
        c->trace.trace_id[3] = 42;
        CHECK_OK(batch_call(c, b, &(struct ask){ 1, ANSWERS }, &out));
        CHECK(rec.seen.arena != c->arena);
        CHECK(rec.seen.unit == unit);
        CHECK(rec.seen.pg == pg);
        CHECK(!strcmp(rec.seen.op, "record"));
        CHECK_EQ(rec.seen.trace.trace_id[3], 42);
        CHECK(rec.seen.deadline_us > clock_us());
        CHECK_OK(batch_call(c, b, &(struct ask){ 1, POISONS_FIRST_RUN }, &out));
        CHECK_EQ(rec.arena_used_at_start, 0);                   /* fresh for the second run */
        batcher_close(&b);
        return 0;
}

IN_FIBER(an_empty_batch_does_not_run)
{
        begin();
        CHECK_EQ(batch_run(c, record, NULL, 0), 0);
        CHECK_EQ(rec.runs, 0);
        return 0;
}

TEST_MAIN
