/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * form_fuzz.c - any bytes as a query string: read or refused by name, never broken, and every text read is UTF-8 without NUL. */
#include <stdlib.h>
#include "check.h"
#include "form.h"
#include "text.h"

static const char *const words[] = { "none", "some", NULL };
enum word { NONE, SOME };
struct query {
        bool b; int32_t i; enum word w; int64_t l; double d; str s; bytes x; uid u; when t; money m;
        struct str_list ss; struct i64_list ls;
};
extern const struct type query_type;
MESSAGE(query, "", F(query, 1, b, .optional = true), F(query, 2, i, .optional = true), F(query, 3, w, .names = words, .optional = true),
        F(query, 4, l, .optional = true), F(query, 5, d, .optional = true), F(query, 6, s, .optional = true), F(query, 7, x, .optional = true),
        F(query, 8, u, .optional = true), F(query, 9, t, .optional = true), F(query, 10, m, .optional = true),
        F_LIST(query, 11, ss, str, .optional = true, .max = 9), F_LIST(query, 12, ls, i64, .optional = true));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
        if (!holds) abort();
}

static void must_be_text(str s)
{
        must(utf8_is_valid(s) && (!s.n || !memchr(s.p, 0, s.n)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct ctx c = { .arena = arena_new(1 << 20) };
        struct query q = { 0 };
        int r = form_read(&c, &query_type, (str){ (const char *)data, n }, &q, (const char *const[]){ "u", NULL });
        must(r == 0 || r == -RESOURCE_EXHAUSTED);
        must(uid_is_zero(q.u) && q.ss.n <= 10);
        must_be_text(q.s);
        for (size_t i = 0; i < q.ss.n; i++) must_be_text(q.ss.v[i]);
        check_msg(&c, &query_type, &q, (str){ NULL, 0 });
        for (const struct flaw *f = c.fault.flaws; f; f = f->next) must(f->slug && f->detail.p);
        arena_free(c.arena);
        return 0;
}
