/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * middleware.c - what every request passes on its way in, and again, in reverse, on its way out: the table is the order.
 *
 * The access line comes before the metrics so that it is written after everything else has had its say. Routing stands before
 * authentication because a path that is not there is a 404 for everybody; authentication before the rate limit and the idempotency key
 * because both belong to a caller; the rate limit before authorisation so that asking in vain counts too. Entity tags are
 * of what the key's answer is, first or again. */
#include "engine.h"

static void say_trace(struct request *q)
{
        char parent[56];
        res_header(q->c, q->x, "x-request-id", q->c->trace.request_id);
        if (!q->traced) return;
        traceparent_write(&q->c->trace, parent);
        res_header(q->c, q->x, "traceparent", str_of(parent));
}

static int identify(struct request *q)
{
        trace_begin(q);
        return 0;
}

static int find_route(struct request *q)
{
        const struct http1_head *h = &q->x->head;
        router_find(q->w->app->router, h->method, h->path, &q->match);
        q->endpoint = q->match.endpoint;
        if (q->endpoint) {
                fiber_rename(q->endpoint->name);
                q->c->op = q->endpoint->name;
                ctx_limit(q->c, q->endpoint->route->timeout_ms ? q->endpoint->route->timeout_ms : TIMEOUT_MS);
                return 0;
        }
        if (h->method == OPTIONS && str_eq(h->path, STR("*"))) q->match.allowed = (1u << METHODS) - (1u << GET);
        if (!q->match.allowed) return fail(q->c, NOT_FOUND, "no_such_path", "nothing is at " STR_FMT, STR_ARG(h->path));
        if (h->method != OPTIONS)
                return fail_http(q->c, 405, UNIMPLEMENTED, "method_not_allowed", STR_FMT " is not for " STR_FMT, STR_ARG(h->method_text), STR_ARG(h->path));
        q->x->status = 204;
        allow_write(q);
        return 1;
}

static void say_cache(struct request *q)
{
        bool kept = q->endpoint && q->code == 0 && q->endpoint->route->cache_control;
        res_header(q->c, q->x, "cache-control", kept ? str_of(q->endpoint->route->cache_control) : STR("no-store"));
}

static int authenticate(struct request *q)
{
        str header = header_get(&q->x->head.headers, "authorization");
        if (q->hand && q->hand->caller) {
                q->c->caller = *q->hand->caller;
                return 0;
        }
        q->c->caller = (struct caller){ 0 };
        if (!header.p && q->endpoint->route->who == ANYONE) q->c->caller.address = str_of(q->x->peer);
        if (!header.p && q->endpoint->route->who == ANYONE) return 0;
        if (header_count(&q->x->head.headers, "authorization") > 1)
                return fail(q->c, UNAUTHENTICATED, "invalid_token", "there is more than one Authorization field");
        TRY(auth_caller(q->c, q->w->auth, header));
        q->c->caller.address = str_of(q->x->peer);
        return 0;
}

static int authorise(struct request *q)
{
        const struct route *r = q->endpoint->route;
        return auth_allows(q->c, r->who, r->scope);
}

const struct middleware middlewares[] = {
        { "identity of the request", identify,   say_trace    },
        { "access line",             NULL,       access_line  },
        { "metrics",                 NULL,       stats_count  },
        { "cross-origin",            NULL,       cors_after   },
        { "routing",                 find_route, say_cache    },
        { "compression",             compress_before, compress_after },
        { "authentication",          authenticate, NULL       },
        { "rate limit",              rate_before, rate_after  },
        { "authorisation",           authorise,  NULL         },
        { "conditional requests",    condition_before, condition_after },
        { "idempotency",             idem_before, idem_after  },
        { 0 } };
