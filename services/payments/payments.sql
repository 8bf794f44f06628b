-- SPDX-License-Identifier: Apache-2.0
-- SPDX-FileCopyrightText: The Souk authors

-- Payments: the statements.

-- intents_insert: intent_batch
insert into intent (order_id, attempt, buyer, amount_minor, amount_cur, state, card_last4, created_at)
select order_id, attempt, buyer, amount, cur, state, card_last4, :at
  from unnest(:rows.order_id, :rows.attempt, :rows.buyer, :rows.amount, :rows.cur, :rows.state, :rows.card_last4)
       as t (order_id, attempt, buyer, amount, cur, state, card_last4);

-- intents_of: intent_batch -> intent_row *
select i.order_id, i.attempt, i.buyer, i.amount_minor as amount, i.amount_cur as cur, i.state, i.card_last4
  from unnest(:rows.order_id, :rows.attempt) as t (order_id, attempt)
 cross join lateral (select * from intent x where x.order_id = t.order_id and x.attempt = t.attempt limit 1) i;

-- intent_state_of: attempt_ref -> attempt_state ?
select state from intent where order_id = :order_id and attempt = :attempt;

-- transfers_capture: capture_batch
insert into transfer (order_id, no, kind, attempt, debit, credit, amount_minor, amount_cur, at)
select order_id, 1, 1, attempt, 1, 2, amount, cur, :at
  from unnest(:rows.order_id, :rows.attempt, :rows.amount, :rows.cur) as t (order_id, attempt, amount, cur);

-- transfers_capture_late: capture_batch
-- Number 1 was taken by an attempt in parts that came to nothing.
insert into transfer (order_id, no, kind, attempt, debit, credit, amount_minor, amount_cur, at)
select order_id, (select max(no) + 1 from transfer x where x.order_id = t.order_id), 1, attempt, 1, 2, amount, cur, :at
  from unnest(:rows.order_id, :rows.attempt, :rows.amount, :rows.cur) as t (order_id, attempt, amount, cur);

-- transfers_close: capture_batch
-- Takes number 1; an earlier attempt in parts may have it already. Where a capture has it, nothing is done: the caller counts.
insert into transfer (order_id, no, kind, attempt, debit, credit, amount_minor, amount_cur, at)
select order_id, 1, 0, attempt, 1, 2, 0, cur, :at
  from unnest(:rows.order_id, :rows.attempt, :rows.cur) as t (order_id, attempt, cur)
    on conflict (order_id, no) do update set attempt = excluded.attempt where transfer.kind = 0;

-- transfers_first: money_keys -> first_seen *
select order_id, kind, attempt from transfer where order_id = any (:orders.id) and no = 1;

-- intents_open_up: void_batch
update intent i set state = 4 from unnest(:rows.order_id, :rows.attempt) as t (order_id, attempt)
 where i.order_id = t.order_id and i.attempt = t.attempt and i.state = 0;

-- intents_cancel: void_batch
update intent i set state = 3 from unnest(:rows.order_id, :rows.attempt) as t (order_id, attempt)
 where i.order_id = t.order_id and i.attempt <= t.attempt and i.state in (0, 2, 4);

-- intents_lock: money_keys
-- In the order of ids, so that no two batches wait for each other.
select from intent where order_id = any (:orders.id) order by order_id, attempt for update;

-- orders_money: money_keys -> order_money *
select o.id as order_id, i.buyer, i.attempt, i.state, i.amount_minor as amount, i.amount_cur as cur, t.last_no, t.captures, t.captured, t.refunded, s.capturing, s.refunding
  from (select distinct id from unnest(:orders.id) as u (id)) o
 cross join lateral (select coalesce(max(no), 0)::int4 as last_no, count(*) filter (where kind = 1) as captures, max(attempt) filter (where kind = 1) as attempt,
                            coalesce(sum(amount_minor) filter (where kind = 1), 0)::int8 as captured,
                            coalesce(sum(amount_minor) filter (where kind = 2), 0)::int8 as refunded
                       from transfer x where x.order_id = o.id) t
 cross join lateral (select coalesce(sum(amount_minor) filter (where kind = 1), 0)::int8 as capturing,
                            coalesce(sum(amount_minor) filter (where kind = 2), 0)::int8 as refunding
                       from settlement x where x.order_id = o.id and x.state = 0) s
 cross join lateral (select * from intent x where x.order_id = o.id and (t.attempt is null or x.attempt = t.attempt)
                      order by x.state in (0, 4) desc, x.attempt desc limit 1) i;

