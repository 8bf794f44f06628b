# SPDX-License-Identifier: Apache-2.0
"""Fills a marketplace with orders of the past (stored.sql): straight into its tables, since through the API three million would take minutes of what is
to be measured."""
import concurrent.futures
import pathlib
import time

HERE = pathlib.Path(__file__).resolve().parent
FEW, MUCH, PRODUCTS = 10_000, 3_000_000, 10_000


def fill(souk, n):
    """Seconds it took; the three databases at once."""
    begun = time.monotonic()
    some = "".join(p + "\n" for p in (souk.products * (PRODUCTS // len(souk.products) + 1))[:PRODUCTS])
    same = ["-v", f"n={n}", "-v", f"now={int(time.time())}", "-v", "buyers=" + ",".join(souk.buyers), "-f", str(HERE / "stored.sql")]
    with concurrent.futures.ThreadPoolExecutor(3) as at_once:
        list(at_once.map(lambda part: souk.sql(f"souk_{part}", "-v", f"part={part}", *same, input=some), ("orders", "payments", "inventory")))
    souk.sql("postgres", "-c", "checkpoint")
    return time.monotonic() - begun
