/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * page.c - a list a page at a time, by the statements of its sorts; cursor.c makes a word of the place where a page ends. */
#include "page.h"
#include "cursor.h"
#include "json.h"

enum { ID_BYTES = 16, LIMIT = 20, FILTER_MAX_BYTES = 256 * 1024 };

struct members { PAGE_MEMBERS; };       /* what stands at members_at in every filter */

static int bad(struct ctx *c, const char *name, const char *slug, const char *why)
{
        flaw_add(c, str_of(name), slug, "%s", why);
        return flaws_fail(c);
}

/* ---- places ------------------------------------------------------------------------------------------------------------- */

/* Where a row stands in a sort. */
static struct place place_of(const struct paging *p, const struct sort *s, const void *row, bool back)
{
        const struct field *f = type_field(p->row, str_of(s->key)), *id = type_field(p->row, STR("id"));
        const void *at = field_at(f, row);
        struct place out = { .back = back, .id = *(const uid *)field_at(id, row) };
        switch (f->kind) {
        case K_I64:   out.number = *(const int64_t *)at; break;
        case K_I32:   out.number = *(const int32_t *)at; break;
        case K_MONEY: out.number = ((const money *)at)->minor; break;
        case K_WHEN:  out.number = ((const when *)at)->us; break;
        case K_STR:   out.text = *(const str *)at; out.by = BY_TEXT; return out;
        default:      return out;
        }
        out.by = BY_INT;
        return out;
}

/* The list that is asked for: what asks, in which order, by what; but not how much at once and from where. */
static int list_of(struct ctx *c, const struct paging *p, const struct sort *s, const void *filter, struct digest *out)
{
        struct buf text AUTO(buf_done) = BUF_INIT(FILTER_MAX_BYTES);
        char *asked = arena_alloc(c->arena, p->filter->size);
        if (!asked) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a page");
        memcpy(asked, filter, p->filter->size);
        memset(asked + p->members_at, 0, sizeof(struct members));
        json_write(&text, p->filter, asked);
        if (buf_error(&text)) return fail(c, RESOURCE_EXHAUSTED, "too_large", "the filter is too large");
        *out = cursor_list(str_of(c->op), str_of(s->name), buf_str(&text));
        return 0;
}

/* ---- pages --------------------------------------------------------------------------------------------------------------- */

static const struct sort *sort_of(const struct paging *p, str name)
{
        if (!name.p) return &p->sorts[0];
        for (const struct sort *s = p->sorts; s->name; s++)
                if (str_eq(name, str_of(s->name))) return s;
        return NULL;
}

void page_check(struct ctx *c, const struct paging *p, const void *filter)
{
        struct buf words AUTO(buf_done) = BUF_INIT(400);
        if (sort_of(p, ((const struct members *)((const char *)filter + p->members_at))->sort)) return;
        for (const struct sort *s = p->sorts; s->name; s++) buf_printf(&words, "%s%s", s == p->sorts ? "" : ", ", s->name);
        flaw_add(c, STR("sort"), "not_a_word", "must be one of " STR_FMT, STR_ARG(buf_str(&words)));
}

/* The way back through a list: "price" for "-price". NULL: it was not declared. */
static const struct sort *opposite_of(const struct paging *p, const struct sort *s)
{
        const char *bare = s->name + (*s->name == '-');
        for (const struct sort *o = p->sorts; o->name; o++)
                if (o != s && !strcmp(o->name + (*o->name == '-'), bare)) return o;
        return NULL;
}

static void turn_round(struct any_list *list, size_t size)
{
        for (size_t i = 0, k = list->n; i + 1 < k; i++) {
                char *a = list->v + i * size, *b = list->v + --k * size;
                for (size_t n = 0; n < size; n++) {
                        char kept = a[n];
                        a[n] = b[n];
                        b[n] = kept;
                }
        }
}

/* The place just beyond one: whoever turns round there meets the row itself, if it is still there. */
static void step_beyond(uid *id, bool up)
{
        for (size_t i = ID_BYTES; i-- > 0;) {
                id->b[i] = (uint8_t)(id->b[i] + (up ? 1 : -1));
                if (id->b[i] != (up ? 0 : 0xff)) return;
        }
}

/* The list, and which way through it from where; from.by is of the cursor that led here. */
struct walk { const struct sort *sort, *back; struct digest list; bool has_from; struct place from; };

/* The cursors around what was found. */
static int around(struct ctx *c, const struct paging *p, const struct walk *k, const struct any_list *found, bool more, str *next, str *prev)
{
        bool backwards = k->from.back, after = backwards || more, before = k->back && (backwards ? more : k->has_from);
        if (!found->n) {                /* what lay on this side is gone, so there is only the way back */
                if (!k->has_from || !k->back) return 0;
                struct place beyond = k->from;
                step_beyond(&beyond.id, (*k->sort->name == '-') == backwards);
                beyond.back = !backwards;
                return cursor_write(c, &k->list, &beyond, backwards ? next : prev);
        }
        if (after) {
                struct place last = place_of(p, k->sort, found->v + (found->n - 1) * p->row->size, false);
                TRY(cursor_write(c, &k->list, &last, next));
        }
        if (!before) return 0;
        struct place first = place_of(p, k->sort, found->v, true);
        return cursor_write(c, &k->list, &first, prev);
}

int page_query(struct ctx *c, const struct paging *p, void *filter, void *items, str *next, str *prev)
{
        struct members *m = (struct members *)((char *)filter + p->members_at);
        struct any_list *found = items;
        struct walk k = { .sort = sort_of(p, m->sort), .has_from = m->cursor.p };
        size_t limit = m->limit > 0 ? (size_t)MIN(m->limit, 100) : LIMIT;
        *next = *prev = (str){ NULL, 0 };
        page_check(c, p, filter);
        TRY(flaws_fail(c));
        k.back = opposite_of(p, k.sort);
        TRY(list_of(c, p, k.sort, filter, &k.list));
        if (k.has_from) TRY(cursor_read(c, &k.list, m->cursor, &k.from));
        if (k.from.back && !k.back) return bad(c, "cursor", "bad_cursor", "leads backwards, where there is no way any more");
        m->take = (int32_t)limit + 1;
        m->after_int = k.from.number;
        m->after_text = k.from.text;
        m->after_id = k.from.id;
        TRY(db_run(db(c), k.from.back ? k.back->query : k.sort->query, filter, items));
        bool more = found->n > limit;
        if (more) found->n = limit;
        if (k.from.back) turn_round(found, p->row->size);
        return around(c, p, &k, found, more, next, prev);
}
