/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * outbox.c - packs a transaction's events, and reads packed lines again: both ends of the format in one file.
 *
 * A line is JSON that this file wrote, members in a fixed order, so it is read by its known parts and not by a general parser:
 *     {"topic":"order.confirmed","key":"...","at":"2026-...Z","trace":"00-...-...-01","data":{...}}\n      trace only when there is one
 * A transaction's lines go to one row; past ROW_BYTES the next line begins another, so that no reader meets a huge one. */
#include <stdlib.h>
#include "bus_inside.h"
#include "bound.h"
#include "clock.h"
#include "json.h"
#include "outbox_inside.h"
#include "pg_internal.h"
#include "text.h"

enum { PACK_BYTES = 16 << 20, ROW_BYTES = 256 << 10, ROWS_MAX = PACK_BYTES / ROW_BYTES + 1 };

struct outbox_row { int64_t id; bytes payload; };
MESSAGE(outbox_row, "a transaction's events, packed",
        F(outbox_row, 1, id),
        F(outbox_row, 2, payload, .max = PACK_BYTES));

struct outbox_pack {
        struct buf b;                           /* all lines                                              */
        size_t     ends[ROWS_MAX], rows;        /* where full rows end in b                               */
        struct outbox_row row[ROWS_MAX];        /* parameters must live until the commit is sent          */
};

QUERY(outbox_insert, &outbox_row_type, NULL, ROWS_NONE,
      "insert into souk_outbox (id, payload) values ($1, $2)",
      "id", "payload", NULL);
const struct query *const outbox_queries[] = { &outbox_insert, NULL };

/* ---- writing -------------------------------------------------------------------------------------------------- */
static void key_write(struct buf *b, const struct event *e, const void *msg)
{
        const struct field *f = type_field(e->of, str_of(e->key_field));

        assert(f && (f->kind == K_UID || f->kind == K_STR || f->kind == K_I64 || f->kind == K_I32) && "an event's key is one plain field");
        if (f->kind == K_UID || f->kind == K_STR) {
                json_write_field(b, f, msg);
                return;
        }
        buf_char(b, '"');
        json_write_field(b, f, msg);
        buf_char(b, '"');
}

static void trace_write(struct buf *b, const struct trace *t)
{
        buf_lit(b, ",\"trace\":\"00-");
        hex_write(b, (str){ (const char *)t->trace_id, sizeof t->trace_id });
        buf_char(b, '-');
        hex_write(b, (str){ (const char *)t->span_id, sizeof t->span_id });
        buf_lit(b, t->sampled ? "-01\"" : "-00\"");
}

static void line_write(struct buf *b, const struct ctx *c, const struct event *e, const void *msg)
{
        static const struct trace none;
        char at[32];

        buf_lit(b, "{\"topic\":\"");
        buf_lit(b, e->topic);
        buf_lit(b, "\",\"key\":");
        key_write(b, e, msg);
        buf_lit(b, ",\"at\":\"");
        buf_add(b, (str){ at, when_format(clock_now(), at) });
        buf_char(b, '"');
        if (memcmp(c->trace.trace_id, none.trace_id, sizeof none.trace_id))
                trace_write(b, &c->trace);
        buf_lit(b, ",\"data\":");
        json_write(b, e->of, msg);
        buf_lit(b, "}\n");
}

int outbox_write(struct db *tx)
{
        struct outbox_pack *p = *db_outbox(tx);
        size_t from = 0;

        if (!p->rows || p->ends[p->rows - 1] < p->b.n)
                p->ends[p->rows++] = p->b.n;
        for (size_t i = 0; i < p->rows; from = p->ends[i++]) {
                str part = str_cut(buf_str(&p->b), from, p->ends[i]);
                p->row[i] = (struct outbox_row){ (int64_t)i, { (const uint8_t *)part.p, part.n } };
                TRY(db_later(tx, &outbox_insert, &p->row[i]));
        }
        return 0;
}

