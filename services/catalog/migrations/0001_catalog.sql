-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- A tree. path is the names from the root down, "Computers > Laptops": unique, and what descendants are found by.
create table category (
        id           uuid primary key,
        parent_id    uuid references category (id),
        slug         text not null,
        name         text not null,
        path         text not null constraint one_category_a_path unique,
        created_at   timestamptz not null
);
create index categories_by_path on category (path text_pattern_ops);

create table brand (
        name         text primary key,
        id           uuid not null unique,
        created_at   timestamptz not null
);

create table product (
        id           uuid primary key,
        sku          text not null constraint one_product_a_sku unique,
        name         text not null,
        description  text not null,
        brand        text not null,
        category_id  uuid references category (id),
        price_minor  int8 not null constraint price_above_zero check (price_minor > 0),
        price_cur    text not null,
        vat_bp       int4 not null,
        version      int4 not null,                     -- of the price: each change makes a new one
        content      int8 not null,                     -- a hash of all that a draft says: the same draft again changes nothing
        images       jsonb not null,
        attributes   jsonb not null,
        owner        uuid,                              -- the vendor whose product it is; null: the house's own
        created_at   timestamptz not null,
        updated_at   timestamptz not null
);
create index products_by_time on product (created_at, id);
create index products_by_price on product (price_minor, id);
create index products_by_name on product (name, id);
create index products_by_brand on product (brand);
create index products_by_category on product (category_id);

-- What a list may ask. Inlined by the planner, so the index of the list's order is used.
create function products_matching(q text, brands text[], category uuid, price_min int8, price_max int8, sku_is text) returns setof product
language sql stable as $$
        select p.* from product p
         where (q is null or p.name ilike '%' || replace(replace(replace(q, '\', '\\'), '%', '\%'), '_', '\_') || '%')
           and (coalesce(cardinality(brands), 0) = 0 or p.brand = any (brands))
           and (category is null or p.category_id in (
                select d.id from category a join category d on d.path = a.path or starts_with(d.path, a.path || ' > ') where a.id = category))
           and (price_min is null or p.price_minor >= price_min)
           and (price_max is null or p.price_minor <= price_max)
           and (sku_is is null or p.sku = sku_is)
$$;
