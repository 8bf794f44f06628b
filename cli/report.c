/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * report.c - what a command tells: how far it is to people on standard error, what came of it on standard output.
 *
 * Each check is a line that begins with a tick or a cross. With --json the same checks and figures follow as one object in the last line,
 * {"ok":true,"checks":[{"name","ok","detail"}],...figures}; it is there after a failure too. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "cli.h"
#include "clock.h"
#include "loop.h"

enum { REPORT_MAX_BYTES = 4 << 20, BAR_WIDTH = 28, DRAW_US = 50000, LINE_US = 2000000 };

/* ---- progress ---------------------------------------------------------------------------------------------------------- */

static void draw(struct progress *p)
{
        int64_t now = clock_us(), elapsed = MAX(now - p->started_us, 1);
        double rate = (double)p->done * 1e6 / (double)elapsed;
        double share = p->total ? (double)p->done / (double)p->total : MIN(p->share, 1.0);
        int full = (int)(share * BAR_WIDTH);
        p->drawn_us = now;
        if (p->live) {
                fprintf(stderr, "\r\033[K%-22s ", p->what);
                for (int i = 0; i < BAR_WIDTH; i++) fputs(i < full ? "█" : "░", stderr);
                fprintf(stderr, p->total ? " %lld/%lld" : " %lld", (long long)p->done, (long long)p->total);
                fprintf(stderr, "  %.0f %s/s", rate, p->unit);
        } else {
                fprintf(stderr, p->total ? "%s: %lld of %lld\n" : "%s: %lld\n", p->what, (long long)p->done, (long long)p->total);
        }
        fflush(stderr);
}

void progress_open(struct progress *p, const char *what, const char *unit, int64_t total)
{
        const char *term = getenv("TERM");
        *p = (struct progress){ what, unit, total, 0, .started_us = clock_us(), .live = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 };
        p->drawn_us = p->started_us;
        if (p->live) draw(p);
}

void progress_step(struct progress *p, int64_t n)
{
        p->done += n;
        if (clock_us() - p->drawn_us > (p->live ? DRAW_US : LINE_US)) draw(p);
}

void progress_close(struct progress *p)
{
        if (p->live) fputs("\r\033[K", stderr);
        fprintf(stderr, "%s: %lld in %.2f s\n", p->what, (long long)p->done, (double)(clock_us() - p->started_us) / 1e6);
}

/* ---- the report --------------------------------------------------------------------------------------------------------- */

void report_open(struct report *r, const struct args *a)
{
        *r = (struct report){ .name = a->command->name, .json = args_has(a, "json"), .colour = colour_is_wanted(STDOUT_FILENO),
                              .checks = BUF_INIT(REPORT_MAX_BYTES), .figures = BUF_INIT(REPORT_MAX_BYTES) };
        r->checks_w.b = &r->checks;
        r->figures_w.b = &r->figures;
        jw_array(&r->checks_w);
        jw_object(&r->figures_w);
}

void report_close(struct report *r)
{
        buf_done(&r->checks);
        buf_done(&r->figures);
}

bool report_check(struct report *r, bool ok, const char *name, const char *fmt, ...)
{
        struct buf detail AUTO(buf_done) = BUF_INIT(4096);
        va_list ap;
        va_start(ap, fmt);
        buf_vprintf(&detail, fmt, ap);
        va_end(ap);
        printf("%s%s%s %s: " STR_FMT "\n", !r->colour ? "" : ok ? "\033[32m" : "\033[31m", ok ? "✓" : "✗", r->colour ? "\033[0m" : "", name, STR_ARG(buf_str(&detail)));
        fflush(stdout);
        jw_object(&r->checks_w);
        jw_key(&r->checks_w, "name");
        jw_z(&r->checks_w, name);
        jw_key(&r->checks_w, "ok");
        jw_bool(&r->checks_w, ok);
        jw_key(&r->checks_w, "detail");
        jw_str(&r->checks_w, buf_str(&detail));
        jw_object_end(&r->checks_w);
        r->failed |= !ok;
        return ok;
}

/* "orders_per_second" for people: "orders per second" */
static void figure(struct report *r, const char *name, const char *value)
{
        printf("  ");
        for (const char *p = name; *p; p++) putchar(*p == '_' ? ' ' : *p);
        printf("%*s%s\n", MAX(1, 26 - (int)strlen(name)), "", value);
        jw_key(&r->figures_w, name);
}

void report_int(struct report *r, const char *name, int64_t v)
{
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)v);
        figure(r, name, text);
        jw_int(&r->figures_w, v);
}

void report_num(struct report *r, const char *name, double v, int decimals)
{
        char text[64];
        snprintf(text, sizeof text, "%.*f", decimals, v);
        figure(r, name, text);
        jw_num(&r->figures_w, strtod(text, NULL));
}

void report_text(struct report *r, const char *name, str v)
{
        char text[400];
        snprintf(text, sizeof text, STR_FMT, STR_ARG(v));
        figure(r, name, text);
        jw_str(&r->figures_w, v);
}

void report_null(struct report *r, const char *name)
{
        figure(r, name, "not known");
        jw_null(&r->figures_w);
}

int report_end(struct report *r, const struct ctx *c, int result)
{
        bool ok = result >= 0 && !r->failed;
        str why = c->fault.message;
        if (result < 0) fprintf(stderr, "souk %s: " STR_FMT "\n", r->name, STR_ARG(why.p ? why : str_of(code_name(result))));
        jw_array_end(&r->checks_w);
        jw_object_end(&r->figures_w);
        if (r->json) {
                struct buf line AUTO(buf_done) = BUF_INIT(2 * REPORT_MAX_BYTES);
                struct jw w = { .b = &line };
                str figures = str_cut(buf_str(&r->figures), 1, buf_str(&r->figures).n - 1);
                jw_object(&w);
                jw_key(&w, "ok");
                jw_bool(&w, ok);
                if (result < 0) {
                        jw_key(&w, "error");
                        jw_str(&w, why.p ? why : str_of(code_name(result)));
                }
                jw_key(&w, "checks");
                jw_raw(&w, buf_str(&r->checks));
                buf_lit(&line, figures.n ? "," : "");
                buf_add(&line, figures);
                buf_lit(&line, "}\n");
                fwrite(buf_str(&line).p, 1, buf_str(&line).n, stdout);
        }
        fflush(stdout);
        return ok ? 0 : 1;
}

/* ---- running ------------------------------------------------------------------------------------------------------------- */

struct started { struct job_of_command job; int (*fn)(struct ctx *c, struct job_of_command *j); int status; };

static int on_loop(struct ctx *c, void *arg)
{
        struct started *s = arg;
        s->status = report_end(&s->job.report, c, s->fn(c, &s->job));
        return 0;
}

int command_run(struct args *a, int (*fn)(struct ctx *c, struct job_of_command *j), void *arg)
{
        struct started s = { .job = { .args = a, .arg = arg }, .fn = fn, .status = 1 };
        report_open(&s.job.report, a);
        watchdog_limit(0);                              /* reading a file may take its time here */
        run_main(on_loop, &s);
        report_close(&s.job.report);
        return s.status;
}
