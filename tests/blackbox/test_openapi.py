# SPDX-License-Identifier: Apache-2.0
"""The API's description: it is valid, and what it promises is what schemathesis gets."""
import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from market import Market
from souk import ROOT

COMMITTED = ROOT / "api" / "openapi.json"


def test_the_description_is_valid_openapi_3_1(market):
    spec = market.get("/openapi.json").json()
    assert spec["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(spec).validate()


def test_the_committed_description_is_the_programs(market):
    if not COMMITTED.exists():
        pytest.skip("api/openapi.json is not there")
    committed, served = json.loads(COMMITTED.read_text()), market.get("/openapi.json").json()
    OpenAPIV31SpecValidator(committed).validate()
    assert committed["paths"] == served["paths"] and committed["components"] == served["components"]


@pytest.fixture(scope="module", name="spec")
def _spec(market):
    return market.get("/openapi.json").json()


def operations(spec):
    return [(f"{method.upper()} {path}", o) for path, methods in spec["paths"].items() for method, o in methods.items()]


def resolved(spec, what):
    """What a reference stands for."""
    if "$ref" not in what:
        return what
    _, components, kind, name = what["$ref"].split("/")
    return spec[components][kind][name]


def test_every_operation_has_a_name_words_and_its_refusals(spec):
    names = set()
    for name, o in operations(spec):
        assert o["operationId"] not in names and o["summary"] and o["description"].startswith("For "), name
        names.add(o["operationId"])
        assert any(s.startswith("2") for s in o["responses"]), name
        assert {"400", "401", "500"} <= set(o["responses"]), name
        assert o["security"] in ([], [{"bearer": []}]), name
        if "x-scope" in o:
            assert o["security"] and f"`{o['x-scope']}`" in o["description"] and "403" in o["responses"], name
        if any(p["name"] == "Idempotency-Key" for p in o["parameters"]):
            assert {"409", "422"} <= set(o["responses"]), name
        if "requestBody" in o:
            assert {"411", "413", "415"} <= set(o["responses"]), name


def test_every_example_holds_to_its_schema(spec):
    def check(schema, value, where):
        whole = {**schema, "components": spec["components"]}
        faults = list(jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).iter_errors(value))
        assert not faults, f"{where}: {faults[0].message}: {json.dumps(value)[:300]}"

    seen = 0
    for name, o in operations(spec):
        for p in o["parameters"]:
            if "example" in p:
                check(p["schema"], p["example"], f"{name} {p['name']}")
        contents = [("request", o.get("requestBody", {}))] + [(s, resolved(spec, r)) for s, r in o["responses"].items()]
        for where, holder in contents:
            for media, content in holder.get("content", {}).items():
                examples = [content["example"]] if "example" in content else [resolved(spec, e)["value"] for e in content.get("examples", {}).values()]
                assert examples or content["schema"] in ({"type": "object"}, {"type": "string"}), f"{name} {where} {media} has no example"
                for e in examples:
                    check(content["schema"], e, f"{name} {where}")
                    seen += 1
    assert seen > 200


def test_the_same_thing_has_the_same_id_in_every_example(spec):
    made = spec["paths"]["/v1/orders"]["post"]["responses"]["201"]["content"]["application/json"]["example"]["id"]
    assert spec["paths"]["/v1/payments/{order_id}"]["get"]["responses"]["200"]["content"]["application/json"]["example"]["order_id"] == made
    assert [p["example"] for p in spec["paths"]["/v1/orders/{id}"]["get"]["parameters"] if p["in"] == "path"] == [made]


def test_links_lead_to_operations_by_their_parameters(spec):
    parameters = {o["operationId"]: {p["name"] for p in o["parameters"] if p["in"] == "path"} for _, o in operations(spec)}
    links = {}
    for name, o in operations(spec):
        for response in o["responses"].values():
            for link in resolved(spec, response).get("links", {}).values():
                assert set(link["parameters"]) == parameters[link["operationId"]], (name, link)
                links.setdefault(name, set()).add(link["operationId"])
                for value in link["parameters"].values():
                    assert re.fullmatch(r"\$response\.body#/[\w/]+|\$request\.path\.\w+", value)
    assert {"order_get", "invoice_get", "payment_get"} <= links["POST /v1/orders"] and "product_get" in links["GET /v1/products"]


