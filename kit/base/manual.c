/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * manual.c - manual pages out of a program's tables, in the macros of man(7): one of the program, one of each command.
 *
 * They say what --help says, and nothing that changes from build to build, so that they can be kept and compared. */
#include "args.h"
#include <stdio.h>

static const char date[] = "2026-11-24";        /* of their form; what they say is as new as the program             */

/* Text for roff: a backslash and what begins a request are data, a hyphen is one to be copied. */
static void roff(struct buf *out, const char *z)
{
        if (*z == '.' || *z == '\'') buf_lit(out, "\\&");
        for (; *z; z++) {
                if (*z == '\\') buf_lit(out, "\\e");
                else if (*z == '-') buf_lit(out, "\\-");
                else if (*z == '\n' && (z[1] == '.' || z[1] == '\'')) buf_lit(out, "\n\\&");
                else buf_char(out, *z);
        }
}

static void page_name(const struct program *p, const struct command *cmd, bool upper, char out[80])
{
        snprintf(out, 80, "%s%s%s", p->name, cmd ? "-" : "", cmd ? cmd->name : "");
        for (char *c = out; *c; c++) {
                if (*c == ' ') *c = '-';
                else if (upper && *c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
        }
}

void args_man_name(const struct program *p, const struct command *cmd, char out[80]) { page_name(p, cmd, false, out); }

static void head(struct buf *out, const struct program *p, const struct command *cmd, const char *summary)
{
        char upper[80], name[80];
        page_name(p, cmd, true, upper);
        page_name(p, cmd, false, name);
        buf_printf(out, ".\\\" Made from the tables of `%s --help` by make docs.\n.TH %s 1 %s \"%s\" \"User Commands\"\n.SH NAME\n", p->name, upper, date, p->name);
        roff(out, name);
        buf_lit(out, " \\- ");
        roff(out, summary);
        buf_char(out, '\n');
}

static void sentence(struct buf *out, const char *z)
{
        roff(out, z);
        buf_lit(out, z[strlen(z) - 1] == '.' ? "\n" : ".\n");
}

static void flag(struct buf *out, const struct flag *f)
{
        buf_lit(out, ".TP\n.B ");
        if (f->letter) buf_printf(out, "\\-%c\\fR, \\fB", f->letter);
        buf_lit(out, "\\-\\-");
        roff(out, f->name);
        if (f->arg) buf_printf(out, "\\fR%s\\fI%s\\fR%s", f->bare ? "[=" : " ", f->arg, f->bare ? "]" : "");
        buf_char(out, '\n');
        sentence(out, f->doc && *f->doc ? f->doc : f->name);
        if (f->words) {
                buf_lit(out, "One of");
                for (size_t i = 0; f->words[i]; i++) {
                        buf_lit(out, i ? ", \\fB" : " \\fB");
                        roff(out, f->words[i]);
                        buf_lit(out, "\\fR");
                }
                buf_lit(out, ".\n");
        }
        if (f->number && f->max) buf_printf(out, "%lld to %lld.\n", (long long)f->min, (long long)f->max);
        if (!f->fallback || !*f->fallback) return;
        buf_lit(out, "Default: ");
        roff(out, f->fallback);
        buf_lit(out, ".\n");
}

static void command_page(struct buf *out, const struct program *p, const struct command *cmd)
{
        head(out, p, cmd, cmd->summary);
        buf_printf(out, ".SH SYNOPSIS\n.B %s %s\n", p->name, cmd->name);
        if (cmd->flags || cmd->more) buf_lit(out, "[\\fIFLAGS\\fR]\n");
        if (cmd->operands) buf_printf(out, "\\fI%s\\fR\n", cmd->operands);
        buf_lit(out, ".SH OPTIONS\n");
        for (const struct flag *f = cmd->flags; f && f->name; f++) flag(out, f);
        flag(out, &(struct flag){ "help", 'h', NULL, "the same in short" });
        if (cmd->more) buf_lit(out, ".SH SETTINGS\nAlso\n.B SOUK_NAME\nin the environment, or in the file of settings.\n");
        for (const struct flag *f = cmd->more ? cmd->more() : NULL; f && f->name; f++) flag(out, f);
        if (cmd->examples) buf_lit(out, ".SH EXAMPLES\n");
        for (const char *const *e = cmd->examples; e && *e; e += 2) {
                buf_lit(out, ".TP\n\\fB");
                roff(out, e[0]);
                buf_lit(out, "\\fR\n");
                roff(out, e[1]);
                buf_char(out, '\n');
        }
        buf_printf(out, ".SH SEE ALSO\n.BR %s (1)\n", p->name);
}

static void program_page(struct buf *out, const struct program *p)
{
        char name[80];
        bool any = false;
        head(out, p, NULL, p->summary);
        buf_printf(out, ".SH SYNOPSIS\n.B %s\n\\fICOMMAND\\fR [\\fIFLAGS\\fR]\n.SH COMMANDS\n", p->name);
        for (const struct command *cmd = p->commands; cmd->name; cmd++) {
                if (cmd->hidden) continue;
                buf_lit(out, ".TP\n.B ");
                roff(out, cmd->name);
                buf_char(out, '\n');
                roff(out, cmd->summary);
                buf_char(out, '\n');
        }
        if (p->epilogue) {
                buf_lit(out, ".SH EXIT STATUS\n");
                roff(out, p->epilogue);
                buf_char(out, '\n');
        }
        buf_lit(out, ".SH SEE ALSO\n");
        for (const struct command *cmd = p->commands; cmd->name; cmd++) {
                if (cmd->hidden) continue;
                page_name(p, cmd, false, name);
                buf_printf(out, "%s.BR ", any ? ",\n" : "");
                roff(out, name);
                buf_lit(out, " (1)");
                any = true;
        }
        buf_char(out, '\n');
}

void args_man(struct buf *out, const struct program *p, const struct command *cmd)
{
        if (cmd) command_page(out, p, cmd);
        else program_page(out, p);
}
