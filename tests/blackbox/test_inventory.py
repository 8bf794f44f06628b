# SPDX-License-Identifier: Apache-2.0
"""Inventory as its clients see it: warehouses under If-Match, receipts and transfers, levels, the ledger, and what comes back."""
import collections
import itertools
import time
import uuid

import pytest

from market import NOBODYS, Market, at_once, problem, until
from souk import free_port, run

numbers = itertools.count(1)


@pytest.fixture()
def warehouse(market):
    """Makes warehouses, and closes those that are empty afterwards."""
    made = []

    def open_one(country="DE", **more):
        answer = market.ask("POST", "/v1/warehouses", "admin", True, json={"code": f"bb-{uuid.uuid4().hex[:10]}", "name": "Tests", "country": country, **more})
        assert answer.status_code == 201, answer.text
        made.append(answer.headers["location"])
        return answer.json()["id"]
    yield open_one
    for path in made:
        assert market.ask("DELETE", path, "admin", headers={"if-match": "*"}).status_code in (204, 404, 409)


def receive(market, warehouse, product, quantity):
    got = market.ask("POST", "/v1/inventory/receipts", "staff", True, json={"warehouse_id": warehouse, "items": [{"product_id": product, "quantity": quantity}]})
    assert got.status_code == 201, got.text


def transfer(market, product, quantity, source, target, key=True):
    return market.ask("POST", "/v1/inventory/transfers", "staff", key, json={"from_warehouse_id": source, "to_warehouse_id": target,
                                                                             "items": [{"product_id": product, "quantity": quantity}]})


def shelves(market, product):
    return {w["warehouse_id"]: (w["on_hand"], w["held"], w["available"]) for w in market.get(f"/v1/inventory/{product}").json()["warehouses"]}


