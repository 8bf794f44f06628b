/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * copy.c - the marketplace that is tried: a PostgreSQL of its own, two servers that share it, products and accounts.
 *
 * The servers are this very program, run with settings that make a hold run out in seconds. They are children in a session of their own, so Ctrl-C reaches
 * only this process, which then ends them. PostgreSQL is kept by a thread (cluster.h) that starts it again whenever it ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <netinet/in.h>
#include "clock.h"
#include "fiber.h"
#include "prove.h"
#include "text.h"

enum { READY_MS = 60000, READY_LOOK_MS = 50, STOP_MS = 15000, STARTS_MAX = 100, WAITING_MAX = 48, CONNECTIONS_MAX = 4000 };

/* ---- the folder and PostgreSQL ------------------------------------------------------------------------------------------------ */

int copy_make(struct ctx *c, struct copy *k)
{
        const char *tmp = getenv("TMPDIR");
        snprintf(k->dir, sizeof k->dir, "%.100s/souk-prove-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        if (!mkdtemp(k->dir)) return fail(c, UNAVAILABLE, "no_folder", "cannot make a folder under %s: %s", k->dir, strerror(errno));
        if (chmod(k->dir, 0711) < 0) return fail(c, UNAVAILABLE, "no_folder", "cannot open %s to the database's user: %s", k->dir, strerror(errno));
        struct cluster_options o = { .dir = k->dir };
        return cluster_open(c, &o, &k->cluster);
}

void copy_remove(struct copy *k, bool keep)
{
        cluster_close(&k->cluster);
        if (!k->dir[0] || keep) return;
        const char *const argv[] = { "rm", "-rf", "--", k->dir, NULL };
        pid_t pid;
        if (posix_spawnp(&pid, "rm", NULL, NULL, (char *const *)argv, environ) == 0) waitpid(pid, NULL, 0);
}

/* ---- servers ---------------------------------------------------------------------------------------------------------------------- */

static int free_port(void)
{
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof a;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;
        if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && getsockname(fd, (struct sockaddr *)&a, &n) == 0) port = ntohs(a.sin_port);
        if (fd >= 0) close(fd);
        return port;
}

/* In a child between fork and exec: system calls only. */
static void become_server(char *const *argv, char *const *env, int log, pid_t parent)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(126);
        setsid();
        int null = open("/dev/null", O_RDONLY);
        if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) _exit(126);
        execve("/proc/self/exe", argv, env);
        _exit(127);
}

/* What runs out, and how often somebody looks: within seconds, so that a pause outlasts it. */
static const struct { const char *name; int ms; } times[] = {
        { "INVENTORY_HOLD_TIME", HOLD_MS }, { "INVENTORY_SWEEP_EVERY", SWEEP_MS }, { "PAYMENTS_SWEEP_AFTER", INTENT_MS }, { "PAYMENTS_SWEEP_EVERY", SWEEP_MS },
        { "PAYMENTS_RECONCILE_AFTER", UNANSWERED_MS }, { "PAYMENTS_RECONCILE_EVERY", SWEEP_MS }, { "PAYMENTS_PROVIDER_TIMEOUT", 500 }, { "IDENTITY_ACCESS_TIME", TOKEN_MS } };

int server_start(struct ctx *c, struct copy *k, int i)
{
        struct server *s = &k->servers[i];
        char port[16], log[260];
        snprintf(port, sizeof port, "%d", s->port);
        snprintf(log, sizeof log, "%s/server.log", s->dir);
        const char *const argv[] = { "souk", "run", "--data", s->dir, "--port", port, "--no-seed", "--workers", "1", NULL };
        str url = arena_printf(c->arena, "SOUK_DATABASE_URL=postgresql://souk@127.0.0.1:%d/postgres", proxy_port(k->wire));
        str breaks = arena_printf(c->arena, "SOUK_BREAK=%s", k->breaks ? k->breaks : "");
        const char *env[32] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "SOUK_SECRET=a marketplace that lives for a minute only", "SOUK_GRACE=3s", url.p };
        size_t n = 5;
        for (size_t t = 0; t < COUNT(times); t++) env[n++] = arena_printf(c->arena, "SOUK_%s=%dms", times[t].name, times[t].ms).p;
        env[n++] = arena_printf(c->arena, "SOUK_BATCH_WAITING=%d", WAITING_MAX).p;
        env[n++] = k->breaks ? breaks.p : NULL;
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) return fail(c, UNAVAILABLE, "no_log", "cannot write %s: %s", log, strerror(errno));
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) become_server((char *const *)argv, (char *const *)env, fd, parent);
        close(fd);
        if (pid < 0) return fail(c, UNAVAILABLE, "no_process", "cannot start a server: %s", strerror(errno));
        s->pid = pid;
        return 0;
}

void server_kill(struct copy *k, int i)
{
        struct server *s = &k->servers[i];
        if (!s->pid) return;
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
        s->pid = 0;
}

static int last_words(struct ctx *c, const struct server *s)
{
        char path[260], text[1500] = "";
        snprintf(path, sizeof path, "%s/server.log", s->dir);
        FILE *f = fopen(path, "re");
        if (f && fseek(f, -1400, SEEK_END) < 0) rewind(f);
        if (f) text[fread(text, 1, sizeof text - 1, f)] = 0;
        if (f) fclose(f);
        return fail(c, UNAVAILABLE, "server_ended", "a server ended by itself; its last words: %s", text);
}

