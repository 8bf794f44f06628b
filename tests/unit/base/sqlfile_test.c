/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sqlfile_test.c - what is a parameter in a service's .sql, and what only looks like one. */
#include "test.h"
#include "sqlfile.h"

static struct arena *arena;
static struct sqlfile file;
static struct sqlfile_error err;

static int read_z(const char *text)
{
        arena_free(arena);
        arena = arena_new(1 << 20);
        return sqlfile_read(arena, str_of(text), &file, &err);
}

/* Reads one statement's body and holds its text and the paths, joined by spaces, against what is wanted. */
static void check_body(const char *body, const char *sql, const char *params)
{
        char text[4096], joined[1024] = "";
        snprintf(text, sizeof text, "-- q: in -> out\n%s;\n", body);
        if (read_z(text) < 0) cm_fail_msg("%s: line %d: %s", body, err.line, err.text);
        CHECK_EQ(file.n, 1);
        for (size_t i = 0; i < file.v[0].n_params; i++) {
                strncat(joined, i ? " " : "", sizeof joined - strlen(joined) - 1);
                strncat(joined, arena_z(arena, file.v[0].params[i]), sizeof joined - strlen(joined) - 1);
        }
        CHECK_STR(file.v[0].sql, sql);
        CHECK_STR(str_of(joined), params);
}

