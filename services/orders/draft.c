/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * draft.c - a draft of an order is checked, told from others, and priced.
 *
 * What a buyer sends has no prices: they are the catalogue's. Staff with the scope orders:import take over orders from elsewhere, which were sold at
 * their own prices, on their own days, to others, and some have a product on several lines. What an import gives of a line (price, name, VAT rate) is
 * taken as it is; the catalogue is asked for what it leaves out. */
#include "draft.h"
#include "app.h"
#include "identity/identity.h"

/* ---- messages ------------------------------------------------------------------------------------------------------- */

MESSAGE(draft_item, "some of a product",
        F(draft_item, 1, product_id),
        F(draft_item, 2, quantity, .min = 1, .max = IMPORT_QUANTITY_MAX, .doc = "999 at most, in an import 1,000,000."),
        F(draft_item, 3, price, .optional = true, .min = 0, .max = PRICE_MAX, .doc = "Of one, VAT included, in an import; the catalogue's unless said."),
        F(draft_item, 4, name, .optional = true, .min = 1, .max = 300, .doc = "In an import; the catalogue's unless said."),
        F(draft_item, 5, vat_bp, .optional = true, .min = 0, .max = 10000, .absent = VAT_UNSAID,
          .doc = "In an import, in hundredths of a percent, 0 for none; the catalogue's unless said."));
MESSAGE(means, "how it is paid",
        F(means, 1, card, .optional = true, .secret = true, .min = 12, .max = 19, .doc = "The card's number, digits only. Left out: the test card that always pays.",
          .example = "\"4242424242424242\""),
        F(means, 2, in_parts, .optional = true, .doc = "In an import: captured part by part (POST /v1/payments/{order_id}/captures). Else all of it is captured at once."));
MESSAGE(postal_address, "an address as it was when the order was placed",
        F(postal_address, 1, name, .min = 1, .max = 200, .example = "\"Ada Lovelace\""),
        F(postal_address, 2, line1, .min = 1, .max = 200, .example = "\"12 St James's Square\""),
        F(postal_address, 3, line2, .optional = true, .max = 200),
        F(postal_address, 4, postal_code, .optional = true, .max = 20, .example = "\"SW1Y 4JH\""),
        F(postal_address, 5, city, .min = 1, .max = 100, .example = "\"London\""),
        F(postal_address, 6, region, .optional = true, .max = 100),
        F(postal_address, 7, country, .format = &format_country, .example = "\"GB\""),
        F(postal_address, 8, phone, .optional = true, .max = 40));
MESSAGE(order_draft, "what a buyer wants; prices come from the catalogue, never from here, unless staff import the order",
        F_LIST(order_draft, 1, items, draft_item, .optional = true, .max = IMPORT_ITEMS_MAX,
               .doc = "Products and how many of each; 100 at most, every product once. In an import 1,000, and a product as often as it was sold."),
        F_MSG(order_draft, 2, payment, means, .optional = true, .doc = "How it is paid."),
        F(order_draft, 3, note, .optional = true, .max = 1000, .doc = "The buyer's words to the seller."),
        F_MSG(order_draft, 4, ship_to, postal_address, .optional = true, .doc = "Where it goes."),
        F(order_draft, 5, address_id, .optional = true, .doc = "Or an address of the buyer's, copied as it is now."),
        F(order_draft, 6, buyer, .optional = true, .doc = "In an import: whose order it is; one's own unless said."),
        F(order_draft, 7, placed_at, .optional = true, .doc = "In an import: when it was placed; its invoice is numbered in that year. Now, unless said."),
        F(order_draft, 8, cart_id, .optional = true, .doc = "In place of items: what is in one's cart, which leaves it with the order."),
        F(order_draft, 9, cart_secret, .optional = true, .secret = true, .max = 64, .doc = "Of a guest's cart: it is merged into one's own first."));

/* ---- checks --------------------------------------------------------------------------------------------------------- */

static void flaw_item(struct ctx *c, size_t i, const char *member, const char *slug, const char *what)
{
        flaw_add(c, arena_printf(c->arena, "/items/%zu/%s", i, member), slug, "%s", what);
}

/* Has it what only an import may have? */
static bool is_import(const struct order_draft *in)
{
        if (!uid_is_zero(in->buyer) || in->placed_at.us || in->payment.in_parts) return true;
        for (size_t i = 0; i < in->items.n; i++)
                if (in->items.v[i].price.cur[0] || in->items.v[i].name.p || in->items.v[i].vat_bp != VAT_UNSAID) return true;
        return false;
}

