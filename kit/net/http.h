/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http.h - the words of HTTP (RFC 9110) that both sides share: methods, header fields, statuses, dates, media types. Pure. */
#ifndef HTTP_H
#define HTTP_H
#include "buf.h"
#include "ctx.h"

enum method { METHOD_OTHER, GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, METHODS };
const char *method_name(enum method m);
enum method method_of(str name);                        /* case-sensitive; METHOD_OTHER                             */
const char *status_reason(int status);                  /* "Not Found"; "" when unknown                             */

struct header  { str name, value; };                    /* name in lower case; value without surrounding blanks     */
struct headers { struct header *v; size_t n, cap; };
str  header_get(const struct headers *h, const char *name);             /* the first; p NULL: none. name in lower case */
size_t header_count(const struct headers *h, const char *name);
bool header_has_token(const struct headers *h, const char *name, const char *token);    /* in any comma list, case-insensitive */
bool is_token(str s);                                   /* RFC 9110 section 5.6.2                                   */
bool is_field_value(str s);                             /* no CR, LF, NUL: safe to send                             */
/* The IMF-fixdate of this second, cached a thread: "Tue, 24 Nov 2026 08:09:27 GMT" */
str  http_date(when t);
/* Does `accept` (a field's value, p NULL: anything) take media type `type`? With q-values; 0..1000. RFC 9110 section 12.5.1 */
int  accept_quality(str accept, str type);
/* A qvalue in thousandths: "0", "0.5", "1.000". Anything else counts as 1: a client that cannot count still gets its answer. */
int  qvalue(str s);
/* http://host:port/path -> parts. -INVALID_ARGUMENT; https is -UNIMPLEMENTED */
struct url { str host; int port; str path; };
int  url_parse(str text, struct url *out);
#endif
