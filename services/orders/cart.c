/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * cart.c - what somebody thinks of buying. Nothing is held for it, and every look at it asks the catalogue what it costs now.
 *
 * Whoever has logged in has one cart, whose id is made from theirs. A guest draws one: its id, and a secret that is made from the id with
 * the program's key, so that nothing is kept of a cart before there is something in it, and nobody can guess their way into another's. At log-in the
 * guest's is merged into the owner's. All that changes a cart locks its row first; ordering takes out what was ordered, in the order's own
 * transaction (book.c). */
#include "cart.h"
#include "app.h"
#include "orders_sql.h"

/* ---- messages ------------------------------------------------------------------------------------------------------- */

enum cart_note { NOTE_NONE, NOTE_PRICE_CHANGED, NOTE_GONE, NOTE_OTHER_CURRENCY };
static const char *const cart_notes[] = { "none", "price_changed", "gone", "other_currency", NULL };

struct cart_line      { uid product_id; str name; int32_t quantity; money price, total; int32_t note; money price_before; };
DECLARE_LIST(cart_line);
struct cart           { uid id; struct cart_line_list items; int32_t units; money total; };
struct guest_cart     { uid id; str secret; };
struct own_item       { uid product_id; int32_t quantity; };
struct own_item_ref   { uid product_id; };
struct guest_item     { uid id; str secret; uid product_id; int32_t quantity; };
struct guest_item_ref { uid id; str secret; uid product_id; };
struct cart_key       { uid id, owner; };                               /* owner zero: a guest's */
struct cart_row       { uid id, merged_into; };
struct cart_item_row  { uid cart_id, product_id; int32_t quantity; str name; money price; };
DECLARE_LIST(cart_item_row);
struct cart_merging   { uid into, from; };
struct cart_count     { int64_t n; };
struct cart_age       { when before; };

MESSAGE(cart_line, "a product in a cart",
        F(cart_line, 1, product_id),
        F(cart_line, 2, name),
        F(cart_line, 3, quantity),
        F(cart_line, 4, price, .doc = "Of one, VAT included, now; of what is gone: when it was put in."),
        F(cart_line, 5, total, .optional = true, .doc = "Absent when it cannot be ordered."),
        F(cart_line, 6, note, .names = cart_notes, .optional = true, .doc = "What changed since it was put in: it costs something else now (price_before says what it did), "
          "it is not sold any more (gone), or not in the currency of the rest (other_currency)."),
        F(cart_line, 7, price_before, .optional = true));
MESSAGE(cart, "what somebody thinks of buying",
        F(cart, 1, id),
        F_LIST(cart, 2, items, cart_line, .max = ITEMS_MAX),
        F(cart, 3, units, .doc = "Of all items that can be ordered."),
        F(cart, 4, total, .optional = true, .doc = "Of all items that can be ordered; absent when there is none."));
MESSAGE(guest_cart, "a guest's cart: whoever knows its secret may use it",
        F(guest_cart, 1, id),
        F(guest_cart, 2, secret, .min = 1, .max = 64, .doc = "Say it with every request about this cart."));
MESSAGE(own_item, "how many of a product",
        F(own_item, 1, product_id),
        F(own_item, 2, quantity, .min = 1, .max = QUANTITY_MAX));
MESSAGE(own_item_ref, "a product in a cart",
        F(own_item_ref, 1, product_id));
MESSAGE(guest_item, "how many of a product, in a guest's cart",
        F(guest_item, 1, id),
        F(guest_item, 2, secret, .max = 64),
        F(guest_item, 3, product_id),
        F(guest_item, 4, quantity, .min = 1, .max = QUANTITY_MAX));
MESSAGE(guest_item_ref, "a product in a guest's cart",
        F(guest_item_ref, 1, id),
        F(guest_item_ref, 2, secret, .max = 64),
        F(guest_item_ref, 3, product_id));
MESSAGE(cart_key, "a cart, and whose it must be",
        F(cart_key, 1, id),
        F(cart_key, 2, owner, .optional = true));
MESSAGE(cart_row, "a cart's row",
        F(cart_row, 1, id),
        F(cart_row, 2, merged_into, .optional = true));
MESSAGE(cart_item_row, "a row of cart_item",
        F(cart_item_row, 1, cart_id),
        F(cart_item_row, 2, product_id),
        F(cart_item_row, 3, quantity),
        F(cart_item_row, 4, name),
        F(cart_item_row, 5, price));
