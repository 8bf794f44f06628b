/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * shop.c - see shop.h. The audit asks the databases themselves, never the services. */
#include "shop.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "inventory/inventory.h"

/* ---- answers ---------------------------------------------------------------------------------------------------------- */

static bool is_text(str json, const char *want)
{
        return json.n == strlen(want) + 2 && !memcmp(json.p + 1, want, json.n - 2);
}

static bool told(bool right, struct http_answer a, const char *want)
{
        if (!right) fprintf(stderr, "wanted %s, got %d " STR_FMT "\n", want, a.status, STR_ARG(a.body));
        return right;
}

bool says(struct http_answer a, int status, const char *slug)
{
        return told(a.status == status && is_text(json_member(a.body, "slug"), slug), a, slug);
}

bool blames(struct http_answer a, const char *pointer, const char *slug)
{
        str errors = json_member(a.body, "errors"), one;

        if (a.status == 400 && errors.p)
                for (struct json_walk walk = json_open(errors); json_next_element(&walk, &one);)
                        if (is_text(json_member(one, "pointer"), pointer) && is_text(json_member(one, "slug"), slug)) return true;
        return told(false, a, pointer);
}

str text_of(struct http_answer a, const char *name)
{
        str json = json_member(a.body, name);
        return json.n >= 2 ? str_cut(json, 1, json.n - 1) : (str){ NULL, 0 };
}

int64_t int_of(struct http_answer a, const char *name)
{
        str json = json_member(a.body, name);
        return json.p ? strtoll(json.p, NULL, 10) : INT64_MIN;
}

int64_t minor_of(str money)
{
        str json = json_member(money, "amount");
        return json.p ? strtoll(json.p, NULL, 10) : INT64_MIN;
}

bool same(struct http_answer a, struct http_answer b)
{
        bool right = a.status == b.status && str_eq(a.body, b.body);
        if (!right) fprintf(stderr, "%d " STR_FMT "\n%d " STR_FMT "\n", a.status, STR_ARG(a.body), b.status, STR_ARG(b.body));
        return right;
}

/* ---- a shop ------------------------------------------------------------------------------------------------------------- */

void shop_open(struct shop *s, struct world *w)
{
        struct seeded seeded;

        s->w = w;
        if (catalog_seed_call(as(w, "service"), &(struct seeding){ PRODUCTS, 1 }, &seeded) < 0 || seeded.ids.n < PRODUCTS)
                world_wrong(__FILE__, __LINE__, "the catalogue could not be filled: " STR_FMT, STR_ARG(last(w)->fault.message));
        memcpy(s->products, seeded.ids.v, sizeof s->products);
}

void stock(struct shop *s, int product, int quantity)
{
        struct receipt r = { s->products[product], quantity };

        if (inventory_receive_call(as(s->w, "service"), &(struct delivery_note){ { &r, 1 } }, &(struct nothing){ 0 }) < 0)
                world_wrong(__FILE__, __LINE__, "stock could not be received: " STR_FMT, STR_ARG(last(s->w)->fault.message));
}

const char *say(struct shop *s, const char *fmt, ...)
{
        struct ctx *c = as(s->w, "");
        va_list ap;

        va_start(ap, fmt);
        str text = arena_vprintf(c->arena, fmt, ap);
        va_end(ap);
        return text.p;
}

const char *id_of(struct shop *s, int product)
{
        char *text = arena_alloc(as(s->w, "")->arena, 37);
        uid_format(s->products[product], text);
        return text;
}

const char *basket(struct shop *s, int product, int quantity, const char *card)
{
        return say(s, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d}]%s%s%s}", id_of(s, product), quantity,
                   card ? ",\"payment\":{\"card\":\"" : "", card ? card : "", card ? "\"}" : "");
}

const char *basket_of_two(struct shop *s, int one, int n_one, int two, int n_two)
{
        return say(s, "{\"items\":[{\"product_id\":\"%s\",\"quantity\":%d},{\"product_id\":\"%s\",\"quantity\":%d}]}", id_of(s, one), n_one, id_of(s, two), n_two);
}

struct http_answer buy(struct shop *s, const char *who, const char *body)
{
        return http(s->w, who, POST, "/v1/orders", body);
}

struct http_answer get(struct shop *s, const char *who, const char *before, str id, const char *after)
{
        return http(s->w, who, GET, say(s, "%s" STR_FMT "%s", before, STR_ARG(id), after), NULL);
}

struct http_answer post(struct shop *s, const char *who, const char *before, str id, const char *after, const char *body)
{
        return http(s->w, who, POST, say(s, "%s" STR_FMT "%s", before, STR_ARG(id), after), body);
}

struct http_answer change(struct shop *s, const char *who, const char *line, const char *if_match, const char *body)
{
        const char *media = !strncmp(line, "PATCH", 5) ? "application/merge-patch+json" : "application/json";
        const char *head = say(s, "%s HTTP/1.1\r\nhost: x\r\n%s%s%s", line, if_match ? "if-match: " : "", if_match ? if_match : "", if_match ? "\r\n" : "");

