/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * spec.c - JSON Schema out of tables. It says what the readers enforce, neither more nor less, so documentation cannot drift
 * from behaviour. Source: JSON Schema 2020-12 (core and validation), OpenAPI 3.1 section 4.8.24. */
#include "spec.h"

static void key_int(struct jw *w, const char *key, int64_t v)    { jw_key(w, key); jw_int(w, v); }
static void key_z(struct jw *w, const char *key, const char *z)  { jw_key(w, key); jw_z(w, z); }

static void reference(struct jw *w, const struct type *t)
{
        jw_key(w, "$ref");
        str head = STR("#/components/schemas/");
        char path[160];
        size_t n = MIN(strlen(t->name), sizeof path - head.n);
        memcpy(path, head.p, head.n);
        memcpy(path + head.n, t->name, n);
        jw_str(w, (str){ path, head.n + n });
}

static void words(struct jw *w, const struct field *f)
{
        key_z(w, "type", "string");
        jw_key(w, "enum");
        jw_array(w);
        for (size_t i = 0; f->names[i]; i++) jw_z(w, f->names[i]);
        jw_array_end(w);
}

/* least and most: what the kind can hold, when the field does not say */
static void integer(struct jw *w, const struct field *f, const char *format, int64_t least, int64_t most)
{
        bool is_free = !f->min && !f->max;
        key_z(w, "type", "integer");
        key_z(w, "format", format);
        key_int(w, "minimum", is_free ? least : f->min);
        key_int(w, "maximum", is_free ? most : f->max);
}

static void number(struct jw *w, const struct field *f)
{
        key_z(w, "type", "number");
        key_z(w, "format", "double");
        if (!f->min && !f->max) return;
        key_int(w, "minimum", f->min);
        key_int(w, "maximum", f->max);
}

static void text(struct jw *w, const struct field *f)
{
        key_z(w, "type", "string");
        if (f->min) key_int(w, "minLength", f->min);
        key_int(w, "maxLength", field_max(f));
        if (!f->format) return;
        if (f->format->pattern) key_z(w, "pattern", f->format->pattern);
        key_z(w, "format", f->format->name);
}

/* Lengths of what is written: four characters for three bytes, no padding. */
static void binary(struct jw *w, const struct field *f)
{
        key_z(w, "type", "string");
        key_z(w, "contentEncoding", "base64url");
        key_z(w, "pattern", "^[A-Za-z0-9_-]*$");
        if (f->min) key_int(w, "minLength", (f->min * 4 + 2) / 3);
        key_int(w, "maxLength", (field_max(f) * 4 + 2) / 3);
}

static void list(struct jw *w, const struct field *f)
{
        key_z(w, "type", "array");
        if (f->min) key_int(w, "minItems", f->min);
        key_int(w, "maxItems", field_max(f));
        jw_key(w, "items");
        if (f->of->scalar) {
                spec_field(w, f->of->scalar);
                return;
        }
        jw_object(w);
        reference(w, f->of);
        jw_object_end(w);
}

static void formatted(struct jw *w, const char *format)
{
        key_z(w, "type", "string");
        key_z(w, "format", format);
}

/* What stands beside a reference narrows it. */
static void amount(struct jw *w, const struct field *f)
{
        reference(w, &money_type);
        if (!f->min && !f->max) return;
        jw_key(w, "properties");
        jw_object(w);
        jw_key(w, "amount");
        jw_object(w);
        key_int(w, "minimum", f->min);
        key_int(w, "maximum", f->max);
        jw_object_end(w);
        jw_object_end(w);
}

void spec_field(struct jw *w, const struct field *f)
{
        jw_object(w);
        switch (f->kind) {
        case K_BOOL:  key_z(w, "type", "boolean"); break;
        case K_I32:   if (f->names) words(w, f); else integer(w, f, "int32", INT32_MIN, INT32_MAX); break;
        case K_I64:   integer(w, f, "int64", INT64_MIN, INT64_MAX); break;
        case K_F64:   number(w, f); break;
        case K_STR:   text(w, f); break;
        case K_BYTES: binary(w, f); break;
        case K_UID:   formatted(w, "uuid"); break;
        case K_WHEN:  formatted(w, "date-time"); break;
        case K_MONEY: amount(w, f); break;
        case K_MSG:   reference(w, f->of); break;
        case K_LIST:  list(w, f); break;
        }
        if (f->doc) key_z(w, "description", f->doc);
        if (f->fallback) key_int(w, "default", f->fallback);
        if (f->secret) { jw_key(w, "writeOnly"); jw_bool(w, true); }
        if (f->example) {
                jw_key(w, "examples");
                jw_array(w);
                jw_raw(w, str_of(f->example));
                jw_array_end(w);
        }
        jw_object_end(w);
}

static void required(struct jw *w, const struct type *t)
{
        bool any = false;
        for (size_t i = 0; i < t->n; i++) {
                if (t->fields[i].optional || t->fields[i].internal) continue;
                if (!any) {
                        jw_key(w, "required");
                        jw_array(w);
                        any = true;
                }
                jw_z(w, t->fields[i].name);
        }
        if (any) jw_array_end(w);
}

/* A member of a merge patch: its own value, or null where it may be absent. */
static void nullable(struct jw *w, const struct field *f)
{
        if (!f->optional) {
                spec_field(w, f);
                return;
        }
        jw_object(w);
        jw_key(w, "anyOf");
        jw_array(w);
        spec_field(w, f);
        jw_object(w);
        key_z(w, "type", "null");
        jw_object_end(w);
        jw_array_end(w);
        jw_object_end(w);
}

enum shape { WHOLE, PATCH, PART };

static void object(struct jw *w, const struct type *t, enum shape shape)
{
        jw_object(w);
        key_z(w, "type", "object");
        if (t->doc) key_z(w, "description", t->doc);
        jw_key(w, "properties");
        jw_object(w);
        for (size_t i = 0; i < t->n; i++) {
                if (t->fields[i].internal) continue;
                jw_key(w, t->fields[i].name);
                if (shape == PATCH) nullable(w, &t->fields[i]);
                else spec_field(w, &t->fields[i]);
        }
        jw_object_end(w);
        if (shape == WHOLE) required(w, t);
        jw_key(w, "additionalProperties");
        jw_bool(w, false);
        jw_object_end(w);
}

void spec_schema(struct jw *w, const struct type *t)    { object(w, t, WHOLE); }
void spec_patch(struct jw *w, const struct type *t)     { object(w, t, PATCH); }
void spec_part(struct jw *w, const struct type *t)      { object(w, t, PART); }

void spec_walk(struct spec_seen *seen, const struct type *t)
{
        if (t->scalar) return;
        for (size_t i = 0; i < seen->n; i++)
                if (seen->v[i] == t) return;
        assert(seen->n < COUNT(seen->v));
        seen->v[seen->n++] = t;
        for (size_t i = 0; i < t->n; i++) {
                if (t->fields[i].internal) continue;
                if (t->fields[i].kind == K_MONEY) spec_walk(seen, &money_type);
                if (t->fields[i].of) spec_walk(seen, t->fields[i].of);
        }
}
