# SPDX-License-Identifier: Apache-2.0
"""souk load: arrivals at a rate, what came of them, and the history of the stock."""
import json
import os
import pty
import subprocess
import threading

import pytest

from linear import violations
from souk import PROGRAM, environment, last_json, run

FIGURES = {"rate", "confirmed", "out_of_stock", "errors", "p50_ms", "p90_ms", "p99_ms", "p99.9_ms", "max_ms", "server_cpu_us", "database_cpu_us", "resident_mib"}


def test_orders_run_out_exactly_where_the_stock_does(market, tmp_path):
    history = tmp_path / "history.jsonl"
    done = market.command("load", "orders", "--rate", "150", "--seconds", "2", "--connections", "32", "--stock", "40", "--history", str(history), "--json")
    result = last_json(done)
    assert done.returncode == 0 and result["ok"], done.stdout + done.stderr
    assert FIGURES <= result.keys()
    assert result["confirmed"] == 40 and result["out_of_stock"] > 0 and result["errors"] == 0
    assert result["confirmed"] + result["out_of_stock"] == result["answers"]
    assert 0 < result["p50_ms"] <= result["p90_ms"] <= result["p99_ms"] <= result["p99.9_ms"] <= result["max_ms"]
    assert result["server_cpu_us"] > 0 and result["database_cpu_us"] > 0 and result["resident_mib"] > 1
    lines = history.read_text().splitlines()
    ops = [json.loads(line) for line in lines]
    taken = [x for x in ops if x["op"] == "take"]
    assert len(taken) == result["answers"] and sum(x["ok"] for x in taken) == 40
    assert ops[0]["op"] == "init" and ops[0]["quantity"] == 0 and sum(x["quantity"] for x in ops if x["op"] == "put") == 40
    assert sum(x["op"] == "read" for x in ops) > 2 and ops[-1]["op"] == "read" and ops[-1]["quantity"] == 0
    assert all(x["start_ns"] < x["end_ns"] for x in ops)
    assert not violations(lines)
    for was, forged in (('"op":"take","product":"%s","quantity":1,"ok":false', '"op":"take","product":"%s","quantity":1,"ok":true'),     # a refusal that was none
                        ('"op":"read","product":"%s","quantity":0,', '"op":"read","product":"%s","quantity":1,')):                    # one unit too many
        product = ops[0]["product"]
        assert violations([line.replace(was % product, forged % product) for line in lines])


@pytest.fixture(scope="module")
def shelves(market):
    """At least five products."""
    for _ in range(5):
        market.product(stock=1)
    return 5


@pytest.mark.slow
def test_browsing_and_mixing_only_read_and_read_mostly(market, shelves, tmp_path):
    browsed = last_json(market.command("load", "browse", "--rate", "200", "--seconds", "1", "--products", str(shelves), "--json"))
    assert browsed["ok"] and browsed["reads"] == browsed["answers"] > 0
    history = tmp_path / "history.jsonl"
    mixed = last_json(market.command("load", "mixed", "--rate", "200", "--seconds", "2", "--products", str(shelves), "--stock", "8", "--history", str(history), "--json"))
    assert mixed["ok"] and mixed["reads"] > mixed["confirmed"] > 0 and mixed["errors"] == 0
    lines = history.read_text().splitlines()
    assert {json.loads(line)["op"] for line in lines} == {"init", "put", "take", "read"} and not violations(lines)


def on_a_terminal(market, *args):
    """A command whose standard error is a terminal: what it printed, and what it drew."""
    ours, theirs = pty.openpty()
    drawn = []
    env = {**environment(), "TERM": "xterm"}
    with subprocess.Popen([PROGRAM, *args, "--data", str(market.data)], stdout=subprocess.PIPE, stderr=theirs, text=True, env=env) as process:
        os.close(theirs)
        reader = threading.Thread(target=lambda: drawn.extend(iter(lambda: read_of(ours), b"")))
        reader.start()
        out = process.communicate(timeout=60)[0]
    reader.join(10)
    os.close(ours)
    return out, b"".join(drawn).decode()


def read_of(fd):
    try:
        return os.read(fd, 65536)
    except OSError:                     # nobody holds the other end any more
        return b""


@pytest.mark.slow
def test_the_same_seed_asks_as_often_and_curves_are_drawn_on_a_terminal(market, shelves):
    args = ("load", "browse", "--rate", "100", "--seconds", "1", "--products", str(shelves), "--seed", "9", "--json")
    first = last_json(market.command(*args))["answers"]
    out, drawn = on_a_terminal(market, *args)
    assert json.loads(out.strip().split("\n")[-1])["answers"] == first
    assert "answers: " in drawn and " a second now, " in drawn and "p99: " in drawn and " ms now, " in drawn
    assert "\u2588" in drawn and "\x1b[14A\x1b[J" in drawn             # full blocks, and drawn over what was there


def test_bad_arguments_are_told(market, tmp_path):
    assert run("load", "orders", "--rate", "0").returncode == 2
    nowhere = market.command("load", "orders", "--history", str(tmp_path / "no" / "such"), "--json")
    assert nowhere.returncode == 1 and "cannot write" in nowhere.stderr
    many = market.command("load", "browse", "--products", "99999", "--json")
    assert many.returncode == 1 and "--products" in many.stderr
