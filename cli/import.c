/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * import.c - souk import products: a file of products goes to the catalogue in parts, as one import that can be gone on with.
 *
 *     an import of this very file that was not finished? --yes--> its rows_done rows are read over, the rest is sent
 *                                                        --no---> a new one is begun
 *
 * A part says from which row on it is and counts once, so whichever side dies, and whatever answer was lost, the part is sent again. While the marketplace
 * is away (it starts anew) its return is waited for. Every bad row is told at the end, from the import's own report: also those of an earlier, broken run. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli.h"
#include "clock.h"
#include "fiber.h"
#include "hash.h"
#include "rows.h"
#include "sync.h"
#include "text.h"

enum { PART_ROWS = 1000, PART_BYTES = 4 << 20, BODY_MAX_BYTES = 7 << 20, AT_ONCE = 2, FAULTS_MAX_BYTES = 64 << 20, ARENA_MAX = 64 << 20, AWAY_MS = 60000, AWAY_PAUSE_MS = 250 };

static const char *const formats[] = { "auto", "json", "csv", NULL };
const struct flag import_products_flags[] = {
        { "format", 'f', "FORMAT", "json (a product a line), csv (with a header), or auto: by the file's name and first byte", .fallback = "auto", .words = formats },
        { "currency", 0, "CODE", "of rows that name none", .fallback = "EUR" },
        SHOP_FLAGS,
        JSON_FLAG,
        { 0 } };
const char *const import_products_examples[] = {
        "souk import products shop.csv", "columns sku, name, price ...; said again after a stop it goes on where it was",
        "souk import products icecat-products-19k.jsonl", "Icecat's products are known by their shape",
        "souk import products shop.jsonl --json | tail -n 1", "for a program",
        NULL };

struct import {
        struct shop  shop;
        struct login staff;
        struct feed *rows;
        struct report *report;
        struct progress progress;
        str     source, digest, path;   /* path: /v1/imports/ID                                    */
        bool    ended;
        int64_t resumed_at, rows_read, rows_sent;
        struct mutex turn;              /* parts are filled and sent in order, one filled while another is away */
        struct answer last;             /* the import as the last answer has it; in arena           */
        struct arena *arena;
};
struct part { struct buf body; int64_t from; int n; bool last; };

static void part_done(struct part *p)                   { buf_done(&p->body); }

/* ---- which import ----------------------------------------------------------------------------------------------------------- */

/* Of the file's bytes, of what else decides what its rows become, and of who sends them: staff see everybody's imports. */
static int digest_of(struct ctx *c, const struct args *a, str who, str *out)
{
        struct stat st;
        int fd = open(a->operands[0], O_RDONLY | O_CLOEXEC);
        void *map = MAP_FAILED;
        struct buf hex AUTO(buf_done) = BUF_INIT(100);
        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (fd >= 0) close(fd);
        str file = map == MAP_FAILED ? STR("") : (str){ map, (size_t)st.st_size };
        struct digest d = sha256_parts((const str[]){ file, str_of(args_text(a, "format")), str_of(args_text(a, "currency")), who }, 4);
        if (map != MAP_FAILED) munmap(map, (size_t)st.st_size);
        hex_write(&hex, (str){ (const char *)d.b, sizeof d.b });
        *out = arena_printf(c->arena, "sha256:" STR_FMT, STR_ARG(buf_str(&hex)));
        return out->p && !buf_error(&hex) ? 0 : fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the digest");
}

/* Asks until the marketplace is there, as long as it is likely to come back. */
static int ask_patiently(struct ctx *c, struct import *m, const struct ask *q, struct answer *out)
{
        for (int64_t since = clock_us();;) {
                int r = shop_must(c, &m->shop, q, out);
                if ((r != -UNAVAILABLE && r != -DEADLINE_EXCEEDED) || clock_us() - since > AWAY_MS * 1000LL) return r;
                fault_clear(c);
                TRY(fiber_sleep(c, AWAY_PAUSE_MS));
        }
}

