/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * openapi.c - the tables as OpenAPI 3.1: what is served and nothing else, in the order of the tables.
 *
 * Paths are objects of methods, so routes are gathered by path at its first appearance. Schemas of messages are named like the messages; a
 * body that lacks what its path says is written in place. Answers are openapi_answers.c's, links openapi_links.c's. */
#include <stdlib.h>
#include "openapi.h"
#include "spec.h"

void api_key_z(struct api *a, const char *key, const char *z)
{
        jw_key(&a->w, key);
        jw_z(&a->w, z);
}

void api_ref(struct api *a, const char *where, const char *name)
{
        char path[200];
        snprintf(path, sizeof path, "#/components/%s/%s", where, name);
        jw_object(&a->w);
        api_key_z(a, "$ref", path);
        jw_object_end(&a->w);
}

/* ---- parameters ------------------------------------------------------------------------------------------------------------ */

bool endpoint_is_var(const struct endpoint *e, const struct field *f)
{
        for (size_t i = 0; i < e->n_vars; i++)
                if (e->vars[i] == f) return true;
        return false;
}

/* A page's sort is one of its own words, each also the other way round when that is declared. */
static void sort_schema(struct api *a, const struct paging *p)
{
        jw_object(&a->w);
        api_key_z(a, "type", "string");
        jw_key(&a->w, "enum");
        jw_array(&a->w);
        for (const struct sort *s = p->sorts; s->name; s++) jw_z(&a->w, s->name);
        jw_array_end(&a->w);
        api_key_z(a, "default", p->sorts[0].name);
        jw_object_end(&a->w);
}

static void parameter(struct api *a, const struct endpoint *e, const struct field *f, const char *in, bool required)
{
        const struct route *r = e->route;
        struct jw *w = &a->w;
        jw_object(w);
        api_key_z(a, "name", f->name);
        api_key_z(a, "in", in);
        if (f->doc) api_key_z(a, "description", f->doc);
        jw_key(w, "required");
        jw_bool(w, required);
        if (f->kind == K_LIST) {
                jw_key(w, "explode");
                jw_bool(w, false);
        }
        jw_key(w, "schema");
        if (r->page && !strcmp(f->name, "sort")) sort_schema(a, r->page);
        else spec_field(w, f);
        if (required) {
                jw_key(w, "example");
                spec_example_field(w, r->op ? r->op->in : &nothing_type, f);
        }
        jw_object_end(w);
}

/* Which members are wanted: some of those there are. */
static void fields_parameter(struct api *a, const struct endpoint *e)
{
        const struct type *choice = e->choice;
        const char *names[FIELDS_MAX + 1] = { NULL };
        size_t n = 0;
        for (size_t i = 0; i < choice->n; i++)
                if (!choice->fields[i].internal && !choice->fields[i].secret) names[n++] = choice->fields[i].name;
        const struct field word = { .name = "member", .kind = K_I32, .names = names };
        const struct type words = { .name = "member", .scalar = &word };
        const struct field fields = { .name = "fields", .kind = K_LIST, .of = &words, .min = 1, .max = (int64_t)n,
                                      .doc = "Only these members of the answer, of a page's items; all unless said." };
        parameter(a, e, &fields, "query", false);
}

/* Header fields that a request may or must have. Of the optional ones every text is taken: what says nothing is overlooked. */
static const struct header_parameter { const char *name, *doc, *schema, *example; } idempotency_key = {
        "Idempotency-Key", "A text of your own, new for each request that is meant to have an effect of its own.",
        "{\"type\":\"string\",\"minLength\":1,\"maxLength\":255,\"pattern\":\"^[!#-\\\\[\\\\]-~]+$\"}", "019ab4f0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"
}, if_match = {
        "If-Match", "The ETag of what you have read and now change, or `*` for whatever stands.",
        "{\"type\":\"string\",\"pattern\":\"^(\\\\*|\\\"[!#-~]+\\\")$\"}", "*"
}, if_none_match = { "If-None-Match", "ETags of what you have: 304 when it has not changed.", "{\"type\":\"string\"}", NULL },
  prefer = { "Prefer", "`return=minimal` leaves the body of the answer out (RFC 7240).", "{\"type\":\"string\"}", NULL };

static void header_parameter(struct api *a, const struct header_parameter *p, bool required)
{
        jw_object(&a->w);
        api_key_z(a, "name", p->name);
        api_key_z(a, "in", "header");
        api_key_z(a, "description", p->doc);
        jw_key(&a->w, "required");
        jw_bool(&a->w, required);
        jw_key(&a->w, "schema");
        jw_raw(&a->w, str_of(p->schema));
        if (p->example) api_key_z(a, "example", p->example);
        jw_object_end(&a->w);
}

