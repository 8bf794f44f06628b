/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * rows.c - reads a file or a text of products a row at a time, and knows on which line each began.
 *
 * CSV (RFC 4180, read by libcsv in its strict mode, delimiter comma, semicolon or tab as the header has it) is fed a line at a time, so
 * a record that spans lines is known by its first, and a broken one costs only itself. A line, and so a row, is at most 4 MiB. */
#include "rows.h"
#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "text.h"

enum { LINE_MAX_BYTES = 4 << 20, COLUMNS_MAX = 300 };

struct cells { struct buf text; size_t end[COLUMNS_MAX]; int n; bool too_many; };
struct feed {
        FILE   *file;
        char   *line;                   /* getline's                                                */
        size_t  cap;
        int64_t lines, bytes_read, bytes;
        bool    csv, is_text;
        char    currency[16];
        struct csv_parser parser;
        struct cells header, record;
        bool    ended;                  /* a whole record stands in `record`                        */
        int64_t began;                  /* the line of the record being read; 0: none               */
};

/* ---- lines ----------------------------------------------------------------------------------------------------------- */

static bool is_blank(str s)                             { return str_trim(s, " \t\r\n").n == 0; }

/* The next line with its newline; p NULL at the end. */
static str line_next(struct feed *r)
{
        ssize_t n = getline(&r->line, &r->cap, r->file);
        if (n < 0) return (str){ 0 };
        r->bytes_read += n;
        str line = { r->line, (size_t)n };
        if (++r->lines == 1 && str_starts(line, STR("\xef\xbb\xbf"))) line = str_cut(line, 3, line.n);
        return line;
}

static int bad_row(struct ctx *c, struct row *row, const char *fmt, ...) PRINTF(3, 4);
static int bad_row(struct ctx *c, struct row *row, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        row->detail = arena_vprintf(c->arena, fmt, ap);
        va_end(ap);
        return -INVALID_ARGUMENT;
}

static int json_row(struct ctx *c, struct feed *r, str line, struct buf *out, struct row *row)
{
        line = str_trim(line, " \t\r\n");
        if (json_validate(c, line) < 0) {
                str why = c->fault.flaws ? c->fault.flaws->detail : c->fault.message, at = c->fault.flaws ? c->fault.flaws->pointer : (str){ NULL, 0 };
                if (str_starts(why, STR("line 1, "))) why = str_cut(why, 8, why.n);     /* of the row; which row is told already */
                int result = bad_row(c, row, "is not JSON: " STR_FMT "%s" STR_FMT, STR_ARG(at), at.n ? " " : "", STR_ARG(why));
                fault_clear(c);
                return result;
        }
        if (json_kind_of(line) != JSON_OBJECT) return bad_row(c, row, "is not a JSON object");
        return product_write(c, line, false, str_of(r->currency), out, row);
}

/* ---- CSV -------------------------------------------------------------------------------------------------------------- */

static void on_cell(void *text, size_t n, void *arg)
{
        struct cells *to = &((struct feed *)arg)->record;
        if (to->n == COLUMNS_MAX) to->too_many = true;
        else {
                buf_add(&to->text, (str){ text ? text : "", n });
                to->end[to->n++] = to->text.n;
        }
}

static void on_record(int terminator, void *arg)
{
        (void)terminator;
        ((struct feed *)arg)->ended = true;
}

static str cell(const struct cells *cells, int i)
{
        size_t from = i ? cells->end[i - 1] : 0;
        return str_trim(str_cut(buf_str(&cells->text), from, cells->end[i]), " \t\r\n");
}

/* Cell by cell: two broken ones side by side could look like one that is whole. */
static bool is_utf8(const struct cells *cells)
{
        for (int i = 0; i < cells->n; i++)
                if (!utf8_is_valid(str_cut(buf_str(&cells->text), i ? cells->end[i - 1] : 0, cells->end[i]))) return false;
        return true;
}

static void record_clear(struct feed *r)
{
        buf_clear(&r->record.text);
        r->record.n = 0;
        r->record.too_many = false;
        r->ended = false;
        r->began = 0;
}

static void parser_again(struct feed *r)
{
        unsigned char delimiter = csv_get_delim(&r->parser);
        csv_free(&r->parser);
        csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI);
        csv_set_delim(&r->parser, delimiter);
}

