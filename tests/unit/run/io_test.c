/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * io_test.c - sockets: whole conversations on one loop, and every way one can end. */
#include "test.h"
#include <errno.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "clock.h"
#include "fiber.h"
#include "io.h"
#include "log.h"
#include "loop.h"
#include "pool.h"
#include "sanitizer.h"

struct server { struct listener *l; int port; int n_served, n_short; };

static void serve(void *arg)            /* echoes whatever comes until the peer ends */
{
        struct sock *s AUTO(sock_close) = arg;
        char some[7];
        for (ptrdiff_t n; (n = sock_read(NULL, s, some, sizeof some)) > 0;)
                if (sock_write_str(NULL, s, (str){ some, (size_t)n }) < 0) return;
}

static void accept_all(void *arg)
{
        struct server *v = arg;
        struct ctx c = { .arena = arena_new(65536) };
        for (struct sock *s; listen_accept(&c, v->l, &s) == 0; v->n_served++) {
                v->n_short += listen_is_short(v->l);
                if (fiber_start("serve", serve, s) < 0) sock_close(&s);
        }
        arena_free(c.arena);
}

static int with_server(struct ctx *c, int (*fn)(struct ctx *c, struct server *v))
{
        struct server v = { 0 };
        ctx_limit(c, 10000);
        CHECK_OK(listen_open(c, STR("127.0.0.1"), 0, 16, &v.l));
        v.port = listen_port(v.l);
        CHECK(v.port > 0);
        CHECK_OK(fiber_start("accept", accept_all, &v));
        fiber_yield();
        int r = fn(c, &v);
        listen_close(&v.l);
        while (fiber_stats(0).live > 1) fiber_yield();
        return r;
}

static int run_with_server(struct ctx *c, void *arg)
{
        return with_server(c, *(int (**)(struct ctx *, struct server *))arg);
}

#define SERVER_TEST(name_) \
        static int name_##_body(struct ctx *c, struct server *v); \
        TEST(name_) \
        { \
                int (*fn)(struct ctx *, struct server *) = name_##_body; \
                CHECK_OK(run_main(run_with_server, &fn)); \
                pool_stop(); \
        } \
        static int name_##_body(struct ctx *c, struct server *v)

static void read_exactly(struct ctx *c, struct sock *s, char *to, size_t n)
{
        for (size_t got = 0; got < n;) {
                ptrdiff_t r = sock_read(c, s, to + got, n - got);
                CHECK(r > 0);
                got += (size_t)r;
        }
}

SERVER_TEST(an_echo_comes_back_whole_however_it_is_split)
{
        struct sock *s AUTO(sock_close) = NULL;
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), v->port, &s));
        assert_string_equal(sock_peer(s), "127.0.0.1");
        char out[1000], in[1000];
        for (size_t i = 0; i < sizeof out; i++) out[i] = (char)(i * 7);
        for (size_t step = 1; step < 300; step += 37) {
                for (size_t at = 0; at < sizeof out; at += step) {
                        size_t n = MIN(step, sizeof out - at);
                        CHECK_OK(sock_write_str(c, s, (str){ out + at, n }));
                        if (at % 3 == 0) fiber_yield();
                }
                memset(in, 0, sizeof in);
                read_exactly(c, s, in, sizeof in);
                assert_memory_equal(in, out, sizeof in);
        }
        sock_end(s);
        CHECK_EQ(sock_read(c, s, in, sizeof in), 0);
        CHECK_EQ(v->n_served, 1);
        return 0;
}

SERVER_TEST(a_keep_alive_conversation_can_pause_between_its_turns)
{
        struct sock *s AUTO(sock_close) = NULL;
        CHECK_OK(sock_connect(c, STR("localhost"), v->port, &s));
        char in[4];
        for (int i = 0; i < 20; i++) {
                CHECK_OK(sock_write_str(c, s, STR("ping")));
                if (i % 4 == 0) CHECK_OK(fiber_sleep(c, 1));    /* the answer comes while nobody waits for it */
                read_exactly(c, s, in, 4);
                assert_memory_equal(in, "ping", 4);
        }
        CHECK_EQ(sock_try_read(s, in, 4), -ABORTED);
        return 0;
}

struct big { struct sock *s; size_t n; int result; bool done; };

