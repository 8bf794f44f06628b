/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * watch.h - waiting until a descriptor is ready; what sockets, listeners and fd_watch are made of; private to run/.
 *
 * Level-triggered: the watcher is armed at the first wait and stays so, until it fires while nobody waits for that event. So a
 * connection that reads, answers and reads again costs no epoll_ctl. Threads: one loop. */
#ifndef WATCH_H
#define WATCH_H
#include <uv.h>
#include "ctx.h"

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

struct watch {
        uv_poll_t     poll;
        int           fd;
        int           armed;            /* events libuv looks for                                   */
        struct fiber *waits[2];         /* who waits to read, to write                              */
        int           fired;            /* events since their waiter went to sleep                  */
        bool          inited;           /* poll is libuv's: it must be closed before memory goes    */
        void        (*gone)(struct watch *w);   /* after watch_close(): frees what w lies in        */
};

void watch_setup(struct watch *w, int fd, void (*gone)(struct watch *w));
/* Sleeps until an event of `want`, watch_wake(), c's deadline or cancellation. Waits.
 *   returns  a set of events, 0 when woken for another reason, -DEADLINE_EXCEEDED, -CANCELLED (not told to c), -UNAVAILABLE */
int  watch_wait(const struct ctx *c, struct watch *w, int want, const char *where);
void watch_wake(struct watch *w);       /* everybody who waits                                      */
void watch_close(struct watch *w);      /* w->gone(w) later, from the loop; the descriptor may be closed at once */
#endif
