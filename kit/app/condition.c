/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * condition.c - entity tags and preconditions (RFC 9110, sections 8.8.3 and 13), and whether the answer's body is wanted at all (RFC 7240).
 *
 *     "<version>-<hash>"      of a resource that counts its changes (the route's .version)      "<hash>"     of any other
 *
 * The hash is of the body as it goes out, so a tag is strong, and another choice of `fields` has another tag. If-None-Match compares whole
 * tags and saves the transfer. If-Match on a change compares the version alone, in the very statement that writes: what the hash
 * adds would have to be read and written out first, and between that and the statement somebody else may come. */
#include "engine.h"
#include "digits.h"
#include "json.h"

enum { HASH_DIGITS = 16 };

void condition_key(struct app *a)
{
        struct digest d = hmac_sha256((str){ (const char *)a->secret, sizeof a->secret }, STR("entity tags"));
        memcpy(a->tag_key, d.b, sizeof a->tag_key);
}

/* ---- tags in header fields -------------------------------------------------------------------------------------------- */

struct tag { bool any, weak; str text; };       /* any: "*"; text: between the quotes */

/* The next of `*` or a list of entity tags. returns 1, 0 at the end, -INVALID_ARGUMENT */
static int tag_next(str *rest, struct tag *out)
{
        str s = *rest;
        while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == ',')) s = str_cut(s, 1, s.n);
        if (!s.n) return 0;
        *out = (struct tag){ .any = str_eq(str_trim(*rest, " \t"), STR("*")), .weak = str_starts(s, STR("W/")) };
        if (out->any) {
                *rest = str_cut(s, s.n, s.n);
                return 1;
        }
        if (out->weak) s = str_cut(s, 2, s.n);
        if (!s.n || s.p[0] != '"') return -INVALID_ARGUMENT;
        s = str_cut(s, 1, s.n);
        ptrdiff_t end = str_find(s, '"');
        if (end < 0) return -INVALID_ARGUMENT;
        out->text = str_cut(s, 0, (size_t)end);
        for (size_t i = 0; i < out->text.n; i++)
                if ((uint8_t)out->text.p[i] <= ' ' || out->text.p[i] == 0x7f) return -INVALID_ARGUMENT;
        s = str_trim(str_cut(s, (size_t)end + 1, s.n), " \t");
        if (s.n && s.p[0] != ',') return -INVALID_ARGUMENT;
        *rest = s;
        return 1;
}

/* The version that a tag of ours names; -1: it is none of ours, or weak, and so matches nothing (section 13.1.1 compares strongly). */
static int64_t version_in(const struct tag *t)
{
        ptrdiff_t dash = str_find(t->text, '-');
        int64_t v;
        if (t->weak || dash <= 0 || t->text.p[0] < '1' || t->text.p[0] > '9') return -1;
        if (int_parse(str_cut(t->text, 0, (size_t)dash), &v) < 0) return -1;
        return (size_t)dash + 1 + HASH_DIGITS <= t->text.n ? v : -1;
}

/* A coding's suffix ("-gzip") does not make it another state of the resource. */
static bool is_same(str theirs, str ours)
{
        return str_starts(theirs, ours) && (theirs.n == ours.n || theirs.p[ours.n] == '-');
}

/* Does a field's list name the tag? *ret_as is how the client has it. What is malformed names nothing. */
static bool is_named(const struct request *q, const char *field, bool strongly, str ours, str *ret_as)
{
        const struct headers *h = &q->x->head.headers;
        str want = str_of(field);
        struct tag t;
        for (size_t i = 0; i < h->n; i++) {
                if (!str_eq(h->v[i].name, want)) continue;
                for (str rest = h->v[i].value; tag_next(&rest, &t) > 0;) {
                        if (!t.any && ((t.weak && strongly) || !is_same(t.text, ours))) continue;
                        *ret_as = t.any ? ours : t.text;
                        return true;
                }
        }
        return false;
}

/* ---- before: what a change is told to depend on ------------------------------------------------------------------------ */

static int malformed(struct request *q)
{
        return header_refused(q->c, 400, "precondition_invalid", "If-Match", "must be an ETag of an answer, with its quotes, or *");
}

/* Several tags are one precondition when they name one version (as representations of one state do); a statement compares one. */
static int read_if_match(struct request *q)
{
        const struct headers *h = &q->x->head.headers;
        bool some = false;
        struct tag t;
        int more = 0;
        for (size_t i = 0; i < h->n; i++) {
                if (!str_eq(h->v[i].name, STR("if-match"))) continue;
                for (str rest = h->v[i].value; (more = tag_next(&rest, &t)) > 0; some = true) {
                        int64_t v = t.any ? 0 : version_in(&t);
                        if (some && v != q->if_match)
                                return header_refused(q->c, 400, "precondition_invalid", "If-Match", "must name one version of the resource, not several");
                        q->if_match = v;
                }
                if (more < 0) return malformed(q);
        }
        return some ? 0 : malformed(q);
}

static int unsupported(struct request *q, const char *field, const char *why)
{
        return header_refused(q->c, 400, "precondition_unsupported", field, why);
}

int condition_before(struct request *q)
{
        const struct route *r = q->endpoint->route;
        const struct headers *h = &q->x->head.headers;
        if (r->method == GET) return 0;
        bool asked = header_get(h, "if-match").p != NULL;
        if (header_get(h, "if-none-match").p) return unsupported(q, "If-None-Match", "is for GET and HEAD; a change says If-Match");
        if (!asked && r->if_match == NEEDS_IF_MATCH)
                return header_refused(q->c, 428, "precondition_required", "If-Match", "is required: the ETag of what you have read and want to change");
        if (!asked) return 0;
        if (r->if_match == NO_IF_MATCH) return unsupported(q, "If-Match", "must be absent: this change does not compare versions");
        return read_if_match(q);
}

