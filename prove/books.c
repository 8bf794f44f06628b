/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * books.c - what must be true afterwards: of each database by itself, of all of them together, and of what the clients were told.
 *
 * An invariant is a statement that lists its violations: the order (or product) and a sentence. $1, where a statement has it, is every
 * order that orders knows, as JSON: so stock and payments are held against what was sold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "fiber.h"
#include "prove.h"

enum { SETTLE_MS = 40000, LOOK_MS = 100, BOOK_BYTES = 512 << 20, SHOWN = 3 };

struct books_arg { str orders; };
struct violation { str about, what; };
struct violation_list { struct violation *v; size_t n; };
MESSAGE(books_arg, "every order, as JSON", F(books_arg, 1, orders, .max = BOOK_BYTES));
MESSAGE(violation, "what breaks an invariant", F(violation, 1, about), F(violation, 2, what));

struct invariant { const char *what; int book; const char *sql; };

#define ORDERS_1 "jsonb_to_recordset($1::text::jsonb) as o(id uuid, state int, attempt int, total int8, credited int8, items jsonb)"

static const struct invariant invariants[] = {
        { "invoice numbers have no gap and no repeat", BOOK_ORDERS,
          "select series || '-' || year as about, format('%s invoices, the last number is %s, the counter says %s', n, last, said) as what from ("
          " select o.series, o.year, count(distinct invoice_no) as n, max(invoice_no) as last,"
          " (select last_no from invoice_counter k where k.series = o.series and k.year = o.year) as said"
          " from orders o where invoice_no is not null group by 1, 2) s where n <> last or said is distinct from last" },
        { "an order's total is the sum of its lines", BOOK_ORDERS,
          "select o.id::text as about, format('total %s, lines %s', o.total_minor, l.sum) as what from orders o"
          " left join (select order_id, sum(price_minor * quantity) as sum from order_item group by 1) l on l.order_id = o.id"
          " where o.invoice_no is not null and o.total_minor is distinct from l.sum" },
        { "every confirmed order said so in one event", BOOK_ORDERS,
          "select coalesce(o.id::text, e.key) as about, format('%s events', coalesce(e.n, 0)) as what from (select id from orders where invoice_no is not null) o full join ("
          " select line::jsonb ->> 'key' as key, count(*) as n from souk_outbox, regexp_split_to_table(convert_from(payload, 'UTF8'), E'\\n') line"
          " where starts_with(line, '{\"topic\":\"order.confirmed\",') group by 1) e on e.key = o.id::text where o.id is null or e.n is distinct from 1" },
        { "nothing is held any more", BOOK_INVENTORY,
          "select order_id::text as about, format('holds %s of %s', quantity, product_id) as what from hold" },
        { "on hand = received + adjusted - sold, in every warehouse, and never below zero", BOOK_INVENTORY,
          "select coalesce(s.product_id, m.product_id)::text as about,"
          " format('warehouse %s has %s, its movements sum to %s', coalesce(s.warehouse_no, m.warehouse_no), s.quantity, m.sum) as what"
          " from stock s full join (select product_id, warehouse_no, sum(delta) as sum from movement group by 1, 2) m using (product_id, warehouse_no)"
          " where s.quantity is distinct from m.sum or s.quantity < 0" },
        { "what left the warehouses is what was sold, order by order", BOOK_INVENTORY,
          "select coalesce(w.id, m.id)::text as about,"
          " format('sold %s of %s, moved %s', coalesce(w.n, 0), coalesce(w.product, m.product), coalesce(m.n, 0)) as what from ("
          " select o.id, (i ->> 'product')::uuid as product, sum((i ->> 'quantity')::int) as n from " ORDERS_1 ", jsonb_array_elements(o.items) i"
          " where o.state = 0 group by 1, 2) w"
          " full join (select ref as id, product_id as product, -sum(delta) as n from movement where ref in (select id from " ORDERS_1 ") group by 1, 2 having sum(delta) <> 0) m"
          " using (id, product) where w.n is distinct from m.n" },
        { "every sale has its order", BOOK_INVENTORY,
          "select ref::text as about, 'was sold but orders knows no such order' as what from movement where kind = 3 and ref not in (select id from " ORDERS_1 ")" },
        { "every confirmed order is captured once, and whole", BOOK_PAYMENTS,
          "select o.id::text as about, format('total %s, captured %s in %s captures', o.total, coalesce(t.sum, 0), coalesce(t.n, 0)) as what from " ORDERS_1
          " left join (select order_id, sum(amount_minor) as sum, count(*) as n from transfer where kind = 1 group by 1) t on t.order_id = o.id"
          " where o.state = 0 and (t.n is distinct from 1 or t.sum <> o.total)" },
        { "nobody pays for an order that does not stand", BOOK_PAYMENTS,
          "select order_id::text as about, format('%s captured', amount_minor) as what from transfer where kind = 1"
          " and order_id not in (select id from " ORDERS_1 " where o.total is not null)" },
        { "no authorisation is left open", BOOK_PAYMENTS,
          "select i.order_id::text as about, format('attempt %s of %s is neither captured nor voided', attempt, amount_minor) as what from intent i where state in (0, 2)"
          " and not exists (select from transfer t where t.order_id = i.order_id and t.attempt = i.attempt)" },
        { "the ledger's sum is zero", BOOK_PAYMENTS,
          "select amount_cur as about, format('sums to %s', sum(amount_minor)) as what from ledger group by 1 having sum(amount_minor) <> 0" },
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
        struct query_plan plan = { 0 };
        struct query q = { .name = "invariant", .sql = sql, .in = &books_arg_type, .out = &violation_type, .rows = ROWS_MANY,
                           .params = strstr(sql, "$1") ? with : without, .plan = &plan };
        struct books_arg in = { orders };
        return db_run(db(c), &q, &in, out);
}