static void parameters(struct api *a, const struct endpoint *e)
{
        const struct route *r = e->route;
        const struct type *in = r->op ? r->op->in : &nothing_type;
        bool query = !e->reads_body;
        jw_key(&a->w, "parameters");
        jw_array(&a->w);
        for (size_t i = 0; i < e->n_vars; i++)
                if (e->vars[i]) parameter(a, e, e->vars[i], "path", true);
        for (size_t i = 0; query && i < in->n; i++)
                if (!in->fields[i].internal && !endpoint_is_var(e, &in->fields[i])) parameter(a, e, &in->fields[i], "query", !in->fields[i].optional);
        if (e->choice) fields_parameter(a, e);
        if (r->idempotent || r->keyed) header_parameter(a, &idempotency_key, true);
        if (r->if_match) header_parameter(a, &if_match, r->if_match == NEEDS_IF_MATCH);
        if (endpoint_has_tag(e) && r->method == GET) header_parameter(a, &if_none_match, false);
        if (endpoint_may_be_minimal(e)) header_parameter(a, &prefer, false);
        if (r->header) header_parameter(a, &(struct header_parameter){ r->header->name, r->header->doc, "{\"type\":\"string\"}", r->header->example }, true);
        jw_array_end(&a->w);
}

static void json_body(struct api *a, const struct endpoint *e, bool patch)
{
        jw_key(&a->w, patch ? "application/merge-patch+json" : "application/json");
        jw_object(&a->w);
        jw_key(&a->w, "schema");
        if (patch) spec_patch(&a->w, &e->body);
        else if (e->n_vars) spec_schema(&a->w, &e->body);
        else api_ref(a, "schemas", e->route->op->in->name);
        jw_key(&a->w, "example");
        spec_example(&a->w, &e->body, patch ? SPEC_PATCH : SPEC_REQUEST);
        jw_object_end(&a->w);
}

static void request_body_of(struct api *a, const struct endpoint *e)
{
        bool patch = e->route->patches != NULL;
        if (!e->takes_body) return;
        jw_key(&a->w, "requestBody");
        jw_object(&a->w);
        jw_key(&a->w, "required");
        jw_bool(&a->w, e->needs_body);
        jw_key(&a->w, "content");
        jw_object(&a->w);
        for (const struct route_text *t = e->route->text; t && t->media; t++) {
                if (!t->example) continue;
                jw_key(&a->w, t->media);
                jw_object(&a->w);
                jw_key(&a->w, "schema");
                jw_raw(&a->w, STR("{\"type\":\"string\"}"));
                api_key_z(a, "example", t->example);
                jw_object_end(&a->w);
        }
        if (!e->route->text) json_body(a, e, patch);
        jw_object_end(&a->w);
        jw_object_end(&a->w);
}

/* ---- one operation --------------------------------------------------------------------------------------------------------- */

const char *who_say(enum who who)
{
        static const char *const words[] = { [ANYONE] = "anyone", [USER] = "any signed-in user", [VENDORS] = "vendors, staff and admins",
                                             [STAFF] = "staff and admins", [ADMIN] = "admins" };
        return words[who];
}

/* The scope stands beside: many tools take a list of scopes for OAuth2's alone. */
static void security(struct api *a, const struct route *r)
{
        jw_key(&a->w, "security");
        jw_raw(&a->w, r->who == ANYONE ? STR("[]") : STR("[{\"bearer\":[]}]"));
        if (r->scope) api_key_z(a, "x-scope", r->scope);
}

/* Who may, and what else the tables ask for, in words. */
static void description(struct api *a, const struct route *r)
{
        struct buf b AUTO(buf_done) = BUF_INIT(4000);
        buf_printf(&b, "For %s.", who_say(r->who));
        if (r->scope) buf_printf(&b, " The token needs the scope `%s`.", r->scope);
        if (r->idempotent) buf_lit(&b, " Needs an Idempotency-Key: a repeat within 24 hours gets the first answer.");
        if (r->keyed) buf_lit(&b, " Needs an Idempotency-Key, which names the thing for good: a repeat gets the first answer.");
        if (r->if_match) buf_printf(&b, " %s If-Match: what was changed meanwhile is not overwritten.", r->if_match == NEEDS_IF_MATCH ? "Needs" : "Knows");
        if (r->per_minute > 0) buf_printf(&b, " %d requests a minute at most.", r->per_minute);
        if (r->page) buf_lit(&b, " A page at a time: `next` leads on.");
        jw_key(&a->w, "description");
        jw_str(&a->w, buf_str(&b));
        buf_heed(a->w.b, &b);
}

