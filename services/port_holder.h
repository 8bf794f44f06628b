/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * port_holder.h - who listens on a TCP port of this machine, for an error that helps. Linux only: /proc. Threads: any; short. */
#ifndef PORT_HOLDER_H
#define PORT_HOLDER_H
#include "base.h"

/* "nginx (process 123)" into out; false when it cannot be told: another user's process, another system. */
bool port_holder(int port, char *out, size_t n);
#endif
