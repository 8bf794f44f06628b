# SPDX-License-Identifier: Apache-2.0
"""A million requests, most of them reads, some orders, some wrong, some cut off: afterwards the program holds what it held after the first fifth."""
import collections
import json
import os
import socket
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from souk import Souk, last_json

ROUNDS, READS, PIPELINE, CONNECTIONS = 5, 200_000, 50, 4
ORDERS_A_SECOND, CUT = 1500, 240
GROWTH_MIB = 4                                          # five bytes a request; the smallest block of a heap is 32
CONNECTIONS_MORE = 8                                    # a pool of connections to the database may yet grow by; a leak would be thousands


def get(path, *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: souk", *fields, "", ""]).encode()


def mixture(product, token):
    """Requests for one write, and how many answers of each status they bring."""
    bearer = f"authorization: Bearer {token}"
    kinds = [(40, 200, get(f"/v1/products/{product}", bearer)), (2, 200, get("/v1/products?limit=3&fields=id,name")),
             (1, 200, get(f"/v1/products/{product}", "accept-encoding: gzip")), (1, 200, get(f"/v1/inventory/{product}")),
             (1, 404, get("/v1/products/019ab4f0-0000-7000-8000-00000000dead")), (1, 404, get("/nowhere")), (1, 400, get("/v1/products?limit=0&x=1")),
             (1, 401, get("/v1/me")), (1, 401, get("/v1/me", "authorization: Bearer a.b.c")), (1, 200, get("/v1/me", bearer))]
    assert sum(n for n, _, _ in kinds) == PIPELINE
    expected = collections.Counter()
    for n, status, _ in kinds:
        expected[status] += n
    return b"".join(request * n for n, _, request in kinds), expected


def drive(port, text, expected, times):
    """`times` pipelines over one connection, each answered whole before the next."""
    marks = {status: b"HTTP/1.1 %d " % status for status in expected}
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        for _ in range(times):
            s.sendall(text)
            seen, tail = collections.Counter(), b""
            while seen.total() < PIPELINE:
                piece = s.recv(1 << 18)
                assert piece, seen
                piece = tail + piece
                for status, mark in marks.items():
                    seen[status] += piece.count(mark)
                tail = piece[-len("HTTP/1.1 200"):]     # a mark may lie across two pieces, and none is shorter than this and a blank
            assert seen == expected


def cut_off(port, product, token):
    """Clients that leave in the middle of something: a head, a body, an answer."""
    body = json.dumps({"items": [{"product_id": product, "quantity": 1}]}).encode()
    order = b"".join([b"POST /v1/orders HTTP/1.1\r\nhost: souk\r\nauthorization: Bearer ", token.encode(), b"\r\ncontent-type: application/json\r\nidempotency-key: ",
                      os.urandom(8).hex().encode(), b"\r\ncontent-length: ", str(len(body)).encode(), b"\r\n\r\n", body])
    for i in range(CUT):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
            s.sendall((get("/v1/products?limit=100") * 20, order[:90], order[:-10], get("/v1/me")[:-2], b"\x16\x03\x01nonsense\r\n\r\n", order)[i % 6])
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")       # a reset, not an end


def one_round(souk, text, expected, product, token):
    drivers = [threading.Thread(target=lambda: results.append(drive(souk.port, text, expected, READS // PIPELINE // CONNECTIONS))) for _ in range(CONNECTIONS)]
    results = []
    for t in drivers:
        t.start()
    result = last_json(souk.command("load", "orders", "--rate", str(ORDERS_A_SECOND), "--seconds", "1", "--connections", "32", "--json"))
    for t in drivers:
        t.join()
    assert len(results) == CONNECTIONS, "a reader failed"
    assert result["ok"] and result["errors"] == 0
    cut_off(souk.port, product, token)


def held(souk):
    """What must be as it was: descriptors, connections, fibers, and what waits."""
    gauges = {f.name: f for f in text_string_to_metric_families(souk.get("/metrics").text)}

    def total(name, **labels):
        return sum(s.value for s in gauges[name].samples if labels.items() <= s.labels.items())
    return {"descriptors": len(os.listdir(f"/proc/{souk.process.pid}/fd")), "fibers": total("souk_fibers", state="waiting"),
            "connections": total("souk_http_connections"), "transactions": total("souk_db_connections", state="busy"), "in flight": total("souk_db_in_flight"),
            "waiting": total("souk_db_waiting") + total("souk_batch_waiting"), "slow work": total("souk_pool", state="busy") + total("souk_pool", state="queued")}


def at_rest(souk, wanted=None, seconds=15):
    """held() once it equals `wanted`, or once it says twice the same."""
    end, before = time.monotonic() + seconds, None
    while time.monotonic() < end:
        now = held(souk)
        if now == (wanted or before):
            break
        before = now
        souk.get("/v1/products?limit=1")
    return now


def resident_mib(souk):
    with open(f"/proc/{souk.process.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@pytest.mark.slow
def test_a_million_requests_leave_nothing_behind(tmp_path):
    with Souk(tmp_path, "--access-log", "none") as souk:
        token = souk.token()
        product = souk.get("/v1/products?limit=1").json()["items"][0]["id"]
        text, expected = mixture(product, token)
        one_round(souk, text, expected, product, token)
        first, memory = at_rest(souk), resident_mib(souk)
        for _ in range(ROUNDS - 1):
            one_round(souk, text, expected, product, token)
        last = at_rest(souk, first)
        assert last["descriptors"] <= first["descriptors"] + CONNECTIONS_MORE
        assert {**last, "descriptors": 0} == {**first, "descriptors": 0}
        grown = resident_mib(souk) - memory
        assert grown < GROWTH_MIB, f"{memory:.1f} MiB after a fifth, {grown:.1f} MiB more at the end"
        print(f"{memory:.1f} MiB after a fifth, {grown:+.1f} MiB at the end")