void outbox_end(struct db *tx, bool committed)
{
        struct outbox_pack *p = take(db_outbox(tx));

        buf_done(&p->b);
        free(p);
        if (committed)
                bus_wake(db_ctx(tx)->pg->name);
}

static struct outbox_pack *pack_of(struct db *tx)
{
        struct outbox_pack **p = db_outbox(tx);

        if (!*p && (*p = alloc_should_fail() ? NULL : calloc(1, sizeof **p)))
                buf_init(&(*p)->b, PACK_BYTES);
        return *p;
}

int emit(struct db *tx, const struct event *e, const void *msg)
{
        struct ctx *c = db_ctx(tx);

        TRY(db_fail(tx, 0));
        struct outbox_pack *p = pack_of(tx);
        if (!p)
                return db_fail(tx, fail(c, RESOURCE_EXHAUSTED, "out_of_memory", "no memory for events"));
        line_write(&p->b, c, e, msg);
        if (buf_error(&p->b) < 0) {
                bound_reached(BOUND_OUTBOX_EVENTS);
                return db_fail(tx, fail(c, RESOURCE_EXHAUSTED, "too_much", "over %d MiB of events in one transaction", PACK_BYTES >> 20));
        }
        if (p->b.n - (p->rows ? p->ends[p->rows - 1] : 0) >= ROW_BYTES)
                p->ends[p->rows++] = p->b.n;
        return 0;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */
/* Eats `lit` from the front of *rest. */
static bool eat(str *rest, const char *lit)
{
        size_t n = strlen(lit);

        if (rest->n < n || memcmp(rest->p, lit, n))
                return false;
        *rest = str_cut(*rest, n, rest->n);
        return true;
}

/* Eats up to the quote that ends a string, and the quote. */
static bool eat_string(str *rest, str *out, bool *has_escape)
{
        for (size_t i = 0; i < rest->n; i++) {
                if (rest->p[i] == '\\') {
                        *has_escape = true;
                        i++;
                } else if (rest->p[i] == '"') {
                        *out = str_cut(*rest, 0, i);
                        *rest = str_cut(*rest, i + 1, rest->n);
                        return true;
                }
        }
        return false;
}

static bool trace_read(str text, struct trace *out)
{
        if (text.n != 55 || hex_read(str_cut(text, 3, 35), out->trace_id, 16) < 0 || hex_read(str_cut(text, 36, 52), out->span_id, 8) < 0)
                return false;
        out->sampled = text.p[54] == '1';
        return true;
}

bool line_topic(str line, str *topic)
{
        bool escaped = false;

        return eat(&line, "{\"topic\":\"") && eat_string(&line, topic, &escaped) && !escaped;
}

/* The parts before the data; *rest is then what follows. */
static bool envelope_read(str *rest, struct line *l, bool *key_is_escaped)
{
        bool escaped = false;
        str at, trace;

        return eat(rest, "{\"topic\":\"") && eat_string(rest, &l->topic, &escaped)
            && eat(rest, ",\"key\":\"") && eat_string(rest, &l->key, key_is_escaped)
            && eat(rest, ",\"at\":\"") && eat_string(rest, &at, &escaped) && when_parse(at, &l->at) == 0
            && (!eat(rest, ",\"trace\":\"") || (eat_string(rest, &trace, &escaped) && trace_read(trace, &l->trace)))
            && eat(rest, ",\"data\":") && rest->n > 2 && rest->p[rest->n - 1] == '}' && !escaped;
}

int line_read(struct ctx *c, str text, struct line *out)
{
        struct line l = { 0 };
        bool key_is_escaped = false;
        str rest = text;

        if (!envelope_read(&rest, &l, &key_is_escaped))
                return fail(c, DATA_LOSS, "broken_event", "not a line of an outbox near byte %zu", text.n - rest.n);
        if (key_is_escaped)
                TRY(json_text(c, (str){ l.key.p - 1, l.key.n + 2 }, &l.key));
        l.data = str_cut(rest, 0, rest.n - 1);
        *out = l;
        return 0;
}
