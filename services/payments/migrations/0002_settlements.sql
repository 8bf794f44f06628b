-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- An order's transfers are numbered. Number 1 is what order.confirmed books, so the primary key alone still guards that capture and nothing is
-- looked up on an order's way. What follows is written under the lock of the order's intents. kind: 0 closed (number 1 is taken, and order.confirmed
-- is to look before it captures; no money), 1 capture, 2 refund.
drop view ledger;
alter table transfer drop constraint one_transfer_a_kind;
alter table transfer add column no int4 not null default 1;
alter table transfer alter column no drop default;
alter table transfer add constraint one_transfer_a_number primary key (order_id, no);
alter table transfer add column settlement uuid;        -- whose this is; null: order.confirmed's
insert into account (no, name) values (3, 'returns');

create view ledger as
        select debit as account, amount_minor, amount_cur, order_id, no, kind, at from transfer where kind > 0
        union all
        select credit, -amount_minor, amount_cur, order_id, no, kind, at from transfer where kind > 0;

-- intent.state: 4 open: its order stands, and it is captured in parts.
-- What a payment is, seen from outside: the state of its intent until money moved.
create function payment_state(state int4, amount int8, captures int8, captured int8, refunded int8) returns int4 language sql immutable as
$$ select case when refunded > 0 then case when refunded >= captured then 8 else 7 end
               when captures > 0 then case when captured >= amount then 5 else 6 end
               else state end $$;

create view payment_now as
        select i.order_id, i.attempt, i.buyer, i.amount_minor, i.amount_cur, i.card_last4, i.created_at, m.captures, m.captured, m.refunded, m.captured_at,
               payment_state(i.state, i.amount_minor, m.captures, m.captured, m.refunded) as state
          from intent i
         cross join lateral (select count(*) filter (where kind = 1) as captures, min(at) filter (where kind = 1) as captured_at,
                                    coalesce(sum(amount_minor) filter (where kind = 1), 0)::int8 as captured,
                                    coalesce(sum(amount_minor) filter (where kind = 2), 0)::int8 as refunded
                               from transfer x where x.order_id = i.order_id and x.attempt = i.attempt) m;

create index intents_of_buyer on intent (buyer);
create index intents_unanswered on intent (created_at) where state = 2;

-- What the provider is asked for beside an order's way: captures of a part, refunds, voids. Pending counts against what is left, so no two that
-- are at work at once take more than there is.
create table settlement (
        id           uuid primary key,                  -- made from the Idempotency-Key, or from what asked for it
        order_id     uuid not null,
        attempt      int4 not null,
        kind         int2 not null,                     -- 1 capture, 2 refund, 3 void
        amount_minor int8 not null,
        amount_cur   text not null,
        state        int2 not null,                     -- 0 pending, 1 succeeded, 2 failed
        cause        int2 not null,                     -- 0 staff, 1 the order was cancelled, 2 items came back
        reason       text not null,
        fingerprint  int8 not null,                     -- of the request
        asked_at     timestamptz not null,
        settled_at   timestamptz,
        constraint settles_something check (amount_minor > 0 or kind = 3)
);
create index settlements_of_order on settlement (order_id);
create index settlements_pending on settlement (asked_at) where state = 0;

-- What the provider told us, each once.
create table webhook_event (
        id           text primary key,
        kind         int2 not null,                     -- the word's number in webhook.c
        order_id     uuid not null,
        attempt      int4 not null,
        settlement   uuid,
        fingerprint  int8 not null,                     -- of the body
        said_at      timestamptz not null,              -- by the provider's clock
        received_at  timestamptz not null,
        applied      bool not null default false
);
create index webhook_events_waiting on webhook_event (received_at) where not applied;

-- The furthest state the provider told of an attempt: by rank, whatever came first.
create table provider_state (
        order_id     uuid not null,
        attempt      int4 not null,
        state        int2 not null,                     -- the word's number in webhook.c; the greater one wins
        said_at      timestamptz not null,
        primary key (order_id, attempt)
);

-- Settlements the test provider was asked for and did not answer.
create table test_asked (
        settlement   uuid primary key
);
