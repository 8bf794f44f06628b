/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cli.h - the subcommands that drive a running marketplace, and what they share: finding it, asking it, telling what came of it.
 *
 * They are clients like any other: HTTP is all they know of services. What `souk run` keeps in DIR tells where it listens (run.json)
 * and how the demo accounts log in (accounts.json). Each command is a process of its own: it may block, and its exit status is
 * 0 when all went well, 1 when something did not, 2 when the command line was wrong. Threads: one. */
#ifndef CLI_H
#define CLI_H
#include "args.h"
#include "client.h"
#include "json.h"

int token_command(struct args *a);              /* token.c  */
int demo_orders_command(struct args *a);        /* demo.c   */
int demo_inventory_command(struct args *a);     /* demo_inventory.c */
int import_products_command(struct args *a);    /* import.c */
int keys_list_command(struct args *a);          /* keys.c   */
int keys_rotate_command(struct args *a);
extern const struct flag keys_flags[];
extern const char *const keys_list_examples[], *const keys_rotate_examples[];
int load_orders_command(struct args *a);        /* load.c   */
int load_browse_command(struct args *a);
int load_mixed_command(struct args *a);
extern const struct flag token_flags[], demo_orders_flags[], demo_inventory_flags[], import_products_flags[], load_flags[];
extern const char *const token_examples[], *const demo_orders_examples[], *const demo_inventory_examples[], *const import_products_examples[], *const load_examples[];
int replay_retail_command(struct args *a);      /* replay.c */
extern const struct flag replay_retail_flags[];
extern const char *const replay_retail_examples[];
int completion_command(struct args *a);         /* shell.c */
int man_command(struct args *a);
extern const char *const completion_shells[], *const completion_examples[], *const man_examples[];

#define SHOP_FLAGS \
        { "url", 0, "URL", "the marketplace to drive; else the one that runs from DIR" }, \
        { "data", 'd', "DIR", "where `souk run` keeps everything, the demo accounts too (or SOUK_DATA)", .fallback = ".souk" }
#define JSON_FLAG { "json", 0, NULL, "the last line is one JSON object, for programs" }

/* ---- shop.c: the marketplace ------------------------------------------------------------------------------------------ */

struct shop  { struct client *client; str url, data; bool is_private; int pid; };        /* pid: of the server that runs from DIR; 0: not known */
struct login { str email, password; char token[4100]; int64_t until_us; };     /* token: drawn when first needed, renewed before it ends */
struct answer { int status; str body, location; bool replayed; };        /* body: valid JSON, or empty; replayed: the key's first answer again */

/* Where it is, by --url or DIR/run.json; opens a client of at most `connections`. Does not connect.
 *   returns  0, -NOT_FOUND nothing runs from DIR, -INVALID_ARGUMENT the url */
int  shop_open(struct ctx *c, const struct args *a, int connections, struct shop *out);
void shop_close(struct shop *s);
/* The demo account of a role ("staff"), from DIR/accounts.json. -NOT_FOUND */
int  shop_account(struct ctx *c, const struct shop *s, const char *role, struct login *out);

struct ask {
        enum method method;
        str   path, body, key;                  /* body: JSON; key: the Idempotency-Key; both may be absent          */
        struct login *as;                       /* NULL: nobody                                                      */
        bool  minimal;                          /* Prefer: return=minimal                                            */
};
/* Asks once and reads the answer. Waits.
 *   returns  0 whatever the status, or what client_send() says */
int  shop_ask(struct ctx *c, struct shop *s, const struct ask *q, struct answer *out);
/* The same, again after a 429 or 503, which the fault tells unless the answer is a 2xx: its detail, and each error with its pointer. Waits. */
int  shop_must(struct ctx *c, struct shop *s, const struct ask *q, struct answer *out);
str  problem_of(struct ctx *c, const struct answer *a); /* an answer that is no 2xx, in a sentence                     */
/* Logs in unless the token is fresh. Waits. */
int  shop_login(struct ctx *c, struct shop *s, struct login *l);
str  fresh_key(struct ctx *c);                          /* a new UUIDv7 as text                                      */

/* Runs fn(c, i, arg) for every i < n on at most `at_once` fibers. Each run has an arena of its own, gone when it returns, and a deadline of
 * a minute. The first failure ends the others. p: stepped after each; may be NULL. Waits. */
struct progress;
int  spread(struct ctx *c, int n, int at_once, int (*fn)(struct ctx *c, int i, void *arg), void *arg, struct progress *p);

/* Members of a valid object by a path like "total.amount"; absent or another kind: p NULL, or `none`. */
str     member_at(str object, const char *path);
str     text_at(struct ctx *c, str object, const char *path);
int64_t int_at(str object, const char *path, int64_t none);

/* ---- goods.c: what is sold, and to whom --------------------------------------------------------------------------------- */

struct goods { const char *sku, *name, *description; int64_t price_minor; };
/* Makes a new product, priced in EUR. Waits. */
int  goods_product(struct ctx *c, struct shop *s, struct login *staff, const struct goods *g, char id[37]);
str  goods_stock_body(struct ctx *c, const char *product, int64_t n, const char *reason);       /* of POST /v1/inventory/adjustments */
int  goods_stock_add(struct ctx *c, struct shop *s, struct login *staff, const char *product, int64_t n, const char *reason);      /* Waits. */
/* Makes n accounts ("demo-...@souk.example", "demo buyer 1") and logs them in. Waits. */
int  goods_buyers(struct ctx *c, struct shop *s, const char *who, struct login *v, int n);

/* ---- report.c: what came of it --------------------------------------------------------------------------------------- */

/* On standard error while it goes on: a bar on a terminal, else a line now and then. */
struct progress {
        const char *what, *unit;
        int64_t total, done;            /* total 0: not known; then share, 0..1, draws the bar      */
        double  share;
        int64_t started_us, drawn_us;
        bool    live;
};
void progress_open(struct progress *p, const char *what, const char *unit, int64_t total);
void progress_step(struct progress *p, int64_t n);
void progress_close(struct progress *p);

/* On standard output: a line a check, the figures, and with --json one object last. */
struct report { const char *name; bool json, colour, failed; struct buf checks, figures; struct jw checks_w, figures_w; };
void report_open(struct report *r, const struct args *a);
void report_close(struct report *r);
bool report_check(struct report *r, bool ok, const char *name, const char *fmt, ...) PRINTF(4, 5);      /* returns ok */
void report_int(struct report *r, const char *name, int64_t v);
void report_num(struct report *r, const char *name, double v, int decimals);
void report_text(struct report *r, const char *name, str v);
void report_null(struct report *r, const char *name);    /* a figure that is not known here */
/* Prints the end: a failure with its story when result < 0. returns the exit status */
int  report_end(struct report *r, const struct ctx *c, int result);

/* Runs fn on a loop of its own with a report; the exit status. arg is handed on. */
struct job_of_command { struct args *args; struct report report; void *arg; };
int  command_run(struct args *a, int (*fn)(struct ctx *c, struct job_of_command *j), void *arg);
#endif
