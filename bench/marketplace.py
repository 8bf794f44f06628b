# SPDX-License-Identifier: Apache-2.0
"""A private marketplace: `souk run` on its own PostgreSQL, with buyers, products and stock for orders."""
import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import uuid

from processes import cpu_database, cpu_server, die

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUYERS, STOCK, STOCK_OF_MANY, RECEIPT_ITEMS = 16, 1_000_000, 100_000, 1000


class Souk:
    def __init__(self, data, port):
        self.data, self.port, self.url = data, port, f"http://127.0.0.1:{port}"
        self.process = None
        data.mkdir(mode=0o755)

    def start(self):
        """Seconds from exec to the first 200 of /readyz."""
        begun = time.monotonic()
        with open(self.data / "souk.log", "ab") as log:
            self.process = subprocess.Popen([ROOT / "build/souk", "run", "--data", self.data, "--port", str(self.port)], stdout=log, stderr=log)
        self.pid = self.process.pid
        while time.monotonic() - begun < 60:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/readyz")[0] == 200:
                    took = time.monotonic() - begun
                    self.postmaster = int((self.data / "pg/postmaster.pid").read_text().split()[0])
                    self.settings = [a.decode() for a in pathlib.Path(f"/proc/{self.postmaster}/cmdline").read_bytes().split(b"\0")[:-1]]
                    (self.socket,) = [a.split("=", 1)[1].strip('"') for a in self.settings if a.startswith("unix_socket_directories=")]
                    return took
            threading.Event().wait(0.002)
        return die("souk does not start:\n" + (self.data / "souk.log").read_text()[-2000:])

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        finally:
            self.process.kill()

    def remove(self):
        self.stop()
        place = (self.data / "pg").resolve()            # elsewhere when PostgreSQL's user cannot reach DIR
        if place.parent.parent == pathlib.Path("/var/lib/souk"):
            shutil.rmtree(place.parent, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)

    def clocks(self):
        """CPU of the server, and of its database, to be read."""
        return (lambda: cpu_server(self.pid)), (lambda: cpu_database(self.postmaster))

    # ---- asking ----------------------------------------------------------------------------------------------------------

    def ask(self, method, path, body=None, token=None, key=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        head = {"content-type": "application/json"} if body is not None else {}
        head |= {"authorization": f"Bearer {token}"} if token else {}
        head |= {"idempotency-key": key} if key else {}
        c.request(method, path, json.dumps(body) if body is not None else None, head)
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, json.loads(text) if "json" in (r.headers.get_content_type() or "") and text else {}

    def want(self, status, *request, **more):
        got, answer = self.ask(*request, **more)
        if got != status:
            die(f"{request[0]} {request[1]} answered {got}: {answer}")
        return answer

    def login(self, email, password):
        return self.want(201, "POST", "/v1/sessions", {"email": email, "password": password})["access_token"]

    def staff(self):
        people = json.loads((self.data / "accounts.json").read_text())["accounts"]
        return self.login(*next((p["email"], p["password"]) for p in people if p["role"] == "staff"))

    # ---- what the rounds need --------------------------------------------------------------------------------------------

    def prepare(self):
        """The buyers, and which products: one that is hot, and all of the shop's currency."""
        self.people = [(f"buyer{i}@bench.example", f"a long enough password {i}") for i in range(BUYERS)]
        with concurrent.futures.ThreadPoolExecutor(4) as at_once:
            made = list(at_once.map(lambda b: self.want(201, "POST", "/v1/users", {"email": b[0], "password": b[1], "name": "Bench"}), self.people))
        self.buyers = [m["id"] for m in made]
        self.products, path = [], "/v1/products?limit=100"
        while path:
            page = self.want(200, "GET", path)
            self.products += [p["id"] for p in page["items"] if p["price"]["currency"] == "EUR"]
            path = page.get("next")
        self.product = self.products[0]
        self.stocked = False

    def stock_up(self, many):
        """More than a round can sell; of all products once."""
        staff = self.staff()
        if not many:
            self.want(201, "POST", "/v1/inventory/adjustments", {"product_id": self.product, "delta": STOCK, "reason": "bench"}, token=staff, key=str(uuid.uuid4()))
        elif not self.stocked:
            for at in range(0, len(self.products), RECEIPT_ITEMS):
                items = [{"product_id": p, "quantity": STOCK_OF_MANY} for p in self.products[at:at + RECEIPT_ITEMS]]
                self.want(201, "POST", "/v1/inventory/receipts", {"items": items}, token=staff, key=str(uuid.uuid4()))
            self.stocked = True

    def tokens(self):
        with concurrent.futures.ThreadPoolExecutor(4) as at_once:
            return list(at_once.map(lambda b: self.login(*b), self.people))

    # ---- its databases ---------------------------------------------------------------------------------------------------

    def sql(self, database, *argv, **more):
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-U", "souk", "-d", database, *argv], check=False, capture_output=True, text=True, **more)
        return die(f"psql {database}: {done.stderr}") if done.returncode else done.stdout

    def count_orders(self):
        """Orders, captures, and holds that are still open."""
        return tuple(int(self.sql(database, "-c", f"select count(*) from {what}")) for database, what in (
            ("souk_orders", "orders where state = 0"), ("souk_payments", "transfer where kind = 1"), ("souk_inventory", "hold")))
