/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cluster.c - lays a private PostgreSQL out in a directory and makes its data.
 *
 * Data is made beside its place and moved there when it is whole, so a first start that was killed leaves nothing half made. What an
 * earlier server left (a running one, a stale pid file, a socket) is cleared before the keeper starts. How it is kept: cluster_keeper.c. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cluster_inside.h"
#include "hash.h"
#include "text.h"

enum { MAJOR_MIN = 15, SOCKET_PATH_MAX = 107, INITDB_MS = 60000 };
#define ELSEWHERE "/var/lib/souk"
#define SOCKET_NAME "/.s.PGSQL.5432"

/* ---- files ------------------------------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
        (void)st;
        (void)type;
        (void)where;
        return remove(path);
}

static void remove_tree(const char *path)               { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT); }

static int file_trouble(struct ctx *c, const char *what, const char *path)
{
        int e = errno;
        return fail(c, INTERNAL, "file_trouble", "cannot %s %s: %s", what, path, strerror(e));
}

/* A folder of the server's user alone. One that is there must be just that: /tmp is everybody's. */
static int private_folder(struct ctx *c, const struct cluster *cl, const char *path)
{
        struct stat st;
        if (mkdir(path, 0700) == 0) {
                if (cl->as.change && chown(path, cl->as.uid, cl->as.gid) < 0) return file_trouble(c, "give away", path);
        } else if (errno != EEXIST) {
                return file_trouble(c, "make", path);
        }
        if (lstat(path, &st) < 0) return file_trouble(c, "look at", path);
        if (!S_ISDIR(st.st_mode) || st.st_uid != cl->as.uid || (st.st_mode & 077))
                return fail(c, FAILED_PRECONDITION, "folder_not_private", "%s must be a folder that only user %u may enter; it is not", path, (unsigned)cl->as.uid);
        return 0;
}

/* ---- programs -------------------------------------------------------------------------------------------------------- */

/* Takes DIR when it holds a server that may serve: of version `want`, or the newest when want is 0. */
static void consider(struct cluster *cl, const char *program, int want)
{
        char dir[PATH_MAX], initdb[PATH_MAX + 16];
        int major = 0;
        const char *slash = strrchr(program, '/');
        if (!slash || access(program, X_OK) < 0) return;
        snprintf(dir, sizeof dir, "%.*s", (int)(slash - program), program);
        snprintf(initdb, sizeof initdb, "%s/initdb", dir);
        if (access(initdb, X_OK) < 0) return;
        if (sscanf(dir, "/usr/lib/postgresql/%d/", &major) != 1 && sscanf(dir, "/usr/pgsql-%d/", &major) != 1) major = 0;
        if (major && (want ? major != want : major < MAJOR_MIN)) return;
        if (cl->bin[0] && major <= cl->major) return;
        snprintf(cl->bin, sizeof cl->bin, "%s", dir);
        cl->major = major;
}

static int find_programs(struct ctx *c, struct cluster *cl, int want)
{
        static const char *const patterns[] = { "/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres" };
        for (size_t i = 0; i < COUNT(patterns); i++) {
                glob_t g;
                if (glob(patterns[i], 0, NULL, &g) != 0) continue;
                for (size_t k = 0; k < g.gl_pathc; k++) consider(cl, g.gl_pathv[k], want);
                globfree(&g);
        }
        const char *path = getenv("PATH");
        for (str rest = str_of(path), part; !cl->bin[0] && rest.p && (part = str_split(&rest, ':'), true);) {
                char program[PATH_MAX], real[PATH_MAX];
                snprintf(program, sizeof program, STR_FMT "/postgres", STR_ARG(part));
                if (realpath(program, real)) consider(cl, real, want);
        }
        if (cl->bin[0]) return 0;
        if (want) return fail(c, FAILED_PRECONDITION, "database_of_another_version",
                              "the database in %s was made by PostgreSQL %d, and that is not installed here", cl->data, want);
        return fail(c, NOT_FOUND, "no_postgresql", "no PostgreSQL server of version %d or newer here; on Debian: apt-get install postgresql. Or set SOUK_DATABASE_URL", MAJOR_MIN);
}

static int version_of(const char *data)
{
        char path[PATH_MAX + 16];
        int major = 0;
        snprintf(path, sizeof path, "%s/PG_VERSION", data);
        FILE *f = fopen(path, "re");
        if (f && fscanf(f, "%d", &major) != 1) major = 0;
        if (f) fclose(f);
        return major;
}

