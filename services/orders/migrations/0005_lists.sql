-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Everybody's orders of some days, for staff. A summary of each stretch of the table, not an entry an order: taking an order does not pay for it.
create index orders_by_time on orders using brin (placed_at) with (pages_per_range = 32, autosummarize = on);

-- What staff tell each other about an order; the buyer does not see it.
create table order_note (
        id           uuid primary key,
        order_id     uuid not null,
        author       uuid not null,
        text         text not null,
        at           timestamptz not null
);
create index order_note_of_order on order_note (order_id, at);
