/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * log_test.c - one event, one line: its form, its escapes, its bounds, its threads. */
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>
#include "log.h"
#include "text.h"

static int ends[2];
static char text[1 << 16];

static void start(enum level least, enum log_format format, bool colour)
{
        CHECK_EQ(pipe(ends), 0);
        CHECK_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        log_setup(least, format, colour, ends[1]);
}

/* What was written since start(), which it ends. */
static str written(void)
{
        size_t n = 0;
        ssize_t got;
        log_setup(INFO, LOG_HUMAN, false, STDERR_FILENO);
        close(ends[1]);
        while ((got = read(ends[0], text + n, sizeof text - n)) > 0) n += (size_t)got;
        close(ends[0]);
        return (str){ text, n };
}

/* The line without its time, which must be one of now. */
static str json_after_time(void)
{
        str line = written();
        when t;
        CHECK(str_starts(line, STR("{\"time\":\"")));
        line = str_cut(line, 9, line.n);
        CHECK_OK(when_parse(str_split(&line, '"'), &t));
        CHECK(when_year(t) >= 2024);
        return line;
}

TEST(a_line_of_json_has_time_level_event_and_fields)
{
        start(INFO, LOG_JSON, false);
        log_say(WARN, "slow", L_STR("route", STR("/v1/orders")), L_INT("status", -200), L_MS("took_ms", 1234567), L_Z("why", "a \"b\""));
        CHECK_STR(json_after_time(), ",\"level\":\"warn\",\"event\":\"slow\",\"route\":\"/v1/orders\",\"status\":-200,\"took_ms\":1234.567,\"why\":\"a \\\"b\\\"\"}\n");
}

TEST(absent_fields_are_left_out_and_empty_ones_are_not)
{
        start(INFO, LOG_JSON, false);
        log_say(ERROR, "x", L_Z("none", NULL), L_UID("nobody", (uid){ { 0 } }), L_Z("empty", ""), L_UID("id", (uid){ { 1 } }), L_INT("zero", 0));
        CHECK_STR(json_after_time(), ",\"level\":\"error\",\"event\":\"x\",\"empty\":\"\",\"id\":\"01000000-0000-0000-0000-000000000000\",\"zero\":0}\n");
        start(INFO, LOG_JSON, false);
        log_say(INFO, "bare");
        CHECK_STR(json_after_time(), ",\"level\":\"info\",\"event\":\"bare\"}\n");
}

TEST(a_line_for_people_has_the_time_of_day)
{
        start(DEBUG, LOG_HUMAN, false);
        log_say(DEBUG, "listening", L_INT("port", 8080), L_MS("took", -500), L_MS("took_ms", 5), L_Z("name", "two words"), L_Z("plain", "/v1/a"), L_Z("empty", ""));
        str line = written();
        CHECK(line.n > 13 && line.p[2] == ':' && line.p[5] == ':' && line.p[8] == '.' && line.p[12] == ' ');
        CHECK_STR(str_cut(line, 13, line.n), "DEBUG listening port=8080 took=-0.500ms took_ms=0.005 name=\"two words\" plain=/v1/a empty=\"\"\n");
}

TEST(colour_is_only_there_when_it_is_asked_for)
{
        start(INFO, LOG_HUMAN, true);
        log_say(ERROR, "broken");
        str line = written();
        CHECK_STR(str_cut(line, 13, line.n), "\033[31mERROR\033[0m broken\n");
}

TEST(levels_below_the_least_are_silent_and_cost_no_argument)
{
        int evaluated = 0;
        start(WARN, LOG_JSON, false);
        log_say(INFO, "no", L_INT("n", ++evaluated));
        CHECK(!log_is_on(INFO) && log_is_on(WARN) && log_is_on(ERROR));
        CHECK_EQ(written().n, 0);
        CHECK_EQ(evaluated, 0);
}