static int import_keep(struct ctx *c, struct import *m, const struct answer *a)
{
        struct arena *kept = arena_new(1 << 20);
        str body = arena_str(kept, a->body);
        if (!body.p) return fail(c, DATA_LOSS, "no_import", "the answer is no import");
        arena_free(m->arena);
        m->arena = kept;
        m->last = (struct answer){ a->status, body };
        return 0;
}

/* One of this file that was left in the middle, else a new one. */
static int import_find(struct ctx *c, struct import *m)
{
        struct answer a;
        struct buf body AUTO(buf_done) = BUF_INIT(4096);
        struct jw w = { .b = &body };
        str one = { 0 };
        str path = arena_printf(c->arena, "/v1/imports?state=running&limit=1&digest=" STR_FMT, STR_ARG(m->digest));
        TRY(shop_must(c, &m->shop, &(struct ask){ GET, path, .as = &m->staff }, &a));
        struct json_walk walk = json_open(member_at(a.body, "items").p ? member_at(a.body, "items") : STR("[]"));
        if (json_next_element(&walk, &one)) {
                a.body = one;
                m->resumed_at = int_at(one, "rows_done", 0);
        } else {
                jw_object(&w);
                jw_key(&w, "source");
                jw_str(&w, m->source);
                jw_key(&w, "digest");
                jw_str(&w, m->digest);
                jw_object_end(&w);
                TRY(shop_must(c, &m->shop, &(struct ask){ POST, STR("/v1/imports"), buf_str(&body), fresh_key(c), &m->staff }, &a));
        }
        m->path = arena_printf(c->arena, "/v1/imports/" STR_FMT, STR_ARG(text_at(c, a.body, "id")));
        return import_keep(c, m, &a);
}

/* ---- parts ------------------------------------------------------------------------------------------------------------------ */

static void row_write(struct jw *w, const struct row *row, str product, bool good)
{
        jw_object(w);
        jw_key(w, "line");
        jw_int(w, row->line);
        if (good) {
                jw_key(w, "product");
                jw_raw(w, product);
        } else {
                if (row->sku.n) {
                        jw_key(w, "sku");
                        jw_str(w, shortened(row->sku, 200));
                }
                jw_key(w, "pointer");
                jw_str(w, row->pointer.p ? row->pointer : STR(""));
                jw_key(w, "detail");
                jw_str(w, row->detail.p ? shortened(row->detail, 500) : STR("is too large"));
        }
        jw_object_end(w);
}

/* Reads rows until the part is full or the file ends. Does not wait. */
static int part_fill(struct ctx *c, struct import *m, struct part *p)
{
        struct buf product AUTO(buf_done) = BUF_INIT(BODY_MAX_BYTES);
        struct jw w = { .b = &p->body };
        p->from = m->rows_read;
        jw_object(&w);
        jw_key(&w, "from");
        jw_int(&w, p->from);
        jw_key(&w, "rows");
        jw_array(&w);
        while (!m->ended && p->n < PART_ROWS && p->body.n < PART_BYTES) {
                struct row row = { 0 };
                buf_clear(&product);
                int r = rows_next(c, m->rows, &product, &row);
                if (r == 0) m->ended = true;
                if (r == 0) break;
                row_write(&w, &row, buf_str(&product), r > 0);
                p->n++;
        }
        m->rows_read += p->n;
        p->last = m->ended;
        jw_array_end(&w);
        jw_key(&w, "last");
        jw_bool(&w, p->last);
        jw_object_end(&w);
        return buf_error(&p->body) ? fail(c, RESOURCE_EXHAUSTED, "too_large", "a part is over %d MiB", BODY_MAX_BYTES >> 20) : 0;
}

