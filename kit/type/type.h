/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * type.h - one table a message; JSON, query strings, SQL rows, checks and OpenAPI all come from it.
 *
 *     struct order_draft { struct item_list items; str note; };
 *     MESSAGE(order_draft, "what a buyer wants to buy",
 *             F_LIST(order_draft, 1, items, item, .min = 1, .max = 100, .doc = "..."),
 *             F(order_draft, 2, note, .max = 500, .optional = true));
 *
 * Absence is the zero value: a str with p NULL, a zero uid, when, money or number, an empty list, a message of absent
 * fields. A number may have a mark of its own for it (`absent`), so that 0 can be said. A field that is not optional must be present
 * on the way in and is always written on the way out; an optional one is left out when absent; one with a fallback has that
 * instead. Tables are const and shared by all threads. type_check() at start finds a member no field covers. */
#ifndef TYPE_H
#define TYPE_H
#include "arena.h"
#include "base.h"

enum kind { K_BOOL, K_I32, K_I64, K_F64, K_STR, K_BYTES, K_UID, K_WHEN, K_MONEY, K_MSG, K_LIST };

struct type;
struct format {                                         /* a named rule for text, as OpenAPI's `format` or `pattern` */
        const char *name;                               /* "email"                                                  */
        bool      (*is_valid)(str s);
        const char *pattern;                            /* ECMA 262, for OpenAPI; NULL: the name says it            */
        const char *say;                                /* "must be an e-mail address"                              */
        const char *example;                            /* for OpenAPI, bare: "ada@example.org"                     */
};
extern const struct format format_email, format_url, format_slug, format_currency, format_country;

struct field {
        const char *name;
        const char *key;                                /* the name as JSON has it before a value: "name":          */
        uint16_t    name_n;                             /* bytes in name                                            */
        uint16_t    tag, offset, size, align;           /* tag: protobuf number, unique in the message              */
        enum kind   kind;
        const struct type *of;                          /* K_MSG: the message; K_LIST: the element                  */
        const char *const *names;                       /* K_I32 as words on the wire, NULL-terminated; word 0 is the zero value */
        /* Numbers, money in minor units: value (both 0: free); str: code points; bytes: bytes; list: elements. With max 0 a str,
         * bytes or list has the default maximum. */
        int64_t     min, max;
        bool        optional;
        int64_t     fallback;                           /* of an optional number: what it is when JSON leaves it out or says null. It is then never
                                                         * absent, so 0 can be said; 0: none. An optional message with such a member, or one with a
                                                         * mark, must have one that is required: that one tells whether the message is there */
        int64_t     absent;                             /* of an optional number for which 0 can be said and there is no fallback: what stands in its
                                                         * place when nothing was said, outside min to max. Made by reading JSON; C code sets it itself */
        bool        secret;                             /* never logged, never in an answer                         */
        bool        internal;                           /* the program's own: not in JSON, queries, forms or docs; SQL sees it */
        const struct format *format;
        const char *doc;                                /* a sentence for OpenAPI                                   */
        const char *example;                            /* JSON text for OpenAPI                                    */
};
struct type {
        const char *name, *doc;
        size_t      size, align;
        const struct field *fields;
        size_t      n;
        const struct field *scalar;                     /* an element type like uid_type: lists of plain values     */
};
enum { STR_MAX_DEFAULT = 1000, LIST_MAX_DEFAULT = 1000, DEPTH_MAX = 32, FIELDS_MAX = 64 };

#define KIND_OF(x) _Generic((x), bool: K_BOOL, int32_t: K_I32, unsigned: K_I32, int64_t: K_I64, double: K_F64, \
                            str: K_STR, bytes: K_BYTES, uid: K_UID, when: K_WHEN, money: K_MONEY, default: K_MSG)
#define M_(T, m)  (((struct T *)0)->m)
#define F_(T, tag_, m, ...) \
        { .name = #m, .key = "\"" #m "\":", .name_n = sizeof #m - 1, .tag = (tag_), \
          .offset = offsetof(struct T, m), .size = sizeof M_(T, m), \
          .align = _Alignof(__typeof__(M_(T, m))), __VA_ARGS__ }
#define F(T, tag, m, ...)          F_(T, tag, m, .kind = KIND_OF(M_(T, m)), __VA_ARGS__)
#define F_MSG(T, tag, m, E, ...)   F_(T, tag, m, .kind = K_MSG,  .of = &E##_type, __VA_ARGS__)
#define F_LIST(T, tag, m, E, ...)  F_(T, tag, m, .kind = K_LIST, .of = &E##_type, __VA_ARGS__)
#define MESSAGE(T, doc_, ...) \
        static const struct field T##_fields[] = { __VA_ARGS__ }; \
        const struct type T##_type = { #T, (doc_), sizeof(struct T), _Alignof(struct T), T##_fields, COUNT(T##_fields), NULL }

struct nothing { char none; };
extern const struct type nothing_type;                  /* no fields: an empty object in, 204 out                   */
extern const struct type str_type, uid_type, i64_type;  /* elements for lists of plain values                       */
struct str_list { str *v; size_t n; };
struct uid_list { uid *v; size_t n; };
struct i64_list { int64_t *v; size_t n; };
struct any_list { char *v; size_t n; };                 /* how every X_list lies in memory                          */

struct money_wire { int64_t amount; str currency; };    /* how a money looks outside: {"amount":1999,"currency":"EUR"} */
extern const struct type money_type;                    /* of struct money_wire                                     */

const struct field *type_field(const struct type *t, str name);  /* NULL: none                                      */
bool field_is_absent(const struct field *f, const void *msg);
int  field_word(const struct field *f, str word);                /* index in names, or -NOT_FOUND                   */
void field_say_words(const struct field *f, char out[160]);      /* "must be one of red, green, blue", cut short when long */
/* Every byte of the struct is a field or its padding, tags and names are unique, defaults make sense; the whole tree below.
 *   returns  0, or -INTERNAL with a sentence in err (256 bytes) */
int  type_check(const struct type *t, char err[256]);
/* The maximum a str, bytes or list field has: its own or the default. */
int64_t field_max(const struct field *f);
static inline const void *field_at(const struct field *f, const void *msg) { return (const char *)msg + f->offset; }
/* A deep copy into `a`: texts, lists and all. -RESOURCE_EXHAUSTED when the arena is full (*to is then unspecified). */
int  msg_copy(struct arena *a, const struct type *t, const void *from, void *to);
#endif
