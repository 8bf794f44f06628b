/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * migrate.h - brings a database's tables forward, never back.
 *
 * Migrations are embedded in the program in order. Table souk_migrations keeps each one's number, name, SHA-256 and time. Under
 * an advisory lock each missing one runs in its own transaction. A changed or missing old one stops the program. */
#ifndef MIGRATE_H
#define MIGRATE_H
#include "db.h"

struct migration { int version; const char *name, *sql; };      /* versions 1, 2, 3 ...; ends with version 0 */

/* Waits. set: "kit" or a service's name: each set counts by itself. returns migrations applied,
 *   -FAILED_PRECONDITION slug "migration_changed" | "migration_unknown" (a newer program was here), or what db says */
int   migrate(struct ctx *c, const char *set, const struct migration *list);
extern const struct migration kit_migrations[];         /* kit_migrations.c: outbox, positions, parked events, idempotency keys */
#endif
