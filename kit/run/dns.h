/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * dns.h - names to addresses; for kit only.
 *
 * Numbers are read here; names are asked of the system's resolver (getaddrinfo, RFC 3493) on the pool's askers, for it blocks. */
#ifndef DNS_H
#define DNS_H
#include <netdb.h>
#include <sys/socket.h>
#include "ctx.h"

enum { DNS_MAX = 16 };                  /* addresses of a name that are looked at           */
struct address { struct sockaddr_storage to; socklen_t n; };

/* "127.0.0.1", "::1"; "" and "*" are every address. -INVALID_ARGUMENT when it is not a number. Does not wait. */
int address_parse(str host, int port, struct address *out);
/* Waits. returns how many (> 0), -UNAVAILABLE no such name or no answer, -INVALID_ARGUMENT, as pool_run() */
int dns_lookup(struct ctx *c, str host, int port, struct address out[DNS_MAX]);
#endif
