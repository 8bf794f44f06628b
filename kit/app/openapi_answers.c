/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * openapi_answers.c - every status a route can answer with, why, and what it looks like then.
 *
 * `usuals` says what any route of a kind may refuse with; a route's own slugs come on top. Answers that several routes share word for word are
 * components; each slug has one example. */
#include <stdlib.h>
#include "openapi.h"
#include "spec.h"

/* ---- header fields of answers --------------------------------------------------------------------------------------------------- */

enum { H_LOCATION, H_ETAG, H_PREFERENCE, H_REPLAYED, H_CHALLENGE, H_RETRY, H_RATE, H_POLICY, H_LINK, HEADERS_ };
static const struct { const char *name, *doc, *schema; bool always; } header_fields[] = {
        [H_LOCATION]  = { "Location", "Where it is.", "{\"type\":\"string\",\"format\":\"uri-reference\"}", true },
        [H_ETAG]      = { "ETag", "Of this state and representation.", "{\"type\":\"string\",\"pattern\":\"^\\\"[^\\\"]+\\\"$\"}", true },
        [H_PREFERENCE] = { "Preference-Applied", "`return=minimal` when the body was left out.", "{\"type\":\"string\"}", false },
        [H_REPLAYED]  = { "Idempotency-Replayed", "`true` when this is the first answer to the same Idempotency-Key, given again.",
                          "{\"type\":\"string\",\"enum\":[\"true\"]}", false },
        [H_CHALLENGE] = { "WWW-Authenticate", "What a token must be (RFC 6750): with every 401, and with a 403 for the sake of a scope.", "{\"type\":\"string\"}", false },
        [H_RATE]      = { "RateLimit", "How many requests are left, and in how many seconds all of them are there again.", "{\"type\":\"string\"}", false },
        [H_POLICY]    = { "RateLimit-Policy", "How many requests in how many seconds a client may send to this route.", "{\"type\":\"string\"}", false },
        [H_LINK]      = { "Link", "Where the pages around this one are (RFC 8288): next, prev, first.", "{\"type\":\"string\"}", false },
        [H_RETRY]     = { "Retry-After", "Seconds to wait before trying again.", "{\"type\":\"string\",\"pattern\":\"^[0-9]+$\"}", false },
};
static_assert(COUNT(header_fields) == HEADERS_, "a row a header field");

static void headers(struct api *a, uint64_t set)
{
        if (!set) return;
        jw_key(&a->w, "headers");
        jw_object(&a->w);
        for (size_t i = 0; i < COUNT(header_fields); i++) {
                if (!(set & 1ull << i)) continue;
                jw_key(&a->w, header_fields[i].name);
                api_ref(a, "headers", header_fields[i].name);
        }
        jw_object_end(&a->w);
        a->headers |= set;
}

/* ---- what any route of a kind may refuse with ------------------------------------------------------------------------------------ */

static bool any(const struct endpoint *e)             { return e->route->path != NULL; }
static bool is_keyed(const struct endpoint *e)        { return e->route->idempotent || e->route->keyed; }
static bool is_idempotent(const struct endpoint *e)   { return e->route->idempotent; }
static bool is_guarded(const struct endpoint *e)      { return e->route->who != ANYONE; }
static bool is_for_some(const struct endpoint *e)     { return e->route->who > USER; }
static bool is_scoped(const struct endpoint *e)       { return e->route->scope != NULL; }
static bool is_scoped_for_some(const struct endpoint *e)      { return is_for_some(e) && is_scoped(e); }
static bool has_path(const struct endpoint *e)        { return e->n_vars > 0; }
static bool has_answer(const struct endpoint *e)      { return e->route->op && e->route->op->out != &nothing_type; }
static bool has_body(const struct endpoint *e)        { return e->takes_body; }
static bool has_query(const struct endpoint *e)       { return e->route->op && !e->reads_body && e->route->op->in->n > e->n_vars; }
static bool has_op(const struct endpoint *e)          { return e->route->op != NULL; }
static bool writes(const struct endpoint *e)          { return e->route->method != GET && e->service->has_db; }
static bool reads_db(const struct endpoint *e)        { return e->service->has_db; }
static bool may_match(const struct endpoint *e)       { return e->route->if_match != NO_IF_MATCH; }
static bool is_limited(const struct endpoint *e)      { return e->route->per_minute >= 0; }
static bool must_match(const struct endpoint *e)      { return e->route->if_match == NEEDS_IF_MATCH; }

