/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * shop.h - what the tests of the services on an order's way share: stocking, ordering, reading answers, and auditing the books.
 *
 * Ends the test program when something is wrong (world_wrong), so that a check may stand in any fiber. */
#ifndef SHOP_H
#define SHOP_H
#include "world.h"
#include "catalog/catalog.h"

/* ---- answers -------------------------------------------------------------------------------------------------------- */
bool says(struct http_answer a, int status, const char *slug);          /* a problem with that status and slug; else prints it */
bool blames(struct http_answer a, const char *pointer, const char *slug);       /* a 400 with a flaw of that slug at that place */
str  text_of(struct http_answer a, const char *name);   /* a member's text without its quotes                       */
int64_t int_of(struct http_answer a, const char *name); /* a member's number                                        */
int64_t minor_of(str money);                            /* of a money as JSON                                       */
bool same(struct http_answer a, struct http_answer b);  /* status and body; else prints both                        */

/* ---- a shop ----------------------------------------------------------------------------------------------------------- */
enum { PRODUCTS = 6 };
struct shop { struct world *w; uid products[PRODUCTS]; };
/* A world of all services on an order's way, and a shop in it; whoever says SHOP includes their contracts. */
#define SHOP(s, w, c) \
        WORLD(w, c, &identity_service, &catalog_service, &inventory_service, &payments_service, &orders_service); \
        struct shop s; \
        shop_open(&s, w)
void shop_open(struct shop *s, struct world *w);        /* the catalogue's first products, with nothing in stock    */
void stock(struct shop *s, int product, int quantity);  /* received into the default warehouse                      */
const char *basket(struct shop *s, int product, int quantity, const char *card);        /* the body of an order; card NULL: none said */
const char *basket_of_two(struct shop *s, int one, int n_one, int two, int n_two);
struct http_answer buy(struct shop *s, const char *who, const char *body);               /* POST /v1/orders; who: "alice#key" */
struct http_answer get(struct shop *s, const char *who, const char *before, str id, const char *after);     /* GET of the path made of the three */
struct http_answer post(struct shop *s, const char *who, const char *before, str id, const char *after, const char *body);
/* "PUT /v1/warehouses/...", "PATCH ..." (as a merge patch) or "DELETE ..."; if_match: an ETag, *, or NULL; body may be NULL. */
struct http_answer change(struct shop *s, const char *who, const char *line, const char *if_match, const char *body);
const char *etag_of(struct shop *s, struct http_answer a);                               /* its ETag, "" without one */
const char *say(struct shop *s, const char *fmt, ...) PRINTF(2, 3);                      /* a text that lives as long as the world */
const char *id_of(struct shop *s, int product);
int64_t free_units(struct shop *s, int product);
/* An event as the service tells it that owns the topic: what it says begins with the id it is about. */
void tell_event(struct world *w, const char *service, const struct event *e, const void *msg);
void pass(int ms);
void sweep(struct shop *s);                             /* both sweepers, and everything they start                 */

#define PAYS      "4242424242424242"
#define DECLINES  "4000000000000002"
#define SILENT    "4000000000000044"
#define TWICE     "4000000000000051"
#define LATE      "4000000000000069"

/* ---- audit ------------------------------------------------------------------------------------------------------------ */
/* At any moment: no unit is made or lost, nothing is negative, numbers have no gap, the ledger sums to zero, events equal orders. */
void audit(struct shop *s, const char *file, int line);
/* When all is quiet: also each confirmed order has its sale and its capture, of exactly its lines and its sum, and nothing is held or authorised. */
void audit_quiet(struct shop *s, const char *file, int line);
/* The same of inventory alone, for tests that say the events of orders themselves. */
void audit_stock(struct shop *s, bool is_quiet, const char *file, int line);
#define AUDIT_STOCK(s)        audit_stock((s), false, __FILE__, __LINE__)
#define AUDIT_STOCK_QUIET(s)  audit_stock((s), true, __FILE__, __LINE__)
#define AUDIT(s)        audit((s), __FILE__, __LINE__)
#define AUDIT_QUIET(s)  audit_quiet((s), __FILE__, __LINE__)
/* When all is quiet and only orders gives money back: what is kept of each order is its total less its credit notes. */
void audit_credits(struct shop *s, const char *file, int line);
#define AUDIT_CREDITS(s)  audit_credits((s), __FILE__, __LINE__)
#endif
