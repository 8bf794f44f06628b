/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * list_test.c - a ring whose links lie inside the things it links. */
#include "test.h"
#include "list.h"

struct thing { int n; struct link link; };

static int sum(struct link *l)
{
        int order = 0;
        LIST_EACH(e, l) order = order * 10 + CONTAINER(e, struct thing, link)->n;
        return order;
}

TEST(things_stand_in_the_order_they_were_put)
{
        struct link l;
        struct thing a = { .n = 1 }, b = { .n = 2 }, c = { .n = 3 };
        list_init(&l);
        CHECK(list_is_empty(&l) && list_pop(&l) == NULL && sum(&l) == 0);
        CHECK(!link_is_in(&a.link));
        list_push(&l, &a.link);
        list_push(&l, &b.link);
        list_push_front(&l, &c.link);
        CHECK_EQ(sum(&l), 312);
        CHECK(link_is_in(&a.link) && !list_is_empty(&l));
        link_remove(&a.link);
        link_remove(&a.link);                           /* a second time does nothing */
        CHECK(!link_is_in(&a.link));
        CHECK_EQ(sum(&l), 32);
        CHECK(list_pop(&l) == &c.link && list_pop(&l) == &b.link && list_pop(&l) == NULL);
}

TEST(a_walk_survives_the_removal_of_where_it_stands)
{
        struct link l;
        struct thing things[5];
        list_init(&l);
        for (int i = 0; i < 5; i++) {
                things[i] = (struct thing){ .n = i + 1 };
                list_push(&l, &things[i].link);
        }
        LIST_EACH(e, &l)
                if (CONTAINER(e, struct thing, link)->n % 2) link_remove(e);
        CHECK_EQ(sum(&l), 24);
}

TEST_MAIN
