/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * commands.c - souk routes, targets, config, docs: the tables of all services, for people and programs.
 *
 * Nothing is started here; what is printed is what the tables say. With --json the last line is one object. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include "app.h"
#include "services.h"

enum { OUT_MAX_BYTES = 8 << 20 };

const struct flag json_flags[] = {
        { "json", 0, NULL, "one JSON object instead, for programs" },
        { 0 } };
const struct flag config_command_flags[] = {
        { "json", 0, NULL, "one JSON object instead, for programs" },
        { 0 } };
const char *const routes_examples[]  = { "souk routes", "every way in", "souk routes --json", "for a program", NULL };
const char *const targets_examples[] = { "souk targets", "what souk run --target takes", NULL };
const char *const config_examples[]  = { "souk config", "every setting, its value and where that came from",
                                         "souk config --port 9000 --json", "as souk run --port 9000 would have it", NULL };
const char *const docs_examples[]    = { "souk docs /tmp/new", "api/ and docs/ under that folder", NULL };

struct listing { bool json; struct buf out; struct jw w; };

static void listing_open(struct listing *l, const struct args *a, const char *name)
{
        *l = (struct listing){ .json = args_has(a, "json"), .out = BUF_INIT(OUT_MAX_BYTES) };
        l->w.b = &l->out;
        if (!l->json) return;
        jw_object(&l->w);
        jw_key(&l->w, "ok");
        jw_bool(&l->w, true);
        jw_key(&l->w, "checks");        /* as of every command: there was nothing to check */
        jw_array(&l->w);
        jw_array_end(&l->w);
        jw_key(&l->w, name);
        jw_array(&l->w);
}

static int listing_print(struct listing *l)
{
        if (l->json) {
                jw_array_end(&l->w);
                jw_object_end(&l->w);
                buf_char(&l->out, '\n');
        }
        bool ok = !buf_error(&l->out) && fwrite(buf_str(&l->out).p, 1, buf_str(&l->out).n, stdout) == buf_str(&l->out).n && fflush(stdout) == 0;
        buf_done(&l->out);
        return ok ? 0 : 1;
}

static void member(struct listing *l, const char *name, const char *value)
{
        if (!value) return;
        jw_key(&l->w, name);
        jw_z(&l->w, value);
}

/* ---- routes and targets ---------------------------------------------------------------------------------------------------------- */

static void route_line(struct listing *l, const struct service *s, const struct route *r)
{
        static const char *const who[] = { "?", "anyone", "user", "vendor", "staff", "admin" };
        if (l->json) {
                jw_object(&l->w);
                member(l, "method", method_name(r->method));
                member(l, "path", r->path);
                member(l, "service", s->name);
                member(l, "who", who[r->who]);
                member(l, "scope", r->scope);
                member(l, "doc", r->doc);
                jw_object_end(&l->w);
        } else {
                buf_printf(&l->out, "%-7s %-36s %-10s %-7s %-16s %s\n", method_name(r->method), r->path, s->name, who[r->who], r->scope ? r->scope : "", r->doc ? r->doc : "");
        }
}

int routes_command(struct args *a)
{
        struct listing l;
        listing_open(&l, a, "routes");
        for (const struct service *const *s = services; *s; s++)
                for (const struct route *r = (*s)->routes; r && r->path; r++) route_line(&l, *s, r);
        for (const struct route *r = pages_service.routes; r->path; r++) route_line(&l, &pages_service, r);
        return listing_print(&l);
}

int targets_command(struct args *a)
{
        struct listing l;
        listing_open(&l, a, "targets");
        if (!l.json) buf_printf(&l.out, "%-12s %s\n", "all", "every service below, in one process");
        for (const struct service *const *s = services; *s; s++) {
                if (!l.json) buf_printf(&l.out, "%-12s %s\n", (*s)->name, (*s)->doc ? (*s)->doc : "");
                else {
                        jw_object(&l.w);
                        member(&l, "name", (*s)->name);
                        member(&l, "doc", (*s)->doc);
                        jw_object_end(&l.w);
                }
        }
        return listing_print(&l);
}

/* ---- config ------------------------------------------------------------------------------------------------------------------------ */

static void setting_line(const struct setting *s, const char *heading, str value, const char *from, void *arg)
{
        struct listing *l = arg;
        (void)heading;
        if (l->json) {
                jw_object(&l->w);
                member(l, "name", s->name);
                jw_key(&l->w, "value");
                jw_str(&l->w, value);
                member(l, "from", from);
                jw_object_end(&l->w);
        } else {
                buf_printf(&l->out, "%-28s %-28.*s %s\n", s->name, (int)MAX(value.n, 1), value.n ? value.p : "-", from);
        }
}

int config_command(struct args *a)
{
        struct listing l;
        struct ctx c = { .arena = arena_new(1 << 20) };
        int r = settings_read(&c, a);
        if (r < 0) fprintf(stderr, "souk: " STR_FMT "\n", STR_ARG(c.fault.message));
        arena_free(c.arena);
        if (r < 0) return 1;
        listing_open(&l, a, "settings");
        config_each(all_settings(), setting_line, &l);
        return listing_print(&l);
}

/* ---- docs --------------------------------------------------------------------------------------------------------------------------- */

static int save(const char *dir, const char *folder, const char *name, const struct buf *text)
{
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, folder);
        if ((mkdir(dir, 0777) < 0 && errno != EEXIST) || (mkdir(path, 0777) < 0 && errno != EEXIST)) {
                fprintf(stderr, "souk docs: cannot make %s: %s\n", path, strerror(errno));
                return 1;
        }
        snprintf(path, sizeof path, "%s/%s/%s", dir, folder, name);
        FILE *f = fopen(path, "we");
        bool ok = f && !buf_error(text) && fwrite(buf_str(text).p, 1, buf_str(text).n, f) == buf_str(text).n;
        if (f && fclose(f) != 0) ok = false;
        if (!ok) fprintf(stderr, "souk docs: cannot write %s: %s\n", path, strerror(errno));
        return ok ? 0 : 1;
}

static void openapi(struct buf *out)    { openapi_write(out, services); }
static void errors(struct buf *out)     { errors_docs(out, services); }
static void settings(struct buf *out)   { config_docs(out, all_settings()); }

/* docs/man/souk.1 with cmd NULL, else a command's */
static int save_manual(const struct args *a, const struct command *cmd)
{
        char name[80], file[90];
        struct buf text AUTO(buf_done) = BUF_INIT(OUT_MAX_BYTES);
        args_man(&text, a->program, cmd);
        args_man_name(a->program, cmd, name);
        snprintf(file, sizeof file, "%s.1", name);
        return save(a->operands[0], "docs/man", file, &text);
}

int docs_command(struct args *a)
{
        static const struct { const char *folder, *name; void (*write)(struct buf *out); } pages[] = {
                { "api",  "openapi.json",     openapi },
                { "docs", "ERRORS.md",        errors },
                { "docs", "CONFIGURATION.md", settings },
                { "docs", "METRICS.md",       metrics_docs },
        };
        for (size_t i = 0; i < COUNT(pages); i++) {
                struct buf text AUTO(buf_done) = BUF_INIT(OUT_MAX_BYTES);
                pages[i].write(&text);
                if (save(a->operands[0], pages[i].folder, pages[i].name, &text) != 0) return 1;
        }
        int r = save_manual(a, NULL);
        for (const struct command *cmd = a->program->commands; cmd->name && r == 0; cmd++)
                if (!cmd->hidden) r = save_manual(a, cmd);
        return r;
}
