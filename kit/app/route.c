/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * route.c - finds the endpoint of a method and a path in a tree of segments, built once from the tables.
 *
 *     /v1/orders/{id}/items       ""  -> v1 -> orders -> {} -> items
 *
 * A literal segment is tried before a variable, which has its turn only when the literal leads to no path at all: /v1/sessions/refresh is
 * no session, whatever the method. So the order of the tables does not matter. Values stay percent-encoded. Looking up touches no allocator and is bounded by SEGMENTS_MAX. */
#include "engine.h"
#include <pthread.h>
#include <stdlib.h>
#include "map.h"

enum { NAMES_MAX = 10000 };

struct node {
        str          segment;           /* points into the route's path                           */
        struct node *child, *next;      /* literals                                               */
        struct node *variable;
        const struct endpoint *ends[METHODS];
        unsigned     allowed;
};
struct router { struct node root; };

static struct node *node_new(str segment)
{
        struct node *n = calloc(1, sizeof *n);
        if (!n) abort();                /* at start, before anything is served */
        n->segment = segment;
        return n;
}

static void node_free(struct node *n)
{
        for (struct node *next; n; n = next) {
                next = n->next;
                node_free(n->child);
                node_free(n->variable);
                free(n);
        }
}

struct router *router_new(void)
{
        struct router *r = calloc(1, sizeof *r);
        if (!r) abort();
        return r;
}

struct router *router_free(struct router *r)
{
        if (!r) return NULL;
        node_free(r->root.child);
        node_free(r->root.variable);
        free(r);
        return NULL;
}

static bool is_variable(str segment)    { return segment.n > 2 && segment.p[0] == '{' && segment.p[segment.n - 1] == '}'; }

static struct node *node_child(struct node *at, str segment)
{
        if (is_variable(segment)) {
                if (!at->variable) at->variable = node_new(segment);
                return at->variable;
        }
        for (struct node *n = at->child; n; n = n->next)
                if (str_eq(n->segment, segment)) return n;
        struct node *n = node_new(segment);
        n->next = at->child;
        return at->child = n;
}

int router_add(struct router *r, const struct endpoint *e, char err[256])
{
        struct node *at = &r->root;
        enum method m = e->route->method;
        str path = str_of(e->route->path);
        for (str rest = str_cut(path, 1, path.n), segment; rest.p && (segment = str_split(&rest, '/'), true);) at = node_child(at, segment);
        if (at->ends[m]) {
                snprintf(err, 256, "%s: two routes, the other is %s of %s", e->name, at->ends[m]->name, at->ends[m]->service->name);
                return -INVALID_ARGUMENT;
        }
        at->ends[m] = e;
        at->allowed |= 1u << m;
        return 0;
}

/* Walks on from `at`; depth counts values taken. true when an endpoint for the method was found. */
static bool find(const struct node *at, enum method m, str rest, size_t taken, size_t depth, struct match *out)
{
        if (!rest.p) {
                out->allowed |= at->allowed;
                out->endpoint = at->ends[m];
                return out->endpoint != NULL;
        }
        if (depth == SEGMENTS_MAX) return false;
        str segment = str_split(&rest, '/');
        for (const struct node *n = at->child; n; n = n->next) {
                if (!str_eq(n->segment, segment)) continue;
                if (find(n, m, rest, taken, depth + 1, out)) return true;
                if (out->allowed) return false;         /* the path is there, for other methods */
                break;
        }
        if (!at->variable || !segment.n || taken == PATH_VARS_MAX) return false;
        if (!find(at->variable, m, rest, taken + 1, depth + 1, out)) return false;
        out->values[taken] = segment;
        return true;
}

void router_find(const struct router *r, enum method m, str path, struct match *out)
{
        *out = (struct match){ 0 };
        if (!path.n || path.p[0] != '/') return;
        if (find(&r->root, m == HEAD ? GET : m, str_cut(path, 1, path.n), 0, 0, out)) out->allowed |= 1u << out->endpoint->route->method;
        if (out->allowed & 1u << GET) out->allowed |= 1u << HEAD;
        if (out->allowed) out->allowed |= 1u << OPTIONS;
}

/* ---- what is worked out of a route once ----------------------------------------------------------------------------- */

