/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * shell.c - souk completion, man: what the shell and man(1) want to know of the program, out of the same tables as --help. */
#include <stdio.h>
#include "cli.h"

enum { PAGE_MAX_BYTES = 1 << 20 };

const char *const completion_shells[] = { "bash", "zsh", "fish", NULL };
const char *const completion_examples[] = { "source <(souk completion bash)", "in ~/.bashrc", "souk completion zsh > ~/.zfunc/_souk", "with ~/.zfunc in $fpath",
                                            "souk completion fish > ~/.config/fish/completions/souk.fish", "for good", NULL };
const char *const man_examples[] = { "souk man run | man -l -", "the page of souk run", "souk man demo orders > souk-demo-orders.1", "a file for man", NULL };

static int print(const struct buf *out)
{
        str text = buf_str(out);
        return buf_error(out) || fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout) != 0;
}

int completion_command(struct args *a)
{
        struct buf out AUTO(buf_done) = BUF_INIT(PAGE_MAX_BYTES);
        if (args_completion(&out, a->program, a->operands[0]) < 0) return 1;
        return print(&out);
}

/* "demo orders" comes as two operands. */
static const struct command *command_named(const struct args *a)
{
        char name[100];
        snprintf(name, sizeof name, "%s%s%s", a->operands[0], a->n_operands > 1 ? " " : "", a->n_operands > 1 ? a->operands[1] : "");
        for (const struct command *cmd = a->program->commands; cmd->name; cmd++)
                if (!strcmp(cmd->name, name)) return cmd;
        return NULL;
}

int man_command(struct args *a)
{
        struct buf out AUTO(buf_done) = BUF_INIT(PAGE_MAX_BYTES);
        const struct command *cmd = a->n_operands ? command_named(a) : NULL;
        if (a->n_operands && !cmd) {
                fprintf(stderr, "souk man: there is no command \"%s%s%s\"\n", a->operands[0], a->n_operands > 1 ? " " : "", a->n_operands > 1 ? a->operands[1] : "");
                return 2;
        }
        args_man(&out, a->program, cmd);
        return print(&out);
}
