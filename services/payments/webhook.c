/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * webhook.c - what the payment provider tells of its own accord.
 *
 *     Souk-Signature: t=1764000000,v1=HEX         HEX = HMAC-SHA-256(secret, "1764000000." + body); several v1 and several secrets may stand side by side
 *
 * A genuine event is written down once, by its id, and only then acted on; a repeat is answered like the first and does nothing. Events come in any
 * order: of what an attempt is at the provider the furthest state wins, whenever it was said. One of an attempt that we do not know is kept too: money
 * may lie at the provider that nobody here wrote down, and after a minute orders is asked whether it may stand. */
#include "hash.h"
#include "money.h"
#include "payments_sql.h"
#include "server.h"

static const char *const webhook_kind_names[] = { "none", "payment.authorised", "payment.declined", "payment.voided", "payment.captured", "payment.refunded",
                                                  "settlement.succeeded", "settlement.failed", NULL };
enum { TOLERANCE_S = 300, SECRETS_MAX = 8, SECRET_MIN = 16, SIGNATURES_MAX = 8, BODY_MAX = 64 * 1024, WRITTEN_WITHIN_S = 60 };

struct webhook_event   { str id; int32_t kind; uid order_id; int32_t attempt; uid settlement; int64_t fingerprint; when said_at, received_at; bool applied; };
DECLARE_LIST(webhook_event);

MESSAGE(webhook, "an event of the provider",
        F(webhook, 1, id, .min = 1, .max = 100, .doc = "The provider's own; the same event is told under the same id.", .example = "\"evt_1\""),
        F(webhook, 2, type, .names = webhook_kind_names, .example = "\"payment.authorised\""),
        F(webhook, 3, order_id),
        F(webhook, 4, attempt, .min = 1, .max = INT32_MAX),
        F(webhook, 5, settlement_id, .optional = true, .doc = "Of which capture or refund settlement.succeeded and settlement.failed speak."),
        F(webhook, 6, created_at, .doc = "By the provider's clock."));
MESSAGE(webhook_event, "a row of webhook_event",
        F(webhook_event, 1, id),
        F(webhook_event, 2, kind),
        F(webhook_event, 3, order_id),
        F(webhook_event, 4, attempt),
        F(webhook_event, 5, settlement, .optional = true),
        F(webhook_event, 6, fingerprint),
        F(webhook_event, 7, said_at),
        F(webhook_event, 8, received_at),
        F(webhook_event, 9, applied));
MESSAGE(webhook_receipt, "an event was heard",
        F(webhook_receipt, 1, id),
        F(webhook_receipt, 2, repeated, .doc = "It was heard before, and did nothing now."));

/* ---- the signature ------------------------------------------------------------------------------------------------------------ */

struct signature { int64_t at; str given[SIGNATURES_MAX]; size_t n; };

static int signature_missing(struct ctx *c)
{
        int r;

        flaw_add(c, STR("Souk-Signature"), "signature_missing", "must be one field of the form t=SECONDS,v1=HEX");
        r = flaws_fail(c);
        c->fault.slug = "signature_missing";
        return r;
}

/* Schemes other than v1 are passed over: a later one may stand beside it. */
static int signature_read(struct ctx *c, const struct headers *h, struct signature *out)
{
        str value = header_get(h, "souk-signature"), part;
        bool timed = false;

        *out = (struct signature){ 0 };
        if (!value.p || header_count(h, "souk-signature") > 1) return signature_missing(c);
        for (str rest = value; rest.p && (part = str_split(&rest, ','), true);) {
                part = str_trim(part, " ");
                if (str_starts(part, STR("t="))) {
                        if (timed || int_parse(str_cut(part, 2, part.n), &out->at) < 0) return signature_missing(c);
                        timed = true;
                } else if (str_starts(part, STR("v1=")) && out->n < SIGNATURES_MAX) {
                        out->given[out->n++] = str_cut(part, 3, part.n);
                }
        }
        return timed && out->n ? 0 : signature_missing(c);
}

static bool hex_is(str hex, const struct digest *d)
{
        uint8_t given[sizeof d->b];

        if (hex.n != 2 * sizeof given) return false;
        for (size_t i = 0; i < hex.n; i++) {
                char ch = hex.p[i];
                int v = ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
                if (v < 0) return false;
                given[i / 2] = (uint8_t)(i % 2 ? given[i / 2] | v : v << 4);
        }
        return digest_eq(given, d->b, sizeof given);
}

/* Genuine first, then fresh: a stranger learns nothing of our clock. */
static int signature_check(struct ctx *c, const struct signature *s, str body)
{
        str signed_text = arena_printf(c->arena, "%lld." STR_FMT, (long long)s->at, STR_ARG(body)), secret;
        int64_t now = clock_now().us / 1000000;
        bool genuine = false;
        int n = 0;

        if (!signed_text.p) return fail(c, RESOURCE_EXHAUSTED, "too_large", "the webhook is too large");
        for (str rest = config_str(config(c), "payments.webhook-secrets"); rest.p && n < SECRETS_MAX && (secret = str_split(&rest, ','), true); n++) {
                secret = str_trim(secret, " \t\r\n");
                if (secret.n < SECRET_MIN) continue;
                struct digest d = hmac_sha256(secret, signed_text);
                for (size_t i = 0; i < s->n; i++) genuine |= hex_is(s->given[i], &d);
        }
        if (!genuine) return fail(c, PERMISSION_DENIED, "wrong_signature", "this is signed with none of the secrets");
        if (s->at > now + TOLERANCE_S || s->at < now - TOLERANCE_S)
                return fail(c, PERMISSION_DENIED, "webhook_too_old", "signed more than %d s ago, or for the future", TOLERANCE_S);
        return 0;
}

