# SPDX-License-Identifier: Apache-2.0
"""The catalogue as its clients see it: products by hand and by import, the tree, prices, lists that walk both ways, what inventory tells."""
import json
import re
import time
import uuid

import pytest

from market import NOBODYS, at_once, problem, until
from souk import last_json, run


def change(market, method, path, body=None, match="*", token="staff"):
    return market.ask(method, path, token, headers={"if-match": match} if match else {}, **({"json": body} if body is not None else {}))


def of(market, product):
    answer = market.get(f"/v1/products/{product}")
    assert answer.status_code == 200, answer.text
    return answer


def test_two_who_change_one_product_do_not_lose_a_change(market):
    product = market.product()
    path, tag = f"/v1/products/{product}", of(market, product).headers["etag"]
    assert change(market, "PATCH", path, {"description": "first"}, tag).status_code == 200
    problem(change(market, "PATCH", path, {"description": "second"}, tag), 412, "stale", "If-Match")
    problem(change(market, "PATCH", path, {"description": "second"}, None), 428, "precondition_required")
    answers = at_once(8, lambda i: change(market, "PATCH", path, {"description": f"d{i}"}, until(lambda: of(market, product)).headers["etag"]).status_code)
    assert 1 <= answers.count(200) <= 8 and set(answers) <= {200, 412}
    after = market.ask("GET", path).json()
    assert market.one("catalog", "select revision from product where id = %s", product) == 2 + answers.count(200)
    assert after["id"] == product


def test_a_patch_is_a_merge_patch_and_answers_what_is_then_read(market):
    product = market.product(category="Light > Lamps", tags=["a"], attributes=[{"name": "colour", "value": "red"}])
    patched = change(market, "PATCH", f"/v1/products/{product}", {"vat_bp": 0, "category": None, "tags": ["b", "c"], "price": {"amount": 77}})
    assert patched.status_code == 200, patched.text
    p = patched.json()
    assert (p["vat_bp"], p["tags"], p["price"], p["version"], p["revision"]) == (0, ["b", "c"], {"amount": 77, "currency": "EUR"}, 2, 2) and "category" not in p
    assert until(lambda: of(market, product).json() == p)
    assert change(market, "PATCH", f"/v1/products/{product}", {}).json() == p
    minimal = market.ask("PATCH", f"/v1/products/{product}", "staff", headers={"if-match": "*", "prefer": "return=minimal"}, json={"name": "Minimal"})
    assert minimal.status_code in (200, 204) and minimal.content == b""


def test_a_vendors_product_is_its_own(market):
    sku = str(uuid.uuid4())
    made = market.ask("POST", "/v1/products", "vendor", True, json={"sku": sku, "name": "Mine", "price": {"amount": 5, "currency": "EUR"}}).json()
    assert made["owner"] and market.get(f"/v1/products?owner={made['owner']}&sku={sku}").json()["items"]
    theirs = market.product()
    for method, body in (("PUT", {"sku": sku + "x", "name": "n", "price": {"amount": 1, "currency": "EUR"}}), ("PATCH", {"name": "n"}), ("DELETE", None)):
        p, none = (problem(change(market, method, f"/v1/products/{i}", body, token="vendor"), 404, "no_such_product") for i in (theirs, NOBODYS))
        assert p["detail"] == none["detail"]
    assert change(market, "DELETE", f"/v1/products/{made['id']}", token="vendor").status_code == 204
    problem(market.get(f"/v1/products/{made['id']}"), 404, "no_such_product")


def test_an_order_outlives_its_product(market):
    product = market.product(stock=3, price=1234)
    order = market.order(product).json()
    assert change(market, "DELETE", f"/v1/products/{product}").status_code == 204
    again = market.ask("GET", f"/v1/orders/{order['id']}", "customer").json()
    assert again["items"][0]["price"] == {"amount": 1234, "currency": "EUR"} and again["items"][0]["name"] == order["items"][0]["name"]
    answer = until(lambda: (a := market.order(product)).status_code == 400 and a)
    problem(answer, 400, pointer="/items/0/product_id")


