#include <stdlib.h>
#include "catalog/catalog.h"
MESSAGE(item, "item", F(item,1,product_id), F(item,2,quantity,.min=1,.max=QUANTITY_MAX));
MESSAGE(basket, "b", F_LIST(basket,1,items,item));
MESSAGE(quote_line, "q", F(quote_line,1,product_id),F(quote_line,2,name),F(quote_line,3,quantity),F(quote_line,4,price),F(quote_line,5,total),F(quote_line,6,vat_bp),F(quote_line,7,version));
MESSAGE(quote, "q", F_LIST(quote,1,lines,quote_line), F(quote,2,total));
MESSAGE(seeding, "s", F(seeding,1,count), F(seeding,2,seed));
MESSAGE(seeded, "s", F_LIST(seeded,1,ids,uid));
struct pnew { str sku, name, description; money price; };
struct pout { uid id; str sku; };
MESSAGE(pnew, "p", F(pnew,1,sku),F(pnew,2,name),F(pnew,3,description,.optional=true),F(pnew,4,price));
MESSAGE(pout, "p", F(pout,1,id),F(pout,2,sku));
const struct event product_created = { "product.created", &pout_type, "id", "x" }, product_changed = { "product.changed", &pout_type, "id", "x" };
static int catalog_quote(struct ctx *c, const struct basket *in, struct quote *out)
{
        *out = (struct quote){ 0 };
        out->lines.v = arena_many(c->arena, struct quote_line, in->items.n); out->lines.n = in->items.n;
        int64_t t = 0;
        for (size_t i = 0; i < in->items.n; i++) { out->lines.v[i] = (struct quote_line){ in->items.v[i].product_id, STR("x"), in->items.v[i].quantity, { 1999, "EUR" }, { 1999 * in->items.v[i].quantity, "EUR" }, 1900, 1 }; t += 1999 * in->items.v[i].quantity; }
        out->total = (money){ t, "EUR" };
        return 0;
}
static int catalog_seed(struct ctx *c, const struct seeding *in, struct seeded *out)
{
        
        static int done; (void)in;
        if (done++ || getenv("NOSTUB")) return 0;
        out->ids.v = arena_many(c->arena, uid, 10); out->ids.n = 10;
        for (int i = 0; i < 10; i++) out->ids.v[i] = uid_v7(clock_now());
        return 0;
}
static int product_create(struct ctx *c, const struct pnew *in, struct pout *out) { (void)c; *out = (struct pout){ uid_v7(clock_now()), in->sku }; return 0; }
OP(catalog_quote, basket, quote);
OP(catalog_seed, seeding, seeded);
OP(product_create, pnew, pout);
const struct service catalog_service = { .name = "catalog", .doc = "stub", ROUTES(POST("/v1/products", product_create, .who = STAFF, .scope="catalog:write", .status = 201, .location="/v1/products/{id}", .doc="x")), CALLS(&catalog_quote_op, &catalog_seed_op) };
