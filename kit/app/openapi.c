/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * openapi.c - the tables as OpenAPI 3.1: what is served and nothing else, in the order of the tables.
 *
 * Paths are objects of methods, so routes are gathered by path at its first appearance. Schemas of messages are named like the messages; a
 * body that lacks what its path says is written in place. */
#include "engine.h"
#include <stdlib.h>
#include "json.h"
#include "spec.h"

static void key_z(struct jw *w, const char *key, const char *z)
{
        jw_key(w, key);
        jw_z(w, z);
}

static void ref(struct jw *w, const char *where, const char *name)
{
        char path[200];
        snprintf(path, sizeof path, "#/components/%s/%s", where, name);
        jw_object(w);
        key_z(w, "$ref", path);
        jw_object_end(w);
}

/* ---- one operation --------------------------------------------------------------------------------------------------------- */

static bool is_var(const struct endpoint *e, const struct field *f)
{
        for (size_t i = 0; i < e->n_vars; i++)
                if (e->vars[i] == f) return true;
        return false;
}

/* ---- what conditions a route knows (condition.c) */
static bool has_tag(const struct endpoint *e)
{
        const struct route *r = e->route;
        if (r->method == GET) return (r->op && answer_status(e) == 200) || (r->raw && r->cache_control);
        return answer_status(e) != 204 && shows_resource(e);
}

static bool may_be_minimal(const struct endpoint *e)
{
        const struct route *r = e->route;
        return r->op && !r->raw && answer_status(e) != 204 && (r->method == PUT || r->method == PATCH || (r->method == POST && shows_resource(e)));
}

static void parameter(struct jw *w, const struct field *f, const char *in, bool required)
{
        jw_object(w);
        key_z(w, "name", f->name);
        key_z(w, "in", in);
        if (f->doc) key_z(w, "description", f->doc);
        jw_key(w, "required");
        jw_bool(w, required);
        if (f->kind == K_LIST) {
                jw_key(w, "explode");
                jw_bool(w, false);
        }
        jw_key(w, "schema");
        spec_field(w, f);
        jw_object_end(w);
}

static void parameters(struct jw *w, const struct endpoint *e)
{
        static const struct field key = { .name = "Idempotency-Key", .kind = K_STR, .min = 1, .max = 255,
                                          .doc = "A text of your own, new for each request that is meant to have an effect of its own." };
        const struct route *r = e->route;
        static const struct field if_match = { .name = "If-Match", .kind = K_STR, .min = 1, .max = 1000,
                                               .doc = "The ETag of what you have read and now change, or `*` for whatever stands." };
        static const struct field if_none_match = { .name = "If-None-Match", .kind = K_STR, .max = 4000,
                                                    .doc = "ETags of what you have: 304 when it has not changed." };
        static const struct field prefer = { .name = "Prefer", .kind = K_STR, .max = 1000, .doc = "`return=minimal` leaves the body of the answer out (RFC 7240)." };
        const struct type *in = r->op ? r->op->in : &nothing_type;
        bool query = !e->reads_body, keyed = r->idempotent || r->keyed;
        jw_key(w, "parameters");
        jw_array(w);
        for (size_t i = 0; i < e->n_vars; i++)
                if (e->vars[i]) parameter(w, e->vars[i], "path", true);
        for (size_t i = 0; query && i < in->n; i++)
                if (!in->fields[i].internal && !is_var(e, &in->fields[i])) parameter(w, &in->fields[i], "query", !in->fields[i].optional);
        if (keyed) parameter(w, &key, "header", true);
        if (r->if_match) parameter(w, &if_match, "header", r->if_match == NEEDS_IF_MATCH);
        if (has_tag(e) && r->method == GET) parameter(w, &if_none_match, "header", false);
        if (may_be_minimal(e)) parameter(w, &prefer, "header", false);
        jw_array_end(w);
}

