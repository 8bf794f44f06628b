/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_open.c - opening a connection without holding up the loop, and connection strings.
 *
 * libpq goes through its states while the fiber sleeps on the socket. It would resolve names itself, and block: so a single host's
 * name is resolved elsewhere first and handed over as hostaddr. What it last resolved to stays good while the resolver says nothing.
 *
 * What a session must know goes along in the start packet (`options`), which saves round trips: generic plans always (a statement is
 * planned once), no JIT, bounds on time. Exclusive connections, where the set-based statements of batches run, also have the plans
 * switched off that were made while a table was empty and scan it when it is full. */
#include "pg_internal.h"
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include "clock.h"
#include "dns.h"
#include "io.h"
#include "log.h"

enum { OPTIONS_MAX = 64, LOOKUP_MS = 1000 };

/* ---- names ------------------------------------------------------------------------------------------------------------ */

static bool needs_lookup(const char *host)
{
        if (!host || !*host || *host == '/' || *host == '@' || strchr(host, ',') || strlen(host) > 250) return false;
        struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *list = NULL;
        bool is_number = getaddrinfo(host, NULL, &hints, &list) == 0;
        if (is_number) freeaddrinfo(list);
        return !is_number;
}

/* Says that host gave no address this time, and when it gives one again: not each time, for a pool asks often. */
static void goes_on(struct pg *pg, const char *host, const struct ctx *asked, int code)
{
        struct trouble was;
        if (code < 0 && trouble_again(&pg->nameless, code, clock_us()))
                log_say(WARN, "database_name_unresolved", L_Z("database", pg->name), L_Z("host", host), L_Z("goes_on_with", pg->addresses[0]),
                        L_STR("error", asked->fault.message), L_INT("failures", (int64_t)pg->nameless.failures));
        if (code == 0 && trouble_over(&pg->nameless, &was))
                log_say(INFO, "database_name_resolved", L_Z("database", pg->name), L_Z("host", host), L_INT("failures", (int64_t)was.failures),
                        L_MS("after_ms", clock_us() - was.since_us));
}

/* Where host is now, into pg->addresses; where it was last when the resolver says nothing. Waits. */
static int look_up(struct ctx *c, struct pg *pg, const char *host)
{
        struct address found[DNS_MAX];
        struct ctx own = *c;
        if (pg->n_addresses) ctx_limit(&own, LOOKUP_MS);
        int n = dns_lookup(&own, str_of(host), 0, found);
        if (n < 0 && pg->n_addresses && n != -CANCELLED) {
                goes_on(pg, host, &own, n);
                return 0;
        }
        if (n < 0) {
                fault_copy(c, &own);
                return n == -UNAVAILABLE ? fail_down(c, 1000, arena_printf(c->arena, "no address for the name %s", host).p) : n;
        }
        goes_on(pg, host, &own, 0);
        pg->n_addresses = 0;
        for (int i = 0; i < n && pg->n_addresses < ADDRESSES_MAX; i++)
                if (getnameinfo((struct sockaddr *)&found[i].to, found[i].n, pg->addresses[pg->n_addresses], ADDRESS_MAX, NULL, 0, NI_NUMERICHOST) == 0)
                        pg->n_addresses++;
        return pg->n_addresses ? 0 : fail_down(c, 1000, "its name has no address that can be written");
}

/* "what,what": `what` of each of its addresses; the name itself for libpq to check certificates against. */
static const char *each_address(struct ctx *c, const struct pg *pg, const char *host)
{
        struct buf b AUTO(buf_done) = BUF_INIT(ADDRESSES_MAX * 256);
        for (int i = 0; i < pg->n_addresses; i++)
                buf_printf(&b, "%s%s", i ? "," : "", host ? host : pg->addresses[i]);
        return buf_error(&b) < 0 ? NULL : arena_z(c->arena, buf_str(&b));
}

/* ---- parameters ------------------------------------------------------------------------------------------------------- */

struct settings { const char *names[OPTIONS_MAX], *values[OPTIONS_MAX]; int n; };

static const char **setting(struct settings *s, const char *name)
{
        for (int i = 0; i < s->n; i++)
                if (!strcmp(s->names[i], name)) return &s->values[i];
        assert(s->n < OPTIONS_MAX - 1);
        s->names[s->n] = name;
        s->values[s->n] = NULL;
        return &s->values[s->n++];
}

static void setting_default(struct settings *s, const char *name, const char *value)
{
        const char **at = setting(s, name);
        if (!*at || !**at) *at = value;
}

static const char *session(struct ctx *c, const struct pg *pg, enum conn_kind kind, const char *own)
{
        int backstop = MAX(BACKSTOP_MS, 2 * pg->statement_timeout_ms);
        str s = arena_printf(c->arena, "%s%s%s -c statement_timeout=%d -c idle_in_transaction_session_timeout=%d -c plan_cache_mode=force_generic_plan -c jit=off%s",
                             own ? own : "", pg->role ? " -c role=" : "", pg->role ? pg->role : "", kind == CONN_LEADER ? 0 : backstop, IDLE_IN_TRANSACTION_MS,
                             kind != CONN_EXCLUSIVE ? "" : " -c enable_hashjoin=off -c enable_mergejoin=off -c enable_seqscan=off -c enable_bitmapscan=off");
        return s.p;
}

