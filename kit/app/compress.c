/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * compress.c - whole answers in the coding that the client likes best.
 *
 * Left as they are: streams, answers under 1 KiB (unless the client refuses them so), what is no text, and what does not get smaller.
 * Up to 16 KiB it happens here, in a tenth of a millisecond; larger bodies go to the thread pool, and stay as they are when that is
 * full. A coded answer is another representation: its entity tag ends in -gzip or -br, and condition.c takes either for the state it
 * names. Vary tells caches: on every coded answer, and on all that a cache may keep. HEAD does the same work and sends the fields. */
#include "engine.h"
#include "coding.h"
#include "pool.h"

enum { LEAST = 1024, HERE_MOST = 16384 };

static bool is_text(str type)
{
        static const char *const ends[] = { "/json", "+json", "/xml", "+xml", "/javascript" };
        str media = str_trim(str_split(&type, ';'), " \t");
        if (str_starts(media, STR("text/"))) return true;
        for (size_t i = 0; i < COUNT(ends); i++)
                if (str_ends(media, str_of(ends[i]))) return true;
        return false;
}

/* Asked before anything happens: an effect whose answer could not be sent would be worse than a refusal. */
int compress_before(struct request *q)
{
        const struct headers *h = &q->x->head.headers;
        if (!q->w->app->compress || !header_get(h, "accept-encoding").p) return 0;
        struct codings w = codings_wanted(h);
        return coding_best(&w) < CODINGS ? 0 : header_refused(q->c, 406, "not_acceptable", "Accept-Encoding", "must take br, gzip or identity");
}

struct coding_job { enum coding how; str body; struct buf out; };

static int encode_on_pool(void *arg)
{
        struct coding_job *j = arg;
        return coding_encode(j->how, j->body, &j->out);
}

static int encode_now(struct request *q, struct coding_job *j)
{
        if (j->body.n <= HERE_MOST) return coding_encode(j->how, j->body, &j->out);
        struct ctx own = *q->c;         /* a full pool is nothing to tell the client */
        return pool_run(&own, encode_on_pool, j);
}

/* returns 0 with the coded body in j->out, or <0: leave it */
static int encode(struct request *q, struct coding_job *j)
{
        if (q->kept && q->kept->coded[j->how].n) {
                buf_add(&j->out, buf_str(&q->kept->coded[j->how]));
                return buf_error(&j->out);
        }
        TRY(encode_now(q, j));
        if (q->kept) kept_code(q->kept, j->how, buf_str(&j->out));
        return 0;
}

static void tag_coding(struct request *q, const char *coding)
{
        struct headers *h = &q->x->out;
        for (size_t i = 0; i < h->n; i++) {
                str tag = h->v[i].value;
                if (!str_eq(h->v[i].name, STR("etag")) || tag.n < 2) continue;
                str other = arena_printf(q->c->arena, STR_FMT "-%s\"", STR_ARG(str_cut(tag, 0, tag.n - 1)), coding);
                if (other.p) h->v[i].value = other;
                else h->v[i] = h->v[--h->n];    /* better none than one that lies */
                return;
        }
}

static bool is_coded(struct request *q)
{
        struct exchange *x = q->x;
        const struct headers *h = &x->head.headers;
        if (!x->body->n || !header_get(h, "accept-encoding").p || header_get(&x->out, "content-encoding").p) return false;
        if (!is_text(header_get(&x->out, "content-type"))) return false;
        struct codings w = codings_wanted(h);
        bool must = w.q[CODING_IDENTITY] == 0;
        struct coding_job j = { .how = coding_best(&w), .body = buf_str(x->body), .out = BUF_INIT(x->body->max) };
        bool coded = j.how < CODING_IDENTITY && (must || j.body.n >= LEAST) && encode(q, &j) == 0 && (must || j.out.n < j.body.n);
        if (coded) {
                struct buf plain = *x->body;
                *x->body = j.out;
                j.out = plain;
                res_header(q->c, x, "content-encoding", str_of(coding_names[j.how]));
                tag_coding(q, coding_names[j.how]);
                stats_coded(coding_names[j.how]);
        }
        buf_done(&j.out);
        return coded;
}

void compress_after(struct request *q)
{
        const struct route *r = q->endpoint ? q->endpoint->route : NULL;
        if (!q->w->app->compress || !r) return;
        bool kept = r->cache_control && q->code == 0 && r->method == GET && (q->x->status == 200 || q->x->status == 304);
        if (is_coded(q) || kept) vary_on(q, "accept-encoding");
}