static void content(struct jw *w, const char *media)
{
        jw_key(w, "content");
        jw_object(w);
        jw_key(w, media);
        jw_object(w);
        jw_key(w, "schema");
}

static void content_end(struct jw *w)
{
        jw_object_end(w);
        jw_object_end(w);
}

static void request_body_of(struct jw *w, const struct endpoint *e)
{
        const struct route *r = e->route;
        if (!e->takes_body) return;
        jw_key(w, "requestBody");
        jw_object(w);
        jw_key(w, "required");
        jw_bool(w, e->needs_body);
        content(w, r->patches ? "application/merge-patch+json" : "application/json");
        if (r->patches) spec_patch(w, &e->body);
        else if (e->n_vars) spec_schema(w, &e->body);
        else ref(w, "schemas", e->route->op->in->name);
        content_end(w);
        jw_object_end(w);
}

static void etag_header(struct jw *w)
{
        jw_key(w, "ETag");
        jw_raw(w, STR("{\"description\":\"Of this state and representation.\",\"schema\":{\"type\":\"string\"}}"));
}

/* The answers without a body that a client may ask for. */
static void bare_responses(struct jw *w, const struct endpoint *e)
{
        if (has_tag(e) && e->route->method == GET) {
                jw_key(w, "304");
                jw_object(w);
                key_z(w, "description", "It is as If-None-Match knows it.");
                jw_key(w, "headers");
                jw_object(w);
                etag_header(w);
                jw_object_end(w);
                jw_object_end(w);
        }
        if (may_be_minimal(e) && answer_status(e) == 200) {
                jw_key(w, "204");
                jw_object(w);
                key_z(w, "description", "Done; the body was left out, as `Prefer: return=minimal` asked.");
                jw_object_end(w);
        }
}

static void good_response(struct jw *w, const struct endpoint *e)
{
        const struct route *r = e->route;
        char status[8];
        snprintf(status, sizeof status, "%d", answer_status(e));
        jw_key(w, status);
        jw_object(w);
        key_z(w, "description", status_reason(answer_status(e)));
        if (r->location || has_tag(e)) {
                jw_key(w, "headers");
                jw_object(w);
                if (r->location) {
                        jw_key(w, "Location");
                        jw_raw(w, STR("{\"description\":\"Where it is.\",\"schema\":{\"type\":\"string\",\"format\":\"uri-reference\"}}"));
                }
                if (has_tag(e)) etag_header(w);
                jw_object_end(w);
        }
        if (r->op && answer_status(e) != 204) {
                content(w, "application/json");
                ref(w, "schemas", r->op->out->name);
                content_end(w);
        }
        jw_object_end(w);
}

static const struct slug *slug_of(const struct service *s, const char *name)
{
        for (const struct slug *k = s->slugs; k && k->name; k++)
                if (!strcmp(k->name, name)) return k;
        for (const struct slug *k = kit_slugs; k->name; k++)
                if (!strcmp(k->name, name)) return k;
        return NULL;
}

/* What any route of its kind may refuse with, whatever its slugs. */
static bool is_usual(const struct endpoint *e, int status)
{
        const struct route *r = e->route;
        switch (status) {
        case 400: case 500: return true;
        case 401: case 403: return r->who != ANYONE;
        case 404:           return e->n_vars > 0;
        case 409: case 422: return r->idempotent;
        case 411: case 413: case 415: return e->takes_body;
        case 412:           return r->if_match != NO_IF_MATCH;
        case 428:           return r->if_match == NEEDS_IF_MATCH;
        case 414:           return r->op && !e->reads_body && r->op->in->n > e->n_vars;
        case 429:           return r->per_minute >= 0;
        case 503:           return e->service->has_db;
        case 504:           return r->op != NULL;
        default:            return false;
        }
}