MESSAGE(cart_merging, "a cart that becomes part of another",
        F(cart_merging, 1, into),
        F(cart_merging, 2, from));
MESSAGE(cart_count, "how many items", F(cart_count, 1, n));
MESSAGE(cart_age, "carts older than this", F(cart_age, 1, before));

/* ---- whose ------------------------------------------------------------------------------------------------------------ */

static struct cart_key own_cart(const struct ctx *c)
{
        uid owner = caller_id(c), id;
        struct digest d = sha256_parts((const str[]){ STR("souk cart"), uid_key(&owner) }, 2);

        memcpy(id.b, d.b, sizeof id.b);
        id.b[6] = 0x80 | (id.b[6] & 0x0f);
        id.b[8] = 0x80 | (id.b[8] & 0x3f);
        return (struct cart_key){ id, owner };
}

static str guest_secret(struct ctx *c, uid id)
{
        struct digest key = app_secret(c, "guest carts");
        struct digest mac = sha256_parts((const str[]){ { (const char *)key.b, sizeof key.b }, uid_key(&id) }, 2);
        struct buf text AUTO(buf_done) = BUF_INIT(128);

        base64url_write(&text, (str){ (const char *)mac.b, sizeof mac.b });
        return arena_str(c->arena, buf_str(&text));
}

static int no_such_cart(struct ctx *c)
{
        return fail(c, NOT_FOUND, "no_such_cart", "there is no such cart, or that is not its secret");
}

static int guest_key(struct ctx *c, uid id, str secret, struct cart_key *out)
{
        *out = (struct cart_key){ id, { { 0 } } };
        str right = guest_secret(c, id);
        return secret.n == right.n && digest_eq(secret.p, right.p, right.n) ? 0 : no_such_cart(c);
}

/* ---- looking ------------------------------------------------------------------------------------------------------------ */

static const struct quote_line *quoted(const struct quote *q, uid product)
{
        for (size_t i = 0; i < q->lines.n; i++)
                if (uid_eq(q->lines.v[i].product_id, product)) return &q->lines.v[i];
        return NULL;
}

/* The index in "/items/7/product_id". */
static bool flaw_index(const struct flaw *f, size_t n, size_t *out)
{
        str rest = f->pointer;
        int64_t i;

        for (int k = 0; k < 2; k++) (void)str_split(&rest, '/');
        if (!rest.p || int_parse(str_split(&rest, '/'), &i) < 0 || i < 0 || (size_t)i >= n)
                return false;
        *out = (size_t)i;
        return true;
}

/* What the items that are still sold, in one currency, cost now. The catalogue refuses a basket that it cannot price and names the items at fault; without
 * these it is asked again. fault: of each item, why it is not in the quote. */
static int cart_quote(struct ctx *c, const struct cart_item_row_list *rows, enum cart_note *fault, struct quote *out)
{
        struct basket basket = { { arena_many(c->arena, struct item, rows->n), 0 } };
        size_t *at = arena_many(c->arena, size_t, rows->n), k;
        int r = 0;

        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the cart is too large");
        for (int tries = 0; tries < 3; tries++) {                               /* gone, then other currencies, then none */
                basket.items.n = 0;
                for (size_t i = 0; i < rows->n; i++) {
                        if (fault[i] != NOTE_NONE) continue;
                        at[basket.items.n] = i;
                        basket.items.v[basket.items.n++] = (struct item){ rows->v[i].product_id, rows->v[i].quantity };
                }
                if (!basket.items.n)
                        return 0;
                r = catalog_quote_call(c, &basket, out);
                if (r != -INVALID_ARGUMENT)
                        return r < 0 ? r : 0;
                for (const struct flaw *f = c->fault.flaws; f; f = f->next)
                        if (flaw_index(f, basket.items.n, &k))
                                fault[at[k]] = !strcmp(f->slug, "mixed_currencies") ? NOTE_OTHER_CURRENCY : NOTE_GONE;
                fault_clear(c);
                *out = (struct quote){ 0 };
        }
        return fail(c, ABORTED, "try_again", "the catalogue changes too fast; ask again");
}

static struct cart_line line_of(const struct cart_item_row *row, enum cart_note fault, const struct quote_line *q)
{
        struct cart_line line = { row->product_id, row->name, row->quantity, row->price, { 0 }, fault, { 0 } };

