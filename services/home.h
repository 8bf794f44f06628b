/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * home.h - the data directory of `souk run`: one program at a time, and the small files it keeps there.
 *
 *     lock            held (flock) while a program runs from here; names its process and address
 *     secret          32 bytes in hex, drawn at the first start                                0600
 *     accounts.json   the demo accounts with the passwords drawn for them, for souk token, demo, import   0600
 *     run.json        where the running program listens; gone when it has stopped
 *     first-start     there until the first start has come to its end: until then nothing in here counts
 *
 * Files are written aside and renamed, so none is ever half there. Run by root in somebody's directory, what is made belongs to
 * that somebody. Threads: one; before the loops start, but for the last three, which are short. */
#ifndef HOME_H
#define HOME_H
#include <limits.h>
#include "ctx.h"

enum { ACCOUNTS = 4 };
struct demo_account { const char *role, *email, *name; char password[25]; };
struct home {
        char dir[PATH_MAX], shown[PATH_MAX];    /* absolute; as the user said it                            */
        int  lock_fd;
        bool first_start;                       /* nothing here counts yet                                  */
        struct demo_account accounts[ACCOUNTS]; /* customer, vendor, staff, admin                           */
        char sample[37];                        /* a product to buy for the curl lines; may be empty        */
};

/* Makes the directory, takes the lock.
 *   returns  0, -ALREADY_EXISTS another program runs from it (the fault tells its process and address), -PERMISSION_DENIED, -INTERNAL */
int  home_open(struct ctx *c, const char *dir, struct home *out);
void home_close(struct home *h);                        /* removes run.json, gives the lock back                    */
/* The secret: what the setting says when there is one, else DIR/secret, drawn when missing. -INVALID_ARGUMENT too short a setting */
int  home_secret(struct ctx *c, struct home *h, str setting, uint8_t out[32]);
/* Fills accounts and sample; draws and keeps what is missing. returns 1 when it drew though this is not the first start */
int  home_accounts(struct ctx *c, struct home *h);
int  home_keep_accounts(struct ctx *c, struct home *h); /* after sample changed                                     */
int  home_announce(struct ctx *c, struct home *h, str url, bool private_database);      /* run.json, and the lock's text */
int  home_settled(struct ctx *c, struct home *h);       /* the first start has come to its end                      */
#endif
