-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Identity: the statements.

-- user_insert: user_row
insert into users (id, email, email_key, name, role, password, created_at)
values (:id, :email, :email_key, :name, :role, :password, :created_at);

-- user_insert_if_new: user_row
insert into users (id, email, email_key, name, role, password, created_at)
values (:id, :email, :email_key, :name, :role, :password, :created_at) on conflict (email_key) do nothing;

-- user_by_id: user_ref -> user
select id, email, name, role, created_at from users where id = :id;

-- user_by_email: login_key -> user_row ?
select id, email, email_key, name, role, password, created_at from users where email_key = :email_key;

-- session_insert: session_row
insert into session (id, user_id, refresh_no, created_at, expires_at) values (:id, :user_id, :refresh_no, :created_at, :expires_at);

-- session_rotate: rotation -> session_row ?
update session set refresh_no = refresh_no + 1
 where id = :id and refresh_no = :refresh_no and revoked_at is null and expires_at > :now
returning id, user_id, refresh_no, created_at, expires_at;

-- session_revoke_reused: rotation
-- An older token of a living family was shown: somebody has a copy.
update session set revoked_at = :now, revoked_why = 'refresh token reused' where id = :id and refresh_no > :refresh_no and revoked_at is null;

-- session_end: user_ref
update session set revoked_at = :now, revoked_why = 'logged out' where id = :id and revoked_at is null;

-- sessions_forget: nothing
-- Those that have run out: their refresh tokens are good for nothing, whether spent or not.
delete from session where ctid = any (array(select ctid from session where expires_at < :now limit 1000));

-- keys_lock: nothing
select pg_advisory_xact_lock(hashtext('souk signing keys'));

-- keys_living: nothing -> key_row *
select kid, created_at, public_jwk, sealed_jwk, coalesce(retired_at, 'epoch') as retired_at from signing_key
 where retired_at is null or retired_at > :now - interval '1 hour' order by retired_at is not null, created_at desc limit 16;

-- keys_retire: nothing
update signing_key set retired_at = :now where retired_at is null;

-- key_insert: key_row
insert into signing_key (kid, created_at, public_jwk, sealed_jwk) values (:kid, :created_at, :public_jwk, :sealed_jwk);

-- address_by_ref: address_ref -> address
-- By its id, or the default; always of that user.
select id, name, line1, line2, postal_code, city, region, country, phone from address
 where user_id = :user and case when :id is null then is_default else id = :id end;