TEST(no_value_can_begin_a_line_or_move_a_cursor)
{
        for (int format = LOG_HUMAN; format <= LOG_JSON; format++) {
                start(INFO, (enum log_format)format, false);
                for (int ch = 1; ch < 256; ch++) {
                        char v[3] = { 'a', (char)ch, 0 };
                        log_say(INFO, "x", L_Z("v", v));
                }
                log_say(INFO, "x", L_STR("v", STR("nul\0 c1\xc2\x9b e\xcc\x81 \xed\xa0\x80")));
                str all = written();
                CHECK(utf8_is_valid(all));
                size_t lines = 0;
                for (size_t i = 0; i < all.n; i++) {
                        lines += all.p[i] == '\n';
                        CHECK((uint8_t)all.p[i] >= ' ' || all.p[i] == '\n');
                        CHECK(all.p[i] != 0x7f && !((uint8_t)all.p[i] == 0xc2 && (uint8_t)all.p[i + 1] < 0xa0));
                }
                CHECK_EQ(lines, 256);
        }
}

TEST(escapes_are_those_of_json)
{
        start(INFO, LOG_JSON, false);
        log_say(INFO, "x", L_STR("v", STR("\"\\\n\r\t\x01\x7f\xff\xc2\x9b\xe2\x82\xac")));
        CHECK_STR(json_after_time(), ",\"level\":\"info\",\"event\":\"x\",\"v\":\"\\\"\\\\\\n\\r\\t\\u0001\\u007f\xef\xbf\xbd\\u009b\xe2\x82\xac\"}\n");
}

TEST(a_line_never_passes_what_a_pipe_takes_whole)
{
        static char big[20000];
        for (size_t n = 900; n < sizeof big - 1; n += 977) {
                memset(big, n % 2 ? 'x' : '\n', n);
                big[n] = '\0';
                for (int format = LOG_HUMAN; format <= LOG_JSON; format++) {
                        start(INFO, (enum log_format)format, false);
                        log_say(INFO, "x", L_Z("a", big), L_INT("b", 7), L_Z("c", big), L_Z("d", big), L_Z("e", big), L_Z("f", big), L_UID("g", (uid){ { 1 } }));
                        str line = written();
                        CHECK(line.n > 0 && line.n <= PIPE_BUF);
                        CHECK(str_ends(line, format == LOG_JSON ? STR("}\n") : STR("\n")));
                        CHECK_EQ(str_find(line, '\n'), (ptrdiff_t)line.n - 1);
                        CHECK(utf8_is_valid(line));
                }
        }
}

TEST(fields_that_do_not_fit_are_said_to_be_cut)
{
        COUNTING(LOG_LINE);
        static char big[2000];
        memset(big, 'x', sizeof big - 1);
        start(INFO, LOG_JSON, false);
        log_say(INFO, "x", L_Z("a", big), L_Z("b", big), L_Z("c", big), L_Z("d", big), L_Z("e", big));
        str line = json_after_time();
        CHECK(str_ends(line, STR(",\"cut\":true}\n")));
        REACHED(LOG_LINE);
}

enum { THREADS = 4, EACH = 100 };

static void *say_many(void *arg)
{
        for (int i = 0; i < EACH; i++) log_say(INFO, "x", L_Z("who", arg), L_INT("i", i));
        return NULL;
}

TEST(lines_of_threads_never_mix)
{
        pthread_t threads[THREADS];
        static char *const names[THREADS] = { "one", "two", "three", "four" };
        start(INFO, LOG_JSON, false);
        CHECK(fcntl(ends[1], F_SETPIPE_SZ, 1 << 16) >= 0);
        for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_create(&threads[i], NULL, say_many, names[i]), 0);
        for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_join(threads[i], NULL), 0);
        size_t n = 0;
        for (str rest = written(), line; rest.n && (line = str_split(&rest, '\n'), true); n++)
                CHECK(str_starts(line, STR("{\"time\":\"")) && str_ends(line, STR("}")));
        CHECK_EQ(n, THREADS * EACH);
}

TEST(logging_leaves_errno_alone)
{
        log_setup(INFO, LOG_JSON, false, -1);           /* every write fails */
        errno = EAGAIN;
        log_say(INFO, "x");
        CHECK_EQ(errno, EAGAIN);
        log_setup(INFO, LOG_HUMAN, false, STDERR_FILENO);
}

TEST_MAIN
