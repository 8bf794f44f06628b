/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * run.c - souk run: from a directory to a marketplace that serves, and back.
 *
 *     settings -> port free? -> DIR and its lock -> secret, accounts -> a private PostgreSQL (unless told of another) -> the program (app.h)
 *       -> ready: accounts, products and stock of a fresh marketplace; then what a newcomer needs to know -> a signal -> all of it stopped
 *
 * A first start that did not come to its end is begun anew: its private database is thrown away, for nobody can have used it yet. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "app.h"
#include "breaks.h"
#include "catalog/catalog.h"
#include "cluster.h"
#include "home.h"
#include "identity/identity.h"
#include "inventory/inventory.h"
#include "io.h"
#include "port_holder.h"
#include "services.h"
#include "version.h"

enum { SEED_PRODUCTS = 10000, SEED = 1, SEED_ARENA = 512 << 20, SEED_MS = 120000, STOCK_MIN = 20, STOCK_SPREAD = 480, SAMPLE_STOCK = 1000 };

const struct flag run_flags[] = {
        { "no-seed", 0, NULL, "leave an empty catalogue empty" },
        { 0 } };
const char *const run_examples[] = {
        "souk run", "on port 8080, everything kept in .souk/",
        "souk run --port 9000 --data /srv/souk", "elsewhere",
        "SOUK_DATABASE_URL=postgresql://me@db.example/postgres souk run", "on a server you have",
        "souk run --target orders,payments", "only some services (they need a database they share)",
        NULL };

struct running {
        struct home     home;
        struct cluster *cluster;
        struct config  *config;
        bool            seed, live;
        bool            accounts, stock;        /* identity runs here; the catalogue with its inventory */
        int64_t         begun_us;
        char            url[300];
};

/* ---- telling how far it is -------------------------------------------------------------------------------------------------- */

static void progress(const char *what, void *arg)
{
        const struct running *r = arg;
        fprintf(stderr, r->live ? "\r\033[Ksouk: %s " : "souk: %s\n", what);
        fflush(stderr);
}

static void progress_end(const struct running *r)
{
        if (r->live) fputs("\r\033[K", stderr);
}

static int cannot(const struct running *r, const struct ctx *c)
{
        progress_end(r);
        fprintf(stderr, "souk: cannot start: " STR_FMT "\n", STR_ARG(c->fault.message));
        return 1;
}

static void print_curl(const struct running *r)
{
        const struct demo_account *a = &r->home.accounts[0];
        const char *product = r->home.sample[0] ? r->home.sample : "ID-OF-A-PRODUCT";
        const char *json = "-H 'content-type: application/json'";
        printf("\n  Log in, find, buy:\n\n"
               "    TOKEN=$(curl -s %s/v1/sessions %s -d '{\"email\":\"%s\",\"password\":\"%s\"}' | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\n",
               r->url, json, a->email, a->password);
        printf("    curl -s '%s/v1/products?limit=3'\n", r->url);
        printf("    curl -s %s/v1/orders -H \"authorization: Bearer $TOKEN\" -H \"idempotency-key: $(cat /proc/sys/kernel/random/uuid)\" %s "
               "-d '{\"items\":[{\"product_id\":\"%s\",\"quantity\":1}]}'\n", r->url, json, product);
}

/* What stays when the program has ended: on a server one has, DIR holds the accounts and the secret alone. */
static const char *where_kept(const struct running *r)      { return r->cluster ? r->home.shown : "the database of SOUK_DATABASE_URL"; }

static void print_welcome(const struct running *r)
{
        progress_end(r);
        printf("Souk " SOUK_VERSION " serves the marketplace on %s (ready in %.2f s)\n", r->url, (double)(clock_us() - r->begun_us) / 1e6);
        printf("  what runs here, its API and health: %s/\n", r->url);
        printf("  database: %s%s\n", r->cluster ? "a private PostgreSQL, " : "the one of SOUK_DATABASE_URL", r->cluster ? cluster_data(r->cluster) : "");
        if (r->accounts) {
                printf("\n  %-10s %-24s %s\n", "log in as", "e-mail", "password");
                for (int i = 0; i < ACCOUNTS; i++) printf("  %-10s %-24s %s\n", r->home.accounts[i].role, r->home.accounts[i].email, r->home.accounts[i].password);
                printf("  (kept in %s/accounts.json", r->home.shown);
                bool usual = !strcmp(r->home.shown, ".souk");
                if (r->cluster)
                        printf("; `%s token --role staff%s%s%s` prints a token for curl", program_invocation_name, usual ? "" : " --data '", usual ? "" : r->home.shown,
                               usual ? "" : "'");
                printf(")\n");
                if (r->stock) print_curl(r);
        }
        printf("\n  Stop with Ctrl-C; everything is kept in %s\n", where_kept(r));
        fflush(stdout);
}

