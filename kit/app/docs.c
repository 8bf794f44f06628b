/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * docs.c - /docs: the API to read, written from the same tables as it is served from. One page, no scripts, nothing from elsewhere. */
#include "engine.h"
#include "json.h"
#include "spec.h"
#include "text.h"

static void say(struct buf *b, const char *z)   { html_write(b, str_of(z ? z : "")); }

static void tagged(struct buf *b, const char *tag, const char *z)
{
        buf_printf(b, "<%s>", tag);
        say(b, z);
        buf_printf(b, "</%s>", tag);
}

/* ---- messages ---------------------------------------------------------------------------------------------------------------- */

static void link_to(struct buf *b, const struct type *t)
{
        buf_printf(b, "<a href=\"#m-%s\">%s</a>", t->name, t->name);
}

static void kind_of(struct buf *b, const struct field *f)
{
        static const char *const names[] = { [K_BOOL] = "boolean", [K_I32] = "integer", [K_I64] = "integer", [K_F64] = "number", [K_STR] = "text",
                                             [K_BYTES] = "bytes, base64url", [K_UID] = "UUID", [K_WHEN] = "instant, RFC 3339" };
        if (f->kind == K_MONEY) link_to(b, &money_type);
        else if (f->kind == K_MSG) link_to(b, f->of);
        else if (f->kind == K_LIST && f->of->scalar) buf_printf(b, "list of %s", names[f->of->scalar->kind]);
        else if (f->kind == K_LIST) {
                buf_lit(b, "list of ");
                link_to(b, f->of);
        } else if (f->names) {
                for (size_t i = 0; f->names[i]; i++) buf_printf(b, "%s<code>%s</code>", i ? " " : "", f->names[i]);
        } else if (f->format) {
                buf_printf(b, "text, %s", f->format->name);
        } else {
                buf_lit(b, names[f->kind]);
        }
        if (f->kind == K_STR || f->kind == K_LIST) buf_printf(b, ", %s%lld", f->min ? "" : "up to ", (long long)(f->min ? f->min : field_max(f)));
        if ((f->kind == K_STR || f->kind == K_LIST) && f->min) buf_printf(b, " to %lld", (long long)field_max(f));
        if ((f->kind == K_I32 || f->kind == K_I64) && !f->names && (f->min || f->max)) buf_printf(b, ", %lld to %lld", (long long)f->min, (long long)f->max);
}

static void field_row(struct buf *b, const struct field *f, const char *name, const char *where)
{
        buf_lit(b, "<tr><td><code>");
        say(b, name);
        buf_printf(b, "</code>%s</td><td>%s</td><td>", f->optional ? "" : "<b>*</b>", where);
        kind_of(b, f);
        buf_lit(b, "</td><td>");
        say(b, f->doc);
        if (f->example) {
                buf_lit(b, " <code>");
                say(b, f->example);
                buf_lit(b, "</code>");
        }
        buf_lit(b, "</td></tr>\n");
}

static void message(struct buf *b, const struct type *t)
{
        buf_printf(b, "<h3 id=\"m-%s\">%s</h3>", t->name, t->name);
        tagged(b, "p", t->doc);
        buf_lit(b, "<table>\n");
        for (size_t i = 0; i < t->n; i++)
                if (!t->fields[i].internal) field_row(b, &t->fields[i], t->fields[i].name, "");
        buf_lit(b, "</table>\n");
}

/* ---- routes -------------------------------------------------------------------------------------------------------------------- */

static const char *const who_words[] = { [ANYONE] = "anyone", [USER] = "any signed-in user", [VENDORS] = "vendors, staff, admins", [STAFF] = "staff, admins", [ADMIN] = "admins" };

static bool is_var(const struct endpoint *e, const struct field *f)
{
        for (size_t i = 0; i < e->n_vars; i++)
                if (e->vars[i] == f) return true;
        return false;
}

static void inputs(struct buf *b, const struct endpoint *e)
{
        static const struct field key = { .name = "Idempotency-Key", .kind = K_STR, .min = 1, .max = 255,
                                          .doc = "new for each request that is meant to have an effect of its own; a repeat gets the first answer" };
        static const struct field fields = { .name = "fields", .kind = K_LIST, .of = &str_type, .min = 1, .max = FIELDS_MAX, .optional = true,
                                             .doc = "only these members of the answer, of a page's items" };
        static const struct field must_match = { .name = "If-Match", .kind = K_STR, .max = 1000, .doc = "the ETag of what was read and is now changed" };
        static const struct field may_match = { .name = "If-Match", .kind = K_STR, .max = 1000, .doc = "the ETag of what was read and is now changed", .optional = true };
        const struct type *in = e->route->op ? e->route->op->in : &nothing_type;
        bool keyed = e->route->keyed || e->route->idempotent;
        if (!keyed && !e->route->if_match && !e->choice && !in->n) return;
        buf_lit(b, "<table>\n");
        if (keyed) field_row(b, &key, key.name, "header");
        if (e->route->if_match) field_row(b, e->route->if_match == NEEDS_IF_MATCH ? &must_match : &may_match, must_match.name, "header");
        for (size_t i = 0; i < in->n; i++) {
                const struct field *f = &in->fields[i];
                if (!f->internal) field_row(b, f, f->name, is_var(e, f) ? "path" : e->reads_body ? "body" : "query");
        }
        if (e->choice) field_row(b, &fields, fields.name, "query");
        buf_lit(b, "</table>\n");
}