/* PQconninfoFree for a scope. */
static void conninfo_free(PQconninfoOption **o)
{
        PQconninfoFree(*o);
}

static int parse(struct ctx *c, const char *url, PQconninfoOption **out)
{
        char *err = NULL;
        *out = PQconninfoParse(url, &err);
        if (*out) return 0;
        if (!err || !strncmp(err, "out of memory", 13)) {
                PQfreemem(err);
                return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a connection string");
        }
        int code = fail(c, INVALID_ARGUMENT, "database_url", "not a connection string: %.*s", (int)strcspn(err ? err : "", "\n"),
                        err ? err : "");
        PQfreemem(err);
        return code;
}

static int settings_make(struct ctx *c, struct pg *pg, enum conn_kind kind, PQconninfoOption *given, struct settings *s)
{
        for (PQconninfoOption *o = given; o->keyword; o++)
                if (o->val) *setting(s, o->keyword) = o->val;
        setting_default(s, "application_name", pg->name);
        *setting(s, "client_encoding") = "UTF8";
        setting_default(s, "tcp_user_timeout", "5000");
        setting_default(s, "keepalives_idle", "30");
        setting_default(s, "gssencmode", "disable");
        const char **options = setting(s, "options");
        *options = session(c, pg, kind, *options);
        if (!*options) return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a connection string");
        const char *host = *setting(s, "host"), *addr = *setting(s, "hostaddr");
        if (addr || !needs_lookup(host)) return 0;
        TRY(look_up(c, pg, host));
        const char *hosts = each_address(c, pg, host), *addresses = each_address(c, pg, NULL);
        if (!hosts || !addresses) return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a connection string");
        *setting(s, "host") = hosts;
        *setting(s, "hostaddr") = addresses;
        return 0;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------ */

static int connect_wait(struct ctx *c, PGconn *pq, int want)
{
        struct fd_watch *w = fd_watch_open(PQsocket(pq));
        if (!w) return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a connection");
        int code = fd_wait(c, w, want);
        fd_watch_close(&w);
        return code;
}

/* Through libpq's states until the session stands. */
static int connect_go(struct ctx *c, PGconn *pq)
{
        int want = 2;
        for (;;) {
                if (PQstatus(pq) == CONNECTION_BAD || PQsocket(pq) < 0) break;
                TRY(connect_wait(c, pq, want));
                switch (PQconnectPoll(pq)) {
                case PGRES_POLLING_OK:      return 0;
                case PGRES_POLLING_READING: want = 1; break;
                case PGRES_POLLING_WRITING: want = 2; break;
                default:                    return fail_down(c, 1000, PQerrorMessage(pq));
                }
        }
        return fail_down(c, 1000, PQerrorMessage(pq));
}

static void quiet(void *arg, const char *message)       /* notices of the server are nobody's business */
{
        (void)arg;
        (void)message;
}

static int open_now(struct ctx *c, struct pg *pg, enum conn_kind kind, struct conn **out)
{
        PQconninfoOption *given AUTO(conninfo_free) = NULL;
        struct settings s = { .n = 0 };
        TRY(parse(c, pg->url, &given));
        TRY(settings_make(c, pg, kind, given, &s));
        PGconn *pq = PQconnectStartParams(s.names, s.values, 0);
        if (!pq) return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a connection");
        PQsetNoticeProcessor(pq, quiet, NULL);
        int code = connect_go(c, pq);
        *out = code < 0 ? NULL : conn_new(pg, kind, pq);
        if (code == 0 && !*out) code = fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a connection");
        if (code < 0) PQfinish(pq);
        return code;
}

int conn_open(struct ctx *c, struct pg *pg, enum conn_kind kind, struct conn **out)
{
        int64_t before = c->deadline_us;
        ctx_limit(c, CONNECT_MS);
        int code = open_now(c, pg, kind, out);
        bool ours = code == -DEADLINE_EXCEEDED && c->deadline_us != before;
        c->deadline_us = before;
        return ours ? fail_down(c, 1000, "it does not answer") : code;
}

/* ---- connection strings -------------------------------------------------------------------------------------------------- */

static void pair(struct buf *b, const char *name, const char *value)
{
        buf_printf(b, "%s%s='", b->n ? " " : "", name);
        for (; *value; value++) {
                if (*value == '\'' || *value == '\\') buf_char(b, '\\');
                buf_char(b, *value);
        }
        buf_char(b, '\'');
}

int pg_url_with(struct ctx *c, str url, const char *dbname, const char *user, str *out)
{
        PQconninfoOption *given AUTO(conninfo_free) = NULL;
        struct buf b AUTO(buf_done) = BUF_INIT(16 * 1024);
        const char *z = arena_z(c->arena, url);
        if (!z) return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a connection string");
        TRY(parse(c, z, &given));
        for (PQconninfoOption *o = given; o->keyword; o++) {
                const char *value = !strcmp(o->keyword, "dbname") ? dbname : user && !strcmp(o->keyword, "user") ? user : o->val;
                if (value) pair(&b, o->keyword, value);
        }
        *out = buf_error(&b) < 0 ? (str){ NULL, 0 } : arena_str(c->arena, buf_str(&b));
        return out->p ? 0 : fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a connection string");
}
