/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * kit_migrations.c - the tables every service's database has: the outbox, positions of consumers, parked events, first answers
 * by idempotency key.
 *
 * A transaction's number (xid8) is kept as int8: it counts up from 3 and reaches 2^63 after 29,000 years at ten million a second.
 * One row of the outbox is one transaction's events; id numbers the rows of a transaction too large for one. */
#include "migrate.h"

const struct migration kit_migrations[] = {
        { 1, "events",
          "create table souk_outbox (\n"
          "  tx int8 not null default pg_current_xact_id()::text::int8,\n"
          "  id int8 not null,\n"
          "  at timestamptz not null default now(),\n"
          "  payload bytea not null,\n"
          "  primary key (tx, id));\n"
          /* packed rows are read once: pglz would cost more than it saves */
          "alter table souk_outbox alter payload set storage external;\n"
          "create table souk_position (\n"
          "  consumer text not null,\n"
          "  source text not null,\n"
          "  tx int8 not null,\n"
          "  id int8 not null,\n"
          "  index int4 not null,\n"
          "  primary key (consumer, source)) with (fillfactor = 10);\n"
          "create table souk_parked (\n"
          "  no int8 generated always as identity primary key,\n"
          "  consumer text not null,\n"
          "  source text not null,\n"
          "  topic text not null,\n"
          "  key text not null,\n"
          "  payload text not null,\n"
          "  error text not null,\n"
          "  attempts int4 not null,\n"
          "  at timestamptz not null default now());\n"
          "create index souk_parked_key on souk_parked (consumer, key, no);\n" },
        { 2, "idempotency",
          "create table souk_idempotency (\n"
          "  caller uuid not null,\n"
          "  route text not null,\n"
          "  key text not null,\n"
          "  fingerprint bytea not null,\n"
          "  status int4 not null,\n"
          "  location text,\n"
          "  body text not null,\n"
          "  at timestamptz not null,\n"
          "  primary key (caller, key, route));\n"
          "create index souk_idempotency_at on souk_idempotency (at);\n" },
        { 3, "replay",
          "alter table souk_parked add column replay bool not null default false;\n"
          "create index souk_parked_replay on souk_parked (consumer, key) where replay;\n" },
        /* A batch's lines are much alike: LZ4 makes a fifth of them for less CPU than storing them whole takes. A server built without it keeps
         * them whole. */
        { 4, "compressed events",
          "do $$ begin\n"
          "  alter table souk_outbox alter payload set compression lz4;\n"
          "  alter table souk_outbox alter payload set storage extended;\n"
          "exception when feature_not_supported then null; end $$;\n" },
        { 0 },
};
