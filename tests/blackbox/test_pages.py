# SPDX-License-Identifier: Apache-2.0
"""What the program says of itself: its pages, numbers, fibers, and the names it gives to requests."""
import html
import html.parser
import json
import os
import re
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from market import problem

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def families(market):
    answer = market.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {f.name: f for f in text_string_to_metric_families(answer.text)}


def value(market, family, **labels):
    return sum(s.value for s in families(market)[family].samples if s.name in (family, family + "_total", family + "_count")
               and labels.items() <= s.labels.items())


def test_the_metrics_parse_and_say_what_each_is_for(market, stranger):
    market.settle()
    found = families(market)
    kinds = {"souk_http_requests": "counter", "souk_http_request_seconds": "histogram", "souk_db_statement_runs": "counter", "souk_db_connections": "gauge",
             "souk_db_waiting": "gauge", "souk_fibers": "gauge", "souk_pool": "gauge", "souk_batch_calls": "counter", "souk_batch_runs": "counter",
             "souk_outbox_events": "counter", "souk_outbox_lag_microseconds": "gauge", "souk_consumer_events": "counter",
             "souk_consumer_lag_microseconds": "gauge", "souk_job_runs": "counter", "souk_http_connections": "gauge", "souk_cpu_microseconds": "counter"}
    assert {name: found[name].type for name in kinds} == kinds
    for name, family in found.items():
        assert name.startswith("souk_") and family.documentation
        assert len({(s.name, tuple(sorted(s.labels.items()))) for s in family.samples}) == len(family.samples), name
        assert all(s.value >= 0 for s in family.samples), name
    labels = {s.labels.get("route") for s in found["souk_http_requests"].samples}
    assert "/v1/orders" in labels and "/v1/orders/{id}" in {s.labels["route"] for s in found["souk_http_request_seconds"].samples}
    assert not any(re.search(r"[0-9a-f]{8}-", str(s.labels)) for f in found.values() for s in f.samples)       # no ids among the labels
    assert {s.labels["consumer"] for s in found["souk_consumer_events"].samples} >= {"inventory.hold_commit", "payments.payment_capture"}


def test_histograms_are_cumulative(market):
    series = {}
    for s in families(market)["souk_http_request_seconds"].samples:
        key = (s.labels["method"], s.labels["route"])
        if s.name.endswith("_bucket"):
            series.setdefault(key, []).append((float(s.labels["le"]), s.value))
        elif s.name.endswith("_count"):
            assert series[key][-1] == (float("inf"), s.value)
    assert series and all(v == sorted(v) and [n for _, n in v] == sorted(n for _, n in v) for v in series.values())


def test_an_order_is_counted_where_it_passes(market):
    def counts():
        return [value(market, "souk_http_requests", route="/v1/orders", method="POST", status="201"), value(market, "souk_batch_calls", operation="inventory_hold"),
                value(market, "souk_outbox_events", source="orders"), value(market, "souk_consumer_events", consumer="payments.payment_capture")]
    product = market.product(stock=10)
    market.settle()
    before = counts()
    for _ in range(3):
        assert market.order(product).status_code == 201
    market.settle()
    assert [b - a for a, b in zip(before, counts())] == [3, 3, 3, 3]


def test_paths_nobody_knows_make_no_series(market):
    def series():
        return sum(len(f.samples) for f in families(market).values())
    market.get("/v1/nothing/0")
    before, strays = series(), value(market, "souk_http_strays", status="404")
    for i in range(50):
        market.get(f"/v1/nothing/{i}")
    assert series() <= before + 2 and value(market, "souk_http_strays", status="404") == strays + 50


def test_fibers_are_for_admins(market):
    problem(market.get("/debug/fibers"), 401)
    for role in ("customer", "vendor", "staff"):
        problem(market.get("/debug/fibers", token=market.token(role)), 403, "forbidden")
    answer = market.get("/debug/fibers", token=market.token("admin"))
    fibers = answer.json()["fibers"]
    assert answer.status_code == 200 and "GET /debug/fibers" in {f["name"] for f in fibers}
    assert all(set(f) == {"loop", "name", "where", "age_ms", "waiting_ms", "stack_bytes"} and f["age_ms"] >= 0 and f["where"] for f in fibers)


# ---- pages --------------------------------------------------------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """Opens and closes, links and anchors."""
    VOID = {"meta", "link", "br", "hr", "img", "input", "!doctype"}

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.tags, self.text = [], [], set(), ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [v for k, v in attrs if k in ("href", "src")]
        self.ids += [v for k, v in attrs if k == "id"]

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_are_html_whose_links_lead_somewhere(market, path):
    answer = market.get(path)
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"] and answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.lower().startswith("<!doctype html>")
    page = Page(answer.text)
    assert {"title"} <= page.tags and ("script" in page.tags) == (path == "/docs") and len(page.ids) == len(set(page.ids))
    pages = {}
    for link in set(page.links):
        where, _, anchor = link.partition("#")
        assert not where.startswith("http"), link
        if where not in pages:
            there = market.get(where or path)
            assert there.status_code == 200, link
            pages[where] = Page(there.text) if "html" in there.headers["content-type"] else None
        assert not anchor or anchor in pages[where].ids, link


def test_the_docs_name_every_route_and_every_refusal(market):
    page = Page(market.get("/docs").text)
    api = market.get("/openapi.json").json()
    for path, methods in api["paths"].items():
        assert path in page.text and methods
    for slug in ("out_of_stock", "payment_declined", "idempotency_in_flight", "idempotency_key_reused", "invalid", "missing_token", "insufficient_scope"):
        assert slug in page.ids, slug                   # where a problem's type points


