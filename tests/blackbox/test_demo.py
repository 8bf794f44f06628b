# SPDX-License-Identifier: Apache-2.0
"""souk demo orders, souk demo inventory and souk import products, driven as commands; what they claim is looked at again by a client of our own."""
import json
import os
import pathlib
import subprocess
import threading
import time
import uuid

import httpx
import psycopg
import pytest

from market import until
from souk import PROGRAM, ROOT, Souk, environment, last_json

SHARED = pathlib.Path(os.environ.get("SOUK_SHARED", ROOT.parent / "shared"))
ICECAT = SHARED / "data" / "icecat" / "icecat-products-19k.jsonl"


@pytest.fixture(scope="module")
def souk(tmp_path_factory):
    top = tmp_path_factory.mktemp("demo")
    top.chmod(0o711)
    with Souk(top) as s:
        yield s


def demo(souk, *args, timeout=300):
    done = souk.command("demo", "orders", "--json", *args, timeout=timeout)
    return done, last_json(done)


def imported(souk, path, *args, timeout=300):
    done = souk.command("import", "products", str(path), "--json", *args, timeout=timeout)
    return done, last_json(done)


def check_stock(souk, product, sold):
    stock = souk.get(f"/v1/inventory/{product}").json()
    assert (stock["available"], stock["held"]) == (0, 0)
    balance = souk.get(f"/v1/inventory/balances/{product}", token=souk.token("staff")).json()
    assert balance["sold"] >= sold


def test_the_demo_sells_exactly_the_stock(souk):
    done, result = demo(souk)
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["ok"] and result["confirmed"] == 30 and result["orders"] == 50
    assert len(result["checks"]) >= 8 and all(c["ok"] for c in result["checks"])
    assert done.stdout.count("✓") == len(result["checks"])
    assert result["orders_per_second"] > 0 and result["p99_ms"] >= result["p50_ms"]
    check_stock(souk, result["product"], 30)


