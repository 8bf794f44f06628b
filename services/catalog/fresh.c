/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * fresh.c - fills an empty catalogue with the made-up shop of seed.c.
 *
 * It takes many transactions, and the stock is another service's: a row says that a shop is being filled until whoever asked for it has said that
 * all of it is there. A program that died in between goes on at its next start; each step changes nothing when it was done already. */
#include "catalog_sql.h"
#include "seed.h"
#include "write.h"

enum { SEED_STEP = 500 };

struct seeding_state { bool empty, under_way; int32_t count; int64_t seed; };

MESSAGE(seeding, "products to be made up", F(seeding, 1, count, .min = 1, .max = 1000000), F(seeding, 2, seed));
MESSAGE(seeded, "products made up", F_LIST(seeded, 1, ids, uid, .max = 1000000));
MESSAGE(seeding_state, "how far it is",
        F(seeding_state, 1, empty), F(seeding_state, 2, under_way), F(seeding_state, 3, count, .optional = true), F(seeding_state, 4, seed, .optional = true));

/* A batch's memory goes with it: a child of the seeding's context with an arena of its own. */
static int seed_some(struct ctx *c, const struct seeding *in, int32_t from, int32_t n, uid *ids)
{
        struct arena *arena = arena_new(32 * 1024 * 1024);
        struct ctx step = *c;
        struct product_draft *drafts = arena_many(arena, struct product_draft, (size_t)n);
        enum written *what = arena_many(arena, enum written, (size_t)n);
        int r;

        step.arena = arena;
        for (int32_t i = 0; i < n; i++)
                seed_product(arena, in->seed, from + i, &ids[i], &drafts[i]);
        r = products_write(&step, &(struct writing){ .drafts = drafts, .n = (size_t)n, .ids = ids, .what = what });
        if (r < 0) fault_copy(c, &step);
        arena_free(arena);
        return r;
}

static int catalog_seed(struct ctx *c, const struct seeding *in, struct seeded *out)
{
        struct seeding shop = *in;
        struct seeding_state at;

        TRY(seeding_look(db(c), &(struct nothing){ 0 }, &at));
        if (at.under_way) shop = (struct seeding){ at.count, at.seed };
        else if (!at.empty) return 0;
        else TRY(seeding_begin(db(c), &shop));
        out->ids = (struct uid_list){ arena_many(c->arena, uid, (size_t)shop.count), (size_t)shop.count };
        if (!out->ids.v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "so many products do not fit in memory");
        for (int32_t from = 0; from < shop.count; from += SEED_STEP)
                TRY(seed_some(c, &shop, from, MIN(SEED_STEP, shop.count - from), out->ids.v + from));
        return 0;
}

static int catalog_seed_done(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        (void)out;
        TRY(seeding_end(db(c), in));
        return 0;
}

/*  operation          takes    gives   */
OP( catalog_seed,      seeding, seeded  );
OP( catalog_seed_done, nothing, nothing );
