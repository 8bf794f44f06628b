# SPDX-License-Identifier: Apache-2.0
"""The usual way to take orders: a transaction of nine statements an order (usual_way.sql), driven by pgbench, on a PostgreSQL with the settings of
Souk's own: the same command line, other data."""
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import threading

from processes import Others, cpu_database, until_idle

HERE = pathlib.Path(__file__).resolve().parent
POOLS = (1, 2, 4, 8, 16, 64)


class Usual:
    def __init__(self, base, settings):
        self.dir = base / "usual"
        self.dir.mkdir()
        self.as_owner = []
        if os.getuid() == 0:
            shutil.chown(self.dir, "postgres")
            self.as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        bin_ = pathlib.Path(settings[0]).parent
        self.pgbench = str(bin_ / "pgbench")
        quiet = {"stdout": subprocess.DEVNULL, "cwd": self.dir}
        subprocess.run([*self.as_owner, bin_ / "initdb", "-D", self.dir / "pg", "-U", "souk", "--auth=trust", "--no-locale", "-E", "UTF8", "--no-instructions"], check=True, **quiet)
        own = [f"unix_socket_directories={self.dir}" if a.startswith("unix_socket_directories=") else a for a in settings]
        own[own.index("-D") + 1] = str(self.dir / "pg")
        with open(self.dir / "log", "wb") as log:
            self.process = subprocess.Popen([*self.as_owner, *own], stdout=log, stderr=log, cwd=self.dir)
        for _ in range(600):
            if subprocess.run([bin_ / "pg_isready", "-q", "-h", self.dir], check=False).returncode == 0:
                break
            threading.Event().wait(0.05)
        subprocess.run(["psql", "-Xq", "-h", self.dir, "-U", "souk", "-d", "postgres", "-f", HERE / "usual_schema.sql"], check=True, **quiet, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)

    def round(self, pool, seconds):
        """CPU us an order (database, pgbench as the application), orders a second"""
        (before,) = until_idle(lambda: cpu_database(self.process.pid))
        others = Others()
        mine = os.times()
        out = subprocess.check_output([self.pgbench, "-h", self.dir, "-U", "souk", *command(pool, seconds), "postgres"], text=True, stderr=subprocess.STDOUT, cwd=self.dir)
        after = os.times()
        database = until_idle(lambda: cpu_database(self.process.pid))[0] - before
        app = after.children_user + after.children_system - mine.children_user - mine.children_system
        n = int(re.search(r"actually processed: (\d+)", out)[1])
        rate = float(re.search(r"tps = ([\d.]+)", out)[1])
        return {"pool": pool, "database": database / n * 1e6, "app": app / n * 1e6, "all": (database + app) / n * 1e6, "rate": rate, "others": others.share(database)}


def command(pool, seconds):
    return ["-n", "-M", "prepared", "-c", str(pool), "-T", str(seconds), "-f", str(HERE / "usual_way.sql")]


def best(usual, key):
    """Of the pool sizes that were tried in every round: the one with the most orders a second, or with the least CPU; of medians."""
    rounds = max(len(u) for u in usual.values())
    return (max if key == "rate" else min)((p for p in usual if len(usual[p]) == rounds), key=lambda pool: statistics.median(u[key] for u in usual[pool]))