static void write_big(void *arg)
{
        struct big *b = arg;
        char *data = malloc(b->n);
        memset(data, 'x', b->n);
        struct iovec v[3] = { { data, b->n / 2 }, { data, 0 }, { data + b->n / 2, b->n - b->n / 2 } };
        b->result = sock_write(NULL, b->s, v, 3);
        free(data);
        sock_end(b->s);
        b->done = true;
}

SERVER_TEST(a_write_larger_than_the_kernel_takes_waits_and_arrives_whole)
{
        struct sock *s AUTO(sock_close) = NULL;
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), v->port, &s));
        struct big b = { .s = s, .n = 1000000 };
        CHECK_OK(fiber_start("big", write_big, &b));
        size_t got = 0;
        static char in[65536];
        for (ptrdiff_t r; (r = sock_read(c, s, in, sizeof in)) != 0; got += (size_t)r) CHECK(r > 0);
        CHECK(b.done);
        CHECK_EQ(b.result, 0);
        CHECK_EQ(got, b.n);
        return 0;
}

SERVER_TEST(a_read_obeys_its_deadline_and_the_connection_can_go_on)
{
        struct sock *s AUTO(sock_close) = NULL;
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), v->port, &s));
        struct ctx brief = *c;
        char in[4];
        ctx_limit(&brief, 5);
        CHECK_EQ(sock_read(&brief, s, in, 4), -DEADLINE_EXCEEDED);
        CHECK_OK(sock_write_str(c, s, STR("ping")));
        read_exactly(c, s, in, 4);
        return 0;
}

struct reader { struct sock *s; struct fiber *f; ptrdiff_t result; };

static void read_one(void *arg)
{
        struct reader *r = arg;
        struct ctx c = { .arena = arena_new(65536) };
        char in[4];
        r->f = fiber_self();
        r->result = sock_read(&c, r->s, in, 4);
        r->f = NULL;
        arena_free(c.arena);
}

SERVER_TEST(abort_and_cancel_end_a_waiting_read)
{
        struct sock *s AUTO(sock_close) = NULL;
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), v->port, &s));
        struct reader r = { .s = s };
        CHECK_OK(fiber_start("read", read_one, &r));
        fiber_yield();
        fiber_cancel(r.f);
        fiber_yield();
        CHECK_EQ(r.result, -CANCELLED);
        CHECK_OK(fiber_start("read", read_one, &r));
        fiber_yield();
        sock_abort(s);
        fiber_yield();
        CHECK_EQ(r.result, -UNAVAILABLE);
        CHECK_EQ(sock_write_str(c, s, STR("x")), -UNAVAILABLE);
        assert_string_equal(c->fault.slug, "connection_aborted");
        return 0;
}

SERVER_TEST(nobody_listening_is_unavailable_and_says_so)
{
        int port = v->port;
        listen_close(&v->l);
        while (fiber_stats(0).live > 1) fiber_yield();
        struct sock *s AUTO(sock_close) = NULL;
        CHECK_EQ(sock_connect(c, STR("127.0.0.1"), port, &s), -UNAVAILABLE);
        assert_string_equal(c->fault.slug, "connect_failed");
        CHECK(s == NULL);
        CHECK_EQ(sock_connect(c, STR("no-such-host.invalid"), port, &s), -UNAVAILABLE);
        assert_string_equal(c->fault.slug, "host_unknown");
        CHECK_EQ(sock_connect(c, STR("unix:/nowhere/at/all"), 0, &s), -UNAVAILABLE);
        CHECK_EQ(sock_connect(c, STR("unix:"), 0, &s), -INVALID_ARGUMENT);
        CHECK_EQ(sock_connect(c, STR("127.0.0.1"), 70000, &s), -INVALID_ARGUMENT);
        return 0;
}

SERVER_TEST(a_taken_port_is_seen_and_one_open_without_sharing_refuses_us)
{
        CHECK(port_is_taken(STR("127.0.0.1"), v->port));
        CHECK(!port_is_taken(STR("127.0.0.1"), 0));
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t n = sizeof at;
        CHECK_EQ(bind(fd, (struct sockaddr *)&at, n), 0);
        CHECK_EQ(listen(fd, 1), 0);
        CHECK_EQ(getsockname(fd, (struct sockaddr *)&at, &n), 0);
        struct listener *l = NULL;
        CHECK_EQ(listen_open(c, STR("127.0.0.1"), ntohs(at.sin_port), 1, &l), -ALREADY_EXISTS);
        assert_string_equal(c->fault.slug, "address_taken");
        CHECK_EQ(listen_open(c, STR("not an address"), 80, 1, &l), -INVALID_ARGUMENT);
        CHECK_EQ(listen_open(c, STR("127.0.0.1"), 65536, 1, &l), -INVALID_ARGUMENT);
        CHECK_EQ(listen_open(c, STR("203.0.113.1"), 0, 1, &l), -INVALID_ARGUMENT);
        close(fd);
        CHECK_OK(listen_open(c, STR("127.0.0.1"), v->port, 1, &l));     /* as another worker does */
        CHECK_EQ(listen_port(l), v->port);
        listen_close(&l);
        return 0;
}