static bool says_ready(struct ctx *c, struct server *s)
{
        struct client *direct;
        struct client_response answer = { 0 };
        str url = arena_printf(c->arena, "http://127.0.0.1:%d", s->port);
        struct client_options o = { .url = url, .connections_max = 1, .agent = "souk prove", .connect_timeout_ms = 500 };
        struct ctx look = { .arena = c->arena, .deadline_us = deadline_in(1000) };
        if (client_open(&look, &o, &direct) < 0) return false;
        int r = client_send(&look, direct, &(struct client_request){ .method = GET, .path = STR("/readyz") }, &answer);
        client_close(&direct);
        return r == 0 && answer.status == 200;
}

int server_ready(struct ctx *c, struct copy *k, int i)
{
        struct server *s = &k->servers[i];
        int64_t until = deadline_in(READY_MS);
        int starts = 0;
        while (clock_us() < until) {
                struct ctx look = { .arena = arena_new(1 << 20), .op = c->op };
                bool ready = says_ready(&look, s);
                arena_free(look.arena);
                if (ready) return 0;
                if (s->pid && waitpid(s->pid, NULL, WNOHANG) == s->pid) {
                        s->pid = 0;
                        if (starts++ == STARTS_MAX) return last_words(c, s);
                }
                if (!s->pid) TRY(server_start(c, k, i));
                TRY(fiber_sleep(c, READY_LOOK_MS));
        }
        return fail(c, DEADLINE_EXCEEDED, "not_ready", "a server was not ready within %d s", READY_MS / 1000);
}

static int servers_open(struct ctx *c, struct copy *k)
{
        const char *url = cluster_url(k->cluster);
        char socket[400] = "unix:";
        str host = str_of(strstr(url, "host=") + 5), plain;
        if (percent_read(c->arena, host, false, &plain) < 0) return fail(c, INTERNAL, "bad_url", "%s", url);
        snprintf(socket, sizeof socket, "unix:" STR_FMT "/.s.PGSQL.5432", STR_ARG(plain));
        TRY(proxy_open(c, socket, 0, &k->wire));
        for (int i = 0; i < SERVERS; i++) {
                struct server *s = &k->servers[i];
                snprintf(s->dir, sizeof s->dir, "%s/%c", k->dir, 'a' + i);
                if (mkdir(s->dir, 0700) < 0) return fail(c, UNAVAILABLE, "no_folder", "cannot make %s: %s", s->dir, strerror(errno));
                s->port = free_port();
                TRY(server_start(c, k, i));
                TRY(server_ready(c, k, i));
                TRY(proxy_open(c, "127.0.0.1", s->port, &s->proxy));
                snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", proxy_port(s->proxy));
                struct client_options o = { .url = str_of(s->url), .connections_max = CONNECTIONS_MAX, .agent = "souk prove", .connect_timeout_ms = 2000 };
                TRY(client_open(c, &o, &s->client));
        }
        return 0;
}

/* ---- what is sold, and to whom --------------------------------------------------------------------------------------------------- */

static void shop_of(const struct copy *k, int i, struct shop *out)
{
        *out = (struct shop){ .client = k->servers[i].client, .url = str_of(k->servers[i].url), .data = str_of(k->servers[i].dir) };
}

static int product_make(struct ctx *c, struct copy *k, const struct clerks *clerks, struct shop *shop, int i)
{
        char sku[24], name[32];
        snprintf(sku, sizeof sku, "proof-%d", i);
        snprintf(name, sizeof name, "%s thing %d", i < HOT ? "Hot" : "Cool", i);
        TRY(goods_product(c, shop, &k->staff, &(struct goods){ sku, name, "What souk prove sells.", 499 + 100 * i }, k->products[i]));
        int64_t start = clock_us();
        TRY(goods_stock_add(c, shop, &k->staff, k->products[i], clerks->laid_in[i], "proof"));
        history_line(clerks->crowd->history, &(struct stock_op){ 0, "init", k->products[i], clerks->laid_in[i], OUTCOME_YES, start, clock_us() });
        return 0;
}

int copy_open(struct ctx *c, struct copy *k, struct clerks *clerks, int64_t hot, int64_t cool)
{
        static const char *const names[] = { "souk_orders", "souk_inventory", "souk_payments" };
        struct shop shop;
        TRY(servers_open(c, k));
        shop_of(k, 0, &shop);
        TRY(shop_account(c, &shop, "staff", &k->staff));
        for (int i = 0; i < PRODUCTS; i++) {
                clerks->laid_in[i] = i < HOT ? hot : cool;
                TRY(product_make(c, k, clerks, &shop, i));
        }
        TRY(goods_buyers(c, &shop, "proof", k->buyers, BUYERS));
        for (int i = 0; i < BOOKS; i++) {
                str url;
                TRY(pg_url_with(c, str_of(cluster_url(k->cluster)), names[i], NULL, &url));
                k->books[i] = pg_open(&(struct pg_options){ .url = url, .transactions_max = 1, .name = "prove" });
        }
        return 0;
}

void copy_close(struct copy *k)
{
        for (int i = 0; i < BOOKS; i++)
                if (k->books[i]) pg_close(&k->books[i]);
        for (int i = 0; i < SERVERS; i++) {
                struct server *s = &k->servers[i];
                int64_t until = deadline_in(STOP_MS);
                if (s->pid) kill(s->pid, SIGCONT), kill(s->pid, SIGTERM);
                while (s->pid && clock_us() < until) {
                        if (waitpid(s->pid, NULL, WNOHANG) == s->pid) s->pid = 0;
                        else if (fiber_sleep(NULL, 10) < 0) break;
                }
                server_kill(k, i);
                if (s->client) client_close(&s->client);
                proxy_close(&s->proxy);
        }
        proxy_close(&k->wire);
}
