/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * imports.c - an import of any length as a resource: rows come in parts, each part and what became of it in one transaction.
 *
 *     POST /v1/imports --> running, rows_done 0 --part from rows_done--> rows_done + n --...--last part--> done
 *                            |  ^                                           |
 *                            |  `--- another place: 409, nothing is done ---|
 *                            `------ a part that was taken already: told as it stands, nothing is done
 *
 * A part is JSON (rows), or a piece of the file as it is (file): CSV or JSON Lines, read here as the command reads them (feed/rows.h).
 * So whoever sends it may die at any moment, and so may the program: `rows_done` says where to go on, a part that is sent again does nothing, and
 * the report of bad rows is as long as the file's faults. Products are taken by sku, so a whole import made again changes nothing either. */
#include "app.h"
#include "catalog_sql.h"
#include "config.h"
#include "fiber.h"
#include "import.h"
#include "rows.h"
#include "server.h"

enum { ROWS_MAX = 10000000, FLAWS_A_ROW = 100 };
_Static_assert(FLAWS_A_ROW > FLAWS_MAX + 1, "the faults of a row are numbered after it");

static const char *const state_names[] = { "running", "done", NULL };
static const char *const state_words[] = { "any", "running", "done", NULL };
enum { RUNNING, DONE };

struct import_new    { str source, digest; };
struct import_ref    { uid id; };
struct import        { uid id; str source, digest; int32_t state; int64_t rows_done, created, changed, unchanged, failed; when begun_at, updated_at, done_at; };
DECLARE_LIST(import);
struct import_filter { int32_t state; str digest; PAGE_MEMBERS; };
struct import_page   { struct import_list items; PAGE_LINKS; };
struct import_row    { int64_t line; struct product_draft product; str sku, pointer, detail; };
DECLARE_LIST(import_row);
struct import_head   { int64_t from; struct import_row_list rows; bool last; };
struct import_part   { uid id; int64_t from; struct import_row_list rows; bool last; };
struct import_piece  { uid id; int64_t from; bool last; int64_t line; str currency; };
struct import_fault  { uid id; int64_t no, row, line; str sku, pointer, slug, detail; };
DECLARE_LIST(import_fault);
struct import_faults { struct import_fault_list rows; };
struct fault_filter  { uid id; PAGE_MEMBERS; };
struct fault_page    { struct import_fault_list items; PAGE_LINKS; };

MESSAGE(import_new, "an import to be begun",
        F(import_new, 1, source, .min = 1, .max = 300, .doc = "What it is of, for people: a file's name.", .example = "\"shop.csv\""),
        F(import_new, 2, digest, .optional = true, .max = 200, .doc = "By what its sender knows it again, to go on with it: a hash of the file."));
MESSAGE(import_ref, "an import", F(import_ref, 1, id));
MESSAGE(import, "an import, and how far it is",
        F(import, 1, id),
        F(import, 2, source),
        F(import, 3, digest, .optional = true),
        F(import, 4, state, .names = state_names),
        F(import, 5, rows_done, .doc = "Where the next part begins."),
        F(import, 6, created),
        F(import, 7, changed),
        F(import, 8, unchanged),
        F(import, 9, failed, .doc = "Rows that are in its report."),
        F(import, 10, begun_at),
        F(import, 11, updated_at),
        F(import, 12, done_at, .optional = true));
MESSAGE(import_filter, "which imports",
        F(import_filter, 1, state, .optional = true, .names = state_words),
        F(import_filter, 2, digest, .optional = true, .max = 200),
        PAGE_FIELDS(import_filter, 3));
MESSAGE(import_page, "imports, a page", F_LIST(import_page, 1, items, import), PAGE_LINK_FIELDS(import_page, 2));
MESSAGE(import_row, "a product, or what was wrong with a row that its sender could not read",
        F(import_row, 1, line, .optional = true, .min = 0, .max = INT64_MAX, .doc = "Its line in the file."),
        F_MSG(import_row, 2, product, product_draft, .optional = true),
        F(import_row, 3, sku, .optional = true, .max = 200),
        F(import_row, 4, pointer, .optional = true, .max = 200, .doc = "Which member of it."),
        F(import_row, 5, detail, .optional = true, .max = 500, .doc = "Why; instead of a product."));
