# SPDX-License-Identifier: Apache-2.0
"""Bad weather: everything the program stands on gives way, one thing at a time, while people buy. It refuses clearly (503 with Retry-After, as a
problem), hangs nobody, loses nothing it has answered, says how it is, and comes back by itself.

One marketplace on a PostgreSQL of the tests' own, with few connections, reached by a name; weather.c turns its clock and its resolver."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import httpx
import psycopg
import pytest

from buyers import Buyers, Crowd
from market import DATABASES, Market, problem
from souk import PROGRAM, Souk, free_port, run

pytestmark = pytest.mark.slow                           # a server and a market of their own
HERE = pathlib.Path(__file__).parent
HOUR_US = 3600 * 1000000
CONNECTIONS, DESCRIPTORS, DISK_MIB = 60, 300, 320
DEADLINE = 10                                           # of a request, in seconds
NAMES_KNOWN, NAMES_GONE, NAMES_HANG = 0, 1, 2           # of weather.c


class Server:
    """A PostgreSQL with few connections, for a user who may make databases and is no superuser."""

    def __init__(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="souk-weather.", dir="/tmp"))
        self.port, self.process = free_port(), None
        self.root = os.getuid() == 0
        if self.root:
            shutil.chown(self.top, "postgres", "postgres")
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin")) or [pathlib.Path(shutil.which("initdb")).resolve().parent]
        self.bin = found[-1]
        self.run("initdb", "-D", self.top / "data", "-U", "souk", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
        self.start()
        with self.connect() as db:
            db.execute("create role market login createdb createrole")
            db.execute("create role crowd login")

    def words(self, program, *args):
        user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"] if self.root else []
        return [*user, str(self.bin / program), *map(str, args)]

    def run(self, program, *args):
        subprocess.run(self.words(program, *args), cwd=self.top, check=True, capture_output=True)

    def start(self):
        with open(self.top / "log", "ab") as log:
            self.process = subprocess.Popen(self.words("postgres", "-D", self.top / "data", "-k", self.top, "-p", self.port, "-c", "listen_addresses=127.0.0.1",
                                                       "-c", f"max_connections={CONNECTIONS}", "-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "timezone=UTC"),
                                            cwd=self.top, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while True:
            try:
                return self.connect().close()
            except psycopg.OperationalError:
                assert time.monotonic() < end and self.process.poll() is None, (self.top / "log").read_text()

    def stop(self, signo=signal.SIGINT):
        self.process.send_signal(signo)
        self.process.wait(30)

    def conninfo(self, name="postgres", user="souk"):
        return psycopg.conninfo.make_conninfo(host=str(self.top), port=self.port, user=user, dbname=name)

    def connect(self, *args):
        return psycopg.connect(self.conninfo(*args), autocommit=True)

    def processes(self):
        """All of it."""
        pid = self.process.pid
        return [pid, *(int(p) for p in os.popen(f"ps -o pid= --ppid {pid}").read().split())]

    def remove(self):
        if self.process.poll() is None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.top, ignore_errors=True)


class Sky:
    """What weather.c reads."""

    def __init__(self, top):
        self.library, self.file = top / "weather.so", top / "weather"
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", self.library, HERE / "weather.c", "-ldl"], check=True)
        self.turn()

    def turn(self, wrong_us=0, names=NAMES_KNOWN):
        with open(self.file, "r+b" if self.file.exists() else "wb") as f:
            f.write(struct.pack("qq", wrong_us, names))

    @contextlib.contextmanager
    def turned(self, **how):
        self.turn(**how)
        try:
            yield
        finally:
            self.turn()


class Place(Market):
    """A market on that server."""

    def __init__(self, directory, server, sky):
        self.server, self.sky = server, sky
        self.more = {"prefix": ("prlimit", f"--nofile={DESCRIPTORS}"), "LD_PRELOAD": str(sky.library), "WEATHER": str(sky.file),
                     "SOUK_DATABASE_URL": f"postgresql://market@db.weather.test:{server.port}/postgres"}
        super().__init__(directory, "--workers", "1", **self.more)

    def begin_again(self):
        Souk.__init__(self, self.directory, "--no-seed", "--workers", "1", port=self.port, **self.more)

    def conninfo(self, service):
        return self.server.conninfo(f"souk_{service}")

    def metric(self, name, **labels):
        """The sum of a metric's values with these labels."""
        found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", self.get("/metrics").text, re.M)
        assert found, name
        return sum(float(v) for has, v in found if all(f'{k}="{x}"' in has for k, x in labels.items()))

    def ready(self):
        return self.get("/readyz").status_code == 200

    def failing(self):
        """Names of the checks that do not hold."""
        answer = self.get("/readyz")
        assert answer.status_code == 503 and answer.json()["ready"] is False
        return {c["name"] for c in answer.json()["checks"] if not c["ok"]}

    def until(self, what, seconds=30):
        end = time.monotonic() + seconds
        while not (got := what()):
            assert time.monotonic() < end and self.process.poll() is None, self.said()[-3000:]
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)                 # a short nap that the program's end cuts short
        return got

    def login(self, role):
        return {k: self.accounts()[role][k] for k in ("email", "password")}

    def said(self):
        return self.err.read_text()

    def let_go(self):
        """Of the tests' own sessions, before the server ends them."""
        for db in self.databases.values():
            db.close()

    def orders(self):
        return self.one("orders", "select count(*) from orders where invoice_no is not null")

    def cut(self):
        """Ends the program's sessions at the server."""
        with self.server.connect() as db:
            db.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'market'")

    def buys(self, product, key, seconds=30):
        """An order that is asked for until it is there, as a client should."""
        token = self.token()
        return self.until(lambda: self.order(product, token, key=key).status_code == 201, seconds)


