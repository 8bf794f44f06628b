/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * mould.c - see mould.h. Of several test programs one makes a mould, under a lock, and the others wait for it; what says that it is whole is its
 * being a template. Tables belong to the mould's role, which nobody logs in as; the role of a copy is a member of it. */
#include "mould.h"
#include <inttypes.h>
#include <stdio.h>
#include "hash.h"

enum { PARTS_MAX = 512, NAME_BYTES = 80, LATE_MS = 120000 };

struct mould { const struct service *service; char prefix[NAME_BYTES], name[NAME_BYTES]; };

static struct pg *admin_open(const struct app *a)
{
        return pg_open(&(struct pg_options){ .url = a->admin_url, .transactions_max = 1, .name = "world" });
}

static int run(struct ctx *c, struct db *d, const char *fmt, ...) PRINTF(3, 4);
static int run(struct ctx *c, struct db *d, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        char *sql = arena_z(c->arena, arena_vprintf(c->arena, fmt, ap));
        va_end(ap);
        return sql ? db_exec(d, sql) : fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a statement");
}

/* What a database of s is made of and was checked with. */
static uint64_t recipe(const struct service *s)
{
        str parts[PARTS_MAX];
        size_t n = 0;
        for (const struct migration *m = kit_migrations; m->version; m++) parts[n++] = str_of(m->sql);
        for (const struct migration *m = s->migrations; m && m->version; m++) parts[n++] = str_of(m->sql);
        for (const struct query *const *q = s->queries; q && *q; q++) {
                assert(n < PARTS_MAX);
                parts[n++] = str_of((*q)->sql);
        }
        struct digest d = sha256_parts(parts, n);
        uint64_t number;
        memcpy(&number, d.b, sizeof number);
        return number;
}

static struct mould mould_of(const struct service *s)
{
        struct mould m = { .service = s };
        snprintf(m.prefix, sizeof m.prefix, "mould_%016" PRIx64 "_", recipe(s));
        snprintf(m.name, sizeof m.name, "%s%s", m.prefix, s->name);
        return m;
}

/* ---- with an administrator's c->pg ------------------------------------------------------------------------------------- */

static int64_t is_whole(struct db *d, const struct mould *m)
{
        char sql[200];
        snprintf(sql, sizeof sql, "select count(*) from pg_database where datname = '%s' and datistemplate", m->name);
        return db_count(d, sql);
}

/* The lock is asked for before the look: whoever waited for it sees what its holder made. */
static int make(struct ctx *c, const struct app *a, const struct mould *m)
{
        struct app maker = { .services = { m->service }, .n_services = 1, .db_prefix = m->prefix, .admin_url = a->admin_url };
        TX(tx, c);
        TRY(run(c, tx, "set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0;"
                       "select pg_advisory_xact_lock(hashtextextended('%s', 0))", m->name));
        int64_t whole = is_whole(tx, m);
        if (whole) return MIN((int)whole, 0);
        TRY(databases_prepare(c, &maker));
        TRY(run(c, tx, "alter database %s is_template true", m->name));
        return tx_commit(tx);
}

static int cast(struct ctx *c, const struct app *a, const struct service *s)
{
        struct mould m = mould_of(s);
        int64_t whole = is_whole(db(c), &m);
        if (whole < 0) return (int)whole;
        if (!whole) TRY(make(c, a, &m));
        TRY(run(c, db(c), "create role %s%s login in role %s", a->db_prefix, s->name, m.name));
        int r = run(c, db(c), "create database %s%s owner %s%s template %s strategy file_copy", a->db_prefix, s->name, a->db_prefix, s->name, m.name);
        return MIN(r, 0);
}

int databases_cast(struct ctx *c, const struct app *a)
{
        struct pg *admin AUTO(pg_close) = admin_open(a);
        struct ctx own = *c;
        own.pg = admin;
        ctx_limit(&own, LATE_MS);
        for (size_t i = 0; i < a->n_services; i++) {
                int r = a->services[i]->has_db ? cast(&own, a, a->services[i]) : 0;
                if (r < 0) {
                        fault_copy(c, &own);
                        c->fault = own.fault;
                        return r;
                }
        }
        return 0;
}

void databases_drop(struct ctx *c, const struct app *a)
{
        struct pg *admin AUTO(pg_close) = admin_open(a);
        struct ctx own = *c;
        own.pg = admin;
        for (size_t i = 0; i < a->n_services; i++) {
                const char *name = a->services[i]->name;
                if (!a->services[i]->has_db) continue;
                if (run(&own, db(&own), "drop database if exists %s%s with (force)", a->db_prefix, name) < 0 ||
                    run(&own, db(&own), "drop role if exists %s%s", a->db_prefix, name) < 0)
                        fprintf(stderr, "world: %s%s: " STR_FMT "\n", a->db_prefix, name, STR_ARG(own.fault.message));
        }
}
