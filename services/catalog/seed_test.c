/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * seed_test.c - the products of a fresh marketplace: repeatable, unique, and such as the catalogue takes. No database. */
#include "test.h"
#include "catalog/seed.h"
#include "catalog/seed_words.h"
#include "catalog/write.h"
#include "check.h"
#include "clock.h"
#include "text.h"

enum { MANY = 10000, SEED = 42 };

static struct arena *arena;
static struct product_draft *drafts;
static uid *ids;

static void arena_put(struct arena **a) { arena_free(*a); }

static int the_many(void **state)
{
        (void)state;
        arena = arena_new(64 << 20);
        drafts = arena_many(arena, struct product_draft, MANY);
        ids = arena_many(arena, uid, MANY);
        for (int32_t n = 0; n < MANY; n++) seed_product(arena, SEED, n, &ids[n], &drafts[n]);
        return arena_is_exhausted(arena) ? -1 : 0;
}

static const struct ware *ware_of(str path)
{
        for (size_t i = 0; i < COUNT(wares); i++)
                if (str_eq(path, str_of(wares[i].path))) return &wares[i];
        return NULL;
}

static bool same(const struct product_draft *x, const struct product_draft *y)
{
        bool eq = str_eq(x->sku, y->sku) && str_eq(x->name, y->name) && str_eq(x->description, y->description) && str_eq(x->brand, y->brand) &&
                  str_eq(x->category, y->category) && x->price.minor == y->price.minor && x->images.n == y->images.n &&
                  x->attributes.n == y->attributes.n;
        for (size_t i = 0; eq && i < x->attributes.n; i++)
                eq = str_eq(x->attributes.v[i].name, y->attributes.v[i].name) && str_eq(x->attributes.v[i].value, y->attributes.v[i].value);
        return eq;
}

static int by_text(const void *a, const void *b) { return str_cmp(*(const str *)a, *(const str *)b); }

static size_t distinct(str (*of)(const struct product_draft *))
{
        struct arena *mine = arena_new(1 << 20);
        str *all = arena_many(mine, str, MANY);
        size_t n = 1;
        for (size_t i = 0; i < MANY; i++) all[i] = of(&drafts[i]);
        qsort(all, MANY, sizeof *all, by_text);
        for (size_t i = 1; i < MANY; i++) n += !str_eq(all[i], all[i - 1]);
        arena_free(mine);
        return n;
}

static str sku(const struct product_draft *d)      { return d->sku; }
static str name(const struct product_draft *d)     { return d->name; }
static str brand(const struct product_draft *d)    { return d->brand; }
static str category(const struct product_draft *d) { return d->category; }

/* Text a person may read: there, valid, of a length, and without the scars of an empty slot. */
static void check_text(str s, size_t most)
{
        static const char *const scars[] = { "  ", " ,", ",,", "{", "}", "|", " .", "=" };
        CHECK(s.p && s.n > 0 && s.n <= most);
        CHECK(utf8_is_valid(s));
        CHECK(s.p[0] != ' ' && s.p[s.n - 1] != ' ' && s.p[s.n - 1] != ',');
        for (size_t i = 0; i < COUNT(scars); i++)
                if (memmem(s.p, s.n, scars[i], strlen(scars[i]))) cm_fail_msg("\"%s\" in \"" STR_FMT "\"", scars[i], STR_ARG(s));
}

TEST(product_n_is_the_same_every_time_in_any_order_and_alone)
{
        AUTO(arena_put) struct arena *mine = arena_new(4 << 20);
        for (int32_t n = MANY - 1; n >= 0; n -= 97) {
                struct product_draft again;
                uid id;
                seed_product(mine, SEED, n, &id, &again);
                CHECK(uid_eq(id, ids[n]));
                CHECK(same(&again, &drafts[n]));
        }
}

TEST(another_seed_makes_other_products)
{
        AUTO(arena_put) struct arena *mine = arena_new(4 << 20);
        int alike = 0;
        for (int32_t n = 0; n < 200; n++) {
                struct product_draft other;
                uid id;
                seed_product(mine, SEED + 1, n, &id, &other);
                CHECK(!uid_eq(id, ids[n]));
                alike += str_eq(other.name, drafts[n].name);
        }
        CHECK(alike < 5);
}

TEST(ids_are_version_7_of_a_fixed_day_and_rise_a_second_a_product)
{
        when first;
        CHECK_OK(when_parse(STR("2026-01-05T08:00:00Z"), &first));
        for (int32_t n = 0; n < MANY; n++) {
                CHECK_EQ(uid_time(ids[n]).us, first.us + n * 1000000ll);
                if (n) CHECK(uid_cmp(ids[n - 1], ids[n]) < 0);
        }
}

TEST(skus_are_unique_and_names_nearly_so)
{
        CHECK_EQ(distinct(sku), MANY);
        CHECK(distinct(name) > MANY * 95 / 100);
        CHECK_EQ(distinct(category), COUNT(wares));
        CHECK_EQ(distinct(brand), COUNT(brands));
}

