# SPDX-License-Identifier: Apache-2.0
"""souk import products against a catalogue that misbehaves: a 503, a batch refused because of its rows, rows refused one by one."""
import collections
import http.server
import json
import threading

import pytest

from souk import last_json, run


class Catalogue(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):                                  # pylint: disable=invalid-name
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        shop = self.server
        if self.path == "/v1/sessions":
            shop.logins.append(body)
            return self.answer(201, {"access_token": "t0ken", "expires_in": 300})
        with shop.lock:
            shop.requests.append((self.path, self.headers["authorization"], self.headers["idempotency-key"], len(body["products"])))
            if shop.busy:
                shop.busy -= 1
                return self.answer(503, {"title": "busy"})
            wrong = [i for i, p in enumerate(body["products"]) if len(p["name"]) > 300]
            if wrong:
                return self.answer(400, {"slug": "invalid", "detail": "no", "errors": [
                    {"pointer": f"/products/{i}/name", "slug": "too_long", "detail": "is too long"} for i in wrong]})
            result, errors = collections.Counter(), []
            for i, p in enumerate(body["products"]):
                if p["price"]["amount"] < 0:
                    errors.append({"row": i, "sku": p["sku"], "pointer": "/price/amount", "slug": "too_small", "detail": "must not be negative"})
                elif shop.products.get(p["sku"]) == p:
                    result["unchanged"] += 1
                else:
                    result["changed" if p["sku"] in shop.products else "created"] += 1
                    shop.products[p["sku"]] = p
            return self.answer(200, {"created": 0, "changed": 0, "unchanged": 0, **result, "failed": len(errors), "errors": errors})


@pytest.fixture(name="shop")
def _shop(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Catalogue)
    server.lock, server.logins, server.requests, server.products, server.busy = threading.Lock(), [], [], {}, 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "accounts.json").write_text(json.dumps({"accounts": [{"role": "staff", "email": "s@x.example", "password": "pass word"}]}))
    (tmp_path / "run.json").write_text(json.dumps({"url": url, "pid": 1, "private": True}))
    yield server
    server.shutdown()
    server.server_close()


def imported(tmp_path, rows, **more):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    done = run("import", "products", str(path), "--data", str(tmp_path), "--json", **more)
    return done, last_json(done)


def row(i, **more):
    return {"sku": f"s{i}", "name": f"Thing {i}", "price": 100, **more}


def test_batches_carry_every_row_once_with_a_token_and_a_key(shop, tmp_path):
    done, result = imported(tmp_path, [row(i) for i in range(1234)])
    assert done.returncode == 0 and result["created"] == 1234 and len(shop.products) == 1234
    assert shop.logins == [{"email": "s@x.example", "password": "pass word"}]
    assert sum(n for *_, n in shop.requests) == 1234
    assert all(path == "/v1/products/import" and auth == "Bearer t0ken" for path, auth, *_ in shop.requests)
    assert len({key for _, _, key, _ in shop.requests}) == len(shop.requests)


def test_a_busy_catalogue_is_asked_again_with_the_same_key(shop, tmp_path):
    shop.busy = 3
    done, result = imported(tmp_path, [row(i) for i in range(10)])
    assert done.returncode == 0 and result["created"] == 10
    assert len(shop.requests) == 4 and len({key for _, _, key, _ in shop.requests}) == 1


def test_rows_that_spoil_their_batch_are_left_out_and_told_by_line(shop, tmp_path):
    rows = [row(i) for i in range(600)]
    rows[3]["name"] = "x" * 301
    rows[411]["name"] = "x" * 302
    done, result = imported(tmp_path, rows)
    assert done.returncode == 1 and (result["created"], result["failed"], result["rows"]) == (598, 2, 600)
    assert {(e["line"], e["pointer"]) for e in result["errors"]} == {(4, "/name"), (412, "/name")}
    assert "line 4: /name is too long" in done.stdout


def test_rows_refused_one_by_one_are_told_by_line_and_sku(shop, tmp_path):
    rows = [row(i) for i in range(300)]
    rows[270]["price"] = -1
    done, result = imported(tmp_path, rows)
    assert done.returncode == 1 and (result["created"], result["failed"]) == (299, 1)
    assert result["errors"] == [{"line": 271, "sku": "s270", "pointer": "/price/amount", "detail": "must not be negative"}]
    assert any(c["name"] == "every row is accounted for" and c["ok"] for c in result["checks"])


@pytest.mark.slow
def test_a_refusal_of_the_whole_is_a_failure_with_its_reason(shop, tmp_path):
    shop.busy = 1000
    done, result = imported(tmp_path, [row(1)], timeout=120)
    assert done.returncode == 1 and not result["ok"] and "503" in done.stderr and "busy" in result["error"]
