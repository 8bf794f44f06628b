/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * visitors.h - people who use identity in its tests: they make accounts, log in, and ask with their tokens as any client would.
 *
 * Only for identity's own tests. Everything lies in the arena of the test's ctx. */
#ifndef VISITORS_H
#define VISITORS_H
#include "test.h"
#include "world.h"
#include "hash.h"
#include "identity/identity.h"
#include "json.h"
#include "loop.h"

struct visitor { struct world *w; struct ctx *c; const char *email, *password, *token, *refresh; char id[37]; };

static inline str member(struct http_answer a, const char *name)
{
        return json_member(a.body, name);
}

/* A member that is a text, without its quotes. */
static inline str text(struct http_answer a, const char *name)
{
        str s = member(a, name);
        return s.n >= 2 && *s.p == '"' ? str_cut(s, 1, s.n - 1) : s;
}

static inline bool says(struct http_answer a, int status, const char *slug)
{
        bool right = a.status == status && str_eq(text(a, "slug"), str_of(slug));
        if (!right) print_error("%d " STR_FMT "\n", a.status, STR_ARG(a.body));
        return right;
}

/* ... and its first error names this member. */
static inline bool says_of(struct http_answer a, int status, const char *slug, const char *pointer)
{
        str errors = member(a, "errors");
        struct json_walk walk = json_open(errors.p ? errors : STR("[]"));
        str first = { 0 }, at;
        bool right = says(a, status, slug) && json_next_element(&walk, &first);
        at = right ? json_member(first, "pointer") : (str){ 0 };
        right = right && at.n == strlen(pointer) + 2 && !memcmp(at.p + 1, pointer, at.n - 2);
        if (!right) print_error("not of %s: " STR_FMT "\n", pointer, STR_ARG(a.body));
        return right;
}

/* By nobody in particular. */
static inline struct http_answer post(struct world *w, const char *path, const char *body)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);

        buf_printf(&b, "POST %s HTTP/1.1\r\nhost: souk.test\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s%c", path, strlen(body), body, 0);
        return http_message(w, NULL, buf_str(&b).p);
}

static inline const char *z(struct visitor *v, str s)
{
        return arena_z(v->c->arena, s);
}

/* With the visitor's token; etag and key may be NULL. */
static inline struct http_answer ask_with(struct visitor *v, enum method m, const char *path, const char *etag, const char *key, const char *body)
{
        struct buf b AUTO(buf_done) = BUF_INIT(1 << 20);

        buf_printf(&b, "%s %s HTTP/1.1\r\nhost: souk.test\r\nauthorization: Bearer %s\r\n", method_name(m), path, v->token);
        if (etag) buf_printf(&b, "if-match: %s\r\n", etag);
        if (key) buf_printf(&b, "idempotency-key: %s\r\n", key);
        if (body) buf_printf(&b, "content-type: %s\r\ncontent-length: %zu\r\n", m == PATCH ? "application/merge-patch+json" : "application/json", strlen(body));
        buf_printf(&b, "\r\n%s%c", body ? body : "", 0);
        return http_message(v->w, NULL, buf_str(&b).p);
}

static inline struct http_answer ask(struct visitor *v, enum method m, const char *path, const char *body)
{
        return ask_with(v, m, path, NULL, NULL, body);
}

static inline const char *etag_of(struct visitor *v, struct http_answer a)
{
        str tag = header_get(&a.headers, "etag");
        return tag.p ? z(v, tag) : NULL;
}

/* Reads, then changes what was read. */
static inline struct http_answer change(struct visitor *v, enum method m, const char *path, const char *body)
{
        return ask_with(v, m, path, etag_of(v, ask(v, GET, path, NULL)), NULL, body);
}

static inline struct http_answer log_in(struct visitor *v)
{
        struct http_answer a = post(v->w, "/v1/sessions", z(v, arena_printf(v->c->arena, "{\"email\":\"%s\",\"password\":\"%s\"}", v->email, v->password)));
        if (a.status == 201) {
                v->token = z(v, text(a, "access_token"));
                v->refresh = z(v, arena_printf(v->c->arena, "{\"refresh_token\":\"" STR_FMT "\"}", STR_ARG(text(a, "refresh_token"))));
        }
        return a;
}

/* New tokens for the session; the status. */
static inline int renew_session(struct visitor *v)
{
        struct http_answer a = post(v->w, "/v1/sessions/refresh", v->refresh);
        if (a.status == 200) {
                v->token = z(v, text(a, "access_token"));
                v->refresh = z(v, arena_printf(v->c->arena, "{\"refresh_token\":\"" STR_FMT "\"}", STR_ARG(text(a, "refresh_token"))));
        }
        return a.status;
}

/* Makes an account and logs in. The tokens are checked with identity's own keys: call keys_of() first. */
static inline struct visitor visitor(struct world *w, struct ctx *c, const char *email)
{
        struct visitor v = { .w = w, .c = c, .email = email, .password = "correct horse" };
        struct http_answer a = post(w, "/v1/users", z(&v, arena_printf(c->arena, "{\"email\":\"%s\",\"password\":\"correct horse\",\"name\":\"Somebody\"}", email)));

        CHECK_EQ(a.status, 201);
        snprintf(v.id, sizeof v.id, STR_FMT, STR_ARG(text(a, "id")));
        CHECK_EQ(log_in(&v).status, 201);
        return v;
}

/* The same with a role; its token has it. */
static inline struct visitor visitor_as(struct world *w, struct ctx *c, const char *email, int role)
{
        struct visitor v = visitor(w, c, email);
        CHECK_OK(execute(w, "identity", z(&v, arena_printf(c->arena, "update users set role = %d where id = '%s'", role, v.id))));
        CHECK_EQ(renew_session(&v), 200);
        return v;
}

static inline const char *path_of(struct visitor *v, const char *collection, str id)
{
        return z(v, arena_printf(v->c->arena, "%s/" STR_FMT, collection, STR_ARG(id)));
}
#endif
