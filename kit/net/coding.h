/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * coding.h - content codings of an answer (RFC 9110, sections 8.4.1 and 12.5.3): which the client takes, and encoding a whole body.
 *
 * gzip by zlib, br by libbrotli. The same body and coding give the same bytes, so a strong entity tag may name them. Pure; any thread. */
#ifndef CODING_H
#define CODING_H
#include "http.h"

enum coding { CODING_BR, CODING_GZIP, CODING_IDENTITY, CODINGS };       /* best first where the client has no wish */
extern const char *const coding_names[CODINGS];

/* How much a client wants each coding, 0 (not at all) to 1000. Without Accept-Encoding only identity; who lists codings takes identity too, last,
 * unless it or * has q=0. */
struct codings { int q[CODINGS]; };
struct codings codings_wanted(const struct headers *h);
enum coding coding_best(const struct codings *w);       /* CODINGS: none of them                                    */
/* Adds the encoded body to out. Takes some 20 us for 4 KiB and 2 ms for 200; memory of its own: under 1 MiB and the window, for this call.
 *   returns  0, or -RESOURCE_EXHAUSTED: no memory, or over out's maximum */
int  coding_encode(enum coding how, str body, struct buf *out);
#endif
