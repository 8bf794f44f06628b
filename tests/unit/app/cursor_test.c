/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cursor_test.c - places come back as they were; whatever else is given as a cursor, down to one changed bit, is refused. */
#include "test.h"
#include "cursor.h"
#include "text.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const uint8_t secret[32] = "cursors of a test";

static struct digest list_named(const char *operation, const char *sort, const char *filter)
{
        return cursor_list(str_of(operation), str_of(sort), str_of(filter));
}

static void refused(struct ctx *c, const struct digest *list, str cursor, const char *what)
{
        struct place p = { .number = 77 };
        size_t mark = c->fault.n_flaws;
        if (cursor_read(c, list, cursor, &p) != -INVALID_ARGUMENT) cm_fail_msg("taken: %s, " STR_FMT, what, STR_ARG(cursor));
        CHECK(p.number == 77 && c->fault.n_flaws == mark + 1);
        CHECK_STR(c->fault.flaws->pointer, "cursor");
        fault_clear(c);
}

static struct place random_place(struct ctx *c, struct rand *r)
{
        struct place p = { .by = (enum place_by)rand_below(r, 3), .back = rand_below(r, 2) };
        for (size_t i = 0; i < sizeof p.id.b; i++) p.id.b[i] = (uint8_t)rand_below(r, 256);
        if (p.by == BY_INT) p.number = (int64_t)rand_next(r) >> rand_below(r, 64);
        if (p.by == BY_TEXT) {
                size_t n = rand_below(r, 2001);
                char *text = arena_alloc(c->arena, n + 1);
                for (size_t i = 0; i < n; i++) text[i] = (char)rand_below(r, 256);
                p.text = (str){ text, n };
        }
        return p;
}

static void is_same(struct ctx *c, const struct digest *list, str cursor, const struct place *want)
{
        struct place p;
        CHECK_OK(cursor_read(c, list, cursor, &p));
        CHECK(p.by == want->by && p.back == want->back && p.number == want->number && uid_eq(p.id, want->id));
        CHECK(str_eq(p.text, want->text));
}

TEST(any_place_comes_back_from_its_cursor)
{
        struct arena *a = arena_new(4 << 20);
        struct ctx c = { .arena = a };
        struct rand r;
        struct digest list = list_named("toys", "-name", "{}");
        page_key(secret);
        rand_seed(&r, 1);
        for (int i = 0; i < 2000; i++, arena_reset(a)) {
                struct place p = random_place(&c, &r);
                str cursor;
                CHECK_OK(cursor_write(&c, &list, &p, &cursor));
                CHECK(cursor.n <= CURSOR_MAX && strspn(arena_z(a, cursor), alphabet) == cursor.n);
                is_same(&c, &list, cursor, &p);
        }
        static const int64_t edges[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX };
        for (size_t i = 0; i < COUNT(edges); i++) {
                struct place p = { .by = BY_INT, .number = edges[i] };
                str cursor;
                CHECK_OK(cursor_write(&c, &list, &p, &cursor));
                is_same(&c, &list, cursor, &p);
        }
        arena_free(a);
}

/* Each bit of the text, also those that make it no text of the alphabet, and each bit of what it stands for. */
static void every_bit(const struct digest *list, str cursor)
{
        char text[CURSOR_MAX];
        struct arena *kept = arena_new(1 << 20), *a = arena_new(1 << 20);
        struct ctx c = { .arena = a };
        for (size_t bit = 0; bit < cursor.n * 8; bit++, arena_reset(a)) {
                memcpy(text, cursor.p, cursor.n);
                text[bit / 8] ^= (char)(1 << bit % 8);
                refused(&c, list, (str){ text, cursor.n }, "a bit of the text");
        }
        str raw;
        CHECK_OK(base64url_read(kept, cursor, &raw));
        for (size_t bit = 0; bit < raw.n * 8; bit++, arena_reset(a)) {
                struct buf b AUTO(buf_done) = BUF_INIT(CURSOR_MAX);
                ((char *)raw.p)[bit / 8] ^= (char)(1 << bit % 8);
                base64url_write(&b, raw);
                refused(&c, list, buf_str(&b), "a bit of the bytes");
                ((char *)raw.p)[bit / 8] ^= (char)(1 << bit % 8);
        }
        arena_free(kept);
        arena_free(a);
}

