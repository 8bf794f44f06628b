# SPDX-License-Identifier: Apache-2.0
"""Every operation of the API's description, each with what every operation must refuse in the same way: a table of operations times a table of faults.

The operations are read from api/openapi.json, so a route that is added is tested without a line here. Requests are made of the examples there. Tokens are
signed by a key the program knows, of people who are nobody, so that nothing that happens to succeed touches anybody."""
import collections
import functools
import json
import re
import socket

import pytest

from market import NOBODYS, problem
from souk import ROOT

SPEC = json.loads((ROOT / "api" / "openapi.json").read_text())
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ROLES = {"anyone": None, "any signed-in user": "customer", "vendors, staff and admins": "vendor", "staff and admins": "staff", "admins": "admin"}
STRANGE = ["\0", "a\0b", "'; drop table orders; --", "' or '1'='1", "x" * 100_000, "\u202e\u0000", "%s%n", "../../etc/passwd", "\U0001f600" * 500, "", " ", "-1", "null"]

Operation = collections.namedtuple("Operation", "method path what")
ALL = [Operation(method.upper(), path, what) for path, methods in SPEC["paths"].items() for method, what in methods.items()]


def parameters(o, where):
    return [p for p in o.what["parameters"] if p["in"] == where]


def media(o):
    return next(iter(o.what.get("requestBody", {}).get("content", {})), None)


def takes_json(o):
    return media(o) is not None and media(o).endswith("json")


def body(o):
    return o.what["requestBody"]["content"][media(o)]["example"] if media(o) else None


def is_typed(o):
    """It has an operation behind it, not a page of the program."""
    good = next(r for s, r in o.what["responses"].items() if s.startswith("2"))
    return any("example" in c for c in good.get("content", {}).values()) or "204" in o.what["responses"]


def answers(o):
    return is_typed(o) and "406" in o.what["responses"]


def scopes(o):
    return [o.what["x-scope"]] if "x-scope" in o.what else []


def role(o):
    return ROLES[re.match(r"For ([^.]+)\.", o.what["description"])[1]]


def at(o, value=None):
    """Its path with an id that nothing has, or another value."""
    path = o.path
    for p in parameters(o, "path"):
        path = path.replace("{%s}" % p["name"], value or (NOBODYS if p["schema"].get("format") == "uuid" else str(p["example"])))
    return path


def methods_of(path):
    """What is allowed at a path, which may fit several templates: the one with the fewest variables is meant."""
    fit = [o for o in ALL if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", o.path), path)]
    found = {o.method for o in fit if o.path.count("{") == min(f.path.count("{") for f in fit)}
    return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())


def cases(**those):
    chosen = [o for o in ALL if all(test(o) for test in those.values())]
    assert chosen
    return pytest.mark.parametrize("o", chosen, ids=lambda o: f"{o.method} {o.path}")


EVERY_SCOPE = " ".join(sorted({s for o in ALL for s in scopes(o)}))


@pytest.fixture(scope="module", name="tokens")
def _tokens(market):
    """A token of a nobody with a role and scopes."""
    @functools.cache
    def token(of_role, scope=EVERY_SCOPE):
        return market.sign(roles=[of_role], scope=scope)
    return token


@pytest.fixture(name="send")
def _send(market, tokens):
    """Sends what would be right but for what is said otherwise."""
    def send(o, token=True, method=None, path=None, params=None, headers=None, content=None):
        token = tokens(role(o) or "customer") if token is True else token
        fields = {p["name"]: p["example"] for p in parameters(o, "header") if p["required"]}
        fields.update({"authorization": f"Bearer {token}"} if token else {})
        if media(o):
            fields["content-type"] = media(o)
            content = (json.dumps(body(o)) if takes_json(o) else body(o)).encode() if content is None else content
        query = {p["name"]: p["example"] for p in parameters(o, "query") if p["required"]}
        return market.http.request(method or o.method, path or at(o), params={**query, **(params or {})}, headers={**fields, **(headers or {})}, content=content)
    return send


# ---- who may -------------------------------------------------------------------------------------------------------------------

@cases(guarded=role)
def test_without_a_token_it_is_401(send, o):
    problem(send(o, token=None), 401, "missing_token")


@cases()
def test_with_a_token_nobody_signed_it_is_401(send, o):
    for token in ("x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."):
        problem(send(o, token=token), 401, "invalid_token")


@cases(for_some=lambda o: role(o) not in (None, "customer"))
def test_with_the_role_below_it_is_403(send, tokens, o):
    below = {"vendor": ["customer"], "staff": ["customer", "vendor"], "admin": ["customer", "vendor", "staff"]}[role(o)]
    for less in below:
        problem(send(o, token=tokens(less)), 403, "forbidden")


@cases(scoped=scopes)
def test_without_its_scope_it_is_403_which_names_it(send, tokens, o):
    others = " ".join(s for s in EVERY_SCOPE.split() if s not in scopes(o))
    for scope in ("", others, scopes(o)[0].upper(), scopes(o)[0] + "x"):
        answer = send(o, token=tokens("admin", scope))
        problem(answer, 403, "insufficient_scope")
        assert f'scope="{scopes(o)[0]}"' in answer.headers["www-authenticate"]


