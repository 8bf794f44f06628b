/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * import.c - souk import products: a file of products goes to the catalogue in batches, several on their way at once.
 *
 * The catalogue makes, changes or leaves each product by its SKU, so a second run changes nothing, and a batch may be sent again.
 * A bad row is told with its line and field, and the rest goes in. A batch that is refused as a whole because of some of its rows is
 * sent again without them. */
#include <stdio.h>
#include "clock.h"
#include "fiber.h"
#include "rows.h"

enum { BATCH_ROWS = 250, BATCH_BYTES = 900 * 1024, BATCH_NAMES = 8000, BODY_MAX_BYTES = 6 << 20, AT_ONCE = 4, ERRORS_KEPT = 1000, BATCH_ARENA = 64 << 20 };

static const char *const formats[] = { "auto", "json", "csv", NULL };
const struct flag import_products_flags[] = {
        { "format", 'f', "FORMAT", "json (a product a line), csv (with a header), or auto: by the file's name and first byte", .fallback = "auto", .words = formats },
        { "currency", 0, "CODE", "of rows that name none", .fallback = "EUR" },
        SHOP_FLAGS,
        JSON_FLAG,
        { 0 } };
const char *const import_products_examples[] = {
        "souk import products shop.csv", "columns sku, name, price ...",
        "souk import products icecat-products-19k.jsonl", "Icecat's products are known by their shape",
        "souk import products shop.jsonl --json | tail -n 1", "for a program",
        NULL };

struct import {
        struct shop  shop;
        struct login staff;
        struct rows *rows;
        struct report *report;
        struct progress progress;
        bool         ended;
        int64_t      rows_read, created, changed, unchanged, failed;
        struct buf   errors;            /* for --json                                              */
        struct jw    errors_w;
};
struct batch {
        struct buf products;            /* one after another, a comma behind each                  */
        size_t     end[BATCH_ROWS];
        int64_t    line[BATCH_ROWS];
        bool       out[BATCH_ROWS];     /* told as bad already                                     */
        int        n;
        size_t     names;               /* of members: the catalogue reads 10,000 in one text, at most */
};

static void batch_done(struct batch *b)                 { buf_done(&b->products); }

static void tell(struct import *m, int64_t line, str sku, str pointer, str detail)
{
        if (m->progress.live) fputs("\r\033[K", stderr);
        printf("line %lld", (long long)line);
        if (sku.n) printf(" (" STR_FMT ")", STR_ARG(sku));
        printf(": " STR_FMT "%s" STR_FMT "\n", STR_ARG(pointer), pointer.n ? " " : "", STR_ARG(detail));
        if (m->failed++ >= ERRORS_KEPT) return;
        jw_object(&m->errors_w);
        jw_key(&m->errors_w, "line");
        jw_int(&m->errors_w, line);
        jw_key(&m->errors_w, "sku");
        jw_str(&m->errors_w, sku);
        jw_key(&m->errors_w, "pointer");
        jw_str(&m->errors_w, pointer);
        jw_key(&m->errors_w, "detail");
        jw_str(&m->errors_w, detail);
        jw_object_end(&m->errors_w);
}

/* Members in a product's JSON as product.c writes it, or a few more. */
static size_t names_in(str json)
{
        size_t n = 0;
        for (size_t i = 0; i + 1 < json.n; i++) n += json.p[i] == '"' && json.p[i + 1] == ':';
        return n;
}

/* Reads rows until the batch is full or the file ends. Does not wait, so workers take turns. */
static void fill(struct ctx *c, struct import *m, struct batch *b)
{
        while (!m->ended && b->n < BATCH_ROWS && b->products.n < BATCH_BYTES && b->names < BATCH_NAMES) {
                struct row row;
                int r = rows_next(c, m->rows, &b->products, &row);
                if (r == 0) m->ended = true;
                if (r == 0) break;
                m->rows_read++;
                m->progress.share = (double)rows_bytes_read(m->rows) / (double)MAX(rows_bytes(m->rows), 1);
                if (r < 0) {
                        tell(m, row.line, row.sku, row.pointer, row.detail.p ? row.detail : STR("is too large"));
                        progress_step(&m->progress, 1);
                        continue;
                }
                b->names += names_in(str_cut(buf_str(&b->products), b->n ? b->end[b->n - 1] : 0, b->products.n));
                buf_char(&b->products, ',');
                b->end[b->n] = b->products.n;
                b->line[b->n++] = row.line;
        }
}

static void body_of(const struct batch *b, struct buf *out, int row_of[BATCH_ROWS])
{
        size_t from = 0;
        int n = 0;
        buf_lit(out, "{\"products\":[");
        for (int i = 0; i < b->n; from = b->end[i++]) {
                if (b->out[i]) continue;
                if (n) buf_char(out, ',');
                buf_add(out, str_cut(buf_str(&b->products), from, b->end[i] - 1));
                row_of[n++] = i;
        }
        buf_lit(out, "]}");
}

/* "/products/12/price" names row 12 and its /price. returns false when it names no row */
static bool row_of_pointer(str pointer, int n, int64_t *row, str *rest)
{
        static const str prefix = { "/products/", 10 };
        if (!str_starts(pointer, prefix)) return false;
        str tail = str_cut(pointer, prefix.n, pointer.n), number = tail;
        ptrdiff_t slash = str_find(tail, '/');
        *rest = slash < 0 ? STR("") : str_cut(tail, (size_t)slash, tail.n);
        if (slash >= 0) number = str_cut(tail, 0, (size_t)slash);
        return int_parse(number, row) == 0 && *row >= 0 && *row < n;
}

