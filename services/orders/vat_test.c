/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * vat_test.c - the sums of an invoice hold for every basket: by hand for the known traps, then for many at random. */
#include <stdlib.h>
#include "test.h"
#include "base.h"
#include "orders/vat.h"
#include "hash.h"

TEST(the_net_of_a_plain_price_is_found)
{
        struct vat_line line = { 11900, 1900, 0 };
        struct vat_rate rates[2];
        struct vat_found f = vat_find(&line, 1, rates);

        CHECK_EQ(line.net, 10000);
        CHECK_EQ(f.n, 1);
        CHECK_EQ(rates[0].vat, 1900);
        CHECK_EQ(f.rounding, 0);
        CHECK_EQ(f.gross, 11900);
}

TEST(a_gross_that_no_net_gives_is_made_up_by_a_rounding_at_no_vat)
{
        struct vat_line line = { 3, 2000, 0 };                                  /* 2 + 0 is 2, 3 + 1 is 4 */
        struct vat_rate rates[2];
        struct vat_found f = vat_find(&line, 1, rates);

        CHECK_EQ(line.net, 2);
        CHECK_EQ(f.rounding, 1);
        CHECK_EQ(f.n, 2);
        CHECK_EQ(rates[1].vat_bp, 0);
        CHECK_EQ(rates[1].net, 1);
        CHECK_EQ(f.net, 3);
        CHECK_EQ(f.vat, 0);
        CHECK_EQ(f.gross, 3);
}

TEST(half_a_unit_of_vat_is_rounded_up)
{
        CHECK_EQ(vat_of(50, 1900), 10);                                         /* 9.50 */
        CHECK_EQ(vat_of(49, 1900), 9);                                          /* 9.31 */
        CHECK_EQ(vat_of(5, 1000), 1);                                           /* 0.50 */
        CHECK_EQ(vat_of(4, 1000), 0);
}

TEST(nothing_costs_nothing_and_no_rate_has_no_vat)
{
        struct vat_line lines[] = { { 0, 1900, 7 }, { 500, 0, 0 } };
        struct vat_rate rates[3];
        struct vat_found f = vat_find(lines, 2, rates);

        CHECK_EQ(lines[0].net, 0);
        CHECK_EQ(lines[1].net, 500);
        CHECK_EQ(f.gross, 500);
        CHECK_EQ(f.vat, 0);
        CHECK_EQ(vat_find(lines, 0, rates).gross, 0);
}

/* The rules of EN 16931 by their names, and that the gross is what was paid. */
static void check_rules(const struct vat_line *lines, size_t n, int64_t paid)
{
        struct vat_line found[40];
        struct vat_rate rates[41];
        int64_t line_sum = 0, vat_sum = 0, net_sum = 0;

        memcpy(found, lines, n * sizeof *lines);
        struct vat_found f = vat_find(found, n, rates);
        for (size_t i = 0; i < n; i++) {
                line_sum += found[i].net;
                CHECK(found[i].net >= 0 && found[i].net <= found[i].gross);
        }
        CHECK_EQ(f.lines_net, line_sum);                                        /* BR-CO-10 */
        CHECK_EQ(f.net, line_sum + f.rounding);                                 /* BR-CO-13, the rounding is a charge */
        for (size_t i = 0; i < f.n; i++) {
                int64_t of_rate = rates[i].vat_bp == 0 ? f.rounding : 0;
                for (size_t k = 0; k < n; k++) of_rate += found[k].vat_bp == rates[i].vat_bp ? found[k].net : 0;
                CHECK_EQ(rates[i].net, of_rate);                                /* BR-S-08, BR-Z-08 */
                CHECK_EQ(rates[i].vat, (rates[i].net * rates[i].vat_bp + 5000) / 10000);        /* BR-CO-17 */
                for (size_t k = 0; k < i; k++) CHECK(rates[k].vat_bp != rates[i].vat_bp);
                vat_sum += rates[i].vat;
                net_sum += rates[i].net;
        }
        CHECK_EQ(f.vat, vat_sum);                                               /* BR-CO-14 */
        CHECK_EQ(f.net, net_sum);
        CHECK_EQ(f.gross, f.net + f.vat);                                       /* BR-CO-15 */
        CHECK_EQ(f.gross, paid);
        CHECK(f.rounding >= 0 && f.rounding <= (int64_t)f.n);
}

TEST(every_amount_at_every_usual_rate_adds_up)
{
        static const int32_t usual[] = { 0, 1, 210, 550, 700, 900, 1000, 1900, 2000, 2100, 2500, 2700, 9999, 10000 };

        for (size_t r = 0; r < COUNT(usual); r++)
                for (int64_t gross = 0; gross < 3000; gross++) {
                        struct vat_line line = { gross, usual[r], 0 };
                        check_rules(&line, 1, gross);
                }
}

TEST(random_baskets_add_up)
{
        static const int32_t usual[] = { 0, 700, 1900, 2000, 550, 2500 };
        const char *given = getenv("SOUK_SEED");
        struct rand rand;

        rand_seed(&rand, given ? strtoull(given, NULL, 10) : 1);
        for (int round = 0; round < 20000; round++) {
                struct vat_line lines[40];
                size_t n = 1 + rand_below(&rand, 40);
                int64_t most = (int64_t[]){ 10, 1000, 100000, 2500000000000 }[rand_below(&rand, 4)], paid = 0;

                for (size_t i = 0; i < n; i++) {
                        int32_t bp = rand_below(&rand, 8) ? usual[rand_below(&rand, COUNT(usual))] : (int32_t)rand_below(&rand, 10001);
                        int64_t gross = (int64_t)((uint64_t)rand_below(&rand, 1 << 30) * (1 << 12) + rand_below(&rand, 1 << 12)) % most;
                        lines[i] = (struct vat_line){ gross, bp, 0 };
                        paid += gross;
                }
                check_rules(lines, n, paid);
        }
}

TEST_MAIN
