/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * main.c - the program `souk`: its commands, one a row. What runs is in services/ (it sees the tables) or in cli/ (a client like any other). */
#include <stdio.h>
#include "args.h"
#include "cli.h"
#include "proof.h"
#include "services.h"
#include "version.h"

static int version_command(struct args *a)
{
        if (!args_has(a, "json")) return printf("souk " SOUK_VERSION "\n") < 0;
        return printf("{\"ok\":true,\"checks\":[],\"version\":\"" SOUK_VERSION "\",\"compiler\":\"" __VERSION__ "\"}\n") < 0;
}
static const char *const version_examples[] = { "souk version", "which one this is", NULL };

static const struct command commands[] = {
        { .name = "run", .summary = "serve the marketplace; without SOUK_DATABASE_URL on a private PostgreSQL that it starts and stops itself",
          .flags = run_flags, .more = setting_flags, .examples = run_examples, .run = run_command },
        { .name = "token", .summary = "print an access token of a demo account, for curl",
          .flags = token_flags, .examples = token_examples, .run = token_command },
        { .name = "demo orders", .summary = "a flash sale over HTTP: 50 buyers want 30 units at once, and what must hold is checked",
          .flags = demo_orders_flags, .examples = demo_orders_examples, .run = demo_orders_command },
        { .name = "demo inventory", .summary = "ten warehouses change the stock of one product at once over HTTP, and what must hold is checked",
          .flags = demo_inventory_flags, .examples = demo_inventory_examples, .run = demo_inventory_command },
        { .name = "import products", .summary = "put a file of products (JSON Lines or CSV) into the catalogue; bad rows are told, a second run changes nothing",
          .operands = "FILE", .operands_min = 1, .operands_max = 1,
          .flags = import_products_flags, .examples = import_products_examples, .run = import_products_command },
        { .name = "load orders", .summary = "orders that arrive at a rate, answered or not; latency, CPU and memory are told",
          .flags = load_flags, .examples = load_examples, .run = load_orders_command },
        { .name = "load browse", .summary = "the same with reads of products and lists", .flags = load_flags, .examples = load_examples, .run = load_browse_command },
        { .name = "load mixed", .summary = "the same with nine reads an order", .flags = load_flags, .examples = load_examples, .run = load_mixed_command },
        { .name = "prove", .summary = "kill, stop, cut and delay a marketplace of its own while customers order, and check every promise afterwards",
          .flags = prove_flags, .examples = prove_examples, .run = prove_command },
        { .name = "keys list", .summary = "the keys that access tokens are signed with", .flags = keys_flags, .examples = keys_list_examples, .run = keys_list_command },
        { .name = "keys rotate", .summary = "a new key for access tokens; nobody is logged out",
          .flags = keys_flags, .examples = keys_rotate_examples, .run = keys_rotate_command },
        { .name = "replay retail", .summary = "a real shop's year: the orders and returns of the UCI Online Retail file through the API, agreed to the penny",
          .operands = "FILE", .operands_min = 1, .operands_max = 1,
          .flags = replay_retail_flags, .examples = replay_retail_examples, .run = replay_retail_command },
        { .name = "routes", .summary = "every way in: method, path, service, who may", .flags = json_flags, .examples = routes_examples, .run = routes_command },
        { .name = "targets", .summary = "what souk run --target takes", .flags = json_flags, .examples = targets_examples, .run = targets_command },
        { .name = "config", .summary = "every setting, its value and where it came from",
          .flags = config_command_flags, .more = setting_flags, .examples = config_examples, .run = config_command },
        { .name = "version", .summary = "which souk this is", .flags = json_flags, .examples = version_examples, .run = version_command },
        { .name = "completion", .summary = "a script that teaches a shell souk's commands and flags", .operands = "SHELL", .operands_min = 1, .operands_max = 1,
          .operand_words = completion_shells, .examples = completion_examples, .run = completion_command },
        { .name = "man", .summary = "the manual page of souk or of one of its commands", .operands = "[COMMAND]", .operands_max = 2, .examples = man_examples,
          .run = man_command },
        { .name = "docs", .summary = "write the generated files of api/ and docs/ under a folder", .operands = "DIR", .operands_min = 1, .operands_max = 1,
          .examples = docs_examples, .run = docs_command, .hidden = true },
        { 0 } };

static const struct program souk = {
        .name = "souk", .summary = "a marketplace that never sells a unit twice", .version = SOUK_VERSION, .commands = commands,
        .epilogue = "Exit status: 0 all went well, 1 something did not, 2 the command line was wrong." };

int main(int argc, char **argv)                         { return args_main(&souk, argc, argv); }
