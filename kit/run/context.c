/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * context.c - the first frame of a stack, and the whole switch where there is no assembly for the machine. */
#include "context.h"

#if CONTEXT_IS_SP
void context_entry(void);       /* switch.S: calls the saved fn with the saved arg */

/* Lays down what context_switch() will pop: all zero but fn, arg and where to return to. Both ABIs want sp at 16 bytes. */
void context_make(struct context *to, void *low, size_t n_bytes, void (*fn)(void *arg), void *arg)
{
        uintptr_t top = ((uintptr_t)low + n_bytes) & ~(uintptr_t)15;
#if defined(__x86_64__)
        void **sp = (void **)(top - 9 * sizeof(void *));         /* r15 r14 r13 r12 rbx rbp, return address, nothing twice */
        memset(sp, 0, 9 * sizeof(void *));
        sp[3] = (void *)fn;
        sp[2] = arg;
        sp[6] = (void *)context_entry;
#else
        void **sp = (void **)(top - 20 * sizeof(void *));        /* d8-d15, x19-x30                                  */
        memset(sp, 0, 20 * sizeof(void *));
        sp[8] = (void *)fn;
        sp[9] = arg;
        sp[19] = (void *)context_entry;
#endif
        to->sp = sp;
}
#else
/* makecontext() passes ints, so the pointers travel in halves. */
static void enter(unsigned fn_high, unsigned fn_low, unsigned arg_high, unsigned arg_low)
{
        void (*fn)(void *) = (void (*)(void *))(uintptr_t)((uint64_t)fn_high << 32 | fn_low);
        fn((void *)(uintptr_t)((uint64_t)arg_high << 32 | arg_low));
}

void context_make(struct context *to, void *low, size_t n_bytes, void (*fn)(void *arg), void *arg)
{
        uint64_t f = (uintptr_t)fn, a = (uintptr_t)arg;
        int got = getcontext(&to->u);
        assert(got == 0);
        to->u.uc_stack.ss_sp = low;
        to->u.uc_stack.ss_size = n_bytes;
        to->u.uc_link = NULL;
        makecontext(&to->u, (void (*)(void))enter, 4, (unsigned)(f >> 32), (unsigned)f, (unsigned)(a >> 32), (unsigned)a);
}

void context_switch(struct context *from, struct context *to)
{
        int switched = swapcontext(&from->u, &to->u);
        assert(switched == 0);
}
#endif