/* ---- where it lies ----------------------------------------------------------------------------------------------------- */

/* DIR itself, unless the server's user cannot get there (a home of root's): then a folder of its own that DIR/pg will point to. */
static int choose_place(struct ctx *c, struct cluster *cl)
{
        uint64_t r;
        if (run_as_reaches(&cl->as, cl->dir)) {
                snprintf(cl->place, sizeof cl->place, "%s", cl->dir);
                return 0;
        }
        random_bytes(&r, sizeof r);
        snprintf(cl->place, sizeof cl->place, ELSEWHERE "/%016llx", (unsigned long long)r);
        if (mkdir(ELSEWHERE, 0711) < 0 && errno != EEXIST) return file_trouble(c, "make", ELSEWHERE);
        return private_folder(c, cl, cl->place);
}

static int choose_socket(struct ctx *c, struct cluster *cl)
{
        snprintf(cl->sock, sizeof cl->sock, "%.*s/pg.sock", (int)sizeof cl->sock - 16, cl->place);
        if (strlen(cl->sock) + strlen(SOCKET_NAME) > SOCKET_PATH_MAX) {
                struct digest d = sha256(str_of(cl->place));
                snprintf(cl->sock, sizeof cl->sock, "/tmp/souk-%u-%02x%02x%02x%02x%02x%02x", (unsigned)cl->as.uid, d.b[0], d.b[1], d.b[2], d.b[3], d.b[4], d.b[5]);
        }
        TRY(private_folder(c, cl, cl->sock));
        struct buf url AUTO(buf_done) = BUF_INIT(sizeof cl->url - 1);
        buf_lit(&url, "postgresql://souk@/postgres?port=5432&host=");
        percent_write(&url, str_of(cl->sock));
        if (buf_error(&url)) return fail(c, INTERNAL, "path_too_long", "%s is too long a path", cl->sock);
        snprintf(cl->url, sizeof cl->url, STR_FMT, STR_ARG(buf_str(&url)));
        return 0;
}

/* ---- making ------------------------------------------------------------------------------------------------------------ */

/* The link, or the rename, is the moment from which the data counts. */
static int make_data(struct ctx *c, struct cluster *cl, const char *link)
{
        char fresh[PATH_MAX + 16], initdb[PATH_MAX + 16];
        bool here = !strcmp(cl->place, cl->dir);
        snprintf(fresh, sizeof fresh, here ? "%s/pg.new" : "%s/pg", cl->place);
        snprintf(initdb, sizeof initdb, "%s/initdb", cl->bin);
        remove_tree(fresh);
        TRY(private_folder(c, cl, fresh));
        const char *const argv[] = { initdb, "-D", fresh, "-U", "souk", "--auth=trust", "--no-locale", "-E", "UTF8", "--no-instructions", NULL };
        pid_t pid = spawn(&cl->as, (char *const *)argv, cl->log, fresh, SIGTERM);
        int status = pid > 0 ? reap(pid, INITDB_MS) : -1;
        if (pid > 0 && status == -1) {
                kill(pid, SIGKILL);
                reap(pid, 5000);
        }
        if (status != 0) return fail(c, UNAVAILABLE, "initdb_failed", "making a database failed; %s tells why", cl->log);
        if (here ? rename(fresh, link) < 0 : symlink(fresh, link) < 0) return file_trouble(c, "make", link);
        int dir = open(cl->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || fsync(dir) < 0) return file_trouble(c, "write", cl->dir);
        close(dir);
        return 0;
}

/* Ends a server of this data that a killed program left. */
static int end_old_server(struct ctx *c, struct cluster *cl)
{
        char cwd[64], where[PATH_MAX];
        bool ready;
        pid_t pid = postmaster_of(cl->data, &ready);
        snprintf(cwd, sizeof cwd, "/proc/%d/cwd", pid);
        ssize_t n = pid ? readlink(cwd, where, sizeof where - 1) : -1;
        if (n < 0) return 0;
        where[n] = 0;
        if (strcmp(where, cl->data) != 0) return 0;
        kill(pid, SIGINT);
        if (!wait_gone(pid, cl->timeout_ms)) kill(pid, SIGQUIT);
        if (wait_gone(pid, 5000)) return 0;
        return fail(c, UNAVAILABLE, "old_server_stays", "an earlier PostgreSQL (process %d) still runs on %s and does not stop", (int)pid, cl->data);
}