#define PART_FIELDS(T) \
        F(T, 2, from, .min = 0, .max = ROWS_MAX, .doc = "How many rows came before: the import's rows_done."), \
        F_LIST(T, 3, rows, import_row, .max = IMPORT_ROWS_MAX), \
        F(T, 4, last, .optional = true, .doc = "Nothing follows: the import is done.")
MESSAGE(import_head, "the body of a part", PART_FIELDS(import_head));
MESSAGE(import_part, "the next rows of an import", F(import_part, 1, id), PART_FIELDS(import_part));
MESSAGE(import_piece, "the next rows of an import, as a piece of its file",
        F(import_piece, 1, id),
        F(import_piece, 2, from, .optional = true, .min = 0, .max = ROWS_MAX, .doc = "How many rows came before: the import's rows_done. None unless said."),
        F(import_piece, 3, last, .optional = true, .doc = "Nothing follows: the import is done."),
        F(import_piece, 4, line, .optional = true, .min = 1, .max = INT64_MAX, .doc = "The line in the file of the piece's first row; unless said, the file begins here."),
        F(import_piece, 5, currency, .optional = true, .format = &format_currency, .doc = "Of rows that name none; the shop's own unless said."));
MESSAGE(import_fault, "what is wrong with a row",
        F(import_fault, 1, id, .internal = true),
        F(import_fault, 2, no, .internal = true),
        F(import_fault, 3, row, .doc = "Its place in the import, from 0."),
        F(import_fault, 4, line, .optional = true, .doc = "Its line in the file."),
        F(import_fault, 5, sku, .optional = true),
        F(import_fault, 6, pointer, .optional = true, .doc = "Where in the row (RFC 6901)."),
        F(import_fault, 7, slug),
        F(import_fault, 8, detail));
MESSAGE(import_faults, "faults to be kept", F_LIST(import_faults, 1, rows, import_fault));
MESSAGE(fault_filter, "which import's report", F(fault_filter, 1, id), PAGE_FIELDS(fault_filter, 2));
MESSAGE(fault_page, "bad rows of an import, a page", F_LIST(fault_page, 1, items, import_fault), PAGE_LINK_FIELDS(fault_page, 2));

/* ---- the resource ------------------------------------------------------------------------------------------------------------- */

static int no_such_import(struct ctx *c)
{
        return fail(c, NOT_FOUND, "no_such_import", "there is no such import, or it is somebody else's");
}

static int import_begin(struct ctx *c, const struct import_new *in, struct import *out)
{
        when now = clock_now();

        *out = (struct import){ .id = uid_v7(now), .source = in->source, .digest = in->digest, .begun_at = now, .updated_at = now };
        TX(tx, c);
        TRY(import_insert_later(tx, out));
        return tx_commit(tx);
}

static int import_get(struct ctx *c, const struct import_ref *in, struct import *out)
{
        int r = import_by_id(db(c), in, out);
        return r == -NOT_FOUND ? no_such_import(c) : r;
}

static int import_remove(struct ctx *c, const struct import_ref *in, struct nothing *out)
{
        int r = import_delete(db(c), in);

        (void)out;
        return r == 0 ? no_such_import(c) : MIN(r, 0);
}

const struct paging imports_paging = PAGING(import_filter, import, { "-begun_at", &imports_newest_query, "id" }, { "begun_at", &imports_oldest_query, "id" });

static int imports_list(struct ctx *c, const struct import_filter *in, struct import_page *out)
{
        struct import_filter f = *in;
        return page_query(c, &imports_paging, &f, &out->items, &out->next, &out->prev);
}

const struct paging faults_paging = PAGING(fault_filter, import_fault, { "row", &faults_first_query, "no" }, { "-row", &faults_last_query, "no" });

static int import_report(struct ctx *c, const struct fault_filter *in, struct fault_page *out)
{
        struct fault_filter f = *in;
        struct import there;

        TRY(import_get(c, &(struct import_ref){ in->id }, &there));
        return page_query(c, &faults_paging, &f, &out->items, &out->next, &out->prev);
}

