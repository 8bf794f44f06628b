/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * usage.c - /proc/PID/stat and /proc/PID/status, of a process and of the children of one. */
#include "usage.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "text.h"

enum { CHILDREN_MAX = 1000 };
struct times { int parent; int64_t own_us, ended_us; };                 /* ended: of its children that it has waited for */

static bool times_of(int pid, struct times *out)
{
        char path[64], text[1024];
        long long own[2], ended[2];
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = fopen(path, "re");
        if (!f) return false;
        size_t n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        text[n] = 0;
        const char *rest = strrchr(text, ')');          /* the name may hold anything */
        if (!rest || sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %lld %lld", &out->parent, &own[0], &own[1], &ended[0], &ended[1]) != 5)
                return false;
        int64_t tick_us = 1000000 / sysconf(_SC_CLK_TCK);
        out->own_us = (own[0] + own[1]) * tick_us;
        out->ended_us = (ended[0] + ended[1]) * tick_us;
        return true;
}

int children_of(int parent, int *pids, int max)
{
        int n = 0;
        struct times t;
        DIR *d = opendir("/proc");
        for (struct dirent *e; d && n < max && (e = readdir(d));) {
                int pid = atoi(e->d_name);
                if (pid > 0 && times_of(pid, &t) && t.parent == parent) pids[n++] = pid;
        }
        if (d) closedir(d);
        return n;
}

static int64_t children_us(int parent)
{
        int pids[CHILDREN_MAX], n = children_of(parent, pids, CHILDREN_MAX);
        int64_t sum = 0;
        struct times t;
        for (int i = 0; i < n; i++)
                if (times_of(pids[i], &t)) sum += t.own_us;
        return sum;
}

/* A backend that ends while the others are read would be counted twice or not at all: then read again. */
static int64_t family_us(int pid)
{
        struct times before, after;
        for (int i = 0; i < 10; i++) {
                if (!times_of(pid, &before)) return -1;
                int64_t sum = children_us(pid);
                if (times_of(pid, &after) && after.ended_us == before.ended_us) return after.own_us + after.ended_us + sum;
        }
        return -1;
}

static double peak_mib(int pid)
{
        char path[64], line[256];
        double kib = -1024;
        snprintf(path, sizeof path, "/proc/%d/status", pid);
        FILE *f = fopen(path, "re");
        while (f && fgets(line, sizeof line, f))
                if (sscanf(line, "VmHWM: %lf", &kib) == 1) break;
        if (f) fclose(f);
        return kib / 1024;
}

static int first_number(const char *path)
{
        int n = 0;
        FILE *f = fopen(path, "re");
        if (!f) return 0;
        if (fscanf(f, "%d", &n) != 1) n = 0;
        fclose(f);
        return MAX(n, 0);
}

struct costs costs_of(struct ctx *c, const struct shop *s)
{
        struct costs of = { 0 };
        if (!s->is_private) return of;
        of.server_pid = s->pid;
        str path = arena_printf(c->arena, STR_FMT "/pg/postmaster.pid", STR_ARG(s->data));
        of.postmaster_pid = path.p ? first_number(path.p) : 0;
        return of;
}

struct usage usage_now(const struct costs *of)
{
        struct times t;
        struct usage u = { -1, -1, -1 };
        if (of->server_pid && times_of(of->server_pid, &t)) {
                u.server_us = t.own_us;
                u.resident_mib = peak_mib(of->server_pid);
        }
        if (of->postmaster_pid) u.database_us = family_us(of->postmaster_pid);
        return u;
}
