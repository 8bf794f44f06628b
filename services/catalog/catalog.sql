-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Catalog: the statements.

-- ---- products ------------------------------------------------------------------------------------------------------------------------

-- further: fragment
case when p.more_categories = '{}' then '{}'
     else array(select k.path from unnest(p.more_categories) with ordinality as m (id, place) join category k on k.id = m.id order by m.place) end;

-- product: fragment
select p.id, p.sku, p.name, p.description, p.brand, p.category_id, c.path as category, {further} as categories, p.tags, p.price_minor, p.price_cur,
       p.vat_bp, p.version, p.revision, p.in_stock, p.owner, p.images, p.attributes, p.created_at, p.updated_at
  from product p left join category c on c.id = p.category_id;

-- Whose product may be changed by the caller: its own when it is a vendor (2), any when it is of the staff (4, 8) or the house itself (16).
-- theirs: fragment
(owner = :caller or :caller_roles & 28 <> 0);

-- product_by_id: product_key -> product
{product} where p.id = :id;

-- offers_by_ids: product_keys -> offer *
select id, name, price_minor, price_cur, vat_bp, version from product where id = any (:keys.id);

-- product_now: product_edit -> product_edit
select p.id, p.sku, p.name, p.description, nullif(p.brand, '') as brand, c.path as category, {further} as categories, p.tags, p.price_minor, p.price_cur,
       p.vat_bp, p.images, p.attributes, p.revision as if_match
  from product p left join category c on c.id = p.category_id where p.id = :id and {theirs};

-- product_lock: product_edit -> known_row ?
select id, sku, version, revision, content, price_minor as price, price_cur as cur, owner, in_stock, created_at, updated_at
  from product where id = :id and {theirs} for update;

-- product_delete: product_gone -> note ?
delete from product where id = :id and {theirs} and (:if_match = 0 or revision = :if_match) returning id, sku, name, price_minor, price_cur;

-- prices_newest: price_filter -> product_price *
select product_id as id, version, price_minor, price_cur, since from price
 where product_id = :product_id and version < coalesce(:after_int::int8, 9223372036854775807) order by version desc limit :take;

-- prices_oldest: price_filter -> product_price *
select product_id as id, version, price_minor, price_cur, since from price
 where product_id = :product_id and version > coalesce(:after_int::int8, 0) order by version limit :take;

-- in_stock_set: hearsay
-- Only what changes is written: a product that is sold a thousand times in a day runs out once.
update product p set in_stock = t.available > 0
  from unnest(:rows.id, :rows.available) as t (id, available)
 where p.id = t.id and p.in_stock <> (t.available > 0);

-- ---- lists ---------------------------------------------------------------------------------------------------------------------------

-- Each walks the index of its order from where the page before ended and stops after :take rows that pass: no page is dearer for being deep.
-- The filters are one expression, because a statement is planned once for all values: apart, each would be taken for so selective that the planner
-- would rather read and sort the whole table. What needs a subquery is worked out once, before the walk.

-- in_category: fragment
(array[category_id] || more_categories) && array(
    select d.id from category a join category d on d.path = a.path or starts_with(d.path, a.path || ' > ') where a.id = :category);

