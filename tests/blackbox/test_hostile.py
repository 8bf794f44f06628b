# SPDX-License-Identifier: Apache-2.0
"""Texts and numbers that have broken programs, in every place of the API's description that takes one.

What the description says of a place decides what must happen there, so a place that is added is tested without a line here: a text that it excludes is a
400 that names the place, one that it allows comes back byte for byte, and what is refused changes nothing. To be quick, a request has a hostile text in all
of its places at once; each text meets each place."""
import itertools
import json
import re
import urllib.parse
import uuid

import pytest

from market import ADDRESS, NOBODYS, problem
from test_matrix import ALL, EVERY_SCOPE, SPEC, at, body, media, parameters, replaced, role, takes_json

# ---- texts: each is a name, so that a failure says which ---------------------------------------------------------------------------

TEXTS = [
    "", " ", "\t", "\n", "\r\n", "a\u0000b", "\u0000", "\u0001\u0002\u001f", "\u007f", "\u0080\u009f", "\u00a0", "\u00ad", "\u2028\u2029", "\ufeff", "\ufeffname", "\u200b\u200d",
    "\ue000\uf8ff", "\ufdd0", "\ufffe\uffff", "\U0001fffe", "\U0010ffff", "\u202eevil\u202c", "\u2066left\u2069", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "\u05e9\u05dc\u05d5\u05dd abc", "\ufdfd", "e\u0301", "\u00e9", "\u212b\u00c5A\u030a", "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e", "a" + "\u0301" * 90,
    "\u1e9b\u0323", "\ufb01\uff21\u2460", "\u0130\u0131\u017f\u00df\u1e9e", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f", "\U0001d54f",
    "\u4e2d\u6587\u540d\u5b57", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u03a3\u03c3\u03c2", "\u0e01\u0e33", "\U000e0001\U000e0041", "\u180e\u2800\u3164",
    "' or '1'='1", "'; drop table orders; --", "\\'; --", "1; select pg_sleep(9)", "$1", "$$", ":caller", "%", "_", "100%_\\", "\\", "\\\\", "\"", "'", "`", "''", "\"\"", "E'\\x41'",
    "../../../../etc/passwd", "..\\..\\windows", "/dev/null", "file:///etc/passwd", "C:\\", "~root", "con", ".", "..", "%00", "%2e%2e%2f", "%25", "%u0000", "+", "a+b c", "&amp;", "&lt;",
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{7*7}}", "${jndi:ldap://x}", "#{1}", "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'c'>]>",
    "%s%s%n%x", "%1$*1$d", "{0}{1.__class__}", "$(id)", "`id`", "; id", "| id", "&& id", "\r\nset-cookie: a=b", "() { :; }", "=1+1", "@SUM(1)", "-1+1", "\u001b[31m", "\\u0041", "\\x00",
    "null", "NULL", "nil", "undefined", "true", "NaN", "-Infinity", "0", "-0", "1e400", "0x10", "9" * 40, "1/0", "[]", "{}", "[object Object]", "__proto__", "constructor", "None", NOBODYS,
    "x" * 20, "x" * 21, "x" * 40, "x" * 41, "x" * 50, "x" * 51, "x" * 64, "x" * 65, "x" * 100, "x" * 101, "x" * 128, "x" * 129, "x" * 200, "x" * 201, "x" * 300, "x" * 301, "x" * 500,
    "x" * 501, "x" * 1000, "x" * 1001, "x" * 2000, "x" * 2001, "\U0001f600" * 20, "\U0001f600" * 21, "\U0001f600" * 100, "\U0001f600" * 101, "\U0001f600" * 200, "\U0001f600" * 500,
    "ada@example.org", "https://img.example/\u202e1.jpg", "GB", "EUR", "2026-11-24T08:09:27Z", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59+23:59", "a > b", "a > ", "colour:red",
]
SORTED_OUT = [t for t in TEXTS if "\0" in t or not t or len(t) >= 20] + TEXTS[::10]          # the rest differ in what they mean, not in how long they are
# No text at all: halves of pairs, and bytes that are no UTF-8 (overlong, a surrogate, cut short, beyond the last character, a stray tail, Latin-1).
NO_TEXTS = [rb'"\ud800"', rb'"\udc00"', rb'"\udc00\ud800"', rb'"\ud800\u0041"', rb'"\ud83d"', b'"\xc0\xaf"', b'"\xe0\x80\xaf"', b'"\xf0\x80\x80\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"',
            b'"\xf8\x88\x80\x80\x80"', b'"\x80"', b'"\xff"', b'"\xfe\xff"', b'"\xe2\x82"', b'"caf\xe9"', b'"\xc0\x80"']
WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBERS = ["0", "-0", "1", "-1", "999", "1000", "1001", "10000", "10001", "1000000", "1000001", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967296", "9007199254740993",
           "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" + "0" * 400, "-1" + "0" * 400, "0.0", "-0.0", "1.0", "1.5",
           "0.1", "1e0", "1E2", "1e-1", "-1e1", "1e400", "-1e400", "1e-400", "1e99999999999", "0e99999999999", "3.14159265358979323846", '"1"', '""', "null", "true", "[1]", '{"amount":1}']
NO_NUMBERS = ["01", "-", "+1", ".5", "1.", "1e", "0x10", "NaN", "Infinity", "-Infinity", "1_000", "1,000", "--1", "\u0661"]     # nor is it JSON


# ---- what the description allows -----------------------------------------------------------------------------------------------------

def resolved(schema):
    """(schema without references, may it be null)"""
    while "$ref" in schema:
        schema = SPEC["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        inner, null = schema["anyOf"]
        assert null == {"type": "null"}
        return {**resolved(inner)[0]}, True
    return schema, False


def places(schema, path=(), optional=False):
    """Every (path, schema, may be null) of a value that is no object and no list."""
    schema, null = resolved(schema)
    if "properties" in schema:
        for name, inner in schema["properties"].items():
            yield from places(inner, (*path, name), name not in schema.get("required", []))
    elif schema["type"] == "array":
        yield from places(schema["items"], (*path, 0))
    else:
        yield path, schema, null or optional


# A JSON body's places with a format of which the description has no pattern are held to be refused or not, but named when they are.
def allows(schema, text):
    """None: that is not said there."""
    if "enum" in schema:
        return text in schema["enum"]
    if "\0" in text or not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 1000):
        return False
    if schema.get("format") == "uuid":
        return bool(re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text))
    if "pattern" in schema and not re.search(schema["pattern"], text):
        return False
    return None if schema.get("format") in ("email", "uri", "date-time", "currency", "country") else True


def pointer(path):
    return "".join(f"/{step}" for step in path)


def fitted(schema, value=None, path=()):
    """The example with every member that the schema has, so that there is a place for each text."""
    schema, _ = resolved(schema)
    if "properties" in schema:
        given = value if isinstance(value, dict) else {}
        return {name: fitted(inner, given.get(name)) for name, inner in schema["properties"].items()}
    if schema["type"] == "array":
        return [fitted(schema["items"], (value or [None])[0])]
    return value if value is not None else schema.get("examples", [None])[0]


def schema_of(o):
    return o.what["requestBody"]["content"][media(o)]["schema"]


TAKING = [o for o in ALL if takes_json(o) and not o.path.startswith("/v1/webhooks/")]          # that one's body is signed by its sender
ROWS_ALONE = ("/v1/products/import", "/v1/imports/{id}/rows")                              # which judge each row by itself


def asker(market):
    """Asks as a nobody who may; the raw JSON of the body is given."""
    tokens = {}

    def ask(o, content, path=None):
        who = role(o)
        token = tokens.setdefault(who, market.sign(roles=[who], scope=EVERY_SCOPE)) if who else None
        headers = {p["name"]: p["example"] for p in parameters(o, "header") if p["required"]}
        if "Idempotency-Key" in headers:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if "If-Match" in headers:
            headers["If-Match"] = "*"
        return market.ask(o.method, path or at(o), token, headers={**headers, "content-type": media(o)}, content=content)
    return ask


