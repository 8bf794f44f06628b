-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Orders: the statements. Ownership is in them, not after them.

-- orders_seen: order_keys -> order_seen *
select id, buyer, case when state in (1, 2) then state else 0 end as state, attempt, coalesce(fingerprint, 0) as fingerprint
  from orders where id = any (:keys.id);

-- orders_seen_lock: order_keys -> order_seen *
select id, buyer, case when state in (1, 2) then state else 0 end as state, attempt, coalesce(fingerprint, 0) as fingerprint
  from orders where id = any (:keys.id) order by id for update;

-- numbers_take: number_blocks -> number_block *
insert into invoice_counter as c (series, year, last_no)
select series, year, taken from unnest(:blocks.series, :blocks.year, :blocks.taken) as t (series, year, taken) order by series, year
    on conflict (series, year) do update set last_no = c.last_no + excluded.last_no
returning series, year, last_no;

-- orders_insert: confirm_batch
insert into orders (id, buyer, state, attempt, fingerprint, total_minor, total_cur, placed_at, series, year, invoice_no, note, ship_to)
select id, buyer, 0, attempt, fingerprint, total, cur, placed_at, :series, year, no, note, ship_to
  from unnest(:rows.id, :rows.buyer, :rows.attempt, :rows.fingerprint, :rows.total, :rows.cur, :rows.placed_at, :rows.year, :rows.invoice_no, :rows.note,
              :rows.ship_to) as t (id, buyer, attempt, fingerprint, total, cur, placed_at, year, no, note, ship_to)
 order by id;

-- orders_revive: confirm_batch
-- A rejected attempt's tombstone becomes the order of a later attempt.
update orders o
   set state = 0, buyer = t.buyer, attempt = t.attempt, fingerprint = t.fingerprint, total_minor = t.total, total_cur = t.cur, placed_at = t.placed_at,
       series = :series, year = t.year, invoice_no = t.no, note = t.note, ship_to = t.ship_to
  from unnest(:revived.id, :revived.buyer, :revived.attempt, :revived.fingerprint, :revived.total, :revived.cur, :revived.placed_at, :revived.year,
              :revived.invoice_no, :revived.note, :revived.ship_to) as t (id, buyer, attempt, fingerprint, total, cur, placed_at, year, no, note, ship_to)
 where o.id = t.id;

-- order_items_insert: confirm_batch
insert into order_item (order_id, line, product_id, quantity, price_minor, vat_bp, name)
select order_id, line, product_id, quantity, price, vat_bp, name
  from unnest(:lines.order_id, :lines.line, :lines.product_id, :lines.quantity, :lines.price, :lines.vat_bp, :lines.name)
       as t (order_id, line, product_id, quantity, price, vat_bp, name);

-- tombstones_write: abandon_batch -> order_seen *
-- A later attempt than the tombstone says takes it further; an earlier one, or the same, changes nothing: what was refused does not run out. Expired (2)
-- is for good. A confirmed order is not touched, and so not returned. In the order of ids, so that no two batches wait for each other.
insert into orders as o (id, buyer, state, attempt, placed_at)
select distinct on (id) id, '00000000-0000-0000-0000-000000000000'::uuid, state, attempt, :at
  from unnest(:rows.id, :rows.state, :rows.attempt) as t (id, state, attempt) order by id, attempt desc
    on conflict (id) do update set state = case when excluded.attempt > o.attempt then greatest(o.state, excluded.state) else o.state end,
                                   attempt = greatest(o.attempt, excluded.attempt)
 where o.state in (1, 2)
returning id, buyer, state, attempt, coalesce(fingerprint, 0) as fingerprint;

-- order_changes_insert: abandon_batch
-- The first that gives an attempt up says why.
insert into order_change (order_id, attempt, state, at, note)
select id, attempt, state, :at, reason from unnest(:rows.id, :rows.attempt, :rows.state, :rows.reason) as t (id, attempt, state, reason)
    on conflict do nothing;

