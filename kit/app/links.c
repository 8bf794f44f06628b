/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * links.c - the cursors of a page as links, in its body and in a Link field (RFC 8288): where the pages around it are.
 *
 * A link is relative and holds all that the caller asked by, with another cursor: a client that follows it needs to know nothing of
 * cursors, sorts and filters. Which host and scheme it came by is not ours to know behind a proxy. */
#include "engine.h"
#include "text.h"

/* Of a Link field: what lies between us and the client may refuse more. LINK_WORDS: all that is not the links. */
enum { FIELD_MAX = 4000, LINK_WORDS = 64 };

static bool is_cursor(struct ctx *c, str pair)
{
        str rest = pair, name = str_split(&rest, '=');
        if (memchr(name.p, '%', name.n) && percent_read(c->arena, name, true, &name) < 0) return false;
        return str_eq(name, STR("cursor"));
}

/* A target's characters as they may stand in a link: the few that a request may hold and a URI may not are escaped. */
static void add_part(struct buf *b, str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (strchr("<>\"{}|^`", s.p[i])) percent_write(b, str_cut(s, i, i + 1));
                else buf_char(b, s.p[i]);
}

/* The same list from another place. cursor p NULL: from its beginning */
static int link_write(struct request *q, str cursor, str *out)
{
        struct buf b AUTO(buf_done) = BUF_INIT(LINK_MAX);
        char before = '?';
        add_part(&b, q->x->head.path);
        for (str rest = q->x->head.query, pair; rest.p && (pair = str_split(&rest, '&'), true);) {
                if (!pair.n || is_cursor(q->c, pair)) continue;
                buf_char(&b, before);
                add_part(&b, pair);
                before = '&';
        }
        if (cursor.p) {
                buf_char(&b, before);
                buf_lit(&b, "cursor=");
                buf_add(&b, cursor);            /* base64url: nothing in it needs an escape */
        }
        *out = arena_str(q->c->arena, buf_str(&b));
        if (buf_error(&b) || !out->p) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a link");
        return 0;
}

static void add_link(struct buf *b, str target, const char *rel)
{
        if (target.p) buf_printf(b, "%s<" STR_FMT ">; rel=\"%s\"", b->n ? ", " : "", STR_ARG(target), rel);
}

int links_write(struct request *q, void *out)
{
        const struct endpoint *e = q->endpoint;
        struct buf field AUTO(buf_done) = BUF_INIT(FIELD_MAX);
        str *next = (str *)((char *)out + e->next->offset), *prev = (str *)((char *)out + e->prev->offset), first = { NULL, 0 };
        if (prev->p) TRY(link_write(q, (str){ NULL, 0 }, &first));
        if (next->p) TRY(link_write(q, *next, next));
        if (prev->p) TRY(link_write(q, *prev, prev));
        add_link(&field, *next, "next");
        add_link(&field, *prev, "prev");
        add_link(&field, first, "first");
        bool fits = next->n + prev->n + first.n + LINK_WORDS <= FIELD_MAX;
        if (fits && buf_error(&field)) return fail(q->c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a link");
        if (fits && field.n) res_header(q->c, q->x, "link", buf_str(&field));
        return 0;
}