TEST(every_single_bit_counts)
{
        struct ctx c = { .arena = arena_new(16 << 20) };
        struct digest list = list_named("toys", "price", "{\"q\":\"duck\"}");
        const struct place places[] = {
                { .id = { { 1, 2, 3 } } }, { .by = BY_INT, .number = -5, .id = { { 9 } }, .back = true }, { .by = BY_TEXT, .text = { "d\0ck \xf0\x9f\xa6\x86", 9 } } };
        page_key(secret);
        for (size_t i = 0; i < COUNT(places); i++) {
                str cursor;
                CHECK_OK(cursor_write(&c, &list, &places[i], &cursor));
                every_bit(&list, cursor);
        }
        arena_free(c.arena);
}

TEST(shortened_lengthened_and_made_up_cursors_are_refused)
{
        struct ctx c = { .arena = arena_new(4 << 20) };
        struct digest list = list_named("toys", "name", "{}");
        struct place p = { .by = BY_TEXT, .text = { "duck", 4 } };
        str cursor;
        page_key(secret);
        CHECK_OK(cursor_write(&c, &list, &p, &cursor));
        for (size_t n = 0; n < cursor.n; n++) {
                refused(&c, &list, str_cut(cursor, 0, n), "its beginning");
                refused(&c, &list, str_cut(cursor, cursor.n - n, cursor.n), "its end");
        }
        static const char *const more[] = { "A", "=", "==", "AA", "AAA", "AAAA", "\n", " ", "%00" };
        for (size_t i = 0; i < COUNT(more); i++) {
                refused(&c, &list, arena_printf(c.arena, STR_FMT "%s", STR_ARG(cursor), more[i]), "with more behind");
                refused(&c, &list, arena_printf(c.arena, "%s" STR_FMT, more[i], STR_ARG(cursor)), "with more before");
        }
        refused(&c, &list, arena_printf(c.arena, STR_FMT STR_FMT, STR_ARG(cursor), STR_ARG(cursor)), "twice");
        char *zeros = arena_alloc(c.arena, 200000);
        memset(zeros, 'A', 200000);
        for (size_t n = 1; n <= 200000; n *= 7) refused(&c, &list, (str){ zeros, n }, "zeros");
        static const char *const words[] = { "", "next", "0", "MTA=", "eyJpZCI6MX0", "' or 1=1 --", "../../etc/passwd", "%s%n", "AQAAAAAAAAaj..." };
        for (size_t i = 0; i < COUNT(words); i++) refused(&c, &list, str_of(words[i]), "a word");
        arena_free(c.arena);
}

TEST(a_cursor_fits_its_own_list_and_key_only)
{
        struct ctx c = { .arena = arena_new(1 << 20) };
        struct digest list = list_named("invoices", "no", "{\"year\":2026}");
        struct place p = { .by = BY_INT, .number = 12 };
        str cursor;
        page_key(secret);
        CHECK_OK(cursor_write(&c, &list, &p, &cursor));
        const struct digest others[] = { list_named("credit_notes", "no", "{\"year\":2026}"), list_named("invoices", "-no", "{\"year\":2026}"),
                list_named("invoices", "no", "{\"year\":2025}"), list_named("invoices", "no", "{}"), list_named("invoicesno", "", "{\"year\":2026}"),
                list_named("", "", "") };
        for (size_t i = 0; i < COUNT(others); i++) refused(&c, &others[i], cursor, "another list's");
        page_key((const uint8_t[32]){ 1 });
        refused(&c, &list, cursor, "another program's");
        page_key(secret);
        is_same(&c, &list, cursor, &p);
        arena_free(c.arena);
}

TEST(the_longest_text_of_a_sort_fits_and_a_longer_one_is_told)
{
        struct ctx c = { .arena = arena_new(1 << 20) };
        struct digest list = list_named("categories", "path", "{}");
        char *text = arena_alloc(c.arena, 4000);
        str cursor;
        memset(text, 0xf0, 4000);
        page_key(secret);
        CHECK_OK(cursor_write(&c, &list, &(struct place){ .by = BY_TEXT, .text = { text, 2000 } }, &cursor));
        CHECK(cursor.n > 2000 && cursor.n <= CURSOR_MAX);
        CHECK_EQ(cursor_write(&c, &list, &(struct place){ .by = BY_TEXT, .text = { text, 4000 } }, &cursor), -INTERNAL);
        arena_free(c.arena);
}

TEST_MAIN
