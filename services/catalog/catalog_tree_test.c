/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * catalog_tree_test.c - the tree of categories: made, renamed, moved, deleted; whatever is done, and by how many at once, it stays a tree. */
#include "test.h"
#include "catalog_try.h"
#include "fiber.h"
#include "hash.h"

static struct http_answer category(struct ctx *c, struct world *w, const char *name, const char *parent)
{
        return post(c, w, "staff", "/v1/categories", parent ? texts(c, "{\"name\":\"%s\",\"parent_id\":\"%s\"}", name, parent) : texts(c, "{\"name\":\"%s\"}", name));
}

static const char *id_text(struct ctx *c, struct http_answer a)
{
        char id[37];
        uid_format(id_of(a), id);
        return texts(c, "%s", id);
}

static const char *at(struct ctx *c, const char *id)    { return texts(c, "/v1/categories/%s", id); }

static int made(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        struct http_answer a = category(c, w, "Garden & Home", NULL);
        const char *id;

        expect(a, 201, "\"slug\":\"garden-home\"");
        id = id_text(c, a);
        expect(category(c, w, "Tools", id), 201, "Garden & Home > Tools");
        expect(category(c, w, "Garden & Home", NULL), 409, "\"pointer\":\"/name\",\"slug\":\"category_exists\"");
        expect(category(c, w, "A > B", NULL), 400, "/name");
        expect(category(c, w, " A", NULL), 400, "/name");
        expect(category(c, w, "A", NOBODYS), 400, "/parent_id");
        expect(post(c, w, "alice", "/v1/categories", "{\"name\":\"A\"}"), 403, "slug");
        expect(post(c, w, "vendor", "/v1/categories", "{\"name\":\"A\"}"), 403, "slug");
        expect(http(w, NULL, POST, "/v1/categories", "{\"name\":\"A\"}"), 401, "slug");
        expect(http(w, NULL, GET, at(c, id), NULL), 200, "Garden");
        expect(http(w, NULL, GET, at(c, NOBODYS), NULL), 404, "no_such_category");
        expect(http(w, NULL, GET, texts(c, "/v1/categories?parent=%s", id), NULL), 200, "Tools");
        expect(http(w, NULL, GET, "/v1/categories?sort=-path&limit=1", NULL), 200, "{\"items\":[{\"id\":");
        expect(http(w, NULL, GET, "/v1/categories?sort=-path&limit=1", NULL), 200, "Garden & Home > Tools");
        return 0;
}

TEST(categories_are_a_tree) { RUN(made); }

static int moved(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *home = id_text(c, category(c, w, "Home", NULL)), *lamps = id_text(c, category(c, w, "Lamps", home));
        const char *desk = id_text(c, category(c, w, "Desk", lamps)), *light = id_text(c, category(c, w, "Light", NULL));
        const char *product = path_of(c, post(c, w, "staff", "/v1/products",
                "{\"sku\":\"A\",\"name\":\"B\",\"price\":{\"amount\":5,\"currency\":\"EUR\"},\"category\":\"Home > Lamps > Desk\"}"));
        const char *tag = tag_of(c, w, at(c, lamps));

        expect(change(c, w, "staff", "PATCH", at(c, lamps), tag, texts(c, "{\"parent_id\":\"%s\",\"name\":\"All lamps\"}", light)), 200,
               "\"path\":\"Light > All lamps\",\"version\":2");
        expect(http(w, NULL, GET, at(c, desk), NULL), 200, "Light > All lamps > Desk");
        expect(http(w, NULL, GET, product, NULL), 200, "\"category\":\"Light > All lamps > Desk\"");
        expect(change(c, w, "staff", "PATCH", at(c, lamps), tag, "{\"name\":\"Lamps\"}"), 412, "stale");
        expect(change(c, w, "staff", "PATCH", at(c, lamps), "*", texts(c, "{\"parent_id\":\"%s\"}", desk)), 400, "category_cycle");
        expect(change(c, w, "staff", "PATCH", at(c, lamps), "*", texts(c, "{\"parent_id\":\"%s\"}", lamps)), 400, "category_cycle");
        expect(change(c, w, "staff", "PATCH", at(c, lamps), "*", "{\"parent_id\":\"" NOBODYS "\"}"), 400, "no_such_category");
        expect(change(c, w, "staff", "PATCH", at(c, lamps), "*", "{\"name\":\"A>B\"}"), 400, "/name");
        expect(change(c, w, "staff", "PATCH", at(c, lamps), "*", "{\"name\":\"Home\",\"parent_id\":null}"), 409, "category_exists");
        expect(change(c, w, "staff", "PUT", at(c, lamps), "*", "{\"name\":\"Lamps\"}"), 200, "\"path\":\"Lamps\",\"version\":3");
        expect(change(c, w, "staff", "PUT", at(c, lamps), NULL, "{\"name\":\"Lamps\"}"), 428, "If-Match");
        expect(change(c, w, "vendor", "PUT", at(c, lamps), "*", "{\"name\":\"Lamps\"}"), 403, "slug");
        CHECK_EQ(change(c, w, NULL, "PUT", at(c, lamps), "*", "{\"name\":\"Lamps\"}").status, 401);
        expect(change(c, w, "staff", "PUT", at(c, NOBODYS), "*", "{\"name\":\"Lamps\"}"), 404, "no_such_category");
        CHECK_EQ(rows(w, "catalog", "category where path in ('Home', 'Light', 'Lamps', 'Lamps > Desk')"), 4);
        return 0;
}