def test_prices_have_a_history_and_pages_both_ways(market):
    product = market.product(price=1)
    for amount in range(2, 8):
        assert change(market, "PATCH", f"/v1/products/{product}", {"price": {"amount": amount}}).status_code == 200
    path, seen, back = f"/v1/products/{product}/prices?limit=3", [], []
    while path:
        page = market.get(path).json()
        seen += [p["price"]["amount"] for p in page["items"]]
        path, last = page.get("next"), page
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    while "prev" in last:
        last = market.get(last["prev"]).json()
        back = [p["price"]["amount"] for p in last["items"]] + back
    assert back == [7, 6, 5, 4, 3, 2]


@pytest.mark.parametrize("sort", ["-created_at", "created_at", "price", "-price", "name", "-name"])
def test_a_list_is_walked_there_and_back(market, sort):
    tag = f"walk{sort}"
    if not market.get("/v1/products", params={"tag": tag}).json()["items"]:
        for i in range(11):
            market.product(price=100 + i % 3, tags=[tag], name=f"W {i % 4}")
    path, pages = f"/v1/products?limit=4&sort={sort}&tag={tag}", []
    while path:
        answer = market.get(path)
        pages.append([p["id"] for p in answer.json()["items"]])
        path, last = answer.json().get("next"), answer.json()
    assert [len(p) for p in pages] == [4, 4, 3] and len({i for p in pages for i in p}) == 11
    for want in (pages[1], pages[0]):
        last = market.get(last["prev"]).json()
        assert [p["id"] for p in last["items"]] == want
    assert "prev" not in last


def test_prices_are_compared_in_one_currency(market):
    tag = str(uuid.uuid4())
    for amount, currency in ((100, "EUR"), (50, "JPY"), (300, "EUR"), (200, "GBP")):
        market.ask("POST", "/v1/products", "staff", True, json={"sku": str(uuid.uuid4()), "name": "C", "price": {"amount": amount, "currency": currency}, "tags": [tag]})
    listed = lambda query: [(p["price"]["amount"], p["price"]["currency"]) for p in market.get(f"/v1/products?tag={tag}&{query}").json()["items"]]
    assert listed("sort=price") == [(100, "EUR"), (300, "EUR")] and listed("price_min=101") == [(300, "EUR")]
    assert listed("sort=-price&currency=JPY") == [(50, "JPY")] and len(listed("limit=10")) == 4


def test_what_is_in_stock_follows_inventory(market):
    product = market.product(tags=[tag := str(uuid.uuid4())])
    assert of(market, product).json()["in_stock"] is False
    before = of(market, product).headers["etag"]
    market.receive(product, 1)
    until(lambda: of(market, product).json()["in_stock"])
    after = of(market, product).headers["etag"]
    assert after != before and after.split("-")[0] == before.split("-")[0]
    assert change(market, "PATCH", f"/v1/products/{product}", {"description": "same revision"}, before).status_code == 200
    assert [p["id"] for p in market.get(f"/v1/products?tag={tag}&in_stock=true").json()["items"]] == [product]
    assert market.order(product).status_code == 201                            # the last one
    until(lambda: not of(market, product).json()["in_stock"])
    assert market.get(f"/v1/products?tag={tag}&in_stock=true").json()["items"] == []


