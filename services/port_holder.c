/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * port_holder.c - from a port to its socket (/proc/net/tcp), from the socket to a process that has it open (/proc/PID/fd).
 *
 * Only what this user may see is found. Source: proc(5). */
#include "port_holder.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LISTENING = 0x0a, SOCKETS_MAX = 64 };

static int sockets_of(const char *table, int port, unsigned long *inodes, int n)
{
        char line[512];
        FILE *f = fopen(table, "re");
        while (f && n < SOCKETS_MAX && fgets(line, sizeof line, f)) {
                unsigned local, state;
                unsigned long inode;
                if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu", &local, &state, &inode) == 3 &&
                    (int)local == port && state == LISTENING)
                        inodes[n++] = inode;
        }
        if (f) fclose(f);
        return n;
}

static bool has_open(const char *pid, const unsigned long *inodes, int n)
{
        char path[300], target[64];
        bool found = false;
        snprintf(path, sizeof path, "/proc/%s/fd", pid);
        DIR *d = opendir(path);
        for (struct dirent *e; d && !found && (e = readdir(d));) {
                unsigned long inode;
                ssize_t length = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
                if (length < 0) continue;
                target[length] = 0;
                if (sscanf(target, "socket:[%lu]", &inode) != 1) continue;
                for (int i = 0; i < n; i++) found |= inodes[i] == inode;
        }
        if (d) closedir(d);
        return found;
}

bool port_holder(int port, char *out, size_t size)
{
        unsigned long inodes[SOCKETS_MAX];
        bool found = false;
        int n = sockets_of("/proc/net/tcp", port, inodes, 0);
        n = sockets_of("/proc/net/tcp6", port, inodes, n);
        DIR *d = n ? opendir("/proc") : NULL;
        for (struct dirent *e; d && !found && (e = readdir(d));) {
                char path[300], name[64] = "";
                if (e->d_name[0] < '0' || e->d_name[0] > '9' || !has_open(e->d_name, inodes, n)) continue;
                snprintf(path, sizeof path, "/proc/%s/comm", e->d_name);
                FILE *f = fopen(path, "re");
                if (f && fgets(name, sizeof name, f)) name[strcspn(name, "\n")] = 0;
                if (f) fclose(f);
                snprintf(out, size, "%s (process %s)", name[0] ? name : "a program", e->d_name);
                found = true;
        }
        if (d) closedir(d);
        return found;
}
