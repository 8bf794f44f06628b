/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * io.c - connected streams.
 *
 * A read is tried before it waits, except when the last one did not fill its buffer: then the socket is known to be empty, and
 * the armed watcher tells when it no longer is. A keep-alive request so costs one read and one write, and these by the calls of sockets: what
 * read() and writev() do for files of any kind is a twentieth of a small request. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "clock.h"
#include "dns.h"
#include "inside.h"
#include "io.h"
#include "sock.h"
#include "watch.h"

struct sock {
        struct watch w;
        bool         drained;           /* the last read took all there was                         */
        bool         aborted;
        char         peer[INET6_ADDRSTRLEN];
};

static void sock_gone(struct watch *w)
{
        free(CONTAINER(w, struct sock, w));
}

struct sock *sock_adopt(int fd, const struct sockaddr_storage *peer)
{
        struct sock *s = alloc_should_fail() ? NULL : calloc(1, sizeof *s);
        if (!s) return NULL;
        watch_setup(&s->w, fd, sock_gone);
        if (peer->ss_family == AF_INET)
                inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, s->peer, sizeof s->peer);
        else if (peer->ss_family == AF_INET6)
                inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)peer)->sin6_addr, s->peer, sizeof s->peer);
        else
                strcpy(s->peer, "unix");
        return s;
}

void sock_close(struct sock **s)
{
        if (!s || !*s) return;
        struct sock *gone = take(s);
        int fd = gone->w.fd;
        watch_close(&gone->w);          /* first: libuv takes fd out of its epoll set */
        close(fd);
}

const char *sock_peer(const struct sock *s)
{
        return s->peer;
}

void sock_end(struct sock *s)
{
        shutdown(s->w.fd, SHUT_WR);
}

void sock_abort(struct sock *s)
{
        s->aborted = true;
        shutdown(s->w.fd, SHUT_RDWR);
        watch_wake(&s->w);
}

static int lost(struct ctx *c, const struct sock *s, const char *doing, int error)
{
        if (!c) return -UNAVAILABLE;
        if (s->aborted) return fail(c, UNAVAILABLE, "connection_aborted", "the connection was given up here");
        return fail(c, UNAVAILABLE, "connection_lost", "%s %s: %s", doing, s->peer, strerror(error));
}

/* ---- reading and writing --------------------------------------------------------------------------------------------------- */
static bool would_wait(int error)
{
        return error == EAGAIN || error == EWOULDBLOCK;
}

static ptrdiff_t read_now(struct sock *s, void *to, size_t max)
{
        ptrdiff_t n;
        do n = recv(s->w.fd, to, max, 0); while (n < 0 && errno == EINTR);
        s->drained = n < 0 || (n > 0 && (size_t)n < max);
        return n;
}

/* 0: can go on; else the wait failed and c knows. */
static int ready(struct ctx *c, struct sock *s, int want, const char *where)
{
        int got = watch_wait(c, &s->w, want, where);
        if (got >= 0) {
                if (got & WATCH_READ) s->drained = false;
                return 0;
        }
        return got == -UNAVAILABLE ? lost(c, s, where, EBADF) : wait_fault(c, got, where);
}

ptrdiff_t sock_read(struct ctx *c, struct sock *s, void *to, size_t max)
{
        TRY(fiber_breathe(c, "sock_read"));
        if (s->drained && s->w.armed & WATCH_READ) TRY(ready(c, s, WATCH_READ, "sock_read"));
        for (;;) {
                if (s->aborted) return lost(c, s, "reading from", 0);
                ptrdiff_t n = read_now(s, to, max);
                if (n >= 0) return n;
                if (!would_wait(errno)) return lost(c, s, "reading from", errno);
                TRY(ready(c, s, WATCH_READ, "sock_read"));
        }
}

ptrdiff_t sock_try_read(struct sock *s, void *to, size_t max)
{
        if (s->aborted) return -UNAVAILABLE;
        ptrdiff_t n = read_now(s, to, max);
        if (n >= 0) return n;
        return would_wait(errno) ? -ABORTED : -UNAVAILABLE;
}

bool sock_has_input(const struct sock *s)
{
        int n = 0;
        return !s->aborted && ioctl(s->w.fd, FIONREAD, &n) == 0 && n > 0;
}

/* Takes n bytes off the front of *v; entries that are used up are left behind. */
static void advance(struct iovec **v, int *n_v, size_t n)
{
        while (*n_v > 0 && n >= (*v)->iov_len) {
                n -= (*v)->iov_len;
                (*v)++;
                (*n_v)--;
        }
        if (*n_v > 0) {
                (*v)->iov_base = (char *)(*v)->iov_base + n;
                (*v)->iov_len -= n;
        }
}

