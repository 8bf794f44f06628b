/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * server.h - an HTTP/1.1 server: one fiber a connection, one handler call a request.
 *
 * Pipelined requests are answered in order and in one write; when a handler waits, the answers before its own leave without it. The body
 * is read only when the handler asks (so a refusal costs no upload; Expect: 100-continue is answered then); an unread body is skipped
 * when small, else the connection closes. Limits with their answers: line 414, headers 431, body 413, a slow head or body 408, idle
 * silently closed, too many connections 503 when none of them is idle (else the longest idle is closed). Requests half come and answers
 * half gone hold no more memory than waiting_max: beyond it those that wait longest are cut off. What never reaches a handler is answered
 * with application/problem+json. HEAD never gets a body. Threads: a server belongs to the loop that opened it. */
#ifndef SERVER_H
#define SERVER_H
#include "http1.h"
#include "io.h"

struct server;
struct exchange {                       /* one request and its answer                             */
        struct http1_head head;
        const char   *peer;             /* address of the client                                  */
        /* the answer, filled by the handler: */
        int           status;           /* 0 becomes 200, or 204 when the body is empty           */
        struct buf   *body;             /* owned by the connection; what the handler adds is sent */
        struct headers out;             /* grow with res_header()                                 */
        bool          close;            /* close the connection after this answer                 */
        bool          no_memory;        /* a header could not be kept: the answer becomes 429      */
        void         *app;              /* the handler's own                                      */
        struct conn  *conn;             /* the server's own                                       */
};
typedef void (*server_handler)(struct ctx *c, struct exchange *x, void *arg);

struct server_options {
        str  address; int port, backlog;                /* "127.0.0.1", 8080, 1024; port 0 picks one            */
        struct http1_limits limits;
        int  connections_max;                           /* 10,000                                               */
        int  head_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms;       /* 10 s, 30 s, 75 s, 30 s */
        int  body_min_bytes_per_s;                      /* slower uploads get 408 (body_timeout_ms is given on top); 1,024 */
        size_t arena_max;                               /* memory of one request, and the largest answer; 8 MiB */
        size_t waiting_max;                             /* memory of all that wait for their clients; 64 MiB    */
};
extern const struct server_options server_defaults;

/* Listens and accepts. Waits (not long). returns 0, or what listen_open() says */
int  server_open(struct ctx *c, const struct server_options *o, server_handler handler, void *arg, struct server **out);
int  server_port(const struct server *s);
/* Stops accepting, closes idle connections, marks answers Connection: close, and waits until all requests are answered or grace_ms
 * passed; then cancels what is left. Waits. */
void server_drain(struct ctx *c, struct server *s, int grace_ms);
void server_close(struct server **s);                   /* after server_drain()                                     */
/* refused: connections beyond the maximum, and requests answered without a handler; waiting_bytes: what counts against waiting_max now */
struct server_stats {
        uint64_t accepted, requests, refused, bytes_in, bytes_out;
        size_t   waiting_bytes;
        uint32_t open, busy, connections_max;
};
struct server_stats server_stats(const struct server *s);

/* ---- for handlers ------------------------------------------------------------------------------------------------ */
/* The whole body, in c's arena or the connection's buffer, until the handler returns. Waits.
 *   max      bytes, at most (0: as many as the server takes); a chunk that would pass it is refused before it is read
 * After a failure the connection closes behind the answer; asking again fails with -UNAVAILABLE.
 *   returns  0, -INVALID_ARGUMENT (400, 408, 413 in c's fault), -UNAVAILABLE the client went, -DEADLINE_EXCEEDED c's own, -CANCELLED */
int  exchange_body(struct ctx *c, struct exchange *x, size_t max, str *out);
/* name a literal in lower case, not one of the server's own (date, content-length, transfer-encoding, connection); value copied to
 * the arena; a value with CR, LF or NUL is an assert. When the arena is full the answer becomes 500. */
void res_header(struct ctx *c, struct exchange *x, const char *name, str value);
/* Streamed answers: res_open sends the head (chunked, or to the end for 1.0), each chunk is sent at once, res_end ends it; x->body is
 * not sent. To HEAD only the head goes. A handler that returns without res_end cuts the connection, so the client sees the end missing.
 * Each write has write_timeout_ms. Wait.
 *   returns  0, -UNAVAILABLE the client went, -DEADLINE_EXCEEDED it does not read, -CANCELLED */
int  res_open(struct ctx *c, struct exchange *x);
int  res_chunk(struct ctx *c, struct exchange *x, str piece);
int  res_end(struct ctx *c, struct exchange *x);
#endif
