/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * docs.c - /docs: the API to read, written from the same tables as it is served from: by service, each operation with a request to copy.
 *
 * One page, nothing from elsewhere. All of it reads without its one script, which only hides what the filter does not name; the policy that goes
 * with the page names that script by its hash, so that no other runs. */
#include "openapi.h"
#include "spec.h"
#include "text.h"

enum { EXAMPLE_MAX_BYTES = 256 << 10 };

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

static void table(struct buf *b, const char *caption)
{
        buf_printf(b, "<table><caption>%s</caption><thead><tr><th scope=col>name<th scope=col>where<th scope=col>kind<th scope=col>meaning</tr></thead>\n", caption);
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
        table(b, t->name);
        for (size_t i = 0; i < t->n; i++)
                if (!t->fields[i].internal) field_row(b, &t->fields[i], t->fields[i].name, "");
        buf_lit(b, "</table>\n");
}

/* "post-v1-orders-id-cancel" */
static void endpoint_anchor(struct buf *b, const struct endpoint *e)
{
        bool dash = false;
        for (const char *p = e->name; *p; p++) {
                bool word = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '.';
                bool upper = *p >= 'A' && *p <= 'Z';
                if (dash && (word || upper)) buf_char(b, '-');
                if (word || upper) buf_char(b, (char)(upper ? *p + 32 : *p));
                dash = !word && !upper;
        }
}

/* ---- routes -------------------------------------------------------------------------------------------------------------------- */

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
        table(b, "Input");
        if (keyed) field_row(b, &key, key.name, "header");
        if (e->route->if_match) field_row(b, e->route->if_match == NEEDS_IF_MATCH ? &must_match : &may_match, must_match.name, "header");
        for (size_t i = 0; i < in->n; i++) {
                const struct field *f = &in->fields[i];
                if (!f->internal) field_row(b, f, f->name, endpoint_is_var(e, f) ? "path" : e->reads_body ? "body" : "query");
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
        say(b, who_say(r->who));
        if (r->scope) buf_printf(b, "; scope <code>%s</code>", r->scope);
        buf_lit(b, ".");
        for (const char *const *s = r->slugs; s && *s; s++) buf_printf(b, "%s <a href=\"#%s\">%s</a>", s == r->slugs ? " Refusals:" : "", *s, *s);
        buf_lit(b, "</p>\n");
}

/* The answer that the tables promise, as it looks. */
static void answer_example(struct buf *b, const struct endpoint *e)
{
        struct buf json AUTO(buf_done) = BUF_INIT(EXAMPLE_MAX_BYTES);
        struct jw w = { .b = &json, .pretty = true };
        if (!e->route->op || answer_status(e) == 204) return;
        spec_example(&w, e->route->op->out, SPEC_ANSWER);
        buf_lit(b, "<pre>");
        html_write(b, buf_str(&json));
        buf_heed(b, &json);
        buf_lit(b, "</pre>\n");
}

/* The text of an example as it stands in a URL: a JSON text without its quotes, anything else as it is. */
static void url_value(struct buf *b, const struct endpoint *e, const struct field *f)
{
        struct buf json AUTO(buf_done) = BUF_INIT(EXAMPLE_MAX_BYTES);
        struct jw w = { .b = &json };
        spec_example_field(&w, e->route->op->in, f);
        html_write(b, str_trim(buf_str(&json), "\""));
        buf_heed(b, &json);
}

static void example_query(struct buf *b, const struct endpoint *e)
{
        const struct type *in = e->route->op ? e->route->op->in : &nothing_type;
        bool any = false;
        for (size_t i = 0; i < in->n && !e->reads_body; i++) {
                const struct field *f = &in->fields[i];
                if (f->internal || f->optional || endpoint_is_var(e, f)) continue;
                buf_printf(b, "%s%s=", any ? "&amp;" : "?", f->name);
                url_value(b, e, f);
                any = true;
        }
}

static void example_path(struct buf *b, const struct endpoint *e)
{
        size_t var = 0;
        for (str rest = str_of(e->route->path), part; rest.p && (part = str_split(&rest, '{'), true);) {
                html_write(b, part);
                if (!rest.p) break;
                (void)str_split(&rest, '}');
                if (e->vars[var]) url_value(b, e, e->vars[var]);
                var++;
        }
}

/* In single quotes for a shell: a quote in it ends them, stands escaped, and begins them again. */
static void shell_quoted(struct buf *b, str json)
{
        buf_char(b, '\'');
        for (str rest = json, part; rest.p && (part = str_split(&rest, '\''), true);) {
                html_write(b, part);
                if (rest.p) buf_lit(b, "'\\''");
        }
        buf_char(b, '\'');
}

static void curl(struct buf *b, const struct endpoint *e)
{
        const struct route *r = e->route;
        buf_lit(b, "<pre class=curl>curl ");
        if (r->method != GET && !(r->method == POST && e->takes_body)) buf_printf(b, "-X %s ", method_name(r->method));
        buf_lit(b, "\"$SOUK");
        example_path(b, e);
        example_query(b, e);
        buf_char(b, '"');
        if (r->who != ANYONE) buf_lit(b, " \\\n  -H \"authorization: Bearer $TOKEN\"");
        if (r->idempotent || r->keyed) buf_lit(b, " \\\n  -H \"idempotency-key: $(cat /proc/sys/kernel/random/uuid)\"");
        if (r->if_match == NEEDS_IF_MATCH) buf_lit(b, " \\\n  -H 'if-match: *'");
        if (r->header) buf_printf(b, " \\\n  -H '%s: %s'", r->header->name, r->header->example);
        if (r->text) {
                buf_printf(b, " \\\n  -H 'content-type: %s' \\\n  --data-binary ", r->text->media);
                shell_quoted(b, str_of(r->text->example));
        } else if (e->takes_body) {
                struct buf json AUTO(buf_done) = BUF_INIT(EXAMPLE_MAX_BYTES);
                struct jw w = { .b = &json };
                spec_example(&w, &e->body, r->patches ? SPEC_PATCH : SPEC_REQUEST);
                buf_printf(b, " \\\n  -H 'content-type: application/%sjson' \\\n  -d ", r->patches ? "merge-patch+" : "");
                shell_quoted(b, buf_str(&json));
                buf_heed(b, &json);
        }
        buf_lit(b, "</pre>\n");
}