/* Feeds lines until a record ends. returns 1, 0 the end, -INVALID_ARGUMENT with the row's fault */
static int record_next(struct ctx *c, struct feed *r, struct row *row)
{
        record_clear(r);
        while (!r->ended) {
                str line = line_next(r);
                if (!line.p) {
                        if (!r->began) return 0;
                        row->line = r->began;
                        if (csv_fini(&r->parser, on_cell, on_record, r) < 0) {
                                parser_again(r);
                                return bad_row(c, row, "a quoted field does not end before the file does");
                        }
                        break;
                }
                if (!r->began && is_blank(line)) continue;
                if (!r->began) r->began = r->lines;
                row->line = r->began;
                bool too_long = r->record.text.n + line.n > LINE_MAX_BYTES;
                if (too_long || csv_parse(&r->parser, line.p, line.n, on_cell, on_record, r) != line.n) {
                        parser_again(r);
                        return too_long ? bad_row(c, row, "is longer than %d MiB", LINE_MAX_BYTES >> 20)
                                        : bad_row(c, row, "is not CSV: a quote inside a field must be doubled and the field quoted");
                }
        }
        return 1;
}

/* Said once of the file, and not of each of its rows. */
static int header_check(struct ctx *c, const struct feed *r, const struct rows_options *o)
{
        struct buf has AUTO(buf_done) = BUF_INIT(2 * LINE_MAX_BYTES);
        for (const char *const *name = o->one_of; *name; name++)
                for (int i = 0; i < r->header.n; i++)
                        if (str_eq(cell(&r->header, i), str_of(*name))) return 0;
        for (int i = 0; i < r->header.n; i++) buf_printf(&has, "%s" STR_FMT, i ? ", " : "", STR_ARG(cell(&r->header, i)));
        str names = shortened(buf_str(&has), 300);
        return fail(c, INVALID_ARGUMENT, "bad_csv", "%s has no column %s; its header has: " STR_FMT, o->path, o->one_of[0], STR_ARG(names));
}

static int header_read(struct ctx *c, struct feed *r, const struct rows_options *o)
{
        const char *path = o->path;
        struct row row = { 0 };
        int found = record_next(c, r, &row);
        if (found < 0) return fail(c, INVALID_ARGUMENT, "bad_csv", "%s, line %lld: " STR_FMT, path, (long long)row.line, STR_ARG(row.detail));
        if (!found && r->is_text) return 0;
        if (!found || r->record.too_many) return fail(c, INVALID_ARGUMENT, "bad_csv", "%s has no header with the names of at most %d columns", path, COLUMNS_MAX);
        r->header = r->record;
        r->record = (struct cells){ .text = BUF_INIT(LINE_MAX_BYTES) };
        return o->one_of ? header_check(c, r, o) : 0;
}

/* A record as an object of texts; columns called attributes.x go into one of their own. */
static void record_object(const struct feed *r, struct buf *out)
{
        static const str prefix = { "attributes.", 11 };
        struct jw w = { .b = out };
        jw_object(&w);
        for (int i = 0; i < r->header.n; i++) {
                str name = cell(&r->header, i);
                if (str_starts(name, prefix) || !name.n) continue;
                jw_key_str(&w, name);
                jw_str(&w, cell(&r->record, i));
        }
        jw_key(&w, "attributes");
        jw_object(&w);
        for (int i = 0; i < r->header.n; i++) {
                str name = cell(&r->header, i);
                if (!str_starts(name, prefix)) continue;
                jw_key_str(&w, str_cut(name, prefix.n, name.n));
                jw_str(&w, cell(&r->record, i));
        }
        jw_object_end(&w);
        jw_object_end(&w);
}

static int csv_row(struct ctx *c, struct feed *r, struct buf *out, struct row *row)
{
        struct buf object AUTO(buf_done) = BUF_INIT(2 * LINE_MAX_BYTES);
        if (r->record.n != r->header.n) return bad_row(c, row, "has %d fields, the header has %d", r->record.n, r->header.n);
        if (!is_utf8(&r->record)) return bad_row(c, row, "is not UTF-8");
        record_object(r, &object);
        if (buf_error(&object)) return bad_row(c, row, "is too large");
        return product_write(c, arena_str(c->arena, buf_str(&object)), true, str_of(r->currency), out, row);
}

/* ---- both -------------------------------------------------------------------------------------------------------------- */

