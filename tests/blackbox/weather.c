/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * weather.c - the wall clock and the resolver of a program under test, for test_weather.py to turn while the program runs.
 *
 * Preloaded. $WEATHER names a file of two numbers: microseconds that the wall clock is wrong by, and what becomes of names (0 they have
 * addresses, 1 they have none, 2 nobody answers). The monotonic clock is left alone, as a machine leaves it alone when its time is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NAMES_OK, NAMES_GONE, NAMES_HANG };
struct weather { volatile int64_t wrong_us, names; };

static const struct weather fair, *now = &fair;
static int (*real_lookup)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

__attribute__((constructor)) static void look_out(void)
{
        const char *path = getenv("WEATHER");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *at = fd >= 0 ? mmap(NULL, sizeof *now, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
        if (at != MAP_FAILED) now = at;
        if (fd >= 0) close(fd);
        real_lookup = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
}

int clock_gettime(clockid_t id, struct timespec *t)
{
        long r = syscall(SYS_clock_gettime, id, t);
        if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
                int64_t us = (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000 + now->wrong_us;
                *t = (struct timespec){ us / 1000000, us % 1000000 * 1000 };
        }
        return (int)r;
}

time_t time(time_t *out)
{
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        if (out) *out = t.tv_sec;
        return t.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
        struct timespec t;
        (void)zone;
        clock_gettime(CLOCK_REALTIME, &t);
        *out = (struct timeval){ t.tv_sec, t.tv_nsec / 1000 };
        return 0;
}

/* Names that end in .test are ours, and every one of them is this machine. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *want, struct addrinfo **out)
{
        size_t n = host ? strlen(host) : 0;
        bool ours = n > 5 && !strcmp(host + n - 5, ".test");
        if (ours && want && want->ai_flags & AI_NUMERICHOST) return EAI_NONAME;
        while (ours && now->names == NAMES_HANG) poll(NULL, 0, 10);
        if (ours && now->names == NAMES_GONE) return EAI_AGAIN;
        return real_lookup(ours ? "127.0.0.1" : host, port, want, out);
}