/* ---- after: the tag of the answer, and whether the answer is wanted -------------------------------------------------------- */

/* The version of what is answered; a kept first answer is only its text. 0: there is none. */
static int64_t version_of(const struct request *q)
{
        const struct route *r = q->endpoint->route;
        int64_t v = 0;
        if (!r->version) return 0;
        if (q->out) {
                const struct field *f = type_field(r->op->out, str_of(r->version));
                const void *at = field_at(f, q->out);
                return f->kind == K_I32 ? *(const int32_t *)at : *(const int64_t *)at;
        }
        return json_int(json_member(buf_str(q->x->body), r->version), &v) == 0 ? v : 0;
}

static str tag_write(const struct request *q, char out[TAG_BYTES])
{
        static const char hex[] = "0123456789abcdef";
        struct kept *k = q->kept;
        if (k && k->tag_n) return (str){ memcpy(out, k->tag, TAG_BYTES), k->tag_n };
        int64_t version = version_of(q);
        uint64_t hash = siphash13(q->w->app->tag_key, buf_str(q->x->body));
        char *p = out;
        if (version) {
                p += put_i64(p, version);
                *p++ = '-';
        }
        for (int shift = 60; shift >= 0; shift -= 4) *p++ = hex[hash >> shift & 15];
        if (k) memcpy(k->tag, out, k->tag_n = (size_t)(p - out));
        return (str){ out, (size_t)(p - out) };
}

static void say_tag(struct request *q, str tag)
{
        char quoted[TAG_BYTES + 2] = "\"";
        memcpy(quoted + 1, tag.p, tag.n);
        quoted[tag.n + 1] = '"';
        res_header(q->c, q->x, "etag", (str){ quoted, tag.n + 2 });
}

static void header_drop(struct exchange *x, const char *name)
{
        size_t n = 0;
        for (size_t i = 0; i < x->out.n; i++)
                if (!str_eq(x->out.v[i].name, str_of(name))) x->out.v[n++] = x->out.v[i];
        x->out.n = n;
}

static void answer_read(struct request *q)
{
        char text[TAG_BYTES];
        str tag = tag_write(q, text), as = tag;
        if (header_get(&q->x->head.headers, "if-match").p && !is_named(q, "if-match", true, tag, &as)) {
                q->code = stale(q->c);
                problem_write(q, q->code);
                return;
        }
        bool known = is_named(q, "if-none-match", false, tag, &as);
        say_tag(q, known && as.n < TAG_BYTES ? as : tag);
        if (!known) return;
        q->x->status = 304;
        header_drop(q->x, "content-type");
        buf_clear(q->x->body);
}

/* It is the resource when it has a version, or when a GET of where it is said to be answers with such a message: a secret that is told once, or what lay
 * there right then, make it a document of its own. */
static bool is_resource(const struct endpoint *e, const struct endpoint *all, size_t n)
{
        const struct route *r = e->route;

        if (!r->op || r->version) return r->op != NULL;
        if (answer_status(e) != 201 || !r->location) return false;
        for (size_t i = 0; i < n; i++) {
                const struct route *get = all[i].route;
                if (get->method == GET && get->op && get->op->out == r->op->out && !strcmp(get->path, r->location)) return true;
        }
        return false;
}

void resources_find(struct endpoint *all, size_t n)
{
        for (size_t i = 0; i < n; i++) all[i].shows = is_resource(&all[i], all, n);
}

bool shows_resource(const struct endpoint *e)
{
        return e->shows;
}

static bool wants_minimal(const struct request *q)
{
        const struct headers *h = &q->x->head.headers;
        for (size_t i = 0; i < h->n; i++) {
                if (!str_eq(h->v[i].name, STR("prefer"))) continue;
                for (str rest = h->v[i].value, part; rest.p && (part = str_split(&rest, ','), true);) {
                        str name = str_trim(str_split(&part, ';'), " \t"), value = name;
                        name = str_trim(str_split(&value, '='), " \t");
                        if (!str_eq_nocase(name, STR("return")) || !value.p) continue;
                        return str_eq(str_trim(value, " \t\""), STR("minimal"));        /* the first counts (section 2) */
                }
        }
        return false;
}

static void answer_change(struct request *q)
{
        const struct route *r = q->endpoint->route;
        str location = header_get(&q->x->out, "location");
        char text[TAG_BYTES];
        bool shows = shows_resource(q->endpoint);
        if (shows) say_tag(q, tag_write(q, text));
        if ((shows || r->method == PUT || r->method == PATCH) && !r->raw && wants_minimal(q)) {
                q->x->status = q->x->status == 201 ? 201 : 204;
                header_drop(q->x, "content-type");
                buf_clear(q->x->body);
                res_header(q->c, q->x, "preference-applied", STR("return=minimal"));
        } else if (shows && (location.p || r->method == PUT || r->method == PATCH)) {
                res_header(q->c, q->x, "content-location", location.p ? location : q->x->head.path);
        }
}

void condition_after(struct request *q)
{
        const struct route *r = q->endpoint->route;
        int status = q->x->status;
        if (q->code < 0 || !q->x->body->n || (status != 200 && status != 201)) return;
        if (r->method != GET) answer_change(q);
        else if (status == 200 && (r->op || r->cache_control)) answer_read(q);
}
