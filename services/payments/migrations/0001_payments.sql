-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- One row an attempt that was asked for: authorised by being there. Captured because its transfer is there: nothing on the way of an order is updated.
create table intent (
        order_id     uuid not null,
        attempt      int4 not null,
        buyer        uuid not null,
        amount_minor int8 not null constraint charge_something check (amount_minor >= 0),
        amount_cur   text not null,
        state        int2 not null,                     -- 0 authorised, 1 declined, 2 unanswered, 3 voided
        card_last4   text not null,
        created_at   timestamptz not null,
        primary key (order_id, attempt)
);
create index intents_by_time on intent using brin (created_at);

-- Double entry in one row: what is debited is credited, so the sum over all accounts is always zero. kind: 1 capture, 2 refund.
create table transfer (
        order_id     uuid not null,
        kind         int2 not null,
        attempt      int4 not null,
        debit        int2 not null,
        credit       int2 not null,
        amount_minor int8 not null,
        amount_cur   text not null,
        at           timestamptz not null,
        constraint one_transfer_a_kind primary key (order_id, kind)
);
create table account (
        no           int2 primary key,
        name         text not null
);
insert into account (no, name) values (1, 'provider'), (2, 'sales');

create view ledger as
        select debit as account, amount_minor, amount_cur, order_id, kind, at from transfer
        union all
        select credit, -amount_minor, amount_cur, order_id, kind, at from transfer;

-- Up to when the sweeper has asked orders about authorisations that nobody captured.
create table sweep_mark (
        one          bool primary key default true check (one),
        at           timestamptz not null
);
insert into sweep_mark (at) values (timestamptz 'epoch');

-- The test provider's answers that are still on their way.
create table test_answer (
        no           int8 generated always as identity primary key,
        order_id     uuid not null,
        attempt      int4 not null,
        asked_at     timestamptz not null,
        due_at       timestamptz not null
);
