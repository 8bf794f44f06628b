/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_lead.c - leadership: a session's advisory lock on a connection of its own.
 *
 * The lock is tried again and again and never waited for at the server: a session that waits for a lock holds a snapshot, and an
 * old snapshot keeps the whole database from being cleaned. When the leader's session ends, however it ends, the lock is free. */
#include "clock.h"
#include "db_run.h"
#include <stdlib.h>

enum { AGAIN_MS = 500, LEAD_ARENA = 64 * 1024 };

struct pg_leader { struct pg *pg; struct conn *k; };

struct lock_name { str what; };
struct lock_got { bool got; };
static const struct field lock_name_fields[] = { F(lock_name, 1, what) };
static const struct field lock_got_fields[] = { F(lock_got, 1, got) };
static const struct type lock_name_type = { "lock_name", "", sizeof(struct lock_name), _Alignof(struct lock_name), lock_name_fields,
                                            1, NULL };
static const struct type lock_got_type = { "lock_got", "", sizeof(struct lock_got), _Alignof(struct lock_got), lock_got_fields, 1, NULL };
static struct query_plan lock_plan;
static const struct query lock_query = {
        .name = "pg_lead", .sql = "select pg_try_advisory_lock(hashtextextended($1, 0)) as got",
        .in = &lock_name_type, .out = &lock_got_type, .rows = ROWS_ONE, .params = (const char *const[]){ "what", NULL }, .plan = &lock_plan,
};

static int lock(struct ctx *c, struct conn *k, const char *what, struct lock_got *got)
{
        struct plan *plan = plan_of(c, &lock_query);
        struct job *j = plan ? db_job(c) : NULL;
        if (!j) return -(int)c->fault.code;
        int code = conn_query(c, k, j, plan, &(struct lock_name){ str_of(what) }, true);
        if (code < 0) {
                job_free(j);
                return code;
        }
        conn_sync(k, j);
        TRY(conn_wait(c, &j, "pg_lead"));
        code = job_verdict(c, j, "pg_lead");
        if (code == 0) code = rows_read(c, plan, j->rows, NULL, got);
        job_free(j);
        return code;
}

/* On one connection until the lock is ours or the connection fails. */
static int lead(struct ctx *c, struct conn *k, const char *what)
{
        for (;;) {
                struct lock_got got;
                arena_reset(c->arena);
                TRY(lock(c, k, what, &got));
                if (got.got) return 0;
                TRY(fiber_sleep(c, AGAIN_MS));
        }
}

/* A connection and the lock. On failure there is no connection. */
static int try_to_lead(struct ctx *c, struct pg_leader *l, const char *what)
{
        arena_reset(c->arena);
        fault_clear(c);
        int code = conn_open(c, l->pg, CONN_LEADER, &l->k);
        if (code == 0) code = lead(c, l->k, what);
        if (code < 0) l->k = conn_close(l->k);
        return code;
}

/* On a ctx of its own: who waits for weeks while another leads, or while there is no database, must not fill the caller's memory. */
int pg_lead(struct ctx *c, struct pg *pg, const char *what, struct pg_leader **out)
{
        struct pg_leader *l = alloc_should_fail() ? NULL : calloc(1, sizeof *l);
        if (!l) return fail(c, RESOURCE_EXHAUSTED, "memory", "no memory for a lock");
        struct ctx own = *c;
        own.arena = arena_new(LEAD_ARENA);
        l->pg = pg;
        pg->leaders++;
        int code;
        do {
                code = try_to_lead(&own, l, what);
                if (code < 0 && code != -CANCELLED && code != -DEADLINE_EXCEEDED && fiber_sleep(&own, AGAIN_MS) < 0) code = -(int)own.fault.code;
        } while (code < 0 && code != -CANCELLED && code != -DEADLINE_EXCEEDED);
        if (code == 0) *out = l;
        else {
                pg_leader_end(&l);
                fault_copy(c, &own);
        }
        arena_free(own.arena);
        return code;
}

bool pg_leader_is_lost(const struct pg_leader *l)
{
        return l->k->lost;
}

void pg_leader_end(struct pg_leader **l)
{
        if (!l || !*l) return;
        struct pg_leader *gone = take(l);
        conn_close(gone->k);
        gone->pg->leaders--;
        free(gone);
}