TEST(a_category_moves_with_all_below_it_and_never_below_itself) { RUN(moved); }

static int deleted(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *home = id_text(c, category(c, w, "Home", NULL)), *lamps = id_text(c, category(c, w, "Lamps", home));
        const char *gifts = id_text(c, category(c, w, "Gifts", NULL));
        const char *product = path_of(c, post(c, w, "staff", "/v1/products",
                "{\"sku\":\"A\",\"name\":\"B\",\"price\":{\"amount\":5,\"currency\":\"EUR\"},\"category\":\"Home > Lamps\",\"categories\":[\"Gifts\"]}"));

        expect(change(c, w, "staff", "DELETE", at(c, home), "*", NULL), 409, "category_not_empty");
        expect(change(c, w, "staff", "DELETE", at(c, lamps), "*", NULL), 409, "category_not_empty");
        expect(change(c, w, "staff", "DELETE", at(c, gifts), "*", NULL), 409, "category_not_empty");
        expect(change(c, w, "vendor", "DELETE", at(c, lamps), "*", NULL), 403, "slug");
        expect(change(c, w, "staff", "DELETE", at(c, lamps), NULL, NULL), 428, "If-Match");
        expect(change(c, w, "staff", "DELETE", at(c, NOBODYS), "*", NULL), 404, "no_such_category");
        CHECK_EQ(rows(w, "catalog", "category"), 3);
        CHECK_EQ(change(c, w, "staff", "DELETE", product, "*", NULL).status, 204);
        expect(change(c, w, "staff", "DELETE", at(c, lamps), "\"9-0000000000000000\"", NULL), 412, "stale");
        CHECK_EQ(change(c, w, "staff", "DELETE", at(c, lamps), tag_of(c, w, at(c, lamps)), NULL).status, 204);
        CHECK_EQ(change(c, w, "staff", "DELETE", at(c, home), "*", NULL).status, 204);
        CHECK_EQ(change(c, w, "staff", "DELETE", at(c, gifts), "*", NULL).status, 204);
        CHECK_EQ(rows(w, "catalog", "category"), 0);
        return 0;
}

TEST(a_category_is_deleted_when_it_is_empty) { RUN(deleted); }

static int deep(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        const char *id = NULL, *second = NULL, *long_name = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

        for (int i = 1; i <= 8; i++) {
                id = id_text(c, category(c, w, texts(c, "%d", i), id));
                if (i == 2) second = id;
        }
        expect(category(c, w, "9", id), 400, "too_deep");
        const char *other = id_text(c, category(c, w, "Other", NULL)), *below = id_text(c, category(c, w, "Below", other));
        expect(change(c, w, "staff", "PATCH", at(c, second), "*", texts(c, "{\"parent_id\":\"%s\"}", below)), 400, "too_deep");
        CHECK_EQ(change(c, w, "staff", "PATCH", at(c, second), "*", texts(c, "{\"parent_id\":\"%s\"}", other)).status, 200);
        const char *last = NULL;
        for (int i = 0; i < 4; i++) last = id_text(c, category(c, w, long_name, last));
        expect(category(c, w, long_name, last), 400, "/name");
        expect(category(c, w, texts(c, "%s!", long_name), NULL), 400, "/name");
        return 0;
}

