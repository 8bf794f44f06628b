/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * fields.c - `?fields=id,name` on every GET of an operation: only these members of the answer, or of the items of a page.
 *
 * The parameter is the edge's own: it is taken off the query before the operation's message is read from what is left. A choice is a bit a
 * member of the endpoint's `choice`. The operation does not know of it and fills its answer whole. */
#include "engine.h"
#include "text.h"

enum { WORD_SHOWN = 40 };

static size_t choices(const struct type *t)
{
        size_t n = 0;
        for (size_t i = 0; i < t->n; i++) n += !t->fields[i].internal && !t->fields[i].secret;
        return n;
}

static void choose(struct request *q, str word)
{
        const struct type *t = q->endpoint->choice;
        const struct field *f = type_field(t, word);
        if (f && !f->internal && !f->secret) q->members |= (uint64_t)1 << (f - t->fields);
        else flaw_add(q->c, STR("fields"), "unknown", "there is no member \"" STR_FMT "\" of %s", STR_ARG(str_cut(word, 0, MIN(word.n, (size_t)WORD_SHOWN))), t->name);
}

/* One pair of the query; true when it was `fields`. */
static bool take_pair(struct request *q, str pair)
{
        str value = pair, name = str_split(&value, '=');
        if (!str_eq(name, STR("fields"))) return false;
        if (!value.p) value = STR("");
        if (percent_read(q->c->arena, value, true, &value) < 0) {
                flaw_add(q->c, name, "bad_format", "has a broken escape");
                return true;
        }
        size_t n = 0, most = choices(q->endpoint->choice);
        for (str rest = value, word; rest.p && (word = str_split(&rest, ','), true) && n <= most; n++) choose(q, word);
        if (n > most) flaw_add(q->c, name, "too_many", "must have at most %zu names", most);
        return true;
}

int fields_take(struct request *q, str *query)
{
        struct buf left AUTO(buf_done) = BUF_INIT(64 * 1024);
        if (!q->endpoint->choice || !query->p || !memmem(query->p, query->n, "fields", 6)) return 0;
        for (str rest = *query, pair; rest.p && (pair = str_split(&rest, '&'), true);) {
                if (take_pair(q, pair)) continue;
                if (left.n) buf_char(&left, '&');
                buf_add(&left, pair);
        }
        *query = arena_str(q->c->arena, buf_str(&left));
        if (buf_error(&left) || !query->p) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the query");
        return 0;
}