-- order_by_id: order_key -> order
-- first: as it was answered when it was confirmed, whatever became of it since.
select o.id, o.buyer, case when :first then 0 else o.state end as state, o.total_minor, o.total_cur, o.placed_at,
       invoice_name(o.series, o.year, o.invoice_no) as invoice_number, o.note, o.ship_to,
       (select jsonb_agg(jsonb_build_object('product_id', i.product_id, 'name', i.name, 'quantity', i.quantity, 'vat_bp', i.vat_bp,
                         'price', money_json(i.price_minor, o.total_cur), 'total', money_json(i.price_minor * i.quantity, o.total_cur), 'credited', b.n) order by i.line)
          from order_item i
          left join (select l.line, sum(l.quantity) as n from credit_note k join credit_note_line l on l.note_id = k.id
                      where k.order_id = :id and not :first group by l.line) b on b.line = i.line
         where i.order_id = o.id) as items,
       (select jsonb_agg(jsonb_build_object('state', (array['confirmed', 'rejected', 'expired', 'cancelled', 'returned', 'partly_returned'])[h.state + 1],
                         'at', to_char(h.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'note', h.note, 'credit_note_number', h.number)
                         order by h.step, h.year, h.no)
          from (select 0 as step, 0 as year, c.attempt::int8 as no, c.state, c.at, c.note, null as number
                  from order_change c where c.order_id = o.id and c.attempt < o.attempt
                union all select 1, 0, 0, 0, o.placed_at, null, null
                union all select 2, k.year, k.no, k.state, k.issued_at, k.reason, invoice_name(k.series, k.year, k.no)
                  from credit_note k where k.order_id = o.id and not :first) h) as history
  from orders o
 where o.id = :id and o.invoice_no is not null and (:buyer::uuid is null or o.buyer = :buyer);

-- summary: fragment
select id, buyer, state, total_minor, total_cur, placed_at, invoice_name(series, year, invoice_no) as invoice_number,
       year * 1000000000000 + invoice_no as seq
  from orders;

-- wanted: fragment
invoice_no is not null and (:state::int4 is null or state = (array[null, 0, 3, 4, 5])[:state + 1])
   and placed_at >= coalesce(:placed_from, '-infinity') and placed_at < coalesce(:placed_to, 'infinity');

-- orders_newest: order_filter -> order_summary *
-- Of a buyer, by the index of buyers.
{summary} where buyer = :buyer and {wanted}
   and (:after_id::uuid is null or (placed_at, id) < (timestamptz 'epoch' + :after_int * interval '1 microsecond', :after_id))
 order by placed_at desc, id desc limit :take;

-- orders_oldest: order_filter -> order_summary *
{summary} where buyer = :buyer and {wanted}
   and (:after_id::uuid is null or (placed_at, id) > (timestamptz 'epoch' + :after_int * interval '1 microsecond', :after_id))
 order by placed_at, id limit :take;

-- orders_last_numbers: order_filter -> order_summary *
-- Of everybody, by the index of numbers.
{summary} where series = 'SK' and {wanted}
   and (year, invoice_no) < (coalesce(:after_int::int8 / 1000000000000, 10000)::int4, coalesce(:after_int::int8 % 1000000000000, 0))
 order by year desc, invoice_no desc limit :take;

-- orders_by_number: order_filter -> order_summary *
{summary} where series = 'SK' and {wanted}
   and (year, invoice_no) > (coalesce(:after_int::int8 / 1000000000000, 0)::int4, coalesce(:after_int::int8 % 1000000000000, 0))
 order by year, invoice_no limit :take;

-- orders_of_days_back: order_filter -> order_summary *
-- Of everybody on some days: found by the summary of the table, then sorted.
{summary} where {wanted}
   and (:after_id::uuid is null or (placed_at, id) < (timestamptz 'epoch' + :after_int * interval '1 microsecond', :after_id))
 order by placed_at desc, id desc limit :take;

-- orders_of_days: order_filter -> order_summary *
{summary} where {wanted}
   and (:after_id::uuid is null or (placed_at, id) > (timestamptz 'epoch' + :after_int * interval '1 microsecond', :after_id))
 order by placed_at, id limit :take;

-- order_exists: order_key
select from orders where id = :id and invoice_no is not null;

-- order_note_insert: note_row
insert into order_note (id, order_id, author, text, at)
select :id, :order_id, :caller, :text, :at where (select count(*) from order_note where order_id = :order_id) < 200;

-- order_notes_of: order_ref -> order_note *
select id, author, text, at from order_note where order_id = :id order by at, id limit 200;

-- What comes after ------------------------------------------------------------------------------------------------------------------------------

-- order_lock: order_key -> order_locked
select id, buyer, state, attempt, total_minor, total_cur, placed_at from orders
 where id = :id and invoice_no is not null and (:buyer::uuid is null or buyer = :buyer) for update;

-- lines_left: order_key -> line_left *
-- Under the order's lock: how many of each line have not come back.
select i.line, i.product_id, i.name, i.price_minor, o.total_cur as price_cur, i.vat_bp,
       (i.quantity - coalesce((select sum(l.quantity) from credit_note k join credit_note_line l on l.note_id = k.id
                                where k.order_id = i.order_id and l.line = i.line), 0))::int4 as quantity
  from order_item i join orders o on o.id = i.order_id where i.order_id = :id order by i.line;

-- credit_note_insert: credit_row
insert into credit_note (id, order_id, state, reason, restock, total_minor, total_cur, issued_at, issued_by, series, year, no)
values (:id, :order_id, :state, :reason, :restock, :total.minor, :total.cur, :issued_at, :caller, :series, :year, :no);

-- credit_note_lines_insert: credit_row
insert into credit_note_line (note_id, line, quantity)
select :id, line, quantity from unnest(:lines.line, :lines.quantity) as t (line, quantity);

-- order_state_set: credit_row
update orders set state = :state where id = :order_id;

-- Parties of an invoice ---------------------------------------------------------------------------------------------------------------------------

-- buyers_hear: buyer_news
insert into buyer_was (buyer, since, name, email)
select buyer, since, name, email from unnest(:rows.buyer, :rows.since, :rows.name, :rows.email) as t (buyer, since, name, email)
    on conflict do nothing;

-- buyers_repeat: buyer_news
-- What says the same as the row before it says nothing.
delete from buyer_was b
 using (select buyer, since, name = lag(name) over w and email = lag(email) over w as repeats from buyer_was
         where buyer = any (:rows.buyer) window w as (partition by buyer order by since)) t
 where t.repeats and b.buyer = t.buyer and b.since = t.since;

-- buyers_trim: buyer_news
-- What no invoice and no credit note was issued under; the first row counts from ever, the last one stays unless its owner has gone.
delete from buyer_was b
 using (select buyer, case when lag(since) over w is null then '-infinity' else since end as from_, since,
               coalesce(lead(since) over w, case when :gone then timestamptz 'infinity' end) as until
          from buyer_was where buyer = any (:rows.buyer) window w as (partition by buyer order by since)) t
 where b.buyer = t.buyer and b.since = t.since and t.until is not null
   and not exists (select from orders o where o.buyer = t.buyer and o.invoice_no is not null and o.placed_at >= t.from_ and o.placed_at < t.until)
   and not exists (select from orders o join credit_note k on k.order_id = o.id
                    where o.buyer = t.buyer and o.invoice_no is not null and k.issued_at >= t.from_ and k.issued_at < t.until);

-- seller_say: seller
-- Nothing when the last row says the same.
insert into seller_was (since, name, vat_id, street, postal_code, city, country)
select :since, :name, :vat_id, :street, :postal_code, :city, :country
 where not exists (select from (select * from seller_was order by since desc limit 1) s
                    where s.name = :name and s.vat_id = :vat_id and s.street = :street and s.postal_code = :postal_code and s.city = :city and s.country = :country)
    on conflict do nothing;

-- parties_at: party_key -> parties
-- As they were then; before the first row, as that one says.
select b.name as buyer_name, b.email as buyer_email, s.name as seller_name, s.vat_id, s.street, s.postal_code, s.city, s.country
  from (select) as one
  left join lateral (select name, email from buyer_was where buyer = :buyer
                      order by since <= :at desc, abs(extract(epoch from since - :at)) limit 1) b on true
  left join lateral (select name, vat_id, street, postal_code, city, country from seller_was
                      order by since <= :at desc, abs(extract(epoch from since - :at)) limit 1) s on true;

-- Invoices and credit notes ----------------------------------------------------------------------------------------------------------------------

-- The net is found later (vat.h): here it is only not absent.
-- invoice_of_order: order_key -> bill_row
select o.id as order_id, o.buyer, 0 as kind, invoice_name(o.series, o.year, o.invoice_no) as number, o.placed_at as issued_at, o.total_minor, o.total_cur,
       o.ship_to,
       (select jsonb_agg(jsonb_build_object('line', i.line, 'product_id', i.product_id, 'name', i.name, 'quantity', i.quantity, 'vat_bp', i.vat_bp,
                         'price', money_json(i.price_minor, o.total_cur), 'total', money_json(i.price_minor * i.quantity, o.total_cur), 'net', money_json(0, o.total_cur))
                         order by i.line)
          from order_item i where i.order_id = o.id) as lines
  from orders o where o.id = :id and o.invoice_no is not null and (:buyer::uuid is null or o.buyer = :buyer);

-- invoice_of_number: bill_number -> order_ref
select id from orders where series = :series and year = :year and invoice_no = :no;

-- credit_note_of_number: credit_key -> bill_row
select k.order_id, o.buyer, 1 as kind, invoice_name(k.series, k.year, k.no) as number, invoice_name(o.series, o.year, o.invoice_no) as credits, k.reason,
       k.issued_at, k.total_minor, k.total_cur, o.ship_to,
       (select jsonb_agg(jsonb_build_object('line', i.line, 'product_id', i.product_id, 'name', i.name, 'quantity', l.quantity, 'vat_bp', i.vat_bp,
                         'price', money_json(i.price_minor, o.total_cur), 'total', money_json(i.price_minor * l.quantity, o.total_cur), 'net', money_json(0, o.total_cur))
                         order by i.line)
          from credit_note_line l join order_item i on i.order_id = k.order_id and i.line = l.line where l.note_id = k.id) as lines
  from credit_note k join orders o on o.id = k.order_id
 where k.series = :series and k.year = :year and k.no = :no and (:buyer::uuid is null or o.buyer = :buyer);

-- credit_notes_in_order: invoice_filter -> invoice_entry *
select id, order_id, no, issued_at, total_minor, total_cur, invoice_name(series, year, no) as number
  from credit_note
 where series = 'CN' and year = :year and no > coalesce(:after_int::int8, 0)
 order by no limit :take;

-- credit_notes_back: invoice_filter -> invoice_entry *
select id, order_id, no, issued_at, total_minor, total_cur, invoice_name(series, year, no) as number
  from credit_note
 where series = 'CN' and year = :year and no < coalesce(:after_int::int8, 9223372036854775807)
 order by no desc limit :take;

-- invoices_in_order: invoice_filter -> invoice_entry *
select id, id as order_id, invoice_no as no, placed_at as issued_at, total_minor, total_cur,
       invoice_name(series, year, invoice_no) as number
  from orders
 where series = 'SK' and year = :year and invoice_no > coalesce(:after_int::int8, 0)
 order by invoice_no limit :take;

-- invoices_back: invoice_filter -> invoice_entry *
select id, id as order_id, invoice_no as no, placed_at as issued_at, total_minor, total_cur,
       invoice_name(series, year, invoice_no) as number
  from orders
 where series = 'SK' and year = :year and invoice_no < coalesce(:after_int::int8, 9223372036854775807)
 order by invoice_no desc limit :take;

-- Carts -------------------------------------------------------------------------------------------------------------------------------------------

-- cart_touch: cart_key -> cart_row
-- The cart's lock, and its row when there was none. Not a guest's that was merged, nor another's.
insert into cart as c (id, owner, touched_at) values (:id, :owner, :now)
    on conflict (id) do update set touched_at = excluded.touched_at where c.owner is not distinct from excluded.owner and c.merged_into is null
returning id, merged_into;

-- cart_items: cart_key -> cart_item_row *
select i.cart_id, i.product_id, i.quantity, i.name, i.price_minor, i.price_cur
  from cart c join cart_item i on i.cart_id = c.id
 where c.id = :id and c.owner is not distinct from :owner::uuid order by i.added_at, i.product_id;

-- cart_item_put: cart_item_row
insert into cart_item as i (cart_id, product_id, quantity, name, price_minor, price_cur, added_at)
select :cart_id, :product_id, :quantity, :name, :price.minor, :price.cur, :now
 where (select count(*) from cart_item where cart_id = :cart_id and product_id <> :product_id) < 100
    on conflict (cart_id, product_id) do update set quantity = excluded.quantity, name = excluded.name, price_minor = excluded.price_minor,
                                                    price_cur = excluded.price_cur;

-- cart_item_drop: cart_item_row
delete from cart_item where cart_id = :cart_id and product_id = :product_id;

-- cart_items_drop: cart_key
with locked as (select id from cart where id = :id and owner is not distinct from :owner::uuid for update)
delete from cart_item i using locked k where i.cart_id = k.id;

-- cart_guest_lock: cart_key -> cart_row ?
select id, merged_into from cart where id = :id and owner is null for update;

-- cart_merged_count: cart_merging -> cart_count
select count(distinct product_id) as n from cart_item where cart_id in (:into, :from);

-- cart_items_merge: cart_merging
insert into cart_item as i (cart_id, product_id, quantity, name, price_minor, price_cur, added_at)
select :into, product_id, quantity, name, price_minor, price_cur, added_at from cart_item where cart_id = :from order by product_id
    on conflict (cart_id, product_id) do update set quantity = least(999, i.quantity + excluded.quantity);

-- cart_merged: cart_merging
update cart set merged_into = :into where id = :from;

-- carts_drop_old: cart_age
with old as (select id from cart where owner is null and touched_at < :before order by touched_at limit 500 for update skip locked),
     items as (delete from cart_item where cart_id in (select id from old))
delete from cart where id in (select id from old);

-- carts_take_out: confirm_batch
-- What was ordered leaves its cart with the order. What the buyer has added meanwhile stays.
with bought as (select * from unnest(:bought.cart_id, :bought.product_id, :bought.quantity) as t (cart_id, product_id, quantity)),
     locked as (select id from cart where id in (select cart_id from bought) order by id for update),
     less as (update cart_item i set quantity = i.quantity - b.quantity
                from bought b join locked k on k.id = b.cart_id
               where i.cart_id = b.cart_id and i.product_id = b.product_id and i.quantity > b.quantity)
delete from cart_item i using bought b join locked k on k.id = b.cart_id
 where i.cart_id = b.cart_id and i.product_id = b.product_id and i.quantity <= b.quantity;
