/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * books.c - what must be true afterwards of each database by itself, and of all of them together; told.c goes on with what was told.
 *
 * An invariant is a statement that lists its violations: the order (or product) and a sentence. $1, where a statement has it, is every
 * order that orders knows, as JSON: so stock and payments are held against what was sold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "fiber.h"
#include "prove.h"

enum { LOOK_MS = 200, BOOK_BYTES = 512 << 20, SHOWN = 3 };

struct books_arg { str orders; };
struct violation { str about, what; };
struct violation_list { struct violation *v; size_t n; };
MESSAGE(books_arg, "every order, as JSON", F(books_arg, 1, orders, .max = BOOK_BYTES));
MESSAGE(violation, "what breaks an invariant", F(violation, 1, about), F(violation, 2, what));

struct invariant { const char *what; int book; const char *sql; bool comes; };          /* comes: by events, a moment after the answer */

#define ORDERS_1 "jsonb_to_recordset($1::text::jsonb) as o(id uuid, state int, total int8, credited int8, items jsonb)"
/* The order whose number does not follow the one before, and the last one when the counter says another. */
#define GAPS(id, no, rows) \
        "with t as (select " id " as id, series, year, " no " as no from " rows " where " no " is not null)" \
        " select id::text as about, format('%s-%s has number %s, and before it comes %s', series, year, no, before) as what" \
        " from (select *, coalesce(lag(no) over (partition by series, year order by no), 0) as before from t) s where no <> before + 1" \
        " union all select (array_agg(id order by no desc))[1]::text, format('%s-%s ends with %s, the counter says %s', series, year, max(no), k.last_no)" \
        " from t left join invoice_counter k using (series, year) group by series, year, k.last_no having max(no) is distinct from k.last_no"

/* The events of a topic in the outbox, by their key; and the rows that must have said so, as often as they must, held against them. */
#define EVENTS(topic, more) \
        "select line::jsonb ->> 'key' as id, " more " from souk_outbox, regexp_split_to_table(convert_from(payload, 'UTF8'), E'\\n') line" \
        " where starts_with(line, '{\"topic\":\"" topic "\",') group by 1, line"
#define SAID_ONCE(topic, rows) \
        "select coalesce(o.id::text, e.id) as about, format('%s times, and %s events', coalesce(o.n, 0), coalesce(e.n, 0)) as what from (" rows ") o full join (" \
        " select id, sum(n) as n from (" EVENTS(topic, "count(*) as n") ") s group by 1) e on e.id = o.id::text where o.n is distinct from e.n"

