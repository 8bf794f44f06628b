/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * demo_inventory.h - the ten warehouses of `souk demo inventory`: what demo_inventory.c does to one product in all of them at once, and
 * demo_inventory_checks.c then looks at from outside. Private to cli/. */
#ifndef DEMO_INVENTORY_H
#define DEMO_INVENTORY_H
#include "demo.h"

enum { DEPOTS = 10, UPDATES_A_DEPOT = 16, FIRST_STOCK = 12 };
enum update_kind { A_RECEIPT, AN_ADJUSTMENT, A_TRANSFER, AN_ORDER, UPDATE_KINDS };

struct update {                         /* one change, as whoever asked for it saw it                        */
        enum update_kind kind;
        int      from, to, units;       /* depots; to: of a transfer; units below 0: an adjustment downwards */
        char     key[37], id[37], slug[40];
        int      status, tries;
        bool     cancelled;             /* an order that its buyer cancelled at once                         */
        int64_t  us;
        uint64_t answer;                /* a hash of it                                                      */
};
struct depot {                          /* a warehouse, and what should and does lie in it                   */
        char     id[37], code[16];
        const char *country;
        int64_t  told;                  /* by answers: what came in, less what went out                      */
        int64_t  told_moved;            /* of that, by transfers                                             */
        int64_t  told_sold, told_back;  /* by orders that say it filled them, and took it back               */
        int64_t  summed, moved, sold, back;     /* by movements: of all kinds, of transfers, sales, cancellations */
        int64_t  lowest;                /* of the sum after each movement                                    */
        int64_t  on_hand, held;         /* as inventory tells                                                */
};
struct depots {
        struct stage  stage;
        struct login  admin;
        struct depot  depot[DEPOTS];
        struct update *updates;         /* n of them; owned                                                  */
        int           n, done[UPDATE_KINDS], cancelled;
};
static inline bool is_done(const struct update *u)      { return u->status == 201; }

/* Asks for update i, with its key; again when it was asked before. Waits. */
int  update_ask(struct ctx *c, struct depots *d, int i, struct answer *out, int *tries);
/* Everything that must hold afterwards; a line each. Waits until all orders are booked, at most 30 s. */
int  depots_check(struct ctx *c, struct depots *d, struct report *r);
#endif
