/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * text.h - encodings of text: UTF-8 (RFC 3629), base64url (RFC 4648 section 5), hex, percent (RFC 3986), HTML escapes.
 *
 * Decoders are strict: what an encoder would not write is refused. Those that take an arena leave *out in it, and answer
 * -RESOURCE_EXHAUSTED when it is full. Pure; safe on any thread. */
#ifndef TEXT_H
#define TEXT_H
#include "arena.h"
#include "buf.h"

bool   utf8_is_valid(str s);                            /* no surrogates, no overlong forms, no NUL check           */
size_t utf8_length(str s);                              /* code points of valid text                                */
size_t utf8_sequence(str s);                            /* bytes of the valid sequence s begins with; 0: none       */
void   base64url_write(struct buf *b, str raw);         /* without padding                                          */
int    base64url_read(struct arena *a, str text, str *out);      /* -INVALID_ARGUMENT; no padding accepted          */
int    hex_read(str text, uint8_t *out, size_t n);      /* exactly n bytes, lower case; -INVALID_ARGUMENT           */
void   hex_write(struct buf *b, str raw);
/* Percent-decodes; `plus` makes + a space (forms). -INVALID_ARGUMENT on a broken escape, a NUL or wrong UTF-8. */
int    percent_read(struct arena *a, str text, bool plus, str *out);
void   percent_write(struct buf *b, str raw);           /* everything but unreserved characters                     */
void   html_write(struct buf *b, str raw);              /* escapes & < > " '                                        */
#endif
