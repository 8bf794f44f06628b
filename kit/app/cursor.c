/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cursor.c - writes and reads cursors. The signature is looked at before anything it covers. */
#include "cursor.h"
#include "buf.h"
#include "text.h"

enum { MAC_BYTES = 16, ID_BYTES = 16, NUMBER_BYTES = 8, BACK = 16 };     /* BACK: a bit beside the kind */

static uint8_t key[32];                 /* set once at start, before any request */

void page_key(const uint8_t from[32])
{
        struct digest d = hmac_sha256((str){ (const char *)from, 32 }, STR("page cursors"));
        memcpy(key, d.b, sizeof key);
}

struct digest cursor_list(str operation, str sort, str filter)
{
        return sha256_parts((const str[]){ operation, sort, filter }, 3);
}

static struct digest sign(const struct digest *list, str position)
{
        struct digest d = sha256_parts((const str[]){ { (const char *)list->b, sizeof list->b }, position }, 2);
        return hmac_sha256((str){ (const char *)key, sizeof key }, (str){ (const char *)d.b, sizeof d.b });
}

int cursor_write(struct ctx *c, const struct digest *list, const struct place *p, str *out)
{
        struct buf raw AUTO(buf_done) = BUF_INIT(CURSOR_MAX), text AUTO(buf_done) = BUF_INIT(CURSOR_MAX);
        buf_char(&raw, (char)(p->by | (p->back ? BACK : 0)));
        if (p->by == BY_INT) buf_u64(&raw, (uint64_t)p->number);
        if (p->by == BY_TEXT) buf_add(&raw, p->text);
        buf_add(&raw, (str){ (const char *)p->id.b, ID_BYTES });
        struct digest d = sign(list, buf_str(&raw));
        buf_add(&raw, (str){ (const char *)d.b, MAC_BYTES });
        base64url_write(&text, buf_str(&raw));
        if (buf_is_starved(&raw) || buf_is_starved(&text)) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a cursor");
        if (buf_error(&raw) || buf_error(&text)) return fail(c, INTERNAL, "page", "a cursor is over %d bytes", CURSOR_MAX);
        *out = arena_str(c->arena, buf_str(&text));
        return out->p ? 0 : fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a cursor");
}

static int bad(struct ctx *c, const char *why)
{
        flaw_add(c, STR("cursor"), "bad_cursor", "%s", why);
        return flaws_fail(c);
}

int cursor_read(struct ctx *c, const struct digest *list, str cursor, struct place *out)
{
        str raw;
        int r = cursor.n > CURSOR_MAX ? -INVALID_ARGUMENT : base64url_read(c->arena, cursor, &raw);
        if (r == -RESOURCE_EXHAUSTED) return fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for a cursor");
        if (r < 0 || raw.n < 1 + ID_BYTES + MAC_BYTES) return bad(c, "is not one that an answer gave");
        str position = str_cut(raw, 0, raw.n - MAC_BYTES), middle = str_cut(position, 1, position.n - ID_BYTES);
        struct digest d = sign(list, position);
        if (!digest_eq(d.b, raw.p + position.n, MAC_BYTES)) return bad(c, "is not one that an answer to this list, with this order and filter, gave");
        struct place p = { .by = (enum place_by)(position.p[0] & ~BACK), .back = position.p[0] & BACK };
        assert(p.by <= BY_TEXT && (p.by != BY_INT || middle.n == NUMBER_BYTES));
        memcpy(p.id.b, position.p + position.n - ID_BYTES, ID_BYTES);
        if (p.by == BY_TEXT) p.text = middle;
        for (size_t i = 0; p.by == BY_INT && i < NUMBER_BYTES; i++) p.number = (int64_t)((uint64_t)p.number << 8 | (uint8_t)middle.p[i]);
        *out = p;
        return 0;
}
