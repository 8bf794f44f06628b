/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * stack.c - mapping stacks, and saying whose was too small.
 *
 *      low                                                                    high
 *      | guard: faults | stack, grows down <---------------- | struct fiber |
 *
 * A guard made by madvise(MADV_GUARD_INSTALL, Linux 6.13) does not split the mapping, so tens of thousands of stacks stay below
 * vm.max_map_count; older kernels get mprotect. A fault in the guard of the running fiber is told on standard error by a handler
 * on an alternate stack, which then lets the fault happen again with the default action. */
#include <sys/mman.h>
#include <unistd.h>
#include "inside.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
        GUARD_BYTES     = 16384,        /* rounded up to pages                                      */
        ALTERNATE_BYTES = 65536,        /* the kernel's frame alone may take 12 KiB (AVX-512, AMX)  */
};

/* Sanitizers put red zones around every variable. */
static size_t stack_bytes = (SAN_ADDRESS || SAN_THREAD) ? 256 * 1024 : 64 * 1024;

void fiber_stacks(size_t bytes)
{
        assert(bytes >= 16 * 1024 && bytes <= 64 * 1024 * 1024);
        stack_bytes = bytes;
}

static size_t page_up(size_t n)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        return (n + page - 1) / page * page;
}

struct fiber *stack_map(void)
{
        size_t guard = page_up(GUARD_BYTES), n = guard + page_up(stack_bytes);
        char *map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
        if (map == MAP_FAILED) return NULL;
        if (madvise(map, guard, MADV_GUARD_INSTALL) < 0 && mprotect(map, guard, PROT_NONE) < 0) {
                munmap(map, n);
                return NULL;
        }
        struct fiber *f = (struct fiber *)(((uintptr_t)map + n - sizeof *f) & ~(uintptr_t)63);
        f->map = map;
        f->map_bytes = n;
        san_init(&f->san, map + guard, (size_t)((char *)f - map) - guard, true);
        return f;
}

void stack_unmap(struct fiber *f)
{
        san_done(&f->san);
        munmap(f->map, f->map_bytes);
}

/* ---- overflow ---------------------------------------------------------------------------------------------------------- */
static struct sigaction before;

static void say(const char *z)
{
        ssize_t n = write(STDERR_FILENO, z, strlen(z));
        (void)n;
}

static void on_fault(int signo, siginfo_t *info, void *machine)
{
        struct loop *l = loop_here;
        struct fiber *f = l ? l->current : NULL;
        const char *at = info->si_addr;
        if (f && at >= (const char *)f->map && at < (const char *)f->san.low) {
                say("fiber \"");
                say(f->name);
                say("\" ran past the end of its stack\n");
                sigaction(signo, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
        } else if (before.sa_flags & SA_SIGINFO) {
                before.sa_sigaction(signo, info, machine);
        } else {
                sigaction(signo, &before, NULL);
        }
}

void alternate_init(struct alternate *a)
{
        a->map = mmap(NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert(a->map != MAP_FAILED);
        sigaltstack(&(stack_t){ .ss_sp = a->map, .ss_size = ALTERNATE_BYTES }, &a->before);
}

void alternate_done(struct alternate *a)
{
        sigaltstack(&a->before, NULL);
        munmap(a->map, ALTERNATE_BYTES);
}

void stack_watch_start(void)
{
        struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
        sigaction(SIGSEGV, &a, &before);
}

void stack_watch_stop(void)
{
        sigaction(SIGSEGV, &before, NULL);
}
