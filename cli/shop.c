/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * shop.c - a running marketplace as its clients see it: where it is, who may log in, one question and its answer.
 *
 * Tokens are short-lived, so a login renews its own before it ends; a command of many minutes never meets a 401. A 503 or 429
 * is waited out as it asks, for questions that may be repeated (reads, and writes with a key). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli.h"
#include "clock.h"
#include "fiber.h"

enum { FILE_MAX_BYTES = 64 * 1024, ANSWER_MAX_BYTES = 16 << 20, TRIES = 8, EACH_MS = 60000, EACH_MAX_BYTES = 24 << 20, PAUSE_MAX_MS = 5000, TOKEN_USE_MS = 120000 };

/* ---- JSON of others ---------------------------------------------------------------------------------------------------- */

str member_at(str object, const char *path)
{
        for (str rest = str_of(path), part; rest.p && object.p && (part = str_split(&rest, '.'), true);) {
                char name[64];
                snprintf(name, sizeof name, STR_FMT, STR_ARG(part));
                object = json_kind_of(object) == JSON_OBJECT ? json_member(object, name) : (str){ 0 };
        }
        return object;
}

str text_at(struct ctx *c, str object, const char *path)
{
        str v = member_at(object, path), out = { 0 };
        return v.p && json_kind_of(v) == JSON_STRING && json_text(c, v, &out) == 0 ? out : (str){ 0 };
}

int64_t int_at(str object, const char *path, int64_t none)
{
        str v = member_at(object, path);
        int64_t n;
        return v.p && json_kind_of(v) == JSON_NUMBER && json_int(v, &n) == 0 ? n : none;
}

/* ---- finding it --------------------------------------------------------------------------------------------------------- */

/* A small JSON file of DIR. -NOT_FOUND when there is none. */
static int file_of(struct ctx *c, str dir, const char *name, str *out)
{
        str path = arena_printf(c->arena, STR_FMT "/%s", STR_ARG(dir), name);
        char *text = arena_alloc(c->arena, FILE_MAX_BYTES);
        FILE *f = fopen(path.p, "re");
        if (!f) return errno == ENOENT ? -NOT_FOUND : fail(c, PERMISSION_DENIED, "file_trouble", "cannot read %s: %s", path.p, strerror(errno));
        *out = (str){ text, fread(text, 1, FILE_MAX_BYTES, f) };
        fclose(f);
        if (json_validate(c, *out) < 0) return fail(c, DATA_LOSS, "file_trouble", "%s is not what `souk run` wrote", path.p);
        return 0;
}

int shop_open(struct ctx *c, const struct args *a, int connections, struct shop *out)
{
        const char *url = args_text(a, "url"), *set = getenv("SOUK_DATA");      /* as souk run reads it */
        str run;
        *out = (struct shop){ .url = str_of(url), .data = str_of(set && *set && !args_has(a, "data") ? set : args_text(a, "data")) };
        int r = file_of(c, out->data, "run.json", &run);
        if (r < 0 && r != -NOT_FOUND) return r;
        if (r < 0 && !url)
                return fail(c, NOT_FOUND, "nothing_runs", "nothing runs from " STR_FMT "; start it with `souk run`, or say --url or --data", STR_ARG(out->data));
        if (r == 0 && !url) out->url = text_at(c, run, "url");
        out->is_private = r == 0 && str_eq(member_at(run, "private"), STR("true")) && str_eq(out->url, text_at(c, run, "url"));
        out->pid = out->is_private ? (int)int_at(run, "pid", 0) : 0;
        struct client_options o = { .url = out->url, .connections_max = connections, .body_max = ANSWER_MAX_BYTES, .agent = "souk" };
        if (client_open(c, &o, &out->client) == 0) return 0;
        return fail(c, INVALID_ARGUMENT, "bad_url", "\"" STR_FMT "\" is not a URL like http://127.0.0.1:8080", STR_ARG(out->url));
}

void shop_close(struct shop *s)
{
        if (s->client) client_close(&s->client);
}

int shop_account(struct ctx *c, const struct shop *s, const char *role, struct login *out)
{
        str file, one;
        int r = file_of(c, s->data, "accounts.json", &file);
        if (r < 0 && r != -NOT_FOUND) return r;
        struct json_walk w = json_open(r == 0 ? member_at(file, "accounts") : STR("[]"));
        while (json_next_element(&w, &one)) {
                if (!str_eq(text_at(c, one, "role"), str_of(role))) continue;
                *out = (struct login){ .email = text_at(c, one, "email"), .password = text_at(c, one, "password") };
                return 0;
        }
        return fail(c, NOT_FOUND, "no_demo_account", STR_FMT "/accounts.json has no demo account for %s", STR_ARG(s->data), role);
}

/* ---- asking ------------------------------------------------------------------------------------------------------------ */

str fresh_key(struct ctx *c)
{
        char text[37];
        uid_format(uid_v7(clock_now()), text);
        return arena_str(c->arena, str_of(text));
}

