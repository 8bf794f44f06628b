/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * seed.c - products that read like a shop's, made of the words of seed_words.h.
 *
 * Product n draws from a stream of its own, begun at (seed, n): it is the same whether ten are made or a million, in any order.
 * Only integers are drawn, so every machine makes the same. First all words are chosen, then the texts are written of them. */
#include <ctype.h>
#include "hash.h"
#include "seed.h"
#include "seed_words.h"

enum { DAY_ONE_S = 1767600000, TEXT_MAX = 1000 };       /* 2026-01-05T08:00:00Z */

struct choice {                                         /* the words of one product; empty: it has none             */
        const struct ware *ware;
        str brand, noun, adjective, material, rating, colour, size, first, last;   /* first, last: of an author */
        uint32_t dearness;                              /* 0 to 1000: where between lowest and highest its price lies */
        bool plain;                                     /* the adjective stays out of the name                      */
};

/* ---- lists of words ------------------------------------------------------------------------------------------------ */

static uint32_t words_count(str list, char sep)
{
        uint32_t n = list.n > 0;
        for (size_t i = 0; i < list.n; i++) n += list.p[i] == sep;
        return n;
}

static str word_at(str list, char sep, uint32_t at)
{
        str rest = list, word = STR("");
        for (uint32_t i = 0; i <= at && rest.p; i++) word = str_split(&rest, sep);
        return word;
}

static str draw_of(struct rand *r, str list, char sep)  { return word_at(list, sep, rand_below(r, words_count(list, sep))); }
static str draw(struct rand *r, const char *list)       { return draw_of(r, str_of(list), '|'); }

/* ---- a text under way ---------------------------------------------------------------------------------------------- */

struct text { size_t n; char b[TEXT_MAX]; };            /* the words are ours: one that does not fit is a mistake in the tables */

static void add(struct text *t, str s)
{
        assert(s.n <= sizeof t->b - t->n);
        memcpy(t->b + t->n, s.p, s.n);
        t->n += s.n;
}

static void add_after(struct text *t, const char *sep, str s)
{
        if (!s.n) return;
        if (t->n) add(t, str_of(sep));
        add(t, s);
}

/* As within a sentence: "V-Neck Sweater" becomes "V-neck sweater", and "USB-C Hub" "USB-C hub". */
static void add_low(struct text *t, str s, bool capital)
{
        size_t from = t->n;
        add(t, s);
        for (size_t i = from; i + 1 < t->n; i++)
                if ((i == from || t->b[i - 1] == ' ' || t->b[i - 1] == '-') && isupper((unsigned char)t->b[i]) && islower((unsigned char)t->b[i + 1]))
                        t->b[i] = (char)tolower((unsigned char)t->b[i]);
        if (capital && s.n) t->b[from] = (char)toupper((unsigned char)t->b[from]);
}

static void add_sentence(struct text *t, const struct choice *w, str s)
{
        if (t->n) add(t, STR(" "));
        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] != '{') {
                        add(t, str_cut(s, i, i + 1));
                        continue;
                }
                char slot = s.p[i + 1];
                i += 2;                                 /* past the letter, onto the brace */
                switch (slot) {
                case 'b': add(t, w->brand); break;
                case 'n': add_low(t, w->noun, false); break;
                case 'N': add_low(t, w->noun, true); break;
                case 'm': add_low(t, w->material, false); break;
                case 'a': add_low(t, w->adjective, false); break;
                case 'A': add_low(t, w->adjective, true); break;
                default: assert(!"a slot that seed_words.h does not announce");
                }
        }
}

static str text_str(struct arena *a, const struct text *t)      { return arena_str(a, (str){ t->b, t->n }); }

/* ---- the words ------------------------------------------------------------------------------------------------------ */

static str draw_brand(struct rand *r, enum department d)
{
        uint32_t fitting = 0;
        for (size_t i = 0; i < COUNT(brands); i++) fitting += brands[i].in >> d & 1;
        uint32_t left = rand_below(r, fitting);
        for (size_t i = 0; i < COUNT(brands); i++)
                if (brands[i].in >> d & 1 && left-- == 0) return str_of(brands[i].name);
        return STR("");                                 /* a department without brands: the test would find it */
}