def written(value, literals):
    """JSON with some places given as they are to be written. literals: (path, bytes)"""
    marks = {}
    for i, (path, literal) in enumerate(literals):
        marks[f'"@{i}@"'.encode()] = literal
        value = replaced(value, path, f"@{i}@")
    text = json.dumps(value, ensure_ascii=False).encode()
    return re.sub(rb'"@\d+@"', lambda m: marks[m[0]], text)


def named(answer):
    return {e["pointer"] for e in answer.json().get("errors", [])}


def refused_by_name(answer, bad, all_places, why):
    """What the description excludes is told, each by its place, and nothing that is no part of the request."""
    p = problem(answer, 400, "invalid")
    told = {e["pointer"] for e in p["errors"]}
    assert bad <= told or len(p["errors"]) >= 64, (bad - told, why)
    assert all(t in all_places or any(place.startswith(t) for place in all_places) for t in told), (told, why)


# ---- bodies ----------------------------------------------------------------------------------------------------------------------------

def test_whatever_text_a_place_excludes_is_refused_by_its_name_and_changes_nothing(quiet):
    ask = asker(quiet)
    for o in TAKING:
        if o.path in ROWS_ALONE:
            continue
        spots = [(path, s) for path, s, _ in places(schema_of(o)) if s["type"] == "string"]
        base = fitted(schema_of(o), body(o))
        known = {pointer(path) for path, _, _ in places(schema_of(o))}
        for turn in range(0, len(SORTED_OUT) if spots else 0, 2 if len(spots) > 3 else 1):
            texts = [(path, s, SORTED_OUT[(turn + 7 * i) % len(SORTED_OUT)]) for i, (path, s) in enumerate(spots)]
            bad = {pointer(path) for path, s, text in texts if allows(s, text) is False}
            if not bad:
                continue
            answer = ask(o, written(base, [(path, json.dumps(text).encode()) for path, _, text in texts]))
            if answer.status_code == 429 and not role(o):
                break                                   # logging in and signing up are for few a minute
            refused_by_name(answer, bad, known, (o.method, o.path, turn))


def test_what_is_no_text_is_refused_by_its_name_and_changes_nothing(quiet):
    ask = asker(quiet)
    for o in TAKING:
        if o.path in ROWS_ALONE:
            continue
        spots = [path for path, s, _ in places(schema_of(o)) if s["type"] == "string"]
        base = fitted(schema_of(o), body(o))
        known = {pointer(path) for path, _, _ in places(schema_of(o))}
        for turn in range(len(NO_TEXTS)) if spots else ():
            answer = ask(o, written(base, [(path, NO_TEXTS[(turn + i) % len(NO_TEXTS)]) for i, path in enumerate(spots)]))
            if answer.status_code == 429 and not role(o):
                break
            refused_by_name(answer, {pointer(path) for path in spots}, known, (o.method, o.path, turn))
            assert {e["slug"] for e in answer.json()["errors"] if e["pointer"] in map(pointer, spots)} == {"bad_utf8"}


