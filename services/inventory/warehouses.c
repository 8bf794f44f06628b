/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * warehouses.c - the places where units lie: opened, changed, closed when they are empty; one of them is the default.
 *
 * Exactly one warehouse is the default and it is active: another becomes it, it is never taken away. A warehouse that is not active keeps its stock,
 * takes in more, and sells none. One that is deleted keeps its row for the movements that name it; nothing can come in any more, because whoever
 * brings something keeps the warehouse from being deleted (`for key share`) until that is committed. */
#include "cache.h"
#include "catalog/catalog.h"
#include "stock.h"
#include "inventory_sql.h"

struct warehouse_new    { str code, name, country; };
struct warehouse_draft  { uid id; str code, name, country; bool active, is_default; IF_MATCH_MEMBER; };
struct warehouse_filter { str country; int32_t active; PAGE_MEMBERS; };
struct warehouse_page   { struct warehouse_list items; PAGE_LINKS; };
struct warehouse_holding             { bool any; };
struct opening          { int32_t warehouse_no; uid after; };

static const char *const yes_or_no[] = { "any", "true", "false", NULL };

MESSAGE(site, "where a warehouse is", F(site, 1, no), F(site, 2, active), F(site, 3, country), F(site, 4, is_default, .optional = true));
MESSAGE(sites, "where the warehouses are", F_LIST(sites, 1, items, site));
MESSAGE(warehouse_key, "a warehouse", F(warehouse_key, 1, id, .optional = true), IF_MATCH_FIELD(warehouse_key, 2));
MESSAGE(warehouse, "a warehouse",
        F(warehouse, 1, no, .internal = true, .optional = true),
        F(warehouse, 2, id),
        F(warehouse, 3, code),
        F(warehouse, 4, name),
        F(warehouse, 5, country),
        F(warehouse, 6, active, .doc = "Its stock may be sold."),
        F(warehouse, 7, is_default, .doc = "Goods come in here unless another is named."),
        F(warehouse, 8, version, .doc = "Goes up with every change."),
        F(warehouse, 9, created_at),
        F(warehouse, 10, updated_at));
MESSAGE(warehouse_new, "a warehouse to be opened",
        F(warehouse_new, 1, code, .min = 1, .max = 40, .format = &format_slug),
        F(warehouse_new, 2, name, .min = 1, .max = 200),
        F(warehouse_new, 3, country, .format = &format_country, .doc = "Where it is; orders are sent from near by."));
MESSAGE(warehouse_draft, "a warehouse as it shall be",
        F(warehouse_draft, 1, id),
        F(warehouse_draft, 2, code, .min = 1, .max = 40, .format = &format_slug),
        F(warehouse_draft, 3, name, .min = 1, .max = 200),
        F(warehouse_draft, 4, country, .format = &format_country),
        F(warehouse_draft, 5, active, .doc = "Whether its stock may be sold."),
        F(warehouse_draft, 6, is_default, .doc = "True makes it the default in the place of the one that is; the default cannot be unmade."),
        IF_MATCH_FIELD(warehouse_draft, 7));
MESSAGE(warehouse_filter, "which warehouses",
        F(warehouse_filter, 1, country, .optional = true, .format = &format_country, .doc = "Only those in this country."),
        F(warehouse_filter, 2, active, .optional = true, .names = yes_or_no, .doc = "Only those that sell, or only those that do not."),
        PAGE_FIELDS(warehouse_filter, 3));
MESSAGE(warehouse_page, "warehouses, a page", F_LIST(warehouse_page, 1, items, warehouse), PAGE_LINK_FIELDS(warehouse_page, 2));
MESSAGE(warehouse_holding, "is there anything", F(warehouse_holding, 1, any));
MESSAGE(opening, "a warehouse whose products have to be told of", F(opening, 1, warehouse_no), F(opening, 2, after));

/* ---- for the others -------------------------------------------------------------------------------------------------------- */

static int sites_load(struct ctx *c, const void *arg, void *out)
{
        (void)arg;
        return sites_all(db(c), &(struct nothing){ 0 }, &((struct sites *)out)->items);
}

static struct cache *sites(struct ctx *c)
{
        return ((struct state *)unit_state(c))->sites;
}

