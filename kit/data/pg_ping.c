/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * pg_ping.c - what the database is like now: there, and taking writes.
 *
 *     takes writes --- a statement is refused as read-only, or a ping says so ---> read-only --- a ping each second says otherwise ---> takes writes
 *
 * While it is read-only (a standby, or a server told so for want of room) reads go on; one fiber, the watcher, asks. Both changes are logged. */
#include "pg_internal.h"
#include "clock.h"
#include "log.h"

enum { AGAIN_MS = 1000, ANSWER_MS = 5000 };

struct pg_mood { bool read_only; };
static const struct field pg_mood_fields[] = { F(pg_mood, 1, read_only) };
static const struct type pg_mood_type = { "pg_mood", "", sizeof(struct pg_mood), _Alignof(struct pg_mood), pg_mood_fields, COUNT(pg_mood_fields), NULL };
static struct query_plan ping_plan;
static const struct query ping_query = {
        .name = "pg_ping", .sql = "select current_setting('transaction_read_only')::bool as read_only", .in = &nothing_type, .out = &pg_mood_type,
        .rows = ROWS_ONE, .params = (const char *const[]){ NULL }, .plan = &ping_plan,
};

static int ask(struct ctx *c, struct pg *pg, struct pg_mood *mood)
{
        struct pg *before = c->pg;
        c->pg = pg;
        int code = db_run(db(c), &ping_query, NULL, mood);
        c->pg = before;
        return MIN(code, 0);
}

static void watch_main(void *arg)
{
        struct pg *pg = arg;
        struct ctx c = { .arena = arena_try(64 * 1024), .op = "db_read_only" };
        struct pg_mood mood = { .read_only = true };
        int64_t since_us = clock_us();
        pg->watcher = fiber_self();
        log_say(WARN, "database_read_only", L_Z("database", pg->name));
        while (c.arena && mood.read_only && !pg->closing && fiber_sleep(&c, AGAIN_MS) == 0) {
                arena_reset(c.arena);
                fault_clear(&c);
                c.deadline_us = deadline_in(ANSWER_MS);
                ask(&c, pg, &mood);             /* no answer is no news */
                c.deadline_us = 0;
        }
        if (!mood.read_only) log_say(INFO, "database_takes_writes", L_Z("database", pg->name), L_MS("after_ms", clock_us() - since_us));
        pg->watcher = NULL;
        pg->read_only = false;
        arena_free(c.arena);
        pg_helper_ends(pg);
}

void pg_refused_write(struct pg *pg)
{
        if (pg->read_only || pg->closing) return;
        pg->read_only = pg_helper(pg, "db_read_only", watch_main, pg);
}

bool pg_is_read_only(const struct pg *pg)
{
        return pg->read_only;
}

int pg_ping(struct ctx *c, struct pg *pg)
{
        struct pg_mood mood;
        TRY(ask(c, pg, &mood));
        if (mood.read_only) pg_refused_write(pg);
        return 0;
}