/* Rows that an earlier run has sent. */
static int read_over(struct ctx *c, struct import *m)
{
        struct buf product AUTO(buf_done) = BUF_INIT(BODY_MAX_BYTES);
        while (!m->ended && m->rows_read < m->resumed_at) {
                struct ctx own = { .arena = arena_new(ARENA_MAX), .op = c->op, .deadline_us = c->deadline_us };
                struct row row = { 0 };
                buf_clear(&product);
                if (rows_next(&own, m->rows, &product, &row) == 0) m->ended = true;
                else m->rows_read++;
                arena_free(own.arena);
        }
        return m->rows_read < m->resumed_at ? fail(c, DATA_LOSS, "too_short", "the file has fewer rows than were sent of it") : 0;
}

static int part_send(struct ctx *c, struct import *m, struct part *p)
{
        struct answer answer;
        str path = arena_printf(c->arena, STR_FMT "/rows", STR_ARG(m->path));
        TRY(ask_patiently(c, m, &(struct ask){ POST, path, buf_str(&p->body), fresh_key(c), &m->staff }, &answer));
        m->rows_sent += p->n;
        m->progress.share = (double)rows_bytes_read(m->rows) / (double)MAX(rows_bytes(m->rows), 1);
        progress_step(&m->progress, p->n);
        return import_keep(c, m, &answer);
}

/* Fills its part while the other worker's is on its way: who has filled one waits in turn to send it. */
static int worker(struct ctx *c, void *arg)
{
        struct import *m = arg;
        for (bool last = false; !last;) {
                struct ctx own = { .arena = arena_new(ARENA_MAX), .op = c->op, .deadline_us = deadline_in(SECONDS(300)) };
                struct part p AUTO(part_done) = { .body = BUF_INIT(BODY_MAX_BYTES) };
                int r = 0;
                if (m->ended) last = true;
                else r = part_fill(&own, m, &p);
                if (r == 0 && !last) r = mutex_lock(&own, &m->turn);
                if (r == 0 && !last) {
                        r = part_send(&own, m, &p);
                        mutex_unlock(&m->turn);
                }
                if (r < 0) fault_copy(c, &own);
                arena_free(own.arena);
                TRY(r);
        }
        return 0;
}

/* ---- what came of it --------------------------------------------------------------------------------------------------------- */

static void tell(struct ctx *c, str fault, struct jw *w)
{
        static const char *const texts[] = { "sku", "pointer", "detail" };
        str sku = text_at(c, fault, "sku"), pointer = text_at(c, fault, "pointer");
        printf("line %lld", (long long)int_at(fault, "line", 0));
        if (sku.n) printf(" (" STR_FMT ")", STR_ARG(sku));
        printf(": " STR_FMT "%s" STR_FMT "\n", STR_ARG(pointer), pointer.n ? " " : "", STR_ARG(text_at(c, fault, "detail")));
        jw_object(w);
        jw_key(w, "line");
        jw_int(w, int_at(fault, "line", 0));
        for (size_t i = 0; i < COUNT(texts); i++) {
                jw_key(w, texts[i]);
                jw_str(w, text_at(c, fault, texts[i]));
        }
        jw_object_end(w);
}

/* All of the import's report, a page at a time. */
static int tell_faults(struct ctx *c, struct import *m)
{
        struct buf errors AUTO(buf_done) = BUF_INIT(FAULTS_MAX_BYTES);
        struct jw w = { .b = &errors };
        str next = arena_printf(c->arena, STR_FMT "/errors?limit=100", STR_ARG(m->path));
        jw_array(&w);
        while (next.n) {
                struct ctx own = { .arena = arena_new(ARENA_MAX), .op = c->op, .deadline_us = deadline_in(SECONDS(120)) };
                struct answer a;
                str one;
                int r = ask_patiently(&own, m, &(struct ask){ GET, next, .as = &m->staff }, &a);
                struct json_walk walk = json_open(r == 0 && member_at(a.body, "items").p ? member_at(a.body, "items") : STR("[]"));
                while (json_next_element(&walk, &one)) tell(&own, one, &w);
                next = r == 0 ? arena_str(c->arena, text_at(&own, a.body, "next")) : (str){ 0 };
                if (r < 0) fault_copy(c, &own);
                arena_free(own.arena);
                TRY(r);
        }
        jw_array_end(&w);
        jw_key(&m->report->figures_w, "errors");
        jw_raw(&m->report->figures_w, buf_error(&errors) ? STR("null") : buf_str(&errors));
        return 0;
}

