# SPDX-License-Identifier: Apache-2.0
"""An order from the cart to its last return, as clients see it: carts, addresses, cancellations, returns, invoices, credit notes, imports, lists."""
import datetime
import re
import time
import uuid
from decimal import ROUND_HALF_UP, Decimal

import pytest

from market import NOBODYS, at_once, problem, until

ADA = {"name": "Ada Lovelace", "line1": "12 St James's Square", "postal_code": "SW1Y 4JH", "city": "London", "country": "GB"}


class Buyer:
    def __init__(self, market, name="Buyer"):
        self.market = market
        self.id, self.login = market.sign_up(name)
        self.token = market.log_in(self.login)["access_token"]

    def get(self, path, **more):
        return self.market.ask("GET", path, self.token, **more)

    def post(self, path, body, key=True):
        return self.market.ask("POST", path, self.token, key, json=body)

    def put(self, product, quantity):
        return self.market.ask("PUT", f"/v1/cart/items/{product}", self.token, json={"quantity": quantity})

    def order(self, *items, **more):
        answer = self.post("/v1/orders", {"items": [{"product_id": p, "quantity": n} for p, n in items], **more})
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture()
def ada(market):
    return Buyer(market, "Ada")


def check_sums(bill, paid):
    """EN 16931's rules, counted again with decimals."""
    minor = {k: bill[k]["amount"] for k in ("lines_net", "rounding", "net", "vat_total", "gross")}
    assert sum(line["net"]["amount"] for line in bill["lines"]) == minor["lines_net"]                                   # BR-CO-10
    assert minor["lines_net"] + minor["rounding"] == minor["net"] == sum(r["net"]["amount"] for r in bill["vat"])       # BR-CO-13
    assert sum(r["vat"]["amount"] for r in bill["vat"]) == minor["vat_total"]                                           # BR-CO-14
    assert minor["net"] + minor["vat_total"] == minor["gross"] == paid                                                  # BR-CO-15
    for rate in bill["vat"]:                                                                                            # BR-CO-17
        vat = (Decimal(rate["net"]["amount"]) * rate["vat_bp"] / 10000).quantize(Decimal(1), ROUND_HALF_UP)
        assert rate["vat"]["amount"] == vat and rate["category"] == ("S" if rate["vat_bp"] else "Z")
    assert len({r["vat_bp"] for r in bill["vat"]}) == len(bill["vat"]) and 0 <= minor["rounding"] <= len(bill["vat"])


# ---- carts ------------------------------------------------------------------------------------------------------------------

def test_a_guest_fills_a_cart_logs_in_and_orders_it(market, ada):
    lamp, chair = market.product(stock=5), market.product(stock=5)
    opened = market.http.post("/v1/carts", headers={"prefer": "return=minimal"})
    assert opened.json()["secret"] and not {"content-location", "etag", "preference-applied"} & set(opened.headers)     # told once, so it is no cart as GET shows it
    assert opened.status_code == 201 and opened.headers["location"] == f"/v1/carts/{opened.json()['id']}"
    cart = opened.json()
    for product, quantity in ((lamp, 1), (chair, 2)):
        answer = market.http.put(f"/v1/carts/{cart['id']}/items/{product}", json={"secret": cart["secret"], "quantity": quantity})
        assert answer.status_code == 200, answer.text
    assert market.http.get(f"/v1/carts/{cart['id']}", params={"secret": cart["secret"]}).json()["units"] == 3
    problem(market.http.get(f"/v1/carts/{cart['id']}", params={"secret": "guessed"}), 404, "no_such_cart")
    problem(market.http.get(f"/v1/carts/{uuid.uuid4()}", params={"secret": cart["secret"]}), 404, "no_such_cart")

    assert ada.put(lamp, 1).status_code == 200
    merged = ada.post("/v1/cart/merge", cart, None)
    assert merged.status_code == 200 and {i["product_id"]: i["quantity"] for i in merged.json()["items"]} == {lamp: 2, chair: 2}
    assert ada.post("/v1/cart/merge", cart, None).json() == merged.json()
    key = str(uuid.uuid4())
    order = ada.post("/v1/orders", {"cart_id": merged.json()["id"]}, key)
    assert order.status_code == 201 and order.json()["total"] == merged.json()["total"]
    assert ada.get("/v1/cart").json()["items"] == []
    again = ada.post("/v1/orders", {"cart_id": merged.json()["id"]}, key)
    assert again.text == order.text and again.headers["idempotency-replayed"] == "true"
    problem(ada.post("/v1/orders", {"cart_id": merged.json()["id"]}), 409, "cart_empty")
    market.check_books(lamp, chair)


def test_the_secret_of_a_guests_cart_is_in_no_log(market):
    cart = market.http.post("/v1/carts").json()
    market.http.get(f"/v1/carts/{cart['id']}", params={"secret": cart["secret"]})
    market.http.put(f"/v1/carts/{cart['id']}/items/{NOBODYS}", json={"secret": cart["secret"], "quantity": 1})
    market.http.delete(f"/v1/carts/{cart['id']}", params={"secret": cart["secret"]})
    until(lambda: market.err.read_text().count(cart["id"]) >= 3)
    assert cart["secret"] not in market.err.read_text() + market.printed()


