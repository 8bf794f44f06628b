/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * ctx.c - the story of what went wrong, told into the arena of the work that failed.
 *
 * Telling must not fail for want of memory: when the arena is full the slug stands in for the message. */
#include "ctx.h"
#include "bound.h"

static str or_slug(str message, const char *slug)
{
        return message.p ? message : str_of(slug);
}

int fail_at(struct ctx *c, enum code code, int http, const char *slug, const char *file, int line, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        str message = or_slug(arena_vprintf(c->arena, fmt, ap), slug);
        va_end(ap);
        c->fault = (struct fault){ .code = code, .http = http, .slug = slug, .message = message, .file = file, .line = line };
        return -(int)code;
}

/* The flaw is linked only when it is whole. */
static void flaw_link(struct ctx *c, str pointer, const char *slug, str detail)
{
        struct fault *f = &c->fault;
        struct flaw *new = f->n_flaws < FLAWS_MAX ? arena_one(c->arena, struct flaw) : NULL;
        if (f->n_flaws++ == FLAWS_MAX) bound_reached(BOUND_FLAWS);
        if (!new) return;
        *new = (struct flaw){ .pointer = arena_str(c->arena, pointer), .slug = slug, .detail = or_slug(detail, slug) };
        if (!new->pointer.p) return;
        if (!f->flaws_end) f->flaws_end = &f->flaws;
        *f->flaws_end = new;
        f->flaws_end = &new->next;
}

void flaw_add(struct ctx *c, str pointer, const char *slug, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        str detail = c->fault.n_flaws < FLAWS_MAX ? arena_vprintf(c->arena, fmt, ap) : (str){ NULL, 0 };
        va_end(ap);
        flaw_link(c, pointer, slug, detail);
}

int fail_about(struct ctx *c, const char *pointer, int code)
{
        flaw_link(c, str_of(pointer), c->fault.slug, c->fault.message);
        return code;
}

static str first_flaw(struct ctx *c)
{
        const struct flaw *first = c->fault.flaws;
        size_t more = c->fault.n_flaws - 1;
        if (!first) return (str){ NULL, 0 };
        const char *colon = first->pointer.n ? ": " : "";
        if (!more) return arena_printf(c->arena, STR_FMT "%s" STR_FMT, STR_ARG(first->pointer), colon, STR_ARG(first->detail));
        return arena_printf(c->arena, STR_FMT "%s" STR_FMT " (and %zu more)", STR_ARG(first->pointer), colon, STR_ARG(first->detail), more);
}

int flaws_fail(struct ctx *c)
{
        struct fault *f = &c->fault;
        if (!f->n_flaws) return 0;
        str message = first_flaw(c);
        f->code = INVALID_ARGUMENT;
        f->http = 0;
        f->slug = "invalid";
        f->message = message.p ? message : STR("the input is not valid");
        f->file = __FILE__;
        f->line = __LINE__;
        f->retry_after_ms = 0;
        return -INVALID_ARGUMENT;
}

void fault_clear(struct ctx *c)
{
        c->fault = (struct fault){ 0 };
}

void fault_copy(struct ctx *to, const struct ctx *from)
{
        const struct fault *f = &from->fault;
        struct fault copy = *f;
        if (to == from) return;
        copy.message = f->message.p ? or_slug(arena_str(to->arena, f->message), f->slug) : f->message;
        copy.flaws = NULL;
        copy.flaws_end = NULL;
        copy.n_flaws = 0;
        to->fault = copy;
        for (const struct flaw *flaw = f->flaws; flaw; flaw = flaw->next)
                flaw_link(to, flaw->pointer, flaw->slug, arena_str(to->arena, flaw->detail));
        to->fault.n_flaws = f->n_flaws;
}

bool caller_has_scope(const struct ctx *c, const char *scope)
{
        str want = str_of(scope);
        for (str rest = c->caller.scope, word; rest.p && (word = str_split(&rest, ' '), true);)
                if (word.n && str_eq(word, want)) return true;
        return false;
}
