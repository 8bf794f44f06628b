/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cluster_test.c - a private PostgreSQL is made, kept alive, stopped, and found again, whatever happened to the program before.
 *
 * Starts real servers in a folder with blanks and quotes in its name. Skipped where no server of version 15 is installed. */
#include "test.h"
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"
#include "cluster.h"

struct scene { char dir[300]; struct arena *a; struct ctx c; struct cluster *cl; };

static char top[] = "/tmp/souk-cluster.XXXXXX";         /* one database serves most tests: making one takes a second */

static void remove_top(void)
{
        char command[100];
        snprintf(command, sizeof command, "rm -rf %s", top);
        if (system(command) != 0) print_error("%s is left\n", top);
}

static void scene_close(struct scene *s)
{
        cluster_close(&s->cl);
        arena_free(s->a);
}

static int start(struct scene *s)       { return cluster_open(&s->c, &(struct cluster_options){ .dir = s->dir }, &s->cl); }

static void scene_open(struct scene *s, const char *name)
{
        static bool made;
        if (!made && mkdtemp(top)) {
                made = true;
                atexit(remove_top);
                assert_int_equal(chmod(top, 0711), 0);
        }
        snprintf(s->dir, sizeof s->dir, "%s/%s", top, name);
        mkdir(s->dir, 0711);
        s->a = arena_new(1 << 20);
        s->c = (struct ctx){ .arena = s->a };
        int r = start(s);
        if (r == -NOT_FOUND) skip();
        if (r < 0) cm_fail_msg("%.*s", STR_ARG(s->c.fault.message));
}
#define SCENE(s, name) struct scene s AUTO(scene_close) = { 0 }; scene_open(&s, name)

/* The first column of the first row, or what went wrong. */
static char *ask(const struct scene *s, const char *sql, char out[100])
{
        PGconn *pg = PQconnectdb(cluster_url(s->cl));
        PGresult *r = PQexec(pg, sql);
        snprintf(out, 100, "%s", PQntuples(r) ? PQgetvalue(r, 0, 0) : PQerrorMessage(pg));
        PQclear(r);
        PQfinish(pg);
        return out;
}

static bool is_alive(int pid)   { return kill(pid, 0) == 0; }

TEST(data_outlives_a_stop_and_the_server_does_not)
{
        SCENE(s, "a b's");
        char text[100];
        assert_string_equal(ask(&s, "create table t as select 42 n; select n from t", text), "42");
        assert_string_equal(ask(&s, "show listen_addresses", text), "");
        assert_string_equal(ask(&s, "show fsync", text), "on");
        int pid = cluster_pid(s.cl);
        cluster_close(&s.cl);
        assert_null(s.cl);
        CHECK(!is_alive(pid));
        CHECK_OK(start(&s));
        assert_string_equal(ask(&s, "select n from t", text), "42");
        cluster_close(&s.cl);
        CHECK_OK(cluster_open(&s.c, &(struct cluster_options){ .dir = s.dir, .anew = true }, &s.cl));
        assert_string_equal(ask(&s, "select count(*) from pg_class where relname = 't'", text), "0");
}

TEST(a_server_that_is_killed_comes_back_by_itself)
{
        SCENE(s, "a b's");
        char text[100];
        int pid = cluster_pid(s.cl);
        ask(&s, "create table again as select 1 n", text);
        assert_int_equal(kill(pid, SIGKILL), 0);
        int64_t end = clock_us() + 30 * 1000000LL;
        do poll(NULL, 0, 10);
        while (strcmp(ask(&s, "select 'back' from again", text), "back") && clock_us() < end);
        assert_string_equal(text, "back");
        CHECK(cluster_pid(s.cl) && cluster_pid(s.cl) != pid);
}

TEST(what_a_killed_program_left_is_cleared_away)
{
        SCENE(s, "a b's");
        int ends[2], pid = 0, status;
        cluster_close(&s.cl);
        assert_int_equal(pipe(ends), 0);
        pid_t program = fork();
        if (program == 0) {
                pid = start(&s) < 0 ? -1 : cluster_pid(s.cl);
                if (write(ends[1], &pid, sizeof pid) < 0) _exit(1);
                pause();
                _exit(0);
        }
        assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
        CHECK(pid > 0 && is_alive(pid));
        assert_int_equal(kill(program, SIGKILL), 0);
        assert_int_equal(waitpid(program, &status, 0), program);
        close(ends[0]);
        close(ends[1]);
        CHECK_OK(start(&s));
        CHECK(!is_alive(pid) || cluster_pid(s.cl) != pid);
        char text[100];
        assert_string_equal(ask(&s, "select 'fine'", text), "fine");
}

TEST(a_stale_pid_file_that_names_another_process_is_no_hindrance)
{
        SCENE(s, "a b's");
        char path[300];
        cluster_close(&s.cl);
        snprintf(path, sizeof path, "%.250s/pg/postmaster.pid", s.dir);
        FILE *f = fopen(path, "w");
        fprintf(f, "%d\n%s/pg\n", getpid(), s.dir);
        fclose(f);
        CHECK_OK(start(&s));
}

TEST(a_socket_path_that_is_too_long_goes_to_tmp)
{
        SCENE(s, "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long");
        char text[100], *host = strstr(cluster_url(s.cl), "host=%2Ftmp%2Fsouk-");
        assert_non_null(host);
        assert_string_equal(ask(&s, "select 'fine'", text), "fine");
        cluster_close(&s.cl);
}

TEST(a_server_that_cannot_start_tells_why)
{
        SCENE(s, "a b's");
        char path[300];
        cluster_close(&s.cl);
        snprintf(path, sizeof path, "%.250s/pg/global/pg_control", s.dir);
        assert_int_equal(truncate(path, 10), 0);
        CHECK_EQ(start(&s), -UNAVAILABLE);
        if (!memmem(s.c.fault.message.p, s.c.fault.message.n, "pg_control", 10)) cm_fail_msg("%.*s", STR_ARG(s.c.fault.message));
}

TEST(data_of_another_version_is_refused_by_its_number)
{
        SCENE(s, "old");
        char path[300];
        cluster_close(&s.cl);
        snprintf(path, sizeof path, "%.250s/pg/PG_VERSION", s.dir);
        FILE *f = fopen(path, "w");
        fprintf(f, "9\n");
        fclose(f);
        CHECK_EQ(start(&s), -FAILED_PRECONDITION);
        CHECK(memmem(s.c.fault.message.p, s.c.fault.message.n, "PostgreSQL 9", 12));
        assert_null(s.cl);
}

TEST_MAIN
