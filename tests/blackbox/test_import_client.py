# SPDX-License-Identifier: Apache-2.0
"""souk import products against a catalogue that misbehaves: a 503, a lost answer, a connection that breaks, an import that another run has begun."""
import http.server
import json
import threading
import urllib.parse

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

    def do_GET(self):                                   # pylint: disable=invalid-name
        shop, at = self.server, urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(at.query)
        if at.path == "/v1/imports":
            return self.answer(200, {"items": [i for i in shop.imports.values() if i["state"] == query["state"][0] and i["digest"] == query["digest"][0]][:1]})
        faults, start = shop.faults[at.path.split("/")[3]], int(query.get("cursor", ["0"])[0])
        page = {"items": faults[start:start + 2]}
        if start + 2 < len(faults):
            page["next"] = f"{at.path}?cursor={start + 2}"
        return self.answer(200, page)

    def do_POST(self):                                  # pylint: disable=invalid-name
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        shop = self.server
        if self.path == "/v1/sessions":
            shop.logins.append(body)
            return self.answer(201, {"access_token": "t0ken", "expires_in": 300})
        assert self.headers["authorization"] == "Bearer t0ken"
        if self.path == "/v1/imports":
            assert self.headers["idempotency-key"]
            made = {"id": f"i{len(shop.imports)}", **body, "state": "running", "rows_done": 0, "created": 0, "changed": 0, "unchanged": 0, "failed": 0}
            shop.imports[made["id"]], shop.faults[made["id"]] = made, []
            return self.answer(201, made)
        with shop.lock:
            shop.parts.append((body["from"], len(body["rows"])))
            if shop.busy:
                shop.busy -= 1
                return self.answer(503, {"title": "busy"})
            made = shop.imports[self.path.split("/")[3]]
            if body["from"] > made["rows_done"]:
                return self.answer(409, {"slug": "import_elsewhere", "detail": f"goes on from row {made['rows_done']}"})
            if body["from"] == made["rows_done"] and made["state"] == "running":
                self.take(made, body)
            if shop.lost:
                shop.lost -= 1
                self.close_connection = True            # it was taken, and nobody is told
                return self.connection.close()
            return self.answer(200, made)

    def take(self, made, body):
        shop = self.server
        for i, row in enumerate(body["rows"]):
            product, fault = row.get("product"), None
            if not product:
                fault = {"sku": row.get("sku", ""), "pointer": row["pointer"], "detail": row["detail"]}
            elif len(product["name"]) > 300:
                fault = {"sku": product["sku"], "pointer": "/name", "detail": "is too long"}
            if fault:
                made["failed"] += 1
                shop.faults[made["id"]].append({"row": body["from"] + i, "line": row["line"], "slug": "wrong", **fault})
            elif shop.products.get(product["sku"]) == product:
                made["unchanged"] += 1
            else:
                made["changed" if product["sku"] in shop.products else "created"] += 1
                shop.products[product["sku"]] = product
        made["rows_done"] += len(body["rows"])
        made["state"] = "done" if body.get("last") else "running"


@pytest.fixture(name="shop")
def _shop(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Catalogue)
    server.lock, server.logins, server.parts, server.products, server.imports, server.faults = threading.Lock(), [], [], {}, {}, {}
    server.busy = server.lost = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "accounts.json").write_text(json.dumps({"accounts": [{"role": "staff", "email": "s@x.example", "password": "pass word"}]}))
    (tmp_path / "run.json").write_text(json.dumps({"url": url, "pid": 1, "private": True}))
    yield server
    server.shutdown()
    server.server_close()


def imported(tmp_path, rows, **more):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    done = run("import", "products", str(path), "--data", str(tmp_path), "--json", **more)
    return done, last_json(done)


def row(i, **more):
    return {"sku": f"s{i}", "name": f"Thing {i}", "price": 100, **more}


def test_every_row_is_sent_once_and_in_order_with_a_token(shop, tmp_path):
    done, result = imported(tmp_path, [row(i) for i in range(2345)])
    assert done.returncode == 0 and result["created"] == result["rows"] == 2345 and len(shop.products) == 2345
    assert shop.logins == [{"email": "s@x.example", "password": "pass word"}]
    assert [start for start, _ in shop.parts] == [sum(n for _, n in shop.parts[:i]) for i in range(len(shop.parts))] and sum(n for _, n in shop.parts) == 2345
    assert [i["state"] for i in shop.imports.values()] == ["done"]


def test_a_second_run_is_a_new_import_that_changes_nothing(shop, tmp_path):
    rows = [row(i) for i in range(10)]
    imported(tmp_path, rows)
    done, result = imported(tmp_path, rows)
    assert done.returncode == 0 and (result["created"], result["unchanged"], result["resumed_at"]) == (0, 10, 0) and len(shop.imports) == 2


def test_a_busy_catalogue_and_a_lost_answer_are_asked_again_for_the_same_part(shop, tmp_path):
    shop.busy, shop.lost = 3, 2
    done, result = imported(tmp_path, [row(i) for i in range(10)])
    assert done.returncode == 0 and result["created"] == 10 and result["failed"] == 0
    assert set(shop.parts) == {(0, 10)} and len(shop.parts) >= 6


def test_an_import_of_this_very_file_is_gone_on_with(shop, tmp_path):
    rows = [row(i) for i in range(2500)]
    rows[3]["name"] = "x" * 301
    imported(tmp_path, rows)
    made = shop.imports["i0"]
    made.update(state="running", rows_done=1000, created=999, failed=1)         # as if it had been stopped there
    shop.parts.clear()
    done, result = imported(tmp_path, rows)
    assert result["import"] == "i0" and result["resumed_at"] == 1000 and result["rows"] == 2500
    assert shop.parts[0][0] == 1000 and sum(n for _, n in shop.parts) == 1500
    assert [e["line"] for e in result["errors"]] == [4] and done.returncode == 1
    rows[7]["price"] = 7                                                        # another file is another import
    assert imported(tmp_path, rows)[1]["import"] == "i1"


def test_every_bad_row_is_told_by_line_field_and_why(shop, tmp_path):
    rows = [row(i) for i in range(1300)]
    rows[3]["name"], rows[1111]["name"], rows[9]["name"], rows[10]["price"], rows[11], rows[1200] = "x" * 301, "x" * 302, 7, "9,99", "{broken", "[]"
    done, result = imported(tmp_path, rows)
    assert done.returncode == 1 and (result["created"], result["failed"], result["rows"]) == (1294, 6, 1300)
    assert [(e["line"], e["pointer"]) for e in result["errors"]] == [(4, "/name"), (10, "/name"), (11, "/price"), (12, ""), (1112, "/name"), (1201, "")]
    assert "line 4 (s3): /name is too long" in done.stdout and "line 10 (s9): /name must be a text" in done.stdout
    assert any(c["name"] == "every row is accounted for" and c["ok"] for c in result["checks"])


@pytest.mark.slow
def test_a_refusal_of_the_whole_is_a_failure_with_its_reason(shop, tmp_path):
    shop.busy = 1000
    done, result = imported(tmp_path, [row(1)], timeout=120)
    assert done.returncode == 1 and not result["ok"] and "503" in done.stderr and "busy" in result["error"]
