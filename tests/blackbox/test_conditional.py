# SPDX-License-Identifier: Apache-2.0
"""Tags, preconditions, patches, chosen members and linked pages, as a client meets them."""
import re
import uuid

import httpx
import pytest

from market import NOBODYS, at_once, problem

MERGE = {"content-type": "application/merge-patch+json"}


def draft(**more):
    return {"sku": f"c-{uuid.uuid4().hex[:12]}", "name": "Conditional lamp", "price": {"amount": 100, "currency": "EUR"}, **more}


@pytest.fixture(name="lamp")
def _lamp(market):
    """(path, what was sent, the answer to making it)"""
    sent = draft(description="It shines. " * 200, brand="Lumo")
    made = market.ask("POST", "/v1/products", "staff", True, json=sent)
    assert made.status_code == 201, made.text
    return made.headers["location"], sent, made


def test_what_is_made_says_its_tag_and_that_tag_is_good_for_a_change(market, lamp):
    path, sent, made = lamp
    assert re.fullmatch(r'"1-[0-9a-f]{16}(-gzip|-br)?"', made.headers["etag"])
    assert made.headers["content-location"] == path
    put = market.ask("PUT", path, "staff", headers={"if-match": made.headers["etag"]}, json={**sent, "name": "Anew"})
    assert put.status_code == 200 and put.json()["name"] == "Anew" and put.headers["etag"].startswith('"2-')
    problem(market.ask("PUT", path, "staff", headers={"if-match": made.headers["etag"]}, json=sent), 412, "stale")
    problem(market.ask("PUT", path, "staff", json=sent), 428, "precondition_required", "If-Match")
    problem(market.ask("DELETE", path, "staff"), 428, "precondition_required", "If-Match")
    problem(market.ask("PUT", f"/v1/products/{NOBODYS}", "staff", headers={"if-match": '"1-0000000000000000"'}, json=sent), 404)


@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
def test_what_is_known_is_not_sent_again_in_any_coding(market, lamp, coding):
    path, accept = lamp[0], {"accept-encoding": coding}
    first = market.get(path, headers=accept)
    tag = first.headers["etag"]
    assert first.status_code == 200 and (coding == "identity") == ("content-encoding" not in first.headers)
    head = market.ask("HEAD", path, headers=accept)
    for name in ("etag", "content-length", "content-type", "cache-control", "vary"):
        assert head.headers.get(name) == first.headers.get(name), name
    for value in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        for method in ("GET", "HEAD"):
            same = market.ask(method, path, headers={**accept, "if-none-match": value})
            assert same.status_code == 304 and same.content == b"" and "content-type" not in same.headers
            assert same.headers["cache-control"] == first.headers["cache-control"] and same.headers["vary"] == first.headers["vary"]
            if value != "*":
                assert same.headers["etag"] == tag
    assert market.get(path, headers={**accept, "if-none-match": '"1-0000000000000000"'}).status_code == 200


def test_codings_have_tags_of_their_own(market, lamp):
    tags = {market.get(lamp[0], headers={"accept-encoding": coding}).headers["etag"] for coding in ("identity", "gzip", "br")}
    assert len(tags) == 3 and len({t.split("-")[0] for t in tags}) == 1


def test_of_many_changes_at_once_one_is_made(market, lamp):
    path, sent, made = lamp
    clients = [httpx.Client(base_url=market.url, timeout=30) for _ in range(8)]
    head = {"authorization": f"Bearer {market.token('staff')}", "if-match": made.headers["etag"]}
    answers = at_once(8, lambda i: clients[i].put(path, headers=head, json={**sent, "name": f"Lamp {i}"}))
    for c in clients:
        c.close()
    assert sorted(a.status_code for a in answers) == [200] + [412] * 7
    won = next(a for a in answers if a.status_code == 200)
    assert market.one("catalog", "select name from product where id = %s", path.rsplit("/", 1)[1]) == won.json()["name"]


