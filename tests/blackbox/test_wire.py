# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 byte by byte on a raw socket (RFC 9112): what smuggles is refused, what is legal is answered, however it arrives."""
import json
import re
import socket

import pytest

from market import NOBODYS, at_once


class Wire:
    """A connection that sends what it is told."""

    def __init__(self, market):
        self.socket = socket.create_connection(("127.0.0.1", market.port), timeout=15)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass                                        # it had enough
        return self

    def more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.left += data
        return bool(data)

    def line(self):
        while b"\r\n" not in self.left:
            assert self.more(), self.left
        line, self.left = self.left.split(b"\r\n", 1)
        return line.decode()

    def take(self, n):
        while len(self.left) < n:
            assert self.more(), self.left
        data, self.left = self.left[:n], self.left[n:]
        return data

    def answer(self, head_only=False):
        """(status, headers, body)"""
        status = int(re.fullmatch(r"HTTP/1\.1 (\d\d\d) .*", self.line())[1])
        headers = {}
        while line := self.line():
            name, value = line.split(": ", 1)
            assert name not in headers
            headers[name] = value
        if head_only or status in (100, 204, 304):
            return status, headers, b""
        return status, headers, self.take(int(headers["content-length"]))

    def is_closed(self):
        """It ended the connection, and sent nothing more."""
        return self.left == b"" and not self.more()