/* ---- a fresh marketplace ----------------------------------------------------------------------------------------------------- */

static int ensure_accounts(struct ctx *c, const struct running *r)
{
        for (int i = 0; i < ACCOUNTS; i++) {
                const struct demo_account *d = &r->home.accounts[i];
                struct account a = { str_of(d->email), str_of(d->password), str_of(d->name), i };
                struct user user;
                TRY(identity_ensure_call(c, &a, &user));
        }
        return 0;
}

/* The delivery is known by its first product's id, so the stock is laid in once however often the shop is begun. */
static int lay_in_stock(struct ctx *c, const struct uid_list *ids)
{
        struct nothing none;
        struct rand dice;
        struct delivery_note note = { { arena_many(c->arena, struct receipt, ids->n), ids->n }, ids->v[0] };
        if (!note.receipts.v) return fail(c, RESOURCE_EXHAUSTED, "too_large", "no memory for the stock of %zu products", ids->n);
        rand_seed(&dice, SEED);
        for (size_t i = 0; i < ids->n; i++)
                note.receipts.v[i] = (struct receipt){ ids->v[i], i ? STOCK_MIN + (int32_t)rand_below(&dice, STOCK_SPREAD) : SAMPLE_STOCK };
        int r = inventory_receive_call(c, &note, &none);
        if (r != -ALREADY_EXISTS) return r;
        fault_clear(c);
        return 0;
}

static int fill_catalogue(struct ctx *c, struct running *r)
{
        struct seeded seeded = { 0 };
        if (r->home.first_start) progress("filling the catalogue with 10,000 products", r);
        else if (!r->cluster) progress("looking whether the catalogue is empty", r);
        TRY(catalog_seed_call(c, &(struct seeding){ SEED_PRODUCTS, SEED }, &seeded));
        if (seeded.ids.n == 0) return 0;
        progress("laying in stock", r);
        TRY(lay_in_stock(c, &seeded.ids));
        TRY(catalog_seed_done_call(c, &(struct nothing){ 0 }, &(struct nothing){ 0 }));
        uid_format(seeded.ids.v[0], r->home.sample);
        return home_keep_accounts(c, &r->home);
}

static int settle_in(struct ctx *c, struct running *r)
{
        if (r->accounts) TRY(ensure_accounts(c, r));
        if (r->stock && r->seed) TRY(fill_catalogue(c, r));
        TRY(home_settled(c, &r->home));
        return home_announce(c, &r->home, str_of(r->url), r->cluster != NULL);
}

static void url_of(struct running *r, int port)
{
        str address = config_str(r->config, "address");
        bool all = str_eq(address, STR("0.0.0.0")) || str_eq(address, STR("::"));
        bool six = !all && str_find(address, ':') >= 0;
        snprintf(r->url, sizeof r->url, six ? "http://[%.*s]:%d" : "http://%.*s:%d", STR_ARG(all ? STR("127.0.0.1") : address), port);
}

static int ready(struct ctx *c, int port, void *arg)
{
        struct running *r = arg;
        struct ctx own = *c;
        url_of(r, port);
        own.arena = arena_new(SEED_ARENA);
        own.caller.roles = ROLE_SERVICE;
        own.deadline_us = deadline_in(SEED_MS);
        int result = settle_in(&own, r);
        if (result < 0) fault_copy(c, &own);
        arena_free(own.arena);
        if (result == 0) print_welcome(r);
        return result;
}

/* ---- before and after the program --------------------------------------------------------------------------------------------- */

static int check_port(struct ctx *c, const struct config *k)
{
        int port = (int)config_int(k, "port");
        str address = config_str(k, "address");
        char who[128];
        if (!port || !port_is_taken(address, port)) return 0;
        bool known = port_holder(port, who, sizeof who);
        return fail(c, ALREADY_EXISTS, "port_taken", "port %d is taken by %s; choose another: souk run --port %d", port, known ? who : "another program",
                    port < 64000 ? port + 1000 : 8080);
}