def refused(ask):
    """One request that is refused in time, clearly, with a word on when to come again."""
    begun = time.monotonic()
    answer = ask()
    assert time.monotonic() - begun < DEADLINE + 5
    return problem(answer, 503, "database")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    if "libasan" in subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout:
        pytest.skip("the address sanitizer must be loaded first, and weather.c would be")
    top = tmp_path_factory.mktemp("weather")
    server = Server()
    try:
        with Place(top, server, Sky(top)) as p:
            p.key_of_test = iter(f"weather-{i}" for i in range(1000))
            yield p
    finally:
        server.remove()


@pytest.fixture(scope="module")
def product(place):
    return place.product(stock=1000000)


# ---- the database ---------------------------------------------------------------------------------------------------

def test_a_database_that_is_down_is_told_by_everything_and_needs_no_restart(place, product):
    token, key = place.token(), next(place.key_of_test)
    seen = place.order(product, token).json()
    place.let_go()
    place.server.stop(signal.SIGQUIT)
    try:
        refused(lambda: place.order(product, token, key=key))
        refused(lambda: place.get(f"/v1/orders/{seen['id']}", token))
        assert place.failing() == {f"database of {d}" for d in DATABASES}
        assert place.get("/healthz").status_code == 200
        assert place.metric("souk_db_up") == 0
    finally:
        place.server.start()
    place.buys(product, key)
    place.until(place.ready)
    assert place.metric("souk_db_up") == len(DATABASES)
    assert place.get(f"/v1/orders/{seen['id']}", token).json()["invoice_number"] == seen["invoice_number"]
    place.check_books(product)


def test_a_database_that_crashes_and_is_restarted_under_load_loses_nothing_that_was_answered(place, product):
    before = place.orders()
    place.let_go()
    with Buyers(place, product, 8) as buyers:
        buyers.wait_for(30)
        with place.server.connect() as db:
            pid, = db.execute("select pid from pg_stat_activity where datname = 'souk_orders' and usename = 'market' limit 1").fetchone()
        os.kill(pid, signal.SIGKILL)                    # the server takes that for a crash: all sessions end, and it recovers
        buyers.wait_for(len(buyers.answers) + 30)
        place.server.stop()
        place.server.start()
        buyers.wait_for(len(buyers.answers) + 30)
    assert buyers.statuses <= {201, 409, 503, 504} and 503 in buyers.statuses, buyers.statuses
    place.until(place.ready)
    buyers.ask_again(place, 40)
    place.check_books(product)
    assert place.orders() - before == len(buyers.answers)


def test_a_statement_that_waits_is_given_up_at_the_deadline_and_at_the_server(place, product):
    token, key = place.token(), next(place.key_of_test)
    with place.server.connect("souk_orders") as db, db.transaction(), concurrent.futures.ThreadPoolExecutor(2) as pool:
        db.execute("lock table orders in access exclusive mode")
        begun = time.monotonic()
        waits = [pool.submit(lambda: httpx.post(place.url + "/v1/orders", json={"items": [{"product_id": product, "quantity": 1}]}, timeout=30,
                                                headers={"authorization": f"Bearer {token}", "idempotency-key": key})),
                 pool.submit(lambda: httpx.get(place.url + "/v1/orders", headers={"authorization": f"Bearer {token}"}, timeout=30))]
        place.until(lambda: place.metric("souk_db_in_flight", service="orders") >= 1)
        assert place.get(f"/v1/products/{product}").status_code == 200, "who needs another table is served"
        for w in waits:
            assert w.result().status_code in (503, 504), w.result().text
            problem(w.result(), w.result().status_code)
        assert time.monotonic() - begun < DEADLINE + 5
        with place.server.connect() as other:           # nothing of ours goes on waiting there
            place.until(lambda: other.execute("select count(*) = 0 from pg_stat_activity where usename = 'market' and wait_event_type = 'Lock'").fetchone()[0])
        assert place.get("/healthz").status_code == 200
    place.buys(product, key)
    place.check_books(product)