static int report_all(struct ctx *c, struct import *m, double seconds)
{
        static const char *const figures[] = { "created", "changed", "unchanged", "failed" };
        int64_t rows = int_at(m->last.body, "rows_done", 0), of[COUNT(figures)];
        for (size_t i = 0; i < COUNT(figures); i++) of[i] = int_at(m->last.body, figures[i], 0);
        report_check(m->report, of[3] == 0, "every row is a product", "%lld of %lld", (long long)(rows - of[3]), (long long)rows);
        report_check(m->report, of[0] + of[1] + of[2] + of[3] == m->rows_read && rows == m->rows_read, "every row is accounted for",
                     "%lld created, %lld changed, %lld unchanged, %lld failed", (long long)of[0], (long long)of[1], (long long)of[2], (long long)of[3]);
        report_int(m->report, "rows", m->rows_read);
        for (size_t i = 0; i < COUNT(figures); i++) report_int(m->report, figures[i], of[i]);
        report_int(m->report, "resumed_at", m->resumed_at);
        report_text(m->report, "import", text_at(c, m->last.body, "id"));
        report_num(m->report, "seconds", seconds, 3);
        report_num(m->report, "rows_per_second", (double)m->rows_sent / MAX(seconds, 1e-6), 0);
        return tell_faults(c, m);
}

static int import_all(struct ctx *c, struct import *m)
{
        int64_t begun = clock_us();
        TRY(import_find(c, m));
        if (m->resumed_at) fprintf(stderr, "souk: going on after %lld rows\n", (long long)m->resumed_at);
        TRY(read_over(c, m));
        progress_open(&m->progress, "importing", "rows", 0);
        int r;
        {
                GROUP(g, c);
                for (int i = 0; i < AT_ONCE; i++) TRY(group_go(g, worker, m));
                r = group_wait(g);
        }
        progress_close(&m->progress);
        if (r < 0) fprintf(stderr, "souk: stopped after row %lld; say it again to go on\n", (long long)int_at(m->last.body, "rows_done", 0));
        TRY(r);
        return report_all(c, m, (double)(clock_us() - begun) / 1e6);
}

static int prepare(struct ctx *c, struct import *m, const struct args *a)
{
        const char *format = args_text(a, "format"), *slash = strrchr(a->operands[0], '/');
        struct rows_options o = { .path = a->operands[0], .currency = str_of(args_text(a, "currency")), .one_of = sku_names,
                                  .format = !strcmp(format, "json") ? ROWS_JSON : !strcmp(format, "csv") ? ROWS_CSV : ROWS_BY_NAME };
        TRY(rows_open(c, &o, &m->rows));
        m->source = shortened(str_of(slash && slash[1] ? slash + 1 : a->operands[0]), 300);
        TRY(shop_open(c, a, AT_ONCE, &m->shop));
        TRY(shop_account(c, &m->shop, "staff", &m->staff));
        TRY(digest_of(c, a, m->staff.email, &m->digest));
        return shop_login(c, &m->shop, &m->staff);
}

static int run(struct ctx *c, struct job_of_command *j)
{
        struct import m = { .report = &j->report };
        mutex_init(&m.turn);
        int r = prepare(c, &m, j->args);
        if (r == 0) r = import_all(c, &m);
        rows_close(&m.rows);
        shop_close(&m.shop);
        arena_free(m.arena);
        return r;
}

int import_products_command(struct args *a)             { return command_run(a, run, NULL); }
