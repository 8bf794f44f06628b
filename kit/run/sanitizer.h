/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sanitizer.h - what AddressSanitizer, ThreadSanitizer and valgrind must be told of stacks and switches; private to run/.
 *
 * Without them every function here is empty. Order around a switch: san_leave, context_switch, san_arrive. */
#ifndef SANITIZER_H
#define SANITIZER_H
#include "base.h"

#if defined(__has_feature)
#define HAS_FEATURE_(x) __has_feature(x)
#else
#define HAS_FEATURE_(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE_(address_sanitizer)
#define SAN_ADDRESS 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define SAN_ADDRESS 0
#endif
#if defined(__SANITIZE_THREAD__) || HAS_FEATURE_(thread_sanitizer)
#define SAN_THREAD 1
#include <sanitizer/tsan_interface.h>
#else
#define SAN_THREAD 0
#endif
#if __has_include(<valgrind/valgrind.h>) && !SAN_ADDRESS && !SAN_THREAD
#include <valgrind/valgrind.h>
#define SAN_VALGRIND 1
#else
#define SAN_VALGRIND 0
#endif

/* One a stack: of a fiber, or of the thread that runs the loop. */
struct san {
        const void *low; size_t n_bytes;        /* the stack                                        */
        void       *fake;                       /* asan: the fake stack while it is left            */
        void       *thread;                     /* tsan: its name for this stack                    */
        unsigned    valgrind;                   /* its number for this stack                        */
        bool        is_fiber;
};

static inline void san_init(struct san *s, const void *low, size_t n_bytes, bool is_fiber)
{
        *s = (struct san){ .low = low, .n_bytes = n_bytes, .is_fiber = is_fiber };
#if SAN_THREAD
        s->thread = is_fiber ? __tsan_create_fiber(0) : __tsan_get_current_fiber();
#endif
#if SAN_VALGRIND
        if (is_fiber) s->valgrind = VALGRIND_STACK_REGISTER(low, (const char *)low + n_bytes);
#endif
}

static inline void san_done(struct san *s)
{
#if SAN_ADDRESS
        if (s->is_fiber) ASAN_UNPOISON_MEMORY_REGION(s->low, s->n_bytes);
#endif
#if SAN_THREAD
        if (s->is_fiber) __tsan_destroy_fiber(s->thread);
#endif
#if SAN_VALGRIND
        if (s->is_fiber) VALGRIND_STACK_DEREGISTER(s->valgrind);
#endif
        (void)s;
}

static inline void san_leave(struct san *from, struct san *to)
{
#if SAN_ADDRESS
        __sanitizer_start_switch_fiber(&from->fake, to->low, to->n_bytes);
#endif
#if SAN_THREAD
        __tsan_switch_to_fiber(to->thread, 0);
#endif
        (void)from, (void)to;
}

static inline void san_arrive(struct san *at)
{
#if SAN_ADDRESS
        __sanitizer_finish_switch_fiber(at->fake, NULL, NULL);
#endif
        (void)at;
}

static inline bool san_on_valgrind(void)
{
#if SAN_VALGRIND
        return RUNNING_ON_VALGRIND != 0;
#else
        return false;
#endif
}
#endif