int rows_next(struct ctx *c, struct feed *r, struct buf *out, struct row *row)
{
        int result;
        *row = (struct row){ 0 };
        if (r->csv) {
                result = record_next(c, r, row);
                if (result <= 0) return result;
                result = csv_row(c, r, out, row);
        } else {
                str line;
                do line = line_next(r);
                while (line.p && is_blank(line));
                if (!line.p) return 0;
                row->line = r->lines;
                result = line.n > LINE_MAX_BYTES ? bad_row(c, row, "is longer than %d MiB", LINE_MAX_BYTES >> 20) : json_row(c, r, line, out, row);
        }
        return result < 0 ? result : 1;
}

int rows_next_cells(struct ctx *c, struct feed *r, struct row *row)
{
        int result;

        *row = (struct row){ 0 };
        result = r->csv ? record_next(c, r, row) : bad_row(c, row, "is not CSV");
        if (result <= 0) return result;
        if (r->record.n != r->header.n) return bad_row(c, row, "has %d fields, the header has %d", r->record.n, r->header.n);
        return is_utf8(&r->record) ? 1 : bad_row(c, row, "is not UTF-8");
}

int rows_column(const struct feed *r, const char *name)
{
        for (int i = 0; i < r->header.n; i++)
                if (str_eq_nocase(cell(&r->header, i), str_of(name))) return i;
        return -1;
}

str rows_cell(const struct feed *r, int column)         { return cell(&r->record, column); }

/* The delimiter is whichever of these the first line has most of. */
static unsigned char delimiter_of(str line)
{
        static const char candidates[] = ",;\t";
        int counts[3] = { 0 }, best = 0;
        for (size_t i = 0; i < line.n; i++)
                for (int k = 0; k < 3; k++) counts[k] += line.p[i] == candidates[k];
        for (int k = 1; k < 3; k++)
                if (counts[k] > counts[best]) best = k;
        return (unsigned char)candidates[best];
}

/* Looks at the beginning of the file without using it up. */
static int format_find(struct ctx *c, struct feed *r, const struct rows_options *o)
{
        char head[4096];
        size_t n = 0;
        for (int ch; n < sizeof head && (ch = fgetc(r->file)) != EOF && ch != '\n';) head[n++] = (char)ch;
        str first = str_trim((str){ head, n }, " \t\r\n\xef\xbb\xbf");
        str path = str_of(o->path);
        bool csv = str_ends(path, STR(".csv")) || str_ends(path, STR(".tsv"));
        bool json = str_ends(path, STR(".jsonl")) || str_ends(path, STR(".ndjson")) || str_ends(path, STR(".json"));
        r->csv = o->format == ROWS_CSV || (o->format == ROWS_BY_NAME && (csv || (!json && first.n && first.p[0] != '{')));
        csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI);
        csv_set_delim(&r->parser, delimiter_of(first));
        if (fseeko(r->file, 0, SEEK_SET) < 0) return fail(c, INVALID_ARGUMENT, "not_a_file", "%s cannot be read twice; save it to a file first", o->path);
        return r->csv ? header_read(c, r, o) : 0;
}

int rows_open(struct ctx *c, const struct rows_options *o, struct feed **out)
{
        struct stat st;
        struct feed *r = calloc(1, sizeof *r);
        if (!r) abort();
        buf_init(&r->record.text, LINE_MAX_BYTES);
        snprintf(r->currency, sizeof r->currency, STR_FMT, STR_ARG(o->currency));
        r->file = o->text.p ? fmemopen((void *)o->text.p, o->text.n, "re") : fopen(o->path, "re");
        r->is_text = o->text.p != NULL;
        int result = r->file ? 0 : fail(c, NOT_FOUND, "no_file", "cannot read %s: %s", o->path, strerror(errno));
        if (o->text.p) r->bytes = (int64_t)o->text.n;
        else if (r->file && fstat(fileno(r->file), &st) == 0) {
                r->bytes = st.st_size;
                if (S_ISDIR(st.st_mode)) result = fail(c, INVALID_ARGUMENT, "no_file", "%s is a folder", o->path);
        }
        if (result == 0) result = format_find(c, r, o);
        if (result == 0) *out = r;
        else rows_close(&r);
        return result;
}

void rows_close(struct feed **rp)
{
        struct feed *r = *rp;
        if (!r) return;
        if (r->file) fclose(r->file);
        csv_free(&r->parser);
        buf_done(&r->header.text);
        buf_done(&r->record.text);
        free(r->line);
        free(r);
        *rp = NULL;
}

int64_t rows_bytes_read(const struct feed *r)           { return r->bytes_read; }
int64_t rows_bytes(const struct feed *r)                { return r->bytes; }
