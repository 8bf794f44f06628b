-- SPDX-License-Identifier: Apache-2.0
-- Orders that were taken, paid and delivered long ago: what the marketplace has stored when it is no longer new. One file for three databases, which
-- know an order by the same number: from it follow its id (a UUIDv7 of its moment), its buyer, its lines and their prices.
--     psql -v n=ORDERS -v now=SECONDS -v buyers=UUID,... -v part=orders|inventory|payments       and the ids of products on stdin, a line each
-- Rows are those that an order leaves once all is done: no hold, an intent that stays as it was, a transfer, and a movement a line.
\set QUIET on
set synchronous_commit = off;
select :'part' = 'orders' as is_orders, :'part' = 'inventory' as is_inventory, :'part' = 'payments' as is_payments \gset

-- They are spread evenly over this year's days, 300 at most, so every one has a number of this year.
select :now::int8 * 1000 as now_ms, extract(year from to_timestamp(:now))::int4 as year,
       ((extract(epoch from least(to_timestamp(:now) - date_trunc('year', to_timestamp(:now)), interval '300 days')) * 1000)::int8 - 60000) / :n as step_ms \gset

create function pg_temp.draw(i int8, salt int8) returns int8 language sql immutable as $$ select hashint8extended(i, salt) & 9223372036854775807 $$;
create function pg_temp.uuid7(ms int8, i int8) returns uuid language sql immutable as
$$ select (lpad(to_hex((ms << 16) | 28672 | (hashint8extended(i, 10) & 4095)), 16, '0') || to_hex((hashint8extended(i, 11) & 4611686018427387903) | (-9223372036854775807 - 1)))::uuid $$;

-- Fifty thousand buyers, and those who order today as well: every twentieth order is one of theirs. They are looked up in arrays, made once a statement.
create temp table buyer as
select ordinality - 1 as no, id, true as today from unnest(string_to_array(:'buyers', ',')::uuid[]) with ordinality as t (id)
 union all select 1000 + b, pg_temp.uuid7(:now_ms - 40000000000 + b::int8 * 100000, -1 - b), false from generate_series(0, 49999) as t (b);
select count(*) as today from buyer where today \gset
create temp table product (no int8 generated always as identity, id uuid);
\copy product (id) from pstdin
select count(*) as products from product \gset

create temp view bought as
select i, pg_temp.uuid7(:now_ms - (:n - i + 1) * :step_ms, i) as id, to_timestamp((:now_ms - (:n - i + 1) * :step_ms) / 1000.0) as at,
       (select array_agg(id order by no) from buyer)[1 + case when i % 20 = 0 then i / 20 % :today else :today + pg_temp.draw(i, 20) % 50000 end] as buyer,
       1 + (pg_temp.draw(i, 30) % 3)::int4 as lines
  from generate_series(1::int8, :n) as t (i);
-- A price follows from its product, so that all three agree on totals.
create function pg_temp.product_of(i int8, l int4, n int8) returns int4 language sql immutable as $$ select ((pg_temp.draw(i, 60) % n + l * (n / 3)) % n)::int4 $$;
create function pg_temp.quantity_of(i int8, l int4) returns int4 language sql immutable as $$ select 1 + (pg_temp.draw(i, 40 + l) % 2)::int4 $$;
create function pg_temp.price_of(product int4) returns int8 language sql immutable as $$ select 499 + product::int8 * 37 % 9000 $$;
create temp view line as
select b.i, b.id, b.at, l, pg_temp.quantity_of(i, l) as quantity, pg_temp.product_of(i, l, :products) as product
  from bought b cross join lateral generate_series(1, b.lines) as l;
create temp view paid as
select b.*, (select sum(pg_temp.quantity_of(i, l) * pg_temp.price_of(pg_temp.product_of(i, l, :products)))::int8 from generate_series(1, b.lines) as l) as total
  from bought b;

begin;
\if :is_orders
insert into orders (id, buyer, state, attempt, fingerprint, total_minor, total_cur, placed_at, series, year, invoice_no)
select id, buyer, 0, 1, hashint8extended(i, 70), total, 'EUR', at, 'SK', :year, i from paid;
insert into order_item (order_id, line, product_id, quantity, price_minor, vat_bp, name)
select id, l, (select array_agg(id order by no) from product)[1 + product], quantity, pg_temp.price_of(product), 1900, 'Something that was bought before, size ' || product % 40 from line;
insert into invoice_counter (series, year, last_no) values ('SK', :year, :n) on conflict (series, year) do update set last_no = excluded.last_no;
\endif
\if :is_inventory
insert into movement (ref, line, product_id, warehouse_no, delta, kind, at)
select id, l, (select array_agg(id order by no) from product)[1 + product], 1, -quantity, 3, at + interval '50 ms' from line;
\endif
\if :is_payments
insert into intent (order_id, attempt, buyer, amount_minor, amount_cur, state, card_last4, created_at) select id, 1, buyer, total, 'EUR', 0, '4242', at from paid;
insert into transfer (order_id, no, kind, attempt, debit, credit, amount_minor, amount_cur, at) select id, 1, 1, 1, 1, 2, total, 'EUR', at + interval '50 ms' from paid;
update sweep_mark set at = to_timestamp(:now) - interval '1 hour';      -- the sweeper has seen them
\endif
commit;
vacuum analyze;
