/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * prove.h - souk prove: a marketplace of its own, a crowd, bad weather drawn from a seed, and the books looked at afterwards. Private to prove/.
 *
 *     clients --- proxy --- souk A ---.
 *            `--- proxy --- souk B ---+--- proxy --- PostgreSQL
 *
 * copy.c is the marketplace and its processes, proxy.c the wires, storm.c what happens to them, crowd.c the customers and what each was told, clerks.c those who
 * deliver, count and log everybody in again, books.c the invariants, told.c what was told held against the books, story.c what is printed of an order that breaks one.
 * Everything runs on one loop; the processes are children. */
#ifndef PROVE_H
#define PROVE_H
#include "cli.h"
#include "cluster.h"
#include "hash.h"
#include "history.h"
#include "pg.h"

enum { SERVERS = 2, BUYERS = 6, HOT = 3, COOL = 40, PRODUCTS = HOT + COOL, LINES_MAX = ORDER_LINES_MAX, TOLD_MAX = 14, BOOKS = 3, DISTURBANCES_MAX = 1000 };
/* What runs out in the servers, in ms, and how often somebody looks: a pause outlasts all of it. */
enum { HOLD_MS = 2000, INTENT_MS = 3000, UNANSWERED_MS = 2000, SWEEP_MS = 500, TOKEN_MS = 4000, PAUSE_MIN_MS = TOKEN_MS + 2 * SWEEP_MS };

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
struct clerks;
/* Servers, products, so many of each hot and each cool one, which the clerks note, and accounts. Waits. */
int  copy_open(struct ctx *c, struct copy *k, struct clerks *clerks, int64_t hot, int64_t cool);
void copy_close(struct copy *k);                        /* ends the servers. Waits.                                 */
void copy_remove(struct copy *k, bool keep);            /* PostgreSQL and the folder. Blocks; after the loop.       */
int  server_start(struct ctx *c, struct copy *k, int i);        /* returns when the process runs; it is not ready yet */
/* Waits until /readyz says so, 60 s at most; one that ended, as it does when its database is not there, is started again, as a supervisor would. */
int  server_ready(struct ctx *c, struct copy *k, int i);
void server_kill(struct copy *k, int i);                /* kill -9                                                  */

/* ---- crowd.c: what customers asked and were told ---------------------------------------------------------------------------- */

struct told { int64_t at_us, took_us; int server, status; str text; };  /* status: negative when no answer came      */
struct manner { bool hasty, asks_twice, insists, cancels; };            /* what a customer will do, drawn with the purchase */
struct purchase {
        struct crowd *crowd;
        struct manner manner;
        int  no, buyer, n_lines, n_told;
        char key[37], id[37], invoice[40];
        const char *card;                               /* NULL: the one that pays                                  */
        struct { int product, quantity; } lines[LINES_MAX];
        struct told told[TOLD_MAX];
        uint64_t answer;                                /* a hash of the first confirmation                         */
        int64_t  total;
        bool confirmed, differed, unheard;              /* unheard: the last request got no answer that says what became of it */
        uint64_t token;                                 /* a hash of the one that had ended when it was used; 0: it was good */
        int64_t doubt_us;                               /* of the first request whose outcome was not told; 0: none */
        int64_t back_us[TOLD_MAX]; int n_back;          /* of those that held stock and were declined               */
        int64_t cancel_us;                              /* of the first request to cancel; 0: none                  */
        bool cancelled;
};
struct crowd {
        struct copy *copy;
        struct rand  rand, dice;                        /* who comes and wants what; what they do when they are here */
        double rate, next_us;
        int64_t begun_us, end_us;
        struct purchase *all; int n, max;               /* owned                                                    */
        struct arena *memory;                           /* what was told                                            */
        struct clerks *clerks;
        bool   burst;                                   /* the next arrivals come at once                           */
        int    here, here_max, turned_away, requests, unheard, gave_up, busy, logged_out, odd, refused[5], confirmed, repeats, cancels;        /* refused: by order_outcome */
        FILE  *history;
};
/* Until its end; everybody has gone home. Waits. */
int  crowd_run(struct ctx *c, struct crowd *w);
/* Once more, with its key: every purchase that was confirmed or is in doubt, and every cancellation that was not answered. Waits. */
int  crowd_ask_again(struct ctx *c, struct crowd *w, struct progress *p);
void crowd_history_end(struct crowd *w, bool at_rest);  /* what came back: known to have come when all is at rest   */
bool says_nothing(int r, const struct answer *a, str slug);     /* is it left open what became of the request?      */

/* ---- clerks.c: staff ----------------------------------------------------------------------------------------------------------- */
enum { DELIVERIES_MAX = 4000 };
struct delivery { int product, n; char key[37]; int64_t start_us; bool known, counted; };      /* counted: in laid_in */
struct clerks {
        struct crowd *crowd;
        struct rand rand;
        struct delivery all[DELIVERIES_MAX]; int n;
        int64_t laid_in[PRODUCTS];                      /* as the answers say: at the beginning, and delivered      */
        int64_t counted[PRODUCTS];                      /* read last; -1: never                                     */
        int  reads, below_zero;
        bool at_work;                                   /* the keeper of tokens goes on while it is                 */
};
int  clerks_run(struct ctx *c, struct clerks *k);       /* deliver and count until the crowd's end. Waits.           */
int  clerks_keep_tokens(struct ctx *c, void *clerks);   /* logs everybody in again before their tokens end. Waits.   */
int  clerks_ask_again(struct ctx *c, struct clerks *k); /* every delivery in doubt. Waits.                          */
int  clerks_count(struct ctx *c, struct clerks *k);     /* every product, now. Waits.                               */

/* ---- storm.c ---------------------------------------------------------------------------------------------------------------- */
enum { STORM_KINDS = 12 };
struct disturbance { int kind, at_ms, server, ms; };
struct storm { struct copy *copy; struct crowd *crowd; struct rand rand; struct disturbance all[DISTURBANCES_MAX]; int n; int done[STORM_KINDS]; int64_t begun_us; };
void storm_draw(struct storm *s, uint64_t seed, int n, int seconds);
int  storm_run(struct ctx *c, struct storm *s);         /* Waits.                                                   */
int  storm_calm(struct ctx *c, struct storm *s);        /* everything up, every wire whole. Waits.                  */
void storm_tell(const struct storm *s, struct buf *out);        /* "3 kill -9 of a server, ..."                     */

/* ---- books.c ----------------------------------------------------------------------------------------------------------------- */
struct breach { char order[37]; };                      /* of the first order that broke an invariant; empty: none  */
/* Waits until what events bring about has come about; -DEADLINE_EXCEEDED with what has not. */
int  books_settle(struct ctx *c, struct copy *k, int timeout_ms);
int  books_check(struct ctx *c, struct copy *k, const struct crowd *w, struct report *r, struct breach *out);
void breach_note(struct breach *b, str about);

/* ---- told.c ------------------------------------------------------------------------------------------------------------------ */
/* orders: JSON of all there are in the books (books.c). Wants everybody asked again, and the stock counted. */
int  told_check(struct ctx *c, const struct crowd *w, str orders, struct report *r, struct breach *b);

/* ---- story.c ----------------------------------------------------------------------------------------------------------------- */
int  story_print(struct ctx *c, struct copy *k, const struct crowd *w, const char *order);
#endif
