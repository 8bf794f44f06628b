/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * proxy.c - who a request comes from when a proxy that is trusted brings it: the rightmost address of X-Forwarded-For that is no trusted proxy's.
 *
 * Each proxy adds at the right end the address it heard, so what stands left of the first address that is not trusted may be anybody's
 * invention and is not looked at. From a peer that is not trusted the field is nothing at all. An element that is no address ends the
 * walk at the proxy that passed it on. IPv4 is kept as ::ffff:0:0/96, so both families are one comparison. Pure; any thread. */
#include <arpa/inet.h>
#include "engine.h"

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* "192.0.2.1" or "2001:db8::1" alone. *ret_before: bits that stand before it here */
static bool address_read(str s, uint8_t out[16], int *ret_before)
{
        char z[INET6_ADDRSTRLEN];
        if (!s.n || s.n >= sizeof z) return false;
        memcpy(z, s.p, s.n);
        z[s.n] = '\0';
        if (memchr(z, ':', s.n)) {
                *ret_before = 0;
                return inet_pton(AF_INET6, z, out) == 1;
        }
        memcpy(out, v4_prefix, sizeof v4_prefix);
        *ret_before = 96;
        return inet_pton(AF_INET, z, out + 12) == 1;
}

/* An element of the field: an address, in brackets or with a port as some proxies write it. */
static bool hop_read(str s, uint8_t out[16])
{
        int before;
        ptrdiff_t colon = str_find(s, ':');
        if (s.n && s.p[0] == '[') s = str_cut(s, 1, (size_t)MAX(str_find(s, ']'), 1));
        else if (colon >= 0 && str_find(str_cut(s, (size_t)colon + 1, s.n), ':') < 0) s = str_cut(s, 0, (size_t)colon);
        return address_read(s, out, &before);
}

int proxies_read(struct ctx *c, str setting, struct proxies *out)
{
        for (str rest = setting, one; rest.n && (one = str_trim(str_split(&rest, ','), " "), true);) {
                struct network *n = &out->v[out->n];
                str bits = one, address = str_split(&bits, '/');
                int before;
                int64_t length = 0;
                if (out->n == PROXIES_MAX) return fail(c, INVALID_ARGUMENT, "bad_setting", "trusted-proxies: there are over %d", PROXIES_MAX);
                bool good = address_read(address, n->at, &before) && (!bits.p || int_parse(bits, &length) == 0);
                if (!bits.p) length = 128 - before;
                if (!good || length < 0 || length > 128 - before)
                        return fail(c, INVALID_ARGUMENT, "bad_setting", "trusted-proxies: \"" STR_FMT "\" is no address (10.0.0.1) and no network (10.0.0.0/8)", STR_ARG(one));
                n->bits = before + (int)length;
                out->n++;
        }
        return 0;
}

static bool lies_in(const struct network *n, const uint8_t at[16])
{
        int whole = n->bits / 8, rest = n->bits % 8;
        return !memcmp(n->at, at, (size_t)whole) && (!rest || !((n->at[whole] ^ at[whole]) >> (8 - rest)));
}

static bool is_trusted(const struct proxies *p, const uint8_t at[16])
{
        for (size_t i = 0; i < p->n; i++)
                if (lies_in(&p->v[i], at)) return true;
        return false;
}

/* Takes the last element of a list off its end. */
static str last_of(str *list)
{
        size_t from = list->n;
        while (from && list->p[from - 1] != ',') from--;
        str one = str_trim(str_cut(*list, from, list->n), " \t");
        *list = from ? str_cut(*list, 0, from - 1) : (str){ NULL, 0 };
        return one;
}

static const char *written(struct arena *a, const uint8_t at[16])
{
        bool v4 = !memcmp(at, v4_prefix, sizeof v4_prefix);
        char *z = arena_alloc(a, INET6_ADDRSTRLEN);
        return z ? inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? at + 12 : at, z, INET6_ADDRSTRLEN) : NULL;
}

const char *proxies_client(struct arena *a, const struct proxies *p, const char *peer, const struct headers *h)
{
        uint8_t at[16], hop[16];
        int before;
        bool moved = false, broken_off = false;
        if (!p->n || !peer || !address_read(str_of(peer), at, &before)) return peer;
        for (size_t i = h->n; i-- > 0 && !broken_off;) {
                if (!str_eq(h->v[i].name, STR("x-forwarded-for"))) continue;
                for (str list = h->v[i].value; list.p && !broken_off && is_trusted(p, at);) {
                        broken_off = !hop_read(last_of(&list), hop);
                        if (!broken_off) memcpy(at, hop, sizeof at);
                        moved |= !broken_off;
                }
        }
        const char *client = moved ? written(a, at) : NULL;
        return client ? client : peer;
}
