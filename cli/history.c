/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * history.c - a line of JSON an operation, and what an answer to an order says of its takes. */
#include "history.h"
#include "clock.h"

void history_line(FILE *f, const struct stock_op *o)
{
        static const char *const words[] = { "null", "false", "true" };
        if (!f) return;
        fprintf(f, "{\"client\":%d,\"op\":\"%s\",\"product\":\"%s\",\"quantity\":%lld,\"ok\":%s,\"start_ns\":%lld,\"end_ns\":%lld}\n", o->client, o->op, o->product,
                (long long)o->quantity, words[o->ok + 1], (long long)o->start_us * 1000, (long long)o->end_us * 1000);
}

enum order_outcome order_outcome(struct ctx *c, int r, const struct answer *a)
{
        if (r < 0) return ORDER_UNKNOWN;
        str slug = a->status >= 400 ? text_at(c, a->body, "slug") : (str){ 0 };
        if (a->status == 201) return ORDER_TOOK;
        if (str_eq(slug, STR("out_of_stock"))) return ORDER_LACKED;
        if (str_eq(slug, STR("payment_declined")) || str_eq(slug, STR("payment_timed_out"))) return ORDER_PUT_BACK;
        return a->status == 400 || a->status == 401 || a->status == 403 || a->status == 404 || a->status == 422 ? ORDER_DID_NOTHING : ORDER_UNKNOWN;
}

static bool is_short(struct ctx *c, str problem, int line)
{
        str one, pointer = arena_printf(c->arena, "/items/%d/quantity", line);
        struct json_walk w = json_open(member_at(problem, "errors").p ? member_at(problem, "errors") : STR("[]"));
        while (json_next_element(&w, &one))
                if (str_eq(text_at(c, one, "pointer"), pointer)) return true;
        return false;
}

void history_order(FILE *f, struct ctx *c, const struct order_asked *o, enum order_outcome said, const struct answer *a)
{
        if (!f || said == ORDER_DID_NOTHING) return;
        for (int i = 0; i < o->n; i++) {
                struct stock_op op = { o->client, "take", o->lines[i].product, o->lines[i].quantity, OUTCOME_YES, o->start_us, clock_us() };
                if (said == ORDER_LACKED && !is_short(c, a->body, i)) continue;
                if (said == ORDER_LACKED) op.ok = OUTCOME_NO;
                if (said == ORDER_UNKNOWN) op.ok = OUTCOME_UNKNOWN;
                history_line(f, &op);
                if ((said != ORDER_PUT_BACK && said != ORDER_UNKNOWN) || o->comes_back_later) continue;
                op.op = "put";
                op.ok = OUTCOME_UNKNOWN;
                history_line(f, &op);
        }
}