static void check_wrong(const char *text, int line, const char *words)
{
        CHECK_EQ(read_z(text), -INVALID_ARGUMENT);
        CHECK_EQ(err.line, line);
        if (!strstr(err.text, words)) cm_fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

TEST(headers_say_name_in_out_and_how_many_rows)
{
        CHECK_OK(read_z("-- a file of statements\n\n-- one: x -> y\nselect 1;\n-- maybe: x -> y ?\nselect 2;\n"
                        "--many:x->y*\r\nselect 3;\n-- none: x\nselect 4;\n-- void: nothing -> nothing\nselect 5;"));
        CHECK_EQ(file.n, 5);
        CHECK_EQ(file.v[0].rows, SQLFILE_ONE);
        CHECK_EQ(file.v[1].rows, SQLFILE_MAYBE);
        CHECK_EQ(file.v[2].rows, SQLFILE_MANY);
        CHECK_EQ(file.v[3].rows, SQLFILE_NONE);
        CHECK_EQ(file.v[4].rows, SQLFILE_NONE);
        CHECK(file.v[4].out.p == NULL);
        CHECK_STR(file.v[2].name, "many");
        CHECK_STR(file.v[2].out, "y");
        CHECK_EQ(file.v[1].line, 5);
}

TEST(parameters_are_numbered_by_distinct_path)
{
        check_body("select :a, :b.c, :a, :rows.quantity", "select $1, $2, $1, $3", "a b.c rows.quantity");
        check_body("select :caller, :now, :caller_roles & 4", "select $1, $2, $3 & 4", ":caller :now :caller_roles");
        check_body("select :total.minor::int8, :status.word", "select $1::int8, $2", "total.minor status.word");
}

TEST(casts_literals_names_and_comments_hold_no_parameters)
{
        check_body("select 'a:b ''x'' :c', e'it\\'s :x', \":odd\"\"name\", id::text", "select 'a:b ''x'' :c', e'it\\'s :x', \":odd\"\"name\", id::text", "");
        check_body("select $$ :a ; ' $$, $t$ $$ :b $t$, :c", "select $$ :a ; ' $$, $t$ $$ :b $t$, $1", "c");
        check_body("select /* :a /* ; */ :b */ 1 -- :c ;\n, :d", "select 1 , $1", "d");
        check_body("select  1\n\t from   x", "select 1 from x", "");
        check_body("select 1 - -1, a->>'b:c', x / 2", "select 1 - -1, a->>'b:c', x / 2", "");
}

TEST(a_colon_divides_in_a_subscript_only)
{
        check_body("select a[1:2], a[n : m], a[f(1):2]", "select a[1:2], a[n : m], a[f(1):2]", "");
        check_body("select array[:a, :b], a[:i], a[1:(:n)], x[f(:y)]", "select array[$1, $2], a[$3], a[1:($4)], x[f($5)]", "a b i n y");
}

TEST(a_fragment_stands_for_its_text_wherever_it_is_named)
{
        CHECK_OK(read_z("-- mine: fragment\nowner = :caller -- whose\n and x <> '{y};';\n-- both: fragment\n({mine} and id = :id);\n"
                        "-- q: in -> out\nselect a[1:n], '{mine}' from t where :id = 1 and {both};\n-- p: in\ndelete from t where {mine};\n"));
        CHECK_EQ(file.n, 2);
        CHECK_STR(file.v[0].sql, "select a[1:n], '{mine}' from t where $1 = 1 and (owner = $2 and x <> '{y};' and id = $1)");
        CHECK_EQ(file.v[0].n_params, 2);
        CHECK_STR(file.v[0].params[1], ":caller");
        CHECK_STR(file.v[1].sql, "delete from t where owner = $1 and x <> '{y};'");
        check_wrong("-- q: in\nselect 1\n where {mine};", 3, "there is no fragment mine above");
        check_wrong("-- mine: fragment\n{mine};", 2, "there is no fragment mine above");
        check_wrong("-- q: in\nselect {};", 2, "a { that is no {name}");
        check_wrong("-- a: fragment\n(1;", 2, "'(' is not closed");
        check_wrong("-- a: fragment\n1;\n-- a: fragment\n2;", 3, "is there already");
}

TEST(mistakes_are_told_with_their_line)
{
        check_wrong("select 1;", 1, "without a header");
        check_wrong("-- a: x\nselect 1;\nselect 2;", 3, "without a header");
        check_wrong("-- a: x\nselect 1\n", 1, "a has no ;");
        check_wrong("-- a: x\nselect 1\n-- b: x -> y\nselect 2;", 3, "a has no ;");
        check_wrong("-- a: x\n;", 1, "a is empty");
        check_wrong("-- a: x\nselect 1;\n\n-- a: x\nselect 2;", 4, "there already, on line 1");
        check_wrong("-- a: x\nselect\n 'abc;", 3, "never ends");
        check_wrong("-- a: x\nselect $x$ abc $$;", 2, "never ends");
        check_wrong("-- a: x\nselect /* abc;", 2, "never ends");
        check_wrong("-- a: x\nselect $1;", 2, ":name");
        check_wrong("-- a: x\nselect (1;", 2, "not closed");
        check_wrong("-- a: x\nselect 1];", 2, "closes nothing");
        check_wrong("-- a: x\nselect : b;", 2, "no parameter's name");
}

TEST(limits_hold)
{
        static char text[200000];
        size_t n = (size_t)snprintf(text, sizeof text, "-- a: x\nselect 1");
        for (int i = 0; i <= SQLFILE_PARAMS_MAX; i++) n += (size_t)snprintf(text + n, sizeof text - n, ", :p%d", i);
        snprintf(text + n, sizeof text - n, ";");
        check_wrong(text, 2, "more than 100 parameters");
        n = (size_t)snprintf(text, sizeof text, "-- a: x\nselect ");
        memset(text + n, '(', 300);
        text[n + 300] = '\0';
        check_wrong(text, 2, "brackets open");
        n = 0;
        for (int i = 0; i <= SQLFILE_STATEMENTS_MAX; i++) n += (size_t)snprintf(text + n, sizeof text - n, "-- s%d: x\nselect 1;\n", i);
        check_wrong(text, 2 * SQLFILE_STATEMENTS_MAX + 1, "more than 1000 statements");
}

TEST(want_of_memory_is_told_at_every_place)
{
        static const char text[] = "-- a: x -> y\nselect :b, :c from d;\n-- e: x\nselect 'f' where :g;\n";
        CHECK_OK(read_z(text));
        for (long n = 1; ; n++) {
                struct arena *a = arena_new(1 << 16);
                alloc_fail_after(n);
                int code = sqlfile_read(a, STR(text), &file, &err);
                alloc_fail_after(0);
                arena_free(a);
                if (code == 0) { CHECK(n > 4); break; }
                CHECK_EQ(code, -RESOURCE_EXHAUSTED);
        }
}

TEST_MAIN
