/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * problem.c - a failure as its client sees it: application/problem+json (RFC 9457), one shape for every refusal.
 *
 * What went wrong inside (INTERNAL, UNKNOWN, DATA_LOSS) is for the log; the client gets a trace id to ask about. So is what is wrong with a token:
 * who tries out tokens is not told how far one came. */
#include "engine.h"
#include "json.h"
#include "text.h"

static bool is_ours(int code)           { return code == -INTERNAL || code == -UNKNOWN || code == -DATA_LOSS; }

const char *problem_slug(const struct ctx *c, int code)
{
        static const char *const usual[] = {
                [CANCELLED] = "cancelled", [UNKNOWN] = "internal", [INVALID_ARGUMENT] = "invalid", [DEADLINE_EXCEEDED] = "deadline_exceeded",
                [NOT_FOUND] = "not_found", [ALREADY_EXISTS] = "already_exists", [PERMISSION_DENIED] = "forbidden",
                [RESOURCE_EXHAUSTED] = "too_much", [FAILED_PRECONDITION] = "failed_precondition", [ABORTED] = "conflict",
                [OUT_OF_RANGE] = "out_of_range", [UNIMPLEMENTED] = "unimplemented", [INTERNAL] = "internal", [UNAVAILABLE] = "unavailable",
                [DATA_LOSS] = "internal", [UNAUTHENTICATED] = "unauthenticated",
        };
        if (is_ours(code)) return "internal";
        if (c->fault.code == (enum code)-code && c->fault.slug) return c->fault.slug;
        return -code > 0 && (size_t)-code < COUNT(usual) ? usual[-code] : "internal";
}

static str detail_of(const struct ctx *c, int code)
{
        const char *slug = problem_slug(c, code);
        if (is_ours(code)) return STR("something went wrong here; the log has it under trace_id");
        if (code == -UNAUTHENTICATED && !strcmp(slug, "invalid_token")) return STR("the access token is not good here, or not any more: get another one");
        if (code == -UNAVAILABLE && !strcmp(slug, "database")) return STR("the database is not there now");     /* where it should be is the log's */
        if (c->fault.code == (enum code)-code && c->fault.message.p) return c->fault.message;
        return str_of(code == -NOT_FOUND ? "there is no such thing" : code_name(code));
}

static void write_flaws(struct jw *w, const struct ctx *c)
{
        if (!c->fault.flaws) return;
        jw_key(w, "errors");
        jw_array(w);
        for (const struct flaw *f = c->fault.flaws; f; f = f->next) {
                jw_object(w);
                jw_key(w, "pointer");
                jw_str(w, f->pointer);
                jw_key(w, "slug");
                jw_z(w, f->slug);
                jw_key(w, "detail");
                jw_str(w, f->detail);
                jw_object_end(w);
        }
        jw_array_end(w);
        if (c->fault.n_flaws <= FLAWS_MAX) return;
        jw_key(w, "errors_left_out");
        jw_int(w, (int64_t)(c->fault.n_flaws - FLAWS_MAX));
}

static void write_body(struct request *q, int code)
{
        const char *slug = problem_slug(q->c, code);
        struct buf trace AUTO(buf_done) = BUF_INIT(64);
        struct jw w = { .b = q->x->body };
        hex_write(&trace, (str){ (const char *)q->c->trace.trace_id, 16 });
        jw_object(&w);
        jw_key(&w, "type");
        buf_lit(w.b, "\"/docs#");       /* a slug is a word of [a-z0-9_] */
        buf_lit(w.b, slug);
        buf_char(w.b, '"');
        w.comma = true;
        w.keyed = false;
        jw_key(&w, "title");
        jw_z(&w, status_reason(q->x->status));
        jw_key(&w, "status");
        jw_int(&w, q->x->status);
        jw_key(&w, "detail");
        jw_str(&w, detail_of(q->c, code));
        jw_key(&w, "instance");
        jw_str(&w, q->x->head.path);
        jw_key(&w, "slug");
        jw_z(&w, slug);
        jw_key(&w, "trace_id");
        jw_str(&w, buf_str(&trace));
        write_flaws(&w, q->c);
        jw_object_end(&w);
}

