/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * listen.c - listening sockets. Options set on one are inherited by what it accepts, so that an accepted connection costs one system call:
 * TCP_NODELAY, and TCP_NOTSENT_LOWAT, so that what a peer does not take waits in this program, where it is counted, and not in megabytes
 * of the kernel's. A listener that is closed while a fiber waits in it is freed by that fiber.
 *
 * It keeps a descriptor to spare: when the program has no other left, that one takes the next caller, who can then be told so instead of
 * waiting for nothing. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "clock.h"
#include "dns.h"
#include "inside.h"
#include "log.h"
#include "sock.h"
#include "watch.h"

enum { SHORTAGE_MS = 20, SHORTAGE_TOLD_MS = 1000, UNSENT_BYTES = 128 * 1024 };

struct listener {
        struct watch w;
        int          port;
        bool         accepting;         /* a fiber is in listen_accept()                            */
        bool         closed;
        int          spare;             /* a descriptor for nothing; -1: it was needed                      */
        bool         is_short;          /* the last connection got it                                       */
        int64_t      told_us;           /* when a shortage of descriptors was last logged           */
};

static void listener_gone(struct watch *w)
{
        free(CONTAINER(w, struct listener, w));
}

static int bind_fail(struct ctx *c, str address, int port, int error)
{
        if (error == EADDRINUSE)
                return fail(c, ALREADY_EXISTS, "address_taken", "somebody else listens on " STR_FMT " port %d", STR_ARG(address), port);
        if (error == EACCES || error == EPERM)
                return fail(c, PERMISSION_DENIED, "address_forbidden", "not allowed to listen on " STR_FMT " port %d", STR_ARG(address), port);
        if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT)
                return fail(c, INVALID_ARGUMENT, "bad_address", STR_FMT " is not an address of this machine", STR_ARG(address));
        return fail(c, UNAVAILABLE, "listen_failed", "listening on " STR_FMT " port %d: %s", STR_ARG(address), port, strerror(error));
}

static int port_of(int fd)
{
        struct sockaddr_storage at;
        socklen_t n = sizeof at;
        if (getsockname(fd, (struct sockaddr *)&at, &n) < 0) return 0;
        return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port : ((struct sockaddr_in *)&at)->sin_port);
}

int listen_open(struct ctx *c, str address, int port, int backlog, struct listener **out)
{
        struct address a;
        if (address_parse(address, port, &a) < 0)
                return fail(c, INVALID_ARGUMENT, "bad_address", STR_FMT " port %d is not an address and a port to listen on", STR_ARG(address), port);
        int fd = socket(a.to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) return bind_fail(c, address, port, errno);
        const int on = 1, unsent = UNSENT_BYTES;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
        if (bind(fd, (struct sockaddr *)&a.to, a.n) < 0 || listen(fd, backlog) < 0) {
                int error = errno;
                close(fd);
                return bind_fail(c, address, port, error);
        }
        struct listener *l = calloc(1, sizeof *l);
        assert(l);
        watch_setup(&l->w, fd, listener_gone);
        l->port = port_of(fd);
        l->spare = eventfd(0, EFD_CLOEXEC);
        *out = l;
        return 0;
}

int listen_port(const struct listener *l)
{
        return l->port;
}

static void release(struct listener *l)
{
        int fd = l->w.fd;
        if (l->spare >= 0) close(l->spare);
        watch_close(&l->w);
        close(fd);
}

bool listen_is_short(const struct listener *l)
{
        return l->is_short;
}

void listen_close(struct listener **l)
{
        if (!l || !*l) return;
        struct listener *gone = take(l);
        gone->closed = true;
        if (gone->accepting)
                watch_wake(&gone->w);
        else
                release(gone);
}

static void tell_shortage(struct listener *l, int error)
{
        int64_t now_us = clock_us();
        if (l->told_us && now_us - l->told_us < SHORTAGE_TOLD_MS * 1000) return;
        l->told_us = now_us;
        log_say(WARN, "accept_short", L_INT("port", l->port), L_Z("error", strerror(error)));
}

/* What accept(2) says of a connection that died in the queue is not of the listener's concern. */
static bool is_of_peer(int error)
{
        return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN || error == EHOSTDOWN ||
               error == ENONET || error == EHOSTUNREACH || error == ENETUNREACH || error == EOPNOTSUPP || error == ETIMEDOUT;
}

static int accept_now(const struct listener *l, struct sockaddr_storage *peer)
{
        socklen_t n = sizeof *peer;
        return accept4(l->w.fd, (struct sockaddr *)peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* The next connection; with the spare descriptor when there is no other. */
static int accept_one(struct listener *l, struct sockaddr_storage *peer)
{
        if (l->spare < 0) l->spare = eventfd(0, EFD_CLOEXEC);
        int fd = accept_now(l, peer);
        l->is_short = fd < 0 && (errno == EMFILE || errno == ENFILE) && l->spare >= 0;
        if (!l->is_short) return fd;
        tell_shortage(l, errno);
        close(l->spare);
        l->spare = -1;
        return accept_now(l, peer);
}

static int accept_some(struct ctx *c, struct listener *l, struct sock **out)
{
        while (!l->closed) {
                struct sockaddr_storage peer;
                int fd = accept_one(l, &peer), error = errno;
                if (fd >= 0) {
                        *out = sock_adopt(fd, &peer);
                        if (*out) return 0;
                        close(fd);
                        error = ENOMEM;
                }
                if (error == EAGAIN || error == EWOULDBLOCK) {
                        int got = watch_wait(c, &l->w, WATCH_READ, "listen_accept");
                        if (got < 0) return wait_fault(c, got == -UNAVAILABLE ? -CANCELLED : got, "listen_accept");
                } else if (!is_of_peer(error)) {
                        tell_shortage(l, error);
                        TRY(fiber_sleep(c, SHORTAGE_MS));
                }
        }
        return fail(c, CANCELLED, "listener_closed", "the listener was closed");
}

int listen_accept(struct ctx *c, struct listener *l, struct sock **out)
{
        assert(!l->accepting);
        TRY(fiber_breathe(c, "listen_accept"));
        l->accepting = true;
        int r = accept_some(c, l, out);
        l->accepting = false;
        if (l->closed) release(l);
        return r;
}

bool port_is_taken(str address, int port)
{
        struct address a;
        if (address_parse(address, port, &a) < 0) return false;
        int fd = socket(a.to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return false;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));     /* connections of the past do not count */
        bool taken = bind(fd, (struct sockaddr *)&a.to, a.n) < 0 && errno == EADDRINUSE;
        close(fd);
        return taken;
}
