/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * complete.c - completion for bash, zsh and fish out of a program's tables: commands, their flags, and the words a flag takes.
 *
 * Each script is written for its shell's own means: bash gets a case for each command, zsh _arguments, fish one `complete` line a flag. A value
 * called DIR is completed with folders, FILE with files, others with their words or not at all. Sources: bash(1) Programmable Completion,
 * zshcompsys(1), fish's complete(1). */
#include "args.h"
#include <stdio.h>

static str first_word(const char *name, str *rest)
{
        *rest = str_of(name);
        return str_split(rest, ' ');
}

/* Is this the first command that begins with its first word? "demo" of "demo orders" and "demo inventory" is offered once. */
static bool is_first(const struct program *p, const struct command *cmd)
{
        str rest, word = first_word(cmd->name, &rest);
        for (const struct command *before = p->commands; before < cmd; before++)
                if (!before->hidden && str_eq(first_word(before->name, &rest), word)) return false;
        return true;
}

static const struct flag *next_flag(const struct command *cmd, const struct flag *f, bool *ret_more)
{
        if (!f) *ret_more = false;
        f = f ? f + 1 : cmd->flags;
        if (f && f->name) return f;
        if (*ret_more || !cmd->more) return NULL;
        *ret_more = true;
        f = cmd->more();
        return f && f->name ? f : NULL;
}
#define EACH_FLAG(f, cmd) bool more_##f = false; for (const struct flag *f = next_flag(cmd, NULL, &more_##f); f; f = next_flag(cmd, f, &more_##f))

static void words_write(struct buf *out, const char *const *words)
{
        for (size_t i = 0; words[i]; i++) buf_printf(out, "%s%s", i ? " " : "", words[i]);
}

/* A text between single quotes; `also` are characters that its place reads. */
static void quoted(struct buf *out, const char *z, const char *also, const char *quote)
{
        for (; *z; z++) {
                if (*z == '\'') buf_lit(out, quote);
                else if (strchr(also, *z)) buf_printf(out, "\\%c", *z);
                else buf_char(out, *z);
        }
}

/* ---- bash -------------------------------------------------------------------------------------------------------------------- */

static void bash_values(struct buf *out, const struct command *cmd)
{
        EACH_FLAG(f, cmd) {
                if (!f->arg || f->bare) continue;
                buf_printf(out, "        '%s:--%s'", cmd->name, f->name);
                if (f->letter) buf_printf(out, "|'%s:-%c'", cmd->name, f->letter);
                buf_lit(out, ") ");
                if (f->words) {
                        buf_lit(out, "COMPREPLY=($(compgen -W '");
                        words_write(out, f->words);
                        buf_lit(out, "' -- \"$cur\")); ");
                } else if (!strcmp(f->arg, "DIR")) {
                        buf_lit(out, "COMPREPLY=($(compgen -d -- \"$cur\")); ");
                } else if (!strcmp(f->arg, "FILE")) {
                        buf_lit(out, "COMPREPLY=($(compgen -f -- \"$cur\")); ");
                }
                buf_lit(out, "return ;;\n");
        }
}

static void bash_flags(struct buf *out, const struct command *cmd)
{
        buf_printf(out, "        '%s') words='--help", cmd->name);
        EACH_FLAG(f, cmd) buf_printf(out, " --%s", f->name);
        buf_lit(out, "'; operands='");
        if (cmd->operand_words) words_write(out, cmd->operand_words);
        buf_lit(out, "' ;;\n");
}

static void bash_commands(struct buf *out, const struct program *p)
{
        str rest, word;
        buf_lit(out, "        if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W '");
        for (const struct command *cmd = p->commands; cmd->name; cmd++)
                if (!cmd->hidden && is_first(p, cmd)) buf_printf(out, STR_FMT " ", STR_ARG(first_word(cmd->name, &rest)));
        buf_lit(out, "help --help --version' -- \"$cur\")); return; fi\n        case ${COMP_WORDS[1]} in\n");
        for (const struct command *cmd = p->commands; cmd->name; cmd++) {
                word = first_word(cmd->name, &rest);
                if (cmd->hidden || !rest.p || !is_first(p, cmd)) continue;
                buf_printf(out, "        " STR_FMT ") command=\"${COMP_WORDS[1]} ${COMP_WORDS[2]}\"\n                if ((COMP_CWORD == 2)); then COMPREPLY=($(compgen -W '",
                           STR_ARG(word));
                for (const struct command *other = cmd; other->name; other++)
                        if (!other->hidden && str_eq(first_word(other->name, &rest), word)) buf_printf(out, STR_FMT " ", STR_ARG(rest));
                buf_lit(out, "' -- \"$cur\")); return; fi ;;\n");
        }
        buf_lit(out, "        esac\n");
}

