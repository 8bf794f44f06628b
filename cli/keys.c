/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * keys.c - souk keys: the keys that access tokens are signed with, listed and replaced.
 *
 * Both ask the API as an administrator: the one whose access token is in SOUK_TOKEN, else the demo administrator of DIR. Nothing secret is
 * printed; private halves never leave the database. */
#include <stdio.h>
#include <stdlib.h>
#include "cli.h"
#include "clock.h"

const struct flag keys_flags[] = {
        SHOP_FLAGS,
        JSON_FLAG,
        { 0 } };
const char *const keys_list_examples[] = {
        "souk keys list", "which key signs, which ripens, which still verify",
        "SOUK_TOKEN=... souk keys list --url https://shop.example", "elsewhere, with an administrator's access token",
        NULL };
const char *const keys_rotate_examples[] = {
        "souk keys rotate", "a new key; it signs when it is 75 seconds old, and nobody is logged out",
        "souk keys rotate --json", "for a program",
        NULL };

/* Who asks. The token of the environment is its owner's to renew. */
static int administrator(struct ctx *c, const struct shop *shop, struct login *out)
{
        const char *token = getenv("SOUK_TOKEN");
        if (!token || !*token) return shop_account(c, shop, "admin", out);
        *out = (struct login){ .until_us = INT64_MAX };
        if (snprintf(out->token, sizeof out->token, "%s", token) < (int)sizeof out->token) return 0;
        return fail(c, INVALID_ARGUMENT, "bad_token", "SOUK_TOKEN is longer than any access token");
}

static int ask(struct ctx *c, struct job_of_command *j, enum method m, str body, struct answer *out)
{
        struct shop shop AUTO(shop_close) = { 0 };
        struct login admin;
        TRY(shop_open(c, j->args, 1, &shop));
        TRY(administrator(c, &shop, &admin));
        TRY(shop_must(c, &shop, &(struct ask){ m, STR("/v1/keys"), .body = body, .as = &admin }, out));
        out->body = arena_str(c->arena, out->body);
        return out->body.p ? 0 : fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no room for the answer");
}

static int list(struct ctx *c, struct job_of_command *j)
{
        struct answer answer;
        TRY(ask(c, j, GET, (str){ 0 }, &answer));
        str keys = member_at(answer.body, "items"), one;
        if (j->report.json) {
                jw_key(&j->report.figures_w, "keys");
                jw_raw(&j->report.figures_w, keys);
                return 0;
        }
        for (struct json_walk w = json_open(keys); json_next_element(&w, &one);)
                printf(STR_FMT "  %-8.*s  since " STR_FMT "\n", STR_ARG(text_at(c, one, "kid")), STR_ARG(text_at(c, one, "state")), STR_ARG(text_at(c, one, "created_at")));
        return 0;
}

static int rotate(struct ctx *c, struct job_of_command *j)
{
        struct answer answer;
        TRY(ask(c, j, POST, STR("{}"), &answer));
        str kid = text_at(c, answer.body, "kid");
        if (j->report.json) {
                jw_key(&j->report.figures_w, "kid");
                jw_str(&j->report.figures_w, kid);
        } else {
                printf(STR_FMT "\n", STR_ARG(kid));
                fputs("it signs when it is 75 seconds old; the one before it verifies for an hour more\n", stderr);
        }
        return 0;
}

int keys_list_command(struct args *a)                   { return command_run(a, list, NULL); }
int keys_rotate_command(struct args *a)                 { return command_run(a, rotate, NULL); }
