/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * page_test.c - lists a page at a time through the edge: links both ways, what comes and goes between pages, cursors that were changed. */
#include "test.h"
#include "visits.h"

static void stock_up(struct world *w, const char *names)
{
        char body[200], who[20];
        for (; *names; names += 2) {
                snprintf(body, sizeof body, "{\"name\":\"%c\",\"price\":{\"amount\":%c,\"currency\":\"EUR\"},\"stock\":1}", names[0], names[1]);
                snprintf(who, sizeof who, "staff#%c", names[0]);
                made(w, who, body);
        }
}

/* A member of the answer that is a text, NUL-terminated; NULL: it is not there. */
static char *text_of(struct world *w, const struct http_answer *a, const char *name)
{
        str text = json_member(a->body, name);
        if (!text.p) return NULL;
        CHECK_OK(json_text(as(w, ""), text, &text));
        return arena_z(last(w)->arena, text);
}

static struct http_answer page(struct world *w, const char *path)
{
        struct http_answer a = http(w, "", GET, path, NULL);
        if (a.status != 200) cm_fail_msg("%d " STR_FMT " for %s", a.status, STR_ARG(a.body), path);
        return a;
}

/* The first letters of a page's names. */
static const char *letters(struct world *w, const struct http_answer *a)
{
        char *out = arena_alloc(as(w, "")->arena, 200);
        str item;
        size_t n = 0;
        for (struct json_walk l = json_open(json_member(a->body, "items")); json_next_element(&l, &item);) out[n++] = json_member(item, "name").p[1];
        return out;
}

/* Follows `rel` from where the path leads to its end, the pages' letters after each other; *end: the last page's path. */
static const char *follow(struct world *w, const char *path, const char *rel, const char **ret_end)
{
        char *all = arena_alloc(as(w, "")->arena, 2000);
        for (int pages = 0; path && pages < 100; pages++) {
                struct http_answer a = page(w, path);
                strcat(all, letters(w, &a));
                strcat(all, "|");
                *ret_end = path;
                path = text_of(w, &a, rel);
        }
        CHECK(path == NULL);
        return all;
}

#define LEADS(w, path, rel, want, end)  CHECK_STR(str_of(follow(w, path, rel, end)), want)

WORLD_TEST(a_list_is_walked_by_its_links_both_ways_in_every_order)
{
        const char *end;
        stock_up(w, "d3a3c1e3b2");
        LEADS(w, "/v1/toys?limit=2&sort=name", "next", "ab|cd|e|", &end);
        LEADS(w, end, "prev", "e|cd|ab|", &end);
        LEADS(w, end, "next", "ab|cd|e|", &end);
        LEADS(w, "/v1/toys?limit=2&sort=-name", "next", "ed|cb|a|", &end);
        LEADS(w, end, "prev", "a|cb|ed|", &end);
        LEADS(w, "/v1/toys?limit=2&sort=price", "next", "cb|da|e|", &end);
        LEADS(w, end, "prev", "e|da|cb|", &end);
        LEADS(w, "/v1/toys?limit=2&sort=-price", "next", "ea|db|c|", &end);
        LEADS(w, end, "prev", "c|db|ea|", &end);
        LEADS(w, "/v1/toys?limit=2&sort=-made_at", "next", "be|ca|d|", &end);
        LEADS(w, end, "prev", "d|ca|be|", &end);
        LEADS(w, "/v1/toys?limit=2&sort=made_at", "next", "da|ce|b|", &end);
        LEADS(w, end, "prev", "b|ce|da|", &end);
        LEADS(w, "/v1/toys", "next", "abcde|", &end);
        LEADS(w, "/v1/toys?limit=5", "next", "abcde|", &end);
}

WORLD_TEST(an_order_without_its_opposite_leads_forwards_only)
{
        stock_up(w, "a1b1c1");
        settle(w);                                      /* their events count them */
        struct http_answer a = page(w, "/v1/toys?limit=2&sort=stock");
        a = page(w, text_of(w, &a, "next"));
        CHECK_EQ(strlen(letters(w, &a)), 1);
        CHECK(!text_of(w, &a, "prev"));
        CHECK(!header_of(&a, "link").p);
}

