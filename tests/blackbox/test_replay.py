# SPDX-License-Identifier: Apache-2.0
"""souk replay retail: a small made-up year always, the real one when it lies beside the tree; stopped, gone on with, and done twice."""
import collections
import csv
import datetime
import os
import pathlib
import random
import signal
import subprocess

import pytest

from market import Market
from souk import PROGRAM, ROOT, environment, last_json, run

SHARED = pathlib.Path(os.environ.get("SOUK_SHARED", ROOT.parent / "shared"))
REAL = SHARED / "data" / "online-retail" / "OnlineRetail.csv"
HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(HEADER)
        out.writerows(rows)
    return str(path)


def made_up(orders, seed=1):
    """Rows of so many orders; every third is followed by a cancellation of its first line. Returns (rows, lines, pennies, returned pennies, returns)."""
    draw, rows, lines, total, back, returns = random.Random(seed), [], 0, 0, 0, 0
    for n in range(orders):
        at = datetime.datetime(2010, 12, 31, 8, 0) + datetime.timedelta(minutes=20 * n)         # over the end of a year
        customer = 12000 + n % 7
        for k in range(draw.randint(1, 9)):
            pennies, quantity = draw.randint(1, 1500), draw.randint(1, 2000)
            rows.append([500000 + n, f"{1000 + (n + k) % 23}{'ab'[k % 2]}", f"THING, \"{k}\"", quantity, at, f"{pennies / 100:.2f}", customer, "United Kingdom"])
            lines, total = lines + 1, total + pennies * quantity
            if k == 0 and n % 3 == 0:
                later = [f"C{600000 + n}", rows[-1][1], "", -max(quantity // 2, 1), at + datetime.timedelta(minutes=10), f"{pennies / 100:.2f}", customer, "United Kingdom"]
                back, returns = back + pennies * max(quantity // 2, 1), returns + 1
        if n % 3 == 0:
            rows.append(later)
    return rows, lines, total, back, returns


def replay(shop, path, *more, **options):
    done = run("replay", "retail", path, "--data", str(shop.data), "--json", *more, timeout=900, **options)
    return done, last_json(done)


@pytest.fixture(scope="module", name="shop")
def _shop(tmp_path_factory):
    top = tmp_path_factory.mktemp("replay")
    top.chmod(0o711)
    with Market(top) as m:
        yield m


def test_a_small_year_agrees_to_the_penny_and_a_second_run_changes_nothing(shop, tmp_path):
    rows, lines, total, back, returns = made_up(60)
    odd = [["536001", "1000a", "NO CUSTOMER", 5, "2011-01-05 10:00:00", "1.00", "", "France"],
           ["536002", "1000a", "GIVEN AWAY", 5, "2011-01-05 10:00:00", "0.00", 12000, "France"],
           ["536003", "1000a", "LOST", -5, "2011-01-05 10:00:00", "1.00", 12000, "France"],
           ["536004", "1000a", "BROKEN ROW", "many", "2011-01-05 10:00:00", "1.00", 12000, "France"],
           ["536005", "1000a", "NO DATE", 1, "yesterday", "1.00", 12000, "France"],
           ["C536006", "1000a", "OF NOBODY", -5, "2011-01-05 10:00:00", "1.00", "", "France"],
           ["C536007", "1000a", "NEVER BOUGHT", -5, "2011-01-05 10:00:00", "99.99", 12000, "France"],
           ["C536008", rows[0][1], "MORE THAN BOUGHT", -100000, "2011-01-05 10:00:00", rows[0][5], rows[0][6], "France"]]
    path = write(tmp_path / "year.csv", rows + odd)
    done, result = replay(shop, path)
    assert done.returncode == 0 and result["ok"], done.stdout + done.stderr
    assert (result["orders"], result["lines"], result["new_orders"]) == (60, lines, 60)
    assert result["total"] == {"amount": total, "currency": "GBP"}
    assert (result["returns"], result["new_returns"]) == (returns, returns) and result["returned"] == f"{back / 100:.2f} GBP"
    assert result["left_out"] == len(odd) and result["left_out_why"] == {
        "bad_row": 2, "without_customer": 1, "without_quantity": 1, "without_price": 1, "beyond_limit": 0, "cancellation_without_customer": 1, "cancellation_without_order": 2}
    assert {y for (y,) in shop.database("orders").execute("select distinct year from orders")} == {2010, 2011}
    shop.check_books()
    before = shop.contents()
    done, again = replay(shop, path)
    assert done.returncode == 0 and again["ok"], done.stdout + done.stderr
    assert (again["orders"], again["new_orders"], again["new_returns"], again["total"]) == (60, 0, 0, result["total"])
    after = shop.contents()
    assert {k for k in before if before[k] != after[k]} <= {"identity.session", "identity.sessions"}     # staff logged in


def test_stopped_at_any_moment_it_goes_on_and_makes_nothing_twice(shop, tmp_path):
    rows, lines, total, _, returns = made_up(400, seed=2)
    rows = [[f"C{int(r[0][1:]) + 1000}" if str(r[0]).startswith("C") else r[0] + 1000, f"x{r[1]}", *r[2:6], r[6] + 5000, r[7]] for r in rows]
    path = write(tmp_path / "year.csv", rows)
    command = [PROGRAM, "replay", "retail", path, "--data", str(shop.data)]
    had = shop.one("orders", "select count(*) from orders where invoice_no is not null")
    for end, signo in ((5, signal.SIGKILL), (120, signal.SIGINT), (300, signal.SIGKILL)):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        while process.poll() is None and shop.one("orders", "select count(*) from orders where invoice_no is not null") - had < end:
            pass
        process.send_signal(signo)
        process.wait(30)
    done, result = replay(shop, path)
    assert done.returncode == 0 and result["ok"], done.stdout + done.stderr
    assert (result["orders"], result["lines"], result["total"]["amount"], result["returns"]) == (400, lines, total, returns)
    assert result["new_orders"] <= 100
    assert shop.one("orders", "select count(*) from orders where invoice_no is not null") - had == 400
    shop.check_books()


def test_a_limit_takes_the_first_orders_and_a_later_run_the_rest(shop, tmp_path):
    rows, _, total, _, returns = made_up(30, seed=3)
    rows = [[f"C{int(r[0][1:]) + 3000}" if str(r[0]).startswith("C") else r[0] + 3000, f"y{r[1]}", *r[2:6], r[6] + 7000, r[7]] for r in rows]
    path = write(tmp_path / "year.csv", rows)
    done, part = replay(shop, path, "--limit", "10")
    assert done.returncode == 0 and part["ok"] and part["orders"] == 10, done.stdout + done.stderr
    assert part["left_out_why"]["beyond_limit"] > 0
    done, whole = replay(shop, path)
    assert done.returncode == 0 and whole["ok"], done.stdout + done.stderr
    assert (whole["new_orders"], whole["total"]["amount"], whole["returns"]) == (20, total, returns)


@pytest.mark.parametrize("text, says", [("a,b\n1,2\n", "no column InvoiceNo"), ("", "no header")])
def test_another_file_is_refused(shop, tmp_path, text, says):
    (tmp_path / "x.csv").write_text(text)
    done, result = replay(shop, str(tmp_path / "x.csv"))
    assert done.returncode == 1 and not result["ok"] and says in result["error"]
    assert replay(shop, str(tmp_path / "not-there.csv"))[0].returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="no shared/data/online-retail beside the tree")
def test_the_real_year_is_18532_orders_worth_8911407_pounds_and_90(tmp_path_factory):
    top = tmp_path_factory.mktemp("retail")
    top.chmod(0o711)
    with Market(top) as shop:
        done, result = replay(shop, str(REAL))
        assert done.returncode == 0 and result["ok"], done.stdout[-3000:] + done.stderr[-3000:]
        assert (result["rows"], result["orders"], result["lines"], result["total"]) == (541909, 18532, 397884, {"amount": 891140790, "currency": "GBP"})
        with open(REAL, newline="", encoding="utf-8") as f:
            kinds = collections.Counter("cancelled" if r["InvoiceNo"].startswith("C") else "nobody" if not r["CustomerID"] else "line" if float(r["UnitPrice"]) > 0 else "free"
                                        for r in csv.DictReader(f))
        why = result["left_out_why"]
        assert (why["without_customer"], why["without_price"]) == (kinds["nobody"], kinds["free"])
        assert result["returned_rows"] + why["cancellation_without_customer"] + why["cancellation_without_order"] == kinds["cancelled"]
        assert replay(shop, str(REAL))[1]["new_orders"] == 0