def test_numbers_at_all_edges_are_whole_and_in_range_or_refused_by_their_name(quiet):
    ask = asker(quiet)
    for o in TAKING:
        spots = [(path, s, null) for path, s, null in places(schema_of(o)) if s["type"] == "integer"]
        if o.path in ROWS_ALONE or not spots:
            continue
        base = fitted(schema_of(o), body(o))
        known = {pointer(path) for path, _, _ in places(schema_of(o))}
        for turn in range(len(NUMBERS)):
            numbers = [(path, s, null, NUMBERS[(turn + 5 * i) % len(NUMBERS)]) for i, (path, s, null) in enumerate(spots)]
            bad = {pointer(path) for path, s, null, n in numbers
                   if not (WHOLE.fullmatch(n) and s["minimum"] <= int(n) <= s["maximum"] or n == "null" and null)}
            if not bad:
                continue
            refused_by_name(ask(o, written(base, [(path, n.encode()) for path, _, _, n in numbers])), bad, known, (o.method, o.path, turn))
        for n in NO_NUMBERS:
            answer = problem(ask(o, written(base, [(spots[0][0], n.encode())])), 400, "invalid")
            syntax = next(e for e in answer["errors"] if e["slug"] == "syntax")
            assert pointer(spots[0][0]).startswith(syntax["pointer"]), (o.path, n)      # at the number, or where it ended


# ---- what is allowed comes back ------------------------------------------------------------------------------------------------------------

def cut(text, schema):
    """As much of a text as a place allows, or nothing."""
    text = text.replace("\0", "")[:schema.get("maxLength", 1000)]
    return text if len(text) >= schema.get("minLength", 0) else None


def free_texts(o):
    return [(path, s) for path, s, _ in places(schema_of(o)) if s["type"] == "string" and not {"enum", "format", "pattern"} & set(s) and not s.get("writeOnly")]


def found(value, path):
    for step in path:
        value = value[step]
    return value


def home(market, path):
    """(who, a resource of one's own to be patched, places with a grammar of their own)"""
    if path == "/v1/me":
        return market.log_in(market.sign_up()[1])["access_token"], path, set()
    if path == "/v1/products/{id}":
        return "staff", f"/v1/products/{market.product()}", {("sku",), ("category",), ("categories", 0)}
    make, who, value, other = {
        "/v1/me/addresses/{id}": ("/v1/me/addresses", market.log_in(market.sign_up()[1])["access_token"], ADDRESS, set()),
        "/v1/warehouses/{id}": ("/v1/warehouses", "admin", {"code": f"w-{uuid.uuid4().hex[:12]}", "name": "W", "country": "DE"}, set()),
        "/v1/categories/{id}": ("/v1/categories", "staff", {"name": uuid.uuid4().hex}, set())}[path]
    if path == "/v1/categories/{id}":                   # in one of its own: other tests give theirs strange names too
        value["parent_id"] = market.ask("POST", make, who, True, json={"name": uuid.uuid4().hex}).json()["id"]
    made = market.ask("POST", make, who, True, json=value)
    assert made.status_code == 201, made.text
    return who, made.headers["location"], other


@pytest.mark.parametrize("path", ["/v1/me", "/v1/me/addresses/{id}", "/v1/products/{id}", "/v1/warehouses/{id}", "/v1/categories/{id}"])
def test_whatever_text_a_place_allows_comes_back_byte_for_byte(market, path):
    o = next(o for o in ALL if o.method == "PATCH" and o.path == path)
    who, where, other = home(market, path)
    spots = [(way, s) for way, s in free_texts(o) if way not in other]
    for turn in range(len(TEXTS)):
        sent = {way: cut(TEXTS[(turn + 11 * i) % len(TEXTS)], s) for i, (way, s) in enumerate(spots)}
        sent = {way: text for way, text in sent.items() if text is not None and not (path == "/v1/categories/{id}" and (">" in text or text != text.strip(" ")))}
        patch = {}
        for way, text in sent.items():
            patch[way[0]] = text if len(way) == 1 else [{**patch.get(way[0], [{}])[0], way[2]: text}] if len(way) == 3 else [text]
        patch = {k: v for k, v in patch.items() if k != "attributes" or set(v[0]) == {"name", "value"}}
        sent = {way: text for way, text in sent.items() if way[0] in patch}
        if not sent:
            continue
        changed = market.ask("PATCH", where, who, headers={"if-match": "*", "content-type": media(o)}, content=json.dumps(patch, ensure_ascii=turn % 2 == 0).encode())
        assert changed.status_code == 200, (patch, changed.text)
        for answer in (changed, market.ask("GET", where, who)) if turn % 3 == 0 else (changed,):
            for way, want in sent.items():
                got = found(answer.json(), way) if way[0] in answer.json() else ""       # an empty text may be told by its absence
                assert got == want, (way, want, got)
    if path in ("/v1/warehouses/{id}", "/v1/categories/{id}"):
        assert market.ask("DELETE", where, who, headers={"if-match": "*"}).status_code == 204