#define SAY(...) { __VA_ARGS__ }
/* Of the rows of a status the first that fits the route is its. */
static const struct usual {
        const char *name; int status;
        bool (*fits)(const struct endpoint *e);
        const char *slugs[5];
        uint64_t headers;
        const char *doc;
} usuals[] = {
        { "invalid_with_precondition", 400, may_match, SAY("invalid", "precondition_invalid"), 0, "The input, or If-Match, does not hold to the rules." },
        { "invalid_with_key", 400, is_keyed, SAY("invalid", "idempotency_key_missing", "idempotency_key_invalid"), 0,
          "The input, or the Idempotency-Key, does not hold to the rules." },
        { "invalid", 400, any, SAY("invalid"), 0, "The input does not hold to the rules; `errors` names each fault." },
        { "unauthenticated", 401, is_guarded, SAY("missing_token", "invalid_token"), 1 << H_CHALLENGE, "There is no bearer token, or it is not good." },
        { "token_refused", 401, any, SAY("invalid_token"), 1 << H_CHALLENGE, "No token is needed, but one came and it is not good." },
        { "forbidden_or_scope", 403, is_scoped_for_some, SAY("forbidden", "insufficient_scope"), 0, "The role does not suffice, or the token lacks the scope." },
        { "insufficient_scope", 403, is_scoped, SAY("insufficient_scope"), 1 << H_CHALLENGE, "The token lacks the scope." },
        { "forbidden", 403, is_for_some, SAY("forbidden"), 0, "The role does not suffice." },
        { "not_found", 404, has_path, SAY("not_found"), 0, "There is no such thing, or it is somebody else's." },
        { "not_acceptable", 406, has_answer, SAY("not_acceptable"), 0, "Accept does not take JSON." },
        { "too_slow", 408, has_body, SAY("too_slow"), 0, "The body came too slowly." },
        { "conflict_or_in_flight", 409, is_idempotent, SAY("idempotency_in_flight", "conflict"), 1 << H_RETRY,
          "The first request with this key is still at work, or another change came first." },
        { "conflict", 409, writes, SAY("conflict"), 0, "Another change came first." },
        { "length_required", 411, has_body, SAY("length_required"), 0, "The body's length is not said." },
        { "stale", 412, may_match, SAY("stale"), 0, "If-Match names an older state." },
        { "body_too_large", 413, has_body, SAY("body_too_large"), 0, "The body is too large." },
        { "target_too_long", 414, has_query, SAY("target_too_long"), 0, "The query is too long." },
        { "unsupported_media", 415, has_body, SAY("unsupported_media_type", "unsupported_encoding"), 0, "The body is of another media type, or compressed." },
        { "key_reused", 422, is_keyed, SAY("idempotency_key_reused"), 0, "The Idempotency-Key was used for another request." },
        { "precondition_required", 428, must_match, SAY("precondition_required"), 0, "The route needs If-Match." },
        { "too_many_requests", 429, is_limited, SAY("rate_limited", "too_much", "busy"), 1 << H_RETRY | 1 << H_RATE | 1 << H_POLICY, "Too many requests, or too much at once." },
        { "too_much", 429, has_op, SAY("too_much", "busy"), 1 << H_RETRY, "Too much at once." },
        { "internal", 500, any, SAY("internal"), 0, "A fault of ours." },
        { "database_away", 503, reads_db, SAY("database", "unavailable"), 1 << H_RETRY, "Something it needs is not there now." },
        { "unavailable", 503, has_op, SAY("unavailable"), 1 << H_RETRY, "Something it needs is not there now." },
        { "deadline_exceeded", 504, has_op, SAY("deadline_exceeded"), 1 << H_RETRY, "It took longer than the route allows." },
};
static_assert(COUNT(usuals) <= 64, "a bit a row");

static const struct usual *usual_of(const struct endpoint *e, int status)
{
        for (size_t i = 0; i < COUNT(usuals); i++)
                if (usuals[i].status == status && usuals[i].fits(e)) return &usuals[i];
        return NULL;
}