/* Refused by name. */
static int import_refuse(struct ctx *c, const struct order_draft *in)
{
        static const char *const why = "is for staff who import orders (scope orders:import)";
        int r = fail(c, PERMISSION_DENIED, "import_only", "buyer, placed_at, payment in parts, and an item's price, name and vat_bp are for staff with the scope orders:import");

        if (!uid_is_zero(in->buyer)) flaw_add(c, STR("/buyer"), "import_only", "%s", why);
        if (in->placed_at.us)        flaw_add(c, STR("/placed_at"), "import_only", "%s", why);
        if (in->payment.in_parts)    flaw_add(c, STR("/payment/in_parts"), "import_only", "%s", why);
        for (size_t i = 0; i < in->items.n; i++) {
                if (in->items.v[i].price.cur[0]) flaw_item(c, i, "price", "import_only", why);
                if (in->items.v[i].name.p)       flaw_item(c, i, "name", "import_only", why);
                if (in->items.v[i].vat_bp != VAT_UNSAID) flaw_item(c, i, "vat_bp", "import_only", why);
        }
        return r;
}

static int buyer_look(struct ctx *c, const void *arg, void *out)
{
        return identity_user_call(c, arg, out);
}

/* An order is not written down to nobody. Who was found is remembered: an import names the same ones again and again. */
static int buyer_check(struct ctx *c, uid buyer)
{
        struct user found;
        int r = cache_once(c, ((struct orders_state *)unit_state(c))->buyers, uid_key(&buyer), buyer_look, &(struct user_ref){ buyer }, &found);

        if (r != -NOT_FOUND)
                return r < 0 ? r : 0;
        fault_clear(c);
        flaw_add(c, STR("/buyer"), "no_such_user", "there is no such user");
        return 0;
}

static int import_check(struct ctx *c, const struct order_draft *in)
{
        if (!uid_is_zero(in->buyer))
                TRY(buyer_check(c, in->buyer));
        if (in->placed_at.us && when_year(in->placed_at) < 2000)
                flaw_add(c, STR("/placed_at"), "too_small", "must not lie before the year 2000");
        if (in->placed_at.us > clock_now().us)
                flaw_add(c, STR("/placed_at"), "too_large", "must not lie in the future");
        return 0;
}

static void items_check(struct ctx *c, const struct draft_item_list *items)
{
        if (items->n > ITEMS_MAX)
                flaw_add(c, STR("/items"), "too_many", "must have at most %d elements", ITEMS_MAX);
        for (size_t i = 0; i < MIN(items->n, ITEMS_MAX); i++) {
                if (items->v[i].quantity > QUANTITY_MAX)
                        flaw_item(c, i, "quantity", "too_large", "must be at most 999");
                for (size_t k = 0; k < i; k++)
                        if (uid_eq(items->v[i].product_id, items->v[k].product_id))
                                flaw_add(c, arena_printf(c->arena, "/items/%zu/product_id", i), "repeated", "is item %zu already; add its quantity there", k + 1);
        }
}

int order_draft_check(struct ctx *c, const struct order_draft *in)
{
        bool import = staff_may(c, "orders:import");

        if (!import && is_import(in)) return import_refuse(c, in);
        if (import) TRY(import_check(c, in));
        else        items_check(c, &in->items);
        if (!in->items.n && uid_is_zero(in->cart_id))
                flaw_add(c, STR("/items"), "required", "must have at least 1 element, or there must be a cart_id");
        if (in->items.n && !uid_is_zero(in->cart_id))
                flaw_add(c, STR("/cart_id"), "repeated", "items say what is ordered already");
        if (in->cart_secret.p && uid_is_zero(in->cart_id))
                flaw_add(c, STR("/cart_id"), "required", "is required with cart_secret");
        if (in->ship_to.line1.p && !uid_is_zero(in->address_id))
                flaw_add(c, STR("/address_id"), "repeated", "ship_to says where it goes already");
        for (size_t i = 0; i < in->payment.card.n; i++)
                if (in->payment.card.p[i] < '0' || in->payment.card.p[i] > '9') {
                        flaw_add(c, STR("/payment/card"), "bad_format", "must be digits only");
                        break;
                }
        return flaws_fail(c);
}

/* ---- the same request? ------------------------------------------------------------------------------------------------ */

/* Nothing but products, quantities and a card. */
static bool is_plain(const struct order_draft *in)
{
        return !in->note.p && !in->ship_to.line1.p && uid_is_zero(in->address_id) && uid_is_zero(in->cart_id) && !is_import(in);
}