static void bash(struct buf *out, const struct program *p)
{
        buf_printf(out, "# bash completion of %s; in ~/.bashrc: source <(%s completion bash)\n_%s()\n{\n", p->name, p->name, p->name);
        buf_lit(out, "        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words= operands=\n"
                     "        COMPREPLY=()\n"
                     "        [[ $cur == '=' ]] && cur=                               # --flag= is three words to bash\n"
                     "        [[ $prev == '=' ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n");
        bash_commands(out, p);
        buf_lit(out, "        case $command:$prev in\n");
        for (const struct command *cmd = p->commands; cmd->name; cmd++)
                if (!cmd->hidden) bash_values(out, cmd);
        buf_lit(out, "        esac\n        case $command in\n");
        for (const struct command *cmd = p->commands; cmd->name; cmd++)
                if (!cmd->hidden) bash_flags(out, cmd);
        buf_lit(out, "        esac\n        [[ $cur == -* ]] || words=$operands\n        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n");
        buf_printf(out, "complete -o default -F _%s %s\n", p->name, p->name);
}

/* ---- zsh --------------------------------------------------------------------------------------------------------------------- */

static void zsh_flag(struct buf *out, const struct flag *f)
{
        buf_lit(out, " \\\n                '");
        if (f->letter) buf_printf(out, "(-%c --%s)'{-%c,--%s%s}'[", f->letter, f->name, f->letter, f->name, f->arg ? "=" : "");
        else buf_printf(out, "--%s%s[", f->name, !f->arg ? "" : f->bare ? "=-" : "=");
        quoted(out, f->doc ? f->doc : "", "[]\\:", "'\\''");
        buf_lit(out, "]");
        if (f->arg) buf_printf(out, "%s:%s:", f->bare ? ":" : "", f->arg);
        if (f->words) {
                buf_lit(out, "(");
                words_write(out, f->words);
                buf_lit(out, ")");
        } else if (f->arg && !strcmp(f->arg, "DIR")) {
                buf_lit(out, "_files -/");
        } else if (f->arg && !strcmp(f->arg, "FILE")) {
                buf_lit(out, "_files");
        }
        buf_lit(out, "'");
}

static void zsh_command(struct buf *out, const struct command *cmd)
{
        buf_printf(out, "        '%s') _arguments '(-h --help)'{-h,--help}'[this text]'", cmd->name);
        EACH_FLAG(f, cmd) zsh_flag(out, f);
        if (cmd->operand_words) {
                buf_printf(out, " '1:%s:(", cmd->operands);
                words_write(out, cmd->operand_words);
                buf_lit(out, ")'");
        } else if (cmd->operands) {
                buf_printf(out, " '*:%s:_files'", cmd->operands);
        }
        buf_lit(out, " ;;\n");
}

static void zsh(struct buf *out, const struct program *p)
{
        str rest;
        buf_printf(out, "#compdef %s\n# zsh completion of %s; in a folder of $fpath: %s completion zsh > _%s\n", p->name, p->name, p->name, p->name);
        buf_printf(out, "_%s()\n{\n        local command=$words[2]\n", p->name);
        buf_lit(out, "        local -a commands=(\n");
        for (const struct command *cmd = p->commands; cmd->name; cmd++) {
                if (cmd->hidden || !is_first(p, cmd)) continue;
                buf_printf(out, "                '" STR_FMT ":", STR_ARG(first_word(cmd->name, &rest)));
                quoted(out, rest.p ? "several; see its second word" : cmd->summary, "\\:", "'\\''");
                buf_lit(out, "'\n");
        }
        buf_lit(out, "        )\n        if ((CURRENT == 2)); then _describe command commands; return; fi\n        case $command in\n");
        for (const struct command *cmd = p->commands; cmd->name; cmd++) {
                str word = first_word(cmd->name, &rest);
                if (cmd->hidden || !rest.p || !is_first(p, cmd)) continue;
                buf_printf(out, "        " STR_FMT ") if ((CURRENT == 3)); then compadd --", STR_ARG(word));
                for (const struct command *other = cmd; other->name; other++)
                        if (!other->hidden && str_eq(first_word(other->name, &rest), word)) buf_printf(out, " " STR_FMT, STR_ARG(rest));
                buf_lit(out, "; return; fi\n                command+=\" $words[3]\"; shift words; ((CURRENT--)) ;;\n");
        }
        buf_lit(out, "        esac\n        shift words; ((CURRENT--))\n        case $command in\n");
        for (const struct command *cmd = p->commands; cmd->name; cmd++)
                if (!cmd->hidden) zsh_command(out, cmd);
        buf_printf(out, "        esac\n}\ncompdef _%s %s\n", p->name, p->name);
}