        if (!body)
                return http_message(s->w, who, say(s, "%s\r\n", head));
        return http_message(s->w, who, say(s, "%scontent-type: %s\r\ncontent-length: %zu\r\n\r\n%s", head, media, strlen(body), body));
}

const char *etag_of(struct shop *s, struct http_answer a)
{
        return say(s, STR_FMT, STR_ARG(header_get(&a.headers, "etag")));
}

int64_t free_units(struct shop *s, int product)
{
        return number(s->w, "inventory", say(s, "select coalesce(sum(quantity), 0)::int8 from stock where product_id = '%s'", id_of(s, product)));
}

void tell_event(struct world *w, const char *service, const struct event *e, const void *msg)
{
        struct ctx *c = as(w, "");
        struct buf line AUTO(buf_done) = BUF_INIT(10000), sql AUTO(buf_done) = BUF_INIT(12000);
        char key[37];

        uid_format(*(const uid *)msg, key);
        buf_printf(&line, "{\"topic\":\"%s\",\"key\":\"%s\",\"at\":\"2026-01-02T03:04:05Z\",\"data\":", e->topic, key);
        json_write(&line, e->of, msg);
        buf_lit(&line, "}\n");
        buf_printf(&sql, "insert into souk_outbox (id, payload) select coalesce(max(id), 0) + 1, convert_to('" STR_FMT "', 'UTF8') from souk_outbox", STR_ARG(buf_str(&line)));
        execute(w, service, arena_z(c->arena, buf_str(&sql)));
}

void pass(int ms)
{
        for (int left = ms; left > 0; left -= 4) {
                turn();
                clock_advance(4);
        }
}

void sweep(struct shop *s)
{
        settle(s->w);
        run_job(s->w, "inventory", "sweep-holds");
        run_job(s->w, "payments", "sweep-authorisations");
        run_job(s->w, "payments", "test-answers");
        settle(s->w);
}

/* ---- audit ---------------------------------------------------------------------------------------------------------------- */

struct finding { const char *service, *sql, *what; };

/* Each counts what is wrong. */
static const struct finding always[] = {
        { "inventory", "select count(*) from (select from (select product_id, warehouse_no, quantity::int8 as n from stock"
                       " union all select product_id, warehouse_no, quantity from hold union all select product_id, warehouse_no, -delta from movement) t"
                       " group by product_id, warehouse_no having sum(n) <> 0) wrong", "on hand + held + sold = received + adjusted" },
        { "inventory", "select count(*) from stock where quantity < 0", "nothing is negative" },
        { "inventory", "select count(*) from (select from hold group by order_id having min(attempt) <> max(attempt)) wrong", "an order holds for one attempt" },
        { "orders",    "select count(*) from (select from invoice_counter k full join (select series, year, count(*) as n, max(no) as top from"
                       " (select series, year, invoice_no as no from orders where invoice_no is not null union all select series, year, no from credit_note) all_of"
                       " group by 1, 2) o using (series, year) where k.last_no is distinct from o.n or o.n <> o.top) wrong", "numbers have no gap" },
        { "orders",    "select count(*) from orders o where invoice_no is not null and total_minor is distinct from"
                       " (select sum(price_minor * quantity) from order_item i where i.order_id = o.id)", "an order's total is the sum of its lines" },
        { "orders",    "select count(*) from orders where invoice_no is not null and buyer = '00000000-0000-0000-0000-000000000000'", "an order has a buyer" },
        { "orders",    "select count(*) from order_item i where not exists (select from orders o where o.id = i.order_id"
                       " and o.invoice_no is not null)", "lines belong to an order" },
        { "orders",    "select count(*) from (select from credit_note k join credit_note_line l on l.note_id = k.id left join order_item i"
                       " on i.order_id = k.order_id and i.line = l.line group by k.order_id, l.line, i.quantity having sum(l.quantity) > coalesce(i.quantity, 0)) wrong",
                       "no more comes back than was sold" },
        { "orders",    "select count(*) from credit_note k where total_minor is distinct from (select sum(l.quantity * i.price_minor) from credit_note_line l"
                       " join order_item i on i.order_id = k.order_id and i.line = l.line where l.note_id = k.id)", "a credit note's total is the sum of its lines" },
        { "orders",    "select count(*) from orders o where invoice_no is not null and state <> (select case when count(*) = 0 then 0 when bool_or(k.state = 3) then 3"
                       " when (select sum(i.quantity) from order_item i where i.order_id = o.id) = sum(l.quantity) then 4 else 5 end"
                       " from credit_note k join credit_note_line l on l.note_id = k.id where k.order_id = o.id)", "an order's state is what its credit notes say" },
        { "payments",  "select coalesce(sum(amount_minor), 0)::int8 from ledger", "the ledger sums to zero" },
        { "payments",  "select count(*) from (select from transfer group by order_id, attempt having coalesce(sum(amount_minor) filter (where kind = 2), 0)"
                       " > coalesce(sum(amount_minor) filter (where kind = 1), 0)) wrong", "no more is given back than was captured" },
        { "payments",  "select count(*) from (select from transfer t left join intent i using (order_id, attempt) where kind > 0"
                       " group by t.order_id, t.attempt, i.amount_minor, i.state"
                       " having coalesce(sum(t.amount_minor) filter (where kind = 1), 0) > coalesce(i.amount_minor, -1) or i.state not in (0, 3, 4)) wrong",
          "what is captured was authorised" },
};