/* Files by which a server that is gone would keep a new one from starting. */
static int clear_remains(struct ctx *c, struct cluster *cl)
{
        char path[PATH_MAX + 32];
        static const char *const left[] = { "/.s.PGSQL.5432", "/.s.PGSQL.5432.lock" };
        snprintf(path, sizeof path, "%s/postmaster.pid", cl->data);
        if (unlink(path) < 0 && errno != ENOENT) return file_trouble(c, "remove", path);
        for (size_t i = 0; i < COUNT(left); i++) {
                snprintf(path, sizeof path, "%s%s", cl->sock, left[i]);
                if (unlink(path) < 0 && errno != ENOENT) return file_trouble(c, "remove", path);
        }
        return 0;
}

/* Data that a first start never finished: away with it, and with where DIR/pg points. */
static void forget(const char *link)
{
        char real[PATH_MAX], *slash;
        if (!realpath(link, real)) return;
        remove_tree(real);
        if (str_starts(str_of(real), STR(ELSEWHERE "/")) && (slash = strrchr(real, '/'))) {
                *slash = 0;
                remove_tree(real);
        }
        unlink(link);
}

static void say(const struct cluster_options *o, const char *what, int major)
{
        char text[80];
        snprintf(text, sizeof text, major ? "%s PostgreSQL %d" : "%s PostgreSQL", what, major);
        if (o->progress) o->progress(text, o->arg);
}

static int prepare(struct ctx *c, const struct cluster_options *o, struct cluster *cl)
{
        char link[PATH_MAX + 16];
        snprintf(cl->dir, sizeof cl->dir, "%s", o->dir);
        snprintf(link, sizeof link, "%s/pg", cl->dir);
        snprintf(cl->log, sizeof cl->log, "%.*s/postgresql.log", PATH_MAX - 32, cl->dir);
        bool there = realpath(link, cl->data) != NULL;
        if (there) TRY(end_old_server(c, cl));
        if (there && o->anew) {
                forget(link);
                there = realpath(link, cl->data) != NULL;
        }
        TRY(run_as_find(c, there ? cl->data : NULL, &cl->as));
        TRY(find_programs(c, cl, there ? version_of(cl->data) : 0));
        if (there) {
                snprintf(cl->place, sizeof cl->place, "%s", cl->data);
                *strrchr(cl->place, '/') = 0;
        } else {
                say(o, "making a database with", cl->major);
                TRY(choose_place(c, cl));
                TRY(make_data(c, cl, link));
                if (!realpath(link, cl->data)) return file_trouble(c, "find", link);
        }
        if (!run_as_reaches(&cl->as, cl->data))
                return fail(c, FAILED_PRECONDITION, "database_out_of_reach", "user %s, who is to run PostgreSQL, cannot reach %s", cl->as.name, cl->data);
        TRY(choose_socket(c, cl));
        return clear_remains(c, cl);
}

int cluster_open(struct ctx *c, const struct cluster_options *o, struct cluster **out)
{
        struct cluster *cl = calloc(1, sizeof *cl);
        if (!cl) abort();
        cl->timeout_ms = o->timeout_ms ? o->timeout_ms : SECONDS(30);
        pthread_mutex_init(&cl->lock, NULL);
        pthread_cond_init(&cl->changed, NULL);
        cl->stop_fd = -1;
        crypto_start();
        int r = prepare(c, o, cl);
        if (r == 0) {
                say(o, "starting", cl->major);
                r = keeper_start(c, cl);
        }
        if (r < 0) {
                cluster_close(&cl);
                return r;
        }
        *out = cl;
        return 0;
}

void cluster_close(struct cluster **clp)
{
        struct cluster *cl = *clp;
        if (!cl) return;
        if (cl->stop_fd >= 0) keeper_stop(cl);
        rmdir(cl->sock);                                /* empty now; one under /tmp would stay for good */
        pthread_mutex_destroy(&cl->lock);
        pthread_cond_destroy(&cl->changed);
        free(cl);
        *clp = NULL;
}

const char *cluster_url(const struct cluster *cl)       { return cl->url; }
const char *cluster_data(const struct cluster *cl)      { return cl->data; }
int cluster_pid(const struct cluster *cl)               { return atomic_load(&cl->pid); }
