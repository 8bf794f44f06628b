/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * proof.h - the subcommand `souk prove`: that a marketplace keeps its promises whatever happens to it. Exit status as in cli.h. */
#ifndef PROOF_H
#define PROOF_H
#include "args.h"

int prove_command(struct args *a);
extern const struct flag prove_flags[];
extern const char *const prove_examples[];
#endif
