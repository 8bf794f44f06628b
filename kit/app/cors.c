/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cors.c - which web pages of other origins may use the API (the Fetch standard, section 3.3): none, unless the configuration names them.
 *
 * Refusals carry the fields too, so that a page can read why. Credentials in the browser's sense (cookies, client certificates) are never
 * allowed: whoever asks here shows a bearer token, which a page adds itself. Answers that depend on Origin say so in Vary, also
 * those to requests without one, or a cache would give a page the answer meant for nobody. */
#include "engine.h"

#define ALLOWED STR("authorization, content-type, idempotency-key, if-match, if-none-match, prefer, traceparent, x-request-id")
#define EXPOSED STR("content-location, etag, idempotency-replayed, link, location, preference-applied, ratelimit, ratelimit-policy, retry-after, " \
                    "traceparent, www-authenticate, x-request-id")
#define MAX_AGE STR("3600")     /* of what a browser has been told; an hour, so that a changed setting is known soon */

/* scheme://host or scheme://host:port, as a browser writes it */
static bool is_origin(str s)
{
        ptrdiff_t colon = str_find(s, ':');
        if (colon <= 0 || !is_token(str_cut(s, 0, (size_t)colon)) || !str_starts(str_cut(s, (size_t)colon, s.n), STR("://"))) return false;
        str host = str_cut(s, (size_t)colon + 3, s.n);
        for (size_t i = 0; i < host.n; i++)
                if ((uint8_t)host.p[i] <= ' ' || (uint8_t)host.p[i] >= 0x7f || strchr("/?#@*\\\"", host.p[i])) return false;
        return host.n > 0;
}

int cors_check(struct ctx *c, str origins)
{
        for (str rest = origins, one; rest.n && (one = str_trim(str_split(&rest, ','), " "), true);) {
                if (str_eq(one, STR("*")) || is_origin(one)) continue;
                return fail(c, INVALID_ARGUMENT, "bad_setting", "cors-origins: \"" STR_FMT "\" is no origin (https://shop.example) and not *", STR_ARG(one));
        }
        return 0;
}

/* *ret_any: everybody may, and the answer is the same for all. */
static bool is_allowed(str list, str origin, bool *ret_any)
{
        bool allowed = false;
        *ret_any = false;
        while (list.n) {
                str one = str_trim(str_split(&list, ','), " ");
                *ret_any |= str_eq(one, STR("*"));
                allowed |= origin.p && str_eq_nocase(one, origin);
        }
        return allowed || (origin.p && *ret_any);
}

void vary_on(struct request *q, const char *field)
{
        struct headers *h = &q->x->out;
        for (size_t i = 0; i < h->n; i++) {
                if (!str_eq(h->v[i].name, STR("vary"))) continue;
                str both = arena_printf(q->c->arena, STR_FMT ", %s", STR_ARG(h->v[i].value), field);
                if (both.p) h->v[i].value = both;
                return;
        }
        res_header(q->c, q->x, "vary", str_of(field));
}

static void answer_preflight(struct request *q)
{
        char list[METHOD_LIST_MAX];
        res_header(q->c, q->x, "access-control-allow-methods", methods_write(q->match.allowed, list));
        res_header(q->c, q->x, "access-control-allow-headers", ALLOWED);
        res_header(q->c, q->x, "access-control-max-age", MAX_AGE);
}

void cors_after(struct request *q)
{
        str list = q->w->app->cors_origins, origin;
        const struct headers *h = &q->x->head.headers;
        bool any;
        if (!list.n) return;
        origin = header_get(h, "origin");
        bool allowed = is_allowed(list, origin, &any);
        if (!any) vary_on(q, "origin");
        if (!allowed) return;
        res_header(q->c, q->x, "access-control-allow-origin", any ? STR("*") : origin);
        if (q->x->head.method == OPTIONS && q->code == 0 && header_get(h, "access-control-request-method").p) answer_preflight(q);
        else res_header(q->c, q->x, "access-control-expose-headers", EXPOSED);
}
