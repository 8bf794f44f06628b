-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- A warehouse is known by its UUID outside and by a small number inside: the number stands in every row of stock and movement.
create table warehouse (
        no           int4 generated always as identity primary key,
        id           uuid not null unique,
        code         text not null unique,
        name         text not null,
        country      text not null,
        is_default   bool not null default false,
        created_at   timestamptz not null
);
create unique index one_default_warehouse on warehouse (is_default) where is_default;
insert into warehouse (id, code, name, country, is_default, created_at)
values ('019ab4f0-0000-7000-8000-000000000001', 'main', 'Main warehouse', 'DE', true, now());

-- What is free to be sold. The check is the last guard; the batch decides before it.
create table stock (
        product_id   uuid not null,
        warehouse_no int4 not null,
        quantity     int4 not null constraint never_negative check (quantity >= 0),
        primary key (product_id, warehouse_no)
) with (fillfactor = 50);

-- Open holds only: a row goes when its order is confirmed or rejected. No index on expires_at: it costs each insert, and the sweeper reads a small table.
create table hold (
        order_id     uuid not null,
        line         int4 not null,
        attempt      int4 not null,
        product_id   uuid not null,
        warehouse_no int4 not null,
        quantity     int4 not null constraint hold_something check (quantity > 0),
        expires_at   timestamptz not null,
        primary key (order_id, line)
);

-- Append only. ref: the order of a sale, else the movement's own id. kind: 1 received, 2 adjusted, 3 sold. no: in the order they were
-- written, for reading; ids made from keys of buyers have no order.
create table movement (
        ref          uuid not null,
        line         int4 not null,
        no           int8 not null generated always as identity,
        product_id   uuid not null,
        warehouse_no int4 not null,
        delta        int4 not null,
        kind         int2 not null,
        at           timestamptz not null,
        reason       text,
        by_user      uuid,
        primary key (ref, line)
);
create index movements_of_product on movement (product_id, no);
