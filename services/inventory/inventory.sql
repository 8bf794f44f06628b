-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Inventory: the statements. Locks are taken in one order, so that no two transactions wait for each other: rows of stock that are new, then rows of
-- stock by product and warehouse, then holds. Warehouses are locked on the way, and whoever changes one waits for no stock.

-- ---- holds ---------------------------------------------------------------------------------------------------------------------
-- Holds are found by `any`, not by a join with what is asked for: a vacuum sees the table empty, and a plan made then reads all of it for each row asked for.

-- stock_lock: hold_keys -> stock_row *
select product_id, warehouse_no, quantity, coalesce(low, -1) as low from stock
 where product_id = any (:products.id) order by product_id, warehouse_no for update;

-- stock_read: hold_keys -> stock_row *
select product_id, warehouse_no, quantity, coalesce(low, -1) as low from stock
 where product_id = any (:products.id) order by product_id, warehouse_no;

-- stock_take: hold_write
-- A row that is not as it was read takes the transaction down: its quantity becomes null, and no quantity is.
update stock s set quantity = case when s.quantity = t.was and coalesce(s.low, -1) = t.low then t.was - t.quantity end
  from unnest(:takes.product_id, :takes.warehouse_no, :takes.quantity, :takes.was, :takes.low) as t (product_id, warehouse_no, quantity, was, low)
 where s.product_id = t.product_id and s.warehouse_no = t.warehouse_no;

-- holds_insert: hold_write
insert into hold (order_id, line, attempt, product_id, warehouse_no, quantity, expires_at)
select order_id, line, attempt, product_id, warehouse_no, quantity, :expires_at
  from unnest(:holds.order_id, :holds.line, :holds.attempt, :holds.product_id, :holds.warehouse_no, :holds.quantity)
       as t (order_id, line, attempt, product_id, warehouse_no, quantity);

-- holds_of: hold_keys -> hold_row *
select order_id, line, attempt, product_id, warehouse_no, quantity, expires_at
  from hold where order_id = any (:orders.id) order by order_id, line;

-- holds_remove: hold_write
-- Exactly the rows that were read and given back; the caller counts them.
delete from hold h
 where h.order_id = any (:gone.order_id)
   and exists (select from unnest(:gone.order_id, :gone.line, :gone.attempt) as t (order_id, line, attempt)
                where h.order_id = t.order_id and h.line = t.line and h.attempt = t.attempt);

-- holds_commit: hold_keys
-- What was held is sold: the hold goes, a movement stays. Stock was taken when it was held.
with gone as (delete from hold where order_id = any (:orders.id) returning *)
insert into movement (ref, line, product_id, warehouse_no, delta, kind, at)
select order_id, line, product_id, warehouse_no, -quantity, 3, :now from gone;

-- holds_commit_unsold: hold_keys
-- The same, but not of an order whose sale is booked: what it holds is a slow twin's, and goes back with the sweeper.
with gone as (delete from hold h
               where h.order_id = any (:orders.id) and not exists (select from movement m where m.ref = h.order_id and m.kind = 3) returning h.*)
insert into movement (ref, line, product_id, warehouse_no, delta, kind, at)
select order_id, line, product_id, warehouse_no, -quantity, 3, :now from gone;

-- holds_expired: nothing -> expired_hold *
select order_id, max(attempt) as attempt from hold where expires_at < :now group by order_id order by order_id limit 500;

-- hold_extend: extension
update hold set expires_at = :expires_at where order_id = :order_id;

-- sale_exists: extension -> sale_seen
select exists (select from movement where ref = :order_id and kind = 3) as sold;

-- sales_missing: hold_keys -> sales_lacking
select count(*) as n from unnest(:orders.id) as t (order_id) where not exists (select from movement m where m.ref = t.order_id and m.kind = 3);

-- ---- movements -----------------------------------------------------------------------------------------------------------------

-- stock_open: stock_moves
-- Every row that is to be moved is there before it is locked, with the threshold of its product.
insert into stock (product_id, warehouse_no, quantity, low)
select distinct t.product_id, t.warehouse_no, 0, h.low
  from unnest(:rows.product_id, :rows.warehouse_no) as t (product_id, warehouse_no) left join threshold h on h.product_id = t.product_id
 order by 1, 2
    on conflict do nothing;

-- stock_lock_moved: stock_moves -> stock_row *
select product_id, warehouse_no, quantity, coalesce(low, -1) as low from stock
 where product_id = any (:rows.product_id) order by product_id, warehouse_no for update;