@pytest.mark.slow
def test_the_demo_holds_at_scale_100(souk):
    done, result = demo(souk, "--scale", "100", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["confirmed"] == 3000
    check_stock(souk, result["product"], 3000)


@pytest.mark.slow
def test_a_lost_invariant_is_exit_status_1(souk):
    """A product that somebody else buys from meanwhile cannot come out even; the demo must say so, not hang or pass."""
    _, first = demo(souk)
    staff = souk.token("staff")
    stop = threading.Event()

    def buy():
        while not stop.is_set():
            httpx.post(souk.url + "/v1/orders", json={"items": [{"product_id": first["product"], "quantity": 1}]},
                       headers={"authorization": f"Bearer {staff}", "idempotency-key": str(uuid.uuid4())})
    rivals = [threading.Thread(target=buy) for _ in range(4)]
    for r in rivals:
        r.start()
    done, result = demo(souk, "--product", first["product"])
    stop.set()
    for r in rivals:
        r.join()
    assert result["ok"] is False and done.returncode == 1


@pytest.mark.slow
def test_the_demo_comes_out_even_though_the_server_is_killed_twice_under_it(tmp_path_factory):
    """kill -9 while thousands order: what was answered stays true, and the buyers' repeats get the one true answer."""
    top = tmp_path_factory.mktemp("killed")
    top.chmod(0o711)
    server = Souk(top)
    errors = top / "demo.err"
    with open(errors, "wb") as err:
        sale = subprocess.Popen([PROGRAM, "demo", "orders", "--scale", "300", "--json", "--data", str(server.data)], stdout=subprocess.PIPE, stderr=err,
                                text=True, env=environment())
    for _ in range(2):
        confirmed = orders_of(server)
        until(lambda: sale.poll() is not None or orders_of(server) > confirmed + 500)
        assert sale.poll() is None, "the sale was over before the server could be killed"
        server.kill()
        server = Souk(top, port=server.port)
    with server:
        out, _ = sale.communicate(timeout=300)
        result = json.loads(out.strip().split("\n")[-1])
        assert sale.returncode == 0, out + errors.read_text()
        assert result["confirmed"] == 9000 and result["repeats"] > 0
        check_stock(server, result["product"], 9000)


def orders_of(server):
    """How many are confirmed so far, asked of the database itself."""
    sock = (server.data / "pg" / "postmaster.pid").read_text().split("\n")[4]
    with psycopg.connect(host=sock, port=5432, user="souk", dbname="souk_orders", autocommit=True) as db:
        return db.execute("select count(*) from orders where invoice_no is not null").fetchone()[0]


def test_the_demo_wants_a_product_that_exists(souk):
    done, result = demo(souk, "--product", "no-such-sku")
    assert done.returncode == 1 and not result["ok"] and "no-such-sku" in done.stderr


# ---- inventory ---------------------------------------------------------------------------------------------------------

def depots(souk, *args, timeout=300):
    done = souk.command("demo", "inventory", "--json", *args, timeout=timeout)
    return done, last_json(done)


def check_depots(souk, result):
    """The same from the database itself: answers, movements and shelves."""
    with psycopg.connect(host=(souk.data / "pg" / "postmaster.pid").read_text().split("\n")[4], port=5432, user="souk", dbname="souk_inventory", autocommit=True) as db:
        wrong = db.execute("select count(*) from (select from (select warehouse_no, quantity::int8 as n from stock where product_id = %(p)s"
                           " union all select warehouse_no, quantity from hold where product_id = %(p)s"
                           " union all select warehouse_no, -delta from movement where product_id = %(p)s) t group by warehouse_no having sum(n) <> 0) wrong",
                           {"p": result["product"]}).fetchone()[0]
        kinds = dict(db.execute("select kind, count(distinct ref) from movement where product_id = %s group by kind", (result["product"],)).fetchall())
    assert wrong == 0
    assert kinds == {1: result["receipts"] + 10, 2: result["adjustments"], 3: result["orders"], 4: result["transfers"], 5: result["cancelled"]}


def test_ten_warehouses_change_one_product_at_once_and_all_adds_up(souk):
    done, result = depots(souk)
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["ok"] and result["changes"] == 160 and len(result["checks"]) >= 9 and all(c["ok"] for c in result["checks"])
    assert result["refused"] > 0 and all(result[k] > 0 for k in ("receipts", "adjustments", "transfers", "orders", "cancelled"))
    assert done.stdout.count("✓") == len(result["checks"])
    check_depots(souk, result)
    done, again = depots(souk)                          # in the same ten warehouses
    assert done.returncode == 0 and again["product"] != result["product"]
    found = souk.get("/v1/warehouses?limit=100", token=souk.token("staff")).json()["items"]
    assert sum(w["code"].startswith("demo-") for w in found) == 10


@pytest.mark.slow
def test_ten_warehouses_hold_at_scale_100(souk):
    done, result = depots(souk, "--scale", "100", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert result["changes"] == 16000
    check_depots(souk, result)


@pytest.mark.slow
def test_a_change_that_the_demo_did_not_make_is_exit_status_1(souk):
    staff = souk.token("staff")
    seen = {p["id"] for p in souk.get("/v1/products?limit=100").json()["items"]}
    demo_run = subprocess.Popen([PROGRAM, "demo", "inventory", "--scale", "40", "--json", "--data", str(souk.data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                env=environment())
    fresh = []
    until(lambda: fresh.extend(p["id"] for p in souk.get("/v1/products?limit=5").json()["items"] if p["id"] not in seen) or fresh)
    path = f"/v1/inventory/{fresh[0]}"
    until(lambda: souk.get(path).json()["warehouses"])
    warehouse = souk.get(path).json()["warehouses"][0]["warehouse_id"]
    added = httpx.post(souk.url + "/v1/inventory/adjustments", json={"product_id": fresh[0], "warehouse_id": warehouse, "delta": 1, "reason": "a rival"},
                       headers={"authorization": f"Bearer {staff}", "idempotency-key": str(uuid.uuid4())})
    assert added.status_code == 201, added.text
    out, _ = demo_run.communicate(timeout=300)
    result = json.loads(out.strip().split("\n")[-1])
    assert demo_run.returncode == 1 and not result["ok"]
    assert [c["name"] for c in result["checks"] if not c["ok"]] == ["no update is lost"]


@pytest.mark.slow
def test_ten_warehouses_add_up_though_the_server_is_killed_twice_under_them(tmp_path_factory):
    """kill -9 between receipts, transfers, orders and cancellations: each of them happened once or not at all."""
    top = tmp_path_factory.mktemp("killed-depots")
    top.chmod(0o711)
    server = Souk(top, "--no-seed")
    errors = top / "demo.err"
    with open(errors, "wb") as err:
        changes = subprocess.Popen([PROGRAM, "demo", "inventory", "--scale", "40", "--json", "--data", str(server.data)], stdout=subprocess.PIPE, stderr=err,
                                   text=True, env=environment())
    for _ in range(2):
        moved = movements_of(server)
        until(lambda before=moved: changes.poll() is not None or movements_of(server) > before + 800)
        assert changes.poll() is None, "the changes were over before the server could be killed"
        server.kill()
        server = Souk(top, "--no-seed", port=server.port)
    with server:
        out, _ = changes.communicate(timeout=300)
        result = json.loads(out.strip().split("\n")[-1])
        assert changes.returncode == 0, out + errors.read_text()
        assert result["repeats"] > 0 and result["cancelled"] > 0
        check_depots(server, result)


def movements_of(server):
    sock = (server.data / "pg" / "postmaster.pid").read_text().split("\n")[4]
    with psycopg.connect(host=sock, port=5432, user="souk", dbname="souk_inventory", autocommit=True) as db:
        return db.execute("select count(*) from movement").fetchone()[0]


# ---- import ------------------------------------------------------------------------------------------------------------

def test_a_csv_goes_in_bad_rows_are_told_and_a_second_run_changes_nothing(souk, tmp_path):
    path = tmp_path / "my shop.csv"
    path.write_text('sku,name,price,currency,category,attributes.colour\n'
                    'imp-1,"Lamp, green",19.99,EUR,Lamps,green\n'
                    'imp-2,Chair,abc,EUR,Chairs,\n'
                    'imp-3,"Two\nlines",5,EUR,Chairs,red\n'
                    ',nameless,5,EUR,,\n')
    done, result = imported(souk, path)
    assert done.returncode == 1 and (result["created"], result["failed"], result["rows"]) == (2, 2, 4)
    assert {(e["line"], e["pointer"]) for e in result["errors"]} == {(3, "/price"), (6, "/sku")}
    assert "line 3" in done.stdout and "/price" in done.stdout
    done, result = imported(souk, path)
    assert (result["created"], result["changed"], result["unchanged"], result["failed"]) == (0, 0, 2, 2)
    found = souk.get("/v1/products", params={"sku": "imp-1"}).json()["items"]
    assert len(found) == 1 and found[0]["name"] == "Lamp, green" and found[0]["price"] == {"amount": 1999, "currency": "EUR"}


def test_a_changed_row_changes_only_its_product(souk, tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [{"sku": f"chg-{i}", "name": f"Thing {i}", "price": 100 + i} for i in range(600)]
    path.write_text("\n".join(map(json.dumps, rows)))
    _, result = imported(souk, path)
    assert result["ok"] and result["created"] == 600
    rows[7]["price"] = 999
    path.write_text("\n".join(map(json.dumps, rows)))
    _, result = imported(souk, path)
    assert result["ok"] and (result["changed"], result["unchanged"]) == (1, 599)


def test_what_is_no_file_of_products_is_refused(souk, tmp_path):
    done, result = imported(souk, tmp_path / "none.csv")
    assert done.returncode == 1 and not result["ok"] and "none.csv" in done.stderr
    assert souk.command("import", "products").returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(not ICECAT.exists(), reason="no shared/data/icecat beside the tree")
def test_icecat_goes_in_within_seconds_is_unchanged_the_second_time_and_sells(souk):
    done, result = imported(souk, ICECAT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert result["created"] == 19406 and result["seconds"] < 60
    done, result = imported(souk, ICECAT)
    assert done.returncode == 0 and result["unchanged"] == 19406
    done, result = demo(souk, "--scale", "10", "--product", "icecat-3920564")
    assert done.returncode == 0 and result["confirmed"] == 300
