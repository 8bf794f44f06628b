/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * log.c - one event, one line, one write(2).
 *
 * A line is built in a buffer of the thread and is at most PIPE_BUF bytes, which is what a pipe takes as a whole; a value that
 * is too long is cut, and fields that do not fit are left out with "cut" in their place. Values are escaped in both forms, so nothing
 * that comes from outside can begin a line or move a terminal's cursor. */
#include "log.h"
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#include "bound.h"
#include "buf.h"
#include "digits.h"
#include "text.h"

enum { LINE_MAX_BYTES = PIPE_BUF, VALUE_MAX = 1024, TAIL = 32 };        /* TAIL: kept free for "cut" and the end of the line */

static struct { atomic_int least, format, fd; atomic_bool colour; } setup = { .least = INFO, .format = LOG_HUMAN, .fd = STDERR_FILENO };

struct line { size_t n; char p[LINE_MAX_BYTES]; };
static __thread struct line line;       /* nothing waits while it is being filled */

void log_setup(enum level least, enum log_format format, bool colour, int fd)
{
        setup.least = (int)least;
        setup.format = (int)format;
        setup.colour = colour;
        setup.fd = fd;
}

bool log_is_on(enum level level)
{
        return (int)level >= atomic_load_explicit(&setup.least, memory_order_relaxed);
}

/* ---- the line ------------------------------------------------------------------------------------------------------ */

static void put(struct line *l, str s)
{
        size_t n = MIN(s.n, sizeof l->p - l->n);
        if (n) memcpy(l->p + l->n, s.p, n);
        l->n += n;
}

static void put_z(struct line *l, const char *z)        { put(l, str_of(z)); }
static void put_char(struct line *l, char ch)           { put(l, (str){ &ch, 1 }); }

static void put_int(struct line *l, int64_t v)
{
        char t[DIGITS_MAX];
        put(l, (str){ t, put_i64(t, v) });
}

/* Microseconds as milliseconds with three decimals, so that figures stand under each other. */
static void put_ms(struct line *l, int64_t us)
{
        char t[DIGITS_MAX];
        uint64_t v = magnitude(us);
        if (us < 0) put_char(l, '-');
        put(l, (str){ t, put_u64(t, v / 1000) });
        t[0] = '.';
        t[1] = (char)('0' + v % 1000 / 100);
        put_2(t + 2, (unsigned)(v % 100));
        put(l, (str){ t, 4 });
}

static void put_escape(struct line *l, uint8_t ch)
{
        static const char hex[] = "0123456789abcdef";
        switch (ch) {
        case '"':  put_z(l, "\\\""); break;
        case '\\': put_z(l, "\\\\"); break;
        case '\n': put_z(l, "\\n"); break;
        case '\r': put_z(l, "\\r"); break;
        case '\t': put_z(l, "\\t"); break;
        default:   put(l, (str){ (char[]){ '\\', 'u', '0', '0', hex[ch >> 4], hex[ch & 15] }, 6 });
        }
}

static bool needs_care(uint8_t ch) { return ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '\\'; }

/* How many of the first `most` bytes stand for themselves. */
static size_t plain_run(str s, size_t most)
{
        size_t n = 0;
        while (n < MIN(s.n, most) && !needs_care((uint8_t)s.p[n])) n++;
        return n;
}

/* As a JSON string without its quotes; wrong UTF-8 becomes U+FFFD, what is over VALUE_MAX an ellipsis. C1 controls are escaped
 * too: some terminals obey them. */
static void put_escaped(struct line *l, str s)
{
        size_t limit = MIN(l->n + VALUE_MAX, sizeof l->p - TAIL);
        while (s.n) {
                size_t left = limit - MIN(limit, l->n), run = plain_run(s, left), n = utf8_sequence(str_cut(s, run, s.n));
                put(l, (str){ s.p, run });
                s = str_cut(s, run, s.n);
                if (!s.n) return;
                if (left - run < 8) {
                        put_z(l, "\u2026");
                        return;
                }
                uint8_t ch = (uint8_t)s.p[0], next = n == 2 ? (uint8_t)s.p[1] : 0;
                if (n == 0) put_z(l, "\ufffd");
                else if (n == 1) put_escape(l, ch);
                else if (ch == 0xc2 && next < 0xa0) put_escape(l, next);
                else put(l, (str){ s.p, n });
                s = str_cut(s, MAX(n, 1u), s.n);
        }
}

