# SPDX-License-Identifier: Apache-2.0
"""Is a history of stock linearizable? A checker that knows nothing of the program: only what a counter is.

Each product is a number of units of its own (Herlihy and Wing: a system is linearizable if each object is). init sets it; put adds; take takes if there is
enough; read tells it. Each operation happened at one moment between its start and its end; of a take with ok false there was not enough at that moment; one
with ok null happened at some moment after its start, or never. A put with ok null whose client has a take with ok null, of the same quantity, gives that back.

The ends are walked through in the order of time with the set of states the counter may be in (just-in-time linearization: Lowe, Testing for
linearizability, 2017): at the end of an operation every state must have it done, by it alone or after others that had begun. Four things keep the set
small. What only looks (read, a refused take) is done as soon as it is true. Of changes alike, the one that ends first is done first. A change that can be
done by itself need not wait for others, unless something that looks is still waiting for a state in between. These three lose no answer; the fourth forgives a
little: of takes that may have happened and been put back, any may be out at any moment. So what is there is a number from units - out to units, and no
unit too many is ever forgiven.
"""
import collections
import json

Op = collections.namedtuple("Op", "client op product quantity ok start end")
State = collections.namedtuple("State", "units done once lent")         # done: ids of the open; once, lent: takes and puts of unknown outcome, by quantity
STATES_MAX = 200_000


class Undecided(Exception):
    """Too many states: the checker does not know."""


def read_history(lines):
    """Of each product, its operations."""
    products = collections.defaultdict(list)
    for line in lines:
        x = json.loads(line)
        assert set(x) == {"client", "op", "product", "quantity", "ok", "start_ns", "end_ns"}, x
        assert x["op"] in ("init", "put", "take", "read") and x["ok"] in (True, False, None) and x["start_ns"] <= x["end_ns"], x
        products[x["product"]].append(Op(x["client"], x["op"], x["product"], x["quantity"], x["ok"], x["start_ns"], x["end_ns"]))
    return products


def violations(lines):
    """The products whose history no counter can have, each with the operation at which it came to light."""
    found = {}
    for product, ops in read_history(lines).items():
        at = first_violation(ops)
        if at is not None:
            found[product] = at
    return found


def bump(pairs, quantity, n):
    counts = dict(pairs)
    counts[quantity] = counts.get(quantity, 0) + n
    return tuple(sorted((q, k) for q, k in counts.items() if k))


class Open:
    """The known operations that have begun and not ended, and how many units may be out for a while."""

    def __init__(self):
        self.known = {}
        self.out = 0

    def looks_done(self, s):
        """Whatever only looks and is true now is done."""
        least = s.units - self.out
        now = [i for i, o in self.known.items() if i not in s.done and (
            o.op == "read" and least <= o.quantity <= s.units and o.quantity >= 0 or o.op == "take" and o.ok is False and max(least, 0) < o.quantity)]
        return s._replace(done=s.done.union(now)) if now else s

    def looks_wait(self, s):
        return any(i not in s.done and (o.op == "read" or o.ok is False) for i, o in self.known.items())

    def steps(self, s):
        """States after one more change, and which known operation made it."""
        first = {}
        for i, o in self.known.items():
            if i in s.done or o.op == "read" or o.ok is False:
                continue
            kind = (o.op, o.quantity)
            if kind not in first or o.end < self.known[first[kind]].end:
                first[kind] = i
        for (op, quantity), i in first.items():
            if op == "put" or s.units >= quantity:
                yield i, s._replace(units=s.units + (quantity if op == "put" else -quantity), done=s.done | {i})
        for quantity, _ in s.once:
            if s.units >= quantity:
                yield None, s._replace(units=s.units - quantity, once=bump(s.once, quantity, -1))
        for quantity, _ in s.lent:
            yield None, s._replace(units=s.units + quantity, lent=bump(s.lent, quantity, -1))

    def with_it_done(self, states, it):
        """Every state from these in which `it` is done, that need not do more first."""
        out, seen, todo = set(), set(), [self.looks_done(s) for s in states]
        while todo:
            s = todo.pop()
            if s in seen:
                continue
            seen.add(s)
            if len(seen) > STATES_MAX:
                raise Undecided(f"{len(seen)} states")
            if it in s.done:
                out.add(s)
                continue
            alone = [n for i, n in self.steps(s) if i == it or (i is not None and self.alike(i, it))]
            if alone and not self.looks_wait(s):
                todo.extend(map(self.looks_done, alone))
                continue
            todo.extend(self.looks_done(n) for _, n in self.steps(s))
        return out

    def alike(self, i, j):
        a, b = self.known[i], self.known[j]
        return (a.op, a.quantity, a.ok) == (b.op, b.quantity, b.ok)


def first_violation(ops):
    inits = [o for o in ops if o.op == "init"]
    assert len(inits) == 1 and all(o.start >= inits[0].end for o in ops if o.op != "init"), "a product's history begins with what there is"
    ops = [o for o in ops if o.op != "init" and not (o.op == "read" and o.ok is None)]
    back = collections.Counter((o.client, o.quantity) for o in ops if o.op == "put" and o.ok is None)
    events, names, tied = [], {}, collections.Counter()
    for i, o in enumerate(ops):
        if o.op == "take" and o.ok is None:
            names[i] = "out" if back[o.client, o.quantity] > 0 else "once"
            tied[o.client, o.quantity] += names[i] == "out"
            back[o.client, o.quantity] -= 1
    for i, o in enumerate(ops):
        if o.op == "put" and o.ok is None:
            if tied[o.client, o.quantity] > 0:          # it is part of that take
                tied[o.client, o.quantity] -= 1
                continue
            names[i] = "lent"
        events.append((o.start, 0, i))
        if o.ok is not None:
            events.append((o.end, 1, i))
    events.sort()
    now, states = Open(), {State(inits[0].quantity, frozenset(), (), ())}
    for _, ends, i in events:
        o = ops[i]
        if not ends and names.get(i) == "out":
            now.out += o.quantity
        elif not ends and o.ok is None:
            states = {s._replace(**{names[i]: bump(getattr(s, names[i]), o.quantity, 1)}) for s in states}
        elif not ends:
            now.known[i] = o
        else:
            states = now.with_it_done(states, i)
            if not states:
                return o
            del now.known[i]
            states = {s._replace(done=s.done - {i}) for s in states}
    return None