-- settlements_insert: settlement_batch
insert into settlement (id, order_id, attempt, kind, amount_minor, amount_cur, state, cause, reason, fingerprint, asked_at)
select * from unnest(:rows.id, :rows.order_id, :rows.attempt, :rows.kind, :rows.amount.minor, :rows.amount.cur, :rows.state, :rows.cause, :rows.reason,
                     :rows.fingerprint, :rows.asked_at);

-- settlement_by_id: settlement_ref -> settlement ?
select id, order_id, attempt, kind, amount_minor, amount_cur, state, cause, reason, fingerprint, asked_at, settled_at
  from settlement where id = :id and order_id = :order_id;

-- settlement_view_by_id: settlement_ref -> settlement_view
select id, order_id, kind, amount_minor, amount_cur, state, cause, reason, asked_at, settled_at from settlement where id = :id and order_id = :order_id;

-- settlements_pending_of: uids -> settlement *
select id, order_id, attempt, kind, amount_minor, amount_cur, state, cause, reason, fingerprint, asked_at, settled_at
  from settlement where id = any (:ids) and state = 0;

-- settlements_late: sweep -> settlement *
select id, order_id, attempt, kind, amount_minor, amount_cur, state, cause, reason, fingerprint, asked_at, settled_at
  from settlement where state = 0 and asked_at <= :upto order by asked_at limit 200;

-- settlements_done: settlement_batch -> settlement *
update settlement s set state = t.state, settled_at = :at from unnest(:rows.id, :rows.state) as t (id, state)
 where s.id = t.id and s.state = 0
returning s.id, s.order_id, s.attempt, s.kind, s.amount_minor, s.amount_cur, s.state, s.cause, s.reason, s.fingerprint, s.asked_at, s.settled_at;

-- transfers_add: settlement_batch
-- Under the lock of the orders, so the numbers are free.
insert into transfer (order_id, no, kind, attempt, debit, credit, amount_minor, amount_cur, at, settlement)
select order_id, coalesce((select max(no) from transfer x where x.order_id = t.order_id), 0) + row_number() over (partition by order_id order by id), kind, attempt,
       case kind when 1 then 1 else 3 end, case kind when 1 then 2 else 1 end, amount, cur, :at, id
  from unnest(:rows.id, :rows.order_id, :rows.attempt, :rows.kind, :rows.state, :rows.amount.minor, :rows.amount.cur)
       as t (id, order_id, attempt, kind, state, amount, cur)
 where state = 1 and kind in (1, 2);

-- intents_open: void_batch -> attempt_ref *
-- What earlier attempts may still have at the provider.
select distinct i.order_id, i.attempt
  from unnest(:rows.order_id, :rows.attempt) as t (order_id, attempt)
  join intent i on i.order_id = t.order_id and i.attempt < t.attempt and i.state in (0, 2)
 where not exists (select from transfer c where c.order_id = i.order_id and c.attempt = i.attempt and c.kind > 0);

-- intents_void: void_batch
update intent i set state = 3 from unnest(:rows.order_id, :rows.attempt) as t (order_id, attempt)
 where i.order_id = t.order_id and i.attempt <= t.attempt and i.state in (0, 2)
   and not exists (select from transfer c where c.order_id = i.order_id and c.attempt = i.attempt and c.kind > 0);