/* What a client must know beside the status: how to authenticate, which methods there are, when to come again. */
static void challenge(struct request *q, int code)
{
        struct ctx *c = q->c;
        const char *slug = problem_slug(c, code);
        str value = STR("Bearer realm=\"souk\"");
        if (code == -UNAUTHENTICATED && !strcmp(slug, "invalid_token")) value = STR("Bearer realm=\"souk\", error=\"invalid_token\"");
        if (code == -PERMISSION_DENIED) {
                if (strcmp(slug, "insufficient_scope") != 0 || !q->endpoint || !q->endpoint->route->scope) return;
                value = arena_printf(c->arena, "Bearer realm=\"souk\", error=\"insufficient_scope\", scope=\"%s\"", q->endpoint->route->scope);
        }
        if (value.p) res_header(c, q->x, "www-authenticate", value);
}

static void retry_after(struct request *q, int code)
{
        const struct fault *f = &q->c->fault;
        bool told = f->code == (enum code)-code, busy = told && code == -RESOURCE_EXHAUSTED && f->slug && !strcmp(f->slug, "busy");
        int ms = told ? f->retry_after_ms : 0;
        if (!ms && (busy || code == -UNAVAILABLE || code == -DEADLINE_EXCEEDED)) ms = 1000;
        str value = ms ? arena_printf(q->c->arena, "%d", (ms + 999) / 1000) : (str){ NULL, 0 };
        if (value.p) res_header(q->c, q->x, "retry-after", value);
}

/* Which bodies a PATCH of this path takes (RFC 5789, section 3.1). */
static void accept_patch(struct request *q)
{
        struct match m;
        router_find(q->w->app->router, PATCH, q->x->head.path, &m);
        if (!m.endpoint) return;
        res_header(q->c, q->x, "accept-patch", m.endpoint->route->patches ? STR("application/merge-patch+json, application/json") : STR("application/json"));
}

str methods_write(unsigned allowed, char out[METHOD_LIST_MAX])
{
        size_t n = 0;
        for (int m = GET; m < METHODS; m++)
                if (allowed & 1u << m) n += (size_t)snprintf(out + n, METHOD_LIST_MAX - n, "%s%s", n ? ", " : "", method_name(m));
        return (str){ out, n };
}

void allow_write(struct request *q)
{
        char list[METHOD_LIST_MAX];
        res_header(q->c, q->x, "allow", methods_write(q->match.allowed, list));
        if (q->match.allowed & 1u << PATCH) accept_patch(q);
}

int answer_unfit(struct request *q)
{
        if (buf_is_starved(q->x->body)) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "there is no memory for the answer");
        return fail(q->c, INTERNAL, "answer_too_large", "the answer is over %zu bytes", q->x->body->max);
}

void problem_write(struct request *q, int code)
{
        struct fault *f = &q->c->fault;
        buf_clear(q->x->body);
        q->x->out.n = 0;                /* what a half-made answer had said */
        q->x->status = f->code == (enum code)-code && f->http ? f->http : code_http(code);
        write_body(q, code);
        if (buf_error(q->x->body)) buf_clear(q->x->body);
        res_header(q->c, q->x, "content-type", STR("application/problem+json"));
        if (code == -UNAUTHENTICATED || code == -PERMISSION_DENIED) challenge(q, code);
        if (q->x->status == 405) allow_write(q);
        if (q->x->status == 415 && q->endpoint && q->endpoint->route->method == PATCH) accept_patch(q);
        retry_after(q, code);
}

int stale(struct ctx *c)
{
        return fail_about(c, "If-Match", fail_http(c, 412, ABORTED, "stale", "it was changed meanwhile: read it again, then say If-Match with its new ETag"));
}
