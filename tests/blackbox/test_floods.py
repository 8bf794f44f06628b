# SPDX-License-Identifier: Apache-2.0
"""Clients that mean harm to a server of their own: slow, silent, many, gone in the middle, absurd. Every time: bounded memory, the right status,
never two answers, and somebody who behaves is answered all the while.

What is legal and what smuggles is in test_wire.py; the bounds reached here in small are in tests/unit/net/server_limits_test.c."""
import contextlib
import json
import re
import resource
import select
import socket
import statistics
import threading
import time

import pytest

from souk import Souk
from test_wire import LOGIN, Wire, chunks, get, post

PLACES, WAITING_MIB = 1200, 16
RESET = b"\1\0\0\0\0\0\0\0"                             # SO_LINGER of no time: closing is a reset


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    top = tmp_path_factory.mktemp("floods")
    top.chmod(0o711)
    with Souk(top, "--no-seed", "--workers", "1", "--target", "identity", "--connections", str(PLACES), "--waiting-memory", f"{WAITING_MIB}MiB",
              "--head-timeout", "1s", "--body-timeout", "1s", "--write-timeout", "1s", "--idle-timeout", "60s") as s:
        yield s


def memory_mib(server, what):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as f:
        return int(re.search(rf"{what}:\s+(\d+) kB", f.read())[1]) / 1024


def metric(server, name):
    found = re.search(rf"^{re.escape(name)} (\d+)$", server.get("/metrics").text, re.M)
    return int(found[1]) if found else 0


def wait_until(done, seconds=30):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        select.select([], [], [], 0.01)


@contextlib.contextmanager
def harmless(server, mib):
    """Meanwhile a client that behaves is answered at once, and the server never takes so much more memory; afterwards all is as before."""
    took, wrong, over = [], [], threading.Event()

    def behave():
        while not over.wait(0.01):
            begun = time.monotonic()
            try:
                with Wire(server) as w:
                    if w.send(get()).answer()[0] != 200:
                        wrong.append("not 200")
            except (AssertionError, OSError) as e:
                wrong.append(repr(e))
            took.append(time.monotonic() - begun)
    with open(f"/proc/{server.process.pid}/clear_refs", "w", encoding="utf-8") as f:
        f.write("5")                                    # the high-water mark begins anew
    before = memory_mib(server, "VmRSS")
    client = threading.Thread(target=behave)
    client.start()
    try:
        yield wrong
    finally:
        over.set()
        client.join()
    assert not wrong and statistics.median(took) < 0.5, (wrong[:3], took)
    assert memory_mib(server, "VmHWM") - before < mib
    assert server.process.poll() is None and server.get("/healthz").status_code == 200
    wait_until(lambda: metric(server, "souk_http_waiting_bytes") == 0)


@contextlib.contextmanager
def crowd(server, n, data=b""):
    """n connections that each have said something. Small windows: what the server sends and they do not read stays with the server."""
    wires = []
    try:
        for _ in range(n):
            w = Wire.__new__(Wire)
            w.socket, w.left = socket.socket(), b""
            w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            w.socket.settimeout(20)
            w.socket.connect(("127.0.0.1", server.port))
            wires.append(w.send(data))
        yield wires
    finally:
        for w in wires:
            w.socket.close()


def all_of(w):
    """Everything until the server ends the connection."""
    while w.more():
        pass
    return w.left


def statuses(data):
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d\d\d) [A-Z]", data)]


def only_answer(w, status):
    """One answer, which is a problem, and the end."""
    data = all_of(w)
    assert statuses(data) == [status], data[:300]
    head, body = data.split(b"\r\n\r\n", 1)
    assert b"connection: close" in head and json.loads(body)["status"] == status
    return json.loads(body)["slug"]


# ---- slow ---------------------------------------------------------------------------------------------------------------

def test_slow_heads_get_408_and_cost_little(server):
    with harmless(server, 24), crowd(server, 300, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 3000) as wires:
        begun = time.monotonic()
        while time.monotonic() < begun + 0.8:           # a byte now and then does not help
            for w in wires[:50]:
                w.send(b"y")
        assert {only_answer(w, 408) for w in wires} == {"too_slow"}


def test_slow_bodies_get_408_and_cost_little(server):
    parts = [post(LOGIN[:10], f"content-length: {len(LOGIN)}"), post(b"5\r\n{", "transfer-encoding: chunked"),
             post(b"1;" + b"e" * 3000, "transfer-encoding: chunked"), post(b"", f"content-length: {len(LOGIN)}")]
    with harmless(server, 24), contextlib.ExitStack() as stack:
        for w in [w for part in parts for w in stack.enter_context(crowd(server, 50, part))]:
            assert only_answer(w, 408) == "too_slow"