-- payment_by_order: payment_key -> payment
select p.order_id, p.buyer, p.attempt, p.amount_minor, p.amount_cur, p.card_last4, p.created_at, p.captured_at, p.captures::int4 as captures, p.state,
       p.captured as captured_minor, p.amount_cur as captured_cur, p.refunded as refunded_minor, p.amount_cur as refunded_cur,
       (select jsonb_agg(jsonb_build_object('no', t.no, 'kind', case t.kind when 1 then 'capture' else 'refund' end,
                         'amount', jsonb_build_object('amount', t.amount_minor, 'currency', t.amount_cur),
                         'at', to_char(t.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'settlement_id', t.settlement, 'reason', s.reason) order by t.no)
          from (select * from transfer x where x.order_id = :order_id and x.attempt = p.attempt and x.kind > 0 order by x.no limit 1000) t
          left join settlement s on s.id = t.settlement) as transfers,
       coalesce((select w.state from provider_state w where w.order_id = p.order_id and w.attempt = p.attempt), 0)::int4 as provider_state
  from payment_now p
 where p.order_id = :order_id and (:buyer::uuid is null or p.buyer = :buyer)
 order by p.captures = 0, p.attempt desc limit 1;

-- The lists begin where the page before ended; the bounds are conditions of the primary key, so a page far in costs as much as the first.

-- payments_newest: payment_filter -> payment_summary *
select order_id as id, order_id, buyer, attempt, amount_minor, amount_cur, created_at, state,
       captured as captured_minor, amount_cur as captured_cur, refunded as refunded_minor, amount_cur as refunded_cur
  from payment_now
 where (order_id, attempt) < (coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), coalesce(:after_int, 9223372036854775807))
   and (:from::timestamptz is null or created_at >= :from) and (:to::timestamptz is null or created_at < :to) and (:state::int4 is null or state + 1 = :state)
   and (:buyer::uuid is null or buyer = :buyer)
 order by order_id desc, attempt desc limit :take;

-- payments_oldest: payment_filter -> payment_summary *
select order_id as id, order_id, buyer, attempt, amount_minor, amount_cur, created_at, state,
       captured as captured_minor, amount_cur as captured_cur, refunded as refunded_minor, amount_cur as refunded_cur
  from payment_now
 where (order_id, attempt) > (coalesce(:after_id, '00000000-0000-0000-0000-000000000000'), coalesce(:after_int, 0))
   and (:from::timestamptz is null or created_at >= :from) and (:to::timestamptz is null or created_at < :to) and (:state::int4 is null or state + 1 = :state)
   and (:buyer::uuid is null or buyer = :buyer)
 order by order_id, attempt limit :take;

-- payments_own_newest: payment_filter -> payment_summary *
select order_id as id, order_id, buyer, attempt, amount_minor, amount_cur, created_at, state,
       captured as captured_minor, amount_cur as captured_cur, refunded as refunded_minor, amount_cur as refunded_cur
  from payment_now
 where (order_id, attempt) < (coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), coalesce(:after_int, 9223372036854775807))
   and (:from::timestamptz is null or created_at >= :from) and (:to::timestamptz is null or created_at < :to) and (:state::int4 is null or state + 1 = :state)
   and buyer = :caller
 order by order_id desc, attempt desc limit :take;

-- payments_own_oldest: payment_filter -> payment_summary *
select order_id as id, order_id, buyer, attempt, amount_minor, amount_cur, created_at, state,
       captured as captured_minor, amount_cur as captured_cur, refunded as refunded_minor, amount_cur as refunded_cur
  from payment_now
 where (order_id, attempt) > (coalesce(:after_id, '00000000-0000-0000-0000-000000000000'), coalesce(:after_int, 0))
   and (:from::timestamptz is null or created_at >= :from) and (:to::timestamptz is null or created_at < :to) and (:state::int4 is null or state + 1 = :state)
   and buyer = :caller
 order by order_id, attempt limit :take;

-- accounts_balance: nothing -> account_balance *
select a.no, a.name, l.cur as currency, coalesce(sum(l.amount) filter (where l.amount > 0), 0)::int8 as debit,
       coalesce(-sum(l.amount) filter (where l.amount < 0), 0)::int8 as credit, coalesce(sum(l.amount), 0)::int8 as balance
  from account a join (select account, amount_cur as cur, amount_minor as amount from ledger) l on l.account = a.no
 group by a.no, a.name, l.cur order by a.no, l.cur limit 1000;