static void see_shortage(const struct fiber_info *f, void *arg)
{
        if (!strcmp(f->name, "accept") && !strcmp(f->where, "fiber_sleep")) *(bool *)arg = true;
}

SERVER_TEST(running_out_of_descriptors_is_waited_out)
{
        if (san_on_valgrind()) return 0;        /* it swallows the connection along with the descriptor */
        struct sock *s AUTO(sock_close) = NULL;
        int port = v->port;
        struct rlimit before, none;
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), port, &s));  /* libuv has what it needs */
        CHECK_OK(sock_write_str(c, s, STR("a")));
        char in[1];
        read_exactly(c, s, in, 1);
        int first = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
        CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = before;
        none.rlim_cur = (rlim_t)client + 1;
        log_setup(ERROR, LOG_HUMAN, false, STDERR_FILENO);
        clock_fake((when){ 1 });
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
        CHECK_EQ(v->n_short, 0);
        CHECK(connect(first, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS);
        while (v->n_served < 2) fiber_yield();          /* there was one to spare */
        CHECK_EQ(v->n_short, 1);
        CHECK(connect(client, (struct sockaddr *)&at, sizeof at) == 0 || errno == EINPROGRESS);
        for (bool short_now = false; !short_now;) {
                fiber_yield();
                fibers_each(see_shortage, &short_now);
        }
        CHECK_EQ(v->n_served, 2);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
        clock_advance(100);
        while (v->n_served < 3) fiber_yield();
        CHECK_EQ(v->n_short, 1);
        clock_real();
        log_setup(INFO, LOG_HUMAN, false, STDERR_FILENO);
        close(first);
        close(client);
        return 0;
}

static void flood(void *arg)
{
        static char much[65536];
        struct sock *s AUTO(sock_close) = arg;
        while (sock_write_str(NULL, s, (str){ much, sizeof much }) == 0) continue;
}

SERVER_TEST(a_peer_that_never_stops_sending_does_not_outlast_the_deadline)
{
        struct listener *l AUTO(listen_close) = NULL;
        struct sock *in = NULL, *out AUTO(sock_close) = NULL;
        (void)v;
        CHECK_OK(listen_open(c, STR("127.0.0.1"), 0, 1, &l));
        CHECK_OK(sock_connect(c, STR("127.0.0.1"), listen_port(l), &out));
        CHECK_OK(listen_accept(c, l, &in));
        CHECK_OK(fiber_start("flood", flood, in));
        struct ctx brief = *c;
        ctx_limit(&brief, 30);
        char some[512];
        ptrdiff_t r;
        do r = sock_read(&brief, out, some, sizeof some); while (r > 0);
        CHECK_EQ(r, -DEADLINE_EXCEEDED);
        sock_abort(out);
        return 0;
}

static void feed(void *arg)
{
        ssize_t n = write(*(int *)arg, "x", 1);
        (void)n;
}

SERVER_TEST(descriptors_of_libraries_can_be_waited_for)
{
        (void)v;
        int pair[2];
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        struct fd_watch *w AUTO(fd_watch_close) = fd_watch_open(pair[0]);
        CHECK_EQ(fd_wait(c, w, 3), 2);
        struct ctx brief = *c;
        ctx_limit(&brief, 3);
        CHECK_EQ(fd_wait(&brief, w, 1), -DEADLINE_EXCEEDED);
        CHECK_OK(fiber_start("feed", feed, &pair[1]));
        CHECK_EQ(fd_wait(c, w, 1), 1);
        CHECK_EQ(fd_wait(c, w, 3) & 1, 1);
        fd_watch_close(&w);
        close(pair[0]);
        close(pair[1]);
        return 0;
}

TEST_MAIN
