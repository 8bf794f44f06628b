-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Inventory: the statements. Stock rows are locked before holds, products in order, so that no two batches wait for each other.

-- stock_lock: hold_keys -> stock_row *
select product_id, warehouse_no, quantity from stock
 where product_id = any (:products.id) order by product_id, warehouse_no for update;

-- stock_take: hold_write
update stock s set quantity = s.quantity - t.quantity
  from unnest(:takes.product_id, :takes.warehouse_no, :takes.quantity) as t (product_id, warehouse_no, quantity)
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
delete from hold h using unnest(:gone.order_id, :gone.line, :gone.attempt) as t (order_id, line, attempt)
 where h.order_id = t.order_id and h.line = t.line and h.attempt = t.attempt;

-- holds_commit: hold_keys
-- What was held is sold: the hold goes, a movement stays. Stock was taken when it was held.
with gone as (delete from hold h using unnest(:orders.id) as t (order_id) where h.order_id = t.order_id returning h.*)
insert into movement (ref, line, product_id, warehouse_no, delta, kind, at)
select order_id, line, product_id, warehouse_no, -quantity, 3, :now from gone;

-- holds_expired: nothing -> expired_hold *
select order_id, max(attempt) as attempt from hold where expires_at < :now group by order_id order by order_id limit 500;

-- hold_extend: extension
update hold set expires_at = :expires_at where order_id = :order_id;

-- sale_exists: extension -> sale_seen
select exists (select from movement where ref = :order_id and kind = 3) as sold;

-- warehouses_all: nothing -> warehouse *
select no, id, code, name, country, is_default, created_at from warehouse order by no limit 1000;

-- warehouse_insert: warehouse -> warehouse
insert into warehouse (id, code, name, country, created_at) values (:id, :code, :name, :country, :created_at)
returning no, id, code, name, country, is_default, created_at;

-- stock_add: change -> changed
-- Its rows are locked (stock_lock), so a reduction was held against what is there.
insert into stock as s (product_id, warehouse_no, quantity) values (:product_id, :warehouse_no, greatest(:delta, 0))
    on conflict (product_id, warehouse_no) do update set quantity = s.quantity + :delta
returning quantity;

-- movement_insert: change
insert into movement (ref, line, product_id, warehouse_no, delta, kind, at, reason, by_user)
values (:id, 1, :product_id, :warehouse_no, :delta, :kind, :at, :reason, :by_user);

-- stock_receive: receiving
insert into stock as s (product_id, warehouse_no, quantity)
select product_id, :warehouse_no, sum(quantity) from unnest(:rows.product_id, :rows.quantity) as t (product_id, quantity)
 group by product_id order by product_id
    on conflict (product_id, warehouse_no) do update set quantity = s.quantity + excluded.quantity;

-- movements_receive: receiving
insert into movement (ref, line, product_id, warehouse_no, delta, kind, at, reason)
select id, 1, product_id, :warehouse_no, quantity, 1, :now, 'delivery' from unnest(:rows.id, :rows.product_id, :rows.quantity) as t (id, product_id, quantity);

-- levels_of: hold_keys -> stock_level *
select product_id, sum(quantity)::int8 as available from stock where product_id = any (:products.id) group by product_id;

-- stock_of: product_ref -> level_row *
select w.id as warehouse_id, w.code, s.quantity from stock s join warehouse w on w.no = s.warehouse_no
 where s.product_id = :product_id order by w.no;

-- held_of: product_ref -> held_sum
select coalesce(sum(quantity), 0)::int8 as held from hold where product_id = :product_id;

-- balance_of: product_ref -> balance
select :product_id as product_id,
       coalesce((select sum(quantity) from stock where product_id = :product_id), 0)::int8 as on_hand,
       coalesce((select sum(quantity) from hold where product_id = :product_id), 0)::int8 as held,
       coalesce(-sum(delta) filter (where kind = 3), 0)::int8 as sold,
       coalesce(sum(delta) filter (where kind = 1), 0)::int8 as received,
       coalesce(sum(delta) filter (where kind = 2), 0)::int8 as adjusted
  from movement where product_id = :product_id;

-- movements_newest: movement_filter -> movement *
select m.ref as id, m.line, m.no, m.product_id, w.id as warehouse_id, m.delta, m.kind, m.at, m.reason
  from movement m join warehouse w on w.no = m.warehouse_no
 where m.product_id = :product_id and (:after_int::int8 is null or m.no < :after_int)
 order by m.no desc limit :take;
