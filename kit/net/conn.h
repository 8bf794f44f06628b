/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * conn.h - the insides of the HTTP/1.1 server, shared by server.c, conn.c, upload.c, answer.c and patience.c and nobody else.
 *
 * A connection is one fiber. What it needs only while it works (arena, buffers) lies on a desk, which it borrows from the server when
 * bytes come and gives back when it waits for the next request: an idle connection is this struct, a socket and a parked fiber.
 *
 *      wait for bytes -> read a head -> handler (reads the body, or not) -> answer into desk->out -> more there? read the next head
 *           ^  `-- end, idle timeout, drain: close          |                                            |
 *           |                                               `-- refused: answer, linger, close           | no: send
 *           `--------------------------------------------------------------------------------------------'
 *
 * While a handler runs, desk->in does not move: the head's texts point into it. */
#ifndef CONN_H
#define CONN_H
#include "list.h"
#include "server.h"

enum {
        FIRST_BYTES    = 2048,          /* a read that waits for a request lands in the conn; most requests fit, token and all */
        READ_BYTES     = 16384,
        FLUSH_BYTES    = 65536,         /* answers of pipelined requests are sent when they come to this                    */
        INLINE_BYTES   = 16384,         /* a body up to this is copied behind its head; larger ones are sent from their place */
        SKIP_BYTES     = 65536,         /* an unread body up to this is read and dropped; for a larger one the connection closes */
        KEEP_BYTES     = 65536,         /* what a buffer on a desk may keep                                                 */
        DESKS_KEPT     = 64,
        REFUSALS_MAX   = 64,            /* connections beyond connections_max that are told 503; more are just closed       */
        LINGER_MS      = 2000,
        LINGER_BYTES   = 256 * 1024,
};

struct desk {
        struct link   link;             /* among the server's free ones                                     */
        struct arena *arena;            /* of the request                                                   */
        struct buf    in, out, body, upload;    /* upload: a body that did not come with its head            */
};

enum stream { STREAM_NONE, STREAM_CHUNKED, STREAM_TO_THE_END, STREAM_SILENT /* HEAD and the like */, STREAM_ENDED };

struct conn {
        struct link    link;            /* among the server's connections                                   */
        struct link    behind;          /* among those whose answers must leave if their handler waits       */
        struct server *server;
        struct sock   *sock;
        struct fiber  *fiber;           /* NULL until it runs                                               */
        struct desk   *desk;            /* NULL while idle                                                  */
        struct ctx     io;              /* of the server's own waits on this socket                         */
        struct link    idle;            /* among those that wait for a request or linger, the longest first: a drain cancels them */
        struct link    slow;            /* among those that hold a desk while their client takes its time, the longest first */
        size_t         held;            /* bytes of that desk; 0: not among them                             */
        bool           leaving;         /* cancelled to make room                                            */
        bool           refused;         /* one too many: gets 503                                           */
        bool           sending;         /* a write is under way, of desk->out too                            */
        bool           gone;            /* the client went, or a write failed: nothing more can be sent      */
        bool           skipped_line;    /* the empty line that may stand before a request has come           */
        /* of the present exchange: */
        size_t         eaten;           /* of desk->in, by the head and by as much of the body as was taken  */
        struct http1_body reader;
        bool           body_known;      /* exchange_body() was asked and this was its result:                */
        bool           continued;       /* 100 Continue was sent                                            */
        int            body_result;
        str            body_text;
        str            rest;            /* bytes that came behind a chunked body; in the arena               */
        size_t         skip;            /* bytes of an unread body still to come                            */
        bool           lost;            /* an unread body is in the way: close                              */
        enum stream    stream;
        char           first[FIRST_BYTES];
};

struct server {
        struct server_options o;
        server_handler   handler;
        void            *arg;
        struct listener *listener;
        int              port;
        struct link      conns, desks, behind, idle, slow;
        unsigned         desks_free, refusing, leaving;
        struct arena    *scratch;       /* faults of waits that nobody asks about                           */
        struct fiber    *drainer;       /* waits for the last connection                                    */
        bool             draining, accepting, flushing;
        struct server_stats stats;
};

/* conn.c */
void conn_main(void *arg);              /* the fiber of a struct conn, which it frees                       */
/* Sends desk->out, and `more` and `end` behind it. Waits. returns 0, or -UNAVAILABLE, -DEADLINE_EXCEEDED, -CANCELLED with k->gone set */
int  conn_send(struct conn *k, str more, str end);
static inline int conn_flush(struct conn *k) { return conn_send(k, (str){ "", 0 }, (str){ "", 0 }); }
struct ctx *conn_io(struct conn *k, int timeout_ms);    /* k->io with a fresh deadline                              */

/* server.c */
struct desk *desk_get(struct server *s);        /* NULL: no memory */
void desk_put(struct server *s, struct desk *d);
void server_conn_ended(struct server *s, struct conn *k);

/* patience.c */
void patience_spend(struct conn *k);    /* before each wait for the client with a desk: it counts, and the longest waiting may be cut off */
void patience_end(struct conn *k);      /* what was waited for is there, or will not come                   */
bool patience_make_room(struct server *s);      /* the longest idle connection gives up its place; false: none is idle */

/* upload.c */
void upload_start(struct conn *k, const struct http1_head *head);
void upload_settle(struct conn *k, struct exchange *x); /* before the answer's head: what becomes of an unread body            */
int  upload_skip(struct conn *k);                       /* after the answer: reads and drops k->skip bytes. Waits. <0: close   */

/* answer.c */
/* Adds the whole answer to desk->out, or sends it at once when it is large. May wait. returns 0, or <0 when nothing more can be sent.
 * close says whether the connection ends after it. */
int  answer_write(struct conn *k, struct exchange *x, bool close);
/* Makes x an answer about something wrong that the server itself found. detail has no characters that JSON escapes. */
void answer_problem(struct exchange *x, int status, const char *detail);
#endif