static struct choice choose(struct rand *r)
{
        const struct ware *k = &wares[rand_below(r, COUNT(wares))];
        struct choice w = { .ware = k, .brand = draw_brand(r, k->department) };
        str ratings = str_of(k->ratings);
        uint32_t count = words_count(ratings, '|'), rank = rand_below(r, count);

        w.noun = draw(r, k->nouns);
        w.adjective = draw(r, k->adjectives);
        w.material = draw(r, k->materials);
        w.rating = word_at(ratings, '|', rank);
        w.colour = draw(r, k->colours);
        w.size = draw(r, k->sizes);
        w.plain = rand_below(r, 2);
        if (k->department == BOOKS) {
                w.first = draw(r, first_names);
                w.last = draw(r, last_names);
        }
        uint32_t one = rand_below(r, 1001), other = rand_below(r, 1001);
        w.dearness = one * other / 1000;                /* a product of two: most are cheap, a few dear */
        if (count > 1) w.dearness = (w.dearness * 6 + 1000 * rank / (count - 1) * 4) / 10;
        return w;
}

/* ---- the texts ------------------------------------------------------------------------------------------------------ */

/* "Halden Merino Crew Sweater, Charcoal, M", or of a book "The Borrowed Orchard, Mara Ellingsen, Paperback". */
static str name_of(struct arena *a, const struct choice *w)
{
        struct text t;
        t.n = 0;
        if (w->ware->department == BOOKS) {
                add(&t, w->adjective);
                add_after(&t, " ", w->noun);
                add_after(&t, ", ", w->first);
                add_after(&t, " ", w->last);
        } else {
                add(&t, w->brand);
                if (!w->plain) add_after(&t, " ", w->adjective);
                add_after(&t, " ", w->material);
                add_after(&t, " ", w->noun);
        }
        add_after(&t, ", ", w->rating);
        add_after(&t, ", ", w->colour);
        add_after(&t, ", ", w->size);
        return text_str(a, &t);
}

/* One to three sentences: one of the ware's own always, before it and after it perhaps one of the department's. */
static str description_of(struct arena *a, struct rand *r, const struct choice *w)
{
        const struct department_words *d = &departments[w->ware->department];
        struct text t;
        t.n = 0;
        str opening = draw(r, d->openings), middle = draw(r, w->ware->sentences), closing = draw(r, d->closings);
        if (rand_below(r, 5) < 4) add_sentence(&t, w, opening);
        add_sentence(&t, w, middle);
        if (rand_below(r, 5) < 3) add_sentence(&t, w, closing);
        return text_str(a, &t);
}

/* Ends as prices do: .99, .95, .49 or .00; from 100 euro on at a 9 before it. */
static money price_of(struct rand *r, const struct choice *w)
{
        static const uint8_t endings[] = { 99, 99, 99, 99, 99, 95, 95, 49, 0, 0 };
        int64_t low = w->ware->lowest, high = w->ware->highest;
        int64_t euros = (low + (high - low) * w->dearness / 1000) / 100, step = euros >= 100 ? 10 : 1;
        uint32_t ending = endings[rand_below(r, COUNT(endings))];

        if (step == 10) euros = euros / 10 * 10 + 9, ending = ending == 99 || ending == 95 ? 99 : 0;
        while (euros * 100 + ending < low) euros += step;
        while (euros * 100 + ending > high) euros -= step;
        return (money){ euros * 100 + ending, "EUR" };
}

/* Three letters of the brand, the ware's, and n: n alone makes it unique. */
static str sku_of(struct arena *a, const struct choice *w, int32_t n)
{
        char letters[4] = { 'X', 'X', 'X' };
        size_t at = 0;
        for (size_t i = 0; i < w->brand.n && at < 3; i++)
                if (isascii((unsigned char)w->brand.p[i]) && isalpha((unsigned char)w->brand.p[i]))
                        letters[at++] = (char)toupper((unsigned char)w->brand.p[i]);
        return arena_printf(a, "%s-%s-%05d", letters, w->ware->code, n);
}

