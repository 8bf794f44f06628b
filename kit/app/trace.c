/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * trace.c - who a request is: its id and its place in a trace (W3C Trace Context level 1, traceparent version 00).
 *
 * A request without a traceparent begins a trace; ids come from the worker's own generator, seeded from the system once: they must be
 * unlikely to repeat, not hard to guess. A client's X-Request-Id is kept when it is harmless. */
#include "engine.h"
#include "text.h"

enum { REQUEST_ID_MAX = 64 };

static bool is_zero(const uint8_t *p, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (p[i]) return false;
        return true;
}

/* Later versions may bring more after the flags; 00 has exactly this. ff is forbidden. */
bool traceparent_read(str h, struct trace *out)
{
        uint8_t version, flags;
        struct trace t = { 0 };
        if (h.n < 55 || h.p[2] != '-' || h.p[35] != '-' || h.p[52] != '-') return false;
        if (hex_read(str_cut(h, 0, 2), &version, 1) < 0 || version == 0xff || (version == 0 && h.n != 55)) return false;
        if (h.n > 55 && h.p[55] != '-') return false;
        if (hex_read(str_cut(h, 3, 35), t.trace_id, 16) < 0 || hex_read(str_cut(h, 36, 52), t.span_id, 8) < 0) return false;
        if (hex_read(str_cut(h, 53, 55), &flags, 1) < 0 || is_zero(t.trace_id, 16) || is_zero(t.span_id, 8)) return false;
        t.sampled = flags & 1;
        *out = t;
        return true;
}

static char *put_hex(char *to, const uint8_t *from, size_t n)
{
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < n; i++) {
                *to++ = digits[from[i] >> 4];
                *to++ = digits[from[i] & 15];
        }
        return to;
}

void traceparent_write(const struct trace *t, char out[56])
{
        char *p = out;
        memcpy(p, "00-", 3);
        p = put_hex(p + 3, t->trace_id, 16);
        *p++ = '-';
        p = put_hex(p, t->span_id, 8);
        memcpy(p, t->sampled ? "-01" : "-00", 4);
}

static bool is_request_id(str s)
{
        if (!s.n || s.n > REQUEST_ID_MAX) return false;
        for (size_t i = 0; i < s.n; i++) {
                char ch = s.p[i];
                bool plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '-' || ch == '_' || ch == '.';
                if (!plain) return false;
        }
        return true;
}

void trace_begin(struct request *q)
{
        struct trace *t = &q->c->trace;
        const struct headers *h = &q->x->head.headers;
        str parent = header_get(h, "traceparent"), id = header_get(h, "x-request-id");
        uint64_t fresh[3] = { rand_next(&q->w->rand), rand_next(&q->w->rand), rand_next(&q->w->rand) | 1 };
        q->traced = parent.p && traceparent_read(parent, t);
        if (!q->traced) memcpy(t->trace_id, fresh, 16);
        memcpy(t->span_id, &fresh[2], 8);               /* this request's own place, in any case */
        t->request_id = id;
        if (is_request_id(id)) return;
        char *text = arena_alloc(q->c->arena, 32);
        if (text) put_hex(text, t->trace_id, 16);
        t->request_id = text ? (str){ text, 32 } : STR("none");
}
