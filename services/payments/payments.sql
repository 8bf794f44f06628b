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
  join intent i on i.order_id = t.order_id and i.attempt = t.attempt;

-- transfers_capture: capture_batch
insert into transfer (order_id, kind, attempt, debit, credit, amount_minor, amount_cur, at)
select order_id, 1, attempt, 1, 2, amount, cur, :at
  from unnest(:rows.order_id, :rows.attempt, :rows.amount, :rows.cur) as t (order_id, attempt, amount, cur);

-- intents_open: void_batch -> attempt_ref *
-- What earlier attempts may still have at the provider.
select distinct i.order_id, i.attempt
  from unnest(:rows.order_id, :rows.attempt) as t (order_id, attempt)
  join intent i on i.order_id = t.order_id and i.attempt < t.attempt and i.state in (0, 2)
 where not exists (select from transfer c where c.order_id = i.order_id and c.attempt = i.attempt);

-- intents_void: void_batch
update intent i set state = 3 from unnest(:rows.order_id, :rows.attempt) as t (order_id, attempt)
 where i.order_id = t.order_id and i.attempt <= t.attempt and i.state in (0, 2)
   and not exists (select from transfer c where c.order_id = i.order_id and c.attempt = i.attempt);

-- payment_by_order: payment_key -> payment
select i.order_id, i.buyer, i.attempt, i.amount_minor, i.amount_cur, i.card_last4, i.created_at, c.at as captured_at,
       case when c.order_id is not null then 'captured' else (array['authorised', 'declined', 'unanswered', 'voided'])[i.state + 1] end as state,
       coalesce(c.n, 0) as captures
  from intent i
  left join (select order_id, min(attempt) as attempt, min(at) as at, count(*)::int4 as n from transfer where order_id = :order_id and kind = 1 group by order_id) c
    on c.order_id = i.order_id and c.attempt = i.attempt
 where i.order_id = :order_id and (:buyer::uuid is null or i.buyer = :buyer)
 order by c.order_id is null, i.attempt desc limit 1;

-- accounts_balance: nothing -> account_balance *
select a.no, a.name, l.cur as currency, coalesce(sum(l.amount) filter (where l.amount > 0), 0)::int8 as debit,
       coalesce(-sum(l.amount) filter (where l.amount < 0), 0)::int8 as credit, coalesce(sum(l.amount), 0)::int8 as balance
  from account a join (select account, amount_cur as cur, amount_minor as amount from ledger) l on l.account = a.no
 group by a.no, a.name, l.cur order by a.no, l.cur limit 1000;

-- sweep_list: sweep -> sweep_row *
-- With ties: the rows of one batch share their instant, and the mark moves by instants.
select i.order_id, i.attempt, i.created_at from intent i
 where i.created_at > (select at from sweep_mark) and i.created_at <= :upto and i.state in (0, 2)
   and not exists (select from transfer c where c.order_id = i.order_id and c.attempt = i.attempt)
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