/* Names of endpoints are names of fibers, which the watchdog may read late: they are kept for good, each once. */
static struct { pthread_mutex_t lock; struct map *set; } names = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const char *name_kept(char *name)
{
        pthread_mutex_lock(&names.lock);
        if (!names.set) names.set = map_new(NAMES_MAX, MAP_REFUSES, NULL);
        char *kept = map_get(names.set, str_of(name));
        if (kept) free(name);
        else if (map_put(names.set, str_of(name), kept = name) < 0) abort();
        pthread_mutex_unlock(&names.lock);
        return kept;
}

static int name_of(struct endpoint *e, char err[256])
{
        char *name;
        if (asprintf(&name, "%s %s", method_name(e->route->method), e->route->path) < 0) abort();
        e->name = name = (char *)name_kept(name);
        if (e->route->path[0] == '/' && e->route->method > METHOD_OTHER && e->route->method < METHODS) return 0;
        snprintf(err, 256, "%s: not a route", name);
        return -INVALID_ARGUMENT;
}

static int find_vars(struct endpoint *e, char err[256])
{
        size_t depth = 0;
        str path = str_of(e->route->path);
        for (str rest = str_cut(path, 1, path.n), segment; rest.p && (segment = str_split(&rest, '/'), true); depth++) {
                if (!is_variable(segment)) continue;
                str name = str_cut(segment, 1, segment.n - 1);
                const struct field *f = e->route->op ? type_field(e->route->op->in, name) : NULL;
                if (e->n_vars == PATH_VARS_MAX || (e->route->op && !f)) {
                        snprintf(err, 256, "%s: {" STR_FMT "} is no member of %s", e->name, STR_ARG(name), e->route->op ? e->route->op->in->name : "");
                        return -INVALID_ARGUMENT;
                }
                e->vars[e->n_vars] = f;
                e->var_names[e->n_vars] = strndup(name.p, name.n);
                if (!e->var_names[e->n_vars++]) abort();
        }
        if (depth <= SEGMENTS_MAX) return 0;
        snprintf(err, 256, "%s: over %d segments", e->name, SEGMENTS_MAX);
        return -INVALID_ARGUMENT;
}

static bool is_var(const struct endpoint *e, const struct field *f)
{
        for (size_t i = 0; i < e->n_vars; i++)
                if (e->vars[i] == f) return true;
        return false;
}

/* The message as a body or a query has it: what the path says is off the wire there. */
static void shape_body(struct endpoint *e)
{
        const struct type *in = e->route->op->in;
        enum method m = e->route->method;
        e->body = *in;
        e->reads_body = !e->route->text && (m == POST || m == PUT || m == PATCH);
        e->takes_body = e->needs_body = e->route->text != NULL;
        e->body_fields = calloc(in->n + 1, sizeof *e->body_fields);
        if (!e->body_fields) abort();
        for (size_t i = 0; i < in->n; i++) {
                struct field *f = &e->body_fields[i];
                *f = in->fields[i];
                if (is_var(e, &in->fields[i])) f->internal = f->optional = true;
                if (!strcmp(f->name, "if_match")) e->if_match = &in->fields[i];
                if (f->internal || !e->reads_body) continue;
                e->takes_body = true;
                if (!f->optional) e->needs_body = true;
        }
        e->body.fields = e->body_fields;
        e->needs_body |= e->route->patches && e->takes_body;    /* a merge patch is an object, if an empty one */
}

static int check_page(struct endpoint *e, char err[256])
{
        const struct paging *p = e->route->page;
        if (!p) return 0;
        const struct field *id = type_field(p->row, STR("id"));
        if (p->filter != e->route->op->in || !id || id->kind != K_UID) {
                snprintf(err, 256, "%s: a page's filter is the operation's input, and its rows have an id", e->name);
                return -INVALID_ARGUMENT;
        }
        e->next = type_field(e->route->op->out, STR("next"));
        e->prev = type_field(e->route->op->out, STR("prev"));
        if (!e->next || !e->prev || e->next->kind != K_STR || e->prev->kind != K_STR) {
                snprintf(err, 256, "%s: a page ends with PAGE_LINKS", e->name);
                return -INVALID_ARGUMENT;
        }
        for (const struct sort *s = p->sorts; s->name; s++) {
                const struct field *f = type_field(p->row, str_of(s->key));
                bool fits = f && (f->kind == K_I32 || f->kind == K_I64 || f->kind == K_MONEY || f->kind == K_WHEN || f->kind == K_STR || f->kind == K_UID);
                if (fits && s->query->in == p->filter && s->query->rows == ROWS_MANY) continue;
                snprintf(err, 256, "%s: the sort %s wants a plain member of %s and a statement of %s that gives many rows", e->name, s->name, p->row->name, p->filter->name);
                return -INVALID_ARGUMENT;
        }
        return 0;
}