-- movements_insert: stock_moves
insert into movement (ref, line, product_id, warehouse_no, delta, kind, at, order_id, reason, by_user)
select ref, line, product_id, warehouse_no, delta, kind, :at, order_id, reason, by_user
  from unnest(:rows.ref, :rows.line, :rows.product_id, :rows.warehouse_no, :rows.delta, :rows.kind, :rows.order_id, :rows.reason, :rows.by_user)
       as t (ref, line, product_id, warehouse_no, delta, kind, order_id, reason, by_user)
 order by ref, abs(line);

-- adjustment_by_id: booking_ref -> adjustment_note
select m.ref as id, m.product_id, w.id as warehouse_id, m.delta, m.reason, m.at
  from movement m join warehouse w on w.no = m.warehouse_no
 where m.ref = :id and m.kind = 2;

-- receipt_by_id: booking_ref -> receipt_note
select m.ref as id, (array_agg(w.id))[1] as warehouse_id, max(m.reason) as note, max(m.at) as at,
       jsonb_agg(jsonb_build_object('product_id', m.product_id, 'quantity', m.delta) order by m.line) as items
  from movement m join warehouse w on w.no = m.warehouse_no
 where m.ref = :id and m.kind = 1 group by m.ref;

-- goods_transfer_by_id: booking_ref -> stock_transfer
select m.ref as id, (array_agg(w.id) filter (where m.delta < 0))[1] as from_warehouse_id,
       (array_agg(w.id) filter (where m.delta > 0))[1] as to_warehouse_id, max(m.reason) as note, max(m.at) as at,
       jsonb_agg(jsonb_build_object('product_id', m.product_id, 'quantity', m.delta) order by m.line) filter (where m.delta > 0) as items
  from movement m join warehouse w on w.no = m.warehouse_no
 where m.ref = :id and m.kind = 4 group by m.ref;

-- ---- what comes back -----------------------------------------------------------------------------------------------------------

-- sales_left: hold_keys -> sale_left *
-- What of these orders is sold and has not come back, most first; and where it may lie now: a warehouse that is gone takes nothing back.
select m.ref as order_id, m.product_id, m.warehouse_no, (sum(-m.delta) - coalesce(max(t.quantity), 0))::int4 as quantity,
       bool_and(w.deleted_at is null) as is_there
  from movement m join warehouse w on w.no = m.warehouse_no
       left join taken_back t on t.order_id = m.ref and t.product_id = m.product_id and t.warehouse_no = m.warehouse_no
 where m.ref = any (:orders.id) and m.kind = 3
 group by m.ref, m.product_id, m.warehouse_no order by m.ref, m.product_id, 4 desc, m.warehouse_no;

-- taken_back_add: take_back
insert into taken_back as t (order_id, product_id, warehouse_no, quantity)
select order_id, product_id, warehouse_no, sum(quantity)
  from unnest(:shares.order_id, :shares.product_id, :shares.warehouse_no, :shares.quantity) as s (order_id, product_id, warehouse_no, quantity)
 group by 1, 2, 3 order by 1, 2, 3
    on conflict (order_id, product_id, warehouse_no) do update set quantity = t.quantity + excluded.quantity;

-- ---- warehouses ----------------------------------------------------------------------------------------------------------------

-- sites_all: nothing -> site *
select no, active, country from warehouse where deleted_at is null order by no limit 1000;

-- warehouses_share: nothing -> site *
-- All of them, kept from being deleted until the transaction ends.
select no, active, country, is_default from warehouse where deleted_at is null order by no for key share;

-- warehouse_share: warehouse_key -> warehouse ?
-- One, or the default when none is named, kept from being deleted until the transaction ends.
select no, id, code, name, country, active, is_default, version, created_at, coalesce(updated_at, created_at) as updated_at from warehouse
 where deleted_at is null and case when :id::uuid is null then is_default else id = :id end for key share;

-- warehouse_by_id: warehouse_key -> warehouse
select no, id, code, name, country, active, is_default, version, created_at, coalesce(updated_at, created_at) as updated_at from warehouse
 where deleted_at is null and id = :id;

-- warehouses_lock: warehouse_key -> warehouse *
-- The one and the default.
select no, id, code, name, country, active, is_default, version, created_at, coalesce(updated_at, created_at) as updated_at from warehouse
 where deleted_at is null and (id = :id or is_default) order by no for no key update;

-- warehouse_lock: warehouse_key -> warehouse ?
select no, id, code, name, country, active, is_default, version, created_at, coalesce(updated_at, created_at) as updated_at from warehouse
 where deleted_at is null and id = :id for update;

-- warehouse_insert: warehouse -> warehouse ?
insert into warehouse (id, code, name, country, created_at)
select :id, :code, :name, :country, :created_at where (select count(*) from warehouse where deleted_at is null) < 1000
returning no, id, code, name, country, active, is_default, version, created_at, created_at as updated_at;