/* An operation's name is the function's; where a second route runs it, the method tells them apart. */
void api_operation_id(const struct api *a, const struct endpoint *e, char id[120])
{
        size_t n = 0;
        bool again = false;
        if (e->route->op) {
                for (const struct endpoint *o = a->all; o < e; o++) again |= o->route->op == e->route->op;
                snprintf(id, 120, "%s%s%s", e->route->op->name, again ? "_by_" : "", again ? method_name(e->route->method) : "");
                for (char *p = id; *p; p++) *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
                return;
        }
        for (const char *p = e->route->path + 1; *p && n + 1 < 120; p++) id[n++] = *p == '/' || *p == '.' || *p == '{' || *p == '}' ? '_' : *p;
        if (!n) n = (size_t)snprintf(id, 120, "front");
        id[n] = 0;
}

static void operation(struct api *a, const struct endpoint *e)
{
        static const char *const methods[METHODS] = { [GET] = "get", [POST] = "post", [PUT] = "put", [PATCH] = "patch", [DELETE] = "delete" };
        char id[120];
        api_operation_id(a, e, id);
        jw_key(&a->w, methods[e->route->method]);
        jw_object(&a->w);
        jw_key(&a->w, "tags");
        jw_array(&a->w);
        jw_z(&a->w, e->service->name);
        jw_array_end(&a->w);
        api_key_z(a, "operationId", id);
        if (e->route->doc) api_key_z(a, "summary", e->route->doc);
        description(a, e->route);
        security(a, e->route);
        parameters(a, e);
        request_body_of(a, e);
        api_answers(a, e);
        jw_object_end(&a->w);
}

/* ---- the document ------------------------------------------------------------------------------------------------------------ */

static void paths(struct api *a)
{
        jw_key(&a->w, "paths");
        jw_object(&a->w);
        for (size_t i = 0; i < a->n; i++) {
                bool seen = false;
                for (size_t k = 0; k < i; k++) seen |= !strcmp(a->all[k].route->path, a->all[i].route->path);
                if (seen) continue;
                jw_key(&a->w, a->all[i].route->path);
                jw_object(&a->w);
                for (size_t k = i; k < a->n; k++)
                        if (!strcmp(a->all[k].route->path, a->all[i].route->path)) operation(a, &a->all[k]);
                jw_object_end(&a->w);
        }
        jw_object_end(&a->w);
}

static const char problem_schema[] =
        "{\"type\":\"object\",\"description\":\"why a request was refused (RFC 9457)\",\"required\":[\"type\",\"title\",\"status\",\"detail\",\"slug\"],"
        "\"properties\":{\"type\":{\"type\":\"string\",\"format\":\"uri-reference\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
        "\"detail\":{\"type\":\"string\"},\"instance\":{\"type\":\"string\",\"format\":\"uri-reference\"},\"slug\":{\"type\":\"string\"},"
        "\"trace_id\":{\"type\":\"string\",\"description\":\"absent when the bytes were no request\"},"
        "\"errors_left_out\":{\"type\":\"integer\"},\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
        "\"required\":[\"pointer\",\"slug\",\"detail\"],\"properties\":{\"pointer\":{\"type\":\"string\",\"description\":\"a JSON Pointer into the body, or the name "
        "of a parameter or header\"},\"slug\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"}}}}}}";

static void schemas(struct api *a)
{
        struct spec_seen seen = { .n = 0 };
        for (size_t i = 0; i < a->n; i++) {
                const struct endpoint *e = &a->all[i];
                if (!e->route->op) continue;
                if (e->takes_body && !e->n_vars && !e->route->patches && !e->route->text) spec_walk(&seen, e->route->op->in);
                for (size_t k = 0; k < e->body.n; k++) {
                        const struct field *f = &e->body.fields[k];
                        if (f->internal) continue;
                        if (f->kind == K_MONEY) spec_walk(&seen, &money_type);
                        if (f->of) spec_walk(&seen, f->of);
                }
                if (answer_status(e) != 204) spec_walk(&seen, e->route->op->out);
        }
        jw_key(&a->w, "schemas");
        jw_object(&a->w);
        for (size_t i = 0; i < seen.n; i++) {
                jw_key(&a->w, seen.v[i]->name);
                spec_schema(&a->w, seen.v[i]);
        }
        for (size_t i = 0; i < a->n; i++) {
                bool again = !a->all[i].choice;
                for (size_t k = 0; k < i && !again; k++) again = a->all[k].choice == a->all[i].choice;
                if (again) continue;
                char name[120];
                api_part_name(a->all[i].choice, name);
                jw_key(&a->w, name);
                spec_part(&a->w, a->all[i].choice);
        }
        jw_key(&a->w, "problem");
        jw_raw(&a->w, STR(problem_schema));
        jw_object_end(&a->w);
}