static const struct invariant invariants[] = {
        { "invoice numbers have no gap and no repeat", BOOK_ORDERS, GAPS("id", "invoice_no", "orders"), false },
        { "credit note numbers have no gap and no repeat", BOOK_ORDERS, GAPS("order_id", "no", "credit_note"), false },
        { "an order's total is the sum of its lines", BOOK_ORDERS,
          "select o.id::text as about, format('total %s, lines %s', o.total_minor, l.sum) as what from orders o"
          " left join (select order_id, sum(price_minor * quantity) as sum from order_item group by 1) l on l.order_id = o.id"
          " where o.invoice_no is not null and o.total_minor is distinct from l.sum", false },
        { "every confirmed order said so in one event", BOOK_ORDERS,
          SAID_ONCE("order.confirmed", "select id, 1 as n from orders where invoice_no is not null"), false },
        { "every cancelled order said so in one event", BOOK_ORDERS,
          SAID_ONCE("order.cancelled", "select order_id as id, 1 as n from credit_note where state = 3"), false },
        { "every attempt that was given up said so, and no other", BOOK_ORDERS,
          "with e as materialized (" EVENTS("order.rejected", "(line::jsonb -> 'data' ->> 'attempt')::int as attempt") ")"
          " select o.order_id::text as about, format('attempt %s was given up and nothing says so', attempt) as what from order_change o"
          " where not exists (select from e where e.id = o.order_id::text and e.attempt >= o.attempt) union all"
          " select e.id, format('an event says that attempt %s was given up, and no row', e.attempt) from e"
          " where not exists (select from order_change o where o.order_id::text = e.id and o.attempt = e.attempt)", false },
        { "nothing is held any more", BOOK_INVENTORY,
          "select order_id::text as about, format('holds %s of %s', quantity, product_id) as what from hold", true },
        { "on hand is what the movements sum to, in every warehouse, and never below zero", BOOK_INVENTORY,
          "select coalesce((select x.ref from movement x where x.product_id = coalesce(s.product_id, m.product_id) and x.kind = 3 order by x.no desc limit 1),"
          " s.product_id, m.product_id)::text as about, format('of its product %s warehouse %s has %s, movements sum to %s', coalesce(s.product_id, m.product_id),"
          " coalesce(s.warehouse_no, m.warehouse_no), s.quantity, m.sum) as what"
          " from stock s full join (select product_id, warehouse_no, sum(delta) as sum from movement group by 1, 2) m using (product_id, warehouse_no)"
          " where s.quantity is distinct from m.sum or s.quantity < 0", true },
        { "what left the warehouses is what was sold and not taken back, order by order", BOOK_INVENTORY,
          "select coalesce(w.id, m.id)::text as about,"
          " format('sold %s of %s, moved %s', coalesce(w.n, 0), coalesce(w.product, m.product), coalesce(m.n, 0)) as what from ("
          " select o.id, (i ->> 'product')::uuid as product, sum((i ->> 'quantity')::int) as n from " ORDERS_1 ", jsonb_array_elements(o.items) i"
          " where o.total is not null group by 1, 2 having sum((i ->> 'quantity')::int) <> 0) w full join ("
          " select coalesce(order_id, ref) as id, product_id as product, -sum(delta) as n from movement where kind in (3, 5, 6) group by 1, 2 having sum(delta) <> 0) m"
          " using (id, product) where w.n is distinct from m.n", true },
        { "every order that stands is captured once and whole, and what was credited is given back", BOOK_PAYMENTS,
          "select o.id::text as about, format('total %s, credited %s; %s captured in %s, %s given back',"
          " o.total, o.credited, coalesce(t.sum, 0), coalesce(t.n, 0), coalesce(t.back, 0)) as what"
          " from " ORDERS_1 " left join (select order_id, sum(amount_minor) filter (where kind = 1) as sum, count(*) filter (where kind = 1) as n,"
          " coalesce(sum(amount_minor) filter (where kind = 2), 0) as back from transfer group by 1) t on t.order_id = o.id where o.total is not null and"
          " not (coalesce(t.n, 0) = 1 and t.sum = o.total and t.back = o.credited) and not (o.state = 3 and coalesce(t.sum, 0) = coalesce(t.back, 0))", true },
        { "nobody pays for an order that does not stand", BOOK_PAYMENTS,
          "select order_id::text as about, format('%s captured', amount_minor) as what from transfer where kind = 1"
          " and order_id not in (select id from " ORDERS_1 " where o.total is not null)", true },
        { "no authorisation is left open", BOOK_PAYMENTS,
          "select i.order_id::text as about, format('attempt %s of %s is neither captured nor voided', attempt, amount_minor) as what from intent i where state in (0, 2)"
          " and not exists (select from transfer t where t.order_id = i.order_id and t.attempt = i.attempt)", true },
        { "no refund is left open", BOOK_PAYMENTS,
          "select order_id::text as about, format('%s is asked for since %s', amount_minor, asked_at) as what from settlement where state = 0", true },
        { "every capture said so in one event", BOOK_PAYMENTS,
          SAID_ONCE("payment.captured", "select order_id as id, count(*) as n from transfer where kind = 1 group by 1"), false },
        { "every refund said so in one event", BOOK_PAYMENTS,
          SAID_ONCE("payment.refunded", "select order_id as id, count(*) as n from transfer where kind = 2 group by 1"), false },
        { "the ledger's sum is zero", BOOK_PAYMENTS,
          "select amount_cur as about, format('sums to %s', sum(amount_minor)) as what from ledger group by 1 having sum(amount_minor) <> 0", false },
        { "no event is parked by inventory", BOOK_INVENTORY, "select key as about, format('%s for %s: %s', topic, consumer, error) as what from souk_parked", true },
        { "no event is parked by payments", BOOK_PAYMENTS, "select key as about, format('%s for %s: %s', topic, consumer, error) as what from souk_parked", true },
};

/* ---- reading ------------------------------------------------------------------------------------------------------------------------ */

static struct ctx book(struct copy *k, struct arena *a, int which)
{
        return (struct ctx){ .arena = a, .op = "prove", .pg = k->books[which], .deadline_us = deadline_in(30000) };
}

