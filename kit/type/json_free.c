/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * json_free.c - writing JSON that no table describes: problems, health, OpenAPI.
 *
 * `comma` says that a value came before in this container, `keyed` that a key did, so no caller thinks of commas, line
 * breaks or indents. Containers must be closed as they were opened; depth is asserted. */
#include "json.h"

static void break_line(struct jw *w)
{
        if (!w->pretty) return;
        buf_char(w->b, '\n');
        for (int i = 0; i < w->depth; i++) buf_add(w->b, STR("  "));
}

/* What stands before a key, an element or the value of a key. */
static void before(struct jw *w)
{
        if (!w->keyed) {
                if (w->comma) buf_char(w->b, ',');
                if (w->depth) break_line(w);
        }
        w->keyed = false;
        w->comma = true;
}

static void opening(struct jw *w, char ch)
{
        before(w);
        buf_char(w->b, ch);
        w->comma = false;
        w->depth++;
}

static void closing(struct jw *w, char ch)
{
        assert(w->depth > 0 && !w->keyed);
        w->depth--;
        if (w->comma) break_line(w);
        buf_char(w->b, ch);
        w->comma = true;
}

void jw_object(struct jw *w)      { opening(w, '{'); }
void jw_object_end(struct jw *w)  { closing(w, '}'); }
void jw_array(struct jw *w)       { opening(w, '['); }
void jw_array_end(struct jw *w)   { closing(w, ']'); }

void jw_key_str(struct jw *w, str name)
{
        assert(w->depth > 0 && !w->keyed);
        before(w);
        json_write_str(w->b, name);
        buf_add(w->b, w->pretty ? STR(": ") : STR(":"));
        w->keyed = true;
}

void jw_key(struct jw *w, const char *name)  { jw_key_str(w, str_of(name)); }
void jw_str(struct jw *w, str s)             { before(w); json_write_str(w->b, s); }
void jw_z(struct jw *w, const char *z)       { jw_str(w, str_of(z)); }
void jw_int(struct jw *w, int64_t v)         { before(w); buf_int(w->b, v); }
void jw_num(struct jw *w, double v)          { before(w); json_write_num(w->b, v); }
void jw_bool(struct jw *w, bool v)           { before(w); buf_lit(w->b, v ? "true" : "false"); }
void jw_null(struct jw *w)                   { before(w); buf_lit(w->b, "null"); }
void jw_raw(struct jw *w, str json)          { before(w); buf_add(w->b, json); }