# ---- methods -----------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", SPEC["paths"])
def test_another_method_is_405_with_those_there_are_and_options_tells_them(market, tokens, path):
    o = next(o for o in ALL if o.path == path)
    allowed = methods_of(at(o))
    for method in METHODS:
        if method not in allowed:
            answer = market.ask(method, at(o), tokens("admin"))
            problem(answer, 405, "method_not_allowed")
            assert {m.strip() for m in answer.headers["allow"].split(",")} == allowed
    told = market.ask("OPTIONS", at(o))
    assert told.status_code == 204 and told.content == b"" and {m.strip() for m in told.headers["allow"].split(",")} == allowed


@cases(reads=lambda o: o.method == "GET")
def test_head_is_get_without_the_body(send, o):
    get, head = send(o), send(o, method="HEAD")
    assert head.status_code == get.status_code and head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]


@cases(answers=answers)
def test_an_accept_that_takes_no_json_is_406(send, o):
    for accept in ("text/html", "application/json;q=0", "image/*, application/xml"):
        problem(send(o, headers={"accept": accept}), 406, "not_acceptable", "Accept")


# ---- paths and queries ----------------------------------------------------------------------------------------------------------------

@cases(typed=is_typed)
def test_a_parameter_nobody_knows_is_400_and_named(send, o):
    problem(send(o, params={"unheard_of": "1"}), 400, pointer="unheard_of")
    problem(send(o, params={"_": ""}), 400, pointer="_")


@cases(typed=is_typed, by_id=lambda o: any(p["schema"].get("format") == "uuid" for p in parameters(o, "path")))
def test_an_id_that_is_none_is_400(send, o):
    for value in ("x", "1", NOBODYS[:-1], NOBODYS + "0", "%00", "%ff", "'%20or%201=1", "9" * 500):
        answer = send(o, path=at(o, value))
        assert answer.status_code in (400, 404), (value, answer.text)
        problem(answer, answer.status_code)
    answer = send(o, path=at(o, "not-an-id"))
    names = {p["name"] for p in parameters(o, "path")}
    assert answer.status_code == 404 or {e["pointer"] for e in answer.json()["errors"]} & names


@cases(query=lambda o: is_typed(o) and parameters(o, "query"))
def test_every_parameter_takes_strange_text_without_a_fault_of_ours(send, o):
    for p in parameters(o, "query"):
        for value in STRANGE:
            got = send(o, params={p["name"]: value[:3000]})
            assert got.status_code < 500, (p["name"], value, got.text)
            if got.status_code >= 400:
                problem(got, got.status_code)


# ---- bodies ---------------------------------------------------------------------------------------------------------------------------------

def refused(answer, o, pointer=None):
    """400, or for a patch of what is not there 404: what is patched is read first."""
    if o.method == "PATCH" and answer.status_code == 404:
        problem(answer, 404)
    else:
        problem(answer, 400, pointer=pointer)


def unsigned(o):
    """Its body is the sender's word for it: others have to be signed before they are looked at."""
    return not o.path.startswith("/v1/webhooks/")


@cases(body=media, unsigned=unsigned)
def test_a_body_of_another_type_or_coded_is_415(send, o):
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "application/jsonx", "" if takes_json(o) else "application/json"):
        problem(send(o, headers={"content-type": kind}), 415, "unsupported_media_type")
    problem(send(o, headers={"content-encoding": "zstd"}), 415, "unsupported_encoding")


@cases(body=takes_json, unsigned=unsigned)
def test_a_body_that_is_no_json_is_400(send, o):
    for text in (b"{", b"[", b"{\"a\":1,}", b"nonsense", b"\xff\xfe", b"[]", b"1", b"\"text\"", b"{} {}"):
        refused(send(o, content=text), o)


@cases(body=takes_json, unsigned=unsigned)
def test_a_member_nobody_knows_is_400_at_its_place(send, o):
    refused(send(o, content=json.dumps({**body(o), "unheard_of": 1}).encode()), o, pointer="/unheard_of")


@cases(body=media)
def test_a_body_that_says_to_be_too_large_is_413(market, tokens, o):
    fields = {p["name"]: p["example"] for p in parameters(o, "header") if p["required"]}
    head = f"{o.method} {at(o)} HTTP/1.1\r\nhost: souk\r\ncontent-type: {media(o)}\r\ncontent-length: 99999999999\r\n"
    head += "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + (f"authorization: Bearer {tokens(role(o))}\r\n" if role(o) else "") + "\r\n"
    with socket.create_connection(("127.0.0.1", market.port), timeout=30) as s:
        s.sendall(head.encode())
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"slug":"body_too_large"' in answer


def texts(value, path=()):
    """Where the texts are in an example."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for k, v in value.items():
            yield from texts(v, (*path, k))
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from texts(v, (*path, i))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@cases(body=takes_json)
def test_every_text_takes_strange_ones_without_a_fault_of_ours(send, o):
    for path in texts(body(o)):
        for value in (*STRANGE, 1, None, [], {}, True, 1e400, 10**30):
            got = send(o, content=json.dumps(replaced(body(o), path, value)).replace("Infinity", "1e400").encode())
            assert got.status_code < 500, (path, value, got.text)
            if got.status_code >= 400:
                problem(got, got.status_code)
    lone = json.dumps(replaced(body(o), next(texts(body(o)), ()), "@@")).replace("@@", "\\ud800").encode()
    assert send(o, content=lone).status_code < 500


def test_the_description_knows_what_the_hand_written_table_knows():
    from market import ROUTES
    assert {(r.method, r.path) for r in ROUTES} <= {(o.method, o.path) for o in ALL}
