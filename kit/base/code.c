/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * code.c - what codes.def says of each canonical code, as lookups. Pure. */
#include "base.h"
#include "log.h"

static const struct { const char *name; int http; enum level level; bool retry; } codes[] = {
#define CODE(name, number, http, level, retry) [number] = { #name, http, level, retry },
#include "codes.def"
#undef CODE
};

static size_t row(int code)
{
        unsigned n = code < 0 ? 0u - (unsigned)code : (unsigned)code;
        return n < COUNT(codes) ? n : UNKNOWN;
}

const char *code_name(int code)         { return codes[row(code)].name; }
int         code_http(int code)         { return codes[row(code)].http; }
bool        code_may_retry(int code)    { return codes[row(code)].retry; }
enum level  code_level(int code)        { return codes[row(code)].level; }
