/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * type.c - what can be asked of a table: a field by name, whether a value is absent, whether the table tells the truth, a copy.
 *
 * type_check() runs once at start over every table, so the readers and writers may trust tables blindly. */
#include "type.h"
#include <stdio.h>

const struct type nothing_type = { "nothing", "an empty object", sizeof(struct nothing), _Alignof(struct nothing), NULL, 0, NULL };

#define SCALAR(T, C, kind_, doc_) \
        static const struct field T##_scalar = { .name = #T, .size = sizeof(C), .align = _Alignof(C), .kind = (kind_) }; \
        const struct type T##_type = { #T, (doc_), sizeof(C), _Alignof(C), NULL, 0, &T##_scalar }
SCALAR(str, str, K_STR, "a text");
SCALAR(uid, uid, K_UID, "a UUID");
SCALAR(i64, int64_t, K_I64, "a whole number");

static const struct field money_fields[] = {
        F(money_wire, 1, amount,   .doc = "in minor units of the currency: 1999 is 19.99 EUR", .example = "1999"),
        F(money_wire, 2, currency, .format = &format_currency, .doc = "ISO 4217 code", .example = "\"EUR\""),
};
const struct type money_type = { "money", "an amount of money", sizeof(struct money_wire), _Alignof(struct money_wire),
                                 money_fields, COUNT(money_fields), NULL };

const struct field *type_field(const struct type *t, str name)
{
        for (const struct field *f = t->fields, *end = f + t->n; f < end; f++)
                if (f->name_n == name.n && !memcmp(f->name, name.p, name.n)) return f;
        return NULL;
}

int64_t field_max(const struct field *f)
{
        if (f->max) return f->max;
        return f->kind == K_LIST ? LIST_MAX_DEFAULT : STR_MAX_DEFAULT;
}

/* A number whose zero is something that can be said tells nothing of its message. */
static bool tells(const struct field *f)        { return !f->fallback && !f->absent; }

static bool msg_is_absent(const struct type *t, const void *msg)
{
        for (size_t i = 0; i < t->n; i++)
                if (tells(&t->fields[i]) && !field_is_absent(&t->fields[i], msg)) return false;
        return true;
}

bool field_is_absent(const struct field *f, const void *msg)
{
        const void *p = field_at(f, msg);
        if (f->fallback) return false;
        switch (f->kind) {
        case K_BOOL:  return !*(const bool *)p;
        case K_I32:   return *(const int32_t *)p == f->absent;
        case K_I64:   return *(const int64_t *)p == f->absent;
        case K_F64:   return *(const double *)p == 0;
        case K_STR:   return !((const str *)p)->p;
        case K_BYTES: return !((const bytes *)p)->p;
        case K_UID:   return uid_is_zero(*(const uid *)p);
        case K_WHEN:  return !((const when *)p)->us;
        case K_MONEY: return !((const money *)p)->cur[0];
        case K_MSG:   return msg_is_absent(f->of, p);
        case K_LIST:  return !((const struct any_list *)p)->n;
        }
        return true;
}

int field_word(const struct field *f, str word)
{
        for (int i = 0; f->names && f->names[i]; i++)
                if (str_eq(str_of(f->names[i]), word)) return i;
        return -NOT_FOUND;
}

void field_say_words(const struct field *f, char out[160])
{
        size_t n = (size_t)snprintf(out, 160, "must be one of ");
        for (size_t i = 0; f->names[i] && n < 160; i++)
                n += (size_t)snprintf(out + n, 160 - n, "%s%s", i ? ", " : "", f->names[i]);
}

/* ---- type_check: does the table tell the truth? ------------------------------------------------------------------ */

struct chain { const struct type *t; const struct chain *up; };     /* where we are: a list of its own type must not loop */

static int lie(char err[256], const struct type *t, const struct field *f, const char *what)
{
        snprintf(err, 256, "%.80s%s%.80s: %.80s", t->name, f ? "." : "", f ? f->name : "", what);
        return -INTERNAL;
}

static size_t kind_size(enum kind k)
{
        switch (k) {
        case K_BOOL:  return sizeof(bool);
        case K_I32:   return sizeof(int32_t);
        case K_I64:   return sizeof(int64_t);
        case K_F64:   return sizeof(double);
        case K_STR:   return sizeof(str);
        case K_BYTES: return sizeof(bytes);
        case K_UID:   return sizeof(uid);
        case K_WHEN:  return sizeof(when);
        case K_MONEY: return sizeof(money);
        case K_LIST:  return sizeof(struct any_list);
        case K_MSG:   break;
        }
        return 0;
}

static bool name_is_good(const struct field *f)
{
        size_t n = f->name ? strlen(f->name) : 0;
        if (!n || n != f->name_n || strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n) return false;
        const char *key = f->key;
        return key && strlen(key) == n + 3 && key[0] == '"' && !memcmp(key + 1, f->name, n) && !strcmp(key + 1 + n, "\":");
}

/* What is absent reads back as absent: in an optional message where a number tells nothing, something else must always tell. */
static bool may_be_absent(const struct type *t)
{
        bool mute = false;
        for (size_t i = 0; i < t->n; i++) {
                if (tells(&t->fields[i]) && !t->fields[i].optional) return true;
                mute = mute || !tells(&t->fields[i]);
        }
        return !mute;
}