-- matching: fragment
coalesce((:q::text is null or name ilike (select '%' || replace(replace(replace(:q, '\', '\\'), '%', '\%'), '_', '\_') || '%'))
    and (:brand::text[] is null or brand = any (:brand))
    and (:category::uuid is null or {in_category})
    and (:tag::text[] is null or tags ?& :tag)
    and (:having::text is null or attributes @> (select :having::jsonb))
    and (:in_stock::int4 is null or in_stock = (:in_stock = 1))
    and (:owner::uuid is null or owner = :owner)
    and (:currency::text is null or price_cur = :currency)
    and price_minor >= coalesce(:price_min::int8, 0) and price_minor <= coalesce(:price_max::int8, 9223372036854775807), false);

-- first: fragment
coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000');

-- last: fragment
coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff');

-- shown: fragment
select p.id, p.sku, p.name, p.brand, c.path as category, p.price_minor, p.price_cur, p.images ->> 0 as image, p.in_stock, p.created_at;

-- named: fragment
left join category c on c.id = p.category_id;

-- products_newest: product_filter -> product_summary *
{shown} from (select * from product where (created_at, id) < (coalesce(timestamptz 'epoch' + :after_int * interval '1 microsecond', 'infinity'), {last})
           and {matching}
         order by created_at desc, id desc limit :take) p {named} order by p.created_at desc, p.id desc;

-- products_oldest: product_filter -> product_summary *
{shown} from (select * from product where (created_at, id) > (coalesce(timestamptz 'epoch' + :after_int * interval '1 microsecond', '-infinity'), {first})
           and {matching}
         order by created_at, id limit :take) p {named} order by p.created_at, p.id;

-- products_cheapest: product_filter -> product_summary *
{shown} from (select * from product where price_cur = :currency and (price_minor, id) > (coalesce(:after_int::int8, 0), {first})
           and {matching}
         order by price_minor, id limit :take) p {named} order by p.price_minor, p.id;

-- products_dearest: product_filter -> product_summary *
{shown} from (select * from product where price_cur = :currency and (price_minor, id) < (coalesce(:after_int::int8, 9223372036854775807), {last})
           and {matching}
         order by price_minor desc, id desc limit :take) p {named} order by p.price_minor desc, p.id desc;

-- products_named: product_filter -> product_summary *
{shown} from (select * from product where (name, id) > (coalesce(:after_text, ''), {first})
           and {matching}
         order by name, id limit :take) p {named} order by p.name, p.id;

-- products_named_back: product_filter -> product_summary *
{shown} from (select * from product where (name, id) < (coalesce(:after_text, (select max(name) from product)), {last})
           and {matching}
         order by name desc, id desc limit :take) p {named} order by p.name desc, p.id desc;

-- products_by_sku: product_filter -> product_summary *
{shown} from (select * from product where sku = :sku and {matching}) p {named};

-- brands_all: brand_filter -> brand *
select id, name, created_at from brand where (name, id) > (coalesce(:after_text, ''), {first}) order by name, id limit :take;

-- brands_back: brand_filter -> brand *
select id, name, created_at from brand
 where (name, id) < (coalesce(:after_text, (select max(name) from brand)), {last}) order by name desc, id desc limit :take;

-- ---- many products in one transaction ------------------------------------------------------------------------------------------------

-- skus_lock: product_batch -> known_row *
select id, sku, version, revision, content, price_minor as price, price_cur as cur, owner from product where sku = any (:rows.sku) order by sku for update;

-- more_ids: fragment
case when t.more = '[]' then '{}'
     else coalesce((select array_agg(k.id order by m.place) from jsonb_array_elements_text(t.more::jsonb) with ordinality as m (path, place)
                      join category k on k.path = m.path), '{}') end;

-- products_insert: product_batch
insert into product (id, sku, name, description, brand, category_id, price_minor, price_cur, vat_bp, version, content, images, attributes, tags,
                     more_categories, owner, created_at, updated_at)
select t.id, t.sku, t.name, t.description, t.brand, c.id, t.price, t.cur, t.vat_bp, 1, t.content, t.images::jsonb, t.attributes::jsonb, t.tags::jsonb,
       {more_ids}, t.owner, t.created_at, t.created_at
  from unnest(:rows.id, :rows.sku, :rows.name, :rows.description, :rows.brand, :rows.category, :rows.price, :rows.cur, :rows.vat_bp, :rows.content,
              :rows.images, :rows.attributes, :rows.tags, :rows.more, :rows.owner, :rows.created_at)
       as t (id, sku, name, description, brand, category, price, cur, vat_bp, content, images, attributes, tags, more, owner, created_at)
  left join category c on c.path = t.category;

-- products_update: product_batch
update product p
   set sku = t.sku, name = t.name, description = t.description, brand = t.brand, category_id = c.id, price_minor = t.price, price_cur = t.cur,
       vat_bp = t.vat_bp, version = t.version, revision = p.revision + 1, content = t.content, images = t.images::jsonb,
       attributes = t.attributes::jsonb, tags = t.tags::jsonb, more_categories = {more_ids}, updated_at = t.at
  from unnest(:rows.id, :rows.sku, :rows.name, :rows.description, :rows.brand, :rows.category, :rows.price, :rows.cur, :rows.vat_bp, :rows.version,
              :rows.content, :rows.images, :rows.attributes, :rows.tags, :rows.more, :rows.created_at)
       as t (id, sku, name, description, brand, category, price, cur, vat_bp, version, content, images, attributes, tags, more, at)
  left join category c on c.path = t.category
 where p.id = t.id;

-- prices_add: product_batch
insert into price (product_id, version, price_minor, price_cur, since)
select id, version, price, cur, since
  from unnest(:rows.id, :rows.version, :rows.price, :rows.cur, :rows.created_at) as t (id, version, price, cur, since);

-- brands_add: brand_batch
insert into brand (name, id, created_at) select name, id, :now from unnest(:rows.name, :rows.id) as t (name, id) order by name on conflict do nothing;

-- ---- imports -------------------------------------------------------------------------------------------------------------------------

-- import: fragment
select id, source, digest, state, rows_done, created, changed, unchanged, failed, begun_at, updated_at, done_at from import;

-- asked: fragment
{theirs} and (:state::int4 is null or state = :state - 1) and (:digest::text is null or digest = :digest);

-- import_insert: import
insert into import (id, owner, source, digest, begun_at, updated_at) values (:id, :caller, :source, :digest, :begun_at, :updated_at);

-- import_by_id: import_ref -> import
{import} where id = :id and {theirs};

-- import_lock: import_ref -> import ?
{import} where id = :id and {theirs} for update;

-- import_advance: import
update import set rows_done = :rows_done, created = :created, changed = :changed, unchanged = :unchanged, failed = :failed, state = :state,
       updated_at = :updated_at, done_at = :done_at where id = :id;

-- import_faults_add: import_faults
insert into import_fault (import_id, no, row, line, sku, pointer, slug, detail)
select * from unnest(:rows.id, :rows.no, :rows.row, :rows.line, :rows.sku, :rows.pointer, :rows.slug, :rows.detail);

-- import_delete: import_ref
delete from import where id = :id and {theirs};

-- imports_newest: import_filter -> import *
{import} where id < {last} and {asked} order by id desc limit :take;

-- imports_oldest: import_filter -> import *
{import} where id > {first} and {asked} order by id limit :take;

-- fault: fragment
select import_id as id, no, row, line, sku, pointer, slug, detail from import_fault;

-- faults_first: fault_filter -> import_fault *
{fault} where import_id = :id and no > coalesce(:after_int::int8, -1) order by no limit :take;

-- faults_last: fault_filter -> import_fault *
{fault} where import_id = :id and no < coalesce(:after_int::int8, 9223372036854775807) order by no desc limit :take;

-- imports_forget: nothing
delete from import where id in (select id from import where updated_at < :now::timestamptz - interval '30 days' limit 20);

-- ---- the tree ------------------------------------------------------------------------------------------------------------------------

-- Whoever writes products that name categories shares the tree, whoever changes it has it alone, both until the end of the transaction. So a path
-- that was looked up stands, and no two moves make a circle of what each of them found in order.

-- tree_share: nothing
select pg_advisory_xact_lock_shared(hashtext('souk catalog'), hashtext('tree'));

-- tree_lock: nothing
select pg_advisory_xact_lock(hashtext('souk catalog'), hashtext('tree'));

-- categories_known: category_batch -> category_row *
select id, path from category where path = any (:rows.path);

-- categories_add: category_batch
insert into category (id, parent_id, slug, name, path, created_at)
select t.id, p.id, t.slug, t.name, t.path, :now
  from unnest(:rows.id, :rows.parent, :rows.slug, :rows.name, :rows.path) as t (id, parent, slug, name, path)
  left join category p on p.path = t.parent
 order by t.path;

-- category: fragment
select id, parent_id, slug, name, path, version, created_at from category;

-- categories_all: category_filter -> category *
{category} where (path, id) > (coalesce(:after_text, ''), {first}) and coalesce(parent_id = :parent, :parent::uuid is null) order by path, id limit :take;

-- categories_back: category_filter -> category *
{category} where (path, id) < (coalesce(:after_text, (select max(path) from category)), {last})
   and coalesce(parent_id = :parent, :parent::uuid is null) order by path desc, id desc limit :take;

-- category_by_id: category_ref -> category
{category} where id = :id;

-- category_now: category_edit -> category_edit
select id, parent_id, name, version as if_match from category where id = :id;

-- category_insert: category
insert into category (id, parent_id, slug, name, path, created_at) values (:id, :parent_id, :slug, :name, :path, :created_at);

-- category_update: category
update category set parent_id = :parent_id, slug = :slug, name = :name, path = :path, version = :version where id = :id;

-- below_reach: transplant -> reach
-- How deep what is below goes, and how long its longest path is, itself included.
select max(cardinality(string_to_array(path, ' > '))) as depth, max(char_length(path)) as length
  from category where path = :was or starts_with(path, :was || ' > ');

-- below_move: transplant
update category set path = :path || substr(path, char_length(:was) + 1) where starts_with(path, :was || ' > ');

-- category_use: category_ref -> category_use
select exists (select from category where parent_id = :id) as has_children,
       exists (select from product where category_id = :id)
           or exists (select from product where more_categories @> array[:id] and more_categories <> '{}') as has_products;

-- category_delete: category_ref
delete from category where id = :id;

-- ---- a fresh marketplace -------------------------------------------------------------------------------------------------------------

-- seeding_look: nothing -> seeding_state
select not exists (select from product) as empty, exists (select from seeding where done_at is null) as under_way,
       (select count from seeding) as count, (select seed from seeding) as seed;

-- seeding_begin: seeding
insert into seeding (seed, count, begun_at) values (:seed, :count, :now)
    on conflict (only_one) do update set seed = :seed, count = :count, begun_at = :now, done_at = null;

-- seeding_end: nothing
update seeding set done_at = :now where done_at is null;