int shop_login(struct ctx *c, struct shop *s, struct login *l)
{
        if (l->token[0] && clock_us() < l->until_us) return 0;
        struct buf body AUTO(buf_done) = BUF_INIT(4096);
        struct jw w = { .b = &body };
        struct answer answer;
        jw_object(&w);
        jw_key(&w, "email");
        jw_str(&w, l->email);
        jw_key(&w, "password");
        jw_str(&w, l->password);
        jw_object_end(&w);
        TRY(shop_must(c, s, &(struct ask){ POST, STR("/v1/sessions"), .body = buf_str(&body) }, &answer));
        str token = text_at(c, answer.body, "access_token");
        if (!token.p || token.n >= sizeof l->token) return fail(c, DATA_LOSS, "no_token", "logging in gave no access_token");
        snprintf(l->token, sizeof l->token, STR_FMT, STR_ARG(token));
        int64_t seconds = int_at(answer.body, "expires_in", 60);
        l->until_us = clock_us() + MIN(seconds * 1000000 / 2, TOKEN_USE_MS * 1000LL);
        return 0;
}

int shop_ask(struct ctx *c, struct shop *s, const struct ask *q, struct answer *out)
{
        struct client_request request = { .method = q->method, .path = q->path, .body = q->body, .may_repeat = q->method == GET || q->key.p };
        struct client_response response;
        size_t n = 0;
        if (q->as) {
                TRY(shop_login(c, s, q->as));
                request.headers[n++] = (struct header){ STR("authorization"), arena_printf(c->arena, "Bearer %s", q->as->token) };
        }
        if (q->key.p) request.headers[n++] = (struct header){ STR("idempotency-key"), q->key };
        if (q->minimal) request.headers[n++] = (struct header){ STR("prefer"), STR("return=minimal") };
        if (q->body.p) request.content_type = STR("application/json");
        TRY(client_send(c, s->client, &request, &response));
        *out = (struct answer){ response.status, response.body, header_get(&response.headers, "location"),
                                str_eq(header_get(&response.headers, "idempotency-replayed"), STR("true")) };
        if (out->body.n && json_validate(c, out->body) < 0) {
                fault_clear(c);
                out->body = (str){ 0 };
        }
        return 0;
}

str problem_of(struct ctx *c, const struct answer *a)
{
        str detail = text_at(c, a->body, "detail"), title = text_at(c, a->body, "title"), slug = text_at(c, a->body, "slug"), one;
        struct buf out AUTO(buf_done) = BUF_INIT(2000);
        buf_printf(&out, "%d " STR_FMT, a->status, STR_ARG(detail.p ? detail : title.p ? title : STR("without a reason")));
        if (slug.p) buf_printf(&out, " (" STR_FMT ")", STR_ARG(slug));
        struct json_walk w = json_open(member_at(a->body, "errors").p ? member_at(a->body, "errors") : STR("[]"));
        while (json_next_element(&w, &one))
                buf_printf(&out, "; " STR_FMT " " STR_FMT, STR_ARG(text_at(c, one, "pointer")), STR_ARG(text_at(c, one, "detail")));
        return arena_str(c->arena, buf_str(&out));
}

int shop_must(struct ctx *c, struct shop *s, const struct ask *q, struct answer *out)
{
        bool may_repeat = q->method == GET || q->key.p || str_eq(q->path, STR("/v1/sessions"));
        for (int i = 0, pause = 100;; i++, pause = MIN(2 * pause, PAUSE_MAX_MS)) {
                int r = shop_ask(c, s, q, out);
                bool busy = r == 0 && (out->status == 503 || out->status == 429 || str_eq(text_at(c, out->body, "slug"), STR("idempotency_in_flight")));
                bool again = r == -UNAVAILABLE ? i < 2 : busy;
                if (r == 0 && out->status < 300) return 0;
                if (!again || !may_repeat || i == TRIES)
                        return r < 0 ? r : fail(c, FAILED_PRECONDITION, "refused", "%s " STR_FMT ": " STR_FMT, method_name(q->method), STR_ARG(q->path),
                                                STR_ARG(problem_of(c, out)));
                TRY(fiber_sleep(c, pause));
        }
}

/* ---- many at once ---------------------------------------------------------------------------------------------------- */

struct spreading { int n, next; int (*fn)(struct ctx *c, int i, void *arg); void *arg; struct progress *progress; };

static int spread_worker(struct ctx *c, void *arg)
{
        struct spreading *s = arg;
        while (s->next < s->n) {
                int i = s->next++;
                struct ctx own = { .arena = arena_new(EACH_MAX_BYTES), .op = c->op, .deadline_us = deadline_in(EACH_MS) };
                int r = s->fn(&own, i, s->arg);
                if (r < 0) fault_copy(c, &own);
                arena_free(own.arena);
                TRY(r);
                if (s->progress) progress_step(s->progress, 1);
        }
        return 0;
}

int spread(struct ctx *c, int n, int at_once, int (*fn)(struct ctx *c, int i, void *arg), void *arg, struct progress *p)
{
        struct spreading s = { .n = n, .fn = fn, .arg = arg, .progress = p };
        GROUP(g, c);
        for (int i = 0; i < MIN(n, at_once); i++) TRY(group_go(g, spread_worker, &s));
        return group_wait(g);
}