static int imports_trim(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        int r;

        (void)out;
        do TRY(r = imports_forget(db(c), in)); while (r > 0);
        return 0;
}

/* ---- a part --------------------------------------------------------------------------------------------------------------------- */

struct part { struct import_part in; struct reading read, counted; enum written *what; struct import stands; };

static int too_large(struct ctx *c)
{
        return fail(c, RESOURCE_EXHAUSTED, "too_large", "the part is too large");
}

/* Is it this part's turn? returns 0, 1 it was taken already, a refusal when it is another's turn */
static int part_begin(struct db *tx, void *arg)
{
        struct part *p = arg;
        struct ctx *c = db_ctx(tx);
        int64_t end = p->in.from + (int64_t)p->in.rows.n;
        bool done;
        int r;

        TRY(r = import_lock(tx, &(struct import_ref){ p->in.id }, &p->stands));
        if (r == 0) return no_such_import(c);
        done = p->stands.state == DONE;
        if (end <= p->stands.rows_done && (p->in.rows.n || done)) return 1;
        if (done) return fail(c, FAILED_PRECONDITION, "import_done", "the import is done with %lld rows", (long long)p->stands.rows_done);
        if (p->in.from != p->stands.rows_done)
                return fail(c, FAILED_PRECONDITION, "import_elsewhere", "the import goes on from row %lld", (long long)p->stands.rows_done);
        if (end > ROWS_MAX) return fail(c, FAILED_PRECONDITION, "import_too_long", "an import has at most %d rows", ROWS_MAX);
        return 0;
}

static int faults_keep(struct db *tx, const struct part *p)
{
        struct ctx *c = db_ctx(tx);
        const struct row_error_list *errors = &p->counted.out.errors;
        struct import_faults *f = arena_one(c->arena, struct import_faults);

        if (errors->n == 0) return 0;
        if (f) f->rows.v = arena_many(c->arena, struct import_fault, errors->n);
        if (!f || !f->rows.v) return too_large(c);
        for (; f->rows.n < errors->n; f->rows.n++) {
                const struct row_error *e = &errors->v[f->rows.n], *before = f->rows.n ? e - 1 : NULL;
                int64_t row = p->in.from + e->row;
                int64_t no = before && before->row == e->row ? f->rows.v[f->rows.n - 1].no + 1 : row * FLAWS_A_ROW;
                f->rows.v[f->rows.n] = (struct import_fault){ p->in.id, no, row, p->in.rows.v[e->row].line, e->sku, e->pointer, e->slug, e->detail };
        }
        return import_faults_add_later(tx, f);
}

static int part_end(struct db *tx, void *arg)
{
        struct part *p = arg;
        struct import *s = &p->stands;
        const struct import_report *out = &p->counted.out;

        p->counted = p->read;
        reading_count(&p->counted, p->what);
        TRY(faults_keep(tx, p));
        s->rows_done += (int64_t)p->in.rows.n;
        s->created += out->created;
        s->changed += out->changed;
        s->unchanged += out->unchanged;
        s->failed += out->failed;
        s->updated_at = clock_now();
        if (p->in.last) {
                s->state = DONE;
                s->done_at = s->updated_at;
        }
        return import_advance_later(tx, s);
}

static int part_write(struct ctx *c, struct part *p)
{
        uid *ids = arena_many(c->arena, uid, p->read.n_good + 1);

        p->what = arena_many(c->arena, enum written, p->read.n_good + 1);
        if (!ids || !p->what) return too_large(c);
        return products_write(c, &(struct writing){ .drafts = p->read.good, .n = p->read.n_good, .ids = ids, .what = p->what,
                                                    .begin = part_begin, .end = part_end, .arg = p });
}

/* `text` with `with` in the place of `piece`, which lies in it. */
static str replaced(struct ctx *c, str text, str piece, const char *with)
{
        size_t at = (size_t)(piece.p - text.p);
        return arena_printf(c->arena, STR_FMT "%s" STR_FMT, STR_ARG(str_cut(text, 0, at)), with, STR_ARG(str_cut(text, at + piece.n, text.n)));
}

/* {"line":7,"product":{...}} or {"line":7,"pointer":"/price","detail":"is missing"}. What is around a product must be right, the product
 * is judged by itself. */
