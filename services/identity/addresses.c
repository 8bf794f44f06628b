/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * addresses.c - where somebody wants things sent: up to twenty, one of them the default.
 *
 * Who has an address has exactly one default. Never two: an index says so. Never none: the first one is it, the mark moves only to another one, and when the
 * default is deleted the newest that is left inherits it. Changes of one owner's addresses take turns at the owner's row. Orders copy what they need, so
 * a change here changes no order. */
#include "inside.h"

struct address_draft { uid id; str name, line1, line2, postal_code, city, region, country, phone; bool is_default; IF_MATCH_MEMBER; };
struct address_key   { uid id; IF_MATCH_MEMBER; };
struct address_page  { struct address_entry_list items; PAGE_LINKS; };

MESSAGE(address_ref, "an address of somebody",
        F(address_ref, 1, user),
        F(address_ref, 2, id, .optional = true));

/* The same members in every message about an address. */
#define ADDRESS_FIELDS(T) \
        F(T, 2, name, .min = 1, .max = 100, .example = "\"Ada Lovelace\"", .doc = "Who receives it."), \
        F(T, 3, line1, .min = 1, .max = 200, .example = "\"12 St James's Square\""), \
        F(T, 4, line2, .optional = true, .max = 200), \
        F(T, 5, postal_code, .optional = true, .max = 20, .example = "\"SW1Y 4JH\""), \
        F(T, 6, city, .min = 1, .max = 100, .example = "\"London\""), \
        F(T, 7, region, .optional = true, .max = 100), \
        F(T, 8, country, .format = &format_country, .example = "\"GB\"", .doc = "ISO 3166-1, two letters."), \
        F(T, 9, phone, .optional = true, .max = 40, .example = "\"+44 20 7946 0000\"")

MESSAGE(address, "where something is to be sent", F(address, 1, id, .optional = true), ADDRESS_FIELDS(address));
MESSAGE(address_draft, "an address as it should be",
        F(address_draft, 1, id, .internal = true, .optional = true),
        ADDRESS_FIELDS(address_draft),
        F(address_draft, 10, is_default, .optional = true, .doc = "Makes it the default, which another one then is no longer. The first address is the default anyway."),
        IF_MATCH_FIELD(address_draft, 11));
MESSAGE(address_entry, "an own address",
        F(address_entry, 1, id),
        ADDRESS_FIELDS(address_entry),
        F(address_entry, 10, is_default, .doc = "Where things are sent unless an order says otherwise."),
        F(address_entry, 11, version, .doc = "Each change makes a new one."),
        F(address_entry, 12, created_at),
        F(address_entry, 13, updated_at));
MESSAGE(address_key, "an own address", F(address_key, 1, id), IF_MATCH_FIELD(address_key, 2));
MESSAGE(address_filter, "own addresses", PAGE_FIELDS(address_filter, 1));
MESSAGE(address_page, "addresses, a page", F_LIST(address_page, 1, items, address_entry), PAGE_LINK_FIELDS(address_page, 2));

static int or_no_such_address(struct ctx *c, int r)
{
        return r == -NOT_FOUND ? fail(c, NOT_FOUND, "no_such_address", "there is no such address, or it is somebody else's") : r;
}

static int identity_address(struct ctx *c, const struct address_ref *in, struct address *out)
{
        return or_no_such_address(c, address_by_ref(db(c), in, out));
}

static int address_get(struct ctx *c, const struct address_key *in, struct address_entry *out)
{
        return or_no_such_address(c, address_own(db(c), in, out));
}

const struct paging addresses_paging = PAGING(address_filter, address_entry,
        { "-created_at", &addresses_newest_query, "created_at" },
        { "created_at",  &addresses_oldest_query, "created_at" });

static int addresses_list(struct ctx *c, const struct address_filter *in, struct address_page *out)
{
        struct address_filter f = *in;
        return page_query(c, &addresses_paging, &f, &out->items, &out->next, &out->prev);
}

/* ---- changes: each begins by taking the owner's row ---------------------------------------------------------------------------------- */

static int address_create(struct ctx *c, const struct address_draft *in, struct address_entry *out)
{
        struct address_draft draft = *in;
        struct user_row owner;
        int made;

        draft.id = uid_v7(clock_now());
        TX(tx, c);
        TRY(own_lock(tx, &owner));
        if (draft.is_default)
                TRY(address_default_drop(tx, &(struct nothing){ 0 }));
        TRY(made = address_insert(tx, &draft, out));
        if (!made)
                return fail(c, FAILED_PRECONDITION, "too_many_addresses", "there are 20 addresses already: delete one first");
        return tx_commit(tx);
}

static int address_now(struct ctx *c, const struct address_draft *in, struct address_draft *out)
{
        struct address_entry a;

        TRY(or_no_such_address(c, address_own(db(c), &(struct address_key){ .id = in->id }, &a)));
        *out = (struct address_draft){ a.id, a.name, a.line1, a.line2, a.postal_code, a.city, a.region, a.country, a.phone, a.is_default, a.version };
        return 0;
}

static int address_replace(struct ctx *c, const struct address_draft *in, struct address_entry *out)
{
        struct user_row owner;
        struct address_entry old;
        int written;

        TX(tx, c);
        TRY(own_lock(tx, &owner));
        TRY(or_no_such_address(c, address_own(tx, &(struct address_key){ .id = in->id }, &old)));
        if (in->if_match && in->if_match != old.version)
                return stale(c);
        if (old.is_default && !in->is_default)
                return member_refused(c, FAILED_PRECONDITION, "/is_default", "default_address_needed", "is true for the default: make another address the default instead");
        if (!old.is_default && in->is_default)
                TRY(address_default_drop(tx, &(struct nothing){ 0 }));
        TRY(written = address_update(tx, in, out));
        if (!written)
                return stale(c);
        return tx_commit(tx);
}

static int address_delete(struct ctx *c, const struct address_key *in, struct nothing *out)
{
        struct user_row owner;
        struct address_entry old;
        struct nothing none = { 0 };
        int gone;

        (void)out;
        TX(tx, c);
        TRY(own_lock(tx, &owner));
        TRY(or_no_such_address(c, address_own(tx, &(struct address_key){ .id = in->id }, &old)));
        TRY(gone = address_drop(tx, in));
        if (!gone)
                return stale(c);
        if (old.is_default)
                TRY(address_default_heir_later(tx, &none));
        return tx_commit(tx);
}

/*  operation          takes           gives         */
OP( identity_address,  address_ref,    address       );
OP( addresses_list,    address_filter, address_page  );
OP( address_get,       address_key,    address_entry );
OP( address_create,    address_draft,  address_entry );
OP( address_now,       address_draft,  address_draft );
OP( address_replace,   address_draft,  address_entry );
OP( address_delete,    address_key,    nothing       );
