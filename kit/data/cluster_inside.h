/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cluster_inside.h - what the three files of a cluster share: where it lies, who runs it, its keeper.
 *
 * cluster.c lays it out and makes the data, cluster_keeper.c is the thread that starts, watches and stops the server, cluster_spawn.c
 * turns a process into the server's user and program. Private to data/. */
#ifndef CLUSTER_INSIDE_H
#define CLUSTER_INSIDE_H
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include "cluster.h"

enum { CLUSTER_LOG_MAX_BYTES = 8 << 20, CLUSTER_GROUPS_MAX = 64, CLUSTER_ERROR_MAX = 400 };

struct run_as {                         /* the user of the server                                   */
        bool  change;                   /* this program is root                                     */
        uid_t uid;
        gid_t gid, groups[CLUSTER_GROUPS_MAX];
        int   n_groups;
        char  name[64];
};

struct cluster {
        char  dir[PATH_MAX], place[PATH_MAX], data[PATH_MAX], sock[PATH_MAX], log[PATH_MAX], bin[PATH_MAX];
        char  url[3 * PATH_MAX];
        int   major;                    /* of the programs in bin; 0: not known                     */
        struct run_as as;
        int   timeout_ms;

        pthread_t       keeper;
        pthread_mutex_t lock;           /* guards state and error                                   */
        pthread_cond_t  changed;
        enum { CLUSTER_STARTING, CLUSTER_UP, CLUSTER_FAILED } state;
        int             code;           /* why it failed                                            */
        char            error[CLUSTER_ERROR_MAX];
        int             stop_fd;        /* eventfd: written once, the keeper stops                  */
        atomic_int      pid;
};

/* cluster_spawn.c */
int  run_as_find(struct ctx *c, const char *data, struct run_as *out);  /* data: its owner runs it; NULL: `postgres` */
bool run_as_reaches(const struct run_as *as, const char *dir);          /* that user may enter it                   */
/* Starts argv[0] as that user in a session of its own, its words appended to `log`, in folder `cwd`. death: the signal it gets when the
 * calling thread ends. returns its pid, or -INTERNAL */
pid_t spawn(const struct run_as *as, char *const *argv, const char *log, const char *cwd, int death);
/* Waits for a child; -1: it did not end within the time. Else its wait status. */
int  reap(pid_t pid, int timeout_ms);
bool wait_gone(pid_t pid, int timeout_ms);                              /* the same for a process that is no child  */

/* cluster_keeper.c */
int  keeper_start(struct ctx *c, struct cluster *cl);                   /* returns when the server answers, or why not */
void keeper_stop(struct cluster *cl);
/* The pid in DATA/postmaster.pid; 0: none. *ready: that server takes connections. */
pid_t postmaster_of(const char *data, bool *ready);
#endif
