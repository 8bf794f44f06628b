/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * replay.h - the replay of a shop's year: what replay.c sends and replay_checks.c then reads back. Private to cli/. */
#ifndef REPLAY_H
#define REPLAY_H
#include "map.h"
#include "retail.h"

enum { ORDERS_AT_ONCE = 96, READS_AT_ONCE = 64, WAIT_MAX_S = 120 };

struct replay {
        struct shop    shop;
        struct login   staff;
        struct retail  file;
        struct report *report;
        struct progress progress;
        struct map    *by_id;           /* an order's id to its row of the file                   */
        int64_t        orders_sent, orders_new, returns_new;
};

/* Asks until it is answered for good: a busy server, a cut connection and a twin at work are waited out. For questions with a key, and reads. Waits.
 *   returns  0 with a 2xx, or with the status `also`; else the refusal */
int  replay_ask(struct ctx *c, struct replay *r, const struct ask *q, int also, struct answer *out);
/* Walks a list from `path`, page by page: fn for each item, c its page's own. Waits. */
int  replay_walk(struct ctx *c, struct replay *r, str path, int (*fn)(struct ctx *c, struct replay *r, str item, void *arg), void *arg);
/* The same over the years of the file's orders and returns, of a list like "invoices". Waits. */
int  replay_years(struct ctx *c, struct replay *r, const char *list, int (*fn)(struct ctx *c, struct replay *r, str item, void *arg), void *arg);
/* The order of the file with that id in an item's member; NULL: none of ours. */
struct retail_order *replay_order(struct ctx *c, struct replay *r, str item, const char *member);

/* The sums over orders, invoices and captures, each read back. Waits until all is captured, or gives up. */
int  replay_check_orders(struct ctx *c, struct replay *r);
/* Marks the returns that the shop has already; sums them. Waits. */
int  replay_known_returns(struct ctx *c, struct replay *r);
/* Credit notes and refunds against the file. Waits until all is refunded, or gives up. */
int  replay_check_returns(struct ctx *c, struct replay *r);
#endif
