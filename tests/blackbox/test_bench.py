# SPDX-License-Identifier: Apache-2.0
"""bench/run: that it measures, and that what it says follows from what it measured. Figures are not judged here."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as xml

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def bench(*argv):
    return subprocess.run([sys.executable, ROOT / "bench/run", *argv], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


@pytest.fixture()
def module(monkeypatch):
    """The bench's modules, by name."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return __import__


WRK = """  Latency Distribution
     50%  {0}
     75%    4.08ms
     90%    5.00ms
     99%  {1}
  24000 requests in {2}, 9.33MB read
{3}Requests/sec:  12000.00
"""


def test_what_wrk_says_is_read_in_any_unit_and_not_when_an_answer_failed(module):
    read = module("rounds").read_wrk
    assert read(WRK.format("3.10ms", "14.20ms", "2.00s", "")) == {"n": 24000, "rate": 12000, "p50": 3.1, "p99": 14.2}
    assert read(WRK.format("812.00us", "1.05s", "1.00m", "")) == {"n": 24000, "rate": 400, "p50": pytest.approx(0.812), "p99": 1050}
    assert read(WRK.format("3.10ms", "14.20ms", "2.00s", "  Non-2xx or 3xx responses: 1\n")) is None
    assert read(WRK.format("3.10ms", "14.20ms", "2.00s", "  Socket errors: connect 0, read 1, write 0, timeout 0\n")) is None


def measured():
    """As a run with two rounds would keep it."""
    def rounds(**figures):
        return [{"server": 20.0, "database": 30.0, "all": 50.0, "rate": 23000.0, "p50": 9.0, "p99": 20.0, "behind": 0.1, "peak": 30.0, "others": 1.0, **figures} for _ in range(2)]
    usual = [{"pool": 2, "database": 300.0, "app": 100.0, "all": 400.0, "rate": 2000.0, "others": 1.0}] * 2
    return {"rounds": 2, "seconds": 5, "much": 3000000, "load": "0.1", "version": "0", "machine": "a machine", "first": [2.0], "second": [0.3, 0.3], "alone": [{"p50": 1.0, "flush": 0.2, "over": 0.4, "others": 1.0}] * 2,
            "get": rounds(server=12.0), "list": rounds(server=10.0), "hot": rounds(), "baskets": rounds(rate=9000.0), "orders": rounds(), "usual": {"1": usual[:1], "2": usual},
            "curves": {"waiting": [[1, 800.0], [64, 12000.0]], "arrivals": [{"asked": a, "rate": a, "p50": 1.0, "p99": a / 500, "all": 60.0} for a in (2000, 8000)]},
            "stored": {"few": {"hot": rounds(), "baskets": rounds()}, "much": {"hot": rounds(all=55.0), "baskets": rounds(all=70.0)}}}


def test_the_page_says_what_was_missed_and_what_reached_its_goal(tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(measured()))
    done = bench("--dry", "--page", str(tmp_path / "bench.json"))
    assert done.returncode == 0, done.stderr
    rows = {cells[1].strip(): [c.strip() for c in cells[2:-1]] for cells in (line.split("|") for line in done.stdout.splitlines()) if len(cells) == 8 and cells[1].strip() not in ("what", "---")}
    assert rows["confirmed orders/s of one hot product, 256 waiting"] == [">= 12,000", ">= 22,000", "23,000 (goal)", "23,000 - 23,000", "1"]
    assert rows["GET of a product, token checked: CPU of the server, us"][:3] == ["<= 10", "<= 9", "**misses:** 12.0"]
    assert rows["the same, 64 waiting: CPU an order as a part of the usual way's, in each round"][2] == "**misses:** 0.125"
    assert rows["the same over 10,000 products, baskets of 1 to 3 lines, 256 waiting: orders/s"][2] == "9,000"
    assert rows["an order's cost with 3,000,000 stored, as a multiple of that with 10,000"][2] == "1.10 (goal)"


def test_its_pictures_are_whole(module):
    kept = measured()
    kept["usual"] = {int(p): u for p, u in kept["usual"].items()}
    _, pictures, missed = module("page").render(kept)
    assert sorted(pictures) == ["cost.svg", "latency.svg", "rate.svg"] and len(missed) == 2
    for svg in pictures.values():
        assert "nan" not in svg and xml.fromstring(svg).tag.endswith("svg")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_it_measures():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    done = bench("--dry", "--rounds", "1", "--seconds", "1", "--only", "get,hot", "--port", str(port))
    assert done.returncode == 0, done.stderr
    assert "| GET of a product, token checked: CPU of the server, us |" in done.stdout and "| - CPU an order, server and database, us |" in done.stdout
