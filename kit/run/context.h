/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * context.h - a place to continue on another stack; only fiber.c uses it.
 *
 * On x86-64 and aarch64 a context is one stack pointer and a switch is switch.S: callee-saved registers pushed, stack
 * pointers exchanged, registers popped. Floating-point control words are not saved, for nothing here changes them, nor is the
 * signal mask, whose saving costs swapcontext() two system calls. Elsewhere, or with -DSOUK_UCONTEXT=ON to cmake, it is ucontext.
 * Threads: a context is made, entered and left on one thread. */
#ifndef CONTEXT_H
#define CONTEXT_H
#include "base.h"

#if ((defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__)) && !defined(SOUK_UCONTEXT)
#define CONTEXT_IS_SP 1
struct context { void *sp; };
#else
#define CONTEXT_IS_SP 0
#include <ucontext.h>
struct context { ucontext_t u; };
#endif

/* The first switch to `to` calls fn(arg) on the stack [low, low + n_bytes); fn must not return. */
void context_make(struct context *to, void *low, size_t n_bytes, void (*fn)(void *arg), void *arg);
void context_switch(struct context *from, struct context *to);   /* returns when somebody switches to `from`        */
#endif
