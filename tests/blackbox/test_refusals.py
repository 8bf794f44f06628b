# SPDX-License-Identifier: Apache-2.0
"""Every route, asked wrongly: each refusal says what is wrong and where, and changes nothing."""
import copy
import json

import httpx
import pytest

from market import EITHER, NOBODYS, PROTECTED, ROUTES, WITH_BODY, at, name_of, problem
from souk import ROOT

SPEC = json.loads((ROOT / "api" / "openapi.json").read_text())["paths"]
ROLES = {"user": "customer", "vendor": "vendor", "staff": "staff", "admin": "admin", "anyone": None}


def send(market, route, body=None, path=None, **more):
    """By somebody who may; body NULL: as it should be. Where a precondition is needed there is one."""
    options = {"json": route.body if body is None else body} if route.body else {"json": {}} if route.method == "PATCH" else {}
    match = any(p["name"] == "If-Match" for p in SPEC[route.path][route.method.lower()]["parameters"])
    headers = {**({"if-match": "*"} if match else {}), **more.pop("headers", {})}
    return market.ask(route.method, path or at(route.path), ROLES[route.who], route.key, headers=headers, **{**options, **more})


def test_the_table_of_routes_is_the_programs(market):
    paths = market.get("/openapi.json").json()["paths"]
    assert {(m.upper(), p) for p, methods in paths.items() for m in methods if m in ("get", "post", "put", "patch", "delete")} == \
           {(r.method, r.path) for r in ROUTES}


# ---- who --------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("route", PROTECTED, ids=name_of)
def test_without_a_token_it_is_401(quiet, route):
    answer = quiet.ask(route.method, at(route.path), json=route.body)
    problem(answer, 401, "missing_token")
    assert answer.headers["www-authenticate"] == 'Bearer realm="souk"'
    answer = quiet.ask(route.method, at(route.path), json=route.body, headers={"authorization": "Basic YTpi"})
    problem(answer, 401, "missing_token")               # RFC 6750, section 3.1: no error code for another scheme
    assert answer.headers["www-authenticate"] == 'Bearer realm="souk"'


@pytest.mark.parametrize("route", [r for r in PROTECTED if r.scope], ids=name_of)
def test_without_the_scope_it_is_403(quiet, route):
    every = ["customer", "vendor", "staff", "admin"]
    scopes = {r.scope for r in PROTECTED if r.scope} - {route.scope}
    for scope in (" ".join(sorted(scopes)), "", route.scope + "x", route.scope[:-1]):
        answer = quiet.ask(route.method, at(route.path), quiet.sign(roles=every, scope=scope), route.key, json=route.body)
        problem(answer, 403, "insufficient_scope")
        assert f'scope="{route.scope}"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("route", [r for r in PROTECTED if r.who != "user"], ids=name_of)
def test_another_role_is_403_whatever_its_scopes(quiet, route):
    lower = {"vendor": ["customer"], "staff": ["customer", "vendor"], "admin": ["customer", "vendor", "staff"]}[route.who]
    token = quiet.sign(roles=lower, scope=route.scope or "debug:read")
    problem(quiet.ask(route.method, at(route.path), token, route.key, json=route.body), 403, "forbidden")


@pytest.mark.parametrize("path", ["/v1/orders/{}", "/v1/orders/{}/invoice", "/v1/payments/{}"])
def test_somebody_elses_is_404_as_if_it_were_not_there(market, stranger, path):
    token, order = stranger
    market.settle()
    assert market.ask("GET", path.format(order["id"]), token).status_code == 200
    assert market.ask("GET", path.format(order["id"]), "staff").status_code == 200
    with market.unchanged():
        theirs, none = (problem(market.ask("GET", path.format(i), "customer"), 404) for i in (order["id"], NOBODYS))
    assert all(theirs[k] == none[k] for k in ("type", "title", "status", "detail", "slug"))


def test_a_list_has_only_ones_own(market, stranger):
    token, order = stranger
    assert [o["id"] for o in market.ask("GET", "/v1/orders", token).json()["items"]] == [order["id"]]
    assert order["id"] not in [o["id"] for o in market.ask("GET", "/v1/orders?limit=100", "customer").json()["items"]]


