-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- A warehouse that is gone keeps its row, for the movements that name it; its code is free again.
alter table warehouse
        add column active     bool not null default true,
        add column version    int4 not null default 1,
        add column updated_at timestamptz,
        add column deleted_at timestamptz,
        drop constraint warehouse_code_key;
create unique index warehouse_exists on warehouse (code) where deleted_at is null;

-- What lies in a warehouse. The quantity is not in it, so selling still changes a row in place.
create index stock_of_warehouse on stock (warehouse_no, product_id);

-- low: the product's threshold, the same in all its rows, so that whoever has locked them knows it; null: the default. The truth is in threshold.
alter table stock add column low int4;
create table threshold (
        product_id   uuid primary key,
        low          int4,
        version      int4 not null
);

-- Kinds: also 4 transferred, 5 cancelled (ref: the order, lines counted down from -1), 6 returned (ref: the return). order_id: of what was returned.
alter table movement add column order_id uuid;

-- How much of an order's sales came back, by the warehouse that had sold it.
create table taken_back (
        order_id     uuid not null,
        product_id   uuid not null,
        warehouse_no int4 not null,
        quantity     int4 not null constraint taken_back_something check (quantity > 0),
        primary key (order_id, product_id, warehouse_no)
);

-- A warehouse began or ceased to sell, and not all have been told yet what is available of its products: those after `after` remain.
create table opening (
        warehouse_no int4 primary key,
        after        uuid not null
);