static void one_route(struct buf *b, const struct endpoint *e)
{
        buf_lit(b, "<section><h3 id=\"");
        endpoint_anchor(b, e);
        buf_printf(b, "\"><span class=m>%s</span> ", method_name(e->route->method));
        say(b, e->route->path);
        buf_lit(b, "</h3>");
        tagged(b, "p", e->route->doc);
        outcome(b, e);
        curl(b, e);
        buf_lit(b, "<details><summary>Input and answer</summary>\n");
        inputs(b, e);
        answer_example(b, e);
        buf_lit(b, "</details></section>\n");
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
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Souk: API</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}"
        "table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem;border-bottom:1px solid #ddd}"
        "caption{text-align:left;font-weight:bold}th{font-weight:normal;color:#666}"
        "h2{margin-top:3rem;border-bottom:2px solid #888}h3{margin:1.6rem 0 .2rem}section p{margin:.3rem 0}b{color:#b00}"
        "pre{background:#8881;padding:.5rem .7rem;overflow-x:auto;font-size:.9em}.curl{user-select:all;-webkit-user-select:all}"
        ".find{position:sticky;top:0;background:inherit;padding:.5rem 0}.find input{font:inherit;width:24rem;max-width:70%;padding:.2rem .4rem}"
        "summary{cursor:pointer}.m{display:inline-block;min-width:4.2rem;color:#05b}code{font-size:.92em;background:#8881;padding:0 .2em}a{color:#05b}"
        "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a,.m{color:#6af}b{color:#f88}th{color:#aaa}td,th{border-color:#444}}"
        "</style></head><body><header><h1>Souk: the API</h1><p>Bodies are JSON. <b>*</b> marks what is required. A bearer token comes from "
        "<code>POST /v1/sessions</code>, or for a try from <code>TOKEN=$(souk token)</code>; <code>SOUK=http://127.0.0.1:8080</code> is where the program "
        "listens. A click marks a whole request. Every refusal is <code>application/problem+json</code> with a <a href=\"#errors\">slug</a>. "
        "Machines read <a href=/openapi.json>openapi.json</a>.</p></header>\n"
        "<div class=find role=search><label for=filter>Filter</label> <input id=filter type=search placeholder=\"orders cancel\" autocomplete=off> "
        "<span id=count role=status></span></div>\n<nav aria-label=Services><p>";

/* /docs?q=orders comes filtered. */
static const char page_script[] =
        "const box=document.getElementById('filter'),count=document.getElementById('count'),"
        "ops=[...document.querySelectorAll('section')].map(s=>({s,text:s.textContent.toLowerCase()}));"
        "function show(){const words=box.value.toLowerCase().split(/\\s+/).filter(Boolean);let n=0;"
        "for(const o of ops){const hit=words.every(w=>o.text.includes(w));o.s.hidden=!hit;n+=hit}"
        "for(const g of document.querySelectorAll('article'))g.hidden=!g.querySelector('section:not([hidden])');"
        "document.getElementById('rest').hidden=words.length>0;count.textContent=words.length?n+' of '+ops.length:''}"
        "box.value=new URLSearchParams(location.search).get('q')||'';box.addEventListener('input',show);show()";

void docs_policy(struct buf *b)
{
        struct digest d = sha256((str){ page_script, sizeof page_script - 1 });
        buf_lit(b, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'unsafe-inline'; script-src 'sha256-");
        base64url_write(b, (str){ (const char *)d.b, sizeof d.b });
        buf_lit(b, "='");               /* 32 bytes leave one sign of padding */
}

static void one_service(struct buf *b, const struct app *a, const struct service *s)
{
        buf_printf(b, "<article><h2 id=\"%s\">%s</h2>", s->name, s->name);
        tagged(b, "p", s->doc);
        for (size_t k = 0; k < a->n_endpoints; k++)
                if (a->endpoints[k].service == s) one_route(b, &a->endpoints[k]);
        buf_lit(b, "</article>\n");
}

void docs_page(struct buf *b, const struct app *a)
{
        buf_lit(b, page_head);
        for (size_t i = 0; i < a->n_services; i++) buf_printf(b, "<a href=\"#%s\">%s</a> ", a->services[i]->name, a->services[i]->name);
        buf_lit(b, "<a href=#messages>messages</a> <a href=#errors>errors</a></p></nav>\n<main>\n");
        for (size_t i = 1; i <= a->n_services; i++) one_service(b, a, a->services[i % a->n_services]);  /* the program's own pages come last */
        buf_lit(b, "<div id=rest>\n");
        all_messages(b, a);
        buf_lit(b, "<h2 id=errors>Errors</h2><table><caption>Why a request is refused</caption>"
                   "<thead><tr><th scope=col>slug<th scope=col>status<th scope=col>meaning</tr></thead>\n");
        slugs(b, a, 0, kit_slugs);
        for (size_t i = 0; i < a->n_services; i++) slugs(b, a, i + 1, a->services[i]->slugs);
        buf_printf(b, "</table></div></main>\n<script>%s</script></body></html>\n", page_script);
}
