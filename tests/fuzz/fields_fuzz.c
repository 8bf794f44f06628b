/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * fields_fuzz.c - any text as the value of the header fields that the edge reads: preferences, preconditions, origins, traces, links of others.
 *
 * The first byte chooses the field, the second a comma at which the list is cut into two lines of the same name: RFC 9110 section
 * 5.3 says they mean the same. What the edge writes into an answer is always a field value. */
#include <stdlib.h>
#include "coding.h"
#include "engine.h"

enum { ARENA = 1 << 20 };
static struct app app;
static struct worker worker = { .app = &app };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
        if (!holds) abort();
}

/* The k-th comma outside quotes, counted round; -1: there is none. */
static ptrdiff_t comma(str s, size_t k)
{
        size_t commas = 0;
        for (int pass = 0; pass < 2; pass++) {
                bool quoted = false;
                size_t seen = 0;
                for (size_t i = 0; i < s.n; i++) {
                        if (s.p[i] == '"') quoted = !quoted;
                        if (s.p[i] != ',' || quoted) continue;
                        if (pass && seen == k % commas) return (ptrdiff_t)i;
                        seen++;
                }
                commas = seen;
                if (!commas) return -1;
        }
        return -1;
}

/* ---- lists that may be cut ----------------------------------------------------------------------------------------------- */

static void accepts(const struct headers *one, const struct headers *two)
{
        struct codings a = codings_wanted(one), b = codings_wanted(two);
        enum coding best = coding_best(&a);
        must(!memcmp(&a, &b, sizeof a) && header_has_token(one, "accept-encoding", "gzip") == header_has_token(two, "accept-encoding", "gzip"));
        for (int i = 0; i < CODINGS; i++) must(a.q[i] >= 0 && a.q[i] <= 1000 && (best == CODINGS ? !a.q[i] : a.q[i] <= a.q[best]));
}

static void media_types(struct arena *a, str s)
{
        static const char *const types[] = { "application/json", "text/html; charset=utf-8", "application/problem+json" };
        for (size_t i = 0; i < COUNT(types); i++) {
                int q = accept_quality(s, str_of(types[i]));
                must(q >= 0 && q <= 1000);
        }
        must(accept_quality(arena_printf(a, STR_FMT ",application/json", STR_ARG(s)), STR("application/json")) == 1000);
        must(qvalue(s) >= 0 && qvalue(s) <= 1000);
}

static struct request request_of(struct ctx *c, struct exchange *x, const struct endpoint *e, const struct headers *h)
{
        x->head.headers = *h;
        return (struct request){ .c = c, .x = x, .w = &worker, .endpoint = e };
}

static int changed(struct arena *a, const struct headers *h, int64_t *version)
{
        static const struct route route = { .method = PUT, .if_match = NEEDS_IF_MATCH };
        struct endpoint e = { .route = &route };
        struct ctx c = { .arena = a };
        struct exchange x = { 0 };
        struct request q = request_of(&c, &x, &e, h);
        int r = condition_before(&q);
        must(r == 0 || (r < 0 && c.fault.http == 400 && c.fault.n_flaws == 1 && str_eq(c.fault.flaws->pointer, STR("If-Match"))));
        *version = q.if_match;
        return r;
}

static void preconditions(struct arena *a, const struct headers *one, const struct headers *two)
{
        int64_t v = 0, w = 0;
        int r = changed(a, one, &v);
        if (str_find(one->v[0].value, '*') >= 0) return;        /* alone it is any; twice it is none in one line, and any in two */
        must(changed(a, two, &w) == r && (r < 0 || v == w));
        must(r < 0 || v == -1 || v > 0);
}

/* ---- the answer's own ------------------------------------------------------------------------------------------------------ */

static void field_values(const struct exchange *x)
{
        for (size_t i = 0; i < x->out.n; i++) must(is_field_value(x->out.v[i].value));
}

