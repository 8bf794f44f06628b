-- SPDX-License-Identifier: Apache-2.0
-- The usual way's tables: what most shops would write first. No foreign keys and no index that the transaction itself does not need,
-- which favours the usual way: both would make it dearer.
drop table if exists idempotency_key, stock, orders, order_item, invoice_counter, invoice, outbox;
create table idempotency_key (key uuid primary key, created_at timestamptz not null default now());
create table stock (product_id int8 primary key, quantity int8 not null check (quantity >= 0)) with (fillfactor = 10);
create table orders (id int8 generated always as identity primary key, buyer int8 not null, state int2 not null, total int8 not null, placed_at timestamptz not null default now());
create table order_item (order_id int8, line int2, product_id int8 not null, quantity int4 not null, price int8 not null, primary key (order_id, line));
create table invoice_counter (series int4 primary key, last_no int8 not null) with (fillfactor = 10);
create table invoice (series int4, no int8, order_id int8 not null, primary key (series, no));
create table outbox (id int8 generated always as identity primary key, type text not null, payload bytea not null);
insert into stock values (1, 1000000000);
insert into invoice_counter values (1, 0);
vacuum analyze;
