/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: The Souk authors
 *
 * errors.c - every slug of a refusal in one list: kit's own, then each service's. */
#include "engine.h"

const struct slug kit_slugs[] = {
        { "invalid", 400, "The input does not hold to the rules; `errors` names each violation." },
        { "out_of_range", 400, "A value lies outside what is there." },
        { "idempotency_key_missing", 400, "The route needs an Idempotency-Key." },
        { "idempotency_key_invalid", 400, "The Idempotency-Key is not one text of 1 to 255 visible ASCII characters." },
        { "precondition_invalid", 400, "If-Match is not an ETag of one version, nor *." },
        { "precondition_unsupported", 400, "The route does not know this precondition, and will not pretend to." },
        { "malformed", 400, "The request is not well-formed HTTP; the connection closes." },
        { "missing_token", 401, "The route needs a bearer token." },
        { "invalid_token", 401, "The token is not valid: malformed, expired, for another audience, or signed by nobody known." },
        { "forbidden", 403, "The caller's role may not do this." },
        { "insufficient_scope", 403, "The token lacks a scope; WWW-Authenticate names it." },
        { "no_such_path", 404, "Nothing is at this path." },
        { "not_found", 404, "There is no such thing, or it is somebody else's." },
        { "no_such_consumer", 404, "No consumer of that name runs here." },
        { "nothing_parked", 404, "Nothing of that key is parked for the consumer." },
        { "method_not_allowed", 405, "The path knows other methods; Allow lists them." },
        { "not_acceptable", 406, "Accept does not take application/json." },
        { "too_slow", 408, "The head or the body of the request came too slowly." },
        { "already_exists", 409, "There is one already." },
        { "failed_precondition", 409, "The state of things does not allow it." },
        { "conflict", 409, "Another change came first; try again." },
        { "idempotency_in_flight", 409, "A request with this Idempotency-Key is at work; ask again soon." },
        { "length_required", 411, "The body's length is not said." },
        { "stale", 412, "If-Match names an older state; read the resource again." },
        { "body_too_large", 413, "The body is larger than the route takes." },
        { "target_too_long", 414, "The request line is too long." },
        { "unsupported_media_type", 415, "Bodies are application/json, a merge patch application/merge-patch+json as well; a piece of a file is CSV or JSON Lines." },
        { "unsupported_encoding", 415, "Bodies are not compressed." },
        { "unknown_expectation", 417, "Expect asks for something other than 100-continue." },
        { "idempotency_key_reused", 422, "The Idempotency-Key was used for another request." },
        { "precondition_required", 428, "The route needs If-Match with the ETag of what is to be changed." },
        { "busy", 429, "Too much waits already; Retry-After says when to try again." },
        { "rate_limited", 429, "The client sent more requests to the route than it may in a minute; Retry-After says when to try again." },
        { "too_much", 429, "A limit was passed." },
        { "out_of_memory", 429, "The request needs more memory than one may have, or there is none now." },
        { "headers_too_large", 431, "The header fields are too many or too large." },
        { "cancelled", 499, "The client went away." },
        { "internal", 500, "A fault of ours; the log has it under trace_id." },
        { "unimplemented", 501, "This is not here." },
        { "database", 503, "The database is not there now; Retry-After says when to try again." },
        { "too_many_connections", 503, "There are too many connections." },
        { "no_keys", 503, "Tokens cannot be checked now." },
        { "not_here", 503, "The service does not run here." },
        { "unavailable", 503, "Something this depends on is not there now." },
        { "deadline_exceeded", 504, "It took longer than the route allows; an effect may stand, and a retry with the same key finds it." },
        { "unknown_version", 505, "Not HTTP/1.0 or HTTP/1.1." },
        { 0 } };

static void rows(struct buf *out, const char *heading, const struct slug *slugs)
{
        if (!slugs) return;
        buf_printf(out, "\n## %s\n\n| slug | status | meaning |\n|---|---|---|\n", heading);
        for (; slugs->name; slugs++) buf_printf(out, "| `%s` | %d | %s |\n", slugs->name, slugs->http, slugs->doc);
}

void errors_docs(struct buf *out, const struct service *const *services)
{
        buf_lit(out, "# Errors\n\nMade from the tables by `make docs`. Every refusal is `application/problem+json` (RFC 9457): `type`, `title`, `status`,\n"
                     "`detail`, `instance`, `slug` (one of these), `trace_id`, and for bad input `errors`, a list of `pointer` (RFC 6901 into the body, or the\n"
                     "name of a parameter or header), `slug` and `detail`.\n");
        rows(out, "Everywhere", kit_slugs);
        for (; *services; services++) rows(out, (*services)->name, (*services)->slugs);
}