# A guest's cart needs its secret as well, and a cart without an item is the same cart.
@pytest.mark.parametrize("route", [r for r in ROUTES if "{" in r.path and not r.path.startswith("/v1/cart")], ids=name_of)
def test_an_id_that_nothing_has_is_404_and_one_that_is_none_is_400(quiet, route):
    variable = route.path[route.path.index("{") + 1:route.path.index("}")]
    kind = next(p["schema"] for p in SPEC[route.path][route.method.lower()]["parameters"] if p["name"] == variable)
    if not route.path.startswith(("/v1/inventory/balances", "/v1/inventory/movements")):             # an empty ledger is one
        problem(send(quiet, route), 404)
    for word in ("1", "x" * 36, NOBODYS + "0", "%00", "..%2f", "%ff", "' or 1=1 --", NOBODYS.replace("-", "")):
        if kind.get("format") == "uuid":
            problem(send(quiet, route, path=route.path.replace("{" + variable + "}", word)), 400, pointer=variable)


# ---- the body -----------------------------------------------------------------------------------------------------------------

def places(value, pointer=""):
    """Every (pointer, value) in a JSON value, from the top."""
    yield pointer, value
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, f"{pointer}/{name}")


def changed(body, pointer, new=None, drop=False):
    """A copy with another value at pointer, or without it."""
    copied = copy.deepcopy(body)
    if not pointer:
        return new
    *way, last = pointer[1:].split("/")
    inner = copied
    for step in way:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    last = int(last) if isinstance(inner, list) else last
    if drop:
        del inner[last]
    else:
        inner[last] = new
    return copied


BODIES = [r for r in WITH_BODY if r.path != "/v1/products/import"]      # which judges each row by itself


@pytest.mark.parametrize("route", BODIES, ids=name_of)
def test_a_missing_member_is_named(quiet, route):
    for pointer, _ in places(route.body):
        if pointer and pointer not in route.optional and not pointer[-1].isdigit():
            problem(send(quiet, route, changed(route.body, pointer, drop=True)), 400, "invalid", pointer)


@pytest.mark.parametrize("route", BODIES, ids=name_of)
def test_a_member_of_the_wrong_kind_is_named(quiet, route):
    kinds = [{}, [], "text", 7, 1.5, True, 1e300, 2 ** 70]
    for pointer, value in places(route.body):
        for other in kinds:
            same = isinstance(value, (dict, list)) and isinstance(other, type(value)) or isinstance(value, str) and isinstance(other, str) or \
                   type(value) is int and other == 7 or type(value) is bool and other is True
            if not same:
                problem(send(quiet, route, changed(route.body, pointer, other)), 400, "invalid", pointer)


@pytest.mark.parametrize("route", BODIES, ids=name_of)
def test_null_is_no_value_of_a_member_that_must_be_there(quiet, route):
    for pointer, _ in places(route.body):
        if pointer and pointer not in route.optional:
            problem(send(quiet, route, changed(route.body, pointer, None)), 400, "invalid", pointer)


@pytest.mark.parametrize("route", WITH_BODY, ids=name_of)
def test_an_unknown_member_is_named_at_every_depth(quiet, route):
    rows = route.path == "/v1/products/import"
    for pointer, value in places(route.body):
        if isinstance(value, dict) and not (rows and pointer):
            problem(send(quiet, route, changed(route.body, f"{pointer}/is_admin", True)), 400, "invalid", f"{pointer}/is_admin")


def test_an_unknown_member_whose_name_has_a_slash_is_escaped(quiet):
    answer = quiet.ask("POST", "/v1/sessions", json={"email": "a@b.example", "password": "x", "~/": 1})
    problem(answer, 400, "invalid", "/~0~1")


@pytest.mark.parametrize("route", BODIES, ids=name_of)
def test_all_faults_are_told_at_once(quiet, route):
    answer = send(quiet, route, {"one": 1, "two": 2})
    pointers = {e["pointer"] for e in problem(answer, 400, "invalid")["errors"]}
    required = {p for p, _ in places(route.body) if p.count("/") == 1 and p not in route.optional and (route.path, p) not in EITHER}
    assert pointers == {"/one", "/two"} | required


