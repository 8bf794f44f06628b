# SPDX-License-Identifier: Apache-2.0
"""The tour, run as it stands: every block of docs/tour.md in one shell, against a marketplace as `make run` starts it."""
import pathlib
import re
import subprocess

import pytest

from souk import PROGRAM, ROOT, Souk, environment

# What the text says of a block's answers, by a text of the block.
EXPECTED = [
    ('"password":"..."', ['"slug":"wrong_credentials"']),
    ("TOKEN=$(", ['"role":"customer"']),
    ("sort=price&limit=2", ['"next":']),
    ("colour=red", ['"status":400', '"pointer":"colour"']),
    ("curl -si $SOUK/v1/orders", ["HTTP/1.1 201 Created", "location: /v1/orders/", '"invoice_number":"SK-']),
    ("ORDER=$(", ['"state":"confirmed"', '"gross"', '"order_id"']),
    ("--role vendor", ['"slug":"no_such_order"']),
    ("4000000000000002", ['"status":402', '"slug":"payment_declined"']),
    ("/cancel", ['"state":"cancelled"', '"credit_note_number":"']),
    ("return-$ORDER", ['"reason":"too small"', '"number":"']),
    ("too-many-$ORDER", ['"status":409']),
    ("rest-$ORDER", ['"reason":"unopened"', '"quantity":10']),
    ("/v1/ledger/trial-balance", ['"on_hand":', '"sum":0', '"items":[']),
    ("inventory/adjustments", ['"delta":-1']),
]


@pytest.fixture(scope="module", name="answers")
def _answers(tmp_path_factory):
    """What each block printed, by its text."""
    top = tmp_path_factory.mktemp("tour")
    top.chmod(0o711)
    blocks = [b for b in re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "tour.md").read_text(), re.S) if "souk demo" not in b]
    (top / "build").mkdir()
    (top / "build" / "souk").symlink_to(pathlib.Path(PROGRAM).resolve())
    with Souk(top) as souk:
        script = "".join(f"{b.replace('http://127.0.0.1:8080', souk.url)}\nprintf '\\n=====\\n'\n" for b in blocks)
        done = subprocess.run(["bash", "--norc", "-uo", "pipefail", "-c", script], capture_output=True, text=True, timeout=100, cwd=top, env=environment(), check=False)
    assert not done.stderr, done.stderr
    printed = done.stdout.split("\n=====\n")
    assert len(printed) == len(blocks) + 1
    return dict(zip(blocks, printed))


@pytest.mark.parametrize("words,answers_have", EXPECTED, ids=[words for words, _ in EXPECTED])
def test_the_tour_gets_what_it_says(answers, words, answers_have):
    block = next(b for b in answers if words in b)
    for text in answers_have:
        assert text in answers[block], f"{block}\n{answers[block][:3000]}"


def test_no_block_met_a_fault_of_ours(answers):
    for block, printed in answers.items():
        assert not re.search(r'"status":5\d\d|"slug":"(invalid_token|no_such_path)"', printed), f"{block}\n{printed[:3000]}"