int sock_write(struct ctx *c, struct sock *s, struct iovec *v, int n)
{
        TRY(fiber_breathe(c, "sock_write"));
        advance(&v, &n, 0);
        while (n > 1 && !v[n - 1].iov_len) n--;
        while (n > 0) {
                if (s->aborted) return lost(c, s, "writing to", 0);
                ptrdiff_t sent = n == 1 ? send(s->w.fd, v->iov_base, v->iov_len, MSG_NOSIGNAL) : writev(s->w.fd, v, MIN(n, IOV_MAX));
                if (sent >= 0)
                        advance(&v, &n, (size_t)sent);
                else if (would_wait(errno))
                        TRY(ready(c, s, WATCH_WRITE, "sock_write"));
                else if (errno != EINTR)
                        return lost(c, s, "writing to", errno);
        }
        return 0;
}

int sock_write_str(struct ctx *c, struct sock *s, str data)
{
        struct iovec v = { .iov_base = (void *)(uintptr_t)data.p, .iov_len = data.n };
        return sock_write(c, s, &v, 1);
}

ptrdiff_t sock_try_write(struct sock *s, str data)
{
        if (s->aborted) return -UNAVAILABLE;
        ptrdiff_t n;
        do n = send(s->w.fd, data.p, data.n, MSG_NOSIGNAL); while (n < 0 && errno == EINTR);
        if (n >= 0) return n;
        return would_wait(errno) ? -ABORTED : -UNAVAILABLE;
}

/* ---- connecting ------------------------------------------------------------------------------------------------------------ */
static int wait_connected(const struct ctx *c, struct sock *s, int *ret_error)
{
        for (;;) {
                int got = watch_wait(c, &s->w, WATCH_WRITE, "sock_connect");
                if (got < 0) return got;
                if (got == 0) continue;
                socklen_t n = sizeof *ret_error;
                getsockopt(s->w.fd, SOL_SOCKET, SO_ERROR, ret_error, &n);
                return 0;
        }
}

/* 0 with *out or *ret_error set; or the wait's failure. */
static int connect_one(const struct ctx *c, const struct address *to, struct sock **out, int *ret_error)
{
        int fd = socket(to->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        *ret_error = fd < 0 ? errno : 0;
        if (fd < 0) return 0;
        struct sock *s AUTO(sock_close) = sock_adopt(fd, &to->to);
        if (!s) {
                close(fd);
                *ret_error = ENOMEM;
                return 0;
        }
        if (to->to.ss_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        if (connect(fd, (const struct sockaddr *)&to->to, to->n) < 0) {
                if (errno != EINPROGRESS) {
                        *ret_error = errno;     /* EAGAIN of a Unix socket: its backlog is full */
                        return 0;
                }
                TRY(wait_connected(c, s, ret_error));
        }
        if (*ret_error == 0) *out = take(&s);
        return 0;
}

static int unix_address(struct ctx *c, str path, struct address *out)
{
        struct sockaddr_un *u = (struct sockaddr_un *)&out->to;
        *out = (struct address){ .n = sizeof *u };
        if (path.n == 0 || path.n >= sizeof u->sun_path)
                return fail(c, INVALID_ARGUMENT, "bad_host", "a socket's path has 1 to %d characters", (int)sizeof u->sun_path - 1);
        u->sun_family = AF_UNIX;
        memcpy(u->sun_path, path.p, path.n);
        return 1;
}

int sock_connect(struct ctx *c, str host, int port, struct sock **out)
{
        struct address all[DNS_MAX];
        str prefix = STR("unix:");
        bool is_path = str_starts(host, prefix);
        int n = is_path ? unix_address(c, str_cut(host, prefix.n, host.n), &all[0]) : dns_lookup(c, host, port, all);
        TRY(n);
        int error = 0;
        for (int i = 0; i < n; i++) {
                /* One address that does not answer must not eat the time of those after it. */
                struct ctx part = { .deadline_us = c->deadline_us };
                bool last = i == n - 1;
                if (!last && c->deadline_us) part.deadline_us = clock_us() + MAX((c->deadline_us - clock_us()) / (n - i), 0);
                if (!last && !c->deadline_us) part.deadline_us = deadline_in(SECONDS(10));
                int r = connect_one(&part, &all[i], out, &error);
                if (r == 0 && error == 0) return 0;
                if (r == -DEADLINE_EXCEEDED && !last) continue;
                if (r == -UNAVAILABLE) error = EBADF;
                else if (r < 0) return wait_fault(c, r, "sock_connect");
        }
        if (is_path) return fail(c, UNAVAILABLE, "connect_failed", STR_FMT ": %s", STR_ARG(host), strerror(error));
        return fail(c, UNAVAILABLE, "connect_failed", STR_FMT " port %d: %s", STR_ARG(host), port, strerror(error ? error : ETIMEDOUT));
}
