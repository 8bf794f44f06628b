# SPDX-License-Identifier: Apache-2.0
"""Makes bench/RESULTS.md and its pictures of what a run measured (build/bench.json)."""
import statistics

from chart import bars, lines
from marketplace import BUYERS
from rounds import MANY, WAITING
from stored import FEW
from usual import best

KEPT_UP_S = 1.0                                         # the chain is done this soon after the last answer, or it was not keeping up


def median(rows, key):
    return statistics.median(x[key] for x in rows)


class Table:
    """Rows of what | must | goal | median | min - max | command."""

    def __init__(self):
        self.rows, self.missed, self.last = [], [], ""

    def row(self, what, values, form, command, must=None, goal=None, more=False):
        """must and goal are bounds: from above, or from below when more is better."""
        m, sign = statistics.median(values), ">=" if more else "<="
        self.last = self.last if what.startswith("- ") else what

        def said(bound):
            return "" if bound is None else f"{sign} {bound:,g}"

        def kept(bound):
            return m >= bound if more else m <= bound
        got = form.format(m)
        if must is not None and not kept(must):
            got = f"**misses:** {got}"
            self.missed.append(what if what == self.last else f"{self.last} {what}")
        elif goal is not None and kept(goal):
            got += " (goal)"
        self.rows.append(f"| {what} | {said(must)} | {said(goal)} | {got} | {form.format(min(values))} - {form.format(max(values))} | {command} |")

    def note(self, what, got, command):
        self.rows.append(f"| - {what} | | | {got} | | {command} |")


def column(rows, key):
    return [x[key] for x in rows]


def orders_rows(t, r):
    if r["hot"]:
        t.row(f"confirmed orders/s of one hot product, {MANY} waiting", column(r["hot"], "rate"), "{:,.0f}", "1", 12000, 22000, more=True)
        t.row("- CPU an order, server and database, us", column(r["hot"], "all"), "{:.1f}", "1", 90, 50)
        t.row("- p99, ms", column(r["hot"], "p99"), "{:.1f}", "1", goal=30)
        t.row("- the chain of events is done after the last answer, s", column(r["hot"], "behind"), "{:.1f}", "1", KEPT_UP_S)
        t.note("of the CPU: server; database, us", "{:.1f}; {:.1f}".format(median(r["hot"], "server"), median(r["hot"], "database")), "1")
    if r["orders"]:
        pool = best(r["usual"], "all")
        usual = r["usual"][pool]
        t.row(f"the same, {WAITING} waiting: CPU an order as a part of the usual way's, in each round", [s["all"] / u["all"] for s, u in zip(r["orders"], usual)], "{:.3f}", "1, 2", 0.1, 0.05)
        t.row("- CPU an order, server and database, us", column(r["orders"], "all"), "{:.1f}", "1")
        t.note("of it server; database, us; orders/s; p99, ms", "{:.1f}; {:.1f}; {:,.0f}; {:.1f}".format(*(median(r["orders"], k) for k in ("server", "database", "rate", "p99"))), "1")
        t.row(f"- the usual way at its best, a pool of {pool}: CPU of database and application, us", column(usual, "all"), "{:.0f}", "2")
        t.note("of it database; application (pgbench), us; orders/s", "{:.0f}; {:.0f}; {:,.0f}".format(*(median(usual, k) for k in ("database", "app", "rate"))), "2")
        t.row("- the part, were the usual way's application free", [s["all"] / u["database"] for s, u in zip(r["orders"], usual)], "{:.3f}", "1, 2")
    if r["baskets"]:
        t.row(f"the same over 10,000 products, baskets of 1 to 3 lines, {MANY} waiting: orders/s", column(r["baskets"], "rate"), "{:,.0f}", "1", 8000, 16000, more=True)
        t.row("- CPU an order, server and database, us", column(r["baskets"], "all"), "{:.1f}", "1", 120, 75)
        t.note("of it server; database, us; p99, ms; the chain after the last answer, s", "{:.1f}; {:.1f}; {:.1f}; {:.1f}".format(*(median(r["baskets"], k) for k in ("server", "database", "p99", "behind"))), "1")
    if r["alone"]:
        t.row("an order alone: median latency beyond three flushes of the disk, ms", column(r["alone"], "over"), "{:.2f}", "1", 1, 0.4)
        t.note("the latency, ms; a flush, us", "{:.2f}; {:.0f}".format(median(r["alone"], "p50"), median(r["alone"], "flush") * 1e3), "1")