int64_t draft_fingerprint(struct ctx *c, const struct order_draft *in)
{
        struct digest key = ((struct orders_state *)unit_state(c))->fingerprints, d;
        struct buf items AUTO(buf_done) = BUF_INIT(64 * IMPORT_ITEMS_MAX), rest AUTO(buf_done) = BUF_INIT(4 << 20);
        int64_t f;

        for (size_t i = 0; i < in->items.n; i++) {
                buf_add(&items, uid_key(&in->items.v[i].product_id));
                buf_add(&items, (str){ (const char *)&in->items.v[i].quantity, sizeof in->items.v[i].quantity });
        }
        if (!is_plain(in))
                json_write(&rest, &order_draft_type, in);
        d = sha256_parts((const str[]){ { (const char *)key.b, sizeof key.b }, buf_str(&items), in->payment.card, buf_str(&rest) }, is_plain(in) ? 3 : 4);
        memcpy(&f, d.b, sizeof f);
        return f == 0 ? 1 : f;
}

/* ---- what is held, and what it costs -------------------------------------------------------------------------------------- */

int draft_holding(struct ctx *c, const struct draft_item_list *items, struct holding *out)
{
        size_t *at = arena_many(c->arena, size_t, items->n);

        *out = (struct holding){ .items = { arena_many(c->arena, struct item, items->n), 0 } };
        if (arena_is_exhausted(c->arena))
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the order is too large");
        for (size_t i = 0; i < items->n; i++) {
                const struct draft_item *d = &items->v[i];
                size_t k = 0;
                while (k < out->items.n && !uid_eq(out->items.v[k].product_id, d->product_id)) k++;
                if (k < out->items.n) {
                        out->items.v[k].quantity += d->quantity;                /* 1,000 times a million at most */
                        out->at = at;
                        continue;
                }
                at[k] = i;
                out->items.v[out->items.n++] = (struct item){ d->product_id, d->quantity };
        }
        return 0;
}

static const struct quote_line *quoted(const struct quote *q, uid product)
{
        for (size_t i = 0; i < q->lines.n; i++)
                if (uid_eq(q->lines.v[i].product_id, product)) return &q->lines.v[i];
        return NULL;
}

static bool is_whole(const struct draft_item *d)
{
        return d->price.cur[0] && d->name.p && d->vat_bp != VAT_UNSAID;
}

/* A basket with the catalogue's prices adds up already; with others it may not, and then the item that breaks it is named. */
static void line_add(struct ctx *c, size_t i, const struct order_line *line, money *total)
{
        if (money_add(*total, line->total, total) == -INVALID_ARGUMENT)
                flaw_item(c, i, "price", "mixed_currencies", "is in another currency than the items before it");
        else if (line->total.minor > TOTAL_MAX || total->minor > TOTAL_MAX)
                flaw_item(c, i, "quantity", "too_large", "costs more than can be counted");
}

static int lines_quote(struct ctx *c, const struct draft_item_list *items, const struct holding *h, struct quote *q)
{
        for (size_t i = 0; i < items->n; i++)
                if (!is_whole(&items->v[i])) return catalog_quote_call(c, &(struct basket){ h->items }, q);
        return 0;
}

int draft_lines(struct ctx *c, const struct draft_item_list *items, const struct holding *h, struct order_line_list *lines, money *total)
{
        struct quote quote = { 0 };

        TRY(lines_quote(c, items, h, &quote));
        *total = (money){ 0 };
        *lines = (struct order_line_list){ arena_many(c->arena, struct order_line, items->n), items->n };
        if (!lines->v)
                return fail(c, RESOURCE_EXHAUSTED, "too_large", "the order is too large");
        for (size_t i = 0; i < items->n; i++) {
                const struct draft_item *d = &items->v[i];
                const struct quote_line *q = h->at ? quoted(&quote, d->product_id) : quote.lines.n ? &quote.lines.v[i] : NULL;
                struct order_line *line = &lines->v[i];

                *line = (struct order_line){ d->product_id, d->name.p ? d->name : q->name, d->quantity, d->price.cur[0] ? d->price : q->price, { 0 },
                                             d->vat_bp != VAT_UNSAID ? d->vat_bp : q->vat_bp };
                line->total = line->price;
                line->total.minor *= line->quantity;                            /* 10^15 at most */
                line_add(c, i, line, total);
        }
        return flaws_fail(c);
}

int draft_ship_to(struct ctx *c, const struct order_draft *in, uid buyer, struct postal_address *out)
{
        struct address a;

        *out = in->ship_to;
        if (uid_is_zero(in->address_id))
                return 0;
        int r = identity_address_call(c, &(struct address_ref){ buyer, in->address_id }, &a);
        if (r == -NOT_FOUND) {
                fault_clear(c);
                flaw_add(c, STR("/address_id"), "no_such_address", "the buyer has no such address");
                return flaws_fail(c);
        }
        *out = (struct postal_address){ a.name, a.line1, a.line2, a.postal_code, a.city, a.region, a.country, a.phone };
        return r < 0 ? r : 0;
}
