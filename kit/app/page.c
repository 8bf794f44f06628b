/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * page.c - a list a page at a time; the place after it is a signed word that only this program can make.
 *
 *     cursor = base64url( kind and direction, 8 bytes of number or 2 of length and the text, 16 bytes of id, 16 bytes of HMAC )
 *
 * The HMAC also covers the row's and the sort's name, which are not in the cursor: a cursor of another list or sort does not fit. */
#include "page.h"
#include "buf.h"
#include "hash.h"
#include "text.h"

enum { MAC_BYTES = 16, ID_BYTES = 16, LIMIT = 20 };
enum position { BY_ID, BY_INT, BY_TEXT, BACK = 16 };    /* BACK: a bit beside the others */

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

/* A place in the list, and which way from it. */
static int cursor_write(struct ctx *c, const struct paging *p, const struct sort *s, const struct members *m, enum position kind, bool back, str *out)
{
        struct buf raw AUTO(buf_done) = BUF_INIT(CURSOR_MAX), text AUTO(buf_done) = BUF_INIT(CURSOR_MAX);
        buf_char(&raw, (char)(kind | (back ? BACK : 0)));
        if (kind == BY_INT) buf_u64(&raw, (uint64_t)m->after_int);
        if (kind == BY_TEXT) buf_add(&raw, m->after_text);
        buf_add(&raw, (str){ (const char *)m->after_id.b, ID_BYTES });
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

static int cursor_read(struct ctx *c, const struct paging *p, const struct sort *s, struct members *m, enum position *kind)
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
        *kind = (enum position)position.p[0];
        memcpy(m->after_id.b, position.p + position.n - ID_BYTES, ID_BYTES);
        if ((*kind & ~BACK) == BY_TEXT) m->after_text = middle;
        for (size_t i = 0; (*kind & ~BACK) == BY_INT && i < 8; i++)
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

struct walk { const struct sort *sort, *back; bool backwards; enum position kind; };    /* kind: of the cursor that led here */

/* The cursors around what was found. m: the place the walk came from, when it came from one. */
static int around(struct ctx *c, const struct paging *p, const struct walk *k, struct members *m, const struct any_list *list, bool more, str *next, str *prev)
{
        bool from = m->cursor.p != NULL, after = k->backwards || more, before = k->back && (k->backwards ? more : from);
        if (!list->n) {                 /* what lay on this side is gone, so there is only the way back */
                if (!from || !k->back) return 0;
                step_beyond(&m->after_id, (*k->sort->name == '-') == k->backwards);
                return cursor_write(c, p, k->sort, m, k->kind & ~BACK, !k->backwards, k->backwards ? next : prev);
        }
        if (after) {
                enum position kind = position_of(p, k->sort, list->v + (list->n - 1) * p->row->size, m);
                TRY(cursor_write(c, p, k->sort, m, kind, false, next));
        }
        if (!before) return 0;
        enum position kind = position_of(p, k->sort, list->v, m);
        return cursor_write(c, p, k->sort, m, kind, true, prev);
}

int page_query(struct ctx *c, const struct paging *p, void *filter, void *items, str *next, str *prev)
{
        struct members *m = (struct members *)((char *)filter + p->members_at);
        struct any_list *list = items;
        struct walk k = { .sort = sort_of(p, m->sort) };
        size_t limit = m->limit > 0 ? (size_t)MIN(m->limit, 100) : LIMIT;
        *next = *prev = (str){ NULL, 0 };
        if (!k.sort) return no_such_sort(c, p);
        k.back = opposite_of(p, k.sort);
        m->take = (int32_t)limit + 1;
        m->after_int = 0;
        m->after_text = (str){ NULL, 0 };
        m->after_id = (uid){ { 0 } };
        if (m->cursor.p) TRY(cursor_read(c, p, k.sort, m, &k.kind));
        k.backwards = k.kind & BACK;
        if (k.backwards && !k.back) return bad(c, "cursor", "bad_cursor", "leads backwards, where there is no way any more");
        TRY(db_run(db(c), k.backwards ? k.back->query : k.sort->query, filter, items));
        bool more = list->n > limit;
        if (more) list->n = limit;
        if (k.backwards) turn_round(list, p->row->size);
        return around(c, p, &k, m, list, more, next, prev);
}
