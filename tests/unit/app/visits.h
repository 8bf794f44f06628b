/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * visits.h - what tests that visit the toyshop through the edge share: a world a test, what an answer says, what a refusal looks like. */
#ifndef VISITS_H
#define VISITS_H
#include "toyshop.h"
#include "loop.h"
#include "world.h"

static inline bool has(str text, const char *part)     { return text.p && memmem(text.p, text.n, part, strlen(part)); }
#define HAS(text, part)   do { str t_ = (text); if (!has(t_, part)) cm_fail_msg("no %s in " STR_FMT, part, STR_ARG(t_)); } while (0)
#define LACKS(text, part) do { str t_ = (text); if (has(t_, part)) cm_fail_msg("%s in " STR_FMT, part, STR_ARG(t_)); } while (0)
/* A test's body runs as a fiber, in a world of its own. */
#define WORLD_TEST(name) \
        static void name##_in(struct world *w); \
        static int name##_run(struct ctx *c, void *arg) { (void)arg; WORLD(w, c, &toyshop_service); name##_in(w); return 0; } \
        TEST(name) { CHECK_OK(run_main(name##_run, NULL)); } \
        static void name##_in(struct world *w)

#define DUCK "{\"name\":\"duck\",\"price\":{\"amount\":199,\"currency\":\"EUR\"},\"stock\":5}"

static inline str header_of(const struct http_answer *a, const char *name)     { return header_get(&a->headers, name); }

static inline struct http_answer refused(struct http_answer a, int status, const char *slug)
{
        char want[100];
        snprintf(want, sizeof want, "\"slug\":\"%s\"", slug);
        if (a.status != status) cm_fail_msg("%d " STR_FMT ", want %d %s", a.status, STR_ARG(a.body), status, slug);
        HAS(a.body, want);
        CHECK_STR(header_of(&a, "content-type"), "application/problem+json");
        CHECK_STR(header_of(&a, "cache-control"), "no-store");
        CHECK(header_of(&a, "x-request-id").n > 0);
        return a;
}

static inline str made(struct world *w, const char *who, const char *body)
{
        struct http_answer a = http(w, who, POST, "/v1/toys", body);
        if (a.status != 201) cm_fail_msg("%d " STR_FMT, a.status, STR_ARG(a.body));
        return header_of(&a, "location");
}
#endif