def test_the_tree_moves_and_takes_its_products_along(market):
    name = str(uuid.uuid4())[:8]
    make = lambda n, parent=None: market.ask("POST", "/v1/categories", "staff", True, json={"name": n, **({"parent_id": parent} if parent else {})}).json()["id"]
    top, other = make(f"T{name}"), make(f"O{name}")
    below = make("Below", top)
    product = market.product(category=f"T{name} > Below", categories=[f"O{name}"])
    assert change(market, "PATCH", f"/v1/categories/{top}", {"parent_id": other, "name": "Moved"}).json()["path"] == f"O{name} > Moved"
    until(lambda: of(market, product).json()["category"] == f"O{name} > Moved > Below")
    for category in (top, other, below):
        assert [p["id"] for p in market.get(f"/v1/products?category={category}").json()["items"]] == [product]
    problem(change(market, "PATCH", f"/v1/categories/{other}", {"parent_id": below}), 400, "invalid", "/parent_id")
    problem(change(market, "DELETE", f"/v1/categories/{below}"), 409, "category_not_empty")
    assert change(market, "DELETE", f"/v1/products/{product}").status_code == 204
    for category in (below, top, other):
        assert change(market, "DELETE", f"/v1/categories/{category}").status_code == 204


def test_reads_may_be_kept_a_second_and_changes_not(market):
    product = market.product()
    for path in (f"/v1/products/{product}", "/v1/products", "/v1/categories", "/v1/brands", f"/v1/products/{product}/prices"):
        answer = market.get(path)
        assert answer.headers["cache-control"] == "public, max-age=1" and answer.headers["etag"]
        assert market.ask("GET", path, headers={"if-none-match": answer.headers["etag"]}).status_code in (200, 304)
    assert market.ask("GET", "/v1/imports", "staff").headers["cache-control"] == "no-store"


# ---- imports -------------------------------------------------------------------------------------------------------------------

def test_a_list_is_told_from_memory_to_everybody_alike_until_it_changes(market):
    path = "/v1/products?limit=2&sort=-created_at"
    market.product(stock=1)
    market.settle()
    first = until(lambda: (a := market.get(path)).status_code == 200 and a.headers["etag"] == market.get(path).headers["etag"] and a)
    for role in (None, "customer", "vendor", "staff"):
        same = market.ask("GET", path, role)
        assert (same.status_code, same.content) == (200, first.content)
        assert all(same.headers[n] == first.headers[n] for n in ("etag", "link", "cache-control", "content-type"))
        assert same.headers["x-request-id"] != first.headers["x-request-id"]
        assert market.ask("GET", path, role, headers={"if-none-match": first.headers["etag"]}).status_code == 304
    assert set(market.get(path + "&fields=id").json()["items"][0]) == {"id"}
    problem(market.get(path, headers={"authorization": "Bearer none"}), 401, "invalid_token")
    problem(market.get(path, headers={"accept": "text/html"}), 406, "not_acceptable")
    assert int(re.search(r"^souk_answers_bytes (\d+)$", market.get("/metrics").text, re.M)[1]) > len(first.content)
    new = market.product(stock=1)
    until(lambda: market.get(path).json()["items"][0]["id"] == new)


def test_csv_and_json_lines_make_the_same_products(market, tmp_path):
    stem = str(uuid.uuid4())[:8]
    (tmp_path / "a.csv").write_text(f"sku,name,price,currency,vat_bp,category,images,attributes.colour\n{stem},\"A lamp, bright\",19.99,GBP,0,Home > Lamps,http://i.example/1.jpg,red\n")
    made = last_json(run("import", "products", str(tmp_path / "a.csv"), "--data", str(market.data), "--json"))
    assert (made["created"], made["failed"]) == (1, 0), made
    product = market.get(f"/v1/products/{market.get(f'/v1/products?sku={stem}').json()['items'][0]['id']}").json()
    assert (product["price"], product["vat_bp"], product["category"]) == ({"amount": 1999, "currency": "GBP"}, 0, "Home > Lamps")
    (tmp_path / "a.jsonl").write_text(json.dumps({"sku": stem, "name": "A lamp, bright", "price": {"amount": 1999, "currency": "GBP"}, "vat_bp": 0,
                                                  "category": "Home > Lamps", "images": ["http://i.example/1.jpg"], "attributes": [{"name": "colour", "value": "red"}]}) + "\n")
    same = last_json(run("import", "products", str(tmp_path / "a.jsonl"), "--data", str(market.data), "--json"))
    assert (same["created"], same["changed"], same["unchanged"]) == (0, 0, 1)
