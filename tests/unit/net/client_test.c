/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * client_test.c - the client against the server of this program, and against a listener that answers whatever a test tells it to. */
#include "test.h"
#include "client.h"
#include "clock.h"
#include "fiber.h"
#include "io.h"
#include "loop.h"
#include "server.h"

/* ---- a listener that plays a part: for each request the next scene of the play ------------------------------------ */

enum act { ANSWER, ANSWER_AND_CLOSE, CLOSE_HEARD, STAY_SILENT };
struct scene { enum act act; const char *text; };
struct play { const struct scene *scenes; int n, at, heard, accepted; struct listener *l; bool over; char last[4096]; };

static bool hear_request(struct ctx *c, struct play *p, struct sock *s)
{
        size_t n = 0;
        while (n < sizeof p->last - 1) {
                ptrdiff_t got = sock_read(c, s, p->last + n, sizeof p->last - 1 - n);
                if (got <= 0) return false;
                n += (size_t)got;
                p->last[n] = 0;
                if (strstr(p->last, "\r\n\r\n")) break;
        }
        p->heard++;
        return true;
}

static void play_on(struct ctx *c, struct play *p, struct sock *s)
{
        while (p->at < p->n) {
                if (!hear_request(c, p, s)) return;             /* the client gave this connection up: the scene is for the next */
                const struct scene *now = &p->scenes[p->at++];
                if (now->act == CLOSE_HEARD) return;
                if (now->act == STAY_SILENT) {
                        char byte;
                        sock_read(c, s, &byte, 1);
                        return;
                }
                if (sock_write_str(c, s, str_of(now->text)) < 0 || now->act == ANSWER_AND_CLOSE) return;
        }
}

static void play_main(void *arg)
{
        struct play *p = arg;
        struct ctx c = { .arena = arena_new(65536) };
        ctx_limit(&c, 10000);
        struct sock *s = NULL;
        while (p->at < p->n && listen_accept(&c, p->l, &s) == 0) {
                p->accepted++;
                play_on(&c, p, s);
                sock_close(&s);
        }
        listen_close(&p->l);
        arena_free(c.arena);
        p->over = true;
}

struct plan { struct client_options o; const struct scene *scenes; int n; void (*fn)(struct ctx *c, struct client *cl, struct play *p); };

static int run_plan(struct ctx *c, void *arg)
{
        struct plan *plan = arg;
        struct play p = { .scenes = plan->scenes, .n = plan->n };
        char url[60];
        ctx_limit(c, 10000);
        CHECK_OK(listen_open(c, STR("127.0.0.1"), 0, 16, &p.l));
        snprintf(url, sizeof url, "http://127.0.0.1:%d/base/", listen_port(p.l));
        plan->o.url = str_of(url);
        CHECK_OK(fiber_start("play", play_main, &p));
        struct client *cl = NULL;
        CHECK_OK(client_open(c, &plan->o, &cl));
        plan->fn(c, cl, &p);
        client_close(&cl);
        p.at = p.n;
        if (p.l) listen_close(&p.l);
        while (!p.over) fiber_yield();
        return 0;
}

