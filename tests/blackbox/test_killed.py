# SPDX-License-Identifier: Apache-2.0
"""Long work of the catalogue that is killed in the middle, on either side, is gone on with; nothing is lost and nothing comes twice."""
import json
import signal
import subprocess

import psycopg
import pytest

from market import Market, until
from souk import PROGRAM, ROOT, Souk, environment, last_json, run


def rows_file(path, n, bad=()):
    lines = [json.dumps({"sku": f"{path.stem}-{i}", "name": 7 if i in bad else f"Thing {i}", "price": 100 + i, "description": "d" * 2000,
                         "category": ["Imports", f"C{i % 7}"], "tags": "left out"}) for i in range(n)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["client", "server"])
def test_an_import_goes_on_where_it_was_when_either_side_is_killed(tmp_path, dies):
    n, bad = 15000, {5, 4321, 14999}
    path = rows_file(tmp_path / "many.jsonl", n, bad)
    with Market(tmp_path / "m") as m:
        done_rows = lambda: sum(i["rows_done"] for i in m.ask("GET", "/v1/imports", m.token("staff")).json()["items"])
        command = [PROGRAM, "import", "products", str(path), "--data", str(m.data), "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as first:
            until(lambda: 0 < done_rows() < n)
            if dies == "client":
                first.send_signal(signal.SIGKILL)
            else:
                m.kill()
                with Market(tmp_path / "m", port=m.port) as again:
                    out, err = first.communicate(timeout=200)                   # it has waited, and goes on by itself
                    assert first.returncode == 1 and "every row is accounted for" in out, err
                    assert again.one("catalog", "select count(*) from product") == n - len(bad)
                    assert again.one("catalog", "select count(*) from import where state = 1 and rows_done = %s", n) == 1
                return
        before = done_rows()
        finished = run("import", "products", str(path), "--data", str(m.data), "--json")
        result = last_json(finished)
        assert 0 < result["resumed_at"] < n and result["resumed_at"] >= before
        assert (result["rows"], result["created"], result["failed"]) == (n, n - len(bad), len(bad))
        assert [(e["line"], e["pointer"]) for e in result["errors"]] == [(i + 1, "/name") for i in sorted(bad)]
        assert m.one("catalog", "select count(*) from import") == 1
        assert m.one("catalog", "select count(*) from product where revision = 1") == n - len(bad)
        second = last_json(run("import", "products", str(path), "--data", str(m.data), "--json"))
        assert (second["created"], second["changed"], second["unchanged"], second["failed"]) == (0, 0, n - len(bad), len(bad))


@pytest.mark.slow
def test_a_fresh_shop_that_was_killed_is_finished_and_nothing_comes_twice(tmp_path):
    """The products and the stock are of two services: whatever was done when it died, the next start does the rest."""
    with subprocess.Popen([str(ROOT / "tools" / "with-postgres"), "bash", "-c", 'echo "$SOUK_TEST_DATABASE_URL"; exec sleep 600'],
                          stdout=subprocess.PIPE, text=True, env=environment()) as server:
        url = server.stdout.readline().strip()

        def count(service, what):
            try:
                with psycopg.connect(url, dbname=f"souk_{service}") as db:
                    return db.execute(f"select {what}").fetchone()[0]
            except psycopg.Error:
                return 0                                # not there yet

        try:
            for enough in (2000, 10000):
                with Souk(tmp_path, wait=False, SOUK_DATABASE_URL=url) as s:
                    until(lambda: count("catalog", "count(*) from product") >= enough, 100)
                    s.kill()
            for _ in range(2):
                with Souk(tmp_path, SOUK_DATABASE_URL=url):
                    assert count("catalog", "count(*) from product where revision = 1") == 10000
                    assert count("catalog", "count(*) from seeding where done_at is not null") == 1
                    assert count("inventory", "count(*) from movement") == count("inventory", "count(distinct product_id) from stock") == 10000
        finally:
            server.terminate()
