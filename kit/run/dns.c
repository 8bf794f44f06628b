/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * dns.c - names to addresses. A lookup cannot be interrupted, so its record outlives a fiber that stops waiting for it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include "dns.h"
#include "pool_inside.h"

enum { HOST_MAX = 255 };                /* RFC 1035 section 2.3.4 */

struct lookup {
        struct job      job;
        char            host[HOST_MAX + 1], port[8];
        int             error;          /* getaddrinfo's                                    */
        struct address  found[DNS_MAX];
        int             n;
};

int address_parse(str host, int port, struct address *out)
{
        char z[INET6_ADDRSTRLEN];
        struct address a = { 0 };
        struct sockaddr_in *v4 = (struct sockaddr_in *)&a.to;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.to;
        if (port < 0 || port > 65535 || host.n >= sizeof z) return -INVALID_ARGUMENT;
        if (host.n == 0 || str_eq(host, STR("*"))) host = STR("0.0.0.0");
        memcpy(z, host.p, host.n);
        z[host.n] = 0;
        if (inet_pton(AF_INET, z, &v4->sin_addr) == 1) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons((uint16_t)port);
                a.n = sizeof *v4;
        } else if (inet_pton(AF_INET6, z, &v6->sin6_addr) == 1) {
                v6->sin6_family = AF_INET6;
                v6->sin6_port = htons((uint16_t)port);
                a.n = sizeof *v6;
        } else {
                return -INVALID_ARGUMENT;
        }
        *out = a;
        return 0;
}

static int resolve(void *arg)
{
        struct lookup *q = arg;
        struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV }, *all = NULL;
        q->error = getaddrinfo(q->host, q->port, &want, &all);
        if (q->error != 0) return 0;
        for (struct addrinfo *i = all; i && q->n < DNS_MAX; i = i->ai_next) {
                memcpy(&q->found[q->n].to, i->ai_addr, i->ai_addrlen);
                q->found[q->n++].n = i->ai_addrlen;
        }
        freeaddrinfo(all);
        return 0;
}

int dns_lookup(struct ctx *c, str host, int port, struct address out[DNS_MAX])
{
        if (port < 0 || port > 65535) return fail(c, INVALID_ARGUMENT, "bad_port", "%d is not a port", port);
        if (host.n == 0 || host.n > HOST_MAX || memchr(host.p, 0, host.n))
                return fail(c, INVALID_ARGUMENT, "bad_host", "a host name has 1 to %d characters", HOST_MAX);
        if (address_parse(host, port, &out[0]) == 0) return 1;
        struct lookup *q = alloc_should_fail() ? NULL : calloc(1, sizeof *q);
        if (!q) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory to look up a name");
        q->job = (struct job){ .lane = LANE_ASK, .fn = resolve, .arg = q, .drop = free };
        memcpy(q->host, host.p, host.n);
        snprintf(q->port, sizeof q->port, "%d", port);
        TRY(job_run(c, &q->job, "dns_lookup"));         /* from a failure on, q is the pool's */
        int n = q->n, error = q->error;
        memcpy(out, q->found, (size_t)n * sizeof *out);
        free(q);
        if (error != 0) return fail(c, UNAVAILABLE, "host_unknown", STR_FMT ": %s", STR_ARG(host), gai_strerror(error));
        return n > 0 ? n : fail(c, UNAVAILABLE, "host_unknown", STR_FMT " has no address", STR_ARG(host));
}