static int row_take(struct ctx *c, struct part *p, str text)
{
        int32_t at = (int32_t)p->in.rows.n;
        struct import_row *row = &p->in.rows.v[p->in.rows.n++];
        str product = json_kind_of(text) == JSON_OBJECT ? json_member(text, "product") : (str){ 0 };
        struct ctx one = *c;

        fault_clear(&one);
        if (product.p && json_kind_of(product) == JSON_NULL) product.p = NULL;
        if (product.p) {
                row_read(c, &p->read, at, product);
                text = replaced(c, text, product, "null");
        }
        if (!text.p) return too_large(c);
        if (json_read(&one, &import_row_type, text, row, JSON_STRICT) < 0)
                for (const struct flaw *f = one.fault.flaws; f; f = f->next)
                        flaw_add(c, arena_printf(c->arena, "/rows/%d" STR_FMT, at, STR_ARG(f->pointer)), f->slug, STR_FMT, STR_ARG(f->detail));
        else if (!product.p == !row->detail.p)
                flaw_add(c, arena_printf(c->arena, "/rows/%d", at), "required", "must have a product or a detail, and not both");
        else if (!product.p)
                row_refuse(&p->read, (struct row_error){ at, row->sku, row->pointer, STR("unreadable"), row->detail });
        return 0;
}

static int part_read(struct ctx *c, str body, struct part *p)
{
        struct import_head head;
        str rows, text;
        int n = 0;

        TRY(json_validate(c, body));
        rows = json_kind_of(body) == JSON_OBJECT ? json_member(body, "rows") : (str){ 0 };
        if (rows.p && json_kind_of(rows) == JSON_ARRAY) {
                struct json_walk walk = json_open(rows);
                while (json_next_element(&walk, &text)) {
                        if (++n > IMPORT_ROWS_MAX) continue;
                        TRY(row_take(c, p, text));
                        if (n % ROWS_A_TURN == 0) fiber_yield();
                }
                if (n > IMPORT_ROWS_MAX) flaw_add(c, STR("/rows"), "too_many", "must have at most %d elements", IMPORT_ROWS_MAX);
                body = replaced(c, body, rows, "[]");
        }
        if (!body.p) return too_large(c);
        TRY(json_read(c, &import_head_type, body, &head, JSON_STRICT));
        p->in.from = head.from;
        p->in.last = head.last;
        return 0;
}

/* HTTP itself is needed because a row that cannot be read must not refuse the part. */
void import_part_page(struct ctx *c, struct exchange *x)
{
        struct part *p = arena_one(c->arena, struct part);
        str body;

        if (p) p->in.rows.v = arena_many(c->arena, struct import_row, IMPORT_ROWS_MAX);
        if (!p || !p->in.rows.v) {
                (void)too_large(c);
                return;
        }
        if (reading_init(c, &p->read) < 0 || raw_path(c, x, &p->in) < 0 || raw_body(c, x, &body) < 0 || part_read(c, body, p) < 0 || part_write(c, p) < 0)
                return;                                         /* the edge tells the fault */
        res_header(c, x, "content-type", STR("application/json"));
        json_write(x->body, &import_type, &p->stands);
}

/* What the documents say of the route; a caller inside the program has rows that can be read. */
static int import_part(struct ctx *c, const struct import_part *in, struct import *out)
{
        struct part *p = arena_one(c->arena, struct part);

        if (!p) return too_large(c);
        p->in = *in;
        TRY(reading_init(c, &p->read));
        for (size_t i = 0; i < in->rows.n; i++) {
                p->read.good[i] = in->rows.v[i].product;
                p->read.row_of[p->read.n_good++] = (int32_t)i;
        }
        TRY(part_write(c, p));
        *out = p->stands;
        return 0;
}

/* ---- a piece of a file --------------------------------------------------------------------------------------------------------- */

const struct route_text import_texts[] = {
        { "text/csv", "sku,name,price,currency,tags,attributes.colour\nlamp-1,A lamp,19.99,EUR,home|light,red\n" },
        { "application/x-ndjson", NULL }, { "application/jsonl", NULL },
        { NULL, NULL } };

