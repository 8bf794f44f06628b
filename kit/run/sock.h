/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * sock.h - how connections become socks; private to run/. */
#ifndef SOCK_H
#define SOCK_H
#include <sys/socket.h>
#include "io.h"

/* Takes fd (nonblocking, connected) on success. NULL: no memory, fd is still the caller's. */
struct sock *sock_adopt(int fd, const struct sockaddr_storage *peer);
#endif