def test_a_price_that_changes_is_told_and_the_new_one_is_paid(market, ada):
    lamp = market.product(stock=5)
    before = ada.put(lamp, 1).json()
    assert "note" not in before["items"][0]
    market.database("catalog").execute("update product set price_minor = price_minor + 111 where id = %s", (lamp,))
    until(lambda: ada.get("/v1/cart").json()["total"] != before["total"])                  # the catalogue remembers for a second
    line = ada.get("/v1/cart").json()["items"][0]
    assert line["note"] == "price_changed" and line["price_before"] == before["items"][0]["price"]
    order = ada.post("/v1/orders", {"cart_id": before["id"]})
    assert order.json()["total"]["amount"] == before["total"]["amount"] + 111


# ---- cancel and return ------------------------------------------------------------------------------------------------------

def test_a_cancelled_order_gives_stock_and_money_back(market, ada):
    lamp = market.product(stock=5)
    order = ada.order((lamp, 3), ship_to=ADA, note="Ring twice.")
    problem(Buyer(market, "Bob").post(f"/v1/orders/{order['id']}/cancel", {"reason": "x"}, None), 404, "no_such_order")
    cancelled = ada.post(f"/v1/orders/{order['id']}/cancel", {"reason": "Ordered by mistake"}, None)
    assert cancelled.status_code == 200 and cancelled.json()["state"] == "cancelled"
    assert ada.post(f"/v1/orders/{order['id']}/cancel", {"reason": "again"}, None).text == cancelled.text
    assert cancelled.json()["invoice_number"] == order["invoice_number"] and cancelled.json()["ship_to"] == ADA and cancelled.json()["note"] == "Ring twice."
    end = cancelled.json()["history"][-1]
    invoice, credit = ada.get(f"/v1/invoices/{order['invoice_number']}").json(), ada.get(f"/v1/credit-notes/{end['credit_note_number']}").json()
    assert (end["state"], end["note"]) == ("cancelled", "Ordered by mistake") and credit["credits"] == invoice["number"]
    for bill in (invoice, credit):
        check_sums(bill, order["total"]["amount"])
        assert bill["buyer"]["address"] == ADA and bill["seller"]["vat_id"]
    until(lambda: market.get(f"/v1/inventory/{lamp}").json()["available"] == 5)
    until(lambda: market.one("payments", "select coalesce(sum(amount_minor), 0) from transfer where kind = 2 and order_id = %s", order["id"]) == order["total"]["amount"]
          or market.one("payments", "select count(*) from transfer where kind = 1 and order_id = %s", order["id"]) == 0)
    problem(ada.post(f"/v1/orders/{order['id']}/returns", {"items": [{"product_id": lamp, "quantity": 1}], "reason": "x"}), 409, "order_cancelled")


def test_an_order_comes_back_piece_by_piece(market, ada):
    lamp, chair = market.product(stock=5), market.product(stock=5)
    order = ada.order((lamp, 2), (chair, 3))

    def back(who, product, quantity, key=True, **more):
        return market.ask("POST", f"/v1/orders/{order['id']}/returns", who, key, json={"items": [{"product_id": product, "quantity": quantity}], "reason": "Scratched", **more})

    key, credited = str(uuid.uuid4()), 0
    first = back(ada.token, chair, 1, key)
    assert first.status_code == 201 and first.headers["location"] == f"/v1/credit-notes/{first.json()['number']}"
    again = back(ada.token, chair, 1, key)
    assert again.text == first.text and again.headers["idempotency-replayed"] == "true"
    problem(back(ada.token, chair, 2, key), 422, "idempotency_key_reused")
    problem(back(ada.token, chair, 3), 409, "more_than_left", "/items/0/quantity")
    problem(back(ada.token, chair, 1, restock=True), 403, "staff_only", "/restock")
    assert ada.get(f"/v1/orders/{order['id']}").json()["state"] == "partly_returned"
    problem(ada.post(f"/v1/orders/{order['id']}/cancel", {"reason": "x"}, None), 409, "already_returned")
    rest = [back("staff", chair, 2, restock=True), back("staff", lamp, 2, restock=True)]
    for answer in [first, *rest]:
        check_sums(answer.json(), answer.json()["gross"]["amount"])
        credited += answer.json()["gross"]["amount"]
    assert credited == order["total"]["amount"]
    whole = ada.get(f"/v1/orders/{order['id']}").json()
    assert whole["state"] == "returned" and all(i["credited"] == i["quantity"] for i in whole["items"])
    until(lambda: market.get(f"/v1/inventory/{lamp}").json()["available"] == 5)
    until(lambda: market.get(f"/v1/inventory/{chair}").json()["available"] == 4)           # one that nobody has looked at
    until(lambda: market.one("payments", "select coalesce(sum(amount_minor), 0) from transfer where kind = 2 and order_id = %s", order["id"]) == credited)


