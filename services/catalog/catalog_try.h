/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * catalog_try.h - what the tests of catalog say often: a draft, a request with a key or an If-Match of its own, a look at the answer. Include test.h first. */
#ifndef CATALOG_TRY_H
#define CATALOG_TRY_H
#include "world.h"
#include "catalog/catalog.h"
#include "json.h"
#include "loop.h"

#define RUN(fn)  CHECK_OK(run_main(fn, NULL))
#define NOBODYS  "0197f3a0-0000-7000-8000-00000000dead"

static inline str member(struct http_answer a, const char *name)
{
        return json_member(a.body, name);
}

static inline bool has(struct http_answer a, const char *text)
{
        return memmem(a.body.p, a.body.n, text, strlen(text)) != NULL;
}

static inline void expect(struct http_answer a, int status, const char *text)
{
        if (a.status != status || !has(a, text))
                cm_fail_msg("%d " STR_FMT ", want %d with %s", a.status, STR_ARG(a.body), status, text);
}

static inline const char *draft(struct ctx *c, const char *sku, int64_t price, const char *brand)
{
        return arena_z(c->arena, arena_printf(c->arena, "{\"sku\":\"%s\",\"name\":\"Thing %s\",\"brand\":\"%s\",\"category\":\"Home > Kitchen\","
                       "\"price\":{\"amount\":%lld,\"currency\":\"EUR\"},\"images\":[\"https://images.example/1.jpg\"],"
                       "\"attributes\":[{\"name\":\"colour\",\"value\":\"red\"}]}", sku, sku, brand, (long long)price));
}

static inline uid id_of(struct http_answer a)
{
        uid id = { { 0 } };
        str text = member(a, "id");
        CHECK_OK(uid_parse(str_cut(text, 1, text.n - 1), &id));
        return id;
}

/* A request that needs a key gets one of its own. */
static inline struct http_answer post(struct ctx *c, struct world *w, const char *who, const char *path, const char *body)
{
        static int n;
        return http(w, arena_z(c->arena, arena_printf(c->arena, "%s#key-%d", who, ++n)), POST, path, body);
}

static inline const char *texts(struct ctx *c, const char *fmt, ...) PRINTF(2, 3);
static inline const char *texts(struct ctx *c, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        str s = arena_vprintf(c->arena, fmt, ap);
        va_end(ap);
        return arena_z(c->arena, s);
}

/* A change of what the tag names. tag NULL: without If-Match; body NULL: none. */
static inline struct http_answer change(struct ctx *c, struct world *w, const char *who, const char *method, const char *path, const char *tag, const char *body)
{
        const char *type = !strcmp(method, "PATCH") ? "application/merge-patch+json" : "application/json";
        return http_message(w, who, texts(c, "%s %s HTTP/1.1\r\nhost: x\r\n%s%s%scontent-type: %s\r\ncontent-length: %zu\r\n\r\n%s", method, path,
                                          tag ? "if-match: " : "", tag ? tag : "", tag ? "\r\n" : "", type, body ? strlen(body) : 0, body ? body : ""));
}

static inline const char *tag_of(struct ctx *c, struct world *w, const char *path)
{
        struct http_answer a = http(w, NULL, GET, path, NULL);
        CHECK_EQ(a.status, 200);
        return arena_z(c->arena, header_get(&a.headers, "etag"));
}

static inline const char *path_of(struct ctx *c, struct http_answer made)
{
        if (made.status != 201) cm_fail_msg("%d " STR_FMT, made.status, STR_ARG(made.body));
        return arena_z(c->arena, header_get(&made.headers, "location"));
}
#endif