static str got(struct arena *a, str wanted, int *status)
{
        static const struct route route = { .method = GET, .cache_control = "no-cache" };
        struct endpoint e = { .route = &route };
        struct ctx c = { .arena = a };
        struct buf body AUTO(buf_done) = BUF_INIT(100);
        struct header field = { STR("if-none-match"), wanted };
        struct exchange x = { .status = 200, .body = &body };
        struct request q = request_of(&c, &x, &e, &(struct headers){ &field, 1, 1 });
        buf_lit(&body, "{\"a\":1}");
        condition_after(&q);
        field_values(&x);
        must(x.status == (body.n ? 200 : 304));
        *status = x.status;
        return header_get(&x.out, "etag");
}

static void tags(struct arena *a, str s)
{
        int status;
        str tag = got(a, s, &status), again;
        must(tag.n >= 18 && tag.p[0] == '"');
        again = got(a, arena_printf(a, STR_FMT ", " STR_FMT, STR_ARG(tag), STR_ARG(s)), &status);
        must(status == 304 && str_eq(tag, again));
}

static void origins(struct arena *a, str s)
{
        static const struct route route = { .method = GET };
        struct endpoint e = { .route = &route };
        struct ctx c = { .arena = a };
        struct header field = { STR("origin"), s };
        struct exchange x = { .head.method = GET };
        struct request q = request_of(&c, &x, &e, &(struct headers){ &field, 1, 1 });
        app.cors_origins = STR("https://shop.example, http://localhost:3000");
        cors_after(&q);
        field_values(&x);
        str allowed = header_get(&x.out, "access-control-allow-origin");
        must(!allowed.p == !(str_eq_nocase(s, STR("https://shop.example")) || str_eq_nocase(s, STR("http://localhost:3000"))));
        must(!allowed.p || str_eq(allowed, s));
        cors_check(&c, s);
}

static void traces(struct arena *a, str s)
{
        struct ctx c = { .arena = a };
        struct header fields[] = { { STR("traceparent"), s }, { STR("x-request-id"), s } };
        struct exchange x = { 0 };
        struct endpoint e = { 0 };
        struct request q = request_of(&c, &x, &e, &(struct headers){ fields, 2, 2 });
        struct trace t, u;
        char text[56];
        rand_seed(&worker.rand, 1);
        trace_begin(&q);
        must(c.trace.request_id.n > 0 && c.trace.request_id.n <= 64 && is_token(c.trace.request_id));
        must(traceparent_read(s, &t) == q.traced);
        if (!q.traced) return;
        traceparent_write(&t, text);
        must(traceparent_read(str_of(text), &u) && !memcmp(t.trace_id, u.trace_id, 16) && !memcmp(t.span_id, u.span_id, 8) && t.sampled == u.sampled);
}

static void urls(str s)
{
        struct url u;
        if (url_parse(s, &u) < 0) return;
        must(u.host.n && u.port >= 1 && u.port <= 65535 && u.path.n && u.path.p[0] == '/' && is_field_value(u.host) && is_field_value(u.path));
        must(!memchr(u.host.p, ' ', u.host.n) && !memchr(u.host.p, '@', u.host.n) && !memchr(u.path.p, ' ', u.path.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const char *const names[] = { "accept-encoding", "if-match" };
        static struct arena *a;
        if (n < 2 || n > 8192) return 0;
        if (!a) a = arena_new(ARENA);
        arena_reset(a);
        str s = str_trim((str){ (const char *)data + 2, n - 2 }, " \t");
        if (!is_field_value(s)) return 0;               /* the parser lets none else through */
        ptrdiff_t at = comma(s, data[1]);
        const char *name = names[data[0] % 7 == 1];
        struct header whole = { str_of(name), s }, parts[2] = { whole, whole };
        if (at >= 0) {
                parts[0].value = str_trim(str_cut(s, 0, (size_t)at), " \t");
                parts[1].value = str_trim(str_cut(s, (size_t)at + 1, s.n), " \t");
        }
        struct headers one = { &whole, 1, 1 }, two = { parts, at >= 0 ? 2 : 1, 2 };
        switch (data[0] % 7) {
        case 0: accepts(&one, &two); break;
        case 1: preconditions(a, &one, &two); break;
        case 2: media_types(a, s); break;
        case 3: tags(a, s); break;
        case 4: origins(a, s); break;
        case 5: traces(a, s); break;
        default: urls(s);
        }
        return 0;
}
