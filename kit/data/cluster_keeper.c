/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cluster_keeper.c - the thread that is the server's parent: starts it, watches it, starts it again, stops it.
 *
 *     starting --ready--> up --ends by itself--> (wait 0.1 s .. 5 s) --> starting ...
 *        `--ends, or time is up--> failed (only the first time)     any --keeper_stop--> SIGINT, SIGQUIT, SIGKILL --> over
 *
 * It is a thread because the kernel's death signal goes out when the thread that forked ends, and because it may then wait
 * in the kernel. Readiness is what the server itself writes into postmaster.pid, as pg_ctl reads it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "clock.h"
#include "cluster_inside.h"
#include "log.h"

enum { LOOK_MS = 5, TEND_MS = 10000, BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 5000 };
enum outcome { READY, ENDED, LATE, STOP };

pid_t postmaster_of(const char *data, bool *ready)
{
        char path[PATH_MAX + 32], line[256];
        long pid = 0;
        snprintf(path, sizeof path, "%s/postmaster.pid", data);
        FILE *f = fopen(path, "re");
        *ready = false;
        for (int n = 1; f && n <= 8 && fgets(line, sizeof line, f); n++) {
                if (n == 1) pid = strtol(line, NULL, 10);
                if (n == 8) *ready = !strncmp(line, "ready", 5);
        }
        if (f) fclose(f);
        return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* ---- its log ------------------------------------------------------------------------------------------------------- */

static off_t log_size(const struct cluster *cl)
{
        struct stat st;
        return stat(cl->log, &st) == 0 ? st.st_size : 0;
}

/* The server holds the file open for appending, so it is copied and emptied, not renamed. */
static void tend_log(const struct cluster *cl)
{
        char old[PATH_MAX + 8], block[65536];
        if (log_size(cl) < CLUSTER_LOG_MAX_BYTES) return;
        snprintf(old, sizeof old, "%s.1", cl->log);
        int from = open(cl->log, O_RDWR | O_CLOEXEC), to = open(old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        for (ssize_t n, done = 0; from >= 0 && to >= 0 && done < 2 * CLUSTER_LOG_MAX_BYTES && (n = read(from, block, sizeof block)) > 0; done += n)
                if (write(to, block, (size_t)n) != n) break;
        if (from >= 0 && ftruncate(from, 0) == 0) close(from);
        if (to >= 0) close(to);
}

/* What the server said since `from` that tells why it ended: the first FATAL or PANIC, else the last line. */
static void reason(const struct cluster *cl, off_t from, char *out, size_t n)
{
        char line[512];
        FILE *f = fopen(cl->log, "re");
        *out = 0;
        if (!f) return;
        if (fseeko(f, from, SEEK_SET) == 0)
                while (fgets(line, sizeof line, f)) {
                        char *said = strstr(line, "FATAL:");
                        if (!said) said = strstr(line, "PANIC:");
                        line[strcspn(line, "\n")] = 0;
                        if (said || line[0]) snprintf(out, n, "%.*s", (int)n - 1, said ? said : line);
                        if (said) break;
                }
        fclose(f);
}

/* ---- one life of the server ------------------------------------------------------------------------------------------ */

/* Settings go with the program, not with the data: what this version wants holds for data that an older one made. */
static pid_t server_start(struct cluster *cl, char *folders)
{
        char program[PATH_MAX + 16];
        snprintf(program, sizeof program, "%s/postgres", cl->bin);
        const char *const argv[] = {
                program, "-D", cl->data,
                "-c", "listen_addresses=", "-c", "port=5432", "-c", folders, "-c", "unix_socket_permissions=0700",
                "-c", "max_connections=200", "-c", "max_wal_senders=0", "-c", "shared_buffers=128MB", "-c", "jit=off",
                "-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "autovacuum=on",
                "-c", "checkpoint_timeout=15min", "-c", "max_wal_size=2GB", "-c", "log_checkpoints=off", "-c", "recovery_init_sync_method=syncfs",
                "-c", "timezone=UTC", "-c", "log_timezone=UTC", "-c", "log_line_prefix=%m [%p] %a ", "-c", "logging_collector=off",
                NULL };
        pid_t pid = spawn(&cl->as, (char *const *)argv, cl->log, cl->data, SIGINT);
        atomic_store(&cl->pid, MAX(pid, 0));
        return pid;
}

/* Waits for the server's end or keeper_stop(), at most ms. */
static enum outcome watch_for(const struct cluster *cl, pid_t pid, int pidfd, int ms)
{
        struct pollfd p[2] = { { .fd = cl->stop_fd, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
        if (pidfd < 0) ms = MIN(ms, 100);
        poll(p, 2, ms);
        if (p[0].revents) return STOP;
        if (p[1].revents || (pidfd < 0 && kill(pid, 0) < 0)) return ENDED;
        return LATE;
}

static enum outcome until_ready(const struct cluster *cl, pid_t pid, int pidfd)
{
        int64_t end = clock_us() + (int64_t)cl->timeout_ms * 1000;
        bool ready;
        while (clock_us() < end) {
                if (postmaster_of(cl->data, &ready) == pid && ready) return READY;
                enum outcome o = watch_for(cl, pid, pidfd, LOOK_MS);
                if (o != LATE) return o;
        }
        return LATE;
}

static enum outcome until_ended(const struct cluster *cl, pid_t pid, int pidfd)
{
        for (;;) {
                enum outcome o = watch_for(cl, pid, pidfd, TEND_MS);
                if (o != LATE) return o;
                tend_log(cl);
        }
}

static void server_stop(struct cluster *cl, pid_t pid)
{
        static const struct { int signo; const char *how; } ways[] = { { SIGINT, "fast" }, { SIGQUIT, "immediate" }, { SIGKILL, "kill" } };
        for (size_t i = 0; i < COUNT(ways); i++) {
                if (i) log_say(WARN, "postgresql does not stop", L_Z("next", ways[i].how));
                kill(pid, ways[i].signo);
                if (reap(pid, i ? 5000 : cl->timeout_ms) != -1) break;
        }
}

static void tell(struct cluster *cl, int state, int code, const char *error)
{
        pthread_mutex_lock(&cl->lock);
        if (cl->state == CLUSTER_STARTING) {
                cl->state = state;
                cl->code = code;
                snprintf(cl->error, sizeof cl->error, "%s", error);
                pthread_cond_signal(&cl->changed);
        }
        pthread_mutex_unlock(&cl->lock);
}

/* Starts the server once and stays with it. returns STOP when nothing is to be started again */
static enum outcome one_life(struct cluster *cl, char *folders, bool *was_up)
{
        char said[CLUSTER_ERROR_MAX - 100] = "", error[CLUSTER_ERROR_MAX];
        off_t from = log_size(cl);
        pid_t pid = server_start(cl, folders);
        if (pid < 0) return tell(cl, CLUSTER_FAILED, INTERNAL, "cannot start a process, or cannot write PostgreSQL's log"), *was_up ? ENDED : STOP;
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        enum outcome o = until_ready(cl, pid, pidfd);
        if (o == READY) {
                if (*was_up) log_say(INFO, "postgresql is back", L_INT("pid", pid));
                *was_up = true;
                tell(cl, CLUSTER_UP, 0, "");
                o = until_ended(cl, pid, pidfd);
        }
        if (pidfd >= 0) close(pidfd);
        if (o == STOP || o == LATE) server_stop(cl, pid);
        else reap(pid, 1000);
        atomic_store(&cl->pid, 0);
        if (o == STOP) return STOP;
        reason(cl, from, said, sizeof said);
        if (*was_up) log_say(ERROR, "postgresql ended; starting it again", L_Z("said", said));
        snprintf(error, sizeof error, o == LATE ? "it was not ready in time; it said: %s" : "it ended: %s", *said ? said : "nothing");
        if (*was_up || strstr(said, "pre-existing shared memory")) return ENDED;        /* remains of a killed one go within moments */
        tell(cl, CLUSTER_FAILED, o == LATE ? DEADLINE_EXCEEDED : UNAVAILABLE, error);
        return STOP;
}

static void *keeper(void *arg)
{
        struct cluster *cl = arg;
        char folders[2 * PATH_MAX];
        sigset_t all;
        size_t n = (size_t)snprintf(folders, sizeof folders, "unix_socket_directories=\"");
        for (const char *s = cl->sock; *s && n + 4 < sizeof folders; s++) {             /* a list with quotes, PostgreSQL 15 section 20.3.1 */
                if (*s == '"') folders[n++] = '"';
                folders[n++] = *s;
        }
        snprintf(folders + n, sizeof folders - n, "\"");
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);       /* signals of the program are the loops' */
        bool was_up = false;
        for (int pause = BACKOFF_MIN_MS, lives = 0; lives < INT_MAX; lives++) {
                int64_t born = clock_us();
                if (one_life(cl, folders, &was_up) == STOP) break;
                pause = clock_us() - born > 60000000 ? BACKOFF_MIN_MS : MIN(2 * pause, BACKOFF_MAX_MS);
                if (!was_up && lives > 20) tell(cl, CLUSTER_FAILED, UNAVAILABLE, "the remains of an earlier server do not go away");
                if (poll(&(struct pollfd){ .fd = cl->stop_fd, .events = POLLIN }, 1, pause) > 0) break;
        }
        return NULL;
}

int keeper_start(struct ctx *c, struct cluster *cl)
{
        cl->stop_fd = eventfd(0, EFD_CLOEXEC);
        if (cl->stop_fd < 0 || pthread_create(&cl->keeper, NULL, keeper, cl) != 0) {
                if (cl->stop_fd >= 0) close(cl->stop_fd);
                cl->stop_fd = -1;
                return fail(c, INTERNAL, "no_thread", "cannot start a thread for PostgreSQL");
        }
        pthread_mutex_lock(&cl->lock);
        while (cl->state == CLUSTER_STARTING) pthread_cond_wait(&cl->changed, &cl->lock);
        int code = cl->state == CLUSTER_FAILED ? cl->code : 0;
        pthread_mutex_unlock(&cl->lock);
        if (!code) return 0;
        keeper_stop(cl);
        return fail(c, (enum code)code, "database_did_not_start", "PostgreSQL did not start: %s (its log: %s)", cl->error, cl->log);
}

void keeper_stop(struct cluster *cl)
{
        uint64_t one = 1;
        if (write(cl->stop_fd, &one, sizeof one) != sizeof one) abort();
        pthread_join(cl->keeper, NULL);
        close(cl->stop_fd);
        cl->stop_fd = -1;
}