static int orders_read(struct ctx *c, str *out)
{
        struct violation_list l;
        TRY(list(c, "select '' as about, coalesce(jsonb_agg(jsonb_build_object('id', id, 'state', state, 'attempt', attempt, 'total', total_minor, 'items',"
                    " (select jsonb_agg(jsonb_build_object('product', product_id, 'quantity', quantity)) from order_item i where i.order_id = o.id))), '[]')::text"
                    " as what from orders o",
                 (str){ 0 }, &l));
        *out = l.v[0].what;
        return 0;
}

/* ---- coming to rest ----------------------------------------------------------------------------------------------------------------- */

static int64_t count(struct copy *k, int which, const char *sql)
{
        struct arena *a = arena_new(1 << 20);
        struct ctx own = book(k, a, which);
        int64_t n = db_count(db(&own), sql);
        arena_free(a);
        return n;
}

/* What still moves; empty when nothing does. -UNAVAILABLE a database could not be asked */
static int moving(struct copy *k, struct buf *out)
{
        static const struct { int book; const char *what, *sql; } rests[] = {
                { BOOK_INVENTORY, "open holds", "select count(*) from hold" },
                { BOOK_INVENTORY, "parked events of inventory", "select count(*) from souk_parked" },
                { BOOK_PAYMENTS,  "parked events of payments", "select count(*) from souk_parked" },
                { BOOK_PAYMENTS,  "open authorisations", "select count(*) from intent i where state in (0, 2)"
                                  " and not exists (select from transfer t where t.order_id = i.order_id and t.attempt = i.attempt)" },
        };
        for (size_t i = 0; i < COUNT(rests); i++) {
                int64_t n = count(k, rests[i].book, rests[i].sql);
                if (n < 0) return -UNAVAILABLE;
                if (n) buf_printf(out, "%s%lld %s", buf_str(out).n ? ", " : "", (long long)n, rests[i].what);
        }
        int64_t placed = count(k, BOOK_ORDERS, "select count(*) from orders where invoice_no is not null");
        int64_t paid = count(k, BOOK_PAYMENTS, "select count(distinct order_id) from transfer where kind = 1");
        if (placed < 0 || paid < 0) return -UNAVAILABLE;
        if (placed != paid) buf_printf(out, "%s%lld orders that nobody captured", buf_str(out).n ? ", " : "", (long long)(placed - paid));
        return 0;
}