-- warehouse_update: warehouse -> warehouse
update warehouse set code = :code, name = :name, country = :country, active = :active, is_default = :is_default, version = version + 1, updated_at = :now
 where no = :no and version = :version
returning no, id, code, name, country, active, is_default, version, created_at, updated_at;

-- warehouse_undefault: warehouse
update warehouse set is_default = false, version = version + 1, updated_at = :now where no = :no;

-- warehouse_load: warehouse -> warehouse_holding
-- Is anything on its shelves, or held from them? One statement, so a unit is not missed on its way from one to the other.
select exists (select from stock where warehouse_no = :no and quantity > 0) or exists (select from hold where warehouse_no = :no) as any;

-- warehouse_delete: warehouse
update warehouse set deleted_at = :now, active = false, version = version + 1 where no = :no;

-- opening_add: warehouse
insert into opening (warehouse_no, after) values (:no, '00000000-0000-0000-0000-000000000000')
    on conflict (warehouse_no) do update set after = excluded.after;

-- opening_next: nothing -> opening ?
select warehouse_no, after from opening order by warehouse_no limit 1 for update skip locked;

-- opening_products: opening -> product_id *
select product_id as id from stock where warehouse_no = :warehouse_no and product_id > :after and quantity > 0 order by product_id limit 1000;

-- opening_move: opening
update opening set after = :after where warehouse_no = :warehouse_no;

-- opening_done: opening
delete from opening where warehouse_no = :warehouse_no;

-- warehouses_by_code: warehouse_filter -> warehouse *
select no, id, code, name, country, active, is_default, version, created_at, coalesce(updated_at, created_at) as updated_at from warehouse
 where deleted_at is null and (:country::text is null or country = :country) and (:active::int4 is null or active = (:active = 1))
   and (:after_id::uuid is null or (code, id) > (:after_text, :after_id))
 order by code, id limit :take;

-- warehouses_by_code_down: warehouse_filter -> warehouse *
select no, id, code, name, country, active, is_default, version, created_at, coalesce(updated_at, created_at) as updated_at from warehouse
 where deleted_at is null and (:country::text is null or country = :country) and (:active::int4 is null or active = (:active = 1))
   and (:after_id::uuid is null or (code, id) < (:after_text, :after_id))
 order by code desc, id desc limit :take;

-- ---- thresholds ----------------------------------------------------------------------------------------------------------------

-- threshold_of: product_ref -> threshold_row ?
select coalesce(low, -1) as low, version from threshold where product_id = :product_id;

-- threshold_write: threshold
insert into threshold (product_id, low, version) values (:product_id, nullif(:low, -1), :version)
    on conflict (product_id) do update set low = excluded.low, version = excluded.version;

-- threshold_spread: threshold
update stock set low = nullif(:low, -1) where product_id = :product_id;

-- ---- reading -------------------------------------------------------------------------------------------------------------------

-- stock_of: product_ref -> level_row *
-- One statement, so that on hand and held are of one moment.
select w.id as warehouse_id, w.code, w.country, w.active, s.quantity::int8 as on_hand, coalesce(h.held, 0) as held,
       case when w.active then s.quantity else 0 end::int8 as available
  from stock s join warehouse w on w.no = s.warehouse_no
       left join (select warehouse_no, sum(quantity)::int8 as held from hold where product_id = :product_id group by 1) h on h.warehouse_no = s.warehouse_no
 where s.product_id = :product_id and w.deleted_at is null order by w.no;

-- shelves_up: shelf_filter -> shelf *
select s.product_id as id, s.product_id, s.quantity as on_hand, coalesce(h.held, 0) as held
  from stock s join warehouse w on w.no = s.warehouse_no
       left join (select product_id, sum(quantity)::int8 as held from hold where warehouse_no = (select no from warehouse where id = :id) group by 1) h
              on h.product_id = s.product_id
 where w.id = :id and w.deleted_at is null and (:after_id::uuid is null or s.product_id > :after_id)
 order by s.product_id limit :take;

-- shelves_down: shelf_filter -> shelf *
select s.product_id as id, s.product_id, s.quantity as on_hand, coalesce(h.held, 0) as held
  from stock s join warehouse w on w.no = s.warehouse_no
       left join (select product_id, sum(quantity)::int8 as held from hold where warehouse_no = (select no from warehouse where id = :id) group by 1) h
              on h.product_id = s.product_id
 where w.id = :id and w.deleted_at is null and (:after_id::uuid is null or s.product_id < :after_id)
 order by s.product_id desc limit :take;

