-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Where somebody wants things sent. Who has an address has exactly one default: at most one by the index, at least one by the statements.
create table address (
        id           uuid primary key,
        user_id      uuid not null references users (id) on delete cascade,
        name         text not null,
        line1        text not null,
        line2        text,
        postal_code  text,
        city         text not null,
        region       text,
        country      text not null,                     -- ISO 3166-1, two letters
        phone        text,
        is_default   boolean not null,
        version      int4 not null default 1,
        created_at   timestamptz not null,
        updated_at   timestamptz not null
);
create unique index one_default_address on address (user_id) where is_default;
create index addresses_of on address (user_id, created_at, id);