        if (!q) return line;
        line.name = q->name;
        line.price = q->price;
        line.total = q->total;
        if (q->price.minor != row->price.minor || strcmp(q->price.cur, row->price.cur) != 0) {
                line.note = NOTE_PRICE_CHANGED;
                line.price_before = row->price;
        }
        return line;
}

static int cart_show(struct ctx *c, const struct cart_key *key, struct cart *out)
{
        struct cart_item_row_list rows;
        struct quote quote = { 0 };
        enum cart_note *fault;

        TRY(cart_items(db(c), key, &rows));
        fault = arena_many(c->arena, enum cart_note, rows.n);
        *out = (struct cart){ .id = key->id, .items = { arena_many(c->arena, struct cart_line, rows.n), rows.n } };
        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the cart is too large");
        TRY(cart_quote(c, &rows, fault, &quote));
        for (size_t i = 0; i < rows.n; i++) {
                const struct quote_line *q = fault[i] == NOTE_NONE ? quoted(&quote, rows.v[i].product_id) : NULL;
                out->items.v[i] = line_of(&rows.v[i], fault[i], q);
                if (q) out->units += q->quantity;
        }
        out->total = quote.total;
        return 0;
}

static int cart_get(struct ctx *c, const struct nothing *in, struct cart *out)
{
        struct cart_key key = own_cart(c);

        (void)in;
        return cart_show(c, &key, out);
}

static int guest_cart_get(struct ctx *c, const struct guest_cart *in, struct cart *out)
{
        struct cart_key key;

        TRY(guest_key(c, in->id, in->secret, &key));
        return cart_show(c, &key, out);
}

static int guest_cart_open(struct ctx *c, const struct nothing *in, struct guest_cart *out)
{
        (void)in;
        out->id = uid_v7(clock_now());
        out->secret = guest_secret(c, out->id);
        return 0;
}

/* ---- changing ------------------------------------------------------------------------------------------------------------ */

/* The row's lock; made when it is not there. A guest's that was merged is over. */
static int cart_lock(struct db *tx, const struct cart_key *key)
{
        struct cart_row row;
        int r = cart_touch(tx, key, &row);

        return r == -NOT_FOUND ? no_such_cart(db_ctx(tx)) : MIN(r, 0);
}

/* The price that is remembered is that of now: a later look tells whether it changed. */
static int item_quote(struct ctx *c, uid product, struct quote_line *out)
{
        struct item item = { product, 1 };
        struct quote q;
        int r = catalog_quote_call(c, &(struct basket){ { &item, 1 } }, &q);

        if (r == -INVALID_ARGUMENT)
                return fail(c, NOT_FOUND, "no_such_product", "there is no such product");
        TRY(r);
        *out = q.lines.v[0];
        return 0;
}

static int cart_full(struct ctx *c)
{
        return fail(c, FAILED_PRECONDITION, "cart_full", "a cart has at most %d products", ITEMS_MAX);
}

static int item_set(struct ctx *c, const struct cart_key *key, uid product, int32_t quantity, struct cart *out)
{
        struct quote_line q;
        int r;

        TRY(item_quote(c, product, &q));
        {
                TX(tx, c);
                TRY(cart_lock(tx, key));
                r = cart_item_put(tx, &(struct cart_item_row){ key->id, product, quantity, q.name, q.price });
                if (r == 0)
                        return cart_full(c);
                TRY(r);
                TRY(tx_commit(tx));
        }
        return cart_show(c, key, out);
}

static int item_remove(struct ctx *c, const struct cart_key *key, uid product, struct cart *out)
{
        TRY(cart_item_drop(db(c), &(struct cart_item_row){ .cart_id = key->id, .product_id = product }));
        return cart_show(c, key, out);
}

static int cart_put(struct ctx *c, const struct own_item *in, struct cart *out)
{
        struct cart_key key = own_cart(c);
        return item_set(c, &key, in->product_id, in->quantity, out);
}

static int cart_remove(struct ctx *c, const struct own_item_ref *in, struct cart *out)
{
        struct cart_key key = own_cart(c);
        return item_remove(c, &key, in->product_id, out);
}

static int cart_clear(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        struct cart_key key = own_cart(c);

        (void)in, (void)out;
        return MIN(cart_items_drop(db(c), &key), 0);
}

static int guest_cart_put(struct ctx *c, const struct guest_item *in, struct cart *out)
{
        struct cart_key key;

        TRY(guest_key(c, in->id, in->secret, &key));
        return item_set(c, &key, in->product_id, in->quantity, out);
}

