/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sqlstate.c - what the server's codes mean to a caller, as a table, and the story of a failure.
 *
 * The server's own words stay in the message only where they cannot quote data of others: violations are told by what the service's table
 * calls them, else by the constraint's name. Names of constraints become slugs, which live as long as the program, so each is kept once; there are as many as the
 * schemas have. Source: PostgreSQL 15, appendix A. */
#include "db_internal.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "map.h"
#include "pg_internal.h"

enum { NAMES_MAX = 4096 };

static const struct { const char *state; enum code code; const char *say; } states[] = {       /* longest first */
        { "23505", ALREADY_EXISTS,      "it exists already" },
        { "23503", FAILED_PRECONDITION, "something it refers to is not there, or refers to it" },
        { "23514", FAILED_PRECONDITION, "a rule of the database forbids it" },
        { "23P01", FAILED_PRECONDITION, "it overlaps with what is there" },
        { "23502", FAILED_PRECONDITION, "something that must be there is absent" },
        { "42P04", ALREADY_EXISTS,      "it exists already" },                  /* duplicate database, role */
        { "42710", ALREADY_EXISTS,      "it exists already" },
        { "P0001", FAILED_PRECONDITION, NULL },                                 /* raise exception */
        { "P0002", NOT_FOUND,           "no such thing" },
        { "55P03", ABORTED,             "somebody else holds it" },
        { "57014", DEADLINE_EXCEEDED,   "the statement was cancelled" },
        { "25P03", ABORTED,             "the transaction was idle for too long" },
        { "25006", UNAVAILABLE,         "the database takes no writes now" },
        { "57P04", UNAVAILABLE,         "the database is gone" },
        { "57P",   UNAVAILABLE,         "the database is stopping or starting" },
        { "40",    ABORTED,             "it met another change; try again" },
        { "08",    UNAVAILABLE,         "the connection failed" },
        { "53",    UNAVAILABLE,         "the database has no room" },
        { "58",    UNAVAILABLE,         "the database's own machine fails it" },
        { "22",    INVALID_ARGUMENT,    NULL },                                 /* data exceptions */
        { "54",    INVALID_ARGUMENT,    NULL },                                 /* over a limit of the server */
};

static int find(const char *state)
{
        for (size_t i = 0; i < COUNT(states); i++)
                if (!strncmp(states[i].state, state, strlen(states[i].state))) return (int)i;
        return -1;
}

int sqlstate_code(const char *state)
{
        int i = find(state);
        return i < 0 ? -INTERNAL : -(int)states[i].code;
}

/* ---- names that live as long as the program ---------------------------------------------------------------------------- */

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *names;

static const char *keep(str name)
{
        pthread_mutex_lock(&names_lock);
        if (!names) names = map_new(NAMES_MAX, MAP_REFUSES, free);
        char *kept = map_get(names, name);
        if (!kept && (kept = strndup(name.p, name.n)) != NULL && map_put(names, name, kept) < 0) {
                free(kept);
                kept = NULL;
        }
        pthread_mutex_unlock(&names_lock);
        return kept ? kept : "database";
}

/* "stock_quantity_check"; a column that must not be NULL has no constraint's name, so it is made: "souk_position_tx_not_null" */
static const char *slug_of(const PGresult *r, const char *state)
{
        const char *constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
        if (constraint && *constraint) return keep(str_of(constraint));
        const char *table = PQresultErrorField(r, PG_DIAG_TABLE_NAME), *column = PQresultErrorField(r, PG_DIAG_COLUMN_NAME);
        if (strcmp(state, "23502") || !table || !column) return "database";
        char name[160];
        int n = snprintf(name, sizeof name, "%s_%s_not_null", table, column);
        return keep((str){ name, MIN((size_t)n, sizeof name - 1) });
}

static const struct constraint *called(const struct ctx *c, const PGresult *r)
{
        const char *name = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
        for (const struct constraint *k = c->pg ? c->pg->constraints : NULL; k && name && k->name; k++)
                if (!strcmp(k->name, name)) return k;
        return NULL;
}

/* ---- stories ---------------------------------------------------------------------------------------------------------------- */

int sqlstate_fail(struct ctx *c, const char *what, const PGresult *r)
{
        const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
        const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
        if (!message) message = PQresultErrorMessage(r);
        if (!state) state = "";
        int i = find(state);
        int length = (int)strcspn(message, "\n");
        enum code code = i < 0 ? INTERNAL : states[i].code;
        if (!*state) return fail_down(c, 1000, message);        /* libpq's own: the connection broke */
        if (!strcmp(state, "25006") && c->pg) pg_refused_write(c->pg);
        if (code == UNAVAILABLE) return fail_down(c, 1000, states[i].say);
        if (code == INTERNAL) return fail(c, INTERNAL, "database", "%s: %.*s (SQLSTATE %.5s)", what, length, message, state);
        const struct constraint *k = called(c, r);
        if (k) return fail_at(c, code, 0, k->slug, __FILE__, __LINE__, "%s", k->say);
        return fail_at(c, code, 0, slug_of(r, state), __FILE__, __LINE__, "%s: %.*s", what, states[i].say ? 200 : length,
                       states[i].say ? states[i].say : message);
}

int fail_down(struct ctx *c, int retry_after_ms, const char *why)
{
        static const char prefix[] = "no database now: ";
        if (!why) why = "";
        if (!strncmp(why, prefix, sizeof prefix - 1)) why += sizeof prefix - 1;         /* a story passed on */
        int code = fail(c, UNAVAILABLE, "database", "%s%.*s", prefix, (int)strcspn(why, "\n"), why);
        c->fault.retry_after_ms = MAX(retry_after_ms, 1);
        return code;
}
