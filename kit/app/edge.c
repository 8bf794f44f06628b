/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * edge.c - the life of a request: the middleware, the message read from path, query and body, the operation, the answer.
 *
 *     before ... before -> decode -> operation -> encode -> after ... after
 *          `------------------`----------`-> problem+json ----^
 *
 * The answer's body is only ever appended to an empty buffer, so a failure at any step clears it and tells the problem instead. */
#include "engine.h"
#include "bound.h"
#include "check.h"
#include "clock.h"
#include "form.h"
#include "json.h"
#include "text.h"

enum { PATCH_TRIES = 4 };

/* ---- the message in ------------------------------------------------------------------------------------------------- */

static bool is_media(str content_type, str wanted)
{
        str rest = content_type, media = str_trim(str_split(&rest, ';'), " \t");
        return str_eq_nocase(media, wanted);
}

static int too_large(struct request *q, size_t max)
{
        q->x->close = true;             /* what is left of it is not worth reading */
        return fail_http(q->c, 413, INVALID_ARGUMENT, "body_too_large", "the body is over %zu bytes", max);
}

int header_refused(struct ctx *c, int http, const char *slug, const char *header, const char *why)
{
        fault_clear(c);
        flaw_add(c, str_of(header), slug, "%s", why);
        int r = flaws_fail(c);
        c->fault.http = http;
        c->fault.slug = slug;
        return r;
}

/* Which of the texts that the route takes the body is; NULL: none. */
static const char *text_media(const struct request *q)
{
        str type = header_get(&q->x->head.headers, "content-type");
        for (const struct route_text *t = q->endpoint->route->text; t && t->media; t++)
                if (is_media(type, str_of(t->media))) return t->media;
        return NULL;
}

static int wrong_media(struct request *q)
{
        struct buf why AUTO(buf_done) = BUF_INIT(500);
        buf_lit(&why, "must be ");
        for (const struct route_text *t = q->endpoint->route->text; t && t->media; t++) buf_printf(&why, "%s%s", t == q->endpoint->route->text ? "" : " or ", t->media);
        if (!q->endpoint->route->text) buf_printf(&why, "%sapplication/json", q->endpoint->route->patches ? "application/merge-patch+json or " : "");
        buf_char(&why, 0);
        return header_refused(q->c, 415, "unsupported_media_type", "Content-Type", buf_str(&why).p);
}

/* A body of another kind is refused before it is read. */
static int check_body_head(struct request *q, size_t max)
{
        const struct headers *h = &q->x->head.headers;
        str type = header_get(h, "content-type"), coding = header_get(h, "content-encoding");
        if (q->x->head.length > (int64_t)max) return too_large(q, max);
        if (q->x->head.length == 0 && q->endpoint->takes_body && !header_get(h, "content-length").p)
                return header_refused(q->c, 411, "length_required", "Content-Length", "is required: this request needs a body");
        if (q->x->head.length == 0) return 0;
        const struct route *r = q->endpoint->route;
        bool fits = r->text ? text_media(q) != NULL : is_media(type, STR("application/json")) || (r->patches && is_media(type, STR("application/merge-patch+json")));
        if (!fits) return wrong_media(q);
        if (coding.p && !str_eq_nocase(coding, STR("identity")))
                return header_refused(q->c, 415, "unsupported_encoding", "Content-Encoding", "must be absent: bodies are read as they are");
        return 0;
}

/* The body under the clocks of a body (408): the operation's own deadline begins anew when it has all that it works on. Waits. */
static int receive(struct request *q, size_t max)
{
        int64_t begun_us = clock_us(), deadline_us = q->c->deadline_us;
        q->c->deadline_us = 0;
        int r = exchange_body(q->c, q->x, max, &q->body);
        q->c->deadline_us = deadline_us ? deadline_us + clock_us() - begun_us : 0;
        return r;
}

int request_body(struct request *q, str *out)
{
        size_t max = q->endpoint->route->body_max ? (size_t)q->endpoint->route->body_max : BODY_MAX;
        if (!q->has_body) {
                int r = 0;
                TRY(check_body_head(q, max));
                if (q->hand) q->body = q->hand->body;
                else if (q->x->head.length) r = receive(q, max);
                if (q->body.n > max || (r < 0 && q->c->fault.http == 413)) return too_large(q, max);
                TRY(r);
        }
        q->has_body = true;
        *out = q->body;
        return 0;
}

int raw_body(struct ctx *c, struct exchange *x, str *out)
{
        struct request *q = x->app;
        assert(q->c == c);
        return request_body(q, out);
}

static int read_path(struct request *q, void *in)
{
        const struct endpoint *e = q->endpoint;
        for (size_t i = 0; i < e->n_vars; i++) {
                str text = q->match.values[i], name = str_of(e->var_names[i]);
                size_t flaws = q->c->fault.n_flaws;
                if (memchr(text.p, '%', text.n)) {
                        int r = percent_read(q->c->arena, text, false, &text);
                        if (r == -INVALID_ARGUMENT) flaw_add(q->c, name, "bad_format", "is not percent-encoded text");
                        else TRY(r);
                }
                if (flaws == q->c->fault.n_flaws) form_value(q->c, e->vars[i], text, in, name);
                if (flaws == q->c->fault.n_flaws) check_field(q->c, e->vars[i], in, name);
        }
        return 0;
}

int raw_path(struct ctx *c, struct exchange *x, void *in)
{
        struct request *q = x->app;
        assert(q->c == c);
        TRY(read_path(q, in));
        return flaws_fail(c);
}

int raw_text(struct ctx *c, struct exchange *x, void *in, str *out, const char **media)
{
        struct request *q = x->app;
        const struct endpoint *e = q->endpoint;
        str query = x->head.query;
        assert(q->c == c && e->route->text);
        TRY(read_path(q, in));
        if (query.p && query.n) TRY(form_read(c, e->route->op->in, query, in, e->var_names));
        check_msg(c, &e->body, in, (str){ NULL, 0 });
        TRY(flaws_fail(c));
        TRY(request_body(q, out));
        *media = text_media(q);
        if (!*media) *media = e->route->text->media;    /* of no bytes, which need no type */
        return 0;
}

static int read_body(struct request *q, void *in)
{
        const struct endpoint *e = q->endpoint;
        str body;
        TRY(request_body(q, &body));
        if (!body.n && !e->needs_body) return 0;
        if (!body.n) {
                flaw_add(q->c, STR(""), "required", "a JSON object is expected: %s", e->body.doc ? e->body.doc : e->body.name);
                return flaws_fail(q->c);
        }
        return json_read(q->c, &e->body, body, in, JSON_STRICT);
}

/* A query where nothing is asked by one. */
static int no_query(struct request *q)
{
        str query = q->x->head.query;
        return query.p && query.n ? form_read(q->c, &nothing_type, query, &(struct nothing){ 0 }, NULL) : 0;
}

/* What stands, as the route's `patches` brings it, with the merge patch (RFC 7396) laid over it. Without If-Match the version that was
 * brought is what the change depends on, if the operation said it: nothing is lost in between. Waits. */
static int decode_patch(struct request *q, void *in)
{
        const struct endpoint *e = q->endpoint;
        const struct op *bring = e->route->patches;
        struct unit *u = unit_of(q->w, bring);
        void *asked = arena_alloc(q->c->arena, bring->in->size);
        str patch;
        if (!asked) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the request");
        if (!u) return fail(q->c, UNAVAILABLE, "not_here", "%s does not run here", bring->name);
        TRY(request_body(q, &patch));
        str text = patch.n ? patch : STR("null");
        TRY(read_path(q, asked));
        TRY(no_query(q));
        TRY(json_read(q->c, &e->body, text, in, JSON_PATCH | JSON_PARTS));      /* what is wrong with it whatever stands; with the path's flaws */
        memset(in, 0, bring->in->size);
        TRY(op_run(q->c, u, bring, asked, in));
        fault_clear(q->c);
        int64_t *version = e->if_match ? (int64_t *)((char *)in + e->if_match->offset) : NULL;
        if (version && q->if_match && *version && *version != q->if_match) return stale(q->c);
        if (version && q->if_match) *version = q->if_match;
        TRY(read_path(q, in));          /* the path has the last word on what it names */
        return json_read(q->c, &e->body, text, in, JSON_PATCH);
}

static void say_if_match(struct request *q, void *in)
{
        const struct field *f = q->endpoint->if_match;
        if (f) memcpy((char *)in + f->offset, &q->if_match, sizeof q->if_match);
}

/* Everything the operation is told: all flaws at once. The body comes first because reading it zeroes the message. */
static int decode(struct request *q, void *in)
{
        const struct endpoint *e = q->endpoint;
        str query = q->x->head.query;
        if (e->route->patches) return decode_patch(q, in);
        if (e->reads_body) {
                int r = read_body(q, in);
                if (r < 0 && (q->c->fault.http || !q->c->fault.n_flaws)) return r;
                TRY(read_path(q, in));
                TRY(no_query(q));
                say_if_match(q, in);
                return flaws_fail(q->c);
        }
        TRY(read_path(q, in));
        TRY(fields_take(q, &query));
        if (query.p && query.n) TRY(form_read(q->c, e->route->op->in, query, in, e->var_names));
        check_msg(q->c, &e->body, in, (str){ NULL, 0 });
        if (e->route->page && e->route->page->filter == e->route->op->in) page_check(q->c, e->route->page, in);
        say_if_match(q, in);
        return flaws_fail(q->c);
}

/* ---- the message out ------------------------------------------------------------------------------------------------ */

static int text_of(struct ctx *c, const struct field *f, const void *msg, str *out)
{
        char text[40];
        const void *at = field_at(f, msg);
        switch (f->kind) {
        case K_UID: uid_format(*(const uid *)at, text); break;
        case K_I64: snprintf(text, sizeof text, "%lld", (long long)*(const int64_t *)at); break;
        case K_I32:
                if (f->names) { *out = str_of(f->names[*(const int32_t *)at]); return 0; }
                snprintf(text, sizeof text, "%d", *(const int32_t *)at);
                break;
        default:    *out = *(const str *)at; return 0;
        }
        *out = arena_str(c->arena, str_of(text));
        return out->p ? 0 : -RESOURCE_EXHAUSTED;
}

int location_write(struct ctx *c, const char *pattern, const struct type *t, const void *msg, str *out)
{
        struct buf b AUTO(buf_done) = BUF_INIT(2000);
        for (str rest = str_of(pattern), part; rest.p && (part = str_split(&rest, '{'), true);) {
                buf_add(&b, part);
                if (!rest.p) break;
                str value, name = str_split(&rest, '}');
                const struct field *f = type_field(t, name);
                assert(f && "a location names members of the answer");
                TRY(text_of(c, f, msg, &value));
                percent_write(&b, value);
        }
        *out = arena_str(c->arena, buf_str(&b));
        return out->p ? buf_error(&b) : -RESOURCE_EXHAUSTED;
}

static int encode(struct request *q, void *out)
{
        const struct route *r = q->endpoint->route;
        str location;
        q->x->status = answer_status(q->endpoint);
        if (r->location) {
                TRY(location_write(q->c, r->location, r->op->out, out, &location));
                res_header(q->c, q->x, "location", location);
        }
        if (q->x->status == 204) return 0;
        if (r->page) TRY(links_write(q, out));
        res_header(q->c, q->x, "content-type", STR("application/json"));
        if (q->members) json_write_some(q->x->body, r->op->out, out, q->endpoint->choice, q->members);
        else json_write(q->x->body, r->op->out, out);
        return buf_error(q->x->body) ? answer_unfit(q) : 0;
}

/* ---- the way --------------------------------------------------------------------------------------------------------- */

static bool takes_answer(struct request *q)
{
        str accept = header_get(&q->x->head.headers, "accept");
        return !accept.p || accept_quality(accept, STR("application/json")) > 0;
}

/* A patch without If-Match is of whatever stands: when that changed while it was laid over it, it is laid over what stands now. */
static int change(struct request *q, struct unit *u, void *in, void *out)
{
        const struct route *r = q->endpoint->route;
        for (int tries = 1;; tries++) {
                TRY(decode(q, in));
                int code = op_run(q->c, u, r->op, in, out);
                bool overtaken = code == -ABORTED && r->patches && !q->if_match && q->c->fault.http == 412;
                if (!overtaken) return code;
                if (tries == PATCH_TRIES) {
                        bound_reached(BOUND_PATCH_TRIES);
                        return fail(q->c, ABORTED, "conflict", "others change it all the time: try again");
                }
                fault_clear(q->c);
                memset(in, 0, r->op->in->size);
                memset(out, 0, r->op->out->size);
        }
}

static int make_answer(struct request *q)
{
        struct ctx *c = q->c;
        const struct op *op = q->endpoint->route->op;
        struct unit *u = unit_of(q->w, op);
        if (!u) return fail(c, UNAVAILABLE, "not_here", "%s does not run here", op->name);
        void *in = arena_alloc(c->arena, op->in->size), *out = arena_alloc(c->arena, op->out->size);
        if (!in || !out) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the request");
        q->out = out;
        TRY(change(q, u, in, out));
        return encode(q, out);
}

static int run_operation(struct request *q)
{
        if (q->endpoint->route->op->out != &nothing_type && !takes_answer(q)) return header_refused(q->c, 406, "not_acceptable", "Accept", "must take application/json");
        return kept_answer(q, make_answer);
}

/* A raw handler with an operation beside it reads the body itself; what any operation refuses is refused before it. */
static int check_raw(struct request *q)
{
        const struct op *op = q->endpoint->route->op;
        str query = q->x->head.query;
        if (!op) return 0;
        if (op->out != &nothing_type && !takes_answer(q)) return header_refused(q->c, 406, "not_acceptable", "Accept", "must take application/json");
        bool plain = q->endpoint->reads_body || op->in == &nothing_type;
        if (!plain || !query.p || !query.n) return 0;
        TRY(form_read(q->c, &nothing_type, query, &(struct nothing){ 0 }, NULL));
        return flaws_fail(q->c);
}

static int run_endpoint(struct request *q)
{
        if (!q->endpoint->route->raw) return run_operation(q);
        TRY(check_raw(q));
        q->c->unit = &q->w->units[q->endpoint->service_no];
        q->c->pg = q->c->unit->pg;
        fault_clear(q->c);
        q->endpoint->route->raw(q->c, q->x);
        if (!q->x->status) q->x->status = q->x->body->n ? 200 : 204;
        return -(int)q->c->fault.code;          /* a raw handler that failed has told so */
}

void edge_answer(struct ctx *c, struct exchange *x, struct worker *w, const struct in_hand *hand)
{
        struct request q = { .c = c, .x = x, .w = w, .hand = hand, .started_us = clock_us() };
        const struct middleware *m = middlewares;
        int r = 0;
        x->peer = proxies_client(c->arena, &w->app->proxies, x->peer, &x->head.headers);
        x->app = &q;
        for (; m->name && r == 0; m++) r = m->before ? m->before(&q) : 0;
        if (r == 0) r = run_endpoint(&q);
        q.code = MIN(r, 0);
        if (r < 0) problem_write(&q, r);
        while (m-- > middlewares)
                if (m->after) m->after(&q);
        kept_release(&q.kept);
        if (arena_is_exhausted(c->arena)) bound_reached(BOUND_REQUEST_MEMORY);
        x->app = NULL;
}

void edge_handle(struct ctx *c, struct exchange *x, void *worker)
{
        edge_answer(c, x, worker, NULL);
        fiber_rename("connection");
}
