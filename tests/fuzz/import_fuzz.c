/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * import_fuzz.c - any bytes as a file of products: each row gives valid JSON or a reason with its line, and one bad row costs itself only.
 *
 * The first byte chooses: JSON Lines, CSV, whichever it looks like, or cells (apart by 0x1f, rows by 0x1e) that are written here as RFC 4180
 * has it, with the delimiter of the second byte, and must be read back as they were. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "rows.h"
#include "text.h"

enum { FILE_MAX = 20000, OUT_MAX = 1 << 20, COLUMNS = 3, MANY = 500 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
        if (!holds) abort();
}

/* A file of these bytes that is gone when closed; path: how it is opened. */
static int file_of(str text, char path[64])
{
        int fd = memfd_create("import", 0);
        must(fd >= 0 && (!text.n || pwrite(fd, text.p, text.n, 0) == (ssize_t)text.n));
        snprintf(path, 64, "/proc/self/fd/%d", fd);
        return fd;
}

static int64_t lines_in(str text)
{
        int64_t n = 1;
        for (size_t i = 0; i < text.n; i++) n += text.p[i] == '\n';
        return n;
}

struct told { bool is_row; int64_t line; str text; };

/* All that the rows say, each checked by itself; the count, or -1 when memory ended it. */
static int rows_all(struct ctx *c, const struct rows_options *o, int64_t most, struct told *all, int max)
{
        struct feed *rows = NULL;
        struct row row;
        struct buf out AUTO(buf_done) = BUF_INIT(OUT_MAX);
        int n = 0, r = rows_open(c, o, &rows);
        must(r == 0 || (r == -INVALID_ARGUMENT && c->fault.message.n));
        fault_clear(c);
        while (r == 0 && n < max && (r = rows_next(c, rows, &out, &row)) != 0) {
                must(row.line > (n ? all[n - 1].line : 0) && row.line <= most);
                if (arena_is_exhausted(c->arena)) break;
                must(r == 1 || (r == -INVALID_ARGUMENT && row.detail.n && !out.n));
                if (r == 1) must(json_validate(c, buf_str(&out)) == 0 && json_kind_of(buf_str(&out)) == JSON_OBJECT && json_member(buf_str(&out), "sku").p);
                all[n++] = (struct told){ r == 1, row.line, arena_str(c->arena, r == 1 ? buf_str(&out) : row.detail) };
                fault_clear(c);
                buf_clear(&out);
                r = 0;
        }
        rows_close(&rows);
        return arena_is_exhausted(c->arena) ? -1 : n;
}

/* From a file and from memory it is the same. */
static void any_file(struct ctx *c, str text, int format)
{
        static struct told one[MANY], two[MANY];
        char path[64];
        struct rows_options o = { .path = path, .currency = STR("EUR") };
        o.format = format == 0 ? ROWS_JSON : format == 1 ? ROWS_CSV : ROWS_BY_NAME;
        int fd = file_of(text, path), n = rows_all(c, &o, lines_in(text), one, MANY), m;
        close(fd);
        if (!text.n || n < 0) return;
        o.text = text;
        m = rows_all(c, &o, lines_in(text), two, MANY);
        must(m < 0 || n == m);
        for (int i = 0; i < m; i++) must(one[i].is_row == two[i].is_row && one[i].line == two[i].line && str_eq(one[i].text, two[i].text));
}

/* ---- cells there and back -------------------------------------------------------------------------------------------------- */

static void quoted(struct buf *b, str cell)
{
        buf_char(b, '"');
        for (size_t i = 0; i < cell.n; i++) {
                if (cell.p[i] == '"') buf_char(b, '"');
                buf_char(b, cell.p[i]);
        }
        buf_char(b, '"');
}

static void cells(struct ctx *c, str text, char delimiter)
{
        char path[64];
        struct buf file AUTO(buf_done) = BUF_INIT(4 * FILE_MAX);
        struct feed *rows = NULL;
        struct row row;
        buf_printf(&file, "\"a\"%c\"b\"%c\"c\"\r\n", delimiter, delimiter);
        for (str rest = text, line; rest.p && (line = str_split(&rest, '\x1e'), true);)
                for (int i = 0; i < COLUMNS; i++) {
                        str cell = line.p ? str_split(&line, '\x1f') : (str){ "", 0 };
                        quoted(&file, cell);
                        buf_char(&file, i < COLUMNS - 1 ? delimiter : '\n');
                }
        if (buf_error(&file)) return;
        int fd = file_of(buf_str(&file), path);
        must(rows_open(c, &(struct rows_options){ .path = path, .format = ROWS_CSV, .currency = STR("EUR") }, &rows) == 0);
        for (str rest = text, line; rest.p && (line = str_split(&rest, '\x1e'), true);) {
                int r = rows_next_cells(c, rows, &row);
                bool valid = true;
                str want[COLUMNS];
                for (int i = 0; i < COLUMNS; i++) {
                        want[i] = line.p ? str_split(&line, '\x1f') : (str){ "", 0 };
                        valid &= utf8_is_valid(want[i]);
                }
                must(r == (valid ? 1 : -INVALID_ARGUMENT));
                for (int i = 0; valid && i < COLUMNS; i++) must(str_eq(rows_cell(rows, i), str_trim(want[i], " \t\r\n")));
        }
        must(rows_next_cells(c, rows, &row) == 0);
        rows_close(&rows);
        close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct arena *a;
        if (n < 2 || n > FILE_MAX) return 0;
        if (!a) a = arena_new(8 << 20);
        arena_reset(a);
        struct ctx c = { .arena = a };
        str text = { (const char *)data + 2, n - 2 };
        if (data[0] % 4 < 3) any_file(&c, text, data[0] % 4);
        else cells(&c, text, ",;\t"[data[1] % 3]);
        return 0;
}
