/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * vat.c - see vat.h. */
#include "vat.h"

__extension__ typedef __int128 wide;

int64_t vat_of(int64_t net, int32_t vat_bp)
{
        return (net * vat_bp + 5000) / 10000;
}

/* The greatest net whose net + VAT is not above gross. Rounded down it never is; one more may still fit, two never do. */
static int64_t net_below(int64_t gross, int32_t vat_bp)
{
        int64_t net = gross * 10000 / (10000 + vat_bp);
        return net + 1 + vat_of(net + 1, vat_bp) <= gross ? net + 1 : net;
}

static struct vat_rate *rate_of(struct vat_rate *rates, size_t *n, int32_t vat_bp)
{
        for (size_t i = 0; i < *n; i++)
                if (rates[i].vat_bp == vat_bp) return &rates[i];
        rates[*n] = (struct vat_rate){ vat_bp, 0, 0 };
        return &rates[(*n)++];
}

/* Each line gets what the sum of nets grows by when the sum of gross grows by the line: nothing is lost between them. */
static void nets_share(struct vat_line *lines, size_t n, int32_t vat_bp, int64_t net, int64_t gross)
{
        int64_t so_far = 0, given = 0;

        for (size_t i = 0; i < n; i++) {
                if (lines[i].vat_bp != vat_bp) continue;
                so_far += lines[i].gross;
                lines[i].net = gross ? (int64_t)((wide)net * so_far / gross) - given : 0;
                given += lines[i].net;
        }
}

struct vat_found vat_find(struct vat_line *lines, size_t n, struct vat_rate *rates)
{
        struct vat_found f = { 0 };

        for (size_t i = 0; i < n; i++)
                rate_of(rates, &f.n, lines[i].vat_bp)->net += lines[i].gross;   /* gross for now */
        for (size_t i = 0; i < f.n; i++) {
                struct vat_rate *r = &rates[i];
                int64_t gross = r->net;

                r->net = net_below(gross, r->vat_bp);
                r->vat = vat_of(r->net, r->vat_bp);
                nets_share(lines, n, r->vat_bp, r->net, gross);
                f.lines_net += r->net;
                f.vat += r->vat;
                f.rounding += gross - r->net - r->vat;
        }
        if (f.rounding) rate_of(rates, &f.n, 0)->net += f.rounding;
        f.net = f.lines_net + f.rounding;
        f.gross = f.net + f.vat;
        return f;
}