static void outcome(struct buf *b, const struct endpoint *e)
{
        const struct route *r = e->route;
        buf_printf(b, "<p>Answers %d", answer_status(e));
        if (r->op && answer_status(e) != 204) {
                buf_lit(b, ": ");
                link_to(b, r->op->out);
        }
        buf_lit(b, ". For ");
        say(b, who_words[r->who]);
        if (r->scope) buf_printf(b, "; scope <code>%s</code>", r->scope);
        buf_lit(b, ".");
        for (const char *const *s = r->slugs; s && *s; s++) buf_printf(b, "%s <a href=\"#%s\">%s</a>", s == r->slugs ? " Refusals:" : "", *s, *s);
        buf_lit(b, "</p>\n");
}

static void one_route(struct buf *b, const struct endpoint *e)
{
        buf_printf(b, "<section><h3><span class=m>%s</span> ", method_name(e->route->method));
        say(b, e->route->path);
        buf_lit(b, "</h3>");
        tagged(b, "p", e->route->doc);
        inputs(b, e);
        outcome(b, e);
        buf_lit(b, "</section>\n");
}

/* ---- the page --------------------------------------------------------------------------------------------------------------------- */

static bool has_slug(const struct slug *s, const char *name)
{
        for (; s && s->name; s++)
                if (!strcmp(s->name, name)) return true;
        return false;
}

/* Of a slug that several services have, the first row is where a problem's type points. */
static bool is_first(const struct app *a, size_t service, const char *name)
{
        bool before = service > 0 && has_slug(kit_slugs, name);
        for (size_t i = 1; i < service; i++) before |= has_slug(a->services[i - 1]->slugs, name);
        return !before;
}

/* service: its place in the program, from 1; 0: the kit itself */
static void slugs(struct buf *b, const struct app *a, size_t service, const struct slug *s)
{
        for (; s && s->name; s++) {
                buf_lit(b, "<tr");
                if (is_first(a, service, s->name)) buf_printf(b, " id=\"%s\"", s->name);
                buf_printf(b, "><td><code>%s</code></td><td>%d</td><td>", s->name, s->http);
                say(b, s->doc);
                buf_lit(b, "</td></tr>\n");
        }
}

static void all_messages(struct buf *b, const struct app *a)
{
        struct spec_seen seen = { .n = 0 };
        for (size_t i = 0; i < a->n_endpoints; i++) {
                const struct op *op = a->endpoints[i].route->op;
                for (size_t k = 0; op && k < op->in->n; k++) {
                        if (op->in->fields[k].kind == K_MONEY) spec_walk(&seen, &money_type);
                        if (op->in->fields[k].of && !op->in->fields[k].internal) spec_walk(&seen, op->in->fields[k].of);
                }
                if (op && op->out != &nothing_type) spec_walk(&seen, op->out);
        }
        buf_lit(b, "<h2 id=messages>Messages</h2>\n");
        for (size_t i = 0; i < seen.n; i++) message(b, seen.v[i]);
}

static const char page_head[] =
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Souk: API</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
        "table{border-collapse:collapse;width:100%;margin:.5rem 0}td{vertical-align:top;padding:.2rem .6rem;border-bottom:1px solid #ddd}"
        "h2{margin-top:3rem;border-bottom:2px solid #888}h3{margin:1.6rem 0 .2rem}section p{margin:.3rem 0}b{color:#c00}"
        ".m{display:inline-block;min-width:4.2rem;color:#06c}code{font-size:.92em;background:#8881;padding:0 .2em}a{color:#06c}"
        "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a,.m{color:#6af}td{border-color:#444}}"
        "</style><h1>Souk: the API</h1><p>Bodies are JSON. <b>*</b> marks what is required. A bearer token comes from <code>POST /v1/sessions</code>. "
        "Every refusal is <code>application/problem+json</code> with a <a href=\"#errors\">slug</a>. Machines read <a href=/openapi.json>openapi.json</a>.</p><p>";

void docs_page(struct buf *b, const struct app *a)
{
        buf_lit(b, page_head);
        for (size_t i = 0; i < a->n_services; i++) buf_printf(b, "<a href=\"#%s\">%s</a> ", a->services[i]->name, a->services[i]->name);
        buf_lit(b, "<a href=#messages>messages</a> <a href=#errors>errors</a></p>\n");
        for (size_t i = 1; i <= a->n_services; i++) {
                const struct service *s = a->services[i % a->n_services];      /* the program's own pages come last */
                buf_printf(b, "<h2 id=\"%s\">%s</h2>", s->name, s->name);
                tagged(b, "p", s->doc);
                for (size_t k = 0; k < a->n_endpoints; k++)
                        if (a->endpoints[k].service == s) one_route(b, &a->endpoints[k]);
        }
        all_messages(b, a);
        buf_lit(b, "<h2 id=errors>Errors</h2><table>\n");
        slugs(b, a, 0, kit_slugs);
        for (size_t i = 0; i < a->n_services; i++) slugs(b, a, i + 1, a->services[i]->slugs);
        buf_lit(b, "</table></html>\n");
}
