/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_scan.h - the reader's eyes: tokens, where we are, and what is wrong there. Private to kit/type.
 *
 * A scan goes over the text once, from front to back, and never past `end`. It knows the way it came (for JSON Pointers) and
 * the names it met (for repeated members). Functions return 0 or more, or a negative code that ends the reading; a flaw that
 * does not end it is added and the reading goes on. Threads: one at a time. Sources: RFC 8259, 6901. */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H
#include "check.h"
#include "ctx.h"
#include "type.h"

enum { NAMES_MAX = 10000 };                     /* names of members without a field, of the objects that are open at once */

struct step { const char *name; size_t n; };    /* a member's name and length; name NULL: element n */
struct name_met { uint32_t object, hash; str name; };

struct scan {
        struct ctx *c;
        const char *p, *end, *start;
        unsigned    mode;                       /* enum json_mode */
        int         depth;
        uint32_t    objects;                    /* met so far; the number names one of them in the set of names */
        struct step path[DEPTH_MAX + 1];
        size_t      n_path;
        struct name_met *names;                 /* of open objects, in the order they came; in the arena, made when the first is needed */
        uint32_t   *slots;                      /* open addressing: the number of a name, from 1 */
        size_t      n_names, cap_slots;
        struct verdict verdict;                 /* room for one, not to be cleared for every value */
};

struct text {                                   /* a string token */
        str  raw;                               /* between the quotes */
        bool escaped;                           /* has a backslash */
        const char *wrong;                      /* NULL, or why it is no text: "is not valid UTF-8" */
};

static inline struct scan scan_of(struct ctx *c, str text, unsigned mode)
{
        if (!text.p) text = STR("");
        return (struct scan){ .c = c, .p = text.p, .start = text.p, .end = text.p + text.n, .mode = mode };
}
/* The next byte that is not white space, not consumed; 0 at the end (a real NUL fits no grammar either). */
static inline char scan_peek(struct scan *s)
{
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) s->p++;
        return s->p < s->end ? *s->p : '\0';
}
static inline void scan_down(struct scan *s, const char *name, size_t n) { s->path[s->n_path++] = (struct step){ name, n }; }
static inline void scan_up(struct scan *s)                               { s->n_path--; }

int  scan_full(struct scan *s);                 /* the arena is full: fails with that story */
void scan_flaw(struct scan *s, const char *slug, const char *fmt, ...) PRINTF(3, 4);    /* at the current place */
int  scan_wrong(struct scan *s, const char *want);       /* a syntax flaw: "line 1, column 2: expected <want>, found ..." */

int  scan_string(struct scan *s, struct text *t);        /* p is at the opening quote */
int  scan_text(struct scan *s, const struct text *t, str *out);  /* unescaped, in the arena when need be */
int  scan_number(struct scan *s, str *number, bool *whole);      /* whole: neither fraction nor exponent */
int  scan_word(struct scan *s, const char *word, size_t n);      /* true, false, null */

/* After scan_enter(): while ((more = scan_next(s, ']', &first)) > 0) ...; for objects a name and its colon follow. */
int  scan_enter(struct scan *s);                 /* consumes the bracket; -INVALID_ARGUMENT when too deep */
int  scan_next(struct scan *s, char closing, bool *first);       /* 1: one more follows; 0: closed */
int  scan_colon(struct scan *s);
/* A member's name: unescaped; p NULL when it is no text (a flaw is added). */
int  scan_name(struct scan *s, str *name);
/* Remembers a name of object number `object`: 1 when it is new, 0 when it was there before. */
int  scan_remember(struct scan *s, uint32_t object, str name);
/* An object is closed: forgets the names met since there were `mark` of them. */
void scan_forget(struct scan *s, size_t mark);
/* Reads over one value, checking all of it. */
int  scan_skip(struct scan *s);
int  scan_finish(struct scan *s);                /* nothing but white space may follow */

/* One unit of a string that was scanned before (a byte, or a whole escape): bytes written to out, *p moved on. */
size_t scan_unit(const char **p, const char *end, char out[4]);
#endif