/* Rows that made the catalogue refuse the whole batch are told and left out. returns how many */
static int leave_out(struct ctx *c, struct import *m, struct batch *b, const int row_of[], int n, const struct answer *a)
{
        int dropped = 0;
        int64_t row;
        str one, rest;
        struct json_walk w = json_open(member_at(a->body, "errors").p ? member_at(a->body, "errors") : STR("[]"));
        while (json_next_element(&w, &one)) {
                if (!row_of_pointer(text_at(c, one, "pointer"), n, &row, &rest) || b->out[row_of[row]]) continue;
                b->out[row_of[row]] = true;
                dropped++;
                tell(m, b->line[row_of[row]], (str){ 0 }, rest, text_at(c, one, "detail"));
        }
        return dropped;
}

static void count(struct ctx *c, struct import *m, const struct batch *b, const int row_of[], int n, const struct answer *a)
{
        str one;
        m->created += int_at(a->body, "created", 0);
        m->changed += int_at(a->body, "changed", 0);
        m->unchanged += int_at(a->body, "unchanged", 0);
        struct json_walk w = json_open(member_at(a->body, "errors").p ? member_at(a->body, "errors") : STR("[]"));
        while (json_next_element(&w, &one)) {
                int64_t row = int_at(one, "row", -1);
                tell(m, row >= 0 && row < n ? b->line[row_of[row]] : 0, text_at(c, one, "sku"), text_at(c, one, "pointer"), text_at(c, one, "detail"));
        }
}

static int send(struct ctx *c, struct import *m, struct batch *b)
{
        int row_of[BATCH_ROWS], left = b->n;
        struct buf body AUTO(buf_done) = BUF_INIT(BODY_MAX_BYTES);
        struct answer answer;
        while (left > 0) {
                buf_clear(&body);
                body_of(b, &body, row_of);
                struct ask q = { POST, STR("/v1/products/import"), buf_str(&body), fresh_key(c), &m->staff };
                int r = shop_must(c, &m->shop, &q, &answer);
                if (r == 0) {
                        count(c, m, b, row_of, left, &answer);
                        return 0;
                }
                int dropped = r == -FAILED_PRECONDITION && answer.status == 400 ? leave_out(c, m, b, row_of, left, &answer) : 0;
                if (!dropped) return r;
                fault_clear(c);
                left -= dropped;
        }
        return 0;
}

static int worker(struct ctx *c, void *arg)
{
        struct import *m = arg;
        while (!m->ended) {
                struct ctx own = { .arena = arena_new(BATCH_ARENA), .op = c->op, .deadline_us = deadline_in(SECONDS(120)) };
                struct batch b AUTO(batch_done) = { .products = BUF_INIT(BODY_MAX_BYTES) };
                fill(&own, m, &b);
                int r = b.n ? send(&own, m, &b) : 0;
                progress_step(&m->progress, b.n);
                if (r < 0) fault_copy(c, &own);
                arena_free(own.arena);
                TRY(r);
        }
        return 0;
}

static int import_all(struct ctx *c, struct import *m)
{
        progress_open(&m->progress, "importing", "rows", 0);
        int64_t begun = clock_us();
        GROUP(g, c);
        for (int i = 0; i < AT_ONCE; i++) TRY(group_go(g, worker, m));
        TRY(group_wait(g));
        double seconds = (double)(clock_us() - begun) / 1e6;
        progress_close(&m->progress);
        report_check(m->report, m->failed == 0, "every row is a product", "%lld of %lld", (long long)(m->rows_read - m->failed), (long long)m->rows_read);
        report_check(m->report, m->created + m->changed + m->unchanged + m->failed == m->rows_read, "every row is accounted for",
                     "%lld created, %lld changed, %lld unchanged, %lld failed", (long long)m->created, (long long)m->changed, (long long)m->unchanged, (long long)m->failed);
        report_int(m->report, "rows", m->rows_read);
        report_int(m->report, "created", m->created);
        report_int(m->report, "changed", m->changed);
        report_int(m->report, "unchanged", m->unchanged);
        report_int(m->report, "failed", m->failed);
        report_num(m->report, "seconds", seconds, 3);
        report_num(m->report, "rows_per_second", (double)m->rows_read / MAX(seconds, 1e-6), 0);
        jw_array_end(&m->errors_w);
        jw_key(&m->report->figures_w, "errors");
        jw_raw(&m->report->figures_w, buf_str(&m->errors));
        return 0;
}

static int prepare(struct ctx *c, struct import *m, const struct args *a)
{
        const char *format = args_text(a, "format");
        struct rows_options o = { .path = a->operands[0], .currency = str_of(args_text(a, "currency")),
                                  .format = !strcmp(format, "json") ? ROWS_JSON : !strcmp(format, "csv") ? ROWS_CSV : ROWS_BY_NAME };
        TRY(rows_open(c, &o, &m->rows));
        TRY(shop_open(c, a, AT_ONCE, &m->shop));
        TRY(shop_account(c, &m->shop, "staff", &m->staff));
        return shop_login(c, &m->shop, &m->staff);
}

static int run(struct ctx *c, struct job_of_command *j)
{
        struct import m = { .report = &j->report, .errors = BUF_INIT(1 << 20) };
        m.errors_w.b = &m.errors;
        jw_array(&m.errors_w);
        int r = prepare(c, &m, j->args);
        if (r == 0) r = import_all(c, &m);
        rows_close(&m.rows);
        shop_close(&m.shop);
        buf_done(&m.errors);
        return r;
}

int import_products_command(struct args *a)             { return command_run(a, run, NULL); }
