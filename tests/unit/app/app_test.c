/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * app_test.c - a whole program on sockets: starting, serving on two workers, one log line a request, draining, and every way not to start. */
#include "test.h"
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include "program.h"

/* ---- a service without a database ------------------------------------------------------------------------------------------ */
struct word { str text; };
MESSAGE(word, "a word", F(word, 1, text, .max = 100));
static atomic_int ticks, sleeping;
static int word_echo(struct ctx *c, const struct word *in, struct word *out) { (void)c; *out = *in; return 0; }
OP(word_echo, word, word);
static int word_slow(struct ctx *c, const struct nothing *in, struct word *out)
{
        (void)in;
        sleeping++;
        TRY(fiber_sleep(c, 300));
        out->text = STR("slept");
        return 0;
}
OP(word_slow, nothing, word);
static int word_forever(struct ctx *c, const struct nothing *in, struct word *out) { (void)in; (void)out; sleeping++; return fiber_sleep(c, 60000); }
OP(word_forever, nothing, word);
static int word_tick(struct ctx *c, const struct nothing *in, struct nothing *out) { (void)c; (void)in; (void)out; ticks++; return 0; }
OP(word_tick, nothing, nothing);
static int bad_start(struct ctx *c, void *state) { (void)state; return fail(c, FAILED_PRECONDITION, "no_mood", "not today"); }

static const struct service words = { .name = "words", .doc = "Words.",
        ROUTES(POST("/v1/echo", word_echo, .who = ANYONE, .doc = "Says it again."), GET("/v1/slow", word_slow, .who = ANYONE),
               GET("/v1/forever", word_forever, .who = ANYONE, .timeout_ms = 60000), GET("/v1/late", word_forever, .who = ANYONE, .timeout_ms = 50),
               POST("/v1/hurry", word_echo, .who = ANYONE, .timeout_ms = 50)),
        JOBS(EVERY(10, "tick", word_tick)) };
static const struct service moody = { .name = "moody", .start = bad_start };
static const struct service stored = { .name = "stored", .has_db = true };
static const struct service unsaid = { .name = "unsaid", ROUTES(GET("/x", word_slow)) };

/* ---- tests -------------------------------------------------------------------------------------------------------------------- */

/* A body has its own clocks: it may take longer than the operation, which has not begun. */
static void send_slowly(struct run *r)
{
        const char *head = "POST /v1/hurry HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 13\r\nexpect: 100-continue\r\n\r\n";
        int fd = open_socket(r->port);
        struct pollfd there = { .fd = fd, .events = POLLIN };
        char a[1000] = { 0 };
        MUST(send(fd, head, strlen(head), 0) > 0 && recv(fd, a, sizeof a - 1, 0) > 0, "no word");
        WANT(a, "HTTP/1.1 100 Continue\r\n");
        MUST(poll(&there, 1, 150) == 0, "an answer before the body\n");
        MUST(send(fd, "{\"text\":\"hi\"}", 13, 0) == 13 && recv(fd, a, sizeof a - 1, 0) > 0, "no answer\n");
        WANT(a, "HTTP/1.1 200 OK\r\n");
        close(fd);
}

static void look_around(struct run *r)
{
        char a[65536];
        ask(r->port, "POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"text\":\"hi\"}", a);
        WANT(a, "HTTP/1.1 200 OK\r\n");
        WANT(a, "\r\n\r\n{\"text\":\"hi\"}");
        ask(r->port, GET_("/readyz"), a);
        WANT(a, "\"ready\":true");
        ask(r->port, GET_("/v1/late"), a);
        WANT(a, "HTTP/1.1 504 ");
        WANT(a, "\r\nretry-after: 1\r\n");
        WANT(a, "\"slug\":\"deadline_exceeded\"");
        send_slowly(r);
        for (int i = 0; i < 20; i++) ask(r->port, GET_("/healthz"), a);
        ask(r->port, GET_("/metrics"), a);
        WANT(a, "souk_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 20\n");
        WANT(a, "souk_job_runs_total{service=\"words\",job=\"tick\",result=\"ok\"}");
        ask(r->port, "HEAD /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", a);
        WANT(a, "content-length: 15\r\n");
        MUST(strstr(a, "\r\n\r\n") && !strstr(a, "\r\n\r\n")[4], "a HEAD has a body: %s\n", a);
        app_stop();
}

static int lines_with(const char *log, const char *part)
{
        int n = 0;
        for (const char *p = log; (p = strstr(p, part)); p++) n++;
        return n;
}