def test_a_database_that_stands_still_does_not_keep_the_program_from_ending(place, product):
    token, key = place.token(), next(place.key_of_test)
    stopped = place.server.processes()
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        answer = place.order(product, token, key=key)
        problem(answer, answer.status_code)
        assert answer.status_code in (503, 504)
        begun = time.monotonic()
        assert place.stop(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 30
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    place.begin_again()
    place.buys(product, key)
    place.check_books(product)


def test_no_connection_left_is_a_refusal_until_there_is_one(place, product):
    token, key, crowd, db = place.token(), next(place.key_of_test), [], place.server.connect()

    def crowded():
        """Nobody of ours is there, and no place is left: several looks, for what tries and fails takes one for a moment."""
        place.cut()
        for _ in range(5):
            before = len(crowd)
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    crowd.append(psycopg.connect(place.server.conninfo("postgres", "crowd")))
            ours = db.execute("select count(*) from pg_stat_activity where usename = 'market'").fetchone()[0]
            if ours or len(crowd) > before or place.ready():
                return False
        return place.metric("souk_db_up") == 0

    try:
        place.until(crowded)
        refused(lambda: place.order(product, token, key=key))
        assert place.failing() == {f"database of {d}" for d in DATABASES}
        place.until(lambda: re.search("too many clients|remaining connection slots", place.said()))
    finally:
        for c in [db, *crowd]:
            c.close()
    place.buys(product, key)
    place.until(place.ready)
    place.check_books(product)


def test_a_read_only_database_serves_reads_and_refuses_writes_until_it_takes_them(place, product):
    token, key = place.token(), next(place.key_of_test)
    with place.server.connect() as db:
        def told(word):
            db.execute(f"alter system {word}")
            db.execute("select pg_reload_conf()")
            return True

        told("set default_transaction_read_only = on")
        try:
            keys = []
            while not keys or place.order(product, token, key=keys[-1]).status_code == 201:
                keys.append(next(place.key_of_test))    # until the word has reached every session
            refused(lambda: place.order(product, token, key=key))
            assert place.get("/v1/orders", token).status_code == 200
            assert place.get(f"/v1/products/{product}").status_code == 200
            assert {f"{d} takes writes" for d in DATABASES} == place.failing()
            assert place.metric("souk_db_read_only") == place.metric("souk_db_up") == len(DATABASES)
        finally:
            told("reset default_transaction_read_only")
        place.buys(product, key)
        place.buys(product, keys[-1])
        place.until(lambda: place.metric("souk_db_read_only") == 0)     # without being asked
    assert place.ready()
    assert "database_read_only" in place.said() and "database_takes_writes" in place.said()
    place.check_books(product)


# ---- names, time ----------------------------------------------------------------------------------------------------

def test_names_that_cannot_be_resolved_stop_no_program_that_knew_them(place, product):
    for names in (NAMES_GONE, NAMES_HANG):
        key = next(place.key_of_test)
        with place.sky.turned(names=names):
            place.cut()
            place.buys(product, key)
            assert place.log_in(place.login("staff"))["access_token"]
            place.until(place.ready)
            place.until(lambda: "database_name_unresolved" in place.said())
    place.check_books(product)


def test_a_start_without_the_name_of_its_database_says_so(place, tmp_path):
    with place.sky.turned(names=NAMES_GONE):
        begun = time.monotonic()
        done = run("run", "--port", str(free_port()), "--data", str(tmp_path / "x"), **{k: v for k, v in place.more.items() if k != "prefix"})
    assert done.returncode == 1 and time.monotonic() - begun < 30
    assert "cannot start" in done.stderr and "db.weather.test" in done.stderr


def all_come_through(place):
    """Whether each order that stands when this is called is captured by now, and nothing held for it any more."""
    ids = [i for (i,) in place.database("orders").execute("select id from orders where invoice_no is not null")]

    def done():
        return (place.one("payments", "select count(*) from transfer where kind = 1 and order_id = any(%s)", ids) == len(ids)
                and place.one("inventory", "select count(*) from hold where order_id = any(%s)", ids) == 0)
    return done


def test_a_clock_that_jumps_loses_no_order_and_no_event(place, product):
    before, future = place.orders(), place.log_in(place.login("customer"))["access_token"]

    def log_in(buyers):
        place.tokens.clear()
        buyers.token = place.token()
        assert place.get("/v1/me", buyers.token).status_code == 200
        buyers.wait_for(len(buyers.answers) + 10)

    with Buyers(place, product, 4) as buyers:
        buyers.wait_for(10)
        with place.sky.turned(wrong_us=-HOUR_US):
            buyers.wait_for(len(buyers.answers) + 10)   # who was known is still known
            problem(place.get("/v1/me", future), 401, "invalid_token")  # and nobody who comes from the future
            log_in(buyers)
            place.until(all_come_through(place))        # others order all the time, so it never comes to rest
        with place.sky.turned(wrong_us=HOUR_US // 6):   # over the life of a token, not of a hold: that would end an order under way for good
            place.until(lambda: 401 in buyers.statuses)
            log_in(buyers)
        log_in(buyers)
    with place.sky.turned(wrong_us=40 * 24 * HOUR_US):  # over everything that runs out
        place.tokens.clear()
        far = place.order(product)
        assert far.status_code == 201, far.text
        place.settle()
    place.tokens.clear()
    assert buyers.statuses <= {201, 401, 409, 503}, buyers.statuses
    buyers.ask_again(place, 20)
    assert place.ready()
    assert place.get("/debug/parked", "admin").json()["items"] == []
    page = place.get("/v1/orders", "customer", params={"limit": 100})
    assert page.status_code == 200 and page.json()["items"]
    assert place.metric("souk_outbox_lag_microseconds") >= 0
    place.check_books(product)
    assert place.orders() - before == len(buyers.answers) + 1


# ---- the program's own house -------------------------------------------------------------------------------------------

def callers(place, n):
    """Sockets that say nothing."""
    return [socket.create_connection(("127.0.0.1", place.port), timeout=10) for _ in range(n)]


def heard(s):
    """What a caller is told without having asked; None: nothing yet."""
    s.setblocking(False)
    try:
        return s.recv(4096)
    except BlockingIOError:
        return None


def test_more_callers_than_descriptors_make_room_for_each_other(place):
    assert place.get("/healthz").status_code == 200
    many = callers(place, DESCRIPTORS)
    try:
        place.until(lambda: any(heard(s) == b"" for s in many))         # whoever was idle longest went
        assert heard(many[-1]) is None, "whoever came last may stay"
        assert place.get("/v1/products").status_code == 200, "a newcomer is served, and the database is reached"
        assert place.ready()
        assert "connections_limited" in place.said()
    finally:
        for s in many:
            s.close()
    place.until(lambda: httpx.get(place.url + "/healthz").status_code == 200)


def test_descriptors_used_up_are_waited_out_without_spinning(place, product):
    token, pid, key = place.token(), place.process.pid, next(place.key_of_test)
    assert place.get("/healthz").status_code == 200     # on the connection that stays
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")), before[1]))
    try:
        many = callers(place, 5)
        place.until(lambda: "accept_short" in place.said())
        place.until(lambda: any(heard(s) for s in many))        # by the descriptor kept to spare
        cpu, begun = place.metric("souk_cpu_microseconds_total"), time.monotonic()
        assert place.order(product, token, key=key).status_code in (201, 503)
        place.until(lambda: time.monotonic() > begun + 0.5)
        assert place.metric("souk_cpu_microseconds_total") - cpu < 0.4 * (time.monotonic() - begun) * 1e6
        assert place.get("/v1/products").status_code == 200
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert httpx.get(place.url + "/readyz", timeout=10).status_code == 200
    for s in many:
        s.close()
    place.buys(product, key)
    place.check_books(product)


def test_sigterm_under_load_answers_what_it_has_begun_and_begins_nothing_else(place, product):
    before = place.orders()
    with Buyers(place, product, 12) as buyers:
        buyers.wait_for(100)
        assert place.stop(signal.SIGTERM) == 0
    assert buyers.statuses == {201}
    assert place.orders() - before == len(buyers.answers), "every order that was made was answered"
    place.begin_again()
    buyers.ask_again(place, 40)
    place.check_books(product)


# ---- memory ---------------------------------------------------------------------------------------------------------

def memory(pid):
    """What the system counts against its limit of private memory, in bytes."""
    return int(re.search(r"VmData:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) << 10


class Hungry(Crowd):
    """Everything at once that wants memory, until it is told to stop: bodies of a megabyte, and connections that each ask for a list."""

    def __init__(self, market):
        super().__init__(lambda: self.ask(3, self.heavy), lambda: self.ask(150, self.light))
        self.port, self.seen = market.port, set()
        rows = [{"sku": f"heavy-{i}", "name": "N" * 100, "description": "d" * 2000, "price": {"amount": 1, "currency": "EUR"}} for i in range(450)]
        body = json.dumps({"products": rows}).encode()
        self.heavy = (f"POST /v1/products/import HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {market.token('vendor')}\r\n"
                      f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n").encode() + body
        self.light = b"GET /v1/products?limit=50 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

    def ask(self, n, request):
        """Again and again n at once; each sees its status, or 0 when the connection is closed without a word."""
        while not self.over.is_set():
            with contextlib.ExitStack() as stack:
                sent = []
                for _ in range(n):
                    s = stack.enter_context(socket.socket())
                    s.settimeout(20)
                    with contextlib.suppress(ConnectionError):
                        s.connect(("127.0.0.1", self.port))
                        s.sendall(request)
                    sent.append(s)
                for s in sent:
                    try:
                        head = s.recv(4096)
                    except ConnectionError:
                        head = b""
                    self.seen.add(int(head[9:12] or b"0"))
            self.over.wait(0.01)


def log_in_is_refused(place):
    """For want of the 19 MiB that looking at a password takes; that it is wrong would be a lie."""
    try:
        answer = httpx.post(place.url + "/v1/sessions", json=place.login("customer"), timeout=20)
    except httpx.TransportError:                        # not even a connection had its memory
        return False
    assert answer.status_code in (413, 429, 503), answer.text
    return answer.json()["slug"] == "busy" and int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("room_mib", [4, 0.5])
def test_memory_that_runs_out_is_refused_and_loses_nothing(place, product, room_mib):
    pid, orders, _ = place.process.pid, place.orders(), place.token("vendor")
    before = resource.prlimit(pid, resource.RLIMIT_DATA)
    with Buyers(place, product, 8) as buyers:
        resource.prlimit(pid, resource.RLIMIT_DATA, (memory(pid) + int(room_mib * (1 << 20)), before[1]))
        try:
            place.until(lambda: log_in_is_refused(place))
            with Hungry(place) as crowd:
                place.until(lambda: (429 in crowd.seen or 503 in crowd.seen or 413 in crowd.seen) and 0 in crowd.seen)
        finally:
            resource.prlimit(pid, resource.RLIMIT_DATA, before)
        place.until(place.ready)
        buyers.wait_for(len(buyers.answers) + 20, 60)
    assert place.process.pid == pid and place.process.poll() is None, "it went on serving"
    assert crowd.seen <= {0, 200, 413, 429, 503}, crowd.seen
    assert buyers.statuses <= {201, 409, 413, 429, 503, 504}, buyers.statuses
    buyers.ask_again(place, 40)
    place.check_books(product)
    assert place.orders() - orders == len(buyers.answers)


# ---- the disk -----------------------------------------------------------------------------------------------------------

@pytest.fixture()
def small_disk(tmp_path_factory):
    top = tmp_path_factory.mktemp("disk")
    for folder in (top, *top.parents):
        if folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o111)
    mounted = os.getuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0711", "tmpfs", top], check=False).returncode == 0
    if not mounted:
        pytest.skip("only root may mount a small disk")
    yield top
    subprocess.run(["umount", "-l", top], check=True)


def test_a_full_disk_is_refused_and_survived(small_disk):
    with Market(small_disk / "souk", "--workers", "1") as market:
        product, ballast = market.product(stock=1000000), small_disk / "ballast"
        with Buyers(market, product, 8) as buyers:
            buyers.wait_for(30)
            with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as f:
                while f.write(bytes(1 << 20)):
                    pass
            with contextlib.suppress(psycopg.Error):    # the next segment of its log has no room
                psycopg.connect(market.conninfo("orders"), autocommit=True).execute("select pg_switch_wal()").fetchall()
            end = time.monotonic() + 30
            while 503 not in buyers.statuses:
                assert time.monotonic() < end and market.process.poll() is None, buyers.statuses
                buyers.over.wait(0.02)
            assert market.get("/healthz").status_code == 200
            full = len(buyers.answers)
            ballast.unlink()
            buyers.wait_for(full + 30, 60)
        assert buyers.statuses <= {201, 409, 503, 504}, buyers.statuses
        assert market.get_when_up("/readyz").status_code == 200
        buyers.ask_again(market, 40)
        market.check_books(product)
        assert market.one("orders", "select count(*) from orders where invoice_no is not null") == len(buyers.answers)