/* Before a database is made for it. */
static int check_target(struct ctx *c, str target)
{
        for (str rest = target, name; rest.p && (name = str_split(&rest, ','), true);) {
                name = str_trim(name, " ");
                bool known = str_eq(name, STR("all"));
                for (const struct service *const *s = services; *s; s++) known |= str_eq(name, str_of((*s)->name));
                if (!known) return fail(c, INVALID_ARGUMENT, "no_such_target", "there is no target \"" STR_FMT "\"; `souk targets` names them", STR_ARG(name));
        }
        return 0;
}

static bool runs_here(const struct config *k, const char *service)
{
        for (str rest = config_str(k, "target"), name; rest.p && (name = str_split(&rest, ','), true);) {
                name = str_trim(name, " ");
                if (str_eq(name, STR("all")) || str_eq(name, str_of(service))) return true;
        }
        return false;
}

/* The private server is found by its URL alone, whatever the environment says of another one. */
static void forget_other_servers(void)
{
        static const char *const names[] = { "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE",
                                             "PGOPTIONS", "PGSSLMODE", "PGREQUIRESSL", "PGTZ", "PGDATESTYLE", "PGCLIENTENCODING", "PGTARGETSESSIONATTRS",
                                             "PGCHANNELBINDING", "PGREQUIREPEER" };
        for (size_t i = 0; i < COUNT(names); i++) unsetenv(names[i]);
}

static int open_database(struct ctx *c, struct running *r, str *url)
{
        *url = config_str(r->config, "database-url");
        if (url->n) return 0;
        forget_other_servers();
        struct cluster_options o = { .dir = r->home.dir, .anew = r->home.first_start, .progress = progress, .arg = r };
        TRY(cluster_open(c, &o, &r->cluster));
        *url = str_of(cluster_url(r->cluster));
        return 0;
}

static int prepare(struct ctx *c, struct running *r, const struct args *a, uint8_t secret[32], str *database)
{
        int drawn_late;
        TRY(settings_read(c, a));
        r->config = all_settings();
        r->accounts = runs_here(r->config, "identity");
        r->stock = runs_here(r->config, "catalog") && runs_here(r->config, "inventory");
        TRY(check_target(c, config_str(r->config, "target")));
        TRY(check_port(c, r->config));
        TRY(home_open(c, arena_z(c->arena, config_str(r->config, "data")), &r->home));
        TRY(home_secret(c, &r->home, config_str(r->config, "secret"), secret));
        TRY(drawn_late = home_accounts(c, &r->home));
        if (drawn_late && !config_str(r->config, "database-url").n)
                fprintf(stderr, "souk: %s/accounts.json was missing; accounts that are in the database already keep the passwords they had\n", r->home.shown);
        return open_database(c, r, database);
}

int run_command(struct args *a)
{
        struct running r = { .home.lock_fd = -1, .seed = !args_has(a, "no-seed"), .begun_us = clock_us() };
        struct ctx c = { .arena = arena_new(8 << 20), .op = "run" };
        const char *term = getenv("TERM"), *planted = getenv("SOUK_BREAK");
        uint8_t secret[32];
        str database;
        r.live = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
        if (planted && *planted) {                      /* by souk prove, in a marketplace of its own */
                if (break_plant(planted) < 0) return fprintf(stderr, "souk: SOUK_BREAK=%s is no fault that can be planted\n", planted), 1;
                fprintf(stderr, "souk: the fault %s is PLANTED in this program (SOUK_BREAK): it breaks its promises\n", planted);
                unsetenv("SOUK_BREAK");                 /* it is no setting */
        }
        int result = prepare(&c, &r, a, secret, &database), status = 0;
        if (result < 0) status = cannot(&r, &c);
        else {
                char *target = arena_z(c.arena, config_str(r.config, "target"));
                struct app_options o = { .services = services, .target = target, .config = r.config, .keys = &identity_keys_op, .admin_url = database, .secret = secret,
                                         .ready = ready, .progress = progress, .arg = &r };
                status = app_run(&o) < 0;
        }
        const char *kept = where_kept(&r);
        if (r.cluster) progress("stopping PostgreSQL", &r);
        cluster_close(&r.cluster);
        progress_end(&r);
        if (status == 0) fprintf(stderr, "souk: stopped; everything is kept in %s\n", kept);
        home_close(&r.home);
        arena_free(c.arena);
        return status;
}