static struct str_list images_of(struct arena *a, struct rand *r, str sku)
{
        size_t n = 1 + rand_below(r, 4);
        struct str_list images = { arena_many(a, str, n), 0 };
        char low[32] = "";
        for (size_t i = 0; i < sku.n && i + 1 < sizeof low; i++) low[i] = (char)tolower((unsigned char)sku.p[i]);
        if (images.v)
                for (; images.n < n; images.n++)
                        images.v[images.n] = arena_printf(a, "https://images.example/%s/%zu.jpg", low, images.n + 1);
        return images;
}

/* ---- attributes ------------------------------------------------------------------------------------------------------ */

/* "#180-620 g" is a number between them with its unit, rounded the coarser the wider the range. */
static str measure(struct arena *a, struct rand *r, str recipe)
{
        str unit = str_cut(recipe, 1, recipe.n), range = str_split(&unit, ' '), low = str_split(&range, '-');
        int64_t from = 0, to = 0;
        if (int_parse(low, &from) < 0 || int_parse(range, &to) < 0 || to < from) assert(!"not a range");
        int64_t step = to - from >= 2000 ? 50 : to - from >= 200 ? 10 : 1;
        int64_t value = from + rand_below(r, (uint32_t)((to - from) / step) + 1) * step;
        if (!unit.n) return arena_printf(a, "%lld", (long long)value);
        return arena_printf(a, "%lld " STR_FMT, (long long)value, STR_ARG(unit));
}

static str attribute_value(struct arena *a, struct rand *r, const struct choice *w, str recipe)
{
        if (recipe.p[0] == '#') return measure(a, r, recipe);
        if (recipe.n > 1) return draw_of(r, recipe, '/');
        switch (recipe.p[0]) {
        case 'a': return w->adjective;
        case 'm': return w->material;
        case 'p': return w->rating;
        case 'c': return w->colour;
        case 's': return w->size;
        default: assert(!"a recipe that seed_words.h does not announce"); return STR("");
        }
}

static struct attribute_list attributes_of(struct arena *a, struct rand *r, const struct choice *w)
{
        str rest = str_of(w->ware->attributes);
        struct attribute_list list = { arena_many(a, struct attribute, words_count(rest, '|') + 1), 0 };
        if (!list.v) return list;
        if (w->first.n) list.v[list.n++] = (struct attribute){ STR("Author"), arena_printf(a, STR_FMT " " STR_FMT, STR_ARG(w->first), STR_ARG(w->last)) };
        while (rest.p) {
                str recipe = str_split(&rest, '|'), name = str_split(&recipe, '='), value = attribute_value(a, r, w, recipe);
                if (value.n) list.v[list.n++] = (struct attribute){ name, value };
        }
        return list;
}

/* ---- the product ---------------------------------------------------------------------------------------------------- */

/* UUIDv7 (RFC 9562): a second a product, so that order of number is order of id; the 74 other bits are drawn. */
static uid id_of(struct rand *r, int32_t n)
{
        uint64_t ms = ((uint64_t)DAY_ONE_S + (uint64_t)n) * 1000;
        uint64_t head = ms << 16 | 0x7000 | rand_below(r, 0x1000), tail = rand_next(r) >> 2 | 0x8000000000000000ull;
        uid id;
        for (int i = 0; i < 8; i++) {
                id.b[i] = (uint8_t)(head >> (56 - 8 * i));
                id.b[8 + i] = (uint8_t)(tail >> (56 - 8 * i));
        }
        return id;
}

void seed_product(struct arena *a, int64_t seed, int32_t n, uid *id, struct product_draft *out)
{
        struct rand r;
        rand_seed(&r, (uint64_t)seed * 0xd1342543de82ef95ull ^ (uint64_t)(uint32_t)n * 0x2545f4914f6cdd1dull);
        *id = id_of(&r, n);

        struct choice w = choose(&r);
        *out = (struct product_draft){
                .sku = sku_of(a, &w, n), .name = name_of(a, &w), .brand = arena_str(a, w.brand), .category = arena_str(a, str_of(w.ware->path)),
                .vat_bp = departments[w.ware->department].vat_bp,
        };
        out->description = description_of(a, &r, &w);
        out->price = price_of(&r, &w);
        out->images = images_of(a, &r, out->sku);
        out->attributes = attributes_of(a, &r, &w);
}
