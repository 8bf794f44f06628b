/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * usage.h - what the marketplace costs: CPU and memory of the server that runs from DIR, and of its private PostgreSQL.
 *
 * Read from /proc (proc(5)): utime + stime of the server; of the postmaster, its backends and those that have ended. Nothing is known of a
 * marketplace on another machine, nor of a database that is not its own. Threads: pure. */
#ifndef USAGE_H
#define USAGE_H
#include "cli.h"

struct usage { int64_t server_us, database_us; double resident_mib; };  /* -1: not known; resident: the server's peak */
struct costs { int server_pid, postmaster_pid; };                       /* 0: not known                        */

int children_of(int parent, int *pids, int max);        /* processes whose parent it is, at most `max` of them; how many */
struct costs costs_of(struct ctx *c, const struct shop *s);
struct usage usage_now(const struct costs *of);
#endif
