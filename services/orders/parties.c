/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * parties.c - who sold and who bought, as they were when an invoice or a credit note was issued.
 *
 * An invoice is made from its rows whenever it is asked for, so whatever it says of people must lie in rows that do not change. An address in the order is
 * such a copy. Of an order without one identity's events bring the buyer's names, each with its instant, at no cost to the order's way; of the seller
 * each start brings what the configuration says when that is news. */
#include "after.h"
#include "identity/identity.h"
#include "orders_sql.h"

struct buyer_name { uid buyer; when since; str name, email; };
DECLARE_LIST(buyer_name);
struct buyer_news { struct buyer_name_list rows; bool gone; };
struct seller     { when since; str name, vat_id, street, postal_code, city, country; };
struct party_key  { uid buyer; when at; };
struct parties    { str buyer_name, buyer_email, seller_name, vat_id, street, postal_code, city, country; };

MESSAGE(buyer_name, "a row of buyer_was", F(buyer_name, 1, buyer), F(buyer_name, 2, since), F(buyer_name, 3, name), F(buyer_name, 4, email));
MESSAGE(buyer_news, "what is told of buyers", F_LIST(buyer_news, 1, rows, buyer_name), F(buyer_news, 2, gone));
MESSAGE(seller, "a row of seller_was",
        F(seller, 1, since), F(seller, 2, name), F(seller, 3, vat_id), F(seller, 4, street), F(seller, 5, postal_code), F(seller, 6, city), F(seller, 7, country));
MESSAGE(party_key, "a buyer, and when", F(party_key, 1, buyer), F(party_key, 2, at));
MESSAGE(parties, "who sold and who bought",
        F(parties, 1, buyer_name, .optional = true), F(parties, 2, buyer_email, .optional = true), F(parties, 3, seller_name, .optional = true),
        F(parties, 4, vat_id, .optional = true), F(parties, 5, street, .optional = true), F(parties, 6, postal_code, .optional = true),
        F(parties, 7, city, .optional = true), F(parties, 8, country, .optional = true));

/* ---- what is told ------------------------------------------------------------------------------------------------------- */

BATCHED(buyer_came,    user,      nothing);
BATCHED(buyer_changed, user,      nothing);
BATCHED(buyer_left,    user_gone, nothing);

static int news_init(struct ctx *c, struct buyer_news *n, const struct batch *b)
{
        *n = (struct buyer_news){ { arena_many(c->arena, struct buyer_name, b->n), 0 }, false };
        return n->rows.v ? 0 : fail(c, RESOURCE_EXHAUSTED, "too_large", "the batch is too large");
}

static void news_add(struct buyer_news *n, const struct user *u)
{
        n->rows.v[n->rows.n++] = (struct buyer_name){ u->id, u->updated_at, u->name, u->email };
}

/* Told twice, or in another order than it happened, comes to the same rows. */
static int news_write(struct ctx *c, const struct buyer_news *n)
{
        TX(tx, c);
        if (!n->gone) {
                TRY(buyers_hear_later(tx, n));
                TRY(buyers_repeat_later(tx, n));
        }
        TRY(buyers_trim_later(tx, n));
        return tx_commit(tx);
}

static int buyer_came(struct ctx *c, struct batch *b)
{
        struct buyer_news n;

        TRY(news_init(c, &n, b));
        EACH_CALL(v, b) news_add(&n, buyer_came_in(v));
        return news_write(c, &n);
}

static int buyer_changed(struct ctx *c, struct batch *b)
{
        struct buyer_news n;

        TRY(news_init(c, &n, b));
        EACH_CALL(v, b) news_add(&n, buyer_changed_in(v));
        return news_write(c, &n);
}

static int buyer_left(struct ctx *c, struct batch *b)
{
        struct buyer_news n;

        TRY(news_init(c, &n, b));
        n.gone = true;
        EACH_CALL(v, b) n.rows.v[n.rows.n++] = (struct buyer_name){ .buyer = buyer_left_in(v)->id };
        return news_write(c, &n);
}

int seller_note(struct ctx *c)
{
        const struct config *k = config(c);
        struct seller s = { clock_now(), config_str(k, "orders.seller-name"), config_str(k, "orders.seller-vat-id"), config_str(k, "orders.seller-street"),
                            config_str(k, "orders.seller-postal-code"), config_str(k, "orders.seller-city"), config_str(k, "orders.seller-country") };

        return MIN(seller_say(db(c), &s), 0);
}

/* ---- what is read ------------------------------------------------------------------------------------------------------- */

/* By the account when nothing was told of it yet; one that is gone leaves its id. */
static int buyer_ask(struct ctx *c, struct party *out)
{
        struct user u;
        int r = identity_user_call(c, &(struct user_ref){ out->id }, &u);

        if (r == -NOT_FOUND) {
                fault_clear(c);
                return 0;
        }
        TRY(r);
        out->name = u.name;
        out->email = u.email;
        return 0;
}

int bill_parties(struct ctx *c, const struct bill_row *row, struct invoice *out)
{
        struct parties p = { 0 };

        TRY(parties_at(db(c), &(struct party_key){ row->buyer, row->issued_at }, &p));
        out->seller = (struct party){ .name = p.seller_name, .vat_id = p.vat_id,
                .address = { .name = p.seller_name, .line1 = p.street, .postal_code = p.postal_code, .city = p.city, .country = p.country } };
        out->buyer = (struct party){ .id = row->buyer, .name = row->ship_to.name, .address = row->ship_to };
        if (row->ship_to.line1.p)
                return 0;
        out->buyer.name = p.buyer_name;
        out->buyer.email = p.buyer_email;
        return p.buyer_name.p ? 0 : buyer_ask(c, &out->buyer);
}
