/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json.h - JSON (RFC 8259) in and out of structs by their tables, and a writer and a reader for JSON without one.
 *
 * Strict: repeated members, wrong UTF-8, lone surrogates, depth over 32, numbers that do not fit, anything after the value
 * are refused. Every flaw is reported with its JSON Pointer; syntax errors end the reading. uid and when are strings, money
 * is {"amount":1999,"currency":"EUR"}, bytes are base64url. Whole numbers must be written whole (1, not 1.0 or 1e0). A text
 * field refuses U+0000, which PostgreSQL cannot keep. Threads: pure. Sources: RFC 8259, 6901, 3629. */
#ifndef JSON_H
#define JSON_H
#include "buf.h"
#include "ctx.h"
#include "type.h"

enum json_mode {
        JSON_STRICT  = 0,       /* unknown members are flaws                                      */
        JSON_LENIENT = 1,       /* unknown members are skipped: answers of others, our own stored events */
        JSON_PATCH   = 2,       /* onto what is in `out`: absent members stay, null clears an optional one (RFC 7396) */
        JSON_PARTS = 8,         /* with JSON_PATCH, before what stands is known: an object below may be a part of one that is there */
        JSON_NO_CHECK = 4,      /* ranges and lengths are not looked at, presence is: data that we wrote */
};
/* Reads text into *out (zeroed first unless patching), then checks it. Everything lies in c's arena; unescaped texts point into
 * `text`, which must live as long.
 * On failure *out is unspecified. An explicit null is absence. Flaws already in c count as this text's.
 *   returns  0, or -INVALID_ARGUMENT with every flaw in c's fault; -RESOURCE_EXHAUSTED when the arena is full
 * Slugs: required unknown repeated wrong_type too_small too_large too_short too_long too_few too_many not_a_word bad_format
 * bad_utf8 syntax too_deep. */
int  json_read(struct ctx *c, const struct type *t, str text, void *out, unsigned mode);
/* The same for a list of messages ([{...},...]), of LIST_MAX_DEFAULT at most unless JSON_NO_CHECK; not with JSON_PATCH. */
int  json_read_list(struct ctx *c, const struct type *t, str text, struct any_list *out, unsigned mode);
/* Compact; errors stick to b. Secret fields are left out. */
void json_write(struct buf *b, const struct type *t, const void *msg);
void json_write_secrets(struct buf *b, const struct type *t, const void *msg);  /* with them: between services of one program only */
/* Of each message of type `of` only the members whose bit (1 << its place in the table) is set. */
void json_write_some(struct buf *b, const struct type *t, const void *msg, const struct type *of, uint64_t members);
void json_write_list(struct buf *b, const struct type *t, const struct any_list *list);
void json_write_field(struct buf *b, const struct field *f, const void *msg);   /* the value alone                  */

/* ---- free-form writing: commas are its business ------------------------------------------------------------------ */
struct jw { struct buf *b; bool comma, keyed; bool pretty; int depth; };       /* { .b = &b, .pretty = true }       */
void jw_object(struct jw *w);        void jw_object_end(struct jw *w);
void jw_array(struct jw *w);         void jw_array_end(struct jw *w);
void jw_key(struct jw *w, const char *name);
void jw_key_str(struct jw *w, str name);
void jw_str(struct jw *w, str s);    void jw_z(struct jw *w, const char *z);
void jw_int(struct jw *w, int64_t v);
void jw_num(struct jw *w, double v);                    /* shortest that reads back; not finite: null               */
void jw_bool(struct jw *w, bool v);  void jw_null(struct jw *w);
void jw_raw(struct jw *w, str json);                    /* one value that is JSON already                           */
void json_write_str(struct buf *b, str s);              /* quoted and escaped; wrong UTF-8 becomes U+FFFD           */
void json_write_num(struct buf *b, double v);           /* as jw_num does                                           */

/* ---- free-form reading: a cursor over checked text --------------------------------------------------------------- */
enum json_kind { JSON_END, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
/* Checks the whole text once (syntax, UTF-8, depth, repeated members).
 *   returns  0, or -INVALID_ARGUMENT with flaws that give pointer, line and column; -RESOURCE_EXHAUSTED when the arena is full */
int  json_validate(struct ctx *c, str text);
enum json_kind json_kind_of(str json);                  /* of one value's text                                      */
/* The text of a member of one object's text; p NULL when absent. Linear; for small documents. */
str  json_member(str object, const char *name);
/* struct json_walk w = json_open(container); while (json_next_member(c, &w, &name, &value)) ...; arrays alike. */
struct json_walk { str rest; };
struct json_walk json_open(str container);
/* The name is unescaped in the arena; false at the end, and when the arena is full. */
bool json_next_member(struct ctx *c, struct json_walk *w, str *name, str *value);
bool json_next_element(struct json_walk *w, str *value);
int  json_text(struct ctx *c, str json, str *out);      /* a JSON string, unescaped; -INVALID_ARGUMENT              */
int  json_int(str json, int64_t *out);                  /* -INVALID_ARGUMENT, -OUT_OF_RANGE                         */
#endif
