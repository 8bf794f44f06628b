/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_run.h - eight bytes of a string at once: which of them need a look? Private to kit/type.
 *
 * The bytes are laid into a word, the first one lowest, and each byte's top bit is set when it is a quote, a backslash or a
 * control character. A borrow may set bits above the first true one, never below, so the lowest set bit is always true. */
#ifndef JSON_RUN_H
#define JSON_RUN_H
#include <endian.h>
#include "base.h"

#define EACH_BYTE(v) (UINT64_C(0x0101010101010101) * (v))
#define TOP_BITS     EACH_BYTE(0x80)

static inline uint64_t run_load(const char *p)
{
        uint64_t w;
        memcpy(&w, p, 8);
        return le64toh(w);
}
static inline uint64_t run_specials(uint64_t w)
{
        uint64_t quote = w ^ EACH_BYTE('"'), slash = w ^ EACH_BYTE('\\');
        return ((quote - EACH_BYTE(1)) | (slash - EACH_BYTE(1)) | (w - EACH_BYTE(0x20))) & ~w & TOP_BITS;
}
static inline size_t run_first(uint64_t specials)      { return (size_t)__builtin_ctzll(specials) / 8; }
static inline bool   run_is_special(char ch)           { return ch == '"' || ch == '\\' || (uint8_t)ch < 0x20; }
#endif
