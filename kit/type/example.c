/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * example.c - an example of any message out of its table, for OpenAPI and the docs.
 *
 * A field's own `example` comes first, then what a field of its name usually holds, then something of its kind, within its bounds. It is valid against
 * what spec.c says of the same message, and consistent: the same thing has the same id in every message (an order's `id` is the `order_id` of
 * its payment), counts are 1, so a line's total is its price. */
#include "spec.h"
#include <stdio.h>
#include "hash.h"

enum { EXAMPLE_DEPTH = 6 };

/* "order.name" before "name" */
static const struct { const char *name, *text; } usual[] = {
        { "user.name", "Ada Lovelace" }, { "address.name", "Ada Lovelace" }, { "brand.name", "Halden" }, { "category.name", "Sweaters" },
        { "warehouse.name", "Berlin" }, { "attribute.name", "colour" }, { "attribute.value", "green" }, { "parked.key", "019ab4f0-0000-7000-8000-000000000001" },
        { "parked.topic", "order.confirmed" }, { "name", "Halden Merino Crew Sweater" }, { "sku", "HAL-SWT-00421" }, { "brand", "Halden" },
        { "category", "Clothing > Sweaters" }, { "path", "Clothing > Sweaters" }, { "slug", "sweaters" }, { "description", "Warm, of fine merino wool." },
        { "email", "ada@example.org" }, { "password", "correct horse battery" }, { "note", "The bell does not work." }, { "reason", "counted anew" },
        { "detail", "must be at least 1" }, { "pointer", "/items/0/quantity" }, { "country", "DE" }, { "currency", "EUR" }, { "city", "Berlin" },
        { "region", "Berlin" }, { "postal_code", "10115" }, { "line1", "Invalidenstr. 117" }, { "line2", "2nd floor" }, { "phone", "+49 30 901820" },
        { "code", "BER" }, { "q", "sweater" }, { "scope", "orders:read orders:write" }, { "image", "https://img.example/sweater.jpg" },
        { "images", "https://img.example/sweater.jpg" }, { "url", "https://shop.example/sweater" }, { "invoice_number", "SK-2026-00000042" },
        { "series", "SK" },
        { "party.name", "Ada Lovelace" }, { "vat_id", "DE136695976" }, { "credits", "SK-2026-00000042" },
        { "card", "4242424242424242" }, { "consumer", "inventory.hold_commit" }, { "tags", "wool" }, { "tag", "wool" }, { "kid", "2026-11-24" },
        { "credit_note_number", "CN-2026-00000007" }, { "kind", "plain" },
};

/* What a message is about: "order_summary" and "order_ref" are of an order. */
static str subject_of(const struct type *t)
{
        static const char *const forms[] = { "_ref", "_summary", "_draft", "_new", "_key", "_row", "_change", "_replacement", "_patch", "_edit", "_filter", "_view" };
        str name = str_of(t->name);
        for (size_t i = 0; i < COUNT(forms); i++) {
                str form = str_of(forms[i]);
                if (name.n > form.n && str_eq(str_cut(name, name.n - form.n, name.n), form)) return str_cut(name, 0, name.n - form.n);
        }
        return name;
}

/* ---- plain values ------------------------------------------------------------------------------------------------------------ */

static int64_t within(const struct field *f, int64_t v)
{
        if (!f->min && !f->max) return v;
        return v < f->min ? f->min : v > f->max ? f->max : v;
}

static int64_t usual_number(const struct field *f)
{
        size_t n = strlen(f->name);
        if (n > 3 && !strcmp(f->name + n - 3, "_bp")) return 1900;
        if (!strcmp(f->name, "limit")) return 20;
        if (!strcmp(f->name, "year")) return 2026;
        return 1;
}

static void id(struct jw *w, const struct type *of, const struct field *f)
{
        str name = str_of(f->name), tail = STR("_id");
        if (!strcmp(f->name, "id")) name = subject_of(of);
        else if (!strcmp(f->name, "buyer") || !strcmp(f->name, "owner") || !strcmp(f->name, "by")) name = STR("user");
        else if (name.n > tail.n && str_eq(str_cut(name, name.n - tail.n, name.n), tail)) name = str_cut(name, 0, name.n - tail.n);
        struct digest d = sha256(name);
        char text[40];
        uid made = { { 0x01, 0x9a, 0xb4, 0xf0, 0, 0, 0x70, 0, 0x80, 0 } };
        memcpy(made.b + 10, d.b, 6);
        uid_format(made, text);
        jw_z(w, text);
}

