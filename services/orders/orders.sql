-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Orders: the statements. Ownership is in them, not after them.

-- orders_seen: order_keys -> order_seen *
select id, buyer, state, attempt, coalesce(fingerprint, 0) as fingerprint
  from orders where id = any (:keys.id);

-- orders_seen_lock: order_keys -> order_seen *
select id, buyer, state, attempt, coalesce(fingerprint, 0) as fingerprint
  from orders where id = any (:keys.id) order by id for update;

-- invoices_take: invoice_block -> invoice_block
insert into invoice_counter as c (series, year, last_no) values (:series, :year, :taken)
    on conflict (series, year) do update set last_no = c.last_no + :taken
returning last_no;

-- orders_insert: confirm_batch
insert into orders (id, buyer, state, attempt, fingerprint, total_minor, total_cur, placed_at, series, year, invoice_no)
select id, buyer, 0, attempt, fingerprint, total, cur, :at, :series, :year, no
  from unnest(:rows.id, :rows.buyer, :rows.attempt, :rows.fingerprint, :rows.total, :rows.cur, :rows.invoice_no)
       as t (id, buyer, attempt, fingerprint, total, cur, no);

-- orders_revive: confirm_batch
-- A rejected attempt's tombstone becomes the order of a later attempt.
update orders o
   set state = 0, attempt = t.attempt, fingerprint = t.fingerprint, total_minor = t.total, total_cur = t.cur, placed_at = :at,
       series = :series, year = :year, invoice_no = t.no
  from unnest(:revived.id, :revived.attempt, :revived.fingerprint, :revived.total, :revived.cur, :revived.invoice_no)
       as t (id, attempt, fingerprint, total, cur, no)
 where o.id = t.id;

-- order_items_insert: confirm_batch
insert into order_item (order_id, line, product_id, quantity, price_minor, vat_bp, name)
select order_id, line, product_id, quantity, price, vat_bp, name
  from unnest(:lines.order_id, :lines.line, :lines.product_id, :lines.quantity, :lines.price, :lines.vat_bp, :lines.name)
       as t (order_id, line, product_id, quantity, price, vat_bp, name);

-- tombstones_write: abandon_batch -> order_seen *
-- expired (2) is for good and never becomes rejected (1) again; a confirmed order is not touched, and so not returned.
insert into orders as o (id, buyer, state, attempt, placed_at)
select id, '00000000-0000-0000-0000-000000000000', state, attempt, :at
  from unnest(:rows.id, :rows.state, :rows.attempt) as t (id, state, attempt)
    on conflict (id) do update set state = greatest(o.state, excluded.state), attempt = greatest(o.attempt, excluded.attempt), placed_at = :at
 where o.state <> 0
returning id, buyer, state, attempt, coalesce(fingerprint, 0) as fingerprint;

-- order_changes_insert: abandon_batch
insert into order_change (order_id, state, at, note)
select id, state, :at, reason from unnest(:rows.id, :rows.state, :rows.reason) as t (id, state, reason);

-- order_by_id: order_key -> order
select o.id, o.buyer, o.state, o.total_minor, o.total_cur, o.placed_at,
       o.series || '-' || o.year || '-' || lpad(o.invoice_no::text, 8, '0') as invoice_number,
       (select jsonb_agg(jsonb_build_object('product_id', i.product_id, 'name', i.name, 'quantity', i.quantity, 'vat_bp', i.vat_bp,
                         'price', jsonb_build_object('amount', i.price_minor, 'currency', o.total_cur),
                         'total', jsonb_build_object('amount', i.price_minor * i.quantity, 'currency', o.total_cur)) order by i.line)
          from order_item i where i.order_id = o.id) as items,
       (select jsonb_agg(jsonb_build_object('state', case h.state when 0 then 'confirmed' when 1 then 'rejected' else 'expired' end,
                         'at', to_char(h.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'note', h.note) order by h.at, h.state desc)
          from (select c.state, c.at, c.note from order_change c where c.order_id = o.id
                union all select 0, o.placed_at, null) h) as history
  from orders o
 where o.id = :id and o.state = 0 and (:buyer::uuid is null or o.buyer = :buyer);

-- orders_newest: order_filter -> order_summary *
select id, state, total_minor, total_cur, placed_at,
       series || '-' || year || '-' || lpad(invoice_no::text, 8, '0') as invoice_number
  from orders
 where buyer = :caller and state = 0
   and (:after_id::uuid is null or (placed_at, id) < (timestamptz 'epoch' + :after_int * interval '1 microsecond', :after_id))
 order by placed_at desc, id desc limit :take;

-- orders_oldest: order_filter -> order_summary *
select id, state, total_minor, total_cur, placed_at,
       series || '-' || year || '-' || lpad(invoice_no::text, 8, '0') as invoice_number
  from orders
 where buyer = :caller and state = 0
   and (:after_id::uuid is null or (placed_at, id) > (timestamptz 'epoch' + :after_int * interval '1 microsecond', :after_id))
 order by placed_at, id limit :take;

-- invoices_in_order: invoice_filter -> invoice_entry *
select id, id as order_id, invoice_no as no, placed_at as issued_at, total_minor, total_cur,
       series || '-' || year || '-' || lpad(invoice_no::text, 8, '0') as number
  from orders
 where series = 'SK' and year = :year and invoice_no > coalesce(:after_int::int8, 0)
 order by invoice_no limit :take;
