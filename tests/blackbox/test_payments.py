# SPDX-License-Identifier: Apache-2.0
"""Money as a client sees it: refunds, the ledger, and the provider's webhooks, signed and forged."""
import hashlib
import hmac
import json
import time
import uuid

import pytest

from market import Market, at_once, problem

OLD, NEW = "the-old-secret-of-webhooks", "the-new-secret-of-webhooks"


@pytest.fixture(scope="module", name="shop")
def _shop(tmp_path_factory):
    top = tmp_path_factory.mktemp("payments")
    top.chmod(0o711)
    with Market(top, SOUK_PAYMENTS_WEBHOOK_SECRETS=f"{NEW}, {OLD}") as m:
        m.key_known()
        yield m


def bought(shop, price=1000):
    """An order that is captured."""
    answer = shop.order(shop.product(stock=1, price=price))
    assert answer.status_code == 201, answer.text
    shop.settle()
    return answer.json()["id"]


def refund(shop, order, cents=None, key=None, **more):
    body = {"reason": "a test", **({"amount": {"amount": cents, "currency": "EUR"}} if cents else {})}
    return shop.ask("POST", f"/v1/payments/{order}/refunds", "staff", key or str(uuid.uuid4()), json=body, **more)


def payment(shop, order, token="customer"):
    return shop.ask("GET", f"/v1/payments/{order}", token).raise_for_status().json()


# ---- refunds and the ledger ------------------------------------------------------------------------------------------------

def test_a_buyer_sees_what_was_given_back_and_the_ledger_is_zero(shop):
    order = bought(shop)
    made = refund(shop, order, 250)
    assert made.status_code == 201 and made.json()["state"] == "succeeded"
    assert shop.ask("GET", made.headers["location"], "staff").json() == made.json()
    p = payment(shop, order)
    assert (p["state"], p["captured"]["amount"], p["refunded"]["amount"]) == ("partially_refunded", 1000, 250)
    assert [(t["kind"], t["amount"]["amount"]) for t in p["transfers"]] == [("capture", 1000), ("refund", 250)]
    assert refund(shop, order).json()["amount"]["amount"] == 750
    assert payment(shop, order)["state"] == "refunded"
    problem(refund(shop, order), 409, "over_captured")
    balance = shop.ask("GET", "/v1/ledger/trial-balance", "staff").json()
    assert balance["sum"] == 0 and {a["name"] for a in balance["accounts"]} == {"provider", "sales", "returns"}
    entries = shop.ask("GET", f"/v1/ledger/entries?order_id={order}&sort=order_id", "staff").json()["items"]
    assert [(e["debit"], e["credit"], e["amount"]["amount"]) for e in entries] == [("provider", "sales", 1000), ("returns", "provider", 250), ("returns", "provider", 750)]


def test_a_repeat_of_a_refund_gives_the_money_back_once(shop):
    order, key = bought(shop), str(uuid.uuid4())
    answers = [refund(shop, order, 400, key) for _ in range(3)]
    assert {a.status_code for a in answers} == {201} and len({a.json()["id"] for a in answers}) == 1
    assert answers[-1].headers["idempotency-replayed"] == "true"
    problem(refund(shop, order, 401, key), 422, "idempotency_key_reused", "Idempotency-Key")
    assert payment(shop, order)["refunded"]["amount"] == 400


def test_refunds_at_once_never_exceed_what_was_captured(shop):
    order = bought(shop, 1000)
    answers = at_once(30, lambda _: refund(shop, order, 150).status_code)
    assert sorted(set(answers)) == [201, 409] and answers.count(201) == 6
    assert payment(shop, order)["refunded"]["amount"] == 900


def test_pages_of_the_ledger_walk_over_everything_once(shop):
    for _ in range(4):
        bought(shop)
    path, seen = "/v1/ledger/entries?limit=3", []
    while path:
        page = shop.ask("GET", path, "staff").raise_for_status().json()
        seen += [(e["order_id"], e["no"]) for e in page["items"]]
        after = page.get("next")
        path = after and (after if after.startswith("/") else f"/v1/ledger/entries?limit=3&cursor={after}")
    assert seen == sorted(set(seen), reverse=True) and len(seen) == shop.one("payments", "select count(*) from transfer where kind > 0")


def test_a_buyer_lists_own_payments_only(shop):
    order = bought(shop)
    _, login = shop.sign_up()
    token = shop.log_in(login)["access_token"]
    assert shop.ask("GET", "/v1/payments", token).json()["items"] == []
    assert order in {p["order_id"] for p in shop.ask("GET", "/v1/payments?limit=100&state=captured", "customer").json()["items"]}
    assert order in {p["order_id"] for p in shop.ask("GET", "/v1/payments?limit=100", "staff").json()["items"]}
    problem(shop.ask("GET", f"/v1/payments?buyer={uuid.uuid4()}", token), 403, "forbidden")


