/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sql2h.c - makes typed C functions of a service's statements, and a table of its migrations.
 *
 *     sql2h SERVICE FILE.sql OUTDIR [MIGRATION.sql...]        writes OUTDIR/SERVICE_sql.h and OUTDIR/SERVICE_sql.c
 *
 * What the statements and their functions look like stands in db.h; how a file is read in sqlfile.h. Migrations are named
 * 0001_words.sql and are counted from 1 without a gap. What is wrong is said as file:line: sentence, and then nothing is written. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include "buf.h"
#include "sqlfile.h"

enum { FILES_MAX_BYTES = 64 << 20, MIGRATIONS_MAX = 1000 };

struct migration_file { int version; str name, text; };

struct job {
        struct arena *a;
        const char *service, *file;
        struct sqlfile sql;
        struct migration_file migrations[MIGRATIONS_MAX];
        size_t n_migrations;
};

static int complain(const char *file, int line, const char *what)
{
        if (line) fprintf(stderr, "%s:%d: %s\n", file, line, what);
        else fprintf(stderr, "%s: %s\n", file, what);
        return -INVALID_ARGUMENT;
}

static int file_read(struct arena *a, const char *path, str *out)
{
        FILE *f = fopen(path, "rb");
        if (!f) return complain(path, 0, strerror(errno));
        struct buf b = BUF_INIT(SQLFILE_MAX_BYTES);
        char *room;
        size_t n = 1;
        while (n && (room = buf_room(&b, 4096)) != NULL) {
                n = fread(room, 1, 4096, f);
                buf_added(&b, n);
        }
        bool bad = ferror(f) != 0;
        fclose(f);
        *out = arena_str(a, buf_str(&b));
        bool large = buf_error(&b) < 0;
        buf_done(&b);
        if (bad) return complain(path, 0, strerror(EIO));
        return large || !out->p ? complain(path, 0, "the file is too large") : 0;
}

static int file_write(struct arena *a, const char *dir, const char *service, const char *suffix, struct buf *b)
{
        if (buf_error(b) < 0) return complain(dir, 0, "out of memory");
        str path = arena_printf(a, "%s/%s%s", dir, service, suffix);
        FILE *f = path.p ? fopen(path.p, "wb") : NULL;
        if (!f) return complain(path.p ? path.p : dir, 0, strerror(errno));
        str s = buf_str(b);
        bool ok = fwrite(s.p, 1, s.n, f) == s.n;
        ok = fclose(f) == 0 && ok;
        return ok ? 0 : complain(path.p, 0, strerror(errno));
}

/* ---- migrations ------------------------------------------------------------------------------------------------- */

static int migration_read(struct job *j, const char *path)
{
        if (j->n_migrations == MIGRATIONS_MAX) return complain(path, 0, "too many migrations");
        struct migration_file *m = &j->migrations[j->n_migrations];
        char *copy = arena_z(j->a, str_of(path));
        if (!copy) return complain(path, 0, "out of memory");
        str name = str_of(basename(copy));
        if (!str_ends(name, STR(".sql"))) return complain(path, 0, "a migration's name ends with .sql");
        name.n -= 4;
        str words = name, number = str_split(&words, '_');
        int64_t version;
        if (number.n != 4 || int_parse(number, &version) < 0 || version < 1 || !words.n)
                return complain(path, 0, "a migration is named 0001_words.sql");
        if (version != (int64_t)j->n_migrations + 1)
                return complain(path, 0, "migrations are numbered 1, 2, 3 ... and given in that order");
        m->version = (int)version;
        m->name = words;
        TRY(file_read(j->a, path, &m->text));
        if (memchr(m->text.p, '\0', m->text.n)) return complain(path, 0, "a NUL in the text");
        j->n_migrations++;
        return 0;
}

/* ---- C text ------------------------------------------------------------------------------------------------------ */

/* A literal, a piece a line of s; octal escapes, so that what follows cannot run into them. */
static void literal(struct buf *b, str s, const char *indent)
{
        buf_char(b, '"');
        for (size_t i = 0; i < s.n; i++) {
                unsigned char ch = (unsigned char)s.p[i];
                if (ch == '"' || ch == '\\' || ch == '?') buf_printf(b, "\\%c", ch);
                else if (ch == '\n') buf_lit(b, "\\n");
                else if (ch < 32 || ch > 126) buf_printf(b, "\\%03o", ch);
                else buf_char(b, (char)ch);
                if (ch == '\n' && i + 1 < s.n) buf_printf(b, "\"\n%s\"", indent);
        }
        buf_char(b, '"');
}

static const char *const notice =
        "/* SPDX-License-Identifier: Apache-2.0\n"
        " * Made by tools/sql2h of %s and the migrations beside it; do not edit. */\n";

/* Each message type once, however often it is used. */
static bool is_new_type(const struct job *j, size_t upto, bool as_out, str name)
{
        for (size_t i = 0; i <= upto; i++) {
                const struct sql_statement *st = &j->sql.v[i];
                bool whole = i < upto;
                if (str_eq(st->in, name)) return !whole && !as_out;
                if ((whole || as_out) && st->out.n && str_eq(st->out, name)) return !whole;
        }
        return false;
}

static void declare_type(struct buf *b, str name)
{
        buf_printf(b, "struct " STR_FMT "; struct " STR_FMT "_list; extern const struct type " STR_FMT "_type;\n",
                   STR_ARG(name), STR_ARG(name), STR_ARG(name));
}

