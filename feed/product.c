/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * product.c - one row of a product file becomes a product as the catalogue takes it.
 *
 * A row is an object of JSON here, also when it came from CSV (then all its values are texts). The mapping is lenient about
 * names and strict about values: a price that does not read, or a name that is a number, is the row's fault, told with its field, and is never guessed at.
 * Only of Icecat's rows, which have a shape of their own, plain values are made texts, and long ones cut. The catalogue checks the rest. Pure. */
#include <limits.h>
#include <stdio.h>
#include "rows.h"
#include "text.h"

enum { ATTRIBUTES_MAX = 200, ATTRIBUTE_NAME_MAX = 100, ATTRIBUTE_VALUE_MAX = 1000, IMAGES_MAX = 20 };

struct mapping { struct ctx *c; str object, currency; bool csv, icecat; struct jw w; struct row *row; };

static int bad(struct mapping *m, const char *pointer, const char *fmt, ...) PRINTF(3, 4);
static int bad(struct mapping *m, const char *pointer, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        m->row->pointer = str_of(pointer);
        m->row->detail = arena_vprintf(m->c->arena, fmt, ap);
        va_end(ap);
        return -INVALID_ARGUMENT;
}

/* The first of these members that is there and not null. */
static str first_of(const struct mapping *m, const char *const *names)
{
        for (; *names; names++) {
                str v = json_member(m->object, *names);
                if (v.p && json_kind_of(v) != JSON_NULL && !(m->csv && v.n == 2)) return v;     /* an empty cell is absence */
        }
        return (str){ 0 };
}

/* Any plain value as a text; p NULL when it is none. */
static str plain(struct ctx *c, str v)
{
        str text;
        switch (json_kind_of(v)) {
        case JSON_STRING: return json_text(c, v, &text) == 0 ? text : (str){ 0 };
        case JSON_NUMBER: return str_ends(v, STR(".0")) ? str_cut(v, 0, v.n - 2) : v;
        case JSON_BOOL:   return str_eq(v, STR("true")) ? STR("yes") : STR("no");
        default:          return (str){ 0 };
        }
}