int sites_get(struct ctx *c, struct sites *out)
{
        return cache_once(c, sites(c), STR("all"), sites_load, NULL, out);
}

int warehouse_use(struct db *tx, uid id, const char *pointer, struct warehouse *out)
{
        struct ctx *c = db_ctx(tx);
        int found;

        TRY(found = warehouse_share(tx, &(struct warehouse_key){ id, 0 }, out));
        if (found)
                return 0;
        flaw_add(c, str_of(pointer), "no_such_warehouse", "there is no such warehouse");
        return flaws_fail(c);
}

int product_must_exist(struct ctx *c, uid id)
{
        struct quote q;
        int r = catalog_quote_call(c, &(struct basket){ { &(struct item){ id, 1 }, 1 } }, &q);

        if (r != -INVALID_ARGUMENT)
                return r < 0 ? r : 0;
        return fail(c, NOT_FOUND, "no_such_product", "there is no such product");
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

const struct paging warehouses_paging = PAGING(warehouse_filter, warehouse,
        { "code",  &warehouses_by_code_query,      "code" },
        { "-code", &warehouses_by_code_down_query, "code" });

static int warehouses_list(struct ctx *c, const struct warehouse_filter *in, struct warehouse_page *out)
{
        struct warehouse_filter f = *in;
        return page_query(c, &warehouses_paging, &f, &out->items, &out->next, &out->prev);
}

static int no_such_warehouse(struct ctx *c)
{
        return fail(c, NOT_FOUND, "no_such_warehouse", "there is no such warehouse");
}

static int warehouse_get(struct ctx *c, const struct warehouse_key *in, struct warehouse *out)
{
        int r = warehouse_by_id(db(c), in, out);
        return r == -NOT_FOUND ? no_such_warehouse(c) : r;
}

/* What a merge patch is laid over. */
static int warehouse_stands(struct ctx *c, const struct warehouse_draft *in, struct warehouse_draft *out)
{
        struct warehouse w;

        TRY(warehouse_get(c, &(struct warehouse_key){ in->id, 0 }, &w));
        *out = (struct warehouse_draft){ in->id, w.code, w.name, w.country, w.active, w.is_default, w.version };
        return 0;
}

/* ---- changing -------------------------------------------------------------------------------------------------------------- */

static int code_taken(struct ctx *c, str code)
{
        return fail_about(c, "/code", fail(c, ALREADY_EXISTS, "warehouse_exists", "there is a warehouse with code " STR_FMT, STR_ARG(code)));
}

static int warehouse_open(struct ctx *c, const struct warehouse_new *in, struct warehouse *out)
{
        when now = clock_now();
        int r;

        TX(tx, c);
        r = warehouse_insert(tx, &(struct warehouse){ .id = uid_v7(now), .code = in->code, .name = in->name, .country = in->country, .created_at = now }, out);
        if (r == -ALREADY_EXISTS)
                return code_taken(c, in->code);
        TRY(r);
        if (r == 0)
                return fail(c, FAILED_PRECONDITION, "too_many_warehouses", "there are 1,000 warehouses, and not more can be opened");
        TRY(tx_commit(tx));
        cache_drop(sites(c), STR("all"));
        return 0;
}

/* The default stays the default, and open, until another takes its place. */
static int default_check(struct ctx *c, const struct warehouse_draft *in, const struct warehouse *now)
{
        if (now->is_default && !in->is_default)
                return fail_about(c, "/is_default", fail(c, FAILED_PRECONDITION, "default_warehouse", "this is the default warehouse; make another one the default instead"));
        if (in->is_default && !in->active)
                return fail_about(c, "/active", fail(c, FAILED_PRECONDITION, "default_warehouse", "the default warehouse must be active"));
        return 0;
}

/* Its row among those locked, the others that will be the default no more set aside. */
static int warehouse_replace(struct ctx *c, const struct warehouse_draft *in, struct warehouse *out)
{
        struct warehouse_list locked;
        const struct warehouse *now = NULL, *other = NULL;
        struct warehouse next;
        int r;

        TX(tx, c);
        TRY(warehouses_lock(tx, &(struct warehouse_key){ in->id, 0 }, &locked));
        for (size_t i = 0; i < locked.n; i++)
                if (uid_eq(locked.v[i].id, in->id)) now = &locked.v[i];
                else other = &locked.v[i];
        if (!now)
                return no_such_warehouse(c);
        if (in->if_match && in->if_match != now->version)
                return stale(c);
        TRY(default_check(c, in, now));
        if (in->is_default && other)
                TRY(warehouse_undefault_later(tx, other));
        next = (struct warehouse){ .no = now->no, .id = now->id, .code = in->code, .name = in->name, .country = in->country, .active = in->active,
                                   .is_default = in->is_default, .version = now->version };
        r = warehouse_update(tx, &next, out);
        if (r == -ALREADY_EXISTS)
                return code_taken(c, in->code);
        TRY(r);
        if (in->active != now->active)
                TRY(opening_add_later(tx, now));
        TRY(tx_commit(tx));
        cache_drop(sites(c), STR("all"));
        return 0;
}

static int warehouse_close(struct ctx *c, const struct warehouse_key *in, struct nothing *out)
{
        struct warehouse w;
        struct warehouse_holding load;
        int found;

        (void)out;
        TX(tx, c);
        TRY(found = warehouse_lock(tx, in, &w));
        if (!found)
                return no_such_warehouse(c);
        if (in->if_match && in->if_match != w.version)
                return stale(c);
        if (w.is_default)
                return fail(c, FAILED_PRECONDITION, "default_warehouse", "this is the default warehouse; make another one the default first");
        TRY(warehouse_load(tx, &w, &load));
        if (load.any)
                return fail(c, FAILED_PRECONDITION, "warehouse_not_empty", "something lies in warehouse " STR_FMT ", or is held there", STR_ARG(w.code));
        TRY(warehouse_delete_later(tx, &w));
        TRY(tx_commit(tx));
        cache_drop(sites(c), STR("all"));
        return 0;
}

/* ---- telling --------------------------------------------------------------------------------------------------------------- */

enum { STEPS_A_TURN = 20 };

/* A step of the products of one warehouse that began or ceased to sell: what is available of them now. returns whether there is more */
static int opening_step(struct ctx *c)
{
        struct opening o;
        struct hold_keys k = { 0 };
        struct stock_row_list rows;
        struct sites all;
        struct plan plan;
        int found;

        TRY(sites_get(c, &all));
        TX(tx, c);
        TRY(found = opening_next(tx, &(struct nothing){ 0 }, &o));
        if (!found)
                return 0;
        TRY(opening_products(tx, &o, &k.products));
        if (k.products.n) TRY(stock_lock(tx, &k, &rows));
        if (k.products.n) TRY(plan_init(c, &plan, rows, &all, unit_state(c)));
        for (size_t i = 0; i < k.products.n; i++) {
                uid id = o.after = k.products.v[i].id;
                const struct stock_row *here = plan_row(&plan, id, o.warehouse_no);
                int64_t is = plan_available(&plan, id), was = is;
                int32_t low = plan_low(&plan, id);
                for (size_t s = 0; s < all.items.n; s++)
                        if (all.items.v[s].no == o.warehouse_no) was += all.items.v[s].active ? -here->quantity : here->quantity;
                TRY(emit(tx, &stock_changed, &(struct stock_level){ id, is }));
                TRY(crossings_tell(tx, id, was, is, low, low));
        }
        TRY(k.products.n ? opening_move_later(tx, &o) : opening_done_later(tx, &o));
        TRY(tx_commit(tx));
        return 1;
}

static int openings_tell(struct ctx *c, const struct nothing *in, struct nothing *out)
{
        int more = 1;

        (void)in;
        (void)out;
        cache_drop(sites(c), STR("all"));                       /* whoever changed it may have been another worker */
        for (int steps = 0; more > 0 && steps < STEPS_A_TURN; steps++)
                TRY(more = opening_step(c));
        return 0;
}

/*  operation           takes             gives           */
OP( warehouses_list,    warehouse_filter, warehouse_page  );
OP( warehouse_get,      warehouse_key,    warehouse       );
OP( warehouse_open,     warehouse_new,    warehouse       );
OP( warehouse_replace,  warehouse_draft,  warehouse       );
OP( warehouse_stands,   warehouse_draft,  warehouse_draft );
OP( warehouse_close,    warehouse_key,    nothing         );
OP( openings_tell,      nothing,          nothing         );