static void declare_statement(struct buf *b, const struct sql_statement *st)
{
        buf_printf(b, "extern const struct query " STR_FMT "_query;\n", STR_ARG(st->name));
        buf_printf(b, "static inline int " STR_FMT "(struct db *db_, const struct " STR_FMT " *in", STR_ARG(st->name), STR_ARG(st->in));
        if (st->out.n)
                buf_printf(b, ", struct " STR_FMT "%s *out", STR_ARG(st->out), st->rows == SQLFILE_MANY ? "_list" : "");
        buf_printf(b, ") { return db_run(db_, &" STR_FMT "_query, in, %s); }\n", STR_ARG(st->name), st->out.n ? "out" : "NULL");
        buf_printf(b, "static inline int " STR_FMT "_later(struct db *tx, const struct " STR_FMT " *in) { return db_later(tx, &" STR_FMT "_query, in); }\n\n",
                   STR_ARG(st->name), STR_ARG(st->in), STR_ARG(st->name));
}

static void header_write(const struct job *j, struct buf *b)
{
        char guard[128];
        snprintf(guard, sizeof guard, "%s_SQL_H", j->service);
        for (char *p = guard; *p; p++)
                if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 'a' + 'A');
        buf_printf(b, notice, j->file);
        buf_printf(b, "#ifndef %s\n#define %s\n#include \"db.h\"\n#include \"migrate.h\"\n\n", guard, guard);
        for (size_t i = 0; i < j->sql.n; i++) {
                if (is_new_type(j, i, false, j->sql.v[i].in)) declare_type(b, j->sql.v[i].in);
                if (j->sql.v[i].out.n && is_new_type(j, i, true, j->sql.v[i].out)) declare_type(b, j->sql.v[i].out);
        }
        buf_char(b, '\n');
        for (size_t i = 0; i < j->sql.n; i++)
                declare_statement(b, &j->sql.v[i]);
        buf_printf(b, "extern const struct query *const %s_queries[];      /* NULL-terminated */\n", j->service);
        buf_printf(b, "extern const struct migration %s_migrations[];      /* ends with version 0 */\n#endif\n", j->service);
}

static void define_statement(const struct job *j, struct buf *b, const struct sql_statement *st)
{
        static const char *const rows[] = { "ROWS_NONE", "ROWS_ONE", "ROWS_MAYBE", "ROWS_MANY" };
        buf_printf(b, "/* %s:%d */\nstatic struct query_plan " STR_FMT "_plan;\n", j->file, st->line, STR_ARG(st->name));
        buf_printf(b, "const struct query " STR_FMT "_query = {\n        .name = \"" STR_FMT "\", .rows = %s, .in = &" STR_FMT "_type,",
                   STR_ARG(st->name), STR_ARG(st->name), rows[st->rows], STR_ARG(st->in));
        if (st->out.n) buf_printf(b, " .out = &" STR_FMT "_type,", STR_ARG(st->out));
        buf_printf(b, " .plan = &" STR_FMT "_plan,\n        .sql = ", STR_ARG(st->name));
        literal(b, st->sql, "               ");
        buf_lit(b, ",\n        .params = (const char *const[]){ ");
        for (size_t i = 0; i < st->n_params; i++)
                buf_printf(b, "\"" STR_FMT "\", ", STR_ARG(st->params[i]));
        buf_lit(b, "NULL },\n};\n\n");
}

static void source_write(const struct job *j, struct buf *b)
{
        buf_printf(b, notice, j->file);
        buf_printf(b, "#include \"%s_sql.h\"\n\n", j->service);
        for (size_t i = 0; i < j->sql.n; i++)
                define_statement(j, b, &j->sql.v[i]);
        buf_printf(b, "const struct query *const %s_queries[] = {\n", j->service);
        for (size_t i = 0; i < j->sql.n; i++)
                buf_printf(b, "        &" STR_FMT "_query,\n", STR_ARG(j->sql.v[i].name));
        buf_printf(b, "        NULL\n};\n\nconst struct migration %s_migrations[] = {\n", j->service);
        for (size_t i = 0; i < j->n_migrations; i++) {
                const struct migration_file *m = &j->migrations[i];
                buf_printf(b, "        { %d, \"" STR_FMT "\",\n          ", m->version, STR_ARG(m->name));
                literal(b, m->text, "          ");
                buf_lit(b, " },\n");
        }
        buf_lit(b, "        { 0 }\n};\n");
}

static int run(struct job *j, int argc, char **argv)
{
        str text;
        struct sqlfile_error err;
        TRY(file_read(j->a, argv[2], &text));
        if (sqlfile_read(j->a, text, &j->sql, &err) < 0) return complain(argv[2], err.line, err.text);
        for (int i = 4; i < argc; i++)
                TRY(migration_read(j, argv[i]));
        char *copy = arena_z(j->a, str_of(argv[2]));
        if (!copy) return complain(argv[2], 0, "out of memory");
        j->service = argv[1];
        j->file = basename(copy);
        struct buf AUTO(buf_done) b = BUF_INIT(FILES_MAX_BYTES);
        header_write(j, &b);
        TRY(file_write(j->a, argv[3], j->service, "_sql.h", &b));
        buf_clear(&b);
        source_write(j, &b);
        return file_write(j->a, argv[3], j->service, "_sql.c", &b);
}

int main(int argc, char **argv)
{
        static struct job job;
        if (argc < 4) {
                fprintf(stderr, "usage: sql2h SERVICE FILE.sql OUTDIR [MIGRATION.sql...]\n");
                return 2;
        }
        job.a = arena_new(FILES_MAX_BYTES);
        int code = run(&job, argc, argv);
        arena_free(job.a);
        return code < 0;
}
