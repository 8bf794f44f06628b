/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cursor_fuzz.c - any bytes as a cursor are refused; any place comes back from its cursor; no change of a cursor is taken.
 *
 * The first byte chooses the kind of the place, the second the change, the next two where it is made. */
#include <stdlib.h>
#include "cursor.h"
#include "text.h"

enum { HEAD = 4, TEXT_MAX = 2000 };
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
        if (!holds) abort();
}

static void must_refuse(struct ctx *c, const struct digest *list, str cursor)
{
        struct place p;
        must(cursor_read(c, list, cursor, &p) == -INVALID_ARGUMENT && c->fault.n_flaws == 1 && str_eq(c->fault.flaws->pointer, STR("cursor")));
        fault_clear(c);
}

static struct place place_of(uint8_t kind, str bytes)
{
        struct place p = { .by = (enum place_by)(kind % 3), .back = kind & 4 };
        memcpy(p.id.b, bytes.p, MIN(bytes.n, sizeof p.id.b));
        if (p.by == BY_INT) memcpy(&p.number, bytes.p, MIN(bytes.n, sizeof p.number));
        if (p.by == BY_TEXT) p.text = str_cut(bytes, 0, MIN(bytes.n, TEXT_MAX));
        return p;
}

/* One byte other, one fewer, one more. */
static str changed(struct arena *a, str cursor, const uint8_t *how)
{
        size_t at = (how[1] << 8 | how[2]) % cursor.n;
        char *other = arena_alloc(a, cursor.n + 1), ch = (char)(how[0] / 3 + how[0] % 3);
        if (how[0] % 3 == 0) {
                memcpy(other, cursor.p, cursor.n);
                other[at] = (char)(other[at] == ch ? ch + 1 : ch);
                return (str){ other, cursor.n };
        }
        memcpy(other, cursor.p, at);
        if (how[0] % 3 == 1) {
                memcpy(other + at, cursor.p + at + 1, cursor.n - at - 1);
                return (str){ other, cursor.n - 1 };
        }
        other[at] = ch;
        memcpy(other + at + 1, cursor.p + at, cursor.n - at);
        return (str){ other, cursor.n + 1 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const uint8_t key[32] = "a key";
        static struct arena *a;
        if (n < HEAD) return 0;
        if (!a) {
                a = arena_new(1 << 20);
                crypto_start();
                page_key(key);
        }
        arena_reset(a);
        struct ctx c = { .arena = a };
        str bytes = { (const char *)data + HEAD, n - HEAD }, cursor, other;
        struct digest list = cursor_list(STR("toys"), STR("name"), STR("{}")), another = cursor_list(STR("toys"), STR("-name"), STR("{}")),
                      strangers = cursor_list(STR("toys"), STR("price"), STR("{}"));
        struct place p = place_of(data[0], bytes), q;
        must_refuse(&c, &strangers, bytes);             /* of a list for which none was made: the fuzzer learns from comparisons what was */
        must(cursor_write(&c, &list, &p, &cursor) == 0 && cursor_read(&c, &list, cursor, &q) == 0);
        must(p.by == q.by && p.back == q.back && p.number == q.number && uid_eq(p.id, q.id) && str_eq(p.text, q.text));
        must_refuse(&c, &another, cursor);
        other = changed(a, cursor, data + 1);
        if (!str_eq(other, cursor)) must_refuse(&c, &list, other);
        return 0;
}