def get(path="/healthz", *fields, version="1.1", method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/{version}", "host: x", *fields, "", ""]).encode()


def post(body, *fields, path="/v1/sessions"):
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: x", "content-type: application/json", *fields, "", ""]).encode() + body


LOGIN = json.dumps({"email": "a", "password": 1}).encode()              # 400 at /password, when it is read whole


def chunks(data, size=5, end=b"0\r\n\r\n", extension=b""):
    return b"".join(b"%x%s\r\n%s\r\n" % (len(data[i:i + size]), extension, data[i:i + size]) for i in range(0, len(data), size)) + end


SMUGGLED = {
    "length and chunked": post(b"0\r\n\r\n", "content-length: 5", "transfer-encoding: chunked"),
    "chunked and length": post(b"0\r\n\r\n", "transfer-encoding: chunked", "content-length: 5"),
    "two lengths": post(b"{}", "content-length: 2", "content-length: 2"),
    "two lengths that differ": post(b"{}", "content-length: 2", "content-length: 3"),
    "lengths in a list": post(b"{}", "content-length: 2, 2"),
    "a length with a sign": post(b"{}", "content-length: +2"),
    "a negative length": post(b"{}", "content-length: -2"),
    "a length in hex": post(b"{}", "content-length: 0x2"),
    "a length with a blank": post(b"{}", "content-length: 2 2"),
    "an empty length": post(b"{}", "content-length: "),
    "a length of 2^64": post(b"{}", "content-length: 18446744073709551616"),
    "a length with letters": post(b"{}", "content-length: 2a"),
    "a blank before the colon": post(b"{}", "content-length : 2"),
    "a tab before the colon": post(b"{}", "content-length\t: 2"),
    "a folded line": post(b"{}", "x: a\r\n b", "content-length: 2"),
    "a line that begins with a blank": post(b"{}", " content-length: 2"),
    "a bare LF": b"GET /healthz HTTP/1.1\nhost: x\n\n",
    "a bare LF in the head": b"GET /healthz HTTP/1.1\r\nhost: x\nx: y\r\n\r\n",
    "a bare CR": b"GET /healthz HTTP/1.1\r\nhost: x\rx: y\r\n\r\n",
    "a NUL": b"GET /healthz HTTP/1.1\r\nhost: x\0\r\n\r\n",
    "a name with a blank": get("/healthz", "a b: c"),
    "no name": get("/healthz", ": c"),
    "no colon": get("/healthz", "abc"),
    "two hosts": get("/healthz", "host: y"),
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "a host with a path": b"GET /healthz HTTP/1.1\r\nhost: x/y\r\n\r\n",
    "two blanks in the first line": b"GET  /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target with a blank": b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target without a slash": b"GET healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    "no version": b"GET /healthz\r\nhost: x\r\n\r\n",
    "a version of three parts": b"GET /healthz HTTP/1.1.1\r\nhost: x\r\n\r\n",
    "a small version word": b"GET /healthz http/1.1\r\nhost: x\r\n\r\n",
    "chunked of 1.0": b"POST /v1/sessions HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n",
}


@pytest.mark.parametrize("what", SMUGGLED)
def test_what_two_readers_could_read_differently_is_400_and_the_end(market, what):
    """Behind it lies a second request that only a fooled reader would see."""
    with Wire(market) as w:
        status, headers, body = w.send(SMUGGLED[what] + get("/v1/nothing-smuggled")).answer()
        assert status == (413 if "2^64" in what else 400) and headers["connection"] == "close" and headers["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == status and b"smuggled" not in body
        assert w.is_closed()


# The end of a body whose last coding is not chunked cannot be found: 400 (RFC 9112 section 6.3). One that is not known otherwise: 501.
CODINGS = {"gzip": 400, "identity": 400, "gzip, chunked": 501, "chunked, chunked": 400, "chunked, gzip": 400, "xchunked": 400, "\x0bchunked": 400, "chunked;q=1": 400,
           '"chunked"': 400}


@pytest.mark.parametrize("coding", CODINGS)
def test_a_coding_that_is_not_chunked_is_refused(market, coding):
    with Wire(market) as w:
        status, headers, _ = w.send(post(b"0\r\n\r\n", f"transfer-encoding: {coding}") + get("/v1/nothing-smuggled")).answer()
        assert status == CODINGS[coding] and headers["connection"] == "close" and w.is_closed()


BROKEN_CHUNKS = {
    "no size": b"\r\n{}\r\n0\r\n\r\n", "a size that is no hex": b"g\r\n{}\r\n0\r\n\r\n", "a size with 0x": b"0x2\r\n{}\r\n0\r\n\r\n", "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size of 2^64": b"10000000000000002\r\n{}\r\n0\r\n\r\n", "a size over what is there": b"3\r\n{}\r\n0\r\n\r\n", "a size under what is there": b"1\r\n{}\r\n0\r\n\r\n",
    "a bare LF": b"2\n{}\n0\n\n", "a blank": b"2 \r\n{}\r\n0\r\n\r\n", "a NUL": b"2\0\r\n{}\r\n0\r\n\r\n", "a bare CR in an extension": b"2;a\rb\r\n{}\r\n0\r\n\r\n",
    "an LF in an extension": b"2;a\nb\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", BROKEN_CHUNKS)
def test_broken_chunks_are_400_and_the_end(market, what):
    with Wire(market) as w:
        status, headers, body = w.send(post(BROKEN_CHUNKS[what], "transfer-encoding: chunked") + get("/v1/nothing-smuggled")).answer()
        assert status == (413 if "2^64" in what else 400) and headers["connection"] == "close" and b"smuggled" not in body and w.is_closed()


def test_a_chunk_beyond_the_routes_own_limit_is_refused_before_it_comes(market):
    with Wire(market) as w:                             # another route takes 8 MiB; this one 1
        status, headers, body = w.send(post(b"2\r\n{ \r\n180000\r\n", "transfer-encoding: chunked")).answer()
        assert status == 413 and json.loads(body)["slug"] == "body_too_large" and "1048576" in json.loads(body)["detail"]
        assert headers["connection"] == "close" and w.is_closed()


def test_chunks_of_every_size_and_with_extensions_and_trailers_are_one_body(market):
    for size in (1, 2, 7, 1000):
        for extension in (b"", b";a=b", b';a="q;\\"r"'):
            for end in (b"0\r\n\r\n", b"000\r\n\r\n", b"0\r\nx-trailer: 1\r\n\r\n"):
                with Wire(market) as w:
                    status, _, body = w.send(post(chunks(LOGIN, size, end, extension), "transfer-encoding: chunked") + get()).answer()
                    assert status == 400 and json.loads(body)["errors"][0]["pointer"] == "/password"
                    assert w.answer()[0] == 200         # the next one begins where it should


def test_a_trailer_is_no_header(market):
    with Wire(market) as w:
        token = market.token()
        body = chunks(b"{}", end=b"0\r\nauthorization: Bearer " + token.encode() + b"\r\n\r\n")
        assert w.send(post(body, "transfer-encoding: chunked", path="/v1/orders")).answer()[0] == 401


def test_requests_in_one_write_are_answered_in_order(market):
    with Wire(market) as w:
        w.send(b"".join(get(f"/v1/nothing/{i}") + get() + post(LOGIN, f"content-length: {len(LOGIN)}") for i in range(20)))
        for i in range(20):
            assert json.loads(w.answer()[2])["instance"] == f"/v1/nothing/{i}"
            assert w.answer()[2] == b'{"status":"ok"}'
            assert w.answer()[0] == 400


def test_a_slow_one_holds_up_only_those_behind_it(market):
    """Order and quiet one after the other: the answers come in the order of the questions."""
    token, product = market.token(), market.product(stock=3)
    body = json.dumps({"items": [{"product_id": product, "quantity": 1}]}).encode()
    fields = (f"authorization: Bearer {token}", f"content-length: {len(body)}")
    with Wire(market) as w:
        w.send(get() + post(body, *fields, "idempotency-key: pipelined-1", path="/v1/orders") + get("/v1/nothing") +
               post(body, *fields, "idempotency-key: pipelined-1", path="/v1/orders"))
        assert [w.answer()[0] for _ in range(3)] == [200, 201, 404]
        status, headers, _ = w.answer()
        assert (status, headers["idempotency-replayed"]) == (201, "true")


def test_a_request_byte_by_byte_is_a_request(market):
    with Wire(market) as w:
        w.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post(LOGIN, f"content-length: {len(LOGIN)}"):
            w.send(bytes([byte]))
        assert w.answer()[0] == 400
        for byte in post(chunks(LOGIN, 3), "transfer-encoding: chunked"):
            w.send(bytes([byte]))
        assert w.answer()[0] == 400 and w.send(get()).answer()[0] == 200


def test_a_client_that_waits_is_told_to_go_on_only_when_its_body_is_wanted(market):
    length = f"content-length: {len(LOGIN)}"
    with Wire(market) as w:
        w.send(post(b"", length, "expect: 100-continue"))
        assert w.answer()[0] == 100
        status, _, body = w.send(LOGIN).answer()
        assert status == 400 and b"/password" in body
        assert w.send(get()).answer()[0] == 200
    with Wire(market) as w:                             # refused by its head: no upload
        status, headers, _ = w.send(post(b"", length, "expect: 100-continue", path="/v1/orders")).answer()
        assert status == 401 and headers["connection"] == "close" and w.is_closed()
    with Wire(market) as w:
        status, headers, _ = w.send(post(b"", "content-length: 99999999", "expect: 100-continue")).answer()
        assert status == 413 and w.is_closed()
    with Wire(market) as w:
        assert w.send(post(b"", length, "expect: 200-ok")).answer()[0] == 417
    with Wire(market) as w:                             # it sends without waiting
        statuses = [w.send(post(LOGIN, length, "expect: 100-continue")).answer()[0]]
        if statuses == [100]:
            statuses.append(w.answer()[0])
        assert statuses[-1] == 400 and w.send(get()).answer()[0] == 200


def test_limits_have_their_own_answers(market):
    for request, status in ((get("/" + "a" * 9000), 414), (get("/healthz", "x: " + "a" * 40000), 431), (get("/healthz", *(f"x{i}: y" for i in range(200))), 431),
                            (b"BREW /healthz HTTP/1.1\r\nhost: x\r\n\r\n", 501), (get(version="2.0"), 505), (get(version="1.2"), 200), (get(version="0.9"), 505),
                            (b"POST /v1/sessions HTTP/1.0\r\nhost: x\r\ncontent-type: application/json\r\n\r\n", 411)):
        with Wire(market) as w:
            assert w.send(request).answer()[0] == status, request[:60]


def test_versions_and_connections(market):
    with Wire(market) as w:
        status, headers, _ = w.send(b"GET /healthz HTTP/1.0\r\n\r\n").answer()
        assert status == 200 and headers["connection"] == "close" and w.is_closed()
    with Wire(market) as w:
        _, headers, _ = w.send(b"GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").answer()
        assert headers["connection"] == "keep-alive" and w.send(get()).answer()[0] == 200
    with Wire(market) as w:
        _, headers, _ = w.send(get("/healthz", "connection: close") + get()).answer()
        assert headers["connection"] == "close" and w.is_closed()
    with Wire(market) as w:
        assert w.send(b"\r\n" + get()).answer()[0] == 200               # a blank line before a request (RFC 9112 section 2.2)
        assert w.send(b"GET http://x/healthz HTTP/1.1\r\nhost: x\r\n\r\n").answer()[0] == 200
        assert w.send(b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n").answer()[0] == 204


def test_head_says_the_length_and_sends_no_body(market):
    with Wire(market) as w:
        for path in ("/healthz", "/v1/nothing", "/v1/orders", f"/v1/products/{NOBODYS}"):
            _, head, _ = w.send(get(path, method="HEAD")).answer(head_only=True)
            _, full, body = w.send(get(path)).answer()
            assert head["content-length"] == full["content-length"] == str(len(body)) != "0"


def test_paths_are_not_wandered(market):
    with Wire(market) as w:
        for path in ("/v1/../metrics", "/%2e%2e/metrics", "//healthz", "/healthz/", "/v1/products/../../healthz", "/healthz%00", "/healthz;x", "/HEALTHZ"):
            assert w.send(get(path)).answer()[0] in (400, 404), path


def test_a_body_nobody_reads_does_not_become_the_next_request(market):
    trap = get("/v1/nothing-smuggled")
    with Wire(market) as w:
        status, headers, _ = w.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(trap) + trap + get("/v1/nothing-next")).answer()
        assert status in (200, 400)
        if headers.get("connection") != "close":
            assert json.loads(w.answer()[2])["instance"] == "/v1/nothing-next"


def test_many_idle_and_half_open_connections_do_no_harm(market):
    wires = [Wire(market) for _ in range(300)]
    for w in wires[::2]:
        w.send(b"GET /healthz HTT")
    assert market.get("/healthz").status_code == 200
    for w in wires[::2]:
        w.send(b"P/1.1\r\nhost: x\r\n\r\n")
    assert all(w.answer()[0] == 200 for w in wires[::2])
    for w in wires:
        w.socket.close()
    assert market.get("/healthz").status_code == 200


def test_clients_that_go_away_in_the_middle_do_no_harm(market):
    token, product = market.token(), market.product(stock=200)
    body = json.dumps({"items": [{"product_id": product, "quantity": 1}]}).encode()

    def leave(i):
        with Wire(market) as w:
            request = post(body, f"authorization: Bearer {token}", f"content-length: {len(body)}", f"idempotency-key: leaves-{i}", path="/v1/orders")
            w.send(request[:len(request) - (i % 3) * 10])
            w.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")       # a reset, not an end
    at_once(60, leave, 20)
    market.check_books(product)