WORLD_TEST(what_comes_between_two_pages_shifts_nothing)
{
        stock_up(w, "b1d1f1h1");
        struct http_answer one = page(w, "/v1/toys?limit=2"), two;
        CHECK_STR(str_of(letters(w, &one)), "bd");
        stock_up(w, "a1c1");                            /* before what was seen */
        two = page(w, text_of(w, &one, "next"));
        CHECK_STR(str_of(letters(w, &two)), "fh");      /* nothing twice */
        stock_up(w, "e1i1");
        one = page(w, text_of(w, &two, "prev"));
        CHECK_STR(str_of(letters(w, &one)), "de");      /* right before them, the new one as well */
        one = page(w, text_of(w, &one, "prev"));
        CHECK_STR(str_of(letters(w, &one)), "bc");
        const char *end;
        LEADS(w, text_of(w, &one, "next"), "next", "de|fh|i|", &end);   /* nothing lost */
        LEADS(w, text_of(w, &one, "prev"), "prev", "a|", &end);
}

/* In each order the third of three rows is the second page; one after the other the rows go away. */
WORLD_TEST(a_cursor_outlives_the_row_it_stands_on_and_a_page_that_ran_empty_leads_back)
{
        static const char *const sorts[] = { "name", "-name", "price", "-price" };
        const char *end;
        char path[100];
        for (size_t i = 0; i < COUNT(sorts); i++) {
                bool down = *sorts[i] == '-';
                const char *third = down ? "a" : "c", *both = down ? "cb|" : "ab|";
                snprintf(path, sizeof path, "/v1/toys?limit=2&sort=%s", sorts[i]);
                stock_up(w, "a1b2c3");
                struct http_answer one = page(w, path), two = page(w, text_of(w, &one, "next")), none;
                execute(w, "toyshop", down ? "delete from toy where name = 'a'" : "delete from toy where name = 'c'");
                none = page(w, text_of(w, &one, "next"));
                CHECK_STR(json_member(none.body, "items"), "[]");
                CHECK(!text_of(w, &none, "next"));
                LEADS(w, text_of(w, &none, "prev"), "prev", both, &end);        /* with the row that the cursor stands on */
                execute(w, "toyshop", "delete from toy");
                execute(w, "toyshop", "delete from souk_idempotency");
                stock_up(w, "a1b2c3");
                one = page(w, path);
                two = page(w, text_of(w, &one, "next"));
                execute(w, "toyshop", "delete from toy where name = 'b'");
                none = page(w, text_of(w, &one, "next"));
                CHECK_STR(str_of(letters(w, &none)), third);
                execute(w, "toyshop", down ? "delete from toy where name = 'c'" : "delete from toy where name = 'a'");
                none = page(w, text_of(w, &two, "prev"));
                CHECK_STR(json_member(none.body, "items"), "[]");
                CHECK(!text_of(w, &none, "prev"));
                LEADS(w, text_of(w, &none, "next"), "next", down ? "a|" : "c|", &end);
                execute(w, "toyshop", "delete from toy");
                none = page(w, text_of(w, &one, "next"));
                LEADS(w, text_of(w, &none, "prev"), "prev", "|", &end);
                execute(w, "toyshop", "delete from souk_idempotency");
        }
}

