-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Accounts that change, are blocked, and go. One that has gone stays as a row without anything of its person: its id is in others' books.
alter table users
        add version      int4 not null default 1,
        add updated_at   timestamptz,
        add blocked_at   timestamptz,
        add deleted_at   timestamptz,
        alter password drop not null;                   -- none: nobody can log in with it until it gets one
update users set updated_at = created_at;
alter table users alter updated_at set not null;
create index users_by_age on users (created_at, id) where deleted_at is null;
create index admins on users (id) where role = 3;

alter table session
        add last_used_at timestamptz,
        add address      text;                          -- of the client, when it last showed its refresh token
update session set last_used_at = created_at;
alter table session alter last_used_at set not null;
create index sessions_of on session (user_id, created_at, id);