static const char *usual_text(const struct type *of, const struct field *f)
{
        char full[120];
        if (f->format && f->format->example) return f->format->example;
        snprintf(full, sizeof full, STR_FMT ".%s", STR_ARG(subject_of(of)), f->name);
        for (size_t i = 0; i < COUNT(usual); i++)
                if (!strcmp(usual[i].name, full)) return usual[i].text;
        for (size_t i = 0; i < COUNT(usual); i++)
                if (!strcmp(usual[i].name, f->name)) return usual[i].text;
        return f->name;
}

/* All are ASCII, so bytes are code points. */
static void text(struct jw *w, const struct type *of, const struct field *f)
{
        char out[64];
        str s = str_of(usual_text(of, f));
        if ((int64_t)s.n > field_max(f)) s = str_cut(s, 0, (size_t)field_max(f));
        if ((int64_t)s.n >= f->min || f->min > (int64_t)sizeof out) {
                jw_str(w, s);
                return;
        }
        for (int64_t i = 0; i < f->min; i++) out[i] = s.n ? s.p[(size_t)i % s.n] : 'x';
        jw_str(w, (str){ out, (size_t)f->min });
}

/* "A" is no base64url of anything; every fourth of these starts a group anew. */
static void binary(struct jw *w, const struct field *f)
{
        char out[512];
        size_t bytes = (size_t)(f->min > 0 ? f->min : MIN(field_max(f), 6)), n = MIN((bytes * 4 + 2) / 3, sizeof out);
        memset(out, 'A', n);
        jw_str(w, (str){ out, n });
}

static void money_of(struct jw *w, const struct field *f)
{
        jw_object(w);
        jw_key(w, "amount");
        jw_int(w, within(f, 1999));
        jw_key(w, "currency");
        jw_z(w, "EUR");
        jw_object_end(w);
}

/* ---- messages ---------------------------------------------------------------------------------------------------------------- */

static void message(struct jw *w, const struct type *t, enum spec_side side, int depth);
static void value(struct jw *w, const struct type *of, const struct field *f, enum spec_side side, int depth);

static void list(struct jw *w, const struct type *of, const struct field *f, enum spec_side side, int depth)
{
        int64_t n = MAX(f->min, 1);
        jw_array(w);
        for (int64_t i = 0; i < n && depth > 0; i++) {
                struct field one = f->of->scalar ? *f->of->scalar : *f;
                one.name = f->name;             /* what tags are is known by the list's name */
                if (f->of->scalar) value(w, of, &one, side, depth);
                else message(w, f->of, side, depth);
        }
        jw_array_end(w);
}

static void value(struct jw *w, const struct type *of, const struct field *f, enum spec_side side, int depth)
{
        if (f->example) {
                jw_raw(w, str_of(f->example));
                return;
        }
        switch (f->kind) {
        case K_BOOL:  jw_bool(w, true); break;
        case K_I32:
                if (f->names) jw_z(w, f->names[0]);
                else jw_int(w, within(f, usual_number(f)));
                break;
        case K_I64:   jw_int(w, within(f, usual_number(f))); break;
        case K_F64:   jw_num(w, (double)within(f, 1)); break;
        case K_STR:   text(w, of, f); break;
        case K_BYTES: binary(w, f); break;
        case K_UID:   id(w, of, f); break;
        case K_WHEN:  jw_z(w, "2026-11-24T08:09:27.123456Z"); break;
        case K_MONEY: money_of(w, f); break;
        case K_MSG:   message(w, f->of, side, depth); break;
        case K_LIST:  list(w, of, f, side, depth); break;
        }
}

/* Links of a page stand for themselves in the headers; a message in itself ends somewhere. */
static bool is_shown(const struct field *f, enum spec_side side, int depth)
{
        if (f->internal || (side == SPEC_ANSWER && f->secret)) return false;
        if (!f->optional) return true;
        if (!strcmp(f->name, "next") || !strcmp(f->name, "prev") || !strcmp(f->name, "cursor")) return false;
        return depth > 1 || !(f->kind == K_MSG || f->kind == K_LIST);
}

static void message(struct jw *w, const struct type *t, enum spec_side side, int depth)
{
        jw_object(w);
        for (size_t i = 0; i < t->n; i++) {
                if (!is_shown(&t->fields[i], side, depth)) continue;
                jw_key(w, t->fields[i].name);
                value(w, t, &t->fields[i], side, depth - 1);
                if (side == SPEC_PATCH && depth == EXAMPLE_DEPTH) break;
        }
        jw_object_end(w);
}

void spec_example(struct jw *w, const struct type *t, enum spec_side side)
{
        message(w, t, side, EXAMPLE_DEPTH);
}

void spec_example_field(struct jw *w, const struct type *t, const struct field *f)
{
        value(w, t, f, SPEC_REQUEST, EXAMPLE_DEPTH);
}