static str kept(struct ctx *c, str s)           { return s.p ? arena_str(c->arena, s) : s; }

/* product: its JSON; p NULL when the row cannot be read, and then it says why. */
static int piece_row(struct ctx *c, struct part *p, const struct row *row, int64_t line, str product)
{
        int32_t at = (int32_t)p->in.rows.n;

        p->in.rows.v[p->in.rows.n++] = (struct import_row){ .line = line };
        if (product.p) {
                product = kept(c, product);
                if (!product.p) return too_large(c);
                row_read(c, &p->read, at, product);
        } else {
                row_refuse(&p->read, (struct row_error){ at, kept(c, shortened(row->sku, 200)), kept(c, row->pointer), STR("unreadable"),
                                                         row->detail.p ? kept(c, row->detail) : STR("is too large") });
        }
        return arena_is_exhausted(c->arena) ? too_large(c) : 0;
}

static int piece_read(struct ctx *c, const struct import_piece *in, str text, bool csv, struct part *p)
{
        struct feed *rows AUTO(rows_close) = NULL;
        struct arena *scratch AUTO(arena_end) = arena_try(IMPORT_BODY_MAX);
        struct buf product AUTO(buf_done) = BUF_INIT(IMPORT_BODY_MAX);
        struct rows_options o = { .path = "the body", .one_of = sku_names, .format = csv ? ROWS_CSV : ROWS_JSON, .text = text,
                                  .currency = in->currency.p ? in->currency : config_str(config(c), "catalog.currency") };
        int64_t ahead = in->line ? in->line - (csv ? 2 : 1) : 0;        /* the header is not in the way */

        if (!scratch) return too_large(c);
        TRY(rows_open(c, &o, &rows));
        for (;;) {
                struct ctx one = { .arena = scratch, .op = c->op, .deadline_us = c->deadline_us };
                struct row row;
                arena_reset(scratch);
                buf_clear(&product);
                int r = rows_next(&one, rows, &product, &row);
                if (r == 0) return 0;
                if (p->in.rows.n == IMPORT_ROWS_MAX) {
                        flaw_add(c, STR(""), "too_many", "must have at most %d rows", IMPORT_ROWS_MAX);
                        return flaws_fail(c);
                }
                TRY(piece_row(c, p, &row, row.line + ahead, r > 0 ? buf_str(&product) : (str){ 0 }));
                if (p->in.rows.n % ROWS_A_TURN == 0) fiber_yield();
        }
}

static int piece_take(struct ctx *c, const struct import_piece *in, str text, bool csv, struct import *out)
{
        struct part *p = arena_one(c->arena, struct part);

        if (p) *p = (struct part){ .in = { in->id, in->from, { arena_many(c->arena, struct import_row, IMPORT_ROWS_MAX), 0 }, in->last } };
        if (!p || !p->in.rows.v) return too_large(c);
        TRY(reading_init(c, &p->read));
        if (text.n) TRY(piece_read(c, in, text, csv, p));
        TRY(part_write(c, p));
        *out = p->stands;
        return 0;
}

void import_piece_page(struct ctx *c, struct exchange *x)
{
        struct import_piece in = { 0 };
        struct import out;
        const char *media;
        str text;

        if (raw_text(c, x, &in, &text, &media) < 0 || piece_take(c, &in, text, !strcmp(media, "text/csv"), &out) < 0)
                return;                                         /* the edge tells the fault */
        res_header(c, x, "content-type", STR("application/json"));
        json_write(x->body, &import_type, &out);
}

/* What the documents say of the route; a caller inside the program has no file, but may end an import. */
static int import_piece(struct ctx *c, const struct import_piece *in, struct import *out)
{
        return piece_take(c, in, (str){ 0 }, false, out);
}

/*  operation       takes          gives       */
OP( import_begin,   import_new,    import      );
OP( import_get,     import_ref,    import      );
OP( import_remove,  import_ref,    nothing     );
OP( imports_list,   import_filter, import_page );
OP( import_report,  fault_filter,  fault_page  );
OP( import_part,    import_part,   import      );
OP( import_piece,   import_piece,  import      );
OP( imports_trim,   nothing,       nothing     );
