# SPDX-License-Identifier: Apache-2.0
"""The same Idempotency-Key never has two effects (draft-ietf-httpapi-idempotency-key-header)."""
import collections
import uuid

import pytest

from market import NOBODYS, ROUTES, at, at_once, name_of, problem

KEYED = [r for r in ROUTES if r.key]


@pytest.mark.parametrize("route", KEYED, ids=name_of)
def test_without_a_key_or_with_an_odd_one_it_is_400(quiet, route):
    problem(quiet.ask(route.method, at(route.path), "admin", json=route.body), 400, "idempotency_key_missing", "Idempotency-Key")
    for key in ("", "a b", "k" * 256, '"open', '""', "caf\xe9", "a\\b"):
        answer = quiet.ask(route.method, at(route.path), "admin", json=route.body, headers={"idempotency-key": key.encode("latin-1")})
        assert answer.status_code == 400, (key, answer.text)
    twice = [("authorization", f"Bearer {quiet.token('admin')}"), ("idempotency-key", "a"), ("idempotency-key", "b")]
    problem(quiet.http.request(route.method, at(route.path), headers=twice, json=route.body), 400, "idempotency_key_invalid", "Idempotency-Key")


@pytest.fixture(scope="module")
def product(market):
    return market.product(stock=100000)


@pytest.fixture()
def effects(market, product):
    """Ways to have an effect with a key: name -> (role, path, body, another body, how many there are)."""
    def count(service, table, where, *args):
        return lambda: market.one(service, f"select count(*) from {table} where {where}", *args)
    tag = uuid.uuid4().hex[:8]
    code = f"w{tag[:6]}"
    return {
        "order": ("customer", "/v1/orders", {"items": [{"product_id": product, "quantity": 2}]}, {"items": [{"product_id": product, "quantity": 3}]},
                  count("orders", "orders", "invoice_no is not null")),
        "product": ("vendor", "/v1/products", {"sku": tag, "name": "Once", "price": {"amount": 5, "currency": "EUR"}},
                    {"sku": tag + "b", "name": "Once", "price": {"amount": 5, "currency": "EUR"}}, count("catalog", "product", "sku like %s", tag + "%")),
        "category": ("staff", "/v1/categories", {"name": f"C {tag}"}, {"name": f"D {tag}"}, count("catalog", "category", "name like %s", f"% {tag}")),
        "adjustment": ("staff", "/v1/inventory/adjustments", {"product_id": product, "delta": 1, "reason": tag}, {"product_id": product, "delta": 2, "reason": tag},
                       count("inventory", "movement", "reason = %s", tag)),
        "receipt": ("staff", "/v1/inventory/receipts", {"items": [{"product_id": product, "quantity": 1}], "note": tag}, {"items": [{"product_id": product, "quantity": 2}], "note": tag},
                    count("inventory", "movement", "reason = %s", tag)),
        "warehouse": ("admin", "/v1/warehouses", {"code": code, "name": "W", "country": "DE"}, {"code": code + "x", "name": "W", "country": "DE"},
                      count("inventory", "warehouse", "code like %s", code + "%")),
    }


EFFECTS = ["order", "product", "category", "adjustment", "receipt", "warehouse"]


@pytest.mark.parametrize("what", EFFECTS)
def test_a_repeat_gets_the_first_answer_and_another_body_a_refusal(market, effects, what):
    role, path, body, other, count = effects[what]
    key, before = str(uuid.uuid4()), count()
    first = market.ask("POST", path, role, key, json=body)
    assert first.status_code == 201, first.text
    assert "idempotency-replayed" not in first.headers
    for _ in range(4):                                  # whichever worker answers
        again = market.ask("POST", path, role, key, json=body)
        assert again.status_code == 201 and again.json() == first.json() and again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("location") == first.headers.get("location")
    quoted = market.ask("POST", path, role, f'"{key}"', json=body)
    assert quoted.json() == first.json()
    problem(market.ask("POST", path, role, key, json=other), 422, "idempotency_key_reused")
    assert count() == before + 1


@pytest.mark.parametrize("what", EFFECTS)
def test_one_key_at_once_has_one_effect(market, effects, what):
    role, path, body, _, count = effects[what]
    key, before = str(uuid.uuid4()), count()
    market.token(role)
    answers = at_once(12, lambda _: market.ask("POST", path, role, key, json=body))
    statuses = collections.Counter(a.status_code for a in answers)
    assert set(statuses) <= {201, 409} and statuses[201] >= 1, statuses
    for a in answers:
        if a.status_code == 409:
            problem(a, 409)
            assert a.json()["slug"] in ("idempotency_in_flight", "try_again"), a.text
            assert int(a.headers["retry-after"]) >= 1
    assert len({a.text for a in answers if a.status_code == 201}) == 1
    assert count() == before + 1


def test_a_key_in_flight_is_409(market, product):
    """A payment that is not answered keeps the order at work for three seconds."""
    key = str(uuid.uuid4())
    market.token()

    def one(i):
        if i:
            while market.one("inventory", "select count(*) from hold where product_id = %s", product) == 0:
                pass                                    # the first is at work now
        return market.order(product, key=key, card="4000000000000044")
    first, second = at_once(2, one)
    problem(first, 504, "payment_timed_out")
    problem(second, 409, "idempotency_in_flight")
    assert int(second.headers["retry-after"]) >= 1
    market.settle()
    retry = market.order(product, key=key)              # a refusal is not kept: the same key may try anew
    assert retry.status_code == 201, retry.text


def test_a_key_belongs_to_its_caller_and_its_route(market, effects):
    key = str(uuid.uuid4())
    seen = set()
    for what in EFFECTS:
        role, path, body, _, _ = effects[what]
        answer = market.ask("POST", path, role, key, json=body)
        assert answer.status_code == 201 and "idempotency-replayed" not in answer.headers, (what, answer.text)
        seen.add(answer.json()["id"])
    assert len(seen) == len(EFFECTS)
    role, path, body, other, _ = effects["order"]
    ids = {market.ask("POST", path, r, key, json=b).json()["id"] for r, b in (("customer", body), ("vendor", other), ("staff", body))}
    assert len(ids) == 3


def test_a_refusal_is_judged_anew(market):
    product, key = market.product(stock=1), str(uuid.uuid4())
    market.settle()
    with market.unchanged():
        problem(market.order(product, key=key, quantity=2), 409, "out_of_stock")
    market.receive(product, 1)
    assert market.order(product, key=key, quantity=2).status_code == 201
    problem(market.order(product, key=key, quantity=1), 422, "idempotency_key_reused", "Idempotency-Key")


def test_keys_of_every_shape_make_orders(market, product):
    for key in ("1", "a" * 255, "~!@#$%^&*()_+[]{};:,./<>?|'`", str(uuid.uuid4()).upper(), "0192f0c1-2345-7abc-8def-0123456789ab"):
        one, two = (market.order(product, key=key) for _ in range(2))
        assert one.status_code == two.status_code == 201 and one.json() == two.json()
        assert one.headers["location"] == f"/v1/orders/{one.json()['id']}"
        assert market.ask("GET", one.headers["location"], "customer").json() == one.json()


def test_a_refused_body_does_not_use_up_its_key(market, product):
    key = str(uuid.uuid4())
    problem(market.ask("POST", "/v1/orders", "customer", key, json={"items": []}), 400)
    problem(market.order(NOBODYS, key=key), 400)
    problem(market.order(product, key=key, card="4000000000000002"), 402, "payment_declined")
    assert market.order(product, key=key).status_code == 201
