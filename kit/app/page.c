/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * page.c - a list a page at a time; the place after it is a signed word that only this program can make.
 *
 *     cursor = base64url( kind, 8 bytes of number or 2 of length and the text, 16 bytes of id, 16 bytes of HMAC )
 *
 * The HMAC also covers the row's and the sort's name, which are not in the cursor: a cursor of another list or sort does not fit. */
#include "page.h"
#include "buf.h"
#include "hash.h"
#include "text.h"

enum { MAC_BYTES = 16, ID_BYTES = 16, LIMIT = 20, CURSOR_MAX = 2000 };
enum position { BY_ID, BY_INT, BY_TEXT };

struct members { PAGE_MEMBERS; };       /* what stands at members_at in every filter */

static uint8_t key[32];                 /* set once at start, before any request */

void page_key(const uint8_t from[32])
{
        struct digest d = hmac_sha256((str){ (const char *)from, 32 }, STR("page cursors"));
        memcpy(key, d.b, sizeof key);
}

/* ---- cursors ------------------------------------------------------------------------------------------------------------ */

static struct digest sign(const struct paging *p, const struct sort *s, str position)
{
        struct digest d = sha256_parts((const str[]){ str_of(p->row->name), str_of(s->name), position }, 3);
        return hmac_sha256((str){ (const char *)key, sizeof key }, (str){ (const char *)d.b, sizeof d.b });
}

/* The sort's member of a row, as the statement will be given it. */
static enum position position_of(const struct paging *p, const struct sort *s, const void *row, struct members *m)
{
        const struct field *f = type_field(p->row, str_of(s->key)), *id = type_field(p->row, STR("id"));
        const void *at = field_at(f, row);
        m->after_id = *(const uid *)field_at(id, row);
        switch (f->kind) {
        case K_I64:   m->after_int = *(const int64_t *)at; return BY_INT;
        case K_I32:   m->after_int = *(const int32_t *)at; return BY_INT;
        case K_MONEY: m->after_int = ((const money *)at)->minor; return BY_INT;
        case K_WHEN:  m->after_int = ((const when *)at)->us; return BY_INT;
        case K_STR:   m->after_text = *(const str *)at; return BY_TEXT;
        default:      return BY_ID;
        }
}

static int cursor_write(struct ctx *c, const struct paging *p, const struct sort *s, const void *row, str *out)
{
        struct members m = { 0 };
        struct buf raw AUTO(buf_done) = BUF_INIT(CURSOR_MAX), text AUTO(buf_done) = BUF_INIT(CURSOR_MAX);
        enum position kind = position_of(p, s, row, &m);
        buf_char(&raw, (char)kind);
        if (kind == BY_INT) buf_u64(&raw, (uint64_t)m.after_int);
        if (kind == BY_TEXT) buf_add(&raw, m.after_text);
        buf_add(&raw, (str){ (const char *)m.after_id.b, ID_BYTES });
        struct digest d = sign(p, s, buf_str(&raw));
        buf_add(&raw, (str){ (const char *)d.b, MAC_BYTES });
        base64url_write(&text, buf_str(&raw));
        *out = arena_str(c->arena, buf_str(&text));
        if (buf_error(&raw) || buf_error(&text)) return fail(c, INTERNAL, "page", "a cursor is over %d bytes", CURSOR_MAX);
        return out->p ? 0 : fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a cursor");
}

static int bad(struct ctx *c, const char *name, const char *slug, const char *why)
{
        flaw_add(c, str_of(name), slug, "%s", why);
        return flaws_fail(c);
}

static int cursor_read(struct ctx *c, const struct paging *p, const struct sort *s, struct members *m)
{
        str raw;
        int r = base64url_read(c->arena, m->cursor, &raw);
        if (r == -RESOURCE_EXHAUSTED) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a cursor");
        if (r < 0 || raw.n < 1 + ID_BYTES + MAC_BYTES) return bad(c, "cursor", "bad_cursor", "is not one that an answer gave");
        str position = str_cut(raw, 0, raw.n - MAC_BYTES);
        struct digest d = sign(p, s, position);
        if (!digest_eq(d.b, raw.p + position.n, MAC_BYTES))
                return bad(c, "cursor", "bad_cursor", "is not one that an answer to this list in this order gave");
        str middle = str_cut(position, 1, position.n - ID_BYTES);
        memcpy(m->after_id.b, position.p + position.n - ID_BYTES, ID_BYTES);
        if (position.p[0] == BY_TEXT) m->after_text = middle;
        for (size_t i = 0; position.p[0] == BY_INT && i < 8; i++)
                m->after_int = (int64_t)((uint64_t)m->after_int << 8 | (uint8_t)middle.p[i]);
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

static int no_such_sort(struct ctx *c, const struct paging *p)
{
        struct buf words AUTO(buf_done) = BUF_INIT(400);
        for (const struct sort *s = p->sorts; s->name; s++) buf_printf(&words, "%s%s", s == p->sorts ? "" : ", ", s->name);
        flaw_add(c, STR("sort"), "not_a_word", "must be one of " STR_FMT, STR_ARG(buf_str(&words)));
        return flaws_fail(c);
}

int page_query(struct ctx *c, const struct paging *p, void *filter, void *items, str *next, str *prev)
{
        struct members *m = (struct members *)((char *)filter + p->members_at);
        struct any_list *list = items;
        const struct sort *s = sort_of(p, m->sort);
        size_t limit = m->limit > 0 ? (size_t)MIN(m->limit, 100) : LIMIT;
        *next = *prev = (str){ NULL, 0 };
        if (!s) return no_such_sort(c, p);
        m->take = (int32_t)limit + 1;
        m->after_int = 0;
        m->after_text = (str){ NULL, 0 };
        m->after_id = (uid){ { 0 } };
        if (m->cursor.p) TRY(cursor_read(c, p, s, m));
        TRY(db_run(db(c), s->query, filter, items));
        if (list->n <= limit) return 0;
        list->n = limit;
        return cursor_write(c, p, s, list->v + (limit - 1) * p->row->size, next);
}