str shortened(str s, size_t max)
{
        if (s.n <= max) return s;
        size_t n = max;
        while (n && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
        return str_cut(s, 0, n);
}

/* A value as the text that it must be; p NULL when it is none. */
static str worded(const struct mapping *m, str v)
{
        return m->icecat || json_kind_of(v) == JSON_STRING ? plain(m->c, v) : (str){ 0 };
}

/* The texts of a list as one; p NULL when one of them is none. */
static str listed(const struct mapping *m, str list, const char *between)
{
        struct buf b AUTO(buf_done) = BUF_INIT(ATTRIBUTE_VALUE_MAX);
        struct json_walk w = json_open(list);
        str one;
        while (json_next_element(&w, &one)) {
                str text = worded(m, one);
                if (!text.p) return text;
                if (b.n && text.n) buf_lit(&b, between);
                buf_add(&b, text);
        }
        return arena_str(m->c->arena, buf_str(&b));
}

static int text_field(struct mapping *m, const char *name, const char *const *names, const char *prefix, bool needed)
{
        str v = first_of(m, names);
        bool path = v.p && json_kind_of(v) == JSON_ARRAY && !strcmp(name, "category");  /* ["Computers", "Laptops"] */
        str text = !v.p ? (str){ 0 } : path ? listed(m, v, " > ") : worded(m, v);
        if (text.p) text = str_trim(text, " \t\r\n");
        if (!v.p || (text.p && !text.n && !needed)) return needed ? bad(m, arena_printf(m->c->arena, "/%s", name).p, "is missing") : 0;
        if (!text.p) return bad(m, arena_printf(m->c->arena, "/%s", name).p, "must be a text");
        jw_key(&m->w, name);
        jw_str(&m->w, *prefix ? arena_printf(m->c->arena, "%s" STR_FMT, prefix, STR_ARG(text)) : text);
        if (!strcmp(name, "sku")) m->row->sku = text;
        return 0;
}

/* ---- price ---------------------------------------------------------------------------------------------------------- */

static void price_write(struct mapping *m, int64_t minor, str currency)
{
        jw_key(&m->w, "price");
        jw_object(&m->w);
        jw_key(&m->w, "amount");
        jw_int(&m->w, minor);
        jw_key(&m->w, "currency");
        jw_str(&m->w, currency);
        jw_object_end(&m->w);
}

/* "19.99" or "19.99 EUR" */
static int price_said(struct mapping *m, str text, str currency)
{
        str rest = str_trim(text, " "), number = str_split(&rest, ' ');
        if (rest.p) currency = str_trim(rest, " ");
        char cur[4] = "";
        money price;
        if (!money_is_currency(currency)) return bad(m, "/currency", "\"" STR_FMT "\" is not a currency of ISO 4217", STR_ARG(shortened(currency, 40)));
        memcpy(cur, currency.p, 3);
        if (money_parse(number, cur, &price) < 0)
                return bad(m, "/price", "\"" STR_FMT "\" is not an amount like 19.99 with at most %d decimals", STR_ARG(shortened(text, 40)), money_decimals(cur));
        price_write(m, price.minor, currency);
        return 0;
}

static int price_field(struct mapping *m)
{
        str v = first_of(m, (const char *const[]){ "price", NULL }), minor = first_of(m, (const char *const[]){ "price_minor", "price_cents", NULL });
        str said = first_of(m, (const char *const[]){ "currency", NULL }), currency = said.p ? worded(m, said) : m->currency;
        int64_t n;
        if (!currency.p) return bad(m, "/currency", "must be a text");
        if (minor.p || (v.p && !m->csv && json_kind_of(v) == JSON_NUMBER && json_int(v, &n) == 0)) {
                str text = plain(m->c, minor.p ? minor : v);
                if (int_parse(text, &n) < 0 || (minor.p && !m->csv && json_kind_of(minor) != JSON_NUMBER))
                        return bad(m, "/price_minor", "\"" STR_FMT "\" is not a whole number of minor units", STR_ARG(shortened(text, 40)));
                if (!money_is_currency(currency)) return bad(m, "/currency", "\"" STR_FMT "\" is not a currency of ISO 4217", STR_ARG(shortened(currency, 40)));
                price_write(m, n, currency);
                return 0;
        }
        if (!v.p) return bad(m, "/price", "is missing");
        if (json_kind_of(v) == JSON_OBJECT) {
                jw_key(&m->w, "price");
                jw_raw(&m->w, v);
                return 0;
        }
        str text = json_kind_of(v) == JSON_NUMBER ? v : worded(m, v);
        return text.p ? price_said(m, text, currency) : bad(m, "/price", "must be a number, a text like \"19.99\" or {\"amount\",\"currency\"}");
}

/* Left to the catalogue unless said, in hundredths of a percent. */
static int vat_field(struct mapping *m)
{
        str v = first_of(m, (const char *const[]){ "vat_bp", NULL }), text = v.p ? plain(m->c, v) : (str){ 0 };
        int64_t n;
        if (!v.p) return 0;
        if (int_parse(text, &n) < 0 || (!m->csv && json_kind_of(v) != JSON_NUMBER)) return bad(m, "/vat_bp", "is a whole number of hundredths of a percent, 1900 for 19 %%");
        jw_key(&m->w, "vat_bp");
        jw_int(&m->w, n);
        return 0;
}

/* ---- lists ---------------------------------------------------------------------------------------------------------- */

/* What is made into a list of texts: of a list, or of a text in which any of these characters stand between them. */
struct listing { const char *name, *pointer, *between; const char *const *names; int max; };
static const struct listing images_of = { "images", "/images", " |", (const char *const[]){ "images", "image", "img_high", "img_500x500", NULL }, IMAGES_MAX };
static const struct listing tags_of = { "tags", "/tags", ",|", (const char *const[]){ "tags", NULL }, INT_MAX };
static const struct listing categories_of = { "categories", "/categories", "|", (const char *const[]){ "categories", NULL }, INT_MAX };

static void list_add(struct mapping *m, const struct listing *l, str text, int *n)
{
        text = str_trim(text, " \t");
        if (!text.n || (m->icecat && *n == l->max)) return;
        if (!(*n)++) {
                jw_key(&m->w, l->name);
                jw_array(&m->w);
        }
        jw_str(&m->w, text);
}

static int list_field(struct mapping *m, const struct listing *l)
{
        str v = first_of(m, l->names), one;
        int n = 0;
        if (!v.p) return 0;
        if (json_kind_of(v) == JSON_ARRAY) {
                struct json_walk w = json_open(v);
                while (json_next_element(&w, &one)) {
                        str text = worded(m, one);
                        if (!text.p) return bad(m, l->pointer, "must be a list of texts");
                        list_add(m, l, text, &n);
                }
        } else {
                str text = worded(m, v);
                char *p = text.p ? arena_z(m->c->arena, text) : NULL;
                if (!p) return bad(m, l->pointer, "must be a list of texts");
                for (size_t i = 0; i < text.n; i++)
                        if (p[i] && strchr(l->between, p[i])) p[i] = l->between[0];
                for (str rest = { p, text.n }, part; rest.p && (part = str_split(&rest, l->between[0]), true);) list_add(m, l, part, &n);
        }
        if (n) jw_array_end(&m->w);
        return 0;
}

static void attribute(struct mapping *m, str name, str value, int *n)
{
        if (m->icecat) {
                name = str_trim(shortened(name, ATTRIBUTE_NAME_MAX), " _");
                value = shortened(value, ATTRIBUTE_VALUE_MAX);
        }
        value = str_trim(value, " \t\r\n");
        if (!name.n || !value.n || (m->icecat && *n == ATTRIBUTES_MAX)) return;
        if (!(*n)++) {
                jw_key(&m->w, "attributes");
                jw_array(&m->w);
        }
        jw_object(&m->w);
        jw_key(&m->w, "name");
        jw_str(&m->w, name);
        jw_key(&m->w, "value");
        jw_str(&m->w, value);
        jw_object_end(&m->w);
}

static int attribute_said(struct mapping *m, str name, str value, int *n)
{
        str text = value.p ? worded(m, value) : (str){ 0 };
        if (value.p && json_kind_of(value) == JSON_NULL) return 0;
        if (!name.p || !text.p) return bad(m, arena_printf(m->c->arena, "/attributes/%d", *n).p, "must be a name and a value that is a text");
        attribute(m, name, text, n);
        return 0;
}

/* attr_t_processor_family -> "processor family" */
static str icecat_name(struct ctx *c, str name)
{
        char *p = arena_z(c->arena, str_cut(name, strlen("attr_t_"), name.n));
        size_t n = p ? strlen(p) : 0, to = 0;
        for (size_t i = 0; i < n; i++) {
                char ch = p[i] == '_' ? ' ' : p[i];
                if (ch == ' ' && (to == 0 || p[to - 1] == ' ')) continue;
                p[to++] = ch;
        }
        return (str){ p, to };
}

static int attributes_field(struct mapping *m)
{
        str v = first_of(m, (const char *const[]){ "attributes", NULL }), name, value, one;
        int n = 0;
        if (m->icecat) {
                struct json_walk w = json_open(m->object);
                while (json_next_member(m->c, &w, &name, &value)) {
                        if (str_starts(name, STR("attr_")) && name.n > strlen("attr_t_")) attribute(m, icecat_name(m->c, name), plain(m->c, value), &n);
                        if (str_eq(name, STR("ean")) && json_kind_of(value) == JSON_ARRAY) attribute(m, name, listed(m, value, ", "), &n);
                        if (str_eq(name, STR("name"))) attribute(m, STR("model"), plain(m->c, value), &n);
                }
        } else if (v.p && json_kind_of(v) == JSON_OBJECT) {
                struct json_walk w = json_open(v);
                while (json_next_member(m->c, &w, &name, &value)) TRY(attribute_said(m, name, value, &n));
        } else if (v.p && json_kind_of(v) == JSON_ARRAY) {
                struct json_walk w = json_open(v);
                while (json_next_element(&w, &one)) {
                        bool pair = json_kind_of(one) == JSON_OBJECT;
                        str called = pair ? json_member(one, "name") : (str){ 0 };
                        name = json_kind_of(called) == JSON_STRING ? plain(m->c, called) : (str){ 0 };
                        TRY(attribute_said(m, name, pair ? json_member(one, "value") : (str){ 0 }, &n));
                }
        } else if (v.p) {
                return bad(m, "/attributes", "must be an object or a list of {\"name\",\"value\"}");
        }
        if (n) jw_array_end(&m->w);
        return 0;
}

const char *const sku_names[] = { "sku", "id", NULL };

static int map_row(struct mapping *m)
{
        jw_object(&m->w);
        if (m->icecat) TRY(text_field(m, "sku", (const char *const[]){ "id", NULL }, "icecat-", true));
        else TRY(text_field(m, "sku", sku_names, "", true));
        TRY(text_field(m, "name", m->icecat ? (const char *const[]){ "title", NULL } : (const char *const[]){ "name", "title", NULL }, "", true));
        TRY(text_field(m, "description", (const char *const[]){ "description", "short_description", NULL }, "", false));
        TRY(text_field(m, "brand", (const char *const[]){ "brand", "supplier", NULL }, "", false));
        TRY(text_field(m, "category", (const char *const[]){ "category", m->icecat ? "attr_t_product_type" : "product_type", NULL }, "", false));
        TRY(price_field(m));
        TRY(vat_field(m));
        TRY(list_field(m, &images_of));
        if (!m->icecat) TRY(list_field(m, &tags_of));
        if (!m->icecat) TRY(list_field(m, &categories_of));
        TRY(attributes_field(m));
        jw_object_end(&m->w);
        return 0;
}

int product_write(struct ctx *c, str object, bool csv, str currency, struct buf *out, struct row *row)
{
        struct buf one AUTO(buf_done) = BUF_INIT(1 << 20);
        bool icecat = !csv && json_member(object, "title").p && json_member(object, "supplier").p && !json_member(object, "sku").p;
        struct mapping m = { .c = c, .object = object, .currency = currency, .csv = csv, .icecat = icecat, .w = { .b = &one }, .row = row };
        TRY(map_row(&m));
        if (buf_error(&one) || arena_is_exhausted(c->arena)) return bad(&m, "", "the row is too large");
        buf_add(out, buf_str(&one));
        return buf_error(out);
}
