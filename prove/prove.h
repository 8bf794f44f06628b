/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * prove.h - souk prove: a marketplace of its own, a crowd, bad weather drawn from a seed, and the books looked at afterwards. Private to prove/.
 *
 *     clients --- proxy --- souk A ---.
 *            `--- proxy --- souk B ---+--- proxy --- PostgreSQL
 *
 * copy.c is the marketplace and its processes, proxy.c the wires, storm.c what happens to them, crowd.c the clients and what each was told, books.c
 * the invariants, story.c what is printed of an order that breaks one. Everything runs on one loop; the processes are children. */
#ifndef PROVE_H
#define PROVE_H
#include "cli.h"
#include "cluster.h"
#include "hash.h"
#include "pg.h"

enum { SERVERS = 2, BUYERS = 8, HOT = 3, COOL = 40, PRODUCTS = HOT + COOL, LINES_MAX = 3, TOLD_MAX = 14, BOOKS = 3, DISTURBANCES_MAX = 1000, HOLD_SECONDS = 2 };

/* ---- proxy.c: a wire that can be cut, delayed and stalled ----------------------------------------------------------------- */
struct proxy;
/* Listens on a port of 127.0.0.1 and hands on to host:port ("unix:/path"). Never NULL on 0. */
int  proxy_open(struct ctx *c, const char *host, int port, struct proxy **out);
void proxy_close(struct proxy **p);                     /* Waits until its fibers have ended.                       */
int  proxy_port(const struct proxy *p);
void proxy_cut(struct proxy *p, bool on);               /* resets what is connected, and what comes while it is on  */
void proxy_delay(struct proxy *p, int ms);              /* each piece, each way                                     */
void proxy_stall(struct proxy *p, bool on);             /* nothing moves                                            */

/* ---- copy.c: the marketplace ------------------------------------------------------------------------------------------------ */
struct server { int pid, port; char dir[200]; struct proxy *proxy; struct client *client; char url[64]; };      /* pid 0: down; client: through the proxy */
struct copy {
        char dir[160];                                  /* all of it; removed at the end unless kept                */
        struct cluster *cluster;
        struct proxy *wire;                             /* between the servers and PostgreSQL                       */
        struct server servers[SERVERS];
        const char *breaks;                             /* the fault planted in the servers; NULL: none             */
        struct pg *books[BOOKS];                        /* the databases, by the short way                          */
        struct login staff, buyers[BUYERS];
        char products[PRODUCTS][37];
};
enum { BOOK_ORDERS, BOOK_INVENTORY, BOOK_PAYMENTS };

int  copy_make(struct ctx *c, struct copy *k);          /* the folder and PostgreSQL. Blocks; before the loop runs. */
int  copy_open(struct ctx *c, struct copy *k, int64_t stock);   /* servers, products, stock, accounts. Waits.       */
void copy_close(struct copy *k);                        /* ends the servers. Waits.                                 */
void copy_remove(struct copy *k, bool keep);            /* PostgreSQL and the folder. Blocks; after the loop.       */
int  server_start(struct ctx *c, struct copy *k, int i);        /* returns when the process runs; it is not ready yet */
/* Waits until /readyz says so, 60 s at most; one that ended, as it does when its database is not there, is started again, as a supervisor would. */
int  server_ready(struct ctx *c, struct copy *k, int i);
void server_kill(struct copy *k, int i);                /* kill -9                                                  */

/* ---- crowd.c: what clients asked and were told ---------------------------------------------------------------------------- */
struct told { int64_t at_us, took_us; int server, status; str text; };  /* status: negative when no answer came      */
struct purchase {
        int  no, buyer, n_lines, n_told;
        char key[37], id[37], invoice[40];
        const char *card;                               /* NULL: the one that pays                                  */
        struct { int product, quantity; } lines[LINES_MAX];
        struct told told[TOLD_MAX];
        uint64_t answer;                                /* a hash of the first confirmation                         */
        bool confirmed, differed, unknown;              /* unknown: a request whose outcome was not told, after the last certain answer */
        bool cancel_asked, cancelled;
};
struct crowd {
        struct copy *copy;
        struct rand  rand, dice;                        /* who comes and wants what; what they do when they are here */
        double rate, next_us;
        int64_t begun_us, end_us;
        struct purchase *all; int n, max;               /* owned                                                    */
        struct arena *memory;                           /* what was told                                            */
        bool   burst;                                   /* the next arrivals come at once                           */
        int    busy, requests, unanswered, refused, confirmed, repeats, cancels;
        FILE  *history;
};
int  crowd_run(struct ctx *c, struct crowd *w);         /* until its end; everybody has gone home. Waits.           */
int  crowd_ask_again(struct ctx *c, struct crowd *w, struct progress *p);       /* every confirmed purchase once more with its key. Waits. */

/* ---- storm.c ---------------------------------------------------------------------------------------------------------------- */
struct disturbance { int kind, at_ms, server, ms; };
struct storm { struct copy *copy; struct crowd *crowd; struct rand rand; struct disturbance all[DISTURBANCES_MAX]; int n; int done[16]; int64_t begun_us; };
void storm_draw(struct storm *s, uint64_t seed, int n, int seconds);
int  storm_run(struct ctx *c, struct storm *s);         /* Waits.                                                   */
int  storm_calm(struct ctx *c, struct storm *s);        /* everything up, every wire whole. Waits.                  */
void storm_tell(const struct storm *s, struct buf *out);        /* "3 kill -9 of a server, ..."                     */

/* ---- books.c ----------------------------------------------------------------------------------------------------------------- */
struct breach { char order[37]; };                      /* of the first order that broke an invariant; empty: none  */
/* Waits until what events bring about has come about; -DEADLINE_EXCEEDED with what has not. */
int  books_settle(struct ctx *c, struct copy *k, int timeout_ms);
int  books_check(struct ctx *c, struct copy *k, const struct crowd *w, struct report *r, struct breach *out);

/* ---- story.c ----------------------------------------------------------------------------------------------------------------- */
int  story_print(struct ctx *c, struct copy *k, const struct crowd *w, const char *order);
#endif