/* Free-form: statements of the proof are not prepared at start, so a changed table is told when they run. */
static int list(struct ctx *c, const char *sql, str orders, struct violation_list *out)
{
        static const char *const with[] = { "orders", NULL }, *const without[] = { NULL };
        struct query_plan plan = { NULL };
        struct query q = { .name = "invariant", .sql = sql, .in = &books_arg_type, .out = &violation_type, .rows = ROWS_MANY,
                           .params = strstr(sql, "$1") ? with : without, .plan = &plan };
        struct books_arg in = { orders };
        return db_run(db(c), &q, &in, out);
}

/* items: what was ordered and did not come back into stock. */
static int orders_read(struct ctx *c, str *out)
{
        struct violation_list l;
        TRY(list(c, "select '' as about, coalesce(jsonb_agg(jsonb_build_object('id', id, 'state', state, 'invoice', invoice_name(series, year, invoice_no), 'total', total_minor,"
                    " 'credited', (select coalesce(sum(total_minor), 0) from credit_note n where n.order_id = o.id), 'items', ("
                    " select jsonb_agg(jsonb_build_object('product', product_id, 'quantity', quantity - coalesce((select sum(l.quantity) from credit_note n"
                    " join credit_note_line l on l.note_id = n.id where n.order_id = o.id and n.restock and l.line = i.line), 0))) from order_item i where i.order_id = o.id)))"
                    ", '[]')::text as what from orders o", (str){ 0 }, &l));
        *out = l.v[0].what;
        return 0;
}

/* ---- coming to rest ----------------------------------------------------------------------------------------------------------------- */

/* The first invariant that events have yet to bring about; NULL: none. -UNAVAILABLE a database could not be asked */
static int awaited(struct copy *k, const char **what)
{
        struct arena *a = arena_new(256 << 20);
        struct ctx own = book(k, a, BOOK_ORDERS);
        struct violation_list l;
        str orders;
        int r = orders_read(&own, &orders);
        *what = "the databases";
        for (size_t i = 0; r >= 0 && i < COUNT(invariants); i++) {
                if (!invariants[i].comes) continue;
                own = book(k, a, invariants[i].book);
                *what = invariants[i].what;
                r = list(&own, invariants[i].sql, orders, &l);
                if (r >= 0 && l.n) break;
                *what = NULL;
        }
        arena_free(a);
        return MIN(r, 0);
}

int books_settle(struct ctx *c, struct copy *k, int timeout_ms)
{
        int64_t until = deadline_in(timeout_ms);
        const char *what = NULL;
        do {
                if (awaited(k, &what) == 0 && !what) return 0;
                TRY(fiber_sleep(c, LOOK_MS));
        } while (clock_us() < until);
        return fail(c, DEADLINE_EXCEEDED, "no_rest", "within %d s not: %s", timeout_ms / 1000, what ? what : "everything at once");
}

/* ---- holding them against each other ------------------------------------------------------------------------------------------------ */

void breach_note(struct breach *b, str about)
{
        if (!b->order[0] && about.n == 36) snprintf(b->order, sizeof b->order, STR_FMT, STR_ARG(about));
}

static int check_one(struct copy *k, const struct invariant *v, str orders, struct report *r, struct breach *b)
{
        struct arena *a = arena_new(64 << 20);
        struct ctx own = book(k, a, v->book);
        struct violation_list l = { 0 };
        struct buf text AUTO(buf_done) = BUF_INIT(4000);
        int result = list(&own, v->sql, orders, &l);
        if (result < 0) report_check(r, false, v->what, "cannot be asked: " STR_FMT, STR_ARG(own.fault.message));
        for (size_t i = 0; result >= 0 && i < l.n; i++) {
                if (i < SHOWN) buf_printf(&text, "%s" STR_FMT ": " STR_FMT, i ? "; " : "", STR_ARG(l.v[i].about), STR_ARG(l.v[i].what));
                breach_note(b, l.v[i].about);
        }
        if (result >= 0) report_check(r, l.n == 0, v->what, l.n ? "%zu times not: " STR_FMT : "holds", l.n, STR_ARG(buf_str(&text)));
        arena_free(a);
        return 0;
}

int books_check(struct ctx *c, struct copy *k, const struct crowd *w, struct report *r, struct breach *out)
{
        struct ctx own = book(k, c->arena, BOOK_ORDERS);
        str orders;
        int result = orders_read(&own, &orders);
        if (result < 0) {
                fault_copy(c, &own);
                return result;
        }
        for (size_t i = 0; i < COUNT(invariants); i++) TRY(check_one(k, &invariants[i], orders, r, out));
        return told_check(c, w, orders, r, out);
}