TEST(a_tree_is_at_most_eight_levels_deep) { RUN(deep); }

/* No circle, every path the names from the root down. */
static void is_tree(struct world *w)
{
        CHECK_EQ(number(w, "catalog", "with recursive t as (select id, name as path, 1 as depth from category where parent_id is null union all"
                        " select k.id, t.path || ' > ' || k.name, depth + 1 from category k join t on k.parent_id = t.id where depth < 20)"
                        " select (select count(*) from category) - count(*) from t join category k using (id) where k.path = t.path and depth <= 8"), 0);
}

enum { NODES = 12, STEPS = 150, SEEDS = 3 };

static int at_random(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        struct rand dice;
        const char *ids[NODES];
        int well = 0;

        for (int i = 0; i < NODES; i++) ids[i] = id_text(c, category(c, w, texts(c, "N%d", i), NULL));
        rand_seed(&dice, 4711);
        for (int i = 0; i < STEPS; i++) {
                const char *one = ids[rand_below(&dice, NODES)], *other = ids[rand_below(&dice, NODES)];
                struct http_answer a;
                switch (rand_below(&dice, 8)) {
                case 0:  a = change(c, w, "staff", "PATCH", at(c, one), "*", "{\"parent_id\":null}"); break;
                case 1:  a = change(c, w, "staff", "PATCH", at(c, one), "*", texts(c, "{\"name\":\"N%u\"}", rand_below(&dice, NODES))); break;
                case 2:  a = post(c, w, "staff", "/v1/products", texts(c,
                                  "{\"sku\":\"S%d\",\"name\":\"x\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},\"category\":\"N%u > N%u\"}",
                                  i, rand_below(&dice, NODES), rand_below(&dice, NODES))); break;
                default: a = change(c, w, "staff", "PATCH", at(c, one), "*", texts(c, "{\"parent_id\":\"%s\"}", other)); break;
                }
                if (a.status >= 500) cm_fail_msg("%d " STR_FMT, a.status, STR_ARG(a.body));
                well += a.status < 300;
                if (i % 10 == 0) is_tree(w);
        }
        is_tree(w);
        CHECK(well > STEPS / 4);
        return 0;
}

TEST(whatever_is_moved_and_renamed_a_tree_stays_a_tree) { RUN(at_random); }

struct mover { struct world *w; const char *path, *body; int status; };

static int move_it(struct ctx *c, void *arg)
{
        struct mover *m = arg;
        m->status = change(c, m->w, "staff", "PATCH", m->path, "*", m->body).status;
        return 0;
}

static int crosswise(struct ctx *c, void *arg)
{
        (void)arg;
        WORLD(w, c, &catalog_service);
        for (int round = 0; round < 10; round++) {
                const char *a = id_text(c, category(c, w, texts(c, "A%d", round), NULL)), *b = id_text(c, category(c, w, texts(c, "B%d", round), NULL));
                const char *k = id_text(c, category(c, w, texts(c, "C%d", round), NULL));
                struct mover m[] = { { w, at(c, a), texts(c, "{\"parent_id\":\"%s\"}", b), 0 }, { w, at(c, b), texts(c, "{\"parent_id\":\"%s\"}", k), 0 },
                                     { w, at(c, k), texts(c, "{\"parent_id\":\"%s\"}", a), 0 } };
                int moved = 0;

                GROUP(g, c);
                for (size_t i = 0; i < COUNT(m); i++) CHECK_OK(group_go(g, move_it, &m[i]));
                CHECK_OK(group_wait(g));
                for (size_t i = 0; i < COUNT(m); i++) {
                        CHECK(m[i].status == 200 || m[i].status == 400);
                        moved += m[i].status == 200;
                }
                CHECK_EQ(moved, 2);                                             /* the third would close the circle */
                is_tree(w);
        }
        return 0;
}

TEST(three_that_move_below_one_another_at_once_make_no_circle) { RUN(crosswise); }

TEST_MAIN