/* Which statuses a route may refuse with, each with the slugs that say why. */
static void bad_responses(struct jw *w, const struct endpoint *e)
{
        const struct route *r = e->route;
        static const int statuses[] = { 400, 401, 402, 403, 404, 406, 409, 410, 411, 412, 413, 414, 415, 422, 423, 428, 429, 500, 503, 504 };
        for (size_t i = 0; i < COUNT(statuses); i++) {
                int s = statuses[i];
                char name[8], why[600] = "";
                size_t n = 0;
                bool usual = is_usual(e, s);
                for (const char *const *k = r->slugs; k && *k; k++) {
                        const struct slug *slug = slug_of(e->service, *k);
                        if (!slug || slug->http != s || n >= sizeof why) continue;
                        n += (size_t)snprintf(why + n, sizeof why - n, "%s`%s`: %s", n ? " " : "", slug->name, slug->doc);
                }
                if (!usual && !n) continue;
                snprintf(name, sizeof name, "%d", s);
                jw_key(w, name);
                jw_object(w);
                key_z(w, "description", n ? why : status_reason(s));
                content(w, "application/problem+json");
                ref(w, "schemas", "problem");
                content_end(w);
                jw_object_end(w);
        }
}

static void security(struct jw *w, const struct route *r)
{
        static const char *const who[] = { [USER] = "Any signed-in user.", [VENDORS] = "Vendors, staff and admins.", [STAFF] = "Staff and admins.", [ADMIN] = "Admins." };
        jw_key(w, "security");
        jw_array(w);
        if (r->who != ANYONE) {
                jw_object(w);
                jw_key(w, "bearer");
                jw_array(w);
                if (r->scope) jw_z(w, r->scope);
                jw_array_end(w);
                jw_object_end(w);
        }
        jw_array_end(w);
        if (r->who == ANYONE) return;
        char text[200];
        snprintf(text, sizeof text, "%s%s%s%s", who[r->who], r->scope ? " The token needs the scope `" : "", r->scope ? r->scope : "", r->scope ? "`." : "");
        key_z(w, "description", text);
}

static void operation_id(struct jw *w, const struct endpoint *e)
{
        char id[100];
        size_t n = 0;
        if (e->route->op) {
                key_z(w, "operationId", e->route->op->name);
                return;
        }
        for (const char *p = e->route->path; *p && n + 1 < sizeof id; p++) id[n++] = *p == '/' || *p == '.' || *p == '{' || *p == '}' ? '_' : *p;
        id[n] = 0;
        key_z(w, "operationId", n > 1 ? id + 1 : "front");
}

static void operation(struct jw *w, const struct endpoint *e)
{
        static const char *const methods[METHODS] = { [GET] = "get", [POST] = "post", [PUT] = "put", [PATCH] = "patch", [DELETE] = "delete" };
        jw_key(w, methods[e->route->method]);
        jw_object(w);
        jw_key(w, "tags");
        jw_array(w);
        jw_z(w, e->service->name);
        jw_array_end(w);
        operation_id(w, e);
        if (e->route->doc) key_z(w, "summary", e->route->doc);
        security(w, e->route);
        parameters(w, e);
        request_body_of(w, e);
        jw_key(w, "responses");
        jw_object(w);
        good_response(w, e);
        bare_responses(w, e);
        bad_responses(w, e);
        jw_object_end(w);
        jw_object_end(w);
}

/* ---- the document ------------------------------------------------------------------------------------------------------------ */

static void paths(struct jw *w, const struct endpoint *all, size_t n)
{
        jw_key(w, "paths");
        jw_object(w);
        for (size_t i = 0; i < n; i++) {
                bool seen = false;
                for (size_t k = 0; k < i; k++) seen |= !strcmp(all[k].route->path, all[i].route->path);
                if (seen) continue;
                jw_key(w, all[i].route->path);
                jw_object(w);
                for (size_t k = i; k < n; k++)
                        if (!strcmp(all[k].route->path, all[i].route->path)) operation(w, &all[k]);
                jw_object_end(w);
        }
        jw_object_end(w);
}

