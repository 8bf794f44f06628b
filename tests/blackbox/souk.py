# SPDX-License-Identifier: Apache-2.0
"""A program under test: starts build/souk, waits until it is ready, stops it, and knows what it printed.

    with Souk(tmp_path / "a b") as souk:
        souk.get("/v1/me", token=souk.token("staff"))
"""
import atexit
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time

import httpx

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("SOUK", str(ROOT / "build" / "souk"))
READY_SECONDS = 60
os.environ["SSL_CERT_DIR"] = "/nowhere"         # nothing here speaks TLS: reading the system's certificates would be most of what each client costs
os.environ.pop("SSL_CERT_FILE", None)           # which would be read before that


def environment(**more):
    """Ours without what would change the program's settings, and with no terminal."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("SOUK", "PG"))}
    return {**own, "TERM": "dumb", **more}


def free_port():
    """One below those that the system gives to whoever connects: else, before the program takes it, another test's client might."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    low, high = (10000, first) if first > 12000 else (first, 65536)
    while True:
        port = random.SystemRandom().randrange(low, high)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def run(*args, timeout=120, **env):
    """One command to its end."""
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=timeout, env=environment(**env), check=False)


def last_json(process):
    return json.loads(process.stdout.strip().split("\n")[-1])


elsewhere = set()       # databases that did not lie in a test's own folder: root's temporary folders are closed to the server's user


started = []            # programs whose databases are still there


@atexit.register
def _remove_elsewhere():
    for place in elsewhere:
        shutil.rmtree(place, ignore_errors=True)


def remove_what_ended():
    """The databases of programs that have ended: for when no test will start them again. Each is a hundred megabytes, often of memory."""
    running = {s.data for s in started if s.process.poll() is None}
    for s in started:
        if s.data not in running:
            place = (s.data / "pg").resolve()
            shutil.rmtree(place.parent if place.parent in elsewhere else place, ignore_errors=True)
    started[:] = [s for s in started if s.data in running]


class Souk:
    def __init__(self, directory, *args, port=None, wait=True, prefix=(), **env):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / ".souk"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.args = ["run", "--port", str(self.port), "--data", str(self.data), *args]
        self.out, self.err = self.directory / "out.txt", self.directory / "err.txt"
        self.started = time.monotonic()
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([*prefix, PROGRAM, *self.args], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                            env=environment(**env), start_new_session=True)
        started.append(self)
        if wait:
            self.wait_ready()

    def wait_ready(self):
        while time.monotonic() < self.started + READY_SECONDS:
            assert self.process.poll() is None, self.err.read_text()
            try:
                if httpx.get(self.url + "/readyz").status_code == 200:
                    place = (self.data / "pg").resolve().parent
                    if place.is_relative_to("/var/lib/souk"):
                        elsewhere.add(place)
                    self.ready_seconds = time.monotonic() - self.started
                    return
            except httpx.TransportError:
                pass
            try:                                        # a short nap that the program's end cuts short
                self.process.wait(0.01)
            except subprocess.TimeoutExpired:
                pass
        self.kill()
        raise AssertionError("not ready in time\n" + self.err.read_text())

    def printed(self):
        return self.out.read_text()

    def stop(self, signo=signal.SIGINT):
        self.process.send_signal(signo)
        return self.process.wait(60)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)

    # ---- asking -------------------------------------------------------------------------------------------------------
    def accounts(self):
        return {a["role"]: a for a in json.loads((self.data / "accounts.json").read_text())["accounts"]}

    def token(self, role="customer"):
        a = self.accounts()[role]
        return httpx.post(self.url + "/v1/sessions", json={"email": a["email"], "password": a["password"]}).raise_for_status().json()["access_token"]

    def get(self, path, token=None, **more):
        return httpx.get(self.url + path, headers={"authorization": f"Bearer {token}"} if token else {}, **more)

    def get_when_up(self, path, token=None, seconds=20):
        """Again while it says 503, as a client should."""
        end = time.monotonic() + seconds
        while (answer := self.get(path, token=token)).status_code == 503 and time.monotonic() < end:
            pass
        return answer

    def command(self, *args, **more):
        return run(*args, "--data", str(self.data), **more)

    def database_pid(self):
        """Of the private PostgreSQL."""
        return int((self.data / "pg" / "postmaster.pid").read_text().split("\n")[0])


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_under(directory):
    """Commands of processes whose working directory or arguments lie under it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(directory) in line or where.startswith(str(directory)):
            if int(entry.name) != os.getpid() and is_running(int(entry.name)):
                found.append(line)
    return found


def curl_lines(text):
    return [line.strip() for line in text.split("\n") if re.match(r"\s+(TOKEN=\$\()?curl ", line)]
