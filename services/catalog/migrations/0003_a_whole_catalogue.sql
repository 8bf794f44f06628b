-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- What a product has beside its price: a version of the whole, further categories, tags, whether it is to be had; and what it cost before.
alter table product
        add column revision        int4   not null default 1,           -- of all that is written here; in_stock is not
        add column more_categories uuid[] not null default '{}',        -- beside category_id, in the order that they were said
        add column tags            jsonb  not null default '[]',
        add column in_stock        bool   not null default false;       -- as inventory's events say
create index products_in_more_categories on product using gin (more_categories) where more_categories <> '{}';

-- A price is of a currency: amounts of different ones have no order.
create index products_by_price_of_currency on product (price_cur, price_minor, id);
drop index products_by_price;

-- Every price a product has had; the last is the one of its row.
create table price (
        product_id   uuid not null references product (id) on delete cascade,
        version      int4 not null,
        price_minor  int8 not null,
        price_cur    text not null,
        since        timestamptz not null,
        primary key (product_id, version)
);
insert into price (product_id, version, price_minor, price_cur, since) select id, version, price_minor, price_cur, updated_at from product;

alter table category add column version int4 not null default 1;

-- The made-up shop that fills an empty catalogue: under way until done_at.
create table seeding (
        only_one     bool primary key default true check (only_one),
        seed         int8 not null,
        count        int4 not null,
        begun_at     timestamptz not null,
        done_at      timestamptz
);