static bool says(const struct usual *u, const char *slug)
{
        for (size_t i = 0; u && i < COUNT(u->slugs) && u->slugs[i]; i++)
                if (!strcmp(u->slugs[i], slug)) return true;
        return false;
}

/* ---- slugs and their examples ----------------------------------------------------------------------------------------------------- */

static const struct slug *in_table(const struct slug *table, const char *name)
{
        for (; table && table->name; table++)
                if (!strcmp(table->name, name)) return table;
        return NULL;
}

/* A refusal may come from the service itself, from the kit, or from a service it asks. */
static const struct slug *slug_of(const struct api *a, const struct service *own, const char *name)
{
        const struct slug *found = own ? in_table(own->slugs, name) : NULL;
        if (!found) found = in_table(kit_slugs, name);
        for (const struct service *const *s = a->services; *s && !found; s++) found = in_table((*s)->slugs, name);
        return found;
}

/* Slugs of one name and one status share an example; the same name with another status gets one of its own. */
static void example_key(struct api *a, const struct slug *slug, char key[100])
{
        const struct slug *first = slug_of(a, NULL, slug->name);
        snprintf(key, 100, "%s", slug->name);
        if (first->http != slug->http) snprintf(key, 100, "%s_%d", slug->name, slug->http);
        else slug = first;
        for (size_t i = 0; i < a->n_slugs; i++)
                if (a->slugs[i] == slug) return;
        assert(a->n_slugs < API_SLUGS_MAX);
        a->slugs[a->n_slugs++] = slug;
}

static void example_ref(struct api *a, const struct slug *slug)
{
        char key[100];
        example_key(a, slug, key);
        jw_key(&a->w, key);
        api_ref(a, "examples", key);
}

static void example_of(struct api *a, const struct slug *slug)
{
        char type[140];
        snprintf(type, sizeof type, "/docs#%s", slug->name);
        jw_object(&a->w);
        api_key_z(a, "summary", slug->doc);
        jw_key(&a->w, "value");
        jw_object(&a->w);
        api_key_z(a, "type", type);
        api_key_z(a, "title", status_reason(slug->http));
        jw_key(&a->w, "status");
        jw_int(&a->w, slug->http);
        api_key_z(a, "detail", slug->doc);
        api_key_z(a, "slug", slug->name);
        api_key_z(a, "trace_id", "98c7c627eccf241ed7bcdd744b655307");
        if (!strcmp(slug->name, "invalid")) {
                jw_key(&a->w, "errors");
                jw_raw(&a->w, STR("[{\"pointer\":\"/items/0/quantity\",\"slug\":\"too_small\",\"detail\":\"must be at least 1\"}]"));
        }
        jw_object_end(&a->w);
        jw_object_end(&a->w);
}

/* ---- refusals ------------------------------------------------------------------------------------------------------------------------ */

static void problem_begin(struct api *a)
{
        jw_key(&a->w, "content");
        jw_object(&a->w);
        jw_key(&a->w, "application/problem+json");
        jw_object(&a->w);
        jw_key(&a->w, "schema");
        api_ref(a, "schemas", "problem");
        jw_key(&a->w, "examples");
        jw_object(&a->w);
}

static void problem_end(struct api *a)
{
        jw_object_end(&a->w);
        jw_object_end(&a->w);
        jw_object_end(&a->w);
}

static void usual_examples(struct api *a, const struct usual *u)
{
        for (size_t i = 0; u && i < COUNT(u->slugs) && u->slugs[i]; i++) example_ref(a, slug_of(a, NULL, u->slugs[i]));
}

struct own { const struct slug *v[24]; size_t n; };      /* a route's own slugs of one status                        */

static void own_of(struct api *a, const struct endpoint *e, int status, const struct usual *u, struct own *out)
{
        for (const char *const *k = e->route->slugs; k && *k; k++) {
                const struct slug *slug = slug_of(a, e->service, *k);
                if (slug && slug->http == status && !says(u, *k) && out->n < COUNT(out->v)) out->v[out->n++] = slug;
        }
}

