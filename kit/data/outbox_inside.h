/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * outbox_inside.h - between db.c and outbox.c, for nobody else: where a transaction keeps its events.
 *
 *     emit()          packs into *db_outbox(tx)
 *     tx_commit()     after the rider's at_commit, before COMMIT: outbox_write(tx) queues the rows
 *     end of the tx   outbox_end(tx, committed): wakes the relay, frees the pack; always called once when the slot is not NULL */
#ifndef OUTBOX_INSIDE_H
#define OUTBOX_INSIDE_H
#include "outbox.h"

struct outbox_pack;
struct outbox_pack **db_outbox(struct db *tx);          /* of db.c: the slot, NULL at begin                         */
int   db_fail(struct db *tx, int code);                 /* of db.c: makes code the sticky error; returns the sticky error (0: none) */
int   outbox_write(struct db *tx);                      /* returns 0, or the sticky error                           */
void  outbox_end(struct db *tx, bool committed);        /* the source that is woken is the pg's name                */
#endif