def table(r):
    t = Table()
    orders_rows(t, r)
    for key, what, must, goal in (("get", "GET of a product, token checked: CPU of the server, us", 10, 9), ("list", "list of 20 products, token checked: CPU of the server, us", 14, 11)):
        if r[key]:
            t.row(what, column(r[key], "server"), "{:.1f}", "3", must, goal)
            t.note("CPU of the database, us; requests/s; p99, ms", "{:.1f}; {:,.0f}; {:.2f}".format(*(median(r[key], k) for k in ("database", "rate", "p99"))), "3")
    loads = [max(x) for x in zip(*(column(r[k], "peak") for k in ("hot", "orders", "baskets") if r[k]))]
    if loads:
        t.row("resident memory of `souk` under these orders, its peak, MiB", loads, "{:.1f}", "1", 48, 32)
    if r["second"]:
        t.row("from start to ready, database there, s", r["second"], "{:.2f}", "4", 0.5, 0.2)
        t.row("- the first run: initdb, migrations, accounts, 10,000 products, s", r["first"], "{:.2f}", "4", 6, 4)
    if r["stored"]:
        s = r["stored"]
        for kind, what, must in (("hot", "an order's cost with {:,} stored, as a multiple of that with {:,}", 1.2), ("baskets", "- the same of baskets", None)):
            t.row(what.format(r["much"], FEW), [m["all"] / f["all"] for m, f in zip(s["much"][kind], s["few"][kind])], "{:.2f}", "1, 5", must, must)
            t.note("CPU an order, us: few stored; many stored", "{:.1f}; {:.1f}".format(median(s["few"][kind], "all"), median(s["much"][kind], "all")), "1, 5")
    return t


def pictures(r):
    """{file: (svg, what it shows)}"""
    out = {}
    if r["orders"] and r["hot"] and r["baskets"]:
        pool = best(r["usual"], "all")
        usual = r["usual"][pool]
        rows = [(f"the usual way, pool of {pool}", [median(usual, "database"), 0, median(usual, "app")])]
        rows += [(name, [median(r[k], "database"), median(r[k], "server"), 0]) for name, k in ((f"Souk, {WAITING} waiting", "orders"), (f"Souk, {MANY} waiting", "hot"), ("Souk, baskets", "baskets"))]
        out["cost.svg"] = bars("What an order costs: microseconds of CPU", "every process but the load's own; the usual way has no hold, no payment and no HTTP in it", rows,
                               [("database", "b"), ("server", "a"), ("application (pgbench)", "c")]), "CPU an order, the usual way and Souk"
    c = r["curves"]
    if c.get("waiting"):
        souk = [(int(w), rate) for w, rate in c["waiting"]]
        series = [("Souk", "a", souk)]
        if r["usual"]:
            series.append(("the usual way", "c", [(int(p), median(u, "rate")) for p, u in r["usual"].items()]))
        out["rate.svg"] = lines("Orders a second, by how many wait for their answer", "one hot product; of the usual way, the pool's size; load, server and database on the same cores", series,
                                "waiting", "orders/s", x_base=2, y_base=None), "orders a second by how many wait"
    if c.get("arrivals"):
        series = [(p, colour, [(x["asked"], x[p]) for x in c["arrivals"]]) for p, colour in (("p50", "a"), ("p99", "b"))]
        out["latency.svg"] = lines("Latency of an order, by the rate at which orders arrive", "open loop: arrivals do not wait for answers, and latency counts from the moment an order was meant to be sent",
                                   series, "arrivals a second", "ms"), "latency of an order by the rate of arrivals"
    return out


