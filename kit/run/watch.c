/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * watch.c - readiness of descriptors on top of uv_poll, and fd_watch for descriptors of libraries. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include "inside.h"
#include "io.h"
#include "watch.h"

enum { ROOM_MAX = 65536 };

static void on_ready(uv_poll_t *h, int status, int events);

static int arm(struct watch *w, int events)
{
        if (w->armed == events) return 0;
        int r;
        if (!w->inited) {
                r = uv_poll_init(&loop_here->uv, &w->poll, w->fd);
                if (r < 0) return r;
                w->inited = true;
        }
        r = events ? uv_poll_start(&w->poll, events, on_ready) : uv_poll_stop(&w->poll);
        w->armed = r < 0 ? 0 : events;
        return r;
}

static void hand_out(struct watch *w, int events)
{
        for (int i = 0; i < 2; i++) {
                if (!(events & ~w->fired & (1 << i)) || !w->waits[i]) continue;
                w->fired |= 1 << i;
                fiber_wake(w->waits[i]);
        }
}

static void on_ready(uv_poll_t *h, int status, int events)
{
        struct watch *w = CONTAINER(h, struct watch, poll);
        if (status < 0) {               /* libuv has stopped it; the next read or write brings the error */
                w->armed = 0;
                hand_out(w, WATCH_READ | WATCH_WRITE);
                return;
        }
        hand_out(w, events);
        int keep = w->armed;
        for (int i = 0; i < 2; i++)
                if (!w->waits[i] && (events & (1 << i))) keep &= ~(1 << i);
        arm(w, keep);
}

static void poll_free(uv_handle_t *h)
{
        free(h);
}

/* The table grows with the highest descriptor that is watched: so that is watched, once. */
void fd_room(int descriptors)
{
        struct rlimit l = { .rlim_cur = ROOM_MAX };
        getrlimit(RLIMIT_NOFILE, &l);
        int most = MIN(descriptors, (int)MIN(l.rlim_cur, (rlim_t)ROOM_MAX));
        int fd = eventfd(0, EFD_CLOEXEC), high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, most - 1);
        uv_poll_t *poll = high < 0 ? NULL : calloc(1, sizeof *poll);
        if (poll && uv_poll_init(&loop_here->uv, poll, high) == 0) {
                uv_poll_start(poll, UV_READABLE, on_ready);
                uv_poll_stop(poll);
                uv_close((uv_handle_t *)poll, poll_free);
        } else {
                free(poll);
        }
        if (high >= 0) close(high);
        if (fd >= 0) close(fd);
}

void watch_setup(struct watch *w, int fd, void (*gone)(struct watch *w))
{
        *w = (struct watch){ .fd = fd, .gone = gone };
}

int watch_wait(const struct ctx *c, struct watch *w, int want, const char *where)
{
        if (arm(w, w->armed | want) < 0) return -UNAVAILABLE;
        struct fiber *self = fiber_self();
        for (int i = 0; i < 2; i++) {
                if (!(want & (1 << i))) continue;
                assert(!w->waits[i]);   /* one reader, one writer */
                w->waits[i] = self;
        }
        w->fired &= ~want;
        int verdict = fiber_wait(c, where);
        for (int i = 0; i < 2; i++)
                if (want & (1 << i)) w->waits[i] = NULL;
        return verdict < 0 ? verdict : w->fired & want;
}

void watch_wake(struct watch *w)
{
        for (int i = 0; i < 2; i++)
                if (w->waits[i]) fiber_wake(w->waits[i]);
}

static void on_closed(uv_handle_t *h)
{
        struct watch *w = CONTAINER(h, struct watch, poll);
        w->gone(w);
}

void watch_close(struct watch *w)
{
        assert(!w->waits[0] && !w->waits[1]);
        if (w->inited)
                uv_close((uv_handle_t *)&w->poll, on_closed);
        else
                w->gone(w);
}

/* ---- descriptors of libraries ---------------------------------------------------------------------------------------------- */
struct fd_watch { struct watch w; };

static void fd_watch_gone(struct watch *w)
{
        free(CONTAINER(w, struct fd_watch, w));
}

struct fd_watch *fd_watch_open(int fd)
{
        struct fd_watch *fw = calloc(1, sizeof *fw);
        assert(fw);
        watch_setup(&fw->w, fd, fd_watch_gone);
        return fw;
}

void fd_watch_close(struct fd_watch **w)
{
        if (!w || !*w) return;
        watch_close(&take(w)->w);
}

int fd_wait(struct ctx *c, struct fd_watch *fw, int want)
{
        int got;
        do got = watch_wait(c, &fw->w, want, "fd_wait"); while (got == 0);
        if (got == -UNAVAILABLE) return fail(c, UNAVAILABLE, "bad_descriptor", "descriptor %d cannot be waited for", fw->w.fd);
        return wait_fault(c, got, "fd_wait");
}
