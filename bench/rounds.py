# SPDX-License-Identifier: Apache-2.0
"""One round of each thing that is measured. A round logs in anew (tokens live five minutes), sees that there is stock, waits until nothing runs, and
gives back a dict of figures. What is behind an answer belongs to it: CPU is read when all is at rest, and a round whose chain did not come to its end,
or that had one answer other than 201, ends the whole run.
"""
import json
import os
import pathlib
import re
import subprocess
import time

from marketplace import ROOT
from processes import Others, die, flush_us, forget_peak, memory_mib, until_idle

HERE = pathlib.Path(__file__).resolve().parent
ONE, WAITING, MANY = 1, 64, 256
UNITS_MS = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}


def read_wrk(out):
    """{n, rate, p50, p99} in requests, a second and ms; None when an answer was not 2xx or a socket failed."""
    if re.search(r"Non-2xx or 3xx responses|Socket errors", out):
        return None
    n, took, unit = re.search(r"(\d+) requests in ([\d.]+)(ms|us|s|m)", out).groups()
    took = float(took) * UNITS_MS[unit] / 1e3
    at = {p: float(v) * UNITS_MS[u] for p, v, u in re.findall(r"^ +(50|99)% +([\d.]+)(us|ms|s|m)", out, re.M)}
    return {"n": int(n), "rate": int(n) / took, "p50": at["50"], "p99": at["99"]}


def wrk(connections, *args):
    out = subprocess.check_output(["wrk", "-t1", f"-c{connections}", "--latency", *args], text=True, cwd=HERE)
    return read_wrk(out) or die(f"wrk {' '.join(args[:2])}: {out}")


def paths(souk):
    """What is read."""
    return {"get": f"/v1/products/{souk.product}", "list": "/v1/products?limit=20"}


def get(souk, path, seconds):
    """A path, its token checked: us of the server and the database a request."""
    token = souk.tokens()[0]
    souk.want(200, "GET", path, token=token)
    souk.want(401, "GET", path, token=token[:-8] + "AAAAAAAA")     # the token is really checked
    head = ["-H", f"Authorization: Bearer {token}", souk.url + path]
    wrk(WAITING, "-d1s", *head)
    others, clocks = Others(), souk.clocks()
    before = [c() for c in clocks]
    w = wrk(WAITING, f"-d{seconds}s", *head)
    server, database = (c() - b for c, b in zip(clocks, before))
    return {"server": server / w["n"] * 1e6, "database": database / w["n"] * 1e6, "rate": w["rate"], "p99": w["p99"], "others": others.share(server + database)}


def orders(souk, waiting, seconds, many=False):
    """Orders of one hot product, or baskets over all of them, by so many who wait for their answer."""
    souk.stock_up(many)
    (souk.data / "tokens").write_text("\n".join(souk.tokens()) + "\n")
    (souk.data / "products").write_text("\n".join(souk.products if many else [souk.product]) + "\n")
    known = souk.count_orders()[0]
    forget_peak(souk.pid)
    before = until_idle(*souk.clocks())
    others = Others()
    w = wrk(waiting, f"-d{seconds}s", "-s", "order.lua", souk.url, "--", str(souk.data / "tokens"), str(souk.data / "products"))
    ended = time.monotonic()
    server, database = (b - a for a, b in zip(before, until_idle(*souk.clocks())))
    behind = max(0.0, time.monotonic() - ended - 0.5)
    share = others.share(server + database)
    total, captures, holds = souk.count_orders()
    n = total - known
    if captures != total or holds or n < w["n"]:
        die(f"{total} orders ({w['n']} new answers), {captures} captures, {holds} holds: the chain did not come to its end")
    return {"server": server / n * 1e6, "database": database / n * 1e6, "all": (server + database) / n * 1e6, "rate": w["rate"], "p50": w["p50"], "p99": w["p99"],
            "behind": behind, "peak": memory_mib(souk.pid, "VmHWM"), "others": share}


def alone(souk, base, seconds):
    """One order at a time; its latency beside three flushes of the disk, which is asked before and after."""
    first = flush_us(base)
    r = orders(souk, ONE, seconds)
    flush = (first + flush_us(base)) / 2e3
    return {"p50": r["p50"], "flush": flush, "over": r["p50"] - 3 * flush, "all": r["all"], "rate": r["rate"], "others": r["others"]}


def arrivals(souk, rate, seconds):
    """Orders of one product that arrive at a rate, answered or not (souk load): a point of the latency curve."""
    done = subprocess.run([ROOT / "build/souk", "load", "orders", "--data", souk.data, "--rate", str(rate), "--seconds", str(seconds), "--seed", str(rate), "--json"],
                          capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    if done.returncode:
        die(f"souk load: {done.stdout[-800:]} {done.stderr[-800:]}")
    got = json.loads(done.stdout.strip().rpartition("\n")[2])
    return {"asked": rate, "rate": got["rate"], "p50": got["p50_ms"], "p99": got["p99_ms"], "all": got["server_cpu_us"] + got["database_cpu_us"]}
