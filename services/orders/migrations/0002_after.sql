-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- What becomes of an order later: it may be cancelled (3), come back in full (4) or in part (5), and keeps its invoice whatever comes.
alter table orders drop constraint confirmed_has_invoice;
alter table orders add constraint confirmed_has_invoice check ((state in (1, 2)) = (invoice_no is null));
alter table orders add column note text;                -- the buyer's, at ordering
alter table orders add column ship_to jsonb;            -- copied: an address that changes later changes no order

-- The buyer's list holds every order with an invoice, in place of the confirmed ones only.
drop index orders_of_buyer;
create index orders_of_buyer on orders (buyer, placed_at desc, id desc) where invoice_no is not null;
