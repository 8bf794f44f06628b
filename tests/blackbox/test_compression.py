# SPDX-License-Identifier: Apache-2.0
"""Compressed answers as a client sees them: httpx undoes them itself, so here the bytes on the wire are looked at too."""
import gzip
import json

import brotli
import httpx
import pytest

PATH = "/openapi.json", "/docs", "/v1/products?limit=100"


def raw(market, path, accept, method="GET", **headers):
    """(answer, bytes of its body as they came)"""
    named = {"accept-encoding": accept} if accept is not None else {}
    with httpx.Client(base_url=market.url) as client:
        request = client.build_request(method, path, headers={**headers, **named})
        if accept is None:
            del request.headers["accept-encoding"]
        answer = client.send(request, stream=True)
        body = b"".join(answer.iter_raw())
        answer.close()
        return answer, body


@pytest.fixture(scope="module", autouse=True)
def _products(market):
    for n in range(6):
        market.product(stock=1, name=f"A lamp that is described at length {n}", description="It shines. " * 40)


@pytest.mark.parametrize("path", PATH)
@pytest.mark.parametrize("coding,undo", [("gzip", gzip.decompress), ("br", brotli.decompress)])
def test_what_comes_compressed_is_the_same(market, path, coding, undo):
    plain, text = raw(market, path, None)
    assert "content-encoding" not in plain.headers
    answer, body = raw(market, path, coding)
    assert answer.headers["content-encoding"] == coding
    assert "accept-encoding" in answer.headers["vary"]
    assert int(answer.headers["content-length"]) == len(body) < len(text)
    if path.startswith("/v1"):
        assert json.loads(undo(body)).keys() == json.loads(text).keys()
    else:
        assert undo(body) == text


def test_head_has_the_fields_of_get(market):
    for accept in ("gzip", "br", None):
        got, body = raw(market, "/openapi.json", accept)
        head, none = raw(market, "/openapi.json", accept, method="HEAD")
        assert none == b"" and len(body) > 0
        for name in ("content-length", "content-encoding", "content-type", "vary"):
            assert head.headers.get(name) == got.headers.get(name)


def test_wishes_are_weighed(market):
    for accept, coding in (("gzip, br", "br"), ("br;q=0.1, gzip;q=0.9", "gzip"), ("identity, br;q=0.9", None), ("*", "br"), ("br;q=0, *", "gzip"),
                           ("deflate", None), ("", None), ("gzip;q=0", None), ("*;q=0, gzip", "gzip")):
        answer, _ = raw(market, "/openapi.json", accept)
        assert answer.status_code == 200 and answer.headers.get("content-encoding") == coding, accept


def test_who_takes_nothing_is_told(market):
    for accept in ("*;q=0", "identity;q=0", "identity;q=0, deflate"):
        answer, body = raw(market, "/v1/products", accept)
        assert answer.status_code == 406
        assert json.loads(body)["errors"][0]["pointer"] == "Accept-Encoding"


def test_small_answers_and_answers_without_a_body_stay(market):
    answer, body = raw(market, "/healthz", "gzip")
    assert "content-encoding" not in answer.headers and len(body) < 1024
    answer, body = raw(market, "/v1/products", "gzip", method="OPTIONS")
    assert answer.status_code == 204 and body == b""


def test_a_coded_answer_is_known_again_by_its_tag(market):
    path = "/v1/products/" + market.product(name="A lamp", description="It shines. " * 200)
    tags = {coding: raw(market, path, coding)[0].headers["etag"] for coding in ("gzip", "br", "identity")}
    assert len(set(tags.values())) == 3
    for coding, tag in tags.items():
        answer, body = raw(market, path, coding, **{"if-none-match": tag})
        assert answer.status_code == 304 and body == b"" and answer.headers["etag"] == tag
        assert "accept-encoding" in answer.headers["vary"]
