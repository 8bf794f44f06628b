# SPDX-License-Identifier: Apache-2.0
"""What stands before every route: rate limits, pages of other origins. A program of its own, with limits that a test can reach."""
import re

import httpx
import pytest

from souk import Souk, run


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    top = tmp_path_factory.mktemp("guarded")
    top.chmod(0o711)
    with Souk(top, "--workers", "1", "--no-seed", SOUK_RATE_LIMIT_READS="5", SOUK_RATE_LIMIT_WRITES="2", SOUK_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8",
              SOUK_CORS_ORIGINS="https://shop.example, http://localhost:5173") as souk:
        yield souk


def limit_of(answer):
    """(quota, window, left, seconds until whole)"""
    policy = re.fullmatch(r'"default";q=(\d+);w=(\d+)', answer.headers["ratelimit-policy"])
    state = re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    return int(policy[1]), int(policy[2]), int(state[1]), int(state[2])


def until_refused(ask, most=100):
    """Answers up to the first 429: on a slow machine more than the quota may pass."""
    answers = [ask()]
    while answers[-1].status_code != 429 and len(answers) < most:
        answers.append(ask())
    return answers


def test_one_request_too_many_is_refused_and_told_when_to_come_again(guarded):
    with httpx.Client(base_url=guarded.url) as client:
        answers = until_refused(lambda: client.get("/v1/products", params={"limit": 1}))
        last = answers.pop()
        assert len(answers) >= 5 and {a.status_code for a in answers} == {200}
        assert [limit_of(answers[0])[2], limit_of(answers[-1])[2]] == [4, 0]
        assert last.status_code == 429
        assert last.json()["slug"] == "rate_limited"
        assert last.headers["content-type"] == "application/problem+json"
        assert 1 <= int(last.headers["retry-after"]) <= 12
        quota, window, left, whole = limit_of(last)
        assert (quota, window, left) == (5, 60, 0) and 48 <= whole <= 60
        assert client.get("/v1/categories").status_code == 200, "another route has a quota of its own"
        assert client.get("/openapi.json").status_code == 200


def test_a_token_has_a_quota_of_its_own_and_writes_have_theirs(guarded):
    token = guarded.token("customer")
    assert until_refused(lambda: guarded.get("/v1/me", token=token))[-1].status_code == 429
    assert guarded.get("/v1/me", token=guarded.token("staff")).status_code == 200
    answers = until_refused(lambda: httpx.post(guarded.url + "/v1/sessions/refresh", json={"refresh_token": "x"}))
    assert limit_of(answers[0])[:3] == (2, 60, 1) and len(answers) >= 3
    assert answers[-1].json()["slug"] == "rate_limited"


def test_behind_a_trusted_proxy_each_client_has_a_quota_of_its_own(guarded):
    def ask(forwarded):
        return httpx.get(guarded.url + "/v1/brands", headers={"x-forwarded-for": forwarded})
    assert until_refused(lambda: ask("198.51.100.1"))[-1].status_code == 429
    assert ask("198.51.100.2").status_code == 200
    assert ask("198.51.100.3, 198.51.100.1, 10.1.2.3").status_code == 429, "what a client says of itself changes nothing"
    done = run("run", "--data", str(guarded.directory / "other"), "--trusted-proxies", "10.0.0.0/33")
    assert done.returncode != 0 and '"10.0.0.0/33" is no address' in done.stderr


def test_probes_have_no_limit(guarded):
    for path in ("/healthz", "/readyz", "/metrics"):
        answers = [guarded.get(path) for _ in range(8)]
        assert {a.status_code for a in answers} == {200}
        assert "ratelimit" not in answers[0].headers
    assert re.search(r'souk_http_rate_limited_total\{method="GET",route="/v1/products"\} \d+', answers[-1].text)


# ---- pages of other origins -----------------------------------------------------------------------------------------

def test_a_page_of_a_named_origin_asks_before_it_orders(guarded):
    asks = {"origin": "https://shop.example", "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,idempotency-key"}
    answer = httpx.options(guarded.url + "/v1/orders", headers=asks)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "POST" in answer.headers["access-control-allow-methods"].split(", ")
    assert set(asks["access-control-request-headers"].split(",")) <= set(answer.headers["access-control-allow-headers"].split(", "))
    assert int(answer.headers["access-control-max-age"]) > 0
    assert "origin" in answer.headers["vary"]


def test_a_page_reads_answers_and_refusals_and_the_fields_it_needs(guarded):
    for path, status in (("/v1/brands", 200), ("/v1/orders", 401), ("/nowhere", 404)):
        answer = httpx.get(guarded.url + path, headers={"origin": "http://localhost:5173"})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
        assert {"etag", "link", "location", "retry-after", "ratelimit", "idempotency-replayed"} <= set(answer.headers["access-control-expose-headers"].split(", "))
        assert "access-control-allow-credentials" not in answer.headers


def test_other_origins_are_told_nothing(guarded):
    for origin in ("https://evil.example", "null", "https://shop.example:8443", "http://shop.example"):
        answer = httpx.get(guarded.url + "/v1/brands/", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers
        assert "origin" in answer.headers["vary"]


def test_a_setting_that_is_no_origin_stops_the_start(tmp_path):
    done = run("run", "--data", str(tmp_path / "data"), SOUK_CORS_ORIGINS="shop.example")
    assert done.returncode != 0
    assert "cors-origins" in done.stderr and "shop.example" in done.stderr
