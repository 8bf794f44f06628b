/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * patience.c - what clients that make the server wait may cost: memory and places.
 *
 * A connection in the midst of a request or an answer keeps its desk while its client takes its time. The sum of such desks has a
 * maximum (waiting_max); when it is passed, those that have waited longest are cut off until it holds again. When all places
 * (connections_max) are taken, whoever has been idle longest makes room for the newcomer. So slow clients cost each other; one that sends
 * and reads without delay waits for nothing and is in neither list for long. */
#include "bound.h"
#include "conn.h"
#include "fiber.h"

enum { LOOKED_AT_MAX = 2 * REFUSALS_MAX };

static size_t desk_bytes(const struct desk *d)
{
        return sizeof *d + d->in.cap + d->out.cap + d->body.cap + d->upload.cap + arena_used(d->arena);
}

/* Its fiber finds the socket dead, now or when it next looks. */
static void cut_off(struct conn *k)
{
        patience_end(k);
        bound_reached(BOUND_HTTP_WAITING);
        sock_abort(k->sock);
}

void patience_spend(struct conn *k)
{
        struct server *s = k->server;
        size_t bytes = desk_bytes(k->desk);
        s->stats.waiting_bytes += bytes - k->held;
        k->held = bytes;
        if (!link_is_in(&k->slow)) list_push(&s->slow, &k->slow);
        while (s->stats.waiting_bytes > s->o.waiting_max) cut_off(CONTAINER(s->slow.next, struct conn, slow));
}

void patience_end(struct conn *k)
{
        if (!k->held) return;
        link_remove(&k->slow);
        k->server->stats.waiting_bytes -= k->held;
        k->held = 0;
}

bool patience_make_room(struct server *s)
{
        int looked_at = 0;
        LIST_EACH(e, &s->idle) {
                struct conn *k = CONTAINER(e, struct conn, idle);
                if (++looked_at > LOOKED_AT_MAX) break;
                if (k->refused || sock_has_input(k->sock)) continue;
                link_remove(&k->idle);
                k->leaving = true;
                s->leaving++;
                bound_reached(BOUND_HTTP_PLACES);
                fiber_cancel(k->fiber);
                return true;
        }
        return false;
}