static int field_check(const struct type *t, const struct field *f, char err[256])
{
        bool sized = f->kind == K_STR || f->kind == K_BYTES || f->kind == K_LIST;
        if (!name_is_good(f)) return lie(err, t, f, "a name is snake_case and made by F()");
        if (!f->tag) return lie(err, t, f, "a tag is 1 or more");
        bool has_of = f->kind == K_MSG || f->kind == K_LIST;
        if (has_of != !!f->of) return lie(err, t, f, "messages and lists, and only they, say of what");
        if (f->kind == K_MSG && f->of->scalar) return lie(err, t, f, "a plain value is not a message");
        if (f->kind == K_MSG && f->optional && !may_be_absent(f->of)) return lie(err, t, f, "when it is absent nothing in it tells: a member must be required");
        size_t size = f->kind == K_MSG ? f->of->size : kind_size(f->kind);
        if (f->size != size) return lie(err, t, f, "the size is not that of its kind");
        if (f->names && f->kind != K_I32) return lie(err, t, f, "only an int32_t or an enum is spelled as words");
        if (f->names && !f->names[0]) return lie(err, t, f, "there are no words");
        bool whole = (f->kind == K_I32 && !f->names) || f->kind == K_I64;
        if (f->fallback && (!whole || !f->optional || f->internal)) return lie(err, t, f, "only an optional whole number has a fallback");
        if (f->fallback && (f->min || f->max) && (f->fallback < f->min || f->fallback > f->max)) return lie(err, t, f, "the fallback is out of range");
        if (f->absent && (!whole || !f->optional || f->internal || f->fallback)) return lie(err, t, f, "only an optional whole number without a fallback has a mark for absence");
        if (f->absent && f->absent >= f->min && f->absent <= f->max) return lie(err, t, f, "the mark for absence could be said");
        if (f->absent && !f->min && !f->max) return lie(err, t, f, "a number with a mark for absence has a range");
        if (f->format && f->kind != K_STR) return lie(err, t, f, "only a text has a format");
        if (sized && (f->min < 0 || f->min > field_max(f))) return lie(err, t, f, "min lies beyond max");
        if (!sized && f->min > f->max) return lie(err, t, f, "min lies beyond max");
        return 0;
}

static int type_check_in(const struct type *t, const struct chain *up, char err[256])
{
        const struct chain here = { t, up };
        size_t at = 0;

        for (const struct chain *c = up; c; c = c->up)
                if (c->t == t) return 0;
        if (t->scalar || t->n == 0) return 0;
        if (t->n > FIELDS_MAX) return lie(err, t, NULL, "too many fields");
        for (size_t i = 0; i < t->n; i++) {
                const struct field *f = &t->fields[i];
                TRY(field_check(t, f, err));
                if (f->offset < at) return lie(err, t, f, "fields are not in the order of the struct");
                if (f->offset - at >= f->align) return lie(err, t, f, "a member before this one has no field");
                for (size_t k = 0; k < i; k++) {
                        if (t->fields[k].tag == f->tag) return lie(err, t, f, "its tag is taken");
                        if (!strcmp(t->fields[k].name, f->name)) return lie(err, t, f, "its name is taken");
                }
                at = (size_t)f->offset + f->size;
                if (f->of) TRY(type_check_in(f->of, &here, err));
        }
        if (t->size < at || t->size - at >= t->align) return lie(err, t, NULL, "a member at the end has no field");
        return 0;
}

int type_check(const struct type *t, char err[256])
{
        return type_check_in(t, NULL, err);
}

/* ---- msg_copy ----------------------------------------------------------------------------------------------------- */

static int value_copy(struct arena *a, const struct field *f, void *value);

static int list_copy(struct arena *a, const struct field *f, struct any_list *list)
{
        const struct type *of = f->of;
        char *v = list->n ? arena_array(a, list->n, of->size) : NULL;
        if (list->n && !v) return -RESOURCE_EXHAUSTED;
        for (size_t i = 0; i < list->n; i++) {
                char *to = v + i * of->size;
                const char *from = list->v + i * of->size;
                if (!of->scalar) {
                        TRY(msg_copy(a, of, from, to));
                        continue;
                }
                memcpy(to, from, of->size);
                TRY(value_copy(a, of->scalar, to));
        }
        list->v = v;
        return 0;
}

/* The value is a shallow copy already; what it points to is not. */
static int value_copy(struct arena *a, const struct field *f, void *value)
{
        str *s = value;                         /* bytes lie in memory as a str does */
        switch (f->kind) {
        case K_STR: case K_BYTES:
                if (!s->p) return 0;
                *s = arena_str(a, *s);
                return s->p ? 0 : -RESOURCE_EXHAUSTED;
        case K_MSG:
                return msg_copy(a, f->of, value, value);
        case K_LIST:
                return list_copy(a, f, value);
        default:
                return 0;
        }
}

int msg_copy(struct arena *a, const struct type *t, const void *from, void *to)
{
        if (from != to) memcpy(to, from, t->size);
        for (size_t i = 0; i < t->n; i++)
                TRY(value_copy(a, &t->fields[i], (char *)to + t->fields[i].offset));
        return 0;
}