-- levels_up: level_filter -> stock_total *
select s.product_id as id, s.product_id, sum(s.quantity)::int8 as on_hand,
       coalesce(sum(s.quantity) filter (where w.active), 0)::int8 as available, coalesce(max(s.low), :low)::int4 as low
  from stock s join warehouse w on w.no = s.warehouse_no
 where :after_id::uuid is null or s.product_id > :after_id
 group by s.product_id
having :level::int4 is null or coalesce(sum(s.quantity) filter (where w.active), 0) <= case :level when 1 then coalesce(max(s.low), :low) else 0 end
 order by s.product_id limit :take;

-- levels_down: level_filter -> stock_total *
select s.product_id as id, s.product_id, sum(s.quantity)::int8 as on_hand,
       coalesce(sum(s.quantity) filter (where w.active), 0)::int8 as available, coalesce(max(s.low), :low)::int4 as low
  from stock s join warehouse w on w.no = s.warehouse_no
 where :after_id::uuid is null or s.product_id < :after_id
 group by s.product_id
having :level::int4 is null or coalesce(sum(s.quantity) filter (where w.active), 0) <= case :level when 1 then coalesce(max(s.low), :low) else 0 end
 order by s.product_id desc limit :take;

-- balances_of: product_ref -> balance_row *
with m as (select warehouse_no, coalesce(sum(delta) filter (where kind = 1), 0)::int8 as received, coalesce(sum(delta) filter (where kind = 2), 0)::int8 as adjusted,
                  coalesce(-sum(delta) filter (where kind = 3), 0)::int8 as sold, coalesce(sum(delta) filter (where kind = 4), 0)::int8 as transferred,
                  coalesce(sum(delta) filter (where kind = 5), 0)::int8 as cancelled, coalesce(sum(delta) filter (where kind = 6), 0)::int8 as returned
             from movement where product_id = :product_id group by 1),
     h as (select warehouse_no, sum(quantity)::int8 as held from hold where product_id = :product_id group by 1),
     s as (select warehouse_no, quantity::int8 as on_hand from stock where product_id = :product_id)
select w.id as warehouse_id, w.code, coalesce(s.on_hand, 0) as on_hand, coalesce(h.held, 0) as held, coalesce(m.sold, 0) as sold,
       coalesce(m.received, 0) as received, coalesce(m.adjusted, 0) as adjusted, coalesce(m.transferred, 0) as transferred,
       coalesce(m.cancelled, 0) as cancelled, coalesce(m.returned, 0) as returned
  from warehouse w left join m on m.warehouse_no = w.no left join h on h.warehouse_no = w.no left join s on s.warehouse_no = w.no
 where m.warehouse_no is not null or h.warehouse_no is not null or s.on_hand > 0 order by w.no;

-- parts_of: order_at -> sale_part *
-- Where an order's units come from: held as yet, or sold, and how many of them came back.
select h.product_id, w.id as warehouse_id, w.code, 0 as state, sum(h.quantity)::int4 as quantity, 0 as taken_back
  from hold h join warehouse w on w.no = h.warehouse_no where h.order_id = :id group by 1, 2, 3
 union all
select m.product_id, w.id, w.code, 1, sum(-m.delta)::int4, coalesce(max(t.quantity), 0)
  from movement m join warehouse w on w.no = m.warehouse_no
       left join taken_back t on t.order_id = m.ref and t.product_id = m.product_id and t.warehouse_no = m.warehouse_no
 where m.ref = :id and m.kind = 3 group by 1, 2, 3
 order by 1, 3, 4;

-- movements_newest: movement_filter -> movement *
select m.ref as id, m.line, m.no, m.product_id, w.id as warehouse_id, m.delta, m.kind, m.at,
       case when m.kind in (3, 5) then m.ref else m.order_id end as order_id, m.reason
  from movement m join warehouse w on w.no = m.warehouse_no
 where m.product_id = :product_id and (:kind::int4 is null or m.kind = :kind) and (:warehouse_id::uuid is null or w.id = :warehouse_id)
   and (:after_int::int8 is null or m.no < :after_int)
 order by m.no desc limit :take;

-- movements_oldest: movement_filter -> movement *
select m.ref as id, m.line, m.no, m.product_id, w.id as warehouse_id, m.delta, m.kind, m.at,
       case when m.kind in (3, 5) then m.ref else m.order_id end as order_id, m.reason
  from movement m join warehouse w on w.no = m.warehouse_no
 where m.product_id = :product_id and (:kind::int4 is null or m.kind = :kind) and (:warehouse_id::uuid is null or w.id = :warehouse_id)
   and (:after_int::int8 is null or m.no > :after_int)
 order by m.no limit :take;
