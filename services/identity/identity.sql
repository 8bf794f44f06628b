-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Identity: the statements.

-- ---- what several statements say ----

-- shown: fragment
id, email, name, role, blocked_at is not null as blocked, version, created_at, updated_at;

-- whole: fragment
id, email, email_key, name, role, password, blocked_at is not null as blocked, version, created_at, updated_at;

-- entry: fragment
id, name, line1, line2, postal_code, city, region, country, phone, is_default, version, created_at, updated_at;

-- shown_session: fragment
id, created_at, last_used_at, expires_at, address, coalesce(id = :current, false) as current;

-- matching: fragment
coalesce((:q::text is null or strpos(lower(name || ' ' || email), lower(:q)) > 0)
           and (:role::int4 is null or role = :role - 1)
           and (:blocked::int4 is null or (blocked_at is not null) = (:blocked = 1)), false);

-- older: fragment
(created_at, id) < (coalesce(timestamptz 'epoch' + :after_int * interval '1 microsecond', 'infinity'), coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'));

-- newer: fragment
(created_at, id) > (coalesce(timestamptz 'epoch' + :after_int * interval '1 microsecond', '-infinity'), coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000'));

-- ---- accounts ----

-- user_insert: user_row
insert into users (id, email, email_key, name, role, password, created_at, updated_at)
values (:id, :email, :email_key, :name, :role, :password, :created_at, :created_at);

-- ensured_insert: login_key
insert into ensured (email_key, at) values (:email_key, :now) on conflict do nothing;

-- user_by_id: user_ref -> user
select {shown} from users where id = :id and deleted_at is null;

-- user_row_by_id: user_ref -> user_row ?
select {whole} from users where id = :id and deleted_at is null;

-- user_by_email: login_key -> user_row ?
select {whole} from users where email_key = :email_key and deleted_at is null;

-- user_lock: user_ref -> user_row ?
select {whole} from users where id = :id and deleted_at is null for no key update;

-- me_write: me_row -> user_row ?
-- By its owner, who was asked for the password it had when the row was read.
update users set email = :email, email_key = :email_key, name = :name, version = version + 1, updated_at = :now
 where id = :caller and deleted_at is null and blocked_at is null and password is not distinct from :password
   and coalesce(:if_match::int8, 0) in (0, version)
returning {whole};

-- user_write: user_row -> user_row ?
-- By an administrator, in a transaction that holds the row.
update users set email = :email, email_key = :email_key, name = :name, role = :role, blocked_at = case when :blocked then coalesce(blocked_at, :now) end,
       version = version + 1, updated_at = :now
 where id = :id and deleted_at is null
returning {whole};

-- password_replace: password_row
update users set password = :new_password where id = :id and deleted_at is null and blocked_at is null and password is not distinct from :old_password;

-- password_set: password_row
update users set password = :new_password where id = :id and deleted_at is null;

-- admins_lock: nothing
select pg_advisory_xact_lock(hashtext('souk administrators'));

-- admins_beside: user_ref -> admin_count
-- Who has no password administers nothing.
select count(*) as n from users where role = 3 and blocked_at is null and deleted_at is null and password is not null and id <> :id;

-- user_forget: user_ref
-- What is left says that there was somebody, and nothing of whom.
update users set email = '', email_key = id::text, name = '', password = null, role = 0, blocked_at = null, deleted_at = :now, version = version + 1, updated_at = :now
 where id = :id;

-- addresses_forget: user_ref
delete from address where user_id = :id;

-- sessions_delete: user_ref
delete from session where user_id = :id;

-- answers_forget: user_ref
-- First answers that are kept for Idempotency-Keys hold addresses.
delete from souk_idempotency where caller = :id;

-- user_of_email: user_filter -> user *
-- An e-mail address leads to one user at most.
select {shown} from users where email_key = :email_key and deleted_at is null and {matching};

-- users_newest: user_filter -> user *
select {shown} from users
 where deleted_at is null
   and {older}
   and {matching}
 order by created_at desc, id desc limit :take;

-- users_oldest: user_filter -> user *
select {shown} from users
 where deleted_at is null
   and {newer}
   and {matching}
 order by created_at, id limit :take;

-- users_by_email: user_filter -> user *
select {shown} from users
 where deleted_at is null
   and (email_key, id) > (lower(coalesce(:after_text, '')), coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000'))
   and {matching}
 order by email_key, id limit :take;

-- users_by_email_down: user_filter -> user *
select {shown} from users
 where deleted_at is null
   and (:after_id::uuid is null or (email_key, id) < (lower(:after_text), :after_id))
   and {matching}
 order by email_key desc, id desc limit :take;

-- ---- sessions ----

-- session_insert: session_start
-- Unless the account changed while the password was looked at: it waits for whoever blocks, deletes or gives a new password, and they for it.
insert into session (id, user_id, refresh_no, created_at, expires_at, last_used_at, address)
select :id, id, 1, :now, :expires_at, :now, :address from users
 where id = :user_id and deleted_at is null and blocked_at is null and password is not distinct from :password for share;

-- sessions_cap: user_ref
-- Of a user's living sessions the newest hundred stay.
update session set revoked_at = :now, revoked_why = 'too many sessions'
 where id = any (array(select id from session where user_id = :id and revoked_at is null order by created_at desc, id desc offset 100 limit 1000));

-- session_rotate: rotation -> session_row ?
update session set refresh_no = refresh_no + 1, last_used_at = :now, address = :address
 where id = :id and refresh_no = :refresh_no and revoked_at is null and expires_at > :now
returning id, user_id, refresh_no, created_at, expires_at;

-- session_revoke_reused: rotation
-- An older token of a living family was shown: somebody has a copy.
update session set revoked_at = :now, revoked_why = 'refresh token reused' where id = :id and refresh_no > :refresh_no and revoked_at is null;

-- session_end: session_ending
update session set revoked_at = :now, revoked_why = :why where id = :id and user_id = :caller and revoked_at is null and expires_at > :now;

-- sessions_end: session_ending
-- All of a user's but the one named, if one is.
update session set revoked_at = :now, revoked_why = :why where user_id = :user_id and id is distinct from :id and revoked_at is null;

-- session_own: session_key -> session
select {shown_session} from session
 where id = :id and user_id = :caller and revoked_at is null and expires_at > :now;

-- sessions_newest: session_filter -> session *
select {shown_session} from session
 where user_id = :caller and revoked_at is null and expires_at > :now
   and {older}
 order by created_at desc, id desc limit :take;

-- sessions_oldest: session_filter -> session *
select {shown_session} from session
 where user_id = :caller and revoked_at is null and expires_at > :now
   and {newer}
 order by created_at, id limit :take;

-- sessions_forget: nothing
-- Those that have run out: their refresh tokens are good for nothing, whether spent or not.
delete from session where ctid = any (array(select ctid from session where expires_at < :now limit 1000));

-- ---- addresses ----

-- address_by_ref: address_ref -> address
-- By its id, or the default; always of that user.
select id, name, line1, line2, postal_code, city, region, country, phone from address
 where user_id = :user and case when :id is null then is_default else id = :id end;

-- address_own: address_key -> address_entry
select {entry} from address
 where id = :id and user_id = :caller;

-- address_insert: address_draft -> address_entry ?
-- In a transaction that holds the owner's row, so that the count is true. The first is the default, whatever it says.
insert into address (id, user_id, name, line1, line2, postal_code, city, region, country, phone, is_default, created_at, updated_at)
select :id, :caller, :name, :line1, :line2, :postal_code, :city, :region, :country, :phone,
       coalesce(:is_default, false) or not exists (select from address where user_id = :caller), :now, :now
 where (select count(*) from address where user_id = :caller) < 20
returning {entry};

-- address_update: address_draft -> address_entry ?
update address set name = :name, line1 = :line1, line2 = :line2, postal_code = :postal_code, city = :city, region = :region, country = :country, phone = :phone,
       is_default = coalesce(:is_default, false), version = version + 1, updated_at = :now
 where id = :id and user_id = :caller and coalesce(:if_match::int8, 0) in (0, version)
returning {entry};

-- address_default_drop: nothing
update address set is_default = false, version = version + 1, updated_at = :now where user_id = :caller and is_default;

-- address_default_heir: nothing
-- The newest of those that are left.
update address set is_default = true, version = version + 1, updated_at = :now
 where id = (select id from address where user_id = :caller order by created_at desc, id desc limit 1);

-- address_drop: address_key
delete from address where id = :id and user_id = :caller and coalesce(:if_match::int8, 0) in (0, version);

-- addresses_newest: address_filter -> address_entry *
select {entry} from address
 where user_id = :caller
   and {older}
 order by created_at desc, id desc limit :take;

-- addresses_oldest: address_filter -> address_entry *
select {entry} from address
 where user_id = :caller
   and {newer}
 order by created_at, id limit :take;

-- ---- keys ----

-- keys_lock: nothing
select pg_advisory_xact_lock(hashtext('souk signing keys'));

-- keys_living: nothing -> key_row *
select kid, created_at, public_jwk, sealed_jwk, coalesce(retired_at, 'epoch') as retired_at from signing_key
 where retired_at is null or retired_at > :now - interval '1 hour' order by retired_at is not null, created_at desc limit 16;

-- keys_forget: nothing
-- What they signed has run out long ago; their private halves need not lie about.
delete from signing_key where retired_at < :now - interval '1 day';

-- keys_retire: nothing
update signing_key set retired_at = :now where retired_at is null;

-- key_insert: key_row
insert into signing_key (kid, created_at, public_jwk, sealed_jwk) values (:kid, :created_at, :public_jwk, :sealed_jwk);