def test_a_warehouse_from_opening_to_closing(market, warehouse):
    path = "/v1/warehouses/" + warehouse("SE")
    first = market.ask("GET", path, "staff")
    assert first.json()["active"] is True and first.json()["is_default"] is False and first.json()["version"] == 1
    assert market.ask("GET", path, "staff", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    whole = {"code": first.json()["code"], "name": "Renamed", "country": "NO", "active": True, "is_default": False}
    problem(market.ask("PUT", path, "admin", json=whole), 428, "precondition_required")
    second = market.ask("PUT", path, "admin", json=whole, headers={"if-match": first.headers["etag"]})
    assert second.status_code == 200 and second.json()["name"] == "Renamed" and second.headers["etag"] != first.headers["etag"]
    problem(market.ask("PUT", path, "admin", json=whole, headers={"if-match": first.headers["etag"]}), 412, "stale")
    patched = market.ask("PATCH", path, "admin", content=b'{"name":"Patched"}', headers={"if-match": second.headers["etag"], "content-type": "application/merge-patch+json"})
    assert patched.status_code == 200 and patched.json() | {"name": "", "version": 0, "updated_at": ""} == second.json() | {"name": "", "version": 0, "updated_at": ""}
    problem(market.ask("DELETE", path, "admin", headers={"if-match": first.headers["etag"]}), 412, "stale")
    assert market.ask("DELETE", path, "admin", headers={"if-match": patched.headers["etag"]}).status_code == 204
    problem(market.ask("GET", path, "staff"), 404, "no_such_warehouse")


def test_two_who_change_a_warehouse_at_once_do_not_overwrite_each_other(market, warehouse):
    path = "/v1/warehouses/" + warehouse()
    etag = market.ask("GET", path, "staff").headers["etag"]
    market.token("admin")
    answers = at_once(8, lambda i: market.ask("PATCH", path, "admin", content=f'{{"name":"Number {i}"}}'.encode(),
                                              headers={"if-match": etag, "content-type": "application/merge-patch+json"}))
    assert collections.Counter(a.status_code for a in answers) == {200: 1, 412: 7}
    assert market.ask("GET", path, "staff").json()["version"] == 2


def test_a_warehouse_with_something_in_it_stays(market, warehouse):
    product, path = market.product(), "/v1/warehouses/" + (w := warehouse())
    receive(market, w, product, 2)
    problem(market.ask("DELETE", path, "admin", headers={"if-match": "*"}), 409, "warehouse_not_empty")
    assert [s for s in market.ask("GET", path + "/stock", "staff").json()["items"]] == [{"product_id": product, "on_hand": 2, "held": 0}]


def test_a_transfer_is_one_change_and_its_repeat_none(market, warehouse):
    product, a, b = market.product(), warehouse(), warehouse()
    receive(market, a, product, 10)
    key = str(uuid.uuid4())
    first = transfer(market, product, 4, a, b, key)
    assert first.status_code == 201, first.text
    again = transfer(market, product, 4, a, b, key)
    assert again.json() == first.json() and again.headers["idempotency-replayed"] == "true"
    assert market.ask("GET", first.headers["location"], "staff").json() == first.json()
    assert {k: v[0] for k, v in shelves(market, product).items()} == {a: 6, b: 4}
    problem(transfer(market, product, 7, a, b), 409, "not_enough_stock", "/items/0/quantity")
    problem(transfer(market, product, 1, a, a), 400, pointer="/to_warehouse_id")
    problem(transfer(market, product, 1, a, NOBODYS), 400, pointer="/to_warehouse_id")
    assert {k: v[0] for k, v in shelves(market, product).items()} == {a: 6, b: 4}


def test_transfers_round_and_round_at_once_lose_nothing(market, warehouse):
    product, places = market.product(), [warehouse() for _ in range(4)]
    receive(market, places[0], product, 12)
    market.token("staff")
    answers = at_once(48, lambda i: transfer(market, product, 1 + i % 3, places[i % 4], places[(i + 1 + i // 16) % 4]), 24)
    assert set(a.status_code for a in answers) <= {201, 409}
    assert sum(v[0] for v in shelves(market, product).values()) == 12
    balance = market.ask("GET", f"/v1/inventory/balances/{product}", "staff").json()
    assert balance["transferred"] == 0
    for w in balance["warehouses"]:
        assert w["on_hand"] + w["held"] + w["sold"] == w["received"] + w["adjusted"] + w["transferred"] + w["cancelled"] + w["returned"] and w["on_hand"] >= 0


def test_an_order_is_filled_from_near_by_and_says_so(market, warehouse):
    product, france, japan = market.product(), warehouse("FR"), warehouse("JP")
    receive(market, france, product, 3)
    receive(market, japan, product, 50)
    ship_to = {"name": "Ada", "line1": "1 Rue", "city": "Lyon", "country": "FR"}
    order = market.ask("POST", "/v1/orders", "customer", True, json={"items": [{"product_id": product, "quantity": 5}], "ship_to": ship_to})
    assert order.status_code == 201, order.text
    market.settle()
    parts = market.ask("GET", f"/v1/inventory/allocations/{order.json()['id']}", "staff").json()["items"]
    assert {p["warehouse_id"]: (p["quantity"], p["state"], p["taken_back"]) for p in parts} == {france: (3, "sold", 0), japan: (2, "sold", 0)}
    assert shelves(market, product) == {france: (0, 0, 0), japan: (48, 0, 48)}
    problem(market.ask("GET", f"/v1/inventory/allocations/{order.json()['id']}", "customer"), 403)


def test_the_fullest_warehouse_first_when_the_configuration_says_so(tmp_path_factory):
    top = tmp_path_factory.mktemp("fullest")
    top.chmod(0o711)
    with Market(top, SOUK_INVENTORY_ALLOCATION="fullest", SOUK_INVENTORY_LOW_STOCK="48") as market:
        product = market.product()
        made = [market.ask("POST", "/v1/warehouses", "admin", True, json={"code": f"w-{country.lower()}", "name": country, "country": country}) for country in ("FR", "JP")]
        near, far = (m.json()["id"] for m in made)
        receive(market, near, product, 3)
        receive(market, far, product, 50)
        ship_to = {"name": "Ada", "line1": "1 Rue", "city": "Lyon", "country": "FR"}
        order = market.ask("POST", "/v1/orders", "customer", True, json={"items": [{"product_id": product, "quantity": 5}], "ship_to": ship_to})
        assert order.status_code == 201, order.text
        assert {k: v[0] for k, v in shelves(market, product).items()} == {near: 3, far: 45}
        low = market.ask("GET", "/v1/inventory?level=low", "staff").json()["items"]
        assert [(i["product_id"], i["available"], i["low"]) for i in low] == [(product, 48, 48)]


def test_a_policy_that_is_none_stops_the_program_with_a_sentence(tmp_path):
    done = run("run", "--no-seed", "--port", str(free_port()), "--data", str(tmp_path / "s"), SOUK_INVENTORY_ALLOCATION="cheapest")
    assert done.returncode == 1 and "inventory.allocation must be nearest or fullest" in done.stderr


def test_what_is_cancelled_or_returned_is_where_it_was(market, warehouse):
    product, near, far = market.product(), warehouse("FR"), warehouse("JP")
    receive(market, near, product, 3)
    receive(market, far, product, 9)
    ship_to = {"name": "Ada", "line1": "1 Rue", "city": "Lyon", "country": "FR"}

    def buy(quantity):
        made = market.ask("POST", "/v1/orders", "customer", True, json={"items": [{"product_id": product, "quantity": quantity}], "ship_to": ship_to})
        assert made.status_code == 201, made.text
        return made.headers["location"]
    first = buy(5)
    cancelled = market.ask("POST", first + "/cancel", "customer", json={"reason": "mistake"})
    assert cancelled.status_code == 200, cancelled.text
    until(lambda: {k: v[0] for k, v in shelves(market, product).items()} == {near: 3, far: 9})
    second = buy(4)
    market.settle()
    for restock, back in ((False, {near: 0, far: 8}), (True, {near: 2, far: 8})):
        sent = market.ask("POST", second + "/returns", "staff", True, json={"items": [{"product_id": product, "quantity": 1 + restock}], "reason": "too small", "restock": restock})
        assert sent.status_code == 201, sent.text
        until(lambda back=back: {k: v[0] for k, v in shelves(market, product).items()} == back)
    until(lambda: market.ask("GET", f"/v1/inventory/allocations/{first.split('/')[-1]}", "staff").json()["items"][0]["taken_back"] > 0)
    balance = market.ask("GET", f"/v1/inventory/balances/{product}", "staff").json()
    assert (balance["on_hand"], balance["sold"], balance["cancelled"], balance["returned"], balance["received"]) == (10, 9, 5, 2, 12)
    kinds = [m["kind"] for m in market.ask("GET", f"/v1/inventory/movements/{product}?limit=100", "staff").json()["items"]]
    assert kinds[0] == "returned" and kinds.count("cancelled") == 2
    back = market.ask("GET", f"/v1/inventory/movements/{product}?kind=returned", "staff").json()["items"][0]
    assert back["order_id"] == second.split("/")[-1] and back["reason"]


def test_what_is_in_a_closed_warehouse_is_not_sold(market, warehouse):
    product, w = market.product(), warehouse()
    receive(market, w, product, 5)
    off = market.ask("PATCH", f"/v1/warehouses/{w}", "admin", content=b'{"active":false}', headers={"if-match": "*", "content-type": "application/merge-patch+json"})
    assert off.status_code == 200, off.text
    stock = market.get(f"/v1/inventory/{product}").json()
    assert (stock["on_hand"], stock["available"]) == (5, 0)
    until(lambda: market.order(product).status_code == 409)             # another worker may not have heard for a second


def test_levels(market, warehouse):
    product, path = market.product(stock=10), "/v1/inventory/thresholds/{}"
    path = path.format(product)
    threshold = market.ask("GET", path, "staff")
    assert threshold.json()["is_default"] is True
    problem(market.ask("PUT", path, "staff", json={"low": 10}), 428)
    low = market.ask("PUT", path, "staff", json={"low": 10}, headers={"if-match": threshold.headers["etag"]})
    assert low.status_code == 200 and low.json()["low"] == 10 and low.json()["is_default"] is False
    problem(market.ask("PUT", path, "staff", json={"low": 9}, headers={"if-match": threshold.headers["etag"]}), 412)

    def listed(level):
        found, path = [], f"/v1/inventory?level={level}&limit=100"
        while path:
            page = market.ask("GET", path, "staff").json()
            found += page["items"]
            path = page.get("next")
        return {i["product_id"]: (i["available"], i["low"]) for i in found}
    assert listed("low")[product] == (10, 10) and product not in listed("out")
    assert market.ask("DELETE", path, "staff", headers={"if-match": low.headers["etag"]}).status_code == 204
    assert product not in listed("low")
    assert market.order(product, quantity=10).status_code == 201
    assert listed("out")[product][0] == 0 and product in listed("low")


def test_the_ledger_both_ways(market):
    product = market.product()
    for i in range(1, 8):
        market.receive(product, i)

    def walk(path, link):
        seen = []
        while path:
            page = market.ask("GET", path, "staff").json()
            seen.append([m["delta"] for m in page["items"]])
            path = page.get(link)
        return seen
    base = f"/v1/inventory/movements/{product}?limit=3"
    assert walk(base, "next") == [[7, 6, 5], [4, 3, 2], [1]]
    assert walk(base + "&sort=at", "next") == [[1, 2, 3], [4, 5, 6], [7]]
    second = market.ask("GET", market.ask("GET", base, "staff").json()["next"], "staff").json()
    assert walk(second["prev"], "prev") == [[7, 6, 5]]
    assert walk(base + "&kind=adjusted", "next") == [[]]
    problem(market.ask("GET", base + "&kind=stolen", "staff"), 400, pointer="kind")
