/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1.h - HTTP/1.1 messages read from bytes (RFC 9112). No I/O, no allocation beyond the caller's arena.
 *
 * Fed with all bytes that are there; answers "more" until a head is whole, then the body piece by piece. Strict where leniency
 * smuggles: bare CR or LF, blanks before the colon, folded lines, NUL, two or wrong Content-Length, Content-Length with
 * Transfer-Encoding, any coding but a single final chunked, missing or doubled Host, absolute or odd targets that disagree.
 *
 *     head ----> body (none | length | chunked | to the end, answers only) ----> done
 *       `-- error: status says which answer is due; the connection must then close
 *
 * Threads: pure; one parser, one thread. */
#ifndef HTTP1_H
#define HTTP1_H
#include "http.h"

struct http1_limits { size_t line_max, headers_max_bytes, headers_max, body_max; };   /* defaults: 8 KiB, 32 KiB, 100, 1 MiB */
extern const struct http1_limits http1_defaults;

struct http1_head {
        enum method    method;
        str            method_text, target, path, query;        /* path: before '?', still percent-encoded; query p NULL: none */
        int            version;         /* 10 or 11                                               */
        int            status;          /* answers                                                */
        struct headers headers;
        str            host;            /* Host, or the authority of an absolute target           */
        bool           keep_alive;      /* may another message follow                             */
        bool           expects_continue;
        bool           chunked;
        int64_t        length;          /* -1: chunked, or to the end; 0: no body                 */
        bool           to_the_end;      /* an answer whose body ends with the connection          */
};

/* Reads a request's head from `in`. Texts point into `in`, but for field names and the header table, which lie in the arena.
 *   from     where to go on looking for the end of the head; start with 0 and pass the same variable: bytes are not scanned twice
 *   returns  bytes eaten (> 0), 0 more is needed, or minus an HTTP status: 400, 411 (HTTP/1.0 upload without a length), 413, 414, 417,
 *            431, 501 (method or transfer coding unknown), 505. *why is a sentence for the answer's detail, free of " and \ */
ptrdiff_t http1_request(struct arena *a, const struct http1_limits *limits, str in, size_t *from, struct http1_head *out, const char **why);
/* The same for an answer to `method`; errors are -502. Informational answers (1xx) are returned like others. */
ptrdiff_t http1_response(struct arena *a, const struct http1_limits *limits, enum method method, str in, size_t *from,
                         struct http1_head *out, const char **why);

/* The body. struct http1_body b; http1_body_start(&b, &head, limits); then, while bytes come: */
struct http1_body { uint8_t state, digits; bool chunked, to_the_end, done; int64_t left; size_t total, max, line; };
void http1_body_start(struct http1_body *b, const struct http1_head *head, const struct http1_limits *limits);
/* Finds the next piece of body in `in`.
 *   piece    bytes of body inside `in`; may be empty while chunk heads are read
 *   returns  bytes eaten (>= 0); b->done when the body is whole; or minus an HTTP status: 400 413 431 */
ptrdiff_t http1_body_next(struct http1_body *b, str in, str *piece, const char **why);
#endif
