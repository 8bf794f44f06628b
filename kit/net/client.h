/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * client.h - an HTTP/1.1 client: a bounded pool of kept-alive connections to one origin.
 *
 * A request on a kept connection that dies before any byte of the answer is sent again once when it may be repeated.
 * Threads: a client belongs to one loop; any number of its fibers may use it. */
#ifndef CLIENT_H
#define CLIENT_H
#include "http1.h"

struct client;
/* Zero means: 8 connections, 5 s to connect (within the deadline), answers up to 8 MiB, agent "souk". */
struct client_options { str url; int connections_max; int connect_timeout_ms; size_t body_max; const char *agent; };
/* url: http://host:port/prefix, without a query. returns 0, -INVALID_ARGUMENT. Nothing is connected yet. url is copied. */
int  client_open(struct ctx *c, const struct client_options *o, struct client **out);
void client_close(struct client **cl);                  /* nobody may be in client_send()                           */

struct client_request  { enum method method; str path; struct header headers[8]; str body; str content_type; bool may_repeat; };   /* headers end at an empty name */
struct client_response { int status; struct headers headers; str body; };       /* in c's arena */
/* Waits for a free connection, sends, reads the whole answer; obeys c's deadline.
 * GET, HEAD, PUT, DELETE and OPTIONS may be repeated without being told (RFC 9110 section 9.2.2).
 *   returns  0 whatever the status; -INVALID_ARGUMENT path or head; -UNAVAILABLE (no connection, cut off), -DEADLINE_EXCEEDED, -CANCELLED, -DATA_LOSS not HTTP */
int  client_send(struct ctx *c, struct client *cl, const struct client_request *q, struct client_response *out);
#endif
