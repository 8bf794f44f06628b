/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * position.c - where a consumer is in its source's outbox: one row in the consumer's own database.
 *
 * The move names the old place and must hit exactly one row; otherwise it divides by zero and so takes its whole transaction down. That
 * is the only thing that makes an effect happen once: after a lost answer, or with another process consuming under the same
 * name, the second transaction waits for the first at this row and then fails. Why it failed is then not guessed from an error but
 * read: a position that is no longer where we knew it has moved. */
#include "bus_inside.h"
#include "log.h"

struct position_key { str consumer, source; };
MESSAGE(position_key, "a consumer of a source", F(position_key, 1, consumer), F(position_key, 2, source));
MESSAGE(place, "where an event stands", F(place, 1, tx), F(place, 2, id), F(place, 3, index));
MESSAGE(position_step, "a position's way",
        F(position_step, 1, consumer), F(position_step, 2, source), F(position_step, 3, old_tx), F(position_step, 4, old_id), F(position_step, 5, tx), F(position_step, 6, id),
        F(position_step, 7, old_index), F(position_step, 8, index));

QUERY(position_make, &position_key_type, NULL, ROWS_NONE,
      "insert into souk_position (consumer, source, tx, id, index) values ($1, $2, 0, 0, -1) on conflict do nothing",
      "consumer", "source", NULL);
QUERY(position_read, &position_key_type, &place_type, ROWS_MAYBE,
      "select tx, id, index from souk_position where consumer = $1 and source = $2",
      "consumer", "source", NULL);
QUERY(position_update, &position_step_type, NULL, ROWS_NONE,
      "with moved as (update souk_position set tx = $6, id = $7, index = $8 where consumer = $1 and source = $2"
      " and tx = $3 and id = $4 and index = $5 returning 1) select 1 / count(*) as one from moved",
      "consumer", "source", "old_tx", "old_id", "old_index", "tx", "id", "index", NULL);
const struct query *const position_queries[] = { &position_make, &position_read, &position_update, NULL };

static struct position_key key_of(const struct consumer *k)
{
        return (struct position_key){ str_of(k->s.consumer), str_of(k->s.source) };
}

int position_load(struct ctx *c, struct consumer *k, struct place *out)
{
        struct position_key key = key_of(k);
        int rows = db_run(db(c), &position_read, &key, out);

        if (rows == 0) {
                TRY(db_run(db(c), &position_make, &key, NULL));
                rows = db_run(db(c), &position_read, &key, out);
        }
        if (rows == 0)
                return fail(c, INTERNAL, "position_gone", "the position of %s in %s went away", k->s.consumer, k->s.source);
        return MIN(rows, 0);
}

int position_confirm(struct ctx *c, struct consumer *k)
{
        struct place now;

        TRY(position_load(c, k, &now));
        int way = place_cmp(now, k->known);
        if (way < 0) {
                log_say(ERROR, "position_moved_back", L_Z("consumer", k->s.consumer), L_Z("source", k->s.source));
                return fail(c, UNAVAILABLE, "position_moved_back", "somebody set %s back under way: start the program again", k->s.consumer);
        }
        TRY(parked_load(c, k));                         /* whoever moved it may have parked or replayed too */
        k->known = now;
        k->sure = true;
        return way > 0;
}

int position_later(struct db *tx, struct consumer *k, struct place to)
{
        k->move = (struct position_step){ .consumer = str_of(k->s.consumer), .source = str_of(k->s.source),
                                 .old_tx = k->known.tx, .old_id = k->known.id, .old_index = k->known.index,
                                 .tx = to.tx, .id = to.id, .index = to.index };
        return db_later(tx, &position_update, &k->move);
}

void position_moved(struct consumer *k, struct place to)
{
        k->known = to;
        k->sure = true;
        k->rows_since = 0;
}

int position_move(struct ctx *c, struct consumer *k, struct place to)
{
        TX(tx, c);
        k->sure = false;
        TRY(position_later(tx, k, to));
        TRY(tx_commit(tx));
        position_moved(k, to);
        return 0;
}
