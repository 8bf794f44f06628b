/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * token.c - souk token: an access token of a demo account, for curl.
 *
 * It logs in as anybody would, with the password in DIR/accounts.json. Only for a marketplace on its private database: there the accounts
 * belong to whoever may read DIR. Nothing but the token goes to standard output, so $(souk token) works. */
#include <stdio.h>
#include "cli.h"

static const char *const roles[] = { "customer", "vendor", "staff", "admin", NULL };

const struct flag token_flags[] = {
        { "role", 'r', "ROLE", "whose: customer, vendor, staff or admin", .fallback = "customer", .words = roles },
        SHOP_FLAGS,
        JSON_FLAG,
        { 0 } };
const char *const token_examples[] = {
        "souk token", "a customer's token, good for five minutes",
        "curl -H \"authorization: Bearer $(souk token --role staff)\" http://127.0.0.1:8080/v1/me", "use it",
        NULL };

static int run(struct ctx *c, struct job_of_command *j)
{
        struct shop shop AUTO(shop_close) = { 0 };
        struct login login;
        const char *role = args_text(j->args, "role");
        TRY(shop_open(c, j->args, 1, &shop));
        if (!shop.is_private)
                return fail(c, FAILED_PRECONDITION, "not_private", "tokens are given out only for a marketplace that runs from %s on its private database; "
                            "log in with POST /v1/sessions", arena_z(c->arena, shop.data));
        TRY(shop_account(c, &shop, role, &login));
        TRY(shop_login(c, &shop, &login));
        if (!j->report.json) printf("%s\n", login.token);
        else {
                jw_key(&j->report.figures_w, "role");
                jw_z(&j->report.figures_w, role);
                jw_key(&j->report.figures_w, "access_token");
                jw_z(&j->report.figures_w, login.token);
        }
        return 0;
}

int token_command(struct args *a)                       { return command_run(a, run, NULL); }
