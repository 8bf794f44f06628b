# SPDX-License-Identifier: Apache-2.0
"""What schemathesis is told of Souk beyond its description: cursors come from answers, and which refusals of a request that fits its schema are right."""
import re

import schemathesis
from hypothesis import strategies

# A schema says how a value looks, not whether there is such a thing, nor what goes with what.
NOT_IN_A_SCHEMA = {"no_such_product", "no_such_category", "no_such_warehouse", "no_such_user", "no_such_cart", "repeated", "bad_cursor", "idempotency_key_reused",
                   "stale", "payment_declined", "invalid_refresh_token", "wrong_credentials", "bad_csv"}

# Members that may be left out, but not always.
DEPENDS = {("GET /v1/orders", "sort"),                  # everybody's orders are in the order of their numbers
           ("POST /v1/orders", "/items"),               # unless a cart is ordered
           ("POST /v1/orders/{id}/returns", "/items/0/product_id"),    # unless its line is named
           ("POST /v1/imports/{id}/rows", "/rows/0"),   # a product, or what was wrong with it
           ("POST /v1/webhooks/payments", "Souk-Signature"),    # a signature is of a form of its own
           ("POST /v1/users", "/password"),             # unless staff makes the account
           ("PATCH /v1/me", "/password"),               # for another e-mail address
           ("POST /v1/inventory/adjustments", "/delta")}   # said in words: not 0

# What a text must be beyond its pattern.
schemathesis.openapi.format("currency", strategies.sampled_from(["EUR", "USD", "JPY", "KWD", "GBP"]))
schemathesis.openapi.format("country", strategies.sampled_from(["DE", "FR", "US", "JP", "GB"]))


def whole(value):
    """1.0 is a whole number for JSON Schema; here those are written whole (docs/api.md)."""
    if isinstance(value, dict):
        return {k: whole(v) for k, v in value.items()}
    if isinstance(value, list):
        return [whole(v) for v in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def map_body(context, body):
    return whole(body)


def has_null(value):
    if isinstance(value, dict):
        return any(map(has_null, value.values()))
    return any(map(has_null, value)) if isinstance(value, list) else value is None


@schemathesis.hook
def filter_case(context, case):
    """null is how a member that may be left out is said to be absent (docs/api.md), which its schema does not say: not a wrong body for sure."""
    return not (case.meta and case.meta.generation.mode.is_negative and has_null(case.body))


@schemathesis.hook
def map_query(context, query):
    """A cursor is a signed place in a list: a made-up one is never right. An empty list is not sent: `attribute=` is one empty pair."""
    return {k: v for k, v in query.items() if k != "cursor" and (k != "attribute" or v)} if query else query


@schemathesis.check
def refused_for_a_reason_that_no_schema_has(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 402, 412, 422):
        return
    problem = response.json()
    reasons = {e["slug"] for e in problem.get("errors", [])} or {problem["slug"]}
    if {(case.operation.label, re.sub(r"/\d+", "/0", e["pointer"])) for e in problem.get("errors", [])} & DEPENDS:
        return
    if any("ISO " in e["detail"] or "https URL" in e["detail"] for e in problem.get("errors", [])):
        return                                          # neither a list of codes nor the length of a host's labels is a pattern
    assert reasons & NOT_IN_A_SCHEMA or problem["slug"] in NOT_IN_A_SCHEMA, f"fits the schema, yet {problem['slug']}: {problem['detail']}"