WORLD_TEST(links_hold_all_that_was_asked_by)
{
        stock_up(w, "a1b1c1");
        execute(w, "toyshop", "update toy set name = 'x<' || name");
        struct http_answer a = page(w, "/v1/toys?q=x<&limit=1&sort=-name");
        char *next = text_of(w, &a, "next");
        if (!str_starts(str_of(next), STR("/v1/toys?q=x%3C&limit=1&sort=-name&cursor="))) cm_fail_msg("%s", next);
        str link = header_of(&a, "link");
        CHECK(str_eq(link, arena_printf(as(w, "")->arena, "<%s>; rel=\"next\"", next)));
        a = page(w, next);
        link = header_of(&a, "link");
        CHECK(str_eq(link, arena_printf(as(w, "")->arena, "<%s>; rel=\"next\", <%s>; rel=\"prev\", </v1/toys?q=x%%3C&limit=1&sort=-name>; rel=\"first\"",
                                        text_of(w, &a, "next"), text_of(w, &a, "prev"))));
        CHECK(str_starts(str_of(text_of(w, &a, "prev")), STR("/v1/toys?q=x%3C&limit=1&sort=-name&cursor=")));
        struct http_answer head = http(w, "", HEAD, next, NULL);
        CHECK(str_eq(header_of(&head, "link"), link));
        /* a cursor by another spelling of its name is replaced as well */
        char *spelt = arena_z(as(w, "")->arena, arena_printf(last(w)->arena, "/v1/toys?q=x%%3C&limit=1&sort=-name&%%63ursor=%s", strstr(next, "cursor=") + 7));
        a = page(w, spelt);
        page(w, text_of(w, &a, "next"));
        CHECK(strlen(text_of(w, &a, "next")) < strlen(spelt) + 2);
        /* a Link field that would be too long for those between us and the client is left out, the body's links stay */
        char *wide = arena_alloc(as(w, "")->arena, 3000);
        char *end = wide + sprintf(wide, "/v1/toys?limit=1&&q=");
        for (int i = 0; i < 600; i++) end = mempcpy(end, "%78", 4) - 1;
        execute(w, "toyshop", "update toy set name = repeat('x', 600) || name");
        a = page(w, wide);
        CHECK(header_of(&a, "link").n > 2000);
        a = page(w, text_of(w, &a, "next"));
        CHECK(!header_of(&a, "link").p);
        CHECK(text_of(w, &a, "next") && strstr(text_of(w, &a, "prev"), "limit=1&q=%78%78"));
}

WORLD_TEST(a_cursor_that_was_tampered_with_or_taken_elsewhere_is_refused)
{
        char path[3000];
        stock_up(w, "a1b1c1");
        struct http_answer a = page(w, "/v1/toys?limit=1&sort=name");
        a = page(w, text_of(w, &a, "next"));
        static const char *const rels[] = { "next", "prev" };
        for (size_t r = 0; r < COUNT(rels); r++) {
                const char *cursor = strstr(text_of(w, &a, rels[r]), "cursor=") + 7;
                CHECK(strlen(cursor) > 40);
                for (size_t at = 0; at < strlen(cursor); at += 5) {
                        snprintf(path, sizeof path, "/v1/toys?sort=name&cursor=%s", cursor);
                        char *ch = strstr(path, "cursor=") + 7 + at;
                        *ch = *ch == 'A' ? 'B' : 'A';
                        HAS(refused(http(w, "", GET, path, NULL), 400, "invalid").body, "\"pointer\":\"cursor\"");
                }
                static const char *const others[] = { "sort=price", "sort=-name", "sort=name&q=a" };
                for (size_t i = 0; i < COUNT(others); i++) {
                        snprintf(path, sizeof path, "/v1/toys?%s&cursor=%s", others[i], cursor);
                        HAS(refused(http(w, "", GET, path, NULL), 400, "invalid").body, "\"pointer\":\"cursor\"");
                }
                snprintf(path, sizeof path, "/v1/toys?sort=name&limit=50&fields=name&cursor=%s", cursor);      /* the same list, more of it at once */
                page(w, path);
        }
        HAS(refused(http(w, "", GET, "/v1/toys?sort=colour", NULL), 400, "invalid").body, "must be one of name, -name, price, -price, -made_at, made_at, stock");
        refused(http(w, "", GET, "/v1/toys?cursor=", NULL), 400, "invalid");
}

TEST_MAIN
