/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * migrate.c - one migration a transaction, each under the same advisory lock, so that several programs may start at once.
 *
 * In each transaction the table is read anew under the lock, what it says is held against the program's list, and the first
 * missing one is applied and noted. The last transaction finds nothing missing. */
#include "clock.h"
#include "hash.h"
#include "migrate.h"

enum { LIMIT_MS = MINUTES(10) };        /* when the ctx has no deadline */

struct applied { str set; int32_t version; str name; bytes sha256; };
struct applied_list { struct applied *v; size_t n; };
static const struct field applied_fields[] = {
        F(applied, 1, set), F(applied, 2, version), F(applied, 3, name), F(applied, 4, sha256),
};
static const struct type applied_type = { "applied", "a migration that was applied", sizeof(struct applied), _Alignof(struct applied),
                                          applied_fields, COUNT(applied_fields), NULL };
static struct query_plan applied_plan, note_plan;
static const struct query applied_query = {
        .name = "migrations_applied", .sql = "select set, version, name, sha256 from souk_migrations where set = $1 order by version",
        .in = &applied_type, .out = &applied_type, .rows = ROWS_MANY, .params = (const char *const[]){ "set", NULL }, .plan = &applied_plan,
};
static const struct query note_query = {
        .name = "migration_note", .sql = "insert into souk_migrations (set, version, name, sha256) values ($1, $2, $3, $4)",
        .in = &applied_type, .params = (const char *const[]){ "set", "version", "name", "sha256", NULL }, .plan = &note_plan,
};
/* Of the batches' planner settings (pg.h) a migration wants none. */
static const char prepare_sql[] =
        "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0; set local lock_timeout = 0;"
        "set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on; set local enable_bitmapscan = on;"
        "select pg_advisory_xact_lock(hashtextextended('souk_migrations', 0));"
        "create table if not exists souk_migrations (set text not null, version int4 not null, name text not null, sha256 bytea not null,"
        " at timestamptz not null default now(), primary key (set, version))";

static int judge(struct ctx *c, const char *set, const struct migration *list, const struct applied_list *applied)
{
        for (size_t i = 0; i < applied->n; i++) {
                const struct applied *a = &applied->v[i];
                const struct migration *m = list;
                while (m->version && m->version != a->version) m++;
                if (!m->version || a->version != (int32_t)i + 1)
                        return fail(c, FAILED_PRECONDITION, "migration_unknown",
                                    "%s: migration %d (" STR_FMT ") is in the database and not in this program: "
                                    "a newer program was here", set, a->version, STR_ARG(a->name));
                struct digest d = sha256(str_of(m->sql));
                if (a->sha256.n != sizeof d.b || memcmp(a->sha256.p, d.b, sizeof d.b) != 0)
                        return fail(c, FAILED_PRECONDITION, "migration_changed", "%s: migration %d (%s) has changed since it was applied; "
                                    "make another one instead", set, m->version, m->name);
        }
        return 0;
}

/* returns 1 applied one, 0 nothing is missing */
static int forward(struct ctx *c, const char *set, const struct migration *list)
{
        struct applied_list applied = { 0 };
        TX(tx, c);
        TRY(db_exec(tx, prepare_sql));
        TRY(db_run(tx, &applied_query, &(struct applied){ .set = str_of(set) }, &applied));
        TRY(judge(c, set, list, &applied));
        const struct migration *m = list + applied.n;
        for (size_t i = 0; i <= applied.n; i++)
                assert(list[i].version == (int)i + 1 || (i == applied.n && !list[i].version));
        if (m->version) {
                int code = db_exec(tx, m->sql);
                if (code < 0) return fail(c, (enum code)-code, c->fault.slug, "%s: migration %d (%s): " STR_FMT, set, m->version,
                                          m->name, STR_ARG(c->fault.message));
                struct digest d = sha256(str_of(m->sql));
                TRY(db_run(tx, &note_query, &(struct applied){ str_of(set), m->version, str_of(m->name), { d.b, sizeof d.b } }, NULL));
        }
        TRY(tx_commit(tx));
        return m->version != 0;
}

int migrate(struct ctx *c, const char *set, const struct migration *list)
{
        int64_t before = c->deadline_us;
        int applied = 0, code;
        if (!before) c->deadline_us = deadline_in(LIMIT_MS);
        while ((code = forward(c, set, list)) > 0)
                applied++;
        c->deadline_us = before;
        return code < 0 ? code : applied;
}
