/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * password.h - passwords as argon2id hashes (RFC 9106; 19 MiB, two passes, as OWASP advises), on the pool. Private to identity. */
#ifndef PASSWORD_H
#define PASSWORD_H
#include "kit.h"

int password_hash(struct ctx *c, str password, str *out);       /* Waits. -RESOURCE_EXHAUSTED the pool is full */
/* Waits. 1 right, 0 wrong. hash p NULL (no such user): works as long and answers 0. */
int password_check(struct ctx *c, str password, str hash);

/* ---- throttle: failures of one name or address (GCRA): a burst, then one in a while --------------------------------- */
struct throttle { struct map *seen; int64_t every_us; int burst; };
void throttle_start(struct throttle *t, int burst, int every_ms);
void throttle_stop(struct throttle *t);
int  throttle_wait_ms(const struct throttle *t, str key);       /* 0: go on; else how long to wait */
void throttle_attempt(struct throttle *t, str key);              /* counted before it is judged: a burst at once is a burst */
void throttle_give_back(struct throttle *t, str key);            /* it was a good one */
void throttle_forget(struct throttle *t, str key);
#endif