def test_amounts_come_back_to_the_unit(market):
    for amount, currency in itertools.product((0, 1, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1, 2 ** 53 + 1, 10 ** 15), ("EUR", "JPY", "KWD", "CLF")):
        made = market.ask("POST", "/v1/products", "staff", True, json={"sku": uuid.uuid4().hex, "name": "Amount", "price": {"amount": amount, "currency": currency}})
        if made.status_code == 400:
            problem(made, 400, "invalid", "/price/amount" if "/price/amount" in named(made) else "/price")
            continue
        assert made.status_code == 201, made.text
        for answer in (made, market.get(made.headers["location"])):
            assert f'"price":{{"amount":{amount},"currency":"{currency}"}}' in answer.text
    for amount, currency in ((-1, "EUR"), (-2 ** 63, "EUR"), (2 ** 63 - 1, "EUR"), (1, "XAU"), (1, "X" * 3), (1, "eur"), (1, "EU"), (1, "EURO"), (1, "E\u00daR"), (1, "")):
        made = market.ask("POST", "/v1/products", "staff", True, json={"sku": uuid.uuid4().hex, "name": "Amount", "price": {"amount": amount, "currency": currency}})
        if (amount, currency) != (2 ** 63 - 1, "EUR") or made.status_code != 201:
            problem(made, 400, "invalid")
            assert any(p.startswith("/price") for p in named(made))


def test_an_email_address_is_one_or_is_refused_by_its_name(quiet):
    bad = ["", " ", "ada", "@", "ada@", "@example.org", "ada@@example.org", "a da@example.org", "ada@exa mple.org", "ada@example.org ", " ada@example.org", "ada@example.org\n", "ada\n@example.org",
           "ada@example.org\r\nbcc: x@example.org", "ada\0@example.org", "ada@\u0000", "ada@example..org", "ada@.example.org", "ada@-example.org", ".ada@example.org", "ada..b@example.org", "a" * 65 + "@example.org",
           "a@" + "b" * 254 + ".org", "<ada@example.org>", "Ada <ada@example.org>", "ada@example.org,bob@example.org", "ada@example.org;bob@example.org", "ada\u202e@example.org", "\\@example.org\\", "' or 1=1 --"]
    for email in bad:
        answer = quiet.http.post("/v1/users", json={"email": email, "password": "correct horse battery", "name": "Ada"})
        if answer.status_code == 429:
            break
        assert answer.status_code == 400, (email, answer.text)
        problem(answer, 400, "invalid", "/email")


# ---- queries -----------------------------------------------------------------------------------------------------------------------------

def query(pairs):
    return "&".join(f"{name}={urllib.parse.quote_from_bytes(value, safe='')}" for name, value in pairs)


def test_whatever_a_parameter_is_given_is_taken_or_refused_by_its_name(quiet):
    token = {r: quiet.sign(roles=[r], scope=EVERY_SCOPE) for r in ("customer", "vendor", "staff", "admin")}
    token[None] = None
    raw = [t.encode()[:1500 if len(t) < 400 else 400] for t in TEXTS] + [n[1:-1] for n in NO_TEXTS if b"\\" not in n]
    for o in ALL:
        every = [p["name"] for p in parameters(o, "query")]
        names = [name for name in every if name not in ("fields", "cursor", "sort", "limit")] or every     # what is on every list needs no more than a few texts
        for turn in range(0, len(raw) if names and o.method == "GET" else 0, 30 if names == every else 1):
            pairs = [(name, raw[(turn + 13 * i) % len(raw)]) for i, name in enumerate(names)]
            answer = quiet.ask("GET", at(o) + "?" + query(pairs), token[role(o)])
            assert answer.status_code < 500, (o.path, pairs, answer.text)
            if answer.status_code >= 400:
                p = problem(answer, answer.status_code)
                assert {e["pointer"].split("/")[0] for e in p.get("errors", [])} <= set(names), (o.path, pairs, p)