def test_the_docs_are_read_by_their_headings(market):
    """One h1, no level left out, a label for the filter, every table with a caption and heads."""
    text = market.get("/docs").text
    levels = [int(n) for n in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b <= a + 1 for a, b in zip(levels, levels[1:]))
    assert "<label for=filter>" in text and "id=filter" in text and "<html lang=en>" in text and "<main>" in text
    assert text.count("<table>") == text.count("<table><caption>") and "<th scope=col>" in text


def test_the_docs_have_a_request_to_copy_for_every_operation(market):
    """Which is right: those that only read and need nobody's token are sent as they stand."""
    text = market.get("/docs").text
    requests = [html.unescape(r) for r in re.findall(r"<pre class=curl>(.*?)</pre>", text, re.S)]
    api = market.get("/openapi.json").json()
    assert len(requests) == sum(len(methods) for methods in api["paths"].values())
    for r in requests:
        assert subprocess.run(["bash", "-n", "-c", r], check=False).returncode == 0, r
        if "-X" not in r and "-d" not in r and "$TOKEN" not in r:
            done = subprocess.run(["bash", "-c", r.replace("curl ", "curl -s -o /dev/null -w %{http_code} ", 1)], capture_output=True, text=True, timeout=30,
                                  env={**os.environ, "SOUK": market.url}, check=False)
            assert done.stdout in ("200", "404"), (r, done.stdout)
    refused = [r for r in requests if "-d" in r and "/v1/sessions\"" in r]
    done = subprocess.run(["bash", "-c", refused[0].replace("curl ", "curl -s ", 1)], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "SOUK": market.url}, check=False)
    assert json.loads(done.stdout)["slug"] == "wrong_credentials"


def dom(market, tmp_path, path):
    """What a browser makes of a page, and what it complains of."""
    done = subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={tmp_path}/profile",
                           "--dump-dom", market.url + path], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.rstrip().endswith("</html>"), done.stderr[-800:]
    return done.stdout, [line for line in done.stderr.split("\n") if "CONSOLE" in line or "Refused to" in line]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium")
def test_a_browser_shows_the_pages_and_filters_them(market, tmp_path):
    for path in ("/", "/docs"):
        shown, complaints = dom(market, tmp_path, path)
        assert not complaints and "<h1>" in shown
    everything = len(re.findall("<section", shown))
    assert "hidden" not in "".join(re.findall("<section[^>]*>", shown))
    shown, complaints = dom(market, tmp_path, "/docs?q=orders+cancel")
    hidden = len(re.findall('<section hidden', shown))
    assert not complaints and 0 < everything - hidden < 10 and f"{everything - hidden} of {everything}" in shown
    assert "<section><h3 id=\"post-v1-orders-id-cancel\"" in shown


def test_healthy_and_ready(market):
    assert market.get("/healthz").json() == {"status": "ok"}
    ready = market.get("/readyz").json()
    assert ready["ready"] and {f"database of {s}" for s in ("identity", "orders")} <= {c["name"] for c in ready["checks"]}


# ---- names of requests -----------------------------------------------------------------------------------------------------------

def test_a_request_id_is_kept_when_it_is_harmless(market):
    for given in ("abc-123", "A.b_9", "x" * 64):
        assert market.ask("GET", "/healthz", headers={"x-request-id": given}).headers["x-request-id"] == given
    for given in ("a b", "x" * 65, "<script>", '"', "a;b", "a\tb"):
        made = market.ask("GET", "/healthz", headers={"x-request-id": given}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made), given
    assert len({market.get("/healthz").headers["x-request-id"] for _ in range(50)}) == 50


def test_a_trace_goes_on(market):
    answer = market.ask("GET", "/v1/nothing", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    version, trace, span, flags = answer.headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", TRACE, "01") and span not in (SPAN, "0" * 16) and re.fullmatch("[0-9a-f]{16}", span)
    assert answer.json()["trace_id"] == TRACE
    assert market.ask("GET", "/healthz", headers={"traceparent": f"00-{TRACE}-{SPAN}-00"}).headers["traceparent"].endswith("-00")
    assert TRACE in market.ask("GET", "/healthz", headers={"traceparent": f"cc-{TRACE}-{SPAN}-01-what-comes"}).headers["traceparent"]


@pytest.mark.parametrize("given", ["", "00", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-x",
                                   f"00-{TRACE.upper()}x-{SPAN}-01", f"00-{TRACE}-{SPAN}-zz", f"00_{TRACE}-{SPAN}-01", "-" * 55])
def test_a_broken_traceparent_begins_a_new_trace(market, given):
    answer = market.ask("GET", "/v1/nothing", headers={"traceparent": given})
    assert answer.status_code == 404 and answer.json()["trace_id"] not in (TRACE, "0" * 32)
    assert "traceparent" not in answer.headers


def test_the_access_log_has_the_request_under_its_names(market):
    name = "blackbox-access-line"
    market.ask("GET", "/v1/orders/nothing", "customer", headers={"x-request-id": name, "traceparent": f"00-{TRACE}-{SPAN}-01"})
    for _ in range(200):
        lines = [line for line in market.err.read_text().split("\n") if name in line]
        if lines:
            break
        market.get("/healthz")                          # lines wait a tenth of a second
    assert len(lines) == 1 and "400" in lines[0] and "/v1/orders/nothing" in lines[0]
    assert market.token() not in market.err.read_text() and market.accounts()["customer"]["password"] not in market.err.read_text()
