-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Catalog: the statements.

-- product_by_id: product_key -> product
select p.id, p.sku, p.name, p.description, p.brand, p.category_id, c.path as category, p.price_minor, p.price_cur, p.vat_bp, p.version,
       p.images, p.attributes, p.created_at, p.updated_at
  from product p left join category c on c.id = p.category_id where p.id = :id;

-- products_by_ids: product_keys -> product *
select p.id, p.sku, p.name, p.description, p.brand, p.category_id, c.path as category, p.price_minor, p.price_cur, p.vat_bp, p.version,
       p.images, p.attributes, p.created_at, p.updated_at
  from product p left join category c on c.id = p.category_id where p.id = any (:keys.id);

-- Lists. Each walks the index of its order from where the page before ended and stops after :take rows that pass: no page is dearer for being deep.
-- The filters are one expression, because a statement is planned once for all values: apart, each would be taken for so selective that the planner
-- would rather read and sort the whole table. What needs a subquery is worked out once, before the walk.

-- products_newest: product_filter -> product_summary *
select p.id, p.sku, p.name, p.brand, c.path as category, p.price_minor, p.price_cur, p.images ->> 0 as image, p.created_at
  from (select * from product
         where (created_at, id) < (coalesce(timestamptz 'epoch' + :after_int * interval '1 microsecond', 'infinity'),
                                coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           and coalesce((:q::text is null or name ilike (select '%' || replace(replace(replace(:q, '\', '\\'), '%', '\%'), '_', '\_') || '%'))
               and (:brand::text[] is null or brand = any (:brand))
               and (:category::uuid is null or category_id = any (array(
                   select d.id from category a join category d on d.path = a.path or starts_with(d.path, a.path || ' > ') where a.id = :category)))
               and price_minor >= coalesce(:price_min::int8, 0) and price_minor <= coalesce(:price_max::int8, 9223372036854775807), false)
         order by created_at desc, id desc limit :take) p
  left join category c on c.id = p.category_id
 order by p.created_at desc, p.id desc;

-- products_oldest: product_filter -> product_summary *
select p.id, p.sku, p.name, p.brand, c.path as category, p.price_minor, p.price_cur, p.images ->> 0 as image, p.created_at
  from (select * from product
         where (created_at, id) > (coalesce(timestamptz 'epoch' + :after_int * interval '1 microsecond', '-infinity'),
                                coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000'))
           and coalesce((:q::text is null or name ilike (select '%' || replace(replace(replace(:q, '\', '\\'), '%', '\%'), '_', '\_') || '%'))
               and (:brand::text[] is null or brand = any (:brand))
               and (:category::uuid is null or category_id = any (array(
                   select d.id from category a join category d on d.path = a.path or starts_with(d.path, a.path || ' > ') where a.id = :category)))
               and price_minor >= coalesce(:price_min::int8, 0) and price_minor <= coalesce(:price_max::int8, 9223372036854775807), false)
         order by created_at, id limit :take) p
  left join category c on c.id = p.category_id
 order by p.created_at, p.id;

-- products_cheapest: product_filter -> product_summary *
select p.id, p.sku, p.name, p.brand, c.path as category, p.price_minor, p.price_cur, p.images ->> 0 as image, p.created_at
  from (select * from product
         where (price_minor, id) > (coalesce(:after_int::int8, 0), coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000'))
           and coalesce((:q::text is null or name ilike (select '%' || replace(replace(replace(:q, '\', '\\'), '%', '\%'), '_', '\_') || '%'))
               and (:brand::text[] is null or brand = any (:brand))
               and (:category::uuid is null or category_id = any (array(
                   select d.id from category a join category d on d.path = a.path or starts_with(d.path, a.path || ' > ') where a.id = :category)))
               and price_minor >= coalesce(:price_min::int8, 0) and price_minor <= coalesce(:price_max::int8, 9223372036854775807), false)
         order by price_minor, id limit :take) p
  left join category c on c.id = p.category_id
 order by p.price_minor, p.id;

-- products_dearest: product_filter -> product_summary *
select p.id, p.sku, p.name, p.brand, c.path as category, p.price_minor, p.price_cur, p.images ->> 0 as image, p.created_at
  from (select * from product
         where (price_minor, id) < (coalesce(:after_int::int8, 9223372036854775807), coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           and coalesce((:q::text is null or name ilike (select '%' || replace(replace(replace(:q, '\', '\\'), '%', '\%'), '_', '\_') || '%'))
               and (:brand::text[] is null or brand = any (:brand))
               and (:category::uuid is null or category_id = any (array(
                   select d.id from category a join category d on d.path = a.path or starts_with(d.path, a.path || ' > ') where a.id = :category)))
               and price_minor >= coalesce(:price_min::int8, 0) and price_minor <= coalesce(:price_max::int8, 9223372036854775807), false)
         order by price_minor desc, id desc limit :take) p
  left join category c on c.id = p.category_id
 order by p.price_minor desc, p.id desc;

-- products_named: product_filter -> product_summary *
select p.id, p.sku, p.name, p.brand, c.path as category, p.price_minor, p.price_cur, p.images ->> 0 as image, p.created_at
  from (select * from product
         where (name, id) > (coalesce(:after_text, ''), coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000'))
           and coalesce((:q::text is null or name ilike (select '%' || replace(replace(replace(:q, '\', '\\'), '%', '\%'), '_', '\_') || '%'))
               and (:brand::text[] is null or brand = any (:brand))
               and (:category::uuid is null or category_id = any (array(
                   select d.id from category a join category d on d.path = a.path or starts_with(d.path, a.path || ' > ') where a.id = :category)))
               and price_minor >= coalesce(:price_min::int8, 0) and price_minor <= coalesce(:price_max::int8, 9223372036854775807), false)
         order by name, id limit :take) p
  left join category c on c.id = p.category_id
 order by p.name, p.id;

-- products_by_sku: product_filter -> product_summary *
select p.id, p.sku, p.name, p.brand, c.path as category, p.price_minor, p.price_cur, p.images ->> 0 as image, p.created_at
  from (select * from product
         where sku = :sku
           and coalesce((:q::text is null or name ilike (select '%' || replace(replace(replace(:q, '\', '\\'), '%', '\%'), '_', '\_') || '%'))
               and (:brand::text[] is null or brand = any (:brand))
               and (:category::uuid is null or category_id = any (array(
                   select d.id from category a join category d on d.path = a.path or starts_with(d.path, a.path || ' > ') where a.id = :category)))
               and price_minor >= coalesce(:price_min::int8, 0) and price_minor <= coalesce(:price_max::int8, 9223372036854775807), false)
        ) p
  left join category c on c.id = p.category_id;

-- catalog_is_empty: nothing -> emptiness
select not exists (select from product) as empty;

-- skus_lock: product_batch -> known_row *
select id, sku, version, content, price_minor as price, price_cur as cur, owner from product where sku = any (:rows.sku) order by sku for update;

-- products_insert: product_batch
insert into product (id, sku, name, description, brand, category_id, price_minor, price_cur, vat_bp, version, content, images, attributes, owner,
                     created_at, updated_at)
select t.id, t.sku, t.name, t.description, t.brand, c.id, t.price, t.cur, t.vat_bp, 1, t.content, t.images::jsonb, t.attributes::jsonb, t.owner,
       t.created_at, t.created_at
  from unnest(:rows.id, :rows.sku, :rows.name, :rows.description, :rows.brand, :rows.category, :rows.price, :rows.cur, :rows.vat_bp, :rows.content,
              :rows.images, :rows.attributes, :rows.owner, :rows.created_at)
       as t (id, sku, name, description, brand, category, price, cur, vat_bp, content, images, attributes, owner, created_at)
  left join category c on c.path = t.category;

-- products_update: product_batch
update product p
   set name = t.name, description = t.description, brand = t.brand, category_id = c.id, price_minor = t.price, price_cur = t.cur, vat_bp = t.vat_bp,
       version = t.version, content = t.content, images = t.images::jsonb, attributes = t.attributes::jsonb, updated_at = :now
  from unnest(:rows.id, :rows.name, :rows.description, :rows.brand, :rows.category, :rows.price, :rows.cur, :rows.vat_bp, :rows.version, :rows.content,
              :rows.images, :rows.attributes)
       as t (id, name, description, brand, category, price, cur, vat_bp, version, content, images, attributes)
  left join category c on c.path = t.category
 where p.id = t.id;

-- brands_add: brand_batch
insert into brand (name, id, created_at) select name, id, :now from unnest(:rows.name, :rows.id) as t (name, id) order by name on conflict do nothing;

-- categories_known: category_batch -> category_row *
select id, path from category where path = any (:rows.path);

-- categories_add: category_batch
insert into category (id, parent_id, slug, name, path, created_at)
select t.id, p.id, t.slug, t.name, t.path, :now
  from unnest(:rows.id, :rows.parent, :rows.slug, :rows.name, :rows.path) as t (id, parent, slug, name, path)
  left join category p on p.path = t.parent
 order by t.path on conflict do nothing;

-- categories_all: category_filter -> category *
select id, parent_id, slug, name, path, created_at from category
 where (path, id) > (coalesce(:after_text, ''), coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000'))
   and coalesce(parent_id = :parent, :parent::uuid is null)
 order by path, id limit :take;

-- category_by_id: category_ref -> category
select id, parent_id, slug, name, path, created_at from category where id = :id;

-- category_insert: category
insert into category (id, parent_id, slug, name, path, created_at) values (:id, :parent_id, :slug, :name, :path, :created_at);

-- brands_all: brand_filter -> brand *
select id, name, created_at from brand
 where (name, id) > (coalesce(:after_text, ''), coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000'))
 order by name, id limit :take;
