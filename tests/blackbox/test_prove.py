# SPDX-License-Identifier: Apache-2.0
"""souk prove: the promises hold in bad weather, and each planted fault is found."""
import json

import pytest

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
    assert result["confirmed"] > 20 and result["repeats"] >= result["confirmed"]
    assert all(c["ok"] for c in result["checks"]) and len(result["checks"]) >= 15
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    assert {x["op"] for x in lines} == {"take"} and {x["ok"] for x in lines} >= {True}


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["11", "12"])
def test_every_promise_holds_from_other_seeds(seed):
    done, result = proof("--seed", seed, "--seconds", "10", "--kills", "10")
    assert done.returncode == 0 and result["ok"], done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("fault", BREAKS)
def test_a_planted_fault_is_found(fault):
    done, result = proof("--break", fault, "--seconds", "2", "--kills", "0")
    assert done.returncode == 1 and not result["ok"] and "error" not in result, done.stdout + done.stderr
    found = [c["name"] for c in result["checks"] if not c["ok"] and not c["name"].startswith("it comes to rest")]
    assert found, done.stdout
    assert f"--break {fault}" in done.stdout and "The same schedule again" in done.stdout


@pytest.mark.slow
def test_the_story_of_a_broken_order_is_told():
    done, _ = proof("--break", "double_capture", "--seconds", "2", "--kills", "0")
    assert "The story of" in done.stdout
    for chapter in ("purchase ", "orders.orders: ", "orders.order_item: ", "inventory.movement: ", "payments.intent: ", "payments.transfer: ", "events of orders: "):
        assert chapter in done.stdout, chapter