static int guest_cart_remove(struct ctx *c, const struct guest_item_ref *in, struct cart *out)
{
        struct cart_key key;

        TRY(guest_key(c, in->id, in->secret, &key));
        return item_remove(c, &key, in->product_id, out);
}

static int guest_cart_clear(struct ctx *c, const struct guest_cart *in, struct nothing *out)
{
        struct cart_key key;

        (void)out;
        TRY(guest_key(c, in->id, in->secret, &key));
        return MIN(cart_items_drop(db(c), &key), 0);
}

/* ---- merging ------------------------------------------------------------------------------------------------------------- */

/* Both rows are locked, the guest's first. A guest's that is merged already stays merged: whoever owns it now is answered as before. */
static int carts_join(struct ctx *c, const struct cart_key *guest, const struct cart_key *own)
{
        struct cart_merging m = { own->id, guest->id };
        struct cart_count count;
        struct cart_row row;
        TX(tx, c);

        int had = cart_guest_lock(tx, guest, &row);
        TRY(had);
        if (!had)
                return 0;                                                       /* nothing was ever in it */
        if (!uid_is_zero(row.merged_into))
                return uid_eq(row.merged_into, own->id) ? 0 : no_such_cart(c);
        TRY(cart_lock(tx, own));
        TRY(cart_merged_count(tx, &m, &count));
        if (count.n > ITEMS_MAX)
                return cart_full(c);
        TRY(cart_items_merge_later(tx, &m));
        TRY(cart_items_drop_later(tx, guest));
        TRY(cart_merged_later(tx, &m));
        return tx_commit(tx);
}

static int cart_merge(struct ctx *c, const struct guest_cart *in, struct cart *out)
{
        struct cart_key own = own_cart(c), guest;

        TRY(guest_key(c, in->id, in->secret, &guest));
        TRY(carts_join(c, &guest, &own));
        return cart_show(c, &own, out);
}

/* ---- ordering, and the end -------------------------------------------------------------------------------------------------- */

int cart_items_for_order(struct ctx *c, uid *cart, str secret, struct draft_item_list *out)
{
        struct cart_key own = own_cart(c), guest;
        struct cart_item_row_list rows;
        int r = uid_eq(*cart, own.id) ? 0 : -NOT_FOUND;

        if (r < 0 && secret.p && (r = guest_key(c, *cart, secret, &guest)) == 0)
                r = carts_join(c, &guest, &own);
        if (r == -NOT_FOUND) {
                fault_clear(c);
                flaw_add(c, STR("/cart_id"), "no_such_cart", "is not your cart, nor a guest's with that secret");
                return flaws_fail(c);
        }
        TRY(r);
        *cart = own.id;
        TRY(cart_items(db(c), &own, &rows));
        if (!rows.n)
                return fail(c, FAILED_PRECONDITION, "cart_empty", "there is nothing in the cart");
        *out = (struct draft_item_list){ arena_many(c->arena, struct draft_item, rows.n), rows.n };
        if (!out->v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the cart is too large");
        for (size_t i = 0; i < rows.n; i++)
                out->v[i] = (struct draft_item){ .product_id = rows.v[i].product_id, .quantity = rows.v[i].quantity, .vat_bp = VAT_UNSAID };
        return 0;
}

/* Guests' carts that nobody has touched for long, in bounded steps. */
static int carts_expire(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        struct cart_age age = { { clock_now().us - config_int(config(c), "orders.guest-cart-age") * 1000 } };
        int gone = 1;

        (void)in, (void)out;
        for (int steps = 0; steps < 100 && gone > 0; steps++)
                TRY(gone = carts_drop_old(db(c), &age));
        return 0;
}

/*  operation             takes           gives      */
OP( cart_get,             nothing,        cart       );
OP( cart_put,             own_item,       cart       );
OP( cart_remove,          own_item_ref,   cart       );
OP( cart_clear,           nothing,        nothing    );
OP( cart_merge,           guest_cart,     cart       );
OP( guest_cart_open,      nothing,        guest_cart );
OP( guest_cart_get,       guest_cart,     cart       );
OP( guest_cart_put,       guest_item,     cart       );
OP( guest_cart_remove,    guest_item_ref, cart       );
OP( guest_cart_clear,     guest_cart,     nothing    );
OP( carts_expire,         nothing,        nothing    );