def others(r):
    rounds = [x["others"] for k in ("hot", "orders", "baskets", "alone", "get", "list") for x in r[k]] + [x["others"] for u in r["usual"].values() for x in u]
    return f"Others took {statistics.median(rounds):.1f} % of the cores during the rounds (median; {max(rounds):.1f} % at most)." if rounds else ""


def curves(r):
    if not r["curves"]:
        return ""
    rows = "\n".join(f"| {x['asked']:,} | {x['rate']:,.0f} | {x['p50']:.1f} | {x['p99']:.1f} | {x['all']:.0f} |" for x in r["curves"]["arrivals"])
    waiting = "; ".join(f"{w}: {rate:,.0f}" for w, rate in r["curves"]["waiting"])
    return f"""
Orders that arrive at a rate (6), answered or not; the last row is more than this machine does:

| arrivals/s | answers/s | p50 ms | p99 ms | CPU us an order |
|---|---|---|---|---|
{rows}

Orders a second by how many wait (1): {waiting}.
"""


def pools(r):
    if not r["usual"]:
        return ""
    rows = "\n".join(f"| {pool} | {len(u)} | " + " | ".join(f"{median(u, k):,.0f}" for k in ("rate", "all", "database", "app")) + " |" for pool, u in r["usual"].items())
    return f"""
The usual way is one transaction of nine statements an order (`usual_way.sql`), each a round trip, on a PostgreSQL with the very command line of Souk's own. It does less: no hold,
no payment, no capture, no HTTP, no token. Its application is pgbench, which stands for a server that would cost more. Every pool size is tried once, the best ones in every round; medians:

| pool | rounds | orders/s | CPU us an order | database | pgbench |
|---|---|---|---|---|---|
{rows}
"""


def render(r):
    """(the page, {picture: svg}, what missed its must)"""
    t, drawn, s = table(r), pictures(r), r["seconds"]
    shown = "\n".join(f"![{what}](pictures/{name})\n" for name, (_, what) in drawn.items())
    nl = "\n"
    page = f"""# What Souk costs, measured

Written by `make bench` (`bench/run`): medians of {r["rounds"]} rounds of {s} s, the smallest and the largest beside them. Server, PostgreSQL (fsync on) and load share the same cores, so rates
belong to this machine and its neighbours; CPU a request, and ratios of one run, are what to compare.

Souk {r["version"]} on {r["machine"]}. Load average before the run {r["load"]}. {others(r)}

| what | must | goal | median | min - max | command |
|---|---|---|---|---|---|
{nl.join(t.rows)}

{shown}
CPU is utime + stime of `/proc/PID/stat`: of `souk` for the server; of the postmaster, its processes and those that have ended for the database. The load's own is not counted. Souk runs with
its default settings and one worker (one for every two cores). An order's cost is read when everything has come to rest after the load: every order captured, no hold open, which is
counted in the databases. {BUYERS} buyers, each order with a token that is checked and a new UUIDv7 as its key. A flush is `fdatasync` after 8 KiB over blocks that are there, as PostgreSQL
writes its log, asked before and after each round of orders alone. What is stored in the last rows was written straight into the tables, spread over the year and 50,000 buyers, then
analyzed; with few and with many in turns, a new marketplace for the few each time.
{curves(r)}{pools(r)}
Commands (`bench/run` starts what they need and reads the clocks around them; WAITING is 1, {WAITING} or {MANY}):

    1  wrk -t1 -c WAITING -d{s}s --latency -s order.lua URL -- TOKENS PRODUCTS      (one product, or 10,000 for baskets)
    2  pgbench -n -M prepared -c POOL -T {s} -f usual_way.sql
    3  wrk -t1 -c{WAITING} -d{s}s --latency -H "Authorization: Bearer TOKEN" URL/v1/products/ID       (or URL/v1/products?limit=20; after a second of warming up)
    4  souk run --data DIR --port N       from its start to the first 200 of /readyz
    5  psql -v n=ORDERS -v now=SECONDS -v buyers=UUID,... -v part=orders|inventory|payments -f stored.sql
    6  souk load orders --rate ARRIVALS --json
"""
    return page, {name: svg for name, (svg, _) in drawn.items()}, t.missed