-- entries_newest: entry_filter -> ledger_entry *
select t.order_id as id, t.order_id, t.no, t.attempt, t.kind, d.name as debit, k.name as credit, t.amount_minor, t.amount_cur, t.at, t.settlement as settlement_id
  from transfer t join account d on d.no = t.debit join account k on k.no = t.credit
 where t.kind > 0 and (:order_id::uuid is null or t.order_id = :order_id) and (:from::timestamptz is null or t.at >= :from) and (:to::timestamptz is null or t.at < :to)
   and (:kind::int4 is null or t.kind = :kind)
   and (t.order_id, t.no) < (coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), coalesce(:after_int, 9223372036854775807))
 order by t.order_id desc, t.no desc limit :take;

-- entries_oldest: entry_filter -> ledger_entry *
select t.order_id as id, t.order_id, t.no, t.attempt, t.kind, d.name as debit, k.name as credit, t.amount_minor, t.amount_cur, t.at, t.settlement as settlement_id
  from transfer t join account d on d.no = t.debit join account k on k.no = t.credit
 where t.kind > 0 and (:order_id::uuid is null or t.order_id = :order_id) and (:from::timestamptz is null or t.at >= :from) and (:to::timestamptz is null or t.at < :to)
   and (:kind::int4 is null or t.kind = :kind)
   and (t.order_id, t.no) > (coalesce(:after_id, '00000000-0000-0000-0000-000000000000'), coalesce(:after_int, 0))
 order by t.order_id, t.no limit :take;

-- sweep_list: sweep -> sweep_row *
-- With ties: the rows of one batch share their instant, and the mark moves by instants.
select i.order_id, i.attempt, i.created_at from intent i
 where i.created_at > (select at from sweep_mark) and i.created_at <= :upto and i.state in (0, 2)
   and not exists (select from transfer c where c.order_id = i.order_id and c.attempt = i.attempt and c.kind > 0)
 order by i.created_at fetch first 500 rows with ties;

-- sweep_move: sweep
update sweep_mark set at = :upto;

-- test_answer_later: test_answer
insert into test_answer (order_id, attempt, asked_at, due_at) values (:order_id, :attempt, :asked_at, :due_at);

-- test_answers_due: nothing -> test_answer *
select no, order_id, attempt, asked_at, due_at from test_answer where due_at <= :now order by no limit 500;

-- test_answer_again: test_answer
update test_answer set due_at = :due_at where no = :no;

-- test_answer_done: test_answer
delete from test_answer where no = :no;

-- test_asked: uids
insert into test_asked (settlement) select unnest(:ids::uuid[]) on conflict do nothing;

-- test_answer_of: attempt_ref -> test_answer ?
select no, order_id, attempt, asked_at, due_at from test_answer where order_id = :order_id and attempt = :attempt order by due_at limit 1;

-- unanswered_late: sweep -> sweep_row *
select order_id, attempt, created_at from intent where state = 2 and created_at <= :upto order by created_at limit 200;

-- intent_declined: attempt_ref -> declined ?
update intent set state = 1 where order_id = :order_id and attempt = :attempt and state = 2
returning order_id, attempt, amount_minor, amount_cur;

-- webhook_insert: webhook_event -> webhook_event ?
-- A repeat returns nothing.
insert into webhook_event (id, kind, order_id, attempt, settlement, fingerprint, said_at, received_at)
values (:id, :kind, :order_id, :attempt, :settlement, :fingerprint, :said_at, :received_at)
    on conflict (id) do nothing
returning id, kind, order_id, attempt, settlement, fingerprint, said_at, received_at, applied;

-- webhook_by_id: webhook_event -> webhook_event
select id, kind, order_id, attempt, settlement, fingerprint, said_at, received_at, applied from webhook_event where id = :id;

-- provider_state_raise: webhook_event
insert into provider_state as p (order_id, attempt, state, said_at) values (:order_id, :attempt, :kind, :said_at)
    on conflict (order_id, attempt) do update set state = excluded.state, said_at = excluded.said_at where p.state < excluded.state;

-- webhooks_waiting: nothing -> webhook_event *
select id, kind, order_id, attempt, settlement, fingerprint, said_at, received_at, applied from webhook_event where not applied order by received_at limit 200;

-- webhook_applied: webhook_event
update webhook_event set applied = true where id = :id;
