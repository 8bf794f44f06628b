/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * openapi_links.c - what can be done next with an answer: links of OpenAPI (3.1, section 4.8.20), worked out from the tables alone.
 *
 * An answer has an address: the Location of what was made, the path it was read from, or for a list the path of its first row. Whatever route begins
 * with that address and needs no further variable is a next step: POST /v1/orders -> GET /v1/orders/{id} -> POST /v1/orders/{id}/cancel. And a
 * member `product_id` leads to what is read by a product's id. */
#include "openapi.h"

struct address {
        char   path[200];                               /* "" : none                                                */
        char   values[PATH_VARS_MAX][120];              /* of its variables: runtime expressions                    */
        size_t n;
};

static bool is_variable(str segment)    { return segment.n > 2 && segment.p[0] == '{'; }

/* Walks two paths side by side. returns the variables that both have when `of` begins with `address`, else -1 */
static int begins(const char *address, const char *of)
{
        int vars = 0;
        str rest = str_of(of), mine = str_of(address);
        while (mine.p) {
                if (!rest.p) return -1;
                str a = str_split(&mine, '/'), b = str_split(&rest, '/');
                if (is_variable(a) != is_variable(b) || (!is_variable(a) && !str_eq(a, b))) return -1;
                vars += is_variable(a);
        }
        return vars;
}

static const struct field *shown(const struct type *t, str name)
{
        const struct field *f = type_field(t, name);
        return f && !f->internal ? f : NULL;
}

static void address_of_answer(struct address *a, const struct route *r)
{
        snprintf(a->path, sizeof a->path, "%s", r->location);
        for (str rest = str_of(r->location); (void)str_split(&rest, '{'), rest.p && a->n < PATH_VARS_MAX;) {
                str name = str_split(&rest, '}');
                if (!shown(r->op->out, name)) a->path[0] = 0;
                snprintf(a->values[a->n++], sizeof a->values[0], "$response.body#/" STR_FMT, STR_ARG(name));
        }
}

/* Its own path, and for a page the first row below it. */
static void address_of_path(struct address *a, const struct endpoint *e)
{
        const struct route *r = e->route;
        bool rows = r->page && shown(r->page->row, STR("id")) && e->n_vars < PATH_VARS_MAX;
        snprintf(a->path, sizeof a->path, "%s%s", r->path, rows ? "/{id}" : "");
        for (; a->n < e->n_vars; a->n++) snprintf(a->values[a->n], sizeof a->values[0], "$request.path.%s", e->var_names[a->n]);
        if (rows) snprintf(a->values[a->n++], sizeof a->values[0], "$response.body#/items/0/id");
}

static void one_link(struct api *a, const struct endpoint *to, const char (*values)[120], bool *any)
{
        char id[120];
        api_operation_id(a, to, id);
        if (!*any) {
                jw_key(&a->w, "links");
                jw_object(&a->w);
                *any = true;
        }
        jw_key(&a->w, id);
        jw_object(&a->w);
        api_key_z(a, "operationId", id);
        jw_key(&a->w, "parameters");
        jw_object(&a->w);
        for (size_t i = 0; i < to->n_vars; i++) api_key_z(a, to->var_names[i], values[i]);
        jw_object_end(&a->w);
        jw_object_end(&a->w);
}

/* "product" of "/v1/products/{id}": what its last variable names. */
static void noun_of(const char *path, char out[60])
{
        str last = { NULL, 0 }, before = last;
        for (str rest = str_of(path), segment; rest.p && (segment = str_split(&rest, '/'), true); last = segment)
                if (is_variable(segment)) before = last;
        bool ies = before.n > 3 && str_eq(str_cut(before, before.n - 3, before.n), STR("ies"));
        size_t n = ies ? before.n - 3 : before.n > 1 ? before.n - 1 : 0;
        snprintf(out, 60, "%.*s%s", (int)n, n ? before.p : "", ies ? "y" : "");
}

/* Is `to` read by the id of such a thing alone: GET /v1/products/{id}, GET /v1/inventory/{product_id}? */
static bool reads_by(const struct endpoint *to, const char *noun)
{
        char own[60];
        if (to->n_vars != 1 || to->route->method != GET || !*noun) return false;
        str var = str_of(to->var_names[0]), tail = STR("_id");
        noun_of(to->route->path, own);
        if (!strcmp(to->var_names[0], "id")) return !strcmp(own, noun);
        return var.n == strlen(noun) + tail.n && str_starts(var, str_of(noun)) && str_eq(str_cut(var, var.n - tail.n, var.n), tail);
}

/* Of a member that every answer has. */
static void noun_of_member(const struct field *f, char out[60])
{
        size_t n = strlen(f->name);
        bool is_id = !f->internal && !f->optional && f->kind == K_UID && n > 3 && !strcmp(f->name + n - 3, "_id");
        snprintf(out, 60, "%.*s", is_id ? (int)n - 3 : 0, f->name);
}

/* The values of `to`'s variables, as this answer has them. */
static bool leads_to(const struct endpoint *e, const struct address *at, size_t n_at, const struct endpoint *to, char (*values)[120])
{
        char noun[60];
        const struct type *out = e->route->op->out;
        if (!to->n_vars || (e == to)) return false;
        for (size_t i = 0; i < n_at; i++) {
                if (!at[i].path[0] || !at[i].n) continue;
                noun_of(at[i].path, noun);
                bool below = begins(at[i].path, to->route->path) == (int)to->n_vars, same = reads_by(to, noun);
                if (!below && !same) continue;
                if (below) memcpy(values, at[i].values, to->n_vars * sizeof *values);
                else memcpy(values[0], at[i].values[at[i].n - 1], sizeof *values);
                return true;
        }
        for (size_t i = 0; i < out->n; i++) {
                noun_of_member(&out->fields[i], noun);
                if (!reads_by(to, noun)) continue;
                snprintf(values[0], sizeof *values, "$response.body#/%s", out->fields[i].name);
                return true;
        }
        return false;
}

void api_links(struct api *a, const struct endpoint *e)
{
        struct address at[2] = { 0 };
        char values[PATH_VARS_MAX][120];
        bool any = false;
        if (!e->route->op || e->route->op->out == &nothing_type) return;
        if (e->route->location) address_of_answer(&at[0], e->route);
        if (e->route->method != POST) address_of_path(&at[1], e);
        for (size_t i = 0; i < a->n; i++)
                if (leads_to(e, at, COUNT(at), &a->all[i], values)) one_link(a, &a->all[i], values, &any);
        if (any) jw_object_end(&a->w);
}