TEST(a_program_serves_on_two_workers_logs_a_line_a_request_and_stops)
{
        static struct run r;
        r = (struct run){ .services = { &words }, .client = look_around };
        ticks = 0;
        if (RUN(&r, "--workers=2", "--log-format=json", "--request-memory=64KiB") < 0) cm_fail_msg("%d %s", r.result, r.log);
        CHECK_EQ(lines_with(r.log, "\"event\":\"request\""), 26);
        CHECK_EQ(lines_with(r.log, "\"event\":\"request_memory_raised\",\"wanted\":65536,\"bytes\":2097152,\"largest_body\":1048576"), 1);
        WANT(r.log, "\"level\":\"warn\",\"event\":\"request\",\"method\":\"GET\",\"path\":\"/v1/late\",\"status\":504");
        WANT(r.log, "\"path\":\"/healthz\",\"status\":200,");
        CHECK(ticks > 0);
}

static void one_good_one_late(struct run *r)
{
        char a[65536];
        ask(r->port, GET_("/healthz"), a);
        ask(r->port, GET_("/v1/late"), a);
        app_stop();
}

TEST(the_access_log_may_be_quiet)
{
        static struct run r;
        r = (struct run){ .services = { &words }, .client = one_good_one_late };
        CHECK_EQ(RUN(&r, "--log-format=human"), 0);
        CHECK_EQ(lines_with(r.log, " request "), 1);    /* the late one */
}

static char slow_answer[65536];
static void *ask_slowly(void *arg)
{
        ask(((struct run *)arg)->port, GET_("/v1/slow"), slow_answer);
        return NULL;
}
static void stop_amid(struct run *r)
{
        pthread_t t;
        char a[65536];
        int idle = open_socket(r->port);
        sleeping = 0;
        pthread_create(&t, NULL, ask_slowly, r);
        while (!sleeping) sched_yield();
        kill(getpid(), SIGTERM);
        pthread_join(t, NULL);
        MUST(recv(idle, a, sizeof a, 0) == 0, "not closed\n");         /* closed without an answer: nothing was asked */
        close(idle);
}

TEST(a_request_at_work_is_finished_before_the_program_stops)
{
        static struct run r;
        r = (struct run){ .services = { &words }, .client = stop_amid };
        CHECK_EQ(RUN(&r, "--log-level=error"), 0);
        WANT(slow_answer, "HTTP/1.1 200 OK\r\n");
        WANT(slow_answer, "{\"text\":\"slept\"}");
}

static void *ask_forever(void *arg)
{
        ask(((struct run *)arg)->port, GET_("/v1/forever"), slow_answer);
        return NULL;
}
static void stop_amid_forever(struct run *r)
{
        pthread_t t;
        sleeping = 0;
        pthread_create(&t, NULL, ask_forever, r);
        while (!sleeping) sched_yield();
        app_stop();
        pthread_join(t, NULL);
}

TEST(a_request_that_does_not_end_is_cancelled_when_the_grace_is_over)
{
        static struct run r;
        int64_t began = clock_us();
        r = (struct run){ .services = { &words }, .client = stop_amid_forever };
        CHECK_EQ(RUN(&r, "--log-level=error", "--grace=100ms"), 0);
        CHECK(clock_us() - began < 5000000);
        CHECK(!strstr(slow_answer, "200 OK"));
}

static void fails(struct run *r, int code, const char *why, char *flag)
{
        CHECK_EQ(RUN(r, flag), -code);
        WANT(r->log, why);
        CHECK(!r->has_thread);
}

TEST(what_cannot_start_says_why_in_a_sentence)
{
        static struct run r;
        r = (struct run){ .services = { &words, &moody } };
        fails(&r, FAILED_PRECONDITION, "cannot start: not today", "--workers=2");
        r = (struct run){ .services = { &unsaid } };
        fails(&r, INVALID_ARGUMENT, "GET /x: does not say who may", "--workers=1");
        r = (struct run){ .services = { &words }, .target = "words,wrods" };
        fails(&r, INVALID_ARGUMENT, "there is no target \"wrods\"", "--workers=1");
        r = (struct run){ .services = { &words } };
        fails(&r, INVALID_ARGUMENT, "log-format is one of human, json, not \"xml\"", "--log-format=xml");
        r = (struct run){ .services = { &stored }, .url = "postgresql:///postgres?host=/nowhere" };
        fails(&r, UNAVAILABLE, "cannot start: ", "--workers=2");
        r = (struct run){ .services = { &stored, &moody }, .target = "moody" };
        fails(&r, FAILED_PRECONDITION, "not today", "--workers=1");
}

TEST(a_port_that_is_taken_is_named)
{
        static struct run r;
        char flag[40], why[60];
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof at;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0 && getsockname(fd, (struct sockaddr *)&at, &n) == 0);
        snprintf(flag, sizeof flag, "--port=%d", ntohs(at.sin_port));
        snprintf(why, sizeof why, "port %d of 127.0.0.1 is taken", ntohs(at.sin_port));
        r = (struct run){ .services = { &words } };
        CHECK_EQ(run_program(&r, 1, (char *[]){ flag }), -ALREADY_EXISTS);
        WANT(r.log, why);
        WANT(r.log, "--port");
        close(fd);
}

TEST_MAIN