static void put_quoted(struct line *l, str s)
{
        put_char(l, '"');
        put_escaped(l, s);
        put_char(l, '"');
}

static bool is_plain(str s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((uint8_t)s.p[i] <= ' ' || (uint8_t)s.p[i] >= 0x7f || strchr("\"\\=", s.p[i])) return false;
        return s.n > 0;
}

/* ---- fields -------------------------------------------------------------------------------------------------------- */

static bool is_absent(const struct log_field *f)
{
        return (f->kind == LOG_STR && !f->s.p) || (f->kind == LOG_UID && uid_is_zero(f->id));
}

static void put_value(struct line *l, const struct log_field *f, bool json)
{
        char id[37];
        switch (f->kind) {
        case LOG_INT:
                put_int(l, f->i);
                break;
        case LOG_MS:
                put_ms(l, f->i);
                if (!json && !str_ends(str_of(f->name), STR("_ms"))) put_z(l, "ms");
                break;
        case LOG_UID:
                uid_format(f->id, id);
                if (json) put_quoted(l, (str){ id, 36 });
                else put(l, (str){ id, 36 });
                break;
        case LOG_STR:
                if (json || !is_plain(f->s)) put_quoted(l, f->s);
                else put_escaped(l, f->s);
        }
}

static void put_fields(struct line *l, const struct log_field *f, bool json)
{
        for (; f->name; f++) {
                size_t before = l->n;
                if (is_absent(f)) continue;
                put_z(l, json ? ",\"" : " ");
                put_z(l, f->name);
                put_z(l, json ? "\":" : "=");
                /* a number, an id or the shortest cut value must fit behind the name */
                if (l->n + 64 > sizeof l->p - TAIL) {
                        l->n = before;
                        bound_reached(BOUND_LOG_LINE);
                        put_z(l, json ? ",\"cut\":true" : " cut=true");
                        return;
                }
                put_value(l, f, json);
        }
}

static when now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        return (when){ (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 };
}

static void put_json(struct line *l, enum level level, const char *event, const struct log_field *fields)
{
        static const char *const names[] = { "debug", "info", "warn", "error" };
        char time[32];
        put_z(l, "{\"time\":\"");
        put(l, (str){ time, when_format(now(), time) });
        put_z(l, "\",\"level\":\"");
        put_z(l, names[level]);
        put_z(l, "\",\"event\":");
        put_quoted(l, str_of(event));
        put_fields(l, fields, true);
        put_z(l, "}\n");
}

static void put_human(struct line *l, enum level level, const char *event, const struct log_field *fields)
{
        static const struct { const char *name, *colour; } levels[] = {
                { "DEBUG", "\033[2m" }, { "INFO ", "\033[32m" }, { "WARN ", "\033[33m" }, { "ERROR", "\033[31m" },
        };
        bool colour = setup.colour;
        char time[32];
        when t = now();
        t.us -= t.us % 1000;
        size_t n = when_format((when){ t.us + 1 }, time);       /* a microsecond more, so that the decimals are there to cut at three */
        put(l, str_cut((str){ time, n }, 11, 23));
        put_char(l, ' ');
        if (colour) put_z(l, levels[level].colour);
        put_z(l, levels[level].name);
        if (colour) put_z(l, "\033[0m");
        put_char(l, ' ');
        put_escaped(l, str_of(event));
        put_fields(l, fields, false);
        put_char(l, '\n');
}

static void put_line(enum level level, const char *event, const struct log_field *fields)
{
        line.n = 0;
        if (setup.format == LOG_JSON) put_json(&line, level, event, fields);
        else put_human(&line, level, event, fields);
}

void log_write(enum level level, const char *event, const struct log_field *fields)
{
        int saved = errno;
        put_line(level, event, fields);
        while (write(setup.fd, line.p, line.n) < 0 && errno == EINTR) {}
        errno = saved;
}

void log_line(struct buf *to, enum level level, const char *event, const struct log_field *fields)
{
        put_line(level, event, fields);
        buf_add(to, (str){ line.p, line.n });
}

void log_flush(struct buf *lines)
{
        int saved = errno;
        str left = buf_str(lines);
        while (left.n) {
                ssize_t n = write(setup.fd, left.p, left.n);
                if (n == 0 || (n < 0 && errno != EINTR)) break; /* nowhere to complain */
                if (n > 0) left = str_cut(left, (size_t)n, left.n);
        }
        buf_clear(lines);
        errno = saved;
}