#define CLIENT_TEST_WITH(name_, options_, ...) \
        static void name_##_body(struct ctx *c, struct client *cl, struct play *p); \
        TEST(name_) \
        { \
                static const struct scene scenes[] = { __VA_ARGS__ }; \
                struct plan plan = { .scenes = scenes, .n = COUNT(scenes), .fn = name_##_body }; \
                struct client_options *o = &plan.o; \
                (void)o; \
                options_; \
                watchdog_limit(0); \
                CHECK_OK(run_main(run_plan, &plan)); \
        } \
        static void name_##_body(struct ctx *c, struct client *cl, struct play *p)
#define CLIENT_TEST(name_, ...) CLIENT_TEST_WITH(name_, (void)0, __VA_ARGS__)
#define OK_HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Y: z\r\n\r\nhi"

static const struct client_request get = { .method = GET, .path = { "/a?b", 4 } };
static const struct client_request post = { .method = POST, .path = { "/a", 2 }, .body = { "{}", 2 }, .content_type = { "application/json", 16 } };

/* ---- plain ways ---------------------------------------------------------------------------------------------------- */

CLIENT_TEST(a_request_says_what_it_must, { ANSWER, OK_HI })
{
        struct client_response r;
        struct client_request q = post;
        q.headers[0] = (struct header){ STR("idempotency-key"), STR("k") };
        CHECK_OK(client_send(c, cl, &q, &r));
        CHECK(strstr(p->last, "POST /base/a HTTP/1.1\r\nhost: 127.0.0.1:") == p->last);
        CHECK(strstr(p->last, "\r\ncontent-length: 2\r\ncontent-type: application/json\r\nidempotency-key: k\r\n\r\n") != NULL);
        CHECK_EQ(r.status, 200);
        CHECK_STR(r.body, "hi");
        CHECK_STR(header_get(&r.headers, "x-y"), "z");
}

CLIENT_TEST(a_connection_is_used_again, { ANSWER, OK_HI }, { ANSWER, "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" },
            { ANSWER, "HTTP/1.1 204 No Content\r\n\r\n" })
{
        struct client_response r;
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_EQ(r.status, 404);
        CHECK_STR(r.body, "abc");
        CHECK_OK(client_send(c, cl, &post, &r));
        CHECK_EQ(r.status, 204);
        CHECK_STR(r.body, "");
        CHECK_EQ(p->heard, 3);
}

CLIENT_TEST(informational_answers_are_passed_over, { ANSWER, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_HI })
{
        struct client_response r;
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_EQ(r.status, 200);
        CHECK_EQ(header_count(&r.headers, "link"), 0);
        CHECK_EQ(p->heard, 1);
}

CLIENT_TEST(an_answer_may_end_with_the_connection_and_the_next_request_takes_another, { ANSWER_AND_CLOSE, "HTTP/1.0 200 OK\r\n\r\nall of it" }, { ANSWER, OK_HI })
{
        struct client_response r;
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_STR(r.body, "all of it");
        CHECK_OK(client_send(c, cl, &post, &r));
        CHECK_STR(r.body, "hi");
        CHECK_EQ(p->heard, 2);
}

CLIENT_TEST(head_has_no_body_whatever_its_length_says, { ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n" }, { ANSWER, OK_HI })
{
        struct client_response r;
        struct client_request q = get;
        q.method = HEAD;
        CHECK_OK(client_send(c, cl, &q, &r));
        CHECK_STR(r.body, "");
        CHECK_STR(header_get(&r.headers, "content-length"), "70");
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_EQ(p->heard, 2);
}

/* ---- ways to fail ---------------------------------------------------------------------------------------------------- */

CLIENT_TEST(a_kept_connection_that_dies_is_replaced_when_the_request_may_be_repeated, { ANSWER, OK_HI }, { CLOSE_HEARD, NULL }, { ANSWER, OK_HI })
{
        struct client_response r;
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_EQ(p->heard, 3);
}

CLIENT_TEST(a_post_is_not_repeated_unless_told, { ANSWER, OK_HI }, { CLOSE_HEARD, NULL }, { ANSWER, OK_HI }, { CLOSE_HEARD, NULL }, { ANSWER, OK_HI })
{
        struct client_response r;
        CHECK_OK(client_send(c, cl, &post, &r));
        CHECK_EQ(client_send(c, cl, &post, &r), -UNAVAILABLE);
        assert_string_equal(c->fault.slug, "cut_off");
        struct client_request q = post;
        q.may_repeat = true;
        CHECK_OK(client_send(c, cl, &q, &r));
        CHECK_OK(client_send(c, cl, &q, &r));
        CHECK_EQ(p->heard, 5);
}

CLIENT_TEST(a_new_connection_that_dies_is_not_tried_again, { CLOSE_HEARD, NULL }, { ANSWER, OK_HI })
{
        struct client_response r;
        CHECK_EQ(client_send(c, cl, &get, &r), -UNAVAILABLE);
        CHECK_EQ(p->heard, 1);
}

CLIENT_TEST(a_server_that_closed_meanwhile_is_noticed_before_sending, { ANSWER_AND_CLOSE, OK_HI }, { ANSWER, OK_HI })
{
        struct client_response r;
        CHECK_OK(client_send(c, cl, &post, &r));
        fiber_yield();
        CHECK_OK(client_send(c, cl, &post, &r));
        CHECK_EQ(p->heard, 2);
}

CLIENT_TEST(an_answer_that_is_cut_off_or_not_http_is_an_error, { ANSWER_AND_CLOSE, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi" },
            { ANSWER_AND_CLOSE, "HTTP/1.1 200 OK\r\nConte" }, { ANSWER, "220 smtp.example ESMTP\r\n" },
            { ANSWER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" }, { ANSWER, "HTTP/1.1 101 Switching Protocols\r\n\r\n" })
{
        struct client_response r;
        CHECK_EQ(client_send(c, cl, &get, &r), -UNAVAILABLE);
        CHECK_EQ(client_send(c, cl, &get, &r), -UNAVAILABLE);
        for (int i = 0; i < 3; i++) CHECK_EQ(client_send(c, cl, &get, &r), -DATA_LOSS);
        CHECK_EQ(p->heard, 5);
}

CLIENT_TEST_WITH(a_body_beyond_the_limit_is_refused, o->body_max = 10, { ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" },
                 { ANSWER_AND_CLOSE, "HTTP/1.1 200 OK\r\n\r\n0123456789a" }, { ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789" })
{
        struct client_response r;
        CHECK_EQ(client_send(c, cl, &get, &r), -DATA_LOSS);
        CHECK_EQ(client_send(c, cl, &get, &r), -DATA_LOSS);
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_EQ(p->heard, 3);
}

CLIENT_TEST(a_silent_server_costs_the_deadline_and_the_connection, { STAY_SILENT, NULL }, { ANSWER, OK_HI })
{
        struct client_response r;
        int64_t own = c->deadline_us;
        ctx_limit(c, 30);
        CHECK_EQ(client_send(c, cl, &get, &r), -DEADLINE_EXCEEDED);
        c->deadline_us = own;
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_EQ(p->heard, 2);
}

/* ---- a server that means harm ---------------------------------------------------------------------------------------- */

#define BAD(text) { ANSWER_AND_CLOSE, "HTTP/1.1 200 OK\r\n" text }
CLIENT_TEST(answers_that_two_readers_could_read_differently_are_no_answers,
            BAD("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), BAD("Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"),
            BAD("Content-Length: 2, 2\r\n\r\nhi"), BAD("Content-Length: +2\r\n\r\nhi"), BAD("Content-Length : 2\r\n\r\nhi"), BAD("X: y\r\n Content-Length: 2\r\n\r\nhi"),
            BAD("X: y\nContent-Length: 2\r\n\r\nhi"), BAD("X: y\rz\r\nContent-Length: 2\r\n\r\nhi"), BAD("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            BAD("Transfer-Encoding: identity\r\n\r\nhi"), BAD("Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n"),
            BAD("Transfer-Encoding: chunked\r\n\r\n2\nhi\n0\n\n"), BAD("Transfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n"),
            BAD("Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nhi\r\n0\r\n\r\n"), { ANSWER, OK_HI })
{
        struct client_response r;
        for (int i = 0; i < p->n - 1; i++) {
                int code = client_send(c, cl, &post, &r);
                if (code != -DATA_LOSS) cm_fail_msg("%s: %d", p->scenes[i].text, code);
        }
        CHECK_OK(client_send(c, cl, &post, &r));
        CHECK_EQ(p->heard, p->n);               /* none was asked twice */
}

#define EARLY "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
#define EARLY_4 EARLY EARLY EARLY EARLY
CLIENT_TEST(early_answers_do_not_go_on_for_ever, { ANSWER, EARLY_4 EARLY_4 EARLY_4 EARLY EARLY EARLY OK_HI }, { ANSWER, EARLY_4 EARLY_4 EARLY_4 EARLY_4 OK_HI },
            { ANSWER, "HTTP/1.1 101 Switching Protocols\r\n\r\n" OK_HI })
{
        struct client_response r;
        CHECK_OK(client_send(c, cl, &get, &r));
        CHECK_EQ(client_send(c, cl, &get, &r), -DATA_LOSS);
        CHECK_EQ(client_send(c, cl, &get, &r), -DATA_LOSS);
        CHECK_EQ(p->heard, 3);
}

CLIENT_TEST(an_answer_behind_an_answer_is_never_taken_for_the_next_ones, { ANSWER, OK_HI "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" },
            { ANSWER, "HTTP/1.1 204 No Content\r\nContent-Length: 40\r\n\r\n" }, { ANSWER, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n" },
            { ANSWER, "HTTP/1.1 304 Not Modified\r\nContent-Length: 40\r\n\r\n" }, { ANSWER, OK_HI })
{
        struct client_response r;
        static const int connections[] = { 1, 2, 3, 4, 4 };     /* a length on a 304 is of what the 200 would be: nothing odd */
        static const int statuses[] = { 200, 204, 204, 304, 200 };
        for (size_t i = 0; i < COUNT(statuses); i++) {
                CHECK_OK(client_send(c, cl, &post, &r));
                CHECK_EQ(r.status, statuses[i]);
                CHECK_EQ(p->accepted, connections[i]);
                CHECK_STR(r.body, r.status == 200 ? "hi" : "");
        }
}

static char endless_head[100000] = "HTTP/1.1 200 OK\r\nX: ", endless_fields[100000], endless_extension[40000] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            endless_body[30000] = "HTTP/1.1 200 OK\r\n\r\n";

static void fill(char *text, size_t size)
{
        size_t n = strlen(text);
        memset(text + n, 'a', size - n - 1);
}

CLIENT_TEST_WITH(answers_without_end_are_given_up_at_a_bound, (o->body_max = 20000), { ANSWER_AND_CLOSE, endless_head }, { ANSWER_AND_CLOSE, endless_fields },
                 { ANSWER_AND_CLOSE, endless_extension }, { ANSWER_AND_CLOSE, endless_body }, { ANSWER, OK_HI })
{
        struct client_response r;
        fill(endless_head, sizeof endless_head);
        fill(endless_extension, sizeof endless_extension);
        fill(endless_body, sizeof endless_body);
        size_t n = (size_t)sprintf(endless_fields, "HTTP/1.1 200 OK\r\n");
        while (n < sizeof endless_fields - 10) n += (size_t)sprintf(endless_fields + n, "X: y\r\n");
        for (int i = 0; i < p->n - 1; i++) {
                int code = client_send(c, cl, &post, &r);
                if (code != -DATA_LOSS) cm_fail_msg("answer %d: %d", i, code);
                CHECK(arena_used(c->arena) < 400000);
        }
        CHECK_OK(client_send(c, cl, &post, &r));
        CHECK_EQ(p->heard, p->n);
}

CLIENT_TEST(paths_that_would_split_a_request_are_refused, { ANSWER, OK_HI })
{
        struct client_response r;
        struct client_request q = get;
        q.path = STR("/a HTTP/1.1\r\nX: y");
        CHECK_EQ(client_send(c, cl, &q, &r), -INVALID_ARGUMENT);
        CHECK_EQ(p->heard, 0);
}

static int open_urls(struct ctx *c, void *unused)
{
        (void)unused;
        static const char *bad[] = { "", "shop", "https://h/", "http://h/?q", "http://h:99999/" };
        struct client *cl = NULL;
        for (size_t i = 0; i < COUNT(bad); i++) {
                struct client_options o = { .url = str_of(bad[i]) };
                CHECK_EQ(client_open(c, &o, &cl), -INVALID_ARGUMENT);
                CHECK(cl == NULL);
        }
        client_close(&cl);
        return 0;
}

TEST(urls_that_are_not_plain_http_are_refused) { CHECK_OK(run_main(open_urls, NULL)); }

/* ---- the pool, against the real server --------------------------------------------------------------------------------- */

static void count_connections(struct ctx *c, struct exchange *x, void *arg)
{
        (void)arg;
        fiber_yield();
        str body = STR("");
        CHECK_OK(exchange_body(c, x, 0, &body));
        buf_printf(x->body, "%s " STR_FMT " " STR_FMT, method_name(x->head.method), STR_ARG(x->head.path), STR_ARG(body));
}

static int fetch(struct ctx *c, void *arg)
{
        struct client_response r;
        struct client_request q = post;
        for (int i = 0; i < 5; i++) {
                TRY(client_send(c, arg, &q, &r));
                CHECK_STR(r.body, "POST /a {}");
        }
        return 0;
}

static int pool_shared(struct ctx *c, void *unused)
{
        (void)unused;
        struct server *s = NULL;
        struct server_options so = server_defaults;
        so.port = 0;
        ctx_limit(c, 10000);
        CHECK_OK(server_open(c, &so, count_connections, NULL, &s));
        char url[60];
        snprintf(url, sizeof url, "http://127.0.0.1:%d", server_port(s));
        struct client *cl = NULL;
        struct client_options o = { .url = str_of(url), .connections_max = 3 };
        CHECK_OK(client_open(c, &o, &cl));
        {
                GROUP(g, c);
                for (int i = 0; i < 20; i++) CHECK_OK(group_go(g, fetch, cl));
                CHECK_OK(group_wait(g));
        }
        CHECK_EQ(server_stats(s).requests, 100);
        CHECK_EQ(server_stats(s).accepted, 3);
        client_close(&cl);
        server_drain(c, s, 1000);
        server_close(&s);
        return 0;
}

TEST(many_fibers_share_a_bounded_number_of_connections)
{
        watchdog_limit(0);
        CHECK_OK(run_main(pool_shared, NULL));
}
TEST_MAIN
