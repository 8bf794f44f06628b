/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sqlfile.c - see sqlfile.h.
 *
 * One pass over the text with a cursor. Between statements only white space and comments may stand, and a comment that reads as a header
 * begins a statement. In a statement the text is copied piece by piece (a literal, a quoted name, a comment, a word, a colon, a character)
 * into a buffer; a comment becomes a space. `brackets` remembers which of ( and [ are open, since a colon divides in a subscript. A fragment is
 * read as a statement is, to find its end and its mistakes; where it is used, its text is read once more in its place. */
#include "sqlfile.h"
#include <stdio.h>
#include "buf.h"

enum { BRACKETS_MAX = 200, FRAGMENTS_MAX = 100 };

struct fragment { str name, text; int line; };          /* line: where its text begins */

struct reader {
        struct arena *a;
        str    text;
        size_t at;
        int    line;
        struct sqlfile_error *err;
        size_t cap;                     /* places in the list of statements                       */
        struct fragment fragments[FRAGMENTS_MAX];
        size_t n_fragments;
        /* of the statement being read */
        struct buf sql;
        str    params[SQLFILE_PARAMS_MAX];
        size_t n_params;
        char   brackets[BRACKETS_MAX];
        size_t n_brackets;
        char   last;                    /* the last character that was no white space; 0: none    */
};

static int wrong(struct reader *r, int line, const char *fmt, ...) PRINTF(3, 4);
static int wrong(struct reader *r, int line, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(r->err->text, sizeof r->err->text, fmt, ap);
        va_end(ap);
        r->err->line = line;
        return -INVALID_ARGUMENT;
}

static int no_room(struct reader *r)
{
        (void)wrong(r, r->line, "the file needs more memory than there is");
        return -RESOURCE_EXHAUSTED;
}

/* ---- characters ------------------------------------------------------------------------------------------------- */

static bool is_space(char ch)       { return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f' || ch == '\v'; }
static bool is_digit(char ch)       { return ch >= '0' && ch <= '9'; }
static bool is_name_start(char ch)  { return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_'; }
static bool is_name(char ch)        { return is_name_start(ch) || is_digit(ch); }
/* What may stand in a word of SQL: PostgreSQL takes any byte above 127, and $ after the first. */
static bool is_word(char ch)        { return is_name(ch) || (signed char)ch < 0 || ch == '$'; }

static char peek(const struct reader *r, size_t ahead)
{
        return r->at + ahead < r->text.n ? r->text.p[r->at + ahead] : '\0';
}

static bool at_end(const struct reader *r) { return r->at >= r->text.n; }

/* Moves on by n bytes, counting lines; returns them. */
static str eat(struct reader *r, size_t n)
{
        str s = str_cut(r->text, r->at, r->at + n);
        for (size_t i = 0; i < n; i++)
                if (s.p[i] == '\n') r->line++;
        r->at += n;
        return s;
}

static size_t name_length(str s)
{
        size_t n = 0;
        if (s.n && is_name_start(s.p[0]))
                while (n < s.n && is_name(s.p[n])) n++;
        return n;
}

/* ---- pieces whose inside is nobody's business ------------------------------------------------------------------------ */

static size_t line_comment(str s)                       /* up to, not with, the end of the line */
{
        ptrdiff_t end = str_find(s, '\n');
        return end < 0 ? s.n : (size_t)end;
}

static size_t block_comment(str s)                      /* they nest; 0: never ends */
{
        size_t depth = 0;
        for (size_t i = 0; i + 1 < s.n; i++) {
                if (s.p[i] == '/' && s.p[i + 1] == '*') { depth++; i++; }
                else if (s.p[i] == '*' && s.p[i + 1] == '/') { i++; if (--depth == 0) return i + 1; }
        }
        return 0;
}

/* From a quote to the same quote; doubled it stands for itself, and in E'' a backslash keeps what follows. 0: never ends. */
static size_t quoted(str s, bool escapes)
{
        for (size_t i = 1; i < s.n; i++) {
                if (escapes && s.p[i] == '\\') i++;
                else if (s.p[i] == s.p[0]) {
                        if (i + 1 < s.n && s.p[i + 1] == s.p[0]) i++;
                        else return i + 1;
                }
        }
        return 0;
}

/* $$ or $tag$ to the same again. 0: no dollar quote begins here; SIZE_MAX: never ends. */
static size_t dollar_quoted(str s)
{
        size_t n = 1;
        n += name_length(str_cut(s, 1, s.n));
        if (n >= s.n || s.p[n] != '$') return 0;
        str tag = str_cut(s, 0, n + 1);
        for (size_t i = tag.n; i + tag.n <= s.n; i++)
                if (!memcmp(s.p + i, tag.p, tag.n)) return i + tag.n;
        return SIZE_MAX;
}

/* ---- headers ------------------------------------------------------------------------------------------------------- */

static str word(str *s)                                 /* a name after spaces; n 0: none */
{
        *s = str_trim(*s, " \t\r");
        size_t n = name_length(*s);
        str w = str_cut(*s, 0, n);
        *s = str_trim(str_cut(*s, n, s->n), " \t\r");
        return w;
}

/* Whether a comment line (from its --) reads as a header. */
static bool header_read(str line, struct sql_statement *st)
{
        str s = str_cut(line, 2, line.n);
        *st = (struct sql_statement){ .name = word(&s) };
        if (!st->name.n || !s.n || s.p[0] != ':') return false;
        s = str_cut(s, 1, s.n);
        st->in = word(&s);
        if (!st->in.n) return false;
        if (!s.n) return true;
        if (!str_starts(s, STR("->"))) return false;
        s = str_cut(s, 2, s.n);
        st->out = word(&s);
        if (!st->out.n) return false;
        st->rows = SQLFILE_ONE;
        if (s.n == 1 && s.p[0] == '?') st->rows = SQLFILE_MAYBE;
        else if (s.n == 1 && s.p[0] == '*') st->rows = SQLFILE_MANY;
        else if (s.n) return false;
        if (str_eq(st->out, STR("nothing"))) {
                st->out = (str){ NULL, 0 };
                st->rows = SQLFILE_NONE;
        }
        return true;
}

/* ---- a statement's text ------------------------------------------------------------------------------------------------ */

static void space(struct reader *r)
{
        str so_far = buf_str(&r->sql);
        if (so_far.n && so_far.p[so_far.n - 1] != ' ') buf_char(&r->sql, ' ');
}

static void copy(struct reader *r, size_t n)
{
        str s = eat(r, n);
        buf_add(&r->sql, s);
        r->last = s.p[s.n - 1];
}

static bool colon_divides(const struct reader *r)
{
        return r->n_brackets && r->brackets[r->n_brackets - 1] == '[' &&
               (is_word(r->last) || r->last == ')' || r->last == ']' || r->last == '"' || r->last == '\'');
}

/* At the name of a parameter: "id", "rows.quantity"; builtins keep their colon. */
static int parameter(struct reader *r)
{
        size_t n = name_length(str_cut(r->text, r->at, r->text.n));
        while (peek(r, n) == '.' && is_name_start(peek(r, n + 1)))
                n += 1 + name_length(str_cut(r->text, r->at + n + 1, r->text.n));
        if (n > 2 * SQLFILE_NAME_MAX) return wrong(r, r->line, "a parameter's name is longer than %d characters", 2 * SQLFILE_NAME_MAX);
        str path = str_cut(r->text, r->at, r->at + n);
        if (str_eq(path, STR("caller")) || str_eq(path, STR("caller_roles")) || str_eq(path, STR("now"))) {
                path.p--;
                path.n++;
        }
        size_t i = 0;
        while (i < r->n_params && !str_eq(r->params[i], path)) i++;
        if (i == SQLFILE_PARAMS_MAX) return wrong(r, r->line, "more than %d parameters", SQLFILE_PARAMS_MAX);
        if (i == r->n_params) r->params[r->n_params++] = path;
        buf_printf(&r->sql, "$%zu", i + 1);
        eat(r, n);
        r->last = 'x';
        return 0;
}

static int colon(struct reader *r)
{
        if (peek(r, 1) == ':' || peek(r, 1) == '=') {
                copy(r, 2);
                return 0;
        }
        if (colon_divides(r)) {
                copy(r, 1);
                return 0;
        }
        if (!is_name_start(peek(r, 1))) return wrong(r, r->line, "a colon with no parameter's name after it");
        eat(r, 1);
        return parameter(r);
}

static int bracket(struct reader *r)
{
        char ch = peek(r, 0);
        if (ch == '(' || ch == '[') {
                if (r->n_brackets == BRACKETS_MAX) return wrong(r, r->line, "more than %d brackets open", BRACKETS_MAX);
                r->brackets[r->n_brackets++] = ch;
        } else if (!r->n_brackets || r->brackets[--r->n_brackets] != (ch == ')' ? '(' : '[')) {
                return wrong(r, r->line, "a '%c' that closes nothing", ch);
        }
        copy(r, 1);
        return 0;
}

static int comment_in_statement(struct reader *r, const struct sql_statement *st)
{
        str here = str_cut(r->text, r->at, r->text.n);
        if (peek(r, 0) == '-') {
                size_t n = line_comment(here);
                struct sql_statement next;
                if (header_read(str_cut(here, 0, n), &next) && next.out.n)
                        return wrong(r, r->line, "statement " STR_FMT " has no ; at its end", STR_ARG(st->name));
                eat(r, n);
        } else {
                size_t n = block_comment(here);
                if (!n) return wrong(r, r->line, "a comment that never ends");
                eat(r, n);
        }
        space(r);
        return 0;
}

/* A literal, a quoted name or a dollar quote. */
static int quotation(struct reader *r, bool escapes)
{
        str here = str_cut(r->text, r->at, r->text.n);
        int line = r->line;
        size_t n = peek(r, 0) == '$' ? dollar_quoted(here) : quoted(here, escapes);
        if (n == SIZE_MAX || (!n && peek(r, 0) != '$')) return wrong(r, line, "a quotation that never ends");
        if (!n) return wrong(r, line, "a $ outside a quotation; parameters are written :name");
        copy(r, n);
        return 0;
}

static int piece(struct reader *r, const struct sql_statement *st);

/* {name}: the fragment's text as if it stood here. */
static int insertion(struct reader *r, const struct sql_statement *st)
{
        str name = str_cut(r->text, r->at + 1, r->at + 1 + name_length(str_cut(r->text, r->at + 1, r->text.n)));
        const struct fragment *f = NULL;
        if (!name.n || peek(r, name.n + 1) != '}') return wrong(r, r->line, "a { that is no {name} of a fragment");
        for (size_t i = 0; i < r->n_fragments; i++)
                if (str_eq(r->fragments[i].name, name)) f = &r->fragments[i];
        if (!f) return wrong(r, r->line, "there is no fragment " STR_FMT " above", STR_ARG(name));
        eat(r, name.n + 2);
        str text = r->text;
        size_t at = r->at;
        int line = r->line;
        r->text = f->text;
        r->at = 0;
        r->line = f->line;
        while (!at_end(r)) TRY(piece(r, st));
        r->text = text;
        r->at = at;
        r->line = line;
        return 0;
}

static int piece(struct reader *r, const struct sql_statement *st)
{
        char ch = peek(r, 0), next = peek(r, 1);
        if (ch == '\0') return wrong(r, r->line, "a NUL in the text");
        if (is_space(ch)) {
                eat(r, 1);
                space(r);
                return 0;
        }
        if ((ch == '-' && next == '-') || (ch == '/' && next == '*')) return comment_in_statement(r, st);
        if (ch == '\'' || ch == '"' || ch == '$') return quotation(r, false);
        if (ch == ':') return colon(r);
        if (ch == '{') return insertion(r, st);
        if (strchr("()[]", ch)) return bracket(r);
        size_t n = 0;
        while (r->at + n < r->text.n && is_word(peek(r, n))) n++;
        if (n == 1 && (ch == 'e' || ch == 'E') && next == '\'') {
                copy(r, 1);
                return quotation(r, true);
        }
        copy(r, n ? n : 1);
        return 0;
}

static int statement_end(struct reader *r, struct sql_statement *st)
{
        if (r->n_brackets) return wrong(r, r->line, "statement " STR_FMT ": a '%c' is not closed", STR_ARG(st->name),
                                        r->brackets[r->n_brackets - 1]);
        if (buf_error(&r->sql) < 0) return no_room(r);
        str sql = str_trim(buf_str(&r->sql), " ");
        if (!sql.n) return wrong(r, st->line, "statement " STR_FMT " is empty", STR_ARG(st->name));
        st->sql = arena_str(r->a, sql);
        st->params = arena_many(r->a, str, r->n_params ? r->n_params : 1);
        if (!st->sql.p || !st->params) return no_room(r);
        memcpy(st->params, r->params, r->n_params * sizeof(str));
        st->n_params = r->n_params;
        eat(r, 1);
        return 0;
}

static int statement(struct reader *r, struct sql_statement *st)
{
        buf_clear(&r->sql);
        r->n_params = r->n_brackets = 0;
        r->last = 0;
        while (!at_end(r)) {
                if (peek(r, 0) == ';') return statement_end(r, st);
                TRY(piece(r, st));
        }
        return wrong(r, st->line, "statement " STR_FMT " has no ; at its end", STR_ARG(st->name));
}

/* ---- the file ------------------------------------------------------------------------------------------------------------ */

static int keep(struct reader *r, struct sqlfile *out, const struct sql_statement *st)
{
        if (st->name.n > SQLFILE_NAME_MAX || st->in.n > SQLFILE_NAME_MAX || st->out.n > SQLFILE_NAME_MAX)
                return wrong(r, st->line, "a name is longer than %d characters", SQLFILE_NAME_MAX);
        for (size_t i = 0; i < out->n; i++)
                if (str_eq(out->v[i].name, st->name))
                        return wrong(r, st->line, "statement " STR_FMT " is there already, on line %d", STR_ARG(st->name), out->v[i].line);
        if (out->n == SQLFILE_STATEMENTS_MAX) return wrong(r, st->line, "more than %d statements", SQLFILE_STATEMENTS_MAX);
        if (out->n == r->cap) {
                size_t cap = r->cap ? r->cap * 2 : 16;
                struct sql_statement *v = arena_grow(r->a, out->v, r->cap * sizeof *v, cap * sizeof *v);
                if (!v) return no_room(r);
                out->v = v;
                r->cap = cap;
        }
        out->v[out->n++] = *st;
        return 0;
}

/* The statement read last was a fragment: its text lies from `from` up to the ; just read. */
static int keep_fragment(struct reader *r, const struct sql_statement *st, size_t from, int line)
{
        if (r->n_fragments == FRAGMENTS_MAX) return wrong(r, st->line, "more than %d fragments", FRAGMENTS_MAX);
        for (size_t i = 0; i < r->n_fragments; i++)
                if (str_eq(r->fragments[i].name, st->name)) return wrong(r, st->line, "fragment " STR_FMT " is there already", STR_ARG(st->name));
        r->fragments[r->n_fragments++] = (struct fragment){ st->name, str_trim(str_cut(r->text, from, r->at - 1), " \t\r\n"), line };
        return 0;
}

/* What stands between statements: white space, comments, headers. */
static int between(struct reader *r, struct sqlfile *out)
{
        str here = str_cut(r->text, r->at, r->text.n);
        if (is_space(here.p[0])) {
                eat(r, 1);
                return 0;
        }
        if (str_starts(here, STR("/*"))) {
                size_t n = block_comment(here);
                if (!n) return wrong(r, r->line, "a comment that never ends");
                eat(r, n);
                return 0;
        }
        if (!str_starts(here, STR("--")))
                return wrong(r, r->line, "SQL without a header line (-- name: in -> out)");
        struct sql_statement st;
        size_t n = line_comment(here);
        bool is_header = header_read(str_cut(here, 0, n), &st);
        st.line = r->line;
        eat(r, n);
        if (!is_header) return 0;
        size_t from = r->at;
        int line = r->line;
        TRY(statement(r, &st));
        if (str_eq(st.in, STR("fragment")) && !st.out.n) return keep_fragment(r, &st, from, line);
        return keep(r, out, &st);
}

int sqlfile_read(struct arena *a, str text, struct sqlfile *out, struct sqlfile_error *err)
{
        struct reader r = { .a = a, .text = text, .line = 1, .err = err, .sql = BUF_INIT(SQLFILE_MAX_BYTES * 2) };
        int code = 0;
        *out = (struct sqlfile){ 0 };
        *err = (struct sqlfile_error){ 0 };
        if (text.n > SQLFILE_MAX_BYTES) return wrong(&r, 1, "the file is larger than %d bytes", SQLFILE_MAX_BYTES);
        while (!at_end(&r) && code == 0)
                code = between(&r, out);
        buf_done(&r.sql);
        return code;
}
