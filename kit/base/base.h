/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * base.h - the small words everything else is written in.
 *
 * Values that are passed by copy (str, uid, when, money), the canonical codes, and the few macros of this code base.
 * Pure: no I/O, no allocation, no state, but for uid_v7(), which draws random bytes and remembers this thread's last id.
 * Threads: everything here is safe anywhere. */
#ifndef BASE_H
#define BASE_H
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/param.h>          /* MIN and MAX: libuv brings them too */

typedef struct { const char *p; size_t n; } str;        /* borrowed bytes, not NUL-terminated; p NULL: absent       */
typedef struct { uint8_t b[16]; } uid;                  /* UUID (RFC 9562), big-endian; all zero: absent            */
typedef struct { int64_t us; } when;                    /* UTC instant, microseconds since 1970; 0: absent          */
typedef struct { int64_t minor; char cur[4]; } money;   /* 1999 "EUR" is 19.99 euro (ISO 4217); cur empty: absent   */
typedef struct { const uint8_t *p; size_t n; } bytes;   /* borrowed binary data; base64url on the wire, bytea in SQL */

#define STR(lit)            ((str){ (lit), sizeof(lit) - 1 })
#define STR_FMT             "%.*s"
#define STR_ARG(s)          (int)(s).n, (s).p ? (s).p : ""
#define COUNT(a)            (sizeof(a) / sizeof((a)[0]))
#define DECLARE_LIST(T)     struct T##_list { struct T *v; size_t n; }
#define MILLIS(n)           (n)                         /* every duration is int milliseconds */
#define SECONDS(n)          ((n) * 1000)
#define MINUTES(n)          (SECONDS(60) * (n))
#define HOURS(n)            (MINUTES(60) * (n))

#define CONTAINER(ptr, T, member) ((T *)((char *)(ptr) - offsetof(T, member)))
#define PRINTF(fmt, args)   __attribute__((format(printf, fmt, args)))
#define MUST_USE            __attribute__((warn_unused_result))
#define LIKELY(x)           __builtin_expect(!!(x), 1)
#define UNLIKELY(x)         __builtin_expect(!!(x), 0)

/* AUTO(x_done) struct x x; runs x_done(&x) when the scope ends, however it ends. */
#define AUTO(cleanup_fn)    __attribute__((cleanup(cleanup_fn)))
/* Moves a pointer out of an AUTO scope: `return take(&p);` leaves NULL behind. */
#define take(pp)            ({ __typeof__(*(pp)) taken_ = *(pp); *(pp) = NULL; taken_; })

/* Canonical codes: gRPC's, https://grpc.io/docs/guides/status-codes/. A function returns 0 (or a count) or a negative one.
 * codes.def alone knows each code's HTTP status, log level and whether a caller may retry. */
enum code {
#define CODE(name, number, http, level, retry) name = number,
#include "codes.def"
#undef CODE
};
const char *code_name(int code);                        /* "NOT_FOUND"; takes either sign; "UNKNOWN" if none        */
int  code_http(int code);                               /* 404; takes either sign                                   */
bool code_may_retry(int code);                          /* the caller may try again as it is                        */

/* The only macro that returns. A statement; safe everywhere because scopes clean themselves. */
#define TRY(expr)           do { int try_ = (expr); if (try_ < 0) return try_; } while (0)

/* ---- str ------------------------------------------------------------------------------------------------------- */
static inline str  str_of(const char *z)                { return (str){ z, z ? strlen(z) : 0 }; }
static inline bool str_eq(str a, str b)                 { return a.n == b.n && (a.n == 0 || !memcmp(a.p, b.p, a.n)); }
static inline bool str_is_empty(str s)                  { return s.n == 0; }
static inline str  str_cut(str s, size_t from, size_t to) { return (str){ s.p + from, to - from }; }
bool str_eq_nocase(str a, str b);                       /* ASCII only                                               */
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
int  str_cmp(str a, str b);                             /* bytewise; <0, 0, >0                                      */
ptrdiff_t str_find(str s, char ch);                     /* index or -1                                              */
str  str_trim(str s, const char *chars);                /* both ends                                                */
/* Splits at the first `sep`: returns what is before it, leaves what is after it in *rest (p NULL when there was none).
 * for (str rest = list, part; rest.p && (part = str_split(&rest, ','), true);) walks a list. */
str  str_split(str *rest, char sep);

/* ---- uid: UUIDs, RFC 9562 -------------------------------------------------------------------------------------- */
static inline bool uid_eq(uid a, uid b)                 { return !memcmp(a.b, b.b, 16); }
static inline bool uid_is_zero(uid a)                   { return uid_eq(a, (uid){ { 0 } }); }
static inline int  uid_cmp(uid a, uid b)                { return memcmp(a.b, b.b, 16); }
uid  uid_v7(when now);                                  /* version 7: milliseconds, then 74 random bits; strictly rising within a thread, whatever `now` says */
int  uid_parse(str s, uid *out);                        /* 36 characters, either case; -INVALID_ARGUMENT            */
void uid_format(uid id, char out[37]);                  /* lower case, NUL-terminated                               */
when uid_time(uid id);                                  /* version 7: its time; else 0                              */

/* ---- when: instants, RFC 3339 ----------------------------------------------------------------------------------- */
/* Any offset, up to 6 decimals; a leap second is folded into the second after it.
 *   returns  -INVALID_ARGUMENT  not of the grammar, or no such date or time (2026-02-30)
 *            -OUT_OF_RANGE      the offset leads out of the years 0000 to 9999 */
int  when_parse(str s, when *out);
size_t when_format(when t, char out[32]);               /* 2026-11-24T08:09:27.123456Z, zero microseconds left out; NUL-terminated; its length */
int  when_year(when t);                                 /* of the Gregorian calendar, in UTC                        */

/* ---- money: ISO 4217 --------------------------------------------------------------------------------------------- */
bool money_is_currency(str code);                       /* a current ISO 4217 code that has a minor unit: not XAU   */
int  money_decimals(const char cur[4]);                 /* 2; JPY 0; KWD 3; -1 unknown                              */
/* a + b; -INVALID_ARGUMENT when currencies differ, -OUT_OF_RANGE on overflow. An absent one takes the other's currency. */
int  money_add(money a, money b, money *out);
int  money_times(money a, int64_t n, money *out);       /* -OUT_OF_RANGE on overflow                                */
int  money_parse(str decimal, const char cur[4], money *out);   /* "19.99"; too many decimals: -INVALID_ARGUMENT    */
size_t money_format(money m, char out[40]);             /* "19.99 EUR"; NUL-terminated; its length                  */

/* ---- numbers ------------------------------------------------------------------------------------------------------ */
int  int_parse(str s, int64_t *out);                    /* -?[0-9]+ with nothing around it; -INVALID_ARGUMENT, -OUT_OF_RANGE */
#endif
