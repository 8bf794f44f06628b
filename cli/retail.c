/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * retail.c - reads the UCI Online Retail file: rows into orders, then cancellations against what the orders have left. */
#include "retail.h"
#include <stdio.h>
#include <stdlib.h>
#include "hash.h"
#include "map.h"
#include "rows.h"

enum { NAMES_MAX = 2000000, ROW_ARENA = 1 << 20 };

const char *const left_out_names[LEFT_OUT] = { "bad_row", "without_customer", "without_quantity", "without_price", "beyond_limit",
                                               "cancellation_without_customer", "cancellation_without_order" };

struct cancellation { char invoice[16]; int32_t customer, product, quantity; int64_t price; when at; };
struct columns      { int invoice, stock, description, quantity, date, price, customer, country; };
struct reading {
        struct retail *r;
        struct feed   *rows;
        struct columns at;
        struct map    *invoices, *products, *customers;         /* to index + 1 */
        struct cancellation *cancellations; int32_t n_cancellations;
        int64_t        limit;
};

static void *grown(void *array, int32_t *n, size_t size)
{
        if ((*n & (*n - 1)) == 0) {                     /* 0, 1, 2, 4 ...: full */
                array = realloc(array, (size_t)MAX(2 * *n, 1) * size);
                if (!array) abort();
        }
        memset((char *)array + (size_t)*n * size, 0, size);
        (*n)++;
        return array;
}
/* One more at the end of an array that doubles. */
#define MORE(array, n)          ((array) = grown((array), &(n), sizeof *(array)), &(array)[(n) - 1])

/* The index under a name, or -1. */
static int32_t known(struct map *m, str name)           { return (int32_t)(intptr_t)map_get(m, name) - 1; }

static void know(struct map *m, str name, int32_t index)
{
        if (map_put(m, name, (void *)(intptr_t)(index + 1)) < 0) abort();
}

/* ---- cells ------------------------------------------------------------------------------------------------------------------ */

/* "2.55" in pennies, half up. *positive: the text's own value is. returns -INVALID_ARGUMENT */
static int pennies(str text, int64_t *out, bool *positive)
{
        int64_t whole = 0, rest = 0;
        ptrdiff_t dot = str_find(text, '.');
        str before = dot < 0 ? text : str_cut(text, 0, (size_t)dot), after = dot < 0 ? STR("") : str_cut(text, (size_t)dot + 1, text.n);

        if (after.n > 6 || before.n > 9 || int_parse(before, &whole) < 0 || (after.n && (after.p[0] == '-' || int_parse(after, &rest) < 0))) return -INVALID_ARGUMENT;
        *positive = before.p[0] != '-' && whole + rest > 0;
        for (size_t i = after.n; i < 6; i++) rest *= 10;
        *out = whole * 100 + (rest + 5000) / 10000;
        return 0;
}

/* 2010-12-01 08:26:00 */
static int instant(str text, when *out)
{
        char iso[32];

        if (text.n != 19 || text.p[10] != ' ') return -INVALID_ARGUMENT;
        snprintf(iso, sizeof iso, "%.10sT%.8sZ", text.p, text.p + 11);
        return when_parse(str_of(iso), out);
}

#define COPY(to, s) snprintf((to), sizeof(to), STR_FMT, (int)MIN((s).n, sizeof(to) - 1), (s).p)

static int32_t product_of(struct reading *g, str sku, str name, int64_t price)
{
        int32_t i = known(g->products, sku);
        struct retail_product *p;

        if (i < 0) {
                p = MORE(g->r->products, g->r->n_products);
                COPY(p->sku, sku);
                know(g->products, sku, i = g->r->n_products - 1);
        }
        p = &g->r->products[i];
        if (!p->name[0] && name.n) COPY(p->name, name);
        p->price = MAX(MAX(p->price, price), 1);        /* the catalogue sells nothing for nothing */
        return i;
}

static int32_t customer_of(struct reading *g, str number, str country)
{
        int32_t i = known(g->customers, number);

        if (i >= 0) return i;
        struct retail_customer *k = MORE(g->r->customers, g->r->n_customers);
        COPY(k->number, number);
        COPY(k->country, country);
        k->last_order = -1;
        know(g->customers, number, g->r->n_customers - 1);
        return g->r->n_customers - 1;
}

/* A UUIDv7 of the order's own time: the same whenever the file is read, and orders lie in the order of time. */
static void key_of(when at, str invoice, char out[37])
{
        struct digest d = sha256_parts((const str[]){ STR("souk replay retail"), invoice }, 2);
        uid id;

        memcpy(id.b, d.b, sizeof id.b);
        for (int i = 0; i < 6; i++) id.b[i] = (uint8_t)(at.us / 1000 >> (40 - 8 * i));
        id.b[6] = 0x70 | (id.b[6] & 0x0f);
        id.b[8] = 0x80 | (id.b[8] & 0x3f);
        uid_format(id, out);
}