static const char problem_schema[] =
        "{\"type\":\"object\",\"description\":\"why a request was refused (RFC 9457)\",\"required\":[\"type\",\"title\",\"status\",\"detail\",\"slug\"],"
        "\"properties\":{\"type\":{\"type\":\"string\",\"format\":\"uri-reference\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
        "\"detail\":{\"type\":\"string\"},\"instance\":{\"type\":\"string\",\"format\":\"uri-reference\"},\"slug\":{\"type\":\"string\"},"
        "\"trace_id\":{\"type\":\"string\",\"description\":\"absent when the bytes were no request\"},"
        "\"errors_left_out\":{\"type\":\"integer\"},\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
        "\"required\":[\"pointer\",\"slug\",\"detail\"],\"properties\":{\"pointer\":{\"type\":\"string\",\"description\":\"a JSON Pointer into the body, or the name "
        "of a parameter or header\"},\"slug\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"}}}}}}";

static void components(struct jw *w, const struct endpoint *all, size_t n)
{
        struct spec_seen seen = { .n = 0 };
        for (size_t i = 0; i < n; i++) {
                if (!all[i].route->op) continue;
                if (all[i].takes_body && !all[i].n_vars) spec_walk(&seen, all[i].route->op->in);
                for (size_t k = 0; k < all[i].body.n; k++) {
                        const struct field *f = &all[i].body.fields[k];
                        if (f->internal) continue;
                        if (f->kind == K_MONEY) spec_walk(&seen, &money_type);
                        if (f->of) spec_walk(&seen, f->of);
                }
                if (answer_status(&all[i]) != 204) spec_walk(&seen, all[i].route->op->out);
        }
        jw_key(w, "components");
        jw_object(w);
        jw_key(w, "securitySchemes");
        jw_raw(w, STR("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\",\"description\":\"an access token of POST /v1/sessions (RFC 9068)\"}}"));
        jw_key(w, "schemas");
        jw_object(w);
        for (size_t i = 0; i < seen.n; i++) {
                jw_key(w, seen.v[i]->name);
                spec_schema(w, seen.v[i]);
        }
        jw_key(w, "problem");
        jw_raw(w, STR(problem_schema));
        jw_object_end(w);
        jw_object_end(w);
}

static void head(struct jw *w, const struct service *const *services)
{
        key_z(w, "openapi", "3.1.0");
        jw_key(w, "info");
        jw_object(w);
        key_z(w, "title", "Souk");
        key_z(w, "version", "1");
        key_z(w, "description", "A marketplace back end. Every refusal is application/problem+json.");
        jw_key(w, "license");
        jw_raw(w, STR("{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}"));
        jw_object_end(w);
        jw_key(w, "servers");
        jw_raw(w, STR("[{\"url\":\"/\"}]"));
        jw_key(w, "tags");
        jw_array(w);
        for (; *services; services++) {
                jw_object(w);
                key_z(w, "name", (*services)->name);
                if ((*services)->doc) key_z(w, "description", (*services)->doc);
                jw_object_end(w);
        }
        jw_array_end(w);
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
        struct jw w = { .b = out, .pretty = true };
        struct endpoint *all = calloc(ENDPOINTS_MAX, sizeof *all);      /* too much for a fiber's stack */
        const struct service *services[SERVICES_MAX + 2];
        size_t n = 0;
        char err[256];
        if (!all) abort();
        with_pages(given, services);
        for (const struct service *const *s = services; *s; s++)
                for (const struct route *r = (*s)->routes; r && r->path && n < ENDPOINTS_MAX; r++)
                        if (endpoint_init(&all[n], *s, r, err) == 0) n++;
                        else endpoint_done(&all[n]);
        jw_object(&w);
        head(&w, services);
        paths(&w, all, n);
        components(&w, all, n);
        jw_object_end(&w);
        buf_char(out, '\n');
        while (n) endpoint_done(&all[--n]);
        free(all);
}
