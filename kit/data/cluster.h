/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cluster.h - a private PostgreSQL that lives under one directory and exactly as long as this program.
 *
 *     DIR/pg/              its data, or a link to /var/lib/souk/<id>/pg when the server's user cannot reach DIR
 *     DIR/pg.sock/         its Unix socket (0700); under /tmp when that path would be too long. It never listens on TCP
 *     DIR/postgresql.log   what it says; at 8 MiB it is moved to postgresql.log.1
 *
 * A thread of its own keeps it: starts the server in a session of its own (Ctrl-C of a terminal does not reach it) which the kernel
 * stops when this program dies in whatever way, starts it again when it ends by itself, and stops it last. Run by root, the server is the
 * user `postgres`, or who owns the data. Data is durable: fsync and synchronous_commit stay on.
 * Threads: open and close block; call them where no loop runs. One program a DIR (the caller holds a lock). */
#ifndef CLUSTER_H
#define CLUSTER_H
#include "ctx.h"

struct cluster;
struct cluster_options {
        const char *dir;                        /* absolute, without links, there already                           */
        bool  anew;                             /* data that is there is removed first                              */
        void (*progress)(const char *what, void *arg);  /* "starting PostgreSQL 15"; may be NULL                    */
        void *arg;
        int   timeout_ms;                       /* for starting and for stopping; 0: 30 s                           */
};
/* Makes the data when there is none, ends a server that a killed program left, starts the server and waits until it answers. Blocks.
 *   returns  0, -NOT_FOUND no PostgreSQL 15 or newer on this machine, -FAILED_PRECONDITION the data is another user's or version's,
 *            -UNAVAILABLE it did not start (its own words in the fault), -DEADLINE_EXCEEDED, -INTERNAL a file could not be made */
int  cluster_open(struct ctx *c, const struct cluster_options *o, struct cluster **out);
/* Stops it: clients are cut off, everything is on disk. Blocks up to the time-out, then is rougher. Takes pointers to NULL. */
void cluster_close(struct cluster **cl);

const char *cluster_url(const struct cluster *cl);      /* of its superuser, database postgres; a libpq URI         */
const char *cluster_data(const struct cluster *cl);     /* where the data really is                                 */
int  cluster_pid(const struct cluster *cl);             /* of the server now; 0 between two                         */
#endif
