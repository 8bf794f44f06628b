# SPDX-License-Identifier: Apache-2.0
"""The checker of linearizability is itself checked: histories a counter can have, and histories it cannot."""
import itertools
import json
import random

import pytest

from linear import violations


def line(op, quantity, ok, start, end, client=1, product="p"):
    return json.dumps({"client": client, "op": op, "product": product, "quantity": quantity, "ok": ok, "start_ns": start, "end_ns": end})


def stock_of(n, *more):
    return [line("init", n, True, 0, 1, client=0), *more]


@pytest.mark.parametrize("history", [
    stock_of(2, line("take", 1, True, 2, 3), line("take", 1, True, 4, 5), line("take", 1, False, 6, 7)),
    stock_of(1, line("take", 1, False, 2, 9), line("take", 1, True, 3, 4)),                                     # the refused one came second
    stock_of(0, line("take", 3, True, 2, 9), line("put", 3, True, 5, 6), line("read", 0, True, 10, 11)),        # it waited for the delivery
    stock_of(5, line("take", 2, None, 2, 3), line("read", 5, True, 4, 5), line("read", 3, True, 6, 7)),         # late
    stock_of(5, line("take", 2, None, 2, 3), line("read", 5, True, 4, 5)),                                      # never
    stock_of(1, line("take", 1, None, 2, 3), line("put", 1, None, 2, 3), line("take", 1, False, 4, 5, client=2), line("take", 1, True, 6, 7, client=3)),
    stock_of(3, line("take", 1, True, 2, 9, client=1), line("take", 2, True, 2, 9, client=2), line("read", 1, True, 3, 4, client=3)),   # seen half-way
    stock_of(9, line("take", 3, True, 2, 30), line("put", 3, True, 2, 31), line("read", 6, True, 5, 6), line("read", 9, True, 7, 8)),
], ids=itertools.count())
def test_what_a_counter_can_have(history):
    assert not violations(history)


@pytest.mark.parametrize("history", [
    stock_of(1, line("take", 1, True, 2, 3), line("take", 1, True, 4, 5)),                                      # sold twice
    stock_of(1, line("take", 1, True, 2, 9), line("take", 1, True, 2, 9, client=2)),                            # at the same time, too
    stock_of(2, line("take", 1, False, 2, 3)),                                                                  # there was enough
    stock_of(2, line("take", 1, True, 2, 3), line("read", 2, True, 4, 5)),                                      # lost update
    stock_of(2, line("read", 1, True, 2, 3), line("take", 1, True, 4, 5)),                                      # seen before it began
    stock_of(0, line("put", 1, True, 2, 3), line("take", 1, False, 4, 5), line("take", 1, True, 6, 7)),
    stock_of(2, line("take", 1, True, 2, 9), line("read", 1, True, 3, 4, client=2), line("read", 2, True, 5, 6, client=2)),             # taken, and not
    stock_of(0, line("take", 1, None, 2, 3), line("put", 1, None, 2, 3), line("read", 1, True, 4, 5)),          # what was not taken is not put back
    stock_of(1, line("take", 1, None, 2, 3), line("put", 1, None, 2, 3), line("read", 2, True, 4, 5)),
], ids=itertools.count())
def test_what_a_counter_cannot_have(history):
    assert list(violations(history)) == ["p"]


def test_each_product_is_a_counter_of_its_own():
    good = [line("init", 1, True, 0, 1, product="q"), line("take", 1, True, 2, 3, product="q")]
    assert list(violations(stock_of(1, line("take", 2, True, 2, 3)) + good)) == ["p"]


def brute_force(ops):
    """Every order of the operations, and every choice of the unknown ones."""
    def works(order):
        units, seen = None, 0
        for o in order:
            if o["end_ns"] < seen and o["ok"] is not None:
                return False
            seen = max(seen, o["start_ns"])
            q = o["quantity"]
            if o["op"] == "init":
                units = q
            elif o["op"] == "put":
                units += q
            elif o["op"] == "read" and units != q or o["op"] == "take" and (units >= q) != (o["ok"] is not False):
                return False
            elif o["op"] == "take" and o["ok"] is not False:
                units -= q
        return True

    sure, maybe = [o for o in ops[1:] if o["ok"] is not None], [o for o in ops[1:] if o["ok"] is None]
    chosen = itertools.chain.from_iterable(itertools.combinations(maybe, n) for n in range(len(maybe) + 1))
    return any(works([ops[0], *order]) for some in chosen for order in itertools.permutations([*sure, *some]))


def test_it_agrees_with_trying_every_order():
    dice, can = random.Random(7), 0
    for _ in range(400):
        ops = [line("init", dice.randrange(4), True, 0, 1, client=0)]
        for client in range(1, dice.randrange(2, 6)):
            start = dice.randrange(2, 12)
            op = dice.choice(["take", "take", "take", "put", "read"])
            ok = dice.choice([True, True, False, None]) if op == "take" else True
            ops.append(line(op, dice.randrange(1, 3) if op != "read" else dice.randrange(4), ok, start, start + dice.randrange(1, 6), client=client))
        expected = brute_force([json.loads(o) for o in ops])
        assert (not violations(ops)) == expected, ops
        can += expected
    assert 50 < can < 350