def test_returns_at_once_never_exceed_what_was_sold(market, ada):
    lamp = market.product(stock=10)
    order = ada.order((lamp, 10))
    answers = at_once(16, lambda i: ada.post(f"/v1/orders/{order['id']}/returns", {"items": [{"product_id": lamp, "quantity": 2}], "reason": "x"}))
    assert sorted(a.status_code for a in answers) == [201] * 5 + [409] * 11
    assert sum(a.json()["gross"]["amount"] for a in answers if a.status_code == 201) == order["total"]["amount"]
    numbers = [int(a.json()["number"].rsplit("-", 1)[1]) for a in answers if a.status_code == 201]
    assert len(set(numbers)) == 5
    year = datetime.datetime.now(datetime.timezone.utc).year
    assert market.one("orders", f"select max(no) = count(*) from credit_note where year = {year}")


# ---- addresses, imports, lists --------------------------------------------------------------------------------------------------

def test_an_address_is_copied_not_referenced(market, ada):
    lamp = market.product(stock=5)
    home = ada.post("/v1/me/addresses", ADA)
    assert home.status_code == 201, home.text
    order = ada.order((lamp, 1), address_id=home.json()["id"])
    assert {k: order["ship_to"][k] for k in ADA} == ADA
    market.database("identity").execute("update address set city = 'Paris' where id = %s", (home.json()["id"],))
    assert ada.get(f"/v1/orders/{order['id']}").json()["ship_to"] == order["ship_to"]
    other = Buyer(market, "Bob").post("/v1/orders", {"items": [{"product_id": lamp, "quantity": 1}], "address_id": home.json()["id"]})
    problem(other, 400, "invalid", "/address_id")


def test_staff_import_an_old_order_and_nobody_else_does(market, ada):
    lamp = market.product(stock=5000)
    body = {"buyer": ada.id, "placed_at": "2010-12-01T08:26:00Z",
            "items": [{"product_id": lamp, "quantity": 4000, "price": {"amount": 255, "currency": "GBP"}, "name": "WHITE LANTERN", "vat_bp": 2000},
                      {"product_id": lamp, "quantity": 1, "price": {"amount": 199, "currency": "GBP"}}]}
    p = problem(ada.post("/v1/orders", body), 403, "import_only", "/items/0/price")
    assert {"/buyer", "/placed_at", "/items/0/name", "/items/0/vat_bp", "/items/1/price"} <= {e["pointer"] for e in p["errors"]}
    unscoped = market.sign(roles=["staff"], scope="orders:read orders:write")
    problem(market.ask("POST", "/v1/orders", unscoped, True, json=body), 403, "import_only")
    made = market.ask("POST", "/v1/orders", "staff", True, json=body)
    assert made.status_code == 201, made.text
    order = ada.get(f"/v1/orders/{made.json()['id']}").json()
    assert re.fullmatch(r"SK-2010-\d{8}", order["invoice_number"]) and order["total"] == {"amount": 4000 * 255 + 199, "currency": "GBP"}
    check_sums(ada.get(f"/v1/orders/{order['id']}/invoice").json(), order["total"]["amount"])
    listed = market.ask("GET", "/v1/orders", "staff", params={"placed_from": "2010-12-01T00:00:00Z", "placed_to": "2010-12-02T00:00:00Z"}).json()["items"]
    assert order["id"] in [o["id"] for o in listed] and {o["placed_at"][:10] for o in listed} == {"2010-12-01"}
    back = market.ask("POST", f"/v1/orders/{order['id']}/returns", "staff", True,
                      json={"items": [{"line": 2, "quantity": 1}], "reason": "C536365", "returned_at": "2011-01-09T10:00:00Z"})
    assert back.status_code == 201 and back.json()["number"].startswith("CN-2011-") and back.json()["gross"]["amount"] == 199
    market.check_books()


def test_lists_by_state_and_day(market, ada):
    lamp = market.product(stock=20)
    orders = [ada.order((lamp, 1)) for _ in range(5)]
    assert ada.post(f"/v1/orders/{orders[2]['id']}/cancel", {"reason": "x"}, None).status_code == 200
    assert [o["id"] for o in ada.get("/v1/orders", params={"state": "cancelled"}).json()["items"]] == [orders[2]["id"]]
    assert len(ada.get("/v1/orders", params={"placed_from": orders[3]["placed_at"]}).json()["items"]) == 2
    mine = market.ask("GET", "/v1/orders", "staff", params={"buyer": ada.id, "limit": 3}).json()
    assert len(mine["items"]) == 3 and mine["next"]
    problem(ada.get("/v1/orders", params={"buyer": NOBODYS}), 403, "staff_only", "buyer")
    problem(ada.get("/v1/orders", params={"sort": "number"}), 400, "invalid", "sort")
    problem(ada.get("/v1/orders", params={"state": "lost"}), 400, "invalid", "state")
