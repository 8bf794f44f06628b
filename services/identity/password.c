/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * password.c - hashing takes 18 ms and 19 MiB on purpose: so it runs on the pool, is bounded by it, and costs the same for names nobody has. */
#include "password.h"

struct hashing { str password; const char *hash; char made[ARGON2ID_MAX]; };

static int hash_make(void *arg)
{
        struct hashing *h = arg;
        return argon2id_make(h->password, h->made);
}

static int hash_check(void *arg)
{
        struct hashing *h = arg;
        return argon2id_check(h->password, h->hash);
}

int password_hash(struct ctx *c, str password, str *out)
{
        struct hashing h = { .password = password };
        int r = pool_run(c, hash_make, &h);

        if (r == -RESOURCE_EXHAUSTED)
                return fail(c, RESOURCE_EXHAUSTED, "busy", "too many passwords are being hashed; try again in a moment");
        TRY(r);
        *out = arena_str(c->arena, str_of(h.made));
        return out->p ? 0 : fail(c, RESOURCE_EXHAUSTED, "too_large", "out of memory for this request");
}

int password_check(struct ctx *c, str password, str hash)
{
        /* of a password nobody knows, with the costs of a real one */
        static const char nobody[] = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$5VEhSnbN7lQX0gMfOcJRVSdmK6Yg8Z0WjJkqUuV1q3E";
        struct hashing h = { .password = password, .hash = hash.p ? arena_z(c->arena, hash) : nobody };
        int r = h.hash ? pool_run(c, hash_check, &h) : -RESOURCE_EXHAUSTED;

        if (r == -RESOURCE_EXHAUSTED)
                return fail(c, RESOURCE_EXHAUSTED, "busy", "too many passwords are being checked; try again in a moment");
        return r < 0 ? r : r && hash.p;
}

/* A map holds one instant a key: when the bucket would be empty again, in the pointer itself (both are 64 bits wide). */
_Static_assert(sizeof(void *) == sizeof(int64_t), "an instant fits a pointer");

static int64_t empty_at(const struct throttle *t, str key)
{
        return (int64_t)(intptr_t)map_get(t->seen, key);
}

void throttle_start(struct throttle *t, int burst, int every_ms)
{
        *t = (struct throttle){ map_new(10000, MAP_EVICTS, NULL), (int64_t)every_ms * 1000, burst };
}

void throttle_stop(struct throttle *t)
{
        t->seen = map_free(t->seen);
}

int throttle_wait_ms(const struct throttle *t, str key)
{
        int64_t over = empty_at(t, key) - clock_us() - t->every_us * (t->burst - 1);
        return over > 0 ? (int)(over / 1000) + 1 : 0;
}

void throttle_attempt(struct throttle *t, str key)
{
        int64_t at = MAX(empty_at(t, key), clock_us()) + t->every_us;
        (void)map_put(t->seen, key, (void *)(intptr_t)at);      /* evicts: cannot be full */
}

void throttle_give_back(struct throttle *t, str key)
{
        int64_t at = empty_at(t, key);
        if (at) (void)map_put(t->seen, key, (void *)(intptr_t)(at - t->every_us));
}

void throttle_forget(struct throttle *t, str key)
{
        (void)map_take(t->seen, key);
}