/* The order of an invoice; -1 beyond the limit. */
static int32_t order_of(struct reading *g, str invoice, str customer, str country, when at)
{
        int32_t i = known(g->invoices, invoice);
        struct retail *r = g->r;

        if (i >= 0) return i;
        if (g->limit && r->n_orders >= g->limit) return -1;
        struct retail_order *o = MORE(r->orders, r->n_orders);
        COPY(o->invoice, invoice);
        key_of(at, invoice, o->key);
        o->at = at;
        o->first = o->last = o->last_return = -1;
        o->customer = customer_of(g, customer, country);
        o->before = r->customers[o->customer].last_order;
        r->customers[o->customer].last_order = r->n_orders - 1;
        know(g->invoices, invoice, r->n_orders - 1);
        return r->n_orders - 1;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------- */

static void line_add(struct reading *g, int32_t order, int32_t product, int32_t quantity, int64_t price)
{
        struct retail *r = g->r;
        struct retail_line *l = MORE(r->lines, r->n_lines);
        struct retail_order *o = &r->orders[order];
        int32_t i = r->n_lines - 1;

        *l = (struct retail_line){ product, quantity, quantity, -1, price };
        if (o->last < 0) o->first = i;
        else r->lines[o->last].next = i;
        o->last = i;
        o->n++;
        o->total += price * quantity;
        r->total += price * quantity;
        r->units += quantity;
        r->products[product].units += quantity;
}

static void cancellation_add(struct reading *g, str invoice, str customer, str stock, int64_t quantity, int64_t price, when at)
{
        struct cancellation *x;

        if (!customer.n) {
                g->r->left_out[CANCELS_WITHOUT_CUSTOMER]++;
                return;
        }
        x = MORE(g->cancellations, g->n_cancellations);
        *x = (struct cancellation){ .customer = known(g->customers, customer), .product = known(g->products, stock), .quantity = (int32_t)-quantity, .price = price, .at = at };
        COPY(x->invoice, invoice);
}

static bool row_add(struct reading *g)
{
        str invoice = rows_cell(g->rows, g->at.invoice), stock = rows_cell(g->rows, g->at.stock), customer = rows_cell(g->rows, g->at.customer);
        int64_t quantity, price;
        bool positive;
        when at;

        if (!invoice.n || !stock.n || int_parse(rows_cell(g->rows, g->at.quantity), &quantity) < 0 || quantity > 1000000 || quantity < -1000000 ||
            pennies(rows_cell(g->rows, g->at.price), &price, &positive) < 0 || instant(rows_cell(g->rows, g->at.date), &at) < 0)
                return false;
        if (invoice.p[0] == 'C') {
                cancellation_add(g, invoice, customer, stock, quantity, price, at);
                return true;
        }
        enum left_out why = !customer.n ? WITHOUT_CUSTOMER : quantity <= 0 ? WITHOUT_QUANTITY : !positive ? WITHOUT_PRICE : LEFT_OUT;
        int32_t order = why == LEFT_OUT ? order_of(g, invoice, customer, rows_cell(g->rows, g->at.country), at) : -1;
        if (order < 0) g->r->left_out[why == LEFT_OUT ? BEYOND_LIMIT : why]++;
        else line_add(g, order, product_of(g, stock, rows_cell(g->rows, g->at.description), price), (int32_t)quantity, price);
        return true;
}

/* ---- cancellations ------------------------------------------------------------------------------------------------------------ */

static int64_t left_of(const struct retail *r, const struct retail_order *o, const struct cancellation *x)
{
        int64_t left = 0;

        for (int32_t i = o->first; i >= 0; i = r->lines[i].next)
                if (r->lines[i].product == x->product && r->lines[i].price == x->price) left += r->lines[i].left;
        return left;
}

/* The return of an order at an instant: cancellations of one invoice make one, and so do two of the same second. */
static struct retail_return *return_of(struct retail *r, int32_t order, const struct cancellation *x)
{
        for (int32_t i = r->orders[order].last_return; i >= 0; i = r->returns[i].before)
                if (r->returns[i].at.us == x->at.us) return &r->returns[i];
        struct retail_return *t = MORE(r->returns, r->n_returns);
        *t = (struct retail_return){ .order = order, .first = -1, .last = -1, .before = r->orders[order].last_return, .at = x->at };
        memcpy(t->invoice, x->invoice, sizeof t->invoice);
        r->orders[order].last_return = r->n_returns - 1;
        return t;
}

static void item_add(struct retail *r, struct retail_return *t, int32_t line, int32_t quantity)
{
        struct retail_item *it = MORE(r->items, r->n_items);
        int32_t i = r->n_items - 1;

        *it = (struct retail_item){ line, quantity, -1 };
        if (t->last < 0) t->first = i;
        else r->items[t->last].next = i;
        t->last = i;
        t->n++;
}

static void give_back(struct retail *r, int32_t order, const struct cancellation *x)
{
        struct retail_return *t = return_of(r, order, x);
        int32_t want = x->quantity, no = 1;

        for (int32_t i = r->orders[order].first; i >= 0 && want; i = r->lines[i].next, no++) {
                struct retail_line *l = &r->lines[i];
                int32_t n = l->product == x->product && l->price == x->price ? MIN(want, l->left) : 0;
                if (!n) continue;
                item_add(r, t, no, n);
                l->left -= n;
                want -= n;
                t->total += l->price * n;
                r->returned += l->price * n;
        }
        r->returned_rows++;
}

/* horizon: with a limit, the instant of the last order. What was cancelled from then on might be of an order that was not taken. */
static void match(struct retail *r, const struct cancellation *x, int64_t horizon)
{
        if (horizon && x->at.us >= horizon) {
                r->left_out[BEYOND_LIMIT]++;
                return;
        }
        int32_t o = x->customer < 0 || x->product < 0 || x->quantity <= 0 ? -1 : r->customers[x->customer].last_order;

        while (o >= 0 && (r->orders[o].at.us > x->at.us || left_of(r, &r->orders[o], x) < x->quantity)) o = r->orders[o].before;
        if (o < 0) r->left_out[CANCELS_NO_ORDER]++;
        else give_back(r, o, x);
}

/* ---- the file ------------------------------------------------------------------------------------------------------------------ */

static int columns_find(struct ctx *c, struct reading *g, const char *path)
{
        const struct { const char *name; int *at; } want[] = {
                { "InvoiceNo", &g->at.invoice }, { "StockCode", &g->at.stock }, { "Description", &g->at.description }, { "Quantity", &g->at.quantity },
                { "InvoiceDate", &g->at.date }, { "UnitPrice", &g->at.price }, { "CustomerID", &g->at.customer }, { "Country", &g->at.country } };

        for (size_t i = 0; i < COUNT(want); i++)
                if ((*want[i].at = rows_column(g->rows, want[i].name)) < 0)
                        return fail(c, INVALID_ARGUMENT, "not_retail", "%s has no column %s", path, want[i].name);
        return 0;
}

static int read_all(struct ctx *c, struct reading *g, const char *path)
{
        struct progress p;
        struct row row;
        int r;

        TRY(rows_open(c, &(struct rows_options){ .path = path, .format = ROWS_CSV, .currency = STR("GBP") }, &g->rows));
        TRY(columns_find(c, g, path));
        progress_open(&p, "reading", "rows", 0);
        struct ctx own = { .arena = arena_new(ROW_ARENA), .op = c->op };
        while ((r = rows_next_cells(&own, g->rows, &row)) != 0) {
                g->r->rows++;
                if (r < 0 || !row_add(g)) g->r->left_out[BAD_ROW]++;
                arena_reset(own.arena);
                p.share = (double)rows_bytes_read(g->rows) / (double)MAX(rows_bytes(g->rows), 1);
                progress_step(&p, 1);
        }
        arena_free(own.arena);
        progress_close(&p);
        int64_t horizon = g->r->left_out[BEYOND_LIMIT] ? g->r->orders[g->r->n_orders - 1].at.us : 0;
        for (int32_t i = 0; i < g->n_cancellations; i++) match(g->r, &g->cancellations[i], horizon);
        return 0;
}

int retail_read(struct ctx *c, const char *path, int64_t limit, struct retail *out)
{
        struct reading g = { .r = out, .limit = limit, .invoices = map_new(NAMES_MAX, MAP_REFUSES, NULL), .products = map_new(NAMES_MAX, MAP_REFUSES, NULL),
                             .customers = map_new(NAMES_MAX, MAP_REFUSES, NULL) };
        int r;

        *out = (struct retail){ 0 };
        r = read_all(c, &g, path);
        rows_close(&g.rows);
        map_free(g.invoices);
        map_free(g.products);
        map_free(g.customers);
        free(g.cancellations);
        return r;
}

void retail_done(struct retail *r)
{
        free(r->products);
        free(r->customers);
        free(r->lines);
        free(r->orders);
        free(r->items);
        free(r->returns);
        *r = (struct retail){ 0 };
}