MALFORMED = {
    "not json": b"{", "a word": b"nil", "an array": b"[]", "a number": b"1", "trailing": b"{} {}", "single quotes": b"{'a':1}", "comment": b"{/**/}",
    "utf-8 cut": b'{"email":"\xc3"}', "overlong": b'{"email":"\xc0\xaf"}', "surrogate": b'{"email":"\\ud800"}', "control": b'{"email":"\x01"}',
    "repeated": b'{"email":"a","email":"b"}', "byte order mark": b"\xef\xbb\xbf{}", "utf-16": '{"a":1}'.encode("utf-16"), "deep": b'{"a":' * 40 + b"1" + b"}" * 40,
    "nan": b'{"email":NaN}', "a nul": b'{"email":"\\u0000"}', "blank": b"   ",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_body_is_400(quiet, what):
    for route in WITH_BODY:
        answer = send(quiet, route, content=MALFORMED[what], json=None, headers={"content-type": "application/json"})
        problem(answer, 400)


@pytest.mark.parametrize("route", WITH_BODY, ids=name_of)
def test_no_body_is_400_and_another_type_415(quiet, route):
    problem(send(quiet, route, json=None), 400 if {p for p, _ in places(route.body) if p.count("/") == 1} - set(route.optional) else 404)
    text = json.dumps(route.body).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", ""):
        problem(send(quiet, route, content=text, json=None, headers={"content-type": kind}), 415, "unsupported_media_type", "Content-Type")
    problem(send(quiet, route, content=text, json=None, headers={"content-type": "application/json", "content-encoding": "gzip"}), 415, pointer="Content-Encoding")


@pytest.mark.parametrize("route", WITH_BODY, ids=name_of)
def test_a_body_that_is_too_large_is_413(quiet, route):
    size = (8 if route.path.endswith(("/import", "/rows")) else 1) * 1024 * 1024 + 1
    big = json.dumps({"x": "x" * size}).encode()
    for content in (big, (big[i:i + 65536] for i in range(0, len(big), 65536))):        # told at its head, and found out on the way (chunked)
        try:
            p = problem(send(quiet, route, content=content, json=None, headers={"content-type": "application/json"}), 413)
            assert route.path.endswith(("/import", "/rows")) or p["slug"] == "body_too_large" and p["instance"]
        except (httpx.WriteError, httpx.ReadError):
            pass                                        # the connection was closed on what still came


LONG = [("POST /v1/users", "/email", "a" * 250 + "@b.example"), ("POST /v1/users", "/password", "p" * 129), ("POST /v1/users", "/password", "short"),
        ("POST /v1/users", "/name", "n" * 101), ("POST /v1/users", "/name", ""), ("POST /v1/users", "/email", "no-at.example"),
        ("POST /v1/users", "/email", "a@b@c"), ("POST /v1/users", "/email", "a b@c.example"),
        ("POST /v1/sessions", "/email", "e" * 255), ("POST /v1/sessions", "/password", "p" * 129), ("POST /v1/sessions/refresh", "/refresh_token", "r" * 201),
        ("POST /v1/products", "/sku", "s" * 65), ("POST /v1/products", "/sku", ""), ("POST /v1/products", "/name", "n" * 301),
        ("POST /v1/products", "/description", "d" * 20001), ("POST /v1/products", "/brand", "b" * 101), ("POST /v1/products", "/category", "c" * 501),
        ("POST /v1/products", "/vat_bp", -1), ("POST /v1/products", "/vat_bp", 10001), ("POST /v1/products", "/images", ["https://x.example/"] * 21),
        ("POST /v1/products", "/attributes", [{"name": f"a{i}", "value": "v"} for i in range(201)]), ("POST /v1/products", "/price/currency", "euro"),
        ("POST /v1/products", "/price/amount", -1), ("POST /v1/products", "/price/amount", 2 ** 63), ("POST /v1/products", "/attributes/0/name", ""),
        ("POST /v1/products", "/attributes/0/value", "v" * 2001), ("POST /v1/products", "/tags", ["t"] * 51), ("POST /v1/products", "/tags/0", "t" * 51),
        ("POST /v1/products", "/categories", ["c"] * 11), ("POST /v1/products", "/categories/0", "c>d"), ("PUT /v1/products/{id}", "/sku", "s" * 65),
        ("POST /v1/imports", "/source", "s" * 301), ("POST /v1/imports/{id}/rows", "/from", -1), ("POST /v1/imports/{id}/rows", "/from", 10 ** 7 + 1),
        ("POST /v1/imports/{id}/rows", "/rows", [{"detail": "d"}] * 1001), ("PUT /v1/categories/{id}", "/name", "n" * 101),
        ("POST /v1/categories", "/name", ""), ("POST /v1/categories", "/name", "n" * 101),
        ("POST /v1/inventory/adjustments", "/delta", 0), ("POST /v1/inventory/adjustments", "/delta", 2 ** 31),
        ("POST /v1/inventory/adjustments", "/reason", "r" * 201), ("POST /v1/inventory/receipts", "/items/0/quantity", 0),
        ("POST /v1/inventory/receipts", "/items/0/quantity", -1), ("POST /v1/inventory/receipts", "/items/0/quantity", 1000001), ("POST /v1/inventory/receipts", "/note", "n" * 201),
        ("POST /v1/warehouses", "/country", "Germany"), ("POST /v1/warehouses", "/code", ""), ("POST /v1/orders", "/items", []),
        ("POST /v1/orders", "/items/0/quantity", 0), ("POST /v1/orders", "/items/0/quantity", -5), ("POST /v1/orders", "/items/0/quantity", 2 ** 31),
        ("POST /v1/orders", "/items/0/quantity", 2 ** 63), ("POST /v1/orders", "/items/0/product_id", "x"), ("POST /v1/orders", "/payment/card", "4242"),
        ("POST /v1/orders", "/payment/card", "4242 4242 4242 4242"), ("POST /v1/orders", "/payment/card", "4" * 20),
        ("POST /v1/orders", "/items", [{"product_id": NOBODYS, "quantity": 1}] * 1001)]


@pytest.mark.parametrize("route, pointer, value", LONG, ids=lambda v: str(v)[:30])
def test_a_value_out_of_its_bounds_is_named(quiet, route, pointer, value):
    row = next(r for r in ROUTES if name_of(r) == route)
    problem(send(quiet, row, changed(row.body, pointer, value)), 400, "invalid", pointer)


def test_a_product_twice_in_an_order_is_named_where_it_repeats(quiet):
    answer = quiet.ask("POST", "/v1/orders", "customer", True, json={"items": [{"product_id": NOBODYS, "quantity": 1}] * 2})
    problem(answer, 400, "invalid", "/items/1/product_id")


def test_what_is_named_in_a_body_must_exist(quiet):
    for path, body, pointer in (("/v1/orders", {"items": [{"product_id": NOBODYS, "quantity": 1}]}, "/items/0/product_id"),
                                ("/v1/inventory/receipts", {"items": [{"product_id": NOBODYS, "quantity": 1}]}, "/items/0/product_id"),
                                ("/v1/inventory/adjustments", {"product_id": NOBODYS, "delta": 1, "reason": "r"}, "/product_id"),
                                ("/v1/categories", {"parent_id": NOBODYS, "name": "Child"}, "/parent_id")):
        problem(quiet.ask("POST", path, "staff", True, json=body), 400, pointer=pointer)


# ---- query strings --------------------------------------------------------------------------------------------------------------

QUERIES = [("limit=0", "limit"), ("limit=101", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"), ("limit=1&limit=2", "limit"), ("limit=", "limit"),
           ("cursor=", "cursor"), ("cursor=bm9uZQ", "cursor"), ("cursor=%00", "cursor"), ("sort=nothing", "sort"), ("sort=id;drop", "sort"), ("unknown=1", "unknown"),
           ("limit=99999999999999999999", "limit")]
LISTS = ["/v1/products", "/v1/categories", "/v1/brands", "/v1/imports", "/v1/inventory", "/v1/warehouses", f"/v1/inventory/movements/{NOBODYS}", "/v1/orders", "/v1/invoices"]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_refuses_what_it_does_not_know_by_name(quiet, path):
    for query, name in QUERIES:
        problem(quiet.ask("GET", f"{path}?{query}", "staff"), 400, pointer=name)


def test_filters_are_checked(quiet):
    for query, name in (("price_min=-1", "price_min"), ("price_max=1.5", "price_max"), ("category=x", "category"), ("q=" + "q" * 201, "q"), ("q=%ff", "q"),
                        ("sku=" + "s" * 65, "sku"), ("price_min=9223372036854775808", "price_min"), ("currency=EURO", "currency"), ("in_stock=1", "in_stock"),
                        ("attribute=red", "attribute/0"), ("attribute=" + ",".join(["a:b"] * 11), "attribute"), ("tag=" + ",".join("abcdefghijk"), "tag"), ("owner=me", "owner")):
        problem(quiet.ask("GET", f"/v1/products?{query}"), 400, pointer=name)
    problem(quiet.ask("GET", "/v1/invoices?year=x", "staff"), 400, pointer="year")
    several = problem(quiet.ask("GET", "/v1/products?limit=x&sort=foo&colour=red"), 400)
    assert {e["pointer"] for e in several["errors"]} == {"limit", "sort", "colour"}


def test_a_route_without_parameters_takes_none(quiet):
    for path, token in (("/v1/me", "customer"), (f"/v1/orders/{NOBODYS}", "customer"), ("/v1/ledger/trial-balance", "staff")):
        problem(quiet.ask("GET", path + "?debug=1", token), 400, pointer="debug")


def test_a_cursor_of_another_list_or_changed_is_refused(market):
    for _ in range(3):
        market.product(brand=f"Cursor {next(market.numbers)}")
    cursor = market.get("/v1/products?limit=1").json()["next"].partition("cursor=")[2]
    assert market.get(f"/v1/products?limit=1&cursor={cursor}").status_code == 200
    for path in (f"/v1/brands?cursor={cursor}", f"/v1/products?cursor={cursor[:-2]}AA", f"/v1/products?sort=price&cursor={cursor}"):
        problem(market.get(path), 400, pointer="cursor")


# ---- methods, HEAD, OPTIONS, Accept -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", sorted({r.path for r in ROUTES}))
def test_methods(quiet, path):
    mine = [r for r in ROUTES if r.path == path]
    allowed = {r.method for r in mine} | {"OPTIONS"} | ({"HEAD"} if any(r.method == "GET" for r in mine) else set())
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        if method not in allowed:
            answer = quiet.ask(method, at(path), "admin")
            problem(answer, 405, "method_not_allowed")
            assert {m.strip() for m in answer.headers["allow"].split(",")} == allowed
    answer = quiet.ask("OPTIONS", at(path))
    assert answer.status_code == 204 and answer.content == b""
    assert {m.strip() for m in answer.headers["allow"].split(",")} == allowed


@pytest.mark.parametrize("path", ["/v1/products", "/", "/metrics", "/healthz", "/oauth2/jwks", "/v1/orders", "/v1/me"])
def test_head_has_the_heads_of_get_and_no_body(quiet, path):
    head, get = (quiet.ask(m, path, "customer") for m in ("HEAD", "GET"))
    assert head.status_code == get.status_code == 200 and head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    if path != "/metrics" and path != "/":
        assert head.headers["content-length"] == get.headers["content-length"]
    assert problem(quiet.ask("HEAD", "/v1/nothing"), 404) is None
    assert quiet.ask("HEAD", "/v1/nothing").content == b""


def test_options_of_the_server_and_of_nothing(quiet):
    problem(quiet.ask("OPTIONS", "/v1/nothing"), 404, "no_such_path")
    problem(quiet.ask("GET", "/v1/nothing", "customer"), 404, "no_such_path")
    problem(quiet.ask("GET", "/v1/products/"), 404)


@pytest.mark.parametrize("route", [r for r in ROUTES if r.path.startswith("/v1/") and not r.path.endswith(("/import", "/webhooks/payments"))
                                   and "406" in SPEC[r.path][r.method.lower()]["responses"]], ids=name_of)
def test_an_answer_nobody_takes_is_406_before_anything_is_done(quiet, route):
    for accept in ("text/html", "application/xml, image/*", "application/json;q=0", "*/*;q=0"):
        problem(send(quiet, route, headers={"accept": accept}), 406, "not_acceptable", "Accept")


def test_an_answer_that_somebody_takes_a_little_is_given(market):
    for accept in ("text/html;q=0.9, application/*;q=0.1", "*/*", "application/json", "text/plain, */*;q=0.01"):
        assert market.ask("GET", "/v1/products", headers={"accept": accept}).status_code == 200
