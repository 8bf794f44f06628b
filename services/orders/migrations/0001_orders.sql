-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- One row is the order, its invoice and its tombstone: what an outsider may see of it changes in one place.
-- No index that nothing reads; no foreign keys (measured: they halve the rate), the batch writes both sides in one transaction.
create table orders (
        id           uuid primary key,                  -- made from buyer and Idempotency-Key
        buyer        uuid not null,
        state        int2 not null,                     -- 0 confirmed, 1 rejected, 2 expired
        attempt      int4 not null,                     -- the one that was confirmed, or the last given up
        fingerprint  int8,                              -- of the confirmed request
        total_minor  int8,
        total_cur    text,
        placed_at    timestamptz not null,
        series       text,
        year         int4,
        invoice_no   int8,
        constraint confirmed_has_invoice check ((state = 0) = (invoice_no is not null)),
        constraint one_invoice_a_number unique (series, year, invoice_no)
);
create index orders_of_buyer on orders (buyer, placed_at desc, id desc) where state = 0;

create table order_item (
        order_id     uuid not null,
        line         int2 not null,
        product_id   uuid not null,
        quantity     int4 not null check (quantity > 0),
        price_minor  int8 not null,
        vat_bp       int4 not null,
        name         text not null,
        primary key (order_id, line)
);

-- Attempts that were given up; the confirmation is the order's own row.
create table order_change (
        order_id     uuid not null,
        attempt      int4 not null,
        state        int2 not null,
        at           timestamptz not null,
        note         text,
        primary key (order_id, attempt)
);

create table invoice_counter (
        series       text not null,
        year         int4 not null,
        last_no      int8 not null,
        primary key (series, year)
) with (fillfactor = 10);

-- SK-2026-00000042: eight digits, or as many as the number has.
create function invoice_name(series text, year int4, no int8) returns text language sql immutable as
$$ select series || '-' || year || '-' || lpad(no::text, greatest(8, length(no::text)), '0') $$;