int books_settle(struct ctx *c, struct copy *k)
{
        int64_t until = deadline_in(SETTLE_MS), calm_since = 0;
        struct buf still AUTO(buf_done) = BUF_INIT(1000);
        for (;;) {
                buf_clear(&still);
                bool calm = moving(k, &still) == 0 && buf_str(&still).n == 0;
                if (!calm) calm_since = 0;
                else if (!calm_since) calm_since = clock_us();
                else if (clock_us() - calm_since > 1500000) return 0;
                if (clock_us() > until) break;
                TRY(fiber_sleep(c, LOOK_MS));
        }
        return fail(c, DEADLINE_EXCEEDED, "no_rest", "it does not come to rest within %d s: " STR_FMT, SETTLE_MS / 1000, STR_ARG(buf_str(&still)));
}

/* ---- holding them against each other ------------------------------------------------------------------------------------------------ */

static void remember(struct breach *b, str about)
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
                remember(b, l.v[i].about);
        }
        if (result >= 0) report_check(r, l.n == 0, v->what, l.n ? "%zu times not: " STR_FMT : "holds", l.n, STR_ARG(buf_str(&text)));
        arena_free(a);
        return 0;
}

/* The order in the JSON of all; p NULL: none. Its state, -1 when there is none. */
struct known { char id[37]; int64_t state; };
struct known_list { struct known *v; size_t n; };

static int by_id(const void *a, const void *b)          { return strcmp(a, b); }

static int known_read(struct ctx *c, str orders, struct known_list *out)
{
        str one;
        struct json_walk w = json_open(orders);
        size_t max = orders.n / 40 + 1;
        *out = (struct known_list){ arena_many(c->arena, struct known, max), 0 };
        if (!out->v) return fail(c, RESOURCE_EXHAUSTED, "no_memory", "no memory for the orders");
        while (out->n < max && json_next_element(&w, &one)) {
                struct known *k = &out->v[out->n++];
                snprintf(k->id, sizeof k->id, STR_FMT, STR_ARG(text_at(c, one, "id")));
                k->state = int_at(one, "state", -1);
        }
        qsort(out->v, out->n, sizeof *out->v, by_id);
        return 0;
}

static void check_told(const struct crowd *w, const struct known_list *orders, struct report *r, struct breach *b)
{
        int lost = 0, differing = 0, twice = 0, internal = 0;
        char first[80] = "", second[80] = "";
        for (int i = 0; i < w->n; i++) {
                const struct purchase *p = &w->all[i];
                for (int t = 0; t < p->n_told; t++) internal += p->told[t].status == 500;
                if (!p->confirmed) continue;
                const struct known *k = bsearch(p->id, orders->v, orders->n, sizeof *orders->v, by_id);
                if (!k || (k->state != 0 && !p->cancel_asked)) {
                        if (!lost++) snprintf(first, sizeof first, "; order %s", p->id);
                        remember(b, str_of(p->id));
                }
                if (p->differed) {
                        if (!differing++) snprintf(second, sizeof second, "; order %s", p->id);
                        remember(b, str_of(p->id));
                }
        }
        for (int i = 0; i < w->n; i++)
                for (int k = i + 1; w->all[i].confirmed && k < w->n; k++)
                        if (w->all[k].confirmed && strcmp(w->all[i].id, w->all[k].id) == 0) twice++;
        report_check(r, lost == 0, "every confirmation that a client was given still stands", "%d of %d%s", w->confirmed - lost, w->confirmed, first);
        report_check(r, differing == 0, "every repeat got the first answer", "%d of %d%s", w->repeats - differing, w->repeats, second);
        report_check(r, twice == 0, "no two keys share an order", "%d", twice);
        report_check(r, internal == 0, "no answer was a fault of the server's own (500)", "%d of %d", internal, w->requests);
}

int books_check(struct ctx *c, struct copy *k, const struct crowd *w, struct report *r, struct breach *out)
{
        struct ctx own = book(k, c->arena, BOOK_ORDERS);
        struct known_list known;
        str orders;
        int result = orders_read(&own, &orders);
        if (result < 0) {
                fault_copy(c, &own);
                return result;
        }
        TRY(known_read(c, orders, &known));
        check_told(w, &known, r, out);
        for (size_t i = 0; i < COUNT(invariants); i++) TRY(check_one(k, &invariants[i], orders, r, out));
        return 0;
}