def test_no_path_fits_two_templates(spec):
    """Where one template has a literal and another a variable, the variable is a UUID: the literal is none."""
    variables = {p: {v["name"]: v["schema"].get("format") for o in methods.values() for v in o["parameters"] if v["in"] == "path"} for p, methods in spec["paths"].items()}
    for a in spec["paths"]:
        for b in spec["paths"]:
            pairs = list(zip(a.split("/"), b.split("/")))
            if a == b or a.count("/") != b.count("/") or any("{" not in x + y and x != y for x, y in pairs):
                continue
            assert any("{" in x and "{" not in y and variables[a][x[1:-1]] == "uuid" or "{" in y and "{" not in x and variables[b][y[1:-1]] == "uuid"
                       for x, y in pairs), (a, b)


def test_nothing_is_described_that_nobody_refers_to(spec):
    text = json.dumps(spec)
    for kind in ("schemas", "responses", "headers", "examples"):
        for name in spec["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, (kind, name)


# ---- schemathesis ------------------------------------------------------------------------------------------------------------------

HERE = pathlib.Path(__file__).parent


@contextlib.contextmanager
def opened(tmp_path_factory):
    """A marketplace with something of each kind in it."""
    top = tmp_path_factory.mktemp("shop")
    top.chmod(0o711)
    with Market(top) as m:
        assert m.ask("POST", "/v1/categories", "staff", True, json={"name": "Things"}).status_code == 201
        for _ in range(3):
            product = m.product(stock=1000, brand="Souk", category="Things")
            for role in ("customer", "admin"):
                assert m.order(product, role).status_code == 201
        m.settle()
        yield m


@pytest.fixture(scope="module", name="shop")
def _shop(tmp_path_factory):
    """Of this module, since an admin who tries everything may block everybody."""
    with opened(tmp_path_factory) as m:
        yield m


@pytest.fixture(name="fresh_shop")
def _fresh_shop(tmp_path_factory):
    """Where nobody has been blocked yet, and all can log in."""
    with opened(tmp_path_factory) as m:
        yield m


def schemathesis(shop, where, who, examples, phases):
    """Every operation and every link between them, with what fits its description and what does not, and every check there is."""
    for name in ("schemathesis.toml", "schemathesis_hooks.py"):
        shutil.copy(HERE / name, where)                 # it keeps notes where it runs
    command = [str(pathlib.Path(sys.executable).parent / "schemathesis"), "--config-file", "schemathesis.toml", "run", shop.url + "/openapi.json",
               "--max-examples", str(examples), "--phases", phases, "--mode", "all", "--seed", "1", "--generation-deterministic", "--no-shrink", "--no-color",
               "--suppress-health-check", "all", "--continue-on-failure", "--warnings", "off"]
    if who != "anonymous":
        command += ["--header", f"Authorization: Bearer {shop.token(who)}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=where, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("who", ["customer", "admin"])
def test_what_it_promises_holds(shop, tmp_path, who):
    schemathesis(shop, tmp_path, who, 1, "fuzzing")


@pytest.mark.parametrize("who", ["customer", pytest.param("admin", marks=pytest.mark.slow)])
def test_what_it_promises_holds_along_its_links(shop, tmp_path, who):
    told = schemathesis(shop, tmp_path, who, 10, "stateful")
    assert re.search(r"API Links: +[1-9]", told), told[-3000:]          # an answer led somewhere


@pytest.mark.slow
@pytest.mark.parametrize("who", ["anonymous", "customer", "admin"])
def test_what_it_promises_holds_for_long(fresh_shop, tmp_path, who):
    schemathesis(fresh_shop, tmp_path, who, 6, "examples,coverage,fuzzing,stateful")