TEST(a_sku_is_unique_and_of_its_form_up_to_a_million)
{
        AUTO(arena_put) struct arena *mine = arena_new(1 << 20);
        struct product_draft last;
        uid id;
        seed_product(mine, SEED, 999999, &id, &last);
        CHECK(str_ends(last.sku, STR("-999999")));
        for (size_t i = 0; i < MANY; i++) {
                str s = drafts[i].sku;
                CHECK_EQ(s.n, 13);
                for (size_t at = 0; at < s.n; at++)
                        CHECK(at == 3 || at == 7 ? s.p[at] == '-' : at < 7 ? s.p[at] >= 'A' && s.p[at] <= 'Z' : s.p[at] >= '0' && s.p[at] <= '9');
        }
}

TEST(texts_are_whole_valid_and_short_enough)
{
        for (size_t i = 0; i < MANY; i++) {
                const struct product_draft *d = &drafts[i];
                check_text(d->name, 120);
                check_text(d->description, 400);
                check_text(d->brand, 40);
                check_text(d->category, 60);
                CHECK(d->description.p[d->description.n - 1] == '.');
                CHECK(d->attributes.n >= 3 && d->attributes.n <= 8);
                for (size_t at = 0; at < d->attributes.n; at++) {
                        check_text(d->attributes.v[at].name, 40);
                        check_text(d->attributes.v[at].value, 60);
                }
        }
}

TEST(the_catalogue_would_take_every_one_of_them)
{
        AUTO(arena_put) struct arena *mine = arena_new(64 << 20);
        struct ctx c = { .arena = mine };
        for (size_t i = 0; i < MANY; i++) {
                check_msg(&c, &product_draft_type, &drafts[i], STR(""));
                draft_check(&c, &drafts[i]);
                if (c.fault.n_flaws) cm_fail_msg(STR_FMT ": " STR_FMT " " STR_FMT, STR_ARG(drafts[i].sku), STR_ARG(c.fault.flaws->pointer), STR_ARG(c.fault.flaws->detail));
        }
}

TEST(a_price_lies_in_the_range_of_its_ware_and_ends_as_prices_do)
{
        for (size_t i = 0; i < MANY; i++) {
                const struct product_draft *d = &drafts[i];
                const struct ware *k = ware_of(d->category);
                int64_t ending = d->price.minor % 100;
                CHECK(k);
                CHECK(d->price.minor >= k->lowest && d->price.minor <= k->highest);
                CHECK(ending == 99 || ending == 95 || ending == 49 || ending == 0);
                CHECK(!strcmp(d->price.cur, "EUR"));
                CHECK_EQ(d->vat_bp, k->department == BOOKS || k->department == FOOD ? 700 : 1900);
        }
}

TEST(a_product_has_one_to_four_images_named_after_its_sku)
{
        size_t seen[5] = { 0 };
        for (size_t i = 0; i < MANY; i++) {
                struct str_list images = drafts[i].images;
                CHECK(images.n >= 1 && images.n <= 4);
                seen[images.n]++;
                for (size_t at = 0; at < images.n; at++) {
                        CHECK(str_starts(images.v[at], STR("https://images.example/")));
                        CHECK(str_ends(images.v[at], STR(".jpg")));
                        str middle = str_cut(images.v[at], 23, images.v[at].n - 6);
                        CHECK(str_eq_nocase(middle, drafts[i].sku) && !str_eq(middle, drafts[i].sku));
                }
        }
        CHECK(seen[1] && seen[2] && seen[3] && seen[4]);
}

TEST(the_tables_hold_together)
{
        for (size_t i = 0; i < COUNT(wares); i++) {
                int levels = 1;
                for (const char *at = wares[i].path; (at = strstr(at, " > ")); at++) levels++;
                CHECK(levels >= 2 && levels <= 3);
                CHECK_EQ(strlen(wares[i].code), 3);
                CHECK(wares[i].highest - wares[i].lowest >= 500);
                for (size_t other = 0; other < i; other++)
                        CHECK(strcmp(wares[i].code, wares[other].code) && strcmp(wares[i].path, wares[other].path));
        }
}

TEST(ten_thousand_take_well_under_300_ms)
{
        AUTO(arena_put) struct arena *mine = arena_new(64 << 20);
        int64_t before = clock_cpu_us();
        for (int32_t n = 0; n < MANY; n++) {
                struct product_draft d;
                uid id;
                seed_product(mine, 7, n, &id, &d);
        }
        int64_t took = clock_cpu_us() - before;
        if (took >= 300000) cm_fail_msg("%lld us", (long long)took);
}

TEST(a_full_arena_leaves_texts_out_and_nothing_breaks)
{
        for (size_t most = 1; most < 4096; most += 61) {
                AUTO(arena_put) struct arena *mine = arena_new(most);
                struct product_draft d;
                uid id;
                seed_product(mine, SEED, 3, &id, &d);
                CHECK(uid_eq(id, ids[3]));
        }
}

int main(int argc, char **argv)
{
        if (argc > 1) cmocka_set_test_filter(argv[1]);
        return _cmocka_run_group_tests(argv[0], __start_tests, (size_t)(__stop_tests - __start_tests), the_many, NULL);
}
