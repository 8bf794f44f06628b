/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * rate.c - each client's requests to each route are counted, by limit.h, and too many get 429.
 *
 * A client is the token's subject, or the address of whoever has no token; of an IPv6 address its /64, since that is what one
 * customer of a provider is given. What is left is told in RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10). A
 * worker counts for itself (ADR 24). */
#include <arpa/inet.h>
#include "engine.h"
#include "digits.h"

enum { PLACES = 1 << 16 };

struct limiter *rate_open(void)         { return limiter_new(PLACES); }

/* A limit of its own, or what the configuration says; below 0: none, whatever that says. */
int rate_of(const struct config *k, const struct route *r)
{
        if (r->per_minute) return MAX(r->per_minute, 0);
        return (int)config_int(k, r->method == GET ? "rate-limit-reads" : "rate-limit-writes");
}

static uint64_t client_of(const struct request *q)
{
        struct { uint64_t route; uint8_t kind, id[23]; } key = { .route = (uint64_t)(q->endpoint - q->w->app->endpoints) };
        const struct caller *caller = &q->c->caller;
        struct in6_addr v6;
        if (!uid_is_zero(caller->id)) {
                key.kind = 1;
                memcpy(key.id, caller->id.b, sizeof caller->id.b);
        } else if (q->x->peer && strchr(q->x->peer, ':') && inet_pton(AF_INET6, q->x->peer, &v6) == 1) {
                key.kind = 2;
                memcpy(key.id, &v6, IN6_IS_ADDR_V4MAPPED(&v6) ? 16 : 8);
        } else if (q->x->peer) {
                memcpy(key.id, q->x->peer, MIN(strlen(q->x->peer), sizeof key.id));
        }
        return hash_quick((str){ (const char *)&key, sizeof key });
}

int rate_before(struct request *q)
{
        const struct endpoint *e = q->endpoint;
        if (!e->per_minute) return 0;
        q->allowance = limiter_take(q->w->limiter, client_of(q), clock_us(), e->per_minute);
        if (!q->allowance.refused) return 0;
        stats_limited(e);
        (void)!fail_http(q->c, 429, RESOURCE_EXHAUSTED, "rate_limited", "over %d requests a minute to %s", e->per_minute, e->name);
        q->c->fault.retry_after_ms = (int)((q->allowance.wait_us + 999) / 1000);
        return -RESOURCE_EXHAUSTED;
}

/* A field such as "default";q=100;w=60 */
static void say(struct request *q, const char *name, const char *a, uint64_t a_is, const char *b, uint64_t b_is)
{
        char text[64] = "\"default\";", *p = text + 10;
        memcpy(p, a, 2);
        p += 2 + put_u64(p + 2, a_is);
        *p++ = ';';
        memcpy(p, b, 2);
        p += 2 + put_u64(p + 2, b_is);
        res_header(q->c, q->x, name, (str){ text, (size_t)(p - text) });
}

void rate_after(struct request *q)
{
        const struct endpoint *e = q->endpoint;
        const struct allowance *a = &q->allowance;
        if (!e->per_minute) return;
        say(q, "ratelimit", "r=", (uint64_t)a->left, "t=", (uint64_t)(a->whole_us + 999999) / 1000000);
        say(q, "ratelimit-policy", "q=", (uint64_t)e->per_minute, "w=", LIMIT_WINDOW_S);
}
