/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * http1_chars.h - which byte may stand where in an HTTP/1.1 message (RFC 9110 section 5.6.2, RFC 9112 section 2).
 *
 * Private to the two halves of the parser. One table, one cache line a row of letters. */
#ifndef HTTP1_CHARS_H
#define HTTP1_CHARS_H
#include "base.h"

/* A token's character in lower case, 0 for every other byte. */
extern const uint8_t http1_token[256];

/* May ch stand in a field's value or an extension's text: VCHAR, obs-text, blank, tab. */
static inline bool http1_is_text(unsigned char ch) { return (ch >= 0x20 && ch != 0x7f) || ch == '\t'; }
#endif