# ---- webhooks: a provider written here -------------------------------------------------------------------------------------

def event(kind="payment.captured", order=None, **more):
    return {"id": f"evt_{uuid.uuid4()}", "type": kind, "order_id": order or str(uuid.uuid4()), "attempt": 1, "created_at": "2026-11-24T10:00:00Z", **more}


def tell(shop, body, secret=NEW, at=None, signature=None, extra=""):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{at}.".encode() + text, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "souk-signature": signature or f"t={at},v1={mac}{extra}"}
    return shop.http.post("/v1/webhooks/payments", content=text, headers=headers)


def test_either_secret_signs_while_they_change(shop):
    for secret in (NEW, OLD):
        e = event()
        assert tell(shop, e, secret).json() == {"id": e["id"], "repeated": False}
    assert tell(shop, event(), extra=",v1=" + "0" * 64 + ",v2=later").status_code == 200
    assert tell(shop, {**event(), "news": "members we do not know are passed over"}).status_code == 200


def test_a_forged_event_is_refused_and_leaves_nothing(shop):
    e = event()
    with shop.unchanged():
        problem(tell(shop, e, "another-secret-altogether"), 403, "wrong_signature")
        problem(tell(shop, e, ""), 403, "wrong_signature")
        now = int(time.time())
        mac = hmac.new(NEW.encode(), f"{now}.".encode() + json.dumps(e).encode(), hashlib.sha256).hexdigest()
        problem(tell(shop, {**e, "attempt": 2}, signature=f"t={now},v1={mac}"), 403, "wrong_signature")      # another body
        problem(tell(shop, e, signature=f"t={now + 1},v1={mac}"), 403, "wrong_signature")                    # another time
        problem(tell(shop, e, signature=f"t={now},v1={mac.upper()}"), 403, "wrong_signature")
        problem(tell(shop, e, signature=f"t={now},v1={mac[:-2]}"), 403, "wrong_signature")
        for odd in ("nonsense", f"v1={mac}", f"t={now}", f"t=soon,v1={mac}"):
            problem(tell(shop, e, signature=odd), 400, "signature_missing", "Souk-Signature")
        problem(shop.http.post("/v1/webhooks/payments", json=e), 400, "signature_missing", "Souk-Signature")


@pytest.mark.parametrize("seconds", [-301 - 5, 301 + 5, -10 ** 6, 10 ** 9])
def test_an_old_signature_is_refused_though_genuine(shop, seconds):
    with shop.unchanged():
        problem(tell(shop, event(), at=int(time.time()) + seconds), 403, "webhook_too_old")
    assert tell(shop, event(), at=int(time.time()) - 200).status_code == 200


def test_a_replay_does_nothing_and_a_changed_event_is_refused(shop):
    e = event()
    assert tell(shop, e).json()["repeated"] is False
    with shop.unchanged():
        assert [tell(shop, e).json()["repeated"] for _ in range(3)] == [True] * 3
        problem(tell(shop, {**e, "type": "payment.voided"}), 409, "event_differs")


def test_a_signed_body_is_still_judged(shop):
    with shop.unchanged():
        problem(tell(shop, b"{"), 400)
        problem(tell(shop, {**event(), "type": "payment.stolen"}), 400, "invalid", "/type")
        problem(tell(shop, {**event(), "order_id": "x"}), 400, "invalid", "/order_id")
        problem(tell(shop, event("settlement.succeeded")), 400, "invalid", "/settlement_id")
        problem(tell(shop, {**event(), "id": "x'; drop table transfer; --" * 10}), 400, "invalid", "/id")
        problem(tell(shop, {k: v for k, v in event().items() if k != "attempt"}), 400, "invalid", "/attempt")
    assert tell(shop, {**event(), "id": "'; drop table transfer; --"}).status_code == 200


def test_events_in_any_order_leave_the_furthest_state(shop):
    order = bought(shop)
    for kind in ("payment.refunded", "payment.authorised", "payment.captured"):
        assert tell(shop, event(kind, order)).status_code == 200
    assert payment(shop, order)["provider_state"] == "refunded"
    assert payment(shop, order)["state"] == "captured"                  # our books are our own


def test_without_secrets_no_webhook_is_heard(market):
    problem(tell(market, event()), 403, "wrong_signature")
    problem(tell(market, event(), ""), 403, "wrong_signature")
