/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * net/http1_replay.h - feeds a stream of HTTP/1.1 messages to the parser in given pieces and writes down what it saw.
 *
 * The tests and the fuzzer compare such transcripts: whatever the pieces, they must be equal. Every call of the parser gets a copy of
 * exactly the bytes that are there, in memory of its own, so that AddressSanitizer sees a byte read too many. */
#ifndef HTTP1_REPLAY_H
#define HTTP1_REPLAY_H
#include <stdlib.h>
#include "http1.h"

struct replay {
        bool answer;                    /* answers instead of requests                                     */
        enum method method;             /* what was asked                                                  */
        struct http1_limits limits;
        struct arena *arena;
        struct buf *out;                /* the transcript                                                  */
        size_t at, from;                /* bytes eaten of the stream; http1_request's own                  */
        bool in_body, ended;
        bool keep_alive;
        struct http1_body body;
        size_t messages;                /* whole ones                                                      */
        int status;                     /* of the error; 0: none                                           */
};

static void replay_head(struct replay *r, const struct http1_head *h)
{
        buf_printf(r->out, "%d %s [%.*s] path=%.*s query=%.*s%s host=%.*s v=%d keep=%d expect=%d chunked=%d length=%lld end=%d\n", h->status,
                   method_name(h->method), STR_ARG(h->target), STR_ARG(h->path), STR_ARG(h->query), h->query.p ? "" : "-", STR_ARG(h->host),
                   h->version, h->keep_alive, h->expects_continue, h->chunked, (long long)h->length, h->to_the_end);
        for (size_t i = 0; i < h->headers.n; i++)
                buf_printf(r->out, "%.*s: %.*s\n", STR_ARG(h->headers.v[i].name), STR_ARG(h->headers.v[i].value));
        buf_lit(r->out, "body=");
        r->keep_alive = h->keep_alive;
}

static void replay_error(struct replay *r, ptrdiff_t status, const char *why)
{
        r->status = (int)-status;
        r->ended = true;
        buf_printf(r->out, "error %d: %s\n", r->status, why);
}

static void replay_whole(struct replay *r)
{
        r->in_body = false;
        r->messages++;
        buf_lit(r->out, "\nwhole\n");
        if (r->keep_alive) return;
        r->ended = true;
        buf_lit(r->out, "closed\n");
}

/* One step with what is there. returns false when more is needed */
static bool replay_step(struct replay *r, str there)
{
        const char *why = NULL;
        char *copy = malloc(there.n ? there.n : 1);
        memcpy(copy, there.p, there.n);
        str in = { copy, there.n };
        ptrdiff_t n;
        if (r->in_body) {
                str piece;
                n = http1_body_next(&r->body, in, &piece, &why);
                if (n >= 0) buf_add(r->out, piece);
        } else {
                struct http1_head head;
                n = r->answer ? http1_response(r->arena, &r->limits, r->method, in, &r->from, &head, &why)
                              : http1_request(r->arena, &r->limits, in, &r->from, &head, &why);
                if (n > 0) {
                        replay_head(r, &head);
                        http1_body_start(&r->body, &head, &r->limits);
                        r->in_body = true;
                        r->from = 0;
                }
        }
        free(copy);
        if (n < 0) replay_error(r, n, why);
        else r->at += (size_t)n;
        if (n >= 0 && r->in_body && r->body.done) replay_whole(r);
        arena_reset(r->arena);
        return n > 0 && !r->ended;
}

/* Feeds up to byte `to` of the stream. */
static void replay_feed(struct replay *r, str stream, size_t to)
{
        while (!r->ended && r->at < to && replay_step(r, str_cut(stream, r->at, to)))
                ;
}

static void replay_end(struct replay *r)
{
        if (!r->ended) buf_lit(r->out, r->in_body ? "\nmore of the body\n" : "more\n");
}
#endif
