-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- A cart is what somebody thinks of buying: nothing is held for it. A row comes with the first item; its lock orders all that change it.
create table cart (
        id           uuid primary key,                  -- an owner's is made from the owner; a guest's is drawn
        owner        uuid,                              -- null: a guest's, which has a secret made from its id
        merged_into  uuid,                              -- a guest's that has become part of another
        touched_at   timestamptz not null
);
create index carts_of_guests on cart (touched_at) where owner is null;

create table cart_item (
        cart_id      uuid not null,
        product_id   uuid not null,
        quantity     int4 not null check (quantity > 0),
        name         text not null,                     -- as they were when it was put in
        price_minor  int8 not null,
        price_cur    text not null,
        added_at     timestamptz not null,
        primary key (cart_id, product_id)
);
