-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- What was taken back of an order: all of it at once (cancelled) or some lines (a return). An invoice is never changed; this stands against it.
-- Numbers come from invoice_counter, as invoices' do, in a series of their own.
create table credit_note (
        id           uuid primary key,
        order_id     uuid not null,
        state        int2 not null check (state in (3, 4, 5)),          -- what the order became by it
        reason       text not null,
        restock      bool not null,
        total_minor  int8 not null check (total_minor >= 0),
        total_cur    text not null,
        issued_at    timestamptz not null,
        issued_by    uuid not null,
        series       text not null,
        year         int4 not null,
        no           int8 not null,
        constraint one_credit_note_a_number unique (series, year, no)
);
create index credit_note_of_order on credit_note (order_id);

create table credit_note_line (
        note_id      uuid not null,
        line         int2 not null,                     -- of the order
        quantity     int4 not null check (quantity > 0),
        primary key (note_id, line)
);

-- How an amount is said in JSON.
create function money_json(minor int8, cur text) returns jsonb language sql stable as $$ select jsonb_build_object('amount', minor, 'currency', cur) $$;
