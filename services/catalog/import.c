/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * import.c - many products in one request: each row is judged by itself, a bad one is reported and the rest goes in.
 *
 * The request is idempotent by sku, so it needs no Idempotency-Key: sent again it changes nothing. */
#include "catalog_sql.h"
#include "fiber.h"
#include "import.h"
#include "server.h"

enum { ERRORS_MAX = 5000 };

DECLARE_LIST(product_draft);
struct product_import { struct product_draft_list products; };

MESSAGE(row_error, "what is wrong with a row",
        F(row_error, 1, row, .doc = "Its place in the request, from 0."),
        F(row_error, 2, sku, .optional = true),
        F(row_error, 3, pointer, .optional = true, .doc = "Where in the row (RFC 6901)."),
        F(row_error, 4, slug),
        F(row_error, 5, detail));
MESSAGE(product_import, "products to be there",
        F_LIST(product_import, 1, products, product_draft, .min = 1, .max = IMPORT_ROWS_MAX));
MESSAGE(import_report, "what became of them",
        F(import_report, 1, created),
        F(import_report, 2, changed),
        F(import_report, 3, unchanged),
        F(import_report, 4, failed),
        F_LIST(import_report, 5, errors, row_error, .max = IMPORT_ROWS_MAX * FLAWS_MAX));

int reading_init(struct ctx *c, struct reading *r)
{
        *r = (struct reading){ .good = arena_many(c->arena, struct product_draft, IMPORT_ROWS_MAX), .row_of = arena_many(c->arena, int32_t, IMPORT_ROWS_MAX) };
        r->out.errors.v = arena_many(c->arena, struct row_error, ERRORS_MAX);
        return arena_is_exhausted(c->arena) ? fail(c, RESOURCE_EXHAUSTED, "too_large", "the import is too large") : 0;
}

/* A row that is bad in many ways leaves room for one fault of each other row. */
static void error_add(struct reading *r, struct row_error e)
{
        bool more = r->out.errors.n && r->out.errors.v[r->out.errors.n - 1].row == e.row;
        if (r->out.errors.n < ERRORS_MAX - (more ? IMPORT_ROWS_MAX : 0))
                r->out.errors.v[r->out.errors.n++] = e;
}

void row_refuse(struct reading *r, struct row_error why)
{
        r->out.failed++;
        error_add(r, why);
}

static void row_refuse_as(struct ctx *c, struct reading *r, int32_t row, str text, const struct ctx *why)
{
        str sku = { 0 };

        r->out.failed++;
        if (json_kind_of(text) == JSON_OBJECT && json_kind_of(json_member(text, "sku")) == JSON_STRING)
                (void)json_text(c, json_member(text, "sku"), &sku);
        for (const struct flaw *f = why->fault.flaws; f; f = f->next)
                error_add(r, (struct row_error){ row, sku, f->pointer, str_of(f->slug), f->detail });
        if (!why->fault.flaws)
                error_add(r, (struct row_error){ row, sku, { 0 }, str_of(why->fault.slug ? why->fault.slug : "invalid"), why->fault.message });
}

void row_read(struct ctx *c, struct reading *r, int32_t row, str text)
{
        struct ctx one = *c;
        struct product_draft *d = &r->good[r->n_good];
        int failed;

        fault_clear(&one);
        failed = json_read(&one, &product_draft_type, text, d, JSON_STRICT);
        if (failed == 0) {
                draft_check(&one, d);
                failed = flaws_fail(&one);
        }
        if (failed < 0)
                row_refuse_as(c, r, row, text, &one);
        else
                r->row_of[r->n_good++] = row;
}

void reading_count(struct reading *r, const enum written *what)
{
        for (size_t i = 0; i < r->n_good; i++) {
                r->out.created   += what[i] == WRITTEN_CREATED;
                r->out.changed   += what[i] == WRITTEN_CHANGED;
                r->out.unchanged += what[i] == WRITTEN_UNCHANGED;
                if (what[i] == WRITTEN_NOT_YOURS)
                        row_refuse(r, (struct row_error){ r->row_of[i], r->good[i].sku, STR("/sku"), STR("sku_taken"), STR("belongs to another vendor") });
                if (what[i] == WRITTEN_REPEATED)
                        row_refuse(r, (struct row_error){ r->row_of[i], r->good[i].sku, STR("/sku"), STR("repeated"), STR("is in a row before") });
        }
}

static int rows_read(struct ctx *c, str body, struct reading *r)
{
        struct json_walk walk;
        str products, text, name;
        int32_t n = 0;

        TRY(json_validate(c, body));
        if (json_kind_of(body) != JSON_OBJECT) {
                flaw_add(c, STR(""), "wrong_type", "must be an object");
                return flaws_fail(c);
        }
        walk = json_open(body);
        while (json_next_member(c, &walk, &name, &text))
                if (!str_eq(name, STR("products")))
                        flaw_add(c, arena_printf(c->arena, "/" STR_FMT, STR_ARG(name)), "unknown", "unknown member");
        TRY(flaws_fail(c));
        products = json_member(body, "products");
        if (json_kind_of(products) != JSON_ARRAY) {
                flaw_add(c, STR("/products"), products.p ? "wrong_type" : "required", products.p ? "must be a list" : "is required");
                return flaws_fail(c);
        }
        for (walk = json_open(products); json_next_element(&walk, &text);)
                if (++n <= IMPORT_ROWS_MAX) {
                        row_read(c, r, n - 1, text);
                        if (n % ROWS_A_TURN == 0) fiber_yield();
                }
        if (n == 0 || n > IMPORT_ROWS_MAX)
                flaw_add(c, STR("/products"), n ? "too_many" : "too_few", "must have 1 to %d rows, not %d", IMPORT_ROWS_MAX, n);
        return flaws_fail(c);
}

static int rows_write(struct ctx *c, struct reading *r)
{
        uid *ids = arena_many(c->arena, uid, r->n_good);
        enum written *what = arena_many(c->arena, enum written, r->n_good);

        if (r->n_good == 0)
                return 0;
        if (!ids || !what)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the import is too large");
        TRY(products_write(c, &(struct writing){ .drafts = r->good, .n = r->n_good, .ids = ids, .what = what }));
        reading_count(r, what);
        return 0;
}

/* HTTP itself is needed because a row that cannot be read must not refuse the request. */
void products_import_page(struct ctx *c, struct exchange *x)
{
        struct reading r;
        str body;

        if (reading_init(c, &r) < 0 || raw_body(c, x, &body) < 0 || rows_read(c, body, &r) < 0 || rows_write(c, &r) < 0)
                return;                                         /* the edge tells the fault */
        res_header(c, x, "content-type", STR("application/json"));
        json_write(x->body, &import_report_type, &r.out);
}

/* What the documents say of the route; a caller inside the program has rows that can be read. */
static int products_import(struct ctx *c, const struct product_import *in, struct import_report *out)
{
        struct reading r;

        TRY(reading_init(c, &r));
        for (r.n_good = 0; r.n_good < in->products.n; r.n_good++) {
                r.good[r.n_good] = in->products.v[r.n_good];
                r.row_of[r.n_good] = (int32_t)r.n_good;
        }
        TRY(rows_write(c, &r));
        *out = r.out;
        return 0;
}

OP(products_import, product_import, import_report);