static void own_refusal(struct api *a, const struct usual *u, int status, const struct own *own)
{
        struct buf why AUTO(buf_done) = BUF_INIT(64 << 10);
        if (u) buf_lit(&why, u->doc);
        for (size_t i = 0; i < own->n; i++) buf_printf(&why, "%s`%s`: %s", u || i ? " " : "", own->v[i]->name, own->v[i]->doc);
        jw_object(&a->w);
        jw_key(&a->w, "description");
        jw_str(&a->w, buf_str(&why));
        buf_heed(a->w.b, &why);
        headers(a, status == 403 ? 0 : u ? u->headers : status == 401 ? 1 << H_CHALLENGE : status == 429 || status == 503 || status == 504 ? 1 << H_RETRY : 0);
        problem_begin(a);
        usual_examples(a, u);
        for (size_t i = 0; i < own->n; i++) example_ref(a, own->v[i]);
        problem_end(a);
        jw_object_end(&a->w);
}

static void refusals(struct api *a, const struct endpoint *e)
{
        for (int status = 400; status < 600; status++) {
                char name[8];
                struct own own = { .n = 0 };
                const struct usual *u = usual_of(e, status);
                own_of(a, e, status, u, &own);
                if (!u && !own.n) continue;
                snprintf(name, sizeof name, "%d", status);
                jw_key(&a->w, name);
                if (own.n) {
                        own_refusal(a, u, status, &own);
                        continue;
                }
                api_ref(a, "responses", u->name);
                a->answers |= 1ull << (u - usuals);
        }
}

/* ---- the good answers ------------------------------------------------------------------------------------------------------------------ */

bool endpoint_has_tag(const struct endpoint *e)
{
        const struct route *r = e->route;
        if (r->method == GET) return (r->op && answer_status(e) == 200) || (r->raw && r->cache_control);
        return answer_status(e) != 204 && shows_resource(e);
}

bool endpoint_may_be_minimal(const struct endpoint *e)
{
        const struct route *r = e->route;
        return r->op && !r->raw && answer_status(e) != 204 && (r->method == PUT || r->method == PATCH || (r->method == POST && shows_resource(e)));
}

void api_part_name(const struct type *t, char out[120])         { snprintf(out, 120, "some_of_%s", t->name); }

/* A page whose items have only some of their members. */
static void part_of_page(struct api *a, const struct type *page, const char *part)
{
        jw_object(&a->w);
        api_key_z(a, "type", "object");
        jw_key(&a->w, "properties");
        jw_object(&a->w);
        for (size_t i = 0; i < page->n; i++) {
                const struct field *f = &page->fields[i];
                if (f->internal) continue;
                jw_key(&a->w, f->name);
                if (f->kind != K_LIST) {
                        spec_field(&a->w, f);
                        continue;
                }
                jw_object(&a->w);
                api_key_z(a, "type", "array");
                jw_key(&a->w, "items");
                api_ref(a, "schemas", part);
                jw_object_end(&a->w);
        }
        jw_object_end(&a->w);
        jw_key(&a->w, "required");
        jw_raw(&a->w, STR("[\"items\"]"));
        jw_key(&a->w, "additionalProperties");
        jw_bool(&a->w, false);
        jw_object_end(&a->w);
}

/* The answer whole, or with the members that `fields` chose. */
static void good_schema(struct api *a, const struct endpoint *e)
{
        char part[120];
        if (!e->choice) {
                api_ref(a, "schemas", e->route->op->out->name);
                return;
        }
        api_part_name(e->choice, part);
        jw_object(&a->w);
        jw_key(&a->w, "anyOf");
        jw_array(&a->w);
        api_ref(a, "schemas", e->route->op->out->name);
        if (e->route->page) part_of_page(a, e->route->op->out, part);
        else api_ref(a, "schemas", part);
        jw_array_end(&a->w);
        jw_object_end(&a->w);
}

static void good_content(struct api *a, const struct endpoint *e)
{
        const struct route *r = e->route;
        if (answer_status(e) == 204 || (!r->op && !r->media)) return;
        jw_key(&a->w, "content");
        jw_object(&a->w);
        jw_key(&a->w, r->media ? r->media : "application/json");
        jw_object(&a->w);
        jw_key(&a->w, "schema");
        if (r->op) {
                good_schema(a, e);
                jw_key(&a->w, "example");
                spec_example(&a->w, r->op->out, SPEC_ANSWER);
        } else {
                jw_raw(&a->w, strstr(r->media, "json") ? STR("{\"type\":\"object\"}") : STR("{\"type\":\"string\"}"));
        }
        jw_object_end(&a->w);
        jw_object_end(&a->w);
}