def test_cursors_nobody_gave_are_refused_by_name(quiet):
    token = {r: quiet.sign(roles=[r], scope=EVERY_SCOPE) for r in ("customer", "vendor", "staff", "admin")}
    token[None] = None
    for o in ALL:
        if o.method != "GET" or "cursor" not in {p["name"] for p in parameters(o, "query")} or "{" in o.path:
            continue
        for cursor in ("", "x", "AAAA", "A" * 44, "A" * 3000, "AQAAAAAAAAaj", "=" * 8, "%00", "%ff", "' or 1=1 --", "../..", "-1", "0", "null", "eyJpZCI6MX0"):
            problem(quiet.ask("GET", at(o), token[role(o)], params={"cursor": cursor}), 400, "invalid", "cursor")


def test_a_cursor_is_of_one_list_order_and_filter(market):
    brand = f"b-{uuid.uuid4().hex}"
    for price in (1, 2, 3):
        market.product(price=price, brand=brand)
    page = market.get(f"/v1/products?brand={brand}&sort=price&limit=1").json()
    cursor = urllib.parse.parse_qs(urllib.parse.urlsplit(page["next"]).query)["cursor"][0]
    good = {"brand": brand, "sort": "price", "cursor": cursor}
    assert [p["price"]["amount"] for p in market.get("/v1/products", params={**good, "limit": 2}).json()["items"]] == [2, 3]
    for other in ({"sort": "-price"}, {"sort": "name"}, {"brand": "another"}, {"q": "x"}, {"price_min": 1}, {"in_stock": "true"}):
        problem(market.get("/v1/products", params={**good, **other}), 400, "invalid", "cursor")
    problem(market.get("/v1/products", params={"cursor": cursor}), 400, "invalid", "cursor")
    problem(market.get("/v1/brands", params={"cursor": cursor}), 400, "invalid", "cursor")
    for i in range(0, len(cursor), 3):
        for bit in (1, 2, 4, 8, 16, 32):
            letter = chr(ord(cursor[i]) ^ bit)
            problem(market.get("/v1/products", params={**good, "cursor": cursor[:i] + letter + cursor[i + 1:]}), 400, "invalid", "cursor")


def test_the_longest_path_of_names_is_a_place_in_a_list(market):
    path = " > ".join(["\U0001f600" * 97] * 5)           # 497 of 500 characters, 1,952 bytes
    market.product(category=path)
    where, seen = "/v1/categories?sort=-path&limit=1", []
    while where and path not in seen:
        page = market.get(where)
        assert page.status_code == 200, page.text
        seen += [c["path"] for c in page.json()["items"]]
        where = page.json().get("next")
    assert path in seen


def test_what_is_looked_for_is_text_and_no_pattern(market):
    """A search finds what holds the text, whatever the text means elsewhere."""
    mark = uuid.uuid4().hex[:10]
    pieces = ["100%", "a_b", "\\d+", "'quoted'", "\"twice\"", "a;b", "--", "$1", "(", "[", "*", "\u202eabc", "e\u0301", "\U0001f600", "&amp;", "..%2f"]
    ids = {piece: market.product_named(f"{mark} {piece} {mark}") for piece in pieces}
    for piece in pieces:
        for part in (f"{mark} {piece}", f"{piece} {mark}"):
            assert [p["id"] for p in market.get("/v1/products", params={"q": part, "limit": 100}).json()["items"]] == [ids[piece]], part