/* ---- fish -------------------------------------------------------------------------------------------------------------------- */

/* "__fish_seen_subcommand_from demo; and __fish_seen_subcommand_from orders" */
static void fish_when(struct buf *out, const char *name)
{
        str rest, word = first_word(name, &rest);
        buf_printf(out, "__fish_seen_subcommand_from " STR_FMT, STR_ARG(word));
        if (rest.p) buf_printf(out, "; and __fish_seen_subcommand_from " STR_FMT, STR_ARG(rest));
}

static void fish_flag(struct buf *out, const struct program *p, const struct command *cmd, const struct flag *f)
{
        buf_printf(out, "complete -c %s -n '", p->name);
        fish_when(out, cmd->name);
        buf_printf(out, "' -l %s", f->name);
        if (f->letter) buf_printf(out, " -s %c", f->letter);
        if (f->arg && !f->bare) buf_lit(out, " -r");
        if (f->words) {
                buf_lit(out, " -f -a '");
                words_write(out, f->words);
                buf_lit(out, "'");
        } else if (f->arg && !strcmp(f->arg, "DIR")) {
                buf_lit(out, " -f -a '(__fish_complete_directories)'");
        } else if (f->arg && !strcmp(f->arg, "FILE")) {
                buf_lit(out, " -F");
        }
        buf_lit(out, " -d '");
        quoted(out, f->doc ? f->doc : "", "\\", "\\'");
        buf_lit(out, "'\n");
}

static void fish(struct buf *out, const struct program *p)
{
        buf_printf(out, "# fish completion of %s; %s completion fish > ~/.config/fish/completions/%s.fish\ncomplete -c %s -f\n", p->name, p->name, p->name, p->name);
        for (const struct command *cmd = p->commands; cmd->name; cmd++) {
                str rest, word = first_word(cmd->name, &rest);
                if (cmd->hidden) continue;
                if (is_first(p, cmd)) {
                        buf_printf(out, "complete -c %s -n __fish_use_subcommand -a " STR_FMT " -d '", p->name, STR_ARG(word));
                        quoted(out, rest.p ? "" : cmd->summary, "\\", "\\'");
                        buf_lit(out, "'\n");
                }
                if (rest.p) {
                        buf_printf(out, "complete -c %s -n '__fish_seen_subcommand_from " STR_FMT "' -a " STR_FMT " -d '", p->name, STR_ARG(word), STR_ARG(rest));
                        quoted(out, cmd->summary, "\\", "\\'");
                        buf_lit(out, "'\n");
                }
                EACH_FLAG(f, cmd) fish_flag(out, p, cmd, f);
                if (!cmd->operands) continue;
                buf_printf(out, "complete -c %s -n '", p->name);
                fish_when(out, cmd->name);
                if (cmd->operand_words) {
                        buf_lit(out, "' -a '");
                        words_write(out, cmd->operand_words);
                        buf_lit(out, "'\n");
                } else {
                        buf_lit(out, "' -F\n");
                }
        }
}

int args_completion(struct buf *out, const struct program *p, const char *shell)
{
        if (!strcmp(shell, "bash")) bash(out, p);
        else if (!strcmp(shell, "zsh")) zsh(out, p);
        else if (!strcmp(shell, "fish")) fish(out, p);
        else return -NOT_FOUND;
        return buf_error(out);
}