static int check_route(const struct endpoint *e, char err[256])
{
        const struct route *r = e->route;
        const char *wrong = NULL;
        if (!r->op && !r->raw) wrong = "has neither an operation nor a raw handler";
        else if (r->raw && (r->idempotent || r->keyed || r->page)) wrong = "has a raw handler, which knows no keys and no pages";
        else if (r->who == WHO_UNSAID) wrong = "does not say who may";
        else if (r->scope && r->who == ANYONE) wrong = "wants a scope of anyone";
        else if (r->idempotent && r->keyed) wrong = "is idempotent or keyed, not both";
        else if (r->idempotent && (!r->op || r->op->batch)) wrong = "a batched operation is keyed, not idempotent";
        else if ((r->idempotent || r->keyed) && r->who == ANYONE) wrong = "a key belongs to somebody, not to anyone";
        else if (r->keep_ms && (r->method != GET || r->raw || r->who != ANYONE)) wrong = "keeps answers, which are of operations that anyone GETs";
        else if (r->keep_ms && (!r->cache_control || !str_starts(str_of(r->cache_control), STR("public")))) wrong = "keeps answers that are not public";
        else if (r->method == HEAD || r->method == OPTIONS) wrong = "HEAD and OPTIONS answer by themselves";
        if (!wrong) return 0;
        snprintf(err, 256, "%s: %s", e->name, wrong);
        return -INVALID_ARGUMENT;
}

/* What a row says of versions and preconditions, held against its messages. */
static int check_condition(const struct endpoint *e, char err[256])
{
        const struct route *r = e->route;
        const struct op *op = r->op;
        const struct field *v = r->version && op ? type_field(op->out, str_of(r->version)) : NULL, *m = op ? type_field(op->in, STR("if_match")) : NULL;
        const char *wrong = NULL;
        if (r->raw && (r->version || r->if_match || r->patches)) wrong = "has a raw handler, which knows no versions, no If-Match and no patches";
        else if (r->version && (!v || (v->kind != K_I32 && v->kind != K_I64) || v->names)) wrong = "its version is no whole number of the answer";
        else if (v && (v->internal || v->optional || v->secret)) wrong = "its version must be in every answer, for all to see";
        else if (r->if_match && r->method == GET) wrong = "a GET needs no If-Match";
        else if (r->if_match && (!m || m->kind != K_I64 || !m->internal)) wrong = "If-Match has no place in its input: IF_MATCH_MEMBER and IF_MATCH_FIELD";
        else if (r->patches && r->method != PATCH) wrong = "only a PATCH patches";
        else if (r->patches && (r->patches->in != op->in || r->patches->out != op->in)) wrong = "what is patched is its input: the loading operation takes and gives that";
        else if (r->text && (!r->raw || !op)) wrong = "only a raw handler with an operation beside it reads a text";
        else if (r->patches && !e->takes_body) wrong = "there is nothing to patch";
        if (!wrong) return 0;
        snprintf(err, 256, "%s: %s", e->name, wrong);
        return -INVALID_ARGUMENT;
}

int endpoint_init(struct endpoint *e, const struct service *s, const struct route *r, char err[256])
{
        *e = (struct endpoint){ .route = r, .service = s };
        TRY(name_of(e, err));
        TRY(check_route(e, err));
        TRY(find_vars(e, err));
        if (!r->op) return check_condition(e, err);
        TRY(check_page(e, err));
        TRY(type_check(r->op->in, err));
        TRY(type_check(r->op->out, err));
        shape_body(e);
        if (r->method == GET && !r->raw && r->op->out != &nothing_type) e->choice = r->page ? r->page->row : r->op->out;
        if (e->choice && type_field(r->op->in, STR("fields"))) {
                snprintf(err, 256, "%s: `fields` is the edge's own parameter", e->name);
                return -INVALID_ARGUMENT;
        }
        return check_condition(e, err);
}

void endpoint_done(struct endpoint *e)
{
        for (size_t i = 0; i < e->n_vars; i++) free((char *)e->var_names[i]);
        free(e->body_fields);
}

int answer_status(const struct endpoint *e)
{
        if (e->route->status) return e->route->status;
        return e->route->op && e->route->op->out == &nothing_type ? 204 : 200;
}