def test_an_unread_body_that_does_not_come_gets_its_one_answer_and_the_end(server):
    with harmless(server, 16), crowd(server, 50, get("/v1/nothing", "content-length: 5") + b"ab") as wires:
        for w in wires:
            data = all_of(w)
            assert statuses(data) == [404]


def test_large_uploads_that_stop_hold_no_more_memory_than_they_may(server):
    part = post(b"[" + b" " * 250_000, "content-length: 1000000")
    before = metric(server, 'souk_bound_reached_total{bound="http_waiting"}')
    with harmless(server, WAITING_MIB + 24), crowd(server, 200, part) as wires:        # 50 MB come
        assert metric(server, "souk_http_waiting_bytes") <= WAITING_MIB << 20
        assert all_of(wires[0]) == b""                  # those that waited longest went; the last can still finish
        assert wires[-1].send(b" " * (1_000_000 - 250_001)).answer()[0] == 400
    assert metric(server, 'souk_bound_reached_total{bound="http_waiting"}') > before


def test_answers_that_nobody_reads_hold_no_more_memory_than_they_may(server):
    """Each asks for 20 MB and takes nothing: cut off when the time to take an answer is over, or before."""
    size = len(server.get("/openapi.json").content)
    ask = get("/openapi.json") * (20_000_000 // size)
    before = metric(server, 'souk_bound_reached_total{bound="http_waiting"}')
    with harmless(server, WAITING_MIB + 32), crowd(server, 150, ask) as wires:
        wait_until(lambda: metric(server, 'souk_http_connections{state="busy"}') + metric(server, 'souk_http_connections{state="idle"}') < 20)
        for w in wires[::10]:
            data = all_of(w)
            assert len(data) < 10_000_000 and set(statuses(data)) <= {200}
    assert metric(server, 'souk_bound_reached_total{bound="http_waiting"}') > before


def test_a_reader_that_is_slow_but_reads_gets_everything(server):
    with crowd(server, 1, get("/openapi.json", "connection: close")) as (w,):
        whole = server.get("/openapi.json").content
        data = b""
        while piece := w.socket.recv(2000):
            data += piece
        assert data.endswith(whole[-100:]) and len(data.split(b"\r\n\r\n", 1)[1]) == len(whole)


# ---- many ---------------------------------------------------------------------------------------------------------------

def test_a_thousand_at_once_are_answered(server):
    with harmless(server, 48), crowd(server, 1000) as wires:
        for _ in range(3):
            for w in wires:
                w.send(get())
            assert all(w.answer()[0] == 200 for w in wires)


def test_idle_connections_without_end_lock_nobody_out(server):
    refused, ended = metric(server, "souk_http_refused_total"), metric(server, 'souk_bound_reached_total{bound="http_places"}')
    with harmless(server, 48), crowd(server, PLACES + 300) as wires:
        assert metric(server, 'souk_bound_reached_total{bound="http_places"}') >= ended + 300
        assert wires[0].is_closed() and wires[-1].send(get()).answer()[0] == 200       # the longest idle went
    assert metric(server, "souk_http_refused_total") == refused


# ---- half closed, gone ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("request_, expected", [
    (get(), [200]), (get() * 3, [200, 200, 200]), (post(LOGIN, f"content-length: {len(LOGIN)}"), [400]), (post(chunks(LOGIN), "transfer-encoding: chunked"), [400]),
    (get("/openapi.json") + get(), [200, 200]), (post(LOGIN, f"content-length: {len(LOGIN)}", "expect: 100-continue"), [400]),
    (b"GET /healthz HT", [400]), (get() + b"GET /heal", [200, 400]), (b"", []), (b"\r\n", [])])
def test_a_side_that_has_ended_still_gets_its_answers(server, request_, expected):
    with Wire(server) as w:
        w.send(request_).socket.shutdown(socket.SHUT_WR)
        assert statuses(all_of(w)) == expected


def test_a_body_that_ends_too_early_is_answered_once_at_most(server):
    for part in (post(LOGIN[:-1], f"content-length: {len(LOGIN)}"), post(chunks(LOGIN)[:-1], "transfer-encoding: chunked"), post(b"", "content-length: 5")):
        with Wire(server) as w:
            w.send(part).socket.shutdown(socket.SHUT_WR)
            assert statuses(all_of(w)) in ([], [400], [503])


def test_resets_at_every_byte_do_no_harm(server):
    whole = get() + post(LOGIN, f"content-length: {len(LOGIN)}", "expect: 100-continue") + post(chunks(LOGIN), "transfer-encoding: chunked") + get("/openapi.json")
    with harmless(server, 24):
        for cut in range(1, len(whole) + 1):
            with Wire(server) as w:
                w.send(whole[:cut]).socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        wait_until(lambda: metric(server, 'souk_http_connections{state="idle"}') < 10)


