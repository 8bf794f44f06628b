/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cluster_spawn.c - processes of the server's user: who that is, how one becomes it, how one waits for it.
 *
 * Between fork and exec only system calls are made, since other threads may hold locks of the C library. Everything that needs
 * more (names, groups) is looked up before. Called by cluster.c and its keeper, never from a loop. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cluster_inside.h"

int run_as_find(struct ctx *c, const char *data, struct run_as *out)
{
        struct stat st;
        struct passwd *pw = NULL;
        bool there = data && stat(data, &st) == 0;
        *out = (struct run_as){ .uid = geteuid(), .gid = getegid() };
        if (geteuid() != 0) {
                if (there && st.st_uid != geteuid())
                        return fail(c, FAILED_PRECONDITION, "database_of_another_user", "the database in %s belongs to user %u, not to you (%u): "
                                    "run as that user or choose another --data", data, (unsigned)st.st_uid, (unsigned)geteuid());
                return 0;
        }
        pw = there && st.st_uid != 0 ? getpwuid(st.st_uid) : getpwnam("postgres");
        if (!pw)
                return fail(c, FAILED_PRECONDITION, "no_postgres_user", "PostgreSQL refuses to run as root and there is no user `postgres` to run it as");
        out->change = true;
        out->uid = pw->pw_uid;
        out->gid = pw->pw_gid;
        out->n_groups = CLUSTER_GROUPS_MAX;
        if (getgrouplist(pw->pw_name, pw->pw_gid, out->groups, &out->n_groups) < 0) out->n_groups = CLUSTER_GROUPS_MAX;
        snprintf(out->name, sizeof out->name, "%s", pw->pw_name);
        return 0;
}

/* In a child: system calls only. */
static void become(const struct run_as *as)
{
        if (!as->change) return;
        if (setgroups((size_t)as->n_groups, as->groups) < 0 || setresgid(as->gid, as->gid, as->gid) < 0 || setresuid(as->uid, as->uid, as->uid) < 0)
                _exit(126);
}

bool run_as_reaches(const struct run_as *as, const char *dir)
{
        if (!as->change) return access(dir, X_OK) == 0;
        pid_t pid = fork();
        if (pid == 0) {
                become(as);
                _exit(chdir(dir) == 0 ? 0 : 1);
        }
        return pid > 0 && reap(pid, 10000) == 0;
}

static char *const clean_environment[] = { (char *)"PATH=/usr/local/bin:/usr/bin:/bin", (char *)"LC_ALL=C", (char *)"TZ=UTC", NULL };

static void child(const struct run_as *as, char *const *argv, int log, const char *cwd, int death, pid_t parent)
{
        sigset_t none;
        sigemptyset(&none);
        for (int signo = 1; signo < NSIG; signo++) signal(signo, SIG_DFL);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        umask(077);
        int null = open("/dev/null", O_RDONLY);
        if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) _exit(126);
        syscall(SYS_close_range, 3U, ~0U, 0U);
        become(as);
        prctl(PR_SET_PDEATHSIG, death);                 /* a change of user clears it, so after that */
        if (getppid() != parent || chdir(cwd) < 0) _exit(126);
        execve(argv[0], argv, clean_environment);
        _exit(127);
}

pid_t spawn(const struct run_as *as, char *const *argv, const char *log, const char *cwd, int death)
{
        pid_t parent = getpid();
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) return -INTERNAL;
        pid_t pid = fork();
        if (pid == 0) child(as, argv, fd, cwd, death, parent);
        close(fd);
        return pid > 0 ? pid : -INTERNAL;
}

/* Linux 5.3 has pidfd_open, which also tells of the end of one whose parent does not reap; where it is missing, short naps do. */
static bool wait_for_end(pid_t pid, int timeout_ms, bool (*is_over)(pid_t pid, int *status), int *status)
{
        struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
        int nap = p.fd >= 0 ? timeout_ms : 5;
        bool over = is_over(pid, status);
        for (int left = timeout_ms; !over && left > 0; left -= nap) {
                int r = poll(&p, p.fd >= 0, MIN(nap, left));
                over = is_over(pid, status) || r > 0;
                if (r < 0 && errno != EINTR) break;
        }
        if (p.fd >= 0) close(p.fd);
        return over;
}

static bool is_reaped(pid_t pid, int *status)
{
        pid_t r = waitpid(pid, status, WNOHANG);
        return r == pid || (r < 0 && errno == ECHILD);
}

static bool is_gone(pid_t pid, int *status)
{
        *status = 0;
        return kill(pid, 0) < 0 && errno == ESRCH;
}

int reap(pid_t pid, int timeout_ms)
{
        int status = 0;
        return wait_for_end(pid, timeout_ms, is_reaped, &status) ? status : -1;
}

bool wait_gone(pid_t pid, int timeout_ms)
{
        int status;
        return wait_for_end(pid, timeout_ms, is_gone, &status);
}
