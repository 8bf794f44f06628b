/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * vat.h - the net amounts and the VAT of an invoice whose prices include VAT. Pure. Private.
 *
 * EN 16931 works from net to gross: line nets are whole minor units, the VAT of a rate is its sum of nets times the rate, rounded half up (BR-CO-17),
 * and gross is net plus VAT (BR-CO-15). Here the gross is given: it was paid. Of each rate the greatest net is taken whose gross is not above what was paid at that
 * rate. Net plus VAT steps over some amounts (at 20 % nothing gives 0.03), so one minor unit may be missing; these are one charge at 0 %, "rounding",
 * and the gross is what was paid, always. The sum of nets is shared among the lines of a rate in proportion, each within one minor unit. */
#ifndef VAT_H
#define VAT_H
#include <stddef.h>
#include <stdint.h>

struct vat_line  { int64_t gross; int32_t vat_bp; int64_t net; };       /* gross: >= 0, 10^14 in all at most; vat_bp: 0 to 10,000; net: found */
struct vat_rate  { int32_t vat_bp; int64_t net, vat; };
struct vat_found { size_t n; int64_t lines_net, rounding, net, vat, gross; };

/* Finds the net of each line, and the sums. rates: room for n + 1, in the order in which rates occur; that of the rounding, 0 %, last when it is new. */
struct vat_found vat_find(struct vat_line *lines, size_t n, struct vat_rate *rates);
int64_t vat_of(int64_t net, int32_t vat_bp);                             /* rounded half up */
#endif