# ---- odd ----------------------------------------------------------------------------------------------------------------

def test_expectations_are_met_once_or_not_at_all(server):
    length = f"content-length: {len(LOGIN)}"
    with Wire(server) as w:                             # said twice, and in a request without a body
        w.send(post(b"", length, "expect: 100-continue", "expect: 100-Continue"))
        assert w.answer()[0] == 100 and w.send(LOGIN).answer()[0] == 400
        assert w.send(get("/healthz", "expect: 100-continue")).answer()[0] == 200
        assert w.send(b"GET /healthz HTTP/1.0\r\nexpect: 100-continue\r\nconnection: keep-alive\r\n\r\n").answer()[0] == 200
    with Wire(server) as w:                             # chunks are waited for too
        assert w.send(post(b"", "transfer-encoding: chunked", "expect: 100-continue")).answer()[0] == 100
        assert w.send(chunks(LOGIN) + get()).answer()[0] == 400 and w.answer()[0] == 200
    with Wire(server) as w:                             # invited, and does not come
        assert w.send(post(b"", length, "expect: 100-continue")).answer()[0] == 100
        assert only_answer(w, 408) == "too_slow"
    with Wire(server) as w:                             # not invited: what comes is no request
        w.send(post(b"", length, "expect: 100-continue", path="/v1/nothing"))
        assert w.answer()[0] == 404
        assert w.send(get("/v1/smuggled")).is_closed()
    for wrong in ("100-continue, 100-continue", "100", "", "100-continue;q=1"):
        with Wire(server) as w:
            assert only_answer(w.send(post(b"", length, f"expect: {wrong}") + LOGIN + get()), 417) == "unknown_expectation"


def test_head_never_gets_a_body_and_options_takes_none(server):
    for request_, status in ((get(method="HEAD"), 200), (get("/v1/nothing", method="HEAD"), 404), (get("/healthz", "expect: x", method="HEAD"), 417),
                             (b"HEAD /healthz HTTP/1.1\r\n\r\n", 400), (get("/" + "a" * 9000, method="HEAD"), 414), (get("/healthz", "x: " + "a" * 40000, method="HEAD"), 431),
                             (get("/healthz", "content-length: 2", "transfer-encoding: chunked", method="HEAD"), 400), (get(version="2.0", method="HEAD"), 505)):
        with Wire(server) as w:
            w.send(request_).socket.shutdown(socket.SHUT_WR)
            data = all_of(w)
            assert statuses(data) == [status] and data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1, data
    with Wire(server) as w:
        w.send(get(method="HEAD") + get() + get("/openapi.json", method="HEAD") + get("/v1/nothing"))
        assert w.answer(head_only=True)[0] == 200 and w.answer()[2] == b'{"status":"ok"}'
        assert w.answer(head_only=True)[0] == 200 and w.answer()[0] == 404
        w.send(b"OPTIONS * HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello" + get("/healthz", method="OPTIONS") + get())
        assert w.answer()[0] in (200, 204) and w.answer()[0] in (200, 204, 405) and w.answer()[2] == b'{"status":"ok"}'


def test_absurd_sizes_get_their_status_and_the_end(server):
    huge = b"a" * 4_000_000
    absurd = [(b"GET /" + huge, 414), (huge, 414), (b"GET / HTTP/1.1\r\nx: " + huge, 431), (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 500_000, 431),
              (b"GET / HTTP/1.1\r\n" + huge, 431), (post(huge, "content-length: " + "9" * 5000), 413), (post(b"", "content-length: 8388609"), 413),
              (post(huge, "content-length: 4000000"), 413), (post(b"f" * 15 + b"\r\n" + huge, "transfer-encoding: chunked"), 413),
              (post(b"0" * 4_000_000, "transfer-encoding: chunked"), 400), (post(b"1;" + huge, "transfer-encoding: chunked"), 400),
              (post(b"0\r\n" + b"x: y\r\n" * 500_000, "transfer-encoding: chunked"), 431), (post(chunks(b" " * 2_000_000, 1000), "transfer-encoding: chunked"), 413),
              (b"\r\n" * 1_000_000, 400), (b"\0" * 1_000_000, 400)]
    with harmless(server, 24):
        for data, status in absurd:
            with Wire(server) as w:
                sender = threading.Thread(target=w.send, args=(data,))
                sender.start()
                seen = statuses(all_of(w))
                sender.join()
                assert seen == [status], (data[:60], seen)