static uint64_t good_headers(const struct endpoint *e)
{
        uint64_t set = is_limited(e) ? 1 << H_RATE | 1 << H_POLICY : 0;
        if (e->route->location) set |= 1 << H_LOCATION;
        if (endpoint_has_tag(e)) set |= 1 << H_ETAG;
        if (endpoint_may_be_minimal(e)) set |= 1 << H_PREFERENCE;
        if (is_keyed(e)) set |= 1 << H_REPLAYED;
        if (e->route->page) set |= 1 << H_LINK;
        return set;
}

static void good(struct api *a, const struct endpoint *e)
{
        const struct route *r = e->route;
        char status[8], doc[400];
        bool told = has_answer(e) && r->op->out->doc;
        snprintf(status, sizeof status, "%d", answer_status(e));
        snprintf(doc, sizeof doc, "%s%s%s", status_reason(answer_status(e)), told ? ": " : "", told ? r->op->out->doc : "");
        jw_key(&a->w, status);
        jw_object(&a->w);
        api_key_z(a, "description", doc);
        headers(a, good_headers(e));
        good_content(a, e);
        api_links(a, e);
        jw_object_end(&a->w);
}

/* The answers without a body that a client may ask for. */
static void bare(struct api *a, const struct endpoint *e)
{
        if (endpoint_may_be_minimal(e) && answer_status(e) == 200) {
                jw_key(&a->w, "204");
                jw_object(&a->w);
                api_key_z(a, "description", "Done; the body was left out, as `Prefer: return=minimal` asked.");
                headers(a, 1 << H_PREFERENCE);
                jw_object_end(&a->w);
        }
        if (endpoint_has_tag(e) && e->route->method == GET) {
                jw_key(&a->w, "304");
                jw_object(&a->w);
                api_key_z(a, "description", "It is as If-None-Match knows it.");
                headers(a, 1 << H_ETAG);
                jw_object_end(&a->w);
        }
}

void api_answers(struct api *a, const struct endpoint *e)
{
        jw_key(&a->w, "responses");
        jw_object(&a->w);
        good(a, e);
        bare(a, e);
        refusals(a, e);
        jw_object_end(&a->w);
}

/* ---- components ------------------------------------------------------------------------------------------------------------------------- */

static void usual_responses(struct api *a)
{
        jw_key(&a->w, "responses");
        jw_object(&a->w);
        for (size_t i = 0; i < COUNT(usuals); i++) {
                if (!(a->answers & 1ull << i)) continue;
                jw_key(&a->w, usuals[i].name);
                jw_object(&a->w);
                api_key_z(a, "description", usuals[i].doc);
                headers(a, usuals[i].headers);
                problem_begin(a);
                usual_examples(a, &usuals[i]);
                problem_end(a);
                jw_object_end(&a->w);
        }
        jw_object_end(&a->w);
}

void api_answer_parts(struct api *a)
{
        char key[100];
        usual_responses(a);
        jw_key(&a->w, "headers");
        jw_object(&a->w);
        for (size_t i = 0; i < COUNT(header_fields); i++) {
                if (!(a->headers & 1ull << i)) continue;
                jw_key(&a->w, header_fields[i].name);
                jw_object(&a->w);
                api_key_z(a, "description", header_fields[i].doc);
                jw_key(&a->w, "required");
                jw_bool(&a->w, header_fields[i].always);
                jw_key(&a->w, "schema");
                jw_raw(&a->w, str_of(header_fields[i].schema));
                jw_object_end(&a->w);
        }
        jw_object_end(&a->w);
        jw_key(&a->w, "examples");
        jw_object(&a->w);
        for (size_t i = 0; i < a->n_slugs; i++) {
                example_key(a, a->slugs[i], key);
                jw_key(&a->w, key);
                example_of(a, a->slugs[i]);
        }
        jw_object_end(&a->w);
}