def test_a_merge_patch_changes_what_it_names_and_nothing_else(market, lamp):
    path, sent, made = lamp
    tag = made.headers["etag"]
    patched = market.ask("PATCH", path, "staff", headers={**MERGE, "if-match": tag}, content=b'{"price":{"amount":250},"brand":null}')
    assert patched.status_code == 200, patched.text
    now = patched.json()
    assert now["price"] == {"amount": 250, "currency": "EUR"} and now["name"] == sent["name"] and now["description"] == sent["description"] and not now["brand"]
    answer = market.ask("PATCH", path, "staff", headers={**MERGE, "if-match": patched.headers["etag"]}, content=b'{"name":null,"colour":1,"id":"x","price":{"amount":-1}}')
    assert {e["pointer"] for e in problem(answer, 400)["errors"]} == {"/name", "/colour", "/id", "/price/amount"}
    answer = market.ask("PATCH", path, "staff", headers={"content-type": "application/json-patch+json", "if-match": tag}, content=b"[]")
    problem(answer, 415, "unsupported_media_type", "Content-Type")
    assert "application/merge-patch+json" in answer.headers["accept-patch"]
    assert "application/merge-patch+json" in market.ask("OPTIONS", path).headers["accept-patch"]


def test_who_needs_no_body_gets_none(market):
    made = market.ask("POST", "/v1/products", "staff", True, headers={"prefer": "return=minimal"}, json=draft())
    assert made.status_code == 201 and made.content == b"" and made.headers["preference-applied"] == "return=minimal"
    path, tag = made.headers["location"], made.headers["etag"]
    done = market.ask("PATCH", path, "staff", headers={**MERGE, "if-match": tag, "prefer": "return=minimal"}, content=b'{"name":"Less"}')
    assert done.status_code == 204 and done.content == b"" and done.headers["etag"].startswith('"2-')


def test_a_repeat_with_a_key_says_location_and_tag_as_the_first_answer_did(market):
    key, body = str(uuid.uuid4()), draft()
    first, again = (market.ask("POST", "/v1/products", "staff", key, json=body) for _ in range(2))
    assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    for name in ("location", "etag", "content-location"):
        assert first.headers[name] == again.headers[name], name


def test_only_the_members_that_are_wanted(market, lamp):
    path = lamp[0]
    one = market.get(path + "?fields=name,price")
    assert set(one.json()) == {"name", "price"} and one.headers["etag"] != market.get(path).headers["etag"]
    page = market.get("/v1/products?fields=sku&limit=1").json()
    assert [set(i) for i in page["items"]] == [{"sku"}]
    problem(market.get(path + "?fields=name,colour"), 400, "invalid", "fields")
    problem(market.get(path + "?fields="), 400, "invalid", "fields")


def test_pages_lead_forwards_and_back_while_things_come(market):
    brand = f"Paged {uuid.uuid4().hex[:8]}"

    def add(name):
        market.product(brand=brand, name=name)

    def walk(path, rel):
        pages = []
        while path:
            answer = market.get(path)
            assert answer.status_code == 200, answer.text
            body = answer.json()
            for link in ("next", "prev"):
                assert (f'<{body[link]}>; rel="{link}"' in answer.headers["link"]) if link in body else (f'rel="{link}"' not in answer.headers.get("link", ""))
            pages.append((path, [i["name"] for i in body["items"]]))
            path = body.get(rel)
        return pages

    for name in "bdfhj":
        add(name)
    first = f"/v1/products?brand={brand.replace(' ', '%20')}&sort=name&limit=2"
    forth = walk(first, "next")
    assert [names for _, names in forth] == [["b", "d"], ["f", "h"], ["j"]]
    for name in "aek":
        add(name)
    assert [names for _, names in walk(forth[1][0], "next")] == [["e", "f"], ["h", "j"], ["k"]]                  # nothing twice, nothing lost
    assert [names for _, names in walk(forth[2][0], "prev")] == [["j", "k"], ["f", "h"], ["d", "e"], ["a", "b"]]
    assert market.get(forth[1][0]).links["first"]["url"] == first
