# SPDX-License-Identifier: Apache-2.0
"""souk prove: the promises hold in bad weather, and each planted fault is found."""
import json
import re

import pytest

from linear import violations
from souk import last_json, run

BREAKS = [b["name"] for b in json.loads(run("prove", "--list-breaks", "--json").stdout)["breaks"]]


def proof(*args, timeout=280):
    done = run("prove", "--json", *args, timeout=timeout)
    return done, last_json(done)


def test_there_are_faults_to_plant():
    assert len(BREAKS) >= 10 and len(set(BREAKS)) == len(BREAKS)
    assert run("prove", "--break", "nothing_of_the_kind").returncode == 2


def test_every_promise_holds_in_bad_weather(tmp_path):
    history = tmp_path / "history.jsonl"
    done, result = proof("--seconds", "3", "--kills", "4", "--seed", "7", "--history", str(history))
    assert done.returncode == 0 and result["ok"], done.stdout + done.stderr
    assert result["confirmed"] > 20 and result["repeats"] > 20 and result["deliveries"] > 0 and result["reads"] > 43
    assert all(c["ok"] for c in result["checks"]) and len(result["checks"]) >= 28
    for kind in ("kill -9 of a server", "past every expiry", "immediate stop of PostgreSQL"):
        assert kind in result["disturbances"] and kind in done.stderr
    lines = history.read_text().splitlines()
    ops = [json.loads(line) for line in lines]
    assert {x["op"] for x in ops} == {"init", "put", "take", "read"} and {x["ok"] for x in ops if x["op"] == "take"} >= {True, None}
    assert not violations(lines)
    last = ops[max(i for i, x in enumerate(ops) if x["op"] == "read")]
    forged = {**last, "quantity": last["quantity"] + 1000}              # read when all was over
    assert violations(json.dumps(forged) if x is last else json.dumps(x) for x in ops) == {last["product"]: violations_of(forged)}


def violations_of(op):
    return (op["client"], op["op"], op["product"], op["quantity"], op["ok"], op["start_ns"], op["end_ns"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["11", "12"])
def test_every_promise_holds_from_other_seeds(seed):
    done, result = proof("--seed", seed, "--seconds", "10", "--kills", "10")
    assert done.returncode == 0 and result["ok"], done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("fault", BREAKS)
def test_a_planted_fault_is_found(fault, tmp_path):
    history = tmp_path / "history.jsonl"
    done, result = proof("--break", fault, "--seconds", "2", "--kills", "0", "--history", str(history))
    assert done.returncode == 1 and not result["ok"] and "error" not in result, done.stdout + done.stderr
    found = [c["name"] for c in result["checks"] if not c["ok"] and not c["name"].startswith("it comes to rest")]
    assert found, done.stdout
    assert f"--seed 1 --kills 0 --seconds 2 --break {fault}" in done.stdout and "The same schedule again" in done.stdout
    assert re.search(r"The story of [0-9a-f-]{36}:\n", done.stdout) and "orders.orders: " in done.stdout
    if fault in ("lost_update", "no_hold"):
        assert violations(history.read_text().splitlines()), "a counter that loses updates was taken for one"


@pytest.mark.slow
def test_the_story_of_a_broken_order_is_told():
    done, _ = proof("--break", "double_capture", "--seconds", "2", "--kills", "0")
    assert "The story of" in done.stdout
    for chapter in ("purchase ", "orders.orders: ", "orders.order_item: ", "inventory.movement: ", "inventory.stock: ", "payments.intent: ", "payments.transfer: ", "events of orders: ", "events of payments: "):
        assert chapter in done.stdout, chapter + "is not in\n" + done.stdout
