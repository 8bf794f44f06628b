# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of processes and of the disk: CPU, memory, the time of a flush.

CPU is utime + stime of /proc/PID/stat, in seconds; of a server and its children also cutime + cstime of those that ended.
"""
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


def say(what):
    print(f"bench: {what}", file=sys.stderr, flush=True)


def die(what):
    sys.exit(f"bench: {what}")


def stat(pid):
    """(parent, CPU of its own, CPU of its children that ended)"""
    f = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(f[1]), (int(f[11]) + int(f[12])) / TICK, (int(f[13]) + int(f[14])) / TICK


def cpu_server(pid):
    return stat(pid)[1]                                 # its threads; not the database it started


def children(pid):
    """{process: CPU of its own}"""
    found = {}
    for p in pathlib.Path("/proc").iterdir():
        if p.name.isdigit():
            with contextlib.suppress(OSError):
                parent, own, _ = stat(p.name)
                if parent == pid:
                    found[int(p.name)] = own
    return found


def cpu_database(postmaster):
    """The postmaster, its backends and those that have ended."""
    while True:
        _, own, ended = stat(postmaster)
        total = own + ended + sum(children(postmaster).values())
        if stat(postmaster)[2] == ended:                # none ended meanwhile, which would be counted twice or not at all
            return total


def cpu_machine():
    """Everybody's, and what other guests of the same hardware took."""
    f = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(f) - f[3] - f[4]) / TICK                # all but idle and waiting for disks


def cpu_mine():
    """This program and the loads it ran that ended."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def memory_mib(pid, which):
    return int(re.search(rf"^{which}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]) / 1024


def forget_peak(pid):
    """From here on VmHWM is the most since now."""
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def until_idle(*cpu):
    """Waits until nothing has run for 400 ms; returns the CPU seconds then."""
    last, since = [f() for f in cpu], time.monotonic()
    end = since + 120
    while time.monotonic() < end:
        threading.Event().wait(0.1)
        now = [f() for f in cpu]
        if sum(now) - sum(last) > 2.5 / TICK:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > 0.4:
            return now
    return die("it does not come to rest")


class Others:
    """How much of the machine those took who do not belong to a round: a round beside a busy neighbour says so."""

    def __init__(self):
        self.begun, self.machine, self.mine = time.monotonic(), cpu_machine(), cpu_mine()

    def share(self, measured):
        """In percent of all cores; measured: CPU seconds of what the round is about."""
        took = (time.monotonic() - self.begun) * len(os.sched_getaffinity(0))
        return max(0.0, (cpu_machine() - self.machine - (cpu_mine() - self.mine) - measured) / took * 100)


def flush_us(directory, times=200):
    """The median of fdatasync after 8 KiB, over blocks that are there already, as PostgreSQL writes its log."""
    fd = os.open(directory / "flush", os.O_CREAT | os.O_WRONLY, 0o600)
    took = []
    try:
        if os.fstat(fd).st_size < times * 8192:
            os.pwrite(fd, b"0" * (times * 8192), 0)
            os.fsync(fd)
        for i in range(times):
            begun = time.monotonic()
            os.pwrite(fd, b"x" * 8192, i * 8192)
            os.fdatasync(fd)
            took.append(time.monotonic() - begun)
    finally:
        os.close(fd)
    return statistics.median(took) * 1e6


def machine(directory, postgres):
    """One line: what all this ran on."""
    def out(*argv):
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    model = re.search(r"Model name:\s+(.*)", out("lscpu"))
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 2 ** 20
    u = os.uname()
    return (f"{len(os.sched_getaffinity(0))} cores ({model[1] if model else u.machine}), {memory:.0f} GiB, Linux {u.release}, {(out('gcc', '--version') or 'no gcc').splitlines()[0]}, "
            f"PostgreSQL {out(postgres, '--version').split()[2]}, {out('df', '--output=fstype', str(directory)).split()[-1]}, a flush of 8 KiB takes {flush_us(directory):.0f} us (median of 200)")
