-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

create table users (
        id           uuid primary key,
        email        text not null,
        email_key    text not null constraint one_account_an_email unique,      -- lower case
        name         text not null,
        role         int2 not null,                     -- 0 customer, 1 vendor, 2 staff, 3 admin
        password     text not null,                     -- argon2id, as libsodium writes it
        created_at   timestamptz not null
);

-- A session is a family of refresh tokens: each carries the number it was given; only the latest is good, and an older one ends the family.
create table session (
        id           uuid primary key,
        user_id      uuid not null,
        refresh_no   int4 not null,
        created_at   timestamptz not null,
        expires_at   timestamptz not null,
        revoked_at   timestamptz,
        revoked_why  text
);

-- Private halves are sealed with a key that is not in the database.
create table signing_key (
        kid          text primary key,
        created_at   timestamptz not null,
        retired_at   timestamptz,                       -- no longer signs; verifies until its last tokens have expired
        public_jwk   text not null,
        sealed_jwk   bytea not null
);
