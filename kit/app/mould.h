/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * mould.h - scratch databases for worlds (world.h), made once a server and then copied.
 *
 * A service's mould is a database made as a program makes its own: migrated, each statement checked. It is named by all that went into it, is shared
 * by every test program and stays on the server. A copy is a few milliseconds of the server's work, making one anew ten times that. */
#ifndef MOULD_H
#define MOULD_H
#include "engine.h"

/* The databases that a's services want, and a role each that works in its own only. Waits. returns 0, or what databases_prepare() says. */
int  databases_cast(struct ctx *c, const struct app *a);
void databases_drop(struct ctx *c, const struct app *a);       /* both; what fails is told on stderr. Waits. */
#endif
