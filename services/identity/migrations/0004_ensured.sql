-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- The accounts that the program made for a fresh marketplace: each once, so that one which was deleted or renamed does not come back at the next start.
create table ensured (
        email_key    text primary key,
        at           timestamptz not null
);
insert into ensured (email_key, at) select email_key, created_at from users
 where email_key in ('customer@souk.example', 'vendor@souk.example', 'staff@souk.example', 'admin@souk.example');