/* Every scope a route asks for, each once. */
static void scopes(struct api *a, struct buf *out)
{
        for (size_t i = 0; i < a->n; i++) {
                const char *scope = a->all[i].route->scope;
                bool seen = !scope;
                for (size_t k = 0; k < i && !seen; k++) seen = a->all[k].route->scope && !strcmp(a->all[k].route->scope, scope);
                if (!seen) buf_printf(out, " `%s`", scope);
        }
}

static void components(struct api *a)
{
        struct buf doc AUTO(buf_done) = BUF_INIT(8000);
        buf_lit(&doc, "An access token of POST /v1/sessions (a JWT of RFC 9068, five minutes). It has roles, of which each route says which it takes, and scopes:");
        scopes(a, &doc);
        jw_key(&a->w, "components");
        jw_object(&a->w);
        jw_key(&a->w, "securitySchemes");
        jw_object(&a->w);
        jw_key(&a->w, "bearer");
        jw_object(&a->w);
        api_key_z(a, "type", "http");
        api_key_z(a, "scheme", "bearer");
        api_key_z(a, "bearerFormat", "JWT");
        jw_key(&a->w, "description");
        jw_str(&a->w, buf_str(&doc));
        buf_heed(a->w.b, &doc);
        jw_object_end(&a->w);
        jw_object_end(&a->w);
        schemas(a);
        api_answer_parts(a);
        jw_object_end(&a->w);
}

static void head(struct api *a)
{
        api_key_z(a, "openapi", "3.1.0");
        jw_key(&a->w, "info");
        jw_object(&a->w);
        api_key_z(a, "title", "Souk");
        api_key_z(a, "version", "1");
        api_key_z(a, "description", "A marketplace back end. Bodies are JSON; every refusal is application/problem+json.");
        jw_key(&a->w, "contact");
        jw_raw(&a->w, STR("{\"name\":\"The Souk authors\"}"));
        jw_key(&a->w, "license");
        jw_raw(&a->w, STR("{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}"));
        jw_object_end(&a->w);
        jw_key(&a->w, "servers");
        jw_raw(&a->w, STR("[{\"url\":\"/\",\"description\":\"This program.\"}]"));
        jw_key(&a->w, "tags");
        jw_array(&a->w);
        for (const struct service *const *s = a->services; *s; s++) {
                jw_object(&a->w);
                api_key_z(a, "name", (*s)->name);
                if ((*s)->doc) api_key_z(a, "description", (*s)->doc);
                jw_object_end(&a->w);
        }
        jw_array_end(&a->w);
}

/* The program's own pages come last, whether they are in the list or not. */
static void with_pages(const struct service *const *services, const struct service **out)
{
        for (; *services; services++)
                if (*services != &pages_service) *out++ = *services;
        *out++ = &pages_service;
        *out = NULL;
}

void openapi_write(struct buf *out, const struct service *const *given)
{
        const struct service *services[SERVICES_MAX + 2];
        struct api *a = calloc(1, sizeof *a);                           /* both too much for a fiber's stack */
        struct endpoint *all = calloc(ENDPOINTS_MAX, sizeof *all);
        char err[256];
        if (!all || !a) abort();
        with_pages(given, services);
        *a = (struct api){ .w = { .b = out, .pretty = true }, .services = services, .all = all };
        for (const struct service *const *s = services; *s; s++)
                for (const struct route *r = (*s)->routes; r && r->path && a->n < ENDPOINTS_MAX; r++)
                        if (endpoint_init(&all[a->n], *s, r, err) == 0) a->n++;
                        else endpoint_done(&all[a->n]);
        resources_find(all, a->n);
        jw_object(&a->w);
        head(a);
        paths(a);
        components(a);
        jw_object_end(&a->w);
        buf_char(out, '\n');
        for (size_t i = 0; i < a->n; i++) endpoint_done(&all[i]);
        free(all);
        free(a);
}
