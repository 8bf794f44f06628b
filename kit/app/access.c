/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * access.c - one line a request, through a buffer of the worker: a write(2) each would cost more than the rest of the edge.
 *
 *     access-log=all     every request     errors   answers of 500 and over, and what codes.def calls a warning     none   only INTERNAL
 *
 * Lines wait 100 ms or 64 KiB at most; an ERROR is written at once, with what waits before it. A fiber sleeps only while lines wait. */
#include "engine.h"

enum { FLUSH_MS = 100, FLUSH_BYTES = 64 * 1024 };

void access_flush(struct worker *w)
{
        log_flush(&w->access);
}

static void flush_later(void *arg)
{
        struct worker *w = arg;
        w->flusher = fiber_self();
        (void)fiber_sleep(NULL, FLUSH_MS);
        w->flusher = NULL;
        access_flush(w);
}

void access_stop(struct worker *w)
{
        if (w->flusher) fiber_cancel(w->flusher);
        access_flush(w);
}

static bool is_wanted(enum access_log mode, const struct request *q, enum level level)
{
        if (mode == ACCESS_ALL || level == ERROR) return true;
        return mode == ACCESS_ERRORS && (level == WARN || q->x->status >= 500);
}

void access_line(struct request *q)
{
        const struct ctx *c = q->c;
        const struct fault *f = &c->fault;
        enum level level = q->code ? code_level(q->code) : INFO;
        if (!is_wanted(q->w->app->access_log, q, level) || !log_is_on(level)) return;
        str why = { NULL, 0 }, at = { NULL, 0 };
        if ((level >= WARN || q->code == -UNAUTHENTICATED) && f->file) {
                why = f->message;
                at = arena_printf(c->arena, "%s:%d", f->file, f->line);
        }
        struct log_field fields[] = {
                L_STR("method", q->x->head.method_text), L_STR("path", q->x->head.path), L_INT("status", q->x->status),
                L_MS("took_ms", clock_us() - q->started_us), L_INT("bytes", (int64_t)q->x->body->n),
                L_STR("request", c->trace.request_id), L_UID("user", c->caller.id), L_Z("client", q->x->peer),
                L_Z("slug", q->code ? problem_slug(c, q->code) : NULL),
                L_STR("why", why), L_STR("at", at), { 0 } };
        log_line(&q->w->access, level, "request", fields);
        if (level == ERROR || q->w->access.n > FLUSH_BYTES) access_flush(q->w);
        else if (!q->w->flusher && fiber_start("access log", flush_later, q->w) < 0) access_flush(q->w);
}