static const struct finding quiet[] = {
        { "inventory", "select count(*) from hold", "nothing is held" },
        { "payments",  "select count(*) from intent i where state in (0, 2) and not exists (select from transfer c"
                       " where c.order_id = i.order_id and c.attempt = i.attempt and c.kind > 0)",
                       "nothing is authorised and not captured" },
        { "inventory", "select count(*) from souk_parked", "nothing is parked by inventory" },
        { "payments",  "select count(*) from souk_parked", "nothing is parked by payments" },
};

/* An order's money: captured, or let go because its cancellation was heard first. */
#define TAKEN "intent i where exists (select from transfer t where t.order_id = i.order_id and t.attempt = i.attempt and t.no = 1" \
              " and (t.kind = 1 or (t.kind = 0 and i.state = 3)))"

/* Two databases that must tell the same: a checksum of each. */
static const struct { const char *one, *one_sql, *other, *other_sql, *what; } pairs[] = {
        { "orders",    "select coalesce(bit_xor(hashtextextended(order_id::text || product_id::text || n, 1)), 0) from"
          " (select order_id, product_id, sum(quantity) as n from order_item group by order_id, product_id) t",
          "inventory", "select coalesce(bit_xor(hashtextextended(ref::text || product_id::text || n, 1)), 0) from"
                       " (select ref, product_id, -sum(delta) as n from movement where kind = 3 group by ref, product_id) t", "what was ordered is what was sold" },
        { "orders",    "select coalesce(bit_xor(hashtextextended(id::text || attempt || ' ' || total_minor || total_cur, 1)), 0) from orders where invoice_no is not null",
          "payments",  "select coalesce(bit_xor(hashtextextended(order_id::text || attempt || ' ' || amount_minor || amount_cur, 1)), 0) from " TAKEN,
          "what was ordered is what was captured" },
        { "orders",    "select count(*) from orders where invoice_no is not null", "payments", "select count(*) from " TAKEN, "one capture an order" },
};

static void look(struct shop *s, const struct finding *f, size_t n, const char *file, int line)
{
        for (size_t i = 0; i < n; i++) {
                int64_t wrong = number(s->w, f[i].service, f[i].sql);
                if (wrong) world_wrong(file, line, "%s: %s does not hold (%" PRId64 ")", f[i].service, f[i].what, wrong);
        }
}

void audit_stock(struct shop *s, bool is_quiet, const char *file, int line)
{
        for (size_t i = 0; i < COUNT(always); i++)
                if (!strcmp(always[i].service, "inventory")) look(s, &always[i], 1, file, line);
        for (size_t i = 0; i < COUNT(quiet) && is_quiet; i++)
                if (!strcmp(quiet[i].service, "inventory")) look(s, &quiet[i], 1, file, line);
}

void audit(struct shop *s, const char *file, int line)
{
        look(s, always, COUNT(always), file, line);
        int64_t orders = rows(s->w, "orders", "orders where invoice_no is not null"), said = events(s->w, "orders", "order.confirmed");
        if (orders != said) world_wrong(file, line, "%" PRId64 " orders stand, %" PRId64 " were said", orders, said);
        int64_t notes = rows(s->w, "orders", "credit_note"), told = events(s->w, "orders", "order.cancelled") + events(s->w, "orders", "order.returned");
        /* a test may speak as orders would, without a note */
        if (notes > told) world_wrong(file, line, "%" PRId64 " credit notes were issued, %" PRId64 " were said", notes, told);
}

void audit_quiet(struct shop *s, const char *file, int line)
{
        audit(s, file, line);
        look(s, quiet, COUNT(quiet), file, line);
        for (size_t i = 0; i < COUNT(pairs); i++) {
                int64_t one = number(s->w, pairs[i].one, pairs[i].one_sql), other = number(s->w, pairs[i].other, pairs[i].other_sql);
                if (one != other) world_wrong(file, line, "%s does not hold (%" PRId64 ", %" PRId64 ")", pairs[i].what, one, other);
        }
}

void audit_credits(struct shop *s, const char *file, int line)
{
        static const char *const hashed = "select coalesce(bit_xor(hashtextextended(id::text || n, 1)), 0) from (%s) t where n <> 0";
        int64_t due = number(s->w, "orders", say(s, hashed, "select o.id, o.total_minor - coalesce((select sum(k.total_minor) from credit_note k where k.order_id = o.id), 0) as n"
                                                            " from orders o where o.invoice_no is not null"));
        int64_t kept = number(s->w, "payments", say(s, hashed, "select order_id as id, sum(case kind when 1 then amount_minor when 2 then -amount_minor else 0 end)::numeric as n"
                                                               " from transfer group by order_id"));

        if (due != kept) world_wrong(file, line, "what is kept of each order is not its total less its credit notes");
}