/* ---- what an event does --------------------------------------------------------------------------------------------------------- */

static int settlement_told(struct ctx *c, const struct webhook_event *e)
{
        struct settlement s = { 0 };
        int r = settlement_by_id(db(c), &(struct settlement_ref){ e->settlement, e->order_id }, &s);

        TRY(r);
        if (r == 0 || s.state != PENDING) return 0;
        s.state = e->kind == SAYS_SETTLED ? SUCCEEDED : FAILED;
        return settle_as_told(c, &(struct settlement_list){ &s, 1 });
}

/* Each of these does nothing when it was done before.
 *   returns  0 done, -NOT_FOUND the attempt may be on its way here: again later */
static int event_apply(struct ctx *c, const struct webhook_event *e)
{
        switch (e->kind) {
        case SAYS_AUTHORISED: return payment_answered(c, e->order_id, e->attempt, e->received_at);
        case SAYS_DECLINED:   return attempt_declined(c, e->order_id, e->attempt);
        case SAYS_SETTLED:
        case SAYS_REFUSED:    return settlement_told(c, e);
        default:              return 0;                 /* only the state counts */
        }
}

static int event_apply_now(struct ctx *c, const struct webhook_event *e)
{
        int r = event_apply(c, e);

        if (r == -NOT_FOUND) {
                fault_clear(c);
                return 0;
        }
        TRY(r);
        return webhook_applied(db(c), e);
}

int webhooks_apply(struct ctx *c)
{
        struct webhook_event_list waiting;

        TRY(webhooks_waiting(db(c), &(struct nothing){ 0 }, &waiting));
        for (size_t i = 0; i < waiting.n; i++)
                TRY(event_apply_now(c, &waiting.v[i]));
        return 0;
}

/* ---- the way in ------------------------------------------------------------------------------------------------------------------ */

static int event_keep(struct ctx *c, const struct webhook_event *e, bool *is_new)
{
        struct webhook_event kept;
        int r;

        TX(tx, c);
        TRY(r = webhook_insert(tx, e, &kept));
        *is_new = r > 0;
        if (!*is_new) return 0;
        if (e->kind <= SAYS_REFUNDED) TRY(provider_state_raise_later(tx, e));
        return tx_commit(tx);
}

static int hear(struct ctx *c, const struct webhook *in, str body, struct webhook_receipt *out)
{
        struct digest d = sha256(body);
        struct webhook_event e = { .id = in->id, .kind = in->type, .order_id = in->order_id, .attempt = in->attempt, .settlement = in->settlement_id,
                                   .said_at = in->created_at, .received_at = clock_now() }, before;
        bool is_new = false;

        if (e.kind == SAYS_NOTHING) flaw_add(c, STR("/type"), "not_a_word", "must be an event that says something");
        if (e.kind >= SAYS_SETTLED && uid_is_zero(e.settlement)) flaw_add(c, STR("/settlement_id"), "required", "is required for an event of a settlement");
        TRY(flaws_fail(c));
        memcpy(&e.fingerprint, d.b, sizeof e.fingerprint);
        *out = (struct webhook_receipt){ in->id, false };
        TRY(event_keep(c, &e, &is_new));
        if (!is_new) {
                TRY(webhook_by_id(db(c), &e, &before));
                if (before.fingerprint != e.fingerprint) return fail(c, ALREADY_EXISTS, "event_differs", "an event of this id said something else before");
                out->repeated = true;
                return 0;
        }
        if (event_apply_now(c, &e) < 0) fault_clear(c); /* it is kept; reconcile.c takes it up */
        return 0;
}

/* HTTP itself is needed because the signature is over the body's bytes. */
void webhook_receive(struct ctx *c, struct exchange *x)
{
        struct webhook_receipt out;
        struct signature s;
        struct webhook in;
        str body;

        if (signature_read(c, &x->head.headers, &s) < 0 || raw_body(c, x, &body) < 0 || signature_check(c, &s, body) < 0 ||
            json_read(c, &webhook_type, body, &in, JSON_LENIENT) < 0 || hear(c, &in, body, &out) < 0)
                return;                                         /* the edge tells the fault */
        res_header(c, x, "content-type", STR("application/json"));
        json_write(x->body, &webhook_receipt_type, &out);
}

/* What the documents say of the route; a caller inside the program needs no signature. */
static int webhook(struct ctx *c, const struct webhook *in, struct webhook_receipt *out)
{
        struct buf body AUTO(buf_done) = BUF_INIT(BODY_MAX);

        json_write(&body, &webhook_type, in);
        return hear(c, in, buf_str(&body), out);
}

OP(webhook, webhook, webhook_receipt);
