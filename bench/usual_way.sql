-- SPDX-License-Identifier: Apache-2.0
-- The usual way to take an order: one transaction of nine statements, each a round trip (pgbench -M prepared).
-- It does less than Souk does for an order: no hold that can run out, no payment, no capture, no ledger, and nobody reads its outbox.
-- Its hot rows are locked as late as they can be, which is the best order for it.
\set buyer random(1, 16)
begin;
insert into idempotency_key (key) values (gen_random_uuid());
insert into orders (buyer, state, total) values (:buyer, 1, 1999) returning id \gset
insert into order_item values (:id, 1, 1, 1, 1999);
insert into outbox (type, payload) values ('order.confirmed', decode('7b226964223a2230313961623466302d303030302d373030302d383030302d303030303030303030303031222c22746f74616c223a313939397d', 'hex'));
update stock set quantity = quantity - 1 where product_id = 1 and quantity >= 1;
update invoice_counter set last_no = last_no + 1 where series = 1 returning last_no \gset
insert into invoice values (1, :last_no, :id);
commit;
