/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * io.h - TCP and Unix sockets whose reads and writes wait like ordinary calls.
 *
 * Readiness comes from the loop (uv_poll); data goes straight between the kernel and the caller's memory. A socket that is
 * waited on again and again (keep-alive) costs no epoll_ctl a turn: the watcher stays armed until it fires for nobody.
 * Threads: a socket belongs to the loop that opened or accepted it. */
#ifndef IO_H
#define IO_H
#include <sys/uio.h>
#include "ctx.h"

struct sock;                    /* a connected stream                                             */

/* Waits for the name (on the pool), then for the connection. host "unix:/path" opens a Unix socket (port ignored).
 *   returns  0, -UNAVAILABLE (refused, unreachable, no such name; the fault says which), -DEADLINE_EXCEEDED, -CANCELLED */
int  sock_connect(struct ctx *c, str host, int port, struct sock **out);
void sock_close(struct sock **s);                       /* takes NULL and pointers to NULL; wakes nobody            */

/* For reading and writing c may be NULL: no deadline, no story. One fiber may read while another writes.
 * Waits until at least one byte came. returns bytes, 0 the peer ended its side, -UNAVAILABLE reset, -DEADLINE_EXCEEDED, -CANCELLED */
ptrdiff_t sock_read(struct ctx *c, struct sock *s, void *to, size_t max);
ptrdiff_t sock_try_read(struct sock *s, void *to, size_t max);  /* never waits: -ABORTED when nothing is there      */
bool sock_has_input(const struct sock *s);              /* bytes have come that nobody has read; never waits        */
/* Waits until all is in the kernel. returns 0, -UNAVAILABLE, -DEADLINE_EXCEEDED, -CANCELLED (then part may be sent: close) */
int  sock_write(struct ctx *c, struct sock *s, struct iovec *v, int n);         /* v is used up                     */
int  sock_write_str(struct ctx *c, struct sock *s, str data);
ptrdiff_t sock_try_write(struct sock *s, str data);     /* never waits: bytes taken, -ABORTED none, -UNAVAILABLE    */
void sock_end(struct sock *s);                          /* no more writes (shutdown)                                */
void sock_abort(struct sock *s);                        /* from any fiber of the loop: pending and later reads and writes fail */
const char *sock_peer(const struct sock *s);            /* "127.0.0.1" or "unix"                                    */

/* Waits until fd (of a library, nonblocking) can be read (1), written (2) or either (3). One waiter for each of the two, one
 * watch an fd; close the watch before the library closes the fd.
 *   returns  a set of 1 and 2, -DEADLINE_EXCEEDED, -CANCELLED, -UNAVAILABLE (not a descriptor that can be waited for) */
struct fd_watch;
/* Makes room in this loop for descriptors up to so many, as far as the system grants them: libuv ends the program when it finds no memory for it
 * later. Worth calling before serving thousands; without it, it comes about by itself. */
void fd_room(int descriptors);
struct fd_watch *fd_watch_open(int fd);
void fd_watch_close(struct fd_watch **w);
int  fd_wait(struct ctx *c, struct fd_watch *w, int want);

/* ---- listening -------------------------------------------------------------------------------------------------- */
struct listener;
/* Binds and listens; SO_REUSEPORT so that each worker has its own queue. port 0 picks one.
 *   returns  0, -ALREADY_EXISTS the address is taken, -INVALID_ARGUMENT not an address, -PERMISSION_DENIED */
int  listen_open(struct ctx *c, str address, int port, int backlog, struct listener **out);
int  listen_port(const struct listener *l);
/* Waits. returns 0; -CANCELLED after listen_close() or cancellation; running out of descriptors is waited out (20 ms), told once a second. */
int  listen_accept(struct ctx *c, struct listener *l, struct sock **out);
bool listen_is_short(const struct listener *l);         /* what was accepted last has the last descriptor there is: close it soon */
void listen_close(struct listener **l);
/* True when somebody listens there now: binds once exclusively to see. */
bool port_is_taken(str address, int port);
#endif
